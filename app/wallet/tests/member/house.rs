//! A real relay on loopback, in real time: rounds of 250 ms, a database in memory.

use crypto::secret::Secret;
use custody::{Custody, Settings};
use edge::server::{self, Bounds};
use edge::{Clock, Edge};
use jiff::Timestamp;
use relay::{Config, Relay};
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Actor, Ctx, Entropy, LogSpec, Store, TenantId};
use tenancy::tenant::NewTenant;
use tenancy::{Tenancy, Tenant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// T of the normal class.
pub(crate) const ROUND_MS: u64 = 250;

pub(crate) struct House {
    pub(crate) relay: Relay,
    pub(crate) store: Store,
    tenant: Tenant,
    edge: Edge,
    runtime: Runtime,
    _shutdown: watch::Sender<bool>,
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

#[expect(clippy::disallowed_methods, reason = "a relay and two wallets in real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

impl House {
    pub(crate) fn new() -> House {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let migrations = [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, relay::MIGRATIONS];
        let store = Store::ephemeral(&migrations).unwrap();
        let (relay, tenant, edge, shutdown) = runtime.block_on(serve(store.clone()));
        let (ticking, ctx_of) = (relay.clone(), ctx_of(&edge, &tenant));
        runtime.spawn(async move {
            loop {
                let next = ticking.advance(&ctx_of()).await.unwrap();
                let left = i64::try_from(next).unwrap() - now().as_millisecond();
                tokio::time::sleep(Duration::from_millis(
                    u64::try_from(left).unwrap_or(0).clamp(1, ROUND_MS),
                ))
                .await;
            }
        });
        House { relay, store, tenant, edge, runtime, _shutdown: shutdown }
    }

    pub(crate) fn member_link(&self) -> String {
        let ctx = ctx_of(&self.edge, &self.tenant)();
        let (link, _) = self.runtime.block_on(self.relay.member_link(&ctx)).unwrap();
        link.encode().unwrap()
    }

    /// Another address that answers with this network's manifest, and what it was asked for.
    pub(crate) fn mirrored(&self) -> (String, Arc<Mutex<Vec<String>>>) {
        let manifest = self.relay.network().unwrap().signed().encode();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asks = asked.clone();
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let mut line = String::new();
                let mut lines = BufReader::new(socket.try_clone().unwrap());
                lines.read_line(&mut line).unwrap();
                asks.lock().unwrap().push(line.rsplit_once(' ').unwrap().0.to_owned());
                while line.trim() != "" {
                    line.clear();
                    lines.read_line(&mut line).unwrap();
                }
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                write!(socket, "{head}\r\ncontent-length: {}\r\n\r\n{manifest}", manifest.len()).unwrap();
            }
        });
        (url, asked)
    }
}

fn ctx_of(edge: &Edge, tenant: &Tenant) -> impl Fn() -> Ctx + Send + use<> {
    let (clock, entropy, id) = (edge.clock().clone(), edge.entropy().clone(), tenant.id.clone());
    move || Ctx::new(id.clone(), Actor::system(), clock.now(), entropy.clone())
}

async fn serve(store: Store) -> (Relay, Tenant, Edge, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
    let (clock, entropy) = (Clock::running(now), Entropy::Os);
    let mut edge_config = edge::Config::new(url.parse().unwrap(), true);
    edge_config.rate = edge::limit::RateConfig::default().dev();
    let edge =
        Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
    let settings = Settings::new(&url, true, custody::Config::default());
    let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
    let config = Config { round_ms: ROUND_MS, fast_round_ms: 0, ..Config::new(&url) };
    let relay = Relay::new(store.clone(), custody.clone(), config);
    tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
    tenancy.on_new_tenant(Arc::new(custody.clone()));
    let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy);
    custody.provision_system(&system).await.unwrap();
    let new = NewTenant { name: "default".to_owned(), title: None };
    let (tenant, ..) = tenancy.create_tenant(&system, new, None).await.unwrap();
    let router = edge.router(custody::http::doors(&custody).and(relay.doors()));
    let (shutdown, ended) = watch::channel(false);
    tokio::spawn(server::serve(listener, router, None, Bounds::default(), ended));
    let ctx = ctx_of(&edge, &tenant)();
    relay.open(&ctx).await.unwrap();
    relay.advance(&ctx).await.unwrap();
    (relay, tenant, edge, shutdown)
}

/// A passphrase for every wallet of these tests.
pub(crate) fn passphrase() -> Secret<String> {
    Secret::new("specimen".to_owned())
}
