//! Samples for `protocol/tlog`.

use crypto::key::SignAlg;
use tessera_fuzz::fixed::{ORIGIN, parties};
use tlog::checkpoint::Checkpoint;
use tlog::commitment::{EMPTY_DETAIL, SaltedDetail};
use tlog::entry::{ActorKind, Entry, Outcome, PublicField};
use tlog::note::{KeyType, Note, VerifierKey, message_to_sign};
use tlog::proof_file::{Extra, ProofFile};
use tlog::tile::{encode_bundle, encode_hashes};

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("note", vec![note(KeyType::Ed25519), note(KeyType::CosignatureEd25519), b"a\n\nb\n".to_vec()]),
        ("checkpoint", vec![checkpoint().encode().into_bytes(), note(KeyType::Ed25519)]),
        (
            "tile_path",
            texts([
                "tile/0/000",
                "tile/63/x001/x234/067",
                "tile/1/x999/999.p/255",
                "tile/entries/x001/000.p/1",
            ]),
        ),
        ("bundle", bundles()),
        ("entry", vec![entry(true).encode().expect("in bounds"), entry(false).encode().expect("in bounds")]),
        ("proof_file", proof_files()),
        ("vkey", vkeys()),
    ]
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 70_000, root: [9; 32] }
}

fn note(key_type: KeyType) -> Vec<u8> {
    let text = checkpoint().encode();
    let message = message_to_sign(&text, key_type, ORIGIN, 1_800_000_000).expect("a checkpoint");
    let signature = parties().log.sign(SignAlg::EdDsa, &message).expect("its own algorithm");
    let mut note = Note::unsigned(text).expect("a checkpoint is a text to sign");
    note.attach(&parties().log_key(key_type), 1_800_000_000, &signature).expect("our signature verifies");
    note.to_string().into_bytes()
}

fn bundles() -> Vec<Vec<u8>> {
    let entry = entry(true).encode().expect("in bounds");
    let two = encode_bundle([&entry[..], b""]).expect("two entries");
    vec![[&[1], &two[..]].concat(), [&[2], &encode_hashes(&[[1; 32]; 3])[..]].concat()]
}

fn entry(full: bool) -> Entry {
    let list = PublicField::List(vec![PublicField::Bytes(vec![4; 32]), PublicField::Uint(1)]);
    Entry {
        kind: "credential-issued".into(),
        second: 1_767_225_600,
        outcome: Outcome::Done,
        actor: ActorKind::Holder,
        event_id: [7; 16],
        subject: full.then_some([1; 32]),
        detail: salted().commitment(),
        policy: full.then_some([3; 32]),
        public: if full { vec![(10, PublicField::Uint(300)), (11, list)] } else { Vec::new() },
    }
}

fn salted() -> SaltedDetail {
    SaltedDetail { salt: [2; 32], detail: EMPTY_DETAIL.to_vec() }
}

fn proof_files() -> Vec<Vec<u8>> {
    let extra = |detail| Extra { entry: entry(false).encode().expect("in bounds"), detail }.encode();
    let file = ProofFile {
        extra: Some(extra(Some(salted()))),
        index: 5,
        path: vec![[1; 32], [2; 32]],
        checkpoint: note(KeyType::Ed25519),
    };
    let bare = ProofFile { extra: None, path: Vec::new(), ..file.clone() };
    vec![file.encode(), bare.encode(), extra(Some(salted())), extra(None)]
}

fn vkeys() -> Vec<Vec<u8>> {
    let mldsa = crypto::key::PrivateKey::from_secret(crypto::key::KeyAlg::MlDsa44, &[8; 32]).expect("a seed");
    let mldsa = VerifierKey::new(ORIGIN, KeyType::MlDsa44, mldsa.public()).expect("a key under a key name");
    let ed25519 = [KeyType::Ed25519, KeyType::CosignatureEd25519].map(|key_type| parties().log_key(key_type));
    ed25519.iter().chain([&mldsa]).map(|key| key.to_string().into_bytes()).collect()
}
