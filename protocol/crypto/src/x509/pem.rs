//! Certificates in PEM (RFC 7468).

use der::pem::{self, LineEnding};

use super::certificate::CERTIFICATE_BYTES_MAX;

/// Most certificates in one PEM text: more than any anchor file of one tenant has.
pub const CERTIFICATES_MAX: usize = 256;
/// Most bytes of a PEM text.
pub const PEM_BYTES_MAX: usize = 4 * 1024 * 1024;

const LABEL: &str = "CERTIFICATE";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END CERTIFICATE-----";

/// Why a text holds no certificates in PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Longer than 4 MiB or more than 256 certificates.
    #[error("too long for a list of certificates")]
    TooLong,
    /// No block at all.
    #[error("no certificate in it")]
    Empty,
    /// A block that is not a certificate: a private key must not stand in such a file.
    #[error("block {block} is not a certificate")]
    Label {
        /// Number of the block, from 0.
        block: usize,
    },
    /// A block that does not read.
    #[error("block {block} is malformed")]
    Malformed {
        /// Number of the block, from 0.
        block: usize,
    },
}

/// The PEM text of certificates, in the order given.
pub fn encode_chain(chain: &[impl AsRef<[u8]>]) -> String {
    let block = |der: &[u8]| {
        pem::encode_string(LABEL, LineEnding::LF, der)
            .expect("a certificate is far shorter than the format allows")
    };
    chain.iter().map(|der| block(der.as_ref())).collect()
}

/// The DER of every certificate in a PEM text; text outside the blocks is passed over, as RFC 7468, 5.2 allows.
///
/// # Errors
/// [`PemError`] at the first block that is not a well-formed certificate block.
pub fn decode_certificates(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    if text.len() > PEM_BYTES_MAX {
        return Err(PemError::TooLong);
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let block = found.len();
        if block == CERTIFICATES_MAX {
            return Err(PemError::TooLong);
        }
        rest = &rest[begin..];
        if !rest[BEGIN.len()..].starts_with("CERTIFICATE-----") {
            return Err(PemError::Label { block });
        }
        let end = rest.find(END).ok_or(PemError::Malformed { block })? + END.len();
        let (label, der) =
            pem::decode_vec(&rest.as_bytes()[..end]).map_err(|_| PemError::Malformed { block })?;
        if label != LABEL || der.len() > CERTIFICATE_BYTES_MAX {
            return Err(PemError::Malformed { block });
        }
        found.push(der);
        rest = &rest[end..];
    }
    if found.is_empty() { Err(PemError::Empty) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_survives_the_round_trip_with_text_around_it() {
        let chain = [vec![0x30; 100], vec![1, 2, 3]];
        let text = encode_chain(&chain);
        assert!(
            text.starts_with("-----BEGIN CERTIFICATE-----\n")
                && text.ends_with("-----END CERTIFICATE-----\n")
        );
        assert_eq!(decode_certificates(&text), Ok(chain.to_vec()));
        let commented = text.replace("-----BEGIN", "subject=CN = x\n-----BEGIN");
        assert_eq!(decode_certificates(&commented), Ok(chain.to_vec()));
    }

    #[test]
    fn other_blocks_and_broken_ones_are_refused_by_number() {
        let text = encode_chain(&[[1, 2, 3]]);
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(decode_certificates(&format!("{text}{key}")), Err(PemError::Label { block: 1 }));
        assert_eq!(decode_certificates(""), Err(PemError::Empty));
        assert_eq!(decode_certificates(&text[..text.len() - 6]), Err(PemError::Malformed { block: 0 }));
        let spoilt = text.replace("AQID", "AQI*");
        assert_eq!(decode_certificates(&spoilt), Err(PemError::Malformed { block: 0 }));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|\n|[A-Za-z=ü]){0,12}") {
            let _ = decode_certificates(&text);
        }
    }
}
