//! Which host names are ours, and where a request came from.
//!
//! A request for another host gets 421: this is also the wall against DNS rebinding, since a page of a stranger's name never gets an
//! answer that it could read. `Forwarded` is believed only from proxies that the operator names.

use crate::problem::{Problem, pages};
use http::request::Parts;
use http::{HeaderMap, Uri, header};
use std::net::{IpAddr, SocketAddr};
use url::Url;

/// Entries of `Forwarded` or `X-Forwarded-For` that are read, from the right.
const HOPS_MAX: usize = 16;

/// Proxies that the operator may name.
pub const PROXIES_MAX: usize = 64;

/// The authorities (host, and port where it is not the scheme's own) that we answer to.
#[derive(Clone, Debug)]
pub struct Hosts {
    ours: Vec<String>,
    expected: String,
    /// `http://localhost:8400`, where development sends `127.0.0.1` to.
    dev_redirect: Option<(u16, String)>,
}

/// What a request's host means.
#[derive(Debug)]
pub enum Met {
    /// Ours.
    Ours,
    /// Development's `127.0.0.1`: go to this origin.
    Redirect(String),
    /// Not ours.
    Foreign(Problem),
}

impl Hosts {
    /// The hosts of these origins, the public one first.
    #[must_use]
    pub fn new(public: &Url, others: &[Url], dev: bool) -> Self {
        let ours: Vec<String> = std::iter::once(public)
            .chain(others)
            .filter_map(authority_of)
            .map(|text| text.to_ascii_lowercase())
            .collect();
        let expected = public.origin().ascii_serialization();
        let dev_redirect = dev.then(|| (public.port_or_known_default().unwrap_or(80), expected.clone()));
        Self { ours, expected, dev_redirect }
    }

    /// Looks at the authority of a request: of the target in HTTP/2, of `Host` in HTTP/1.1. `X-Forwarded-Host` is never read.
    #[must_use]
    pub fn meet(&self, uri: &Uri, headers: &HeaderMap) -> Met {
        let foreign = |detail: String| Met::Foreign(Problem::of(&pages::UNKNOWN_HOST).detail(detail));
        let Some(authority) = authority(uri, headers) else {
            return foreign(format!("the request names no host; use {}", self.expected));
        };
        if self.ours.contains(&authority) {
            return Met::Ours;
        }
        match &self.dev_redirect {
            Some((port, origin))
                if authority == format!("127.0.0.1:{port}") || authority == format!("[::1]:{port}") =>
            {
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                Met::Redirect(format!("{origin}{path}"))
            }
            Some(_) | None => foreign(format!("use {}", self.expected)),
        }
    }
}

/// Host and, where it is not the scheme's own, port.
fn authority_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The one authority of a request; none where `Host` is missing, doubled, or differs from the target's.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?.to_ascii_lowercase()),
        (None, None) => None,
        (_, Some(_)) => return None,
    };
    let target = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    match (target, named) {
        (Some(target), Some(named)) if target != named => None,
        (Some(target), _) => Some(strip_default_port(&target)),
        (None, Some(named)) => Some(strip_default_port(&named)),
        (None, None) => None,
    }
}

fn strip_default_port(authority: &str) -> String {
    let bare = authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80"));
    // With another port before it, it is no port but a name that nobody has.
    let bare = bare.filter(|bare| !bare.contains(':') || bare.ends_with(']'));
    bare.unwrap_or(authority).to_owned()
}

/// A network, as `10.0.0.0/8` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    net: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `address` or `address/bits`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (net, bits) = text.split_once('/').map_or((text, None), |(net, bits)| (net, Some(bits)));
        let net: IpAddr = net.parse().ok()?;
        let most = if net.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { net, bits })
    }

    fn has(self, address: IpAddr) -> bool {
        let same = |net: u128, address: u128, most: u8| {
            let mask = if self.bits == 0 { 0 } else { u128::MAX << (most - self.bits) };
            net & mask == address & mask
        };
        match (self.net, plain(address)) {
            (IpAddr::V4(net), IpAddr::V4(v4)) => same(u32::from(net).into(), u32::from(v4).into(), 32),
            (IpAddr::V6(net), IpAddr::V6(v6)) => same(net.into(), v6.into(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Where a request came from: the peer, or what trusted proxies say of whom they serve.
#[must_use]
pub fn client(parts: &Parts, peer: Option<SocketAddr>, proxies: &[Network]) -> IpAddr {
    let peer = plain(peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip()));
    let trusted = |address: IpAddr| proxies.iter().any(|net| net.has(address));
    if !trusted(peer) {
        return peer;
    }
    let mut last = peer;
    for hop in hops(&parts.headers).into_iter().rev().take(HOPS_MAX) {
        let Some(address) = hop else { return last };
        last = plain(address);
        if !trusted(last) {
            return last;
        }
    }
    last
}

/// The addresses that proxies named, the nearest last; none for a text that is no address.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value: &http::HeaderValue| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|entry| entry.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let forwarded = list(header::FORWARDED);
    if forwarded.is_empty() {
        return list(http::HeaderName::from_static("x-forwarded-for")).iter().map(|text| hop(text)).collect();
    }
    forwarded
        .iter()
        .map(|entry| {
            let pair = entry
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(name, _)| name.eq_ignore_ascii_case("for"));
            hop(pair?.1.trim_matches('"'))
        })
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`, `2001:db8::1`.
fn hop(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

/// A v4 address that came in through a v6 socket is the v4 address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn hosts() -> Hosts {
        let console = Url::parse("http://console.localhost:8400").unwrap();
        Hosts::new(&Url::parse("http://localhost:8400").unwrap(), &[console], true)
    }

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/x?y=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn meets(headers: &[(&str, &str)]) -> Met {
        let parts = parts(headers);
        hosts().meet(&parts.uri, &parts.headers)
    }

    #[test]
    fn only_our_own_hosts_are_answered() {
        assert!(matches!(meets(&[("host", "localhost:8400")]), Met::Ours));
        assert!(matches!(meets(&[("host", "Console.LOCALHOST:8400")]), Met::Ours));
        for foreign in [
            "localhost",
            "localhost:8401",
            "evil.example:8400",
            "127.0.0.1",
            "localhost:8400.evil.example",
            "localhost:8400:443",
        ] {
            assert!(matches!(meets(&[("host", foreign)]), Met::Foreign(_)), "{foreign}");
        }
        assert!(matches!(meets(&[]), Met::Foreign(_)));
        assert!(matches!(meets(&[("host", "localhost:8400"), ("host", "localhost:8400")]), Met::Foreign(_)));
        let forged = [("host", "evil.example"), ("x-forwarded-host", "localhost:8400")];
        assert!(matches!(meets(&forged), Met::Foreign(_)));
    }

    #[test]
    fn development_sends_the_address_to_the_name() {
        match meets(&[("host", "127.0.0.1:8400")]) {
            Met::Redirect(to) => assert_eq!(to, "http://localhost:8400/x?y=1"),
            other => panic!("{other:?}"),
        }
        let production = Hosts::new(&Url::parse("https://t.example").unwrap(), &[], false);
        let parts = parts(&[("host", "127.0.0.1:443")]);
        assert!(matches!(production.meet(&parts.uri, &parts.headers), Met::Foreign(_)));
    }

    #[test]
    fn a_forged_forwarded_header_is_not_believed() {
        let peer = Some("192.0.2.9:5000".parse().unwrap());
        let forged = parts(&[("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "198.51.100.1")]);
        assert_eq!(client(&forged, peer, &[]), IpAddr::from([192, 0, 2, 9]));
        let proxy = Network::parse("192.0.2.0/24").unwrap();
        assert_eq!(client(&forged, peer, &[proxy]), IpAddr::from([198, 51, 100, 1]));
        // What stands left of the first stranger was written by him.
        let chain = parts(&[("forwarded", "for=203.0.113.7, for=198.51.100.1, for=\"192.0.2.3:80\"")]);
        assert_eq!(client(&chain, peer, &[proxy]), IpAddr::from([198, 51, 100, 1]));
        let broken = parts(&[("forwarded", "for=unknown")]);
        assert_eq!(client(&broken, peer, &[proxy]), IpAddr::from([192, 0, 2, 9]));
    }
}
