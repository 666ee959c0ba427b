//! Pages for the browser on the wallet's device: one that opens the wallet, and the door by which it comes back. Neither has a
//! script, and neither shows anything of a presentation.

use super::refusal;
use crate::Verifier;
use crate::browser::Page;
use crate::page;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use edge::problem::pages;
use edge::{Call, Door, Doors, Path, Problem, Query, Who};
use schemars::JsonSchema;
use serde::Deserialize;

/// Seconds that a browser keeps its cookie: the longest request and the longest way back.
const COOKIE_AGE_S: u64 = crate::request::SESSION_TTL_S_MAX + openid::vp::session::RETURN_TTL_S_MAX as u64;

/// What the wallet's way back carries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReturnQuery {
    /// The code.
    response_code: String,
}

pub(super) fn doors() -> Doors<Verifier> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/vp/present/{secret}")
                .operation("showPresentationPage")
                .summary("The page that opens a wallet on this device and marks its browser")
                .who(Who::Tenant)
                .answer_of(200, "text/html", "the page")
                .html()
                .page(),
            present,
        )
        .door(
            Door::get("/t/{tenant}/vp/present/{secret}/return")
                .operation("returnToPresentationPage")
                .summary("The way back from the wallet: only the browser that opened the page goes on")
                .who(Who::Tenant)
                .query::<ReturnQuery>()
                .empty(303, "on to the relying party")
                .problems(&[&page::RETURN_REFUSED])
                .html()
                .page(),
            came_back,
        )
}

async fn present(
    State(verifier): State<Verifier>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let page = verifier.page(&call.ctx, call.tenant_name(), &secret).await?;
    let page = page.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let mut response = Html(shown(&page)).into_response();
    let headers = response.headers_mut();
    if let Ok(set) = HeaderValue::from_str(&cookie(&verifier, &page)) {
        headers.append(header::SET_COOKIE, set);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn came_back(
    State(verifier): State<Verifier>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
    Query(query): Query<ReturnQuery>,
    headers: HeaderMap,
) -> Result<Redirect, Problem> {
    let name = cookie_name(&verifier, &crate::secrets::browser_name(&secret));
    let cookie = cookie_in(&headers, &name);
    let on = verifier.returned_here(&call.ctx, &secret, &query.response_code, cookie).await;
    Ok(Redirect::to(&on.map_err(refusal::returned)?))
}

/// Bound to host and path where there is TLS (`__Host-`).
fn cookie_name(verifier: &Verifier, name: &str) -> String {
    let prefix = if verifier.config.public_url.starts_with("https://") { "__Host-" } else { "" };
    format!("{prefix}tessera_vp_{name}")
}

fn cookie(verifier: &Verifier, page: &Page) -> String {
    let name = cookie_name(verifier, &page.cookie_name);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let value = &page.cookie;
    format!("{name}={value}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}")
}

/// The one cookie of that name; two of them are none.
fn cookie_in<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let (value, None) = (own.next()?, own.next()) else { return None };
    Some(value)
}

fn shown(page: &Page) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Show a credential</title></head>\n\
         <body><main><h1>Show a credential</h1>\
         <p>Your wallet will tell you who asks and what for, and shows nothing before you agree. \
         It brings you back here, to this very browser.</p>\
         <p><a href=\"{}\">Open your wallet</a></p></main></body>\n</html>\n",
        escaped(&page.link)
    )
}

/// Text for an attribute in double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
