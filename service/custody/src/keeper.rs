//! Keepers: where private parts live and work. One enum, one `match`; this build has the software keeper.
//!
//! ```text
//! make ──▶ private part ── envelope::seal under the tenant's KEK ──▶ blob for the row
//! Handle { blob, … } ── cache, or envelope::open ──▶ private part ── sign | agree ──▶ bytes
//! ```
//!
//! Invariants: a private part never leaves this file but sealed; whoever asks for a signature gives the whole message, which is
//! hashed inside; an opened part is forgotten after `cache_ttl_s`, and wiped then. Whether a version may sign is not decided here:
//! its state is read from its row at every use, so a freeze acts at once whatever the cache holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crypto::kdf;
use crypto::key::{Ecdh, KeyAlg, PrivateKey, PublicKey, SignAlg};
use crypto::secret::Secret;
use store::{Ctx, Purpose, Store, StoreFault, TenantId};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::envelope::{self, Binding, KeeperKind};
use crate::usage::{Container, Uses};

/// Opened private parts kept at once: the busiest keys of a thousand tenants, about 4 MiB of RSA at worst.
pub const CACHE_KEYS_MAX: usize = 1_024;

/// RSA keys made at the same time: each takes a core for seconds.
const RSA_MAKERS_MAX: usize = 2;

/// Private parts that one KEK wraps: far from the 2^32 bound of random nonces.
pub const KEK_WRAPS_MAX: u64 = 1 << 20;

/// A keeper.
pub enum Keeper {
    /// Private parts are opened in this process.
    Software(Software),
}

/// Names one version with all that its blob is bound to.
#[derive(Clone, Copy)]
pub struct Handle<'a> {
    /// Which key.
    pub key_id: &'a str,
    /// Which version.
    pub version: u32,
    /// What it is.
    pub alg: KeyAlg,
    /// What it is for.
    pub uses: &'a Uses,
    /// The blob of the row; `None` once it was destroyed.
    pub sealed: Option<&'a [u8]>,
}

/// A version just made: its public part, and the blob for its row.
pub struct Made {
    /// The public part.
    pub public: PublicKey,
    /// The sealed private part.
    pub sealed: Vec<u8>,
    /// The KEK version that wraps it.
    pub kek_version: u32,
    opened: Arc<Opened>,
}

impl Made {
    /// Signs with the version before its row exists: for the certificate or request that is committed in the same unit.
    pub(crate) fn sign(&self, alg: SignAlg, message: &[u8]) -> Result<Vec<u8>, KeeperFault> {
        self.opened.sign(alg, message)
    }
}

/// The keeper could not. Never the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeeperFault {
    /// The blob does not open for its row: one of them was changed, or the private part is destroyed.
    #[error("the private part of {key_id} version {version} does not open")]
    Shut {
        /// Which key.
        key_id: String,
        /// Which version.
        version: u32,
    },
    /// The provider of cryptography failed, or a key was used for what it is not.
    #[error("the keeper failed to do its work")]
    Failed,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Keeper {
    /// Which keeper it is.
    pub const fn kind(&self) -> KeeperKind {
        match self {
            Self::Software(_) => KeeperKind::Software,
        }
    }

    /// Makes a private part for a version, and seals it.
    ///
    /// # Errors
    /// [`KeeperFault`].
    pub async fn make(
        &self,
        store: &Store,
        ctx: &Ctx,
        (key_id, version): (&str, u32),
        (alg, uses): (KeyAlg, &Uses),
    ) -> Result<Made, KeeperFault> {
        match self {
            Self::Software(software) => software.make(store, ctx, (key_id, version), (alg, uses)).await,
        }
    }

    /// Signs `message`, which is hashed here.
    ///
    /// # Errors
    /// [`KeeperFault`].
    pub async fn sign(
        &self,
        store: &Store,
        ctx: &Ctx,
        handle: Handle<'_>,
        alg: SignAlg,
        message: &[u8],
    ) -> Result<Vec<u8>, KeeperFault> {
        match self {
            Self::Software(software) => software.opened(store, ctx, handle).await?.sign(alg, message),
        }
    }

    /// The x coordinate of the shared point with `peer`, for a key of use `ecdh:…`. Never a key by itself.
    ///
    /// # Errors
    /// [`KeeperFault`], also when `peer` is not on P-256.
    pub async fn agree(
        &self,
        store: &Store,
        ctx: &Ctx,
        handle: Handle<'_>,
        peer: &PublicKey,
    ) -> Result<Secret<Vec<u8>>, KeeperFault> {
        match self {
            Self::Software(software) => match software.opened(store, ctx, handle).await?.as_ref() {
                Opened::Agrees(ecdh) => ecdh.agree(peer).map_err(|_| KeeperFault::Failed),
                Opened::Signs(_) => Err(KeeperFault::Failed),
            },
        }
    }

    /// HKDF-Extract (RFC 5869, 2.2) with `salt` over the x coordinate of the shared point with `peer`, followed by `tail`: the point
    /// itself does not leave the keeper.
    ///
    /// # Errors
    /// [`KeeperFault`], also when `peer` is not on P-256.
    pub async fn agree_hkdf(
        &self,
        store: &Store,
        ctx: &Ctx,
        handle: Handle<'_>,
        peer: &PublicKey,
        (salt, tail): (&[u8], &[u8]),
    ) -> Result<Secret<[u8; 32]>, KeeperFault> {
        let shared = self.agree(store, ctx, handle, peer).await?;
        Ok(kdf::extract_sha256(salt, &[shared.expose(), tail]))
    }

    /// Forgets what is opened of a version: after it was compromised or destroyed.
    pub fn forget(&self, tenant: &TenantId, key_id: &str, version: u32) {
        match self {
            Self::Software(software) => software.forget(tenant, key_id, version),
        }
    }

    /// Opened private parts that are remembered now.
    pub fn opened_count(&self) -> usize {
        match self {
            Self::Software(software) => software.lock().len(),
        }
    }
}

/// The software keeper.
pub struct Software {
    ttl_ms: i64,
    rsa_makers: Semaphore,
    cache: Mutex<HashMap<Name, Cached>>,
}

type Name = (TenantId, String, u32);

struct Cached {
    opened: Arc<Opened>,
    until_ms: i64,
}

enum Opened {
    Signs(PrivateKey),
    Agrees(Ecdh),
}

impl Opened {
    fn make(alg: KeyAlg, uses: &Uses) -> Opened {
        if uses.container() == Container::Ecdh {
            Self::Agrees(Ecdh::generate())
        } else {
            Self::Signs(PrivateKey::generate(alg))
        }
    }

    fn from_secret(alg: KeyAlg, uses: &Uses, secret: &[u8]) -> Option<Opened> {
        match uses.container() {
            Container::Ecdh => Ecdh::from_secret(secret).ok().map(Self::Agrees),
            _ => PrivateKey::from_secret(alg, secret).ok().map(Self::Signs),
        }
    }

    fn public(&self) -> PublicKey {
        match self {
            Self::Signs(key) => key.public(),
            Self::Agrees(ecdh) => ecdh.public(),
        }
    }

    fn to_secret(&self) -> Secret<Vec<u8>> {
        match self {
            Self::Signs(key) => key.to_secret(),
            Self::Agrees(ecdh) => ecdh.to_secret(),
        }
    }

    fn sign(&self, alg: SignAlg, message: &[u8]) -> Result<Vec<u8>, KeeperFault> {
        match self {
            Self::Signs(key) => key.sign(alg, message).map_err(|_| KeeperFault::Failed),
            Self::Agrees(_) => Err(KeeperFault::Failed),
        }
    }
}

impl Software {
    /// A keeper that remembers opened parts for `cache_ttl_s` seconds.
    pub fn new(cache_ttl_s: u32) -> Software {
        Software {
            ttl_ms: i64::from(cache_ttl_s) * 1_000,
            rsa_makers: Semaphore::new(RSA_MAKERS_MAX),
            cache: Mutex::default(),
        }
    }

    async fn make(
        &self,
        store: &Store,
        ctx: &Ctx,
        (key_id, version): (&str, u32),
        (alg, uses): (KeyAlg, &Uses),
    ) -> Result<Made, KeeperFault> {
        let opened = Arc::new(self.generate(alg, uses).await?);
        let kek = store.kek(ctx, Purpose::Keys).await?;
        let binding = Binding { tenant_id: ctx.tenant.as_str(), key_id, version, alg, uses };
        let sealed = envelope::seal(kek.version(), kek.key(), &binding, opened.to_secret().expose());
        Ok(Made { public: opened.public(), sealed, kek_version: kek.version(), opened })
    }

    /// RSA keys are made beside the runtime, two at a time.
    async fn generate(&self, alg: KeyAlg, uses: &Uses) -> Result<Opened, KeeperFault> {
        if !alg.is_rsa() {
            return Ok(Opened::make(alg, uses));
        }
        let _turn = self.rsa_makers.acquire().await.map_err(|_| KeeperFault::Failed)?;
        let uses = uses.clone();
        tokio::task::spawn_blocking(move || Opened::make(alg, &uses)).await.map_err(|_| KeeperFault::Failed)
    }

    async fn opened(&self, store: &Store, ctx: &Ctx, handle: Handle<'_>) -> Result<Arc<Opened>, KeeperFault> {
        let name = (ctx.tenant.clone(), handle.key_id.to_owned(), handle.version);
        let now_ms = ctx.now_ms();
        if let Some(cached) = self.lock().get(&name).filter(|cached| now_ms < cached.until_ms) {
            return Ok(cached.opened.clone());
        }
        let shut = || KeeperFault::Shut { key_id: handle.key_id.to_owned(), version: handle.version };
        let sealed = handle.sealed.ok_or_else(shut)?;
        let kek_version = envelope::kek_version(sealed).map_err(|_| shut())?;
        let kek = match store.kek_of_version(ctx, Purpose::Keys, kek_version).await {
            // A blob that names a key which never was is a blob that was changed.
            Err(StoreFault::NoKey { .. }) => return Err(shut()),
            kek => kek?,
        };
        let binding = Binding {
            tenant_id: ctx.tenant.as_str(),
            key_id: handle.key_id,
            version: handle.version,
            alg: handle.alg,
            uses: handle.uses,
        };
        let secret = envelope::open(kek.key(), &binding, sealed).map_err(|_| shut())?;
        let opened = Opened::from_secret(handle.alg, handle.uses, secret.expose()).ok_or_else(shut)?;
        let opened = Arc::new(opened);
        self.remember(name, opened.clone(), now_ms);
        Ok(opened)
    }

    fn remember(&self, name: Name, opened: Arc<Opened>, now_ms: i64) {
        let mut cache = self.lock();
        if cache.len() >= CACHE_KEYS_MAX {
            cache.retain(|_, cached| now_ms < cached.until_ms);
        }
        if cache.len() >= CACHE_KEYS_MAX
            && let Some(oldest) =
                cache.iter().min_by_key(|(_, cached)| cached.until_ms).map(|(name, _)| name.clone())
        {
            cache.remove(&oldest);
        }
        cache.insert(name, Cached { opened, until_ms: now_ms.saturating_add(self.ttl_ms) });
    }

    fn forget(&self, tenant: &TenantId, key_id: &str, version: u32) {
        self.lock().remove(&(tenant.clone(), key_id.to_owned(), version));
    }

    /// Wipes what is past its time; the job calls it, so that an idle key does not stay open.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, cached| now_ms < cached.until_ms);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    /// As [`Software::expire`].
    pub(crate) fn expire(&self, now_ms: i64) {
        match self {
            Self::Software(software) => software.expire(now_ms),
        }
    }
}
