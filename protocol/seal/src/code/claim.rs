//! What a wallet checks before it shows a sign-in to its person.
//!
//! ```text
//!   QR or inbox ── read_uri ──▶ Sid ── POST …/claim ──▶ reply::verify ── check ──▶ Claim ── person ──▶ answer
//! ```
//! The seal stops a copied identity, not a relay: that is what the browser's assertion is for.

use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::PublicKey;
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::context::{Context, Mode, Sid, T0};
use super::keys::read_point;
use crate::scope::Scopes;
use crate::vds::SEAL_BYTES_MAX;
use crate::vds::icao::Vds;
use crate::vds::own::{OwnSeal, ServiceSeal};
use crate::vds::signer::SignerCertificate;
use crate::vds::trust::{self, Authority, Rules};
use crate::wire::{Members, WireError, object};

/// Most bytes of the JWT of a Relying Party that the server passes on.
pub const SERVICE_JWT_BYTES_MAX: usize = 16 * 1024;
/// Seconds that such a JWT may be old: a session lives at most as long.
pub const SERVICE_JWT_AGE_S: i64 = 20 * 60;
/// Seconds that its maker's clock may be ahead.
const AHEAD_S: i64 = 60;
/// Longest hint or purpose, in bytes: what a person can read.
const SHOWN_BYTES_MAX: usize = 1024;
/// Longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 128;

/// Why a wallet does not show a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ClaimRefusal {
    /// The address lies outside the pinned issuer; it is not fetched.
    #[error("claim-uri-foreign")]
    ForeignUri,
    /// The reply does not have the form of one.
    #[error("claim-malformed")]
    Form,
    /// The reply is about another session.
    #[error("claim-of-another-session")]
    OtherSession,
    /// The context names another issuer.
    #[error("claim-of-another-issuer")]
    OtherIssuer,
    /// The agreement key is not one that was pinned.
    #[error("claim-agreement-key")]
    AgreementKey,
    /// The session has ended.
    #[error("claim-over")]
    Over,
    /// The seal is not the one of the context.
    #[error("seal-of-another-context")]
    OtherSeal,
    /// The seal is malformed, or its signature or signer does not hold.
    #[error("seal-invalid")]
    Seal,
    /// The seal is of another Relying Party.
    #[error("seal-of-another-service")]
    OtherService,
    /// The origin is not in the seal.
    #[error("origin-not-sealed")]
    Origin,
    /// The seal has expired.
    #[error("seal-expired")]
    SealExpired,
    /// More is asked for than the seal allows.
    #[error("scope-over-ceiling")]
    Scope,
    /// The Relying Party's JWT does not read.
    #[error("service-proof-malformed")]
    ProofForm,
    /// It is signed by a key that is not in the seal, or by none.
    #[error("service-proof-key")]
    ProofKey,
    /// It is for another server.
    #[error("service-proof-audience")]
    ProofAudience,
    /// It is of another Relying Party.
    #[error("service-proof-issuer")]
    ProofIssuer,
    /// It is old, or from the future.
    #[error("service-proof-time")]
    ProofTime,
    /// The request object asks for something else than the context says.
    #[error("service-proof-request")]
    ProofRequest,
}

/// What the wallet pinned at enrolment.
#[derive(Debug, Clone, Copy)]
pub struct Pinned<'a> {
    /// The identity provider, `…/idp`.
    pub issuer: &'a str,
    /// Its agreement keys by name: the present one, and the next if it was announced.
    pub agreement: &'a [(String, PublicKey)],
    /// Certificates of those who sign its service seals.
    pub signers: &'a [SignerCertificate],
    /// The tenant's root, and whoever else may issue such certificates.
    pub authorities: &'a [Authority],
}

/// What the Relying Party proved at this sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proved {
    /// It signed this very request.
    RequestObject,
    /// It signed that it is there.
    ClientAssertion,
    /// Nothing; the operator vouches.
    Nothing,
}

/// Whether the browser's assertion is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssertionState {
    /// Not for the class asked for.
    None,
    /// It is, and is not there.
    Required,
    /// It is there.
    Done,
}

impl AssertionState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            AssertionState::None => "none",
            AssertionState::Required => "required",
            AssertionState::Done => "done",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<AssertionState> {
        [Self::None, Self::Required, Self::Done].into_iter().find(|it| it.as_str() == name)
    }
}

/// The JWT of the Relying Party that the server passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceJwt {
    /// What it is.
    pub proved: Proved,
    /// It; empty with [`Proved::Nothing`].
    pub jwt: String,
    /// The key that signed it, whose thumbprint stands in the seal; none with [`Proved::Nothing`].
    pub jwk: Option<Jwk>,
}

/// The content of a claim reply, as the server fills it.
#[derive(Debug, Clone)]
pub struct ClaimReply {
    /// The session.
    pub sid: Sid,
    /// Its context.
    pub context: Context,
    /// Its point.
    pub e: PublicKey,
    /// Which of the server's agreement keys.
    pub kid_s: String,
    /// The ServiceSeal's bytes.
    pub service_seal: Vec<u8>,
    /// What the Relying Party signed.
    pub service_jwt: ServiceJwt,
    /// A coarse hint at the browser, for the person.
    pub browser: String,
    /// Whether the browser's assertion is needed.
    pub assertion: AssertionState,
    /// What for, in the person's language.
    pub purpose: String,
}

impl ClaimReply {
    /// As it stands in a seal-reply: `{sid, ctx, E, kid_s, service_seal, service_proof: {kind, jwt, jwk}, browser, assertion,
    /// purpose}`.
    pub fn to_content(&self) -> Map<String, Value> {
        let mut proof = match self.service_jwt.proved {
            Proved::RequestObject => json!({"kind": "request_object", "jwt": self.service_jwt.jwt}),
            Proved::ClientAssertion => json!({"kind": "client_assertion", "jwt": self.service_jwt.jwt}),
            Proved::Nothing => json!({"kind": "none", "jwt": ""}),
        };
        if let Some(jwk) = &self.service_jwt.jwk {
            proof["jwk"] = jwk.to_value();
        }
        let content = json!({
            "sid": self.sid.to_string(), "ctx": self.context.to_value(), "E": base64::url_encode(self.e.raw()),
            "kid_s": self.kid_s, "service_seal": base64::url_encode(&self.service_seal), "service_proof": proof,
            "browser": self.browser, "assertion": self.assertion.as_str(), "purpose": self.purpose,
        });
        match content {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Reads what [`super::reply::verify`] gave. Members that came later are ignored.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_content(content: Map<String, Value>) -> Result<ClaimReply, WireError> {
        let mut members = Members::new(content);
        let mut proof = Members::of(&members.value("service_proof")?, "service_proof")?;
        let proved = match proof.text("kind", 32)?.as_str() {
            "request_object" => Proved::RequestObject,
            "client_assertion" => Proved::ClientAssertion,
            "none" => Proved::Nothing,
            _ => return Err(WireError::Member("kind")),
        };
        let jwk = proof.optional("jwk").map(|value| Jwk::from_value(&value)).transpose();
        let reply = ClaimReply {
            sid: Sid::parse(&members.text("sid", 22)?)?,
            context: Context::from_value(&members.value("ctx")?)?,
            e: read_point(&members.bytes("E", 65)?).map_err(|_| WireError::Member("E"))?,
            kid_s: members.text("kid_s", KID_BYTES_MAX)?,
            service_seal: members.bytes("service_seal", SEAL_BYTES_MAX)?,
            service_jwt: ServiceJwt {
                proved,
                jwt: proof.text("jwt", SERVICE_JWT_BYTES_MAX)?,
                jwk: jwk.map_err(|_| WireError::Member("jwk"))?,
            },
            browser: members.text("browser", SHOWN_BYTES_MAX)?,
            assertion: AssertionState::parse(&members.text("assertion", 16)?)
                .ok_or(WireError::Member("assertion"))?,
            purpose: members.text("purpose", SHOWN_BYTES_MAX)?,
        };
        Ok(reply)
    }
}

/// A sign-in that a wallet may show.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The session.
    pub sid: Sid,
    /// Its context.
    pub context: Context,
    /// Its T0, computed here.
    pub t0: T0,
    /// Its point.
    pub e: PublicKey,
    /// The server's agreement key, as it was pinned.
    pub s: PublicKey,
    /// Who asks, as the seal says.
    pub service: ServiceSeal,
    /// What the Relying Party proved.
    pub proved: Proved,
    /// A coarse hint at the browser.
    pub browser: String,
    /// Whether the browser's assertion is needed.
    pub assertion: AssertionState,
    /// What for.
    pub purpose: String,
}

/// The session of a claim address: `{base}/seal/s/{sid}`, where the issuer is `{base}/idp`. Any other address is refused before
/// anything is fetched.
///
/// # Errors
/// [`ClaimRefusal::ForeignUri`].
pub fn read_uri(uri: &str, issuer: &str) -> Result<Sid, ClaimRefusal> {
    let base = issuer.strip_suffix("/idp").ok_or(ClaimRefusal::ForeignUri)?;
    let sid = uri.strip_prefix(base).and_then(|rest| rest.strip_prefix("/seal/s/"));
    sid.and_then(|sid| Sid::parse(sid).ok()).ok_or(ClaimRefusal::ForeignUri)
}

/// The claim address of a session.
pub fn uri(issuer: &str, sid: &Sid) -> String {
    format!("{}/seal/s/{sid}", issuer.strip_suffix("/idp").unwrap_or(issuer))
}

/// Checks a reply whose signature holds.
///
/// # Errors
/// [`ClaimRefusal`], the first of: session, issuer, agreement key, end, seal and its signer, who and where, ceiling, what the
/// Relying Party signed.
pub fn check(
    content: Map<String, Value>,
    sid: &Sid,
    pinned: &Pinned<'_>,
    now: Timestamp,
) -> Result<Claim, ClaimRefusal> {
    let reply = ClaimReply::from_content(content).map_err(|_| ClaimRefusal::Form)?;
    let context = &reply.context;
    if reply.sid != *sid {
        return Err(ClaimRefusal::OtherSession);
    }
    if context.issuer != pinned.issuer {
        return Err(ClaimRefusal::OtherIssuer);
    }
    let s = pinned.agreement.iter().find(|(kid, _)| *kid == reply.kid_s).map(|(_, key)| key.clone());
    let s = s.ok_or(ClaimRefusal::AgreementKey)?;
    if context.is_over(now) || context.issued_at_s > now.as_second().saturating_add(AHEAD_S) {
        return Err(ClaimRefusal::Over);
    }
    if hash::sha256(&reply.service_seal) != context.service_seal {
        return Err(ClaimRefusal::OtherSeal);
    }
    let service = verified_seal(&reply.service_seal, pinned, now)?;
    if service.client_id != context.client_id {
        return Err(ClaimRefusal::OtherService);
    }
    if !service.origins.contains(&context.rp_origin) {
        return Err(ClaimRefusal::Origin);
    }
    if i64::try_from(service.not_after_s).is_ok_and(|end| end < now.as_second()) {
        return Err(ClaimRefusal::SealExpired);
    }
    context.scopes.within(&service.scopes).map_err(|_| ClaimRefusal::Scope)?;
    check_proof(&reply.service_jwt, context, &service, now)?;
    let t0 = context.t0(&reply.e, sid).map_err(|_| ClaimRefusal::Form)?;
    Ok(Claim {
        sid: *sid,
        t0,
        s,
        service,
        e: reply.e,
        proved: reply.service_jwt.proved,
        browser: reply.browser,
        assertion: reply.assertion,
        purpose: reply.purpose,
        context: reply.context,
    })
}

/// The ServiceSeal of bytes whose signer leads to a pinned authority.
fn verified_seal(bytes: &[u8], pinned: &Pinned<'_>, now: Timestamp) -> Result<ServiceSeal, ClaimRefusal> {
    let refused = ClaimRefusal::Seal;
    let seal = Vds::parse(bytes).map_err(|_| refused)?;
    let rules = Rules { now, stale_ok_d: 0 };
    let certificate =
        trust::judge(seal.signer(), seal.signed_on(), pinned.signers, pinned.authorities, &rules)
            .map_err(|_| refused)?;
    let seal = seal.verify(certificate.key()).map_err(|_| refused)?;
    match OwnSeal::read(&seal) {
        Ok(OwnSeal::Service(service)) => Ok(service),
        _ => Err(refused),
    }
}

fn check_proof(
    proof: &ServiceJwt,
    context: &Context,
    service: &ServiceSeal,
    now: Timestamp,
) -> Result<(), ClaimRefusal> {
    if proof.proved == Proved::Nothing {
        let nothing = proof.jwt.is_empty() && proof.jwk.is_none();
        return if nothing { Ok(()) } else { Err(ClaimRefusal::ProofForm) };
    }
    let limits = Limits { bytes_max: SERVICE_JWT_BYTES_MAX, depth_max: 8 };
    let jws = Jws::parse(&proof.jwt, &limits).map_err(|_| ClaimRefusal::ProofForm)?;
    let jwk = proof.jwk.as_ref().ok_or(ClaimRefusal::ProofKey)?;
    if !service.thumbprints.contains(&jwk.thumbprint()) || jws.verify_jwk(jwk).is_err() {
        return Err(ClaimRefusal::ProofKey);
    }
    let claims = object(jws.payload(), SERVICE_JWT_BYTES_MAX).map_err(|_| ClaimRefusal::ProofForm)?;
    let says = |name: &str| claims.get(name).and_then(Value::as_str);
    if says("iss") != Some(&context.client_id) {
        return Err(ClaimRefusal::ProofIssuer);
    }
    if !claims.get("aud").is_some_and(|audience| is_for(audience, &context.issuer)) {
        return Err(ClaimRefusal::ProofAudience);
    }
    if !is_recent(&claims, now) {
        return Err(ClaimRefusal::ProofTime);
    }
    let fits = match proof.proved {
        Proved::RequestObject => asks_the_same(&claims, context, service),
        _ => says("sub") == Some(&context.client_id),
    };
    if fits { Ok(()) } else { Err(ClaimRefusal::ProofRequest) }
}

/// The issuer, or one of its two doors that old clients name instead.
fn is_for(audience: &Value, issuer: &str) -> bool {
    let ours = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.strip_prefix(issuer))
            .is_some_and(|rest| matches!(rest, "" | "/par" | "/token" | "/backchannel-authentication"))
    };
    match audience {
        Value::Array(several) => several.iter().any(ours),
        one => ours(one),
    }
}

/// By `iat`; a JWT without one must have ended no longer ago.
fn is_recent(claims: &Map<String, Value>, now: Timestamp) -> bool {
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    let oldest =
        now.saturating_sub(SignedDuration::from_secs(SERVICE_JWT_AGE_S)).map_or(0, Timestamp::as_second);
    match (seconds("iat"), seconds("exp")) {
        (Some(issued_at), _) => (oldest..=now.as_second().saturating_add(AHEAD_S)).contains(&issued_at),
        (None, Some(ends_at)) => ends_at >= oldest,
        (None, None) => false,
    }
}

/// Whether a request object asks for what the context says: nonce, origin, scopes.
fn asks_the_same(claims: &Map<String, Value>, context: &Context, service: &ServiceSeal) -> bool {
    let says = |name: &str| claims.get(name).and_then(Value::as_str);
    let nonce = hash::sha256(says("nonce").unwrap_or_default().as_bytes());
    let asked = Scopes::expand(says("scope").unwrap_or_default());
    let asked = asked.map(|scopes| scopes.union(&Scopes::of_claims(claim_names(claims))));
    let place = match (context.mode, says("redirect_uri")) {
        (Mode::Web, Some(redirect_uri)) => {
            origin_of(redirect_uri) == Some(&context.rp_origin)
                || (is_native(redirect_uri) && service.origins.first() == Some(&context.rp_origin))
        }
        (Mode::Web, None) => false,
        (Mode::Ciba, _) => true,
    };
    hash::equal(&nonce, &context.nonce) && asked.is_ok_and(|asked| context.scopes.is_subset(&asked)) && place
}

/// The names that a `claims` parameter asks for, in either place.
fn claim_names(claims: &Map<String, Value>) -> Vec<&str> {
    let asked = claims.get("claims");
    let place = |name| asked.and_then(|it| it.get(name)).and_then(Value::as_object);
    ["id_token", "userinfo"]
        .into_iter()
        .filter_map(place)
        .flat_map(|it| it.keys().map(String::as_str))
        .collect()
}

/// `https://host:port` of an address.
fn origin_of(address: &str) -> Option<&str> {
    let authority_at = address.find("://")? + 3;
    let length = address[authority_at..].find(['/', '?', '#']).unwrap_or(address.len() - authority_at);
    let origin = &address[..authority_at + length];
    (length > 0 && !origin.contains(['@', '\\', ' '])).then_some(origin)
}

/// An address on the person's own machine (RFC 8252), which no origin can name.
fn is_native(address: &str) -> bool {
    let Some(origin) = origin_of(address) else {
        return !address.starts_with("http") && address.contains(':');
    };
    let Some(host) = origin.strip_prefix("http://") else { return !origin.starts_with("https://") };
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}
