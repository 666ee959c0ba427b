//! kill -9 under load: what was acked is there, what is there is whole.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use store::{Actor, Ctx, Entropy, EventId, LogId, Stmt, Store, TenantId, Unit};
use tokio::task::JoinSet;

use crate::fixture::{self, House, PROBE, Place, SECOND, act, child, child_role, config_at};

/// Kills in a row on the same database.
const KILLS: usize = 6;

/// Units in flight at once.
const COMMITTERS: u64 = 32;

#[test]
fn after_kill_9_under_load_every_acked_unit_is_there_with_its_event() {
    let place = Place::new();
    let (mut acked, mut tenants) = (HashSet::new(), HashSet::new());
    for kill in 0..KILLS {
        // The number of acks before the kill differs, so that it meets different moments.
        let enough = 40 + 37 * kill;
        let mut child =
            child("killed", "crash::killed_process", &place.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < enough {
            let line = lines.next().expect("the child goes on").unwrap();
            heard += note(&line, &mut acked, &mut tenants);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was written to the pipe before the kill was acked too; the last line may be torn.
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acked, &mut tenants);
        }
        assert_all_there(&place, &acked, &tenants);
    }
    assert!(acked.len() > 40 * KILLS);
}

/// Takes a line of the child; answers 1 for an ack.
fn note(line: &str, acked: &mut HashSet<(TenantId, EventId)>, tenants: &mut HashSet<TenantId>) -> usize {
    let mut words = line.split_whitespace();
    // The harness may write before our first line.
    let Some(position) = words.position(|word| word == "acked") else { return 0 };
    let _ = position;
    let (Some(tenant), Some(event)) = (words.next(), words.next()) else { return 0 };
    let (Some(tenant), Some(event)) = (TenantId::parse(tenant), EventId::parse(event)) else { return 0 };
    tenants.insert(tenant.clone());
    acked.insert((tenant, event));
    1
}

fn assert_all_there(place: &Place, acked: &HashSet<(TenantId, EventId)>, tenants: &HashSet<TenantId>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = place.open();
        let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), fixture::now(), Entropy::Os);
        for (tenant, event) in acked {
            let ctx = ctx.for_tenant(tenant.clone());
            let entry = store.pending(&ctx, &LogId::of(tenant), *event).await.unwrap();
            assert!(entry.is_some(), "{event} was acked and is lost");
            let detail = store.detail(&ctx, &LogId::of(tenant), *event, SECOND).await.unwrap().unwrap();
            assert!(detail.detail.is_some(), "{event} has lost its detail");
        }
        for tenant in tenants {
            let house = House { store: store.clone(), ctx: ctx.for_tenant(tenant.clone()) };
            let halves = "SELECT (SELECT COUNT(*) FROM probe_thing WHERE tenant_id = :tenant),
                 (SELECT COUNT(*) FROM store_event WHERE log_id = $1),
                 (SELECT COUNT(*) FROM store_event_detail WHERE tenant_id = :tenant)";
            let row = store
                .read(&house.ctx)
                .one(Stmt::new(halves).text(house.log().as_str()))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(row.int(0), row.int(1), "a row without its event, or the reverse");
            assert_eq!(row.int(0), row.int(2), "a leaf without its detail, or the reverse");
        }
        let check = rusqlite::Connection::open(place.path()).unwrap();
        let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by another test"]
async fn killed_process() {
    let Some(path) = child_role("killed") else { return };
    let store = Store::open(config_at(path), &[PROBE]).unwrap();
    let seed = u64::from(std::process::id()) << 32;
    let mut committers = JoinSet::new();
    for committer in 0..COMMITTERS {
        let house = House::seeded(store.clone(), seed + committer).await;
        committers.spawn(async move {
            for number in 0.. {
                let stmt = Stmt::new(fixture::PUT).text(format!("{committer}-{number}")).blob(vec![7; 200]);
                let unit = Unit::<Infallible>::new(act("key_1")).put(stmt);
                let committed = house.store.commit(&house.ctx, unit).await.unwrap();
                println!("acked {} {}", house.ctx.tenant, committed.event_id);
            }
        });
    }
    committers.join_all().await;
}
