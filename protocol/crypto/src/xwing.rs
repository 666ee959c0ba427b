//! X-Wing (draft-connolly-cfrg-xwing-kem-06): a secret that holds as long as ML-KEM-768 or X25519 does.
//!
//! Public keys, ciphertexts and shared secrets are those of the draft. The secret key is kept as the provider writes ML-KEM's
//! (the expanded 2,400 bytes) with the X25519 number behind it, not as the draft's 32-byte seed: the provider expands no seed.
//! A peer's X25519 point of small order is refused; the draft would go on with a secret of zeros under ML-KEM alone.

use crate::random;
use crate::secret::Secret;
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};

/// Bytes of a public key: ML-KEM-768's, then X25519's.
pub const PUBLIC_BYTES: usize = ML_KEM_PUBLIC_BYTES + X25519_BYTES;
/// Bytes of a ciphertext: ML-KEM-768's, then an X25519 point.
pub const CIPHERTEXT_BYTES: usize = ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES;
/// Bytes of a secret key, as this program keeps it.
pub const SECRET_BYTES: usize = ML_KEM_SECRET_BYTES + X25519_BYTES;

const ML_KEM_PUBLIC_BYTES: usize = 1_184;
const ML_KEM_CIPHERTEXT_BYTES: usize = 1_088;
const ML_KEM_SECRET_BYTES: usize = 2_400;
const X25519_BYTES: usize = 32;
/// The draft's label, `\.//^\`.
const LABEL: &[u8; 6] = br"\.//^\";

/// The key or the ciphertext is none: a length, a number or a point that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X-Wing key or ciphertext")]
pub struct XwingError;

/// A secret key. Wiped when dropped.
pub struct SecretKey(Secret<Vec<u8>>);

impl SecretKey {
    /// A fresh key and its public half, from the provider's own generator.
    ///
    /// # Panics
    /// When the provider has no entropy.
    pub fn generate() -> (Self, [u8; PUBLIC_BYTES]) {
        let ml_kem =
            DecapsulationKey::generate(&ML_KEM_768).expect("the provider makes keys while it has entropy");
        let ml_kem_public = ml_kem.encapsulation_key().and_then(|key| key.key_bytes());
        let ml_kem_public = ml_kem_public.expect("a key just made has its public half");
        let number = Secret::new(random::array::<X25519_BYTES>());
        let mut secret = ml_kem.key_bytes().expect("a key just made can be written").as_ref().to_vec();
        secret.extend_from_slice(number.expose());
        let mut public = [0; PUBLIC_BYTES];
        public[..ML_KEM_PUBLIC_BYTES].copy_from_slice(ml_kem_public.as_ref());
        public[ML_KEM_PUBLIC_BYTES..].copy_from_slice(&point_of(&private(number.expose())));
        (Self(Secret::new(secret)), public)
    }

    /// The key that [`SecretKey::to_secret`] wrote.
    ///
    /// # Errors
    /// [`XwingError`] for another length.
    pub fn from_secret(secret: &[u8]) -> Result<Self, XwingError> {
        let fits = secret.len() == SECRET_BYTES;
        if fits { Ok(Self(Secret::new(secret.to_vec()))) } else { Err(XwingError) }
    }

    /// The key, to be kept encrypted.
    pub fn to_secret(&self) -> &Secret<Vec<u8>> {
        &self.0
    }

    /// The secret that the maker of `ciphertext` has. A ciphertext that was made for another key, or changed, gives a secret that
    /// nobody else has (implicit rejection).
    ///
    /// # Errors
    /// [`XwingError`] where the X25519 point is of small order, or this key is damaged.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Result<Secret<[u8; 32]>, XwingError> {
        let (ml_kem, number) = self.0.expose().split_at(ML_KEM_SECRET_BYTES);
        let (ml_kem_ciphertext, point) = ciphertext.split_at(ML_KEM_CIPHERTEXT_BYTES);
        let key = DecapsulationKey::new(&ML_KEM_768, ml_kem).map_err(|_| XwingError)?;
        let shared = key.decapsulate(Ciphertext::from(ml_kem_ciphertext)).map_err(|_| XwingError)?;
        let number = private(number);
        let agreed = agree(&number, point)?;
        Ok(combine(shared.as_ref(), &agreed, point, &point_of(&number)))
    }
}

/// A ciphertext for a public key, and the secret in it.
///
/// # Errors
/// [`XwingError`] where the public key is none.
///
/// # Panics
/// When the provider has no entropy.
pub fn encapsulate(
    public: &[u8; PUBLIC_BYTES],
) -> Result<([u8; CIPHERTEXT_BYTES], Secret<[u8; 32]>), XwingError> {
    let (ml_kem, point) = public.split_at(ML_KEM_PUBLIC_BYTES);
    let key = EncapsulationKey::new(&ML_KEM_768, ml_kem).map_err(|_| XwingError)?;
    let (ml_kem_ciphertext, shared) = key.encapsulate().map_err(|_| XwingError)?;
    let number = Secret::new(random::array::<X25519_BYTES>());
    let number = private(number.expose());
    let ours = point_of(&number);
    let agreed = agree(&number, point)?;
    let mut ciphertext = [0; CIPHERTEXT_BYTES];
    ciphertext[..ML_KEM_CIPHERTEXT_BYTES].copy_from_slice(ml_kem_ciphertext.as_ref());
    ciphertext[ML_KEM_CIPHERTEXT_BYTES..].copy_from_slice(&ours);
    Ok((ciphertext, combine(shared.as_ref(), &agreed, &ours, point)))
}

/// SHA3-256(ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ label).
fn combine(ss_m: &[u8], ss_x: &Secret<Vec<u8>>, ct_x: &[u8], pk_x: &[u8]) -> Secret<[u8; 32]> {
    let mut context = digest::Context::new(&digest::SHA3_256);
    for part in [ss_m, ss_x.expose(), ct_x, pk_x, LABEL] {
        context.update(part);
    }
    Secret::new(context.finish().as_ref().try_into().expect("SHA3-256 gives 32 bytes"))
}

fn agree(number: &PrivateKey, point: &[u8]) -> Result<Secret<Vec<u8>>, XwingError> {
    agreement::agree(number, UnparsedPublicKey::new(&X25519, point), XwingError, |agreed| {
        Ok(Secret::new(agreed.to_vec()))
    })
}

fn private(number: &[u8]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, number).expect("every 32 bytes are an X25519 number")
}

fn point_of(number: &PrivateKey) -> [u8; X25519_BYTES] {
    let public = number.compute_public_key().expect("every number has a point");
    public.as_ref().try_into().expect("an X25519 point has 32 bytes")
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(x-wing)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_find_the_same_secret_also_after_the_key_was_stored() {
        let (secret, public) = SecretKey::generate();
        let (ciphertext, ours) = encapsulate(&public).unwrap();
        let stored = SecretKey::from_secret(secret.to_secret().expose()).unwrap();
        assert_eq!(secret.decapsulate(&ciphertext).unwrap().expose(), ours.expose());
        assert_eq!(stored.decapsulate(&ciphertext).unwrap().expose(), ours.expose());
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret_and_a_strange_key_too() {
        let (secret, public) = SecretKey::generate();
        let (ciphertext, ours) = encapsulate(&public).unwrap();
        for at in [0, 1_000, 1_087, 1_088, 1_100] {
            let mut changed = ciphertext;
            changed[at] ^= 1;
            assert_ne!(secret.decapsulate(&changed).unwrap().expose(), ours.expose());
        }
        let (stranger, _) = SecretKey::generate();
        assert_ne!(stranger.decapsulate(&ciphertext).unwrap().expose(), ours.expose());
    }

    #[test]
    fn points_of_small_order_and_impossible_keys_are_refused() {
        let (secret, public) = SecretKey::generate();
        let (mut ciphertext, _) = encapsulate(&public).unwrap();
        ciphertext[ML_KEM_CIPHERTEXT_BYTES..].fill(0);
        assert_eq!(secret.decapsulate(&ciphertext).unwrap_err(), XwingError);
        let mut flat = public;
        flat[ML_KEM_PUBLIC_BYTES..].fill(0);
        assert_eq!(encapsulate(&flat).unwrap_err(), XwingError);
        // FIPS 203, 7.2: coefficients are below q.
        let mut over = public;
        over[..ML_KEM_PUBLIC_BYTES].fill(0xff);
        assert_eq!(encapsulate(&over).unwrap_err(), XwingError);
        assert_eq!(SecretKey::from_secret(&[0; 32]).unwrap_err(), XwingError);
    }
}
