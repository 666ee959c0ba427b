//! The command line: exit codes, four-line errors, secrets that never stand in flags.

use crate::program::{stderr, stdout, tessera};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_unknown_verb_is_usage_and_names_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let output = tessera(home.path()).arg("servee").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("serve"));
}

#[test]
fn a_verb_without_a_context_says_how_to_get_one() {
    let home = tempfile::tempdir().unwrap();
    let output = tessera(home.path()).args(["key", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: no context is set"));
    assert!(stderr(&output).contains("  fix    "));
}

#[test]
fn a_token_file_that_others_may_read_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    fs::write(&file, "t").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = tessera(home.path())
        .args(["--url", "http://localhost:1", "--token-file", file.to_str().unwrap(), "key", "list"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("chmod 600"));
}

#[test]
fn a_server_that_is_not_there_is_exit_4() {
    let home = tempfile::tempdir().unwrap();
    let output = tessera(home.path()).args(["doctor", "--url", "http://localhost:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn init_writes_a_configuration_that_doctor_reads_and_never_overwrites() {
    let home = tempfile::tempdir().unwrap();
    let init = || {
        tessera(home.path())
            .args(["init", "--public-url", "https://trust.example.org:8443"])
            .output()
            .unwrap()
    };
    let first = init();
    assert!(first.status.success(), "{}", stderr(&first));
    let mode = fs::metadata(home.path().join("root.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(init().status.code(), Some(2));
    let doctor = tessera(home.path()).args(["doctor", "--config", "tessera.toml"]).output().unwrap();
    assert!(stdout(&doctor).contains("tls.self-signed"), "{}", stdout(&doctor));
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
}

#[test]
fn a_configuration_that_promises_what_is_not_built_stops_the_start() {
    let home = tempfile::tempdir().unwrap();
    assert!(
        tessera(home.path())
            .args(["init", "--public-url", "https://localhost:0"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let path = home.path().join("tessera.toml");
    let text = fs::read_to_string(&path).unwrap().replace("[custody]\n", "[custody]\nrequire_dpop = true\n");
    fs::write(&path, text).unwrap();
    let output = tessera(home.path()).args(["serve", "--config", "tessera.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("require_dpop"), "{}", stderr(&output));
}
