//! `init`, `serve --config`, `login`: production's first minutes, over TLS.

use crate::program::{stderr, stdout, tessera};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until its first link stands; it takes well under a second.
const START_MAX: Duration = Duration::from_secs(60);

/// A server that is ended with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_fresh_installation_serves_tls_and_its_first_link_makes_an_operator() {
    let home = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://localhost:{port}");
    let init = tessera(home.path()).args(["init", "--public-url", &url]).output().unwrap();
    assert!(init.status.success(), "{}", stderr(&init));
    let _server = serve(home.path());
    let link = home.path().join("data/first-link");
    wait_for(&link);

    let login = |name: &str| {
        tessera(home.path())
            .args(["login", "--link-file", link.to_str().unwrap(), "--ca", "tls.crt", "--name", name])
            .output()
            .unwrap()
    };
    let first = login("prod");
    assert!(first.status.success(), "{}", stderr(&first));
    let again = login("second");
    assert_eq!(again.status.code(), Some(3), "a link works once: {}", stderr(&again));

    let verb = |args: &[&str]| tessera(home.path()).args(args).output().unwrap();
    let account = verb(&["service-account", "create", "robot", "--role", "admin", "-o", "json"]);
    assert!(account.status.success(), "{}", stderr(&account));
    assert!(stdout(&account).contains("svc_"));
    let tenants = verb(&["tenant", "list"]);
    assert!(stdout(&tenants).contains("default"), "{}", stdout(&tenants));
    let inside = verb(&["--tenant", "default", "key", "list"]);
    assert!(stdout(&inside).contains("credential signer"), "{}{}", stdout(&inside), stderr(&inside));
    let doctor = verb(&["doctor", "--url", &url, "--ca", "tls.crt"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
    let dev = verb(&["serve", "--dev", "--data", "data", "--port", "0"]);
    assert_eq!(dev.status.code(), Some(2), "development refuses production's folder");
}

fn serve(home: &Path) -> Server {
    let mut command: Command = tessera(home);
    command.args(["serve", "--config", "tessera.toml"]).env("TESSERA_METRICS__BIND", "");
    Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while fs::read_to_string(path).map_or(true, |text| text.is_empty()) {
        assert!(start.elapsed() < START_MAX, "{} never came", path.display());
        // Another process writes the file: give it the core.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
