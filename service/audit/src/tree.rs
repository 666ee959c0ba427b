//! The tree as its rows have it: the right edge, the partial tiles, roots of earlier sizes.
//!
//! Full tiles are rows; everything right of them is computed, never stored. What is missing from the rows is `None`, so
//! that a start check can name it and a door can answer 404.

use std::ops::Range;

use ::store::{Ctx, LogId, Store, StoreFault};
use tlog::merkle::{EMPTY_ROOT, Hash, leaf_hash, root_of};
use tlog::tile::{Edge, TILE_WIDTH, levels_of};

use crate::store;

/// Full tiles of a level in a tree of `size` leaves.
pub(crate) fn full_tiles(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0) / TILE_WIDTH as u64
}

/// Where the rows of one tree are read.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) store: &'a Store,
    /// Of the log's tenant.
    pub(crate) ctx: &'a Ctx,
    pub(crate) id: &'a LogId,
}

impl Tree<'_> {
    /// The leaves `range`; `None` if one is missing.
    pub(crate) async fn leaves(self, range: Range<u64>) -> Result<Option<Vec<Vec<u8>>>, StoreFault> {
        let rows = store::entries(self.store, self.ctx, self.id, range.clone()).await?;
        let whole = range.clone().eq(rows.iter().map(|row| row.index));
        Ok(whole.then(|| rows.into_iter().map(|row| row.leaf).collect()))
    }

    /// A full tile; `None` if it is not there.
    pub(crate) async fn full_tile(self, level: u8, n: u64) -> Result<Option<Vec<Hash>>, StoreFault> {
        let Some(end) = n.checked_add(1) else { return Ok(None) };
        let mut tiles = store::tiles(self.store, self.ctx, self.id, level, n..end).await?;
        Ok(tiles.pop().map(|(_, hashes)| hashes))
    }

    /// The partial tile of a level in the tree of `size` leaves, computed from the rows under it; `None` if one is
    /// missing. Empty if the level has no partial tile.
    pub(crate) async fn partial(self, level: u8, size: u64) -> Result<Option<Vec<Hash>>, StoreFault> {
        let Some(below) = level.checked_sub(1) else {
            let leaves = self.leaves(size - size % TILE_WIDTH as u64..size).await?;
            return Ok(leaves.map(|leaves| leaves.iter().map(|leaf| leaf_hash(leaf)).collect()));
        };
        let range = Edge::tiles_below(size, level);
        let tiles = store::tiles(self.store, self.ctx, self.id, below, range.clone()).await?;
        let whole = range.eq(tiles.iter().map(|(n, _)| *n));
        Ok(whole.then(|| tiles.iter().map(|(_, hashes)| root_of(hashes)).collect()))
    }

    /// The right edge of the tree of `size` leaves; `None` if rows are missing.
    pub(crate) async fn edge(self, size: u64) -> Result<Option<Edge>, StoreFault> {
        let mut levels = Vec::new();
        for level in 0..levels_of(size) as u8 {
            let Some(hashes) = self.partial(level, size).await? else { return Ok(None) };
            levels.push(hashes);
        }
        Ok(Edge::from_levels(size, levels))
    }

    /// The root of the tree of `size` leaves; `None` if rows are missing.
    pub(crate) async fn root(self, size: u64) -> Result<Option<Hash>, StoreFault> {
        if size == 0 {
            return Ok(Some(EMPTY_ROOT));
        }
        Ok(self.edge(size).await?.map(|edge| edge.root()))
    }
}
