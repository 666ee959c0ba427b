//! `tessera relay simulate`: the door for outside audits of (ε, δ). Two worlds that differ in where one cell goes; a file a place, a line
//! a round.

use super::privacy::{Privacy, Relays};
use crate::failure::{Exit, Failure};
use crate::output::{self, Format};
use clap::ValueEnum;
use crypto::hash::Sha256;
use crypto::hex;
use mailbox::simulation::description::{Description, bucket_file, world_name};
use mailbox::simulation::{Load, Place, ROUNDS_MAX, ROUNDS_MIN, Setting, Simulation, View, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where the page about these flags stands.
const PAGE: &str = "docs/problems/relay/simulation.md";

/// The name of the description.
const DESCRIPTION: &str = "simulation.json";

/// Buckets where none are named, with more than one relay.
const BUCKETS: u16 = 4;

/// Flags of the verb.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rounds of each world; every round holds the target's one cell
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(ROUNDS_MIN..=ROUNDS_MAX))]
    rounds: u64,
    /// Clients, the target among them
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: u64,
    /// Buckets [default: 4; with one relay 1]
    #[arg(long)]
    buckets: Option<u16>,
    #[command(flatten)]
    relays: Relays,
    #[command(flatten)]
    privacy: Privacy,
    /// fixed:N real cells per bucket and round besides the target's, or binomial:P, the chance that another's cell is real
    #[arg(long, default_value = "fixed:10")]
    load: String,
    /// Where the target's cell goes in world A: null, bucket:N, or offline (full mode)
    #[arg(long, default_value = "null")]
    world_a: String,
    /// Where the target's cell goes in world B
    #[arg(long, default_value = "bucket:0")]
    world_b: String,
    /// Hops that the adversary holds, as 2,3 [default: all but hop 1]
    #[arg(long, value_delimiter = ',')]
    breached: Option<Vec<u8>>,
    /// What the adversary counts [default: count; with one relay unfilled]
    #[arg(long, value_enum)]
    view: Option<Seen>,
    /// counts: the hop's noise code alone
    #[arg(long, default_value = "counts")]
    engine: String,
    /// 64 hexadecimal digits that make the files reproducible [default: fresh]
    #[arg(long, value_name = "HEX")]
    seed: Option<String>,
    /// Make an earlier simulation in the folder again
    #[arg(long)]
    force: bool,
}

/// `--view`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Seen {
    /// Cells per place as the last hop sees them, less the covers of breached hops
    Count,
    /// The published bucket without its fill
    Unfilled,
    /// The published bucket
    Published,
}

/// Runs the verb.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let (simulation, warning) = prepared(args)?;
    if let Some(warning) = warning {
        eprint!("{warning}");
    }
    clear(&args.out, args.force)?;
    let description = write(&simulation, &args.out)?;
    let mut told = json!(description);
    told["files"] = json!(description.files.len());
    told["out"] = json!(args.out);
    output::print(format, &told);
    Ok(())
}

fn prepared(args: &Args) -> Result<(Simulation, Option<String>), Failure> {
    engine(&args.engine)?;
    let stated = args.privacy.stated(1)?;
    let cascade = args.relays.cascade()?;
    let setting = Setting {
        rounds: args.rounds,
        users: args.users,
        cascade,
        buckets: args.buckets.unwrap_or(if cascade.nodes() == 1 { 1 } else { BUCKETS }),
        budget: stated.budget,
        spending: stated.spending,
        noise_in_full: stated.given,
        load: load(&args.load)?,
        worlds: [place("--world-a", &args.world_a)?, place("--world-b", &args.world_b)?],
        breached: args.breached.clone(),
        view: args.view.map(|seen| match seen {
            Seen::Count => View::Count,
            Seen::Unfilled => View::Unfilled,
            Seen::Published => View::Published,
        }),
        seed: seed(args.seed.as_deref())?,
    };
    let simulation = Simulation::new(setting).map_err(|error| {
        usage("the simulation cannot be made", error.to_string(), "mend the flag that the cause is about")
    })?;
    Ok((simulation, stated.warning(&cascade)))
}

/// Writes both worlds and, last, the description: a folder without it is unfinished.
fn write(simulation: &Simulation, out: &Path) -> Result<Description, Failure> {
    let failed = |fault: io::Error| {
        Failure::start(
            format!("{} cannot be written", out.display()),
            fault,
            "check the folder's owner, mode and free space",
        )
    };
    let world = |world| write_world(simulation, world, out);
    // Independent randomness, independent files: one thread each.
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| world(World::A));
        (a.join(), world(World::B))
    });
    let a = a.map_err(|_| failed(io::Error::other("the writer of world A stopped")))?;
    let mut files = a.map_err(failed)?;
    files.extend(b.map_err(failed)?);
    let description = Description::of(simulation, env!("CARGO_PKG_VERSION"), files);
    let text = serde_json::to_string_pretty(&description).map_err(|fault| failed(fault.into()))?;
    fs::write(out.join(DESCRIPTION), format!("{text}\n")).map_err(failed)?;
    Ok(description)
}

fn write_world(simulation: &Simulation, world: World, out: &Path) -> io::Result<BTreeMap<String, String>> {
    let folder = world_name(world);
    fs::create_dir_all(out.join(folder))?;
    let open = |name: String| Series::create(out, format!("{folder}/{name}"));
    let mut buckets: Vec<Series> = (0..simulation.setting().buckets)
        .map(|bucket| open(bucket_file(bucket)))
        .collect::<io::Result<_>>()?;
    let (mut null, mut swap) = (open("null.txt".to_owned())?, open("swap.txt".to_owned())?);
    for row in simulation.world(world) {
        for (series, count) in buckets.iter_mut().zip(&row.buckets) {
            series.line(*count as i64)?;
        }
        null.line(row.null as i64)?;
        swap.line(row.swap)?;
    }
    buckets.into_iter().chain([null, swap]).map(Series::finish).collect()
}

/// One file of numbers, and the digest of what went into it.
struct Series {
    path: String,
    file: BufWriter<File>,
    digest: Sha256,
    line: Vec<u8>,
}

impl Series {
    fn create(out: &Path, path: String) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 16, File::create(out.join(&path))?);
        Ok(Self { path, file, digest: Sha256::new(), line: Vec::new() })
    }

    /// One decimal integer and a line feed.
    fn line(&mut self, number: i64) -> io::Result<()> {
        self.line.clear();
        writeln!(self.line, "{number}")?;
        self.digest.update(&self.line);
        self.file.write_all(&self.line)
    }

    fn finish(mut self) -> io::Result<(String, String)> {
        self.file.flush()?;
        Ok((self.path, hex::encode(&self.digest.finish())))
    }
}

/// Makes room: only what a simulation writes is ever removed.
fn clear(out: &Path, force: bool) -> Result<(), Failure> {
    let is_empty = fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    if !force {
        return Err(usage(
            format!("{} is not empty", out.display()),
            "an earlier result would be mixed with this one",
            "name another folder, or give --force",
        ));
    }
    let removed = [
        fs::remove_file(out.join(DESCRIPTION)),
        fs::remove_dir_all(out.join(world_name(World::A))),
        fs::remove_dir_all(out.join(world_name(World::B))),
    ];
    match removed.into_iter().filter_map(Result::err).find(|fault| fault.kind() != io::ErrorKind::NotFound) {
        Some(fault) => Err(Failure::start(
            format!("{} cannot be cleared", out.display()),
            fault,
            "check the folder's owner and mode",
        )),
        None => Ok(()),
    }
}

fn engine(text: &str) -> Result<(), Failure> {
    match text {
        "counts" => Ok(()),
        "cells" | "processes" => Err(usage(
            format!("--engine {text} does not run in this version"),
            "it needs whole hops; counts runs their noise code",
            "leave --engine out",
        )),
        other => Err(usage("--engine is unknown", format!("“{other}” is not counts"), "leave --engine out")),
    }
}

fn load(text: &str) -> Result<Load, Failure> {
    let parsed = match text.split_once(':') {
        Some(("fixed", cells)) => cells.parse().ok().map(Load::Fixed),
        Some(("binomial", chance)) => chance.parse().ok().map(Load::Binomial),
        _ => None,
    };
    parsed.ok_or_else(|| {
        usage("--load cannot be read", format!("“{text}” is no load"), "give fixed:10 or binomial:0.05")
    })
}

fn place(flag: &str, text: &str) -> Result<Place, Failure> {
    let parsed = match text {
        "null" => Some(Place::Null),
        "offline" => Some(Place::Offline),
        other => other.strip_prefix("bucket:").and_then(|number| number.parse().ok()).map(Place::Bucket),
    };
    parsed.ok_or_else(|| {
        usage(format!("{flag} cannot be read"), format!("“{text}” is no place"), "give null or bucket:0")
    })
}

fn seed(text: Option<&str>) -> Result<[u8; 32], Failure> {
    let Some(text) = text else { return Ok(crypto::random::array()) };
    let bytes = hex::decode(&text.to_lowercase()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        usage("--seed cannot be read", "it is not 64 hexadecimal digits", "leave it out for a fresh one")
    })
}

fn usage(what: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Failure {
    let mut failure = Failure::new(Exit::Usage, what, cause, fix).code("relay/simulation");
    failure.page = Some(PAGE.into());
    failure
}
