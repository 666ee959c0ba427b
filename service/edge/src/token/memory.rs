//! Tokens that were verified a moment ago, by their SHA-256, so that a busy caller costs one signature check a minute.

use crate::token::Principal;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A verified token is remembered this long (L&O §8): how late a change elsewhere may be seen.
const REMEMBERED_S: i64 = 60;

/// Tokens remembered: 10,000 (L&O §8) are 3 MB. Beyond it the memory starts anew, which costs signature checks only.
pub(super) const REMEMBERED_MAX: usize = 10_000;

/// Until when, and whose.
type Remembered = HashMap<[u8; 32], (Timestamp, Principal)>;

/// The memory of a process.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Remembered>);

impl Memory {
    pub(super) fn get(&self, digest: &[u8; 32], now: Timestamp) -> Option<Principal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).filter(|(until, _)| now < *until).map(|(_, principal)| principal.clone())
    }

    /// Remembers until the token's own end or a minute, whichever comes first. Past `exp` nothing is remembered, though the
    /// skew would still take the token.
    pub(super) fn put(&self, digest: [u8; 32], principal: Principal, expires_at: Timestamp, now: Timestamp) {
        let until = expires_at.min(now + SignedDuration::from_secs(REMEMBERED_S));
        if until <= now {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(digest, (until, principal));
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::By;
    use store::TenantId;
    use tenancy::Roles;
    use tlog::entry::ActorKind;

    fn principal() -> Principal {
        Principal {
            kind: ActorKind::Service,
            id: "svc_1".to_owned(),
            home: TenantId::SYSTEM,
            roles: Roles::NONE,
            by: By::Token,
        }
    }

    #[test]
    fn a_token_is_remembered_for_a_minute_and_never_past_its_end() {
        let (memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        let after = |s| now + SignedDuration::from_secs(s);
        memory.put([1; 32], principal(), after(900), now);
        memory.put([2; 32], principal(), after(10), now);
        memory.put([3; 32], principal(), now, now);
        assert!(memory.get(&[1; 32], after(59)).is_some());
        assert!(memory.get(&[1; 32], after(60)).is_none());
        assert!(memory.get(&[2; 32], after(9)).is_some());
        assert!(memory.get(&[2; 32], after(10)).is_none());
        assert!(memory.get(&[3; 32], now).is_none());
    }

    #[test]
    fn a_flood_of_tokens_does_not_grow_the_memory_beyond_its_bound() {
        let (memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        for number in 0..(REMEMBERED_MAX as u64 + 500) {
            let digest = hash(number);
            memory.put(digest, principal(), now + SignedDuration::from_secs(900), now);
            assert!(memory.len() <= REMEMBERED_MAX);
        }
    }

    fn hash(number: u64) -> [u8; 32] {
        crypto::hash::sha256(&number.to_be_bytes())
    }
}
