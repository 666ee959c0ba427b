//! Samples of mobile documents and of status lists as CWT.

use credential::status::{Bits, StatusList, StatusValue};
use crypto::base64::{url_decode, url_encode};
use crypto::cbor::{self, Value as Cbor};
use crypto::cose;
use jiff::Timestamp;
use tessera_fuzz::fixed::{now, parties};
use tessera_fuzz::mdoc::{DOCTYPE, NAMESPACE, cwt, issuer_signed, shown};

use crate::Seeds;

const DAY_S: i64 = 86_400;

pub fn all() -> Vec<Seeds> {
    let small = document(vec![(NAMESPACE, vec![item(0, "family_name", Cbor::text("Ana"))])]);
    let large = document(vec![
        (
            NAMESPACE,
            vec![
                item(7, "family_name", Cbor::text("Ana")),
                item(3, "birth_date", Cbor::Tag(1004, Box::new(Cbor::text("1999-02-28")))),
                item(900, "portrait", Cbor::bytes([0xff, 0xd8, 0xff])),
                item(1, "age_over_18", Cbor::Bool(true)),
            ],
        ),
        (
            "org.example.1",
            vec![item(7, "list", Cbor::Array(vec![Cbor::Null, Cbor::int(-3), Cbor::Map(vec![])]))],
        ),
    ]);
    let whole = issuer_signed(&small).expect("a document");
    let response = shown(&url_encode(&whole)).and_then(|text| url_decode(&text).ok()).expect("a response");
    vec![
        ("mdoc", vec![small.clone(), large.clone(), whole]),
        ("device_response", vec![small, large, response]),
        ("status_cwt", lists()),
    ]
}

/// A document in the form that [`issuer_signed`] reads.
fn document(namespaces: Vec<(&str, Vec<Cbor>)>) -> Vec<u8> {
    let key = cose::key::to_value(&parties().holder.public()).expect("a P-256 key has a form");
    let date = |days: i64| {
        let at = Timestamp::from_second(now().as_second() + days * DAY_S).expect("a moment near now");
        Cbor::Tag(0, Box::new(Cbor::text(at.to_string())))
    };
    let list = map(vec![("idx", Cbor::Uint(7)), ("uri", Cbor::text("https://i.example/t/a/status/0"))]);
    let object = map(vec![
        ("version", Cbor::text("1.0")),
        ("digestAlgorithm", Cbor::text("SHA-256")),
        ("docType", Cbor::text(DOCTYPE)),
        ("deviceKeyInfo", map(vec![("deviceKey", key)])),
        ("validityInfo", map(vec![("signed", date(0)), ("validFrom", date(0)), ("validUntil", date(30))])),
        ("status", map(vec![("status_list", list)])),
    ]);
    let namespaces =
        namespaces.into_iter().map(|(name, items)| (Cbor::text(name), Cbor::Array(items))).collect();
    cbor::encode(&map(vec![("nameSpaces", Cbor::Map(namespaces)), ("object", object)]))
}

fn item(id: u64, element: &str, value: Cbor) -> Cbor {
    map(vec![
        ("digestID", Cbor::Uint(id)),
        ("random", Cbor::bytes([id as u8; 16])),
        ("elementIdentifier", Cbor::text(element)),
        ("elementValue", value),
    ])
}

fn lists() -> Vec<Vec<u8>> {
    let mut list = StatusList::new(Bits::Two, 4096).expect("a small list");
    list.set(7, StatusValue::Suspended).expect("it has that entry");
    let packed = map(vec![("bits", Cbor::Uint(2)), ("lst", Cbor::Bytes(list.compressed()))]);
    let seconds = |after: i64| Cbor::int(now().as_second() + after);
    let claims = Cbor::Map(vec![
        (Cbor::Uint(2), Cbor::text("https://i.example/t/a/status/0")),
        (Cbor::Uint(4), seconds(3600)),
        (Cbor::Uint(6), seconds(0)),
        (Cbor::Uint(65_533), packed.clone()),
        (Cbor::Uint(65_534), Cbor::Uint(300)),
    ]);
    let bare = Cbor::Map(vec![
        (Cbor::Uint(2), Cbor::text("a")),
        (Cbor::Uint(6), seconds(0)),
        (Cbor::Uint(65_533), packed),
    ]);
    let [claims, bare] = [claims, bare].map(|claims| cbor::encode(&claims));
    let whole = cwt(&claims);
    vec![claims, bare, whole]
}

fn map(members: Vec<(&str, Cbor)>) -> Cbor {
    Cbor::Map(members.into_iter().map(|(name, value)| (Cbor::text(name), value)).collect())
}
