//! The room's own settings.

use crate::offer::OFFER_TTL_S_MAX;
use openid::vci::tx_code::TX_CODE_TRIES_MAX;

/// Longest life of an unbound access token, seconds (OpenID4VCI 1.0 forbids long-lived ones).
pub const ACCESS_BEARER_TTL_S_MAX: u64 = 300;
/// Longest life of an access token that is bound to a key, seconds: an hour, as nobody else can use it.
pub const ACCESS_DPOP_TTL_S_MAX: u64 = 3_600;
/// Keys, and so copies, of one request: each is a signature and an index of a status list.
pub const BATCH_SIZE_MAX: usize = 32;
/// Requests that one access token allows at most: more than a wallet repeats after lost answers.
pub const ROUNDS_MAX: u32 = 10;
/// Entries of a list: more do not fit the one unit that opens it.
pub const STATUS_ENTRIES_MAX: u32 = 196_608;
/// Longest that a verifier may keep a list, seconds: a revocation is unseen as long.
pub const STATUS_TTL_S_MAX: u64 = 86_400;
/// Longest life of a list's signature, seconds: the least that is left of its signer.
pub const STATUS_EXP_S_MAX: u64 = 86_400;

/// What the issuer is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `public_url`, without a slash at its end; every identifier and link begins with it.
    pub public_url: String,
    /// Seconds that an offer lives unless its maker says otherwise.
    pub offer_ttl_s: u64,
    /// Seconds of a wallet's Bearer access token; OpenID4VCI forbids long unbound ones.
    pub access_bearer_ttl_s: u64,
    /// Seconds of an access token that is bound to a wallet's key.
    pub access_dpop_ttl_s: u64,
    /// Copies of one request at most.
    pub batch_size: usize,
    /// Wrong transaction codes that an offer stands.
    pub tx_code_tries: u32,
    /// Whether every DPoP proof must carry a nonce of ours.
    pub dpop_nonce_required: bool,
    /// Whether only wallets that their makers vouch for get a token.
    pub wallet_attestation_required: bool,
    /// Whether copies are revoked that a wallet could not or would not keep.
    pub revoke_on_failure: bool,
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
            access_dpop_ttl_s: 3_600,
            batch_size: 10,
            tx_code_tries: TX_CODE_TRIES_MAX,
            dpop_nonce_required: false,
            wallet_attestation_required: false,
            revoke_on_failure: true,
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

/// A setting is out of its bound.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("issuer.{name} {rule}")]
pub struct ConfigFault {
    /// The setting.
    pub name: &'static str,
    /// Its rule.
    pub rule: &'static str,
}

impl Config {
    /// Whether every setting is within its bound.
    ///
    /// # Errors
    /// [`ConfigFault`], naming the first that is not.
    pub fn check(&self) -> Result<(), ConfigFault> {
        let within = [
            ("offer_ttl_s", (1..=OFFER_TTL_S_MAX).contains(&self.offer_ttl_s), "is 1 to 3600 seconds"),
            (
                "access_bearer_ttl_s",
                (1..=ACCESS_BEARER_TTL_S_MAX).contains(&self.access_bearer_ttl_s),
                "is 1 to 300 seconds",
            ),
            (
                "access_dpop_ttl_s",
                (1..=ACCESS_DPOP_TTL_S_MAX).contains(&self.access_dpop_ttl_s),
                "is 1 to 3600 seconds",
            ),
            ("batch_size", (1..=BATCH_SIZE_MAX).contains(&self.batch_size), "is 1 to 32"),
            ("tx_code_tries", (1..=TX_CODE_TRIES_MAX).contains(&self.tx_code_tries), "is 1 to 5"),
            ("rounds_max", (1..=ROUNDS_MAX).contains(&self.rounds_max), "is 1 to 10"),
            ("status_entries", (1..=STATUS_ENTRIES_MAX).contains(&self.status_entries), "is 1 to 196608"),
            ("status_ttl_s", (1..=STATUS_TTL_S_MAX).contains(&self.status_ttl_s), "is 1 to 86400 seconds"),
            (
                "status_exp_s",
                (self.status_ttl_s..=STATUS_EXP_S_MAX).contains(&self.status_exp_s),
                "is status_ttl_s to 86400 seconds",
            ),
            ("signer_min_left_s", self.signer_min_left_s >= 0, "is not below 0"),
        ];
        match within.into_iter().find(|(_, fits, _)| !fits) {
            Some((name, _, rule)) => Err(ConfigFault { name, rule }),
            None => Ok(()),
        }
    }
}
