//! `POST /oauth/token`.

use axum::extract::State as Room;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::limit::Class;
use edge::{Answer, Call, Door, Doors, Form, OauthAnswer, Problem, Who};
use jiff::SignedDuration;
use openid::oauth::{ClientAuth, ErrorCode, OauthError, TokenResponse};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Custody;
use crate::token::TokenError;

pub(super) fn doors() -> Doors<Custody> {
    Doors::new().door(
        Door::post("/oauth/token")
            .operation("issueToken")
            .summary("An access token of 900 seconds for a service account")
            .who(Who::Public)
            .rate(Class::Token)
            .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
            .answer::<TokenResponse>(200, "The token")
            .oauth(),
        issue,
    )
}

/// A token request (RFC 6749, 4.4). The client shows who it is by a Basic header, by `client_secret`, or by `client_assertion`.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for the OpenAPI document: the form is read by openid::oauth")]
struct TokenForm {
    /// `client_credentials`.
    grant_type: String,
    /// Names of roles of the account, separated by spaces; all of them where nothing is said.
    scope: Option<String>,
    /// `svc_…`, without a Basic header.
    client_id: Option<String>,
    /// The secret, without a Basic header.
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// A JWT signed by the account's own key (`private_key_jwt`).
    client_assertion: Option<String>,
}

/// `POST /oauth/token`: RFC 6749, 4.4; RFC 7523; RFC 9068.
async fn issue(
    Room(custody): Room<Custody>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Answer<TokenResponse>, Refused> {
    let authorization = authorization(&headers)?;
    if let Ok(client) = ClientAuth::read(authorization, &form) {
        call.limit(Class::Token, client.client_id().unwrap_or_default())?;
    }
    let token = custody.issue_token(&call.ctx, authorization, &form).await?;
    Ok(Answer::ok(token).header(header::PRAGMA, "no-cache"))
}

/// The one Authorization header, if it came.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let refused = || {
        Refused::Oauth(Box::new(OauthError::invalid_request("the Authorization header came twice").into()))
    };
    match (first, second) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| OauthError::invalid_client().into()),
        (Some(_), Some(_)) => Err(refused()),
    }
}

/// Why no token is issued: edge words problems as this door does.
enum Refused {
    Problem(Problem),
    Oauth(Box<OauthAnswer>),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Oauth(answer) => answer.into_response(),
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<OauthError> for Refused {
    fn from(error: OauthError) -> Self {
        Self::Oauth(Box::new(error.into()))
    }
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Oauth { error, event: Some(_) } => {
                Self::Oauth(Box::new(OauthAnswer::from(error).recorded()))
            }
            TokenError::Oauth { error, event: None } => error.into(),
            TokenError::Store(fault) => Self::Problem(fault.into()),
            TokenError::Sign(fault) => {
                tracing::error!(%fault, "the key of access tokens does not sign");
                let error = OauthError::of(ErrorCode::TemporarilyUnavailable, "tokens cannot be signed now");
                Self::Oauth(Box::new(OauthAnswer::from(error).retry_after(SignedDuration::from_secs(5))))
            }
        }
    }
}
