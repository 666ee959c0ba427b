//! What the writer and everybody else must know of each other at once: what waits, what is stopped, whether it ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::fault::StoreFault;
use crate::log::LogId;

/// Pending rows at which the sequencer is woken before its tick.
pub const PENDING_WAKE_ROWS: u64 = 512;

/// How much may wait for the sequencer before a log takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingBounds {
    /// Rows of one log.
    pub rows_max: u64,
    /// Age of the oldest row, in milliseconds of `Ctx` time.
    pub age_ms_max: i64,
}

impl Default for PendingBounds {
    /// A million rows are 300 MB; ten minutes without a checkpoint are an outage.
    fn default() -> PendingBounds {
        PendingBounds { rows_max: 1_000_000, age_ms_max: 600_000 }
    }
}

/// What waits in one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Rows.
    pub rows: u64,
    /// Time of the oldest, Unix milliseconds; `None` if nothing waits.
    pub oldest_at_ms: Option<i64>,
}

/// Called once when a commit could not be made durable, with the reason; it must end the process.
pub type Ending = Arc<dyn Fn(&str) + Send + Sync>;

pub(crate) struct Board {
    waiting: Mutex<BTreeMap<LogId, Waiting>>,
    quarantined: Mutex<HashMap<LogId, String>>,
    ended: AtomicBool,
    ending: Ending,
    bounds: PendingBounds,
    pub(crate) filled: Notify,
    /// What the disk will say to the next commit, in tests.
    #[cfg(test)]
    disk: Mutex<Option<i32>>,
}

impl Board {
    pub(crate) fn new(bounds: PendingBounds, ending: Ending, waiting: BTreeMap<LogId, Waiting>) -> Board {
        Board {
            waiting: Mutex::new(waiting),
            quarantined: Mutex::default(),
            ended: AtomicBool::new(false),
            ending,
            bounds,
            filled: Notify::new(),
            #[cfg(test)]
            disk: Mutex::default(),
        }
    }

    /// Refuses a unit for a log that is stopped or full.
    pub(crate) fn admit(&self, log: &LogId, now_ms: i64) -> Result<(), StoreFault> {
        if let Some(reason) = lock(&self.quarantined).get(log) {
            return Err(StoreFault::Quarantined { log: log.to_string(), reason: reason.clone() });
        }
        let waiting = lock(&self.waiting).get(log).copied().unwrap_or_default();
        let cause = if waiting.rows >= self.bounds.rows_max {
            format!("{} entries wait for the sequencer", waiting.rows)
        } else if waiting.oldest_at_ms.is_some_and(|at| now_ms.saturating_sub(at) > self.bounds.age_ms_max) {
            format!("the oldest entry waits for longer than {} s", self.bounds.age_ms_max / 1_000)
        } else {
            return Ok(());
        };
        Err(StoreFault::LedgerUnavailable { log: log.to_string(), cause })
    }

    /// Refuses every unit while the house log or the system log is quarantined.
    pub(crate) fn admit_any(&self) -> Result<(), StoreFault> {
        let quarantined = lock(&self.quarantined);
        for log in [LogId::house(), LogId::system()] {
            if let Some(reason) = quarantined.get(&log) {
                return Err(StoreFault::Quarantined { log: log.to_string(), reason: reason.clone() });
            }
        }
        Ok(())
    }

    /// Counts a committed entry.
    pub(crate) fn count(&self, log: &LogId, at_ms: i64) {
        let mut all = lock(&self.waiting);
        let waiting = match all.get_mut(log) {
            Some(waiting) => waiting,
            None => all.entry(log.clone()).or_default(),
        };
        waiting.rows += 1;
        waiting.oldest_at_ms = Some(waiting.oldest_at_ms.map_or(at_ms, |oldest| oldest.min(at_ms)));
        if waiting.rows == PENDING_WAKE_ROWS {
            self.filled.notify_one();
        }
    }

    /// Counts rows that the sequencer took out of a log; `oldest_at_ms` is the time of the oldest that stays.
    pub(crate) fn discount(&self, log: &LogId, rows: u64, oldest_at_ms: Option<i64>) {
        let mut all = lock(&self.waiting);
        let Some(waiting) = all.get_mut(log) else { return };
        waiting.rows = waiting.rows.saturating_sub(rows);
        waiting.oldest_at_ms = oldest_at_ms;
        if waiting.rows == 0 {
            all.remove(log);
        }
    }

    pub(crate) fn waiting(&self) -> BTreeMap<LogId, Waiting> {
        lock(&self.waiting).clone()
    }

    pub(crate) fn quarantine(&self, log: &LogId, reason: &str) {
        lock(&self.quarantined).insert(log.clone(), reason.to_owned());
    }

    pub(crate) fn lift(&self, log: &LogId) {
        lock(&self.quarantined).remove(log);
    }

    pub(crate) fn quarantined(&self) -> Vec<(LogId, String)> {
        lock(&self.quarantined).iter().map(|(log, reason)| (log.clone(), reason.clone())).collect()
    }

    /// An error that a test put in the place of the next commit; never one in a build that runs.
    pub(crate) fn disk_says(&self) -> Option<rusqlite::Error> {
        #[cfg(test)]
        let code = lock(&self.disk).take();
        #[cfg(not(test))]
        let code = None::<i32>;
        code.map(|code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
    }

    #[cfg(test)]
    pub(crate) fn let_disk_say(&self, code: i32) {
        *lock(&self.disk) = Some(code);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends the process: what the disk said cannot be trusted any more. No answer follows.
    pub(crate) fn end(&self, reason: &str) {
        if !self.ended.swap(true, Ordering::AcqRel) {
            tracing::error!(reason, "a commit may not be durable: the process ends");
            (self.ending)(reason);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
