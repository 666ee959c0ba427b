//! The pre-authorised code grant at the token door (OpenID4VCI 1.0, 6).

use super::check::{Check, IssueRefusal};
use super::tx_code::{TxCodeKey, TxCodeLock};
use crate::oauth::client_auth::CLIENT_ID_BYTES_MAX;
use crate::oauth::form::Form;
use crate::oauth::token::PRE_AUTHORIZED_CODE;
use crypto::secret::Secret;
use jiff::Timestamp;

/// Most bytes of a code; ours have 43.
pub const CODE_BYTES_MAX: usize = 256;

/// A token request that redeems a pre-authorised code.
#[derive(Debug)]
pub struct PreAuthorizedRequest {
    code: Secret<String>,
    tx_code: Option<Secret<String>>,
    /// The wallet named itself; anonymous wallets do not.
    pub client_id: Option<String>,
}

/// What is stored of an offer's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeState {
    /// When the offer dies.
    pub expires_at: Timestamp,
    /// It was redeemed before.
    pub spent: bool,
    /// The transaction code that must come with it, if one must.
    pub tx_code: Option<TxCodeLock>,
}

/// Leave to spend a code and give out a token; the code is spent by the caller's guarded write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Client that the token, and later each proof's `iss`, belongs to.
    pub client_id: Option<String>,
}

impl PreAuthorizedRequest {
    /// Reads the form of a token request.
    ///
    /// # Errors
    /// [`Check::GrantTypeServed`], [`Check::TokenRequestForm`], [`Check::NoAuthorizationDetails`].
    pub fn read(form: &Form) -> Result<PreAuthorizedRequest, IssueRefusal> {
        match form.get("grant_type") {
            Some(PRE_AUTHORIZED_CODE) => {}
            Some(_) => return Err(Check::GrantTypeServed.into()),
            None => return Err(Check::TokenRequestForm.into()),
        }
        if form.get("authorization_details").is_some() {
            return Err(Check::NoAuthorizationDetails.into());
        }
        let code = form.get("pre-authorized_code").ok_or(Check::TokenRequestForm)?;
        if code.len() > CODE_BYTES_MAX {
            return Err(Check::CodeLive.into());
        }
        if form.get("client_id").is_some_and(|id| id.len() > CLIENT_ID_BYTES_MAX) {
            return Err(Check::TokenRequestForm.into());
        }
        Ok(PreAuthorizedRequest {
            code: Secret::new(code.to_owned()),
            tx_code: form.get("tx_code").map(|code| Secret::new(code.to_owned())),
            client_id: form.get("client_id").map(str::to_owned),
        })
    }

    /// SHA-256 of the code: what the stored offer is found by.
    #[must_use]
    pub fn code_sha256(&self) -> [u8; 32] {
        crypto::hash::sha256(self.code.expose().as_bytes())
    }
}

impl CodeState {
    /// Decides whether the code of `offer` may be spent. A code that was never made has no state: the caller answers
    /// [`Check::CodeLive`], so unknown, spent and late read alike. After [`Check::TxCodeRight`] the caller takes a try.
    ///
    /// # Errors
    /// [`Check::NoTxCode`], [`Check::TxCodeThere`], [`Check::CodeLive`], [`Check::TxCodeRight`].
    pub fn redeem(
        &self,
        request: &PreAuthorizedRequest,
        offer: &str,
        key: &TxCodeKey,
        now: Timestamp,
    ) -> Result<Redemption, IssueRefusal> {
        match (&self.tx_code, &request.tx_code) {
            (None, Some(_)) => return Err(Check::NoTxCode.into()),
            (Some(_), None) => return Err(Check::TxCodeThere.into()),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let is_locked = self.tx_code.is_some_and(|lock| lock.tries_left == 0);
        if self.spent || is_locked || now >= self.expires_at {
            return Err(Check::CodeLive.into());
        }
        if let (Some(lock), Some(code)) = (&self.tx_code, &request.tx_code)
            && !key.is_right(offer, code.expose(), &lock.mac)
        {
            return Err(Check::TxCodeRight.into());
        }
        Ok(Redemption { client_id: request.client_id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::form::{FORM_BYTES_MAX, encode};
    use crate::oauth::{ErrorCode, OauthError};

    fn read(fields: &[(&str, &str)]) -> Result<PreAuthorizedRequest, IssueRefusal> {
        PreAuthorizedRequest::read(&Form::parse(encode(fields).as_bytes(), FORM_BYTES_MAX).unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn code(refusal: IssueRefusal) -> ErrorCode {
        OauthError::from(refusal).error
    }

    fn key() -> TxCodeKey {
        TxCodeKey::new(Secret::new([7; 32]), "a")
    }

    /// A live code of the offer `off_1`, with this transaction code.
    fn state(tx_code: Option<&str>) -> CodeState {
        let lock = |code| TxCodeLock { mac: key().mac("off_1", code), tries_left: 1 };
        CodeState { expires_at: at(10), spent: false, tx_code: tx_code.map(lock) }
    }

    fn redeem(
        state: &CodeState,
        request: &PreAuthorizedRequest,
        now: Timestamp,
    ) -> Result<Redemption, IssueRefusal> {
        state.redeem(request, "off_1", &key(), now)
    }

    const GRANT: (&str, &str) = ("grant_type", PRE_AUTHORIZED_CODE);

    #[test]
    fn a_live_code_is_redeemed_and_found_by_its_hash() {
        let request = read(&[GRANT, ("pre-authorized_code", "x")]).unwrap();
        assert_eq!(request.code_sha256(), crypto::hash::sha256(b"x"));
        assert_eq!(redeem(&state(None), &request, at(9)).unwrap(), Redemption { client_id: None });
    }

    #[test]
    fn a_token_request_without_a_code_is_invalid_request() {
        assert_eq!(code(read(&[GRANT]).unwrap_err()), ErrorCode::InvalidRequest);
        assert_eq!(code(read(&[("pre-authorized_code", "x")]).unwrap_err()), ErrorCode::InvalidRequest);
        let long = "c".repeat(CLIENT_ID_BYTES_MAX + 1);
        let refusal = read(&[GRANT, ("pre-authorized_code", "x"), ("client_id", &long)]).unwrap_err();
        assert_eq!(code(refusal), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_grant_type_that_is_not_served_is_unsupported_grant_type() {
        let refusal = read(&[("grant_type", "authorization_code"), ("code", "x")]).unwrap_err();
        assert_eq!(code(refusal), ErrorCode::UnsupportedGrantType);
    }

    #[test]
    fn an_expired_or_spent_code_is_invalid_grant() {
        let request = read(&[GRANT, ("pre-authorized_code", "x")]).unwrap();
        for state in [state(None), CodeState { expires_at: at(99), spent: true, tx_code: None }] {
            assert_eq!(code(redeem(&state, &request, at(10)).unwrap_err()), ErrorCode::InvalidGrant);
        }
    }

    #[test]
    fn a_transaction_code_that_nobody_asked_for_is_invalid_request() {
        let request = read(&[GRANT, ("pre-authorized_code", "x"), ("tx_code", "123456")]).unwrap();
        assert_eq!(code(redeem(&state(None), &request, at(1)).unwrap_err()), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_missing_transaction_code_is_invalid_request_and_costs_no_try() {
        let request = read(&[GRANT, ("pre-authorized_code", "x")]).unwrap();
        let refusal = redeem(&state(Some("493536")), &request, at(1)).unwrap_err();
        assert_eq!((refusal.check, code(refusal)), (Check::TxCodeThere, ErrorCode::InvalidRequest));
    }

    #[test]
    fn a_wrong_transaction_code_is_invalid_grant() {
        let with = |tx_code| read(&[GRANT, ("pre-authorized_code", "x"), ("tx_code", tx_code)]).unwrap();
        let state = state(Some("493536"));
        assert!(redeem(&state, &with("493536"), at(1)).is_ok());
        let refusal = redeem(&state, &with("493537"), at(1)).unwrap_err();
        assert_eq!((refusal.check, code(refusal)), (Check::TxCodeRight, ErrorCode::InvalidGrant));
        assert_eq!(redeem(&state, &with("493537"), at(10)).unwrap_err().check, Check::CodeLive);
    }

    #[test]
    fn without_a_try_left_the_right_transaction_code_is_dead_too() {
        let request = read(&[GRANT, ("pre-authorized_code", "x"), ("tx_code", "493536")]).unwrap();
        let lock = TxCodeLock { mac: key().mac("off_1", "493536"), tries_left: 0 };
        let locked = CodeState { tx_code: Some(lock), ..state(None) };
        assert_eq!(redeem(&locked, &request, at(1)).unwrap_err().check, Check::CodeLive);
    }

    #[test]
    fn authorization_details_are_refused_by_name() {
        let refusal =
            read(&[GRANT, ("pre-authorized_code", "x"), ("authorization_details", "[]")]).unwrap_err();
        assert_eq!(code(refusal), ErrorCode::InvalidAuthorizationDetails);
    }
}
