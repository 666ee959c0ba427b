//! What can be wrong with a log, named with its place.

use crypto::base64::std_encode;
use tlog::checkpoint::OpenFault;
use tlog::merkle::Hash;
use tlog::tile::BundleFault;

/// Indices that a finding lists; the rest is counted.
const INDICES_MAX: usize = 8;

/// A fault of the log itself: whoever runs it must answer for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The served checkpoint is malformed, of another log, or not signed by a given key.
    #[error("the checkpoint does not hold: {0}")]
    Checkpoint(OpenFault),
    /// Entries do not have the hashes that the tile states.
    #[error("{} not match {tile}{}", entries_do(indices, *count), describe(*pattern))]
    Entries {
        /// The tile at level 0.
        tile: String,
        /// The first indices that differ, ascending; at least one.
        indices: Vec<u64>,
        /// How many differ in this tile.
        count: usize,
        /// What the differences look like.
        pattern: Pattern,
    },
    /// A bundle cannot be split into its entries.
    #[error("{path} breaks off at entry {index}: {fault}")]
    Bundle {
        /// The bundle.
        path: String,
        /// Index of the first entry that cannot be read.
        index: u64,
        /// What is wrong.
        fault: BundleFault,
    },
    /// A tile has not the bytes of its width.
    #[error("{path} is not a tile of {width} hashes (it covers entries from {index})")]
    TileMalformed {
        /// The tile.
        path: String,
        /// Hashes that it should have.
        width: usize,
        /// First entry that it covers.
        index: u64,
    },
    /// A hash above level 0 is not the root of what stands below it.
    #[error("hash {place} of {path} is not the root of entries {first} to {last}")]
    Tile {
        /// The tile.
        path: String,
        /// Place of the hash in it.
        place: usize,
        /// First entry below the hash.
        first: u64,
        /// Last entry below the hash.
        last: u64,
    },
    /// A tile or bundle that the checkpoint promises is not served.
    #[error(
        "{path} is not served, although the checkpoint promises {size} entries (it covers entries from {index})"
    )]
    Missing {
        /// The path.
        path: String,
        /// First entry that it covers.
        index: u64,
        /// Size in the checkpoint.
        size: u64,
    },
    /// A path is longer than anything valid.
    #[error("{path} is longer than it can be")]
    TooLong {
        /// The path.
        path: String,
    },
    /// Entries and tiles agree with one another, but not with the signed root.
    #[error(
        "the entries give root {}, the checkpoint signs {}: entries were changed between {after} and {before}",
        std_encode(computed),
        std_encode(signed)
    )]
    Root {
        /// What was recomputed.
        computed: Hash,
        /// What is signed.
        signed: Hash,
        /// The change lies at or after this index: up to here an old checkpoint agrees.
        after: u64,
        /// The change lies before this index.
        before: u64,
    },
    /// The log is smaller than it was.
    #[error(
        "the log shrank: {name} shows {was} entries, the server shows {size}; entry {size} and all after it are gone"
    )]
    Shrunk {
        /// Where the older checkpoint comes from.
        name: String,
        /// Its size.
        was: u64,
        /// The size now.
        size: u64,
    },
    /// The history differs from one that the log had signed.
    #[error("the log forked: the first {was} entries are not those that {name} was signed for")]
    Forked {
        /// Where the older checkpoint comes from.
        name: String,
        /// Its size.
        was: u64,
    },
    /// The consistency proof from an older checkpoint does not hold, though the roots were recomputed alike.
    #[error("the tiles give no proof that {name} (size {was}) is a beginning of this log")]
    Inconsistent {
        /// Where the older checkpoint comes from.
        name: String,
        /// Its size.
        was: u64,
    },
}

/// What differences between entries and hashes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Nothing known.
    Changed,
    /// Two entries stand in one another's place.
    Swapped,
    /// Everything after the first index stands one place too early.
    Deleted,
    /// Everything from the first index stands one place too late.
    Inserted,
}

impl Finding {
    /// The stable code; `docs/problems/verify/` has a page for each.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Checkpoint(_) => "verify/checkpoint-invalid",
            Self::Entries { .. } | Self::Bundle { .. } => "verify/entry-mismatch",
            Self::Tile { .. } | Self::TileMalformed { .. } | Self::TooLong { .. } => "verify/tile-mismatch",
            Self::Missing { .. } => "verify/tile-missing",
            Self::Root { .. } => "verify/root-mismatch",
            Self::Shrunk { .. } => "verify/log-shrunk",
            Self::Forked { .. } | Self::Inconsistent { .. } => "verify/log-forked",
        }
    }

    /// The first entry that the fault touches, as far as it is known.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Entries { indices, .. } => indices.first().copied(),
            Self::Bundle { index, .. } | Self::TileMalformed { index, .. } | Self::Missing { index, .. } => {
                Some(*index)
            }
            Self::Tile { first, .. } => Some(*first),
            Self::Root { after, .. } => Some(*after),
            Self::Shrunk { size, .. } => Some(*size),
            Self::Checkpoint(_) | Self::TooLong { .. } | Self::Forked { .. } | Self::Inconsistent { .. } => {
                None
            }
        }
    }

    /// The tile or bundle in which it shows.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Entries { tile, .. } => Some(tile),
            Self::Bundle { path, .. }
            | Self::TileMalformed { path, .. }
            | Self::Tile { path, .. }
            | Self::Missing { path, .. }
            | Self::TooLong { path } => Some(path),
            Self::Checkpoint(_)
            | Self::Root { .. }
            | Self::Shrunk { .. }
            | Self::Forked { .. }
            | Self::Inconsistent { .. } => None,
        }
    }
}

/// Compares the leaf hashes of a bundle with the hashes of its tile; `first` is the index of the first of them.
pub(crate) fn compare(tile: &str, first: u64, leaves: &[Hash], hashes: &[Hash]) -> Option<Finding> {
    let differing: Vec<usize> = (0..leaves.len()).filter(|place| leaves[*place] != hashes[*place]).collect();
    let start = *differing.first()?;
    let pattern = match differing[..] {
        [a, b] if leaves[a] == hashes[b] && leaves[b] == hashes[a] => Pattern::Swapped,
        [_, _, ..] if starts_alike(&leaves[start..], &hashes[start + 1..]) => Pattern::Deleted,
        [_, _, ..] if starts_alike(&hashes[start..], &leaves[start + 1..]) => Pattern::Inserted,
        _ => Pattern::Changed,
    };
    let indices = differing.iter().take(INDICES_MAX).map(|place| first + *place as u64).collect();
    Some(Finding::Entries { tile: tile.to_owned(), indices, count: differing.len(), pattern })
}

/// Whether two runs agree as far as the shorter one goes.
fn starts_alike(one: &[Hash], other: &[Hash]) -> bool {
    one.iter().zip(other).all(|(a, b)| a == b)
}

fn entries_do(indices: &[u64], count: usize) -> String {
    let listed: Vec<String> = indices.iter().map(u64::to_string).collect();
    match (count, count - indices.len()) {
        (1, _) => format!("entry {} does", listed[0]),
        (_, 0) => format!("entries {} do", listed.join(", ")),
        (_, more) => format!("entries {} and {more} more do", listed.join(", ")),
    }
}

fn describe(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Changed => "",
        Pattern::Swapped => ": the two are swapped",
        Pattern::Deleted => ": the first of them is gone, and what follows moved up",
        Pattern::Inserted => ": something was put before the first of them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(of: &[u8]) -> Vec<Hash> {
        of.iter().map(|byte| [*byte; 32]).collect()
    }

    fn words(leaves: &[u8], tile: &[u8]) -> String {
        compare("tile/0/000", 100, &hashes(leaves), &hashes(tile)).map_or_else(String::new, |f| f.to_string())
    }

    #[test]
    fn equal_entries_are_no_finding() {
        assert_eq!(words(&[1, 2, 3], &[1, 2, 3]), "");
    }

    #[test]
    fn a_changed_entry_is_named() {
        assert_eq!(words(&[1, 9, 3], &[1, 2, 3]), "entry 101 does not match tile/0/000");
        assert_eq!(words(&[1, 2, 9], &[1, 2, 3]), "entry 102 does not match tile/0/000");
    }

    #[test]
    fn swapped_entries_are_named_as_such() {
        assert_eq!(
            words(&[3, 2, 1, 4], &[1, 2, 3, 4]),
            "entries 100, 102 do not match tile/0/000: the two are swapped"
        );
    }

    #[test]
    fn a_deleted_and_an_inserted_entry_are_named_as_such() {
        assert!(words(&[1, 3, 4, 5], &[1, 2, 3, 4]).contains("the first of them is gone"));
        assert!(words(&[1, 9, 2, 3], &[1, 2, 3, 4]).contains("something was put before"));
    }

    #[test]
    fn many_changed_entries_are_counted() {
        let text = words(&[9; 12], &[1; 12]);
        assert!(
            text.starts_with("entries 100, 101, 102, 103, 104, 105, 106, 107 and 4 more do not match"),
            "{text}"
        );
    }
}
