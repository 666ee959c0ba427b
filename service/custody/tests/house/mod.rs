//! A house for one test: a real database, a standing clock, two tenants, the doors.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use crypto::base64;
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use store::{Actor, Ctx, DetailQuery, Entropy, LogId, LogSpec, Migrations, Store, TenantId};
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Role, Roles, Tenancy, Tenant};
use tessera_custody::{self as custody, Config, Custody, Settings};
use tower::ServiceExt;

/// The moment at which every test begins.
pub const NOW: &str = "2026-11-20T12:00:00Z";
/// Where the house answers.
pub const PUBLIC_URL: &str = "http://localhost:8400";

/// The rooms whose tables the house has.
pub const ROOMS: [Migrations; 3] = [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS];

pub struct House {
    pub store: Store,
    pub tenancy: Tenancy,
    pub edge: Edge,
    pub custody: Custody,
    pub router: Router,
    pub tenant: Tenant,
    pub other: Tenant,
    pub hand: Hand,
    clock: Clock,
    entropy: Entropy,
}

/// Opens the log of a new tenant, as the ledger does in a whole house.
struct Logs(Store);

impl tenancy::Prepare for Logs {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let made = async move { self.0.create_log(ctx, &LogSpec::of("ledger.test", &tenant.id)).await };
        Box::pin(async move { made.await.map_err(|fault| fault.to_string()) })
    }
}

/// A service account with its secret.
pub struct Account {
    pub id: String,
    pub secret: String,
}

/// An answer of a door.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl House {
    pub async fn new() -> House {
        House::with(Config::default(), true).await
    }

    pub async fn with(config: Config, is_dev: bool) -> House {
        House::on(Store::ephemeral(&ROOMS).unwrap(), config, is_dev).await
    }

    /// A house on a store of its own.
    pub async fn on(store: Store, config: Config, is_dev: bool) -> House {
        House::set(store, Settings::new(PUBLIC_URL, is_dev, config)).await
    }

    /// A house with these settings.
    pub async fn set(store: Store, settings: Settings) -> House {
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(NOW.parse().unwrap());
        let entropy = Entropy::seeded(7);
        let edge_config = edge::Config::new(PUBLIC_URL.parse().unwrap(), true);
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy.clone());
        custody.provision_system(&system).await.unwrap();
        let tenant = |name: &str| NewTenant { name: name.to_owned(), title: None };
        let (mine, _) = tenancy.create_tenant(&system, tenant("default"), None).await.unwrap();
        let (other, _) = tenancy.create_tenant(&system, tenant("other"), None).await.unwrap();
        let router = edge.router(custody::http::doors(&custody));
        House { store, tenancy, edge, custody, router, tenant: mine, other, hand, clock, entropy }
    }

    /// The instance itself.
    pub fn system(&self) -> Ctx {
        Ctx::new(TenantId::SYSTEM, Actor::system(), self.clock.now(), self.entropy.clone())
    }

    /// Somebody inside the tenant `default`.
    pub fn ctx(&self) -> Ctx {
        self.inside(&self.tenant)
    }

    pub fn inside(&self, tenant: &Tenant) -> Ctx {
        Ctx::new(tenant.id.clone(), Actor::service("svc_test"), self.clock.now(), self.entropy.clone())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    pub async fn account(&self, tenant: &Tenant, roles: &[Role]) -> Account {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(roles), ttl_s: None, jwk: None };
        let ctx = self.inside(tenant);
        let made = self.tenancy.create_account(&ctx, Roles::of(&[Role::Owner]), new, None).await.unwrap();
        Account { id: made.account.id.clone(), secret: made.secret.unwrap().expose().clone() }
    }

    /// A bearer token of a new account with these roles.
    pub async fn token(&self, tenant: &Tenant, roles: &[Role]) -> String {
        let account = self.account(tenant, roles).await;
        let answered = self.token_request(&account, "grant_type=client_credentials").await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn token_request(&self, account: &Account, form: &str) -> Answered {
        let basic = base64::std_encode(format!("{}:{}", account.id, account.secret).as_bytes());
        let request = Request::post("/oauth/token")
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    pub async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert(header::HOST, "localhost:8400".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
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

    pub async fn get(&self, path: &str, token: &str) -> Answered {
        self.call("GET", path, token, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answered {
        self.call("POST", path, token, Some(body)).await
    }

    /// Types of the events of a log, oldest first.
    pub async fn events_of(&self, tenant: &TenantId) -> Vec<String> {
        let details =
            self.store.details(&self.system(), &LogId::of(tenant), &DetailQuery::default(), 500).await;
        let mut seen: Vec<_> =
            details.unwrap().into_iter().map(|detail| (detail.at_ms, detail.event_type)).collect();
        seen.reverse();
        seen.into_iter().map(|(_, name)| name).collect()
    }

    /// How often an event stands in the log of the tenant `default`.
    pub async fn count(&self, event: &str) -> usize {
        self.events_of(&self.tenant.id).await.iter().filter(|name| *name == event).count()
    }
}
