//! The rooms of a relay's own process: store, tenancy, edge, custody, ledger and the relay; nothing of the other roles.

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::house::fault_of;
use crate::jobs::{every, rounds};
use crate::root;
use audit::Audit;
use custody::Custody;
use edge::server::{self, Bounds};
use edge::{Clock, Edge};
use relay::Relay;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{Ctx, Entropy, Store, StoreConfig, TenantId};
use tenancy::Tenancy;
use tenancy::tenant::NewTenant;
use tlog::event::Event;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often what is past its time is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// The tenant that a relay belongs to.
const TENANT: &str = "default";

/// What a relay is opened with.
pub struct Plan {
    /// Where it answers.
    pub public_url: String,
    /// The database.
    pub database: PathBuf,
    /// The room's settings.
    pub config: relay::Config,
}

/// The open rooms.
#[derive(Clone)]
pub struct RelayHouse {
    /// The relay.
    pub relay: Relay,
    store: Store,
    edge: Edge,
    custody: Custody,
    audit: Audit,
    tenant: TenantId,
    checkpoint_ms: u64,
}

/// A relay with its doors open.
pub struct RunningRelay {
    /// The rooms.
    pub house: RelayHouse,
    shutdown: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
    jobs: JoinSet<()>,
}

impl RelayHouse {
    /// Opens every room in order. A first run makes the logs, the keys and the network.
    ///
    /// # Errors
    /// A [`Failure`] that names the room and what mends it.
    pub async fn open(plan: Plan) -> Result<Self, Failure> {
        let house = Self::rooms(plan).await?;
        house.relay.open(&house.ctx()).await.map_err(|fault| {
            Failure::start(
                "the network cannot be opened",
                fault,
                "use the settings it was made with, or another --storage",
            )
            .code("relay/start")
        })?;
        let started = Event::ServerStarted { version: env!("CARGO_PKG_VERSION").to_owned() };
        if let Err(fault) = house.store.record(&house.edge.tick(), started).await {
            tracing::warn!(%fault, "the start could not be recorded");
        }
        Ok(house)
    }

    /// Measures the rows of a relay that does not run.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn measured(plan: Plan) -> Result<relay::inspect::Measured, Failure> {
        let house = Self::rooms(plan).await?;
        let measured = house.relay.measured(&house.ctx()).await;
        measured.map_err(|fault| fault_of("the rows cannot be read", &fault))
    }

    async fn rooms(plan: Plan) -> Result<Self, Failure> {
        let Plan { public_url, database, config } = plan;
        let data = database.parent().unwrap_or(Path::new(".")).to_owned();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&data).map_err(|fault| {
            Failure::start(
                format!("{} cannot be made", data.display()),
                fault,
                "name a folder of yours with --storage",
            )
        })?;
        let root = root::of_development(&data)?;
        let store = Store::open(StoreConfig::new(database, root), &migrations()).map_err(|fault| {
            Failure::new(
                Exit::Unreachable,
                "the store of the relay cannot be opened",
                fault.to_string(),
                "end the relay that uses it, or check the folder's owner and mode",
            )
            .code("store/open")
        })?;
        let url = public_url
            .parse()
            .map_err(|fault: url::ParseError| fault_of("the public URL cannot be formed", &fault))?;
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("localhost"));
        #[expect(clippy::disallowed_methods, reason = "the program's one clock is made here")]
        let clock = Clock::running(jiff::Timestamp::now);
        let edge =
            Edge::new(edge::Config::new(url, true), store.clone(), tenancy.clone(), clock, Entropy::Os)
                .map_err(|fault| fault_of("the doors cannot be made", &fault))?;
        let defaults = Config::default();
        let settings = custody::Settings::new(&public_url, true, defaults.custody);
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let ctx = edge.tick();
        let checkpoint_ms = defaults.ledger.checkpoint_ms;
        let ledger = defaults.ledger.decided(&public_url, "localhost", &data);
        let audit = Audit::open(store.clone(), custody.clone(), ledger, &ctx).await.map_err(|fault| {
            Failure::start("the ledger cannot be opened", fault, "never delete the guard")
                .code("ledger/start")
        })?;
        custody.provision_system(&ctx).await.map_err(|fault| fault_of("the keys cannot be made", &fault))?;
        tenancy.on_new_tenant(Arc::new(audit.clone()));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        let tenant = tenant(&tenancy, &ctx).await?;
        let relay = Relay::new(store.clone(), custody.clone(), config);
        Ok(Self { relay, store, edge, custody, audit, tenant, checkpoint_ms })
    }

    /// A context for an act of the instance in the relay's tenant.
    pub fn ctx(&self) -> Ctx {
        self.edge.tick().for_tenant(self.tenant.clone())
    }

    /// Opens the doors and starts the rounds.
    pub fn start(self, listener: TcpListener) -> RunningRelay {
        edge::metrics::install();
        let (shutdown, ended) = watch::channel(false);
        let doors = custody::http::doors(&self.custody).and(self.audit.doors()).and(self.relay.doors());
        let router = self.edge.router(doors);
        let bounds = Bounds {
            connections_max: relay::config::CONNECTIONS_MAX,
            // The room counts links of one address itself, until their first accepted turn.
            per_address_max: u32::try_from(relay::config::CONNECTIONS_MAX).unwrap_or(u32::MAX),
            ..Bounds::default()
        };
        let server = tokio::spawn(server::serve(listener, router, None, bounds, ended.clone()));
        let jobs = jobs(&self, &ended);
        RunningRelay { house: self, shutdown, server, jobs }
    }
}

impl RunningRelay {
    /// Stops taking, and writes the last checkpoint. What was accepted stays for the next start.
    pub async fn stop(mut self) {
        let _ = self.shutdown.send(true);
        while self.jobs.join_next().await.is_some() {}
        self.server.abort();
        if !self.house.audit.settle(&self.house.edge.tick()).await {
            tracing::warn!("the ledger has entries without a checkpoint; the next start signs them");
        }
    }
}

fn jobs(house: &RelayHouse, shutdown: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    let h = house.clone();
    jobs.spawn(every(Duration::from_millis(audit::config::SEQUENCE_MS), shutdown.clone(), move || {
        let h = h.clone();
        async move { audit::jobs::sequence(&h.audit, &h.edge.tick()).await }
    }));
    let h = house.clone();
    jobs.spawn(every(Duration::from_millis(house.checkpoint_ms), shutdown.clone(), move || {
        let h = h.clone();
        async move { audit::jobs::publish(&h.audit, &h.edge.tick()).await }
    }));
    let h = house.clone();
    jobs.spawn(every(TIDY_EVERY, shutdown.clone(), move || {
        let h = h.clone();
        async move { tidy(&h).await }
    }));
    let h = house.clone();
    jobs.spawn(rounds(house.relay.clone(), move || h.ctx(), shutdown.clone()));
    jobs
}

async fn tidy(house: &RelayHouse) {
    let ctx = house.edge.tick();
    if let Err(fault) = house.edge.sweep(&ctx).await {
        tracing::warn!(%fault, "the sweep failed");
    }
    if let Err(fault) = house.custody.tick(&ctx).await {
        tracing::warn!(%fault, "the tick of the keys failed");
    }
    if let Err(fault) = house.relay.tidy(&house.ctx()).await {
        tracing::warn!(%fault, "the relay could not be tidied");
    }
}

async fn tenant(tenancy: &Tenancy, ctx: &Ctx) -> Result<TenantId, Failure> {
    let found = tenancy.tenant_named(ctx, TENANT).await;
    if let Some(tenant) = found.map_err(|fault| fault_of("the tenants cannot be read", &fault))? {
        return Ok(tenant.id);
    }
    let new = NewTenant { name: TENANT.to_owned(), title: Some("Relay".to_owned()) };
    let made = tenancy.create_tenant(ctx, new, None).await;
    made.map(|(tenant, _)| tenant.id).map_err(|fault| fault_of("the tenant cannot be made", &fault))
}

fn migrations() -> [store::Migrations; 5] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, audit::MIGRATIONS, relay::MIGRATIONS]
}
