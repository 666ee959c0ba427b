//! Log tokens: a fixed bearer text with which an outsider's tool reads one private log, and nothing else.
//!
//! Shown once, kept as SHA-256. It is opaque because tile tools know only a fixed bearer header.

use std::fmt;

use ::store::{CommitError, Ctx, EventId, LogId, Refused, Stmt, StoreFault, Unit, id};
use crypto::base64::url_encode;
use crypto::hash::sha256;
use crypto::secret::Secret;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;
use tlog::event::Event;

use crate::Audit;
use crate::status::time;
use crate::store::{self, TokenRow};

/// Longest life of a token: an auditor's year.
pub const TOKEN_TTL_S_MAX: u64 = 365 * 86_400;

/// Shortest life of a token: below it no tool gets through a log.
pub(crate) const TOKEN_TTL_S_MIN: u64 = 60;

/// Characters of a token's name, which only its maker reads.
pub(crate) const TOKEN_NAME_CHARS_MAX: usize = 100;

/// What every token begins with.
pub(crate) const TOKEN_PREFIX: &str = "tlr_";

/// Length of a token: prefix and 32 bytes in base64url. Nothing else is looked up.
const TOKEN_CHARS: usize = TOKEN_PREFIX.len() + 43;

/// A token without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TokenView {
    /// `lgt_…`.
    pub id: String,
    /// The log that it reads.
    pub log: String,
    /// What its maker called it.
    pub name: String,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// When it was made, Unix milliseconds; for cursors.
    #[serde(skip)]
    pub(crate) created_at_ms: i64,
}

/// A token at the only moment when it is shown.
pub struct IssuedToken {
    /// What is known of it later.
    pub view: TokenView,
    /// `tlr_…`.
    pub token: Secret<String>,
    /// The event that tells of it.
    pub event: EventId,
}

/// What a token shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOrder {
    /// Id of the log that it reads.
    pub log: String,
    /// What its maker calls it.
    pub name: String,
    /// Seconds that it lives.
    pub ttl_s: u64,
}

/// Why a token was not made or revoked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenFault {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The life is out of its range.
    #[error("a log token lives from {TOKEN_TTL_S_MIN} to {TOKEN_TTL_S_MAX} seconds")]
    Ttl,
    /// The name is empty, too long, or holds a control character.
    #[error("the name of a log token has 1 to {TOKEN_NAME_CHARS_MAX} printable characters")]
    Name,
    /// The tenant has no such log.
    #[error("the tenant has no log {0}")]
    UnknownLog(String),
    /// The tenant has no such token.
    #[error("there is no such log token")]
    Unknown,
    /// It has ended already.
    #[error("the log token has ended already")]
    Ended,
    /// Another request with the same `Idempotency-Key` made it.
    #[error("another request with this key made the token")]
    Repeated,
}

/// Another request was first; the refusal is recorded in its place.
struct Repeated;

impl Refused for Repeated {
    fn event(&self) -> Event {
        refused("createLogToken", "api/idempotency-busy")
    }
}

/// A revocation that came too late.
struct EndedAlready;

impl Refused for EndedAlready {
    fn event(&self) -> Event {
        refused("revokeLogToken", "ledger/token-ended")
    }
}

impl Audit {
    /// Makes a token for one log of the tenant of `ctx`. `mark` closes an `Idempotency-Key` in the same unit.
    pub async fn issue_token(
        &self,
        ctx: &Ctx,
        order: &TokenOrder,
        mark: Option<Stmt>,
    ) -> Result<IssuedToken, TokenFault> {
        let TokenOrder { log, name, ttl_s } = order;
        let (log, ttl_s) = (log.as_str(), *ttl_s);
        if !(TOKEN_TTL_S_MIN..=TOKEN_TTL_S_MAX).contains(&ttl_s) {
            return Err(TokenFault::Ttl);
        }
        let length = name.chars().count();
        if length == 0 || length > TOKEN_NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(TokenFault::Name);
        }
        let unknown = || TokenFault::UnknownLog(log.chars().take(64).collect());
        let log_id = LogId::parse(log).ok_or_else(unknown)?;
        let log = self.log(&log_id).filter(|log| log.tenant == ctx.tenant).ok_or_else(unknown)?;
        let token = Secret::new(format!("{TOKEN_PREFIX}{}", url_encode(&ctx.random::<32>())));
        let token_id = id::new(ctx, "lgt");
        let expires_at_ms = ctx.now_ms().saturating_add((ttl_s as i64).saturating_mul(1_000));
        let event = Event::LogTokenIssued { ttl_s, token_id: token_id.clone(), log: log.id.to_string() };
        let hash = sha256(token.expose().as_bytes());
        let row = store::put_token(&token_id, &log.id, name, &hash, expires_at_ms);
        let mut unit = Unit::new(event).put(row);
        if let Some(mark) = mark {
            unit = unit.guard(mark, Repeated);
        }
        let committed = self.store.commit(ctx, unit).await.map_err(|error| match error {
            CommitError::Fault(fault) => TokenFault::Store(fault),
            CommitError::Lost(Repeated) => TokenFault::Repeated,
        })?;
        let row = TokenRow {
            id: token_id,
            log: log.id.clone(),
            name: name.clone(),
            created_at_ms: ctx.now_ms(),
            expires_at_ms,
            revoked_at_ms: None,
        };
        Ok(IssuedToken { view: row.view(ctx), token, event: committed.event_id })
    }

    /// Tokens of the tenant, oldest first, from behind (time, id) on.
    pub async fn tokens(
        &self,
        ctx: &Ctx,
        after: (i64, &str),
        limit: usize,
    ) -> Result<Vec<TokenView>, TokenFault> {
        let rows = store::tokens(&self.store, ctx, after, limit).await?;
        Ok(rows.iter().map(|row| row.view(ctx)).collect())
    }

    /// Ends a token of the tenant at once.
    pub async fn revoke_token(&self, ctx: &Ctx, token_id: &str) -> Result<EventId, TokenFault> {
        let row = store::token(&self.store, ctx, token_id).await?.ok_or(TokenFault::Unknown)?;
        let event = Event::LogTokenRevoked { token_id: row.id.clone(), log: row.log.to_string() };
        let unit = Unit::new(event).guard(store::revoke_token(&row.id), EndedAlready);
        match self.store.commit(ctx, unit).await {
            Ok(committed) => Ok(committed.event_id),
            Err(CommitError::Lost(EndedAlready)) => Err(TokenFault::Ended),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whether a bearer text is a token that reads this log now.
    pub(crate) async fn token_reads(&self, ctx: &Ctx, bearer: &str, log: &LogId) -> Result<bool, StoreFault> {
        if bearer.len() != TOKEN_CHARS || !bearer.starts_with(TOKEN_PREFIX) {
            return Ok(false);
        }
        // Found by its SHA-256: how long the search takes says nothing about a token that exists.
        let found = store::log_of_token(&self.store, ctx, &sha256(bearer.as_bytes())).await?;
        Ok(found.as_ref() == Some(log))
    }
}

impl TokenRow {
    fn view(&self, ctx: &Ctx) -> TokenView {
        let state = match self.revoked_at_ms {
            Some(_) => "revoked",
            None if self.expires_at_ms <= ctx.now_ms() => "expired",
            None => "active",
        };
        TokenView {
            id: self.id.clone(),
            log: self.log.to_string(),
            name: self.name.clone(),
            state: state.to_owned(),
            created_at: time(self.created_at_ms),
            expires_at: time(self.expires_at_ms),
            revoked_at: self.revoked_at_ms.map(time),
            created_at_ms: self.created_at_ms,
        }
    }
}

fn refused(operation: &str, code: &str) -> Event {
    Event::RequestRefused { status: 409, operation: operation.to_owned(), code: code.to_owned() }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedToken({})", self.view.id)
    }
}
