//! Client identifiers and their prefixes (OpenID4VP 1.0, 5.9).

use crypto::x509::Certificate;
use std::fmt;
use url::Url;

/// Most bytes of a client identifier.
pub const CLIENT_ID_BYTES_MAX: usize = 512;

/// A client identifier whose prefix this build serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientId {
    /// `x509_hash:` ‖ base64url(SHA-256(DER of the leaf)).
    X509Hash([u8; 32]),
    /// `x509_san_dns:` ‖ a host that the leaf certificate names; answers go to that host.
    X509SanDns(String),
    /// `redirect_uri:` ‖ where the answer goes. Nobody signs such a request, so it says nothing about who asks: for development
    /// only.
    RedirectUri(String),
}

/// Why a client identifier was not taken; the prefix is named where it is one of the standard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdFault {
    /// A prefix of the standard that this build does not serve.
    #[error("the client identifier prefix {0} is not served")]
    Unserved(&'static str),
    /// `origin:` is reserved: only the wallet itself may write it (OpenID4VP 1.0, 5.9.3).
    #[error("the client identifier prefix origin is reserved")]
    Reserved,
    /// No prefix, or one that nobody defined.
    #[error("the client identifier has no known prefix")]
    Unknown,
    /// What follows the prefix is not what the prefix demands, or is too long.
    #[error("the client identifier is malformed")]
    Malformed,
}

const UNSERVED: [&str; 3] = ["openid_federation", "decentralized_identifier", "verifier_attestation"];

/// Most bytes of a host name (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

impl ClientId {
    /// The identifier of whoever signs with the leaf certificate `leaf_der`.
    #[must_use]
    pub fn x509_hash(leaf_der: &[u8]) -> ClientId {
        ClientId::X509Hash(crypto::hash::sha256(leaf_der))
    }

    /// Reads a full identifier, prefix included.
    ///
    /// # Errors
    /// [`ClientIdFault`].
    pub fn parse(text: &str) -> Result<ClientId, ClientIdFault> {
        if text.len() > CLIENT_ID_BYTES_MAX {
            return Err(ClientIdFault::Malformed);
        }
        let (prefix, rest) = text.split_once(':').ok_or(ClientIdFault::Unknown)?;
        if prefix == "origin" {
            return Err(ClientIdFault::Reserved);
        }
        if let Some(known) = UNSERVED.iter().find(|known| **known == prefix) {
            return Err(ClientIdFault::Unserved(known));
        }
        match prefix {
            "x509_hash" => {
                let hash = crypto::base64::url_decode(rest).map_err(|_| ClientIdFault::Malformed)?;
                Ok(ClientId::X509Hash(hash.try_into().map_err(|_| ClientIdFault::Malformed)?))
            }
            "x509_san_dns" if is_host(rest) => Ok(ClientId::X509SanDns(rest.to_owned())),
            "redirect_uri" if Url::parse(rest).is_ok() => Ok(ClientId::RedirectUri(rest.to_owned())),
            "x509_san_dns" | "redirect_uri" => Err(ClientIdFault::Malformed),
            _ => Err(ClientIdFault::Unknown),
        }
    }

    /// Whether the signer's leaf certificate is the one the identifier names. No certificate stands for `redirect_uri`.
    #[must_use]
    pub fn names(&self, leaf_der: &[u8]) -> bool {
        match self {
            ClientId::X509Hash(hash) => crypto::hash::equal(hash, &crypto::hash::sha256(leaf_der)),
            ClientId::X509SanDns(host) => Certificate::parse(leaf_der)
                .is_ok_and(|leaf| leaf.san_dns().iter().any(|name| name.eq_ignore_ascii_case(host))),
            ClientId::RedirectUri(_) => false,
        }
    }

    /// Whether an answer may go to `response_uri` (OpenID4VP 1.0, 5.9.3): with a host as the name, to that host alone.
    #[must_use]
    pub fn fits(&self, response_uri: &str) -> bool {
        match self {
            ClientId::X509Hash(_) => true,
            ClientId::X509SanDns(host) => Url::parse(response_uri)
                .is_ok_and(|uri| uri.host_str().is_some_and(|name| name.eq_ignore_ascii_case(host))),
            ClientId::RedirectUri(uri) => uri == response_uri,
        }
    }
}

/// A DNS name in letters, digits, hyphens and dots.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(label)
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientId::X509Hash(hash) => write!(f, "x509_hash:{}", crypto::base64::url_encode(hash)),
            ClientId::X509SanDns(host) => write!(f, "x509_san_dns:{host}"),
            ClientId::RedirectUri(uri) => write!(f, "redirect_uri:{uri}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_identifier_is_read_back_and_names_its_leaf_alone() {
        let id = ClientId::x509_hash(b"leaf");
        assert_eq!(ClientId::parse(&id.to_string()), Ok(id.clone()));
        assert!(id.names(b"leaf") && !id.names(b"other"));
    }

    #[test]
    fn a_name_by_host_or_address_binds_where_the_answer_goes() {
        let host = ClientId::parse("x509_san_dns:v.example").unwrap();
        assert_eq!(host.to_string(), "x509_san_dns:v.example");
        assert!(host.fits("https://V.example:8443/response/x") && !host.fits("https://v.example.evil/x"));
        let address = ClientId::parse("redirect_uri:https://v.example/r").unwrap();
        assert!(address.fits("https://v.example/r") && !address.fits("https://v.example/r2"));
        assert!(!address.names(b"leaf") && !host.names(b"no certificate"));
    }

    #[test]
    fn other_prefixes_are_refused_by_name() {
        assert_eq!(
            ClientId::parse("openid_federation:https://a"),
            Err(ClientIdFault::Unserved("openid_federation"))
        );
        assert_eq!(ClientId::parse("origin:https://a"), Err(ClientIdFault::Reserved));
        for unknown in ["plain", "x509_hashes:AAAA", "https://a.example", ""] {
            assert_eq!(ClientId::parse(unknown), Err(ClientIdFault::Unknown), "{unknown}");
        }
        for malformed in [
            "x509_hash:",
            "x509_hash:AAAA",
            "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk=",
            "x509_san_dns:",
            "x509_san_dns:a..b",
            "x509_san_dns:a.example/x",
            "redirect_uri:nowhere",
        ] {
            assert_eq!(ClientId::parse(malformed), Err(ClientIdFault::Malformed), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn no_identifier_makes_the_parser_panic(text in ".{0,80}") {
            let _ = ClientId::parse(&text);
            for prefix in ["x509_hash", "x509_san_dns", "redirect_uri"] {
                let _ = ClientId::parse(&format!("{prefix}:{text}"));
            }
        }
    }
}
