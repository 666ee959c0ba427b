//! The wallet's way from an offer to a credential, as a chain of values: each step takes what the peer answered and gives what
//! is to be sent next, so a step cannot be left out.
//!
//! ```text
//! link ─ Start::from_link ─▶ Offered ─ issuer metadata ─▶ IssuerKnown ─ server metadata ─▶ Described ─ (holder agrees)
//!      ─ token ─▶ Granted ─ nonce ─▶ Ready ─ one fresh proof ─▶ received ─▶ ReceivedCredential
//! ```
//!
//! The app sends every [`Errand`], signs the proof's draft with a fresh key, and stores what it received.

use super::metadata::{self, CredentialConfiguration, IssuerMetadata, SD_JWT_VC};
use super::notification::{NOTIFICATION_BYTES_MAX, NOTIFICATION_ID_BYTES_MAX, NotificationEvent};
use super::offer::{CredentialOffer, OFFER_BYTES_MAX, OfferFault, OfferLink, PreAuthorizedCode, TxCode};
use super::proof;
use super::response::{
    CREDENTIAL_RESPONSE_BYTES_MAX, CredentialResponse, NONCE_RESPONSE_BYTES_MAX, NonceResponse,
};
use crate::errand::{Answered, Errand, PeerRefusal};
use crate::oauth::form;
use crate::oauth::server_metadata::{self, AuthorizationServerMetadata};
use crate::oauth::token::{PRE_AUTHORIZED_CODE, TOKEN_RESPONSE_BYTES_MAX, TokenResponse};
use crate::wire::{self, AddressFault, Reach, WireError};
use credential::sd_jwt::{self, SdJwt};
use credential::trust::{CertificateFacts, Context, JudgeError, Judged, Trust};
use crypto::jose::jws::{Draft, JwsError};
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use crypto::secret::Secret;
use crypto::x509::path::PathFault;
use jiff::Timestamp;
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// The one algorithm a wallet's keys sign with in this build.
pub const PROOF_ALG: SignAlg = SignAlg::Es256;

const JSON: &str = "application/json";

/// Why a wallet stops on its way to a credential. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcceptFault {
    /// The offer or its link.
    #[error(transparent)]
    Offer(#[from] OfferFault),
    /// The peer refused.
    #[error(transparent)]
    Peer(#[from] PeerRefusal),
    /// An answer cannot be read.
    #[error("{message}: {fault}")]
    Wire {
        /// Which message.
        message: Message,
        /// Why.
        fault: WireError,
    },
    /// An address in a message may not be used.
    #[error("{message}: {fault}")]
    Address {
        /// Which message.
        message: Message,
        /// Why.
        fault: AddressFault,
    },
    /// The metadata speaks for somebody else than it was asked for: identifiers differ in some byte.
    #[error("{message} is of another identifier than the one asked for")]
    Mismatch {
        /// Which metadata.
        message: Message,
    },
    /// The offer has no pre-authorised code.
    #[error("the offer has no grant that this wallet can use")]
    NoGrant,
    /// The offer's authorization server is not among the issuer's.
    #[error("the offer names an authorization server that the issuer does not")]
    ForeignServer,
    /// No offered configuration is an SD-JWT VC bound to a key by a plain proof.
    #[error("the offer has no credential that this wallet can hold")]
    NothingUsable,
    /// A transaction code is asked for and was not given.
    #[error("this offer needs a transaction code")]
    TxCodeNeeded,
    /// A token of another type than Bearer, or than DPoP where that is taken.
    #[error("the token is of a type that this wallet cannot show")]
    TokenType,
    /// The answer holds no credential, or more than one key was proved for.
    #[error("the answer holds {0} credentials for one key")]
    Count(usize),
    /// The credential is no SD-JWT.
    #[error("the credential cannot be read: {0}")]
    Parse(#[from] sd_jwt::ParseError),
    /// A key binding hangs on it, which only its holder can make.
    #[error("the credential comes with a key binding")]
    Bound,
    /// Its certificates are missing or malformed.
    #[error("the credential's certificates: {0}")]
    X5c(#[from] JwsError),
    /// Its certificates cannot be read.
    #[error("the credential's certificates: {0}")]
    Certificates(#[from] JudgeError),
    /// Its certificates do not lead to an anchor for issuers.
    #[error("the issuer is not trusted: {0}")]
    Untrusted(#[from] PathFault),
    /// The anchor vouches for other types than this one.
    #[error("the issuer is not trusted for this type")]
    OtherContext,
    /// Signature, typ, type or dates do not hold.
    #[error("the credential: {0}")]
    Rejected(#[from] sd_jwt::Rejection),
    /// It is of another type than the metadata promised.
    #[error("the credential is of another type than was offered")]
    OtherType,
    /// It is bound to another key, or to none.
    #[error("the credential is not bound to this wallet's key")]
    OtherKey,
    /// It names no status list, so nobody could ever learn that it was taken back.
    #[error("the credential has no status")]
    NoStatus,
}

/// A message of the peer, for faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Issuer metadata.
    Issuer,
    /// Authorization server metadata.
    Server,
    /// Token answer.
    Token,
    /// Nonce answer.
    Nonce,
    /// Credential answer.
    Credential,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Message::Issuer => "the issuer's metadata",
            Message::Server => "the authorization server's metadata",
            Message::Token => "the token answer",
            Message::Nonce => "the nonce answer",
            Message::Credential => "the credential answer",
        })
    }
}

/// What a link gives: the offer itself, or where to fetch it.
#[derive(Debug)]
pub enum Start {
    /// The offer was in the link.
    Offered(Offered),
    /// Fetch the offer; then [`Offered::fetched`].
    Fetch(Errand),
}

/// An offer that can be read.
#[derive(Debug)]
pub struct Offered {
    offer: CredentialOffer,
    grant: PreAuthorizedCode,
    reach: Reach,
    metadata_url: String,
}

/// An offer and its issuer's metadata.
#[derive(Debug)]
pub struct IssuerKnown {
    offer: CredentialOffer,
    grant: PreAuthorizedCode,
    reach: Reach,
    issuer: IssuerMetadata,
    server: String,
    server_url: String,
}

/// Everything the holder must see before agreeing.
#[derive(Debug)]
pub struct Described {
    grant: PreAuthorizedCode,
    issuer: IssuerMetadata,
    configuration_id: String,
    configuration: CredentialConfiguration,
    token_endpoint: String,
    takes_dpop: bool,
}

/// A token was had.
#[derive(Debug)]
pub struct Granted {
    order: Order,
}

/// Everything is there but the proof.
#[derive(Debug)]
pub struct Ready {
    order: Order,
    nonce: Option<String>,
}

/// A credential that passed every check of the wallet, to be stored with its key. `Debug` does not show it.
pub struct ReceivedCredential {
    /// The credential, everything disclosed.
    pub credential: SdJwt,
    /// Identifier of the issuer it came from.
    pub issuer: String,
    /// Id of its configuration there.
    pub configuration_id: String,
    /// How to show it, from the metadata.
    pub configuration: CredentialConfiguration,
    /// Id of the anchor that vouches for it.
    pub anchor: String,
    signer: Arc<Judged>,
    notice: Option<Notice>,
}

/// Where the issuer wants to hear what became of a credential, under which id.
struct Notice {
    endpoint: String,
    id: String,
    token: Secret<String>,
}

/// What is asked for, where and by which right.
#[derive(Debug)]
struct Order {
    issuer: IssuerMetadata,
    configuration_id: String,
    configuration: CredentialConfiguration,
    token: Secret<String>,
}

impl Start {
    /// Reads the link that opened the wallet.
    ///
    /// # Errors
    /// [`AcceptFault::Offer`], [`AcceptFault::NoGrant`], [`AcceptFault::Address`].
    pub fn from_link(link: &str, reach: Reach) -> Result<Start, AcceptFault> {
        match OfferLink::parse(link, reach)? {
            OfferLink::ByValue(offer) => Ok(Start::Offered(Offered::new(offer, reach)?)),
            OfferLink::ByReference(url) => Ok(Start::Fetch(Errand::get(&url, JSON, OFFER_BYTES_MAX))),
        }
    }
}

impl Offered {
    /// Takes the offer that was fetched.
    ///
    /// # Errors
    /// [`AcceptFault`].
    pub fn fetched(answer: Answered<'_>, reach: Reach) -> Result<Offered, AcceptFault> {
        Offered::new(CredentialOffer::parse(answer.ok()?)?, reach)
    }

    fn new(offer: CredentialOffer, reach: Reach) -> Result<Offered, AcceptFault> {
        let grant = offer.grants.as_ref().and_then(|grants| grants.pre_authorized_code.clone());
        let metadata_url = wire::well_known(&offer.credential_issuer, metadata::WELL_KNOWN, reach)
            .map_err(|fault| AcceptFault::Address { message: Message::Issuer, fault })?;
        Ok(Offered { grant: grant.ok_or(AcceptFault::NoGrant)?, offer, reach, metadata_url })
    }

    /// Fetches the issuer's metadata.
    #[must_use]
    pub fn errand(&self) -> Errand {
        Errand::get(&self.metadata_url, JSON, metadata::ISSUER_METADATA_BYTES_MAX)
    }

    /// Takes the issuer's metadata: the identifier must be the offer's, byte by byte, and every endpoint usable.
    ///
    /// # Errors
    /// [`AcceptFault`].
    pub fn issuer(self, answer: Answered<'_>) -> Result<IssuerKnown, AcceptFault> {
        let message = Message::Issuer;
        let issuer =
            IssuerMetadata::parse(answer.ok()?).map_err(|fault| AcceptFault::Wire { message, fault })?;
        if issuer.credential_issuer != self.offer.credential_issuer {
            return Err(AcceptFault::Mismatch { message });
        }
        for endpoint in [
            Some(&issuer.credential_endpoint),
            issuer.nonce_endpoint.as_ref(),
            issuer.notification_endpoint.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            wire::address(endpoint, self.reach).map_err(|fault| AcceptFault::Address { message, fault })?;
        }
        let server = server_of(&issuer, &self.grant)?;
        let server_url = wire::well_known(&server, server_metadata::WELL_KNOWN, self.reach)
            .map_err(|fault| AcceptFault::Address { message: Message::Server, fault })?;
        Ok(IssuerKnown {
            offer: self.offer,
            grant: self.grant,
            reach: self.reach,
            issuer,
            server,
            server_url,
        })
    }
}

impl IssuerKnown {
    /// Fetches the authorization server's metadata.
    #[must_use]
    pub fn errand(&self) -> Errand {
        Errand::get(&self.server_url, JSON, server_metadata::SERVER_METADATA_BYTES_MAX)
    }

    /// Takes the authorization server's metadata and picks the first offered configuration that this wallet can hold.
    ///
    /// # Errors
    /// [`AcceptFault`].
    pub fn server(self, answer: Answered<'_>) -> Result<Described, AcceptFault> {
        let message = Message::Server;
        let server = AuthorizationServerMetadata::parse(answer.ok()?)
            .map_err(|fault| AcceptFault::Wire { message, fault })?;
        if server.issuer != self.server {
            return Err(AcceptFault::Mismatch { message });
        }
        wire::address(&server.token_endpoint, self.reach)
            .map_err(|fault| AcceptFault::Address { message, fault })?;
        let known = &self.issuer.credential_configurations_supported;
        let usable = |id: &String| Some((id.clone(), known.get(id).filter(|it| is_usable(it))?.clone()));
        let (configuration_id, configuration) = self
            .offer
            .credential_configuration_ids
            .iter()
            .find_map(usable)
            .ok_or(AcceptFault::NothingUsable)?;
        Ok(Described {
            grant: self.grant,
            issuer: self.issuer,
            configuration_id,
            configuration,
            takes_dpop: server
                .dpop_signing_alg_values_supported
                .iter()
                .any(|name| name == PROOF_ALG.jws_name()),
            token_endpoint: server.token_endpoint,
        })
    }
}

impl Described {
    /// Who issues.
    #[must_use]
    pub fn issuer(&self) -> &IssuerMetadata {
        &self.issuer
    }

    /// What is issued: id within the metadata, and its description.
    #[must_use]
    pub fn configuration(&self) -> (&str, &CredentialConfiguration) {
        (&self.configuration_id, &self.configuration)
    }

    /// Present when the holder must give a transaction code.
    #[must_use]
    pub fn tx_code(&self) -> Option<&TxCode> {
        self.grant.tx_code.as_ref()
    }

    /// Whether this server binds tokens to a key by proofs that this wallet can make: then every errand from the token on is to be
    /// sent with one (RFC 9449), signed by one fresh key.
    #[must_use]
    pub fn takes_dpop(&self) -> bool {
        self.takes_dpop
    }

    /// Redeems the code. To be sent once, after the holder agreed.
    ///
    /// # Errors
    /// [`AcceptFault::TxCodeNeeded`].
    pub fn errand(&self, tx_code: Option<&str>) -> Result<Errand, AcceptFault> {
        let mut fields = vec![("grant_type", PRE_AUTHORIZED_CODE), ("pre-authorized_code", &self.grant.code)];
        if self.grant.tx_code.is_some() {
            fields.push(("tx_code", tx_code.ok_or(AcceptFault::TxCodeNeeded)?));
        }
        Ok(Errand::post_form(&self.token_endpoint, form::encode(&fields), TOKEN_RESPONSE_BYTES_MAX))
    }

    /// Takes the token.
    ///
    /// # Errors
    /// [`AcceptFault`].
    pub fn token(self, answer: Answered<'_>) -> Result<Granted, AcceptFault> {
        let token = TokenResponse::parse(answer.ok()?)
            .map_err(|fault| AcceptFault::Wire { message: Message::Token, fault })?;
        let is_known = |name: &str| token.token_type.eq_ignore_ascii_case(name);
        let is_taken = is_known("bearer") || (self.takes_dpop && is_known("dpop"));
        if !is_taken {
            return Err(AcceptFault::TokenType);
        }
        Ok(Granted {
            order: Order {
                issuer: self.issuer,
                configuration_id: self.configuration_id,
                configuration: self.configuration,
                token: Secret::new(token.access_token),
            },
        })
    }
}

impl Granted {
    /// Asks for a nonce, if this issuer has a door for that; if not, go on by [`Granted::without_nonce`].
    #[must_use]
    pub fn errand(&self) -> Option<Errand> {
        let endpoint = self.order.issuer.nonce_endpoint.as_ref()?;
        Some(Errand::post_empty(endpoint, NONCE_RESPONSE_BYTES_MAX))
    }

    /// Takes the nonce.
    ///
    /// # Errors
    /// [`AcceptFault`].
    pub fn nonce(self, answer: Answered<'_>) -> Result<Ready, AcceptFault> {
        let nonce = NonceResponse::parse(answer.ok()?)
            .map_err(|fault| AcceptFault::Wire { message: Message::Nonce, fault })?;
        Ok(Ready { order: self.order, nonce: Some(nonce.c_nonce) })
    }

    /// Goes on where the issuer's proofs need no nonce.
    #[must_use]
    pub fn without_nonce(self) -> Ready {
        Ready { order: self.order, nonce: None }
    }
}

impl Ready {
    /// The proof to be signed by `key`, a fresh one, with [`PROOF_ALG`].
    #[must_use]
    pub fn proof(&self, key: &Jwk, now: Timestamp) -> Draft {
        proof::draft(key, &self.order.issuer.credential_issuer, self.nonce.as_deref(), None, now)
    }

    /// Asks for the credential with the signed proof.
    #[must_use]
    pub fn errand(&self, proof: &str) -> Errand {
        let body = json!({
            "credential_configuration_id": self.order.configuration_id,
            "proofs": { "jwt": [proof] },
        });
        let body = body.to_string().into_bytes();
        Errand::post(&self.order.issuer.credential_endpoint, JSON, body, CREDENTIAL_RESPONSE_BYTES_MAX)
            .with_bearer(&self.order.token)
    }

    /// Takes the credential and checks it: path to an anchor for its type, signature and dates, the offered type, this wallet's
    /// own `key`, a status.
    ///
    /// # Errors
    /// [`AcceptFault`]; nothing is to be stored then.
    pub fn received(
        self,
        answer: Answered<'_>,
        key: &Jwk,
        trust: &Trust<'_>,
        now: Timestamp,
    ) -> Result<ReceivedCredential, AcceptFault> {
        let (text, notification_id) = one_credential(answer)?;
        let unverified = SdJwt::parse(&text)?;
        if unverified.has_key_binding() {
            return Err(AcceptFault::Bound);
        }
        let signer = trust.judge(&unverified.x5c()?, Context::Issuer, now)?;
        signer.path()?;
        let credential = unverified.verify(signer.signer(), now)?;
        let vct = credential.vct().map_err(sd_jwt::Rejection::from)?;
        if self.order.configuration.vct.as_deref() != Some(vct) {
            return Err(AcceptFault::OtherType);
        }
        let anchor =
            signer.vouches_for(trust.anchors, Context::Issuer, vct).ok_or(AcceptFault::OtherContext)?;
        let bound_to = credential.holder_key().map_err(sd_jwt::Rejection::from)?;
        if bound_to.is_none_or(|bound_to| bound_to.thumbprint() != key.thumbprint()) {
            return Err(AcceptFault::OtherKey);
        }
        if credential.status().map_err(sd_jwt::Rejection::from)?.is_none() {
            return Err(AcceptFault::NoStatus);
        }
        let Order { token, .. } = self.order;
        let endpoint = self.order.issuer.notification_endpoint;
        Ok(ReceivedCredential {
            anchor: anchor.id.clone(),
            credential,
            notice: endpoint.zip(notification_id).map(|(endpoint, id)| Notice { endpoint, id, token }),
            issuer: self.order.issuer.credential_issuer,
            configuration_id: self.order.configuration_id,
            configuration: self.order.configuration,
            signer,
        })
    }
}

impl ReceivedCredential {
    /// The certificates that vouch for the issuer, signer first: what the holder is shown.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateFacts] {
        self.signer.chain()
    }
}

impl ReceivedCredential {
    /// Tells the issuer that the credential is stored, if it wants to hear (OpenID4VCI 1.0, 11). Nothing hangs on the answer.
    #[must_use]
    pub fn stored(&self) -> Option<Errand> {
        let Notice { endpoint, id, token } = self.notice.as_ref()?;
        let event = NotificationEvent::Accepted.as_str();
        let body = json!({"notification_id": id, "event": event}).to_string().into_bytes();
        Some(Errand::post(endpoint, JSON, body, NOTIFICATION_BYTES_MAX).with_bearer(token))
    }
}

impl fmt::Debug for ReceivedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedCredential")
            .field("issuer", &self.issuer)
            .field("configuration_id", &self.configuration_id)
            .finish_non_exhaustive()
    }
}

/// The one credential of the answer, unchecked, and the id that a notification about it names.
fn one_credential(answer: Answered<'_>) -> Result<(String, Option<String>), AcceptFault> {
    let answer = CredentialResponse::parse(answer.ok()?)
        .map_err(|fault| AcceptFault::Wire { message: Message::Credential, fault })?;
    let count = answer.credentials.len();
    match <[_; 1]>::try_from(answer.credentials) {
        Ok([one]) => {
            let is_sent = |id: &String| !id.is_empty() && id.len() <= NOTIFICATION_ID_BYTES_MAX;
            Ok((one.credential, answer.notification_id.filter(is_sent)))
        }
        Err(_) => Err(AcceptFault::Count(count)),
    }
}

/// The server that takes the code: the offer's if it names one of the issuer's, else the issuer's first, else the issuer.
fn server_of(issuer: &IssuerMetadata, grant: &PreAuthorizedCode) -> Result<String, AcceptFault> {
    let servers = &issuer.authorization_servers;
    match &grant.authorization_server {
        Some(named)
            if servers.contains(named) || (servers.is_empty() && *named == issuer.credential_issuer) =>
        {
            Ok(named.clone())
        }
        Some(_) => Err(AcceptFault::ForeignServer),
        None => Ok(servers.first().unwrap_or(&issuer.credential_issuer).clone()),
    }
}

/// An SD-JWT VC with a type, bound to a `jwk` by a plain `jwt` proof of our algorithm.
fn is_usable(configuration: &CredentialConfiguration) -> bool {
    let bound = &configuration.cryptographic_binding_methods_supported;
    configuration.format == SD_JWT_VC
        && configuration.vct.is_some()
        && bound.iter().any(|method| method == "jwk")
        && configuration.proof_types_supported.get("jwt").is_some_and(|jwt| {
            jwt.key_attestations_required.is_none()
                && jwt.proof_signing_alg_values_supported.iter().any(|name| name == PROOF_ALG.jws_name())
        })
}
