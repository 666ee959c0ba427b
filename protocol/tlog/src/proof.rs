//! Inclusion and consistency proofs (RFC 6962, 2.1.1 and 2.1.2; verified as RFC 9162, 2.1.3.2 and 2.1.4.2).
//!
//! *Making* a proof asks a node reader `(height, index) -> Option<Hash>` for roots of complete subtrees: the node at
//! height `h` and index `i` covers leaves `i·2^h .. (i+1)·2^h`. Storage stays outside; [`crate::tile::NodeReader`]
//! answers from tiles. *Verifying* needs no reader, allocates nothing, and never panics on foreign input.

use crate::merkle::{EMPTY_ROOT, Hash, SIZE_MAX, node_hash};
use crypto::hash::equal;

/// An inclusion proof in a tree below 2^63 leaves has at most this many hashes.
pub const INCLUSION_HASHES_MAX: usize = 63;

/// A consistency proof has at most one hash more: the node where the old tree ends.
pub const CONSISTENCY_HASHES_MAX: usize = 64;

/// Why a proof could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// The index is not below the size, the old size is above the new one, or a size is past 2^63.
    #[error("no such proof: the sizes do not admit it")]
    OutOfRange,
    /// The reader has no such node: the storage is incomplete.
    #[error("the tree lacks the node at height {height}, index {index}")]
    NodeMissing {
        /// Height above the leaves, which are 0.
        height: u8,
        /// Index among the nodes of that height, from the left.
        index: u64,
    },
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The index is not below the size, or the old size is above the new one.
    #[error("the sizes do not admit a proof")]
    OutOfRange,
    /// Too few or too many hashes for these sizes.
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    /// The hashes lead to another root than the given one.
    #[error("the proof leads to another root")]
    WrongRoot,
}

/// The audit path of leaf `index` in the tree of `size` leaves, the leaf's sibling first.
pub fn inclusion_path(
    index: u64,
    size: u64,
    mut node: impl FnMut(u8, u64) -> Option<Hash>,
) -> Result<Vec<Hash>, PathFault> {
    if index >= size || size > SIZE_MAX {
        return Err(PathFault::OutOfRange);
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(subtree_root(middle, end, &mut node)?);
            end = middle;
        } else {
            path.push(subtree_root(start, middle, &mut node)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves.
///
/// Empty if `old` is 0 (everything extends the empty tree) or equal to `new`.
pub fn consistency_path(
    old: u64,
    new: u64,
    mut node: impl FnMut(u8, u64) -> Option<Hash>,
) -> Result<Vec<Hash>, PathFault> {
    if old > new || new > SIZE_MAX {
        return Err(PathFault::OutOfRange);
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, new);
    let mut whole = true; // the old tree is still one whole subtree from 0, which the verifier knows
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(subtree_root(middle, end, &mut node)?);
            end = middle;
        } else {
            path.push(subtree_root(start, middle, &mut node)?);
            start = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(subtree_root(start, end, &mut node)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` is the leaf hash at `index` in the tree of `size` leaves with this `root`.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    if index >= size || size > SIZE_MAX {
        return Err(ProofFault::OutOfRange);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofFault::WrongLength);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            climb_to_left_border(&mut at, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::WrongLength);
    }
    if equal(&hash, root) { Ok(()) } else { Err(ProofFault::WrongRoot) }
}

/// Checks that the tree (`old`, `old_root`) is a prefix of the tree (`new`, `new_root`).
///
/// From the empty tree every tree follows, with an empty proof, if `old_root` is the empty root.
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofFault> {
    if old > new || new > SIZE_MAX {
        return Err(ProofFault::OutOfRange);
    }
    if old == 0 || old == new {
        let known = if old == 0 { &EMPTY_ROOT } else { new_root };
        return match (path.is_empty(), equal(old_root, known)) {
            (false, _) => Err(ProofFault::WrongLength),
            (true, false) => Err(ProofFault::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    // A whole old tree is its own first node (RFC 9162, 2.1.4.2, step 2).
    let mut hashes = old.is_power_of_two().then_some(old_root).into_iter().chain(path);
    let Some(first) = hashes.next() else { return Err(ProofFault::WrongLength) };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return Err(ProofFault::WrongLength);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            climb_to_left_border(&mut at, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::WrongLength);
    }
    if equal(&old_hash, old_root) && equal(&new_hash, new_root) { Ok(()) } else { Err(ProofFault::WrongRoot) }
}

/// At the right border a node without sibling is its own parent: rise to where it has a left one.
fn climb_to_left_border(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        *at >>= 1;
        *last >>= 1;
    }
}

/// The largest power of two below `leaves` (≥ 2): RFC 6962's `k`.
fn split(leaves: u64) -> u64 {
    1 << (63 - (leaves - 1).leading_zeros())
}

/// The root over leaves `start..end`; `start` is aligned as RFC 6962 splits, so the range falls into complete nodes.
fn subtree_root(
    start: u64,
    end: u64,
    node: &mut impl FnMut(u8, u64) -> Option<Hash>,
) -> Result<Hash, PathFault> {
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let height = 63 - (end - at).leading_zeros(); // the largest complete subtree that begins here
        let index = at >> height;
        let height_u8 = height as u8; // < 64
        parts.push(node(height_u8, index).ok_or(PathFault::NodeMissing { height: height_u8, index })?);
        at += 1 << height;
    }
    let last = parts.pop().ok_or(PathFault::OutOfRange)?;
    Ok(parts.iter().rev().fold(last, |right, left| node_hash(left, &right)))
}
