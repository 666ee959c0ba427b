//! Pushed requests (RFC 9126): read, judged and kept before a browser is involved.
//!
//! ```text
//! form ─► who asks ─► JAR? ─► judge ─► row for a minute, under the hash of its request_uri ─► 201
//! a refusal ─► event; no row
//! ```

use crate::Idp;
use crate::op::{self, Known, OpError, Presented};
use crate::relying_party::RelyingParty;
use crate::store::op as rows;
use ::store::{Ctx, Reason, StoreFault};
use crypto::hash;
use crypto::key::SignAlg;
use jiff::SignedDuration;
use openid::oauth::{ErrorCode, Form, Jwks, OauthError};
use openid::oidc::request::Redirect;
use openid::oidc::{CheckedRequest, Parameters, RequestFault, RequestObject};
use serde::{Deserialize, Serialize};

/// What a `request_uri` of ours begins with (RFC 9126, 2.2).
pub const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Characters behind it: 32 random bytes.
const REFERENCE_CHARS: usize = 43;

/// A request that was judged, with how its relying party proved itself in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushedRequest {
    pub(crate) checked: CheckedRequest,
    /// `request_object`, `client_assertion` or `none`.
    pub(crate) proof_kind: String,
    pub(crate) proof_jwt: Option<String>,
}

/// The answer of the door.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PushedAnswer {
    /// What the browser is sent to the authorization door with.
    pub request_uri: String,
    /// Seconds that it counts.
    pub expires_in: u64,
}

/// Why a request that came through a browser is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The browser's owner is told; nobody is redirected.
    #[error("{0}")]
    Page(OauthError),
    /// The relying party is told, through the browser.
    #[error("{error}")]
    Redirect {
        /// What.
        error: OauthError,
        /// Where.
        redirect: Redirect,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Idp {
    /// Takes a request that its relying party pushes.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn push(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        form: &Form,
    ) -> Result<PushedAnswer, OpError> {
        let known = self.known_party(ctx, tenant, presented, form).await?;
        if form.get("request_uri").is_some() {
            let error = OauthError::invalid_request("request_uri is not taken here");
            return Err(self.refuse_request(ctx, &known.party, error, &[]).await?);
        }
        let key = self.possession(ctx, tenant, presented, None).await?;
        let mut pushed = match self.judge_pushed(ctx, tenant, &known, form) {
            Ok(pushed) => pushed,
            Err(fault) => {
                return Err(self.refuse_request(ctx, &known.party, fault.error, &fault.overreach).await?);
            }
        };
        if let Some(error) = self.settle_hint(ctx, tenant, &mut pushed).await? {
            return Err(self.refuse_request(ctx, &known.party, error, &[]).await?);
        }
        if let Some(key) = &key {
            if pushed.checked.dpop_jkt.as_deref().is_some_and(|jkt| jkt != key.jkt()) {
                let error = OauthError::of(ErrorCode::InvalidDpopProof, "dpop_jkt is another key's");
                return Err(self.refuse_request(ctx, &known.party, error, &[]).await?);
            }
            pushed.checked.dpop_jkt = Some(key.jkt());
        }
        self.ensure_signer(ctx, &known.party).await?;
        let guards = known.spend.into_iter().chain(key.as_ref().map(op::spend_proof)).collect::<Vec<_>>();
        let has_assertion = known.assertion.is_some();
        match self.keep_pushed(ctx, &pushed, guards).await? {
            Some(request_uri) => Ok(PushedAnswer { request_uri, expires_in: self.config.par_ttl_s }),
            None => {
                let error = if has_assertion && key.is_none() {
                    OauthError::invalid_client()
                } else {
                    OauthError::of(ErrorCode::InvalidDpopProof, "the proof was used before")
                };
                Err(self.refuse_request(ctx, &known.party, error, &[]).await?)
            }
        }
    }

    /// Takes a request that comes through the browser itself, of a relying party that is registered for that, and answers its
    /// `request_uri`.
    ///
    /// # Errors
    /// [`BeginError`].
    pub async fn begin(&self, ctx: &Ctx, tenant: &str, form: &Form) -> Result<(String, String), BeginError> {
        let page = |text| BeginError::Page(OauthError::invalid_request(text));
        let object = form.get("request").map(RequestObject::parse).transpose();
        let object = object.map_err(|fault| BeginError::Page(fault.into()))?;
        let named = form.get("client_id").or(object.as_ref().and_then(RequestObject::client_id));
        let client_id = named.ok_or_else(|| page("client_id is missing"))?.to_owned();
        let party = self.party(ctx, &client_id).await?;
        let party = party.filter(|party| party.is_active(ctx.now_ms()));
        let party = party.ok_or_else(|| page("there is no such relying party"))?;
        let known = Known { party, spend: None, assertion: None };
        let judged = self.judge_pushed(ctx, tenant, &known, form).and_then(|pushed| {
            match known.party.metadata.require_par {
                true => Err(RequestFault {
                    error: OauthError::invalid_request("this client must push its requests"),
                    redirect: Some(Redirect {
                        uri: pushed.checked.redirect_uri,
                        state: pushed.checked.state,
                    }),
                    overreach: Vec::new(),
                }),
                false => Ok(pushed),
            }
        });
        let mut pushed = match judged {
            Ok(pushed) => pushed,
            Err(RequestFault { error, redirect, overreach }) => {
                let event = op::refused_request(&client_id, &error, &overreach);
                self.store.record(ctx, event).await?;
                return Err(match redirect {
                    Some(redirect) => BeginError::Redirect { error, redirect },
                    None => BeginError::Page(error),
                });
            }
        };
        if let Some(error) = self.settle_hint(ctx, tenant, &mut pushed).await? {
            self.store.record(ctx, op::refused_request(&client_id, &error, &[])).await?;
            let redirect = Redirect { uri: pushed.checked.redirect_uri, state: pushed.checked.state };
            return Err(BeginError::Redirect { error, redirect });
        }
        if let Err(fault) = self.ensure_signer(ctx, &known.party).await {
            tracing::error!(%fault, "no key signs ID Tokens for this relying party");
            return Err(page("this relying party cannot be served now"));
        }
        let request_uri = self.keep_pushed(ctx, &pushed, Vec::new()).await?;
        Ok((client_id, request_uri.ok_or_else(|| page("the request could not be kept"))?))
    }

    /// The request, judged: its signed form where there is one, and nothing beside that says otherwise.
    fn judge_pushed(
        &self,
        ctx: &Ctx,
        tenant: &str,
        known: &Known,
        form: &Form,
    ) -> Result<PushedRequest, RequestFault> {
        let client = op::client_of(&known.party);
        let plain = |error| RequestFault { error, redirect: None, overreach: Vec::new() };
        let outside = Parameters::of_form(form);
        let parameters = match form.get("request") {
            None if known.party.metadata.service_proof == "request_object" => {
                return Err(plain(OauthError::invalid_request("this client must sign its requests")));
            }
            None => outside,
            Some(compact) => {
                let object = RequestObject::parse(compact).map_err(|fault| plain(fault.into()))?;
                let keys = Jwks::of(known.party.jwks());
                let issuer = self.config.issuer(tenant);
                let inside = object.verify(&keys, &client.client_id, &issuer, ctx.now);
                let inside = inside.map_err(|fault| plain(fault.into()))?;
                if !outside.agree_with(&inside) {
                    let text = "a parameter says otherwise than the signed request";
                    return Err(plain(OauthError::invalid_request(text)));
                }
                inside
            }
        };
        let checked = parameters.judge(&client, &op::vocabulary())?;
        let (kind, jwt) = match (form.get("request"), &known.assertion) {
            (Some(object), _) => ("request_object", Some(object.to_owned())),
            (None, Some(assertion)) => ("client_assertion", Some(assertion.clone())),
            (None, None) => ("none", None),
        };
        Ok(PushedRequest { checked, proof_kind: kind.to_owned(), proof_jwt: jwt })
    }

    /// Reads an `id_token_hint`: from here on it stands as the `sub` that alone may sign in.
    async fn settle_hint(
        &self,
        ctx: &Ctx,
        tenant: &str,
        pushed: &mut PushedRequest,
    ) -> Result<Option<OauthError>, StoreFault> {
        let Some(hint) = pushed.checked.id_token_hint.take() else { return Ok(None) };
        match self.hinted(ctx, tenant, &pushed.checked.client_id, &hint).await? {
            Ok(sub) if pushed.checked.claims.sub.as_ref().is_none_or(|asked| *asked == sub) => {
                pushed.checked.claims.sub = Some(sub);
                Ok(None)
            }
            Ok(_) => Ok(Some(OauthError::invalid_request("two hints name two persons"))),
            Err(error) => Ok(Some(error)),
        }
    }

    /// The algorithm that this relying party's ID Tokens are signed by must have its key before anybody signs in.
    async fn ensure_signer(&self, ctx: &Ctx, party: &RelyingParty) -> Result<(), OpError> {
        let userinfo = party.metadata.userinfo_alg.as_deref().map(SignAlg::from_jws_name);
        for alg in [Some(id_token_alg(party)), userinfo.and_then(Result::ok)].into_iter().flatten() {
            self.ensure_token_key(ctx, alg).await.map_err(|fault| {
                tracing::error!(%fault, "a key for tokens could not be made");
                OpError::from(OauthError::of(
                    ErrorCode::TemporarilyUnavailable,
                    "tokens cannot be signed now",
                ))
            })?;
        }
        Ok(())
    }

    /// Writes the row; `None` when an assertion or proof was used before.
    async fn keep_pushed(
        &self,
        ctx: &Ctx,
        pushed: &PushedRequest,
        guards: Vec<::store::Stmt>,
    ) -> Result<Option<String>, StoreFault> {
        let reference = crypto::base64::url_encode(&ctx.random::<32>());
        let ttl = SignedDuration::from_secs(i64::try_from(self.config.par_ttl_s).unwrap_or(60));
        let expires_at_ms = ctx.now_ms() + i64::try_from(ttl.as_millis()).unwrap_or(60_000);
        let request = serde_json::to_string(pushed).expect("texts and numbers");
        let key = (hash::sha256(reference.as_bytes()), pushed.checked.client_id.as_str());
        let row = rows::push(&self.store, ctx, key, request.as_bytes(), expires_at_ms).await?;
        let kept = self.store.housekeeping_guarded(ctx, Reason::SigninStep, guards, vec![row]).await?;
        Ok(kept.then(|| format!("{REQUEST_URI_PREFIX}{reference}")))
    }

    async fn refuse_request(
        &self,
        ctx: &Ctx,
        party: &RelyingParty,
        error: OauthError,
        overreach: &[String],
    ) -> Result<OpError, StoreFault> {
        self.store.record(ctx, op::refused_request(&party.client_id, &error, overreach)).await?;
        Ok(OpError::recorded(error))
    }
}

/// The hash under which a `request_uri` of ours is kept.
pub(crate) fn reference_sha256(request_uri: &str) -> Option<[u8; 32]> {
    let reference = request_uri.strip_prefix(REQUEST_URI_PREFIX)?;
    (reference.len() == REFERENCE_CHARS).then(|| hash::sha256(reference.as_bytes()))
}

/// How this relying party's ID Tokens are signed.
pub(crate) fn id_token_alg(party: &RelyingParty) -> SignAlg {
    SignAlg::from_jws_name(&party.metadata.id_token_alg).unwrap_or(SignAlg::Es256)
}
