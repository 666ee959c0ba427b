//! `GET /relay/v1/link`: the WebSocket of a client.
//!
//! ```text
//! upgrade ─► HELLO (5 s) ─► WELCOME ─► { TURN ─► TURNED | ROUND, BUCKET of rounds with a turn } ─► CLOSE
//! ```
//! Invariants: what a client sends is at most a frame of [`CLIENT_BYTES_MAX`]; a client that does not read is dropped and delays
//! nobody; nothing of a link is written down.

use super::refusal;
use crate::door::Ticket;
use crate::lane::Seat;
use crate::publish::Published;
use crate::{Relay, now_ms, page};
use ::store::{Actor, Ctx, TenantId};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use edge::{Call, Door, Doors, Edge, Problem, Who};
use mailbox::frame::{
    Close, CloseCode, Fetch, FromClient, FromRelay, Hello, TURNS_MAX, TurnCode, Turned, Welcome, turn_bytes,
};
use mailbox::network::Class;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

/// Bytes of a frame that a client may send: a turn through seven hops has 912.
pub(super) const CLIENT_BYTES_MAX: usize = 1 << 10;
/// HELLO must come within this.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// What is pushed must be taken by the socket within this.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a quiet link is asked whether it is there: below the idle bound of the listener.
pub(super) const PING_EVERY: Duration = Duration::from_secs(25);
/// Wrong turns in a row after which a link closes.
pub(super) const WRONG_TURNS_MAX: u32 = 3;
/// A link without an accepted turn for this long closes: its place is another's.
pub(super) const IDLE_MS_MAX: u64 = 15 * 60_000;
/// Bytes of the read buffer of a socket: an idle link stays small.
const READ_BUFFER_BYTES: usize = 4 << 10;

pub(super) fn doors() -> Doors<Relay> {
    Doors::new().door(
        Door::get("/relay/v1/link")
            .operation("relayLink")
            .summary("The link of a client: binary frames over WebSocket")
            .who(Who::Public)
            .empty(101, "the link is open")
            .problems(&[&page::NOT_RUNNING, &page::UPGRADE_NEEDED, &page::BUSY]),
        link,
    )
}

async fn link(
    State(relay): State<Relay>,
    call: Call,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| Problem::of(&page::UPGRADE_NEEDED))?;
    let tenant = relay.live().ok_or_else(refusal::not_running)?.tenant.clone();
    let ticket = relay.enter(&call.network()).ok_or_else(|| Problem::of(&page::BUSY))?;
    let edge = call.edge().clone();
    let upgrade = upgrade
        .max_message_size(CLIENT_BYTES_MAX)
        .max_frame_size(CLIENT_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut link = Link { relay, edge, tenant, socket, ticket, wrong: 0, waiting: JoinSet::new() };
        if let Err(close) = link.serve().await {
            link.say_goodbye(&close).await;
        }
    }))
}

struct Link {
    relay: Relay,
    edge: Edge,
    tenant: TenantId,
    socket: WebSocket,
    ticket: Ticket,
    wrong: u32,
    /// Turns that wait for their commit; as many as a client may take in a round.
    waiting: JoinSet<(u16, Turned)>,
}

/// How a link ends: with a word to the other side, or without since nobody is there.
enum End {
    Close(Class, Close),
    Gone,
}

impl Link {
    async fn serve(&mut self) -> Result<(), End> {
        let first =
            timeout(HELLO_TIMEOUT, self.read()).await.map_err(|_| closed(CloseCode::Frame, "no HELLO"))??;
        let (class, hello) = match FromClient::parse(&first, 1) {
            Ok((class, FromClient::Hello(hello))) => (class, hello),
            Ok(_) | Err(_) => return Err(closed(CloseCode::Frame, "the first frame is HELLO")),
        };
        let mut seat = self.greet(class, &hello).await?;
        let mut turns = Turns { most: hello.turns, round: 0, taken: 0, last_ms: now_ms(&self.ctx()) };
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            tokio::select! {
                frame = self.socket.recv() => match frame {
                    Some(Ok(Message::Binary(bytes))) => self.hear(&mut seat, &mut turns, &bytes).await?,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_))) => return Err(closed_in(class, CloseCode::Frame, "frames are binary")),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                },
                published = seat.pushes.recv() => match published {
                    Some(published) => self.push(&published).await?,
                    None => return Err(closed_in(class, CloseCode::Slow, "too far behind")),
                },
                Some(done) = self.waiting.join_next(), if !self.waiting.is_empty() => {
                    self.settle(&seat, &mut turns, done).await?;
                }
                _ = ping.tick() => {
                    if now_ms(&self.ctx()).saturating_sub(turns.last_ms) > IDLE_MS_MAX {
                        return Err(closed_in(class, CloseCode::Busy, "no turn for a long time"));
                    }
                    self.write(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    /// WELCOME, or why not.
    async fn greet(&mut self, class: Class, hello: &Hello) -> Result<Seat, End> {
        let ctx = self.ctx();
        let live = self.relay.live().ok_or(End::Gone)?;
        let refuse = |code, text: &str| Err(closed_in(class, code, text));
        let Some(lane) = live.lanes.iter().find(|lane| lane.class() == class) else {
            return refuse(CloseCode::Network, "no such class");
        };
        if hello.network != live.manifest.network() {
            return refuse(CloseCode::Network, "another network");
        }
        if hello.manifest_version != live.manifest.manifest().version {
            return refuse(CloseCode::Manifest, "read /relay/v1/network");
        }
        if hello.fetch != Fetch::Bucket || hello.bucket != 0 {
            return refuse(CloseCode::Frame, "one relay gives whole rounds: fetch 2, bucket 0");
        }
        let number = live.calendar.epoch_at(now_ms(&ctx)).unwrap_or(0);
        let Ok(Some(epoch)) = self.relay.epoch(&ctx, number).await else {
            return refuse(CloseCode::Epoch, "the epoch is not open");
        };
        let welcome = Welcome {
            now_ms: now_ms(&self.ctx()),
            round: live.calendar.round_at(class, now_ms(&ctx)).unwrap_or(0),
            epoch: number,
            view: 0,
            epoch_digest: epoch.verified.digest(),
        };
        let seat = lane.sit();
        self.write(Message::Binary(FromRelay::Welcome(welcome).encode(class).into())).await?;
        Ok(seat)
    }

    async fn hear(&mut self, seat: &mut Seat, turns: &mut Turns, bytes: &[u8]) -> Result<(), End> {
        let class = seat.lane().class();
        let (number, turn) = match FromClient::parse(bytes, 1) {
            Ok((of, FromClient::Turn { number, turn })) if of == class => (number, turn),
            Ok((_, FromClient::Close(_))) => return Err(End::Gone),
            Ok(_) => return Err(closed_in(class, CloseCode::Frame, "not a frame of this link")),
            // A frame of the size of another turn is a wrong turn; anything else ends the link.
            Err(_) if (2..=7).any(|k| bytes.len() == turn_bytes(k)) => {
                return self.answer(class, 0, Turned { round: 0, code: TurnCode::Length }).await;
            }
            Err(fault) => return Err(closed_in(class, CloseCode::Frame, &fault.to_string())),
        };
        if turn.bucket != 0 {
            return self.answer(class, number, Turned { round: turn.round, code: TurnCode::Length }).await;
        }
        if self.waiting.len() >= usize::from(TURNS_MAX) || !turns.take(turn.round) {
            return self.answer(class, number, Turned { round: turn.round, code: TurnCode::Spent }).await;
        }
        // Cells of a server wait for one commit together, and pushes go on meanwhile.
        let (lane, relay, ctx) = (seat.lane().clone(), self.relay.clone(), self.ctx());
        self.waiting.spawn(async move {
            let code = lane.offer(&relay, &ctx, turn.round, turn.onion).await;
            (number, Turned { round: turn.round, code })
        });
        Ok(())
    }

    /// A turn was decided.
    async fn settle(&mut self, seat: &Seat, turns: &mut Turns, done: Decided) -> Result<(), End> {
        let Ok((number, turned)) = done else { return Err(End::Gone) };
        if turned.code == TurnCode::Accepted {
            turns.last_ms = now_ms(&self.ctx());
            seat.turned(turned.round);
            self.ticket.settle();
            self.wrong = 0;
        } else {
            turns.give_back(turned.round);
        }
        self.answer(seat.lane().class(), number, turned).await
    }

    async fn answer(&mut self, class: Class, number: u16, turned: Turned) -> Result<(), End> {
        self.write(Message::Binary(FromRelay::Turned { number, turned }.encode(class).into())).await?;
        // Full and accepted are no fault of the client.
        if !matches!(turned.code, TurnCode::Accepted | TurnCode::Full) {
            self.wrong += 1;
        }
        if self.wrong >= WRONG_TURNS_MAX {
            return Err(closed_in(class, CloseCode::Turns, "three wrong turns"));
        }
        Ok(())
    }

    async fn push(&mut self, published: &Arc<Published>) -> Result<(), End> {
        for frame in 0..published.frames.len() {
            let shared = Bytes::from_owner(Shared { published: published.clone(), frame });
            self.write(Message::Binary(shared)).await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Bytes, End> {
        loop {
            match self.socket.recv().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn say_goodbye(&mut self, end: &End) {
        if let End::Close(class, close) = end {
            let _ =
                timeout(HELLO_TIMEOUT, self.socket.send(Message::Binary(close.encode(*class).into()))).await;
            let _ = timeout(HELLO_TIMEOUT, self.socket.send(Message::Close(None))).await;
        }
    }

    /// One frame is one request: its time is read here, and nobody knows who sends it.
    fn ctx(&self) -> Ctx {
        let (now, entropy) = (self.edge.clock().now(), self.edge.entropy().clone());
        Ctx::new(self.tenant.clone(), Actor::anonymous(), now, entropy)
    }
}

/// What became of a turn that waited.
type Decided = Result<(u16, Turned), tokio::task::JoinError>;

/// The turns of a link.
struct Turns {
    most: u8,
    round: u64,
    taken: u8,
    last_ms: u64,
}

impl Turns {
    /// Whether the round has a turn left; it is taken then. Rounds go one way: naming another in between gives none back.
    fn take(&mut self, round: u64) -> bool {
        if round > self.round {
            (self.round, self.taken) = (round, 0);
        }
        let has_left = round == self.round && self.taken < self.most;
        self.taken += u8::from(has_left);
        has_left
    }

    /// A turn that was not accepted may be tried again.
    fn give_back(&mut self, round: u64) {
        if round == self.round {
            self.taken = self.taken.saturating_sub(1);
        }
    }
}

/// One frame of a round that many sockets send from the same memory.
struct Shared {
    published: Arc<Published>,
    frame: usize,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.published.frames[self.frame]
    }
}

fn closed(code: CloseCode, text: &str) -> End {
    closed_in(Class::Normal, code, text)
}

fn closed_in(class: Class, code: CloseCode, text: &str) -> End {
    End::Close(class, Close::new(code, text))
}
