//! `simulation.json`: what a folder of counts states about itself, so that a stranger can judge it without us.

use super::{Load, Place, Simulation, View, World};
use crate::budget::plan::Topology;
use crate::cover::Mechanism;
use crypto::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the format.
pub const SCHEMA: &str = "tessera.relay-simulation/1";

/// The largest `simulation.json`: 2·(256 + 2) files with their digests are some 50 kB.
pub const BYTES_MAX: usize = 1 << 17;

/// The members of `simulation.json`, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of the program that wrote it.
    pub version: String,
    /// Lines of every file.
    pub rounds: u64,
    /// Relays.
    pub nodes: u8,
    /// `ring` or `mesh`.
    pub topology: String,
    /// k.
    pub hops: u8,
    /// The adversary's hops.
    pub breached: Vec<u8>,
    /// `count`, `unfilled` or `published`.
    pub view: String,
    /// `counts`: the hop's noise code alone.
    pub engine: String,
    /// Clients.
    pub users: u64,
    /// B.
    pub buckets: u16,
    /// As on the command line: `fixed:10` or `binomial:0.05`.
    pub load: String,
    /// Real cells per bucket and round besides the target's, where that is one number.
    pub fixed_load: Option<u64>,
    /// The target's place in world A.
    pub world_a: String,
    /// The target's place in world B.
    pub world_b: String,
    /// Where the randomness came from; with it the files can be made again.
    pub seed: String,
    /// What each hop draws; none in full mode without covers.
    pub mechanism: Option<StatedMechanism>,
    /// Hops whose covers are in the counts.
    pub noise_hops: usize,
    /// What is promised.
    pub claim: Claim,
    /// What one event costs exactly.
    pub event: Event,
    /// SHA-256 of every file, by its path.
    pub files: BTreeMap<String, String>,
}

/// A mechanism as stated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatedMechanism {
    /// The law.
    #[serde(flatten)]
    pub law: Mechanism,
    /// c.
    pub shift: u32,
    /// Covers are never fewer than this.
    pub clamp: u32,
}

/// (ε, δ) over T events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// ε.
    pub epsilon: f64,
    /// δ.
    pub delta: f64,
    /// T.
    pub events: u64,
}

/// The exact hockey-stick ε of one event at the claim's δ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Of one file.
    pub bucket: Loss,
    /// Of the pair of files.
    pub joint: Loss,
}

/// A loss at a δ; no ε where none is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Rounded up to nine places.
    pub epsilon: Option<f64>,
    /// The claim's.
    pub delta: f64,
}

/// Why bytes are not a description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// Over [`BYTES_MAX`].
    #[error("larger than {BYTES_MAX} bytes")]
    Size,
    /// Not this JSON; the reader's own words.
    #[error("not a description: {0}")]
    Json(String),
    /// Another format, or a later version of this one.
    #[error("the schema is not {SCHEMA}")]
    Schema,
    /// A path that leaves the folder, or a digest that is none.
    #[error("“{0}” is not a file of a simulation")]
    File(String),
}

impl Description {
    /// Of a simulation whose files have been written.
    pub fn of(simulation: &Simulation, version: &str, files: BTreeMap<String, String>) -> Self {
        let setting = simulation.setting();
        let (epsilon, delta) = simulation.claim();
        let loss = |epsilon: Option<f64>| Loss { epsilon: epsilon.map(rounded_up), delta };
        let event = simulation.event_loss(delta);
        Self {
            schema: SCHEMA.to_owned(),
            version: version.to_owned(),
            rounds: setting.rounds,
            nodes: setting.cascade.nodes(),
            topology: topology_name(setting.cascade.topology()).to_owned(),
            hops: setting.cascade.hops(),
            breached: simulation.breached().to_vec(),
            view: view_name(simulation.view()).to_owned(),
            engine: "counts".to_owned(),
            users: setting.users,
            buckets: setting.buckets,
            load: load_name(setting.load),
            fixed_load: match setting.load {
                Load::Fixed(cells) => Some(cells),
                Load::Binomial(_) => None,
            },
            world_a: place_name(setting.worlds[0]),
            world_b: place_name(setting.worlds[1]),
            seed: hex::encode(&setting.seed),
            mechanism: simulation.cover().map(|cover| StatedMechanism {
                law: cover.mechanism(),
                shift: cover.shift(),
                clamp: 0,
            }),
            noise_hops: simulation.noise_hops(),
            claim: Claim { epsilon, delta, events: setting.budget.events() },
            event: Event { bucket: loss(event.bucket), joint: loss(event.joint) },
            files,
        }
    }

    /// Reads a description that somebody hands over, bounded.
    ///
    /// # Errors
    /// [`DescriptionError`] says what is wrong with the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptionError> {
        if bytes.len() > BYTES_MAX {
            return Err(DescriptionError::Size);
        }
        let read: Self =
            serde_json::from_slice(bytes).map_err(|fault| DescriptionError::Json(fault.to_string()))?;
        if read.schema != SCHEMA {
            return Err(DescriptionError::Schema);
        }
        let is_file = |path: &str, digest: &str| {
            let known = path.strip_prefix("world-a/").or_else(|| path.strip_prefix("world-b/"));
            let known = known.and_then(|name| name.strip_suffix(".txt"));
            let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            known.is_some_and(|name| !name.is_empty() && plain(name))
                && hex::decode(digest).is_ok_and(|digest| digest.len() == 32)
        };
        match read.files.iter().find(|(path, digest)| !is_file(path, digest)) {
            Some((path, _)) => Err(DescriptionError::File(path.clone())),
            None => Ok(read),
        }
    }
}

/// The folder of a world.
pub fn world_name(world: World) -> &'static str {
    match world {
        World::A => "world-a",
        World::B => "world-b",
    }
}

/// The file of a bucket.
pub fn bucket_file(bucket: u16) -> String {
    format!("bucket-{bucket:04}.txt")
}

/// `null`, `offline` or `bucket:N`.
pub fn place_name(place: Place) -> String {
    match place {
        Place::Null => "null".to_owned(),
        Place::Offline => "offline".to_owned(),
        Place::Bucket(bucket) => format!("bucket:{bucket}"),
    }
}

/// `ring` or `mesh`.
pub fn topology_name(topology: Topology) -> &'static str {
    match topology {
        Topology::Ring => "ring",
        Topology::Mesh => "mesh",
    }
}

fn view_name(view: View) -> &'static str {
    match view {
        View::Count => "count",
        View::Unfilled => "unfilled",
        View::Published => "published",
    }
}

fn load_name(load: Load) -> String {
    match load {
        Load::Fixed(cells) => format!("fixed:{cells}"),
        Load::Binomial(chance) => format!("binomial:{chance}"),
    }
}

fn rounded_up(epsilon: f64) -> f64 {
    (epsilon * 1e9).ceil() / 1e9
}
