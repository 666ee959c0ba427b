//! What every door shares: who may come in, what may come in, how refusals read, and the one way out.
//!
//! ```text
//! socket ─ server ─▶ front ─▶ gate ─▶ extract ─▶ a room's handler ─▶ Answer or Problem ─▶ front ─▶ socket
//!           TLS     host, id   token,   strict                           type, headers,
//!           bounds  time       role,    JSON                             log line, metrics
//!                              rate
//! outbound: the one HTTP client of the house
//! ```
//!
//! Invariants: a route exists only as a [`Door`], which has no default for who may come in; a problem exists only with its page; no
//! address, person, query string or body enters a log line; nothing that a stranger sent is parsed before its size is known.
//! Start reading at [`door`], then [`extract`]; the order of checks is `gate.rs`.

pub mod answer;
pub mod browser;
pub mod clock;
pub mod cursor;
pub mod door;
pub mod extract;
pub mod flood;
mod front;
mod gate;
pub mod headers;
pub mod health;
pub mod host;
mod http;
pub mod idempotency;
pub mod limit;
pub mod metrics;
pub mod oauth;
pub mod openapi;
pub mod outbound;
pub mod problem;
pub mod server;
mod store;
pub mod strict;
pub mod token;

pub use answer::{Answer, Done};
pub use clock::Clock;
pub use door::{Door, Doors, Who};
pub use extract::{Body, Call, Form, MaybeBody, Path, Query, Raw};
pub use front::REQUEST_ID_HEADER;
pub use gate::TENANT_HEADER;
pub use http::{html::Look, signed_in};
pub use oauth::OauthAnswer;
pub use problem::{Page, Problem};
pub use store::{MIGRATIONS, STATEMENTS};
pub use tenancy::{Permission, Role, Roles};
pub use token::Principal;

use crate::flood::Flood;
use crate::health::{Health, Status};
use crate::host::{Hosts, Network};
use crate::limit::{Limits, RateConfig};
use crate::outbound::Client;
use crate::problem::Pages;
use crate::token::{IssuerConfig, Issuers, Tokens};
use ::store::{Actor, Ctx, Entropy, Reason, Store, StoreFault, TenantId};
use axum::Router;
use rustls::pki_types::CertificateDer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tenancy::Tenancy;
use tokio::sync::Semaphore;
use url::Url;

/// Answers to an `Idempotency-Key` are kept this long where the configuration says nothing (experience §13).
pub const IDEMPOTENCY_TTL_S: i64 = 86_400;

/// What edge is told by the configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address under which others reach us; no path but `/`.
    pub public_url: Url,
    /// Other origins that we answer to: console, wallet.
    pub other_urls: Vec<Url>,
    /// Where one-time links lead; `public_url` where none is given.
    pub console_url: Option<Url>,
    /// Whether this is development: `127.0.0.1` is sent to `localhost`.
    pub dev: bool,
    /// Proxies whose `Forwarded` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Rates.
    pub rate: RateConfig,
    /// Outside issuers of API tokens.
    pub issuers: Vec<IssuerConfig>,
    /// Origins that we may reach wherever they lie.
    pub outbound_allow: Vec<String>,
    /// Certificates to trust beside the machine's when we go out: our own, where we signed it ourselves.
    pub outbound_roots: Vec<CertificateDer<'static>>,
    /// Life of a kept answer, in seconds.
    pub idempotency_ttl_s: i64,
}

impl Config {
    /// The configuration of `public_url` with every default; `dev` multiplies the rates.
    #[must_use]
    pub fn new(public_url: Url, dev: bool) -> Self {
        let rate = if dev { RateConfig::default().dev() } else { RateConfig::default() };
        Self {
            public_url,
            other_urls: Vec::new(),
            console_url: None,
            dev,
            trusted_proxies: Vec::new(),
            rate,
            issuers: Vec::new(),
            outbound_allow: Vec::new(),
            outbound_roots: Vec::new(),
            idempotency_ttl_s: IDEMPOTENCY_TTL_S,
        }
    }

    /// `<public_url>` without the slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }

    /// Whether browsers reach us by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// Where one-time links lead.
    #[must_use]
    pub fn console_base(&self) -> &str {
        self.console_url.as_ref().unwrap_or(&self.public_url).as_str().trim_end_matches('/')
    }
}

/// Why edge could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeFault {
    /// `public_url` or another origin has a path, query or user, or is neither http nor https.
    #[error("{0} is no origin: scheme, host and port alone")]
    Origin(String),
    /// An outside issuer.
    #[error(transparent)]
    Issuer(#[from] token::issuer::IssuerFault),
    /// The outbound client.
    #[error(transparent)]
    Outbound(#[from] outbound::ClientFault),
}

/// What every door shares. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    tenancy: Tenancy,
    clock: Clock,
    entropy: Entropy,
    hosts: Hosts,
    limits: Limits,
    flood: Flood,
    tokens: Tokens,
    outbound: Client,
    health: Health,
    in_flight: Semaphore,
    pages: OnceLock<Pages>,
    document: OnceLock<String>,
    undeclared: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

impl Edge {
    /// Edge on an open store, with the program's clock and randomness.
    ///
    /// # Errors
    /// [`EdgeFault`].
    pub fn new(
        config: Config,
        store: Store,
        tenancy: Tenancy,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, EdgeFault> {
        for url in std::iter::once(&config.public_url).chain(&config.other_urls).chain(&config.console_url) {
            let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
            let plain = url.username().is_empty() && url.password().is_none() && url.host().is_some();
            if !bare || !plain || !matches!(url.scheme(), "http" | "https") {
                return Err(EdgeFault::Origin(url.to_string()));
            }
        }
        let others: Vec<Url> = config.other_urls.iter().chain(&config.console_url).cloned().collect();
        let tokens = Tokens::new(config.base(), Issuers::new(config.issuers.clone(), config.base())?);
        let outbound = Client::new(&config.public_url, &config.outbound_allow, &config.outbound_roots)?;
        let edge = Self(Arc::new(Inner {
            hosts: Hosts::new(&config.public_url, &others, config.dev),
            limits: Limits::new(&config.rate, &clock, entropy.draw()),
            flood: Flood::default(),
            tokens,
            outbound,
            health: Health::default(),
            in_flight: Semaphore::new(front::IN_FLIGHT_MAX),
            pages: OnceLock::new(),
            document: OnceLock::new(),
            undeclared: Mutex::default(),
            config,
            store,
            tenancy,
            clock,
            entropy,
        }));
        edge.watch_itself();
        Ok(edge)
    }

    /// The router of these doors and of edge's own: tenancy's, `/once`, health, problems and the OpenAPI document.
    ///
    /// # Panics
    /// When two doors share method and path, or their operation: a defect that the first start of a test shows.
    pub fn router(&self, doors: Doors) -> Router {
        let doors = http::doors(self).and(doors);
        let specs: Vec<_> = doors.specs().cloned().collect();
        assert_distinct(&specs);
        let mut pages = problem::pages::table();
        specs.iter().flat_map(|spec| &spec.problems).for_each(|page| pages.add(page));
        let _ = self.0.pages.set(pages);
        let document = openapi::document(&specs, self.config().base());
        let _ = self.0.document.set(document.to_string());
        let mut preflights = BTreeMap::<&'static str, Vec<&'static str>>::new();
        let mut router = Router::new();
        for (spec, route) in doors.into_hung() {
            if spec.cors {
                preflights.entry(spec.path).or_default().push(method_text(&spec.method));
            }
            let gate = gate::Gate { edge: self.clone(), spec: spec.clone() };
            router =
                router.route(spec.path, route.layer(axum::middleware::from_fn_with_state(gate, gate::pass)));
        }
        for (path, methods) in preflights {
            router = router.route(path, http::preflight(&methods));
        }
        router
            .fallback(http::no_such_door)
            .method_not_allowed_fallback(http::method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(self.clone(), front::pass))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Tenants, operators, accounts.
    #[must_use]
    pub fn tenancy(&self) -> &Tenancy {
        &self.0.tenancy
    }

    /// The clock of the program.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The randomness of the program.
    #[must_use]
    pub fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    /// The one HTTP client.
    #[must_use]
    pub fn outbound(&self) -> &Client {
        &self.0.outbound
    }

    /// Rates.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Refusals that a stranger can cause.
    #[must_use]
    pub fn flood(&self) -> &Flood {
        &self.0.flood
    }

    /// Token checks; custody puts our own keys into [`Tokens::own`].
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Readiness checks; rooms register theirs.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// A context for a job tick of the instance.
    #[must_use]
    pub fn tick(&self) -> Ctx {
        Ctx::new(TenantId::SYSTEM, Actor::system(), self.clock().now(), self.entropy().clone())
    }

    /// Deletes kept answers past their time and settles the counts of refusals; runs once a minute.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn sweep(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        self.store().housekeeping(ctx, Reason::Expiry, vec![store::expire_marks()]).await?;
        self.tenancy().expire(ctx).await?;
        self.flood().settle(self.store(), ctx).await
    }

    /// Drops remembered tokens and tenants when somebody changed one; runs for as long as the program.
    pub async fn listen(self) {
        let mut hints = self.store().bus().subscribe();
        while let Some(heard) = hints.next().await {
            let about = match &heard {
                ::store::Heard::Hint(hint) => hint.topic,
                ::store::Heard::Reread => "",
            };
            if matches!(about, "" | tenancy::tenant::TOPIC | tenancy::service_account::TOPIC) {
                self.tenancy().tenant_changed();
                self.tokens().forget();
            }
        }
    }

    /// Problems that doors answered without naming them: operation and code. Empty in a sound program; tests assert it.
    #[must_use]
    pub fn undeclared_problems(&self) -> Vec<(&'static str, &'static str)> {
        self.0.undeclared.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Registers edge's own readiness checks. They hold the parts they ask and not edge, which holds them.
    fn watch_itself(&self) {
        let (store, entropy) = (self.store().clone(), self.entropy().clone());
        self.health().register("store", move |now| {
            let (store, ctx) =
                (store.clone(), Ctx::new(TenantId::SYSTEM, Actor::system(), now, entropy.clone()));
            async move {
                // Deleting what is past its time is a write that decides nothing.
                match store.housekeeping(&ctx, Reason::Expiry, vec![crate::store::expire_marks()]).await {
                    Ok(_) => (Status::Ok, "writes".to_owned()),
                    Err(fault) => (Status::Down, fault.to_string()),
                }
            }
        });
        let tokens = self.tokens().outside().clone();
        self.health().register("token-issuers", move |now| {
            let missing: Vec<String> =
                tokens.states(now).into_iter().filter(|(_, at_hand)| !at_hand).map(|(url, _)| url).collect();
            async move {
                match missing.as_slice() {
                    [] => (Status::Ok, "keys at hand".to_owned()),
                    missing => (Status::Degraded, format!("no keys of {}", missing.join(", "))),
                }
            }
        });
    }

    pub(crate) fn undeclared(&self, operation: &'static str, code: &'static str) {
        self.0.undeclared.lock().unwrap_or_else(PoisonError::into_inner).insert((operation, code));
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(crate) fn in_flight(&self) -> &Semaphore {
        &self.0.in_flight
    }

    pub(crate) fn pages(&self) -> Pages {
        self.0.pages.get().cloned().unwrap_or_default()
    }

    pub(crate) fn document(&self) -> String {
        self.0.document.get().cloned().unwrap_or_default()
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("public_url", &self.config().public_url.as_str()).finish_non_exhaustive()
    }
}

fn assert_distinct(specs: &[door::DoorSpec]) {
    let mut operations = BTreeSet::new();
    let mut routes = BTreeSet::new();
    for spec in specs {
        assert!(operations.insert(spec.operation), "two doors have the operation {}", spec.operation);
        let route = (spec.path, spec.method.to_string());
        assert!(routes.insert(route), "two doors have {} {}", spec.method, spec.path);
    }
}

fn method_text(method: &::http::Method) -> &'static str {
    match *method {
        ::http::Method::GET => "GET",
        ::http::Method::POST => "POST",
        ::http::Method::PUT => "PUT",
        ::http::Method::PATCH => "PATCH",
        _ => "DELETE",
    }
}
