//! The connection itself: TCP to a tested address, TLS, one HTTP/1.1 request, a bounded answer.

use super::{Answer, CONNECT_TIMEOUT_S, ClientFault, OutboundError, Outgoing, Target};
use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes of the answer's head: a flood of headers ends here.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of the answer.
const HEADERS_MAX: usize = 100;

/// TLS 1.2 and 1.3 to the machine's CA roots and `extra`: peers are not ours to modernise.
pub(super) fn tls(extra: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, ClientFault> {
    let mut roots = RootCertStore::empty();
    // A machine without CA roots still reaches its own origin, and says so at the first https elsewhere.
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    for certificate in extra {
        roots.add(certificate.clone()).map_err(|fault| ClientFault::Tls(fault.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|fault| ClientFault::Tls(fault.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub(super) async fn send(
    tls: &Arc<ClientConfig>,
    target: &Target,
    addresses: &[SocketAddr],
    outgoing: Outgoing,
    bytes_max: usize,
) -> Result<Answer, OutboundError> {
    let host = target.origin.host.to_string();
    let request = request(target, outgoing)?;
    let connect = connect(tls, target, addresses);
    let stream = tokio::time::timeout(Duration::from_secs(CONNECT_TIMEOUT_S), connect)
        .await
        .unwrap_or_else(|_| Err(OutboundError::TimedOut(host.clone())))?;
    let unreachable = |why: String| OutboundError::Unreachable { host: host.clone(), why };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|fault| unreachable(fault.to_string()))?;
    // Ends with the answer, or with the time-out that drops the sender.
    let driver = tokio::spawn(connection);
    let _guard = AbortOnDrop(driver.abort_handle());
    let response = sender.send_request(request).await.map_err(|fault| unreachable(fault.to_string()))?;
    read(response, bytes_max, &host).await
}

/// Ends the connection's task when its request is given up.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(
    response: http::Response<Incoming>,
    bytes_max: usize,
    host: &str,
) -> Result<Answer, OutboundError> {
    let (parts, body) = response.into_parts();
    if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(OutboundError::Unreadable(host.to_owned()));
    }
    let body = Limited::new(body, bytes_max).collect().await.map_err(|fault| {
        if fault.is::<LengthLimitError>() {
            OutboundError::TooLarge(host.to_owned())
        } else {
            OutboundError::Unreadable(host.to_owned())
        }
    })?;
    let max_age_s = max_age(&parts.headers);
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes(), max_age_s })
}

fn request(target: &Target, outgoing: Outgoing) -> Result<Request<Full<Bytes>>, OutboundError> {
    let unreadable = || OutboundError::Unreadable(target.origin.host.to_string());
    let path = match target.url.query() {
        Some(query) => format!("{}?{query}", target.url.path()),
        None => target.url.path().to_owned(),
    };
    let default_port = if target.origin.https { 443 } else { 80 };
    let authority = match target.origin.port {
        port if port == default_port => target.origin.host.to_string(),
        port => format!("{}:{port}", target.origin.host),
    };
    let mut request = Request::builder()
        .method(outgoing.method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("tessera/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Full::new(outgoing.body))
        .map_err(|_| unreadable())?;
    for (name, value) in outgoing.headers {
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(
    tls: &Arc<ClientConfig>,
    target: &Target,
    addresses: &[SocketAddr],
) -> Result<Box<dyn Stream>, OutboundError> {
    let host = target.origin.host.to_string();
    let mut why = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return wrap(tls, target, tcp).await,
            Err(fault) => why = fault.kind().to_string(),
        }
    }
    Err(OutboundError::Unreachable { host, why })
}

async fn wrap(
    tls: &Arc<ClientConfig>,
    target: &Target,
    tcp: TcpStream,
) -> Result<Box<dyn Stream>, OutboundError> {
    let host = target.origin.host.to_string();
    if !target.origin.https {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| OutboundError::Unresolved(host.clone()))?;
    match TlsConnector::from(tls.clone()).connect(name, tcp).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(fault) => Err(OutboundError::Unreachable { host, why: fault.to_string() }),
    }
}

/// `max-age` in seconds; `no-store` and `no-cache` are 0.
pub(super) fn max_age(headers: &HeaderMap<HeaderValue>) -> Option<i64> {
    let directives: Vec<String> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(0);
    }
    directives.iter().find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}
