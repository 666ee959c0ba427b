//! The outsider's checker: recomputes a log from what its server shows, and checks proofs without any server.
//!
//! ```text
//!   URL or folder ── source ──▶ walk (every entry, tile, root) ──▶ log::LogReport ──▶ cli ──▶ exit code
//!   proof file ─────────────────────────────────────────────────▶ proof::ProofReport ─┘
//! ```
//!
//! It trusts nothing but the verifier keys and old checkpoints that its user brings. It depends on `protocol/` only;
//! `docs/tcb.txt` lists all that is compiled into `tessera-verify`, so that a stranger can read what he runs.
//!
//! Invariants: every answer of a server is bounded before it is read; no redirect is followed; a token goes over
//! https or to this machine only; a verdict of *verified* means that every leaf, tile and root was recomputed here.
//!
//! Start with [`log`].

pub mod cli;
pub mod finding;
pub mod http;
pub mod log;
pub mod page;
pub mod proof;
pub mod source;
mod text;
mod walk;

pub use log::log;
pub use proof::proof;
