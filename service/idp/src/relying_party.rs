//! Relying parties: what is registered, what they proved, and which seal says so.
//!
//! ```text
//! POST ─► registered (challenge) ─► prove: keys sign, origins show ─► proved ─► sealed: active
//! PATCH of origins, keys or scopes ─► old seal revoked at once ─► challenge again
//! ```

use crate::relying_party_form::{Fault, Form};
use crate::{Idp, store};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use crypto::base64;
use crypto::hash;
use crypto::jwk::Jwk;
use crypto::secret::Secret;
use jiff::SignedDuration;
use schemars::JsonSchema;
use seal::code::Acr;
use seal::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use tenancy::After;
use tlog::event::Event;

/// Life of a challenge, seconds: somebody has to put a file on a web server.
pub const CHALLENGE_TTL_S: i64 = 600;

/// Where a relying party stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has to prove its keys and origins first.
    PendingProof,
    /// It proved them; its seal is being made.
    Proved,
    /// It may ask people to sign in.
    Active,
}

/// What is registered of a relying party. Lists are as they were checked: origins and scopes sorted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RelyingPartyMetadata")]
pub struct Metadata {
    /// What lists call it.
    pub name: String,
    /// What people read when they decide; stands in the seal.
    pub legal_name: String,
    /// Web origins.
    pub origins: Vec<String>,
    /// Compared exactly; for native ones any port of loopback.
    pub redirect_uris: Vec<String>,
    /// Compared exactly.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logouts are told.
    pub backchannel_logout_uri: Option<String>,
    /// Atomic names, sorted: the most it may ask for.
    pub scopes: Vec<String>,
    /// What for, by language.
    pub purpose: BTreeMap<String, String>,
    /// `private_key_jwt`, `none`, `client_secret_basic` or `client_secret_post`.
    pub auth_method: String,
    /// Where its keys are published; they are read when it proves them.
    pub jwks_uri: Option<String>,
    /// `oidc` or `fapi2`.
    pub profile: String,
    /// Algorithm of its ID Tokens.
    pub id_token_alg: String,
    /// Algorithm of userinfo; plain JSON without one.
    pub userinfo_alg: Option<String>,
    /// Whose host is the sector of its pairwise subjects, if it named one.
    pub sector_identifier_uri: Option<String>,
    /// The sector: a host.
    pub sector: String,
    /// The least class of its sign-ins.
    pub acr_min: String,
    /// Whether requests must be pushed.
    pub require_par: bool,
    /// Whether PKCE must be used.
    pub require_pkce: bool,
    /// Whether claims can be read again after a refresh.
    pub refresh_claims: bool,
    /// Whether it is a native application (RFC 8252).
    pub native: bool,
    /// `request_object`, `client_assertion` or `none`.
    pub service_proof: String,
    /// `fetch` or `operator`.
    pub origin_proof: String,
    /// Whether client assertions for the token address are taken, for old clients.
    pub assertion_aud_endpoint: bool,
}

/// A relying party.
#[derive(Clone, Debug, PartialEq)]
pub struct RelyingParty {
    /// `rp_…`.
    pub client_id: String,
    /// Where it stands.
    pub state: State,
    /// What is registered.
    pub metadata: Metadata,
    /// Its public keys as JWKs, as they were proved or registered.
    pub keys: Vec<Value>,
    /// SHA-256 of its secret, if it has one.
    pub secret_sha256: Option<[u8; 32]>,
    /// The bytes of its ServiceSeal.
    pub service_seal: Option<Vec<u8>>,
    /// `dsl_…`: names the seal in our status list.
    pub seal_id: Option<String>,
    /// When the seal ends.
    pub sealed_until_ms: Option<i64>,
    /// Grows with each change.
    pub revision: i64,
    /// When it was registered.
    pub created_at_ms: i64,
}

/// What a registration gives: the challenge while a proof is needed, the secret this once.
pub struct Registered {
    /// The relying party.
    pub party: RelyingParty,
    /// What its keys have to sign and its origins to show.
    pub challenge: Option<[u8; 32]>,
    /// For `client_secret_basic` and `_post`.
    pub secret: Option<Secret<String>>,
}

/// Why a relying party is not registered, changed, proved or sealed.
#[derive(Debug, thiserror::Error)]
pub enum PartyError {
    /// The tenant has no such relying party.
    #[error("there is no such relying party")]
    NotFound,
    /// A member breaks a rule; each with its place.
    #[error("the relying party breaks a rule")]
    Form(Vec<Fault>),
    /// There is no challenge, or its time is over.
    #[error("there is no challenge to prove")]
    NoChallenge,
    /// A proof does not hold.
    #[error("{rule}")]
    Proof {
        /// Which one, or which origin.
        pointer: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// It has not proved itself.
    #[error("the relying party has not proved itself")]
    NotProved,
    /// It has no secret.
    #[error("the relying party has no secret")]
    NoSecret,
    /// Somebody else changed it meanwhile.
    #[error("the relying party was changed by another request")]
    Raced,
    /// The revision of `If-Match` is not the relying party's.
    #[error("the relying party was changed since you read it")]
    Stale,
    /// The same request was done by another holder of its idempotency key.
    #[error("another request did it")]
    DoneElsewhere,
    /// Its seal could not be made.
    #[error(transparent)]
    Seal(#[from] crate::document_seal::SealError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard of this file means.
#[derive(Debug)]
pub(crate) enum PartyLost {
    /// The idempotency mark went to another request.
    Mark,
    /// The relying party or its challenge is not what was read.
    Raced {
        /// Which.
        party: String,
    },
}

impl Refused for PartyLost {
    fn event(&self) -> Event {
        let (party, code) = match self {
            Self::Mark => ("", "done-elsewhere"),
            Self::Raced { party } => (party.as_str(), "raced"),
        };
        Event::RelyingPartyRefused { relying_party: party.to_owned(), code: code.to_owned() }
    }
}

impl State {
    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingProof => "pending_proof",
            Self::Proved => "proved",
            Self::Active => "active",
        }
    }

    /// Reads [`State::as_str`].
    pub fn parse(text: &str) -> Option<State> {
        [Self::PendingProof, Self::Proved, Self::Active].into_iter().find(|state| state.as_str() == text)
    }
}

impl Metadata {
    pub(crate) fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    pub(crate) fn from_text(text: &str) -> Option<Metadata> {
        serde_json::from_str(text).ok()
    }

    /// The most that may be asked for.
    pub fn ceiling(&self) -> Scopes {
        Scopes::expand(&self.scopes.join(" ")).unwrap_or_default()
    }

    /// The least class of its sign-ins.
    pub fn acr_min(&self) -> Acr {
        Acr::parse(&self.acr_min).unwrap_or(Acr::SealCode)
    }

    /// The purpose in English, or in the first language there is; empty without one.
    pub fn purpose_text(&self) -> &str {
        self.purpose.get("en").or_else(|| self.purpose.values().next()).map_or("", String::as_str)
    }
}

impl RelyingParty {
    /// Whether it may ask people to sign in at `now_ms`: active, with a seal that has not ended.
    pub fn is_active(&self, now_ms: i64) -> bool {
        self.state == State::Active && self.sealed_until_ms.is_some_and(|until| until > now_ms)
    }

    /// Its public keys.
    pub fn jwks(&self) -> Vec<Jwk> {
        self.keys.iter().filter_map(|key| Jwk::from_value(key).ok()).collect()
    }

    /// Whether `secret` is its secret, in time that depends on its length alone.
    pub fn knows(&self, secret: &str) -> bool {
        self.secret_sha256.is_some_and(|kept| hash::equal(&kept, &hash::sha256(secret.as_bytes())))
    }

    /// Whether anything has to be proved before it is sealed.
    pub(crate) fn needs_proof(&self) -> bool {
        !self.keys.is_empty() || self.metadata.jwks_uri.is_some() || self.metadata.origin_proof == "fetch"
    }
}

impl Idp {
    /// The relying party of this client id.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn relying_party(
        &self,
        ctx: &Ctx,
        client_id: &str,
    ) -> Result<Option<RelyingParty>, StoreFault> {
        if !id::is("rp", client_id) {
            return Ok(None);
        }
        store::relying_party::one(&self.store, ctx, client_id).await
    }

    /// A page of relying parties, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn relying_parties(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<RelyingParty>, StoreFault> {
        store::relying_party::list(&self.store, ctx, after, limit).await
    }

    /// Registers a relying party. One without keys whose origins an operator vouches for is sealed at once.
    ///
    /// # Errors
    /// [`PartyError`]; nothing is stored then, unless its seal alone could not be made.
    pub async fn register(
        &self,
        ctx: &Ctx,
        tenant: &str,
        form: Form,
        mark: Option<Stmt>,
    ) -> Result<(Registered, Committed), PartyError> {
        let (metadata, keys) = form.accept(self.config.is_dev).map_err(PartyError::Form)?;
        let metadata = self.with_sector(metadata).await?;
        let secret = metadata.auth_method.starts_with("client_secret").then(|| new_secret(ctx));
        let mut party = RelyingParty {
            client_id: id::new(ctx, "rp"),
            state: State::PendingProof,
            metadata,
            keys,
            secret_sha256: secret.as_ref().map(|secret| hash::sha256(secret.expose().as_bytes())),
            service_seal: None,
            seal_id: None,
            sealed_until_ms: None,
            revision: 1,
            created_at_ms: ctx.now_ms(),
        };
        let needs_proof = party.needs_proof();
        if !needs_proof {
            party.state = State::Proved;
        }
        let challenge = needs_proof.then(|| ctx.random::<32>());
        let mut unit = Unit::new(Event::RelyingPartyRegistered {
            relying_party: party.client_id.clone(),
            auth_method: party.metadata.auth_method.clone(),
            scopes: party.metadata.scopes.clone(),
            origins: party.metadata.origins.clone(),
        })
        .put(store::relying_party::put(&party));
        if let Some(challenge) = &challenge {
            unit = unit.put(put_challenge(ctx, &party.client_id, challenge));
        }
        if let Some(mark) = mark {
            unit = unit.guard(mark, PartyLost::Mark);
        }
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        if !needs_proof {
            party = self.seal_party(ctx, tenant, party).await?;
        }
        Ok((Registered { party, challenge, secret }, committed))
    }

    /// Changes what is registered; with a revision only that one. New origins, keys, redirects, names or scopes need a new seal; new origins or keys a new proof.
    ///
    /// # Errors
    /// [`PartyError`].
    pub async fn change_party(
        &self,
        ctx: &Ctx,
        tenant: &str,
        (client_id, revision): (&str, Option<i64>),
        change: &serde_json::Map<String, Value>,
    ) -> Result<(Registered, Committed), PartyError> {
        let mut party = self.relying_party(ctx, client_id).await?.ok_or(PartyError::NotFound)?;
        if revision.is_some_and(|revision| revision != party.revision) {
            return Err(PartyError::Stale);
        }
        let form = Form::of(&party).changed(change).map_err(PartyError::Form)?;
        let (metadata, keys) = form.accept(self.config.is_dev).map_err(PartyError::Form)?;
        let metadata = self.with_sector(metadata).await?;
        if metadata.auth_method != party.metadata.auth_method {
            let fault = Fault { pointer: "/auth_method".to_owned(), rule: "is chosen at registration" };
            return Err(PartyError::Form(vec![fault]));
        }
        let old = &party.metadata;
        let proved_anew = metadata.origins != old.origins
            || metadata.scopes != old.scopes
            || metadata.jwks_uri != old.jwks_uri
            || (metadata.jwks_uri.is_none() && keys != party.keys);
        let sealed_anew = proved_anew
            || metadata.legal_name != old.legal_name
            || metadata.redirect_uris != old.redirect_uris;
        let before = party.clone();
        party.metadata = metadata;
        if proved_anew {
            party.keys = keys;
        }
        if proved_anew && party.needs_proof() {
            party.state = State::PendingProof;
        } else if sealed_anew {
            party.state = State::Proved;
        }
        let challenge = (party.state == State::PendingProof).then(|| ctx.random::<32>());
        let event =
            Event::RelyingPartyChanged { relying_party: party.client_id.clone(), members: names_of(change) };
        let raced = PartyLost::Raced { party: party.client_id.clone() };
        let mut unit = Unit::new(event).guard(store::relying_party::change(&party), raced);
        if sealed_anew && let Some(seal) = &before.seal_id {
            unit = unit.put_all(store::document_seal::revoke(seal, "replaced"));
        }
        if let Some(challenge) = &challenge {
            unit = unit.put(put_challenge(ctx, &party.client_id, challenge));
        }
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        party.revision += 1;
        if party.state == State::Proved {
            party = self.seal_party(ctx, tenant, party).await?;
        }
        Ok((Registered { party, challenge, secret: None }, committed))
    }

    /// Another secret; the one before is void at once.
    ///
    /// # Errors
    /// [`PartyError`].
    pub async fn rotate_secret(
        &self,
        ctx: &Ctx,
        client_id: &str,
    ) -> Result<(Registered, Committed), PartyError> {
        let mut party = self.relying_party(ctx, client_id).await?.ok_or(PartyError::NotFound)?;
        if party.secret_sha256.is_none() {
            return Err(PartyError::NoSecret);
        }
        let secret = new_secret(ctx);
        party.secret_sha256 = Some(hash::sha256(secret.expose().as_bytes()));
        let event = Event::RelyingPartyChanged {
            relying_party: party.client_id.clone(),
            members: vec!["client_secret".to_owned()],
        };
        let raced = PartyLost::Raced { party: party.client_id.clone() };
        let unit = Unit::new(event).guard(store::relying_party::change(&party), raced);
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        party.revision += 1;
        Ok((Registered { party, challenge: None, secret: Some(secret) }, committed))
    }

    /// Removes a relying party; its seal is revoked in the same unit.
    ///
    /// # Errors
    /// [`PartyError`].
    pub async fn remove_party(&self, ctx: &Ctx, client_id: &str) -> Result<Committed, PartyError> {
        let party = self.relying_party(ctx, client_id).await?.ok_or(PartyError::NotFound)?;
        let event = Event::RelyingPartyRemoved { relying_party: party.client_id.clone() };
        let raced = PartyLost::Raced { party: party.client_id.clone() };
        let mut unit = Unit::new(event).guard(store::relying_party::remove(&party), raced);
        if let Some(seal) = &party.seal_id {
            unit = unit.put_all(store::document_seal::revoke(seal, "removed"));
        }
        self.store.commit(ctx, unit).await.map_err(lost)
    }
}

pub(crate) fn put_challenge(ctx: &Ctx, about: &str, challenge: &[u8; 32]) -> Stmt {
    let until = ctx.now + SignedDuration::from_secs(CHALLENGE_TTL_S);
    store::relying_party::put_challenge(about, challenge, None, until.as_millisecond())
}

pub(crate) fn lost(error: CommitError<PartyLost>) -> PartyError {
    match error {
        CommitError::Lost(PartyLost::Mark) => PartyError::DoneElsewhere,
        CommitError::Lost(PartyLost::Raced { .. }) => PartyError::Raced,
        CommitError::Fault(fault) => fault.into(),
    }
}

/// 256 random bits, as text.
fn new_secret(ctx: &Ctx) -> Secret<String> {
    Secret::new(base64::url_encode(&ctx.random::<32>()))
}

fn names_of(change: &serde_json::Map<String, Value>) -> Vec<String> {
    change.keys().take(tlog::entry::PUBLIC_LIST_MAX).cloned().collect()
}
