//! All SQL of the room.

use crate::idempotency::Mark;
use ::store::{Ctx, Field, Migrations, Stmt, Store, StoreFault};
use jiff::Timestamp;

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "edge",
    list: &[("0001_idempotency.sql", include_str!("migrations/0001_idempotency.sql"))],
};

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] =
    &[PUT_MARK, MARK, TAKE_MARK, CLOSE_MARK, KEEP_ANSWER, FREE_MARK, DROP_EXPIRED_MARK, EXPIRE_MARKS];

const PUT_MARK: &str = "INSERT INTO edge_idempotency
     (tenant_id, actor, key_sha256, mark_id, request_sha256, done, answer, lease_until_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, 0, NULL, $5, $6) ON CONFLICT DO NOTHING";
const MARK: &str =
    "SELECT mark_id, request_sha256, done, answer, lease_until_ms, expires_at_ms FROM edge_idempotency
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2";
const TAKE_MARK: &str = "UPDATE edge_idempotency SET mark_id = $3, lease_until_ms = $5
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2 AND mark_id = $4 AND done = 0 AND lease_until_ms <= :now";
const CLOSE_MARK: &str = "UPDATE edge_idempotency SET done = 1
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2 AND mark_id = $3 AND done = 0";
const KEEP_ANSWER: &str = "UPDATE edge_idempotency SET done = 1, answer = $4
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2 AND mark_id = $3";
const FREE_MARK: &str = "DELETE FROM edge_idempotency
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2 AND mark_id = $3 AND done = 0";
const DROP_EXPIRED_MARK: &str = "DELETE FROM edge_idempotency
     WHERE tenant_id = :tenant AND actor = $1 AND key_sha256 = $2 AND mark_id = $3 AND expires_at_ms <= :now";
const EXPIRE_MARKS: &str = "DELETE FROM edge_idempotency WHERE expires_at_ms < :now";

/// A mark as it stands in its row.
pub(crate) struct MarkRow {
    pub(crate) mark_id: String,
    pub(crate) request_sha256: [u8; 32],
    pub(crate) done: bool,
    pub(crate) answer: Option<Vec<u8>>,
    pub(crate) lease_until_ms: i64,
    pub(crate) expires_at_ms: i64,
}

/// Where an answer is sealed.
pub(crate) fn mark_answer(mark_id: &str) -> Field<'_> {
    Field { table: "edge_idempotency", column: "answer", row: mark_id }
}

pub(crate) fn put_mark(
    mark: &Mark,
    request_sha256: [u8; 32],
    lease_until: Timestamp,
    expires_at: Timestamp,
) -> Stmt {
    of(PUT_MARK, mark)
        .text(&mark.mark_id)
        .blob(request_sha256.to_vec())
        .int(lease_until.as_millisecond())
        .int(expires_at.as_millisecond())
}

pub(crate) async fn mark(store: &Store, ctx: &Ctx, mark: &Mark) -> Result<Option<MarkRow>, StoreFault> {
    let Some(row) = store.read(ctx).one(of(MARK, mark)).await? else { return Ok(None) };
    Ok(Some(MarkRow {
        mark_id: row.text(0)?,
        request_sha256: row.array(1)?,
        done: row.bool(2)?,
        answer: row.opt_blob(3)?,
        lease_until_ms: row.int(4)?,
        expires_at_ms: row.int(5)?,
    }))
}

pub(crate) fn take_mark(mark: &Mark, from: &str, lease_until: Timestamp) -> Stmt {
    of(TAKE_MARK, mark).text(&mark.mark_id).text(from).int(lease_until.as_millisecond())
}

pub(crate) fn close_mark(mark: &Mark) -> Stmt {
    of(CLOSE_MARK, mark).text(&mark.mark_id)
}

pub(crate) fn keep_answer(mark: &Mark, answer: Option<Vec<u8>>) -> Stmt {
    of(KEEP_ANSWER, mark).text(&mark.mark_id).opt_blob(answer)
}

pub(crate) fn free_mark(mark: &Mark) -> Stmt {
    of(FREE_MARK, mark).text(&mark.mark_id)
}

pub(crate) fn drop_expired_mark(mark: &Mark, mark_id: &str) -> Stmt {
    of(DROP_EXPIRED_MARK, mark).text(mark_id)
}

pub(crate) fn expire_marks() -> Stmt {
    Stmt::new(EXPIRE_MARKS)
}

fn of(sql: &'static str, mark: &Mark) -> Stmt {
    Stmt::new(sql).text(&mark.actor).blob(mark.key_sha256.to_vec())
}
