//! Whether a certificate vouches for a seal: a pure judgement over what the caller loaded.
//!
//! ```text
//!   signer name, signing date ─▶ the certificate it names ─ issued by an authority ─ in its dates ─ not revoked ─▶ its key
//! ```
//! A list that is past its next update is refused, unless the operator allows some days of grace.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::signer::{SignerCertificate, SignerName};

/// An authority that is believed for one kind of seal, with its revocation list.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its certificate.
    pub certificate: SignerCertificate,
    /// References of certificates that it revoked; upper-case hexadecimal without leading zeros.
    pub revoked: Vec<String>,
    /// When a newer list should have come; none for an authority without one.
    pub next_update: Option<Timestamp>,
}

/// Why no certificate vouches for a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TrustFault {
    /// No certificate is known by the name that the seal gives.
    #[error("unknown-signer")]
    UnknownSigner,
    /// No authority that is believed issued it.
    #[error("no-anchor")]
    NoAnchor,
    /// The certificate was not valid on the day of the signature.
    #[error("signer-not-valid")]
    SignerDates,
    /// The authority was not valid on the day of the signature.
    #[error("authority-not-valid")]
    AuthorityDates,
    /// The certificate was revoked.
    #[error("signer-revoked")]
    Revoked,
    /// The revocation list is too old to be believed.
    #[error("stale-trust-list")]
    Stale,
    /// The seal says that it was signed in the future.
    #[error("signed-in-future")]
    Future,
}

/// What the seal is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Now.
    pub now: Timestamp,
    /// Days that a list may be past its next update (`trust_stale_ok_d`).
    pub stale_ok_d: u16,
}

/// The certificate that vouches for a seal signed by `signer` on `signed_on`.
///
/// # Errors
/// [`TrustFault`]: of the certificates by that name, the fault of the last that was tried.
pub fn judge<'a>(
    signer: &SignerName,
    signed_on: Date,
    certificates: &'a [SignerCertificate],
    authorities: &[Authority],
    rules: &Rules,
) -> Result<&'a SignerCertificate, TrustFault> {
    let (day_begins, day_ends) = day(signed_on).ok_or(TrustFault::SignerDates)?;
    // Half of the world is ahead of UTC, by fourteen hours at most.
    if day_begins > rules.now + SignedDuration::from_hours(14) {
        return Err(TrustFault::Future);
    }
    let mut fault = TrustFault::UnknownSigner;
    for certificate in certificates.iter().filter(|it| it.is_named(signer)) {
        match vouched(certificate, day_begins, day_ends, authorities, rules) {
            Ok(()) => return Ok(certificate),
            Err(found) => fault = found,
        }
    }
    Err(fault)
}

fn vouched(
    certificate: &SignerCertificate,
    day_begins: Timestamp,
    day_ends: Timestamp,
    authorities: &[Authority],
    rules: &Rules,
) -> Result<(), TrustFault> {
    let in_life = |it: &SignerCertificate| it.not_before() <= day_ends && day_begins <= it.not_after();
    if !in_life(certificate) {
        return Err(TrustFault::SignerDates);
    }
    let mut fault = TrustFault::NoAnchor;
    for authority in authorities {
        if !authority.certificate.is_ca() || !certificate.is_issued_by(&authority.certificate) {
            continue;
        }
        if !in_life(&authority.certificate) {
            fault = TrustFault::AuthorityDates;
            continue;
        }
        let grace = SignedDuration::from_hours(24 * i64::from(rules.stale_ok_d));
        if authority
            .next_update
            .is_some_and(|due| rules.now > due.saturating_add(grace).unwrap_or(Timestamp::MAX))
        {
            fault = TrustFault::Stale;
            continue;
        }
        if authority.revoked.contains(&certificate.reference()) {
            return Err(TrustFault::Revoked);
        }
        return Ok(());
    }
    Err(fault)
}

/// First and last moment of a day, UTC.
fn day(date: Date) -> Option<(Timestamp, Timestamp)> {
    let begins = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some((begins, begins.checked_add(SignedDuration::from_secs(86_399)).ok()?))
}
