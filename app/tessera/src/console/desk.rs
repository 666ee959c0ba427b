//! How the console looks in this browser, and that somebody still sits before it.

use super::frame::left_s;
use super::sign_in::{RETURN_REFUSED, TokenForm, home};
use crate::house::House;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use edge::browser::{THEME_COOKIE, THEME_TTL_S, Theme, set_cookie};
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages;
use edge::{Answer, Call, Door, Doors, Form, Permission, Problem, Who};
use serde::Serialize;

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::post("/console/theme")
                .operation("chooseTheme")
                .summary("How the console looks in this browser: as the system has it, light, or dark")
                .who(Who::Operator(Permission::Own))
                .form::<ThemeForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the page again")
                .problems(&[&pages::INVALID, &RETURN_REFUSED]),
            choose,
        )
        .door(
            Door::post("/console/stay")
                .operation("staySignedIn")
                .summary("Somebody still sits here: the session idles anew")
                .who(Who::Operator(Permission::Own))
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .answer::<LeftView>(200, "how long it lasts now"),
            stay,
        )
}

/// How pages look, and the page to go back to.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct ThemeForm {
    form_token: String,
    theme: String,
    r#return: String,
}

async fn choose(Form(form): Form) -> Result<Response, Problem> {
    let theme = form.get("theme").and_then(Theme::parse);
    let theme = theme.ok_or_else(|| Problem::of(&pages::INVALID).at("/theme", "is system, light or dark"))?;
    let mut response = Redirect::to(&home(form.get("return"))?).into_response();
    // What is as the system has it needs no cookie.
    let ttl_s = if theme == Theme::System { 0 } else { THEME_TTL_S };
    let cookie = set_cookie(THEME_COOKIE, theme.as_str(), ttl_s);
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// How long a session lasts.
#[derive(Serialize, schemars::JsonSchema)]
struct LeftView {
    /// Seconds, if it is not used again.
    left_s: i64,
}

/// The gate has seen the session already: that is all there is to do.
async fn stay(call: Call) -> Answer<LeftView> {
    Answer::ok(LeftView { left_s: left_s(&call) })
}
