//! A passkey is used (WebAuthn Level 3, 7.2).

use super::attestation::verifies;
use super::authenticator_data::AuthenticatorData;
use super::client_data::ClientData;
use super::{
    CREDENTIAL_ID_BYTES_MAX, Expected, Flags, Passkey, SIGNATURE_BYTES_MAX, Unverified, WebauthnFault,
};
use crate::hash;

/// What a browser sent after `navigator.credentials.get`.
#[derive(Debug, Clone)]
pub struct Assertion {
    credential_id: Vec<u8>,
    client_data: ClientData,
    data: AuthenticatorData,
    signature: Vec<u8>,
    user_handle: Vec<u8>,
}

/// The members of the browser's message, decoded from base64url.
#[derive(Debug, Clone, Copy)]
pub struct AssertionParts<'a> {
    /// `id`.
    pub id: &'a [u8],
    /// `clientDataJSON`.
    pub client_data_json: &'a [u8],
    /// `authenticatorData`.
    pub authenticator_data: &'a [u8],
    /// `signature`.
    pub signature: &'a [u8],
    /// `userHandle`; empty without one.
    pub user_handle: &'a [u8],
}

/// An assertion that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asserted {
    /// To be kept with the passkey.
    pub counter: u32,
    /// BE and BS now; BS is kept with the passkey.
    pub flags: Flags,
}

impl Assertion {
    /// Reads the browser's message.
    ///
    /// # Errors
    /// [`WebauthnFault::Form`].
    pub fn parse(parts: &AssertionParts<'_>) -> Result<Unverified<Assertion>, WebauthnFault> {
        let ids = 1..=CREDENTIAL_ID_BYTES_MAX;
        // 64 bytes are the most that a user handle may have (5.4.3).
        if !ids.contains(&parts.id.len())
            || parts.signature.len() > SIGNATURE_BYTES_MAX
            || parts.user_handle.len() > 64
        {
            return Err(WebauthnFault::Form);
        }
        Ok(Unverified(Assertion {
            credential_id: parts.id.to_vec(),
            client_data: ClientData::parse(parts.client_data_json)?,
            data: AuthenticatorData::parse(parts.authenticator_data)?,
            signature: parts.signature.to_vec(),
            user_handle: parts.user_handle.to_vec(),
        }))
    }
}

impl Unverified<Assertion> {
    /// Which credential says to have answered: only for finding the passkey.
    pub fn credential_id(&self) -> &[u8] {
        &self.0.credential_id
    }

    /// What was answered, unproved.
    pub fn challenge(&self) -> &[u8] {
        self.0.client_data.challenge()
    }

    /// Checks it against the passkey of that credential. `user_handle` is what the passkey was made for.
    ///
    /// # Errors
    /// [`WebauthnFault`], the first in the order of the standard.
    pub fn verify(
        self,
        expected: &Expected<'_>,
        passkey: &Passkey,
        user_handle: &[u8],
    ) -> Result<Asserted, WebauthnFault> {
        let Unverified(assertion) = self;
        if assertion.credential_id != passkey.credential_id
            || (!assertion.user_handle.is_empty() && !hash::equal(&assertion.user_handle, user_handle))
        {
            return Err(WebauthnFault::Credential);
        }
        assertion.client_data.check("webauthn.get", expected)?;
        let flags = assertion.data.check(expected)?;
        if flags.backup_eligible != passkey.flags.backup_eligible {
            return Err(WebauthnFault::Backup);
        }
        let signed = [&assertion.data.bytes[..], &assertion.client_data.hash].concat();
        if !verifies(passkey.alg, &passkey.key, &signed, &assertion.signature) {
            return Err(WebauthnFault::Signature);
        }
        let (new, old) = (assertion.data.counter, passkey.counter);
        if (new != 0 || old != 0) && new <= old {
            return Err(WebauthnFault::Counter);
        }
        Ok(Asserted { counter: new, flags })
    }
}
