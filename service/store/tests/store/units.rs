//! Units: all of it or nothing, one event each, guards that hold once.

use std::convert::Infallible;

use store::{CommitError, Stmt, StoreFault, Unit};

use crate::fixture::{self, House, ThingSpent, act};

#[tokio::test]
async fn a_unit_writes_its_rows_and_its_event() {
    let house = House::new().await;
    let unit = Unit::<Infallible>::new(act("key_1")).put(Stmt::new(fixture::PUT).text("a").blob(*b"note"));
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
    let unit = || {
        Unit::new(act("key_1"))
            .put(Stmt::new(fixture::PUT).text("a").blob(*b"note"))
            .guard(Stmt::new(fixture::SPEND).text("b"), ThingSpent)
    };
    assert_eq!(house.store.commit(&house.ctx, unit()).await, Err(CommitError::Lost(ThingSpent)));
    assert_eq!(house.count().await, 0);
    assert_eq!(house.events().await, ["request-refused"]);
}

#[tokio::test]
async fn a_statement_that_fails_takes_its_unit_with_it_and_writes_no_event() {
    let house = House::new().await;
    let put = || Stmt::new(fixture::PUT).text("a").blob(*b"note");
    let unit = Unit::<Infallible>::new(act("key_1")).put(put()).put(put());
    let fault = house.store.commit(&house.ctx, unit).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::Constraint { .. })), "{fault:?}");
    assert_eq!(house.count().await, 0);
    assert!(house.events().await.is_empty());
}
