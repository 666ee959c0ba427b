//! What a member has spent of the promise: protected events, by contact and in all; nothing resets.
//!
//! An event is any real cell in bucketed mode: data, ack, hello, repeat, in either direction. m cells of one round cost m². Cover,
//! loops and everything in full mode cost nothing. Numbers only: what they add up to, `budget` says.

use crate::bytes::{Malformed, Reader, Writer};
use std::collections::VecDeque;

/// Rounds whose cells are still counted together: no cell comes later than this.
const RECENT_ROUNDS_MAX: usize = 32;
/// The share of an allowance at which the person is warned, in hundredths.
pub const WARN_AT_HUNDREDTHS: u64 = 80;

/// What happens when a contact's events are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum OverBudget {
    /// Its messages wait until the person accepts as much again.
    #[default]
    Ask = 0,
    /// Its messages wait for good.
    Stop = 1,
    /// They go out, and the person is told.
    Warn = 2,
}

/// Events of one contact, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    month: u32,
    this_month: u64,
    ever: u64,
    /// How many times the promised number of events the person has accepted, beyond the first.
    accepted: u32,
    warned: bool,
    recent: VecDeque<(u64, u32)>,
}

impl Tally {
    /// Counts a cell of a round: the m-th adds m² − (m−1)².
    pub fn count(&mut self, round: u64, now_ms: u64) {
        let mth = match self.recent.iter_mut().find(|(counted, _)| *counted == round) {
            Some((_, cells)) => {
                *cells += 1;
                *cells
            }
            None => {
                self.recent.push_back((round, 1));
                if self.recent.len() > RECENT_ROUNDS_MAX {
                    self.recent.pop_front();
                }
                1
            }
        };
        let added = 2 * u64::from(mth) - 1;
        let month = month_of(now_ms);
        if month != self.month {
            (self.month, self.this_month) = (month, 0);
        }
        self.this_month = self.this_month.saturating_add(added);
        self.ever = self.ever.saturating_add(added);
    }

    /// Events in the month of a time.
    pub fn in_month(&self, now_ms: u64) -> u64 {
        if month_of(now_ms) == self.month { self.this_month } else { 0 }
    }

    /// Events ever.
    pub fn ever(&self) -> u64 {
        self.ever
    }

    /// How many events may be spent, of `events` promised and what was accepted beyond.
    pub fn allowed(&self, events: u64) -> u64 {
        events.saturating_mul(u64::from(self.accepted) + 1)
    }

    /// Whether nothing is left.
    pub fn is_spent(&self, events: u64) -> bool {
        self.ever >= self.allowed(events)
    }

    /// The person accepts as much again.
    pub fn accept(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
        self.warned = false;
    }

    /// Whether the person must be warned now; true once for each allowance.
    pub fn warns(&mut self, events: u64) -> bool {
        let near =
            u128::from(self.ever) * 100 >= u128::from(self.allowed(events)) * u128::from(WARN_AT_HUNDREDTHS);
        near && !std::mem::replace(&mut self.warned, near)
    }

    /// Writes the tally into a state that is kept encrypted.
    pub fn write(&self, writer: &mut Writer) {
        writer.u32(self.month).u64(self.this_month).u64(self.ever).u32(self.accepted).flag(self.warned);
        writer.count(self.recent.len());
        for (round, cells) in &self.recent {
            writer.u64(*round).u32(*cells);
        }
    }

    /// Reads what [`Tally::write`] wrote.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (month, this_month, ever) = (reader.u32()?, reader.u64()?, reader.u64()?);
        let (accepted, warned) = (reader.u32()?, reader.flag()?);
        let mut recent = VecDeque::new();
        for _ in 0..reader.count(RECENT_ROUNDS_MAX)? {
            recent.push_back((reader.u64()?, reader.u32()?));
        }
        Ok(Self { month, this_month, ever, accepted, warned, recent })
    }
}

impl OverBudget {
    /// The choice of a byte.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Ask, Self::Stop, Self::Warn].into_iter().find(|choice| *choice as u8 == byte)
    }
}

/// Months since January 1970 (UTC, proleptic Gregorian).
fn month_of(now_ms: u64) -> u32 {
    // Days are counted in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
    let days = now_ms / 86_400_000 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let months = (era * 400 + year) * 12 + month + 2;
    u32::try_from(months.saturating_sub(1_970 * 12)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    #[test]
    fn months_are_those_of_the_calendar() {
        for (day, month) in [
            (0, 0),
            (30, 0),
            (31, 1),
            (58, 1),
            (59, 2),
            (365, 12),
            (789, 25),     // 29 February 1972
            (790, 26),     // 1 March 1972
            (11_016, 361), // 29 February 2000
            (20_453, 671), // 31 December 2025
            (20_454, 672), // 1 January 2026
        ] {
            assert_eq!(month_of(day * DAY), month, "day {day}");
        }
    }

    #[test]
    fn cells_of_one_round_cost_their_square() {
        let mut tally = Tally::default();
        tally.count(5, 0);
        assert_eq!(tally.ever(), 1);
        tally.count(5, 0);
        assert_eq!(tally.ever(), 4);
        tally.count(6, 0);
        tally.count(5, 0);
        assert_eq!(tally.ever(), 10);
    }

    #[test]
    fn a_new_month_begins_at_zero_and_for_ever_goes_on() {
        let mut tally = Tally::default();
        tally.count(1, 0);
        assert_eq!((tally.in_month(30 * DAY), tally.in_month(31 * DAY)), (1, 0));
        tally.count(2, 31 * DAY);
        assert_eq!((tally.in_month(31 * DAY), tally.ever()), (1, 2));
    }

    #[test]
    fn a_warning_comes_once_at_80_percent_and_again_after_more_was_accepted() {
        let mut tally = Tally::default();
        let warned: Vec<bool> = (0..10)
            .map(|round| {
                tally.count(round, 0);
                tally.warns(10)
            })
            .collect();
        assert_eq!(warned.iter().position(|warned| *warned), Some(7));
        assert_eq!(warned.iter().filter(|warned| **warned).count(), 1);
        assert!(tally.is_spent(10));
        tally.accept();
        assert!(!tally.is_spent(10) && !tally.warns(10));
        (10..16).for_each(|round| tally.count(round, 0));
        assert!(tally.warns(10));
    }

    #[test]
    fn a_tally_survives_its_bytes() {
        let mut tally = Tally::default();
        (0..40).for_each(|round| tally.count(round / 2, round * DAY));
        let mut writer = Writer::new();
        tally.write(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(Tally::read(&mut reader), Ok(tally));
        assert_eq!(reader.end(), Ok(()));
    }
}
