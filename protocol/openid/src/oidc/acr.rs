//! How strongly somebody is signed in: `acr`, as this provider knows it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Values of `acr`, weakest first; each is taken for every weaker one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Acr {
    /// A mutual code alone; a proxy that relays in real time is not stopped.
    #[serde(rename = "seal:code")]
    Code,
    /// Phishing-resistant (OpenID EAP ACR Values 1.0): an assertion by the browser that signs in.
    #[serde(rename = "phr")]
    Phr,
    /// The same with a key that never leaves its hardware.
    #[serde(rename = "phrh")]
    Phrh,
}

impl Acr {
    /// Weakest first.
    pub const ALL: [Acr; 3] = [Acr::Code, Acr::Phr, Acr::Phrh];

    /// The value in requests and tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Acr::Code => "seal:code",
            Acr::Phr => "phr",
            Acr::Phrh => "phrh",
        }
    }

    /// Reads a value; `seal:vp` ranks as `seal:code`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Acr> {
        match text {
            "seal:vp" => Some(Acr::Code),
            _ => Acr::ALL.into_iter().find(|acr| acr.as_str() == text),
        }
    }

    /// The number in public leaves: it never changes its meaning.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Acr::Code => 0,
            Acr::Phr => 1,
            Acr::Phrh => 2,
        }
    }
}

impl fmt::Display for Acr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_and_the_order_is_that_of_strength() {
        for acr in Acr::ALL {
            assert_eq!(Acr::parse(acr.as_str()), Some(acr));
            assert_eq!(serde_json::to_value(acr).unwrap(), acr.as_str());
        }
        assert!(Acr::Code < Acr::Phr && Acr::Phr < Acr::Phrh);
        assert_eq!(Acr::parse("seal:vp"), Some(Acr::Code));
        assert_eq!(Acr::parse("PHR"), None);
    }
}
