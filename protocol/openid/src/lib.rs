//! The OpenID protocols, each seen from every side: the issuer's, the verifier's, the provider's and the wallet's.
//!
//! ```text
//! oauth   form, header → ClientAuth → (tenancy) → AccessTokenClaims → Draft → (custody signs) → TokenResponse
//!         bearer token → AccessToken → verify(Jwks) → VerifiedToken
//! oidc    Parameters → judge → CheckedRequest → (a sign-in) → code → redeem → IdTokenClaims, ProviderTokenClaims
//! vci     CredentialOffer → PreAuthorizedRequest → c_nonce → CredentialRequest → Grant::accept → AcceptedRequest
//!         vci::wallet: OfferLink → Offered → Described → Granted → Ready → ReceivedCredential
//! vp      RequestObject → Draft → (custody signs) → link → Posted → Answer → Session::step
//!         vp::wallet: PresentationLink → CheckedRequest → Selection → KbDraft → encrypted form
//! ```
//!
//! Invariants: nothing here reads a clock, a socket, a file or a source of randomness; whoever calls brings the time, the
//! entropy and the bytes, and sends what comes back. What must be signed leaves as a [`crypto::jose::jws::Draft`]. Nothing
//! that a stranger sent reaches a typed value but through `wire::read` (strict JSON, duplicates refused) or
//! [`oauth::form::Form`]. No error carries a token, a code, a nonce or a claim's value.
//!
//! Start reading at [`vci::grant`] and [`vp::session`]: these two decide; the rest is the shape of messages.

pub mod errand;
pub mod oauth;
pub mod oidc;
pub mod vci;
pub mod vp;
pub mod wire;

/// What this room was built to.
pub const SPEC_REVISION: &[(&str, &str)] = &[
    ("OpenID4VCI", "1.0"),
    ("OpenID4VP", "1.0 with errata"),
    ("JWT access tokens", "RFC 9068"),
    ("JWT client authentication", "RFC 7523"),
    ("OpenID Connect Core", "1.0 with errata set 2"),
    ("Pushed authorization requests", "RFC 9126"),
    ("Signed authorization requests", "RFC 9101"),
    ("Issuer identification", "RFC 9207"),
    ("DPoP", "RFC 9449"),
    ("Authorization server metadata", "RFC 8414"),
];

#[cfg(test)]
mod testing;
