//! The pages that `error_uri` of OAuth and OpenID doors leads to: one for each code of the standards.

use super::pages::pages;

pages! {
    pub pages;
    /// RFC 6749, 5.2.
    INVALID_REQUEST = 400 "oauth/invalid-request": "the request lacks a parameter or is not well formed",
        meaning "A parameter is missing, came twice, or cannot be read.",
        cause "See error_description.",
        fix "Mend the parameter that error_description names.",
        command "";
    /// RFC 6749, 5.2.
    INVALID_CLIENT = 401 "oauth/invalid-client": "the client did not show who it is",
        meaning "The client is unknown, or its secret or assertion does not hold. Which check failed is not said.",
        cause "A wrong or rotated secret, an account that has ended, or an assertion that was used before.",
        fix "Look at the account, or rotate its secret.",
        command "tessera service-account show";
    /// RFC 6749, 5.2.
    INVALID_GRANT = 400 "oauth/invalid-grant": "the grant is spent, over or not ours",
        meaning "The code or grant opens nothing: it was used, has ended, or belongs to somebody else.",
        cause "A second use, a code past its time, or a wrong transaction code.",
        fix "Ask the issuer for a new offer.",
        command "tessera offer create";
    /// RFC 6749, 5.2.
    UNAUTHORIZED_CLIENT = 400 "oauth/unauthorized-client": "this client may not use this grant",
        meaning "The client is known, but not for this kind of grant.",
        cause "Another grant type than the client is registered for.",
        fix "Use the grant type that the client is registered for.",
        command "";
    /// RFC 6749, 5.2.
    UNSUPPORTED_GRANT_TYPE = 400 "oauth/unsupported-grant-type": "this door knows other grant types",
        meaning "grant_type names a grant that the door does not offer.",
        cause "A grant type that the metadata document does not list.",
        fix "Use a grant type that the metadata document lists.",
        command "";
    /// RFC 6749, 5.2.
    INVALID_SCOPE = 400 "oauth/invalid-scope": "the scope cannot be granted",
        meaning "The scope is unknown, not well formed, or wider than allowed.",
        cause "A scope beyond the roles of the account.",
        fix "Ask for less, or leave the scope out.",
        command "";
    /// RFC 6750, 3.1.
    INVALID_TOKEN = 401 "oauth/invalid-token": "the access token is not accepted",
        meaning "The token is expired, spent, or not ours. Which check failed is not said.",
        cause "A token past its time or of another server.",
        fix "Get a new token.",
        command "";
    /// RFC 6750, 3.1.
    INSUFFICIENT_SCOPE = 403 "oauth/insufficient-scope": "the access token does not reach so far",
        meaning "The token is good, but not for this.",
        cause "A token that was granted for something else.",
        fix "Get a token with the scope that is needed.",
        command "";
    /// RFC 9396, 5.
    INVALID_AUTHORIZATION_DETAILS = 400 "oauth/invalid-authorization-details": "authorization_details cannot be granted",
        meaning "authorization_details names what the grant does not hold, or is not well formed.",
        cause "A credential configuration that was not offered.",
        fix "Ask for what the offer names.",
        command "";
    /// RFC 6749, 4.1.2.1.
    ACCESS_DENIED = 403 "oauth/access-denied": "access was denied",
        meaning "The request is understood and refused.",
        cause "See error_description.",
        fix "See error_description.",
        command "";
    /// RFC 6749, 4.1.2.1.
    TEMPORARILY_UNAVAILABLE = 503 "oauth/temporarily-unavailable": "the server cannot do this now",
        meaning "The store or the signer is down, or too much is asked. Nothing was spent.",
        cause "See /readyz.",
        fix "Wait as long as the header Retry-After says.",
        command "tessera doctor";
    /// RFC 6749, 4.1.2.1.
    SERVER_ERROR = 500 "oauth/server-error": "the server failed",
        meaning "A fault of this program. Its log names the request id.",
        cause "A defect, or a damaged store.",
        fix "Look into the log under the request id and report it.",
        command "tessera doctor";
    /// OpenID4VCI 1.0, 8.3.1.2.
    INVALID_CREDENTIAL_REQUEST = 400 "oauth/invalid-credential-request": "the credential request is not well formed",
        meaning "A member is missing, unknown, or does not fit the others.",
        cause "See error_description.",
        fix "Mend the member that error_description names.",
        command "";
    /// OpenID4VCI 1.0, 8.3.1.2.
    UNKNOWN_CREDENTIAL_CONFIGURATION = 400 "oauth/unknown-credential-configuration": "there is no such credential configuration",
        meaning "The metadata of this issuer does not list the configuration.",
        cause "A misspelt id, or metadata that is out of date.",
        fix "Read the metadata document again.",
        command "tessera credential-type list";
    /// OpenID4VCI 1.0, 8.3.1.2.
    UNKNOWN_CREDENTIAL_IDENTIFIER = 400 "oauth/unknown-credential-identifier": "there is no such credential identifier",
        meaning "The token response did not name this identifier.",
        cause "An identifier of another grant.",
        fix "Use an identifier of the token response.",
        command "";
    /// OpenID4VCI 1.0, 8.3.1.2.
    INVALID_PROOF = 400 "oauth/invalid-proof": "the proof of the key does not hold",
        meaning "The proof is missing, signed by another key, for another issuer, or too old.",
        cause "See error_description.",
        fix "Make a new proof with a new c_nonce.",
        command "";
    /// OpenID4VCI 1.0, 8.3.1.2.
    INVALID_NONCE = 400 "oauth/invalid-nonce": "the c_nonce is spent or over",
        meaning "A c_nonce serves once and for five minutes.",
        cause "A second use, or a slow wallet.",
        fix "Get a new c_nonce from the nonce endpoint.",
        command "";
    /// OpenID4VCI 1.0, 8.3.1.2.
    INVALID_ENCRYPTION_PARAMETERS = 400 "oauth/invalid-encryption-parameters": "the encryption that was asked for is not offered",
        meaning "The key or algorithm for the encrypted answer is not one that this issuer offers.",
        cause "An algorithm that the metadata document does not list.",
        fix "Use an algorithm that the metadata document lists.",
        command "";
    /// OpenID4VCI 1.0, 8.3.1.2.
    CREDENTIAL_REQUEST_DENIED = 400 "oauth/credential-request-denied": "the issuer does not issue this credential",
        meaning "The issuer has decided against it; another try gives the same answer.",
        cause "The offer was denied or the credential revoked.",
        fix "Ask the issuer.",
        command "";
}
