//! Reads a log bundle by bundle and recomputes everything above it.
//!
//! Each bundle is hashed and compared with its tile at level 0; each tile that fills is hashed into the level above
//! and compared there; at the end the partial tiles of every level and the root. Only one bundle and the right edge
//! of the tree are in memory, whatever the size of the log.

use crate::finding::{Finding, compare};
use crate::log::Stop;
use crate::source::{FetchFault, Source};
use std::collections::BTreeMap;
use tlog::entry::Entry;
use tlog::merkle::{Hash, leaf_hash};
use tlog::tile::{
    BUNDLE_BYTES_MAX, Edge, FullTile, Level, TILE_WIDTH, TilePath, decode_bundle, decode_hashes, levels_of,
};

/// Bytes of a full tile.
const TILE_BYTES_MAX: usize = 32 * TILE_WIDTH;

/// What a walk read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries hashed.
    pub entries: u64,
    /// Of these, entries that are not of this house's schema 1.
    pub foreign: u64,
    /// Bundles read.
    pub bundles: u64,
    /// Tiles read and recomputed.
    pub tiles: u64,
}

pub(crate) struct Walk<'a> {
    source: &'a Source,
    /// The size that the checkpoint promises.
    size: u64,
    edge: Edge,
    /// Roots at the sizes that somebody asked for, filled as the walk passes them.
    pub(crate) roots: BTreeMap<u64, Option<Hash>>,
    pub(crate) counts: Counts,
}

impl<'a> Walk<'a> {
    /// A walk from the first entry to `size`; the roots at the sizes `marks` will be noted.
    pub(crate) fn new(source: &'a Source, size: u64, marks: impl Iterator<Item = u64>) -> Self {
        let roots = marks.filter(|mark| *mark <= size).map(|mark| (mark, None)).collect();
        let mut walk = Self { source, size, edge: Edge::new(), roots, counts: Counts::default() };
        walk.note_root();
        walk
    }

    /// Goes on from a size that was verified before: takes the right edge of that tree from the tiles, if they still
    /// give `root`; `false` if they do not.
    pub(crate) fn resume(&mut self, from: u64, root: &Hash) -> Result<bool, Stop> {
        let mut levels = Vec::new();
        for level in 0..levels_of(from) as u8 {
            let Some(old) = TilePath::at(Level::Hashes(level), edge_tile(level, from), from) else {
                levels.push(Vec::new());
                continue;
            };
            let mut hashes = self.tile(level, old.n)?;
            hashes.truncate(old.width());
            levels.push(hashes);
        }
        let edge = Edge::from_levels(from, levels).filter(|edge| edge.root() == *root);
        let fits = edge.is_some();
        self.edge = edge.unwrap_or_default();
        self.note_root();
        Ok(fits)
    }

    /// Reads and recomputes all that is left; gives the root.
    pub(crate) fn run(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Hash, Stop> {
        while self.edge.size() < self.size {
            progress(self.edge.size(), self.size);
            self.bundle(self.edge.size() / TILE_WIDTH as u64)?;
        }
        for level in 1..levels_of(self.size) as u8 {
            self.partial_tile(level)?;
        }
        progress(self.size, self.size);
        Ok(self.edge.root())
    }

    fn bundle(&mut self, n: u64) -> Result<(), Stop> {
        let first = n * TILE_WIDTH as u64;
        let (path, bytes) = self.fetch(Level::Entries, n, BUNDLE_BYTES_MAX)?;
        let wanted = TilePath::at(Level::Entries, n, self.size).map_or(0, |wanted| wanted.width());
        let entries =
            decode_bundle(&bytes, path.width()).map_err(|fault| broken_bundle(&path, first, fault))?;
        let entries = &entries[..wanted];
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let hashes = self.tile(0, n)?;
        let tile = TilePath { level: Level::Hashes(0), ..path };
        if let Some(finding) = compare(&tile.to_string(), first, &leaves, &hashes) {
            return Err(finding.into());
        }
        let known = (self.edge.size() - first) as usize;
        self.counts.bundles += 1;
        self.counts.entries += (wanted - known) as u64;
        self.counts.foreign +=
            entries[known..].iter().filter(|entry| Entry::decode(entry).is_err()).count() as u64;
        for leaf in &leaves[known..] {
            let mut filled = Vec::new();
            self.edge.push(*leaf, &mut filled);
            self.note_root();
            // Level 0 was compared entry by entry above.
            filled.iter().filter(|tile| tile.level > 0).try_for_each(|tile| self.full_tile(tile))?;
        }
        Ok(())
    }

    fn full_tile(&mut self, tile: &FullTile) -> Result<(), Stop> {
        let served = self.tile(tile.level, tile.n)?;
        compare_level(tile.level, tile.n, &tile.hashes, &served)
    }

    fn partial_tile(&mut self, level: u8) -> Result<(), Stop> {
        let hashes = self.edge.partial(level).to_vec();
        if hashes.is_empty() {
            return Ok(());
        }
        let n = edge_tile(level, self.size);
        let served = self.tile(level, n)?;
        compare_level(level, n, &hashes, &served)
    }

    /// The hashes of a tile as the promised size has it.
    pub(crate) fn tile(&mut self, level: u8, n: u64) -> Result<Vec<Hash>, Stop> {
        let (path, bytes) = self.fetch(Level::Hashes(level), n, TILE_BYTES_MAX)?;
        self.counts.tiles += 1;
        let wanted = TilePath::at(path.level, n, self.size).map_or(0, |wanted| wanted.width());
        let mut hashes = decode_hashes(&bytes, path.width()).ok_or_else(|| Finding::TileMalformed {
            path: path.to_string(),
            width: path.width(),
            index: first_entry(&path),
        })?;
        hashes.truncate(wanted);
        Ok(hashes)
    }

    /// Fetches a tile or bundle; a log may have dropped the partial one once the full one exists.
    fn fetch(&self, level: Level, n: u64, bytes_max: usize) -> Result<(TilePath, Vec<u8>), Stop> {
        let missing = |path: &TilePath| {
            let (path, index) = (path.to_string(), first_entry(path));
            Stop::from(Finding::Missing { path, index, size: self.size })
        };
        let wanted = TilePath::at(level, n, self.size).unwrap_or(TilePath { level, n, width: None });
        let full = TilePath { width: None, ..wanted };
        match self.source.fetch(&wanted.to_string(), bytes_max) {
            Ok(bytes) => Ok((wanted, bytes)),
            Err(FetchFault::Missing { .. }) if wanted.width.is_some() => {
                match self.source.fetch(&full.to_string(), bytes_max) {
                    Ok(bytes) => Ok((full, bytes)),
                    Err(FetchFault::Missing { .. }) => Err(missing(&wanted)),
                    Err(fault) => Err(fault.into()),
                }
            }
            Err(FetchFault::Missing { .. }) => Err(missing(&wanted)),
            Err(fault) => Err(fault.into()),
        }
    }

    fn note_root(&mut self) {
        if let Some(root) = self.roots.get_mut(&self.edge.size()) {
            *root = Some(self.edge.root());
        }
    }
}

/// Number of the rightmost tile of a level in a tree of this size, full tiles aside.
fn edge_tile(level: u8, size: u64) -> u64 {
    (size >> (8 * u32::from(level))) / TILE_WIDTH as u64
}

/// First entry under a tile or bundle.
fn first_entry(path: &TilePath) -> u64 {
    let height = match path.level {
        Level::Hashes(level) => 8 * (u32::from(level) + 1),
        Level::Entries => 8,
    };
    path.n.checked_shl(height).unwrap_or(u64::MAX)
}

/// Compares recomputed hashes of a level above 0 with the served tile.
fn compare_level(level: u8, n: u64, computed: &[Hash], served: &[Hash]) -> Result<(), Stop> {
    let differs = computed.iter().zip(served).position(|(ours, theirs)| ours != theirs);
    let Some(place) = differs.or((computed.len() != served.len()).then_some(served.len())) else {
        return Ok(());
    };
    let leaves = 1u64 << (8 * u32::from(level));
    let first = (n * TILE_WIDTH as u64 + place as u64) * leaves;
    let path = TilePath { level: Level::Hashes(level), n, width: None }.to_string();
    Err(Finding::Tile { path, place, first, last: first + leaves - 1 }.into())
}

fn broken_bundle(path: &TilePath, first: u64, fault: tlog::tile::BundleFault) -> Stop {
    let place = match fault {
        tlog::tile::BundleFault::Cut { place } => place,
        tlog::tile::BundleFault::Trailing { .. } | tlog::tile::BundleFault::TooMuch => path.width(),
    };
    Finding::Bundle { path: path.to_string(), index: first + place as u64, fault }.into()
}
