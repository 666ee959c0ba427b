//! Proof Key for Code Exchange (RFC 7636), method S256 alone: `plain` proves nothing to whoever read the request.

use crypto::hash;

/// The one method that is taken.
pub const S256: &str = "S256";

/// Fewest characters of a verifier (RFC 7636, 4.1).
pub const VERIFIER_CHARS_MIN: usize = 43;

/// Most characters of a verifier (RFC 7636, 4.1).
pub const VERIFIER_CHARS_MAX: usize = 128;

/// A code challenge: SHA-256 of the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Reads `code_challenge`: 43 characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<CodeChallenge> {
        let bytes = crypto::base64::url_decode(text).ok()?;
        bytes.try_into().ok().map(CodeChallenge)
    }

    /// The challenge as it stands in a row.
    #[must_use]
    pub fn to_text(self) -> String {
        crypto::base64::url_encode(&self.0)
    }

    /// Whether `verifier` is well formed and hashes to this, compared in constant time.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        is_verifier(verifier) && hash::equal(&hash::sha256(verifier.as_bytes()), &self.0)
    }
}

fn is_verifier(text: &str) -> bool {
    (VERIFIER_CHARS_MIN..=VERIFIER_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_verifier_of_rfc_7636_appendix_b_meets_its_challenge() {
        assert!(CodeChallenge::parse(CHALLENGE).unwrap().is_met_by(VERIFIER));
    }

    #[test]
    fn a_plain_challenge_and_a_verifier_of_wrong_form_are_refused() {
        assert!(!CodeChallenge::parse(VERIFIER).unwrap().is_met_by(VERIFIER));
        for verifier in
            ["", &VERIFIER[1..], &"a".repeat(129), &format!("{VERIFIER} "), &format!("{VERIFIER}é")]
        {
            let challenge = CodeChallenge(hash::sha256(verifier.as_bytes()));
            assert!(!challenge.is_met_by(verifier), "{verifier}");
        }
    }

    proptest! {
        #[test]
        fn a_challenge_is_read_only_in_the_form_it_is_written(text in "[A-Za-z0-9_=-]{40,45}") {
            if let Some(challenge) = CodeChallenge::parse(&text) {
                prop_assert_eq!(challenge.to_text(), text);
            }
        }
    }
}
