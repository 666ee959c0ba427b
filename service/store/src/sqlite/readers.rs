//! The readers: connections that cannot write.
//!
//! ```text
//! read ── a short one: where it is asked, on a connection that is free ──▶ answer
//!     └── none is free, or it proved long ──▶ queue ──▶ eight threads ──▶ answer
//! ```
//! A row that is found by its key costs less than waking a thread for it and being woken again. What takes longer must not hold up
//! whoever shares the asker's thread: it is broken off, and read anew by a thread that has time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Joined, connect};
use crate::fault::StoreFault;

/// Connections that read: SQLite scales reads to the cores, and a slow one must not hold the others up.
pub(crate) const READERS: usize = 8;

/// Connections for short reads: more threads of the runtime than this seldom read in the same moment.
const SHORT_READERS: usize = 4;

/// Steps of SQLite's machine after which a short read is asked whether it goes on. A row by its key takes fifty.
const SHORT_STEPS: i32 = 1_000;

/// How often it may be asked: beyond it the read is long. About a tenth of a millisecond. SQLite counts over several uses of a
/// statement, so the first time may come at once.
const SHORT_ASKED_MAX: u32 = 4;

/// Reads that may wait; as many requests are in flight at most.
const READS_WAITING_MAX: usize = 16_384;

pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(crate) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<Joined>,
    short: Vec<Mutex<Short>>,
}

/// A connection on which reads run in the asker's thread, while they are short.
struct Short {
    conn: Connection,
    asked: Arc<AtomicU32>,
}

impl Short {
    fn open(path: &Path) -> rusqlite::Result<Short> {
        let mut conn = connect::reader(path)?;
        let asked = Arc::<AtomicU32>::default();
        let counted = asked.clone();
        let is_long = move || counted.fetch_add(1, Ordering::Relaxed) >= SHORT_ASKED_MAX;
        conn.progress_handler(SHORT_STEPS, Some(is_long))?;
        Ok(Short { conn, asked })
    }

    /// The answer of `read`; none if it proved long.
    fn run<T>(&self, read: impl Fn(&Connection) -> Result<T, StoreFault>) -> Option<Result<T, StoreFault>> {
        self.asked.store(0, Ordering::Relaxed);
        let answer = read(&self.conn);
        (self.asked.load(Ordering::Relaxed) <= SHORT_ASKED_MAX).then_some(answer)
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    reads: VecDeque<Read>,
    closed: bool,
}

impl Readers {
    pub(crate) fn start(path: &Path) -> rusqlite::Result<Readers> {
        let shared = Arc::<Shared>::default();
        let short =
            (0..SHORT_READERS).map(|_| Short::open(path).map(Mutex::new)).collect::<Result<_, _>>()?;
        let mut readers = Readers { shared, threads: Vec::new(), short };
        for number in 0..READERS {
            let conn = connect::reader(path)?;
            let shared = readers.shared.clone();
            let handle = thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || serve(&shared, &conn));
            let handle = handle.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            readers.threads.push(Joined::new(handle));
        }
        Ok(readers)
    }

    /// Runs `read` here if a connection is free and it proves short, else on some reader. It may run twice.
    pub(crate) async fn run_short<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        match self.here(&read) {
            Some(answer) => answer,
            None => self.run(read).await,
        }
    }

    fn here<T>(&self, read: impl Fn(&Connection) -> Result<T, StoreFault>) -> Option<Result<T, StoreFault>> {
        let short = self.short.iter().find_map(|short| short.try_lock().ok())?;
        short.run(read)
    }

    /// Runs `read` on some reader.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let (sender, answer) = oneshot::channel();
        // Nobody may wait for the answer any more; then it is dropped.
        self.submit(Box::new(move |conn| drop(sender.send(read(conn)))))?;
        answer.await.unwrap_or(Err(StoreFault::Closed))
    }

    /// Puts a read in the queue, unless it is full.
    pub(crate) fn submit(&self, read: Read) -> Result<(), StoreFault> {
        {
            let mut queue = lock(&self.shared.queue);
            if queue.closed {
                return Err(StoreFault::Closed);
            }
            if queue.reads.len() >= READS_WAITING_MAX {
                return Err(StoreFault::Busy);
            }
            queue.reads.push_back(read);
        }
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Waits for the readers to end; what waits is not read.
    pub(crate) fn stop(&mut self) {
        {
            let mut queue = lock(&self.shared.queue);
            queue.closed = true;
            queue.reads.clear();
        }
        self.shared.wake.notify_all();
        self.threads.iter_mut().for_each(Joined::join);
    }
}

fn serve(shared: &Shared, conn: &Connection) {
    loop {
        let read = {
            let mut queue = lock(&shared.queue);
            loop {
                match queue.reads.pop_front() {
                    Some(read) => break read,
                    None if queue.closed => return,
                    None => queue = shared.wake.wait(queue).unwrap_or_else(|poison| poison.into_inner()),
                }
            }
        };
        read(conn);
    }
}

fn lock(mutex: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT max(i) FROM n";

    fn database() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(
            "CREATE TABLE t (a TEXT, b TEXT, c TEXT); CREATE INDEX part ON t (a) WHERE b = 'open';
             INSERT INTO t VALUES ('1', 'open', 'x'), ('2', 'open', 'y')",
        )
        .unwrap();
        (folder, path)
    }

    fn value(conn: &Connection, sql: &str) -> Result<(i64, bool), StoreFault> {
        let short = std::thread::current().name().is_none_or(|name| !name.starts_with("store-read"));
        let engine = |error: rusqlite::Error| StoreFault::Engine { cause: error.to_string() };
        let mut prepared = conn.prepare_cached(sql).map_err(engine)?;
        Ok((prepared.query_row([], |row| row.get(0)).map_err(engine)?, short))
    }

    #[tokio::test]
    async fn a_short_read_runs_where_it_is_asked_and_a_long_one_on_a_reader() {
        let (_folder, path) = database();
        let mut readers = Readers::start(&path).unwrap();
        for _ in 0..1_000 {
            let answer = readers.run_short(|conn| value(conn, "SELECT count(*) FROM t")).await;
            assert_eq!(answer, Ok((2, true)));
        }
        assert_eq!(readers.run_short(|conn| value(conn, LONG)).await, Ok((100_000, false)));
        readers.stop();
    }

    #[tokio::test]
    async fn while_every_short_connection_is_busy_the_readers_read() {
        let (_folder, path) = database();
        let mut readers = Readers::start(&path).unwrap();
        let busy: Vec<_> = readers.short.iter().map(|short| short.lock().unwrap()).collect();
        let answer = readers.run_short(|conn| value(conn, "SELECT count(*) FROM t")).await;
        assert_eq!(answer, Ok((2, false)));
        drop(busy);
        readers.stop();
    }

    #[test]
    fn no_statement_is_prepared_again_because_its_parameters_changed() {
        let (_folder, path) = database();
        let conn = connect::reader(&path).unwrap();
        let mut prepared = conn.prepare_cached("SELECT c FROM t WHERE a = ?1 AND b = ?2").unwrap();
        for turn in 0..20 {
            let state = if turn % 2 == 0 { "open" } else { "spent" };
            let found = prepared.query_row(["1", state], |row| row.get::<_, String>(0)).ok();
            assert_eq!(found.is_some(), turn % 2 == 0);
        }
        assert_eq!(prepared.get_status(StatementStatus::RePrepare), 0);
    }
}
