//! One-time links: `GET /once/{token}` shows a button and spends nothing, `POST` spends and opens the operator's session.

use super::{Empty, page, wants_html};
use crate::Edge;
use crate::answer::Answer;
use crate::door::{Door, Doors, SMALL_BODY_BYTES_MAX, Who};
use crate::extract::{Call, Path};
use crate::limit::Class;
use crate::problem::tenancy_pages::LINK_GONE;
use crate::problem::{Problem, pages};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use store::Refused;
use tenancy::operator::{LinkError, Session};

/// The cookie of a browser's session (experience §8).
const COOKIE: &str = "__Host-tessera_console";

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
                .problems(&[&LINK_GONE]),
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
async fn show(State(edge): State<Edge>, call: Call, Path(token): Path<String>) -> Result<Response, Problem> {
    if !edge.tenancy().link_is_open(&call.ctx, &token).await? {
        return Ok(gone_page());
    }
    let main = "<p>This link opens an operator's session. It works once.</p>\n<form method=\"post\">\n\
                <button type=\"submit\">Open the session</button>\n</form>\n\
                <p>In a terminal: <code>tessera login --link</code> and this address.</p>";
    Ok(page(StatusCode::OK, "One-time link", main))
}

/// `POST /once/{token}`: JSON for programs, a cookie for browsers.
async fn spend(
    State(edge): State<Edge>,
    call: Call,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    same_origin(&headers)?;
    let html = wants_html(&headers);
    let session = match edge.tenancy().spend_link(&call.ctx, &token).await {
        Ok(session) => session,
        Err(LinkError::Store(fault)) => return Err(fault.into()),
        Err(LinkError::Gone { operator, tenant, recorded }) => {
            if !recorded {
                let ctx = call.ctx.for_tenant(tenant.clone());
                let event = LinkError::Gone { operator, tenant, recorded }.event();
                edge.flood().note(edge.store(), &ctx, event).await;
            }
            return if html { Ok(gone_page()) } else { Err(Problem::of(&LINK_GONE).recorded()) };
        }
    };
    if html {
        return Ok(browser(&edge, &session));
    }
    Ok(Answer::ok(Opened::from(&session)).event(&session.committed).into_response())
}

/// 303 to the front page, with the session in a cookie that scripts cannot read.
fn browser(edge: &Edge, session: &Session) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let ttl_s = edge.tenancy().config().session_ttl_s;
    let cookie = format!(
        "{COOKIE}={}; Path=/; Max-Age={ttl_s}; Secure; HttpOnly; SameSite=Lax",
        session.token.expose()
    );
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    response
}

/// Spent, old and foreign links: one and the same page.
fn gone_page() -> Response {
    let main = "<p>A one-time link works once and for fifteen minutes. This one was used, is too old, or is not from here.</p>\n\
                <p>Have another made: <code>tessera operator link</code></p>";
    page(StatusCode::GONE, "This link is spent, old or not ours", main)
}

/// A browser says where a form was posted from; another site's is refused, so nobody is signed in to a foreign session.
fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Problem::of(&pages::CROSS_SITE)),
    }
}
