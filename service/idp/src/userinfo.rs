//! The userinfo door (OpenID Connect Core 1.0, 5.3), introspection (RFC 7662) and revocation (RFC 7009): each reads the grant, so an
//! ended one ends here at once.

use crate::Idp;
use crate::grant::Grant;
use crate::op::{self, OpError, Presented};
use crate::remembered::OwnToken;
use crate::sealed_claims::Under;
use crate::store::op as rows;
use ::store::{Ctx, Reason, StoreFault};
use crypto::hash;
use crypto::jose::jws::Draft;
use crypto::key::SignAlg;
use crypto::secret::Secret;
use custody::SignError;
use jiff::{SignedDuration, Timestamp};
use openid::oauth::dpop::DpopFault;
use openid::oauth::{AccessToken, ErrorCode, Expected, Form, OauthError};
use openid::oidc::introspection::{self, TokenFacts};
use openid::oidc::{Introspection, ProviderTokenClaims};
use serde_json::{Map, Value};
use std::sync::Arc;
use tlog::event::Event;

/// Seconds that our own clocks may differ from each other.
const OWN_SKEW_S: i64 = 5;

/// What userinfo answers.
#[derive(Debug)]
pub enum Userinfo {
    /// `sub` and the granted claims.
    Plain(Map<String, Value>),
    /// The same, signed, where the relying party is registered so.
    Signed(String),
}

/// An access token whose signature, dates and grant hold.
struct Live {
    claims: ProviderTokenClaims,
    grant: Grant,
}

impl Idp {
    /// The person's claims for whoever holds the token, and the key that it is bound to.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn userinfo(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        in_body: Option<&str>,
    ) -> Result<Userinfo, OpError> {
        let (token, is_dpop) = token_of(presented.authorization, in_body)?;
        let Some(live) = self.live_token(ctx, tenant, token).await? else {
            return Err(invalid_token().into());
        };
        self.prove_token(ctx, tenant, presented, (token, is_dpop), &live).await?;
        let sealed = rows::claims(&self.store, ctx, hash::sha256(token.as_bytes())).await?;
        let place = live.grant.id.as_bytes();
        let opened =
            sealed.and_then(|sealed| Under::AccessToken.open(token, ctx.tenant.as_str(), place, &sealed));
        let mut claims = opened.unwrap_or_default();
        claims.insert("sub".to_owned(), live.claims.sub.clone().into());
        let party = self.party(ctx, &live.claims.client_id).await?.ok_or_else(invalid_token)?;
        match party.metadata.userinfo_alg.as_deref().and_then(|name| SignAlg::from_jws_name(name).ok()) {
            None => Ok(Userinfo::Plain(claims)),
            Some(alg) => self.sign_userinfo(ctx, &live, claims, alg).await.map(Userinfo::Signed),
        }
    }

    /// A token that is bound to a key opens nothing without that key, and never as a bearer token.
    async fn prove_token(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        (token, is_dpop): (&str, bool),
        live: &Live,
    ) -> Result<(), OpError> {
        let bound = live.claims.cnf.as_ref().map(|cnf| cnf.jkt.as_str());
        if bound.is_some() != is_dpop {
            return Err(invalid_token().into());
        }
        let Some(bound) = bound else { return Ok(()) };
        let at_resource = |error: OauthError| OauthError { status: 401, ..error };
        let proved = match self.possession(ctx, tenant, presented, Some(token)).await {
            Ok(Some(proved)) => proved,
            Ok(None) => return Err(at_resource(op::proof_missing()).into()),
            Err(OpError::Oauth { error, recorded, dpop_nonce }) => {
                return Err(OpError::Oauth { error: at_resource(error), recorded, dpop_nonce });
            }
            Err(other) => return Err(other),
        };
        if !hash::equal(proved.jkt().as_bytes(), bound.as_bytes()) {
            return Err(at_resource(DpopFault::OtherKey.into()).into());
        }
        match self.spend_in_memory(ctx, &proved) {
            Err(OpError::Oauth { error, recorded, dpop_nonce }) => {
                Err(OpError::Oauth { error: at_resource(error), recorded, dpop_nonce })
            }
            other => other,
        }
    }

    async fn live_token(&self, ctx: &Ctx, tenant: &str, token: &str) -> Result<Option<Live>, StoreFault> {
        let issuer = self.config.issuer(tenant);
        if let Some(own) = self.own_token(ctx, &issuer, token).await? {
            return self.with_grant(ctx, own.claims.clone()).await;
        }
        let Ok(token) = AccessToken::parse(token) else { return Ok(None) };
        let keys = self.access_keys(ctx, token.kid()).await?;
        let expected =
            Expected { issuer: &issuer, audience: &issuer, algs: &[SignAlg::Es256], skew_s: OWN_SKEW_S };
        let Ok(verified) = token.verify(&keys, &expected, ctx.now) else { return Ok(None) };
        // The skew is for clocks behind ours; no token of ours outlives its end.
        if verified.expires_at <= ctx.now {
            return Ok(None);
        }
        let Ok(claims) = serde_json::from_value::<ProviderTokenClaims>(Value::Object(verified.claims)) else {
            return Ok(None);
        };
        self.with_grant(ctx, claims).await
    }

    /// A token that this process signed itself, by the version that is in use and for this issuer, within its time: its signature
    /// need not be verified. With any other version custody decides anew.
    async fn own_token(
        &self,
        ctx: &Ctx,
        issuer: &str,
        token: &str,
    ) -> Result<Option<Arc<OwnToken>>, StoreFault> {
        let Some(own) = self.remembered.token(&ctx.tenant, token) else { return Ok(None) };
        let now_s = ctx.now.as_second();
        let in_time = own.claims.iat <= now_s + OWN_SKEW_S && now_s < own.claims.exp;
        if !in_time || own.claims.iss != issuer {
            return Ok(None);
        }
        match self.custody.signer(ctx, op::token_key(SignAlg::Es256)).await {
            Ok(signer) if signer.kid == own.kid => Ok(Some(own)),
            Err(SignError::Store(fault)) => Err(fault),
            _ => Ok(None),
        }
    }

    async fn with_grant(&self, ctx: &Ctx, claims: ProviderTokenClaims) -> Result<Option<Live>, StoreFault> {
        let grant = self.standing_grant(ctx, &claims.sid).await?;
        Ok(grant.filter(|grant| grant.client_id == claims.client_id).map(|grant| Live { claims, grant }))
    }

    async fn sign_userinfo(
        &self,
        ctx: &Ctx,
        live: &Live,
        mut claims: Map<String, Value>,
        alg: SignAlg,
    ) -> Result<String, OpError> {
        claims.insert("iss".to_owned(), live.claims.iss.clone().into());
        claims.insert("aud".to_owned(), live.claims.client_id.clone().into());
        let draft = Draft::new("JWT", Value::Object(claims).to_string());
        let until = ctx.now.checked_add(SignedDuration::from_secs(300)).unwrap_or(Timestamp::MAX);
        Ok(self.custody.sign_jws_until(ctx, op::token_key(alg), draft, until).await?.compact)
    }

    /// What a relying party may know of its own token; of any other it learns that it opens nothing.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn introspect(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        form: &Form,
    ) -> Result<Introspection, OpError> {
        let token = introspection::token_of(form)?;
        let known = self.known_party(ctx, tenant, presented, form).await?;
        let is_public = op::needs_proof(&known.party);
        let client_id = known.party.client_id.clone();
        self.spend_alone(ctx, &client_id, presented.door, known.spend).await?;
        if is_public {
            return Err(self
                .refuse_party(ctx, &client_id, presented.door, OauthError::invalid_client())
                .await?);
        }
        if let Some(live) = self.live_token(ctx, tenant, token.expose()).await? {
            let is_own = live.claims.client_id == client_id;
            return Ok(if is_own {
                Introspection::of_access_token(&live.claims)
            } else {
                Introspection::inactive()
            });
        }
        Ok(self
            .introspect_refresh(ctx, tenant, &client_id, &token)
            .await?
            .unwrap_or(Introspection::inactive()))
    }

    async fn introspect_refresh(
        &self,
        ctx: &Ctx,
        tenant: &str,
        client_id: &str,
        token: &Secret<String>,
    ) -> Result<Option<Introspection>, StoreFault> {
        let row = rows::refresh(&self.store, ctx, hash::sha256(token.expose().as_bytes())).await?;
        let Some(row) = row.filter(|row| row.spent_at_ms.is_none() && row.expires_at_ms > ctx.now_ms())
        else {
            return Ok(None);
        };
        let grant = self.standing_grant(ctx, &row.grant_id).await?;
        Ok(grant.filter(|grant| grant.client_id == client_id).map(|grant| {
            let facts = TokenFacts {
                scope: grant.scopes.join(" "),
                client_id: grant.client_id,
                token_type: None,
                sub: grant.facts.sub,
                iss: self.config.issuer(tenant),
                exp: row.expires_at_ms.div_euclid(1_000),
                iat: None,
                cnf: None,
            };
            Introspection { active: true, facts: Some(facts) }
        }))
    }

    /// Ends the grant of a relying party's own token, whichever of its two it sends. What is no token of its own is none (RFC 7009,
    /// 2.2).
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn revoke_token(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        form: &Form,
    ) -> Result<(), OpError> {
        let token = introspection::token_of(form)?;
        let known = self.known_party(ctx, tenant, presented, form).await?;
        let client_id = known.party.client_id.clone();
        self.spend_alone(ctx, &client_id, presented.door, known.spend).await?;
        let by_access = self.live_token(ctx, tenant, token.expose()).await?.map(|live| live.grant);
        let grant = match by_access {
            Some(grant) => Some(grant),
            None => {
                let row = rows::refresh(&self.store, ctx, hash::sha256(token.expose().as_bytes())).await?;
                match row {
                    Some(row) => self.standing_grant(ctx, &row.grant_id).await?,
                    None => None,
                }
            }
        };
        if let Some(grant) = grant.filter(|grant| grant.client_id == client_id) {
            let reason = "relying_party".to_owned();
            let event = Event::GrantRevoked { relying_party: client_id, grant: grant.id.clone(), reason };
            self.end_grant(ctx, &grant.id, event).await?;
        }
        Ok(())
    }

    /// Spends an assertion at a door that may write nothing else.
    async fn spend_alone(
        &self,
        ctx: &Ctx,
        client_id: &str,
        door: &'static str,
        spend: Option<::store::Stmt>,
    ) -> Result<(), OpError> {
        let Some(spend) = spend else { return Ok(()) };
        if self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![spend], Vec::new()).await? {
            return Ok(());
        }
        Err(self.refuse_party(ctx, client_id, door, OauthError::invalid_client()).await?)
    }
}

/// The token of a request: in the header by either scheme, or in a form (RFC 6750, 2.1 and 2.2), never in both. The second is
/// whether it came with the DPoP scheme.
fn token_of<'a>(
    authorization: Option<&'a str>,
    in_body: Option<&'a str>,
) -> Result<(&'a str, bool), OauthError> {
    match (authorization, in_body) {
        (Some(_), Some(_)) => Err(OauthError::invalid_request("two access tokens came")),
        (None, Some(token)) => Ok((token, false)),
        (None, None) => Err(invalid_token()),
        (Some(header), None) => {
            let (scheme, token) = header.split_once(' ').ok_or_else(invalid_token)?;
            if scheme.eq_ignore_ascii_case("dpop") {
                Ok((token, true))
            } else if scheme.eq_ignore_ascii_case("bearer") {
                Ok((token, false))
            } else {
                Err(invalid_token())
            }
        }
    }
}

fn invalid_token() -> OauthError {
    OauthError::of(ErrorCode::InvalidToken, "the access token is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_in_one_place_and_by_one_of_two_schemes() {
        assert_eq!(token_of(Some("DPoP a"), None).unwrap(), ("a", true));
        assert_eq!(token_of(Some("bearer a"), None).unwrap(), ("a", false));
        assert_eq!(token_of(None, Some("a")).unwrap(), ("a", false));
        assert_eq!(token_of(Some("Bearer a"), Some("a")).unwrap_err().error, ErrorCode::InvalidRequest);
        for header in [Some("Basic a"), Some("a"), None] {
            assert_eq!(token_of(header, None).unwrap_err().error, ErrorCode::InvalidToken);
        }
    }
}
