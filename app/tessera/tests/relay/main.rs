//! The relay as a program: the command line that its manual prints, its words at start, and what is left after `kill -9`.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

mod client;
mod process;

use client::Client;
use mailbox::frame::TurnCode;
use mailbox::statement::SignedRound;
use process::{Served, http, until};

/// 1: the command line of the compliance page starts a relay that emits cover and prints what it holds against.
#[test]
fn the_command_line_of_the_compliance_page_starts_and_says_what_holds() {
    let home = tempfile::tempdir().unwrap();
    let storage = format!("sqlite://{}/relay.db", home.path().display());
    let flags = [
        "--port",
        "0",
        "--storage",
        &storage,
        "--cover-traffic-epsilon",
        "0.1",
        "--cover-traffic-delta",
        "1e-6",
    ];
    let relay = Served::start(home.path(), &flags);
    let said = &relay.said;
    for part in [
        "messages: epsilon 0; 0.1 covers one client's presence in one round, not towards the live relay",
        "tokens off",
        "Guarantee  one relay, full mode, whole rounds: epsilon 0 for messages",
        "trust domains: 1",
        "Cover      132 cells a round on average",
        "MB a client and day",
        "tessera:member/1#",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let network = said.lines().find_map(|line| line.trim().strip_prefix("Network")).unwrap().trim();
    let (status, manifest) = http(relay.port, "/relay/v1/network");
    assert_eq!(status, 200);
    let signed = mailbox::network::SignedStatement::parse(&manifest).unwrap();
    assert_eq!(crypto::hex::encode(&signed.digest()), network);
    assert!(String::from_utf8(manifest).unwrap().contains(r#"\"tokens\":\"off\""#));
}

#[test]
fn a_relay_with_the_cover_flags_publishes_cover_in_every_round_though_nobody_is_there() {
    let home = tempfile::tempdir().unwrap();
    let flags =
        ["--port", "0", "--dev", "--round", "500ms", "--fast-round", "0", "--cover-traffic-epsilon", "0.1"];
    let relay = Served::start(home.path(), &flags);
    let statement = until("a published round", || {
        (0..200).find_map(|round| match http(relay.port, &format!("/relay/v1/rounds/0/{round}")) {
            (200, bytes) => Some(SignedRound::parse(&bytes).unwrap()),
            _ => None,
        })
    });
    let it = statement.unverified();
    assert_eq!((it.mechanism.kind, it.mechanism.num, it.mechanism.den, it.mechanism.shift), (2, 1, 10, 132));
    assert!(it.rows > 0, "no client was there, and there are rows");
}

#[test]
fn flags_that_one_relay_cannot_keep_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    for (flags, named) in [
        (&["--hops", "3"][..], "--hops"),
        (&["--buckets", "4"], "--buckets"),
        (&["--listen", "0.0.0.0:8100"], "--listen"),
        (&["--round", "1s"], "--round"),
        (&["--storage", "postgres://host/db"], "--storage"),
        (&["--cover-traffic-epsilon", "0"], "--cover-traffic-epsilon"),
        (&["--dp-epsilon", "1", "--cover-traffic-epsilon", "1"], "--dp-"),
    ] {
        let (code, said) = process::refused(home.path(), flags);
        assert_eq!(code, Some(2), "{flags:?}: {said}");
        assert!(said.contains(named), "{flags:?}: {said}");
    }
}

/// 24, one relay: `kill -9` at many points of a round loses no accepted cell. Twelve kills here; the loop of the operations tests
/// is the place for thousands.
#[test]
fn killed_at_many_points_of_a_round_the_relay_publishes_every_accepted_cell_once() {
    let home = tempfile::tempdir().unwrap();
    let flags = ["--port", "0", "--dev", "--round", "1000ms", "--fast-round", "0"];
    let mut accepted: Vec<(u64, u32)> = Vec::new();
    let mut relay = Served::start(home.path(), &flags);
    // The network is bound to its address, so every start takes the port of the first.
    let port = relay.port.to_string();
    let again = ["--port", &port, "--dev", "--round", "1000ms", "--fast-round", "0"];
    for kill in 0..12u32 {
        let mut client = Client::welcomed(relay.port);
        // Sent until one is accepted: the round may be past its collecting.
        let round = until("an accepted cell", || {
            let round = client.round_now();
            (client.take(round, kill) == TurnCode::Accepted).then_some(round)
        });
        accepted.push((round, kill));
        std::thread::sleep(std::time::Duration::from_millis(u64::from(kill) * 90));
        relay.kill();
        relay = Served::start(home.path(), &again);
    }
    for (round, number) in accepted {
        let rows = until("the rows of a round with an accepted cell", || {
            match http(relay.port, &format!("/relay/v1/buckets/0/{round}/0")) {
                (200, rows) => Some(rows),
                _ => None,
            }
        });
        let found = rows.as_chunks::<512>().0.iter().filter(|row| **row == client::cell(number)).count();
        assert_eq!(found, 1, "cell {number} of round {round}");
    }
}

/// Rows of the design that belong to one relay: each has tests, and each test that is named stands somewhere in the tree.
#[test]
fn every_row_of_the_relays_checks_names_tests_that_stand() {
    const OF_ONE_RELAY: [u32; 27] =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19, 20, 24, 28, 29, 30, 31, 32, 33, 34, 35];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/checks/relay.md")).unwrap();
    let mut sources = String::new();
    for room in [
        "protocol/crypto",
        "protocol/mailbox",
        "service/relay",
        "app/wallet/tests",
        "app/tessera/tests/relay",
    ] {
        collect(&root.join(room), &mut sources);
    }
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| RL-")).collect();
    for id in OF_ONE_RELAY {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| RL-{id} |"))), "RL-{id}");
    }
    for row in rows {
        let named: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for name in named {
            assert!(sources.contains(&format!("fn {name}(")), "{name} does not stand");
        }
    }
}

fn collect(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
