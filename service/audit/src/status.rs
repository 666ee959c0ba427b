//! How a log stands: for the API, for readiness, for operators.

use ::store::{Ctx, StoreFault};
use crypto::base64::std_encode;
use edge::health::{Health, Status};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::log::Log;
use crate::store::{self, CheckpointRow};
use crate::{Audit, Invariant};

/// Lag at which readiness says `degraded`, in milliseconds.
pub const LAG_DEGRADED_MS: i64 = 10_000;

/// Lag at which readiness says `down`, in milliseconds.
pub const LAG_DOWN_MS: i64 = 30_000;

/// How a log stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogStatus {
    /// Its id: `t/ten_…`, `house` or `system`.
    pub log: String,
    /// Its origin.
    pub origin: String,
    /// 1, and one more after each declared fork.
    pub epoch: i64,
    /// `open` or `quarantined`.
    pub state: String,
    /// Which start check failed and where, when quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Entries under the newest checkpoint.
    pub size: u64,
    /// Root of that size, base64; absent while nothing was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// When it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<String>,
    /// How long the oldest entry without a checkpoint waits, in milliseconds; 0 if none does.
    pub lag_ms: i64,
    /// Witnesses that cosign; none yet.
    pub witnesses: Vec<String>,
}

/// A signed checkpoint.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckpointView {
    /// Entries.
    pub size: u64,
    /// Root, base64.
    pub root: String,
    /// When it was signed.
    pub signed_at: String,
    /// The signed note.
    pub note: String,
}

/// How all logs together stand, for `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every log is signed in time.
    Ready,
    /// Something is late.
    Degraded(String),
    /// Nothing can be done: a log is quarantined, the guard cannot be written, or checkpoints stand still.
    Down(String),
}

impl Audit {
    /// How every log stands, by id.
    pub fn statuses(&self, now: Timestamp) -> Vec<LogStatus> {
        self.logs().iter().map(|log| self.status_of(now, log)).collect()
    }

    /// Registers the check `ledger` of `/readyz`.
    pub fn watch(&self, health: &Health) {
        let audit = self.clone();
        health.register("ledger", move |now| {
            let audit = audit.clone();
            async move {
                match audit.readiness(now) {
                    Readiness::Ready => (Status::Ok, "every log is signed in time".to_owned()),
                    Readiness::Degraded(reason) => (Status::Degraded, reason),
                    Readiness::Down(reason) => (Status::Down, reason),
                }
            }
        });
    }

    /// How all logs together stand. Names the invariant and the command where one is quarantined.
    pub fn readiness(&self, now: Timestamp) -> Readiness {
        if self.guard.is_poisoned() {
            return Readiness::Down(
                "the guard failed to make a record durable; start the process again".to_owned(),
            );
        }
        let broken = self.logs().into_iter().find_map(|log| log.breach().map(|breach| (log, breach)));
        if let Some((log, breach)) = broken {
            let (log, way_out) = (&log.id, way_out(breach.invariant));
            return Readiness::Down(format!("log {log} is quarantined: {breach}; {way_out}"));
        }
        let lag =
            self.logs().into_iter().map(|log| (self.lag_ms(now, &log), log)).max_by_key(|(lag, _)| *lag);
        match lag {
            Some((lag, log)) if lag > LAG_DOWN_MS => {
                Readiness::Down(format!("log {} has had no checkpoint for {lag} ms", log.id))
            }
            Some((lag, log)) if lag > LAG_DEGRADED_MS => {
                Readiness::Degraded(format!("log {} has had no checkpoint for {lag} ms", log.id))
            }
            _ => Readiness::Ready,
        }
    }

    pub(crate) fn status_of(&self, now: Timestamp, log: &Log) -> LogStatus {
        let head = log.head();
        let published = head.published.as_deref();
        LogStatus {
            log: log.id.to_string(),
            origin: log.origin.clone(),
            epoch: log.epoch,
            state: if head.breach.is_some() { "quarantined" } else { "open" }.to_owned(),
            reason: head.breach.as_ref().map(ToString::to_string),
            size: published.map_or(0, |row| row.size),
            root: published.map(|row| std_encode(&row.root)),
            signed_at: published.map(|row| time(row.signed_at_ms)),
            lag_ms: self.lag_ms(now, log),
            witnesses: Vec::new(),
        }
    }

    /// Checkpoints of less than `below` entries, newest first.
    pub(crate) async fn checkpoints(
        &self,
        ctx: &Ctx,
        log: &Log,
        below: u64,
        limit: usize,
    ) -> Result<Vec<CheckpointView>, StoreFault> {
        let rows = store::checkpoints(&self.store, &log.ctx(ctx), &log.id, below, limit).await?;
        Ok(rows.iter().map(CheckpointView::of).collect())
    }

    fn lag_ms(&self, now: Timestamp, log: &Log) -> i64 {
        let pending = self.store.waiting().get(&log.id).and_then(|waiting| waiting.oldest_at_ms);
        let since = [pending, log.head().uncovered_since_ms].into_iter().flatten().min();
        since.map_or(0, |since| now.as_millisecond().saturating_sub(since).max(0))
    }
}

impl CheckpointView {
    fn of(row: &CheckpointRow) -> CheckpointView {
        CheckpointView {
            size: row.size,
            root: std_encode(&row.root),
            signed_at: time(row.signed_at_ms),
            note: String::from_utf8_lossy(&row.note).into_owned(),
        }
    }
}

/// RFC 3339, as every time of the API.
pub(crate) fn time(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// What an operator does about a broken invariant, until a fork can be declared.
fn way_out(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::Clock => "set the clock right and start again; see `tessera ledger status`",
        Invariant::RightEdge | Invariant::Guard | Invariant::Pending | Invariant::Origins => {
            "put the newest database and guard back and start again; see `tessera ledger status`"
        }
    }
}
