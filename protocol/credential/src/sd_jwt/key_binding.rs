//! The key binding JWT: the holder of this credential shows it to this verifier, now (RFC 9901, 4.3).

use crypto::base64;
use crypto::jose::jws::{self, Jws, JwsError};
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claims::{DateFault, Dates};
use super::read::limits;
use super::{KEY_BINDING_TYP, read};

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
    /// What the holder signs.
    pub(super) fn draft(audience: &str, nonce: &str, now: Timestamp, sd_hash: &[u8; 32]) -> jws::Draft {
        let payload = json!({
            "iat": now.as_second(),
            "aud": audience,
            "nonce": nonce,
            "sd_hash": base64::url_encode(sd_hash),
        });
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

    pub(crate) fn dates(&self) -> Result<Dates, DateFault> {
        Dates::read(&self.claims)
    }
}

impl std::fmt::Debug for KeyBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBinding(…)")
    }
}
