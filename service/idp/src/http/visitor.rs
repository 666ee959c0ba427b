//! Who comes in a browser: its one cookie, which names it in T0 and nothing else, and the coarse name that the wallet's person reads.

use crate::{Idp, page};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use edge::Problem;
use store::Ctx;

/// Seconds that a browser keeps its cookie: longer than any sign-in.
const COOKIE_AGE_S: u32 = 3_600;

/// The cookie's name: bound to host and path where there is TLS (`__Host-`).
fn cookie_name(idp: &Idp) -> &'static str {
    if idp.config().public_url.starts_with("https://") { "__Host-tessera_browser" } else { "tessera_browser" }
}

/// The browser's cookie: the one it has, or a new one and the header that sets it.
pub(super) fn cookie_of(idp: &Idp, ctx: &Ctx, headers: &HeaderMap) -> (String, Option<String>) {
    if let Some(cookie) = cookie_in(idp, headers) {
        return (cookie, None);
    }
    let value = crypto::base64::url_encode(&ctx.random::<32>());
    let name = cookie_name(idp);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let set = format!("{name}={value}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}");
    (value, Some(set))
}

/// One cookie of that name with 43 characters of base64url; two of them are none.
fn cookie_in(idp: &Idp, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(idp);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let (value, None) = (own.next()?, own.next()) else { return None };
    crypto::base64::url_decode(value).is_ok_and(|bytes| bytes.len() == 32).then(|| value.to_owned())
}

pub(super) fn cookie_there(idp: &Idp, headers: &HeaderMap) -> Result<String, Problem> {
    cookie_in(idp, headers).ok_or_else(|| Problem::of(&page::OTHER_BROWSER))
}

pub(super) fn with_cookie(mut response: Response, set: Option<&str>) -> Response {
    if let Some(set) = set.and_then(|set| HeaderValue::from_str(set).ok()) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    response
}

/// What the wallet's person is told of the browser: its name alone, coarse on purpose.
pub(super) fn hint(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Most specific first: the others' names stand in its text too.
    let known = ["Edg/", "OPR/", "Firefox/", "Chromium/", "Chrome/", "Safari/"];
    let names = ["Edge", "Opera", "Firefox", "Chromium", "Chrome", "Safari"];
    let found = known.iter().zip(names).find(|(mark, _)| agent.contains(**mark));
    found.map_or("a browser", |(_, name)| name).to_owned()
}
