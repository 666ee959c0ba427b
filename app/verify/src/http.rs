//! The one HTTP client of the command line: blocking, TLS by aws-lc-rs, no redirect, no proxy from the environment.
//!
//! `localhost` and every name under it mean this machine (RFC 6761, 6.3), so that `http://acme.localhost:8400` works
//! where the resolver does not know that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::{Host, Url};

/// Certificates of a CA file: more is a mistake.
const CA_CERTIFICATES_MAX: usize = 1_024;

/// Time for a connection to open, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of an answer.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Why there is no client for this URL or CA file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The file of certificates is not PEM, empty, or too long.
    #[error("the CA file holds no certificates in PEM")]
    Ca,
    /// Not a URL, or one with user, query or fragment.
    #[error("{0} is not the URL of a log")]
    Url(String),
    /// Plain http to another machine: anybody between could read the token.
    #[error("{0} is plain http to another machine")]
    Plain(String),
}

/// A client. With `ca_pem` only these authorities count, else those of this machine.
///
/// Statuses are answers, not errors; `timeout` bounds a whole request.
pub fn agent(timeout: Duration, ca_pem: Option<&[u8]>) -> Result<Agent, HttpFault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(authorities(ca_pem)?)))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .max_response_header_size(HEADER_BYTES_MAX)
        .user_agent(concat!("tessera/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::default(), LoopbackNames::default()))
}

/// Takes the base URL of a log: https, or http to this machine; no user, query or fragment. No slash at its end.
pub fn base_url(text: &str) -> Result<String, HttpFault> {
    let not_a_log = || HttpFault::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| not_a_log())?;
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
        return Err(not_a_log());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) => {}
        "http" => return Err(HttpFault::Plain(text.to_owned())),
        _ => return Err(not_a_log()),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_local_name(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn authorities(ca_pem: Option<&[u8]>) -> Result<Vec<Certificate<'static>>, HttpFault> {
    let Some(pem) = ca_pem else {
        let found = rustls_native_certs::load_native_certs().certs;
        return Ok(found.iter().map(|der| Certificate::from_der(der).to_owned()).collect());
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_over_https_or_from_this_machine() {
        for (given, base) in [
            ("https://h.example/log/t/acme/", "https://h.example/log/t/acme"),
            ("http://localhost:8400/log/system", "http://localhost:8400/log/system"),
            ("http://acme.localhost/log/t/acme", "http://acme.localhost/log/t/acme"),
            ("http://127.0.0.1:1/log", "http://127.0.0.1:1/log"),
            ("http://[::1]:1/log", "http://[::1]:1/log"),
        ] {
            assert_eq!(base_url(given).as_deref(), Ok(base));
        }
    }

    #[test]
    fn a_token_never_goes_over_plain_http_to_another_machine() {
        for url in [
            "http://h.example/log",
            "http://10.0.0.1/log",
            "http://localhost.example/log",
            "http://notlocalhost/l",
        ] {
            assert_eq!(base_url(url), Err(HttpFault::Plain(url.into())));
        }
    }

    #[test]
    fn a_url_with_user_query_or_fragment_is_no_log() {
        for url in [
            "https://u@h.example/log",
            "https://u:p@h.example/l",
            "https://h.example/?a",
            "https://h.example/#a",
            "ftp://h.example/",
            "h.example/log",
        ] {
            assert_eq!(base_url(url), Err(HttpFault::Url(url.into())));
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        assert_eq!(agent(Duration::from_secs(1), Some(b"")).unwrap_err(), HttpFault::Ca);
        assert_eq!(agent(Duration::from_secs(1), Some(b"not pem")).unwrap_err(), HttpFault::Ca);
    }
}
