//! Who bears what: our own access tokens, those of configured outside issuers, and operators' sessions.
//!
//! ```text
//! Authorization: Bearer ─┬─ tos_… ─▶ tenancy: session ───────────────────────────────┐
//!                        └─ a.b.c ─▶ remembered? ─▶ issuer ─▶ its keys ─▶ checks ─▶ roles, tenant ─▶ Principal
//! ```
//!
//! Invariants: a key that the token brings (`jwk`, `jku`, `x5u`, `x5c`) is never looked at; the issuer is chosen by `iss` among the
//! configured ones before anything is fetched; a caller is not told which check failed. A verified token is remembered by its
//! SHA-256 for at most a minute; a service account of ours that ended is refused at once.

pub mod issuer;
mod memory;

pub use issuer::{IssuerConfig, Issuers};

use crate::Edge;
use crypto::hash;
use crypto::key::SignAlg;
use jiff::Timestamp;
use memory::Memory;
use openid::oauth::jwks::{self, PublishedKey};
use openid::oauth::{AccessToken, AccessTokenClaims, Expected, Jwks, TokenFault};
use std::sync::{Arc, PoisonError, RwLock};
use store::{Actor, Ctx, StoreFault, TenantId};
use tenancy::{Role, Roles, operator::SESSION_PREFIX};
use tlog::entry::ActorKind;

/// Seconds that clocks may differ (L&O §8).
pub const SKEW_S: i64 = 60;

/// Bytes of a bearer text (L&O §8).
pub const BEARER_BYTES_MAX: usize = 8 << 10;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Operator or service.
    pub kind: ActorKind,
    /// `opr_…`, `svc_…`, or `<iss>#<sub>` of an outside issuer's caller.
    pub id: String,
    /// The tenant it belongs to.
    pub home: TenantId,
    /// Its roles there.
    pub roles: Roles,
    /// How it showed who it is.
    pub by: By,
}

impl Principal {
    /// The operator of a session.
    pub(crate) fn of_session(known: tenancy::operator::Known) -> Self {
        Self {
            kind: ActorKind::Operator,
            id: known.operator_id.clone(),
            home: known.tenant.clone(),
            roles: Roles::of(&[known.role]),
            by: By::Session(known),
        }
    }

    /// The actor of events.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::new(self.kind, self.id.clone())
    }

    /// Whether it may name another tenant in `Tessera-Tenant`: operators of the system tenant.
    #[must_use]
    pub fn may_name_tenant(&self) -> bool {
        self.home.is_system() && self.kind == ActorKind::Operator
    }
}

/// How a principal showed who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// An operator's session.
    Session(tenancy::operator::Known),
    /// An access token of ours.
    Token,
    /// An access token of a configured outside issuer.
    Outside {
        /// Its `iss`.
        issuer: String,
    },
}

/// Why nobody is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No bearer text.
    #[error("no token")]
    Missing,
    /// More than one, too long, or not a bearer text.
    #[error("the Authorization header cannot be read")]
    Unreadable,
    /// A session that has ended, or never was.
    #[error("no such session")]
    Session,
    /// The token's issuer is not one of ours.
    #[error("the issuer is not known")]
    Issuer,
    /// The issuer's keys cannot be had.
    #[error("the issuer's keys cannot be had")]
    Keys,
    /// The token itself.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// The account or tenant of the token has ended, or its claims name none.
    #[error("the token names nobody who may act")]
    Nobody,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Our own public token keys, as custody hands them in: at start and after each rotation.
#[derive(Clone, Debug, Default)]
pub struct OwnKeys(Arc<RwLock<Arc<Jwks>>>);

impl OwnKeys {
    /// Replaces the keys by these, each known by its thumbprint.
    pub fn replace(&self, keys: &[PublishedKey]) {
        // A document of our own always reads; without keys no token of ours is taken.
        let set = Jwks::from_value(&jwks::document(keys)).unwrap_or_default();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }

    /// The keys as they are now.
    #[must_use]
    pub fn current(&self) -> Arc<Jwks> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Checks bearer texts.
#[derive(Debug)]
pub struct Tokens {
    own: OwnKeys,
    issuer: String,
    audience: String,
    outside: Issuers,
    memory: Memory,
}

impl Tokens {
    /// `issuer` is `<public_url>`; our audience is `<public_url>/api/v1`.
    #[must_use]
    pub fn new(public_url: &str, outside: Issuers) -> Self {
        let issuer = public_url.trim_end_matches('/').to_owned();
        Self {
            own: OwnKeys::default(),
            audience: format!("{issuer}/api/v1"),
            issuer,
            outside,
            memory: Memory::default(),
        }
    }

    /// Where custody puts our own keys.
    #[must_use]
    pub const fn own(&self) -> &OwnKeys {
        &self.own
    }

    /// The outside issuers.
    #[must_use]
    pub const fn outside(&self) -> &Issuers {
        &self.outside
    }

    /// Forgets every verified token: an account or a tenant changed.
    pub fn forget(&self) {
        self.memory.clear();
    }

    /// Who bears `bearer`.
    ///
    /// # Errors
    /// [`Unknown`]; a door answers the same 401 to every variant but [`Unknown::Store`].
    pub async fn principal(&self, edge: &Edge, ctx: &Ctx, bearer: &str) -> Result<Principal, Unknown> {
        if bearer.is_empty() || bearer.len() > BEARER_BYTES_MAX {
            return Err(Unknown::Unreadable);
        }
        if bearer.starts_with(SESSION_PREFIX) {
            let known = edge.tenancy().session(ctx, bearer).await?;
            return known.map(Principal::of_session).ok_or(Unknown::Session);
        }
        let digest = hash::sha256(bearer.as_bytes());
        if let Some(known) = self.memory.get(&digest, ctx.now) {
            return Ok(known);
        }
        let token = AccessToken::parse(bearer)?;
        let (principal, expires_at) = match token.claimed_issuer() {
            Some(issuer) if issuer == self.issuer => self.ours(edge, ctx, token).await?,
            Some(issuer) => {
                let issuer = self.outside.find(issuer).ok_or(Unknown::Issuer)?;
                issuer.principal(edge, ctx, token).await?
            }
            None => return Err(Unknown::Issuer),
        };
        self.memory.put(digest, principal.clone(), expires_at, ctx.now);
        Ok(principal)
    }

    async fn ours(
        &self,
        edge: &Edge,
        ctx: &Ctx,
        token: AccessToken,
    ) -> Result<(Principal, Timestamp), Unknown> {
        let expected = Expected {
            issuer: &self.issuer,
            audience: &self.audience,
            algs: &[SignAlg::Es256],
            skew_s: SKEW_S,
        };
        let verified = token.verify(&self.own.current(), &expected, ctx.now)?;
        let claims = AccessTokenClaims::read(&verified)?;
        let home = TenantId::parse(&claims.tenant).ok_or(Unknown::Nobody)?;
        let told: Roles = claims
            .roles
            .iter()
            .map(|name| Role::parse(name))
            .collect::<Option<_>>()
            .ok_or(Unknown::Nobody)?;
        let inside = ctx.for_tenant(home.clone());
        let account = edge.tenancy().live_account(&inside, &claims.sub).await?.ok_or(Unknown::Nobody)?;
        // Roles as they were when the token was made, and no more than the account has now.
        let roles: Roles = told.iter().filter(|role| account.roles.has(*role)).collect();
        let by = By::Token;
        Ok((
            Principal { kind: ActorKind::Service, id: claims.sub, home, roles, by },
            verified.expires_at.min(account.expires_at),
        ))
    }
}
