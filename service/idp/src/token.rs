//! The token door: a code or a refresh token for tokens, once.
//!
//! ```text
//! code    ─► who asks ─► proof ─► result ─► redeem (pure) ─► sign ─► unit { jti, result spent, grant, claims, refresh } ─► tokens
//! refresh ─► who asks ─► proof ─► grant ─► judge (pure) ─► sign ─► unit { jti, rotated or touched } ─► tokens
//! ```
//! A code or a rotated refresh token that comes again ends its grant: somebody has a copy.

use crate::grant::{Grant, GrantFacts};
use crate::op::{self, Known, OpError, Presented};
use crate::par::id_token_alg;
use crate::relying_party::RelyingParty;
use crate::remembered::OwnToken;
use crate::result::Redeemable;
use crate::sealed_claims::Under;
use crate::store::op::{self as rows, NewGrant, RefreshRow};
use crate::{Idp, store};
use ::store::{CommitError, Ctx, Refused, Stmt, StoreFault, Unit, id};
use crypto::hash;
use crypto::secret::Secret;
use custody::Signed;
use jiff::{SignedDuration, Timestamp};
use openid::oauth::dpop::{DpopFault, ProvedKey};
use openid::oauth::{Form, OauthError};
use openid::oidc::id_token::{Confirmation, at_hash};
use openid::oidc::token::{self as rules, ProviderTokenResponse, TokenRequest};
use openid::oidc::{Acr, CheckedRequest, IdTokenClaims, ProviderTokenClaims, RefreshFault, Refreshing};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use tlog::event::{Event, KeyUse};

/// The door's name, in addresses and events.
const DOOR: &str = "token";

/// What a lost guard at this door means.
#[derive(Debug)]
enum Spent {
    /// The proof or assertion was used before.
    Proof(String),
    /// The code or refresh token was.
    Grant(String),
}

impl Refused for Spent {
    fn event(&self) -> Event {
        match self {
            Self::Proof(client) => op::token_refused(client, DOOR, &DpopFault::Replayed.into()),
            Self::Grant(client) => op::token_refused(client, DOOR, &rules::invalid_grant()),
        }
    }
}

/// Whom tokens are for, and what they say.
struct Issue<'a> {
    party: &'a RelyingParty,
    grant_id: &'a str,
    facts: &'a GrantFacts,
    acr: Acr,
    scopes: Vec<String>,
    jkt: Option<String>,
}

/// Tokens that were signed and stand nowhere yet.
struct Made {
    access_token: String,
    id_token: Option<String>,
    key_uses: Vec<KeyUse>,
    expires_at: Timestamp,
}

impl Idp {
    /// Answers a token request.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn tokens(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        form: &Form,
    ) -> Result<ProviderTokenResponse, OpError> {
        let request = TokenRequest::read(form)?;
        let known = self.known_party(ctx, tenant, presented, form).await?;
        let key = self.possession(ctx, tenant, presented, None).await?;
        if key.is_none() && op::needs_proof(&known.party) {
            return Err(self.refuse_party(ctx, &known.party.client_id, DOOR, op::proof_missing()).await?);
        }
        match request {
            TokenRequest::Code { code, redirect_uri, code_verifier } => {
                let verifier = code_verifier.as_ref().map(|verifier| verifier.expose().as_str());
                self.redeem(ctx, tenant, (known, key), &code, (redirect_uri.as_deref(), verifier)).await
            }
            TokenRequest::Refresh { refresh_token, scope } => {
                self.refresh(ctx, tenant, (known, key), &refresh_token, scope.as_deref()).await
            }
        }
    }

    async fn redeem(
        &self,
        ctx: &Ctx,
        tenant: &str,
        (known, key): (Known, Option<ProvedKey>),
        code: &Secret<String>,
        (redirect_uri, verifier): (Option<&str>, Option<&str>),
    ) -> Result<ProviderTokenResponse, OpError> {
        let client_id = known.party.client_id.clone();
        let found = self.result_of_code(ctx, code.expose()).await?;
        let Some(found) = found.filter(|found| found.request.client_id == client_id) else {
            return Err(self.refuse_party(ctx, &client_id, DOOR, rules::invalid_grant()).await?);
        };
        if found.is_spent {
            return Err(self.replayed(ctx, &client_id, found.grant_id.as_deref()).await?);
        }
        let jkt = key.as_ref().map(ProvedKey::jkt);
        let checked = checked_request(&found)?;
        let fits = rules::redeem(&checked, &client_id, redirect_uri, verifier, jkt.as_deref());
        let is_asked = checked.claims.sub.as_deref().is_none_or(|asked| asked == found.facts.sub);
        let open = found.code_until_ms > ctx.now_ms() && is_asked;
        let claims = found.claims.clone();
        let (Ok(()), true, Some(claims)) = (fits, open, claims) else {
            return Err(self.refuse_party(ctx, &client_id, DOOR, rules::invalid_grant()).await?);
        };
        let grant_id = id::new(ctx, "gra");
        let facts = GrantFacts {
            sub: found.facts.sub.clone(),
            auth_time: found.facts.auth_time_s,
            amr: found.facts.amr.clone(),
            consent_hash: found.facts.consent_hash.clone(),
        };
        let scopes = found.facts.granted.clone();
        let acr = Acr::parse(&found.facts.acr).unwrap_or(Acr::Code);
        let issue = Issue { party: &known.party, grant_id: &grant_id, facts: &facts, acr, scopes, jkt };
        let asked = (&checked.nonce, id_claims(&checked, &claims));
        let made = self.make_tokens(ctx, tenant, &issue, Some(asked)).await?;
        let refresh = self.new_refresh(ctx, &issue, &claims);
        let unit = Unit::new(issued(&issue, &made, false));
        let unit = spending(unit, known.spend, key.as_ref(), &client_id)
            .guard(
                store::result::spend(hash::sha256(code.expose().as_bytes()), &grant_id),
                Spent::Grant(client_id.clone()),
            )
            .put(self.grant_row(ctx, &issue, &found, refresh.is_some()).await?)
            .put_all(self.claims_row(ctx, &issue, &made, &claims))
            .put_all(refresh.as_ref().map(|refresh| refresh.1.clone()));
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(self.response(&issue, made, refresh.map(|refresh| refresh.0), found.facts.receipt)),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(Spent::Proof(_))) => Err(OpError::recorded(replayed_proof(key.is_some()))),
            Err(CommitError::Lost(Spent::Grant(_))) => {
                let now = self.result_of_code(ctx, code.expose()).await?;
                Err(self.replayed(ctx, &client_id, now.and_then(|now| now.grant_id).as_deref()).await?)
            }
        }
    }

    /// A code came again: its grant ends.
    async fn replayed(&self, ctx: &Ctx, client_id: &str, grant: Option<&str>) -> Result<OpError, StoreFault> {
        let event =
            Event::CodeReplayed { relying_party: client_id.to_owned(), grant: grant.map(str::to_owned) };
        match grant {
            Some(grant) => self.end_grant(ctx, grant, event).await?,
            None => drop(self.store.record(ctx, event).await?),
        }
        Ok(OpError::recorded(rules::invalid_grant()))
    }

    async fn refresh(
        &self,
        ctx: &Ctx,
        tenant: &str,
        (known, key): (Known, Option<ProvedKey>),
        token: &Secret<String>,
        scope: Option<&[String]>,
    ) -> Result<ProviderTokenResponse, OpError> {
        let client_id = known.party.client_id.clone();
        let token_sha256 = hash::sha256(token.expose().as_bytes());
        let row = rows::refresh(&self.store, ctx, token_sha256).await?;
        let grant = match &row {
            Some(row) => self.standing_grant(ctx, &row.grant_id).await?,
            None => None,
        };
        let (Some(row), Some(grant)) = (row, grant) else {
            return Err(self.refuse_party(ctx, &client_id, DOOR, rules::invalid_grant()).await?);
        };
        let jkt = key.as_ref().map(ProvedKey::jkt);
        let judged = refreshing(&row, &grant, self.config.refresh_idle_d).judge(
            &client_id,
            jkt.as_deref(),
            scope,
            ctx.now,
        );
        let refreshed = match judged {
            Ok(refreshed) => refreshed,
            Err(RefreshFault::Reused) => return Err(self.reused(ctx, &grant).await?),
            Err(fault) => return Err(self.refuse_party(ctx, &client_id, DOOR, fault.into()).await?),
        };
        let claims = row.claims.as_deref().and_then(|sealed| {
            Under::RefreshToken.open(token.expose(), ctx.tenant.as_str(), grant.id.as_bytes(), sealed)
        });
        let (facts, acr) = (&grant.facts, grant.acr);
        let issue =
            Issue { party: &known.party, grant_id: &grant.id, facts, acr, scopes: refreshed.scopes, jkt };
        let made = self.make_tokens(ctx, tenant, &issue, None).await?;
        let claims = claims.unwrap_or_default();
        let next = refreshed.rotates.then(|| self.next_refresh(ctx, &issue, &claims, row.expires_at_ms));
        let spend = if refreshed.rotates { rows::spend_refresh } else { rows::touch_refresh };
        let unit = Unit::new(issued(&issue, &made, true));
        let unit = spending(unit, known.spend, key.as_ref(), &client_id)
            .guard(spend(token_sha256), Spent::Grant(client_id.clone()))
            .put_all(self.claims_row(ctx, &issue, &made, &claims))
            .put_all(next.as_ref().map(|next| next.1.clone()));
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(self.response(&issue, made, next.map(|next| next.0), None)),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(Spent::Proof(_))) => Err(OpError::recorded(replayed_proof(key.is_some()))),
            Err(CommitError::Lost(Spent::Grant(_))) => Err(self.reused(ctx, &grant).await?),
        }
    }

    /// A rotated refresh token came again: its grant ends.
    async fn reused(&self, ctx: &Ctx, grant: &Grant) -> Result<OpError, StoreFault> {
        let event = Event::RefreshReused { relying_party: grant.client_id.clone(), grant: grant.id.clone() };
        self.end_grant(ctx, &grant.id, event).await?;
        Ok(OpError::recorded(rules::invalid_grant()))
    }

    /// Signs an access token, and an ID Token where one is asked for.
    async fn make_tokens(
        &self,
        ctx: &Ctx,
        tenant: &str,
        issue: &Issue<'_>,
        id_token: Option<(&Option<String>, Map<String, Value>)>,
    ) -> Result<Made, OpError> {
        let (issuer, ttl_s) =
            (self.config.issuer(tenant), i64::try_from(self.config.access_ttl_s).unwrap_or(300));
        let iat = ctx.now.as_second();
        let expires_at = ctx.now.checked_add(SignedDuration::from_secs(ttl_s)).unwrap_or(Timestamp::MAX);
        let access = ProviderTokenClaims {
            iss: issuer.clone(),
            aud: issuer.clone(),
            sub: issue.facts.sub.clone(),
            client_id: issue.party.client_id.clone(),
            scope: issue.scopes.join(" "),
            iat,
            exp: iat + ttl_s,
            jti: id::new(ctx, "jti"),
            auth_time: issue.facts.auth_time,
            acr: issue.acr,
            cnf: issue.jkt.clone().map(|jkt| Confirmation { jkt }),
            sid: issue.grant_id.to_owned(),
        };
        let by = op::token_key(crypto::key::SignAlg::Es256);
        let signed = self.custody.sign_jws_until(ctx, by, access.draft(), expires_at).await?;
        let own = OwnToken { kid: signed.kid, claims: access };
        self.remembered.keep_token(&ctx.tenant, &signed.compact, own);
        let mut made =
            Made { access_token: signed.compact, id_token: None, key_uses: vec![signed.key], expires_at };
        if let Some((nonce, claims)) = id_token {
            let alg = id_token_alg(issue.party);
            let token = IdTokenClaims {
                iss: issuer,
                sub: issue.facts.sub.clone(),
                aud: issue.party.client_id.clone(),
                exp: iat + ttl_s,
                iat,
                auth_time: issue.facts.auth_time,
                nonce: nonce.clone(),
                acr: issue.acr,
                amr: issue.facts.amr.clone(),
                at_hash: Some(at_hash(&made.access_token, alg)),
                consent_hash: issue.facts.consent_hash.clone(),
                sid: issue.grant_id.to_owned(),
                claims,
            };
            let signed: Signed =
                self.custody.sign_jws_until(ctx, op::token_key(alg), token.draft(), expires_at).await?;
            made.id_token = Some(signed.compact);
            made.key_uses = counted(made.key_uses, signed.key);
        }
        Ok(made)
    }

    async fn grant_row(
        &self,
        ctx: &Ctx,
        issue: &Issue<'_>,
        found: &Redeemable,
        is_offline: bool,
    ) -> Result<Stmt, StoreFault> {
        let life_s = if is_offline { self.refresh_life_s() } else { self.config.access_ttl_s };
        let facts = serde_json::to_string(issue.facts).expect("texts and numbers");
        let new = NewGrant {
            id: issue.grant_id,
            client_id: &issue.party.client_id,
            person: &found.facts.person,
            enrolment: found.facts.enrolment.as_deref(),
            facts: facts.as_bytes(),
            scopes: &issue.scopes.join(" "),
            acr: issue.acr.as_str(),
            jkt: issue.jkt.as_deref(),
            expires_at_ms: ctx.now_ms() + i64::try_from(life_s * 1_000).unwrap_or(i64::MAX / 2),
        };
        rows::put_grant(&self.store, ctx, &new).await
    }

    /// The claims of the person, under the access token alone.
    fn claims_row(
        &self,
        ctx: &Ctx,
        issue: &Issue<'_>,
        made: &Made,
        claims: &Map<String, Value>,
    ) -> Option<Stmt> {
        if claims.is_empty() {
            return None;
        }
        let place = issue.grant_id.as_bytes();
        let sealed = Under::AccessToken.seal(&made.access_token, ctx.tenant.as_str(), place, claims);
        let token_sha256 = hash::sha256(made.access_token.as_bytes());
        Some(rows::put_claims(token_sha256, issue.grant_id, sealed, made.expires_at.as_millisecond()))
    }

    /// A refresh token, where the person agreed to `offline_access`.
    fn new_refresh(
        &self,
        ctx: &Ctx,
        issue: &Issue<'_>,
        claims: &Map<String, Value>,
    ) -> Option<(Secret<String>, Stmt)> {
        let is_offline = issue.scopes.iter().any(|scope| scope == "offline_access");
        let life_ms = i64::try_from(self.refresh_life_s() * 1_000).unwrap_or(i64::MAX / 2);
        is_offline.then(|| self.next_refresh(ctx, issue, claims, ctx.now_ms() + life_ms))
    }

    fn next_refresh(
        &self,
        ctx: &Ctx,
        issue: &Issue<'_>,
        claims: &Map<String, Value>,
        expires_at_ms: i64,
    ) -> (Secret<String>, Stmt) {
        let token = Secret::new(crypto::base64::url_encode(&ctx.random::<32>()));
        let keeps_claims = issue.party.metadata.refresh_claims && !claims.is_empty();
        let place = issue.grant_id.as_bytes();
        let sealed = keeps_claims
            .then(|| Under::RefreshToken.seal(token.expose(), ctx.tenant.as_str(), place, claims));
        let token_sha256 = hash::sha256(token.expose().as_bytes());
        let row = rows::put_refresh(token_sha256, issue.grant_id, sealed, expires_at_ms);
        (token, row)
    }

    fn response(
        &self,
        issue: &Issue<'_>,
        made: Made,
        refresh: Option<Secret<String>>,
        receipt: Option<String>,
    ) -> ProviderTokenResponse {
        ProviderTokenResponse {
            access_token: made.access_token,
            token_type: if issue.jkt.is_some() { "DPoP" } else { "Bearer" }.to_owned(),
            expires_in: u32::try_from(self.config.access_ttl_s).unwrap_or(u32::MAX),
            scope: issue.scopes.join(" "),
            id_token: made.id_token,
            refresh_token: refresh.map(|token| token.expose().clone()),
            consent_receipt: receipt,
        }
    }

    fn refresh_life_s(&self) -> u64 {
        self.config.refresh_ttl_d * 86_400
    }
}

/// The guards that spend what the relying party showed itself by.
fn spending(
    unit: Unit<Spent>,
    assertion: Option<Stmt>,
    key: Option<&ProvedKey>,
    client_id: &str,
) -> Unit<Spent> {
    let all = assertion.into_iter().chain(key.map(op::spend_proof));
    all.fold(unit, |unit, spend| unit.guard(spend, Spent::Proof(client_id.to_owned())))
}

fn replayed_proof(by_dpop: bool) -> OauthError {
    if by_dpop { DpopFault::Replayed.into() } else { OauthError::invalid_client() }
}

fn issued(issue: &Issue<'_>, made: &Made, refreshed: bool) -> Event {
    Event::TokensIssued {
        acr: issue.acr.number(),
        refreshed,
        bound: issue.jkt.is_some(),
        relying_party: issue.party.client_id.clone(),
        grant: issue.grant_id.to_owned(),
        scopes: issue.scopes.clone(),
        key_uses: made.key_uses.clone(),
    }
}

/// One more signature: by the same version counted, else beside.
fn counted(mut uses: Vec<KeyUse>, more: KeyUse) -> Vec<KeyUse> {
    match uses.iter_mut().find(|known| known.key_id == more.key_id && known.version == more.version) {
        Some(known) => known.count += more.count,
        None => uses.push(more),
    }
    uses
}

/// What the judge of requests made of it, as it was kept through the sign-in.
fn checked_request(found: &Redeemable) -> Result<CheckedRequest, StoreFault> {
    CheckedRequest::deserialize(&found.request.own)
        .map_err(|_| StoreFault::Sealed { place: "idp_result.request".to_owned() })
}

/// The claims that were asked for in the ID Token and granted.
fn id_claims(checked: &CheckedRequest, granted: &Map<String, Value>) -> Map<String, Value> {
    let asked = |name: &&String| checked.claims.id_token.contains(name);
    granted
        .iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn refreshing<'a>(row: &RefreshRow, grant: &'a Grant, idle_d: u64) -> Refreshing<'a> {
    let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN);
    Refreshing {
        grant_stands: true,
        client_id: &grant.client_id,
        jkt: grant.jkt.as_deref(),
        is_spent: row.spent_at_ms.is_some(),
        granted: &grant.scopes,
        used_at: at(row.used_at_ms),
        expires_at: at(row.expires_at_ms),
        idle_s: i64::try_from(idle_d * 86_400).unwrap_or(i64::MAX),
        is_bound: grant.jkt.is_some(),
    }
}
