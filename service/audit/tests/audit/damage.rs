//! What must be found at start when somebody edits the files, and what goes on all the same.

use rusqlite::params;
use store::LogId;
use tessera_audit::Readiness;

use crate::house::{Asleep, House, event, is_quarantined, own_log};

/// Makes a house of so many entries, lets `edit` work on its database, starts it again.
async fn edited(count: usize, edit: impl FnOnce(&rusqlite::Connection, &str)) -> (House, store::Ctx) {
    let (house, ctx) = House::with_entries(count).await;
    let asleep = house.sleep();
    edit(&asleep.raw(), own_log(&ctx).as_str());
    (asleep.wake().await.unwrap(), ctx)
}

fn size(conn: &rusqlite::Connection, log: &str) -> i64 {
    conn.query_row("SELECT size FROM audit_log WHERE log_id = ?1", [log], |row| row.get(0)).unwrap()
}

fn copy(asleep: &Asleep, to: &std::path::Path) {
    for name in ["tessera.db", "tessera.db-wal"] {
        let from = asleep.dir.path().join("data").join(name);
        if from.exists() {
            std::fs::copy(from, to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn an_edited_entry_at_the_right_edge_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        let sql = "UPDATE audit_entry SET leaf = CAST(leaf || x'00' AS BLOB) WHERE log_id = ?1 AND idx = 7";
        assert_eq!(conn.execute(sql, [log]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
    assert!(house.walk(&own_log(&ctx)).await.is_err(), "an outsider sees it too");
}

#[tokio::test]
async fn an_edited_entry_under_the_last_full_tile_is_found() {
    let (house, ctx) = edited(256 + 10, |conn, log| {
        let idx = size(conn, log) - 200;
        let sql = "UPDATE audit_entry SET leaf = x'a0' WHERE log_id = ?1 AND idx = ?2";
        assert_eq!(conn.execute(sql, params![log, idx]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn an_edited_full_tile_is_found() {
    let (house, ctx) = edited(600, |conn, log| {
        let sql = "UPDATE audit_tile SET hashes = zeroblob(8192) WHERE log_id = ?1 AND level = 0 AND n = 0";
        assert_eq!(conn.execute(sql, [log]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn a_deleted_entry_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        assert_eq!(conn.execute("DELETE FROM audit_entry WHERE log_id = ?1 AND idx = 7", [log]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
    assert!(house.walk(&own_log(&ctx)).await.is_err());
}

#[tokio::test]
async fn two_swapped_entries_are_found() {
    let (house, ctx) = edited(20, |conn, log| {
        for (from, to) in [(3, -1), (4, 3), (-1, 4)] {
            let sql = "UPDATE audit_entry SET idx = ?3 WHERE log_id = ?1 AND idx = ?2";
            assert_eq!(conn.execute(sql, params![log, from, to]).unwrap(), 1);
        }
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
    assert!(house.walk(&own_log(&ctx)).await.is_err());
}

#[tokio::test]
async fn a_cut_tail_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        let sql = "DELETE FROM audit_entry WHERE log_id = ?1 AND idx >= ?2";
        assert_eq!(conn.execute(sql, params![log, size(conn, log) - 2]).unwrap(), 2);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn a_tail_cut_with_head_and_checkpoints_put_right_is_found_by_the_guard() {
    let (house, ctx) = House::with_entries(5).await;
    let log = own_log(&ctx);
    let asleep = house.sleep();
    let (size, root): (i64, Vec<u8>) =
        asleep.raw_query("SELECT size, root FROM audit_log WHERE log_id = ?1", log.as_str());
    let house = asleep.wake().await.unwrap();
    house.append(&ctx, 3).await;
    assert!(house.audit.settle(&house.ctx).await);
    let asleep = house.sleep();
    let conn = asleep.raw();
    conn.execute("DELETE FROM audit_entry WHERE log_id = ?1 AND idx >= ?2", params![log.as_str(), size])
        .unwrap();
    conn.execute("DELETE FROM audit_checkpoint WHERE log_id = ?1 AND size > ?2", params![log.as_str(), size])
        .unwrap();
    conn.execute(
        "UPDATE audit_log SET size = ?2, root = ?3 WHERE log_id = ?1",
        params![log.as_str(), size, root],
    )
    .unwrap();
    drop(conn);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.breach(&log).as_deref(), Some("I2"));
}

#[tokio::test]
async fn an_entry_added_by_hand_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        let sql = "INSERT INTO audit_entry (tenant_id, log_id, idx, event_id, leaf)
                   SELECT tenant_id, log_id, ?2, randomblob(16), leaf FROM audit_entry WHERE log_id = ?1 AND idx = 0";
        assert_eq!(conn.execute(sql, params![log, size(conn, log)]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn a_forged_root_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        assert_eq!(
            conn.execute("UPDATE audit_log SET root = zeroblob(32) WHERE log_id = ?1", [log]).unwrap(),
            1
        );
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn a_forged_checkpoint_row_is_found() {
    let (house, ctx) = edited(20, |conn, log| {
        conn.execute("UPDATE audit_checkpoint SET note = x'00' WHERE log_id = ?1", [log]).unwrap();
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I1"));
}

#[tokio::test]
async fn an_older_copy_of_the_database_beside_a_newer_guard_is_found() {
    let (house, ctx) = House::with_entries(5).await;
    let asleep = house.sleep();
    let backup = tempfile::tempdir().unwrap();
    copy(&asleep, backup.path());
    let house = asleep.wake().await.unwrap();
    house.append(&ctx, 5).await;
    assert!(house.audit.settle(&house.ctx).await);
    let asleep = house.sleep();
    std::fs::remove_dir_all(asleep.dir.path().join("data")).unwrap();
    std::fs::rename(backup.path(), asleep.dir.path().join("data")).unwrap();
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I2"));
    let last_good = house.walk(&own_log(&ctx)).await.unwrap();
    house.audit.settle(&house.ctx).await;
    assert_eq!(house.walk(&own_log(&ctx)).await.unwrap(), last_good, "nothing is signed on top of it");
}

#[tokio::test]
async fn a_guard_rolled_back_alone_is_found() {
    let (house, ctx) = House::with_entries(5).await;
    let asleep = house.sleep();
    let records = asleep.guard().join("guard.log");
    let old = std::fs::read(&records).unwrap();
    let house = asleep.wake().await.unwrap();
    house.append(&ctx, 5).await;
    assert!(house.audit.settle(&house.ctx).await);
    let asleep = house.sleep();
    std::fs::write(&records, old).unwrap();
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I2"));
}

#[tokio::test]
async fn a_guard_with_another_root_at_the_same_size_is_found() {
    let (house, ctx) = House::with_entries(5).await;
    let mut asleep = house.sleep();
    let records = asleep.guard().join("guard.log");
    // A second house of the same names signs another tree of the same size: its guard is a fork of ours.
    let other = House::seeded(2).await;
    other.append(&other.tenant().await, 5).await;
    assert!(other.audit.settle(&other.ctx).await);
    let fork = other.sleep();
    std::fs::copy(fork.guard().join("guard.log"), &records).unwrap();
    asleep = asleep.later(1);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.breach(&LogId::house()).as_deref(), Some("I2"));
    assert!(is_quarantined(&house.store.record(&ctx, event()).await), "the house log stops every change");
}

#[tokio::test]
async fn a_lost_guard_is_told_apart_from_a_first_run() {
    let (house, ctx) = House::with_entries(5).await;
    let asleep = house.sleep();
    std::fs::remove_dir_all(asleep.guard()).unwrap();
    let house = asleep.wake().await.unwrap();
    for log in [own_log(&ctx), LogId::house(), LogId::system()] {
        assert_eq!(house.breach(&log).as_deref(), Some("I6"), "{log}");
    }
    assert!(is_quarantined(&house.store.record(&house.ctx, event()).await));
}

#[tokio::test]
async fn a_log_that_the_database_forgot_stops_the_instance() {
    let (house, ctx) = edited(5, |conn, log| {
        conn.execute("DELETE FROM audit_log WHERE log_id = ?1", [log]).unwrap();
        conn.execute("DELETE FROM store_log WHERE log_id = ?1", [log]).unwrap();
    })
    .await;
    assert_eq!(house.breach(&LogId::system()).as_deref(), Some("I6"));
    assert!(is_quarantined(&house.store.record(&ctx, event()).await));
}

#[tokio::test]
async fn a_pending_event_that_is_in_the_tree_already_is_found() {
    let (house, ctx) = edited(5, |conn, log| {
        let sql = "INSERT INTO store_event (log_id, event_id, leaf, at_ms)
                   SELECT log_id, event_id, leaf, 0 FROM audit_entry WHERE log_id = ?1 AND idx = 2";
        assert_eq!(conn.execute(sql, [log]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I4"));
}

#[tokio::test]
async fn a_pending_event_that_is_in_the_tree_is_found_behind_hundreds_that_are_not() {
    let (house, ctx) = edited(5, |conn, log| {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
                   INSERT INTO store_event (log_id, event_id, leaf, at_ms) SELECT ?1, randomblob(16), x'a0', 0 FROM n";
        assert_eq!(conn.execute(sql, [log]).unwrap(), 1_100);
        let sql = "INSERT INTO store_event (log_id, event_id, leaf, at_ms)
                   SELECT log_id, event_id, leaf, 0 FROM audit_entry WHERE log_id = ?1 AND idx = 2";
        assert_eq!(conn.execute(sql, [log]).unwrap(), 1);
    })
    .await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I4"));
}

#[tokio::test]
async fn a_pending_event_that_comes_back_while_the_house_runs_stops_its_log() {
    let (house, ctx) = House::with_entries(5).await;
    let conn = rusqlite::Connection::open(house.dir.path().join("data/tessera.db")).unwrap();
    let sql = "INSERT INTO store_event (log_id, event_id, leaf, at_ms)
               SELECT log_id, event_id, leaf, 0 FROM audit_entry WHERE log_id = ?1 AND idx = 2";
    conn.execute(sql, [own_log(&ctx).as_str()]).unwrap();
    house.append(&ctx, 1).await;
    house.audit.sequence(&house.ctx).await;
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I4"));
    assert!(house.audit.settle(&house.ctx).await || !house.quarantined().is_empty());
    house.walk(&own_log(&ctx)).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_ran_back_is_found_and_a_small_step_is_not() {
    let (house, ctx) = House::with_entries(5).await;
    let asleep = house.sleep().later(-5);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.quarantined(), []);
    let asleep = house.sleep().later(-1);
    let house = asleep.wake().await.unwrap();
    assert_eq!(house.breach(&own_log(&ctx)).as_deref(), Some("I5"));
    let house = house.sleep().later(6).wake().await.unwrap();
    assert_eq!(house.quarantined(), [], "a clock put right is all that is needed");
}

#[tokio::test]
async fn a_quarantined_log_stops_its_tenant_alone_and_says_why() {
    let (house, ctx) = House::with_entries(20).await;
    let other = house.tenant().await;
    house.append(&other, 1).await;
    assert!(house.audit.settle(&house.ctx).await);
    let asleep = house.sleep();
    let sql = "DELETE FROM audit_entry WHERE log_id = ?1 AND idx = 7";
    asleep.raw().execute(sql, [own_log(&ctx).as_str()]).unwrap();
    let house = asleep.wake().await.unwrap();
    assert!(is_quarantined(&house.store.record(&ctx, event()).await));
    house.append(&other, 1).await;
    house.audit.settle(&house.ctx).await;
    house.walk(&other_log(&other)).await.unwrap();
    assert!(house.audit.checkpoint(&own_log(&ctx)).is_some(), "the last good checkpoint goes on");
    let Readiness::Down(reason) = house.audit.readiness(house.ctx.now) else { panic!("not ready") };
    assert!(reason.contains("I1") && reason.contains("tessera ledger"), "{reason}");
    assert!(house.events(&LogId::house()).await.contains(&"quarantine-entered".to_owned()));
}

fn other_log(ctx: &store::Ctx) -> LogId {
    own_log(ctx)
}

impl Asleep {
    fn raw_query(&self, sql: &str, log: &str) -> (i64, Vec<u8>) {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.query_row(sql, [log], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }
}
