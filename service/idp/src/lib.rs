//! The identity provider of a tenant: signs people in by a device key, a mutual code and a signed document. Nobody has a password.
//!
//! ```text
//! API      POST relying-parties ─► challenge ─► prove ─► ServiceSeal                        POST enrolments/invite ─► link
//! wallet   POST seal/enrolments ─► challenge ─► PUT (keys, anchor, proofs) ─► enrolment
//! browser  request (checked) ─► open_session ─► sid, E, T0, cookie ─► page
//! wallet   inbox or QR ─► claim ─► answer R, tag, signature, document ─► session deleted, result kept, event: one unit
//! browser  session_state ─► finish ─► code ─► the relying party redeems it
//! service  POST par ─► judged ─► request_uri … code ─► POST token ─► access token, ID Token, receipt ─► userinfo
//! ```
//! Invariants: a session is answered once, by a guarded delete in the unit of its verdict; no code, shared secret or document is
//! stored; claims rest under a key that only the code derives; what names a person in a row is a random id; a refusal of a known
//! session, enrolment or relying party is an event.
//!
//! Start reading at [`signin`], then [`enrolment`] and [`relying_party`].

pub mod answer;
mod approval;
pub mod authorize;
pub mod claim;
pub mod config;
pub mod discovery;
mod document;
pub mod document_seal;
pub mod enrolment;
mod grant;
pub mod history;
pub mod http;
pub mod inbox;
pub mod jobs;
pub mod metadata;
pub mod op;
pub mod outbox;
pub mod page;
pub mod pages;
pub mod par;
pub mod passkey;
pub mod person;
pub mod provision;
pub mod relying_party;
pub mod relying_party_form;
pub mod relying_party_proof;
mod remembered;
pub mod result;
pub mod sealed_claims;
mod secret;
pub mod service_seal;
pub mod signin;
pub mod store;
pub mod token;
pub mod userinfo;
pub mod waiting;

use ::store::Store;
use custody::Custody;
use edge::outbound::Client;
use std::sync::Arc;

pub use config::{Config, ConfigFault, Enrolling};
pub use jobs::SWEEP_S;
pub use store::{MIGRATIONS, statements};

/// The identity provider: one for all tenants of a process. Clones share everything.
#[derive(Clone)]
pub struct Idp {
    pub(crate) store: Store,
    pub(crate) custody: Custody,
    pub(crate) outbound: Client,
    pub(crate) config: Arc<Config>,
    pub(crate) waiting: Arc<waiting::Waiting>,
    pub(crate) memory: Arc<op::Memory>,
    pub(crate) pushing: Arc<outbox::Pushing>,
    pub(crate) remembered: Arc<remembered::Remembered>,
}

impl Idp {
    /// The role over its rooms; `outbound` is edge's client, the one way to a relying party's pages.
    pub fn new(store: Store, custody: Custody, outbound: Client, config: Config) -> Self {
        let remembered = Arc::new(remembered::Remembered::new(&store));
        Self {
            store,
            custody,
            outbound,
            config: Arc::new(config),
            waiting: Arc::default(),
            memory: Arc::default(),
            pushing: Arc::default(),
            remembered,
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
