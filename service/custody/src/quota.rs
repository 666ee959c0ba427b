//! How fast one account may sign, and how often a version signed: two counts that live in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::{Ctx, TenantId};

/// Accounts whose rate is remembered; beyond it those that have their whole burst again are forgotten.
const ACCOUNTS_MAX: usize = 100_000; // 10 MB

/// Signatures a second and account: a bucket that holds one second's worth, and one batch.
pub(crate) struct Quota {
    per_s: u64,
    burst: u64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    /// Thousandths of a signature that may still be made.
    left: u64,
    at_ms: i64,
}

impl Quota {
    /// `per_s` = 0: no bound.
    pub(crate) fn new(per_s: u32) -> Quota {
        let per_s = u64::from(per_s);
        let burst = per_s.max(crate::order::ITEMS_MAX as u64) * 1_000;
        Quota { per_s, burst, buckets: Mutex::default() }
    }

    /// Takes `count` signatures of the actor's bucket; all or none.
    pub(crate) fn take(&self, ctx: &Ctx, count: usize) -> bool {
        if self.per_s == 0 {
            return true;
        }
        let name = format!("{} {}", ctx.tenant, ctx.actor.id.as_deref().unwrap_or_default());
        let (now_ms, wanted) = (ctx.now_ms(), count as u64 * 1_000);
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= ACCOUNTS_MAX && !buckets.contains_key(&name) {
            buckets.retain(|_, bucket| self.filled(bucket, now_ms) < self.burst);
        }
        let bucket = buckets.entry(name).or_insert(Bucket { left: self.burst, at_ms: now_ms });
        bucket.left = self.filled(bucket, now_ms);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        let enough = bucket.left >= wanted;
        if enough {
            bucket.left -= wanted;
        }
        enough
    }

    fn filled(&self, bucket: &Bucket, now_ms: i64) -> u64 {
        let passed_ms = now_ms.saturating_sub(bucket.at_ms).max(0).unsigned_abs();
        bucket.left.saturating_add(passed_ms.saturating_mul(self.per_s)).min(self.burst)
    }
}

/// Which version signed how often since the last tick. A crash forgets at most a minute of it.
#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<(TenantId, String, u32), u64>>);

impl Counts {
    pub(crate) fn add(&self, tenant: &TenantId, key_id: &str, version: u32, count: u64) {
        *lock(&self.0).entry((tenant.clone(), key_id.to_owned(), version)).or_default() += count;
    }

    /// Takes what was counted for a tenant.
    pub(crate) fn take(&self, tenant: &TenantId) -> Vec<(String, u32, u64)> {
        let mut counts = lock(&self.0);
        let names: Vec<_> = counts.keys().filter(|name| name.0 == *tenant).cloned().collect();
        names
            .into_iter()
            .filter_map(|name| {
                let count = counts.remove(&name)?;
                Some((name.1, name.2, count))
            })
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{SignedDuration, Timestamp};
    use store::{Actor, Entropy};

    fn ctx(account: &str) -> Ctx {
        Ctx::new(TenantId::SYSTEM, Actor::service(account), Timestamp::UNIX_EPOCH, Entropy::seeded(1))
    }

    #[test]
    fn an_account_signs_its_burst_and_then_its_rate() {
        let quota = Quota::new(1_000);
        let (ctx, other) = (ctx("svc_a"), ctx("svc_b"));
        assert!(quota.take(&ctx, 1_000));
        assert!(!quota.take(&ctx, 1));
        assert!(quota.take(&other, 256));
        let later = ctx.child(ctx.now + SignedDuration::from_millis(10));
        assert!(!quota.take(&later, 11));
        assert!(quota.take(&later, 10));
        assert!(!quota.take(&later, 1));
    }

    #[test]
    fn zero_is_no_bound_and_a_clock_that_runs_back_gives_nothing() {
        let ctx = ctx("svc_a");
        assert!(Quota::new(0).take(&ctx, usize::MAX / 2_000));
        let quota = Quota::new(10);
        assert!(quota.take(&ctx, 256));
        assert!(!quota.take(&ctx.child(ctx.now - SignedDuration::from_secs(60)), 1));
    }

    #[test]
    fn what_was_counted_is_taken_once() {
        let counts = Counts::default();
        counts.add(&TenantId::SYSTEM, "key_a", 1, 2);
        counts.add(&TenantId::SYSTEM, "key_a", 1, 3);
        assert_eq!(counts.take(&TenantId::SYSTEM), [("key_a".to_owned(), 1, 5)]);
        assert!(counts.take(&TenantId::SYSTEM).is_empty());
    }
}
