//! The authorization door: from a kept request to a session, and from its end back to the relying party.
//!
//! ```text
//! GET authorize?client_id&request_uri ─► reopened? ─► row spent by guard, session opened ─► page
//! GET finish ─► code or error, with state and iss ─► 303
//! ```
//! Nobody is sent anywhere before the redirect URI was compared; that happened when the request was judged.

use crate::Idp;
use crate::par::{BeginError, PushedRequest, reference_sha256};
use crate::signin::{Browser, CheckedRequest, Opened, SigninError};
use crate::store::op as rows;
use ::store::{Ctx, Reason, StoreFault};
use openid::oauth::{ErrorCode, OauthError};
use openid::oidc::request::Redirect;
use openid::oidc::{AuthorizationAnswer, IdTokenHint};
use seal::code::{Failure, Sid};
use serde_json::json;
use url::Url;

/// Why a kept request is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Said to the browser's owner, or to the relying party.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The session could not be opened.
    #[error(transparent)]
    Signin(#[from] SigninError),
}

impl From<StoreFault> for OpenError {
    fn from(fault: StoreFault) -> Self {
        Self::Begin(BeginError::Store(fault))
    }
}

/// What the session's page shows of the request.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The relying party's legal name.
    pub service: String,
    /// Where its browser goes back to.
    pub origin: String,
    /// What for.
    pub purpose: String,
}

impl Idp {
    /// Opens what a relying party asked for, or finds the session that this browser opened with it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        &self,
        ctx: &Ctx,
        tenant: &str,
        (client_id, request_uri): (&str, &str),
        browser: &Browser<'_>,
    ) -> Result<Opened, OpenError> {
        let sha256 = reference_sha256(request_uri).ok_or_else(|| page("request_uri is none of ours"))?;
        let gone = || page("this request was used before, or its time is over");
        // Whoever opens it deletes its row in the same unit: while the row stands, there is no session of it to find.
        let Some(row) = rows::pushed(&self.store, ctx, sha256).await? else {
            return Ok(self.reopened(ctx, &sha256, browser.cookie).await?.ok_or_else(gone)?);
        };
        if row.client_id != client_id {
            return Err(page("this request is another relying party's").into());
        }
        let bytes = rows::pushed_request(&self.store, ctx, sha256, &row).await?;
        let kept: PushedRequest = serde_json::from_slice(bytes.expose())
            .map_err(|_| StoreFault::Sealed { place: "idp_pushed.request".to_owned() })?;
        if kept.checked.is_silent {
            return Err(self.silent(ctx, sha256, &kept).await?);
        }
        let party = self.party(ctx, client_id).await?.ok_or_else(gone)?;
        let origins = &party.metadata.origins;
        let request = signin_request(&kept, if party.metadata.native { origins.first() } else { None });
        let spend = (sha256, vec![rows::open_pushed(sha256)]);
        match self.open_session(ctx, tenant, &request, spend, browser).await {
            Err(SigninError::RequestSpent) => Err(gone().into()),
            other => Ok(other?),
        }
    }

    /// `prompt=none`: every sign-in is a new approval, so nobody is signed in without a page.
    async fn silent(
        &self,
        ctx: &Ctx,
        sha256: [u8; 32],
        kept: &PushedRequest,
    ) -> Result<OpenError, StoreFault> {
        let spend = vec![rows::open_pushed(sha256)];
        self.store.housekeeping_guarded(ctx, Reason::SigninStep, spend, Vec::new()).await?;
        let redirect = Redirect { uri: kept.checked.redirect_uri.clone(), state: kept.checked.state.clone() };
        let error = OauthError::of(ErrorCode::LoginRequired, "nobody is signed in without being asked");
        Ok(BeginError::Redirect { error, redirect }.into())
    }

    /// Where the browser goes at the end. Writes nothing; a reload answers the same.
    ///
    /// # Errors
    /// [`SigninError`]; another browser than the one that began gets nothing.
    pub async fn answer_at_end(
        &self,
        ctx: &Ctx,
        tenant: &str,
        sid: &Sid,
        cookie: &str,
    ) -> Result<AuthorizationAnswer, SigninError> {
        let finished = self.finish(ctx, sid, cookie).await?;
        let issuer = self.config.issuer(tenant);
        let request = finished.request;
        let redirect = Redirect { uri: request.redirect_uri.clone(), state: request.state.clone() };
        let error = match (finished.outcome.as_str(), finished.code) {
            ("approved", Some(code)) => {
                if self.is_whom_asked(ctx, &request, code.expose()).await? {
                    return Ok(AuthorizationAnswer::code(redirect, &issuer, code.expose().clone()));
                }
                OauthError::of(ErrorCode::LoginRequired, "somebody else signed in than was asked for")
            }
            ("approved", None) => OauthError::of(ErrorCode::AccessDenied, "the answer came too late"),
            ("failed", _) if finished.reason == Failure::Acr.to_string() => OauthError::of(
                ErrorCode::UnmetAuthenticationRequirements,
                "the class that was asked for is not met",
            ),
            ("denied", _) => OauthError::of(ErrorCode::AccessDenied, "the person or the browser said no"),
            ("expired", _) => OauthError::of(ErrorCode::AccessDenied, "nobody answered in time"),
            _ => OauthError::of(ErrorCode::AccessDenied, "the sign-in failed"),
        };
        Ok(AuthorizationAnswer::error(redirect, &issuer, &error))
    }

    /// Whether the one who signed in is the one whom a hint named, if one did.
    async fn is_whom_asked(
        &self,
        ctx: &Ctx,
        request: &CheckedRequest,
        code: &str,
    ) -> Result<bool, StoreFault> {
        let Some(asked) = asked_sub(request) else { return Ok(true) };
        let found = self.result_of_code(ctx, code).await?;
        Ok(found.is_some_and(|found| found.facts.sub == asked))
    }

    /// Whom an `id_token_hint` names; an error for a hint that is none of ours.
    pub(crate) async fn hinted(
        &self,
        ctx: &Ctx,
        tenant: &str,
        client_id: &str,
        hint: &str,
    ) -> Result<Result<String, OauthError>, StoreFault> {
        let keys = self.token_keys(ctx).await?;
        let read = IdTokenHint::verify(hint, &keys, &self.config.issuer(tenant));
        let own = read.filter(|read| read.client_id == client_id);
        Ok(own
            .map(|read| read.sub)
            .ok_or_else(|| OauthError::invalid_request("id_token_hint is none of ours")))
    }

    /// What the page says of whoever asks.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn asking(
        &self,
        ctx: &Ctx,
        client_id: &str,
        origin: &str,
    ) -> Result<Option<Asking>, StoreFault> {
        let party = self.party(ctx, client_id).await?;
        Ok(party.map(|party| Asking {
            service: party.metadata.legal_name.clone(),
            origin: origin.to_owned(),
            purpose: party.metadata.purpose_text().to_owned(),
        }))
    }
}

/// Who alone may be signed in, as the judged request says.
pub(crate) fn asked_sub(request: &CheckedRequest) -> Option<&str> {
    request.own.get("claims")?.get("sub")?.as_str()
}

/// The request as the machine of sign-ins keeps it.
fn signin_request(kept: &PushedRequest, native_origin: Option<&String>) -> CheckedRequest {
    let checked = &kept.checked;
    let by_url = Url::parse(&checked.redirect_uri).map(|url| url.origin().ascii_serialization());
    CheckedRequest {
        client_id: checked.client_id.clone(),
        rp_origin: native_origin.cloned().unwrap_or(by_url.unwrap_or_default()),
        redirect_uri: checked.redirect_uri.clone(),
        scopes: checked.scopes.clone(),
        nonce: checked.nonce.clone(),
        state: checked.state.clone(),
        acr: checked.acr.as_str().to_owned(),
        acr_essential: checked.acr_is_essential,
        mode: "web".to_owned(),
        proof_kind: kept.proof_kind.clone(),
        proof_jwt: kept.proof_jwt.clone(),
        login_hint: checked.login_hint.clone(),
        own: json!(checked),
    }
}

fn page(text: &'static str) -> BeginError {
    BeginError::Page(OauthError::invalid_request(text))
}
