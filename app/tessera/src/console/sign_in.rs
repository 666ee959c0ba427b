//! `/console/sign-in` and its end: by a passkey, or by the one-time link that `edge` takes.

use super::assets;
use super::frame::shown;
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use crypto::webauthn::{AssertionParts, rp_id_of};
use edge::browser::{Browser, CONSOLE, SESSION_COOKIE, SIGN_IN, Theme, leads_home, set_cookie};
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages as common;
use edge::{Answer, Call, Door, Doors, Form, Look, Permission, Problem, Query, Who};
use serde::{Deserialize, Serialize};
use tenancy::operator::OperatorError;
use tenancy::passkey::PasskeyError;

edge::problem_pages! {
    pub pages;
    /// A browser is asked to be led elsewhere.
    RETURN_REFUSED = 400 "console/return": "this address is no page of the console",
        meaning "After a sign-in the console leads to one of its own pages and nowhere else.",
        cause "The address of the sign-in page was changed, or a link that is not ours led here.",
        fix "Open the console itself and go on from there.",
        command "";
    /// A passkey that does not open a session, or was not added. Which check failed is not said.
    PASSKEY_REFUSED = 403 "console/passkey": "the passkey was not accepted",
        meaning "What the browser sent does not hold. Nothing changed, and the try is spent.",
        cause "The passkey is not of an operator of this house, was removed, was added already, or the page stood open for five minutes.",
        fix "Load the page again and try once more, or use a one-time link.",
        command "";
    /// An act that is final, by somebody who signed in a while ago.
    STEP_UP = 403 "console/step-up": "this act asks for a fresh sign-in",
        meaning "Whoever does what cannot be undone has to have signed in within the last five minutes. Nothing was done.",
        cause "The session is older, and somebody else may sit before it by now.",
        fix "Sign in again at /console/sign-in, by passkey or by a fresh one-time link, and press the button once more.",
        command "";
    /// Too many tries are open.
    PASSKEY_BUSY = 503 "console/passkey-busy": "too many sign-ins by passkey have begun",
        meaning "Each try keeps a challenge for five minutes, and so many are kept at once.",
        cause "Somebody begins sign-ins in great number.",
        fix "Wait five minutes, or use a one-time link.",
        command "";
}

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/sign-in")
                .operation("showConsoleSignIn")
                .summary("The page on which an operator signs in")
                .who(Who::Visitor)
                .query::<SignInQuery>()
                .answer_of(200, "text/html", "the page")
                .problems(&[&RETURN_REFUSED]),
            page,
        )
        .door(
            Door::post("/console/sign-in/challenge")
                .operation("beginConsoleSignIn")
                .summary("A challenge for a passkey")
                .who(Who::Visitor)
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .answer::<ChallengeView>(200, "the challenge")
                .problems(&[&PASSKEY_BUSY]),
            begin,
        )
        .door(
            Door::post("/console/sign-in")
                .operation("signInToConsole")
                .summary("Opens a session for whoever's passkey answered")
                .who(Who::Visitor)
                .form::<AssertionForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the page that was asked for")
                .problems(&[&RETURN_REFUSED, &PASSKEY_REFUSED]),
            sign_in,
        )
        .door(
            Door::post("/console/sign-out")
                .operation("signOutOfConsole")
                .summary("Ends the session of this browser")
                .who(Who::Operator(Permission::Own))
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the sign-in page"),
            sign_out,
        )
}

/// Where to go on afterwards.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignInQuery {
    /// A page of the console.
    #[serde(rename = "return")]
    to: Option<String>,
}

/// A form that says nothing but whose it is.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
pub struct TokenForm {
    form_token: String,
}

/// What `navigator.credentials.get` gave, in base64url.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct AssertionForm {
    form_token: String,
    r#return: String,
    id: String,
    client_data_json: String,
    authenticator_data: String,
    signature: String,
    user_handle: String,
}

/// What a browser is asked to sign.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ChallengeView {
    /// base64url.
    pub challenge: String,
    /// The console's host.
    pub rp_id: String,
    /// `user.id` of a passkey that is made, base64url; empty where one is used.
    pub user_id: String,
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    look: Look,
    css: String,
    js: String,
    theme: &'static str,
    form_token: String,
    to: String,
}

async fn page(
    State(house): State<House>,
    call: Call,
    Query(query): Query<SignInQuery>,
) -> Result<Html<String>, Problem> {
    shown(&SignInPage {
        look: Look::of(&house.edge),
        css: assets::address(assets::STYLE, "css"),
        js: assets::address(assets::SCRIPT, "js"),
        theme: call.browser.as_ref().map_or(Theme::default(), Browser::theme).as_str(),
        form_token: call.browser.as_ref().map_or_else(String::new, |browser| browser.form_token()),
        to: home(query.to.as_deref())?,
    })
}

async fn begin(State(house): State<House>, call: Call) -> Result<Answer<ChallengeView>, Problem> {
    let challenge = house.tenancy.passkey_challenge(&call.ctx, None).await.map_err(refused)?;
    Ok(Answer::ok(challenge_view(&house, &challenge, "")))
}

async fn sign_in(State(house): State<House>, call: Call, Form(form): Form) -> Result<Response, Problem> {
    let to = home(form.get("return").filter(|to| !to.is_empty()))?;
    let bytes =
        |name: &str| crypto::base64::url_decode(form.get(name).unwrap_or_default()).unwrap_or_default();
    let (id, data) = (bytes("id"), bytes("client_data_json"));
    let (authenticator, signature, user) =
        (bytes("authenticator_data"), bytes("signature"), bytes("user_handle"));
    let parts = AssertionParts {
        id: &id,
        client_data_json: &data,
        authenticator_data: &authenticator,
        signature: &signature,
        user_handle: &user,
    };
    let origin = house.edge.config().console_base();
    match house.tenancy.sign_in_by_passkey(&call.ctx, origin, &parts).await {
        Ok(session) => Ok(edge::signed_in(&session, house.tenancy.config().session_ttl_s, &to)),
        Err(unknown @ PasskeyError::Unknown) => {
            house.edge.flood().note(&house.store, &call.ctx, unknown.event()).await;
            Err(refused(unknown))
        }
        Err(fault) => Err(refused(fault)),
    }
}

async fn sign_out(State(house): State<House>, call: Call) -> Result<Response, Problem> {
    let session = call.principal.as_ref().and_then(|principal| principal.session());
    let session = session.ok_or_else(|| Problem::of(&common::SIGNED_OUT))?;
    match house.tenancy.close_session(&call.ctx, session).await {
        Ok(_) | Err(OperatorError::NotFound) => {}
        Err(OperatorError::Store(fault)) => return Err(fault.into()),
        Err(_) => return Err(Problem::of(&common::FAULT)),
    }
    let mut response = Redirect::to(SIGN_IN).into_response();
    let cookie = set_cookie(SESSION_COOKIE, "", 0);
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// What a browser makes or uses a passkey with.
pub fn challenge_view(house: &House, challenge: &[u8], user: &str) -> ChallengeView {
    ChallengeView {
        challenge: crypto::base64::url_encode(challenge),
        rp_id: rp_id_of(house.edge.config().console_base()).to_owned(),
        user_id: crypto::base64::url_encode(user.as_bytes()),
    }
}

/// How a passkey that was not taken reads: its event stands in the log already.
pub fn refused(fault: PasskeyError) -> Problem {
    match fault {
        PasskeyError::Challenge | PasskeyError::Refused(_) | PasskeyError::Unknown | PasskeyError::Known => {
            Problem::of(&PASSKEY_REFUSED).recorded()
        }
        PasskeyError::NotFound => Problem::of(&common::NOT_FOUND).recorded(),
        PasskeyError::Label => Problem::of(&common::INVALID).detail(fault.to_string()),
        PasskeyError::Busy => Problem::of(&PASSKEY_BUSY),
        PasskeyError::Store(fault) => fault.into(),
    }
}

/// Where a browser goes on: a page of ours.
pub fn home(to: Option<&str>) -> Result<String, Problem> {
    match to {
        None => Ok(CONSOLE.to_owned()),
        Some(to) if leads_home(to) => Ok(to.to_owned()),
        Some(_) => Err(Problem::of(&RETURN_REFUSED)),
    }
}
