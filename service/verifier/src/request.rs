//! Asking: a query becomes a signed request behind a link, which one wallet answers.

use crate::Verifier;
use crate::asked::Asked;
use crate::secrets::{SEED_BYTES, Secrets, path_sha256};
use crate::store::{self, FetchedRow, NewSession, OpenRow};
use crate::transaction_type::TransactionType;
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use credential::pointer::PointerError;
use credential::presentation::StatusMode;
use crypto::hash;
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::key::Ecdh;
use crypto::secret::Secret;
use custody::{KeyRef, REQUEST_USE, SignError};
use jiff::Timestamp;
use openid::vp::request::{REQUEST_BYTES_MAX, REQUEST_TYP, WALLET_NONCE_CHARS_MAX};
use openid::vp::session::UNREADABLE_TRIES;
use openid::vp::{ClientId, ClientMetadata, RequestObject, RequestUriMethod, ResponseMode};
use serde_json::{Map, Value, json};
use tlog::event::{Event, KeyUse};

pub use crate::asked::{RESULT_TTL_S_MAX, SCHEME_CHARS_MAX, SESSION_TTL_S_MAX};

/// Ids of verifications begin with it.
pub(crate) const ID_PREFIX: &str = "ver";
/// How issuers may sign an SD-JWT VC: certificates carry P-256, P-384 or RSA keys.
const SD_JWT_ALGS: [&str; 3] = ["ES256", "ES384", "PS256"];
/// How wallets may sign a key binding.
const KB_JWT_ALGS: [&str; 3] = ["ES256", "ES384", "EdDSA"];
/// A key that is rotated between its reading and its signing is read again; twice in a row is a fault of ours.
const SIGNER_TRIES: usize = 3;
/// Signatures for nonces of wallets that one session bears: whoever knows its link could ask for any number.
const SIGNINGS_MAX: i64 = 8;
/// How the request of a session is had that nobody fetches: its link holds it.
pub(crate) const IN_THE_LINK: &str = "none";

/// What somebody asks a wallet for.
pub struct NewVerification {
    /// `dcql_query`, or the name of a stored one.
    pub query: Asks,
    /// Life of the request, seconds.
    pub ttl_s: Option<u64>,
    /// How long the claims are kept, seconds.
    pub result_ttl_s: Option<u64>,
    /// Whether a status is looked at.
    pub status_policy: Option<StatusMode>,
    /// What opens the wallet; `openid4vp`.
    pub wallet_scheme: Option<String>,
    /// Whether the wallet is on the device of the browser that began; follows from `return_uri` where absent.
    pub same_device: Option<bool>,
    /// Where that browser comes back.
    pub return_uri: Option<String>,
    /// How we name ourselves.
    pub prefix: Prefix,
    /// How the answer comes back.
    pub response_mode: ResponseMode,
    /// How the wallet fetches the request.
    pub method: RequestUriMethod,
    /// What is to be authorised.
    pub transaction_data: Vec<Map<String, Value>>,
}

/// What is asked for.
pub enum Asks {
    /// This query.
    Query(Value),
    /// The stored query of this name.
    Stored(String),
}

/// How we name ourselves (OpenID4VP 1.0, 5.9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// By our certificate.
    #[default]
    X509Hash,
    /// By the host that our certificate names.
    X509SanDns,
    /// By the address of the answer, unsigned; for development.
    RedirectUri,
}

/// A request that waits for its answer. Its links can be answered: no `Debug`.
pub struct Requested {
    /// `ver_…`.
    pub id: String,
    /// Who asks, prefix included.
    pub client_id: String,
    /// Where the wallet fetches the signed request; none where the link holds it.
    pub request_uri: Option<String>,
    /// Opens a wallet.
    pub authorization_request_uri: String,
    /// Our page for the same device.
    pub page: Option<String>,
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
    /// There is no stored query of that name.
    #[error("no such stored query")]
    UnknownQuery,
    /// A number or text is out of its bound.
    #[error("{pointer} {rule}")]
    Bound {
        /// JSON pointer.
        pointer: String,
        /// Its rule.
        rule: String,
    },
    /// The way back cannot be taken.
    #[error("return_uri {0}")]
    ReturnUri(&'static str),
    /// HAIP is on and forbids this member's value.
    #[error("{0} is forbidden by HAIP")]
    HaipForbids(&'static str),
    /// Only a place for trying things may do this.
    #[error("{0} is for development only")]
    OnlyInDevelopment(&'static str),
    /// A transaction of a type that nobody registered, by its pointer.
    #[error("{0} is no registered type of transaction")]
    UnknownTransactionType(String),
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

impl RequestError {
    pub(crate) fn bound(pointer: &str, rule: &str) -> Self {
        Self::Bound { pointer: pointer.to_owned(), rule: rule.to_owned() }
    }
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

/// The session bears no more signatures, or is over.
#[derive(Debug)]
struct SigningsSpent;

impl Refused for SigningsSpent {
    fn event(&self) -> Event {
        let (operation, code) = ("fetchPresentationRequestFor".to_owned(), "api/not-found".to_owned());
        Event::RequestRefused { status: 404, operation, code }
    }
}

/// A request as it is kept: signed, or the link that holds it.
struct Made {
    client_id: ClientId,
    text: String,
    key: Option<KeyUse>,
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
        let asked = self.asked(ctx, asked).await?;
        let session_id = id::new(ctx, ID_PREFIX);
        let seed = Secret::new(ctx.random::<SEED_BYTES>());
        let secrets = Secrets::of(&seed);
        let response_key = match asked.response_mode {
            ResponseMode::DirectPostJwt => Some(Ecdh::generate()),
            ResponseMode::DirectPost => None,
        };
        let made = self.make(ctx, tenant, &asked, &secrets, response_key.as_ref()).await?;
        let put = self.put(ctx, &session_id, &asked, &seed, &secrets, response_key.as_ref(), &made).await?;
        let event = Event::PresentationRequested {
            query_sha256: hash::sha256(asked.query.as_bytes()),
            session: session_id.clone(),
            key_use: made.key.clone(),
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
        let is_open = asked.prefix == Prefix::RedirectUri;
        let requested = Requested {
            id: session_id,
            authorization_request_uri: if is_open {
                made.text
            } else {
                RequestObject::link(&made.client_id, &links.request_uri, asked.method, &asked.scheme)
            },
            client_id: made.client_id.to_string(),
            request_uri: (!is_open).then_some(links.request_uri),
            page: asked.return_uri.is_some().then_some(links.page),
            expires_at: asked.expires_at,
        };
        Ok((requested, committed))
    }

    /// What is asked, with what it names by name, within its bounds.
    async fn asked(&self, ctx: &Ctx, asked: NewVerification) -> Result<Asked, RequestError> {
        let query = match &asked.query {
            Asks::Query(query) => query.clone(),
            Asks::Stored(name) => {
                let stored = self.query(ctx, name).await?.ok_or(RequestError::UnknownQuery)?;
                stored.query
            }
        };
        let mut types: Vec<TransactionType> = Vec::new();
        for data in &asked.transaction_data {
            let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
            if !types.iter().any(|known| known.name == name) {
                types.extend(self.transaction_type(ctx, name).await?);
            }
        }
        Asked::within_bounds(&self.config, asked, &query, &types, ctx.now)
    }

    /// The session's row.
    #[allow(clippy::too_many_arguments, reason = "the parts of one row, each of another making")]
    async fn put(
        &self,
        ctx: &Ctx,
        id: &str,
        asked: &Asked,
        seed: &Secret<[u8; SEED_BYTES]>,
        secrets: &Secrets,
        response_key: Option<&Ecdh>,
        made: &Made,
    ) -> Result<Stmt, StoreFault> {
        let client_id = made.client_id.to_string();
        let response_key = response_key.map(Ecdh::to_secret);
        let sent: Vec<&str> = asked.transactions.iter().map(|it| it.encoded.as_str()).collect();
        let transactions = (!sent.is_empty()).then(|| json!(sent).to_string());
        let method = if asked.prefix == Prefix::RedirectUri { IN_THE_LINK } else { asked.method.as_str() };
        let session = NewSession {
            id,
            client_id: &client_id,
            query: &asked.query,
            status_policy: asked.status_policy.as_str(),
            wallet_scheme: &asked.scheme,
            result_ttl_s: asked.result_ttl_s,
            request_sha256: path_sha256(&secrets.request),
            response_sha256: path_sha256(&secrets.response),
            seed: seed.expose(),
            request: made.text.as_bytes(),
            response_key: response_key.as_ref().map(|key| key.expose().as_slice()),
            tries_left: UNREADABLE_TRIES,
            expires_at_ms: asked.expires_at.as_millisecond(),
            response_mode: asked.response_mode.as_str(),
            request_method: method,
            signings_left: if asked.method == RequestUriMethod::Post { SIGNINGS_MAX } else { 0 },
            return_uri: asked.return_uri.as_deref(),
            page_sha256: asked.return_uri.is_some().then(|| path_sha256(&secrets.page)),
            transactions: transactions.as_deref().map(str::as_bytes),
        };
        store::put_session(&self.store, ctx, &session).await
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
        let row = store::fetched(&self.store, ctx, path_sha256(secret)).await?;
        Ok(row.map(|row| row.request))
    }

    /// The same request, signed anew for a wallet's nonce (OpenID4VP 1.0, 5.10); without one as it stands.
    ///
    /// # Errors
    /// [`RequestError`]; none for a secret that opens nothing, a request that is not fetched so, or too many of them.
    pub async fn request_for(
        &self,
        ctx: &Ctx,
        secret: &str,
        wallet_nonce: Option<&str>,
    ) -> Result<Option<Secret<Vec<u8>>>, RequestError> {
        if wallet_nonce.is_some_and(|nonce| nonce.chars().count() > WALLET_NONCE_CHARS_MAX) {
            return Err(RequestError::bound("wallet_nonce", "has at most 256 characters"));
        }
        let row = store::fetched(&self.store, ctx, path_sha256(secret)).await?;
        let row = row.filter(|row| row.request_method == RequestUriMethod::Post.as_str());
        let (Some(row), Some(nonce)) = (&row, wallet_nonce) else {
            return Ok(row.map(|row| row.request));
        };
        let Some(signed) = self.signed_for(ctx, row, nonce).await? else { return Ok(None) };
        let event = Event::PresentationRequested {
            query_sha256: hash::sha256(row.query.as_bytes()),
            session: row.id.clone(),
            key_use: Some(signed.key),
        };
        let unit = Unit::new(event).guard(store::spend_signing(&row.id), SigningsSpent);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(Some(Secret::new(signed.compact.into_bytes()))),
            Err(CommitError::Lost(SigningsSpent)) => Ok(None),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// The stored request with this nonce, by the certificate that it names; none if another signs by now.
    async fn signed_for(
        &self,
        ctx: &Ctx,
        row: &FetchedRow,
        nonce: &str,
    ) -> Result<Option<custody::Signed>, RequestError> {
        let damaged = || StoreFault::Sealed { place: "verifier_session.request".into() };
        let text = std::str::from_utf8(row.request.expose()).map_err(|_| damaged())?;
        let limits = Limits { bytes_max: REQUEST_BYTES_MAX, depth_max: openid::wire::DEPTH_MAX };
        let jws = Jws::parse(text, &limits).map_err(|_| damaged())?;
        let mut claims: Value = serde_json::from_slice(jws.payload()).map_err(|_| damaged())?;
        claims["wallet_nonce"] = json!(nonce);
        let client_id = ClientId::parse(&row.client_id).map_err(|_| damaged())?;
        let key = KeyRef::Use(REQUEST_USE);
        let until = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(ctx.now);
        let signer = self.custody.usable(ctx, key, self.config.signer_min_left_s).await?;
        let draft = Draft::new(REQUEST_TYP, claims.to_string());
        let signed = self.custody.sign_jws_until(ctx, key, draft, until).await?;
        let is_same = signed.key.version == signer.version && signed.key.key_id == signer.key_id;
        let is_named = signer.chain.first().is_some_and(|leaf| client_id.names(leaf));
        Ok((is_same && is_named).then_some(signed))
    }

    /// Makes the request: signed by the certificate that its own `client_id` names, or a link that holds it.
    async fn make(
        &self,
        ctx: &Ctx,
        tenant: &str,
        asked: &Asked,
        secrets: &Secrets,
        response_key: Option<&Ecdh>,
    ) -> Result<Made, RequestError> {
        let response_uri = self.links(tenant, secrets).response_uri;
        if asked.prefix == Prefix::RedirectUri {
            let client_id = ClientId::RedirectUri(response_uri.clone());
            let text = object(asked, &client_id, response_uri, secrets, response_key, ctx.now)
                .open_link(&asked.scheme);
            return Ok(Made { client_id, text, key: None });
        }
        for _ in 0..SIGNER_TRIES {
            let key = KeyRef::Use(REQUEST_USE);
            let signer = self.custody.usable(ctx, key, self.config.signer_min_left_s).await?;
            let leaf = signer.chain.first().ok_or(RequestError::NoCertificate)?;
            let client_id = match asked.prefix {
                Prefix::X509SanDns => self.by_host(&response_uri, leaf)?,
                Prefix::X509Hash | Prefix::RedirectUri => ClientId::x509_hash(leaf),
            };
            let object = object(asked, &client_id, response_uri.clone(), secrets, response_key, ctx.now);
            let signed = self.custody.sign_jws_until(ctx, key, object.draft(), asked.expires_at).await?;
            // A rotation in between would put another leaf into x5c than the one that client_id names.
            if signed.key.version == signer.version && signed.key.key_id == signer.key_id {
                return Ok(Made { client_id, text: signed.compact, key: Some(signed.key) });
            }
        }
        Err(RequestError::SignerMoves)
    }

    /// Our name by host, if the certificate bears it.
    fn by_host(&self, response_uri: &str, leaf: &[u8]) -> Result<ClientId, RequestError> {
        let host = openid::wire::address(response_uri, openid::wire::Reach::LoopbackHttp)
            .ok()
            .and_then(|uri| uri.host_str().map(str::to_owned))
            .unwrap_or_default();
        let client_id = ClientId::X509SanDns(host);
        if client_id.names(leaf) && client_id.fits(response_uri) {
            Ok(client_id)
        } else {
            let rule = "cannot be x509_san_dns: the request signer's certificate does not name our host";
            Err(RequestError::bound("/client_id_prefix", rule))
        }
    }

    /// What a session that waits shows its maker.
    pub(crate) async fn requested(
        &self,
        ctx: &Ctx,
        tenant: &str,
        row: OpenRow,
        expires_at: Timestamp,
    ) -> Result<Requested, StoreFault> {
        let secrets = Secrets::of(&store::seed(&self.store, ctx, &row).await?);
        let links = self.links(tenant, &secrets);
        let damaged = |column: &str| StoreFault::Sealed { place: format!("verifier_session.{column}") };
        let method = match row.request_method.as_str() {
            "post" => Some(RequestUriMethod::Post),
            IN_THE_LINK => None,
            _ => Some(RequestUriMethod::Get),
        };
        let link = match method {
            Some(method) => {
                let client_id = ClientId::parse(&row.client_id).map_err(|_| damaged("client_id"))?;
                RequestObject::link(&client_id, &links.request_uri, method, &row.wallet_scheme)
            }
            None => {
                let link = store::request(&self.store, ctx, &row).await?;
                String::from_utf8(link.expose().clone()).map_err(|_| damaged("request"))?
            }
        };
        Ok(Requested {
            authorization_request_uri: link,
            request_uri: method.is_some().then_some(links.request_uri),
            page: row.return_uri.is_some().then_some(links.page),
            id: row.id,
            client_id: row.client_id,
            expires_at,
        })
    }

    pub(crate) fn links(&self, tenant: &str, secrets: &Secrets) -> Links {
        let doors = self.config.doors_at(tenant);
        Links {
            request_uri: format!("{doors}/request/{}", secrets.request),
            response_uri: format!("{doors}/response/{}", secrets.response),
            page: format!("{doors}/present/{}", secrets.page),
        }
    }
}

/// The doors of a session.
pub(crate) struct Links {
    pub(crate) request_uri: String,
    pub(crate) response_uri: String,
    pub(crate) page: String,
}

fn object(
    asked: &Asked,
    client_id: &ClientId,
    response_uri: String,
    secrets: &Secrets,
    response_key: Option<&Ecdh>,
    now: Timestamp,
) -> RequestObject {
    RequestObject {
        client_id: client_id.clone(),
        response_uri,
        nonce: secrets.nonce.clone(),
        state: secrets.state.clone(),
        issued_at: now,
        expires_at: asked.expires_at,
        dcql_query: asked.dcql_query.clone(),
        response_mode: asked.response_mode,
        client_metadata: ClientMetadata {
            response_key: response_key.map(Ecdh::public),
            sd_jwt_algs: SD_JWT_ALGS.to_vec(),
            kb_jwt_algs: KB_JWT_ALGS.to_vec(),
        },
        transaction_data: asked.transactions.iter().map(|it| it.encoded.clone()).collect(),
        verifier_info: asked.verifier_info.clone(),
        wallet_nonce: None,
    }
}
