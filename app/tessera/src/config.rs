//! The configuration of one process: a TOML file with an overlay from the environment, every key known, every value bounded.
//!
//! ```text
//! tessera.toml ─► table ─► + TESSERA_SECTION__KEY ─► Config (unknown keys refused, with the nearest right one)
//! ```

use crate::failure::{Exit, Failure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Bytes of a configuration file: ten times what a full one has.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// Prefix of the environment's overlay, as `TESSERA_SERVER__BIND`.
const ENV_PREFIX: &str = "TESSERA_";

/// The whole file.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[store]`
    pub store: Store,
    /// `[ledger]`
    pub ledger: audit::config::LedgerSection,
    /// `[custody]`
    pub custody: custody::Config,
    /// `[issuer]`
    pub issuer: Issuer,
    /// `[verifier]`
    pub verifier: Verifier,
    /// `[seal]`
    pub seal: Seal,
    /// `[api]`
    pub api: Api,
    /// `[rate]`
    pub rate: edge::limit::RateConfig,
    /// `[metrics]`
    pub metrics: Metrics,
}

/// `[server]`: where the doors are.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The URL under which others reach this server; also its identity in tokens and credentials.
    pub public_url: String,
    /// The address to listen on.
    pub bind: String,
    /// Origins (scheme, host, port) that may be reached although their address is private; http only for loopback.
    pub outbound_allow: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self { public_url: String::new(), bind: "[::]:8443".into(), outbound_allow: vec![] }
    }
}

/// `[tls]`: this build serves TLS 1.3 itself.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM chain.
    pub cert_file: PathBuf,
    /// PEM private key (PKCS#8).
    pub key_file: PathBuf,
}

/// `[store]`
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The data folder: database, guard, first link.
    pub dir: PathBuf,
}

impl Default for Store {
    fn default() -> Self {
        Self { dir: "/var/lib/tessera".into() }
    }
}

/// `[issuer]`
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    /// Seconds that an offer lives unless its maker says otherwise.
    pub offer_ttl_s: u64,
    /// Seconds of a wallet's Bearer access token.
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
    /// Successful credential requests that one access token allows.
    pub rounds_max: u32,
    /// Entries of a status list.
    pub status_entries: u32,
    /// Seconds that a verifier may keep a status list.
    pub status_ttl_s: u64,
    /// Seconds until a status list's signature ends.
    pub status_exp_s: u64,
    /// Seconds that must be left of a signer's certificate.
    pub signer_min_left_s: u64,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            offer_ttl_s: 600,
            access_bearer_ttl_s: 300,
            access_dpop_ttl_s: 3_600,
            batch_size: 10,
            tx_code_tries: 5,
            dpop_nonce_required: false,
            wallet_attestation_required: false,
            revoke_on_failure: true,
            rounds_max: 3,
            status_entries: 131_072,
            status_ttl_s: 300,
            status_exp_s: 43_200,
            signer_min_left_s: 86_400,
        }
    }
}

/// `[verifier]`
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Verifier {
    /// Seconds that a request lives.
    pub session_ttl_s: u64,
    /// Seconds that a result's claims are kept.
    pub result_ttl_s: u64,
    /// `if_present`, `require` or `ignore`.
    pub status_policy: String,
    /// Seconds that a status list may be stale before it fails.
    pub status_grace_s: u32,
    /// Seconds that a browser may take to come back from its wallet.
    pub return_ttl_s: u32,
    /// What others attest of us, put into each request: objects with `format` and `data`.
    pub verifier_info: Vec<serde_json::Value>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            session_ttl_s: 300,
            result_ttl_s: 900,
            status_policy: "if_present".into(),
            status_grace_s: 0,
            return_ttl_s: 300,
            verifier_info: Vec::new(),
        }
    }
}

/// `[seal]`: sign-in.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Seal {
    /// Seconds that a sign-in waits for a wallet, and again for its answer.
    pub session_ttl_s: u64,
    /// Seconds that a pushed request waits for its browser.
    pub par_ttl_s: u64,
    /// Seconds of a code.
    pub code_ttl_s: u64,
    /// Seconds of an access token.
    pub access_ttl_s: u64,
    /// Days of a refresh token.
    pub refresh_ttl_d: u64,
    /// Days after which an unused refresh token ends.
    pub refresh_idle_d: u64,
    /// `invited` or `open`.
    pub enrolment: String,
    /// Whether a device may enrol without a document.
    pub unanchored: bool,
    /// Seconds that a second device waits when no live device approved it.
    pub second_device_wait_s: u64,
    /// Whether DPoP proofs must carry a nonce of ours.
    pub dpop_nonce: bool,
    /// Country of our own document seals.
    pub country: String,
    /// Signer of our own document seals.
    pub signer_id: String,
    /// Days that a consent is kept.
    pub consent_keep_d: u64,
    /// PEM files with the roots of makers whose passkeys count as hardware; without one no sign-in reaches `phrh`.
    pub attestation_roots: Vec<PathBuf>,
    /// Whether sign-ins are pushed to wallets over a relay; wallets ask for them anyway.
    pub relay_push: bool,
    /// The relay that carries the pushes.
    pub relay_url: String,
    /// The id of its network, as the relay prints it at start.
    pub relay_network: String,
}

impl Default for Seal {
    fn default() -> Self {
        let decided = idp::Config::new("");
        Self {
            session_ttl_s: decided.session_ttl_s,
            par_ttl_s: decided.par_ttl_s,
            code_ttl_s: decided.code_ttl_s,
            access_ttl_s: decided.access_ttl_s,
            refresh_ttl_d: decided.refresh_ttl_d,
            refresh_idle_d: decided.refresh_idle_d,
            enrolment: "invited".into(),
            unanchored: decided.unanchored,
            second_device_wait_s: decided.second_device_wait_s,
            dpop_nonce: decided.dpop_nonce,
            country: decided.country,
            signer_id: decided.signer_id,
            consent_keep_d: decided.consent_keep_d,
            attestation_roots: Vec::new(),
            relay_push: false,
            relay_url: String::new(),
            relay_network: String::new(),
        }
    }
}

/// `[api]`
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// `[[api.issuer]]`: outside issuers whose access tokens are taken.
    pub issuer: Vec<edge::token::IssuerConfig>,
}

/// `[metrics]`
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Loopback address of the metrics listener; empty: none.
    pub bind: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { bind: "127.0.0.1:9464".into() }
    }
}

impl Config {
    /// Reads the file, lays the environment over it, and refuses what this build cannot hold to.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let size = std::fs::metadata(path).map(|m| m.len()).map_err(|fault| {
            Failure::usage(
                format!("{} cannot be read: {fault}", path.display()),
                "make one: tessera init --public-url URL",
            )
        })?;
        if size > FILE_BYTES_MAX {
            return Err(Failure::usage(
                format!("{} has over {FILE_BYTES_MAX} bytes", path.display()),
                "it is no configuration",
            ));
        }
        let text = std::fs::read_to_string(path).map_err(|fault| {
            Failure::usage(format!("{} cannot be read: {fault}", path.display()), "check owner and mode")
        })?;
        let mut config = Self::parse(&text, &path.display().to_string(), std::env::vars())?;
        config.refuse_what_is_not_built()?;
        let beside = path.parent().unwrap_or(Path::new("."));
        for file in &mut config.seal.attestation_roots {
            *file = beside.join(&*file);
        }
        Ok(config)
    }

    /// From text and an environment.
    pub fn parse(
        text: &str,
        name: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let wrong = |fault: &toml::de::Error| {
            Failure::new(
                Exit::Usage,
                format!("{name} is not a configuration of this version"),
                fault.to_string().trim_end().replace('\n', "\n         "),
                nearest(fault.message()).unwrap_or_else(|| "see `tessera init` for every section".to_owned()),
            )
            .code("config/parses")
        };
        // Parsed once as it stands, so that a fault names its line; then with the overlay.
        toml::from_str::<Self>(text).map_err(|fault| wrong(&fault))?;
        let mut table: Table = toml::from_str(text).map_err(|fault| wrong(&fault))?;
        for (variable, value) in env {
            if let Some((section, key)) =
                variable.strip_prefix(ENV_PREFIX).and_then(|rest| rest.split_once("__"))
            {
                overlay(&mut table, &section.to_lowercase(), &key.to_lowercase(), &value);
            }
        }
        table.try_into().map_err(|fault: toml::de::Error| wrong(&fault))
    }

    fn refuse_what_is_not_built(&self) -> Result<(), Failure> {
        self.custody.check().map_err(|fault| {
            Failure::new(
                Exit::Unreachable,
                "the configuration asks for what this version cannot hold to",
                fault.to_string(),
                "remove the key, and read docs/threat-model.md on what follows",
            )
            .code("config/not-built")
        })
    }
}

fn overlay(table: &mut Table, section: &str, key: &str, value: &str) {
    let entry = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(section) = entry else { return };
    let value = match section.get(key) {
        _ if value == "true" || value == "false" => Value::Boolean(value == "true"),
        _ if value.parse::<i64>().is_ok() => Value::Integer(value.parse().unwrap_or_default()),
        _ => Value::String(value.to_owned()),
    };
    section.insert(key.to_owned(), value);
}

/// From "unknown field `x`, expected one of `a`, `b`": the closest of those.
fn nearest(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    let best = names.min_by_key(|name| distance(wrong, name))?;
    message.contains("unknown field").then(|| format!("did you mean {best}?"))
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != *y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_names_its_line_and_the_nearest_right_one() {
        let failure = Config::parse("[server]\npublic_ulr = \"x\"\n", "tessera.toml", std::iter::empty())
            .err()
            .unwrap();
        assert!(failure.cause.contains("line 2"), "{}", failure.cause);
        assert_eq!(failure.fix, "did you mean public_url?");
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let env = [("TESSERA_LEDGER__CHECKPOINT_MS".to_owned(), "250".to_owned())];
        let config = Config::parse("[ledger]\ncheckpoint_ms = 900\n", "f", env.into_iter()).unwrap();
        assert_eq!(config.ledger.checkpoint_ms, 250);
    }

    #[test]
    fn what_is_not_built_stops_the_start() {
        for text in
            ["[custody]\nrequire_dpop=true", "[custody]\nfour_eyes=true", "[custody.step_up]\nrequired=true"]
        {
            let config = Config::parse(text, "f", std::iter::empty()).unwrap();
            let failure = config.refuse_what_is_not_built().err().unwrap();
            assert_eq!(&*failure.code, "config/not-built");
        }
    }
}
