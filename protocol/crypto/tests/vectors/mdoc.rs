//! ISO 18013-5 material of others: do their CBOR, COSE and certificates read, and do the signatures verify?

use tessera_crypto::cbor::{self, CborLimits, Value};
use tessera_crypto::cose::{self, Sign1};
use tessera_crypto::hash::sha256;
use tessera_crypto::hex;
use tessera_crypto::key::{KeyAlg, SignAlg};
use tessera_crypto::x509::path::{PathReason, PathRules, verify};
use tessera_crypto::x509::{Certificate, pem};

use crate::data;

const LIMITS: CborLimits = CborLimits { bytes_max: 64 * 1024, depth_max: 16 };

fn cbor_of(file: &str) -> Vec<u8> {
    let text = String::from_utf8(data::read(&format!("mdoc/{file}"))).unwrap();
    hex::decode(text.trim()).unwrap()
}

fn certificate(file: &str) -> Certificate {
    let text = String::from_utf8(data::read(&format!("mdoc/{file}"))).unwrap();
    Certificate::parse(&pem::decode_certificates(&text).unwrap()[0]).unwrap()
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn a_device_response_and_an_issued_document_read_and_write_back_alike() {
    for file in [
        "device_response.cbor",
        "issuer_signed.cbor",
        "namespaced_data.cbor",
        "session/session_transcript.cbor",
    ] {
        let bytes = cbor_of(file);
        let value = cbor::decode_any_order(&bytes, &LIMITS).unwrap();
        let sorted = cbor::encode(&value);
        assert_eq!(sorted.len(), bytes.len(), "{file}: only the order of keys may differ");
    }
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn the_signature_of_the_issued_document_of_annex_d_verifies_under_its_certificate() {
    let document = cbor::decode_any_order(&cbor_of("issuer_signed.cbor"), &LIMITS).unwrap();
    let signed = Sign1::from_value(document.get("issuerAuth").unwrap()).unwrap();
    assert_eq!((signed.alg(), signed.protected_len()), (SignAlg::Es256, 1));
    let leaf = Certificate::parse(&signed.x5chain().unwrap()[0]).unwrap();
    signed.verify(leaf.public_key(), b"", None).unwrap();
    // The digest of an item runs over its bytes as received: tag 24 around a byte string.
    let (_, items) = &document.get("nameSpaces").unwrap().as_map().unwrap()[0];
    let item = &items.as_array().unwrap()[0];
    let Value::Tag(24, inner) = cbor::decode_any_order(signed.payload().unwrap(), &LIMITS).unwrap() else {
        panic!("tag 24")
    };
    let object = cbor::decode_any_order(inner.as_bytes().unwrap(), &LIMITS).unwrap();
    let Value::Tag(24, content) = item else { panic!("tag 24") };
    let content = cbor::decode_any_order(content.as_bytes().unwrap(), &LIMITS).unwrap();
    let id = content.get("digestID").unwrap().as_int().unwrap();
    let (_, digests) = &object.get("valueDigests").unwrap().as_map().unwrap()[0];
    assert_eq!(digests.get_int(id).unwrap().as_bytes().unwrap(), sha256(&cbor::encode(item)));
    let device_key = object.get("deviceKeyInfo").unwrap().get("deviceKey").unwrap();
    assert_eq!(cose::key::from_value(device_key).unwrap().alg(), KeyAlg::P256);
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn a_cose_key_of_another_library_reads() {
    let value = cbor::decode_any_order(&cbor_of("cose_key/ec_p256.cbor"), &LIMITS).unwrap();
    let key = cose::key::from_value(&value).unwrap();
    assert_eq!(cbor::encode(&cose::key::to_value(&key).unwrap()), cbor::encode(&value));
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn authorities_of_others_read_and_sign_themselves() {
    for file in ["isomdl_iaca_root_cert.pem", "owf_multipaz_iaca_p384.pem"] {
        let root = certificate(file);
        assert!(root.is_ca() && root.path_len() == Some(0) && root.is_signed_by(root.public_key()), "{file}");
    }
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn a_document_signer_leads_to_its_authority_within_its_life() {
    let chain = [certificate("owf_multipaz_ds_p384.pem")];
    let anchors = [certificate("isomdl_iaca_root_cert.pem"), certificate("owf_multipaz_iaca_p384.pem")];
    let rules =
        PathRules { eku: Some("1.0.18013.5.1.2"), ..PathRules::at("2026-11-20T00:00:00Z".parse().unwrap()) };
    let path = verify(&chain, &anchors, &rules).unwrap();
    assert_eq!((path.anchor, path.ends_at), (1, "2027-03-16T10:30:34Z".parse().unwrap()));
    assert_eq!(verify(&chain, &anchors[..1], &rules).unwrap_err().reason, PathReason::NoAnchor);
    let late = PathRules { now: "2028-01-01T00:00:00Z".parse().unwrap(), ..rules };
    assert_eq!(verify(&chain, &anchors, &late).unwrap_err().reason, PathReason::Expired);
}
