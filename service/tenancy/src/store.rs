//! All SQL of the room.

pub(crate) mod passkey;

use crate::operator::{Operator, SessionRow};
use crate::role::{Role, Roles};
use crate::service_account::{AccountRow, ServiceAccount};
use crate::tenant::{Tenant, TenantState};
use crate::{After, PAGE_MAX};
use crypto::secret::Secret;
use jiff::Timestamp;
use store::{Ctx, Field, Migrations, Row, Stmt, Store, StoreFault, TenantId};

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "tenancy",
    list: &[
        ("0001_parties.sql", include_str!("migrations/0001_parties.sql")),
        ("0002_passkeys.sql", include_str!("migrations/0002_passkeys.sql")),
    ],
};

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] = &[
    PUT_TENANT,
    TENANT_BY_ID,
    TENANT_BY_NAME,
    TENANTS,
    CHANGE_TENANT,
    PUT_OPERATOR,
    OPERATOR,
    OPERATORS,
    OWNERS_WITH_A_WAY_IN,
    FIRST_OWNER,
    REVOKE_OPERATOR,
    END_SESSIONS,
    END_LINKS,
    PUT_LINK,
    LINK,
    SPEND_LINK,
    PUT_SESSION,
    SESSION,
    SEE_SESSION,
    CLOSE_SESSION,
    PUT_ACCOUNT,
    ACCOUNT,
    ACCOUNT_ANYWHERE,
    ACCOUNTS,
    REKEY_ACCOUNT,
    REVOKE_ACCOUNT,
    SPEND_ASSERTION,
    EXPIRE_LINKS,
    EXPIRE_SESSIONS,
    EXPIRE_ASSERTIONS,
    EXPIRE_ACCOUNTS,
    passkey::PUT,
    passkey::OF_CREDENTIAL,
    passkey::OF_OPERATOR,
    passkey::COUNT,
    passkey::USE,
    passkey::REMOVE,
    passkey::END,
    passkey::PUT_CHALLENGE,
    passkey::CHALLENGES_COUNT,
    passkey::SPEND_CHALLENGE,
    passkey::EXPIRE_CHALLENGES,
];

const PUT_TENANT: &str =
    "INSERT INTO tenancy_tenant (tenant_id, name, title, state, created_at_ms, changed_at_ms)
     VALUES ($1, $2, $3, 'active', :now, :now) ON CONFLICT DO NOTHING";
const TENANT_BY_ID: &str =
    "SELECT tenant_id, name, title, state, created_at_ms FROM tenancy_tenant WHERE tenant_id = $1";
const TENANT_BY_NAME: &str =
    "SELECT tenant_id, name, title, state, created_at_ms FROM tenancy_tenant WHERE name = $1";
const TENANTS: &str = "SELECT tenant_id, name, title, state, created_at_ms FROM tenancy_tenant
     WHERE created_at_ms > $1 OR (created_at_ms = $1 AND tenant_id > $2) ORDER BY created_at_ms, tenant_id LIMIT $3";
const CHANGE_TENANT: &str =
    "UPDATE tenancy_tenant SET state = $3, changed_at_ms = :now WHERE tenant_id = $1 AND state = $2";

const PUT_OPERATOR: &str =
    "INSERT INTO tenancy_operator (tenant_id, operator_id, name, role, created_at_ms, revoked_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, NULL) ON CONFLICT DO NOTHING";
const OPERATOR: &str = "SELECT operator_id, name, role, created_at_ms, revoked_at_ms FROM tenancy_operator
     WHERE tenant_id = :tenant AND operator_id = $1";
const OPERATORS: &str = "SELECT operator_id, name, role, created_at_ms, revoked_at_ms FROM tenancy_operator
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND operator_id > $2))
     ORDER BY created_at_ms, operator_id LIMIT $3";
const OWNERS_WITH_A_WAY_IN: &str = "SELECT COUNT(*) FROM tenancy_operator o
     WHERE o.tenant_id = :tenant AND o.role = 'owner' AND o.revoked_at_ms IS NULL
       AND (EXISTS (SELECT 1 FROM tenancy_operator_session s
                WHERE s.tenant_id = :tenant AND s.operator_id = o.operator_id AND s.expires_at_ms > :now)
            OR EXISTS (SELECT 1 FROM tenancy_operator_passkey p
                WHERE p.tenant_id = :tenant AND p.operator_id = o.operator_id))";
const FIRST_OWNER: &str = "SELECT operator_id FROM tenancy_operator
     WHERE tenant_id = :tenant AND role = 'owner' AND revoked_at_ms IS NULL ORDER BY created_at_ms, operator_id LIMIT 1";
const REVOKE_OPERATOR: &str = "UPDATE tenancy_operator SET revoked_at_ms = :now
     WHERE tenant_id = :tenant AND operator_id = $1 AND revoked_at_ms IS NULL
       AND (role <> 'owner' OR EXISTS (SELECT 1 FROM tenancy_operator
            WHERE tenant_id = :tenant AND operator_id <> $1 AND role = 'owner' AND revoked_at_ms IS NULL))";
const END_SESSIONS: &str =
    "DELETE FROM tenancy_operator_session WHERE tenant_id = :tenant AND operator_id = $1";
const END_LINKS: &str = "UPDATE tenancy_operator_link SET spent_at_ms = :now
     WHERE tenant_id = :tenant AND operator_id = $1 AND spent_at_ms IS NULL";

const PUT_LINK: &str = "INSERT INTO tenancy_operator_link
     (tenant_id, token_sha256, operator_id, purpose, created_at_ms, expires_at_ms, spent_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, $4, NULL)";
const LINK: &str =
    "SELECT tenant_id, operator_id, purpose, expires_at_ms, spent_at_ms FROM tenancy_operator_link
     WHERE token_sha256 = $1";
const SPEND_LINK: &str = "UPDATE tenancy_operator_link SET spent_at_ms = :now
     WHERE tenant_id = :tenant AND token_sha256 = $1 AND spent_at_ms IS NULL AND expires_at_ms > :now";

const PUT_SESSION: &str = "INSERT INTO tenancy_operator_session
     (tenant_id, session_sha256, session_id, operator_id, method, opened_at_ms, seen_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, :now, :now, $5)";
const SESSION: &str = "SELECT s.tenant_id, s.session_id, s.operator_id, o.role, s.seen_at_ms, s.expires_at_ms
     FROM tenancy_operator_session s
     JOIN tenancy_operator o ON o.tenant_id = s.tenant_id AND o.operator_id = s.operator_id
     WHERE s.session_sha256 = $1 AND o.revoked_at_ms IS NULL";
const SEE_SESSION: &str = "UPDATE tenancy_operator_session SET seen_at_ms = :now
     WHERE tenant_id = :tenant AND session_sha256 = $1 AND seen_at_ms < :now";
const CLOSE_SESSION: &str =
    "DELETE FROM tenancy_operator_session WHERE tenant_id = :tenant AND session_id = $1 AND operator_id = $2";

const PUT_ACCOUNT: &str = "INSERT INTO tenancy_service_account
     (tenant_id, account_id, name, roles, secret_sha256, jwk, created_at_ms, rekeyed_at_ms, expires_at_ms, revoked_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, :now, :now, $6, NULL)";
const ACCOUNT: &str =
    "SELECT tenant_id, account_id, name, roles, secret_sha256, jwk, created_at_ms, expires_at_ms,
     revoked_at_ms FROM tenancy_service_account WHERE tenant_id = :tenant AND account_id = $1";
const ACCOUNT_ANYWHERE: &str = "SELECT tenant_id, account_id, name, roles, secret_sha256, jwk, created_at_ms,
     expires_at_ms, revoked_at_ms FROM tenancy_service_account WHERE account_id = $1";
const ACCOUNTS: &str =
    "SELECT tenant_id, account_id, name, roles, secret_sha256, jwk, created_at_ms, expires_at_ms,
     revoked_at_ms FROM tenancy_service_account
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND account_id > $2))
     ORDER BY created_at_ms, account_id LIMIT $3";
const REKEY_ACCOUNT: &str =
    "UPDATE tenancy_service_account SET secret_sha256 = $2, jwk = NULL, rekeyed_at_ms = :now
     WHERE tenant_id = :tenant AND account_id = $1 AND revoked_at_ms IS NULL AND expires_at_ms > :now";
const REVOKE_ACCOUNT: &str =
    "UPDATE tenancy_service_account SET revoked_at_ms = :now, secret_sha256 = NULL, jwk = NULL
     WHERE tenant_id = :tenant AND account_id = $1 AND revoked_at_ms IS NULL";
const SPEND_ASSERTION: &str = "INSERT INTO tenancy_client_assertion (tenant_id, jti_sha256, expires_at_ms)
     VALUES (:tenant, $1, $2) ON CONFLICT DO NOTHING";

const EXPIRE_LINKS: &str = "DELETE FROM tenancy_operator_link WHERE expires_at_ms < $1";
const EXPIRE_SESSIONS: &str =
    "DELETE FROM tenancy_operator_session WHERE expires_at_ms < :now OR seen_at_ms < $1";
const EXPIRE_ASSERTIONS: &str = "DELETE FROM tenancy_client_assertion WHERE expires_at_ms < :now";
const EXPIRE_ACCOUNTS: &str =
    "DELETE FROM tenancy_service_account WHERE expires_at_ms < $1 OR revoked_at_ms < $1";

pub(crate) fn put_tenant(tenant: &Tenant) -> Stmt {
    Stmt::new(PUT_TENANT).text(tenant.id.as_str()).text(&tenant.name).text(&tenant.title)
}

pub(crate) async fn tenant_by_id(
    store: &Store,
    ctx: &Ctx,
    id: &TenantId,
) -> Result<Option<Tenant>, StoreFault> {
    store.read(ctx).one(Stmt::new(TENANT_BY_ID).text(id.as_str())).await?.as_ref().map(tenant).transpose()
}

pub(crate) async fn tenant_by_name(
    store: &Store,
    ctx: &Ctx,
    name: &str,
) -> Result<Option<Tenant>, StoreFault> {
    store.read(ctx).one(Stmt::new(TENANT_BY_NAME).text(name)).await?.as_ref().map(tenant).transpose()
}

pub(crate) async fn tenants(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<Tenant>, StoreFault> {
    store.read(ctx).many(page(TENANTS, after, limit), limit).await?.iter().map(tenant).collect()
}

pub(crate) fn change_tenant(id: &TenantId, from: TenantState, to: TenantState) -> Stmt {
    Stmt::new(CHANGE_TENANT).text(id.as_str()).text(from.as_str()).text(to.as_str())
}

/// Where an operator's name is sealed.
pub(crate) fn operator_name(operator_id: &str) -> Field<'_> {
    Field { table: "tenancy_operator", column: "name", row: operator_id }
}

pub(crate) fn put_operator(id: &str, sealed_name: Vec<u8>, role: Role) -> Stmt {
    Stmt::new(PUT_OPERATOR).text(id).blob(sealed_name).text(role.as_str())
}

pub(crate) async fn operator(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<Operator>, StoreFault> {
    match store.read(ctx).one(Stmt::new(OPERATOR).text(id)).await? {
        Some(row) => opened_operator(store, ctx, &row).await.map(Some),
        None => Ok(None),
    }
}

pub(crate) async fn operators(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<Operator>, StoreFault> {
    let mut operators = Vec::new();
    for row in store.read(ctx).many(page(OPERATORS, after, limit), limit).await? {
        operators.push(opened_operator(store, ctx, &row).await?);
    }
    Ok(operators)
}

pub(crate) async fn owners_with_a_way_in(store: &Store, ctx: &Ctx) -> Result<i64, StoreFault> {
    store.read(ctx).one(Stmt::new(OWNERS_WITH_A_WAY_IN)).await?.map_or(Ok(0), |row| row.int(0))
}

pub(crate) async fn first_owner(store: &Store, ctx: &Ctx) -> Result<Option<String>, StoreFault> {
    store.read(ctx).one(Stmt::new(FIRST_OWNER)).await?.map(|row| row.text(0)).transpose()
}

pub(crate) fn revoke_operator(id: &str) -> Stmt {
    Stmt::new(REVOKE_OPERATOR).text(id)
}

pub(crate) fn end_sessions(operator_id: &str) -> Stmt {
    Stmt::new(END_SESSIONS).text(operator_id)
}

pub(crate) fn end_links(operator_id: &str) -> Stmt {
    Stmt::new(END_LINKS).text(operator_id)
}

pub(crate) fn put_link(
    token_sha256: [u8; 32],
    operator_id: &str,
    purpose: &str,
    expires_at: Timestamp,
) -> Stmt {
    Stmt::new(PUT_LINK)
        .blob(token_sha256.to_vec())
        .text(operator_id)
        .text(purpose)
        .int(expires_at.as_millisecond())
}

/// A link as it stands in its row, whichever tenant's it is.
#[derive(Debug)]
pub(crate) struct LinkRow {
    pub(crate) tenant: TenantId,
    pub(crate) operator_id: String,
    pub(crate) purpose: String,
    pub(crate) expires_at_ms: i64,
    pub(crate) spent: bool,
}

pub(crate) async fn link(
    store: &Store,
    ctx: &Ctx,
    token_sha256: [u8; 32],
) -> Result<Option<LinkRow>, StoreFault> {
    let Some(row) = store.read(ctx).one(Stmt::new(LINK).blob(token_sha256.to_vec())).await? else {
        return Ok(None);
    };
    Ok(Some(LinkRow {
        tenant: tenant_id(&row, 0)?,
        operator_id: row.text(1)?,
        purpose: row.text(2)?,
        expires_at_ms: row.int(3)?,
        spent: row.opt_int(4)?.is_some(),
    }))
}

pub(crate) fn spend_link(token_sha256: [u8; 32]) -> Stmt {
    Stmt::new(SPEND_LINK).blob(token_sha256.to_vec())
}

pub(crate) fn put_session(
    session_sha256: [u8; 32],
    session_id: &str,
    operator_id: &str,
    method: &str,
    expires_at: Timestamp,
) -> Stmt {
    Stmt::new(PUT_SESSION)
        .blob(session_sha256.to_vec())
        .text(session_id)
        .text(operator_id)
        .text(method)
        .int(expires_at.as_millisecond())
}

pub(crate) async fn session(
    store: &Store,
    ctx: &Ctx,
    sha256: [u8; 32],
) -> Result<Option<SessionRow>, StoreFault> {
    let Some(row) = store.read(ctx).one(Stmt::new(SESSION).blob(sha256.to_vec())).await? else {
        return Ok(None);
    };
    Ok(Some(SessionRow {
        tenant: tenant_id(&row, 0)?,
        session_id: row.text(1)?,
        operator_id: row.text(2)?,
        role: role(&row, 3)?,
        seen_at_ms: row.int(4)?,
        expires_at_ms: row.int(5)?,
    }))
}

pub(crate) fn see_session(sha256: [u8; 32]) -> Stmt {
    Stmt::new(SEE_SESSION).blob(sha256.to_vec())
}

pub(crate) fn close_session(session_id: &str, operator_id: &str) -> Stmt {
    Stmt::new(CLOSE_SESSION).text(session_id).text(operator_id)
}

pub(crate) fn put_account(
    account: &ServiceAccount,
    secret_sha256: Option<[u8; 32]>,
    jwk: Option<&str>,
) -> Stmt {
    Stmt::new(PUT_ACCOUNT)
        .text(&account.id)
        .text(&account.name)
        .text(account.roles.to_text())
        .opt_blob(secret_sha256.map(|hash| hash.to_vec()))
        .opt_text(jwk)
        .int(account.expires_at.as_millisecond())
}

pub(crate) async fn account(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<AccountRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(ACCOUNT).text(id)).await?.as_ref().map(account_row).transpose()
}

/// The account of this id in whichever tenant: a client id names no tenant.
pub(crate) async fn account_anywhere(
    store: &Store,
    ctx: &Ctx,
    id: &str,
) -> Result<Option<AccountRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(ACCOUNT_ANYWHERE).text(id)).await?.as_ref().map(account_row).transpose()
}

pub(crate) async fn accounts(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<AccountRow>, StoreFault> {
    store.read(ctx).many(page(ACCOUNTS, after, limit), limit).await?.iter().map(account_row).collect()
}

pub(crate) fn rekey_account(id: &str, secret_sha256: [u8; 32]) -> Stmt {
    Stmt::new(REKEY_ACCOUNT).text(id).blob(secret_sha256.to_vec())
}

pub(crate) fn revoke_account(id: &str) -> Stmt {
    Stmt::new(REVOKE_ACCOUNT).text(id)
}

pub(crate) fn spend_assertion(jti_sha256: [u8; 32], expires_at: Timestamp) -> Stmt {
    Stmt::new(SPEND_ASSERTION).blob(jti_sha256.to_vec()).int(expires_at.as_millisecond())
}

/// Deletes what is past its time, in every tenant.
pub(crate) fn expire(links_before_ms: i64, seen_before_ms: i64, accounts_before_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(EXPIRE_LINKS).int(links_before_ms),
        Stmt::new(EXPIRE_SESSIONS).int(seen_before_ms),
        Stmt::new(EXPIRE_ASSERTIONS),
        Stmt::new(EXPIRE_ACCOUNTS).int(accounts_before_ms),
        passkey::expire_challenges(),
    ]
}

fn page(sql: &'static str, after: &After, limit: usize) -> Stmt {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    Stmt::new(sql).int(after.at_ms).text(&after.id).int(limit)
}

fn tenant(row: &Row) -> Result<Tenant, StoreFault> {
    Ok(Tenant {
        id: tenant_id(row, 0)?,
        name: row.text(1)?,
        title: row.text(2)?,
        state: TenantState::parse(&row.text(3)?)
            .ok_or(StoreFault::Column { index: 3, wanted: "a state of a tenant" })?,
        created_at: time(row, 4)?,
    })
}

async fn opened_operator(store: &Store, ctx: &Ctx, row: &Row) -> Result<Operator, StoreFault> {
    let id = row.text(0)?;
    let name: Secret<Vec<u8>> = store.opened(ctx, operator_name(&id), &row.blob(1)?).await?;
    Ok(Operator {
        name: String::from_utf8_lossy(name.expose()).into_owned(),
        role: role(row, 2)?,
        created_at: time(row, 3)?,
        revoked_at: row.opt_int(4)?.map(|_| time(row, 4)).transpose()?,
        id,
    })
}

fn account_row(row: &Row) -> Result<AccountRow, StoreFault> {
    let secret_sha256 = match row.opt_blob(4)? {
        Some(_) => Some(row.array::<32>(4)?),
        None => None,
    };
    Ok(AccountRow {
        tenant: tenant_id(row, 0)?,
        account: ServiceAccount {
            id: row.text(1)?,
            name: row.text(2)?,
            roles: Roles::parse(&row.text(3)?).ok_or(StoreFault::Column { index: 3, wanted: "roles" })?,
            private_key_jwt: row.opt_text(5)?.is_some(),
            created_at: time(row, 6)?,
            expires_at: time(row, 7)?,
            revoked_at: row.opt_int(8)?.map(|_| time(row, 8)).transpose()?,
        },
        secret_sha256,
        jwk: row.opt_text(5)?,
    })
}

fn tenant_id(row: &Row, index: usize) -> Result<TenantId, StoreFault> {
    TenantId::parse(&row.text(index)?).ok_or(StoreFault::Column { index, wanted: "a tenant id" })
}

fn role(row: &Row, index: usize) -> Result<Role, StoreFault> {
    Role::parse(&row.text(index)?).ok_or(StoreFault::Column { index, wanted: "a role" })
}

fn time(row: &Row, index: usize) -> Result<Timestamp, StoreFault> {
    Timestamp::from_millisecond(row.int(index)?).map_err(|_| StoreFault::Column { index, wanted: "a time" })
}
