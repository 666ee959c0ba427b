//! Document seals that the tenant issued, and the lists that say which of them count no more.

use store::{Ctx, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(super) const STATEMENTS: &[&str] =
    &[PUT, ONE, OF_HASH, LISTING, REVOKE, GROW, REVOKED, NEXT_LIST, OPEN_LIST, DEAL, LIST, DUE, SIGN, FORGET];

macro_rules! columns {
    () => {
        "seal_id, kind, seal_sha256, list, idx, revoked_at_ms, reason, expires_at_ms, created_at_ms"
    };
}

const PUT: &str = "INSERT INTO idp_document_seal
     (tenant_id, seal_id, kind, seal_sha256, list, idx, expires_at_ms, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, :now) ON CONFLICT DO NOTHING";
const ONE: &str =
    concat!("SELECT ", columns!(), " FROM idp_document_seal WHERE tenant_id = :tenant AND seal_id = $1");
const OF_HASH: &str =
    concat!("SELECT ", columns!(), " FROM idp_document_seal WHERE tenant_id = :tenant AND seal_sha256 = $1");
const LISTING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_document_seal WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND seal_id > $2))
     ORDER BY created_at_ms, seal_id LIMIT $3"
);
const REVOKE: &str = "UPDATE idp_document_seal SET revoked_at_ms = :now, reason = $2
     WHERE tenant_id = :tenant AND seal_id = $1 AND revoked_at_ms IS NULL";
const GROW: &str = "UPDATE idp_seal_list SET version = version + 1 WHERE tenant_id = :tenant
     AND list = (SELECT s.list FROM idp_document_seal s WHERE s.tenant_id = :tenant AND s.seal_id = $1)";
const REVOKED: &str = "SELECT idx FROM idp_document_seal
     WHERE tenant_id = :tenant AND list = $1 AND revoked_at_ms IS NOT NULL ORDER BY idx LIMIT $2";
const NEXT_LIST: &str =
    "SELECT list, entries, dealt FROM idp_seal_list WHERE tenant_id = :tenant ORDER BY list DESC LIMIT 1";
const OPEN_LIST: &str =
    "INSERT INTO idp_seal_list (tenant_id, list, entries, dealt, version, signed_version, token, signed_at_ms)
     VALUES (:tenant, $1, $2, 0, 1, 0, '', 0) ON CONFLICT DO NOTHING";
const DEAL: &str = "UPDATE idp_seal_list SET dealt = dealt + 1 WHERE tenant_id = :tenant AND list = $1";
const LIST: &str = "SELECT list, entries, version, signed_version, token, signed_at_ms FROM idp_seal_list
     WHERE tenant_id = :tenant AND list = $1";
const DUE: &str = "SELECT list FROM idp_seal_list
     WHERE tenant_id = :tenant AND (version <> signed_version OR signed_at_ms < $1) ORDER BY list LIMIT $2";
const SIGN: &str = "UPDATE idp_seal_list SET signed_version = $2, token = $3, signed_at_ms = :now
     WHERE tenant_id = :tenant AND list = $1 AND signed_version <= $2";
const FORGET: &str = "DELETE FROM idp_document_seal WHERE tenant_id = :tenant AND expires_at_ms < $1";

/// Rows of a revoked list at once: what the store reads at most.
const REVOKED_MAX: usize = store::ROWS_MAX;

/// A document seal of ours.
#[derive(Clone, Debug)]
pub(crate) struct SealRow {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) sha256: [u8; 32],
    pub(crate) list: i64,
    pub(crate) idx: i64,
    pub(crate) revoked_at_ms: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) expires_at_ms: i64,
    pub(crate) created_at_ms: i64,
}

/// The list that seals are dealt from.
pub(crate) struct DealtList {
    pub(crate) list: i64,
    pub(crate) entries: i64,
    pub(crate) dealt: i64,
}

/// A list as it was signed.
pub(crate) struct ListRow {
    pub(crate) list: i64,
    pub(crate) entries: i64,
    pub(crate) version: i64,
    pub(crate) signed_version: i64,
    pub(crate) token: String,
    pub(crate) signed_at_ms: i64,
}

/// Takes a place of a list; two seals never share one, so this is a guard.
pub(crate) fn put(new: &SealRow) -> Stmt {
    Stmt::new(PUT)
        .text(&new.id)
        .text(&new.kind)
        .blob(new.sha256)
        .int(new.list)
        .int(new.idx)
        .int(new.expires_at_ms)
}

pub(crate) fn deal(list: i64) -> Stmt {
    Stmt::new(DEAL).int(list)
}

pub(crate) async fn one(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<SealRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).text(id)).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn of_hash(
    store: &Store,
    ctx: &Ctx,
    seal_sha256: [u8; 32],
) -> Result<Option<SealRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(OF_HASH).blob(seal_sha256)).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn listing(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<SealRow>, StoreFault> {
    let stmt = Stmt::new(LISTING).int(after.at_ms).text(&after.id).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(of_row).collect()
}

/// Revokes a seal once: the first statement is the guard where that matters.
pub(crate) fn revoke(id: &str, reason: &str) -> [Stmt; 2] {
    [Stmt::new(REVOKE).text(id).text(reason), Stmt::new(GROW).text(id)]
}

/// Places of a list that are revoked.
pub(crate) async fn revoked(store: &Store, ctx: &Ctx, list: i64) -> Result<Vec<u32>, StoreFault> {
    let stmt = Stmt::new(REVOKED).int(list).int(REVOKED_MAX as i64);
    let place = |row: &Row| {
        u32::try_from(row.int(0)?).map_err(|_| StoreFault::Column { index: 0, wanted: "a place of a list" })
    };
    store.read(ctx).many(stmt, REVOKED_MAX).await?.iter().map(place).collect()
}

pub(crate) async fn newest_list(store: &Store, ctx: &Ctx) -> Result<Option<DealtList>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(NEXT_LIST)).await?;
    row.map(|row| Ok(DealtList { list: row.int(0)?, entries: row.int(1)?, dealt: row.int(2)? })).transpose()
}

pub(crate) fn open_list(list: i64, entries: i64) -> Stmt {
    Stmt::new(OPEN_LIST).int(list).int(entries)
}

pub(crate) async fn list(store: &Store, ctx: &Ctx, list: i64) -> Result<Option<ListRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(LIST).int(list)).await?;
    row.map(|row| {
        Ok(ListRow {
            list: row.int(0)?,
            entries: row.int(1)?,
            version: row.int(2)?,
            signed_version: row.int(3)?,
            token: row.text(4)?,
            signed_at_ms: row.int(5)?,
        })
    })
    .transpose()
}

/// Lists that changed, or were signed before `before_ms`.
pub(crate) async fn due(
    store: &Store,
    ctx: &Ctx,
    before_ms: i64,
    limit: usize,
) -> Result<Vec<i64>, StoreFault> {
    let stmt = Stmt::new(DUE).int(before_ms).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(|row| row.int(0)).collect()
}

/// Keeps a signed list; an older version never replaces a newer one.
pub(crate) fn sign(list: i64, version: i64, token: &str) -> Stmt {
    Stmt::new(SIGN).int(list).int(version).text(token)
}

pub(crate) fn forget(before_ms: i64) -> Stmt {
    Stmt::new(FORGET).int(before_ms)
}

fn of_row(row: &Row) -> Result<SealRow, StoreFault> {
    Ok(SealRow {
        id: row.text(0)?,
        kind: row.text(1)?,
        sha256: row.array(2)?,
        list: row.int(3)?,
        idx: row.int(4)?,
        revoked_at_ms: row.opt_int(5)?,
        reason: row.opt_text(6)?,
        expires_at_ms: row.int(7)?,
        created_at_ms: row.int(8)?,
    })
}
