//! Limits in rows: what a stranger who knows a handle can do, and what a device can.

use crate::house::{COOKIE, House};
use crate::wallet::Wallet;
use seal::code::{Decision, DenyReason};
use seal::scope::Scopes;
use serde_json::{Value, json};

async fn inbox(house: &House, wallet: &Wallet) -> Vec<Value> {
    let body = wallet.call(house, "GET", "/t/default/seal/inbox?wait=0", None).await.json();
    body["sessions"].as_array().unwrap().clone()
}

/// A browser asks for the owner of a handle.
async fn push(house: &House, shop: &Value, handle: &str) -> tessera_idp::signin::Opened {
    let opened = house.open(shop).await;
    house.idp.post_handle(&house.ctx(), &opened.sid, COOKIE, handle).await.unwrap();
    opened
}

#[tokio::test]
async fn a_handle_reaches_its_owners_inbox_and_the_newest_request_alone() {
    let house = House::new().await;
    let (shop, wallet, other) = (house.shop().await, house.wallet().await, house.wallet().await);
    push(&house, &shop, &wallet.handle).await;
    let opened = push(&house, &shop, &wallet.handle.to_lowercase()).await;
    let waits = inbox(&house, &wallet).await;
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0]["sid"], opened.sid.to_string());
    let uri = format!("http://localhost:8400/t/default/seal/s/{}", opened.sid);
    assert_eq!(waits[0]["claim_uri"], uri);
    assert!(inbox(&house, &other).await.is_empty());
    assert_eq!(
        house.raw("GET", uri.strip_prefix("http://localhost:8400").unwrap(), &[], None).await.status,
        200
    );
}

#[tokio::test]
async fn an_unknown_handle_looks_like_a_known_one() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    house.events().await;
    for handle in ["0000-0000", "not a handle", "", &"x".repeat(5_000)] {
        push(&house, &shop, handle).await;
    }
    assert!(inbox(&house, &wallet).await.is_empty());
    assert_eq!(house.events().await, Vec::<String>::new());
}

#[tokio::test]
async fn after_five_pushes_without_an_answer_the_handle_rests_and_the_page_looks_the_same() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    house.events().await;
    for nth in 1..=5 {
        push(&house, &shop, &wallet.handle).await;
        assert_eq!(inbox(&house, &wallet).await.len(), 1, "push {nth}");
        house.advance(91);
        house.idp.sweep(&house.ctx(), house.edge.flood()).await.unwrap();
    }
    assert!(house.events().await.contains(&"handle-paused".to_owned()));
    // The fifth began a pause of a minute, which has passed: one more, then two minutes of rest.
    push(&house, &shop, &wallet.handle).await;
    assert_eq!(inbox(&house, &wallet).await.len(), 1);
    house.advance(91);
    push(&house, &shop, &wallet.handle).await;
    assert!(inbox(&house, &wallet).await.is_empty());
    // Scanning goes on.
    let opened = house.open(&shop).await;
    wallet.sign_in(&house, &opened, None).await;
    push(&house, &shop, &wallet.handle).await;
    assert_eq!(inbox(&house, &wallet).await.len(), 1, "an answer forgets the count");
}

#[tokio::test]
async fn after_not_me_the_handle_rests_for_a_day_and_scanning_goes_on() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = push(&house, &shop, &wallet.handle).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let no = Decision::Deny(DenyReason::NotMe);
    let answer =
        wallet.answer(&house, &claimed, no, (Scopes::default(), claimed.context.scopes.clone()), None);
    wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
    push(&house, &shop, &wallet.handle).await;
    assert!(inbox(&house, &wallet).await.is_empty());
    let scanned = house.open(&shop).await;
    wallet.sign_in(&house, &scanned, None).await;
    house.advance(86_401);
    push(&house, &shop, &wallet.handle).await;
    assert_eq!(inbox(&house, &wallet).await.len(), 1);
}

#[tokio::test]
async fn a_device_claims_sixty_sessions_an_hour_and_no_more() {
    let house = House::with(|config| config.is_dev = false).await;
    let mut form = crate::house::shop();
    form["origins"] = json!(["https://shop.example"]);
    form["redirect_uris"] = json!(["https://shop.example/cb"]);
    let shop = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
    let wallet = house.wallet().await;
    for _ in 0..60 {
        let opened = house.open(&shop).await;
        wallet.claim(&house, &opened).await.unwrap();
    }
    let opened = house.open(&shop).await;
    assert_eq!(wallet.claim(&house, &opened).await.err().unwrap(), (429, "seal/rate-limited".to_owned()));
    house.advance(3_601);
    let opened = house.open(&shop).await;
    assert!(wallet.claim(&house, &opened).await.is_ok());
}

#[tokio::test]
async fn a_request_opens_one_session_and_an_inactive_relying_party_none() {
    let house = House::new().await;
    let shop = house.shop().await;
    let path = format!("/api/v1/relying-parties/{}", shop["id"].as_str().unwrap());
    let request = house.request(&shop);
    assert_eq!(house.api("DELETE", &path, None).await.status, 204);
    let browser = tessera_idp::signin::Browser { cookie: COOKIE, hint: "" };
    let refused =
        house.idp.open_session(&house.ctx(), "default", &request, ([1; 32], Vec::new()), &browser).await;
    assert!(matches!(refused, Err(tessera_idp::signin::SigninError::PartyInactive)));
}
