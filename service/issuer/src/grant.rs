//! Grants: a pre-authorised code becomes an access token, once.

use crate::Issuer;
use crate::store::{self, By, GrantRow};
use ::store::{CommitError, Ctx, Refused, StoreFault, Unit, id};
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::{Form, TokenResponse};
use openid::vci::{Check, CodeState, IssueRefusal, PreAuthorizedRequest};
use tlog::event::Event;

/// Why a code gave no token.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// A check of the standard said no. `recorded`: it is an event, as the offer is known.
    #[error("{refusal}")]
    Refused {
        /// Which.
        refusal: IssueRefusal,
        /// Whether its event stands already.
        recorded: bool,
    },
    /// The store could not; the code stays good.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The code went to somebody else meanwhile.
#[derive(Debug)]
struct CodeSpent {
    offer: String,
    holder: Option<String>,
}

impl Refused for CodeSpent {
    fn event(&self) -> Event {
        refused(self.holder.clone(), None, Some(self.offer.clone()), Check::CodeLive)
    }
}

impl Issuer {
    /// Redeems a code for an access token (OpenID4VCI 1.0, 6).
    ///
    /// # Errors
    /// [`GrantError`]; a refusal of a known offer is an event, an unknown code is counted at the door.
    pub async fn grant(&self, ctx: &Ctx, form: &Form) -> Result<TokenResponse, GrantError> {
        let request = PreAuthorizedRequest::read(form)?;
        let found = store::offer(&self.store, ctx, By::Code(request.code_sha256())).await?;
        let (row, credential) = found.ok_or(Check::CodeLive)?;
        let holder = store::subject(&self.store, ctx, &credential).await?;
        let expires_at = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(Timestamp::MIN);
        let redemption =
            match (CodeState { expires_at, spent: row.state != "open" }).redeem(&request, ctx.now) {
                Ok(redemption) => redemption,
                Err(refusal) => {
                    let event = refused(holder, None, Some(row.id), refusal.check);
                    self.store.record(ctx, event).await?;
                    return Err(GrantError::Refused { refusal, recorded: true });
                }
            };
        let token = base64::url_encode(&ctx.random::<32>());
        let ttl_s = self.config.access_bearer_ttl_s;
        let grant = GrantRow {
            id: id::new(ctx, "grt"),
            offer_id: row.id.clone(),
            credential_id: row.credential_id,
            client_id: redemption.client_id,
            rounds_left: i64::from(self.config.rounds_max),
            expires_at_ms: (ctx.now + SignedDuration::from_secs(ttl_s.cast_signed())).as_millisecond(),
        };
        let event = Event::AccessGranted {
            holder: holder.clone(),
            ttl_s,
            grant: grant.id.clone(),
            offer: row.id.clone(),
        };
        let unit = Unit::new(event)
            .guard(store::spend_offer(&row.id), CodeSpent { offer: row.id.clone(), holder })
            .put(store::put_grant(&grant, hash::sha256(token.as_bytes())));
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(TokenResponse::bearer(token, u32::try_from(ttl_s).unwrap_or(u32::MAX), None)),
            Err(CommitError::Lost(CodeSpent { .. })) => {
                Err(GrantError::Refused { refusal: Check::CodeLive.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }
}

/// The event of a refusal.
pub(crate) fn refused(
    holder: Option<String>,
    grant: Option<String>,
    offer: Option<String>,
    check: Check,
) -> Event {
    Event::IssueRefused { holder, grant, offer, code: format!("{} {}", check.code().as_str(), check.id()) }
}

impl From<IssueRefusal> for GrantError {
    fn from(refusal: IssueRefusal) -> Self {
        Self::Refused { refusal, recorded: false }
    }
}

impl From<Check> for GrantError {
    fn from(check: Check) -> Self {
        IssueRefusal::from(check).into()
    }
}
