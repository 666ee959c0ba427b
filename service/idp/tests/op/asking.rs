//! Requests: what is refused before any row, and what is said to whom.

use crate::house::{House, ISSUER};
use crate::person::Person;
use crate::shop::{CALLBACK, CHALLENGE, Shop, claims_of, signed};
use crypto::jose::jws::Draft;
use crypto::key::{KeyAlg, PrivateKey};
use http::StatusCode;
use openid::oauth::form::encode;
use serde_json::{Value, json};

#[tokio::test]
async fn scopes_beyond_the_registration_are_refused_before_any_row_and_recorded() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    for changes in [
        [("scope", "openid identity:photo")],
        [("scope", "openid identity:full")],
        [("scope", "openid made:up")],
        [("claims", r#"{"userinfo":{"birthdate":null}}"#)],
        [("claims", r#"{"id_token":{"document":{"essential":true}}}"#)],
    ] {
        let refused = shop.push(&house, &changes).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_scope"),
            "{changes:?}"
        );
        assert!(refused.json().get("request_uri").is_none());
        assert_eq!(house.last_event().await, "signin-request-refused");
    }
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_refused_by_the_code_of_the_standard() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    for (name, value, code) in [
        ("redirect_uri", "http://localhost:4999/cb/", "invalid_request"),
        ("redirect_uri", "http://localhost:4998/cb", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"),
        ("id_token_hint", "x.y.z", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
    ] {
        let refused = shop.push(&house, &[(name, value)]).await;
        assert_eq!(refused.code(), code, "{name}={value}");
        assert_eq!(house.last_event().await, "signin-request-refused");
    }
    assert_eq!(shop.push(&house, &[("whatever", "ignored")]).await.status, StatusCode::CREATED);
    let twice = format!("client_id={}&client_id={}", shop.client_id, shop.client_id);
    assert_eq!(house.form(&format!("{ISSUER}/par"), &[], &twice).await.code(), "invalid_request");
}

#[tokio::test]
async fn a_signed_request_counts_alone_and_nothing_beside_it_may_say_otherwise() {
    let house = House::new().await;
    let shop =
        Shop::with(&house, &json!({"auth_method": "private_key_jwt", "service_proof": "request_object"}))
            .await;
    let key = shop.own_key.as_ref().unwrap();
    let object = |more: &Value, key: &PrivateKey| {
        let mut claims = json!({"iss": shop.client_id, "aud": ISSUER, "client_id": shop.client_id,
            "iat": house.now().as_second(), "exp": house.now().as_second() + 60, "response_type": "code",
            "redirect_uri": CALLBACK, "scope": "openid", "nonce": "n-1", "code_challenge": CHALLENGE,
            "code_challenge_method": "S256"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signed(Draft::new("oauth-authz-req+jwt", claims.to_string()), key)
    };
    let push = async |fields: &[(&str, &str)]| shop.post(&house, "par", fields, true).await;
    let good = object(&json!({}), key);
    assert_eq!(push(&[("request", &good)]).await.status, StatusCode::CREATED);
    assert_eq!(push(&[("request", &good), ("scope", "openid")]).await.status, StatusCode::CREATED);
    assert_eq!(
        push(&[("request", &good), ("scope", "openid identity:basic")]).await.code(),
        "invalid_request"
    );
    let over = object(&json!({"scope": "openid identity:photo"}), key);
    assert_eq!(push(&[("request", &over)]).await.code(), "invalid_scope");
    let forged = object(&json!({}), &PrivateKey::generate(KeyAlg::P256));
    assert_eq!(push(&[("request", &forged)]).await.code(), "invalid_request_object");
    let elsewhere = object(&json!({"aud": "https://other.example"}), key);
    assert_eq!(push(&[("request", &elsewhere)]).await.code(), "invalid_request_object");
    assert_eq!(
        shop.push(&house, &[]).await.code(),
        "invalid_request",
        "it is registered to sign its requests"
    );
}

#[tokio::test]
async fn the_wallet_is_handed_the_jwt_by_which_the_service_proved_itself() {
    let house = House::new().await;
    let shop = Shop::with(&house, &json!({"auth_method": "private_key_jwt"})).await;
    let ana = Person::new(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = ana.claim(&house, &visit.sid).await;
    let proof = &claimed.content["service_proof"];
    assert_eq!(proof["kind"], "client_assertion");
    assert_eq!(claims_of(proof["jwt"].as_str().unwrap())["iss"], shop.client_id);
}

#[tokio::test]
async fn a_client_that_must_push_is_refused_at_the_front_and_told_so_at_its_own_address() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let direct = |client_id: &str, uri: &str, scope: &str| {
        encode(&[
            ("client_id", client_id),
            ("response_type", "code"),
            ("redirect_uri", uri),
            ("scope", scope),
            ("state", "s-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
    };
    let at = |query: &str| format!("{ISSUER}/authorize?{query}");
    let told = house.get(&at(&direct(&shop.client_id, CALLBACK, "openid")), &[]).await;
    assert_eq!(told.status, StatusCode::SEE_OTHER);
    assert_eq!(
        (told.back("error").as_deref(), told.back("iss").as_deref()),
        (Some("invalid_request"), Some(ISSUER))
    );
    for (client, uri) in [(shop.client_id.as_str(), "https://evil.example/cb"), ("rp_unknown", CALLBACK)] {
        let page = house.get(&at(&direct(client, uri, "openid")), &[]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(!page.headers.contains_key("location"), "nobody is sent to an address that was not compared");
    }
}

#[tokio::test]
async fn an_old_client_may_come_through_the_browser_by_get_and_by_post() {
    let house = House::new().await;
    let old = json!({"auth_method": "client_secret_post", "require_par": false, "require_pkce": false});
    let shop = Shop::with(&house, &old).await;
    let fields = encode(&[
        ("client_id", &shop.client_id),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "s-1"),
    ]);
    let get = house.get(&format!("{ISSUER}/authorize?{fields}"), &[]).await;
    let post = house.form(&format!("{ISSUER}/authorize"), &[], &fields).await;
    for kept in [get, post] {
        assert_eq!(kept.status, StatusCode::SEE_OTHER);
        assert!(kept.header("location").starts_with(&format!("{ISSUER}/authorize?client_id=")));
        assert!(!kept.headers.contains_key("set-cookie"), "a POST of another site meets no cookie");
        let opened = house.get(kept.header("location"), &[("accept", "application/json")]).await;
        assert_eq!(opened.json()["state"], "open");
    }
}

#[tokio::test]
async fn a_pushed_request_is_opened_by_one_browser_and_once_and_a_reload_finds_it() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let reloaded = shop.open(&house, &visit.request_uri, &visit.cookie).await;
    assert_eq!(reloaded.json()["sid"], visit.sid.as_str());
    assert_eq!(shop.open(&house, &visit.request_uri, "").await.status, StatusCode::BAD_REQUEST);
    let pushed = shop.push(&house, &[("scope", "openid")]).await.json();
    house.advance(61);
    let late = shop.open(&house, pushed["request_uri"].as_str().unwrap(), "").await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_is_signed_in_without_being_asked() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let pushed = shop.push(&house, &[("scope", "openid"), ("prompt", "none")]).await.json();
    let silent = shop.open(&house, pushed["request_uri"].as_str().unwrap(), "").await;
    assert_eq!(
        (silent.status, silent.back("error").as_deref()),
        (StatusCode::SEE_OTHER, Some("login_required"))
    );
}

#[tokio::test]
async fn whoever_a_hint_does_not_name_is_not_signed_in() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (ana, bo) = (Person::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let visit = shop.visit(&house, &[("scope", "openid"), ("id_token_hint", hint)]).await;
    visit.approve(&house, &bo, &[]).await;
    assert_eq!(visit.finish(&house).await.back("error").as_deref(), Some("login_required"));
    let visit = shop.visit(&house, &[("scope", "openid"), ("id_token_hint", hint)]).await;
    visit.approve(&house, &ana, &[]).await;
    assert!(visit.finish(&house).await.back("code").is_some());
}

#[tokio::test]
async fn metadata_is_the_same_at_every_address_and_its_keys_hold_no_private_part() {
    let house = House::new().await;
    let at = [
        format!("{ISSUER}/.well-known/openid-configuration"),
        "/.well-known/openid-configuration/t/default/idp".to_owned(),
        "/.well-known/oauth-authorization-server/t/default/idp".to_owned(),
    ];
    let mut documents = Vec::new();
    for path in &at {
        let answered = house.get(path, &[]).await;
        assert_eq!((answered.status, answered.header("access-control-allow-origin")), (StatusCode::OK, "*"));
        documents.push(answered.json());
    }
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(documents[0]["issuer"], ISSUER);
    let keys = house.get(documents[0]["jwks_uri"].as_str().unwrap(), &[]).await.json();
    for key in keys["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none() && key["kid"].is_string());
    }
}
