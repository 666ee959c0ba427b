//! Status lists as CWT: signed, read, and refused where they must be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::path::PathBuf;

use crypto::cbor::{self, CborLimits, Value};
use crypto::cose::{self, Sign1, Sign1Draft};
use crypto::hex;
use crypto::key::SignAlg;
use jiff::{SignedDuration, Timestamp};
use tessera_credential::presentation::{StatusAnswer, StatusPolicy};
use tessera_credential::status::{
    Bits, CWT_TYP, ListDraft, ListError, ListFault, ListToken, StatusList, StatusValue, VerifiedList,
};
use world::{LIST_URI, Root, Signer, World, now};

const LIMITS: CborLimits = CborLimits { bytes_max: 1 << 20, depth_max: 16 };

fn draft(list: &StatusList) -> Sign1Draft {
    let draft = ListDraft {
        uri: LIST_URI,
        issued_at: now(),
        expires_at: now() + SignedDuration::from_hours(12),
        ttl_s: 300,
        aggregation_uri: Some("https://issuer.example/t/default/status"),
    };
    draft.draft_cwt(list)
}

fn sign(draft: Sign1Draft, signer: &Signer) -> Vec<u8> {
    let draft = draft.with_alg(SignAlg::Es256).with_x5chain(&signer.chain);
    draft.assemble(&signer.key.sign(SignAlg::Es256, &draft.to_be_signed()).unwrap())
}

fn read(world: &World, token: &[u8]) -> Result<VerifiedList, ListFault> {
    ListToken::parse_cwt(token)?.verify(&world.trust(), now())
}

/// The claims changed, then signed by the lists' signer.
fn with_claims(world: &World, list: &StatusList, change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let mut draft = draft(list);
    let Value::Map(mut claims) = cbor::decode(&draft.payload, &LIMITS).unwrap() else { panic!("a map") };
    change(&mut claims);
    draft.payload = cbor::encode(&Value::Map(claims));
    sign(draft, &world.lists)
}

fn suspended() -> StatusList {
    let mut list = StatusList::new(Bits::Two, 131_072).unwrap();
    list.set(412, StatusValue::Suspended).unwrap();
    list.set(413, StatusValue::Invalid).unwrap();
    list
}

#[test]
fn a_list_of_two_bits_is_signed_as_cwt_and_read_back() {
    let world = World::new();
    let token = sign(draft(&suspended()), &world.lists);
    assert_eq!(token[0], 0xd2, "tag 18 and nothing before it");
    let list = read(&world, &token).unwrap();
    assert_eq!((list.subject(), list.entries()), (LIST_URI, 131_072));
    let values = [411, 412, 413].map(|idx| list.value(idx).unwrap());
    assert_eq!(values, [StatusValue::Valid, StatusValue::Suspended, StatusValue::Invalid]);
    assert_eq!(list.value(131_072), Err(ListError::OutOfRange));
    assert_eq!(list.fresh_until(now()), now() + SignedDuration::from_mins(5));
}

#[test]
fn a_cwt_says_the_same_of_a_credential_as_a_jwt() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let checked = |list: &VerifiedList| {
        let answer = StatusAnswer::List { list, fetched_at: now() };
        world::failures(&world.check_answer(&presentation, &answer, &StatusPolicy::default()).results)
    };
    let good = StatusList::new(Bits::Two, 131_072).unwrap();
    assert_eq!(checked(&read(&world, &sign(draft(&good), &world.lists)).unwrap()), [""; 0]);
    let cwt = read(&world, &sign(draft(&suspended()), &world.lists)).unwrap();
    assert_eq!(checked(&cwt), ["VP-054 status/suspended"]);
    assert_eq!(checked(&world.verified_list(&world.list(&suspended(), LIST_URI))), checked(&cwt));
}

#[test]
fn a_token_of_another_type_form_or_tag_is_refused() {
    let world = World::new();
    let list = suspended();
    let refused = |token: &[u8]| read(&world, token).map(|_| ()).unwrap_err();
    let good = sign(draft(&list), &world.lists);
    let mut other = draft(&list);
    other.protected = vec![(cose::TYPE, Value::text("application/cwt"))];
    assert_eq!(refused(&sign(other, &world.lists)), ListFault::Typ);
    let mut outside = draft(&list);
    outside.unprotected = std::mem::take(&mut outside.protected);
    assert_eq!(refused(&sign(outside, &world.lists)), ListFault::Typ, "a type that nobody signed");
    let tag_61 = [&[0xd8, 61], &good[..]].concat();
    assert_eq!(refused(&tag_61), ListFault::Malformed);
    assert_eq!(refused(&good[..good.len() - 1]), ListFault::Malformed);
    assert_eq!(refused(world.list(&list, LIST_URI).as_bytes()), ListFault::Malformed, "a JWT");
    let detached = Sign1Draft { detached: true, ..draft(&list) };
    assert_eq!(refused(&sign(detached, &world.lists)), ListFault::Malformed);
}

#[test]
fn a_claim_that_is_missing_or_malformed_is_refused() {
    let world = World::new();
    let list = suspended();
    let refused = |label: i64, value: Option<Value>| {
        let token = with_claims(&world, &list, |claims| {
            claims.retain(|(key, _)| key.as_int() != Some(label));
            claims.extend(value.map(|value| (Value::int(label), value)));
        });
        read(&world, &token).map(|_| ()).unwrap_err()
    };
    for label in [2, 6, 65_533] {
        assert_eq!(refused(label, None), ListFault::Claims, "{label}");
    }
    assert_eq!(refused(65_534, Some(Value::Uint(0))), ListFault::Claims);
    assert_eq!(refused(4, Some(Value::text("never"))), ListFault::Claims);
    assert_eq!(refused(6, Some(Value::int(-1))), ListFault::Claims);
    let packed =
        |bits: u64, lst: Value| Some(Value::Map(vec![("bits".into(), bits.into()), ("lst".into(), lst)]));
    assert_eq!(refused(65_533, packed(3, Value::bytes(list.compressed()))), ListFault::Claims);
    assert_eq!(refused(65_533, packed(2, Value::text("eNrb"))), ListFault::Claims);
    assert_eq!(refused(65_533, packed(2, Value::bytes([1, 2]))), ListFault::List(ListError::NotZlib));
}

#[test]
fn a_list_by_a_stranger_or_under_anothers_certificate_is_refused() {
    let world = World::new();
    let refused = |token: &[u8]| read(&world, token).map(|_| ()).unwrap_err();
    let stranger = Root::new("Stranger").signer("Lists");
    assert!(matches!(refused(&sign(draft(&suspended()), &stranger)), ListFault::Path(_)));
    let borrowed = Signer { key: stranger.key, chain: world.lists.chain.clone() };
    assert_eq!(refused(&sign(draft(&suspended()), &borrowed)), ListFault::Signature);
    let bare = draft(&suspended()).with_alg(SignAlg::Es256);
    assert_eq!(refused(&bare.assemble(&[0; 64])), ListFault::Certificates);
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_cwt_of_the_draft_is_read_and_ours_has_its_form() {
    let root = std::env::var_os("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA");
    let file = PathBuf::from(root).join("vectors/status-list/status_list_cwt.md");
    let text: String = std::fs::read_to_string(file).unwrap().split_whitespace().collect();
    let bytes = hex::decode(&text).unwrap();
    assert!(ListToken::parse_cwt(&bytes).is_ok());
    let theirs = Sign1::parse(&bytes, &LIMITS).unwrap();
    let claims = cbor::decode_any_order(theirs.payload().unwrap(), &LIMITS).unwrap();
    let packed = claims.get_int(65_533).unwrap();
    let list = StatusList::inflated(Bits::One, packed.get("lst").unwrap().as_bytes().unwrap()).unwrap();
    let at = |label| Timestamp::from_second(claims.get_int(label).unwrap().as_int().unwrap()).unwrap();
    let ours = ListDraft {
        uri: claims.get_int(2).unwrap().as_text().unwrap(),
        issued_at: at(6),
        expires_at: at(4),
        ttl_s: u32::try_from(claims.get_int(65_534).unwrap().as_uint().unwrap()).unwrap(),
        aggregation_uri: None,
    };
    let ours = ours.draft_cwt(&list).with_alg(SignAlg::Es256);
    let read = Sign1::parse(&ours.assemble(&[0; 64]), &LIMITS).unwrap();
    assert_eq!(read.protected(&cose::TYPE), Some(&Value::text(CWT_TYP)));
    assert_eq!((read.alg(), read.protected(&cose::TYPE)), (theirs.alg(), theirs.protected(&cose::TYPE)));
    // The bytes inside zlib may differ from packer to packer; all else is the same claim by claim.
    let without_list = |claims: &Value| {
        let kept = claims.as_map().unwrap().iter().filter(|(key, _)| key.as_int() != Some(65_533));
        cbor::encode(&Value::Map(kept.cloned().collect()))
    };
    let own = cbor::decode(&ours.payload, &LIMITS).unwrap();
    assert_eq!(without_list(&own), without_list(&claims));
    let own = own.get_int(65_533).unwrap();
    assert_eq!(own.get("bits"), packed.get("bits"));
    assert_eq!(StatusList::inflated(Bits::One, own.get("lst").unwrap().as_bytes().unwrap()), Ok(list));
}
