//! The door of status lists.

use crate::house::{House, PUBLIC_URL};
use crate::wallet::anchors;
use credential::status::{ListToken, StatusValue, VerifiedList};
use credential::trust::{PathCache, Trust};
use jiff::SignedDuration;
use serde_json::json;

/// The list as a verifier reads it.
pub(crate) async fn list(house: &House, number: u32) -> VerifiedList {
    let served = house.fetch(&format!("/t/default/status/{number}")).await;
    assert_eq!(served.status, 200, "{}", served.text());
    let (anchors, cache) = (anchors(house).await, PathCache::new());
    let trust = Trust { anchors: &anchors, cache: &cache, haip: true };
    ListToken::parse(&served.text()).unwrap().verify(&trust, house.now()).unwrap()
}

#[tokio::test]
async fn a_list_is_signed_by_the_tenant_s_own_root_for_its_exact_address() {
    let house = House::new().await;
    house.collected().await;
    let signed = list(&house, 0).await;
    assert_eq!(signed.subject(), format!("{PUBLIC_URL}/t/default/status/0"));
    assert_eq!(signed.entries(), 17 * 256);
    assert_eq!(signed.fresh_until(house.now()), house.now() + SignedDuration::from_secs(300));
    let served = house.fetch("/t/default/status/0").await;
    assert_eq!(served.header("content-type"), "application/statuslist+jwt");
    assert_eq!(served.header("cache-control"), "no-cache");
    assert_eq!(served.header("access-control-allow-origin"), "*");
    let all = house.fetch("/t/default/status").await.json();
    assert_eq!(all, json!({"status_lists": [format!("{PUBLIC_URL}/t/default/status/0")]}));
}

#[tokio::test]
async fn the_door_signs_before_it_answers_when_a_change_waits() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let before = house.fetch("/t/default/status/0").await;
    let idx = house.status(&credential).await["copies"][0]["status_list"]["idx"].as_u64().unwrap();
    assert_eq!(list(&house, 0).await.value(idx).unwrap(), StatusValue::Valid);
    house.events().await;
    house.revoke(&credential).await;
    assert_eq!(list(&house, 0).await.value(idx).unwrap(), StatusValue::Invalid);
    assert_ne!(house.fetch("/t/default/status/0").await.header("etag"), before.header("etag"));
    assert_eq!(house.events().await, ["credential-revoked", "status-list-signed"]);
}

#[tokio::test]
async fn a_tick_signs_what_changed_and_what_is_an_hour_old_and_nothing_else() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let tick = async || {
        house.issuer.publish_lists(&house.ctx(), "default").await.unwrap();
        house.events().await.iter().filter(|event| *event == "status-list-signed").count()
    };
    assert_eq!((tick().await, tick().await), (1, 0));
    house.revoke(&credential).await;
    assert_eq!((tick().await, tick().await), (1, 0));
    house.advance(3_599);
    assert_eq!(tick().await, 0);
    house.advance(1);
    assert_eq!((tick().await, tick().await), (1, 0));
    let signed = list(&house, 0).await;
    assert_eq!(signed.fresh_until(house.now()), house.now() + SignedDuration::from_secs(300));
}

#[tokio::test]
async fn a_caller_that_has_the_list_is_told_304() {
    let house = House::new().await;
    house.collected().await;
    let etag = house.fetch("/t/default/status/0").await.header("etag").to_owned();
    let ask = async |named: &str| {
        let headers = [("if-none-match", named)];
        let answered = house.raw("GET", "/t/default/status/0", "", &headers, "").await;
        assert_eq!(answered.header("etag"), etag);
        (answered.status.as_u16(), answered.body.is_empty())
    };
    for named in [etag.clone(), format!("\"x\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        assert_eq!(ask(&named).await, (304, true), "{named}");
    }
    assert_eq!(ask("\"x\"").await, (200, false));
}

#[tokio::test]
async fn a_list_of_another_time_is_501() {
    let house = House::new().await;
    house.collected().await;
    for query in ["time=1686925000", "a=b&time=", "time"] {
        let refused = house.fetch(&format!("/t/default/status/0?{query}")).await;
        assert_eq!(refused.refusal(), (501, "issuer/time-not-served".to_owned()), "{query}");
    }
    assert_eq!(house.fetch("/t/default/status/0?timeless=1").await.status, 200);
}

#[tokio::test]
async fn only_the_exact_number_names_a_list() {
    let house = House::new().await;
    house.collected().await;
    for number in ["1", "00", "+0", "-0", "-1", "0x0", "99999999999999999999", "%30%30", "a", "%ff", "0%2f"] {
        let absent = house.fetch(&format!("/t/default/status/{number}")).await;
        assert!(matches!(absent.status.as_u16(), 404 | 400), "{number}: {}", absent.text());
        assert!(absent.code().starts_with("api/"), "{number}");
    }
}

#[tokio::test]
async fn an_unchanged_list_is_served_while_its_signature_lives_even_if_its_signer_ends() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let leaf = house.custody.signer(&house.ctx(), custody::KeyRef::Use("jws:statuslist+jwt")).await.unwrap();
    let guard = leaf.ends_at.unwrap() - SignedDuration::from_hours(25);
    house.advance((guard.as_second() - house.now().as_second()).unsigned_abs());
    let served = house.fetch("/t/default/status/0").await;
    assert_eq!(served.status, 200, "{}", served.text());
    house.advance(2 * 3_600);
    assert_eq!(house.fetch("/t/default/status/0").await.body, served.body, "the signer ends within a day");
    house.advance(11 * 3_600);
    assert_eq!(
        house.fetch("/t/default/status/0").await.code(),
        "issuer/signer-expiring",
        "its signature ended"
    );
    let revoked = house.issuer.revoke(&house.ctx(), "default", &credential, Default::default(), None).await;
    assert_eq!(revoked.unwrap().0.status, "revoked");
}
