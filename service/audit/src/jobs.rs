//! What runs on a tick. Each function is one tick with its own `Ctx` (tenant `system`, actor `system`); the program's loop
//! calls them and owns the clock.

use ::store::{Ctx, Reason};

use crate::{Audit, store};

/// Takes what waits into the trees. Every [`crate::config::SEQUENCE_MS`], and at once when `store.filled()` says so.
pub async fn sequence(audit: &Audit, ctx: &Ctx) {
    audit.sequence(ctx).await;
}

/// Signs and publishes what grew. Every `checkpoint_ms`.
pub async fn publish(audit: &Audit, ctx: &Ctx) {
    audit.publish(ctx).await;
}

/// Forgets log tokens that ended long ago. Once a day.
pub async fn expire(audit: &Audit, ctx: &Ctx) {
    if let Err(fault) =
        audit.store.housekeeping(ctx, Reason::Expiry, vec![store::expire_tokens(ctx.now)]).await
    {
        tracing::warn!(%fault, "ended log tokens could not be forgotten");
    }
}
