//! Signed requests (RFC 9101; OpenID Connect Core 1.0, 6.1): a JWT by the relying party's own key.

use super::client::CLIENT_ALGS;
use super::request::{ECHO_BYTES_MAX, Parameters};
use crate::oauth::access_token::audience_holds;
use crate::oauth::error::{ErrorCode, OauthError};
use crate::oauth::jwks::Jwks;
use crate::wire;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Most bytes of a request object.
pub const OBJECT_BYTES_MAX: usize = 32 * 1024;

/// An object may end at most this far ahead (FAPI 2.0 Message Signing: 60 minutes).
pub const OBJECT_LIFE_S_MAX: i64 = 3_600;

/// Seconds that the relying party's clock may be ahead of ours.
pub const OBJECT_AHEAD_S_MAX: i64 = 10;

/// A signed request that parses; nothing is proved yet.
#[derive(Debug)]
pub struct RequestObject {
    jws: Jws,
    claims: Map<String, Value>,
}

/// Why a signed request does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectFault {
    /// Not a compact JWS with a JSON object inside, of another type, encrypted, or unsigned.
    #[error("the request object cannot be read")]
    Malformed,
    /// An algorithm that is not taken, or no one key of the client fits.
    #[error("the request object's key or algorithm is not the client's")]
    Key,
    /// The signature does not verify.
    #[error("the request object's signature does not verify")]
    Signature,
    /// `iss` or `client_id` is not the client, or `aud` is not us.
    #[error("the request object is not from this client to this provider")]
    Parties,
    /// `exp` is missing, over or too far; `nbf` or `iat` lies ahead.
    #[error("the request object is out of its dates")]
    Dates,
    /// A parameter has a form that no request has, or the object holds another one.
    #[error("a parameter of the request object has the wrong form")]
    Parameter,
}

impl From<ObjectFault> for OauthError {
    fn from(_: ObjectFault) -> OauthError {
        OauthError::of(ErrorCode::InvalidRequestObject, "the request object does not hold")
    }
}

impl RequestObject {
    /// Reads the `request` parameter.
    ///
    /// # Errors
    /// [`ObjectFault::Malformed`].
    pub fn parse(compact: &str) -> Result<RequestObject, ObjectFault> {
        let limits = Limits { bytes_max: OBJECT_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(compact, &limits).map_err(|_| ObjectFault::Malformed)?;
        // RFC 9101, 4: the type may be missing; of the others only these are requests.
        let is_request = jws.typ().is_none_or(|typ| {
            ["oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "JWT"].contains(&typ)
        });
        match wire::json(jws.payload(), OBJECT_BYTES_MAX) {
            Ok(Value::Object(claims)) if is_request => Ok(RequestObject { jws, claims }),
            _ => Err(ObjectFault::Malformed),
        }
    }

    /// Who the object says sends it, unproved: only for loading that client's keys.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        wire::text(self.claims.get("client_id"), crate::oauth::client_auth::CLIENT_ID_BYTES_MAX)
    }

    /// Checks parties, dates and signature, and gives the parameters inside.
    ///
    /// # Errors
    /// [`ObjectFault`].
    pub fn verify(
        self,
        keys: &Jwks,
        client_id: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Parameters, ObjectFault> {
        let from_client =
            ["iss", "client_id"].iter().all(|name| self.claims.get(*name) == Some(&Value::from(client_id)));
        if !from_client || !audience_holds(self.claims.get("aud"), &[issuer]) {
            return Err(ObjectFault::Parties);
        }
        self.check_dates(now.as_second())?;
        let alg = self.jws.alg();
        if !CLIENT_ALGS.contains(&alg) {
            return Err(ObjectFault::Key);
        }
        let key = match self.jws.kid() {
            Some(kid) => keys.signing_key(kid, alg),
            None => keys.only_signing_key(alg),
        };
        self.jws.verify_jwk(key.map_err(|_| ObjectFault::Key)?).map_err(|_| ObjectFault::Signature)?;
        self.parameters()
    }

    fn check_dates(&self, now_s: i64) -> Result<(), ObjectFault> {
        let exp = wire::numeric_date(self.claims.get("exp")).ok_or(ObjectFault::Dates)?;
        if exp <= now_s || exp > now_s + OBJECT_LIFE_S_MAX {
            return Err(ObjectFault::Dates);
        }
        for name in ["nbf", "iat"] {
            if let Some(value) = self.claims.get(name) {
                let from = wire::numeric_date(Some(value)).ok_or(ObjectFault::Dates)?;
                if from > now_s + OBJECT_AHEAD_S_MAX {
                    return Err(ObjectFault::Dates);
                }
            }
        }
        Ok(())
    }

    /// Texts as they are, `max_age` as its digits, `claims` as its JSON; a request inside a request is none (RFC 9101, 4).
    fn parameters(self) -> Result<Parameters, ObjectFault> {
        if self.claims.contains_key("request") || self.claims.contains_key("request_uri") {
            return Err(ObjectFault::Parameter);
        }
        let mut pairs = Vec::new();
        for (name, value) in self.claims {
            let text = match (name.as_str(), value) {
                (_, Value::String(text)) => text,
                ("max_age", Value::Number(number)) => number.to_string(),
                ("claims", value @ Value::Object(_)) => value.to_string(),
                (known, _) if super::request::KNOWN.contains(&known) => return Err(ObjectFault::Parameter),
                _ => continue,
            };
            pairs.push((name, text));
        }
        Ok(Parameters::of_pairs(pairs))
    }
}

// A nonce inside an object is bounded as one in a form is.
const _: () = assert!(ECHO_BYTES_MAX < OBJECT_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, now, p256, sign};
    use crypto::jose::jws::Draft;
    use crypto::jwk::Jwk;
    use crypto::key::PrivateKey;
    use proptest::prelude::*;
    use serde_json::json;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn claims() -> Value {
        json!({"iss": "rp_shop", "aud": ISSUER, "client_id": "rp_shop", "exp": at(300).as_second(), "iat": now().as_second(),
            "response_type": "code", "scope": "openid", "max_age": 5, "claims": {"userinfo": {}}, "other": [1]})
    }

    fn verify(claims: &Value, key: &PrivateKey, registered: &PrivateKey) -> Result<Parameters, ObjectFault> {
        let text = sign(Draft::new("oauth-authz-req+jwt", claims.to_string()), key);
        let keys = Jwks::of(vec![Jwk::from_key(&registered.public())]);
        RequestObject::parse(&text)?.verify(&keys, "rp_shop", ISSUER, now())
    }

    #[test]
    fn the_parameters_of_a_signed_request_are_those_of_a_form() {
        let key = p256();
        let parameters = verify(&claims(), &key, &key).unwrap();
        assert_eq!(parameters.get("scope"), Some("openid"));
        assert_eq!(parameters.get("max_age"), Some("5"));
        assert_eq!(parameters.get("claims"), Some(r#"{"userinfo":{}}"#));
    }

    #[test]
    fn an_object_by_another_key_from_another_client_for_another_server_or_out_of_date_is_refused() {
        let key = p256();
        assert_eq!(verify(&claims(), &p256(), &key), Err(ObjectFault::Signature));
        let changed = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            verify(&claims, &key, &key).unwrap_err()
        };
        assert_eq!(changed("iss", json!("rp_other")), ObjectFault::Parties);
        assert_eq!(changed("client_id", Value::Null), ObjectFault::Parties);
        assert_eq!(changed("aud", json!("https://other.example")), ObjectFault::Parties);
        assert_eq!(changed("exp", Value::Null), ObjectFault::Dates);
        assert_eq!(changed("exp", json!(now().as_second())), ObjectFault::Dates);
        assert_eq!(changed("exp", json!(at(3_601).as_second())), ObjectFault::Dates);
        assert_eq!(changed("nbf", json!(at(11).as_second())), ObjectFault::Dates);
        assert_eq!(changed("scope", json!(["openid"])), ObjectFault::Parameter);
        assert_eq!(changed("request_uri", json!("urn:x")), ObjectFault::Parameter);
    }

    #[test]
    fn an_unsigned_object_a_mac_and_another_kind_of_token_are_refused() {
        for alg in ["none", "HS256"] {
            let input = Draft::new("JWT", claims().to_string()).with("alg", alg).signing_input();
            assert_eq!(RequestObject::parse(&format!("{input}.AAAA")).unwrap_err(), ObjectFault::Malformed);
        }
        let token = sign(Draft::new("at+jwt", claims().to_string()), &p256());
        assert_eq!(RequestObject::parse(&token).unwrap_err(), ObjectFault::Malformed);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[A-Za-z0-9._-]{0,120}") {
            let _ = RequestObject::parse(&text);
        }
    }
}
