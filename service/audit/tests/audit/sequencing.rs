//! From pending to tree.

use std::collections::BTreeSet;

use store::LogId;
use tessera_audit::{Audit, ProofAnswer, Stepped};
use tlog::proof_file::ProofFile;
use tlog::tile::{Level, TilePath};

use crate::house::{House, config, own_log};

#[tokio::test]
async fn an_event_is_sequenced_signed_and_proven_to_an_outsider() {
    let house = House::new().await;
    let ctx = house.tenant().await;
    let event = house.append(&ctx, 1).await[0];
    assert_eq!(house.audit.proof_of(&ctx, event).await.unwrap(), ProofAnswer::NotCovered);
    house.audit.sequence(&house.ctx).await;
    assert_eq!(house.audit.proof_of(&ctx, event).await.unwrap(), ProofAnswer::NotCovered);
    house.audit.publish(&house.ctx).await;
    let ProofAnswer::File(file) = house.audit.proof_of(&ctx, event).await.unwrap() else {
        panic!("covered by now")
    };
    let proven = ProofFile::parse(&file).unwrap().verify(&house.audit.vkeys(&own_log(&ctx))).unwrap();
    assert_eq!(proven.entry.event_id, *event.bytes());
    assert_eq!(proven.detail, None);
}

#[tokio::test]
async fn the_event_of_one_tenant_has_no_proof_in_the_log_of_another() {
    let house = House::new().await;
    let (a, b) = (house.tenant().await, house.tenant().await);
    let event = house.append(&a, 1).await[0];
    assert!(house.audit.settle(&house.ctx).await);
    assert_eq!(house.audit.proof_of(&b, event).await.unwrap(), ProofAnswer::Unknown);
}

#[tokio::test]
async fn entries_cross_tile_boundaries_and_every_published_width_is_served() {
    let house = House::new().await;
    let ctx = house.tenant().await;
    let log = own_log(&ctx);
    let mut sizes = BTreeSet::new();
    for count in [1, 200, 54, 1, 1, 1, 254, 600] {
        house.append(&ctx, count).await;
        assert!(house.audit.settle(&house.ctx).await);
        sizes.insert(house.walk(&log).await.unwrap().size);
    }
    let size = *sizes.last().unwrap();
    assert!(size > 1_000, "{size}");
    for width in 1..=255 {
        let early = TilePath { level: Level::Hashes(0), n: 1, width: Some(width) };
        let whole = house.tile(&log, TilePath { width: None, ..early }).await.unwrap();
        assert_eq!(house.tile(&log, early).await.unwrap(), whole[..32 * usize::from(width)]);
    }
    let top = TilePath::at(Level::Hashes(1), 0, size).unwrap();
    assert_eq!(house.tile(&log, top).await.unwrap().len(), 32 * (size / 256) as usize);
    let beyond = TilePath {
        width: Some((size % 256) as u8 + 1),
        ..TilePath::at(Level::Entries, size / 256, size).unwrap()
    };
    assert_eq!(house.tile(&log, beyond).await, None);
    assert_eq!(house.tile(&log, TilePath { n: size / 256 + 1, ..top }).await, None);
}

#[tokio::test]
async fn nothing_unpublished_is_served() {
    let (house, ctx) = House::with_entries(3).await;
    let log = own_log(&ctx);
    let size = house.walk(&log).await.unwrap().size;
    house.append(&ctx, 1).await;
    house.audit.sequence(&house.ctx).await;
    let fresh = TilePath::at(Level::Entries, 0, size + 1).unwrap();
    assert_eq!(house.tile(&log, fresh).await, None);
    assert_eq!(house.walk(&log).await.unwrap().size, size);
}

#[tokio::test]
async fn two_sequencers_race_one_lease_and_every_entry_is_there_once() {
    let house = House::new().await;
    let ctx = house.tenant().await;
    let folder = tempfile::tempdir().unwrap();
    let open =
        Audit::open(house.store.clone(), house.custody.clone(), config(folder.path()), &house.ctx).await;
    let second = open.unwrap();
    let log = own_log(&ctx);
    let mut events = BTreeSet::new();
    let mut lost = 0;
    for _ in 0..20 {
        events.extend(house.append(&ctx, 20).await.into_iter().map(|id| *id.bytes()));
        let (a, b) =
            tokio::join!(house.audit.sequence_step(&house.ctx, &log), second.sequence_step(&house.ctx, &log));
        for stepped in [a.unwrap(), b.unwrap()] {
            lost += usize::from(stepped == Stepped::LeaseLost);
        }
    }
    assert!(lost > 0, "nobody ever lost: nothing was raced for");
    assert!(house.quarantined().is_empty());
    assert!(house.audit.settle(&house.ctx).await);
    let size = house.walk(&log).await.unwrap().size;
    let entries = house.entries(&log, size).await.unwrap();
    let ids: Vec<_> = entries.iter().map(|leaf| tlog::entry::Entry::decode(leaf).unwrap().event_id).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    assert!(events.is_subset(&ids.into_iter().collect()));
}

#[tokio::test]
async fn no_leaf_holds_the_detail_of_its_event() {
    let (house, ctx) = House::with_entries(5).await;
    for log in [own_log(&ctx), LogId::house(), LogId::system()] {
        let size = house.walk(&log).await.unwrap().size;
        for leaf in house.entries(&log, size).await.unwrap() {
            assert!(!leaf.windows(6).any(|window| window == b"canary"));
            assert!(!leaf.windows(4).any(|window| window == b"ten_"));
        }
    }
}

#[test]
fn every_statement_prepares_on_sqlite() {
    store::conformance::try_on_sqlite(&[tessera_audit::MIGRATIONS], tessera_audit::STATEMENTS).unwrap();
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: set TESSERA_TEST_PG"]
async fn every_statement_prepares_on_postgresql() {
    let url = std::env::var(store::conformance::POSTGRES_URL).unwrap();
    let tried =
        store::conformance::try_on_postgres(&url, &[tessera_audit::MIGRATIONS], tessera_audit::STATEMENTS);
    tried.await.unwrap();
}

#[tokio::test]
async fn an_unknown_log_is_named() {
    let house = House::new().await;
    let log = LogId::parse("t/nobody").unwrap();
    let fault = house.audit.sequence_step(&house.ctx, &log).await.unwrap_err();
    assert_eq!(fault.to_string(), "there is no log t/nobody");
}
