//! Client identifiers and their prefixes (OpenID4VP 1.0, 5.9).

use std::fmt;

/// Most bytes of a client identifier.
pub const CLIENT_ID_BYTES_MAX: usize = 512;

/// A client identifier whose prefix this build serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientId {
    /// `x509_hash:` ‖ base64url(SHA-256(DER of the leaf)).
    X509Hash([u8; 32]),
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

const UNSERVED: [&str; 5] =
    ["x509_san_dns", "redirect_uri", "openid_federation", "decentralized_identifier", "verifier_attestation"];

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
        if prefix != "x509_hash" {
            return Err(ClientIdFault::Unknown);
        }
        let hash = crypto::base64::url_decode(rest).map_err(|_| ClientIdFault::Malformed)?;
        Ok(ClientId::X509Hash(hash.try_into().map_err(|_| ClientIdFault::Malformed)?))
    }

    /// Whether the signer's leaf certificate is the one the identifier names.
    #[must_use]
    pub fn names(&self, leaf_der: &[u8]) -> bool {
        match self {
            ClientId::X509Hash(hash) => crypto::hash::equal(hash, &crypto::hash::sha256(leaf_der)),
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientId::X509Hash(hash) => write!(f, "x509_hash:{}", crypto::base64::url_encode(hash)),
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
    fn other_prefixes_are_refused_by_name() {
        assert_eq!(ClientId::parse("x509_san_dns:a.example"), Err(ClientIdFault::Unserved("x509_san_dns")));
        assert_eq!(ClientId::parse("redirect_uri:https://a"), Err(ClientIdFault::Unserved("redirect_uri")));
        assert_eq!(ClientId::parse("origin:https://a"), Err(ClientIdFault::Reserved));
        for unknown in ["plain", "x509_hashes:AAAA", "https://a.example", ""] {
            assert_eq!(ClientId::parse(unknown), Err(ClientIdFault::Unknown), "{unknown}");
        }
        for malformed in
            ["x509_hash:", "x509_hash:AAAA", "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk="]
        {
            assert_eq!(ClientId::parse(malformed), Err(ClientIdFault::Malformed), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn no_identifier_makes_the_parser_panic(text in ".{0,80}") {
            let _ = ClientId::parse(&text);
            let _ = ClientId::parse(&format!("x509_hash:{text}"));
        }
    }
}
