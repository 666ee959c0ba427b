//! `tessera relay budget` and `tessera relay simulate`, as an auditor meets them.

use crate::program::{stderr, stdout, tessera};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

const SEED: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";

fn relay(home: &Path, line: &str) -> Output {
    tessera(home).arg("relay").args(line.split(' ')).output().unwrap()
}

fn simulate(home: &Path, out: &str, flags: &str) -> Output {
    relay(home, &format!("simulate --out {} {flags}", home.join(out).display()))
}

#[test]
fn a_simulation_is_files_of_one_number_a_line_and_a_description_with_their_digests() {
    let home = tempfile::tempdir().unwrap();
    let output =
        simulate(home.path(), "s", &format!("--rounds 500 --cover-traffic-epsilon 0.1 --seed {SEED}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("warning: 0.1 is spent by every protected event."));
    let folder = home.path().join("s");
    let told: Value = serde_json::from_slice(&fs::read(folder.join("simulation.json")).unwrap()).unwrap();
    assert_eq!(told["schema"], "tessera.relay-simulation/1");
    assert_eq!((&told["rounds"], &told["buckets"], &told["noise_hops"]), (&500.into(), &4.into(), &1.into()));
    assert_eq!((&told["fixed_load"], &told["seed"]), (&10.into(), &SEED.into()));
    let files = told["files"].as_object().unwrap();
    assert_eq!(files.len(), 12);
    for (path, digest) in files {
        let bytes = fs::read(folder.join(path)).unwrap();
        assert_eq!(crypto::hex::encode(&crypto::hash::sha256(&bytes)), digest.as_str().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n') && !text.contains('\r'));
        assert_eq!(text.lines().count(), 500);
        assert!(text.lines().all(|line| line.parse::<i64>().unwrap().to_string() == line), "{path}");
    }
    let lines = |path: &str| -> Vec<i64> {
        fs::read_to_string(folder.join(path)).unwrap().lines().map(|line| line.parse().unwrap()).collect()
    };
    let (bucket, null, swap) =
        (lines("world-b/bucket-0000.txt"), lines("world-b/null.txt"), lines("world-b/swap.txt"));
    assert!(bucket.iter().zip(&null).zip(&swap).all(|((bucket, null), swap)| bucket - null == *swap));
}

#[test]
fn one_seed_makes_the_same_folder_again_and_never_over_another() {
    let home = tempfile::tempdir().unwrap();
    let flags = format!("--rounds 200 --load binomial:0.05 --seed {SEED}");
    assert_eq!(simulate(home.path(), "one", &flags).status.code(), Some(0));
    assert_eq!(simulate(home.path(), "two", &flags).status.code(), Some(0));
    let read = |name: &str| fs::read(home.path().join(name).join("simulation.json")).unwrap();
    assert_eq!(read("one"), read("two"));
    fs::write(home.path().join("one/notes.txt"), "mine").unwrap();
    let again = simulate(home.path(), "one", &flags);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"));
    assert_eq!(simulate(home.path(), "one", &format!("{flags} --force --buckets 2")).status.code(), Some(0));
    assert_ne!(read("one"), read("two"));
    assert!(!home.path().join("one/world-a/bucket-0003.txt").exists(), "the earlier world is gone");
    assert_eq!(fs::read_to_string(home.path().join("one/notes.txt")).unwrap(), "mine");
}

#[test]
fn flags_that_do_not_fit_are_four_lines_with_exit_2_and_leave_no_folder() {
    let home = tempfile::tempdir().unwrap();
    for flags in [
        "--engine cells",
        "--engine processes",
        "--load fixed:1000",
        "--load some",
        "--world-b bucket:4",
        "--world-a offline",
        "--breached 1,2,3",
        "--breached 9",
        "--seed 00",
        "--hops 4",
        "--nodes 1 --buckets 2",
        "--dp-epsilon 0",
        "--dp-epsilon -1",
        "--dp-epsilon 1 --cover-traffic-delta 1e-6",
        "--dp-delta 0.001",
        "--dp-events 0",
        "--dp-epsilon 0.01 --dp-events 100000",
    ] {
        let output = simulate(home.path(), "none", flags);
        assert_eq!(output.status.code(), Some(2), "{flags}");
        assert_eq!(stderr(&output).lines().count(), 4, "{flags}: {}", stderr(&output));
        assert!(stderr(&output).contains("  page   docs/problems/relay/"), "{flags}");
        assert!(!home.path().join("none").exists(), "{flags}");
    }
}

#[test]
fn a_budget_is_told_as_json_with_what_events_add_up_to() {
    let home = tempfile::tempdir().unwrap();
    let output =
        relay(home.path(), "budget --users 10000 --dp-epsilon 1 --dp-delta 1e-6 --dp-events 1000 -o json");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&told["mechanism"]["sigma2"], &told["mechanism"]["shift"]), (&43_597.into(), &1_300.into()));
    assert_eq!(
        (&told["mode"], &told["buckets"], &told["rows"]),
        (&"bucketed".into(), &5.into(), &7_260.into())
    );
    let events: Vec<u64> =
        told["composition"].as_array().unwrap().iter().map(|sum| sum["events"].as_u64().unwrap()).collect();
    assert_eq!(events, [1, 10, 100, 1_000, 10_000]);
    let table = relay(home.path(), "budget");
    assert!(stdout(&table).contains("mechanism.sigma2") && stdout(&table).contains("composition[4]"));
}
