//! The checkpointer: moves committed pages from the write-ahead log into the database, beside the writer.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use rusqlite::Connection;

use super::Joined;
use super::connect::{self, Trouble};
use crate::board::Board;

/// Pages of the write-ahead log (4 KiB each) after which a checkpoint starts: 16 MiB, which a start reads in a blink;
/// at fewer the same hot pages would be moved again and again.
pub(crate) const WAL_PAGES: u32 = 4_000;

/// Pages after which the writer lends a hand: without a pause in the load a passive checkpoint never reaches the end
/// of the log, and the log would grow for ever. 64 MiB.
pub(crate) const WAL_PAGES_MAX: u32 = 16_384;

pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Joined,
}

#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    asked: bool,
    closed: bool,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path, board: Arc<Board>) -> rusqlite::Result<Checkpointer> {
        let conn = connect::checkpointer(path)?;
        let shared = Arc::<Shared>::default();
        let (theirs, builder) = (shared.clone(), thread::Builder::new().name("store-checkpoint".to_owned()));
        let handle = builder.spawn(move || serve(&theirs, &conn, &board));
        let handle = handle.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Checkpointer { shared, thread: Joined::new(handle) })
    }

    /// Through which the writer asks for a checkpoint.
    pub(crate) fn handle(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    pub(crate) fn stop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.wake.notify_all();
        self.thread.join();
    }
}

impl Shared {
    /// Asks for a checkpoint; returns at once.
    pub(crate) fn ask(&self) {
        lock(&self.state).asked = true;
        self.wake.notify_one();
    }
}

/// Runs one passive checkpoint: it never waits for a reader or the writer.
pub(crate) fn checkpoint(conn: &Connection, board: &Board) {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    let done = conn
        .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
    match done {
        Ok((_, pages, moved)) => tracing::trace!(pages, moved, "checkpoint"),
        Err(error) => match connect::trouble(sql, &error) {
            Trouble::Process(cause) => board.end(&cause),
            // The log keeps what could not be moved; the next checkpoint tries again.
            trouble => tracing::warn!(cause = %trouble.into_fault(), "a checkpoint failed"),
        },
    }
}

fn serve(shared: &Shared, conn: &Connection, board: &Board) {
    loop {
        {
            let mut state = lock(&shared.state);
            while !state.asked && !state.closed {
                state = shared.wake.wait(state).unwrap_or_else(|poison| poison.into_inner());
            }
            if state.closed || board.is_ended() {
                return;
            }
            state.asked = false;
        }
        checkpoint(conn, board);
    }
}

fn lock(mutex: &Mutex<State>) -> MutexGuard<'_, State> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
