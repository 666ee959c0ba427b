//! Answers of handlers: a status, JSON, and the headers that go with an act.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use store::Committed;

/// Names the event of a change: `evt_…`.
pub const EVENT_HEADER: HeaderName = HeaderName::from_static("tessera-event");

/// JSON with a status. `no-store` unless the handler says otherwise.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    status: StatusCode,
    body: T,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<T: Serialize> Answer<T> {
    /// 200.
    #[must_use]
    pub const fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, body, headers: Vec::new() }
    }

    /// 201.
    #[must_use]
    pub const fn created(body: T) -> Self {
        Self { status: StatusCode::CREATED, body, headers: Vec::new() }
    }

    /// 202.
    #[must_use]
    pub const fn accepted(body: T) -> Self {
        Self { status: StatusCode::ACCEPTED, body, headers: Vec::new() }
    }

    /// Names the event that the act wrote (`Tessera-Event`).
    #[must_use]
    pub fn event(self, committed: &Committed) -> Self {
        self.header(EVENT_HEADER, &committed.event_id.to_string())
    }

    /// A further header; text that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.body) else {
            tracing::error!("an answer does not serialise");
            return crate::problem::Problem::of(&crate::problem::pages::FAULT).into_response();
        };
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// An act without an answer to read: 204 and the event.
#[derive(Clone, Debug)]
pub struct Done(pub Committed);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(value) = HeaderValue::from_str(&self.0.event_id.to_string()) {
            response.headers_mut().insert(EVENT_HEADER, value);
        }
        response
    }
}
