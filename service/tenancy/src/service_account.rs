//! Service accounts: programs that call the API of one tenant.
//!
//! `create → POST /oauth/token (secret or private_key_jwt) → access token of 900 s`. Roles never exceed the maker's, a secret is
//! shown once and stored as SHA-256, an account ends within two years.

use crate::role::Roles;
use crate::{After, Tenancy, closing, refused, store};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, TenantId, Unit, id};
use crypto::{base64, hash, jwk::Jwk, secret::Secret};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::{ClientAuth, Jwks};
use serde_json::{Value, json};
use tlog::event::Event;

/// Life of an account: two years; what nobody renews in two years nobody watches.
pub const TTL_S_MAX: u64 = 2 * 366 * 86_400;
/// Life of an account whose maker names none: a year.
pub const TTL_S: u64 = 366 * 86_400;
/// Bytes of an account's name.
pub const NAME_BYTES_MAX: usize = 100;
/// What a secret begins with, so that a leaked one is recognised.
pub const SECRET_PREFIX: &str = "tss_";
/// Bus topic of hints that an account ended; the payload is its id.
pub const TOPIC: &str = "tenancy.service-account";

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// `svc_…`, which is its OAuth client id too.
    pub id: String,
    /// What its makers call it.
    pub name: String,
    /// Its roles.
    pub roles: Roles,
    /// Whether it shows who it is by a key of its own instead of a secret.
    pub private_key_jwt: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ServiceAccount {
    /// Whether it may act at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// An account with what it shows who it is by.
#[derive(Debug)]
pub(crate) struct AccountRow {
    pub(crate) tenant: TenantId,
    pub(crate) account: ServiceAccount,
    pub(crate) secret_sha256: Option<[u8; 32]>,
    pub(crate) jwk: Option<String>,
}

/// What an account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// 1 to 100 bytes.
    pub name: String,
    /// At least one; none above the maker's.
    pub roles: Roles,
    /// Life in seconds; a year where none is given.
    pub ttl_s: Option<u64>,
    /// The public key of `private_key_jwt`; without one a secret is made.
    pub jwk: Option<Value>,
}

/// An account just made, with the secret that is shown this once.
#[derive(Debug)]
pub struct Made {
    /// The account.
    pub account: ServiceAccount,
    /// Its secret, where it has one.
    pub secret: Option<Secret<String>>,
    /// The event.
    pub committed: Committed,
}

/// Why an account was not made, shown, rekeyed or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No such account in this tenant.
    #[error("there is no such service account")]
    NotFound,
    /// The name is empty, too long, or holds control characters.
    #[error("a name has 1 to 100 bytes and no control character")]
    Name,
    /// No role was named.
    #[error("at least one role is needed")]
    NoRoles,
    /// A role above the maker's.
    #[error("nobody hands out a role above their own")]
    Roles,
    /// The life is zero or beyond two years.
    #[error("an account lives for 1 second to two years")]
    Ttl,
    /// The key is private, unknown or not for signatures.
    #[error("the key is not a public JWK of an algorithm that signs")]
    Jwk,
    /// Revoked or past its end.
    #[error("the account has ended")]
    Ended,
    /// Another request with the same idempotency key did it.
    #[error("another request with this key did it")]
    Repeated,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for AccountError {
    fn event(&self) -> Event {
        let code = if *self == Self::Repeated { "api/idempotency-busy" } else { "service-accounts/ended" };
        refused(409, "changeServiceAccount", code)
    }
}

/// A client that showed who it is.
#[derive(Debug)]
pub struct Authenticated {
    /// Its tenant.
    pub tenant: TenantId,
    /// The account.
    pub account: ServiceAccount,
    /// Spends the assertion's id: goes as a guard into the unit that issues the token. None for a secret.
    pub spend: Option<Stmt>,
}

/// Why a client was not taken for an account. The door answers 401 `invalid_client` to every variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No account has this client id, or no authentication came: nobody is known.
    #[error("no such client")]
    Unknown,
    /// The account is known, but what it showed does not hold, or the account has ended.
    #[error("the client {account} did not show who it is")]
    Refused {
        /// Its tenant, whose log tells of it.
        tenant: TenantId,
        /// The account.
        account: String,
        /// Stable code for the event.
        code: &'static str,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Tenancy {
    /// Makes an account. `maker` are the roles of whoever asks; `close` closes an idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn create_account(
        &self,
        ctx: &Ctx,
        maker: Roles,
        new: NewAccount,
        close: Option<Stmt>,
    ) -> Result<Made, AccountError> {
        let (account, jwk) = accept(ctx, maker, new)?;
        let secret = if account.private_key_jwt { None } else { Some(new_secret(ctx)) };
        let event = Event::ServiceAccountCreated {
            ttl_s: account.expires_at.duration_since(ctx.now).as_secs().unsigned_abs(),
            account: account.id.clone(),
            roles: account.roles.iter().map(|role| role.to_string()).collect(),
            method: if account.private_key_jwt { "private_key_jwt" } else { "secret" }.to_owned(),
        };
        let hashed = secret.as_ref().map(|secret| hash::sha256(secret.expose().as_bytes()));
        let unit = Unit::new(event).put(store::put_account(&account, hashed, jwk.as_deref()));
        let unit = closing(unit, close, AccountError::Repeated);
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        Ok(Made { account, secret, committed })
    }

    /// One account of the tenant.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn account(&self, ctx: &Ctx, account_id: &str) -> Result<ServiceAccount, AccountError> {
        Ok(store::account(&self.store, ctx, account_id).await?.ok_or(AccountError::NotFound)?.account)
    }

    /// A page of the tenant's accounts, the oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn accounts(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<ServiceAccount>, StoreFault> {
        let rows = store::accounts(&self.store, ctx, after, limit).await?;
        Ok(rows.into_iter().map(|row| row.account).collect())
    }

    /// Gives an account a new secret; the old one, or its key, ends at once.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn rotate_secret(
        &self,
        ctx: &Ctx,
        maker: Roles,
        account_id: &str,
    ) -> Result<Made, AccountError> {
        let known = self.account(ctx, account_id).await?;
        if !maker.may_grant(known.roles) {
            return Err(AccountError::Roles);
        }
        let secret = new_secret(ctx);
        let stmt = store::rekey_account(account_id, hash::sha256(secret.expose().as_bytes()));
        let event = Event::ServiceAccountRekeyed { account: account_id.to_owned() };
        let committed =
            self.store.commit(ctx, Unit::new(event).guard(stmt, AccountError::Ended)).await.map_err(lost)?;
        Ok(Made {
            account: ServiceAccount { private_key_jwt: false, ..known },
            secret: Some(secret),
            committed,
        })
    }

    /// Ends an account; tokens it holds are refused at once on this instance, elsewhere when their memory ends.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn revoke_account(&self, ctx: &Ctx, account_id: &str) -> Result<Committed, AccountError> {
        self.account(ctx, account_id).await?;
        let event = Event::ServiceAccountRemoved { account: account_id.to_owned() };
        let unit = Unit::new(event).guard(store::revoke_account(account_id), AccountError::Ended);
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        self.store.bus().publish(TOPIC, account_id);
        Ok(committed)
    }

    /// Whether the account that a token of ours names may still act; `None` where there is no such account in the tenant.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn live_account(
        &self,
        ctx: &Ctx,
        account_id: &str,
    ) -> Result<Option<ServiceAccount>, StoreFault> {
        let row = store::account(&self.store, ctx, account_id).await?;
        Ok(row.map(|row| row.account).filter(|account| account.is_live(ctx.now)))
    }

    /// Which account a client at the token door is. `audiences` are the names of that door. Nothing is written: the caller
    /// guards its unit by [`Authenticated::spend`], or records the refusal.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn authenticate(
        &self,
        ctx: &Ctx,
        client: ClientAuth,
        audiences: &[&str],
    ) -> Result<Authenticated, ClientError> {
        let client_id = client.client_id().unwrap_or_default().to_owned();
        if !id::is("svc", &client_id) {
            return Err(ClientError::Unknown);
        }
        let row = store::account_anywhere(&self.store, ctx, &client_id).await?.ok_or(ClientError::Unknown)?;
        let refuse =
            |code| ClientError::Refused { tenant: row.tenant.clone(), account: client_id.clone(), code };
        if !row.account.is_live(ctx.now) {
            return Err(refuse("service-accounts/ended"));
        }
        let spend = match client {
            ClientAuth::Secret { secret, .. } => {
                let fits = row.secret_sha256.is_some_and(|stored| secret.matches_sha256(&stored));
                if !fits {
                    return Err(refuse("oauth/wrong-secret"));
                }
                None
            }
            ClientAuth::Assertion(assertion) => {
                let keys = row.jwk.as_deref().and_then(keys_of).ok_or_else(|| refuse("oauth/no-key"))?;
                let verified = assertion
                    .verify(&keys, audiences, ctx.now)
                    .map_err(|_| refuse("oauth/assertion-refused"))?;
                let spent = hash::sha256_of(&[client_id.as_bytes(), b"\0", verified.jti.as_bytes()]);
                Some(store::spend_assertion(spent, verified.expires_at))
            }
            ClientAuth::None { .. } => return Err(refuse("oauth/no-authentication")),
        };
        Ok(Authenticated { tenant: row.tenant, account: row.account, spend })
    }
}

fn accept(
    ctx: &Ctx,
    maker: Roles,
    new: NewAccount,
) -> Result<(ServiceAccount, Option<String>), AccountError> {
    if new.name.is_empty() || new.name.len() > NAME_BYTES_MAX || new.name.chars().any(char::is_control) {
        return Err(AccountError::Name);
    }
    if new.roles.is_empty() {
        return Err(AccountError::NoRoles);
    }
    if !maker.may_grant(new.roles) {
        return Err(AccountError::Roles);
    }
    let ttl_s = new.ttl_s.unwrap_or(TTL_S);
    if !(1..=TTL_S_MAX).contains(&ttl_s) {
        return Err(AccountError::Ttl);
    }
    let jwk = new.jwk.map(|value| public_jwk(&value).ok_or(AccountError::Jwk)).transpose()?;
    let account = ServiceAccount {
        id: id::new(ctx, "svc"),
        name: new.name,
        roles: new.roles,
        private_key_jwt: jwk.is_some(),
        created_at: ctx.now,
        expires_at: ctx.now + SignedDuration::from_secs(ttl_s.try_into().unwrap_or(i64::MAX)),
        revoked_at: None,
    };
    Ok((account, jwk))
}

/// The key as it is kept: only what its owner may show, with the `kid` that its owner chose.
fn public_jwk(value: &Value) -> Option<String> {
    let jwk = Jwk::from_value(value).ok()?;
    let mut kept = jwk.to_value();
    for name in ["kid", "alg"] {
        if let Some(text) = value.get(name).and_then(Value::as_str).filter(|text| text.len() <= 256) {
            kept.as_object_mut()?.insert(name.to_owned(), json!(text));
        }
    }
    let text = kept.to_string();
    keys_of(&text).map(|_| text)
}

fn keys_of(jwk: &str) -> Option<Jwks> {
    let value: Value = serde_json::from_str(jwk).ok()?;
    Jwks::from_value(&json!({ "keys": [value] })).ok().filter(|set| set.keys().len() == 1)
}

fn new_secret(ctx: &Ctx) -> Secret<String> {
    Secret::new(format!("{SECRET_PREFIX}{}", base64::url_encode(&ctx.random::<32>())))
}

fn lost(error: CommitError<AccountError>) -> AccountError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => AccountError::Store(fault),
    }
}
