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
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let mut request = Request::get(path)
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, self.cookies(headers));
        for (name, value) in headers.iter().filter(|(name, _)| *name != "cookie") {
            request = request.header(*name, *value);
        }
        self.ask(request, Body::empty()).await
    }

    /// The session's cookie and those of `headers`.
    fn cookies(&self, headers: &[(&str, &str)]) -> String {
        let others = headers.iter().filter(|(name, _)| *name == "cookie").map(|(_, value)| *value);
        std::iter::once(self.cookie.as_str()).chain(others).collect::<Vec<_>>().join("; ")
    }

    /// A form of a page of ours, with its token.
    async fn post(&self, path: &str, members: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let (_, _, page) = self.get("/console").await;
        let token = page.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let members: Vec<(&str, &str)> =
            std::iter::once(("form_token", token.unwrap())).chain(members.iter().copied()).collect();
        let request = Request::post(path)
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request, Body::from(openid::oauth::form::encode(&members))).await
    }

    /// A call of the API by the same session, in the tenant `default`.
    async fn call(&self, path: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
        let (_, token) = self.cookie.split_once('=').unwrap();
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(edge::TENANT_HEADER, "default")
            .header(header::CONTENT_TYPE, "application/json");
        let (status, _, text) = self.ask(request, Body::from(body.to_string())).await;
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn ask(&self, request: axum::http::request::Builder, body: Body) -> (u16, HeaderMap, String) {
        let request = request.header(header::HOST, "localhost:8400").body(body).unwrap();
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

/// Markup, a turned direction of reading, what ends an attribute, and one without an end.
fn hostile() -> [String; 4] {
    let text = |text: &str| text.to_owned();
    [
        text("<script>alert(1)</script>"),
        text("\u{202e}gpj.exe\u{2066}"),
        text("\"'&<>`{{7}}"),
        "x".repeat(10_000),
    ]
}

/// As a template writes a text.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '<' => "&#60;".to_owned(),
            '>' => "&#62;".to_owned(),
            '&' => "&#38;".to_owned(),
            '"' => "&#34;".to_owned(),
            '\'' => "&#39;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// The form of a service with `text` in one field.
fn party(field: &str, text: &str, origin: &str) -> serde_json::Value {
    let mut form = serde_json::json!({
        "name": "Shop", "legal_name": "Shop SA", "origins": [origin], "redirect_uris": [format!("{origin}/cb")],
        "scopes": ["openid"], "auth_method": "none", "origin_proof": "operator", "purpose": {"en": "shopping"},
    });
    form[field] = match field {
        "origins" | "redirect_uris" => serde_json::json!([format!("{origin}/{text}")]),
        "scopes" => serde_json::json!(["openid", text]),
        "purpose" => serde_json::json!({ "en": text }),
        _ => text.into(),
    };
    form
}

impl Desk {
    /// Gives `text` to every field of a service; those that took it, with the page of each.
    async fn parties(&self, text: &str, origin: &str) -> Vec<(&'static str, String)> {
        let mut taken = Vec::new();
        let fields =
            ["name", "legal_name", "purpose", "origins", "redirect_uris", "scopes", "auth_method", "acr_min"];
        for field in fields {
            let (status, made) = self.call("/api/v1/relying-parties", &party(field, text, origin)).await;
            assert!(status == 201 || (400..500).contains(&status), "{field}: {status} {made}");
            if status == 201 {
                taken.push((field, format!("/console/relying-parties/{}", made["id"].as_str().unwrap())));
            }
        }
        taken
    }

    /// Gives `text` to whatever else has a name, and to the forms of the pages, none of which takes it.
    async fn others(&self, n: usize, text: &str) {
        for (path, body) in [
            ("/api/v1/tenants", serde_json::json!({"name": format!("t{n}"), "title": text})),
            ("/api/v1/operators", serde_json::json!({"name": text, "role": "auditor"})),
        ] {
            let (status, told) = self.call(path, &body).await;
            assert!(status == 201 || (400..500).contains(&status), "{path}: {status} {told}");
        }
        for (path, member) in
            [("tenant", "tenant"), ("theme", "theme"), ("theme", "return"), ("passkeys", "label")]
        {
            let members: &[_] = match member {
                "theme" => &[("theme", text)],
                member => &[("theme", "dark"), (member, text)],
            };
            let (status, _, told) = self.post(&format!("/console/{path}"), members).await;
            assert!((400..500).contains(&status), "{path} {member}: {status}");
            only_texts(&told, path);
        }
    }
}

/// No hostile text stands in a page as it was given.
fn only_texts(page: &str, at: &str) {
    for bad in ["<script>", "alert(1)</script>", "\"'&<>`"] {
        assert!(!page.contains(bad), "{bad} at {at}");
    }
}

#[tokio::test]
async fn hostile_texts_in_every_field_are_texts_on_every_page_or_refused() {
    let desk = Desk::open().await;
    let mut pages: Vec<String> =
        html_paths(&desk.house).into_iter().filter(|path| !path.starts_with("/t/")).collect();
    let mut taken = Vec::new();
    for (n, text) in hostile().into_iter().enumerate() {
        for (field, page) in desk.parties(&text, &format!("http://localhost:{}", 20_000 + n)).await {
            taken.push((field, text.clone()));
            pages.push(page);
        }
        desk.others(n, &text).await;
        // What comes in an address is said again, if at all, as a text.
        let value = openid::oauth::form::encode(&[("x", &text)]).split_off(2).replace('+', "%20");
        let asks = [
            "signins?outcome=",
            "signins?after=",
            "enrolments?state=",
            "sign-in?return=",
            "relying-parties/",
            "enrolments/",
        ];
        pages.extend(asks.map(|ask| format!("/console/{ask}{value}")));
        pages.push(format!("/problems/{value}"));
    }
    let count = |field: &str| taken.iter().filter(|(known, _)| *known == field).count();
    assert_eq!((count("name"), count("auth_method"), count("acr_min")), (3, 0, 0), "{taken:?}");
    assert!(taken.iter().all(|(_, text)| text.len() < 1_000), "what has no end is refused in each field");
    let (_, headers, _) = desk.post("/console/tenant", &[("tenant", "default")]).await;
    let inside = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut shown = BTreeSet::new();
    for path in pages {
        let (status, headers, text) = desk.get_with(&path, &[("cookie", &inside)]).await;
        if !headers.get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/html"))
        {
            assert!(status >= 400, "{path}: {status}");
            continue;
        }
        assert_eq!(headers["content-security-policy"], edge::headers::CONTENT_SECURITY_POLICY, "{path}");
        only_texts(&text, &path);
        assert!(text.len() < 200_000, "{path}: {}", text.len());
        shown
            .extend(taken.iter().filter(|(_, one)| text.contains(&escaped(one))).map(|(_, one)| one.clone()));
    }
    assert_eq!(shown.len(), 3, "each that was taken is shown somewhere: {shown:?}");
}

#[tokio::test]
async fn a_theme_is_kept_by_its_cookie_and_leads_back_to_the_page() {
    let desk = Desk::open().await;
    let (status, headers, _) =
        desk.post("/console/theme", &[("theme", "dark"), ("return", "/console/signins?range=90d")]).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (303, "/console/signins?range=90d"));
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        set.starts_with("__Host-tessera_theme=dark;") && set.contains("Secure; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    for (cookie, class) in [("dark", " class=\"dark\""), ("light", " class=\"light\""), ("pink", "")] {
        let (_, _, page) =
            desk.get_with("/console/ledger", &[("cookie", &format!("__Host-tessera_theme={cookie}"))]).await;
        assert!(page.contains(&format!("<html lang=\"en\"{class}>")), "{cookie}");
        assert!(page.contains("name=\"return\" value=\"/console/ledger\""));
    }
    let (_, headers, _) = desk.post("/console/theme", &[("theme", "system"), ("return", "/console")]).await;
    assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let (status, _, _) =
        desk.post("/console/theme", &[("theme", "dark"), ("return", "//evil.example")]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_page_hears_which_of_its_parts_changed_and_how_long_its_session_lasts() {
    let desk = Desk::open().await;
    let live = |known: String| {
        let desk = &desk;
        async move {
            let headers = [("last-event-id", known.as_str()), ("sec-fetch-dest", "empty")];
            let (status, headers, text) = desk.get_with("/console/live", &headers).await;
            assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (200, "text/event-stream"));
            let line = |name: &str| {
                let found = text.lines().find_map(|line| line.strip_prefix(name));
                found.unwrap_or_default().trim().to_owned()
            };
            (line("id:"), line("data:"))
        }
    };
    let (known, changed) = live(String::new()).await;
    assert!(
        known.contains("ledger:") && changed.is_empty(),
        "who knows nothing is told what to know: {known}"
    );
    let stale = known.replace("signins:", "signins:0");
    assert_eq!(live(stale).await, (known, "signins".to_owned()));
    // The page says when its session ends; a button keeps it.
    let (_, _, page) = desk.get("/console").await;
    let left = page.split("data-left-s=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!((1_795..=1_800).contains(&left.parse::<i64>().unwrap()), "{left}");
    let (status, _, told) = desk.post("/console/stay", &[]).await;
    assert_eq!(status, 200);
    assert!(told.starts_with("{\"left_s\":1"), "{told}");
}
