//! A world of members around one relay that is no more than a list of published cells by round.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use tessera_mailbox::calendar::Calendar;
use tessera_mailbox::cell::{Cell, Class, TAG_BYTES};
use tessera_mailbox::client::{Client, Effect, Input, Moment, Network, Notice, Settings, Turn};
use tessera_mailbox::contact::{ContactId, ContactState};
use tessera_mailbox::frame::TurnCode;
use tessera_mailbox::invite::Invite;

/// T of a normal round.
pub(crate) const T: u64 = 60_000;
const GENESIS: u64 = 1_800_000_000_000;
pub(crate) const URL: &str = "http://127.0.0.1:8100";

/// Bytes that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.next() >> 32) as u8;
        }
    }

    pub(crate) fn hits(&mut self, percent: u64) -> bool {
        (self.next() >> 32) % 100 < percent
    }
}

pub(crate) struct Member {
    pub(crate) client: Option<Client>,
    pub(crate) is_online: bool,
    /// What stands on disk.
    pub(crate) saved: Vec<u8>,
    pub(crate) messages: Vec<(ContactId, ContactState, Vec<u8>)>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) clock_off_ms: i64,
    settings: Settings,
}

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) now_ms: u64,
    pub(crate) dice: Dice,
    pub(crate) members: Vec<Member>,
    /// Cells that the relay took in the running round, and by whom.
    pub(crate) intake: Vec<(usize, Turn)>,
    /// Every cell that was ever made, by maker.
    pub(crate) made: Vec<(usize, Class, u64, Cell)>,
    /// What was published, by class and round.
    pub(crate) published: BTreeMap<(u8, u64), Vec<u8>>,
    /// Percent of accepted cells that the relay loses.
    pub(crate) loses_percent: u64,
    /// What the relay answers to every turn.
    pub(crate) code: TurnCode,
    /// The relay changes what it publishes.
    pub(crate) tampers: Option<fn(&mut Vec<Cell>)>,
}

pub(crate) fn network(is_bucketed: bool) -> Network {
    Network {
        id: [7; 32],
        calendar: Calendar::new(GENESIS, 86_400_000, T, 1_000).unwrap(),
        is_bucketed,
        catches_up: !is_bucketed,
        retention_ms: 14 * 86_400_000,
        is_dev: false,
        events: 1_000,
    }
}

impl World {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::with(network(false), names)
    }

    pub(crate) fn with(network: Network, names: &[&str]) -> Self {
        let mut world = Self {
            network,
            // Not at an epoch's beginning, and in the middle of a segment.
            now_ms: GENESIS + 3 * 86_400_000 + 100 * T,
            dice: Dice::new(1),
            members: Vec::new(),
            intake: Vec::new(),
            made: Vec::new(),
            published: BTreeMap::new(),
            loses_percent: 0,
            code: TurnCode::Accepted,
            tampers: None,
        };
        names.iter().for_each(|name| world.join(name, Settings { loop_one_in: 0, ..Settings::MEMBER }));
        world
    }

    pub(crate) fn join(&mut self, name: &str, settings: Settings) {
        let dice = &mut self.dice;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let mut moment = Moment { now_ms: self.now_ms, entropy: &mut entropy };
        let client = Client::new(self.network, settings, name, &mut moment);
        let saved = client.encode().expose().clone();
        self.members.push(Member {
            client: Some(client),
            is_online: false,
            saved,
            messages: Vec::new(),
            notices: Vec::new(),
            clock_off_ms: 0,
            settings,
        });
        self.online(self.members.len() - 1);
    }

    /// Something that a person does.
    pub(crate) fn act<R>(&mut self, who: usize, does: impl FnOnce(&mut Client, &mut Moment<'_>) -> R) -> R {
        let now_ms = self.now_ms.saturating_add_signed(self.members[who].clock_off_ms);
        let dice = &mut self.dice;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let mut moment = Moment { now_ms, entropy: &mut entropy };
        let done = does(self.members[who].client.as_mut().unwrap(), &mut moment);
        self.save(who);
        done
    }

    pub(crate) fn client(&self, who: usize) -> &Client {
        self.members[who].client.as_ref().unwrap()
    }

    pub(crate) fn invite(&mut self, who: usize) -> Invite {
        let bytes = self.act(who, |client, moment| client.invite(URL, moment).unwrap().encode());
        Invite::parse(bytes.expose()).unwrap()
    }

    pub(crate) fn accept(&mut self, who: usize, invite: &Invite) -> ContactId {
        self.act(who, |client, moment| client.accept(invite, moment).unwrap())
    }

    pub(crate) fn send(&mut self, who: usize, to: ContactId, text: &str) {
        let now_ms = self.now_ms;
        self.act(who, |client, _| client.send(to, text.as_bytes(), now_ms).unwrap());
    }

    pub(crate) fn online(&mut self, who: usize) {
        self.members[who].is_online = true;
        let now_ms = self.now_ms;
        self.step(who, Input::Welcome { now_ms, round_trip_ms: 0 });
    }

    pub(crate) fn offline(&mut self, who: usize) {
        self.members[who].is_online = false;
        self.step(who, Input::Lost);
    }

    /// The process ends without a word, and another begins with what stands on disk.
    pub(crate) fn restart(&mut self, who: usize) {
        let bytes = self.members[who].saved.clone();
        self.restart_from(who, &bytes);
    }

    pub(crate) fn restart_from(&mut self, who: usize, bytes: &[u8]) {
        let settings = self.members[who].settings;
        self.members[who].client = Some(Client::decode(bytes, self.network, settings).unwrap());
        self.members[who].saved = bytes.to_vec();
        if self.members[who].is_online {
            self.online(who);
        }
    }

    pub(crate) fn round(&self) -> u64 {
        self.network.calendar.round_at(Class::Normal, self.now_ms).unwrap()
    }

    pub(crate) fn rounds(&mut self, count: u64) {
        (0..count).for_each(|_| self.one_round());
    }

    /// One normal round: everybody who is online acts, the relay publishes, everybody who is online reads.
    pub(crate) fn one_round(&mut self) {
        let round = self.round();
        let start = self.network.calendar.starts_at_ms(Class::Normal, round);
        self.now_ms = start + T * 56 / 100;
        (0..self.members.len()).for_each(|who| self.tick(who));
        self.now_ms = start + T * 97 / 100;
        self.publish(Class::Normal, round);
        self.now_ms = start + T;
    }

    pub(crate) fn tick(&mut self, who: usize) {
        if self.members[who].is_online {
            self.step(who, Input::Tick);
        }
    }

    pub(crate) fn publish(&mut self, class: Class, round: u64) {
        let taken = std::mem::take(&mut self.intake);
        let (of_round, others): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|(_, turn)| (turn.class, turn.round) == (class, round));
        self.intake = others;
        let (dice, loses) = (&mut self.dice, self.loses_percent);
        let mut cells: Vec<Cell> =
            of_round.into_iter().filter(|_| !dice.hits(loses)).map(|(_, turn)| *turn.cell).collect();
        if let Some(tamper) = self.tampers {
            tamper(&mut cells);
        }
        cells.sort_unstable();
        let rows = cells.concat();
        self.published.insert((class.number(), round), rows.clone());
        for who in 0..self.members.len() {
            if self.members[who].is_online {
                self.step(who, Input::Rows { class, round, rows: &rows });
            }
        }
    }

    /// All tags that were ever made differ: no key sealed twice.
    pub(crate) fn no_tag_was_made_twice(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.made.iter().all(|(_, _, _, cell)| seen.insert(cell[..TAG_BYTES].to_vec()))
    }

    pub(crate) fn step(&mut self, who: usize, input: Input<'_>) {
        let now_ms = self.now_ms.saturating_add_signed(self.members[who].clock_off_ms);
        let client = self.members[who].client.take().unwrap();
        let dice = &mut self.dice;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let mut moment = Moment { now_ms, entropy: &mut entropy };
        let (client, effects) = client.step(input, &mut moment);
        self.members[who].client = Some(client);
        for effect in effects {
            match effect {
                Effect::Save => self.save(who),
                Effect::Tell(notice) => self.members[who].notices.push(notice),
                Effect::Turn(turn) => {
                    self.made.push((who, turn.class, turn.round, *turn.cell));
                    let (class, round, number) = (turn.class, turn.round, turn.turn);
                    let code = self.code;
                    if code == TurnCode::Accepted {
                        self.intake.push((who, turn));
                    }
                    self.step(who, Input::Turned { class, round, turn: number, code });
                }
                Effect::Fetch { first, rounds, .. } => {
                    for round in first..first + rounds {
                        let rows = self.published.get(&(0, round)).cloned();
                        self.step(who, Input::Blob { round, rows: rows.as_deref() });
                    }
                }
            }
        }
    }

    /// State and messages become durable together.
    pub(crate) fn save(&mut self, who: usize) {
        let member = &mut self.members[who];
        let client = member.client.as_mut().unwrap();
        for message in client.take_messages() {
            member.messages.push((message.contact, message.state, message.bytes.expose().clone()));
        }
        member.saved = client.encode().expose().clone();
    }

    pub(crate) fn texts(&self, who: usize) -> Vec<String> {
        let of = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        self.members[who].messages.iter().map(|(_, _, bytes)| of(bytes)).collect()
    }

    /// The members become contacts, all rounds included; the ids on either side.
    pub(crate) fn befriend(&mut self, inviter: usize, accepter: usize) -> (ContactId, ContactId) {
        let before: BTreeSet<ContactId> =
            self.client(inviter).contacts().iter().map(|one| one.id()).collect();
        let invite = self.invite(inviter);
        let there = self.accept(accepter, &invite);
        for _ in 0..40 {
            self.one_round();
            let here = self.client(inviter).contacts().iter().find(|one| !before.contains(&one.id()));
            if let Some(here) = here
                && here.code().is_some()
                && self.client(accepter).contact(there).unwrap().code().is_some()
            {
                return (here.id(), there);
            }
        }
        panic!("no contact after 40 rounds");
    }
}
