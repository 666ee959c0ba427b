//! One connection with a wait that ends: plain to this very machine, else in TLS.

use super::{HttpFault, host_of, is_local_name};
use openid::wire::{self, Reach};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::Certificate;

/// A connection.
pub(crate) enum Stream {
    /// To this machine.
    Plain(TcpStream),
    /// To any other.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub(super) fn open(
    url: &str,
    timeout: Duration,
    roots: &[Certificate<'static>],
) -> Result<Stream, HttpFault> {
    let host = host_of(url);
    let unreachable =
        |why: &dyn std::fmt::Display| HttpFault::Unreachable { host: host.clone(), why: why.to_string() };
    wire::address(url, Reach::LoopbackHttp)
        .map_err(|fault| HttpFault::Address { host: host.clone(), fault })?;
    let parsed = url::Url::parse(url).map_err(|fault| unreachable(&fault))?;
    let name = parsed.host_str().ok_or_else(|| unreachable(&"no host"))?.to_owned();
    let port = parsed.port_or_known_default().ok_or_else(|| unreachable(&"no port"))?;
    let socket = dial(&name, port, timeout).map_err(|fault| unreachable(&fault))?;
    let wait = |socket: &TcpStream| {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(timeout))?;
        socket.set_read_timeout(Some(timeout))
    };
    wait(&socket).map_err(|fault| unreachable(&fault))?;
    if parsed.scheme() == "http" {
        return Ok(Stream::Plain(socket));
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(|root| CertificateDer::from(root.der().to_vec())));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| unreachable(&fault))?
        .with_root_certificates(store)
        .with_no_client_auth();
    let server = ServerName::try_from(name).map_err(|fault| unreachable(&fault))?;
    let connection = ClientConnection::new(Arc::new(config), server).map_err(|fault| unreachable(&fault))?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
}

/// `localhost` and every name under it mean this machine; all others are resolved as the machine does.
fn dial(name: &str, port: u16, timeout: Duration) -> std::io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = if is_local_name(name) {
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            .map(|ip| SocketAddr::new(ip, port))
            .to_vec()
    } else {
        (name.trim_matches(['[', ']']), port).to_socket_addrs()?.collect()
    };
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => return Ok(socket),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

impl Stream {
    /// How long a read waits from now on.
    pub(crate) fn set_wait(&self, wait: Duration) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_read_timeout(Some(wait)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(wait)),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
