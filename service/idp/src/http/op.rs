//! The doors of the OpenID Provider, under `I`: metadata, pushed requests, tokens, userinfo, introspection, revocation.

use crate::Idp;
use crate::op::{OpError, Presented};
use crate::par::PushedAnswer;
use crate::userinfo::Userinfo;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use custody::SignError;
use edge::limit::Class;
use edge::{Answer, Call, Door, Doors, Form, OauthAnswer, Problem, Who};
use jiff::SignedDuration;
use openid::oauth::form::FORM_BYTES_MAX;
use openid::oauth::{ErrorCode, OauthError};
use openid::oidc::{Introspection, ProviderTokenResponse};
use serde_json::Value;
use store::StoreFault;

/// The header of a proof of possession (RFC 9449, 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The header of a nonce for proofs (RFC 9449, 8.1).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Seconds that a cache may keep metadata and keys.
const DOCUMENT_MAX_AGE: &str = "public, max-age=300";
/// Bytes of a form with a token or a code, an assertion and a few texts.
const TOKEN_FORM_BYTES_MAX: usize = 32 << 10;

pub(super) fn doors() -> Doors<Idp> {
    documents().and(token_doors()).and(userinfo_doors())
}

fn documents() -> Doors<Idp> {
    let metadata = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("Metadata of the OpenID Provider (OpenID Connect Discovery 1.0, 4; RFC 8414)")
            .who(Who::Tenant)
            .answer_of(200, "application/json", "the metadata")
            .cors()
    };
    Doors::new()
        .door(
            metadata("/t/{tenant}/idp/.well-known/openid-configuration", "fetchProviderMetadata"),
            provider_metadata,
        )
        .door(
            metadata("/.well-known/openid-configuration/t/{tenant}/idp", "fetchProviderMetadataInserted"),
            provider_metadata,
        )
        .door(
            metadata("/.well-known/oauth-authorization-server/t/{tenant}/idp", "fetchProviderServerMetadata"),
            provider_metadata,
        )
        .door(
            Door::get("/t/{tenant}/idp/jwks")
                .operation("showProviderKeys")
                .summary("Public parts of the keys that sign tokens and receipts")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "the set")
                .cors(),
            provider_keys,
        )
}

fn token_doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::post("/t/{tenant}/idp/par")
                .operation("pushAuthorizationRequest")
                .summary("Takes an authorization request from its relying party (RFC 9126)")
                .who(Who::Tenant)
                .form::<PushForm>(FORM_BYTES_MAX)
                .answer::<PushedAnswer>(201, "where the browser is sent with it")
                .oauth()
                .cors(),
            push,
        )
        .door(
            Door::post("/t/{tenant}/idp/token")
                .operation("fetchTokens")
                .summary("Tokens for a code or a refresh token, once (OpenID Connect Core 1.0, 3.1.3)")
                .who(Who::Tenant)
                .form::<TokenForm>(TOKEN_FORM_BYTES_MAX)
                .answer::<ProviderTokenResponse>(200, "the tokens")
                .oauth()
                .cors(),
            token,
        )
        .door(
            Door::post("/t/{tenant}/idp/introspect")
                .operation("introspectToken")
                .summary("What a relying party may know of its own token (RFC 7662)")
                .who(Who::Tenant)
                .form::<OneTokenForm>(TOKEN_FORM_BYTES_MAX)
                .answer::<Introspection>(200, "whether it opens anything, and what")
                .oauth(),
            introspect,
        )
        .door(
            Door::post("/t/{tenant}/idp/revoke")
                .operation("revokeToken")
                .summary("Ends the grant of a relying party's own token (RFC 7009)")
                .who(Who::Tenant)
                .form::<OneTokenForm>(TOKEN_FORM_BYTES_MAX)
                .empty(200, "the token opens nothing")
                .oauth()
                .cors(),
            revoke,
        )
}

fn userinfo_doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/idp/userinfo")
                .operation("fetchUserinfo")
                .summary("The granted claims of whoever signed in (OpenID Connect Core 1.0, 5.3)")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "the claims")
                .answer_of(200, "application/jwt", "the claims, signed")
                .oauth()
                .cors(),
            userinfo,
        )
        .door(
            Door::post("/t/{tenant}/idp/userinfo")
                .operation("postUserinfo")
                .summary("The same, for a token in the form (RFC 6750, 2.2)")
                .who(Who::Tenant)
                .form::<UserinfoForm>(TOKEN_FORM_BYTES_MAX)
                .answer_of(200, "application/json", "the claims")
                .answer_of(200, "application/jwt", "the claims, signed")
                .oauth()
                .cors(),
            userinfo_by_form,
        )
}

/// The form of a pushed request, for the OpenAPI document: the parameters of OpenID Connect Core 1.0, 3.1.2.1, and whatever the client
/// shows itself by.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oidc::request; this describes it")]
struct PushForm {
    /// The relying party.
    client_id: String,
    /// `code`.
    response_type: Option<String>,
    /// Registered.
    redirect_uri: Option<String>,
    /// Registered words, `openid` among them.
    scope: Option<String>,
    /// Instead of all of them: a signed request (RFC 9101).
    request: Option<String>,
}

/// The form of a token request, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oidc::token; this describes it")]
struct TokenForm {
    /// `authorization_code` or `refresh_token`.
    grant_type: String,
    /// With `authorization_code`.
    code: Option<String>,
    /// The one of the request.
    redirect_uri: Option<String>,
    /// Of PKCE.
    code_verifier: Option<String>,
    /// With `refresh_token`.
    refresh_token: Option<String>,
    /// With `refresh_token`: fewer scopes.
    scope: Option<String>,
}

/// A form with one token.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oidc::introspection; this describes it")]
struct OneTokenForm {
    /// The token.
    token: String,
    /// Not looked at.
    token_type_hint: Option<String>,
}

/// The form of a userinfo request.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "this describes the form")]
struct UserinfoForm {
    /// The access token, unless it stands in the header.
    access_token: Option<String>,
}

async fn provider_metadata(State(idp): State<Idp>, call: Call) -> Response {
    let own: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, DOCUMENT_MAX_AGE)];
    (own, Answer::ok(idp.provider_metadata(call.tenant_name()))).into_response()
}

async fn provider_keys(State(idp): State<Idp>, call: Call) -> Result<Response, Problem> {
    let own: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, DOCUMENT_MAX_AGE)];
    Ok((own, Answer::ok(idp.provider_jwks(&call.ctx).await?)).into_response())
}

async fn push(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Answer<PushedAnswer>, Refused> {
    limited(&call, &form)?;
    let presented = presented(&headers, "POST", "par")?;
    Ok(Answer::created(idp.push(&call.ctx, call.tenant_name(), &presented, &form).await?))
}

async fn token(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Answer<ProviderTokenResponse>, Refused> {
    limited(&call, &form)?;
    let presented = presented(&headers, "POST", "token")?;
    let tokens = idp.tokens(&call.ctx, call.tenant_name(), &presented, &form).await?;
    Ok(Answer::ok(tokens).header(header::PRAGMA, "no-cache"))
}

async fn introspect(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Answer<Introspection>, Refused> {
    limited(&call, &form)?;
    let presented = presented(&headers, "POST", "introspect")?;
    Ok(Answer::ok(idp.introspect(&call.ctx, call.tenant_name(), &presented, &form).await?))
}

async fn revoke(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<StatusCode, Refused> {
    limited(&call, &form)?;
    let presented = presented(&headers, "POST", "revoke")?;
    idp.revoke_token(&call.ctx, call.tenant_name(), &presented, &form).await?;
    Ok(StatusCode::OK)
}

async fn userinfo(State(idp): State<Idp>, call: Call, headers: HeaderMap) -> Result<Response, Refused> {
    let presented = presented(&headers, "GET", "userinfo")?;
    Ok(claims(idp.userinfo(&call.ctx, call.tenant_name(), &presented, None).await?))
}

async fn userinfo_by_form(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Refused> {
    let presented = presented(&headers, "POST", "userinfo")?;
    let in_body = form.get("access_token");
    Ok(claims(idp.userinfo(&call.ctx, call.tenant_name(), &presented, in_body).await?))
}

fn claims(userinfo: Userinfo) -> Response {
    match userinfo {
        Userinfo::Plain(claims) => Answer::ok(Value::Object(claims)).into_response(),
        Userinfo::Signed(jwt) => ([(header::CONTENT_TYPE, "application/jwt")], jwt).into_response(),
    }
}

/// The headers that say who asks. One that comes twice is two answers to one question.
fn presented<'a>(
    headers: &'a HeaderMap,
    method: &'static str,
    door: &'static str,
) -> Result<Presented<'a>, OauthError> {
    let authorization = once(headers, &header::AUTHORIZATION)
        .map_err(|()| OauthError::invalid_request("Authorization came twice or cannot be read"))?;
    let dpop = once(headers, &DPOP)
        .map_err(|()| OauthError::of(ErrorCode::InvalidDpopProof, "DPoP came twice or cannot be read"))?;
    Ok(Presented { authorization, dpop, method, door })
}

fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// A rate for each relying party that is named; strangers share their address's.
fn limited(call: &Call, form: &openid::oauth::Form) -> Result<(), Refused> {
    call.limit(Class::Token, form.get("client_id").unwrap_or_default()).map_err(Refused::Problem)
}

/// A refusal of these doors.
pub(super) enum Refused {
    /// The standard's own.
    Oauth(Box<OauthAnswer>),
    /// The house's.
    Problem(Problem),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Oauth(answer) => answer.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<OauthError> for Refused {
    fn from(error: OauthError) -> Self {
        Self::Oauth(Box::new(error.into()))
    }
}

impl From<OpError> for Refused {
    fn from(fault: OpError) -> Self {
        match fault {
            OpError::Oauth { error, recorded, dpop_nonce } => {
                let mut answer = OauthAnswer::from(error);
                answer.recorded = recorded;
                let nonce = dpop_nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok());
                let answer = match nonce {
                    Some(nonce) => answer.header(DPOP_NONCE, nonce),
                    None => answer,
                };
                Self::Oauth(Box::new(answer))
            }
            OpError::Store(fault) | OpError::Sign(SignError::Store(fault)) => store(fault),
            OpError::Sign(fault) => {
                tracing::error!(%fault, "tokens could not be signed");
                let error = OauthError::of(ErrorCode::TemporarilyUnavailable, "tokens cannot be signed now");
                Self::Oauth(Box::new(OauthAnswer::from(error).retry_after(SignedDuration::from_secs(60))))
            }
        }
    }
}

fn store(fault: StoreFault) -> Refused {
    Refused::Problem(fault.into())
}
