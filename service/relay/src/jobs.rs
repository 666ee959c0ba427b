//! What runs on a tick beside the rounds themselves.

use crate::network::RelayFault;
use crate::{Relay, now_ms, store};
use ::store::{Ctx, Reason};
use mailbox::network::Class;

/// Milliseconds that statements of rounds are kept: outsiders check a year afterwards.
const STATEMENTS_MS: u64 = 400 * 86_400_000;
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

impl Relay {
    /// Forgets rows past their retention, old statements, late links and keys of ended epochs; every minute.
    ///
    /// # Errors
    /// [`RelayFault`].
    pub async fn tidy(&self, ctx: &Ctx) -> Result<(), RelayFault> {
        let ctx = &self.inside(ctx);
        let Some(live) = self.live() else { return Ok(()) };
        let before =
            |ms: u64| live.calendar.round_at(Class::Normal, now_ms(ctx).saturating_sub(ms)).unwrap_or(0);
        let retention_ms = u64::from(live.manifest.manifest().retention) * DAY_MS;
        let past = store::forget(Class::Normal, before(retention_ms), before(STATEMENTS_MS));
        self.store().housekeeping(ctx, Reason::Expiry, past).await?;
        self.erase_epoch_keys(ctx).await?;
        Ok(())
    }
}
