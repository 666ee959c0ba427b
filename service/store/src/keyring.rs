//! The open KEKs: in memory, wiped when they go.

use std::collections::HashMap;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crypto::kdf;
use crypto::secret::Secret;

use crate::fault::StoreFault;
use crate::root::{KekName, Purpose, Root, RootId, root_of};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::tenant::TenantId;

/// Open KEKs kept at once: two a tenant for 4,096 busy tenants, about 1 MiB.
const KEKS_MAX: usize = 8_192;

/// One open KEK.
#[derive(Debug)]
pub struct Kek {
    version: u32,
    key: Secret<[u8; 32]>,
    /// HKDF-Extract of the key, which every derivation from it begins with.
    prk: Secret<[u8; 32]>,
}

impl Kek {
    pub(crate) fn new(version: u32, key: Secret<[u8; 32]>) -> Kek {
        Kek { version, prk: kdf::extract_sha256(&[], &[key.expose()]), key }
    }

    /// Counts from 1; stands in what it seals.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// HKDF-SHA256 of the key without salt, for `info`.
    pub(crate) fn derive(&self, info: &[&[u8]]) -> Secret<[u8; 32]> {
        kdf::expand_sha256(&self.prk, info)
    }

    /// The 32 bytes.
    pub fn key(&self) -> &Secret<[u8; 32]> {
        &self.key
    }
}

/// Reads one KEK: the version in use, or a given one.
pub(crate) fn select(tenant: &TenantId, purpose: Purpose, version: Option<u32>) -> Stmt {
    match version {
        None => Stmt::new(KEK_IN_USE).text(tenant.as_str()).text(purpose.as_str()),
        Some(version) => {
            Stmt::new(KEK_OF_VERSION).text(tenant.as_str()).text(purpose.as_str()).int(version.into())
        }
    }
}

pub(crate) const KEK_IN_USE: &str = "SELECT version, wrapped FROM store_kek WHERE tenant_id = $1 AND purpose = $2 ORDER BY version DESC LIMIT 1";
pub(crate) const KEK_OF_VERSION: &str =
    "SELECT version, wrapped FROM store_kek WHERE tenant_id = $1 AND purpose = $2 AND version = $3";

/// Opens KEKs and remembers them.
pub(crate) struct Keyring {
    roots: RwLock<Roots>,
    open: RwLock<Open>,
}

/// The root in use, and during a rotation the other one.
pub(crate) struct Roots {
    pub(crate) current: Arc<Root>,
    pub(crate) other: Option<Arc<Root>>,
}

#[derive(Default)]
struct Open {
    keks: HashMap<KekName, Arc<Kek>>,
    in_use: HashMap<(TenantId, Purpose), Arc<Kek>>,
}

impl Keyring {
    pub(crate) fn new(roots: Roots) -> Keyring {
        Keyring { roots: RwLock::new(roots), open: RwLock::default() }
    }

    /// A remembered KEK.
    pub(crate) fn known(
        &self,
        tenant: &TenantId,
        purpose: Purpose,
        version: Option<u32>,
    ) -> Option<Arc<Kek>> {
        let open = read(&self.open);
        match version {
            None => open.in_use.get(&(tenant.clone(), purpose)).cloned(),
            Some(version) => open.keks.get(&KekName { tenant: tenant.clone(), purpose, version }).cloned(),
        }
    }

    /// Opens the KEK of a row of [`select`].
    pub(crate) fn opened(
        &self,
        tenant: &TenantId,
        purpose: Purpose,
        row: Option<&Row>,
    ) -> Result<Arc<Kek>, StoreFault> {
        let missing = || StoreFault::NoKey { tenant: tenant.to_string(), purpose: purpose.as_str() };
        let row = row.ok_or_else(missing)?;
        let sealed = || StoreFault::Sealed { place: "store_kek.wrapped".to_owned() };
        let version = u32::try_from(row.int(0)?).map_err(|_| sealed())?;
        let wrapped = row.blob(1)?;
        let name = KekName { tenant: tenant.clone(), purpose, version };
        let root = root_of(&wrapped).and_then(|id| self.root(id)).ok_or_else(sealed)?;
        Ok(Arc::new(Kek::new(version, root.unwrap(&name, &wrapped).ok_or_else(sealed)?)))
    }

    /// Remembers a KEK whose row is committed.
    pub(crate) fn remember(&self, tenant: &TenantId, purpose: Purpose, in_use: bool, kek: &Arc<Kek>) {
        let mut open = write(&self.open);
        if open.keks.len() >= KEKS_MAX {
            *open = Open::default();
        }
        open.keks.insert(KekName { tenant: tenant.clone(), purpose, version: kek.version }, kek.clone());
        if in_use {
            open.in_use.insert((tenant.clone(), purpose), kek.clone());
        }
    }

    /// Forgets a tenant's KEKs: after a new version, or when the tenant is deleted.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let mut open = write(&self.open);
        open.keks.retain(|name, _| name.tenant != *tenant);
        open.in_use.retain(|(owner, _), _| owner != tenant);
    }

    /// The root under which new KEKs are wrapped.
    pub(crate) fn current_root(&self) -> Arc<Root> {
        read(&self.roots).current.clone()
    }

    /// The root of this id, if it is held.
    pub(crate) fn root(&self, id: RootId) -> Option<Arc<Root>> {
        let roots = read(&self.roots);
        std::iter::once(&roots.current).chain(roots.other.as_ref()).find(|root| root.id() == id).cloned()
    }

    /// Whether two roots are held.
    pub(crate) fn is_rotating(&self) -> bool {
        read(&self.roots).other.is_some()
    }

    /// Replaces the roots that are held.
    pub(crate) fn set_roots(&self, roots: Roots) {
        *write(&self.roots) = roots;
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|poison| poison.into_inner())
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(|poison| poison.into_inner())
}
