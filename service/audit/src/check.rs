//! Start checks: may this log be signed on?
//!
//! ```text
//! rows, guard, clock ──▶ I6 · I1 · I2 · I4 · I5 ──▶ Head (goes on) or Breach (quarantined: nothing signed, nothing changed)
//! ```
//! - **I1** the last 256 entries and the tiles at the right edge recompute to the stored root, and no row stands beyond it.
//! - **I2** the guard holds no larger tree than the rows, its root at its size is theirs, and it is not behind what the rows say was
//!   published (a guard rolled back alone).
//! - **I4** no pending event is in the tree.
//! - **I5** the clock is not more than five seconds before the last signed time.
//! - **I6** guard and rows know the same logs. A log of which nothing was ever signed may stand in one of them alone: it was being
//!   made when the process ended.
//!
//! I3, the same against witnesses, comes with the witnesses.

use std::fmt;
use std::sync::Arc;

use ::store::{Ctx, PENDING_TAKE_MAX, Store, StoreFault};
use tlog::checkpoint::SignedCheckpoint;
use tlog::merkle::{Hash, leaf_hash};
use tlog::tile::{Edge, TILE_WIDTH, levels_of};

use crate::guard::{Guard, Held};
use crate::log::Head;
use crate::store::{self, CheckpointRow, LogRow};
use crate::tree::{Tree, full_tiles};

/// How far the clock may stand before the last signed time: what a time service may step back.
pub(crate) const CLOCK_SLACK_MS: i64 = 5_000;

/// Entries at the right edge that are recomputed at each start.
const EDGE_ENTRIES: u64 = TILE_WIDTH as u64;

/// What must hold before a log is signed on. The number stands in the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// I1: the right edge leads to the root.
    RightEdge = 1,
    /// I2: the tree goes on from what was signed.
    Guard = 2,
    /// I4: nothing pending is in the tree.
    Pending = 4,
    /// I5: the clock did not run back.
    Clock = 5,
    /// I6: guard and database know the same logs.
    Origins = 6,
}

impl Invariant {
    /// Its number, as in the event `quarantine-entered`.
    pub fn number(self) -> u64 {
        self as u64
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{}", self.number())
    }
}

/// Which invariant does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// Sizes and indices, no content.
    pub detail: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

fn breach(invariant: Invariant, detail: impl Into<String>) -> Option<Breach> {
    Some(Breach { invariant, detail: detail.into() })
}

/// Checks one log; the head says whether it goes on. An `Err` is a store that could not be read, which proves nothing.
pub(crate) async fn check(store: &Store, ctx: &Ctx, guard: &Guard, row: &LogRow) -> Result<Head, StoreFault> {
    let ctx = &ctx.for_tenant(row.tenant.clone());
    let tree = Tree { store, ctx, id: &row.id };
    let published = store::latest_checkpoint(store, ctx, &row.id).await?;
    let edge = tree.edge(row.size).await?;
    let held = guard.held(&row.origin);
    let mut found = origins(row, held.as_ref());
    if found.is_none() {
        found = right_edge(tree, row, edge.as_ref(), published.as_ref()).await?;
    }
    if let (None, Some(edge), Some(held)) = (&found, &edge, &held) {
        found = against_guard(tree, edge, held).await?.or_else(|| behind(held, published.as_ref()));
    }
    if found.is_none() {
        found = pending(tree).await?;
    }
    if found.is_none() {
        found = clock(ctx, published.as_ref());
    }
    let vouched = held.filter(|_| found.is_none()).map(|held| (held.size, held.root));
    let uncovered = published.as_ref().map_or(0, |published| published.size) < row.size;
    Ok(Head {
        edge: edge.map(Arc::new),
        published: published.map(Arc::new),
        vouched,
        breach: found,
        uncovered_since_ms: uncovered.then(|| ctx.now_ms()),
    })
}

/// Origins of which something was signed and whose log the database lacks (I6, the other way round).
pub(crate) fn lost_origins(guard: &Guard, rows: &[LogRow]) -> Option<Breach> {
    let known = |origin: &String| rows.iter().any(|row| row.origin == *origin);
    let lost = guard.origins().into_iter().find(|(origin, size)| *size > 0 && !known(origin));
    let (origin, size) = lost?;
    breach(
        Invariant::Origins,
        format!("{size} entries of {origin} were signed, and the database lacks that log"),
    )
}

/// I2, as far as the tree goes: also asked before each signature that follows something this process did not sign itself.
pub(crate) async fn against_guard(
    tree: Tree<'_>,
    edge: &Edge,
    held: &Held,
) -> Result<Option<Breach>, StoreFault> {
    if held.size > edge.size() {
        let detail = format!("{} entries were signed, the database has {}", held.size, edge.size());
        return Ok(breach(Invariant::Guard, detail));
    }
    Ok(match root_at(tree, edge, held.size).await? {
        Some(root) if root == held.root => None,
        _ => {
            breach(Invariant::Guard, format!("the root at size {} is not the one that was signed", held.size))
        }
    })
}

fn origins(row: &LogRow, held: Option<&Held>) -> Option<Breach> {
    match held {
        None if row.size > 0 => {
            breach(Invariant::Origins, format!("the guard does not know this log of {} entries", row.size))
        }
        _ => None,
    }
}

/// I1.
async fn right_edge(
    tree: Tree<'_>,
    row: &LogRow,
    edge: Option<&Edge>,
    published: Option<&CheckpointRow>,
) -> Result<Option<Breach>, StoreFault> {
    let at = |detail: String| Ok(breach(Invariant::RightEdge, detail));
    let count = store::entry_count(tree.store, tree.ctx, tree.id).await?;
    if count != row.size {
        return at(format!("the last entry is {count} of {}", row.size));
    }
    for level in 0..levels_of(row.size) as u8 {
        let full = full_tiles(level, row.size);
        let count = store::tile_count(tree.store, tree.ctx, tree.id, level).await?;
        if count != full {
            return at(format!("level {level} has {count} full tiles instead of {full}"));
        }
    }
    let Some(edge) = edge else {
        return at(format!("rows are missing at the right edge of size {}", row.size));
    };
    if edge.root() != row.root {
        return at(format!("the right edge does not lead to the root of size {}", row.size));
    }
    if let Some(index) = unlike_tile(tree, row.size).await? {
        return at(format!("entry {index} is not the one in its tile"));
    }
    if let Some(published) = published {
        return checkpoint(tree, row, edge, published).await;
    }
    Ok(None)
}

/// The root at a size up to the edge's, from the edge where that is enough.
async fn root_at(tree: Tree<'_>, edge: &Edge, size: u64) -> Result<Option<Hash>, StoreFault> {
    if size == edge.size() { Ok(Some(edge.root())) } else { tree.root(size).await }
}

/// The first of the last 256 entries that is not the one whose hash stands in its full tile.
async fn unlike_tile(tree: Tree<'_>, size: u64) -> Result<Option<u64>, StoreFault> {
    let edge_start = size - size % TILE_WIDTH as u64;
    let start = size.saturating_sub(EDGE_ENTRIES);
    if start >= edge_start {
        return Ok(None);
    }
    let tile = tree.full_tile(0, start / TILE_WIDTH as u64).await?.unwrap_or_default();
    let rows = store::entries(tree.store, tree.ctx, tree.id, start..edge_start).await?;
    let mut rows = rows.into_iter();
    for index in start..edge_start {
        let hash: Option<&Hash> = tile.get((index % TILE_WIDTH as u64) as usize);
        let same = rows.next().is_some_and(|row| row.index == index && Some(&leaf_hash(&row.leaf)) == hash);
        if !same {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// The newest checkpoint row is one that this log signed, of a tree that the rows contain.
async fn checkpoint(
    tree: Tree<'_>,
    row: &LogRow,
    edge: &Edge,
    published: &CheckpointRow,
) -> Result<Option<Breach>, StoreFault> {
    let signed = SignedCheckpoint::open(&published.note, &row.vkeys).ok();
    let same = signed.is_some_and(|signed| {
        let checkpoint = signed.checkpoint();
        (checkpoint.size, checkpoint.root) == (published.size, published.root)
    });
    if !same {
        let detail = format!("the checkpoint of size {} is not the one that was signed", published.size);
        return Ok(breach(Invariant::RightEdge, detail));
    }
    let root = if published.size > row.size { None } else { root_at(tree, edge, published.size).await? };
    Ok(match root {
        Some(root) if root == published.root => None,
        _ => breach(
            Invariant::RightEdge,
            format!("the tree does not have the published root of size {}", published.size),
        ),
    })
}

/// I2, the other half: the guard is written first, so it is never behind.
fn behind(held: &Held, published: Option<&CheckpointRow>) -> Option<Breach> {
    let published = published.filter(|published| published.size > held.size)?;
    let detail = format!("{} entries were published, the guard holds {}", published.size, held.size);
    breach(Invariant::Guard, detail)
}

/// I4, for every row that waits, page by page.
async fn pending(tree: Tree<'_>) -> Result<Option<Breach>, StoreFault> {
    let mut behind = i64::MIN;
    loop {
        let page = tree.store.pending_behind(tree.ctx, tree.id, behind, PENDING_TAKE_MAX).await?;
        let Some(last) = page.last() else { return Ok(None) };
        behind = last.seq;
        for row in &page {
            if let Some((index, _)) = store::index_of(tree.store, tree.ctx, tree.id, &row.event_id).await? {
                let detail = format!("the pending event {} is entry {index} already", row.event_id);
                return Ok(breach(Invariant::Pending, detail));
            }
        }
    }
}

/// I5.
fn clock(ctx: &Ctx, published: Option<&CheckpointRow>) -> Option<Breach> {
    let behind_ms = published?.signed_at_ms.saturating_sub(ctx.now_ms());
    (behind_ms > CLOCK_SLACK_MS)
        .then(|| format!("the clock stands {} s before the last signed time", behind_ms / 1_000))
        .and_then(|detail| breach(Invariant::Clock, detail))
}
