//! Who may do what: tenants, their operators and service accounts, and the one table of roles.
//!
//! ```text
//! one-time link ──POST──▶ operator session ─┐
//! passkey ──assertion───▶ operator session ─┤
//! service account ── /oauth/token ──────────┼─▶ roles ──▶ Permission::roles ──▶ a door of edge
//! outside issuer's token ───────────────────┘
//! ```
//!
//! Invariants: a link, a session and a secret are stored as SHA-256 only; a link is spent by a guarded write, once; nobody hands
//! out a role above their own; a tenant is known by its id inside and by its name at doors. Nothing here speaks HTTP: the doors
//! stand in `edge/src/http/`.
//! Start reading at [`role`], then [`operator`].

pub mod operator;
pub mod passkey;
pub mod role;
pub mod service_account;
mod store;
pub mod tenant;

pub use role::{Permission, Role, Roles};
pub use store::{MIGRATIONS, STATEMENTS};
pub use tenant::{Prepare, Tenant, TenantState};

use ::store::{Ctx, Reason, Stmt, Store, StoreFault, Unit};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tlog::event::Event;

/// Rows of one page of a list; the API's own bound is lower.
pub const PAGE_MAX: usize = 201;

/// A spent or ended link is kept this long, so that its page can say so.
const LINK_KEPT_MS: i64 = 86_400_000;
/// An ended account is kept this long, so that lists show who acted.
const ACCOUNT_KEPT_MS: i64 = 30 * 86_400_000;

/// Lives of links and sessions (`[console]`), and the host that stands in the origins of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Host in the origins of new logs; fixed for each log when it is made.
    pub origin_host: String,
    /// Life of a one-time link, in seconds.
    pub link_ttl_s: i64,
    /// A session that was not used for so many seconds ends.
    pub session_idle_ttl_s: i64,
    /// A session ends after so many seconds.
    pub session_ttl_s: i64,
}

impl Config {
    /// 15 minutes, 30 minutes, 8 hours.
    #[must_use]
    pub fn new(origin_host: impl Into<String>) -> Self {
        Self {
            origin_host: origin_host.into(),
            link_ttl_s: 900,
            session_idle_ttl_s: 1_800,
            session_ttl_s: 28_800,
        }
    }
}

/// Where in a list, ordered by time and id, a page begins: behind this row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct After {
    /// Unix milliseconds at which the last row of the page before was made.
    pub at_ms: i64,
    /// Its id.
    pub id: String,
}

impl After {
    /// Before the first row.
    #[must_use]
    pub const fn start() -> Self {
        Self { at_ms: i64::MIN, id: String::new() }
    }
}

/// The room. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Tenancy {
    store: Store,
    config: Arc<Config>,
    memory: Arc<tenant::Memory>,
    prepares: Prepares,
}

/// What the rooms above make for each new tenant.
type List = RwLock<Vec<Arc<dyn Prepare>>>;

/// Who holds the list. A room on the list that held it too would hold itself, and with it the store, for ever.
#[derive(Clone)]
enum Prepares {
    Own(Arc<List>),
    Lent(Weak<List>),
}

impl Prepares {
    fn list(&self) -> Option<Arc<List>> {
        match self {
            Self::Own(list) => Some(list.clone()),
            Self::Lent(list) => list.upgrade(),
        }
    }
}

impl Tenancy {
    /// The room on an open store.
    #[must_use]
    pub fn new(store: Store, config: Config) -> Self {
        Self {
            store,
            config: Arc::new(config),
            memory: Arc::default(),
            prepares: Prepares::Own(Arc::default()),
        }
    }

    /// The same for a room that stands on the list of [`Tenancy::on_new_tenant`]: it knows the list as long as somebody else has it.
    #[must_use]
    pub fn lent(&self) -> Self {
        let list = match &self.prepares {
            Prepares::Own(list) => Arc::downgrade(list),
            Prepares::Lent(list) => list.clone(),
        };
        Self { prepares: Prepares::Lent(list), ..self.clone() }
    }

    /// Adds what a room above makes for each new tenant, in the order of the calls.
    pub fn on_new_tenant(&self, prepare: Arc<dyn Prepare>) {
        if let Some(list) = self.prepares.list() {
            list.write().unwrap_or_else(PoisonError::into_inner).push(prepare);
        }
    }

    /// Lives of links and sessions.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Deletes links, sessions, assertions and accounts past their time; runs on a tick. Answers how many rows went.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn expire(&self, ctx: &Ctx) -> Result<u64, StoreFault> {
        let now_ms = ctx.now_ms();
        let idle_ms = self.config.session_idle_ttl_s * 1_000;
        let statements = store::expire(now_ms - LINK_KEPT_MS, now_ms - idle_ms, now_ms - ACCOUNT_KEPT_MS);
        self.store.housekeeping(ctx, Reason::Expiry, statements).await
    }

    fn prepares(&self) -> Vec<Arc<dyn Prepare>> {
        let list = self.prepares.list();
        list.map_or(Vec::new(), |list| list.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl std::fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenancy").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The unit with the closing of an idempotency mark, where the request has one.
fn closing<E>(unit: Unit<E>, close: Option<Stmt>, lost: E) -> Unit<E> {
    match close {
        Some(stmt) => unit.guard(stmt, lost),
        None => unit,
    }
}

/// The event of a refusal for which no room has a more exact one.
fn refused(status: u64, operation: &str, code: &str) -> Event {
    Event::RequestRefused { status, operation: operation.to_owned(), code: code.to_owned() }
}
