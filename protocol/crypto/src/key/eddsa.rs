//! Ed25519 (RFC 8032).

use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};

use crate::secret::Secret;

/// Bytes of a public key and of a seed.
pub(super) const KEY_BYTES: usize = 32;

/// Points of small order, without the sign bit: a signature under one proves nothing, since it fits many
/// messages. The same seven that libsodium refuses, non-canonical forms included.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    first_byte(1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

/// A key made from its seed.
pub(super) struct Pair(Ed25519KeyPair);

impl Pair {
    pub(super) fn generate() -> Option<Self> {
        Ed25519KeyPair::generate().ok().map(Self)
    }

    pub(super) fn from_seed(seed: &[u8]) -> Option<Self> {
        let fits = seed.len() == KEY_BYTES;
        fits.then(|| Ed25519KeyPair::from_seed_unchecked(seed).ok()).flatten().map(Self)
    }

    pub(super) fn to_seed(&self) -> Secret<Vec<u8>> {
        let seed: Curve25519SeedBin<'_> =
            self.0.seed().and_then(|seed| seed.as_be_bytes()).expect("a key in memory has its seed");
        Secret::new(seed.as_ref().to_vec())
    }

    pub(super) fn public_raw(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.try_sign(message).ok().map(|signature| signature.as_ref().to_vec())
    }
}

/// A verifier for the 32 bytes of a point, or none for one of small order.
pub(super) fn parse_public(raw: &[u8]) -> Option<ParsedPublicKey> {
    let mut point: [u8; KEY_BYTES] = raw.try_into().ok()?;
    point[31] &= 0x7f;
    let sound = !SMALL_ORDER.contains(&point);
    sound.then(|| ParsedPublicKey::new(&signature::ED25519, raw).ok()).flatten()
}

const fn first_byte(byte: u8) -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = byte;
    point
}

/// 2²⁵⁵ − 19 − 1, that number itself and one more, by their first byte.
const fn near_prime(byte: u8) -> [u8; 32] {
    let mut point = [0xff; 32];
    point[0] = byte;
    point[31] = 0x7f;
    point
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_are_no_keys() {
        for point in SMALL_ORDER {
            let mut signed = point;
            signed[31] |= 0x80;
            assert!(parse_public(&point).is_none() && parse_public(&signed).is_none());
        }
        assert!(parse_public(&[9; 31]).is_none());
    }
}
