//! The token door and what its tokens open: single use, bindings, refresh, and their end.

use crate::house::{House, ISSUER};
use crate::person::{GIVEN_NAME, Person};
use crate::shop::{CALLBACK, CHALLENGE, Shop, VERIFIER, dpop, signed};
use crypto::jose::jws::Draft;
use crypto::key::{KeyAlg, PrivateKey};
use http::StatusCode;
use openid::oauth::form::encode;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn a_code_that_comes_again_is_refused_and_the_tokens_of_its_grant_die_at_once() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let code = shop.code(&house, &ana, &[]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(shop.userinfo(&house, access).await.status, StatusCode::OK);
    assert_eq!(shop.redeem(&house, &code, &[]).await.code(), "invalid_grant");
    assert_eq!(house.last_event().await, "code-replayed");
    assert_eq!(shop.userinfo(&house, access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.refresh(&house, refresh).await.code(), "invalid_grant");
}

#[tokio::test]
async fn of_64_calls_with_one_code_one_gets_tokens() {
    let house = Arc::new(House::new().await);
    let shop = Arc::new(Shop::new(&house).await);
    let ana = Person::new(&house).await;
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (house, shop, code) = (house.clone(), shop.clone(), code.clone());
        calls.spawn(async move { shop.redeem(&house, &code, &[]).await.status });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1);
    assert_eq!(house.count("tokens-issued").await, 1);
    assert!(house.count("code-replayed").await >= 1);
}

#[tokio::test]
async fn a_code_is_nothing_without_its_verifier_its_address_its_key_and_its_client() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    for changes in [
        [("code_verifier", "")],
        [("code_verifier", CHALLENGE)],
        [("redirect_uri", "http://localhost:4999/cb/")],
        [("redirect_uri", "")],
        [("code", "made-up")],
    ] {
        assert_eq!(shop.redeem(&house, &code, &changes).await.code(), "invalid_grant", "{changes:?}");
        assert_eq!(house.last_event().await, "token-refused");
    }
    let stranger = Shop::new(&house).await;
    assert_eq!(stranger.redeem(&house, &code, &[]).await.code(), "invalid_grant");
    let other_key = shop.with_another_key();
    let theirs = [("client_id", shop.client_id.as_str())];
    assert_eq!(other_key.redeem(&house, &code, &theirs).await.code(), "invalid_grant");
    assert_eq!(shop.redeem(&house, &code, &[]).await.status, StatusCode::OK, "nobody else spent it");
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    house.advance(60);
    assert_eq!(shop.redeem(&house, &code, &[]).await.code(), "invalid_grant");
}

#[tokio::test]
async fn a_public_client_without_a_proof_gets_nothing_and_a_proof_counts_once() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let fields = [
        ("client_id", shop.client_id.as_str()),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let none = shop.post(&house, "token", &fields[1..], false).await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"));
    let at = format!("{ISSUER}/token");
    let now = house.now().as_second();
    let stranger = PrivateKey::generate(KeyAlg::P256);
    for bad in [
        dpop(&shop.key, "GET", &at, now, 900, None),
        dpop(&shop.key, "POST", &format!("{ISSUER}/par"), now, 901, None),
        dpop(&shop.key, "POST", &at, now - 61, 902, None),
        dpop(&shop.key, "POST", &at, now + 11, 903, None),
        "x.y.z".to_owned(),
    ] {
        let refused = house.form(&at, &[("dpop", &bad)], &encode(&fields)).await;
        assert_eq!(refused.code(), "invalid_dpop_proof");
    }
    let foreign = dpop(&stranger, "POST", &at, now, 904, None);
    assert_eq!(house.form(&at, &[("dpop", &foreign)], &encode(&fields)).await.code(), "invalid_grant");
    let good = dpop(&shop.key, "POST", &at, now, 905, None);
    assert_eq!(house.form(&at, &[("dpop", &good)], &encode(&fields)).await.status, StatusCode::OK);
    let again = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let fields = [fields[0], fields[1], ("code", again.as_str()), fields[3], fields[4]];
    assert_eq!(house.form(&at, &[("dpop", &good)], &encode(&fields)).await.code(), "invalid_dpop_proof");
    assert_eq!(house.last_event().await, "token-refused");
}

#[tokio::test]
async fn a_bound_token_opens_userinfo_with_its_key_once_a_proof_and_never_as_a_bearer_token() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let token = tokens["access_token"].as_str().unwrap();
    let (at, now) = (format!("{ISSUER}/userinfo"), house.now().as_second());
    let ask = async |scheme: &str, proof: &str| {
        let authorization = format!("{scheme} {token}");
        let headers = [("authorization", authorization.as_str()), ("dpop", proof)];
        let headers = if proof.is_empty() { &headers[..1] } else { &headers[..] };
        house.get(&at, headers).await
    };
    let good = dpop(&shop.key, "GET", &at, now, 950, Some(token));
    assert_eq!(ask("DPoP", &good).await.status, StatusCode::OK);
    let other = PrivateKey::generate(KeyAlg::P256);
    for (scheme, proof) in [
        ("Bearer", dpop(&shop.key, "GET", &at, now, 951, Some(token))),
        ("Bearer", String::new()),
        ("DPoP", String::new()),
        ("DPoP", good.clone()),
        ("DPoP", dpop(&other, "GET", &at, now, 952, Some(token))),
        ("DPoP", dpop(&shop.key, "GET", &at, now, 953, Some("another"))),
        ("DPoP", dpop(&shop.key, "GET", &at, now, 954, None)),
        ("DPoP", dpop(&shop.key, "POST", &at, now, 955, Some(token))),
    ] {
        let refused = ask(scheme, &proof).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{scheme}");
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    house.advance(301);
    assert_eq!(shop.userinfo(&house, token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_bound_refresh_token_stays_and_gives_the_name_alone() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let tokens = shop.tokens(&house, &ana).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        house.advance(600);
        let answered = shop.refresh(&house, refresh).await.json();
        assert!(answered.get("refresh_token").is_none(), "it does not rotate");
        let userinfo = shop.userinfo(&house, answered["access_token"].as_str().unwrap()).await.json();
        assert_eq!(userinfo.as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"]);
    }
    let thief = shop.with_another_key();
    let stolen =
        [("client_id", shop.client_id.as_str()), ("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(thief.post(&house, "token", &stolen, true).await.code(), "invalid_grant");
    house.advance(15 * 86_400);
    assert_eq!(shop.refresh(&house, refresh).await.code(), "invalid_grant", "unused for too long");
}

#[tokio::test]
async fn an_unbound_refresh_token_rotates_keeps_claims_where_registered_and_reuse_ends_the_grant() {
    let house = House::new().await;
    let by_secret = json!({"auth_method": "client_secret_basic", "refresh_claims": true});
    let (shop, ana) = (Shop::with(&house, &by_secret).await, Person::with_document(&house).await);
    let code = shop.code(&house, &ana, &[]).await;
    // It pushed with a proof, which binds the code; without one nothing is bound.
    assert_eq!(shop.redeem(&house, &code, &[]).await.json()["token_type"], "DPoP");
    let visit = {
        let pushed = shop
            .post(
                &house,
                "par",
                &[
                    ("response_type", "code"),
                    ("redirect_uri", CALLBACK),
                    ("scope", "openid identity:basic offline_access"),
                    ("code_challenge", CHALLENGE),
                    ("code_challenge_method", "S256"),
                ],
                false,
            )
            .await
            .json();
        let uri = pushed["request_uri"].as_str().unwrap().to_owned();
        let opened = shop.open(&house, &uri, "").await;
        let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
        let text = |name: &str| opened.json()[name].as_str().unwrap().to_owned();
        crate::shop::Visit { cookie, sid: text("sid"), form_token: text("form_token"), request_uri: uri }
    };
    visit.approve(&house, &ana, &[]).await;
    let code = visit.finish(&house).await.back("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = shop.post(&house, "token", &fields, false).await.json();
    assert_eq!(tokens["token_type"], "Bearer");
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let refresh = async |token: &str| {
        shop.post(&house, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)], false).await
    };
    let rotated = refresh(&first).await.json();
    let second = rotated["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let bearer = format!("Bearer {}", rotated["access_token"].as_str().unwrap());
    let userinfo = house.get(&format!("{ISSUER}/userinfo"), &[("authorization", &bearer)]).await;
    assert_eq!(userinfo.json()["given_name"], GIVEN_NAME, "refresh_claims keeps them");
    assert_eq!(refresh(&first).await.code(), "invalid_grant");
    assert_eq!(house.last_event().await, "refresh-reused");
    assert_eq!(refresh(&second).await.code(), "invalid_grant", "the whole grant ended");
    let userinfo = house.get(&format!("{ISSUER}/userinfo"), &[("authorization", &bearer)]).await;
    assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_assertion_counts_once_for_this_provider_and_by_its_own_key_alone() {
    let house = House::new().await;
    let shop = Shop::with(&house, &json!({"auth_method": "private_key_jwt"})).await;
    let key = shop.own_key.as_ref().unwrap();
    let push = async |assertion: &str| {
        shop.push(&house, &[("client_assertion", assertion), ("scope", "openid")]).await
    };
    let good = signed(Draft::new("JWT", shop.assertion_claims(&house).to_string()), key);
    assert_eq!(push(&good).await.status, StatusCode::CREATED);
    let again = push(&good).await;
    assert!(matches!(again.code().as_str(), "invalid_client" | "invalid_dpop_proof"), "{}", again.text());
    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = shop.assertion_claims(&house);
        claims[name] = value;
        signed(Draft::new("JWT", claims.to_string()), key)
    };
    let foreign = signed(
        Draft::new("JWT", shop.assertion_claims(&house).to_string()),
        &PrivateKey::generate(KeyAlg::P256),
    );
    let unsigned = format!(
        "{}.AAAA",
        Draft::new("JWT", shop.assertion_claims(&house).to_string()).with("alg", "none").signing_input()
    );
    let mac = {
        let input =
            Draft::new("JWT", shop.assertion_claims(&house).to_string()).with("alg", "HS256").signing_input();
        let tag = crypto::hash::hmac_sha256(&key.public().spki_der(), &[input.as_bytes()]);
        crypto::jose::jws::assemble(&input, &tag)
    };
    for bad in [
        changed("aud", json!("https://other.example")),
        changed("aud", json!(format!("{ISSUER}/token"))),
        changed("iat", json!(house.now().as_second() - 61)),
        changed("sub", json!("rp_other")),
        foreign,
        unsigned,
        mac,
    ] {
        assert_eq!(push(&bad).await.code(), "invalid_client");
    }
}

#[tokio::test]
async fn a_relying_party_learns_of_its_own_tokens_and_of_no_others() {
    let house = House::new().await;
    let by_key = json!({"auth_method": "private_key_jwt"});
    let (shop, bank, ana) =
        (Shop::with(&house, &by_key).await, Shop::with(&house, &by_key).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid offline_access")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    for member in ["access_token", "refresh_token"] {
        let token = [("token", tokens[member].as_str().unwrap())];
        let own = shop.post(&house, "introspect", &token, false).await.json();
        assert_eq!((&own["active"], &own["client_id"]), (&json!(true), &json!(shop.client_id)), "{member}");
        assert_eq!(bank.post(&house, "introspect", &token, false).await.json(), json!({"active": false}));
    }
    let unknown = shop.post(&house, "introspect", &[("token", "x")], false).await;
    assert_eq!(unknown.json(), json!({"active": false}));
}

#[tokio::test]
async fn a_revoked_token_ends_its_grant_and_another_clients_does_not() {
    let house = House::new().await;
    let (shop, bank, ana) = (Shop::new(&house).await, Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid offline_access")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(bank.post(&house, "revoke", &[("token", refresh)], true).await.status, StatusCode::OK);
    assert_eq!(shop.userinfo(&house, access).await.status, StatusCode::OK);
    assert_eq!(shop.post(&house, "revoke", &[("token", refresh)], true).await.status, StatusCode::OK);
    assert_eq!(house.last_event().await, "grant-revoked");
    assert_eq!(shop.userinfo(&house, access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.refresh(&house, refresh).await.code(), "invalid_grant");
}

#[tokio::test]
async fn a_revoked_device_ends_the_grants_that_it_signed_for() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid offline_access")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let ended = ana.send(&house, "DELETE", "/t/default/seal/enrolment", None, false).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text());
    assert_eq!(
        shop.userinfo(&house, tokens["access_token"].as_str().unwrap()).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(shop.refresh(&house, tokens["refresh_token"].as_str().unwrap()).await.code(), "invalid_grant");
}

#[tokio::test]
async fn where_nonces_are_asked_for_a_proof_without_one_is_told_which() {
    let house = House::with(|config| config.dpop_nonce = true).await;
    let shop = Shop::new(&house).await;
    let refused = shop.push(&house, &[("scope", "openid")]).await;
    assert_eq!(refused.code(), "use_dpop_nonce");
    let nonce = refused.header("dpop-nonce").to_owned();
    assert!(!nonce.is_empty());
    let (at, now) = (format!("{ISSUER}/par"), house.now().as_second());
    let jwk = crypto::jwk::Jwk::from_key(&shop.key.public()).to_value();
    let claims = json!({"htm": "POST", "htu": at, "iat": now, "jti": "n1", "nonce": nonce});
    let proof = signed(Draft::new("dpop+jwt", claims.to_string()).with("jwk", jwk), &shop.key);
    let fields = encode(&[
        ("client_id", &shop.client_id),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    assert_eq!(house.form(&at, &[("dpop", &proof)], &fields).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn tokens_and_userinfo_are_signed_as_the_relying_party_is_registered() {
    let house = House::new().await;
    let registered = json!({"id_token_alg": "EdDSA", "userinfo_alg": "EdDSA"});
    let (shop, ana) = (Shop::with(&house, &registered).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let userinfo = shop.userinfo(&house, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(userinfo.header("content-type"), "application/jwt");
    let keys = house.get(&format!("{ISSUER}/jwks"), &[]).await.json();
    let keys = openid::oauth::Jwks::from_value(&keys).unwrap();
    for jwt in [tokens["id_token"].as_str().unwrap().to_owned(), userinfo.text()] {
        let limits = crypto::json::Limits { bytes_max: 8 << 10, depth_max: 8 };
        let jws = crypto::jose::jws::Jws::parse(&jwt, &limits).unwrap();
        assert_eq!(jws.alg(), crypto::key::SignAlg::EdDsa);
        jws.verify_jwk(keys.signing_key(jws.kid().unwrap(), jws.alg()).unwrap()).unwrap();
        assert_eq!(crate::shop::claims_of(&jwt)["aud"], shop.client_id);
    }
}
