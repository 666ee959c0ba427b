//! The way of the quick start: a relying party, a document seal, an enrolment, a sign-in; and what the browser sees of it.

use crate::house::{COOKIE, House};
use crate::wallet::{ended, shown_code};
use serde_json::json;
use tessera_idp::signin::SessionState;

#[tokio::test]
async fn the_browser_shows_the_code_that_the_wallet_derives_and_both_end_signed_in() {
    let house = House::new().await;
    let (shop, seal) = (house.shop().await, house.seal().await);
    let wallet = house.wallet_with(&seal).await;
    house.events().await;
    let opened = house.open(&shop).await;
    assert_eq!(shown_code(&house, &opened.sid).await, None, "no code before a wallet claims");
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    assert_eq!(claimed.told["service_seal"], shop["service_seal"]);
    assert_eq!(claimed.t0, opened.t0);
    let code = shown_code(&house, &opened.sid).await.unwrap();
    assert!(claimed.keys.service_code().matches(&code));
    let answer = wallet.approval(&house, &claimed, Some(&seal));
    let reply = wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
    assert_eq!((&reply["outcome"], &reply["reason"]), (&json!("approved"), &json!("")));
    assert_eq!(ended(&house, &opened.sid).await, ("approved".to_owned(), String::new()));
    assert_eq!(house.events().await, ["signin-approved"]);
}

#[tokio::test]
async fn the_code_redeems_what_was_granted_and_a_reload_of_finish_repeats_it() {
    let house = House::new().await;
    let (shop, seal) = (house.shop().await, house.seal().await);
    let wallet = house.wallet_with(&seal).await;
    let opened = house.open(&shop).await;
    wallet.sign_in(&house, &opened, Some(&seal)).await;
    let finished = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap();
    let code = finished.code.unwrap();
    let again = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap();
    assert_eq!(again.code.unwrap().expose(), code.expose());
    assert_eq!(finished.request.state.as_deref(), Some("state-1"));
    let found = house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap();
    assert_eq!(found.facts.granted, ["identity:age_over_18", "openid"]);
    assert_eq!((found.facts.acr.as_str(), found.is_spent), ("seal:code", false));
    assert_eq!(serde_json::Value::Object(found.claims.unwrap()), json!({"age_over_18": true}));
    assert!(house.idp.result_of_code(&house.ctx(), "another").await.unwrap().is_none());
}

#[tokio::test]
async fn another_browser_reads_no_state_and_gets_no_code() {
    let house = House::new().await;
    let shop = house.shop().await;
    let wallet = house.wallet().await;
    let opened = house.open(&shop).await;
    assert!(house.idp.session_state(&house.ctx(), &opened.sid, "another").await.is_err());
    wallet.sign_in(&house, &opened, None).await;
    assert!(house.idp.session_state(&house.ctx(), &opened.sid, "another").await.is_err());
    assert!(house.idp.finish(&house.ctx(), &opened.sid, "another").await.is_err());
    assert!(house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.is_some());
}

#[tokio::test]
async fn a_person_is_another_one_at_each_relying_party_and_the_same_one_again() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let mut subs = Vec::new();
    for origin in ["http://localhost:4999", "http://127.0.0.1:4999", "http://localhost:4999"] {
        let mut form = crate::house::shop();
        form["origins"] = json!([origin]);
        form["redirect_uris"] = json!([format!("{origin}/cb")]);
        let shop = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
        let opened = house.open(&shop).await;
        wallet.sign_in(&house, &opened, None).await;
        let code = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.unwrap();
        let found = house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap();
        subs.push(found.facts.sub);
    }
    assert_eq!(subs[0], subs[2]);
    assert_ne!(subs[0], subs[1]);
}

#[tokio::test]
async fn a_renewed_page_has_a_new_session_and_the_old_link_claims_nothing() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    house.advance(70);
    let renewed = house.idp.renew(&house.ctx(), &opened.sid, COOKIE).await.unwrap();
    assert_ne!((renewed.sid, renewed.t0), (opened.sid, opened.t0));
    assert_eq!(wallet.claim(&house, &opened).await.err().unwrap(), (404, "seal/unknown-session".to_owned()));
    house.advance(70);
    let claimed = wallet.claim(&house, &renewed).await.unwrap();
    house.advance(80);
    let path = format!("/t/default/seal/sessions/{}/renew", claimed.sid);
    assert!(wallet.ask(&house, "POST", &path, None).await.unwrap().contains_key("expires_at"));
    house.advance(80);
    let answer = wallet.approval(&house, &claimed, None);
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["outcome"], "approved");
}

#[tokio::test]
async fn nobody_in_time_is_an_event_and_the_browser_hears_of_it() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let (alone, claimed) = (house.open(&shop).await, house.open(&shop).await);
    wallet.claim(&house, &claimed).await.unwrap();
    house.events().await;
    house.advance(91);
    assert_eq!(ended(&house, &alone.sid).await.0, "expired");
    house.idp.sweep(&house.ctx(), house.edge.flood()).await.unwrap();
    assert_eq!(house.events().await, ["signin-expired", "signin-expired"]);
    assert_eq!(ended(&house, &claimed.sid).await, ("expired".to_owned(), String::new()));
    let finished = house.idp.finish(&house.ctx(), &alone.sid, COOKIE).await.unwrap();
    assert_eq!((finished.outcome.as_str(), finished.code.is_none()), ("expired", true));
    let list = house.api("GET", "/api/v1/signins", None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_session_that_is_cancelled_is_denied() {
    let house = House::new().await;
    let shop = house.shop().await;
    let opened = house.open(&shop).await;
    house.events().await;
    house.idp.cancel(&house.ctx(), &opened.sid, COOKIE).await.unwrap();
    assert_eq!(ended(&house, &opened.sid).await, ("denied".to_owned(), "cancelled".to_owned()));
    assert_eq!(house.events().await, ["signin-denied"]);
}

#[tokio::test]
async fn an_operator_finds_a_sign_in_by_its_consent_and_its_person_the_evidence() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    wallet.sign_in(&house, &opened, None).await;
    let list = house.api("GET", "/api/v1/signins", None).await.json();
    let line = list["items"][0].clone();
    let hash = line["consent_hash"].as_str().unwrap();
    let found = house.api("GET", &format!("/api/v1/signins?consent_hash={hash}"), None).await.json();
    assert_eq!(found["items"], json!([line]));
    let consents = wallet.call(&house, "GET", "/t/default/seal/consents", None).await.json();
    let consent = &consents["items"][0];
    let record = consent["evidence"]["record"].as_str().unwrap();
    assert_eq!(seal::consent::hash_text(record.as_bytes()), hash);
    assert!(consent["evidence"]["sig"].is_string(), "the device's own signature is kept for its person");
    house.events().await;
    let path = format!("/t/default/seal/consents/{}", consent["id"].as_str().unwrap());
    assert_eq!(wallet.call(&house, "DELETE", &path, None).await.status, 204);
    assert_eq!(house.events().await, ["consent-erased"]);
    let consents = wallet.call(&house, "GET", "/t/default/seal/consents", None).await.json();
    assert_eq!(consents["items"], json!([]));
}

#[tokio::test]
async fn a_reload_with_the_same_cookie_finds_the_session_and_another_cookie_does_not() {
    let house = House::new().await;
    let shop = house.shop().await;
    let (name, request) = ([9; 32], house.request(&shop));
    let browser = tessera_idp::signin::Browser { cookie: COOKIE, hint: "" };
    let opened = house
        .idp
        .open_session(&house.ctx(), "default", &request, (name, Vec::new()), &browser)
        .await
        .unwrap();
    let found = house.idp.reopened(&house.ctx(), &name, COOKIE).await.unwrap().unwrap();
    assert_eq!(found.sid, opened.sid);
    assert!(house.idp.reopened(&house.ctx(), &name, "another").await.unwrap().is_none());
    assert!(matches!(
        house.idp.session_state(&house.ctx(), &opened.sid, COOKIE).await.unwrap(),
        SessionState::Open { .. }
    ));
}

#[tokio::test]
async fn two_tabs_of_one_browser_both_sign_in_also_when_the_wrapping_key_rotates_in_between() {
    let house = House::new().await;
    let (shop, seal) = (house.shop().await, house.seal().await);
    let wallet = house.wallet_with(&seal).await;
    let (one, other) = (house.open(&shop).await, house.open(&shop).await);
    wallet.sign_in(&house, &one, Some(&seal)).await;
    let ctx = house.ctx();
    let rotated = house.store.next_kek(&ctx, store::Purpose::Data).await.unwrap();
    house.store.housekeeping(&ctx, store::Reason::Wrapping, vec![rotated]).await.unwrap();
    house.store.kek_rotated(&ctx);
    wallet.sign_in(&house, &other, Some(&seal)).await;
    for opened in [one, other] {
        let code = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.unwrap();
        let found = house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap();
        assert_eq!(serde_json::Value::Object(found.claims.unwrap()), json!({"age_over_18": true}));
    }
}
