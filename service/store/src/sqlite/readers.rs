//! The pool of readers: eight threads, each with a connection that cannot write.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Joined, connect};
use crate::fault::StoreFault;

/// Connections that read: SQLite scales reads to the cores, and a slow one must not hold the others up.
pub(crate) const READERS: usize = 8;

/// Reads that may wait; as many requests are in flight at most.
const READS_WAITING_MAX: usize = 16_384;

pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(crate) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<Joined>,
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
        let mut readers = Readers { shared, threads: Vec::new() };
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
