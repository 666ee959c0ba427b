//! `c_nonce` without a table: what we made we recognise by its MAC (OpenID4VCI 1.0, 7).
//!
//! ```text
//! base64url( version 1 ‖ unix ms, 8 bytes big-endian ‖ random 16 ‖ HMAC-SHA256(key, label ‖ tenant ‖ the former) cut to 16 )
//! ```
//!
//! A nonce lives 300 s and serves one request, batch or not. That it serves only one is the caller's guarded write of
//! [`SpentNonce::hash`], made in the unit that issues, so a refused request does not cost the wallet its nonce.

use crypto::secret::Secret;
use jiff::{SignedDuration, Timestamp};

/// Seconds a nonce lives.
pub const NONCE_TTL_S: i64 = 300;

/// Length of the text form: 41 bytes in base64url.
pub const NONCE_CHARS: usize = 55;

/// Label of [`NonceKey`]'s MAC key, for whoever derives it.
pub const NONCE_KEY_LABEL: &str = "c_nonce";

const VERSION: u8 = 1;
const LABEL: &[u8] = b"tessera/c_nonce/1";
const BODY_BYTES: usize = 1 + 8 + 16;
const MAC_BYTES: usize = 16;

/// What makes and recognises the nonces of one tenant.
#[derive(Debug)]
pub struct NonceKey {
    key: Secret<[u8; 32]>,
    tenant: String,
}

/// A nonce that is ours and in time; it counts only once its hash was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentNonce {
    /// SHA-256 of the text form: the key of the row that spends it.
    pub hash: [u8; 32],
    /// Until when that row must stand.
    pub expires_at: Timestamp,
}

/// Why a nonce is not taken; all of them answer `invalid_nonce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NonceFault {
    /// Not of our form.
    #[error("the nonce is malformed")]
    Malformed,
    /// Its MAC is not ours, or another tenant's.
    #[error("the nonce was not made here")]
    Forged,
    /// Older than [`NONCE_TTL_S`], or made in the future.
    #[error("the nonce is out of time")]
    OutOfTime,
}

impl NonceKey {
    /// The MAC key is the tenant's own; the tenant is bound all the same, so one key for two tenants would not mix them.
    #[must_use]
    pub fn new(key: Secret<[u8; 32]>, tenant: &str) -> NonceKey {
        NonceKey { key, tenant: tenant.to_owned() }
    }

    /// Makes a nonce from 16 fresh random bytes.
    #[must_use]
    pub fn make(&self, random: [u8; 16], now: Timestamp) -> String {
        let mut nonce = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        nonce.push(VERSION);
        nonce.extend_from_slice(&now.as_millisecond().to_be_bytes());
        nonce.extend_from_slice(&random);
        let mac = self.mac(&nonce);
        nonce.extend_from_slice(&mac);
        crypto::base64::url_encode(&nonce)
    }

    /// Recognises a nonce of ours that is in time.
    ///
    /// # Errors
    /// [`NonceFault`].
    pub fn verify(&self, nonce: &str, now: Timestamp) -> Result<SpentNonce, NonceFault> {
        if nonce.len() != NONCE_CHARS {
            return Err(NonceFault::Malformed);
        }
        let bytes = crypto::base64::url_decode(nonce).map_err(|_| NonceFault::Malformed)?;
        let (body, mac) = bytes.split_at_checked(BODY_BYTES).ok_or(NonceFault::Malformed)?;
        if body[0] != VERSION || mac.len() != MAC_BYTES {
            return Err(NonceFault::Malformed);
        }
        if !crypto::hash::equal(&self.mac(body), mac) {
            return Err(NonceFault::Forged);
        }
        let mut made_at_ms = [0; 8];
        made_at_ms.copy_from_slice(&body[1..9]);
        let made_at =
            Timestamp::from_millisecond(i64::from_be_bytes(made_at_ms)).map_err(|_| NonceFault::OutOfTime)?;
        let expires_at =
            made_at.checked_add(SignedDuration::from_secs(NONCE_TTL_S)).map_err(|_| NonceFault::OutOfTime)?;
        // A nonce carries milliseconds, `now` may carry more: one made in this very millisecond is in time.
        if now >= expires_at || made_at.as_millisecond() > now.as_millisecond() {
            return Err(NonceFault::OutOfTime);
        }
        Ok(SpentNonce { hash: crypto::hash::sha256(nonce.as_bytes()), expires_at })
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC_BYTES] {
        // The tenant's length stands before it, so no two pairs of tenant and body read alike.
        let tenant_bytes = (self.tenant.len() as u64).to_be_bytes();
        let whole = crypto::hash::hmac_sha256(
            self.key.expose(),
            &[LABEL, &tenant_bytes, self.tenant.as_bytes(), body],
        );
        let mut cut = [0; MAC_BYTES];
        cut.copy_from_slice(&whole[..MAC_BYTES]);
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(tenant: &str) -> NonceKey {
        NonceKey::new(Secret::new([7; 32]), tenant)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_nonce_lives_three_hundred_seconds_and_no_longer() {
        let nonce = key("a").make([1; 16], at(1000));
        assert_eq!(nonce.len(), NONCE_CHARS);
        assert_eq!(key("a").verify(&nonce, at(1000)).unwrap().expires_at, at(1300));
        assert!(key("a").verify(&nonce, at(1299)).is_ok());
        assert_eq!(key("a").verify(&nonce, at(1300)), Err(NonceFault::OutOfTime));
        assert_eq!(key("a").verify(&nonce, at(999)), Err(NonceFault::OutOfTime));
    }

    #[test]
    fn a_nonce_of_another_tenant_is_forged_even_under_the_same_key() {
        let nonce = key("a").make([1; 16], at(1000));
        assert_eq!(key("b").verify(&nonce, at(1000)), Err(NonceFault::Forged));
        let other = NonceKey::new(Secret::new([8; 32]), "a");
        assert_eq!(other.verify(&nonce, at(1000)), Err(NonceFault::Forged));
    }

    #[test]
    fn changing_any_byte_of_a_nonce_breaks_it() {
        let nonce = key("a").make([1; 16], at(1000));
        let bytes = crypto::base64::url_decode(&nonce).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(
                key("a").verify(&crypto::base64::url_encode(&changed), at(1000)).is_err(),
                "byte {index}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,80}", shaped in "[A-Za-z0-9_-]{55}") {
            let _ = key("a").verify(&text, at(1000));
            prop_assert!(key("a").verify(&shaped, at(1000)).is_err());
        }
    }
}
