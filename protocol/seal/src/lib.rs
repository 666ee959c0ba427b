//! Sign-in without passwords: the mutual-code protocol Seal/1 and the document seals that a person shows.
//!
//! ```text
//!   Context, E, sid ─▶ T0 ─┐                       browser shows svc        wallet: claim::check ── answer::Answering
//!   S, E, D, DK ───────────┴▶ keys::KeySchedule ─▶ svc, usr, K_mac, K_doc                               │ r, tag, sig, doc
//!   signin::Signin ── step ──▶ Effects             answer::Answer (unverified) ── open ──▶ Opened ── decide ──▶ Verdict
//!   enrolment: anchor::commitment, handle, assurance::level        consent::Record ─▶ consent_hash
//!   vds: bytes ─▶ Unverified<…> ── verify(signer key) ─▶ seal;  trust::judge(certificate, anchors, dates)
//! ```
//!
//! Invariants:
//! - signatures, tags and hashes are checked over the bytes received, never over what was read and written again;
//! - codes, tags, hashes and handles are compared in constant time, and no `Debug` shows a code, a key or a claim;
//! - the server keeps no live code: whatever it compares is derived anew from its keys and T0;
//! - what a peer sent is [`Unverified`] until the function that checks it returns the thing itself.
//!
//! Start reading at [`code`], then [`code::signin`] and [`code::answer`]; document seals start at [`vds`].

pub mod anchor;
pub mod assurance;
pub mod chain;
pub mod code;
pub mod consent;
pub mod door;
pub mod handle;
pub mod person;
pub mod push;
pub mod scope;
pub mod unverified;
pub mod vds;
mod wire;

pub use unverified::Unverified;
