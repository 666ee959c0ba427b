//! The guard: what this instance has signed, kept apart from the database and from its backups.
//!
//! ```text
//! sign ──▶ Guard::advance (compare, append, one fsync for all logs of a tick) ──▶ checkpoint row ──▶ serve
//! ```
//!
//! A database restored from an older backup knows less than the guard, and that is how a rollback is found. The guard is
//! one append-only file of checksummed records, the last of each origin counts. A crash in the middle of an append leaves
//! a torn last record, which is dropped: nothing signed with it was ever served. A damaged record anywhere else is a
//! fault, and so is a second process.
//!
//! Invariants: the size of an origin never falls; two roots for one size never stand; nothing is acked before its fsync.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use crypto::hash::{self, sha256};
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;
use tlog::merkle::Hash;
use tlog::note::NOTE_BYTES_MAX;

/// First bytes of the file: what it is, and in which version.
const MAGIC: &[u8] = b"tessera guard 1\n";

/// Name of the record file within the guard's folder.
const RECORDS: &str = "guard.log";

/// Name under which the next record file is made.
const NEXT: &str = "guard.log.next";

/// Name of the lock file within the guard's folder.
const LOCK: &str = "guard.lock";

/// Bytes of checksum behind a record.
const CHECKSUM_BYTES: usize = 16;

/// Longest origin: it is a key name and stands behind one length byte in what ML-DSA-44 signs.
const ORIGIN_BYTES_MAX: usize = 255;

/// Longest record body: origin with its length, size, root, and a note.
const BODY_BYTES_MAX: usize = 2 + ORIGIN_BYTES_MAX + 8 + 32 + NOTE_BYTES_MAX;

/// The file is rewritten with only the last record of each origin when it is past this and twice what must be kept:
/// small enough to be read at a start in a blink, large enough that rewriting is rare.
const GROWTH_BYTES_MAX: u64 = 4 << 20;

/// What the guard holds for one origin: the newest that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The signed note; empty while nothing was signed.
    pub note: Vec<u8>,
}

/// A wish to move one origin on.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Whose.
    pub origin: String,
    /// The size that the guard must hold now; `None` if it must not know the origin.
    pub expected: Option<u64>,
    /// What it shall hold.
    pub next: Held,
}

/// What became of an [`Advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Durable.
    Taken,
    /// The guard held something else, or the step would go back or contradict; nothing was written for it.
    Lost,
}

/// Why the guard cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GuardFault {
    /// The folder or a file in it cannot be made, read or written.
    #[error("the guard in {path} cannot be used: {cause}")]
    Folder {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Another process holds it.
    #[error("the guard in {path} is in use by another process")]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// A record that is not the last one does not fit its checksum, or the file is none of ours.
    #[error("the guard in {path} is damaged at byte {offset}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// An earlier fsync failed: what the disk holds is unknown, so nothing more is signed in this process.
    #[error("the guard failed to make a record durable; the process must be started again")]
    Poisoned,
}

/// The guard of one instance. Held open, and locked, as long as the process runs.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
    state: Mutex<State>,
    /// The lock ends with the file.
    _lock: File,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Bytes of the file that are whole records; what follows them is overwritten.
    length: u64,
    held: BTreeMap<String, Held>,
    poisoned: bool,
}

impl Guard {
    /// Opens the guard in `folder`, making it on a first run; a torn last record is dropped.
    pub fn open(folder: &Path) -> Result<Guard, GuardFault> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|fault| unusable(folder, &fault))?;
        let lock_path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(|fault| unusable(&lock_path, &fault))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| GuardFault::InUse { path: folder.to_owned() })?;
        let path = folder.join(RECORDS);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => file.read_to_end(&mut bytes).map_err(|fault| unusable(&path, &fault))?,
            Err(fault) if fault.kind() == ErrorKind::NotFound => 0,
            Err(fault) => return Err(unusable(&path, &fault)),
        };
        let held = match bytes.is_empty() {
            true => BTreeMap::new(),
            false => read_records(&bytes).map_err(|offset| GuardFault::Damaged { path, offset })?,
        };
        let (file, length) = next_file(folder, &held).map_err(|fault| unusable(folder, &fault))?;
        sync_name(folder).map_err(|fault| unusable(folder, &fault))?;
        let state = State { file, length, held, poisoned: false };
        Ok(Guard { folder: folder.to_owned(), state: Mutex::new(state), _lock: lock })
    }

    /// What the guard holds for an origin.
    pub fn held(&self, origin: &str) -> Option<Held> {
        self.state().held.get(origin).cloned()
    }

    /// Every origin that the guard knows, with its size.
    pub fn origins(&self) -> Vec<(String, u64)> {
        self.state().held.iter().map(|(origin, held)| (origin.clone(), held.size)).collect()
    }

    /// Moves origins on, all with one fsync. Blocking; a verdict for each step, in order.
    pub fn advance(&self, steps: Vec<Advance>) -> Result<Vec<Verdict>, GuardFault> {
        let mut state = self.state();
        if state.poisoned {
            return Err(GuardFault::Poisoned);
        }
        let mut taken: BTreeMap<String, Held> = BTreeMap::new();
        let mut verdicts = Vec::with_capacity(steps.len());
        let mut bytes = Vec::new();
        for step in steps {
            let current = taken.get(&step.origin).or_else(|| state.held.get(&step.origin));
            if !accepts(current, &step) {
                verdicts.push(Verdict::Lost);
                continue;
            }
            push_record(&mut bytes, &step.origin, &step.next);
            taken.insert(step.origin, step.next);
            verdicts.push(Verdict::Taken);
        }
        if !bytes.is_empty() {
            state.append(&bytes).map_err(|fault| unusable(&self.folder, &fault))?;
            state.held.extend(taken);
            state.compact(&self.folder).map_err(|fault| unusable(&self.folder, &fault))?;
        }
        Ok(verdicts)
    }

    /// Whether an fsync failed, so that nothing more can be signed.
    pub fn is_poisoned(&self) -> bool {
        self.state().poisoned
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves whole values behind: every field is replaced in one move.
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl State {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        // An earlier append that failed half-way is overwritten: the disk may have been full for a while.
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(fault) = self.file.write_all(bytes) {
            // Best effort: a rest that stays is a torn record, and dropped at the next start.
            let _ = self.file.set_len(self.length);
            return Err(fault);
        }
        if let Err(fault) = self.file.sync_data() {
            self.poisoned = true;
            return Err(fault);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Rewrites the file when it has grown. A disk that has no room for a second file leaves the first one as it is.
    fn compact(&mut self, folder: &Path) -> std::io::Result<()> {
        if self.length <= GROWTH_BYTES_MAX || self.length <= 2 * encoded(&self.held).len() as u64 {
            return Ok(());
        }
        match next_file(folder, &self.held) {
            Ok((file, length)) => (self.file, self.length) = (file, length),
            Err(fault) => {
                tracing::warn!(%fault, "the guard could not be rewritten: it grows on");
                return Ok(());
            }
        }
        // Both names hold every record, so a crash here loses nothing; but what comes next must not go to a nameless file.
        let named = sync_name(folder);
        self.poisoned |= named.is_err();
        named
    }
}

/// Whether a step fits what the guard holds: the decision behind "never sign below, or inconsistent with, the guard".
fn accepts(current: Option<&Held>, step: &Advance) -> bool {
    if step.expected != current.map(|held| held.size)
        || step.origin.len() > ORIGIN_BYTES_MAX
        || step.next.note.len() > NOTE_BYTES_MAX
    {
        return false;
    }
    current.is_none_or(|held| {
        step.next.size > held.size || (step.next.size == held.size && step.next.root == held.root)
    })
}

/// Makes a file with the last record of each origin, durable, and puts it in the place of the old one.
fn next_file(folder: &Path, held: &BTreeMap<String, Held>) -> std::io::Result<(File, u64)> {
    let (next, path) = (folder.join(NEXT), folder.join(RECORDS));
    let bytes = encoded(held);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&next, &path)?;
    Ok((file, bytes.len() as u64))
}

/// Makes the name of the record file durable.
fn sync_name(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn encoded(held: &BTreeMap<String, Held>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    held.iter().for_each(|(origin, held)| push_record(&mut bytes, origin, held));
    bytes
}

/// `be32(body bytes) ‖ body ‖ SHA256(body)[:16]`; body is `be16(origin bytes) ‖ origin ‖ be64(size) ‖ root ‖ note`.
fn push_record(bytes: &mut Vec<u8>, origin: &str, held: &Held) {
    let mut body = Vec::with_capacity(origin.len() + held.note.len() + 42);
    body.extend_from_slice(&(origin.len() as u16).to_be_bytes());
    body.extend_from_slice(origin.as_bytes());
    body.extend_from_slice(&held.size.to_be_bytes());
    body.extend_from_slice(&held.root);
    body.extend_from_slice(&held.note);
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&sha256(&body)[..CHECKSUM_BYTES]);
}

/// The last record of each origin; a torn last record is dropped. `Err` is the offset of the damage.
fn read_records(bytes: &[u8]) -> Result<BTreeMap<String, Held>, u64> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(0_u64)?;
    let mut held = BTreeMap::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let offset = (bytes.len() - rest.len()) as u64;
        let length = u32::from_be_bytes(*length) as usize;
        let Some((record, after)) = after.split_at_checked(length.saturating_add(CHECKSUM_BYTES)) else {
            // Cut short: torn, if a length like this can have been written at all.
            return if length <= BODY_BYTES_MAX { Ok(held) } else { Err(offset) };
        };
        let (body, checksum) = record.split_at(length);
        if !hash::equal(&sha256(body)[..CHECKSUM_BYTES], checksum) {
            return if after.is_empty() { Ok(held) } else { Err(offset) };
        }
        let (origin, newest) = read_body(body).ok_or(offset)?;
        held.insert(origin, newest);
        rest = after;
    }
    Ok(held)
}

fn read_body(body: &[u8]) -> Option<(String, Held)> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (origin, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (root, note) = rest.split_first_chunk::<32>()?;
    let origin = std::str::from_utf8(origin).ok()?.to_owned();
    Some((origin, Held { size: u64::from_be_bytes(*size), root: *root, note: note.to_vec() }))
}

fn unusable(path: &Path, fault: &std::io::Error) -> GuardFault {
    GuardFault::Folder { path: path.to_owned(), cause: fault.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "house.example/log/t/acme";

    fn held(size: u64, fill: u8) -> Held {
        Held { size, root: [fill; 32], note: vec![fill; 100] }
    }

    fn step(expected: Option<u64>, next: Held) -> Vec<Advance> {
        vec![Advance { origin: ORIGIN.to_owned(), expected, next }]
    }

    #[test]
    fn what_was_taken_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        assert_eq!(guard.held(ORIGIN), None);
        assert_eq!(guard.advance(step(None, held(0, 0))).unwrap(), [Verdict::Taken]);
        assert_eq!(guard.advance(step(Some(0), held(3, 1))).unwrap(), [Verdict::Taken]);
        drop(guard);
        assert_eq!(Guard::open(folder.path()).unwrap().held(ORIGIN), Some(held(3, 1)));
    }

    #[test]
    fn a_step_back_or_to_another_root_or_from_another_size_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        guard.advance(step(None, held(5, 1))).unwrap();
        for (expected, next) in
            [(Some(5), held(4, 1)), (Some(5), held(5, 2)), (Some(4), held(6, 2)), (None, held(6, 2))]
        {
            assert_eq!(guard.advance(step(expected, next)).unwrap(), [Verdict::Lost]);
        }
        assert_eq!(guard.advance(step(Some(5), held(5, 1))).unwrap(), [Verdict::Taken]);
        assert_eq!(guard.held(ORIGIN), Some(held(5, 1)));
    }

    #[test]
    fn two_sizes_from_one_place_give_one_winner() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        guard.advance(step(None, held(0, 0))).unwrap();
        let both = [step(Some(0), held(6, 1)), step(Some(0), held(7, 2))].concat();
        assert_eq!(guard.advance(both).unwrap(), [Verdict::Taken, Verdict::Lost]);
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        let refused = Guard::open(folder.path()).unwrap_err();
        assert_eq!(refused, GuardFault::InUse { path: folder.path().to_owned() });
        drop(guard);
        Guard::open(folder.path()).unwrap();
    }

    #[test]
    fn a_torn_last_record_is_dropped_at_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        guard.advance(step(None, held(3, 1))).unwrap();
        let before = fs::metadata(folder.path().join(RECORDS)).unwrap().len();
        guard.advance(step(Some(3), held(9, 2))).unwrap();
        drop(guard);
        let whole = fs::read(folder.path().join(RECORDS)).unwrap();
        for cut in before as usize..whole.len() {
            fs::write(folder.path().join(RECORDS), &whole[..cut]).unwrap();
            assert_eq!(Guard::open(folder.path()).unwrap().held(ORIGIN), Some(held(3, 1)), "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_record_before_the_last_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        guard.advance(step(None, held(3, 1))).unwrap();
        guard.advance(step(Some(3), held(9, 2))).unwrap();
        drop(guard);
        let path = folder.path().join(RECORDS);
        let mut bytes = fs::read(&path).unwrap();
        bytes[MAGIC.len() + 40] ^= 1;
        fs::write(&path, bytes).unwrap();
        let offset = MAGIC.len() as u64;
        assert_eq!(
            Guard::open(folder.path()).unwrap_err(),
            GuardFault::Damaged { path: path.clone(), offset }
        );
        fs::write(&path, b"something else").unwrap();
        assert_eq!(Guard::open(folder.path()).unwrap_err(), GuardFault::Damaged { path, offset: 0 });
    }

    #[test]
    fn nobody_else_reads_the_folder_or_its_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/guard");
        let _guard = Guard::open(&place).unwrap();
        for path in [place.clone(), place.join(RECORDS), place.join(LOCK)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
    }

    #[test]
    fn a_place_below_a_file_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        let place = file.join("guard");
        assert!(matches!(Guard::open(&place), Err(GuardFault::Folder { path, .. }) if path == place));
    }

    #[test]
    fn the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::open(folder.path()).unwrap();
        let large = |size| Held { size, root: [1; 32], note: vec![b'x'; NOTE_BYTES_MAX] };
        guard.advance(step(None, large(0))).unwrap();
        for size in 0..200 {
            guard.advance(step(Some(size), large(size + 1))).unwrap();
        }
        assert!(fs::metadata(folder.path().join(RECORDS)).unwrap().len() <= GROWTH_BYTES_MAX + (1 << 17));
        drop(guard);
        assert_eq!(Guard::open(folder.path()).unwrap().held(ORIGIN).map(|held| held.size), Some(200));
    }
}
