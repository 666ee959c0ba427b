//! What goes out: one cell in each round, real, to oneself, or null.

use super::{Client, Effect, Moment, NULL_BUCKET, Network, Notice, Reason, SILENT_ROUNDS_MAX, Sent, Turn};
use crate::account::OverBudget;
use crate::body::{Body, Kind, PAYLOAD_BYTES_MAX};
use crate::cell::{self, CELL_BYTES, Cell, Class, Direction, Place};
use crate::contact::{self, Sending};
use crate::delivery::LATE_ROUNDS;
use crate::frame::TurnCode;

/// Cells to oneself that are remembered: those of a day of rounds of a minute, many times over.
const LOOPS_MAX: usize = 1_024;
/// Cells to oneself below which a share of losses says nothing.
const LOOPS_MIN: usize = 20;
/// Losses above this share warn, in hundredths.
const LOOPS_LOST_HUNDREDTHS: usize = 5;

/// A cell that was chosen, and where it goes.
struct Chosen {
    sent: Sent,
    bucket: u16,
    cell: Box<Cell>,
}

impl Client {
    pub(super) fn tick(&mut self, moment: &mut Moment<'_>) -> Vec<Effect> {
        let Some(link) = &self.link else { return Vec::new() };
        let network_now = link.network_now(moment.now_ms);
        let due: Vec<(Class, u64)> = self
            .classes()
            .filter_map(|class| Some((class, self.next_act(class, network_now)?)))
            .filter(|(class, round)| network_now >= self.acts_at_ms(*class, *round))
            .collect();
        due.into_iter().flat_map(|(class, round)| self.act(class, round, moment)).collect()
    }

    /// The relay did not take a cell: it is sent again, in a later round.
    pub(super) fn turned(&mut self, class: Class, round: u64, turn: u8, code: TurnCode) -> Vec<Effect> {
        let at = self.unanswered.iter().position(|one| (one.0, one.1, one.2) == (class, round, turn));
        let Some(at) = at else { return Vec::new() };
        let (.., sent) = self.unanswered.swap_remove(at);
        match code {
            TurnCode::Accepted => return Vec::new(),
            TurnCode::Spent => _ = self.reasons.insert(Reason::RunsTwice),
            TurnCode::RoundClosed | TurnCode::Token | TurnCode::Length | TurnCode::Full => {}
        }
        self.unsent(class, round, sent);
        Vec::new()
    }

    /// The round was never published: whatever was sent in it is sent again.
    pub(super) fn dead(&mut self, class: Class, round: u64) -> Vec<Effect> {
        if let Some(link) = &mut self.link
            && class == Class::Normal
        {
            link.statement = link.statement.max(Some(round));
        }
        if class == Class::Normal {
            self.contacts.iter_mut().for_each(|contact| contact.unsent(round));
            self.loops.sent.retain(|(sent, _)| *sent != round);
            if self.expected == Some(round) {
                self.expected = Some(round + 1);
            }
        }
        Vec::new()
    }

    pub(super) fn lost(&mut self) {
        for (class, round, _, sent) in std::mem::take(&mut self.unanswered) {
            self.unsent(class, round, sent);
        }
        self.link = None;
        self.fetching = None;
    }

    fn unsent(&mut self, class: Class, round: u64, sent: Sent) {
        match (class, sent) {
            (Class::Normal, Sent::Contact(id)) => {
                if let Some(at) = self.position(id) {
                    self.contacts[at].unsent(round);
                }
            }
            (_, Sent::Loop) => self.loops.sent.retain(|(sent, _)| *sent != round),
            (Class::Fast, Sent::Contact(_)) | (_, Sent::Null) => {}
        }
    }

    fn act(&mut self, class: Class, round: u64, moment: &mut Moment<'_>) -> Vec<Effect> {
        let trusted = self.link.as_ref().is_some_and(|link| link.is_trusted);
        let mut told = Vec::new();
        if !trusted {
            // Of a time that may be wrong no key is made and nothing is kept.
            told.extend(self.degraded(class, round));
            if let Some(link) = &mut self.link {
                link.null_round[class as usize] = Some(round);
            }
            let null = self.null(moment);
            return self.turns(class, round, vec![null], Vec::new(), told);
        }
        self.begin(class, round);
        told.extend(self.degraded(class, round));
        told.extend(self.expire(class, round, moment.now_ms));
        let is_degraded = self.was_degraded;
        let chosen = match class {
            Class::Normal => vec![self.choose(round, is_degraded, moment, &mut told)],
            Class::Fast => self.choose_pushes(round, is_degraded, moment),
        };
        self.last_round[class as usize] = Some(round);
        // A fast round of nulls used no key: a second's rhythm of writes would wear a disk and protect nothing.
        let used = class == Class::Normal || chosen.iter().any(|one| one.sent != Sent::Null);
        let mut effects: Vec<Effect> = used.then_some(Effect::Save).into_iter().collect();
        effects.extend(self.fetch(class, round));
        self.turns(class, round, chosen, effects, told)
    }

    fn turns(
        &mut self,
        class: Class,
        round: u64,
        chosen: Vec<Chosen>,
        mut effects: Vec<Effect>,
        told: Vec<Notice>,
    ) -> Vec<Effect> {
        let epoch = self.network.calendar.epoch_of(class, round);
        let buckets = self.buckets_of(class, epoch).unwrap_or(1);
        let read = self.own_bucket(epoch, buckets);
        for (turn, Chosen { sent, bucket, cell }) in (0..).zip(chosen) {
            self.unanswered.push((class, round, turn, sent));
            effects.push(Effect::Turn(Turn { class, round, turn, bucket, read, cell }));
        }
        effects.extend(told.into_iter().map(Effect::Tell));
        effects
    }

    /// A round begins: every listener gets its key, and what lay between is missed.
    fn begin(&mut self, class: Class, round: u64) {
        let Network { calendar, catches_up, .. } = self.network;
        if class == Class::Normal && self.settings.reads {
            let expected = *self.expected.get_or_insert(round);
            let follows = self.last_round[0].is_some_and(|last| last + 1 == round);
            if !follows && expected < round {
                self.miss(expected, round - 1);
                self.expected = Some(round);
            }
        }
        let catches_up = catches_up && class == Class::Normal && !self.missed.is_empty();
        if !self.settings.reads {
            return;
        }
        for contact in &mut self.contacts {
            if let Some(ears) = &mut contact.ears {
                match class {
                    Class::Normal => ears.normal.advance(&mut ears.line, round, catches_up, &calendar),
                    Class::Fast => ears.listen_fast(round, &calendar),
                }
            }
        }
        if class == Class::Normal {
            for open in &mut self.invites {
                open.listener.advance(&mut open.line, round, catches_up, &calendar);
            }
            // Cells to oneself are of no use later.
            let loops = &mut self.loops;
            loops.listener.advance(&mut loops.line, round, false, &calendar);
        }
    }

    /// Whether only nulls go out, and what the person is told when that changes.
    fn degraded(&mut self, class: Class, round: u64) -> Option<Notice> {
        let epoch = self.network.calendar.epoch_of(class, round);
        if self.buckets_of(class, epoch).is_none() {
            self.reasons.insert(Reason::NoEpoch);
        } else {
            self.reasons.remove(&Reason::NoEpoch);
        }
        if let Some(link) = &mut self.link
            && class == Class::Normal
        {
            let last = *link.statement.get_or_insert(round);
            if self.settings.reads && round.saturating_sub(last) > SILENT_ROUNDS_MAX {
                self.reasons.insert(Reason::NoStatement);
            } else {
                self.reasons.remove(&Reason::NoStatement);
            }
        }
        let reason = self.reasons.first().copied();
        let was = std::mem::replace(&mut self.was_degraded, reason.is_some());
        match reason {
            Some(reason) => (!was).then_some(Notice::Degraded(reason)),
            None => was.then_some(Notice::Recovered),
        }
    }

    /// Gives up what waited too long, and sends again what the relays have forgotten.
    fn expire(&mut self, class: Class, round: u64, now_ms: u64) -> Vec<Notice> {
        let Some(round_ms) = self.network.calendar.round_ms(class) else { return Vec::new() };
        let mut told = Vec::new();
        if class == Class::Fast {
            return told;
        }
        let forgotten = round.saturating_sub(self.network.retention_ms / round_ms);
        for contact in &mut self.contacts {
            contact.outbox.forgotten(forgotten);
            let lost = contact.outbox.expire(now_ms);
            told.extend(lost.into_iter().map(|message| Notice::Undelivered(contact.id, message)));
            if contact.greeting.as_ref().is_some_and(|greeting| greeting.expires_at_ms <= now_ms) {
                contact.close(contact::ContactState::Gone);
            }
        }
        self.invites.retain(|open| open.invite.expires_s.saturating_mul(1_000) > now_ms);
        told.extend(self.judge_loops(round, 86_400_000 / round_ms));
        told
    }

    /// The cell of a normal round: of the next contact that has something to say and may, else to oneself, else null.
    fn choose(
        &mut self,
        round: u64,
        is_degraded: bool,
        moment: &mut Moment<'_>,
        told: &mut Vec<Notice>,
    ) -> Chosen {
        let turn = self.turn_of(round, moment.now_ms);
        if !is_degraded {
            for step in 0..self.contacts.len() {
                let at = (self.next_contact + step) % self.contacts.len();
                if !self.contacts[at].wants(round) || !self.may_spend(at, told) {
                    continue;
                }
                if let Some(sending) = self.contacts[at].send(turn) {
                    self.next_contact = at + 1;
                    self.count(at, round, moment.now_ms, told);
                    return self.sealed(Class::Normal, round, at, sending);
                }
            }
            if let Some(chosen) = self.loop_cell(round, moment) {
                return chosen;
            }
        }
        self.null(moment)
    }

    /// The cells of a fast round: one push for each of so many contacts, else nulls. Fast rounds are always in full mode.
    fn choose_pushes(&mut self, round: u64, is_degraded: bool, moment: &mut Moment<'_>) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        let count = if is_degraded { 0 } else { self.contacts.len() };
        let first = self.next_contact;
        let turn = self.turn_of(round, moment.now_ms);
        for step in 0..count {
            if chosen.len() == usize::from(self.settings.fast_turns) {
                break;
            }
            let at = (first + step) % self.contacts.len();
            if let Some(sending) = self.contacts[at].push(turn) {
                self.next_contact = at + 1;
                chosen.push(self.sealed(Class::Fast, round, at, sending));
            }
        }
        while chosen.len() < usize::from(self.settings.fast_turns) {
            chosen.push(self.null(moment));
        }
        chosen
    }

    fn turn_of(&self, round: u64, now_ms: u64) -> contact::Turn {
        let settled = self.missed.is_empty() && self.expected.is_none_or(|expected| expected + 1 >= round);
        contact::Turn { round, now_ms, settled, calendar: self.network.calendar }
    }

    fn sealed(&self, class: Class, round: u64, at: usize, sending: Sending) -> Chosen {
        let contact = &self.contacts[at];
        let epoch = self.network.calendar.epoch_of(class, round);
        let bucket = contact.bucket(epoch, self.buckets_of(class, epoch).unwrap_or(1));
        let Sending { slot, direction, body } = sending;
        let place = Place { network_id: self.network.id, class, round, direction };
        Chosen { sent: Sent::Contact(contact.id), bucket, cell: Box::new(cell::seal(slot, &place, &body)) }
    }

    fn loop_cell(&mut self, round: u64, moment: &mut Moment<'_>) -> Option<Chosen> {
        let one_in = self.settings.loop_one_in;
        if one_in == 0 || !u16::from_be_bytes(moment.draw()).is_multiple_of(one_in) {
            return None;
        }
        let (direction, calendar) = (Direction::Inviter, self.network.calendar);
        let slot = self.loops.sender.slot(Class::Normal, direction, round, &calendar)?;
        let body = Body { payload: moment.draw::<PAYLOAD_BYTES_MAX>().to_vec(), ..Body::of(Kind::Loop) };
        let place = Place { network_id: self.network.id, class: Class::Normal, round, direction };
        let epoch = calendar.epoch_of(Class::Normal, round);
        let bucket = self.own_bucket(epoch, self.buckets_of(Class::Normal, epoch).unwrap_or(1));
        self.loops.sent.push_back((round, false));
        if self.loops.sent.len() > LOOPS_MAX {
            self.loops.sent.pop_front();
        }
        Some(Chosen { sent: Sent::Loop, bucket, cell: Box::new(cell::seal(slot, &place, &body)) })
    }

    /// In full mode a null is stored like any other cell, in the one bucket.
    fn null(&self, moment: &mut Moment<'_>) -> Chosen {
        let bucket = if self.network.is_bucketed { NULL_BUCKET } else { 0 };
        Chosen { sent: Sent::Null, bucket, cell: Box::new(moment.draw::<CELL_BYTES>()) }
    }

    /// B of an epoch; none where the relays have not said it. Fast rounds and full mode have one bucket.
    fn buckets_of(&self, class: Class, epoch: u32) -> Option<u16> {
        if class == Class::Fast || !self.network.is_bucketed {
            return Some(1);
        }
        self.buckets.filter(|(known, _)| *known == epoch).map(|(_, buckets)| buckets)
    }

    fn may_spend(&mut self, at: usize, told: &mut Vec<Notice>) -> bool {
        let contact = &self.contacts[at];
        if !self.network.is_bucketed || !contact.tally.is_spent(self.network.events) {
            return true;
        }
        if self.told_spent.insert(contact.id) {
            told.push(Notice::BudgetSpent(contact.id));
        }
        self.settings.over_budget == OverBudget::Warn
    }

    /// Counts a real cell of a round, of either direction.
    pub(super) fn count(&mut self, at: usize, round: u64, now_ms: u64, told: &mut Vec<Notice>) {
        if !self.network.is_bucketed {
            return;
        }
        self.tally.count(round, now_ms);
        let contact = &mut self.contacts[at];
        contact.tally.count(round, now_ms);
        if contact.tally.warns(self.network.events) {
            told.push(Notice::BudgetNear(contact.id));
        }
    }

    /// Asks for the next missed rounds, unless some are on their way.
    fn fetch(&mut self, class: Class, round: u64) -> Option<Effect> {
        if class == Class::Fast {
            return None;
        }
        let round_ms = self.network.calendar.round_ms(class)?;
        let kept = round.saturating_sub(self.network.retention_ms / round_ms);
        while let Some((from, to)) = self.missed.front_mut() {
            *from = kept.max(*from);
            if from <= to {
                break;
            }
            self.missed.pop_front();
        }
        let (from, to) = *self.missed.front()?;
        if self.fetching.is_some_and(|(asked, _)| asked + LATE_ROUNDS > round) {
            return None;
        }
        let epoch = self.network.calendar.epoch_of(class, from);
        let epoch_end = self.network.calendar.first_round(class, epoch + 1);
        let rounds = (to - from + 1).min(super::FETCH_ROUNDS_MAX).min(epoch_end - from);
        let bucket = self.own_bucket(epoch, self.buckets_of(class, epoch).unwrap_or(1));
        self.fetching = Some((round, from + rounds - 1));
        Some(Effect::Fetch { first: from, rounds, bucket })
    }

    fn judge_loops(&mut self, round: u64, day_rounds: u64) -> Option<Notice> {
        let loops = &mut self.loops;
        loops.sent.retain(|(sent, _)| sent + day_rounds > round);
        let judged: Vec<bool> = loops
            .sent
            .iter()
            .filter(|(sent, _)| sent + 2 * LATE_ROUNDS <= round)
            .map(|(_, came)| *came)
            .collect();
        let lost = judged.iter().filter(|came| !**came).count();
        let warns = judged.len() >= LOOPS_MIN && lost * 100 > judged.len() * LOOPS_LOST_HUNDREDTHS;
        let was = std::mem::replace(&mut loops.warned, warns);
        (warns && !was).then_some(Notice::LoopsLost)
    }
}
