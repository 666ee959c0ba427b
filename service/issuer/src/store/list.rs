//! SQL of status lists and of the blocks of indices that were not dealt yet.

use crypto::secret::Secret;
use store::{Ctx, Field, Row, Stmt, Store, StoreFault};

pub(super) const PUT_LIST: &str = "INSERT INTO issuer_status_list
     (tenant_id, list, entries, state, version, signed_version, signed_at_ms, token, created_at_ms)
     VALUES (:tenant, $1, $2, 'open', 1, 0, 0, '', :now) ON CONFLICT DO NOTHING";
pub(super) const LIST: &str =
    "SELECT list, entries, state, version, signed_version, signed_at_ms, token FROM issuer_status_list
     WHERE tenant_id = :tenant AND list = $1";
pub(super) const LISTS: &str =
    "SELECT list, entries, state, version, signed_version, signed_at_ms, '' FROM issuer_status_list
     WHERE tenant_id = :tenant AND list > $1 ORDER BY list LIMIT $2";
pub(super) const NEXT_LIST: &str =
    "SELECT COALESCE(MAX(list), -1) + 1 FROM issuer_status_list WHERE tenant_id = :tenant";
pub(super) const TOUCH_LIST: &str =
    "UPDATE issuer_status_list SET version = version + 1 WHERE tenant_id = :tenant AND list IN
     (SELECT list FROM issuer_copy WHERE tenant_id = :tenant AND credential_id = $1)";
pub(super) const SIGN_LIST: &str =
    "UPDATE issuer_status_list SET token = $3, signed_version = $2, signed_at_ms = :now
     WHERE tenant_id = :tenant AND list = $1 AND signed_version <= $2";
pub(super) const CLOSE_LISTS: &str = "UPDATE issuer_status_list SET state = 'full'
     WHERE tenant_id = :tenant AND list < $1 AND state = 'open'";
pub(super) const DUE_LISTS: &str =
    "SELECT list, entries, state, version, signed_version, signed_at_ms, '' FROM issuer_status_list
     WHERE tenant_id = :tenant AND (version > signed_version OR signed_at_ms <= $1) ORDER BY list";
pub(super) const REVOKED_INDICES: &str =
    "SELECT idx FROM issuer_copy WHERE tenant_id = :tenant AND list = $1 AND status = 'revoked'
     AND idx > $2 ORDER BY idx LIMIT $3";
pub(super) const PUT_BLOCKS: &str = "INSERT INTO issuer_status_block (tenant_id, list, block, indices) VALUES
     (:tenant, $1, $2, $3), (:tenant, $1, $4, $5), (:tenant, $1, $6, $7), (:tenant, $1, $8, $9),
     (:tenant, $1, $10, $11), (:tenant, $1, $12, $13), (:tenant, $1, $14, $15), (:tenant, $1, $16, $17),
     (:tenant, $1, $18, $19), (:tenant, $1, $20, $21), (:tenant, $1, $22, $23), (:tenant, $1, $24, $25),
     (:tenant, $1, $26, $27), (:tenant, $1, $28, $29), (:tenant, $1, $30, $31), (:tenant, $1, $32, $33)";
pub(super) const PUT_BLOCK: &str =
    "INSERT INTO issuer_status_block (tenant_id, list, block, indices) VALUES (:tenant, $1, $2, $3)";
pub(super) const NEXT_BLOCK: &str =
    "SELECT list, block, indices FROM issuer_status_block WHERE tenant_id = :tenant
     ORDER BY list, block LIMIT 1";
pub(super) const TAKE_BLOCK: &str =
    "DELETE FROM issuer_status_block WHERE tenant_id = :tenant AND list = $1 AND block = $2";
pub(super) const BLOCKS_LEFT: &str = "SELECT COUNT(*) FROM issuer_status_block WHERE tenant_id = :tenant";

/// Blocks that one statement of [`put_blocks`] writes.
const BLOCKS_A_STATEMENT: usize = 16;

/// A status list.
pub(crate) struct ListRow {
    pub(crate) list: i64,
    pub(crate) entries: i64,
    pub(crate) state: String,
    pub(crate) version: i64,
    pub(crate) signed_version: i64,
    pub(crate) signed_at_ms: i64,
    pub(crate) token: String,
}

pub(crate) fn put_list(list: i64, entries: u32) -> Stmt {
    Stmt::new(PUT_LIST).int(list).int(i64::from(entries))
}

/// All blocks of one list, [`BLOCKS_A_STATEMENT`] to a statement; what is left over, one to a statement.
pub(crate) fn put_blocks(list: i64, sealed: Vec<Vec<u8>>) -> Vec<Stmt> {
    let full = sealed.len() / BLOCKS_A_STATEMENT;
    let mut numbered = (0..).zip(sealed);
    let mut stmts = Vec::with_capacity(full + BLOCKS_A_STATEMENT);
    for _ in 0..full {
        let sixteen = numbered.by_ref().take(BLOCKS_A_STATEMENT);
        let first = Stmt::new(PUT_BLOCKS).int(list);
        stmts.push(sixteen.fold(first, |stmt, (number, indices)| stmt.int(number).blob(indices)));
    }
    stmts.extend(numbered.map(|(number, indices)| Stmt::new(PUT_BLOCK).int(list).int(number).blob(indices)));
    stmts
}

pub(crate) async fn seal_block(
    store: &Store,
    ctx: &Ctx,
    list: i64,
    block: i64,
    plain: &[u8],
) -> Result<Vec<u8>, StoreFault> {
    store.sealed(ctx, block_field(&block_row(list, block)), plain).await
}

/// The next block that nobody has taken, with the statement that takes it.
pub(crate) struct FoundBlock {
    pub(crate) list: i64,
    pub(crate) indices: Secret<Vec<u8>>,
    pub(crate) take: Stmt,
}

pub(crate) async fn next_block(store: &Store, ctx: &Ctx) -> Result<Option<FoundBlock>, StoreFault> {
    let Some(row) = store.read(ctx).one(Stmt::new(NEXT_BLOCK)).await? else { return Ok(None) };
    let (list, block) = (row.int(0)?, row.int(1)?);
    let indices = store.opened(ctx, block_field(&block_row(list, block)), &row.blob(2)?).await?;
    Ok(Some(FoundBlock { list, indices, take: Stmt::new(TAKE_BLOCK).int(list).int(block) }))
}

pub(crate) async fn blocks_left(store: &Store, ctx: &Ctx) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(BLOCKS_LEFT)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// Lists before `list` take no new copies, but what blocks of them are left is still dealt.
pub(crate) fn close_lists(list: i64) -> Stmt {
    Stmt::new(CLOSE_LISTS).int(list)
}

/// The number that no list has yet.
pub(crate) async fn next_list(store: &Store, ctx: &Ctx) -> Result<i64, StoreFault> {
    store.read(ctx).one(Stmt::new(NEXT_LIST)).await?.map_or(Ok(0), |row| row.int(0))
}

pub(crate) async fn list(store: &Store, ctx: &Ctx, number: i64) -> Result<Option<ListRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(LIST).int(number)).await?.map(|row| list_row(&row)).transpose()
}

pub(crate) async fn lists(
    store: &Store,
    ctx: &Ctx,
    after: i64,
    limit: usize,
) -> Result<Vec<ListRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(LISTS).int(after).int(limit as i64), limit).await?;
    rows.iter().map(list_row).collect()
}

/// Lists that changed since they were signed, or were signed at `signed_before_ms` or before.
pub(crate) async fn due_lists(
    store: &Store,
    ctx: &Ctx,
    signed_before_ms: i64,
) -> Result<Vec<ListRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(DUE_LISTS).int(signed_before_ms), LISTS_MAX).await?;
    rows.iter().map(list_row).collect()
}

/// Lists of one tenant that a tick looks at; a list holds 131,072 copies.
const LISTS_MAX: usize = 1_000;

pub(crate) fn sign_list(list: i64, version: i64, token: &str) -> Stmt {
    Stmt::new(SIGN_LIST).int(list).int(version).text(token)
}

/// Every revoked index of a list, read in pages.
pub(crate) async fn revoked(store: &Store, ctx: &Ctx, list: i64) -> Result<Vec<u64>, StoreFault> {
    let (mut found, mut last) = (Vec::new(), -1);
    loop {
        let stmt = Stmt::new(REVOKED_INDICES).int(list).int(last).int(REVOKED_PAGE as i64);
        let rows = store.read(ctx).many(stmt, REVOKED_PAGE).await?;
        for row in &rows {
            last = row.int(0)?;
            found.push(last.unsigned_abs());
        }
        if rows.len() < REVOKED_PAGE {
            return Ok(found);
        }
    }
}

/// Indices read at once.
const REVOKED_PAGE: usize = 8_192;

fn list_row(row: &Row) -> Result<ListRow, StoreFault> {
    Ok(ListRow {
        list: row.int(0)?,
        entries: row.int(1)?,
        state: row.text(2)?,
        version: row.int(3)?,
        signed_version: row.int(4)?,
        signed_at_ms: row.int(5)?,
        token: row.text(6)?,
    })
}

fn block_row(list: i64, block: i64) -> String {
    format!("{list}/{block}")
}

fn block_field(row: &str) -> Field<'_> {
    Field { table: "issuer_status_block", column: "indices", row }
}
