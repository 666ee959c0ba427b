//! Publishing status lists: what a list says follows from the copies; it is signed after a change, and hourly.

use crate::store::{self, ListRow};
use crate::{Issuer, signer};
use ::store::{CommitError, Ctx, StoreFault, TenantId, Unit};
use credential::status::{Bits, ListDraft, StatusList, StatusValue};
use custody::SignError;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
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
    /// The signed list; one that changed since is signed before it is answered. One request signs, those that wait for it take
    /// what it signed, so that a crowd after a change costs one signature.
    ///
    /// # Errors
    /// [`ListError`]. A list without a change is served as it was signed while its signature lives, even if its signer fails.
    pub async fn status_list(&self, ctx: &Ctx, tenant: &str, number: i64) -> Result<SignedList, ListError> {
        let row = store::list(&self.store, ctx, number).await?.ok_or(ListError::NotFound)?;
        if is_current(&row, ctx.now, RESIGN_S) {
            return Ok(row.into());
        }
        let turn = self.signing.turn(ctx, number);
        let _turn = turn.lock().await;
        let row = store::list(&self.store, ctx, number).await?.ok_or(ListError::NotFound)?;
        if is_current(&row, ctx.now, RESIGN_S) {
            return Ok(row.into());
        }
        match self.sign_list(ctx, tenant, &row).await {
            Err(ListError::Signer(fault))
                if is_current(&row, ctx.now, self.config.status_exp_s.cast_signed()) =>
            {
                tracing::warn!(%fault, list = number, "a status list could not be signed anew");
                Ok(row.into())
            }
            signed => signed,
        }
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

    /// Signs what waits.
    pub(crate) async fn sign_due_lists(&self, ctx: &Ctx, tenant: &str) -> Result<(), ListError> {
        let hour_ago_ms = ctx.now_ms() - RESIGN_S * 1_000;
        for row in store::due_lists(&self.store, ctx, hour_ago_ms).await? {
            self.status_list(ctx, tenant, row.list).await?;
        }
        Ok(())
    }

    /// Two processes at once do no harm: each signs what it read, and an older version never replaces a newer one.
    async fn sign_list(&self, ctx: &Ctx, tenant: &str, row: &ListRow) -> Result<SignedList, ListError> {
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
            Ok(_) => Ok(SignedList::of(signed.compact)),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(never)) => match never {},
        }
    }
}

/// Whose turn it is to sign a list. One lock a list: lists stay few, at 131,072 copies each.
#[derive(Default)]
pub(crate) struct Signing(std::sync::Mutex<HashMap<(TenantId, i64), Turn>>);

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Signing {
    fn turn(&self, ctx: &Ctx, list: i64) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry((ctx.tenant.clone(), list)).or_default().clone()
    }
}

impl SignedList {
    fn of(token: String) -> Self {
        let digest = crypto::hash::sha256(token.as_bytes());
        Self { etag: format!("\"{}\"", crypto::base64::url_encode(&digest[..16])), token }
    }
}

impl From<ListRow> for SignedList {
    fn from(row: ListRow) -> Self {
        Self::of(row.token)
    }
}

/// Whether what was signed says what the copies say, and was signed within `age_s`.
fn is_current(row: &ListRow, now: Timestamp, age_s: i64) -> bool {
    row.version == row.signed_version && row.signed_at_ms > now.as_millisecond() - age_s * 1_000
}

/// When a list that was signed at `ms` was signed.
pub(crate) fn signed_at(ms: i64) -> Option<Timestamp> {
    (ms > 0).then(|| Timestamp::from_millisecond(ms).ok()).flatten()
}
