//! ECDSA over P-256, P-384 and secp256k1.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _, ParsedPublicKey,
};

use der::asn1::UintRef;
use der::{Decode as _, Reader as _, SliceReader};

use super::names::KeyAlg;
use crate::secret::Secret;

/// The order of secp256k1 (SEC 2, 2.4.1), big-endian.
const SECP256K1_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba,
    0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
/// Half of it, rounded down: the largest low s.
const SECP256K1_HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Bytes of one coordinate of a curve.
pub(super) const fn coordinate_bytes(alg: KeyAlg) -> usize {
    if matches!(alg, KeyAlg::P384) { 48 } else { 32 }
}

/// A key for signatures `r ‖ s`.
pub(super) struct Pair {
    alg: KeyAlg,
    pair: EcdsaKeyPair,
}

impl Pair {
    pub(super) fn generate(alg: KeyAlg) -> Option<Self> {
        let pair = EcdsaKeyPair::generate(signing(alg)).ok()?;
        Some(Self { alg, pair })
    }

    pub(super) fn from_pkcs8(alg: KeyAlg, pkcs8: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(signing(alg), pkcs8).ok()?;
        Some(Self { alg, pair })
    }

    pub(super) fn to_pkcs8(&self) -> Secret<Vec<u8>> {
        let document = self.pair.to_pkcs8v1().expect("a key in memory can be written");
        Secret::new(document.as_ref().to_vec())
    }

    pub(super) fn public_raw(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = self.pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec();
        if self.alg == KeyAlg::Secp256k1 {
            lower_s(&mut signature);
        }
        Some(signature)
    }
}

/// A verifier for an uncompressed point (SEC 1, 2.3.3), or none when the point is not on the curve.
pub(super) fn parse_public(alg: KeyAlg, raw: &[u8]) -> Option<ParsedPublicKey> {
    let uncompressed = raw.len() == 1 + 2 * coordinate_bytes(alg) && raw[0] == 4;
    uncompressed.then(|| ParsedPublicKey::new(verification(alg), raw).ok()).flatten()
}

/// `r ‖ s`, each filled to `width` bytes, of the DER form that certificates and authenticators use (RFC 3279, 2.2.3); none when the
/// bytes are not that form exactly.
pub(crate) fn fixed_from_der(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let numbers = reader
        .sequence(|inner| Ok::<_, der::Error>([UintRef::decode(inner)?, UintRef::decode(inner)?]))
        .ok()?;
    reader.finish().ok()?;
    let mut fixed = Vec::with_capacity(2 * width);
    for number in numbers {
        let bytes = number.as_bytes();
        fixed.extend(std::iter::repeat_n(0, width.checked_sub(bytes.len())?));
        fixed.extend_from_slice(bytes);
    }
    Some(fixed)
}

/// Replaces `s` by `order − s` when it is over half the order: both verify, and chains take the low one alone.
/// A signature is public, so this need not run in constant time.
fn lower_s(signature: &mut [u8]) {
    let s = &mut signature[32..64];
    if *s <= SECP256K1_HALF_ORDER[..] {
        return;
    }
    let mut borrow = false;
    for (digit, order) in s.iter_mut().zip(SECP256K1_ORDER).rev() {
        let (first, under_first) = order.overflowing_sub(*digit);
        let (second, under_second) = first.overflowing_sub(u8::from(borrow));
        *digit = second;
        borrow = under_first || under_second;
    }
}

fn signing(alg: KeyAlg) -> &'static EcdsaSigningAlgorithm {
    match alg {
        KeyAlg::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        KeyAlg::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

fn verification(alg: KeyAlg) -> &'static EcdsaVerificationAlgorithm {
    match alg {
        KeyAlg::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        KeyAlg::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED,
        _ => &signature::ECDSA_P256_SHA256_FIXED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_s_becomes_the_order_less_s() {
        let mut signature = [[1; 32], SECP256K1_ORDER].concat();
        signature[63] -= 1; // s = order − 1
        lower_s(&mut signature);
        assert_eq!(
            signature,
            [[1; 32], {
                let mut one = [0; 32];
                one[31] = 1;
                one
            }]
            .concat()
        );
        lower_s(&mut signature);
        assert_eq!(signature[63], 1, "a low s stays");

        let mut signature = [[1; 32], SECP256K1_HALF_ORDER].concat();
        signature[63] += 1; // the least high s: order − half − 1 = half
        lower_s(&mut signature);
        assert_eq!(signature[32..], SECP256K1_HALF_ORDER);
    }
}
