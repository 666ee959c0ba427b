//! The console as a browser meets it: attacks on its doors, and hostile texts on its pages.

use crate::served::{Served, WITHIN};
use serde_json::json;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Pages of the console that lists lead to, beside those of one object.
const PAGES: [&str; 9] = [
    "/console",
    "/console/relying-parties",
    "/console/enrolments",
    "/console/signins",
    "/console/relay",
    "/console/privacy",
    "/console/ledger",
    "/console/tenants",
    "/console/passkeys",
];

/// The policy of every page (experience, section 8).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// A browser without a script: it keeps cookies and sends what browsers send.
#[derive(Clone, Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

/// What came back.
struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The token of the page's forms.
    fn form_token(&self) -> String {
        let found = self.text.split("name=\"form_token\" value=\"").nth(1);
        found.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }
}

impl Browser {
    fn get(&mut self, url: &str) -> Page {
        let request = agent().get(url).header("accept", "text/html").header("cookie", self.cookie());
        self.keep(request.call().unwrap())
    }

    /// Posts a form of our own page.
    fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        self.post_from("same-origin", url, form)
    }

    /// Posts a form from `site`; empty: the browser does not say.
    fn post_from(&mut self, site: &str, url: &str, form: &[(&str, &str)]) -> Page {
        let mut request = agent().post(url).header("accept", "text/html").header("cookie", self.cookie());
        if !site.is_empty() {
            request = request.header("sec-fetch-site", site);
        }
        self.keep(request.send_form(form.iter().copied()).unwrap())
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> Page {
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        for (_, line) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut text = String::new();
        answer.body_mut().as_reader().take(8 << 20).read_to_string(&mut text).unwrap();
        Page { status: answer.status().as_u16(), headers, text }
    }

    /// Opens a one-time link, presses its button.
    fn enter(&mut self, link: &str) -> Page {
        let token = self.get(link).form_token();
        self.post(link, &[("form_token", &token)])
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    config.timeout_global(Some(WITHIN)).build().into()
}

/// A house, its first owner by the API, and the same owner in a browser that acts in the tenant `default`.
struct Desk {
    house: Served,
    owner: String,
    browser: Browser,
    base: String,
    _home: tempfile::TempDir,
}

impl Desk {
    fn open() -> Desk {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("dev");
        let mut house = Served::start(home.path(), &data);
        let owner = house.session(&data);
        let base = house.base.clone();
        let mut desk = Desk { house, owner, browser: Browser::default(), base, _home: home };
        let link = desk.link("owner");
        let entered = desk.browser.enter(&link);
        assert_eq!((entered.status, entered.header("location")), (303, "/console"));
        desk.act_in("default");
        desk
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn get(&mut self, path: &str) -> Page {
        let url = self.url(path);
        self.browser.get(&url)
    }

    /// A one-time link for a new operator of the instance.
    fn link(&self, role: &str) -> String {
        let body = json!({"name": "an operator", "role": role});
        let made = self.house.post_in(None, "/api/v1/operators", &self.owner, &body);
        made.json["link"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
    }

    fn act_in(&mut self, tenant: &str) {
        let token = self.get("/console").form_token();
        let url = self.url("/console/tenant");
        let chosen = self.browser.post(&url, &[("form_token", &token), ("tenant", tenant)]);
        assert_eq!(chosen.status, 303, "{}", chosen.text);
    }

    /// Registers a service of these texts in the tenant `default`, whose requests are pushed or not; its id.
    fn party(&self, (name, legal_name): (&str, &str), port: usize, pushes: bool) -> String {
        let origin = format!("http://localhost:{port}");
        let body = json!({
            "name": name, "legal_name": legal_name, "origins": [origin], "redirect_uris": [format!("{origin}/cb")],
            "scopes": ["openid"], "auth_method": "none", "origin_proof": "operator", "require_par": pushes,
            "purpose": {"en": name}
        });
        let made = self.house.post("/api/v1/relying-parties", &self.owner, &body);
        made.json["id"].as_str().unwrap_or_else(|| panic!("{name}: {}", made.text)).to_owned()
    }

    /// How often an event of this type stands in the log of a tenant, or of the instance itself.
    fn events_of(&self, tenant: Option<&str>, kind: &str) -> usize {
        let path = format!("/api/v1/ledger/events?type={kind}&limit=200");
        self.house.get_in(tenant, &path, &self.owner).json["items"].as_array().map_or(0, Vec::len)
    }

    /// Asks until so many events of this type are sequenced in the instance's own log; how many there are then.
    fn events(&self, kind: &str, wanted: usize) -> usize {
        self.events_in(None, kind, wanted)
    }

    fn events_in(&self, tenant: Option<&str>, kind: &str, wanted: usize) -> usize {
        let late = Instant::now() + WITHIN;
        loop {
            let found = self.events_of(tenant, kind);
            if found >= wanted || Instant::now() > late {
                return found;
            }
        }
    }
}

/// Elements that our templates write. What another one stands for came from somebody.
const ELEMENTS: &str = " !doctype html head meta title link script body a header p div strong form input span button nav ul li main h1 \
                        section h2 dl dt dd code table thead tbody tr th td pre label select option figure svg desc line rect text \
                        figcaption details summary noscript footer ";

/// Every element is one of ours, runs nothing, and leads to this origin: what is a text stays one.
fn nothing_inline(page: &str, at: &str, base: &str) {
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("an open tag at {at}: {piece}"));
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap().trim_end_matches('/');
        assert!(ELEMENTS.contains(&format!(" {} ", name.to_lowercase())), "<{tag}> at {at}");
        // Outside of quotes stand the names of attributes.
        let names: String = tag.split('"').step_by(2).collect();
        assert!(!names.contains(" on") && !names.contains(" style"), "<{tag}> at {at}");
        assert!(
            !tag.starts_with("script") || tag.starts_with("script src=\"/console/assets/console-"),
            "<{tag}> at {at}"
        );
        for attribute in ["href=\"", "src=\"", "action=\""] {
            let value = tag.split(attribute).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("/");
            let is_ours =
                value.starts_with(['/', '#']) && !value.starts_with("//") || value.starts_with(base);
            assert!(is_ours, "<{tag}> at {at}");
        }
    }
}

#[test]
fn of_64_presses_of_the_button_of_one_link_one_gets_a_session() {
    let desk = Desk::open();
    let link = desk.link("auditor");
    // The fixture's own two, by the API and by a browser.
    assert_eq!(desk.events("operator-link-spent", 2), 2);
    let mut browser = Browser::default();
    let token = Arc::new(browser.get(&link).form_token());
    let link = Arc::new(link);
    let tries: Vec<_> = (0..64)
        .map(|_| {
            let (link, token, mut browser) = (link.clone(), token.clone(), browser.clone());
            std::thread::spawn(move || browser.post(&link, &[("form_token", &token)]).status)
        })
        .collect();
    let found: Vec<u16> = tries.into_iter().map(|one| one.join().unwrap()).collect();
    let opened = found.iter().filter(|status| **status == 303).count();
    assert_eq!(opened, 1, "{found:?}");
    // Code doors count tries of an address also in development.
    assert!(found.iter().all(|status| matches!(status, 303 | 410 | 429)), "{found:?}");
    let refused = found.iter().filter(|status| **status == 410).count();
    assert!(refused > 32, "{found:?}");
    assert_eq!(desk.events("operator-link-refused", refused), refused);
    assert_eq!(desk.events("operator-link-spent", 3), 3);
}

#[test]
fn a_previewer_that_fetches_a_link_spends_nothing() {
    let desk = Desk::open();
    let link = desk.link("auditor");
    for _ in 0..5 {
        let shown = Browser::default().get(&link);
        assert_eq!(shown.status, 200);
        assert!(shown.header("set-cookie").starts_with("__Host-tessera_visitor="), "and no session");
    }
    assert_eq!(Browser::default().enter(&link).status, 303);
}

#[test]
fn the_session_of_a_browser_is_a_new_one_at_each_login_and_ends_with_it() {
    let mut desk = Desk::open();
    let of = |browser: &Browser| {
        let found = browser.cookies.iter().find(|(name, _)| name == "__Host-tessera_console");
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let first = of(&desk.browser);
    let before = desk.get("/console").form_token();
    let link = desk.link("owner");
    assert_eq!(desk.browser.enter(&link).status, 303);
    let second = of(&desk.browser);
    assert!(first.starts_with("tos_") && second.starts_with("tos_") && first != second);
    let url = desk.url("/console/sign-out");
    let stale = desk.browser.post(&url, &[("form_token", &before)]);
    assert_eq!(stale.status, 403, "a form of the session before");
    let token = desk.get("/console").form_token();
    let left = desk.browser.post(&url, &[("form_token", &token)]);
    assert_eq!((left.status, left.header("location")), (303, "/console/sign-in"));
    assert_eq!(of(&desk.browser), "", "the cookie is taken away");
    let mut thief = Browser { cookies: vec![("__Host-tessera_console".to_owned(), second)] };
    let shown = thief.get(&desk.url("/console"));
    assert_eq!((shown.status, shown.header("location")), (303, "/console/sign-in"), "and opens nothing");
    assert_eq!(desk.events("operator-session-closed", 1), 1);
}

#[test]
fn a_form_of_another_site_or_without_its_token_is_refused_with_a_page() {
    let mut desk = Desk::open();
    let token = desk.get("/console").form_token();
    let mut other = Browser::default();
    other.enter(&desk.link("owner"));
    let foreign = other.get(&desk.url("/console")).form_token();
    let visitor = Browser::default().get(&desk.url("/console/sign-in")).form_token();
    let forms = ["/console/sign-out", "/console/tenant", "/console/passkeys", "/console/passkeys/challenge"];
    for path in forms {
        let url = desk.url(path);
        for (site, token, code) in [
            ("cross-site", token.as_str(), "api/cross-site"),
            ("same-site", &token, "api/cross-site"),
            ("none", &token, "api/cross-site"),
            ("", &token, "api/cross-site"),
            ("same-origin", "", "console/form-token"),
            ("same-origin", "AAAA", "console/form-token"),
            ("same-origin", &foreign, "console/form-token"),
            ("same-origin", &visitor, "console/form-token"),
        ] {
            let refused = desk.browser.post_from(site, &url, &[("form_token", token), ("tenant", "relay")]);
            assert_eq!(refused.status, 403, "{path} {site}");
            assert!(refused.text.contains(code) && refused.text.contains("<h1>"), "{}", refused.text);
            assert_eq!(refused.header("content-security-policy"), POLICY);
        }
    }
    // A form that was made in one tenant does nothing in another.
    let here = desk.get("/console").form_token();
    desk.act_in("relay");
    let url = desk.url("/console/sign-out");
    assert_eq!(desk.browser.post(&url, &[("form_token", &here)]).status, 403);
    assert_eq!(desk.get("/console").status, 200, "nothing of all this ended the session");
    let wanted = forms.len() * 8;
    assert_eq!(
        desk.events_in(Some("default"), "request-refused", wanted),
        wanted,
        "each refusal is an event"
    );
}

#[test]
fn a_browser_is_led_to_pages_of_the_console_and_nowhere_else() {
    let desk = Desk::open();
    let asked = Browser::default().get(&desk.url("/console/signins?range=90d"));
    let to = "/console/sign-in?return=%2Fconsole%2Fsignins%3Frange%3D90d";
    assert_eq!((asked.status, asked.header("location")), (303, to));
    let shown = Browser::default().get(&desk.url(to));
    assert!(shown.text.contains("value=\"/console/signins?range=90d\""), "{}", shown.text);
    for away in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2Fconsole%2F%2Fevil.example",
        "%2Fconsole%5C%40evil.example",
        "javascript%3Aalert(1)",
        "%2Fapi%2Fv1%2Fkeys",
        "%2Fconsole%2F..%2Fapi",
    ] {
        let mut browser = Browser::default();
        let refused = browser.get(&desk.url(&format!("/console/sign-in?return={away}")));
        assert_eq!(refused.status, 400, "{away}");
        assert!(
            refused.text.contains("console/return") && !refused.text.contains("evil"),
            "{}",
            refused.text
        );
        let token = browser.get(&desk.url("/console/sign-in")).form_token();
        let plain = away.replace("%2F", "/").replace("%3A", ":").replace("%5C", "\\").replace("%40", "@");
        let posted =
            browser.post(&desk.url("/console/sign-in"), &[("form_token", &token), ("return", &plain)]);
        assert_eq!(posted.status, 400, "{plain}");
    }
}

#[test]
fn another_host_framing_and_cookies_at_the_api_come_to_nothing() {
    let mut desk = Desk::open();
    let cookie = desk.browser.cookie();
    let foreign = agent().get(desk.url("/console")).header("host", "evil.example").header("cookie", &cookie);
    assert_eq!(foreign.call().unwrap().status().as_u16(), 421);
    for path in PAGES {
        let page = desk.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    }
    let api = agent().get(desk.url("/api/v1/session")).header("cookie", &cookie).call().unwrap();
    assert_eq!(api.status().as_u16(), 401, "the API takes no cookie");
    let bearer = agent().get(desk.url("/console")).header("authorization", format!("Bearer {}", desk.owner));
    assert_eq!(bearer.call().unwrap().status().as_u16(), 303, "and a page no bearer text");
}

#[test]
fn an_object_of_another_tenant_reads_as_one_that_never_was() {
    let mut desk = Desk::open();
    let id = desk.party(("Shop", "Shop SA"), 4_200, true);
    let own = desk.get(&format!("/console/relying-parties/{id}"));
    assert!(own.status == 200 && own.text.contains("Shop SA"));
    desk.act_in("relay");
    let same = |page: &Page| {
        let request =
            page.text.split("request <code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
        (page.status, page.text.replace(request, ""))
    };
    for (path, foreign, unknown) in [
        ("relying-parties", id.as_str(), "rp_00000000000000000000000000"),
        ("enrolments", "enr_00000000000000000000000000", "enr_x"),
    ] {
        let foreign = desk.get(&format!("/console/{path}/{foreign}"));
        let unknown = desk.get(&format!("/console/{path}/{unknown}"));
        assert_eq!(same(&foreign), same(&unknown));
        assert_eq!(foreign.status, 404);
    }
    for verb in ["approve", "revoke"] {
        let token = desk.get("/console").form_token();
        let url = desk.url(&format!("/console/enrolments/enr_00000000000000000000000000/{verb}"));
        let form = [("form_token", token.as_str()), ("reason", "lost_device")];
        assert_eq!(desk.browser.post(&url, &form).status, 404, "{verb}");
    }
}

#[test]
fn a_page_shows_to_a_role_what_it_may_read_and_its_door_asks_again() {
    let desk = Desk::open();
    for (role, pages) in [("owner", 9), ("auditor", 8), ("issuer-operator", 3), ("verifier", 2)] {
        let mut browser = Browser::default();
        assert_eq!(browser.enter(&desk.link(role)).status, 303);
        let front = browser.get(&desk.url("/console")).text;
        let list = front.split("<nav").nth(1).and_then(|rest| rest.split("</nav>").next()).unwrap();
        let mut open = 0;
        for path in PAGES {
            let shown = list.contains(&format!("href=\"{path}\""));
            let page = browser.get(&desk.url(path));
            assert_eq!(page.status, if shown { 200 } else { 403 }, "{role} {path}");
            open += usize::from(shown);
        }
        assert_eq!(open, pages, "{role}");
    }
    let mut auditor = Browser::default();
    auditor.enter(&desk.link("auditor"));
    let token = auditor.get(&desk.url("/console")).form_token();
    for verb in ["approve", "revoke"] {
        let url = desk.url(&format!("/console/enrolments/enr_00000000000000000000000000/{verb}"));
        let refused = auditor.post(&url, &[("form_token", &token), ("reason", "lost_device")]);
        assert_eq!(refused.status, 403, "an auditor changes nothing");
    }
    assert!(desk.events("access-refused", 2) >= 2);
}

/// Ways in which markup, attributes, addresses and templates have been made to run. `n` makes each one different.
const PAYLOADS: [&str; 40] = [
    "<script>alert(N)</script>",
    "</title><script>alert(N)</script>",
    "\"><script>alert(N)</script>",
    "'><script>alert(N)</script>",
    "<img src=x onerror=alert(N)>",
    "\"><img src=x onerror=alert(N)>",
    "<svg onload=alert(N)>",
    "<svg/onload=alert(N)>",
    "</svg><script>alert(N)</script>",
    "<body onload=alert(N)>",
    "<iframe src=javascript:alert(N)>",
    "<a href=\"javascript:alert(N)\">x</a>",
    "<form action=javascript:alert(N)><button>x</button></form>",
    "<input autofocus onfocus=alert(N)>",
    "<details open ontoggle=alert(N)>",
    "<video><source onerror=alert(N)></video>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(N)>",
    "<!--<img src=\"--><img src=x onerror=alert(N)//\">",
    "<style>@import '//evil.example/N'</style>",
    "<link rel=stylesheet href=//evil.example/N>",
    "<meta http-equiv=refresh content='0;url=//evil.example/N'>",
    "<base href=//evil.example/N>",
    "<object data=//evil.example/N>",
    "<embed src=//evil.example/N>",
    "\" autofocus onfocus=alert(N) x=\"",
    "' autofocus onfocus=alert(N) x='",
    "\" style=\"background:url(//evil.example/N)",
    "{{N*7}}",
    "{% include \"console/base.html\" %}N",
    "${alert(N)}",
    "<%= N %>",
    "&lt;script&gt;alert(N)&lt;/script&gt;",
    "&#60;script&#62;alert(N)&#60;/script&#62;",
    "<scr<script>ipt>alert(N)</scr</script>ipt>",
    "<SCRIPT SRC=//evil.example/N></SCRIPT>",
    "<template><script>alert(N)</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(N)>\">",
    "<textarea></textarea><script>alert(N)</script>",
    "]]><script>alert(N)</script>",
    "<plaintext>N",
];

#[test]
fn two_hundred_hostile_names_are_text_on_every_page() {
    let mut desk = Desk::open();
    let mut ids = Vec::new();
    for n in 0..200 {
        let payload = PAYLOADS[n % PAYLOADS.len()].replace('N', &n.to_string());
        ids.push((desk.party((&payload, &payload), 20_000 + n, true), payload));
    }
    let titled = json!({"name": "hostile", "title": PAYLOADS[0]});
    assert_eq!(desk.house.post_in(None, "/api/v1/tenants", &desk.owner, &titled).status, 201);
    let mut walked = 0;
    let mut next = "/console/relying-parties?limit=50".to_owned();
    let mut pages: Vec<String> = PAGES.iter().map(|path| (*path).to_owned()).collect();
    pages.extend(ids.iter().map(|(id, _)| format!("/console/relying-parties/{id}")));
    while !next.is_empty() {
        pages.push(next.clone());
        let list = desk.get(&next);
        assert_eq!(list.status, 200, "{next}");
        let link = list.text.split("<a href=\"").find(|rest| rest.contains(">Next page</a>"));
        let link =
            link.filter(|rest| rest.split('>').nth(1).is_some_and(|text| text.starts_with("Next page")));
        next = link.and_then(|rest| rest.split('"').next()).unwrap_or_default().replace("&#38;", "&");
        walked += 1;
    }
    assert!(walked >= 4, "200 services are four pages: {walked}");
    for path in &pages {
        let page = desk.get(path);
        assert_eq!(page.status, 200, "{path}");
        nothing_inline(&page.text, path, &desk.base);
        for (_, payload) in &ids {
            let is_markup = payload.contains(['<', '"', '\'']);
            assert!(!is_markup || !page.text.contains(payload.as_str()), "{payload} at {path}");
        }
        assert_eq!(page.header("content-security-policy"), POLICY, "{path}");
    }
}

/// Tries what is final, at things that are not there; what each page says.
fn final_acts(desk: &mut Desk) -> Vec<Page> {
    let token = desk.get("/console/passkeys").form_token();
    let acts = [
        ("enrolments/enr_00000000000000000000000000/revoke", ("reason", "lost_device")),
        ("passkeys/opk_00000000000000000000000000/remove", ("reason", "")),
        ("passkeys", ("label", "x")),
    ];
    let tried = acts.map(|(path, member)| {
        let url = desk.url(&format!("/console/{path}"));
        desk.browser.post(&url, &[("form_token", &token), member])
    });
    tried.into()
}

#[test]
fn what_is_final_asks_for_a_sign_in_of_the_last_five_minutes() {
    let mut desk = Desk::open();
    for page in final_acts(&mut desk) {
        assert!(page.status >= 400 && !page.text.contains("console/step-up"), "{}", page.text);
    }
    assert!(!desk.get("/console/passkeys").text.contains("a sign-in of the last five minutes"));
    // The same session, as if it had been opened six minutes before.
    let Desk { house, owner, browser, _home, .. } = desk;
    assert!(house.stop().0.success());
    let data = _home.path().join("dev");
    let database = rusqlite::Connection::open(data.join("tessera.db")).unwrap();
    let older = "UPDATE tenancy_operator_session SET expires_at_ms = expires_at_ms - 360000";
    assert!(database.execute(older, []).unwrap() >= 1);
    drop(database);
    let house = Served::start(_home.path(), &data);
    let base = house.base.clone();
    let mut desk = Desk { house, owner, browser, base, _home };
    for page in final_acts(&mut desk) {
        assert!(page.status == 403 && page.text.contains("console/step-up"), "{}", page.text);
    }
    let again = "<a href=\"/console/sign-in?return=%2Fconsole%2Fpasskeys\">sign in again</a>";
    assert!(desk.get("/console/passkeys").text.contains(again));
    // Nothing else asks.
    desk.act_in("default");
}

#[test]
fn a_test_sign_in_opens_the_page_that_people_meet() {
    let mut desk = Desk::open();
    let pushes = desk.party(("Bank", "Bank SA"), 4_201, true);
    let page = desk.get(&format!("/console/relying-parties/{pushes}")).text;
    assert!(page.contains("pushes its requests") && !page.contains("Test sign-in</button>"));
    let id = desk.party(("Shop", "Shop SA"), 4_200, false);
    let page = desk.get(&format!("/console/relying-parties/{id}")).text;
    let form = page
        .split("<form method=\"get\" action=\"")
        .nth(1)
        .and_then(|rest| rest.split("</form>").next())
        .unwrap();
    let query: Vec<String> = form
        .split("name=\"")
        .skip(1)
        .map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            let value = rest.split('"').next().unwrap();
            format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F"))
        })
        .collect();
    let mut url = format!("{}?{}", form.split('"').next().unwrap(), query.join("&"));
    for _ in 0..2 {
        let led = desk.browser.get(&url);
        assert_eq!(led.status, 303, "{}", led.text);
        url = led.header("location").to_owned();
    }
    let shown = desk.browser.get(&url);
    assert!(shown.status == 200 && shown.text.contains("Shop SA"), "{}", shown.text);
}

#[test]
fn the_consoles_files_are_small_are_kept_by_caches_and_make_no_markup() {
    let mut desk = Desk::open();
    let page = desk.get("/console").text;
    let addresses: Vec<&str> = page
        .split('"')
        .filter(|text| text.starts_with("/assets/") || text.starts_with("/console/assets/"))
        .collect();
    assert_eq!(addresses.len(), 3, "{addresses:?}");
    for address in addresses {
        let file = Browser::default().get(&desk.url(address));
        assert_eq!((file.status, file.header("cache-control")), (200, "public, max-age=31536000, immutable"));
        let most = if address.ends_with(".js") { 6_000 } else { 20_000 };
        assert!(file.text.len() <= most, "{address}: {}", file.text.len());
        for word in
            ["innerHTML", "insertAdjacent", "eval(", "document.write", "createPolicy", "http://", "https://"]
        {
            assert!(!file.text.contains(word), "{word} in {address}");
        }
    }
    let other = Browser::default().get(&desk.url("/console/assets/console-0000000000000000.js"));
    assert_eq!(other.status, 404);
}

#[test]
fn serve_says_where_the_console_is() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), Path::new(&home.path().join("dev")));
    let base = served.base.clone();
    let (status, told) = served.stop();
    assert!(status.success());
    assert!(told.contains(&format!("Console    {base}/console")), "{told}");
}
