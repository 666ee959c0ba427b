//! The room's own settings.

use credential::presentation::{StatusMode, StatusPolicy};
use openid::vp::session::RETURN_TTL_S_MAX;
use openid::wire::Reach;
use serde_json::Value;

/// What the verifier is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `public_url`, without a slash at its end; every link begins with it.
    pub public_url: String,
    /// Seconds that a request waits for its answer unless its maker says otherwise.
    pub session_ttl_s: u64,
    /// Seconds that claims are kept unless the request's maker says otherwise.
    pub result_ttl_s: u64,
    /// Seconds that a browser may take to come back from its wallet.
    pub return_ttl_s: u32,
    /// Whether a status is looked at, unless the request's maker says otherwise.
    pub status_policy: StatusMode,
    /// How long a list that is no longer fresh still counts, with a warning, seconds.
    pub status_grace_s: u32,
    /// Seconds that must be left of the request signer's certificates.
    pub signer_min_left_s: i64,
    /// Whether HAIP 1.0 holds: then an anchor inside a chain and a self-signed signer fail.
    pub haip: bool,
    /// Whether this is a place to try things: then unsigned requests are made and loopback addresses taken.
    pub dev: bool,
    /// What others attest of us, put into each request by value (OpenID4VP 1.0, 5.11).
    pub verifier_info: Vec<Value>,
}

/// Attestations of ours in each request: registration certificates, one for each kind of relying party.
const VERIFIER_INFO_MAX: usize = 8;
/// Bytes of all of them: a request object has 128 KiB.
const VERIFIER_INFO_BYTES_MAX: usize = 48 << 10;

/// What a setting must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `return_ttl_s`.
    #[error("return_ttl_s is 1 to 600 seconds")]
    ReturnTtl,
    /// `verifier_info`.
    #[error("verifier_info is at most 8 objects with a text format and data, 48 KiB in all")]
    VerifierInfo,
}

impl Config {
    /// Whether every setting is within its bounds.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=RETURN_TTL_S_MAX).contains(&self.return_ttl_s) {
            return Err(ConfigError::ReturnTtl);
        }
        let is_info = |info: &Value| info["format"].is_string() && info.get("data").is_some();
        let bytes: usize = self.verifier_info.iter().map(|info| info.to_string().len()).sum();
        let fits = self.verifier_info.len() <= VERIFIER_INFO_MAX && bytes <= VERIFIER_INFO_BYTES_MAX;
        if fits && self.verifier_info.iter().all(is_info) { Ok(()) } else { Err(ConfigError::VerifierInfo) }
    }

    /// The defaults, under `public_url`.
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            session_ttl_s: 300,
            result_ttl_s: 900,
            status_policy: StatusMode::IfPresent,
            status_grace_s: 0,
            signer_min_left_s: custody::SIGNER_LEFT_S_MIN,
            haip: false,
            return_ttl_s: 300,
            dev: false,
            verifier_info: Vec::new(),
        }
    }

    /// Where the wallet's doors of a tenant stand.
    pub(crate) fn doors_at(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}/vp", self.public_url)
    }

    /// Where a relying party's address may lead.
    pub(crate) fn reach(&self) -> Reach {
        if self.dev { Reach::LoopbackHttp } else { Reach::Https }
    }

    /// Whether a list is served by this very instance, which tells us of each change at once.
    pub(crate) fn is_own(&self, uri: &str) -> bool {
        uri.strip_prefix(&self.public_url).is_some_and(|rest| rest.starts_with('/'))
    }

    pub(crate) fn status(&self, mode: StatusMode) -> StatusPolicy {
        StatusPolicy { mode, grace_s: self.status_grace_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_their_bounds_are_named() {
        let config = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::new("https://v.example");
            change(&mut config);
            config.check()
        };
        let info = |value: Value| move |config: &mut Config| config.verifier_info = vec![value.clone()];
        assert_eq!(config(&info(serde_json::json!({"format": "jwt", "data": "e30.e30.AA"}))), Ok(()));
        for value in [serde_json::json!("x"), serde_json::json!({"format": "jwt"})] {
            assert_eq!(config(&info(value)), Err(ConfigError::VerifierInfo));
        }
        for ttl_s in [0, 601] {
            assert_eq!(config(&|config| config.return_ttl_s = ttl_s), Err(ConfigError::ReturnTtl));
        }
    }

    #[test]
    fn a_list_of_ours_is_known_by_the_whole_origin() {
        let config = Config::new("https://v.example/");
        assert!(config.is_own("https://v.example/t/a/status/0"));
        for foreign in
            ["https://v.example.evil/t/a/status/0", "https://v.example:8443/x", "https://v.example", ""]
        {
            assert!(!config.is_own(foreign), "{foreign}");
        }
    }
}
