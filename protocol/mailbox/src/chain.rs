//! The ratchet: one root an epoch, one chain for each class and direction, a segment each 64 rounds, one step each round.
//!
//! ```text
//!   R_e ─ "epoch" ─► R_{e+1}                      (R_e is gone as soon as epoch e is open)
//!    └─ "chain" e class direction ─► S_0 ─ "segment" ─► S_1 ─ "segment" ─► …
//!                                     └─► C ─ "step" ─► C' …        └─► C …
//!                                          └─► key, tag of one round
//! ```
//! Each value is erased when its successor exists, so what is seized opens nothing older than the window of a receiver.

use crate::bytes::{Malformed, Reader, Writer};
use crate::calendar::Calendar;
use crate::cell::{Class, Direction, Slot, Tag};
use crate::label::expand;
use crypto::secret::Secret;
use std::collections::VecDeque;

/// Rounds of a segment: who was away skips whole ones.
pub const SEGMENT_ROUNDS: u64 = 64;
/// Rounds whose keys a receiver keeps: held and carried cells come late.
pub const WINDOW_ROUNDS: usize = 8;
/// Both classes.
const CLASSES: [Class; 2] = [Class::Normal, Class::Fast];
/// Epochs that one call walks over: ten years away are no bug, more are a broken clock.
const EPOCHS_MAX: u32 = 3_660;

/// All chains that grow from one root.
pub struct Line {
    source: Source,
    epoch: u32,
    /// R of the next epoch, or the one R there is.
    next: Secret<[u8; 32]>,
    chains: Vec<Chain>,
}

/// How the roots of a line follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Each from the one before: contacts.
    Ratchet = 0,
    /// One for all epochs: invites, whose secret both sides keep anyway, and loops.
    Fixed = 1,
}

struct Chain {
    class: Class,
    direction: Direction,
    /// Index of the segment that `step` belongs to.
    segment: u64,
    /// S of the segment after it.
    next: Secret<[u8; 32]>,
    /// C of `round`.
    step: Secret<[u8; 32]>,
    /// The first round that no step was made for.
    round: u64,
}

/// The keys of the last rounds, newest last.
#[derive(Default)]
pub struct Window(VecDeque<(u64, Slot)>);

impl Line {
    /// The line of `root` in `epoch`, with a chain for each class and direction.
    pub fn open(source: Source, root: Secret<[u8; 32]>, epoch: u32, calendar: &Calendar) -> Self {
        let mut line = Self { source, epoch, next: root, chains: Vec::new() };
        let all = CLASSES.into_iter().flat_map(|class| Direction::ALL.map(|direction| (class, direction)));
        line.open_epoch(epoch, &all.collect::<Vec<_>>(), calendar);
        line
    }

    /// The epoch that is open.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Opens a later epoch, and forgets what the one before could still make. False where the epoch is over or unreachable.
    pub fn advance(&mut self, epoch: u32, calendar: &Calendar) -> bool {
        if epoch < self.epoch || epoch - self.epoch > EPOCHS_MAX {
            return false;
        }
        let kept: Vec<_> = self.chains.iter().map(|chain| (chain.class, chain.direction)).collect();
        if epoch > self.epoch {
            if self.source == Source::Ratchet {
                for passed in self.epoch + 2..=epoch {
                    self.next = successor(&self.next, passed);
                }
            }
            self.open_epoch(epoch, &kept, calendar);
        }
        true
    }

    /// The tag and key of a round, once: what lies before it is skipped and gone. None for a round that has been made or skipped.
    pub fn slot(
        &mut self,
        class: Class,
        direction: Direction,
        round: u64,
        calendar: &Calendar,
    ) -> Option<Slot> {
        if !self.advance(calendar.epoch_of(class, round), calendar) {
            return None;
        }
        let first = calendar.first_round(class, self.epoch);
        let chain = self.chain_mut(class, direction)?;
        chain.skip_to(round, first).then(|| chain.make(first))
    }

    /// Passes over every round before this one, without making it.
    pub fn skip(&mut self, class: Class, direction: Direction, round: u64, calendar: &Calendar) {
        if self.advance(calendar.epoch_of(class, round), calendar) {
            let first = calendar.first_round(class, self.epoch);
            if let Some(chain) = self.chain_mut(class, direction) {
                chain.skip_to(round, first);
            }
        }
    }

    /// The first round of a chain that is neither made nor skipped.
    pub fn next_round(&self, class: Class, direction: Direction) -> Option<u64> {
        self.chain(class, direction).map(|chain| chain.round)
    }

    /// A copy of one chain, to walk over rounds that were missed while this line jumps to now.
    #[must_use]
    pub fn copy_of(&self, class: Class, direction: Direction) -> Self {
        let chains = self.chain(class, direction).map(Chain::copy).into_iter().collect();
        Self { source: self.source, epoch: self.epoch, next: copy(&self.next), chains }
    }

    /// Writes the line into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.u8(self.source as u8).u32(self.epoch).raw(self.next.expose()).count(self.chains.len());
        for chain in &self.chains {
            writer.u8(chain.class as u8).u8(chain.direction as u8).u64(chain.segment);
            writer.raw(chain.next.expose()).raw(chain.step.expose()).u64(chain.round);
        }
    }

    /// Reads what [`Line::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let source = match reader.u8()? {
            0 => Source::Ratchet,
            1 => Source::Fixed,
            _ => return Err(Malformed),
        };
        let (epoch, next) = (reader.u32()?, Secret::new(reader.array()?));
        let mut chains: Vec<Chain> = Vec::new();
        for _ in 0..reader.count(CLASSES.len() * Direction::ALL.len())? {
            let class = Class::of(reader.u8()?).ok_or(Malformed)?;
            let direction = Direction::of(reader.u8()?).ok_or(Malformed)?;
            if chains.iter().any(|chain| chain.class == class && chain.direction == direction) {
                return Err(Malformed);
            }
            let segment = reader.u64()?;
            let (next, step) = (Secret::new(reader.array()?), Secret::new(reader.array()?));
            chains.push(Chain { class, direction, segment, next, step, round: reader.u64()? });
        }
        Ok(Self { source, epoch, next, chains })
    }

    /// Opens `epoch`, whose root is `self.next` unless the line is a ratchet that stands further back by one.
    fn open_epoch(&mut self, epoch: u32, kept: &[(Class, Direction)], calendar: &Calendar) {
        let root = &self.next;
        self.chains = kept
            .iter()
            .map(|(class, direction)| {
                let parts: &[&[u8]] = &[b"chain", &epoch.to_be_bytes(), &[*class as u8], &[*direction as u8]];
                Chain::begin(&expand(root, parts), *class, *direction, calendar.first_round(*class, epoch))
            })
            .collect();
        if self.source == Source::Ratchet {
            self.next = successor(root, epoch.saturating_add(1));
        }
        self.epoch = epoch;
    }

    fn chain(&self, class: Class, direction: Direction) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.class == class && chain.direction == direction)
    }

    fn chain_mut(&mut self, class: Class, direction: Direction) -> Option<&mut Chain> {
        self.chains.iter_mut().find(|chain| chain.class == class && chain.direction == direction)
    }
}

impl Chain {
    fn begin(start: &Secret<[u8; 32]>, class: Class, direction: Direction, first: u64) -> Self {
        let (next, step) = segment(start);
        Self { class, direction, segment: 0, next, step, round: first }
    }

    /// Stands at `round` after it; false where that is past.
    fn skip_to(&mut self, round: u64, first: u64) -> bool {
        if round < self.round {
            return false;
        }
        self.enter_segment((round - first) / SEGMENT_ROUNDS, first);
        while self.round < round {
            self.make(first);
        }
        true
    }

    /// The slot of `self.round`.
    fn make(&mut self, first: u64) -> Slot {
        self.enter_segment((self.round - first) / SEGMENT_ROUNDS, first);
        let made = expand::<80>(&self.step, &[b"step"]);
        let (step, rest) = made.expose().split_first_chunk::<32>().expect("80 bytes begin with 32");
        let (key, tag) = rest.split_first_chunk::<32>().expect("48 bytes begin with 32");
        let tag: Tag = tag.try_into().expect("16 bytes are left");
        self.step = Secret::new(*step);
        self.round += 1;
        Slot { tag, key: Secret::new(*key) }
    }

    fn enter_segment(&mut self, wanted: u64, first: u64) {
        while self.segment < wanted {
            (self.next, self.step) = segment(&self.next);
            self.segment += 1;
            self.round = self.round.max(first + self.segment * SEGMENT_ROUNDS);
        }
    }

    fn copy(&self) -> Self {
        Self { next: copy(&self.next), step: copy(&self.step), ..*self }
    }
}

impl Window {
    /// Keeps the key of a round; the oldest goes when there are more than [`WINDOW_ROUNDS`].
    pub fn keep(&mut self, round: u64, slot: Slot) {
        self.0.push_back((round, slot));
        if self.0.len() > WINDOW_ROUNDS {
            self.0.pop_front();
        }
    }

    /// Every kept key, with its round.
    pub fn slots(&self) -> impl Iterator<Item = (u64, &Slot)> {
        self.0.iter().map(|(round, slot)| (*round, slot))
    }

    /// The key of a round.
    pub fn slot(&self, round: u64) -> Option<&Slot> {
        self.0.iter().find(|(kept, _)| *kept == round).map(|(_, slot)| slot)
    }

    /// Erases the key of a round, whose cell has come.
    pub fn spend(&mut self, round: u64) {
        self.0.retain(|(kept, _)| *kept != round);
    }

    /// Erases the keys of rounds before `round - 7`.
    pub fn expire(&mut self, round: u64) {
        self.0.retain(|(kept, _)| kept + WINDOW_ROUNDS as u64 > round);
    }

    /// Writes the window into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for (round, slot) in &self.0 {
            writer.u64(*round).raw(&slot.tag).raw(slot.key.expose());
        }
    }

    /// Reads what [`Window::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut kept = VecDeque::new();
        for _ in 0..reader.count(WINDOW_ROUNDS)? {
            let round = reader.u64()?;
            kept.push_back((round, Slot { tag: reader.array()?, key: Secret::new(reader.array()?) }));
        }
        Ok(Self(kept))
    }
}

/// `X(S_m, "segment", 64)` = S_{m+1} ‖ C.
fn segment(start: &Secret<[u8; 32]>) -> (Secret<[u8; 32]>, Secret<[u8; 32]>) {
    let both = expand::<64>(start, &[b"segment"]);
    let (next, step) = both.expose().split_first_chunk::<32>().expect("64 bytes begin with 32");
    (Secret::new(*next), Secret::new(step.try_into().expect("32 bytes are left")))
}

/// `R_{e+1} = X(R_e, "epoch" ‖ (e+1) u32, 32)`.
fn successor(root: &Secret<[u8; 32]>, epoch: u32) -> Secret<[u8; 32]> {
    expand(root, &[b"epoch", &epoch.to_be_bytes()])
}

fn copy(secret: &Secret<[u8; 32]>) -> Secret<[u8; 32]> {
    Secret::new(*secret.expose())
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line(epoch {})", self.epoch)
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Window({} rounds)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: Class = Class::Normal;
    const TO: Direction = Direction::Inviter;

    /// 100 normal rounds an epoch: a long segment and a short one.
    fn calendar() -> Calendar {
        Calendar::new(0, 6_000, 60, 1).unwrap()
    }

    fn line(source: Source) -> Line {
        Line::open(source, Secret::new([5; 32]), 3, &calendar())
    }

    fn tag_at(line: &mut Line, round: u64) -> Option<Tag> {
        line.slot(NORMAL, TO, round, &calendar()).map(|slot| slot.tag)
    }

    #[test]
    fn skipping_and_stepping_lead_to_the_same_keys() {
        for source in [Source::Ratchet, Source::Fixed] {
            let mut stepped = line(source);
            let all: Vec<_> = (300..700).map(|round| tag_at(&mut stepped, round).unwrap()).collect();
            for start in [300, 301, 363, 364, 365, 399, 400, 401, 599, 699] {
                assert_eq!(tag_at(&mut line(source), start), Some(all[start as usize - 300]));
            }
            let mut distinct = all.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), all.len());
        }
    }

    #[test]
    fn a_round_is_made_once_and_what_was_skipped_is_gone() {
        let mut line = line(Source::Ratchet);
        assert!(tag_at(&mut line, 310).is_some());
        for past in [310, 309, 300, 0] {
            assert_eq!(tag_at(&mut line, past), None);
        }
        assert!(tag_at(&mut line, 450).is_some());
        assert_eq!(tag_at(&mut line, 399), None);
        assert_eq!(line.next_round(NORMAL, TO), Some(451));
    }

    #[test]
    fn directions_and_classes_have_chains_of_their_own() {
        let mut line = line(Source::Ratchet);
        let mut tags = Vec::new();
        for class in CLASSES {
            for direction in Direction::ALL {
                let round = calendar().first_round(class, 3);
                tags.push(line.slot(class, direction, round, &calendar()).unwrap().tag);
            }
        }
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), 4);
    }

    #[test]
    fn a_copy_walks_what_the_line_jumped_over() {
        let mut live = line(Source::Ratchet);
        assert!(tag_at(&mut live, 310).is_some());
        let mut walk = live.copy_of(NORMAL, TO);
        assert!(tag_at(&mut live, 650).is_some());
        let mut fresh = line(Source::Ratchet);
        for round in 311..650 {
            assert_eq!(tag_at(&mut walk, round), tag_at(&mut fresh, round));
        }
    }

    #[test]
    fn a_line_survives_its_bytes() {
        let mut before = line(Source::Ratchet);
        assert!(tag_at(&mut before, 370).is_some());
        let mut writer = Writer::new();
        before.write(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let mut after = Line::read(&mut reader).unwrap();
        reader.end().unwrap();
        for round in [371, 399, 400, 512] {
            assert_eq!(tag_at(&mut after, round), tag_at(&mut before, round));
        }
        assert!(tag_at(&mut after, 100).is_none());
    }

    #[test]
    fn a_seized_state_opens_no_past_round() {
        let mut line = line(Source::Ratchet);
        let past: Vec<_> =
            (300..420).map(|round| line.slot(NORMAL, TO, round, &calendar()).unwrap()).collect();
        let mut writer = Writer::new();
        line.write(&mut writer);
        let seized = writer.into_bytes();
        // Whatever 32 bytes of the state are taken for a root, a start, a segment or a step: no key of the past comes of them.
        for at in 0..=seized.len() - 32 {
            let held = Secret::new(<[u8; 32]>::try_from(&seized[at..at + 32]).unwrap());
            let made = expand::<80>(&held, &[b"step"]);
            let (_, step) = segment(&held);
            let begun = expand::<80>(&step, &[b"step"]);
            for slot in &past {
                assert_ne!(slot.key.expose(), held.expose());
                assert_ne!(slot.key.expose()[..], made.expose()[32..64]);
                assert_ne!(slot.key.expose()[..], begun.expose()[32..64]);
            }
        }
        let mut reread = Line::read(&mut Reader::new(&seized)).unwrap();
        assert!((0..420).all(|round| reread.slot(NORMAL, TO, round, &calendar()).is_none()));
    }

    #[test]
    fn a_window_keeps_the_last_rounds_only() {
        let mut line = line(Source::Ratchet);
        let mut window = Window::default();
        for round in 300..320 {
            window.keep(round, line.slot(NORMAL, TO, round, &calendar()).unwrap());
        }
        assert_eq!(
            window.slots().map(|(round, _)| round).collect::<Vec<_>>(),
            (312..320).collect::<Vec<_>>()
        );
        window.spend(315);
        assert!(window.slot(315).is_none());
        window.expire(322);
        assert_eq!(window.slots().map(|(round, _)| round).collect::<Vec<_>>(), [316, 317, 318, 319]);
    }
}
