//! All SQL of the room; that of stored queries and types of transactions stands in [`named`].

pub(crate) mod named;

use crypto::secret::Secret;
use openid::vp::State;
use store::{Ctx, Field, Migrations, Row, Stmt, Store, StoreFault};
use tenancy::After;

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "verifier",
    list: &[
        ("0001_verifications.sql", include_str!("migrations/0001_verifications.sql")),
        ("0002_returns.sql", include_str!("migrations/0002_returns.sql")),
    ],
};

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] = &[
    PUT_SESSION,
    SESSION,
    ASKED,
    SPEND_SIGNING,
    PAGE,
    OPEN_PAGE,
    ANSWERED,
    STANDING,
    SPEND_TRY,
    END_SESSION,
    LATE_SESSIONS,
    FORGET_SESSIONS,
    PUT_RESULT,
    RESULT,
    LISTING,
    DUE_CLAIMS,
    ERASE_CLAIMS,
    ERASE_RESULT,
    FORGET_RESULTS,
    PUT_LIST,
    LIST,
    FORGET_LISTS,
    AWAITED,
    AWAITED_AT_PAGE,
    RETURNED,
    SPEND_RETURN,
    NOT_RETURNED,
    LATE_RETURNS,
    named::QUERY_PUT,
    named::QUERY,
    named::QUERIES,
    named::QUERY_COUNT,
    named::QUERY_RETIRE,
    named::TX_TYPE_PUT,
    named::TX_TYPE,
    named::TX_TYPES,
    named::TX_TYPE_COUNT,
    named::TX_TYPE_RETIRE,
];

const PUT_SESSION: &str = "INSERT INTO verifier_session
     (tenant_id, session_id, client_id, query, status_policy, wallet_scheme, result_ttl_s, request_sha256, response_sha256,
      seed, request, response_key, state, tries_left, created_at_ms, expires_at_ms, response_mode, request_method,
      signings_left, return_uri, page_sha256, transactions)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'created', $12, :now, $13, $14, $15, $16, $17, $18, $19)";
const SESSION: &str = "SELECT session_id, client_id, wallet_scheme, seed, created_at_ms, expires_at_ms, request_method,
     return_uri, request FROM verifier_session WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created'";
const ASKED: &str =
    "SELECT session_id, request, client_id, query, request_method, signings_left, expires_at_ms FROM verifier_session
     WHERE tenant_id = :tenant AND request_sha256 = $1 AND state = 'created' AND expires_at_ms > :now
     AND request_method <> 'none'";
const SPEND_SIGNING: &str = "UPDATE verifier_session SET signings_left = signings_left - 1
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created' AND signings_left > 0";
const PAGE: &str =
    "SELECT session_id, client_id, wallet_scheme, seed, created_at_ms, expires_at_ms, request_method,
     return_uri, request FROM verifier_session
     WHERE tenant_id = :tenant AND page_sha256 = $1 AND state = 'created' AND expires_at_ms > :now";
const OPEN_PAGE: &str = "UPDATE verifier_session SET hosted = 1
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created' AND hosted = 0";
const ANSWERED: &str = "SELECT session_id, client_id, query, status_policy, result_ttl_s, seed, response_key,
     tries_left, created_at_ms, expires_at_ms, response_mode, return_uri, page_sha256, hosted, transactions
     FROM verifier_session
     WHERE tenant_id = :tenant AND response_sha256 = $1 AND state = 'created'";
const STANDING: &str = "SELECT tries_left FROM verifier_session
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created'";
const SPEND_TRY: &str = "UPDATE verifier_session SET tries_left = tries_left - 1
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created' AND tries_left = $2";
const END_SESSION: &str =
    "UPDATE verifier_session SET state = $2, seed = NULL, request = NULL, response_key = NULL, transactions = NULL
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'created'";
const LATE_SESSIONS: &str = "SELECT session_id, created_at_ms, expires_at_ms FROM verifier_session
     WHERE tenant_id = :tenant AND state = 'created' AND expires_at_ms <= :now ORDER BY expires_at_ms LIMIT $1";
const FORGET_SESSIONS: &str =
    "DELETE FROM verifier_session WHERE tenant_id = :tenant AND state <> 'created' AND expires_at_ms < $1";
const PUT_RESULT: &str = "INSERT INTO verifier_result
     (tenant_id, session_id, state, wallet_error, failure, report, claims, created_at_ms, expires_at_ms, ended_at_ms,
      erase_at_ms, erased_at_ms, deleted, shown, result_ttl_s, return_sha256, return_tries_left, return_until_ms,
      return_uri, page_sha256)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, :now, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const RESULT: &str = "SELECT session_id, state, wallet_error, failure, report, claims, expires_at_ms, ended_at_ms, erase_at_ms,
     erased_at_ms, deleted, session_binding, return_until_ms FROM verifier_result WHERE tenant_id = :tenant AND session_id = $1";
const LISTING: &str = "SELECT session_id, state, created_at_ms, expires_at_ms FROM verifier_session
     WHERE tenant_id = :tenant AND state = 'created' AND (created_at_ms > $1 OR (created_at_ms = $1 AND session_id > $2))
     UNION ALL SELECT session_id, state, created_at_ms, expires_at_ms FROM verifier_result
     WHERE tenant_id = :tenant AND deleted = 0 AND (created_at_ms > $1 OR (created_at_ms = $1 AND session_id > $2))
     ORDER BY created_at_ms, session_id LIMIT $3";
const DUE_CLAIMS: &str = "SELECT session_id FROM verifier_result
     WHERE tenant_id = :tenant AND erased_at_ms IS NULL AND erase_at_ms <= :now ORDER BY erase_at_ms LIMIT $1";
const ERASE_CLAIMS: &str = "UPDATE verifier_result SET claims = NULL, erased_at_ms = :now
     WHERE tenant_id = :tenant AND session_id = $1 AND claims IS NOT NULL";
const ERASE_RESULT: &str = "UPDATE verifier_result
     SET claims = NULL, report = NULL, failure = NULL, wallet_error = NULL, erased_at_ms = :now, deleted = 1,
     return_sha256 = NULL, return_uri = NULL, page_sha256 = NULL
     WHERE tenant_id = :tenant AND session_id = $1 AND deleted = 0";
const FORGET_RESULTS: &str = "DELETE FROM verifier_result WHERE tenant_id = :tenant AND created_at_ms < $1";
const PUT_LIST: &str = "INSERT INTO verifier_status_cache (tenant_id, uri, token, fetched_at_ms) VALUES (:tenant, $1, $2, :now)
     ON CONFLICT (tenant_id, uri) DO UPDATE SET token = excluded.token, fetched_at_ms = excluded.fetched_at_ms";
const LIST: &str =
    "SELECT token, fetched_at_ms FROM verifier_status_cache WHERE tenant_id = :tenant AND uri = $1";
const FORGET_LISTS: &str =
    "DELETE FROM verifier_status_cache WHERE tenant_id = :tenant AND fetched_at_ms < $1";

const AWAITED: &str = "SELECT session_id, report, shown, result_ttl_s, return_sha256, return_tries_left, return_until_ms, return_uri
     FROM verifier_result
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'awaiting_return' AND deleted = 0";
const AWAITED_AT_PAGE: &str =
    "SELECT session_id, report, shown, result_ttl_s, return_sha256, return_tries_left, return_until_ms,
     return_uri FROM verifier_result
     WHERE tenant_id = :tenant AND page_sha256 = $1 AND state = 'awaiting_return' AND deleted = 0";
const RETURNED: &str =
    "UPDATE verifier_result SET state = 'verified', session_binding = $3, report = $4, erase_at_ms = $5, ended_at_ms = :now,
     return_sha256 = NULL, return_uri = NULL, page_sha256 = NULL
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'awaiting_return' AND deleted = 0 AND return_sha256 = $2
     AND return_until_ms > :now";
const SPEND_RETURN: &str = "UPDATE verifier_result SET return_tries_left = return_tries_left - 1
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'awaiting_return' AND deleted = 0 AND return_tries_left = $2";
const NOT_RETURNED: &str =
    "UPDATE verifier_result SET state = 'rejected', claims = NULL, report = $2, failure = $3, ended_at_ms = :now,
     return_sha256 = NULL, return_uri = NULL, page_sha256 = NULL
     WHERE tenant_id = :tenant AND session_id = $1 AND state = 'awaiting_return' AND deleted = 0";
const LATE_RETURNS: &str =
    "SELECT session_id, report, shown, result_ttl_s, return_sha256, return_tries_left, return_until_ms, return_uri
     FROM verifier_result WHERE tenant_id = :tenant AND state = 'awaiting_return' AND deleted = 0
     AND return_until_ms <= :now ORDER BY return_until_ms LIMIT $1";

/// What a session keeps sealed while it waits.
pub(crate) struct NewSession<'a> {
    pub(crate) id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) query: &'a str,
    pub(crate) status_policy: &'a str,
    pub(crate) wallet_scheme: &'a str,
    pub(crate) result_ttl_s: i64,
    pub(crate) request_sha256: [u8; 32],
    pub(crate) response_sha256: [u8; 32],
    pub(crate) seed: &'a [u8],
    pub(crate) request: &'a [u8],
    /// None where the answer comes in the clear.
    pub(crate) response_key: Option<&'a [u8]>,
    pub(crate) tries_left: u8,
    pub(crate) expires_at_ms: i64,
    pub(crate) response_mode: &'a str,
    /// `get`, `post`; `none` where the link holds the request itself.
    pub(crate) request_method: &'a str,
    pub(crate) signings_left: i64,
    pub(crate) return_uri: Option<&'a str>,
    pub(crate) page_sha256: Option<[u8; 32]>,
    /// Transaction data as it was sent, a JSON list of strings.
    pub(crate) transactions: Option<&'a [u8]>,
}

/// A session that waits, as its maker sees it.
pub(crate) struct OpenRow {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) wallet_scheme: String,
    pub(crate) expires_at_ms: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) request_method: String,
    pub(crate) return_uri: Option<String>,
    seed: Vec<u8>,
    request: Vec<u8>,
}

/// A session that waits, as whoever fetches its request sees it.
pub(crate) struct FetchedRow {
    pub(crate) id: String,
    pub(crate) request: Secret<Vec<u8>>,
    pub(crate) client_id: String,
    pub(crate) query: String,
    pub(crate) request_method: String,
    pub(crate) expires_at_ms: i64,
}

/// A session that waits, as its answer is measured by it.
pub(crate) struct AskedRow {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) query: String,
    pub(crate) status_policy: String,
    pub(crate) result_ttl_s: i64,
    pub(crate) tries_left: u8,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
    pub(crate) response_mode: String,
    pub(crate) return_uri: Option<String>,
    pub(crate) page_sha256: Option<Vec<u8>>,
    /// The page of ours was opened, so the browser comes back to it.
    pub(crate) hosted: bool,
    seed: Vec<u8>,
    response_key: Option<Vec<u8>>,
    transactions: Option<Vec<u8>>,
}

/// What only the session's own doors open.
pub(crate) struct OpenedRow {
    pub(crate) seed: Secret<[u8; 32]>,
    pub(crate) response_key: Option<Secret<Vec<u8>>>,
    pub(crate) transactions: Option<Secret<Vec<u8>>>,
}

impl AskedRow {
    /// The same session when its time is over.
    pub(crate) fn late(&self) -> LateRow {
        LateRow { id: self.id.clone(), created_at_ms: self.created_at_ms, expires_at_ms: self.expires_at_ms }
    }
}

/// A session that is over and does not know it.
pub(crate) struct LateRow {
    pub(crate) id: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

/// How a session ended, as it is written.
pub(crate) struct NewResult<'a> {
    pub(crate) id: &'a str,
    pub(crate) state: &'a str,
    pub(crate) wallet_error: Option<&'a str>,
    pub(crate) failure: Option<&'a str>,
    pub(crate) report: Option<&'a str>,
    pub(crate) claims: Option<&'a [u8]>,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
    pub(crate) erase_at_ms: Option<i64>,
    /// When it was deleted, if that is how it ended.
    pub(crate) deleted_at_ms: Option<i64>,
    /// How many credentials were shown.
    pub(crate) shown: i64,
    pub(crate) result_ttl_s: i64,
    /// The browser that began is awaited.
    pub(crate) awaited: Option<NewReturn>,
}

/// How a browser comes back, as it is written.
pub(crate) struct NewReturn {
    pub(crate) code_sha256: [u8; 32],
    pub(crate) tries_left: u8,
    pub(crate) until_ms: i64,
    pub(crate) return_uri: String,
    /// Where it comes back to a page of ours.
    pub(crate) page_sha256: Option<Vec<u8>>,
}

/// A result that waits for its browser.
pub(crate) struct AwaitedRow {
    pub(crate) id: String,
    pub(crate) report: String,
    pub(crate) shown: u64,
    pub(crate) result_ttl_s: i64,
    pub(crate) code_sha256: Vec<u8>,
    pub(crate) tries_left: u8,
    pub(crate) until_ms: i64,
    pub(crate) return_uri: String,
}

impl<'a> NewResult<'a> {
    /// A result that holds nothing yet.
    pub(crate) fn of(id: &'a str, state: State) -> Self {
        Self {
            id,
            state: state.as_str(),
            wallet_error: None,
            failure: None,
            report: None,
            claims: None,
            created_at_ms: 0,
            expires_at_ms: 0,
            erase_at_ms: None,
            deleted_at_ms: None,
            shown: 0,
            result_ttl_s: 0,
            awaited: None,
        }
    }
}

/// How a session ended.
pub(crate) struct ResultRow {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) wallet_error: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) report: Option<String>,
    claims: Option<Vec<u8>>,
    pub(crate) expires_at_ms: i64,
    pub(crate) ended_at_ms: i64,
    pub(crate) erase_at_ms: Option<i64>,
    pub(crate) erased_at_ms: Option<i64>,
    pub(crate) deleted: bool,
    pub(crate) session_binding: String,
    pub(crate) return_until_ms: Option<i64>,
}

/// One row of the list.
pub(crate) struct ListingRow {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

/// A status list as it was fetched.
pub(crate) struct ListRow {
    pub(crate) token: String,
    pub(crate) fetched_at_ms: i64,
}

pub(crate) async fn put_session(store: &Store, ctx: &Ctx, new: &NewSession<'_>) -> Result<Stmt, StoreFault> {
    Ok(Stmt::new(PUT_SESSION)
        .text(new.id)
        .text(new.client_id)
        .text(new.query)
        .text(new.status_policy)
        .text(new.wallet_scheme)
        .int(new.result_ttl_s)
        .blob(new.request_sha256)
        .blob(new.response_sha256)
        .blob(store.sealed(ctx, session_field("seed", new.id), new.seed).await?)
        .blob(store.sealed(ctx, session_field("request", new.id), new.request).await?)
        .opt_blob(sealed(store, ctx, session_field("response_key", new.id), new.response_key).await?)
        .int(i64::from(new.tries_left))
        .int(new.expires_at_ms)
        .text(new.response_mode)
        .text(new.request_method)
        .int(new.signings_left)
        .opt_text(new.return_uri)
        .opt_blob(new.page_sha256)
        .opt_blob(sealed(store, ctx, session_field("transactions", new.id), new.transactions).await?))
}

/// Seals what is there.
async fn sealed(
    store: &Store,
    ctx: &Ctx,
    field: Field<'_>,
    plain: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, StoreFault> {
    match plain {
        Some(plain) => store.sealed(ctx, field, plain).await.map(Some),
        None => Ok(None),
    }
}

/// The session if it still waits, whatever the time.
pub(crate) async fn open(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<OpenRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(SESSION).text(id)).await?;
    row.as_ref().map(open_row).transpose()
}

/// The session behind the secret of its page, while it waits.
pub(crate) async fn at_page(
    store: &Store,
    ctx: &Ctx,
    page_sha256: [u8; 32],
) -> Result<Option<OpenRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(PAGE).blob(page_sha256)).await?;
    row.as_ref().map(open_row).transpose()
}

fn open_row(row: &Row) -> Result<OpenRow, StoreFault> {
    Ok(OpenRow {
        id: row.text(0)?,
        client_id: row.text(1)?,
        wallet_scheme: row.text(2)?,
        seed: row.blob(3)?,
        created_at_ms: row.int(4)?,
        expires_at_ms: row.int(5)?,
        request_method: row.text(6)?,
        return_uri: row.opt_text(7)?,
        request: row.blob(8)?,
    })
}

/// Notes that the page of a session was opened.
pub(crate) fn open_page(id: &str) -> Stmt {
    Stmt::new(OPEN_PAGE).text(id)
}

/// The signed request behind the secret of its path, while the session waits.
pub(crate) async fn fetched(
    store: &Store,
    ctx: &Ctx,
    request_sha256: [u8; 32],
) -> Result<Option<FetchedRow>, StoreFault> {
    let Some(row) = store.read(ctx).one(Stmt::new(ASKED).blob(request_sha256)).await? else {
        return Ok(None);
    };
    let (id, sealed) = (row.text(0)?, row.blob(1)?);
    Ok(Some(FetchedRow {
        request: store.opened(ctx, session_field("request", &id), &sealed).await?,
        client_id: row.text(2)?,
        query: row.text(3)?,
        request_method: row.text(4)?,
        expires_at_ms: row.int(6)?,
        id,
    }))
}

/// Takes one of the signings that a session bears.
pub(crate) fn spend_signing(id: &str) -> Stmt {
    Stmt::new(SPEND_SIGNING).text(id)
}

/// The session behind the secret of its response path, if it still waits, whatever the time.
pub(crate) async fn asked(
    store: &Store,
    ctx: &Ctx,
    response_sha256: [u8; 32],
) -> Result<Option<AskedRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(ANSWERED).blob(response_sha256)).await?;
    row.map(|row| {
        Ok(AskedRow {
            id: row.text(0)?,
            client_id: row.text(1)?,
            query: row.text(2)?,
            status_policy: row.text(3)?,
            result_ttl_s: row.int(4)?,
            seed: row.blob(5)?,
            response_key: row.opt_blob(6)?,
            tries_left: tries(row.int(7)?),
            created_at_ms: row.int(8)?,
            expires_at_ms: row.int(9)?,
            response_mode: row.text(10)?,
            return_uri: row.opt_text(11)?,
            page_sha256: row.opt_blob(12)?,
            hosted: row.bool(13)?,
            transactions: row.opt_blob(14)?,
        })
    })
    .transpose()
}

/// The seed of a session, its private response key and its transaction data.
pub(crate) async fn opened(store: &Store, ctx: &Ctx, row: &AskedRow) -> Result<OpenedRow, StoreFault> {
    let open = async |column, sealed: &Option<Vec<u8>>| match sealed {
        Some(sealed) => store.opened(ctx, session_field(column, &row.id), sealed).await.map(Some),
        None => Ok(None),
    };
    Ok(OpenedRow {
        seed: opened_seed(store, ctx, &row.id, &row.seed).await?,
        response_key: open("response_key", &row.response_key).await?,
        transactions: open("transactions", &row.transactions).await?,
    })
}

/// The request of a session that waits: signed, or a link that holds it.
pub(crate) async fn request(store: &Store, ctx: &Ctx, row: &OpenRow) -> Result<Secret<Vec<u8>>, StoreFault> {
    store.opened(ctx, session_field("request", &row.id), &row.request).await
}

pub(crate) async fn seed(store: &Store, ctx: &Ctx, row: &OpenRow) -> Result<Secret<[u8; 32]>, StoreFault> {
    opened_seed(store, ctx, &row.id, &row.seed).await
}

/// Unreadable answers that the session still bears; none when it is over.
pub(crate) async fn tries_left(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<u8>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(STANDING).text(id)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.map(tries))
}

pub(crate) fn spend_try(id: &str, tries_left: u8) -> Stmt {
    Stmt::new(SPEND_TRY).text(id).int(i64::from(tries_left))
}

/// Ends a session once; everything secret of it goes.
pub(crate) fn end_session(id: &str, state: &str) -> Stmt {
    Stmt::new(END_SESSION).text(id).text(state)
}

pub(crate) async fn late(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<LateRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(LATE_SESSIONS).int(limit as i64), limit).await?;
    let late =
        |row: &Row| Ok(LateRow { id: row.text(0)?, created_at_ms: row.int(1)?, expires_at_ms: row.int(2)? });
    rows.iter().map(late).collect()
}

pub(crate) async fn put_result(store: &Store, ctx: &Ctx, new: &NewResult<'_>) -> Result<Stmt, StoreFault> {
    let claims = sealed(store, ctx, claims_field(new.id), new.claims).await?;
    let awaited = new.awaited.as_ref();
    Ok(Stmt::new(PUT_RESULT)
        .text(new.id)
        .text(new.state)
        .opt_text(new.wallet_error)
        .opt_text(new.failure)
        .opt_text(new.report)
        .opt_blob(claims)
        .int(new.created_at_ms)
        .int(new.expires_at_ms)
        .opt_int(new.erase_at_ms)
        .opt_int(new.deleted_at_ms)
        .bool(new.deleted_at_ms.is_some())
        .int(new.shown)
        .int(new.result_ttl_s)
        .opt_blob(awaited.map(|it| it.code_sha256))
        .int(awaited.map_or(0, |it| i64::from(it.tries_left)))
        .opt_int(awaited.map(|it| it.until_ms))
        .opt_text(awaited.map(|it| it.return_uri.as_str()))
        .opt_blob(awaited.and_then(|it| it.page_sha256.clone())))
}

/// The result that waits for its browser, whatever the time.
pub(crate) async fn awaited(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<AwaitedRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(AWAITED).text(id)).await?;
    row.as_ref().map(awaited_row).transpose()
}

/// The result that waits for its browser at the page of this secret.
pub(crate) async fn awaited_at_page(
    store: &Store,
    ctx: &Ctx,
    page_sha256: [u8; 32],
) -> Result<Option<AwaitedRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(AWAITED_AT_PAGE).blob(page_sha256)).await?;
    row.as_ref().map(awaited_row).transpose()
}

/// Results whose browser is late.
pub(crate) async fn late_returns(
    store: &Store,
    ctx: &Ctx,
    limit: usize,
) -> Result<Vec<AwaitedRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(LATE_RETURNS).int(limit as i64), limit).await?;
    rows.iter().map(awaited_row).collect()
}

fn awaited_row(row: &Row) -> Result<AwaitedRow, StoreFault> {
    Ok(AwaitedRow {
        id: row.text(0)?,
        report: row.text(1)?,
        shown: row.int(2)?.cast_unsigned(),
        result_ttl_s: row.int(3)?,
        code_sha256: row.blob(4)?,
        tries_left: tries(row.int(5)?),
        until_ms: row.int(6)?,
        return_uri: row.text(7)?,
    })
}

/// Releases a result, once, to whoever brings its code in time.
pub(crate) fn returned(row: &AwaitedRow, binding: &str, report: &str, erase_at_ms: i64) -> Stmt {
    let code_sha256 = row.code_sha256.as_slice();
    Stmt::new(RETURNED).text(&row.id).blob(code_sha256).text(binding).text(report).int(erase_at_ms)
}

pub(crate) fn spend_return(id: &str, tries_left: u8) -> Stmt {
    Stmt::new(SPEND_RETURN).text(id).int(i64::from(tries_left))
}

/// Ends a result whose browser did not come back; what was shown goes.
pub(crate) fn not_returned(id: &str, report: &str, failure: &str) -> Stmt {
    Stmt::new(NOT_RETURNED).text(id).text(report).text(failure)
}

pub(crate) async fn result(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<ResultRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(RESULT).text(id)).await?;
    row.map(|row| {
        Ok(ResultRow {
            id: row.text(0)?,
            state: row.text(1)?,
            wallet_error: row.opt_text(2)?,
            failure: row.opt_text(3)?,
            report: row.opt_text(4)?,
            claims: row.opt_blob(5)?,
            expires_at_ms: row.int(6)?,
            ended_at_ms: row.int(7)?,
            erase_at_ms: row.opt_int(8)?,
            erased_at_ms: row.opt_int(9)?,
            deleted: row.bool(10)?,
            session_binding: row.text(11)?,
            return_until_ms: row.opt_int(12)?,
        })
    })
    .transpose()
}

/// The claims of a result, while they are kept.
pub(crate) async fn claims(
    store: &Store,
    ctx: &Ctx,
    row: &ResultRow,
) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
    match &row.claims {
        Some(sealed) => store.opened(ctx, claims_field(&row.id), sealed).await.map(Some),
        None => Ok(None),
    }
}

pub(crate) async fn listing(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<ListingRow>, StoreFault> {
    let stmt = Stmt::new(LISTING).int(after.at_ms).text(&after.id).int(limit as i64);
    let item = |row: &Row| {
        Ok(ListingRow {
            id: row.text(0)?,
            state: row.text(1)?,
            created_at_ms: row.int(2)?,
            expires_at_ms: row.int(3)?,
        })
    };
    store.read(ctx).many(stmt, limit).await?.iter().map(item).collect()
}

/// Sessions whose claims are past their time.
pub(crate) async fn due_claims(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<String>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(DUE_CLAIMS).int(limit as i64), limit).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

pub(crate) fn erase_claims(id: &str) -> Stmt {
    Stmt::new(ERASE_CLAIMS).text(id)
}

pub(crate) fn erase_result(id: &str) -> Stmt {
    Stmt::new(ERASE_RESULT).text(id)
}

/// What is past its time: sessions a day after their end, results after 90 days, lists that nobody asked for in a day.
pub(crate) fn forget(day_ago_ms: i64, results_before_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(FORGET_SESSIONS).int(day_ago_ms),
        Stmt::new(FORGET_RESULTS).int(results_before_ms),
        Stmt::new(FORGET_LISTS).int(day_ago_ms),
    ]
}

pub(crate) fn put_list(uri: &str, token: &str) -> Stmt {
    Stmt::new(PUT_LIST).text(uri).text(token)
}

pub(crate) async fn list(store: &Store, ctx: &Ctx, uri: &str) -> Result<Option<ListRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(LIST).text(uri)).await?;
    row.map(|row| Ok(ListRow { token: row.text(0)?, fetched_at_ms: row.int(1)? })).transpose()
}

/// A session that waits bears at least one more.
fn tries(stored: i64) -> u8 {
    u8::try_from(stored).unwrap_or(1).max(1)
}

async fn opened_seed(
    store: &Store,
    ctx: &Ctx,
    id: &str,
    sealed: &[u8],
) -> Result<Secret<[u8; 32]>, StoreFault> {
    let seed = store.opened(ctx, session_field("seed", id), sealed).await?;
    let bytes = <[u8; 32]>::try_from(seed.expose().as_slice());
    bytes.map(Secret::new).map_err(|_| StoreFault::Sealed { place: "verifier_session.seed".into() })
}

fn session_field<'a>(column: &'static str, row: &'a str) -> Field<'a> {
    Field { table: "verifier_session", column, row }
}

fn claims_field(row: &str) -> Field<'_> {
    Field { table: "verifier_result", column: "claims", row }
}
