//! `tessera-verify`: the outsider's checker, without anything else of Tessera.

use clap::Parser;
use std::process::ExitCode;

/// Checks logs and proofs of Tessera, and of any log that serves c2sp.org/tlog-tiles. Trusts only the keys you give.
#[derive(Parser)]
#[command(name = "tessera-verify", version, about)]
struct Command {
    #[command(subcommand)]
    verb: tessera_verify::cli::Verify,
}

fn main() -> ExitCode {
    tessera_verify::cli::run(Command::parse().verb)
}
