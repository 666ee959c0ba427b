//! A relay for one test: a real database, a standing clock, doors on a loopback socket, and clients over WebSocket.

use crypto::secret::Secret;
use custody::{Custody, Settings};
use edge::clock::Hand;
use edge::server::{self, Bounds};
use edge::{Clock, Edge};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use mailbox::frame::{
    Bucket, Close, Fetch, FromClient, FromRelay, Hello, Parts, Round, Turn, TurnCode, Turned, Welcome, Whole,
};
use mailbox::network::{Class, Epoch, Manifest, NetworkId, SignedStatement, VerifiedEpoch, VerifiedManifest};
use mailbox::onion::{Path, Row};
use relay::{Config, Relay};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::{Actor, Ctx, DetailQuery, Entropy, LogId, LogSpec, Store, StoreConfig, TenantId};
use tenancy::tenant::NewTenant;
use tenancy::{Tenancy, Tenant};
use tessera_relay as relay;
use tlog::entry::Entry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The moment at which every test begins: a whole minute.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";
/// T of the normal class in tests.
pub(crate) const ROUND_MS: u64 = 60_000;
/// Longest that a test waits for a frame: far above what any machine takes.
const FRAME_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) relay: Relay,
    pub(crate) tenant: Tenant,
    pub(crate) address: SocketAddr,
    hand: Hand,
    _shutdown: watch::Sender<bool>,
}

/// Opens the log of a new tenant, as the ledger does in a whole house.
struct Logs(Store);

impl tenancy::Prepare for Logs {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let made = async move { self.0.create_log(ctx, &LogSpec::of("ledger.test", &tenant.id)).await };
        Box::pin(async move { made.await.map_err(|fault| fault.to_string()) })
    }
}

pub(crate) fn migrations() -> [store::Migrations; 4] {
    [tenancy::MIGRATIONS, edge::MIGRATIONS, custody::MIGRATIONS, relay::MIGRATIONS]
}

/// Opens a store in `folder`; a second one of the same folder is the same relay after a restart.
pub(crate) fn store_in(folder: &std::path::Path) -> Store {
    Store::open(StoreConfig::new(folder.join("relay.db"), Secret::new([7; 32])), &migrations()).unwrap()
}

impl House {
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> House {
        House::over(Store::ephemeral(&migrations()).unwrap(), NOW.parse().unwrap(), change).await
    }

    pub(crate) async fn over(store: Store, now: Timestamp, change: impl FnOnce(&mut Config)) -> House {
        const PUBLIC_URL: &str = "http://localhost:8100";
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("ledger.test"));
        let (clock, hand) = Clock::standing(now);
        let entropy = Entropy::Os;
        let mut edge_config = edge::Config::new(PUBLIC_URL.parse().unwrap(), true);
        edge_config.rate = edge::limit::RateConfig::default().dev();
        let edge =
            Edge::new(edge_config, store.clone(), tenancy.clone(), clock.clone(), entropy.clone()).unwrap();
        let settings = Settings::new(PUBLIC_URL, true, custody::Config::default());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let mut config = Config { fast_round_ms: 0, per_address_max: 2_000, ..Config::new(PUBLIC_URL) };
        change(&mut config);
        let relay = Relay::new(store.clone(), custody.clone(), config);
        tenancy.on_new_tenant(Arc::new(Logs(store.clone())));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        let system = Ctx::new(TenantId::SYSTEM, Actor::system(), clock.now(), entropy);
        // A store on disk has no log yet at its first start; the ledger makes it in a whole house.
        if store.log(&system, &LogId::of(&TenantId::SYSTEM)).await.unwrap().is_none() {
            store.ensure_tenant_keys(&system).await.unwrap();
            store.create_log(&system, &LogSpec::of("ledger.test", &TenantId::SYSTEM)).await.unwrap();
        }
        custody.provision_system(&system).await.unwrap();
        let tenant = match tenancy.tenant_named(&system, "default").await.unwrap() {
            Some(tenant) => tenant,
            None => {
                let new = NewTenant { name: "default".to_owned(), title: None };
                tenancy.create_tenant(&system, new, None).await.unwrap().0
            }
        };
        let router = edge.router(custody::http::doors(&custody).and(relay.doors()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, ended) = watch::channel(false);
        tokio::spawn(server::serve(
            listener,
            router,
            None,
            Bounds { per_address_max: 10_000, ..Bounds::default() },
            ended,
        ));
        let house = House { store, edge, relay, tenant, address, hand, _shutdown: shutdown };
        house.relay.open(&house.ctx()).await.unwrap();
        house.relay.advance(&house.ctx()).await.unwrap();
        house
    }

    pub(crate) fn ctx(&self) -> Ctx {
        let now = self.edge.clock().now();
        Ctx::new(self.tenant.id.clone(), Actor::system(), now, self.edge.entropy().clone())
    }

    /// Acts inside a tenant that has no relay.
    pub(crate) async fn other_tenant(&self) -> Ctx {
        let new = NewTenant { name: "other".to_owned(), title: None };
        let system =
            Ctx::new(TenantId::SYSTEM, Actor::system(), self.edge.clock().now(), self.edge.entropy().clone());
        let (tenant, _) = self.edge.tenancy().create_tenant(&system, new, None).await.unwrap();
        system.for_tenant(tenant.id)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.ctx().now_ms() as u64
    }

    /// Lets time pass, and the relay do what is due, step by step.
    pub(crate) async fn pass(&self, ms: u64) {
        let end = self.now_ms() + ms;
        loop {
            let next = self.relay.advance(&self.ctx()).await.unwrap();
            let now = self.now_ms();
            if now >= end {
                return;
            }
            self.hand.advance(Duration::from_millis(next.clamp(now + 1, end) - now));
        }
    }

    /// Time alone passes.
    pub(crate) fn sleepwalk(&self, ms: u64) {
        self.hand.advance(Duration::from_millis(ms));
    }

    pub(crate) fn manifest(&self) -> VerifiedManifest {
        self.relay.network().unwrap().clone()
    }

    pub(crate) fn round(&self) -> u64 {
        self.manifest().manifest().calendar().round_at(Class::Normal, self.now_ms()).unwrap()
    }

    /// A plain GET; status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.http("GET", path, "", "").await
    }

    pub(crate) async fn http(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Vec<u8>) {
        let auth =
            if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let media = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        self.sent(method, path, &auth, media, body).await
    }

    /// A form, by a client that names itself.
    pub(crate) async fn form(&self, path: &str, basic: &str, body: &str) -> (u16, Vec<u8>) {
        let media = "content-type: application/x-www-form-urlencoded\r\n";
        self.sent("POST", path, &format!("authorization: Basic {basic}\r\n"), media, body).await
    }

    async fn sent(&self, method: &str, path: &str, auth: &str, media: &str, body: &str) -> (u16, Vec<u8>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:8100\r\nconnection: close\r\n{auth}{media}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        let mut body = answer.split_off(head + 4);
        if String::from_utf8_lossy(&answer).to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        (status, body)
    }

    /// The running epoch, fetched and checked as a client does.
    pub(crate) async fn epoch(&self) -> VerifiedEpoch {
        let (status, network) = self.get("/relay/v1/network").await;
        assert_eq!(status, 200);
        let signed = SignedStatement::parse(&network).unwrap();
        let id = NetworkId(signed.digest());
        let known = Manifest::parse(signed).unwrap().verify_first(id).unwrap();
        let (_, epoch) = self.get("/relay/v1/epoch").await;
        Epoch::parse(SignedStatement::parse(&epoch).unwrap()).unwrap().verify(&known).unwrap()
    }

    /// A client that said HELLO and was welcomed.
    pub(crate) async fn client(&self) -> Client {
        self.client_of(Class::Normal, 1).await
    }

    pub(crate) async fn client_of(&self, class: Class, turns: u8) -> Client {
        let mut client = Client::connect(self.address, class).await;
        client.path = Some(Path::new(&self.epoch().await, class));
        client.hello(self.hello(turns)).await;
        let Heard::Welcome(welcome) = client.hear().await else { panic!("no WELCOME") };
        client.welcome = Some(welcome);
        client
    }

    pub(crate) fn hello(&self, turns: u8) -> Hello {
        let network = self.manifest().network();
        Hello { network, manifest_version: 1, turns, fetch: Fetch::Bucket, bucket: 0 }
    }

    /// How many events of this type the tenant's log has.
    pub(crate) async fn count(&self, event: &str) -> usize {
        let query = DetailQuery { event_type: Some(event.to_owned()), ..DetailQuery::default() };
        self.store.details(&self.ctx(), &LogId::of(&self.tenant.id), &query, 500).await.unwrap().len()
    }

    /// Takes what waits for the ledger, as its sequencer does: a store whose entries wait too long takes no more.
    pub(crate) async fn sequence(&self) {
        let system = self.ctx().for_tenant(TenantId::SYSTEM);
        for log in [LogId::of(&self.tenant.id), LogId::of(&TenantId::SYSTEM)] {
            let taken = self.store.take_pending(&system, &log, 512).await.unwrap();
            let spent = store::spend_pending(&log, &taken);
            self.store.housekeeping(&system, store::Reason::Sequencing, spent).await.unwrap();
        }
    }

    /// Types of the events of the tenant's log so far.
    pub(crate) async fn events(&self) -> Vec<String> {
        let waiting = self.store.take_pending(&self.ctx(), &LogId::of(&self.tenant.id), 512).await.unwrap();
        waiting.into_iter().map(|entry| Entry::decode(&entry.leaf).unwrap().kind).collect()
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return out;
        }
        out.extend(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}

/// A client over a real socket.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    class: Class,
    parts: Parts,
    pub(crate) path: Option<Path>,
    pub(crate) welcome: Option<Welcome>,
}

/// What a client hears.
#[derive(Debug)]
pub(crate) enum Heard {
    Welcome(Welcome),
    Turned(Turned),
    Round(Round),
    Bucket(Bucket),
    Close(Close),
    Gone,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, class: Class) -> Client {
        Client::try_connect(address, class).await.unwrap()
    }

    pub(crate) async fn try_connect(address: SocketAddr, class: Class) -> Result<Client, String> {
        let stream = TcpStream::connect(address).await.map_err(|fault| fault.to_string())?;
        let connected = tokio_tungstenite::client_async("ws://localhost:8100/relay/v1/link", stream).await;
        let (socket, _) = connected.map_err(|fault| fault.to_string())?;
        Ok(Client { socket, class, parts: Parts::default(), path: None, welcome: None })
    }

    pub(crate) async fn hello(&mut self, hello: Hello) {
        self.send(FromClient::Hello(hello).encode(self.class)).await;
    }

    pub(crate) async fn send(&mut self, frame: Vec<u8>) {
        let _ = self.socket.send(Message::Binary(frame.into())).await;
    }

    /// Sends a frame if the socket takes it at once: whoever does not read may not be read either.
    pub(crate) async fn send_if_heard(&mut self, frame: Vec<u8>) {
        let sending = self.socket.send(Message::Binary(frame.into()));
        let _ = tokio::time::timeout(Duration::from_millis(100), sending).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        let _ = self.socket.send(Message::Text(text.into())).await;
    }

    /// The frame of a turn with this cell.
    pub(crate) fn turn(&self, round: u64, cell: &Row) -> Vec<u8> {
        let ephemeral = [Secret::new(crypto::random::array())];
        let onion = self.path.as_ref().unwrap().wrap(round, 0, cell, &ephemeral).unwrap();
        self.turn_of(round, onion)
    }

    pub(crate) fn turn_of(&self, round: u64, onion: Vec<u8>) -> Vec<u8> {
        let turn = Turn { round, token: [0; 48], onion, bucket: 0 };
        FromClient::Turn { number: 0, turn }.encode(self.class)
    }

    /// Takes a turn and answers its code.
    pub(crate) async fn take(&mut self, round: u64, cell: &Row) -> TurnCode {
        let frame = self.turn(round, cell);
        self.take_frame(frame).await
    }

    pub(crate) async fn take_frame(&mut self, frame: Vec<u8>) -> TurnCode {
        self.send(frame).await;
        loop {
            match self.hear().await {
                Heard::Turned(turned) => return turned.code,
                Heard::Round(_) | Heard::Bucket(_) => {}
                other => panic!("no TURNED but {other:?}"),
            }
        }
    }

    /// The next rows that are pushed, checked against their statement.
    pub(crate) async fn rows(&mut self) -> (u64, Vec<Row>) {
        let mut statement = None;
        loop {
            match self.hear().await {
                Heard::Round(round) => statement = Some(round),
                Heard::Bucket(bucket) => {
                    let round = statement.expect("ROUND comes before its BUCKET");
                    let it = round.signed.unverified();
                    assert_eq!(it.round, bucket.round);
                    it.check_rows(0, &bucket.rows, &round.path).unwrap();
                    return (bucket.round, bucket.rows.as_chunks::<512>().0.to_vec());
                }
                Heard::Turned(_) => {}
                other => panic!("no rows but {other:?}"),
            }
        }
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            let next =
                tokio::time::timeout(FRAME_TIMEOUT, self.socket.next()).await.expect("a frame in time");
            let bytes = match next {
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Gone,
                Some(Ok(_)) => continue,
            };
            let (_, frame) = FromRelay::parse(&bytes).unwrap();
            match frame {
                FromRelay::Welcome(welcome) => return Heard::Welcome(welcome),
                FromRelay::Turned { turned, .. } => return Heard::Turned(turned),
                FromRelay::Close(close) => return Heard::Close(close),
                FromRelay::Part(part) => match self.parts.take(part, 1 << 20).unwrap() {
                    Some(Whole::Round(round)) => return Heard::Round(round),
                    Some(Whole::Bucket(bucket)) => return Heard::Bucket(bucket),
                    None => {}
                },
            }
        }
    }
}

/// A cell whose first bytes say which one it is.
pub(crate) fn cell(number: u32) -> Row {
    let mut cell: Row = [0; 512];
    for (at, byte) in cell.iter_mut().enumerate() {
        *byte = (at as u32).wrapping_mul(number.wrapping_mul(2_654_435_761) | 1).wrapping_shr(7) as u8;
    }
    cell[..4].copy_from_slice(&number.to_be_bytes());
    cell
}

pub(crate) fn number_of(cell: &Row) -> u32 {
    u32::from_be_bytes(*cell.first_chunk().unwrap())
}
