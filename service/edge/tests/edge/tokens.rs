//! Tokens of ours: what is taken, and the one 401 for everything else.

use crate::house::{House, Reply, sign};
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use openid::oauth::jwks::PublishedKey;
use serde_json::{Value, json};
use std::time::Duration;
use store::TenantId;

struct Bank {
    house: House,
    acme: TenantId,
    account: String,
}

impl Bank {
    async fn new() -> Self {
        let house = House::new().await;
        let acme = house.tenant("acme").await;
        let (account, _) = house.account("acme", &["admin", "auditor"]).await;
        Self { house, acme, account }
    }

    fn claims(&self) -> Value {
        self.house.claims(&self.acme, &self.account, &["admin"])
    }

    async fn try_token(&self, token: &str) -> Reply {
        self.house.get("/api/v1/session", token).await
    }
}

#[tokio::test]
async fn a_token_of_ours_opens_its_tenant_with_its_roles() {
    let bank = Bank::new().await;
    let reply = bank.try_token(&bank.house.token(&bank.claims())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        reply.json(),
        json!({
            "by": "token", "id": bank.account, "tenant": bank.acme.as_str(), "home": bank.acme.as_str(), "roles": ["admin"]
        })
    );
    let mut more = bank.claims();
    more["roles"] = json!(["owner", "admin"]);
    let reply = bank.try_token(&bank.house.token(&more)).await;
    assert_eq!(
        reply.json()["roles"],
        json!(["admin"]),
        "a token has no role that its account lost or never had"
    );
}

#[tokio::test]
async fn every_bad_token_gets_one_and_the_same_401() {
    let bank = Bank::new().await;
    let house = &bank.house;
    let good = bank.claims();
    let now = house.edge.clock().now().as_second();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        house.token(&claims)
    };
    let headed = |header: Value| sign(&house.key, SignAlg::Es256, &header, &good);
    let other = PrivateKey::generate(KeyAlg::P256);
    let kid = house.kid();
    let part = |text: &str| crypto::base64::url_encode(text.as_bytes());
    let valid = house.token(&good);
    let [head, body, signature] = valid.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut flipped = crypto::base64::url_decode(signature).unwrap();
    flipped[10] ^= 1;
    let foreign_jwk = PublishedKey::signing(&other.public(), SignAlg::Es256).to_value();
    let cases: Vec<(&str, String)> = vec![
        ("expired", with("exp", json!(now - 61))),
        ("no exp", with("exp", Value::Null)),
        ("not yet", with("nbf", json!(now + 61))),
        ("made tomorrow", with("iat", json!(now + 86_400))),
        ("other issuer", with("iss", json!("https://evil.example"))),
        ("issuer with a slash", with("iss", json!("http://localhost:8400/"))),
        ("other audience", with("aud", json!("http://localhost:8400"))),
        ("other tenant", with("tenant", json!("ten_00000000000000000000000000"))),
        ("tenant by name", with("tenant", json!("acme"))),
        ("system tenant", with("tenant", json!("system"))),
        ("other account", with("sub", json!("svc_00000000000000000000000000"))),
        ("an unknown role", with("roles", json!(["root"]))),
        ("no roles", with("roles", Value::Null)),
        ("alg none", format!("{}.{body}.", part(r#"{"typ":"at+jwt","alg":"none"}"#))),
        (
            "alg HS256",
            format!(
                "{}.{body}.{signature}",
                part(&format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{kid}"}}"#))
            ),
        ),
        (
            "alg ES384",
            format!(
                "{}.{body}.{signature}",
                part(&format!(r#"{{"typ":"at+jwt","alg":"ES384","kid":"{kid}"}}"#))
            ),
        ),
        ("another type", headed(json!({"typ": "dpop+jwt", "alg": "ES256", "kid": kid}))),
        ("no type", headed(json!({"alg": "ES256", "kid": kid}))),
        ("no kid", headed(json!({"typ": "at+jwt", "alg": "ES256"}))),
        ("unknown kid", headed(json!({"typ": "at+jwt", "alg": "ES256", "kid": "other"}))),
        ("crit", headed(json!({"typ": "at+jwt", "alg": "ES256", "kid": kid, "crit": ["x"], "x": 1}))),
        ("b64", headed(json!({"typ": "at+jwt", "alg": "ES256", "kid": kid, "b64": false}))),
        (
            "embedded jwk",
            sign(
                &other,
                SignAlg::Es256,
                &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid, "jwk": foreign_jwk}),
                &good,
            ),
        ),
        (
            "jku",
            sign(
                &other,
                SignAlg::Es256,
                &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid, "jku": "http://127.0.0.1:1/jwks"}),
                &good,
            ),
        ),
        (
            "x5u",
            sign(
                &other,
                SignAlg::Es256,
                &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid, "x5u": "http://127.0.0.1:1/x"}),
                &good,
            ),
        ),
        (
            "other key",
            sign(&other, SignAlg::Es256, &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}), &good),
        ),
        ("flipped signature", format!("{head}.{body}.{}", crypto::base64::url_encode(&flipped))),
        ("empty signature", format!("{head}.{body}.")),
        ("padded signature", format!("{head}.{body}.{signature}=")),
        (
            "swapped body",
            format!("{head}.{}.{signature}", part(&bank.claims().to_string().replace("admin", "owner"))),
        ),
        ("duplicate claim", format!("{head}.{}.{signature}", part(r#"{"sub":"a","sub":"b"}"#))),
        ("JWE", format!("{head}.{body}.{signature}.x.y")),
        ("two parts", format!("{head}.{body}")),
        ("garbage", "not-a-token".to_owned()),
        ("session of nobody", format!("tos_{}", "A".repeat(43))),
        ("too long", format!("{head}.{}.{signature}", "A".repeat(9_000))),
    ];
    let mut answers = Vec::new();
    for (name, token) in cases {
        let reply = bank.try_token(&token).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (401, "api/unauthenticated"), "{name}");
        assert_eq!(
            reply.header("www-authenticate"),
            "Bearer realm=\"tessera\", error=\"invalid_token\"",
            "{name}"
        );
        let mut body = reply.json();
        body["request_id"].take();
        body["instance"].take();
        answers.push(body.to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "which check failed is not said");
    assert_eq!(bank.try_token(&valid).await.status, 200);
}

#[tokio::test]
async fn an_authorization_header_that_is_none_or_doubled_is_refused() {
    let bank = Bank::new().await;
    let token = bank.house.token(&bank.claims());
    for value in
        ["", "Basic YTpi", "Bearer", "Bearer ", &format!("Bearer {token} x"), &format!("Bearer  {token}")]
    {
        let headers = [("authorization", value)];
        assert_eq!(
            bank.house.send("GET", "/api/v1/session", "", &headers, None).await.status,
            401,
            "{value}"
        );
    }
    let bearer = format!("Bearer {token}");
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(bank.house.send("GET", "/api/v1/session", "", &twice, None).await.status, 401);
    let missing = bank.house.get("/api/v1/session", "").await;
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"tessera\"");
}

#[tokio::test]
async fn a_remembered_token_still_ends_with_its_time_and_with_its_account() {
    let bank = Bank::new().await;
    let token = bank.house.token(&bank.claims());
    assert_eq!(bank.try_token(&token).await.status, 200);
    bank.house.hand.advance(Duration::from_secs(890));
    assert_eq!(bank.try_token(&token).await.status, 200);
    bank.house.hand.advance(Duration::from_secs(71));
    assert_eq!(bank.try_token(&token).await.status, 401, "exp and the skew of 60 s are over");

    let fresh = bank.house.token(&bank.claims());
    assert_eq!(bank.try_token(&fresh).await.status, 200);
    let owner = bank.house.session(TenantId::SYSTEM, edge::Role::Owner).await;
    let headers = [("tessera-tenant", "acme")];
    let path = format!("/api/v1/service-accounts/{}", bank.account);
    assert_eq!(bank.house.send("DELETE", &path, &owner, &headers, None).await.status, 204);
    assert_eq!(bank.try_token(&fresh).await.status, 401, "a revoked account's token is refused at once");
}

#[tokio::test]
async fn keys_are_replaced_at_once_when_custody_rotates_them() {
    let bank = Bank::new().await;
    let old = bank.house.token(&bank.claims());
    let next = PrivateKey::generate(KeyAlg::P256);
    let published = [&bank.house.key, &next].map(|key| PublishedKey::signing(&key.public(), SignAlg::Es256));
    bank.house.edge.tokens().own().replace(&published);
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": published[1].kid()});
    let new = sign(&next, SignAlg::Es256, &header, &bank.claims());
    assert_eq!(bank.try_token(&old).await.status, 200);
    assert_eq!(bank.try_token(&new).await.status, 200);
    bank.house.edge.tokens().own().replace(&published[1..]);
    bank.house.hand.advance(Duration::from_secs(61));
    assert_eq!(bank.try_token(&old).await.status, 401);
    assert_eq!(bank.try_token(&new).await.status, 200);
}

#[tokio::test]
async fn a_log_door_takes_no_token_a_token_of_ours_and_hands_on_any_other() {
    let bank = Bank::new().await;
    let house = &bank.house;
    assert_eq!(house.get("/log/t/acme/checkpoint", "").await.json(), "|");
    assert_eq!(house.get("/log/t/acme/checkpoint", "tlr_abc").await.json(), "|tlr_abc");
    let token = house.token(&bank.claims());
    assert_eq!(house.get("/log/t/acme/checkpoint", &token).await.json(), format!("{}|", bank.account));
    let mut expired = bank.claims();
    expired["exp"] = json!(1);
    assert_eq!(house.get("/log/t/acme/checkpoint", &house.token(&expired)).await.status, 401);
}

#[tokio::test]
async fn refusals_before_a_caller_is_known_are_counted_and_after_it_written_singly() {
    let bank = Bank::new().await;
    let house = &bank.house;
    for _ in 0..100 {
        assert_eq!(house.get("/api/v1/session", "not-a-token").await.status, 401);
    }
    house.hand.advance(Duration::from_secs(60));
    house.edge.sweep(&house.edge.tick()).await.unwrap();
    let counts = house.counts().await;
    assert_eq!((counts["authentication-refused"], counts["refusals-aggregated"]), (60, 1), "{counts:?}");
    let auditor = house.session(bank.acme.clone(), edge::Role::Auditor).await;
    for _ in 0..70 {
        assert_eq!(house.post("/api/v1/service-accounts", &auditor, &json!({})).await.status, 403);
    }
    let events = house.events(&bank.acme).await;
    assert_eq!(events.iter().filter(|event| *event == "access-refused").count(), 70);
}
