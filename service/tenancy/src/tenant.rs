//! Tenants: made, listed, suspended and resumed by operators of the system tenant.
//!
//! State × verb: `active` –suspend→ `suspended` –resume→ `active`; every other pair is refused.

use crate::{After, PAGE_MAX, Tenancy, closing, refused, store};
use ::store::{CommitError, Committed, Ctx, LogSpec, Refused, Stmt, StoreFault, TenantId, Unit};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tlog::event::Event;

/// Characters of a tenant's name; it stands in every path of its wallets.
pub const NAME_CHARS_MIN: usize = 2;
/// Characters of a tenant's name; it stands in every path of its wallets, and in QR codes.
pub const NAME_CHARS_MAX: usize = 40;
/// Bytes of a tenant's title, which is shown to people in one line.
pub const TITLE_BYTES_MAX: usize = 200;
/// Tenants remembered by name and id: 4,096 busy ones are 1 MB. Beyond it the memory starts anew.
const REMEMBERED_MAX: usize = 4_096;
/// A remembered tenant is read again after this, should a hint have been lost.
const REMEMBERED_MS: i64 = 2_000;
/// Names that would read like the instance's own.
const RESERVED: [&str; 3] = ["system", "house", "instance"];
/// Bus topic of hints that a tenant changed; the payload is its id.
pub const TOPIC: &str = "tenancy.tenant";

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// `ten_…`, or the system tenant.
    pub id: TenantId,
    /// `[a-z0-9-]{2,40}`, unique, in paths.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Whether its doors answer.
    pub state: TenantState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether a tenant's doors answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// They do.
    Active,
    /// They do not; nothing is lost.
    Suspended,
}

impl TenantState {
    /// The word in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a tenant is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// `[a-z0-9-]{2,40}`.
    pub name: String,
    /// At most [`TITLE_BYTES_MAX`] bytes; the name where none is given.
    pub title: Option<String>,
}

/// Why a tenant was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The name is not `[a-z0-9-]{2,40}`, or reserved.
    #[error("a tenant's name is 2 to 40 of a-z, 0-9 and -, and no reserved word")]
    Name,
    /// The title is empty, too long, or holds control characters.
    #[error("a title has 1 to 200 bytes and no control character")]
    Title,
    /// Another tenant has the name.
    #[error("the name is taken")]
    NameTaken,
    /// Another request with the same idempotency key did it.
    #[error("another request with this key did it")]
    Repeated,
    /// What the rooms prepare for a new tenant failed; there is no tenant.
    #[error("the tenant's keys and log could not be made: {0}")]
    Preparation(String),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for CreateError {
    fn event(&self) -> Event {
        let code = if *self == Self::Repeated { "api/idempotency-busy" } else { "tenants/name-taken" };
        refused(409, "createTenant", code)
    }
}

/// Why a tenant's state did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// It is not in the state that the verb starts from.
    #[error("the tenant is already {}", .0.as_str())]
    State(TenantState),
    /// The system tenant is never suspended.
    #[error("the system tenant stays")]
    System,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for ChangeError {
    fn event(&self) -> Event {
        refused(409, "changeTenant", "tenants/state")
    }
}

/// Makes what a tenant needs before it exists (its log first, then keys): rooms above hand it in. A crash may leave what was made
/// for an id that never came to be.
pub trait Prepare: Send + Sync {
    /// Prepares `tenant`; `ctx` acts inside it.
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

impl Tenancy {
    /// Makes a tenant: its wrapping keys and its log first, then what the rooms add, then the row and its event in one unit. A
    /// crash before the unit leaves keys of an id that nobody knows. `close` closes an idempotency mark in that unit.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_tenant(
        &self,
        ctx: &Ctx,
        new: NewTenant,
        close: Option<Stmt>,
    ) -> Result<(Tenant, Committed), CreateError> {
        let tenant = accept(ctx, new)?;
        if store::tenant_by_name(&self.store, ctx, &tenant.name).await?.is_some() {
            self.store.record(ctx, CreateError::NameTaken.event()).await?;
            return Err(CreateError::NameTaken);
        }
        self.prepare(ctx, &tenant).await?;
        let event = Event::TenantCreated { tenant: tenant.id.to_string(), name: tenant.name.clone() };
        let unit = Unit::new(event).guard(store::put_tenant(&tenant), CreateError::NameTaken);
        let unit = closing(unit, close, CreateError::Repeated);
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        Ok((tenant, committed))
    }

    /// The tenant of this id; the system tenant always exists.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tenant(&self, ctx: &Ctx, id: &TenantId) -> Result<Option<Tenant>, StoreFault> {
        if id.is_system() {
            return Ok(Some(system()));
        }
        if let Some(known) = self.memory.get(id.as_str(), ctx.now_ms()) {
            return Ok(known);
        }
        let found = store::tenant_by_id(&self.store, ctx, id).await?;
        self.memory.put(id.as_str(), found.clone(), ctx.now_ms());
        Ok(found)
    }

    /// The tenant of this name, as it stands in paths.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tenant_named(&self, ctx: &Ctx, name: &str) -> Result<Option<Tenant>, StoreFault> {
        if !is_name(name) {
            return Ok(None);
        }
        let key = format!("@{name}");
        if let Some(known) = self.memory.get(&key, ctx.now_ms()) {
            return Ok(known);
        }
        let found = store::tenant_by_name(&self.store, ctx, name).await?;
        // A name that nobody has is not remembered: a stranger could fill the memory with guesses.
        if found.is_some() {
            self.memory.put(&key, found.clone(), ctx.now_ms());
        }
        Ok(found)
    }

    /// A page of tenants, the oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn tenants(&self, ctx: &Ctx, after: &After, limit: usize) -> Result<Vec<Tenant>, StoreFault> {
        store::tenants(&self.store, ctx, after, limit).await
    }

    /// Closes a tenant's doors.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn suspend_tenant(&self, ctx: &Ctx, id: &TenantId) -> Result<(Tenant, Committed), ChangeError> {
        let event = Event::TenantSuspended { tenant: id.to_string() };
        self.change_tenant(ctx, id, (TenantState::Active, TenantState::Suspended), event).await
    }

    /// Opens a suspended tenant's doors.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn resume_tenant(&self, ctx: &Ctx, id: &TenantId) -> Result<(Tenant, Committed), ChangeError> {
        let event = Event::TenantResumed { tenant: id.to_string() };
        self.change_tenant(ctx, id, (TenantState::Suspended, TenantState::Active), event).await
    }

    /// Forgets a remembered tenant: somebody changed it, here or on another instance.
    pub fn tenant_changed(&self) {
        self.memory.clear();
    }

    async fn change_tenant(
        &self,
        ctx: &Ctx,
        id: &TenantId,
        (from, to): (TenantState, TenantState),
        event: Event,
    ) -> Result<(Tenant, Committed), ChangeError> {
        if id.is_system() {
            return Err(ChangeError::System);
        }
        let known = store::tenant_by_id(&self.store, ctx, id).await?.ok_or(ChangeError::NotFound)?;
        let unit =
            Unit::new(event).guard(store::change_tenant(id, from, to), ChangeError::State(known.state));
        let committed = self.store.commit(ctx, unit).await.map_err(|error| match error {
            CommitError::Lost(lost) => lost,
            CommitError::Fault(fault) => ChangeError::Store(fault),
        })?;
        self.tenant_changed();
        self.store.bus().publish(TOPIC, id.as_str());
        Ok((Tenant { state: to, ..known }, committed))
    }

    /// Makes for every tenant what the rooms above make for a new one: a version that brings a room gives it to those who stood
    /// before. What is there already is left alone.
    ///
    /// # Errors
    /// [`CreateError`] of the first tenant that could not be prepared.
    pub async fn prepare_all(&self, ctx: &Ctx) -> Result<(), CreateError> {
        let mut after = After::start();
        loop {
            let page = self.tenants(ctx, &after, PAGE_MAX).await?;
            for tenant in &page {
                self.prepare(ctx, tenant).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MAX => {
                    after = After { at_ms: last.created_at.as_millisecond(), id: last.id.to_string() };
                }
                _ => return Ok(()),
            }
        }
    }

    async fn prepare(&self, ctx: &Ctx, tenant: &Tenant) -> Result<(), CreateError> {
        let inside = ctx.for_tenant(tenant.id.clone());
        let prepares = self.prepares();
        if prepares.is_empty() {
            // Nobody above opens logs: the store's own rows are enough for the events of the tenant.
            self.store.create_log(&inside, &LogSpec::of(&self.config.origin_host, &tenant.id)).await?;
        }
        self.store.ensure_tenant_keys(&inside).await?;
        for prepare in prepares {
            prepare.prepare(&inside, tenant).await.map_err(CreateError::Preparation)?;
        }
        Ok(())
    }
}

/// The instance itself, which has no row.
fn system() -> Tenant {
    Tenant {
        id: TenantId::SYSTEM,
        name: "system".to_owned(),
        title: "This instance".to_owned(),
        state: TenantState::Active,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn accept(ctx: &Ctx, new: NewTenant) -> Result<Tenant, CreateError> {
    if !is_name(&new.name) || RESERVED.contains(&new.name.as_str()) {
        return Err(CreateError::Name);
    }
    let title = new.title.unwrap_or_else(|| new.name.clone());
    if title.is_empty() || title.len() > TITLE_BYTES_MAX || title.chars().any(char::is_control) {
        return Err(CreateError::Title);
    }
    Ok(Tenant {
        id: TenantId::new(ctx),
        name: new.name,
        title,
        state: TenantState::Active,
        created_at: ctx.now,
    })
}

/// Whether `name` may be a tenant's.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn lost(error: CommitError<CreateError>) -> CreateError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => CreateError::Store(fault),
    }
}

/// Tenants as they were read a moment ago, under their id and under `@name`.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<String, (Option<Tenant>, i64)>>);

impl Memory {
    fn get(&self, key: &str, now_ms: i64) -> Option<Option<Tenant>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(key)
            .filter(|(_, at_ms)| (0..REMEMBERED_MS).contains(&(now_ms - at_ms)))
            .map(|(t, _)| t.clone())
    }

    fn put(&self, key: &str, tenant: Option<Tenant>, now_ms: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key.to_owned(), (tenant, now_ms));
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
