//! The registered claims of a credential, each read when it is needed so that one bad claim hides no other fault.

use crypto::jwk::Jwk;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::CLOCK_SKEW_S;

/// A registered claim that is not what the standard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// No `vct`, or not text.
    #[error("vct is missing or not text")]
    Vct,
    /// `aka_vcts` is not an array of texts.
    #[error("aka_vcts is not an array of texts")]
    AkaVcts,
    /// `cnf` holds no usable public key.
    #[error("cnf.jwk is not a usable public key")]
    Cnf,
    /// `status` is not a status list reference.
    #[error("status is not a status list reference")]
    Status,
    /// `transaction_data_hashes` is not a list of distinct SHA-256 digests.
    #[error("transaction_data_hashes is not a list of distinct SHA-256 digests")]
    Transactions,
}

/// Why a credential is not in its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DateFault {
    /// A date that is not a whole number of seconds of our calendar.
    #[error("a date is not a whole number of seconds")]
    Malformed,
    /// `exp` has passed.
    #[error("the credential has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the credential is not yet valid")]
    NotYetValid,
}

/// The dates of a JWT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Dates {
    pub(crate) fn read(claims: &Map<String, Value>) -> Result<Self, DateFault> {
        Ok(Self {
            issued_at: date(claims, "iat")?,
            not_before: date(claims, "nbf")?,
            expires_at: date(claims, "exp")?,
        })
    }

    /// Whether `now` lies between them, give or take [`CLOCK_SKEW_S`].
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), DateFault> {
        let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
        let starts_at = self.issued_at.max(self.not_before);
        if starts_at.is_some_and(|start| start.duration_since(now) > skew) {
            return Err(DateFault::NotYetValid);
        }
        if self.expires_at.is_some_and(|end| now.duration_since(end) >= skew) {
            return Err(DateFault::Expired);
        }
        Ok(())
    }
}

/// A NumericDate (RFC 7519, 2), whole seconds.
pub(crate) fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, DateFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let second = value.as_i64().filter(|second| *second >= 0).ok_or(DateFault::Malformed)?;
    Timestamp::from_second(second).map(Some).map_err(|_| DateFault::Malformed)
}

/// `vct`.
pub(crate) fn vct(claims: &Map<String, Value>) -> Result<&str, ClaimFault> {
    claims.get("vct").and_then(Value::as_str).filter(|vct| !vct.is_empty()).ok_or(ClaimFault::Vct)
}

/// `aka_vcts` (SD-JWT VC, 2.2.2.2).
pub(crate) fn aka_vcts(claims: &Map<String, Value>) -> Result<Vec<&str>, ClaimFault> {
    match claims.get("aka_vcts") {
        None => Ok(Vec::new()),
        Some(Value::Array(types)) => {
            types.iter().map(|name| name.as_str().ok_or(ClaimFault::AkaVcts)).collect()
        }
        Some(_) => Err(ClaimFault::AkaVcts),
    }
}

/// `cnf.jwk`, the holder's public key; none when the credential is bound to no key.
pub(crate) fn holder_key(claims: &Map<String, Value>) -> Result<Option<Jwk>, ClaimFault> {
    let Some(cnf) = claims.get("cnf") else { return Ok(None) };
    let jwk = cnf.get("jwk").ok_or(ClaimFault::Cnf)?;
    Jwk::from_value(jwk).map(Some).map_err(|_| ClaimFault::Cnf)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(claims: &Value, now_s: i64) -> Result<(), DateFault> {
        Dates::read(claims.as_object().unwrap())?.check(Timestamp::from_second(now_s).unwrap())
    }

    #[test]
    fn a_minute_of_skew_is_forgiven_and_no_more() {
        let claims = json!({"iat": 1000, "nbf": 1100, "exp": 2000});
        assert_eq!(check(&claims, 1039), Err(DateFault::NotYetValid));
        assert_eq!(check(&claims, 1040), Ok(()));
        assert_eq!(check(&claims, 2059), Ok(()));
        assert_eq!(check(&claims, 2060), Err(DateFault::Expired));
        assert_eq!(check(&json!({}), 0), Ok(()));
    }

    #[test]
    fn a_date_is_a_whole_number_of_seconds() {
        for date in [json!("1000"), json!(1000.5), json!(-1), json!(null), json!(i64::MAX), json!(u64::MAX)] {
            assert_eq!(check(&json!({"exp": date}), 0), Err(DateFault::Malformed), "{date}");
        }
    }
}
