//! Offers: made, shown, cancelled, over.

use crate::house::{House, code, diploma, id, path_of};
use http::header;
use serde_json::{Value, json};

#[tokio::test]
async fn an_offer_is_made_shown_and_fetched_without_being_spent() {
    let house = House::new().await;
    let made = house.post("/api/v1/offers", &diploma()).await;
    assert_eq!(made.status, 201);
    assert!(made.headers.contains_key("tessera-event"));
    assert_eq!(made.header("cache-control"), "no-store");
    let offer = made.json();
    assert_eq!((&offer["status"], &offer["format"]), (&json!("offered"), &json!("dc+sd-jwt")));
    assert_eq!(offer["expires_at"], "2026-11-20T12:10:00Z");
    for by in [&offer["id"], &offer["offer_id"]] {
        for door in ["offers", "credentials/offer"] {
            let shown = house.get(&format!("/api/v1/{door}/{}", by.as_str().unwrap())).await;
            assert_eq!(shown.json(), offer, "{door}");
        }
    }
    let path = path_of(offer["credential_offer_uri"].as_str().unwrap());
    for _ in 0..2 {
        let fetched = house.fetch(&path).await;
        assert_eq!(fetched.json(), offer["credential_offer"]);
        assert_eq!(fetched.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(fetched.header("cache-control"), "no-store");
    }
    assert_eq!(house.redeem("default", &code(&offer)).await.status, 200);
    assert_eq!(house.events().await, ["offer-created", "access-granted"]);
}

#[tokio::test]
async fn an_offer_that_is_spent_late_or_cancelled_is_gone() {
    let house = House::new().await;
    let spent = house.offer().await;
    house.redeem("default", &code(&spent)).await;
    let late = house
        .offer_of(&json!({"credential_configuration_id": "diploma", "offer_ttl_s": 1,
        "claims": {"given_name": "Ana", "degree": {"type": "BSc"}}}))
        .await;
    let cancelled = house.offer().await;
    let path = format!("/api/v1/offers/{}", cancelled["offer_id"].as_str().unwrap());
    let done = house.raw("DELETE", &path, &house.token, &[], "").await;
    assert!(done.status == 204 && done.headers.contains_key("tessera-event"));
    house.advance(1);
    assert!(house.events().await.contains(&"offer-cancelled".to_owned()));
    for offer in [&spent, &late, &cancelled] {
        let shown = house.get(&format!("/api/v1/offers/{}", offer["offer_id"].as_str().unwrap())).await;
        assert_eq!(shown.refusal(), (410, "issuer/offer-gone".to_owned()));
        let fetched = house.fetch(&path_of(offer["credential_offer_uri"].as_str().unwrap())).await;
        assert_eq!(fetched.status, 404, "{}", fetched.text());
        assert_eq!(house.redeem("default", &code(offer)).await.refusal(), (400, "invalid_grant".to_owned()));
    }
    assert_eq!(house.status(&id(&cancelled)).await["status"], "revoked");
    let mut events = house.events().await;
    events.sort();
    let shown_and_redeemed = [vec!["issue-refused"; 3], vec!["request-refused"; 3]].concat();
    assert_eq!(events, shown_and_redeemed);
    assert_eq!(house.raw("DELETE", &path, &house.token, &[], "").await.refusal().1, "issuer/offer-gone");
    assert_eq!(house.events().await, ["issue-refused"], "one refusal, one event");
}

#[tokio::test]
async fn an_offer_that_nobody_took_is_one_event_and_an_expired_credential() {
    let house = House::new().await;
    let offer = house.offer().await;
    house.advance(600);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    house.issuer.tidy(&house.ctx()).await.unwrap();
    let events = house.events().await;
    assert_eq!(events, ["offer-created", "offer-expired"]);
    assert_eq!(house.status(&id(&offer)).await["status"], "expired");
    house.advance(90_000);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    let shown = house.issuer.offered(&house.ctx(), "default", offer["offer_id"].as_str().unwrap()).await;
    assert!(matches!(shown, Err(issuer::offer::OfferError::NotFound)), "forgotten a day after its end");
}

#[tokio::test]
async fn a_grant_that_fetched_nothing_leaves_an_expired_credential_without_a_dataset() {
    let house = House::new().await;
    let offer = house.offer().await;
    house.redeem("default", &code(&offer)).await;
    house.issuer.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.status(&id(&offer)).await["status"], "offered");
    house.advance(301);
    house.issuer.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.status(&id(&offer)).await["status"], "expired");
    assert_eq!(house.revoke(&id(&offer)).await.status, 200);
}

#[tokio::test]
async fn the_format_alone_picks_the_only_type_of_it() {
    let house = House::new().await;
    let claims = json!({"given_name": "Ana", "degree": {"type": "BSc"}});
    let offer = house.offer_of(&json!({"format": "dc+sd-jwt", "claims": claims})).await;
    assert_eq!(offer["credential_offer"]["credential_configuration_ids"], json!(["diploma"]));
    let ask = async |body: Value| {
        let answered = house.post("/api/v1/credentials/issue", &body).await;
        (answered.code(), answered.pointers().join(" "))
    };
    let refused = |code: &str, at: &str| (code.to_owned(), at.to_owned());
    assert_eq!(
        ask(json!({"format": "mso_mdoc", "claims": claims})).await,
        refused("issuer/format-mismatch", "/format")
    );
    assert_eq!(ask(json!({"claims": claims})).await, refused("api/invalid", "/credential_configuration_id"));
    let both = json!({"credential_configuration_id": "diploma", "format": "mso_mdoc", "claims": claims});
    assert_eq!(ask(both).await, refused("issuer/format-mismatch", "/format"));
    let unknown = json!({"credential_configuration_id": "canary-name", "claims": claims});
    assert_eq!(ask(unknown).await, refused("issuer/unknown-configuration", "/credential_configuration_id"));
}

#[tokio::test]
async fn the_same_idempotency_key_is_one_offer_and_another_body_is_refused() {
    let house = House::new().await;
    let path = "/api/v1/credentials/issue";
    let key = [("idempotency-key", "k-1")];
    let first = house.post_as(path, &house.token, &key, &diploma()).await;
    let second = house.post_as(path, &house.token, &key, &diploma()).await;
    assert_eq!((first.status.as_u16(), &first.body), (201, &second.body));
    assert_eq!(first.header("tessera-event"), second.header("tessera-event"));
    let mut other = diploma();
    other["claims"]["given_name"] = "Eva".into();
    let refused = house.post_as(path, &house.token, &key, &other).await;
    assert_eq!(refused.refusal(), (422, "api/idempotency-reuse".to_owned()));
    assert_eq!(house.count("offer-created").await, 1);
}

#[tokio::test]
async fn the_same_idempotency_key_revokes_once_and_answers_twice() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let path = format!("/api/v1/credentials/{credential}/revoke");
    let body = json!({"reason": "superseded"});
    let mut answers = Vec::new();
    for key in ["k-1", "k-1", "k-2", "k-2"] {
        let answered = house.post_as(&path, &house.token, &[("idempotency-key", key)], &body).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        answers.push(answered.body);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(house.count("credential-revoked").await, 1);
}

#[tokio::test]
async fn lists_of_offers_credentials_types_and_status_lists_come_by_page() {
    let house = House::new().await;
    for _ in 0..3 {
        house.collected().await;
    }
    for (path, rows) in [("offers", 3), ("credentials", 3), ("credential-types", 1), ("status-lists", 1)] {
        let mut seen = Vec::new();
        let mut next = format!("/api/v1/{path}?limit=2");
        loop {
            let page = house.get(&next).await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(Value::to_string));
            let Some(after) = page["next"].as_str() else { break };
            next = format!("/api/v1/{path}?limit=2&after={after}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), rows, "{path}");
        assert!(!seen.join("").contains("Ana"));
    }
    assert_eq!(house.count("credential-type-put").await, 1);
    let kind = house.get("/api/v1/credential-types/diploma").await.json();
    assert_eq!(kind["vct"], "http://localhost:8400/t/default/vct/diploma");
    assert_eq!(house.get("/api/v1/credential-types/none").await.code(), "api/not-found");
}
