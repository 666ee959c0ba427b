//! A log as this process keeps it: its right edge, what it last signed, and whether it may go on.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ::store::{Ctx, LogId, TenantId};
use tlog::merkle::Hash;
use tlog::note::VerifierKey;
use tlog::tile::Edge;

use crate::check::Breach;
use crate::store::{CheckpointRow, LogRow};

/// One log. Its rows are the truth; this is what was last read or written of them.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) id: LogId,
    pub(crate) tenant: TenantId,
    pub(crate) origin: String,
    pub(crate) public: bool,
    pub(crate) epoch: i64,
    pub(crate) vkeys: Vec<VerifierKey>,
    /// Held by whoever sequences or publishes this log: the lease within the process.
    pub(crate) turn: tokio::sync::Mutex<()>,
    head: RwLock<Head>,
}

/// What changes of a log.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The right edge; `None` if the rows do not give one, and then the log is quarantined.
    pub(crate) edge: Option<Arc<Edge>>,
    /// The newest checkpoint that is served.
    pub(crate) published: Option<Arc<CheckpointRow>>,
    /// The size and root of the guard with which this edge was found consistent.
    pub(crate) vouched: Option<(u64, Hash)>,
    /// Why nothing is signed.
    pub(crate) breach: Option<Breach>,
    /// Since when entries stand in the tree without a checkpoint over them, Unix milliseconds.
    pub(crate) uncovered_since_ms: Option<i64>,
}

impl Log {
    pub(crate) fn new(row: LogRow, head: Head) -> Log {
        let LogRow { tenant, id, origin, public, epoch, vkeys, .. } = row;
        let turn = tokio::sync::Mutex::new(());
        Log { id, tenant, origin, public, epoch, vkeys, turn, head: RwLock::new(head) }
    }

    /// The request, acting for the tenant whose log this is.
    pub(crate) fn ctx(&self, ctx: &Ctx) -> Ctx {
        ctx.for_tenant(self.tenant.clone())
    }

    /// What is known of it now.
    pub(crate) fn head(&self) -> Head {
        self.read().clone()
    }

    /// The edge, if the log may go on.
    pub(crate) fn sound_edge(&self) -> Option<Arc<Edge>> {
        let head = self.read();
        head.edge.clone().filter(|_| head.breach.is_none())
    }

    /// The newest checkpoint that is served.
    pub(crate) fn published(&self) -> Option<Arc<CheckpointRow>> {
        self.read().published.clone()
    }

    /// Entries under the newest checkpoint.
    pub(crate) fn published_size(&self) -> u64 {
        self.read().published.as_ref().map_or(0, |row| row.size)
    }

    /// Why nothing is signed, if so.
    pub(crate) fn breach(&self) -> Option<Breach> {
        self.read().breach.clone()
    }

    pub(crate) fn set_grown(&self, edge: Arc<Edge>, now_ms: i64) {
        let mut head = self.write();
        head.uncovered_since_ms.get_or_insert(now_ms);
        head.edge = Some(edge);
    }

    pub(crate) fn set_vouched(&self, size: u64, root: Hash) {
        self.write().vouched = Some((size, root));
    }

    /// Entries that came while the checkpoint was signed are counted from now.
    pub(crate) fn set_published(&self, row: CheckpointRow, now_ms: i64) {
        let mut head = self.write();
        let grown = head.edge.as_ref().is_some_and(|edge| edge.size() > row.size);
        head.uncovered_since_ms = grown.then_some(now_ms);
        head.published = Some(Arc::new(row));
    }

    pub(crate) fn set_breach(&self, breach: Breach) {
        self.write().breach = Some(breach);
    }

    fn read(&self) -> RwLockReadGuard<'_, Head> {
        // Every write replaces one field by a whole value, so a panic leaves nothing half done.
        self.head.read().unwrap_or_else(|poison| poison.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Head> {
        self.head.write().unwrap_or_else(|poison| poison.into_inner())
    }
}
