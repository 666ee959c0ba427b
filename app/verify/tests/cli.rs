//! The binary: exit codes, the four lines, reports for people and programs, the state file.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::path::Path;
use std::process::{Command, Output};
use tlog::checkpoint::Checkpoint;
use tlog::commitment::SaltedDetail;
use tlog::entry::ActorKind;
use tlog::event::{Event, KeyUse, Leaf, Stamp};
use tlog::merkle::root_of;
use tlog::note::KeyType;
use tlog::proof::inclusion_path;
use tlog::proof_file::{Extra, ProofFile};
use world::{Files, World, folder, serve, serve_files, write};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera-verify"));
    command.args(args).env_remove("TESSERA_LOG_TOKEN").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Checks that an error has its four lines and this code; gives them.
fn four_lines<'a>(output: &'a Output, exit: i32, code: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!(output.status.code(), Some(exit), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("error: ") && lines[0].ends_with(code), "{lines:?}");
    assert!(lines[1].starts_with("  cause  ") && lines[2].starts_with("  fix    "), "{lines:?}");
    assert_eq!(lines[3], format!("  page   docs/problems/{code}.md"));
    assert_eq!(tessera_verify::page::page(code).map(|page| i32::from(page.exit)), Some(exit));
    lines
}

struct Case {
    world: World,
    folder: tempfile::TempDir,
    keys: Vec<String>,
}

impl Case {
    fn new(size: u64) -> Self {
        let world = World::of(size);
        let folder = folder(&world.files(size));
        let keys = world.keys().iter().map(ToString::to_string).collect();
        Self { world, folder, keys }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn keep(&self, name: &str, bytes: Vec<u8>) -> String {
        write(self.folder.path(), &Files::from([(name.to_owned(), bytes)]));
        self.path(name)
    }

    fn log(&self, source: &str, more: &[&str]) -> Output {
        let keys = ["--vkey", &self.keys[0], "--vkey", &self.keys[1]];
        run(&[&["log", source][..], &keys, more].concat())
    }

    fn here(&self, more: &[&str]) -> Output {
        self.log(&self.path("."), more)
    }
}

#[test]
fn a_verified_log_exits_0_and_says_what_was_checked() {
    let case = Case::new(300);
    let old = case.keep("old.txt", case.world.checkpoint(100));
    let output = case.here(&["--old", &old]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let report = text(&output.stdout);
    assert!(report.starts_with("verified: h.example/log/t/acme\n  size    300 entries, root "), "{report}");
    assert!(report.contains("ML-DSA-44 at 2026-01-01T00:00:00Z"), "{report}");
    assert!(report.contains("(size 100): same history, by recomputation and by proof"), "{report}");
    let fingerprint = crypto::hex::encode(&case.world.vkey(KeyType::Ed25519).fingerprint());
    assert!(report.contains(&fingerprint), "{report}");
}

#[test]
fn a_bad_log_exits_1_names_the_entry_and_prints_nothing_good() {
    let case = Case::new(300);
    let mut bundle = case.world.files(300)["tile/entries/000"].clone();
    let last = bundle.len() - 1;
    bundle[last] ^= 1;
    case.keep("tile/entries/000", bundle);
    let output = case.here(&[]);
    let lines = four_lines(&output, 1, "verify/entry-mismatch");
    assert!(lines[1].ends_with("entry 255 does not match tile/0/000"), "{lines:?}");
    assert_eq!(text(&output.stdout), "");
    let output = case.here(&["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["verdict"]), (Some(1), &"bad".into()));
    assert_eq!(report["fault"]["code"], "verify/entry-mismatch");
    assert_eq!((&report["fault"]["index"], &report["fault"]["path"]), (&255.into(), &"tile/0/000".into()));
}

#[test]
fn the_json_report_of_a_verified_log_has_no_fault() {
    let case = Case::new(300);
    let old = case.keep("old.txt", case.world.checkpoint(7));
    let output = case.here(&["--json", "--old", &old]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["fault"]), (&"verified".into(), &serde_json::Value::Null));
    assert_eq!((&report["size"], &report["entries"]), (&300.into(), &300.into()));
    assert_eq!((&report["old"][0]["recomputed"], &report["old"][0]["proof"]), (&true.into(), &true.into()));
    assert_eq!(report["signers"][1]["type"], "ML-DSA-44");
}

#[test]
fn the_state_file_is_the_verified_checkpoint_and_stays_when_a_later_run_fails() {
    let case = Case::new(300);
    write(case.folder.path(), &case.world.files(120));
    let state = case.path("state");
    assert_eq!(case.here(&["--state", &state]).status.code(), Some(0));
    let served = std::fs::read(case.path("checkpoint")).unwrap();
    assert_eq!(std::fs::read(&state).unwrap(), served);
    write(case.folder.path(), &case.world.files(300));
    let output = case.here(&["--state", &state]);
    assert!(
        text(&output.stdout).contains("180 entries after the 120 verified before"),
        "{}",
        text(&output.stdout)
    );
    let kept = std::fs::read(&state).unwrap();
    assert_ne!(kept, served);
    write(case.folder.path(), &case.world.files(120));
    let output = case.here(&["--state", &state]);
    let lines = four_lines(&output, 1, "verify/log-shrunk");
    assert!(lines[1].contains("shows 300 entries, the server shows 120"), "{lines:?}");
    assert_eq!(std::fs::read(&state).unwrap(), kept);
    assert!(!Path::new(&format!("{state}.new")).exists());
}

#[test]
fn usage_and_unreadable_input_exit_2() {
    let case = Case::new(3);
    let here = case.path(".");
    four_lines(&run(&["log", &here, "--vkey", "nonsense"]), 2, "verify/usage");
    four_lines(&case.here(&["--old", "/nowhere/at/all"]), 2, "verify/usage");
    four_lines(&case.log("/nowhere/at/all", &[]), 2, "verify/usage");
    four_lines(&case.log("http://h.example/log", &[]), 2, "verify/usage");
    four_lines(&case.log("https://h.example/log", &["--ca", &case.path("checkpoint")]), 2, "verify/usage");
    let strange = case.keep("old.txt", World::of(3).checkpoint(2));
    four_lines(&case.here(&["--old", &strange]), 2, "verify/usage");
    let output = case.here(&["--state", "/nowhere/at/all"]);
    let lines = four_lines(&output, 2, "verify/usage");
    assert!(lines[0].starts_with("error: the log verifies, but"), "{lines:?}");
    assert_eq!(run(&["log", &here]).status.code(), Some(2), "clap: --vkey is missing");
    assert_eq!(run(&["log", &here, "--vkye", "x"]).status.code(), Some(2));
}

#[test]
fn a_server_that_refuses_exits_3_one_that_is_gone_4() {
    let case = Case::new(3);
    let port = serve(std::sync::Arc::new(|_, _| ("401 Unauthorized".into(), Vec::new())));
    let url = format!("http://localhost:{port}/log/t/acme");
    four_lines(&case.log(&url, &[]), 3, "verify/refused");
    let port = serve(std::sync::Arc::new(|_, _| ("410 Gone".into(), Vec::new())));
    four_lines(&case.log(&format!("http://localhost:{port}/log"), &[]), 3, "verify/pruned");
    let port = serve_files(Files::new());
    four_lines(&case.log(&format!("http://localhost:{port}/log"), &[]), 3, "verify/refused");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    four_lines(&case.log(&format!("http://localhost:{closed}/log"), &[]), 4, "verify/unreachable");
}

#[test]
fn a_token_comes_from_a_file_or_the_environment_and_stands_in_no_output() {
    let case = Case::new(3);
    let files = case.world.files(3);
    let port = serve(std::sync::Arc::new(move |path, headers| {
        let known = headers.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer tlr_canary"));
        match files.get(path.trim_start_matches("/log/t/acme/")).filter(|_| known) {
            Some(bytes) => ("200 OK".into(), bytes.clone()),
            None => ("403 Forbidden".into(), Vec::new()),
        }
    }));
    let url = format!("http://localhost:{port}/log/t/acme");
    let good = case.keep("token", b"tlr_canary\n".to_vec());
    assert_eq!(case.log(&url, &["--bearer-file", &good]).status.code(), Some(0));
    let wrong = case.keep("wrong", b"tlr_canary_of_another_log\n".to_vec());
    let output = case.log(&url, &["--bearer-file", &wrong]);
    four_lines(&output, 3, "verify/refused");
    assert!(!text(&output.stderr).contains("canary") && !text(&output.stdout).contains("canary"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera-verify"));
    command.args(["log", &url, "--vkey", &case.keys[0]]).env("TESSERA_LOG_TOKEN", "tlr_canary");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

/// A proof file for an event with a detail, in a log of seven.
fn proof_file(world: &mut World) -> ProofFile {
    let key_use = KeyUse { key_id: "key_\u{1b}[2J".into(), version: 2, count: 1 };
    let event = Event::StatusListSigned { list: 4, sha256: [9; 32], key_use };
    let stamp = Stamp {
        event_id: [1; 16],
        salt: [2; 32],
        second: 1_767_225_600,
        actor: ActorKind::System,
        policy: None,
    };
    let Leaf { entry, detail } = Leaf::of(&event, &stamp, None).unwrap();
    world.entries[4] = entry.clone();
    let leaves = world.leaves();
    let path = inclusion_path(4, 7, |height, index| {
        let start = (index << height) as usize;
        leaves.get(start..start + (1usize << height)).map(root_of)
    });
    let extra = Extra { entry, detail: Some(detail) };
    ProofFile { extra: Some(extra.encode()), index: 4, path: path.unwrap(), checkpoint: world.checkpoint(7) }
}

#[test]
fn a_proof_file_is_checked_without_a_server_and_shown_by_the_names_of_the_catalogue() {
    let mut case = Case::new(7);
    let file = proof_file(&mut case.world);
    let path = case.keep("event.tlog-proof", file.encode());
    let output = run(&["proof", &path, "--vkey", &case.keys[0], "--vkey", &case.keys[1]]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(shown.starts_with("verified: entry 4 of h.example/log/t/acme\n  event   status-list-signed (done) by system at 2026-01-01T00:00:00Z\n"), "{shown}");
    assert!(shown.contains("public  list = 4") && shown.contains("detail  key_use = "), "{shown}");
    assert!(!shown.contains('\u{1b}'), "a log cannot draw on a terminal");
    let output = run(&["proof", &path, "--vkey", &case.keys[0], "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["index"]), (&"verified".into(), &4.into()));
    assert_eq!(report["event"]["detail"]["key_use"][1], 2);
    assert_eq!(report["event"]["public"]["sha256"], "09".repeat(32));
}

#[test]
fn a_proof_file_that_proves_nothing_exits_1_and_one_that_is_none_2() {
    let mut case = Case::new(7);
    let file = proof_file(&mut case.world);
    let keys = ["--vkey", &case.keys[0]];
    let moved = ProofFile { index: 5, ..file.clone() };
    let path = case.keep("moved", moved.encode());
    let output = run(&[&["proof", &path][..], &keys].concat());
    let lines = four_lines(&output, 1, "verify/proof-invalid");
    assert!(lines[1].contains("entry 5 is not in the tree"), "{lines:?}");
    let mut extra = Extra::decode(file.extra.as_deref().unwrap()).unwrap();
    extra.detail = Some(SaltedDetail { salt: [3; 32], ..extra.detail.unwrap() });
    let path = case.keep("detail", ProofFile { extra: Some(extra.encode()), ..file.clone() }.encode());
    let output = run(&[&["proof", &path][..], &keys].concat());
    let lines = four_lines(&output, 1, "verify/proof-invalid");
    assert!(lines[1].contains("the detail is not the one that entry 4 committed to"), "{lines:?}");
    let stranger = World::of(1).vkey(KeyType::Ed25519).to_string();
    let path = case.keep("good", file.encode());
    four_lines(&run(&["proof", &path, "--vkey", &stranger]), 1, "verify/proof-invalid");
    let path =
        case.keep("garbage", Checkpoint { origin: "o".into(), size: 1, root: [0; 32] }.encode().into_bytes());
    four_lines(&run(&[&["proof", &path][..], &keys].concat()), 2, "verify/usage");
}
