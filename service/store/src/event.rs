//! From an event to its rows: the leaf that is hashed for ever, and the detail that can be erased.
//!
//! ```text
//! Event + Ctx ──▶ Draft ──(in the transaction: the log's keys, the person's key)──▶ Rows
//! ```
//! A draft is made by the caller; the writer finishes it, because only inside the transaction is it known which log
//! is open and which key the person has.

use crypto::random;
use crypto::secret::Secret;
use tlog::commitment;
use tlog::event::{Event, Leaf, LogChoice, Stamp};

use crate::cipher::{self, Field};
use crate::ctx::Ctx;
use crate::fault::StoreFault;
use crate::id::EventId;
use crate::keyring::Kek;
use crate::log::{LogKeys, LogKind};
use crate::stmt::Stmt;

/// An event with everything it needs but the keys.
pub(crate) struct Draft {
    pub(crate) event_id: EventId,
    pub(crate) log: LogKind,
    event: Event,
    stamp: Stamp,
    at_ms: i64,
    actor_id: Option<String>,
    actor_nonce: [u8; 12],
    /// The person's key, should the person be new to the log.
    subject_key: Option<Secret<[u8; 32]>>,
    subject_nonce: [u8; 12],
}

impl Draft {
    /// Draws ids, salts and nonces from `ctx`; a person's key is key material, so it is not. `policy` is the hash of what decided.
    pub(crate) fn new(ctx: &Ctx, event: Event, policy: Option<[u8; 32]>) -> Result<Draft, StoreFault> {
        let second = u64::try_from(ctx.now.as_second()).map_err(|_| StoreFault::Event {
            event: event.name(),
            cause: "its time is before 1970".to_owned(),
        })?;
        let event_id: [u8; 16] = ctx.random();
        Ok(Draft {
            event_id: EventId(event_id),
            log: match event.log() {
                LogChoice::Own => LogKind::Own,
                LogChoice::System => LogKind::System,
            },
            stamp: Stamp { event_id, salt: ctx.random(), second, actor: ctx.actor.kind, policy },
            at_ms: ctx.now_ms(),
            actor_id: ctx.actor.id.clone(),
            actor_nonce: ctx.random(),
            subject_key: event.subject().is_some().then(|| Secret::new(random::array())),
            subject_nonce: ctx.random(),
            event,
        })
    }

    /// Under which name the person's rows of this log are kept.
    pub(crate) fn subject_ref(&self, log: &LogKeys) -> Option<[u8; 32]> {
        let subject = self.event.subject()?;
        Some(commitment::subject_ref(log.k_index.expose(), subject.kind, &subject.identifier))
    }

    /// The row that gives a person new to the log a key; does nothing if the person has one.
    pub(crate) fn put_subject(&self, log: &LogKeys, kek: &Kek, subject_ref: &[u8; 32]) -> Option<Stmt> {
        let key = self.subject_key.as_ref()?;
        let row = crypto::hex::encode(subject_ref);
        let sealed = cipher::seal(kek, &log.tenant, subject_field(&row), self.subject_nonce, key.expose());
        let stmt = Stmt::new(PUT_SUBJECT).text(log.tenant.as_str()).text(log.id.as_str());
        Some(stmt.blob(*subject_ref).blob(sealed))
    }

    /// The key that [`Draft::put_subject`] stores.
    pub(crate) fn new_subject_key(&self) -> Option<&Secret<[u8; 32]>> {
        self.subject_key.as_ref()
    }

    /// The two rows. `subject` is the person's reference and key, if the event is about one; `keep_ms` how long the
    /// detail stays.
    pub(crate) fn rows(
        &self,
        log: &LogKeys,
        kek: &Kek,
        subject: Option<&SubjectKey>,
        keep_ms: i64,
    ) -> Result<[Stmt; 2], StoreFault> {
        let key = subject.map(|subject| subject.key.expose());
        let leaf = Leaf::of(&self.event, &self.stamp, key)
            .map_err(|fault| StoreFault::Event { event: self.event.name(), cause: fault.to_string() })?;
        let event_id = self.event_id.bytes();
        let sealed = leaf.detail.seal(key.unwrap_or(log.k_detail.expose()), &log.origin, event_id);
        let (actor_ref, actor) = self.actor(log, kek);
        let event =
            Stmt::new(PUT_EVENT).text(log.id.as_str()).blob(*event_id).blob(leaf.entry).int(self.at_ms);
        let detail = Stmt::new(PUT_DETAIL)
            .text(log.tenant.as_str())
            .blob(*event_id)
            .text(log.id.as_str())
            .text(self.event.name())
            .int(self.at_ms)
            .opt_blob(subject.map(|subject| subject.reference))
            .opt_blob(actor_ref)
            .opt_blob(actor)
            .blob(sealed)
            .int(self.at_ms.saturating_add(keep_ms));
        Ok([event, detail])
    }

    /// Who acted: under the log's index key, so that an erasure finds it, and sealed, so that an auditor reads it.
    fn actor(&self, log: &LogKeys, kek: &Kek) -> (Option<[u8; 32]>, Option<Vec<u8>>) {
        let Some(id) = self.actor_id.as_deref() else { return (None, None) };
        let actor_ref = commitment::subject_ref(log.k_index.expose(), self.stamp.actor.as_str(), id);
        let row = self.event_id.to_string();
        let sealed = cipher::seal(kek, &log.tenant, actor_field(&row), self.actor_nonce, id.as_bytes());
        (Some(actor_ref), Some(sealed))
    }
}

/// The events of what lost guards mean. Few are ever lost, so ids, salts and nonces are drawn for one that is.
pub(crate) struct Refusals {
    ctx: Ctx,
    policy: Option<[u8; 32]>,
    events: Vec<Event>,
}

impl Refusals {
    /// `events` in the order of the guards; none without guards.
    pub(crate) fn new(ctx: &Ctx, events: Vec<Event>, policy: Option<[u8; 32]>) -> Option<Refusals> {
        (!events.is_empty()).then(|| Refusals { ctx: ctx.clone(), policy, events })
    }

    /// The draft of one of them.
    pub(crate) fn draft(&self, guard: usize) -> Result<Draft, StoreFault> {
        let event = self.events.get(guard).ok_or(StoreFault::Closed)?;
        Draft::new(&self.ctx, event.clone(), self.policy)
    }
}

/// How a log refers to a person, and the person's key.
pub(crate) struct SubjectKey {
    pub(crate) reference: [u8; 32],
    pub(crate) key: Secret<[u8; 32]>,
}

/// Where a person's key stands; `row` is the reference in hexadecimal.
pub(crate) fn subject_field(row: &str) -> Field<'_> {
    Field { table: "store_subject", column: "k_subject", row }
}

/// Where the actor of an event stands; `row` is the event's id as text.
pub(crate) fn actor_field(row: &str) -> Field<'_> {
    Field { table: "store_event_detail", column: "actor", row }
}

pub(crate) const PUT_EVENT: &str =
    "INSERT INTO store_event (log_id, event_id, leaf, at_ms) VALUES ($1, $2, $3, $4)";
pub(crate) const PUT_DETAIL: &str = "INSERT INTO store_event_detail
     (tenant_id, event_id, log_id, type, at_ms, subject_ref, actor_ref, actor, sealed, expires_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
pub(crate) const PUT_SUBJECT: &str = "INSERT INTO store_subject (tenant_id, log_id, subject_ref, k_subject)
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
pub(crate) const SUBJECT_KEY: &str =
    "SELECT k_subject FROM store_subject WHERE tenant_id = $1 AND log_id = $2 AND subject_ref = $3";
