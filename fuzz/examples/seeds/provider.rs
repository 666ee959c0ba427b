//! Samples for what relying parties and browsers send to the OpenID Provider.

use crypto::jwk::Jwk;
use openid::oauth::form::encode;
use serde_json::{Map, Value, json};
use tessera_fuzz::fixed::{ISSUER, now, parties};
use tessera_fuzz::openid::KID;
use tessera_fuzz::provider::{SHOP, TOKEN_URL, good_form, good_request};

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("oauth_dpop", dpop_proofs()),
        ("oauth_pkce", pkce()),
        ("oidc_request", requests()),
        ("oidc_request_object", objects()),
        ("oidc_token_request", token_requests()),
        ("oidc_id_token_hint", hints()),
    ]
}

fn signed(header: &Value, claims: &Value) -> Vec<u8> {
    format!("{header}\n{claims}").into_bytes()
}

fn dpop_proofs() -> Vec<Vec<u8>> {
    let jwk = Jwk::from_key(&parties().holder.public()).to_value();
    let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk});
    let claims = |iat: i64| json!({"htm": "POST", "htu": TOKEN_URL, "iat": iat, "jti": "j-1"});
    let at = now().as_second();
    let bound = json!({"htm": "POST", "htu": TOKEN_URL, "iat": at, "jti": "j-1", "ath": "a", "nonce": "n"});
    vec![signed(&header, &claims(at)), signed(&header, &claims(at - 3_600)), signed(&header, &bound)]
}

/// RFC 7636, appendix B.
fn pkce() -> Vec<Vec<u8>> {
    texts([
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\ndBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\nshort",
    ])
}

fn requests() -> Vec<Vec<u8>> {
    let claims = r#"{"id_token":{"acr":{"essential":true,"value":"phr"}},"userinfo":{"age_over_18":null}}"#;
    let all = [
        good_form(&[]),
        good_form(&[("claims", claims)]),
        good_form(&[("acr_values", "phrh phr"), ("max_age", "60"), ("prompt", "login")]),
        good_form(&[("ui_locales", "de en"), ("login_hint", "K7QF-3M2P"), ("dpop_jkt", "x")]),
        good_form(&[]).replace("S256", "plain"),
    ];
    all.map(String::into_bytes).to_vec()
}

fn objects() -> Vec<Vec<u8>> {
    let at = now().as_second();
    let mut claims: Map<String, Value> =
        good_request(&[]).into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    for (name, value) in
        [("iss", json!(SHOP)), ("aud", json!(ISSUER)), ("iat", json!(at)), ("nbf", json!(at)), ("exp", json!(at + 300))]
    {
        claims.insert(name.to_owned(), value);
    }
    let header = json!({"alg": "ES256", "kid": KID, "typ": "oauth-authz-req+jwt"});
    let good = signed(&header, &Value::Object(claims.clone()));
    claims.insert("max_age".to_owned(), json!(60));
    claims.insert("claims".to_owned(), json!({"userinfo": {"age_over_18": null}}));
    vec![good, signed(&header, &Value::Object(claims))]
}

fn token_requests() -> Vec<Vec<u8>> {
    let code = encode(&[
        ("grant_type", "authorization_code"),
        ("code", "a-code-of-enough-characters"),
        ("redirect_uri", "https://shop.example/cb"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ]);
    let refresh = encode(&[("grant_type", "refresh_token"), ("refresh_token", "r"), ("scope", "openid")]);
    let mut all = [code, refresh, encode(&[("token", "t"), ("token_type_hint", "access_token")])]
        .map(String::into_bytes)
        .to_vec();
    all.extend(texts([r#"{"id_token":{"sub":{"value":"s"},"acr":{"values":["phr","x"]}},"userinfo":{"name":null}}"#]));
    all
}

fn hints() -> Vec<Vec<u8>> {
    let header = json!({"alg": "ES256", "kid": KID, "typ": "JWT"});
    let claims = json!({"iss": ISSUER, "sub": "s", "aud": SHOP, "exp": 1, "iat": 0, "sid": "gra_1"});
    vec![signed(&header, &claims), signed(&header, &json!({"iss": ISSUER, "sub": "s"}))]
}
