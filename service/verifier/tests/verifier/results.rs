//! Results: waiting for them, reading them, and that they go when their time is over.

use crate::house::{House, query};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_long_poll_wakes_when_its_session_ends() {
    let house = Arc::new(House::new().await);
    let (id, asked) = house.ask().await;
    let poll = tokio::spawn({
        let (house, path) = (house.clone(), format!("/api/v1/verification/{id}?wait_s=25"));
        async move { house.get(&path).await.json() }
    });
    // The poll sits down at its first look; the answer is posted whether it has or not.
    tokio::task::yield_now().await;
    house.advance(7);
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    let result = poll.await.unwrap();
    assert_eq!(
        (result["state"].as_str(), result["verified_at"].as_str()),
        (Some("verified"), Some("2026-11-20T12:00:07Z"))
    );
    assert_eq!(house.count("result-read").await, 1);
}

#[tokio::test]
async fn whoever_does_not_wait_is_answered_at_once() {
    let house = House::new().await;
    let (id, _) = house.ask().await;
    for path in [format!("/api/v1/verification/{id}"), format!("/api/v1/verifications/{id}?wait_s=0")] {
        assert_eq!(house.get(&path).await.json()["state"], "created");
    }
    for (wait, pointer) in [("26", "?wait_s"), ("-1", "?wait_s"), ("x", "?wait_s")] {
        let answered = house.get(&format!("/api/v1/verification/{id}?wait_s={wait}")).await;
        assert_eq!(
            (answered.code().as_str(), answered.pointers()),
            ("api/invalid-query", vec![pointer.to_owned()])
        );
    }
    let unknown = house.get("/api/v1/verification/ver_0123456789abcdefghjkmnpqrs").await;
    assert_eq!(unknown.code(), "api/not-found");
}

#[tokio::test]
async fn every_reading_of_claims_is_an_event_and_of_a_refusal_none() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    house.result(&id).await;
    assert_eq!(house.count("result-read").await, 0);
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    house.result(&id).await;
    house.result(&id).await;
    assert_eq!(house.count("result-read").await, 2);
    let (refused, asked) = house.ask().await;
    house.respond(&asked, &asked.answer("forged")).await;
    house.result(&refused).await;
    assert_eq!(house.count("result-read").await, 2);
}

#[tokio::test]
async fn claims_are_gone_when_their_time_is_over_and_the_report_stays() {
    let house = House::new().await;
    let body = json!({"dcql_query": query(), "result_ttl_s": 60});
    let result = house.present_with(&body, &house.diploma()).await;
    let path = format!("/api/v1/verification/{}", result["id"].as_str().unwrap());
    house.advance(59);
    assert!(house.get(&path).await.json().get("credentials").is_some());
    house.advance(1);
    // Before the job comes, and after.
    for tidied in [false, true] {
        if tidied {
            house.verifier.tidy(&house.ctx()).await.unwrap();
            house.verifier.tidy(&house.ctx()).await.unwrap();
        }
        let over = house.get(&path).await.json();
        assert_eq!((over["state"].as_str(), over.get("credentials")), (Some("verified"), None), "{over}");
        assert_eq!(over["erased_at"], "2026-11-20T12:01:00Z");
        assert_eq!(over["report"]["verdict"], "accepted");
    }
    assert_eq!((house.count("result-erased").await, claims_kept(&house).await), (1, 0));
}

async fn claims_kept(house: &House) -> i64 {
    let stmt = store::Stmt::new("SELECT COUNT(claims) FROM verifier_result WHERE tenant_id = :tenant");
    house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap()
}

#[tokio::test]
async fn a_deleted_result_is_gone_at_once() {
    let house = House::new().await;
    let result = house.present(&house.diploma()).await;
    let path = format!("/api/v1/verifications/{}", result["id"].as_str().unwrap());
    let deleted = house.call("DELETE", &path, &house.token, None).await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    assert!(deleted.headers.contains_key("tessera-event"));
    for method in ["GET", "DELETE"] {
        let gone = house.call(method, &path, &house.token, None).await;
        assert_eq!((gone.status, gone.code().as_str()), (StatusCode::GONE, "verifier/result-erased"));
    }
    assert_eq!(house.get("/api/v1/verifications").await.json()["items"], json!([]));
    assert_eq!((house.count("result-erased").await, claims_kept(&house).await), (1, 0));
    let stmt = store::Stmt::new("SELECT COUNT(report) FROM verifier_result WHERE tenant_id = :tenant");
    let reports = house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap();
    assert_eq!(reports, 0);
}

#[tokio::test]
async fn a_deleted_request_takes_no_answer() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let path = format!("/api/v1/verifications/{id}");
    assert_eq!(house.call("DELETE", &path, &house.token, None).await.status, StatusCode::NO_CONTENT);
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    assert_eq!(house.respond(&asked, &form).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.get(&path).await.code(), "verifier/result-erased");
    assert_eq!(house.events().await, ["presentation-requested", "result-erased"]);
}

#[tokio::test]
async fn requests_nobody_answered_expire_and_old_rows_go() {
    let house = House::new().await;
    let (id, _) = house.ask().await;
    house.advance(299);
    house.verifier.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.result(&id).await["state"], "created");
    house.advance(1);
    assert_eq!(house.result(&id).await["state"], "expired", "before the job comes");
    house.verifier.tidy(&house.ctx()).await.unwrap();
    house.verifier.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.count("presentation-expired").await, 1);
    let expired = json!({"id": id, "state": "expired", "expires_at": "2026-11-20T12:05:00Z"});
    assert_eq!(house.result(&id).await, expired);
    // The session's row lives a day, its result 90.
    house.advance(86_401);
    house.verifier.tidy(&house.ctx()).await.unwrap();
    let stmt = store::Stmt::new("SELECT COUNT(*) FROM verifier_session WHERE tenant_id = :tenant");
    assert_eq!(house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap(), 0);
    let token = house.token_for(&house.tenant, &[tenancy::Role::Verifier]).await;
    let path = format!("/api/v1/verification/{id}");
    let read = |token: String| {
        let (house, path) = (&house, path.clone());
        async move { house.call("GET", &path, &token, None).await }
    };
    assert_eq!(read(token).await.json(), expired);
    house.advance(90 * 86_400);
    house.verifier.tidy(&house.ctx()).await.unwrap();
    let token = house.token_for(&house.tenant, &[tenancy::Role::Verifier]).await;
    assert_eq!(read(token).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_list_shows_open_and_ended_verifications_in_one_order() {
    let house = House::new().await;
    let (open, _) = house.ask().await;
    house.advance(1);
    let verified = house.present(&house.diploma()).await;
    house.advance(1);
    let (late, asked) = house.ask().await;
    house.respond(&asked, &asked.answer("forged")).await;
    let listed = house.get("/api/v1/verifications").await.json();
    let rows: Vec<(Value, Value)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].clone(), row["state"].clone()))
        .collect();
    let wanted = [
        (json!(open), json!("created")),
        (verified["id"].clone(), json!("verified")),
        (json!(late), json!("rejected")),
    ];
    assert_eq!(rows, wanted);
}
