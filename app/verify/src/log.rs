//! `verify log`: recomputes a whole log from what its server shows.
//!
//! checkpoint (signed by every given key) → older checkpoints are not larger → every bundle, tile and root → each
//! older checkpoint again, by the root recomputed at its size **and** by a consistency proof from the tiles.

use crate::finding::Finding;
use crate::source::{FetchFault, Source};
use crate::walk::{Counts, Walk};
use std::collections::BTreeMap;
use tlog::checkpoint::{Checkpoint, OpenFault, SignedCheckpoint};
use tlog::merkle::Hash;
use tlog::note::{NOTE_BYTES_MAX, Note, VerifierKey};
use tlog::proof::{consistency_path, verify_consistency};
use tlog::tile::NodeReader;

/// What is to be checked, and against what.
pub struct LogRequest<'a> {
    /// Where the log is read from.
    pub source: &'a Source,
    /// Keys of the log, all of one name; each must have signed the served checkpoint.
    pub keys: &'a [VerifierKey],
    /// Older checkpoints that somebody kept.
    pub old: Vec<OldCheckpoint>,
    /// The checkpoint up to which the log was verified before: the walk goes on from there.
    pub state: Option<OldCheckpoint>,
}

/// An older checkpoint as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldCheckpoint {
    /// Where it comes from, as a file name.
    pub name: String,
    /// The signed note.
    pub note: Vec<u8>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Origin of the log.
    pub origin: String,
    /// The served checkpoint, if it could be believed.
    pub checkpoint: Option<SignedCheckpoint>,
    /// Size from which the walk went on.
    pub resumed_from: Option<u64>,
    /// What was read.
    pub counts: Counts,
    /// Each older checkpoint.
    pub old: Vec<OldReport>,
    /// The first fault found; `None` is the verdict *verified*.
    pub finding: Option<Finding>,
}

/// What came out for an older checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldReport {
    /// Where it comes from.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// Whether the root recomputed at that size is its root; `None` if the walk began later or did not get there.
    pub recomputed: Option<bool>,
    /// Whether a consistency proof from the tiles verifies; `None` if it was not tried.
    pub proof: Option<bool>,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No key, or keys of several logs.
    #[error("give the verifier keys of exactly one log")]
    Keys,
    /// An older checkpoint that no given key has signed.
    #[error("{name} is no checkpoint of this log: {fault}")]
    Old {
        /// Where it comes from.
        name: String,
        /// What is wrong.
        fault: OpenFault,
    },
    /// The log could not be read.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
}

/// Why a check ended early.
pub(crate) enum Stop {
    Finding(Finding),
    Fetch(FetchFault),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Finding(finding)
    }
}

impl From<FetchFault> for Stop {
    fn from(fault: FetchFault) -> Self {
        match fault {
            FetchFault::TooLong { path } => Self::Finding(Finding::TooLong { path }),
            other => Self::Fetch(other),
        }
    }
}

/// Checks a log. `progress` is called with entries done and entries in all, once per bundle.
pub fn log(request: &LogRequest<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<LogReport, LogError> {
    let origin = request.keys.first().ok_or(LogError::Keys)?.name();
    if request.keys.iter().any(|key| key.name() != origin) {
        return Err(LogError::Keys);
    }
    let mut known = Vec::new();
    for old in request.old.iter().chain(&request.state) {
        known.push(Known { name: old.name.clone(), checkpoint: open_old(old, request.keys)? });
    }
    let state = request.state.as_ref().and(known.last()).map(|state| state.checkpoint.clone());
    let old_count = request.old.len();
    let mut report = LogReport {
        origin: origin.to_owned(),
        checkpoint: None,
        resumed_from: None,
        counts: Counts::default(),
        old: known.iter().take(old_count).map(Known::unchecked).collect(),
        finding: None,
    };
    match check(request, &known, state.as_ref(), &mut report, progress) {
        Ok(()) => Ok(report),
        Err(Stop::Finding(finding)) => Ok(LogReport { finding: Some(finding), ..report }),
        Err(Stop::Fetch(fault)) => Err(fault.into()),
    }
}

/// An older checkpoint whose signature was checked.
struct Known {
    name: String,
    checkpoint: Checkpoint,
}

impl Known {
    fn unchecked(&self) -> OldReport {
        OldReport { name: self.name.clone(), size: self.checkpoint.size, recomputed: None, proof: None }
    }
}

/// One signature of a given key is enough here: keys come and go over the years of a log.
fn open_old(old: &OldCheckpoint, keys: &[VerifierKey]) -> Result<Checkpoint, LogError> {
    let fault = |fault: OpenFault| LogError::Old { name: old.name.clone(), fault };
    let note = Note::parse(&old.note).map_err(|f| fault(f.into()))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|f| fault(f.into()))?;
    if let Some(key) = keys.iter().find(|key| key.name() != checkpoint.origin) {
        return Err(fault(OpenFault::Origin { wanted: key.name().to_owned(), found: checkpoint.origin }));
    }
    note.verify(keys).map_err(|f| fault(f.into()))?;
    Ok(checkpoint)
}

fn check(
    request: &LogRequest<'_>,
    known: &[Known],
    state: Option<&Checkpoint>,
    report: &mut LogReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Stop> {
    let bytes = request.source.fetch("checkpoint", NOTE_BYTES_MAX)?;
    let signed = SignedCheckpoint::open(&bytes, request.keys).map_err(Finding::Checkpoint)?;
    let head = signed.checkpoint().clone();
    report.checkpoint = Some(signed);
    if let Some(larger) =
        known.iter().filter(|old| old.checkpoint.size > head.size).max_by_key(|o| o.checkpoint.size)
    {
        let (name, was) = (larger.name.clone(), larger.checkpoint.size);
        return Err(Finding::Shrunk { name, was, size: head.size }.into());
    }
    if let Some(other) =
        known.iter().find(|old| old.checkpoint.size == head.size && old.checkpoint.root != head.root)
    {
        return Err(Finding::Forked { name: other.name.clone(), was: head.size }.into()); // two signed roots for one size
    }
    let mut walk = Walk::new(request.source, head.size, known.iter().map(|old| old.checkpoint.size));
    let outcome = recompute(&mut walk, &head, known, state, report, progress);
    report.counts = walk.counts;
    let roots = std::mem::take(&mut walk.roots);
    for (old, entry) in known.iter().zip(&mut report.old) {
        entry.recomputed = recomputed(&roots, &old.checkpoint);
    }
    outcome?;
    for (old, place) in known.iter().zip(0..report.old.len()) {
        let holds = proof_holds(&mut walk, &old.checkpoint, &head)?;
        report.old[place].proof = Some(holds);
        if !holds {
            return Err(Finding::Inconsistent { name: old.name.clone(), was: old.checkpoint.size }.into());
        }
    }
    report.counts = walk.counts;
    Ok(())
}

/// Walks from the state, or from the first entry, and compares every root that is known.
fn recompute(
    walk: &mut Walk<'_>,
    head: &Checkpoint,
    known: &[Known],
    state: Option<&Checkpoint>,
    report: &mut LogReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Stop> {
    if let Some(state) = state.filter(|state| state.size > 0) {
        if !walk.resume(state.size, &state.root)? {
            let name = known.last().map(|old| old.name.clone()).unwrap_or_default();
            return Err(Finding::Forked { name, was: state.size }.into());
        }
        report.resumed_from = Some(state.size);
    }
    let computed = walk.run(progress)?;
    let forked = known.iter().filter(|old| recomputed(&walk.roots, &old.checkpoint) == Some(false));
    let forked = forked.min_by_key(|old| old.checkpoint.size);
    if computed != head.root {
        let agreeing = known.iter().filter(|old| recomputed(&walk.roots, &old.checkpoint) == Some(true));
        let after = agreeing.map(|old| old.checkpoint.size).max().unwrap_or_default();
        let before = forked.map_or(head.size, |old| old.checkpoint.size);
        return Err(Finding::Root { computed, signed: head.root, after, before }.into());
    }
    match forked {
        Some(old) => Err(Finding::Forked { name: old.name.clone(), was: old.checkpoint.size }.into()),
        None => Ok(()),
    }
}

/// Whether the root at that size is the old one; `None` if the walk did not pass it.
fn recomputed(roots: &BTreeMap<u64, Option<Hash>>, old: &Checkpoint) -> Option<bool> {
    roots.get(&old.size).copied().flatten().map(|root| root == old.root)
}

fn proof_holds(walk: &mut Walk<'_>, old: &Checkpoint, head: &Checkpoint) -> Result<bool, Stop> {
    let mut stopped = None;
    let mut reader = NodeReader::new(head.size, |path| {
        let tlog::tile::Level::Hashes(level) = path.level else { return None };
        walk.tile(level, path.n).map_err(|stop| stopped = Some(stop)).ok()
    });
    let path = consistency_path(old.size, head.size, |height, index| reader.node(height, index));
    if let Some(stop) = stopped {
        return Err(stop);
    }
    let Ok(path) = path else { return Ok(false) };
    Ok(verify_consistency(old.size, head.size, &path, &old.root, &head.root).is_ok())
}
