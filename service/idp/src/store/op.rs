//! Rows of the OpenID Provider: pushed requests, grants, claims of tokens, refresh tokens.

use crypto::secret::Secret;
use store::{Ctx, Field, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] = &[
    PUSH,
    PUSHED,
    OPEN_PUSHED,
    FORGET_PUSHED,
    PUT_GRANT,
    GRANT,
    END_GRANT,
    END_OF_ENROLMENT,
    FORGET_GRANTS,
    PUT_CLAIMS,
    CLAIMS,
    FORGET_CLAIMS,
    DROP_CLAIMS,
    PUT_REFRESH,
    REFRESH,
    TOUCH_REFRESH,
    SPEND_REFRESH,
    END_REFRESH,
    FORGET_REFRESH,
    PUT_JTI,
];

const PUSH: &str = "INSERT INTO idp_pushed (tenant_id, uri_sha256, client_id, request, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4)";
const PUSHED: &str = "SELECT client_id, request, expires_at_ms FROM idp_pushed
     WHERE tenant_id = :tenant AND uri_sha256 = $1 AND expires_at_ms > :now";
const OPEN_PUSHED: &str =
    "DELETE FROM idp_pushed WHERE tenant_id = :tenant AND uri_sha256 = $1 AND expires_at_ms > :now";
const FORGET_PUSHED: &str = "DELETE FROM idp_pushed WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const PUT_GRANT: &str = "INSERT INTO idp_grant
     (tenant_id, grant_id, client_id, person_id, enrolment_id, facts, scopes, acr, jkt, created_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, :now, $9)";
const GRANT: &str = "SELECT grant_id, client_id, facts, scopes, acr, jkt, ended_at_ms, expires_at_ms
     FROM idp_grant WHERE tenant_id = :tenant AND grant_id = $1";
const END_GRANT: &str = "UPDATE idp_grant SET ended_at_ms = :now WHERE tenant_id = :tenant AND grant_id = $1 AND ended_at_ms IS NULL";
const END_OF_ENROLMENT: &str = "UPDATE idp_grant SET ended_at_ms = :now WHERE tenant_id = :tenant AND enrolment_id = $1 AND ended_at_ms IS NULL";
const FORGET_GRANTS: &str = "DELETE FROM idp_grant WHERE tenant_id = :tenant AND expires_at_ms <= $1";
const PUT_CLAIMS: &str =
    "INSERT INTO idp_token_claims (tenant_id, token_sha256, grant_id, claims, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4)";
const CLAIMS: &str = "SELECT claims FROM idp_token_claims
     WHERE tenant_id = :tenant AND token_sha256 = $1 AND expires_at_ms > :now";
const FORGET_CLAIMS: &str =
    "DELETE FROM idp_token_claims WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const DROP_CLAIMS: &str = "DELETE FROM idp_token_claims WHERE tenant_id = :tenant AND grant_id = $1";
const PUT_REFRESH: &str = "INSERT INTO idp_refresh
     (tenant_id, token_sha256, grant_id, claims, used_at_ms, created_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, :now, $4)";
const REFRESH: &str = "SELECT grant_id, claims, spent_at_ms, used_at_ms, expires_at_ms FROM idp_refresh
     WHERE tenant_id = :tenant AND token_sha256 = $1";
const TOUCH_REFRESH: &str = "UPDATE idp_refresh SET used_at_ms = :now
     WHERE tenant_id = :tenant AND token_sha256 = $1 AND spent_at_ms IS NULL";
const SPEND_REFRESH: &str = "UPDATE idp_refresh SET spent_at_ms = :now, claims = NULL
     WHERE tenant_id = :tenant AND token_sha256 = $1 AND spent_at_ms IS NULL";
const END_REFRESH: &str = "DELETE FROM idp_refresh WHERE tenant_id = :tenant AND grant_id = $1";
const FORGET_REFRESH: &str = "DELETE FROM idp_refresh WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const PUT_JTI: &str = "INSERT INTO idp_jti (tenant_id, jti_sha256, expires_at_ms) VALUES (:tenant, $1, $2)
     ON CONFLICT DO NOTHING";

/// A request that waits for its browser.
pub(crate) struct PushedRow {
    pub(crate) client_id: String,
    request: Vec<u8>,
}

/// A grant as it is written.
pub(crate) struct NewGrant<'a> {
    pub(crate) id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) person: &'a str,
    pub(crate) enrolment: Option<&'a str>,
    pub(crate) facts: &'a [u8],
    pub(crate) scopes: &'a str,
    pub(crate) acr: &'a str,
    pub(crate) jkt: Option<&'a str>,
    pub(crate) expires_at_ms: i64,
}

/// A grant as it stands.
pub(crate) struct GrantRow {
    pub(crate) id: String,
    pub(crate) client_id: String,
    facts: Vec<u8>,
    pub(crate) scopes: String,
    pub(crate) acr: String,
    pub(crate) jkt: Option<String>,
    pub(crate) ended_at_ms: Option<i64>,
    pub(crate) expires_at_ms: i64,
}

/// A refresh token as it stands.
pub(crate) struct RefreshRow {
    pub(crate) grant_id: String,
    pub(crate) claims: Option<Vec<u8>>,
    pub(crate) spent_at_ms: Option<i64>,
    pub(crate) used_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

fn pushed_field(row: &str) -> Field<'_> {
    Field { table: "idp_pushed", column: "request", row }
}

fn grant_field(row: &str) -> Field<'_> {
    Field { table: "idp_grant", column: "facts", row }
}

pub(crate) async fn push(
    store: &Store,
    ctx: &Ctx,
    (uri_sha256, client_id): ([u8; 32], &str),
    request: &[u8],
    expires_at_ms: i64,
) -> Result<Stmt, StoreFault> {
    let row = crypto::hex::encode(&uri_sha256);
    let sealed = store.sealed(ctx, pushed_field(&row), request).await?;
    Ok(Stmt::new(PUSH).blob(uri_sha256).text(client_id).blob(sealed).int(expires_at_ms))
}

/// The request behind a `request_uri` that nobody has opened.
pub(crate) async fn pushed(
    store: &Store,
    ctx: &Ctx,
    uri_sha256: [u8; 32],
) -> Result<Option<PushedRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(PUSHED).blob(uri_sha256)).await?;
    row.map(|row| Ok(PushedRow { client_id: row.text(0)?, request: row.blob(1)? })).transpose()
}

pub(crate) async fn pushed_request(
    store: &Store,
    ctx: &Ctx,
    uri_sha256: [u8; 32],
    row: &PushedRow,
) -> Result<Secret<Vec<u8>>, StoreFault> {
    store.opened(ctx, pushed_field(&crypto::hex::encode(&uri_sha256)), &row.request).await
}

/// Spends a pushed request once.
pub(crate) fn open_pushed(uri_sha256: [u8; 32]) -> Stmt {
    Stmt::new(OPEN_PUSHED).blob(uri_sha256)
}

pub(crate) async fn put_grant(store: &Store, ctx: &Ctx, new: &NewGrant<'_>) -> Result<Stmt, StoreFault> {
    Ok(Stmt::new(PUT_GRANT)
        .text(new.id)
        .text(new.client_id)
        .text(new.person)
        .opt_text(new.enrolment)
        .blob(store.sealed(ctx, grant_field(new.id), new.facts).await?)
        .text(new.scopes)
        .text(new.acr)
        .opt_text(new.jkt)
        .int(new.expires_at_ms))
}

pub(crate) async fn grant(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<GrantRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(GRANT).text(id)).await?.as_ref().map(grant_of).transpose()
}

pub(crate) async fn grant_facts(
    store: &Store,
    ctx: &Ctx,
    row: &GrantRow,
) -> Result<Secret<Vec<u8>>, StoreFault> {
    store.opened(ctx, grant_field(&row.id), &row.facts).await
}

fn grant_of(row: &Row) -> Result<GrantRow, StoreFault> {
    Ok(GrantRow {
        id: row.text(0)?,
        client_id: row.text(1)?,
        facts: row.blob(2)?,
        scopes: row.text(3)?,
        acr: row.text(4)?,
        jkt: row.opt_text(5)?,
        ended_at_ms: row.opt_int(6)?,
        expires_at_ms: row.int(7)?,
    })
}

/// Ends a grant: the guard that decides between two who would.
pub(crate) fn end_grant(id: &str) -> Stmt {
    Stmt::new(END_GRANT).text(id)
}

/// What goes with a grant that ends: nothing that its tokens open stays.
pub(crate) fn after_end(id: &str) -> [Stmt; 2] {
    [Stmt::new(DROP_CLAIMS).text(id), Stmt::new(END_REFRESH).text(id)]
}

/// Ends every grant that a device signed for.
pub(crate) fn end_of_enrolment(enrolment: &str) -> Stmt {
    Stmt::new(END_OF_ENROLMENT).text(enrolment)
}

pub(crate) fn put_claims(token_sha256: [u8; 32], grant: &str, claims: Vec<u8>, expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_CLAIMS).blob(token_sha256).text(grant).blob(claims).int(expires_at_ms)
}

pub(crate) async fn claims(
    store: &Store,
    ctx: &Ctx,
    token_sha256: [u8; 32],
) -> Result<Option<Vec<u8>>, StoreFault> {
    store.read(ctx).one(Stmt::new(CLAIMS).blob(token_sha256)).await?.map(|row| row.blob(0)).transpose()
}

pub(crate) fn put_refresh(
    token_sha256: [u8; 32],
    grant: &str,
    claims: Option<Vec<u8>>,
    expires_at_ms: i64,
) -> Stmt {
    Stmt::new(PUT_REFRESH).blob(token_sha256).text(grant).opt_blob(claims).int(expires_at_ms)
}

pub(crate) async fn refresh(
    store: &Store,
    ctx: &Ctx,
    token_sha256: [u8; 32],
) -> Result<Option<RefreshRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(REFRESH).blob(token_sha256)).await?;
    row.map(|row| {
        Ok(RefreshRow {
            grant_id: row.text(0)?,
            claims: row.opt_blob(1)?,
            spent_at_ms: row.opt_int(2)?,
            used_at_ms: row.int(3)?,
            expires_at_ms: row.int(4)?,
        })
    })
    .transpose()
}

/// Notes the use of a refresh token that stays.
pub(crate) fn touch_refresh(token_sha256: [u8; 32]) -> Stmt {
    Stmt::new(TOUCH_REFRESH).blob(token_sha256)
}

/// Rotates a refresh token away, once.
pub(crate) fn spend_refresh(token_sha256: [u8; 32]) -> Stmt {
    Stmt::new(SPEND_REFRESH).blob(token_sha256)
}

/// Spends a token id, once; as a guard it tells a replay.
pub(crate) fn put_jti(jti_sha256: [u8; 32], expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_JTI).blob(jti_sha256).int(expires_at_ms)
}

/// What is past its time. Grants stay a while longer, so that a replay finds the one that it ends.
pub(crate) fn forget(grants_before_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(FORGET_PUSHED),
        Stmt::new(FORGET_CLAIMS),
        Stmt::new(FORGET_REFRESH),
        Stmt::new(FORGET_GRANTS).int(grants_before_ms),
    ]
}
