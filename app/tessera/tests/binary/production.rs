//! `init`, `serve --config`, `login`: production's first minutes, over TLS.

use crate::program::{stderr, stdout, tessera};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
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

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_a_broken_one_is_told_and_not_taken() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://localhost:{port}");
    for place in [&home, &other] {
        let init = tessera(place.path()).args(["init", "--public-url", &url]).output().unwrap();
        assert!(init.status.success(), "{}", stderr(&init));
    }
    let (old, new) = (certificate(home.path()), certificate(other.path()));
    let _server = serve(home.path());
    wait_for(&home.path().join("data/first-link"));
    assert_eq!(served(port, &[&old, &new]), old);

    let (chain, key) = (home.path().join("tls.crt"), home.path().join("tls.key"));
    fs::write(&chain, "-----BEGIN CERTIFICATE-----\nbroken\n").unwrap();
    let log = home.path().join("server.log");
    until(|| fs::read_to_string(&log).unwrap().contains("the old certificate stays"), "a broken one is told");
    assert_eq!(served(port, &[&old, &new]), old);

    fs::copy(other.path().join("tls.key"), &key).unwrap();
    fs::copy(other.path().join("tls.crt"), &chain).unwrap();
    until(|| served(port, &[&old, &new]) == new, "the new one is served");
}

/// The certificate that `init` made.
fn certificate(home: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&fs::read(home.join("tls.crt")).unwrap()).unwrap()
}

/// The leaf that the server shows to a client that trusts these.
fn served(port: u16, trusted: &[&CertificateDer<'static>]) -> CertificateDer<'static> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().map(|one| (*one).clone()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client =
        rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut stream).unwrap();
    }
    client.peer_certificates().unwrap()[0].clone().into_owned()
}

fn serve(home: &Path) -> Server {
    let mut command: Command = tessera(home);
    command.args(["serve", "--config", "tessera.toml"]).env("TESSERA_METRICS__BIND", "");
    let log = fs::File::create(home.join("server.log")).unwrap();
    Server(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

fn wait_for(path: &Path) {
    until(|| fs::read_to_string(path).is_ok_and(|text| !text.is_empty()), &path.display().to_string());
}

fn until(holds: impl Fn() -> bool, what: &str) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < START_MAX, "never: {what}");
        // Another process does it: give it the core.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
