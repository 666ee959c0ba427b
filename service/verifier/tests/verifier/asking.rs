//! Requests: what is made, what is refused by name, and that fetching changes nothing.

use crate::house::{House, id_of, path_of, query, query_of};
use crate::people::{Asked, VCT};
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust};
use http::{StatusCode, header};
use jiff::Timestamp;
use openid::errand::Answered as Fetched;
use openid::vp::wallet::{CheckedRequest, PresentationLink};
use openid::wire::Reach;
use serde_json::{Value, json};
use tenancy::Role;

#[tokio::test]
async fn a_request_has_the_members_of_the_published_api_under_both_names() {
    let house = House::new().await;
    for path in ["/api/v1/verification/request", "/api/v1/verifications"] {
        let answered = house.post(path, &json!({"dcql_query": query()})).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        assert!(answered.headers["tessera-event"].to_str().unwrap().starts_with("evt_"));
        let made = answered.json();
        let names: Vec<&String> = made.as_object().unwrap().keys().collect();
        let wanted = ["id", "state", "client_id", "request_uri", "authorization_request_uri", "expires_at"];
        assert_eq!(names, wanted);
        assert_eq!(
            (made["state"].as_str(), made["expires_at"].as_str()),
            (Some("created"), Some("2026-11-20T12:05:00Z"))
        );
        assert!(made["id"].as_str().unwrap().starts_with("ver_"));
        assert!(made["client_id"].as_str().unwrap().starts_with("x509_hash:"));
        let again = house.result(&id_of(&made)).await;
        assert_eq!(again, made, "the links stand while it waits");
    }
    assert_eq!(house.events().await, ["presentation-requested", "presentation-requested"]);
}

#[tokio::test]
async fn our_own_wallet_takes_the_signed_request_under_the_tenants_root() {
    let house = House::new().await;
    let made = house.ask_with(&json!({"dcql_query": query(), "ttl_s": 60})).await;
    let link = made["authorization_request_uri"].as_str().unwrap();
    let link = PresentationLink::parse(link, Reach::LoopbackHttp).unwrap();
    let path = path_of(made["request_uri"].as_str().unwrap());
    let fetched = house.call("GET", &path, "", None).await;
    assert_eq!(fetched.headers[header::CONTENT_TYPE], "application/oauth-authz-req+jwt");
    assert_eq!(fetched.headers[header::CACHE_CONTROL], "no-store");
    let root = house.custody.root_certificate(&house.ctx()).await.unwrap().unwrap();
    let anchor =
        Anchor { id: "anc_1".into(), certificate: root, contexts: vec![Context::Reader], types: Vec::new() };
    let (anchors, cache) = (Anchors::new(vec![anchor]), PathCache::new());
    let trust = Trust { anchors: &anchors, cache: &cache, haip: true };
    let answer = Fetched { status: 200, body: &fetched.body };
    let now = house.edge.clock().now();
    let request = CheckedRequest::check(&link, answer, &trust, Reach::LoopbackHttp, now).unwrap();
    assert_eq!(request.client_id(), made["client_id"].as_str().unwrap());
    let asked = Asked::read(&fetched.text());
    let seconds = |name: &str| Timestamp::from_second(asked.claims[name].as_i64().unwrap()).unwrap();
    assert_eq!(seconds("exp").duration_since(seconds("iat")).as_secs(), 60);
    assert!(asked.text("response_uri").contains("/t/default/vp/response/"));
}

#[tokio::test]
async fn fetching_a_request_writes_nothing_and_works_again() {
    let house = House::new().await;
    let made = house.ask_with(&json!({"dcql_query": query()})).await;
    let path = path_of(made["request_uri"].as_str().unwrap());
    let writes = house.store.transactions();
    let first = house.call("GET", &path, "", None).await;
    let second = house.call("GET", &path, "", None).await;
    assert_eq!((first.status, first.text()), (second.status, second.text()));
    assert_eq!(house.store.transactions(), writes);
    assert_eq!(house.events().await, ["presentation-requested"]);
}

#[tokio::test]
async fn a_request_is_gone_with_its_session() {
    let house = House::new().await;
    let made = house.ask_with(&json!({"dcql_query": query()})).await;
    let path = path_of(made["request_uri"].as_str().unwrap());
    house.advance(300);
    assert_eq!(house.call("GET", &path, "", None).await.status, StatusCode::NOT_FOUND);
    let unknown = "/t/default/vp/request/AAAA";
    assert_eq!(house.call("GET", unknown, "", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_request_has_its_own_nonce_state_paths_and_key() {
    let house = House::new().await;
    let ((_, one), (_, two)) = (house.ask().await, house.ask().await);
    for name in ["nonce", "state", "response_uri"] {
        assert_ne!(one.text(name), two.text(name), "{name}");
        assert!(!two.text("response_uri").contains(two.text("state")));
    }
    assert_ne!(one.kid(), two.kid());
    assert_eq!(crypto::base64::url_decode(one.text("nonce")).unwrap().len(), 32);
    assert_eq!(crypto::base64::url_decode(one.text("state")).unwrap().len(), 16);
}

#[tokio::test]
async fn what_this_version_lacks_is_refused_by_its_pointer() {
    let house = House::new().await;
    let cases = [
        ("flow", json!("kiosk")),
        ("channel", json!("dc_api")),
        ("client_id_prefix", json!("openid_federation")),
        ("client_id_prefix", json!("redirect_uri")),
        ("response_mode", json!("fragment")),
        ("response_mode", json!("dc_api.jwt")),
        ("request_uri_method", json!("put")),
        ("expected_origins", json!(["https://rp.example"])),
    ];
    for (member, value) in cases {
        let mut body = json!({"dcql_query": query()});
        body[member] = value.clone();
        let answered = house.post("/api/v1/verification/request", &body).await;
        assert_eq!(answered.code(), "verifier/not-offered", "{member} {value}: {}", answered.text());
        assert_eq!(
            (answered.status, answered.pointers()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec![format!("/{member}")])
        );
    }
    let parts = [
        (
            json!({"format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}, "claims": [{"path": ["org.iso.18013.5.1", "given_name"]}]}),
            "/format",
        ),
        (
            json!({"trusted_authorities": [{"type": "etsi_tl", "values": ["https://lists.example/lotl"]}]}),
            "/trusted_authorities/0/type",
        ),
    ];
    for (changes, pointer) in parts {
        let mut credential = query()["credentials"][0].clone();
        credential.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answered =
            house.post("/api/v1/verification/request", &json!({"dcql_query": query_of(&credential)})).await;
        assert_eq!(answered.code(), "verifier/not-offered", "{pointer}: {}", answered.text());
        assert_eq!(answered.pointers(), [format!("/dcql_query/credentials/0{pointer}")]);
    }
    assert_eq!(house.count("presentation-requested").await, 0);
}

#[tokio::test]
async fn the_only_values_of_this_version_may_be_written_out() {
    let house = House::new().await;
    let body = json!({
        "dcql_query": query(), "flow": "cross_device", "channel": "redirect", "client_id_prefix": "x509_hash",
        "response_mode": "direct_post.jwt", "request_uri_method": "get", "transaction_data": [], "ttl_s": 300,
        "result_ttl_s": 900, "status_policy": "if_present", "expected_origins": [], "wallet_scheme": "haip-vp",
    });
    let made = house.ask_with(&body).await;
    assert!(
        made["authorization_request_uri"].as_str().unwrap().starts_with("haip-vp://?client_id=x509_hash%3A")
    );
}

#[tokio::test]
async fn bad_input_names_its_place_and_stores_nothing() {
    let house = House::new().await;
    let mut twice = query();
    let first = twice["credentials"][0].clone();
    twice["credentials"].as_array_mut().unwrap().push(first);
    let large = json!({"credentials": [{"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["x".repeat(33_000)]}}]});
    let cases = [
        (json!({}), "api/invalid", "/dcql_query"),
        (json!({"dcql_query": query(), "ttl_s": 0}), "api/invalid", "/ttl_s"),
        (json!({"dcql_query": query(), "ttl_s": 3_601}), "api/invalid", "/ttl_s"),
        (json!({"dcql_query": query(), "result_ttl_s": 86_401}), "api/invalid", "/result_ttl_s"),
        (json!({"dcql_query": query(), "wallet_scheme": "javascript"}), "api/invalid", "/wallet_scheme"),
        (json!({"dcql_query": query(), "status_policy": "never"}), "api/invalid", "/status_policy"),
        (json!({"dcql_query": query(), "colour": "red"}), "api/invalid", "/colour"),
        (json!({"dcql_query": 7}), "api/invalid", "/dcql_query"),
        (json!({"dcql_query": large}), "api/invalid", "/dcql_query"),
        (json!({"dcql_query": {}}), "verifier/query-invalid", "/dcql_query/credentials"),
        (json!({"dcql_query": twice}), "verifier/query-invalid", "/dcql_query/credentials/1/id"),
        (
            json!({"dcql_query": query_of(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {}}))}),
            "verifier/query-invalid",
            "/dcql_query/credentials/0/meta/vct_values",
        ),
        (
            json!({"dcql_query": query_of(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claim": []}))}),
            "verifier/query-invalid",
            "/dcql_query/credentials/0/claim",
        ),
    ];
    for (body, code, pointer) in cases {
        let answered = house.post("/api/v1/verification/request", &body).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answered.text());
        assert_eq!(
            (answered.code().as_str(), answered.pointers()),
            (code, vec![pointer.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(house.count("presentation-requested").await, 0);
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn the_same_idempotency_key_asks_once() {
    let house = House::new().await;
    let ask = || async {
        let request = http::Request::post("/api/v1/verifications")
            .header(header::AUTHORIZATION, format!("Bearer {}", house.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "one");
        let body = axum::body::Body::from(json!({"dcql_query": query()}).to_string());
        house.send(request.body(body).unwrap()).await
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, first.json()), (second.status, second.json()));
    assert_eq!(house.count("presentation-requested").await, 1);
}

#[tokio::test]
async fn only_the_roles_of_the_table_ask_and_read() {
    let house = House::new().await;
    let body = json!({"dcql_query": query()});
    let (id, _) = house.ask().await;
    let path = format!("/api/v1/verification/{id}");
    for (role, asks, reads) in [
        (Role::Verifier, StatusCode::CREATED, StatusCode::OK),
        (Role::Auditor, StatusCode::FORBIDDEN, StatusCode::OK),
        (Role::IssuerOperator, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
    ] {
        let token = house.token_for(&house.tenant, &[role]).await;
        assert_eq!(
            house.call("POST", "/api/v1/verifications", &token, Some(&body)).await.status,
            asks,
            "{role:?}"
        );
        assert_eq!(house.call("GET", &path, &token, None).await.status, reads, "{role:?}");
    }
    for method in ["GET", "DELETE"] {
        let path = format!("/api/v1/verifications/{id}");
        assert_eq!(house.call(method, &path, "", None).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_verification_of_one_tenant_is_unknown_to_another() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let theirs = house.token_for(&house.other, &[Role::Verifier]).await;
    for (method, path) in [
        ("GET", format!("/api/v1/verification/{id}")),
        ("GET", format!("/api/v1/verifications/{id}")),
        ("DELETE", format!("/api/v1/verifications/{id}")),
    ] {
        let answered = house.call(method, &path, &theirs, None).await;
        assert_eq!(
            (answered.status, answered.code().as_str()),
            (StatusCode::NOT_FOUND, "api/not-found"),
            "{path}"
        );
    }
    let listed = house.call("GET", "/api/v1/verifications", &theirs, None).await;
    assert_eq!(listed.json()["items"], json!([]));
    // The wallet's doors too: a session of one tenant is none under another's path, nor under a path in other letters.
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    let elsewhere = asked.response_path().replace("/t/default/", "/t/other/");
    assert_eq!(house.respond_at(&elsewhere, &form).await.status, StatusCode::BAD_REQUEST);
    let letters = asked.response_path().replace("/t/default/", "/t/Default/");
    assert_eq!(house.respond_at(&letters, &form).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.result(&id).await["state"], "created");
}

#[tokio::test]
async fn nothing_is_asked_when_the_signer_ends_within_a_day() {
    let house = House::new().await;
    let (_, asked) = house.ask().await;
    assert!(asked.claims["exp"].is_i64());
    // The leaf was made for 397 days from the day before.
    house.advance(396 * 86_400 - 12 * 3_600 - 86_400 + 1);
    let token = house.token_for(&house.tenant, &[Role::Verifier]).await;
    let body = json!({"dcql_query": query()});
    let answered = house.call("POST", "/api/v1/verifications", &token, Some(&body)).await;
    assert_eq!(
        (answered.status, answered.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "verifier/signer-expiring")
    );
    assert!(answered.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(house.count("presentation-requested").await, 1);
    let page = house.call("GET", "/problems/verifier/signer-expiring", "", None).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn verifications_are_listed_page_by_page() {
    let house = House::new().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(house.ask().await.0);
        house.advance(1);
    }
    let first = house.get("/api/v1/verifications?limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let second = house.get(&format!("/api/v1/verifications?limit=2&after={next}")).await.json();
    let ids = |page: &Value| -> Vec<String> { page["items"].as_array().unwrap().iter().map(id_of).collect() };
    assert_eq!([ids(&first), ids(&second)].concat(), made);
    assert_eq!(second["next"], Value::Null);
    assert_eq!(first["items"][0]["state"], "created");
}
