//! From tree to checkpoint, and a process that ends between any two steps.

use store::LogId;
use tessera_audit::Readiness;
use tlog::checkpoint::SignedCheckpoint;
use tlog::proof::{consistency_path, verify_consistency};
use tlog::tile::NodeReader;

use crate::house::{House, own_log};

#[tokio::test]
async fn a_checkpoint_bears_both_signatures_of_its_log_ed25519_first() {
    let (house, ctx) = House::with_entries(1).await;
    let keys = house.audit.vkeys(&own_log(&ctx));
    let note = house.audit.checkpoint(&own_log(&ctx)).unwrap();
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    let types: Vec<u8> = keys.iter().map(|key| key.key_type().byte()).collect();
    assert_eq!(types, [0x01, 0x06]);
    assert_eq!(signed.note().lines()[0].key_id, keys[0].id());
    assert_eq!(signed.signers()[1].time_s, Some(crate::house::NOW_S as u64));
}

#[tokio::test]
async fn the_keys_of_one_log_do_not_open_the_checkpoint_of_another() {
    let house = House::new().await;
    let (a, b) = (house.tenant().await, house.tenant().await);
    assert!(house.audit.settle(&house.ctx).await);
    let note = house.audit.checkpoint(&own_log(&a)).or(house.audit.checkpoint(&LogId::house())).unwrap();
    assert!(SignedCheckpoint::open(&note, &house.audit.vkeys(&own_log(&b))).is_err());
}

#[tokio::test]
async fn a_log_that_did_not_grow_is_not_signed_again() {
    let (house, ctx) = House::with_entries(2).await;
    let before = house.audit.checkpoint(&own_log(&ctx)).unwrap();
    assert_eq!(house.audit.publish(&house.ctx).await, []);
    assert_eq!(house.audit.checkpoint(&own_log(&ctx)).unwrap(), before);
}

#[tokio::test]
async fn each_checkpoint_goes_on_from_the_one_before() {
    let (house, ctx) = House::with_entries(3).await;
    let log = own_log(&ctx);
    let old = house.walk(&log).await.unwrap();
    house.append(&ctx, 300).await;
    assert!(house.audit.settle(&house.ctx).await);
    let new = house.walk(&log).await.unwrap();
    let mut tiles = Vec::new();
    for path in tlog::tile::tiles_for_consistency(old.size, new.size) {
        let bytes = house.tile(&log, path).await.unwrap();
        tiles.push((path, tlog::tile::decode_hashes(&bytes, path.width()).unwrap()));
    }
    let tile = |path| tiles.iter().find(|(known, _)| *known == path).map(|(_, hashes)| hashes.clone());
    let mut reader = NodeReader::new(new.size, tile);
    let proof = consistency_path(old.size, new.size, |height, index| reader.node(height, index)).unwrap();
    verify_consistency(old.size, new.size, &proof, &old.root, &new.root).unwrap();
}

#[tokio::test]
async fn a_process_that_ends_before_sequencing_goes_on_after_it() {
    let house = House::new().await;
    let ctx = house.tenant().await;
    house.append(&ctx, 10).await;
    let house = house.restart().await;
    assert!(house.audit.settle(&house.ctx).await);
    assert_eq!(
        house.events(&own_log(&ctx)).await.iter().filter(|name| *name == "server-started").count(),
        10
    );
}

#[tokio::test]
async fn a_process_that_ends_between_sequencing_and_signing_goes_on_after_it() {
    let (house, ctx) = House::with_entries(10).await;
    house.append(&ctx, 300).await;
    house.audit.sequence(&house.ctx).await;
    let house = house.restart().await;
    assert_eq!(house.quarantined(), []);
    assert!(house.audit.settle(&house.ctx).await);
    assert!(house.walk(&own_log(&ctx)).await.unwrap().size >= 310);
}

#[tokio::test]
async fn a_process_that_ends_between_guard_and_row_signs_the_same_tree_again() {
    let (house, ctx) = House::with_entries(10).await;
    let before = house.walk(&own_log(&ctx)).await.unwrap();
    let asleep = house.sleep();
    // What such a crash leaves: the guard knows the checkpoint, the database does not.
    let deleted = asleep.raw().execute("DELETE FROM audit_checkpoint WHERE size > 0", []).unwrap();
    assert!(deleted >= 3);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.quarantined(), []);
    assert_eq!(house.audit.checkpoint(&own_log(&ctx)), None);
    assert!(house.audit.settle(&house.ctx).await);
    assert_eq!(house.walk(&own_log(&ctx)).await.unwrap(), before);
}

#[tokio::test]
async fn readiness_says_how_long_entries_wait_for_a_checkpoint() {
    let (house, ctx) = House::with_entries(1).await;
    let at = |seconds| house.ctx.now + jiff::SignedDuration::from_secs(seconds);
    assert_eq!(house.audit.readiness(at(3_600)), Readiness::Ready);
    house.append(&ctx, 1).await;
    house.audit.sequence(&house.ctx).await;
    assert_eq!(house.audit.readiness(at(5)), Readiness::Ready);
    assert!(matches!(house.audit.readiness(at(11)), Readiness::Degraded(_)));
    assert!(matches!(house.audit.readiness(at(31)), Readiness::Down(_)));
    house.audit.publish(&house.ctx).await;
    assert_eq!(house.audit.readiness(at(31)), Readiness::Ready);
}

#[tokio::test]
async fn a_clock_that_runs_back_never_makes_a_later_checkpoint_look_older_and_is_told_once() {
    let (house, ctx) = House::with_entries(1).await;
    let back = house.ctx.child(house.ctx.now - jiff::SignedDuration::from_secs(3_600));
    for _ in 0..3 {
        house.append(&ctx, 1).await;
        assert!(house.audit.settle(&back).await);
    }
    let note = house.audit.checkpoint(&own_log(&ctx)).unwrap();
    let signed = SignedCheckpoint::open(&note, &house.audit.vkeys(&own_log(&ctx))).unwrap();
    assert_eq!(signed.signers()[1].time_s, Some(crate::house::NOW_S as u64));
    let told = house.events(&LogId::house()).await;
    assert_eq!(told.iter().filter(|name| *name == "clock-ran-back").count(), 1);
}
