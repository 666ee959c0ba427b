//! Verifiable Credentials 2.0 as JWTs (W3C VCDM 2.0; VC-JOSE-COSE, 3.1): the format `vc+jwt`, a profile of this project.
//!
//! ```text
//! issuer    AcceptedClaims + Subject ─issue─▶ jws::Draft ─(signed outside)─▶ "jwt"
//! holder    "jwt" ─VcJwt::parse─▶ Unverified ─verify(key, now)─▶ VcJwt ─presentation_draft─▶ (signed outside) ─▶ "vp+jwt"
//! verifier  "vp+jwt" ─VpJwt::parse─▶ Unverified ─verify(issuer's key, session, now)─▶ VcJwt
//! ```
//! Invariants: the payload is the credential itself, never wrapped in `vc` or `vp`; a presentation envelops one credential and is
//! signed by its `cnf.jwk`. Absent: selective disclosure (the whole is shown), JSON-LD processing, Data Integrity proofs.

mod issue;
mod present;
mod read;

pub use issue::{IssueError, Subject, issue};
pub use present::{PresentationRejection, Session, VpJwt};
pub use read::{ParseError, Rejection, VcJwt};

/// `typ` of a credential (VC-JOSE-COSE, 3.1.1).
pub const TYP: &str = "vc+jwt";
/// `typ` of a presentation (VC-JOSE-COSE, 3.1.2).
pub const PRESENTATION_TYP: &str = "vp+jwt";
/// The first context of every credential and presentation (VCDM 2.0, 4.3).
pub const CONTEXT: &str = "https://www.w3.org/ns/credentials/v2";
/// Gives the claims of a type that has no context of its own a meaning that says they have none (VCDM 2.0, B.2).
pub const UNDEFINED_TERMS: &str = "https://www.w3.org/ns/credentials/undefined-terms/v2";
/// The type that every credential has.
pub const CREDENTIAL_TYPE: &str = "VerifiableCredential";
/// Types of one credential: a few levels of a hierarchy.
pub const TYPES_MAX: usize = 16;
/// Bytes of a credential or presentation, as of an SD-JWT.
pub const VC_JWT_BYTES_MAX: usize = crate::sd_jwt::SD_JWT_BYTES_MAX;

/// What stands before an enveloped credential (VCDM 2.0, 4.12.1).
const ENVELOPE: &str = "data:application/vc+jwt,";
