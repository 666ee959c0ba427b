//! Key agreement on P-256, for JWE and sealed messages. A key that agrees never signs: it is another type.

use std::fmt;

use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};

use super::names::KeyAlg;
use super::public::PublicKey;
use crate::secret::Secret;

/// The two keys do not agree: the peer's is not on P-256, or the stored material is no private number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 key for agreement")]
pub struct AgreeError;

/// A private P-256 key for agreement only. Wiped when dropped.
pub struct Ecdh(agreement::PrivateKey);

impl Ecdh {
    /// A fresh key from the provider's own generator.
    ///
    /// # Panics
    /// When the provider has no entropy.
    pub fn generate() -> Self {
        Self(
            agreement::PrivateKey::generate(&ECDH_P256)
                .expect("the provider makes keys as long as it has entropy"),
        )
    }

    /// The key of a private number of 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`AgreeError`] when the length differs or the number is zero or not below the order.
    pub fn from_secret(secret: &[u8]) -> Result<Self, AgreeError> {
        agreement::PrivateKey::from_private_key(&ECDH_P256, secret).map(Self).map_err(|_| AgreeError)
    }

    /// The private number, 32 bytes big-endian.
    pub fn to_secret(&self) -> Secret<Vec<u8>> {
        let number: EcPrivateKeyBin<'_> = self.0.as_be_bytes().expect("a key in memory can be written");
        Secret::new(number.as_ref().to_vec())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let point = self.0.compute_public_key().expect("a private key has a public one");
        PublicKey::from_raw(KeyAlg::P256, point.as_ref().to_vec())
            .expect("the provider's own public keys are well formed")
    }

    /// The x coordinate of the shared point, 32 bytes (NIST SP 800-56A, 5.7.1.2). Never a key by itself: it
    /// goes through a key derivation.
    ///
    /// # Errors
    /// [`AgreeError`] when the peer's key is not on P-256.
    pub fn agree(&self, peer: &PublicKey) -> Result<Secret<Vec<u8>>, AgreeError> {
        if peer.alg() != KeyAlg::P256 {
            return Err(AgreeError);
        }
        let peer = UnparsedPublicKey::new(&ECDH_P256, peer.raw());
        agreement::agree(&self.0, peer, AgreeError, |shared| Ok(Secret::new(shared.to_vec())))
    }
}

impl fmt::Debug for Ecdh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ecdh(p256)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::PrivateKey;
    use super::*;

    #[test]
    fn both_sides_find_the_same_secret() {
        let (ours, theirs) = (Ecdh::generate(), Ecdh::generate());
        let one = ours.agree(&theirs.public()).unwrap();
        let other = Ecdh::from_secret(theirs.to_secret().expose()).unwrap().agree(&ours.public()).unwrap();
        assert_eq!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 32);
    }

    #[test]
    fn keys_of_other_curves_and_impossible_numbers_are_refused() {
        let p384 = PrivateKey::generate(KeyAlg::P384).public();
        assert_eq!(Ecdh::generate().agree(&p384).unwrap_err(), AgreeError);
        for secret in [&[0; 32][..], &[0xff; 32], &[1; 31], &[1; 33], &[]] {
            assert!(Ecdh::from_secret(secret).is_err());
        }
    }
}
