//! A relay: it carries cells of one size in rounds of one length and learns nothing of who writes to whom.
//!
//! ```text
//! HELLO ─► WELCOME;  TURN ─► intake (a blob a commit, then "accepted") ─► close ─► open, mix, sort ─► rows, statement signed
//!                                                                              └─► ROUND and BUCKET to those who took a turn
//! ```
//! Invariants, all by absence: no row, log line or event names a sender, a recipient, an address or the time of a connection; what
//! is kept of a round is its cells in the order of their bytes; a cell that was accepted is kept until its round is published, also
//! over `kill -9`; nobody is answered outside a turn. One relay runs one hop in full mode.
//!
//! Start reading at [`lane`], then [`http`]; the network and its epochs are made in [`network`] and [`epoch`].

pub mod config;
mod door;
pub mod epoch;
pub mod http;
pub mod inspect;
mod jobs;
pub mod lane;
pub mod member;
pub mod network;
pub mod page;
mod publish;
pub mod standing;
pub mod store;

use ::store::{Ctx, Store, TenantId};
use custody::Custody;
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

pub use config::{Config, ConfigFault};
pub use network::RelayFault;
pub use store::{MIGRATIONS, STATEMENTS};

use crate::door::Entrance;
use crate::epoch::Epochs;
use crate::lane::Lane;
use crate::member::Challenges;
use mailbox::calendar::Calendar;
use mailbox::network::{Identity, VerifiedManifest};

/// The relay role. Clones share everything.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

pub(crate) struct Inner {
    store: Store,
    custody: Custody,
    config: Config,
    entrance: Entrance,
    challenges: Challenges,
    live: OnceLock<Live>,
    /// One tick at a time moves rounds.
    moving: Mutex<()>,
}

/// What stands once the network is open.
pub(crate) struct Live {
    pub(crate) tenant: TenantId,
    pub(crate) identity: Identity,
    pub(crate) manifest: VerifiedManifest,
    pub(crate) calendar: Calendar,
    pub(crate) epochs: Epochs,
    pub(crate) lanes: Vec<Arc<Lane>>,
}

impl Relay {
    /// The role over its rooms. [`Relay::open`] opens the network.
    pub fn new(store: Store, custody: Custody, config: Config) -> Self {
        let entrance = Entrance::new(config.connections_max, config.per_address_max);
        Self(Arc::new(Inner {
            store,
            custody,
            config,
            entrance,
            challenges: Challenges::default(),
            live: OnceLock::new(),
            moving: Mutex::default(),
        }))
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The network, once it is open.
    pub fn network(&self) -> Option<&VerifiedManifest> {
        self.live().map(|live| &live.manifest)
    }

    /// Links that are open now.
    pub fn links_open(&self) -> usize {
        self.0.entrance.open()
    }

    pub(crate) fn enter(&self, network: &[u8]) -> Option<door::Ticket> {
        self.0.entrance.enter(network)
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        self.0.live.get()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn custody(&self) -> &Custody {
        &self.0.custody
    }

    /// `ctx` inside the relay's tenant.
    pub(crate) fn inside(&self, ctx: &Ctx) -> Ctx {
        match self.live() {
            Some(live) => ctx.for_tenant(live.tenant.clone()),
            None => ctx.clone(),
        }
    }
}

/// Unix milliseconds of a context.
pub(crate) fn now_ms(ctx: &Ctx) -> u64 {
    u64::try_from(ctx.now_ms()).unwrap_or(0)
}
