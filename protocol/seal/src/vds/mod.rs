//! Document seals: signed bytes small enough for a barcode.
//!
//! ```text
//!   image ── barcode ──▶ bytes ── icao::Vds::parse ──▶ Unverified<Vds> ── verify(SignerKey) ──▶ Vds ── own::Read ──▶ ServiceSeal …
//!   certificates, anchors ── trust::judge(signer, signing date) ──▶ the certificate whose key verifies
//!   own::{ServiceSeal, OrganisationSeal} ── to_be_signed ──▶ (signed elsewhere) ── assemble ──▶ bytes
//! ```
//!
//! Invariants: a signature is checked over the bytes received; every length is checked against what is left; errors name offsets
//! and tags. A seal can be photocopied: it proves who issued it and that it is whole, never who holds it.
//!
//! Start at [`icao`]; our own seals stand in [`own`].

pub mod barcode;
pub mod base45;
pub mod brainpool;
pub mod c40;
pub mod date;
pub mod icao;
pub mod mrz;
pub mod own;
pub mod signer;
pub mod tlv;
pub mod trust;

use jiff::civil::Date;

use crate::Unverified;
use signer::{SignerKey, SignerName};

/// Most bytes of a seal: no barcode that people carry holds more.
pub const SEAL_BYTES_MAX: usize = 4096;

/// Signed bytes that name who signed them.
pub trait Seal {
    /// What was signed, as it was received.
    fn tbs(&self) -> &[u8];
    /// The signature, `r ‖ s`.
    fn signature(&self) -> &[u8];
    /// Who says to have signed.
    fn signer(&self) -> &SignerName;
    /// On which day it says to have been signed.
    fn signed_on(&self) -> Date;
}

/// Why a signature was not found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SealFault {
    /// A curve that is not checked here (224 and 512 bits).
    #[error("unsupported-curve")]
    UnsupportedCurve,
    /// The signature is not the key's, or not over these bytes.
    #[error("bad-signature")]
    BadSignature,
}

impl<S: Seal> Unverified<S> {
    /// Who says to have signed: only for finding the certificate.
    pub fn signer(&self) -> &SignerName {
        self.inner().signer()
    }

    /// On which day it says to have been signed: only for judging the certificate.
    pub fn signed_on(&self) -> Date {
        self.inner().signed_on()
    }

    /// The seal, if `key` signed its bytes.
    ///
    /// # Errors
    /// [`SealFault`].
    pub fn verify(self, key: &SignerKey) -> Result<S, SealFault> {
        let seal = self.into_inner();
        key.verify(seal.tbs(), seal.signature())?;
        Ok(seal)
    }
}
