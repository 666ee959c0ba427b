//! What a report says of a certificate: public facts only.

use crypto::x509::Certificate;
use crypto::{base64, hex};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Characters of a subject and bytes of a serial or key identifier in a report: honest ones are far shorter, and the
/// certificates of a refused presentation are the sender's own.
const SUBJECT_CHARS_MAX: usize = 256;
/// See [`SUBJECT_CHARS_MAX`].
const IDENTIFIER_BYTES_MAX: usize = 64;

/// A certificate as an operator needs to see it to understand a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Subject, RFC 4514 text, cut at 256 characters.
    pub subject: String,
    /// Serial number, hex.
    pub serial: String,
    /// SubjectKeyIdentifier.
    pub key_id: Option<Vec<u8>>,
    /// AuthorityKeyIdentifier.
    pub authority_key_id: Option<Vec<u8>>,
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
    /// SHA-256 of the DER.
    pub sha256: [u8; 32],
}

impl CertificateFacts {
    /// The facts of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_string().chars().take(SUBJECT_CHARS_MAX).collect(),
            serial: short_hex(certificate.serial()),
            key_id: certificate.ski().map(<[u8]>::to_vec),
            authority_key_id: certificate.aki().map(<[u8]>::to_vec),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            sha256: certificate.sha256(),
        }
    }

    /// AuthorityKeyIdentifier as DCQL writes it (`aki`), base64url.
    pub fn authority_key_id_text(&self) -> Option<String> {
        self.authority_key_id.as_deref().map(base64::url_encode)
    }

    /// As it stands in a report.
    pub fn to_value(&self) -> Value {
        let mut facts = Map::new();
        facts.insert("subject".into(), self.subject.as_str().into());
        facts.insert("serial".into(), self.serial.as_str().into());
        if let Some(id) = &self.key_id {
            facts.insert("ski".into(), short_hex(id).into());
        }
        if let Some(id) = &self.authority_key_id {
            facts.insert("aki".into(), short_hex(id).into());
        }
        facts.insert("not_before".into(), self.not_before.to_string().into());
        facts.insert("not_after".into(), self.not_after.to_string().into());
        facts.insert("sha256".into(), hex::encode(&self.sha256).into());
        facts.into()
    }
}

fn short_hex(bytes: &[u8]) -> String {
    hex::encode(&bytes[..bytes.len().min(IDENTIFIER_BYTES_MAX)])
}
