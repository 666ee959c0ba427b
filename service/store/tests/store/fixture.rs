//! A small room with one table, a house to run it in, and what several tests need.

use std::path::PathBuf;

use crypto::secret::Secret;
use jiff::Timestamp;
use store::{Actor, Ctx, Entropy, LogId, LogSpec, Migrations, Refused, Stmt, Store, StoreConfig, TenantId};
use tlog::entry::Entry;
use tlog::event::Event;

/// The room `probe`: things that can be spent once, and a list that only grows.
pub(crate) const PROBE: Migrations = Migrations { room: "probe", list: &[("0001_probe.sql", PROBE_SQL)] };

pub(crate) const PROBE_SQL: &str = "
CREATE TABLE probe_thing (
  tenant_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  id TEXT NOT NULL, -- data: none; keep: always; erase: never
  spent_at_ms BIGINT, -- data: none; keep: always; erase: never
  note BLOB, -- data: content; keep: always; erase: never
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE probe_line (
  log_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  idx BIGINT NOT NULL, -- data: none; keep: always; erase: never
  text TEXT NOT NULL, -- data: none; keep: always; erase: never
  PRIMARY KEY (log_id, idx)
);
-- sqlite
CREATE TRIGGER probe_line_update BEFORE UPDATE ON probe_line
  BEGIN SELECT RAISE(ABORT, 'probe_line is append-only'); END;
CREATE TRIGGER probe_line_delete BEFORE DELETE ON probe_line
  BEGIN SELECT RAISE(ABORT, 'probe_line is append-only'); END;
CREATE TRIGGER probe_line_insert BEFORE INSERT ON probe_line
  WHEN NEW.idx <> (SELECT COALESCE(MAX(idx) + 1, 0) FROM probe_line WHERE log_id = NEW.log_id)
  BEGIN SELECT RAISE(ABORT, 'probe_line grows by one'); END;
-- postgres
CREATE FUNCTION probe_line_refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'probe_line is append-only'; END $$;
CREATE TRIGGER probe_line_change BEFORE UPDATE OR DELETE ON probe_line
  FOR EACH ROW EXECUTE FUNCTION probe_line_refuse();
-- both
";

pub(crate) const PUT: &str = "INSERT INTO probe_thing (tenant_id, id, note) VALUES (:tenant, $1, $2)";
pub(crate) const PUT_ONCE: &str =
    "INSERT INTO probe_thing (tenant_id, id) VALUES (:tenant, $1) ON CONFLICT DO NOTHING";
pub(crate) const SPEND: &str =
    "UPDATE probe_thing SET spent_at_ms = :now WHERE tenant_id = :tenant AND id = $1 AND spent_at_ms IS NULL";
pub(crate) const THINGS: &str =
    "SELECT id, spent_at_ms, note FROM probe_thing WHERE tenant_id = :tenant ORDER BY id";
pub(crate) const COUNT: &str = "SELECT COUNT(*) FROM probe_thing WHERE tenant_id = :tenant";

/// What a lost guard of this room means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThingSpent;

impl Refused for ThingSpent {
    fn event(&self) -> Event {
        Event::RequestRefused {
            status: 409,
            operation: "spendThing".into(),
            code: "probe/thing-spent".into(),
        }
    }
}

/// An act of this room; any event of the catalogue will do.
pub(crate) fn act(detail: &str) -> Event {
    Event::KeyChanged { key_id: detail.to_owned() }
}

/// An act about a person.
pub(crate) fn act_about(operator: &str, purpose: &str) -> Event {
    Event::OperatorLinkSpent { operator: operator.to_owned(), purpose: purpose.to_owned() }
}

/// 2026-01-01, as everywhere in the tests of this house.
pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

/// The Unix second of [`now`].
pub(crate) const SECOND: u64 = 1_767_225_600;

/// A store and one tenant with its log.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) ctx: Ctx,
}

impl House {
    pub(crate) async fn new() -> House {
        House::over(Store::ephemeral(&[PROBE]).expect("a scratch store")).await
    }

    /// A tenant on a store that has no logs yet, or already this one.
    pub(crate) async fn over(store: Store) -> House {
        House::seeded(store, 7).await
    }

    pub(crate) async fn seeded(store: Store, seed: u64) -> House {
        let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), now(), Entropy::seeded(seed));
        let tenant = TenantId::new(&ctx);
        for spec in [LogSpec::of("ledger.test", &TenantId::SYSTEM), LogSpec::system("ledger.test")] {
            store.create_log(&ctx, &spec).await.expect("the store answers");
        }
        store.create_log(&ctx, &LogSpec::of("ledger.test", &tenant)).await.expect("the store answers");
        let mut ctx = ctx.for_tenant(tenant);
        ctx.actor = Actor::operator("opr_ana");
        House { store, ctx }
    }

    pub(crate) fn log(&self) -> LogId {
        LogId::of(&self.ctx.tenant)
    }

    /// The names of the events that wait in the tenant's log, in order.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.entries().await.into_iter().map(|entry| entry.kind).collect()
    }

    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let taken =
            self.store.take_pending(&self.ctx, &self.log(), usize::MAX).await.expect("the store answers");
        taken.iter().map(|pending| Entry::decode(&pending.leaf).expect("an entry")).collect()
    }

    pub(crate) async fn count(&self) -> i64 {
        self.store
            .read(&self.ctx)
            .one(Stmt::new(COUNT))
            .await
            .expect("a read")
            .expect("a row")
            .int(0)
            .expect("a number")
    }
}

/// Whether a test process was started by another test for this role, and where it shall work.
pub(crate) fn child_role(role: &str) -> Option<PathBuf> {
    let (given, path) = (std::env::var("TESSERA_STORE_CHILD").ok()?, std::env::var_os("TESSERA_STORE_PATH")?);
    (given == role).then(|| path.into())
}

/// This test binary again, to run the one test `name` in `role` on the database at `path`.
pub(crate) fn child(role: &str, name: &str, path: &std::path::Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().expect("this binary"));
    command.args([name, "--exact", "--ignored", "--nocapture"]);
    command.env("TESSERA_STORE_CHILD", role).env("TESSERA_STORE_PATH", path);
    command
}

/// A folder that outlives a store, and the configuration to open it.
pub(crate) struct Place(pub(crate) tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("data").join("tessera.db")
    }

    pub(crate) fn config(&self) -> StoreConfig {
        config_at(self.path())
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.config(), &[PROBE]).expect("the store opens")
    }
}

pub(crate) fn config_at(path: impl Into<PathBuf>) -> StoreConfig {
    StoreConfig::new(path, Secret::new(ROOT))
}

/// The root of every [`Place`].
pub(crate) const ROOT: [u8; 32] = *b"a root that a test can grep for!";
