//! What runs on a tick; each takes the tick's `Ctx`, for one tenant.

use crate::offer::OfferLost;
use crate::status_list::ListError;
use crate::{Issuer, store};
use ::store::{CommitError, Ctx, Reason, StoreFault, Unit};
use jiff::SignedDuration;
use tlog::event::Event;

/// Offers that one tick ends.
const LATE_OFFERS_MAX: usize = 200;
/// Seconds that an ended offer or grant is kept, so that a late wallet is told why.
const KEEP_ENDED_S: i64 = 86_400;
/// Seconds that a copy is kept after its end: disputes about it come within a year.
const KEEP_EXPIRED_S: i64 = 365 * 86_400;

impl Issuer {
    /// Signs lists that changed; every two seconds.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn publish_lists(&self, ctx: &Ctx, tenant: &str) -> Result<(), ListError> {
        self.sign_due_lists(ctx, tenant).await
    }

    /// Ends offers nobody took, forgets what is past its time, keeps a list open; every minute.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tidy(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        for row in store::late_offers(&self.store, ctx, LATE_OFFERS_MAX).await? {
            let Some(credential) = store::credential(&self.store, ctx, &row.credential_id).await? else {
                continue;
            };
            let event = Event::OfferExpired {
                holder: store::subject(&self.store, ctx, &credential).await?,
                offer: row.id.clone(),
                credential: row.credential_id.clone(),
            };
            let unit = Unit::new(event)
                .guard(store::expire_offer(&row.id), OfferLost::Gone { offer: row.id.clone() });
            match self.store.commit(ctx, unit).await {
                Ok(_) | Err(CommitError::Lost(_)) => {}
                Err(CommitError::Fault(fault)) => return Err(fault),
            }
        }
        let ago_ms = |s| (ctx.now - SignedDuration::from_secs(s)).as_millisecond();
        let past = store::forget(ago_ms(KEEP_ENDED_S), ago_ms(KEEP_EXPIRED_S));
        self.store.housekeeping(ctx, Reason::Expiry, past).await?;
        self.keep_lists_open(ctx).await
    }
}
