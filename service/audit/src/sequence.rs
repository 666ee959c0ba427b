//! The sequencer: pending entries become tree entries, in the order in which they were written down.
//!
//! ```text
//! take ≤ 512 pending ──▶ Step::of (pure) ──▶ one transaction: head moved from where it was expected · entries · full tiles ·
//!                                            exactly the pending rows taken deleted
//! ```
//! A crash before the transaction leaves the rows pending; after it, they are in the tree. Whoever loses the guarded head
//! (another sequencer was first) reads the edge again and has done nothing.

use std::sync::Arc;

use ::store::{Ctx, EventId, LogId, PENDING_TAKE_MAX, Reason, Stmt, StoreFault, spend_pending};
use thiserror::Error;
use tlog::merkle::leaf_hash;
use tlog::tile::{Edge, FullTile};

use crate::check::{Breach, Invariant};
use crate::log::Log;
use crate::proof::salted_fields;
use crate::tree::Tree;
use crate::{Audit, store};

/// Pending rows of one step: more would hold the store's one writer past the 25 ms that a commit may wait.
pub const STEP_ROWS_MAX: usize = PENDING_TAKE_MAX;

/// Steps of one log in one tick; what waits beyond them comes in the next, so that one busy log does not starve others.
const STEPS_MAX: usize = 64;

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// So many entries are in the tree now; 0 if nothing waited.
    Taken(usize),
    /// Another sequencer moved the head first; nothing was written.
    LeaseLost,
    /// The log is quarantined.
    Quarantined,
}

/// Why a step was not done. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SequenceFault {
    /// No such log.
    #[error("there is no log {0}")]
    UnknownLog(LogId),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Audit {
    /// Sequences what waits in every log; answers how many entries. A log that fails does not stop the others.
    pub async fn sequence(&self, ctx: &Ctx) -> usize {
        let waiting = self.store.waiting();
        let due = self.logs().into_iter().filter(|log| waiting.contains_key(&log.id));
        let mut running = tokio::task::JoinSet::new();
        for log in due {
            let (audit, ctx) = (self.clone(), ctx.clone());
            running.spawn(async move { audit.sequence_log(&ctx, &log).await });
        }
        let mut taken = 0;
        while let Some(done) = running.join_next().await {
            taken += done.unwrap_or(0);
        }
        taken
    }

    /// One step of one log.
    pub async fn sequence_step(&self, ctx: &Ctx, id: &LogId) -> Result<Stepped, SequenceFault> {
        let log = self.log(id).ok_or_else(|| SequenceFault::UnknownLog(id.clone()))?;
        Ok(self.step(ctx, &log).await?)
    }

    async fn sequence_log(&self, ctx: &Ctx, log: &Log) -> usize {
        let mut taken = 0;
        for _ in 0..STEPS_MAX {
            match self.step(ctx, log).await {
                Ok(Stepped::Taken(rows)) => {
                    taken += rows;
                    if rows < STEP_ROWS_MAX {
                        break;
                    }
                }
                Ok(Stepped::LeaseLost) => {}
                Ok(Stepped::Quarantined) => break,
                Err(fault) => {
                    tracing::error!(%fault, log = %log.id, "entries could not be sequenced");
                    break;
                }
            }
        }
        taken
    }

    async fn step(&self, ctx: &Ctx, log: &Log) -> Result<Stepped, StoreFault> {
        let _turn = log.turn.lock().await;
        let Some(edge) = log.sound_edge() else { return Ok(Stepped::Quarantined) };
        let ctx = log.ctx(ctx);
        let pending = self.store.take_pending(&ctx, &log.id, STEP_ROWS_MAX).await?;
        let rows: Vec<_> = pending.iter().map(|row| (row.event_id, row.leaf.clone())).collect();
        if rows.is_empty() {
            return Ok(Stepped::Taken(0));
        }
        let step = Step::of(&edge, rows);
        // The head and each row taken are guards: if either is gone, another sequencer was here.
        let guards =
            [step.head(&log.id, &edge)].into_iter().chain(spend_pending(&log.id, &pending)).collect();
        let stmts = step.statements(&log.id);
        match self.store.housekeeping_guarded(&ctx, Reason::Sequencing, guards, stmts).await {
            Ok(true) => {
                let taken = step.entries.len();
                log.set_grown(Arc::new(step.edge), ctx.now_ms());
                Ok(Stepped::Taken(taken))
            }
            Ok(false) => self.take_up(&ctx, log).await,
            Err(StoreFault::Constraint { cause, .. }) => {
                // An index or event id that is in the tree already: rows came back from the dead, or were written by hand.
                let detail = format!("a pending entry is in the tree already: {cause}");
                self.enter_quarantine(&ctx, log, Breach { invariant: Invariant::Pending, detail }).await;
                Ok(Stepped::Quarantined)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Reads the edge again after another sequencer was first. What it finds must still lead to the stored root.
    pub(crate) async fn take_up(&self, ctx: &Ctx, log: &Log) -> Result<Stepped, StoreFault> {
        let row = store::log(&self.store, ctx, &log.id).await?;
        let row = row.ok_or_else(|| StoreFault::NoLog { tenant: log.tenant.to_string() })?;
        let edge = Tree { store: &self.store, ctx, id: &log.id }.edge(row.size).await?;
        match edge.filter(|edge| edge.root() == row.root) {
            Some(edge) => {
                log.set_grown(Arc::new(edge), ctx.now_ms());
                Ok(Stepped::LeaseLost)
            }
            None => {
                let detail =
                    format!("the rows at the right edge do not lead to the root of size {}", row.size);
                self.enter_quarantine(ctx, log, Breach { invariant: Invariant::RightEdge, detail }).await;
                Ok(Stepped::Quarantined)
            }
        }
    }
}

/// What one step writes: a pure function of the edge and the rows taken.
struct Step {
    entries: Vec<(u64, EventId, Vec<u8>)>,
    tiles: Vec<FullTile>,
    edge: Edge,
}

impl Step {
    fn of(from: &Edge, rows: Vec<(EventId, Vec<u8>)>) -> Step {
        let mut edge = from.clone();
        let (mut entries, mut tiles) = (Vec::with_capacity(rows.len()), Vec::new());
        for (event_id, leaf) in rows {
            let index = edge.size();
            edge.push(leaf_hash(&leaf), &mut tiles);
            entries.push((index, event_id, leaf));
        }
        Step { entries, tiles, edge }
    }

    fn head(&self, id: &LogId, from: &Edge) -> Stmt {
        store::advance(id, (from.size(), &from.root()), (self.edge.size(), &self.edge.root()))
    }

    fn statements(&self, id: &LogId) -> Vec<Stmt> {
        let entries = self
            .entries
            .iter()
            .map(|(index, event_id, leaf)| store::put_entry(id, *index, event_id, leaf.clone()));
        let fields = self.entries.iter().flat_map(|(index, _, leaf)| {
            salted_fields(leaf).into_iter().map(move |field| store::put_field(id, &field, *index))
        });
        entries.chain(fields).chain(self.tiles.iter().map(|tile| store::put_tile(id, tile))).collect()
    }
}
