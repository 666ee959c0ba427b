//! Bad input at every door of the running house: a 4xx with a stable code and, where there is one, the place; nothing is changed.
//!
//! The doors are those of the OpenAPI document that the house itself serves, with their forms: a new door cannot escape, and one that
//! takes something this file knows no bad form of fails it.

use crate::served::Served;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Longer than any door takes: the bound of a door that names its own.
const OVERSIZED: usize = (8 << 20) + 1;
/// Longer than a query may be.
const LONG_QUERY: usize = 5_000;
/// The door of tile tools, whose answers are plain text as they expect them.
const LOG: &str = "/log/{path}";
/// What stands for a parameter of a path: fits the pattern of no id.
const NOBODY: &str = "nobody";
/// Events that a read, or an honest token request, may leave in the log meanwhile.
const HONEST: [&str; 2] = ["details-read", "status-list-signed"];

/// A door, as the document describes it.
struct Door<'a> {
    method: String,
    path: &'a str,
    operation: &'a Value,
    document: &'a Value,
}

/// What is sent.
#[derive(Clone, Default)]
struct Sent {
    what: String,
    path: String,
    bearer: Option<String>,
    tenant: Option<&'static str>,
    media: Option<&'static str>,
    body: Option<String>,
    /// A length that the body does not have.
    length: Option<usize>,
}

/// What must come back.
struct Due {
    statuses: &'static [u16],
    code: Code,
    /// One of these places is named; none for no matter.
    pointers: Vec<String>,
}

/// The stable name of a refusal.
#[derive(Clone, Copy)]
enum Code {
    /// Of our own, this one.
    Is(&'static str),
    /// Of our own or of OAuth, whichever.
    Any,
    /// None: the peer's tools expect plain text, or a person a page.
    Plain,
}

const REFUSED: &[u16] = &[400, 401, 403, 404, 405, 409, 410, 413, 415, 422];

impl Due {
    fn of(statuses: &'static [u16], code: &'static str) -> Self {
        Self { statuses, code: Code::Is(code), pointers: Vec::new() }
    }

    fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointers: vec![pointer.into()], ..self }
    }

    fn any_of(statuses: &'static [u16]) -> Self {
        Self { statuses, code: Code::Any, pointers: Vec::new() }
    }

    fn any() -> Self {
        Self::any_of(REFUSED)
    }

    fn plain(statuses: &'static [u16]) -> Self {
        Self { statuses, code: Code::Plain, pointers: Vec::new() }
    }
}

/// The running house and who speaks to it.
struct Trial {
    served: Served,
    session: String,
    member: String,
    faults: Vec<String>,
    sent: usize,
    /// Requests that were refused unread, because there were too many.
    limited: usize,
}

impl Door<'_> {
    fn is_ours(&self) -> bool {
        self.path.starts_with("/api/v1/")
    }

    /// Whether a browser may ask for it as a page.
    fn is_page(&self) -> bool {
        self.path.starts_with("/t/{tenant}/idp/")
    }

    fn needs_role(&self) -> bool {
        self.is_ours() && self.operation["security"][0].get("bearer").is_some()
    }

    fn acts_in_system(&self) -> bool {
        ["/api/v1/tenants", "/api/v1/session"].iter().any(|start| self.path.starts_with(start))
    }

    /// The path with `value` for every parameter but the tenant.
    fn path_with(&self, value: &str) -> String {
        let parts = self.path.split('/').map(|part| match part {
            "{tenant}" => "default",
            part if part.starts_with('{') => value,
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn bodies(&self) -> Vec<(&str, &Value)> {
        let content = self.operation["requestBody"]["content"].as_object();
        content.map_or(Vec::new(), |content| content.iter().map(|(m, of)| (m.as_str(), of)).collect())
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#')) {
            Some(pointer) => self.resolved(self.document.pointer(pointer).unwrap()),
            None => schema,
        }
    }

    /// The JSON types that a member takes; empty for any.
    fn types(&self, schema: &Value) -> Vec<String> {
        let schema = self.resolved(schema);
        let mut all: Vec<String> = match &schema["type"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(some) => some.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        for word in ["anyOf", "oneOf"] {
            let forms = schema[word].as_array().map_or(&[][..], Vec::as_slice);
            for form in forms {
                let found = self.types(form);
                if found.is_empty() && form.get("const").is_none() && form.get("enum").is_none() {
                    return Vec::new();
                }
                all.extend(found);
            }
        }
        all
    }

    fn queries(&self) -> Vec<&Value> {
        let all = self.operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter().filter(|parameter| parameter["in"] == "query").collect()
    }
}

#[test]
fn bad_input_of_every_kind_at_every_door_is_a_4xx_with_its_code_and_place_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut trial = Trial::start(home.path(), &data);
    let document = trial.served.public("/openapi.json").json;
    let mut doors = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            doors.push(Door { method: method.to_uppercase(), path, operation, document: &document });
        }
    }
    let before = trial.state(&doors);
    let size = trial.log_size();
    for door in &doors {
        trial.strangers(door);
        trial.paths(door);
        trial.query(door);
        for (media, content) in door.bodies() {
            match media {
                "application/json" => trial.json_body(door, content),
                "application/x-www-form-urlencoded" => trial.form_body(door),
                "application/pem-certificate-chain" => {
                    trial.other_body(door, "application/pem-certificate-chain")
                }
                other => trial.faults.push(format!("{}: no bad form of {other} is known here", door.path)),
            }
        }
    }
    assert!(doors.len() > 60 && trial.sent > 11 * doors.len(), "{} doors, {} sent", doors.len(), trial.sent);
    assert!(trial.limited * 10 < trial.sent, "{} of {} were not read", trial.limited, trial.sent);
    assert!(
        trial.faults.is_empty(),
        "{} of {}:\n{}",
        trial.faults.len(),
        trial.sent,
        trial.faults.join("\n")
    );
    let after = trial.state(&doors);
    for (path, listed) in before {
        assert_eq!(after[&path], listed, "{path} was changed by a request that was refused");
    }
    trial.only_refusals_since(size);
}

impl Trial {
    fn start(home: &std::path::Path, data: &std::path::Path) -> Self {
        let mut served = Served::start(home, data);
        let session = served.session(data);
        let client = std::fs::read_to_string(data.join("dev-client")).unwrap();
        let (id, secret) = client.trim().split_once(' ').unwrap();
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let token = served.form("/oauth/token", &form);
        let member = token.json["access_token"].as_str().unwrap().to_owned();
        let other = served.post_in(None, "/api/v1/tenants", &session, &json!({ "name": "other" }));
        assert_eq!(other.status, 201, "{}", other.text);
        Self { served, session, member, faults: Vec::new(), sent: 0, limited: 0 }
    }

    /// Every list of the API but the log's own.
    fn state(&self, doors: &[Door<'_>]) -> Map<String, Value> {
        let lists = doors.iter().filter(|door| {
            let plain = door.method == "GET" && door.is_ours() && !door.path.contains('{');
            plain && !door.path.starts_with("/api/v1/ledger/events") && !door.path.contains("consistency")
        });
        let mut state = Map::new();
        for door in lists {
            let tenant = (!door.acts_in_system()).then_some("default");
            let answer = self.served.get_in(tenant, door.path, &self.session);
            let moving = door.path.ends_with("/ledger/status") || door.path.ends_with("/ledger/checkpoints");
            if answer.status == 200 && !moving {
                state.insert(door.path.to_owned(), answer.json["items"].clone());
            }
        }
        assert!(state.len() >= 8, "{:?}", state.keys());
        state
    }

    fn log_size(&self) -> u64 {
        self.events(0).last().map_or(0, |event| event["index"].as_u64().unwrap_or(0))
    }

    fn events(&self, after: u64) -> Vec<Value> {
        let (mut all, mut at) = (Vec::new(), after);
        loop {
            let path = format!("/api/v1/ledger/events?limit=200&after={at}");
            let page = self.served.get_in(Some("default"), &path, &self.session);
            let items = page.json["items"].as_array().unwrap_or_else(|| panic!("{}", page.text)).clone();
            all.extend(items);
            match page.json["next"].as_str() {
                Some(next) => at = next.parse().unwrap(),
                None => return all,
            }
        }
    }

    fn only_refusals_since(&self, size: u64) {
        let done: Vec<_> = self
            .events(size)
            .into_iter()
            .filter(|event| {
                event["outcome"] != "refused" && !HONEST.contains(&event["type"].as_str().unwrap())
            })
            .map(|event| event["type"].clone())
            .collect();
        assert!(done.is_empty(), "{done:?}");
    }

    /// Nobody, somebody else, and whoever belongs to another tenant.
    fn strangers(&mut self, door: &Door<'_>) {
        if !door.needs_role() {
            return;
        }
        let path = door.path_with(NOBODY);
        // The last character carries two bits of the signature, so it is one of A, Q, g and w.
        let (signed, last) = self.member.split_at(self.member.len() - 1);
        let forged = format!("{signed}{}", if last == "A" { "Q" } else { "A" });
        let ended = "tls_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
        for (what, bearer) in
            [("no token", None), ("a forged token", Some(forged)), ("no session", Some(ended))]
        {
            let sent = Sent { what: what.to_owned(), path: path.clone(), bearer, ..Sent::default() };
            self.send(door, sent, &Due::of(&[401], "api/unauthenticated"));
        }
        let member = Some(self.member.clone());
        let sent = Sent {
            what: "the wrong tenant".to_owned(),
            path,
            bearer: member,
            tenant: Some("other"),
            ..Sent::default()
        };
        self.send(door, sent, &Due::of(&[404], "api/not-found"));
    }

    /// Parameters of a path that are nobody's, or no text at all.
    fn paths(&mut self, door: &Door<'_>) {
        let long = "a".repeat(500);
        let is_named = door.path.replace("{tenant}", "").contains('{') && door.path != LOG;
        let values = [NOBODY, "%00", "%ff%fe", "..%2f..", "%27%3B--", "crd_", long.as_str()];
        for value in values.iter().filter(|_| is_named) {
            let mut sent = self.allowed(door, &format!("the parameter {value:.20}"), door.path_with(value));
            if let Some((media, _)) = door.bodies().first() {
                sent.media =
                    Some(if *media == "application/json" { "application/json" } else { "text/plain" });
                sent.body = Some("{}".to_owned());
            }
            self.send(door, sent, &Due::any());
        }
        if door.path.contains("{tenant}") {
            for name in ["system", "DEFAULT", "%2e%2e", "no-such-tenant"] {
                let path = door.path.replace("{tenant}", name);
                let path = path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part });
                let sent = Sent {
                    what: format!("the tenant {name}"),
                    path: path.collect::<Vec<_>>().join("/"),
                    ..Sent::default()
                };
                self.send(door, sent, &Due::any());
            }
        }
        let paths = [
            "t/default/tile/0/x",
            "t/default/checkpoint/x",
            "../../etc/passwd",
            "t/nobody/checkpoint",
            "%00",
        ];
        for path in paths.into_iter().filter(|_| door.path == LOG) {
            let sent =
                Sent { what: format!("the path {path}"), path: format!("/log/{path}"), ..Sent::default() };
            self.send(door, sent, &Due::plain(&[400, 404]));
        }
    }

    /// Queries that the door does not know, cannot read, or will not.
    fn query(&mut self, door: &Door<'_>) {
        let parameters = door.queries();
        let Some(first) = parameters.first().and_then(|parameter| parameter["name"].as_str()) else { return };
        let base = door.path_with(NOBODY);
        let long = format!("{first}={}", "a".repeat(LONG_QUERY));
        let mut bad = vec![
            ("nobody_knows=1".to_owned(), Some("?nobody_knows".to_owned())),
            (format!("{first}=1&{first}=2"), None),
            (format!("{first}=%zz"), None),
            (long, None),
        ];
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap();
            if door.types(&parameter["schema"]) == ["integer"] {
                bad.extend(
                    ["x", "-1", "99999999999999999999"]
                        .map(|value| (format!("{name}={value}"), Some(format!("?{name}")))),
                );
            }
        }
        for (query, pointer) in bad {
            let sent = self.allowed(door, &format!("the query {query:.30}"), format!("{base}?{query}"));
            let due = Due { pointers: pointer.into_iter().collect(), ..Due::of(&[422], "api/invalid-query") };
            self.send(door, sent, &due);
        }
    }

    /// Bodies that are no JSON, too much of it, or of another form.
    fn json_body(&mut self, door: &Door<'_>, content: &Value) {
        let base = self.allowed(door, "", door.path_with(NOBODY));
        let of = |what: &str, body: &str| Sent {
            what: what.to_owned(),
            media: Some("application/json"),
            body: Some(body.to_owned()),
            ..base.clone()
        };
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        if !door.is_ours() {
            // A door of a standard words its refusals as the standard does, and ignores members that it does not know.
            for (what, body) in [
                ("half a body", "{"),
                ("a list", "[]"),
                ("a deep body", &deep),
                ("a member twice", r#"{"a":1,"a":2}"#),
            ] {
                self.send(door, of(what, body), &Due::any());
            }
            self.send(door, Sent { length: Some(OVERSIZED), ..of("an oversized body", "{") }, &Due::any());
            self.send(door, Sent { media: Some("text/plain"), ..of("another type", "{}") }, &Due::any());
            return;
        }
        self.send(door, of("half a body", "{"), &Due::of(&[400], "api/malformed"));
        self.send(door, of("two bodies", "{}{}"), &Due::of(&[400], "api/malformed"));
        self.send(door, of("no text", "{\"a\":\"\\ud800\"}"), &Due::of(&[400], "api/malformed"));
        self.send(
            door,
            of("a member twice", r#"{"a":1,"a":2}"#),
            &Due::of(&[400], "api/duplicate-member").at("/a"),
        );
        self.send(door, of("a deep body", &deep), &Due::of(&[400], "api/too-deep"));
        self.send(door, of("a list", "[]"), &Due::of(&[422], "api/invalid"));
        self.send(
            door,
            of("an unknown member", r#"{"nobody_knows":1}"#),
            // A change is laid over what stands, so what does not stand is told first.
            &if door.method == "PATCH" {
                Due::any()
            } else {
                Due::of(&[422], "api/invalid").at("/nobody_knows")
            },
        );
        let oversized = Sent { length: Some(OVERSIZED), ..of("an oversized body", "{") };
        self.send(door, oversized, &Due::of(&[413], "api/body-too-large"));
        for media in ["text/plain", "application/json; charset=latin1"] {
            let other = Sent { media: Some(media), ..of("another type", "{}") };
            self.send(door, other, &Due::of(&[415], "api/unsupported-media-type"));
        }
        let form = door.resolved(&content["schema"]);
        for (name, member) in form["properties"].as_object().into_iter().flatten() {
            let types = door.types(member);
            let wrong = [
                ("string", json!("x")),
                ("integer", json!(7)),
                ("array", json!([])),
                ("object", json!({})),
                ("boolean", json!(true)),
            ];
            let takes = |kind: &str| types.iter().any(|it| it == kind || it == "number" && kind == "integer");
            if let Some((kind, value)) = wrong.into_iter().find(|(kind, _)| !types.is_empty() && !takes(kind))
            {
                let sent = of(&format!("{name} as {kind}"), &json!({ name.as_str(): value }).to_string());
                // Where the member is read in a second step, the first one misses what else is required.
                let required = form["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let pointers = required.chain([name.as_str()]).map(|name| format!("/{name}")).collect();
                self.send(door, sent, &Due { pointers, ..Due::of(&[422], "api/invalid") });
            }
        }
    }

    /// Forms that cannot be read, come twice, or say nothing.
    fn form_body(&mut self, door: &Door<'_>) {
        let base = self.allowed(door, "", door.path_with(NOBODY));
        let media = Some("application/x-www-form-urlencoded");
        let of = |what: &str, body: &str| Sent {
            what: what.to_owned(),
            media,
            body: Some(body.to_owned()),
            ..base.clone()
        };
        let large = format!("a={}", "x".repeat(600_000));
        for (what, body) in [
            ("an empty form", ""),
            ("a member twice", "grant_type=a&grant_type=b"),
            ("a broken escape", "grant_type=%zz"),
            ("no text", "grant_type=%ff%fe"),
            ("an unknown grant", "grant_type=nothing"),
            ("a large form", &large),
        ] {
            self.send(door, of(what, body), &Due::any());
        }
        self.send(
            door,
            Sent { length: Some(OVERSIZED), ..of("an oversized form", "a=1") },
            &Due::any_of(&[413]),
        );
        self.send(
            door,
            Sent { media: Some("application/json"), ..of("another type", "{}") },
            // A browser without the session's cookie is not told what it sent.
            &if door.is_page() { Due::any() } else { Due::any_of(&[415]) },
        );
    }

    fn other_body(&mut self, door: &Door<'_>, media: &'static str) {
        let base = self.allowed(door, "", door.path_with(NOBODY));
        let of = |what: &str, body: &str| Sent {
            what: what.to_owned(),
            media: Some(media),
            body: Some(body.to_owned()),
            ..base.clone()
        };
        self.send(door, of("no certificate", "nothing"), &Due::any());
        self.send(door, Sent { length: Some(OVERSIZED), ..of("an oversized body", "-") }, &Due::any());
        self.send(
            door,
            Sent { media: Some("application/json"), ..of("another type", "{}") },
            &Due::any_of(&[404, 415]),
        );
    }

    /// As somebody who may use the door, so that what is refused is the input.
    fn allowed(&self, door: &Door<'_>, what: &str, path: String) -> Sent {
        let bearer = door.needs_role().then(|| self.session.clone());
        let tenant = (door.needs_role() && !door.acts_in_system()).then_some("default");
        Sent { what: what.to_owned(), path, bearer, tenant, ..Sent::default() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "each is made for one call, and reads better in place")]
    fn send(&mut self, door: &Door<'_>, sent: Sent, due: &Due) {
        self.sent += 1;
        let (status, text) = exchange(&self.served.base, &door.method, &sent);
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default();
        let pointers: Vec<&str> =
            body["errors"].as_array().into_iter().flatten().filter_map(|it| it["pointer"].as_str()).collect();
        let is_due = |at: &&str| due.pointers.iter().any(|due| at.starts_with(due.as_str()));
        let placed = due.pointers.is_empty() || pointers.iter().any(is_due);
        let coded = match due.code {
            Code::Is(due) => code == due,
            Code::Any => !code.is_empty() || door.is_page() && text.starts_with("<!doctype html>"),
            Code::Plain => true,
        };
        // Doors where somebody could guess take a few requests a minute of one address: the rest is refused unread, by this code.
        let guessable =
            door.is_page() || door.path == "/relay/v1/join" || door.path == "/relay/v1/challenges";
        if status == 429 && code == "api/rate-limited" && guessable {
            self.limited += 1;
            return;
        }
        if !(due.statuses.contains(&status) && coded && placed) {
            self.faults
                .push(format!("{} {} with {}: {status} {text:.200}", door.method, door.path, sent.what));
        }
    }
}

/// One exchange, byte by byte: a length may be told that never comes.
fn exchange(base: &str, method: &str, sent: &Sent) -> (u16, String) {
    let host = base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    stream.set_read_timeout(Some(crate::served::WITHIN)).unwrap();
    let body = sent.body.clone().unwrap_or_default();
    let mut head = format!("{method} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", sent.path);
    let mut header = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    sent.bearer.iter().for_each(|bearer| header("authorization", &format!("Bearer {bearer}")));
    sent.tenant.iter().for_each(|tenant| header("tessera-tenant", tenant));
    sent.media.iter().for_each(|media| header("content-type", media));
    header("content-length", &sent.length.unwrap_or(body.len()).to_string());
    // An answer may come before the whole body went: what was not taken is no fault of the answer.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}
