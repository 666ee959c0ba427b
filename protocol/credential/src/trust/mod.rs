//! Whom we believe, and for what: anchors, the contexts they vouch in, and the verdict on a chain.
//!
//! ```text
//! Anchor { certificate, contexts, types } ─Anchors::new─▶ Anchors
//! x5c ─Trust::judge(context, now)─▶ Judged { chain, signer key, path } ─vouches_for(type)─▶ Anchor
//! ```
//! A list of trusted entities ([`list`]) names anchors in bulk, signed by somebody whom an anchor lets sign lists.
//!
//! Invariants: an anchor of one context never vouches in another, and an issuer's anchor only for the types it names;
//! no name of a type means no type. A kept verdict is used only while every certificate of its path is in its dates,
//! and never after the set of anchors has changed.

mod anchor;
mod facts;
mod judge;
pub mod list;

pub use anchor::{Anchor, Anchors, Context, PatternError, TypePattern};
pub use facts::CertificateFacts;
pub use judge::{JudgeError, Judged, PathCache, Trust, Vouched};
