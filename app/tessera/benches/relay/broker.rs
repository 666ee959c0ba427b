//! The unprotected bar: mosquitto, which knows who writes to whom. Twenty publishers, each with a subscriber of its own, messages of a
//! cell's size, by a client of ours that does no more than MQTT 3.1.1 asks.

use super::process::Process;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Semaphore;

/// Publishers, and as many subscribers.
const PAIRS: usize = 20;
/// Messages of a publisher that are on their way at once: below the twenty that a broker lets wait for their acknowledgement.
const WINDOW: usize = 16;
/// How long messages are counted.
const SECONDS: u64 = 3;
/// A cell's.
const PAYLOAD_BYTES: usize = 512;

const CONNECT: &[u8] = &[0x10, 0, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];

/// What a broker carried.
pub(super) struct Carried {
    messages: usize,
    seconds: f64,
    cpu_s: f64,
    /// From publishing to receiving, sorted.
    waits: Vec<Duration>,
}

impl Carried {
    /// Messages that came, per CPU-second of the broker.
    pub(super) fn per_cpu(&self) -> f64 {
        self.messages as f64 / self.cpu_s.max(0.01)
    }

    pub(super) fn line(&self, qos: u8) -> String {
        let last = self.waits.len().saturating_sub(1);
        let at =
            |part: usize| self.waits.get(last * part / 100).map_or(f64::NAN, Duration::as_secs_f64) * 1e3;
        format!(
            "QoS {qos}: {:.0} messages per CPU-second of the broker ({:.0}/s, it used {:.2} cores); p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms",
            self.per_cpu(),
            self.messages as f64 / self.seconds,
            self.cpu_s / self.seconds,
            at(50),
            at(95),
            at(99)
        )
    }
}

/// The broker: what `MOSQUITTO` names, or what is on the path, or where Debian puts it, which is on no user's path.
pub(super) fn program() -> Option<PathBuf> {
    let named = std::env::var_os("MOSQUITTO").map(PathBuf::from);
    let known = ["mosquitto", "/usr/sbin/mosquitto"].map(PathBuf::from);
    let tries = named.map_or_else(|| known.to_vec(), |named| vec![named]);
    let runs = |program: &PathBuf| {
        Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    tries.into_iter().find(runs)
}

/// One run at a quality of service.
pub(super) async fn run(program: &Path, qos: u8) -> Carried {
    let home = tempfile::tempdir().expect("a folder");
    let (broker, port) = started(program, home.path()).await;
    let mut tasks = tokio::task::JoinSet::new();
    let (before, begun) = (broker.cpu_s(), Instant::now());
    for number in 0..PAIRS {
        tasks.spawn(pair(port, number, qos, begun));
    }
    let mut waits: Vec<Duration> = tasks.join_all().await.concat();
    waits.sort_unstable();
    Carried { messages: waits.len(), seconds: SECONDS as f64, cpu_s: broker.cpu_s() - before, waits }
}

async fn started(program: &Path, home: &Path) -> (Process, u16) {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.expect("a free port").port();
    let rules =
        format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n");
    let file = home.join("mosquitto.conf");
    std::fs::write(&file, rules).expect("the folder is ours");
    let child =
        Command::new(program).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let process = Process(child.expect("it ran a moment ago"));
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return (process, port);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("mosquitto does not listen");
}

/// A publisher and its subscriber; how long each message took.
async fn pair(port: u16, number: usize, qos: u8, begun: Instant) -> Vec<Duration> {
    let topic = format!("bench/{number:03}");
    let (mut heard, mut says) = connected(port, &format!("s{number}")).await;
    let topic_bytes = u16::try_from(topic.len()).expect("a short topic").to_be_bytes();
    let wish = [&[0, 1][..], &topic_bytes, topic.as_bytes(), &[qos]].concat();
    says.write_all(&[&[0x82, wish.len() as u8][..], &wish].concat()).await.expect("it reads");
    assert_eq!(packet(&mut heard).await.expect("SUBACK").0, 0x90);
    let (mut answers, mut writes) = connected(port, &format!("p{number}")).await;
    let window = Arc::new(Semaphore::new(WINDOW));
    let end = begun + Duration::from_secs(SECONDS);
    let acks = tokio::spawn(async move { while packet(&mut answers).await.is_some() {} });
    let permits = window.clone();
    let publisher = tokio::spawn(async move {
        let mut id = 0_u16;
        while Instant::now() < end {
            permits.acquire().await.expect("it is never closed").forget();
            id = id.wrapping_add(1).max(1);
            let sent = u64::try_from(begun.elapsed().as_nanos()).expect("a short run");
            let mut payload = [0; PAYLOAD_BYTES];
            payload[..8].copy_from_slice(&sent.to_be_bytes());
            let id_bytes = if qos == 0 { Vec::new() } else { id.to_be_bytes().to_vec() };
            let body = [&topic_bytes[..], topic.as_bytes(), &id_bytes, &payload].concat();
            let head = [0x30 | qos << 1, (body.len() % 128) as u8 | 0x80, (body.len() / 128) as u8];
            if writes.write_all(&[&head[..], &body].concat()).await.is_err() {
                return;
            }
        }
    });
    let mut waits = Vec::new();
    while let Ok(Some((kind, body))) = tokio::time::timeout_at(end.into(), packet(&mut heard)).await {
        assert_eq!(kind & 0xf0, 0x30, "a PUBLISH");
        let at = body.len() - PAYLOAD_BYTES;
        let sent = u64::from_be_bytes(*body[at..].first_chunk().expect("a payload"));
        waits.push(begun.elapsed().saturating_sub(Duration::from_nanos(sent)));
        if qos == 1 {
            says.write_all(&[0x40, 2, body[at - 2], body[at - 1]]).await.expect("it reads");
        }
        window.add_permits(1);
    }
    publisher.abort();
    acks.abort();
    waits
}

async fn connected(port: u16, name: &str) -> (BufReader<OwnedReadHalf>, tokio::net::tcp::OwnedWriteHalf) {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    socket.set_nodelay(true).expect("a socket");
    let (heard, mut says) = socket.into_split();
    let mut heard = BufReader::with_capacity(1 << 16, heard);
    let mut hello = [CONNECT, &[0, name.len() as u8], name.as_bytes()].concat();
    hello[1] = (hello.len() - 2) as u8;
    says.write_all(&hello).await.expect("it reads");
    assert_eq!(packet(&mut heard).await.expect("CONNACK"), (0x20, vec![0, 0]));
    (heard, says)
}

/// The next packet: its first byte and its body.
async fn packet(from: &mut BufReader<OwnedReadHalf>) -> Option<(u8, Vec<u8>)> {
    let kind = from.read_u8().await.ok()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = from.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}
