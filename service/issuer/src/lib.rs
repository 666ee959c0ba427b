//! The issuer of a tenant: offers, grants, credentials, their status and revocation.
//!
//! ```text
//! API    POST credentials/issue ─► offer ─► link
//! wallet link ─► offer object ─► token (code spent) ─► nonce ─► credential (round and nonce spent, copy signed)
//! wallet notification ─► told, copies that were lost revoked
//! API    POST credentials/{id}/revoke ─► copies revoked ─► list signed ─► every verifier by visible_by
//! ```
//! Invariants: a code, a try, a nonce, a proof and a round are spent by guards in the unit that uses them; a signature is made before anything is
//! spent; a refusal of a known offer or grant is an event; claims and links stand sealed; no index is dealt twice.
//!
//! Start reading at [`offer`], then [`credential`].

pub mod config;
pub mod credential;
pub mod credential_type;
pub mod grant;
pub mod http;
pub mod index;
mod jobs;
mod metadata;
pub mod notification;
pub mod offer;
pub mod page;
pub mod possession;
mod qr;
pub mod revoke;
mod signer;
pub mod status_list;
pub mod store;
mod trust;

use ::credential::trust::PathCache;
use ::store::Store;
use custody::Custody;
use std::sync::Arc;

pub use config::{Config, ConfigFault};
pub use store::{MIGRATIONS, STATEMENTS};

/// The issuer role: one for all tenants of a process. Clones share everything.
#[derive(Clone)]
pub struct Issuer {
    store: Store,
    custody: Custody,
    config: Arc<Config>,
    parsed: Arc<credential_type::Parsed>,
    kinds: Arc<credential_type::Kinds>,
    documents: Arc<metadata::Documents>,
    dealer: Arc<index::Dealer>,
    signing: Arc<status_list::Signing>,
    paths: Arc<PathCache>,
}

impl Issuer {
    /// The role over its rooms.
    pub fn new(store: Store, custody: Custody, config: Config) -> Self {
        Self {
            kinds: Arc::new(credential_type::Kinds::new(
                &store,
                &["issuer_type"],
                credential_type::KINDS_MAX,
            )),
            documents: Arc::new(metadata::Documents::new(&store, &["issuer_type"], metadata::DOCUMENTS_MAX)),
            store,
            custody,
            config: Arc::new(config),
            parsed: Arc::default(),
            dealer: Arc::default(),
            signing: Arc::default(),
            paths: Arc::default(),
        }
    }
}
