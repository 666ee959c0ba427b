//! From a path and a root to a running store; what can be refused is refused before anything is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crypto::secret::Secret;
use rusqlite::Connection;

use crate::actor::Actor;
use crate::board::{Board, Ending, Waiting};
use crate::ctx::{Ctx, Entropy};
use crate::fault::OpenFault;
use crate::keyring::{self, Keyring, Roots};
use crate::keys;
use crate::ledger::Ledger;
use crate::log::{self, LogId, LogSecrets, LogSpec};
use crate::memo::Changes;
use crate::migrations::{self, Migrations};
use crate::root::{Purpose, Root};
use crate::rotation;
use crate::sqlite::connect::{self, Trouble};
use crate::sqlite::folder::{Folder, Scratch};
use crate::sqlite::readers::Readers;
use crate::sqlite::wal::Checkpointer;
use crate::sqlite::writer::Writer;
use crate::stmt::Stmt;
use crate::store::{Store, StoreConfig, who};
use crate::tenant::TenantId;

/// Host in the origins of a test's logs.
const TEST_HOST: &str = "ledger.test";

const DAY_MS: i64 = 86_400_000;

pub(crate) fn open(config: StoreConfig, rooms: &[Migrations]) -> Result<Store, OpenFault> {
    start(config, rooms, None)
}

pub(crate) fn ephemeral(rooms: &[Migrations]) -> Result<Store, OpenFault> {
    let scratch = Scratch::new()?;
    let mut config = StoreConfig::new(scratch.database(), Secret::new([7; 32]));
    config.pending.age_ms_max = i64::MAX;
    start(config, rooms, Some(scratch))
}

fn start(config: StoreConfig, rooms: &[Migrations], scratch: Option<Scratch>) -> Result<Store, OpenFault> {
    let path = config.path.as_path();
    let folder = Folder::lock(path)?;
    let rooms: Vec<_> = std::iter::once(migrations::STORE).chain(rooms.iter().copied()).collect();
    let root = Root::new(config.root);
    let at = |fault: OpenFault| match fault {
        OpenFault::Unreadable { cause, .. } => OpenFault::Unreadable { path: path.to_owned(), cause },
        fault => fault,
    };
    look(path, &rooms, &root).map_err(at)?;
    let (roots, waiting) = prepare(path, config.pages_max, &rooms, root).map_err(at)?;
    let keyring = Arc::new(Keyring::new(roots));
    if scratch.is_some() {
        found(path, &keyring)?;
    }
    let ending = config.ending.unwrap_or_else(default_ending);
    let board = Arc::new(Board::new(config.pending, ending, waiting));
    let ledger = Ledger::new(keyring.clone(), i64::from(config.detail_keep_d) * DAY_MS);
    let changes = Arc::<Changes>::default();
    let threads = || {
        let checkpointer = Checkpointer::start(path, board.clone())?;
        let told = (board.clone(), changes.clone());
        let writer = Writer::start(path, config.pages_max, ledger, told, checkpointer.handle())?;
        Ok((writer, Readers::start(path)?, checkpointer))
    };
    let threads = threads().map_err(unreadable).map_err(at)?;
    Ok(Store::from_parts((keyring, board, changes), threads, (folder, scratch)))
}

/// Makes the house log and the system log of a test.
fn found(path: &Path, keyring: &Keyring) -> Result<(), OpenFault> {
    let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), jiff::Timestamp::UNIX_EPOCH, Entropy::Os);
    let conn = connect::writer(path, None).map_err(unreadable)?;
    let run = |stmt: Stmt| connect::execute(&conn, &who(&ctx), &stmt).map(drop).map_err(Trouble::into_fault);
    keys::first_keks(&ctx, &keyring.current_root()).into_iter().try_for_each(run)?;
    let select = keyring::select(&ctx.tenant, Purpose::Data, None);
    let rows = connect::query(&conn, &who(&ctx), &select, 1).map_err(Trouble::into_fault)?;
    let kek = keyring.opened(&ctx.tenant, Purpose::Data, rows.first())?;
    for spec in [LogSpec::of(TEST_HOST, &TenantId::SYSTEM), LogSpec::system(TEST_HOST)] {
        run(log::insert(&spec, &kek, &LogSecrets::new()))?;
    }
    Ok(())
}

/// Looks before anything is written: are the migrations ours, is the root the right one?
fn look(path: &Path, rooms: &[Migrations], root: &Root) -> Result<(), OpenFault> {
    let conn = connect::look(path).map_err(unreadable)?;
    migrations::check(&conn, rooms)?;
    rotation::check(&conn, root).map(drop)
}

/// Migrates, remembers the root of a new database, counts what waits.
fn prepare(
    path: &Path,
    pages_max: Option<u32>,
    rooms: &[Migrations],
    root: Root,
) -> Result<(Roots, BTreeMap<LogId, Waiting>), OpenFault> {
    let mut conn = connect::writer(path, pages_max).map_err(unreadable)?;
    let applied = migrations::apply(&mut conn, rooms)?;
    if applied > 0 {
        tracing::info!(applied, "migrations applied");
    }
    let roots = rotation::take_up(&conn, root)?;
    let waiting = waiting(&conn).map_err(unreadable)?;
    Ok((roots, waiting))
}

fn waiting(conn: &Connection) -> rusqlite::Result<BTreeMap<LogId, Waiting>> {
    let mut stmt = conn.prepare(WAITING)?;
    let rows = stmt.query_map([], |row| {
        let (log, rows, oldest): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((LogId::parse(&log), Waiting { rows: rows.unsigned_abs(), oldest_at_ms: Some(oldest) }))
    })?;
    rows.filter_map(|row| row.map(|(log, waiting)| Some((log?, waiting))).transpose()).collect()
}

pub(crate) const WAITING: &str = "SELECT log_id, COUNT(*), MIN(at_ms) FROM store_event GROUP BY log_id";

/// An error of SQLite at start; the path is filled in by [`start`].
#[allow(clippy::needless_pass_by_value, reason = "map_err gives the error away")]
pub(crate) fn unreadable(error: rusqlite::Error) -> OpenFault {
    OpenFault::Unreadable { path: Default::default(), cause: error.to_string() }
}

fn default_ending() -> Ending {
    Arc::new(|reason: &str| {
        // Straight to the operator: a log collector may be what is broken.
        eprintln!("tessera: a commit may not be durable ({reason}); the process ends");
        std::process::abort()
    })
}
