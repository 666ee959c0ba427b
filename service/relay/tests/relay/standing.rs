//! How the network stands, as its operators read it.

use crate::house::House;
use relay::standing::LastRounds;
use tessera_relay as relay;

#[tokio::test]
async fn a_lone_relay_keeps_what_it_promises_and_counts_the_rounds_that_never_happened() {
    let house = House::new().await;
    let round_ms = house.manifest().manifest().classes[0].round_ms;
    for _ in 0..4 {
        house.pass(round_ms).await;
    }
    let standing = house.relay.standing(&house.ctx()).await.unwrap().unwrap();
    assert!(standing.is_full && standing.is_kept());
    assert_eq!((standing.spent.epsilon, standing.limit.epsilon), (0.0, 0.0));
    assert_eq!((standing.trust_domains, standing.members), (1, Some(0)));
    let LastRounds { looked, fell_short, missed } = standing.last;
    assert_eq!((looked, fell_short, missed), (standing.rounds_published, 0, 0));
    assert!(looked >= 2, "{looked}");
    // The machine slept: whole rounds went by.
    house.sleepwalk(10 * round_ms);
    for _ in 0..3 {
        house.pass(round_ms).await;
    }
    let later = house.relay.standing(&house.ctx()).await.unwrap().unwrap();
    assert!(later.last.missed >= 8 && later.last.fell_short == 0, "{:?}", later.last);
    assert!(later.is_kept(), "a round that did not happen betrayed nobody");
}

#[tokio::test]
async fn other_tenants_learn_the_promise_and_not_how_many_members_there_are() {
    let house = House::new().await;
    let other = house.other_tenant().await;
    let standing = house.relay.standing(&other).await.unwrap().unwrap();
    assert_eq!(standing.members, None);
    assert!(!standing.guarantee.is_empty());
}
