//! The wallet's way from a link to an answer, as a chain of values.
//!
//! ```text
//! link ─ PresentationLink ─▶ fetch ─ CheckedRequest::check ─▶ select(holdings) ─▶ Vec<Pick> ─ (holder agrees)
//!      ─ key binding drafts ─▶ (device signs) ─ answer ─▶ encrypted form, posted
//!      ─ (holder declines, or nothing matches) ─ decline ─▶ access_denied
//! ```
//!
//! A request that fails a check is answered by nothing at all: its response address is as little to be trusted as the rest. Not
//! to have a credential and not to want to show it are answered alike.

use super::client_id::{ClientId, ClientIdFault};
use super::client_metadata::EncryptionChoice;
use super::error::WalletError;
use super::request::{
    REQUEST_BYTES_MAX, REQUEST_MEDIA_TYPE, REQUEST_SCHEME, REQUEST_TYP, ResponseMode, SELF_ISSUED,
};
use super::response::Acknowledgement;
use crate::errand::{Answered, Errand, PeerRefusal};
use crate::oauth::form::{self, Form};
use crate::wire::{self, AddressFault, Reach, WireError};
use credential::dcql::{self, Candidate, NoMatch, Pick, QUERY_BYTES_MAX, Query, Reader};
use credential::pointer::PointerError;
use credential::sd_jwt::Presentation;
use credential::trust::{CertificateFacts, Context, JudgeError, Judged, Trust};
use crypto::jose::jwe;
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::x509::path::PathFault;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Most bytes of a link; it carries two short parameters.
pub const LINK_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of `nonce` and `state`.
pub const BINDING_BYTES_MAX: usize = 1024;

/// Seconds that the verifier's clock may differ from ours.
pub const CLOCK_SKEW_S: i64 = 60;

/// Most bytes of the verifier's answer to an answer.
pub const ACKNOWLEDGEMENT_BYTES_MAX: usize = 16 * 1024;

/// A link that asks for a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentationLink {
    /// Who asks, as the link says.
    pub client_id: String,
    /// Where the signed request is.
    pub request_uri: String,
}

/// Why a wallet does not take a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestFault {
    /// Not a link with `client_id` and `request_uri`, or with a request in the open.
    #[error("not a link to a signed presentation request")]
    Link,
    /// An address in link or request may not be used.
    #[error("the address {member}: {fault}")]
    Address {
        /// Which.
        member: &'static str,
        /// Why.
        fault: AddressFault,
    },
    /// The verifier did not give its request.
    #[error(transparent)]
    Peer(#[from] PeerRefusal),
    /// Not a signed object of typ `oauth-authz-req+jwt` with a strict JSON object inside.
    #[error("the request is not a signed request object")]
    Object,
    /// The link names another client than the object.
    #[error("the request is of another client than the link")]
    OtherClient,
    /// The client identifier.
    #[error(transparent)]
    ClientId(#[from] ClientIdFault),
    /// The certificate that signs is not the one the client identifier names.
    #[error("the request is signed by another certificate than its client identifier names")]
    OtherCertificate,
    /// The certificates cannot be read.
    #[error("the verifier's certificates: {0}")]
    Certificates(#[from] JudgeError),
    /// The certificates do not lead to an anchor for verifiers.
    #[error("the verifier is not trusted: {0}")]
    Untrusted(#[from] PathFault),
    /// The signature does not verify.
    #[error("the request's signature does not verify")]
    Signature,
    /// `exp` is over, or `iat` lies ahead.
    #[error("the request is out of its time")]
    OutOfTime,
    /// A parameter is missing, must not be there, or has a value that this wallet does not serve.
    #[error("the request's {0} is missing, out of place or not served")]
    Parameter(&'static str),
    /// Transaction data of a type that this wallet does not know; showing a credential would authorise it unseen.
    #[error("the request asks to authorise a transaction of an unknown type")]
    UnknownTransaction,
    /// The query breaks a rule of DCQL.
    #[error("the request's query breaks {} rules of DCQL", .0.len())]
    Query(Vec<PointerError>),
    /// No key and encryption in the request that this wallet can use.
    #[error("the request offers no encryption that this wallet can use")]
    NoEncryption,
}

/// Why a checked request gets no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerFault {
    /// The verifier refused the answer.
    #[error(transparent)]
    Peer(#[from] PeerRefusal),
    /// Its acknowledgement cannot be read.
    #[error("the verifier's answer: {0}")]
    Wire(#[from] WireError),
    /// The answer could not be encrypted to the verifier's key.
    #[error("the answer could not be encrypted")]
    Encryption,
}

/// A request whose sender is known and trusted. Only now anything of it is shown to the holder.
#[derive(Debug)]
pub struct CheckedRequest {
    signer: Arc<Judged>,
    client_id: String,
    response_uri: String,
    nonce: String,
    state: Option<String>,
    query: Query,
    /// None where the answer goes in the clear inside TLS (`direct_post`).
    encryption: Option<EncryptionChoice>,
}

/// One answered credential query: its id and the finished presentation.
pub struct Shown {
    /// Id of the credential query.
    pub query: String,
    /// The presentation with its key binding.
    pub presentation: String,
}

impl PresentationLink {
    /// Reads the link that opened the wallet.
    ///
    /// # Errors
    /// [`RequestFault::Link`], [`RequestFault::Address`]. A request by value is refused: what is not signed names nobody.
    pub fn parse(link: &str, reach: Reach) -> Result<PresentationLink, RequestFault> {
        if link.len() > LINK_BYTES_MAX {
            return Err(RequestFault::Link);
        }
        let query = link
            .strip_prefix(REQUEST_SCHEME)
            .and_then(|rest| rest.strip_prefix("://").or(rest.strip_prefix(':')))
            .and_then(|rest| rest.split_once('?'))
            .map(|(_, query)| query)
            .ok_or(RequestFault::Link)?;
        let form = Form::parse(query.as_bytes(), LINK_BYTES_MAX).map_err(|_| RequestFault::Link)?;
        let (Some(client_id), Some(request_uri), None) =
            (form.get("client_id"), form.get("request_uri"), form.get("request"))
        else {
            return Err(RequestFault::Link);
        };
        address("request_uri", request_uri, reach)?;
        Ok(PresentationLink { client_id: client_id.to_owned(), request_uri: request_uri.to_owned() })
    }

    /// Fetches the signed request. `request_uri_method=post` is not served and may be ignored (OpenID4VP 1.0, 5.10).
    #[must_use]
    pub fn errand(&self) -> Errand {
        Errand::get(&self.request_uri, REQUEST_MEDIA_TYPE, REQUEST_BYTES_MAX)
    }
}

impl CheckedRequest {
    /// Checks the signed request that was fetched: same client as the link, trusted signer, in time, every parameter as this
    /// wallet serves it.
    ///
    /// # Errors
    /// [`RequestFault`].
    pub fn check(
        link: &PresentationLink,
        answer: Answered<'_>,
        trust: &Trust<'_>,
        reach: Reach,
        now: Timestamp,
    ) -> Result<CheckedRequest, RequestFault> {
        let compact = std::str::from_utf8(answer.ok()?).map_err(|_| RequestFault::Object)?.trim_end();
        let limits = Limits { bytes_max: REQUEST_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(compact, &limits).map_err(|_| RequestFault::Object)?;
        if jws.typ() != Some(REQUEST_TYP) {
            return Err(RequestFault::Object);
        }
        let Ok(Value::Object(claims)) = wire::json(jws.payload(), REQUEST_BYTES_MAX) else {
            return Err(RequestFault::Object);
        };
        // The link came by an open way: a signed request of somebody else must not answer for it.
        if claims.get("client_id").and_then(Value::as_str) != Some(link.client_id.as_str()) {
            return Err(RequestFault::OtherClient);
        }
        let client_id = ClientId::parse(&link.client_id)?;
        let chain = jws.x5c().map_err(|_| RequestFault::Object)?;
        if !chain.first().is_some_and(|leaf| client_id.names(leaf)) {
            return Err(RequestFault::OtherCertificate);
        }
        let signer = trust.judge(&chain, Context::Reader, now)?;
        signer.path()?;
        jws.verify(signer.signer()).map_err(|_| RequestFault::Signature)?;
        check_time(&claims, now)?;
        let checked = CheckedRequest::read(&claims, signer, reach)?;
        if !client_id.fits(&checked.response_uri) {
            return Err(RequestFault::Parameter("response_uri"));
        }
        Ok(checked)
    }

    /// The parameters of a request whose signature holds.
    fn read(
        claims: &Map<String, Value>,
        signer: Arc<Judged>,
        reach: Reach,
    ) -> Result<CheckedRequest, RequestFault> {
        let text = |name: &'static str| {
            wire::text(claims.get(name), wire::URL_BYTES_MAX).ok_or(RequestFault::Parameter(name))
        };
        for (name, only) in [("aud", SELF_ISSUED), ("response_type", "vp_token")] {
            if text(name)? != only {
                return Err(RequestFault::Parameter(name));
            }
        }
        let mode = ResponseMode::parse(text("response_mode")?);
        let mode = mode.ok_or(RequestFault::Parameter("response_mode"))?;
        if let Some(name) =
            ["redirect_uri", "scope", "expected_origins"].into_iter().find(|it| claims.contains_key(*it))
        {
            return Err(RequestFault::Parameter(name));
        }
        let response_uri = text("response_uri")?;
        address("response_uri", response_uri, reach)?;
        let binding =
            |name| wire::text(claims.get(name), BINDING_BYTES_MAX).ok_or(RequestFault::Parameter(name));
        let nonce = binding("nonce")?.to_owned();
        let state = claims.get("state").map(|_| binding("state").map(str::to_owned)).transpose()?;
        if claims.get("transaction_data").is_some_and(|data| *data != json!([])) {
            return Err(RequestFault::UnknownTransaction);
        }
        let query = claims.get("dcql_query").ok_or(RequestFault::Parameter("dcql_query"))?;
        if query.to_string().len() > QUERY_BYTES_MAX {
            return Err(RequestFault::Parameter("dcql_query"));
        }
        let query = Query::parse(query, Reader::Wallet).map_err(RequestFault::Query)?;
        let metadata = claims.get("client_metadata").and_then(Value::as_object);
        let encryption = match mode {
            ResponseMode::DirectPost => None,
            ResponseMode::DirectPostJwt => {
                Some(metadata.and_then(EncryptionChoice::from_metadata).ok_or(RequestFault::NoEncryption)?)
            }
        };
        Ok(CheckedRequest {
            signer,
            client_id: text("client_id")?.to_owned(),
            response_uri: response_uri.to_owned(),
            nonce,
            state,
            query,
            encryption,
        })
    }

    /// Who asks: the full client identifier, which key bindings name as their audience.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The certificates that vouch for who asks, signer first: what the holder is shown.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateFacts] {
        self.signer.chain()
    }

    /// What is asked for.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Where the answer goes.
    #[must_use]
    pub fn response_uri(&self) -> &str {
        &self.response_uri
    }

    /// Whether the answer is encrypted to the verifier, beneath what TLS does.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    /// Chooses what to show; the holder decides.
    ///
    /// # Errors
    /// [`NoMatch`]: then the answer is [`CheckedRequest::decline`], which says no more than a holder's no.
    pub fn select(&self, candidates: &[Candidate<'_>]) -> Result<Vec<Pick>, NoMatch> {
        dcql::select(&self.query, candidates)
    }

    /// What the holder's key signs to bind `presentation` to this request.
    #[must_use]
    pub fn key_binding(&self, presentation: &Presentation, now: Timestamp) -> Draft {
        presentation.key_binding_draft(&self.client_id, &self.nonce, now)
    }

    /// The answer, encrypted to the verifier.
    ///
    /// # Errors
    /// [`AnswerFault::Encryption`].
    pub fn answer(&self, shown: &[Shown]) -> Result<Errand, AnswerFault> {
        let mut vp_token = Map::new();
        for one in shown {
            let texts = vp_token.entry(&one.query).or_insert_with(|| json!([]));
            if let Value::Array(texts) = texts {
                texts.push(json!(one.presentation));
            }
        }
        self.post(json!({ "vp_token": vp_token }))
    }

    /// The answer that shows nothing: the holder said no, or nothing matches.
    ///
    /// # Errors
    /// [`AnswerFault::Encryption`].
    pub fn decline(&self) -> Result<Errand, AnswerFault> {
        self.post(json!({ "error": WalletError::AccessDenied.as_str() }))
    }

    fn post(&self, mut members: Value) -> Result<Errand, AnswerFault> {
        if let Some(state) = &self.state {
            members["state"] = json!(state);
        }
        let body = match &self.encryption {
            Some(EncryptionChoice { key, kid, enc }) => {
                let plain = members.to_string();
                let sealed = jwe::encrypt_ecdh_es(key, kid.as_deref(), *enc, None, None, plain.as_bytes())
                    .map_err(|_| AnswerFault::Encryption)?;
                form::encode(&[("response", &sealed)])
            }
            // Parameters of the form; `vp_token` is JSON in one of them (OpenID4VP 1.0, 8.2).
            None => {
                let texts = members.as_object().into_iter().flatten().map(|(name, value)| {
                    (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                });
                let texts: Vec<(&str, String)> = texts.collect();
                let pairs: Vec<(&str, &str)> =
                    texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
                form::encode(&pairs)
            }
        };
        Ok(Errand::post_form(&self.response_uri, body, ACKNOWLEDGEMENT_BYTES_MAX))
    }
}

/// Takes the verifier's answer to [`CheckedRequest::answer`] or [`CheckedRequest::decline`].
///
/// # Errors
/// [`AnswerFault`]. A `redirect_uri` in it is for the holder to follow, never for the app to fetch.
pub fn acknowledged(answer: Answered<'_>) -> Result<Acknowledgement, AnswerFault> {
    let body = answer.ok()?;
    if body.is_empty() {
        return Ok(Acknowledgement::default());
    }
    Ok(wire::read(body, ACKNOWLEDGEMENT_BYTES_MAX)?)
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("query", &self.query).finish_non_exhaustive()
    }
}

fn address(member: &'static str, text: &str, reach: Reach) -> Result<(), RequestFault> {
    wire::address(text, reach).map(|_| ()).map_err(|fault| RequestFault::Address { member, fault })
}

fn check_time(claims: &Map<String, Value>, now: Timestamp) -> Result<(), RequestFault> {
    let date = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        some => wire::numeric_date(some).map(Some).ok_or(RequestFault::Parameter(name)),
    };
    let now_s = now.as_second();
    let over = date("exp")?.is_some_and(|exp| exp.saturating_add(CLOCK_SKEW_S) <= now_s);
    let ahead = date("iat")?.is_some_and(|iat| iat > now_s.saturating_add(CLOCK_SKEW_S));
    if over || ahead { Err(RequestFault::OutOfTime) } else { Ok(()) }
}
