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
    /// OpenID4VCI 1.0, 11.3.
    INVALID_NOTIFICATION_ID = 400 "oauth/invalid-notification-id": "there is no such notification",
        meaning "The notification_id was not given out with the credentials of this access token.",
        cause "An id of another grant, or one that was changed.",
        fix "Send the notification_id of the credential response.",
        command "";
    /// OpenID4VCI 1.0, 11.3.
    INVALID_NOTIFICATION_REQUEST = 400 "oauth/invalid-notification-request": "the notification is not well formed",
        meaning "A member is missing or unknown, or the event is none of the three of the standard.",
        cause "See error_description.",
        fix "Mend the member that error_description names.",
        command "";
    /// RFC 6749, 4.1.2.1.
    UNSUPPORTED_RESPONSE_TYPE = 400 "oauth/unsupported-response-type": "this response type is not served",
        meaning "The provider answers with a code, and with nothing else.",
        cause "A response_type other than code.",
        fix "Send response_type=code.",
        command "";
    /// OpenID Connect Core 1.0, 3.1.2.6.
    LOGIN_REQUIRED = 400 "oauth/login-required": "nobody is signed in without being asked",
        meaning "Every sign-in is a new approval, or somebody else signed in than was asked for.",
        cause "prompt=none, or a hint that names another person.",
        fix "Ask without prompt=none.",
        command "";
    /// OpenID Connect Core 1.0, 3.1.2.6.
    INVALID_REQUEST_URI = 400 "oauth/invalid-request-uri": "this request_uri opens nothing",
        meaning "The request was opened before, its time is over, or it is another relying party's.",
        cause "A second use, or more than a minute between pushing and opening.",
        fix "Push the request again.",
        command "";
    /// OpenID Connect Core 1.0, 3.1.2.6; RFC 9101, 6.2.
    INVALID_REQUEST_OBJECT = 400 "oauth/invalid-request-object": "the signed request does not hold",
        meaning "It is signed by another key, for another provider, out of its dates, or not well formed.",
        cause "A key that is not registered, a wrong aud, or a clock that is off.",
        fix "Sign with a registered key, with aud = the issuer and exp within the hour.",
        command "tessera relying-party show ID";
    /// OpenID Connect Core 1.0, 3.1.2.6.
    REGISTRATION_NOT_SUPPORTED = 400 "oauth/registration-not-supported": "the registration parameter is not served",
        meaning "Relying parties are registered by an operator.",
        cause "A request with the parameter registration.",
        fix "Leave it out.",
        command "tessera relying-party create";
    /// OpenID Connect Core Unmet Authentication Requirements 1.0.
    UNMET_AUTHENTICATION_REQUIREMENTS = 400 "oauth/unmet-authentication-requirements": "the class that was asked for is not met",
        meaning "acr was essential, or is the least that this relying party takes, and the sign-in reached less.",
        cause "A passkey that may be copied where phrh is asked for, or a class that is not served.",
        fix "Ask for a class of acr_values_supported that the person can reach.",
        command "";
    /// RFC 9449, 5 and 7.
    INVALID_DPOP_PROOF = 400 "oauth/invalid-dpop-proof": "the DPoP proof does not hold",
        meaning "It is missing, for another method, address, token or moment, by another key, or was used before.",
        cause "See error_description.",
        fix "Make a new proof for each request: htm, htu, iat, a fresh jti, and ath at userinfo.",
        command "";
    /// RFC 9449, 8.
    USE_DPOP_NONCE = 400 "oauth/use-dpop-nonce": "the proof needs a nonce of this server",
        meaning "This server takes only proofs with a nonce that it gave a moment ago.",
        cause "A proof without nonce, or with an older one.",
        fix "Put the value of the header DPoP-Nonce into the proof and send it again.",
        command "";
}
