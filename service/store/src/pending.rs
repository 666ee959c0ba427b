//! Entries on their way to the tree: what the sequencer takes.

use crate::ctx::Ctx;
use crate::fault::StoreFault;
use crate::id::EventId;
use crate::log::LogId;
use crate::stmt::{Effect, Stmt};
use crate::store::Store;

/// Entries taken at once: more would hold the writer past its p99.
pub const PENDING_TAKE_MAX: usize = 512;

/// One entry that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// Order among the waiting entries of the log; says nothing about the tree.
    pub seq: i64,
    /// Its event.
    pub event_id: EventId,
    /// The canonical bytes that will be hashed.
    pub leaf: Vec<u8>,
    /// When it was committed, Unix milliseconds of its `Ctx`.
    pub at_ms: i64,
}

pub(crate) const TAKE_PENDING: &str =
    "SELECT seq, event_id, leaf, at_ms FROM store_event WHERE log_id = $1 AND seq > $2 ORDER BY seq";
pub(crate) const ONE_PENDING: &str =
    "SELECT seq, event_id, leaf, at_ms FROM store_event WHERE log_id = $1 AND event_id = $2";
pub(crate) const SPEND_PENDING: &str = "DELETE FROM store_event WHERE log_id = $1 AND seq = $2";

impl Store {
    /// The oldest entries that wait in a log, in order, at most `max` and [`PENDING_TAKE_MAX`]. They stay until
    /// [`spend_pending`] is committed beside their entries.
    pub async fn take_pending(
        &self,
        ctx: &Ctx,
        log: &LogId,
        max: usize,
    ) -> Result<Vec<PendingEntry>, StoreFault> {
        self.pending_behind(ctx, log, i64::MIN, max).await
    }

    /// As [`Store::take_pending`], for those behind the place `seq`: who looks at all of them pages through.
    pub async fn pending_behind(
        &self,
        ctx: &Ctx,
        log: &LogId,
        seq: i64,
        max: usize,
    ) -> Result<Vec<PendingEntry>, StoreFault> {
        let stmt = Stmt::new(TAKE_PENDING).text(log.as_str()).int(seq);
        let rows = self.read(ctx).many(stmt, max.min(PENDING_TAKE_MAX)).await?;
        rows.iter().map(entry).collect()
    }

    /// The entry of an event that still waits; `None` once it is in the tree.
    pub async fn pending(
        &self,
        ctx: &Ctx,
        log: &LogId,
        event: EventId,
    ) -> Result<Option<PendingEntry>, StoreFault> {
        let stmt = Stmt::new(ONE_PENDING).text(log.as_str()).blob(event.0);
        self.read(ctx).one(stmt).await?.as_ref().map(entry).transpose()
    }
}

/// Deletes exactly the taken entries, for the guards of the sequencer's housekeeping: one that is gone means that
/// somebody else sequenced it.
pub fn spend_pending(log: &LogId, taken: &[PendingEntry]) -> Vec<Stmt> {
    let spend = |entry: &PendingEntry| {
        Stmt::new(SPEND_PENDING).text(log.as_str()).int(entry.seq).with_effect(Effect::SpendsPending)
    };
    taken.iter().map(spend).collect()
}

fn entry(row: &crate::row::Row) -> Result<PendingEntry, StoreFault> {
    let event_id = EventId(row.array(1)?);
    Ok(PendingEntry { seq: row.int(0)?, event_id, leaf: row.blob(2)?, at_ms: row.int(3)? })
}
