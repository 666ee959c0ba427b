//! `/api/v1/tenants`: by operators of the system tenant.

use super::Empty;
use crate::cursor::{Listing, PageQuery};
use crate::door::{BODY_BYTES_MAX, Door, Doors, SMALL_BODY_BYTES_MAX, Who};
use crate::extract::{Body, Call, MaybeBody, Path, Query};
use crate::problem::{Problem, pages as common, tenancy_pages as pages};
use crate::{Answer, Edge, Permission};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Ctx, TenantId};
use tenancy::tenant::{ChangeError, CreateError, NewTenant};
use tenancy::{After, Tenant, TenantState};

const ADMIN: Who = Who::Role(Permission::TenantsAdmin);

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::post("/api/v1/tenants")
                .operation("createTenant")
                .summary("Makes a tenant with its log and keys")
                .who(ADMIN)
                .body::<CreateTenant>(BODY_BYTES_MAX)
                .answer::<TenantView>(201, "The tenant")
                .problems(&[&pages::NAME_TAKEN, &pages::PREPARATION])
                .idempotent(),
            create,
        )
        .door(
            Door::get("/api/v1/tenants")
                .operation("listTenants")
                .summary("A page of tenants, the oldest first")
                .who(ADMIN)
                .query::<PageQuery>()
                .answer::<Listing<TenantView>>(200, "The page"),
            list,
        )
        .door(
            Door::get("/api/v1/tenants/{id}")
                .operation("showTenant")
                .summary("One tenant, by id or name")
                .who(ADMIN)
                .answer::<TenantView>(200, "The tenant"),
            show,
        )
        .door(
            Door::post("/api/v1/tenants/{id}/suspend")
                .operation("suspendTenant")
                .summary("Closes a tenant's doors; nothing is lost")
                .who(ADMIN)
                .optional_body::<Empty>(SMALL_BODY_BYTES_MAX)
                .answer::<TenantView>(200, "The tenant")
                .problems(&[&pages::TENANT_STATE]),
            suspend,
        )
        .door(
            Door::post("/api/v1/tenants/{id}/resume")
                .operation("resumeTenant")
                .summary("Opens a suspended tenant's doors")
                .who(ADMIN)
                .optional_body::<Empty>(SMALL_BODY_BYTES_MAX)
                .answer::<TenantView>(200, "The tenant")
                .problems(&[&pages::TENANT_STATE]),
            resume,
        )
}

/// A new tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateTenant {
    /// `[a-z0-9-]{2,40}`, unique; it stands in the paths of its wallets.
    #[schemars(regex(pattern = r"^[a-z0-9-]{2,40}$"))]
    name: String,
    /// What people read; the name where none is given.
    #[schemars(length(min = 1, max = 200))]
    title: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct TenantView {
    /// `ten_…`.
    id: String,
    /// The name in paths.
    name: String,
    /// What people read.
    title: String,
    /// Whether its doors answer.
    state: TenantState,
    /// When it was made.
    created_at: String,
    #[serde(skip)]
    #[schemars(skip)]
    after: After,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            after: After { at_ms: tenant.created_at.as_millisecond(), id: tenant.id.to_string() },
            id: tenant.id.to_string(),
            name: tenant.name,
            title: tenant.title,
            state: tenant.state,
            created_at: tenant.created_at.to_string(),
        }
    }
}

/// `POST /api/v1/tenants`.
async fn create(
    State(edge): State<Edge>,
    call: Call,
    Body(body): Body<CreateTenant>,
) -> Result<Answer<TenantView>, Problem> {
    let new = NewTenant { name: body.name, title: body.title };
    let close = call.mark.as_ref().map(crate::idempotency::Mark::close);
    let (tenant, committed) = edge.tenancy().create_tenant(&house(&call), new, close).await?;
    Ok(Answer::created(TenantView::from(tenant)).event(&committed))
}

/// `GET /api/v1/tenants`.
async fn list(
    State(edge): State<Edge>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<TenantView>>, Problem> {
    let page = query.page()?;
    let tenants = edge.tenancy().tenants(&call.ctx, &page.after, page.read_limit()).await?;
    let views = tenants.into_iter().map(TenantView::from).collect();
    Ok(Listing::answer(views, &page, "/api/v1/tenants", |view| view.after.clone()))
}

/// `GET /api/v1/tenants/{id}`.
async fn show(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<TenantView>, Problem> {
    Ok(Answer::ok(TenantView::from(find(&edge, &call, &id).await?)))
}

/// `POST /api/v1/tenants/{id}/suspend`.
async fn suspend(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(_): MaybeBody<Empty>,
) -> Result<Answer<TenantView>, Problem> {
    let tenant = find(&edge, &call, &id).await?;
    let (tenant, committed) = edge.tenancy().suspend_tenant(&house(&call), &tenant.id).await?;
    Ok(Answer::ok(TenantView::from(tenant)).event(&committed))
}

/// `POST /api/v1/tenants/{id}/resume`.
async fn resume(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(_): MaybeBody<Empty>,
) -> Result<Answer<TenantView>, Problem> {
    let tenant = find(&edge, &call, &id).await?;
    let (tenant, committed) = edge.tenancy().resume_tenant(&house(&call), &tenant.id).await?;
    Ok(Answer::ok(TenantView::from(tenant)).event(&committed))
}

/// Acts on tenants are acts of the instance: they stand in the house log.
fn house(call: &Call) -> Ctx {
    call.ctx.for_tenant(TenantId::SYSTEM)
}

async fn find(edge: &Edge, call: &Call, id: &str) -> Result<Tenant, Problem> {
    let found = match TenantId::parse(id) {
        Some(id) => edge.tenancy().tenant(&call.ctx, &id).await?,
        None => edge.tenancy().tenant_named(&call.ctx, id).await?,
    };
    found.ok_or_else(|| Problem::of(&common::NOT_FOUND))
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Name => Self::of(&common::INVALID).at("/name", error.to_string()),
            CreateError::Title => Self::of(&common::INVALID).at("/title", error.to_string()),
            CreateError::NameTaken => Self::of(&pages::NAME_TAKEN).recorded(),
            CreateError::Repeated => Self::of(&common::IDEMPOTENCY_BUSY).recorded(),
            CreateError::Preparation(why) => {
                tracing::error!(why, "a tenant could not be prepared");
                Self::of(&pages::PREPARATION).retry_after(jiff::SignedDuration::from_secs(5))
            }
            CreateError::Store(fault) => fault.into(),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => Self::of(&common::NOT_FOUND),
            ChangeError::State(_) => Self::of(&pages::TENANT_STATE).detail(error.to_string()).recorded(),
            ChangeError::System => Self::of(&pages::TENANT_STATE).detail(error.to_string()),
            ChangeError::Store(fault) => fault.into(),
        }
    }
}
