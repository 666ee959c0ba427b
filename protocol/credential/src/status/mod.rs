//! Token status lists: one bit or two for each credential, so that taking one back tells nobody whose it was.
//!
//! ```text
//! issuer    blocks(entries, entropy) ─dealt one by one─▶ StatusReference { uri, idx } in a credential
//!           StatusList ─ListDraft::draft, draft_cwt─▶ jws::Draft, Sign1Draft ─(signed outside)─▶ token
//! verifier  token ─ListToken::parse, parse_cwt─▶ Unverified ─verify(trust, now)─▶ VerifiedList ─value(idx)─▶ StatusValue
//! ```
//! Invariants: an index is never a counter; inflating stops at a bound; a list is `Unverified` until a path vouches for it.

mod cwt;
mod index;
mod list;
mod reference;
mod token;

pub use cwt::CWT_TYP;
pub use index::{BLOCK_ENTRIES, BlockError, IndexBlock, shuffled_blocks};
pub use list::{Bits, ENTRIES_MAX, INFLATED_BYTES_MAX, ListError, StatusList, StatusValue};
pub use reference::{StatusReference, URI_BYTES_MAX};
pub use token::{ListDraft, ListFault, ListToken, TOKEN_BYTES_MAX, TTL_MAX_S, TTL_MIN_S, VerifiedList};

/// Media type of a list token (Token Status List, 5.1).
pub const TYP: &str = "statuslist+jwt";
/// Entries of a list from its first day, so that every credential hides among at least 100,000.
pub const ENTRIES_DEFAULT: u32 = 131_072;
