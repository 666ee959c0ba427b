//! Reading a credential: strict, bounded, and unverified until the issuer's key has vouched for it.

use crypto::jose::jws::{Jws, JwsError};
use crypto::json::{self, Limits};
use crypto::jwk::Jwk;
use crypto::key::{PublicKey, SignAlg};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::claims::{self, ClaimFault, DateFault, Dates};
use super::unfold::Unfolded;
use super::{DEPTH_MAX, DisclosureFault, Parts, SD_JWT_BYTES_MAX, ShapeError, TYP, unfold};
use crate::Unverified;
use crate::claims_path::Step;
use crate::status::StatusReference;

/// Why a text is no SD-JWT VC, before any key is asked.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not `jwt~…~`.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The issuer-signed JWT is malformed or of an algorithm that is no signature.
    #[error("the issuer-signed JWT: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not a strict JSON object.
    #[error("the payload is not a strict JSON object")]
    Payload,
    /// The disclosures do not belong to the payload.
    #[error(transparent)]
    Disclosures(#[from] DisclosureFault),
}

/// Why a credential is not accepted by its holder or a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// `typ` is not `dc+sd-jwt`.
    #[error("typ is not {TYP}")]
    Typ,
    /// `alg` does not fit the key.
    #[error("alg does not fit the signer's key")]
    Alg,
    /// The signature is not by that key.
    #[error("the issuer's signature does not verify")]
    Signature,
    /// Out of its dates.
    #[error(transparent)]
    Dates(#[from] DateFault),
    /// A registered claim is malformed.
    #[error(transparent)]
    Claim(#[from] ClaimFault),
}

/// A credential with its disclosures put back. Its claims are personal data: `Debug` shows the type only.
pub struct SdJwt {
    text: String,
    jws: Jws,
    claims: Value,
    disclosures: Vec<Disclosed>,
    bound_bytes: usize,
}

/// One disclosure of a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The text as received.
    pub(crate) encoded: String,
    /// The claim it reveals.
    pub(crate) place: Vec<Step>,
}

impl SdJwt {
    /// Reads `jwt~d1~…~`, with or without a key binding at its end (which [`crate::presentation`] checks).
    ///
    /// # Errors
    /// Everything under "the reader refuses" that needs no key: see [`ParseError`].
    pub fn parse(text: &str) -> Result<Unverified<SdJwt>, ParseError> {
        let parts = Parts::split(text)?;
        let jws = Jws::parse(parts.jwt, &limits())?;
        let payload = read_payload(&jws).ok_or(ParseError::Payload)?;
        let Unfolded { claims, placed } = unfold(payload, &parts.disclosures)?;
        let disclosures = parts
            .disclosures
            .iter()
            .zip(placed)
            .map(|(encoded, placed)| Disclosed { encoded: (*encoded).to_owned(), place: placed.place })
            .collect();
        let bound_bytes = parts.bound.len();
        Ok(Unverified::new(SdJwt {
            text: text.to_owned(),
            jws,
            claims: claims.into(),
            disclosures,
            bound_bytes,
        }))
    }

    /// The text as received.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The issuer-signed JWT.
    pub(crate) fn jwt(&self) -> &str {
        // parse() found the tilde.
        self.text.split('~').next().unwrap_or_default()
    }

    /// Every claim, disclosed and plain, registered ones included; an object.
    pub fn claims(&self) -> &Value {
        &self.claims
    }

    /// The disclosures in the order sent.
    pub fn disclosures(&self) -> &[Disclosed] {
        &self.disclosures
    }

    /// The type.
    pub fn vct(&self) -> Result<&str, ClaimFault> {
        claims::vct(self.members())
    }

    /// Other types it is known by.
    pub fn aka_vcts(&self) -> Result<Vec<&str>, ClaimFault> {
        claims::aka_vcts(self.members())
    }

    /// `iss`, if it is there.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// `cnf.jwk`.
    pub fn holder_key(&self) -> Result<Option<Jwk>, ClaimFault> {
        claims::holder_key(self.members())
    }

    /// `exp`.
    pub fn expires_at(&self) -> Result<Option<Timestamp>, DateFault> {
        claims::date(self.members(), "exp")
    }

    /// `status.status_list`.
    pub fn status(&self) -> Result<Option<StatusReference>, ClaimFault> {
        StatusReference::of(self.members())
    }

    fn members(&self) -> &Map<String, Value> {
        self.claims.as_object().expect("parse() builds an object")
    }
}

impl std::fmt::Debug for SdJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let vct = self.vct().unwrap_or("?");
        write!(f, "SdJwt({vct}, {} disclosures)", self.disclosures.len())
    }
}

impl Disclosed {
    /// The claim it reveals, as steps from the root.
    pub fn place(&self) -> &[Step] {
        &self.place
    }
}

impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosed(depth {})", self.place.len())
    }
}

impl Unverified<SdJwt> {
    /// The certificates that claim to vouch for it, DER, signer first: what [`crate::trust`] judges.
    pub fn x5c(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        self.inner().jws.x5c()
    }

    /// The algorithm its header names.
    pub fn alg(&self) -> SignAlg {
        self.inner().jws.alg()
    }

    /// Whether a key binding hangs at its end: an issuer's answer must have none (RFC 9901, 7.2).
    pub fn has_key_binding(&self) -> bool {
        self.inner().bound_bytes < self.inner().text.len()
    }

    /// The credential, if `key` signed it and `now` lies in its dates. Who owns `key` is [`crate::trust`]'s question.
    ///
    /// # Errors
    /// The first rule it breaks: see [`Rejection`].
    pub fn verify(self, key: &PublicKey, now: Timestamp) -> Result<SdJwt, Rejection> {
        let credential = self.into_inner();
        if credential.jws.typ() != Some(TYP) {
            return Err(Rejection::Typ);
        }
        if !credential.jws.alg().fits(key.alg()) {
            return Err(Rejection::Alg);
        }
        credential.jws.verify(key).map_err(|_| Rejection::Signature)?;
        credential.vct()?;
        Dates::read(credential.members())?.check(now)?;
        Ok(credential)
    }
}

/// The bounds of every JWT in a credential.
pub(crate) fn limits() -> Limits {
    Limits { bytes_max: SD_JWT_BYTES_MAX, depth_max: DEPTH_MAX }
}

/// The payload as a strict JSON object.
pub(crate) fn read_payload(jws: &Jws) -> Option<Map<String, Value>> {
    match json::parse(jws.payload(), &limits()) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}
