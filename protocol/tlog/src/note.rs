//! Signed notes (c2sp.org/signed-note), read strictly.
//!
//! `bytes → Note::parse → Note::verify(keys)`; and `Note::unsigned(text) → message_to_sign → (custody signs) →
//! Note::attach → encode`. Signing happens outside; nothing here holds a private key. A parsed note is only words:
//! whoever acts on one must have called [`Note::verify`].

use crate::vkey::is_key_name;
pub use crate::vkey::{
    KeyType, NAME_BYTES_MAX, SignatureFault, VKEY_BYTES_MAX, VerifierKey, VkeyFault, message_to_sign,
};
use crypto::base64::{std_decode, std_encode};
use std::fmt;

/// Longest note: a checkpoint with [`SIGNATURES_MAX`] lines of which half are ML-DSA-44 (3.3 kB each) has 55 kB.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Most signature lines; the text demands that at least 16 are taken.
pub const SIGNATURES_MAX: usize = 32;

/// Each signature line begins with an em dash and a space.
const LINE_START: &str = "— ";

/// Why bytes are no signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note is longer than 64 KiB")]
    TooLong,
    /// Not UTF-8, or a control character other than LF.
    #[error("the note has bytes that are not allowed in one")]
    Characters,
    /// No empty line between text and signatures, no signature line, or no LF at the end.
    #[error("the note has no signature part")]
    Shape,
    /// Line `line` of the signature part is not `— name base64`.
    #[error("signature line {line} is malformed")]
    Line {
        /// Number of the line among the signature lines, from 1.
        line: usize,
    },
    /// More than [`SIGNATURES_MAX`] signature lines.
    #[error("the note has more than 32 signatures")]
    TooMany,
}

/// Why a note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFault {
    /// A line that bears the name and id of a known key fails: the whole note is refused.
    #[error("the signature of {name} fails: {fault}")]
    KnownKeyFails {
        /// The key's name.
        name: String,
        /// What is wrong.
        fault: SignatureFault,
    },
    /// None of the known keys has signed.
    #[error("no known key has signed the note")]
    Unsigned,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// The key's name as the line states it.
    pub name: String,
    /// The key id as the line states it.
    pub key_id: [u8; 4],
    /// What follows the id: for timed types `be64(time)` first.
    pub signature: Vec<u8>,
}

/// A known key whose signature verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Place of the key in the list that was given.
    pub key: usize,
    /// The second that the signature states; `None` for plain Ed25519.
    pub time_s: Option<u64>,
}

/// A text and its signature lines, of which none has been checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<SignatureLine>,
}

impl Note {
    /// Reads a signed note; at least one signature line must be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteFault> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteFault::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteFault::Characters)?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteFault::Characters);
        }
        let split = whole.rfind("\n\n").ok_or(NoteFault::Shape)?;
        let (text, signatures) = (&whole[..=split], &whole[split + 2..]);
        let signatures = signatures.strip_suffix('\n').ok_or(NoteFault::Shape)?;
        let mut lines = Vec::new();
        for (line, number) in signatures.split('\n').zip(1..) {
            if number > SIGNATURES_MAX {
                return Err(NoteFault::TooMany);
            }
            lines.push(SignatureLine::parse(line).ok_or(NoteFault::Line { line: number })?);
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// A note that waits for its signatures; `text` must end in LF and hold no other control character.
    pub fn unsigned(text: String) -> Result<Self, NoteFault> {
        if text.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteFault::Characters);
        }
        if !text.ends_with('\n') {
            return Err(NoteFault::Shape);
        }
        Ok(Self { text, lines: Vec::new() })
    }

    /// Adds a signature made elsewhere over [`message_to_sign`] with the key's name and this second.
    ///
    /// It is verified first: a faulty signer must not get its fault published.
    pub fn attach(&mut self, key: &VerifierKey, time_s: u64, signature: &[u8]) -> Result<(), SignatureFault> {
        let mut bytes = Vec::new();
        if key.key_type().is_timed() {
            bytes.extend_from_slice(&time_s.to_be_bytes());
        }
        bytes.extend_from_slice(signature);
        key.verify(&self.text, &bytes)?;
        self.lines.push(SignatureLine { name: key.name().to_owned(), key_id: key.id(), signature: bytes });
        Ok(())
    }

    /// Checks every line of a known key; lines of unknown keys are ignored.
    ///
    /// Gives the known keys that have signed, each once, in the order of `keys`.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Signer>, VerifyFault> {
        let mut signers = Vec::new();
        for (key, place) in keys.iter().zip(0..) {
            let own = self.lines.iter().filter(|line| line.name == key.name() && line.key_id == key.id());
            let mut found = None;
            for line in own {
                let time_s = key.verify(&self.text, &line.signature);
                let fails = |fault| VerifyFault::KnownKeyFails { name: line.name.clone(), fault };
                found = Some(Signer { key: place, time_s: time_s.map_err(fails)? });
            }
            signers.extend(found);
        }
        if signers.is_empty() { Err(VerifyFault::Unsigned) } else { Ok(signers) }
    }

    /// The text with its last LF, without the empty line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in order.
    pub fn lines(&self) -> &[SignatureLine] {
        &self.lines
    }
}

impl fmt::Display for Note {
    /// The whole note, as it is served.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl SignatureLine {
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let bytes = std_decode(signature).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        let fits = is_key_name(name) && !signature.is_empty();
        fits.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "{LINE_START}{} {}", self.name, std_encode(&bytes))
    }
}
