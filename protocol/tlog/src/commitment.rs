//! What ties an entry to a person and to its detail, without showing either.
//!
//! `k_subject` (32 random bytes per person) makes key 6 of every entry about that person: without it two entries
//! cannot be linked, with it all are found. The salted hash in key 7 binds the detail; erasing salt, detail and
//! `k_subject` leaves a valid tree that says nothing about anybody. Randomness always comes from the caller.

use crate::merkle::Hash;
use crypto::aead;
use crypto::hash::{equal, hmac_sha256, sha256_of};
use crypto::kdf::hkdf_sha256;
use crypto::secret::Secret;

/// Longest detail, as CBOR: particulars are ids, codes, counts and hashes, never documents.
pub const DETAIL_BYTES_MAX: usize = 4_096;

/// The detail of an event that has none: an empty CBOR map.
pub const EMPTY_DETAIL: [u8; 1] = [0xa0];

/// Length of the salt of a detail.
pub const SALT_BYTES: usize = 32;

/// Length of an event id.
pub const EVENT_ID_BYTES: usize = 16;

/// The reference under which a log keeps a person's rows: `HMAC(k_index, "tessera/subject-ref/v1\0" ‖ kind ‖ 00 ‖
/// identifier)`. It never stands in a leaf.
pub fn subject_ref(k_index: &[u8; 32], kind: &str, identifier: &str) -> Hash {
    hmac_sha256(k_index, &[b"tessera/subject-ref/v1\0", kind.as_bytes(), &[0], identifier.as_bytes()])
}

/// Key 6 of an entry: `HMAC(k_subject, "tessera/subject/v1\0" ‖ event_id)`.
pub fn subject_commitment(k_subject: &[u8; 32], event_id: &[u8; EVENT_ID_BYTES]) -> Hash {
    hmac_sha256(k_subject, &[b"tessera/subject/v1\0", event_id])
}

/// Key 7 of an entry: `SHA256("tessera/detail/v1\0" ‖ salt ‖ detail)`.
pub fn detail_commitment(salt: &[u8; SALT_BYTES], detail: &[u8]) -> Hash {
    sha256_of(&[b"tessera/detail/v1\0", salt, detail])
}

/// A detail with the salt of its commitment, as it was committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaltedDetail {
    /// 32 random bytes.
    pub salt: [u8; SALT_BYTES],
    /// Canonical CBOR.
    pub detail: Vec<u8>,
}

impl SaltedDetail {
    /// The commitment that the entry carries.
    pub fn commitment(&self) -> Hash {
        detail_commitment(&self.salt, &self.detail)
    }

    /// Whether this is what the entry committed to.
    pub fn fits(&self, commitment: &Hash) -> bool {
        equal(&self.commitment(), commitment)
    }

    /// Seals salt and detail for rest: AES-256-GCM under a key used once, nonce 0, AAD `origin ‖ 00 ‖ event_id`.
    ///
    /// `k` is `k_subject` if the event is about a person, else the log's `k_detail`.
    pub fn seal(&self, k: &[u8; 32], origin: &str, event_id: &[u8; EVENT_ID_BYTES]) -> Vec<u8> {
        let plain = Secret::new([&self.salt[..], &self.detail].concat());
        aead::seal_aes256gcm(
            detail_key(k, event_id).expose(),
            &[0; 12],
            &aad(origin, event_id),
            plain.expose(),
        )
    }

    /// Opens what [`SaltedDetail::seal`] made; `None` for another key, log or event, or changed bytes.
    pub fn open(k: &[u8; 32], origin: &str, event_id: &[u8; EVENT_ID_BYTES], sealed: &[u8]) -> Option<Self> {
        let key = detail_key(k, event_id);
        let plain = aead::open_aes256gcm(key.expose(), &[0; 12], &aad(origin, event_id), sealed).ok()?;
        let (salt, detail) = plain.expose().split_first_chunk::<SALT_BYTES>()?;
        Some(Self { salt: *salt, detail: detail.to_vec() })
    }
}

/// The key of one detail: `HKDF-SHA256(k, info "tessera/detail-key/v1\0" ‖ event_id)`.
pub fn detail_key(k: &[u8; 32], event_id: &[u8; EVENT_ID_BYTES]) -> Secret<[u8; 32]> {
    hkdf_sha256(k, &[], &[b"tessera/detail-key/v1\0", event_id])
}

fn aad(origin: &str, event_id: &[u8; EVENT_ID_BYTES]) -> Vec<u8> {
    [origin.as_bytes(), &[0], event_id].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: [u8; 32] = [7; 32];
    const EVENT: [u8; 16] = [1; 16];

    fn detail() -> SaltedDetail {
        SaltedDetail { salt: [2; 32], detail: EMPTY_DETAIL.to_vec() }
    }

    #[test]
    fn a_sealed_detail_opens_to_what_was_committed_to() {
        let sealed = detail().seal(&K, "h/log/t/a", &EVENT);
        let opened = SaltedDetail::open(&K, "h/log/t/a", &EVENT, &sealed).unwrap();
        assert_eq!(opened, detail());
        assert!(opened.fits(&detail().commitment()));
    }

    #[test]
    fn the_detail_of_one_event_does_not_open_under_another() {
        let sealed = detail().seal(&K, "h/log/t/a", &EVENT);
        assert_eq!(SaltedDetail::open(&K, "h/log/t/a", &[3; 16], &sealed), None);
    }

    #[test]
    fn a_detail_does_not_open_in_another_log_or_under_another_key() {
        let sealed = detail().seal(&K, "h/log/t/a", &EVENT);
        assert_eq!(SaltedDetail::open(&K, "h/log/t/b", &EVENT, &sealed), None);
        assert_eq!(SaltedDetail::open(&[8; 32], "h/log/t/a", &EVENT, &sealed), None);
    }

    #[test]
    fn a_changed_sealed_detail_does_not_open() {
        let sealed = detail().seal(&K, "h/log/t/a", &EVENT);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(SaltedDetail::open(&K, "h/log/t/a", &EVENT, &changed), None, "byte {place}");
        }
        assert_eq!(SaltedDetail::open(&K, "h/log/t/a", &EVENT, &[]), None);
    }

    #[test]
    fn kind_and_identifier_of_a_subject_do_not_run_into_one_another() {
        assert_ne!(subject_ref(&K, "holder", "x"), subject_ref(&K, "holde", "rx"));
        assert_ne!(subject_commitment(&K, &EVENT), subject_commitment(&K, &[9; 16]));
    }
}
