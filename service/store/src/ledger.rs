//! The writer's part in the ledger: inside a unit's transaction it finds the log, finds or makes the person's key,
//! and writes the event's two rows.
//!
//! Keys that were read from rows of an uncommitted transaction are remembered only once it is committed: a key whose
//! row was rolled back must never seal anything. A person's key is forgotten, and wiped, as soon as any row of
//! `store_subject` is deleted or changed: an erasure goes through this writer, as everything does. (Several processes on one
//! engine would have to tell one another; until they do, only one may write.)

use std::collections::HashMap;
use std::sync::Arc;

use crypto::secret::Secret;
use rusqlite::Connection;

use crate::board::Board;
use crate::cipher;
use crate::event::{self, Draft, SubjectKey};
use crate::fault::StoreFault;
use crate::keyring::{self, Kek, Keyring};
use crate::log::{self, LogId, LogKeys, LogKind};
use crate::root::Purpose;
use crate::sqlite::connect::{self, Trouble, Who};
use crate::stmt::{Effect, Stmt, Value};
use crate::tenant::TenantId;

/// Logs whose keys the writer keeps open: 10,000 tenants fit into 4 MiB.
const LOGS_MAX: usize = 10_000;

/// Persons whose keys the writer keeps open: those of a busy minute; a hundred bytes each. Beyond it the memory starts anew.
const PERSONS_MAX: usize = 4_096;

pub(crate) struct Ledger {
    keyring: Arc<Keyring>,
    logs: HashMap<(TenantId, LogKind), Arc<OpenLog>>,
    /// Keys of persons by log and reference.
    persons: HashMap<Person, Secret<[u8; 32]>>,
    /// How long a detail stays, in milliseconds.
    keep_ms: i64,
    /// What this transaction has done so far, oldest first; a savepoint that is rolled back takes its tail.
    doings: Vec<Doing>,
}

/// A log with the KEK that seals its fields.
struct OpenLog {
    keys: LogKeys,
    kek: Arc<Kek>,
}

/// A log, and how it refers to a person.
type Person = (LogId, [u8; 32]);

enum Doing {
    /// An entry was added to a log.
    Added(LogId, i64),
    /// Rows were taken out of the pending table of a log.
    Spent(LogId, u64),
    /// A log was read in this transaction.
    Opened(TenantId, LogKind),
    /// A person's key was read or made in this transaction.
    Met(Person),
}

impl Ledger {
    pub(crate) fn new(keyring: Arc<Keyring>, keep_ms: i64) -> Ledger {
        Ledger { keyring, logs: HashMap::new(), persons: HashMap::new(), keep_ms, doings: Vec::new() }
    }

    /// A point in this transaction to which [`Ledger::rolled_back`] can return.
    pub(crate) fn mark(&self) -> usize {
        self.doings.len()
    }

    /// Forgets what was done since `mark`.
    pub(crate) fn rolled_back(&mut self, mark: usize) {
        for doing in self.doings.drain(mark..) {
            match doing {
                Doing::Opened(tenant, kind) => drop(self.logs.remove(&(tenant, kind))),
                Doing::Met(person) => drop(self.persons.remove(&person)),
                Doing::Added(..) | Doing::Spent(..) => {}
            }
        }
    }

    /// Makes known what the committed transaction did.
    pub(crate) fn committed(&mut self, conn: &Connection, board: &Board) {
        let mut spent: HashMap<LogId, u64> = HashMap::new();
        for doing in self.doings.drain(..) {
            match doing {
                Doing::Added(log, at_ms) => board.count(&log, at_ms),
                Doing::Spent(log, rows) => *spent.entry(log).or_default() += rows,
                Doing::Opened(..) | Doing::Met(..) => {}
            }
        }
        for (log, rows) in spent {
            let who = Who { tenant: TenantId::SYSTEM, now_ms: 0 };
            let oldest = connect::query(conn, &who, &Stmt::new(OLDEST_PENDING).text(log.as_str()), 1);
            match oldest.and_then(|rows| Ok(rows.first().map(|row| row.int(0)).transpose()?)) {
                Ok(oldest) => board.discount(&log, rows, oldest),
                // The bound on age is then late, never early; the next sequencing counts again.
                Err(trouble) => {
                    tracing::warn!(cause = %trouble.into_fault(), %log, "the oldest pending entry is not known");
                }
            }
        }
    }

    /// Notes what a statement did that came with a unit: rows of persons are only deleted or sealed anew by one.
    pub(crate) fn ran(&mut self, stmt: &Stmt, rows: u64) {
        if !self.persons.is_empty() && stmt.table().is_none_or(|table| *table == *"store_subject") {
            self.persons.clear();
        }
        match stmt.effect() {
            Effect::None => {}
            Effect::ChangesLogs => self.logs.clear(),
            Effect::SpendsPending => {
                if let Some(Value::Text(log)) = stmt.values().first()
                    && let Some(log) = LogId::parse(log)
                {
                    self.doings.push(Doing::Spent(log, rows));
                }
            }
        }
    }

    /// Writes an event's rows.
    pub(crate) fn write(
        &mut self,
        conn: &Connection,
        board: &Board,
        who: &Who,
        draft: &Draft,
    ) -> Result<(), Trouble> {
        let log = self.log(conn, who, draft.log)?;
        board.admit(log.keys.id(), who.now_ms)?;
        let subject = self.subject(conn, who, &log, draft)?;
        for stmt in draft.rows(&log.keys, &log.kek, subject.as_ref(), self.keep_ms)? {
            connect::execute(conn, who, &stmt)?;
        }
        self.doings.push(Doing::Added(log.keys.id().clone(), who.now_ms));
        Ok(())
    }

    /// The person's key, as it is remembered, or as its row says.
    fn subject(
        &mut self,
        conn: &Connection,
        who: &Who,
        log: &OpenLog,
        draft: &Draft,
    ) -> Result<Option<SubjectKey>, Trouble> {
        let Some(reference) = draft.subject_ref(&log.keys) else { return Ok(None) };
        let person = (log.keys.id().clone(), reference);
        if let Some(key) = self.persons.get(&person) {
            return Ok(Some(SubjectKey { reference, key: Secret::new(*key.expose()) }));
        }
        let key = self.subject_of_row(conn, who, log, draft, reference)?;
        if let Some(key) = &key {
            if self.persons.len() >= PERSONS_MAX {
                self.persons.clear();
            }
            self.persons.insert(person.clone(), Secret::new(*key.key.expose()));
            self.doings.push(Doing::Met(person));
        }
        Ok(key)
    }

    /// The person's key: made if the person is new to the log, else read back.
    fn subject_of_row(
        &self,
        conn: &Connection,
        who: &Who,
        log: &OpenLog,
        draft: &Draft,
        reference: [u8; 32],
    ) -> Result<Option<SubjectKey>, Trouble> {
        let stmt =
            Stmt::new(event::SUBJECT_KEY).text(log.keys.tenant().as_str()).text(log.keys.id().as_str());
        let found = connect::query(conn, who, &stmt.blob(reference), 1)?;
        let Some(row) = found.first() else {
            let put = draft.put_subject(&log.keys, &log.kek, &reference);
            if let Some(stmt) = put {
                connect::execute(conn, who, &stmt)?;
            }
            return Ok(draft
                .new_subject_key()
                .map(|key| SubjectKey { reference, key: Secret::new(*key.expose()) }));
        };
        let sealed = row.blob(0)?;
        let place = crypto::hex::encode(&reference);
        let field = event::subject_field(&place);
        let version = cipher::version_of(&sealed).ok_or_else(|| field.fault())?;
        let kek = if version == log.kek.version() {
            log.kek.clone()
        } else {
            self.kek(conn, who, log.keys.tenant(), Some(version))?
        };
        let key = cipher::open(&kek, log.keys.tenant(), field, &sealed)?;
        let key = key.expose().as_slice().try_into().map_err(|_| field.fault())?;
        Ok(Some(SubjectKey { reference, key: Secret::new(key) }))
    }

    /// The open log that takes this event.
    fn log(&mut self, conn: &Connection, who: &Who, kind: LogKind) -> Result<Arc<OpenLog>, Trouble> {
        let tenant = match kind {
            LogKind::Own => who.tenant.clone(),
            LogKind::System => TenantId::SYSTEM,
        };
        let key = (tenant, kind);
        if let Some(log) = self.logs.get(&key) {
            return Ok(log.clone());
        }
        let tenant = &key.0;
        let rows = connect::query(conn, who, &log::select_open(tenant, kind), 1)?;
        let row = rows.first().ok_or_else(|| StoreFault::NoLog { tenant: tenant.to_string() })?;
        let kek = self.kek(conn, who, tenant, Some(log::kek_version_of(row)?))?;
        let log =
            Arc::new(OpenLog { keys: log::opened(row, &kek)?, kek: self.kek(conn, who, tenant, None)? });
        if self.logs.len() >= LOGS_MAX {
            self.logs.clear();
        }
        self.logs.insert(key.clone(), log.clone());
        self.doings.push(Doing::Opened(key.0, kind));
        Ok(log)
    }

    /// A `data` KEK, from memory or from its row, which is not remembered: it may not be committed.
    fn kek(
        &self,
        conn: &Connection,
        who: &Who,
        tenant: &TenantId,
        version: Option<u32>,
    ) -> Result<Arc<Kek>, Trouble> {
        if let Some(kek) = self.keyring.known(tenant, Purpose::Data, version) {
            return Ok(kek);
        }
        let rows = connect::query(conn, who, &keyring::select(tenant, Purpose::Data, version), 1)?;
        Ok(self.keyring.opened(tenant, Purpose::Data, rows.first())?)
    }
}

pub(crate) const OLDEST_PENDING: &str =
    "SELECT at_ms FROM store_event WHERE log_id = $1 ORDER BY seq LIMIT 1";
