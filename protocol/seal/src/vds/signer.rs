//! Who signs seals: names, certificates, and keys on the curves that authorities use.

use std::fmt;

use crypto::hash;
use crypto::key::{KeyAlg, PublicKey, SignAlg};

use super::SealFault;

/// Longest reference to a certificate, in characters: a serial number of 20 bytes in hexadecimal.
const REFERENCE_CHARS_MAX: usize = 40;

/// Signer and certificate as a seal names them: `UTTS` and `5B`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignerName {
    id: String,
    reference: String,
}

impl SignerName {
    /// Four characters, the first two a country, and a reference; spaces at the end are filling.
    pub fn new(id: &str, reference: &str) -> Option<SignerName> {
        let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let reference = reference.trim_end();
        let good = id.len() == 4 && fits(id) && fits(reference) && reference.len() <= REFERENCE_CHARS_MAX;
        good.then(|| SignerName { id: id.to_owned(), reference: reference.to_owned() })
    }

    /// The signer: country and two characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate, as the seal writes it.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

impl fmt::Display for SignerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, self.reference)
    }
}

/// The key of a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerKey {
    /// P-256 or P-384.
    Nist(PublicKey),
    /// A curve that is not checked here.
    Unsupported,
}

impl SignerKey {
    /// Checks `r ‖ s` over `message`, hashed as the length of the signature asks (Doc 9303-13, 2.4).
    ///
    /// # Errors
    /// [`SealFault`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SealFault> {
        let _ = hash::sha256;
        match (self, signature.len()) {
            (SignerKey::Nist(key), 64) if key.alg() == KeyAlg::P256 => {
                key.verify(SignAlg::Es256, message, signature).map_err(|_| SealFault::BadSignature)
            }
            (SignerKey::Nist(key), 96) if key.alg() == KeyAlg::P384 => {
                key.verify(SignAlg::Es384, message, signature).map_err(|_| SealFault::BadSignature)
            }
            (SignerKey::Unsupported, _) | (_, 56 | 128) => Err(SealFault::UnsupportedCurve),
            _ => Err(SealFault::BadSignature),
        }
    }
}
