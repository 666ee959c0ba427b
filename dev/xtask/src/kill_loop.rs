//! `kill-loop`: kills a serving `tessera` at random moments under load, and looks whether anything acknowledged was lost.
//!
//! ```text
//! start ─► wait ready ─► check ─► load (threads; every answer goes into the journal) ─► kill -9 at a random moment ─┐
//!   ▲                                                                                                               │
//!   └───────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! The journal is the client's: it holds only what the server acknowledged, with the event of each act. Some rounds kill the
//! process while it still starts. Invariants: every wait is bounded; no process but our own child is ended; a loss keeps the data
//! folder. Start reading at [`run`].

mod check;
mod client;
mod journal;
mod load;
mod server;
mod wallet;

use client::Client;
use journal::Journal;
use server::Server;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Kills of one run: 10,000 are half a day.
const KILLS_MAX: u32 = 10_000;
/// One round in so many ends while the process still starts.
const EARLY_ROUND: u64 = 5;
/// Latest moment of a kill after the start, in such a round: what a start takes in a debug build.
const EARLY_MS_MAX: u64 = 400;
/// Latest moment of a kill after the load began: a few checkpoints and sequencer steps.
const LOAD_MS_MAX: u64 = 1_600;
/// How often the newest checkpoint is fetched and kept under load.
const LOOK_EVERY: Duration = Duration::from_millis(60);

/// What the command line asks for.
struct Order {
    kills: u32,
    binary: PathBuf,
    seed: u64,
}

/// The verb.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let order = match order(args) {
        Ok(order) => order,
        Err(fault) => {
            eprintln!("error: {fault}");
            eprintln!("  fix    cargo run -p xtask -- kill-loop --kills N [--binary PATH] [--seed N]");
            return ExitCode::from(2);
        }
    };
    match run(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble { fault, folder }) => {
            eprintln!("error: {fault}");
            eprintln!("  seed   {}", order.seed);
            if let Some(folder) = folder {
                eprintln!("  data   {} is kept", folder.display());
            }
            ExitCode::from(1)
        }
    }
}

fn order(args: &[String]) -> Result<Order, String> {
    let mut order = Order { kills: 20, binary: beside_us(), seed: fresh_seed() };
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{flag} has no value"))?;
        let wrong = |_| format!("{flag} {value} is no number");
        match flag.as_str() {
            "--kills" => order.kills = value.parse().map_err(wrong)?,
            "--seed" => order.seed = value.parse().map_err(wrong)?,
            "--binary" => order.binary = PathBuf::from(value),
            _ => return Err(format!("{flag} is no flag of kill-loop")),
        }
    }
    if !(1..=KILLS_MAX).contains(&order.kills) {
        return Err(format!("--kills is 1 to {KILLS_MAX}"));
    }
    if !order.binary.is_file() {
        return Err(format!("{} is not there: cargo build first, or name it", order.binary.display()));
    }
    order.binary = order.binary.canonicalize().map_err(|fault| fault.to_string())?;
    Ok(order)
}

/// The program in the folder that this one was built into.
pub(crate) fn beside_us() -> PathBuf {
    std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("tessera"))).unwrap_or_default()
}

/// A seed of the moment; it is printed, so that a run can be repeated as far as the machine allows.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Why the run ended badly.
struct Trouble {
    fault: String,
    folder: Option<PathBuf>,
}

/// What the summary counts.
#[derive(Default)]
struct Figures {
    ready: Vec<Duration>,
    killed_early: u32,
    entries: u64,
}

fn run(order: &Order) -> Result<(), Trouble> {
    let started = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("kill-loop-")
        .tempdir()
        .map_err(|fault| Trouble { fault: fault.to_string(), folder: None })?;
    println!("kill-loop: {} kills of {}, seed {}", order.kills, order.binary.display(), order.seed);
    let journal = Journal::default();
    let mut figures = Figures::default();
    match rounds(order, folder.path(), &journal, &mut figures) {
        Ok(()) => {
            summary(&journal, &mut figures, order.kills, started.elapsed());
            Ok(())
        }
        Err(fault) => Err(Trouble { fault, folder: Some(folder.keep()) }),
    }
}

fn rounds(
    order: &Order,
    folder: &std::path::Path,
    journal: &Journal,
    figures: &mut Figures,
) -> Result<(), String> {
    let mut chance = Chance::new(order.seed);
    let place = server::Place::new(&order.binary, folder)?;
    let mut kept = check::Kept::new(folder);
    for round in 1..=order.kills {
        // The first start makes the house; it is killed early in its turn like every other.
        if chance.below(EARLY_ROUND) == 0 {
            let server = Server::start(&place)?;
            std::thread::sleep(Duration::from_millis(chance.below(EARLY_MS_MAX)));
            server.kill()?;
            figures.killed_early += 1;
            println!("{round:>5}  killed while it started");
            continue;
        }
        let (server, client) = ready(&place, figures)?;
        let seen = check::after_start(&place, &client, journal, &mut kept)?;
        figures.entries = seen.size;
        let before = journal.counts().events;
        let moment = Duration::from_millis(1 + chance.below(LOAD_MS_MAX));
        load_and_kill(server, &client, journal, &mut kept, moment, chance.next())?;
        let now = journal.counts();
        println!(
            "{round:>5}  ready in {:>4} ms · log of {:>6} verified against {:>2} kept · {:>4} acts acknowledged in {:>4} ms, then killed ({} events in all)",
            figures.ready.last().map_or(0, Duration::as_millis),
            seen.size,
            seen.kept,
            now.events - before,
            moment.as_millis(),
            now.events,
        );
    }
    let (server, client) = ready(&place, figures)?;
    let seen = check::whole(&place, &client, journal, &mut kept)?;
    figures.entries = seen.size;
    server.kill()
}

/// A process that says it is ready, and a client with a token of it.
fn ready<'a>(place: &'a server::Place, figures: &mut Figures) -> Result<(Server<'a>, Client), String> {
    let mut server = Server::start(place)?;
    figures.ready.push(server.wait_ready()?);
    let client = server.client()?;
    Ok((server, client))
}

fn load_and_kill(
    server: Server<'_>,
    client: &Client,
    journal: &Journal,
    kept: &mut check::Kept,
    moment: Duration,
    seed: u64,
) -> Result<(), String> {
    let holder = kept.holder(client)?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..load::THREADS {
            let (client, stop, holder) = (client.clone(), &stop, &holder);
            scope.spawn(move || load::run(&client, journal, holder, stop, seed.wrapping_add(thread)));
        }
        while begun.elapsed() < moment {
            kept.look(client);
            std::thread::sleep(LOOK_EVERY.min(moment.saturating_sub(begun.elapsed())));
        }
        let killed = server.kill();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        killed
    })
}

fn summary(journal: &Journal, figures: &mut Figures, kills: u32, took: Duration) {
    figures.ready.sort();
    let at = |part: f64| {
        let place = (figures.ready.len() as f64 * part).ceil() as usize;
        figures.ready.get(place.saturating_sub(1)).map_or(0, Duration::as_millis)
    };
    let counts = journal.counts();
    println!(
        "kill-loop: nothing lost in {kills} kills ({} while starting), {} s",
        figures.killed_early,
        took.as_secs()
    );
    println!(
        "  acknowledged and found: {} offers, {} credentials in the wallet, {} revocations, {} keys, {} events; the log has {} entries",
        counts.credentials, counts.held, counts.revocations, counts.keys, counts.events, figures.entries
    );
    println!(
        "  time to ready: median {} ms, p99 {} ms, of {} starts",
        at(0.5),
        at(0.99),
        figures.ready.len()
    );
}

/// Reproducible chance (SplitMix64): good enough to choose moments, and never used for a secret.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `bound` - 1; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_moments() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..4).map(|_| chance.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_run_without_kills_or_without_a_program_is_refused() {
        let refused = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            order(&args).is_err()
        };
        assert!(refused(&["--kills", "0"]));
        assert!(refused(&["--kills", "many"]));
        assert!(refused(&["--binary", "/nowhere/tessera"]));
        assert!(refused(&["--faster", "1"]));
    }
}
