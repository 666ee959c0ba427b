//! The error answer of OAuth doors (RFC 6749, 5.2; RFC 6750, 3.1; OpenID4VCI 1.0, 8.3.1.2).

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// An OAuth error: what stands in the JSON body, and the HTTP status it travels with.
///
/// The description is a fixed text, so no secret or claim can slip into it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", .error.as_str())]
pub struct OauthError {
    /// HTTP status: 400 or 401, 503 for `temporarily_unavailable`.
    pub status: u16,
    /// The standard's code.
    pub error: ErrorCode,
    /// One sentence for a developer; of the characters that RFC 6749, 5.2 allows.
    pub description: &'static str,
}

/// Codes of OAuth and OpenID4VCI error answers, exactly as the standards spell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749, 5.2.
    InvalidRequest,
    /// RFC 6749, 5.2; travels with 401.
    InvalidClient,
    /// RFC 6749, 5.2.
    InvalidGrant,
    /// RFC 6749, 5.2.
    UnauthorizedClient,
    /// RFC 6749, 5.2.
    UnsupportedGrantType,
    /// RFC 6749, 5.2.
    InvalidScope,
    /// RFC 6750, 3.1; travels with 401.
    InvalidToken,
    /// RFC 6750, 3.1; travels with 403.
    InsufficientScope,
    /// RFC 9396, 5.
    InvalidAuthorizationDetails,
    /// RFC 6749, 4.1.2.1; we lend it to every door whose store or signer is down.
    TemporarilyUnavailable,
    /// RFC 6749, 4.1.2.1.
    ServerError,
    /// OpenID4VCI 1.0, 8.3.1.2.
    InvalidCredentialRequest,
    /// OpenID4VCI 1.0, 8.3.1.2.
    UnknownCredentialConfiguration,
    /// OpenID4VCI 1.0, 8.3.1.2.
    UnknownCredentialIdentifier,
    /// OpenID4VCI 1.0, 8.3.1.2.
    InvalidProof,
    /// OpenID4VCI 1.0, 8.3.1.2.
    InvalidNonce,
    /// OpenID4VCI 1.0, 8.3.1.2.
    InvalidEncryptionParameters,
    /// OpenID4VCI 1.0, 8.3.1.2.
    CredentialRequestDenied,
    /// OpenID4VCI 1.0, 11.3.
    InvalidNotificationId,
    /// OpenID4VCI 1.0, 11.3.
    InvalidNotificationRequest,
    /// RFC 6749, 4.1.2.1.
    AccessDenied,
    /// RFC 6749, 4.1.2.1.
    UnsupportedResponseType,
    /// OpenID Connect Core 1.0, 3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core 1.0, 3.1.2.6.
    InvalidRequestUri,
    /// OpenID Connect Core 1.0, 3.1.2.6; RFC 9101, 6.2.
    InvalidRequestObject,
    /// OpenID Connect Core 1.0, 3.1.2.6.
    RegistrationNotSupported,
    /// OpenID Connect Core Unmet Authentication Requirements 1.0, 2.
    UnmetAuthenticationRequirements,
    /// RFC 9449, 5 and 7; travels with 400 at the token door, with 401 at a resource.
    InvalidDpopProof,
    /// RFC 9449, 8 and 9.
    UseDpopNonce,
}

impl ErrorCode {
    /// The code as it stands in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::InvalidClient => "invalid_client",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::InvalidToken => "invalid_token",
            ErrorCode::InsufficientScope => "insufficient_scope",
            ErrorCode::InvalidAuthorizationDetails => "invalid_authorization_details",
            ErrorCode::TemporarilyUnavailable => "temporarily_unavailable",
            ErrorCode::ServerError => "server_error",
            ErrorCode::InvalidCredentialRequest => "invalid_credential_request",
            ErrorCode::UnknownCredentialConfiguration => "unknown_credential_configuration",
            ErrorCode::UnknownCredentialIdentifier => "unknown_credential_identifier",
            ErrorCode::InvalidProof => "invalid_proof",
            ErrorCode::InvalidNonce => "invalid_nonce",
            ErrorCode::InvalidEncryptionParameters => "invalid_encryption_parameters",
            ErrorCode::CredentialRequestDenied => "credential_request_denied",
            ErrorCode::InvalidNotificationId => "invalid_notification_id",
            ErrorCode::InvalidNotificationRequest => "invalid_notification_request",
            ErrorCode::AccessDenied => "access_denied",
            ErrorCode::UnsupportedResponseType => "unsupported_response_type",
            ErrorCode::LoginRequired => "login_required",
            ErrorCode::InvalidRequestUri => "invalid_request_uri",
            ErrorCode::InvalidRequestObject => "invalid_request_object",
            ErrorCode::RegistrationNotSupported => "registration_not_supported",
            ErrorCode::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            ErrorCode::InvalidDpopProof => "invalid_dpop_proof",
            ErrorCode::UseDpopNonce => "use_dpop_nonce",
        }
    }

    /// The HTTP status this code travels with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => 401,
            ErrorCode::InsufficientScope => 403,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidAuthorizationDetails
            | ErrorCode::InvalidCredentialRequest
            | ErrorCode::UnknownCredentialConfiguration
            | ErrorCode::UnknownCredentialIdentifier
            | ErrorCode::InvalidProof
            | ErrorCode::InvalidNonce
            | ErrorCode::InvalidEncryptionParameters
            | ErrorCode::CredentialRequestDenied
            | ErrorCode::InvalidNotificationId
            | ErrorCode::InvalidNotificationRequest
            | ErrorCode::AccessDenied
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::LoginRequired
            | ErrorCode::InvalidRequestUri
            | ErrorCode::InvalidRequestObject
            | ErrorCode::RegistrationNotSupported
            | ErrorCode::UnmetAuthenticationRequirements
            | ErrorCode::InvalidDpopProof
            | ErrorCode::UseDpopNonce => 400,
        }
    }
}

impl OauthError {
    /// An error with the status that belongs to its code.
    #[must_use]
    pub const fn new(status: u16, error: ErrorCode, description: &'static str) -> OauthError {
        OauthError { status, error, description }
    }

    /// An error with the usual status of its code.
    #[must_use]
    pub fn of(error: ErrorCode, description: &'static str) -> OauthError {
        OauthError { status: error.status(), error, description }
    }

    /// 400 `invalid_request`.
    #[must_use]
    pub fn invalid_request(description: &'static str) -> OauthError {
        OauthError::of(ErrorCode::InvalidRequest, description)
    }

    /// 401 `invalid_client`: the one answer to every fault of client authentication, so that nobody learns which ids exist.
    #[must_use]
    pub fn invalid_client() -> OauthError {
        OauthError::of(ErrorCode::InvalidClient, "client authentication failed")
    }

    /// The `WWW-Authenticate` header of a 401 or 403 (RFC 6749, 5.2; RFC 6750, 3); none for the rest.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        match (self.status, self.error) {
            (401, ErrorCode::InvalidClient) => Some("Basic realm=\"tessera\", charset=\"UTF-8\"".to_owned()),
            (401, error @ (ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce)) => {
                Some(format!("DPoP realm=\"tessera\", error=\"{}\", algs=\"ES256 EdDSA\"", error.as_str()))
            }
            (401 | 403, error) => Some(format!("Bearer realm=\"tessera\", error=\"{}\"", error.as_str())),
            _ => None,
        }
    }
}

impl Serialize for OauthError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("OauthError", 2)?;
        body.serialize_field("error", self.error.as_str())?;
        body.serialize_field("error_description", self.description)?;
        body.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_two_members_of_the_standard() {
        let error = OauthError::invalid_request("grant_type is missing");
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"error":"invalid_request","error_description":"grant_type is missing"}"#
        );
        assert_eq!(error.status, 400);
    }

    #[test]
    fn a_failed_client_is_challenged_with_basic_and_a_failed_token_with_bearer() {
        assert!(OauthError::invalid_client().www_authenticate().unwrap().starts_with("Basic "));
        let token = OauthError::of(ErrorCode::InvalidToken, "no");
        assert!(token.www_authenticate().unwrap().starts_with("Bearer "));
        assert_eq!(OauthError::invalid_request("x").www_authenticate(), None);
    }
}
