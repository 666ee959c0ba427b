//! Looking into status lists: kept ones while they are fresh, others fetched, and nothing else that a presentation names.

use crate::http::fetch;
use crate::lists::{Kept, Key, Seat};
use crate::trust::Believed;
use crate::{Verifier, store};
use ::store::{Ctx, Reason, StoreFault};
use credential::status::{ListFault, ListToken, VerifiedList};
use credential::trust::Trust;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// A list is fetched anew up to so many seconds before its time is over, so that lists do not all fall due at once.
const JITTER_S: u8 = 16;

/// A list, or why there is none.
pub(crate) type Found = Result<Arc<Kept>, ListFault>;

impl Verifier {
    /// The list at `uri` as this tenant sees it now. A list past its time is answered only if a newer one cannot be reached: the
    /// check of freshness then decides.
    pub(crate) async fn status_list(
        &self,
        ctx: &Ctx,
        believed: &Believed,
        uri: &str,
    ) -> Result<Found, StoreFault> {
        let key = (ctx.tenant.clone(), uri.to_owned());
        let seat = self.lists.look(&key, ctx.now);
        if let Some(found) = known(&seat, believed, ctx.now) {
            return Ok(found);
        }
        let _turn = seat.gate.lock().await;
        // Whoever had the turn before may have fetched it; or its issuer has said since that it changed.
        let seat = self.lists.look(&key, ctx.now);
        if let Some(found) = known(&seat, believed, ctx.now) {
            return Ok(found);
        }
        // What an earlier process fetched may be older than a hint that this one has heard.
        let remembered = if seat.generation == 0 { self.remembered(ctx, believed, uri).await? } else { None };
        if let Some(kept) = remembered.as_ref().filter(|kept| kept.is_usable(&believed.fingerprint, ctx.now))
        {
            self.lists.keep(&key, seat.generation, kept);
            return Ok(Ok(kept.clone()));
        }
        Ok(match self.fetch(ctx, believed, &key, seat.generation).await {
            Err(fault @ (ListFault::Unreachable | ListFault::Redirected)) => {
                let older = seat.kept.filter(|kept| kept.believed == believed.fingerprint).or(remembered);
                older.ok_or(fault)
            }
            found => found,
        })
    }

    /// Fetches anew what is in use and soon too old; every two seconds.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn refresh_lists(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let due = self.lists.due(&ctx.tenant, ctx.now);
        if due.is_empty() {
            return Ok(());
        }
        let believed = self.anchors.believed(&self.custody, ctx).await?;
        for key in due {
            let Some(seat) = self.lists.refresh(&key, ctx.now) else { continue };
            // Somebody is fetching it at this moment.
            let Ok(_turn) = seat.gate.try_lock() else { continue };
            if seat.fault.is_none() {
                let _ = self.fetch(ctx, &believed, &key, seat.generation).await;
            }
        }
        Ok(())
    }

    /// Fetches and verifies a list and keeps it.
    async fn fetch(&self, ctx: &Ctx, believed: &Believed, key: &Key, generation: u64) -> Found {
        let uri = key.1.as_str();
        let found = match fetch::status_list(&self.outbound, uri).await {
            Ok(token) => self.verified(believed, &token, ctx.now).map(|list| (token, list)),
            Err(fault) => Err(fault),
        };
        let (token, list) = match found {
            Ok(found) => found,
            Err(fault) => {
                self.lists.note(key, generation, fault, ctx.now);
                return Err(fault);
            }
        };
        let early = SignedDuration::from_secs(i64::from(ctx.random::<1>()[0] % JITTER_S));
        let refresh_at = list.fresh_until(ctx.now).saturating_sub(early).unwrap_or(Timestamp::MIN);
        let kept = Arc::new(Kept { list, fetched_at: ctx.now, refresh_at, believed: believed.fingerprint });
        self.lists.keep(key, generation, &kept);
        if !self.config.is_own(uri) {
            let put = vec![store::put_list(uri, &token)];
            // A copy less after a restart; the presentation goes on.
            if let Err(fault) = self.store.housekeeping(ctx, Reason::Cursor, put).await {
                tracing::warn!(%fault, "a status list was not kept");
            }
        }
        Ok(kept)
    }

    /// A list that an earlier process fetched. Our own are not among them.
    async fn remembered(
        &self,
        ctx: &Ctx,
        believed: &Believed,
        uri: &str,
    ) -> Result<Option<Arc<Kept>>, StoreFault> {
        if self.config.is_own(uri) {
            return Ok(None);
        }
        let Some(row) = store::list(&self.store, ctx, uri).await? else { return Ok(None) };
        let fetched_at = Timestamp::from_millisecond(row.fetched_at_ms).unwrap_or(Timestamp::MIN);
        // Under other anchors than then it may be no list of ours any more.
        let Ok(list) = self.verified(believed, &row.token, ctx.now) else { return Ok(None) };
        let refresh_at = list.fresh_until(fetched_at);
        Ok(Some(Arc::new(Kept { list, fetched_at, refresh_at, believed: believed.fingerprint })))
    }

    fn verified(&self, believed: &Believed, token: &str, now: Timestamp) -> Result<VerifiedList, ListFault> {
        let trust = Trust { anchors: &believed.anchors, cache: &self.paths, haip: self.config.haip };
        ListToken::parse(token)?.verify(&trust, now)
    }
}

/// What needs no fetching.
fn known(seat: &Seat, believed: &Believed, now: Timestamp) -> Option<Found> {
    match &seat.kept {
        Some(kept) if kept.is_usable(&believed.fingerprint, now) => Some(Ok(kept.clone())),
        // An older copy may still count within the grace: it is answered in place of the fault.
        Some(kept) if kept.believed == believed.fingerprint && seat.fault.is_some() => Some(Ok(kept.clone())),
        _ => seat.fault.map(Err),
    }
}
