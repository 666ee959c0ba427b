//! The public tile log of `transparency-dev/tessera`: 15 entries, every width, 16 historic checkpoints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use tessera_tlog::checkpoint::SignedCheckpoint;
use tessera_tlog::merkle::{Hash, leaf_hash, root_of};
use tessera_tlog::note::VerifierKey;
use tessera_tlog::proof::{consistency_path, inclusion_path, verify_consistency, verify_inclusion};
use tessera_tlog::tile::{Edge, Level, NodeReader, TilePath, decode_bundle, decode_hashes};

const VKEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

fn bytes(name: &str) -> Vec<u8> {
    let root =
        std::env::var_os("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA to the folder of public vectors");
    let path = PathBuf::from(root).join("vectors/tlog").join(name);
    #[expect(clippy::disallowed_methods, reason = "a test reads its vectors in place")]
    std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn head(name: &str) -> SignedCheckpoint {
    SignedCheckpoint::open(&bytes(name), &[VerifierKey::parse(VKEY).unwrap()]).unwrap()
}

fn tile(level: Level, size: u64) -> Vec<u8> {
    bytes(&TilePath::at(level, 0, size).unwrap().to_string())
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_historic_checkpoint_is_the_root_of_its_bundle_and_tile() {
    for size in 1..=15u64 {
        let head = head(&format!("checkpoint.{size}"));
        assert_eq!(head.checkpoint().size, size);
        let bundle = tile(Level::Entries, size);
        let entries = decode_bundle(&bundle, size as usize).unwrap();
        let hashes = decode_hashes(&tile(Level::Hashes(0), size), size as usize).unwrap();
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(leaves, hashes);
        assert_eq!(root_of(&leaves), head.checkpoint().root, "size {size}");
        let mut edge = Edge::new();
        leaves.iter().for_each(|leaf| edge.push(*leaf, &mut Vec::new()));
        assert_eq!((edge.root(), edge.partial(0)), (head.checkpoint().root, &leaves[..]));
    }
    assert_eq!(head("checkpoint.0").checkpoint().root, root_of(&[]));
    assert_eq!(head("checkpoint").checkpoint(), head("checkpoint.15").checkpoint());
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_proof_between_the_historic_checkpoints_verifies() {
    let read = |path: TilePath| decode_hashes(&bytes(&path.to_string()), path.width());
    for new in 1..=15u64 {
        let new_root = head(&format!("checkpoint.{new}")).checkpoint().root;
        let mut reader = NodeReader::new(new, read);
        let leaves = decode_hashes(&tile(Level::Hashes(0), new), new as usize).unwrap();
        for old in 0..=new {
            let path = consistency_path(old, new, |height, index| reader.node(height, index)).unwrap();
            let old_root = head(&format!("checkpoint.{old}")).checkpoint().root;
            verify_consistency(old, new, &path, &old_root, &new_root).unwrap();
        }
        for index in 0..new {
            let path = inclusion_path(index, new, |height, index| reader.node(height, index)).unwrap();
            verify_inclusion(&leaves[index as usize], index, new, &path, &new_root).unwrap();
        }
    }
}
