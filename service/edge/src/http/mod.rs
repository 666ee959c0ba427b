//! Doors of edge itself and of tenancy, which speaks no HTTP.

mod house;
pub(crate) mod html;
mod once;
mod operators;
mod service_accounts;
mod session;
mod tenants;

pub use once::signed_in;

use crate::Edge;
use crate::door::Doors;
use crate::problem::{Problem, pages as common};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::Deserialize;

/// Every door that stands in every house.
pub(crate) fn doors(edge: &Edge) -> Doors {
    let doors = house::doors()
        .and(once::doors())
        .and(session::doors())
        .and(tenants::doors())
        .and(operators::doors())
        .and(service_accounts::doors());
    doors.with(edge.clone())
}

/// A body that says nothing: some clients send `{}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// No door has this path.
pub(crate) async fn no_such_door() -> Problem {
    Problem::of(&common::NO_SUCH_DOOR)
}

/// The path has other methods; the router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::of(&common::METHOD_NOT_ALLOWED)
}

/// What a browser asks before a script of another origin may call a door that every origin may read.
pub(crate) fn preflight(methods: &[&'static str]) -> MethodRouter {
    let allow = HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("GET"));
    on(MethodFilter::OPTIONS, move || {
        let allow = allow.clone();
        async move {
            let mut response = StatusCode::NO_CONTENT.into_response();
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(
                    "authorization, content-type, dpop, oauth-client-attestation, oauth-client-attestation-pop",
                ),
            );
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
            response
        }
    })
}

/// Whether the caller is a browser that wants a page.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = |media: &str| accept.find(media).unwrap_or(usize::MAX);
    first("text/html") < first("application/json")
}
