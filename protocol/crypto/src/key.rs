//! Signing keys, verifying keys and key agreement: every algorithm of the house behind three types.
//!
//! ```text
//!   KeyAlg ── PrivateKey::generate ──▶ PrivateKey ── sign(SignAlg, message) ──▶ signature bytes
//!                                          └─ public ──▶ PublicKey ── verify(SignAlg, message, signature)
//!   Ecdh (P-256, agreement only) ── agree(PublicKey) ──▶ shared secret
//! ```
//!
//! Invariants:
//! - the whole message is given and hashed here; there is no door for a digest;
//! - a [`SignAlg`] must fit the key, so a header cannot choose how a key is used;
//! - a [`PublicKey`] that exists has been checked: its point lies on the curve, its modulus has 2048 bits or more;
//! - signatures of elliptic curves are `r ‖ s` of fixed length (RFC 7518, 3.4), those of secp256k1 have the low s.
//!
//! Start reading at [`PrivateKey`] and [`PublicKey`]; one file below for each family of algorithms.

mod ecdh;
mod ecdsa;
mod eddsa;
mod mldsa;
mod names;
mod public;
mod rsa;
mod spki;

use std::fmt;

use crate::secret::Secret;

pub use ecdh::{AgreeError, Ecdh};
pub(crate) use ecdsa::fixed_from_der;
pub use names::{KeyAlg, SignAlg, UnknownAlg};
pub use public::{BadSignature, PublicKey, PublicKeyError};
pub(crate) use rsa::RsaParts;

/// A key did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The algorithm is not one of the key's.
    #[error("a {key} key does not sign {alg}")]
    AlgMismatch {
        /// What was asked for.
        alg: SignAlg,
        /// What the key is.
        key: KeyAlg,
    },
    /// The provider failed.
    #[error("the provider of cryptography failed to sign")]
    Provider,
}

/// Stored key material that does not make a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored material is no {alg} key")]
pub struct SecretRejected {
    /// What it should have been.
    pub alg: KeyAlg,
}

/// A private signing key. Wiped when dropped; `Debug` names the algorithm and nothing else.
pub struct PrivateKey {
    alg: KeyAlg,
    pair: Pair,
}

enum Pair {
    Ecdsa(ecdsa::Pair),
    EdDsa(eddsa::Pair),
    Rsa(rsa::Pair),
    MlDsa(Box<mldsa::Pair>),
}

impl PrivateKey {
    /// A fresh key from the provider's own generator. RSA takes from a tenth of a second to several.
    ///
    /// # Panics
    /// When the provider cannot make a key, which means that it has no entropy.
    pub fn generate(alg: KeyAlg) -> Self {
        let pair = match alg {
            KeyAlg::P256 | KeyAlg::P384 | KeyAlg::Secp256k1 => ecdsa::Pair::generate(alg).map(Pair::Ecdsa),
            KeyAlg::Ed25519 => eddsa::Pair::generate().map(Pair::EdDsa),
            KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 => rsa::Pair::generate(alg).map(Pair::Rsa),
            KeyAlg::MlDsa44 => mldsa::Pair::generate().map(Box::new).map(Pair::MlDsa),
        };
        Self { alg, pair: pair.expect("the provider makes keys as long as it has entropy") }
    }

    /// The key whose [`PrivateKey::to_secret`] was `secret`: PKCS#8 (RFC 5208) of elliptic curves and RSA, the
    /// 32-byte seed of `ed25519` and `mldsa44`.
    ///
    /// # Errors
    /// [`SecretRejected`] when the bytes are no such key, or one of another algorithm or size.
    pub fn from_secret(alg: KeyAlg, secret: &[u8]) -> Result<Self, SecretRejected> {
        let pair = match alg {
            KeyAlg::P256 | KeyAlg::P384 | KeyAlg::Secp256k1 => {
                ecdsa::Pair::from_pkcs8(alg, secret).map(Pair::Ecdsa)
            }
            KeyAlg::Ed25519 => eddsa::Pair::from_seed(secret).map(Pair::EdDsa),
            KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 => {
                rsa::Pair::from_pkcs8(alg, secret).map(Pair::Rsa)
            }
            KeyAlg::MlDsa44 => mldsa::Pair::from_seed(secret).map(Box::new).map(Pair::MlDsa),
        };
        pair.map(|pair| Self { alg, pair }).ok_or(SecretRejected { alg })
    }

    /// The bytes from which [`PrivateKey::from_secret`] makes this key again. They go into a sealed blob and
    /// nowhere else.
    pub fn to_secret(&self) -> Secret<Vec<u8>> {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8(),
            Pair::EdDsa(pair) => pair.to_seed(),
            Pair::Rsa(pair) => pair.to_pkcs8(),
            Pair::MlDsa(pair) => pair.to_seed(),
        }
    }

    /// The algorithm of the key.
    pub fn alg(&self) -> KeyAlg {
        self.alg
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let raw = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_raw(),
            Pair::EdDsa(pair) => pair.public_raw(),
            Pair::Rsa(pair) => pair.public_raw(),
            Pair::MlDsa(pair) => pair.public_raw(),
        };
        PublicKey::from_raw(self.alg, raw).expect("the provider's own public keys are well formed")
    }

    /// Signs `message`, which is hashed here. The answer has the form JOSE and COSE use: `r ‖ s` for elliptic
    /// curves, the plain signature else.
    ///
    /// # Errors
    /// [`SignError::AlgMismatch`] when `alg` does not fit the key; [`SignError::Provider`] when the provider fails.
    pub fn sign(&self, alg: SignAlg, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if !alg.fits(self.alg) {
            return Err(SignError::AlgMismatch { alg, key: self.alg });
        }
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(message),
            Pair::EdDsa(pair) => pair.sign(message),
            Pair::Rsa(pair) => pair.sign(alg, message),
            Pair::MlDsa(pair) => pair.sign(message),
        }
        .ok_or(SignError::Provider)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.alg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: [KeyAlg; 5] =
        [KeyAlg::P256, KeyAlg::P384, KeyAlg::Secp256k1, KeyAlg::Ed25519, KeyAlg::MlDsa44];

    #[test]
    fn every_key_signs_and_verifies_with_each_algorithm_that_fits_it_and_no_other() {
        for alg in QUICK.into_iter().chain([KeyAlg::Rsa2048]) {
            let key = PrivateKey::generate(alg);
            let public = key.public();
            assert_eq!(public.alg(), alg);
            for sign_alg in SignAlg::ALL {
                if !sign_alg.fits(alg) {
                    assert_eq!(
                        key.sign(sign_alg, b"m"),
                        Err(SignError::AlgMismatch { alg: sign_alg, key: alg })
                    );
                    continue;
                }
                let signature = key.sign(sign_alg, b"message").unwrap();
                public.verify(sign_alg, b"message", &signature).unwrap();
                assert_eq!(public.verify(sign_alg, b"massage", &signature), Err(BadSignature));
                assert_eq!(public.verify(sign_alg, b"message", &signature[1..]), Err(BadSignature));
                for other in SignAlg::ALL.into_iter().filter(|other| *other != sign_alg) {
                    assert_eq!(public.verify(other, b"message", &signature), Err(BadSignature));
                }
            }
        }
    }

    #[test]
    fn a_key_comes_back_from_its_secret() {
        for alg in QUICK.into_iter().chain([KeyAlg::Rsa2048]) {
            let key = PrivateKey::generate(alg);
            let again = PrivateKey::from_secret(alg, key.to_secret().expose()).unwrap();
            assert_eq!(again.public(), key.public());
            let signature = again.sign(alg.default_sign_alg(), b"m").unwrap();
            key.public().verify(alg.default_sign_alg(), b"m", &signature).unwrap();
        }
    }

    #[test]
    fn a_secret_of_another_algorithm_is_refused() {
        for alg in QUICK {
            let secret = PrivateKey::generate(alg).to_secret();
            for other in KeyAlg::ALL.into_iter().filter(|other| *other != alg) {
                let both_seeds = secret.expose().len() == 32;
                if both_seeds && matches!(other, KeyAlg::Ed25519 | KeyAlg::MlDsa44) {
                    continue; // a seed is 32 random bytes and says nothing of its use
                }
                assert!(PrivateKey::from_secret(other, secret.expose()).is_err(), "{alg} as {other}");
            }
            assert!(PrivateKey::from_secret(alg, &secret.expose()[1..]).is_err());
            assert!(PrivateKey::from_secret(alg, &[]).is_err());
        }
    }

    #[test]
    fn an_rsa_key_is_refused_under_the_name_of_another_size() {
        let secret = PrivateKey::generate(KeyAlg::Rsa2048).to_secret();
        assert!(PrivateKey::from_secret(KeyAlg::Rsa3072, secret.expose()).is_err());
    }

    #[test]
    fn signatures_of_secp256k1_have_the_low_s() {
        let key = PrivateKey::generate(KeyAlg::Secp256k1);
        for number in 0..64_u8 {
            let signature = key.sign(SignAlg::Es256K, &[number]).unwrap();
            assert!(signature[32] <= 0x7f, "s is at most half the order");
            key.public().verify(SignAlg::Es256K, &[number], &signature).unwrap();
        }
    }

    #[test]
    fn debug_of_a_private_key_names_its_algorithm_alone() {
        assert_eq!(format!("{:?}", PrivateKey::generate(KeyAlg::P256)), "PrivateKey(p256)");
    }

    #[test]
    #[ignore = "making large RSA keys takes seconds"]
    fn large_rsa_keys_are_made_signed_with_and_stored() {
        for alg in [KeyAlg::Rsa3072, KeyAlg::Rsa4096] {
            let key = PrivateKey::generate(alg);
            let again = PrivateKey::from_secret(alg, key.to_secret().expose()).unwrap();
            let signature = again.sign(SignAlg::Ps512, b"m").unwrap();
            key.public().verify(SignAlg::Ps512, b"m", &signature).unwrap();
        }
    }
}
