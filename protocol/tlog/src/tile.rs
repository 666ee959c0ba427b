//! Tiles and entry bundles (c2sp.org/tlog-tiles): their paths, their bytes, and the tree read from or grown into them.
//!
//! A tile is up to 256 hashes. At level 0 they are leaf hashes, at level `l` roots of full tiles of level `l − 1`.
//! [`Edge`] grows a tree and gives up each tile that fills; [`NodeReader`] answers the node questions of
//! [`crate::proof`] from tiles. Paths have no height component: `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`.

use crate::merkle::{Frontier, Hash, SIZE_MAX, root_of};
use std::fmt;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: usize = 256;

/// The level component is a decimal number up to this (c2sp.org/tlog-tiles, "Merkle Tree").
pub const LEVEL_MAX: u8 = 63;

/// Longest path that is looked at: the longest valid one has 52 bytes; the rest is slack for clear limits.
pub const PATH_BYTES_MAX: usize = 96;

/// An entry's length is written in 16 bits.
pub const BUNDLE_ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// No bundle is longer: 256 entries of the greatest length, each behind its two length bytes.
pub const BUNDLE_BYTES_MAX: usize = TILE_WIDTH * (2 + BUNDLE_ENTRY_BYTES_MAX);

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Hashes of a level of the tree, 0 to [`LEVEL_MAX`].
    Hashes(u8),
    /// The entries under the tile of the same number at level 0.
    Entries,
}

impl Level {
    /// Hashes (or entries) that exist at this level in a tree of `size` leaves, over all tiles.
    fn hashes_at(self, size: u64) -> u64 {
        let level = match self {
            Self::Hashes(level) => u32::from(level),
            Self::Entries => 0,
        };
        size.checked_shr(8 * level).unwrap_or(0)
    }
}

/// The path of a tile or bundle. `width` is `None` for a full tile, else 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    /// What it holds.
    pub level: Level,
    /// Number among the tiles of its level, from the left.
    pub n: u64,
    /// Hashes in a partial tile; `None` is a full one.
    pub width: Option<u8>,
}

impl TilePath {
    /// Parses `tile/…`; `None` for everything that is not exactly the one spelling of a path.
    pub fn parse(path: &str) -> Option<Self> {
        if path.len() > PATH_BYTES_MAX {
            return None;
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = match level {
            "entries" => Level::Entries,
            number => Level::Hashes(decimal(number).filter(|l| *l <= u64::from(LEVEL_MAX))?.try_into().ok()?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                (number, Some(decimal(width).and_then(|w| u8::try_from(w).ok()).filter(|w| *w > 0)?))
            }
            None => (rest, None),
        };
        Some(Self { level, n: parse_number(number)?, width })
    }

    /// The path of tile `n` of `level` as a tree of `size` leaves has it; `None` if that tree has no such tile.
    pub fn at(level: Level, n: u64, size: u64) -> Option<Self> {
        let hashes = level.hashes_at(size).checked_sub(n.checked_mul(TILE_WIDTH as u64)?)?;
        match hashes {
            0 => None,
            partial @ 1..=255 => Some(Self { level, n, width: Some(partial as u8) }),
            _ => Some(Self { level, n, width: None }),
        }
    }

    /// Number of hashes or entries, 1 to 256.
    pub fn width(&self) -> usize {
        self.width.map_or(TILE_WIDTH, usize::from)
    }

    /// Whether a log of this published size serves the path: every width up to the published one.
    pub fn exists_at(&self, size: u64) -> bool {
        Self::at(self.level, self.n, size).is_some_and(|whole| self.width() <= whole.width())
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
            Level::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.n % 1000];
        let mut rest = self.n / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        match self.width {
            Some(width) => write!(f, ".p/{width}"),
            None => Ok(()),
        }
    }
}

/// `x001/x234/067`: groups of three digits, all but the last after an `x`; the first group is not `x000`.
fn parse_number(text: &str) -> Option<u64> {
    let (leading, last) = match text.rsplit_once('/') {
        Some((leading, last)) => (Some(leading), last),
        None => (None, text),
    };
    let mut n = 0u64;
    for (place, group) in leading.into_iter().flat_map(|l| l.split('/')).enumerate() {
        let value = three_digits(group.strip_prefix('x')?)?;
        if place == 0 && value == 0 {
            return None;
        }
        n = n.checked_mul(1000)?.checked_add(value)?;
    }
    n = n.checked_mul(1000)?.checked_add(three_digits(last)?)?;
    (n <= SIZE_MAX).then_some(n)
}

fn three_digits(text: &str) -> Option<u64> {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// An ASCII decimal without sign or leading zero. Shared by every text format of this crate.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    (digits && plain).then(|| text.parse().ok()).flatten()
}

/// Splits the bytes of a hash tile; `None` unless there are exactly `width` hashes.
pub fn decode_hashes(bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == width && width <= TILE_WIDTH).then(|| hashes.to_vec())
}

/// The bytes of a hash tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// What is wrong with the bytes of an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// The bytes end inside entry `place`, or before it.
    #[error("the bundle ends inside its entry {place}")]
    Cut {
        /// Place of the entry in the bundle, from 0.
        place: usize,
    },
    /// Bytes follow the last entry.
    #[error("{surplus} bytes follow the last entry of the bundle")]
    Trailing {
        /// How many.
        surplus: usize,
    },
    /// An entry does not fit 16 bits of length, or there are more than 256.
    #[error("the entries do not fit a bundle")]
    TooMuch,
}

/// The bytes of an entry bundle: `be16` length and entry, up to 256 times.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BundleFault> {
    let mut bundle = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let length = u16::try_from(entry.len()).map_err(|_| BundleFault::TooMuch)?;
        if place >= TILE_WIDTH {
            return Err(BundleFault::TooMuch);
        }
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Splits an entry bundle into exactly `width` entries.
pub fn decode_bundle(bytes: &[u8], width: usize) -> Result<Vec<&[u8]>, BundleFault> {
    if width > TILE_WIDTH {
        return Err(BundleFault::TooMuch);
    }
    let mut entries = Vec::with_capacity(width);
    let mut rest = bytes;
    for place in 0..width {
        let cut = BundleFault::Cut { place };
        let (length, after) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleFault::Trailing { surplus: rest.len() }) }
}

/// Answers node questions of [`crate::proof`] from the tiles of a tree of a given size.
///
/// The closure gets the path of the tile as that size has it (full, or the partial right edge) and gives its hashes.
/// The last tile is kept, since the nodes of a path fall into few tiles.
pub struct NodeReader<F> {
    size: u64,
    tile: F,
    kept: Option<(TilePath, Vec<Hash>)>,
}

impl<F: FnMut(TilePath) -> Option<Vec<Hash>>> NodeReader<F> {
    /// A reader over the tree of `size` leaves.
    pub fn new(size: u64, tile: F) -> Self {
        Self { size, tile, kept: None }
    }

    /// The root of the complete subtree of `2^height` leaves with this index; `None` if the tiles lack it.
    pub fn node(&mut self, height: u8, index: u64) -> Option<Hash> {
        let (path, offset) = tile_of_node(height, index, self.size)?;
        let hashes = match &self.kept {
            Some((kept, hashes)) if *kept == path => hashes,
            _ => &self.kept.insert((path, (self.tile)(path)?)).1,
        };
        Some(root_of(hashes.get(offset..offset + (1usize << (height % 8)))?))
    }
}

/// The tiles that an inclusion proof reads, each once, so that a caller can load them before it asks for the path.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TilePath> {
    tiles_for(size, |node| crate::proof::inclusion_path(index, size, node).is_ok())
}

/// The tiles that a consistency proof reads, each once.
pub fn tiles_for_consistency(old: u64, new: u64) -> Vec<TilePath> {
    tiles_for(new, |node| crate::proof::consistency_path(old, new, node).is_ok())
}

fn tiles_for(size: u64, walk: impl FnOnce(&mut dyn FnMut(u8, u64) -> Option<Hash>) -> bool) -> Vec<TilePath> {
    let mut tiles = std::collections::BTreeSet::new();
    let mut note = |height, index| {
        tiles.extend(tile_of_node(height, index, size).map(|(path, _)| path));
        Some(Hash::default())
    };
    if walk(&mut note) { tiles.into_iter().collect() } else { Vec::new() }
}

/// The tile that holds the hashes under a node, and the place of the first of them.
fn tile_of_node(height: u8, index: u64, size: u64) -> Option<(TilePath, usize)> {
    let first = index.checked_mul(1 << (height % 8))?;
    let path = TilePath::at(Level::Hashes(height / 8), first / TILE_WIDTH as u64, size)?;
    Some((path, (first % TILE_WIDTH as u64) as usize))
}

/// A tile that has just been filled; it never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Level of the tree.
    pub level: u8,
    /// Number within the level.
    pub n: u64,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
}

/// The right edge of a tree: the partial tile of each level, from which a writer goes on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` leaves from its partial tiles, level 0 first; `None` if a width does not fit the size.
    ///
    /// Level 0 comes from the last `size % 256` entries; the hashes of level `l` are the roots of the full tiles of
    /// level `l − 1` that [`Edge::tiles_below`] names. The caller compares [`Edge::root`] with the root it knows.
    pub fn from_levels(size: u64, levels: Vec<Vec<Hash>>) -> Option<Self> {
        let fits = size <= SIZE_MAX
            && levels.len() == levels_of(size)
            && levels
                .iter()
                .zip(0u32..)
                .all(|(hashes, level)| hashes.len() as u64 == (size >> (8 * level)) % 256);
        fits.then_some(Self { size, levels })
    }

    /// Numbers of the full tiles of level `level − 1` whose roots are the partial tile of `level` (≥ 1).
    pub fn tiles_below(size: u64, level: u8) -> std::ops::Range<u64> {
        let count = Level::Hashes(level).hashes_at(size);
        count - count % TILE_WIDTH as u64..count
    }

    /// Appends a leaf hash and pushes each tile that this fills, lowest level first.
    ///
    /// # Panics
    /// At 2^63 leaves, which no log reaches.
    pub fn push(&mut self, leaf: Hash, filled: &mut Vec<FullTile>) {
        assert!(self.size < SIZE_MAX, "a log has fewer than 2^63 leaves");
        self.size += 1;
        let mut carried = leaf;
        for level in 0u8.. {
            let depth = usize::from(level);
            if self.levels.len() == depth {
                self.levels.push(Vec::new());
            }
            self.levels[depth].push(carried);
            if self.levels[depth].len() < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(&mut self.levels[depth]);
            carried = root_of(&hashes);
            let n = Level::Hashes(level).hashes_at(self.size) / TILE_WIDTH as u64 - 1;
            filled.push(FullTile { level, n, hashes });
        }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tile at a level; empty if it has none.
    pub fn partial(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The partial tiles of all levels, level 0 first.
    pub fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// The compact range of the tree.
    pub fn frontier(&self) -> Frontier {
        let mut frontier = Frontier::new();
        let heights = (0..self.levels.len()).rev().map(|level| 8 * level as u8); // eight levels at most
        for (hashes, height) in self.levels.iter().rev().zip(heights) {
            hashes.iter().for_each(|hash| frontier.push_subtree(height, *hash));
        }
        frontier
    }
}

/// Levels that a tree of this size has: 0 for the empty one, 1 up to 255 leaves, 2 from 256.
pub fn levels_of(size: u64) -> usize {
    (0..8u32).take_while(|level| size >> (8 * level) > 0).count()
}
