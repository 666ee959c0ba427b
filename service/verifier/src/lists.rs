//! Status lists kept verified and inflated, and dropped at once when their issuer says that they changed.
//!
//! ```text
//! hint on the bus ─▶ drained before every look ─▶ copy dropped, new generation
//! look ─▶ copy in its time? ─no─▶ gate (one fetch at a time) ─▶ fetched ─▶ kept only if the generation is still the same
//! ```
//! Invariant: a copy that was fetched before a hint was heard is never used after it. The bus tells before the issuer answers, and
//! whoever looks drains first; so a presentation after the answer of a revocation sees it.

use ::store::{Heard, Listener, TenantId};
use credential::status::{ListFault, VerifiedList};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The topic of the hint that a list changed; its ids are the list's URI.
pub const LIST_CHANGED: &str = "status-list-changed";
/// Lists kept at once: a tenant's issuers have a handful each.
const LISTS_MAX: usize = 1_024;
/// Entries kept at once, a byte each at most: 1,000 lists of the usual size.
const ENTRIES_MAX: u64 = 128 << 20;
/// A list that could not be had is not asked for again so soon, seconds: a dead door must not hold every presentation.
const FAULT_KEPT_S: i64 = 5;
/// A list that nobody looked into for so long is not fetched in the background, seconds.
const IN_USE_S: i64 = 3_600;
/// Lists that one tick fetches for one tenant.
const DUE_MAX: usize = 16;

/// Whose copy of which list.
pub(crate) type Key = (TenantId, String);

/// A list, verified under the tenant's anchors.
pub(crate) struct Kept {
    pub(crate) list: VerifiedList,
    pub(crate) fetched_at: Timestamp,
    /// From when on the background job fetches it anew.
    pub(crate) refresh_at: Timestamp,
    /// Under which anchors it was verified.
    pub(crate) believed: [u8; 32],
}

impl Kept {
    /// Whether it may be looked into without fetching.
    pub(crate) fn is_usable(&self, believed: &[u8; 32], now: Timestamp) -> bool {
        let path_ends_at = self.list.judged().path().map_or(Timestamp::MIN, |path| path.ends_at);
        self.believed == *believed && now < self.list.fresh_until(self.fetched_at) && now < path_ends_at
    }
}

/// The lists of this process.
pub(crate) struct Lists(Mutex<Inner>);

struct Inner {
    heard: Listener,
    /// Hints heard so far: where a new slot's generation begins.
    changes: u64,
    slots: HashMap<Key, Slot>,
}

struct Slot {
    gate: Arc<tokio::sync::Mutex<()>>,
    generation: u64,
    kept: Option<Arc<Kept>>,
    fault: Option<(ListFault, Timestamp)>,
    used_at: Timestamp,
}

/// A place at a list: what is known of it, and whose turn it is to fetch.
pub(crate) struct Seat {
    /// One fetch at a time.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
    /// To be handed back with what was fetched. 0: nobody has said since the start that any list changed.
    pub(crate) generation: u64,
    /// The copy, fresh or not.
    pub(crate) kept: Option<Arc<Kept>>,
    /// Why it could not be had a moment ago.
    pub(crate) fault: Option<ListFault>,
}

impl Lists {
    pub(crate) fn new(heard: Listener) -> Self {
        Self(Mutex::new(Inner { heard, changes: 0, slots: HashMap::new() }))
    }

    /// Sits down at a list to look into it.
    pub(crate) fn look(&self, key: &Key, now: Timestamp) -> Seat {
        let mut inner = self.lock();
        inner.drain();
        if !inner.slots.contains_key(key) {
            inner.make_room(0);
        }
        let changes = inner.changes;
        let slot = inner.slots.entry(key.clone()).or_insert_with(|| Slot::new(changes, now));
        slot.used_at = slot.used_at.max(now);
        slot.seat(now)
    }

    /// Sits down at a list to fetch it anew, which is no use of it; none if it was dropped meanwhile.
    pub(crate) fn refresh(&self, key: &Key, now: Timestamp) -> Option<Seat> {
        let mut inner = self.lock();
        inner.drain();
        inner.slots.get(key).map(|slot| slot.seat(now))
    }

    /// Keeps what was fetched, unless its issuer said since that it changed.
    pub(crate) fn keep(&self, key: &Key, generation: u64, kept: &Arc<Kept>) {
        let mut inner = self.lock();
        inner.drain();
        inner.make_room(kept.list.entries());
        if let Some(slot) = inner.slots.get_mut(key).filter(|slot| slot.generation == generation) {
            slot.kept = Some(kept.clone());
            slot.fault = None;
        }
    }

    /// Remembers for a moment that the list could not be had.
    pub(crate) fn note(&self, key: &Key, generation: u64, fault: ListFault, now: Timestamp) {
        let mut inner = self.lock();
        if let Some(slot) = inner.slots.get_mut(key).filter(|slot| slot.generation == generation) {
            slot.fault = Some((fault, now));
        }
    }

    /// Lists of a tenant that are in use and soon too old. Also hears what waits on the bus, so that it never runs over.
    pub(crate) fn due(&self, tenant: &TenantId, now: Timestamp) -> Vec<Key> {
        let mut inner = self.lock();
        inner.drain();
        let is_due = |slot: &Slot| {
            now.duration_since(slot.used_at) < SignedDuration::from_secs(IN_USE_S)
                && slot.kept.as_ref().is_some_and(|kept| kept.refresh_at <= now)
        };
        let due = inner.slots.iter().filter(|((whose, _), slot)| whose == tenant && is_due(slot));
        due.map(|(key, _)| key.clone()).take(DUE_MAX).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hears every hint that was given before now.
    fn drain(&mut self) {
        while let Poll::Ready(Some(heard)) = next(&mut self.heard) {
            match heard {
                Heard::Hint(hint) if hint.topic != LIST_CHANGED => {}
                Heard::Hint(hint) if !hint.ids.is_empty() => {
                    let named = |uri: &str| hint.ids.split_ascii_whitespace().any(|id| id == uri);
                    self.drop_copies(|(_, uri)| named(uri));
                }
                Heard::Hint(_) | Heard::Reread => self.drop_copies(|_| true),
            }
        }
    }

    fn drop_copies(&mut self, which: impl Fn(&Key) -> bool) {
        self.changes += 1;
        for (_, slot) in self.slots.iter_mut().filter(|(key, _)| which(key)) {
            slot.generation = self.changes;
            slot.kept = None;
            slot.fault = None;
        }
    }

    /// Forgets the lists that were looked into longest ago until one more of so many entries fits.
    fn make_room(&mut self, entries: u64) {
        let held = |inner: &Self| inner.slots.values().map(Slot::entries).sum::<u64>();
        while self.slots.len() >= LISTS_MAX || held(self).saturating_add(entries) > ENTRIES_MAX {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used_at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.slots.remove(&oldest);
        }
    }
}

impl Slot {
    fn new(generation: u64, now: Timestamp) -> Self {
        Self { gate: Arc::default(), generation, kept: None, fault: None, used_at: now }
    }

    fn seat(&self, now: Timestamp) -> Seat {
        let recent = |at: Timestamp| now.duration_since(at).abs() < SignedDuration::from_secs(FAULT_KEPT_S);
        Seat {
            gate: self.gate.clone(),
            generation: self.generation,
            kept: self.kept.clone(),
            fault: self.fault.and_then(|(fault, at)| recent(at).then_some(fault)),
        }
    }

    fn entries(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.list.entries())
    }
}

/// The next hint if one waits. Without the runtime's budget: a hint that is there must be heard.
fn next(heard: &mut Listener) -> Poll<Option<Heard>> {
    pin!(tokio::task::unconstrained(heard.next())).poll(&mut Context::from_waker(Waker::noop()))
}
