//! Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root as the text of a signed note.
//!
//! Exactly three lines; extension lines are refused, because no monitor could check them and ML-DSA-44 signatures do
//! not cover them. [`Checkpoint`] is plain words; [`SignedCheckpoint`] exists only after its signatures verified.

use crate::merkle::{Hash, SIZE_MAX};
use crate::note::{Note, NoteFault, Signer, VerifierKey, VerifyFault};
use crate::tile::decimal;
use crypto::base64::{std_decode, std_encode};

/// The head of a log: what it promises about its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The identity of the log, as `host/log/t/acme`.
    pub origin: String,
    /// Number of entries, below 2^63.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// Not exactly three lines, each ended by LF.
    #[error("a checkpoint has exactly three lines")]
    Lines,
    /// The origin is empty or holds a control character.
    #[error("the origin of the checkpoint is malformed")]
    Origin,
    /// The size is no plain decimal below 2^63.
    #[error("the size of the checkpoint is malformed")]
    Size,
    /// The root is not the canonical base64 of 32 bytes.
    #[error("the root of the checkpoint is malformed")]
    Root,
}

/// Why a signed checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenFault {
    /// The bytes are no note.
    #[error(transparent)]
    Note(#[from] NoteFault),
    /// Its text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    /// It is a checkpoint of another log.
    #[error("it is a checkpoint of {found}, not of {wanted}")]
    Origin {
        /// The origin that the keys stand for.
        wanted: String,
        /// The origin in the note.
        found: String,
    },
    /// A signature of a known key fails, or none is there.
    #[error(transparent)]
    Signature(#[from] VerifyFault),
    /// One of the given keys has not signed.
    #[error("the key {name} of type {type_byte:#04x} has not signed it")]
    Missing {
        /// The key's name.
        name: String,
        /// Its signature type.
        type_byte: u8,
    },
    /// No key was given to check with.
    #[error("there is no key to check it with")]
    NoKey,
}

impl Checkpoint {
    /// Parses the text of a note.
    pub fn parse(text: &str) -> Result<Self, CheckpointFault> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointFault::Lines)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointFault::Lines);
        };
        if origin.is_empty() || origin.chars().any(|c| c < ' ') {
            return Err(CheckpointFault::Origin);
        }
        let size = decimal(size).filter(|size| *size <= SIZE_MAX).ok_or(CheckpointFault::Size)?;
        let root =
            std_decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointFault::Root)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The text of the note, with its last LF.
    pub fn encode(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, std_encode(&self.root))
    }
}

/// A checkpoint that every given key of its log has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    signers: Vec<Signer>,
}

impl SignedCheckpoint {
    /// Reads a checkpoint and checks it with the keys of one log; *each* of them must have signed.
    ///
    /// Whoever holds the ML-DSA-44 key of a log is thus not satisfied by a note from which that line was stripped.
    pub fn open(bytes: &[u8], keys: &[VerifierKey]) -> Result<Self, OpenFault> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if keys.is_empty() {
            return Err(OpenFault::NoKey);
        }
        if let Some(other) = keys.iter().find(|key| key.name() != checkpoint.origin) {
            let (wanted, found) = (other.name().to_owned(), checkpoint.origin);
            return Err(OpenFault::Origin { wanted, found });
        }
        let signers = note.verify(keys)?;
        if let Some(silent) = (0..keys.len()).find(|place| signers.iter().all(|s| s.key != *place)) {
            let key = &keys[silent];
            return Err(OpenFault::Missing { name: key.name().to_owned(), type_byte: key.key_type().byte() });
        }
        Ok(Self { checkpoint, note, signers })
    }

    /// Origin, size and root.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note as it came.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Who signed, in the order of the keys that were given.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}
