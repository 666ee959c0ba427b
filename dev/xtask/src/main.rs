//! `cargo run -p tessera-xtask -- VERB`: chores of the house that change files or run long.

use std::process::ExitCode;

const HELP: &str = "usage: cargo run -p tessera-xtask -- VERB

  tcb     write docs/tcb.txt, the dependency list of tessera-verify (review the change before you commit it)
";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
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
