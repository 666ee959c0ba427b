//! Targets of `protocol/tlog`.

use tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use tlog::commitment::{EMPTY_DETAIL, SaltedDetail};
use tlog::entry::Entry;
use tlog::merkle::{leaf_hash, node_hash};
use tlog::note::{KeyType, Note, VerifierKey, message_to_sign};
use tlog::proof_file::{Extra, ProofFile};
use tlog::tile::{TilePath, decode_bundle, decode_hashes, encode_bundle, encode_hashes};

use crate::fixed::{ORIGIN, parties};
use crate::input::{self, text};

/// A note has one spelling and holds under one key only; a text without signatures is signed and read back.
pub fn note(bytes: &[u8]) {
    let (right, wrong) = keys(KeyType::Ed25519);
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert!(note.verify(std::slice::from_ref(&wrong)).is_err());
        if let Ok(signers) = note.verify(&[wrong.clone(), right.clone()]) {
            assert_eq!(signers.len(), 1);
            input::accepted();
        }
        let _ = note.verify(&[keys(KeyType::CosignatureEd25519).0]);
    } else if let Some(note) = text(bytes).and_then(|text| signed(text, KeyType::Ed25519)) {
        let read = Note::parse(note.to_string().as_bytes()).expect("what we write we read");
        assert_eq!(read, note);
        assert!(read.verify(std::slice::from_ref(&right)).is_ok());
        assert!(read.verify(std::slice::from_ref(&wrong)).is_err());
    }
}

/// A checkpoint has one spelling, and opens only under the key and name of its log.
pub fn checkpoint(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(checkpoint) = Checkpoint::parse(text) else {
        let _ = SignedCheckpoint::open(bytes, &[keys(KeyType::Ed25519).0]);
        return;
    };
    assert_eq!(checkpoint.encode(), text);
    for key_type in [KeyType::Ed25519, KeyType::CosignatureEd25519] {
        let (right, wrong) = keys(key_type);
        let Some(note) = signed(text, key_type) else { continue };
        let note = note.to_string();
        let opened = SignedCheckpoint::open(note.as_bytes(), std::slice::from_ref(&right));
        assert_eq!(opened.is_ok(), checkpoint.origin == ORIGIN);
        if let Ok(opened) = opened {
            assert_eq!(opened.checkpoint(), &checkpoint);
            input::accepted();
        }
        assert!(SignedCheckpoint::open(note.as_bytes(), std::slice::from_ref(&wrong)).is_err());
        assert!(SignedCheckpoint::open(note.as_bytes(), &[right, wrong]).is_err());
    }
}

/// A path has one spelling, and a tile as many hashes as its path says.
pub fn tile_path(bytes: &[u8]) {
    let Some(path) = text(bytes).and_then(TilePath::parse) else { return };
    assert_eq!(path.to_string().as_bytes(), bytes);
    assert!((1..=256).contains(&path.width()));
    input::accepted();
    for size in [0, 1, 255, 256, 70_000, u64::MAX >> 1, u64::MAX] {
        if path.exists_at(size) {
            let whole = TilePath::at(path.level, path.n, size).expect("it exists");
            assert!(path.width() <= whole.width());
        }
    }
}

/// The first byte is the width less one. Bundles and tiles are written back.
pub fn bundle(bytes: &[u8]) {
    let Some((width, bytes)) = bytes.split_first() else { return };
    let width = usize::from(*width) + 1;
    if let Ok(entries) = decode_bundle(bytes, width) {
        assert_eq!(entries.len(), width);
        input::accepted();
        assert_eq!(encode_bundle(entries).expect("what was read fits"), bytes);
    }
    if let Some(hashes) = decode_hashes(bytes, width) {
        assert_eq!(hashes.len(), width);
        assert_eq!(encode_hashes(&hashes), bytes);
    }
}

/// An entry has one spelling.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode().expect("what was read can be written"), bytes);
        input::accepted();
    }
}

/// A file is written back. A proof of ours holds exactly if its entry and detail do; under another key never.
pub fn proof_file(bytes: &[u8]) {
    let (right, wrong) = keys(KeyType::Ed25519);
    if let Ok(file) = ProofFile::parse(bytes) {
        assert_eq!(file.encode(), bytes);
        assert!(file.verify(std::slice::from_ref(&wrong)).is_err());
        let _ = file.verify(std::slice::from_ref(&right));
        if let Some(extra) = file.extra.as_deref() {
            read_extra(extra);
        }
    }
    let _ = SaltedDetail::open(&[0; 32], ORIGIN, &[0; 16], bytes);
    let Some(extra) = read_extra(bytes) else { return };
    let (leaf, sibling) = (leaf_hash(&extra.entry), [9; 32]);
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 2, root: node_hash(&leaf, &sibling) };
    let note = signed(&checkpoint.encode(), KeyType::Ed25519).expect("a checkpoint is a text to sign");
    let file = ProofFile {
        extra: Some(bytes.to_vec()),
        index: 0,
        path: vec![sibling],
        checkpoint: note.to_string().into_bytes(),
    };
    assert_eq!(ProofFile::parse(&file.encode()).as_ref(), Ok(&file));
    assert!(file.verify(std::slice::from_ref(&wrong)).is_err());
    let elsewhere = ProofFile { index: 1, ..file.clone() };
    assert!(elsewhere.verify(std::slice::from_ref(&right)).is_err());
    let entry = Entry::decode(&extra.entry);
    match (file.verify(std::slice::from_ref(&right)), extra.detail) {
        (Ok(proven), None) => assert!(entry.as_ref() == Ok(&proven.entry) && proven.detail.is_none()),
        (Ok(proven), Some(salted)) => {
            assert!(salted.fits(&proven.entry.detail) && proven.detail.is_some());
            input::accepted();
        }
        (Err(_), None) => assert!(entry.is_err()),
        (Err(_), Some(salted)) => {
            assert!(!entry.is_ok_and(|entry| salted.fits(&entry.detail)) || salted.detail != EMPTY_DETAIL);
        }
    }
}

/// A verifier key has one spelling.
pub fn vkey(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
        let _ = key.fingerprint();
        input::accepted();
        assert!(key.verify("a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", &[1; 72]).is_err());
    }
}

fn keys(key_type: KeyType) -> (VerifierKey, VerifierKey) {
    (parties().log_key(key_type), parties().wrong_log_key(key_type))
}

fn read_extra(bytes: &[u8]) -> Option<Extra> {
    let extra = Extra::decode(bytes)?;
    assert_eq!(extra.encode(), bytes);
    Some(extra)
}

/// The text as a note of the log; none if no note can hold it.
fn signed(text: &str, key_type: KeyType) -> Option<Note> {
    let mut note = Note::unsigned(text.to_owned()).ok()?;
    let message = message_to_sign(text, key_type, ORIGIN, 1_800_000_000).ok()?;
    let signature = parties()
        .log
        .sign(::crypto::key::SignAlg::EdDsa, &message)
        .expect("a key signs with its own algorithm");
    note.attach(&parties().log_key(key_type), 1_800_000_000, &signature).expect("our signature verifies");
    Some(note)
}
