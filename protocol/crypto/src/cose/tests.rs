use coset::{CborSerializable as _, TaggedCborSerializable as _};
use proptest::prelude::*;

use super::*;
use crate::key::{KeyAlg, PrivateKey};

const LIMITS: CborLimits = CborLimits { bytes_max: 4096, depth_max: 8 };

fn draft() -> Sign1Draft {
    let mut draft = Sign1Draft::new(*b"payload").with_alg(SignAlg::Es256);
    draft.protected.push((TYPE, Value::text("application/statuslist+cwt")));
    draft.unprotected.push((X5CHAIN, x5chain_value(&[[1, 2, 3]])));
    draft
}

fn signed(key: &PrivateKey, draft: &Sign1Draft) -> Vec<u8> {
    draft.assemble(&key.sign(key.alg().default_sign_alg(), &draft.to_be_signed()).unwrap())
}

fn refused(protected: Header, unprotected: Header) -> CoseError {
    let draft = Sign1Draft { protected, unprotected, ..Sign1Draft::default() };
    Sign1::parse(&draft.assemble(&[0; 64]), &LIMITS).unwrap_err()
}

fn es256() -> (Label, Value) {
    (ALG, Value::int(-7))
}

#[test]
fn what_each_kind_of_key_signs_verifies_under_it_alone() {
    for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Secp256k1, KeyAlg::Ed25519, KeyAlg::Rsa2048] {
        let key = PrivateKey::generate(alg);
        for (tagged, detached) in [(false, false), (true, false), (false, true), (true, true)] {
            let draft = Sign1Draft {
                external_aad: b"aad".to_vec(),
                tagged,
                detached,
                ..draft().with_alg(alg.default_sign_alg())
            };
            let object = Sign1::parse(&signed(&key, &draft), &LIMITS).unwrap();
            let outside = detached.then_some(&b"payload"[..]);
            assert_eq!(object.payload().is_none(), detached);
            object.verify(&key.public(), b"aad", outside).unwrap();
            assert_eq!(object.verify(&key.public(), b"", outside), Err(BadSignature));
            assert_eq!(object.verify(&key.public(), b"aad", Some(b"other")), Err(BadSignature));
            assert_eq!(
                object.verify(&PrivateKey::generate(KeyAlg::P256).public(), b"aad", outside),
                Err(BadSignature)
            );
            let wrong_way = if detached { None } else { Some(&b"payload"[..]) };
            assert_eq!(object.verify(&key.public(), b"aad", wrong_way), Err(BadSignature));
        }
    }
}

#[test]
fn an_independent_library_reads_our_objects_and_signs_the_same_bytes() {
    let key = PrivateKey::generate(KeyAlg::P256);
    let ours = Sign1Draft { external_aad: b"aad".to_vec(), tagged: true, ..draft() };
    let theirs = coset::CoseSign1::from_tagged_slice(&signed(&key, &ours)).unwrap();
    assert_eq!(theirs.tbs_data(b"aad"), ours.to_be_signed());
    assert_eq!(theirs.payload.as_deref(), Some(&b"payload"[..]));
    let untagged = Sign1Draft { tagged: false, detached: true, ..ours };
    let theirs = coset::CoseSign1::from_slice(&signed(&key, &untagged)).unwrap();
    assert_eq!(theirs.tbs_detached_data(b"payload", b"aad"), untagged.to_be_signed());
}

#[test]
fn objects_of_an_independent_library_are_read_and_verified() {
    let key = PrivateKey::generate(KeyAlg::P256);
    let object = coset::CoseSign1Builder::new()
        .protected(coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES256).build())
        .unprotected(coset::HeaderBuilder::new().key_id(b"k1".to_vec()).build())
        .payload(b"payload".to_vec())
        .create_signature(b"aad", |bytes| key.sign(SignAlg::Es256, bytes).unwrap())
        .build();
    for bytes in [object.clone().to_vec().unwrap(), object.to_tagged_vec().unwrap()] {
        let read = Sign1::parse(&bytes, &LIMITS).unwrap();
        read.verify(&key.public(), b"aad", None).unwrap();
        assert_eq!((read.alg(), read.protected_len()), (SignAlg::Es256, 1));
        assert_eq!(read.unprotected(&KID), Some(&Value::bytes(*b"k1")));
    }
}

#[test]
fn the_algorithm_stands_in_the_protected_header_alone() {
    assert_eq!(refused(vec![], vec![]), CoseError::UnsupportedAlg);
    assert_eq!(refused(vec![], vec![es256()]), CoseError::UnsupportedAlg);
    assert_eq!(refused(vec![es256()], vec![es256()]), CoseError::Duplicate { label: ALG });
    for id in [5, -36, -65535, 0, -48] {
        assert_eq!(refused(vec![(ALG, Value::int(id))], vec![]), CoseError::UnsupportedAlg, "{id}");
    }
    assert_eq!(refused(vec![(ALG, Value::text("ES256"))], vec![]), CoseError::UnsupportedAlg);
}

#[test]
fn an_es256_header_over_a_p384_key_is_refused() {
    let key = PrivateKey::generate(KeyAlg::P384);
    let draft = draft();
    let signature = key.sign(SignAlg::Es384, &draft.to_be_signed()).unwrap();
    let object = Sign1::parse(&draft.assemble(&signature), &LIMITS).unwrap();
    assert_eq!(object.verify(&key.public(), b"", None), Err(BadSignature));
}

#[test]
fn critical_parameters_and_labels_in_both_headers_are_refused() {
    let crit = (CRIT, Value::Array(vec![Value::Uint(1)]));
    assert_eq!(refused(vec![es256(), crit.clone()], vec![]), CoseError::Critical);
    assert_eq!(refused(vec![es256()], vec![crit]), CoseError::Critical);
    let text = (Label::from("x"), Value::Null);
    assert_eq!(refused(vec![es256(), text.clone()], vec![text]), CoseError::Duplicate { label: "x".into() });
}

#[test]
fn other_shapes_and_other_tags_are_refused() {
    let key = PrivateKey::generate(KeyAlg::P256);
    let good = draft().assemble_value(&key.sign(SignAlg::Es256, &draft().to_be_signed()).unwrap());
    assert!(Sign1::from_value(&good).is_ok());
    let cwt = Value::Tag(61, Box::new(Value::Tag(18, Box::new(good.clone()))));
    for bad in [
        cwt,
        Value::Tag(98, Box::new(good.clone())),
        Value::Array(good.as_array().unwrap()[..3].to_vec()),
        Value::Array([good.as_array().unwrap(), &[Value::Null]].concat()),
        Value::Null,
    ] {
        assert_eq!(Sign1::from_value(&bad), Err(CoseError::Form));
    }
    let with = |place: usize, content: Value| {
        let mut items = good.as_array().unwrap().to_vec();
        items[place] = content;
        Sign1::from_value(&Value::Array(items)).unwrap_err()
    };
    assert_eq!(with(0, Value::Map(vec![])), CoseError::Form);
    assert_eq!(with(0, Value::bytes([0x80])), CoseError::Header);
    assert!(matches!(with(0, Value::bytes([0xa2, 1, 0x26, 1, 0x26])), CoseError::Cbor(_)), "a label twice");
    assert!(matches!(with(0, Value::bytes([0xa1, 1, 0x26, 0])), CoseError::Cbor(_)), "trailing byte");
    assert_eq!(with(1, Value::Array(vec![])), CoseError::Header);
    assert_eq!(with(1, Value::Map(vec![(Value::Null, Value::Null)])), CoseError::Header);
    assert_eq!(with(2, Value::text("payload")), CoseError::Form);
    assert_eq!(with(3, Value::Null), CoseError::Form);
}

#[test]
fn x5chain_is_one_to_five_certificates_in_either_header() {
    let read = |value: Value| {
        let draft = Sign1Draft { protected: vec![es256(), (X5CHAIN, value)], ..Sign1Draft::default() };
        Sign1::parse(&draft.assemble(&[0; 64]), &LIMITS).unwrap().x5chain()
    };
    assert_eq!(read(x5chain_value(&[[1]])), Ok(vec![vec![1]]));
    assert_eq!(read(x5chain_value(&[[1], [2]])), Ok(vec![vec![1], vec![2]]));
    for bad in [Value::Array(vec![]), x5chain_value(&[[1]; 6]), x5chain_value(&[[]]), Value::text("x")] {
        assert_eq!(read(bad), Err(CoseError::X5chain));
    }
    let bare = Sign1Draft { protected: vec![es256()], ..Sign1Draft::default() };
    assert_eq!(Sign1::parse(&bare.assemble(&[]), &LIMITS).unwrap().x5chain(), Err(CoseError::X5chain));
    let outside = Sign1::parse(&draft().assemble(&[]), &LIMITS).unwrap();
    assert_eq!(outside.x5chain(), Ok(vec![vec![1, 2, 3]]));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Sign1::parse(&bytes, &LIMITS);
    }

    #[test]
    fn every_draft_is_read_as_the_independent_library_reads_it(
        payload: Vec<u8>, aad: Vec<u8>, text in "[a-z]{1,8}", number in 100_i64..10_000, content: Vec<u8>, tagged: bool,
    ) {
        let mut draft = Sign1Draft { payload, external_aad: aad.clone(), tagged, ..Sign1Draft::default() }
            .with_alg(SignAlg::EdDsa);
        draft.protected.push((Label::Int(-number), Value::bytes(content.clone())));
        draft.unprotected.push((Label::Text(text), Value::bytes(content)));
        let bytes = draft.assemble(&[9; 64]);
        let theirs = if tagged {
            coset::CoseSign1::from_tagged_slice(&bytes).unwrap()
        } else {
            coset::CoseSign1::from_slice(&bytes).unwrap()
        };
        prop_assert_eq!(theirs.tbs_data(&aad), draft.to_be_signed());
        let ours = Sign1::parse(&bytes, &LIMITS).unwrap();
        prop_assert_eq!(ours.payload(), theirs.payload.as_deref());
        prop_assert_eq!(ours.signature(), &theirs.signature[..]);
    }
}
