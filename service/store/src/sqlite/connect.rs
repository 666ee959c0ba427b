//! Connections, and how a statement runs on one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use crate::fault::StoreFault;
use crate::row::Row;
use crate::stmt::{Stmt, Value};
use crate::tenant::TenantId;

/// Prepared statements a connection keeps: more than all rooms together have.
const STATEMENTS_KEPT: usize = 1_024;

/// How long a connection waits for a lock. Only a checkpoint and a start can hold one.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The writer's page cache, in KiB: more dirty pages than this are spilled before the commit.
const WRITER_CACHE_KIB: i64 = 16_384;

/// Bytes of the write-ahead log that stay when it begins anew: what [`super::wal::WAL_PAGES_MAX`] pages are.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// A reader's page cache, in KiB; twelve of them.
const READER_CACHE_KIB: i64 = 2_048;

/// Opens for a look: nothing is written, not even at close. One thing comes first: a process that was killed while it gave a new
/// file its journal mode left half a change behind, which only a connection that may write takes back. The folder is ours alone, so
/// nobody is in the middle of it.
pub(crate) fn look(path: &Path) -> rusqlite::Result<Connection> {
    match read_only(path) {
        Err(fault) if fault.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => {
            touch(&open(path)?)?;
            read_only(path)
        }
        opened => opened,
    }
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(LOCK_WAIT)?;
    touch(&conn)?;
    Ok(conn)
}

/// Reads the head of the file: only then does SQLite look whether a journal is to be taken back.
fn touch(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0)).map(drop)
}

/// The one connection that writes.
pub(crate) fn writer(path: &Path, pages_max: Option<u32>) -> rusqlite::Result<Connection> {
    let conn = open(path)?;
    // WAL is remembered by the file; the rest is of this connection.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(code, Some(format!("the journal mode stays {mode}"))));
    }
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    if let Some(pages) = pages_max {
        conn.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(conn)
}

/// The connection that moves the write-ahead log into the database.
pub(crate) fn checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    open(path)
}

/// A connection that cannot write.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let mut conn = open(path)?;
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive => Authorization::Allow,
        _ => Authorization::Deny,
    }))?;
    Ok(conn)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // A connection is used by one thread at a time, so SQLite need not lock it; nor is a file made here.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(LOCK_WAIT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // A plan that may depend on a parameter is made anew whenever the parameter changes: beside a partial index that is at each
    // use of a statement. Ours never want another plan.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "recursive_triggers", true)?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

/// Whose statement it is, and when: what `:tenant` and `:now` become.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) tenant: TenantId,
    pub(crate) now_ms: i64,
}

/// Why a statement did not run.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This unit is at fault; others may go on.
    Unit(StoreFault),
    /// The disk or the file is at fault: nothing of this transaction can stay.
    Transaction(StoreFault),
    /// What was written may not be on the disk, whatever comes next: the process must end.
    Process(String),
}

impl Trouble {
    /// What a reader, who risks nothing, says about it.
    pub(crate) fn into_fault(self) -> StoreFault {
        match self {
            Trouble::Unit(fault) | Trouble::Transaction(fault) => fault,
            Trouble::Process(cause) => StoreFault::Engine { cause },
        }
    }
}

impl From<StoreFault> for Trouble {
    fn from(fault: StoreFault) -> Trouble {
        Trouble::Unit(fault)
    }
}

/// What an error of the engine means. `sql` names the statement, without its parameters.
pub(crate) fn trouble(sql: &'static str, error: &rusqlite::Error) -> Trouble {
    use rusqlite::ErrorCode as Code;
    use rusqlite::ffi;
    let cause = error.to_string();
    let Some(failure) = error.sqlite_error() else {
        return Trouble::Unit(StoreFault::Statement { sql, cause });
    };
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Trouble::Process(cause),
        (Code::DiskFull, _) | (_, ffi::SQLITE_IOERR_WRITE) => {
            Trouble::Transaction(StoreFault::DiskFull { cause })
        }
        (Code::ConstraintViolation, _) => Trouble::Unit(StoreFault::Constraint { sql, cause }),
        (
            Code::SystemIoFailure
            | Code::DatabaseCorrupt
            | Code::NotADatabase
            | Code::OutOfMemory
            | Code::CannotOpen
            | Code::ReadOnly
            | Code::FileLockingProtocolFailed
            | Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::OperationInterrupted,
            _,
        ) => Trouble::Transaction(StoreFault::Engine { cause }),
        _ => Trouble::Unit(StoreFault::Statement { sql, cause }),
    }
}

/// Runs a statement that changes rows; answers how many.
pub(crate) fn execute(conn: &Connection, who: &Who, stmt: &Stmt) -> Result<usize, Trouble> {
    let mut prepared = bound(conn, who, stmt)?;
    prepared.raw_execute().map_err(|error| trouble(stmt.sql(), &error))
}

/// Runs a statement that reads; answers at most `limit` rows.
pub(crate) fn query(conn: &Connection, who: &Who, stmt: &Stmt, limit: usize) -> Result<Vec<Row>, Trouble> {
    let mut prepared = bound(conn, who, stmt)?;
    let columns = prepared.column_count();
    let mut rows = prepared.raw_query();
    let mut answer = Vec::new();
    while answer.len() < limit {
        let Some(row) = rows.next().map_err(|error| trouble(stmt.sql(), &error))? else { break };
        let values = (0..columns).map(|index| {
            let value = row.get_ref(index).map_err(|error| trouble(stmt.sql(), &error))?;
            owned(value)
                .ok_or(Trouble::Unit(StoreFault::Column { index, wanted: "an integer, a text or bytes" }))
        });
        answer.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(answer)
}

fn bound<'a>(conn: &'a Connection, who: &Who, stmt: &Stmt) -> Result<rusqlite::CachedStatement<'a>, Trouble> {
    let template = stmt.template()?;
    let failed = |error: rusqlite::Error| trouble(stmt.sql(), &error);
    let mut prepared = conn.prepare_cached(&template.sqlite).map_err(failed)?;
    for (index, value) in (1_usize..).zip(stmt.values()) {
        prepared.raw_bind_parameter(index, value).map_err(failed)?;
    }
    if let Some(index) = template.tenant {
        prepared.raw_bind_parameter(index, who.tenant.as_str()).map_err(failed)?;
    }
    if let Some(index) = template.now {
        prepared.raw_bind_parameter(index, who.now_ms).map_err(failed)?;
    }
    Ok(prepared)
}

fn owned(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Null => Some(Value::Null),
        ValueRef::Integer(value) => Some(Value::Int(value)),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(|text| Value::Text(text.to_owned())),
        ValueRef::Blob(bytes) => Some(Value::Blob(bytes.to_owned())),
        ValueRef::Real(_) => None,
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
