//! What rooms do with a tenant's KEKs: seal fields, make MACs, wrap custody's keys.

use std::sync::Arc;

use crypto::secret::Secret;

use crate::cipher::{self, Field};
use crate::ctx::Ctx;
use crate::fault::StoreFault;
use crate::keyring::{self, Kek};
use crate::log::{self, LogId, LogKeys, LogSecrets, LogSpec};
use crate::root::{KekName, Purpose, Root};
use crate::stmt::{Effect, Stmt};
use crate::store::Store;
use crate::tenant::TenantId;
use crate::unit::Reason;

pub(crate) const PUT_KEK: &str = "INSERT INTO store_kek (tenant_id, purpose, version, root_id, wrapped)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

impl Store {
    /// Seals `plain` for its place under the tenant's `data` KEK: `01 ‖ version ‖ nonce ‖ ciphertext ‖ tag`.
    pub async fn sealed(&self, ctx: &Ctx, field: Field<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreFault> {
        let kek = self.kek(ctx, Purpose::Data).await?;
        Ok(cipher::seal(&kek, &ctx.tenant, field, ctx.random(), plain))
    }

    /// Opens what [`Store::sealed`] made for this place and tenant.
    pub async fn opened(
        &self,
        ctx: &Ctx,
        field: Field<'_>,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, StoreFault> {
        let version = cipher::version_of(sealed).ok_or_else(|| field.fault())?;
        let kek = match self.kek_of_version(ctx, Purpose::Data, version).await {
            // A value that names a key which never was is a value that was changed.
            Err(StoreFault::NoKey { .. }) => return Err(field.fault()),
            kek => kek?,
        };
        cipher::open(&kek, &ctx.tenant, field, sealed)
    }

    /// A key for MACs that live for minutes: HKDF(`data` KEK, "tessera/mac/1" ‖ label). It changes with the KEK.
    pub async fn mac_key(&self, ctx: &Ctx, label: &str) -> Result<Secret<[u8; 32]>, StoreFault> {
        let kek = self.kek(ctx, Purpose::Data).await?;
        Ok(kek.derive(&[b"tessera/mac/1", label.as_bytes()]))
    }

    /// The KEK in use of the tenant of `ctx`.
    pub async fn kek(&self, ctx: &Ctx, purpose: Purpose) -> Result<Arc<Kek>, StoreFault> {
        self.load_kek(ctx, &ctx.tenant, purpose, None).await
    }

    /// The KEK of a version, for what it sealed before.
    pub async fn kek_of_version(
        &self,
        ctx: &Ctx,
        purpose: Purpose,
        version: u32,
    ) -> Result<Arc<Kek>, StoreFault> {
        self.load_kek(ctx, &ctx.tenant, purpose, Some(version)).await
    }

    /// Makes the first KEKs of the tenant of `ctx`, unless it has them. They alone say nothing: the tenant's own unit
    /// (`tenant-created`) follows.
    pub async fn ensure_tenant_keys(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let stmts = first_keks(ctx, &self.inner.keyring.current_root());
        self.housekeeping(ctx, Reason::Wrapping, stmts).await.map(drop)
    }

    /// The row of a next KEK version, for the unit of `kek-rotated`; as a guard it is lost if another was faster.
    /// Call [`Store::kek_rotated`] after the commit.
    pub async fn next_kek(&self, ctx: &Ctx, purpose: Purpose) -> Result<Stmt, StoreFault> {
        let version = self.kek(ctx, purpose).await?.version() + 1;
        let name = KekName { tenant: ctx.tenant.clone(), purpose, version };
        Ok(put_kek(ctx, &self.inner.keyring.current_root(), &name))
    }

    /// Takes up a new KEK version of the tenant of `ctx`, or forgets the KEKs of a tenant that was deleted.
    pub fn kek_rotated(&self, ctx: &Ctx) {
        self.inner.keyring.forget(&ctx.tenant);
    }

    /// The row of a new log of the tenant of `spec`, for the unit that makes the tenant (`tenant-created`,
    /// `log-created`). The tenant has its KEKs ([`Store::ensure_tenant_keys`]). Does nothing if the log is there.
    pub async fn log_row(&self, ctx: &Ctx, spec: &LogSpec) -> Result<Stmt, StoreFault> {
        let kek = self.load_kek(ctx, &spec.tenant, Purpose::Data, None).await?;
        Ok(log::insert(spec, &kek, &LogSecrets::new()))
    }

    /// Makes a log with the KEKs it needs, unless it is there; for the first start, where no event can be written yet.
    pub async fn create_log(&self, ctx: &Ctx, spec: &LogSpec) -> Result<(), StoreFault> {
        let ctx = &ctx.for_tenant(spec.tenant.clone());
        self.ensure_tenant_keys(ctx).await?;
        let row = self.log_row(ctx, spec).await?;
        self.housekeeping(ctx, Reason::Wrapping, vec![row]).await.map(drop)
    }

    /// Closes a log: its tenant has none until another is made. For the unit that closes a tenant or declares a fork.
    pub fn close_log(&self, log: &LogId) -> Stmt {
        Stmt::new(log::CLOSE_LOG).text(log.as_str()).with_effect(Effect::ChangesLogs)
    }

    /// A log with its keys, also a closed one.
    pub async fn log(&self, ctx: &Ctx, log: &LogId) -> Result<Option<LogKeys>, StoreFault> {
        let Some(row) = self.read(ctx).one(Stmt::new(log::ONE_LOG).text(log.as_str())).await? else {
            return Ok(None);
        };
        let (tenant, version) = (log::tenant_of(&row)?, log::kek_version_of(&row)?);
        let kek = self.load_kek(ctx, &tenant, Purpose::Data, Some(version)).await?;
        log::opened(&row, &kek).map(Some)
    }

    /// The id and origin of every log, in order of id.
    pub async fn logs(&self, ctx: &Ctx) -> Result<Vec<LogRow>, StoreFault> {
        let rows = self.read(ctx).many(Stmt::new(ALL_LOGS), crate::ROWS_MAX).await?;
        rows.iter()
            .map(|row| {
                let id =
                    LogId::parse(&row.text(0)?).ok_or(StoreFault::Column { index: 0, wanted: "a log id" })?;
                let open = row.bool(3)?;
                Ok(LogRow { id, tenant: log::tenant_of(row)?, origin: row.text(2)?, open })
            })
            .collect()
    }

    /// The KEK of a tenant, from memory or from its row.
    pub(crate) async fn load_kek(
        &self,
        ctx: &Ctx,
        tenant: &TenantId,
        purpose: Purpose,
        version: Option<u32>,
    ) -> Result<Arc<Kek>, StoreFault> {
        let keyring = &self.inner.keyring;
        if let Some(kek) = keyring.known(tenant, purpose, version) {
            return Ok(kek);
        }
        let row = self.read(ctx).one(keyring::select(tenant, purpose, version)).await?;
        let kek = keyring.opened(tenant, purpose, row.as_ref())?;
        keyring.remember(tenant, purpose, version.is_none(), &kek);
        Ok(kek)
    }
}

/// The first KEK of each purpose of the tenant of `ctx`.
pub(crate) fn first_keks(ctx: &Ctx, root: &Root) -> Vec<Stmt> {
    let name = |purpose| KekName { tenant: ctx.tenant.clone(), purpose, version: 1 };
    Purpose::ALL.into_iter().map(|purpose| put_kek(ctx, root, &name(purpose))).collect()
}

fn put_kek(ctx: &Ctx, root: &Root, name: &KekName) -> Stmt {
    let kek = Secret::new(crypto::random::array::<32>());
    let wrapped = root.wrap(name, ctx.random(), kek.expose());
    Stmt::new(PUT_KEK)
        .text(name.tenant.as_str())
        .text(name.purpose.as_str())
        .int(name.version.into())
        .blob(root.id().0)
        .blob(wrapped)
        .with_effect(Effect::ChangesLogs)
}

/// A log as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its id.
    pub id: LogId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its origin.
    pub origin: String,
    /// Whether it takes entries.
    pub open: bool,
}

pub(crate) const ALL_LOGS: &str = "SELECT log_id, tenant_id, origin, open FROM store_log ORDER BY log_id";
