//! Rounds and epochs as times: round r of a class = ⌊(unix_ms − genesis_ms)/T⌋.

use crate::cell::Class;

/// Parts of a round in which a client acts, in hundredths of T: before, the relay may still be opening; after, cells come late.
pub const ACT_FROM_HUNDREDTHS: u64 = 5;
/// See [`ACT_FROM_HUNDREDTHS`].
pub const ACT_TO_HUNDREDTHS: u64 = 55;
/// Collecting ends here, in hundredths of T.
pub const COLLECT_TO_HUNDREDTHS: u64 = 60;

/// The rhythm of a network. [`Calendar::new`] is the only maker, so that no length is zero and epochs hold whole rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    genesis_ms: u64,
    epoch_ms: u64,
    normal_ms: u64,
    fast_ms: u64,
}

impl Calendar {
    /// A calendar; `fast_ms` is 0 in a network without fast rounds. None where a length is zero, an epoch is no whole number of
    /// rounds, or a round is over an epoch.
    pub fn new(genesis_ms: u64, epoch_ms: u64, normal_ms: u64, fast_ms: u64) -> Option<Self> {
        let whole = normal_ms > 0
            && epoch_ms >= normal_ms
            && epoch_ms.is_multiple_of(normal_ms)
            && (fast_ms == 0 || epoch_ms.is_multiple_of(fast_ms));
        whole.then_some(Self { genesis_ms, epoch_ms, normal_ms, fast_ms })
    }

    /// Lengths as they were given: genesis, epoch, normal round, fast round (0: none).
    pub fn lengths(&self) -> [u64; 4] {
        [self.genesis_ms, self.epoch_ms, self.normal_ms, self.fast_ms]
    }

    /// T of a class; none where the network has no such rounds.
    pub fn round_ms(&self, class: Class) -> Option<u64> {
        match class {
            Class::Normal => Some(self.normal_ms),
            Class::Fast => (self.fast_ms > 0).then_some(self.fast_ms),
        }
    }

    /// The round that runs at a time; none before the genesis.
    pub fn round_at(&self, class: Class, now_ms: u64) -> Option<u64> {
        Some(now_ms.checked_sub(self.genesis_ms)? / self.round_ms(class)?)
    }

    /// When a round starts.
    pub fn starts_at_ms(&self, class: Class, round: u64) -> u64 {
        let round_ms = self.round_ms(class).unwrap_or(self.epoch_ms);
        self.genesis_ms.saturating_add(round.saturating_mul(round_ms))
    }

    /// The epoch that runs at a time; none before the genesis.
    pub fn epoch_at(&self, now_ms: u64) -> Option<u32> {
        u32::try_from(now_ms.checked_sub(self.genesis_ms)? / self.epoch_ms).ok()
    }

    /// Rounds of a class in each epoch.
    pub fn rounds_per_epoch(&self, class: Class) -> u64 {
        self.epoch_ms / self.round_ms(class).unwrap_or(self.epoch_ms)
    }

    /// The epoch of a round; the last one there can be where it has none.
    pub fn epoch_of(&self, class: Class, round: u64) -> u32 {
        u32::try_from(round / self.rounds_per_epoch(class)).unwrap_or(u32::MAX)
    }

    /// The first round of an epoch.
    pub fn first_round(&self, class: Class, epoch: u32) -> u64 {
        u64::from(epoch).saturating_mul(self.rounds_per_epoch(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_rounds_and_rounds_become_epochs() {
        let calendar = Calendar::new(1_000, 86_400_000, 60_000, 1_000).unwrap();
        assert_eq!(calendar.round_at(Class::Normal, 999), None);
        assert_eq!(calendar.round_at(Class::Normal, 60_999), Some(0));
        assert_eq!(calendar.round_at(Class::Normal, 61_000), Some(1));
        assert_eq!(calendar.round_at(Class::Fast, 61_000), Some(60));
        assert_eq!(calendar.starts_at_ms(Class::Normal, 2), 121_000);
        assert_eq!(calendar.rounds_per_epoch(Class::Normal), 1_440);
        assert_eq!(calendar.epoch_of(Class::Normal, 1_439), 0);
        assert_eq!(calendar.epoch_of(Class::Normal, 1_440), 1);
        assert_eq!(calendar.first_round(Class::Fast, 2), 172_800);
        assert_eq!(calendar.epoch_at(86_401_000), Some(1));
    }

    #[test]
    fn a_calendar_without_whole_rounds_is_none() {
        assert_eq!(Calendar::new(0, 100, 30, 0), None);
        assert_eq!(Calendar::new(0, 100, 0, 0), None);
        assert_eq!(Calendar::new(0, 100, 50, 3), None);
        assert_eq!(Calendar::new(0, 10, 20, 0), None);
        assert_eq!(Calendar::new(0, 100, 50, 0).unwrap().round_at(Class::Fast, 5), None);
    }
}
