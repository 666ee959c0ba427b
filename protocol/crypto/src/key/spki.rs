//! `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7; RFC 5480; RFC 8410; RFC 9881), in one form only.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::names::KeyAlg;
use super::public::{PublicKey, PublicKeyError};
use super::rsa::RsaParts;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");

type InfoRef<'a> = SubjectPublicKeyInfo<AnyRef<'a>, BitStringRef<'a>>;

pub(super) fn encode(key: &PublicKey) -> Vec<u8> {
    let (oid, curve) = match key.alg() {
        KeyAlg::P256 => (EC_PUBLIC_KEY, Some(P256)),
        KeyAlg::P384 => (EC_PUBLIC_KEY, Some(P384)),
        KeyAlg::Secp256k1 => (EC_PUBLIC_KEY, Some(SECP256K1)),
        KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 => (RSA_ENCRYPTION, None),
        KeyAlg::Ed25519 => (ED25519, None),
        KeyAlg::MlDsa44 => (ML_DSA_44, None),
    };
    let parameters = match &curve {
        Some(curve) => Some(AnyRef::from(curve)),
        None => key.alg().is_rsa().then_some(AnyRef::NULL),
    };
    let bits = BitStringRef::from_bytes(key.raw()).expect("a key is far shorter than DER allows");
    SubjectPublicKeyInfo { algorithm: AlgorithmIdentifier { oid, parameters }, subject_public_key: bits }
        .to_der()
        .expect("a key is far shorter than DER allows")
}

pub(super) fn decode(der: &[u8]) -> Result<PublicKey, PublicKeyError> {
    let info = InfoRef::from_der(der).map_err(|_| PublicKeyError::Encoding)?;
    let raw = info.subject_public_key.as_bytes().ok_or(PublicKeyError::Encoding)?;
    let key = match info.algorithm.oid {
        RSA_ENCRYPTION => {
            PublicKey::from_rsa_parts(RsaParts::from_pkcs1(raw).ok_or(PublicKeyError::Encoding)?)
        }
        ED25519 => PublicKey::from_raw(KeyAlg::Ed25519, raw),
        ML_DSA_44 => PublicKey::from_raw(KeyAlg::MlDsa44, raw),
        EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|_| PublicKeyError::Unsupported)?;
            let alg = match curve {
                P256 => KeyAlg::P256,
                P384 => KeyAlg::P384,
                SECP256K1 => KeyAlg::Secp256k1,
                _ => return Err(PublicKeyError::Unsupported),
            };
            PublicKey::from_raw(alg, raw)
        }
        _ => return Err(PublicKeyError::Unsupported),
    }?;
    if encode(&key) == der { Ok(key) } else { Err(PublicKeyError::Encoding) }
}

#[cfg(test)]
mod tests {
    use super::super::PrivateKey;
    use super::*;

    fn keys() -> Vec<PublicKey> {
        let algs = [
            KeyAlg::P256,
            KeyAlg::P384,
            KeyAlg::Secp256k1,
            KeyAlg::Rsa2048,
            KeyAlg::Ed25519,
            KeyAlg::MlDsa44,
        ];
        algs.into_iter().map(|alg| PrivateKey::generate(alg).public()).collect()
    }

    #[test]
    fn every_key_survives_the_round_trip() {
        for key in keys() {
            assert_eq!(decode(&encode(&key)), Ok(key));
        }
    }

    #[test]
    fn trailing_bytes_missing_bytes_and_other_parameters_are_refused() {
        for key in keys() {
            let der = encode(&key);
            assert!(decode(&[&der[..], &[0]].concat()).is_err());
            assert!(decode(&der[..der.len() - 1]).is_err());
            let info = InfoRef::from_der(&der).unwrap();
            let other = if info.algorithm.parameters.is_none() { Some(AnyRef::NULL) } else { None };
            let algorithm = AlgorithmIdentifier { oid: info.algorithm.oid, parameters: other };
            let loose = SubjectPublicKeyInfo { algorithm, subject_public_key: info.subject_public_key };
            assert!(decode(&loose.to_der().unwrap()).is_err(), "{}", key.alg());
        }
    }

    #[test]
    fn curves_and_algorithms_of_others_are_refused_by_name() {
        let p521 = ObjectIdentifier::new_unwrap("1.3.132.0.35");
        let rsa_pss = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
        let cases = [(EC_PUBLIC_KEY, Some(AnyRef::from(&p521))), (rsa_pss, None)];
        for (oid, parameters) in cases {
            let info = SubjectPublicKeyInfo {
                algorithm: AlgorithmIdentifier { oid, parameters },
                subject_public_key: BitStringRef::from_bytes(&[4; 133]).unwrap(),
            };
            assert_eq!(decode(&info.to_der().unwrap()), Err(PublicKeyError::Unsupported));
        }
    }
}
