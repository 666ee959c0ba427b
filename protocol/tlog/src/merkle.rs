//! RFC 6962 hashing: leaves, nodes, and the root of a tree that grows.
//!
//! A [`Frontier`] holds one hash for each set bit of the size, largest subtree first; that is all a writer needs to
//! go on, and all a reader needs to recompute a root. It never holds more than 63 hashes.

use crypto::hash::{sha256, sha256_of};

/// A SHA-256 tree hash.
pub type Hash = [u8; 32];

/// Sizes stay below 2^63: the store keeps them as signed integers, and a proof then has at most 63 hashes a side.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The hash of a leaf: `SHA256(00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256_of(&[&[0x00], entry])
}

/// The hash of an inner node: `SHA256(01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [0u8; 65];
    node[0] = 0x01;
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    sha256(&node)
}

/// The root over a list of leaf hashes.
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The roots of the complete subtrees that make up a tree, largest first: RFC 6962's compact range from 0.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` leaves from the roots of its complete subtrees, largest first; `None` if their
    /// number is not the number of set bits of `size`, or the size is past [`SIZE_MAX`].
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Option<Self> {
        let fits = size <= SIZE_MAX && roots.len() == size.count_ones() as usize;
        fits.then_some(Self { size, roots })
    }

    /// Appends one leaf hash.
    ///
    /// # Panics
    /// At 2^63 leaves, which no log reaches.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Appends the root of a complete subtree of `2^height` leaves; the size must be a multiple of that.
    ///
    /// # Panics
    /// If the subtree would not be aligned, or at 2^63 leaves: both are faults of the caller.
    pub fn push_subtree(&mut self, height: u8, root: Hash) {
        assert!(height < 63, "a subtree has fewer than 2^63 leaves");
        let leaves = 1u64 << height;
        assert!(self.size.is_multiple_of(leaves) && self.size <= SIZE_MAX - leaves, "aligned and below 2^63");
        let mut carried = root;
        let mut rest = self.size >> height;
        while rest & 1 == 1 {
            let left = self.roots.pop().expect("one root stands for each set bit of the size");
            carried = node_hash(&left, &carried);
            rest >>= 1;
        }
        self.roots.push(carried);
        self.size += leaves;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        let mut from_right = self.roots.iter().rev();
        let Some(last) = from_right.next() else { return EMPTY_ROOT };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_nothing() {
        assert_eq!(EMPTY_ROOT, sha256(b""));
        assert_eq!(root_of(&[]), EMPTY_ROOT);
    }

    #[test]
    fn rfc_6962_leaves_and_nodes_have_their_prefixes() {
        assert_eq!(leaf_hash(b"ab"), sha256(b"\x00ab"));
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        assert_eq!(node_hash(&a, &b), sha256(&[&[1u8][..], &a, &b].concat()));
        assert_eq!(root_of(&[a]), a);
        assert_eq!(root_of(&[a, b]), node_hash(&a, &b));
    }

    #[test]
    fn a_subtree_root_counts_like_its_leaves() {
        let leaves: Vec<Hash> = (0u8..11).map(|i| leaf_hash(&[i])).collect();
        let mut by_subtree = Frontier::new();
        by_subtree.push_subtree(3, root_of(&leaves[..8]));
        leaves[8..].iter().for_each(|leaf| by_subtree.push(*leaf));
        assert_eq!(by_subtree.root(), root_of(&leaves));
        assert_eq!(by_subtree.size(), 11);
        let again = Frontier::from_roots(11, by_subtree.roots().to_vec()).unwrap();
        assert_eq!(again, by_subtree);
        assert_eq!(Frontier::from_roots(12, by_subtree.roots().to_vec()), None);
    }
}
