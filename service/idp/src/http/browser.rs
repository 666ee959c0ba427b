//! The browser's doors: the authorization door, the session's page and its hints, and what the browser does with both.
//!
//! One cookie names the browser; each POST carries the form token of its session too. POSTs of other sites (`authorize`) use neither
//! and answer 303 to a GET, where the Lax cookie arrives.

use super::posted::Posted;
use super::visitor::{cookie_of, cookie_there, hint, with_cookie};
use crate::authorize::OpenError;
use crate::pages::{self, Assets, PasskeyView, SessionView};
use crate::par::BeginError;
use crate::signin::{AssertionState, Browser, Opened, SessionState, SigninError};
use crate::waiting::TOPIC;
use crate::{Idp, page};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use crypto::hash;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::limit::Class;
use edge::problem::pages as common;
use edge::{Answer, Call, Door, Doors, Form, Path, Problem, Query, Raw, Who};
use openid::oauth::form::FORM_BYTES_MAX;
use openid::oidc::AuthorizationAnswer;
use seal::code::{Sid, frame};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use store::{Ctx, Heard, Listener, StoreFault};

/// Longest wait of a poll, seconds.
const WAIT_S_MAX: u64 = 25;
/// How long one answer of the hints waits, seconds; then the browser comes again by itself.
const EVENTS_WAIT_S: u64 = 20;
/// How often a waiter looks again without a hint: another process may have changed the row.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Seconds that a cache may keep a file whose name is its hash: a year.
const ASSET_AGE: &str = "public, max-age=31536000, immutable";
/// Characters of a handle, and of what else a page posts beside assertions.
const TEXT_CHARS_MAX: usize = 64;

pub(super) fn doors() -> Doors<Idp> {
    opening().and(looking()).and(doing())
}

fn opening() -> Doors<Idp> {
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
        .door(
            Door::get("/idp-assets/{name}")
                .operation("fetchSigninAsset")
                .summary("The stylesheet and the script of the sign-in pages")
                .who(Who::Public)
                .answer_of(200, "text/css", "the file")
                .page(),
            asset,
        )
}

fn looking() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}")
                .operation("showSigninPage")
                .summary("The page of a session")
                .who(Who::Tenant)
                .rate(Class::Page)
                .answer_of(200, "text/html", "the page")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER])
                .page(),
            session_page,
        )
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}/state")
                .operation("showSigninState")
                .summary("How a sign-in stands, for the browser that began it; waits for a change")
                .who(Who::Tenant)
                .rate(Class::Page)
                .query::<StateQuery>()
                .answer::<StateView>(200, "the state, and the code once a wallet has claimed it")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER]),
            state,
        )
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}/events")
                .operation("watchSignin")
                .summary("Hints that a sign-in changed, as an EventSource reads them")
                .who(Who::Tenant)
                .rate(Class::Page)
                .answer_of(200, "text/event-stream", "one hint; the browser comes again by itself")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER]),
            events,
        )
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}/finish")
                .operation("finishSignin")
                .summary("Back to the relying party with a code or an error; writes nothing")
                .who(Who::Tenant)
                .rate(Class::Page)
                .empty(303, "to the redirect URI")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER, &page::OUT_OF_TURN]),
            finish,
        )
}

fn doing() -> Doors<Idp> {
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

/// The form of a request through the browser, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oidc::request; this describes it")]
struct AuthorizeForm {
    /// The relying party.
    client_id: String,
    /// Of a pushed request.
    request_uri: Option<String>,
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

/// Which change to wait for.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateQuery {
    /// Seconds to wait for a change, at most 25.
    wait: Option<u64>,
    /// The state that the caller knows.
    seen: Option<String>,
}

/// How a sign-in stands.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct StateView {
    /// `open`, `claimed`, `approved`, `denied`, `failed` or `expired`.
    state: String,
    /// The mutual code, once a wallet has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What a QR code shows the wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    code_qr: Option<String>,
    /// `none`, `required` or `done`.
    assertion: &'static str,
    /// What a passkey would sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<WebauthnView>,
    /// Four characters of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Where the browser goes at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// The session, which is another one after a renewal.
    sid: String,
}

/// The options of `navigator.credentials.get`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct WebauthnView {
    /// base64url.
    challenge: String,
    /// Our host.
    #[serde(rename = "rpId")]
    rp_id: String,
    /// Empty: whichever the person has.
    #[serde(rename = "allowCredentials")]
    allow_credentials: Vec<String>,
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

async fn session_page(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    idp.page_of(&call, &sid, &cookie).await
}

async fn state(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    Query(query): Query<StateQuery>,
) -> Result<Answer<StateView>, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(WAIT_S_MAX));
    let seen = query.seen.unwrap_or_default();
    let state = idp.wait_for(&call, &sid, &cookie, wait, &seen).await?;
    Ok(Answer::ok(idp.state_view(call.tenant_name(), &sid, &state)))
}

async fn events(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let wait = Duration::from_secs(EVENTS_WAIT_S);
    let state = idp.wait_for(&call, &sid, &cookie, wait, &seen).await?;
    let (id, is_over) = (seen_of(&state), matches!(state, SessionState::Ended { .. }));
    let data = if is_over { "done" } else { word_of(&state) };
    let text = format!("retry: 300\nid: {id}\nevent: state\ndata: {data}\n\n");
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], text).into_response())
}

async fn finish(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    let answer = idp.answer_at_end(&call.ctx, call.tenant_name(), &sid, &cookie).await.map_err(problem_of)?;
    Ok(Redirect::to(&answer.location()).into_response())
}

async fn handle(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    body: Raw,
) -> Result<Response, Problem> {
    let act = idp.act(&call, &headers, &sid, &body).await?;
    let handle = act.posted.text("handle", TEXT_CHARS_MAX).unwrap_or_default();
    idp.post_handle(&call.ctx, &act.sid, &act.cookie, handle).await.map_err(problem_of)?;
    idp.acted(&call, &act, act.sid).await
}

async fn assertion(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    body: Raw,
) -> Result<Response, Problem> {
    let act = idp.act(&call, &headers, &sid, &body).await?;
    let owned = act.posted.assertion().ok_or_else(malformed)?;
    let t0 = idp.challenge_of(&call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    let asserted = idp.asserted_over(&call.ctx, &t0, &owned.parts()).await?;
    idp.post_assertion(&call.ctx, &act.sid, &act.cookie, asserted.as_ref()).await.map_err(problem_of)?;
    idp.acted(&call, &act, act.sid).await
}

async fn answer(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    body: Raw,
) -> Result<Response, Problem> {
    let act = idp.act(&call, &headers, &sid, &body).await?;
    let r = act.posted.bytes("r").ok_or_else(malformed)?;
    let owned = act.posted.nested("webauthn").and_then(|inner| inner.assertion()).ok_or_else(malformed)?;
    let asserted =
        idp.browser_asserted(&call.ctx, (&act.sid, &act.cookie), &r, &owned).await.map_err(problem_of)?;
    idp.answer_in_browser(&call.ctx, &act.sid, &act.cookie, (&r, asserted.as_ref()))
        .await
        .map_err(problem_of)?;
    idp.acted(&call, &act, act.sid).await
}

async fn renew(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    body: Raw,
) -> Result<Response, Problem> {
    let act = idp.act(&call, &headers, &sid, &body).await?;
    let opened = idp.renew(&call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    idp.acted(&call, &act, opened.sid).await
}

async fn cancel(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    body: Raw,
) -> Result<Response, Problem> {
    let act = idp.act(&call, &headers, &sid, &body).await?;
    idp.cancel(&call.ctx, &act.sid, &act.cookie).await.map_err(problem_of)?;
    idp.acted(&call, &act, act.sid).await
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (text, media) = pages::asset(&name).ok_or_else(|| Problem::of(&common::NOT_FOUND))?;
    Ok(([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, ASSET_AGE)], text).into_response())
}

/// A POST of the session's own page, or of the program that opened it.
struct Act {
    sid: Sid,
    cookie: String,
    posted: Posted,
    wants_json: bool,
}

impl Idp {
    /// Reads a POST of a session: cookie, form token, body.
    async fn act(&self, call: &Call, headers: &HeaderMap, sid: &str, body: &Raw) -> Result<Act, Problem> {
        let (sid, cookie) = (sid_of(sid)?, cookie_there(self, headers)?);
        call.limit(Class::Code, &sid.to_string())?;
        let posted = Posted::read(&body.media, &body.bytes).ok_or_else(malformed)?;
        let wanted = self.form_token(&call.ctx, &sid, &cookie).await?;
        let sent = posted.text("form_token", TEXT_CHARS_MAX).unwrap_or_default();
        if !hash::equal(sent.as_bytes(), wanted.as_bytes()) {
            return Err(Problem::of(&page::FORM_TOKEN));
        }
        let wants_json = wants_json(headers) || body.media == "application/json";
        Ok(Act { sid, cookie, posted, wants_json })
    }

    /// The answer to a POST: how it stands now, or the page again.
    async fn acted(&self, call: &Call, act: &Act, sid: Sid) -> Result<Response, Problem> {
        if act.wants_json {
            let state = self.session_state(&call.ctx, &sid, &act.cookie).await.map_err(problem_of)?;
            return Ok(Answer::ok(self.state_view(call.tenant_name(), &sid, &state)).into_response());
        }
        let page = format!("{}/sessions/{sid}", self.config().issuer(call.tenant_name()));
        Ok(Redirect::to(&page).into_response())
    }

    /// Looks until the session is no longer what the caller has seen.
    async fn wait_for(
        &self,
        call: &Call,
        sid: &Sid,
        cookie: &str,
        wait: Duration,
        seen: &str,
    ) -> Result<SessionState, Problem> {
        let key = ::store::id::from_bits("sig", sid.as_bytes());
        let (mut left, mut ctx) = (wait, call.ctx.clone());
        // Listening begins before the first look, so that no change falls between.
        let mut listener = self.store.bus().subscribe();
        loop {
            let state = self.session_state(&ctx, sid, cookie).await.map_err(problem_of)?;
            let has_news = seen_of(&state) != seen && word_of(&state) != seen;
            if has_news || left.is_zero() {
                return Ok(state);
            }
            let step = left.min(LOOK_AGAIN);
            left -= step;
            // A hint that is lost costs time, never truth.
            let _ = tokio::time::timeout(step, told(&mut listener, &key)).await;
            ctx = ctx.child(call.edge().clock().now());
        }
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
        owned: &super::posted::OwnedAssertion,
    ) -> Result<Option<crate::signin::Asserted>, SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let challenge = seal::code::answer::browser_challenge(&loaded.t0(), r);
        Ok(self.asserted_over(ctx, &challenge, &owned.parts()).await?)
    }

    /// Goes with every POST of a session: a MAC over cookie and sid, which no other site knows.
    async fn form_token(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<String, StoreFault> {
        let key = self.custody.mac_key(ctx, "idp/form-token").await?;
        let framed = frame("seal/1 form", &[cookie.as_bytes(), sid.as_bytes()]);
        Ok(crypto::base64::url_encode(&hash::hmac_sha256(key.expose(), &[&framed])[..24]))
    }

    pub(super) fn assets(&self) -> Assets {
        Assets::of(&self.config().public_url, self.config().is_dev)
    }

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
    fn claim_uri(&self, tenant: &str, sid: &Sid) -> String {
        format!("{}/seal/s/{sid}", self.config().base(tenant))
    }

    fn state_view(&self, tenant: &str, sid: &Sid, state: &SessionState) -> StateView {
        let finish = || Some(format!("{}/sessions/{sid}/finish", self.config().issuer(tenant)));
        let mut view = StateView {
            state: word_of(state).to_owned(),
            code: None,
            code_qr: None,
            assertion: "none",
            webauthn: None,
            device: None,
            finish: None,
            expires_at: None,
            sid: sid.to_string(),
        };
        match state {
            SessionState::Open { opened, assertion } => {
                view.of_live(self, opened, *assertion);
            }
            SessionState::Claimed { opened, code, device, assertion } => {
                view.of_live(self, opened, *assertion);
                view.code = Some(code.expose().clone());
                view.code_qr = Some(code.expose().clone());
                view.device = Some(device.clone());
            }
            SessionState::Ended { device, .. } => {
                view.device = (!device.is_empty()).then(|| device.clone());
                view.finish = finish();
            }
        }
        view
    }

    /// The page of a session as it stands.
    async fn page_of(&self, call: &Call, sid: &Sid, cookie: &str) -> Result<Response, Problem> {
        let tenant = call.tenant_name();
        let state = self.session_state(&call.ctx, sid, cookie).await.map_err(problem_of)?;
        let (client_id, redirect_uri, context) = self.about(&call.ctx, sid, cookie, &state).await?;
        let origin = url::Url::parse(&redirect_uri).map(|url| url.origin().ascii_serialization());
        let origin = origin.unwrap_or_default();
        let asking = self.asking(&call.ctx, &client_id, &origin).await?;
        let asking = asking.ok_or_else(|| Problem::of(&page::UNKNOWN_SESSION))?;
        let (scopes, acr) = context.unwrap_or_default();
        let (asked, not_asked) = pages::asked(&asking, &scopes);
        let session_url = format!("{}/sessions/{sid}", self.config().issuer(tenant));
        let view = SessionView {
            state: word_of(&state),
            service: asking.service,
            origin: asking.origin,
            page_url: session_url.clone(),
            events_url: format!("{session_url}/events"),
            session_url,
            seen: seen_of(&state),
            claim_uri: self.claim_uri(tenant, sid),
            form_token: self.form_token(&call.ctx, sid, cookie).await?,
            asked,
            not_asked,
            is_relayable: acr == "seal:code",
            acr,
            device: device_of(&state),
        };
        let json = self.state_view(tenant, sid, &state);
        let passkey = json.webauthn.map(|webauthn| PasskeyView {
            challenge: webauthn.challenge,
            rp_id: webauthn.rp_id,
            allow: webauthn.allow_credentials.join(" "),
        });
        let goes_on = self.may_go_on(&call.ctx, sid, cookie, &state).await?;
        let html = pages::session(&self.assets(), &view, json.code.as_deref(), passkey.as_ref(), goes_on);
        Ok((policy(&origin), Html(html)).into_response())
    }

    /// Relying party, redirect URI, and while it lives scopes and class of a session.
    async fn about(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
        state: &SessionState,
    ) -> Result<(String, String, Option<(Vec<String>, String)>), Problem> {
        match state {
            SessionState::Open { opened, .. } | SessionState::Claimed { opened, .. } => {
                let scopes = opened.context.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
                let acr = opened.context.acr.as_str().to_owned();
                Ok((opened.client_id.clone(), opened.context.rp_origin.clone(), Some((scopes, acr))))
            }
            SessionState::Ended { .. } => {
                let finished = self.finish(ctx, sid, cookie).await.map_err(problem_of)?;
                Ok((finished.request.client_id, finished.request.redirect_uri, None))
            }
        }
    }

    /// Whether the page goes on by itself: the browser proved itself, so no other's wallet answered.
    async fn may_go_on(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
        state: &SessionState,
    ) -> Result<bool, Problem> {
        if word_of(state) != "approved" {
            return Ok(false);
        }
        let finished = self.finish(ctx, sid, cookie).await.map_err(problem_of)?;
        let Some(code) = finished.code else { return Ok(false) };
        let found = self.result_of_code(ctx, code.expose()).await?;
        Ok(found.is_some_and(|found| matches!(found.facts.acr.as_str(), "phr" | "phrh")))
    }
}

/// Returns when somebody says that `key` changed, or that hints were lost.
async fn told(listener: &mut Listener, key: &str) {
    loop {
        match listener.next().await {
            Some(Heard::Hint(hint)) if hint.topic != TOPIC || hint.ids != key => {}
            Some(Heard::Hint(_) | Heard::Reread) => return,
            None => std::future::pending::<()>().await,
        }
    }
}

impl StateView {
    fn of_live(&mut self, idp: &Idp, opened: &Opened, assertion: AssertionState) {
        self.assertion = match assertion {
            AssertionState::None => "none",
            AssertionState::Required => "required",
            AssertionState::Done => "done",
        };
        self.expires_at = Some(opened.expires_at.as_second());
        if assertion != AssertionState::Done {
            self.webauthn = Some(WebauthnView {
                challenge: crypto::base64::url_encode(opened.t0.as_bytes()),
                rp_id: idp.rp_id().to_owned(),
                allow_credentials: Vec::new(),
            });
        }
    }
}

fn word_of(state: &SessionState) -> &'static str {
    match state {
        SessionState::Open { .. } => "open",
        SessionState::Claimed { .. } => "claimed",
        SessionState::Ended { outcome, .. } => match outcome.as_str() {
            "approved" => "approved",
            "denied" => "denied",
            "expired" => "expired",
            _ => "failed",
        },
    }
}

/// Changes whenever the page should: state and assertion.
fn seen_of(state: &SessionState) -> String {
    let assertion = match state {
        SessionState::Open { assertion, .. } | SessionState::Claimed { assertion, .. } => *assertion,
        SessionState::Ended { .. } => AssertionState::None,
    };
    let done = if assertion == AssertionState::Done { ".asserted" } else { "" };
    format!("{}{done}", word_of(state))
}

fn device_of(state: &SessionState) -> String {
    match state {
        SessionState::Claimed { device, .. } | SessionState::Ended { device, .. } => device.clone(),
        SessionState::Open { .. } => String::new(),
    }
}

/// The page's policy: as every page's, and forms may lead to the one origin that this request's redirect URI has, as Chromium holds
/// redirects behind a form to it.
fn policy(origin: &str) -> [(HeaderName, HeaderValue); 1] {
    let own = edge::headers::CONTENT_SECURITY_POLICY;
    let is_plain = origin.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-[]".contains(&byte));
    let policy = if is_plain && !origin.is_empty() {
        own.replace("form-action 'self'", &format!("form-action 'self' {origin}"))
    } else {
        own.to_owned()
    };
    let value = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(own));
    [(header::CONTENT_SECURITY_POLICY, value)]
}

fn refused_page(idp: &Idp, what: &str, code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Html(pages::refused(&idp.assets(), what, code))).into_response()
}

fn sid_of(text: &str) -> Result<Sid, Problem> {
    Sid::parse(text).map_err(|_| Problem::of(&page::UNKNOWN_SESSION))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

pub(super) fn problem_of(fault: SigninError) -> Problem {
    match fault {
        SigninError::NotFound | SigninError::RequestSpent | SigninError::PartyInactive => {
            Problem::of(&page::UNKNOWN_SESSION)
        }
        SigninError::OtherBrowser => Problem::of(&page::OTHER_BROWSER),
        SigninError::Malformed => malformed(),
        SigninError::AlreadyClaimed
        | SigninError::AssertionPending
        | SigninError::OutOfTurn
        | SigninError::Replayed
        | SigninError::RateLimited => Problem::of(&page::OUT_OF_TURN),
        SigninError::Sign(custody::SignError::Store(fault)) | SigninError::Store(fault) => fault.into(),
        SigninError::Sign(fault) => {
            tracing::error!(%fault, "a key of sign-in could not be used");
            Problem::of(&common::FAULT)
        }
    }
}

pub(super) fn malformed() -> Problem {
    Problem::of(&common::BAD_REQUEST).detail("the body lacks a member or cannot be read")
}
