//! Every primitive, key and signed container the house uses, in one place and over one provider.
//!
//! ```text
//!   bytes ── hash, kdf, aead, base64, hex, random ──────────────┐
//!   text ─── json ── jwk ── jose::{jws, jwe} ───────────────────┤
//!   bytes ── cbor ── cose ──────────────────────────────────────┼── key::{PrivateKey, PublicKey, Ecdh}
//!   browser ─ webauthn::{creation, assertion} ──────────────────┤
//!   DER ──── x509::{certificate, build} ── x509::path ──────────┘
//! ```
//!
//! Invariants, all by absence:
//! - nothing here reads a clock, a file or a socket; times are arguments;
//! - there is no way to sign or verify a digest that somebody else made;
//! - no private key, shared secret or opened plaintext has a `Display`, and its `Debug` is a placeholder;
//! - no reader guesses: what is not written exactly as the standard's strict form says is refused.
//!
//! Containers are built in two halves, *bytes to be signed* and *assembly with a signature*, because the
//! keys that sign live in a keeper elsewhere.
//!
//! Start reading at [`key`], then [`jose::jws`] and [`x509::path`].

pub mod aead;
pub mod base64;
pub mod cbor;
pub mod cose;
pub mod ctr;
pub mod hash;
pub mod hex;
pub mod hpke;
pub mod jose;
pub mod json;
pub mod jwk;
pub mod kdf;
pub mod key;
pub mod random;
pub mod schnorr;
pub mod secret;
pub mod webauthn;
pub mod x509;
pub mod xwing;
