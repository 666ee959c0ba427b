//! Pushes of sign-ins over a real relay: a development house as a program, wallets, browsers and a shop over real sockets.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

mod house;
mod person;

use house::{Browser, House};
use mailbox::statement::SignedRound;
use person::{NAME, Person, until};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Cells of the identity provider in every fast round.
const SERVER_CELLS: u32 = 8;

fn code_of(browser: &Browser) -> String {
    browser.state()["code"].as_str().unwrap().to_owned()
}

/// The browser names the wallet while it listens; what was pushed, and how long it took.
fn pushed_to(person: &mut Person, browser: &Browser) -> (String, u64, Duration) {
    pushed_within(person, browser, person::PATIENCE).expect("a push")
}

/// The same; none where nothing came in time: a wallet whose link breaks in the round of a push misses it.
fn pushed_within(
    person: &mut Person,
    browser: &Browser,
    patience: Duration,
) -> Option<(String, u64, Duration)> {
    let (listens, over, handle) = (AtomicBool::new(false), AtomicBool::new(false), person.handle.clone());
    let (came, named) = std::thread::scope(|scope| {
        let hearing = scope.spawn(|| person.hears(1, &listens, &over));
        until(&listens);
        let named = Instant::now();
        browser.names(&handle);
        while !hearing.is_finished() && named.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        over.store(true, Ordering::SeqCst);
        (hearing.join().unwrap(), named)
    });
    let (pushed, at) = came.into_iter().next()?;
    Some((pushed.signin.unwrap().claim_uri, pushed.round, at.duration_since(named)))
}

#[test]
fn a_push_travels_over_the_relay_and_the_sign_in_is_answered_over_http_and_no_row_of_the_relay_tells() {
    let home = tempfile::tempdir().unwrap();
    let house = House::start(home.path(), 0);
    assert!(house.said.lock().unwrap().contains("operator can correlate by time"));
    let shop = house.shop(home.path());
    let mut ana = Person::enrolled(&house, &house.member_link());
    let browser = shop.visitor();
    let (claim_uri, with_push, _) = pushed_to(&mut ana, &browser);
    assert_eq!(claim_uri, browser.claim_uri);
    let outcome = ana.signs_in(&claim_uri, || code_of(&browser));
    assert_eq!((outcome.as_str(), browser.state()["state"].as_str()), ("approved", Some("approved")));
    assert!(browser.state()["finish"].is_string());
    // Nothing waits any more, neither pushed nor in the inbox.
    assert!(ana.wallet.claim_next().is_err());

    // A round holds the server's eight cells and the listener's one, with a push and without: shape and number are the same.
    let (listens, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| ana.hears(1, &listens, &over));
        until(&listens);
        std::thread::sleep(Duration::from_secs(3));
        over.store(true, Ordering::SeqCst);
        assert!(listening.join().unwrap().is_empty());
    });
    let last = ana.mailbox.client().last_round(mailbox::network::Class::Fast).unwrap();
    let without: Vec<u32> = (with_push + 1..last).filter_map(|round| rows_of(&house, round)).collect();
    assert_eq!(rows_of(&house, with_push), Some(SERVER_CELLS + 1));
    assert!(without.contains(&(SERVER_CELLS + 1)), "{without:?}");
    assert!(without.iter().all(|rows| *rows <= SERVER_CELLS + 1), "{without:?}");
    drop(house);
    let sid = browser.claim_uri.rsplit('/').next().unwrap().to_owned();
    let canaries = [NAME, "canary-shop", "Canary shop", &sid, &ana.handle, &claim_uri];
    for (table, found) in looked_through(&home.path().join("data/tessera.db"), &canaries, &sid) {
        assert_eq!(found, 0, "{table} tells");
    }
}

/// Rows of a fast round that is still in memory, each of 512 bytes.
fn rows_of(house: &House, round: u64) -> Option<u32> {
    let statement = SignedRound::parse(&house.blob(&format!("/relay/v1/rounds/1/{round}"))?).unwrap();
    Some(statement.unverified().rows)
}

/// Every table of the relay's room, and how many of its cells hold a canary, as text or as the bytes of the sid.
fn looked_through(database: &Path, canaries: &[&str], sid: &str) -> Vec<(String, usize)> {
    let database = rusqlite::Connection::open(database).unwrap();
    let mut names = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'relay_%'")
        .unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.len() >= 7, "{names:?}");
    let mut needles: Vec<Vec<u8>> = canaries.iter().map(|text| text.as_bytes().to_vec()).collect();
    needles.push(crypto::base64::url_decode(sid).unwrap());
    let mut rows_seen = 0;
    let found = names
        .into_iter()
        .map(|name| {
            let mut rows = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = rows.column_count();
            let mut found = 0;
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                rows_seen += 1;
                for column in 0..columns {
                    let bytes = match row.get_ref(column).unwrap() {
                        rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => {
                            bytes
                        }
                        _ => continue,
                    };
                    found += needles.iter().filter(|needle| holds(bytes, needle)).count();
                }
            }
            (name, found)
        })
        .collect();
    assert!(rows_seen > 5, "the relay's rows were looked at");
    found
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn two_pushes_to_two_members_in_one_second_both_arrive() {
    let home = tempfile::tempdir().unwrap();
    let house = House::start(home.path(), 0);
    let shop = house.shop(home.path());
    let mut ana = Person::enrolled(&house, &house.member_link());
    let mut bo = Person::enrolled(&house, &ana.invites());
    let (for_ana, for_bo) = (shop.visitor(), shop.visitor());
    let handles = (ana.handle.clone(), bo.handle.clone());
    let (both, over) = ([AtomicBool::new(false), AtomicBool::new(false)], AtomicBool::new(false));
    let (hers, his) = std::thread::scope(|scope| {
        let hers = scope.spawn(|| ana.hears(1, &both[0], &over));
        let his = scope.spawn(|| bo.hears(1, &both[1], &over));
        both.iter().for_each(until);
        for_ana.names(&handles.0);
        for_bo.names(&handles.1);
        (hers.join().unwrap(), his.join().unwrap())
    });
    assert_eq!(hers[0].0.signin.as_ref().unwrap().claim_uri, for_ana.claim_uri);
    assert_eq!(his[0].0.signin.as_ref().unwrap().claim_uri, for_bo.claim_uri);
}

#[test]
fn a_wallet_that_joins_later_turns_pushes_on_and_off_and_asks_again() {
    let home = tempfile::tempdir().unwrap();
    let house = House::start(home.path(), 0);
    let shop = house.shop(home.path());
    let (mut wallet, handle) = person::enrolled_alone(&house);
    person::joins(&mut wallet, &house.member_link());
    let mut mailbox = wallet.mailbox().unwrap();
    assert!(wallet.push_on(&mut mailbox, Some("http://localhost:1/t/other")).is_err());
    assert_eq!(wallet.push_on(&mut mailbox, None).unwrap(), 1);
    let contact = wallet.push_states().unwrap()[0].contact.unwrap();
    assert!(wallet.relay_send(&mut mailbox, contact, b"hello").is_err(), "it reads nothing");
    let mut ana = Person { wallet, mailbox, handle };
    let browser = shop.visitor();
    let (claim_uri, ..) = pushed_to(&mut ana, &browser);
    assert_eq!(ana.signs_in(&claim_uri, || code_of(&browser)), "approved");

    assert_eq!(ana.wallet.push_off(&mut ana.mailbox, None).unwrap(), 1);
    assert!(ana.mailbox.client().contacts().is_empty());
    let browser = shop.visitor();
    browser.names(&ana.handle);
    let claimed = ana.wallet.claim_next().unwrap();
    let decided = ana.wallet.approve(&claimed, &code_of(&browser), &seal::scope::Scopes::default());
    assert_eq!(decided.unwrap().outcome, "approved");
}

#[test]
fn a_wallet_signs_in_after_two_rotations_of_the_reply_key_and_not_after_one_that_nobody_vouches_for() {
    let home = tempfile::tempdir().unwrap();
    let mut house = House::start(home.path(), 0);
    let shop = house.shop(home.path());
    let (mut wallet, handle) = person::enrolled_alone(&house);
    let signs_in = |wallet: &mut wallet::engine::Wallet| {
        let browser = shop.visitor();
        browser.names(&handle);
        let claimed = wallet.claim_next()?;
        let decided = wallet.approve(&claimed, &code_of(&browser), &seal::scope::Scopes::default())?;
        Ok::<_, wallet::engine::SigninError>(decided.outcome)
    };
    // A start says at once what the job of a minute says.
    let again = |house: &mut House| {
        house.kill();
        let port = house.port;
        *house = House::start(home.path(), port);
    };
    for set in 2..4 {
        house.rotates(home.path(), &serde_json::json!({ "activate": "ahead" }));
        again(&mut house);
        house.rotates(home.path(), &serde_json::json!({}));
        assert_eq!(house.metadata()["key_chain"].as_array().unwrap().len(), set);
        assert_eq!(signs_in(&mut wallet).unwrap(), "approved");
    }
    house.rotates(home.path(), &serde_json::json!({ "reason": "compromised" }));
    again(&mut house);
    let refused = signs_in(&mut wallet).unwrap_err().to_string();
    assert!(refused.contains("is not signed by the key before"), "{refused}");
}

/// The chain is durable before the cell leaves, and the row stays until the relay has the cell: whatever the moment, the push comes
/// after the restart, under a later key.
#[test]
fn killed_at_many_points_of_a_push_the_house_pushes_it_again_after_the_restart() {
    let home = tempfile::tempdir().unwrap();
    let mut house = House::start(home.path(), 0);
    let shop = house.shop(home.path());
    let mut ana = Person::enrolled(&house, &house.member_link());
    for kill in 0..4u64 {
        let browser = shop.visitor();
        browser.names(&ana.handle);
        std::thread::sleep(Duration::from_millis(kill * 320));
        let port = house.port;
        house.kill();
        house = House::start(home.path(), port);
        let (listens, over) = (AtomicBool::new(false), AtomicBool::new(false));
        // A cell that the relay took just before the kill was published for nobody: then the inbox has the sign-in, as ever.
        let heard = std::thread::scope(|scope| {
            let hearing = scope.spawn(|| ana.hears(1, &listens, &over));
            until(&listens);
            let start = Instant::now();
            while !hearing.is_finished() && start.elapsed() < Duration::from_secs(6) {
                std::thread::sleep(Duration::from_millis(20));
            }
            over.store(true, Ordering::SeqCst);
            hearing.join().unwrap()
        });
        for (pushed, _) in &heard {
            assert_eq!(pushed.signin.as_ref().unwrap().claim_uri, browser.claim_uri, "kill {kill}");
        }
        let claimed = ana.wallet.claim_next().unwrap();
        let outcome = ana.wallet.approve(&claimed, &code_of(&browser), &seal::scope::Scopes::default());
        assert_eq!(outcome.unwrap().outcome, "approved", "kill {kill}, {} pushed", heard.len());
    }
}

/// `cargo test -p tessera --release --test push -- --ignored --nocapture sign_ins`
#[test]
#[ignore = "needs two quiet minutes: it prints how long pushes take, and asserts only that they come"]
fn forty_sign_ins_by_push_there_and_back_take_what_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let house = House::start(home.path(), 0);
    let shop = house.shop(home.path());
    let mut ana = Person::enrolled(&house, &house.member_link());
    let (mut told, mut done, mut missed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..40 {
        let browser = shop.visitor();
        let Some((claim_uri, _, took)) = pushed_within(&mut ana, &browser, Duration::from_secs(10)) else {
            // The inbox has it.
            let claimed = ana.wallet.claim_next().unwrap();
            ana.wallet.approve(&claimed, &code_of(&browser), &seal::scope::Scopes::default()).unwrap();
            missed += 1;
            continue;
        };
        let start = Instant::now();
        assert_eq!(ana.signs_in(&claim_uri, || code_of(&browser)), "approved");
        assert_eq!(browser.state()["state"], "approved");
        told.push(took);
        done.push(took + start.elapsed());
    }
    println!("40 sign-ins, {missed} of their pushes missed and found in the inbox");
    for (what, times) in
        [("handle posted to push told", &mut told), ("to approved in the browser", &mut done)]
    {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        println!("{what}: p50 {:?}, p95 {:?}, max {:?}", at(50), at(95), at(100));
    }
}
