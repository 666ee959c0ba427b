//! What runs on a tick; each takes the tick's `Ctx`, for one tenant. [`Verifier::refresh_lists`] stands beside the lists.

use crate::{Verifier, store};
use ::store::{Ctx, Reason, StoreFault};
use jiff::SignedDuration;

/// Sessions and results that one tick ends or erases.
const TICK_ROWS_MAX: usize = 200;
/// Seconds that an ended session is kept, and a list that nobody asked for.
const KEEP_ENDED_S: i64 = 86_400;
/// Seconds that a report is kept: 90 days.
const KEEP_REPORTS_S: i64 = 90 * 86_400;

impl Verifier {
    /// Ends requests nobody answered, erases claims past their time, forgets what is old; every few seconds.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tidy(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        for late in store::late(&self.store, ctx, TICK_ROWS_MAX).await? {
            self.expire(ctx, &late).await?;
        }
        for late in store::late_returns(&self.store, ctx, TICK_ROWS_MAX).await? {
            self.not_returned(ctx, &late).await?;
        }
        for id in store::due_claims(&self.store, ctx, TICK_ROWS_MAX).await? {
            self.erase_claims(ctx, &id).await?;
        }
        let ago_ms = |seconds| (ctx.now - SignedDuration::from_secs(seconds)).as_millisecond();
        let stmts = store::forget(ago_ms(KEEP_ENDED_S), ago_ms(KEEP_REPORTS_S));
        self.store.housekeeping(ctx, Reason::Expiry, stmts).await.map(|_| ())
    }
}
