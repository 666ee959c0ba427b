//! Proof of possession at the issuer's doors (RFC 9449): what the doors ask of a DPoP proof, and what a bound token asks.
//!
//! The nonces are of the same making as a `c_nonce`, under a key of their own: one key for every door of an issuer, as wallets carry
//! a nonce from one door to the next. A nonce serves many proofs until it is old; what is spent is each proof's `jti`.

use super::check::Check;
use super::nonce::NonceKey;
use super::request::Scheme;
use crate::oauth::client_attestation::AttestationFault;
use crate::oauth::dpop::{DpopFault, DpopProof, Expected, ProvedKey};
use jiff::Timestamp;

/// Label of the MAC key of DPoP nonces, for whoever derives it.
pub const DPOP_NONCE_KEY_LABEL: &str = "dpop_nonce";

/// Seconds that a wallet's clock may lie ahead of ours: phones are not servers.
pub const DPOP_AHEAD_S_MAX: i64 = 60;

/// What a door asks of a DPoP proof.
#[derive(Debug, Clone, Copy)]
pub struct DpopRules<'a> {
    /// The door's address, as the metadata names it.
    pub url: &'a str,
    /// The access token that comes with it, at a resource.
    pub access_token: Option<&'a str>,
    /// What recognises our nonces.
    pub nonces: &'a NonceKey,
    /// Whether every proof must carry one.
    pub is_nonce_required: bool,
}

impl DpopRules<'_> {
    /// Judges the one `DPoP` header of a POST. Its `jti` is still to be spent, by the caller's guarded write.
    ///
    /// # Errors
    /// [`Check::DpopForm`], [`Check::DpopHolds`], [`Check::DpopNonce`].
    pub fn judge(&self, header: &str, now: Timestamp) -> Result<ProvedKey, Check> {
        let expected =
            Expected { method: "POST", url: self.url, access_token: self.access_token, nonces: &[] };
        let proved = DpopProof::parse(header)?.check_within(&expected, DPOP_AHEAD_S_MAX, now)?;
        let is_taken = match &proved.nonce {
            Some(nonce) => self.nonces.verify(nonce, now).is_ok(),
            None => !self.is_nonce_required,
        };
        if is_taken { Ok(proved) } else { Err(Check::DpopNonce) }
    }
}

/// Whether a token is shown as it must be: one bound to the key `bound_to` as DPoP with a proof by that key, any other as Bearer.
///
/// # Errors
/// [`Check::DpopBound`].
pub fn shown_rightly(
    bound_to: Option<&[u8; 32]>,
    scheme: Scheme,
    proved: Option<&ProvedKey>,
) -> Result<(), Check> {
    let is_right = match (bound_to, scheme, proved) {
        (Some(bound_to), Scheme::Dpop, Some(proved)) => crypto::hash::equal(bound_to, &proved.thumbprint),
        (None, Scheme::Bearer, _) => true,
        (Some(_), _, _) | (None, Scheme::Dpop, _) => false,
    };
    if is_right { Ok(()) } else { Err(Check::DpopBound) }
}

impl From<DpopFault> for Check {
    fn from(fault: DpopFault) -> Check {
        match fault {
            DpopFault::Malformed | DpopFault::Type | DpopFault::Algorithm | DpopFault::Key => Check::DpopForm,
            DpopFault::Signature
            | DpopFault::Method
            | DpopFault::Url
            | DpopFault::Time
            | DpopFault::Jti
            | DpopFault::TokenHash => Check::DpopHolds,
            DpopFault::Nonce => Check::DpopNonce,
            DpopFault::Replayed => Check::DpopUnused,
            DpopFault::OtherKey => Check::DpopBound,
        }
    }
}

impl From<AttestationFault> for Check {
    fn from(fault: AttestationFault) -> Check {
        match fault {
            AttestationFault::Pair => Check::AttestationPair,
            AttestationFault::Untrusted => Check::AttestationTrusted,
            AttestationFault::Attestation => Check::AttestationHolds,
            AttestationFault::Pop => Check::AttestationPop,
            AttestationFault::OtherClient => Check::AttestationClient,
            AttestationFault::Replayed => Check::AttestationUnused,
            AttestationFault::Missing => Check::AttestationThere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::dpop;
    use crate::oauth::{ErrorCode, OauthError};
    use crate::testing::{at, now, p256, sign};
    use crypto::jwk::Jwk;
    use crypto::key::PrivateKey;
    use crypto::secret::Secret;

    const URL: &str = "https://i.example/t/a/vci/credential";

    fn nonces(key: u8) -> NonceKey {
        NonceKey::new(Secret::new([key; 32]), "a")
    }

    fn proof(key: &PrivateKey, url: &str, token: &str, nonce: Option<&str>, at: Timestamp) -> String {
        let expected = Expected { method: "POST", url, access_token: Some(token), nonces: &[] };
        sign(dpop::draft(&Jwk::from_key(&key.public()), &expected, "1", nonce, at), key)
    }

    fn judge(header: &str, is_nonce_required: bool) -> Result<ProvedKey, Check> {
        let nonces = nonces(1);
        let rules = DpopRules { url: URL, access_token: Some("t"), nonces: &nonces, is_nonce_required };
        rules.judge(header, now())
    }

    fn code(check: Check) -> ErrorCode {
        OauthError::from(super::super::IssueRefusal::from(check)).error
    }

    #[test]
    fn a_dpop_proof_that_cannot_be_read_is_invalid_dpop_proof() {
        for header in ["", "x", "a.b.c"] {
            assert_eq!(judge(header, false), Err(Check::DpopForm), "{header}");
        }
        assert_eq!(code(Check::DpopForm), ErrorCode::InvalidDpopProof);
    }

    #[test]
    fn a_dpop_proof_for_another_door_token_or_moment_is_invalid_dpop_proof() {
        let key = p256();
        assert!(judge(&proof(&key, URL, "t", None, now()), false).is_ok());
        assert!(judge(&proof(&key, URL, "t", None, at(60)), false).is_ok(), "a clock a minute ahead");
        for wrong in [
            proof(&key, "https://i.example/t/a/vci/token", "t", None, now()),
            proof(&key, URL, "other", None, now()),
            proof(&key, URL, "t", None, at(-61)),
            proof(&key, URL, "t", None, at(61)),
        ] {
            assert_eq!(judge(&wrong, false), Err(Check::DpopHolds));
        }
        assert_eq!(code(Check::DpopHolds), ErrorCode::InvalidDpopProof);
    }

    #[test]
    fn a_dpop_nonce_that_is_missing_old_or_of_another_kind_is_use_dpop_nonce() {
        let key = p256();
        let with = |nonce: &str| proof(&key, URL, "t", Some(nonce), now());
        let fresh = nonces(1).make([1; 16], now());
        assert_eq!(judge(&with(&fresh), true).unwrap().nonce.as_deref(), Some(fresh.as_str()));
        assert!(judge(&with(&fresh), false).is_ok());
        assert_eq!(judge(&proof(&key, URL, "t", None, now()), true), Err(Check::DpopNonce));
        let c_nonce = nonces(2).make([1; 16], now());
        for nonce in [c_nonce, nonces(1).make([1; 16], at(-300)), "canary".to_owned()] {
            assert_eq!(judge(&with(&nonce), false), Err(Check::DpopNonce), "a nonce that is sent must hold");
        }
        assert_eq!(code(Check::DpopNonce), ErrorCode::UseDpopNonce);
    }

    #[test]
    fn a_dpop_proof_a_second_time_is_invalid_dpop_proof() {
        assert_eq!(Check::from(DpopFault::Replayed), Check::DpopUnused);
        assert_eq!(code(Check::DpopUnused), ErrorCode::InvalidDpopProof);
        let key = p256();
        let spent = |at| judge(&proof(&key, URL, "t", None, at), false).unwrap().spent;
        assert_eq!(spent(now()), spent(at(-5)), "the jti is what is spent");
    }

    #[test]
    fn a_bound_token_without_its_key_is_invalid_token() {
        let (key, other) = (p256(), p256());
        let proved = judge(&proof(&key, URL, "t", None, now()), false).unwrap();
        let by_other = judge(&proof(&other, URL, "t", None, now()), false).unwrap();
        let bound = proved.thumbprint;
        assert!(shown_rightly(Some(&bound), Scheme::Dpop, Some(&proved)).is_ok());
        assert!(shown_rightly(None, Scheme::Bearer, None).is_ok());
        for (bound_to, scheme, proved) in [
            (Some(&bound), Scheme::Dpop, Some(&by_other)),
            (Some(&bound), Scheme::Dpop, None),
            (Some(&bound), Scheme::Bearer, Some(&proved)),
            (Some(&bound), Scheme::Bearer, None),
            (None, Scheme::Dpop, Some(&proved)),
        ] {
            assert_eq!(shown_rightly(bound_to, scheme, proved), Err(Check::DpopBound));
        }
        assert_eq!(Check::DpopBound.code().status(), 401);
    }
}
