//! The fixture seen from the street: all doors of a house, two tenants, and callers with and without tokens.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use crypto::base64;
use custody::{Custody, Settings};
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Ctx, Entropy, EventId, LogId, Store};
use tempfile::TempDir;
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Prepare, Role, Roles, Tenancy, Tenant};
use tessera_audit::Audit;
use tower::ServiceExt;

use crate::house::{NOW_S, config, event, open_store};

const PUBLIC_URL: &str = "http://localhost:8400";

pub struct Street {
    pub store: Store,
    pub audit: Audit,
    pub edge: Edge,
    pub a: Tenant,
    pub b: Tenant,
    pub dir: TempDir,
    pub hand: Hand,
    router: Router,
    tenancy: Tenancy,
    rooms: Arc<Mutex<Option<(Audit, Custody)>>>,
}

/// What the rooms make for a new tenant. They hold tenancy, which holds this: it is emptied when the house closes.
struct Rooms(Arc<Mutex<Option<(Audit, Custody)>>>);

impl Prepare for Rooms {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let rooms = self.0.lock().unwrap().clone();
        Box::pin(async move {
            let (audit, custody) = rooms.unwrap();
            audit.prepare(ctx, tenant).await?;
            custody.prepare(ctx, tenant).await
        })
    }
}

pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Street {
    pub async fn new() -> Street {
        Street::open(tempfile::tempdir().unwrap()).await
    }

    async fn open(dir: TempDir) -> Street {
        let store = open_store(dir.path());
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("house.example"));
        let (clock, hand) = Clock::standing(Timestamp::from_second(NOW_S).unwrap());
        let edge_config = edge::Config::new(PUBLIC_URL.parse().unwrap(), true);
        let edge = Edge::new(edge_config, store.clone(), tenancy.clone(), clock, Entropy::Os).unwrap();
        let settings = Settings::new(PUBLIC_URL, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let audit =
            Audit::open(store.clone(), custody.clone(), config(dir.path()), &edge.tick()).await.unwrap();
        custody.provision_system(&edge.tick()).await.unwrap();
        let rooms = Arc::new(Mutex::new(Some((audit.clone(), custody.clone()))));
        tenancy.on_new_tenant(Arc::new(Rooms(rooms.clone())));
        let (a, b) = (tenant(&tenancy, &edge, "aaa").await, tenant(&tenancy, &edge, "bbb").await);
        let router = edge.router(custody::http::doors(&custody).and(audit.doors()));
        audit.settle(&edge.tick()).await;
        Street { store, audit, edge, a, b, dir, hand, router, tenancy, rooms }
    }

    /// Ends the process, lets somebody at the database, starts again.
    pub async fn edited(self, edit: impl FnOnce(&rusqlite::Connection)) -> Street {
        let dir = self.closed();
        let conn = rusqlite::Connection::open(dir.path().join("data/tessera.db")).unwrap();
        conn.execute_batch("DROP TRIGGER audit_entry_update; DROP TRIGGER audit_entry_delete").unwrap();
        edit(&conn);
        drop(conn);
        Street::open(dir).await
    }

    /// Lets go of everything but the files.
    fn closed(self) -> TempDir {
        *self.rooms.lock().unwrap() = None;
        self.dir
    }

    pub fn ctx(&self, tenant: &Tenant) -> Ctx {
        self.edge.tick().for_tenant(tenant.id.clone())
    }

    pub fn log(&self, tenant: &Tenant) -> LogId {
        LogId::of(&tenant.id)
    }

    pub fn advance(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    pub async fn settle(&self) {
        assert!(self.audit.settle(&self.edge.tick()).await);
    }

    /// Writes events with details into a tenant's log.
    pub async fn append(&self, tenant: &Tenant, count: usize) -> EventId {
        let mut last = None;
        for _ in 0..count {
            last = Some(self.store.record(&self.ctx(tenant), event()).await.unwrap().event_id);
        }
        last.unwrap()
    }

    /// Names of the events of a tenant's log, also those that wait.
    pub async fn events(&self, tenant: &Tenant) -> Vec<String> {
        let query = store::DetailQuery::default();
        let details = self.store.details(&self.ctx(tenant), &self.log(tenant), &query, 500).await.unwrap();
        details.into_iter().map(|detail| detail.event_type).collect()
    }

    pub async fn count(&self, tenant: &Tenant, name: &str) -> usize {
        self.events(tenant).await.iter().filter(|event| *event == name).count()
    }

    /// An access token of a new account with these roles.
    pub async fn bearer(&self, tenant: &Tenant, roles: &[Role]) -> String {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(roles), ttl_s: None, jwk: None };
        let owner = Roles::of(&[Role::Owner]);
        let made = self.tenancy.create_account(&self.ctx(tenant), owner, new, None).await.unwrap();
        let secret = made.secret.unwrap();
        let basic = base64::std_encode(format!("{}:{}", made.account.id, secret.expose()).as_bytes());
        let request = Request::post("/oauth/token")
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answered = self.send(request.body(Body::from("grant_type=client_credentials")).unwrap()).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// A new log token for the tenant's log: its id and the token.
    pub async fn log_token(&self, tenant: &Tenant, ttl_s: u64) -> (String, String) {
        let admin = self.bearer(tenant, &[Role::Admin]).await;
        let body = json!({"name": "Auditor", "ttl_s": ttl_s});
        let made = self.call("POST", "/api/v1/ledger/tokens", &admin, Some(body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let text = |name: &str| made.json()[name].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    }

    pub async fn get(&self, path: &str, bearer: &str) -> Answered {
        self.call("GET", path, bearer, None).await
    }

    pub async fn call(&self, method: &str, path: &str, bearer: &str, body: Option<Value>) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        if !bearer.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert(header::HOST, "localhost:8400".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        assert!(parts.status != StatusCode::INTERNAL_SERVER_ERROR, "{}", String::from_utf8_lossy(&body));
        assert_eq!(self.edge.undeclared_problems(), []);
        Answered { status: parts.status, headers: parts.headers, body }
    }
}

/// The tenant of this name, made unless it is there.
async fn tenant(tenancy: &Tenancy, edge: &Edge, name: &str) -> Tenant {
    if let Some(tenant) = tenancy.tenant_named(&edge.tick(), name).await.unwrap() {
        return tenant;
    }
    let new = NewTenant { name: name.to_owned(), title: None };
    tenancy.create_tenant(&edge.tick(), new, None).await.unwrap().0
}
