//! Issuing: a dataset that fits its type becomes a payload to sign and the disclosures beside it.
//!
//! Copies of one dataset look alike: dates are whole days, digests are sorted, each `_sd` is filled to a power of two
//! with decoys, and every copy draws its own salts.

use std::borrow::Cow;

use crypto::jose::jws;
use crypto::jwk::Jwk;
use crypto::{base64, hash};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::disclosure::{self, SALT_BYTES};
use super::{DISCLOSURE_BYTES_MAX, DISCLOSURES_MAX, Frame, SD_ALG, SD_JWT_BYTES_MAX, TYP};
use crate::credential_type::AcceptedClaims;
use crate::entropy::Pool;
use crate::status::StatusReference;

/// Fewest digests in an `_sd`, so that one claim does not look like one claim.
const DIGESTS_MIN: usize = 4;
/// Bytes kept free for header, certificates and signature, which are added when the payload is signed.
const ENVELOPE_BYTES: usize = 32 * 1024;
/// Dates are cut to days: an hour would tell copies of one person from those of another.
const DAY_S: i64 = 86_400;

/// Whom and what a credential is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `iss`: the issuer identifier.
    pub issuer: &'a str,
    /// `cnf.jwk`: the public key of this copy's holder.
    pub holder: &'a Jwk,
    /// `status.status_list`: this copy's own place in a list.
    pub status: Option<&'a StatusReference>,
    /// `iat`, `exp`.
    pub validity: Validity,
}

/// The first and the last moment of a credential, both at 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Validity {
    /// From the day of `now` to the end of the day `valid_for_s` seconds later, and never beyond the whole days of the
    /// signer's certificates when `signer_ends_at` is given.
    ///
    /// # Errors
    /// [`IssueError::Dates`] when nothing of `now` would be left, or a date leaves the calendar.
    pub fn whole_days(
        now: Timestamp,
        valid_for_s: i64,
        signer_ends_at: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        let issued_s = now.as_second() - now.as_second().rem_euclid(DAY_S);
        let wanted_s = now.as_second().checked_add(valid_for_s).ok_or(IssueError::Dates)?;
        let mut expires_s = wanted_s.checked_add((-wanted_s).rem_euclid(DAY_S)).ok_or(IssueError::Dates)?;
        if let Some(ends_at) = signer_ends_at {
            expires_s = expires_s.min(ends_at.as_second() - ends_at.as_second().rem_euclid(DAY_S));
        }
        if valid_for_s <= 0 || expires_s <= now.as_second() {
            return Err(IssueError::Dates);
        }
        let of = |second| Timestamp::from_second(second).map_err(|_| IssueError::Dates);
        Ok(Self { issued_at: of(issued_s)?, expires_at: of(expires_s)? })
    }

    /// `iat`.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// A credential before its signature.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the issuer's key signs; the signer adds `alg` and `x5c`.
    pub jws: jws::Draft,
    /// What travels beside it.
    pub disclosures: Disclosures,
}

/// The disclosures of a new credential, in the order of its claims. They hold personal data: `Debug` shows the count.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosures(Vec<String>);

impl Disclosures {
    /// The credential: the signed JWT and every disclosure, `jwt~d1~d2~`.
    pub fn assemble(&self, signed: &str) -> String {
        let bytes = signed.len() + 1 + self.0.iter().map(|disclosure| disclosure.len() + 1).sum::<usize>();
        let mut credential = String::with_capacity(bytes);
        for part in std::iter::once(signed).chain(self.0.iter().map(String::as_str)) {
            credential.push_str(part);
            credential.push('~');
        }
        credential
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Disclosures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosures({})", self.0.len())
    }
}

/// Why a dataset becomes no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// More than [`DISCLOSURES_MAX`] disclosures.
    #[error("a credential has at most {DISCLOSURES_MAX} disclosures")]
    TooManyDisclosures,
    /// One disclosure is larger than [`DISCLOSURE_BYTES_MAX`].
    #[error("a disclosure has at most {DISCLOSURE_BYTES_MAX} bytes")]
    DisclosureTooLarge,
    /// The whole is larger than [`SD_JWT_BYTES_MAX`].
    #[error("a credential has at most {SD_JWT_BYTES_MAX} bytes")]
    TooLarge,
    /// The credential would end before it begins, or the signer's certificates do.
    #[error("no whole day is left between now and the end of the credential or its signer")]
    Dates,
}

/// Makes one copy. `entropy` fills the slices it is given; salts and decoys come from it alone.
///
/// # Errors
/// A bound that the reader keeps too: see [`IssueError`].
pub fn issue(
    accepted: &AcceptedClaims<'_>,
    subject: &Subject<'_>,
    entropy: &mut dyn FnMut(&mut [u8]),
) -> Result<Draft, IssueError> {
    let mut hiding = Hiding { pool: Pool::new(entropy), disclosures: Vec::new() };
    let mut payload = Map::new();
    payload.insert("iss".into(), subject.issuer.into());
    payload.insert("vct".into(), accepted.vct.into());
    if let Some(integrity) = accepted.vct_integrity {
        payload.insert("vct#integrity".into(), integrity.into());
    }
    payload.insert("iat".into(), subject.validity.issued_at.as_second().into());
    payload.insert("exp".into(), subject.validity.expires_at.as_second().into());
    payload.insert("cnf".into(), json!({ "jwk": subject.holder.to_value() }));
    if let Some(status) = subject.status {
        payload.insert("status".into(), status.to_value());
    }
    payload.insert("_sd_alg".into(), SD_ALG.into());
    payload.extend(hiding.object(accepted.claims, accepted.frame)?);

    let payload = serde_json::to_vec(&payload).expect("a JSON value written to memory cannot fail");
    let disclosed_bytes: usize = hiding.disclosures.iter().map(|disclosure| disclosure.len() + 1).sum();
    if payload.len() / 3 * 4 + disclosed_bytes + ENVELOPE_BYTES > SD_JWT_BYTES_MAX {
        return Err(IssueError::TooLarge);
    }
    Ok(Draft { jws: jws::Draft::new(TYP, payload), disclosures: Disclosures(hiding.disclosures) })
}

struct Hiding<'a> {
    pool: Pool<'a>,
    disclosures: Vec<String>,
}

impl Hiding<'_> {
    /// The members that stay in sight, and `_sd` with the digests of the others.
    fn object(
        &mut self,
        members: &Map<String, Value>,
        frame: &Frame,
    ) -> Result<Map<String, Value>, IssueError> {
        let mut shown = Map::new();
        let mut digests = Vec::new();
        for (name, value) in members {
            match frame.member(name) {
                Some(frame) if frame.is_disclosed() => {
                    let value = self.value(value, frame)?;
                    digests.push(self.disclose(Some(name), &value)?);
                }
                Some(frame) => drop(shown.insert(name.clone(), self.value(value, frame)?.into_owned())),
                None => drop(shown.insert(name.clone(), value.clone())),
            }
        }
        if !digests.is_empty() {
            let filled = digests.len().next_power_of_two().max(DIGESTS_MIN);
            digests.resize_with(filled, || self.decoy());
            digests.sort_unstable();
            shown.insert("_sd".into(), digests.into());
        }
        Ok(shown)
    }

    /// A value whose parts, where the frame marks them, are disclosures.
    fn value<'v>(&mut self, value: &'v Value, frame: &Frame) -> Result<Cow<'v, Value>, IssueError> {
        match value {
            Value::Object(members) if !frame.is_leaf() => Ok(Cow::Owned(self.object(members, frame)?.into())),
            Value::Array(elements) if !frame.is_leaf() => {
                let hidden: Result<Vec<Value>, IssueError> = elements
                    .iter()
                    .enumerate()
                    .map(|(nth, element)| match frame.element(nth) {
                        Some(frame) if frame.is_disclosed() => {
                            let element = self.value(element, frame)?;
                            Ok(json!({ "...": self.disclose(None, &element)? }))
                        }
                        Some(frame) => Ok(self.value(element, frame)?.into_owned()),
                        None => Ok(element.clone()),
                    })
                    .collect();
                Ok(Cow::Owned(hidden?.into()))
            }
            _ => Ok(Cow::Borrowed(value)),
        }
    }

    fn disclose(&mut self, name: Option<&str>, value: &Value) -> Result<String, IssueError> {
        let salt: [u8; SALT_BYTES] = self.pool.take();
        let encoded = disclosure::encode(&salt, name, value);
        if encoded.len() > DISCLOSURE_BYTES_MAX {
            return Err(IssueError::DisclosureTooLarge);
        }
        if self.disclosures.len() == DISCLOSURES_MAX {
            return Err(IssueError::TooManyDisclosures);
        }
        let digest = disclosure::digest(&encoded);
        self.disclosures.push(encoded);
        Ok(digest)
    }

    /// A digest of nothing anyone knows (RFC 9901, 4.2.5: a hash over a random number).
    fn decoy(&mut self) -> String {
        base64::url_encode(&hash::sha256(&self.pool.take::<32>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_whole_days_of_utc() {
        let validity = Validity::whole_days(at("2026-11-20T17:03:09Z"), 86_400, None).unwrap();
        assert_eq!(validity.issued_at(), at("2026-11-20T00:00:00Z"));
        assert_eq!(validity.expires_at(), at("2026-11-22T00:00:00Z"));
        let midnight = Validity::whole_days(at("2026-11-20T00:00:00Z"), 86_400, None).unwrap();
        assert_eq!(midnight.issued_at(), at("2026-11-20T00:00:00Z"));
        assert_eq!(midnight.expires_at(), at("2026-11-21T00:00:00Z"));
    }

    #[test]
    fn no_credential_outlives_its_signer() {
        let now = at("2026-11-20T17:03:09Z");
        let validity = Validity::whole_days(now, 365 * 86_400, Some(at("2026-12-24T12:00:00Z"))).unwrap();
        assert_eq!(validity.expires_at(), at("2026-12-24T00:00:00Z"));
        assert_eq!(
            Validity::whole_days(now, 86_400, Some(at("2026-11-20T23:59:59Z"))),
            Err(IssueError::Dates)
        );
        assert_eq!(Validity::whole_days(now, 0, None), Err(IssueError::Dates));
        assert_eq!(Validity::whole_days(now, i64::MAX, None), Err(IssueError::Dates));
    }
}
