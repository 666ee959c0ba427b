//! SHA-2 digests, HMAC-SHA256 and the one comparison to use on secrets.

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_of(&[bytes])
}

/// SHA-256 of the parts written one after the other. The parts are *not* framed: whoever needs to tell
/// `["a", "bc"]` from `["ab", "c"]` encodes them first.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    fixed(context.finish().as_ref())
}

/// SHA-256 of what arrives in parts and is never held whole.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> [u8; 32] {
        fixed(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-384 (FIPS 180-4).
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    fixed(digest::digest(&digest::SHA384, bytes).as_ref())
}

/// SHA-512 (FIPS 180-4).
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    fixed(digest::digest(&digest::SHA512, bytes).as_ref())
}

/// HMAC-SHA256 (RFC 2104) under `key` of the parts written one after the other, unframed.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    MacKey::new(key).mac(parts)
}

/// A key for many MACs, set up once: [`hmac_sha256`] without its setting up.
#[derive(Clone, Debug)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The key of these bytes.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA256 of the parts written one after the other, unframed.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        fixed(context.sign().as_ref())
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths alone. For MACs, codes, token
/// hashes and anything else an attacker may guess at.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the algorithm fixes the length of its output")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn a_digest_in_parts_is_the_digest_of_the_whole() {
        let mut parts = Sha256::new();
        parts.update(b"a");
        parts.update(b"bc");
        assert_eq!(parts.finish(), sha256(b"abc"));
    }

    #[test]
    fn digests_are_those_of_fips_180() {
        assert_eq!(
            hex::encode(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex::encode(&sha384(b"abc")).starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"));
        assert!(hex::encode(&sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"));
        assert_eq!(sha256_of(&[b"a", b"", b"bc"]), sha256(b"abc"));
    }

    #[test]
    fn hmac_is_that_of_rfc_4231_case_2() {
        let mac = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex::encode(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let key = MacKey::new(b"Jefe");
        for _ in 0..2 {
            assert_eq!(key.mac(&[b"what do ya want for nothing?"]), mac);
        }
        assert!(!format!("{key:?}").contains("Jefe"));
    }

    #[test]
    fn equality_sees_length_and_content() {
        assert!(equal(b"same", b"same"));
        assert!(!equal(b"same", b"sama"));
        assert!(!equal(b"same", b"samee"));
        assert!(equal(b"", b""));
    }
}
