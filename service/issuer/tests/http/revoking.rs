//! Taking back: final, told to every verifier, one event.

use crate::house::{House, code, id};
use crate::lists::list;
use credential::status::StatusValue;
use serde_json::{Value, json};

#[tokio::test]
async fn revoking_twice_is_200_twice_and_one_event() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    house.advance(60);
    house.events().await;
    let path = format!("/api/v1/credentials/{credential}/revoke");
    let first = house.post(&path, &json!({"reason": "key_compromise"})).await;
    let second = house.post(&path, &json!({"reason": "superseded"})).await;
    assert!(first.headers.contains_key("tessera-event") && !second.headers.contains_key("tessera-event"));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(first.json(), second.json());
    let status = first.json();
    assert_eq!((&status["status"], &status["reason"]), (&json!("revoked"), &json!("key_compromise")));
    assert_eq!(
        (&status["changed_at"], &status["visible_by"]),
        (&json!("2026-11-20T12:01:00Z"), &json!("2026-11-20T12:06:02Z"))
    );
    assert_eq!(status["copies"][0]["status"], "revoked");
    assert_eq!(house.events().await, ["credential-revoked"]);
}

#[tokio::test]
async fn a_revoked_credential_says_1_at_its_index_and_all_others_0() {
    let house = House::new().await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(house.collected().await.0);
    }
    let idx = async |credential: &str| {
        house.status(credential).await["copies"][0]["status_list"]["idx"].as_u64().unwrap()
    };
    house.revoke(&kept[1]).await;
    let revoked = idx(&kept[1]).await;
    let signed = list(&house, 0).await;
    for entry in 0..17 * 256 {
        let expected = if entry == revoked { StatusValue::Invalid } else { StatusValue::Valid };
        assert_eq!(signed.value(entry).unwrap(), expected, "{entry}");
    }
}

#[tokio::test]
async fn an_offer_that_is_revoked_gives_nothing_any_more() {
    let house = House::new().await;
    let open = house.offer().await;
    let granted = house.offer().await;
    let token = house.redeem("default", &code(&granted)).await.json();
    house.events().await;
    for offer in [&open, &granted] {
        let revoked = house.revoke(&id(offer)).await;
        assert_eq!(revoked.status, 200);
        assert_eq!(
            (&revoked.json()["status"], &revoked.json()["visible_by"]),
            (&json!("revoked"), &Value::Null)
        );
    }
    assert_eq!(house.events().await, ["credential-revoked", "credential-revoked"]);
    assert_eq!(house.redeem("default", &code(&open)).await.code(), "invalid_grant");
    let nonce = house.nonce("default").await;
    let proof = crate::wallet::proof_for("default", &crate::wallet::p256(), &nonce, house.now());
    let refused = house.ask(token["access_token"].as_str().unwrap(), &[proof]).await;
    assert_eq!(refused.refusal(), (400, "credential_request_denied".to_owned()));
    let shown = house.get(&format!("/api/v1/offers/{}", id(&open))).await;
    assert_eq!(shown.refusal(), (410, "issuer/offer-gone".to_owned()));
    assert_eq!(house.events().await, ["issue-refused", "issue-refused", "request-refused"]);
}

#[tokio::test]
async fn a_credential_is_revoked_after_its_dataset_was_forgotten() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    house.advance(400);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    assert_eq!(
        house.status(&credential).await["status"],
        "valid",
        "an issued credential does not expire with its grant"
    );
    assert_eq!(house.revoke(&credential).await.json()["status"], "revoked");
    assert_eq!(house.count("credential-revoked").await, 1);
}

#[tokio::test]
async fn revocation_is_a_hint_on_the_bus_with_the_list_s_uri() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let mut heard = house.store.bus().subscribe();
    house.revoke(&credential).await;
    let Some(store::Heard::Hint(hint)) = heard.next().await else { panic!("no hint") };
    assert_eq!(
        (hint.topic, hint.ids.as_str()),
        ("status-list-changed", "http://localhost:8400/t/default/status/0")
    );
}

#[tokio::test]
async fn a_year_after_its_end_a_credential_is_forgotten() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    house.advance(366 * 86_400);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    let ctx = house.ctx();
    assert_eq!(house.issuer.status(&ctx, &credential).await.unwrap().status, "expired");
    house.advance(366 * 86_400);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    let gone = house.issuer.status(&ctx, &credential).await;
    assert!(matches!(gone, Err(issuer::revoke::RevokeError::NotFound)));
}
