//! How sign-ins ended, newest first and counted: what operators look at.

use super::result::HistoryRow;
use store::{Ctx, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(super) const STATEMENTS: &[&str] = &[NEWEST, COUNTS];

const NEWEST: &str =
    "SELECT signin_id, client_id, outcome, reason, acr, consent_hash, created_at_ms FROM idp_history
     WHERE tenant_id = :tenant AND (created_at_ms < $1 OR (created_at_ms = $1 AND signin_id < $2)) AND ($3 = '' OR outcome = $3)
     ORDER BY created_at_ms DESC, signin_id DESC LIMIT $4";
const COUNTS: &str = "SELECT (created_at_ms - $1) / $2, outcome, COUNT(*) FROM idp_history
     WHERE tenant_id = :tenant AND created_at_ms >= $1 GROUP BY 1, 2 ORDER BY 1, 2";

/// How often sign-ins ended in one way within one step.
pub(crate) struct CountRow {
    pub(crate) step: i64,
    pub(crate) outcome: String,
    pub(crate) count: i64,
}

/// Behind `before`, newest first; `outcome` empty: of every outcome.
pub(crate) async fn newest(
    store: &Store,
    ctx: &Ctx,
    (before, outcome): (&After, &str),
    limit: usize,
) -> Result<Vec<HistoryRow>, StoreFault> {
    let stmt = Stmt::new(NEWEST).int(before.at_ms).text(&before.id).text(outcome).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(super::result::line_of_row).collect()
}

pub(crate) async fn counts(
    store: &Store,
    ctx: &Ctx,
    (from_ms, step_ms): (i64, i64),
    limit: usize,
) -> Result<Vec<CountRow>, StoreFault> {
    let count = |row: &Row| Ok(CountRow { step: row.int(0)?, outcome: row.text(1)?, count: row.int(2)? });
    store
        .read(ctx)
        .many(Stmt::new(COUNTS).int(from_ms).int(step_ms), limit)
        .await?
        .iter()
        .map(count)
        .collect()
}
