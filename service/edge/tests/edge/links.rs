//! One-time links and operators' sessions.

use crate::house::House;
use edge::Role;
use std::time::Duration;
use store::TenantId;

#[tokio::test]
async fn of_64_posts_of_one_link_one_opens_a_session() {
    let house = std::sync::Arc::new(House::with(|config| config.rate = edge::limit::RateConfig::off()).await);
    let link = house.link(TenantId::SYSTEM, Role::Owner).await;
    let tries = (0..64).map(|_| {
        let (house, link) = (house.clone(), link.clone());
        tokio::spawn(async move { house.send("POST", &format!("/once/{link}"), "", &[], Some("{}")).await })
    });
    let mut opened = 0;
    for task in tries.collect::<Vec<_>>() {
        let reply = task.await.unwrap();
        match reply.status.as_u16() {
            200 => opened += 1,
            410 => assert_eq!(reply.code(), "operators/link-gone"),
            other => panic!("{other}: {}", reply.text),
        }
    }
    assert_eq!(opened, 1);
    let counts = house.counts().await;
    assert_eq!(counts["operator-link-spent"], 2, "the fixture's own, and this one");
    assert!(counts["operator-link-refused"] >= 63, "{counts:?}");
}

#[tokio::test]
async fn looking_at_a_link_spends_nothing() {
    let house = House::new().await;
    let link = house.link(TenantId::SYSTEM, Role::Admin).await;
    let before = house.counts().await;
    for _ in 0..5 {
        let page = house.send("GET", &format!("/once/{link}"), "", &[("accept", "text/html")], None).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<form method=\"post\">") && !page.text.contains(&link));
        assert_eq!(page.header("content-security-policy"), edge::headers::CONTENT_SECURITY_POLICY);
        assert_eq!(house.send("HEAD", &format!("/once/{link}"), "", &[], None).await.status, 200);
    }
    assert_eq!(house.counts().await, before);
    assert_eq!(house.send("POST", &format!("/once/{link}"), "", &[], None).await.status, 200);
}

/// What a browser holds after it was shown the page of a link: its cookie, and the form that its button sends.
async fn shown(house: &House, link: &str) -> (String, String) {
    let page = house.send("GET", &format!("/once/{link}"), "", &[("accept", "text/html")], None).await;
    let pair = page.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let token =
        page.text.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    (pair, format!("form_token={}", token.unwrap_or_default()))
}

/// Sends such a form as a browser would from `site`.
async fn posted(
    house: &House,
    link: &str,
    site: &str,
    (cookie, form): &(String, String),
) -> crate::house::Reply {
    let headers = [
        ("accept", "text/html"),
        ("sec-fetch-site", site),
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    house.send("POST", &format!("/once/{link}"), "", &headers, Some(form)).await
}

#[tokio::test]
async fn spent_old_and_foreign_links_read_alike() {
    let house = House::new().await;
    let spent = house.link(TenantId::SYSTEM, Role::Owner).await;
    let old = house.link(TenantId::SYSTEM, Role::Owner).await;
    house.hand.advance(Duration::from_secs(901));
    let browser = shown(&house, &house.link(TenantId::SYSTEM, Role::Owner).await).await;
    let fresh = house.link(TenantId::SYSTEM, Role::Owner).await;
    house.send("POST", &format!("/once/{fresh}"), "", &[], None).await;
    let foreign = "A".repeat(43);
    let mut pages = Vec::new();
    for link in [spent.as_str(), &old, &fresh, &foreign, "x", "%2e%2e"] {
        let shown = house.send("GET", &format!("/once/{link}"), "", &[("accept", "text/html")], None).await;
        let posted = posted(&house, link, "same-origin", &browser).await;
        assert_eq!((shown.status.as_u16(), posted.status.as_u16()), (410, 410), "{link}");
        pages.push(shown.text);
        pages.push(posted.text);
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
}

#[tokio::test]
async fn a_link_is_spent_by_the_button_of_its_own_page_and_by_no_other_form() {
    let house = House::new().await;
    let link = house.link(TenantId::SYSTEM, Role::Owner).await;
    let browser = shown(&house, &link).await;
    let stranger = shown(&house, &link).await;
    assert_ne!(browser, stranger, "each browser has a cookie and a token of its own");
    for (site, form, code) in [
        ("cross-site", browser.clone(), "api/cross-site"),
        ("same-site", browser.clone(), "api/cross-site"),
        ("none", browser.clone(), "api/cross-site"),
        ("", browser.clone(), "api/cross-site"),
        ("same-origin", (browser.0.clone(), String::new()), "console/form-token"),
        ("same-origin", (browser.0.clone(), stranger.1.clone()), "console/form-token"),
        ("same-origin", (String::new(), browser.1.clone()), "console/form-token"),
    ] {
        let refused = posted(&house, &link, site, &form).await;
        assert_eq!(refused.status, 403, "{site} {form:?}");
        assert!(refused.text.contains(code) && refused.text.contains("<h1>"), "{}", refused.text);
    }
    house.hand.advance(Duration::from_secs(800));
    assert_eq!(posted(&house, &link, "same-origin", &browser).await.status, 303);
    assert_eq!(house.counts().await["request-refused"], 7);
}

#[tokio::test]
async fn a_browser_gets_a_cookie_that_scripts_and_other_sites_cannot_use() {
    let house = House::new().await;
    let link = house.link(TenantId::SYSTEM, Role::Owner).await;
    let opened = posted(&house, &link, "same-origin", &shown(&house, &link).await).await;
    assert_eq!((opened.status.as_u16(), opened.header("location")), (303, "/console"));
    let cookie = opened.header("set-cookie");
    for word in ["__Host-tessera_console=tos_", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(word), "{word} in {cookie}");
    }
    let pair = cookie.split(';').next().unwrap().to_owned();
    let by_cookie = house.send("GET", "/api/v1/session", "", &[("cookie", &pair)], None).await;
    assert_eq!(by_cookie.status, 401, "the API takes no cookies, so no other site can use one");
}

#[tokio::test]
async fn a_session_ends_when_idle_when_old_and_when_closed() {
    let house = House::new().await;
    let session = || house.session(TenantId::SYSTEM, Role::Owner);
    let idle = session().await;
    assert_eq!(house.get("/api/v1/session", &idle).await.status, 200);
    house.hand.advance(Duration::from_secs(1_801));
    assert_eq!(house.get("/api/v1/session", &idle).await.status, 401);

    let old = session().await;
    for _ in 0..16 {
        house.hand.advance(Duration::from_secs(1_790));
        assert_eq!(house.get("/api/v1/session", &old).await.status, 200);
    }
    house.hand.advance(Duration::from_secs(200));
    assert_eq!(house.get("/api/v1/session", &old).await.status, 401, "eight hours are over");

    let closed = session().await;
    assert_eq!(house.send("DELETE", "/api/v1/session", &closed, &[], None).await.status, 204);
    assert_eq!(house.get("/api/v1/session", &closed).await.status, 401);
    assert_eq!(house.counts().await["operator-session-closed"], 1);
}

#[tokio::test]
async fn revoking_an_operator_ends_sessions_and_links_at_once_and_the_last_owner_stays() {
    let house = House::new().await;
    let bearer = house.session(TenantId::SYSTEM, Role::Owner).await;
    let id = house.get("/api/v1/session", &bearer).await.json()["id"].as_str().unwrap().to_owned();
    let made = house.send("POST", &format!("/api/v1/operators/{id}/link"), &house.owner, &[], None).await;
    let link = made.json()["link"].as_str().unwrap().rsplit_once("/once/").unwrap().1.to_owned();
    let gone = house.send("DELETE", &format!("/api/v1/operators/{id}"), &house.owner, &[], None).await;
    assert_eq!(gone.status, 204);
    assert!(gone.header("tessera-event").starts_with("evt_"));
    assert_eq!(house.get("/api/v1/session", &bearer).await.status, 401);
    assert_eq!(house.send("POST", &format!("/once/{link}"), "", &[], None).await.status, 410);
    let own = house.get("/api/v1/session", &house.owner).await.json()["id"].as_str().unwrap().to_owned();
    let last = house.send("DELETE", &format!("/api/v1/operators/{own}"), &house.owner, &[], None).await;
    assert_eq!((last.status.as_u16(), last.code().as_str()), (409, "operators/last-owner"));
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn neither_link_nor_session_nor_secret_stands_in_the_database() {
    let house = House::new().await;
    let link = house.link(TenantId::SYSTEM, Role::Owner).await;
    house.tenant("acme").await;
    let (_, secret) = house.account("acme", &["admin"]).await;
    let rows = ["tenancy_operator_link", "tenancy_operator_session", "tenancy_service_account"];
    let ctx = house.ctx(TenantId::SYSTEM);
    for table in rows {
        let sql: &'static str = match table {
            "tenancy_operator_link" => "SELECT token_sha256, purpose FROM tenancy_operator_link",
            "tenancy_operator_session" => "SELECT session_sha256, session_id FROM tenancy_operator_session",
            _ => "SELECT secret_sha256, name FROM tenancy_service_account",
        };
        for row in house.store.read(&ctx).many(store::Stmt::new(sql), 10).await.unwrap() {
            let hash = row.blob(0).unwrap();
            assert_eq!(hash.len(), 32, "{table}");
            for known in [&link, &secret, &house.owner] {
                assert_ne!(hash, known.as_bytes());
            }
        }
    }
}
