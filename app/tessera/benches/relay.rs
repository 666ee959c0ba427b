//! `cargo bench -p tessera --bench relay`: delivered messages a second through one relay over real sockets, what a hop opens a
//! second and core, and member proofs. Prints figures; asserts that what was accepted arrived.

use crypto::schnorr::{SchnorrSecret, Statement, verify};
use crypto::secret::Secret;
use futures_util::{SinkExt, StreamExt};
use mailbox::frame::{Fetch, FromClient, FromRelay, Hello, Parts, Turn, TurnCode, Whole};
use mailbox::network::{Class, Epoch, Identity, Manifest, NetworkId, SignedStatement, VerifiedManifest};
use mailbox::onion::{Innermost, Path};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Clients, each with a server's sixteen turns.
const CLIENTS: usize = 250;
/// Cells that each sends in a round.
const TURNS: u8 = 16;
/// Rounds that are measured.
const ROUNDS: usize = 5;
/// Length of a round, milliseconds.
const ROUND_MS: u64 = 1_000;

fn main() {
    // `cargo test` runs benches too, without this flag: figures of a debug build would say nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    schnorr();
    hop();
    delivered();
}

fn schnorr() {
    let secret = SchnorrSecret::generate();
    let statement = Statement { label: b"bench", issuer: &[1; 32], epoch: 1, challenge: &[2; 32] };
    let proof = secret.prove(&statement, &[3; 32]);
    let public = secret.public();
    rate("schnorr prove, /s/core", 20_000, || {
        std::hint::black_box(secret.prove(&statement, &[3; 32]));
    });
    rate("schnorr verify, /s/core", 10_000, || verify(&public, &statement, &proof).expect("our own proof"));
}

fn hop() {
    use mailbox::hop::{Seen, open_last, publish};
    use mailbox::onion::{Layer, Opener};
    let key = crypto::hpke::HpkePrivateKey::from_secret(&Secret::new([3; 32]));
    let layer = Layer { network: NetworkId([9; 32]), epoch: 0, view: 0, class: Class::Normal, hop: 1 };
    let path = Path::of_keys(&[Identity(key.public())], &layer);
    let opener = Opener::new(key, &layer);
    let cells = 20_000;
    let onions: Vec<Vec<u8>> = (0..cells)
        .map(|_| path.wrap(7, 0, &[5; 512], &[Secret::new(crypto::random::array())]).expect("a sound key"))
        .collect();
    let start = Instant::now();
    let opened = open_last(&opener, &mut Seen::default(), 7, onions.iter().map(Vec::as_slice));
    let rows = publish(&opened.cells, 1);
    assert_eq!(rows[0].len(), cells * 512);
    let _: &[Innermost] = &opened.cells;
    println!("hop, cells/s/core: {:.0}", cells as f64 / start.elapsed().as_secs_f64());
}

fn rate(what: &str, times: u32, mut act: impl FnMut()) {
    let start = Instant::now();
    (0..times).for_each(|_| act());
    println!("{what}: {:.0}", f64::from(times) / start.elapsed().as_secs_f64());
}

struct Relay(Child, u16);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn started(home: &std::path::Path) -> Relay {
    let clients = (CLIENTS * usize::from(TURNS)).to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .args([
            "relay",
            "serve",
            "--dev",
            "--port",
            "0",
            "--round",
            "1000ms",
            "--fast-round",
            "0",
            "--clients-max",
            &clients,
        ])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built");
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("piped above"));
    while !said.contains(" Warning ") {
        assert!(lines.read_line(&mut said).expect("a line") > 0, "the relay ended: {said}");
    }
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let address =
        said.split("plain http on ").nth(1).and_then(|rest| rest.lines().next()).expect("it says where");
    let port = address.rsplit(':').next().and_then(|port| port.trim().parse().ok()).expect("a port");
    Relay(child, port)
}

fn get(port: u16, path: &str) -> Vec<u8> {
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(socket, "GET {path} HTTP/1.0\r\nhost: localhost:{port}\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it answers");
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    answer.split_off(head + 4)
}

fn delivered() {
    let home = tempfile::tempdir().expect("a folder");
    let relay = started(home.path());
    let signed = SignedStatement::parse(&get(relay.1, "/relay/v1/network")).expect("a manifest");
    let id = NetworkId(signed.digest());
    let known = Manifest::parse(signed).and_then(|one| one.verify_first(id)).expect("a sound manifest");
    let epoch = SignedStatement::parse(&get(relay.1, "/relay/v1/epoch")).and_then(Epoch::parse);
    let epoch = epoch.and_then(|one| one.verify(&known)).expect("a sound epoch");
    let (known, path) = (Arc::new(known), Arc::new(Path::new(&epoch, Class::Normal)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let start = Instant::now();
    let outcomes = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            tasks.spawn(client(relay.1, known.clone(), path.clone()));
        }
        tasks.join_all().await
    });
    let took = start.elapsed();
    let accepted: usize = outcomes.iter().map(|one| one.0).sum();
    let bytes: usize = outcomes.iter().map(|one| one.2).sum();
    assert!(
        outcomes.iter().all(|one| one.1 >= one.0),
        "every client sees its own accepted cells and all others of its rounds"
    );
    let seen = outcomes.iter().map(|one| one.1).max().unwrap_or(0);
    let mut waits: Vec<Duration> = outcomes.into_iter().flat_map(|one| one.3).collect();
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100];
    println!(
        "clients {CLIENTS}, turns {TURNS}, rounds {ROUNDS} of {ROUND_MS} ms: {accepted} accepted, {seen} rows seen by the luckiest"
    );
    println!("delivered messages/s: {:.0}", accepted as f64 / took.as_secs_f64());
    println!("rows read at the sockets, MB/s: {:.1}", bytes as f64 / took.as_secs_f64() / 1e6);
    println!("sent to fetched: p50 {:?}, p95 {:?}, p99 {:?}", at(50), at(95), at(99));
}

/// Accepted, rows seen, bytes read, and how long each round took from sending to its rows.
async fn client(
    port: u16,
    known: Arc<VerifiedManifest>,
    path: Arc<Path>,
) -> (usize, usize, usize, Vec<Duration>) {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let url = format!("ws://localhost:{port}/relay/v1/link");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("it upgrades");
    let hello = Hello {
        network: known.network(),
        manifest_version: 1,
        turns: TURNS,
        fetch: Fetch::Bucket,
        bucket: 0,
    };
    let frame = |frame: FromClient| Message::Binary(frame.encode(Class::Normal).into());
    socket.send(frame(FromClient::Hello(hello))).await.expect("it reads");
    let calendar = known.manifest().calendar();
    let (mut welcomed, mut parts) = (None, Parts::default());
    let (mut accepted, mut seen, mut bytes, mut waits) = (0, 0, 0, Vec::new());
    while waits.len() < ROUNDS {
        let now_ms = |(at, ms): &(Instant, u64)| ms + at.elapsed().as_millis() as u64;
        if let Some(clock) = &welcomed {
            // The next round, at a tenth of it.
            let round = calendar.round_at(Class::Normal, now_ms(clock)).expect("it began") + 1;
            let at_ms = calendar.starts_at_ms(Class::Normal, round) + ROUND_MS / 10;
            tokio::time::sleep(Duration::from_millis(at_ms.saturating_sub(now_ms(clock)))).await;
            for number in 0..TURNS {
                let ephemeral = [Secret::new(crypto::random::array())];
                let onion = path.wrap(round, 0, &crypto::random::array(), &ephemeral).expect("a sound key");
                let turn = Turn { round, token: [0; 48], onion, bucket: 0 };
                socket.send(frame(FromClient::Turn { number: number.into(), turn })).await.expect("it reads");
            }
        }
        let sent = Instant::now();
        loop {
            let Some(Ok(message)) = socket.next().await else { panic!("the relay closed the link") };
            let Message::Binary(frame) = message else { continue };
            bytes += frame.len();
            match FromRelay::parse(&frame).expect("frames of a relay").1 {
                FromRelay::Welcome(welcome) => {
                    welcomed = Some((Instant::now(), welcome.now_ms));
                    break;
                }
                FromRelay::Turned { turned, .. } => {
                    accepted += usize::from(turned.code == TurnCode::Accepted)
                }
                FromRelay::Part(part) => {
                    if let Some(Whole::Bucket(bucket)) = parts.take(part, 1 << 20).expect("parts in order") {
                        seen += bucket.rows.len() / 512;
                        waits.push(sent.elapsed());
                        break;
                    }
                }
                FromRelay::Close(close) => panic!("{close:?}"),
            }
        }
    }
    (accepted, seen, bytes, waits)
}
