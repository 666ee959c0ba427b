//! How a sign-in stands, as its browser reads it.

use crate::Idp;
use crate::signin::{AssertionState, Opened, SessionState};
use seal::code::Sid;
use serde::Serialize;

/// How a sign-in stands.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct StateView {
    /// `open`, `claimed`, `approved`, `denied`, `failed` or `expired`.
    state: String,
    /// The mutual code, once a wallet has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// What a QR code shows the wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    code_qr: Option<String>,
    /// `none`, `required` or `done`.
    assertion: &'static str,
    /// What a passkey would sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) webauthn: Option<WebauthnView>,
    /// Four characters of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Where the browser goes at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// The session, which is another one after a renewal.
    sid: String,
}

/// The options of `navigator.credentials.get`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct WebauthnView {
    /// base64url.
    pub(super) challenge: String,
    /// Our host.
    #[serde(rename = "rpId")]
    pub(super) rp_id: String,
    /// Empty: whichever the person has.
    #[serde(rename = "allowCredentials")]
    pub(super) allow_credentials: Vec<String>,
}

impl Idp {
    pub(super) fn state_view(&self, tenant: &str, sid: &Sid, state: &SessionState) -> StateView {
        let finish = || Some(format!("{}/sessions/{sid}/finish", self.config().issuer(tenant)));
        let mut view = StateView {
            state: word_of(state).to_owned(),
            code: None,
            code_qr: None,
            assertion: "none",
            webauthn: None,
            device: None,
            finish: None,
            expires_at: None,
            sid: sid.to_string(),
        };
        match state {
            SessionState::Open { opened, assertion } => {
                view.of_live(self, opened, *assertion);
            }
            SessionState::Claimed { opened, code, device, assertion } => {
                view.of_live(self, opened, *assertion);
                view.code = Some(code.expose().clone());
                view.code_qr = Some(code.expose().clone());
                view.device = Some(device.clone());
            }
            SessionState::Ended { device, .. } => {
                view.device = (!device.is_empty()).then(|| device.clone());
                view.finish = finish();
            }
        }
        view
    }
}

impl StateView {
    fn of_live(&mut self, idp: &Idp, opened: &Opened, assertion: AssertionState) {
        self.assertion = match assertion {
            AssertionState::None => "none",
            AssertionState::Required => "required",
            AssertionState::Done => "done",
        };
        self.expires_at = Some(opened.expires_at.as_second());
        if assertion != AssertionState::Done {
            self.webauthn = Some(WebauthnView {
                challenge: crypto::base64::url_encode(opened.t0.as_bytes()),
                rp_id: idp.rp_id().to_owned(),
                allow_credentials: Vec::new(),
            });
        }
    }
}

pub(super) fn word_of(state: &SessionState) -> &'static str {
    match state {
        SessionState::Open { .. } => "open",
        SessionState::Claimed { .. } => "claimed",
        SessionState::Ended { outcome, .. } => match outcome.as_str() {
            "approved" => "approved",
            "denied" => "denied",
            "expired" => "expired",
            _ => "failed",
        },
    }
}

/// Changes whenever the page should: state and assertion.
pub(super) fn seen_of(state: &SessionState) -> String {
    let assertion = match state {
        SessionState::Open { assertion, .. } | SessionState::Claimed { assertion, .. } => *assertion,
        SessionState::Ended { .. } => AssertionState::None,
    };
    let done = if assertion == AssertionState::Done { ".asserted" } else { "" };
    format!("{}{done}", word_of(state))
}

pub(super) fn device_of(state: &SessionState) -> String {
    match state {
        SessionState::Claimed { device, .. } | SessionState::Ended { device, .. } => device.clone(),
        SessionState::Open { .. } => String::new(),
    }
}
