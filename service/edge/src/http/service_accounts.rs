//! `/api/v1/service-accounts`: made with a secret that is shown once, or with a public key.

use super::Empty;
use crate::cursor::{Listing, PageQuery};
use crate::door::{BODY_BYTES_MAX, Door, Doors, SMALL_BODY_BYTES_MAX, Who};
use crate::extract::{Body, Call, MaybeBody, Path, Query};
use crate::problem::{Problem, pages as common, tenancy_pages as pages};
use crate::{Answer, Done, Edge, Permission, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenancy::After;
use tenancy::service_account::{AccountError, Made, NewAccount, ServiceAccount};

const READ: Who = Who::Role(Permission::ServiceAccountsRead);
const ADMIN: Who = Who::Role(Permission::ServiceAccountsAdmin);

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::post("/api/v1/service-accounts")
                .operation("createServiceAccount")
                .summary("Makes a service account; its secret is shown this once")
                .who(ADMIN)
                .body::<CreateServiceAccount>(BODY_BYTES_MAX)
                .answer::<AccountView>(201, "The account, with its secret")
                .problems(&[&pages::ROLE_REFUSED])
                .idempotent(),
            create,
        )
        .door(
            Door::get("/api/v1/service-accounts")
                .operation("listServiceAccounts")
                .summary("A page of the tenant's service accounts, the oldest first")
                .who(READ)
                .query::<PageQuery>()
                .answer::<Listing<AccountView>>(200, "The page"),
            list,
        )
        .door(
            Door::get("/api/v1/service-accounts/{id}")
                .operation("showServiceAccount")
                .summary("One service account")
                .who(READ)
                .answer::<AccountView>(200, "The account"),
            show,
        )
        .door(
            Door::post("/api/v1/service-accounts/{id}/rotate-secret")
                .operation("rotateServiceAccountSecret")
                .summary("Gives a service account a new secret; the old one ends at once")
                .who(ADMIN)
                .optional_body::<Empty>(SMALL_BODY_BYTES_MAX)
                .answer::<AccountView>(200, "The account, with its new secret")
                .problems(&[&pages::ROLE_REFUSED, &pages::ACCOUNT_ENDED]),
            rotate,
        )
        .door(
            Door::delete("/api/v1/service-accounts/{id}")
                .operation("revokeServiceAccount")
                .summary("Ends a service account and its tokens")
                .who(ADMIN)
                .empty(204, "Ended")
                .problems(&[&pages::ACCOUNT_ENDED]),
            revoke,
        )
}

/// A new service account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateServiceAccount {
    /// What its makers call it.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Its roles; none above the maker's.
    #[schemars(length(min = 1, max = 5))]
    roles: Vec<Role>,
    /// Life in seconds, at most two years; a year where none is given.
    #[schemars(range(min = 1, max = 63_244_800))]
    ttl_s: Option<u64>,
    /// The public key of `private_key_jwt`, as a JWK; without one a secret is made.
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    jwk: Option<Value>,
}

/// A service account.
#[derive(Debug, Serialize, JsonSchema)]
struct AccountView {
    /// `svc_…`, which is its OAuth `client_id` too.
    id: String,
    /// What its makers call it.
    name: String,
    /// Its roles.
    roles: Vec<Role>,
    /// How it shows who it is: `secret` or `private_key_jwt`.
    method: String,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was revoked; null while it may act.
    revoked_at: Option<String>,
    /// Its secret, in the one answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip)]
    #[schemars(skip)]
    after: After,
}

impl From<ServiceAccount> for AccountView {
    fn from(account: ServiceAccount) -> Self {
        Self {
            after: After { at_ms: account.created_at.as_millisecond(), id: account.id.clone() },
            id: account.id,
            name: account.name,
            roles: account.roles.iter().collect(),
            method: if account.private_key_jwt { "private_key_jwt" } else { "secret" }.to_owned(),
            created_at: account.created_at.to_string(),
            expires_at: account.expires_at.to_string(),
            revoked_at: account.revoked_at.map(|at| at.to_string()),
            secret: None,
        }
    }
}

/// `POST /api/v1/service-accounts`.
async fn create(
    State(edge): State<Edge>,
    call: Call,
    Body(body): Body<CreateServiceAccount>,
) -> Result<Answer<AccountView>, Problem> {
    let new = NewAccount {
        name: body.name,
        roles: body.roles.into_iter().collect(),
        ttl_s: body.ttl_s,
        jwk: body.jwk,
    };
    let close = call.mark.as_ref().map(crate::idempotency::Mark::close);
    let made = edge.tenancy().create_account(&call.ctx, call.roles(), new, close).await?;
    Ok(with_secret(Answer::created, made))
}

/// `POST /api/v1/service-accounts/{id}/rotate-secret`.
async fn rotate(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(_): MaybeBody<Empty>,
) -> Result<Answer<AccountView>, Problem> {
    let made = edge.tenancy().rotate_secret(&call.ctx, call.roles(), &id).await?;
    Ok(with_secret(Answer::ok, made))
}

/// `GET /api/v1/service-accounts`.
async fn list(
    State(edge): State<Edge>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<AccountView>>, Problem> {
    let page = query.page()?;
    let accounts = edge.tenancy().accounts(&call.ctx, &page.after, page.read_limit()).await?;
    let views = accounts.into_iter().map(AccountView::from).collect();
    Ok(Listing::answer(views, &page, "/api/v1/service-accounts", |view| view.after.clone()))
}

/// `GET /api/v1/service-accounts/{id}`.
async fn show(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<AccountView>, Problem> {
    Ok(Answer::ok(AccountView::from(edge.tenancy().account(&call.ctx, &id).await?)))
}

/// `DELETE /api/v1/service-accounts/{id}`.
async fn revoke(State(edge): State<Edge>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    let committed = edge.tenancy().revoke_account(&call.ctx, &id).await?;
    edge.tokens().forget();
    Ok(Done(committed))
}

fn with_secret(answer: fn(AccountView) -> Answer<AccountView>, made: Made) -> Answer<AccountView> {
    let mut view = AccountView::from(made.account);
    view.secret = made.secret.map(|secret| secret.expose().clone());
    answer(view).event(&made.committed)
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let invalid =
            |pointer: &str, error: &AccountError| Self::of(&common::INVALID).at(pointer, error.to_string());
        match &error {
            AccountError::NotFound => Self::of(&common::NOT_FOUND),
            AccountError::Name => invalid("/name", &error),
            AccountError::NoRoles => invalid("/roles", &error),
            AccountError::Ttl => invalid("/ttl_s", &error),
            AccountError::Jwk => invalid("/jwk", &error),
            AccountError::Roles => Self::of(&pages::ROLE_REFUSED).at("/roles", "is above your own"),
            AccountError::Ended => Self::of(&pages::ACCOUNT_ENDED).recorded(),
            AccountError::Repeated => Self::of(&common::IDEMPOTENCY_BUSY).recorded(),
            AccountError::Store(fault) => fault.clone().into(),
        }
    }
}
