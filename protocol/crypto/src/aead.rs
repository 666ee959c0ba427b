//! AES-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags.
//!
//! The caller owns the nonce: never the same one twice under a key. Output is ciphertext followed by the tag.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use crate::secret::Secret;

/// Bytes of an AES-GCM nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;

/// The ciphertext, the tag, the nonce, the associated data or the key is not the one that was sealed. Which of
/// them is not known, and must not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub struct OpenError;

/// Seals `plain` under AES-256-GCM; the answer is `ciphertext ‖ tag`.
pub fn seal_aes256gcm(key: &[u8; 32], nonce: &[u8; NONCE_BYTES], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    seal(&AES_256_GCM, key, nonce, aad, plain)
}

/// Opens what [`seal_aes256gcm`] sealed.
///
/// # Errors
/// [`OpenError`] when anything differs by one bit.
pub fn open_aes256gcm(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    open(&AES_256_GCM, key, nonce, aad, sealed)
}

/// Seals `plain` under AES-128-GCM (JWE `A128GCM` asks for it); the answer is `ciphertext ‖ tag`.
pub fn seal_aes128gcm(key: &[u8; 16], nonce: &[u8; NONCE_BYTES], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    seal(&AES_128_GCM, key, nonce, aad, plain)
}

/// Opens what [`seal_aes128gcm`] sealed.
///
/// # Errors
/// [`OpenError`] when anything differs by one bit.
pub fn open_aes128gcm(
    key: &[u8; 16],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    open(&AES_128_GCM, key, nonce, aad, sealed)
}

fn seal(
    algorithm: &'static Algorithm,
    key: &[u8],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plain: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + TAG_BYTES);
    out.extend_from_slice(plain);
    ready(algorithm, key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut out)
        .expect("sealing fails only over 64 GiB, which no caller holds in memory");
    out
}

fn open(
    algorithm: &'static Algorithm,
    key: &[u8],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().wrapping_sub(TAG_BYTES)).ok_or(OpenError)?;
    let mut plain = Secret::new(vec![0; ciphertext.len()]);
    ready(algorithm, key)
        .open_separate_gather(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(aad),
            ciphertext,
            tag,
            plain.place(),
        )
        .map_err(|_| OpenError)?;
    Ok(plain)
}

fn ready(algorithm: &'static Algorithm, key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("the type of the key fixes its length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens() {
        let sealed = seal_aes256gcm(&[7; 32], &[1; 12], b"who", b"what");
        assert_eq!(sealed.len(), 4 + TAG_BYTES);
        assert_eq!(open_aes256gcm(&[7; 32], &[1; 12], b"who", &sealed).unwrap().expose(), b"what");
        let sealed = seal_aes128gcm(&[7; 16], &[1; 12], b"", b"");
        assert!(open_aes128gcm(&[7; 16], &[1; 12], b"", &sealed).unwrap().expose().is_empty());
    }

    #[test]
    fn a_change_anywhere_fails_to_open() {
        let sealed = seal_aes256gcm(&[7; 32], &[1; 12], b"who", b"what");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open_aes256gcm(&[7; 32], &[1; 12], b"who", &changed).is_err());
        }
        assert!(open_aes256gcm(&[8; 32], &[1; 12], b"who", &sealed).is_err());
        assert!(open_aes256gcm(&[7; 32], &[2; 12], b"who", &sealed).is_err());
        assert!(open_aes256gcm(&[7; 32], &[1; 12], b"why", &sealed).is_err());
    }

    #[test]
    fn bytes_shorter_than_a_tag_fail_to_open() {
        for length in 0..TAG_BYTES {
            assert_eq!(open_aes256gcm(&[7; 32], &[1; 12], b"", &vec![0; length]).unwrap_err(), OpenError);
        }
    }
}
