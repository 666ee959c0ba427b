//! Demonstrating proof of possession (RFC 9449): a token is worth something only with the key it is bound to.
//!
//! ```text
//! DPoP header ── parse ──▶ DpopProof ── check(Expected, now) ──▶ jti to be spent, thumbprint that binds tokens
//! ```
//!
//! Invariants: the key is learnt from the proof and proves nothing but that its owner is here; a proof is for one method, one
//! address and one moment; what is read before the signature holds is used for nothing.

use super::error::{ErrorCode, OauthError};
use crate::wire;
use crypto::hash;
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

/// `typ` of a proof (RFC 9449, 4.2).
pub const DPOP_TYP: &str = "dpop+jwt";

/// Algorithms of proofs that are taken.
pub const DPOP_ALGS: [SignAlg; 2] = [SignAlg::Es256, SignAlg::EdDsa];

/// Most bytes of a proof: it is one header line.
pub const PROOF_BYTES_MAX: usize = 4 * 1024;

/// Oldest a proof may be, in seconds.
pub const PROOF_AGE_S_MAX: i64 = 60;

/// Seconds that a proof may lie ahead of our clock.
pub const PROOF_AHEAD_S_MAX: i64 = 10;

/// Most bytes of `jti`, and of a server's nonce.
pub const PROOF_TEXT_BYTES_MAX: usize = 256;

/// A proof that parses; nothing is proved yet.
#[derive(Debug)]
pub struct DpopProof {
    jws: Jws,
    claims: Map<String, Value>,
    thumbprint: [u8; 32],
}

/// What a door asks of a proof.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's address as the client knows it, without query and fragment.
    pub url: &'a str,
    /// The access token that comes with it, at a resource.
    pub access_token: Option<&'a str>,
    /// The nonces that count now, where the server hands out nonces; empty where it does not.
    pub nonces: &'a [&'a str],
}

/// A proof that holds. Its `jti` must be spent before anything is done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedKey {
    /// SHA-256 thumbprint of the key (RFC 7638): `cnf.jkt`, `dpop_jkt`.
    pub thumbprint: [u8; 32],
    /// What is spent: SHA-256 over thumbprint and `jti`, so that no client spends another's.
    pub spent: [u8; 32],
    /// Until when that must be remembered.
    pub expires_at: Timestamp,
    /// The nonce it carries, if any: for doors that recognise their nonces by other means than a list.
    pub nonce: Option<String>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DpopFault {
    /// Not a compact JWS with a JSON object inside, or the header came twice.
    #[error("the proof cannot be read")]
    Malformed,
    /// `typ` is not `dpop+jwt`.
    #[error("the proof is of another type")]
    Type,
    /// Neither ES256 nor EdDSA.
    #[error("the proof's algorithm is not taken")]
    Algorithm,
    /// No public key in the header, or one with a private part.
    #[error("the proof brings no usable key")]
    Key,
    /// The signature does not verify.
    #[error("the proof's signature does not verify")]
    Signature,
    /// `htm` is another method.
    #[error("the proof is for another method")]
    Method,
    /// `htu` is another address.
    #[error("the proof is for another address")]
    Url,
    /// `iat` is missing, too old or ahead.
    #[error("the proof is not of this moment")]
    Time,
    /// `jti` is missing or too long.
    #[error("the proof has no usable jti")]
    Jti,
    /// `ath` is missing or of another token.
    #[error("the proof is for another access token")]
    TokenHash,
    /// `nonce` is missing or not one that we gave.
    #[error("the proof needs a nonce of this server")]
    Nonce,
    /// The same proof came before.
    #[error("the proof was used before")]
    Replayed,
    /// The key is not the one that the code, the token or the refresh token is bound to.
    #[error("the proof is by another key")]
    OtherKey,
}

impl From<DpopFault> for OauthError {
    fn from(fault: DpopFault) -> OauthError {
        match fault {
            DpopFault::Nonce => {
                OauthError::of(ErrorCode::UseDpopNonce, "the proof needs a nonce of this server")
            }
            DpopFault::Replayed => OauthError::of(ErrorCode::InvalidDpopProof, "the proof was used before"),
            DpopFault::Time => OauthError::of(ErrorCode::InvalidDpopProof, "the proof is not of this moment"),
            DpopFault::Malformed
            | DpopFault::Type
            | DpopFault::Algorithm
            | DpopFault::Key
            | DpopFault::Signature
            | DpopFault::Method
            | DpopFault::Url
            | DpopFault::Jti
            | DpopFault::TokenHash
            | DpopFault::OtherKey => {
                OauthError::of(ErrorCode::InvalidDpopProof, "the DPoP proof does not hold")
            }
        }
    }
}

/// The proof that a client signs with `key`'s private part for one request; the signer adds `alg`. `jti` is fresh, `access_token` the
/// one that goes with the request to a resource, `nonce` the server's latest (RFC 9449, 4.2).
#[must_use]
pub fn draft(key: &Jwk, expected: &Expected<'_>, jti: &str, nonce: Option<&str>, now: Timestamp) -> Draft {
    let mut claims = Map::new();
    claims.insert("jti".to_owned(), jti.into());
    claims.insert("htm".to_owned(), expected.method.into());
    claims.insert("htu".to_owned(), expected.url.into());
    claims.insert("iat".to_owned(), now.as_second().into());
    if let Some(token) = expected.access_token {
        let hash = crypto::base64::url_encode(&hash::sha256(token.as_bytes()));
        claims.insert("ath".to_owned(), hash.into());
    }
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), nonce.into());
    }
    Draft::new(DPOP_TYP, Value::Object(claims).to_string()).with("jwk", key.to_value())
}

impl DpopProof {
    /// Reads the one `DPoP` header of a request.
    ///
    /// # Errors
    /// [`DpopFault::Malformed`], [`DpopFault::Type`], [`DpopFault::Algorithm`], [`DpopFault::Key`].
    pub fn parse(header: &str) -> Result<DpopProof, DpopFault> {
        let limits = Limits { bytes_max: PROOF_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(header, &limits).map_err(|fault| match fault {
            crypto::jose::jws::JwsError::UnsupportedAlg => DpopFault::Algorithm,
            _ => DpopFault::Malformed,
        })?;
        if jws.typ() != Some(DPOP_TYP) {
            return Err(DpopFault::Type);
        }
        if !DPOP_ALGS.contains(&jws.alg()) {
            return Err(DpopFault::Algorithm);
        }
        let thumbprint = jws.jwk().map_err(|_| DpopFault::Key)?.thumbprint();
        let Ok(Value::Object(claims)) = wire::json(jws.payload(), PROOF_BYTES_MAX) else {
            return Err(DpopFault::Malformed);
        };
        Ok(DpopProof { jws, claims, thumbprint })
    }

    /// Checks signature, method, address, moment, token hash and nonce, in that order.
    ///
    /// # Errors
    /// [`DpopFault`].
    pub fn check(self, expected: &Expected<'_>, now: Timestamp) -> Result<ProvedKey, DpopFault> {
        self.check_within(expected, PROOF_AHEAD_S_MAX, now)
    }

    /// The same at a door whose callers' clocks may be `ahead_s` seconds ahead.
    ///
    /// # Errors
    /// [`DpopFault`].
    pub fn check_within(
        self,
        expected: &Expected<'_>,
        ahead_s: i64,
        now: Timestamp,
    ) -> Result<ProvedKey, DpopFault> {
        let key = self.jws.jwk().map_err(|_| DpopFault::Key)?;
        self.jws.verify_jwk(&key).map_err(|_| DpopFault::Signature)?;
        if self.text("htm") != Some(expected.method) {
            return Err(DpopFault::Method);
        }
        let named = wire::text(self.claims.get("htu"), wire::URL_BYTES_MAX);
        if !named.is_some_and(|named| is_same_address(named, expected.url)) {
            return Err(DpopFault::Url);
        }
        let iat = wire::numeric_date(self.claims.get("iat")).ok_or(DpopFault::Time)?;
        let age = now.as_second().saturating_sub(iat);
        if !(-ahead_s..=PROOF_AGE_S_MAX).contains(&age) {
            return Err(DpopFault::Time);
        }
        let jti = self.text("jti").ok_or(DpopFault::Jti)?;
        if let Some(token) = expected.access_token {
            let hash = crypto::base64::url_encode(&hash::sha256(token.as_bytes()));
            if !self.text("ath").is_some_and(|ath| hash::equal(ath.as_bytes(), hash.as_bytes())) {
                return Err(DpopFault::TokenHash);
            }
        }
        if !expected.nonces.is_empty()
            && !self.text("nonce").is_some_and(|nonce| expected.nonces.contains(&nonce))
        {
            return Err(DpopFault::Nonce);
        }
        let end = iat + PROOF_AGE_S_MAX + ahead_s;
        Ok(ProvedKey {
            thumbprint: self.thumbprint,
            spent: hash::sha256_of(&[&self.thumbprint, jti.as_bytes()]),
            expires_at: Timestamp::from_second(end).map_err(|_| DpopFault::Time)?,
            nonce: self.text("nonce").map(str::to_owned),
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        wire::text(self.claims.get(name), PROOF_TEXT_BYTES_MAX)
    }
}

impl ProvedKey {
    /// The thumbprint as it stands in `cnf.jkt`.
    #[must_use]
    pub fn jkt(&self) -> String {
        crypto::base64::url_encode(&self.thumbprint)
    }
}

/// `htu` against the request's own address, both normalised (RFC 3986, 6.2.2 and 6.2.3; RFC 9449, 4.3), query and fragment of the
/// proof's ignored.
fn is_same_address(named: &str, own: &str) -> bool {
    let (Ok(mut named), Ok(own)) = (Url::parse(named), Url::parse(own)) else { return false };
    named.set_query(None);
    named.set_fragment(None);
    named == own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, now, p256, sign};
    use crypto::key::{KeyAlg, PrivateKey};
    use proptest::prelude::*;
    use serde_json::json;

    /// RFC 9449, 4.2, figure 2 (the proof of the token request of 5, figure 4).
    const RFC_TOKEN_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    /// RFC 9449, 7.1, figure 12: the proof at a resource, with the token of figure 13.
    const RFC_RESOURCE_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    const RFC_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    /// RFC 9449, 6.1: `cnf.jkt` of the same key.
    const RFC_THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    const URL: &str = "https://idp.example/t/default/idp/token";

    fn expected() -> Expected<'static> {
        Expected { method: "POST", url: URL, access_token: None, nonces: &[] }
    }

    fn claims() -> Value {
        json!({"jti": "1", "htm": "POST", "htu": URL, "iat": now().as_second()})
    }

    fn proof(claims: &Value, key: &PrivateKey) -> String {
        let jwk = Jwk::from_key(&key.public()).to_value();
        sign(Draft::new(DPOP_TYP, claims.to_string()).with("jwk", jwk), key)
    }

    fn outcome(claims: &Value, expected: &Expected<'_>) -> Result<ProvedKey, DpopFault> {
        DpopProof::parse(&proof(claims, &p256()))?.check(expected, now())
    }

    #[test]
    fn the_token_proof_of_rfc_9449_holds_at_its_moment_and_names_its_thumbprint() {
        let moment = Timestamp::from_second(1_562_262_616).unwrap();
        let expected = Expected { url: "https://server.example.com/token", ..expected() };
        let proved = DpopProof::parse(RFC_TOKEN_PROOF).unwrap().check(&expected, moment).unwrap();
        assert_eq!(proved.jkt(), RFC_THUMBPRINT);
        assert_eq!(proved.expires_at.as_second(), 1_562_262_616 + 70);
    }

    #[test]
    fn the_resource_proof_of_rfc_9449_holds_for_its_token_alone() {
        let moment = Timestamp::from_second(1_562_262_618).unwrap();
        let resource = Expected {
            method: "GET",
            url: "https://resource.example.org/protectedresource",
            access_token: Some(RFC_TOKEN),
            nonces: &[],
        };
        assert!(DpopProof::parse(RFC_RESOURCE_PROOF).unwrap().check(&resource, moment).is_ok());
        let other = Expected { access_token: Some("other"), ..resource };
        let refused = DpopProof::parse(RFC_RESOURCE_PROOF).unwrap().check(&other, moment);
        assert_eq!(refused, Err(DpopFault::TokenHash));
    }

    #[test]
    fn a_proof_for_another_method_address_moment_or_token_is_refused() {
        let changed = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            outcome(&claims, &expected()).unwrap_err()
        };
        assert_eq!(changed("htm", json!("GET")), DpopFault::Method);
        assert_eq!(changed("htm", json!("post")), DpopFault::Method);
        for url in
            ["https://idp.example/t/default/idp/par", "http://idp.example/t/default/idp/token", "", "x"]
        {
            assert_eq!(changed("htu", json!(url)), DpopFault::Url, "{url}");
        }
        for iat in [json!(at(-61).as_second()), json!(at(11).as_second()), Value::Null, json!("now")] {
            assert_eq!(changed("iat", iat), DpopFault::Time);
        }
        for jti in [json!(""), Value::Null, json!("j".repeat(257))] {
            assert_eq!(changed("jti", jti), DpopFault::Jti);
        }
        let resource = Expected { access_token: Some("t"), ..expected() };
        assert_eq!(outcome(&claims(), &resource), Err(DpopFault::TokenHash));
    }

    #[test]
    fn an_address_is_compared_after_normalising_and_without_query() {
        for url in [
            "HTTPS://IDP.example:443/t/default/idp/token",
            "https://idp.example/t/default/idp/token?a=b#c",
            "https://idp.example/t/x/../default/idp/token",
        ] {
            let mut claims = claims();
            claims["htu"] = json!(url);
            assert!(outcome(&claims, &expected()).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_server_nonce_is_asked_for_and_any_of_the_live_ones_is_taken() {
        let asking = Expected { nonces: &["now", "before"], ..expected() };
        assert_eq!(outcome(&claims(), &asking), Err(DpopFault::Nonce));
        let mut with = claims();
        with["nonce"] = json!("before");
        assert!(outcome(&with, &asking).is_ok());
        with["nonce"] = json!("older");
        assert_eq!(outcome(&with, &asking), Err(DpopFault::Nonce));
    }

    #[test]
    fn a_proof_without_its_type_by_a_mac_by_rsa_or_with_a_private_key_is_refused() {
        let key = p256();
        let jwk = Jwk::from_key(&key.public()).to_value();
        let draft = |typ: &str| Draft::new(typ, claims().to_string());
        let parse = |text: &str| DpopProof::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(parse(&sign(draft("JWT").with("jwk", jwk.clone()), &key)), DpopFault::Type);
        assert_eq!(parse(&sign(draft(DPOP_TYP), &key)), DpopFault::Key);
        let mut private = jwk;
        private["d"] = json!("AQ");
        assert_eq!(parse(&sign(draft(DPOP_TYP).with("jwk", private), &key)), DpopFault::Key);
        let rsa = PrivateKey::generate(KeyAlg::Rsa2048);
        assert_eq!(parse(&proof(&claims(), &rsa)), DpopFault::Algorithm);
        for alg in ["none", "HS256"] {
            let input = draft(DPOP_TYP).with("alg", alg).signing_input();
            assert_eq!(parse(&format!("{input}.AAAA")), DpopFault::Algorithm);
        }
    }

    #[test]
    fn a_proof_signed_by_another_key_than_it_brings_is_refused() {
        let jwk = Jwk::from_key(&p256().public()).to_value();
        let text = sign(Draft::new(DPOP_TYP, claims().to_string()).with("jwk", jwk), &p256());
        assert_eq!(DpopProof::parse(&text).unwrap().check(&expected(), now()), Err(DpopFault::Signature));
    }

    #[test]
    fn eddsa_proofs_hold_and_two_keys_never_share_a_spent_jti() {
        let (a, b) = (PrivateKey::generate(KeyAlg::Ed25519), p256());
        let check =
            |key| DpopProof::parse(&proof(&claims(), key)).unwrap().check(&expected(), now()).unwrap();
        assert_ne!(check(&a).spent, check(&b).spent);
        assert_eq!(check(&a), check(&a));
    }

    #[test]
    fn a_drafted_proof_holds_for_its_request_and_brings_its_nonce() {
        let key = p256();
        let at_resource = Expected { access_token: Some("t"), ..expected() };
        let draft = draft(&Jwk::from_key(&key.public()), &at_resource, "1", Some("n"), at(-30));
        let proof = || DpopProof::parse(&sign(draft.clone(), &key)).unwrap();
        assert_eq!(proof().check(&at_resource, now()).unwrap().nonce.as_deref(), Some("n"));
        assert_eq!(proof().check_within(&at_resource, 60, at(-91)), Err(DpopFault::Time));
        assert!(proof().check_within(&at_resource, 60, at(-90)).is_ok(), "clocks may be a minute apart");
    }

    #[test]
    fn a_fault_is_answered_by_the_codes_of_the_standard() {
        assert_eq!(OauthError::from(DpopFault::Url).error, ErrorCode::InvalidDpopProof);
        assert_eq!(OauthError::from(DpopFault::Nonce).error, ErrorCode::UseDpopNonce);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(header in "[A-Za-z0-9._-]{0,120}", url in ".{0,60}") {
            if let Ok(proof) = DpopProof::parse(&header) {
                let _ = proof.check(&expected(), now());
            }
            let _ = is_same_address(&url, URL);
        }
    }
}
