//! Sign-ins: the rows of the session machine, from the checked request to the result that a code redeems.
//!
//! ```text
//! /authorize ─ open_session(CheckedRequest, cookie) ─► row open ─► page asks session_state
//! wallet     ─ claim ─► claimed ─ answer ─► unit { guarded DELETE, result, consent, history, event }
//! page       ─ finish(sid, cookie) ─► Finished { request, code | error } ─► redirect
//! /token     ─ result_of_code(code) ─► Redeemable { request, facts, claims }, spent in the unit of the grant
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A session's id.
pub type Sid = [u8; 16];

/// A request of a relying party after every check: client, redirect, scopes, proofs. Made by the OpenID Provider (or SAML).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedRequest {
    /// `rp_…`.
    pub client_id: String,
    /// Origin of `redirect_uri`; for native relying parties their first origin.
    pub rp_origin: String,
    /// Where the browser goes at the end; registered, compared exactly.
    pub redirect_uri: String,
    /// Atomic, sorted, without duplicates, each registered for this relying party. `openid` is among them.
    pub scopes: Vec<String>,
    /// The relying party's nonce (or the ID of a SAML request).
    pub nonce: Option<String>,
    /// Given back unchanged.
    pub state: Option<String>,
    /// The least that is asked for: `seal:code`, `phr` or `phrh`.
    pub acr: String,
    /// Whether less is an error (`unmet_authentication_requirements`) instead of a lower true value.
    pub acr_essential: bool,
    /// `web` or `ciba`.
    pub mode: String,
    /// `request_object`, `client_assertion` or `none`.
    pub proof_kind: String,
    /// The JWT by which the relying party proved itself in this request.
    pub proof_jwt: Option<String>,
    /// A handle that the relying party knows, or its own `sub`: addressed at once, if it names somebody.
    pub login_hint: Option<String>,
    /// What the protocol must remember until its token call (code challenge, DPoP thumbprint, claims request, …); opaque here.
    pub own: Value,
}
