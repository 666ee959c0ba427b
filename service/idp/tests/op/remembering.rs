//! What a process remembers is never older than what stands in the rows.

use crate::house::House;
use crate::person::Person;
use crate::shop::Shop;
use http::StatusCode;
use seal::code::Decision;
use serde_json::{Value, json};

async fn as_operator(house: &House, method: &str, path: &str, body: Option<&Value>) -> StatusCode {
    let bearer = format!("Bearer {}", house.token);
    let body = body.map(|body| ("application/json", body.to_string()));
    house.call(method, path, &[("authorization", &bearer)], body).await.status
}

/// Another version takes the place of the key of this label, whose own is given up.
async fn give_up(house: &House, label: &str) {
    rotate(house, label, &json!({"reason": "compromised"})).await;
}

/// Another version takes the place of the key of this label.
async fn rotate(house: &House, label: &str, how: &Value) {
    house.advance(2);
    let bearer = format!("Bearer {}", house.token);
    let keys = house.get("/api/v1/keys?limit=200", &[("authorization", &bearer)]).await.json();
    let key = keys["items"].as_array().unwrap().iter().find(|key| key["label"] == label).unwrap();
    let rotate = format!("/api/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    assert_eq!(as_operator(house, "POST", &rotate, Some(how)).await, StatusCode::OK);
}

#[tokio::test]
async fn a_relying_party_that_changed_is_judged_by_what_it_says_now() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    assert_eq!(shop.push(&house, &[]).await.status, StatusCode::CREATED);
    let path = format!("/api/v1/relying-parties/{}", shop.client_id);
    let other = json!({"scopes": ["openid"]});
    assert_eq!(as_operator(&house, "PATCH", &path, Some(&other)).await, StatusCode::OK);
    assert_eq!(shop.push(&house, &[]).await.code(), "invalid_scope");
    assert_eq!(house.last_event().await, "signin-request-refused");
    assert_eq!(shop.push(&house, &[("scope", "openid")]).await.status, StatusCode::CREATED);
    assert_eq!(as_operator(&house, "DELETE", &path, None).await, StatusCode::NO_CONTENT);
    assert_eq!(shop.push(&house, &[("scope", "openid")]).await.code(), "invalid_client");
}

#[tokio::test]
async fn a_token_whose_key_was_given_up_opens_nothing_from_then_on() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let tokens = shop.tokens(&house, &ana).await;
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(shop.userinfo(&house, access_token).await.status, StatusCode::OK);
    give_up(&house, "tokens, ES256").await;
    assert_eq!(shop.userinfo(&house, access_token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.last_event().await, "request-refused");
}

#[tokio::test]
async fn a_token_that_was_signed_before_a_rotation_in_good_order_is_verified_and_opens() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let tokens = shop.tokens(&house, &ana).await;
    rotate(&house, "tokens, ES256", &json!({})).await;
    let opened = shop.userinfo(&house, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(opened.status, StatusCode::OK);
    let later = shop.tokens(&house, &ana).await;
    let header =
        |tokens: &Value| tokens["access_token"].as_str().unwrap().split('.').next().unwrap().to_owned();
    assert_ne!(header(&tokens), header(&later), "another version signs by now");
}

#[tokio::test]
async fn every_letter_of_a_token_counts_though_its_like_is_remembered() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let tokens = shop.tokens(&house, &ana).await;
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(shop.userinfo(&house, access_token).await.status, StatusCode::OK);
    for at in [access_token.len() - 43, access_token.rfind('.').unwrap() - 9] {
        let other = if &access_token[at..=at] == "A" { "B" } else { "A" };
        let changed = [&access_token[..at], other, &access_token[at + 1..]].concat();
        assert_eq!(shop.userinfo(&house, &changed).await.status, StatusCode::UNAUTHORIZED, "{at}");
        assert_eq!(house.last_event().await, "request-refused");
    }
}

#[tokio::test]
async fn a_remembered_token_opens_nothing_once_its_grant_or_its_time_is_over() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let (first, second) = (shop.tokens(&house, &ana).await, shop.tokens(&house, &ana).await);
    let (first, second) = (first["access_token"].as_str().unwrap(), second["access_token"].as_str().unwrap());
    assert_eq!(shop.post(&house, "revoke", &[("token", first)], true).await.status, StatusCode::OK);
    assert_eq!(shop.userinfo(&house, first).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.userinfo(&house, second).await.status, StatusCode::OK);
    house.advance(301);
    assert_eq!(shop.userinfo(&house, second).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_is_not_approved_by_keys_that_were_derived_before_the_agreement_key_was_given_up() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = ana.claim(&house, &visit.sid).await;
    let code = visit.state(&house).await["code"].as_str().unwrap().to_owned();
    assert!(claimed.keys.service_code().matches(&code));
    give_up(&house, "sign-in agreement").await;
    let answered = ana.answer(&house, &claimed, Decision::Approve, &[]).await;
    assert!(answered.status.is_server_error(), "{} {}", answered.status, answered.text());
    assert!(visit.finish(&house).await.headers.get("location").is_none());
    assert_eq!(house.count("signin-approved").await, 0);
}

#[tokio::test]
async fn an_answer_after_a_rotation_in_good_order_is_still_an_answer() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = ana.claim(&house, &visit.sid).await;
    let code = visit.state(&house).await["code"].as_str().unwrap().to_owned();
    house.advance(2);
    let bearer = format!("Bearer {}", house.token);
    let keys = house.get("/api/v1/keys?limit=200", &[("authorization", &bearer)]).await.json();
    let is_s = |key: &&Value| key["label"] == "sign-in agreement";
    let key = keys["items"].as_array().unwrap().iter().find(is_s).unwrap()["id"].as_str().unwrap().to_owned();
    let rotate = format!("/api/v1/keys/{key}/rotate");
    assert_eq!(as_operator(&house, "POST", &rotate, Some(&json!({}))).await, StatusCode::OK);
    assert_eq!(ana.approve(&house, &claimed, &code, &[]).await["outcome"], "approved");
    assert_eq!(house.last_event().await, "signin-approved");
}
