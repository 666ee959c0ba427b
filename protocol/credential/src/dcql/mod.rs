//! DCQL: what a verifier asks for, by the same rules on both sides (OpenID4VP 1.0, sections 6 and 7).
//!
//! ```text
//! our own query   JSON ─Query::parse(Reader::Own)─▶ Query ─unsupported─▶ pointers a build refuses
//! the answer      vp_token ─answer::presentations─▶ [(id, text)] ─(each verified)─▶ answer::complete
//! the wallet      JSON ─Query::parse(Reader::Wallet)─▶ Query ─select(holdings)─▶ [Pick { query, candidate, paths }]
//! ```
//! Invariant: the verifier judges an answer by the query it stored, never by what the answer says was asked.

pub mod answer;
mod matching;
mod query;
mod select;
mod support;

pub use matching::{ClaimsMatch, claims_match, wanted_paths};
pub use query::{
    ClaimsQuery, CredentialQuery, CredentialSet, Format, Meta, QUERY_BYTES_MAX, Query, Reader,
    TrustedAuthority,
};
pub use select::{Candidate, NoMatch, Pick, select};
pub use support::unsupported;

/// Credential queries, claim sets, credential sets, options and presentations in one query or answer.
pub const ITEMS_MAX: usize = 16;
/// Claims of one credential query, and values of one claim.
pub const CLAIMS_MAX: usize = 64;
/// The kind of trusted authority that names a certificate by its key identifier (section 6.1.1.1).
pub(crate) const AKI: &str = "aki";
