//! Operators' browsers: the cookies of the console, the token of each form, and where a form was posted from (experience §8).
//!
//! ```text
//! GET  ─▶ cookie of a session, or of a visitor ─▶ page with form token = time ‖ HMAC(cookie, time ‖ tenant)
//! POST ─▶ Sec-Fetch-Site: same-origin? ─▶ form token of this cookie, this tenant, not old? ─▶ handler
//! ```
//! The gate asks both before a handler runs, so no handler can forget. A form token is of no use without its cookie, which no script
//! reads, and says in which tenant its page was made: a form never acts in another one. Cookies open no door of the API.

use crate::extract::collect;
use crate::problem::{Problem, pages};
use axum::body::Body;
use axum::extract::Request;
use crypto::secret::Secret;
use crypto::{base64, hash};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use openid::oauth::Form;
use std::sync::Arc;
use store::Ctx;

/// Where the console stands under its origin.
pub const CONSOLE: &str = "/console";
/// Where a browser of nobody is led.
pub const SIGN_IN: &str = "/console/sign-in";
/// The cookie of a session.
pub const SESSION_COOKIE: &str = "__Host-tessera_console";
/// The cookie of a browser before anybody is known in it.
pub const VISITOR_COOKIE: &str = "__Host-tessera_visitor";
/// The cookie that names the tenant in which an operator of the system tenant acts. It carries no authority.
pub const TENANT_COOKIE: &str = "__Host-tessera_tenant";
/// The cookie that says how pages look. It carries no authority.
pub const THEME_COOKIE: &str = "__Host-tessera_theme";
/// How long a browser keeps that, seconds: a year.
pub const THEME_TTL_S: i64 = 31_536_000;
/// The member of every form that carries its token.
pub const FORM_TOKEN: &str = "form_token";

/// A form is good for so long, seconds: nobody leaves one open for two hours and means it still.
pub const FORM_TTL_S: i64 = 7_200;
/// A visitor's cookie lives as long as the forms that are bound to it.
const VISITOR_TTL_S: i64 = FORM_TTL_S;
/// Characters of a cookie of ours: a session's is the longest.
const COOKIE_CHARS_MAX: usize = 64;
/// Bytes of a form token: time and HMAC.
const TOKEN_BYTES: usize = 8 + 32;
/// Tells these HMACs from whatever else a bearer text may key.
const LABEL: &[u8] = b"tessera/form/1";

/// The browser of a call: what its forms are bound to.
#[derive(Clone, Debug)]
pub struct Browser {
    secret: Arc<Secret<String>>,
    about: String,
    now: Timestamp,
    fresh: bool,
    theme: Theme,
    at: String,
}

/// How pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system of the reader has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its word in forms, cookies and classes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }
}

impl Browser {
    /// Of a session's cookie, in the tenant of `ctx`.
    pub(crate) fn of_session(ctx: &Ctx, cookie: &str) -> Self {
        Self::new(ctx, cookie.to_owned(), false)
    }

    /// Of the visitor's cookie that came, or of a new one.
    #[must_use]
    pub fn of_visitor(ctx: &Ctx, headers: &HeaderMap) -> Self {
        let known = cookie(headers, VISITOR_COOKIE);
        match known.filter(|text| base64::url_decode(text).is_ok_and(|bytes| bytes.len() == 32)) {
            Some(text) => Self::new(ctx, text.to_owned(), false),
            None => Self::new(ctx, base64::url_encode(&ctx.random::<32>()), true),
        }
    }

    fn new(ctx: &Ctx, secret: String, fresh: bool) -> Self {
        let about = ctx.tenant.as_str().to_owned();
        let secret = Arc::new(Secret::new(secret));
        Self { secret, about, now: ctx.now, fresh, theme: Theme::default(), at: CONSOLE.to_owned() }
    }

    /// The same, as it asks for a page.
    pub(crate) fn at(self, parts: &http::request::Parts) -> Self {
        let theme = cookie(&parts.headers, THEME_COOKIE).and_then(Theme::parse).unwrap_or_default();
        let asked = parts.uri.path_and_query().map_or(CONSOLE, |path| path.as_str());
        let at = if leads_home(asked) { asked } else { CONSOLE };
        Self { theme, at: at.to_owned(), ..self }
    }

    /// How its pages look.
    #[must_use]
    pub const fn theme(&self) -> Theme {
        self.theme
    }

    /// The page that it asks for: where a form that changes nothing of it leads back to.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.at
    }

    /// The token for a form of a page that is made now.
    #[must_use]
    pub fn form_token(&self) -> String {
        let second = self.now.as_second().to_be_bytes();
        base64::url_encode(&[&second[..], &self.mac(second)].concat())
    }

    /// The header that gives a new visitor its cookie.
    #[must_use]
    pub fn set_cookie(&self) -> Option<HeaderValue> {
        self.fresh.then(|| set_cookie(VISITOR_COOKIE, self.secret.expose(), VISITOR_TTL_S)).flatten()
    }

    /// Takes a form that this browser posted from our own page, and gives the request back with its body.
    ///
    /// # Errors
    /// `api/cross-site`, `console/form-token`, or what is wrong with the body.
    pub(crate) async fn accept(&self, request: Request, bytes_max: usize) -> Result<Request, Problem> {
        same_origin(request.headers())?;
        let (parts, body) = request.into_parts();
        let body = collect(Request::from_parts(parts.clone(), body), bytes_max).await?;
        let form = Form::parse(&body, bytes_max)
            .map_err(|fault| Problem::of(&pages::BAD_REQUEST).detail(fault.to_string()))?;
        self.check(form.get(FORM_TOKEN))?;
        Ok(Request::from_parts(parts, Body::from(body)))
    }

    /// Whether a form's token is of this browser, this tenant, and not old.
    ///
    /// # Errors
    /// `console/form-token`: missing, foreign and old ones read alike.
    pub fn check(&self, token: Option<&str>) -> Result<(), Problem> {
        let refused = || Problem::of(&pages::FORM_TOKEN);
        let bytes = base64::url_decode(token.unwrap_or_default()).map_err(|_| refused())?;
        let bytes: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| refused())?;
        let (second, mac) = bytes.split_first_chunk::<8>().ok_or_else(refused)?;
        let age_s = self.now.as_second().saturating_sub(i64::from_be_bytes(*second));
        if hash::equal(mac, &self.mac(*second)) && (0..=FORM_TTL_S).contains(&age_s) {
            Ok(())
        } else {
            Err(refused())
        }
    }

    fn mac(&self, second: [u8; 8]) -> [u8; 32] {
        hash::hmac_sha256(self.secret.expose().as_bytes(), &[LABEL, &second, self.about.as_bytes()])
    }
}

/// The one cookie of this name; two of them are none.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let (value, None) = (own.next()?, own.next()) else { return None };
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (plain && value.len() <= COOKIE_CHARS_MAX).then_some(value)
}

/// A cookie that no script reads and no other site sends; `ttl_s` 0 takes it away.
#[must_use]
pub fn set_cookie(name: &str, value: &str, ttl_s: i64) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Max-Age={ttl_s}; Secure; HttpOnly; SameSite=Lax");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A browser says where a form was posted from: only our own pages post ours.
///
/// # Errors
/// `api/cross-site`, also where nothing is said.
pub fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()) {
        Some("same-origin") => Ok(()),
        _ => Err(Problem::of(&pages::CROSS_SITE)),
    }
}

/// Whether a page asks by itself, to keep what it shows true: nobody need sit before it, so that is no use of a session.
#[must_use]
pub(crate) fn is_watching(parts: &http::request::Parts) -> bool {
    let dest = parts.headers.get("sec-fetch-dest").and_then(|dest| dest.to_str().ok());
    parts.method.is_safe() && dest == Some("empty")
}

/// Whether a browser may be led to this address after it signed in: a page of the console and nothing else.
#[must_use]
pub fn leads_home(path: &str) -> bool {
    let rest = path.strip_prefix(CONSOLE);
    let begins = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?=&%".contains(&byte);
    begins && path.bytes().all(plain) && !path.contains("//") && !path.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Actor, Entropy, TenantId};

    fn ctx(second: i64) -> Ctx {
        let now = Timestamp::from_second(second).unwrap();
        Ctx::new(TenantId::SYSTEM, Actor::anonymous(), now, Entropy::seeded(1))
    }

    #[test]
    fn a_form_token_is_of_one_cookie_one_tenant_and_two_hours() {
        let page = Browser::of_session(&ctx(1_000), "tos_a");
        let token = page.form_token();
        assert!(page.check(Some(&token)).is_ok());
        assert!(Browser::of_session(&ctx(1_000 + FORM_TTL_S), "tos_a").check(Some(&token)).is_ok());
        let tenant = TenantId::parse("ten_0123456789abcdefghjkmnpqrs").unwrap();
        let refused = [
            Browser::of_session(&ctx(1_000), "tos_b").check(Some(&token)),
            Browser::of_session(&ctx(1_000 + FORM_TTL_S + 1), "tos_a").check(Some(&token)),
            Browser::of_session(&ctx(999), "tos_a").check(Some(&token)),
            Browser::of_session(&ctx(1_000).for_tenant(tenant), "tos_a").check(Some(&token)),
            page.check(None),
            page.check(Some("")),
            page.check(Some(&token[1..])),
            page.check(Some(&format!("A{}", &token[1..])))
                .and(page.check(Some(&format!("B{}", &token[1..])))),
        ];
        for found in refused {
            assert_eq!(found.unwrap_err().page.code, "console/form-token");
        }
    }

    #[test]
    fn a_visitor_keeps_the_cookie_that_it_was_given() {
        let new = Browser::of_visitor(&ctx(1), &HeaderMap::new());
        let set = new.set_cookie().unwrap().to_str().unwrap().to_owned();
        let pair = set.split(';').next().unwrap();
        for word in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(set.contains(word), "{set}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(pair).unwrap());
        let again = Browser::of_visitor(&ctx(1), &headers);
        assert!(again.set_cookie().is_none() && again.check(Some(&new.form_token())).is_ok());
    }

    fn asked(uri: &str, headers: &[(&str, &str)]) -> http::request::Parts {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_browser_keeps_how_pages_look_and_where_it_is() {
        let at = |uri: &str, cookie: &str| {
            Browser::of_session(&ctx(1), "tos_a").at(&asked(uri, &[("cookie", cookie)]))
        };
        let dark = at("/console/signins?range=90d", "__Host-tessera_theme=dark");
        assert_eq!((dark.theme(), dark.asked()), (Theme::Dark, "/console/signins?range=90d"));
        let odd = at("/console//evil.example", "__Host-tessera_theme=pink");
        assert_eq!((odd.theme(), odd.asked()), (Theme::System, CONSOLE));
        assert!(Theme::ALL.into_iter().all(|theme| Theme::parse(theme.as_str()) == Some(theme)));
    }

    #[test]
    fn what_a_page_asks_by_itself_is_no_use_of_a_session() {
        assert!(is_watching(&asked("/console", &[("sec-fetch-dest", "empty")])));
        assert!(!is_watching(&asked("/console", &[("sec-fetch-dest", "document")])));
        assert!(!is_watching(&asked("/console", &[])));
        let mut post = asked("/console/stay", &[("sec-fetch-dest", "empty")]);
        post.method = http::Method::POST;
        assert!(!is_watching(&post));
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; b=2; a=3"));
        assert_eq!((cookie(&headers, "a"), cookie(&headers, "b")), (None, Some("2")));
    }

    #[test]
    fn nobody_is_led_away() {
        for home in ["/console", "/console/", "/console/signins?limit=5&after=abc", "/console?x=1"] {
            assert!(leads_home(home), "{home}");
        }
        for away in [
            "",
            "/",
            "//evil.example",
            "/console//evil.example",
            "/consoles",
            "/console\\@evil.example",
            "https://evil.example/console",
            "/console/../api",
            "/console\r\nx",
            "javascript:alert(1)",
        ] {
            assert!(!leads_home(away), "{away}");
        }
    }
}
