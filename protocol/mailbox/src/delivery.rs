//! One direction of a contact: cells that wait until they are acked, and numbers that have come.
//!
//! ```text
//! message ─ cut ─► waiting ─ next ─► sent in round r ─ acked ─► gone
//!                     ▲                    │ not accepted, round dead, ack shows a gap, relay has forgotten it
//!                     └────────────────────┘
//! body ─ take ─► duplicate | part | message (once)
//! ```
//! There are no timers: what repeats a cell is an answer, and a repeat is sealed anew in a later round.

use crate::body::{Body, FRAGMENTS_MAX, Kind, PAYLOAD_BYTES_MAX};
use crate::bytes::{Malformed, Reader, Writer};
use crypto::secret::Secret;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = FRAGMENTS_MAX as usize * PAYLOAD_BYTES_MAX;
/// How long a cell waits for its ack before it is given up.
pub const WAIT_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Rounds after which an ack tells of a cell: held and carried cells come up to so many rounds late.
pub const LATE_ROUNDS: u64 = 8;
/// Cells that one contact's outbox can hold; the client bounds all together.
pub const OUTBOX_CELLS_MAX: usize = 4_096;
/// How far beyond the first missing number a cell is taken: as far as an outbox reaches.
const AHEAD_MAX: u32 = 4_096;
/// Messages of a contact that may be incomplete at once: a sender finishes one before the next, but for repeats.
const PARTIAL_MAX: usize = 16;

/// Cells that wait.
#[derive(Default)]
pub struct Outbox {
    last_seq: u32,
    last_message: u32,
    cells: VecDeque<Waiting>,
}

/// One of them.
pub struct Waiting {
    /// Its number.
    pub seq: u32,
    /// What it is.
    pub kind: Kind,
    /// Number of its message.
    pub message: u32,
    /// Which part.
    pub fragment: u16,
    /// Of how many.
    pub fragments: u16,
    /// What it carries.
    pub payload: Secret<Vec<u8>>,
    /// It is given up after this.
    pub expires_at_ms: u64,
    /// The round it was last sent in, if no answer has said that it must be sent again.
    pub sent: Option<u64>,
}

/// There is no room: as many cells wait as can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueueRefusal {
    /// Over 29,056 bytes.
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// Too many cells wait.
    #[error("too many cells wait to be sent")]
    Full,
}

/// What a peer's cell says of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// Every number up to this one has come.
    pub ack: u32,
    /// Bit i: number `ack + 2 + i` has come.
    pub bits: u32,
    /// The round of that cell, if its sender had looked at every round by then.
    pub settled_round: Option<u64>,
}

/// Numbers that have come, and messages of which parts are missing.
#[derive(Default)]
pub struct Inbox {
    all_up_to: u32,
    above: BTreeSet<u32>,
    partial: BTreeMap<u32, Partial>,
}

struct Partial {
    fragments: u16,
    parts: BTreeMap<u16, Secret<Vec<u8>>>,
}

/// What a body brought.
#[derive(Debug)]
pub enum Taken {
    /// Its number had come before.
    Duplicate,
    /// Its number is counted; a message is not whole yet.
    Part,
    /// Its number is counted, and this is whole.
    Message(Secret<Vec<u8>>),
    /// It is not counted, so that its sender repeats it: no room, or it contradicts its message.
    Refused,
}

/// A message in payloads of 454 bytes; an empty one in one empty payload.
///
/// # Errors
/// [`QueueRefusal::TooLong`].
pub fn cut(message: &[u8]) -> Result<Vec<&[u8]>, QueueRefusal> {
    match message.len() {
        0 => Ok(vec![message]),
        1..=MESSAGE_BYTES_MAX => Ok(message.chunks(PAYLOAD_BYTES_MAX).collect()),
        _ => Err(QueueRefusal::TooLong),
    }
}

impl Outbox {
    /// Queues a message; its number.
    ///
    /// # Errors
    /// [`QueueRefusal`]; then nothing is queued.
    pub fn queue(&mut self, kind: Kind, message: &[u8], now_ms: u64) -> Result<u32, QueueRefusal> {
        self.queue_until(kind, message, now_ms.saturating_add(WAIT_MS_MAX))
    }

    /// Queues a message that is given up at a time; its number.
    ///
    /// # Errors
    /// [`QueueRefusal`].
    pub fn queue_until(
        &mut self,
        kind: Kind,
        message: &[u8],
        expires_at_ms: u64,
    ) -> Result<u32, QueueRefusal> {
        let payloads = cut(message)?;
        if self.cells.len() + payloads.len() > OUTBOX_CELLS_MAX {
            return Err(QueueRefusal::Full);
        }
        Ok(self.queue_parts(kind, payloads.into_iter(), expires_at_ms))
    }

    /// An outbox whose first message has the number after this one: for hellos, whose senders do not know of each other.
    pub fn starting_after(message: u32) -> Self {
        Self { last_message: message.min(u32::MAX - 1), ..Self::default() }
    }

    /// Queues a message whose parts somebody else has cut.
    ///
    /// # Panics
    /// With over 64 parts, or a part over 454 bytes.
    pub fn queue_parts<'a>(
        &mut self,
        kind: Kind,
        parts: impl ExactSizeIterator<Item = &'a [u8]>,
        expires_at_ms: u64,
    ) -> u32 {
        self.last_message += 1;
        let fragments = u16::try_from(parts.len()).expect("callers cut into at most 64");
        for (fragment, payload) in (0..).zip(parts) {
            assert!(payload.len() <= PAYLOAD_BYTES_MAX, "callers cut into payloads");
            self.last_seq += 1;
            self.cells.push_back(Waiting {
                seq: self.last_seq,
                kind,
                message: self.last_message,
                fragment,
                fragments,
                payload: Secret::new(payload.to_vec()),
                expires_at_ms,
                sent: None,
            });
        }
        self.last_message
    }

    /// Whether anything waits to be sent now.
    pub fn has_next(&self) -> bool {
        self.cells.iter().any(|cell| cell.sent.is_none())
    }

    /// Takes the next cell to send, marks it as sent in `round`, and gives its body without ack.
    pub fn send(&mut self, round: u64) -> Option<Body> {
        let cell = self.cells.iter_mut().find(|cell| cell.sent.is_none())?;
        cell.sent = Some(round);
        Some(Body {
            seq: cell.seq,
            message: cell.message,
            fragment: cell.fragment,
            fragments: cell.fragments,
            payload: cell.payload.expose().clone(),
            ..Body::of(cell.kind)
        })
    }

    /// The relay did not take what was sent in `round`, or the round was never published, or nobody knows: it is sent again.
    pub fn unsent(&mut self, round: u64) -> bool {
        let mut any = false;
        for cell in self.cells.iter_mut().filter(|cell| cell.sent == Some(round)) {
            cell.sent = None;
            any = true;
        }
        any
    }

    /// What was sent before `round` and never acked is sent again: the relays have forgotten it.
    pub fn forgotten(&mut self, round: u64) {
        for cell in self.cells.iter_mut().filter(|cell| cell.sent.is_some_and(|sent| sent < round)) {
            cell.sent = None;
        }
    }

    /// Forgets what has come, and sends again what an answer shows as missing.
    pub fn acked(&mut self, acked: Acked) {
        let has_come = |seq: u32| {
            seq <= acked.ack
                || seq
                    .checked_sub(acked.ack)
                    .is_some_and(|ahead| (2..34).contains(&ahead) && acked.bits >> (ahead - 2) & 1 == 1)
        };
        // Numbers that were never given out cannot have come.
        if acked.ack > self.last_seq {
            return;
        }
        self.cells.retain(|cell| !has_come(cell.seq));
        let Some(settled) = acked.settled_round else { return };
        for cell in self.cells.iter_mut().filter(|cell| cell.seq - acked.ack < 34) {
            if cell.sent.is_some_and(|sent| sent.saturating_add(LATE_ROUNDS) <= settled) {
                cell.sent = None;
            }
        }
    }

    /// Gives up what waited too long; numbers of the messages that lost a part.
    pub fn expire(&mut self, now_ms: u64) -> Vec<u32> {
        let mut lost: Vec<u32> = Vec::new();
        self.cells.retain(|cell| {
            let over = cell.expires_at_ms <= now_ms;
            if over && lost.last() != Some(&cell.message) {
                lost.push(cell.message);
            }
            !over
        });
        lost
    }

    /// Cells that wait, sent or not.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Cells that wait to be sent now.
    pub fn unsent_cells(&self) -> usize {
        self.cells.iter().filter(|cell| cell.sent.is_none()).count()
    }

    /// Whether any cell of a message still waits for its ack.
    pub fn holds(&self, message: u32) -> bool {
        self.cells.iter().any(|cell| cell.message == message)
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        self.cells.clear();
    }

    /// Writes the outbox into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.u32(self.last_seq).u32(self.last_message).count(self.cells.len());
        for cell in &self.cells {
            writer.u32(cell.seq).u8(cell.kind as u8).u32(cell.message).u16(cell.fragment).u16(cell.fragments);
            writer.u64(cell.expires_at_ms).flag(cell.sent.is_some()).u64(cell.sent.unwrap_or(0));
            writer.long(cell.payload.expose());
        }
    }

    /// Reads what [`Outbox::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (last_seq, last_message) = (reader.u32()?, reader.u32()?);
        let mut cells = VecDeque::new();
        for _ in 0..reader.count(OUTBOX_CELLS_MAX)? {
            let (seq, kind) = (reader.u32()?, Kind::of(reader.u8()?).ok_or(Malformed)?);
            let (message, fragment, fragments) = (reader.u32()?, reader.u16()?, reader.u16()?);
            let (expires_at_ms, is_sent, round) = (reader.u64()?, reader.flag()?, reader.u64()?);
            let payload = Secret::new(reader.long(PAYLOAD_BYTES_MAX)?.to_vec());
            let sound = seq > 0
                && seq <= last_seq
                && (1..=FRAGMENTS_MAX).contains(&fragments)
                && fragment < fragments
                && cells.back().is_none_or(|before: &Waiting| before.seq < seq)
                && (is_sent || round == 0);
            if !sound {
                return Err(Malformed);
            }
            let sent = is_sent.then_some(round);
            cells.push_back(Waiting {
                seq,
                kind,
                message,
                fragment,
                fragments,
                payload,
                expires_at_ms,
                sent,
            });
        }
        Ok(Self { last_seq, last_message, cells })
    }
}

impl Inbox {
    /// Counts a body with a number, and puts its message together.
    pub fn take(&mut self, body: &Body) -> Taken {
        if body.seq == 0 || body.seq <= self.all_up_to || self.above.contains(&body.seq) {
            return Taken::Duplicate;
        }
        if body.seq - self.all_up_to > AHEAD_MAX {
            return Taken::Refused;
        }
        let whole = if body.fragments == 1 {
            Some(Secret::new(body.payload.clone()))
        } else {
            match self.assemble(body) {
                Ok(whole) => whole,
                Err(()) => return Taken::Refused,
            }
        };
        self.above.insert(body.seq);
        while self.above.remove(&(self.all_up_to + 1)) {
            self.all_up_to += 1;
        }
        whole.map_or(Taken::Part, Taken::Message)
    }

    /// `ack` and `ack_bits` of the next cell.
    pub fn ack(&self) -> (u32, u32) {
        let bits = self
            .above
            .range(self.all_up_to + 2..)
            .map(|seq| seq - self.all_up_to - 2)
            .take_while(|at| *at < u32::BITS)
            .fold(0, |bits, at| bits | 1 << at);
        (self.all_up_to, bits)
    }

    /// Writes the inbox into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.u32(self.all_up_to).count(self.above.len());
        self.above.iter().for_each(|seq| {
            writer.u32(*seq);
        });
        writer.count(self.partial.len());
        for (message, partial) in &self.partial {
            writer.u32(*message).u16(partial.fragments).count(partial.parts.len());
            for (fragment, payload) in &partial.parts {
                writer.u16(*fragment).long(payload.expose());
            }
        }
    }

    /// Reads what [`Inbox::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let all_up_to = reader.u32()?;
        let mut above = BTreeSet::new();
        for _ in 0..reader.count(AHEAD_MAX as usize)? {
            let seq = reader.u32()?;
            if seq <= all_up_to || seq - all_up_to > AHEAD_MAX || !above.insert(seq) {
                return Err(Malformed);
            }
        }
        let mut partial = BTreeMap::new();
        for _ in 0..reader.count(PARTIAL_MAX)? {
            let (message, fragments) = (reader.u32()?, reader.u16()?);
            let mut parts = BTreeMap::new();
            for _ in 0..reader.count(usize::from(FRAGMENTS_MAX))? {
                let fragment = reader.u16()?;
                let payload = Secret::new(reader.long(PAYLOAD_BYTES_MAX)?.to_vec());
                if fragment >= fragments || parts.insert(fragment, payload).is_some() {
                    return Err(Malformed);
                }
            }
            let sound = (1..=FRAGMENTS_MAX).contains(&fragments) && parts.len() < usize::from(fragments);
            if !sound || partial.insert(message, Partial { fragments, parts }).is_some() {
                return Err(Malformed);
            }
        }
        Ok(Self { all_up_to, above, partial })
    }

    fn assemble(&mut self, body: &Body) -> Result<Option<Secret<Vec<u8>>>, ()> {
        if self.partial.len() >= PARTIAL_MAX && !self.partial.contains_key(&body.message) {
            return Err(());
        }
        // Only the last part may be short: else one message could be cut in two ways.
        if body.fragment + 1 < body.fragments && body.payload.len() != PAYLOAD_BYTES_MAX {
            return Err(());
        }
        let partial = self
            .partial
            .entry(body.message)
            .or_insert_with(|| Partial { fragments: body.fragments, parts: BTreeMap::new() });
        if partial.fragments != body.fragments || partial.parts.contains_key(&body.fragment) {
            return Err(());
        }
        partial.parts.insert(body.fragment, Secret::new(body.payload.clone()));
        if partial.parts.len() < usize::from(partial.fragments) {
            return Ok(None);
        }
        let whole = self.partial.remove(&body.message).map(|partial| {
            let mut message = Vec::with_capacity(MESSAGE_BYTES_MAX);
            partial.parts.values().for_each(|part| message.extend_from_slice(part.expose()));
            Secret::new(message)
        });
        Ok(whole)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({} cells)", self.cells.len())
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox(up to {})", self.all_up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn acked(inbox: &Inbox, settled_round: Option<u64>) -> Acked {
        let (ack, bits) = inbox.ack();
        Acked { ack, bits, settled_round }
    }

    #[test]
    fn a_message_of_the_largest_size_is_put_together_from_any_order() {
        let message: Vec<u8> = (0..MESSAGE_BYTES_MAX).map(|at| at as u8).collect();
        let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
        outbox.queue(Kind::Data, &message, 0).unwrap();
        let mut bodies: Vec<Body> = (0..64).map(|round| outbox.send(round).unwrap()).collect();
        assert!(outbox.send(64).is_none());
        bodies.reverse();
        let last = bodies.pop().unwrap();
        assert!(bodies.iter().all(|body| matches!(inbox.take(body), Taken::Part)));
        match inbox.take(&last) {
            Taken::Message(whole) => assert_eq!(whole.expose(), &message),
            other => panic!("{other:?}"),
        }
        assert!(bodies.iter().all(|body| matches!(inbox.take(body), Taken::Duplicate)));
        outbox.acked(acked(&inbox, None));
        assert!(outbox.is_empty());
        assert_eq!(outbox.queue(Kind::Data, &[0; MESSAGE_BYTES_MAX + 1], 0), Err(QueueRefusal::TooLong));
    }

    #[test]
    fn a_gap_is_sent_again_only_when_the_peer_had_time_to_see_it() {
        let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
        for text in [b"one", b"two"] {
            outbox.queue(Kind::Data, text, 0).unwrap();
        }
        outbox.send(10).unwrap();
        let second = outbox.send(11).unwrap();
        inbox.take(&second);
        outbox.acked(acked(&inbox, Some(17)));
        assert!(!outbox.has_next());
        outbox.acked(acked(&inbox, None));
        assert!(!outbox.has_next());
        outbox.acked(acked(&inbox, Some(18)));
        let again = outbox.send(19).unwrap();
        assert_eq!((again.seq, outbox.len()), (1, 1));
    }

    #[test]
    fn what_the_relay_did_not_take_is_sent_again() {
        let mut outbox = Outbox::default();
        outbox.queue(Kind::Data, b"one", 0).unwrap();
        outbox.send(10).unwrap();
        assert!(!outbox.unsent(9));
        assert!(outbox.unsent(10));
        assert!(outbox.send(11).is_some());
        outbox.forgotten(11);
        assert!(!outbox.has_next());
        outbox.forgotten(12);
        assert!(outbox.has_next());
    }

    #[test]
    fn what_waited_too_long_is_given_up_and_named_once() {
        let mut outbox = Outbox::default();
        outbox.queue(Kind::Data, &[1; 1_000], 0).unwrap();
        assert!(outbox.expire(WAIT_MS_MAX - 1).is_empty());
        assert_eq!(outbox.expire(WAIT_MS_MAX), [1]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_ack_of_numbers_that_were_never_given_is_ignored() {
        let mut outbox = Outbox::default();
        outbox.queue(Kind::Data, b"one", 0).unwrap();
        outbox.acked(Acked { ack: 2, bits: u32::MAX, settled_round: Some(u64::MAX) });
        outbox.acked(Acked { ack: u32::MAX, bits: 0, settled_round: None });
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn a_peer_that_never_finishes_messages_is_held_to_a_bound() {
        let mut inbox = Inbox::default();
        let part = |seq: u32, message: u32| Body {
            seq,
            message,
            fragments: 2,
            payload: vec![0; PAYLOAD_BYTES_MAX],
            ..Body::of(Kind::Data)
        };
        for number in 1..=16 {
            assert!(matches!(inbox.take(&part(number, number)), Taken::Part));
        }
        assert!(matches!(inbox.take(&part(17, 17)), Taken::Refused));
        assert_eq!(inbox.ack(), (16, 0));
        assert!(matches!(
            inbox.take(&Body { seq: 16 + 4_097, payload: Vec::new(), ..Body::of(Kind::Data) }),
            Taken::Refused
        ));
    }

    proptest! {
        #[test]
        fn whatever_is_lost_and_repeated_every_message_comes_once(
            sizes in prop::collection::vec(0usize..2_000, 1..8),
            losses in prop::collection::vec(any::<bool>(), 1..200),
        ) {
            let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
            let messages: Vec<Vec<u8>> =
                sizes.iter().zip(0u8..).map(|(size, at)| vec![at; *size]).collect();
            for message in &messages {
                outbox.queue(Kind::Data, message, 0).unwrap();
            }
            let mut came: Vec<Vec<u8>> = Vec::new();
            let mut lost = losses.iter();
            for round in 0..10_000 {
                if let Some(body) = outbox.send(round)
                    && !lost.next().copied().unwrap_or(false)
                    && let Taken::Message(whole) = inbox.take(&body)
                {
                    came.push(whole.expose().clone());
                }
                outbox.acked(acked(&inbox, Some(round)));
                let mut writer = Writer::new();
                outbox.write(&mut writer);
                inbox.write(&mut writer);
                let state = writer.into_bytes();
                let mut reader = Reader::new(&state);
                outbox = Outbox::read(&mut reader).unwrap();
                inbox = Inbox::read(&mut reader).unwrap();
                reader.end().unwrap();
                if outbox.is_empty() {
                    break;
                }
            }
            came.sort();
            let mut wanted = messages;
            wanted.sort();
            prop_assert_eq!(came, wanted);
        }
    }
}
