//! The room's own settings.

/// What the issuer is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `public_url`, without a slash at its end; every identifier and link begins with it.
    pub public_url: String,
    /// Seconds that an offer lives unless its maker says otherwise.
    pub offer_ttl_s: u64,
    /// Seconds of a wallet's Bearer access token; OpenID4VCI forbids long unbound ones.
    pub access_bearer_ttl_s: u64,
    /// Successful credential requests that one access token allows, so that a lost answer loses nothing.
    pub rounds_max: u32,
    /// Entries of a status list.
    pub status_entries: u32,
    /// Seconds that a verifier may keep a status list.
    pub status_ttl_s: u64,
    /// Seconds until a status list's signature ends.
    pub status_exp_s: u64,
    /// Seconds that must be left of a signer's certificates.
    pub signer_min_left_s: i64,
}

impl Config {
    /// The defaults, under `public_url`.
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            offer_ttl_s: 600,
            access_bearer_ttl_s: 300,
            rounds_max: 3,
            status_entries: credential::status::ENTRIES_DEFAULT,
            status_ttl_s: 300,
            status_exp_s: 43_200,
            signer_min_left_s: custody::SIGNER_LEFT_S_MIN,
        }
    }

    /// `I`: the issuer identifier of a tenant, compared byte by byte.
    pub fn issuer(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}", self.public_url)
    }

    /// Where a status list is served; also its `sub`.
    pub fn list_uri(&self, tenant: &str, list: i64) -> String {
        format!("{}/status/{list}", self.issuer(tenant))
    }
}
