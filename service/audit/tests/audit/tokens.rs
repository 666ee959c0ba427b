//! Log tokens: made, listed, revoked.

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::json;
use tenancy::Role;

use crate::street::Street;

const TOKENS: &str = "/api/v1/ledger/tokens";

#[tokio::test]
async fn a_token_is_shown_once_and_stands_nowhere() {
    let street = Street::new().await;
    let (id, token) = street.log_token(&street.a, 3_600).await;
    assert!(id.starts_with("lgt_") && token.starts_with("tlr_") && token.len() == 47);
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    let list = street.get(TOKENS, &admin).await;
    assert_eq!(list.json()["items"][0]["id"], id.as_str());
    assert_eq!(list.json()["items"][0]["state"], "active");
    assert!(!list.text().contains(&token));
    assert_eq!(street.count(&street.a, "log-token-issued").await, 1);
    for file in std::fs::read_dir(street.dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[tokio::test]
async fn only_owners_and_admins_make_tokens() {
    let street = Street::new().await;
    let body = json!({"name": "x", "ttl_s": 60});
    for role in [Role::Auditor, Role::Verifier, Role::IssuerOperator] {
        let bearer = street.bearer(&street.a, &[role]).await;
        let refused = street.call("POST", TOKENS, &bearer, Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{role}");
    }
    let stranger = street.call("POST", TOKENS, "", Some(body)).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(street.count(&street.a, "log-token-issued").await, 0);
    assert_eq!(street.count(&street.a, "access-refused").await, 3);
}

#[tokio::test]
async fn a_token_for_the_log_of_another_tenant_is_refused() {
    let street = Street::new().await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    let b = street.log(&street.b);
    for log in [b.as_str(), "house", "system", "t/nobody", "../a", ""] {
        let body = json!({"log": log, "name": "x", "ttl_s": 60});
        let refused = street.call("POST", TOKENS, &admin, Some(body)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::NOT_FOUND, "ledger/unknown-log"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_is_refused_with_its_pointer() {
    let street = Street::new().await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    for (body, pointer) in [
        (json!({"name": "x", "ttl_s": 59}), "/ttl_s"),
        (json!({"name": "x", "ttl_s": 31_536_001}), "/ttl_s"),
        (json!({"name": "x", "ttl_s": -1}), "/ttl_s"),
        (json!({"name": "", "ttl_s": 60}), "/name"),
        (json!({"name": "x".repeat(101), "ttl_s": 60}), "/name"),
        (json!({"name": "a\nb", "ttl_s": 60}), "/name"),
        (json!({"name": "x", "ttl_s": 60, "scope": "all"}), "/scope"),
        (json!({"name": "x"}), "/ttl_s"),
    ] {
        let refused = street.call("POST", TOKENS, &admin, Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(street.count(&street.a, "log-token-issued").await, 0);
}

#[tokio::test]
async fn the_same_request_twice_makes_one_token() {
    let street = Street::new().await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = Request::post(TOKENS)
            .header(header::AUTHORIZATION, format!("Bearer {admin}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "once")
            .body(Body::from(json!({"name": "x", "ttl_s": 60}).to_string()));
        answers.push(street.send(request.unwrap()).await);
    }
    assert_eq!(answers[0].status, StatusCode::CREATED);
    assert_eq!(answers[0].body, answers[1].body);
    assert_eq!(street.count(&street.a, "log-token-issued").await, 1);
}

#[tokio::test]
async fn a_token_is_revoked_once_and_by_its_own_tenant() {
    let street = Street::new().await;
    let (id, token) = street.log_token(&street.a, 3_600).await;
    let (mine, other) =
        (street.bearer(&street.a, &[Role::Admin]).await, street.bearer(&street.b, &[Role::Admin]).await);
    let path = format!("{TOKENS}/{id}");
    assert_eq!(street.call("DELETE", &path, &other, None).await.status, StatusCode::NOT_FOUND);
    let log = format!("/log/{}/checkpoint", street.log(&street.a));
    assert_eq!(street.get(&log, &token).await.status, StatusCode::OK);
    assert_eq!(street.call("DELETE", &path, &mine, None).await.status, StatusCode::NO_CONTENT);
    let again = street.call("DELETE", &path, &mine, None).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "ledger/token-ended"));
    assert_eq!(street.count(&street.a, "request-refused").await, 1);
}

#[tokio::test]
async fn a_list_of_tokens_goes_page_by_page_and_shows_no_other_tenant() {
    let street = Street::new().await;
    for _ in 0..3 {
        street.log_token(&street.a, 3_600).await;
    }
    street.log_token(&street.b, 3_600).await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    let first = street.get(&format!("{TOKENS}?limit=2"), &admin).await;
    assert_eq!(first.json()["items"].as_array().unwrap().len(), 2);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let second = street.get(&format!("{TOKENS}?limit=2&after={next}"), &admin).await;
    assert_eq!(second.json()["items"].as_array().unwrap().len(), 1);
    assert!(second.json()["next"].is_null());
}

#[tokio::test]
async fn tokens_that_ended_a_month_ago_are_forgotten() {
    let street = Street::new().await;
    street.log_token(&street.a, 60).await;
    street.advance(29 * 86_400);
    tessera_audit::jobs::expire(&street.audit, &street.edge.tick()).await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    assert_eq!(street.get(TOKENS, &admin).await.json()["items"][0]["state"], "expired");
    street.advance(2 * 86_400);
    tessera_audit::jobs::expire(&street.audit, &street.edge.tick()).await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    assert_eq!(street.get(TOKENS, &admin).await.json()["items"], json!([]));
}
