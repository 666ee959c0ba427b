//! `relay-run`: one relay under people who write, for minutes, with the program as it is given to operators.
//!
//! ```text
//! minute:   the manual's command line, rounds of 60 s ─► two wallets by their verbs ─► every letter timed from `send` to its line
//! quarter:  rounds of 250 ms ─► wallets, 960 letters each ─► two letters of one second, one wallet away for 240 rounds
//!             wallet ══ tap (sizes of frames) ══ relay          afterwards: `relay inspect`, and every byte of its folder
//! ```
//! Both run side by side. Invariants: no process but our own children is ended; every wait is bounded; a failure keeps the folder.
//! Start reading at [`quarter`].

mod disk;
mod minute;
mod program;
mod quarter;
mod tap;

use std::path::PathBuf;
use std::process::ExitCode;

/// Letters of one wallet: four minutes of rounds of 250 ms.
const LETTERS: usize = 960;
/// Letters that one run may ask of a wallet: what its outbox holds.
const LETTERS_MAX: usize = 4_096;
/// Wallets of the quick rounds.
const WALLETS: usize = 16;
/// Wallets that share one address before their first turn.
const WALLETS_MAX: usize = 60;
/// Letters in each direction of the rounds of a minute.
const MINUTES: usize = 10;
/// Half a day.
const MINUTES_MAX: usize = 720;

/// What the command line asks for.
struct Order {
    binary: PathBuf,
    wallets: usize,
    letters: usize,
    away_rounds: u64,
    minutes: usize,
}

/// The verb.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let order = match order(args) {
        Ok(order) => order,
        Err(fault) => {
            eprintln!("error: {fault}");
            eprintln!(
                "  fix    cargo run -p xtask -- relay-run [--binary PATH] [--wallets 16] [--letters 960] [--away 240] [--minutes 10]"
            );
            return ExitCode::from(2);
        }
    };
    let folder = match tempfile::Builder::new().prefix("relay-run-").tempdir() {
        Ok(folder) => folder,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::from(4);
        }
    };
    let (minute, quarter) = std::thread::scope(|scope| {
        let minute = scope.spawn(|| minute::run(&order, &folder.path().join("minute")));
        let quarter = quarter::run(&order, &folder.path().join("quarter"));
        (minute.join().unwrap_or_else(|_| Err("the rounds of a minute stopped short".to_owned())), quarter)
    });
    let mut whole = true;
    for (name, outcome) in [("quarter", quarter), ("minute", minute)] {
        match outcome {
            Ok(lines) => lines.iter().for_each(|line| println!("{name}: {line}")),
            Err(fault) => {
                eprintln!("error: {name}: {fault}");
                whole = false;
            }
        }
    }
    if whole {
        return ExitCode::SUCCESS;
    }
    eprintln!("  data   {} is kept", folder.keep().display());
    ExitCode::from(1)
}

fn order(args: &[String]) -> Result<Order, String> {
    let mut order = Order {
        binary: super::kill_loop::beside_us(),
        wallets: WALLETS,
        letters: LETTERS,
        away_rounds: 240,
        minutes: MINUTES,
    };
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{flag} has no value"))?;
        let wrong = |_| format!("{flag} {value} is no number");
        match flag.as_str() {
            "--binary" => order.binary = PathBuf::from(value),
            "--wallets" => order.wallets = value.parse().map_err(wrong)?,
            "--letters" => order.letters = value.parse().map_err(wrong)?,
            "--away" => order.away_rounds = value.parse().map_err(wrong)?,
            "--minutes" => order.minutes = value.parse().map_err(wrong)?,
            _ => return Err(format!("{flag} is no flag of relay-run")),
        }
    }
    if !(4..=WALLETS_MAX).contains(&order.wallets) || order.wallets % 2 == 1 {
        return Err(format!("--wallets is an even number, 4 to {WALLETS_MAX}"));
    }
    if !(1..=LETTERS_MAX).contains(&order.letters) || order.minutes > MINUTES_MAX {
        return Err(format!("--letters is 1 to {LETTERS_MAX}, --minutes at most {MINUTES_MAX}"));
    }
    if !order.binary.is_file() {
        return Err(format!("{} is not there: cargo build first, or name it", order.binary.display()));
    }
    order.binary = order.binary.canonicalize().map_err(|fault| fault.to_string())?;
    Ok(order)
}

/// The part of sorted times below which so many hundredths lie, in milliseconds.
fn at(sorted: &[std::time::Duration], hundredths: usize) -> u128 {
    sorted.get(sorted.len().saturating_sub(1) * hundredths / 100).map_or(0, std::time::Duration::as_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_crowd_or_a_program_that_is_not_there_is_refused() {
        let refused = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            order(&args).is_err()
        };
        assert!(refused(&["--wallets", "5"]));
        assert!(refused(&["--letters", "0"]));
        assert!(refused(&["--binary", "/nowhere/tessera"]));
        assert!(refused(&["--slower", "1"]));
    }
}
