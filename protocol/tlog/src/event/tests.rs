use super::*;
use crate::commitment::EMPTY_DETAIL;
use crate::entry::{ENTRY_BYTES_MAX, PUBLIC_KEYS, is_kind};
use std::collections::BTreeSet;

fn stamp() -> Stamp {
    Stamp {
        event_id: [1; 16],
        salt: [2; 32],
        second: 1_767_225_600,
        actor: ActorKind::System,
        policy: Some([3; 32]),
    }
}

fn all_fields(event: &EventDoc) -> impl Iterator<Item = &'static FieldDoc> {
    event.leaf.iter().chain(event.detail)
}

#[test]
fn no_two_events_have_one_name() {
    let names: BTreeSet<&str> = CATALOGUE.iter().map(|event| event.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
}

#[test]
fn names_are_kebab_case_of_at_least_two_words() {
    for event in CATALOGUE {
        let words: Vec<&str> = event.name.split('-').collect();
        assert!(is_kind(event.name) && words.len() >= 2, "{}", event.name);
        assert!(
            words.iter().all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase())),
            "{}",
            event.name
        );
    }
}

#[test]
fn a_variant_is_named_as_its_event() {
    for (event, doc) in Event::samples().iter().zip(CATALOGUE) {
        let variant = format!("{event:?}");
        let variant = variant.split([' ', '{']).next().unwrap();
        let joined: String = doc.name.split('-').map(|w| w[..1].to_uppercase() + &w[1..]).collect();
        assert_eq!(joined, variant);
        assert_eq!(event.name(), doc.name);
        assert_eq!((event.outcome(), event.log()), (doc.outcome, doc.log));
        assert_eq!(event.subject().map(|subject| subject.kind), doc.subject);
    }
}

#[test]
fn a_name_that_says_refused_has_that_outcome() {
    for event in CATALOGUE {
        let says =
            ["-refused", "-rejected", "-declined", "-unreadable"].iter().any(|e| event.name.ends_with(e));
        assert!(!says || event.outcome == Outcome::Refused, "{}", event.name);
        assert_eq!(event.name.ends_with("-expired"), event.outcome == Outcome::TimedOut, "{}", event.name);
    }
}

#[test]
fn keys_of_fields_ascend_within_their_range() {
    for event in CATALOGUE {
        assert!(event.leaf.windows(2).all(|pair| pair[0].key < pair[1].key), "{}", event.name);
        assert!(event.detail.windows(2).all(|pair| pair[0].key < pair[1].key), "{}", event.name);
        assert!(event.leaf.iter().all(|field| PUBLIC_KEYS.contains(&field.key)), "{}", event.name);
        assert!(event.detail.iter().all(|field| (1..=23).contains(&field.key)), "{}", event.name);
        let names: BTreeSet<&str> = all_fields(event).map(|field| field.name).collect();
        assert_eq!(names.len(), event.leaf.len() + event.detail.len(), "{}", event.name);
    }
}

#[test]
fn a_leaf_holds_no_text() {
    for event in Event::samples() {
        let entry = Leaf::of(&event, &stamp(), event.subject().map(|_| &[4; 32])).unwrap().entry;
        let map =
            cbor::decode(&entry, &cbor::CborLimits { bytes_max: ENTRY_BYTES_MAX, depth_max: 3 }).unwrap();
        for (key, value) in map.as_map().unwrap() {
            let items = value.as_array().unwrap_or(std::slice::from_ref(value));
            let plain = items.iter().all(|item| item.as_uint().is_some() || item.as_bytes().is_some());
            assert!(plain || key.as_uint() == Some(1), "{} key {key:?}", event.name());
        }
        let canary = b"crd_0123456789abcdefghjkmnpqrs";
        assert!(!entry.windows(canary.len()).any(|window| window == canary), "{}", event.name());
    }
}

#[test]
fn a_leaf_field_is_no_id_of_a_person_or_key() {
    for field in CATALOGUE.iter().flat_map(|event| event.leaf) {
        assert!(!field.name.ends_with("_id") && !field.ty.contains("String"), "{}", field.name);
    }
}

#[test]
fn no_field_is_made_for_a_secret_or_an_address() {
    const FORBIDDEN: [&str; 21] = [
        "secret",
        "token",
        "password",
        "passphrase",
        "otp",
        "pin",
        "claim",
        "claims",
        "disclosure",
        "vp_token",
        "nonce",
        "salt",
        "private",
        "email",
        "ip",
        "address",
        "user_agent",
        "phone",
        "body",
        "header",
        "reason_text",
    ];
    for event in CATALOGUE {
        for field in all_fields(event) {
            assert!(!FORBIDDEN.contains(&field.name), "{}: {}", event.name, field.name);
        }
    }
}

#[test]
fn an_event_about_a_person_says_that_its_detail_is_pseudonymous() {
    for event in CATALOGUE {
        assert!(event.subject.is_none() || event.data == DataCategory::Pseudonym, "{}", event.name);
    }
}

#[test]
fn events_of_the_public_system_log_hold_hashes_only() {
    for event in CATALOGUE.iter().filter(|event| event.log == LogChoice::System) {
        assert!(event.detail.is_empty() && event.subject.is_none(), "{}", event.name);
        assert!(event.leaf.iter().all(|field| field.name.ends_with("_sha256")), "{}", event.name);
    }
}

#[test]
fn every_event_makes_an_entry_within_its_bound_that_commits_to_its_detail() {
    for event in Event::samples() {
        let leaf = Leaf::of(&event, &stamp(), event.subject().map(|_| &[4; 32])).unwrap();
        let entry = Entry::decode(&leaf.entry).unwrap();
        assert_eq!(entry.kind, event.name());
        assert!(leaf.detail.fits(&entry.detail));
        assert_eq!(entry.subject.is_some(), event.subject().is_some());
        assert_eq!(entry.public.len(), describe(event.name()).unwrap().leaf.len());
        assert!(leaf.detail.detail.len() <= DETAIL_BYTES_MAX, "{}", event.name());
    }
}

#[test]
fn an_entry_about_a_person_is_not_written_without_that_persons_key() {
    let about = Event::OperatorLinkSpent { operator: "opr_1".into(), purpose: "first".into() };
    assert_eq!(Leaf::of(&about, &stamp(), None), Err(LeafFault::SubjectKey));
    let house = Event::ServerStopped { uptime_s: 1 };
    assert_eq!(Leaf::of(&house, &stamp(), Some(&[4; 32])), Err(LeafFault::SubjectKey));
}

#[test]
fn a_detail_that_is_too_long_is_refused() {
    let event = Event::ServerStarted { version: "x".repeat(DETAIL_BYTES_MAX) };
    assert_eq!(Leaf::of(&event, &stamp(), None), Err(LeafFault::DetailTooLong));
}

#[test]
fn absent_fields_leave_no_trace() {
    let event = Event::KeyUseRefused { container: None, key_id: "key_1".into(), code: "keys/state".into() };
    assert!(event.public().is_empty());
    assert_eq!(Event::ServerStopped { uptime_s: 1 }.detail(), EMPTY_DETAIL);
    let anonymous = Event::OperatorLinkRefused { operator: None, code: "link/spent".into() };
    assert_eq!(anonymous.subject(), None);
}

#[test]
fn an_event_states_the_keys_that_signed_in_its_unit() {
    let key_use = KeyUse { key_id: "key_1".into(), version: 2, count: 1 };
    let signed =
        Event::MetadataSigned { sha256: [0; 32], document: "issuer".into(), key_use: key_use.clone() };
    assert_eq!(signed.key_uses(), [&key_use]);
    assert_eq!(signed.key_use(), Some(&key_use));
    assert!(Event::ServerStopped { uptime_s: 1 }.key_uses().is_empty());
}

#[test]
fn the_detail_of_the_pages_example_is_the_map_that_it_names() {
    let event = Event::ResultRead { session: "grt_7".into() };
    assert_eq!(crypto::hex::encode(&event.detail()), "a101656772745f37");
}
