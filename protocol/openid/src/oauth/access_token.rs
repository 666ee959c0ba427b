//! Access tokens that are JWTs (RFC 9068): ours are drafted here, ours and those of an outside issuer are checked here.

use super::error::{ErrorCode, OauthError};
use super::jwks::{Jwks, LookupFault};
use crate::wire;
use crypto::jose::jws::{Draft, Jws, JwsError};
use crypto::json::Limits;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most bytes of a bearer token; it must fit a header line.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Most audiences of one token.
pub const AUDIENCES_MAX: usize = 16;

/// Most bytes of `iss`, `sub`, `aud`, `jti`.
pub const NAME_BYTES_MAX: usize = 512;

/// Furthest a clock may be off, in seconds, whatever an operator configures.
pub const SKEW_S_MAX: i64 = 300;

/// Claims of a token that we sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Issuer: the public URL of this house.
    pub iss: String,
    /// Audience: the base of the API.
    pub aud: String,
    /// Who acts; of a service account its id.
    pub sub: String,
    /// The OAuth client; of a service account its id too.
    pub client_id: String,
    /// The one tenant the token opens.
    pub tenant: String,
    /// Roles within that tenant.
    pub roles: Vec<String>,
    /// Granted scope, if scopes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Unix seconds of signing.
    pub iat: i64,
    /// Unix seconds of its end.
    pub exp: i64,
    /// Id of the token.
    pub jti: String,
}

impl AccessTokenClaims {
    /// The token to be signed; the signer adds `alg` and `kid`.
    #[must_use]
    pub fn draft(&self) -> Draft {
        Draft::new("at+jwt", serde_json::to_vec(self).expect("a struct of texts and integers serialises"))
    }

    /// The claims of a token that was verified to be ours.
    ///
    /// # Errors
    /// [`TokenFault::Claims`] when one of our own claims is missing.
    pub fn read(token: &VerifiedToken) -> Result<AccessTokenClaims, TokenFault> {
        wire::shape(Value::Object(token.claims.clone())).map_err(|_| TokenFault::Claims)
    }
}

/// What a token must say to be taken at a door.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`, byte by byte.
    pub issuer: &'a str,
    /// One of `aud`.
    pub audience: &'a str,
    /// Algorithms this issuer may sign with.
    pub algs: &'a [SignAlg],
    /// Seconds that clocks may differ; never more than [`SKEW_S_MAX`].
    pub skew_s: i64,
}

/// A token that parses but proves nothing yet.
#[derive(Debug)]
pub struct AccessToken {
    jws: Jws,
    claims: Map<String, Value>,
}

/// A token whose signature, issuer, audience and dates hold.
#[derive(Clone)]
pub struct VerifiedToken {
    /// `sub`.
    pub subject: String,
    /// `client_id`, or `azp` where an outside issuer writes that.
    pub client_id: Option<String>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// Every claim, for the issuer's own ones.
    pub claims: Map<String, Value>,
}

/// Why a token was not taken. To a stranger all of them read alike: see [`TokenFault::answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Not a compact JWS of at most [`TOKEN_BYTES_MAX`] bytes with a JSON object inside.
    #[error("the token cannot be read")]
    Malformed,
    /// `alg` is `none`, symmetric, unknown or not in the issuer's list.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// `typ` is neither `at+jwt` nor `JWT`.
    #[error("the token is of another type")]
    Type,
    /// `iss` differs.
    #[error("the token comes from another issuer")]
    Issuer,
    /// `aud` does not name us.
    #[error("the token is for another audience")]
    Audience,
    /// No `kid`, or no one key for it; [`LookupFault::Unknown`] may heal by fetching the set again.
    #[error("the token's key: {0}")]
    Key(LookupFault),
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYet,
    /// A compulsory claim is missing or has the wrong type.
    #[error("a claim of the token is missing or has the wrong type")]
    Claims,
}

impl TokenFault {
    /// What the door answers: 401 `invalid_token`, the same for every fault.
    #[must_use]
    pub fn answer(self) -> OauthError {
        OauthError::of(ErrorCode::InvalidToken, "the access token is not valid")
    }
}

impl AccessToken {
    /// Parses a bearer token; nothing is proved yet.
    ///
    /// # Errors
    /// [`TokenFault::Malformed`], [`TokenFault::Algorithm`], [`TokenFault::Type`].
    pub fn parse(token: &str) -> Result<AccessToken, TokenFault> {
        let limits = Limits { bytes_max: TOKEN_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(token, &limits).map_err(|fault| match fault {
            JwsError::UnsupportedAlg => TokenFault::Algorithm,
            _ => TokenFault::Malformed,
        })?;
        if !jws.typ().is_some_and(is_access_token_type) {
            return Err(TokenFault::Type);
        }
        match wire::json(jws.payload(), TOKEN_BYTES_MAX) {
            Ok(Value::Object(claims)) => Ok(AccessToken { jws, claims }),
            _ => Err(TokenFault::Malformed),
        }
    }

    /// The issuer the token names, unproved: only for choosing whose keys to try.
    #[must_use]
    pub fn claimed_issuer(&self) -> Option<&str> {
        wire::text(self.claims.get("iss"), NAME_BYTES_MAX)
    }

    /// The `kid` the token names.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// Checks issuer, audience, key, signature and dates.
    ///
    /// # Errors
    /// [`TokenFault`]. A key that the token brings itself (`jwk`, `jku`, `x5c`, `x5u`) is never looked at.
    pub fn verify(
        self,
        keys: &Jwks,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenFault> {
        if self.claimed_issuer() != Some(expected.issuer) {
            return Err(TokenFault::Issuer);
        }
        if !audience_holds(self.claims.get("aud"), &[expected.audience]) {
            return Err(TokenFault::Audience);
        }
        if !expected.algs.contains(&self.jws.alg()) {
            return Err(TokenFault::Algorithm);
        }
        let kid = self.kid().ok_or(TokenFault::Key(LookupFault::Unknown))?;
        let key = keys.signing_key(kid, self.jws.alg()).map_err(TokenFault::Key)?;
        self.jws.verify_jwk(key).map_err(|_| TokenFault::Signature)?;
        let expires_at = check_dates(&self.claims, expected.skew_s.clamp(0, SKEW_S_MAX), now)?;
        let subject =
            wire::text(self.claims.get("sub"), NAME_BYTES_MAX).ok_or(TokenFault::Claims)?.to_owned();
        let client_id =
            ["client_id", "azp"].iter().find_map(|name| wire::text(self.claims.get(*name), NAME_BYTES_MAX));
        Ok(VerifiedToken {
            subject,
            client_id: client_id.map(str::to_owned),
            expires_at,
            claims: self.claims,
        })
    }
}

impl std::fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Whether `aud`, a text or a short list of texts (RFC 7519, 4.1.3), names one of `accepted`.
pub(crate) fn audience_holds(aud: Option<&Value>, accepted: &[&str]) -> bool {
    match aud {
        Some(Value::String(one)) => accepted.contains(&one.as_str()),
        Some(Value::Array(several)) if several.len() <= AUDIENCES_MAX => {
            several.iter().all(Value::is_string)
                && several.iter().filter_map(Value::as_str).any(|one| accepted.contains(&one))
        }
        _ => false,
    }
}

/// RFC 9068, 4: `at+jwt`; `JWT` is what outside issuers still write. Media type names ignore case.
fn is_access_token_type(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "JWT"].iter().any(|known| known.eq_ignore_ascii_case(typ))
}

fn check_dates(claims: &Map<String, Value>, skew_s: i64, now: Timestamp) -> Result<Timestamp, TokenFault> {
    let now_s = now.as_second();
    let exp = wire::numeric_date(claims.get("exp")).ok_or(TokenFault::Claims)?;
    if exp.saturating_add(skew_s) <= now_s {
        return Err(TokenFault::Expired);
    }
    for name in ["nbf", "iat"] {
        if let Some(value) = claims.get(name) {
            let from = wire::numeric_date(Some(value)).ok_or(TokenFault::Claims)?;
            if from > now_s.saturating_add(skew_s) {
                return Err(TokenFault::NotYet);
            }
        }
    }
    Timestamp::from_second(exp).map_err(|_| TokenFault::Claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, now, p256, sign};
    use crypto::jwk::Jwk;
    use crypto::key::PrivateKey;
    use proptest::prelude::*;
    use serde_json::json;

    fn claims() -> AccessTokenClaims {
        AccessTokenClaims {
            iss: "https://house.example".to_owned(),
            aud: "https://house.example/api/v1".to_owned(),
            sub: "svc_1".to_owned(),
            client_id: "svc_1".to_owned(),
            tenant: "default".to_owned(),
            roles: vec!["issuer-operator".to_owned()],
            scope: None,
            iat: now().as_second(),
            exp: at(900).as_second(),
            jti: "1".to_owned(),
        }
    }

    fn keys(key: &PrivateKey) -> Jwks {
        let mut value = Jwk::from_key(&key.public()).to_value();
        value["kid"] = json!("k");
        Jwks::from_value(&json!({ "keys": [value] })).unwrap()
    }

    fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://house.example",
            audience: "https://house.example/api/v1",
            algs: &[SignAlg::Es256],
            skew_s: 60,
        }
    }

    fn outcome(draft: Draft, at: Timestamp) -> Result<VerifiedToken, TokenFault> {
        let key = p256();
        AccessToken::parse(&sign(draft.with("kid", "k"), &key))?.verify(&keys(&key), &expected(), at)
    }

    /// The token with one claim changed, or taken away by `null`.
    fn with(name: &str, value: Value) -> Draft {
        let mut changed = serde_json::to_value(claims()).unwrap();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        } else {
            changed[name] = value;
        }
        Draft::new("at+jwt", changed.to_string())
    }

    #[test]
    fn a_token_of_ours_is_read_back_with_all_its_claims() {
        let token = outcome(claims().draft(), now()).unwrap();
        assert_eq!(AccessTokenClaims::read(&token).unwrap(), claims());
        assert_eq!((token.subject.as_str(), token.expires_at), ("svc_1", at(900)));
    }

    #[test]
    fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
        let issuer = outcome(with("iss", json!("https://house.example/")), now());
        assert_eq!(issuer.unwrap_err(), TokenFault::Issuer);
        for audience in [
            json!("https://other.example"),
            json!([]),
            json!(["https://house.example/api/v1", 1]),
            Value::Null,
        ] {
            assert_eq!(outcome(with("aud", audience), now()).unwrap_err(), TokenFault::Audience);
        }
        assert!(outcome(with("aud", json!(["x", "https://house.example/api/v1"])), now()).is_ok());
    }

    #[test]
    fn a_token_out_of_its_dates_is_refused_beyond_the_skew() {
        assert!(outcome(claims().draft(), at(959)).is_ok());
        assert_eq!(outcome(claims().draft(), at(960)).unwrap_err(), TokenFault::Expired);
        assert_eq!(outcome(with("nbf", json!(at(61).as_second())), now()).unwrap_err(), TokenFault::NotYet);
        assert_eq!(outcome(with("iat", json!(at(61).as_second())), now()).unwrap_err(), TokenFault::NotYet);
        assert_eq!(outcome(with("exp", Value::Null), now()).unwrap_err(), TokenFault::Claims);
        assert_eq!(outcome(with("exp", json!("soon")), now()).unwrap_err(), TokenFault::Claims);
        assert_eq!(outcome(with("sub", Value::Null), now()).unwrap_err(), TokenFault::Claims);
    }

    #[test]
    fn a_token_of_another_type_is_refused_so_that_no_id_token_opens_a_door() {
        for typ in ["id+jwt", "dc+sd-jwt", ""] {
            let draft = Draft { ..Draft::new(typ, claims().draft().payload) };
            assert_eq!(outcome(draft, now()).unwrap_err(), TokenFault::Type, "{typ}");
        }
        for typ in ["JWT", "application/at+jwt", "AT+JWT"] {
            assert!(outcome(Draft::new(typ, claims().draft().payload), now()).is_ok(), "{typ}");
        }
    }

    #[test]
    fn a_token_signed_by_a_key_it_brings_itself_is_refused() {
        let (ours, theirs) = (p256(), p256());
        let jwk = Jwk::from_key(&theirs.public()).to_value();
        let token = sign(claims().draft().with("kid", "k").with("jwk", jwk), &theirs);
        let refused = AccessToken::parse(&token).unwrap().verify(&keys(&ours), &expected(), now());
        assert_eq!(refused.unwrap_err(), TokenFault::Signature);
    }

    #[test]
    fn alg_none_and_a_mac_are_refused_before_anything_else() {
        for alg in ["none", "HS256", "RSA-OAEP"] {
            let draft = claims().draft().with("alg", alg).with("kid", "k");
            let token = crypto::jose::jws::assemble(&draft.signing_input(), b"x");
            assert_eq!(AccessToken::parse(&token).unwrap_err(), TokenFault::Algorithm, "{alg}");
        }
    }

    #[test]
    fn an_algorithm_outside_the_list_and_an_unknown_kid_are_refused() {
        let key = p256();
        let token = sign(claims().draft().with("kid", "k"), &key);
        let rsa_only = Expected { algs: &[SignAlg::Ps256], ..expected() };
        let refused = AccessToken::parse(&token).unwrap().verify(&keys(&key), &rsa_only, now());
        assert_eq!(refused.unwrap_err(), TokenFault::Algorithm);
        let unknown = AccessToken::parse(&sign(claims().draft().with("kid", "z"), &key)).unwrap();
        let refused = unknown.verify(&keys(&key), &expected(), now()).unwrap_err();
        assert_eq!(refused, TokenFault::Key(LookupFault::Unknown));
        let nameless = AccessToken::parse(&sign(claims().draft(), &key)).unwrap();
        assert!(nameless.verify(&keys(&key), &expected(), now()).is_err());
    }

    #[test]
    fn every_fault_reads_alike_to_a_stranger() {
        let answers = [TokenFault::Expired, TokenFault::Signature, TokenFault::Key(LookupFault::Unknown)];
        assert!(answers.iter().all(|fault| fault.answer() == TokenFault::Issuer.answer()));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}", jws in "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,20}") {
            let _ = AccessToken::parse(&text);
            let _ = AccessToken::parse(&jws);
        }
    }
}
