//! What the provider signs: ID Tokens (OpenID Connect Core 1.0, 2) and access tokens (RFC 9068).

use super::acr::Acr;
use crate::oauth::access_token::{NAME_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::oauth::jwks::Jwks;
use crate::wire;
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::key::SignAlg;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `typ` of an ID Token: what most relying parties' libraries expect there.
pub const ID_TOKEN_TYP: &str = "JWT";

/// Algorithms that an ID Token may be signed with.
pub const ID_TOKEN_ALGS: [SignAlg; 4] = [SignAlg::Es256, SignAlg::Rs256, SignAlg::Ps256, SignAlg::EdDsa];

/// Claims of an ID Token. The person's own ones stand in `claims`, only if they were asked for there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdTokenClaims {
    /// The provider.
    pub iss: String,
    /// The person, for this relying party's sector alone.
    pub sub: String,
    /// The relying party.
    pub aud: String,
    /// Unix seconds of its end.
    pub exp: i64,
    /// Unix seconds of signing.
    pub iat: i64,
    /// Unix seconds of the approval.
    pub auth_time: i64,
    /// As it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How strongly.
    pub acr: Acr,
    /// By which means (RFC 8176).
    pub amr: Vec<String>,
    /// SHA-256 of the access token, left half (Core, 3.1.3.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// SHA-256 of the consent record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_hash: Option<String>,
    /// Random for each grant: it links no relying parties.
    pub sid: String,
    /// What was asked for in the ID Token and granted.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

/// Claims of an access token of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderTokenClaims {
    /// The provider.
    pub iss: String,
    /// The provider: it opens userinfo.
    pub aud: String,
    /// The person, for this relying party's sector alone.
    pub sub: String,
    /// The relying party.
    pub client_id: String,
    /// Granted scopes.
    pub scope: String,
    /// Unix seconds of signing.
    pub iat: i64,
    /// Unix seconds of its end.
    pub exp: i64,
    /// Id of the token.
    pub jti: String,
    /// Unix seconds of the approval.
    pub auth_time: i64,
    /// How strongly.
    pub acr: Acr,
    /// The key it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Which grant: userinfo and introspection read it, so that its end is the token's.
    pub sid: String,
}

/// `cnf` (RFC 9449, 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Thumbprint of the DPoP key.
    pub jkt: String,
}

impl IdTokenClaims {
    /// The token to be signed. Names that the standard gives a meaning cannot be taken by a claim of the person.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let own = serde_json::to_value(Self { claims: Map::new(), ..self.clone() }).unwrap_or_default();
        if let (Value::Object(all), Value::Object(own)) = (&mut value, own) {
            all.extend(own);
        }
        Draft::new(ID_TOKEN_TYP, value.to_string())
    }
}

/// `at_hash`: base64url of the left half of SHA-256 over the token; every algorithm here hashes with SHA-256, but EdDSA, for which
/// relying parties' libraries take SHA-512.
#[must_use]
pub fn at_hash(access_token: &str, alg: SignAlg) -> String {
    let bytes = access_token.as_bytes();
    if alg == SignAlg::EdDsa {
        return crypto::base64::url_encode(&crypto::hash::sha512(bytes)[..32]);
    }
    crypto::base64::url_encode(&crypto::hash::sha256(bytes)[..16])
}

impl ProviderTokenClaims {
    /// The token to be signed.
    #[must_use]
    pub fn draft(&self) -> Draft {
        Draft::new("at+jwt", serde_json::to_vec(self).expect("a struct of texts and integers serialises"))
    }
}

/// An ID Token of ours that a relying party gives back; its end does not matter (Core, 3.1.2.1; RP-Initiated Logout 1.0, 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTokenHint {
    /// Who was signed in.
    pub sub: String,
    /// At which relying party.
    pub client_id: String,
    /// By which grant.
    pub sid: Option<String>,
}

impl IdTokenHint {
    /// Reads a hint that one of `keys` signed for `issuer`; `None` for whatever else it is.
    #[must_use]
    pub fn verify(compact: &str, keys: &Jwks, issuer: &str) -> Option<IdTokenHint> {
        let limits = Limits { bytes_max: TOKEN_BYTES_MAX, depth_max: wire::DEPTH_MAX };
        let jws = Jws::parse(compact, &limits).ok()?;
        if jws.typ() != Some(ID_TOKEN_TYP) || !ID_TOKEN_ALGS.contains(&jws.alg()) {
            return None;
        }
        jws.verify_jwk(keys.signing_key(jws.kid()?, jws.alg()).ok()?).ok()?;
        let claims = wire::json(jws.payload(), TOKEN_BYTES_MAX).ok()?;
        let text = |name: &str| wire::text(claims.get(name), NAME_BYTES_MAX).map(str::to_owned);
        if text("iss")? != issuer {
            return None;
        }
        Some(IdTokenHint { sub: text("sub")?, client_id: text("aud")?, sid: text("sid") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, now, p256, sign};
    use crypto::jwk::Jwk;
    use serde_json::json;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn claims() -> IdTokenClaims {
        IdTokenClaims {
            iss: ISSUER.to_owned(),
            sub: "s-1".to_owned(),
            aud: "rp_shop".to_owned(),
            exp: at(300).as_second(),
            iat: now().as_second(),
            auth_time: now().as_second(),
            nonce: Some("n".to_owned()),
            acr: Acr::Code,
            amr: vec!["swk".to_owned(), "otp".to_owned()],
            at_hash: None,
            consent_hash: Some("h".to_owned()),
            sid: "x".to_owned(),
            claims: Map::new(),
        }
    }

    #[test]
    fn a_claim_of_the_person_never_takes_the_place_of_one_of_the_token() {
        let mut forged = claims();
        forged.claims =
            json!({"sub": "other", "acr": "phrh", "given_name": "Ana"}).as_object().unwrap().clone();
        let payload: Value = serde_json::from_slice(&forged.draft().payload).unwrap();
        assert_eq!(
            (&payload["sub"], &payload["acr"], &payload["given_name"]),
            (&json!("s-1"), &json!("seal:code"), &json!("Ana"))
        );
    }

    #[test]
    fn at_hash_is_that_of_openid_connect_core_3_1_3_6() {
        // OpenID Connect Core 1.0, A.3 and A.4: the access token and at_hash of its examples.
        assert_eq!(
            at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", SignAlg::Rs256),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }

    #[test]
    fn a_hint_is_read_only_if_we_signed_it_and_for_us() {
        let key = p256();
        let mut jwk = Jwk::from_key(&key.public()).to_value();
        jwk["kid"] = json!("k");
        let keys = Jwks::from_value(&json!({"keys": [jwk]})).unwrap();
        let hint = sign(claims().draft().with("kid", "k"), &key);
        let read = IdTokenHint::verify(&hint, &keys, ISSUER).unwrap();
        assert_eq!((read.sub.as_str(), read.client_id.as_str()), ("s-1", "rp_shop"));
        assert_eq!(IdTokenHint::verify(&hint, &keys, "https://other.example"), None);
        assert_eq!(
            IdTokenHint::verify(&sign(claims().draft().with("kid", "k"), &p256()), &keys, ISSUER),
            None
        );
        let access =
            Draft { header: json!({"typ": "at+jwt"}).as_object().unwrap().clone(), ..claims().draft() };
        assert_eq!(IdTokenHint::verify(&sign(access.with("kid", "k"), &key), &keys, ISSUER), None);
    }
}
