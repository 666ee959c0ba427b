//! A client of a relay, on a runtime of its own.

use crate::process::http;
use crypto::secret::Secret;
use futures_util::{SinkExt, StreamExt};
use mailbox::frame::{Fetch, FromClient, FromRelay, Hello, Turn, TurnCode, Welcome};
use mailbox::network::{Class, Epoch, Manifest, NetworkId, SignedStatement, VerifiedManifest};
use mailbox::onion::{Path, Row};
use std::time::Instant;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<TcpStream>,
    path: Path,
    known: VerifiedManifest,
    welcome: Welcome,
    welcomed_at: Instant,
    port: u16,
}

impl Client {
    /// A client that checked the network and the epoch, and was welcomed.
    pub(crate) fn welcomed(port: u16) -> Client {
        let signed = SignedStatement::parse(&http(port, "/relay/v1/network").1).unwrap();
        let id = NetworkId(signed.digest());
        let known = Manifest::parse(signed).unwrap().verify_first(id).unwrap();
        let epoch = SignedStatement::parse(&http(port, "/relay/v1/epoch").1).unwrap();
        let epoch = Epoch::parse(epoch).unwrap().verify(&known).unwrap();
        let path = Path::new(&epoch, Class::Normal);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hello = Hello { network: id, manifest_version: 1, turns: 16, fetch: Fetch::Bucket, bucket: 0 };
        let (socket, welcome) = runtime.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let url = format!("ws://localhost:{port}/relay/v1/link");
            let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
            socket
                .send(Message::Binary(FromClient::Hello(hello).encode(Class::Normal).into()))
                .await
                .unwrap();
            let Some(Ok(Message::Binary(bytes))) = socket.next().await else { panic!("no WELCOME") };
            let Ok((_, FromRelay::Welcome(welcome))) = FromRelay::parse(&bytes) else { panic!("no WELCOME") };
            (socket, welcome)
        });
        Client { runtime, socket, path, known, welcome, welcomed_at: Instant::now(), port }
    }

    /// The round of this moment, by the relay's clock.
    pub(crate) fn round_now(&self) -> u64 {
        let passed = u64::try_from(self.welcomed_at.elapsed().as_millis()).unwrap();
        let calendar = self.known.manifest().calendar();
        calendar.round_at(Class::Normal, self.welcome.now_ms + passed).unwrap()
    }

    /// Takes a turn and answers its code; a link that the relay closed is as good as refused.
    pub(crate) fn take(&mut self, round: u64, number: u32) -> TurnCode {
        let ephemeral = [Secret::new(crypto::random::array())];
        let onion = self.path.wrap(round, 0, &cell(number), &ephemeral).unwrap();
        let turn = Turn { round, token: [0; 48], onion, bucket: 0 };
        let frame = FromClient::Turn { number: 0, turn }.encode(Class::Normal);
        let socket = &mut self.socket;
        let code = self.runtime.block_on(async {
            socket.send(Message::Binary(frame.into())).await.ok()?;
            loop {
                let Some(Ok(message)) = socket.next().await else { return None };
                let Message::Binary(bytes) = message else { continue };
                match FromRelay::parse(&bytes).unwrap().1 {
                    FromRelay::Turned { turned, .. } => return Some(turned.code),
                    FromRelay::Close(_) => return None,
                    _ => {}
                }
            }
        });
        match code {
            Some(code) => code,
            None => {
                *self = Client::welcomed(self.port);
                TurnCode::RoundClosed
            }
        }
    }
}

/// The cell of a number.
pub(crate) fn cell(number: u32) -> Row {
    let mut cell: Row = [0x5a; 512];
    cell[..4].copy_from_slice(&number.to_be_bytes());
    cell
}
