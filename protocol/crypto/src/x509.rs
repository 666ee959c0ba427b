//! Certificates: read, built, and checked as a path.
//!
//! ```text
//!   DER ── Certificate::parse ──▶ Certificate ──┐
//!   anchors (PEM or store) ─────────────────────┼── path::verify ──▶ Path, or PathFault { reason, certificate }
//!   build::TbsDraft ── to_be_signed ──▶ (signed elsewhere) ── assemble ──▶ DER
//! ```
//!
//! Invariants: a certificate that was read is exact DER, version 3, holds a P-256, P-384 or RSA key of 2048 bits or
//! more, and has no critical extension that is not understood and no extension twice. No revocation list is read
//! here and no network is touched.
//!
//! Start at [`path::verify`].

mod der_out;
mod name;
mod signature;

pub mod build;
pub mod certificate;
pub mod path;
pub mod pem;

pub use certificate::{Certificate, CertificateError, KeyUsage};
pub use name::{Name, NameParts};
