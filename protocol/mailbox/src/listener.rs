//! The receiving side of a line: keys of the last rounds, and a copy that walks over rounds that were missed.
//!
//! ```text
//! round begins ─ advance ─► key of that round joins the window        rows of it ─ match tags ─ open ─► body
//! away 240 rounds ─ advance ─► the line jumps to now; a copy stays behind
//! blob of a missed round ─ walk ─► the copy's window ─ match ─ open    last blob ─ caught_up ─► the copy is erased
//! ```

use crate::body::Body;
use crate::bytes::{Malformed, Reader, Writer};
use crate::calendar::Calendar;
use crate::cell::{self, Cell, CellFault, Class, Direction, Place, Tag};
use crate::chain::{Line, WINDOW_ROUNDS, Window};

/// Rounds that one blob makes the copy walk over: a year of rounds of a minute, in segments.
const WALK_ROUNDS_MAX: u64 = 1 << 20;

/// Listens to one direction of one class of a line.
#[derive(Debug)]
pub struct Listener {
    class: Class,
    direction: Direction,
    window: Window,
    behind: Option<Behind>,
}

#[derive(Debug)]
struct Behind {
    line: Line,
    window: Window,
}

/// Where a tag was found: give it back to [`Listener::open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The round that the cell was sealed for.
    pub round: u64,
    is_behind: bool,
}

impl Listener {
    /// Nothing heard yet.
    pub fn new(class: Class, direction: Direction) -> Self {
        Self { class, direction, window: Window::default(), behind: None }
    }

    /// A round begins: its key joins the window. Rounds in between were missed; with `catches_up` a copy stays behind for them.
    pub fn advance(&mut self, line: &mut Line, round: u64, catches_up: bool, calendar: &Calendar) {
        let next = line.next_round(self.class, self.direction).unwrap_or(round);
        if round < next {
            return;
        }
        if round > next && self.behind.is_none() && catches_up {
            let window = std::mem::take(&mut self.window);
            self.behind = Some(Behind { line: line.copy_of(self.class, self.direction), window });
        }
        if let Some(slot) = line.slot(self.class, self.direction, round, calendar) {
            self.window.keep(round, slot);
            self.window.expire(round);
        }
    }

    /// The blob of a missed round comes: the copy goes there.
    pub fn walk(&mut self, round: u64, calendar: &Calendar) {
        let Some(behind) = &mut self.behind else { return };
        let Some(next) = behind.line.next_round(self.class, self.direction) else { return };
        if round < next || round - next > WALK_ROUNDS_MAX {
            return;
        }
        // Of a leap the copy needs no more than what a window keeps.
        let from = next.max((round + 1).saturating_sub(WINDOW_ROUNDS as u64));
        for passed in from..=round {
            if let Some(slot) = behind.line.slot(self.class, self.direction, passed, calendar) {
                behind.window.keep(passed, slot);
            }
        }
        behind.window.expire(round);
    }

    /// Nothing is missed any more: the copy is erased.
    pub fn caught_up(&mut self) {
        self.behind = None;
    }

    /// Tags that a cell for us may carry now.
    pub fn tags(&self) -> impl Iterator<Item = (Tag, Found)> {
        let of = |window: &Window, is_behind: bool| -> Vec<(Tag, Found)> {
            window.slots().map(|(round, slot)| (slot.tag, Found { round, is_behind })).collect()
        };
        let behind = self.behind.iter().flat_map(move |behind| of(&behind.window, true));
        of(&self.window, false).into_iter().chain(behind)
    }

    /// Opens a cell whose tag was found. The key goes when its cell has come, and stays when a cell was forged.
    ///
    /// # Errors
    /// [`CellFault`].
    pub fn open(&mut self, found: Found, network_id: [u8; 32], cell: &Cell) -> Result<Body, CellFault> {
        let place = Place { network_id, class: self.class, round: found.round, direction: self.direction };
        let window = match (&mut self.behind, found.is_behind) {
            (Some(behind), true) => &mut behind.window,
            _ => &mut self.window,
        };
        let slot = window.slot(found.round).ok_or(CellFault::Sealed)?;
        let opened = cell::open(slot, &place, cell);
        if !matches!(opened, Err(CellFault::Sealed)) {
            window.spend(found.round);
        }
        opened
    }

    /// Writes the listener into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.u8(self.class.number()).u8(self.direction as u8);
        self.window.write(writer);
        writer.flag(self.behind.is_some());
        if let Some(behind) = &self.behind {
            behind.line.write(writer);
            behind.window.write(writer);
        }
    }

    /// Reads what [`Listener::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let class = Class::of(reader.u8()?).ok_or(Malformed)?;
        let direction = Direction::of(reader.u8()?).ok_or(Malformed)?;
        let window = Window::read(reader)?;
        let behind = match reader.flag()? {
            true => Some(Behind { line: Line::read(reader)?, window: Window::read(reader)? }),
            false => None,
        };
        Ok(Self { class, direction, window, behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Kind;
    use crate::chain::Source;
    use crypto::secret::Secret;

    const NETWORK: [u8; 32] = [9; 32];
    const WAY: Direction = Direction::Inviter;

    fn calendar() -> Calendar {
        Calendar::new(0, 6_000, 60, 0).unwrap()
    }

    fn line() -> Line {
        Line::open(Source::Ratchet, Secret::new([5; 32]), 0, &calendar())
    }

    fn sent(line: &mut Line, round: u64) -> Cell {
        let place = Place { network_id: NETWORK, class: Class::Normal, round, direction: WAY };
        let slot = line.slot(Class::Normal, WAY, round, &calendar()).unwrap();
        cell::seal(slot, &place, &Body::of(Kind::Ack))
    }

    fn heard(listener: &mut Listener, cell: &Cell) -> Option<u64> {
        let (_, found) = listener.tags().find(|(tag, _)| *tag == cell::tag(cell))?;
        listener.open(found, NETWORK, cell).ok().map(|_| found.round)
    }

    #[test]
    fn a_cell_is_heard_once_and_up_to_seven_rounds_late() {
        let (mut ours, mut theirs) = (line(), line());
        let mut listener = Listener::new(Class::Normal, WAY);
        let cells: Vec<Cell> = (0..20).map(|round| sent(&mut theirs, round)).collect();
        for round in 0..20 {
            listener.advance(&mut ours, round, true, &calendar());
        }
        assert_eq!(heard(&mut listener, &cells[19]), Some(19));
        assert_eq!(heard(&mut listener, &cells[19]), None);
        assert_eq!(heard(&mut listener, &cells[12]), Some(12));
        assert_eq!(heard(&mut listener, &cells[11]), None);
    }

    #[test]
    fn a_forged_cell_with_the_same_tag_suppresses_nothing() {
        let (mut ours, mut theirs) = (line(), line());
        let mut listener = Listener::new(Class::Normal, WAY);
        let cell = sent(&mut theirs, 0);
        listener.advance(&mut ours, 0, true, &calendar());
        let mut forged = cell;
        forged[100] ^= 1;
        assert_eq!(heard(&mut listener, &forged), None);
        assert_eq!(heard(&mut listener, &cell), Some(0));
    }

    #[test]
    fn who_was_away_hears_what_was_missed_and_what_comes_now() {
        let (mut ours, mut theirs) = (line(), line());
        let mut listener = Listener::new(Class::Normal, WAY);
        let cells: Vec<Cell> = (0..400).map(|round| sent(&mut theirs, round)).collect();
        for round in 0..10 {
            listener.advance(&mut ours, round, true, &calendar());
        }
        listener.advance(&mut ours, 350, true, &calendar());
        assert_eq!(heard(&mut listener, &cells[350]), Some(350));
        for round in [9, 10, 64, 99, 100, 101, 300, 349] {
            listener.walk(round, &calendar());
            assert_eq!(heard(&mut listener, &cells[round as usize]), Some(round), "{round}");
        }
        listener.caught_up();
        listener.advance(&mut ours, 351, true, &calendar());
        assert_eq!(heard(&mut listener, &cells[348]), None);
        assert_eq!(heard(&mut listener, &cells[351]), Some(351));
    }
}
