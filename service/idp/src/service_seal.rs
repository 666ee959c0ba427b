//! ServiceSeals: what a wallet believes of a relying party, because the tenant's root stands behind it.
//!
//! A seal is public, so alone it proves nothing: at each sign-in the relying party proves itself by the JWT that stands beside it.

use crate::document_seal::SealLost;
use crate::relying_party::{PartyError, RelyingParty, State};
use crate::{Idp, store};
use ::store::{CommitError, Ctx, StoreFault, Unit};
use crypto::hash;
use crypto::jwk::Jwk;
use jiff::{SignedDuration, Timestamp};
use seal::vds::own::{ServiceProof, ServiceSeal, StatusRef};
use tlog::event::Event;

/// Life of a ServiceSeal, seconds: a year.
pub const SERVICE_SEAL_TTL_S: i64 = 365 * 86_400;
/// Seconds before its end at which a seal is made anew.
pub const RESEAL_BEFORE_S: i64 = 30 * 86_400;
/// Tries for a free place of the status list.
const TRIES_MAX: usize = 10; // as for any document seal

impl Idp {
    /// Makes a new seal of what is registered and proved; the one before is revoked at once.
    ///
    /// # Errors
    /// [`PartyError`].
    pub async fn reseal(&self, ctx: &Ctx, tenant: &str, client_id: &str) -> Result<RelyingParty, PartyError> {
        let party = self.relying_party(ctx, client_id).await?.ok_or(PartyError::NotFound)?;
        if party.state == State::PendingProof {
            return Err(PartyError::NotProved);
        }
        self.seal_party(ctx, tenant, party).await
    }

    /// Seals a relying party that proved itself.
    pub(crate) async fn seal_party(
        &self,
        ctx: &Ctx,
        tenant: &str,
        mut party: RelyingParty,
    ) -> Result<RelyingParty, PartyError> {
        let until = ctx.now + SignedDuration::from_secs(SERVICE_SEAL_TTL_S);
        for _ in 0..TRIES_MAX {
            let made = self
                .make_seal(ctx, tenant, ("service", until), |heading, status| {
                    content(&party, until, status).to_be_signed(heading)
                })
                .await?;
            let event = Event::RelyingPartySealed {
                seal_sha256: made.row.sha256,
                relying_party: party.client_id.clone(),
                document_seal: made.row.id.clone(),
                revoked: party.seal_id.clone(),
                key_use: made.key,
            };
            let kept = store::relying_party::seal(&party, (&made.row.id, &made.seal), until.as_millisecond());
            let mut unit = Unit::new(event)
                .guard(store::document_seal::put(&made.row), SealLost::Place)
                .guard(kept, SealLost::Gone)
                .put(store::document_seal::deal(made.row.list));
            if let Some(old) = &party.seal_id {
                unit = unit.put_all(store::document_seal::revoke(old, "replaced"));
            }
            match self.store.commit(ctx, unit).await {
                Ok(_) => {
                    party.state = State::Active;
                    party.service_seal = Some(made.seal);
                    party.seal_id = Some(made.row.id);
                    party.sealed_until_ms = Some(until.as_millisecond());
                    party.revision += 1;
                    return Ok(party);
                }
                Err(CommitError::Lost(SealLost::Place)) => {}
                Err(CommitError::Lost(SealLost::Gone)) => return Err(PartyError::Raced),
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(PartyError::Raced)
    }

    /// Makes seals anew that end soon.
    pub(crate) async fn renew_seals(&self, ctx: &Ctx, tenant: &str, limit: usize) -> Result<(), StoreFault> {
        let before = ctx.now + SignedDuration::from_secs(RESEAL_BEFORE_S);
        let due = store::relying_party::expiring(&self.store, ctx, before.as_millisecond(), limit).await?;
        for client_id in due {
            match self.reseal(ctx, tenant, &client_id).await {
                Err(PartyError::Store(fault)) => return Err(fault),
                Err(fault) => tracing::warn!(%fault, client_id, "a ServiceSeal was not made anew"),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

fn content(party: &RelyingParty, until: Timestamp, status: StatusRef) -> ServiceSeal {
    let known = &party.metadata;
    let bits = party.proof_bits();
    ServiceSeal {
        client_id: party.client_id.clone(),
        legal_name: known.legal_name.clone(),
        origins: known.origins.clone(),
        redirect_hashes: known.redirect_uris.iter().map(|uri| hash::sha256(uri.as_bytes())).collect(),
        scopes: known.ceiling(),
        thumbprints: party.jwks().iter().map(Jwk::thumbprint).collect(),
        not_after_s: until.as_second().unsigned_abs(),
        proof: ServiceProof {
            key: bits & crate::relying_party_proof::PROVED_KEYS != 0,
            origin: bits & crate::relying_party_proof::PROVED_ORIGINS != 0,
            vouched: bits & crate::relying_party_proof::VOUCHED != 0,
        },
        status: Some(status),
    }
}
