//! Whom this wallet believes: certificates from files that its holder chose, for issuers, verifiers and status lists alike.

use credential::trust::{Anchor, Context, TypePattern};
use crypto::x509::Certificate;
use crypto::x509::pem::{self, PemError};

/// Anchors of one wallet; a person chooses far fewer, and each check looks at all.
pub const ANCHORS_MAX: usize = 256;

/// What an anchor of a wallet vouches for.
const CONTEXTS: [Context; 3] = [Context::Issuer, Context::Reader, Context::Status];

/// Why a file holds no anchors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorFault {
    /// Not PEM certificates alone.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A block is PEM but no certificate that we read.
    #[error("certificate {0} cannot be read")]
    Certificate(usize),
    /// More than [`ANCHORS_MAX`] in the wallet.
    #[error("a wallet has at most {ANCHORS_MAX} trust anchors")]
    TooMany,
}

/// The certificates of a PEM text.
///
/// # Errors
/// [`AnchorFault`] for the first block that is no certificate; then none is taken.
pub fn read(pem_text: &str) -> Result<Vec<Certificate>, AnchorFault> {
    let ders = pem::decode_certificates(pem_text)?;
    let parsed = ders
        .iter()
        .enumerate()
        .map(|(nth, der)| Certificate::parse(der).map_err(|_| AnchorFault::Certificate(nth)));
    parsed.collect()
}

/// An anchor of this wallet. Its holder chose whom to believe, so it vouches for every type.
pub(crate) fn anchor(id: String, certificate: Certificate) -> Anchor {
    let types = TypePattern::parse("*").into_iter().collect();
    Anchor { id, certificate, contexts: CONTEXTS.to_vec(), types }
}
