//! One-time links: `GET /once/{token}` shows a button and spends nothing, `POST` spends and opens the operator's session.

use super::{Empty, html, wants_html};
use crate::Edge;
use crate::answer::Answer;
use crate::browser::{self, Browser, CONSOLE, FORM_TOKEN, SESSION_COOKIE};
use crate::door::{Door, Doors, SMALL_BODY_BYTES_MAX, Who};
use crate::extract::{Call, Path, collect};
use crate::limit::Class;
use crate::problem::Problem;
use crate::problem::tenancy_pages::LINK_GONE;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use openid::oauth::Form;
use schemars::JsonSchema;
use serde::Serialize;
use store::Refused;
use tenancy::operator::{LinkError, Session};

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::get("/once/{token}")
                .operation("showOnceLink")
                .summary("The page of a one-time link; spends nothing")
                .who(Who::Public)
                .rate(Class::Code)
                .answer_of(200, "text/html", "A page with one button")
                .answer_of(410, "text/html", "Spent, old or not ours")
                .page(),
            show,
        )
        .door(
            Door::post("/once/{token}")
                .operation("spendOnceLink")
                .summary("Spends a one-time link and opens its operator's session")
                .who(Who::Public)
                .rate(Class::Code)
                .optional_body::<Empty>(SMALL_BODY_BYTES_MAX)
                .answer::<Opened>(200, "The session, for programs")
                .empty(303, "A browser's session, as a cookie")
                .answer_of(410, "text/html", "Spent, old or not ours, for browsers")
                .problems(&[&LINK_GONE])
                .html(),
            spend,
        )
}

/// An operator's session, as a program gets it.
#[derive(Debug, Serialize, JsonSchema)]
struct Opened {
    /// The bearer text; shown this once.
    session_token: String,
    /// `ses_…`.
    session_id: String,
    /// `opr_…`.
    operator: String,
    /// The operator's tenant.
    tenant: String,
    /// The operator's role.
    role: String,
    /// When the session ends at the latest.
    expires_at: String,
}

impl From<&Session> for Opened {
    fn from(session: &Session) -> Self {
        Self {
            session_token: session.token.expose().clone(),
            session_id: session.id.clone(),
            operator: session.operator.id.clone(),
            tenant: session.tenant.to_string(),
            role: session.operator.role.to_string(),
            expires_at: session.expires_at.to_string(),
        }
    }
}

/// `GET /once/{token}`.
async fn show(
    State(edge): State<Edge>,
    call: Call,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !edge.tenancy().link_is_open(&call.ctx, &token).await? {
        return Ok(html::gone(&edge));
    }
    let browser = Browser::of_visitor(&call.ctx, &headers);
    let mut response = html::once(&edge, browser.form_token());
    response.headers_mut().extend(browser.set_cookie().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// `POST /once/{token}`: JSON for programs, a cookie for browsers.
async fn spend(
    State(edge): State<Edge>,
    call: Call,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let html = wants_html(&headers);
    if html {
        from_our_page(&call, request).await?;
    } else if headers.contains_key("sec-fetch-site") {
        browser::same_origin(&headers)?;
    }
    let session = match edge.tenancy().spend_link(&call.ctx, &token).await {
        Ok(session) => session,
        Err(LinkError::Store(fault)) => return Err(fault.into()),
        Err(LinkError::Gone { operator, tenant, recorded }) => {
            if !recorded {
                let ctx = call.ctx.for_tenant(tenant.clone());
                let event = LinkError::Gone { operator, tenant, recorded }.event();
                edge.flood().note(edge.store(), &ctx, event).await;
            }
            return if html { Ok(html::gone(&edge)) } else { Err(Problem::of(&LINK_GONE).recorded()) };
        }
    };
    if html {
        let ttl_s = edge.tenancy().config().session_ttl_s;
        return Ok(signed_in(&session, ttl_s, CONSOLE));
    }
    Ok(Answer::ok(Opened::from(&session)).event(&session.committed).into_response())
}

/// A browser posts the form of the page that it was shown; a program has no page and gets no cookie.
async fn from_our_page(call: &Call, request: Request) -> Result<(), Problem> {
    browser::same_origin(request.headers())?;
    let browser = Browser::of_visitor(&call.ctx, request.headers());
    let body = collect(request, SMALL_BODY_BYTES_MAX).await?;
    let form = Form::parse(&body, SMALL_BODY_BYTES_MAX).ok();
    browser.check(form.as_ref().and_then(|form| form.get(FORM_TOKEN)))
}

/// 303 to a page of the console, with the session in a cookie that scripts cannot read.
pub fn signed_in(session: &Session, ttl_s: i64, to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    let cookie = browser::set_cookie(SESSION_COOKIE, session.token.expose(), ttl_s);
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(header::LOCATION, to);
    }
    response
}
