//! What wallets tell of their copies: once, by the grant that got them, and a loss takes the copies back.

use crate::house::{Answered, House, code, id};
use crate::wallet::{p256, proof_for};
use serde_json::{Value, json};

/// An offer that a wallet collected: the offer, the token, the id of the notification.
async fn collected(house: &House) -> (Value, String, String) {
    let offer = house.offer().await;
    let granted = house.redeem("default", &code(&offer)).await.json();
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let id = again(house, &token).await;
    (offer, token, id)
}

/// Two more copies with the same token; the id of their notification.
async fn again(house: &House, token: &str) -> String {
    let nonce = house.nonce("default").await;
    let proof = || proof_for("default", &p256(), &nonce, house.now());
    let issued = house.ask(token, &[proof(), proof()]).await;
    assert_eq!(issued.status, 200, "{}", issued.text());
    issued.json()["notification_id"].as_str().unwrap().to_owned()
}

async fn tell(house: &House, token: &str, id: &str, event: &str) -> Answered {
    let body = json!({"notification_id": id, "event": event, "event_description": "canary-description"});
    house.post_as("/t/default/vci/notification", token, &[], &body).await
}

async fn statuses(house: &House, offer: &Value) -> Vec<String> {
    let status = house.status(&id(offer)).await;
    let copies = status["copies"].as_array().unwrap();
    copies.iter().map(|copy| copy["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_notification_is_one_event_however_often_it_is_told() {
    let house = House::new().await;
    let (offer, token, id) = collected(&house).await;
    house.events().await;
    for _ in 0..3 {
        let told = tell(&house, &token, &id, "credential_accepted").await;
        assert!(told.status == 204 && told.body.is_empty(), "{}", told.text());
    }
    assert_eq!(house.events().await, ["notification-received"]);
    assert_eq!(statuses(&house, &offer).await, ["valid", "valid"]);
    assert!(
        !house.leaves().await.concat().windows(6).any(|part| part == b"canary"),
        "free text is kept nowhere"
    );
}

#[tokio::test]
async fn a_loss_revokes_the_copies_of_its_answer_alone_and_is_final() {
    for event in ["credential_failure", "credential_deleted"] {
        let house = House::new().await;
        let (offer, token, first) = collected(&house).await;
        let second = again(&house, &token).await;
        assert_ne!(first, second);
        house.events().await;
        assert_eq!(tell(&house, &token, &first, "credential_accepted").await.status, 204);
        assert_eq!(tell(&house, &token, &first, event).await.status, 204);
        for event in ["credential_accepted", "credential_failure", "credential_deleted"] {
            assert_eq!(tell(&house, &token, &first, event).await.status, 204, "{event}");
        }
        assert_eq!(house.events().await, ["notification-received", "notification-received"]);
        assert_eq!(statuses(&house, &offer).await, ["revoked", "revoked", "valid", "valid"], "{event}");
        let list = house.fetch("/t/default/status/0").await;
        assert_eq!(list.status, 200);
        again(&house, &token).await;
    }
}

#[tokio::test]
async fn a_house_that_does_not_revoke_on_failure_only_listens() {
    let house = House::with(|config| config.revoke_on_failure = false).await;
    let (offer, token, id) = collected(&house).await;
    assert_eq!(tell(&house, &token, &id, "credential_failure").await.status, 204);
    assert_eq!(statuses(&house, &offer).await, ["valid", "valid"]);
    assert_eq!(house.count("notification-received").await, 1);
}

#[tokio::test]
async fn an_id_of_another_grant_or_of_nobody_is_invalid_notification_id() {
    let house = House::new().await;
    let (offer, _, theirs) = collected(&house).await;
    let (_, token, _) = collected(&house).await;
    house.events().await;
    for id in [theirs.as_str(), "nobody", ""] {
        let refused = tell(&house, &token, id, "credential_deleted").await;
        assert_eq!(refused.refusal(), (400, "invalid_notification_id".to_owned()), "{id}");
    }
    assert_eq!(house.events().await, ["issue-refused"; 3]);
    assert_eq!(statuses(&house, &offer).await, ["valid", "valid"]);
}

#[tokio::test]
async fn a_notification_that_is_malformed_or_without_a_live_token_is_refused() {
    let house = House::new().await;
    let (_, token, id) = collected(&house).await;
    for event in ["credential_lost", ""] {
        let refused = tell(&house, &token, &id, event).await;
        assert_eq!(refused.refusal(), (400, "invalid_notification_request".to_owned()));
    }
    for body in ["", "[]", "{", "{\"notification_id\":1}"] {
        let media = [("content-type", "application/json")];
        let refused = house.raw("POST", "/t/default/vci/notification", &token, &media, body).await;
        assert_eq!(refused.refusal(), (400, "invalid_notification_request".to_owned()), "{body}");
    }
    for token in ["", "x"] {
        let refused = tell(&house, token, &id, "credential_accepted").await;
        assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()));
    }
    house.advance(300);
    assert_eq!(tell(&house, &token, &id, "credential_accepted").await.refusal().1, "invalid_token");
    assert_eq!(house.count("notification-received").await, 0);
}
