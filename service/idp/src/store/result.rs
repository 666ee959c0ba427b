//! How sign-ins ended: results, what lists show of them, and what people agreed to.

use crypto::secret::Secret;
use store::{Ctx, Field, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(super) const STATEMENTS: &[&str] = &[
    PUT,
    ONE,
    OF_CODE,
    SPEND,
    ERASE_CLAIMS,
    FORGET,
    PUT_HISTORY,
    HISTORY,
    HISTORY_OF,
    HISTORY_ONE,
    FORGET_HISTORY,
    PUT_CONSENT,
    CONSENTS,
    ERASE_CONSENT,
    FORGET_CONSENTS,
];

macro_rules! columns {
    () => {
        "sid, t0, outcome, reason, client_id, browser_sha256, request, code_sha256, facts, claims, device, grant_id,
     created_at_ms, code_until_ms, spent_at_ms"
    };
}

const PUT: &str = concat!(
    "INSERT INTO idp_result (tenant_id, ",
    columns!(),
    ") VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, :now, $12, NULL)"
);
const ONE: &str = concat!("SELECT ", columns!(), " FROM idp_result WHERE tenant_id = :tenant AND sid = $1");
const OF_CODE: &str =
    concat!("SELECT ", columns!(), " FROM idp_result WHERE tenant_id = :tenant AND code_sha256 = $1");
const SPEND: &str = "UPDATE idp_result SET spent_at_ms = :now, grant_id = $2, claims = NULL
     WHERE tenant_id = :tenant AND code_sha256 = $1 AND outcome = 'approved' AND spent_at_ms IS NULL AND code_until_ms > :now";
const ERASE_CLAIMS: &str = "UPDATE idp_result SET claims = NULL WHERE tenant_id = :tenant AND claims IS NOT NULL AND code_until_ms <= :now";
const FORGET: &str = "DELETE FROM idp_result WHERE tenant_id = :tenant AND created_at_ms < $1";
const PUT_HISTORY: &str = "INSERT INTO idp_history
     (tenant_id, signin_id, client_id, outcome, reason, acr, consent_hash, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, :now)";
const HISTORY: &str =
    "SELECT signin_id, client_id, outcome, reason, acr, consent_hash, created_at_ms FROM idp_history
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND signin_id > $2))
     ORDER BY created_at_ms, signin_id LIMIT $3";
const HISTORY_OF: &str =
    "SELECT signin_id, client_id, outcome, reason, acr, consent_hash, created_at_ms FROM idp_history
     WHERE tenant_id = :tenant AND consent_hash = $1 LIMIT 1";
const HISTORY_ONE: &str =
    "SELECT signin_id, client_id, outcome, reason, acr, consent_hash, created_at_ms FROM idp_history
     WHERE tenant_id = :tenant AND signin_id = $1";
const FORGET_HISTORY: &str = "DELETE FROM idp_history WHERE tenant_id = :tenant AND created_at_ms < $1";
const PUT_CONSENT: &str =
    "INSERT INTO idp_consent (tenant_id, consent_id, person_id, client_id, evidence, created_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, :now, $5)";
const CONSENTS: &str = "SELECT consent_id, client_id, evidence, created_at_ms FROM idp_consent
     WHERE tenant_id = :tenant AND person_id = $1 ORDER BY created_at_ms DESC, consent_id LIMIT $2";
const ERASE_CONSENT: &str =
    "DELETE FROM idp_consent WHERE tenant_id = :tenant AND consent_id = $1 AND person_id = $2";
const FORGET_CONSENTS: &str = "DELETE FROM idp_consent WHERE tenant_id = :tenant AND expires_at_ms <= :now";

/// A result as it is written.
pub(crate) struct NewResult<'a> {
    pub(crate) sid: [u8; 16],
    pub(crate) t0: [u8; 32],
    pub(crate) outcome: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) browser_sha256: [u8; 32],
    pub(crate) request: &'a [u8],
    pub(crate) code_sha256: Option<[u8; 32]>,
    pub(crate) facts: Option<&'a [u8]>,
    /// Sealed under the code.
    pub(crate) claims: Option<Vec<u8>>,
    pub(crate) device: &'a str,
    pub(crate) code_until_ms: i64,
}

/// A result as it stands, still sealed.
pub(crate) struct ResultRow {
    pub(crate) sid: [u8; 16],
    pub(crate) t0: [u8; 32],
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) browser_sha256: [u8; 32],
    request: Vec<u8>,
    facts: Option<Vec<u8>>,
    pub(crate) claims: Option<Vec<u8>>,
    pub(crate) device: String,
    pub(crate) grant: Option<String>,
    pub(crate) code_until_ms: i64,
    pub(crate) spent_at_ms: Option<i64>,
}

impl ResultRow {
    pub(crate) async fn request(&self, store: &Store, ctx: &Ctx) -> Result<Secret<Vec<u8>>, StoreFault> {
        store.opened(ctx, field("request", &super::signin::name(&self.sid)), &self.request).await
    }

    pub(crate) async fn facts(
        &self,
        store: &Store,
        ctx: &Ctx,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
        match &self.facts {
            Some(sealed) => {
                store.opened(ctx, field("facts", &super::signin::name(&self.sid)), sealed).await.map(Some)
            }
            None => Ok(None),
        }
    }
}

/// One line of the history.
pub(crate) struct HistoryRow {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) acr: Option<String>,
    pub(crate) consent_hash: Option<String>,
    pub(crate) created_at_ms: i64,
}

/// A consent as its person sees it.
pub(crate) struct ConsentRow {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) evidence: Secret<Vec<u8>>,
    pub(crate) created_at_ms: i64,
}

pub(crate) async fn put(store: &Store, ctx: &Ctx, new: &NewResult<'_>) -> Result<Stmt, StoreFault> {
    let row = super::signin::name(&new.sid);
    let facts = match new.facts {
        Some(facts) => Some(store.sealed(ctx, field("facts", &row), facts).await?),
        None => None,
    };
    Ok(Stmt::new(PUT)
        .blob(new.sid)
        .blob(new.t0)
        .text(new.outcome)
        .text(new.reason)
        .text(new.client_id)
        .blob(new.browser_sha256)
        .blob(store.sealed(ctx, field("request", &row), new.request).await?)
        .opt_blob(new.code_sha256)
        .opt_blob(facts)
        .opt_blob(new.claims.clone())
        .text(new.device)
        .int(new.code_until_ms))
}

pub(crate) async fn one(store: &Store, ctx: &Ctx, sid: &[u8; 16]) -> Result<Option<ResultRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).blob(*sid)).await?.as_ref().map(of_row).transpose()
}

/// The result that a code redeems, spent or not.
pub(crate) async fn of_code(
    store: &Store,
    ctx: &Ctx,
    code_sha256: [u8; 32],
) -> Result<Option<ResultRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(OF_CODE).blob(code_sha256)).await?.as_ref().map(of_row).transpose()
}

/// Spends a code once; the claims under it go, the hash stays for ten minutes so that a replay is seen.
pub(crate) fn spend(code_sha256: [u8; 32], grant: &str) -> Stmt {
    Stmt::new(SPEND).blob(code_sha256).text(grant)
}

pub(crate) fn put_history(line: &HistoryRow) -> Stmt {
    Stmt::new(PUT_HISTORY)
        .text(&line.id)
        .text(&line.client_id)
        .text(&line.outcome)
        .text(&line.reason)
        .opt_text(line.acr.as_deref())
        .opt_text(line.consent_hash.as_deref())
}

pub(crate) async fn history(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<HistoryRow>, StoreFault> {
    let stmt = Stmt::new(HISTORY).int(after.at_ms).text(&after.id).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(line_of_row).collect()
}

pub(crate) async fn history_of(
    store: &Store,
    ctx: &Ctx,
    consent_hash: &str,
) -> Result<Option<HistoryRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(HISTORY_OF).text(consent_hash)).await?;
    row.as_ref().map(line_of_row).transpose()
}

pub(crate) async fn history_one(
    store: &Store,
    ctx: &Ctx,
    id: &str,
) -> Result<Option<HistoryRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(HISTORY_ONE).text(id)).await?;
    row.as_ref().map(line_of_row).transpose()
}

pub(crate) async fn put_consent(
    store: &Store,
    ctx: &Ctx,
    (id, person, client_id): (&str, &str, &str),
    evidence: &[u8],
    expires_at_ms: i64,
) -> Result<Stmt, StoreFault> {
    let sealed = store.sealed(ctx, evidence_field(id), evidence).await?;
    Ok(Stmt::new(PUT_CONSENT).text(id).text(person).text(client_id).blob(sealed).int(expires_at_ms))
}

/// What a person agreed to, newest first.
pub(crate) async fn consents(
    store: &Store,
    ctx: &Ctx,
    person: &str,
    limit: usize,
) -> Result<Vec<ConsentRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(CONSENTS).text(person).int(limit as i64), limit).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.text(0)?;
        let evidence = store.opened(ctx, evidence_field(&id), &row.blob(2)?).await?;
        found.push(ConsentRow { client_id: row.text(1)?, evidence, created_at_ms: row.int(3)?, id });
    }
    Ok(found)
}

pub(crate) fn erase_consent(id: &str, person: &str) -> Stmt {
    Stmt::new(ERASE_CONSENT).text(id).text(person)
}

/// What is past its time: claims with their code, results after ten minutes, lines after 90 days, consents at their end.
pub(crate) fn forget(results_before_ms: i64, history_before_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(ERASE_CLAIMS),
        Stmt::new(FORGET).int(results_before_ms),
        Stmt::new(FORGET_HISTORY).int(history_before_ms),
        Stmt::new(FORGET_CONSENTS),
    ]
}

fn field<'a>(column: &'a str, row: &'a str) -> Field<'a> {
    Field { table: "idp_result", column, row }
}

fn evidence_field(id: &str) -> Field<'_> {
    Field { table: "idp_consent", column: "evidence", row: id }
}

fn of_row(row: &Row) -> Result<ResultRow, StoreFault> {
    Ok(ResultRow {
        sid: row.array(0)?,
        t0: row.array(1)?,
        outcome: row.text(2)?,
        reason: row.text(3)?,
        browser_sha256: row.array(5)?,
        request: row.blob(6)?,
        facts: row.opt_blob(8)?,
        claims: row.opt_blob(9)?,
        device: row.text(10)?,
        grant: row.opt_text(11)?,
        code_until_ms: row.int(13)?,
        spent_at_ms: row.opt_int(14)?,
    })
}

pub(super) fn line_of_row(row: &Row) -> Result<HistoryRow, StoreFault> {
    Ok(HistoryRow {
        id: row.text(0)?,
        client_id: row.text(1)?,
        outcome: row.text(2)?,
        reason: row.text(3)?,
        acr: row.opt_text(4)?,
        consent_hash: row.opt_text(5)?,
        created_at_ms: row.int(6)?,
    })
}
