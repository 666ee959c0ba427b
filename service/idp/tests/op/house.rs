//! A house for one test: a database, a standing clock, a tenant with its keys, every door.

use axum::Router;
use axum::body::Body;
use custody::{Custody, Settings};
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::{Actor, Ctx, Entropy, LogId, LogSpec, Store, TenantId};
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Role, Roles, Tenancy, Tenant};
use tessera_idp::{Config, Idp};
use tlog::entry::Entry;
use tower::ServiceExt;

pub(crate) const HOST: &str = "localhost:8400";
pub(crate) const URL: &str = "http://localhost:8400";
pub(crate) const ISSUER: &str = "http://localhost:8400/t/default/idp";

/// Opens the log of a new tenant, as the ledger does in a whole house.
struct Logs(Store);

impl tenancy::Prepare for Logs {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let made = async move { self.0.create_log(ctx, &LogSpec::of("ledger.test", &tenant.id)).await };
        Box::pin(async move { made.await.map(drop).map_err(|fault| fault.to_string()) })
    }
}

/// An answer of a door.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `error` of an OAuth answer, `code` of a problem.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        body["error"].as_str().or(body["code"].as_str()).unwrap_or_default().to_owned()
    }

    /// A member of the query of `Location`.
    pub(crate) fn back(&self, name: &str) -> Option<String> {
        let to = url::Url::parse(self.header("location")).unwrap();
        to.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) router: Router,
    pub(crate) tenant: Tenant,
    pub(crate) token: String,
    // Custody prepares tenants as long as it lives.
    _custody: Custody,
    hand: Hand,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

impl House {
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> House {
        House::over(Store::ephemeral(&rooms()).unwrap(), change).await
    }

    pub(crate) async fn over(store: Store, change: impl FnOnce(&mut Config)) -> House {
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(now());
        let entropy = Entropy::seeded(7);
        let edge_config = edge::Config::new(URL.parse().unwrap(), true);
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let settings = Settings::new(URL, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let mut config = Config::new(URL).dev();
        change(&mut config);
        let idp = Idp::new(store.clone(), custody.clone(), edge.outbound().clone(), config);
        let (logs, keys, own): (Arc<Logs>, Arc<Custody>, Arc<Idp>) =
            (Arc::new(Logs(store.clone())), Arc::new(custody.clone()), Arc::new(idp.clone()));
        tenancy.on_new_tenant(logs.clone());
        tenancy.on_new_tenant(keys.clone());
        tenancy.on_new_tenant(own.clone());
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy);
        custody.provision_system(&system).await.unwrap();
        let new = NewTenant { name: "default".to_owned(), title: None };
        let (tenant, _) = tenancy.create_tenant(&system, new, None).await.unwrap();
        let router = edge.router(custody::http::doors(&custody).and(idp.doors()));
        let mut house = House { store, edge, router, tenant, token: String::new(), _custody: custody, hand };
        house.token = house.token_for(&[Role::Owner]).await;
        house
    }

    pub(crate) fn ctx(&self) -> Ctx {
        let (clock, entropy) = (self.edge.clock(), self.edge.entropy());
        Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy.clone())
            .for_tenant(self.tenant.id.clone())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.edge.clock().now()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    async fn token_for(&self, roles: &[Role]) -> String {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(roles), ttl_s: None, jwk: None };
        let tenancy = self.edge.tenancy();
        let made = tenancy.create_account(&self.ctx(), Roles::of(&[Role::Owner]), new, None).await.unwrap();
        let pair = format!("{}:{}", made.account.id, made.secret.unwrap().expose());
        let basic = format!("Basic {}", crypto::base64::std_encode(pair.as_bytes()));
        let answered =
            self.form("/oauth/token", &[("authorization", &basic)], "grant_type=client_credentials").await;
        answered.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert(header::HOST, HOST.parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path.strip_prefix(URL).unwrap_or(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some((media, text)) => {
                request = request.header(header::CONTENT_TYPE, media);
                Body::from(text)
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answered {
        self.call("GET", path, headers, None).await
    }

    pub(crate) async fn form(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answered {
        self.call("POST", path, headers, Some(("application/x-www-form-urlencoded", form.to_owned()))).await
    }

    pub(crate) async fn json(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answered {
        self.call("POST", path, headers, Some(("application/json", body.to_string()))).await
    }

    /// As an operator of the tenant.
    pub(crate) async fn api(&self, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.token);
        let answered = self.json(path, &[("authorization", &bearer)], body).await;
        assert!(answered.status.is_success(), "{} {}", answered.status, answered.text());
        answered.json()
    }

    /// Names of the tenant's events, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let ctx = self.ctx();
        let log = LogId::of(&ctx.tenant);
        let pending = self.store.take_pending(&ctx, &log, 512).await.unwrap();
        let name = |leaf: &[u8]| tlog::entry::Entry::decode(leaf).unwrap().kind;
        pending.iter().map(|row| name(&row.leaf)).collect()
    }

    /// The last entry of that name, as outsiders see it.
    pub(crate) async fn leaf(&self, name: &str) -> Entry {
        let ctx = self.ctx();
        let pending = self.store.take_pending(&ctx, &LogId::of(&ctx.tenant), 512).await.unwrap();
        let mut entries = pending.iter().map(|row| Entry::decode(&row.leaf).unwrap());
        entries.rfind(|entry| entry.kind == name).unwrap()
    }

    pub(crate) async fn count(&self, name: &str) -> usize {
        self.events().await.iter().filter(|known| *known == name).count()
    }

    /// The name of the last event.
    pub(crate) async fn last_event(&self) -> String {
        self.events().await.pop().unwrap_or_default()
    }
}

pub(crate) fn rooms() -> Vec<store::Migrations> {
    vec![tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, tessera_idp::MIGRATIONS]
}
