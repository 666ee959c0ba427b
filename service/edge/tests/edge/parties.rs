//! Tenants, operators and service accounts by the API: roles, isolation, events.

use crate::house::House;
use edge::Role;
use serde_json::json;
use store::TenantId;

#[tokio::test]
async fn a_tenant_is_made_listed_suspended_and_resumed_by_the_system_tenants_operators() {
    let house = House::new().await;
    let made = house
        .post("/api/v1/tenants", &house.owner, &json!({"name": "acme-bank", "title": "Acme Bank"}))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(store::id::is("ten", &id));
    assert!(made.header("tessera-event").starts_with("evt_"));
    for key in [id.as_str(), "acme-bank"] {
        assert_eq!(house.get(&format!("/api/v1/tenants/{key}"), &house.owner).await.json()["id"], id);
    }
    let suspend = house.post("/api/v1/tenants/acme-bank/suspend", &house.owner, &json!({})).await;
    assert_eq!(suspend.json()["state"], "suspended");
    let again = house.post("/api/v1/tenants/acme-bank/suspend", &house.owner, &json!({})).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "tenants/state"));
    assert_eq!(
        house.send("POST", "/api/v1/tenants/acme-bank/resume", &house.owner, &[], None).await.json()["state"],
        "active"
    );
    let events = house.events(&TenantId::SYSTEM).await;
    let told: Vec<_> = events.iter().filter(|event| event.starts_with("tenant-")).collect();
    assert_eq!(told, ["tenant-created", "tenant-suspended", "tenant-resumed"]);
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn a_tenants_name_is_checked_and_unique() {
    let house = House::new().await;
    house.tenant("acme").await;
    let taken = house.post("/api/v1/tenants", &house.owner, &json!({"name": "acme"})).await;
    assert_eq!((taken.status.as_u16(), taken.code().as_str()), (409, "tenants/name-taken"));
    let long = "a".repeat(41);
    for name in ["a", "Acme", "a b", "a/b", "a.b", "ä-corp", "", "system", "house", long.as_str()] {
        let reply = house.post("/api/v1/tenants", &house.owner, &json!({"name": name})).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "api/invalid"), "{name}");
        assert_eq!(reply.json()["errors"][0]["pointer"], "/name");
    }
    let title =
        house.post("/api/v1/tenants", &house.owner, &json!({"name": "fine", "title": "a\u{1b}[31m"})).await;
    assert_eq!(title.json()["errors"][0]["pointer"], "/title");
}

#[tokio::test]
async fn of_two_requests_for_one_name_one_makes_the_tenant() {
    let house = std::sync::Arc::new(House::new().await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move {
                house.post("/api/v1/tenants", &house.owner, &json!({"name": "acme"})).await.status
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        let status = task.await.unwrap().as_u16();
        assert!(matches!(status, 201 | 409), "{status}");
        made += u32::from(status == 201);
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn only_an_operator_of_the_system_tenant_may_name_a_tenant() {
    let house = House::new().await;
    let (acme, _) = (house.tenant("acme").await, house.tenant("other").await);
    let member = house.session(acme.clone(), Role::Owner).await;
    let (account, _) = house.account("acme", &["admin"]).await;
    let path = format!("/api/v1/service-accounts/{account}");
    let named = |tenant: &'static str| [("tessera-tenant", tenant)];
    assert_eq!(house.send("GET", &path, &house.owner, &named("acme"), None).await.status, 200);
    assert_eq!(house.send("GET", &path, &house.owner, &named("other"), None).await.status, 404);
    assert_eq!(house.send("GET", &path, &member, &[], None).await.status, 200);
    assert_eq!(house.send("GET", &path, &member, &named("acme"), None).await.status, 200);
    let foreign = house.send("GET", &path, &member, &named("other"), None).await;
    let unknown = house.send("GET", &path, &member, &named("nobody"), None).await;
    assert_eq!((foreign.status.as_u16(), foreign.code().as_str()), (404, "api/not-found"));
    assert_eq!(foreign.json()["detail"], unknown.json()["detail"]);
    let tenants = house.get("/api/v1/tenants", &member).await;
    assert_eq!((tenants.status.as_u16(), tenants.code().as_str()), (403, "api/forbidden"));
    let events = house.events(&acme).await;
    assert!(events.contains(&"access-refused".to_owned()), "{events:?}");
    assert!(events.contains(&"request-refused".to_owned()), "{events:?}");
}

#[tokio::test]
async fn another_tenants_ids_give_the_answer_of_an_unknown_one() {
    let house = House::new().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    let (foreign, _) = house.account("acme", &["admin"]).await;
    let owner = house.session(other, Role::Owner).await;
    let operator =
        house.get("/api/v1/session", &house.session(acme, Role::Owner).await).await.json()["id"].clone();
    let none = "svc_00000000000000000000000000";
    let pairs = [
        ("GET", format!("/api/v1/service-accounts/{foreign}"), format!("/api/v1/service-accounts/{none}")),
        ("DELETE", format!("/api/v1/service-accounts/{foreign}"), format!("/api/v1/service-accounts/{none}")),
        (
            "POST",
            format!("/api/v1/service-accounts/{foreign}/rotate-secret"),
            format!("/api/v1/service-accounts/{none}/rotate-secret"),
        ),
        (
            "GET",
            format!("/api/v1/operators/{}", operator.as_str().unwrap()),
            "/api/v1/operators/opr_0".to_owned(),
        ),
        (
            "DELETE",
            format!("/api/v1/operators/{}", operator.as_str().unwrap()),
            "/api/v1/operators/opr_0".to_owned(),
        ),
        (
            "POST",
            format!("/api/v1/operators/{}/link", operator.as_str().unwrap()),
            "/api/v1/operators/opr_0/link".to_owned(),
        ),
    ];
    for (method, theirs, nobodys) in pairs {
        let theirs = house.send(method, &theirs, &owner, &[], None).await;
        let nobodys = house.send(method, &nobodys, &owner, &[], None).await;
        assert_eq!((theirs.status.as_u16(), nobodys.status.as_u16()), (404, 404), "{method}");
        let bare = |reply: &crate::house::Reply| {
            let mut value = reply.json();
            value["request_id"].take();
            value["instance"].take();
            value
        };
        assert_eq!(bare(&theirs), bare(&nobodys), "{method}");
    }
}

#[tokio::test]
async fn a_service_account_never_exceeds_its_maker() {
    let house = House::new().await;
    let acme = house.tenant("acme").await;
    let admin = house.session(acme.clone(), Role::Admin).await;
    let auditor = house.session(acme.clone(), Role::Auditor).await;
    let body = |roles: &[&str]| json!({"name": "x", "roles": roles});
    let made = house.post("/api/v1/service-accounts", &admin, &body(&["admin", "issuer-operator"])).await;
    assert_eq!(made.status, 201);
    let above = house.post("/api/v1/service-accounts", &admin, &body(&["owner"])).await;
    assert_eq!((above.status.as_u16(), above.code().as_str()), (403, "service-accounts/role-refused"));
    assert_eq!(
        house.post("/api/v1/service-accounts", &auditor, &body(&["auditor"])).await.code(),
        "api/forbidden"
    );
    let (owners, _) = house.account("acme", &["owner"]).await;
    let taken = house
        .send("POST", &format!("/api/v1/service-accounts/{owners}/rotate-secret"), &admin, &[], None)
        .await;
    assert_eq!(
        taken.code(),
        "service-accounts/role-refused",
        "a new secret of an owner's account would make an owner"
    );
    for (body, pointer) in [
        (json!({"name": "x", "roles": []}), "/roles"),
        (json!({"name": "", "roles": ["admin"]}), "/name"),
        (json!({"name": "x", "roles": ["admin"], "ttl_s": 0}), "/ttl_s"),
        (json!({"name": "x", "roles": ["admin"], "ttl_s": 99_999_999}), "/ttl_s"),
        (json!({"name": "x", "roles": ["root"]}), "/roles/0"),
        (json!({"name": "x", "roles": ["admin"], "jwk": {"kty": "EC"}}), "/jwk"),
        (json!({"name": "x", "roles": ["admin"], "jwk": {"kty": "oct", "k": "AAAA"}}), "/jwk"),
    ] {
        let reply = house.post("/api/v1/service-accounts", &admin, &body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["errors"][0]["pointer"].as_str()),
            (422, Some(pointer)),
            "{body}"
        );
    }
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn every_change_of_an_account_and_of_an_operator_is_an_event() {
    let house = House::new().await;
    let acme = house.tenant("acme").await;
    let inside = [("tessera-tenant", "acme")];
    let send = async |method: &str, path: String, body: Option<&str>| {
        let reply = house.send(method, &path, &house.owner, &inside, body).await;
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
        reply
    };
    let (account, _) = house.account("acme", &["auditor"]).await;
    send("POST", format!("/api/v1/service-accounts/{account}/rotate-secret"), None).await;
    send("DELETE", format!("/api/v1/service-accounts/{account}"), None).await;
    let invite = Some(r#"{"name":"Ana Specimen","role":"auditor"}"#);
    let invited = send("POST", "/api/v1/operators".to_owned(), invite).await;
    let operator = invited.json()["id"].as_str().unwrap().to_owned();
    send("DELETE", format!("/api/v1/operators/{operator}"), None).await;
    let events = house.events(&acme).await;
    let told = events.iter().filter(|event| event.contains("account") || event.contains("operator"));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "service-account-created",
            "service-account-rekeyed",
            "service-account-removed",
            "operator-link-issued",
            "operator-revoked"
        ]
    );
}

#[tokio::test]
async fn a_private_key_is_never_taken_as_a_public_one() {
    let house = House::new().await;
    house.tenant("acme").await;
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
    });
    let body = json!({"name": "x", "roles": ["admin"], "jwk": jwk});
    let headers = [("tessera-tenant", "acme")];
    let reply =
        house.send("POST", "/api/v1/service-accounts", &house.owner, &headers, Some(&body.to_string())).await;
    assert_eq!((reply.status.as_u16(), reply.json()["errors"][0]["pointer"].as_str()), (422, Some("/jwk")));
    assert!(!reply.text.contains("jpsQ"));
}

#[tokio::test]
async fn lists_come_in_pages_and_a_foreign_cursor_shows_only_own_rows() {
    let house = House::new().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(house.account("acme", &["auditor"]).await.0);
        house.hand.advance(std::time::Duration::from_millis(1));
    }
    let owner = house.session(acme, Role::Owner).await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/service-accounts?limit=2".to_owned();
    let mut foreign_cursor = String::new();
    loop {
        let page = house.get(&path, &owner).await;
        seen.extend(
            page.json()["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        assert!(page.text.find("secret\":").is_none());
        let Some(next) = page.json()["next"].as_str().map(str::to_owned) else {
            assert_eq!(page.header("link"), "");
            break;
        };
        assert!(page.header("link").contains("rel=\"next\""));
        foreign_cursor.clone_from(&next);
        path = format!("/api/v1/service-accounts?limit=2&after={next}");
    }
    assert_eq!(seen, made);
    let stranger = house.session(other, Role::Owner).await;
    let page = house.get(&format!("/api/v1/service-accounts?after={foreign_cursor}"), &stranger).await;
    assert_eq!(page.json()["items"], json!([]));
}

#[tokio::test]
async fn every_statement_of_both_rooms_fits_its_tables() {
    let rooms = [tenancy::MIGRATIONS, edge::MIGRATIONS];
    let all: Vec<_> = tenancy::STATEMENTS.iter().chain(edge::STATEMENTS).copied().collect();
    store::conformance::try_on_sqlite(&rooms, &all).unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
async fn every_statement_of_both_rooms_fits_postgresql() {
    let url = std::env::var(store::conformance::POSTGRES_URL).unwrap();
    let rooms = [tenancy::MIGRATIONS, edge::MIGRATIONS];
    let all: Vec<_> = tenancy::STATEMENTS.iter().chain(edge::STATEMENTS).copied().collect();
    store::conformance::try_on_postgres(&url, &rooms, &all).await.unwrap();
}

#[tokio::test]
async fn a_suspended_tenants_members_are_nobody_until_it_is_resumed() {
    let house = House::new().await;
    let acme = house.tenant("acme").await;
    let member = house.session(acme, Role::Owner).await;
    house.post("/api/v1/tenants/acme/suspend", &house.owner, &json!({})).await;
    assert_eq!(house.get("/api/v1/session", &member).await.status, 401);
    house.post("/api/v1/tenants/acme/resume", &house.owner, &json!({})).await;
    assert_eq!(house.get("/api/v1/session", &member).await.status, 200);
}

#[tokio::test]
async fn old_links_sessions_and_marks_are_swept() {
    let house = House::new().await;
    house.link(TenantId::SYSTEM, Role::Owner).await;
    house.hand.advance(std::time::Duration::from_secs(3 * 86_400));
    house.edge.sweep(&house.edge.tick()).await.unwrap();
    let ctx = house.ctx(TenantId::SYSTEM);
    for sql in [
        "SELECT COUNT(*) FROM tenancy_operator_link",
        "SELECT COUNT(*) FROM tenancy_operator_session",
        "SELECT COUNT(*) FROM edge_idempotency",
    ] {
        let row = house.store.read(&ctx).one(store::Stmt::new(sql)).await.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap(), 0, "{sql}");
    }
}
