//! Issuing: load the grant, decide, sign, commit; the credential leaves only after its event is durable.

use crate::credential_type::Kind;
use crate::grant::refused;
use crate::store::{self, CredentialRow, GrantRow, NewCopy};
use crate::{Issuer, index, signer};
use ::store::{CommitError, Ctx, Refused, StoreFault, Unit};
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
use serde_json::Value;
use tlog::event::{Event, Form};

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
    kind: Kind,
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
        let mut credentials = Vec::with_capacity(accepted.keys.len());
        let mut copies = Vec::with_capacity(accepted.keys.len());
        let mut key_use = None;
        let until = self.validity(ctx, &loaded).await?;
        for key in &accepted.keys {
            let (text, copy, used) = self.copy(ctx, tenant, &loaded, key, until).await?;
            credentials.push(text);
            copies.push(copy);
            key_use.get_or_insert(used).count = credentials.len() as u32;
        }
        let Some(key_use) = key_use else {
            return Err(self.refuse(ctx, &loaded, Check::ProofsThere.into()).await?);
        };
        let event = Event::CredentialIssued {
            holder: loaded.holder.clone(),
            form: Form::SdJwt,
            copies: credentials.len() as u64,
            grant: loaded.grant.id.clone(),
            credential: loaded.credential.id.clone(),
            configuration: loaded.kind.name.clone(),
            key_use,
        };
        let lost = |check| Lost { check, grant: loaded.grant.id.clone(), holder: loaded.holder.clone() };
        let nonce = accepted.nonce;
        let unit = Unit::new(event)
            .guard(store::spend_round(&loaded.grant.id), lost(Check::RoundsLeft))
            .guard(
                store::spend_nonce(nonce.hash, nonce.expires_at.as_millisecond()),
                lost(Check::NonceGenuine),
            )
            .guard(
                store::issued(&loaded.credential.id, until.expires_at().as_millisecond()),
                lost(Check::RoundsLeft),
            )
            .put_all(copies);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(CredentialResponse::of(credentials)),
            Err(CommitError::Lost(Lost { check, .. })) => {
                Err(IssueError::Refused { refusal: check.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    async fn loaded(&self, ctx: &Ctx, token: &str) -> Result<Loaded, IssueError> {
        let unknown = || IssueError::Refused { refusal: Check::TokenLive.into(), recorded: false };
        let grant =
            store::grant(&self.store, ctx, hash::sha256(token.as_bytes())).await?.ok_or_else(unknown)?;
        let credential =
            store::credential(&self.store, ctx, &grant.credential_id).await?.ok_or_else(unknown)?;
        let holder = store::subject(&self.store, ctx, &credential).await?;
        let kind = self.kind(ctx, &credential.kind).await?.ok_or_else(unknown)?;
        Ok(Loaded { grant, credential, holder, kind })
    }

    /// Every check that the standard asks for, by the pure decision.
    async fn accepted(
        &self,
        ctx: &Ctx,
        tenant: &str,
        loaded: &Loaded,
        body: &[u8],
    ) -> Result<Result<AcceptedRequest, IssueRefusal>, StoreFault> {
        let grant = Grant {
            configuration_ids: vec![loaded.kind.name.clone()],
            client_id: loaded.grant.client_id.clone(),
            token_expires_at: Timestamp::from_millisecond(loaded.grant.expires_at_ms)
                .unwrap_or(Timestamp::MIN),
            rounds_left: u32::try_from(loaded.grant.rounds_left).unwrap_or(0),
            copies_max: BATCH_SIZE,
            rules: ProofRules {
                issuer: self.config.issuer(tenant),
                algs: signer::PROOF_ALGS.to_vec(),
                batch_size: BATCH_SIZE,
                nonces: self.nonces(ctx).await?,
            },
        };
        Ok(CredentialRequest::parse(body).and_then(|request| grant.accept(&request, ctx.now)))
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

    /// One signed copy, and the statement that keeps its place in the list.
    async fn copy(
        &self,
        ctx: &Ctx,
        tenant: &str,
        loaded: &Loaded,
        holder: &Jwk,
        validity: Validity,
    ) -> Result<(String, ::store::Stmt, tlog::event::KeyUse), IssueError> {
        let gone = || IssueError::Refused { refusal: Check::RoundsLeft.into(), recorded: false };
        let dataset = store::dataset(&self.store, ctx, &loaded.credential).await?.ok_or_else(gone)?;
        let Ok(Value::Object(claims)) = serde_json::from_slice(dataset.expose()) else { return Err(gone()) };
        let claims = loaded.kind.rules.accept(&claims).map_err(|_| gone())?;
        let place = self.deal(ctx).await?;
        let status =
            StatusReference { uri: self.config.list_uri(tenant, place.list), idx: place.idx.unsigned_abs() };
        let issuer = self.config.issuer(tenant);
        let subject = Subject { issuer: &issuer, holder, status: Some(&status), validity };
        let draft = sd_jwt::issue(&claims, &subject, &mut |bytes| index::fill(ctx, bytes))?;
        let signed =
            signer::sign(&self.custody, ctx, signer::CREDENTIAL_USE, draft.jws, validity.expires_at())
                .await?;
        let copy = store::put_copy(&NewCopy {
            credential_id: &loaded.credential.id,
            configuration: &loaded.kind.name,
            list: place.list,
            idx: place.idx,
            key_id: &signed.key.key_id,
            expires_at_ms: validity.expires_at().as_millisecond(),
        });
        Ok((draft.disclosures.assemble(&signed.compact), copy, signed.key))
    }

    async fn nonces(&self, ctx: &Ctx) -> Result<NonceKey, StoreFault> {
        Ok(NonceKey::new(self.store.mac_key(ctx, NONCE_KEY_LABEL).await?, ctx.tenant.as_str()))
    }
}
