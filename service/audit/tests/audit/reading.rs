//! What a tenant's own people read of their log.

use crypto::base64::std_decode;
use http::StatusCode;
use tenancy::Role;
use tlog::proof::verify_consistency;
use tlog::proof_file::ProofFile;

use crate::street::Street;

const EVENTS: &str = "/api/v1/ledger/events";

#[tokio::test]
async fn an_event_shows_its_leaf_and_its_detail_and_the_showing_is_an_event() {
    let street = Street::new().await;
    let id = street.append(&street.a, 1).await;
    street.settle().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let shown = street.get(&format!("{EVENTS}/{id}"), &auditor).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text());
    let event = shown.json();
    assert_eq!(event["type"], "server-started");
    assert_eq!(event["outcome"], "done");
    assert_eq!(event["actor_kind"], "system");
    assert_eq!(event["at"], "2026-01-01T00:00:00Z");
    assert_eq!(event["detail"]["version"], "1.2.3-canary");
    assert_eq!(event["erased"], false);
    let index = event["index"].as_u64().unwrap();
    let by_index = street.get(&format!("{EVENTS}/{index}"), &auditor).await;
    assert_eq!(by_index.json(), event);
    assert_eq!(street.count(&street.a, "details-read").await, 2);
}

#[tokio::test]
async fn an_event_is_readable_before_it_is_sequenced() {
    let street = Street::new().await;
    let id = street.append(&street.a, 1).await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let shown = street.get(&format!("{EVENTS}/{id}"), &auditor).await;
    assert!(shown.json()["index"].is_null());
}

#[tokio::test]
async fn events_are_listed_in_the_order_of_the_log_page_by_page() {
    let street = Street::new().await;
    street.append(&street.a, 5).await;
    street.settle().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let mut path = format!("{EVENTS}?type=server-started&limit=2");
    let mut seen = Vec::new();
    loop {
        let page = street.get(&path, &auditor).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        let items = page.json()["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2 && items.iter().all(|item| item["type"] == "server-started"));
        seen.extend(items.iter().map(|item| item["index"].as_u64().unwrap()));
        let Some(link) = page.header("link").strip_prefix('<').and_then(|link| link.split_once('>')) else {
            break;
        };
        assert!(!page.json()["next"].is_null());
        path = link.0.to_owned();
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn events_are_chosen_by_time() {
    let street = Street::new().await;
    street.append(&street.a, 2).await;
    street.advance(100);
    street.append(&street.a, 3).await;
    street.settle().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let count = async |query: &str| {
        let page = street.get(&format!("{EVENTS}?type=server-started&{query}"), &auditor).await;
        page.json()["items"].as_array().unwrap().len()
    };
    assert_eq!(count("from=2026-01-01T00:01:40Z").await, 3);
    assert_eq!(count("from=2026-01-01T00:01:40.5Z").await, 0);
    assert_eq!(count("to=2026-01-01T00:01:40Z").await, 2);
    assert_eq!(count("from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:41Z").await, 5);
    for query in
        ["from=yesterday", "to=2026-13-01T00:00:00Z", "limit=0", "limit=201", "after=x", "order=desc"]
    {
        let refused = street.get(&format!("{EVENTS}?{query}"), &auditor).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[tokio::test]
async fn following_the_log_does_not_feed_it() {
    let street = Street::new().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    street.settle().await;
    street.get(EVENTS, &auditor).await;
    street.settle().await;
    let reads = street.count(&street.a, "details-read").await;
    street.get(&format!("{EVENTS}?type=details-read"), &auditor).await;
    assert_eq!(street.count(&street.a, "details-read").await, reads);
}

#[tokio::test]
async fn the_events_of_another_tenant_look_like_none() {
    let street = Street::new().await;
    let id = street.append(&street.a, 1).await;
    street.settle().await;
    let other = street.bearer(&street.b, &[Role::Owner]).await;
    let log = street.log(&street.a);
    for (path, code) in [
        (format!("{EVENTS}/{id}"), "api/not-found"),
        (format!("{EVENTS}/{id}/proof"), "api/not-found"),
        (format!("{EVENTS}/evt_00000000000000000000000000"), "api/not-found"),
        (format!("{EVENTS}/99999999999999999999"), "api/not-found"),
        (format!("{EVENTS}?log={log}"), "ledger/unknown-log"),
        (format!("{EVENTS}/{id}?log={log}"), "ledger/unknown-log"),
        ("/api/v1/ledger/status?log=house".to_owned(), "ledger/unknown-log"),
    ] {
        let refused = street.get(&path, &other).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::NOT_FOUND, code), "{path}");
    }
    assert_eq!(street.count(&street.a, "details-read").await, 0);
}

#[tokio::test]
async fn a_proof_waits_for_its_checkpoint_and_then_verifies_with_its_detail() {
    let street = Street::new().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let id = street.append(&street.a, 1).await;
    let path = format!("{EVENTS}/{id}/proof");
    let waiting = street.get(&path, &auditor).await;
    assert_eq!(waiting.status, StatusCode::ACCEPTED);
    assert_eq!(waiting.header("retry-after"), "1");
    assert_eq!(street.count(&street.a, "details-read").await, 0);
    street.settle().await;
    let file = street.get(&path, &auditor).await;
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    let keys = street.audit.vkeys(&street.log(&street.a));
    let proven = ProofFile::parse(&file.body).unwrap().verify(&keys).unwrap();
    assert_eq!(proven.entry.event_id, *id.bytes());
    assert!(proven.detail.is_some());
    assert_eq!(street.count(&street.a, "details-read").await, 1);
    let other = street.audit.vkeys(&street.log(&street.b));
    assert!(ProofFile::parse(&file.body).unwrap().verify(&other).is_err());
}

#[tokio::test]
async fn one_tree_is_proven_to_go_on_from_another() {
    let street = Street::new().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    street.settle().await;
    let size = async || street.get("/api/v1/ledger/status", &auditor).await.json()["size"].as_u64().unwrap();
    let old = size().await;
    street.append(&street.a, 300).await;
    street.settle().await;
    let new = size().await;
    let proof = street.get(&format!("/api/v1/ledger/consistency?from={old}&to={new}"), &auditor).await.json();
    let hash = |text: &serde_json::Value| std_decode(text.as_str().unwrap()).unwrap().try_into().unwrap();
    let path: Vec<_> = proof["path"].as_array().unwrap().iter().map(hash).collect();
    verify_consistency(old, new, &path, &hash(&proof["from_root"]), &hash(&proof["to_root"])).unwrap();
    for query in [format!("from={new}&to={old}"), format!("from=0&to={}", new + 1), "from=0&to=0".to_owned()]
    {
        let refused = street.get(&format!("/api/v1/ledger/consistency?{query}"), &auditor).await;
        assert_eq!(refused.code(), "ledger/proof-range", "{query}");
    }
}

#[tokio::test]
async fn checkpoints_are_listed_newest_first() {
    let street = Street::new().await;
    for _ in 0..3 {
        street.append(&street.a, 1).await;
        street.settle().await;
    }
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    let first = street.get("/api/v1/ledger/checkpoints?limit=2", &auditor).await;
    let sizes = |page: &serde_json::Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|item| item["size"].as_u64().unwrap()).collect()
    };
    let newest = sizes(&first.json());
    assert!(newest[0] > newest[1]);
    let second = street.get(&format!("/api/v1/ledger/checkpoints?after={}", newest[1]), &auditor).await;
    assert!(sizes(&second.json())[0] < newest[1]);
}

#[tokio::test]
async fn a_status_says_how_the_log_stands() {
    let street = Street::new().await;
    let auditor = street.bearer(&street.a, &[Role::Auditor]).await;
    street.settle().await;
    let status = street.get("/api/v1/ledger/status", &auditor).await.json();
    assert_eq!(status["log"], street.log(&street.a).as_str());
    assert_eq!(status["origin"], format!("house.example/log/{}", street.log(&street.a)));
    assert_eq!(
        (status["state"].as_str(), status["epoch"].as_i64(), status["lag_ms"].as_i64()),
        (Some("open"), Some(1), Some(0))
    );
    assert!(status["size"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_quarantined_log_is_read_on_without_details_and_changes_nothing() {
    let street = Street::new().await;
    let id = street.append(&street.a, 1).await;
    street.settle().await;
    let log = street.log(&street.a);
    let (_, token) = street.log_token(&street.a, 3_600).await;
    let auditor = street.bearer(&street.a, &[Role::Owner]).await;
    street.settle().await;
    let edit = |conn: &rusqlite::Connection| {
        let sql = "UPDATE audit_entry SET leaf = x'a0' WHERE log_id = ?1 AND idx = 0";
        assert_eq!(conn.execute(sql, [log.as_str()]).unwrap(), 1);
    };
    let street = street.edited(edit).await;
    let body = serde_json::json!({"name": "x", "ttl_s": 60});
    let refused = street.call("POST", "/api/v1/ledger/tokens", &auditor, Some(body)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "ledger/quarantined")
    );
    assert_eq!(street.get(&format!("/log/{log}/checkpoint"), &token).await.status, StatusCode::OK);
    let shown = street.get(&format!("{EVENTS}/{id}"), &auditor).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.json()["detail"].is_null() && shown.json()["index"].is_u64());
    let status = street.get("/api/v1/ledger/status", &auditor).await.json();
    assert_eq!(status["state"], "quarantined");
    assert!(status["reason"].as_str().unwrap().starts_with("I1"));
}
