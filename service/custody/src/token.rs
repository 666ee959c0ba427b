//! `POST /oauth/token`: access tokens of service accounts.
//!
//! ```text
//! form, Basic header ── ClientAuth ── tenancy::authenticate ── sign at+jwt ── unit { event, spent jti } ──▶ token
//! ```
//! A refusal of a known account is an event in its tenant's log; strangers get one answer, whatever was wrong.

use jiff::SignedDuration;
use openid::oauth::{
    AccessTokenClaims, ClientAuth, ClientCredentialsRequest, ErrorCode, Form, OauthError, TokenResponse,
};
use store::{Actor, CommitError, Ctx, Refused, StoreFault, TenantId, Unit, id};
use tenancy::service_account::{Authenticated, ClientError};
use tenancy::{Role, Roles};
use thiserror::Error;
use tlog::event::Event;

use crate::Custody;
use crate::sign::{KeyRef, SignError};

/// The use of the instance's key for access tokens.
pub const USE: &str = "jws:at+jwt";

/// Life of an access token in seconds.
pub const TOKEN_TTL_S: u32 = 900;

/// Why no token is issued.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// What the standard's error says; `event` is the one that recorded it, if there is one.
    #[error("{error}")]
    Oauth {
        /// The answer.
        error: OauthError,
        /// `evt_…`.
        event: Option<String>,
    },
    /// The key of the instance cannot sign.
    #[error(transparent)]
    Sign(SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Custody {
    /// Issues an access token for `client_credentials`. `ctx` is a stranger's; the account is known only afterwards.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn issue_token(
        &self,
        ctx: &Ctx,
        authorization: Option<&str>,
        form: &Form,
    ) -> Result<TokenResponse, TokenError> {
        let request = ClientCredentialsRequest::read(form).map_err(plain)?;
        let client = ClientAuth::read(authorization, form).map_err(plain)?;
        let known = match self.tenancy().authenticate(ctx, client, &self.audiences()).await {
            Ok(known) => known,
            Err(ClientError::Store(fault)) => return Err(fault.into()),
            Err(ClientError::Unknown) => return Err(plain(OauthError::invalid_client())),
            Err(ClientError::Refused { tenant, account, code }) => {
                return Err(self.refuse(ctx, tenant, account, code, OauthError::invalid_client()).await?);
            }
        };
        let roles = granted(known.account.roles, &request.scope);
        if roles.is_empty() {
            let error =
                OauthError::of(ErrorCode::InvalidScope, "the account has none of the roles asked for");
            let (tenant, account) = (known.tenant, known.account.id);
            return Err(self.refuse(ctx, tenant, account, "oauth/invalid-scope", error).await?);
        }
        self.grant(ctx, known, roles).await
    }

    async fn grant(
        &self,
        ctx: &Ctx,
        known: Authenticated,
        roles: Roles,
    ) -> Result<TokenResponse, TokenError> {
        let Authenticated { tenant, account, spend } = known;
        let claims = AccessTokenClaims {
            iss: self.public_url().to_owned(),
            aud: format!("{}/api/v1", self.public_url()),
            sub: account.id.clone(),
            client_id: account.id.clone(),
            tenant: tenant.to_string(),
            roles: roles.iter().map(|role| role.to_string()).collect(),
            scope: Some(roles.to_text()),
            iat: ctx.now.as_second(),
            exp: ctx.now.as_second() + i64::from(TOKEN_TTL_S),
            jti: id::new(ctx, "jti"),
        };
        let system = ctx.for_tenant(TenantId::SYSTEM);
        let until = ctx.now + SignedDuration::from_secs(i64::from(TOKEN_TTL_S));
        let signed = self.sign_jws_until(&system, KeyRef::Use(USE), claims.draft(), until).await;
        let signed = signed.map_err(TokenError::Sign)?;
        let event = Event::ServiceTokenIssued {
            ttl_s: TOKEN_TTL_S.into(),
            account: account.id.clone(),
            token_id: claims.jti,
            roles: claims.roles,
            key_use: signed.key,
        };
        let mut inside = ctx.for_tenant(tenant);
        inside.actor = Actor::service(&account.id);
        let mut unit = Unit::new(event);
        if let Some(spend) = spend {
            unit = unit.guard(spend, Replayed(account.id));
        }
        match self.store().commit(&inside, unit).await {
            Ok(_) => Ok(TokenResponse::bearer(signed.compact, TOKEN_TTL_S, Some(roles.to_text()))),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(_)) => Err(plain(OauthError::invalid_client())),
        }
    }

    /// Records that a known account was refused.
    async fn refuse(
        &self,
        ctx: &Ctx,
        tenant: TenantId,
        account: String,
        code: &str,
        error: OauthError,
    ) -> Result<TokenError, StoreFault> {
        let event = Event::ServiceTokenRefused { account, code: code.to_owned() };
        let committed = self.store().record(&ctx.for_tenant(tenant), event).await?;
        Ok(TokenError::Oauth { error, event: Some(committed.event_id.to_string()) })
    }

    /// Names of the token door that a client's assertion may be for (RFC 7523, 3).
    fn audiences(&self) -> Vec<&str> {
        vec![self.public_url(), self.token_url()]
    }
}

/// The assertion's id was spent before.
struct Replayed(String);

impl Refused for Replayed {
    fn event(&self) -> Event {
        Event::ServiceTokenRefused { account: self.0.clone(), code: "oauth/assertion-replayed".to_owned() }
    }
}

/// Scope words are names of roles: whoever asks for some gets those of them that the account has, whoever asks for none gets all.
fn granted(has: Roles, asked: &[String]) -> Roles {
    if asked.is_empty() {
        return has;
    }
    asked.iter().filter_map(|word| Role::parse(word)).filter(|role| has.has(*role)).collect()
}

const fn plain(error: OauthError) -> TokenError {
    TokenError::Oauth { error, event: None }
}
