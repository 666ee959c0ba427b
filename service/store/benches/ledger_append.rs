//! Durable units per second: how fast the store commits, beside a bare rusqlite loop on the same disk.
//!
//! A unit is four rows: two of a room, the leaf and the sealed detail. Ours: N tasks that each wait for their ack
//! before the next commit; every ack follows an fsync. Peer: one thread, the same four rows prepared, N units in one
//! transaction, `synchronous=FULL`, no cryptography, no queue, no answers. Runs are interleaved; figures are medians.
//!
//! `cargo bench -p tessera-store --bench ledger_append [-- UNITS]`

// Rooms know this crate by its short name.
extern crate tessera_store as store;

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, Instant};

use crypto::secret::Secret;
use rusqlite::{Connection, params};
use store::{Actor, Ctx, Entropy, LogId, LogSpec, Migrations, Stmt, Store, StoreConfig, TenantId, Unit};
use tlog::event::Event;
use tokio::task::JoinSet;

const RUNS: usize = 5;
const UNITS: usize = 20_000;

/// Committers at once, and whether the events are about persons (a fifth row, and the person's key read back).
const LOADS: [(usize, bool); 4] = [(1, false), (64, false), (256, false), (256, true)];

/// Persons whom the events are about.
const PERSONS: i64 = 1_000;

const ROOM: Migrations = Migrations {
    room: "bench",
    list: &[(
        "0001_bench.sql",
        "CREATE TABLE bench_a (tenant_id TEXT NOT NULL, id BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant_id, id));
         CREATE TABLE bench_b (tenant_id TEXT NOT NULL, id BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant_id, id));",
    )],
};
const PUT_A: &str = "INSERT INTO bench_a (tenant_id, id, body) VALUES (:tenant, $1, $2)";
const PUT_B: &str = "INSERT INTO bench_b (tenant_id, id, body) VALUES (:tenant, $1, $2)";

/// What one run showed.
struct Figure {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    units_per_commit: f64,
}

fn main() {
    let units = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(UNITS);
    println!("{RUNS} interleaved runs of {units} units of 4 rows, medians; synchronous=FULL");
    println!(
        "{:>4} {:<7} {:>12} {:>9} {:>9} {:>12} | {:>16}",
        "N", "about", "ours/s", "ack p50", "ack p99", "units/fsync", "bare rusqlite/s"
    );
    for (committers, persons) in LOADS {
        let units = if committers == 1 { units / 10 } else { units };
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            bare.push(run_bare(committers, units));
            ours.push(run_ours(committers, units, persons));
        }
        ours.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        bare.sort_by(f64::total_cmp);
        let Figure { per_second, p50, p99, units_per_commit } = &ours[RUNS / 2];
        let about = if persons { "persons" } else { "" };
        println!(
            "{committers:>4} {about:<7} {per_second:>12.0} {:>7.2}ms {:>7.2}ms {units_per_commit:>12.1} | {:>16.0}",
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
            bare[RUNS / 2]
        );
    }
}

fn run_ours(committers: usize, units: usize, persons: bool) -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let config = StoreConfig::new(folder.path().join("bench.db"), Secret::new([7; 32]));
        let store = Store::open(config, &[ROOM]).expect("the store opens");
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), now, Entropy::Os);
        let tenant = TenantId::new(&ctx);
        store.create_log(&ctx, &LogSpec::of("ledger.test", &tenant)).await.expect("a log");
        let ctx = ctx.for_tenant(tenant.clone());
        let before = store.transactions();
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for committer in 0..committers {
            let (store, ctx) = (store.clone(), ctx.clone());
            let numbers = (0..units).skip(committer).step_by(committers);
            tasks.spawn(async move {
                let mut acks = Vec::with_capacity(units / committers + 1);
                for number in numbers {
                    let asked = Instant::now();
                    store.commit(&ctx, unit(number as i64, persons)).await.expect("a commit");
                    acks.push(asked.elapsed());
                }
                acks
            });
        }
        let mut acks: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let elapsed = started.elapsed();
        acks.sort();
        assert_eq!(store.waiting()[&LogId::of(&tenant)].rows, units as u64);
        Figure {
            per_second: units as f64 / elapsed.as_secs_f64(),
            p50: acks[acks.len() / 2],
            p99: acks[acks.len() * 99 / 100],
            units_per_commit: units as f64 / (store.transactions() - before) as f64,
        }
    })
}

fn unit(number: i64, persons: bool) -> Unit<Infallible> {
    let put = |sql: &'static str| Stmt::new(sql).int(number).blob(vec![7; 100]);
    let event = Event::CredentialRevoked {
        holder: persons.then(|| format!("holder-{}", number % PERSONS)),
        copies: 1,
        credential: format!("crd_{number:026}"),
        reason: "unspecified".to_owned(),
    };
    Unit::new(event).put(put(PUT_A)).put(put(PUT_B))
}

fn run_bare(batch: usize, units: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let mut conn = bare(&folder.path().join("bare.db")).expect("a database");
    let started = Instant::now();
    let mut number = 0_i64;
    while (number as usize) < units {
        let transaction = conn.transaction().expect("a transaction");
        for _ in 0..batch {
            number += 1;
            bare_unit(&transaction, number).expect("four rows");
        }
        transaction.commit().expect("a commit");
    }
    number as f64 / started.elapsed().as_secs_f64()
}

fn bare(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
         CREATE TABLE a (t TEXT NOT NULL, id BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (t, id));
         CREATE TABLE b (t TEXT NOT NULL, id BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (t, id));
         CREATE TABLE e (seq INTEGER PRIMARY KEY, log TEXT NOT NULL, event BLOB NOT NULL, leaf BLOB NOT NULL, at BIGINT);
         CREATE INDEX e1 ON e (log, seq);
         CREATE TABLE d (t TEXT NOT NULL, log TEXT NOT NULL, at BIGINT, event BLOB NOT NULL, type TEXT NOT NULL,
                         sealed BLOB NOT NULL, gone BIGINT, PRIMARY KEY (t, log, at, event)) WITHOUT ROWID;
         CREATE INDEX d1 ON d (t, gone);",
    )?;
    Ok(conn)
}

fn bare_unit(conn: &Connection, number: i64) -> rusqlite::Result<()> {
    const TENANT: &str = "ten_00000000000000000000000001";
    let event: [u8; 16] = crypto::random::array();
    let body = [7_u8; 100];
    conn.prepare_cached("INSERT INTO a VALUES (?1, ?2, ?3)")?.execute(params![TENANT, number, body])?;
    conn.prepare_cached("INSERT INTO b VALUES (?1, ?2, ?3)")?.execute(params![TENANT, number, body])?;
    conn.prepare_cached("INSERT INTO e (log, event, leaf, at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        TENANT,
        event,
        [7_u8; 120],
        number
    ])?;
    conn.prepare_cached("INSERT INTO d VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
        TENANT,
        event,
        TENANT,
        "credential-revoked",
        number,
        body,
        number
    ])?;
    Ok(())
}
