//! The fixture: a house with a real database and guard in a folder of its own, a fixed time, and an outsider who believes nothing.

use std::path::{Path, PathBuf};

use crypto::secret::Secret;
use custody::{Custody, Settings};
use edge::token::OwnKeys;
use jiff::Timestamp;
use store::{Actor, Ctx, Entropy, EventId, LogId, Migrations, Store, StoreConfig, StoreFault, TenantId};
use tempfile::TempDir;
use tenancy::Tenancy;
use tessera_audit::{Audit, AuditConfig, OpenFault};
use tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use tlog::event::Event;
use tlog::merkle::{Hash, leaf_hash, root_of};
use tlog::tile::{Level, TILE_WIDTH, TilePath, decode_bundle, decode_hashes};

/// 2026-01-01T00:00:00Z.
pub const NOW_S: i64 = 1_767_225_600;

pub struct House {
    pub store: Store,
    pub audit: Audit,
    pub ctx: Ctx,
    pub custody: Custody,
    pub dir: TempDir,
}

/// A house whose process has ended.
pub struct Asleep {
    pub ctx: Ctx,
    pub dir: TempDir,
}

impl House {
    pub async fn new() -> House {
        House::seeded(1).await
    }

    /// A house whose ids, salts and nonces are a function of `seed`.
    pub async fn seeded(seed: u64) -> House {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(NOW_S).unwrap();
        let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), now, Entropy::seeded(seed));
        let house = Asleep { ctx, dir }.wake().await.unwrap();
        house.append(&house.ctx, 1).await;
        house
    }

    /// A house with a tenant and so many entries in its log, published.
    pub async fn with_entries(count: usize) -> (House, Ctx) {
        let house = House::new().await;
        let ctx = house.tenant().await;
        house.append(&ctx, count).await;
        assert!(house.audit.settle(&house.ctx).await);
        (house, ctx)
    }

    /// A new tenant with its log.
    pub async fn tenant(&self) -> Ctx {
        let tenant = TenantId::new(&self.ctx);
        let ctx = self.ctx.for_tenant(tenant.clone());
        self.store.ensure_tenant_keys(&ctx).await.unwrap();
        self.audit.open_log(&ctx, &tenant).await.unwrap();
        ctx
    }

    pub async fn append(&self, ctx: &Ctx, count: usize) -> Vec<EventId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.store.record(ctx, event()).await.unwrap().event_id);
        }
        ids
    }

    /// Ends the process as a crash does: what is durable stays.
    pub fn sleep(self) -> Asleep {
        let House { ctx, dir, .. } = self;
        Asleep { ctx, dir }
    }

    pub async fn restart(self) -> House {
        self.sleep().wake().await.unwrap()
    }

    pub fn quarantined(&self) -> Vec<(String, String)> {
        self.store.quarantined().into_iter().map(|(log, reason)| (log.to_string(), reason)).collect()
    }

    /// Which invariant stopped a log, if one did.
    pub fn breach(&self, log: &LogId) -> Option<String> {
        let stopped = self.store.quarantined().into_iter().find(|(id, _)| id == log);
        stopped.map(|(_, reason)| reason.split(':').next().unwrap_or_default().to_owned())
    }

    /// What an outsider sees of a log: checkpoint, every bundle, every tile, the root recomputed; or what is wrong.
    pub async fn walk(&self, log: &LogId) -> Result<Checkpoint, String> {
        let note = self.audit.checkpoint(log).ok_or("there is no checkpoint")?;
        let signed =
            SignedCheckpoint::open(&note, &self.audit.vkeys(log)).map_err(|fault| fault.to_string())?;
        let checkpoint = signed.checkpoint().clone();
        let mut hashes = Vec::new();
        for entry in self.entries(log, checkpoint.size).await? {
            hashes.push(leaf_hash(&entry));
        }
        let root = root_of(&hashes);
        if root != checkpoint.root {
            return Err(format!("the entries do not lead to the root of size {}", checkpoint.size));
        }
        self.levels(log, checkpoint.size, hashes).await?;
        Ok(checkpoint)
    }

    pub async fn entries(&self, log: &LogId, size: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut entries = Vec::new();
        for n in 0..size.div_ceil(TILE_WIDTH as u64) {
            let path = TilePath::at(Level::Entries, n, size).unwrap();
            let bytes = self.tile(log, path).await.ok_or(format!("{path} is missing"))?;
            let bundle = decode_bundle(&bytes, path.width()).map_err(|fault| format!("{path}: {fault}"))?;
            entries.extend(bundle.into_iter().map(<[u8]>::to_vec));
        }
        Ok(entries)
    }

    async fn levels(&self, log: &LogId, size: u64, mut hashes: Vec<Hash>) -> Result<(), String> {
        for level in 0..8 {
            for (n, expected) in hashes.chunks(TILE_WIDTH).enumerate() {
                let path = TilePath::at(Level::Hashes(level), n as u64, size).unwrap();
                let bytes = self.tile(log, path).await.ok_or(format!("{path} is missing"))?;
                if decode_hashes(&bytes, path.width()).as_deref() != Some(expected) {
                    return Err(format!("{path} is not what the entries give"));
                }
            }
            hashes = hashes.chunks_exact(TILE_WIDTH).map(root_of).collect();
        }
        Ok(())
    }

    pub async fn tile(&self, log: &LogId, path: TilePath) -> Option<Vec<u8>> {
        self.audit.tile(&self.ctx, log, path).await.unwrap()
    }

    /// Names of the events of a log, in order.
    pub async fn events(&self, log: &LogId) -> Vec<String> {
        let size = self.walk(log).await.unwrap().size;
        let entries = self.entries(log, size).await.unwrap();
        entries.iter().map(|entry| tlog::entry::Entry::decode(entry).unwrap().kind).collect()
    }
}

impl Asleep {
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("data/tessera.db")
    }

    pub fn guard(&self) -> PathBuf {
        self.dir.path().join("guard")
    }

    pub fn later(mut self, seconds: i64) -> Asleep {
        let now = Timestamp::from_second(self.ctx.now.as_second() + seconds).unwrap();
        self.ctx = self.ctx.child(now);
        self
    }

    pub async fn wake(self) -> Result<House, OpenFault> {
        let Asleep { ctx, dir } = self;
        let store = open_store(dir.path());
        let custody = custody(&store);
        let audit = Audit::open(store.clone(), custody.clone(), config(dir.path()), &ctx).await?;
        Ok(House { store, audit, ctx, custody, dir })
    }

    /// A connection with which the owner of the database may do anything.
    pub fn raw(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        for trigger in
            ["entry_update", "entry_delete", "entry_insert", "tile_update", "tile_delete", "tile_insert"]
                .into_iter()
                .chain([
                    "checkpoint_update",
                    "checkpoint_delete",
                    "checkpoint_insert",
                    "log_update",
                    "log_delete",
                ])
        {
            conn.execute_batch(&format!("DROP TRIGGER audit_{trigger}")).unwrap();
        }
        conn
    }
}

pub fn open_store(dir: &Path) -> Store {
    let mut config = StoreConfig::new(dir.join("data/tessera.db"), Secret::new([7; 32]));
    config.pending.age_ms_max = i64::MAX;
    Store::open(config, &rooms()).unwrap()
}

pub fn rooms() -> [Migrations; 4] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, tessera_audit::MIGRATIONS]
}

pub fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        origin_host: "house.example".to_owned(),
        public_url: "https://house.example".to_owned(),
        checkpoint_ms: 500,
        guard_dir: dir.join("guard"),
        pq_signature: true,
    }
}

/// Custody of this process: what it opened is forgotten with it, as the keys themselves stand in the database.
pub fn custody(store: &Store) -> Custody {
    let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("house.example"));
    let settings = Settings::new("https://house.example", true, custody::Config::default());
    Custody::new(store.clone(), &tenancy, OwnKeys::default(), settings)
}

pub fn own_log(ctx: &Ctx) -> LogId {
    LogId::of(&ctx.tenant)
}

pub fn event() -> Event {
    Event::ServerStarted { version: "1.2.3-canary".to_owned() }
}

pub fn is_quarantined(result: &Result<store::Committed, StoreFault>) -> bool {
    matches!(result, Err(StoreFault::Quarantined { .. }))
}
