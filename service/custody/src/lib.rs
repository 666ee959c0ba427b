//! Custody: a tenant's signing keys, where nobody reads them, used and rotated under rules that the ledger shows.
//!
//! ```text
//! room ── sign_jws | sign_cose | sign_note ──▶ ready? (state, chain) ──▶ keeper ── envelope ──▶ signature ──▶ the room's own unit
//! API  ── POST sign ──▶ order ──▶ covered? ──▶ keeper ──▶ unit { key-used, guard: still active } ──▶ answer
//! tick ── rotation::due (pure) ──▶ make | activate | destroy, one unit each ──▶ JWKS
//! POST /oauth/token ──▶ tenancy: who ──▶ at+jwt by the instance's key ──▶ edge checks it by the public part
//! ```
//!
//! Invariants, all by absence:
//! - no answer, event, fault or log line holds a private part: only [`keeper`] opens one, and its types have no way out;
//! - no door signs a digest: the keeper is given whole messages and hashes them itself;
//! - a key signs one container, and a room's key signs for its room alone;
//! - a signature over HTTP leaves after its event is durable, and only if the version was still active then;
//! - two who move the same key cannot both win: the revision decides.
//!
//! Start reading at [`state`] and [`usage`], then [`sign`] and [`batch`].

pub mod access;
pub mod agree;
pub mod anchor;
pub mod batch;
pub mod chain;
mod config;
pub mod envelope;
pub mod http;
mod jobs;
pub mod jwks;
pub mod keeper;
pub mod key;
pub mod make;
pub mod moves;
pub mod order;
pub mod provision;
mod quota;
pub mod rotation;
pub mod sign;
pub mod state;
mod store;
pub mod token;
pub mod trust_list;
pub mod usage;

use std::sync::Arc;

use ::store::{Memo, Store, TenantId};
use edge::token::OwnKeys;
use tenancy::Tenancy;

pub use agree::{AGREE_USE, AgreementKey, Derived, SEAL_USE, SignedSeal};
pub use anchor::{Anchor, Context, Contexts};
pub use chain::{LeafNames, SIGNER_LEFT_S_MIN};
pub use config::{Config, ConfigError, StepUp};
pub use jobs::TICK_S;
pub use key::{Key, Owner, Version};
pub use make::{KeyError, RoomKey};
pub use provision::{LIST_USE, LogKeys, RELAY_USE, REQUEST_USE, SD_JWT_USE};
pub use rotation::Policy;
pub use sign::{KeyRef, SignError, Signed, SignedCose, SignerInfo};
pub use store::{MIGRATIONS, STATEMENTS};
pub use trust_list::TrustLists;

use keeper::{KEK_WRAPS_MAX, Keeper, Software};
use quota::{Counts, Quota};

/// What the program knows and the room needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `<public_url>`, without a slash at its end.
    pub public_url: String,
    /// The host of `public_url`: request signers carry it in their certificates.
    pub host: String,
    /// Whether this is development: only then may keys be destroyed by hand.
    pub is_dev: bool,
    /// Private parts that one KEK wraps before the next takes over; tests need not make a million.
    pub kek_wraps_max: u64,
    /// `[custody]`, checked.
    pub config: Config,
}

impl Settings {
    /// Settings for an instance at `public_url`.
    pub fn new(public_url: &str, is_dev: bool, config: Config) -> Settings {
        let public_url = public_url.trim_end_matches('/').to_owned();
        let authority = public_url.split_once("://").map_or(public_url.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.to_owned();
        Settings { host, public_url, is_dev, kek_wraps_max: KEK_WRAPS_MAX, config }
    }
}

/// The room. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Custody(Arc<Inner>);

struct Inner {
    store: Store,
    tenancy: Tenancy,
    own_keys: OwnKeys,
    keeper: Keeper,
    counts: Counts,
    quota: Quota,
    settings: Settings,
    token_url: String,
    signers: Memo<sign::Named, Arc<store::Signer>>,
    anchors: Memo<TenantId, Arc<anchor::AnchorRows>>,
    agreeing: Memo<TenantId, Arc<agree::Agreeing>>,
}

impl Custody {
    /// The room on an open store; tenancy is lent, as the room stands on its list of those that prepare new tenants. `own_keys` is where edge's token check reads our public token keys.
    pub fn new(store: Store, tenancy: &Tenancy, own_keys: OwnKeys, settings: Settings) -> Custody {
        let config = &settings.config;
        Custody(Arc::new(Inner {
            keeper: Keeper::Software(Software::new(config.cache_ttl_s)),
            counts: Counts::default(),
            quota: Quota::new(config.sign_per_s),
            token_url: format!("{}/oauth/token", settings.public_url),
            signers: Memo::new(&store, &["custody_key", "custody_key_version"], sign::SIGNERS_MAX),
            anchors: Memo::new(&store, &["custody_anchor", "custody_trust_list"], anchor::TENANTS_MAX),
            agreeing: Memo::new(&store, &["custody_key", "custody_key_version"], anchor::TENANTS_MAX),
            store,
            tenancy: tenancy.lent(),
            own_keys,
            settings,
        }))
    }

    /// The issuer identifier of a tenant, `<public_url>/t/NAME`.
    pub fn identifier(&self, tenant_name: &str) -> String {
        format!("{}/t/{tenant_name}", self.public_url())
    }

    /// `<public_url>`.
    pub fn public_url(&self) -> &str {
        &self.0.settings.public_url
    }

    /// The keeper: what it has opened, for figures.
    pub fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn tenancy(&self) -> &Tenancy {
        &self.0.tenancy
    }

    pub(crate) fn own_keys(&self) -> &OwnKeys {
        &self.0.own_keys
    }

    pub(crate) fn signers(&self) -> &Memo<sign::Named, Arc<store::Signer>> {
        &self.0.signers
    }

    pub(crate) fn known_anchors(&self) -> &Memo<TenantId, Arc<anchor::AnchorRows>> {
        &self.0.anchors
    }

    pub(crate) fn known_agreeing(&self) -> &Memo<TenantId, Arc<agree::Agreeing>> {
        &self.0.agreeing
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.0.quota
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.settings.config
    }

    pub(crate) fn host(&self) -> &str {
        &self.0.settings.host
    }

    pub(crate) fn kek_wraps_max(&self) -> u64 {
        self.0.settings.kek_wraps_max
    }

    pub(crate) fn is_dev(&self) -> bool {
        self.0.settings.is_dev
    }

    pub(crate) fn token_url(&self) -> &str {
        &self.0.token_url
    }
}

impl std::fmt::Debug for Custody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custody").field("public_url", &self.public_url()).finish_non_exhaustive()
    }
}
