//! The body: what a cell says, always 480 bytes.
//!
//! `version u8=1 ‖ kind u8 ‖ flags u16 ‖ seq u32 ‖ ack u32 ‖ ack_bits u32 ‖ message u32 ‖ fragment u16 ‖ fragments u16 ‖ length u16 ‖
//! payload 454`. Bytes after `length` are zero.

use crate::bytes::{Malformed, Reader, Writer};
use crypto::secret::Secret;
use zeroize::Zeroize;

/// Bytes of a body.
pub const BODY_BYTES: usize = 480;
/// Bytes of payload a body has room for.
pub const PAYLOAD_BYTES_MAX: usize = BODY_BYTES - HEADER_BYTES;
/// Cells of one message: 29,056 bytes are a long letter, and an hour of rounds.
pub const FRAGMENTS_MAX: u16 = 64;
/// Bytes before the payload.
const HEADER_BYTES: usize = 26;
/// The one version there is.
const VERSION: u8 = 1;

/// The sender has looked at every round so far, so that what its ack leaves out is missing.
pub const FLAG_ACK_SETTLED: u16 = 1;
/// The sender's person said that the codes agree.
pub const FLAG_CODES_AGREE: u16 = 2;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A fragment of a message.
    Data = 1,
    /// Nothing but an ack.
    Ack = 2,
    /// A fresh X-Wing key.
    RekeyPublic = 3,
    /// A ciphertext for that key.
    RekeyCiphertext = 4,
    /// Where the sender reads from the next epoch on.
    BucketSeed = 5,
    /// A third of a hello.
    Hello = 6,
    /// An answer to a hello, or to that answer.
    Confirm = 7,
    /// From oneself to oneself.
    Loop = 8,
}

/// A body's fields.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// What it is.
    pub kind: Kind,
    /// [`FLAG_ACK_SETTLED`], [`FLAG_CODES_AGREE`]; other bits are kept and mean nothing.
    pub flags: u16,
    /// Its number in this direction and class, from 1; 0 for what is never repeated.
    pub seq: u32,
    /// Every number up to this one has come.
    pub ack: u32,
    /// Bit i: number `ack + 2 + i` has come.
    pub ack_bits: u32,
    /// Number of the message.
    pub message: u32,
    /// Which part of it.
    pub fragment: u16,
    /// Of how many; 1 to [`FRAGMENTS_MAX`].
    pub fragments: u16,
    /// At most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// Why bytes are no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Not 480 bytes, or a length over 454.
    #[error("the body has another length")]
    Length,
    /// Of a version that this program does not know.
    #[error("the body is of version {0}")]
    Version(u8),
    /// Of an unknown kind.
    #[error("the body is of the unknown kind {0}")]
    Kind(u8),
    /// Fragment and count of fragments contradict each other, or the bound.
    #[error("a fragment out of its message")]
    Fragment,
    /// A byte after the payload is not zero.
    #[error("bytes after the payload")]
    Padding,
}

impl From<Malformed> for BodyFault {
    fn from(_: Malformed) -> Self {
        Self::Length
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::Data,
        Kind::Ack,
        Kind::RekeyPublic,
        Kind::RekeyCiphertext,
        Kind::BucketSeed,
        Kind::Hello,
        Kind::Confirm,
        Kind::Loop,
    ];

    /// The kind of a byte.
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl Body {
    /// An empty body of a kind: one fragment of one.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            flags: 0,
            seq: 0,
            ack: 0,
            ack_bits: 0,
            message: 0,
            fragment: 0,
            fragments: 1,
            payload: Vec::new(),
        }
    }

    /// The 480 bytes.
    ///
    /// # Panics
    /// With a payload over [`PAYLOAD_BYTES_MAX`]: callers cut it before.
    pub fn encode(&self) -> Secret<Vec<u8>> {
        assert!(self.payload.len() <= PAYLOAD_BYTES_MAX, "payloads are cut into fragments before");
        let length = u16::try_from(self.payload.len()).expect("it is at most 454");
        let mut writer = Writer::new();
        writer
            .u8(VERSION)
            .u8(self.kind as u8)
            .u16(self.flags)
            .u32(self.seq)
            .u32(self.ack)
            .u32(self.ack_bits)
            .u32(self.message)
            .u16(self.fragment)
            .u16(self.fragments)
            .u16(length)
            .raw(&self.payload)
            .raw(&[0; PAYLOAD_BYTES_MAX][self.payload.len()..]);
        Secret::new(writer.into_bytes())
    }

    /// Reads the 480 bytes.
    ///
    /// # Errors
    /// [`BodyFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyFault> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(BodyFault::Version(version));
        }
        let kind = reader.u8()?;
        let kind = Kind::of(kind).ok_or(BodyFault::Kind(kind))?;
        let (flags, seq) = (reader.u16()?, reader.u32()?);
        let (ack, ack_bits) = (reader.u32()?, reader.u32()?);
        let (message, fragment, fragments) = (reader.u32()?, reader.u16()?, reader.u16()?);
        let length = usize::from(reader.u16()?);
        let room: [u8; PAYLOAD_BYTES_MAX] = reader.array()?;
        reader.end()?;
        let (payload, padding) = room.split_at_checked(length).ok_or(BodyFault::Length)?;
        if fragments == 0 || fragments > FRAGMENTS_MAX || fragment >= fragments {
            return Err(BodyFault::Fragment);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(BodyFault::Padding);
        }
        let payload = payload.to_vec();
        Ok(Self { kind, flags, seq, ack, ack_bits, message, fragment, fragments, payload })
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.payload.zeroize();
    }
}

/// Names the kind and the size; never a byte of the payload.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?}, seq {}, {} bytes)", self.kind, self.seq, self.payload.len())
    }
}
