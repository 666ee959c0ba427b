//! How many come in: connections in all, and of one address before its first accepted turn.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts links. Addresses stand under a hash whose key is drawn at start, in memory alone.
pub(crate) struct Entrance {
    all: Arc<Semaphore>,
    most: usize,
    per_address_max: u32,
    by_address: Arc<Mutex<HashMap<u64, u32>>>,
    key: RandomState,
}

/// A link that is counted until it is dropped.
pub(crate) struct Ticket {
    _all: OwnedSemaphorePermit,
    address: Option<Counted>,
}

struct Counted {
    table: Arc<Mutex<HashMap<u64, u32>>>,
    key: u64,
}

impl Entrance {
    pub(crate) fn new(most: usize, per_address_max: u32) -> Self {
        Self {
            all: Arc::new(Semaphore::new(most)),
            most,
            per_address_max,
            by_address: Arc::default(),
            key: RandomState::new(),
        }
    }

    /// A ticket for a link from `network`; none when there are too many.
    pub(crate) fn enter(&self, network: &[u8]) -> Option<Ticket> {
        let all = self.all.clone().try_acquire_owned().ok()?;
        let key = self.key.hash_one(network);
        let mut table = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = table.entry(key).or_insert(0);
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(Ticket { _all: all, address: Some(Counted { table: self.by_address.clone(), key }) })
    }

    /// Links that are open now.
    pub(crate) fn open(&self) -> usize {
        self.most - self.all.available_permits()
    }
}

impl Ticket {
    /// A first turn was accepted: the address is not counted any more.
    pub(crate) fn settle(&mut self) {
        self.address = None;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                table.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_until_its_first_accepted_turn() {
        let entrance = Entrance::new(4, 2);
        let (mut one, two) = (entrance.enter(b"a").unwrap(), entrance.enter(b"a").unwrap());
        assert!(entrance.enter(b"a").is_none());
        let other = entrance.enter(b"b").unwrap();
        one.settle();
        let three = entrance.enter(b"a").unwrap();
        assert!(entrance.enter(b"c").is_none(), "four are open");
        assert_eq!(entrance.open(), 4);
        drop((one, two, three, other));
        assert_eq!(entrance.open(), 0);
        assert!(entrance.by_address.lock().unwrap().is_empty(), "nothing is kept of who came");
    }
}
