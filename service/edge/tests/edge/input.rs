//! Bad input of every kind: the stable code, the place, the rule; never a 5xx.

use crate::house::{House, PUBLIC_URL};
use serde_json::json;
use store::TenantId;

#[tokio::test]
async fn every_kind_of_bad_body_gets_its_own_code_and_place() {
    let house = House::new().await;
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(5_000));
    let cases: Vec<(&str, u16, &str, &str)> = vec![
        ("", 400, "api/malformed", ""),
        ("{", 400, "api/malformed", ""),
        ("{\"text\":\"x\"}}", 400, "api/malformed", ""),
        ("nonsense", 400, "api/malformed", ""),
        (r#"{"text":"x","text":"y"}"#, 400, "api/duplicate-member", "/text"),
        (
            r#"{"text":"x","inner":{"text":"a","tags":[],"tags":[]}}"#,
            400,
            "api/duplicate-member",
            "/inner/tags",
        ),
        (&deep, 400, "api/too-deep", "-"),
        (&large, 413, "api/body-too-large", ""),
        ("[]", 422, "api/invalid", "-"),
        ("\"x\"", 422, "api/invalid", "-"),
        ("{}", 422, "api/invalid", "/text"),
        (r#"{"text":1}"#, 422, "api/invalid", "/text"),
        (r#"{"text":null}"#, 422, "api/invalid", "/text"),
        (r#"{"text":"x","count":256}"#, 422, "api/invalid", "/count"),
        (r#"{"text":"x","count":-1}"#, 422, "api/invalid", "/count"),
        (r#"{"text":"x","count":1e99}"#, 422, "api/invalid", "/count"),
        (r#"{"text":"x","tags":["a",2]}"#, 422, "api/invalid", "/tags/1"),
        (r#"{"text":"x","txet":"y"}"#, 422, "api/invalid", "/txet"),
        (r#"{"text":"x","inner":{"text":"y","~/":1}}"#, 422, "api/invalid", "/inner/~0~1"),
    ];
    for (body, status, code, pointer) in cases {
        let reply = house.send("POST", "/api/v1/try/notes", &house.owner, &[], Some(body)).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{shown}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let problem = reply.json();
        assert_eq!(problem["type"], format!("{PUBLIC_URL}/problems/{code}"));
        assert_eq!(problem["instance"], format!("urn:tessera:request:{}", reply.header("x-request-id")));
        for member in ["title", "detail", "cause", "fix", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {shown}");
        }
        match pointer {
            "-" => {}
            "" => assert!(problem.get("errors").is_none(), "{shown}: {problem}"),
            pointer => assert_eq!(problem["errors"][0]["pointer"], pointer, "{shown}"),
        }
    }
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn a_body_of_another_type_or_encoding_is_refused() {
    let house = House::new().await;
    let types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=latin1",
        "application/json, application/json",
    ];
    for media in types {
        let headers = [("content-type", media)];
        let reply =
            house.send("POST", "/api/v1/try/notes", &house.owner, &headers, Some("{\"text\":\"x\"}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (415, "api/unsupported-media-type"),
            "{media}"
        );
    }
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let reply =
        house.send("POST", "/api/v1/try/notes", &house.owner, &headers, Some("{\"text\":\"x\"}")).await;
    assert_eq!(reply.status, 415);
    let fine = [("content-type", "application/json; charset=UTF-8")];
    let reply = house.send("POST", "/api/v1/try/notes", &house.owner, &fine, Some("{\"text\":\"x\"}")).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_without_a_fault() {
    let house = House::new().await;
    for body in [
        vec![0xff, 0xfe],
        b"{\"text\":\"\xc3\x28\"}".to_vec(),
        vec![0; 100],
        b"{\"text\":\"\\ud800\"}".to_vec(),
    ] {
        let reply = house.raw("POST", "/api/v1/try/notes", &house.owner, &[], Some(body)).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "api/malformed"));
    }
}

#[tokio::test]
async fn a_query_is_read_as_strictly_as_a_body() {
    let house = House::new().await;
    assert_eq!(house.get("/api/v1/try/search?limit=7&state=owner", "").await.text, "8");
    let cases = [
        ("limit=x", "?limit"),
        ("limit=-1", "?limit"),
        ("limit=99999999999", "?limit"),
        ("limti=1", "?limti"),
        ("state=root", "?state"),
    ];
    for (query, pointer) in cases {
        let reply = house.get(&format!("/api/v1/try/search?{query}"), "").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "api/invalid-query"), "{query}");
        assert_eq!(reply.json()["errors"][0]["pointer"], pointer, "{query}");
    }
    for query in ["limit=1&limit=2", "limit=%zz", "limit=%ff", "=1"] {
        let reply = house.get(&format!("/api/v1/try/search?{query}"), "").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "api/invalid-query"), "{query}");
    }
}

#[tokio::test]
async fn an_oauth_door_words_its_refusals_as_oauth_does() {
    let house = House::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let twice = house.send("POST", "/oauth/try", "", &form, Some("a=1&a=2")).await;
    assert_eq!((twice.status.as_u16(), twice.json()["error"].as_str()), (400, Some("invalid_request")));
    assert_eq!(twice.json()["error_uri"], format!("{PUBLIC_URL}/problems/oauth/invalid-request"));
    let json = house.send("POST", "/oauth/try", "", &[], Some("{}")).await;
    assert_eq!((json.status.as_u16(), json.json()["error"].as_str()), (415, Some("invalid_request")));
    assert_eq!(json.json()["error_uri"], format!("{PUBLIC_URL}/problems/api/unsupported-media-type"));
    let large = house.send("POST", "/oauth/try", "", &form, Some(&"a".repeat(70_000))).await;
    assert_eq!(large.status, 413);
    for page in ["oauth/invalid-request", "api/unsupported-media-type", "api/body-too-large"] {
        assert_eq!(house.get(&format!("/problems/{page}"), "").await.status, 200);
    }
}

#[tokio::test]
async fn a_foreign_host_gets_421_naming_ours() {
    let house = House::new().await;
    for host in ["evil.example", "localhost", "localhost:9999", "localhost:8400.evil.example", "[::1]:1"] {
        let reply = house.send("GET", "/healthz", "", &[("host", host)], None).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (421, "edge/unknown-host"), "{host}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(PUBLIC_URL));
    }
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "localhost:8400"),
        ("forwarded", "host=localhost:8400"),
    ];
    assert_eq!(house.send("GET", "/healthz", "", &forged, None).await.status, 421);
    let address = house.send("GET", "/problems?x=1", "", &[("host", "127.0.0.1:8400")], None).await;
    assert_eq!(
        (address.status.as_u16(), address.header("location")),
        (308, "http://localhost:8400/problems?x=1")
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let house = House::new().await;
    let path = house.get("/api/v1/nothing", &house.owner).await;
    assert_eq!((path.status.as_u16(), path.code().as_str()), (404, "api/no-such-door"));
    let method = house.send("PUT", "/api/v1/tenants", &house.owner, &[], None).await;
    assert_eq!((method.status.as_u16(), method.code().as_str()), (405, "api/method-not-allowed"));
    assert!(method.header("allow").contains("POST"), "{:?}", method.headers);
    let escape = house.get("/api/v1/tenants/%ff", &house.owner).await;
    assert_eq!((escape.status.as_u16(), escape.code().as_str()), (400, "api/bad-request"));
    let long = house.get(&format!("/problems?{}", "a".repeat(9_000)), "").await;
    assert_eq!((long.status.as_u16(), long.code().as_str()), (400, "api/bad-request"));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_its_own_request_id() {
    let house = House::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/healthz", "/api/v1/nothing", "/api/v1/tenants", "/problems", "/t/none/hello"] {
        let reply = house.get(path, "").await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(seen.insert(reply.header("x-request-id").to_owned()), "{path}");
        assert_eq!(reply.header("strict-transport-security"), "", "plain http promises nothing");
    }
}

#[tokio::test]
async fn problem_pages_answer_browsers_and_programs_and_escape_what_they_are_asked() {
    let house = House::new().await;
    let list = house.get("/problems", "").await.json();
    let codes: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(codes.len() > 30 && codes.iter().all(|code| code.split('/').count() == 2));
    for code in &codes {
        let page =
            house.send("GET", &format!("/problems/{code}"), "", &[("accept", "text/html,*/*")], None).await;
        assert_eq!(page.status, 200, "{code}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        for bad in ["style=", "<script", "javascript:", " onclick"] {
            assert!(!page.text.contains(bad), "{code}: {bad}");
        }
    }
    let none = house.get("/problems/api/%3Cscript%3E", "").await;
    assert_eq!((none.status.as_u16(), none.code().as_str()), (404, "api/no-such-problem"));
    assert!(!none.text.contains("<script"));
}

#[tokio::test]
async fn a_tenant_door_answers_under_the_name_and_hides_the_unknown_and_the_suspended() {
    let house = House::new().await;
    let acme = house.tenant("acme").await;
    assert_eq!(house.get("/t/acme/hello", "").await.json(), format!("acme {acme}"));
    assert_eq!(house.get("/t/acme/hello", "").await.header("access-control-allow-origin"), "*");
    let unknown = house.get("/t/nobody/hello", "").await;
    house.post("/api/v1/tenants/acme/suspend", &house.owner, &json!({})).await;
    let suspended = house.get("/t/acme/hello", "").await;
    assert_eq!((unknown.status.as_u16(), suspended.status.as_u16()), (404, 404));
    let body = |reply: &crate::house::Reply| {
        let mut value = reply.json();
        value["request_id"].take();
        value["instance"].take();
        value
    };
    assert_eq!(body(&unknown), body(&suspended));
    for odd in ["/t/system/hello", "/t/ACME/hello", "/t/%2e%2e/hello", &format!("/t/{acme}/hello")] {
        assert_eq!(house.get(odd, "").await.status, 404, "{odd}");
    }
    assert!(house.events(&TenantId::SYSTEM).await.contains(&"tenant-suspended".to_owned()));
}

#[tokio::test]
async fn a_preflight_is_answered_only_where_every_origin_may_read() {
    let house = House::new().await;
    let asked = [("origin", "https://wallet.example"), ("access-control-request-method", "GET")];
    let open = house.send("OPTIONS", "/t/acme/hello", "", &asked, None).await;
    assert_eq!((open.status.as_u16(), open.header("access-control-allow-origin")), (204, "*"));
    let closed = house.send("OPTIONS", "/api/v1/tenants", "", &asked, None).await;
    assert_eq!((closed.status.as_u16(), closed.header("access-control-allow-origin")), (405, ""));
}

#[tokio::test]
async fn readiness_tells_its_checks_and_keeps_details_from_strangers() {
    let house = House::new().await;
    house
        .edge
        .health()
        .register("ledger", |_| async { (edge::health::Status::Degraded, "secret detail".to_owned()) });
    let stranger = house.get("/readyz", "").await;
    assert_eq!((stranger.status.as_u16(), stranger.json()["status"].as_str()), (200, Some("degraded")));
    assert!(!stranger.text.contains("secret detail") && stranger.text.contains("\"ledger\""));
    let owner = house.get("/readyz", &house.owner).await;
    assert!(owner.text.contains("secret detail"));
    house.edge.health().register("ledger", |_| async { (edge::health::Status::Down, String::new()) });
    assert_eq!(house.get("/readyz", "").await.status, 503);
    assert_eq!(house.get("/healthz", "").await.status, 200);
    assert_eq!(house.send("HEAD", "/readyz", "", &[], None).await.status, 503);
}

#[tokio::test]
async fn a_foreign_host_is_an_event_and_a_flood_of_them_is_counted() {
    let house = House::new().await;
    for _ in 0..70 {
        house.send("GET", "/healthz", "", &[("host", "evil.example")], None).await;
    }
    house.hand.advance(std::time::Duration::from_secs(60));
    house.edge.sweep(&house.edge.tick()).await.unwrap();
    let counts = house.counts().await;
    assert_eq!((counts["request-refused"], counts["refusals-aggregated"]), (60, 1), "{counts:?}");
}
