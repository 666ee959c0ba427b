//! The first run, and logs whose making was cut short.

use crypto::hash::sha256;
use store::{LogId, LogSpec, TenantId};
use tessera_audit::OpenFault;
use tlog::entry::{Entry, PublicField};

use crate::house::{House, own_log};

#[tokio::test]
async fn a_first_run_makes_the_house_log_and_the_public_system_log() {
    let house = House::new().await;
    let statuses = house.audit.statuses(house.ctx.now);
    let origins: Vec<_> = statuses.iter().map(|status| status.origin.as_str()).collect();
    assert_eq!(origins, ["house.example/log/house", "house.example/log/system"]);
    assert_eq!(house.quarantined(), []);
}

#[tokio::test]
async fn the_system_log_shows_the_fingerprints_of_every_other_log() {
    let (house, ctx) = House::with_entries(0).await;
    let size = house.walk(&LogId::system()).await.unwrap().size;
    let entries = house.entries(&LogId::system(), size).await.unwrap();
    let created: Vec<Entry> = entries.iter().map(|leaf| Entry::decode(leaf).unwrap()).collect();
    for log in [LogId::house(), own_log(&ctx)] {
        let keys = house.audit.vkeys(&log);
        let origin = PublicField::Bytes(sha256(keys[0].name().as_bytes()).to_vec());
        let prints = keys.iter().map(|key| PublicField::Bytes(key.fingerprint().to_vec())).collect();
        let wanted = vec![(10, origin), (11, PublicField::List(prints))];
        let found = created.iter().filter(|entry| entry.kind == "log-created" && entry.public == wanted);
        assert_eq!(found.count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_log_is_made_once_however_often_it_is_asked_for() {
    let (house, ctx) = House::with_entries(2).await;
    house.audit.open_log(&ctx, &ctx.tenant).await.unwrap();
    let house = house.restart().await;
    house.audit.open_log(&ctx, &ctx.tenant).await.unwrap();
    assert!(house.audit.settle(&house.ctx).await);
    let created = house.events(&LogId::system()).await;
    assert_eq!(created.iter().filter(|name| *name == "log-created").count(), 2);
}

#[tokio::test]
async fn a_log_whose_making_was_cut_short_is_finished_by_the_next_start() {
    let house = House::new().await;
    let tenant = TenantId::new(&house.ctx);
    let ctx = house.ctx.for_tenant(tenant.clone());
    // The store has it and takes entries; this room was never told.
    house.store.create_log(&ctx, &LogSpec::of("house.example", &tenant)).await.unwrap();
    house.append(&ctx, 3).await;
    let house = house.restart().await;
    assert!(house.audit.settle(&house.ctx).await);
    assert_eq!(house.walk(&own_log(&ctx)).await.unwrap().size, 3);
}

#[tokio::test]
async fn a_log_that_this_room_was_not_told_of_is_taken_in_while_it_runs() {
    let house = House::new().await;
    let tenant = TenantId::new(&house.ctx);
    let ctx = house.ctx.for_tenant(tenant.clone());
    house.store.create_log(&ctx, &LogSpec::of("house.example", &tenant)).await.unwrap();
    house.append(&ctx, 3).await;
    assert!(house.audit.settle(&house.ctx).await);
    assert_eq!(house.walk(&own_log(&ctx)).await.unwrap().size, 3);
}

#[tokio::test]
async fn a_log_that_the_guard_knows_and_the_database_not_yet_is_finished() {
    let house = House::new().await;
    let ctx = house.tenant().await;
    let asleep = house.sleep();
    // What a crash between the guard and the unit leaves.
    let gone =
        asleep.raw().execute("DELETE FROM audit_log WHERE log_id = ?1", [own_log(&ctx).as_str()]).unwrap();
    assert_eq!(gone, 1);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.quarantined(), []);
    house.append(&ctx, 1).await;
    assert!(house.audit.settle(&house.ctx).await);
    house.walk(&own_log(&ctx)).await.unwrap();
}

#[tokio::test]
async fn an_empty_database_beside_a_guard_that_signed_is_no_first_run() {
    let (house, _) = House::with_entries(1).await;
    let asleep = house.sleep();
    std::fs::remove_dir_all(asleep.dir.path().join("data")).unwrap();
    assert!(matches!(asleep.wake().await, Err(OpenFault::Lost(_))));
}

#[tokio::test]
async fn a_second_process_on_the_same_guard_is_refused() {
    let house = House::new().await;
    let other = store::Store::ephemeral(&crate::house::rooms()).unwrap();
    let config = crate::house::config(house.dir.path());
    let opened =
        tessera_audit::Audit::open(other.clone(), crate::house::custody(&other), config, &house.ctx).await;
    assert!(matches!(opened, Err(OpenFault::Guard(tessera_audit::GuardFault::InUse { .. }))));
}

#[tokio::test]
async fn a_new_host_name_does_not_alter_the_origin_of_a_log() {
    let (house, ctx) = House::with_entries(1).await;
    let asleep = house.sleep();
    let store = crate::house::open_store(asleep.dir.path());
    let mut config = crate::house::config(asleep.dir.path());
    config.origin_host = "elsewhere.example".to_owned();
    let audit = tessera_audit::Audit::open(store.clone(), crate::house::custody(&store), config, &asleep.ctx)
        .await
        .unwrap();
    audit.open_log(&ctx, &ctx.tenant).await.unwrap();
    assert!(audit.statuses(ctx.now).iter().all(|status| status.origin.starts_with("house.example/log/")));
}
