//! All SQL of the room.

use crypto::secret::Secret;
use mailbox::network::Class;
use store::{Ctx, Field, Migrations, Row, Stmt, Store, StoreFault};

/// The room's migrations.
pub const MIGRATIONS: Migrations =
    Migrations { room: "relay", list: &[("0001_relay.sql", include_str!("migrations/0001_relay.sql"))] };

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] = &[
    PUT_INTAKE,
    NEXT_PART,
    INTAKE,
    INTAKE_ROUNDS,
    FORGET_INTAKE,
    PUT_ROWS,
    ROWS,
    PUT_ROUND,
    ROUND,
    LAST_ROUNDS,
    ROUNDS_COUNT,
    PUT_STATEMENT,
    STATEMENT,
    LAST_STATEMENT,
    PUT_EPOCH_KEY,
    EPOCH_KEY,
    EPOCH_KEYS_BEFORE,
    ERASE_EPOCH_KEY,
    PUT_MEMBER,
    MEMBER,
    MEMBERS,
    MEMBERS_COUNT,
    MOVE_MEMBER,
    REMOVE_MEMBER,
    PUT_LINK,
    SPEND_LINK,
    FORGET_LINKS,
    FORGET_ROWS,
    FORGET_ROUND_ROWS,
    FORGET_ROUNDS,
];

const PUT_INTAKE: &str = "INSERT INTO relay_intake (tenant_id, class, round, part, cells)
     VALUES (:tenant, $1, $2, $3, $4)";
const NEXT_PART: &str = "SELECT COALESCE(MAX(part) + 1, 0) FROM relay_intake
     WHERE tenant_id = :tenant AND class = $1 AND round = $2";
const INTAKE: &str = "SELECT part, cells FROM relay_intake
     WHERE tenant_id = :tenant AND class = $1 AND round = $2 AND part > $3 ORDER BY part LIMIT 4";
const INTAKE_ROUNDS: &str = "SELECT DISTINCT round FROM relay_intake
     WHERE tenant_id = :tenant AND class = $1 ORDER BY round LIMIT 1000";
const FORGET_INTAKE: &str =
    "DELETE FROM relay_intake WHERE tenant_id = :tenant AND class = $1 AND round = $2";
const PUT_ROWS: &str = "INSERT INTO relay_bucket_round (tenant_id, class, round, bucket, part, cells)
     VALUES (:tenant, $1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, class, round, bucket, part) DO UPDATE SET cells = excluded.cells";
const ROWS: &str = "SELECT part, cells FROM relay_bucket_round
     WHERE tenant_id = :tenant AND class = $1 AND round = $2 AND bucket = $3 AND part > $4 ORDER BY part LIMIT 4";
const PUT_ROUND: &str =
    "INSERT INTO relay_round (tenant_id, class, round, statement) VALUES (:tenant, $1, $2, $3)";
const ROUND: &str =
    "SELECT statement FROM relay_round WHERE tenant_id = :tenant AND class = $1 AND round = $2";
const LAST_ROUNDS: &str = "SELECT round, statement FROM relay_round
     WHERE tenant_id = :tenant AND class = $1 ORDER BY round DESC LIMIT $2";
const ROUNDS_COUNT: &str = "SELECT COUNT(*) FROM relay_round WHERE tenant_id = :tenant AND class = $1";
const PUT_STATEMENT: &str = "INSERT INTO relay_statement (tenant_id, kind, version, body)
     VALUES (:tenant, $1, $2, $3)";
const STATEMENT: &str =
    "SELECT body FROM relay_statement WHERE tenant_id = :tenant AND kind = $1 AND version = $2";
const LAST_STATEMENT: &str = "SELECT body FROM relay_statement
     WHERE tenant_id = :tenant AND kind = $1 ORDER BY version DESC LIMIT 1";
const PUT_EPOCH_KEY: &str = "INSERT INTO relay_epoch_key (tenant_id, epoch, purpose, secret)
     VALUES (:tenant, $1, 'hop', $2)";
const EPOCH_KEY: &str = "SELECT secret FROM relay_epoch_key
     WHERE tenant_id = :tenant AND epoch = $1 AND purpose = 'hop'";
const EPOCH_KEYS_BEFORE: &str = "SELECT epoch FROM relay_epoch_key
     WHERE tenant_id = :tenant AND epoch < $1 AND purpose = 'hop' ORDER BY epoch LIMIT 100";
const ERASE_EPOCH_KEY: &str = "DELETE FROM relay_epoch_key
     WHERE tenant_id = :tenant AND epoch = $1 AND purpose = 'hop'";
const PUT_MEMBER: &str =
    "INSERT INTO relay_member (tenant_id, member_id, member_key, state, added_day, turns)
     VALUES (:tenant, $1, $2, 'active', $3, 1) ON CONFLICT DO NOTHING";
const MEMBER: &str = "SELECT member_id, state, added_day FROM relay_member
     WHERE tenant_id = :tenant AND member_id = $1";
const MEMBERS: &str = "SELECT member_id, state, added_day FROM relay_member
     WHERE tenant_id = :tenant AND member_id > $1 ORDER BY member_id LIMIT $2";
const MEMBERS_COUNT: &str =
    "SELECT COUNT(*) FROM relay_member WHERE tenant_id = :tenant AND state = 'active'";
const MOVE_MEMBER: &str = "UPDATE relay_member SET state = $3
     WHERE tenant_id = :tenant AND member_id = $1 AND state = $2";
const REMOVE_MEMBER: &str = "DELETE FROM relay_member WHERE tenant_id = :tenant AND member_id = $1";
const PUT_LINK: &str = "INSERT INTO relay_link (tenant_id, sha256, expires_at_ms) VALUES (:tenant, $1, $2)";
const SPEND_LINK: &str = "DELETE FROM relay_link
     WHERE tenant_id = :tenant AND sha256 = $1 AND expires_at_ms > :now";
const FORGET_LINKS: &str = "DELETE FROM relay_link WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const FORGET_ROWS: &str =
    "DELETE FROM relay_bucket_round WHERE tenant_id = :tenant AND class = $1 AND round < $2";
const FORGET_ROUND_ROWS: &str =
    "DELETE FROM relay_bucket_round WHERE tenant_id = :tenant AND class = $1 AND round = $2";
const FORGET_ROUNDS: &str = "DELETE FROM relay_round WHERE tenant_id = :tenant AND class = $1 AND round < $2";
/// Bytes of one blob: half of what one transaction of housekeeping may hold.
pub(crate) const PART_BYTES_MAX: usize = 2 << 20;

/// A round and its signed statement, as kept.
pub(crate) struct RoundRow {
    pub(crate) round: u64,
    pub(crate) statement: Vec<u8>,
}

/// A member, as lists show it.
pub(crate) struct MemberRow {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) added_day: i64,
}

pub(crate) fn put_intake(class: Class, round: u64, part: i64, cells: Vec<u8>) -> Stmt {
    of(PUT_INTAKE, class, round).int(part).blob(cells)
}

pub(crate) async fn next_part(store: &Store, ctx: &Ctx, class: Class, round: u64) -> Result<i64, StoreFault> {
    store.read(ctx).one(of(NEXT_PART, class, round)).await?.map_or(Ok(0), |row| row.int(0))
}

/// Every blob that was taken in for a round, in order.
pub(crate) async fn intake(
    store: &Store,
    ctx: &Ctx,
    class: Class,
    round: u64,
) -> Result<Vec<Vec<u8>>, StoreFault> {
    parts(store, ctx, |after| of(INTAKE, class, round).int(after)).await
}

/// Rounds whose cells wait for publication.
pub(crate) async fn intake_rounds(store: &Store, ctx: &Ctx, class: Class) -> Result<Vec<u64>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(INTAKE_ROUNDS).int(number(class)), 1_000).await?;
    rows.iter().map(|row| row.int(0).map(i64::unsigned_abs)).collect()
}

pub(crate) fn forget_intake(class: Class, round: u64) -> Stmt {
    of(FORGET_INTAKE, class, round)
}

/// The rows of a bucket in parts; written again after a crash, they are the same.
pub(crate) fn put_rows(class: Class, round: u64, bucket: u16, rows: &[u8]) -> Vec<Stmt> {
    let put =
        |(part, cells): (i64, &[u8])| of(PUT_ROWS, class, round).int(i64::from(bucket)).int(part).blob(cells);
    (0..).zip(rows.chunks(PART_BYTES_MAX)).map(put).collect()
}

pub(crate) fn forget_round_rows(class: Class, round: u64) -> Stmt {
    of(FORGET_ROUND_ROWS, class, round)
}

pub(crate) async fn rows(
    store: &Store,
    ctx: &Ctx,
    class: Class,
    round: u64,
    bucket: u16,
) -> Result<Vec<u8>, StoreFault> {
    let found = parts(store, ctx, |after| of(ROWS, class, round).int(i64::from(bucket)).int(after)).await?;
    Ok(found.concat())
}

pub(crate) fn put_round(class: Class, round: u64, statement: Vec<u8>) -> Stmt {
    of(PUT_ROUND, class, round).blob(statement)
}

pub(crate) async fn round(
    store: &Store,
    ctx: &Ctx,
    class: Class,
    round: u64,
) -> Result<Option<Vec<u8>>, StoreFault> {
    store.read(ctx).one(of(ROUND, class, round)).await?.map(|row| row.blob(0)).transpose()
}

pub(crate) async fn last_rounds(
    store: &Store,
    ctx: &Ctx,
    class: Class,
    limit: usize,
) -> Result<Vec<RoundRow>, StoreFault> {
    let stmt = Stmt::new(LAST_ROUNDS).int(number(class)).int(limit as i64);
    let rows = store.read(ctx).many(stmt, limit).await?;
    rows.iter()
        .map(|row| Ok(RoundRow { round: row.int(0)?.unsigned_abs(), statement: row.blob(1)? }))
        .collect()
}

pub(crate) async fn rounds_count(store: &Store, ctx: &Ctx, class: Class) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(ROUNDS_COUNT).int(number(class))).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// `manifest` by its version, `epoch` by epoch · 65,536 + view.
pub(crate) fn put_statement(kind: &str, version: u64, body: &str) -> Stmt {
    Stmt::new(PUT_STATEMENT).text(kind).int(version.cast_signed()).text(body)
}

pub(crate) async fn statement(
    store: &Store,
    ctx: &Ctx,
    kind: &str,
    version: u64,
) -> Result<Option<String>, StoreFault> {
    let stmt = Stmt::new(STATEMENT).text(kind).int(version.cast_signed());
    store.read(ctx).one(stmt).await?.map(|row| row.text(0)).transpose()
}

pub(crate) async fn last_statement(
    store: &Store,
    ctx: &Ctx,
    kind: &str,
) -> Result<Option<String>, StoreFault> {
    store.read(ctx).one(Stmt::new(LAST_STATEMENT).text(kind)).await?.map(|row| row.text(0)).transpose()
}

pub(crate) async fn put_epoch_key(
    store: &Store,
    ctx: &Ctx,
    epoch: u32,
    secret: &Secret<[u8; 32]>,
) -> Result<Stmt, StoreFault> {
    let row = epoch.to_string();
    let sealed = store.sealed(ctx, key_field(&row), secret.expose()).await?;
    Ok(Stmt::new(PUT_EPOCH_KEY).int(i64::from(epoch)).blob(sealed))
}

pub(crate) async fn epoch_key(
    store: &Store,
    ctx: &Ctx,
    epoch: u32,
) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
    let found = store.read(ctx).one(Stmt::new(EPOCH_KEY).int(i64::from(epoch))).await?;
    let Some(row) = found else { return Ok(None) };
    store.opened(ctx, key_field(&epoch.to_string()), &row.blob(0)?).await.map(Some)
}

pub(crate) async fn epoch_keys_before(store: &Store, ctx: &Ctx, epoch: u32) -> Result<Vec<u32>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(EPOCH_KEYS_BEFORE).int(i64::from(epoch)), 100).await?;
    rows.iter().map(|row| Ok(u32::try_from(row.int(0)?).unwrap_or(u32::MAX))).collect()
}

pub(crate) fn erase_epoch_key(epoch: u32) -> Stmt {
    Stmt::new(ERASE_EPOCH_KEY).int(i64::from(epoch))
}

pub(crate) fn put_member(id: &str, key: &[u8; 32], day: i64) -> Stmt {
    Stmt::new(PUT_MEMBER).text(id).blob(*key).int(day)
}

pub(crate) async fn member(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<MemberRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(MEMBER).text(id)).await?.map(|row| member_row(&row)).transpose()
}

pub(crate) async fn members(
    store: &Store,
    ctx: &Ctx,
    after: &str,
    limit: usize,
) -> Result<Vec<MemberRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(MEMBERS).text(after).int(limit as i64), limit).await?;
    rows.iter().map(member_row).collect()
}

pub(crate) async fn members_count(store: &Store, ctx: &Ctx) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(MEMBERS_COUNT)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

pub(crate) fn move_member(id: &str, from: &str, to: &str) -> Stmt {
    Stmt::new(MOVE_MEMBER).text(id).text(from).text(to)
}

pub(crate) fn remove_member(id: &str) -> Stmt {
    Stmt::new(REMOVE_MEMBER).text(id)
}

pub(crate) fn put_link(sha256: [u8; 32], expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_LINK).blob(sha256).int(expires_at_ms)
}

pub(crate) fn spend_link(sha256: [u8; 32]) -> Stmt {
    Stmt::new(SPEND_LINK).blob(sha256)
}

/// What is past its time: links, rows of rounds before `rows_from`, statements of rounds before `rounds_from`.
pub(crate) fn forget(class: Class, rows_from: u64, rounds_from: u64) -> Vec<Stmt> {
    vec![Stmt::new(FORGET_LINKS), of(FORGET_ROWS, class, rows_from), of(FORGET_ROUNDS, class, rounds_from)]
}

async fn parts(store: &Store, ctx: &Ctx, page: impl Fn(i64) -> Stmt) -> Result<Vec<Vec<u8>>, StoreFault> {
    let (mut found, mut last) = (Vec::new(), -1);
    loop {
        let rows = store.read(ctx).many(page(last), 4).await?;
        let ends = rows.len() < 4;
        for row in rows {
            last = row.int(0)?;
            found.push(row.blob(1)?);
        }
        if ends {
            return Ok(found);
        }
    }
}

fn of(sql: &'static str, class: Class, round: u64) -> Stmt {
    Stmt::new(sql).int(number(class)).int(round.cast_signed())
}

fn number(class: Class) -> i64 {
    i64::from(class.number())
}

fn member_row(row: &Row) -> Result<MemberRow, StoreFault> {
    Ok(MemberRow { id: row.text(0)?, state: row.text(1)?, added_day: row.int(2)? })
}

fn key_field(row: &str) -> Field<'_> {
    Field { table: "relay_epoch_key", column: "secret", row }
}
