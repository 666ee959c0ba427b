//! What the browser does with a session: names a wallet, proves itself, answers, asks for time, gives up. Each POST carries the form
//! token of its session.

use super::super::posted::{OwnedAssertion, Posted};
use super::super::visitor::cookie_there;
use super::state::StateView;
use super::{malformed, problem_of, sid_of, wants_json};
use crate::signin::{Asserted, SigninError};
use crate::{Idp, page};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use crypto::hash;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::limit::Class;
use edge::{Answer, Call, Door, Doors, Path, Problem, Raw, Who};
use seal::code::{Sid, frame};
use serde_json::Value;
use store::{Ctx, StoreFault};

/// Characters of a handle, and of what else a page posts beside assertions.
const TEXT_CHARS_MAX: usize = 64;

pub(super) fn doors() -> Doors<Idp> {
    let door = |path, operation, summary| {
        Door::post(path)
            .operation(operation)
            .summary(summary)
            .who(Who::Tenant)
            .rate(Class::Code)
            .body::<PostedForm>(SMALL_BODY_BYTES_MAX)
            .form::<PostedForm>(SMALL_BODY_BYTES_MAX)
            .answer::<StateView>(200, "how it stands now")
            .empty(303, "to the page, for a form")
            .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER, &page::OUT_OF_TURN, &page::FORM_TOKEN])
    };
    Doors::new()
        .door(
            door(
                "/t/{tenant}/idp/sessions/{sid}/handle",
                "postHandle",
                "Asks the wallets behind a handle; the answer is the same for every handle",
            ),
            handle,
        )
        .door(
            door(
                "/t/{tenant}/idp/sessions/{sid}/assertion",
                "postAssertion",
                "The browser's passkey over T0: one try",
            ),
            assertion,
        )
        .door(
            door(
                "/t/{tenant}/idp/sessions/{sid}/answer",
                "answerByPasskey",
                "The browser's own passkey answers (browser mode)",
            ),
            answer,
        )
        .door(
            door("/t/{tenant}/idp/sessions/{sid}/renew", "renewSignin", "More time").rate(Class::Page),
            renew,
        )
        .door(
            door("/t/{tenant}/idp/sessions/{sid}/cancel", "cancelSignin", "The browser gives up")
                .rate(Class::Page),
            cancel,
        )
}

/// What the page posts, as JSON or as a form: each door takes its own members.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "read by Posted; this describes it")]
struct PostedForm {
    /// Of the session.
    form_token: String,
    /// At `handle`.
    handle: Option<String>,
    /// At `answer`: R, base64url.
    r: Option<String>,
    /// At `answer`: the assertion, with the members of `assertion`.
    webauthn: Option<Value>,
    /// At `assertion`: the credential.
    id: Option<String>,
    /// At `assertion`.
    #[serde(rename = "clientDataJSON")]
    client_data_json: Option<String>,
    /// At `assertion`.
    #[serde(rename = "authenticatorData")]
    authenticator_data: Option<String>,
    /// At `assertion`.
    signature: Option<String>,
    /// At `assertion`.
    #[serde(rename = "userHandle")]
    user_handle: Option<String>,
}

async fn handle(State(idp): State<Idp>, act: Act) -> Result<Response, Problem> {
    let handle = act.posted.text("handle", TEXT_CHARS_MAX).unwrap_or_default();
    idp.post_handle(&act.call.ctx, &act.sid, &act.cookie, handle).await.map_err(problem_of)?;
    idp.acted(&act, act.sid).await
}

async fn assertion(State(idp): State<Idp>, act: Act) -> Result<Response, Problem> {
    let owned = act.posted.assertion().ok_or_else(malformed)?;
    let t0 = idp.challenge_of(&act.call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    let asserted = idp.asserted_over(&act.call.ctx, &t0, &owned.parts()).await?;
    idp.post_assertion(&act.call.ctx, &act.sid, &act.cookie, asserted.as_ref()).await.map_err(problem_of)?;
    idp.acted(&act, act.sid).await
}

async fn answer(State(idp): State<Idp>, act: Act) -> Result<Response, Problem> {
    let r = act.posted.bytes("r").ok_or_else(malformed)?;
    let owned = act.posted.nested("webauthn").and_then(|inner| inner.assertion()).ok_or_else(malformed)?;
    let asserted =
        idp.browser_asserted(&act.call.ctx, (&act.sid, &act.cookie), &r, &owned).await.map_err(problem_of)?;
    idp.answer_in_browser(&act.call.ctx, &act.sid, &act.cookie, (&r, asserted.as_ref()))
        .await
        .map_err(problem_of)?;
    idp.acted(&act, act.sid).await
}

async fn renew(State(idp): State<Idp>, act: Act) -> Result<Response, Problem> {
    let opened = idp.renew(&act.call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    idp.acted(&act, opened.sid).await
}

async fn cancel(State(idp): State<Idp>, act: Act) -> Result<Response, Problem> {
    idp.cancel(&act.call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    idp.acted(&act, act.sid).await
}

/// A POST of the session's own page, or of the program that opened it: cookie, form token and body are looked at before any door acts.
struct Act {
    call: Call,
    sid: Sid,
    cookie: String,
    posted: Posted,
    wants_json: bool,
}

impl FromRequest<Idp> for Act {
    type Rejection = Problem;

    async fn from_request(request: Request, idp: &Idp) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let call = Call::from_request_parts(&mut parts, idp).await?;
        let Path((_, sid)) = Path::<(String, String)>::from_request_parts(&mut parts, idp).await?;
        let headers = parts.headers.clone();
        let body = Raw::from_request(Request::from_parts(parts, body), idp).await?;
        let (sid, cookie) = (sid_of(&sid)?, cookie_there(idp, &headers)?);
        call.limit(Class::Code, &sid.to_string())?;
        let posted = Posted::read(&body.media, &body.bytes).ok_or_else(malformed)?;
        let wanted = idp.form_token(&call.ctx, &sid, &cookie).await?;
        let sent = posted.text("form_token", TEXT_CHARS_MAX).unwrap_or_default();
        if !hash::equal(sent.as_bytes(), wanted.as_bytes()) {
            return Err(Problem::of(&page::FORM_TOKEN));
        }
        let wants_json = wants_json(&headers) || body.media == "application/json";
        Ok(Act { call, sid, cookie, posted, wants_json })
    }
}

impl Idp {
    /// The answer to a POST: how it stands now, or the page again.
    async fn acted(&self, act: &Act, sid: Sid) -> Result<Response, Problem> {
        let call = &act.call;
        if act.wants_json {
            let state = self.session_state(&call.ctx, &sid, &act.cookie).await.map_err(problem_of)?;
            return Ok(Answer::ok(self.state_view(call.tenant_name(), &sid, &state)).into_response());
        }
        let page = format!("{}/sessions/{sid}", self.config().issuer(call.tenant_name()));
        Ok(Redirect::to(&page).into_response())
    }

    /// T0 of a session of this browser: what its assertion must be over.
    async fn challenge_of(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<Vec<u8>, SigninError> {
        Ok(self.browser_session(ctx, sid, cookie).await?.t0().as_bytes().to_vec())
    }

    /// The assertion over an answer that the browser itself makes.
    async fn browser_asserted(
        &self,
        ctx: &Ctx,
        (sid, cookie): (&Sid, &str),
        r: &[u8],
        owned: &OwnedAssertion,
    ) -> Result<Option<Asserted>, SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let challenge = seal::code::answer::browser_challenge(&loaded.t0(), r);
        Ok(self.asserted_over(ctx, &challenge, &owned.parts()).await?)
    }

    /// Goes with every POST of a session: a MAC over cookie and sid, which no other site knows.
    pub(super) async fn form_token(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<String, StoreFault> {
        let key = self.custody.mac_key(ctx, "idp/form-token").await?;
        let framed = frame("seal/1 form", &[cookie.as_bytes(), sid.as_bytes()]);
        Ok(crypto::base64::url_encode(&hash::hmac_sha256(key.expose(), &[&framed])[..24]))
    }
}
