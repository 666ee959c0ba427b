//! What the doors of the OpenID Provider share: their errors, who asks, proofs of possession, and the keys that sign tokens.
//!
//! ```text
//! form, Authorization ─► known_party ─► Known { party, spend }         DPoP header ─► possession ─► ProvedKey, its jti to be spent
//! ```
//! A refusal of a relying party that is named and known is an event; strangers get one answer, whatever was wrong.

use crate::Idp;
use crate::relying_party::RelyingParty;
use crate::store::op as rows;
use ::store::{Ctx, Stmt, StoreFault};
use crypto::hash;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, SignAlg};
use custody::make::{KeyError, RoomKey};
use custody::{KeyRef, Owner, Policy, SignError};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::dpop::{self, DpopFault, DpopProof, ProvedKey};
use openid::oauth::{AssertionRules, ClientAuth, ErrorCode, Form, Jwks, OauthError, PublishedKey};
use openid::oidc::client::CLIENT_ALGS;
use openid::oidc::id_token::ID_TOKEN_TYP;
use openid::oidc::{Acr, AuthMethod, Client, Vocabulary};
use seal::code::frame;
use seal::scope::{Scope, Scopes};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tlog::event::Event;

/// Proofs that one process remembers at the userinfo door: ten thousand a second for as long as one counts would be 700,000; beyond
/// this the door asks to come again.
const REPLAYS_MAX: usize = 200_000;

/// Seconds that a nonce for proofs is handed out; it counts for as long again.
const DPOP_NONCE_S: i64 = 120;

/// Scope words beyond a registration that an event names.
const OVERREACH_NAMED_MAX: usize = 8;

/// Why a door of the provider does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// What the standard's error says.
    #[error("{error}")]
    Oauth {
        /// The answer.
        error: OauthError,
        /// Whether its event stands already.
        recorded: bool,
        /// A nonce for the next proof.
        dpop_nonce: Option<String>,
    },
    /// Tokens cannot be signed now.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<OauthError> for OpError {
    fn from(error: OauthError) -> Self {
        Self::Oauth { error, recorded: false, dpop_nonce: None }
    }
}

impl OpError {
    /// A refusal whose event stands.
    pub(crate) fn recorded(error: OauthError) -> Self {
        Self::Oauth { error, recorded: true, dpop_nonce: None }
    }
}

/// What came with a request beside its form.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The door, as `token`.
    pub door: &'static str,
}

/// A relying party that showed who it is.
pub(crate) struct Known {
    pub(crate) party: Arc<RelyingParty>,
    /// Spends the assertion it showed itself by.
    pub(crate) spend: Option<Stmt>,
    /// That assertion.
    pub(crate) assertion: Option<String>,
}

/// What the provider keeps in memory, per process.
#[derive(Debug, Default)]
pub struct Memory {
    replays: Mutex<HashMap<[u8; 32], i64>>,
}

impl Memory {
    /// Whether a proof is new; it is not a second time.
    fn is_new(&self, spent: [u8; 32], until_s: i64, now_s: i64) -> bool {
        let mut seen = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REPLAYS_MAX {
            seen.retain(|_, until| *until > now_s);
        }
        let has_room = seen.len() < REPLAYS_MAX;
        has_room && seen.insert(spent, until_s).is_none_or(|until| until <= now_s)
    }
}

/// A relying party as the judge of its requests sees it.
pub(crate) fn client_of(party: &RelyingParty) -> Client {
    let metadata = &party.metadata;
    let method = [AuthMethod::PrivateKeyJwt, AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
    let method = method.into_iter().find(|method| method.as_str() == metadata.auth_method);
    Client {
        client_id: party.client_id.clone(),
        redirect_uris: metadata.redirect_uris.clone(),
        is_native: metadata.native,
        scopes: metadata.scopes.clone(),
        auth_method: method.unwrap_or(AuthMethod::None),
        require_par: metadata.require_par,
        require_pkce: metadata.require_pkce,
        // The weakest class is no condition: whoever asks for more voluntarily still may.
        acr_min: Acr::parse(&metadata.acr_min).filter(|acr| *acr > Acr::Code),
    }
}

/// The words of Seal, for the judge of requests. A word that nobody knows stays itself, and so is refused as unregistered.
pub(crate) fn vocabulary() -> Vocabulary<'static> {
    Vocabulary {
        atoms: &|word| match Scopes::expand(word) {
            Ok(scopes) if !word.is_empty() => scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            _ => vec![word.to_owned()],
        },
        scope_of_claim: &|claim| Scope::of_claim(claim).map(|scope| scope.as_str().to_owned()),
    }
}

/// The event of a request that was refused before any row.
pub(crate) fn refused_request(client_id: &str, error: &OauthError, overreach: &[String]) -> Event {
    let named = overreach.iter().filter(|word| Scope::parse(word).is_some()).take(OVERREACH_NAMED_MAX);
    Event::SigninRequestRefused {
        beyond: overreach.len() as u64,
        relying_party: client_id.to_owned(),
        code: error.error.as_str().to_owned(),
        scopes: named.cloned().collect(),
    }
}

impl Idp {
    /// Who asks, by the one means that this relying party is registered with.
    pub(crate) async fn known_party(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        form: &Form,
    ) -> Result<Known, OpError> {
        let auth = ClientAuth::read(presented.authorization, form)?;
        let Some(client_id) = auth.client_id() else { return Err(OauthError::invalid_client().into()) };
        let party = self.party(ctx, client_id).await?;
        let Some(party) = party.filter(|party| party.is_active(ctx.now_ms())) else {
            return Err(OauthError::invalid_client().into());
        };
        let endpoint = format!("{}/{}", self.config.issuer(tenant), presented.door);
        match self.judge_auth(ctx, tenant, &endpoint, &party, auth) {
            Some(spend) => {
                let assertion = form.get("client_assertion").map(str::to_owned);
                Ok(Known { party, spend, assertion })
            }
            None => {
                let error = OauthError::invalid_client();
                Err(self.refuse_party(ctx, &party.client_id, presented.door, error).await?)
            }
        }
    }

    /// What must be spent, if anything; `None` for whoever is not the relying party.
    fn judge_auth(
        &self,
        ctx: &Ctx,
        tenant: &str,
        endpoint: &str,
        party: &RelyingParty,
        auth: ClientAuth,
    ) -> Option<Option<Stmt>> {
        let method = client_of(party).auth_method;
        match (method, auth) {
            (AuthMethod::None, ClientAuth::None { client_id: Some(_) }) => Some(None),
            (
                AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost,
                ClientAuth::Secret { secret, .. },
            ) => secret.matches_sha256(&party.secret_sha256?).then_some(None),
            (AuthMethod::PrivateKeyJwt, ClientAuth::Assertion(assertion)) => {
                let issuer = self.config.issuer(tenant);
                let audiences: &[&str] =
                    if party.metadata.assertion_aud_endpoint { &[&issuer, endpoint] } else { &[&issuer] };
                let rules = AssertionRules { audiences, algs: Some(&CLIENT_ALGS), is_fresh: true };
                let verified = assertion.verify_by(&Jwks::of(party.jwks()), &rules, ctx.now).ok()?;
                let spent = frame("seal/1 assertion", &[party.client_id.as_bytes(), verified.jti.as_bytes()]);
                let until_ms = keep_until_ms(verified.expires_at);
                Some(Some(rows::put_jti(hash::sha256(&spent), until_ms)))
            }
            (_, ClientAuth::None { .. } | ClientAuth::Secret { .. } | ClientAuth::Assertion(_)) => None,
        }
    }

    /// Records that a relying party that is known, or whoever spoke in its name, was refused.
    pub(crate) async fn refuse_party(
        &self,
        ctx: &Ctx,
        client_id: &str,
        door: &'static str,
        error: OauthError,
    ) -> Result<OpError, StoreFault> {
        self.store.record(ctx, token_refused(client_id, door, &error)).await?;
        Ok(OpError::recorded(error))
    }

    /// The proof of possession that came, if one did. Its `jti` is not spent yet.
    pub(crate) async fn possession(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        access_token: Option<&str>,
    ) -> Result<Option<ProvedKey>, OpError> {
        let Some(header) = presented.dpop else { return Ok(None) };
        let url = format!("{}/{}", self.config.issuer(tenant), presented.door);
        let live = if self.config.dpop_nonce { self.dpop_nonces(ctx).await? } else { Vec::new() };
        let nonces: Vec<&str> = live.iter().map(String::as_str).collect();
        let expected = dpop::Expected { method: presented.method, url: &url, access_token, nonces: &nonces };
        let proved = DpopProof::parse(header).and_then(|proof| proof.check(&expected, ctx.now));
        proved.map(Some).map_err(|fault| {
            let dpop_nonce = live.into_iter().next().filter(|_| fault == DpopFault::Nonce);
            OpError::Oauth { error: fault.into(), recorded: false, dpop_nonce }
        })
    }

    /// Spends a proof at a door that writes nothing: in this process alone (a token hash binds it, and it counts for a minute).
    pub(crate) fn spend_in_memory(&self, ctx: &Ctx, key: &ProvedKey) -> Result<(), OpError> {
        let until_s = key.expires_at.as_second();
        if self.memory.is_new(key.spent, until_s, ctx.now.as_second()) {
            Ok(())
        } else {
            Err(OauthError::from(DpopFault::Replayed).into())
        }
    }

    /// The nonces that count now, the newest first.
    async fn dpop_nonces(&self, ctx: &Ctx) -> Result<Vec<String>, StoreFault> {
        let key = self.custody.mac_key(ctx, "idp/dpop-nonce").await?;
        let window = ctx.now.as_second().div_euclid(DPOP_NONCE_S);
        let nonce = |window: i64| {
            let mac = hash::hmac_sha256(key.expose(), &[&window.to_be_bytes()]);
            crypto::base64::url_encode(&mac[..16])
        };
        Ok(vec![nonce(window), nonce(window - 1)])
    }

    /// Makes the keys that sign tokens, unless they stand. `ctx` acts inside the tenant.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn provision_token_keys(&self, ctx: &Ctx) -> Result<(), KeyError> {
        self.ensure_token_key(ctx, SignAlg::Es256).await
    }

    /// Makes the key that signs ID Tokens by `alg`, unless it stands: most tenants need ES256 alone.
    pub(crate) async fn ensure_token_key(&self, ctx: &Ctx, alg: SignAlg) -> Result<(), KeyError> {
        if self.custody.signer(ctx, token_key(alg)).await.is_ok() {
            return Ok(());
        }
        let (key_alg, uses): (KeyAlg, &[&str]) = match alg {
            SignAlg::Rs256 => (KeyAlg::Rsa3072, &["jws-rs256:JWT"]),
            SignAlg::Ps256 => (KeyAlg::Rsa3072, &["jws:JWT"]),
            SignAlg::EdDsa => (KeyAlg::Ed25519, &["jws:JWT"]),
            _ => (KeyAlg::P256, &["jws:JWT", "jws:at+jwt"]),
        };
        let label = format!("tokens, {}", alg.jws_name());
        let policy = Policy::default();
        let key = RoomKey { owner: Owner::Idp, alg: key_alg, uses, label: &label, names: None, policy };
        self.custody.make_key(ctx, &key).await.map(drop)
    }

    /// What verifies an access token of ours that names `kid`: the version that signs now, else whichever is published.
    pub(crate) async fn access_keys(&self, ctx: &Ctx, kid: Option<&str>) -> Result<Jwks, StoreFault> {
        match self.custody.signer(ctx, token_key(SignAlg::Es256)).await {
            Ok(signer) if kid == Some(signer.kid.as_str()) => {
                let published = PublishedKey::signing(&signer.public, SignAlg::Es256).to_value();
                Ok(Jwks::of(Jwk::from_value(&published).into_iter().collect()))
            }
            Err(SignError::Store(fault)) => Err(fault),
            _ => self.token_keys(ctx).await,
        }
    }

    /// The public parts of the keys that sign tokens.
    pub(crate) async fn token_keys(&self, ctx: &Ctx) -> Result<Jwks, StoreFault> {
        let set = self.custody.provider_jwks(ctx).await?;
        Ok(Jwks::from_value(&set).unwrap_or_default())
    }
}

/// The key that signs ID Tokens by `alg`; by ES256 also access tokens.
pub(crate) fn token_key(alg: SignAlg) -> KeyRef<'static> {
    const _: () = assert!(ID_TOKEN_TYP.len() == 3, "the uses below name it");
    KeyRef::Use(match alg {
        SignAlg::Rs256 => "jws-rs256:JWT",
        SignAlg::Ps256 => "jws:JWT rsa3072",
        SignAlg::EdDsa => "jws:JWT ed25519",
        _ => "jws:JWT p256",
    })
}

pub(crate) fn token_refused(client_id: &str, door: &'static str, error: &OauthError) -> Event {
    let code = error.error.as_str().to_owned();
    Event::TokenRefused { relying_party: client_id.to_owned(), code, door: door.to_owned() }
}

/// How long a spent id is remembered: its own end, and the seconds that clocks may differ.
pub(crate) fn keep_until_ms(end: Timestamp) -> i64 {
    end.checked_add(SignedDuration::from_secs(10)).unwrap_or(Timestamp::MAX).as_millisecond()
}

/// Spends a proof in a unit.
pub(crate) fn spend_proof(key: &ProvedKey) -> Stmt {
    rows::put_jti(key.spent, keep_until_ms(key.expires_at))
}

/// A public client must hold a key (RFC 9449): without one its tokens would be anybody's.
pub(crate) fn needs_proof(party: &RelyingParty) -> bool {
    client_of(party).auth_method == AuthMethod::None
}

/// The answer to a public client without a proof.
pub(crate) fn proof_missing() -> OauthError {
    OauthError::of(ErrorCode::InvalidDpopProof, "this client needs a DPoP proof")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_new_once_and_again_when_it_no_longer_counts() {
        let memory = Memory::default();
        assert!(memory.is_new([1; 32], 70, 0));
        assert!(!memory.is_new([1; 32], 70, 69));
        assert!(memory.is_new([2; 32], 70, 0));
        assert!(memory.is_new([1; 32], 140, 70));
    }

    #[test]
    fn words_nobody_knows_stay_themselves_and_composites_become_atoms() {
        let vocabulary = vocabulary();
        assert_eq!((vocabulary.atoms)("identity:basic"), ["identity:family_name", "identity:given_name"]);
        assert_eq!((vocabulary.atoms)("made:up"), ["made:up"]);
        assert_eq!((vocabulary.scope_of_claim)("birthdate").as_deref(), Some("identity:date_of_birth"));
        assert_eq!((vocabulary.scope_of_claim)("shoe_size"), None);
    }
}
