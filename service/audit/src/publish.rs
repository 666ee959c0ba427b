//! The publisher: signs the size and root of each log that grew, and makes the checkpoint known.
//!
//! ```text
//! tree durable ──▶ consistent with the guard? ──▶ sign ──▶ guard moved on (one fsync for all logs) ──▶ row ──▶ served
//! ```
//! A crash after the guard and before the row leaves the guard ahead of the rows and never behind; the next tick signs again.
//! Invariants: nothing is signed before the tree is durable, below the guard, or beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::store::{Ctx, LogId, Reason, StoreFault, TenantId};
use thiserror::Error;
use tlog::checkpoint::Checkpoint;
use tlog::event::Event;
use tlog::note::{Note, NoteFault, SignatureFault, message_to_sign};
use tlog::tile::Edge;

use crate::check::{Breach, CLOCK_SLACK_MS, Invariant};
use crate::guard::{Advance, GuardFault, Held, Verdict};
use crate::log::Log;
use crate::store::CheckpointRow;
use crate::tree::Tree;
use crate::{Audit, store};

/// Why a log was not published. Nothing was made known.
#[derive(Debug, Error)]
pub enum PublishFault {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The guard could not.
    #[error(transparent)]
    Guard(#[from] GuardFault),
    /// Custody did not sign.
    #[error("the key of {origin} did not sign: {cause}")]
    Sign {
        /// Of which log.
        origin: String,
        /// Why.
        cause: String,
    },
    /// What custody signed does not verify under the log's own key.
    #[error("the signature made for {origin} is not one of its key: {fault}")]
    WrongSignature {
        /// Of which log.
        origin: String,
        /// What is wrong.
        fault: SignatureFault,
    },
    /// The checkpoint is no note. A fault of ours.
    #[error(transparent)]
    Note(#[from] NoteFault),
}

/// A checkpoint that is signed and not yet known to anybody.
struct Signed {
    log: Arc<Log>,
    row: CheckpointRow,
    expected: u64,
}

impl Audit {
    /// Signs and publishes every log that grew since its last checkpoint; answers which. A log that fails does not stop the
    /// others.
    pub async fn publish(&self, ctx: &Ctx) -> Vec<LogId> {
        self.take_in_strays(ctx).await;
        let mut signed = Vec::new();
        for log in self.logs() {
            match self.sign(ctx, &log).await {
                Ok(Some(row)) => signed.push(row),
                Ok(None) => {}
                Err(fault) => tracing::error!(%fault, log = %log.id, "no checkpoint could be signed"),
            }
        }
        if signed.is_empty() {
            return Vec::new();
        }
        match self.guarded(&signed).await {
            Ok(verdicts) => {
                let taken =
                    signed.into_iter().zip(verdicts).filter(|(_, verdict)| *verdict == Verdict::Taken);
                self.make_known(ctx, taken.map(|(signed, _)| signed).collect()).await
            }
            Err(fault) => {
                tracing::error!(%fault, "the guard does not take what was signed: nothing is published");
                Vec::new()
            }
        }
    }

    /// The next checkpoint of a log, if it grew and may be signed.
    async fn sign(&self, ctx: &Ctx, log: &Arc<Log>) -> Result<Option<Signed>, PublishFault> {
        let Some(edge) = log.sound_edge() else { return Ok(None) };
        if edge.size() <= log.published_size() {
            return Ok(None);
        }
        let ctx = log.ctx(ctx);
        let Some(expected) = self.vouch(&ctx, log, &edge).await? else { return Ok(None) };
        // A clock that ran back must not make a later checkpoint look older; I5 looks at it at the next start.
        let last = log.published().map_or(0, |row| row.signed_at_ms);
        let signed_at_ms = ctx.now_ms().max(last);
        self.watch_clock(&ctx, signed_at_ms - ctx.now_ms()).await;
        let checkpoint = Checkpoint { origin: log.origin.clone(), size: edge.size(), root: edge.root() };
        let note = self.signed_note(&ctx, log, &checkpoint, signed_at_ms).await?;
        let (size, root) = (checkpoint.size, checkpoint.root);
        let row = CheckpointRow { size, root, signed_at_ms, note: note.to_string().into_bytes() };
        Ok(Some(Signed { log: log.clone(), row, expected }))
    }

    /// Whether the tree goes on from what the guard holds; the guard's size if so, else the log is quarantined.
    async fn vouch(&self, ctx: &Ctx, log: &Log, edge: &Edge) -> Result<Option<u64>, PublishFault> {
        let breach = match self.guard.held(&log.origin) {
            None => Breach {
                invariant: Invariant::Origins,
                detail: "the guard does not know this log".to_owned(),
            },
            Some(held) if log.head().vouched == Some((held.size, held.root)) => return Ok(Some(held.size)),
            Some(held) => {
                let tree = Tree { store: &self.store, ctx, id: &log.id };
                match crate::check::against_guard(tree, edge, &held).await? {
                    None => {
                        log.set_vouched(held.size, held.root);
                        return Ok(Some(held.size));
                    }
                    Some(breach) => breach,
                }
            }
        };
        self.enter_quarantine(ctx, log, breach).await;
        Ok(None)
    }

    /// Tells once of a clock that ran back, and again only after it was right in between.
    async fn watch_clock(&self, ctx: &Ctx, behind_ms: i64) {
        let is_behind = behind_ms > CLOCK_SLACK_MS;
        if self.clock_is_behind.swap(is_behind, Ordering::Relaxed) || !is_behind {
            return;
        }
        let event = Event::ClockRanBack { seconds: behind_ms.unsigned_abs() / 1_000 };
        if let Err(fault) = self.store.record(&ctx.for_tenant(TenantId::SYSTEM), event).await {
            tracing::warn!(%fault, "a clock that ran back could not be recorded");
        }
    }

    async fn signed_note(
        &self,
        ctx: &Ctx,
        log: &Log,
        checkpoint: &Checkpoint,
        signed_at_ms: i64,
    ) -> Result<Note, PublishFault> {
        let house = ctx.for_tenant(TenantId::SYSTEM);
        let time_s = u64::try_from(signed_at_ms / 1_000).unwrap_or(0).max(1);
        let wrong = |fault| PublishFault::WrongSignature { origin: log.origin.clone(), fault };
        let mut note = Note::unsigned(checkpoint.encode())?;
        for vkey in &log.vkeys {
            let message =
                message_to_sign(note.text(), vkey.key_type(), vkey.name(), time_s).map_err(wrong)?;
            let alg = vkey.key_type().key_alg();
            let signature = self.custody.sign_note(&house, &log.origin, alg, &message).await;
            let signature = signature.map_err(|fault| PublishFault::Sign {
                origin: log.origin.clone(),
                cause: fault.to_string(),
            })?;
            note.attach(vkey, time_s, &signature).map_err(wrong)?;
        }
        Ok(note)
    }

    async fn guarded(&self, signed: &[Signed]) -> Result<Vec<Verdict>, GuardFault> {
        let steps = signed.iter().map(|signed| Advance {
            origin: signed.log.origin.clone(),
            expected: Some(signed.expected),
            next: Held { size: signed.row.size, root: signed.row.root, note: signed.row.note.clone() },
        });
        self.advance_guard(steps.collect()).await
    }

    /// Rows of what the guard took, then what the doors serve.
    async fn make_known(&self, ctx: &Ctx, signed: Vec<Signed>) -> Vec<LogId> {
        let mut running = tokio::task::JoinSet::new();
        for Signed { log, row, .. } in signed {
            let (audit, ctx) = (self.clone(), log.ctx(ctx));
            running.spawn(async move {
                log.set_vouched(row.size, row.root);
                let stmts = vec![store::put_checkpoint(&log.id, &row), store::prune_checkpoints(&log.id)];
                match audit.store.housekeeping(&ctx, Reason::Sequencing, stmts).await {
                    Ok(_) => {
                        log.set_published(row, ctx.now_ms());
                        Some(log.id.clone())
                    }
                    // The guard is ahead now, and stays consistent: the next tick signs this size again.
                    Err(fault) => {
                        tracing::error!(%fault, log = %log.id, "a signed checkpoint could not be kept");
                        None
                    }
                }
            });
        }
        let mut published = Vec::new();
        while let Some(done) = running.join_next().await {
            published.extend(done.ok().flatten());
        }
        published.sort();
        published
    }
}
