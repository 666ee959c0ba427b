//! RSA signatures: PSS and, where a peer knows nothing else, PKCS #1 v1.5.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair as _, RsaKeyPair, RsaParameters, RsaSubjectPublicKey};
use der::asn1::UintRef;
use der::{Decode as _, Encode as _, Sequence};

use super::names::{KeyAlg, SignAlg};
use crate::secret::Secret;

/// The least modulus: below it nothing is signed, verified or even kept (NIST SP 800-131A).
const MODULUS_BITS_MIN: usize = 2048;
/// The largest modulus of a peer. Verification grows with its square; nobody issues larger ones.
const MODULUS_BITS_MAX: usize = 4096;
/// The least public exponent (FIPS 186-5, A.1.1).
const EXPONENT_MIN: u64 = 65_537;
/// Bytes of the longest exponent the provider takes: 33 bits.
const EXPONENT_BYTES_MAX: usize = 5;

/// A key of one of the three sizes.
pub(super) struct Pair(RsaKeyPair);

impl Pair {
    pub(super) fn generate(alg: KeyAlg) -> Option<Self> {
        let size = match alg {
            KeyAlg::Rsa4096 => KeySize::Rsa4096,
            KeyAlg::Rsa3072 => KeySize::Rsa3072,
            _ => KeySize::Rsa2048,
        };
        RsaKeyPair::generate(size).ok().map(Self)
    }

    pub(super) fn from_pkcs8(alg: KeyAlg, pkcs8: &[u8]) -> Option<Self> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
        let bits = match alg {
            KeyAlg::Rsa4096 => 4096,
            KeyAlg::Rsa3072 => 3072,
            _ => 2048,
        };
        (pair.public_modulus_len() * 8 == bits).then_some(Self(pair))
    }

    pub(super) fn to_pkcs8(&self) -> Secret<Vec<u8>> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a key in memory can be written");
        Secret::new(der.as_ref().to_vec())
    }

    pub(super) fn public_raw(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    pub(super) fn sign(&self, alg: SignAlg, message: &[u8]) -> Option<Vec<u8>> {
        let encoding = match alg {
            SignAlg::Rs256 => &signature::RSA_PKCS1_SHA256,
            SignAlg::Ps384 => &signature::RSA_PSS_SHA384,
            SignAlg::Ps512 => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PSS_SHA256,
        };
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

/// How a signature of that algorithm is verified.
pub(super) fn parameters(alg: SignAlg) -> &'static RsaParameters {
    match alg {
        SignAlg::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SignAlg::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        SignAlg::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => &signature::RSA_PSS_2048_8192_SHA256,
    }
}

/// Modulus and exponent of a public key, big-endian without leading zeros; as DER, an `RSAPublicKey`
/// (RFC 8017, A.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Sequence)]
pub(crate) struct RsaParts<'a> {
    /// The modulus.
    pub(crate) n: UintRef<'a>,
    /// The public exponent.
    pub(crate) e: UintRef<'a>,
}

impl<'a> RsaParts<'a> {
    /// Reads DER.
    pub(crate) fn from_pkcs1(der: &'a [u8]) -> Option<Self> {
        Self::from_der(der).ok()
    }

    /// Takes big-endian numbers; leading zeros are not allowed, as in RFC 7518, 6.3.1.
    pub(crate) fn from_numbers(n: &'a [u8], e: &'a [u8]) -> Option<Self> {
        let minimal = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
        if !minimal(n) || !minimal(e) {
            return None;
        }
        Some(Self { n: UintRef::new(n).ok()?, e: UintRef::new(e).ok()? })
    }

    /// The DER of it.
    pub(crate) fn to_pkcs1(self) -> Vec<u8> {
        self.to_der().expect("two bounded numbers can be written")
    }

    /// The class of the key by its modulus, or none when size, exponent or structure are not acceptable.
    pub(super) fn acceptable(&self) -> Option<KeyAlg> {
        let n = self.n.as_bytes();
        let bits = (n.len() * 8).checked_sub(n.first()?.leading_zeros() as usize)?;
        let exponent = self.e.as_bytes();
        if exponent.len() > EXPONENT_BYTES_MAX {
            return None;
        }
        let exponent = exponent.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if exponent < EXPONENT_MIN || exponent.is_multiple_of(2) || has_roca_structure(n) {
            return None;
        }
        match bits {
            MODULUS_BITS_MIN..3072 => Some(KeyAlg::Rsa2048),
            3072..MODULUS_BITS_MAX => Some(KeyAlg::Rsa3072),
            MODULUS_BITS_MAX => Some(KeyAlg::Rsa4096),
            _ => None,
        }
    }
}

/// Whether a modulus was made by the faulty library of CVE-2017-15361, whose primes are powers of 65537 modulo
/// many small primes, so that they can be found: so is their product, then, modulo each of these. A sound
/// modulus looks so once in 2²⁷.
fn has_roca_structure(n: &[u8]) -> bool {
    const TELLING_PRIMES: [u32; 17] =
        [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    TELLING_PRIMES.into_iter().all(|prime| {
        let residue = n.iter().fold(0, |residue, byte| (residue << 8 | u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65_537 % prime));
        powers.take(prime as usize).any(|power| power == residue)
    })
}

/// Whether the provider takes the key too, which checks the modulus further.
pub(super) fn provider_accepts(pkcs1: &[u8]) -> bool {
    RsaSubjectPublicKey::from_der(pkcs1).is_ok()
}
