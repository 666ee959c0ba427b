//! A presentation: one credential in an envelope, signed by its holder for one verifier.

use crypto::hash;
use crypto::jose::jws::{self, Jws, JwsError};
use crypto::key::PublicKey;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::read::{ParseError, Rejection, VcJwt};
use super::{CONTEXT, ENVELOPE, PRESENTATION_TYP};
use crate::Unverified;
use crate::check::Check;
use crate::sd_jwt::{self, CLOCK_SKEW_S, Dates};

/// What the verifier stored when it asked.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// Our full client identifier, prefix included.
    pub audience: &'a str,
    /// The session's nonce.
    pub nonce: &'a str,
    /// When the request was made.
    pub requested_at: Timestamp,
}

/// Why a presentation is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresentationRejection {
    /// The credential itself.
    #[error(transparent)]
    Credential(#[from] Rejection),
    /// `typ` is not `vp+jwt`.
    #[error("typ is not {PRESENTATION_TYP}")]
    Typ,
    /// The credential names no usable key, or the presentation is not signed by it.
    #[error("the presentation is not signed by the credential's cnf.jwk")]
    Holder,
    /// `aud` is another verifier's.
    #[error("aud is not our client identifier")]
    Audience,
    /// `nonce` is another session's.
    #[error("nonce is not the session's")]
    Nonce,
    /// `iat` lies before the request or after now, or a date is malformed.
    #[error("iat does not lie between the request and now")]
    Time,
}

impl PresentationRejection {
    /// The numbered check that it is a failure of.
    pub const fn check(self) -> Check {
        match self {
            Self::Credential(Rejection::Typ) => Check::Typ,
            Self::Credential(Rejection::Alg) => Check::AlgFitsKey,
            Self::Credential(Rejection::Signature) => Check::Signature,
            Self::Credential(Rejection::Form(_)) => Check::Parses,
            Self::Credential(Rejection::Dates(_)) => Check::Dates,
            Self::Typ => Check::KeyBindingTyp,
            Self::Holder => Check::KeyBindingKey,
            Self::Audience => Check::Audience,
            Self::Nonce => Check::Nonce,
            Self::Time => Check::KeyBindingTime,
        }
    }
}

/// A presentation, parsed.
pub struct VpJwt {
    jws: Jws,
    claims: Map<String, Value>,
    credential: Unverified<VcJwt>,
}

impl VcJwt {
    /// What the holder's key signs to show it to one verifier; the signer adds `alg`.
    pub fn presentation_draft(&self, audience: &str, nonce: &str, now: Timestamp) -> jws::Draft {
        let enveloped = json!({
            "@context": CONTEXT, "type": "EnvelopedVerifiableCredential", "id": format!("{ENVELOPE}{}", self.text()),
        });
        let presentation = json!({
            "@context": [CONTEXT], "type": ["VerifiablePresentation"], "verifiableCredential": [enveloped],
            "aud": audience, "nonce": nonce, "iat": now.as_second(),
        });
        jws::Draft::new(PRESENTATION_TYP, presentation.to_string())
    }
}

impl VpJwt {
    /// Reads a compact JWT with one enveloped `vc+jwt`.
    ///
    /// # Errors
    /// [`ParseError`], of the presentation or its credential.
    pub fn parse(text: &str) -> Result<Unverified<VpJwt>, ParseError> {
        let jws = Jws::parse(text, &sd_jwt::limits())?;
        let claims = sd_jwt::read_payload(&jws).ok_or(ParseError::Payload)?;
        let enveloped = match claims.get("verifiableCredential") {
            Some(Value::Array(listed)) if listed.len() == 1 => listed.first(),
            Some(one @ Value::Object(_)) => Some(one),
            _ => None,
        };
        let is_envelope = |value: &&Value| value.get("type") == Some(&"EnvelopedVerifiableCredential".into());
        let id = enveloped.filter(is_envelope).and_then(|value| value.get("id")).and_then(Value::as_str);
        let credential = id.and_then(|id| id.strip_prefix(ENVELOPE)).ok_or(ParseError::Payload)?;
        let credential = VcJwt::parse(credential)?;
        Ok(Unverified::new(VpJwt { jws, claims, credential }))
    }
}

impl std::fmt::Debug for VpJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VpJwt({:?})", self.credential)
    }
}

impl Unverified<VpJwt> {
    /// The certificates of the credential in it.
    ///
    /// # Errors
    /// [`JwsError`].
    pub fn x5c(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        self.inner().credential.x5c()
    }

    /// The credential, if `issuer` signed it and its holder showed it to us, now.
    ///
    /// # Errors
    /// The first rule it breaks: see [`PresentationRejection`].
    pub fn verify(
        self,
        issuer: &PublicKey,
        session: &Session<'_>,
        now: Timestamp,
    ) -> Result<VcJwt, PresentationRejection> {
        let VpJwt { jws, claims, credential } = self.into_inner();
        let credential = credential.verify(issuer, now)?;
        if jws.typ() != Some(PRESENTATION_TYP) {
            return Err(PresentationRejection::Typ);
        }
        let holder = credential.holder_key().ok().flatten().ok_or(PresentationRejection::Holder)?;
        jws.verify_jwk(&holder).map_err(|_| PresentationRejection::Holder)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("aud") != Some(session.audience) {
            return Err(PresentationRejection::Audience);
        }
        if !text("nonce").is_some_and(|nonce| hash::equal(nonce.as_bytes(), session.nonce.as_bytes())) {
            return Err(PresentationRejection::Nonce);
        }
        let dates = Dates::read(&claims).map_err(|_| PresentationRejection::Time)?;
        let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
        let issued_at = dates.issued_at.ok_or(PresentationRejection::Time)?;
        if session.requested_at.duration_since(issued_at) > skew || dates.check(now).is_err() {
            return Err(PresentationRejection::Time);
        }
        Ok(credential)
    }
}
