//! What the nonce and credential doors answer (OpenID4VCI 1.0, 7.2 and 8.3).

use crate::wire::{self, WireError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of a credential answer that a wallet reads: a batch with portraits.
pub const CREDENTIAL_RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of a nonce answer that a wallet reads.
pub const NONCE_RESPONSE_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of a nonce that a wallet puts into a proof.
pub const PEER_NONCE_BYTES_MAX: usize = 1024;

/// The answer of the nonce door.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceResponse {
    /// A nonce for the proofs of one request.
    pub c_nonce: String,
}

/// The answer of the credential door when credentials are issued at once. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialResponse {
    /// One element per copy.
    pub credentials: Vec<IssuedCredential>,
    /// What the wallet's notification would name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<String>,
}

/// One copy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCredential {
    /// The credential; of `dc+sd-jwt` the compact text.
    pub credential: String,
}

impl NonceResponse {
    /// Reads a nonce answer, as a wallet gets it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<NonceResponse, WireError> {
        let answer: NonceResponse = wire::read(bytes, NONCE_RESPONSE_BYTES_MAX)?;
        if answer.c_nonce.is_empty() || answer.c_nonce.len() > PEER_NONCE_BYTES_MAX {
            return Err(WireError::Shape { at: "c_nonce".to_owned() });
        }
        Ok(answer)
    }
}

impl CredentialResponse {
    /// The answer for these copies.
    #[must_use]
    pub fn of(credentials: Vec<String>) -> CredentialResponse {
        let credentials = credentials.into_iter().map(|credential| IssuedCredential { credential }).collect();
        CredentialResponse { credentials, notification_id: None }
    }

    /// The same with the id that a notification about these copies names (OpenID4VCI 1.0, 8.3).
    #[must_use]
    pub fn notified_by(self, notification_id: String) -> CredentialResponse {
        CredentialResponse { notification_id: Some(notification_id), ..self }
    }

    /// Reads a credential answer, as a wallet gets it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<CredentialResponse, WireError> {
        wire::read(bytes, CREDENTIAL_RESPONSE_BYTES_MAX)
    }
}

impl fmt::Debug for NonceResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceResponse").finish_non_exhaustive()
    }
}

impl fmt::Debug for CredentialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialResponse").field("copies", &self.credentials.len()).finish_non_exhaustive()
    }
}
