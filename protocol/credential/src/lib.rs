//! Verifiable credentials as values: issue them, hold them, ask for them, judge what comes back, take them back.
//!
//! ```text
//! issuer    claims ─CredentialType::accept─▶ AcceptedClaims ─sd_jwt::issue─▶ Draft ─(signed outside)─▶ "jwt~d1~d2~"
//! wallet    "jwt~d1~d2~" ─SdJwt::parse─▶ Unverified ─verify─▶ SdJwt ─dcql::select─▶ Pick ─present─▶ "jwt~d2~kb"
//! verifier  "jwt~d2~kb" ─presentation::examine─▶ Examined ─conclude(status list)─▶ Concluded { checks, presented }
//! status    StatusList ─status::token─▶ Draft ─(signed outside)─▶ token ─parse, verify─▶ VerifiedList ─▶ StatusValue
//! mdoc      as above: mdoc::issue ─▶ IssuerSigned ─Mdoc::present─▶ DeviceResponse ─presentation::examine_mdoc─▶ Examined
//! vc+jwt    as above, whole: vc_jwt::issue ─▶ "jwt" ─presentation_draft─▶ "vp+jwt" ─VpJwt::verify─▶ VcJwt
//! ```
//!
//! Invariants. Nothing here does I/O, reads a clock, draws randomness or holds a private key: time and entropy are
//! arguments, and what must be signed leaves as a draft. A parser bounds its input before it reads it. What came from
//! outside is `Unverified<T>` until a key has vouched for it. A verification report names checks, clauses, paths of our
//! own query and certificates, and never a claim value, salt, nonce or token: [`check::Detail`] has no way to hold one.
//!
//! Start reading at [`sd_jwt`], then [`presentation`].

pub mod check;
pub mod claims_path;
pub mod credential_type;
pub mod dcql;
mod entropy;
pub mod mdoc;
pub mod pointer;
pub mod presentation;
pub mod sd_jwt;
pub mod status;
pub mod trust;
pub mod type_metadata;
mod unverified;
pub mod vc_jwt;

pub use unverified::Unverified;

/// What this room was built to; a test of the interface prints it and a draft's number is changed here only.
pub const SPEC_REVISION: &[(&str, &str)] = &[
    ("SD-JWT", "RFC 9901"),
    ("SD-JWT VC", "draft-ietf-oauth-sd-jwt-vc-19"),
    ("Token Status List", "draft-ietf-oauth-status-list-20"),
    ("OpenID4VP", "1.0 with errata"),
    ("mdoc", "ISO/IEC 18013-5:2021"),
    ("vc+jwt", "VCDM 2.0 with VC-JOSE-COSE"),
];
