//! Every page of the house, the console's and those of the other rooms, through the router of a house in this process.

use super::frame::PAGES;
use crate::config::Config;
use crate::house::{House, Plan};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use edge::{Role, Who};
use http_body_util::BodyExt;
use std::collections::BTreeSet;
use store::TenantId;
use tower::ServiceExt;

const BASE: &str = "http://localhost:8400";

struct Desk {
    house: House,
    router: Router,
    cookie: String,
    _data: tempfile::TempDir,
}

impl Desk {
    /// A house with an owner of the instance in a browser.
    async fn open() -> Desk {
        let data = tempfile::tempdir().unwrap();
        let plan = Plan {
            public_url: BASE.parse().unwrap(),
            data: data.path().to_owned(),
            root: crypto::secret::Secret::new([7; 32]),
            dev: true,
            config: Config::default(),
            relay_round_ms: Some(250),
            outbound_roots: Vec::new(),
        };
        let house = House::open(plan).await.unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        house
            .tenant("default", "Development")
            .await
            .unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let ctx = house.inside(&TenantId::SYSTEM);
        let (_, link, _) = house.tenancy.invite(&ctx, "Ana", Role::Owner, None).await.unwrap();
        let session = house.tenancy.spend_link(&ctx, link.token.expose()).await.unwrap();
        let cookie = format!("{}={}", edge::browser::SESSION_COOKIE, session.token.expose());
        let router = house.edge.router(house.doors());
        Desk { house, router, cookie, _data: data }
    }

    async fn get(&self, path: &str) -> (u16, HeaderMap, String) {
        let request = Request::get(path)
            .header(header::HOST, "localhost:8400")
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, &self.cookie)
            .body(Body::empty())
            .unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

/// Doors that answer HTML: their paths, with names in place of parameters.
fn html_paths(house: &House) -> BTreeSet<String> {
    let doors = house.doors();
    let own = doors.specs().filter(|spec| {
        spec.method == axum::http::Method::GET
            && spec.answers.iter().any(|answer| answer.media == Some("text/html"))
    });
    let filled = own.map(|spec| {
        let path = spec.path.replace("{tenant}", "default");
        path.replace("{sid}", "AAAAAAAAAAAAAAAAAAAAAA").replace("{id}", "rp_00000000000000000000000000")
    });
    let edges = ["/once/x", "/problems", "/problems/api/not-found"].map(str::to_owned);
    filled.chain(edges).collect()
}

#[tokio::test]
async fn every_html_route_has_the_headers_of_pages_and_nothing_inline() {
    let desk = Desk::open().await;
    let paths = html_paths(&desk.house);
    assert!(PAGES.iter().all(|(path, _, _)| paths.contains(*path)) && paths.len() >= 16, "{paths:?}");
    let mut pages = 0;
    for path in paths {
        let (status, headers, text) = desk.get(&path).await;
        if !headers[header::CONTENT_TYPE].as_bytes().starts_with(b"text/html") {
            // A sign-in that is none answers a problem; it is walked in a browser by `interop/signin`.
            assert!(path.starts_with("/t/") && status >= 400, "{path}: {status}");
            continue;
        }
        pages += 1;
        for (name, value) in [
            ("content-security-policy", edge::headers::CONTENT_SECURITY_POLICY),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(headers[name], value, "{name} at {path}");
        }
        assert!(headers["permissions-policy"].to_str().unwrap().contains("publickey-credentials-get=(self)"));
        assert!(text.contains("<html lang=\"en\">") && text.contains("name=\"viewport\""), "{path}");
        assert_eq!(text.matches("<h1").count(), 1, "{path}");
        for inline in [" style=", "<style", "javascript:", "<script>", " onclick", " onload", " onerror"] {
            assert!(!text.contains(inline), "{inline} at {path}");
        }
    }
    assert!(pages >= 16, "{pages}");
}

#[tokio::test]
async fn the_list_of_pages_asks_for_what_their_doors_ask_for() {
    let desk = Desk::open().await;
    let doors = desk.house.doors();
    for (path, label, permission) in PAGES {
        let found = doors.specs().find(|spec| spec.path == path && spec.method == axum::http::Method::GET);
        assert_eq!(found.map(|spec| spec.who), Some(Who::Operator(permission)), "{label}");
    }
    for spec in doors.specs().filter(|spec| spec.path.starts_with("/console")) {
        let known =
            matches!(spec.who, Who::Operator(_) | Who::Visitor) || spec.operation == "fetchConsoleAsset";
        assert!(known && !spec.documented, "{}", spec.operation);
    }
}

#[tokio::test]
async fn a_page_answers_no_problem_that_its_door_does_not_name() {
    let desk = Desk::open().await;
    for path in [
        "/console/signins?outcome=other",
        "/console/signins?range=1y",
        "/console/signins?after=x",
        "/console/enrolments?state=other",
        "/console/enrolments?unknown=1",
        "/console/relying-parties?limit=0",
        "/console/relying-parties/x",
        "/console/enrolments/x",
        "/console/sign-in?return=x",
    ] {
        let (status, headers, text) = desk.get(path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        assert!(headers[header::CONTENT_TYPE].as_bytes().starts_with(b"text/html"), "{path}: {text}");
    }
    assert_eq!(desk.house.edge.undeclared_problems(), []);
}
