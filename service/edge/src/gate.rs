//! The gate of each door: who comes, whether they may, how often, and what is written of a refusal.
//!
//! ```text
//! address rate ─▶ token or path ─▶ Principal, tenant ─▶ permission ─▶ actor and tenant rate ─▶ key seen? ─▶ handler ─▶ refusal's event
//! ```
//!
//! Default deny: a door whose [`Who`] asks for a role lets nobody in without one. A foreign tenant looks like none.

use crate::Edge;
use crate::browser::{self, Browser};
use crate::door::{DoorSpec, Who};
use crate::extract::{Call, collect, limited};
use crate::front::{Arrived, Passed};
use crate::idempotency::{self, Begun};
use crate::problem::{Pending, Problem, pages};
use crate::token::{By, Principal, Unknown};
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use crypto::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::sync::Arc;
use store::{Ctx, TenantId};
use tenancy::{Permission, Tenant, TenantState};
use tlog::event::Event;

/// Names the tenant that an operator of the system tenant acts in.
pub const TENANT_HEADER: HeaderName = HeaderName::from_static("tessera-tenant");

/// What one gate knows.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) edge: Edge,
    pub(crate) spec: Arc<DoorSpec>,
}

pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Some(arrived) = request.extensions().get::<Arrived>().cloned() else {
        return Problem::of(&pages::FAULT).into_response();
    };
    let mut refused_ctx = arrived.ctx.clone();
    let mut known = false;
    let mut response = match gate.admit(&arrived, request).await {
        Ok((call, request)) => {
            refused_ctx = call.ctx.clone();
            known = call.principal.is_some();
            let cookie = call.browser.as_ref().and_then(Browser::set_cookie);
            let mut response = gate.run(call, request, next).await;
            response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(Refusal { leads_to: Some(to), .. }) => Redirect::to(&to).into_response(),
        Err(refusal) => {
            if let Some(ctx) = refusal.ctx {
                refused_ctx = *ctx;
                known = true;
            }
            refusal.problem.into_response()
        }
    };
    gate.record(&refused_ctx, known, &mut response).await;
    response.extensions_mut().insert(Passed { tenant: refused_ctx.tenant });
    response.extensions_mut().insert(gate.spec.clone());
    response
}

/// A refusal at the gate; with a context once somebody is known.
struct Refusal {
    problem: Problem,
    ctx: Option<Box<Ctx>>,
    /// Where a browser is led instead.
    leads_to: Option<String>,
}

impl Refusal {
    fn known(problem: Problem, ctx: &Ctx) -> Self {
        Self { problem, ctx: Some(Box::new(ctx.clone())), leads_to: None }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, ctx: None, leads_to: None }
    }
}

impl Gate {
    /// Who comes and whether they may.
    async fn admit(&self, arrived: &Arrived, request: Request) -> Result<(Call, Request), Refusal> {
        let limits = self.edge.limits();
        limits.address(self.spec.class, arrived.address, "").map_err(limited)?;
        let (mut parts, body) = request.into_parts();
        let mut call = Call::new(arrived.ctx.clone(), self.edge.clone(), arrived.address);
        match self.spec.who {
            Who::Public => {}
            Who::Tenant => {
                let tenant = self.path_tenant(&call.ctx, &mut parts).await?;
                call.ctx = call.ctx.for_tenant(tenant.id.clone());
                call.tenant = Some(Arc::new(tenant));
                limits.tenant(call.ctx.tenant.as_str()).map_err(limited)?;
            }
            Who::LogReader => self.reader(arrived, &parts.headers, &mut call).await?,
            Who::Role(permission) => self.member(arrived, &parts.headers, permission, &mut call).await?,
            Who::Operator(permission) => self.operator(arrived, &parts, permission, &mut call).await?,
            Who::Visitor => call.browser = Some(Browser::of_visitor(&call.ctx, &parts.headers).at(&parts)),
        }
        let mut request = Request::from_parts(parts, body);
        if let Some(browser) = call.browser.as_ref().filter(|_| self.spec.method == Method::POST) {
            let known = call.principal.is_some().then(|| Box::new(call.ctx.clone()));
            let refused = |problem| Refusal { problem, ctx: known, leads_to: None };
            request = browser.accept(request, self.bytes_max()).await.map_err(refused)?;
        }
        Ok((call, request))
    }

    fn bytes_max(&self) -> usize {
        self.spec.bodies.iter().map(|body| body.bytes_max).max().unwrap_or(0)
    }

    /// A door that asks for a role.
    async fn member(
        &self,
        arrived: &Arrived,
        headers: &HeaderMap,
        permission: Permission,
        call: &mut Call,
    ) -> Result<(), Refusal> {
        let principal = self.authenticate(arrived, headers).await?;
        let home = home_of(&call.ctx, &principal);
        let tenant = self.named_tenant(&home, headers, &principal).await;
        let tenant = tenant.map_err(|problem| Refusal::known(problem, &home))?;
        self.authorise(home.for_tenant(tenant), permission, principal, call)
    }

    /// A page of the console: the session comes in its cookie.
    async fn operator(
        &self,
        arrived: &Arrived,
        parts: &http::request::Parts,
        permission: Permission,
        call: &mut Call,
    ) -> Result<(), Refusal> {
        let cookie = browser::cookie(&parts.headers, browser::SESSION_COOKIE);
        // A cookie bears a session and nothing else.
        let bearer = cookie.filter(|text| text.starts_with(tenancy::operator::SESSION_PREFIX));
        let Some(bearer) = bearer else { return Err(self.signed_out(parts)) };
        let (ctx, tenancy) = (&arrived.ctx, self.edge.tenancy());
        let found = match browser::is_watching(parts) {
            true => tenancy.watched_session(ctx, bearer).await,
            false => tenancy.session(ctx, bearer).await,
        };
        let Some(known) = found.map_err(Problem::from)? else {
            self.edge.limits().stranger(arrived.address).map_err(limited)?;
            return Err(self.signed_out(parts));
        };
        let Ok(principal) = self.active(ctx, Principal::of_session(known)).await else {
            return Err(self.signed_out(parts));
        };
        let home = home_of(&call.ctx, &principal);
        let tenant = self.chosen_tenant(&home, &parts.headers, &principal).await;
        let tenant = tenant.map_err(|problem| Refusal::known(problem, &home))?;
        let inside = home.for_tenant(tenant.id.clone());
        call.browser = Some(Browser::of_session(&inside, bearer).at(parts));
        call.tenant = Some(Arc::new(tenant));
        self.authorise(inside, permission, principal, call)
    }

    /// A page leads nobody to where they sign in; a form says that nothing was done.
    fn signed_out(&self, parts: &http::request::Parts) -> Refusal {
        let asked = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let leads_to = (self.spec.method == Method::GET).then(|| {
            let wanted = openid::oauth::form::encode(&[("return", asked)]);
            if browser::leads_home(asked) && asked != browser::CONSOLE {
                format!("{}?{wanted}", browser::SIGN_IN)
            } else {
                browser::SIGN_IN.to_owned()
            }
        });
        Refusal { problem: Problem::of(&pages::SIGNED_OUT), ctx: None, leads_to }
    }

    /// Whether somebody who is known may, and how often.
    fn authorise(
        &self,
        inside: Ctx,
        permission: Permission,
        principal: Principal,
        call: &mut Call,
    ) -> Result<(), Refusal> {
        let limits = self.edge.limits();
        let tenant = inside.tenant.as_str();
        let counted =
            limits.actor(self.spec.class, tenant, &principal.id).and_then(|()| limits.tenant(tenant));
        counted.map_err(|l| Refusal::known(limited(l), &inside))?;
        let may =
            principal.roles.may(permission) && (!permission.system_only() || principal.home.is_system());
        if !may {
            let problem = Problem::of(&pages::FORBIDDEN)
                .detail(format!("this door asks for the permission {}", permission.as_str()));
            return Err(Refusal::known(problem, &inside));
        }
        call.ctx = inside;
        call.principal = Some(principal);
        Ok(())
    }

    /// A door of a log: a token of ours is checked, any other bearer text is the room's to know.
    async fn reader(&self, arrived: &Arrived, headers: &HeaderMap, call: &mut Call) -> Result<(), Refusal> {
        let Ok(bearer) = bearer(headers) else { return Ok(()) };
        let ours = bearer.starts_with(tenancy::operator::SESSION_PREFIX) || bearer.split('.').count() == 3;
        if !ours {
            call.bearer = Some(Arc::new(Secret::new(bearer.to_owned())));
            return Ok(());
        }
        let principal = self.authenticate(arrived, headers).await?;
        let home = home_of(&call.ctx, &principal);
        let tenant = self
            .named_tenant(&home, headers, &principal)
            .await
            .map_err(|problem| Refusal::known(problem, &home))?;
        call.ctx = home.for_tenant(tenant);
        call.principal = Some(principal);
        Ok(())
    }

    async fn authenticate(&self, arrived: &Arrived, headers: &HeaderMap) -> Result<Principal, Refusal> {
        let unknown = match bearer(headers) {
            Ok(text) => match self.edge.tokens().principal(&self.edge, &arrived.ctx, text).await {
                Ok(principal) => return self.active(&arrived.ctx, principal).await,
                Err(unknown) => unknown,
            },
            Err(unknown) => unknown,
        };
        if let Unknown::Store(fault) = unknown {
            return Err(Problem::from(fault).into());
        }
        tracing::debug!(request_id = %arrived.ctx.request_id, %unknown, "nobody is known");
        self.edge.limits().stranger(arrived.address).map_err(limited)?;
        Err(unauthenticated(&unknown).into())
    }

    /// A suspended tenant's members are nobody.
    async fn active(&self, ctx: &Ctx, principal: Principal) -> Result<Principal, Refusal> {
        let tenant = self.edge.tenancy().tenant(ctx, &principal.home).await.map_err(Problem::from)?;
        match tenant {
            Some(tenant) if tenant.state == TenantState::Active => Ok(principal),
            Some(_) | None => Err(unauthenticated(&Unknown::Nobody).into()),
        }
    }

    /// The tenant that is acted in: the caller's own, or the one that an operator of the system tenant names.
    async fn named_tenant(
        &self,
        ctx: &Ctx,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<TenantId, Problem> {
        let absent = || Problem::of(&pages::NOT_FOUND);
        let mut all = headers.get_all(TENANT_HEADER).iter();
        let Some(value) = all.next() else { return Ok(principal.home.clone()) };
        if all.next().is_some() {
            return Err(Problem::of(&pages::BAD_REQUEST).at("header:Tessera-Tenant", "came twice"));
        }
        let named = value.to_str().map_err(|_| absent())?;
        let tenancy = self.edge.tenancy();
        let found = match TenantId::parse(named) {
            Some(id) => tenancy.tenant(ctx, &id).await?,
            None => tenancy.tenant_named(ctx, named).await?,
        };
        match found {
            Some(tenant) if tenant.id == principal.home => Ok(tenant.id),
            Some(tenant) if principal.may_name_tenant() => Ok(tenant.id),
            Some(_) | None => Err(absent()),
        }
    }

    /// The tenant that an operator of the system tenant has chosen in the console, or their own. A choice that is gone is none.
    async fn chosen_tenant(
        &self,
        ctx: &Ctx,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Tenant, Problem> {
        let tenancy = self.edge.tenancy();
        let chosen = browser::cookie(headers, browser::TENANT_COOKIE).and_then(TenantId::parse);
        if let Some(id) = chosen.filter(|_| principal.may_name_tenant())
            && let Some(tenant) = tenancy.tenant(ctx, &id).await?
        {
            return Ok(tenant);
        }
        tenancy.tenant(ctx, &principal.home).await?.ok_or_else(|| Problem::of(&pages::NOT_FOUND))
    }

    /// The tenant of a path under `/t/{tenant}`.
    async fn path_tenant(&self, ctx: &Ctx, parts: &mut http::request::Parts) -> Result<Tenant, Problem> {
        let absent = || Problem::of(&pages::NOT_FOUND);
        let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| absent())?;
        let name = params.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value.to_owned());
        let found = self.edge.tenancy().tenant_named(ctx, &name.ok_or_else(absent)?).await?;
        found.filter(|tenant| tenant.state == TenantState::Active).ok_or_else(absent)
    }

    /// Runs the handler, once per `Idempotency-Key`.
    async fn run(&self, mut call: Call, mut request: Request, next: Next) -> Response {
        request.extensions_mut().insert(self.spec.clone());
        let key = match idempotency::key(request.headers()) {
            Ok(None) => {
                request.extensions_mut().insert(call);
                return next.run(request).await;
            }
            Ok(Some(_)) if !self.spec.idempotent && self.spec.method == Method::POST => {
                return Problem::of(&pages::IDEMPOTENCY_KEY)
                    .detail("this door takes no Idempotency-Key")
                    .into_response();
            }
            // On other methods the header has no meaning.
            Ok(Some(_)) if !self.spec.idempotent => {
                request.extensions_mut().insert(call);
                return next.run(request).await;
            }
            Ok(Some(key)) => key,
            Err(problem) => return problem.into_response(),
        };
        let bytes_max = self.bytes_max();
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let (parts, body) = request.into_parts();
        let body = match collect(Request::from_parts(parts.clone(), body), bytes_max).await {
            Ok(body) => body,
            Err(problem) => return problem.into_response(),
        };
        let digest = idempotency::digest(&parts.method, &path, &body);
        let actor = call.principal.as_ref().map_or("", |principal| principal.id.as_str());
        let ctx = call.ctx.clone();
        match idempotency::begin(&self.edge, &ctx, actor, &key, digest).await {
            Err(problem) => problem.into_response(),
            Ok(Begun::Replay(response)) => response,
            Ok(Begun::Fresh(mark)) => {
                call.mark = Some(mark.clone());
                let mut request = Request::from_parts(parts, Body::from(body));
                request.extensions_mut().insert(call);
                let response = next.run(request).await;
                idempotency::finish(&self.edge, &ctx, &mark, response).await
            }
        }
    }

    /// Writes the event of a refusal that its room has not written. `known` says that somebody was authenticated.
    async fn record(&self, ctx: &Ctx, known: bool, response: &mut Response) {
        let Some(pending) = response.extensions().get::<Pending>() else { return };
        let (status, code, recorded) = match pending {
            Pending::Problem(problem) => {
                self.declared(problem);
                (problem.page.status, problem.page.code, problem.recorded)
            }
            Pending::Oauth(answer) => (answer.error.status, answer.error.error.as_str(), answer.recorded),
        };
        // A fault of ours is no refusal, and what the ledger cannot take it cannot take; what a reader without token cannot have
        // is no refusal either.
        let ours = status >= 500 && status != 503 || code.starts_with("ledger/");
        let absent_to_stranger = !known && self.spec.method == Method::GET && matches!(status, 404 | 410);
        if recorded || ours || absent_to_stranger {
            return;
        }
        let operation = self.spec.operation.to_owned();
        let event = match (status, self.spec.who) {
            (429, _) => Event::RateLimitTripped { class: self.spec.class.as_str().to_owned() },
            (401, Who::Role(_) | Who::Operator(_) | Who::LogReader) => {
                Event::AuthenticationRefused { operation, code: code.to_owned() }
            }
            (403, Who::Role(permission) | Who::Operator(permission)) if code == pages::FORBIDDEN.code => {
                Event::AccessRefused { operation, permission: permission.as_str().to_owned() }
            }
            _ => Event::RequestRefused { status: status.into(), operation, code: code.to_owned() },
        };
        let store = self.edge.store();
        if known && !matches!(status, 429 | 503) {
            if let Err(fault) = store.record(ctx, event).await {
                tracing::warn!(request_id = %ctx.request_id, %fault, "a refusal was not recorded");
            }
        } else {
            self.edge.flood().note(store, ctx, event).await;
        }
    }

    /// A problem that its door does not name is missing from the OpenAPI document: a defect of ours.
    fn declared(&self, problem: &Problem) {
        let every_door = pages::ALL.contains(&problem.page);
        if !every_door && !self.spec.problems.contains(&problem.page) {
            tracing::error!(
                operation = self.spec.operation,
                code = problem.page.code,
                "an undeclared problem"
            );
            self.edge.undeclared(self.spec.operation, problem.page.code);
        }
    }
}

/// The caller's own tenant, with the caller as actor.
fn home_of(ctx: &Ctx, principal: &Principal) -> Ctx {
    let mut home = ctx.for_tenant(principal.home.clone());
    home.actor = principal.actor();
    home
}

/// The bearer text of a request.
fn bearer(headers: &HeaderMap) -> Result<&str, Unknown> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let value = all.next().ok_or(Unknown::Missing)?;
    if all.next().is_some() {
        return Err(Unknown::Unreadable);
    }
    let (scheme, text) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Unknown::Unreadable)?;
    if !scheme.eq_ignore_ascii_case("bearer") || text.is_empty() || text.contains(' ') {
        return Err(Unknown::Unreadable);
    }
    Ok(text)
}

/// 401, the same for every token that was refused; only its absence is told apart (RFC 6750, 3.1).
fn unauthenticated(unknown: &Unknown) -> Problem {
    let mut problem = Problem::of(&pages::UNAUTHENTICATED);
    problem.challenge = Some(HeaderValue::from_static(match unknown {
        Unknown::Missing => "Bearer realm=\"tessera\"",
        _ => "Bearer realm=\"tessera\", error=\"invalid_token\"",
    }));
    problem
}

/// Whether the principal bears an operator's session: `By` is not read elsewhere in this file.
impl Principal {
    /// The session, where an operator bears one.
    #[must_use]
    pub const fn session(&self) -> Option<&tenancy::operator::Known> {
        match &self.by {
            By::Session(known) => Some(known),
            By::Token | By::Outside { .. } => None,
        }
    }
}

/// How a store's fault reads at a door.
impl From<store::StoreFault> for Problem {
    fn from(fault: store::StoreFault) -> Self {
        use store::StoreFault as Fault;
        let page = match &fault {
            Fault::Quarantined { .. } => &pages::LEDGER_QUARANTINED,
            Fault::Busy | Fault::DiskFull { .. } | Fault::LedgerUnavailable { .. } | Fault::Closed => {
                &pages::LEDGER_UNAVAILABLE
            }
            Fault::NoLog { .. }
            | Fault::NoKey { .. }
            | Fault::Sealed { .. }
            | Fault::UnitTooLarge { .. }
            | Fault::Statement { .. }
            | Fault::Constraint { .. }
            | Fault::Column { .. }
            | Fault::Event { .. }
            | Fault::Engine { .. } => &pages::FAULT,
        };
        tracing::error!(%fault, "the store failed");
        let mut problem = Self::of(page);
        problem.retry_after = fault.retry_after_s().map(|s| jiff::SignedDuration::from_secs(s.into()));
        problem
    }
}
