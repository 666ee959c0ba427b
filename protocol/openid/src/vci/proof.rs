//! Key proofs of type `jwt` (OpenID4VCI 1.0, F.1 and F.4): drafted by the wallet, judged by the issuer.

use super::check::{Check, IssueRefusal};
use super::nonce::{NonceKey, SpentNonce};
use crate::wire;
use crypto::jose::jws::{Draft, Jws, JwsError};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// `typ` of a proof.
pub const PROOF_TYP: &str = "openid4vci-proof+jwt";

/// Most bytes of one proof.
pub const PROOF_BYTES_MAX: usize = 16 * 1024;

/// Oldest proof that is taken, in seconds: as old as a nonce may be.
pub const PROOF_AGE_S_MAX: i64 = 300;

/// Furthest a proof may lie ahead of our clock, in seconds.
pub const PROOF_AHEAD_S_MAX: i64 = 60;

/// What this issuer asks of every proof.
#[derive(Debug)]
pub struct ProofRules {
    /// Issuer identifier: the audience, byte by byte.
    pub issuer: String,
    /// `proof_signing_alg_values_supported` of the metadata.
    pub algs: Vec<SignAlg>,
    /// Most proofs of one request: the metadata's `batch_size`, 1 where it names none.
    pub batch_size: usize,
    /// What recognises our nonces.
    pub nonces: NonceKey,
}

/// A proof that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    /// The holder's key, which the credential is to be bound to.
    pub key: Jwk,
    /// The nonce it came with, still to be spent.
    pub nonce: SpentNonce,
}

/// The proof a wallet signs with `key`'s private part; the signer adds `alg`.
#[must_use]
pub fn draft(key: &Jwk, issuer: &str, nonce: Option<&str>, client_id: Option<&str>, now: Timestamp) -> Draft {
    let mut claims = Map::new();
    if let Some(client_id) = client_id {
        claims.insert("iss".to_owned(), json!(client_id));
    }
    claims.insert("aud".to_owned(), json!(issuer));
    claims.insert("iat".to_owned(), json!(now.as_second()));
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    Draft::new(PROOF_TYP, Value::Object(claims).to_string()).with("jwk", key.to_value())
}

impl ProofRules {
    /// Judges all proofs of a request: each by itself, then that they carry one nonce and different keys. The keys come back
    /// in the order of the proofs.
    ///
    /// # Errors
    /// [`IssueRefusal`] with the first check that failed and the proof that failed it.
    pub fn verify_all(
        &self,
        proofs: &[String],
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<VerifiedProof>, IssueRefusal> {
        if proofs.is_empty() {
            return Err(Check::ProofsThere.into());
        }
        if proofs.len() > self.batch_size {
            return Err(Check::ProofCount.into());
        }
        let mut verified: Vec<VerifiedProof> = Vec::with_capacity(proofs.len());
        for (index, proof) in proofs.iter().enumerate() {
            let blame = |check| IssueRefusal { check, proof: Some(index) };
            let one = self.verify(proof, client_id, now).map_err(blame)?;
            if verified.first().is_some_and(|first| first.nonce != one.nonce) {
                return Err(blame(Check::OneNonce));
            }
            if verified.iter().any(|other| other.key.thumbprint() == one.key.thumbprint()) {
                return Err(blame(Check::KeysDistinct));
            }
            verified.push(one);
        }
        Ok(verified)
    }

    /// One proof, cheap checks first, the signature last.
    fn verify(&self, proof: &str, client_id: Option<&str>, now: Timestamp) -> Result<VerifiedProof, Check> {
        let limits = Limits { bytes_max: PROOF_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(proof, &limits).map_err(|fault| match fault {
            JwsError::UnsupportedAlg => Check::ProofAlg,
            _ => Check::ProofParses,
        })?;
        let key = self.header(&jws)?;
        let Ok(Value::Object(claims)) = wire::json(jws.payload(), PROOF_BYTES_MAX) else {
            return Err(Check::ProofParses);
        };
        let nonce = self.claims(&claims, client_id, now)?;
        jws.verify(key.key()).map_err(|_| Check::ProofSignature)?;
        Ok(VerifiedProof { key, nonce })
    }

    fn header(&self, jws: &Jws) -> Result<Jwk, Check> {
        let header = jws.header();
        if jws.typ() != Some(PROOF_TYP) {
            return Err(Check::ProofTyp);
        }
        if !self.algs.contains(&jws.alg()) {
            return Err(Check::ProofAlg);
        }
        if ["key_attestation", "trust_chain"].iter().any(|name| header.contains_key(*name)) {
            return Err(Check::ProofNoAttestation);
        }
        let named = header.get("jwk").ok_or(Check::ProofKeyNamed)?;
        if ["kid", "x5c", "x5u", "jku"].iter().any(|name| header.contains_key(*name)) {
            return Err(Check::ProofKeyNamed);
        }
        let key = Jwk::from_value(named).map_err(|_| Check::ProofKeyPublic)?;
        if jws.alg().fits(key.key().alg()) { Ok(key) } else { Err(Check::ProofAlg) }
    }

    fn claims(
        &self,
        claims: &Map<String, Value>,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<SpentNonce, Check> {
        if claims.get("aud").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(Check::ProofAudience);
        }
        let iat = wire::numeric_date(claims.get("iat")).ok_or(Check::ProofTime)?;
        let age_s = now.as_second().saturating_sub(iat);
        if !(-PROOF_AHEAD_S_MAX..=PROOF_AGE_S_MAX).contains(&age_s) {
            return Err(Check::ProofTime);
        }
        match (claims.get("iss"), client_id) {
            (None, _) => {}
            (Some(Value::String(issuer)), Some(client)) if issuer == client => {}
            // An anonymous wallet's token belongs to no client that `iss` could be compared with.
            (Some(Value::String(_)), None) => {}
            (Some(_), _) => return Err(Check::ProofClient),
        }
        let nonce = claims.get("nonce").ok_or(Check::ProofHasNonce)?;
        let nonce = nonce.as_str().ok_or(Check::NonceGenuine)?;
        self.nonces.verify(nonce, now).map_err(|_| Check::NonceGenuine)
    }
}
