//! Grants: a pre-authorised code becomes an access token, once.
//!
//! ```text
//! form, headers ─► offer by code's hash ─► attestation ─► DPoP ─► redeem (transaction code, time) ─► unit: code, proofs spent; grant
//!                                                                   └─ wrong transaction code ─► unit: a try taken, at last a lock
//! ```
//! A DPoP nonce is asked for before a transaction code is looked at, so that no try is lost on the way.

use crate::Issuer;
use crate::possession::{Presented, ToSpend};
use crate::store::{self, By, CredentialRow, GrantRow, OfferRow};
use ::store::{CommitError, Ctx, Refused, StoreFault, Unit, id};
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::dpop::ProvedKey;
use openid::oauth::{AttestedClient, Form, TokenResponse};
use openid::vci::tx_code::TX_CODE_KEY_LABEL;
use openid::vci::{Check, CodeState, IssueRefusal, PreAuthorizedRequest, TxCodeKey};
use tlog::event::Event;

/// The door's name under `I/vci`.
const DOOR: &str = "token";

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

/// The code went to somebody else meanwhile, or a proof was spent before.
#[derive(Debug)]
struct Lost {
    check: Check,
    offer: String,
    holder: Option<String>,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        refused(self.holder.clone(), None, Some(self.offer.clone()), self.check)
    }
}

/// A code that may be spent, by whom, and the proofs that came with it.
struct Redeemable {
    client_id: Option<String>,
    attested: Option<AttestedClient>,
    proved: Option<ProvedKey>,
}

impl Issuer {
    /// Redeems a code for an access token (OpenID4VCI 1.0, 6), which is bound to the key of a DPoP proof if one came.
    ///
    /// # Errors
    /// [`GrantError`]; a refusal of a known offer is an event, an unknown code is counted at the door.
    pub async fn grant(
        &self,
        ctx: &Ctx,
        tenant: &str,
        form: &Form,
        presented: &Presented<'_>,
    ) -> Result<TokenResponse, GrantError> {
        let request = PreAuthorizedRequest::read(form)?;
        let found = store::offer(&self.store, ctx, By::Code(request.code_sha256())).await?;
        let (row, credential) = found.ok_or(Check::CodeLive)?;
        let holder = store::subject(&self.store, ctx, &credential).await?;
        match self.redeemable(ctx, tenant, &row, &request, presented).await? {
            Ok(redeemable) => self.redeem(ctx, row, holder, redeemable).await,
            Err(refusal) => {
                self.refuse_offer(ctx, row, &credential, holder, refusal).await?;
                Err(GrantError::Refused { refusal, recorded: true })
            }
        }
    }

    /// Every check, the cheap and harmless ones first.
    async fn redeemable(
        &self,
        ctx: &Ctx,
        tenant: &str,
        row: &OfferRow,
        request: &PreAuthorizedRequest,
        presented: &Presented<'_>,
    ) -> Result<Result<Redeemable, IssueRefusal>, StoreFault> {
        let attested = match self.attested(ctx, tenant, presented, request.client_id.as_deref()).await? {
            Ok(attested) => attested,
            Err(check) => return Ok(Err(check.into())),
        };
        let proved = match presented.dpop {
            Some(header) => match self.proved(ctx, tenant, DOOR, None, header).await? {
                Ok(proved) => Some(proved),
                Err(check) => return Ok(Err(check.into())),
            },
            None => None,
        };
        let expires_at = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(Timestamp::MIN);
        let state = CodeState { expires_at, spent: row.state != "open", tx_code: row.tx_code };
        let redemption = state.redeem(request, &row.id, &self.tx_codes(ctx).await?, ctx.now);
        Ok(redemption.map(|redemption| Redeemable {
            client_id: attested.as_ref().map(|client| client.client_id.clone()).or(redemption.client_id),
            attested,
            proved,
        }))
    }

    /// Spends the code and its proofs, and gives the token.
    async fn redeem(
        &self,
        ctx: &Ctx,
        row: OfferRow,
        holder: Option<String>,
        redeemable: Redeemable,
    ) -> Result<TokenResponse, GrantError> {
        let Redeemable { client_id, attested, proved } = redeemable;
        let token = base64::url_encode(&ctx.random::<32>());
        let ttl_s = match proved {
            Some(_) => self.config.access_dpop_ttl_s,
            None => self.config.access_bearer_ttl_s,
        };
        let grant = GrantRow {
            id: id::new(ctx, "grt"),
            offer_id: row.id.clone(),
            credential_id: row.credential_id,
            client_id,
            rounds_left: i64::from(self.config.rounds_max),
            expires_at_ms: (ctx.now + SignedDuration::from_secs(ttl_s.cast_signed())).as_millisecond(),
            dpop_jkt: proved.as_ref().map(|key| key.thumbprint),
        };
        let event = Event::AccessGranted {
            holder: holder.clone(),
            ttl_s,
            grant: grant.id.clone(),
            offer: row.id.clone(),
        };
        let lost = |check| Lost { check, offer: row.id.clone(), holder: holder.clone() };
        let mut unit = Unit::new(event).guard(store::spend_offer(&row.id), lost(Check::CodeLive));
        let proofs = [proved.as_ref().map(ToSpend::from), attested.as_ref().map(ToSpend::from)];
        for proof in proofs.into_iter().flatten() {
            unit = unit.guard(proof.stmt(), lost(proof.check));
        }
        let unit = unit.put(store::put_grant(&grant, hash::sha256(token.as_bytes())));
        match self.store.commit(ctx, unit).await {
            Ok(_) => {
                let ttl_s = u32::try_from(ttl_s).unwrap_or(u32::MAX);
                Ok(match proved {
                    Some(_) => TokenResponse::bound(token, ttl_s, None),
                    None => TokenResponse::bearer(token, ttl_s, None),
                })
            }
            Err(CommitError::Lost(Lost { check, .. })) => {
                Err(GrantError::Refused { refusal: check.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Writes the refusal of a known offer. A wrong transaction code takes a try with it, the last one the offer.
    async fn refuse_offer(
        &self,
        ctx: &Ctx,
        row: OfferRow,
        credential: &CredentialRow,
        holder: Option<String>,
        refusal: IssueRefusal,
    ) -> Result<(), StoreFault> {
        let event = refused(holder.clone(), None, Some(row.id.clone()), refusal.check);
        let Some(lock) = row.tx_code.filter(|_| refusal.check == Check::TxCodeRight) else {
            return self.store.record(ctx, event).await.map(drop);
        };
        let lost = || Lost { check: refusal.check, offer: row.id.clone(), holder: holder.clone() };
        if lock.tries_left > 1 {
            let unit = Unit::new(event).guard(store::take_try(&row.id), lost());
            match self.store.commit(ctx, unit).await {
                Ok(_) => return Ok(()),
                // Others took tries meanwhile: what is left now is one, or none.
                Err(CommitError::Lost(Lost { .. })) => {}
                Err(CommitError::Fault(fault)) => return Err(fault),
            }
        }
        let event = Event::OfferLocked {
            holder: holder.clone(),
            offer: row.id.clone(),
            credential: credential.id.clone(),
        };
        let unit = Unit::new(event).guard(store::lock_offer(&row.id), lost());
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(Lost { .. })) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }

    pub(crate) async fn tx_codes(&self, ctx: &Ctx) -> Result<TxCodeKey, StoreFault> {
        Ok(TxCodeKey::new(self.store.mac_key(ctx, TX_CODE_KEY_LABEL).await?, ctx.tenant.as_str()))
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
