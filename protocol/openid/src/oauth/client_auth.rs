//! Who the client says it is: Basic header, form parameters, or a signed assertion (RFC 6749, 2.3; RFC 7523).
//!
//! Reading is pure; the caller loads the account that is named, compares a secret by [`SecretText::matches_sha256`] or gives
//! the account's keys to [`ClientAssertion::verify`], and spends the assertion's `jti` by guard.

use super::access_token::audience_holds;
use super::error::OauthError;
use super::form::{self, Form};
use super::jwks::{Jwks, LookupFault};
use crate::wire;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use crypto::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// `client_assertion_type` of RFC 7523, 2.2.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Most bytes of a client id.
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// Most bytes of a client secret; ours have 43.
pub const CLIENT_SECRET_BYTES_MAX: usize = 256;

/// Most bytes of an assertion.
pub const ASSERTION_BYTES_MAX: usize = 8 * 1024;

/// An assertion may end at most this far ahead, so that spent `jti`s need not be kept long.
pub const ASSERTION_LIFE_S_MAX: i64 = 300;

/// Seconds that the client's clock may differ from ours.
pub const ASSERTION_SKEW_S: i64 = 60;

/// Seconds after its `iat` that an assertion is good for at the provider's doors, and how far `iat` may lie ahead: who steals one
/// has a minute.
pub const FRESH_ASSERTION_S: i64 = 60;

/// Seconds that the `iat` of a fresh assertion may lie ahead.
pub const FRESH_ASSERTION_AHEAD_S: i64 = 10;

/// Most bytes of a `jti`.
pub const JTI_BYTES_MAX: usize = 128;

/// Client authentication as it arrived; nothing is compared yet.
#[derive(Debug)]
pub enum ClientAuth {
    /// `client_secret_basic` or `client_secret_post`.
    Secret {
        /// Who it claims to be.
        client_id: String,
        /// What it proves it with.
        secret: SecretText,
    },
    /// `private_key_jwt`.
    Assertion(ClientAssertion),
    /// No authentication; perhaps a bare `client_id` (a public client), perhaps nothing (an anonymous wallet).
    None {
        /// The bare id.
        client_id: Option<String>,
    },
}

/// A client secret as it was sent.
#[derive(Debug)]
pub struct SecretText(Secret<String>);

impl SecretText {
    /// Compares its SHA-256 with the stored one in constant time.
    #[must_use]
    pub fn matches_sha256(&self, stored: &[u8; 32]) -> bool {
        crypto::hash::equal(&crypto::hash::sha256(self.0.expose().as_bytes()), stored)
    }
}

impl ClientAuth {
    /// Reads whichever one kind of client authentication is there.
    ///
    /// # Errors
    /// 400 `invalid_request` when there is more than one kind (RFC 6749, 2.3) or a part is missing; 401 `invalid_client` when
    /// the one kind cannot be read.
    pub fn read(authorization: Option<&str>, form: &Form) -> Result<ClientAuth, OauthError> {
        let assertion = form.get("client_assertion").or(form.get("client_assertion_type"));
        let kinds = [authorization.is_some(), form.get("client_secret").is_some(), assertion.is_some()];
        if kinds.iter().filter(|there| **there).count() > 1 {
            return Err(OauthError::invalid_request("more than one kind of client authentication"));
        }
        let form_id = form.get("client_id");
        if let Some(header) = authorization {
            let (client_id, secret) = basic(header).ok_or_else(OauthError::invalid_client)?;
            if form_id.is_some_and(|id| id != client_id) {
                return Err(OauthError::invalid_request("client_id differs from the Authorization header"));
            }
            return Ok(ClientAuth::Secret { client_id, secret });
        }
        if assertion.is_some() {
            return Ok(ClientAuth::Assertion(ClientAssertion::read(form, form_id)?));
        }
        let Some(secret) = form.get("client_secret") else {
            let client_id = form_id.map(bounded_id).transpose()?;
            return Ok(ClientAuth::None { client_id });
        };
        let id = form_id.ok_or_else(|| OauthError::invalid_request("client_id is missing"))?;
        if secret.len() > CLIENT_SECRET_BYTES_MAX {
            return Err(OauthError::invalid_client());
        }
        Ok(ClientAuth::Secret {
            client_id: bounded_id(id)?,
            secret: SecretText(Secret::new(secret.to_owned())),
        })
    }

    /// Who the client claims to be.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match self {
            ClientAuth::Secret { client_id, .. } => Some(client_id),
            ClientAuth::Assertion(assertion) => Some(assertion.client_id()),
            ClientAuth::None { client_id } => client_id.as_deref(),
        }
    }
}

/// A `private_key_jwt` assertion that parses and names one client; its signature is not checked yet.
#[derive(Debug)]
pub struct ClientAssertion {
    jws: Jws,
    claims: Map<String, Value>,
    client_id: String,
}

/// What a door asks of an assertion.
#[derive(Debug, Clone, Copy)]
pub struct AssertionRules<'a> {
    /// Any of these is `aud`. The provider takes its issuer alone (RFC 7523 as FAPI 2.0 tightens it).
    pub audiences: &'a [&'a str],
    /// Algorithms that are taken; `None` for whatever the registered key states.
    pub algs: Option<&'a [SignAlg]>,
    /// Whether an assertion that has `iat` is good for [`FRESH_ASSERTION_S`] alone, whatever its `exp` says.
    pub is_fresh: bool,
}

/// An assertion that holds. Its `jti` must be spent before anything is done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// The client.
    pub client_id: String,
    /// Its unique id, to be spent once per client.
    pub jti: String,
    /// Until when the spent `jti` must be remembered.
    pub expires_at: Timestamp,
}

/// Why an assertion does not hold. The door answers 401 `invalid_client` to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionFault {
    /// `aud` names another server.
    #[error("the assertion is for another audience")]
    Audience,
    /// `exp` is missing, over, or more than [`ASSERTION_LIFE_S_MAX`] ahead.
    #[error("the assertion's life is over or too long")]
    Expiry,
    /// `iat` or `nbf` lies ahead or is no date.
    #[error("the assertion is not valid yet")]
    NotYet,
    /// The door does not take this algorithm.
    #[error("the assertion's algorithm is not taken")]
    Algorithm,
    /// `jti` is missing or too long.
    #[error("the assertion has no usable jti")]
    Jti,
    /// None or several of the client's keys fit.
    #[error("the assertion's key: {0}")]
    Key(LookupFault),
    /// The signature does not verify.
    #[error("the assertion's signature does not verify")]
    Signature,
}

impl From<AssertionFault> for OauthError {
    fn from(_: AssertionFault) -> OauthError {
        OauthError::invalid_client()
    }
}

impl ClientAssertion {
    fn read(form: &Form, form_id: Option<&str>) -> Result<ClientAssertion, OauthError> {
        if form.get("client_assertion_type") != Some(JWT_BEARER) {
            return Err(OauthError::invalid_request("client_assertion_type is missing or unknown"));
        }
        let compact = form
            .get("client_assertion")
            .ok_or_else(|| OauthError::invalid_request("client_assertion is missing"))?;
        ClientAssertion::parse(compact, form_id).ok_or_else(OauthError::invalid_client)
    }

    /// `iss` = `sub` = the client (RFC 7523, 3; OpenID Connect Core, 9), and `client_id` too if the form has one.
    fn parse(compact: &str, form_id: Option<&str>) -> Option<ClientAssertion> {
        let limits = Limits { bytes_max: ASSERTION_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(compact, &limits).ok()?;
        if !jws.typ().is_none_or(|typ| typ == "JWT" || typ == "client-authentication+jwt") {
            return None;
        }
        let Value::Object(claims) = wire::json(jws.payload(), ASSERTION_BYTES_MAX).ok()? else { return None };
        let client_id = wire::text(claims.get("sub"), CLIENT_ID_BYTES_MAX)?.to_owned();
        let issuer = wire::text(claims.get("iss"), CLIENT_ID_BYTES_MAX)?;
        if issuer != client_id || form_id.is_some_and(|id| id != client_id) {
            return None;
        }
        Some(ClientAssertion { jws, claims, client_id })
    }

    /// Who the assertion claims to be from, unproved: only for loading that client's keys.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Checks audience, dates, `jti` and the signature by one of the client's registered keys.
    ///
    /// # Errors
    /// [`AssertionFault`].
    pub fn verify(
        self,
        keys: &Jwks,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        self.verify_by(keys, &AssertionRules { audiences, algs: None, is_fresh: false }, now)
    }

    /// As [`ClientAssertion::verify`], by the rules of a door that asks for more.
    ///
    /// # Errors
    /// [`AssertionFault`].
    pub fn verify_by(
        self,
        keys: &Jwks,
        rules: &AssertionRules<'_>,
        now: Timestamp,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        if !audience_holds(self.claims.get("aud"), rules.audiences) {
            return Err(AssertionFault::Audience);
        }
        if rules.algs.is_some_and(|algs| !algs.contains(&self.jws.alg())) {
            return Err(AssertionFault::Algorithm);
        }
        let end_s = if rules.is_fresh { self.fresh_until(now)? } else { self.long_until(now)? };
        let jti = wire::text(self.claims.get("jti"), JTI_BYTES_MAX).ok_or(AssertionFault::Jti)?.to_owned();
        self.jws.verify_jwk(self.key(keys)?).map_err(|_| AssertionFault::Signature)?;
        let expires_at = Timestamp::from_second(end_s).map_err(|_| AssertionFault::Expiry)?;
        Ok(VerifiedAssertion { client_id: self.client_id, jti, expires_at })
    }

    /// `exp` at most [`ASSERTION_LIFE_S_MAX`] ahead, `iat` and `nbf` not in the future.
    fn long_until(&self, now: Timestamp) -> Result<i64, AssertionFault> {
        let now_s = now.as_second();
        let exp = wire::numeric_date(self.claims.get("exp")).ok_or(AssertionFault::Expiry)?;
        if exp <= now_s || exp > now_s + ASSERTION_LIFE_S_MAX {
            return Err(AssertionFault::Expiry);
        }
        for name in ["iat", "nbf"] {
            if self.date(name)?.is_some_and(|from| from > now_s + ASSERTION_SKEW_S) {
                return Err(AssertionFault::NotYet);
            }
        }
        Ok(exp)
    }

    /// With `iat`: good until a minute after it, or `exp` if that is sooner. Without: as [`ClientAssertion::long_until`].
    fn fresh_until(&self, now: Timestamp) -> Result<i64, AssertionFault> {
        let Some(iat) = self.date("iat")? else { return self.long_until(now) };
        let now_s = now.as_second();
        let ahead = now_s + FRESH_ASSERTION_AHEAD_S;
        if iat > ahead || self.date("nbf")?.is_some_and(|from| from > ahead) {
            return Err(AssertionFault::NotYet);
        }
        let exp = wire::numeric_date(self.claims.get("exp")).ok_or(AssertionFault::Expiry)?;
        let end = exp.min(iat.saturating_add(FRESH_ASSERTION_S));
        if end <= now_s { Err(AssertionFault::Expiry) } else { Ok(end) }
    }

    fn date(&self, name: &str) -> Result<Option<i64>, AssertionFault> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        wire::numeric_date(Some(value)).map(Some).ok_or(AssertionFault::NotYet)
    }

    /// The key of `kid`; without `kid` the client's only key.
    fn key<'k>(&self, keys: &'k Jwks) -> Result<&'k Jwk, AssertionFault> {
        let alg = self.jws.alg();
        let found = match self.jws.kid() {
            Some(kid) => keys.signing_key(kid, alg),
            None => keys.only_signing_key(alg),
        };
        found.map_err(AssertionFault::Key)
    }
}

fn bounded_id(id: &str) -> Result<String, OauthError> {
    if id.len() <= CLIENT_ID_BYTES_MAX { Ok(id.to_owned()) } else { Err(OauthError::invalid_client()) }
}

/// `Basic` with id and secret form-encoded inside (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<(String, SecretText)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 4 * CLIENT_SECRET_BYTES_MAX {
        return None;
    }
    let pair = crypto::base64::std_decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let id = form::decode(&pair[..colon]).ok()?;
    let secret = form::decode(&pair[colon + 1..]).ok()?;
    let fits = !id.is_empty() && id.len() <= CLIENT_ID_BYTES_MAX && secret.len() <= CLIENT_SECRET_BYTES_MAX;
    fits.then(|| (id, SecretText(Secret::new(secret))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::error::ErrorCode;
    use crate::oauth::form::{FORM_BYTES_MAX, encode};
    use crate::testing::{at, now, p256, sign};
    use crypto::jose::jws::Draft;
    use crypto::key::PrivateKey;
    use proptest::prelude::*;
    use serde_json::json;

    const TOKEN_ENDPOINT: &str = "https://house.example/oauth/token";

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::parse(encode(fields).as_bytes(), FORM_BYTES_MAX).unwrap()
    }

    fn assertion(compact: &str) -> Result<ClientAssertion, OauthError> {
        let fields = [("client_assertion_type", JWT_BEARER), ("client_assertion", compact)];
        match ClientAuth::read(None, &form(&fields))? {
            ClientAuth::Assertion(assertion) => Ok(assertion),
            other => panic!("read as {other:?}"),
        }
    }

    fn claims() -> Value {
        json!({"iss": "svc_1", "sub": "svc_1", "aud": TOKEN_ENDPOINT, "jti": "1", "iat": now().as_second(), "exp": at(60).as_second()})
    }

    fn draft(claims: &Value) -> Draft {
        Draft::new("JWT", claims.to_string())
    }

    fn verify(
        claims: &Value,
        key: &PrivateKey,
        registered: &PrivateKey,
    ) -> Result<VerifiedAssertion, AssertionFault> {
        let keys = Jwks::of(vec![Jwk::from_key(&registered.public())]);
        assertion(&sign(draft(claims), key)).unwrap().verify(&keys, &[TOKEN_ENDPOINT], now())
    }

    #[test]
    fn id_and_secret_are_read_from_the_header_and_from_the_form() {
        let header = format!("Basic {}", crypto::base64::std_encode(b"svc%5F1:s%3Acret"));
        let by_header = ClientAuth::read(Some(&header), &form(&[])).unwrap();
        let by_form =
            ClientAuth::read(None, &form(&[("client_id", "svc_1"), ("client_secret", "s:cret")])).unwrap();
        for auth in [by_header, by_form] {
            assert_eq!(auth.client_id(), Some("svc_1"));
            let ClientAuth::Secret { secret, .. } = auth else { panic!() };
            assert!(secret.matches_sha256(&crypto::hash::sha256(b"s:cret")));
            assert!(!secret.matches_sha256(&crypto::hash::sha256(b"other")));
            assert!(!format!("{secret:?}").contains("s:cret"));
        }
    }

    #[test]
    fn two_kinds_of_client_authentication_are_refused() {
        let header = format!("Basic {}", crypto::base64::std_encode(b"a:b"));
        let refused = ClientAuth::read(Some(&header), &form(&[("client_id", "a"), ("client_secret", "b")]));
        assert_eq!(refused.unwrap_err().error, ErrorCode::InvalidRequest);
        let other_id = ClientAuth::read(Some(&header), &form(&[("client_id", "z")]));
        assert_eq!(other_id.unwrap_err().error, ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_header_that_is_not_basic_or_not_base64_is_invalid_client() {
        for header in ["Bearer abc", "Basic", "Basic !", "Basic YQ", "Basic OmI=", "Digest YTpi"] {
            let refused = ClientAuth::read(Some(header), &form(&[])).unwrap_err();
            assert_eq!((refused.status, refused.error), (401, ErrorCode::InvalidClient), "{header}");
        }
    }

    #[test]
    fn a_good_assertion_names_its_client_and_its_jti() {
        let key = p256();
        let verified = verify(&claims(), &key, &key).unwrap();
        assert_eq!(
            verified,
            VerifiedAssertion { client_id: "svc_1".into(), jti: "1".into(), expires_at: at(60) }
        );
    }

    #[test]
    fn an_assertion_by_another_key_for_another_server_or_without_jti_is_refused() {
        let key = p256();
        assert_eq!(verify(&claims(), &p256(), &key), Err(AssertionFault::Signature));
        let changed = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            verify(&claims, &key, &key).unwrap_err()
        };
        assert_eq!(changed("aud", json!("https://other.example/token")), AssertionFault::Audience);
        assert_eq!(changed("jti", json!("")), AssertionFault::Jti);
        assert_eq!(changed("exp", json!(now().as_second())), AssertionFault::Expiry);
        assert_eq!(changed("exp", json!(at(ASSERTION_LIFE_S_MAX + 1).as_second())), AssertionFault::Expiry);
        assert_eq!(changed("exp", Value::Null), AssertionFault::Expiry);
        assert_eq!(changed("nbf", json!(at(ASSERTION_SKEW_S + 1).as_second())), AssertionFault::NotYet);
    }

    #[test]
    fn a_fresh_assertion_is_good_for_a_minute_after_it_was_made_whatever_it_says_of_its_end() {
        let key = p256();
        let keys = Jwks::of(vec![Jwk::from_key(&key.public())]);
        let rules =
            AssertionRules { audiences: &[TOKEN_ENDPOINT], algs: Some(&[SignAlg::Es256]), is_fresh: true };
        let verify = |claims: &Value, now| {
            assertion(&sign(draft(claims), &key)).unwrap().verify_by(&keys, &rules, now)
        };
        let mut long = claims();
        long["exp"] = json!(at(3_600).as_second());
        assert_eq!(verify(&long, at(59)).unwrap().expires_at, at(60));
        assert_eq!(verify(&long, at(60)), Err(AssertionFault::Expiry));
        assert_eq!(verify(&claims(), at(-11)), Err(AssertionFault::NotYet));
        let mut undated = claims();
        undated.as_object_mut().unwrap().remove("iat");
        assert!(verify(&undated, now()).is_ok());
        undated["exp"] = json!(at(301).as_second());
        assert_eq!(verify(&undated, now()), Err(AssertionFault::Expiry));
        let other = AssertionRules { algs: Some(&[SignAlg::EdDsa]), ..rules };
        let refused = assertion(&sign(draft(&claims()), &key)).unwrap().verify_by(&keys, &other, now());
        assert_eq!(refused, Err(AssertionFault::Algorithm));
    }

    #[test]
    fn an_assertion_whose_issuer_is_not_its_subject_is_invalid_client() {
        let mut other = claims();
        other["iss"] = json!("svc_2");
        assert_eq!(assertion(&sign(draft(&other), &p256())).unwrap_err().error, ErrorCode::InvalidClient);
    }

    #[test]
    fn an_assertion_by_a_mac_under_the_public_key_is_invalid_client() {
        let public = p256().public().spki_der();
        let input = draft(&claims()).with("alg", "HS256").signing_input();
        let forged =
            crypto::jose::jws::assemble(&input, &crypto::hash::hmac_sha256(&public, &[input.as_bytes()]));
        assert_eq!(assertion(&forged).unwrap_err().error, ErrorCode::InvalidClient);
    }

    #[test]
    fn a_token_of_another_kind_is_no_assertion() {
        let token = sign(Draft::new("at+jwt", claims().to_string()), &p256());
        assert_eq!(assertion(&token).unwrap_err().error, ErrorCode::InvalidClient);
    }

    #[test]
    fn without_kid_a_client_with_two_keys_must_name_one() {
        let key = p256();
        let keys = Jwks::of(vec![Jwk::from_key(&key.public()), Jwk::from_key(&p256().public())]);
        let refused =
            assertion(&sign(draft(&claims()), &key)).unwrap().verify(&keys, &[TOKEN_ENDPOINT], now());
        assert_eq!(refused, Err(AssertionFault::Key(LookupFault::Ambiguous)));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(header in ".{0,80}", encoded in "[A-Za-z0-9+/=]{0,40}") {
            let _ = ClientAuth::read(Some(&header), &form(&[]));
            let _ = ClientAuth::read(Some(&format!("Basic {encoded}")), &form(&[]));
        }
    }
}
