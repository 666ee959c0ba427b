//! `/console/tenants`: in which tenant an operator of the instance acts.

use super::frame::{Frame, next, shown, time};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use edge::browser::{CONSOLE, TENANT_COOKIE, set_cookie};
use edge::cursor::PageQuery;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages;
use edge::{Call, Door, Doors, Form, Permission, Problem, Query, Who};
use store::TenantId;
use tenancy::{After, Tenant};

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/tenants")
                .operation("showTenants")
                .summary("The tenants of the instance")
                .who(Who::Operator(Permission::TenantsAdmin))
                .query::<PageQuery>()
                .answer_of(200, "text/html", "the page"),
            page,
        )
        .door(
            Door::post("/console/tenant")
                .operation("chooseTenant")
                .summary("Acts in another tenant from now on")
                .who(Who::Operator(Permission::Own))
                .form::<ChosenForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the first page"),
            choose,
        )
}

/// The tenant that is chosen.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct ChosenForm {
    form_token: String,
    tenant: String,
}

#[derive(Template)]
#[template(path = "console/tenants.html")]
struct TenantsPage {
    frame: Frame,
    tenants: Vec<TenantLine>,
    next: Option<String>,
}

struct TenantLine {
    name: String,
    title: String,
    state: &'static str,
    created_at: String,
    is_current: bool,
}

async fn page(
    State(house): State<House>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Html<String>, Problem> {
    let page = query.page()?;
    let mut found = house.tenancy.tenants(&call.ctx, &page.after, page.read_limit()).await?;
    let key =
        |tenant: &Tenant| After { at_ms: tenant.created_at.as_millisecond(), id: tenant.id.to_string() };
    let next = next(&mut found, &page, ("/tenants", ""), key);
    let line = |tenant: Tenant| TenantLine {
        is_current: tenant.id == call.ctx.tenant,
        state: tenant.state.as_str(),
        created_at: time(tenant.created_at.as_millisecond()),
        name: tenant.name,
        title: tenant.title,
    };
    let tenants = found.into_iter().map(line).collect();
    let same = ("tessera tenant list", "GET /api/v1/tenants");
    shown(&TenantsPage { frame: Frame::of(&call, "/console/tenants", "Tenants", same), tenants, next })
}

async fn choose(State(house): State<House>, call: Call, Form(form): Form) -> Result<Response, Problem> {
    let absent = || Problem::of(&pages::NOT_FOUND);
    let named = form.get("tenant").unwrap_or_default();
    let found = match TenantId::parse(named) {
        Some(id) => house.tenancy.tenant(&call.ctx, &id).await?,
        None => house.tenancy.tenant_named(&call.ctx, named).await?,
    };
    let may = |tenant: &Tenant| {
        call.principal
            .as_ref()
            .is_some_and(|principal| principal.may_name_tenant() || principal.home == tenant.id)
    };
    let tenant = found.filter(may).ok_or_else(absent)?;
    let ttl_s = house.tenancy.config().session_ttl_s;
    let mut response = Redirect::to(CONSOLE).into_response();
    let cookie = set_cookie(TENANT_COOKIE, tenant.id.as_str(), ttl_s);
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
