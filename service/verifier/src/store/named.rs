//! What a tenant keeps by name: queries and types of transactions. Both have the same rows, so one set of words does.

use store::{Ctx, Row, Stmt, Store, StoreFault};

pub(super) const QUERY_PUT: &str =
    "INSERT INTO verifier_query (tenant_id, name, version, query, created_at_ms, retired_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, NULL) ON CONFLICT (tenant_id, name)
     DO UPDATE SET version = excluded.version, query = excluded.query, created_at_ms = excluded.created_at_ms,
     retired_at_ms = NULL WHERE verifier_query.version = excluded.version - 1";
pub(super) const QUERY: &str = "SELECT name, version, query, created_at_ms, retired_at_ms FROM verifier_query
     WHERE tenant_id = :tenant AND name = $1";
pub(super) const QUERIES: &str =
    "SELECT name, version, query, created_at_ms, retired_at_ms FROM verifier_query
     WHERE tenant_id = :tenant AND retired_at_ms IS NULL AND name > $1 ORDER BY name LIMIT $2";
pub(super) const QUERY_COUNT: &str = "SELECT COUNT(*) FROM verifier_query WHERE tenant_id = :tenant";
pub(super) const QUERY_RETIRE: &str = "UPDATE verifier_query SET retired_at_ms = :now
     WHERE tenant_id = :tenant AND name = $1 AND retired_at_ms IS NULL";
pub(super) const TX_TYPE_PUT: &str =
    "INSERT INTO verifier_tx_type (tenant_id, name, version, fields, created_at_ms, retired_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, NULL) ON CONFLICT (tenant_id, name)
     DO UPDATE SET version = excluded.version, fields = excluded.fields, created_at_ms = excluded.created_at_ms,
     retired_at_ms = NULL WHERE verifier_tx_type.version = excluded.version - 1";
pub(super) const TX_TYPE: &str =
    "SELECT name, version, fields, created_at_ms, retired_at_ms FROM verifier_tx_type
     WHERE tenant_id = :tenant AND name = $1";
pub(super) const TX_TYPES: &str =
    "SELECT name, version, fields, created_at_ms, retired_at_ms FROM verifier_tx_type
     WHERE tenant_id = :tenant AND retired_at_ms IS NULL AND name > $1 ORDER BY name LIMIT $2";
pub(super) const TX_TYPE_COUNT: &str = "SELECT COUNT(*) FROM verifier_tx_type WHERE tenant_id = :tenant";
pub(super) const TX_TYPE_RETIRE: &str = "UPDATE verifier_tx_type SET retired_at_ms = :now
     WHERE tenant_id = :tenant AND name = $1 AND retired_at_ms IS NULL";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A stored query.
    Query,
    /// A type of transaction data.
    TxType,
}

/// A definition under its name.
pub(crate) struct NamedRow {
    pub(crate) name: String,
    pub(crate) version: i64,
    /// JSON.
    pub(crate) definition: String,
    pub(crate) created_at_ms: i64,
    pub(crate) retired: bool,
}

struct Words {
    put: &'static str,
    one: &'static str,
    page: &'static str,
    count: &'static str,
    retire: &'static str,
}

impl Kind {
    const fn words(self) -> Words {
        match self {
            Self::Query => {
                Words { put: QUERY_PUT, one: QUERY, page: QUERIES, count: QUERY_COUNT, retire: QUERY_RETIRE }
            }
            Self::TxType => Words {
                put: TX_TYPE_PUT,
                one: TX_TYPE,
                page: TX_TYPES,
                count: TX_TYPE_COUNT,
                retire: TX_TYPE_RETIRE,
            },
        }
    }
}

/// The definition of that name, a retired one too.
pub(crate) async fn one(
    store: &Store,
    ctx: &Ctx,
    kind: Kind,
    name: &str,
) -> Result<Option<NamedRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(kind.words().one).text(name)).await?;
    row.as_ref().map(named_row).transpose()
}

/// Definitions in use, in order of name.
pub(crate) async fn page(
    store: &Store,
    ctx: &Ctx,
    kind: Kind,
    after: &str,
    limit: usize,
) -> Result<Vec<NamedRow>, StoreFault> {
    let stmt = Stmt::new(kind.words().page).text(after).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(named_row).collect()
}

/// How many names a tenant has ever used.
pub(crate) async fn count(store: &Store, ctx: &Ctx, kind: Kind) -> Result<i64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(kind.words().count)).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// The next version of a definition; touches no row if that version is no longer the next.
pub(crate) fn put(kind: Kind, name: &str, version: i64, definition: &str) -> Stmt {
    Stmt::new(kind.words().put).text(name).int(version).text(definition)
}

pub(crate) fn retire(kind: Kind, name: &str) -> Stmt {
    Stmt::new(kind.words().retire).text(name)
}

fn named_row(row: &Row) -> Result<NamedRow, StoreFault> {
    Ok(NamedRow {
        name: row.text(0)?,
        version: row.int(1)?,
        definition: row.text(2)?,
        created_at_ms: row.int(3)?,
        retired: row.opt_int(4)?.is_some(),
    })
}
