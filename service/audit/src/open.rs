//! Opening: the room at start, and a log when its tenant is made.
//!
//! ```text
//! start: guard ──▶ rows of all logs ──▶ check each ──▶ serve it, or quarantine it
//! log:   store_log ──▶ keys from custody ──▶ guard at size 0 ──▶ audit_log and `log-created`, one unit
//! ```
//! Each step of making a log does nothing if it was done, so a crash between two of them is mended by the next call. The guard
//! knows a log before the database does: a log that the guard lacks was therefore never being made, and is a fault (I6).

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use ::store::{CommitError, Ctx, LogId, LogKind, LogSpec, Reason, Store, StoreFault, TenantId, Unit};
use crypto::hash::sha256;
use custody::Custody;
use thiserror::Error;
use tlog::event::Event;
use tlog::merkle::EMPTY_ROOT;
use tlog::note::{KeyType, VerifierKey, VkeyFault};

use crate::check::{self, Breach};
use crate::guard::{Advance, Guard, GuardFault, Held, Verdict};
use crate::log::Log;
use crate::store::{self, LogRow};
use crate::{Audit, AuditConfig, Inner};

/// Why the room did not open.
#[derive(Debug, Error)]
pub enum OpenFault {
    /// The guard cannot be used.
    #[error(transparent)]
    Guard(#[from] GuardFault),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A log could not be made.
    #[error(transparent)]
    Log(#[from] OpenLogFault),
    /// The database knows no log, and something was signed: this is another database, not a first run.
    #[error("{0}")]
    Lost(Breach),
}

/// Why a log was not made. What was done of it stays, and the next call goes on from there.
#[derive(Debug, Error)]
pub enum OpenLogFault {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The guard could not.
    #[error(transparent)]
    Guard(#[from] GuardFault),
    /// Custody has no key for it.
    #[error("there is no key for the log {origin}: {cause}")]
    Key {
        /// Of which log.
        origin: String,
        /// Why.
        cause: String,
    },
    /// The origin cannot name a key.
    #[error("the log {origin} cannot have a key: {fault}")]
    Name {
        /// Of which log.
        origin: String,
        /// What is wrong.
        fault: VkeyFault,
    },
    /// Something was signed under this origin before: it is another log's, or this database is older.
    #[error("the guard holds {size} signed entries of {origin}, which is new to the database")]
    SignedBefore {
        /// Of which log.
        origin: String,
        /// How many.
        size: u64,
    },
}

impl Audit {
    /// Opens the room: locks the guard, checks every log (I1, I2, I4–I6), quarantines those that fail, and makes the house log
    /// and the system log on a first run. The store has this room's [`crate::MIGRATIONS`].
    pub async fn open(
        store: Store,
        custody: Custody,
        config: AuditConfig,
        ctx: &Ctx,
    ) -> Result<Audit, OpenFault> {
        let ctx = &ctx.for_tenant(TenantId::SYSTEM);
        let folder = config.guard_dir.clone();
        let guard = tokio::task::spawn_blocking(move || Guard::open(&folder)).await;
        let guard = Arc::new(guard.unwrap_or_else(|_| Err(GuardFault::Poisoned))?);
        let logs = RwLock::default();
        let opening = tokio::sync::Mutex::new(());
        let audit = Audit {
            inner: Arc::new(Inner {
                store,
                custody,
                guard,
                config,
                logs,
                opening,
                clock_is_behind: AtomicBool::new(false),
            }),
        };
        let rows = store::logs(&audit.store, ctx).await?;
        let first_run = rows.is_empty();
        audit.check_all(ctx, rows).await?;
        if first_run {
            let host = audit.config.origin_host.clone();
            for spec in [LogSpec::of(&host, &TenantId::SYSTEM), LogSpec::system(&host)] {
                audit.store.create_log(ctx, &spec).await?;
            }
        }
        audit.open_missing(ctx).await?;
        Ok(audit)
    }

    /// Makes the log of a tenant, unless it is there: its keys, its rows, `log-created` in the system log. Right after the
    /// tenant was made; a call that a crash cut short is finished by the next start.
    pub async fn open_log(&self, ctx: &Ctx, tenant: &TenantId) -> Result<LogId, OpenLogFault> {
        let spec = LogSpec::of(&self.config.origin_host, tenant);
        self.make(ctx, spec).await
    }

    /// Makes logs that take entries and that this room was not told of: their tenant's making was cut short.
    pub(crate) async fn take_in_strays(&self, ctx: &Ctx) {
        if self.store.waiting().keys().all(|id| self.log(id).is_some()) {
            return;
        }
        if let Err(fault) = self.open_missing(&ctx.for_tenant(TenantId::SYSTEM)).await {
            tracing::error!(%fault, "a log that takes entries could not be made");
        }
    }

    /// Moves the guard on, off the async threads: it waits for the disk.
    pub(crate) async fn advance_guard(&self, steps: Vec<Advance>) -> Result<Vec<Verdict>, GuardFault> {
        let guard = self.guard.clone();
        let done = tokio::task::spawn_blocking(move || guard.advance(steps)).await;
        done.unwrap_or(Err(GuardFault::Poisoned))
    }

    /// Checks every log and stops those that fail; only then events are written, since the house log may be one of them.
    async fn check_all(&self, ctx: &Ctx, rows: Vec<LogRow>) -> Result<(), OpenFault> {
        let lost = check::lost_origins(&self.guard, &rows);
        if let (Some(breach), true) = (&lost, rows.is_empty()) {
            return Err(OpenFault::Lost(breach.clone()));
        }
        let mut stopped = Vec::new();
        for row in rows {
            let mut head = check::check(&self.store, ctx, &self.guard, &row).await?;
            if head.breach.is_none() && row.id == LogId::system() {
                head.breach = lost.clone();
            }
            let breach = head.breach.clone();
            let log = Arc::new(Log::new(row, head));
            self.put(log.clone());
            if let Some(breach) = breach {
                self.stop(&log, breach.clone());
                stopped.push((log, breach));
            }
        }
        for (log, breach) in stopped {
            self.announce(ctx, &log, &breach).await;
        }
        Ok(())
    }

    /// Finishes logs whose making was cut short: the store has them, this room does not. House and system log come first.
    async fn open_missing(&self, ctx: &Ctx) -> Result<(), OpenLogFault> {
        let mut missing = self.store.logs(ctx).await?;
        missing.retain(|row| row.open && self.log(&row.id).is_none());
        missing.sort_by_key(|row| (!row.tenant.is_system(), row.id != LogId::system()));
        for row in missing {
            let kind = if row.id == LogId::system() { LogKind::System } else { LogKind::Own };
            self.make(ctx, LogSpec { id: row.id, tenant: row.tenant, kind, origin: row.origin }).await?;
        }
        Ok(())
    }

    async fn make(&self, ctx: &Ctx, spec: LogSpec) -> Result<LogId, OpenLogFault> {
        let _opening = self.opening.lock().await;
        if self.log(&spec.id).is_some() {
            return Ok(spec.id);
        }
        let ctx = &ctx.for_tenant(spec.tenant.clone());
        self.store.create_log(ctx, &spec).await?;
        // The origin of a log that stands is its own, whatever the host is called today.
        let stored = self.store.log(ctx, &spec.id).await?;
        let origin = stored.map_or(spec.origin, |log| log.origin().to_owned());
        let vkeys = self.note_keys(ctx, &origin).await?;
        self.register(&origin).await?;
        let public = spec.kind == LogKind::System;
        let row = store::put_log(&spec.id, &origin, public, &EMPTY_ROOT, &vkeys);
        if public {
            // The log that would tell of it is the one being made.
            self.store.housekeeping(ctx, Reason::Sequencing, vec![row]).await?;
        } else {
            let event = Event::LogCreated {
                origin_sha256: sha256(origin.as_bytes()),
                vkeys_sha256: vkeys.iter().map(VerifierKey::fingerprint).collect(),
            };
            let unit = Unit::<std::convert::Infallible>::new(event).put(row);
            self.store.commit(ctx, unit).await.map_err(|error| match error {
                CommitError::Fault(fault) => fault,
                CommitError::Lost(never) => match never {},
            })?;
        }
        let row = store::log(&self.store, ctx, &spec.id).await?;
        let row = row.ok_or_else(|| StoreFault::NoLog { tenant: spec.tenant.to_string() })?;
        let head = check::check(&self.store, ctx, &self.guard, &row).await?;
        self.put(Arc::new(Log::new(row, head)));
        Ok(spec.id)
    }

    /// The log's keys, Ed25519 first. The instance holds them, whosever log it is.
    async fn note_keys(&self, ctx: &Ctx, origin: &str) -> Result<Vec<VerifierKey>, OpenLogFault> {
        let keys = self.custody.provision_log(&ctx.for_tenant(TenantId::SYSTEM), origin).await;
        let keys =
            keys.map_err(|fault| OpenLogFault::Key { origin: origin.to_owned(), cause: fault.to_string() })?;
        let mut named = vec![(KeyType::Ed25519, keys.ed25519)];
        if self.config.pq_signature {
            named.push((KeyType::MlDsa44, keys.mldsa44));
        }
        let vkeys = named.into_iter().map(|(key_type, key)| VerifierKey::new(origin, key_type, key));
        let fault = |fault| OpenLogFault::Name { origin: origin.to_owned(), fault };
        vkeys.collect::<Result<_, _>>().map_err(fault)
    }

    /// Makes the log known to the guard, at size 0.
    async fn register(&self, origin: &str) -> Result<(), OpenLogFault> {
        if let Some(held) = self.guard.held(origin) {
            return match held.size {
                0 => Ok(()),
                size => Err(OpenLogFault::SignedBefore { origin: origin.to_owned(), size }),
            };
        }
        let next = Held { size: 0, root: EMPTY_ROOT, note: Vec::new() };
        self.advance_guard(vec![Advance { origin: origin.to_owned(), expected: None, next }]).await?;
        Ok(())
    }
}
