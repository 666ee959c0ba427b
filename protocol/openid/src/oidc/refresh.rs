//! Refresh tokens (RFC 6749, 6; RFC 9700, 4.14): those bound to a key do not rotate, all others do, and reuse ends the grant.

use crate::oauth::error::{ErrorCode, OauthError};
use jiff::{SignedDuration, Timestamp};

/// A refresh token as the provider remembers it, and what came with it.
#[derive(Debug, Clone, Copy)]
pub struct Refreshing<'a> {
    /// Whether the grant still stands.
    pub grant_stands: bool,
    /// The client that the grant is for.
    pub client_id: &'a str,
    /// The key that the token is bound to; `None` for a client that has a secret or a key of its own and sent no proof.
    pub jkt: Option<&'a str>,
    /// Whether it was rotated away before.
    pub is_spent: bool,
    /// Scopes granted.
    pub granted: &'a [String],
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it ends, whatever happens.
    pub expires_at: Timestamp,
    /// Seconds after which an unused one ends.
    pub idle_s: i64,
    /// Whether it stays the same when it is used; else a new one takes its place.
    pub is_bound: bool,
}

/// What a good refresh means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// Scopes of the new access token.
    pub scopes: Vec<String>,
    /// Whether a new refresh token takes the place of this one.
    pub rotates: bool,
}

/// Why a refresh token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshFault {
    /// It was rotated away before: somebody has a copy, so the whole grant ends.
    #[error("the refresh token was used before")]
    Reused,
    /// The grant ended, the time is over, or another client sent it.
    #[error("the refresh token is over or another client's")]
    Gone,
    /// It came with another key than the one it is bound to, or with none.
    #[error("the refresh token is bound to another key")]
    Key,
    /// A scope that was not granted.
    #[error("a scope that was not granted was asked for")]
    Scope,
}

impl From<RefreshFault> for OauthError {
    fn from(fault: RefreshFault) -> OauthError {
        match fault {
            RefreshFault::Scope => {
                OauthError::of(ErrorCode::InvalidScope, "a scope that was not granted was asked for")
            }
            RefreshFault::Reused | RefreshFault::Gone | RefreshFault::Key => super::token::invalid_grant(),
        }
    }
}

impl Refreshing<'_> {
    /// What a refresh by `client_id` with the key `jkt` means. A token that was rotated away is judged first: whoever brings it,
    /// there are two of them.
    ///
    /// # Errors
    /// [`RefreshFault`].
    pub fn judge(
        &self,
        client_id: &str,
        jkt: Option<&str>,
        scope: Option<&[String]>,
        now: Timestamp,
    ) -> Result<Refreshed, RefreshFault> {
        if client_id != self.client_id || !self.grant_stands {
            return Err(RefreshFault::Gone);
        }
        if self.is_spent {
            return Err(RefreshFault::Reused);
        }
        let idle_until =
            self.used_at.checked_add(SignedDuration::from_secs(self.idle_s)).unwrap_or(Timestamp::MAX);
        if now >= self.expires_at || now >= idle_until {
            return Err(RefreshFault::Gone);
        }
        if self.jkt.is_some() && self.jkt != jkt {
            return Err(RefreshFault::Key);
        }
        let scopes = match scope {
            None => self.granted.to_vec(),
            Some(asked) if asked.iter().all(|word| self.granted.contains(word)) => asked.to_vec(),
            Some(_) => return Err(RefreshFault::Scope),
        };
        Ok(Refreshed { scopes, rotates: !self.is_bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, now};

    fn granted() -> Vec<String> {
        vec!["offline_access".to_owned(), "openid".to_owned()]
    }

    fn token(granted: &[String]) -> Refreshing<'_> {
        Refreshing {
            grant_stands: true,
            client_id: "rp_shop",
            jkt: Some("key"),
            is_spent: false,
            granted,
            used_at: now(),
            expires_at: at(1_000),
            idle_s: 100,
            is_bound: true,
        }
    }

    #[test]
    fn a_bound_token_stays_and_an_unbound_one_rotates() {
        let granted = granted();
        let judge = |token: &Refreshing<'_>| token.judge("rp_shop", Some("key"), None, at(1)).unwrap();
        assert!(!judge(&token(&granted)).rotates);
        assert!(judge(&Refreshing { jkt: None, is_bound: false, ..token(&granted) }).rotates);
    }

    #[test]
    fn reuse_time_client_key_and_scope_are_told_apart() {
        let granted = granted();
        let token = token(&granted);
        let judge = |token: &Refreshing<'_>, client: &str, jkt, scope: Option<&[String]>, when| {
            token.judge(client, jkt, scope, when).unwrap_err()
        };
        let key = Some("key");
        assert_eq!(
            judge(&Refreshing { is_spent: true, ..token }, "rp_shop", key, None, at(1)),
            RefreshFault::Reused
        );
        assert_eq!(
            judge(&Refreshing { grant_stands: false, ..token }, "rp_shop", key, None, at(1)),
            RefreshFault::Gone
        );
        assert_eq!(judge(&token, "rp_other", key, None, at(1)), RefreshFault::Gone);
        assert_eq!(judge(&token, "rp_shop", key, None, at(100)), RefreshFault::Gone);
        assert_eq!(
            judge(&Refreshing { used_at: at(950), ..token }, "rp_shop", key, None, at(1_000)),
            RefreshFault::Gone
        );
        assert_eq!(judge(&token, "rp_shop", Some("other"), None, at(1)), RefreshFault::Key);
        assert_eq!(judge(&token, "rp_shop", None, None, at(1)), RefreshFault::Key);
        assert_eq!(judge(&token, "rp_shop", key, Some(&["email".to_owned()]), at(1)), RefreshFault::Scope);
        let narrower = token.judge("rp_shop", key, Some(&["openid".to_owned()]), at(1)).unwrap();
        assert_eq!(narrower.scopes, ["openid"]);
    }
}
