//! A house for one test: a real database, a standing clock, two tenants with their keys, the doors, and a server of status lists.

use crate::people::{Asked, Diploma, Root, Signer, VCT, Wallet, now};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use credential::status::{StatusReference, StatusValue};
use custody::{Context, Contexts, Custody, Settings};
use edge::clock::Hand;
use edge::{Clock, Edge};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Actor, Ctx, DetailQuery, Entropy, LogId, LogSpec, Store, TenantId};
use tenancy::service_account::NewAccount;
use tenancy::tenant::NewTenant;
use tenancy::{Role, Roles, Tenancy, Tenant};
use tokio::net::TcpListener;
use tower::ServiceExt;
use verifier::{Config, Verifier};

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

/// What the server of lists answers under one path.
#[derive(Clone)]
pub(crate) enum Served {
    Token(String),
    /// A token whose issuer says, while it is on its way, that the list changed.
    Overtaken(String, Store, String),
    Moved(String),
    Broken,
}

/// A server of status lists on two ports: one is the house's own origin, the other a stranger's that the operator allows.
#[derive(Clone)]
pub(crate) struct Lists {
    pub(crate) own_port: u16,
    pub(crate) port: u16,
    served: Arc<Mutex<HashMap<String, Served>>>,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Lists {
    async fn new() -> Self {
        let own = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let foreign = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let lists = Self {
            own_port: own.local_addr().unwrap().port(),
            port: foreign.local_addr().unwrap().port(),
            served: Arc::default(),
            fetched: Arc::default(),
        };
        for listener in [own, foreign] {
            let router = Router::new().fallback(serve_list).with_state(lists.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        lists
    }

    /// The stranger's address of a list.
    pub(crate) fn uri(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// An address of the house's own.
    pub(crate) fn own_uri(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.own_port)
    }

    pub(crate) fn serve(&self, path: &str, served: Served) {
        self.served.lock().unwrap().insert(path.to_owned(), served);
    }

    /// How often a path was fetched.
    pub(crate) fn fetched(&self, path: &str) -> usize {
        self.fetched.lock().unwrap().iter().filter(|known| *known == path).count()
    }
}

async fn serve_list(State(lists): State<Lists>, uri: Uri, headers: HeaderMap) -> Response {
    assert_eq!(headers[header::ACCEPT], "application/statuslist+jwt");
    lists.fetched.lock().unwrap().push(uri.path().to_owned());
    match lists.served.lock().unwrap().get(uri.path()).cloned() {
        Some(Served::Token(token)) => {
            ([(header::CONTENT_TYPE, "application/statuslist+jwt")], token).into_response()
        }
        Some(Served::Overtaken(token, store, uri)) => {
            store.bus().publish(verifier::LIST_CHANGED, uri);
            token.into_response()
        }
        Some(Served::Moved(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Served::Broken) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
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

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The places that a problem names.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) custody: Custody,
    pub(crate) verifier: Verifier,
    pub(crate) router: Router,
    pub(crate) tenant: Tenant,
    pub(crate) other: Tenant,
    pub(crate) lists: Lists,
    /// An outside issuer that the tenant believes, for [`VCT`] and its status lists.
    pub(crate) university: Root,
    pub(crate) issuer: Signer,
    pub(crate) wallet: Wallet,
    /// Bears the role verifier in the tenant.
    pub(crate) token: String,
    hand: Hand,
}

impl House {
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> House {
        House::over(Store::ephemeral(&migrations()).unwrap(), change).await
    }

    pub(crate) async fn over(store: Store, change: impl FnOnce(&mut Config)) -> House {
        let lists = Lists::new().await;
        let public_url = format!("http://localhost:{}", lists.own_port);
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(now());
        let entropy = Entropy::seeded(7);
        let mut edge_config = edge::Config::new(public_url.parse().unwrap(), true);
        edge_config.outbound_allow = vec![format!("http://127.0.0.1:{}", lists.port)];
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let settings = Settings::new(&public_url, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy.clone());
        custody.provision_system(&system).await.unwrap();
        let tenant = |name: &str| NewTenant { name: name.to_owned(), title: None };
        let (mine, _) = tenancy.create_tenant(&system, tenant("default"), None).await.unwrap();
        let (other, _) = tenancy.create_tenant(&system, tenant("other"), None).await.unwrap();
        let mut config = Config::new(&public_url);
        change(&mut config);
        let verifier = Verifier::new(store.clone(), custody.clone(), edge.outbound().clone(), config);
        let router = edge.router(custody::http::doors(&custody).and(verifier.doors()));
        let university = Root::new("University");
        let mut house = House {
            issuer: university.signer("Issuer"),
            wallet: Wallet::new(),
            token: String::new(),
            tenant: mine,
            store,
            edge,
            custody,
            verifier,
            router,
            other,
            lists,
            university,
            hand,
        };
        house.believe(&house.university, &[Context::Issuer, Context::Status], &[VCT]).await;
        house.token = house.token_for(&house.tenant, &[Role::Verifier]).await;
        house.serve_status("/status/0", StatusValue::Valid);
        house
    }

    /// The same house after a restart of its verifier: what stood in memory is gone.
    pub(crate) fn restarted(self) -> House {
        let config = Config::new(&format!("http://localhost:{}", self.lists.own_port));
        let (store, custody) = (self.store.clone(), self.custody.clone());
        let verifier = Verifier::new(store, custody, self.edge.outbound().clone(), config);
        let router = self.edge.router(custody::http::doors(&self.custody).and(verifier.doors()));
        House { verifier, router, ..self }
    }

    /// The tenant believes a root from here on.
    pub(crate) async fn believe(&self, root: &Root, contexts: &[Context], types: &[&str]) {
        let patterns = types.iter().map(|pattern| (*pattern).to_owned()).collect();
        let certificate = root.certificate.clone();
        self.custody.add_anchor(&self.ctx(), certificate, Contexts::of(contexts), patterns).await.unwrap();
    }

    /// The university's list of its diplomas says this of entry 7.
    pub(crate) fn serve_status(&self, path: &str, value: StatusValue) {
        let uri = self.lists.uri(path);
        let token = self.university.signer("Lists").list(&uri, 1_024, 7, value, self.edge.clock().now());
        self.lists.serve(path, Served::Token(token));
    }

    pub(crate) fn system(&self) -> Ctx {
        let (clock, entropy) = (self.edge.clock(), self.edge.entropy());
        Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy.clone())
    }

    /// Somebody inside the tenant `default`.
    pub(crate) fn ctx(&self) -> Ctx {
        self.system().for_tenant(self.tenant.id.clone())
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn token_for(&self, tenant: &Tenant, roles: &[Role]) -> String {
        let new = NewAccount { name: "test".to_owned(), roles: Roles::of(roles), ttl_s: None, jwk: None };
        let ctx = self.system().for_tenant(tenant.id.clone());
        let tenancy = self.edge.tenancy();
        let made = tenancy.create_account(&ctx, Roles::of(&[Role::Owner]), new, None).await.unwrap();
        let pair = format!("{}:{}", made.account.id, made.secret.unwrap().expose());
        let request = Request::post("/oauth/token")
            .header(header::AUTHORIZATION, format!("Basic {}", crypto::base64::std_encode(pair.as_bytes())))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = Body::from("grant_type=client_credentials");
        let answered = self.send(request.body(body).unwrap()).await;
        answered.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answered {
        let host = format!("localhost:{}", self.lists.own_port);
        request.headers_mut().insert(header::HOST, host.parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answered {
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

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.call("GET", path, &self.token, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        self.call("POST", path, &self.token, Some(body)).await
    }

    /// A verification of this query.
    pub(crate) async fn ask_with(&self, body: &Value) -> Value {
        let answered = self.post("/api/v1/verification/request", body).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        answered.json()
    }

    /// A verification of a diploma: its id and the request that its wallet fetches.
    pub(crate) async fn ask(&self) -> (String, Asked) {
        let made = self.ask_with(&json!({"dcql_query": query()})).await;
        (id_of(&made), self.fetch(&made).await)
    }

    pub(crate) async fn fetch(&self, made: &Value) -> Asked {
        let path = path_of(made["request_uri"].as_str().unwrap());
        let fetched = self.call("GET", &path, "", None).await;
        assert_eq!(fetched.status, StatusCode::OK, "{}", fetched.text());
        Asked::read(&fetched.text())
    }

    /// Posts the form of an answer as a wallet does.
    pub(crate) async fn respond(&self, asked: &Asked, form: &str) -> Answered {
        self.respond_at(&asked.response_path(), form).await
    }

    pub(crate) async fn respond_at(&self, path: &str, form: &str) -> Answered {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// A diploma of the university whose status stands in its list `/status/0`.
    pub(crate) fn diploma(&self) -> String {
        self.diploma_at("/status/0")
    }

    pub(crate) fn diploma_at(&self, path: &str) -> String {
        self.diploma_with(&self.lists.uri(path), 7)
    }

    pub(crate) fn diploma_with(&self, uri: &str, idx: u64) -> String {
        let status = Some(StatusReference { uri: uri.to_owned(), idx });
        Diploma { vct: VCT, given_name: "Ana", status }.issue(&self.wallet.key.public(), &self.issuer)
    }

    /// What a wallet shows of this diploma, bound to this request.
    pub(crate) fn shown(&self, diploma: &str, asked: &Asked) -> String {
        self.wallet.bind_to(&Wallet::disclose(diploma, &self.issuer.key.public()), asked)
    }

    /// Asks, shows this diploma, and answers the result.
    pub(crate) async fn present(&self, diploma: &str) -> Value {
        self.present_with(&json!({"dcql_query": query()}), diploma).await
    }

    pub(crate) async fn present_with(&self, body: &Value, diploma: &str) -> Value {
        let made = self.ask_with(body).await;
        let asked = self.fetch(&made).await;
        self.respond(&asked, &asked.answer(&self.shown(diploma, &asked))).await;
        self.result(&id_of(&made)).await
    }

    pub(crate) async fn result(&self, id: &str) -> Value {
        let answered = self.get(&format!("/api/v1/verification/{id}")).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()
    }

    /// Types of the events of the tenant's log since the last call, in order. The house's own beginnings are left out.
    pub(crate) async fn events(&self) -> Vec<String> {
        let query = DetailQuery::default();
        let details =
            self.store.details(&self.system(), &LogId::of(&self.tenant.id), &query, 500).await.unwrap();
        let mut names: Vec<String> = details.into_iter().map(|detail| detail.event_type).collect();
        names.sort();
        let ours = |name: &String| name.starts_with("presentation-") || name.starts_with("result-");
        names.into_iter().filter(ours).collect()
    }

    pub(crate) async fn count(&self, event: &str) -> usize {
        let query = DetailQuery { event_type: Some(event.to_owned()), ..DetailQuery::default() };
        let log = LogId::of(&self.tenant.id);
        self.store.details(&self.system(), &log, &query, 500).await.unwrap().len()
    }
}

pub(crate) fn migrations() -> [store::Migrations; 4] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, verifier::MIGRATIONS]
}

/// A diploma, two of its claims.
pub(crate) fn query() -> Value {
    query_of(&json!({
        "id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
        "claims": [{"path": ["given_name"]}, {"path": ["degree"]}],
    }))
}

pub(crate) fn query_of(credential: &Value) -> Value {
    json!({"credentials": [credential]})
}

pub(crate) fn id_of(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) fn path_of(url: &str) -> String {
    url::Url::parse(url).unwrap().path().to_owned()
}

/// `VP-054 status/revoked` of a result that is rejected.
pub(crate) fn failure(result: &Value) -> String {
    assert_eq!(result["state"], "rejected", "{result}");
    assert!(result.get("credentials").is_none(), "{result}");
    assert_eq!(result["report"]["verdict"], "rejected");
    let text = |name: &str| result["failure"][name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("check"), text("code"))
}

/// The outcome of one check in a report.
pub(crate) fn outcome(result: &Value, check: &str) -> String {
    let checks = result["report"]["checks"].as_array().unwrap();
    let line =
        checks.iter().find(|line| line["id"] == check).unwrap_or_else(|| panic!("no {check}: {result}"));
    line["outcome"].as_str().unwrap().to_owned()
}
