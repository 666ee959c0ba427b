//! What comes in: rows whose tags are ours, hellos for open invites, rounds that were missed.

use super::{Client, Effect, INBOX_MAX, MISSED_MAX, Message, Moment, Notice, OpenInvite};
use crate::body::{Body, Kind};
use crate::cell::{CELL_BYTES, Cell, Class, Tag, tag};
use crate::contact::{Beginning, Contact, ContactId, Heard};
use crate::delivery::LATE_ROUNDS;
use crate::enrol::{self, Greeted, HELLO_BYTES_MAX};
use crate::listener::Found;
use std::collections::HashMap;

/// Hellos of one invite that may be incomplete at once: of its rightful holder and of who stole it.
const PARTIAL_MAX: usize = 8;
/// Cells of a hello.
pub(super) const HELLO_CELLS: u16 = 3;
/// How long before now a hello may have been made, in epochs: the life of an invite, and a day on each side.
const HELLO_EPOCHS_MAX: u32 = 9;

/// Who listens for a tag.
#[derive(Clone, Copy)]
enum Ear {
    Contact(usize),
    Invite(usize),
    Loop,
}

impl Client {
    /// The own bucket of a round, as it was published.
    pub(super) fn rows(
        &mut self,
        class: Class,
        round: u64,
        rows: &[u8],
        moment: &mut Moment<'_>,
    ) -> Vec<Effect> {
        if class == Class::Normal {
            if let Some(link) = &mut self.link {
                link.statement = link.statement.max(Some(round));
            }
            if self.last_round[0].is_none_or(|last| last < round) {
                // Its keys were not made: it is missed, and fetched later.
                return Vec::new();
            }
            match self.expected {
                // Already looked at: a relay that shows a round twice changes nothing.
                Some(expected) if round < expected => return Vec::new(),
                Some(expected) if round > expected => self.miss(expected, round - 1),
                Some(_) | None => {}
            }
            self.expected = Some(round.saturating_add(1));
        }
        if class == Class::Fast {
            // Who was too late to act in this round hears it all the same; a round far ahead is none that could be running.
            let near = self.last_round[1].is_some_and(|last| round <= last + LATE_ROUNDS);
            let calendar = self.network.calendar;
            let ears = self.contacts.iter_mut().filter_map(|contact| contact.ears.as_mut());
            ears.filter(|_| near).for_each(|ears| ears.listen_fast(round, &calendar));
        }
        self.hear(class, rows, moment)
    }

    /// The own bucket of a missed round, or the word that there is none: then nothing that was sent in it arrived either.
    pub(super) fn blob(&mut self, round: u64, rows: Option<&[u8]>, moment: &mut Moment<'_>) -> Vec<Effect> {
        let Some((from, to)) = self.missed.front_mut() else { return Vec::new() };
        if *from != round {
            return Vec::new();
        }
        *from += 1;
        let is_last = *from > *to;
        if is_last {
            self.missed.pop_front();
        }
        let calendar = self.network.calendar;
        let ears = self.contacts.iter_mut().filter_map(|contact| contact.ears.as_mut());
        let listeners = ears.map(|ears| &mut ears.normal);
        listeners
            .chain(self.invites.iter_mut().map(|open| &mut open.listener))
            .for_each(|listener| listener.walk(round, &calendar));
        let mut effects = match rows {
            Some(rows) => self.hear(Class::Normal, rows, moment),
            None => self.dead(Class::Normal, round),
        };
        if is_last || self.fetching.is_some_and(|(_, last)| last == round) {
            // The next ones may be asked for in the next round.
            self.fetching = None;
        }
        if self.missed.is_empty() {
            self.caught_up();
            effects.push(Effect::Save);
        }
        effects
    }

    /// Rounds whose rows were not seen; where nothing can be fetched they are lost, and repeated by their senders.
    pub(super) fn miss(&mut self, from: u64, to: u64) {
        if !self.network.catches_up || !self.settings.reads {
            return;
        }
        let is_full = self.missed.len() >= MISSED_MAX;
        match self.missed.back_mut() {
            Some((_, end)) if is_full || *end + 1 >= from => *end = to.max(*end),
            Some(_) | None => self.missed.push_back((from, to)),
        }
    }

    fn caught_up(&mut self) {
        for contact in &mut self.contacts {
            if let Some(ears) = &mut contact.ears {
                ears.normal.caught_up();
            }
        }
        self.invites.iter_mut().for_each(|open| open.listener.caught_up());
    }

    fn hear(&mut self, class: Class, rows: &[u8], moment: &mut Moment<'_>) -> Vec<Effect> {
        let ears = self.ears(class);
        let mut told = Vec::new();
        let mut any = false;
        for row in rows.as_chunks::<CELL_BYTES>().0 {
            for heard in ears.get(&tag(row)).into_iter().flatten() {
                any |= self.hear_row(class, *heard, row, moment, &mut told);
            }
        }
        self.invites.retain(|open| !open.is_spent());
        let mut effects: Vec<Effect> = told.into_iter().map(Effect::Tell).collect();
        if any {
            effects.insert(0, Effect::Save);
        }
        effects
    }

    /// Every tag that a cell for this member may carry now.
    fn ears(&self, class: Class) -> HashMap<Tag, Vec<(Ear, Found)>> {
        let mut ears: HashMap<Tag, Vec<(Ear, Found)>> = HashMap::new();
        let mut listen = |ear: Ear, tags: &mut dyn Iterator<Item = (Tag, Found)>| {
            tags.for_each(|(tag, found)| ears.entry(tag).or_default().push((ear, found)));
        };
        for (at, contact) in self.contacts.iter().enumerate() {
            if let Some(kept) = &contact.ears {
                let listener = if class == Class::Normal { &kept.normal } else { &kept.fast };
                listen(Ear::Contact(at), &mut listener.tags());
            }
        }
        if class == Class::Normal {
            for (at, open) in self.invites.iter().enumerate() {
                listen(Ear::Invite(at), &mut open.listener.tags());
            }
            listen(Ear::Loop, &mut self.loops.listener.tags());
        }
        ears
    }

    /// Whether the row opened, so that there is something to save.
    fn hear_row(
        &mut self,
        class: Class,
        (ear, found): (Ear, Found),
        row: &Cell,
        moment: &mut Moment<'_>,
        told: &mut Vec<Notice>,
    ) -> bool {
        let network_id = self.network.id;
        match ear {
            Ear::Loop => {
                let opened = self.loops.listener.open(found, network_id, row).is_ok();
                self.loops.sent.iter_mut().filter(|(sent, _)| *sent == found.round).for_each(|(_, came)| {
                    *came |= opened;
                });
                opened
            }
            Ear::Invite(at) => {
                let Some(open) = self.invites.get_mut(at).filter(|open| !open.is_spent()) else {
                    return false;
                };
                let Ok(body) = open.listener.open(found, network_id, row) else { return false };
                let greeted = open.hear(&body);
                if self.network.is_bucketed {
                    self.tally.count(found.round, moment.now_ms);
                }
                if let Some(greeted) = greeted {
                    self.greeted(at, greeted, moment);
                }
                true
            }
            Ear::Contact(at) => {
                // A full inbox takes no key: the sender repeats.
                if self.inbox.len() >= INBOX_MAX {
                    return false;
                }
                let Some(ears) = self.contacts[at].ears.as_mut() else { return false };
                let listener = if class == Class::Normal { &mut ears.normal } else { &mut ears.fast };
                let Ok(body) = listener.open(found, network_id, row) else { return false };
                if class == Class::Normal {
                    self.count(at, found.round, moment.now_ms, told);
                }
                told.extend(self.heard(at, class, found.round, &body, moment.now_ms));
                true
            }
        }
    }

    fn heard(&mut self, at: usize, class: Class, round: u64, body: &Body, now_ms: u64) -> Option<Notice> {
        let contact = &mut self.contacts[at];
        let id = contact.id;
        match contact.hear(class, round, body, now_ms) {
            Heard::Nothing => None,
            Heard::Message(bytes) => {
                let state = contact.state;
                let message = Message { contact: id, state, class, round, received_at_ms: now_ms, bytes };
                self.inbox.push_back(message);
                None
            }
            Heard::Enrolled => Some(Notice::Enrolled(id)),
            Heard::Verified => Some(Notice::Verified(id)),
            Heard::Refused => Some(Notice::ConfirmRefused(id)),
        }
    }

    /// A hello opened: the invite is spent, a contact begins, and the confirm waits for the next rounds.
    fn greeted(&mut self, at: usize, greeted: Greeted, moment: &mut Moment<'_>) {
        let calendar = self.network.calendar;
        let now = self.last_round.map(|last| last.map_or(0, |last| last + 1));
        let epoch = self.last_round[0].map_or(0, |round| calendar.epoch_of(Class::Normal, round));
        let Greeted { card, commitment, keys } = greeted;
        // A hello from the future, or from before the invite, is none; nor is there room without end.
        let in_time = card.epoch <= epoch && epoch - card.epoch <= HELLO_EPOCHS_MAX;
        if !in_time || self.contacts.len() >= self.settings.contacts_max() {
            return;
        }
        let open = &mut self.invites[at];
        open.partial.clear();
        let digest = open.invite.digest();
        let beginning = Beginning {
            id: ContactId(moment.draw()),
            name: card.name,
            mine: crate::cell::Direction::Inviter,
            peer_bucket_seed: card.bucket_seed,
            peer_sign_pk: card.sign_pk,
            sign_seed: std::mem::replace(&mut open.sign_seed, crypto::secret::Secret::new([0; 64])),
        };
        open.spend();
        let mut contact = Contact::begin(beginning, keys, card.epoch, now, &calendar);
        let queued = contact.confirm_hello(moment.draw(), (digest, commitment), moment.now_ms);
        debug_assert!(queued.is_ok(), "an empty outbox has room for one confirm");
        self.contacts.push(contact);
    }
}

impl OpenInvite {
    /// A part of a hello; the whole, when it is there and holds.
    fn hear(&mut self, body: &Body) -> Option<Greeted> {
        let fits = body.kind == Kind::Hello && body.fragments == HELLO_CELLS;
        if !fits || (self.partial.len() >= PARTIAL_MAX && !self.partial.contains_key(&body.message)) {
            return None;
        }
        let parts = self.partial.entry(body.message).or_default();
        parts[usize::from(body.fragment)].get_or_insert_with(|| body.payload.clone());
        let hello: Vec<u8> = parts.iter().flatten().flatten().copied().collect();
        if parts.iter().any(Option::is_none) {
            return None;
        }
        self.partial.remove(&body.message);
        if hello.len() > HELLO_BYTES_MAX {
            return None;
        }
        enrol::receive(&self.invite, &self.key, &hello).ok()
    }

    /// The invite was accepted: its secrets are erased.
    fn spend(&mut self) {
        self.invite.expires_s = 0;
        self.invite.secret = crypto::secret::Secret::new([0; 32]);
    }

    fn is_spent(&self) -> bool {
        self.invite.expires_s == 0
    }
}
