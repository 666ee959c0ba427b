//! The page of a session as it stands, its files, and the way back from it to the relying party.

use super::super::visitor::cookie_there;
use super::state::{device_of, seen_of, word_of};
use super::{problem_of, sid_of};
use crate::pages::{self, Assets, PasskeyView, SessionView};
use crate::signin::SessionState;
use crate::{Idp, page};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use edge::limit::Class;
use edge::problem::pages as common;
use edge::{Call, Door, Doors, Path, Problem, Who};
use seal::code::Sid;
use store::Ctx;

/// Seconds that a cache may keep a file whose name is its hash: a year.
const ASSET_AGE: &str = "public, max-age=31536000, immutable";

pub(super) fn doors() -> Doors<Idp> {
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
            Door::get("/t/{tenant}/idp/sessions/{sid}/finish")
                .operation("finishSignin")
                .summary("Back to the relying party with a code or an error; writes nothing")
                .who(Who::Tenant)
                .rate(Class::Page)
                .empty(303, "to the redirect URI")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER, &page::OUT_OF_TURN]),
            finish,
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

async fn session_page(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    idp.page_of(&call, &sid, &cookie).await
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

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (text, media) = pages::asset(&name).ok_or_else(|| Problem::of(&common::NOT_FOUND))?;
    Ok(([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, ASSET_AGE)], text).into_response())
}

impl Idp {
    pub(in crate::http) fn assets(&self) -> Assets {
        Assets::of(&self.config().public_url, self.config().is_dev)
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
