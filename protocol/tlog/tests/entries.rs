//! Entries: the known answer, the rules of schema 1, proof files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto::cbor::{self, Value};
use crypto::hex;
use crypto::key::{PrivateKey, SignAlg};
use tessera_tlog::checkpoint::Checkpoint;
use tessera_tlog::commitment::{SaltedDetail, detail_commitment, subject_commitment};
use tessera_tlog::entry::{ActorKind, Entry, EntryFault, Outcome, PublicField};
use tessera_tlog::merkle::{Hash, leaf_hash, root_of};
use tessera_tlog::note::{KeyType, Note, VerifierKey};
use tessera_tlog::proof::inclusion_path;
use tessera_tlog::proof_file::{Extra, ProofFile, ProofFileFault, ProofVerifyFault};

const ORIGIN: &str = "h.example/log/t/acme";

fn event_id() -> [u8; 16] {
    std::array::from_fn(|place| place as u8)
}

fn salted() -> SaltedDetail {
    let detail = cbor::encode(&Value::Map(vec![(Value::Uint(1), Value::text("grt_7"))]));
    SaltedDetail { salt: [0x22; 32], detail }
}

/// The known answer of the ledger's design.
fn known() -> Entry {
    Entry {
        kind: "credential-issued".into(),
        second: 1_767_225_600,
        outcome: Outcome::Done,
        actor: ActorKind::Holder,
        event_id: event_id(),
        subject: Some(subject_commitment(&[0x11; 32], &event_id())),
        detail: salted().commitment(),
        policy: None,
        public: Vec::new(),
    }
}

#[test]
fn the_known_answer_has_120_bytes_and_its_commitments_and_leaf_hash() {
    let bytes = known().encode().unwrap();
    let (key6, key7) = (hex::encode(&known().subject.unwrap()), hex::encode(&known().detail));
    assert_eq!(bytes.len(), 120);
    assert!(key6.starts_with("a8faa787") && key6.ends_with("cdfde05a"), "{key6}");
    assert!(key7.starts_with("c40cb500") && key7.ends_with("8a4effdb"), "{key7}");
    assert_eq!(
        hex::encode(&leaf_hash(&bytes)),
        "9e16d7ff20598ac211018a440363ed1261d7618a38ce087305d68cccd7ea107f"
    );
    assert_eq!(Entry::decode(&bytes).unwrap(), known());
}

#[test]
fn an_empty_detail_is_committed_to_as_an_empty_map() {
    let salted = SaltedDetail { salt: [1; 32], detail: vec![0xa0] };
    assert_eq!(salted.commitment(), detail_commitment(&[1; 32], &cbor::encode(&Value::Map(vec![]))));
}

/// The known answer as a CBOR map in which one pair is replaced, added or (with `None`) taken away.
fn with(key: u64, value: Option<Value>) -> Vec<u8> {
    let limits = cbor::CborLimits { bytes_max: 1024, depth_max: 4 };
    let Value::Map(mut pairs) = cbor::decode(&known().encode().unwrap(), &limits).unwrap() else { panic!() };
    pairs.retain(|(name, _)| name.as_uint() != Some(key));
    pairs.extend(value.map(|value| (Value::Uint(key), value)));
    cbor::encode(&Value::Map(pairs))
}

#[test]
fn what_breaks_a_rule_of_the_schema_is_refused_with_its_key() {
    let list = |n: usize| Value::Array(vec![Value::Uint(1); n]);
    let cases = [
        (0, Some(Value::Uint(2)), EntryFault::Schema),
        (0, None, EntryFault::Missing(0)),
        (1, Some(Value::text("ab")), EntryFault::Value(1)),
        (1, Some(Value::text("x".repeat(49))), EntryFault::Value(1)),
        (1, Some(Value::text("Credential")), EntryFault::Value(1)),
        (1, Some(Value::text("credential issued")), EntryFault::Value(1)),
        (1, Some(Value::bytes(*b"abc")), EntryFault::Value(1)),
        (2, Some(Value::Nint(-1)), EntryFault::Value(2)),
        (3, Some(Value::Uint(4)), EntryFault::Value(3)),
        (4, Some(Value::Uint(7)), EntryFault::Value(4)),
        (4, Some(Value::Uint(u64::MAX)), EntryFault::Value(4)),
        (5, Some(Value::bytes([0; 15])), EntryFault::Value(5)),
        (6, Some(Value::bytes([0; 33])), EntryFault::Value(6)),
        (7, None, EntryFault::Missing(7)),
        (8, Some(Value::text("policy")), EntryFault::Value(8)),
        (9, Some(Value::Uint(0)), EntryFault::UnknownKey(9)),
        (32, Some(Value::Uint(0)), EntryFault::UnknownKey(32)),
        (300, Some(Value::Uint(0)), EntryFault::UnknownKey(300)),
        (10, Some(Value::text("name")), EntryFault::Value(10)),
        (10, Some(Value::bytes([0; 65])), EntryFault::Value(10)),
        (10, Some(list(17)), EntryFault::Value(10)),
        (10, Some(Value::Array(vec![list(1)])), EntryFault::Value(10)),
        (10, Some(Value::Bool(true)), EntryFault::Value(10)),
        (10, Some(Value::Map(vec![])), EntryFault::Value(10)),
        (31, Some(Value::Null), EntryFault::Value(31)),
    ];
    for (key, value, fault) in cases {
        assert_eq!(Entry::decode(&with(key, value.clone())), Err(fault), "{key}: {value:?}");
    }
    assert!(Entry::decode(&with(6, None)).is_ok(), "an event about nobody");
    assert!(Entry::decode(&with(31, Some(list(16)))).is_ok());
    assert!(Entry::decode(&with(10, Some(Value::bytes([0; 64])))).is_ok());
}

#[test]
fn an_entry_that_is_not_a_map_with_unsigned_keys_is_refused() {
    for value in [Value::Uint(1), Value::Array(vec![]), Value::Map(vec![(Value::text("a"), Value::Uint(1))])]
    {
        assert_eq!(Entry::decode(&cbor::encode(&value)), Err(EntryFault::NotAMap));
    }
}

#[test]
fn an_entry_in_another_encoding_of_the_same_map_is_refused() {
    let bytes = known().encode().unwrap();
    let trailing = [&bytes[..], &[0]].concat();
    assert!(matches!(Entry::decode(&trailing), Err(EntryFault::Cbor(_))));
    let long_head = [&[0xb8, bytes[0] & 0x1f], &bytes[1..]].concat();
    assert!(matches!(Entry::decode(&long_head), Err(EntryFault::Cbor(_))));
    let indefinite = [&[0xbf], &bytes[1..], &[0xff]].concat();
    assert!(matches!(Entry::decode(&indefinite), Err(EntryFault::Cbor(_))));
    assert!(Entry::decode(&[]).is_err());
}

#[test]
fn an_entry_past_its_bound_is_neither_written_nor_read() {
    let wide = PublicField::List(vec![PublicField::Bytes(vec![0; 64]); 16]);
    let mut entry = known();
    entry.public = vec![(10, wide)];
    assert_eq!(entry.encode(), Err(EntryFault::TooLong));
    assert!(matches!(Entry::decode(&[0; 1025]), Err(EntryFault::Cbor(_))));
}

#[test]
fn public_fields_out_of_order_or_twice_are_not_written() {
    let mut entry = known();
    for keys in [[11, 10], [10, 10]] {
        entry.public = keys.map(|key| (key, PublicField::Uint(1))).to_vec();
        assert!(entry.encode().is_err());
    }
    entry.public = vec![(9, PublicField::Uint(1))];
    assert_eq!(entry.encode(), Err(EntryFault::UnknownKey(9)));
}

/// A log of seven leaves with the known entry at 4, and its key.
fn proof_file(extra: &Extra) -> (ProofFile, VerifierKey) {
    let mut leaves: Vec<Hash> = (0u8..7).map(|i| leaf_hash(&[i])).collect();
    leaves[4] = leaf_hash(&known().encode().unwrap());
    let private = PrivateKey::generate(KeyType::Ed25519.key_alg());
    let vkey = VerifierKey::new(ORIGIN, KeyType::Ed25519, private.public()).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 7, root: root_of(&leaves) };
    let mut note = Note::unsigned(checkpoint.encode()).unwrap();
    note.attach(&vkey, 0, &private.sign(SignAlg::EdDsa, note.text().as_bytes()).unwrap()).unwrap();
    let path = inclusion_path(4, 7, |height, index| {
        let start = (index << height) as usize;
        leaves.get(start..start + (1usize << height)).map(root_of)
    });
    let checkpoint = note.to_string().into_bytes();
    (ProofFile { extra: Some(extra.encode()), index: 4, path: path.unwrap(), checkpoint }, vkey)
}

fn extra() -> Extra {
    Extra { entry: known().encode().unwrap(), detail: Some(salted()) }
}

#[test]
fn a_proof_file_survives_the_round_trip_and_proves_its_entry_and_detail() {
    let (file, vkey) = proof_file(&extra());
    let text = file.encode();
    assert!(text.starts_with(b"c2sp.org/tlog-proof@v1\nextra "));
    let read = ProofFile::parse(&text).unwrap();
    assert_eq!(read, file);
    let proven = read.verify(&[vkey]).unwrap();
    assert_eq!((proven.index, &proven.entry), (4, &known()));
    assert_eq!(proven.detail.unwrap().get_int(1).unwrap().as_text(), Some("grt_7"));
}

#[test]
fn after_erasure_a_proof_still_holds_and_shows_no_detail() {
    let (file, vkey) = proof_file(&Extra { detail: None, ..extra() });
    let proven = file.verify(&[vkey]).unwrap();
    assert_eq!((proven.entry, proven.detail), (known(), None));
}

#[test]
fn a_proof_with_another_entry_index_detail_path_or_key_proves_nothing() {
    let (file, vkey) = proof_file(&extra());
    let keys = std::slice::from_ref(&vkey);
    let mut other = known();
    other.second += 1;
    let forged = Extra { entry: other.encode().unwrap(), ..extra() };
    let changed = ProofFile { extra: Some(forged.encode()), ..file.clone() };
    assert!(matches!(changed.verify(keys), Err(ProofVerifyFault::Inclusion { index: 4, .. })));
    let changed = ProofFile { index: 5, ..file.clone() };
    assert!(matches!(changed.verify(keys), Err(ProofVerifyFault::Inclusion { index: 5, .. })));
    let false_detail = SaltedDetail { detail: vec![0xa0], ..salted() };
    let forged = Extra { detail: Some(false_detail), ..extra() };
    let changed = ProofFile { extra: Some(forged.encode()), ..file.clone() };
    assert_eq!(changed.verify(keys), Err(ProofVerifyFault::Detail { index: 4 }));
    let changed = ProofFile { path: file.path[1..].to_vec(), ..file.clone() };
    assert!(matches!(changed.verify(keys), Err(ProofVerifyFault::Inclusion { .. })));
    let (_, stranger) = proof_file(&extra());
    assert!(matches!(file.verify(&[stranger]), Err(ProofVerifyFault::Checkpoint(_))));
    let changed = ProofFile { extra: None, ..file };
    assert_eq!(changed.verify(keys), Err(ProofVerifyFault::NoEntry));
}

#[test]
fn a_proof_file_has_one_spelling() {
    let (file, _) = proof_file(&extra());
    let text = String::from_utf8(file.encode()).unwrap();
    let cases = [
        (text.replace("@v1", "@v2"), ProofFileFault::FirstLine),
        (text.replace("index 4", "index 04"), ProofFileFault::Index),
        (text.replace("index 4\n", ""), ProofFileFault::Index),
        (text.replace("extra ", "extra  "), ProofFileFault::Extra),
        (text.replace("index 4\n", "index 4\nAAAA\n"), ProofFileFault::Path { line: 1 }),
        (
            text.replace(
                "index 4\n",
                &format!("index 4\n{}", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".repeat(63)),
            ),
            ProofFileFault::Path { line: 64 },
        ),
        ("c2sp.org/tlog-proof@v1\nindex 0\n".into(), ProofFileFault::NoCheckpoint),
        (text.replace('\n', "\r\n"), ProofFileFault::FirstLine),
        ("x".repeat(200_000), ProofFileFault::TooLong),
    ];
    for (text, fault) in cases {
        assert_eq!(ProofFile::parse(text.as_bytes()), Err(fault), "{}", &text[..60.min(text.len())]);
    }
}

#[test]
fn extra_data_with_half_a_detail_or_more_than_that_is_refused() {
    let map = |pairs: &[(u64, Value)]| {
        cbor::encode(&Value::Map(pairs.iter().map(|(k, v)| (Value::Uint(*k), v.clone())).collect()))
    };
    let (entry, salt, detail) = (Value::bytes([1]), Value::bytes([2; 32]), Value::bytes([0xa0]));
    assert!(Extra::decode(&map(&[(0, entry.clone()), (1, salt.clone()), (2, detail.clone())])).is_some());
    assert_eq!(Extra::decode(&map(&[(0, entry.clone()), (1, salt.clone())])), None);
    assert_eq!(Extra::decode(&map(&[(0, entry.clone()), (2, detail.clone())])), None);
    assert_eq!(Extra::decode(&map(&[(0, entry.clone()), (3, detail.clone())])), None);
    assert_eq!(Extra::decode(&map(&[(1, salt), (2, detail)])), None);
    assert_eq!(Extra::decode(&map(&[(0, entry), (1, Value::bytes([0; 31])), (2, Value::bytes([]))])), None);
}
