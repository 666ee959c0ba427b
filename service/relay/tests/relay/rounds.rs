//! One round, from HELLO to the rows that everybody gets.

use crate::house::{House, ROUND_MS, cell, number_of};
use mailbox::frame::TurnCode;
use mailbox::network::{Class, Identity};
use mailbox::statement::{Expected, SignedRound};

#[tokio::test]
async fn a_cell_that_was_accepted_is_in_the_rows_of_its_round() {
    let house = House::new().await;
    let (mut ana, mut bo) = (house.client().await, house.client().await);
    let round = house.round();
    assert_eq!(ana.take(round, &cell(1)).await, TurnCode::Accepted);
    assert_eq!(bo.take(round, &cell(2)).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    let expected = (round, vec![cell(1), cell(2)]);
    assert_eq!(ana.rows().await, expected);
    assert_eq!(bo.rows().await, expected);
    let events = house.events().await;
    assert!(events.ends_with(&["relay-round".to_owned()]), "{events:?}");
}

#[tokio::test]
async fn the_first_start_makes_a_signed_network_of_one_relay() {
    let house = House::new().await;
    let known = house.manifest();
    let manifest = known.manifest();
    assert!(manifest.dev && manifest.k == 1 && manifest.trust_domains() == 1);
    assert_eq!(manifest.tokens, mailbox::network::Tokens::Off);
    assert!(manifest.guarantee.contains("tokens are off"));
    let epoch = house.epoch().await;
    assert_eq!(epoch.epoch().class(Class::Normal).unwrap().rows, 71, "64 clients and a tenth");
    let events = house.events().await;
    let has = |event: &str| events.iter().filter(|one| *one == event).count();
    assert_eq!(has("relay-network-changed"), 1);
    assert_eq!(has("relay-epoch-opened"), 2, "the running one and the next");
}

#[tokio::test]
async fn welcome_tells_the_clock_the_round_and_the_epoch() {
    let house = House::new().await;
    house.pass(ROUND_MS + 7).await;
    let welcome = house.client().await.welcome.unwrap();
    assert_eq!(welcome.now_ms, house.now_ms());
    assert_eq!(welcome.round, house.round());
    assert_eq!(welcome.epoch_digest, house.epoch().await.digest());
}

#[tokio::test]
async fn the_statement_of_a_round_is_signed_and_names_no_count_that_nobody_can_check() {
    let house = House::new().await;
    let mut ana = house.client().await;
    let round = house.round();
    ana.take(round, &cell(1)).await;
    house.pass(ROUND_MS).await;
    let (status, bytes) = house.get(&format!("/relay/v1/rounds/0/{round}")).await;
    assert_eq!((status, bytes.len()), (200, 320));
    let cascade = [(0, house.manifest().manifest().relays[0].identity)];
    let network = house.manifest().network();
    let expected = Expected { network, class: Class::Normal, epoch: 0, view: 0, cascade: &cascade };
    let statement = SignedRound::parse(&bytes).unwrap().verify(&expected).unwrap();
    assert_eq!((statement.round, statement.rows, statement.buckets), (round, 1, 1));
    assert_eq!((statement.hops[0].cells_in, statement.hops[0].dropped), (0, 0));
    let stranger = [(0, Identity([1; 32]))];
    assert!(
        SignedRound::parse(&bytes).unwrap().verify(&Expected { cascade: &stranger, ..expected }).is_err()
    );
}

#[tokio::test]
async fn a_turn_outside_its_round_is_refused() {
    let house = House::new().await;
    let round = house.round();
    for wrong in [round + 1, round + 1_000] {
        assert_eq!(house.client().await.take(wrong, &cell(1)).await, TurnCode::RoundClosed);
    }
    let mut late = house.client().await;
    house.pass(ROUND_MS * 60 / 100).await;
    assert_eq!(late.take(round, &cell(1)).await, TurnCode::RoundClosed);
    house.pass(ROUND_MS).await;
    let (_, rows) = house.get(&format!("/relay/v1/buckets/0/{round}/0")).await;
    assert!(rows.is_empty());
}

#[tokio::test]
async fn who_takes_no_turn_is_pushed_nothing() {
    let house = House::new().await;
    let (mut ana, mut idle) = (house.client().await, house.client().await);
    let mut rounds = Vec::new();
    for number in 0..4 {
        ana.take(house.round(), &cell(number)).await;
        house.pass(ROUND_MS).await;
        rounds.push(ana.rows().await.0);
    }
    assert_eq!(rounds.len(), 4);
    // The idle one takes its first turn now: the first rows it sees are those of this round.
    let round = house.round();
    idle.take(round, &cell(9)).await;
    house.pass(ROUND_MS).await;
    assert_eq!(idle.rows().await.0, round);
}

#[tokio::test]
async fn one_cell_a_connection_and_a_servers_turns_for_servers() {
    let house = House::new().await;
    let round = house.round();
    let mut ana = house.client().await;
    assert_eq!(ana.take(round, &cell(1)).await, TurnCode::Accepted);
    assert_eq!(ana.take(round, &cell(2)).await, TurnCode::Spent);
    let mut server = house.client_of(Class::Normal, 3).await;
    let mut codes = Vec::new();
    for number in 3..7 {
        codes.push(server.take(round, &cell(number)).await);
    }
    assert_eq!(codes, [TurnCode::Accepted, TurnCode::Accepted, TurnCode::Accepted, TurnCode::Spent]);
}

#[tokio::test]
async fn a_round_takes_no_more_than_its_declared_size() {
    let house = House::with(|config| config.clients_max = Some(2)).await;
    let round = house.round();
    let mut codes = Vec::new();
    for number in 0..4 {
        codes.push(house.client().await.take(round, &cell(number)).await);
    }
    assert_eq!(codes, [TurnCode::Accepted, TurnCode::Accepted, TurnCode::Accepted, TurnCode::Full]);
}

#[tokio::test]
async fn missed_rounds_are_caught_up_by_immutable_blobs() {
    let house = House::new().await;
    let mut ana = house.client().await;
    let mut rounds = Vec::new();
    for number in 0..3 {
        rounds.push(house.round());
        ana.take(house.round(), &cell(number)).await;
        house.pass(ROUND_MS).await;
        ana.rows().await;
    }
    for (number, round) in rounds.iter().enumerate() {
        let (status, rows) = house.get(&format!("/relay/v1/buckets/0/{round}/0")).await;
        assert_eq!((status, rows), (200, cell(number as u32).to_vec()));
    }
    let (status, body) = house.get(&format!("/relay/v1/buckets/0/{}/0", house.round())).await;
    assert_eq!(status, 404);
    assert!(String::from_utf8(body).unwrap().contains("relay/unknown-round"));
    for other in ["0/0/1", "1/0/0", "9/0/0", "0/18446744073709551615/0"] {
        assert_eq!(house.get(&format!("/relay/v1/buckets/{other}")).await.0, 404, "{other}");
    }
}

#[tokio::test]
async fn rows_past_their_retention_are_gone_and_their_statement_stays() {
    let house = House::with(|config| config.retention_days = 1).await;
    let round = house.round();
    house.client().await.take(round, &cell(1)).await;
    house.pass(ROUND_MS).await;
    house.sleepwalk(86_400_000 + ROUND_MS);
    house.relay.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.get(&format!("/relay/v1/buckets/0/{round}/0")).await.0, 404);
    assert_eq!(house.get(&format!("/relay/v1/rounds/0/{round}")).await.0, 200);
}

#[tokio::test]
async fn an_epoch_has_its_own_key_which_is_erased_four_rounds_after_its_end() {
    // An epoch of ten rounds.
    let house = House::with(|config| config.epoch_ms = 10 * ROUND_MS).await;
    let first = house.epoch().await;
    house.pass(10 * ROUND_MS).await;
    let second = house.epoch().await;
    assert_eq!((first.epoch().epoch, second.epoch().epoch), (0, 1));
    assert_ne!(first.epoch().onion_keys, second.epoch().onion_keys);
    assert_eq!(house.get("/relay/v1/epoch/2").await.0, 200, "the next one is announced");
    assert_eq!(house.get("/relay/v1/epoch/3").await.0, 404);
    house.relay.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.count("relay-epoch-key-erased").await, 0);
    house.pass(4 * ROUND_MS).await;
    house.relay.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.count("relay-epoch-key-erased").await, 1);
    // A cell under the new key travels.
    let mut ana = house.client().await;
    assert_eq!(ana.take(house.round(), &cell(1)).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    assert_eq!(ana.rows().await.1, [cell(1)]);
}

#[tokio::test]
async fn fast_rounds_live_in_memory_and_share_one_event_a_minute() {
    let house = House::with(|config| config.fast_round_ms = 1_000).await;
    let mut ana = house.client_of(Class::Fast, 1).await;
    let calendar = house.manifest().manifest().calendar();
    let before = house.count("relay-round").await;
    for number in 0..60 {
        let round = calendar.round_at(Class::Fast, house.now_ms()).unwrap();
        assert_eq!(ana.take(round, &cell(number)).await, TurnCode::Accepted);
        house.pass(1_000).await;
        assert_eq!(ana.rows().await, (round, vec![cell(number)]));
    }
    // One normal round passed in that minute too.
    assert_eq!(house.count("relay-round").await - before, 2);
    let round = calendar.round_at(Class::Fast, house.now_ms()).unwrap() - 1;
    assert_eq!(house.get(&format!("/relay/v1/rounds/1/{round}")).await.0, 200);
    assert_eq!(house.get(&format!("/relay/v1/rounds/1/{}", round + 1_000)).await.0, 404);
}

#[tokio::test]
async fn of_a_thousand_concurrent_sends_every_accepted_cell_arrives() {
    let house = std::sync::Arc::new(House::with(|config| config.clients_max = Some(1_000)).await);
    let round = house.round();
    let epoch = house.epoch().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let (address, hello) = (house.address, house.hello(1));
        let path = mailbox::onion::Path::new(&epoch, Class::Normal);
        tasks.spawn(async move {
            let mut client = crate::house::Client::connect(address, Class::Normal).await;
            client.path = Some(path);
            client.hello(hello).await;
            client.hear().await;
            let code = client.take(round, &cell(number)).await;
            (number, code, client)
        });
    }
    let mut clients = tasks.join_all().await;
    let mut accepted: Vec<u32> = clients
        .iter()
        .filter(|(_, code, _)| *code == TurnCode::Accepted)
        .map(|(number, ..)| *number)
        .collect();
    accepted.sort_unstable();
    assert_eq!(accepted.len(), 1_000);
    house.pass(ROUND_MS).await;
    for (_, _, client) in clients.iter_mut().step_by(100) {
        let (of, rows) = client.rows().await;
        let found: Vec<u32> = rows.iter().map(number_of).collect();
        assert_eq!((of, found), (round, accepted.clone()));
    }
}

/// The covers of `--cover-traffic-epsilon 0.1`: what one relay adds to every round.
#[tokio::test]
async fn covers_are_added_to_every_round_and_differ_in_nothing_that_is_published() {
    use mailbox::budget::{Adjacency, PrivacyBudget, Spending};
    let budget = PrivacyBudget::new("0.1".parse().unwrap(), "1e-6".parse().unwrap(), 1).unwrap();
    let cover = budget.cover(Spending::PerEvent, Adjacency::OneCount).unwrap();
    assert_eq!(cover.shift(), 132);
    let house = House::with(|config| config.cover = Some(cover)).await;
    assert_eq!(house.epoch().await.epoch().class(Class::Normal).unwrap().rows, 71 + 2 * 132);
    let mut ana = house.client().await;
    let mut counts = Vec::new();
    for number in 0..8 {
        let round = house.round();
        ana.take(round, &cell(number)).await;
        house.pass(ROUND_MS).await;
        let (_, rows) = ana.rows().await;
        assert!(rows.contains(&cell(number)) && rows.is_sorted());
        assert!(rows.len() <= 71 + 2 * 132);
        let (_, statement) = house.get(&format!("/relay/v1/rounds/0/{round}")).await;
        let statement = SignedRound::parse(&statement).unwrap();
        assert_eq!((statement.unverified().mechanism.kind, statement.unverified().mechanism.shift), (2, 132));
        counts.push(rows.len() - 1);
    }
    // The chance that eight draws of this law are equal, or that one is below 10, is below one in a million.
    assert!(counts.iter().any(|count| *count != counts[0]), "{counts:?}");
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
}
