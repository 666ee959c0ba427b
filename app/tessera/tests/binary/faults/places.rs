//! Places that cannot be used: taken, below a file, not ours, full.

use crate::program::{stderr, tessera};
use crate::served::{Served, serve};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Any uid that owns nothing here.
const NOBODY: u32 = 65_534;

/// Ends at once with 4, and says these words in its four lines.
fn assert_refused(mut command: Command, words: &[&str]) {
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(
        told.starts_with("error: ") && told.contains("  cause  ") && told.contains("  fix    "),
        "{told}"
    );
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn a_second_process_on_one_data_folder_is_refused_and_the_first_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut first = Served::start(home.path(), &data);
    let session = first.session(&data);
    assert_refused(serve(home.path(), &data), &["in use by another process", "data"]);
    assert_eq!(first.public("/readyz").status, 200);
    assert!(first.stop().0.success());
    let second = Served::start(home.path(), &data);
    let stops = second.get_in(None, "/api/v1/ledger/events?type=server-stopped", &session);
    assert_eq!(stops.json["items"][0]["type"], "server-stopped", "the first one's: {}", stops.text);
    assert!(second.stop().0.success());
}

#[test]
fn a_data_folder_below_a_file_is_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"kept").unwrap();
    assert_refused(serve(home.path(), &file.join("data")), &["file/data"]);
    assert_eq!(fs::read(&file).unwrap(), b"kept");
    assert_eq!(names(home.path()), ["file"], "nothing is left behind");
}

#[test]
fn a_folder_that_this_user_may_not_write_is_a_clear_error_and_stays_empty() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut command = serve(home.path(), &data);
    if rustix::process::geteuid().is_root() {
        // To root nothing is closed: the process runs as somebody else, who may read the way here and nothing more.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = home.path().join("tessera");
        fs::copy(env!("CARGO_BIN_EXE_tessera"), &program).unwrap();
        command = Command::new(program);
        command.env_clear().args(["serve", "--dev", "--port", "0", "--data"]).arg(&data);
        command.current_dir("/").uid(NOBODY).gid(NOBODY);
    } else {
        fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    }
    assert_refused(command, &["data/"]);
    assert!(names(&data).is_empty(), "{:?}", names(&data));
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_disk_that_is_full_refuses_changes_serves_reads_and_recovers_without_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut served = Served::start(home.path(), &data);
    let session = served.session(&data);
    let made = || json!({ "alg": "ed25519", "label": "kept", "uses": ["jws:*"] });
    let kept = served.post("/api/v1/keys", &session, &made());
    assert_eq!(kept.status, 201, "{}", kept.text);
    let door = format!("/api/v1/keys/{}", kept.json["id"].as_str().unwrap());
    // No file of this process may grow any more: the write-ahead log is larger than this already.
    let whole =
        prlimit(Some(served.pid()), Resource::Fsize, Rlimit { current: Some(4_096), maximum: None }).unwrap();
    let refused = served.post("/api/v1/keys", &session, &made());
    assert_eq!((refused.status, refused.code()), (503, "ledger/unavailable"), "{}", refused.text);
    assert_eq!(served.get(&door, &session).status, 200, "reads go on");
    assert_eq!(served.public("/healthz").status, 200);
    let _ = prlimit(Some(served.pid()), Resource::Fsize, whole).unwrap();
    let again = served.post("/api/v1/keys", &session, &made());
    assert_eq!(again.status, 201, "{}", again.text);
    assert_eq!(served.get(&door, &session).status, 200);
    assert!(served.stop().0.success());
    let served = Served::start(home.path(), &data);
    assert_eq!(served.public("/readyz").status, 200);
    assert_eq!(served.get(&door, &session).status, 200);
    let newer = format!("/api/v1/keys/{}", again.json["id"].as_str().unwrap());
    assert_eq!(served.get(&newer, &session).status, 200);
}

#[test]
fn a_start_on_a_full_disk_is_a_clear_error_and_the_next_one_works() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let inner = serve(home.path(), &data);
    let mut limited = tessera(home.path());
    let environment: Vec<_> =
        limited.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    limited = Command::new("sh");
    // 16 blocks of 512 bytes: the root key fits, the database does not.
    limited.args(["-c", "ulimit -f 16; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    limited.env_clear().envs(environment).current_dir(home.path());
    assert_refused(limited, &["store"]);
    assert!(Served::start(home.path(), &data).stop().0.success());
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
