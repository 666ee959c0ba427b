//! Verifying keys.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, UnparsedPublicKey};

use super::names::{KeyAlg, SignAlg};
use super::rsa::RsaParts;
use super::{ecdsa, eddsa, mldsa, rsa, spki};

/// The signature is not one of this key over this message with this algorithm. Why is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Bytes that make no acceptable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not DER, or not the one DER form of the key.
    #[error("not a strict SubjectPublicKeyInfo")]
    Encoding,
    /// An algorithm or curve that the house does not use.
    #[error("an algorithm or curve that is not used")]
    Unsupported,
    /// A point off the curve or of small order, a modulus under 2048 or over 4096 bits, a small or even exponent.
    #[error("not an acceptable {alg} key")]
    Unacceptable {
        /// What it claims to be.
        alg: KeyAlg,
    },
}

/// A verifying key, checked when it was made. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    alg: KeyAlg,
    raw: Vec<u8>,
    /// The provider's parsed key; RSA has none, because it parses one for each padding and hash.
    parsed: Option<ParsedPublicKey>,
}

impl PublicKey {
    /// The key of these bytes: an uncompressed point (SEC 1, 2.3.3) for elliptic curves, 32 bytes for `ed25519`,
    /// 1312 for `mldsa44`, a PKCS #1 `RSAPublicKey` for RSA (whose class must be the one named).
    ///
    /// # Errors
    /// [`PublicKeyError::Unacceptable`].
    pub fn from_raw(alg: KeyAlg, raw: impl Into<Vec<u8>>) -> Result<Self, PublicKeyError> {
        let raw = raw.into();
        let unacceptable = PublicKeyError::Unacceptable { alg };
        let parsed = match alg {
            KeyAlg::P256 | KeyAlg::P384 | KeyAlg::Secp256k1 => {
                Some(ecdsa::parse_public(alg, &raw).ok_or(unacceptable)?)
            }
            KeyAlg::Ed25519 => Some(eddsa::parse_public(&raw).ok_or(unacceptable)?),
            KeyAlg::MlDsa44 => Some(mldsa::parse_public(&raw).ok_or(unacceptable)?),
            KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 => {
                let class = RsaParts::from_pkcs1(&raw).and_then(|parts| parts.acceptable());
                if class != Some(alg) || !rsa::provider_accepts(&raw) {
                    return Err(unacceptable);
                }
                None
            }
        };
        Ok(Self(Arc::new(Inner { alg, raw, parsed })))
    }

    /// The key of an RSA modulus and exponent, classed by its size.
    pub(crate) fn from_rsa_parts(parts: RsaParts<'_>) -> Result<Self, PublicKeyError> {
        let alg = parts.acceptable().ok_or(PublicKeyError::Unacceptable { alg: KeyAlg::Rsa2048 })?;
        Self::from_raw(alg, parts.to_pkcs1())
    }

    /// The key of a DER `SubjectPublicKeyInfo`, which must be exactly what [`PublicKey::spki_der`] writes:
    /// named curve, uncompressed point, NULL parameters of RSA, none of Ed25519 and ML-DSA, nothing after it.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        spki::decode(der)
    }

    /// The DER `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
    pub fn spki_der(&self) -> Vec<u8> {
        spki::encode(self)
    }

    /// What the key is.
    pub fn alg(&self) -> KeyAlg {
        self.0.alg
    }

    /// The bytes from which [`PublicKey::from_raw`] makes this key.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// Checks a signature over `message`, which is hashed here.
    ///
    /// # Errors
    /// [`BadSignature`], also when `alg` does not fit the key.
    pub fn verify(&self, alg: SignAlg, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if !alg.fits(self.alg()) {
            return Err(BadSignature);
        }
        match &self.0.parsed {
            Some(parsed) => parsed.verify_sig(message, signature).map_err(|_| BadSignature),
            None => UnparsedPublicKey::new(rsa::parameters(alg), self.raw())
                .verify(message, signature)
                .map_err(|_| BadSignature),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.alg() == other.alg() && self.raw() == other.raw()
    }
}

impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.alg(), crate::hex::encode(&crate::hash::sha256(self.raw())[..8]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PrivateKey;
    use super::*;

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Secp256k1] {
            let mut raw = PrivateKey::generate(alg).public().raw().to_vec();
            *raw.last_mut().unwrap() ^= 1;
            assert_eq!(PublicKey::from_raw(alg, raw.clone()), Err(PublicKeyError::Unacceptable { alg }));
            let compressed = [&[2], &raw[1..1 + ecdsa::coordinate_bytes(alg)]].concat();
            assert!(PublicKey::from_raw(alg, compressed).is_err(), "compressed points are not taken");
            assert!(PublicKey::from_raw(alg, vec![0]).is_err(), "nor is the point at infinity");
            assert!(PublicKey::from_raw(alg, vec![]).is_err());
        }
    }

    #[test]
    fn rsa_under_2048_bits_or_with_a_small_exponent_is_no_key() {
        let key = PrivateKey::generate(KeyAlg::Rsa2048).public();
        let parts = RsaParts::from_pkcs1(key.raw()).unwrap();
        let (n, e) = (parts.n.as_bytes(), parts.e.as_bytes());
        assert!(PublicKey::from_rsa_parts(RsaParts::from_numbers(n, e).unwrap()).is_ok());
        for (n, e) in [(&n[1..], e), (&n[128..], e), (n, &[3][..]), (n, &[1, 0, 0]), (n, &[1, 0, 0, 0, 0, 1])]
        {
            let Some(parts) = RsaParts::from_numbers(n, e) else { continue };
            assert!(PublicKey::from_rsa_parts(parts).is_err());
        }
        assert_eq!(RsaParts::from_numbers(&[&[0], n].concat(), e), None, "leading zeros are not taken");
    }

    #[test]
    fn debug_of_a_public_key_is_a_short_name() {
        let shown = format!("{:?}", PrivateKey::generate(KeyAlg::MlDsa44).public());
        assert!(shown.starts_with("PublicKey(mldsa44, ") && shown.len() < 50);
    }
}
