//! What every request passes before it meets a door, and every answer after: request id, host, bounds, time, headers, log.
//!
//! ```text
//! request ─▶ Ctx (now, id, entropy) ─▶ host ─▶ in flight? ─▶ [router ─▶ gate ─▶ handler] ─▶ problem worded ─▶ headers ─▶ log line
//! ```

use crate::door::{DoorSpec, Wording};
use crate::host::{self, Met};
use crate::problem::{Pending, Problem, pages};
use crate::{Edge, headers, metrics, oauth};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::SignedDuration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::{Actor, Ctx, TenantId};
use tlog::event::Event;

/// A request must be answered within this time (L&O §8).
pub(crate) const REQUEST_TIMEOUT_S: u64 = 60;
/// Requests in flight (L&O §8): beyond it 503.
pub(crate) const IN_FLIGHT_MAX: usize = 2_048;
/// Bytes of a request's target (L&O §8).
pub(crate) const TARGET_BYTES_MAX: usize = 8 << 10;

/// Names the request in answers and logs.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request as it arrived: not yet anybody's.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// The system tenant, nobody, now.
    pub(crate) ctx: Ctx,
    /// Where it came from; lives in memory only.
    pub(crate) address: IpAddr,
}

/// What the gate tells about a request it let in, for the log line.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) tenant: TenantId,
}

pub(crate) async fn pass(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let started = edge.clock().steady();
    let now = edge.clock().now();
    let ctx = Ctx::new(TenantId::SYSTEM, Actor::anonymous(), now, edge.entropy().clone());
    let method = request.method().clone();
    let html = crate::http::wants_html(request.headers());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let (parts, body) = request.into_parts();
    let address = host::client(&parts, peer, &edge.config().trusted_proxies);
    request = Request::from_parts(parts, body);
    request.extensions_mut().insert(Arrived { ctx: ctx.clone(), address });
    let response = serve(&edge, request, next).await;
    let spec = response.extensions().get::<Arc<DoorSpec>>().cloned();
    let (mut response, code) = word(&edge, &ctx, spec.as_deref(), html, response);
    if method == Method::HEAD && code.is_some() {
        *response.body_mut() = Body::empty();
    }
    if spec.is_none() {
        record(&edge, &ctx, response.status().as_u16(), code).await;
    }
    if let Ok(id) = HeaderValue::from_str(ctx.request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID_HEADER, id);
    }
    headers::harden(
        response.headers_mut(),
        edge.config().is_https(),
        spec.as_ref().is_some_and(|spec| spec.cors),
    );
    let took = edge.clock().steady().saturating_sub(started);
    note(&ctx, &method, &response, code, took);
    response
}

async fn serve(edge: &Edge, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Problem::of(&pages::BAD_REQUEST).detail("the target is longer than 8 KiB").into_response();
    }
    match edge.hosts().meet(request.uri(), request.headers()) {
        Met::Ours => {}
        Met::Redirect(to) => return redirect(&to),
        Met::Foreign(problem) => return problem.into_response(),
    }
    let Ok(_in_flight) = edge.in_flight().try_acquire() else {
        return Problem::of(&pages::OVERLOADED).retry_after(SignedDuration::from_secs(1)).into_response();
    };
    match tokio::time::timeout(Duration::from_secs(REQUEST_TIMEOUT_S), next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::of(&pages::TIMED_OUT).retry_after(SignedDuration::from_secs(1)).into_response(),
    }
}

/// What is refused before it meets a door: foreign hosts, and what is too much. An unknown path is no refusal.
async fn record(edge: &Edge, ctx: &Ctx, status: u16, code: Option<&'static str>) {
    let Some(code) = code.filter(|_| matches!(status, 421 | 503)) else { return };
    let event =
        Event::RequestRefused { status: status.into(), operation: "none".to_owned(), code: code.to_owned() };
    edge.flood().note(edge.store(), ctx, event).await;
}

fn redirect(to: &str) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// Gives a refusal its words; answers its code for the log.
fn word(
    edge: &Edge,
    ctx: &Ctx,
    spec: Option<&DoorSpec>,
    html: bool,
    response: Response,
) -> (Response, Option<&'static str>) {
    let base = edge.config().base();
    let Some(pending) = response.extensions().get::<Pending>().cloned() else { return (response, None) };
    let (mut worded, code) = match pending {
        Pending::Problem(problem) => {
            let worded = match spec.map_or(Wording::Problems, |spec| spec.wording) {
                Wording::Oauth => oauth::worded(&problem, base),
                Wording::Html if html => crate::http::html::refused(edge, &problem, ctx.request_id.as_str()),
                Wording::Problems | Wording::Html => problem.render(base, ctx.request_id.as_str()),
            };
            (worded, problem.page.code)
        }
        Pending::Oauth(answer) => (answer.render(base), answer.error.error.as_str()),
    };
    // `Allow` of a 405, and what a handler added to its refusal.
    for (name, value) in response.headers() {
        if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH)
            && !worded.headers().contains_key(name)
        {
            worded.headers_mut().insert(name.clone(), value.clone());
        }
    }
    *worded.extensions_mut() = response.extensions().clone();
    (worded, Some(code))
}

/// One line a request. The fields are an allow-list: no address, person, path parameter, query string or body.
fn note(ctx: &Ctx, method: &Method, response: &Response, code: Option<&'static str>, took: Duration) {
    let operation = response.extensions().get::<Arc<DoorSpec>>().map_or("none", |spec| spec.operation);
    let status = response.status().as_u16();
    metrics::request(operation, status, took);
    tracing::info!(
        target: "tessera::request",
        request_id = ctx.request_id.as_str(),
        method = method.as_str(),
        operation,
        tenant = response.extensions().get::<Passed>().map_or("system", |passed| passed.tenant.as_str()),
        status,
        code = code.unwrap_or_default(),
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "request"
    );
}
