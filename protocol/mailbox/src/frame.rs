//! Frames of the link between a client and its relay: `type u8 ‖ class u8 ‖ number u16 ‖ body`, each of exactly one length.
//!
//! ```text
//! client ─ HELLO ─▶ relay ─ WELCOME ─▶ client            once
//! client ─ TURN ──▶ relay ─ TURNED ──▶ client            each round; `number` counts the turns of a server
//!                   relay ─ ROUND, BUCKET ─▶ client      each round; `number` counts the parts that still follow
//! either ─ CLOSE ─▶                                      and the socket closes
//! ```
//!
//! Invariants: a frame's length follows from its type and from public sizes; a body longer than a frame is cut into parts that
//! are all full but the last; nothing in a frame says whether a cell is real.

use tlog::merkle::Hash;

use crate::bytes::{Malformed, Reader};
use crate::network::{BUCKETS_MAX, CELLS_MAX, Class, NetworkId};
use crate::statement::{INDEX_BYTES, ROW_BYTES, SignedRound};

/// Version of the link.
pub const VERSION: u8 = 1;
/// Bytes of a frame, its head included.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes of the head.
pub const HEAD_BYTES: usize = 4;
/// Bytes of body in one frame.
pub const PART_BYTES: usize = FRAME_BYTES_MAX - HEAD_BYTES;
/// Turns that one connection may take in a round: a server that carries many pushes.
pub const TURNS_MAX: u8 = 16;
/// Bytes of the text in CLOSE.
pub const CLOSE_TEXT_BYTES_MAX: usize = 120;
/// Bytes of a token; zeros where tokens are off.
pub const TOKEN_BYTES: usize = 48;

const HELLO_BYTES: usize = 1 + 32 + 4 + 1 + 1 + 2;
const WELCOME_BYTES: usize = 8 + 8 + 4 + 2 + 32;
const TURN_FIXED_BYTES: usize = 8 + TOKEN_BYTES + 2;
const TURNED_BYTES: usize = 8 + 1;
const BUCKET_FIXED_BYTES: usize = 8 + 2;

const HELLO: u8 = 0x01;
const WELCOME: u8 = 0x02;
const TURN: u8 = 0x03;
const TURNED: u8 = 0x04;
const ROUND: u8 = 0x05;
const BUCKET: u8 = 0x0A;
const CLOSE: u8 = 0x7F;

/// How a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Fetch {
    /// One row by private retrieval. Not served yet.
    Pir = 1,
    /// The whole bucket.
    Bucket = 2,
}

/// The first frame of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The network that it wants.
    pub network: NetworkId,
    /// The manifest that it knows.
    pub manifest_version: u32,
    /// Cells that it will send each round: 1; servers up to [`TURNS_MAX`].
    pub turns: u8,
    /// How it reads.
    pub fetch: Fetch,
    /// The bucket that it reads; 0 in full mode.
    pub bucket: u16,
}

/// The answer to HELLO: the clock to follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The relay's time, Unix milliseconds.
    pub now_ms: u64,
    /// The running round of the class.
    pub round: u64,
    /// The running epoch.
    pub epoch: u32,
    /// Its view.
    pub view: u16,
    /// SHA-256 of the epoch statement.
    pub epoch_digest: [u8; 32],
}

/// One cell of one round, real or not, and what is read in that round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// The round.
    pub round: u64,
    /// Zeros where tokens are off.
    pub token: [u8; TOKEN_BYTES],
    /// The cell in its layers.
    pub onion: Vec<u8>,
    /// The bucket that is read.
    pub bucket: u16,
}

/// What became of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum TurnCode {
    /// Durable, until it is handed over.
    Accepted = 0,
    /// The round does not take cells: not yet, or no more.
    RoundClosed = 1,
    /// The token does not hold.
    Token = 2,
    /// The token, or the turn, was used.
    Spent = 3,
    /// Wrong length, bucket, or an onion that cannot be opened.
    Length = 4,
    /// The round is full.
    Full = 5,
}

/// The answer to a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turned {
    /// The round of the turn.
    pub round: u64,
    /// What became of it.
    pub code: TurnCode,
}

/// A round that was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Round {
    /// Its statement, which nobody has checked.
    pub signed: SignedRound,
    /// First four bytes of each row of the client's bucket.
    pub index: Vec<u8>,
    /// From the client's bucket to the root.
    pub path: Vec<Hash>,
}

/// A whole bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The round.
    pub round: u64,
    /// The bucket.
    pub bucket: u16,
    /// Rows of 512 bytes, sorted.
    pub rows: Vec<u8>,
}

/// The last frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// For people.
    pub text: String,
}

/// Why a link closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The sender of it goes.
    Bye = 0,
    /// A frame of the wrong type, length or number.
    Frame = 1,
    /// Another version, network or class.
    Network = 2,
    /// The manifest that the client knows is not the one in force; it reads `/relay/v1/network` and comes again.
    Manifest = 3,
    /// The third wrong turn.
    Turns = 4,
    /// The epoch changed; the client reads `/relay/v1/epoch` and says HELLO again.
    Epoch = 5,
    /// Too many connections, here or from one address.
    Busy = 6,
    /// The client did not read what was sent to it.
    Slow = 7,
}

impl CloseCode {
    const ALL: [Self; 8] = [
        Self::Bye,
        Self::Frame,
        Self::Network,
        Self::Manifest,
        Self::Turns,
        Self::Epoch,
        Self::Busy,
        Self::Slow,
    ];
}

/// What a client may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FromClient {
    /// Once, first.
    Hello(Hello),
    /// `number` counts the turns of a server in one round, from 0.
    Turn {
        /// Which turn of the round.
        number: u16,
        /// The turn.
        turn: Turn,
    },
    /// Last.
    Close(Close),
}

/// What a relay may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FromRelay {
    /// After HELLO.
    Welcome(Welcome),
    /// After each TURN.
    Turned {
        /// Which turn of the round.
        number: u16,
        /// The answer.
        turned: Turned,
    },
    /// A part of a ROUND or a BUCKET; [`Parts`] puts them together.
    Part(Part),
    /// Last.
    Close(Close),
}

/// A part of a body that may be longer than a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    kind: u8,
    class: Class,
    /// Parts that still follow.
    following: u16,
    body: Vec<u8>,
}

/// A body put together from its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whole {
    /// A round.
    Round(Round),
    /// A bucket.
    Bucket(Bucket),
}

/// A frame that is refused. The link closes with [`CloseCode::Frame`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameRejection {
    /// No such type from this side.
    #[error("no such frame")]
    Type,
    /// The class does not run.
    #[error("no such class")]
    Class,
    /// Not the length of its type.
    #[error("a frame of the wrong length")]
    Length,
    /// A field that has no meaning: a version, fetch, code or number.
    #[error("a field of a frame is out of its range")]
    Field,
    /// Parts in the wrong order.
    #[error("a part out of its order")]
    Order,
}

/// Bytes of an onion of `k` hops: `514 + 48·k`.
pub const fn onion_bytes(k: usize) -> usize {
    2 + ROW_BYTES + 48 * k
}

/// Bytes of a whole TURN frame of a cascade of `k` hops, for clients that take whole buckets.
pub const fn turn_bytes(k: usize) -> usize {
    HEAD_BYTES + TURN_FIXED_BYTES + onion_bytes(k)
}

impl FromClient {
    /// Reads a frame of a client; `k` is the number of hops of the epoch.
    ///
    /// # Errors
    /// [`FrameRejection`].
    pub fn parse(frame: &[u8], k: usize) -> Result<(Class, Self), FrameRejection> {
        let (kind, class, number, body) = split(frame)?;
        let mut from = Reader::new(body);
        let read = match kind {
            HELLO if body.len() == HELLO_BYTES && number == 0 => hello(&mut from).ok().map(Self::Hello),
            TURN if body.len() == TURN_FIXED_BYTES + onion_bytes(k) => turn(&mut from, k)
                .ok()
                .filter(|_| number < u16::from(TURNS_MAX))
                .map(|turn| Self::Turn { number, turn }),
            CLOSE if number == 0 => return close(body).map(|close| (class, Self::Close(close))),
            HELLO | TURN | CLOSE => return Err(FrameRejection::Length),
            _ => return Err(FrameRejection::Type),
        };
        read.map(|read| (class, read)).ok_or(FrameRejection::Field)
    }

    /// The frame.
    pub fn encode(&self, class: Class) -> Vec<u8> {
        match self {
            Self::Hello(hello) => {
                let mut out = head(HELLO, class, 0, HELLO_BYTES);
                out.push(VERSION);
                out.extend(hello.network.0);
                out.extend(hello.manifest_version.to_be_bytes());
                out.extend([hello.turns, hello.fetch as u8]);
                out.extend(hello.bucket.to_be_bytes());
                out
            }
            Self::Turn { number, turn } => {
                let mut out = head(TURN, class, *number, TURN_FIXED_BYTES + turn.onion.len());
                out.extend(turn.round.to_be_bytes());
                out.extend(turn.token);
                out.extend(&turn.onion);
                out.extend(turn.bucket.to_be_bytes());
                out
            }
            Self::Close(close) => close.encode(class),
        }
    }
}

impl FromRelay {
    /// Reads a frame of a relay.
    ///
    /// # Errors
    /// [`FrameRejection`].
    pub fn parse(frame: &[u8]) -> Result<(Class, Self), FrameRejection> {
        let (kind, class, number, body) = split(frame)?;
        let mut from = Reader::new(body);
        let read = match kind {
            WELCOME if body.len() == WELCOME_BYTES && number == 0 => {
                welcome(&mut from).ok().map(Self::Welcome)
            }
            TURNED if body.len() == TURNED_BYTES => {
                turned(&mut from).ok().map(|turned| Self::Turned { number, turned })
            }
            ROUND | BUCKET => Some(Self::Part(Part { kind, class, following: number, body: body.to_vec() })),
            CLOSE if number == 0 => return close(body).map(|close| (class, Self::Close(close))),
            WELCOME | TURNED | CLOSE => return Err(FrameRejection::Length),
            _ => return Err(FrameRejection::Type),
        };
        read.map(|read| (class, read)).ok_or(FrameRejection::Field)
    }

    /// The frame.
    pub fn encode(&self, class: Class) -> Vec<u8> {
        match self {
            Self::Welcome(welcome) => {
                let mut out = head(WELCOME, class, 0, WELCOME_BYTES);
                out.extend(welcome.now_ms.to_be_bytes());
                out.extend(welcome.round.to_be_bytes());
                out.extend(welcome.epoch.to_be_bytes());
                out.extend(welcome.view.to_be_bytes());
                out.extend(welcome.epoch_digest);
                out
            }
            Self::Turned { number, turned } => {
                let mut out = head(TURNED, class, *number, TURNED_BYTES);
                out.extend(turned.round.to_be_bytes());
                out.push(turned.code as u8);
                out
            }
            Self::Part(part) => {
                let mut out = head(part.kind, class, part.following, part.body.len());
                out.extend(&part.body);
                out
            }
            Self::Close(close) => close.encode(class),
        }
    }
}

impl Round {
    /// The frames of the round.
    pub fn frames(&self, class: Class) -> Vec<Vec<u8>> {
        let mut body = self.signed.encode();
        body.extend(&self.index);
        self.path.iter().for_each(|hash| body.extend(hash));
        parts(ROUND, class, &[&body])
    }

    fn parse(body: &[u8]) -> Option<Self> {
        const K_AT: usize = 55;
        let k = usize::from(*body.get(K_AT)?);
        let (signed, rest) = body.split_at_checked(SignedRound::bytes(k))?;
        let signed = SignedRound::parse(signed).ok()?;
        let statement = signed.unverified();
        let (index, path) = rest.split_at_checked(statement.rows as usize * INDEX_BYTES)?;
        let (path, beyond) = path.as_chunks::<32>();
        let path_max = usize::from(statement.buckets).next_power_of_two().trailing_zeros() as usize;
        let fits = beyond.is_empty() && path.len() <= path_max;
        let (index, path) = (index.to_vec(), path.to_vec());
        fits.then_some(Self { signed, index, path })
    }
}

impl Bucket {
    /// The frames of rows that stand elsewhere: a relay sends the same rows to many.
    pub fn frames(class: Class, round: u64, bucket: u16, rows: &[u8]) -> Vec<Vec<u8>> {
        parts(BUCKET, class, &[&round.to_be_bytes(), &bucket.to_be_bytes(), rows])
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let mut from = Reader::new(body);
        let (round, bucket) = (from.u64().ok()?, from.u16().ok()?);
        let rows = from.rest();
        rows.len().is_multiple_of(ROW_BYTES).then(|| Self { round, bucket, rows: rows.to_vec() })
    }
}

/// Puts parts together. One collector serves one connection: parts of two bodies never mix on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    open: Option<Part>,
}

/// Bytes of a body: a round of the most cells, whose rows follow ten bytes.
const BODY_BYTES_MAX: usize = BUCKET_FIXED_BYTES + CELLS_MAX as usize * ROW_BYTES;

impl Parts {
    /// Takes the next part; answers the whole when it was the last. `rows_max` bounds what is kept: M of the epoch, or what the
    /// reader expects.
    ///
    /// # Errors
    /// [`FrameRejection`]: the collector is empty again.
    pub fn take(&mut self, part: Part, rows_max: u32) -> Result<Option<Whole>, FrameRejection> {
        let bytes_max = BODY_BYTES_MAX
            .min(SignedRound::bytes(crate::network::HOPS_MAX) + 12 * 32 + rows_max as usize * ROW_BYTES);
        let last = part.following == 0;
        let whole = match self.open.take() {
            None => part,
            Some(mut open) => {
                let follows = part.kind == open.kind
                    && part.class == open.class
                    && part.following + 1 == open.following;
                if !follows {
                    return Err(FrameRejection::Order);
                }
                open.body.extend(part.body);
                open.following = part.following;
                open
            }
        };
        if whole.body.len() > bytes_max || (!last && !whole.body.len().is_multiple_of(PART_BYTES)) {
            return Err(FrameRejection::Length);
        }
        if !last {
            self.open = Some(whole);
            return Ok(None);
        }
        let read = match whole.kind {
            ROUND => Round::parse(&whole.body).map(Whole::Round),
            _ => Bucket::parse(&whole.body).map(Whole::Bucket),
        };
        read.map(Some).ok_or(FrameRejection::Length)
    }
}

impl Close {
    /// A CLOSE whose text is cut to its bound.
    pub fn new(code: CloseCode, text: &str) -> Self {
        let end = (0..=text.len().min(CLOSE_TEXT_BYTES_MAX)).rev().find(|&at| text.is_char_boundary(at));
        Self { code, text: text[..end.unwrap_or(0)].to_owned() }
    }

    /// The frame.
    pub fn encode(&self, class: Class) -> Vec<u8> {
        let mut out = head(CLOSE, class, 0, 2 + self.text.len());
        out.extend((self.code as u16).to_be_bytes());
        out.extend(self.text.as_bytes());
        out
    }
}

impl TurnCode {
    const ALL: [Self; 6] =
        [Self::Accepted, Self::RoundClosed, Self::Token, Self::Spent, Self::Length, Self::Full];
}

fn hello(from: &mut Reader<'_>) -> Result<Hello, Malformed> {
    let version = from.u8()?;
    let hello = Hello {
        network: NetworkId(from.array()?),
        manifest_version: from.u32()?,
        turns: from.u8()?,
        fetch: match from.u8()? {
            1 => Fetch::Pir,
            2 => Fetch::Bucket,
            _ => return Err(Malformed),
        },
        bucket: from.u16()?,
    };
    let fits =
        version == VERSION && (1..=TURNS_MAX).contains(&hello.turns) && u32::from(hello.bucket) < BUCKETS_MAX;
    fits.then_some(hello).ok_or(Malformed)
}

fn welcome(from: &mut Reader<'_>) -> Result<Welcome, Malformed> {
    Ok(Welcome {
        now_ms: from.u64()?,
        round: from.u64()?,
        epoch: from.u32()?,
        view: from.u16()?,
        epoch_digest: from.array()?,
    })
}

fn turn(from: &mut Reader<'_>, k: usize) -> Result<Turn, Malformed> {
    Ok(Turn {
        round: from.u64()?,
        token: from.array()?,
        onion: from.slice(onion_bytes(k))?.to_vec(),
        bucket: from.u16()?,
    })
}

fn turned(from: &mut Reader<'_>) -> Result<Turned, Malformed> {
    let round = from.u64()?;
    let number = from.u8()?;
    let code = TurnCode::ALL.into_iter().find(|&code| code as u8 == number).ok_or(Malformed)?;
    Ok(Turned { round, code })
}

fn close(body: &[u8]) -> Result<Close, FrameRejection> {
    if !(2..=2 + CLOSE_TEXT_BYTES_MAX).contains(&body.len()) {
        return Err(FrameRejection::Length);
    }
    let number = u16::from_be_bytes([body[0], body[1]]);
    let code = CloseCode::ALL.into_iter().find(|&code| code as u16 == number).ok_or(FrameRejection::Field)?;
    let text = std::str::from_utf8(&body[2..]).map_err(|_| FrameRejection::Field)?;
    Ok(Close { code, text: text.to_owned() })
}

fn split(frame: &[u8]) -> Result<(u8, Class, u16, &[u8]), FrameRejection> {
    let (&[kind, class, high, low], body) = frame.split_first_chunk().ok_or(FrameRejection::Length)?;
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameRejection::Length);
    }
    let class = Class::of(class).ok_or(FrameRejection::Class)?;
    Ok((kind, class, u16::from_be_bytes([high, low]), body))
}

fn head(kind: u8, class: Class, number: u16, body_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + body_bytes);
    out.extend([kind, class.number()]);
    out.extend(number.to_be_bytes());
    out
}

/// A body in frames: all full but the last, `number` counting down to 0.
fn parts(kind: u8, class: Class, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let frames = length.div_ceil(PART_BYTES).max(1);
    let mut rest = pieces.iter().flat_map(|piece| piece.chunks(PART_BYTES));
    let mut left: &[u8] = &[];
    (0..frames)
        .rev()
        .map(|following| {
            let number = u16::try_from(following).expect("a round of the most cells has 513 parts");
            let mut out = head(kind, class, number, PART_BYTES.min(length));
            while out.len() < FRAME_BYTES_MAX {
                if left.is_empty() {
                    match rest.next() {
                        Some(next) => left = next,
                        None => break,
                    }
                }
                let (now, later) = left.split_at(left.len().min(FRAME_BYTES_MAX - out.len()));
                out.extend(now);
                left = later;
            }
            out
        })
        .collect()
}
