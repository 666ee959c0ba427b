//! Issuing: load the grant, decide, sign, commit; the credential leaves only after its event is durable.

use crate::credential_type::Kind;
use crate::grant::refused;
use crate::store::{self, CredentialRow, GrantRow, NewCopy};
use crate::{Issuer, index, signer};
use ::store::{CommitError, Ctx, Refused, Stmt, StoreFault, Unit};
use credential::credential_type::AcceptedClaims;
use credential::sd_jwt::{self, IssueError as DraftError, Subject, Validity};
use credential::status::StatusReference;
use crypto::hash;
use crypto::jwk::Jwk;
use custody::SignError;
use jiff::Timestamp;
use openid::vci::nonce::NONCE_KEY_LABEL;
use openid::vci::{
    AcceptedRequest, Check, CredentialRequest, CredentialResponse, Grant, IssueRefusal, NonceKey,
    NonceResponse, ProofRules,
};
use serde_json::{Map, Value};
use std::sync::Arc;
use tlog::event::{Event, Form, KeyUse};

/// Keys, and so copies, of one request: this version issues one copy.
const BATCH_SIZE: usize = 1;

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
struct Lost {
    check: Check,
    grant: String,
    holder: Option<String>,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        refused(self.holder.clone(), Some(self.grant.clone()), None, self.check)
    }
}

/// What a request was loaded with.
struct Loaded {
    grant: GrantRow,
    credential: CredentialRow,
    holder: Option<String>,
    kind: Arc<Kind>,
}

/// What all copies of one request share.
struct Copy<'a> {
    tenant: &'a str,
    loaded: &'a Loaded,
    claims: &'a AcceptedClaims<'a>,
    validity: Validity,
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
        token: &str,
        body: &[u8],
    ) -> Result<CredentialResponse, IssueError> {
        let loaded = self.loaded(ctx, token).await?;
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
        let mut batch = Batch::default();
        for key in &accepted.keys {
            self.copy(ctx, &Copy { tenant, loaded: &loaded, claims: &claims, validity }, key, &mut batch)
                .await?;
        }
        let Some(event) = batch.event(&loaded) else {
            return Err(self.refuse(ctx, &loaded, Check::ProofsThere.into()).await?);
        };
        let lost = |check| Lost { check, grant: loaded.grant.id.clone(), holder: loaded.holder.clone() };
        let nonce = accepted.nonce;
        let expires_at_ms = validity.expires_at().as_millisecond();
        let unit = Unit::new(event)
            .guard(store::spend_round(&loaded.grant.id), lost(Check::RoundsLeft))
            .guard(
                store::spend_nonce(nonce.hash, nonce.expires_at.as_millisecond()),
                lost(Check::NonceGenuine),
            )
            .guard(store::issued(&loaded.credential.id, expires_at_ms), lost(Check::RoundsLeft))
            .put_all(batch.rows);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(CredentialResponse::of(batch.credentials)),
            Err(CommitError::Lost(Lost { check, .. })) => {
                Err(IssueError::Refused { refusal: check.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    async fn loaded(&self, ctx: &Ctx, token: &str) -> Result<Loaded, IssueError> {
        let unknown = || IssueError::Refused { refusal: Check::TokenLive.into(), recorded: false };
        let found = store::grant(&self.store, ctx, hash::sha256(token.as_bytes())).await?;
        let (grant, credential) = found.ok_or_else(unknown)?;
        let holder = store::subject(&self.store, ctx, &credential).await?;
        let kind = self.kind(ctx, &credential.kind).await?.ok_or_else(unknown)?;
        Ok(Loaded { grant, credential, holder, kind })
    }

    /// Every check that the standard asks for, by the pure decision. A token that is over is told before its request is read,
    /// and a nonce that is spent before anything is signed or dealt for it.
    async fn accepted(
        &self,
        ctx: &Ctx,
        tenant: &str,
        loaded: &Loaded,
        body: &[u8],
    ) -> Result<Result<AcceptedRequest, IssueRefusal>, StoreFault> {
        let token_expires_at =
            Timestamp::from_millisecond(loaded.grant.expires_at_ms).unwrap_or(Timestamp::MIN);
        if ctx.now >= token_expires_at {
            return Ok(Err(Check::TokenLive.into()));
        }
        let grant = Grant {
            configuration_ids: vec![loaded.kind.name.clone()],
            client_id: loaded.grant.client_id.clone(),
            token_expires_at,
            rounds_left: u32::try_from(loaded.grant.rounds_left).unwrap_or(0),
            copies_max: BATCH_SIZE,
            rules: ProofRules {
                issuer: self.config.issuer(tenant),
                algs: signer::PROOF_ALGS.to_vec(),
                batch_size: BATCH_SIZE,
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
    async fn refuse(
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
        }));
        batch.credentials.push(draft.disclosures.assemble(&signed.compact));
        batch.key_use.get_or_insert(signed.key).count = u32::try_from(batch.rows.len()).unwrap_or(u32::MAX);
        Ok(())
    }

    async fn nonces(&self, ctx: &Ctx) -> Result<NonceKey, StoreFault> {
        Ok(NonceKey::new(self.store.mac_key(ctx, NONCE_KEY_LABEL).await?, ctx.tenant.as_str()))
    }
}
