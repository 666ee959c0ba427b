//! Targets of the OpenID Provider's side of `protocol/openid`: what relying parties and browsers send.

use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use openid::oauth::dpop::{DpopProof, Expected};
use openid::oauth::form::{FORM_BYTES_MAX, Form, encode};
use openid::oauth::pkce::CodeChallenge;
use openid::oauth::Jwks;
use openid::oidc::introspection;
use openid::oidc::token::TokenRequest;
use openid::oidc::{AuthMethod, Client, ClaimsRequest, IdTokenHint, Parameters, RequestObject, Vocabulary};
use serde_json::json;

use crate::fixed::{self, ISSUER, parties};
use crate::input::{self, halves, text};
use crate::openid::KID;

/// The relying party of requests.
pub const SHOP: &str = "rp_shop";
/// Where its browser goes.
pub const CALLBACK: &str = "https://shop.example/cb";
/// The door that proofs are for.
pub const TOKEN_URL: &str = "https://i.example/t/a/idp/token";
/// What it may ask for.
const SCOPES: [&str; 3] = ["openid", "offline_access", "identity:age_over_18"];

/// `{header}\n{claims}` signed by the fixed key: a proof holds for its own key, method and address alone.
pub fn oauth_dpop(bytes: &[u8]) {
    let Some(proof) = input::signed(bytes, &parties().holder) else { return };
    let at = |url| Expected { method: "POST", url, access_token: None, nonces: &[] };
    let check = |expected: &Expected<'_>| {
        DpopProof::parse(&proof).and_then(|proof| proof.check(expected, fixed::now()))
    };
    let Ok(proved) = check(&at(TOKEN_URL)) else { return };
    assert_eq!(proved.thumbprint, Jwk::from_key(&parties().holder.public()).thumbprint(), "it brought its own key");
    assert!(proved.expires_at > fixed::now());
    assert!(check(&at("https://i.example/t/b/idp/token")).is_err());
    assert!(check(&Expected { method: "GET", ..at(TOKEN_URL) }).is_err());
    assert!(check(&Expected { access_token: Some("another"), ..at(TOKEN_URL) }).is_err());
    input::accepted();
}

/// `challenge\nverifier`: what is read is written back, and one verifier meets it.
pub fn oauth_pkce(bytes: &[u8]) {
    let (challenge, verifier) = halves(bytes);
    let (Some(challenge), Some(verifier)) = (text(challenge), text(verifier)) else { return };
    let Some(read) = CodeChallenge::parse(challenge) else { return };
    assert_eq!(read.to_text(), challenge);
    if read.is_met_by(verifier) {
        assert!((43..=128).contains(&verifier.len()));
        assert!(!read.is_met_by(&format!("{verifier}~")));
        input::accepted();
    }
}

/// A form: nothing that is not registered passes the judge, and nobody is sent anywhere else.
pub fn oidc_request(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes, FORM_BYTES_MAX) else { return };
    judge(&Parameters::of_form(&form));
}

fn judge(parameters: &Parameters) {
    let vocabulary = Vocabulary {
        atoms: &|word| vec![word.to_owned()],
        scope_of_claim: &|claim| (claim == "age_over_18").then(|| SCOPES[2].to_owned()),
    };
    match parameters.judge(&shop(), &vocabulary) {
        Ok(checked) => {
            assert_eq!((checked.client_id.as_str(), checked.redirect_uri.as_str()), (SHOP, CALLBACK));
            assert!(checked.scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())));
            assert!(checked.scopes.is_sorted() && checked.scopes.iter().any(|scope| scope == "openid"));
            assert!(checked.code_challenge.as_deref().and_then(CodeChallenge::parse).is_some());
            let kept = serde_json::to_vec(&checked).expect("texts and integers");
            assert_eq!(serde_json::from_slice::<openid::oidc::CheckedRequest>(&kept).expect("what we write we read"), checked);
            input::accepted();
        }
        Err(fault) => assert!(fault.redirect.is_none_or(|redirect| redirect.uri == CALLBACK)),
    }
}

/// `{header}\n{claims}`: a signed request counts by its own client's key, for us, in its time; and is then judged as any other.
pub fn oidc_request_object(bytes: &[u8]) {
    let Some(object) = input::signed(bytes, &parties().holder) else { return };
    let verify = |key: &crypto::key::PrivateKey, client: &str, issuer: &str| {
        RequestObject::parse(&object).and_then(|read| read.verify(&keys(key), client, issuer, fixed::now()))
    };
    let Ok(parameters) = verify(&parties().holder, SHOP, ISSUER) else { return };
    assert!(verify(&parties().wrong, SHOP, ISSUER).is_err());
    assert!(verify(&parties().holder, "rp_other", ISSUER).is_err());
    assert!(verify(&parties().holder, SHOP, "https://other.example").is_err());
    judge(&parameters);
}

/// A form at the token, revocation and introspection doors, or a claims parameter: one grant, and no secret in what is shown.
pub fn oidc_token_request(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Some(asked) = ClaimsRequest::parse(text)
    {
        let kept = serde_json::to_value(&asked).expect("texts");
        assert_eq!(serde_json::from_value::<ClaimsRequest>(kept).expect("what we write we read"), asked);
    }
    let Ok(form) = Form::parse(bytes, FORM_BYTES_MAX) else { return };
    let _ = introspection::token_of(&form);
    let Ok(read) = TokenRequest::read(&form) else { return };
    let shown = format!("{read:?}");
    let secret = match &read {
        TokenRequest::Code { code, .. } => code,
        TokenRequest::Refresh { refresh_token, .. } => refresh_token,
    };
    assert!(secret.expose().len() < 12 || !shown.contains(secret.expose().as_str()), "a secret is shown");
    input::accepted();
}

/// `{header}\n{claims}`: a hint is one of our own ID Tokens or nothing.
pub fn oidc_id_token_hint(bytes: &[u8]) {
    let Some(hint) = input::signed(bytes, &parties().holder) else { return };
    let Some(read) = IdTokenHint::verify(&hint, &keys(&parties().holder), ISSUER) else { return };
    assert!(!read.sub.is_empty() && !read.client_id.is_empty());
    assert_eq!(IdTokenHint::verify(&hint, &keys(&parties().wrong), ISSUER), None);
    assert_eq!(IdTokenHint::verify(&hint, &keys(&parties().holder), "https://other.example"), None);
    input::accepted();
}

/// A request that the judge takes, with these members beside.
#[must_use]
pub fn good_request(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = [
        ("client_id", SHOP),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid identity:age_over_18"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    all.iter().chain(more).map(own).collect()
}

/// The same as a form.
#[must_use]
pub fn good_form(more: &[(&str, &str)]) -> String {
    let fields = good_request(more);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    encode(&fields)
}

fn shop() -> Client {
    Client {
        client_id: SHOP.to_owned(),
        redirect_uris: vec![CALLBACK.to_owned()],
        is_native: false,
        scopes: SCOPES.map(str::to_owned).to_vec(),
        auth_method: AuthMethod::None,
        require_par: true,
        require_pkce: true,
        acr_min: None,
    }
}

fn keys(key: &crypto::key::PrivateKey) -> Jwks {
    let mut value = Jwk::from_key(&key.public()).to_value();
    value["kid"] = json!(KID);
    assert!(SignAlg::Es256 == key.alg().default_sign_alg());
    Jwks::from_value(&json!({ "keys": [value] })).expect("a set of ours")
}
