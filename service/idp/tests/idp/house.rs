//! A house for one test: a real database, a standing clock, two tenants, the doors of the identity provider.

use crate::wallet::Wallet;
use axum::Router;
use axum::body::Body;
use crypto::base64;
use custody::{Custody, Settings};
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use idp::signin::{Browser, CheckedRequest, Opened};
use idp::{Config, Idp};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Actor, Ctx, DetailQuery, Entropy, LogId, LogSpec, Store, TenantId};
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Role, Roles, Tenancy, Tenant};
use tessera_idp as idp;
use tlog::entry::Entry;
use tower::ServiceExt;

/// The moment at which every test begins.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";
/// Where the house answers.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8400";
/// The cookie of the browser of every session, unless a test says otherwise.
pub(crate) const COOKIE: &str = "cookie-of-the-browser";

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) custody: Custody,
    pub(crate) idp: Idp,
    pub(crate) router: Router,
    pub(crate) tenant: Tenant,
    /// Bears the role admin in the tenant.
    pub(crate) token: String,
    told: AtomicUsize,
    requests: AtomicUsize,
    hand: Hand,
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

/// An answer of a door.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code in one.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The places that a problem names.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

impl House {
    /// A house in development: open enrolment, unanchored devices.
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> House {
        House::over(Store::ephemeral(&migrations()).unwrap(), &[], change).await
    }

    /// A house whose outbound client may reach these origins.
    pub(crate) async fn reaching(allow: &[String]) -> House {
        House::over(Store::ephemeral(&migrations()).unwrap(), allow, |_| {}).await
    }

    pub(crate) async fn over(store: Store, allow: &[String], change: impl FnOnce(&mut Config)) -> House {
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(NOW.parse().unwrap());
        let entropy = Entropy::seeded(7);
        let mut edge_config = edge::Config::new(PUBLIC_URL.parse().unwrap(), true);
        edge_config.outbound_allow = allow.to_vec();
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let settings = Settings::new(PUBLIC_URL, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let mut config = Config::new(PUBLIC_URL).dev();
        change(&mut config);
        config.check().unwrap();
        let idp = Idp::new(store.clone(), custody.clone(), edge.outbound().clone(), config);
        tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        tenancy.on_new_tenant(Arc::new(idp.clone()));
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy);
        custody.provision_system(&system).await.unwrap();
        let new = NewTenant { name: "default".to_owned(), title: None };
        let (tenant, _) = tenancy.create_tenant(&system, new, None).await.unwrap();
        let router = edge.router(custody::http::doors(&custody).and(idp.doors()));
        let mut house = House {
            store,
            edge,
            custody,
            idp,
            router,
            tenant,
            token: String::new(),
            told: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            hand,
        };
        house.token = house.token_for(Role::Admin).await;
        house.events().await;
        house
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.edge.clock().now()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn system(&self) -> Ctx {
        Ctx::new(TenantId::SYSTEM, Actor::system(), self.now(), self.edge.entropy().clone())
    }

    /// A tick inside the tenant.
    pub(crate) fn ctx(&self) -> Ctx {
        self.system().for_tenant(self.tenant.id.clone())
    }

    pub(crate) async fn token_for(&self, role: Role) -> String {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(&[role]), ttl_s: None, jwk: None };
        let tenancy = self.edge.tenancy();
        let made = tenancy.create_account(&self.ctx(), Roles::of(&[Role::Owner]), new, None).await.unwrap();
        let pair = format!("{}:{}", made.account.id, made.secret.unwrap().expose());
        let request = Request::post("/oauth/token")
            .header(header::AUTHORIZATION, format!("Basic {}", base64::std_encode(pair.as_bytes())))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answered = self.send(request.body(Body::from("grant_type=client_credentials")).unwrap()).await;
        answered.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert(header::HOST, "localhost:8400".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(self.edge.undeclared_problems(), [], "{}", String::from_utf8_lossy(&body));
        Answered { status: parts.status, headers: parts.headers, body }
    }

    /// Sends with further headers; a body of JSON if there is one.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
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

    /// Our own API, as the admin.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answered {
        let bearer = format!("Bearer {}", self.token);
        self.raw(method, path, &[("authorization", &bearer)], body).await
    }

    /// A shop that is active, by the words of the quick start.
    pub(crate) async fn shop(&self) -> Value {
        let answered = self.api("POST", "/api/v1/relying-parties", Some(&shop())).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        answered.json()
    }

    /// A request of this shop, as the OpenID Provider would have checked it.
    pub(crate) fn request(&self, shop: &Value) -> CheckedRequest {
        CheckedRequest {
            client_id: shop["id"].as_str().unwrap().to_owned(),
            rp_origin: "http://localhost:4999".to_owned(),
            redirect_uri: "http://localhost:4999/cb".to_owned(),
            scopes: vec!["identity:age_over_18".to_owned(), "openid".to_owned()],
            nonce: Some("n-0".to_owned()),
            state: Some("state-1".to_owned()),
            acr: "seal:code".to_owned(),
            acr_essential: false,
            mode: "web".to_owned(),
            proof_kind: "none".to_owned(),
            proof_jwt: None,
            login_hint: None,
            own: json!({}),
        }
    }

    pub(crate) async fn open(&self, shop: &Value) -> Opened {
        self.open_with(&self.request(shop)).await
    }

    pub(crate) async fn open_with(&self, request: &CheckedRequest) -> Opened {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let name = crypto::hash::sha256(&number.to_be_bytes());
        let browser = Browser { cookie: COOKIE, hint: "192.0.2.0/24 Firefox" };
        let ctx = self.ctx();
        self.idp.open_session(&ctx, "default", request, (name, Vec::new()), &browser).await.unwrap()
    }

    /// A document seal of the organisation for Ana, who is of age.
    pub(crate) async fn seal(&self) -> Vec<u8> {
        self.seal_of(&seal_form()).await.1
    }

    pub(crate) async fn seal_of(&self, form: &Value) -> (String, Vec<u8>) {
        let answered = self.api("POST", "/api/v1/document-seals", Some(form)).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        let body = answered.json();
        let seal = base64::url_decode(body["seal"].as_str().unwrap()).unwrap();
        (body["id"].as_str().unwrap().to_owned(), seal)
    }

    /// A wallet that is enrolled without an anchor.
    pub(crate) async fn wallet(&self) -> Wallet {
        let mut wallet = Wallet::new(self).await;
        let answered = wallet.enrol(self, None).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        wallet
    }

    /// A wallet that is enrolled with this document.
    pub(crate) async fn wallet_with(&self, seal: &[u8]) -> Wallet {
        let mut wallet = Wallet::new(self).await;
        let answered = wallet.enrol(self, Some(seal)).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        wallet
    }

    /// Types of the events of the tenant's log since the last call, in the order of their commits; how long custody keeps a public
    /// part published (`key-changed`) is left out.
    pub(crate) async fn events(&self) -> Vec<String> {
        let waiting = self.store.take_pending(&self.ctx(), &LogId::of(&self.tenant.id), 512).await.unwrap();
        let told = self.told.swap(waiting.len(), Ordering::SeqCst);
        let kinds = waiting[told..].iter().map(|entry| Entry::decode(&entry.leaf).unwrap().kind);
        kinds.filter(|kind| kind != "key-changed").collect()
    }

    pub(crate) async fn count(&self, event: &str) -> usize {
        let query = DetailQuery { event_type: Some(event.to_owned()), ..DetailQuery::default() };
        let log = LogId::of(&self.tenant.id);
        self.store.details(&self.system(), &log, &query, 500).await.unwrap().len()
    }
}

pub(crate) fn migrations() -> [store::Migrations; 4] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, idp::MIGRATIONS]
}

/// The relying party of the quick start.
pub(crate) fn shop() -> Value {
    json!({
        "name": "Shop", "legal_name": "Shop SA", "origins": ["http://localhost:4999"],
        "redirect_uris": ["http://localhost:4999/cb"],
        "scopes": ["openid", "offline_access", "identity:age_over_18"], "auth_method": "none",
        "origin_proof": "operator",
    })
}

/// The document seal of the quick start.
pub(crate) fn seal_form() -> Value {
    json!({"type": "organisation", "claims": {
        "given_name": "Ana", "family_name": "Ruiz", "birth_date": "1990-01-02", "number": "X-100", "expiry": "2028-12-31",
    }})
}
