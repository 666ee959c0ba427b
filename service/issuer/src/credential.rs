//! Issuing: load the grant, decide, sign, commit; the credential leaves only after its event is durable.

use crate::credential_type::Kind;
use crate::grant::refused;
use crate::possession::{Shown, ToSpend};
use crate::store::{self, CredentialRow, GrantRow, NewCopy};
use crate::{Issuer, index, signer};
use ::store::{CommitError, Ctx, Refused, Stmt, StoreFault, Unit};
use credential::credential_type::AcceptedClaims;
use credential::sd_jwt::{self, IssueError as DraftError, Subject, Validity};
use credential::status::StatusReference;
use crypto::jwk::Jwk;
use crypto::{base64, hash};
use custody::SignError;
use jiff::Timestamp;
use openid::vci::nonce::NONCE_KEY_LABEL;
use openid::vci::possession;
use openid::vci::{
    AcceptedRequest, Check, CredentialRequest, CredentialResponse, Grant, IssueRefusal, NonceKey,
    NonceResponse, ProofRules, Scheme, ShownToken, SpentNonce,
};
use serde_json::{Map, Value};
use std::sync::Arc;
use tlog::event::{Event, Form, KeyUse};

/// The door's name under `I/vci`.
const DOOR: &str = "credential";

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A check of the standard said no. `recorded`: it is an event, as the grant is known.
    #[error("{refusal}")]
    Refused {
        /// Which.
        refusal: IssueRefusal,
        /// Whether its event stands already.
        recorded: bool,
    },
    /// The signer could not, or ends soon; nothing was spent.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// The dataset does not become a credential any more: its signer ends too soon.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The store could not; nothing was spent.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard means here.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) check: Check,
    grant: String,
    holder: Option<String>,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        refused(self.holder.clone(), Some(self.grant.clone()), None, self.check)
    }
}

/// What a request was loaded with.
pub(crate) struct Loaded {
    pub(crate) grant: GrantRow,
    pub(crate) credential: CredentialRow,
    pub(crate) holder: Option<String>,
    kind: Arc<Kind>,
}

impl Loaded {
    /// What a lost guard of this grant means.
    pub(crate) fn lost(&self, check: Check) -> Lost {
        Lost { check, grant: self.grant.id.clone(), holder: self.holder.clone() }
    }
}

/// What all copies of one request share.
struct Copy<'a> {
    tenant: &'a str,
    loaded: &'a Loaded,
    claims: &'a AcceptedClaims<'a>,
    validity: Validity,
    notification_sha256: [u8; 32],
}

/// The copies of one request, signed but not yet durable.
#[derive(Default)]
struct Batch {
    credentials: Vec<String>,
    rows: Vec<Stmt>,
    key_use: Option<KeyUse>,
}

impl Batch {
    /// The event of these copies; none of none.
    fn event(&self, loaded: &Loaded) -> Option<Event> {
        Some(Event::CredentialIssued {
            holder: loaded.holder.clone(),
            form: Form::SdJwt,
            copies: self.credentials.len() as u64,
            grant: loaded.grant.id.clone(),
            credential: loaded.credential.id.clone(),
            configuration: loaded.kind.name.clone(),
            key_use: self.key_use.clone()?,
        })
    }
}

impl Issuer {
    /// A fresh nonce (OpenID4VCI 1.0, 7); nothing is stored.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn nonce(&self, ctx: &Ctx) -> Result<NonceResponse, StoreFault> {
        Ok(NonceResponse { c_nonce: self.nonces(ctx).await?.make(ctx.random(), ctx.now) })
    }

    /// Answers a credential request (OpenID4VCI 1.0, 8).
    ///
    /// # Errors
    /// [`IssueError`]; a refused request costs the wallet neither its round nor its nonce.
    pub async fn issue(
        &self,
        ctx: &Ctx,
        tenant: &str,
        shown: &Shown<'_>,
        body: &[u8],
    ) -> Result<CredentialResponse, IssueError> {
        let loaded = self.loaded(ctx, shown.access.token).await?;
        let proof = match self.shown(ctx, tenant, DOOR, &loaded, shown).await? {
            Ok(proof) => proof,
            Err(check) => return Err(self.refuse(ctx, &loaded, check.into()).await?),
        };
        let accepted = match self.accepted(ctx, tenant, &loaded, body).await? {
            Ok(accepted) => accepted,
            Err(refusal) => return Err(self.refuse(ctx, &loaded, refusal).await?),
        };
        let dataset = self.dataset(ctx, &loaded).await?;
        let accept = |dataset| loaded.kind.rules.accept(dataset).ok();
        let Some(claims) = dataset.as_ref().and_then(accept) else {
            return Err(self.refuse(ctx, &loaded, Check::RoundsLeft.into()).await?);
        };
        let validity = self.validity(ctx, &loaded).await?;
        let notification_id = base64::url_encode(&ctx.random::<32>());
        let notification_sha256 = hash::sha256(notification_id.as_bytes());
        let copy = Copy { tenant, loaded: &loaded, claims: &claims, validity, notification_sha256 };
        let mut batch = Batch::default();
        for key in &accepted.keys {
            self.copy(ctx, &copy, key, &mut batch).await?;
        }
        let Some(event) = batch.event(&loaded) else {
            return Err(self.refuse(ctx, &loaded, Check::ProofsThere.into()).await?);
        };
        let (grant, credential) = (&loaded.grant.id, &loaded.credential.id);
        let expires_at_ms = validity.expires_at().as_millisecond();
        let mut unit = Unit::new(event)
            .guard(store::spend_round(grant), loaded.lost(Check::RoundsLeft))
            .guard(spend_nonce(&accepted.nonce), loaded.lost(Check::NonceGenuine))
            .guard(store::issued(credential, expires_at_ms), loaded.lost(Check::RoundsLeft));
        if let Some(proof) = proof {
            unit = unit.guard(proof.stmt(), loaded.lost(proof.check));
        }
        let told = store::put_notification(notification_sha256, grant, credential);
        match self.store.commit(ctx, unit.put_all(batch.rows).put(told)).await {
            Ok(_) => Ok(CredentialResponse::of(batch.credentials).notified_by(notification_id)),
            Err(CommitError::Lost(Lost { check, .. })) => {
                Err(IssueError::Refused { refusal: check.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whether the token came as its grant asks; then the proof that is to be spent, if one came. A token that is over is told
    /// before its proof is looked at, and a proof that was used before anything is signed for it.
    pub(crate) async fn shown(
        &self,
        ctx: &Ctx,
        tenant: &str,
        door: &str,
        loaded: &Loaded,
        shown: &Shown<'_>,
    ) -> Result<Result<Option<ToSpend>, Check>, StoreFault> {
        if loaded.grant.expires_at_ms <= ctx.now_ms() {
            return Ok(Err(Check::TokenLive));
        }
        let bound_to = loaded.grant.dpop_jkt.as_ref();
        let ShownToken { scheme, token } = shown.access;
        let proved = match (bound_to, shown.dpop) {
            (Some(_), Some(header)) if scheme == Scheme::Dpop => {
                match self.proved(ctx, tenant, door, Some(token), header).await? {
                    Ok(proved) => Some(proved),
                    Err(check) => return Ok(Err(check)),
                }
            }
            _ => None,
        };
        if let Err(check) = possession::shown_rightly(bound_to, scheme, proved.as_ref()) {
            return Ok(Err(check));
        }
        let proof = proved.as_ref().map(ToSpend::from);
        match &proof {
            Some(proof) if store::is_spent(&self.store, ctx, proof.sha256).await? => Ok(Err(proof.check)),
            _ => Ok(Ok(proof)),
        }
    }

    /// The grant behind a token.
    pub(crate) async fn loaded(&self, ctx: &Ctx, token: &str) -> Result<Loaded, IssueError> {
        let unknown = || IssueError::Refused { refusal: Check::TokenLive.into(), recorded: false };
        let found = store::grant(&self.store, ctx, hash::sha256(token.as_bytes())).await?;
        let (grant, credential) = found.ok_or_else(unknown)?;
        let holder = store::subject(&self.store, ctx, &credential).await?;
        let kind = self.kind(ctx, &credential.kind).await?.ok_or_else(unknown)?;
        Ok(Loaded { grant, credential, holder, kind })
    }

    /// Every check that the standard asks for, by the pure decision. A nonce that is spent is told before anything is signed or
    /// dealt for it.
    async fn accepted(
        &self,
        ctx: &Ctx,
        tenant: &str,
        loaded: &Loaded,
        body: &[u8],
    ) -> Result<Result<AcceptedRequest, IssueRefusal>, StoreFault> {
        let token_expires_at =
            Timestamp::from_millisecond(loaded.grant.expires_at_ms).unwrap_or(Timestamp::MIN);
        let batch_size = self.config.batch_size;
        let copies_max = usize::try_from(loaded.credential.copies_max).unwrap_or(1).min(batch_size);
        let grant = Grant {
            configuration_ids: vec![loaded.kind.name.clone()],
            client_id: loaded.grant.client_id.clone(),
            token_expires_at,
            rounds_left: u32::try_from(loaded.grant.rounds_left).unwrap_or(0),
            copies_max,
            rules: ProofRules {
                issuer: self.config.issuer(tenant),
                algs: signer::PROOF_ALGS.to_vec(),
                batch_size,
                nonces: self.nonces(ctx).await?,
            },
        };
        let accepted = CredentialRequest::parse(body).and_then(|request| grant.accept(&request, ctx.now));
        Ok(match accepted {
            Ok(accepted) if store::is_spent(&self.store, ctx, accepted.nonce.hash).await? => {
                Err(Check::NonceGenuine.into())
            }
            accepted => accepted,
        })
    }

    /// Writes the refusal of a known grant and gives the error that carries its event.
    pub(crate) async fn refuse(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        refusal: IssueRefusal,
    ) -> Result<IssueError, StoreFault> {
        let event = refused(loaded.holder.clone(), Some(loaded.grant.id.clone()), None, refusal.check);
        self.store.record(ctx, event).await?;
        Ok(IssueError::Refused { refusal, recorded: true })
    }

    async fn validity(&self, ctx: &Ctx, loaded: &Loaded) -> Result<Validity, IssueError> {
        let left_s = self.config.signer_min_left_s;
        let signer = signer::usable(&self.custody, ctx, signer::CREDENTIAL_USE, left_s).await?;
        Ok(Validity::whole_days(ctx.now, loaded.credential.valid_for_s, signer.ends_at)?)
    }

    /// The dataset, while it is kept.
    async fn dataset(&self, ctx: &Ctx, loaded: &Loaded) -> Result<Option<Map<String, Value>>, StoreFault> {
        let dataset = store::dataset(&self.store, ctx, &loaded.credential).await?;
        Ok(dataset.and_then(|plain| serde_json::from_slice(plain.expose()).ok()))
    }

    /// Adds one signed copy to the batch, and the row that keeps its place in the list.
    async fn copy(
        &self,
        ctx: &Ctx,
        copy: &Copy<'_>,
        holder: &Jwk,
        batch: &mut Batch,
    ) -> Result<(), IssueError> {
        let place = self.deal(ctx).await?;
        let uri = self.config.list_uri(copy.tenant, place.list);
        let status = StatusReference { uri, idx: place.idx.unsigned_abs() };
        let issuer = self.config.issuer(copy.tenant);
        let subject = Subject { issuer: &issuer, holder, status: Some(&status), validity: copy.validity };
        let draft = sd_jwt::issue(copy.claims, &subject, &mut |bytes| index::fill(ctx, bytes))?;
        let until = copy.validity.expires_at();
        let signed = signer::sign(&self.custody, ctx, signer::CREDENTIAL_USE, draft.jws, until).await?;
        batch.rows.push(store::put_copy(&NewCopy {
            credential_id: &copy.loaded.credential.id,
            configuration: &copy.loaded.kind.name,
            list: place.list,
            idx: place.idx,
            key_id: &signed.key.key_id,
            expires_at_ms: until.as_millisecond(),
            notification_sha256: copy.notification_sha256,
        }));
        batch.credentials.push(draft.disclosures.assemble(&signed.compact));
        batch.key_use.get_or_insert(signed.key).count = u32::try_from(batch.rows.len()).unwrap_or(u32::MAX);
        Ok(())
    }

    async fn nonces(&self, ctx: &Ctx) -> Result<NonceKey, StoreFault> {
        Ok(NonceKey::new(self.store.mac_key(ctx, NONCE_KEY_LABEL).await?, ctx.tenant.as_str()))
    }
}

fn spend_nonce(nonce: &SpentNonce) -> Stmt {
    store::spend(nonce.hash, nonce.expires_at.as_millisecond())
}
