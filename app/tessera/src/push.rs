//! The loop that carries pushes of sign-ins from the identity provider's outbox to a relay, as a server client of its fast class.
//!
//! ```text
//! connect ─► HELLO (8 turns) ─► WELCOME ─► each fast round: rows of the outbox ─► contacts, pushes ─► Tick
//!     Save: chains moved on, durable ─► wait for the fixed instant ─► 8 cells, real or null ─► TURNED accepted: the row ends
//! ```
//! Invariants: 8 cells leave in every round at an instant that no traffic moves; the chain of a contact is durable before its cell
//! leaves, and a row that was not accepted is sealed anew by a later key, so no key seals twice, also over `kill -9`; nothing is read.
//! The roles never call each other: this loop is the one place that knows both sides.

use crate::client::Client as Http;
use crate::house::House;
use futures_util::{SinkExt, StreamExt};
use idp::outbox::{PUSH_TURNS, PushNetwork, WaitingPush};
use mailbox::calendar::COLLECT_TO_HUNDREDTHS;
use mailbox::client::{Client, Effect, Input, Moment, Network, Notice, Settings};
use mailbox::contact::ContactId;
use mailbox::frame::{
    FRAME_BYTES_MAX, Fetch, FromClient, FromRelay, Hello, TOKEN_BYTES, Turn, TurnCode, Welcome,
};
use mailbox::network::{Class, Epoch, Manifest, NetworkId, SignedStatement, VerifiedEpoch, VerifiedManifest};
use mailbox::onion;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use store::{Ctx, StoreFault, TenantId};
use tenancy::After;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The relay answers a request, the upgrade and HELLO within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two tries to come back.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often every tenant is looked at: a hint that was lost, or told to another process, delays a push so long.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Tenants that one look walks over at a time.
const TENANTS_PAGE: usize = 200;
/// Part of a round between choosing cells and sending them: commits of real ones are done by then, so nobody sees which rounds had some.
const HOLD_ONE_IN: u64 = 40;
/// Tries in a row after which an operator hears of it: one broken link is a busy machine.
const TRIES_QUIET: u32 = 5;

/// Which relay carries the pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The relay of this very house.
    Own,
    /// Another one on this machine: without tokens a relay listens on loopback alone.
    Relay {
        /// Where it answers.
        url: String,
        /// Its network, which an operator read off it: nobody else is believed.
        network: NetworkId,
    },
}

/// Why pushes stand still for a while.
#[derive(Debug, thiserror::Error)]
enum PushFault {
    #[error("no relay runs in this house")]
    Closed,
    #[error("the relay cannot be asked: {0}")]
    Relay(String),
    #[error("the relay closed the link: {0}")]
    Link(String),
    #[error("a contact was moved on by another process")]
    Moved,
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The state of the loop; it outlives connections.
struct Pusher {
    house: House,
    url: String,
    manifest: VerifiedManifest,
    client: Option<Client>,
    /// Tenants that may have rows.
    tenants: BTreeSet<TenantId>,
    looked_at: Option<Instant>,
    /// Rows whose cell is on its way, by round and turn.
    sent: HashMap<(u64, u8), (TenantId, String)>,
}

/// One connection.
struct Link {
    socket: WebSocketStream<TcpStream>,
    epoch: VerifiedEpoch,
    path: onion::Path,
}

/// A row that got a key in this round.
struct Chosen {
    id: ContactId,
    ctx: Ctx,
    push: WaitingPush,
}

/// Carries pushes as long as it is polled.
pub async fn carry(house: House, over: Over) {
    let mut pusher = loop {
        match Pusher::new(&house, &over).await {
            Ok(pusher) => break pusher,
            Err(PushFault::Closed) => return,
            Err(fault) => {
                tracing::warn!(%fault, "sign-ins are not pushed yet; wallets ask");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    };
    let mut tries = 0;
    loop {
        let start = Instant::now();
        let Err(fault) = pusher.session().await;
        pusher.forget();
        tries = if start.elapsed() > LOOK_EVERY { 1 } else { tries + 1 };
        if tries % TRIES_QUIET == 0 {
            tracing::warn!(%fault, tries, "pushes stand still; wallets ask");
        } else {
            tracing::info!(%fault, "the link of the pushes broke; another follows");
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// What a process that pushes over the relay of its own house tells the provider's room.
pub fn told_to_provider(house: &House) {
    let network = house.relay.network().filter(|manifest| manifest.manifest().class(Class::Fast).is_some());
    if let (Some(Over::Own), Some(manifest)) = (&house.push, network) {
        let url = house.relay.config().public_url.clone();
        house.idp.push_over(network_of(manifest, url));
    }
}

fn network_of(manifest: &VerifiedManifest, url: String) -> PushNetwork {
    PushNetwork { network: Network::of(manifest.network(), manifest.manifest()), url }
}

impl Pusher {
    async fn new(house: &House, over: &Over) -> Result<Self, PushFault> {
        let (url, manifest) = match over {
            Over::Own => {
                let manifest = house.relay.network().cloned().ok_or(PushFault::Closed)?;
                (house.relay.config().public_url.clone(), manifest)
            }
            Over::Relay { url, network } => (url.clone(), fetched_manifest(url, *network).await?),
        };
        if manifest.manifest().class(Class::Fast).is_none() {
            tracing::warn!("the relay has no fast rounds: sign-ins are not pushed, wallets ask");
            return Err(PushFault::Closed);
        }
        house.idp.push_over(network_of(&manifest, url.clone()));
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: now_ms(house), entropy: &mut entropy };
        let network = Network::of(manifest.network(), manifest.manifest());
        let settings = Settings::server(PUSH_TURNS);
        let new = Client::new(network, settings, "", &mut moment);
        // Read back at once: rounds that a process before this one may have served are left out.
        let client = Client::decode_core(new.encode_core().expose(), network, settings)
            .map_err(|_| PushFault::Relay("its network".to_owned()))?;
        Ok(Self {
            house: house.clone(),
            url,
            manifest,
            client: Some(client),
            tenants: BTreeSet::new(),
            looked_at: None,
            sent: HashMap::new(),
        })
    }

    /// The link is gone, and with it what was on its way; the rows stay.
    fn forget(&mut self) {
        self.sent.clear();
        let left: Vec<ContactId> =
            self.client().contacts().iter().map(mailbox::contact::Contact::id).collect();
        for id in left {
            self.client_mut().remove(id);
        }
        self.step(Input::Lost);
    }

    /// One connection, until it breaks.
    async fn session(&mut self) -> Result<std::convert::Infallible, PushFault> {
        let (mut link, welcome, round_trip) = self.connect().await?;
        let round_trip_ms = u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX);
        self.step(Input::Welcome { now_ms: welcome.now_ms, round_trip_ms });
        loop {
            let now = now_ms(&self.house);
            let due = self.client().poll_timeout(now).ok_or(PushFault::Closed)?;
            if due <= now {
                self.act(&mut link, due).await?;
                continue;
            }
            let until = Instant::now() + Duration::from_millis(due - now);
            tokio::select! {
                frame = link.socket.next() => self.hear(frame).await?,
                () = sleep_until(until) => {}
            }
        }
    }

    async fn connect(&self) -> Result<(Link, Welcome, Duration), PushFault> {
        let epoch = SignedStatement::parse(fetched(&self.url, "/relay/v1/epoch").await?.as_bytes())
            .and_then(Epoch::parse)
            .and_then(|epoch| epoch.verify(&self.manifest))
            .map_err(|fault| PushFault::Relay(fault.to_string()))?;
        let broken = |fault: &dyn std::fmt::Display| PushFault::Link(fault.to_string());
        let late = |_| PushFault::Link("no answer in time".to_owned());
        let port = loopback_port(&self.url).ok_or_else(|| broken(&"not on this machine"))?;
        let stream = timeout(ANSWER_TIMEOUT, TcpStream::connect(("127.0.0.1", port))).await.map_err(late)?;
        let stream = stream.map_err(|fault| broken(&fault))?;
        stream.set_nodelay(true).map_err(|fault| broken(&fault))?;
        let address = format!("{}/relay/v1/link", self.url.replacen("http", "ws", 1));
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let upgrade = tokio_tungstenite::client_async_with_config(address, stream, Some(config));
        let (mut socket, _) =
            timeout(ANSWER_TIMEOUT, upgrade).await.map_err(late)?.map_err(|fault| broken(&fault))?;
        let hello = Hello {
            network: self.manifest.network(),
            manifest_version: self.manifest.manifest().version,
            turns: PUSH_TURNS,
            fetch: Fetch::Bucket,
            bucket: 0,
        };
        let said = Instant::now();
        let hello = FromClient::Hello(hello).encode(Class::Fast);
        socket.send(Message::Binary(hello.into())).await.map_err(|fault| broken(&fault))?;
        let answer = timeout(ANSWER_TIMEOUT, socket.next()).await.map_err(late)?;
        let Some(Ok(Message::Binary(answer))) = answer else { return Err(broken(&"no WELCOME")) };
        let welcome = match FromRelay::parse(&answer) {
            Ok((Class::Fast, FromRelay::Welcome(welcome))) => welcome,
            _ => return Err(broken(&"no WELCOME")),
        };
        if welcome.epoch_digest != epoch.digest() {
            return Err(broken(&"the epoch changed"));
        }
        let path = onion::Path::new(&epoch, Class::Fast);
        Ok((Link { socket, epoch, path }, welcome, said.elapsed()))
    }

    /// One round: what waits gets its keys, and eight cells leave at the fixed instant.
    async fn act(&mut self, link: &mut Link, due_ms: u64) -> Result<(), PushFault> {
        let chosen = self.choose().await?;
        let effects = self.step(Input::Tick);
        let mut frames = Vec::new();
        for effect in effects {
            match effect {
                Effect::Save => self.keep(&chosen).await?,
                Effect::Turn(turn) => frames.push(self.frame(link, &turn, &chosen)?),
                Effect::Tell(Notice::Degraded(reason)) => {
                    tracing::warn!(reason = reason.words(), "only nulls are sent");
                }
                Effect::Tell(_) | Effect::Fetch { .. } => {}
            }
        }
        for one in &chosen {
            self.client_mut().remove(one.id);
        }
        let calendar = self.manifest.manifest().calendar();
        let hold_ms = calendar.round_ms(Class::Fast).unwrap_or(0) / HOLD_ONE_IN;
        let left_ms = (due_ms + hold_ms).saturating_sub(now_ms(&self.house));
        tokio::time::sleep(Duration::from_millis(left_ms)).await;
        let round = self.client().last_round(Class::Fast).filter(|_| !frames.is_empty());
        if let Some(round) = round.filter(|round| self.is_over(*round)) {
            self.miss(round);
            return Ok(());
        }
        let broken = |fault: tokio_tungstenite::tungstenite::Error| PushFault::Link(fault.to_string());
        for frame in frames {
            link.socket.feed(Message::Binary(frame.into())).await.map_err(broken)?;
        }
        link.socket.flush().await.map_err(broken)
    }

    /// Whether a round takes no cells any more: this machine was too busy. The relay would end the link for eight that come late.
    fn is_over(&self, round: u64) -> bool {
        let calendar = self.manifest.manifest().calendar();
        let length_ms = calendar.round_ms(Class::Fast).unwrap_or(0);
        let closes_ms = calendar.starts_at_ms(Class::Fast, round) + length_ms * COLLECT_TO_HUNDREDTHS / 100;
        now_ms(&self.house) >= closes_ms
    }

    /// Nothing left in this round: its rows get later keys.
    fn miss(&mut self, round: u64) {
        self.sent.retain(|(of, _), _| *of != round);
        for turn in 0..PUSH_TURNS {
            self.step(Input::Turned { class: Class::Fast, round, turn, code: TurnCode::RoundClosed });
        }
    }

    /// Rows for this round, one a contact, each with its contact in the client.
    async fn choose(&mut self) -> Result<Vec<Chosen>, PushFault> {
        self.tenants.extend(self.house.idp.tenants_with_pushes());
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.looked_at = Some(Instant::now());
            let all = self.all_tenants().await?;
            self.tenants.extend(all);
        }
        let on_their_way: BTreeSet<String> = self.sent.values().map(|(_, id)| id.clone()).collect();
        let mut chosen: Vec<Chosen> = Vec::new();
        for tenant in self.tenants.clone() {
            let ctx = self.house.inside(&tenant);
            let waiting = self.house.idp.waiting_pushes(&ctx).await?;
            if waiting.is_empty() {
                self.tenants.remove(&tenant);
            }
            for push in waiting.into_iter().filter(|push| !on_their_way.contains(&push.id)) {
                if chosen.len() >= usize::from(PUSH_TURNS) {
                    return Ok(chosen);
                }
                let client = self.client_mut();
                let queued = client.add_contact(push.contact.expose()).ok().and_then(|id| {
                    client.push(id, push.payload.expose(), push.expires_at_ms).ok()?;
                    Some(id)
                });
                match queued {
                    Some(id) => chosen.push(Chosen { id, ctx: ctx.clone(), push }),
                    // A contact that cannot be read is of no use to anybody; the wallet asks.
                    None => self.house.idp.end_push(&ctx, &push.id).await?,
                }
            }
        }
        Ok(chosen)
    }

    /// Every chain that was used is durable when this returns; else nothing may leave.
    async fn keep(&mut self, chosen: &[Chosen]) -> Result<(), PushFault> {
        for one in chosen {
            let moved = self.client().encode_contact(one.id).ok_or(PushFault::Moved)?;
            if !self.house.idp.seal_push(&one.ctx, &one.push, &moved).await? {
                return Err(PushFault::Moved);
            }
        }
        Ok(())
    }

    /// A cell in its onion; whose it is is remembered until the relay answers.
    fn frame(
        &mut self,
        link: &Link,
        turn: &mailbox::client::Turn,
        chosen: &[Chosen],
    ) -> Result<Vec<u8>, PushFault> {
        let calendar = self.manifest.manifest().calendar();
        if calendar.epoch_of(Class::Fast, turn.round) != link.epoch.epoch().epoch {
            return Err(PushFault::Link("the epoch changed".to_owned()));
        }
        let ephemerals: Vec<_> =
            (0..link.path.hops()).map(|_| crypto::secret::Secret::new(crypto::random::array())).collect();
        let onion = link
            .path
            .wrap(turn.round, turn.bucket, &turn.cell, &ephemerals)
            .map_err(|_| PushFault::Link("a hop's key is none".to_owned()))?;
        if let Some(to) = self.client().awaits(Class::Fast, turn.round, turn.turn)
            && let Some(one) = chosen.iter().find(|one| one.id == to)
        {
            let row = (one.ctx.tenant.clone(), one.push.id.clone());
            self.sent.insert((turn.round, turn.turn), row);
        }
        let frame = Turn { round: turn.round, token: [0; TOKEN_BYTES], onion, bucket: turn.read };
        Ok(FromClient::Turn { number: u16::from(turn.turn), turn: frame }.encode(Class::Fast))
    }

    async fn hear(
        &mut self,
        frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), PushFault> {
        let broken = |fault: &dyn std::fmt::Display| PushFault::Link(fault.to_string());
        let frame = match frame {
            Some(Ok(Message::Binary(frame))) => frame,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            Some(Ok(Message::Text(_) | Message::Close(_))) | None => return Err(broken(&"closed")),
            Some(Err(fault)) => return Err(broken(&fault)),
        };
        match FromRelay::parse(&frame) {
            Ok((Class::Fast, FromRelay::Turned { number, turned })) => {
                let turn = u8::try_from(number).unwrap_or(u8::MAX);
                let input =
                    Input::Turned { class: Class::Fast, round: turned.round, turn, code: turned.code };
                self.step(input);
                let row = self.sent.remove(&(turned.round, turn));
                if let Some((tenant, id)) = row.filter(|_| turned.code == TurnCode::Accepted) {
                    self.house.idp.end_push(&self.house.inside(&tenant), &id).await?;
                }
                Ok(())
            }
            // What rounds publish is for others.
            Ok((_, FromRelay::Part(_))) => Ok(()),
            Ok((_, FromRelay::Close(close))) => Err(broken(&format!("{:?}", close.code))),
            Ok(_) => Err(broken(&"a frame out of turn")),
            Err(fault) => Err(broken(&fault)),
        }
    }

    async fn all_tenants(&self) -> Result<Vec<TenantId>, PushFault> {
        let (mut all, mut after) = (Vec::new(), After::start());
        loop {
            let page = self.house.tenancy.tenants(&self.house.edge.tick(), &after, TENANTS_PAGE).await?;
            all.extend(page.iter().map(|tenant| tenant.id.clone()));
            match page.last() {
                Some(last) if page.len() == TENANTS_PAGE => {
                    after = After { at_ms: last.created_at.as_millisecond(), id: last.id.to_string() };
                }
                _ => return Ok(all),
            }
        }
    }

    fn step(&mut self, input: Input<'_>) -> Vec<Effect> {
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: now_ms(&self.house), entropy: &mut entropy };
        let client = self.client.take().expect("a step gives the client back");
        let (client, effects) = client.step(input, &mut moment);
        self.client = Some(client);
        effects
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("a step gives the client back")
    }

    fn client_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("a step gives the client back")
    }
}

async fn fetched_manifest(url: &str, network: NetworkId) -> Result<VerifiedManifest, PushFault> {
    let text = fetched(url, "/relay/v1/network").await?;
    SignedStatement::parse(text.as_bytes())
        .and_then(Manifest::parse)
        .and_then(|manifest| manifest.verify_first(network))
        .map_err(|fault| PushFault::Relay(fault.to_string()))
}

/// A public statement of the relay, by HTTP on this machine.
async fn fetched(url: &str, path: &str) -> Result<String, PushFault> {
    let (base, url) = (url.to_owned(), format!("{url}{path}"));
    let ask = move || Http::anonymous(&base, None, ANSWER_TIMEOUT)?.get_text(&url);
    match tokio::task::spawn_blocking(ask).await {
        Ok(Ok((200, text))) => Ok(text),
        Ok(Ok((status, _))) => Err(PushFault::Relay(format!("it answered {status}"))),
        Ok(Err(failure)) => Err(PushFault::Relay(failure.what)),
        Err(fault) => Err(PushFault::Relay(fault.to_string())),
    }
}

/// The port of a plain http address on this machine.
pub fn loopback_port(url: &str) -> Option<u16> {
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    let host = url.host_str()?;
    let local = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
    url.port_or_known_default().filter(|_| local)
}

fn now_ms(house: &House) -> u64 {
    house.edge.clock().now().as_millisecond().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_relay_on_this_machine_is_dialled() {
        assert_eq!(loopback_port("http://localhost:8100"), Some(8100));
        assert_eq!(loopback_port("http://127.0.0.1:8100/"), Some(8100));
        for url in
            ["https://localhost:8100", "http://relay.example:8100", "http://10.0.0.1", "localhost:8100"]
        {
            assert_eq!(loopback_port(url), None, "{url}");
        }
    }
}
