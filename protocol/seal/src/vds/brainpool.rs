//! ECDSA on brainpoolP256r1 and brainpoolP384r1 (RFC 5639), on which most authorities sign seals. Verified only; the house's
//! provider has neither curve.

use ecdsa::signature::hazmat::PrehashVerifier as _;

/// A point on one of the two curves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrainpoolKey {
    /// brainpoolP256r1.
    P256(ecdsa::VerifyingKey<bp256::BrainpoolP256r1>),
    /// brainpoolP384r1.
    P384(ecdsa::VerifyingKey<bp384::BrainpoolP384r1>),
}

impl BrainpoolKey {
    /// Of an uncompressed point of 65 or 97 bytes (SEC 1, 2.3.3), which must lie on the curve.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        match point {
            [4, rest @ ..] if rest.len() == 64 => {
                ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P256)
            }
            [4, rest @ ..] if rest.len() == 96 => {
                ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P384)
            }
            _ => None,
        }
    }

    /// Bytes of `r ‖ s`.
    pub fn signature_bytes(&self) -> usize {
        match self {
            Self::P256(_) => 64,
            Self::P384(_) => 96,
        }
    }

    /// Whether `r ‖ s` is a signature over a message with that hash, which the caller has made of the message itself.
    pub(super) fn verifies(&self, hash: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => {
                ecdsa::Signature::from_slice(signature).is_ok_and(|it| key.verify_prehash(hash, &it).is_ok())
            }
            Self::P384(key) => {
                ecdsa::Signature::from_slice(signature).is_ok_and(|it| key.verify_prehash(hash, &it).is_ok())
            }
        }
    }
}
