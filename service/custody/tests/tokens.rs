//! `POST /oauth/token`: every way to show who one is, every fault, one answer to strangers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use crypto::base64;
use crypto::jose::jws::{self, Draft, Jws};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey};
use house::{Account, Answered, House, PUBLIC_URL};
use http::Request;
use serde_json::{Value, json};
use tenancy::service_account::NewAccount;
use tenancy::{Role, Roles};

const LIMITS: Limits = Limits { bytes_max: 1 << 16, depth_max: 16 };
const JWT_BEARER: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

async fn form(house: &House, form: &str) -> Answered {
    let request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
    house.send(request.body(axum::body::Body::from(form.to_owned())).unwrap()).await
}

/// An account with a key of its own instead of a secret.
async fn keyed(house: &House) -> (String, PrivateKey) {
    let key = PrivateKey::generate(KeyAlg::P256);
    let jwk = Some(Jwk::from_key(&key.public()).to_value());
    let new = NewAccount { name: "keyed".to_owned(), roles: Roles::of(&[Role::Admin]), ttl_s: None, jwk };
    let made =
        house.tenancy.create_account(&house.ctx(), Roles::of(&[Role::Owner]), new, None).await.unwrap();
    (made.account.id, key)
}

fn assertion(key: &PrivateKey, claims: &Value) -> String {
    let alg = key.alg().default_sign_alg();
    let input = Draft::new("JWT", claims.to_string().into_bytes()).with_alg(alg).signing_input();
    jws::assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

fn claims(house: &House, client: &str, jti: &str) -> Value {
    let now = house.now().as_second();
    json!({"iss":client,"sub":client,"aud":format!("{PUBLIC_URL}/oauth/token"),"iat":now,"exp":now + 60,"jti":jti})
}

async fn by_assertion(house: &House, assertion: &str) -> Answered {
    let body = format!(
        "grant_type=client_credentials&client_assertion_type={JWT_BEARER}&client_assertion={assertion}"
    );
    form(house, &body).await
}

#[tokio::test]
async fn a_secret_in_the_header_or_in_the_form_brings_a_token_that_the_doors_take() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin]).await;
    let by_header = house.token_request(&account, "grant_type=client_credentials").await;
    let body =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", account.id, account.secret);
    let by_form = form(&house, &body).await;
    for answered in [by_header, by_form] {
        assert_eq!(answered.status, 200, "{}", answered.text());
        assert_eq!(answered.headers["cache-control"], "no-store");
        let answer = answered.json();
        assert_eq!(
            (answer["token_type"].as_str(), answer["expires_in"].as_u64()),
            (Some("Bearer"), Some(900))
        );
        assert_eq!(house.get("/api/v1/keys", answer["access_token"].as_str().unwrap()).await.status, 200);
    }
    assert_eq!(house.count("service-token-issued").await, 2);
}

#[tokio::test]
async fn a_token_is_an_at_jwt_with_the_claims_of_rfc_9068_under_a_published_key() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin, Role::Auditor]).await;
    let answer = house.token_request(&account, "grant_type=client_credentials").await.json();
    let token = Jws::parse(answer["access_token"].as_str().unwrap(), &LIMITS).unwrap();
    let set = house.get("/oauth/jwks", "").await.json();
    let jwk = Jwk::from_value(&set["keys"][0]).unwrap();
    token.verify(jwk.key()).unwrap();
    assert_eq!((token.typ(), token.kid()), (Some("at+jwt"), jwk.stated_kid()));
    let claims: Value = serde_json::from_slice(token.payload()).unwrap();
    let now = house.now().as_second();
    assert_eq!(claims["iss"], PUBLIC_URL);
    assert_eq!(claims["aud"], format!("{PUBLIC_URL}/api/v1"));
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(account.id), &json!(account.id)));
    assert_eq!(claims["tenant"], house.tenant.id.as_str());
    assert_eq!(claims["roles"], json!(["admin", "auditor"]));
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(now), Some(now + 900)));
    assert!(claims["jti"].as_str().unwrap().starts_with("jti_"));
    assert_eq!(answer["scope"], "admin auditor");
}

#[tokio::test]
async fn a_scope_narrows_the_roles_and_one_that_nobody_has_is_refused() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin, Role::Auditor]).await;
    let narrow =
        house.token_request(&account, "grant_type=client_credentials&scope=auditor+openid").await.json();
    assert_eq!(narrow["scope"], "auditor");
    let token = narrow["access_token"].as_str().unwrap();
    assert_eq!(house.get("/api/v1/keys", token).await.status, 200);
    let body = json!({"alg":"p256","label":"x","uses":["jws:*"]});
    assert_eq!(house.post("/api/v1/keys", token, body).await.code(), "api/forbidden");
    let none = house.token_request(&account, "grant_type=client_credentials&scope=owner").await;
    assert_eq!((none.status.as_u16(), none.json()["error"].as_str()), (400, Some("invalid_scope")));
    assert_eq!(house.count("service-token-refused").await, 1);
}

#[tokio::test]
async fn a_private_key_jwt_brings_a_token_once() {
    let house = House::new().await;
    let (client, key) = keyed(&house).await;
    let once = assertion(&key, &claims(&house, &client, "one"));
    assert_eq!(by_assertion(&house, &once).await.status, 200);
    let again = by_assertion(&house, &once).await;
    assert_eq!((again.status.as_u16(), again.json()["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(house.count("service-token-issued").await, 1);
    assert_eq!(house.count("service-token-refused").await, 1);
}

#[tokio::test]
async fn of_64_parallel_uses_of_one_assertion_one_brings_a_token() {
    let house = House::new().await;
    let (client, key) = keyed(&house).await;
    let once = assertion(&key, &claims(&house, &client, "one"));
    let tries = (0..64).map(|_| by_assertion(&house, &once));
    let mut won = 0;
    let mut tries: Vec<_> = tries.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|cx| {
        tries.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(answered) => {
                answers.push(answered);
                false
            }
            std::task::Poll::Pending => true,
        });
        if tries.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    for answered in answers {
        won += usize::from(answered.status == 200);
        assert!(matches!(answered.status.as_u16(), 200 | 401), "{}", answered.text());
    }
    assert_eq!(won, 1);
    assert_eq!(house.count("service-token-issued").await, 1);
}

#[tokio::test]
async fn an_assertion_that_does_not_hold_is_refused_alike_whatever_is_wrong() {
    let house = House::new().await;
    let (client, key) = keyed(&house).await;
    let now = house.now().as_second();
    let other = PrivateKey::generate(KeyAlg::P256);
    let with = |name: &str, value: Value| {
        let mut claims = claims(&house, &client, name);
        claims[name] = value;
        claims
    };
    let bad = [
        assertion(&other, &claims(&house, &client, "other-key")),
        assertion(&key, &with("aud", json!("https://elsewhere.test/oauth/token"))),
        assertion(&key, &with("exp", json!(now - 1))),
        assertion(&key, &with("exp", json!(now + 3_600))),
        assertion(&key, &with("iss", json!("svc_somebody"))),
        assertion(&key, &with("jti", Value::Null)),
        assertion(&key, &with("nbf", json!(now + 3_600))),
        "a.b.c".to_owned(),
    ];
    let mut bodies = std::collections::HashSet::new();
    for one in &bad {
        let refused = by_assertion(&house, one).await;
        assert_eq!(refused.status, 401, "{}", refused.text());
        bodies.insert(refused.text());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_a_refusal() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin]).await;
    let (keyed, _) = keyed(&house).await;
    let wrong = |id: &str| Account { id: id.to_owned(), secret: "wrong".to_owned() };
    let mut bodies = std::collections::HashSet::new();
    for client in [&account.id, &keyed, "svc_00000000000000000000000000", "somebody", "", "svc_é"] {
        let refused = house.token_request(&wrong(client), "grant_type=client_credentials").await;
        assert_eq!(refused.status, 401, "{client}: {}", refused.text());
        assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        bodies.insert(refused.text());
    }
    let anonymous = form(&house, "grant_type=client_credentials").await;
    assert_eq!(anonymous.status, 401);
    bodies.insert(anonymous.text());
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(house.count("service-token-refused").await, 2, "the known ones are told to their tenant");
}

#[tokio::test]
async fn requests_that_are_not_well_formed_get_the_codes_of_the_standard() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin]).await;
    for (body, error) in [
        ("", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&scope=a++b", "invalid_scope"),
        ("grant_type=client_credentials&client_secret=x&client_id=y", "invalid_request"),
        ("grant_type=%zz", "invalid_request"),
    ] {
        let refused = house.token_request(&account, body).await;
        assert_eq!((refused.status.as_u16(), refused.json()["error"].as_str()), (400, Some(error)), "{body}");
        assert!(refused.json()["error_uri"].as_str().unwrap().contains("/problems/oauth/"));
    }
    let basic = format!("Basic {}", base64::std_encode(b"a:b"));
    let twice = Request::post("/oauth/token")
        .header("authorization", &basic)
        .header("authorization", &basic)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from("grant_type=client_credentials"))
        .unwrap();
    assert_eq!(house.send(twice).await.json()["error"], "invalid_request");
    let json = Request::post("/oauth/token")
        .header("content-type", "application/json")
        .body(axum::body::Body::from("{}"))
        .unwrap();
    assert_eq!(house.send(json).await.status, 415);
    let large = format!("grant_type={}", "x".repeat(70_000));
    assert_eq!(form(&house, &large).await.status, 413);
}

#[tokio::test]
async fn an_account_that_was_revoked_gets_no_token_and_its_tokens_end() {
    let house = House::new().await;
    let account = house.account(&house.tenant, &[Role::Admin]).await;
    let answer = house.token_request(&account, "grant_type=client_credentials").await.json();
    let token = answer["access_token"].as_str().unwrap();
    house.tenancy.revoke_account(&house.ctx(), &account.id).await.unwrap();
    house.edge.tokens().forget();
    assert_eq!(house.token_request(&account, "grant_type=client_credentials").await.status, 401);
    assert_eq!(house.get("/api/v1/keys", token).await.status, 401);
}

#[tokio::test]
async fn a_token_of_an_api_key_is_no_access_token() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let body = json!({"alg":"p256","label":"x","uses":["jws:*"]});
    let key = house.post("/api/v1/keys", &token, body).await.json();
    let path = format!("/api/v1/keys/{}/sign", key["id"].as_str().unwrap());
    let now = house.now().as_second();
    let claims = json!({"iss":PUBLIC_URL,"aud":format!("{PUBLIC_URL}/api/v1"),"sub":"svc_x","client_id":"svc_x",
        "tenant":house.tenant.id.as_str(),"roles":["owner"],"iat":now,"exp":now + 900,"jti":"x"});
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let refused = house.post(&path, &token, json!({"format":"jws","typ":typ,"payload":claims})).await;
        assert_eq!(refused.code(), "keys/use-refused", "{typ}");
    }
    let signed = house.post(&path, &token, json!({"format":"jws","typ":"JWT","payload":claims})).await.json();
    assert_eq!(
        house.get("/api/v1/keys", signed["jws"].as_str().unwrap()).await.status,
        401,
        "another key, so nobody"
    );
}
