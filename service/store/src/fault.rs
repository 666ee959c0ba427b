//! What can go wrong, and whose fault it is.

use std::path::PathBuf;

use thiserror::Error;

use crate::id::EventId;

/// Why the store did not answer. Texts name tables, columns and logs; never a parameter, a secret or a person.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreFault {
    /// Too many units or reads wait. Nothing was done; asking again after a second is right (503 `Retry-After: 1`).
    #[error("the store is busy: too many units are waiting")]
    Busy,
    /// The disk takes no more writes. Nothing was written; reads go on (503).
    #[error("the disk takes no more writes: {cause}")]
    DiskFull {
        /// What SQLite said.
        cause: String,
    },
    /// The log of this tenant takes no more entries: too many wait, or too long (503 `ledger/unavailable`).
    #[error("the log {log} takes no more entries: {cause}")]
    LedgerUnavailable {
        /// Which log.
        log: String,
        /// Which bound was passed.
        cause: String,
    },
    /// A start check or a guard found the log damaged: nothing is changed until an owner decides (503
    /// `ledger/quarantined`).
    #[error("the log {log} is quarantined: {reason}")]
    Quarantined {
        /// Which log.
        log: String,
        /// Which check failed.
        reason: String,
    },
    /// The tenant has no open log, so nothing of it may change.
    #[error("{tenant} has no open log")]
    NoLog {
        /// Whose.
        tenant: String,
    },
    /// The tenant has no key for this purpose: it was never made, or it was deleted with the tenant.
    #[error("{tenant} has no {purpose} key")]
    NoKey {
        /// Whose.
        tenant: String,
        /// `keys` or `data`.
        purpose: &'static str,
    },
    /// A sealed value does not open here: it was changed, or moved from another row, column or tenant.
    #[error("the sealed value in {place} does not open here")]
    Sealed {
        /// Table and column.
        place: String,
    },
    /// The unit is larger than a unit may be. A fault of ours.
    #[error("the unit is too large: {statements} statements, {bytes} bytes")]
    UnitTooLarge {
        /// Statements in it.
        statements: usize,
        /// Bytes of texts and parameters.
        bytes: usize,
    },
    /// A statement does not fit the schema, or the engine refused it. A fault of ours.
    #[error("the statement `{sql}` failed: {cause}")]
    Statement {
        /// Its text, without parameters.
        sql: &'static str,
        /// What the engine said.
        cause: String,
    },
    /// A row broke a constraint (unique, foreign key, append-only). A unit that may meet one guards the statement
    /// and says `ON CONFLICT DO NOTHING`.
    #[error("the statement `{sql}` broke a constraint: {cause}")]
    Constraint {
        /// Its text, without parameters.
        sql: &'static str,
        /// Table and column, as the engine names them.
        cause: String,
    },
    /// A column is not what the reader expects. A fault of ours.
    #[error("column {index} is not {wanted}")]
    Column {
        /// Counted from 0.
        index: usize,
        /// The expected type.
        wanted: &'static str,
    },
    /// An event does not fit its leaf. A fault of ours.
    #[error("the event {event} cannot be written: {cause}")]
    Event {
        /// Its name.
        event: &'static str,
        /// Why.
        cause: String,
    },
    /// The database could not be read or written.
    #[error("the database failed: {cause}")]
    Engine {
        /// What SQLite said.
        cause: String,
    },
    /// The store is closed, or ends because a commit could not be made durable. What was not acked may be lost.
    #[error("the store is closed")]
    Closed,
}

impl StoreFault {
    /// Seconds after which the same request may succeed, if it is a fault that passes: the door answers 503.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            StoreFault::Busy | StoreFault::LedgerUnavailable { .. } | StoreFault::Closed => Some(1),
            StoreFault::DiskFull { .. } => Some(5),
            StoreFault::Quarantined { .. } => Some(60),
            StoreFault::NoLog { .. }
            | StoreFault::NoKey { .. }
            | StoreFault::Sealed { .. }
            | StoreFault::UnitTooLarge { .. }
            | StoreFault::Statement { .. }
            | StoreFault::Constraint { .. }
            | StoreFault::Column { .. }
            | StoreFault::Event { .. }
            | StoreFault::Engine { .. } => None,
        }
    }
}

/// Why a unit was not committed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError<E> {
    /// A guard touched no row, or more than one: the unit was rolled back and the refusal's event written.
    #[error("a guard was lost")]
    Lost(E),
    /// The store could not; neither the unit nor an event was written.
    #[error(transparent)]
    Fault(#[from] StoreFault),
}

/// What a commit gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The event that is durable beside the rows; shown as `Tessera-Event`.
    pub event_id: EventId,
}

/// Why the store did not open. Nothing was written, unless a migration itself failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenFault {
    /// The folder or the file cannot be made, read or written.
    #[error("{path} cannot be used as a data folder: {cause}")]
    Folder {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Another process, or another store of this one, uses the folder.
    #[error("{path} is in use by another process")]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error("{path} is not a database that can be read: {cause}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// The root key is not the one that this database was sealed with.
    #[error("the root key {given} is not the one of this database ({expected})")]
    WrongRoot {
        /// Id of the root that was given, hex.
        given: String,
        /// Ids of the roots that open this database, hex.
        expected: String,
    },
    /// A migration that was applied reads differently now.
    #[error("migration {room}/{name} was changed after it was applied")]
    MigrationChanged {
        /// Whose.
        room: String,
        /// Which.
        name: String,
    },
    /// The database was migrated by a newer program.
    #[error("the database has migration {number} of {room}; this program knows {known}: it is too old")]
    MigrationNewer {
        /// Whose.
        room: String,
        /// Number found.
        number: i64,
        /// Highest number known.
        known: i64,
    },
    /// A migration failed; it was rolled back.
    #[error("migration {room}/{name} failed: {cause}")]
    MigrationFailed {
        /// Whose.
        room: String,
        /// Which.
        name: String,
        /// What SQLite said.
        cause: String,
    },
    /// The store opened, but its first rows could not be written or read.
    #[error("the store could not start: {0}")]
    Start(#[from] StoreFault),
}
