//! What runs on a tick; each takes the tick's `Ctx`, for one tenant.

use crate::document_seal::SealError;
use crate::{Idp, store};
use ::store::{Ctx, Reason, StoreFault};
use edge::flood::Flood;

/// Seconds between two looks at sessions whose time is over.
pub const SWEEP_S: u64 = 5;
/// Sessions that one tick ends.
const SWEEP_ROWS_MAX: usize = 200; // two hundred units are a tenth of a second
/// Enrolments, seals and lists that one tick looks at.
const TICK_ROWS_MAX: usize = 50; // each signs or commits
/// How long a result is kept, milliseconds: so long a replayed code is seen.
const RESULT_KEPT_MS: i64 = 600_000;
/// How long the history and ended enrolments are kept, milliseconds: 90 days.
const HISTORY_KEPT_MS: i64 = 90 * 86_400_000;

impl Idp {
    /// Ends sessions nobody answered; every [`SWEEP_S`] seconds.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn sweep(&self, ctx: &Ctx, flood: &Flood) -> Result<(), StoreFault> {
        self.remembered.forget_late(ctx.now_ms());
        self.expire_signins(ctx, flood, SWEEP_ROWS_MAX).await
    }

    /// Lets waiting devices in, ends enrolments, makes seals anew, signs lists, forgets what is old; every minute.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tidy(&self, ctx: &Ctx, tenant: &str) -> Result<(), StoreFault> {
        self.ripen_enrolments(ctx, TICK_ROWS_MAX).await?;
        self.renew_seals(ctx, tenant, TICK_ROWS_MAX).await?;
        match self.sign_seal_lists(ctx, tenant, TICK_ROWS_MAX).await {
            Err(SealError::Store(fault)) => return Err(fault),
            Err(fault) => tracing::warn!(%fault, "a status list of document seals was not signed"),
            Ok(()) => {}
        }
        if let Err(fault) = self.publish_keys(ctx, tenant).await {
            tracing::warn!(%fault, "the keys that wallets pin were not published");
        }
        let mut past = store::result::forget(ctx.now_ms() - RESULT_KEPT_MS, ctx.now_ms() - HISTORY_KEPT_MS);
        past.extend(store::enrolment::forget(ctx.now_ms() - HISTORY_KEPT_MS));
        past.push(store::document_seal::forget(ctx.now_ms() - HISTORY_KEPT_MS));
        past.push(store::relying_party::forget_challenges());
        past.push(store::signin::forget_jtis());
        past.push(store::outbox::forget());
        self.store.housekeeping(ctx, Reason::Expiry, past).await?;
        self.forget_op(ctx).await.map(drop)
    }
}
