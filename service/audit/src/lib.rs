//! The Ledger: every security-relevant act, in Merkle logs that outsiders verify.
//!
//! ```text
//! store_event ──sequence──▶ audit_entry, audit_tile, head ──publish──▶ guard ──▶ audit_checkpoint ──▶ doors /log/…
//!   (units of all rooms)      one guarded transaction        sign        outlives a restored database
//! ```
//!
//! Invariants, all by absence:
//! - no entry, full tile or checkpoint is ever changed, and no index is used twice;
//! - nothing is signed before its tree is durable, nor below or beside what the guard holds;
//! - a log that fails a start check signs nothing and lets nothing change, but goes on being read;
//! - no door gives a private log to anybody without a token for that log, or a role in its tenant;
//! - no readable detail is shown without the event `details-read`.
//!
//! Start reading at [`Audit::open`], then `check.rs`, `sequence.rs`, `publish.rs`.

mod check;
pub mod config;
mod event;
mod guard;
mod http;
pub mod jobs;
mod log;
mod look;
mod open;
mod proof;
mod publish;
mod sequence;
mod status;
mod store;
mod tile;
mod token;
mod tree;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use ::store::{Ctx, LogId, Store, TenantId};
use crypto::hash::sha256;
use custody::Custody;
use tlog::event::Event;

pub use check::{Breach, Invariant};
pub use config::AuditConfig;
pub use event::{EventFault, EventView};
pub use guard::{Advance, Guard, GuardFault, Held, Verdict};
pub use look::LogLook;
pub use open::{OpenFault, OpenLogFault};
pub use proof::{ConsistencyView, ProofAnswer, ProofFault};
pub use publish::PublishFault;
pub use sequence::{STEP_ROWS_MAX, SequenceFault, Stepped};
pub use status::{CheckpointView, LAG_DEGRADED_MS, LAG_DOWN_MS, LogStatus, Readiness};
pub use store::{MIGRATIONS, STATEMENTS};
pub use token::{IssuedToken, TOKEN_TTL_S_MAX, TokenFault, TokenOrder, TokenView};

use crate::log::Log;

/// The room. Clones share it.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

/// What the clones share; reached only through [`Audit`].
pub struct Inner {
    store: Store,
    custody: Custody,
    guard: Arc<Guard>,
    config: AuditConfig,
    logs: RwLock<BTreeMap<LogId, Arc<Log>>>,
    /// Held while a log is made, so that it is made once.
    opening: tokio::sync::Mutex<()>,
    /// Whether the clock stood before the last signed time when it was last looked at.
    clock_is_behind: AtomicBool,
}

impl Deref for Audit {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Audit {
    /// Sequences and publishes until every entry that waited at the call is under a checkpoint; answers whether it is. It is
    /// not while a log is quarantined or cannot be signed.
    pub async fn settle(&self, ctx: &Ctx) -> bool {
        for _ in 0..SETTLE_ROUNDS_MAX {
            self.sequence(ctx).await;
            self.publish(ctx).await;
            let covered = |log: &Arc<Log>| {
                log.head().edge.is_some_and(|edge| edge.size() == log.published_size())
                    && log.breach().is_none()
            };
            if self.store.waiting().is_empty() && self.logs().iter().all(covered) {
                return true;
            }
        }
        false
    }

    /// Stops a log and says so: nothing is signed any more, and nothing of its tenant changes.
    async fn enter_quarantine(&self, ctx: &Ctx, log: &Log, breach: Breach) {
        self.stop(log, breach.clone());
        self.announce(ctx, log, &breach).await;
    }

    fn stop(&self, log: &Log, breach: Breach) {
        self.store.quarantine(&log.id, &breach.to_string());
        log.set_breach(breach);
    }

    /// The house log keeps the event, unless it is stopped itself.
    async fn announce(&self, ctx: &Ctx, log: &Log, breach: &Breach) {
        let event = Event::QuarantineEntered {
            origin_sha256: sha256(log.origin.as_bytes()),
            invariant: breach.invariant.number(),
            log: log.id.to_string(),
        };
        if let Err(fault) = self.store.record(&ctx.for_tenant(TenantId::SYSTEM), event).await {
            tracing::warn!(%fault, log = %log.id, "the quarantine could not be recorded");
        }
    }

    fn log(&self, id: &LogId) -> Option<Arc<Log>> {
        self.logs.read().unwrap_or_else(|poison| poison.into_inner()).get(id).cloned()
    }

    fn logs(&self) -> Vec<Arc<Log>> {
        self.logs.read().unwrap_or_else(|poison| poison.into_inner()).values().cloned().collect()
    }

    fn put(&self, log: Arc<Log>) {
        self.logs.write().unwrap_or_else(|poison| poison.into_inner()).insert(log.id.clone(), log);
    }
}

/// Rounds of [`Audit::settle`]: each takes all that waits, so more are needed only while entries keep coming.
const SETTLE_ROUNDS_MAX: usize = 64;

impl tenancy::Prepare for Audit {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a tenancy::Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(
            async move { self.open_log(ctx, &tenant.id).await.map(drop).map_err(|fault| fault.to_string()) },
        )
    }
}
