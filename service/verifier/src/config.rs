//! The room's own settings.

use credential::presentation::{StatusMode, StatusPolicy};

/// What the verifier is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `public_url`, without a slash at its end; every link begins with it.
    pub public_url: String,
    /// Seconds that a request waits for its answer unless its maker says otherwise.
    pub session_ttl_s: u64,
    /// Seconds that claims are kept unless the request's maker says otherwise.
    pub result_ttl_s: u64,
    /// Whether a status is looked at, unless the request's maker says otherwise.
    pub status_policy: StatusMode,
    /// How long a list that is no longer fresh still counts, with a warning, seconds.
    pub status_grace_s: u32,
    /// Seconds that must be left of the request signer's certificates.
    pub signer_min_left_s: i64,
    /// Whether HAIP 1.0 holds: then an anchor inside a chain and a self-signed signer fail.
    pub haip: bool,
}

impl Config {
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
        }
    }

    /// Where the wallet's doors of a tenant stand.
    pub(crate) fn doors_at(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}/vp", self.public_url)
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
