//! The verifier of a tenant: asks wallets for credentials, checks what comes back, and says why.
//!
//! ```text
//! API     POST verifications ─► session { seed, signed request, response key } ─► link
//! wallet  GET vp/request ─► the signed request                                        (writes nothing)
//! wallet  POST vp/response ─► opened ─► judged ─► lists looked into ─► verdict ─► one guarded write
//! browser comes back with its code ─► released                                        (same device alone)
//! API     GET verifications/{id} ─► state, report, claims while they are kept ─► event
//! ```
//! Invariants: an answer is judged by the stored query, never by what it says of itself; a session ends once, by a guard, and its
//! key goes with it; the wallet is told the same of every fault; claims stand sealed and no longer than asked for; of what a
//! presentation names only status lists are fetched, and never more than the outbound client allows.
//!
//! Start reading at [`request`], then [`response`].

mod asked;
pub mod browser;
pub mod config;
pub mod http;
mod jobs;
mod lists;
mod named;
pub mod page;
pub mod query;
pub mod request;
pub mod response;
pub mod result;
mod secrets;
mod status_list;
pub mod store;
pub mod transaction_type;
mod trust;
mod waiting;

use ::store::Store;
use credential::trust::PathCache;
use custody::Custody;
use edge::outbound::Client;
use std::sync::Arc;

pub use config::Config;
pub use lists::LIST_CHANGED;
pub use store::{MIGRATIONS, STATEMENTS};

/// The verifier role: one for all tenants of a process. Clones share everything.
#[derive(Clone)]
pub struct Verifier {
    store: Store,
    custody: Custody,
    outbound: Client,
    config: Arc<Config>,
    anchors: Arc<trust::Memory>,
    paths: Arc<PathCache>,
    lists: Arc<lists::Lists>,
    waiting: Arc<waiting::Waiting>,
}

impl Verifier {
    /// The role over its rooms; `outbound` is edge's client, the one way to a status list.
    pub fn new(store: Store, custody: Custody, outbound: Client, config: Config) -> Self {
        Self {
            lists: Arc::new(lists::Lists::new(store.bus().subscribe())),
            store,
            custody,
            outbound,
            config: Arc::new(config),
            anchors: Arc::default(),
            paths: Arc::new(PathCache::new()),
            waiting: Arc::default(),
        }
    }
}
