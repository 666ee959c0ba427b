//! The wallet's doors (OpenID4VP 1.0): the signed request, the response, and the plain page behind it. They never redirect.

use super::refusal::{self, Refused};
use crate::Verifier;
use crate::page;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};
use edge::problem::pages;
use edge::{Answer, Call, Door, Doors, Form, Path, Problem, Raw, Who};
use openid::vp::request::REQUEST_MEDIA_TYPE;
use openid::vp::response::{Acknowledgement, RESPONSE_BYTES_MAX};

/// What a holder reads after every answer, accepted or declined: it releases nothing and tells nothing.
const DONE_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Done</title></head>\n\
<body><main><h1>Done</h1><p>Your wallet has answered. You can close this page and go back to where you began.</p></main></body>\n\
</html>\n";

pub(super) fn doors() -> Doors<Verifier> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/vp/request/{secret}")
                .operation("fetchPresentationRequest")
                .summary("The signed request behind a link (OpenID4VP 1.0, 5.7; RFC 9101); fetching changes nothing")
                .who(Who::Tenant)
                .answer_of(200, REQUEST_MEDIA_TYPE, "the signed request")
                .cors(),
            request,
        )
        .door(
            Door::post("/t/{tenant}/vp/request/{secret}")
                .operation("fetchPresentationRequestFor")
                .summary("The request signed for a wallet's nonce (OpenID4VP 1.0, 5.10), where its link says post")
                .who(Who::Tenant)
                .form::<WalletForm>(WALLET_FORM_BYTES_MAX)
                .answer_of(200, REQUEST_MEDIA_TYPE, "the signed request")
                .problems(&[&page::SIGNER_EXPIRING])
                .cors(),
            request_for,
        )
        .door(
            Door::post("/t/{tenant}/vp/response/{secret}")
                .operation("postPresentation")
                .summary("Takes a wallet's answer, once (OpenID4VP 1.0, 8.2 and 8.3.1)")
                .who(Who::Tenant)
                .form::<ResponseForm>(RESPONSE_BYTES_MAX)
                .answer_of(200, "application/json", "where the wallet sends the holder's browser")
                .oauth()
                .cors(),
            response,
        )
        .door(
            Door::get("/t/{tenant}/vp/done")
                .operation("showPresentationDone")
                .summary("The plain page after an answer")
                .who(Who::Tenant)
                .answer_of(200, "text/html", "the page")
                .page(),
            done,
        )
}

/// The form of an answer, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::vp::response; this describes it")]
struct ResponseForm {
    /// The encrypted answer, a compact JWE (`direct_post.jwt`).
    response: Option<String>,
    /// The answer in the clear, JSON (`direct_post`).
    vp_token: Option<String>,
    /// Instead of an answer: why there is none.
    error: Option<String>,
    /// The request's `state`, with `error` and `vp_token`.
    state: Option<String>,
}

/// What a wallet tells of itself, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct WalletForm {
    /// What the wallet can do, JSON. Nothing is chosen by it: every request offers the same.
    wallet_metadata: Option<String>,
    /// At most 256 characters, which the signed request repeats.
    #[schemars(length(max = 256))]
    wallet_nonce: Option<String>,
}

/// Bytes of a wallet's metadata and nonce.
const WALLET_FORM_BYTES_MAX: usize = 16 << 10;

async fn request_for(
    State(verifier): State<Verifier>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
    Form(form): Form,
) -> Result<impl IntoResponse, Problem> {
    let signed = verifier.request_for(&call.ctx, &secret, form.get("wallet_nonce")).await;
    let signed = signed.map_err(refusal::request)?.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let own: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, REQUEST_MEDIA_TYPE)];
    Ok((own, signed.expose().clone()))
}

async fn request(
    State(verifier): State<Verifier>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let signed = verifier.signed_request(&call.ctx, &secret).await?;
    let signed = signed.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let own: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, REQUEST_MEDIA_TYPE)];
    Ok((own, signed.expose().clone()))
}

async fn response(
    State(verifier): State<Verifier>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
    body: Raw,
) -> Result<Answer<Acknowledgement>, Refused> {
    let answered = verifier.respond(&call.ctx, call.tenant_name(), &secret, &body.bytes).await;
    answered.map(Answer::ok).map_err(refusal::response)
}

async fn done() -> Html<&'static str> {
    Html(DONE_PAGE)
}
