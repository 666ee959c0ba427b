//! An outside issuer, shaped like Keycloak, on loopback: discovery, roles, rotation, and what a stranger cannot make it cost.

use crate::house::{House, PUBLIC_URL, sign};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use edge::token::IssuerConfig;
use openid::oauth::jwks::{self, PublishedKey};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Keycloak {
    url: String,
    keys: Arc<Mutex<Vec<PublishedKey>>>,
    fetches: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl Keycloak {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}/realms/acme", listener.local_addr().unwrap().port());
        let keycloak = Self { url, keys: Arc::default(), fetches: Arc::default(), down: Arc::default() };
        let router = Router::new()
            .route("/realms/acme/.well-known/openid-configuration", get(discovery))
            .route("/realms/acme/certs", get(certs))
            .with_state(keycloak.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        keycloak
    }

    fn origin(&self) -> String {
        self.url.split("/realms").next().unwrap().to_owned()
    }

    /// A new key, published beside the others.
    fn new_key(&self, alg: KeyAlg) -> PrivateKey {
        let key = PrivateKey::generate(alg);
        self.keys.lock().unwrap().push(PublishedKey::signing(&key.public(), alg.default_sign_alg()));
        key
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn config(&self) -> IssuerConfig {
        serde_json::from_value(json!({
            "url": self.url, "audience": "tessera-api", "tenant_claim": "organisation",
            "role_map": {"tessera-admin": "admin", "tessera-auditor": "auditor"}
        }))
        .unwrap()
    }
}

async fn discovery(State(keycloak): State<Keycloak>) -> Result<Json<Value>, axum::http::StatusCode> {
    if keycloak.down.load(Ordering::SeqCst) {
        return Err(axum::http::StatusCode::SERVICE_UNAVAILABLE);
    }
    Ok(Json(json!({"issuer": keycloak.url, "jwks_uri": format!("{}/certs", keycloak.url)})))
}

async fn certs(State(keycloak): State<Keycloak>) -> Json<Value> {
    keycloak.fetches.fetch_add(1, Ordering::SeqCst);
    Json(jwks::document(&keycloak.keys.lock().unwrap()))
}

async fn house(keycloak: &Keycloak) -> House {
    let house = House::with(|config| {
        config.outbound_allow = vec![keycloak.origin()];
        config.issuers = vec![keycloak.config()];
    })
    .await;
    house.tenant("acme").await;
    house
}

fn claims(house: &House, keycloak: &Keycloak) -> Value {
    let now = house.edge.clock().now().as_second();
    json!({
        "iss": keycloak.url, "aud": ["account", "tessera-api"], "sub": "f3c9", "azp": "shop", "organisation": "acme",
        "realm_access": {"roles": ["offline_access", "tessera-auditor", "owner"]},
        "resource_access": {"tessera": {"roles": ["tessera-admin"]}}, "iat": now, "exp": now + 300
    })
}

fn token(key: &PrivateKey, claims: &Value) -> String {
    let alg = key.alg().default_sign_alg();
    let kid = PublishedKey::signing(&key.public(), alg).kid();
    sign(key, alg, &json!({"alg": alg.jws_name(), "typ": "JWT", "kid": kid}), claims)
}

#[tokio::test]
async fn a_keycloak_token_opens_its_tenant_with_the_mapped_roles_only() {
    let keycloak = Keycloak::start().await;
    let key = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    let reply = house.get("/api/v1/session", &token(&key, &claims(&house, &keycloak))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let bearer = reply.json();
    assert_eq!(
        (&bearer["by"], &bearer["id"], &bearer["roles"]),
        (&json!("outside"), &json!(format!("{}#f3c9", keycloak.url)), &json!(["auditor"]))
    );
    let acme = house.get("/api/v1/tenants/acme", &house.owner).await.json()["id"].clone();
    assert_eq!(bearer["tenant"], acme);
    let named = [("tessera-tenant", "system")];
    let token = token(&key, &claims(&house, &keycloak));
    assert_eq!(house.send("GET", "/api/v1/session", &token, &named, None).await.status, 404);
}

#[tokio::test]
async fn every_algorithm_of_the_list_is_taken_and_the_key_must_fit_it() {
    let keycloak = Keycloak::start().await;
    let house = house(&keycloak).await;
    for alg in [KeyAlg::P256, KeyAlg::Ed25519, KeyAlg::Rsa2048] {
        let key = keycloak.new_key(alg);
        house.hand.advance(Duration::from_secs(11));
        let reply = house.get("/api/v1/session", &token(&key, &claims(&house, &keycloak))).await;
        assert_eq!(reply.status, 200, "{}", alg.as_str());
    }
    let p384 = keycloak.new_key(KeyAlg::P384);
    house.hand.advance(Duration::from_secs(11));
    let reply = house.get("/api/v1/session", &token(&p384, &claims(&house, &keycloak))).await;
    assert_eq!(reply.status, 401, "ES384 is not in the list");
}

#[tokio::test]
async fn tokens_that_do_not_fit_the_issuer_are_refused_alike() {
    let keycloak = Keycloak::start().await;
    let key = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    let good = claims(&house, &keycloak);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let now = house.edge.clock().now().as_second();
    let cases = [
        ("our own audience", with("aud", json!(format!("{PUBLIC_URL}/api/v1")))),
        ("no tenant", with("organisation", Value::Null)),
        ("unknown tenant", with("organisation", json!("nobody"))),
        ("system tenant", with("organisation", json!("system"))),
        ("tenant is no text", with("organisation", json!(["acme"]))),
        ("expired", with("exp", json!(now - 61))),
        ("another realm", with("iss", json!(format!("{}/realms/other", keycloak.origin())))),
        ("our issuer", with("iss", json!(PUBLIC_URL))),
    ];
    for (name, claims) in cases {
        let reply = house.get("/api/v1/session", &token(&key, &claims)).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (401, "api/unauthenticated"), "{name}");
    }
    let roleless = with("realm_access", json!({"roles": "tessera-admin"}));
    let reply = house.get("/api/v1/session", &token(&key, &roleless)).await;
    assert_eq!(reply.code(), "api/forbidden", "a text is no list, and without a role nothing is allowed");
    let ours = sign(
        &house.key,
        SignAlg::Es256,
        &json!({"alg": "ES256", "typ": "at+jwt", "kid": house.kid()}),
        &good,
    );
    assert_eq!(
        house.get("/api/v1/session", &ours).await.status,
        401,
        "one issuer's key signs no other's token"
    );
}

#[tokio::test]
async fn a_rotated_key_is_found_and_invented_kids_cost_one_fetch_in_ten_seconds() {
    let keycloak = Keycloak::start().await;
    let first = keycloak.new_key(KeyAlg::P256);
    let house = Arc::new(house(&keycloak).await);
    assert_eq!(house.get("/api/v1/session", &token(&first, &claims(&house, &keycloak))).await.status, 200);
    assert_eq!(keycloak.fetches(), 1);

    let stranger = PrivateKey::generate(KeyAlg::P256);
    house.hand.advance(Duration::from_secs(10));
    for number in 0..50 {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("invented-{number}")});
        let forged = sign(&stranger, SignAlg::Es256, &header, &claims(&house, &keycloak));
        assert_eq!(house.get("/api/v1/session", &forged).await.status, 401);
    }
    assert_eq!(keycloak.fetches(), 2, "the first invented kid asked, the rest met the negative cache");

    let second = keycloak.new_key(KeyAlg::P256);
    let rotated = token(&second, &claims(&house, &keycloak));
    assert_eq!(house.get("/api/v1/session", &rotated).await.status, 401, "asked a moment ago");
    house.hand.advance(Duration::from_secs(10));
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (house, rotated) = (house.clone(), rotated.clone());
            tokio::spawn(async move { house.get("/api/v1/session", &rotated).await.status })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
    assert_eq!(keycloak.fetches(), 3, "32 at once asked once");
}

#[tokio::test]
async fn an_issuer_that_is_down_is_trusted_stale_for_a_day_and_no_longer() {
    let keycloak = Keycloak::start().await;
    let key = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    let fresh = |house: &House| token(&key, &claims(house, &keycloak));
    assert_eq!(house.get("/api/v1/session", &fresh(&house)).await.status, 200);
    keycloak.down.store(true, Ordering::SeqCst);
    house.hand.advance(Duration::from_secs(3_601));
    assert_eq!(house.get("/api/v1/session", &fresh(&house)).await.status, 200, "stale on error");
    house.hand.advance(Duration::from_secs(82_000));
    assert_eq!(house.get("/api/v1/session", &fresh(&house)).await.status, 200);
    house.hand.advance(Duration::from_secs(1_000));
    assert_eq!(house.get("/api/v1/session", &fresh(&house)).await.status, 401, "a day without contact");
    keycloak.down.store(false, Ordering::SeqCst);
    house.hand.advance(Duration::from_secs(11));
    assert_eq!(house.get("/api/v1/session", &fresh(&house)).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_asked_once_in_ten_seconds() {
    let keycloak = Keycloak::start().await;
    let key = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    keycloak.down.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(house.get("/api/v1/session", &token(&key, &claims(&house, &keycloak))).await.status, 401);
    }
    keycloak.down.store(false, Ordering::SeqCst);
    assert_eq!(house.get("/api/v1/session", &token(&key, &claims(&house, &keycloak))).await.status, 401);
    house.hand.advance(Duration::from_secs(10));
    assert_eq!(house.get("/api/v1/session", &token(&key, &claims(&house, &keycloak))).await.status, 200);
    assert_eq!(keycloak.fetches(), 1);
}

#[tokio::test]
async fn a_retired_key_opens_nothing_once_the_set_is_read_again() {
    let keycloak = Keycloak::start().await;
    let old = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    assert_eq!(house.get("/api/v1/session", &token(&old, &claims(&house, &keycloak))).await.status, 200);
    keycloak.keys.lock().unwrap().clear();
    let new = keycloak.new_key(KeyAlg::P256);
    house.hand.advance(Duration::from_secs(3_601));
    assert_eq!(house.get("/api/v1/session", &token(&new, &claims(&house, &keycloak))).await.status, 200);
    assert_eq!(house.get("/api/v1/session", &token(&old, &claims(&house, &keycloak))).await.status, 401);
}

#[tokio::test]
async fn an_outside_caller_is_a_service_in_the_tenants_log() {
    let keycloak = Keycloak::start().await;
    let key = keycloak.new_key(KeyAlg::P256);
    let house = house(&keycloak).await;
    let reply =
        house.post("/api/v1/service-accounts", &token(&key, &claims(&house, &keycloak)), &json!({})).await;
    assert_eq!(reply.code(), "api/forbidden", "an auditor makes no accounts");
    let acme =
        house.get("/api/v1/tenants/acme", &house.owner).await.json()["id"].as_str().unwrap().to_owned();
    let events = house.events(&store::TenantId::parse(&acme).unwrap()).await;
    assert_eq!(events, ["access-refused"]);
}
