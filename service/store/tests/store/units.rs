//! Units: all of it or nothing, one event each, guards that hold once.

use std::convert::Infallible;

use store::{CommitError, Reason, Stmt, StoreFault, UNIT_BYTES_MAX, UNIT_STATEMENTS_MAX, Unit};
use tokio::task::JoinSet;

use crate::fixture::{self, House, Place, ThingSpent, act};

type Plain = Unit<Infallible>;

#[tokio::test]
async fn a_unit_writes_its_rows_and_its_event() {
    let house = House::new().await;
    let unit = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT).text("a").blob(*b"note"));
    let committed = house.store.commit(&house.ctx, unit).await.unwrap();
    assert_eq!(house.count().await, 1);
    let entries = house.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(&entries[0].event_id, committed.event_id.bytes());
    assert_eq!(entries[0].second, 1_767_225_600);
}

#[tokio::test]
async fn a_lost_guard_leaves_nothing_but_the_refusals_event() {
    let house = House::new().await;
    let unit = Unit::new(act("key_1"))
        .put(Stmt::new(fixture::PUT).text("a").blob(*b"note"))
        .guard(Stmt::new(fixture::SPEND).text("b"), ThingSpent);
    assert_eq!(house.store.commit(&house.ctx, unit).await, Err(CommitError::Lost(ThingSpent)));
    assert_eq!(house.count().await, 0);
    assert_eq!(house.events().await, ["request-refused"]);
}

#[tokio::test]
async fn a_guard_that_touches_two_rows_is_lost_too() {
    let house = House::new().await;
    for id in ["a", "b"] {
        let unit = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text(id));
        house.store.commit(&house.ctx, unit).await.unwrap();
    }
    let both = Stmt::new("UPDATE probe_thing SET spent_at_ms = :now WHERE tenant_id = :tenant");
    let unit = Unit::new(act("key_1")).guard(both, ThingSpent);
    assert_eq!(house.store.commit(&house.ctx, unit).await, Err(CommitError::Lost(ThingSpent)));
    let rows = house.store.read(&house.ctx).many(Stmt::new(fixture::THINGS), 9).await.unwrap();
    assert!(rows.iter().all(|row| row.opt_int(1) == Ok(None)));
}

#[tokio::test]
async fn a_statement_that_fails_takes_its_unit_with_it_and_writes_no_event() {
    let house = House::new().await;
    let put = || Stmt::new(fixture::PUT).text("canary").blob(*b"note");
    let fault =
        house.store.commit(&house.ctx, Plain::new(act("key_1")).put(put()).put(put())).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::Constraint { .. })), "{fault:?}");
    assert!(!format!("{fault:?}").contains("canary"), "no parameter shows");
    assert_eq!(house.count().await, 0);
    assert!(house.events().await.is_empty());
}

#[tokio::test]
async fn parameters_are_bound_by_their_number_and_not_by_their_place() {
    let house = House::new().await;
    let stmt = Stmt::new("SELECT $2, :now, $1, $2, :tenant").int(1).text("two");
    let row = house.store.read(&house.ctx).one(stmt).await.unwrap().unwrap();
    assert_eq!(
        (row.text(0).unwrap(), row.int(2).unwrap(), row.text(3).unwrap()),
        ("two".into(), 1, "two".into())
    );
    assert_eq!(row.int(1).unwrap(), fixture::now().as_millisecond());
    assert_eq!(row.text(4).unwrap(), house.ctx.tenant.as_str());
}

#[tokio::test]
async fn a_statement_with_a_missing_or_extra_parameter_is_a_fault_and_not_a_null() {
    let house = House::new().await;
    for stmt in [Stmt::new(fixture::PUT).text("a"), Stmt::new(fixture::COUNT).int(1)] {
        let fault = house.store.read(&house.ctx).one(stmt).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Statement { .. }), "{fault}");
    }
}

#[tokio::test]
async fn events_stand_in_the_order_of_their_commits() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(house.store.record(&house.ctx, act("key_1")).await.unwrap().event_id);
    }
    let taken = house.store.take_pending(&house.ctx, &house.log(), 512).await.unwrap();
    assert_eq!(taken.iter().map(|entry| entry.event_id).collect::<Vec<_>>(), ids);
    assert!(taken.is_sorted_by(|a, b| a.seq < b.seq));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_parallel_tries_one_spends_and_63_are_refused() {
    let house = House::new().await;
    let unit = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text("code"));
    house.store.commit(&house.ctx, unit).await.unwrap();
    let mut tries = JoinSet::new();
    for _ in 0..64 {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        tries.spawn(async move {
            let unit = Unit::new(act("key_2")).guard(Stmt::new(fixture::SPEND).text("code"), ThingSpent);
            store.commit(&ctx, unit).await
        });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(CommitError::Lost(ThingSpent))).count(), 63);
    let events = house.events().await;
    assert_eq!(events.iter().filter(|name| *name == "key-changed").count(), 2);
    assert_eq!(events.iter().filter(|name| *name == "request-refused").count(), 63);
}

#[tokio::test]
async fn units_that_wait_share_a_transaction_and_a_fault_of_one_is_not_the_others() {
    let place = Place::new();
    let house = House::over(place.open()).await;
    // A lock from outside holds the writer until all of them wait.
    let mut other = rusqlite::Connection::open(place.path()).unwrap();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let before = house.store.transactions();
    let mut units = JoinSet::new();
    for number in 0..64 {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        // Every eighth meets a row that is there.
        let id = if number % 8 == 7 { "0".to_owned() } else { number.to_string() };
        let unit = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT).text(id).blob(*b""));
        units.spawn(async move { store.commit(&ctx, unit).await.is_ok() });
    }
    tokio::task::yield_now().await;
    held.rollback().unwrap();
    let outcomes = units.join_all().await;
    assert_eq!(outcomes.iter().filter(|done| **done).count(), 56);
    assert_eq!(house.count().await, 56);
    assert_eq!(house.events().await.len(), 56);
    let transactions = house.store.transactions() - before;
    assert!(transactions < 64, "{transactions} transactions for 64 units");
}

#[tokio::test]
async fn many_who_commit_again_and_again_share_transactions_and_one_alone_shares_none() {
    let house = House::new().await;
    let before = house.store.transactions();
    for _ in 0..8 {
        house.store.record(&house.ctx, act("key_1")).await.unwrap();
    }
    assert_eq!(house.store.transactions() - before, 8, "whoever is alone waits for nobody");
    let before = house.store.transactions();
    let mut committers = JoinSet::new();
    for _ in 0..16 {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        committers.spawn(async move {
            for _ in 0..8 {
                store.record(&ctx, act("key_1")).await.unwrap();
            }
        });
    }
    committers.join_all().await;
    let transactions = house.store.transactions() - before;
    assert!(transactions < 64, "{transactions} transactions for 128 units");
    assert_eq!(house.events().await.len(), 136);
}

#[tokio::test]
async fn whatever_a_unit_does_its_neighbours_in_the_transaction_get_their_own_outcomes() {
    let place = Place::new();
    let house = House::over(place.open()).await;
    let taken = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text("taken"));
    house.store.commit(&house.ctx, taken).await.unwrap();
    let mut other = rusqlite::Connection::open(place.path()).unwrap();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut tries = JoinSet::new();
    for number in 0..300_usize {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        let put = Stmt::new(fixture::PUT_ONCE).text(format!("new-{number}"));
        let guard = |id: &str| Stmt::new(fixture::SPEND).text(id);
        // Runs of one kind and mixtures, so that groups of either sort meet each.
        let kind = if number < 100 { 0 } else { number * 7 % 6 };
        tries.spawn(async move {
            let unit = Unit::new(act("key_1"));
            let outcome = match kind {
                0 => store.commit(&ctx, unit.put(put)).await,
                1 => store.commit(&ctx, unit.guard(guard("absent"), ThingSpent).put(put)).await,
                2 => store.commit(&ctx, unit.put(put).guard(guard("absent"), ThingSpent)).await,
                3 => {
                    store
                        .commit(
                            &ctx,
                            unit.put(put.clone()).put(Stmt::new(fixture::PUT).text("taken").blob(*b"")),
                        )
                        .await
                }
                4 => {
                    let stmts = vec![put];
                    let held =
                        store.housekeeping_guarded(&ctx, Reason::Cursor, vec![guard("absent")], stmts).await;
                    assert_eq!(held, Ok(false));
                    return kind;
                }
                _ => {
                    let guards = vec![put];
                    let held = store.housekeeping_guarded(&ctx, Reason::Cursor, guards, Vec::new()).await;
                    assert_eq!(held, Ok(true));
                    return kind;
                }
            };
            match kind {
                0 => assert!(outcome.is_ok()),
                1 | 2 => assert_eq!(outcome, Err(CommitError::Lost(ThingSpent))),
                _ => assert!(matches!(outcome, Err(CommitError::Fault(StoreFault::Constraint { .. })))),
            }
            kind
        });
    }
    tokio::task::yield_now().await;
    held.rollback().unwrap();
    let kinds = tries.join_all().await;
    let of = |wanted: &[usize]| kinds.iter().filter(|kind| wanted.contains(kind)).count();
    assert_eq!(house.count().await as usize, 1 + of(&[0, 5]));
    let events = house.events().await;
    assert_eq!(events.iter().filter(|name| *name == "key-changed").count(), 1 + of(&[0]));
    assert_eq!(events.iter().filter(|name| *name == "request-refused").count(), of(&[1, 2]));
    assert_eq!(
        house.store.waiting()[&house.log()].rows as usize,
        events.len(),
        "what was undone is not counted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_never_sees_half_a_unit() {
    let house = House::new().await;
    let set = "UPDATE probe_thing SET spent_at_ms = $2 WHERE tenant_id = :tenant AND id = $1";
    let mut unit = Plain::new(act("key_1"));
    for id in ["a", "b"] {
        unit = unit.put(Stmt::new(fixture::PUT_ONCE).text(id)).put(Stmt::new(set).text(id).int(0));
    }
    house.store.commit(&house.ctx, unit).await.unwrap();
    let (store, ctx) = (house.store.clone(), house.ctx.clone());
    let writing = tokio::spawn(async move {
        for number in 1..=200 {
            let both = ["a", "b"].map(|id| Stmt::new(set).text(id).int(number));
            store.commit(&ctx, Plain::new(act("key_1")).put_all(both)).await.unwrap();
        }
    });
    let mut last = 0;
    while last < 200 {
        let rows = house.store.read(&house.ctx).many(Stmt::new(fixture::THINGS), 9).await.unwrap();
        let (a, b) = (rows[0].int(1).unwrap(), rows[1].int(1).unwrap());
        assert_eq!(a, b);
        assert!(a >= last, "time went back for a reader");
        last = a;
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_unit_that_is_too_large_is_refused_before_it_waits() {
    let house = House::new().await;
    let put = |number: usize| Stmt::new(fixture::PUT_ONCE).text(number.to_string());
    let exact = Plain::new(act("key_1")).put_all((0..UNIT_STATEMENTS_MAX).map(put));
    house.store.commit(&house.ctx, exact).await.unwrap();
    let many = Plain::new(act("key_1")).put_all((0..=UNIT_STATEMENTS_MAX).map(|number| put(number + 100)));
    let wide =
        Plain::new(act("key_1")).put(Stmt::new(fixture::PUT).text("wide").blob(vec![0; UNIT_BYTES_MAX]));
    for unit in [many, wide] {
        let fault = house.store.commit(&house.ctx, unit).await.unwrap_err();
        assert!(matches!(fault, CommitError::Fault(StoreFault::UnitTooLarge { .. })), "{fault:?}");
    }
    assert_eq!(house.count().await, UNIT_STATEMENTS_MAX as i64);
}

#[tokio::test]
async fn housekeeping_writes_no_event_and_counts_its_rows() {
    let house = House::new().await;
    let put = ["a", "b"].map(|id| Stmt::new(fixture::PUT_ONCE).text(id));
    let rows = house.store.housekeeping(&house.ctx, Reason::Cursor, put.to_vec()).await.unwrap();
    assert_eq!((rows, house.count().await), (2, 2));
    assert!(house.events().await.is_empty());
}

#[tokio::test]
async fn guarded_housekeeping_does_nothing_when_its_guard_is_lost() {
    let house = House::new().await;
    let put = |id: &str| vec![Stmt::new(fixture::PUT_ONCE).text(id)];
    let (store, ctx) = (&house.store, &house.ctx);
    store.beat().await.unwrap();
    assert!(store.housekeeping_guarded(ctx, Reason::Cursor, put("a"), put("b")).await.unwrap());
    assert!(!store.housekeeping_guarded(ctx, Reason::Cursor, put("a"), put("c")).await.unwrap());
    assert_eq!(house.count().await, 2);
}

#[tokio::test]
async fn a_read_cannot_write_attach_or_set_anything() {
    let house = House::new().await;
    let tries = [
        Stmt::new("INSERT INTO probe_thing (tenant_id, id) VALUES (:tenant, 'x')"),
        Stmt::new("DELETE FROM store_event"),
        Stmt::new("PRAGMA query_only = 0"),
        Stmt::new("ATTACH DATABASE ':memory:' AS other"),
        Stmt::new("CREATE TABLE probe_more (a TEXT)"),
        Stmt::new("BEGIN"),
        Stmt::new("SELECT load_extension('x')"),
    ];
    for stmt in tries {
        let sql = stmt.sql();
        assert!(house.store.read(&house.ctx).one(stmt).await.is_err(), "{sql}");
    }
    assert_eq!(house.count().await, 0);
}

#[tokio::test]
async fn a_tenant_reads_its_own_rows_only() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let unit = Plain::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text("a"));
    house.store.commit(&house.ctx, unit).await.unwrap();
    assert_eq!((house.count().await, other.count().await), (1, 0));
    let spend = Unit::new(act("key_1")).guard(Stmt::new(fixture::SPEND).text("a"), ThingSpent);
    assert_eq!(other.store.commit(&other.ctx, spend).await, Err(CommitError::Lost(ThingSpent)));
    assert_eq!((house.events().await.len(), other.events().await.len()), (1, 1));
}

#[tokio::test]
async fn an_append_only_table_refuses_update_delete_replace_and_holes() {
    let house = House::new().await;
    let line =
        |idx: i64| Stmt::new("INSERT INTO probe_line (log_id, idx, text) VALUES ('l', $1, 'x')").int(idx);
    let run = |stmt: Stmt| house.store.housekeeping(&house.ctx, Reason::Cursor, vec![stmt]);
    run(line(0)).await.unwrap();
    run(line(1)).await.unwrap();
    let tries = [
        Stmt::new("UPDATE probe_line SET text = 'y' WHERE idx = 1"),
        Stmt::new("UPDATE OR REPLACE probe_line SET idx = 0 WHERE idx = 1"),
        Stmt::new("DELETE FROM probe_line"),
        Stmt::new("INSERT OR REPLACE INTO probe_line (log_id, idx, text) VALUES ('l', 1, 'y')"),
        Stmt::new("REPLACE INTO probe_line (log_id, idx, text) VALUES ('l', 0, 'y')"),
        Stmt::new(
            "INSERT INTO probe_line (log_id, idx, text) VALUES ('l', 1, 'y')
             ON CONFLICT (log_id, idx) DO UPDATE SET text = 'y'",
        ),
        line(1),
        line(3),
        line(-1),
    ];
    for stmt in tries {
        let sql = stmt.sql();
        let fault = run(stmt).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Constraint { .. }), "{sql}: {fault}");
    }
    let rows =
        house.store.read(&house.ctx).many(Stmt::new("SELECT text FROM probe_line ORDER BY idx"), 9).await;
    assert_eq!(rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), ["x", "x"]);
}
