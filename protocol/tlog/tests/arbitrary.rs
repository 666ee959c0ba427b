//! No reader of foreign bytes panics, and none takes two spellings of one value.

use proptest::prelude::*;
use tessera_tlog::checkpoint::Checkpoint;
use tessera_tlog::commitment::SaltedDetail;
use tessera_tlog::entry::{ActorKind, Entry, Outcome, PublicField};
use tessera_tlog::note::{Note, VerifierKey};
use tessera_tlog::proof::{verify_consistency, verify_inclusion};
use tessera_tlog::proof_file::{Extra, ProofFile};
use tessera_tlog::tile::{NodeReader, TilePath, decode_bundle, decode_hashes, encode_bundle};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic_a_reader(bytes: Vec<u8>, width in 0usize..300) {
        let _ = Note::parse(&bytes);
        let _ = Entry::decode(&bytes);
        let _ = ProofFile::parse(&bytes);
        let _ = Extra::decode(&bytes);
        let _ = decode_hashes(&bytes, width);
        let _ = SaltedDetail::open(&[0; 32], "o", &[0; 16], &bytes);
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(entries).unwrap(), bytes);
        }
    }

    #[test]
    fn arbitrary_text_never_panics_a_reader(text: String) {
        let _ = TilePath::parse(&text);
        let _ = TilePath::parse(&format!("tile/{text}"));
        let _ = TilePath::parse(&format!("tile/0/{text}"));
        let _ = VerifierKey::parse(&text);
        let _ = Checkpoint::parse(&text);
        let _ = Note::parse(format!("{text}\n\n— {text}\n").as_bytes());
        let _ = ProofFile::parse(format!("c2sp.org/tlog-proof@v1\n{text}").as_bytes());
    }

    #[test]
    fn text_that_is_nearly_a_note_is_read_in_its_one_spelling_or_refused(text in "([a-z]{0,3}\n){0,4}(\n?— [a-z+ ]{1,4} [A-Za-z0-9+/]{8,12}={0,2}\n){0,4}") {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn text_that_is_nearly_a_checkpoint_is_read_in_its_one_spelling_or_refused(text in "[a-z]{0,2}\n[0-9]{0,20}\n[A-Za-z0-9+/]{43}=\n{0,2}") {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.encode(), text);
        }
    }

    #[test]
    fn arbitrary_proofs_never_panic_and_never_verify(leaf: [u8; 32], index: u64, size: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70), root: [u8; 32]) {
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
        prop_assert!(verify_consistency(index, size, &path, &leaf, &root).is_err());
    }

    #[test]
    fn arbitrary_node_questions_never_panic_the_reader(height: u8, index: u64, size: u64) {
        let mut reader = NodeReader::new(size, |path: TilePath| Some(vec![[0; 32]; path.width()]));
        let _ = reader.node(height, index);
    }

    #[test]
    fn a_mutated_entry_is_refused_or_is_another_entry(place: prop::sample::Index, bit in 0u8..8) {
        let mut changed = entry().encode().unwrap();
        let place = place.index(changed.len());
        changed[place] ^= 1 << bit;
        if let Ok(read) = Entry::decode(&changed) {
            prop_assert_ne!(&read, &entry());
            prop_assert_eq!(read.encode().unwrap(), changed);
        }
    }
}

fn entry() -> Entry {
    Entry {
        kind: "credential-issued".into(),
        second: 1_767_225_600,
        outcome: Outcome::Done,
        actor: ActorKind::Holder,
        event_id: [7; 16],
        subject: Some([1; 32]),
        detail: [2; 32],
        policy: Some([3; 32]),
        public: vec![
            (10, PublicField::Uint(300)),
            (11, PublicField::List(vec![PublicField::Bytes(vec![4; 32]), PublicField::Uint(1)])),
        ],
    }
}
