//! The real socket: TLS 1.3 only, bounds of connections and heads, an orderly end, and our own client against it.

use crate::house::House;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::x509::build::{LeafNames, Profile, TbsDraft, assemble};
use crypto::x509::{Name, NameParts};
use edge::outbound::{Client, Limits, OutboundError};
use edge::server::tls::{ServerCertificate, TlsFault};
use edge::server::{Bounds, serve, serve_metrics};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

async fn listen(house: &House, certificate: Option<&ServerCertificate>, bounds: Bounds) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let tls = certificate.map(|certificate| certificate.acceptor().unwrap());
    let task = tokio::spawn(serve(listener, house.router.clone(), tls, bounds, stopped));
    Served { address, stop, task }
}

/// A certificate for `localhost` that signs itself, valid for as long as anybody runs this test.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = PrivateKey::generate(KeyAlg::P256);
    let name = Name::new(&NameParts { common_name: "localhost".into(), ..NameParts::default() }).unwrap();
    let draft = TbsDraft {
        subject: name.clone(),
        issuer: name,
        issuer_key: key.public(),
        serial: [1; 16],
        not_before: "2000-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2099-01-01T00:00:00Z".parse().unwrap(),
        public_key: key.public(),
        profile: Profile::Leaf(LeafNames { san_dns: vec!["localhost".into()], ..LeafNames::default() }),
    };
    let signed = draft.to_be_signed(SignAlg::Es256).unwrap();
    let der = assemble(&signed, SignAlg::Es256, &key.sign(SignAlg::Es256, &signed).unwrap()).unwrap();
    (pem("CERTIFICATE", &der), pem("PRIVATE KEY", key.to_secret().expose()))
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let body = crypto::base64::std_encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn client(certificate: &ServerCertificate, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    certificate.chain().into_iter().for_each(|der| roots.add(der).unwrap());
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups.insert(0, rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768);
    let provider = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn handshake(
    served: &Served,
    certificate: &ServerCertificate,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    client(certificate, version).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Sends `text` and reads until the other side closes.
async fn talk(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn tls_1_3_is_spoken_and_tls_1_2_is_refused() {
    let (chain, key) = certificate();
    let certificate = ServerCertificate::from_pem(&chain, &key).unwrap();
    let house = House::with(|config| config.public_url = "https://localhost".parse().unwrap()).await;
    let served = listen(&house, Some(&certificate), Bounds::default()).await;
    assert!(handshake(&served, &certificate, &rustls::version::TLS12).await.is_err());
    let mut stream = handshake(&served, &certificate, &rustls::version::TLS13).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(session.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let hsts = "strict-transport-security: max-age=63072000; includeSubDomains; preload";
    assert!(answer.contains(hsts), "{answer}");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_answer() {
    let (chain, key) = certificate();
    let certificate = ServerCertificate::from_pem(&chain, &key).unwrap();
    let house = House::new().await;
    let served = listen(&house, Some(&certificate), Bounds::default()).await;
    let answer = talk(served.address, "GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn a_replaced_certificate_serves_from_the_next_connection_and_a_bad_one_changes_nothing() {
    let ((chain, key), (next_chain, next_key)) = (certificate(), certificate());
    let certificate = ServerCertificate::from_pem(&chain, &key).unwrap();
    let next = ServerCertificate::from_pem(&next_chain, &next_key).unwrap();
    let house = House::new().await;
    let served = listen(&house, Some(&certificate), Bounds::default()).await;
    assert!(handshake(&served, &next, &rustls::version::TLS13).await.is_err());
    assert!(matches!(certificate.replace(&next_chain, &key), Err(TlsFault::Unfit(_))));
    assert!(matches!(certificate.replace(b"", &key), Err(TlsFault::Chain)));
    assert!(matches!(certificate.replace(&next_chain, b""), Err(TlsFault::Key)));
    certificate.replace(&next_chain, &next_key).unwrap();
    assert!(handshake(&served, &next, &rustls::version::TLS13).await.is_ok());
}

#[tokio::test]
async fn our_client_reaches_our_own_origin_by_its_own_certificate_and_nobody_elses() {
    let ((chain, key), (other_chain, other_key)) = (certificate(), certificate());
    let certificate = ServerCertificate::from_pem(&chain, &key).unwrap();
    let other = ServerCertificate::from_pem(&other_chain, &other_key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: url::Url = format!("https://localhost:{port}").parse().unwrap();
    let house = House::with(|config| config.public_url = url.clone()).await;
    let (_stop, stopped) = watch::channel(false);
    let acceptor = certificate.acceptor().unwrap();
    tokio::spawn(serve(listener, house.router.clone(), Some(acceptor), Bounds::default(), stopped));
    let path = format!("{url}healthz");
    let client = Client::new(&url, &[], &certificate.chain()).unwrap();
    let answer = client.get(&path, Limits::of(1_000)).await.unwrap();
    assert_eq!(answer.status, 200);
    let untrusting = Client::new(&url, &[], &other.chain()).unwrap();
    let refused = untrusting.get(&path, Limits::of(1_000)).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Unreachable { .. }), "{refused}");
}

#[tokio::test]
async fn heads_that_are_too_large_or_lie_about_the_body_are_refused() {
    let house = House::new().await;
    let served = listen(&house, None, Bounds::default()).await;
    let large = format!("GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    let many: String = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\n{many}\r\n");
    for text in [large, many] {
        let answer = talk(served.address, &text).await;
        assert!(
            answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400") || answer.is_empty(),
            "{answer}"
        );
    }
    let smuggled = "POST /api/v1/try/notes HTTP/1.1\r\nhost: localhost:8400\r\ncontent-length: 4\r\n\
                    transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost:8400\r\n\
                    connection: close\r\n\r\n";
    let answer = talk(served.address, smuggled).await;
    assert!(!answer.contains("200 OK"), "a second request came out of the first: {answer}");
    let twice =
        "GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n";
    assert!(!talk(served.address, twice).await.contains("200 OK"));
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let house = House::new().await;
    let bounds = Bounds { per_address_max: 2, ..Bounds::default() };
    let served = listen(&house, None, bounds).await;
    let hello = b"GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(hello).await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        held.push(stream);
    }
    assert_eq!(talk(served.address, std::str::from_utf8(hello).unwrap()).await, "");
    drop(held);
    // The places are free once the server has seen the ends.
    loop {
        let text = "GET /healthz HTTP/1.1\r\nhost: localhost:8400\r\nconnection: close\r\n\r\n";
        if talk(served.address, text).await.starts_with("HTTP/1.1 200") {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_that_runs_at_shutdown_is_answered_and_a_new_one_is_not() {
    let house = Arc::new(House::new().await);
    let served = listen(&house, None, Bounds::default()).await;
    let body = r#"{"text":"x"}"#;
    let request = format!(
        "POST /api/v1/try/slow HTTP/1.1\r\nhost: localhost:8400\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nidempotency-key: k\r\ncontent-length: {}\r\n\r\n{body}",
        house.owner,
        body.len()
    );
    let running = tokio::spawn(async move { talk(served.address, &request).await });
    let ctx = house.ctx(store::TenantId::SYSTEM);
    let mark = store::Stmt::new("SELECT COUNT(*) FROM edge_idempotency");
    while house.store.read(&ctx).one(mark.clone()).await.unwrap().unwrap().int(0).unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    served.stop.send(true).unwrap();
    house.go.add_permits(1);
    assert!(running.await.unwrap().starts_with("HTTP/1.1 201"));
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let house = House::new().await;
    let bounds =
        Bounds { head: Duration::from_millis(50), handshake: Duration::from_millis(50), ..Bounds::default() };
    let served = listen(&house, None, bounds).await;
    let answer = talk(served.address, "GET /healthz HT").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let (chain, key) = certificate();
    let certificate = ServerCertificate::from_pem(&chain, &key).unwrap();
    let served = listen(&house, Some(&certificate), bounds).await;
    assert_eq!(talk(served.address, "").await, "", "a handshake that never comes");
}

#[tokio::test]
async fn metrics_are_served_on_a_listener_of_their_own() {
    edge::metrics::install().unwrap();
    let house = House::new().await;
    house.get("/healthz", "").await;
    assert_eq!(house.get("/metrics", &house.owner).await.status, 404, "never at the doors");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve_metrics(listener, stopped));
    let text = talk(address, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(text.contains("tessera_requests_total{operation=\"healthz\",status=\"200\"}"), "{text}");
    assert!(!text.contains("127.0.0.1"));
}

#[tokio::test]
async fn h2_meets_the_same_walls() {
    let house = House::new().await;
    let served = listen(&house, None, Bounds::default()).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let ask = async |authority: &str, host: Option<&str>| {
        let mut request = http::Request::builder().uri(format!("http://{authority}/healthz"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        sender.clone().send_request(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("localhost:8400", None).await, 200);
    assert_eq!(ask("evil.example", None).await, 421);
    assert_eq!(ask("localhost:8400", Some("evil.example")).await, 421, "two names for one request");
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_cut() {
    let house = House::new().await;
    let bounds = Bounds { idle: Duration::from_millis(50), ..Bounds::default() };
    let served = listen(&house, None, bounds).await;
    // The peer asks for something that never comes and then says no more.
    let body = r#"{"text":"x"}"#;
    let request = format!(
        "POST /api/v1/try/slow HTTP/1.1\r\nhost: localhost:8400\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        house.owner,
        body.len()
    );
    assert_eq!(talk(served.address, &request).await, "");
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let house = House::new().await;
    let served = listen(&house, None, Bounds::default()).await;
    for (path, status) in [("/problems", "200"), ("/api/v1/tenants", "401"), ("/nothing", "404")] {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: localhost:8400\r\nconnection: close\r\n\r\n");
        let answer = talk(served.address, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
}
