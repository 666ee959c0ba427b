//! OpenID Connect as its provider: what a relying party may ask, what it is told, and how long that holds.
//!
//! ```text
//! RP      ── form or signed object ──▶ Parameters ─▶ judge(Client, Vocabulary) ─▶ CheckedRequest ─▶ (a sign-in)
//! browser ── GET authorize ──▶ the same, or a request_uri ─▶ AuthorizationAnswer ─▶ redirect with code or error, state, iss
//! RP      ── code, verifier ──▶ TokenRequest ─▶ redeem ─▶ IdTokenClaims, ProviderTokenClaims ─▶ (custody signs) ─▶ tokens
//! RP      ── refresh token ──▶ TokenRequest ─▶ Refreshing::judge ─▶ rotate, keep, or end the grant
//! ```
//!
//! Invariants: nobody is sent to an address that was not compared with the registered ones; a scope that is not registered is
//! refused, never dropped; a request cannot lower what its relying party is registered for; what is signed holds only what was
//! granted.
//!
//! Start reading at [`request`].

pub mod acr;
pub mod answer;
pub mod claims_request;
pub mod client;
pub mod id_token;
pub mod introspection;
pub mod metadata;
pub mod redirect;
pub mod refresh;
pub mod request;
pub mod request_object;
pub mod token;

pub use acr::Acr;
pub use answer::AuthorizationAnswer;
pub use claims_request::{ClaimsRequest, Vocabulary};
pub use client::{AuthMethod, Client};
pub use id_token::{IdTokenClaims, IdTokenHint, ProviderTokenClaims};
pub use introspection::Introspection;
pub use metadata::ProviderMetadata;
pub use refresh::{RefreshFault, Refreshing};
pub use request::{CheckedRequest, Parameters, RequestFault};
pub use request_object::{ObjectFault, RequestObject};
pub use token::{ProviderTokenResponse, TokenRequest};
