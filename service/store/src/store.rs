//! The store: the one way in which rooms write and read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crypto::secret::Secret;
use tlog::event::Event;
use tokio::sync::oneshot;

use crate::board::{Board, Ending, PendingBounds, Waiting};
use crate::bus::Bus;
use crate::ctx::Ctx;
use crate::event::{Draft, Refusals};
use crate::fault::{CommitError, Committed, OpenFault, StoreFault};
use crate::keyring::Keyring;
use crate::log::LogId;
use crate::memo::Changes;
use crate::migrations::Migrations;
use crate::row::Row;
use crate::sqlite::connect::{self, Who};
use crate::sqlite::folder::{Folder, Scratch};
use crate::sqlite::readers::Readers;
use crate::sqlite::wal::Checkpointer;
use crate::sqlite::writer::{Job, KeepDone, KeepJob, UnitDone, UnitJob, Writer};
use crate::stmt::Stmt;
use crate::tenant::TenantId;
use crate::unit::{self, Reason, Refused, Step, Unit};

/// Rows one read may answer; a door lists at most 200, jobs walk in pages.
pub const ROWS_MAX: usize = 10_000;

/// How a store is opened.
pub struct StoreConfig {
    /// The database file. Its folder is made if it is missing, and locked.
    pub path: PathBuf,
    /// The root key, which is never in the database.
    pub root: Secret<[u8; 32]>,
    /// Days that the detail of an event stays readable.
    pub detail_keep_d: u32,
    /// How much may wait for the sequencer.
    pub pending: PendingBounds,
    /// The largest size of the database in pages of 4 KiB; `None`: what the disk takes.
    pub pages_max: Option<u32>,
    /// What ends the process when a commit may not be durable; `None`: abort.
    pub ending: Option<Ending>,
}

impl StoreConfig {
    /// The defaults for a database at `path` under `root`.
    pub fn new(path: impl Into<PathBuf>, root: Secret<[u8; 32]>) -> StoreConfig {
        StoreConfig {
            path: path.into(),
            root,
            detail_keep_d: 400,
            pending: PendingBounds::default(),
            pages_max: None,
            ending: None,
        }
    }
}

/// A handle to the store; clones share it. The last one that goes commits what waits and closes the files.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) board: Arc<Board>,
    pub(crate) readers: Readers,
    pub(crate) bus: Bus,
    pub(crate) changes: Arc<Changes>,
    writer: Writer,
    checkpointer: Checkpointer,
    _files: (Folder, Option<Scratch>),
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writer.stop();
        self.readers.stop();
        self.checkpointer.stop();
    }
}

impl Store {
    /// Opens or makes the database at `config.path`: locks its folder, refuses a wrong root and unknown or changed
    /// migrations before anything is written, applies missing migrations (the store's own, then `rooms` in order).
    /// Blocks; call it at start.
    pub fn open(config: StoreConfig, rooms: &[Migrations]) -> Result<Store, OpenFault> {
        crate::open::open(config, rooms)
    }

    /// A store for one test: a real database in a folder of its own, removed with the last handle, with the house log
    /// and the system log of host `ledger.test`, and no bound on the age of what waits (a test's time may jump).
    pub fn ephemeral(rooms: &[Migrations]) -> Result<Store, OpenFault> {
        crate::open::ephemeral(rooms)
    }

    /// Makes the row changes of `unit` and its event durable in one transaction, or neither.
    ///
    /// # Errors
    /// `Lost(e)`: a guard did not touch exactly one row; nothing but the refusal's event was written, durably too.
    /// `Fault`: nothing was written. If the future is dropped, the unit may still be committed.
    pub async fn commit<E: Refused>(&self, ctx: &Ctx, unit: Unit<E>) -> Result<Committed, CommitError<E>> {
        let Unit { event, policy, steps, mut lost } = unit;
        let bytes = unit::bounded(&steps, unit::UNIT_STATEMENTS_MAX, unit::UNIT_BYTES_MAX)?;
        let draft = Box::new(Draft::new(ctx, event, policy)?);
        let refusals = Refusals::new(ctx, lost.iter().map(Refused::event).collect(), policy);
        let (answer, done) = oneshot::channel();
        self.submit(Job::Unit(UnitJob { who: who(ctx), steps, draft, refusals, bytes, answer }))?;
        match done.await.unwrap_or(Err(StoreFault::Closed))? {
            UnitDone::Committed(event_id) => Ok(Committed { event_id }),
            UnitDone::Lost(guard) => Err(CommitError::Lost(lost.swap_remove(guard))),
        }
    }

    /// Makes an event durable that changes no row: a refusal, a start.
    pub async fn record(&self, ctx: &Ctx, event: Event) -> Result<Committed, StoreFault> {
        match self.commit(ctx, Unit::<std::convert::Infallible>::new(event)).await {
            Ok(committed) => Ok(committed),
            Err(CommitError::Fault(fault)) => Err(fault),
            Err(CommitError::Lost(never)) => match never {},
        }
    }

    /// Writes rows that decide nothing, without an event; answers how many it touched.
    pub async fn housekeeping(&self, ctx: &Ctx, reason: Reason, stmts: Vec<Stmt>) -> Result<u64, StoreFault> {
        let steps = stmts.into_iter().map(|stmt| Step { stmt, guard: None }).collect();
        Ok(self.keep(ctx, reason, steps).await?.rows)
    }

    /// As [`Store::housekeeping`], but each of `guards` must touch exactly one row, and they run first. Answers
    /// whether they did; if not, nothing was written.
    pub async fn housekeeping_guarded(
        &self,
        ctx: &Ctx,
        reason: Reason,
        guards: Vec<Stmt>,
        stmts: Vec<Stmt>,
    ) -> Result<bool, StoreFault> {
        let guards = guards.into_iter().map(|stmt| Step { stmt, guard: Some(0) });
        let steps = guards.chain(stmts.into_iter().map(|stmt| Step { stmt, guard: None })).collect();
        Ok(self.keep(ctx, reason, steps).await?.held)
    }

    async fn keep(&self, ctx: &Ctx, reason: Reason, steps: Vec<Step>) -> Result<KeepDone, StoreFault> {
        let bytes = unit::bounded(&steps, unit::HOUSEKEEPING_STATEMENTS_MAX, unit::HOUSEKEEPING_BYTES_MAX)?;
        tracing::trace!(?reason, statements = steps.len(), "housekeeping");
        let (answer, done) = oneshot::channel();
        self.submit(Job::Keep(KeepJob { who: who(ctx), steps, bytes, answer }))?;
        done.await.unwrap_or(Err(StoreFault::Closed))
    }

    /// Goes through the writer's queue and an empty transaction, for `/healthz`: the writer beats.
    pub async fn beat(&self) -> Result<(), StoreFault> {
        let (answer, done) = oneshot::channel();
        let who = Who { tenant: TenantId::SYSTEM, now_ms: 0 };
        self.submit(Job::Keep(KeepJob { who, steps: Vec::new(), bytes: 0, answer }))?;
        done.await.unwrap_or(Err(StoreFault::Closed)).map(drop)
    }

    /// Reads for the tenant of `ctx`. Each statement sees whole units only.
    pub fn read<'a>(&'a self, ctx: &'a Ctx) -> Read<'a> {
        Read { store: self, ctx }
    }

    /// The hints between the rooms of this process.
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// Stops commits for a log whose tree is damaged; for the house log or the system log: all commits. Reads go on.
    /// Kept in memory: whoever checks at start says it again.
    pub fn quarantine(&self, log: &LogId, reason: &str) {
        tracing::error!(%log, reason, "the log is quarantined");
        self.inner.board.quarantine(log, reason);
    }

    /// Lets commits for a log go on.
    pub fn lift_quarantine(&self, log: &LogId) {
        self.inner.board.lift(log);
    }

    /// The logs that are quarantined, with the reason.
    pub fn quarantined(&self) -> Vec<(LogId, String)> {
        self.inner.board.quarantined()
    }

    /// What waits for the sequencer, by log. Logs in which nothing waits are left out.
    pub fn waiting(&self) -> BTreeMap<LogId, Waiting> {
        self.inner.board.waiting()
    }

    /// Returns when some log has filled up to [`crate::PENDING_WAKE_ROWS`]: the sequencer need not wait for its tick.
    pub async fn filled(&self) {
        self.inner.board.filled.notified().await;
    }

    /// Transactions committed since the start: with [`Store::commit`] counted beside it, how many share one fsync.
    pub fn transactions(&self) -> u64 {
        self.inner.writer.commits()
    }

    /// Whether a commit may not have been durable and the process is to end; for `/healthz`.
    pub fn is_ended(&self) -> bool {
        self.inner.board.is_ended()
    }

    fn submit(&self, job: Job) -> Result<(), StoreFault> {
        if self.inner.board.is_ended() {
            return Err(StoreFault::Closed);
        }
        self.inner.writer.submit(job)
    }

    pub(crate) fn from_parts(
        (keyring, board, changes): (Arc<Keyring>, Arc<Board>, Arc<Changes>),
        (writer, readers, checkpointer): (Writer, Readers, Checkpointer),
        files: (Folder, Option<Scratch>),
    ) -> Store {
        let bus = Bus::new();
        let inner = Inner { keyring, board, readers, bus, changes, writer, checkpointer, _files: files };
        Store { inner: Arc::new(inner) }
    }
}

/// A read in the name of a `Ctx`.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    store: &'a Store,
    ctx: &'a Ctx,
}

impl Read<'_> {
    /// The first row, if there is one.
    pub async fn one(&self, stmt: Stmt) -> Result<Option<Row>, StoreFault> {
        Ok(self.many(stmt, 1).await?.into_iter().next())
    }

    /// The first `limit` rows, at most [`ROWS_MAX`]. The statement says the order.
    pub async fn many(&self, stmt: Stmt, limit: usize) -> Result<Vec<Row>, StoreFault> {
        let who = who(self.ctx);
        let read = move |conn: &rusqlite::Connection| {
            connect::query(conn, &who, &stmt, limit.min(ROWS_MAX)).map_err(connect::Trouble::into_fault)
        };
        self.store.inner.readers.run_short(read).await
    }
}

pub(crate) fn who(ctx: &Ctx) -> Who {
    Who { tenant: ctx.tenant.clone(), now_ms: ctx.now_ms() }
}
