//! Crashes: the store of a relay is let go of in the middle, and another relay is opened over the same folder. Killing the process
//! itself is tried on the program, in `app/tessera/tests`.

use crate::house::{Client, House, ROUND_MS, cell, number_of, store_in};
use mailbox::frame::TurnCode;

async fn house_in(folder: &std::path::Path, now: jiff::Timestamp) -> House {
    House::over(store_in(folder), now, |_| {}).await
}

/// The relay of `folder` again, `ms` later: what was in memory is gone.
async fn reopened(house: House, folder: &std::path::Path, ms: u64) -> House {
    house.sequence().await;
    let now = house.edge.clock().now() + jiff::SignedDuration::from_millis(ms as i64);
    drop(house);
    // The writer thread of the old store ends when its last holder is gone, and only then gives up its lock.
    for _ in 0..2_000 {
        match store::Store::open(
            store::StoreConfig::new(folder.join("relay.db"), crypto::secret::Secret::new([7; 32])),
            &crate::house::migrations(),
        ) {
            Ok(store) => return House::over(store, now, |_| {}).await,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
    panic!("the old store never ended");
}

async fn numbers(house: &House, round: u64) -> Vec<u32> {
    let (status, rows) = house.get(&format!("/relay/v1/buckets/0/{round}/0")).await;
    assert_eq!(status, 200, "round {round}");
    rows.as_chunks::<512>().0.iter().map(number_of).collect()
}

#[tokio::test]
async fn cells_that_were_accepted_before_a_crash_are_published_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_in(folder.path(), crate::house::NOW.parse().unwrap()).await;
    let round = house.round();
    for number in 0..20 {
        assert_eq!(house.client().await.take(round, &cell(number)).await, TurnCode::Accepted);
    }
    // Down for longer than the round.
    let house = reopened(house, folder.path(), 3 * ROUND_MS).await;
    assert_eq!(numbers(&house, round).await, (0..20).collect::<Vec<_>>());
    assert_eq!(
        house.get(&format!("/relay/v1/rounds/0/{}", round + 1)).await.0,
        404,
        "nobody made up a round"
    );
}

#[tokio::test]
async fn a_round_goes_on_after_a_crash_within_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_in(folder.path(), crate::house::NOW.parse().unwrap()).await;
    let round = house.round();
    house.client().await.take(round, &cell(1)).await;
    let house = reopened(house, folder.path(), 5_000).await;
    assert_eq!(house.round(), round);
    let mut bo = house.client().await;
    assert_eq!(bo.take(round, &cell(2)).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    let (of, rows) = bo.rows().await;
    assert_eq!((of, rows.iter().map(number_of).collect::<Vec<_>>()), (round, vec![1, 2]));
}

#[tokio::test]
async fn a_crash_at_any_of_many_points_loses_no_accepted_cell_and_publishes_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = house_in(folder.path(), crate::house::NOW.parse().unwrap()).await;
    let mut accepted: Vec<(u64, u32)> = Vec::new();
    // Twenty crashes, each at another moment of a round: while it collects, closed, mixed, published, just begun.
    for number in 0..20u32 {
        let crash = u64::from(number);
        let mut client: Client = house.client().await;
        let round = house.round();
        if client.take(round, &cell(number)).await == TurnCode::Accepted {
            accepted.push((round, number));
        }
        house.pass(crash * 2_900 % ROUND_MS).await;
        drop(client);
        house = reopened(house, folder.path(), crash * 7_300 % (2 * ROUND_MS)).await;
    }
    house.pass(3 * ROUND_MS).await;
    assert!(accepted.len() >= 8, "{} were accepted", accepted.len());
    for (round, number) in &accepted {
        let found = numbers(&house, *round).await.into_iter().filter(|found| found == number).count();
        assert_eq!(found, 1, "cell {number} of round {round}");
    }
    assert_eq!(house.count("relay-round-stalled").await, 0);
}

#[tokio::test]
async fn a_restart_keeps_the_network_and_refuses_another_rhythm() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_in(folder.path(), crate::house::NOW.parse().unwrap()).await;
    let known = house.manifest();
    let house = reopened(house, folder.path(), 1_000).await;
    assert_eq!(house.manifest(), known);
    assert_eq!(house.count("relay-network-changed").await, 1);
    let other = tessera_relay::Relay::new(
        house.store.clone(),
        custody_of(&house),
        tessera_relay::Config { round_ms: 30_000, fast_round_ms: 0, ..house.relay.config().clone() },
    );
    let refused = other.open(&house.ctx()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the network of this store has round_ms = 60000, not 30000");
}

fn custody_of(house: &House) -> custody::Custody {
    let settings = custody::Settings::new("http://localhost:8100", true, custody::Config::default());
    let edge = &house.edge;
    custody::Custody::new(house.store.clone(), edge.tenancy(), edge.tokens().own().clone(), settings)
}

#[tokio::test]
async fn cells_of_an_epoch_whose_key_is_erased_are_let_go_of_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_in(folder.path(), crate::house::NOW.parse().unwrap()).await;
    let round = house.round();
    house.client().await.take(round, &cell(1)).await;
    // The key goes before the cells are looked at, as when a relay is down past the end of its epoch.
    let store = house.store.clone();
    let ctx = house.ctx();
    let gone = store::Stmt::new("DELETE FROM relay_epoch_key WHERE tenant_id = :tenant");
    store.housekeeping(&ctx, store::Reason::Expiry, vec![gone]).await.unwrap();
    drop((store, ctx));
    let house = reopened(house, folder.path(), 3 * ROUND_MS).await;
    assert_eq!(house.get(&format!("/relay/v1/rounds/0/{round}")).await.0, 404);
    assert_eq!(house.count("relay-round-stalled").await, 1);
}
