//! A house for one test: a real database, a standing clock, two tenants with their keys and types, the doors.

use crate::wallet;
use axum::Router;
use axum::body::Body;
use crypto::base64;
use custody::{Custody, Settings};
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use issuer::{Config, Issuer};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Actor, Ctx, DetailQuery, Entropy, LogId, LogSpec, Store, TenantId};
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Role, Roles, Tenancy, Tenant};
use tlog::entry::Entry;
use tower::ServiceExt;

/// The moment at which every test begins.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";
/// Where the house answers.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8400";

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) custody: Custody,
    pub(crate) issuer: Issuer,
    pub(crate) router: Router,
    pub(crate) tenant: Tenant,
    pub(crate) other: Tenant,
    /// Bears the role issuer-operator in the tenant.
    pub(crate) token: String,
    /// Entries of the tenant's log that [`House::events`] has told.
    told: AtomicUsize,
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

    /// The code of a problem, or the error of an OAuth answer.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        body["code"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned()
    }

    /// Status and code in one.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.code())
    }

    /// The places that a problem names.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl House {
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> House {
        House::over(Store::ephemeral(&migrations()).unwrap(), change).await
    }

    pub(crate) async fn over(store: Store, change: impl FnOnce(&mut Config)) -> House {
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(NOW.parse().unwrap());
        let entropy = Entropy::seeded(7);
        let edge_config = edge::Config::new(PUBLIC_URL.parse().unwrap(), true);
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let settings = Settings::new(PUBLIC_URL, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        // The smallest list that needs both statements for its blocks: 16 together and one alone.
        let mut config = Config { status_entries: 17 * 256, ..Config::new(PUBLIC_URL) };
        change(&mut config);
        let issuer = Issuer::new(store.clone(), custody.clone(), config);
        tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        tenancy.on_new_tenant(Arc::new(issuer.clone()));
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy);
        custody.provision_system(&system).await.unwrap();
        let tenant = |name: &str| NewTenant { name: name.to_owned(), title: None };
        let (mine, _) = tenancy.create_tenant(&system, tenant("default"), None).await.unwrap();
        let (other, _) = tenancy.create_tenant(&system, tenant("other"), None).await.unwrap();
        let router = edge.router(custody::http::doors(&custody).and(issuer.doors()));
        let mut house = House {
            store,
            edge,
            custody,
            issuer,
            router,
            tenant: mine,
            other,
            token: String::new(),
            told: AtomicUsize::new(0),
            hand,
        };
        house.token = house.token_for(&house.tenant, Role::IssuerOperator).await;
        house.events().await;
        house
    }

    /// The same house behind other doors.
    pub(crate) fn behind(self, router: Router) -> House {
        House { router, ..self }
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

    /// A tick inside the tenant `default`.
    pub(crate) fn ctx(&self) -> Ctx {
        self.system().for_tenant(self.tenant.id.clone())
    }

    /// A new access token of this role.
    pub(crate) async fn token_for(&self, tenant: &Tenant, role: Role) -> String {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(&[role]), ttl_s: None, jwk: None };
        let ctx = self.system().for_tenant(tenant.id.clone());
        let tenancy = self.edge.tenancy();
        let made = tenancy.create_account(&ctx, Roles::of(&[Role::Owner]), new, None).await.unwrap();
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

    /// Sends a body of any kind, with further headers.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.raw("GET", path, &self.token, &[], Body::empty()).await
    }

    /// A public door, without a token.
    pub(crate) async fn fetch(&self, path: &str) -> Answered {
        self.raw("GET", path, "", &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        self.post_as(path, &self.token, &[], body).await
    }

    pub(crate) async fn post_as(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answered {
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
        self.raw("POST", path, token, &headers, body.to_string()).await
    }

    /// An offer of a diploma.
    pub(crate) async fn offer(&self) -> Value {
        self.offer_of(&diploma()).await
    }

    pub(crate) async fn offer_of(&self, body: &Value) -> Value {
        let answered = self.post("/api/v1/credentials/issue", body).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        answered.json()
    }

    /// Redeems a code at the token door of a tenant.
    pub(crate) async fn redeem(&self, tenant: &str, code: &str) -> Answered {
        self.redeem_with(tenant, code, &[], &[]).await
    }

    /// The same with further parameters and headers.
    pub(crate) async fn redeem_with(
        &self,
        tenant: &str,
        code: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answered {
        let grant = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:pre-authorized_code"),
            ("pre-authorized_code", code),
        ];
        let form = openid::oauth::form::encode(&[&grant, fields].concat());
        let media = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&[media], headers].concat();
        self.raw("POST", &format!("/t/{tenant}/vci/token"), "", &headers, form).await
    }

    pub(crate) async fn form(&self, path: &str, form: String) -> Answered {
        let media = [("content-type", "application/x-www-form-urlencoded")];
        self.raw("POST", path, "", &media, form).await
    }

    /// A wallet's access token for a new offer of a diploma.
    pub(crate) async fn access_token(&self) -> String {
        let granted = self.redeem("default", &code(&self.offer().await)).await;
        granted.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn nonce(&self, tenant: &str) -> String {
        let answered = self.raw("POST", &format!("/t/{tenant}/vci/nonce"), "", &[], Body::empty()).await;
        answered.json()["c_nonce"].as_str().unwrap().to_owned()
    }

    /// Asks for a diploma with these proofs.
    pub(crate) async fn ask(&self, token: &str, proofs: &[String]) -> Answered {
        let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": proofs}});
        self.post_as("/t/default/vci/credential", token, &[], &body).await
    }

    /// The same with headers, among them whatever shows the token.
    pub(crate) async fn ask_with(&self, headers: &[(&str, &str)], proofs: &[String]) -> Answered {
        let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": proofs}});
        self.post_as("/t/default/vci/credential", "", headers, &body).await
    }

    /// A credential that a new wallet key collected: the id of the credential and its text.
    pub(crate) async fn collected(&self) -> (String, String) {
        let offer = self.offer().await;
        let (credential, _) = wallet::collect(self, &offer).await;
        (id(&offer), credential.credential.text().to_owned())
    }

    pub(crate) async fn status(&self, id: &str) -> Value {
        let answered = self.get(&format!("/api/v1/credentials/{id}/status")).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()
    }

    pub(crate) async fn revoke(&self, id: &str) -> Answered {
        self.raw("POST", &format!("/api/v1/credentials/{id}/revoke"), &self.token, &[], Body::empty()).await
    }

    /// Types of the events of the tenant's log since the last call, in the order of their commits.
    pub(crate) async fn events(&self) -> Vec<String> {
        let entries = self.leaves().await;
        let told = self.told.swap(entries.len(), Ordering::SeqCst);
        entries[told..].iter().map(|leaf| Entry::decode(leaf).unwrap().kind).collect()
    }

    /// The leaves of the tenant's log.
    pub(crate) async fn leaves(&self) -> Vec<Vec<u8>> {
        let ctx = self.ctx();
        let waiting = self.store.take_pending(&ctx, &LogId::of(&self.tenant.id), 512).await.unwrap();
        waiting.into_iter().map(|entry| entry.leaf).collect()
    }

    pub(crate) async fn count(&self, event: &str) -> usize {
        let query = DetailQuery { event_type: Some(event.to_owned()), ..DetailQuery::default() };
        let log = LogId::of(&self.tenant.id);
        self.store.details(&self.system(), &log, &query, 500).await.unwrap().len()
    }
}

pub(crate) fn migrations() -> [store::Migrations; 4] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, issuer::MIGRATIONS]
}

/// The request for a diploma.
pub(crate) fn diploma() -> Value {
    json!({"credential_configuration_id": "diploma", "claims": {"given_name": "Ana", "degree": {"type": "BSc"}}})
}

pub(crate) fn id(offer: &Value) -> String {
    offer["id"].as_str().unwrap().to_owned()
}

pub(crate) fn code(offer: &Value) -> String {
    let grant = &offer["credential_offer"]["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"];
    grant["pre-authorized_code"].as_str().unwrap().to_owned()
}

pub(crate) fn path_of(url: &str) -> String {
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}
