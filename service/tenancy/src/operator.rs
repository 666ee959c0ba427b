//! Operators: people who administer a tenant. They come by one-time link and stay by session.
//!
//! ```text
//! invite ──▶ link (256 bits, 15 min) ──GET shows──▶ … ──POST spends, guarded──▶ session (idle 30 min, whole 8 h)
//! ```
//!
//! Link and session are random texts of which only the SHA-256 is stored. A link's page can be fetched any number of times; of 64
//! spends at once one opens a session. Revoking an operator ends sessions and links in the same unit.

use crate::role::Role;
use crate::{After, Tenancy, closing, refused, store};
use ::store::{Actor, CommitError, Committed, Ctx, Reason, Refused, Stmt, StoreFault, TenantId, Unit, id};
use crypto::{base64, hash, secret::Secret};
use jiff::{SignedDuration, Timestamp};
use tlog::event::Event;

/// Bytes of an operator's name.
pub const NAME_BYTES_MAX: usize = 200;
/// Characters of a link's token: 32 bytes as base64url.
pub const TOKEN_CHARS: usize = 43;
/// What a session's bearer text begins with, so that a leaked one is recognised.
pub const SESSION_PREFIX: &str = "tos_";
/// A session's row is touched at most this often; less would be a write per request.
const SEEN_EVERY_MS: i64 = 60_000;
/// What the first owner is called until somebody else is invited.
const FIRST_OWNER_NAME: &str = "first owner";

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// `opr_…`.
    pub id: String,
    /// What people call them; encrypted at rest.
    pub name: String,
    /// The one role.
    pub role: Role,
    /// When they were invited.
    pub created_at: Timestamp,
    /// When they were revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A link just made. The token is shown this once.
#[derive(Debug)]
pub struct Link {
    /// 43 characters; the link is `<console>/once/<token>`.
    pub token: Secret<String>,
    /// Whom it lets in.
    pub operator_id: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A session just opened. The token is shown this once.
#[derive(Debug)]
pub struct Session {
    /// `ses_…`.
    pub id: String,
    /// The bearer text.
    pub token: Secret<String>,
    /// Whose it is.
    pub operator: Operator,
    /// In which tenant.
    pub tenant: TenantId,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// The event that opened it.
    pub committed: Committed,
}

/// A session whose unit is not committed yet.
#[derive(Debug)]
pub(crate) struct Opening {
    id: String,
    token: Secret<String>,
    expires_at: Timestamp,
}

impl Opening {
    /// The session, once its row is durable.
    pub(crate) fn opened(self, operator: Operator, tenant: TenantId, committed: Committed) -> Session {
        let Self { id, token, expires_at } = self;
        Session { id, token, operator, tenant, expires_at, committed }
    }
}

/// Whose session a bearer text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// In which tenant.
    pub tenant: TenantId,
    /// `ses_…`.
    pub session_id: String,
    /// `opr_…`.
    pub operator_id: String,
    /// The role as it is now, so a lowered one works at once.
    pub role: Role,
    /// When the session ends however much it is used.
    pub ends_at_ms: i64,
}

/// A session as it stands in its row.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub(crate) tenant: TenantId,
    pub(crate) session_id: String,
    pub(crate) operator_id: String,
    pub(crate) role: Role,
    pub(crate) seen_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

/// Why an operator was not invited, shown or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No such operator in this tenant.
    #[error("there is no such operator")]
    NotFound,
    /// The name is empty, too long, or holds control characters.
    #[error("a name has 1 to 200 bytes and no control character")]
    Name,
    /// Revoked already.
    #[error("the operator was revoked")]
    Revoked,
    /// The last owner of a tenant stays.
    #[error("the last owner of a tenant cannot be revoked")]
    LastOwner,
    /// Another request with the same idempotency key did it.
    #[error("another request with this key did it")]
    Repeated,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for OperatorError {
    fn event(&self) -> Event {
        match self {
            Self::Repeated => refused(409, "inviteOperator", "api/idempotency-busy"),
            Self::NotFound => refused(404, "endSession", "api/not-found"),
            _ => refused(409, "revokeOperator", "operators/last-owner"),
        }
    }
}

/// Why a link opened no session. Spent, old and foreign links read alike to whoever holds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Spent, expired, unknown, or of an operator who was revoked.
    #[error("the link is spent, old or not ours")]
    Gone {
        /// The operator, where the link is known.
        operator: Option<String>,
        /// The tenant whose log tells of it.
        tenant: TenantId,
        /// Whether the refusal's event is written already.
        recorded: bool,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for LinkError {
    fn event(&self) -> Event {
        let operator = match self {
            Self::Gone { operator, .. } => operator.clone(),
            Self::Store(_) => None,
        };
        Event::OperatorLinkRefused { operator, code: "operators/link-gone".to_owned() }
    }
}

impl Tenancy {
    /// Makes an operator and a link in one unit. Whether the inviter may hand out `role` is decided before, by
    /// [`Role::may_grant`]. `close` closes an idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn invite(
        &self,
        ctx: &Ctx,
        name: &str,
        role: Role,
        close: Option<Stmt>,
    ) -> Result<(Operator, Link, Committed), OperatorError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(OperatorError::Name);
        }
        let operator = Operator {
            id: id::new(ctx, "opr"),
            name: name.to_owned(),
            role,
            created_at: ctx.now,
            revoked_at: None,
        };
        let sealed = self.store.sealed(ctx, store::operator_name(&operator.id), name.as_bytes()).await?;
        let (link, unit) = self.link(ctx, &operator, "invite");
        let unit = unit.put(store::put_operator(&operator.id, sealed, role));
        let unit = closing(unit, close, OperatorError::Repeated);
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        Ok((operator, link, committed))
    }

    /// Makes another link for an operator who lost theirs or whose session ended.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn operator_link(
        &self,
        ctx: &Ctx,
        operator_id: &str,
    ) -> Result<(Link, Committed), OperatorError> {
        let operator = self.operator(ctx, operator_id).await?;
        if operator.revoked_at.is_some() {
            return Err(OperatorError::Revoked);
        }
        let (link, unit) = self.link(ctx, &operator, "login");
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        Ok((link, committed))
    }

    /// A link for the tenant's first owner, who is made if there is none; `None` while an owner can get in without it. Whoever may
    /// start the program on a data folder holds its root key, so the link gives them nothing new; it keeps an owner who never used
    /// theirs, or whose session ended before they added a passkey, from standing outside.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn first_link(&self, ctx: &Ctx) -> Result<Option<Link>, OperatorError> {
        if store::owners_with_a_way_in(&self.store, ctx).await? > 0 {
            return Ok(None);
        }
        let link = match store::first_owner(&self.store, ctx).await? {
            Some(owner) => self.operator_link(ctx, &owner).await?.0,
            None => self.invite(ctx, FIRST_OWNER_NAME, Role::Owner, None).await?.1,
        };
        Ok(Some(link))
    }

    /// One operator of the tenant.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn operator(&self, ctx: &Ctx, operator_id: &str) -> Result<Operator, OperatorError> {
        store::operator(&self.store, ctx, operator_id).await?.ok_or(OperatorError::NotFound)
    }

    /// A page of the tenant's operators, the oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn operators(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<Operator>, StoreFault> {
        store::operators(&self.store, ctx, after, limit).await
    }

    /// Revokes an operator; sessions, links and passkeys end in the same unit. The last owner stays.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn revoke_operator(&self, ctx: &Ctx, operator_id: &str) -> Result<Committed, OperatorError> {
        if self.operator(ctx, operator_id).await?.revoked_at.is_some() {
            return Err(OperatorError::Revoked);
        }
        let event = Event::OperatorRevoked { operator: operator_id.to_owned() };
        let unit = Unit::new(event)
            .guard(store::revoke_operator(operator_id), OperatorError::LastOwner)
            .put(store::end_sessions(operator_id))
            .put(store::end_links(operator_id))
            .put(store::passkey::end(operator_id));
        self.store.commit(ctx, unit).await.map_err(lost)
    }

    /// Whether a link would still open a session; spends nothing. Any text may come in.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn link_is_open(&self, ctx: &Ctx, token: &str) -> Result<bool, StoreFault> {
        Ok(match self.link_row(ctx, token).await? {
            Some(link) => !link.spent && link.expires_at_ms > ctx.now_ms(),
            None => false,
        })
    }

    /// Spends a link and opens its operator's session, in one unit: of many at once, one.
    ///
    /// # Errors
    /// [`LinkError::Gone`] for every link that is not open, whatever the reason.
    pub async fn spend_link(&self, ctx: &Ctx, token: &str) -> Result<Session, LinkError> {
        let gone = |operator: Option<String>, tenant: TenantId| LinkError::Gone {
            operator,
            tenant,
            recorded: false,
        };
        let Some(link) = self.link_row(ctx, token).await? else {
            return Err(gone(None, TenantId::SYSTEM));
        };
        let mut inside = ctx.for_tenant(link.tenant.clone());
        inside.actor = Actor::operator(&link.operator_id);
        let refusal = gone(Some(link.operator_id.clone()), link.tenant.clone());
        let operator = match self.operator(&inside, &link.operator_id).await {
            Ok(operator) if operator.revoked_at.is_none() => operator,
            Ok(_) | Err(OperatorError::NotFound) => return Err(refusal),
            Err(OperatorError::Store(fault)) => return Err(fault.into()),
            Err(_) => return Err(refusal),
        };
        let (opening, put) = self.opening(&inside, &operator.id, "link");
        let event = Event::OperatorLinkSpent { operator: operator.id.clone(), purpose: link.purpose };
        let unit = Unit::new(event).guard(store::spend_link(digest(token)), refusal).put(put);
        let committed = self.store.commit(&inside, unit).await.map_err(|error| match error {
            CommitError::Lost(LinkError::Gone { operator, tenant, .. }) => {
                LinkError::Gone { operator, tenant, recorded: true }
            }
            CommitError::Lost(lost) => lost,
            CommitError::Fault(fault) => LinkError::Store(fault),
        })?;
        Ok(opening.opened(operator, link.tenant, committed))
    }

    /// Whose session a bearer text is; `None` for one that has ended, was revoked or never was. It counts as used.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn session(&self, ctx: &Ctx, bearer: &str) -> Result<Option<Known>, StoreFault> {
        self.session_of(ctx, bearer, true).await
    }

    /// The same for what a page does by itself: nobody is there, so the session idles on.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn watched_session(&self, ctx: &Ctx, bearer: &str) -> Result<Option<Known>, StoreFault> {
        self.session_of(ctx, bearer, false).await
    }

    async fn session_of(&self, ctx: &Ctx, bearer: &str, is_used: bool) -> Result<Option<Known>, StoreFault> {
        if !bearer.starts_with(SESSION_PREFIX) || bearer.len() != SESSION_PREFIX.len() + TOKEN_CHARS {
            return Ok(None);
        }
        let sha256 = digest(bearer);
        let Some(row) = store::session(&self.store, ctx, sha256).await? else { return Ok(None) };
        let idle_ms = ctx.now_ms() - row.seen_at_ms;
        if row.expires_at_ms <= ctx.now_ms() || idle_ms > self.config.session_idle_ttl_s * 1_000 {
            return Ok(None);
        }
        if is_used && idle_ms >= SEEN_EVERY_MS {
            let inside = ctx.for_tenant(row.tenant.clone());
            self.store.housekeeping(&inside, Reason::SessionSeen, vec![store::see_session(sha256)]).await?;
        }
        Ok(Some(Known {
            tenant: row.tenant,
            session_id: row.session_id,
            operator_id: row.operator_id,
            role: row.role,
            ends_at_ms: row.expires_at_ms,
        }))
    }

    /// Ends a session, by its own operator.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`] when it has ended already.
    pub async fn close_session(&self, ctx: &Ctx, known: &Known) -> Result<Committed, OperatorError> {
        let inside = ctx.for_tenant(known.tenant.clone());
        let event = Event::OperatorSessionClosed {
            operator: known.operator_id.clone(),
            reason: "logged-out".to_owned(),
        };
        let stmt = store::close_session(&known.session_id, &known.operator_id);
        let unit = Unit::new(event).guard(stmt, OperatorError::NotFound);
        self.store.commit(&inside, unit).await.map_err(lost)
    }

    /// A session in the making, and the row that it is.
    pub(crate) fn opening(&self, ctx: &Ctx, operator_id: &str, method: &str) -> (Opening, Stmt) {
        let secret = ctx.random::<32>();
        let opening = Opening {
            id: id::new(ctx, "ses"),
            token: Secret::new(format!("{SESSION_PREFIX}{}", base64::url_encode(&secret))),
            expires_at: ctx.now + SignedDuration::from_secs(self.config.session_ttl_s),
        };
        let sha256 = digest(opening.token.expose());
        let put = store::put_session(sha256, &opening.id, operator_id, method, opening.expires_at);
        (opening, put)
    }

    fn link(&self, ctx: &Ctx, operator: &Operator, purpose: &'static str) -> (Link, Unit<OperatorError>) {
        let token = Secret::new(base64::url_encode(&ctx.random::<32>()));
        let expires_at = ctx.now + SignedDuration::from_secs(self.config.link_ttl_s);
        let event = Event::OperatorLinkIssued {
            operator: operator.id.clone(),
            ttl_s: self.config.link_ttl_s.unsigned_abs(),
            purpose: purpose.to_owned(),
            role: operator.role.to_string(),
        };
        let put = store::put_link(digest(token.expose()), &operator.id, purpose, expires_at);
        (Link { token, operator_id: operator.id.clone(), expires_at }, Unit::new(event).put(put))
    }

    async fn link_row(&self, ctx: &Ctx, token: &str) -> Result<Option<store::LinkRow>, StoreFault> {
        let sound = token.len() == TOKEN_CHARS
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !sound {
            return Ok(None);
        }
        store::link(&self.store, ctx, digest(token)).await
    }
}

/// What stands in the row of a link or session: lookups go by it, so no comparison of secrets leaks time.
fn digest(token: &str) -> [u8; 32] {
    hash::sha256(token.as_bytes())
}

fn lost(error: CommitError<OperatorError>) -> OperatorError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => OperatorError::Store(fault),
    }
}
