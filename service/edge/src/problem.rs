//! Problems: what a door answers when it refuses or fails (RFC 9457).
//!
//! ```text
//! room's error ──From──▶ Problem { page, detail, … } ──IntoResponse──▶ marked response ──gate──▶ type, instance, request_id
//! ```
//!
//! A [`Problem`] can only be made from a [`Page`], and a page is what `GET /problems/<room>/<code>` shows; so a code without its
//! page cannot exist. No secrets and no personal data stand in a problem.

pub mod oauth_pages;
pub mod page;
pub mod pages;
pub mod tenancy_pages;

use crate::oauth::OauthAnswer;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

pub use page::{Page, Pages};

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Pointers named in one answer: the first hundred faults are enough to mend a body.
pub const ERRORS_MAX: usize = 100;

/// A refusal or a fault, as our own API answers it. The rest of it is behind one pointer, so that a `Result` stays small.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Status, code, title and the page.
    pub page: &'static Page,
    told: Box<Told>,
}

/// What a problem says beyond its page.
#[derive(Clone, Debug)]
pub struct Told {
    /// What happened in this case, one sentence.
    pub detail: Cow<'static, str>,
    /// Why, in this case; the page's cause unless told.
    pub cause: Cow<'static, str>,
    /// What mends it; the page's fix unless told.
    pub fix: Cow<'static, str>,
    /// Places in the input and the rule each broke.
    pub errors: Vec<PointerError>,
    /// When to come again (429 and 503).
    pub retry_after: Option<SignedDuration>,
    /// Whether the room has written the refusal's event; the gate then writes none.
    pub recorded: bool,
    /// `WWW-Authenticate`, on 401.
    pub challenge: Option<HeaderValue>,
}

impl Deref for Problem {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.told
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.told
    }
}

/// One place in the input and the rule it broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointerError {
    /// JSON pointer into the body (RFC 6901); `?name` for a member of the query, `header:Name` for a header.
    pub pointer: String,
    /// The rule.
    pub detail: String,
}

impl PointerError {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

impl Problem {
    /// The problem of this page, with the page's own words.
    #[must_use]
    pub fn of(page: &'static Page) -> Self {
        let told = Told {
            detail: Cow::Borrowed(page.title),
            cause: Cow::Borrowed(page.cause),
            fix: Cow::Borrowed(page.fix),
            errors: Vec::new(),
            retry_after: None,
            recorded: false,
            challenge: None,
        };
        Self { page, told: Box::new(told) }
    }

    /// What happened in this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.told.detail = detail.into();
        self
    }

    /// Why, in this case.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.told.cause = cause.into();
        self
    }

    /// What mends it, in this case.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<Cow<'static, str>>) -> Self {
        self.told.fix = fix.into();
        self
    }

    /// One more place in the input; silently dropped past [`ERRORS_MAX`].
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, rule: impl Into<String>) -> Self {
        if self.told.errors.len() < ERRORS_MAX {
            self.told.errors.push(PointerError::new(pointer, rule));
        }
        self
    }

    /// When to come again.
    #[must_use]
    pub fn retry_after(mut self, wait: SignedDuration) -> Self {
        self.told.retry_after = Some(wait);
        self
    }

    /// The room has written the refusal's event already: the gate writes none.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.told.recorded = true;
        self
    }

    /// Status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document. `base` is `<public_url>`, `request_id` the id of the request.
    #[must_use]
    pub fn document(&self, base: &str, request_id: &str) -> Document {
        Document {
            kind: self.page.url(base),
            title: self.page.title.to_owned(),
            status: self.page.status,
            detail: self.detail.to_string(),
            instance: format!("urn:tessera:request:{request_id}"),
            code: self.page.code.to_owned(),
            cause: self.cause.to_string(),
            fix: self.fix.to_string(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// The answer with `type`, `instance` and `request_id` in place.
    pub(crate) fn render(&self, base: &str, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.document(base, request_id)).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1).unsigned_abs()));
        }
        if let Some(challenge) = &self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }
}

/// A refusal on its way to the gate, which alone knows the request id and the public URL.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// Of our own API.
    Problem(Problem),
    /// Of a door of OAuth or OpenID.
    Oauth(Box<OauthAnswer>),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Pending::Problem(self));
        response
    }
}

/// The JSON of a problem (RFC 9457, section 3), with our members.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Document {
    /// The page that explains the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means, the same each time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened in this case.
    pub detail: String,
    /// `urn:tessera:request:<request_id>`.
    pub instance: String,
    /// The stable code, as `api/unknown-member`.
    pub code: String,
    /// Why.
    pub cause: String,
    /// What mends it.
    pub fix: String,
    /// The id of the request, as in `X-Request-Id`.
    pub request_id: String,
    /// Places in the input and the rule each broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PointerError>,
}
