//! Refusals of OAuth and OpenID doors as answers: `{"error", "error_description", "error_uri"}` (RFC 6749, 5.2).

use crate::problem::{Pending, Problem};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use openid::oauth::OauthError;
use serde::{Deserialize, Serialize};

/// An OAuth error on its way to the gate. Rooms write `impl From<TheirError> for OauthAnswer` in their `http.rs`.
#[derive(Clone, Debug)]
pub struct OauthAnswer {
    /// Status, code and description.
    pub error: OauthError,
    /// When to come again (429 and 503).
    pub retry_after: Option<SignedDuration>,
    /// Whether the room has written the refusal's event; the gate then writes none.
    pub recorded: bool,
    /// Further headers, as `DPoP-Nonce`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<OauthError> for OauthAnswer {
    fn from(error: OauthError) -> Self {
        Self { error, retry_after: None, recorded: false, headers: Vec::new() }
    }
}

impl OauthAnswer {
    /// When to come again.
    #[must_use]
    pub const fn retry_after(mut self, wait: SignedDuration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The room has written the refusal's event already: the gate writes none.
    #[must_use]
    pub const fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The JSON of an OAuth error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "OauthError")]
pub struct OauthDocument {
    /// The standard's code.
    pub error: String,
    /// One sentence for a developer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// The page that explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

impl IntoResponse for OauthAnswer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = status.into_response();
        response.extensions_mut().insert(Pending::Oauth(Box::new(self)));
        response
    }
}

impl OauthAnswer {
    /// The answer itself; `base` is `<public_url>`.
    pub(crate) fn render(&self, base: &str) -> Response {
        let code = self.error.error.as_str();
        let document = OauthDocument {
            error: code.to_owned(),
            error_description: Some(self.error.description.to_owned()),
            error_uri: Some(format!(
                "{}/problems/oauth/{}",
                base.trim_end_matches('/'),
                code.replace('_', "-")
            )),
        };
        let mut response = answer(self.error.status, &document, self.retry_after);
        if let Some(challenge) = self.error.www_authenticate().and_then(|text| text.parse().ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

/// A problem of edge's own at an OAuth door, worded as OAuth does; `base` is `<public_url>`.
pub(crate) fn worded(problem: &Problem, base: &str) -> Response {
    let error = match problem.page.status {
        401 => "invalid_token",
        403 => "access_denied",
        500 => "server_error",
        408 | 429 | 503 => "temporarily_unavailable",
        _ => "invalid_request",
    };
    let document = OauthDocument {
        error: error.to_owned(),
        error_description: Some(ascii(&problem.detail)),
        error_uri: Some(problem.page.url(base)),
    };
    let mut response = answer(problem.page.status, &document, problem.retry_after);
    if let Some(challenge) = &problem.challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

fn answer(status: u16, document: &OauthDocument, retry_after: Option<SignedDuration>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = serde_json::to_vec(document).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1).unsigned_abs()));
    }
    response
}

/// RFC 6749, 5.2 allows printable ASCII without `"` and `\`.
fn ascii(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\')).collect()
}
