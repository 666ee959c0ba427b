//! OAuth 2.0 as the other protocols here use it: forms, client authentication, tokens, key sets, server metadata.
//!
//! ```text
//! client   ── form, Authorization ──▶ ClientAuth ─▶ (tenancy compares) ─▶ AccessTokenClaims::draft ─▶ (custody signs)
//! sender   ── DPoP header ──▶ DpopProof::parse ─▶ check(htm, htu, ath, now) ─▶ thumbprint, and a jti to be spent
//! wallet   ── OAuth-Client-Attestation, -PoP ──▶ ClientAttestation::read ─▶ verify(Trust, issuer, now) ─▶ AttestedClient
//! resource ── Bearer ──▶ AccessToken::parse ─▶ verify(Jwks, Expected, now) ─▶ VerifiedToken
//! ```
//!
//! Invariants: a parameter that comes twice is refused; of client authentication there is one kind or none; a token is never
//! checked by a key it brings itself; error descriptions are fixed texts.

pub mod access_token;
pub mod client_attestation;
pub mod client_auth;
pub mod dpop;
pub mod error;
pub mod form;
pub mod jwks;
pub mod pkce;
pub mod server_metadata;
pub mod token;

pub use access_token::{AccessToken, AccessTokenClaims, Expected, TokenFault, VerifiedToken};
pub use client_attestation::{AttestationFault, AttestationRules, AttestedClient, ClientAttestation};
pub use client_auth::{AssertionFault, AssertionRules, ClientAssertion, ClientAuth, VerifiedAssertion};
pub use dpop::{DpopFault, DpopProof};
pub use error::{ErrorCode, OauthError};
pub use form::{Form, FormError};
pub use jwks::{Jwks, JwksError, LookupFault, PublishedKey};
pub use server_metadata::AuthorizationServerMetadata;
pub use token::{ClientCredentialsRequest, GrantType, TokenResponse};
