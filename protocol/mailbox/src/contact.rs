//! A contact: the keys shared with one other member, what waits to be sent to it, and how far it is believed.
//!
//! | state | input | next |
//! |---|---|---|
//! | pending (inviter: hello came; accepter: hello queued) | the other's confirm holds | unverified |
//! | unverified | both persons said that the codes agree | verified |
//! | any | the person blocks | blocked: chains are dropped |
//! | any | chains lost (restore), the invite ended | gone: a new invite is needed |
//!
//! An open invite is no contact yet; it is listed as `invited`.

use crate::account::Tally;
use crate::body::{Body, FLAG_ACK_SETTLED, FLAG_CODES_AGREE, Kind};
use crate::calendar::Calendar;
use crate::cell::{Class, Direction, Slot};
use crate::chain::{Line, Source};
use crate::delivery::{Acked, Inbox, LATE_ROUNDS, Outbox, QueueRefusal, Taken};
use crate::enrol::{self, Code, Keys, NONCE_BYTES};
use crate::label::expand;
use crate::listener::Listener;
use crypto::secret::Secret;
use std::collections::VecDeque;

/// Pushes that wait for one contact: a person answers one sign-in, and perhaps asks again.
pub const PUSHES_MAX: usize = 4;

/// What a member calls a contact, in this wallet alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub [u8; 8]);

/// How far a contact is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ContactState {
    /// Enrolment goes on.
    Pending = 0,
    /// Who stole the invite could be the peer.
    Unverified = 1,
    /// Both persons said that the codes agree.
    Verified = 2,
    /// The person wants to hear nothing of it.
    Blocked = 3,
    /// Its chains are lost.
    Gone = 4,
}

/// A contact.
pub struct Contact {
    pub(crate) id: ContactId,
    pub(crate) name: String,
    pub(crate) state: ContactState,
    pub(crate) mine: Direction,
    pub(crate) peer_bucket_seed: Secret<[u8; 32]>,
    pub(crate) peer_sign_pk: [u8; 32],
    pub(crate) sign_seed: Secret<[u8; 64]>,
    pub(crate) ears: Option<Ears>,
    pub(crate) greeting: Option<Greeting>,
    pub(crate) enrolment: Option<Enrolment>,
    pub(crate) code: Option<Code>,
    pub(crate) agreed_here: bool,
    pub(crate) agreed_there: bool,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) pushes: VecDeque<Push>,
    pub(crate) last_push_seq: u32,
    pub(crate) ack_due: Option<u64>,
    /// The round of the last cell that carried nothing but an ack.
    pub(crate) last_ack: Option<u64>,
    pub(crate) tally: Tally,
}

/// The line of a contact, and who listens on it.
pub(crate) struct Ears {
    pub(crate) line: Line,
    pub(crate) normal: Listener,
    pub(crate) fast: Listener,
}

impl Ears {
    /// Keys of the last fast rounds up to this one: a round that this side was too late for is published all the same.
    pub(crate) fn listen_fast(&mut self, round: u64, calendar: &Calendar) {
        (round.saturating_sub(LATE_ROUNDS - 1)..=round)
            .for_each(|round| self.fast.advance(&mut self.line, round, false, calendar));
    }
}

/// An accepter's hello on its way, on the chain of the invite.
pub(crate) struct Greeting {
    pub(crate) line: Line,
    pub(crate) outbox: Outbox,
    pub(crate) expires_at_ms: u64,
}

/// What is kept until both confirms have come.
pub(crate) struct Enrolment {
    pub(crate) transcript: [u8; 32],
    pub(crate) confirm: Secret<[u8; 32]>,
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// The inviter's: SHA-256 of the invite, and what the accepter committed to.
    pub(crate) committed: Option<([u8; 32], [u8; 32])>,
}

/// One push that waits.
pub(crate) struct Push {
    pub(crate) payload: Secret<Vec<u8>>,
    pub(crate) expires_at_ms: u64,
}

/// A new contact, from either side of an enrolment.
pub(crate) struct Beginning {
    pub(crate) id: ContactId,
    pub(crate) name: String,
    pub(crate) mine: Direction,
    pub(crate) peer_bucket_seed: Secret<[u8; 32]>,
    pub(crate) peer_sign_pk: [u8; 32],
    pub(crate) sign_seed: Secret<[u8; 64]>,
}

/// What a body of a contact brought.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Nothing for the person.
    Nothing,
    /// A message.
    Message(Secret<Vec<u8>>),
    /// Enrolment is done; the codes can be compared.
    Enrolled,
    /// Both sides said now that the codes agree.
    Verified,
    /// The confirm was not of the peer: enrolment stands still, for a forged confirm may be followed by the true one.
    Refused,
}

/// What a contact sends in a round.
pub(crate) struct Sending {
    pub(crate) slot: Slot,
    pub(crate) direction: Direction,
    pub(crate) body: Body,
}

/// When a contact is asked whether it has anything to send.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) round: u64,
    pub(crate) now_ms: u64,
    /// Every round so far was looked at.
    pub(crate) settled: bool,
    pub(crate) calendar: Calendar,
}

impl ContactState {
    /// The state of a byte.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Pending, Self::Unverified, Self::Verified, Self::Blocked, Self::Gone]
            .into_iter()
            .find(|state| *state as u8 == byte)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unverified => "unverified",
            Self::Verified => "verified",
            Self::Blocked => "blocked",
            Self::Gone => "gone",
        }
    }
}

impl Contact {
    /// A contact whose enrolment goes on. Its line begins in the hello's epoch and stands at `now`, since nothing was sent before.
    pub(crate) fn begin(
        beginning: Beginning,
        keys: Keys,
        epoch: u32,
        now: [u64; 2],
        calendar: &Calendar,
    ) -> Self {
        let Beginning { id, name, mine, peer_bucket_seed, peer_sign_pk, sign_seed } = beginning;
        let mut line = Line::open(Source::Ratchet, keys.root, epoch, calendar);
        for (class, round) in [(Class::Normal, now[0]), (Class::Fast, now[1])] {
            if calendar.round_ms(class).is_some() {
                line.skip(class, mine.other(), round, calendar);
            }
        }
        let ears = Ears {
            line,
            normal: Listener::new(Class::Normal, mine.other()),
            fast: Listener::new(Class::Fast, mine.other()),
        };
        Self {
            id,
            name,
            state: ContactState::Pending,
            mine,
            peer_bucket_seed,
            peer_sign_pk,
            sign_seed,
            ears: Some(ears),
            greeting: None,
            enrolment: Some(Enrolment {
                transcript: keys.transcript,
                confirm: keys.confirm,
                nonce: [0; NONCE_BYTES],
                committed: None,
            }),
            code: None,
            agreed_here: false,
            agreed_there: false,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            pushes: VecDeque::new(),
            last_push_seq: 0,
            ack_due: None,
            last_ack: None,
            tally: Tally::default(),
        }
    }

    /// Its id.
    pub fn id(&self) -> ContactId {
        self.id
    }

    /// What it calls itself, or what the person calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far it is believed.
    pub fn state(&self) -> ContactState {
        self.state
    }

    /// The code to compare; none while enrolment goes on.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// Whether this side, and the other, said that the codes agree.
    pub fn agreed(&self) -> (bool, bool) {
        (self.agreed_here, self.agreed_there)
    }

    /// Cells that wait for their ack.
    pub fn waiting(&self) -> usize {
        self.outbox.len() + self.greeting.as_ref().map_or(0, |greeting| greeting.outbox.len())
    }

    /// Cells that were not sent yet, or must be sent again.
    pub fn unsent_cells(&self) -> usize {
        self.outbox.unsent_cells()
            + self.greeting.as_ref().map_or(0, |greeting| greeting.outbox.unsent_cells())
    }

    /// Whether a message still waits for its ack.
    pub fn holds(&self, message: u32) -> bool {
        self.outbox.holds(message)
    }

    /// Protected events with this contact.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The peer's public key for attributable messages; none where it signs nothing.
    pub fn peer_sign_pk(&self) -> Option<&[u8; 32]> {
        (self.peer_sign_pk != [0; 32]).then_some(&self.peer_sign_pk)
    }

    /// The direction in which this side sends.
    pub fn direction(&self) -> Direction {
        self.mine
    }

    /// Whether messages may be sent to it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ContactState::Unverified | ContactState::Verified)
    }

    /// The bucket where it reads: `X(bucket_seed, "bucket" ‖ e u32, 16) mod B`.
    pub(crate) fn bucket(&self, epoch: u32, buckets: u16) -> u16 {
        bucket_of(&self.peer_bucket_seed, epoch, buckets)
    }

    /// Answers a hello: the inviter's confirm.
    pub(crate) fn confirm_hello(
        &mut self,
        nonce: [u8; NONCE_BYTES],
        committed: ([u8; 32], [u8; 32]),
        now_ms: u64,
    ) -> Result<(), QueueRefusal> {
        let Some(enrolment) = &mut self.enrolment else { return Ok(()) };
        (enrolment.nonce, enrolment.committed) = (nonce, Some(committed));
        let confirm = enrol::confirm(&enrolment.confirm, &enrolment.transcript, self.mine, &enrolment.nonce);
        self.outbox.queue(Kind::Confirm, &confirm, now_ms).map(|_| ())
    }

    /// The person has compared the codes.
    pub(crate) fn agree(&mut self) -> bool {
        self.agreed_here = true;
        // The peer learns it from the flags of the next cell, which an ack may carry.
        self.ack_due = Some(0);
        self.settle_state()
    }

    /// Drops every key and everything that waits.
    pub(crate) fn close(&mut self, state: ContactState) {
        self.state = state;
        (self.ears, self.greeting, self.enrolment, self.ack_due) = (None, None, None, None);
        self.outbox.clear();
        self.pushes.clear();
        self.inbox = Inbox::default();
    }

    /// Whether anything waits to be sent in a normal round.
    pub(crate) fn wants(&self, round: u64) -> bool {
        let greets = self.greeting.as_ref().is_some_and(|greeting| greeting.outbox.has_next());
        let acks = self.ack_due.is_some_and(|due| due + LATE_ROUNDS <= round);
        self.ears.is_some() && (greets || self.outbox.has_next() || acks)
    }

    /// What goes out in a normal round; the key of the round is gone with it.
    pub(crate) fn send(&mut self, turn: Turn) -> Option<Sending> {
        let Turn { round, settled, calendar, .. } = turn;
        if let Some(greeting) = &mut self.greeting
            && greeting.outbox.has_next()
        {
            let direction = Direction::Accepter;
            let slot = greeting.line.slot(Class::Normal, direction, round, &calendar)?;
            return Some(Sending { slot, direction, body: greeting.outbox.send(round)? });
        }
        let slot = self.ears.as_mut()?.line.slot(Class::Normal, self.mine, round, &calendar)?;
        let mut body = self.outbox.send(round).unwrap_or_else(|| {
            self.last_ack = Some(round);
            Body::of(Kind::Ack)
        });
        (body.ack, body.ack_bits) = self.inbox.ack();
        body.flags = if settled { FLAG_ACK_SETTLED } else { 0 };
        body.flags |= if self.agreed_here { FLAG_CODES_AGREE } else { 0 };
        self.ack_due = None;
        Some(Sending { slot, direction: self.mine, body })
    }

    /// What was sent in `round` did not go out, or nobody knows: it is sent again, an ack with what has come by then.
    pub(crate) fn unsent(&mut self, round: u64) {
        self.outbox.unsent(round);
        if let Some(greeting) = &mut self.greeting {
            greeting.outbox.unsent(round);
        }
        if self.last_ack == Some(round) && self.ears.is_some() {
            (self.last_ack, self.ack_due) = (None, Some(0));
        }
    }

    /// The next push that is not over, in a fast round.
    pub(crate) fn push(&mut self, turn: Turn) -> Option<Sending> {
        self.pushes.retain(|push| push.expires_at_ms > turn.now_ms);
        self.pushes.front()?;
        let slot = self.ears.as_mut()?.line.slot(Class::Fast, self.mine, turn.round, &turn.calendar)?;
        let push = self.pushes.pop_front()?;
        self.last_push_seq += 1;
        let body = Body {
            seq: self.last_push_seq,
            message: self.last_push_seq,
            payload: push.payload.expose().clone(),
            ..Body::of(Kind::Data)
        };
        Some(Sending { slot, direction: self.mine, body })
    }

    /// Takes a body that opened under this contact's keys.
    pub(crate) fn hear(&mut self, class: Class, round: u64, body: &Body, now_ms: u64) -> Heard {
        if class == Class::Fast {
            // Each key opens once and nothing is repeated: there is nothing to count.
            let whole = body.kind == Kind::Data && body.fragments == 1 && self.is_open();
            return if whole { Heard::Message(Secret::new(body.payload.clone())) } else { Heard::Nothing };
        }
        let settled_round = (body.flags & FLAG_ACK_SETTLED != 0).then_some(round);
        self.outbox.acked(Acked { ack: body.ack, bits: body.ack_bits, settled_round });
        let verified = self.is_open() && body.flags & FLAG_CODES_AGREE != 0 && {
            self.agreed_there = true;
            self.settle_state()
        };
        if self.enrolment.is_some() && body.kind != Kind::Confirm {
            // The peer is further than this side: an ack shows it which confirm was lost.
            self.ack_due.get_or_insert(round);
        }
        let heard = match body.kind {
            Kind::Data if self.is_open() => self.hear_message(body, round),
            Kind::Confirm if self.enrolment.is_some() => self.hear_confirm(body, round, now_ms),
            Kind::Confirm | Kind::BucketSeed => {
                if let Taken::Message(seed) = self.count(body, round)
                    && body.kind == Kind::BucketSeed
                    && let Ok(seed) = <[u8; 32]>::try_from(&seed.expose()[..])
                {
                    self.peer_bucket_seed = Secret::new(seed);
                }
                Heard::Nothing
            }
            // A re-key that this program does not make is counted, so that its sender goes on under the old root.
            Kind::RekeyPublic | Kind::RekeyCiphertext => {
                self.count(body, round);
                Heard::Nothing
            }
            Kind::Data | Kind::Ack | Kind::Hello | Kind::Loop => Heard::Nothing,
        };
        if matches!(heard, Heard::Nothing) && verified { Heard::Verified } else { heard }
    }

    fn hear_message(&mut self, body: &Body, round: u64) -> Heard {
        match self.count(body, round) {
            Taken::Message(message) => Heard::Message(message),
            Taken::Duplicate | Taken::Part | Taken::Refused => Heard::Nothing,
        }
    }

    fn hear_confirm(&mut self, body: &Body, round: u64, now_ms: u64) -> Heard {
        let Some(enrolment) = &self.enrolment else { return Heard::Nothing };
        let (key, transcript) = (&enrolment.confirm, &enrolment.transcript);
        let Ok(theirs) = enrol::check_confirm(key, transcript, self.mine.other(), &body.payload) else {
            return Heard::Refused;
        };
        if let Some((invite, committed)) = &enrolment.committed
            && enrol::check_commitment(&theirs, invite, committed).is_err()
        {
            return Heard::Refused;
        }
        let code = match self.mine {
            Direction::Inviter => Code::of(transcript, &enrolment.nonce, &theirs),
            Direction::Accepter => Code::of(transcript, &theirs, &enrolment.nonce),
        };
        if self.mine == Direction::Accepter {
            let ours = enrol::confirm(key, transcript, self.mine, &enrolment.nonce);
            if self.outbox.queue(Kind::Confirm, &ours, now_ms).is_err() {
                return Heard::Nothing;
            }
        }
        self.count(body, round);
        (self.code, self.enrolment, self.greeting) = (Some(code), None, None);
        self.state = ContactState::Unverified;
        Heard::Enrolled
    }

    /// Counts a body with a number; it must be acked, also when it came before, since then the ack was lost.
    fn count(&mut self, body: &Body, round: u64) -> Taken {
        let taken = self.inbox.take(body);
        if !matches!(taken, Taken::Refused) {
            self.ack_due.get_or_insert(round);
        }
        taken
    }

    fn settle_state(&mut self) -> bool {
        let verifies = self.state == ContactState::Unverified && self.agreed_here && self.agreed_there;
        if verifies {
            self.state = ContactState::Verified;
        }
        verifies
    }
}

/// `X(bucket_seed, "bucket" ‖ e u32, 16) mod B`.
pub fn bucket_of(seed: &Secret<[u8; 32]>, epoch: u32, buckets: u16) -> u16 {
    let drawn = expand::<16>(seed, &[b"bucket", &epoch.to_be_bytes()]);
    let number = u128::from_be_bytes(*drawn.expose()) % u128::from(buckets.max(1));
    u16::try_from(number).expect("it is below a u16")
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({})", self.state.word())
    }
}
