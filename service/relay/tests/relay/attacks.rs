//! What a stranger, a thief or a careless client does. Numbers are those of the relay's list of attacks.

use crate::house::{Client, Heard, House, ROUND_MS, cell};
use mailbox::frame::{Close, CloseCode, FromClient, FromRelay, Hello, TurnCode, turn_bytes};
use mailbox::network::{Class, NetworkId};
use mailbox::statement::ROW_BYTES;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// 3: a dump of everything that is kept names no sender, recipient, address or pair.
#[tokio::test]
async fn a_full_dump_names_nobody_and_says_the_same_whoever_wrote() {
    let dump = |first: u32, second: u32| async move {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::house::store_in(folder.path());
        let house = House::over(store, crate::house::NOW.parse().unwrap(), |_| {}).await;
        let (mut ana, mut bo) = (house.client().await, house.client().await);
        let round = house.round();
        // In one world Ana sends the first cell and Bo the second, in the other the reverse; both turns come in either order.
        bo.take(round, &cell(second)).await;
        ana.take(round, &cell(first)).await;
        house.pass(ROUND_MS).await;
        let ctx = house.ctx();
        let sql =
            "SELECT class, round, bucket, part, cells FROM relay_bucket_round WHERE tenant_id = :tenant";
        let rows = house.store.read(&ctx).many(store::Stmt::new(sql), 10).await.unwrap();
        let blobs: Vec<_> = rows.iter().map(|row| (row.int(2).unwrap(), row.blob(4).unwrap())).collect();
        let sql = "SELECT part, cells FROM relay_intake WHERE tenant_id = :tenant";
        assert!(house.store.read(&ctx).many(store::Stmt::new(sql), 10).await.unwrap().is_empty());
        let sql = "SELECT member_id, member_key FROM relay_member WHERE tenant_id = :tenant";
        assert!(house.store.read(&ctx).many(store::Stmt::new(sql), 10).await.unwrap().is_empty());
        let address = house.address.to_string();
        drop(house);
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap_or_default());
        }
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(holds(b"relay_bucket_round"), "the dump is the store");
        assert!(!holds(b"127.0.0.1") && !holds(address.as_bytes()), "no address is kept");
        blobs
    };
    let (one, other) = (dump(1, 2).await, dump(2, 1).await);
    assert_eq!(one, other, "who sent which cell is not in the rows");
}

/// 4: there is no queue of anybody to read or to drain.
#[tokio::test]
async fn nobody_can_read_or_drain_anothers_queue_since_there_is_none() {
    let house = House::new().await;
    let (mut ana, mut eve) = (house.client().await, house.client().await);
    let round = house.round();
    ana.take(round, &cell(1)).await;
    eve.take(round, &cell(2)).await;
    house.pass(ROUND_MS).await;
    // Everybody gets the same rows, and taking them takes nothing from the others.
    let seen = eve.rows().await;
    assert_eq!(seen, ana.rows().await);
    for _ in 0..3 {
        assert_eq!(house.get(&format!("/relay/v1/buckets/0/{round}/0")).await.1.len(), 2 * ROW_BYTES);
    }
    for path in ["/relay/v1/queue", "/relay/v1/messages", "/relay/v1/buckets", "/relay/v1/subscriptions"] {
        assert_eq!(house.get(path).await.0, 404, "{path}");
    }
}

/// 11: every frame has its public size, whatever is in the cell.
#[tokio::test]
async fn frames_of_a_real_cell_and_of_a_cover_have_one_size_in_both_directions() {
    let house = House::new().await;
    let client = house.client().await;
    for number in 0..50 {
        assert_eq!(client.turn(house.round(), &cell(number)).len(), turn_bytes(1));
        assert_eq!(client.turn(house.round(), &[0; ROW_BYTES]).len(), turn_bytes(1));
    }
}

/// 19: a replayed onion is published once, in its own round alone.
#[tokio::test]
async fn a_replay_within_a_round_and_across_rounds_is_published_once() {
    let house = House::new().await;
    let (mut ana, mut eve) = (house.client().await, house.client().await);
    let round = house.round();
    let frame = ana.turn(round, &cell(1));
    assert_eq!(ana.take_frame(frame.clone()).await, TurnCode::Accepted);
    assert_eq!(eve.take_frame(frame.clone()).await, TurnCode::Accepted, "the entry does not look inside");
    house.pass(ROUND_MS).await;
    assert_eq!(ana.rows().await.1, [cell(1)]);
    // Next round: the same frame is late, and its onion under the new number does not open.
    assert_eq!(house.client().await.take_frame(frame.clone()).await, TurnCode::RoundClosed);
    let onion = frame[4 + 8 + 48..frame.len() - 2].to_vec();
    let replayed = eve.turn_of(round + 1, onion);
    assert_eq!(eve.take_frame(replayed).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    assert_eq!(eve.rows().await, (round + 1, vec![]));
}

/// 20: a bit-flipped onion is dropped, and nothing else.
#[tokio::test]
async fn a_bit_flipped_onion_is_dropped_and_the_others_arrive() {
    let house = House::new().await;
    let (mut ana, mut eve) = (house.client().await, house.client().await);
    let round = house.round();
    let mut flipped = eve.turn(round, &cell(2));
    flipped[300] ^= 0x10;
    eve.take_frame(flipped).await;
    ana.take(round, &cell(1)).await;
    house.pass(ROUND_MS).await;
    assert_eq!(ana.rows().await.1, [cell(1)]);
}

/// 5, at the relay: a forged cell with the tag of another suppresses nothing.
#[tokio::test]
async fn two_cells_with_one_tag_are_both_published() {
    let house = House::new().await;
    let (mut ana, mut eve) = (house.client().await, house.client().await);
    let round = house.round();
    let real = cell(1);
    let mut forged = cell(2);
    forged[..16].copy_from_slice(&real[..16]);
    eve.take(round, &forged).await;
    ana.take(round, &real).await;
    house.pass(ROUND_MS).await;
    let (_, rows) = ana.rows().await;
    assert!(rows.contains(&real) && rows.contains(&forged));
}

/// 32: junk ends its own link and no other.
#[tokio::test]
async fn junk_of_every_kind_ends_its_own_link_and_delays_nobody() {
    let house = House::new().await;
    let mut ana = house.client().await;
    let round = house.round();
    // A mebibyte before HELLO and after it.
    let mut early = Client::connect(house.address, Class::Normal).await;
    early.send(vec![0x55; 1 << 20]).await;
    assert!(matches!(early.hear().await, Heard::Gone | Heard::Close(_)));
    let mut late = house.client().await;
    late.send(vec![0x55; 1 << 20]).await;
    assert!(matches!(late.hear().await, Heard::Gone | Heard::Close(_)));
    // Text, an empty frame, a frame of the relay, another type, a HELLO twice.
    let welcome = FromRelay::Welcome(ana.welcome.unwrap()).encode(Class::Normal);
    let again = FromClient::Hello(house.hello(1)).encode(Class::Normal);
    for junk in [vec![], vec![1, 2, 3], welcome, vec![0x44; 40], again] {
        let mut eve = house.client().await;
        eve.send(junk).await;
        let Heard::Close(Close { code: CloseCode::Frame, .. }) = eve.hear().await else { panic!("no CLOSE") };
    }
    let mut texter = house.client().await;
    texter.text("{\"type\":\"hello\"}").await;
    assert!(matches!(texter.hear().await, Heard::Close(Close { code: CloseCode::Frame, .. })));
    // Three wrong turns.
    let mut wrong = house.client().await;
    for ahead in 9..12 {
        assert_eq!(wrong.take(round + ahead, &cell(1)).await, TurnCode::RoundClosed);
    }
    assert!(matches!(wrong.hear().await, Heard::Close(Close { code: CloseCode::Turns, .. })));
    assert_eq!(ana.take(round, &cell(1)).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    assert_eq!(ana.rows().await.1, [cell(1)]);
}

/// 32: idle sockets of one address fill that address and nothing else.
#[tokio::test]
async fn idle_sockets_of_one_address_are_bounded_until_a_turn_is_accepted() {
    let house = House::with(|config| config.per_address_max = 3).await;
    let round = house.round();
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(house.client().await);
    }
    assert!(Client::try_connect(house.address, Class::Normal).await.is_err_and(|why| why.contains("503")));
    // An office shares one address: who took a turn does not count.
    for (number, client) in open.iter_mut().enumerate() {
        assert_eq!(client.take(round, &cell(number as u32)).await, TurnCode::Accepted);
    }
    let mut fourth = house.client().await;
    assert_eq!(fourth.take(round, &cell(9)).await, TurnCode::Accepted);
}

/// 32: who does not read is cut off within the bound of a write; the others get every round meanwhile.
#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off_within_its_bound_and_the_others_get_every_round() {
    // 8,000 covers make rounds of 4 MB, which no buffer of a socket holds for long.
    let law = mailbox::cover::Mechanism::Gaussian { sigma2: 1 };
    let cover = mailbox::cover::Cover::new(law, 8_000).unwrap();
    let house = House::with(|config| config.cover = Some(cover)).await;
    let (mut ana, mut slow) = (house.client().await, house.client().await);
    assert_eq!(house.relay.links_open(), 2);
    let began = std::time::Instant::now();
    let (mut number, mut rounds) = (0, 0);
    while house.relay.links_open() == 2 {
        let round = house.round();
        // It goes on taking turns as long as anybody hears it, and reads nothing.
        slow.send_if_heard(slow.turn(round, &cell(number))).await;
        assert_eq!(ana.take(round, &cell(number + 1)).await, TurnCode::Accepted);
        number += 2;
        house.pass(ROUND_MS).await;
        let (of, rows) = ana.rows().await;
        assert_eq!(of, round);
        assert!(rows.len() > 7_900 && rows.contains(&cell(number - 1)));
        rounds += 1;
        // The bound is of the system's time, so a busy machine is given as much again, and more.
        assert!(
            began.elapsed() < 6 * tessera_relay::http::WRITE_TIMEOUT,
            "it is still there after {rounds} rounds"
        );
        house.sequence().await;
    }
    assert!(rounds >= 1);
    let round = house.round();
    assert_eq!(ana.take(round, &cell(number)).await, TurnCode::Accepted);
    house.pass(ROUND_MS).await;
    assert_eq!(ana.rows().await.0, round);
}

/// Another network, a manifest that is not in force, private retrieval that one relay does not have.
#[tokio::test]
async fn a_hello_for_something_else_is_told_so() {
    let house = House::new().await;
    let hello = house.hello(1);
    let fetch = mailbox::frame::Fetch::Pir;
    for (wrong, code) in [
        (Hello { network: NetworkId([9; 32]), ..hello }, CloseCode::Network),
        (Hello { manifest_version: 2, ..hello }, CloseCode::Manifest),
        (Hello { fetch, ..hello }, CloseCode::Frame),
        (Hello { bucket: 1, ..hello }, CloseCode::Frame),
    ] {
        let mut client = Client::connect(house.address, Class::Normal).await;
        client.hello(wrong).await;
        let Heard::Close(close) = client.hear().await else { panic!("no CLOSE") };
        assert_eq!(close.code, code);
    }
    let mut fast = Client::connect(house.address, Class::Fast).await;
    fast.hello(hello).await;
    assert!(matches!(fast.hear().await, Heard::Close(Close { code: CloseCode::Network, .. })));
}

#[tokio::test]
async fn a_plain_get_of_the_link_is_a_problem_that_names_websocket() {
    let house = House::new().await;
    let (status, body) = house.get("/relay/v1/link").await;
    assert_eq!(status, 426);
    assert!(String::from_utf8(body).unwrap().contains("relay/upgrade-needed"));
}

/// 35: the log of a whole run holds no address, tag or key.
#[test]
fn the_log_of_a_whole_run_holds_no_address_tag_or_key() {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // One thread, so that every line of the run comes to this subscriber.
    let needles = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::new().await;
            let mut ana = house.client().await;
            let mut wrong = house.client().await;
            wrong.send(vec![0x55; 2_000]).await;
            ana.take(house.round(), &cell(1)).await;
            house.pass(ROUND_MS).await;
            ana.rows().await;
            let key = house.epoch().await.epoch().onion_keys[0].0;
            vec![b"127.0.0.1".to_vec(), cell(1)[..16].to_vec(), key.to_vec()]
        })
    });
    let log = kept.0.lock().unwrap().clone();
    assert!(!log.is_empty(), "the run was logged");
    for needle in needles {
        let forms = [
            needle.clone(),
            crypto::hex::encode(&needle).into_bytes(),
            crypto::base64::url_encode(&needle).into_bytes(),
        ];
        for form in forms {
            let found = log.windows(form.len()).any(|window| window == form);
            assert!(!found, "{}", String::from_utf8_lossy(&form));
        }
    }
}

/// A client that names other rounds in between takes no more turns than it said.
#[tokio::test]
async fn naming_other_rounds_gives_no_turn_back() {
    let house = House::new().await;
    let mut eve = house.client().await;
    let round = house.round();
    assert_eq!(eve.take(round, &cell(1)).await, TurnCode::Accepted);
    assert_eq!(eve.take(round + 1, &cell(2)).await, TurnCode::RoundClosed);
    assert_eq!(eve.take(round, &cell(3)).await, TurnCode::Spent);
    house.pass(ROUND_MS).await;
    assert_eq!(eve.rows().await.1, [cell(1)]);
}
