//! `Idempotency-Key`: the same request twice is one act.

use crate::house::{House, Reply};
use edge::Role;
use std::sync::Arc;
use std::time::Duration;
use store::TenantId;

const NOTE: &str = r#"{"text":"canary-answer"}"#;

async fn keep(house: &House, key: &str, body: &str) -> Reply {
    house.send("POST", "/api/v1/try/kept", &house.owner, &[("idempotency-key", key)], Some(body)).await
}

async fn acts(house: &House) -> usize {
    house.counts().await.get("details-read").copied().unwrap_or(0)
}

/// Waits for a mark that is not `known`; answers its id.
async fn mark_other_than(house: &House, known: &str) -> String {
    let ctx = house.ctx(TenantId::SYSTEM);
    loop {
        let sql = store::Stmt::new("SELECT mark_id FROM edge_idempotency");
        match house.store.read(&ctx).one(sql).await.unwrap() {
            Some(row) if row.text(0).unwrap() != known => return row.text(0).unwrap(),
            Some(_) | None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_acts_once() {
    let house = House::new().await;
    let first = keep(&house, "k1", NOTE).await;
    let again = keep(&house, "k1", NOTE).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!((&first.text, first.header("tessera-event")), (&again.text, again.header("tessera-event")));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
    assert_eq!(acts(&house).await, 1);
    keep(&house, "k2", NOTE).await;
    assert_eq!(acts(&house).await, 2, "another key is another act");
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let house = House::new().await;
    keep(&house, "k1", NOTE).await;
    let other = keep(&house, "k1", r#"{"text":"y"}"#).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "api/idempotency-reuse"));
    let door = [("idempotency-key", "k1")];
    let elsewhere = house.send("POST", "/api/v1/try/slow", &house.owner, &door, Some(NOTE)).await;
    assert_eq!(elsewhere.code(), "api/idempotency-reuse", "another door is another request");
    assert_eq!(acts(&house).await, 1);
}

#[tokio::test]
async fn another_actors_key_is_another_key() {
    let house = House::new().await;
    let other = house.session(TenantId::SYSTEM, Role::Admin).await;
    keep(&house, "k1", NOTE).await;
    let theirs =
        house.send("POST", "/api/v1/try/kept", &other, &[("idempotency-key", "k1")], Some(NOTE)).await;
    assert_eq!((theirs.status.as_u16(), theirs.header("idempotency-replayed")), (201, ""));
    assert_eq!(acts(&house).await, 2);
}

#[tokio::test]
async fn of_64_at_once_one_acts() {
    let house = Arc::new(House::with(|config| config.rate = edge::limit::RateConfig::off()).await);
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move { keep(&house, "k1", NOTE).await })
        })
        .collect();
    for task in tasks {
        let reply = task.await.unwrap();
        let busy = reply.status == 409 && reply.code() == "api/idempotency-busy";
        assert!(reply.status == 201 || busy, "{reply:?}");
    }
    assert_eq!(acts(&house).await, 1);
}

#[tokio::test]
async fn a_repeat_while_the_first_runs_is_told_to_wait() {
    let house = Arc::new(House::new().await);
    let headers = [("idempotency-key", "k1")];
    let first = {
        let house = house.clone();
        tokio::spawn(async move {
            house
                .send("POST", "/api/v1/try/slow", &house.owner, &[("idempotency-key", "k1")], Some(NOTE))
                .await
        })
    };
    // The mark stands before the handler runs: a repeat that finds none would become the first and wait itself.
    mark_other_than(&house, "").await;
    let busy = house.send("POST", "/api/v1/try/slow", &house.owner, &headers, Some(NOTE)).await;
    assert_eq!((busy.status.as_u16(), busy.code().as_str()), (409, "api/idempotency-busy"));
    assert_eq!(busy.header("retry-after"), "1");
    house.go.add_permits(1);
    assert_eq!(first.await.unwrap().status, 201);
    let again = house.send("POST", "/api/v1/try/slow", &house.owner, &headers, Some(NOTE)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(acts(&house).await, 1);
}

#[tokio::test]
async fn a_first_that_died_is_taken_over_and_can_no_longer_act() {
    let house = Arc::new(House::new().await);
    let slow = |house: Arc<House>| {
        tokio::spawn(async move {
            house
                .send("POST", "/api/v1/try/slow", &house.owner, &[("idempotency-key", "k1")], Some(NOTE))
                .await
        })
    };
    let first = slow(house.clone());
    let holder = mark_other_than(&house, "").await;
    house.hand.advance(Duration::from_secs(121));
    let second = slow(house.clone());
    mark_other_than(&house, &holder).await;
    house.go.add_permits(2);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (409, 201), "the first lost its mark");
    assert_eq!(acts(&house).await, 1);
}

#[tokio::test]
async fn an_answer_lost_in_a_crash_is_told_and_not_done_again() {
    let house = House::new().await;
    keep(&house, "k1", NOTE).await;
    let ctx = house.ctx(TenantId::SYSTEM);
    let lose = store::Stmt::new("UPDATE edge_idempotency SET answer = NULL");
    house.store.housekeeping(&ctx, store::Reason::IdempotencyMark, vec![lose]).await.unwrap();
    assert_eq!(
        keep(&house, "k1", NOTE).await.code(),
        "api/idempotency-busy",
        "perhaps it is still being kept"
    );
    house.hand.advance(Duration::from_secs(121));
    let told = keep(&house, "k1", NOTE).await;
    assert_eq!((told.status.as_u16(), told.code().as_str()), (409, "api/idempotency-done"));
    assert_eq!(acts(&house).await, 1);
}

#[tokio::test]
async fn a_refused_request_keeps_nothing_and_may_be_mended() {
    let house = House::new().await;
    assert_eq!(keep(&house, "k1", r#"{"text":"refuse"}"#).await.status, 404);
    assert_eq!(keep(&house, "k1", r#"{"text":1}"#).await.status, 422);
    assert_eq!(keep(&house, "k1", NOTE).await.status, 201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let house = House::new().await;
    keep(&house, "k1", NOTE).await;
    house.hand.advance(Duration::from_secs(86_401));
    let owner = house.session(TenantId::SYSTEM, Role::Owner).await;
    house.send("POST", "/api/v1/try/kept", &owner, &[("idempotency-key", "k1")], Some(NOTE)).await;
    assert_eq!(acts(&house).await, 2);
}

#[tokio::test]
async fn a_kept_answer_is_encrypted() {
    let house = House::new().await;
    keep(&house, "k1", NOTE).await;
    let ctx = house.ctx(TenantId::SYSTEM);
    let sql = store::Stmt::new("SELECT answer FROM edge_idempotency");
    let sealed = house.store.read(&ctx).one(sql).await.unwrap().unwrap().blob(0).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("canary-answer"));
}

#[tokio::test]
async fn a_key_is_1_to_64_printable_characters_and_only_where_it_is_taken() {
    let house = House::new().await;
    let long = "k".repeat(65);
    for key in [long.as_str(), "k\u{e9}", "\t"] {
        assert_eq!(keep(&house, key, NOTE).await.code(), "api/idempotency-key", "{key:?}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let reply = house.send("POST", "/api/v1/try/kept", &house.owner, &twice, Some(NOTE)).await;
    assert_eq!(reply.code(), "api/idempotency-key");
    let elsewhere =
        house.send("POST", "/api/v1/try/notes", &house.owner, &[("idempotency-key", "a")], Some(NOTE)).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.code().as_str()), (400, "api/idempotency-key"));
    assert_eq!(acts(&house).await, 0);
}

#[tokio::test]
async fn a_tenant_made_twice_with_one_key_is_made_once() {
    let house = House::new().await;
    let headers = [("idempotency-key", "make-acme")];
    let body = r#"{"name":"acme"}"#;
    let first = house.send("POST", "/api/v1/tenants", &house.owner, &headers, Some(body)).await;
    let again = house.send("POST", "/api/v1/tenants", &house.owner, &headers, Some(body)).await;
    assert_eq!(first.json(), again.json());
    assert_eq!(house.counts().await["tenant-created"], 1);
}
