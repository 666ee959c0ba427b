//! The browser's doors: who may look, what the page shows, and what other sites cannot do.

use crate::house::{House, ISSUER};
use crate::person::Person;
use crate::shop::Shop;
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

const OTHER_COOKIE: &str = "tessera_browser=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn another_browser_neither_reads_nor_ends_a_sign_in() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    visit.approve(&house, &ana, &[]).await;
    for door in ["state", "finish", "events"] {
        for cookie in [OTHER_COOKIE, "", "other=1"] {
            let refused = house.get(&visit.url(door), &[("cookie", cookie)]).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{door} {cookie}");
            assert!(!refused.text().contains("code="));
        }
    }
    assert!(visit.finish(&house).await.back("code").is_some());
}

#[tokio::test]
async fn the_code_is_shown_to_the_browser_alone_and_only_after_a_wallet_claimed() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let open = visit.state(&house).await;
    assert_eq!((&open["state"], open.get("code")), (&json!("open"), None));
    let claimed = ana.claim(&house, &visit.sid).await;
    let shown = visit.state(&house).await;
    assert!(claimed.keys.service_code().matches(shown["code"].as_str().unwrap()));
    assert_eq!(shown["device"].as_str().unwrap().len(), 4);
}

#[tokio::test]
async fn a_poll_wakes_when_a_wallet_claims() {
    let house = Arc::new(House::new().await);
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let (url, cookie) = (format!("{}?wait=20&seen=open", visit.url("state")), visit.cookie.clone());
    let polling = tokio::spawn({
        let house = house.clone();
        async move { house.get(&url, &[("cookie", &cookie)]).await.json() }
    });
    ana.claim(&house, &visit.sid).await;
    assert_eq!(polling.await.unwrap()["state"], "claimed");
}

#[tokio::test]
async fn hints_are_an_event_stream_that_names_the_state_and_no_code() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    ana.claim(&house, &visit.sid).await;
    let headers = [("cookie", visit.cookie.as_str()), ("last-event-id", "open")];
    let hint = house.get(&visit.url("events"), &headers).await;
    assert_eq!(hint.header("content-type"), "text/event-stream");
    assert!(hint.text().contains("id: claimed\nevent: state\ndata: claimed\n\n"), "{}", hint.text());
}

#[tokio::test]
async fn a_post_without_the_token_of_its_page_or_without_the_cookie_changes_nothing() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (visit, other) =
        (shop.visit(&house, &[("scope", "openid")]).await, shop.visit(&house, &[("scope", "openid")]).await);
    for door in ["handle", "renew", "cancel", "assertion", "answer"] {
        let foreign = json!({"form_token": other.form_token, "handle": "AAAA-AAAA"});
        let refused = house.json(&visit.url(door), &[("cookie", &visit.cookie)], &foreign).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::FORBIDDEN, "seal/form-token"),
            "{door}"
        );
        let own = json!({"form_token": visit.form_token});
        assert_eq!(house.json(&visit.url(door), &[], &own).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(visit.state(&house).await["state"], "open");
}

#[tokio::test]
async fn a_handle_reaches_its_persons_inbox_and_an_unknown_one_looks_the_same() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let unknown = visit.post(&house, "handle", &json!({"handle": "AAAA-AAAA"})).await;
    let known = visit.post(&house, "handle", &json!({"handle": ana.handle})).await;
    assert_eq!((unknown.status, unknown.body), (known.status, known.body));
    let inbox = ana.send(&house, "GET", "/t/default/seal/inbox", None, false).await.json();
    assert_eq!(inbox["sessions"][0]["sid"], visit.sid.as_str());
}

#[tokio::test]
async fn a_browser_that_cancels_sends_access_denied_back() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    assert_eq!(visit.post(&house, "cancel", &json!({})).await.json()["state"], "denied");
    assert_eq!(house.last_event().await, "signin-denied");
    assert_eq!(visit.finish(&house).await.back("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn an_open_page_may_begin_anew_and_its_form_leads_to_the_new_one() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let form = format!("form_token={}", visit.form_token);
    let renewed = house.form(&visit.url("renew"), &[("cookie", &visit.cookie)], &form).await;
    assert_eq!(renewed.status, StatusCode::SEE_OTHER);
    assert!(!renewed.header("location").contains(&visit.sid), "another session for the same request");
    let page = house.get(renewed.header("location"), &[("cookie", &visit.cookie)]).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn a_person_is_led_to_the_sessions_own_page_which_still_stands_when_it_has_ended() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let fields = [("client_id", shop.client_id.as_str()), ("request_uri", visit.request_uri.as_str())];
    let query = openid::oauth::form::encode(&fields);
    let headers = [("accept", "text/html"), ("cookie", visit.cookie.as_str())];
    let led = house.get(&format!("{ISSUER}/authorize?{query}"), &headers).await;
    assert_eq!(led.status, StatusCode::SEE_OTHER);
    assert_eq!(led.header("location"), format!("{ISSUER}/sessions/{}", visit.sid));
    visit.approve(&house, &ana, &[]).await;
    let page = house.get(led.header("location"), &[("cookie", &visit.cookie)]).await;
    assert!(page.text().contains("Signed in with device"));
}

#[tokio::test]
async fn the_page_shows_who_asks_for_what_under_the_strict_policy_and_carries_no_secret_of_the_browser() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[]).await;
    let url = format!("{ISSUER}/sessions/{}", visit.sid);
    let page = house.get(&url, &[("cookie", &visit.cookie)]).await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header("content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "require-trusted-types-for 'script'",
        "form-action 'self' http://localhost:4999",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && page.header("cache-control") == "no-store");
    let text = page.text();
    assert!(
        text.contains("Shop SA")
            && text.contains("http://localhost:4999")
            && text.contains("Your given name")
    );
    let cookie = visit.cookie.split('=').nth(1).unwrap();
    assert!(!text.contains(cookie));
    for asset in text.split('"').filter(|part| part.contains("/idp-assets/")) {
        let file = house.get(asset, &[]).await;
        assert_eq!(
            (file.status, file.header("cache-control")),
            (StatusCode::OK, "public, max-age=31536000, immutable")
        );
    }
    ana.claim(&house, &visit.sid).await;
    let shown = visit.state(&house).await["code"].as_str().unwrap().to_owned();
    let page = house.get(&url, &[("cookie", &visit.cookie)]).await.text();
    assert!(page.contains(&format!("{} {}", &shown[..3], &shown[3..])));
}

#[tokio::test]
async fn after_an_approval_by_code_the_page_names_the_device_and_waits() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    visit.approve(&house, &ana, &[]).await;
    let page =
        house.get(&format!("{ISSUER}/sessions/{}", visit.sid), &[("cookie", &visit.cookie)]).await.text();
    let device = visit.state(&house).await["device"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("device …{device}")) && page.contains("/finish\">Continue"));
    assert!(!page.contains("http-equiv=\"refresh\""), "a code alone does not go on by itself");
}
