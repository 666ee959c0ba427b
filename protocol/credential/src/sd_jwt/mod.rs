//! SD-JWT (RFC 9901) as SD-JWT VC profiles it: one credential, every claim of which the holder may keep back.
//!
//! ```text
//! issuer    AcceptedClaims + entropy ─issue─▶ Draft { jws, disclosures } ─sign outside─▶ assemble ─▶ "jwt~d1~d2~"
//! reader    text ─SdJwt::parse─▶ Unverified<SdJwt> ─verify(key, now)─▶ SdJwt { claims, disclosures }
//! holder    SdJwt ─present(paths)─▶ Presentation ─key_binding_draft─▶ (signed outside) ─bind─▶ "jwt~d2~kb"
//! ```
//! The reader is strict and bounded; hashes run over the text as received. Only the compact serialisation is read.

mod claims;
mod disclosure;
mod frame;
mod hold;
mod issue;
mod key_binding;
mod parts;
mod read;
mod unfold;

pub use claims::{ClaimFault, DateFault};
pub use disclosure::DisclosureFault;
pub use frame::Frame;
pub use hold::{PresentError, Presentation};
pub use issue::{Disclosures, Draft, IssueError, Subject, Validity, issue};
pub use key_binding::{KeyBinding, KeyBindingError};
pub use parts::ShapeError;
pub use read::{Disclosed, ParseError, Rejection, SdJwt};

pub(crate) use claims::{Dates, aka_vcts, holder_key, vct};
pub(crate) use parts::Parts;
pub(crate) use read::{limits, read_payload};
pub(crate) use unfold::{Placed, Unfolded, unfold};

/// Media type of the credential (SD-JWT VC, 2.2.1).
pub const TYP: &str = "dc+sd-jwt";
/// Media type of the key binding (RFC 9901, 4.3).
pub const KEY_BINDING_TYP: &str = "kb+jwt";
/// The only hash there is: what the ecosystem uses, and what an attacker cannot choose away.
pub const SD_ALG: &str = "sha-256";

/// Bytes of a credential or presentation: a portrait and sixty claims fit several times.
pub const SD_JWT_BYTES_MAX: usize = 256 * 1024;
/// Disclosures of one credential.
pub const DISCLOSURES_MAX: usize = 256;
/// Bytes of one encoded disclosure: a portrait fits.
pub const DISCLOSURE_BYTES_MAX: usize = 64 * 1024;
/// Levels of JSON, in each part and in the whole after unfolding; recursion ends here.
pub const DEPTH_MAX: usize = 16;
/// Clocks of honest parties differ by this much, seconds.
pub const CLOCK_SKEW_S: i64 = 60;

/// Claims that may never be disclosures, nor hold any (SD-JWT VC, 2.2.2.3).
pub const NEVER_DISCLOSABLE: [&str; 8] =
    ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "aka_vcts"];

/// Whether the issuer sets this top-level claim itself, so that no dataset may hold it.
pub(crate) fn is_reserved(name: &str) -> bool {
    NEVER_DISCLOSABLE.contains(&name) || matches!(name, "iat" | "_sd_alg") || is_reserved_name(name)
}

/// Whether SD-JWT keeps this member name for itself at every level (RFC 9901, 4.2.1).
pub(crate) fn is_reserved_name(name: &str) -> bool {
    matches!(name, "_sd" | "...")
}
