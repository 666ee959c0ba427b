//! What people do with a client: invite, accept, compare, send, block. Each changes the state only; the driver saves it then.

use super::hear::HELLO_CELLS;
use super::{CONTACTS_MAX, Client, INVITES_MAX, Moment, OUTBOX_MAX, OpenInvite, Reason};
use crate::body::{Kind, PAYLOAD_BYTES_MAX};
use crate::cell::{Class, Direction};
use crate::chain::{Line, Source};
use crate::contact::{Beginning, Contact, ContactId, ContactState, Greeting, PUSHES_MAX, Push};
use crate::delivery::{Outbox, QueueRefusal, cut};
use crate::enrol::{self, Card, Code, EnrolFault};
use crate::invite::{INVITE_TTL_S_MAX, Invite, is_name, is_url};
use crate::listener::Listener;
use crypto::schnorr::SchnorrSecret;
use crypto::secret::Secret;
use crypto::xwing::SecretKey;
use std::collections::BTreeMap;

/// Why no invite is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteRefusal {
    /// As many are open as can be.
    #[error("{INVITES_MAX} invites are open already")]
    Full,
    /// Over 32 bytes, or with control characters.
    #[error("the name is too long, or holds control characters")]
    Name,
    /// No address of a relay.
    #[error("not an address of a relay")]
    Url,
}

/// Why an invite is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefusal {
    /// It is for another network than this member's.
    #[error("the invite is for another network")]
    Network,
    /// Its time is over.
    #[error("the invite has expired")]
    Expired,
    /// It is one of this member's own.
    #[error("the invite is your own")]
    Own,
    /// It was accepted here before.
    #[error("the invite was accepted here already")]
    Again,
    /// There are as many contacts as can be.
    #[error("{CONTACTS_MAX} contacts are as many as can be")]
    Full,
    /// The own name is too long, or holds control characters.
    #[error("the name is too long, or holds control characters")]
    Name,
    /// Its key is none.
    #[error(transparent)]
    Enrol(#[from] EnrolFault),
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    /// There is no such contact.
    #[error("no such contact")]
    Unknown,
    /// Enrolment goes on, or the contact is blocked or gone.
    #[error("the contact is {}", .0.word())]
    State(ContactState),
    /// Too long, or too much waits.
    #[error(transparent)]
    Queue(#[from] QueueRefusal),
}

/// Why a comparison changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyRefusal {
    /// There is no such contact.
    #[error("no such contact")]
    Unknown,
    /// Enrolment goes on, or the contact is blocked or gone: there is no code.
    #[error("the contact is {}", .0.word())]
    State(ContactState),
    /// The codes differ: somebody else may have accepted the invite.
    #[error("the codes differ")]
    Differ,
}

impl Client {
    /// Makes an invite, good for seven days and one contact.
    ///
    /// # Errors
    /// [`InviteRefusal`].
    pub fn invite(&mut self, url: &str, moment: &mut Moment<'_>) -> Result<&Invite, InviteRefusal> {
        if self.invites.len() >= INVITES_MAX {
            return Err(InviteRefusal::Full);
        }
        if !is_name(&self.name) {
            return Err(InviteRefusal::Name);
        }
        if !is_url(url) {
            return Err(InviteRefusal::Url);
        }
        let (key, xwing_pk) = SecretKey::generate();
        let sign_seed = Secret::new(moment.draw());
        let invite = Invite {
            network_id: self.network.id,
            expires_s: moment.now_ms / 1_000 + INVITE_TTL_S_MAX,
            secret: Secret::new(moment.draw()),
            bucket_seed: Secret::new(*self.bucket_seed.expose()),
            xwing_pk,
            sign_pk: SchnorrSecret::from_secret(&sign_seed).public(),
            url: url.to_owned(),
            name: self.name.clone(),
        };
        let calendar = &self.network.calendar;
        let now = self.network_now(moment.now_ms);
        let epoch = calendar.epoch_at(now).unwrap_or(0);
        let mut line = Line::open(Source::Fixed, invite.root(), epoch, calendar);
        // Nobody can have accepted it in a round before this one.
        let round = calendar.round_at(Class::Normal, now).unwrap_or(0);
        line.skip(Class::Normal, Direction::Accepter, round, calendar);
        self.expected.get_or_insert(round);
        let listener = Listener::new(Class::Normal, Direction::Accepter);
        self.invites.push(OpenInvite { invite, key, sign_seed, line, listener, partial: BTreeMap::new() });
        Ok(&self.invites[self.invites.len() - 1].invite)
    }

    /// Takes an invite back, by the beginning of its digest in hexadecimal digits; false where no one fits.
    pub fn withdraw(&mut self, digest_hex: &str) -> bool {
        let fits = |open: &OpenInvite| crypto::hex::encode(&open.invite.digest()).starts_with(digest_hex);
        let one = self.invites.iter().filter(|open| fits(open)).count() == 1;
        if one {
            self.invites.retain(|open| !fits(open));
        }
        one
    }

    /// Accepts an invite: a contact begins, and its hello waits for the next rounds.
    ///
    /// # Errors
    /// [`AcceptRefusal`]; then nothing changes.
    pub fn accept(&mut self, invite: &Invite, moment: &mut Moment<'_>) -> Result<ContactId, AcceptRefusal> {
        let digest = invite.digest();
        let root_tag = invite.root();
        if invite.network_id != self.network.id {
            return Err(AcceptRefusal::Network);
        }
        if invite.expires_s.saturating_mul(1_000) <= moment.now_ms {
            return Err(AcceptRefusal::Expired);
        }
        if self.invites.iter().any(|open| open.invite.digest() == digest) {
            return Err(AcceptRefusal::Own);
        }
        let seed = invite.bucket_seed.expose();
        let again = |contact: &Contact| {
            contact.greeting.is_some()
                && crypto::hash::equal(contact.peer_bucket_seed.expose(), seed)
                && contact.peer_sign_pk == invite.sign_pk
        };
        if self.contacts.iter().any(again) {
            return Err(AcceptRefusal::Again);
        }
        if self.contacts.len() >= self.settings.contacts_max() {
            return Err(AcceptRefusal::Full);
        }
        if !is_name(&self.name) {
            return Err(AcceptRefusal::Name);
        }
        let calendar = self.network.calendar;
        let now = self.network_now(moment.now_ms);
        let epoch = calendar.epoch_at(now).unwrap_or(0);
        let (sign_seed, nonce) = (Secret::new(moment.draw()), moment.draw());
        let card = Card {
            epoch,
            bucket_seed: Secret::new(*self.bucket_seed.expose()),
            sign_pk: SchnorrSecret::from_secret(&sign_seed).public(),
            name: self.name.clone(),
        };
        let (hello, keys) = enrol::greet(invite, &card, &nonce)?;
        let mut line = Line::open(Source::Fixed, root_tag, epoch, &calendar);
        line.skip(
            Class::Normal,
            Direction::Accepter,
            calendar.round_at(Class::Normal, now).unwrap_or(0),
            &calendar,
        );
        let mut outbox = Outbox::starting_after(u32::from_be_bytes(moment.draw()));
        let parts = hello.chunks(hello.len().div_ceil(usize::from(HELLO_CELLS)));
        debug_assert!(parts.clone().all(|part| part.len() <= PAYLOAD_BYTES_MAX), "three cells hold a hello");
        let expires_at_ms = invite.expires_s.saturating_mul(1_000);
        outbox.queue_parts(Kind::Hello, parts, expires_at_ms);
        let id = ContactId(moment.draw());
        let beginning = Beginning {
            id,
            name: invite.name.clone(),
            mine: Direction::Accepter,
            peer_bucket_seed: Secret::new(*invite.bucket_seed.expose()),
            peer_sign_pk: invite.sign_pk,
            sign_seed,
        };
        let rounds = [Class::Normal, Class::Fast].map(|class| calendar.round_at(class, now).unwrap_or(0));
        let mut contact = Contact::begin(beginning, keys, epoch, rounds, &calendar);
        self.expected.get_or_insert(rounds[0]);
        if let Some(enrolment) = &mut contact.enrolment {
            enrolment.nonce = nonce;
        }
        contact.greeting = Some(Greeting { line, outbox, expires_at_ms });
        self.contacts.push(contact);
        Ok(id)
    }

    /// Where this member reads: part of what an enrolment elsewhere tells the peer.
    pub fn bucket_seed(&self) -> &Secret<[u8; 32]> {
        &self.bucket_seed
    }

    /// The person read the peer's code; whether both sides agree by now.
    ///
    /// # Errors
    /// [`VerifyRefusal`]; a code that differs changes nothing.
    pub fn verify(&mut self, id: ContactId, code: Code) -> Result<bool, VerifyRefusal> {
        let at = self.position(id).ok_or(VerifyRefusal::Unknown)?;
        let contact = &mut self.contacts[at];
        let ours = contact.code.filter(|_| contact.is_open()).ok_or(VerifyRefusal::State(contact.state))?;
        if !crypto::hash::equal(&ours.number().to_be_bytes(), &code.number().to_be_bytes()) {
            return Err(VerifyRefusal::Differ);
        }
        contact.agree();
        Ok(contact.state == ContactState::Verified)
    }

    /// Queues a message; its number, and how many cells it takes.
    ///
    /// # Errors
    /// [`SendRefusal`]; then nothing is queued.
    pub fn send(&mut self, id: ContactId, message: &[u8], now_ms: u64) -> Result<(u32, usize), SendRefusal> {
        let at = self.position(id).ok_or(SendRefusal::Unknown)?;
        let cells = cut(message)?.len();
        if self.waiting() + cells > OUTBOX_MAX {
            return Err(QueueRefusal::Full.into());
        }
        let contact = &mut self.contacts[at];
        if !contact.is_open() {
            return Err(SendRefusal::State(contact.state));
        }
        Ok((contact.outbox.queue(Kind::Data, message, now_ms)?, cells))
    }

    /// Queues one payload for the next fast round; it is dropped unsent at `expires_at_ms`.
    ///
    /// # Errors
    /// [`SendRefusal`]; also when four wait for this contact already.
    pub fn push(&mut self, id: ContactId, payload: &[u8], expires_at_ms: u64) -> Result<(), SendRefusal> {
        let at = self.position(id).ok_or(SendRefusal::Unknown)?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(QueueRefusal::TooLong.into());
        }
        let contact = &mut self.contacts[at];
        if !contact.is_open() {
            return Err(SendRefusal::State(contact.state));
        }
        if contact.pushes.len() >= PUSHES_MAX {
            return Err(QueueRefusal::Full.into());
        }
        contact.pushes.push_back(Push { payload: Secret::new(payload.to_vec()), expires_at_ms });
        Ok(())
    }

    /// Blocks a contact: its keys are dropped, so nothing of it is found any more; false where there is none.
    pub fn block(&mut self, id: ContactId) -> bool {
        self.close(id, ContactState::Blocked)
    }

    /// Forgets a contact; false where there is none.
    pub fn remove(&mut self, id: ContactId) -> bool {
        let before = self.contacts.len();
        self.contacts.retain(|contact| contact.id != id);
        self.contacts.len() < before
    }

    /// Calls a contact by another name; false where there is none, or the name cannot be shown.
    pub fn rename(&mut self, id: ContactId, name: &str) -> bool {
        match self.position(id) {
            Some(at) if is_name(name) => {
                name.clone_into(&mut self.contacts[at].name);
                true
            }
            Some(_) | None => false,
        }
    }

    /// After a restore: chains are never in a backup, since a clone would use keys twice. Every contact needs a new invite.
    pub fn forget_chains(&mut self) {
        self.contacts.iter_mut().for_each(|contact| contact.close(ContactState::Gone));
        self.invites.clear();
    }

    /// The person accepts as many events with a contact as the promise covers, once more; false where there is none.
    pub fn accept_budget(&mut self, id: ContactId) -> bool {
        let at = self.position(id);
        if let Some(at) = at {
            self.contacts[at].tally.accept();
            self.told_spent.remove(&id);
        }
        at.is_some()
    }

    /// The person agrees to the changed relays.
    pub fn accept_relays(&mut self) {
        self.reasons.remove(&Reason::RelaysChanged);
    }

    fn close(&mut self, id: ContactId, state: ContactState) -> bool {
        let at = self.position(id);
        if let Some(at) = at {
            self.contacts[at].close(state);
        }
        at.is_some()
    }

    /// Network time, as far as it is known.
    pub(super) fn network_now(&self, now_ms: u64) -> u64 {
        match &self.link {
            Some(link) if link.is_trusted => link.network_now(now_ms),
            Some(_) | None => now_ms,
        }
    }
}
