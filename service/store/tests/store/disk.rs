//! A disk that is full: nothing acked is lost, nothing half done, reads go on, and it recovers alone.

use std::convert::Infallible;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::{CommitError, Reason, Stmt, Store, StoreFault, Unit};

use crate::fixture::{self, House, PROBE, Place, act, child, child_role, config_at};

/// One unit of about 8 KiB.
async fn put(house: &House, number: usize) -> Result<(), StoreFault> {
    let stmt = Stmt::new(fixture::PUT).text(format!("{number:05}")).blob(vec![7; 8_192]);
    match house.store.commit(&house.ctx, Unit::<Infallible>::new(act("key_1")).put(stmt)).await {
        Ok(_) => Ok(()),
        Err(CommitError::Fault(fault)) => Err(fault),
        Err(CommitError::Lost(never)) => match never {},
    }
}

/// Commits until the disk takes no more; answers how many were acked.
async fn fill(house: &House) -> usize {
    for number in 0..10_000 {
        match put(house, number).await {
            Ok(()) => {}
            Err(StoreFault::DiskFull { .. }) => return number,
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("the disk never filled");
}

/// Every acked unit is there with its event, no other is, and reads answer.
async fn assert_whole(house: &House, acked: usize) {
    assert_eq!(house.count().await, acked as i64);
    let rows = house.store.read(&house.ctx).one(Stmt::new("SELECT COUNT(*) FROM store_event_detail")).await;
    assert_eq!(rows.unwrap().unwrap().int(0), Ok(acked as i64));
    let check =
        house.store.read(&house.ctx).one(Stmt::new("SELECT id FROM probe_thing ORDER BY id DESC")).await;
    assert_eq!(check.unwrap().unwrap().text(0), Ok(format!("{:05}", acked - 1)));
}

#[tokio::test]
async fn a_full_database_refuses_cleanly_and_goes_on_once_there_is_room() {
    let place = Place::new();
    let mut config = place.config();
    config.pages_max = Some(400);
    let house = House::over(Store::open(config, &[PROBE]).unwrap()).await;
    let acked = fill(&house).await;
    assert!(acked > 10, "{acked}");
    assert_whole(&house, acked).await;
    assert!(matches!(put(&house, acked).await, Err(StoreFault::DiskFull { .. })), "still full");
    assert_whole(&house, acked).await;

    let free = Stmt::new("DELETE FROM probe_thing WHERE tenant_id = :tenant AND id < '00010'");
    house.store.housekeeping(&house.ctx, Reason::Expiry, vec![free]).await.unwrap();
    put(&house, acked).await.unwrap();

    let House { store, ctx } = house;
    drop(store);
    let house = House { store: place.open(), ctx };
    put(&house, acked + 1).await.unwrap();
    assert_eq!(house.count().await, acked as i64 + 2 - 10);
}

#[test]
fn a_file_that_may_not_grow_refuses_cleanly_and_goes_on_once_it_may() {
    let place = Place::new();
    // The signal that comes with the limit is ignored, so that the write itself fails, as on a full disk.
    let this = child("limited", "disk::limited_process", &place.path());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(this.get_program()).args(this.get_args());
    shell.envs(this.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("recovered"), "{said}");
}

#[tokio::test]
#[ignore = "started by another test"]
async fn limited_process() {
    let Some(path) = child_role("limited") else { return };
    let house = House::over(Store::open(config_at(path.clone()), &[PROBE]).unwrap()).await;
    put(&house, 0).await.unwrap();
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: limit.maximum }).unwrap();
    let mut acked = 1;
    while let Ok(()) = put(&house, acked).await {
        acked += 1;
        assert!(acked < 10_000, "the limit does not hold");
    }
    assert!(matches!(put(&house, acked).await, Err(StoreFault::DiskFull { .. })));
    assert!(!house.store.is_ended());
    assert_whole(&house, acked).await;

    setrlimit(Resource::Fsize, limit).unwrap();
    put(&house, acked).await.unwrap();
    assert_whole(&house, acked + 1).await;
    let House { store, ctx } = house;
    drop(store);
    let house = House { store: Store::open(config_at(path), &[PROBE]).unwrap(), ctx };
    assert_whole(&house, acked + 1).await;
    println!("recovered after {acked}");
}
