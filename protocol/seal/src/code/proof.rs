//! Seal-Proof: what every request of a wallet carries, an ES256 JWS by its DeviceKey.

use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use crypto::{base64, hash};
use jiff::Timestamp;
use serde_json::json;

use crate::Unverified;
use crate::wire::{Members, object};

/// The `typ` of the header.
pub const TYP: &str = "seal-proof+jwt";
/// Seconds after `iat` that a proof holds.
pub const LIFE_S: i64 = 60;
/// Seconds that the wallet's clock may be ahead.
pub const AHEAD_S: i64 = 10;
/// Most bytes of a proof: a key, an address and two hashes.
pub const PROOF_BYTES_MAX: usize = 4 * 1024;
/// Longest `jti` and `kid`, in bytes; ours have 22 and 30.
const ID_BYTES_MAX: usize = 128;
/// Longest `htu`, in bytes; as addresses elsewhere in the house.
const ADDRESS_BYTES_MAX: usize = 2048;

/// Why a proof does not hold: 401, and nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofFault {
    /// Not a proof in form.
    #[error("proof-malformed")]
    Form,
    /// The header names neither one enrolment nor one P-256 key.
    #[error("proof-key")]
    Key,
    /// The signature is not that key's.
    #[error("proof-signature")]
    Signature,
    /// Made for another method or address.
    #[error("proof-target")]
    Target,
    /// Made for another body.
    #[error("proof-body")]
    Body,
    /// Too old or in the future.
    #[error("proof-time")]
    Time,
}

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The whole address without its query, as the wallet sees it.
    pub url: &'a str,
    /// The body, empty without one.
    pub body: &'a [u8],
}

/// A proof that holds. Its `jti` is spent in the unit of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealProof {
    /// Once per enrolment.
    pub jti: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// The key that made it.
    pub device_key: PublicKey,
}

/// A proof before any key was asked.
#[derive(Debug, Clone)]
pub struct Unchecked {
    jws: Jws,
    htm: String,
    htu: String,
    issued_at_s: i64,
    jti: String,
    bh: [u8; 32],
}

impl SealProof {
    /// Reads the header `Seal-Proof`.
    ///
    /// # Errors
    /// [`ProofFault::Form`] and [`ProofFault::Key`].
    pub fn parse(compact: &str) -> Result<Unverified<Unchecked>, ProofFault> {
        let limits = Limits { bytes_max: PROOF_BYTES_MAX, depth_max: 4 };
        let jws = Jws::parse(compact, &limits).map_err(|_| ProofFault::Form)?;
        if jws.typ() != Some(TYP) || jws.alg() != SignAlg::Es256 {
            return Err(ProofFault::Form);
        }
        if jws.kid().is_some() == jws.header().contains_key("jwk") {
            return Err(ProofFault::Key);
        }
        let claims = object(jws.payload(), PROOF_BYTES_MAX).map_err(|_| ProofFault::Form)?;
        let mut claims = Members::new(claims);
        let mut text = |name, max| claims.text(name, max).map_err(|_| ProofFault::Form);
        let (htm, htu, jti) = (text("htm", 16)?, text("htu", ADDRESS_BYTES_MAX)?, text("jti", ID_BYTES_MAX)?);
        let bh = claims.array("bh").map_err(|_| ProofFault::Form)?;
        let issued_at_s = claims.seconds("iat").map_err(|_| ProofFault::Form)?;
        if jti.is_empty() {
            return Err(ProofFault::Form);
        }
        Ok(Unverified::new(Unchecked { jws, htm, htu, issued_at_s, jti, bh }))
    }
}

impl Unverified<Unchecked> {
    /// The enrolment that the header names, unproved: only for loading its DeviceKey.
    pub fn kid(&self) -> Option<&str> {
        self.inner().jws.kid().filter(|kid| kid.len() <= ID_BYTES_MAX)
    }

    /// The id that must be spent once.
    pub fn jti(&self) -> &str {
        &self.inner().jti
    }

    /// Checks a proof by a DeviceKey that is known.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn verify(
        self,
        device_key: &PublicKey,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<SealProof, ProofFault> {
        if self.inner().jws.kid().is_none() {
            return Err(ProofFault::Key);
        }
        self.into_inner().check(device_key, request, now)
    }

    /// Checks a proof by the key in its own header: at enrolment alone, where the key is learnt.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn verify_embedded(self, request: &Request<'_>, now: Timestamp) -> Result<SealProof, ProofFault> {
        let jwk = self.inner().jws.jwk().map_err(|_| ProofFault::Key)?;
        if jwk.key().alg() != KeyAlg::P256 || !jwk.may_verify(SignAlg::Es256) {
            return Err(ProofFault::Key);
        }
        self.into_inner().check(jwk.key(), request, now)
    }
}

impl Unchecked {
    fn check(self, key: &PublicKey, request: &Request<'_>, now: Timestamp) -> Result<SealProof, ProofFault> {
        self.jws.verify(key).map_err(|_| ProofFault::Signature)?;
        if self.htm != request.method || self.htu != request.url {
            return Err(ProofFault::Target);
        }
        if !hash::equal(&self.bh, &hash::sha256(request.body)) {
            return Err(ProofFault::Body);
        }
        let age_s = now.as_second().saturating_sub(self.issued_at_s);
        if !(-AHEAD_S..=LIFE_S).contains(&age_s) {
            return Err(ProofFault::Time);
        }
        let issued_at = Timestamp::from_second(self.issued_at_s).map_err(|_| ProofFault::Time)?;
        Ok(SealProof { jti: self.jti, issued_at, device_key: key.clone() })
    }
}

/// Whose key signs a proof.
#[derive(Debug, Clone, Copy)]
pub enum ProofKey<'a> {
    /// The id of an enrolment.
    Enrolment(&'a str),
    /// The DeviceKey itself, at enrolment.
    Embedded(&'a PublicKey),
}

/// The wallet's side: a proof to be signed by the DeviceKey with ES256.
pub fn draft(key: ProofKey<'_>, request: &Request<'_>, jti: &str, now: Timestamp) -> Draft {
    let claims = json!({
        "htm": request.method, "htu": request.url, "iat": now.as_second(), "jti": jti,
        "bh": base64::url_encode(&hash::sha256(request.body)),
    });
    let draft = Draft::new(TYP, claims.to_string()).with_alg(SignAlg::Es256);
    match key {
        ProofKey::Enrolment(id) => draft.with("kid", id),
        ProofKey::Embedded(key) => draft.with("jwk", Jwk::from_key(key).to_value()),
    }
}
