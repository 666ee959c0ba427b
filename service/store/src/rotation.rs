//! The root of a database, and how it is replaced.
//!
//! ```text
//! begin: row `rotation` {old under new, new under old} ─▶ step: 1,000 KEKs re-wrapped a unit … ─▶ finish: row dropped
//! ```
//! A crash at any point leaves a database that opens with either root and goes on; after `finish` with the new one
//! only. KEKs stay the same, so nothing that they seal changes.

use std::sync::Arc;

use crypto::secret::Secret;
use rusqlite::{Connection, OptionalExtension, params};

use crate::ctx::Ctx;
use crate::fault::{OpenFault, StoreFault};
use crate::keyring::Roots;
use crate::open::unreadable;
use crate::root::{KekName, Purpose, Root, RootId};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::store::Store;
use crate::tenant::TenantId;
use crate::unit::Reason;

/// KEKs re-wrapped in one unit.
pub const REWRAP_ROWS: usize = 1_000;

/// The row of the root in use: `old_id` and `new_id` are equal but during a rotation.
struct RootRow {
    old: RootId,
    new: RootId,
    old_under_new: Option<Vec<u8>>,
    new_under_old: Option<Vec<u8>>,
}

/// Refuses a root that does not open this database; reads only. Answers the other root, if one is being replaced.
pub(crate) fn check(conn: &Connection, root: &Root) -> Result<Option<Root>, OpenFault> {
    let Some(row) = load(conn)? else { return Ok(None) };
    let wrong = || OpenFault::WrongRoot {
        given: root.id().to_hex(),
        expected: match row.old == row.new {
            true => row.old.to_hex(),
            false => format!("{} or {}", row.old.to_hex(), row.new.to_hex()),
        },
    };
    if root.id() != row.old && root.id() != row.new {
        return Err(wrong());
    }
    if row.old == row.new {
        return Ok(None);
    }
    let (id, sealed) = match root.id() == row.new {
        true => (row.old, &row.old_under_new),
        false => (row.new, &row.new_under_old),
    };
    let other = sealed.as_ref().and_then(|sealed| root.opened_under(id, sealed));
    other.map(Some).ok_or_else(wrong)
}

/// Remembers the root of a new database; takes up a rotation that was begun: the new root is then the current one.
pub(crate) fn take_up(conn: &Connection, root: Root) -> Result<Roots, OpenFault> {
    let Some(row) = load(conn)? else {
        conn.execute(FIRST_ROOT, params![root.id().0.as_slice()]).map_err(unreadable)?;
        return Ok(Roots { current: Arc::new(root), other: None });
    };
    let other = check(conn, &root)?;
    Ok(match other {
        Some(other) if row.old == root.id() => {
            Roots { current: Arc::new(other), other: Some(Arc::new(root)) }
        }
        other => Roots { current: Arc::new(root), other: other.map(Arc::new) },
    })
}

const FIRST_ROOT: &str = "INSERT INTO store_root (slot, old_id, new_id) VALUES ('current', ?1, ?1)";

fn load(conn: &Connection) -> Result<Option<RootRow>, OpenFault> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store_root'";
    if conn.query_row(table, [], |_| Ok(())).optional().map_err(unreadable)?.is_none() {
        return Ok(None);
    }
    let query = "SELECT old_id, new_id, old_under_new, new_under_old FROM store_root WHERE slot = 'current'";
    let id = |bytes: Vec<u8>| bytes.try_into().map(RootId).unwrap_or(RootId([0; 8]));
    let row = conn.query_row(query, [], |row| {
        Ok(RootRow {
            old: id(row.get(0)?),
            new: id(row.get(1)?),
            old_under_new: row.get(2)?,
            new_under_old: row.get(3)?,
        })
    });
    row.optional().map_err(unreadable)
}

pub(crate) const BEGIN_ROTATION: &str =
    "UPDATE store_root SET new_id = $2, old_under_new = $3, new_under_old = $4
     WHERE slot = 'current' AND old_id = $1 AND new_id = $1";
pub(crate) const OLD_KEKS: &str =
    "SELECT version, wrapped, tenant_id, purpose FROM store_kek WHERE root_id <> $1
     ORDER BY tenant_id, purpose, version";
pub(crate) const REWRAP_KEK: &str = "UPDATE store_kek SET wrapped = $5, root_id = $6
     WHERE tenant_id = $1 AND purpose = $2 AND version = $3 AND wrapped = $4";
pub(crate) const FINISH_ROTATION: &str =
    "UPDATE store_root SET old_id = new_id, old_under_new = NULL, new_under_old = NULL
     WHERE slot = 'current' AND new_id = $1
     AND NOT EXISTS (SELECT 1 FROM store_kek WHERE root_id <> $1)";

impl Store {
    /// The id of the root under which new KEKs are wrapped.
    pub fn root_id(&self) -> RootId {
        self.inner.keyring.current_root().id()
    }

    /// Whether a rotation of the root was begun and not finished.
    pub fn is_root_rotating(&self) -> bool {
        self.inner.keyring.is_rotating()
    }

    /// Begins to replace the root: from here on the database opens with the old and with `new`, and new KEKs are
    /// wrapped under `new`. False if the root is already being replaced, or is `new` itself.
    pub async fn begin_root_rotation(&self, ctx: &Ctx, new: Secret<[u8; 32]>) -> Result<bool, StoreFault> {
        let (old, new) = (self.inner.keyring.current_root(), Arc::new(Root::new(new)));
        if old.id() == new.id() || self.is_root_rotating() {
            return Ok(false);
        }
        let begin = Stmt::new(BEGIN_ROTATION)
            .blob(old.id().0)
            .blob(new.id().0)
            .blob(old.sealed_under(&new, ctx.random()))
            .blob(new.sealed_under(&old, ctx.random()));
        let begun = self.housekeeping_guarded(ctx, Reason::Wrapping, vec![begin], Vec::new()).await?;
        if begun {
            self.inner.keyring.set_roots(Roots { current: new, other: Some(old) });
        }
        Ok(begun)
    }

    /// Re-wraps up to [`REWRAP_ROWS`] KEKs under the current root; answers how many. 0: all are. A KEK that changed
    /// meanwhile is left to the next step.
    pub async fn rewrap_keks(&self, ctx: &Ctx) -> Result<usize, StoreFault> {
        let root = self.inner.keyring.current_root();
        let rows = self.read(ctx).many(Stmt::new(OLD_KEKS).blob(root.id().0), REWRAP_ROWS).await?;
        let mut stmts = Vec::with_capacity(rows.len());
        for row in &rows {
            stmts.push(self.rewrap(ctx, &root, row)?);
        }
        self.housekeeping(ctx, Reason::Wrapping, stmts).await?;
        Ok(rows.len())
    }

    /// The last unit of a rotation: drops the old root. It belongs into the unit of `root-rotated`, as a guard: it
    /// touches no row while a KEK is still under another root. Call [`Store::root_rotated`] after the commit.
    pub fn finish_root_rotation(&self) -> Stmt {
        Stmt::new(FINISH_ROTATION).blob(self.root_id().0)
    }

    /// Forgets the old root, after [`Store::finish_root_rotation`] was committed.
    pub fn root_rotated(&self) {
        self.inner.keyring.set_roots(Roots { current: self.inner.keyring.current_root(), other: None });
    }

    fn rewrap(&self, ctx: &Ctx, root: &Root, row: &Row) -> Result<Stmt, StoreFault> {
        let tenant =
            TenantId::parse(&row.text(2)?).ok_or(StoreFault::Column { index: 2, wanted: "a tenant id" })?;
        let purpose = Purpose::ALL.into_iter().find(|known| Ok(known.as_str()) == row.text(3).as_deref());
        let purpose = purpose.ok_or(StoreFault::Column { index: 3, wanted: "a purpose" })?;
        let kek = self.inner.keyring.opened(&tenant, purpose, Some(row))?;
        let name = KekName { tenant, purpose, version: kek.version() };
        let wrapped = root.wrap(&name, ctx.random(), kek.key().expose());
        let stmt =
            Stmt::new(REWRAP_KEK).text(name.tenant.as_str()).text(purpose.as_str()).int(name.version.into());
        Ok(stmt.blob(row.blob(1)?).blob(wrapped).blob(root.id().0))
    }
}
