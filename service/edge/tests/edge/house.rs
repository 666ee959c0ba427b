//! A house for one test: ephemeral store, standing clock, seeded entropy, an owner's session, and a few doors to try.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use crypto::jose::jws;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use edge::clock::Hand;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages;
use edge::{Answer, Call, Clock, Config, Door, Doors, Edge, Form, Permission, Problem, Query, Role, Who};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use openid::oauth::jwks::PublishedKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Actor, Ctx, Entropy, LogId, Refused, Store, TenantId, Unit};
use tenancy::Tenancy;
use tenancy::tenant::NewTenant;
use tlog::entry::Entry;
use tlog::event::Event;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Where every test's house lives.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8400";

pub(crate) struct House {
    pub(crate) edge: Edge,
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) hand: Hand,
    pub(crate) key: PrivateKey,
    /// An owner of the system tenant.
    pub(crate) owner: String,
    /// What the slow door waits for.
    pub(crate) go: Arc<Semaphore>,
}

#[derive(Clone)]
pub(crate) struct Try {
    pub(crate) go: Arc<Semaphore>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) count: Option<u8>,
    pub(crate) inner: Option<Box<Note>>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// How many.
    pub(crate) limit: Option<u32>,
    /// Which state.
    pub(crate) state: Option<Role>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoteError {
    Repeated,
}

impl Refused for NoteError {
    fn event(&self) -> Event {
        Event::RequestRefused {
            status: 409,
            operation: "keepNote".into(),
            code: "api/idempotency-busy".into(),
        }
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let store = Store::ephemeral(&[tenancy::MIGRATIONS, edge::MIGRATIONS]).unwrap();
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("localhost"));
        let (clock, hand) = Clock::standing("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap());
        let mut config = Config::new(PUBLIC_URL.parse().unwrap(), true);
        change(&mut config);
        let edge = Edge::new(config, store.clone(), tenancy, clock, Entropy::seeded(7)).unwrap();
        let key = PrivateKey::generate(KeyAlg::P256);
        edge.tokens().own().replace(&[PublishedKey::signing(&key.public(), SignAlg::Es256)]);
        let go = Arc::new(Semaphore::new(0));
        let router = edge.router(doors().with(Try { go: go.clone() }));
        let mut house = Self { edge, router, store, hand, key, owner: String::new(), go };
        house.owner = house.session(TenantId::SYSTEM, Role::Owner).await;
        house
    }

    pub(crate) fn ctx(&self, tenant: TenantId) -> Ctx {
        Ctx::new(tenant, Actor::system(), self.edge.clock().now(), self.edge.entropy().clone())
    }

    /// A link for a new operator.
    pub(crate) async fn link(&self, tenant: TenantId, role: Role) -> String {
        let (_, link, _) = self.edge.tenancy().invite(&self.ctx(tenant), "Ana", role, None).await.unwrap();
        link.token.expose().clone()
    }

    /// A new operator's bearer text.
    pub(crate) async fn session(&self, tenant: TenantId, role: Role) -> String {
        let token = self.link(tenant.clone(), role).await;
        let session = self.edge.tenancy().spend_link(&self.ctx(tenant), &token).await.unwrap();
        session.token.expose().clone()
    }

    pub(crate) async fn tenant(&self, name: &str) -> TenantId {
        let new = NewTenant { name: name.to_owned(), title: None };
        let ctx = self.ctx(TenantId::SYSTEM);
        self.edge.tenancy().create_tenant(&ctx, new, None).await.unwrap().0.id
    }

    /// A service account of the tenant, by the API: its id and secret.
    pub(crate) async fn account(&self, tenant: &str, roles: &[&str]) -> (String, String) {
        let body = json!({"name": "a program", "roles": roles});
        let headers = [("tessera-tenant", tenant)];
        let made = self
            .send("POST", "/api/v1/service-accounts", &self.owner, &headers, Some(&body.to_string()))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        let value = made.json();
        (value["id"].as_str().unwrap().to_owned(), value["secret"].as_str().unwrap().to_owned())
    }

    /// Claims of a good token of ours, to be changed by a test.
    pub(crate) fn claims(&self, tenant: &TenantId, account: &str, roles: &[&str]) -> Value {
        let now = self.edge.clock().now().as_second();
        json!({
            "iss": PUBLIC_URL, "aud": format!("{PUBLIC_URL}/api/v1"), "sub": account, "client_id": account,
            "tenant": tenant.as_str(), "roles": roles, "iat": now, "exp": now + 900, "jti": "t1"
        })
    }

    pub(crate) fn kid(&self) -> String {
        PublishedKey::signing(&self.key.public(), SignAlg::Es256).kid()
    }

    /// A token of ours, as custody would sign it.
    pub(crate) fn token(&self, claims: &Value) -> String {
        sign(&self.key, SignAlg::Es256, &json!({"typ": "at+jwt", "kid": self.kid(), "alg": "ES256"}), claims)
    }

    pub(crate) async fn get(&self, path: &str, bearer: &str) -> Reply {
        self.send("GET", path, bearer, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: &str, body: &Value) -> Reply {
        self.send("POST", path, bearer, &[], Some(&body.to_string())).await
    }

    /// Sends a request with a JSON content type where there is a body and none is named.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        self.raw(method, path, bearer, headers, body.map(|body| body.as_bytes().to_vec())).await
    }

    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, "localhost:8400");
        }
        if !bearer.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// Types of the events that wait in the tenant's log, in order.
    pub(crate) async fn events(&self, tenant: &TenantId) -> Vec<String> {
        let ctx = self.ctx(tenant.clone());
        let waiting = self.store.take_pending(&ctx, &LogId::of(tenant), 512).await.unwrap();
        waiting.iter().map(|entry| Entry::decode(&entry.leaf).unwrap().kind).collect()
    }

    /// How many of each type wait in the house log.
    pub(crate) async fn counts(&self) -> BTreeMap<String, usize> {
        self.events(&TenantId::SYSTEM).await.into_iter().fold(BTreeMap::new(), |mut counts, kind| {
            *counts.entry(kind).or_default() += 1;
            counts
        })
    }
}

/// Signs a compact JWS with exactly this header.
pub(crate) fn sign(key: &PrivateKey, alg: SignAlg, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| crypto::base64::url_encode(value.to_string().as_bytes());
    let input = format!("{}.{}", part(header), part(claims));
    jws::assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

fn doors() -> Doors<Try> {
    let own = Who::Role(Permission::Own);
    Doors::new()
        .door(
            Door::post("/api/v1/try/notes")
                .operation("echoNote")
                .summary("Echoes")
                .who(own)
                .body::<Note>(4_096)
                .answer::<Note>(200, "The note"),
            async |edge::Body(note): edge::Body<Note>| Answer::ok(note),
        )
        .door(
            Door::post("/api/v1/try/kept")
                .operation("keepNote")
                .summary("Writes an event once per key")
                .who(own)
                .body::<Note>(4_096)
                .answer::<Note>(201, "The note")
                .idempotent(),
            keep,
        )
        .door(
            Door::post("/api/v1/try/slow")
                .operation("slowNote")
                .summary("Waits to be let go")
                .who(own)
                .body::<Note>(4_096)
                .answer::<Note>(201, "The note")
                .idempotent(),
            slow,
        )
        .door(
            Door::get("/api/v1/try/search")
                .operation("searchNotes")
                .summary("Reads a query")
                .who(Who::Public)
                .query::<Search>()
                .answer::<u32>(200, "The limit"),
            async |Query(search): Query<Search>| {
                Answer::ok(search.limit.unwrap_or(50) + u32::from(search.state.is_some()))
            },
        )
        .door(
            Door::post("/oauth/try")
                .operation("tryForm")
                .summary("Reads a form")
                .who(Who::Public)
                .form::<Note>(SMALL_BODY_BYTES_MAX)
                .answer::<u32>(200, "Nothing")
                .oauth(),
            async |Form(form): Form| Answer::ok(form.names().count()),
        )
        .door(
            Door::get("/t/{tenant}/hello")
                .operation("helloTenant")
                .summary("Says whose door this is")
                .who(Who::Tenant)
                .answer::<String>(200, "The id")
                .cors(),
            async |call: Call| Answer::ok(format!("{} {}", call.tenant_name(), call.ctx.tenant)),
        )
        .door(
            Door::get("/log/{*path}")
                .operation("readLog")
                .summary("Says who reads")
                .who(Who::LogReader)
                .answer::<String>(200, "Who"),
            async |call: Call| {
                let bearer = call.bearer.as_ref().map_or("", |bearer| bearer.expose());
                Answer::ok(format!("{}|{bearer}", call.principal.map_or_else(String::new, |p| p.id)))
            },
        )
}

async fn keep(
    State(_): State<Try>,
    call: Call,
    edge::Body(note): edge::Body<Note>,
) -> Result<Answer<Note>, Problem> {
    if note.text == "refuse" {
        return Err(Problem::of(&pages::NOT_FOUND));
    }
    let event = Event::DetailsRead { count: 1, operation: "keepNote".into() };
    let mut unit = Unit::new(event);
    if let Some(mark) = &call.mark {
        unit = unit.guard(mark.close(), NoteError::Repeated);
    }
    match call.edge().store().commit(&call.ctx, unit).await {
        Ok(committed) => Ok(Answer::created(note).event(&committed)),
        Err(store::CommitError::Lost(NoteError::Repeated)) => {
            Err(Problem::of(&pages::IDEMPOTENCY_BUSY).recorded())
        }
        Err(store::CommitError::Fault(fault)) => Err(fault.into()),
    }
}

async fn slow(State(state): State<Try>, call: Call, body: edge::Body<Note>) -> Result<Answer<Note>, Problem> {
    state.go.acquire().await.unwrap().forget();
    keep(State(state), call, body).await
}
