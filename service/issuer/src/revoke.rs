//! Status and revocation of a credential.

use crate::Issuer;
use crate::offer::OfferLost;
use crate::store::{self, CopyRow, CredentialRow};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit};
use jiff::{SignedDuration, Timestamp};
use tenancy::After;
use tlog::event::Event;

/// The topic of the hint that a list changed; `ids` is its URI.
pub const LIST_CHANGED: &str = "status-list-changed";
/// A list is signed this long after a change at the latest, seconds.
pub const SIGN_DELAY_S: u64 = 2;

/// Why a credential is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A key may have leaked.
    KeyCompromise,
    /// Another took its place.
    Superseded,
    /// The holder no longer belongs.
    AffiliationChanged,
    /// The holder asked.
    HolderRequest,
    /// None of these.
    #[default]
    Other,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::KeyCompromise => "key_compromise",
            Self::Superseded => "superseded",
            Self::AffiliationChanged => "affiliation_changed",
            Self::HolderRequest => "holder_request",
            Self::Other => "other",
        }
    }
}

/// A credential's status with that of each copy.
pub struct Status {
    pub(crate) row: CredentialRow,
    /// `offered`, `valid`, `revoked` or `expired`.
    pub status: &'static str,
    /// When every verifier that honours `ttl` has seen the last change.
    pub visible_by: Option<Timestamp>,
    pub(crate) copies: Vec<CopyRow>,
}

/// Why a status was not changed or found.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Unknown to this tenant.
    #[error("no such credential")]
    NotFound,
    /// The same request was done by another holder of its idempotency key.
    #[error("another request did it")]
    DoneElsewhere,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard means here.
#[derive(Debug)]
enum Lost {
    Mark,
    Revoked,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        match self {
            Self::Mark => OfferLost::Mark.event(),
            Self::Revoked => {
                Event::IssueRefused { holder: None, grant: None, offer: None, code: "revoked-before".into() }
            }
        }
    }
}

impl Issuer {
    /// The status of a credential.
    ///
    /// # Errors
    /// [`RevokeError::NotFound`], [`RevokeError::Store`].
    pub async fn status(&self, ctx: &Ctx, id: &str) -> Result<Status, RevokeError> {
        let row = store::credential(&self.store, ctx, id).await?.ok_or(RevokeError::NotFound)?;
        let copies = store::copies(&self.store, ctx, id).await?;
        Ok(self.judge(row, copies, ctx.now))
    }

    /// Takes a credential back, for good: its copies, its open offer, its grants. A second time is the same answer without a
    /// second event.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn revoke(
        &self,
        ctx: &Ctx,
        tenant: &str,
        id: &str,
        reason: Reason,
        mark: Option<Stmt>,
    ) -> Result<(Status, Option<Committed>), RevokeError> {
        let row = store::credential(&self.store, ctx, id).await?.ok_or(RevokeError::NotFound)?;
        let mut committed = None;
        if row.status != "revoked" {
            let event = Event::CredentialRevoked {
                holder: store::subject(&self.store, ctx, &row).await?,
                copies: store::copies_count(&self.store, ctx, id).await?,
                credential: id.to_owned(),
                reason: reason.as_str().to_owned(),
            };
            let mut unit = Unit::new(event)
                .guard(store::revoke(id, reason.as_str()), Lost::Revoked)
                .put_all(store::revoke_copies(id));
            if let Some((offer, _)) = store::offer(&self.store, ctx, store::By::Credential(id)).await? {
                unit = unit.put(store::cancel_offer(&offer.id));
            }
            if let Some(mark) = mark {
                unit = unit.guard(mark, Lost::Mark);
            }
            match self.store.commit(ctx, unit).await {
                Ok(done) => committed = Some(done),
                Err(CommitError::Lost(Lost::Revoked)) => {}
                Err(CommitError::Lost(Lost::Mark)) => return Err(RevokeError::DoneElsewhere),
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        let status = self.status(ctx, id).await?;
        for copy in &status.copies {
            self.store.bus().publish(LIST_CHANGED, self.config.list_uri(tenant, copy.list));
        }
        Ok((status, committed))
    }

    /// Credentials in order of their making.
    pub(crate) async fn credentials(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<CredentialRow>, StoreFault> {
        store::credentials(&self.store, ctx, after, limit).await
    }

    pub(crate) fn judge(&self, row: CredentialRow, copies: Vec<CopyRow>, now: Timestamp) -> Status {
        let late = row.expires_at_ms.is_some_and(|at| at <= now.as_millisecond());
        let status = match row.status.as_str() {
            "revoked" => "revoked",
            "offered" => "offered",
            "expired" => "expired",
            _ if late => "expired",
            _ => "valid",
        };
        let wait = SignedDuration::from_secs((self.config.status_ttl_s + SIGN_DELAY_S).cast_signed());
        let changed = Timestamp::from_millisecond(row.changed_at_ms).unwrap_or(Timestamp::MIN);
        let visible_by = (status == "revoked" && !copies.is_empty())
            .then(|| changed.saturating_add(wait).unwrap_or(Timestamp::MAX));
        Status { row, status, visible_by, copies }
    }
}
