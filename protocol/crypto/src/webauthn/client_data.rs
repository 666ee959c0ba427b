//! `clientDataJSON` (WebAuthn Level 3, 5.8.1): what the browser says that it did.

use serde_json::Value;

use super::{CLIENT_DATA_BYTES_MAX, Expected, WebauthnFault};
use crate::json::{self, Limits};
use crate::{base64, hash};

/// The members that are judged, and the hash of the whole as it came.
#[derive(Debug, Clone)]
pub(super) struct ClientData {
    pub(super) hash: [u8; 32],
    kind: String,
    challenge: Vec<u8>,
    origin: String,
    cross_origin: bool,
}

impl ClientData {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WebauthnFault> {
        let limits = Limits { bytes_max: CLIENT_DATA_BYTES_MAX, depth_max: 4 };
        let value = json::parse(bytes, &limits).map_err(|_| WebauthnFault::Form)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).ok_or(WebauthnFault::Form);
        let cross_origin = match value.get("crossOrigin") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(WebauthnFault::Form),
        };
        Ok(Self {
            hash: hash::sha256(bytes),
            kind: text("type")?.to_owned(),
            challenge: base64::url_decode(text("challenge")?).map_err(|_| WebauthnFault::Form)?,
            origin: text("origin")?.to_owned(),
            // A browser names the top origin only where the frame is another's.
            cross_origin: cross_origin || value.get("topOrigin").is_some(),
        })
    }

    /// Unproved: only for finding what the challenge belongs to.
    pub(super) fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    pub(super) fn check(&self, kind: &str, expected: &Expected<'_>) -> Result<(), WebauthnFault> {
        if self.kind != kind {
            return Err(WebauthnFault::Type);
        }
        if expected.challenge.is_empty() || !hash::equal(&self.challenge, expected.challenge) {
            return Err(WebauthnFault::Challenge);
        }
        if self.origin != expected.origin {
            return Err(WebauthnFault::Origin);
        }
        if self.cross_origin {
            return Err(WebauthnFault::CrossOrigin);
        }
        Ok(())
    }
}
