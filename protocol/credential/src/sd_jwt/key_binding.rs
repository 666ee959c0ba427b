//! The key binding JWT: the holder of this credential shows it to this verifier, now (RFC 9901, 4.3).

use crypto::base64;
use crypto::jose::jws::{self, Jws, JwsError};
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claims::{ClaimFault, DateFault, Dates};
use super::read::limits;
use super::{KEY_BINDING_TYP, read};
use crate::dcql::ITEMS_MAX;

const TRANSACTION_HASHES: &str = "transaction_data_hashes";
const TRANSACTION_HASHES_ALG: &str = "transaction_data_hashes_alg";

/// Why a text is no key binding.
#[derive(Debug, thiserror::Error)]
pub enum KeyBindingError {
    /// Not a JWS, or of an algorithm that is no signature.
    #[error("the key binding: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not a strict JSON object.
    #[error("the key binding's payload is not a strict JSON object")]
    Payload,
}

/// A parsed key binding; each of its statements is checked on its own, so that a report names all that are wrong.
pub struct KeyBinding {
    jws: Jws,
    claims: Map<String, Value>,
}

impl KeyBinding {
    /// What the holder signs. `transactions` are the digests of what is authorised with it (OpenID4VP 1.0, B.3.3).
    pub(super) fn draft(
        audience: &str,
        nonce: &str,
        now: Timestamp,
        sd_hash: &[u8; 32],
        transactions: &[[u8; 32]],
    ) -> jws::Draft {
        let mut payload = json!({
            "iat": now.as_second(),
            "aud": audience,
            "nonce": nonce,
            "sd_hash": base64::url_encode(sd_hash),
        });
        if !transactions.is_empty() {
            let hashes = transactions.iter().map(|hash| Value::from(base64::url_encode(hash)));
            payload[TRANSACTION_HASHES] = hashes.collect();
            payload[TRANSACTION_HASHES_ALG] = super::SD_ALG.into();
        }
        jws::Draft::new(KEY_BINDING_TYP, payload.to_string())
    }

    /// Reads one; nothing is verified.
    ///
    /// # Errors
    /// See [`KeyBindingError`].
    pub fn parse(text: &str) -> Result<Self, KeyBindingError> {
        let jws = Jws::parse(text, &limits())?;
        let claims = read::read_payload(&jws).ok_or(KeyBindingError::Payload)?;
        Ok(Self { jws, claims })
    }

    pub(crate) fn has_typ(&self) -> bool {
        self.jws.typ() == Some(KEY_BINDING_TYP)
    }

    pub(crate) fn alg(&self) -> SignAlg {
        self.jws.alg()
    }

    /// Whether `holder` signed it, with an `alg` that fits that key and what it states of itself.
    pub(crate) fn is_signed_by(&self, holder: &Jwk) -> bool {
        self.jws.verify_jwk(holder).is_ok()
    }

    /// A claim that must be text: `aud`, `nonce`, `sd_hash`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// The digests of transaction data that it binds: none without the member, a fault unless it is a list of distinct
    /// SHA-256 digests (OpenID4VP 1.0, B.3.3).
    pub(crate) fn transactions(&self) -> Result<Option<Vec<[u8; 32]>>, ClaimFault> {
        let alg = self.claims.get(TRANSACTION_HASHES_ALG);
        if alg.is_some_and(|alg| alg != super::SD_ALG) {
            return Err(ClaimFault::Transactions);
        }
        let Some(listed) = self.claims.get(TRANSACTION_HASHES) else { return Ok(None) };
        let listed = listed
            .as_array()
            .filter(|it| (1..=ITEMS_MAX).contains(&it.len()))
            .ok_or(ClaimFault::Transactions)?;
        let mut hashes: Vec<[u8; 32]> = Vec::with_capacity(listed.len());
        for one in listed {
            let bytes = one
                .as_str()
                .and_then(|text| base64::url_decode(text).ok())
                .ok_or(ClaimFault::Transactions)?;
            let hash = bytes.try_into().map_err(|_| ClaimFault::Transactions)?;
            if hashes.contains(&hash) {
                return Err(ClaimFault::Transactions);
            }
            hashes.push(hash);
        }
        Ok(Some(hashes))
    }

    pub(crate) fn dates(&self) -> Result<Dates, DateFault> {
        Dates::read(&self.claims)
    }
}

impl std::fmt::Debug for KeyBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBinding(…)")
    }
}
