//! What rooms read again and again, kept in memory until one of its tables changes.
//!
//! ```text
//! writer: COMMIT ─▶ count of each changed table + 1 ─▶ answers         room: Memo::get ── counts as they were? ─▶ what was read
//! ```
//! The count goes up before anybody is told of the commit, so whoever was answered "done" never meets what was true before. A value
//! is kept under the count that was taken before it was read, so a commit in between throws it away.
//!
//! A SQLite file is one process's alone ([`crate::OpenFault`] says so at start), so this is exact. Where several processes share an
//! engine, another's commit is not counted here: what was kept is then wrong for [`MEMO_MS_MAX`] at most.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::ctx::Ctx;
use crate::stmt::Stmt;
use crate::store::Store;

/// How long a value is kept, in milliseconds of `Ctx` time: the bound on what another process may have changed meanwhile.
pub const MEMO_MS_MAX: i64 = 1_000;

/// Counts of committed changes, by table; only tables that somebody watches are counted.
#[derive(Default)]
pub(crate) struct Changes(RwLock<HashMap<&'static str, Arc<AtomicU64>>>);

impl Changes {
    /// The count of a table, from now on.
    fn watch(&self, table: &'static str) -> Arc<AtomicU64> {
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        counts.entry(table).or_default().clone()
    }

    /// Counts what these statements, now committed, may have changed.
    pub(crate) fn count<'a>(&self, stmts: impl Iterator<Item = &'a Stmt>) {
        let counts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if counts.is_empty() {
            return;
        }
        for stmt in stmts {
            match stmt.table() {
                Some(table) => {
                    if let Some(count) = counts.get(&*table) {
                        count.fetch_add(1, Ordering::Release);
                    }
                }
                // A statement that does not begin with the table that it changes may change any.
                None => counts.values().for_each(|count| {
                    count.fetch_add(1, Ordering::Release);
                }),
            }
        }
    }
}

/// Values by key, each as its tables said. The key names the tenant.
pub struct Memo<K, V> {
    counts: Vec<Arc<AtomicU64>>,
    values_max: usize,
    known: Mutex<HashMap<K, Kept<V>>>,
}

struct Kept<V> {
    value: V,
    changes: u64,
    at_ms: i64,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// A memory of what stands in `tables`, of at most `values_max` values; beyond it the memory starts anew.
    pub fn new(store: &Store, tables: &[&'static str], values_max: usize) -> Memo<K, V> {
        let counts = tables.iter().map(|table| store.inner.changes.watch(table)).collect();
        Memo { counts, values_max, known: Mutex::default() }
    }

    /// The value of `key`: as it is kept, or as `read` finds it, which begins only then. Faults are not kept.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get<E>(&self, ctx: &Ctx, key: K, read: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        if let Some(value) = self.kept(ctx, &key) {
            return Ok(value);
        }
        // Before the rows are read: a commit from here on makes it another count.
        let changes = self.changes();
        let value = read.await?;
        let mut known = self.lock();
        if known.len() >= self.values_max {
            known.clear();
        }
        known.insert(key, Kept { value: value.clone(), changes, at_ms: ctx.now_ms() });
        Ok(value)
    }

    fn kept(&self, ctx: &Ctx, key: &K) -> Option<V> {
        let known = self.lock();
        let kept = known.get(key)?;
        let in_time = (0..MEMO_MS_MAX).contains(&ctx.now_ms().saturating_sub(kept.at_ms));
        (in_time && kept.changes == self.changes()).then(|| kept.value.clone())
    }

    /// Counts only grow, so an equal sum means that each is equal.
    fn changes(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Acquire)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Kept<V>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> std::fmt::Debug for Memo<K, V> {
    /// Values may be personal data: nothing is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo(…)")
    }
}
