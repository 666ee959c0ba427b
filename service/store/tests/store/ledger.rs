//! Events on their way to the log: what is public, what is sealed, what stops them.

use std::convert::Infallible;

use store::{
    CommitError, DetailQuery, EventId, LogId, LogKind, LogSpec, PendingBounds, Reason, Stmt, StoreFault,
    TenantId, Unit, spend_pending,
};
use tlog::commitment;
use tlog::event::Event;
use tokio::task::JoinSet;

use crate::fixture::{self, House, PROBE, Place, SECOND, ThingSpent, act, act_about};

#[tokio::test]
async fn a_detail_opens_to_what_its_leaf_commits_to() {
    let house = House::new().await;
    let event = act("key_1");
    let committed = house.store.record(&house.ctx, event.clone()).await.unwrap();
    let detail =
        house.store.detail(&house.ctx, &house.log(), committed.event_id, SECOND).await.unwrap().unwrap();
    let salted = detail.detail.unwrap();
    assert_eq!(salted.detail, event.detail());
    assert!(salted.fits(&house.entries().await[0].detail));
    assert_eq!((detail.event_type.as_str(), detail.actor.as_deref()), ("key-changed", Some("opr_ana")));
    assert_eq!(detail.at_ms, fixture::now().as_millisecond());
}

#[tokio::test]
async fn an_event_about_a_person_commits_to_the_person_and_links_to_no_other_entry() {
    let house = House::new().await;
    for purpose in ["one", "two"] {
        house.store.record(&house.ctx, act_about("opr_bo", purpose)).await.unwrap();
    }
    let entries = house.entries().await;
    assert!(entries.iter().all(|entry| entry.subject.is_some()));
    assert_ne!(entries[0].subject, entries[1].subject);
    let details = house.store.details_about(&house.ctx, &house.log(), "operator", "opr_bo").await.unwrap();
    assert_eq!(details.len(), 2);
    assert!(details.iter().all(|detail| detail.detail.is_some()));
    let nobody = house.store.details_about(&house.ctx, &house.log(), "holder", "opr_bo").await.unwrap();
    assert!(nobody.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_new_to_the_log_gets_one_key_whoever_comes_first() {
    let house = House::new().await;
    let mut acts = JoinSet::new();
    for number in 0..64 {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        acts.spawn(
            async move { store.record(&ctx, act_about("opr_bo", &number.to_string())).await.unwrap() },
        );
    }
    acts.join_all().await;
    let keys = Stmt::new("SELECT COUNT(*) FROM store_subject");
    assert_eq!(house.store.read(&house.ctx).one(keys).await.unwrap().unwrap().int(0), Ok(1));
    let details = house.store.details_about(&house.ctx, &house.log(), "operator", "opr_bo").await.unwrap();
    assert_eq!(details.iter().filter(|detail| detail.detail.is_some()).count(), 64);
}

#[tokio::test]
async fn without_the_persons_key_the_detail_stays_shut_and_the_leaf_stays_whole() {
    let house = House::new().await;
    house.store.record(&house.ctx, act_about("opr_bo", "one")).await.unwrap();
    let before = house.entries().await;
    let forget = Stmt::new("DELETE FROM store_subject WHERE tenant_id = :tenant");
    house.store.housekeeping(&house.ctx, Reason::Expiry, vec![forget]).await.unwrap();
    let details = house.store.details_about(&house.ctx, &house.log(), "operator", "opr_bo").await.unwrap();
    assert_eq!(details[0].detail, None);
    assert_eq!(house.entries().await, before);
}

#[tokio::test]
async fn after_a_persons_key_was_erased_nothing_is_sealed_under_it_again() {
    let house = House::new().await;
    for purpose in ["one", "two"] {
        house.store.record(&house.ctx, act_about("opr_bo", purpose)).await.unwrap();
    }
    let forget = Stmt::new("DELETE FROM store_subject WHERE tenant_id = :tenant");
    house.store.housekeeping(&house.ctx, Reason::Expiry, vec![forget]).await.unwrap();
    house.store.record(&house.ctx, act_about("opr_bo", "three")).await.unwrap();
    let found = house.store.details_about(&house.ctx, &house.log(), "operator", "opr_bo").await;
    // All three are sealed under some key of the person, and only the last one under a key that is there.
    let fault = found.unwrap_err();
    assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
    let keys = Stmt::new("SELECT COUNT(*) FROM store_subject");
    assert_eq!(house.store.read(&house.ctx).one(keys).await.unwrap().unwrap().int(0), Ok(1));
    assert_eq!(house.entries().await.len(), 3);
}

#[tokio::test]
async fn a_detail_of_one_tenant_is_not_found_under_another() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let committed = house.store.record(&house.ctx, act("key_1")).await.unwrap();
    let found = house.store.detail(&other.ctx, &other.log(), committed.event_id, SECOND).await.unwrap();
    assert_eq!(found, None);
    assert!(house.store.pending(&other.ctx, &other.log(), committed.event_id).await.unwrap().is_none());
    assert!(house.store.pending(&house.ctx, &house.log(), committed.event_id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_detail_moved_to_another_event_or_log_does_not_open() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let one = house.store.record(&house.ctx, act("key_1")).await.unwrap().event_id;
    let two = house.store.record(&house.ctx, act("key_2")).await.unwrap().event_id;
    let foreign = other.store.record(&other.ctx, act("key_3")).await.unwrap().event_id;
    let copy =
        "UPDATE store_event_detail SET sealed = (SELECT sealed FROM store_event_detail WHERE event_id = $2)
         WHERE event_id = $1";
    for source in [two, foreign] {
        let stmt = Stmt::new(copy).blob(one.0).blob(source.0);
        house.store.housekeeping(&house.ctx, Reason::Cursor, vec![stmt]).await.unwrap();
        let fault = house.store.detail(&house.ctx, &house.log(), one, SECOND).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
    }
}

#[tokio::test]
async fn details_are_listed_newest_first_by_type_time_and_page() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for second in 0..6 {
        let ctx = house.ctx.child(fixture::now() + jiff::SignedDuration::from_secs(second / 2));
        let event = if second % 3 == 0 { act_about("opr_bo", "x") } else { act("key_1") };
        ids.push(house.store.record(&ctx, event).await.unwrap().event_id);
    }
    let list = async |query: DetailQuery, limit| {
        let details = house.store.details(&house.ctx, &house.log(), &query, limit).await.unwrap();
        details.into_iter().map(|detail| (detail.at_ms, detail.event_id)).collect::<Vec<_>>()
    };
    let all = list(DetailQuery::default(), 100).await;
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by(|a, b| a > b));
    let mut paged = Vec::new();
    while let page = list(DetailQuery { after: paged.last().copied(), ..Default::default() }, 2).await
        && !page.is_empty()
    {
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let typed = DetailQuery { event_type: Some("operator-link-spent".into()), ..Default::default() };
    assert_eq!(list(typed, 100).await.len(), 2);
    let (from, to) = (fixture::now().as_millisecond() + 1_000, fixture::now().as_millisecond() + 2_000);
    assert_eq!(
        list(DetailQuery { from_ms: Some(from), to_ms: Some(to), ..Default::default() }, 100).await.len(),
        2
    );
}

#[tokio::test]
async fn details_past_their_time_go_with_the_keys_of_persons_who_have_none_left() {
    let house = House::new().await;
    let old = house.store.record(&house.ctx, act_about("opr_bo", "x")).await.unwrap().event_id;
    let later = house.ctx.child(fixture::now() + jiff::SignedDuration::from_hours(24 * 400));
    let new = house.store.record(&later, act_about("opr_cy", "x")).await.unwrap().event_id;
    assert_eq!(house.store.expire_details(&house.ctx).await.unwrap(), 0);
    assert_eq!(house.store.expire_details(&later).await.unwrap(), 2);
    assert_eq!(house.store.detail(&later, &house.log(), old, SECOND).await.unwrap(), None);
    assert_eq!(house.store.detail(&later, &house.log(), new, SECOND).await.unwrap(), None, "another second");
    let second = SECOND + 400 * 86_400;
    assert!(house.store.detail(&later, &house.log(), new, second).await.unwrap().unwrap().detail.is_some());
    assert_eq!(house.entries().await.len(), 2, "leaves stay");
}

#[tokio::test]
async fn a_public_event_goes_to_the_system_log_and_the_others_to_their_own() {
    let house = House::new().await;
    let event = Event::LogClosed { origin_sha256: [1; 32] };
    house.store.record(&house.ctx, event).await.unwrap();
    house.store.record(&house.ctx.for_tenant(TenantId::SYSTEM), act("key_1")).await.unwrap();
    let rows = |log| house.store.waiting().get(&log).map_or(0, |waiting| waiting.rows);
    assert_eq!((rows(LogId::system()), rows(LogId::house()), rows(house.log())), (1, 1, 0));
}

#[tokio::test]
async fn a_tenant_without_an_open_log_changes_nothing() {
    let house = House::new().await;
    let other = house.ctx.for_tenant(TenantId::new(&house.ctx));
    let fault = house.store.record(&other, act("key_1")).await.unwrap_err();
    assert!(matches!(fault, StoreFault::NoLog { .. }), "{fault}");
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
    let close = Unit::<Infallible>::new(Event::LogClosed { origin_sha256: [1; 32] });
    house.store.commit(&house.ctx, close.put(house.store.close_log(&house.log()))).await.unwrap();
    let put = Unit::<Infallible>::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text("a"));
    let fault = house.store.commit(&house.ctx, put).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::NoLog { .. })), "{fault:?}");
    assert_eq!(house.count().await, 0);
}

#[tokio::test]
async fn a_log_whose_unit_was_rolled_back_never_sealed_anything() {
    let house = House::new().await;
    let tenant = TenantId::new(&house.ctx);
    let ctx = house.ctx.for_tenant(tenant.clone());
    house.store.ensure_tenant_keys(&ctx).await.unwrap();
    let spec = LogSpec::of("ledger.test", &tenant);
    let row = house.store.log_row(&ctx, &spec).await.unwrap();
    // The log is there while the unit runs; the guard then takes it away again, and with it the refusal's place.
    let lost = Unit::new(act("key_1")).put(row).guard(Stmt::new(fixture::SPEND).text("none"), ThingSpent);
    let fault = house.store.commit(&ctx, lost).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::NoLog { .. })), "{fault:?}");
    // A unit that fails after its event was about to be written must not leave its keys behind either.
    let row = house.store.log_row(&ctx, &spec).await.unwrap();
    house.store.commit(&ctx, Unit::<Infallible>::new(act("key_1")).put(row)).await.unwrap();
    let again = House { store: house.store.clone(), ctx: ctx.clone() };
    let event = EventId(again.entries().await[0].event_id);
    assert!(house.store.detail(&ctx, &again.log(), event, SECOND).await.unwrap().unwrap().detail.is_some());
}

#[tokio::test]
async fn making_a_log_again_changes_nothing() {
    let house = House::new().await;
    let event = house.store.record(&house.ctx, act("key_1")).await.unwrap().event_id;
    house.store.create_log(&house.ctx, &LogSpec::of("elsewhere.test", &house.ctx.tenant)).await.unwrap();
    assert!(
        house.store.detail(&house.ctx, &house.log(), event, SECOND).await.unwrap().unwrap().detail.is_some()
    );
    let log = house.store.log(&house.ctx, &house.log()).await.unwrap().unwrap();
    assert!(log.origin().starts_with("ledger.test/"));
    assert_eq!(house.store.logs(&house.ctx).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_taken_entry_is_spent_once_and_no_longer_waits() {
    let house = House::new().await;
    for _ in 0..5 {
        house.store.record(&house.ctx, act("key_1")).await.unwrap();
    }
    let (store, ctx, log) = (&house.store, &house.ctx, house.log());
    let taken = store.take_pending(ctx, &log, 3).await.unwrap();
    let sequence =
        || store.housekeeping_guarded(ctx, Reason::Sequencing, spend_pending(&log, &taken), Vec::new());
    assert!(sequence().await.unwrap());
    assert!(!sequence().await.unwrap(), "somebody else sequenced it");
    assert_eq!(store.waiting()[&log].rows, 2);
    let rest = store.take_pending(ctx, &log, 512).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert!(
        store
            .housekeeping_guarded(ctx, Reason::Sequencing, spend_pending(&log, &rest), vec![])
            .await
            .unwrap()
    );
    assert!(!store.waiting().contains_key(&log));
}

#[tokio::test]
async fn a_log_with_too_much_waiting_takes_no_more_until_it_is_sequenced() {
    let place = Place::new();
    let mut config = place.config();
    config.pending = PendingBounds { rows_max: 3, age_ms_max: 600_000 };
    let house = House::over(store::Store::open(config, &[PROBE]).unwrap()).await;
    for _ in 0..3 {
        house.store.record(&house.ctx, act("key_1")).await.unwrap();
    }
    let fault = house.store.record(&house.ctx, act("key_1")).await.unwrap_err();
    assert!(matches!(fault, StoreFault::LedgerUnavailable { .. }), "{fault}");
    assert_eq!(fault.retry_after_s(), Some(1));
    let log = house.log();
    let taken = house.store.take_pending(&house.ctx, &log, 2).await.unwrap();
    let spent = spend_pending(&log, &taken);
    house.store.housekeeping_guarded(&house.ctx, Reason::Sequencing, spent, vec![]).await.unwrap();
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
}

#[tokio::test]
async fn a_log_whose_oldest_entry_waits_for_ten_minutes_takes_no_more_also_after_a_restart() {
    let place = Place::new();
    let house = House::over(place.open()).await;
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
    let later = house.ctx.child(fixture::now() + jiff::SignedDuration::from_secs(601));
    let fault = house.store.record(&later, act("key_1")).await.unwrap_err();
    assert!(matches!(fault, StoreFault::LedgerUnavailable { .. }), "{fault}");
    drop(house.store);
    let store = place.open();
    assert!(store.record(&later, act("key_1")).await.is_err());
    let taken = store.take_pending(&later, &LogId::of(&later.tenant), 512).await.unwrap();
    let spent = spend_pending(&LogId::of(&later.tenant), &taken);
    store.housekeeping_guarded(&later, Reason::Sequencing, spent, vec![]).await.unwrap();
    store.record(&later, act("key_1")).await.unwrap();
}

#[tokio::test]
async fn a_quarantined_log_takes_no_changes_while_others_go_on_and_reads_too() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    house.store.quarantine(&house.log(), "I1: the right edge does not recompute");
    let put = || Unit::<Infallible>::new(act("key_1")).put(Stmt::new(fixture::PUT_ONCE).text("a"));
    let fault = house.store.commit(&house.ctx, put()).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::Quarantined { .. })), "{fault:?}");
    assert_eq!(house.count().await, 0);
    other.store.commit(&other.ctx, put()).await.unwrap();
    house.store.lift_quarantine(&house.log());
    house.store.commit(&house.ctx, put()).await.unwrap();
}

#[tokio::test]
async fn a_quarantined_house_or_system_log_stops_every_change() {
    let house = House::new().await;
    for log in [LogId::house(), LogId::system()] {
        house.store.quarantine(&log, "I2: the guard is ahead");
        let fault = house.store.record(&house.ctx, act("key_1")).await.unwrap_err();
        assert_eq!(
            fault,
            StoreFault::Quarantined { log: log.to_string(), reason: "I2: the guard is ahead".into() }
        );
        assert_eq!(house.store.quarantined().len(), 1);
        house.store.lift_quarantine(&log);
    }
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
}

#[tokio::test]
async fn the_leaf_of_a_unit_names_the_policy_that_decided() {
    let house = House::new().await;
    let unit = Unit::new(act("key_1")).policy([9; 32]).guard(Stmt::new(fixture::SPEND).text("a"), ThingSpent);
    house.store.commit(&house.ctx, unit).await.unwrap_err();
    assert_eq!(house.entries().await[0].policy, Some([9; 32]), "of the refusal too");
}

#[tokio::test]
async fn an_event_that_does_not_fit_its_bounds_takes_the_unit_with_it() {
    let house = House::new().await;
    let long = act(&"k".repeat(commitment::DETAIL_BYTES_MAX));
    let unit = Unit::<Infallible>::new(long).put(Stmt::new(fixture::PUT_ONCE).text("a"));
    let fault = house.store.commit(&house.ctx, unit).await.unwrap_err();
    assert!(matches!(fault, CommitError::Fault(StoreFault::Event { .. })), "{fault:?}");
    let before_1970 = house.ctx.child("1969-12-31T23:59:59Z".parse().unwrap());
    assert!(house.store.record(&before_1970, act("key_1")).await.is_err());
    assert_eq!(house.count().await, 0);
    assert!(house.events().await.is_empty());
}

#[tokio::test]
async fn the_sequencer_is_woken_when_512_wait() {
    let house = House::new().await;
    let mut acts = JoinSet::new();
    for _ in 0..store::PENDING_WAKE_ROWS {
        let (store, ctx) = (house.store.clone(), house.ctx.clone());
        acts.spawn(async move { store.record(&ctx, act("key_1")).await.unwrap() });
    }
    house.store.filled().await;
    acts.join_all().await;
    assert_eq!(house.store.waiting()[&house.log()].rows, store::PENDING_WAKE_ROWS);
    assert_eq!(LogKind::Own.as_str(), "own");
}
