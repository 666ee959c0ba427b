//! What the house keeps: every row, and the event that each change means.
//!
//! ```text
//! room: Unit { statements, guards, event } ── commit(ctx) ─▶ queue ─▶ writer: savepoint a unit, one fsync for all
//!                                                                       │ rows + leaf + sealed detail, or neither
//! audit: take_pending ◀── store_event ◀─────────────────────────────────┘
//! room: read(ctx) ─▶ eight readers, which see whole units only
//! ```
//!
//! Invariants, all by absence:
//! - no row changes without its event, but by [`Store::housekeeping`], whose [`Reason`]s are a closed list;
//! - no answer is given before its fsync; if an fsync fails, the process ends and answers nobody;
//! - no statement's text is made at run time; `:tenant` and `:now` come from [`Ctx`] alone;
//! - no secret, key or personal text stands unsealed in the file, and none shows in `Debug`, faults or logs;
//! - nothing here reads a clock, or draws randomness for a request other than from its [`Ctx`].
//!
//! Start reading at [`Store`], then [`Unit`], then `sqlite/writer.rs`.

mod actor;
mod board;
mod bus;
mod cipher;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod ctx;
mod detail;
mod event;
mod fault;
pub mod id;
mod keyring;
mod keys;
mod ledger;
mod log;
mod memo;
pub mod migrations;
mod open;
mod pending;
mod root;
mod rotation;
mod row;
mod sqlite;
mod statements;
mod stmt;
mod store;
mod tenant;
mod unit;

pub use tlog::entry::ActorKind;

pub use actor::Actor;
pub use board::{Ending, PENDING_WAKE_ROWS, PendingBounds, Waiting};
pub use bus::{Bus, HINT_BYTES_MAX, HINTS_MAX, Heard, Hint, Listener};
pub use cipher::Field;
pub use ctx::{Ctx, Entropy, RequestId, Seed};
pub use detail::{DETAILS_MAX, DetailQuery, EXPIRY_ROWS, EventDetail};
pub use fault::{CommitError, Committed, OpenFault, StoreFault};
pub use id::EventId;
pub use keyring::Kek;
pub use keys::LogRow;
pub use log::{LogId, LogKeys, LogKind, LogSpec};
pub use memo::{MEMO_MS_MAX, Memo};
pub use migrations::Migrations;
pub use pending::{PENDING_TAKE_MAX, PendingEntry, spend_pending};
pub use root::{Purpose, Root, RootId};
pub use rotation::REWRAP_ROWS;
pub use row::Row;
pub use sqlite::writer::{BATCH_BYTES_MAX, BATCH_UNITS_MAX, BATCH_WORK_MAX, UNITS_WAITING_MAX};
pub use statements::STATEMENTS;
pub use stmt::{STMT_PARAMETERS_MAX, Stmt};
pub use store::{ROWS_MAX, Read, Store, StoreConfig};
pub use tenant::TenantId;
pub use unit::{
    HOUSEKEEPING_BYTES_MAX, HOUSEKEEPING_STATEMENTS_MAX, Reason, Refused, UNIT_BYTES_MAX,
    UNIT_STATEMENTS_MAX, Unit,
};
