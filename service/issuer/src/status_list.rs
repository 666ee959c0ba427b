//! Publishing status lists: what a list says follows from the copies; it is signed after a change, and hourly.

use crate::store::{self, ListRow};
use crate::{Issuer, signer};
use ::store::{CommitError, Ctx, StoreFault, Unit};
use credential::status::{Bits, ListDraft, StatusList, StatusValue};
use custody::SignError;
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use tlog::event::Event;

/// A list is signed anew at least this often, seconds, so that its `iat` tells that it is maintained.
pub(crate) const RESIGN_S: i64 = 3_600;

/// Why a list is not served.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No such list.
    #[error("no such status list")]
    NotFound,
    /// The signer could not, or ends soon.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// The list could not be made. A fault of ours.
    #[error(transparent)]
    List(#[from] credential::status::ListError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// A signed list.
pub struct SignedList {
    /// `statuslist+jwt`.
    pub token: String,
    /// Names this signature for caches.
    pub etag: String,
}

impl Issuer {
    /// The signed list; one that changed since is signed before it is answered.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn status_list(&self, ctx: &Ctx, tenant: &str, number: i64) -> Result<SignedList, ListError> {
        let row = store::list(&self.store, ctx, number).await?.ok_or(ListError::NotFound)?;
        let stale = row.signed_at_ms < ctx.now_ms() - RESIGN_S * 1_000;
        if row.version == row.signed_version && !stale {
            return Ok(SignedList { etag: etag(&row.token), token: row.token });
        }
        let token = self.sign_list(ctx, tenant, &row).await?;
        Ok(SignedList { etag: etag(&token), token })
    }

    /// Lists of the tenant, from number `after` on.
    pub(crate) async fn lists(
        &self,
        ctx: &Ctx,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ListRow>, StoreFault> {
        store::lists(&self.store, ctx, after, limit).await
    }

    /// Signs what waits. Two at once do no harm: each signs what it read, and an older version never replaces a newer one.
    pub(crate) async fn sign_due_lists(&self, ctx: &Ctx, tenant: &str) -> Result<(), ListError> {
        let hour_ago_ms = ctx.now_ms() - RESIGN_S * 1_000;
        for row in store::due_lists(&self.store, ctx, hour_ago_ms).await? {
            self.sign_list(ctx, tenant, &row).await?;
        }
        Ok(())
    }

    async fn sign_list(&self, ctx: &Ctx, tenant: &str, row: &ListRow) -> Result<String, ListError> {
        let entries = u32::try_from(row.entries).unwrap_or(0);
        let mut list = StatusList::new(Bits::One, entries)?;
        for idx in store::revoked(&self.store, ctx, row.list).await? {
            list.set(idx, StatusValue::Invalid)?;
        }
        let uri = self.config.list_uri(tenant, row.list);
        let aggregation_uri = format!("{}/status", self.config.issuer(tenant));
        let expires_at = ctx.now + SignedDuration::from_secs(self.config.status_exp_s.cast_signed());
        let draft = ListDraft {
            uri: &uri,
            issued_at: ctx.now,
            expires_at,
            ttl_s: u32::try_from(self.config.status_ttl_s).unwrap_or(u32::MAX),
            aggregation_uri: Some(&aggregation_uri),
        }
        .draft(&list);
        let signed = signer::sign(&self.custody, ctx, signer::LIST_USE, draft, expires_at).await?;
        let event = Event::StatusListSigned {
            list: row.list.unsigned_abs(),
            sha256: crypto::hash::sha256(signed.compact.as_bytes()),
            key_use: signed.key,
        };
        let unit =
            Unit::<Infallible>::new(event).put(store::sign_list(row.list, row.version, &signed.compact));
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(signed.compact),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(never)) => match never {},
        }
    }
}

fn etag(token: &str) -> String {
    format!("\"{}\"", crypto::base64::url_encode(&crypto::hash::sha256(token.as_bytes())[..16]))
}

/// When a list that was signed at `ms` was signed.
pub(crate) fn signed_at(ms: i64) -> Option<Timestamp> {
    (ms > 0).then(|| Timestamp::from_millisecond(ms).ok()).flatten()
}
