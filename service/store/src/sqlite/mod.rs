//! The embedded engine: one writer, eight readers, one checkpointer, one folder lock.
//!
//! ```text
//! commit ──▶ queue ──▶ writer thread: BEGIN · savepoints … · COMMIT (one fsync) ──▶ all answers
//! read   ──▶ queue ──▶ eight reader threads, query_only
//!                      checkpointer thread: wal_checkpoint(PASSIVE)
//! ```

pub(crate) mod connect;
pub(crate) mod folder;
pub(crate) mod readers;
mod run;
pub(crate) mod wal;
pub(crate) mod writer;

use std::thread::JoinHandle;

/// A thread that is joined when its owner goes.
#[derive(Default)]
pub(crate) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    pub(crate) fn new(handle: JoinHandle<()>) -> Joined {
        Joined(Some(handle))
    }

    /// Waits for the thread, unless it is the one that asks (the last store may be dropped by an answer's closure).
    pub(crate) fn join(&mut self) {
        if let Some(handle) = self.0.take()
            && handle.thread().id() != std::thread::current().id()
        {
            let _ = handle.join();
        }
    }
}
