//! The one writer: takes every waiting unit, runs them so that none can hurt another, commits once, answers all.
//!
//! A crash before COMMIT loses units that nobody was told of; after it, nothing. If COMMIT's fsync fails, nobody can
//! know which of the two it was, so the process ends and answers nobody.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use tokio::sync::oneshot;

use super::connect::{self, Trouble, Who};
use super::run::{Done, Outcome, Runner};
use super::{Joined, wal};
use crate::board::Board;
use crate::event::{Draft, Refusals};
use crate::fault::StoreFault;
use crate::id::EventId;
use crate::ledger::Ledger;
use crate::memo::Changes;
use crate::unit::Step;

/// Units of one transaction: at more, the last ones would wait for the first.
pub const BATCH_UNITS_MAX: usize = 4_096;

/// Bytes of one transaction: what one fsync takes in a few milliseconds.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Work of one transaction before its commit; answers come within 25 ms for p99.
pub const BATCH_WORK_MAX: Duration = Duration::from_millis(5);

/// From the beginning of a transaction that had company to the beginning of the next: whoever comes meanwhile shares its pages and
/// its fsync. A unit waits so long at most; one that comes alone, or finds [`GATHER_UNITS`] waiting, does not wait.
const PACE: Duration = Duration::from_millis(8);

/// Units that are worth a transaction at once: more would share little more.
const GATHER_UNITS: usize = 64;

/// Units that may wait: a second's work; more would be answered too late to be of use.
pub const UNITS_WAITING_MAX: usize = 16_384;

/// What waits for the writer.
pub(crate) enum Job {
    Unit(UnitJob),
    Keep(KeepJob),
}

/// A unit with the draft of its event, and what its refusals would be.
pub(crate) struct UnitJob {
    pub(crate) who: Who,
    pub(crate) steps: Vec<Step>,
    pub(crate) draft: Box<Draft>,
    pub(crate) refusals: Option<Refusals>,
    pub(crate) bytes: usize,
    pub(crate) answer: oneshot::Sender<Result<UnitDone, StoreFault>>,
}

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitDone {
    Committed(EventId),
    /// The guard of this number was lost.
    Lost(usize),
}

/// Housekeeping: rows without an event.
pub(crate) struct KeepJob {
    pub(crate) who: Who,
    pub(crate) steps: Vec<Step>,
    pub(crate) bytes: usize,
    pub(crate) answer: oneshot::Sender<Result<KeepDone, StoreFault>>,
}

/// What became of a housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeepDone {
    /// Whether every guard touched exactly one row; if not, nothing was done.
    pub(crate) held: bool,
    /// Rows touched.
    pub(crate) rows: u64,
}

/// The way to the writer.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Joined,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    commits: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
    /// How many jobs the writer sleeps for; 0 while it is awake, as waking it would be a call of the system for nothing.
    wanted: usize,
}

impl Queue {
    /// Whether the writer is to be woken, which is told once.
    fn wakes(&mut self) -> bool {
        let wakes = self.wanted > 0 && self.jobs.len() >= self.wanted;
        if wakes {
            self.wanted = 0;
        }
        wakes
    }
}

impl Writer {
    pub(crate) fn start(
        path: &Path,
        pages_max: Option<u32>,
        ledger: Ledger,
        (board, changes): (Arc<Board>, Arc<Changes>),
        checkpoint: Arc<wal::Shared>,
    ) -> rusqlite::Result<Writer> {
        let mut conn = connect::writer(path, pages_max)?;
        let shared =
            Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), commits: AtomicU64::new(0) });
        let pages = Arc::new(AtomicU32::new(0));
        let seen = pages.clone();
        conn.wal_hook(Some(move |_: &mut Wal, count: i32| {
            seen.store(count.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let runner = Runner::new(conn, ledger, board.clone());
        let shared_too = shared.clone();
        let (pages_asked, began) = (0, None);
        let mut engine =
            Engine { runner, board, changes, checkpoint, pages, pages_asked, began, shared: shared_too };
        let builder = thread::Builder::new().name("store-write".to_owned());
        let handle = builder.spawn(move || engine.run());
        let handle = handle.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Writer { shared, thread: Joined::new(handle) })
    }

    /// Puts a job in the queue, unless it is full.
    pub(crate) fn submit(&self, job: Job) -> Result<(), StoreFault> {
        {
            let mut queue = lock(&self.shared.queue);
            if queue.closed {
                return Err(StoreFault::Closed);
            }
            if queue.jobs.len() >= UNITS_WAITING_MAX {
                return Err(StoreFault::Busy);
            }
            queue.jobs.push_back(job);
            if !queue.wakes() {
                return Ok(());
            }
        }
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Transactions committed since the start.
    pub(crate) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Commits what waits, then ends the thread.
    pub(crate) fn stop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_all();
        self.thread.join();
    }
}

/// What the thread owns.
struct Engine {
    runner: Runner,
    board: Arc<Board>,
    changes: Arc<Changes>,
    checkpoint: Arc<wal::Shared>,
    /// Pages in the write-ahead log, as of the last commit.
    pages: Arc<AtomicU32>,
    /// Pages when a checkpoint was last asked for.
    pages_asked: u32,
    /// When the last transaction began, if it had company.
    began: Option<Instant>,
    shared: Arc<Shared>,
}

impl Engine {
    fn run(&mut self) {
        // However the thread ends, nobody may wait for it in vain.
        let _closing = Closing(self.shared.clone(), self.board.clone());
        while let Some(first) = self.next_or_wait() {
            self.batch(first);
            if self.board.is_ended() {
                return;
            }
        }
    }

    /// One transaction of everything that waits, within bounds.
    fn batch(&mut self, first: Job) {
        self.gather();
        let began = Instant::now();
        let mut bytes = first.bytes();
        let (mut jobs, mut outcomes) = (vec![first], Vec::new());
        let done = self.runner.control("BEGIN IMMEDIATE").and_then(|()| {
            let started = Instant::now();
            while outcomes.len() < jobs.len() {
                let is_first = outcomes.is_empty();
                let group_max = self.runner.group_max(is_first);
                self.take(&mut jobs, outcomes.len() + group_max, &mut bytes);
                let next = &jobs[outcomes.len()..];
                let ran = if is_first { self.runner.first(next)? } else { self.runner.group(next)? };
                outcomes.extend(ran);
                if started.elapsed() < BATCH_WORK_MAX {
                    self.take(&mut jobs, outcomes.len() + 1, &mut bytes);
                }
            }
            self.commit()
        });
        self.began = (jobs.len() > 1).then_some(began);
        self.conclude(done, jobs, outcomes);
    }

    /// Waits for company, if the last transaction had some: many small transactions write the same pages again and again.
    fn gather(&self) {
        let Some(left) = self.began.and_then(|began| PACE.checked_sub(began.elapsed())) else { return };
        let until = Instant::now() + left;
        let mut queue = lock(&self.shared.queue);
        // The first job is not in the queue any more.
        while queue.jobs.len() + 1 < GATHER_UNITS && !queue.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue.wanted = GATHER_UNITS - 1;
            queue = self.shared.wake.wait_timeout(queue, left).unwrap_or_else(|poison| poison.into_inner()).0;
        }
        queue.wanted = 0;
    }

    /// Adds jobs that wait until there are `count`, the transaction is full, or nothing waits.
    fn take(&self, jobs: &mut Vec<Job>, count: usize, bytes: &mut usize) {
        let mut queue = lock(&self.shared.queue);
        while jobs.len() < count.min(BATCH_UNITS_MAX)
            && let Some(next) = queue.jobs.front()
            && *bytes + next.bytes() <= BATCH_BYTES_MAX
        {
            *bytes += next.bytes();
            jobs.extend(queue.jobs.pop_front());
        }
    }

    fn conclude(&mut self, done: Result<(), Trouble>, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        match done {
            Ok(()) => {
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("tessera_store_commits_total").increment(1);
                metrics::histogram!("tessera_store_commit_units").record(jobs.len() as f64);
                self.changes.count(jobs.iter().flat_map(Job::steps).map(|step| &step.stmt));
                self.runner.ledger.committed(&self.runner.conn, &self.board);
                jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.answer(outcome));
                self.tend_wal();
            }
            Err(Trouble::Process(cause)) => {
                // No answer: whoever waits must not learn "failed" of what may yet be there.
                self.board.end(&cause);
            }
            Err(Trouble::Unit(fault) | Trouble::Transaction(fault)) => {
                tracing::error!(%fault, units = jobs.len(), "a transaction was rolled back");
                if !self.runner.conn.is_autocommit()
                    && let Err(trouble) = self.runner.control("ROLLBACK")
                {
                    self.board.end(&trouble.into_fault().to_string());
                    return;
                }
                self.runner.ledger.rolled_back(0);
                jobs.into_iter().for_each(|job| job.answer(Err(fault.clone())));
            }
        }
    }

    /// COMMIT with its fsync. What the disk refuses to take is rolled back; what it may have lost ends the process.
    fn commit(&self) -> Result<(), Trouble> {
        let done = match self.board.disk_says() {
            Some(error) => Err(connect::trouble("COMMIT", &error)),
            None => self.runner.control("COMMIT"),
        };
        done.map_err(|trouble| match trouble {
            Trouble::Transaction(StoreFault::Engine { cause }) => Trouble::Process(cause),
            trouble => trouble,
        })
    }

    /// Asks for a checkpoint whenever the log has grown, or lends a hand if it has grown too long.
    fn tend_wal(&mut self) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.pages_asked {
            self.pages_asked = 0; // the log began anew
        }
        if pages - self.pages_asked < wal::WAL_PAGES {
            return;
        }
        self.pages_asked = pages;
        if pages < wal::WAL_PAGES_MAX {
            self.checkpoint.ask();
        } else {
            wal::checkpoint(&self.runner.conn, &self.board);
        }
    }

    fn next_or_wait(&self) -> Option<Job> {
        let mut queue = lock(&self.shared.queue);
        loop {
            match queue.jobs.pop_front() {
                Some(job) => return Some(job),
                None if queue.closed => return None,
                None => {
                    queue.wanted = 1;
                    queue = self.shared.wake.wait(queue).unwrap_or_else(|poison| poison.into_inner());
                    queue.wanted = 0;
                }
            }
        }
    }
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Job::Unit(job) => job.bytes,
            Job::Keep(job) => job.bytes,
        }
    }

    fn steps(&self) -> &[Step] {
        match self {
            Job::Unit(job) => &job.steps,
            Job::Keep(job) => &job.steps,
        }
    }

    /// Tells whoever asked; if he is gone, what was committed stays committed.
    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Job::Unit(job), Ok(Done::Unit(done))) => drop(job.answer.send(Ok(done))),
            (Job::Keep(job), Ok(Done::Keep(done))) => drop(job.answer.send(Ok(done))),
            (Job::Unit(job), Err(fault)) => drop(job.answer.send(Err(fault))),
            (Job::Keep(job), Err(fault)) => drop(job.answer.send(Err(fault))),
            (Job::Unit(_), Ok(Done::Keep(_))) | (Job::Keep(_), Ok(Done::Unit(_))) => {
                unreachable!("a job's outcome is of its own kind: see `Runner`")
            }
        }
    }
}

/// Closes the queue when the writer's thread ends: what waits is dropped, which answers `Closed`. A panic of the
/// writer ends the process: a house that can only read would look well and refuse everything.
struct Closing(Arc<Shared>, Arc<Board>);

impl Drop for Closing {
    fn drop(&mut self) {
        {
            let mut queue = lock(&self.0.queue);
            queue.closed = true;
            queue.jobs.clear();
        }
        if thread::panicking() {
            self.1.end("the writer panicked");
        }
    }
}

fn lock(mutex: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use crypto::secret::Secret;
    use rusqlite::ffi;
    use tlog::event::Event;

    use super::*;
    use crate::board::PendingBounds;
    use crate::{Actor, Ctx, Entropy, LogSpec, Store, StoreConfig, TenantId};

    async fn house(folder: &tempfile::TempDir) -> (Store, Ctx, Arc<AtomicBool>) {
        let ended = Arc::new(AtomicBool::new(false));
        let mut config = StoreConfig::new(folder.path().join("tessera.db"), Secret::new([7; 32]));
        let hook = ended.clone();
        config.ending = Some(Arc::new(move |_: &str| hook.store(true, Ordering::SeqCst)));
        let store = Store::open(config, &[]).unwrap();
        let ctx =
            Ctx::new(TenantId::SYSTEM, Actor::system(), jiff::Timestamp::UNIX_EPOCH, Entropy::seeded(7));
        store.create_log(&ctx, &LogSpec::of("ledger.test", &TenantId::SYSTEM)).await.unwrap();
        (store, ctx, ended)
    }

    fn event() -> Event {
        Event::ServerStarted { version: "0".to_owned() }
    }

    #[tokio::test]
    async fn a_failed_fsync_ends_the_process_and_acks_nobody() {
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC, ffi::SQLITE_IOERR_SHMMAP] {
            let folder = tempfile::tempdir().unwrap();
            let (store, ctx, ended) = house(&folder).await;
            store.inner.board.let_disk_say(code);
            assert_eq!(store.record(&ctx, event()).await, Err(StoreFault::Closed));
            assert!(ended.load(Ordering::SeqCst));
            assert!(store.is_ended());
            assert_eq!(store.record(&ctx, event()).await, Err(StoreFault::Closed), "no ack follows");
        }
    }

    #[tokio::test]
    async fn a_disk_that_takes_no_more_is_a_clean_fault_and_recovers_alone() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE] {
            let folder = tempfile::tempdir().unwrap();
            let (store, ctx, ended) = house(&folder).await;
            store.inner.board.let_disk_say(code);
            let fault = store.record(&ctx, event()).await.unwrap_err();
            assert!(matches!(fault, StoreFault::DiskFull { .. }), "{fault}");
            assert!(!ended.load(Ordering::SeqCst));
            store.record(&ctx, event()).await.unwrap();
            let rows = store.waiting().values().map(|waiting| waiting.rows).sum::<u64>();
            assert_eq!(rows, 1, "what was rolled back is not counted");
        }
    }

    #[test]
    fn a_full_queue_is_busy_and_a_closed_one_closed() {
        let shared =
            Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), commits: AtomicU64::new(0) });
        let writer = Writer { shared: shared.clone(), thread: Joined::default() };
        let job = || {
            let who = Who { tenant: TenantId::SYSTEM, now_ms: 0 };
            Job::Keep(KeepJob { who, steps: Vec::new(), bytes: 0, answer: oneshot::channel().0 })
        };
        for _ in 0..UNITS_WAITING_MAX {
            writer.submit(job()).unwrap();
        }
        assert_eq!(writer.submit(job()), Err(StoreFault::Busy));
        let board = Board::new(PendingBounds::default(), Arc::new(|_: &str| ()), BTreeMap::new());
        drop(Closing(shared, Arc::new(board)));
        assert_eq!(writer.submit(job()), Err(StoreFault::Closed));
    }
}
