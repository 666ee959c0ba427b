//! Reading a credential: strict, bounded, and unverified until the issuer's key has vouched for it.

use crypto::jose::jws::{Jws, JwsError};
use crypto::jwk::Jwk;
use crypto::key::PublicKey;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{CONTEXT, CREDENTIAL_TYPE, TYP, TYPES_MAX};
use crate::Unverified;
use crate::sd_jwt::{self, CLOCK_SKEW_S, ClaimFault, DateFault, Dates};
use crate::status::StatusReference;

/// Why a text is no `vc+jwt`, before any key is asked.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Malformed, too large, or of an algorithm that is no signature.
    #[error("the JWT: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not a strict JSON object.
    #[error("the payload is not a strict JSON object")]
    Payload,
}

/// Why a credential is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// `typ` is not `vc+jwt`.
    #[error("typ is not {TYP}")]
    Typ,
    /// `alg` does not fit the key.
    #[error("alg does not fit the signer's key")]
    Alg,
    /// The signature is not by that key.
    #[error("the issuer's signature does not verify")]
    Signature,
    /// This member is missing, malformed, or must not be there.
    #[error("{0} is missing, malformed or must not be there")]
    Form(&'static str),
    /// Out of its dates.
    #[error(transparent)]
    Dates(#[from] DateFault),
}

/// A credential. Its claims are personal data: `Debug` shows the types only.
pub struct VcJwt {
    text: String,
    jws: Jws,
    credential: Map<String, Value>,
}

impl VcJwt {
    /// Reads a compact JWT.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(text: &str) -> Result<Unverified<VcJwt>, ParseError> {
        let jws = Jws::parse(text, &sd_jwt::limits())?;
        let credential = sd_jwt::read_payload(&jws).ok_or(ParseError::Payload)?;
        Ok(Unverified::new(VcJwt { text: text.to_owned(), jws, credential }))
    }

    /// The text as received.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole credential: paths of a query start at its root (OpenID4VP 1.0, B.1.2).
    pub fn credential(&self) -> &Map<String, Value> {
        &self.credential
    }

    /// Its types, `VerifiableCredential` among them.
    pub fn types(&self) -> Vec<&str> {
        types(&self.credential).unwrap_or_default()
    }

    /// `issuer`, or its `id`.
    pub fn issuer(&self) -> Option<&str> {
        issuer(&self.credential)
    }

    /// `cnf.jwk`.
    ///
    /// # Errors
    /// [`ClaimFault::Cnf`].
    pub fn holder_key(&self) -> Result<Option<Jwk>, ClaimFault> {
        sd_jwt::holder_key(&self.credential)
    }

    /// `status.status_list`.
    ///
    /// # Errors
    /// [`ClaimFault::Status`].
    pub fn status(&self) -> Result<Option<StatusReference>, ClaimFault> {
        StatusReference::of(&self.credential)
    }

    /// `validUntil`.
    pub fn valid_until(&self) -> Option<Timestamp> {
        date(&self.credential, "validUntil").ok().flatten()
    }

    fn check_form(&self) -> Result<(), Rejection> {
        let credential = &self.credential;
        // VC-JOSE-COSE, 3.1.1: what older revisions wrapped the credential in.
        if let Some(name) = ["vc", "vp"].into_iter().find(|name| credential.contains_key(*name)) {
            return Err(Rejection::Form(name));
        }
        let context = credential.get("@context").and_then(Value::as_array);
        if context.and_then(|context| context.first()).and_then(Value::as_str) != Some(CONTEXT) {
            return Err(Rejection::Form("@context"));
        }
        if !types(credential).is_some_and(|types| types.contains(&CREDENTIAL_TYPE)) {
            return Err(Rejection::Form("type"));
        }
        issuer(credential).ok_or(Rejection::Form("issuer"))?;
        let subject = credential.get("credentialSubject").and_then(Value::as_object);
        subject.filter(|subject| !subject.is_empty()).ok_or(Rejection::Form("credentialSubject"))?;
        Ok(())
    }

    /// Its own dates and those of the JWT around it: all that are there must hold.
    fn check_dates(&self, now: Timestamp) -> Result<(), DateFault> {
        let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
        if date(&self.credential, "validFrom")?.is_some_and(|from| from.duration_since(now) > skew) {
            return Err(DateFault::NotYetValid);
        }
        if date(&self.credential, "validUntil")?.is_some_and(|until| now.duration_since(until) >= skew) {
            return Err(DateFault::Expired);
        }
        Dates::read(&self.credential)?.check(now)
    }
}

impl std::fmt::Debug for VcJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VcJwt({:?})", self.types())
    }
}

impl Unverified<VcJwt> {
    /// The certificates that claim to vouch for it, DER, signer first.
    ///
    /// # Errors
    /// [`JwsError`].
    pub fn x5c(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        self.inner().jws.x5c()
    }

    /// The credential, if `key` signed it, its form is sound and `now` lies in its dates. Who owns `key` is [`crate::trust`]'s
    /// question.
    ///
    /// # Errors
    /// The first rule it breaks: see [`Rejection`].
    pub fn verify(self, key: &PublicKey, now: Timestamp) -> Result<VcJwt, Rejection> {
        let read = self.into_inner();
        if read.jws.typ() != Some(TYP) {
            return Err(Rejection::Typ);
        }
        if !read.jws.alg().fits(key.alg()) {
            return Err(Rejection::Alg);
        }
        read.jws.verify(key).map_err(|_| Rejection::Signature)?;
        read.check_form()?;
        read.check_dates(now)?;
        Ok(read)
    }
}

/// One text or an array of them.
fn types(credential: &Map<String, Value>) -> Option<Vec<&str>> {
    let value = credential.get("type")?;
    let listed = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if listed.len() > TYPES_MAX {
        return None;
    }
    listed.iter().map(Value::as_str).collect()
}

fn issuer(credential: &Map<String, Value>) -> Option<&str> {
    let issuer = credential.get("issuer")?;
    issuer.as_str().or_else(|| issuer.get("id")?.as_str()).filter(|id| !id.is_empty())
}

/// `dateTimeStamp` (VCDM 2.0, 4.9): a time with its offset.
fn date(credential: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, DateFault> {
    let Some(value) = credential.get(name) else { return Ok(None) };
    value.as_str().and_then(|text| text.parse().ok()).map(Some).ok_or(DateFault::Malformed)
}
