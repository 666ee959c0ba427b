//! What runs on a tick: rotation, counts, warnings, forgetting.
//!
//! ```text
//! every 60 s, for each tenant: counts ─▶ rows · rotation::due ─▶ do_step, one unit each · certificates that end ─▶ signer-expiring
//! ```
//! A step that fails is logged and tried at the next tick; a crash between two steps leaves the rest due.

use jiff::Timestamp;
use store::{Ctx, Reason, StoreFault, TenantId, Unit};
use tlog::event::Event;

use crate::Custody;
use crate::key::{Key, Version};
use crate::make::KeyError;
use crate::rotation;
use crate::state::State;
use crate::store as rows;

/// Seconds between two ticks.
pub const TICK_S: u64 = 60;

/// Tenants that one page of the walk reads.
const TENANTS_PAGE: usize = 500;

/// Days left at which the end of a chain is told.
const WARN_DAYS: [i64; 4] = [1, 7, 14, 30];

impl Custody {
    /// One tick for every tenant. `ctx` acts for the system tenant as the instance itself.
    ///
    /// # Errors
    /// [`StoreFault`] when the walk itself cannot go on.
    pub async fn tick(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        self.keeper().expire(ctx.now_ms());
        let mut after = String::new();
        loop {
            let tenants = rows::tenants_with_keys(self.store(), ctx, &after, TENANTS_PAGE).await?;
            let Some(last) = tenants.last() else { break };
            after.clone_from(last);
            for tenant in tenants.iter().filter_map(|id| TenantId::parse(id)) {
                let inside = ctx.for_tenant(tenant);
                if let Err(fault) = self.tick_tenant(&inside).await {
                    tracing::warn!(tenant = %inside.tenant, %fault, "keys were left for the next tick");
                }
            }
        }
        // Another instance may have moved the key of access tokens.
        self.publish_token_keys(&ctx.for_tenant(TenantId::SYSTEM)).await
    }

    /// Whether a rotation somewhere waits for an outside certificate: amber in `/readyz`.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn is_rotation_blocked(&self, ctx: &Ctx) -> Result<bool, StoreFault> {
        Ok(rows::blocked(self.store(), ctx).await? > 0)
    }

    async fn tick_tenant(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let counted = self.counts().take(&ctx.tenant);
        let counted: Vec<_> =
            counted.iter().map(|(id, version, count)| rows::add_uses(id, *version, *count)).collect();
        if !counted.is_empty() {
            self.store().housekeeping(ctx, Reason::Cursor, counted).await?;
        }
        let mut after = String::new();
        loop {
            let keys = rows::moving_keys(self.store(), ctx, &after).await?;
            let Some(last) = keys.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for key in keys {
                self.warn(ctx, &key).await?;
                if key.rotates() {
                    self.rotate_due(ctx, key).await?;
                }
            }
        }
    }

    async fn rotate_due(&self, ctx: &Ctx, key: Key) -> Result<(), StoreFault> {
        let mut steps = rotation::due(&key.policy, key.chain_kind, &key.aged(), ctx.now).into_iter();
        let Some(mut step) = steps.next() else { return Ok(()) };
        let mut key = key;
        loop {
            let key_id = key.id.clone();
            match self.do_step(ctx, key, step).await {
                Ok(()) => {}
                Err(KeyError::Store(fault)) => return Err(fault),
                Err(error) => {
                    tracing::warn!(key = %key_id, %error, "a rotation step was left for the next tick")
                }
            }
            let (Some(next), Some(again)) = (steps.next(), rows::key(self.store(), ctx, &key_id).await?)
            else {
                return Ok(());
            };
            (step, key) = (next, again);
        }
    }

    /// Tells, once for each of 30, 14, 7 and 1 days, that a chain in use ends.
    async fn warn(&self, ctx: &Ctx, key: &Key) -> Result<(), StoreFault> {
        for version in key.versions.iter().filter(|version| version.state == State::Active) {
            let Some((days_left, days)) = due_warning(version, ctx.now) else { continue };
            let event = Event::SignerExpiring { days_left, key_id: key.id.clone(), version: version.number };
            let unit =
                Unit::<std::convert::Infallible>::new(event).put(rows::warn(&key.id, version.number, days));
            match self.store().commit(ctx, unit).await {
                Ok(_) => {
                    tracing::warn!(key = %key.id, days_left, "the certificates of a signing key end soon")
                }
                Err(store::CommitError::Fault(fault)) => return Err(fault),
                Err(store::CommitError::Lost(never)) => match never {},
            }
        }
        Ok(())
    }
}

/// Whole days left, and the step of [`WARN_DAYS`] that was reached and not told yet.
fn due_warning(version: &Version, now: Timestamp) -> Option<(u64, i64)> {
    let until = version.chain.as_ref()?.until;
    let days_left = until.duration_since(now).as_secs().div_euclid(86_400).max(0);
    let reached = WARN_DAYS.into_iter().find(|days| days_left <= *days)?;
    let is_told = version.warned_days.is_some_and(|told| told <= reached);
    (!is_told).then(|| (days_left.unsigned_abs(), reached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Chain;
    use crate::key;
    use jiff::SignedDuration;

    #[test]
    fn the_end_of_a_chain_is_told_once_for_each_of_30_14_7_and_1_days() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut version = key::tests::key().versions.remove(0);
        let ends_in = |days: i64| now + SignedDuration::from_secs(days * 86_400 + 60);
        let mut told = Vec::new();
        for days in (0..=40).rev() {
            let chain = Chain { certificates: vec![vec![1]], from: now, until: ends_in(days) };
            version.chain = Some(chain);
            for _ in 0..2 {
                if let Some((left, step)) = due_warning(&version, now) {
                    told.push((left, step));
                    version.warned_days = Some(step);
                }
            }
        }
        assert_eq!(told, [(30, 30), (14, 14), (7, 7), (1, 1)]);
        version.chain = None;
        assert_eq!(due_warning(&version, now), None);
    }
}
