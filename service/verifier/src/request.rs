//! Asking: a query becomes a signed request behind a link, which one wallet answers.

use crate::secrets::{SEED_BYTES, Secrets, path_sha256};
use crate::store::{self, NewSession};
use crate::{Config, Verifier};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use credential::dcql::{self, QUERY_BYTES_MAX, Query, Reader};
use credential::pointer::PointerError;
use credential::presentation::StatusMode;
use crypto::hash;
use crypto::key::Ecdh;
use crypto::secret::Secret;
use custody::{KeyRef, REQUEST_USE, SignError, Signed};
use jiff::{SignedDuration, Timestamp};
use openid::vp::session::UNREADABLE_TRIES;
use openid::vp::{ClientId, ClientMetadata, RequestObject, request};
use serde_json::Value;
use tlog::event::Event;

/// Longest life of a request, seconds: whoever intercepts the link has that long.
pub const SESSION_TTL_S_MAX: u64 = 3_600;
/// Longest time that claims are kept, seconds: they are another's personal data, wanted for one purpose.
pub const RESULT_TTL_S_MAX: u64 = 86_400;
/// Characters of a scheme that opens a wallet.
pub const SCHEME_CHARS_MAX: usize = 64;

/// Ids of verifications begin with it.
pub(crate) const ID_PREFIX: &str = "ver";
/// How issuers may sign an SD-JWT VC: certificates carry P-256, P-384 or RSA keys.
const SD_JWT_ALGS: [&str; 3] = ["ES256", "ES384", "PS256"];
/// How wallets may sign a key binding.
const KB_JWT_ALGS: [&str; 3] = ["ES256", "ES384", "EdDSA"];
/// Schemes that open no wallet, and could do other things in a page that shows the link.
const WEB_SCHEMES: [&str; 9] =
    ["http", "https", "javascript", "data", "file", "blob", "vbscript", "about", "filesystem"];
/// A key that is rotated between its reading and its signing is read again; twice in a row is a fault of ours.
const SIGNER_TRIES: usize = 3;

/// What somebody asks a wallet for.
pub struct NewVerification {
    /// `dcql_query`.
    pub query: Value,
    /// Life of the request, seconds.
    pub ttl_s: Option<u64>,
    /// How long the claims are kept, seconds.
    pub result_ttl_s: Option<u64>,
    /// Whether a status is looked at.
    pub status_policy: Option<StatusMode>,
    /// What opens the wallet; `openid4vp`.
    pub wallet_scheme: Option<String>,
}

/// A request that waits for its answer. Its links can be answered: no `Debug`.
pub struct Requested {
    /// `ver_…`.
    pub id: String,
    /// Who asks, prefix included.
    pub client_id: String,
    /// Where the wallet fetches the signed request.
    pub request_uri: String,
    /// Opens a wallet.
    pub authorization_request_uri: String,
    /// When it ends unanswered.
    pub expires_at: Timestamp,
}

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The query breaks a rule; each with its place in the query.
    #[error("the query does not hold to DCQL")]
    Query(Vec<PointerError>),
    /// The query asks for what this version does not serve.
    #[error("this version does not offer that")]
    NotOffered(Vec<PointerError>),
    /// A number or text is out of its bound.
    #[error("{pointer} {rule}")]
    Bound {
        /// JSON pointer.
        pointer: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// The signer could not, or ends soon.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// The signer has no certificate to name itself by.
    #[error("the request signer has no certificate")]
    NoCertificate,
    /// The signer changed while it signed, each time. A fault of ours.
    #[error("the request signer changes faster than it signs")]
    SignerMoves,
    /// The same request was done by another holder of its idempotency key.
    #[error("another request did it")]
    DoneElsewhere,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The idempotency mark went to another request.
#[derive(Debug)]
struct MarkLost;

impl Refused for MarkLost {
    fn event(&self) -> Event {
        let (operation, code) = ("requestVerification".to_owned(), "api/idempotency-busy".to_owned());
        Event::RequestRefused { status: 409, operation, code }
    }
}

/// What was asked, within its bounds.
struct Asked {
    query: String,
    dcql_query: Value,
    expires_at: Timestamp,
    result_ttl_s: i64,
    status_policy: StatusMode,
    scheme: String,
}

impl Verifier {
    /// Makes a session and the signed request of it. `mark` closes an idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`RequestError`]; nothing is stored then.
    pub async fn request(
        &self,
        ctx: &Ctx,
        tenant: &str,
        asked: NewVerification,
        mark: Option<Stmt>,
    ) -> Result<(Requested, Committed), RequestError> {
        let asked = within_bounds(&self.config, asked, ctx.now)?;
        let session_id = id::new(ctx, ID_PREFIX);
        let seed = Secret::new(ctx.random::<SEED_BYTES>());
        let secrets = Secrets::of(&seed);
        let response_key = Ecdh::generate();
        let (client_id, signed) = self.sign(ctx, tenant, &asked, &secrets, &response_key).await?;
        let client_id_text = client_id.to_string();
        let put = store::put_session(
            &self.store,
            ctx,
            &NewSession {
                id: &session_id,
                client_id: &client_id_text,
                query: &asked.query,
                status_policy: asked.status_policy.as_str(),
                wallet_scheme: &asked.scheme,
                result_ttl_s: asked.result_ttl_s,
                request_sha256: path_sha256(&secrets.request),
                response_sha256: path_sha256(&secrets.response),
                seed: seed.expose(),
                request: signed.compact.as_bytes(),
                response_key: response_key.to_secret().expose(),
                tries_left: UNREADABLE_TRIES,
                expires_at_ms: asked.expires_at.as_millisecond(),
            },
        )
        .await?;
        let event = Event::PresentationRequested {
            query_sha256: hash::sha256(asked.query.as_bytes()),
            session: session_id.clone(),
            key_use: Some(signed.key),
        };
        let mut unit = Unit::new(event).put(put);
        if let Some(mark) = mark {
            unit = unit.guard(mark, MarkLost);
        }
        let committed = self.store.commit(ctx, unit).await.map_err(|fault| match fault {
            CommitError::Lost(MarkLost) => RequestError::DoneElsewhere,
            CommitError::Fault(fault) => RequestError::Store(fault),
        })?;
        let links = self.links(tenant, &secrets);
        let authorization_request_uri = RequestObject::link(&client_id, &links.request_uri, &asked.scheme);
        let requested = Requested {
            id: session_id,
            client_id: client_id_text,
            request_uri: links.request_uri,
            authorization_request_uri,
            expires_at: asked.expires_at,
        };
        Ok((requested, committed))
    }

    /// The signed request behind the secret of its path. Fetching writes nothing, so fetching again works.
    ///
    /// # Errors
    /// [`StoreFault`]; none for a secret that opens nothing, or not any more.
    pub async fn signed_request(
        &self,
        ctx: &Ctx,
        secret: &str,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
        store::signed_request(&self.store, ctx, path_sha256(secret)).await
    }

    /// Signs the request by the certificate that its own `client_id` names.
    async fn sign(
        &self,
        ctx: &Ctx,
        tenant: &str,
        asked: &Asked,
        secrets: &Secrets,
        response_key: &Ecdh,
    ) -> Result<(ClientId, Signed), RequestError> {
        for _ in 0..SIGNER_TRIES {
            let key = KeyRef::Use(REQUEST_USE);
            let signer = self.custody.usable(ctx, key, self.config.signer_min_left_s).await?;
            let leaf = signer.chain.first().ok_or(RequestError::NoCertificate)?;
            let client_id = ClientId::x509_hash(leaf);
            let object = RequestObject {
                client_id: client_id.clone(),
                response_uri: self.links(tenant, secrets).response_uri,
                nonce: secrets.nonce.clone(),
                state: secrets.state.clone(),
                issued_at: ctx.now,
                expires_at: asked.expires_at,
                dcql_query: asked.dcql_query.clone(),
                client_metadata: ClientMetadata {
                    response_key: response_key.public(),
                    sd_jwt_algs: SD_JWT_ALGS.to_vec(),
                    kb_jwt_algs: KB_JWT_ALGS.to_vec(),
                },
            };
            let signed = self.custody.sign_jws_until(ctx, key, object.draft(), asked.expires_at).await?;
            // A rotation in between would put another leaf into x5c than the one that client_id names.
            if signed.key.version == signer.version && signed.key.key_id == signer.key_id {
                return Ok((client_id, signed));
            }
        }
        Err(RequestError::SignerMoves)
    }

    pub(crate) fn links(&self, tenant: &str, secrets: &Secrets) -> Links {
        let doors = self.config.doors_at(tenant);
        Links {
            request_uri: format!("{doors}/request/{}", secrets.request),
            response_uri: format!("{doors}/response/{}", secrets.response),
        }
    }
}

/// The two doors of a session.
pub(crate) struct Links {
    pub(crate) request_uri: String,
    pub(crate) response_uri: String,
}

fn within_bounds(config: &Config, asked: NewVerification, now: Timestamp) -> Result<Asked, RequestError> {
    let ttl_s = asked.ttl_s.unwrap_or(config.session_ttl_s);
    if !(1..=SESSION_TTL_S_MAX).contains(&ttl_s) {
        return Err(RequestError::Bound { pointer: "/ttl_s", rule: "is 1 to 3600 seconds" });
    }
    let result_ttl_s = asked.result_ttl_s.unwrap_or(config.result_ttl_s);
    if !(1..=RESULT_TTL_S_MAX).contains(&result_ttl_s) {
        return Err(RequestError::Bound { pointer: "/result_ttl_s", rule: "is 1 to 86400 seconds" });
    }
    let scheme = asked.wallet_scheme.unwrap_or_else(|| request::REQUEST_SCHEME.to_owned());
    if !opens_a_wallet(&scheme) {
        let rule = "is a private-use scheme in lower case, as openid4vp";
        return Err(RequestError::Bound { pointer: "/wallet_scheme", rule });
    }
    if asked.query.to_string().len() > QUERY_BYTES_MAX {
        return Err(RequestError::Bound { pointer: "/dcql_query", rule: "has at most 32768 bytes" });
    }
    let query = Query::parse(&asked.query, Reader::Own).map_err(RequestError::Query)?;
    let missing = dcql::unsupported(&query);
    if !missing.is_empty() {
        return Err(RequestError::NotOffered(missing));
    }
    let dcql_query = query.to_value();
    Ok(Asked {
        query: dcql_query.to_string(),
        dcql_query,
        expires_at: now + SignedDuration::from_secs(ttl_s.cast_signed()),
        result_ttl_s: result_ttl_s.cast_signed(),
        status_policy: asked.status_policy.unwrap_or(config.status_policy),
        scheme,
    })
}

/// RFC 3986, 3.1, in lower case, and none that a browser acts on by itself.
fn opens_a_wallet(scheme: &str) -> bool {
    let tail =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    scheme.len() <= SCHEME_CHARS_MAX
        && scheme.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && scheme.bytes().all(tail)
        && !WEB_SCHEMES.contains(&scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemes_that_open_a_wallet_are_taken() {
        for scheme in ["openid4vp", "haip-vp", "eudi.openid4vp+1"] {
            assert!(opens_a_wallet(scheme), "{scheme}");
        }
        for scheme in
            ["", "https", "javascript", "data", "1a", "Openid4vp", "a:b", "a//", "a b", &"a".repeat(65)]
        {
            assert!(!opens_a_wallet(scheme), "{scheme}");
        }
    }
}
