//! From a kept request to a session: the authorization door.

use super::super::visitor::{cookie_of, hint, with_cookie};
use super::{problem_of, wants_json};
use crate::Idp;
use crate::authorize::OpenError;
use crate::pages;
use crate::par::BeginError;
use crate::signin::{Browser, Opened, SigninError};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use edge::limit::Class;
use edge::{Answer, Call, Door, Doors, Form, Problem, Who};
use openid::oauth::form::FORM_BYTES_MAX;
use openid::oidc::AuthorizationAnswer;
use seal::code::Sid;
use serde::Serialize;

pub(super) fn doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/idp/authorize")
                .operation("authorize")
                .summary("Opens a sign-in for a pushed request (OpenID Connect Core 1.0, 3.1.2; RFC 9126) and leads to its page, or answers JSON")
                .who(Who::Tenant)
                .rate(Class::Page)
                .answer::<OpenedView>(200, "the session, for `Accept: application/json`")
                .empty(303, "to the session's page, to the same with a request_uri, or back to the relying party"),
            authorize,
        )
        .door(
            Door::post("/t/{tenant}/idp/authorize")
                .operation("postAuthorize")
                .summary("The same for a form of the relying party's own page; it uses no cookie")
                .who(Who::Tenant)
                .rate(Class::Page)
                .form::<AuthorizeForm>(FORM_BYTES_MAX)
                .empty(303, "to the same by GET"),
            post_authorize,
        )
}

/// The form of a request through the browser, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oidc::request; this describes it")]
struct AuthorizeForm {
    /// The relying party.
    client_id: String,
    /// Of a pushed request.
    request_uri: Option<String>,
}

/// A session as a program that opens it sees it.
#[derive(Serialize, schemars::JsonSchema)]
struct OpenedView {
    /// The session.
    sid: String,
    /// `open`.
    state: &'static str,
    /// For the wallet.
    claim_uri: String,
    /// To be polled.
    state_url: String,
    /// When it ends unless a wallet claims it, in seconds since 1970.
    expires_at: i64,
    /// Goes with every POST of this session.
    form_token: String,
}

async fn authorize(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let form = openid::oauth::Form::parse(query.unwrap_or_default().as_bytes(), FORM_BYTES_MAX);
    let Ok(form) = form else {
        return Ok(refused_page(&idp, "The address of this page cannot be read.", "invalid_request"));
    };
    let (Some(client_id), Some(uri)) = (form.get("client_id"), form.get("request_uri")) else {
        return begun(&idp, &call, &form).await;
    };
    let (cookie, set) = cookie_of(&idp, &call.ctx, &headers);
    let hint = hint(&headers);
    let browser = Browser { cookie: &cookie, hint: &hint };
    match idp.open(&call.ctx, call.tenant_name(), (client_id, uri), &browser).await {
        Ok(opened) => {
            // A person goes to the page of the session: a reload of this very address would find the request spent at its end.
            let shown = if wants_json(&headers) {
                Answer::ok(idp.opened_view(&call, &opened, &cookie).await?).into_response()
            } else {
                let issuer = idp.config().issuer(call.tenant_name());
                Redirect::to(&format!("{issuer}/sessions/{}", opened.sid)).into_response()
            };
            Ok(with_cookie(shown, set.as_deref()))
        }
        Err(fault) => not_opened(&idp, call.tenant_name(), fault),
    }
}

async fn post_authorize(State(idp): State<Idp>, call: Call, Form(form): Form) -> Result<Response, Problem> {
    match (form.get("client_id"), form.get("request_uri")) {
        (Some(client_id), Some(uri)) => Ok(to_authorize(&idp, call.tenant_name(), client_id, uri)),
        _ => begun(&idp, &call, &form).await,
    }
}

/// A request that came through the browser itself is kept, and the browser sent on with its `request_uri`.
async fn begun(idp: &Idp, call: &Call, form: &openid::oauth::Form) -> Result<Response, Problem> {
    match idp.begin(&call.ctx, call.tenant_name(), form).await {
        Ok((client_id, uri)) => Ok(to_authorize(idp, call.tenant_name(), &client_id, &uri)),
        Err(fault) => not_opened(idp, call.tenant_name(), fault.into()),
    }
}

fn to_authorize(idp: &Idp, tenant: &str, client_id: &str, request_uri: &str) -> Response {
    let query = openid::oauth::form::encode(&[("client_id", client_id), ("request_uri", request_uri)]);
    Redirect::to(&format!("{}/authorize?{query}", idp.config().issuer(tenant))).into_response()
}

/// Why nothing was opened: to the relying party where its address was compared, else to the person alone.
fn not_opened(idp: &Idp, tenant: &str, fault: OpenError) -> Result<Response, Problem> {
    match fault {
        OpenError::Begin(BeginError::Redirect { error, redirect }) => {
            let answer = AuthorizationAnswer::error(redirect, &idp.config().issuer(tenant), &error);
            Ok(Redirect::to(&answer.location()).into_response())
        }
        OpenError::Begin(BeginError::Page(error)) => {
            Ok(refused_page(idp, error.description, error.error.as_str()))
        }
        OpenError::Signin(SigninError::PartyInactive) => Ok(refused_page(
            idp,
            "The service that sent you here may not ask anybody to sign in.",
            "unauthorized_client",
        )),
        OpenError::Begin(BeginError::Store(fault)) => Err(fault.into()),
        OpenError::Signin(fault) => Err(problem_of(fault)),
    }
}

impl Idp {
    async fn opened_view(&self, call: &Call, opened: &Opened, cookie: &str) -> Result<OpenedView, Problem> {
        let (issuer, sid) = (self.config().issuer(call.tenant_name()), opened.sid);
        Ok(OpenedView {
            sid: sid.to_string(),
            state: "open",
            claim_uri: self.claim_uri(call.tenant_name(), &sid),
            state_url: format!("{issuer}/sessions/{sid}/state"),
            expires_at: opened.expires_at.as_second(),
            form_token: self.form_token(&call.ctx, &sid, cookie).await?,
        })
    }

    /// Where a wallet claims a session.
    pub(super) fn claim_uri(&self, tenant: &str, sid: &Sid) -> String {
        format!("{}/seal/s/{sid}", self.config().base(tenant))
    }
}

fn refused_page(idp: &Idp, what: &str, code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Html(pages::refused(&idp.assets(), what, code))).into_response()
}
