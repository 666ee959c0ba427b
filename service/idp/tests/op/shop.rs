//! A relying party and the browser of somebody who visits it.

use crate::house::{Answered, House, ISSUER};
use crate::person::{Person, hash_text};
use crypto::base64::url_encode;
use crypto::jose::jws::{Draft, assemble};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey};
use http::StatusCode;
use openid::oauth::form::encode;
use seal::scope::Scope;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const CALLBACK: &str = "http://localhost:4999/cb";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Shop {
    pub(crate) client_id: String,
    pub(crate) secret: Option<String>,
    /// Of its DPoP proofs.
    pub(crate) key: PrivateKey,
    /// Of its assertions, if it has one.
    pub(crate) own_key: Option<PrivateKey>,
    next: AtomicU64,
}

/// A session as the browser's program sees it.
pub(crate) struct Visit {
    pub(crate) cookie: String,
    pub(crate) sid: String,
    pub(crate) form_token: String,
    pub(crate) request_uri: String,
}

impl Shop {
    /// A public client that may ask for a name and for `offline_access`.
    pub(crate) async fn new(house: &House) -> Shop {
        Shop::with(house, &json!({})).await
    }

    pub(crate) async fn with(house: &House, more: &Value) -> Shop {
        let own_key = (more["auth_method"] == "private_key_jwt").then(|| PrivateKey::generate(KeyAlg::P256));
        let mut form = json!({
            "name": "Shop", "legal_name": "Shop SA", "origins": ["http://localhost:4999"], "redirect_uris": [CALLBACK],
            "scopes": ["openid", "offline_access", "identity:basic", "identity:age_over_18"], "auth_method": "none",
            "origin_proof": "operator", "purpose": {"en": "Age check"},
        });
        for (name, value) in more.as_object().unwrap() {
            form[name] = value.clone();
        }
        if let Some(key) = &own_key {
            form["jwks"] = json!({"keys": [Jwk::from_key(&key.public()).to_value()]});
        }
        let made = house.api("/api/v1/relying-parties", &form).await;
        let mut shop = Shop {
            client_id: made["id"].as_str().unwrap().to_owned(),
            secret: made["client_secret"].as_str().map(str::to_owned),
            key: PrivateKey::generate(KeyAlg::P256),
            own_key,
            next: AtomicU64::new(0),
        };
        if let Some(challenge) = made["challenge"].as_str() {
            shop.prove(house, challenge).await;
        }
        shop.next = AtomicU64::new(1);
        shop
    }

    async fn prove(&self, house: &House, challenge: &str) {
        let key = self.own_key.as_ref().unwrap();
        let claims = json!({"iss": self.client_id, "aud": ISSUER, "challenge": challenge,
            "origins": ["http://localhost:4999"], "iat": house.now().as_second()});
        let proof = signed(Draft::new("seal-service-proof+jwt", claims.to_string()), key);
        let path = format!("/api/v1/relying-parties/{}/prove", self.client_id);
        let proved = house.api(&path, &json!({"proofs": [proof]})).await;
        assert_eq!(proved["state"], "active", "{proved}");
    }

    /// Whoever speaks in its name with a key of their own.
    pub(crate) fn with_another_key(&self) -> Shop {
        let key = PrivateKey::generate(KeyAlg::P256);
        Shop {
            client_id: self.client_id.clone(),
            secret: None,
            key,
            own_key: None,
            next: AtomicU64::new(5_000),
        }
    }

    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn dpop(&self, house: &House, method: &str, door: &str, token: Option<&str>) -> String {
        dpop(&self.key, method, &format!("{ISSUER}/{door}"), house.now().as_second(), self.next(), token)
    }

    pub(crate) fn assertion_claims(&self, house: &House) -> Value {
        json!({"iss": self.client_id, "sub": self.client_id, "aud": ISSUER, "jti": format!("a{}", self.next()),
            "iat": house.now().as_second(), "exp": house.now().as_second() + 60})
    }

    /// Whatever this client shows itself by, as form members and a header.
    fn shown(&self, house: &House) -> (Vec<(String, String)>, Option<String>) {
        let mut fields = vec![("client_id".to_owned(), self.client_id.clone())];
        if let Some(key) = &self.own_key {
            let assertion = signed(Draft::new("JWT", self.assertion_claims(house).to_string()), key);
            fields.push((
                "client_assertion_type".to_owned(),
                openid::oauth::client_auth::JWT_BEARER.to_owned(),
            ));
            fields.push(("client_assertion".to_owned(), assertion));
        }
        let basic = self.secret.as_ref().map(|secret| {
            format!("Basic {}", crypto::base64::std_encode(format!("{}:{secret}", self.client_id).as_bytes()))
        });
        (fields, basic)
    }

    /// A POST to a door of the provider, with a proof unless told otherwise.
    pub(crate) async fn post(
        &self,
        house: &House,
        door: &str,
        fields: &[(&str, &str)],
        proves: bool,
    ) -> Answered {
        let (shown, basic) = self.shown(house);
        let proof = self.dpop(house, "POST", door, None);
        let mut headers = Vec::new();
        headers.extend(basic.as_deref().map(|basic| ("authorization", basic)));
        headers.extend(proves.then_some(("dpop", proof.as_str())));
        let own = shown.iter().filter(|(name, _)| !fields.iter().any(|(known, _)| known == name));
        let mut all: Vec<(&str, &str)> = own.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields.iter().copied().filter(|(_, value)| !value.is_empty()));
        house.form(&format!("{ISSUER}/{door}"), &headers, &encode(&all)).await
    }

    /// Pushes a request with these members changed, added, or (empty) left out.
    pub(crate) async fn push(&self, house: &House, changes: &[(&str, &str)]) -> Answered {
        let mut fields = vec![
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid identity:basic offline_access"),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        fields.extend(changes);
        self.post(house, "par", &fields, true).await
    }

    /// Opens a request in a fresh browser.
    pub(crate) async fn visit(&self, house: &House, changes: &[(&str, &str)]) -> Visit {
        let pushed = self.push(house, changes).await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text());
        let request_uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let opened = self.open(house, &request_uri, "").await;
        assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
        let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
        let view = opened.json();
        let text = |name: &str| view[name].as_str().unwrap().to_owned();
        Visit { cookie, sid: text("sid"), form_token: text("form_token"), request_uri }
    }

    pub(crate) async fn open(&self, house: &House, request_uri: &str, cookie: &str) -> Answered {
        let query = encode(&[("client_id", &self.client_id), ("request_uri", request_uri)]);
        let headers = [("accept", "application/json"), ("cookie", cookie)];
        let headers = if cookie.is_empty() { &headers[..1] } else { &headers[..] };
        house.get(&format!("{ISSUER}/authorize?{query}"), headers).await
    }

    /// The whole way to a code.
    pub(crate) async fn code(&self, house: &House, person: &Person, changes: &[(&str, &str)]) -> String {
        self.code_without(house, person, changes, &[]).await
    }

    pub(crate) async fn code_without(
        &self,
        house: &House,
        person: &Person,
        changes: &[(&str, &str)],
        denied: &[Scope],
    ) -> String {
        let visit = self.visit(house, changes).await;
        visit.approve(house, person, denied).await;
        let back = visit.finish(house).await;
        back.back("code").unwrap_or_else(|| panic!("no code: {}", back.header("location")))
    }

    pub(crate) async fn redeem(&self, house: &House, code: &str, changes: &[(&str, &str)]) -> Answered {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        fields.extend(changes);
        self.post(house, "token", &fields, true).await
    }

    /// The tokens of a whole sign-in.
    pub(crate) async fn tokens(&self, house: &House, person: &Person) -> Value {
        let code = self.code(house, person, &[]).await;
        let answered = self.redeem(house, &code, &[]).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()
    }

    pub(crate) async fn refresh(&self, house: &House, token: &str) -> Answered {
        self.post(house, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)], true).await
    }

    pub(crate) async fn userinfo(&self, house: &House, token: &str) -> Answered {
        let proof = self.dpop(house, "GET", "userinfo", Some(token));
        let bearer = format!("DPoP {token}");
        house.get(&format!("{ISSUER}/userinfo"), &[("authorization", &bearer), ("dpop", &proof)]).await
    }
}

impl Visit {
    pub(crate) async fn state(&self, house: &House) -> Value {
        let answered = house.get(&self.url("state"), &[("cookie", &self.cookie)]).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()
    }

    pub(crate) async fn approve(&self, house: &House, person: &Person, denied: &[Scope]) {
        let claimed = person.claim(house, &self.sid).await;
        let code = self.state(house).await["code"].as_str().unwrap().to_owned();
        let outcome = person.approve(house, &claimed, &code, denied).await;
        assert_eq!(outcome["outcome"], "approved", "{outcome}");
    }

    pub(crate) async fn finish(&self, house: &House) -> Answered {
        house.get(&self.url("finish"), &[("cookie", &self.cookie)]).await
    }

    pub(crate) async fn post(&self, house: &House, door: &str, body: &Value) -> Answered {
        let mut body = body.clone();
        body["form_token"] = self.form_token.as_str().into();
        house.json(&self.url(door), &[("cookie", &self.cookie)], &body).await
    }

    pub(crate) fn url(&self, door: &str) -> String {
        format!("{ISSUER}/sessions/{}/{door}", self.sid)
    }
}

/// Signs as whoever holds the key.
pub(crate) fn signed(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

pub(crate) fn dpop(
    key: &PrivateKey,
    method: &str,
    url: &str,
    iat: i64,
    jti: u64,
    token: Option<&str>,
) -> String {
    let mut claims = json!({"htm": method, "htu": url, "iat": iat, "jti": format!("d{jti}-{}", url_encode(&key.public().raw()[1..9]))});
    if let Some(token) = token {
        claims["ath"] = hash_text(token).into();
    }
    let jwk = Jwk::from_key(&key.public()).to_value();
    signed(Draft::new("dpop+jwt", claims.to_string()).with("jwk", jwk), key)
}

/// The claims of a JWT, unverified.
pub(crate) fn claims_of(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&crypto::base64::url_decode(payload).unwrap()).unwrap()
}
