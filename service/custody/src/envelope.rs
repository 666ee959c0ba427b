//! The envelope of a private part at rest.
//!
//! ```text
//! blob = "TSK1" ‖ keeper u8 ‖ kek_version u32be ‖ n1(12) ‖ GCM(KEK, n1, DEK, A)(48) ‖ n2(12) ‖ GCM(DEK, n2, secret, A)
//! A    = dCBOR ["tessera/key/1", tenant_id, key_id, version, alg, SHA-256(dCBOR(uses)), policy_hash, epoch]
//! ```
//!
//! AES-256-GCM. Invariants: a DEK encrypts once, it is drawn in [`seal`] and dropped there; a blob opens only for the tenant, key,
//! version, algorithm and uses that it was sealed for, so no edit of a row moves a key or widens it.

use crypto::aead::{self, NONCE_BYTES, TAG_BYTES};
use crypto::cbor::{self, Value};
use crypto::key::KeyAlg;
use crypto::random;
use crypto::secret::Secret;
use thiserror::Error;

use crate::usage::Uses;

/// Magic of a blob, with its version.
const MAGIC: [u8; 4] = *b"TSK1";
/// Bytes of a wrapped DEK: 32 and the tag.
const WRAPPED_DEK_BYTES: usize = 32 + TAG_BYTES;
/// Bytes before the sealed secret.
const HEAD_BYTES: usize = MAGIC.len() + 1 + 4 + NONCE_BYTES + WRAPPED_DEK_BYTES + NONCE_BYTES;
/// Bytes of a blob: the largest secret is an RSA-4096 key in PKCS #8, under 2.5 KiB.
pub const BLOB_BYTES_MAX: usize = 8 * 1024;

/// Which keeper holds a private part; the byte in the blob and the word in rows and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperKind {
    /// In this process, sealed under the root.
    Software,
}

impl KeeperKind {
    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
        }
    }

    /// Reads [`KeeperKind::as_str`].
    pub fn parse(text: &str) -> Option<KeeperKind> {
        (text == Self::Software.as_str()).then_some(Self::Software)
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Software => 1,
        }
    }
}

/// What a blob is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// Whose key.
    pub tenant_id: &'a str,
    /// Which key, `key_…`.
    pub key_id: &'a str,
    /// Which version of it.
    pub version: u32,
    /// What it is.
    pub alg: KeyAlg,
    /// What it is for.
    pub uses: &'a Uses,
}

impl Binding<'_> {
    /// `A` of the module's picture. No policy (null) and epoch 0 until a keeper knows them.
    fn aad(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            Value::text("tessera/key/1"),
            Value::text(self.tenant_id),
            Value::text(self.key_id),
            Value::Uint(u64::from(self.version)),
            Value::text(self.alg.as_str()),
            Value::bytes(self.uses.hash()),
            Value::Null,
            Value::Uint(0),
        ]))
    }
}

/// The blob does not open for this binding and this KEK: it was changed, moved, or sealed for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sealed key does not open here")]
pub struct OpenError;

/// Seals `secret` under a DEK of its own, and that under the KEK.
pub fn seal(kek_version: u32, kek: &Secret<[u8; 32]>, binding: &Binding<'_>, secret: &[u8]) -> Vec<u8> {
    let aad = binding.aad();
    let dek = Secret::new(random::array::<32>());
    let (n1, n2) = (random::array::<NONCE_BYTES>(), random::array::<NONCE_BYTES>());
    let wrapped = aead::seal_aes256gcm(kek.expose(), &n1, &aad, dek.expose());
    let sealed = aead::seal_aes256gcm(dek.expose(), &n2, &aad, secret);
    let mut blob = Vec::with_capacity(HEAD_BYTES + sealed.len());
    blob.extend_from_slice(&MAGIC);
    blob.push(KeeperKind::Software.byte());
    blob.extend_from_slice(&kek_version.to_be_bytes());
    blob.extend_from_slice(&n1);
    blob.extend_from_slice(&wrapped);
    blob.extend_from_slice(&n2);
    blob.extend_from_slice(&sealed);
    blob
}

/// Which version of the tenant's KEK opens the blob.
///
/// # Errors
/// [`OpenError`] for anything that [`seal`] cannot have written.
pub fn kek_version(blob: &[u8]) -> Result<u32, OpenError> {
    Parts::of(blob).map(|parts| parts.kek_version)
}

/// Opens a blob.
///
/// # Errors
/// [`OpenError`]; which part was at fault is not known.
pub fn open(
    kek: &Secret<[u8; 32]>,
    binding: &Binding<'_>,
    blob: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    let parts = Parts::of(blob)?;
    let aad = binding.aad();
    let dek = aead::open_aes256gcm(kek.expose(), parts.n1, &aad, parts.wrapped).map_err(|_| OpenError)?;
    let dek = Secret::new(<[u8; 32]>::try_from(dek.expose().as_slice()).map_err(|_| OpenError)?);
    aead::open_aes256gcm(dek.expose(), parts.n2, &aad, parts.sealed).map_err(|_| OpenError)
}

struct Parts<'a> {
    kek_version: u32,
    n1: &'a [u8; NONCE_BYTES],
    wrapped: &'a [u8],
    n2: &'a [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

impl Parts<'_> {
    fn of(blob: &[u8]) -> Result<Parts<'_>, OpenError> {
        if blob.len() > BLOB_BYTES_MAX {
            return Err(OpenError);
        }
        let rest = blob.strip_prefix(&MAGIC).ok_or(OpenError)?;
        let rest = rest.strip_prefix(&[KeeperKind::Software.byte()]).ok_or(OpenError)?;
        let (kek_version, rest) = rest.split_first_chunk::<4>().ok_or(OpenError)?;
        let (n1, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        let (wrapped, rest) = rest.split_at_checked(WRAPPED_DEK_BYTES).ok_or(OpenError)?;
        let (n2, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        Ok(Parts { kek_version: u32::from_be_bytes(*kek_version), n1, wrapped, n2, sealed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"the private part of a key";

    fn uses(text: &str) -> Uses {
        Uses::parse(&[text], KeyAlg::P256).unwrap()
    }

    fn binding(uses: &Uses) -> Binding<'_> {
        Binding { tenant_id: "ten_a", key_id: "key_a", version: 1, alg: KeyAlg::P256, uses }
    }

    #[test]
    fn a_blob_has_the_bytes_of_the_page_and_opens() {
        let (kek, uses) = (Secret::new([7; 32]), uses("jws:*"));
        let blob = seal(3, &kek, &binding(&uses), SECRET);
        assert_eq!(&blob[..9], b"TSK1\x01\x00\x00\x00\x03");
        assert_eq!(blob.len(), 4 + 1 + 4 + 12 + 48 + 12 + SECRET.len() + 16);
        assert_eq!(kek_version(&blob), Ok(3));
        assert_eq!(open(&kek, &binding(&uses), &blob).unwrap().expose(), SECRET);
    }

    #[test]
    fn a_blob_of_one_tenant_key_version_alg_or_use_does_not_open_for_another() {
        let (kek, jws, cose) = (Secret::new([7; 32]), uses("jws:*"), uses("cose:application/cbor"));
        let home = binding(&jws);
        let blob = seal(1, &kek, &home, SECRET);
        for foreign in [
            Binding { tenant_id: "ten_b", ..home },
            Binding { key_id: "key_b", ..home },
            Binding { version: 2, ..home },
            Binding { alg: KeyAlg::P384, ..home },
            Binding { uses: &cose, ..home },
        ] {
            assert_eq!(open(&kek, &foreign, &blob).unwrap_err(), OpenError, "{foreign:?}");
        }
        assert_eq!(open(&Secret::new([8; 32]), &home, &blob).unwrap_err(), OpenError);
    }

    #[test]
    fn a_flip_of_any_bit_but_the_kek_version_keeps_it_shut() {
        let (kek, uses) = (Secret::new([7; 32]), uses("jws:*"));
        let blob = seal(1, &kek, &binding(&uses), SECRET);
        for place in (0..blob.len()).filter(|place| !(5..9).contains(place)) {
            let mut bad = blob.clone();
            bad[place] ^= 1;
            assert!(open(&kek, &binding(&uses), &bad).is_err(), "byte {place}");
        }
        for length in 0..blob.len() {
            assert!(open(&kek, &binding(&uses), &blob[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn no_two_blobs_share_a_nonce_or_a_wrapped_key() {
        let (kek, uses) = (Secret::new([7; 32]), uses("jws:*"));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2_000 {
            let blob = seal(1, &kek, &binding(&uses), SECRET);
            for part in [&blob[9..21], &blob[21..69], &blob[69..81]] {
                assert!(seen.insert(part.to_vec()));
            }
        }
    }
}
