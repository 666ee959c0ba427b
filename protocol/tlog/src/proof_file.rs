//! Proof files (c2sp.org/tlog-proof@v1): that one event stands in a log, checked without a network.
//!
//! The `extra` line holds canonical CBOR `{0: entry, 1: salt, 2: detail}` (1 and 2 absent after erasure, or when
//! the reader has no right to them). It is not authenticated: [`ProofFile::verify`] recomputes leaf hash and
//! commitment from it, and only a [`Proven`] may be believed.

use crate::checkpoint::{OpenFault, SignedCheckpoint};
use crate::commitment::{DETAIL_BYTES_MAX, SaltedDetail};
use crate::entry::{ENTRY_BYTES_MAX, Entry, EntryFault};
use crate::merkle::{Hash, leaf_hash};
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::proof::{INCLUSION_HASHES_MAX, ProofFault, verify_inclusion};
use crate::tile::decimal;
use crypto::base64::{std_decode, std_encode};
use crypto::cbor::{self, CborLimits, Value};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Longest extra data: an entry, a salt and a detail, and their CBOR heads.
pub const EXTRA_BYTES_MAX: usize = ENTRY_BYTES_MAX + DETAIL_BYTES_MAX + 64;

/// Longest proof file: a note, 63 hashes, the extra data in base64, and the fixed words.
pub const PROOF_FILE_BYTES_MAX: usize =
    NOTE_BYTES_MAX + INCLUSION_HASHES_MAX * 45 + EXTRA_BYTES_MAX * 4 / 3 + 256;

const EXTRA_LIMITS: CborLimits = CborLimits { bytes_max: EXTRA_BYTES_MAX, depth_max: 2 };

/// A proof file, of which nothing has been checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Opaque, not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry in the log.
    pub index: u64,
    /// Inclusion path, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// The checkpoint note, verbatim.
    pub checkpoint: Vec<u8>,
}

/// What our proof files carry as extra data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// The entry's bytes, as they are hashed.
    pub entry: Vec<u8>,
    /// Salt and detail, unless erased or withheld.
    pub detail: Option<SaltedDetail>,
}

/// What a proof file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The entry.
    pub entry: Entry,
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The detail, if the file has it; it is the one that the entry committed to.
    pub detail: Option<Value>,
    /// The checkpoint under which it stands.
    pub checkpoint: SignedCheckpoint,
}

/// Why bytes are no proof file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileFault {
    /// Longer than [`PROOF_FILE_BYTES_MAX`].
    #[error("the file is longer than a proof can be")]
    TooLong,
    /// Not UTF-8, or the first line is another.
    #[error("the first line is not {FIRST_LINE}")]
    FirstLine,
    /// The `extra` line is not canonical base64, or too long.
    #[error("the extra line is malformed")]
    Extra,
    /// The `index` line is missing or malformed.
    #[error("the index line is malformed")]
    Index,
    /// A line of the path is not the base64 of 32 bytes, or there are more than 63.
    #[error("line {line} of the path is malformed")]
    Path {
        /// Number of the line in the path, from 1.
        line: usize,
    },
    /// No empty line before the checkpoint.
    #[error("there is no checkpoint after the path")]
    NoCheckpoint,
}

/// Why a proof file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofVerifyFault {
    /// The checkpoint is not believed.
    #[error("the checkpoint does not hold: {0}")]
    Checkpoint(#[from] OpenFault),
    /// There is no extra line, or it is not `{0: entry, 1: salt, 2: detail}`.
    #[error("the extra line holds no entry")]
    NoEntry,
    /// The entry in the extra line is malformed.
    #[error("the entry in the extra line is malformed: {0}")]
    Entry(#[from] EntryFault),
    /// The path does not lead from the entry to the root.
    #[error("entry {index} is not in the tree of the checkpoint: {fault}")]
    Inclusion {
        /// The index that the file states.
        index: u64,
        /// What is wrong.
        fault: ProofFault,
    },
    /// The detail is not the one that the entry committed to.
    #[error("the detail is not the one that entry {index} committed to")]
    Detail {
        /// The index that the file states.
        index: u64,
    },
}

impl ProofFile {
    /// Reads a proof file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileFault> {
        if bytes.len() > PROOF_FILE_BYTES_MAX {
            return Err(ProofFileFault::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ProofFileFault::FirstLine)?;
        let rest = text.strip_prefix(FIRST_LINE).and_then(|r| r.strip_prefix('\n'));
        let rest = rest.ok_or(ProofFileFault::FirstLine)?;
        let (extra, rest) = match rest.strip_prefix("extra ") {
            Some(rest) => {
                let (extra, rest) = rest.split_once('\n').ok_or(ProofFileFault::Extra)?;
                let extra = std_decode(extra).ok().filter(|extra| extra.len() <= EXTRA_BYTES_MAX);
                (Some(extra.ok_or(ProofFileFault::Extra)?), rest)
            }
            None => (None, rest),
        };
        let (index, rest) = rest.split_once('\n').ok_or(ProofFileFault::Index)?;
        let index = index.strip_prefix("index ").and_then(decimal).ok_or(ProofFileFault::Index)?;
        let (path, checkpoint) = match rest.strip_prefix('\n') {
            Some(checkpoint) => ("", checkpoint),
            None => rest.split_once("\n\n").ok_or(ProofFileFault::NoCheckpoint)?,
        };
        let path = parse_path(path)?;
        Ok(Self { extra, index, path, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// The text of the file; the checkpoint is written as it is.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text += &format!("extra {}\n", std_encode(extra));
        }
        text += &format!("index {}\n", self.index);
        for hash in &self.path {
            text += &format!("{}\n", std_encode(hash));
        }
        text += "\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Checks everything against the keys of the log: each must have signed the checkpoint.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Proven, ProofVerifyFault> {
        let extra = self.extra.as_deref().and_then(Extra::decode).ok_or(ProofVerifyFault::NoEntry)?;
        let checkpoint = SignedCheckpoint::open(&self.checkpoint, keys)?;
        let (leaf, index) = (leaf_hash(&extra.entry), self.index);
        let head = checkpoint.checkpoint();
        verify_inclusion(&leaf, index, head.size, &self.path, &head.root)
            .map_err(|fault| ProofVerifyFault::Inclusion { index, fault })?;
        let entry = Entry::decode(&extra.entry)?;
        let detail = match extra.detail {
            Some(salted) if !salted.fits(&entry.detail) => return Err(ProofVerifyFault::Detail { index }),
            Some(salted) => {
                let limits = CborLimits { bytes_max: DETAIL_BYTES_MAX, depth_max: 8 };
                Some(cbor::decode(&salted.detail, &limits).map_err(|_| ProofVerifyFault::Detail { index })?)
            }
            None => None,
        };
        Ok(Proven { entry, index, leaf, detail, checkpoint })
    }
}

fn parse_path(lines: &str) -> Result<Vec<Hash>, ProofFileFault> {
    let mut path = Vec::new();
    for (text, line) in lines.split('\n').filter(|_| !lines.is_empty()).zip(1..) {
        let hash = std_decode(text).ok().and_then(|hash| hash.try_into().ok());
        let fits = line <= INCLUSION_HASHES_MAX;
        path.push(hash.filter(|_| fits).ok_or(ProofFileFault::Path { line })?);
    }
    Ok(path)
}

impl Extra {
    /// Canonical CBOR for the extra line.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = vec![(Value::Uint(0), Value::Bytes(self.entry.clone()))];
        if let Some(salted) = &self.detail {
            map.push((Value::Uint(1), Value::bytes(salted.salt)));
            map.push((Value::Uint(2), Value::Bytes(salted.detail.clone())));
        }
        cbor::encode(&Value::Map(map))
    }

    /// Reads exactly what [`Extra::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value = cbor::decode(bytes, &EXTRA_LIMITS).ok()?;
        let field = |key: i64| value.get_int(key).map(Value::as_bytes);
        let entry = field(0)??.to_vec();
        let (detail, pairs) = match (field(1), field(2)) {
            (None, None) => (None, 1),
            (Some(salt), Some(detail)) => {
                (Some(SaltedDetail { salt: salt?.try_into().ok()?, detail: detail?.to_vec() }), 3)
            }
            _ => return None,
        };
        (value.as_map()?.len() == pairs).then_some(Self { entry, detail })
    }
}
