//! Claims of a person between the answer and the relying party: they rest only under a key that a code or token derives, so that the
//! database alone opens none.
//!
//! ```text
//! answer ─► under(code) ─► idp_result ─► redeemed ─► under(access token) ─► idp_token_claims ─► userinfo
//!                                              └────► under(refresh token) ─► idp_refresh, anew at each rotation
//! ```
//! Each code and token seals once, so the nonce is zero; what is sealed for one place does not open in another.

use crypto::aead;
use crypto::kdf;
use seal::code::frame;
use serde_json::{Map, Value};

/// Most bytes of claims: a portrait is the largest of them.
pub const CLAIMS_BYTES_MAX: usize = 64 << 10;

/// What derives the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// An authorization code.
    Code,
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl Under {
    const fn label(self) -> &'static str {
        match self {
            Under::Code => "seal/1 code-claims",
            Under::AccessToken => "seal/1 token-claims",
            Under::RefreshToken => "seal/1 refresh-claims",
        }
    }

    /// Seals claims of `tenant` for `place`, the session or the grant.
    #[must_use]
    pub fn seal(self, secret: &str, tenant: &str, place: &[u8], claims: &Map<String, Value>) -> Vec<u8> {
        let plain = crypto::secret::Secret::new(Value::Object(claims.clone()).to_string().into_bytes());
        let key = kdf::hkdf_sha256::<32>(secret.as_bytes(), &[], &[self.label().as_bytes()]);
        aead::seal_aes256gcm(key.expose(), &[0; aead::NONCE_BYTES], &self.aad(tenant, place), plain.expose())
    }

    /// Opens what [`Under::seal`] made; `None` for anything else.
    #[must_use]
    pub fn open(self, secret: &str, tenant: &str, place: &[u8], sealed: &[u8]) -> Option<Map<String, Value>> {
        let key = kdf::hkdf_sha256::<32>(secret.as_bytes(), &[], &[self.label().as_bytes()]);
        let aad = self.aad(tenant, place);
        let plain = aead::open_aes256gcm(key.expose(), &[0; aead::NONCE_BYTES], &aad, sealed).ok()?;
        match openid::wire::json(plain.expose(), CLAIMS_BYTES_MAX).ok()? {
            Value::Object(claims) => Some(claims),
            _ => None,
        }
    }

    fn aad(self, tenant: &str, place: &[u8]) -> Vec<u8> {
        frame(self.label(), &[tenant.as_bytes(), place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_open_under_the_same_secret_at_the_same_place_alone() {
        let claims = json!({"given_name": "canary"}).as_object().unwrap().clone();
        let sealed = Under::Code.seal("code", "t", b"sid", &claims);
        assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
        assert_eq!(Under::Code.open("code", "t", b"sid", &sealed), Some(claims));
        for other in [
            Under::Code.open("edoc", "t", b"sid", &sealed),
            Under::Code.open("code", "u", b"sid", &sealed),
            Under::Code.open("code", "t", b"dis", &sealed),
            Under::AccessToken.open("code", "t", b"sid", &sealed),
            Under::Code.open("code", "t", b"sid", &sealed[1..]),
        ] {
            assert_eq!(other, None);
        }
    }
}
