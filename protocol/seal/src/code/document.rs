//! The document beside an answer: sealed to the session, opened by the server alone.

use crypto::aead;
use crypto::base64;
use crypto::secret::Secret;
use serde_json::json;

use super::context::T0;
use super::keys::KeySchedule;
use crate::wire::{Members, WireError, jcs, object};

/// Most bytes of a document, before it is sealed.
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024;
/// The same with base64url, JSON and the tag around it.
pub const SEALED_BYTES_MAX: usize = DOCUMENT_BYTES_MAX.div_ceil(3) * 4 + 128;
/// The key is of one session and serves one plaintext, so its nonce may be fixed.
const NONCE: [u8; aead::NONCE_BYTES] = [0; aead::NONCE_BYTES];

/// What kind of document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// ICAO visible digital seal, version 3 or 4, and our own seals.
    Vds,
    /// ICAO VDS-NC.
    VdsNc,
    /// 2D-Doc.
    TwoDDoc,
    /// ICAO datastructure for barcodes.
    Idb,
    /// SD-JWT VC with its key binding.
    SdJwtVc,
    /// ISO mdoc device response.
    Mdoc,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [DocumentKind; 6] = [
        DocumentKind::Vds,
        DocumentKind::VdsNc,
        DocumentKind::TwoDDoc,
        DocumentKind::Idb,
        DocumentKind::SdJwtVc,
        DocumentKind::Mdoc,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Vds => "vds",
            DocumentKind::VdsNc => "vds_nc",
            DocumentKind::TwoDDoc => "2ddoc",
            DocumentKind::Idb => "idb",
            DocumentKind::SdJwtVc => "sd_jwt_vc",
            DocumentKind::Mdoc => "mdoc",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<DocumentKind> {
        DocumentKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A document as it was shown. Wiped when dropped; `Debug` shows its kind alone.
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes; text formats in UTF-8.
    pub data: Secret<Vec<u8>>,
}

impl Document {
    /// Of these bytes.
    pub fn new(kind: DocumentKind, data: Vec<u8>) -> Document {
        Document { kind, data: Secret::new(data) }
    }

    /// Seals it to a session.
    ///
    /// # Errors
    /// [`WireError::Member`] when it is longer than [`DOCUMENT_BYTES_MAX`].
    pub fn seal(&self, keys: &KeySchedule, t0: &T0) -> Result<Vec<u8>, WireError> {
        if self.data.expose().len() > DOCUMENT_BYTES_MAX {
            return Err(WireError::Member("data"));
        }
        let plain = Secret::new(jcs(&json!({
            "kind": self.kind.as_str(), "data": base64::url_encode(self.data.expose()),
        }))?);
        Ok(aead::seal_aes256gcm(keys.document_key().expose(), &NONCE, t0.as_bytes(), plain.expose()))
    }

    /// Opens what [`Document::seal`] made.
    pub(super) fn open(sealed: &[u8], keys: &KeySchedule, t0: &T0) -> Option<Document> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let plain = aead::open_aes256gcm(keys.document_key().expose(), &NONCE, t0.as_bytes(), sealed).ok()?;
        Document::read(plain.expose()).ok()
    }

    fn read(plain: &[u8]) -> Result<Document, WireError> {
        let mut members = Members::new(object(plain, SEALED_BYTES_MAX)?);
        let kind = DocumentKind::parse(&members.text("kind", 16)?).ok_or(WireError::Member("kind"))?;
        let document = Document::new(kind, members.bytes("data", DOCUMENT_BYTES_MAX)?);
        members.done()?;
        Ok(document)
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({})", self.kind.as_str())
    }
}
