//! The one way out: an HTTP client that cannot be led into our own network.
//!
//! ```text
//! URL ─▶ target: scheme, host, port, no user ─▶ permit ─▶ resolve once ─▶ every address public? ─▶ connect to one of those ─▶ TLS
//! ```
//!
//! Invariants: the address that was tested is the address that is connected to; redirects are not followed; nothing is decompressed;
//! no environment proxy; time and bytes are bounded. Two kinds of origin may lie anywhere: our own `public_url`, and those that the
//! operator names in `server.outbound_allow`.

pub mod address;
mod wire;

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use url::{Host, Url};

/// Bytes of an address: as browsers take.
pub const URL_BYTES_MAX: usize = 2_048;
/// Bytes of an answer (L&O §8).
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Time to connect, TLS among it (L&O §8).
pub const CONNECT_TIMEOUT_S: u64 = 2;
/// Time for all of it (L&O §8).
pub const TOTAL_TIMEOUT_S: u64 = 5;
/// Addresses of one name that are looked at: more is no honest zone.
pub const ADDRESSES_MAX: usize = 16;
/// Origins that the operator may name.
pub const ALLOW_MAX: usize = 64;

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the answer's body.
    pub bytes_max: usize,
    /// Time for all of it.
    pub total: Duration,
}

impl Limits {
    /// The usual time, and a bound for the answer.
    #[must_use]
    pub const fn of(bytes_max: usize) -> Self {
        Self { bytes_max, total: Duration::from_secs(TOTAL_TIMEOUT_S) }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// GET or POST.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Headers beyond `Host`, `User-Agent` and `Accept-Encoding`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; empty for GET.
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status; a redirect is one like any other.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// `max-age` of `Cache-Control`, in seconds; 0 where it says `no-store` or `no-cache`.
    pub max_age_s: Option<i64>,
}

/// Why an address is none that we go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// Not an absolute URL with a host, or too long.
    #[error("not an absolute http or https URL of at most {URL_BYTES_MAX} bytes")]
    Malformed,
    /// `http` to a host other than this machine, or another scheme.
    #[error("only https leaves this house")]
    Scheme,
    /// User name, password or fragment.
    #[error("an address holds no user name, password or fragment")]
    Decorated,
}

/// Why there is no answer. Texts name the host, never the path, the query or a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address itself.
    #[error(transparent)]
    Target(#[from] TargetFault),
    /// A port other than 443, at an origin that the operator has not named.
    #[error("port {0} is not open to us; server.outbound_allow can name the origin")]
    Port(u16),
    /// The name resolves to nothing, or to more addresses than we look at.
    #[error("{0} does not resolve")]
    Unresolved(String),
    /// One of the addresses is not public.
    #[error("{0} leads into a network that is not public; server.outbound_allow can name the origin")]
    NotPublic(String),
    /// No address takes the connection, or TLS fails.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What failed.
        why: String,
    },
    /// Not within the time.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// More bytes than asked for.
    #[error("{0} answered with too many bytes")]
    TooLarge(String),
    /// An encoding that was not asked for, or no HTTP.
    #[error("{0} gave no answer that we read")]
    Unreadable(String),
    /// Another status than the one that was needed.
    #[error("{host} answered {status}")]
    Status {
        /// The host.
        host: String,
        /// What it said.
        status: u16,
    },
}

/// An address that passed [`target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    origin: Origin,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    https: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// Whether the host is this machine by its very name or address.
    fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(v4) => v4.is_loopback(),
            Host::Ipv6(v6) => v6.is_loopback(),
        }
    }
}

/// Checks an address as far as its text tells.
///
/// # Errors
/// [`TargetFault`].
pub fn target(text: &str) -> Result<Target, TargetFault> {
    if text.len() > URL_BYTES_MAX || text.chars().any(|c| c.is_control() || c == '\\' || c == ' ') {
        return Err(TargetFault::Malformed);
    }
    let url = Url::parse(text).map_err(|_| TargetFault::Malformed)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetFault::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(TargetFault::Decorated);
    }
    // `@` may hide in front of a host without a name before it; the parser has dropped it.
    let authority =
        text.split("://").nth(1).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(TargetFault::Decorated);
    }
    let host = url.host().ok_or(TargetFault::Malformed)?.to_owned();
    let host = match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        address @ (Host::Ipv4(_) | Host::Ipv6(_)) => address,
    };
    if host == Host::Domain(String::new()) {
        return Err(TargetFault::Malformed);
    }
    let port = url.port_or_known_default().ok_or(TargetFault::Malformed)?;
    let origin = Origin { https: url.scheme() == "https", host, port };
    if !origin.https && !origin.is_loopback() {
        return Err(TargetFault::Scheme);
    }
    Ok(Target { url, origin })
}

/// Why the client could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    /// An entry of `server.outbound_allow` is no origin.
    #[error("server.outbound_allow: {0} is no origin (scheme, host, port); http only for this machine")]
    Allow(String),
    /// Too many entries.
    #[error("server.outbound_allow names more than {ALLOW_MAX} origins")]
    TooMany,
    /// The TLS side could not be made.
    #[error("TLS for outbound connections: {0}")]
    Tls(String),
}

/// The client. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Client {
    permitted: Arc<Vec<Origin>>,
    tls: Arc<RwLock<Arc<rustls::ClientConfig>>>,
}

impl Client {
    /// A client that may reach our own `public_url` and the origins in `allow` wherever they lie. `roots` are certificates to
    /// trust beside the machine's: our own, where we signed it ourselves.
    ///
    /// # Errors
    /// [`ClientFault`].
    pub fn new(
        public_url: &Url,
        allow: &[String],
        roots: &[CertificateDer<'static>],
    ) -> Result<Self, ClientFault> {
        if allow.len() > ALLOW_MAX {
            return Err(ClientFault::TooMany);
        }
        let own = target(public_url.as_str()).map_err(|_| ClientFault::Allow(public_url.to_string()))?;
        let mut permitted = vec![own.origin];
        for text in allow {
            let named = target(text).map_err(|_| ClientFault::Allow(text.clone()))?;
            let bare = matches!(named.url.path(), "" | "/") && named.url.query().is_none();
            if !bare {
                return Err(ClientFault::Allow(text.clone()));
            }
            permitted.push(named.origin);
        }
        Ok(Self { permitted: Arc::new(permitted), tls: Arc::new(RwLock::new(wire::tls(roots)?)) })
    }

    /// Trusts these certificates beside the machine's from now on, in place of those that were given before: our own certificate
    /// was replaced.
    ///
    /// # Errors
    /// [`ClientFault::Tls`]; the old ones stay then.
    pub fn trust(&self, roots: &[CertificateDer<'static>]) -> Result<(), ClientFault> {
        let tls = wire::tls(roots)?;
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        Ok(())
    }

    /// Fetches an address; every status but 200 is a fault.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Answer, OutboundError> {
        let outgoing =
            Outgoing { method: Method::GET, url: url.to_owned(), headers: Vec::new(), body: Bytes::new() };
        let answer = self.send(outgoing, limits).await?;
        if answer.status != StatusCode::OK {
            let host = target(url)?.origin.host.to_string();
            return Err(OutboundError::Status { host, status: answer.status.as_u16() });
        }
        Ok(answer)
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer of any status is no error.
    pub async fn send(&self, outgoing: Outgoing, limits: Limits) -> Result<Answer, OutboundError> {
        let target = target(&outgoing.url)?;
        let host = target.origin.host.to_string();
        let work = async {
            let addresses = self.addresses(&target).await?;
            let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
            wire::send(&tls, &target, &addresses, outgoing, limits.bytes_max).await
        };
        tokio::time::timeout(limits.total, work).await.unwrap_or(Err(OutboundError::TimedOut(host)))
    }

    /// Where to connect: resolved once, and every address tested unless the origin is permitted as such.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let origin = &target.origin;
        let permitted = self.permitted.contains(origin);
        if !permitted && !origin.https {
            return Err(TargetFault::Scheme.into());
        }
        if !permitted && origin.port != 443 {
            return Err(OutboundError::Port(origin.port));
        }
        let found = resolve(origin).await?;
        if permitted { Ok(found) } else { all_public(&origin.host, found) }
    }
}

/// Every address or none: a name that leads to a public and to a private address is one that somebody has prepared.
fn all_public(host: &Host<String>, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, OutboundError> {
    if found.iter().all(|address| address::is_public(address.ip())) {
        Ok(found)
    } else {
        Err(OutboundError::NotPublic(host.to_string()))
    }
}

async fn resolve(origin: &Origin) -> Result<Vec<SocketAddr>, OutboundError> {
    let unresolved = || OutboundError::Unresolved(origin.host.to_string());
    let found: Vec<SocketAddr> = match &origin.host {
        Host::Ipv4(v4) => vec![SocketAddr::new(IpAddr::V4(*v4), origin.port)],
        Host::Ipv6(v6) => vec![SocketAddr::new(IpAddr::V6(*v6), origin.port)],
        // Not every resolver maps *.localhost to this machine (RFC 6761, 6.3).
        Host::Domain(_) if origin.is_loopback() => vec![
            SocketAddr::new(IpAddr::from([127, 0, 0, 1]), origin.port),
            SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), origin.port),
        ],
        Host::Domain(name) => tokio::net::lookup_host((name.as_str(), origin.port))
            .await
            .map_err(|_| unresolved())?
            .take(ADDRESSES_MAX + 1)
            .collect(),
    };
    if found.is_empty() || found.len() > ADDRESSES_MAX {
        return Err(unresolved());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_with_one_private_address_among_public_ones_is_refused() {
        let host = Host::Domain("rebound.example".to_owned());
        let public = found(&["1.1.1.1:443", "[2606:4700::1111]:443"]);
        assert_eq!(all_public(&host, public.clone()), Ok(public));
        for closed in
            ["127.0.0.1:443", "10.0.0.1:443", "169.254.169.254:443", "[::1]:443", "[::ffff:1.1.1.1]:443"]
        {
            let mixed = found(&["1.1.1.1:443", closed]);
            assert_eq!(
                all_public(&host, mixed),
                Err(OutboundError::NotPublic("rebound.example".to_owned())),
                "{closed}"
            );
        }
    }

    #[test]
    fn max_age_is_read_and_no_store_is_nothing() {
        let headers =
            |text: &str| HeaderMap::from_iter([(http::header::CACHE_CONTROL, text.parse().unwrap())]);
        assert_eq!(wire::max_age(&headers("public, Max-Age=300")), Some(300));
        assert_eq!(wire::max_age(&headers("max-age=300, no-store")), Some(0));
        assert_eq!(wire::max_age(&headers("max-age=x")), None);
        assert_eq!(wire::max_age(&HeaderMap::new()), None);
    }
}
