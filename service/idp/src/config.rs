//! The room's own settings: `[seal]`.

/// Longest life of a sign-in that nobody has claimed, seconds: a page left open is not a door left open.
pub const SESSION_TTL_S_MAX: u64 = 300;
/// Shortest: a person must find the wallet.
pub const SESSION_TTL_S_MIN: u64 = 30;
/// Longest life of an access token, seconds: so long does it live at a relying party that does not ask us.
pub const ACCESS_TTL_S_MAX: u64 = 3_600;
/// Longest life of a code or a pushed request, seconds (FAPI 2.0, 5.3.2.1: below 60 for a code, 600 for a request).
pub const CODE_TTL_S_MAX: u64 = 60;
/// Longest life of a refresh token, days: as long as an enrolment at most.
pub const REFRESH_TTL_D_MAX: u64 = 730;
/// Longest wait of a second device, seconds: a week.
pub const SECOND_DEVICE_WAIT_S_MAX: u64 = 604_800;
/// Longest that consents are kept, days: ten years.
pub const CONSENT_KEEP_D_MAX: u64 = 3_653;

/// Who may enrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolling {
    /// Whoever holds an invite.
    Invited,
    /// Everybody.
    Open,
}

/// What the identity provider is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `public_url`, without a slash at its end; every identifier and link begins with it.
    pub public_url: String,
    /// Whether this is development: limits of claims are wider, cookies work over http.
    pub is_dev: bool,
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
    /// Who may enrol.
    pub enrolment: Enrolling,
    /// Whether a device may enrol without an anchor.
    pub unanchored: bool,
    /// Seconds that a second device waits when no live device approved it.
    pub second_device_wait_s: u64,
    /// Whether DPoP proofs must carry a nonce of ours.
    pub dpop_nonce: bool,
    /// The country of our own document seals: two or three letters.
    pub country: String,
    /// The signer of our own document seals: four letters or digits.
    pub signer_id: String,
    /// Days past its next update that a trust list still counts.
    pub trust_stale_ok_d: u64,
    /// Days that a consent is kept.
    pub consent_keep_d: u64,
    /// DER certificates that vouch for attested device keys.
    pub attestation_roots: Vec<Vec<u8>>,
}

impl Config {
    /// The defaults, under `public_url`.
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            is_dev: false,
            session_ttl_s: 90,
            par_ttl_s: 60,
            code_ttl_s: 60,
            access_ttl_s: 300,
            refresh_ttl_d: 30,
            refresh_idle_d: 14,
            enrolment: Enrolling::Invited,
            unanchored: false,
            second_device_wait_s: 86_400,
            dpop_nonce: false,
            country: "XTS".to_owned(),
            signer_id: "XT01".to_owned(),
            trust_stale_ok_d: 0,
            consent_keep_d: 1_095,
            attestation_roots: Vec::new(),
        }
    }

    /// What `--dev` makes of it.
    #[must_use]
    pub fn dev(self) -> Self {
        Self { is_dev: true, enrolment: Enrolling::Open, unanchored: true, ..self }
    }

    /// `I`: the issuer identifier of a tenant as an identity provider, compared byte by byte.
    pub fn issuer(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}/idp", self.public_url)
    }

    /// The base of the doors of Seal.
    pub fn base(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}", self.public_url)
    }

    /// The scheme, host and port that pages of ours have: the origin of a WebAuthn assertion.
    pub fn origin(&self) -> &str {
        &self.public_url
    }

    /// Where a status list of document seals is served; also its `sub`.
    pub fn list_uri(&self, tenant: &str, list: i64) -> String {
        format!("{}/seal/status/{list}", self.base(tenant))
    }
}

/// A setting is out of its bound.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("seal.{name} {rule}")]
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
        let letters = |text: &str, sizes: std::ops::RangeInclusive<usize>| {
            sizes.contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let days = 1..=REFRESH_TTL_D_MAX;
        let within = [
            (
                "session_ttl_s",
                (SESSION_TTL_S_MIN..=SESSION_TTL_S_MAX).contains(&self.session_ttl_s),
                "is 30 to 300 seconds",
            ),
            ("par_ttl_s", (1..=CODE_TTL_S_MAX).contains(&self.par_ttl_s), "is 1 to 60 seconds"),
            ("code_ttl_s", (1..=CODE_TTL_S_MAX).contains(&self.code_ttl_s), "is 1 to 60 seconds"),
            ("access_ttl_s", (1..=ACCESS_TTL_S_MAX).contains(&self.access_ttl_s), "is 1 to 3600 seconds"),
            ("refresh_ttl_d", days.contains(&self.refresh_ttl_d), "is 1 to 730 days"),
            ("refresh_idle_d", days.contains(&self.refresh_idle_d), "is 1 to 730 days"),
            (
                "second_device_wait_s",
                self.second_device_wait_s <= SECOND_DEVICE_WAIT_S_MAX,
                "is 0 to 604800 seconds",
            ),
            ("country", letters(&self.country, 2..=3), "is two or three capital letters"),
            ("signer_id", letters(&self.signer_id, 4..=4), "is four capital letters or digits"),
            ("consent_keep_d", (1..=CONSENT_KEEP_D_MAX).contains(&self.consent_keep_d), "is 1 to 3653 days"),
        ];
        match within.into_iter().find(|(_, fits, _)| !fits) {
            Some((name, _, rule)) => Err(ConfigFault { name, rule }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_bounds_and_each_bound_names_its_key() {
        assert_eq!(Config::new("https://idp.example/").check(), Ok(()));
        let named = |change: fn(&mut Config)| {
            let mut config = Config::new("https://idp.example").dev();
            change(&mut config);
            config.check().unwrap_err().name
        };
        assert_eq!(named(|c| c.session_ttl_s = 29), "session_ttl_s");
        assert_eq!(named(|c| c.code_ttl_s = 61), "code_ttl_s");
        assert_eq!(named(|c| c.access_ttl_s = 0), "access_ttl_s");
        assert_eq!(named(|c| c.country = "x".to_owned()), "country");
        assert_eq!(named(|c| c.signer_id = "xt01".to_owned()), "signer_id");
        assert_eq!(named(|c| c.consent_keep_d = 0), "consent_keep_d");
    }

    #[test]
    fn the_identity_provider_stands_apart_from_the_issuer_of_credentials() {
        let config = Config::new("https://idp.example/");
        assert_eq!(config.issuer("default"), "https://idp.example/t/default/idp");
        assert_eq!(config.list_uri("default", 3), "https://idp.example/t/default/seal/status/3");
    }
}
