use der::Decode as _;
use proptest::prelude::*;

use super::*;
use crate::key::{PrivateKey, SignAlg};
use crate::x509::NameParts;
use crate::x509::build::{BuildError, CsrDraft, LeafNames, Profile, TbsDraft, assemble, key_identifier};

fn name(common_name: &str) -> Name {
    let parts = NameParts {
        country: Some("SE".to_owned()),
        organisation: Some("Example".to_owned()),
        common_name: common_name.to_owned(),
    };
    Name::new(&parts).unwrap()
}

fn draft(key: &PrivateKey, profile: Profile) -> TbsDraft {
    TbsDraft {
        subject: name("Signer"),
        issuer: name("Root"),
        issuer_key: key.public(),
        serial: [0xff; 16],
        not_before: "2026-11-19T00:00:00Z".parse().unwrap(),
        not_after: "2055-11-19T00:00:00.5Z".parse().unwrap(),
        public_key: key.public(),
        profile,
    }
}

fn leaf() -> Profile {
    Profile::Leaf(LeafNames {
        san_uris: vec!["https://a.example/t/x".to_owned()],
        san_dns: vec!["a.example".to_owned()],
        ekus: vec!["1.0.18013.5.1.2".to_owned()],
    })
}

fn signed(key: &PrivateKey, tbs: &[u8]) -> Vec<u8> {
    let alg = key.alg().default_sign_alg();
    assemble(tbs, alg, &key.sign(alg, tbs).unwrap()).unwrap()
}

fn built(profile: Profile) -> Vec<u8> {
    let key = PrivateKey::generate(KeyAlg::P256);
    signed(&key, &draft(&key, profile).to_be_signed(SignAlg::Es256).unwrap())
}

/// A certificate of hand-made TBS, with the given extensions after a fixed start.
fn with_extensions(extensions: &[&[u8]]) -> Result<Certificate, CertificateError> {
    use crate::x509::der_out::{explicit, sequence};
    let key = PrivateKey::generate(KeyAlg::P256);
    let tbs = draft(&key, Profile::Leaf(LeafNames::default())).to_be_signed(SignAlg::Es256).unwrap();
    let parsed = x509_cert::TbsCertificate::from_der(&tbs).unwrap();
    let all = explicit(3, &[&sequence(extensions)]);
    let kept = parsed.extensions().unwrap().to_der().unwrap();
    let start = tbs.len() - explicit(3, &[&kept]).len();
    // Header of the outer sequence: 30 82 xx xx.
    Certificate::parse(&signed(&key, &sequence(&[&tbs[4..start], &all])))
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    use crate::x509::der_out::{TRUE, octets, sequence};
    let oid = crate::x509::der_out::oid(ObjectIdentifier::new_unwrap(oid));
    sequence(&[&oid, if critical { TRUE } else { &[] }, &octets(content)])
}

#[test]
fn a_leaf_is_read_back_as_it_was_drafted() {
    let key = PrivateKey::generate(KeyAlg::P256);
    let der = signed(&key, &draft(&key, leaf()).to_be_signed(SignAlg::Es256).unwrap());
    let read = Certificate::parse(&der).unwrap();
    assert_eq!(
        (read.subject().to_string(), read.issuer().country()),
        ("CN=Signer,O=Example,C=SE".into(), Some("SE"))
    );
    assert_eq!(read.serial(), [&[0x7f][..], &[0xff; 15]].concat());
    assert_eq!(read.not_before().to_string(), "2026-11-19T00:00:00Z");
    assert_eq!(read.not_after().to_string(), "2055-11-19T00:00:00Z", "cut to the second");
    assert_eq!(read.public_key(), &key.public());
    assert_eq!(
        (read.san_uris(), read.san_dns()),
        (&["https://a.example/t/x".to_owned()][..], &["a.example".to_owned()][..])
    );
    assert_eq!(read.ekus(), Some(&["1.0.18013.5.1.2".to_owned()][..]));
    assert!(
        !read.is_ca() && read.key_usage().unwrap().digital_signature && !read.key_usage().unwrap().cert_sign
    );
    assert_eq!((read.ski(), read.aki()), (Some(&key_identifier(&key.public())[..]), read.ski()));
    assert!(read.is_signed_by(&key.public()));
    assert!(!read.is_signed_by(&PrivateKey::generate(KeyAlg::P256).public()));
    assert_eq!((read.der(), read.sha256()), (&der[..], hash::sha256(&der)));
}

#[test]
fn a_root_is_an_authority_with_its_path_length() {
    let read = Certificate::parse(&built(Profile::Ca { path_len: Some(0) })).unwrap();
    assert!(
        read.is_ca() && read.key_usage().unwrap().cert_sign && !read.key_usage().unwrap().digital_signature
    );
    assert_eq!(read.path_len(), Some(0));
    assert_eq!(Certificate::parse(&built(Profile::Ca { path_len: None })).unwrap().path_len(), None);
}

#[test]
fn a_request_for_a_certificate_reads_and_is_signed_by_its_own_key() {
    use der::Encode as _;
    let key = PrivateKey::generate(KeyAlg::P384);
    let draft = CsrDraft { subject: name("Signer"), public_key: key.public(), profile: leaf() };
    let info = draft.to_be_signed().unwrap();
    let request = x509_cert::request::CertReq::from_der(&signed(&key, &info)).unwrap();
    assert_eq!(request.info.to_der().unwrap(), info);
    assert_eq!(request.info.public_key.to_der().unwrap(), key.public().spki_der());
    let scheme = Scheme::from_identifier(&request.algorithm).unwrap();
    assert!(scheme.verifies(&key.public(), &info, request.signature.as_bytes().unwrap()));
}

#[test]
fn drafts_that_make_no_sound_certificate_are_refused() {
    let key = PrivateKey::generate(KeyAlg::P256);
    for alg in [SignAlg::EdDsa, SignAlg::Es256K, SignAlg::MlDsa44] {
        let refused = draft(&key, leaf()).to_be_signed(alg);
        assert_eq!(refused, Err(BuildError::UnsupportedAlg { alg }));
        assert_eq!(assemble(b"", alg, b""), Err(BuildError::UnsupportedAlg { alg }));
    }
    let backwards = TbsDraft { not_after: Timestamp::UNIX_EPOCH, ..draft(&key, leaf()) };
    assert_eq!(backwards.to_be_signed(SignAlg::Es256), Err(BuildError::Dates));
    for names in [
        LeafNames { san_uris: vec![String::new()], ..LeafNames::default() },
        LeafNames { san_dns: vec!["bücher.example".to_owned()], ..LeafNames::default() },
        LeafNames { san_dns: vec!["a b".to_owned()], ..LeafNames::default() },
        LeafNames { ekus: vec!["serverAuth".to_owned()], ..LeafNames::default() },
    ] {
        let refused = draft(&key, Profile::Leaf(names)).to_be_signed(SignAlg::Es256);
        assert_eq!(refused, Err(BuildError::Name));
    }
}

#[test]
fn unknown_critical_extensions_and_name_constraints_are_refused_by_name() {
    let unknown = extension("1.2.3.4", true, b"\x05\x00");
    assert_eq!(
        with_extensions(&[&unknown]),
        Err(CertificateError::UnknownCritical { oid: "1.2.3.4".to_owned() })
    );
    assert!(with_extensions(&[&extension("1.2.3.4", false, b"\x05\x00")]).is_ok());
    let constraints = extension("2.5.29.30", false, b"\x30\x00");
    assert!(matches!(with_extensions(&[&constraints]), Err(CertificateError::UnknownCritical { .. })));
    let policies = extension("2.5.29.32", true, b"\x30\x06\x30\x04\x06\x02\x2a\x03");
    assert!(matches!(with_extensions(&[&policies]), Err(CertificateError::UnknownCritical { .. })));
}

#[test]
fn an_extension_that_stands_twice_or_does_not_read_is_refused() {
    let basic = extension("2.5.29.19", true, b"\x30\x00");
    let refused = with_extensions(&[&basic, &basic]);
    assert_eq!(refused, Err(CertificateError::DuplicateExtension { oid: "2.5.29.19".to_owned() }));
    for (oid, content) in [
        ("2.5.29.19", &b"\x30\x00\x00"[..]),
        ("2.5.29.19", b"\x30\x03\x02\x01\x00"),
        ("2.5.29.15", b"\x04\x00"),
        ("2.5.29.17", b"\x30\x01"),
        ("2.5.29.14", b""),
    ] {
        assert_eq!(
            with_extensions(&[&extension(oid, true, content)]),
            Err(CertificateError::Encoding),
            "{oid}"
        );
    }
}

#[test]
fn keys_and_signatures_that_are_not_used_are_refused() {
    let root = PrivateKey::generate(KeyAlg::P256);
    for alg in [KeyAlg::Ed25519, KeyAlg::Secp256k1, KeyAlg::MlDsa44] {
        let draft = TbsDraft { public_key: PrivateKey::generate(alg).public(), ..draft(&root, leaf()) };
        let der = signed(&root, &draft.to_be_signed(SignAlg::Es256).unwrap());
        assert_eq!(Certificate::parse(&der), Err(CertificateError::Key), "{alg}");
    }
    // The same algorithm inside and outside: ES256 inside, ES384 outside.
    let tbs = draft(&root, leaf()).to_be_signed(SignAlg::Es256).unwrap();
    let der = assemble(&tbs, SignAlg::Es384, &[1; 96]).unwrap();
    assert_eq!(Certificate::parse(&der), Err(CertificateError::SignatureAlgorithm));
}

#[test]
fn bytes_around_or_missing_from_a_certificate_are_refused() {
    let der = built(leaf());
    assert!(Certificate::parse(&der).is_ok());
    assert_eq!(Certificate::parse(&[&der[..], &[0]].concat()), Err(CertificateError::Encoding));
    assert_eq!(Certificate::parse(&der[..der.len() - 1]), Err(CertificateError::Encoding));
    assert_eq!(Certificate::parse(&[]), Err(CertificateError::Encoding));
    assert_eq!(Certificate::parse(&vec![0x30; CERTIFICATE_BYTES_MAX + 1]), Err(CertificateError::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_never_panics_and_never_keeps_the_signature(place in 0_usize..600, bit in 0_u8..8) {
        let key = PrivateKey::generate(KeyAlg::P256);
        let mut der = signed(&key, &draft(&key, leaf()).to_be_signed(SignAlg::Es256).unwrap());
        let place = place % der.len();
        der[place] ^= 1 << bit;
        if let Ok(read) = Certificate::parse(&der) {
            prop_assert!(!read.is_signed_by(&key.public()));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Certificate::parse(&bytes);
    }
}
