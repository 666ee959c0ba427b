//! Every proof of every tree up to 130 leaves, against the crate `ct-merkle`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use tessera_tlog::merkle::{Frontier, Hash, leaf_hash, root_of};
use tessera_tlog::proof::{
    PathFault, ProofFault, consistency_path, inclusion_path, verify_consistency, verify_inclusion,
};

const LEAVES: u64 = 130;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// The roots of complete subtrees, computed anew from the leaves each time.
fn reader(leaves: &[Hash]) -> impl FnMut(u8, u64) -> Option<Hash> + '_ {
    |height, index| {
        let start = (index << height) as usize;
        leaves.get(start..start + (1usize << height)).map(root_of)
    }
}

fn oracle(size: u64) -> MemoryBackedTree<sha2::Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(entry(index)));
    tree
}

#[test]
fn every_root_is_that_of_the_oracle() {
    let mut frontier = Frontier::new();
    for size in 1..=LEAVES {
        frontier.push(leaf_hash(&entry(size - 1)));
        assert_eq!(frontier.root()[..], oracle(size).root().as_bytes()[..], "size {size}");
        assert_eq!(frontier.roots().len() as u32, size.count_ones());
    }
}

#[test]
fn every_inclusion_path_is_that_of_the_oracle_and_verifies_on_both_sides() {
    for size in 1..=LEAVES {
        let (tree, leaves) = (oracle(size), leaves(size));
        let root = root_of(&leaves);
        for index in 0..size {
            let path = inclusion_path(index, size, reader(&leaves)).unwrap();
            assert_eq!(path.concat(), tree.prove_inclusion(index as usize).as_bytes(), "{index} of {size}");
            let theirs = InclusionProof::try_from_bytes(path.concat()).unwrap();
            tree.root().verify_inclusion(&entry(index), index, &theirs).unwrap();
            verify_inclusion(&leaves[index as usize], index, size, &path, &root).unwrap();
        }
    }
}

#[test]
fn every_consistency_path_is_that_of_the_oracle_and_verifies_on_both_sides() {
    for new in 1..=LEAVES {
        let (tree, leaves) = (oracle(new), leaves(new));
        let root = root_of(&leaves);
        for old in 1..new {
            let old_root = root_of(&leaves[..old as usize]);
            let path = consistency_path(old, new, reader(&leaves)).unwrap();
            assert_eq!(
                path.concat(),
                tree.prove_consistency((new - old) as usize).as_bytes(),
                "{old} to {new}"
            );
            let theirs = ConsistencyProof::try_from_bytes(path.concat()).unwrap();
            tree.root().verify_consistency(&RootHash::new(old_root.into(), old), &theirs).unwrap();
            verify_consistency(old, new, &path, &old_root, &root).unwrap();
        }
    }
}

#[test]
fn a_path_verifies_for_no_other_index_leaf_root_or_size_with_another_shape() {
    for size in 1..=40u64 {
        let leaves = leaves(size);
        let root = root_of(&leaves);
        for index in 0..size {
            let path = inclusion_path(index, size, reader(&leaves)).unwrap();
            let leaf = &leaves[index as usize];
            for other in (0..size).filter(|other| *other != index) {
                assert!(
                    verify_inclusion(leaf, other, size, &path, &root).is_err(),
                    "{index} as {other} of {size}"
                );
                let foreign = &leaves[other as usize];
                assert!(verify_inclusion(foreign, index, size, &path, &root).is_err());
            }
            let longer = [&path[..], &[root]].concat();
            assert_eq!(verify_inclusion(leaf, index, size, &longer, &root), Err(ProofFault::WrongLength));
            if let Some(shorter) = path.len().checked_sub(1) {
                let cut = verify_inclusion(leaf, index, size, &path[..shorter], &root);
                assert_eq!(cut, Err(ProofFault::WrongLength));
            }
            assert_eq!(verify_inclusion(leaf, size, size, &path, &root), Err(ProofFault::OutOfRange));
        }
    }
}

#[test]
fn a_flipped_hash_anywhere_breaks_a_consistency_proof() {
    for new in 2..=40u64 {
        let leaves = leaves(new);
        let root = root_of(&leaves);
        for old in 1..new {
            let old_root = root_of(&leaves[..old as usize]);
            let path = consistency_path(old, new, reader(&leaves)).unwrap();
            for place in 0..path.len() {
                let mut changed = path.clone();
                changed[place][0] ^= 1;
                assert!(verify_consistency(old, new, &changed, &old_root, &root).is_err(), "{old} to {new}");
            }
            let cut = verify_consistency(old, new, &path[..path.len() - 1], &old_root, &root);
            assert!(cut.is_err(), "{old} to {new}");
            let longer = [&path[..], &[root]].concat();
            assert_eq!(verify_consistency(old, new, &longer, &old_root, &root), Err(ProofFault::WrongLength));
            assert!(verify_consistency(old, new, &path, &root, &root).is_err());
            assert!(verify_consistency(old, new, &path, &old_root, &old_root).is_err());
        }
    }
}

#[test]
fn a_log_never_shrinks_and_equal_sizes_have_equal_roots() {
    let leaves = leaves(9);
    let (root, old_root) = (root_of(&leaves), root_of(&leaves[..5]));
    assert_eq!(verify_consistency(9, 5, &[], &root, &old_root), Err(ProofFault::OutOfRange));
    assert_eq!(consistency_path(9, 5, reader(&leaves)), Err(PathFault::OutOfRange));
    assert_eq!(verify_consistency(9, 9, &[], &root, &root), Ok(()));
    assert_eq!(verify_consistency(9, 9, &[], &root, &old_root), Err(ProofFault::WrongRoot));
    assert_eq!(verify_consistency(9, 9, &[root], &root, &root), Err(ProofFault::WrongLength));
}

#[test]
fn every_tree_follows_the_empty_one_and_no_other_root_is_its_root() {
    let root = root_of(&leaves(3));
    assert_eq!(verify_consistency(0, 3, &[], &root_of(&[]), &root), Ok(()));
    assert_eq!(verify_consistency(0, 3, &[], &root, &root), Err(ProofFault::WrongRoot));
    assert_eq!(verify_consistency(0, 3, &[root], &root_of(&[]), &root), Err(ProofFault::WrongLength));
}

#[test]
fn a_storage_that_lacks_a_node_is_named_and_sizes_past_the_bound_are_refused() {
    assert_eq!(
        inclusion_path(0, 4, |_, _| None),
        Err(PathFault::NodeMissing { height: 1, index: 1 }),
        "the half without the leaf is asked for first"
    );
    assert_eq!(inclusion_path(0, u64::MAX, |_, _| Some([0; 32])), Err(PathFault::OutOfRange));
    assert_eq!(consistency_path(1, u64::MAX, |_, _| Some([0; 32])), Err(PathFault::OutOfRange));
    assert_eq!(verify_inclusion(&[0; 32], 0, u64::MAX, &[], &[0; 32]), Err(ProofFault::OutOfRange));
}

#[test]
fn paths_of_the_largest_tree_have_63_hashes() {
    let size = i64::MAX as u64;
    assert_eq!(inclusion_path(0, size, |_, _| Some([0; 32])).unwrap().len(), 63);
    assert_eq!(consistency_path(size - 1, size, |_, _| Some([0; 32])).unwrap().len(), 63);
    assert_eq!(consistency_path((1 << 62) + 1, size, |_, _| Some([0; 32])).unwrap().len(), 64);
}
