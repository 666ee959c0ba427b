//! Links to one relay, each with a server's sixteen cells a round. Onions are wrapped before the clock runs, so that the relay is
//! measured and not its clients; every link takes all rows off its socket, and every accepted cell is looked for in what was published.

use super::process::{get, relay};
use crypto::secret::Secret;
use futures_util::{SinkExt, StreamExt};
use mailbox::calendar::Calendar;
use mailbox::frame::{Fetch, FromClient, FromRelay, Hello, Turn, TurnCode};
use mailbox::network::{Class, Epoch, Manifest, NetworkId, SignedStatement};
use mailbox::onion::{Path, Row};
use mailbox::statement::SignedRound;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::tungstenite::Message;

/// Cells of a link in a round: the most that the relay lets one link take.
const TURNS: u8 = 16;
/// Length of a round: the shortest of a development network, or what `RELAY_BENCH_ROUND_MS` says, where a busy machine lets the clients
/// send too late for that.
static ROUND_MS: LazyLock<u64> = LazyLock::new(|| {
    std::env::var("RELAY_BENCH_ROUND_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(250)
});
/// Rounds that are measured.
const ROUNDS: u64 = 20;
/// Links of one address before their first accepted turn are 64: they come in waves.
const WAVE: usize = 48;
/// Rounds that a wave may take to have its first turn accepted.
const TRIES_MAX: u64 = 40;
/// Turns go out between these parts of a round, each link at its own.
const OFFSET_HUNDREDTHS: std::ops::Range<u64> = 12..35;

/// The first bytes of a cell: random, so a name of it.
type Name = [u8; 16];

/// What came of one run.
pub(super) struct Delivered {
    links: usize,
    offered: usize,
    accepted: usize,
    seconds: f64,
    cpu_s: f64,
    bytes: usize,
    /// From sending to the last byte of the round's rows, sorted; one for each link and round.
    waits: Vec<Duration>,
}

/// A wait as it is printed.
pub(super) fn shown(wait: Duration) -> String {
    if wait == Duration::MAX { "never".to_owned() } else { format!("{} ms", wait.as_millis()) }
}

impl Delivered {
    /// Messages that were published, per CPU-second of the relay.
    pub(super) fn per_cpu(&self) -> f64 {
        self.accepted as f64 / self.cpu_s.max(0.01)
    }

    /// Whether the relay took all that was offered.
    pub(super) fn is_whole(&self) -> bool {
        self.accepted == self.offered
    }

    pub(super) fn p99(&self) -> Duration {
        self.wait(99)
    }

    /// What so many hundredths of the waits did not exceed; no end where no round came at all.
    fn wait(&self, hundredths: usize) -> Duration {
        let last = self.waits.len().saturating_sub(1);
        self.waits.get(last * hundredths / 100).copied().unwrap_or(Duration::MAX)
    }

    pub(super) fn short(&self) -> String {
        format!("{:.0} ({} of {})", self.per_cpu(), self.accepted, self.offered)
    }

    pub(super) fn line(&self) -> String {
        let at = |part: usize| shown(self.wait(part));
        format!(
            "{} links × {TURNS} cells, {ROUNDS} rounds of {} ms: delivered {:.0} messages/s ({} accepted of {} offered, all published); {:.0} per CPU-second of the relay, which used {:.2} cores; {:.0} MB/s read at the sockets, {:.0} bytes a message and link; sent to fetched p50 {}, p95 {}, p99 {}",
            self.links,
            *ROUND_MS,
            self.accepted as f64 / self.seconds,
            self.accepted,
            self.offered,
            self.per_cpu(),
            self.cpu_s / self.seconds,
            self.bytes as f64 / self.seconds / 1e6,
            self.bytes as f64 / self.accepted.max(1) as f64 / self.links as f64,
            at(50),
            at(95),
            at(99)
        )
    }
}

/// What every link knows.
struct World {
    port: u16,
    network: NetworkId,
    path: Path,
    calendar: Calendar,
    /// The relay's time at a moment of ours.
    clock: (Instant, u64),
}

impl World {
    fn now_ms(&self) -> u64 {
        self.clock.1 + self.clock.0.elapsed().as_millis() as u64
    }

    fn round(&self) -> u64 {
        self.calendar.round_at(Class::Normal, self.now_ms()).expect("it began")
    }

    async fn until(&self, round: u64, hundredths: u64) {
        let at_ms = self.calendar.starts_at_ms(Class::Normal, round) + *ROUND_MS * hundredths / 100;
        tokio::time::sleep(Duration::from_millis(at_ms.saturating_sub(self.now_ms()))).await;
    }

    fn hello(&self, turns: u8) -> Vec<u8> {
        let hello =
            Hello { network: self.network, manifest_version: 1, turns, fetch: Fetch::Bucket, bucket: 0 };
        FromClient::Hello(hello).encode(Class::Normal)
    }

    fn turn(&self, number: u8, round: u64, cell: &Row) -> Vec<u8> {
        let onion =
            self.path.wrap(round, 0, cell, &[Secret::new(crypto::random::array())]).expect("a sound key");
        let turn = Turn { round, token: [0; 48], onion, bucket: 0 };
        FromClient::Turn { number: number.into(), turn }.encode(Class::Normal)
    }
}

/// One run with so many links; troubled, others misbehave beside them all the while.
pub(super) async fn run(links: usize, is_troubled: bool) -> Delivered {
    let home = tempfile::tempdir().expect("a folder");
    // Room for those who misbehave.
    let (process, port) = relay(home.path(), *ROUND_MS, (links + 2) * usize::from(TURNS));
    let world = world(port).await;
    let mut open = Vec::new();
    while open.len() < links {
        let mut wave = tokio::task::JoinSet::new();
        for _ in 0..WAVE.min(links - open.len()) {
            wave.spawn(Link::open(world.clone()));
        }
        open.extend(wave.join_all().await);
    }
    let (batches, first) = wrapped(&world, links).await;
    world.until(first - 1, 0).await;
    let mut trouble = tokio::task::JoinSet::new();
    if is_troubled {
        trouble.spawn(idle(world.clone()));
        trouble.spawn(slow(world.clone()));
        trouble.spawn(junk(world.clone()));
    }
    world.until(first, 0).await;
    let (cpu_before, begun) = (process.cpu_s(), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for (number, (link, batch)) in (0..).zip(open.into_iter().zip(batches)) {
        let span = OFFSET_HUNDREDTHS.end - OFFSET_HUNDREDTHS.start;
        let offset = OFFSET_HUNDREDTHS.start + number * span / links as u64;
        tasks.spawn(link.run(world.clone(), batch, first, offset));
    }
    let outcomes = tasks.join_all().await;
    trouble.shutdown().await;
    let seconds = (ROUNDS * *ROUND_MS) as f64 / 1e3;
    assert!(begun.elapsed().as_secs_f64() < 4.0 * seconds, "the relay fell behind its rounds");
    let cpu_s = process.cpu_s() - cpu_before;
    let seen: HashSet<Name> = (first..first + ROUNDS).flat_map(|round| published(port, round)).collect();
    let accepted: Vec<Name> = outcomes.iter().flat_map(|one| &one.accepted).copied().collect();
    assert!(accepted.iter().all(|name| seen.contains(name)), "an accepted cell was not published");
    let mut waits: Vec<Duration> = outcomes.iter().flat_map(|one| &one.waits).copied().collect();
    waits.sort_unstable();
    let bytes = outcomes.iter().map(|one| one.bytes).sum();
    let offered = links * usize::from(TURNS) * ROUNDS as usize;
    drop(process);
    Delivered { links, offered, accepted: accepted.len(), seconds, cpu_s, bytes, waits }
}

/// The network, checked as a client does, and the relay's clock.
async fn world(port: u16) -> Arc<World> {
    let signed = SignedStatement::parse(&get(port, "/relay/v1/network")).expect("a manifest");
    let network = NetworkId(signed.digest());
    let known = Manifest::parse(signed).and_then(|one| one.verify_first(network)).expect("a sound manifest");
    let epoch = SignedStatement::parse(&get(port, "/relay/v1/epoch")).and_then(Epoch::parse);
    let epoch = epoch.and_then(|one| one.verify(&known)).expect("a sound epoch");
    let (path, calendar) = (Path::new(&epoch, Class::Normal), known.manifest().calendar());
    let mut world = World { port, network, path, calendar, clock: (Instant::now(), 0) };
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let url = format!("ws://localhost:{port}/relay/v1/link");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("it upgrades");
    socket.send(Message::Binary(world.hello(1).into())).await.expect("it reads");
    let Some(Ok(Message::Binary(frame))) = socket.next().await else { panic!("no WELCOME") };
    let Ok((_, FromRelay::Welcome(welcome))) = FromRelay::parse(&frame) else { panic!("no WELCOME") };
    world.clock = (Instant::now(), welcome.now_ms);
    Arc::new(world)
}

/// The frames of a link, by round, with the names of their cells.
type Batch = Vec<(Vec<u8>, Vec<Name>)>;

/// Wraps every cell of a run for rounds that lie far enough ahead, on both cores; the first of them.
async fn wrapped(world: &Arc<World>, links: usize) -> (Vec<Batch>, u64) {
    // Wrapping takes some 60 µs a cell; more is allowed for, since the machine may do other things.
    let cells = (links * usize::from(TURNS)) as u64 * ROUNDS;
    let first = world.round() + (cells * 120 / 1_000 / *ROUND_MS) + 8;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..links {
        let world = world.clone();
        tasks.spawn_blocking(move || {
            (first..first + ROUNDS).map(|round| masked(&world, round)).collect::<Batch>()
        });
    }
    let batches = tasks.join_all().await;
    assert!(world.round() < first, "wrapping took too long: try again on a quieter machine");
    (batches, first)
}

/// A round's turns in one piece, as they go over the socket.
fn masked(world: &World, round: u64) -> (Vec<u8>, Vec<Name>) {
    let (mut bytes, mut names) = (Vec::new(), Vec::new());
    for number in 0..TURNS {
        let cell: Row = crypto::random::array();
        names.push(*cell.first_chunk().expect("a cell is longer"));
        bytes.extend(frame_of(&world.turn(number, round, &cell)));
    }
    (bytes, names)
}

/// The head of a link.
fn upgrade(port: u16) -> String {
    [
        "GET /relay/v1/link HTTP/1.1",
        &format!("host: localhost:{port}"),
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
        "",
        "",
    ]
    .join("\r\n")
}

/// A client's WebSocket frame: binary, whole, masked with zeros, which change nothing.
fn frame_of(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&[0x82, 0xfe][..], &length, &[0; 4], payload].concat()
}

/// A link without a library: what it does not look at it passes over.
struct Link {
    heard: Frames,
    says: OwnedWriteHalf,
}

/// What a link had.
struct Outcome {
    accepted: Vec<Name>,
    waits: Vec<Duration>,
    bytes: usize,
}

impl Link {
    /// A link that said HELLO.
    async fn upgraded(world: &World) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", world.port)).await.expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        let (heard, mut says) = socket.into_split();
        says.write_all(upgrade(world.port).as_bytes()).await.expect("it reads");
        let mut link = Self { heard: Frames::new(heard), says };
        link.heard.head().await;
        link.says.write_all(&frame_of(&world.hello(TURNS))).await.expect("it reads");
        assert!(matches!(link.heard.next().await, Seen::Other), "no WELCOME");
        link
    }

    /// Opens a link and takes turns until one was accepted.
    async fn open(world: Arc<World>) -> Self {
        let mut link = Self::upgraded(&world).await;
        for _ in 0..TRIES_MAX {
            let round = world.round() + 1;
            world.until(round, OFFSET_HUNDREDTHS.start).await;
            let turn = frame_of(&world.turn(0, round, &crypto::random::array()));
            link.says.write_all(&turn).await.expect("it reads");
            loop {
                match link.heard.next().await {
                    Seen::Turned { code: TurnCode::Accepted, .. } => return link,
                    Seen::Turned { .. } => break,
                    Seen::Close => {
                        link = Self::upgraded(&world).await;
                        break;
                    }
                    _ => {}
                }
            }
        }
        panic!("no turn was accepted");
    }

    async fn run(mut self, world: Arc<World>, batch: Batch, first: u64, offset: u64) -> Outcome {
        let names: HashMap<(u64, u16), Name> = (first..)
            .zip(&batch)
            .flat_map(|(round, (_, names))| {
                (0..).zip(names).map(move |(number, name)| ((round, number), *name))
            })
            .collect();
        let (mut says, sends) = (self.says, world.clone());
        let sender = tokio::spawn(async move {
            let mut sent = Vec::new();
            for (round, (bytes, _)) in (first..).zip(batch) {
                sends.until(round, offset).await;
                sent.push(Instant::now());
                if says.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            (sent, says)
        });
        let before = self.heard.bytes;
        let (mut accepted, mut fetched) = (Vec::new(), Vec::new());
        let last = first + ROUNDS - 1;
        let end = Instant::now() + Duration::from_millis(4 * ROUNDS * *ROUND_MS);
        while fetched.last().is_none_or(|(round, _)| *round < last) && Instant::now() < end {
            match tokio::time::timeout_at(end.into(), self.heard.next()).await {
                Ok(Seen::Turned { round, number, code: TurnCode::Accepted }) => {
                    accepted.extend(names.get(&(round, number)));
                }
                Ok(Seen::Bucket(round)) if round >= first => fetched.push((round, Instant::now())),
                // Three turns that came too late: on a machine that does other things a link ends so, and its cells count as refused.
                Ok(Seen::Close) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let (sent, _says) = sender.await.expect("the sender goes on");
        let waits = fetched
            .iter()
            .filter_map(|(round, at)| {
                Some(at.saturating_duration_since(*sent.get((round - first) as usize)?))
            })
            .collect();
        Outcome { accepted, waits, bytes: self.heard.bytes - before }
    }
}

/// As many links as one address may have before its first turn; they say nothing.
async fn idle(world: Arc<World>) {
    let mut open = Vec::new();
    for _ in 0..WAVE {
        open.push(Link::upgraded(&world).await);
    }
    std::future::pending::<()>().await;
}

/// A link that takes its turns and reads nothing; cut off, it comes again.
async fn slow(world: Arc<World>) {
    loop {
        let mut link = Link::open(world.clone()).await;
        loop {
            let round = world.round() + 1;
            world.until(round, OFFSET_HUNDREDTHS.start).await;
            let turn = frame_of(&world.turn(0, round, &crypto::random::array()));
            let sending = link.says.write_all(&turn);
            if !matches!(tokio::time::timeout(Duration::from_secs(1), sending).await, Ok(Ok(()))) {
                break;
            }
        }
    }
}

/// A mebibyte of nonsense, twenty times a second, each on a link of its own.
async fn junk(world: Arc<World>) {
    let junk = vec![0x55; 1 << 20];
    loop {
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", world.port)).await {
            let upgrade = upgrade(world.port);
            let _ = socket.write_all(upgrade.as_bytes()).await;
            let _ = tokio::time::timeout(Duration::from_millis(500), socket.write_all(&junk)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a frame was.
enum Seen {
    Turned {
        round: u64,
        number: u16,
        code: TurnCode,
    },
    /// The last part of a round's rows went by.
    Bucket(u64),
    Close,
    Other,
}

/// Frames of a relay as they come off a socket.
struct Frames {
    from: OwnedReadHalf,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    bytes: usize,
    /// The round of the rows that are going by.
    round: u64,
    is_first: bool,
}

impl Frames {
    fn new(from: OwnedReadHalf) -> Self {
        Self { from, buffer: vec![0; 256 << 10], at: 0, end: 0, bytes: 0, round: 0, is_first: true }
    }

    /// Reads until the end of the HTTP head.
    async fn head(&mut self) {
        let mut last = [0; 4];
        while last != *b"\r\n\r\n" {
            last.rotate_left(1);
            last[3] = self.byte().await.expect("the relay answers");
        }
    }

    /// The next frame; its body is looked at only as far as its kind needs. A link that is gone is one that was closed.
    async fn next(&mut self) -> Seen {
        self.frame().await.unwrap_or(Seen::Close)
    }

    async fn frame(&mut self) -> Option<Seen> {
        let opcode = self.byte().await? & 0x0f;
        let length = match self.byte().await? & 0x7f {
            126 => usize::from(u16::from_be_bytes([self.byte().await?, self.byte().await?])),
            127 => {
                let mut length = 0;
                for _ in 0..8 {
                    length = length << 8 | usize::from(self.byte().await?);
                }
                length
            }
            short => usize::from(short),
        };
        if opcode != 2 || length < 4 {
            self.pass(length).await?;
            return Some(if opcode == 8 { Seen::Close } else { Seen::Other });
        }
        let mut known = Vec::new();
        for _ in 0..length.min(13) {
            known.push(self.byte().await?);
        }
        let seen = match known[0] {
            0x04 => match FromRelay::parse(&known) {
                Ok((_, FromRelay::Turned { number, turned })) => {
                    Seen::Turned { round: turned.round, number, code: turned.code }
                }
                _ => Seen::Other,
            },
            0x0a => {
                if self.is_first && known.len() >= 12 {
                    self.round = u64::from_be_bytes(*known[4..].first_chunk().expect("twelve bytes"));
                }
                self.is_first = known[2..4] == [0, 0];
                if self.is_first { Seen::Bucket(self.round) } else { Seen::Other }
            }
            0x7f => Seen::Close,
            _ => Seen::Other,
        };
        self.pass(length - known.len()).await?;
        Some(seen)
    }

    async fn byte(&mut self) -> Option<u8> {
        if self.at == self.end {
            self.fill().await?;
        }
        self.at += 1;
        Some(self.buffer[self.at - 1])
    }

    async fn pass(&mut self, mut bytes: usize) -> Option<()> {
        while bytes > 0 {
            if self.at == self.end {
                self.fill().await?;
            }
            let now = bytes.min(self.end - self.at);
            self.at += now;
            bytes -= now;
        }
        Some(())
    }

    async fn fill(&mut self) -> Option<()> {
        let read = self.from.read(&mut self.buffer).await.unwrap_or(0);
        (self.at, self.end) = (0, read);
        self.bytes += read;
        (read > 0).then_some(())
    }
}

/// The names of all cells that a round published, as whoever catches up fetches them, checked against the round's statement. A round that
/// is late is waited for a little; one that never came has none.
fn published(port: u16, round: u64) -> Vec<Name> {
    for _ in 0..TRIES_MAX {
        let Ok(signed) = SignedRound::parse(&get(port, &format!("/relay/v1/rounds/0/{round}"))) else {
            std::thread::sleep(Duration::from_millis(*ROUND_MS));
            continue;
        };
        let rows = get(port, &format!("/relay/v1/buckets/0/{round}/0"));
        signed.unverified().check_rows(0, &rows, &[]).expect("its rows");
        return rows.as_chunks::<512>().0.iter().filter_map(|cell| cell.first_chunk().copied()).collect();
    }
    Vec::new()
}
