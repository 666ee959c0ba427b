//! Token requests and answers (RFC 6749, 4.4 and 5.1).

use super::error::{ErrorCode, OauthError};
use super::form::Form;
use crate::wire::{self, WireError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of a token answer that a wallet reads.
pub const TOKEN_RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Most scope words of one request.
pub const SCOPES_MAX: usize = 32;

/// Most bytes of `scope`.
pub const SCOPE_BYTES_MAX: usize = 1024;

/// `grant_type` of OpenID4VCI 1.0, 6.1.
pub const PRE_AUTHORIZED_CODE: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// Grants that some token door of this build serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// A service account asks for itself (RFC 6749, 4.4).
    ClientCredentials,
    /// A wallet redeems an offer (OpenID4VCI 1.0, 4.1.1).
    PreAuthorizedCode,
}

impl GrantType {
    /// Reads `grant_type`.
    ///
    /// # Errors
    /// `invalid_request` when missing, `unsupported_grant_type` when unknown (RFC 6749, 5.2).
    pub fn read(form: &Form) -> Result<GrantType, OauthError> {
        match form.get("grant_type") {
            None => Err(OauthError::invalid_request("grant_type is missing")),
            Some("client_credentials") => Ok(GrantType::ClientCredentials),
            Some(PRE_AUTHORIZED_CODE) => Ok(GrantType::PreAuthorizedCode),
            Some(_) => Err(GrantType::unsupported()),
        }
    }

    /// The answer of a door that does not serve this grant.
    #[must_use]
    pub fn unsupported() -> OauthError {
        OauthError::of(ErrorCode::UnsupportedGrantType, "this grant_type is not served here")
    }
}

/// A `client_credentials` request; who asks stands in [`super::ClientAuth`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentialsRequest {
    /// Scope words asked for, in order; empty when none were named.
    pub scope: Vec<String>,
}

impl ClientCredentialsRequest {
    /// Reads the form of a `client_credentials` request.
    ///
    /// # Errors
    /// As [`GrantType::read`]; `invalid_scope` when `scope` is not a list of scope words (RFC 6749, 3.3).
    pub fn read(form: &Form) -> Result<ClientCredentialsRequest, OauthError> {
        if GrantType::read(form)? != GrantType::ClientCredentials {
            return Err(GrantType::unsupported());
        }
        let invalid = || OauthError::of(ErrorCode::InvalidScope, "scope is not a list of scope words");
        let Some(text) = form.get("scope") else { return Ok(ClientCredentialsRequest { scope: Vec::new() }) };
        let words: Vec<&str> = text.split(' ').collect();
        if text.len() > SCOPE_BYTES_MAX
            || words.len() > SCOPES_MAX
            || !words.iter().all(|word| is_scope(word))
        {
            return Err(invalid());
        }
        Ok(ClientCredentialsRequest { scope: words.into_iter().map(str::to_owned).collect() })
    }
}

/// A successful token answer. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` for a token that is bound to a key.
    pub token_type: String,
    /// Seconds until it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// Granted scope, where scopes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl TokenResponse {
    /// A bearer token.
    #[must_use]
    pub fn bearer(access_token: String, expires_in_s: u32, scope: Option<String>) -> TokenResponse {
        TokenResponse { access_token, token_type: "Bearer".to_owned(), expires_in: Some(expires_in_s), scope }
    }

    /// A token that counts only with proofs by the key it is bound to (RFC 9449, 5).
    #[must_use]
    pub fn bound(access_token: String, expires_in_s: u32, scope: Option<String>) -> TokenResponse {
        let token = TokenResponse::bearer(access_token, expires_in_s, scope);
        TokenResponse { token_type: "DPoP".to_owned(), ..token }
    }

    /// Reads a token answer, as a wallet gets it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<TokenResponse, WireError> {
        wire::read(bytes, TOKEN_RESPONSE_BYTES_MAX)
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

fn is_scope(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::form::FORM_BYTES_MAX;

    fn read(body: &str) -> Result<ClientCredentialsRequest, OauthError> {
        ClientCredentialsRequest::read(&Form::parse(body.as_bytes(), FORM_BYTES_MAX).unwrap())
    }

    #[test]
    fn scope_words_are_split_at_single_spaces() {
        assert_eq!(read("grant_type=client_credentials&scope=a+b").unwrap().scope, ["a", "b"]);
        assert_eq!(
            read("grant_type=client_credentials&scope=a++b").unwrap_err().error,
            ErrorCode::InvalidScope
        );
    }

    #[test]
    fn a_missing_grant_type_and_an_unknown_one_have_different_codes() {
        assert_eq!(read("scope=a").unwrap_err().error, ErrorCode::InvalidRequest);
        assert_eq!(read("grant_type=password").unwrap_err().error, ErrorCode::UnsupportedGrantType);
    }

    #[test]
    fn the_token_is_not_in_debug_output() {
        let shown = format!("{:?}", TokenResponse::bearer("canary".to_owned(), 900, None));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
