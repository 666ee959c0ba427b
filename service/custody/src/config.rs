//! `[custody]`: the room's own section.

use serde::Deserialize;
use thiserror::Error;

use crate::rotation::{Policy, PolicyError};

/// Longest time an opened private part is remembered: an hour.
const CACHE_TTL_S_MAX: u32 = 3_600;

/// `[custody]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where new keys live; this build has `software`.
    pub keeper: String,
    /// Where the root of the software keeper is: `file:…` or `credential:…`. The program reads it.
    pub root: String,
    /// How long an opened private part is remembered, in seconds.
    pub cache_ttl_s: u32,
    /// Smallest RSA modulus in bits: 2048, 3072 or 4096.
    pub rsa_bits_min: u32,
    /// Whether destroying a key asks for a second owner.
    pub four_eyes: bool,
    /// Whether the doors of keys ask for sender-constrained tokens.
    pub require_dpop: bool,
    /// How long a key that is to be destroyed waits, in seconds.
    pub destroy_delay_s: u64,
    /// Signatures a second and account; 0 = no bound.
    pub sign_per_s: u32,
    /// When keys get new versions, unless a key says otherwise.
    pub rotation: Policy,
    /// When an act asks for a fresh sign-in.
    pub step_up: StepUp,
}

/// `[custody.step_up]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepUp {
    /// Whether grave acts ask for it.
    pub required: bool,
    /// Which sign-ins count.
    pub acr: Vec<String>,
    /// How fresh it must be, in seconds.
    pub max_age_s: u32,
}

/// Why the section is not taken: the start stops with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A member that this build cannot honour.
    #[error("custody.{member} = {value}: {reason}")]
    Unserved {
        /// Which member.
        member: &'static str,
        /// Its value.
        value: String,
        /// Why not.
        reason: &'static str,
    },
    /// A member out of its range.
    #[error("custody.{member} {rule}")]
    Range {
        /// Which member.
        member: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// A member of the rotation policy.
    #[error("custody.rotation.{} {}", .0.member, .0.rule)]
    Rotation(PolicyError),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keeper: "software".to_owned(),
            root: "file:root.key".to_owned(),
            cache_ttl_s: 300,
            rsa_bits_min: 2048,
            four_eyes: false,
            require_dpop: false,
            destroy_delay_s: 604_800,
            sign_per_s: 2_000,
            rotation: Policy::default(),
            step_up: StepUp::default(),
        }
    }
}

impl Default for StepUp {
    fn default() -> Self {
        Self { required: false, acr: vec!["phr".to_owned(), "phrh".to_owned()], max_age_s: 300 }
    }
}

impl Config {
    /// Checks the section. What would promise a protection that this build does not have is refused, not ignored.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let unserved = |member, value: &str, reason| {
            Err(ConfigError::Unserved { member, value: value.to_owned(), reason })
        };
        if self.keeper != "software" {
            return unserved("keeper", &self.keeper, "this build has the software keeper only");
        }
        if self.four_eyes {
            return unserved(
                "four_eyes",
                "true",
                "a second owner is not served yet; destroying keys is refused instead",
            );
        }
        if self.require_dpop {
            return unserved(
                "require_dpop",
                "true",
                "sender-constrained tokens are not served yet at these doors",
            );
        }
        if self.step_up.required {
            return unserved(
                "step_up.required",
                "true",
                "step-up is not served yet; what would need it is refused",
            );
        }
        if self.cache_ttl_s > CACHE_TTL_S_MAX {
            return Err(ConfigError::Range { member: "cache_ttl_s", rule: "is at most 3600" });
        }
        if ![2048, 3072, 4096].contains(&self.rsa_bits_min) {
            return Err(ConfigError::Range { member: "rsa_bits_min", rule: "is 2048, 3072 or 4096" });
        }
        self.rotation.check(false).map_err(ConfigError::Rotation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protection_that_is_not_there_stops_the_start() {
        assert_eq!(Config::default().check(), Ok(()));
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(with(|c| c.four_eyes = true).starts_with("custody.four_eyes = true: "));
        assert!(with(|c| c.require_dpop = true).starts_with("custody.require_dpop = true: "));
        assert!(with(|c| c.step_up.required = true).starts_with("custody.step_up.required = true: "));
        assert!(with(|c| c.keeper = "pkcs11".to_owned()).starts_with("custody.keeper = pkcs11: "));
        assert_eq!(
            with(|c| c.rotation.rotate_every_s = 1),
            "custody.rotation.rotate_every_s is 0 for never, or 3600 to 315576000"
        );
    }
}
