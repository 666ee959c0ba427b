//! Token requests and answers of the provider (OpenID Connect Core 1.0, 3.1.3 and 12; RFC 6749, 4.1.3 and 6).

use super::request::CheckedRequest;
use crate::oauth::error::{ErrorCode, OauthError};
use crate::oauth::form::Form;
use crate::oauth::pkce::CodeChallenge;
use crate::oauth::token::{GrantType, SCOPE_BYTES_MAX, SCOPES_MAX};
use crypto::secret::Secret;
use serde::Serialize;
use std::fmt;

/// Most bytes of a code or a refresh token; ours have fewer than 90.
pub const GRANT_TEXT_BYTES_MAX: usize = 256;

/// A request at the token door, read and not judged.
#[derive(Debug)]
pub enum TokenRequest {
    /// `authorization_code`.
    Code {
        /// What the browser brought.
        code: Secret<String>,
        /// Must be the one of the request.
        redirect_uri: Option<String>,
        /// The PKCE verifier.
        code_verifier: Option<Secret<String>>,
    },
    /// `refresh_token`.
    Refresh {
        /// What the grant was given.
        refresh_token: Secret<String>,
        /// Fewer scopes than granted, if any are named.
        scope: Option<Vec<String>>,
    },
}

impl TokenRequest {
    /// Reads the form.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `invalid_scope`.
    pub fn read(form: &Form) -> Result<TokenRequest, OauthError> {
        match form.get("grant_type") {
            None => Err(OauthError::invalid_request("grant_type is missing")),
            Some("authorization_code") => Ok(TokenRequest::Code {
                code: secret(form, "code")?.ok_or_else(|| OauthError::invalid_request("code is missing"))?,
                redirect_uri: form.get("redirect_uri").map(str::to_owned),
                code_verifier: secret(form, "code_verifier")?,
            }),
            Some("refresh_token") => Ok(TokenRequest::Refresh {
                refresh_token: secret(form, "refresh_token")?
                    .ok_or_else(|| OauthError::invalid_request("refresh_token is missing"))?,
                scope: scope(form)?,
            }),
            Some(_) => Err(GrantType::unsupported()),
        }
    }
}

fn secret(form: &Form, name: &str) -> Result<Option<Secret<String>>, OauthError> {
    match form.get(name) {
        Some(text) if text.len() > GRANT_TEXT_BYTES_MAX => Err(invalid_grant()),
        text => Ok(text.map(|text| Secret::new(text.to_owned()))),
    }
}

fn scope(form: &Form) -> Result<Option<Vec<String>>, OauthError> {
    let Some(text) = form.get("scope") else { return Ok(None) };
    let words: Vec<String> = text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if text.len() > SCOPE_BYTES_MAX || words.is_empty() || words.len() > SCOPES_MAX {
        return Err(OauthError::of(ErrorCode::InvalidScope, "scope is not a list of scope words"));
    }
    Ok(Some(words))
}

/// The one answer to every code and refresh token that opens nothing.
#[must_use]
pub fn invalid_grant() -> OauthError {
    OauthError::of(ErrorCode::InvalidGrant, "the code or token is not valid for this client")
}

/// Whether a code may be redeemed by `client_id` with what came beside it (RFC 6749, 4.1.3; RFC 7636, 4.6; RFC 9449, 10).
///
/// # Errors
/// `invalid_grant` for all of it.
pub fn redeem(
    request: &CheckedRequest,
    client_id: &str,
    redirect_uri: Option<&str>,
    code_verifier: Option<&str>,
    jkt: Option<&str>,
) -> Result<(), OauthError> {
    let challenge_met = match (request.code_challenge.as_deref(), code_verifier) {
        (Some(challenge), Some(verifier)) => {
            CodeChallenge::parse(challenge).is_some_and(|challenge| challenge.is_met_by(verifier))
        }
        (None, None) => true,
        // A verifier where no challenge was is what a downgrade looks like (RFC 9700, 4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    let key_holds = request.dpop_jkt.as_deref().is_none_or(|bound| jkt == Some(bound));
    let is_same = request.client_id == client_id && redirect_uri == Some(request.redirect_uri.as_str());
    if challenge_met && key_holds && is_same { Ok(()) } else { Err(invalid_grant()) }
}

/// A successful answer. `Debug` shows no token.
#[derive(Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ProviderTokenResponse {
    /// The access token.
    pub access_token: String,
    /// `DPoP` or `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u32,
    /// Granted scopes.
    pub scope: String,
    /// The ID Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// With `offline_access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The relying party's receipt: `seal-consent+jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_receipt: Option<String>,
}

impl fmt::Debug for ProviderTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderTokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::acr::Acr;
    use super::super::claims_request::ClaimsRequest;
    use super::*;
    use crate::oauth::form::{FORM_BYTES_MAX, encode};

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const CALLBACK: &str = "https://shop.example/cb";

    fn request() -> CheckedRequest {
        CheckedRequest {
            client_id: "rp_shop".to_owned(),
            redirect_uri: CALLBACK.to_owned(),
            scopes: vec!["openid".to_owned()],
            state: None,
            nonce: None,
            code_challenge: Some(CHALLENGE.to_owned()),
            dpop_jkt: Some("jkt".to_owned()),
            is_silent: false,
            wants_new: false,
            max_age_s: None,
            login_hint: None,
            id_token_hint: None,
            acr: Acr::Code,
            acr_is_essential: false,
            claims: ClaimsRequest::default(),
            ui_locales: Vec::new(),
        }
    }

    #[test]
    fn a_code_is_redeemed_by_its_client_with_its_address_its_verifier_and_its_key() {
        let request = request();
        assert_eq!(redeem(&request, "rp_shop", Some(CALLBACK), Some(VERIFIER), Some("jkt")), Ok(()));
        for (client, uri, verifier, jkt) in [
            ("rp_other", Some(CALLBACK), Some(VERIFIER), Some("jkt")),
            ("rp_shop", None, Some(VERIFIER), Some("jkt")),
            ("rp_shop", Some("https://shop.example/cb/"), Some(VERIFIER), Some("jkt")),
            ("rp_shop", Some(CALLBACK), None, Some("jkt")),
            ("rp_shop", Some(CALLBACK), Some(CHALLENGE), Some("jkt")),
            ("rp_shop", Some(CALLBACK), Some(VERIFIER), None),
            ("rp_shop", Some(CALLBACK), Some(VERIFIER), Some("other")),
        ] {
            let refused = redeem(&request, client, uri, verifier, jkt).unwrap_err();
            assert_eq!(refused.error, ErrorCode::InvalidGrant);
        }
    }

    #[test]
    fn a_verifier_without_a_challenge_is_a_downgrade() {
        let request = CheckedRequest { code_challenge: None, dpop_jkt: None, ..request() };
        assert_eq!(redeem(&request, "rp_shop", Some(CALLBACK), None, None), Ok(()));
        assert!(redeem(&request, "rp_shop", Some(CALLBACK), Some(VERIFIER), None).is_err());
    }

    #[test]
    fn requests_are_read_by_their_grant() {
        let read = |fields: &[(&str, &str)]| {
            TokenRequest::read(&Form::parse(encode(fields).as_bytes(), FORM_BYTES_MAX).unwrap())
        };
        assert!(matches!(
            read(&[("grant_type", "authorization_code"), ("code", "c")]),
            Ok(TokenRequest::Code { .. })
        ));
        let refresh =
            read(&[("grant_type", "refresh_token"), ("refresh_token", "r"), ("scope", "openid email")]);
        let Ok(TokenRequest::Refresh { scope: Some(scope), .. }) = refresh else { panic!("{refresh:?}") };
        assert_eq!(scope, ["openid", "email"]);
        let code = |fields: &[(&str, &str)]| read(fields).unwrap_err().error;
        assert_eq!(code(&[]), ErrorCode::InvalidRequest);
        assert_eq!(code(&[("grant_type", "authorization_code")]), ErrorCode::InvalidRequest);
        assert_eq!(code(&[("grant_type", "password")]), ErrorCode::UnsupportedGrantType);
        let long = "c".repeat(GRANT_TEXT_BYTES_MAX + 1);
        assert_eq!(code(&[("grant_type", "authorization_code"), ("code", &long)]), ErrorCode::InvalidGrant);
    }
}
