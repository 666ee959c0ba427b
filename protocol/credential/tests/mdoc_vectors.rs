//! The public vectors of mobile documents: what others made, read by us.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::path::PathBuf;

use crypto::cbor::{self, CborLimits, Value as Cbor};
use crypto::x509::Certificate;
use crypto::{base64, hex};
use serde_json::json;
use tessera_credential::check::{Check, Outcome};
use tessera_credential::mdoc::{Mdoc, Rejection, SessionTranscript, ValidityFault};
use tessera_credential::presentation::{StatusAnswer, StatusPolicy, examine_mdoc};
use world::{World, now};

const NAMESPACE: &str = "org.iso.18013.5.1";

fn bytes(name: &str) -> Vec<u8> {
    let root =
        std::env::var_os("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA to the folder of public vectors");
    let path = PathBuf::from(root).join("vectors/mdoc").join(name);
    hex::decode(std::fs::read_to_string(&path).unwrap().trim()).unwrap()
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_document_of_annex_d_is_read_and_verified_at_its_own_date() {
    let text = base64::url_encode(&bytes("issuer_signed.cbor"));
    let leaf = Certificate::parse(&Mdoc::parse(&text).unwrap().x5chain().unwrap()[0]).unwrap();
    let verify =
        |text: &str, at: &str| Mdoc::parse(text).unwrap().verify(leaf.public_key(), at.parse().unwrap());
    let document = verify(&text, "2020-10-15T12:00:00Z").unwrap();
    assert_eq!((document.doctype(), document.count()), ("org.iso.18013.5.1.mDL", 6));
    let claims = document.claims();
    assert_eq!(claims[NAMESPACE]["family_name"], "Doe");
    assert_eq!(claims[NAMESPACE]["expiry_date"], "2024-10-20");
    assert_eq!(
        claims[NAMESPACE]["driving_privileges"],
        json!([
            {"vehicle_category_code": "A", "issue_date": "2018-08-09", "expiry_date": "2024-10-20"},
            {"vehicle_category_code": "B", "issue_date": "2017-02-23", "expiry_date": "2024-10-20"},
        ])
    );
    assert!(claims[NAMESPACE]["portrait"].as_str().unwrap().starts_with("_9j_"), "the bytes of a JPEG file");
    let object = document.security_object();
    assert_eq!(object.signed_at(), "2020-10-01T13:30:02Z".parse().unwrap());
    assert_eq!(object.status(), Ok(None));
    assert_eq!(
        (leaf.not_before() <= object.signed_at(), object.signed_at() <= leaf.not_after()),
        (true, true)
    );

    let refused = |text: &str, at: &str| verify(text, at).map(|_| ()).unwrap_err();
    assert_eq!(refused(&text, "2026-11-20T00:00:00Z"), Rejection::Validity(ValidityFault::Expired));
    assert_eq!(refused(&text, "2020-09-01T00:00:00Z"), Rejection::Validity(ValidityFault::NotYetValid));
    let mut altered = bytes("issuer_signed.cbor");
    let place = altered.windows(3).position(|window| window == b"Doe").unwrap();
    altered[place] = b'P';
    assert_eq!(refused(&base64::url_encode(&altered), "2020-10-15T12:00:00Z"), Rejection::Digest);
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_response_of_annex_d_parses_and_its_mac_is_refused_by_name() {
    let world = World::new();
    let text = base64::url_encode(&bytes("device_response.cbor"));
    let transcript = SessionTranscript::redirect(world::AUDIENCE, world::NONCE, None, "https://v.example/r");
    let examined = examine_mdoc(&text, &transcript, &world.expected(), &world.trust(), now());
    let concluded = examined.conclude(&StatusAnswer::NotWanted, &StatusPolicy::default(), now());
    let outcome = |check: Check| concluded.results.iter().find(|it| it.check == check).unwrap().outcome;
    assert_eq!(outcome(Check::DeviceResponse), Outcome::Pass);
    let failures = world::failures(&concluded.results);
    assert!(failures.contains(&"VP-036 mdoc/device-mac".to_owned()), "{failures:?}");
    assert!(failures.contains(&"VP-032 mdoc/issuer-auth mso-encoding".to_owned()), "{failures:?}");
    assert!(concluded.presented.is_none());
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn every_part_of_the_documents_of_others_has_definite_lengths_and_shortest_heads() {
    const LIMITS: CborLimits = CborLimits { bytes_max: 64 * 1024, depth_max: 16 };
    fn inner(value: &Cbor, found: &mut usize) {
        match value {
            Cbor::Tag(24, encoded) => {
                *found += 1;
                inner(&cbor::decode_any_order(encoded.as_bytes().unwrap(), &LIMITS).unwrap(), found);
            }
            Cbor::Tag(_, value) => inner(value, found),
            Cbor::Array(items) => items.iter().for_each(|item| inner(item, found)),
            Cbor::Map(pairs) => pairs.iter().for_each(|(_, value)| inner(value, found)),
            _ => {}
        }
    }
    for (file, expected) in
        [("issuer_signed.cbor", 6), ("device_response.cbor", 2), ("session/session_transcript.cbor", 4)]
    {
        let mut found = 0;
        inner(&cbor::decode_any_order(&bytes(file), &LIMITS).unwrap(), &mut found);
        assert_eq!(found, expected, "{file}");
    }
}
