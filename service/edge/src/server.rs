//! The socket: plain HTTP in development, TLS 1.3 otherwise, with every bound of L&O §8, and an orderly end.
//!
//! ```text
//! accept ─▶ connections, per address ─▶ TLS handshake ─▶ HTTP/1.1 or h2 ─▶ router      shutdown ─▶ no accept, drain ≤ 30 s, cut
//! ```

mod quiet;
pub mod tls;

use self::quiet::Quiet;
use crate::metrics::{CONNECTIONS, CONNECTIONS_REFUSED};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Bounds of a listener (L&O §8). Tests make smaller ones.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Open connections.
    pub connections_max: usize,
    /// Open connections of one address (or IPv6 /64).
    pub per_address_max: u32,
    /// A TLS handshake must end within this.
    pub handshake: Duration,
    /// The head of a request must be there within this; it is also how long a quiet HTTP/1.1 connection is kept.
    pub head: Duration,
    /// A connection on which nothing moves is cut after this; longer than a request may take.
    pub idle: Duration,
    /// Requests that run at shutdown may end within this.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            per_address_max: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(30),
        }
    }
}

/// Bytes of a request's head (L&O §8).
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request (L&O §8).
pub const HEADERS_MAX: usize = 100;
/// Streams of one h2 connection (L&O §8).
pub const STREAMS_MAX: u32 = 128;
/// Streams that a peer may reset before we have looked at them: rapid reset ends the connection here.
const RESET_STREAMS_MAX: usize = 32;
/// After a failed accept (too many open files) the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` says true, then drains. Without `tls` it speaks plain HTTP: development, or a
/// proxy in front.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    mut shutdown: watch::Receiver<bool>,
) {
    let server = Arc::new(Server { router, tls, bounds, addresses: Addresses::default() });
    let open = Arc::new(Semaphore::new(bounds.connections_max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended(&mut shutdown) => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = open.clone().try_acquire_owned() else {
            metrics::counter!(CONNECTIONS_REFUSED, "reason" => "too-many").increment(1);
            continue;
        };
        let Some(counted) = server.addresses.enter(peer.ip(), bounds.per_address_max) else {
            metrics::counter!(CONNECTIONS_REFUSED, "reason" => "per-address").increment(1);
            continue;
        };
        tokio::spawn(connection(server.clone(), stream, peer, (permit, counted), shutdown.clone()));
    }
    drop(listener);
    let all = u32::try_from(bounds.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(bounds.drain, open.acquire_many(all)).await.is_err() {
        tracing::warn!("connections were cut: they did not end within the drain");
    }
}

/// Serves the metrics of this process as text on `listener`, which must be on loopback.
pub async fn serve_metrics(listener: TcpListener, shutdown: watch::Receiver<bool>) {
    let text = || async {
        let media = [(http::header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (media, crate::metrics::text())
    };
    let router = Router::new().route("/metrics", axum::routing::get(text));
    serve(listener, router, None, Bounds::default(), shutdown).await;
}

struct Server {
    router: Router,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    addresses: Addresses,
}

type Permits = (OwnedSemaphorePermit, Counted);

async fn connection(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    _permits: Permits,
    shutdown: watch::Receiver<bool>,
) {
    let _open = OpenGauge::new();
    // Small answers should not wait for one another; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    match &server.tls {
        None => speak(&server, stream, peer, shutdown).await,
        Some(acceptor) => {
            match tokio::time::timeout(server.bounds.handshake, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => speak(&server, stream, peer, shutdown).await,
                Ok(Err(_)) | Err(_) => {
                    metrics::counter!(CONNECTIONS_REFUSED, "reason" => "handshake").increment(1)
                }
            }
        }
    }
}

async fn speak<S>(server: &Server, stream: S, peer: SocketAddr, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = server.router.clone();
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let builder = builder(&server.bounds);
    // A socket that leaves HTTP (WebSocket) is its room's to bound from then on.
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(Quiet::new(stream, server.bounds.idle)), service);
    tokio::pin!(connection);
    let ended_by_itself = tokio::select! {
        _ = connection.as_mut() => true,
        () = ended(&mut shutdown) => false,
    };
    if !ended_by_itself {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(server.bounds.drain, connection).await;
    }
}

fn builder(bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(bounds.idle / 2)
        .keep_alive_timeout(bounds.head);
    builder
}

/// Returns once `shutdown` says true; a sender that is gone means the same.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|ended| *ended).await;
}

/// Counts this connection while it lives.
struct OpenGauge;

impl OpenGauge {
    fn new() -> Self {
        metrics::gauge!(CONNECTIONS).increment(1.0);
        Self
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        metrics::gauge!(CONNECTIONS).decrement(1.0);
    }
}

/// Open connections by network, under a hash whose key is drawn at start: the table holds no address.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<u64, u32>>>, RandomState);

/// One connection of an address, counted until it is dropped.
struct Counted {
    table: Arc<Mutex<HashMap<u64, u32>>>,
    key: u64,
}

impl Addresses {
    fn enter(&self, address: IpAddr, most: u32) -> Option<Counted> {
        let network = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.octets().to_vec(),
                None => v6.octets()[..8].to_vec(),
            },
        };
        let key = self.1.hash_one(network);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = table.entry(key).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { table: self.0.clone(), key })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                table.remove(&self.key);
            }
        }
    }
}
