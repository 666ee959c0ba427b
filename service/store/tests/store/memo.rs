//! What is kept of the rows, and when it is thrown away.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use store::{Ctx, MEMO_MS_MAX, Memo, Reason, Stmt, StoreFault, Unit};

use crate::fixture::{self, House, act};

/// Counts the things of a tenant, and how often it asked the store.
struct Counting {
    memo: Memo<String, i64>,
    reads: AtomicUsize,
}

impl Counting {
    fn of(house: &House) -> Counting {
        Counting { memo: Memo::new(&house.store, &["probe_thing"], 2), reads: AtomicUsize::new(0) }
    }

    async fn count(&self, house: &House, ctx: &Ctx) -> i64 {
        let read = async {
            self.reads.fetch_add(1, Ordering::Relaxed);
            house.store.read(ctx).one(Stmt::new(fixture::COUNT)).await?.map_or(Ok(0), |row| row.int(0))
        };
        let answer: Result<i64, StoreFault> = self.memo.get(ctx, ctx.tenant.to_string(), read).await;
        answer.unwrap()
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

async fn put(house: &House, id: &str) {
    let unit = Unit::<Infallible>::new(act("key_1")).put(Stmt::new(fixture::PUT).text(id).blob(*b""));
    house.store.commit(&house.ctx, unit).await.unwrap();
}

#[tokio::test]
async fn what_a_commit_changed_is_read_anew_by_whoever_asks_after_its_answer() {
    let house = House::new().await;
    let counting = Counting::of(&house);
    for expected in 0..8 {
        assert_eq!(counting.count(&house, &house.ctx).await, expected);
        assert_eq!(counting.count(&house, &house.ctx).await, expected, "from memory");
        put(&house, &expected.to_string()).await;
    }
    assert_eq!(counting.reads(), 8);
}

#[tokio::test]
async fn housekeeping_throws_it_away_too_and_other_tables_do_not() {
    let house = House::new().await;
    let counting = Counting::of(&house);
    counting.count(&house, &house.ctx).await;
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
    counting.count(&house, &house.ctx).await;
    assert_eq!(counting.reads(), 1, "an event changes no thing");
    let gone = Stmt::new("DELETE FROM probe_thing WHERE tenant_id = :tenant");
    house.store.housekeeping(&house.ctx, Reason::Expiry, vec![gone]).await.unwrap();
    counting.count(&house, &house.ctx).await;
    assert_eq!(counting.reads(), 2);
}

#[tokio::test]
async fn what_was_read_before_a_commit_and_kept_after_it_is_not_believed() {
    let house = House::new().await;
    let counting = Counting::of(&house);
    let read = async {
        let before = house.store.read(&house.ctx).one(Stmt::new(fixture::COUNT)).await?;
        put(&house, "1").await;
        before.map_or(Ok(0), |row| row.int(0))
    };
    let answer: Result<i64, StoreFault> =
        counting.memo.get(&house.ctx, house.ctx.tenant.to_string(), read).await;
    assert_eq!(answer, Ok(0), "it was so when it was read");
    assert_eq!(counting.count(&house, &house.ctx).await, 1);
}

#[tokio::test]
async fn nothing_is_kept_longer_than_another_process_may_go_unheard() {
    let house = House::new().await;
    let counting = Counting::of(&house);
    let at = |ms| house.ctx.child(fixture::now() + SignedDuration::from_millis(ms));
    counting.count(&house, &at(0)).await;
    counting.count(&house, &at(MEMO_MS_MAX - 1)).await;
    assert_eq!(counting.reads(), 1);
    counting.count(&house, &at(MEMO_MS_MAX)).await;
    assert_eq!(counting.reads(), 2);
    counting.count(&house, &at(0)).await;
    assert_eq!(counting.reads(), 3, "a clock that ran back keeps nothing alive");
}

#[tokio::test]
async fn values_are_bounded_and_faults_are_not_kept() {
    let house = House::new().await;
    let memo: Memo<u32, u32> = Memo::new(&house.store, &["probe_thing"], 2);
    for key in 0..3 {
        assert_eq!(memo.get(&house.ctx, key, async { Ok::<_, ()>(key) }).await, Ok(key));
    }
    let kept = memo.get(&house.ctx, 0, async { Err(()) }).await;
    assert_eq!(kept, Err(()), "the third began the memory anew");
    assert_eq!(memo.get(&house.ctx, 2, async { Err(()) }).await, Ok(2));
    assert_eq!(memo.get(&house.ctx, 0, async { Ok::<_, ()>(7) }).await, Ok(7));
}
