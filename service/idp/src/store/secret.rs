//! The three secrets that never change, and the sets of keys that wallets pin.

use store::{Ctx, Field, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] = &[PUT, ONE, PUT_KEY_SET, KEY_SETS];

const PUT: &str =
    "INSERT INTO idp_secret (tenant_id, name, value, created_at_ms) VALUES (:tenant, $1, $2, :now)
     ON CONFLICT DO NOTHING";
const ONE: &str = "SELECT value FROM idp_secret WHERE tenant_id = :tenant AND name = $1";
const PUT_KEY_SET: &str =
    "INSERT INTO idp_key_set (tenant_id, number, kid_s, kid_reply, statement, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, :now) ON CONFLICT DO NOTHING";
const KEY_SETS: &str = "SELECT number, kid_s, kid_reply, statement FROM idp_key_set
     WHERE tenant_id = :tenant ORDER BY number DESC LIMIT $1";

/// A signed set of the keys that wallets pin.
pub(crate) struct KeySet {
    pub(crate) number: i64,
    pub(crate) kid_s: String,
    pub(crate) kid_reply: String,
    pub(crate) statement: String,
}

/// The sealed value; the caller opens it.
pub(crate) async fn sealed(store: &Store, ctx: &Ctx, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).text(name)).await?.map(|row| row.blob(0)).transpose()
}

pub(crate) async fn put(store: &Store, ctx: &Ctx, name: &str, value: &[u8]) -> Result<Stmt, StoreFault> {
    Ok(Stmt::new(PUT).text(name).blob(store.sealed(ctx, field(name), value).await?))
}

pub(crate) fn field(name: &str) -> Field<'_> {
    Field { table: "idp_secret", column: "value", row: name }
}

pub(crate) fn put_key_set(set: &KeySet) -> Stmt {
    Stmt::new(PUT_KEY_SET).int(set.number).text(&set.kid_s).text(&set.kid_reply).text(&set.statement)
}

/// The newest sets, newest first.
pub(crate) async fn key_sets(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<KeySet>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(KEY_SETS).int(limit as i64), limit).await?;
    let set = |row: &Row| {
        Ok(KeySet {
            number: row.int(0)?,
            kid_s: row.text(1)?,
            kid_reply: row.text(2)?,
            statement: row.text(3)?,
        })
    };
    rows.iter().map(set).collect()
}
