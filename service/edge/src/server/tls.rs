//! TLS 1.3 and nothing older (L&O §8): three suites, hybrid key agreement first, no early data, tickets whose keys rotate.

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// Certificates in a chain file: leaf and intermediates.
pub const CHAIN_MAX: usize = 10;

/// Why certificate and key do not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// No certificate, or too many, or no PEM.
    #[error("the certificate file is no PEM chain of 1 to {CHAIN_MAX} certificates")]
    Chain,
    /// No private key.
    #[error("the key file holds no PEM private key")]
    Key,
    /// Key and certificate do not belong together, or are of a kind that TLS 1.3 does not know.
    #[error("certificate and key do not serve: {0}")]
    Unfit(String),
}

/// The certificate in use; can be replaced while the program runs.
#[derive(Clone, Debug)]
pub struct ServerCertificate(Arc<RwLock<Arc<CertifiedKey>>>);

impl ServerCertificate {
    /// A chain and its key, both as PEM.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsFault> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(certified(chain, key)?)))))
    }

    /// Takes a new chain and key for connections from now on; the old ones stay where they do not serve.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsFault> {
        let new = Arc::new(certified(chain, key)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The chain, leaf first: our own outbound client trusts it where we signed it ourselves.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).cert.clone()
    }

    /// What the listener needs.
    ///
    /// # Errors
    /// [`TlsFault::Unfit`].
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsFault> {
        let unfit = |fault: rustls::Error| TlsFault::Unfit(fault.to_string());
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unfit)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unfit)?;
        config.max_early_data_size = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Exactly the suites and groups of L&O §8.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsFault> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| TlsFault::Chain)?;
    if !(1..=CHAIN_MAX).contains(&chain.len()) {
        return Err(TlsFault::Chain);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsFault::Key)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|fault| TlsFault::Unfit(fault.to_string()))
}
