//! WebAuthn Level 3, the relying party's side, as pure functions: passkeys are made and used in browsers, here it is judged what came
//! of it.
//!
//! ```text
//!   Creation::parse ──▶ Unverified<Creation> ── verify(Expected, roots) ──▶ Passkey     (7.1)
//!   Assertion::parse ─▶ Unverified<Assertion> ─ verify(Expected, Passkey) ▶ Asserted    (7.2)
//! ```
//! Stricter than the standard where it leaves a choice: the user is present *and* verified; nothing comes from another origin's
//! frame; a counter that does not grow fails, except where both are 0 always. The challenge comes from outside, because a sign-in
//! binds it to its own transcript.
//!
//! Absent: any extension, any attestation format but `none`, `packed` and `tpm`, any network (no metadata service), any clock but
//! the caller's.

mod assertion;
mod attestation;
mod authenticator_data;
mod client_data;
mod creation;

pub use assertion::{Asserted, Assertion, AssertionParts};
pub use attestation::AttestationVerdict;
pub use authenticator_data::Flags;
pub use creation::{Creation, Passkey};

use crate::cbor::CborLimits;

/// Most bytes of `clientDataJSON`: browsers write some three hundred.
pub const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;
/// Most bytes of an attestation object: a TPM sends three certificates and its structures.
pub const ATTESTATION_OBJECT_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of authenticator data: an identifier of 1,023 bytes, an RSA key, extensions.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 4 * 1024;
/// Most bytes of a credential's identifier (WebAuthn Level 3, 5.1: at most 1,023).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
/// Most bytes of a signature: those of RSA-4096.
pub const SIGNATURE_BYTES_MAX: usize = 512;

const LIMITS: CborLimits = CborLimits { bytes_max: ATTESTATION_OBJECT_BYTES_MAX, depth_max: 6 };

/// What a browser sent, until it is verified.
#[derive(Debug, Clone)]
pub struct Unverified<T>(T);

/// What both ceremonies must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The challenge, once. The caller spends it.
    pub challenge: &'a [u8],
    /// The one origin, as browsers write it.
    pub origin: &'a str,
    /// The relying party's id: the origin's host, or a parent of it.
    pub rp_id: &'a str,
}

impl<'a> Expected<'a> {
    /// Of a relying party whose id is the host of its one origin.
    pub fn at(origin: &'a str, challenge: &'a [u8]) -> Expected<'a> {
        Expected { challenge, origin, rp_id: rp_id_of(origin) }
    }
}

/// The host of an origin as browsers write it: the id of a relying party that has no other.
pub fn rp_id_of(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Why what a browser sent is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WebauthnFault {
    /// A message is too long or does not read.
    #[error("malformed")]
    Form,
    /// The client data is of the other ceremony, or of none.
    #[error("wrong-type")]
    Type,
    /// Another challenge was answered.
    #[error("wrong-challenge")]
    Challenge,
    /// It was made on another origin.
    #[error("wrong-origin")]
    Origin,
    /// It was made inside a frame of another origin.
    #[error("cross-origin")]
    CrossOrigin,
    /// The authenticator answered for another relying party.
    #[error("wrong-rp-id")]
    RpId,
    /// Nobody touched the authenticator.
    #[error("user-not-present")]
    UserPresent,
    /// The authenticator did not verify who touched it.
    #[error("user-not-verified")]
    UserVerified,
    /// Backed up although it says that it cannot be; or not what the passkey was when it was made.
    #[error("backup-state")]
    Backup,
    /// An algorithm that was not offered, or a key that does not fit it.
    #[error("unsupported-key")]
    Key,
    /// The attestation is of a format that is not read, or does not hold.
    #[error("bad-attestation")]
    Attestation,
    /// The signature is not that of the passkey.
    #[error("bad-signature")]
    Signature,
    /// The counter did not grow: the passkey may have been copied.
    #[error("counter-not-grown")]
    Counter,
    /// Another credential answered, or for another user.
    #[error("wrong-credential")]
    Credential,
}

#[cfg(test)]
mod tests;
