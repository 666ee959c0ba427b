//! Tile logs that outsiders can check, and the entries that this house writes into them.
//!
//! ```text
//!   event ── commitment ──▶ entry ── merkle ──▶ tile ──▶ proof ──▶ proof_file
//!                                      │                              ▲
//!                                      └─ root ─▶ checkpoint ─▶ note ─┘   (signed outside, with vkey to check)
//! ```
//!
//! Formats: RFC 6962 hashing; c2sp.org `signed-note`, `tlog-checkpoint`, `tlog-tiles`, `tlog-proof`, and of
//! `tlog-cosignature` the message that ML-DSA-44 log keys sign.
//!
//! Invariants: nothing here reads a clock, a file, a socket or a random number, or holds a private key; every reader
//! of foreign bytes has a bound, takes exactly one spelling of each value, and never panics; a leaf never holds text
//! or anything that names a person.
//!
//! Start with [`merkle`], then [`note`] and [`checkpoint`]; for what is logged, [`event`] and [`entry`].

pub mod checkpoint;
pub mod commitment;
pub mod entry;
pub mod event;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod proof_file;
pub mod tile;
mod vkey;
