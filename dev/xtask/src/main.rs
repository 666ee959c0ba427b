//! `cargo run -p xtask -- VERB`: chores of the house that change files or run long.

mod kill_loop;
mod relay_run;

use std::process::ExitCode;

const HELP: &str = "usage: cargo run -p xtask -- VERB

  tcb         write docs/tcb.txt, the dependency list of tessera-verify (review the change before you commit it)
  kill-loop   kill a serving tessera under load, --kills N times, and look for what was acknowledged and lost
              [--binary PATH] (default: beside this program) [--seed N]
  relay-run   one relay for some minutes: letters at rounds of 60 s and of 250 ms, who comes back after 240 rounds, sizes of frames,
              and what its disk says afterwards [--binary PATH] [--wallets 16] [--letters 960] [--away 240] [--minutes 10]
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("kill-loop") => kill_loop::main(&args[1..]),
        Some("relay-run") => relay_run::main(&args[1..]),
        Some("tcb") => {
            let path = xtask::tree::root().join(xtask::rules::tcb::LIST);
            match std::fs::write(&path, xtask::rules::tcb::list()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {} cannot be written: {error}", path.display());
                    ExitCode::from(4)
                }
            }
        }
        _ => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}
