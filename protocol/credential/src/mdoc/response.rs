//! `DeviceResponse` with its one document (ISO/IEC 18013-5, 8.3.2.1.2.2).

use crypto::cbor::{self, Value as Cbor};
use crypto::cose::{CoseError, Sign1};
use crypto::key::PublicKey;

use super::read::{self, IssuerSigned, ParseError};
use super::{ENCODED, ITEM_LIMITS, SessionTranscript, is_name};

/// Why a text is no `DeviceResponse` of one document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Larger than allowed, not base64url, or not the CBOR that is read; or the issuer's part is malformed.
    #[error(transparent)]
    Document(#[from] ParseError),
    /// A member is missing or of another type.
    #[error("a member of the response is missing or malformed")]
    Form,
    /// Not version 1.
    #[error("the response is not of version 1")]
    Version,
    /// The device reports a failure.
    #[error("the response has a status other than 0")]
    Status,
    /// No document, or more than one.
    #[error("the response has not exactly one document")]
    Count,
    /// `deviceSignature` is no COSE_Sign1, or carries a payload of its own.
    #[error("deviceSignature is no detached COSE_Sign1")]
    DeviceSignature,
}

impl ResponseError {
    /// The closed word of a report.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Document(fault) => fault.word(),
            Self::Form => "form",
            Self::Version => "version",
            Self::Status => "status",
            Self::Count => "documents",
            Self::DeviceSignature => "device-signature",
        }
    }
}

/// What a device sent: parsed and not yet believed. Its elements are personal data: `Debug` shows the type only.
pub struct DeviceResponse {
    pub(super) doctype: String,
    pub(crate) signed: IssuerSigned,
    pub(crate) device: DeviceSigned,
}

/// What the device itself vouches for.
pub(crate) struct DeviceSigned {
    /// What stands inside tag 24, as received.
    pub(super) namespaces: Vec<u8>,
    /// Elements in it, which nobody reads.
    pub(crate) elements: usize,
    pub(super) auth: DeviceAuth,
}

/// How it does so.
pub(super) enum DeviceAuth {
    Signature(Box<Sign1>),
    /// A signature with an algorithm that is none.
    UnsupportedAlg,
    /// A MAC, unread.
    Mac,
}

impl DeviceResponse {
    /// Reads base64url; `documentErrors` and unknown members are ignored.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn parse(text: &str) -> Result<Self, ResponseError> {
        Self::of(&read::decode(text)?)
    }

    pub(super) fn of(response: &Cbor) -> Result<Self, ResponseError> {
        let member = |name| response.get(name).ok_or(ResponseError::Form);
        // Later editions of the standard count up behind the point and only add members.
        if !member("version")?.as_text().ok_or(ResponseError::Form)?.starts_with("1.") {
            return Err(ResponseError::Version);
        }
        if member("status")?.as_uint().ok_or(ResponseError::Form)? != 0 {
            return Err(ResponseError::Status);
        }
        let documents = response.get("documents").map_or(Some(&[][..]), Cbor::as_array);
        let [document] = documents.ok_or(ResponseError::Form)? else { return Err(ResponseError::Count) };
        let member = |name| document.get(name).ok_or(ResponseError::Form);
        let doctype = member("docType")?.as_text().filter(|it| is_name(it)).ok_or(ResponseError::Form)?;
        Ok(Self {
            doctype: doctype.to_owned(),
            signed: IssuerSigned::of(member("issuerSigned")?)?,
            device: DeviceSigned::of(member("deviceSigned")?)?,
        })
    }

    /// The document type that the device states; the issuer's word is in the security object.
    pub fn doctype(&self) -> &str {
        &self.doctype
    }
}

impl std::fmt::Debug for DeviceResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceResponse({}, {:?})", self.doctype, self.signed)
    }
}

impl DeviceSigned {
    fn of(value: &Cbor) -> Result<Self, ResponseError> {
        let Some(Cbor::Tag(ENCODED, inner)) = value.get("nameSpaces") else {
            return Err(ResponseError::Form);
        };
        let namespaces = inner.as_bytes().ok_or(ResponseError::Form)?;
        let read = cbor::decode_any_order(namespaces, &ITEM_LIMITS).map_err(|_| ResponseError::Form)?;
        let elements = read.as_map().ok_or(ResponseError::Form)?;
        let elements =
            elements.iter().map(|(_, elements)| elements.as_map().map(<[_]>::len)).sum::<Option<_>>();
        let auth = match value.get("deviceAuth").and_then(Cbor::as_map) {
            Some([(name, auth)]) if name.as_text() == Some("deviceSignature") => {
                match Sign1::from_value(auth) {
                    Ok(auth) if auth.payload().is_none() => DeviceAuth::Signature(Box::new(auth)),
                    Err(CoseError::UnsupportedAlg) => DeviceAuth::UnsupportedAlg,
                    Ok(_) | Err(_) => return Err(ResponseError::DeviceSignature),
                }
            }
            Some([(name, _)]) if name.as_text() == Some("deviceMac") => DeviceAuth::Mac,
            _ => return Err(ResponseError::Form),
        };
        Ok(Self { namespaces: namespaces.to_vec(), elements: elements.ok_or(ResponseError::Form)?, auth })
    }

    /// Whether the device sent a MAC in place of a signature.
    pub(crate) fn is_mac(&self) -> bool {
        matches!(self.auth, DeviceAuth::Mac)
    }

    /// Whether `key` signed this transcript and document type; the word that says why not.
    pub(crate) fn check_signature(
        &self,
        key: &PublicKey,
        transcript: &SessionTranscript,
        doctype: &str,
    ) -> Result<(), &'static str> {
        let auth = match &self.auth {
            DeviceAuth::Signature(auth) if read::fits(auth, key) => auth,
            DeviceAuth::Signature(_) | DeviceAuth::UnsupportedAlg => return Err("alg"),
            DeviceAuth::Mac => return Err("mac"),
        };
        let signed = transcript.device_authentication(doctype, &self.namespaces);
        auth.verify(key, b"", Some(&signed)).map_err(|_| "bad-signature")
    }
}
