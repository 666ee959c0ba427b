//! The wallet's HTTP client: it performs one [`Errand`] at a time and decides nothing.
//!
//! No redirect is followed, no proxy of the environment is used, no cookie is kept, every body has a bound and every wait an
//! end. `localhost` and every name under it mean this machine (RFC 6761, 6.3); plain http goes there and nowhere else.

mod stream;

pub(crate) use stream::Stream;

use openid::errand::{Answered, Errand, Method};
use openid::wire::{self, AddressFault, Reach};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::{HeaderValue, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::WithBody;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

/// Certificates of an extra CA file: more is a mistake.
const CA_CERTIFICATES_MAX: usize = 1_024;
/// A whole exchange is given up after this; a peer that signs needs far less.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a connection to open, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of an answer.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The client. Clones share its connections; it may be used by many threads at once.
#[derive(Debug, Clone)]
pub struct Client(Agent, Arc<Vec<Certificate<'static>>>);

/// What came back, within the errand's bound.
pub struct Answer {
    /// HTTP status, never a redirect.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// A nonce for the next DPoP proof, if one came (RFC 9449, 8.2).
    pub dpop_nonce: Option<String>,
}

/// Why an errand brought nothing back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The address may not be asked.
    #[error("{host}: {fault}")]
    Address {
        /// Host of the address, or a word for none.
        host: String,
        /// Why.
        fault: AddressFault,
    },
    /// The peer points elsewhere, where nobody has checked who answers.
    #[error("{host} answered {status}, a redirect, which is never followed")]
    Redirect {
        /// Who.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer is longer than it can be.
    #[error("the answer of {host} is longer than {bytes_max} bytes")]
    TooLong {
        /// Who.
        host: String,
        /// The bound.
        bytes_max: usize,
    },
    /// No connection, no valid certificate, or no answer in time.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Who.
        host: String,
        /// The fault in words.
        why: String,
    },
    /// The file of extra authorities is not PEM, empty, or too long.
    #[error("the CA file holds no certificates in PEM")]
    Ca,
}

impl Client {
    /// A client that trusts this machine's authorities, and those in `extra_ca_pem` as well.
    ///
    /// # Errors
    /// [`HttpFault::Ca`].
    pub fn new(extra_ca_pem: Option<&[u8]>) -> Result<Client, HttpFault> {
        let mut roots = machine_roots().to_vec();
        if let Some(pem) = extra_ca_pem {
            roots.extend(authorities(pem)?);
        }
        let roots = Arc::new(roots);
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::clone(&roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(EXCHANGE_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_response_header_size(HEADER_BYTES_MAX)
            .user_agent("tessera-wallet")
            .build();
        Ok(Client(Agent::with_parts(config, DefaultConnector::default(), LoopbackNames::default()), roots))
    }

    /// Opens a connection to the host of `url`, in TLS for https: for the link to a relay. Every read and write of it ends within
    /// `timeout` until [`Stream::set_wait`] says otherwise.
    ///
    /// # Errors
    /// [`HttpFault`].
    pub(crate) fn connect(&self, url: &str, timeout: Duration) -> Result<Stream, HttpFault> {
        stream::open(url, timeout, &self.1)
    }

    /// Performs one errand. Any status but a redirect is an answer.
    ///
    /// # Errors
    /// [`HttpFault`]; whether the peer got the errand is unknown after [`HttpFault::Unreachable`].
    pub fn perform(&self, errand: &Errand) -> Result<Answer, HttpFault> {
        let host = host_of(&errand.url);
        // The machines checked their addresses already; this is the last door, for those who build errands by hand.
        wire::address(&errand.url, Reach::LoopbackHttp)
            .map_err(|fault| HttpFault::Address { host: host.clone(), fault })?;
        let sent = match errand.method {
            Method::Get => decorate(self.0.get(&errand.url), errand).call(),
            Method::Delete => decorate(self.0.delete(&errand.url), errand).call(),
            Method::Post => send(decorate(self.0.post(&errand.url), errand), errand),
            Method::Put => send(decorate(self.0.put(&errand.url), errand), errand),
        };
        let unreachable =
            |fault: &ureq::Error| HttpFault::Unreachable { host: host.clone(), why: fault.to_string() };
        let answer = sent.map_err(|fault| unreachable(&fault))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(HttpFault::Redirect { host, status: status.as_u16() });
        }
        let bytes_max = errand.answer_bytes_max;
        let (head, mut body): (_, Body) = answer.into_parts();
        let dpop_nonce =
            head.headers.get("dpop-nonce").and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
        // One byte more than allowed, so that a body of exactly the bound is not mistaken for a longer one.
        match body.with_config().limit(bytes_max as u64 + 1).read_to_vec() {
            Ok(body) if body.len() <= bytes_max => Ok(Answer { status: status.as_u16(), body, dpop_nonce }),
            Ok(_) | Err(ureq::Error::BodyExceedsLimit(_)) => Err(HttpFault::TooLong { host, bytes_max }),
            Err(fault) => Err(unreachable(&fault)),
        }
    }
}

impl Answer {
    /// As the machines of `openid` take it.
    #[must_use]
    pub fn answered(&self) -> Answered<'_> {
        Answered { status: self.status, body: &self.body }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// The host of an address, with its port where that is not the usual one, for people; behind it an address may carry a secret.
#[must_use]
pub fn host_of(address: &str) -> String {
    let url = url::Url::parse(address).ok();
    let host = url.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    host.unwrap_or_else(|| "an address without a host".to_owned())
}

fn send(
    request: ureq::RequestBuilder<WithBody>,
    errand: &Errand,
) -> Result<ureq::http::Response<Body>, ureq::Error> {
    match &errand.body {
        None => request.send_empty(),
        Some((media, body)) => request.header(header::CONTENT_TYPE, *media).send(&body[..]),
    }
}

fn decorate<B>(request: ureq::RequestBuilder<B>, errand: &Errand) -> ureq::RequestBuilder<B> {
    let mut request =
        request.header(header::ACCEPT, errand.accept).header(header::ACCEPT_ENCODING, "identity");
    if let Some((name, proof)) = &errand.proof {
        request = request.header(*name, proof);
    }
    let Some(token) = &errand.bearer else { return request };
    // A token that goes with a DPoP proof is shown as such (RFC 9449, 7.1).
    let scheme = if matches!(errand.proof, Some(("DPoP", _))) { "DPoP" } else { "Bearer" };
    match HeaderValue::from_str(&format!("{scheme} {}", token.expose())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(header::AUTHORIZATION, value)
        }
        // A token that no header can carry is sent as none, and refused as that.
        Err(_) => request,
    }
}

/// This machine's authorities, read once.
fn machine_roots() -> &'static [Certificate<'static>] {
    static ROOTS: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs;
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
    })
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate<'static>>, HttpFault> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(HttpFault::Ca),
        }
    }
    let fits = (1..=CA_CERTIFICATES_MAX).contains(&certificates.len());
    if fits { Ok(certificates) } else { Err(HttpFault::Ca) }
}

/// Resolves local names to loopback, and all others as the machine does.
#[derive(Debug, Default)]
struct LoopbackNames(DefaultResolver);

impl Resolver for LoopbackNames {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if !uri.host().is_some_and(is_local_name) {
            return self.0.resolve(uri, config, timeout);
        }
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let mut addresses = self.empty();
        addresses.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        addresses.push(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port));
        Ok(addresses)
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_to_another_machine_is_never_sent() {
        let client = Client::new(None).unwrap();
        for url in [
            "http://h.example/",
            "http://10.0.0.1/",
            "http://notlocalhost/",
            "ftp://localhost/",
            "file:///etc/passwd",
        ] {
            let fault = client.perform(&Errand::get(url, "application/json", 1)).unwrap_err();
            assert!(matches!(fault, HttpFault::Address { .. }), "{url}: {fault}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        assert_eq!(Client::new(Some(b"")).unwrap_err(), HttpFault::Ca);
        assert_eq!(Client::new(Some(b"not pem")).unwrap_err(), HttpFault::Ca);
    }

    #[test]
    fn a_fault_names_the_host_and_never_the_path_that_may_hold_a_secret() {
        assert_eq!(host_of("https://i.example/vci/offer/canary?x=canary"), "i.example");
        assert_eq!(host_of("https://u:p@i.example:8443/canary"), "i.example:8443");
        assert_eq!(host_of("nonsense"), "an address without a host");
    }
}
