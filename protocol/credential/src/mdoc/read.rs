//! Reading a document: strict, bounded, and unverified until the issuer's key has vouched for it.

use crypto::base64;
use crypto::cbor::{self, Value as Cbor};
use crypto::cose::{CoseError, Sign1};
use crypto::key::{PublicKey, SignAlg};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::item::Item;
use super::{
    ELEMENTS_MAX, LIMITS, MDOC_BYTES_MAX, MsoFault, NAMESPACES_MAX, SecurityObject, ValidityFault,
    is_mdoc_alg, is_name,
};
use crate::Unverified;

/// Why a text is no `IssuerSigned`, before any key is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Larger than [`MDOC_BYTES_MAX`].
    #[error("a document has at most {MDOC_BYTES_MAX} bytes")]
    TooLarge,
    /// Not base64url of the CBOR that is read.
    #[error("the document is not base64url of strict CBOR")]
    Encoding,
    /// A member is missing or of another type, or a bound does not hold.
    #[error("a member of the document is missing or malformed")]
    Form,
    /// An item is malformed.
    #[error("an item is malformed")]
    Item,
    /// A digest id or an element identifier stands twice in its namespace.
    #[error("an item stands twice in its namespace")]
    Twice,
    /// `issuerAuth` is no COSE_Sign1.
    #[error("issuerAuth: {0}")]
    IssuerAuth(CoseError),
    /// The payload of `issuerAuth` is no security object.
    #[error(transparent)]
    SecurityObject(#[from] MsoFault),
}

impl ParseError {
    /// The closed word of a report.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Encoding => "encoding",
            Self::Form => "form",
            Self::Item => "item",
            Self::Twice => "item-twice",
            Self::IssuerAuth(CoseError::UnsupportedAlg) => "alg",
            Self::IssuerAuth(_) => "issuer-auth",
            Self::SecurityObject(fault) => fault.word(),
        }
    }
}

/// Why a document is not accepted by its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The algorithm does not fit the key, or documents are not signed so.
    #[error("the algorithm does not fit the signer's key")]
    Alg,
    /// The signature is not by that key.
    #[error("the issuer's signature does not verify")]
    Signature,
    /// An item has no digest, or another.
    #[error("an element does not have its digest")]
    Digest,
    /// Out of its dates.
    #[error(transparent)]
    Validity(#[from] ValidityFault),
}

/// `IssuerSigned`: items and what the issuer signed about them.
#[derive(Clone)]
pub struct IssuerSigned {
    pub(crate) items: Vec<Item>,
    pub(crate) auth: Sign1,
}

/// A document as its holder keeps it. Its elements are personal data: `Debug` shows the type only.
#[derive(Clone)]
pub struct Mdoc {
    text: String,
    pub(super) signed: IssuerSigned,
    object: SecurityObject,
    /// `issuerAuth`, encoded, to be passed on.
    pub(super) auth: Vec<u8>,
}

impl IssuerSigned {
    pub(super) fn of(value: &Cbor) -> Result<Self, ParseError> {
        let auth = value.get("issuerAuth").ok_or(ParseError::Form)?;
        let auth = Sign1::from_value(auth).map_err(ParseError::IssuerAuth)?;
        let items = match value.get("nameSpaces") {
            // A holder may show that a document exists and nothing of it.
            None => Vec::new(),
            Some(namespaces) => read_items(namespaces)?,
        };
        Ok(Self { items, auth })
    }

    /// The elements as JSON, `{namespace: {element: value}}`.
    pub fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        for item in &self.items {
            let namespace = claims.entry(item.namespace.as_str()).or_insert_with(|| Map::new().into());
            let members = namespace.as_object_mut().expect("every namespace was made an object");
            members.insert(item.element.clone(), item.value.clone());
        }
        claims
    }
}

fn read_items(value: &Cbor) -> Result<Vec<Item>, ParseError> {
    let namespaces = value.as_map().ok_or(ParseError::Form)?;
    if !(1..=NAMESPACES_MAX).contains(&namespaces.len()) {
        return Err(ParseError::Form);
    }
    let mut items: Vec<Item> = Vec::new();
    for (name, listed) in namespaces {
        let name = name.as_text().filter(|name| is_name(name)).ok_or(ParseError::Form)?;
        let listed = listed.as_array().filter(|listed| !listed.is_empty()).ok_or(ParseError::Form)?;
        let from = items.len();
        if from + listed.len() > ELEMENTS_MAX {
            return Err(ParseError::Form);
        }
        for tagged in listed {
            let item = Item::read(name, tagged).ok_or(ParseError::Item)?;
            let same = |it: &Item| it.digest_id == item.digest_id || it.element == item.element;
            if items[from..].iter().any(same) {
                return Err(ParseError::Twice);
            }
            items.push(item);
        }
    }
    Ok(items)
}

/// Base64url of at most [`MDOC_BYTES_MAX`] bytes of CBOR.
pub(super) fn decode(text: &str) -> Result<Cbor, ParseError> {
    if text.len() > MDOC_BYTES_MAX / 3 * 4 {
        return Err(ParseError::TooLarge);
    }
    let bytes = base64::url_decode(text).map_err(|_| ParseError::Encoding)?;
    cbor::decode_any_order(&bytes, &LIMITS).map_err(|_| ParseError::Encoding)
}

impl Mdoc {
    /// Reads `IssuerSigned` in base64url.
    ///
    /// # Errors
    /// Everything that needs no key: see [`ParseError`].
    pub fn parse(text: &str) -> Result<Unverified<Mdoc>, ParseError> {
        let value = decode(text)?;
        let signed = IssuerSigned::of(&value)?;
        let object = SecurityObject::read(&signed.auth)?;
        let auth = value.get("issuerAuth").map(cbor::encode).ok_or(ParseError::Form)?;
        Ok(Unverified::new(Mdoc { text: text.to_owned(), signed, object, auth }))
    }

    /// The text as received.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document type.
    pub fn doctype(&self) -> &str {
        self.object.doctype()
    }

    /// Every element as JSON, `{namespace: {element: value}}`.
    pub fn claims(&self) -> Map<String, Value> {
        self.signed.claims()
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.signed.items.len()
    }

    /// What the issuer signed: device key, dates, status.
    pub fn security_object(&self) -> &SecurityObject {
        &self.object
    }
}

impl std::fmt::Debug for IssuerSigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuerSigned({} elements)", self.items.len())
    }
}

impl std::fmt::Debug for Mdoc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mdoc({}, {} elements)", self.doctype(), self.count())
    }
}

impl Unverified<Mdoc> {
    /// The certificates that claim to vouch for it, DER, signer first: what [`crate::trust`] judges.
    ///
    /// # Errors
    /// [`CoseError::X5chain`].
    pub fn x5chain(&self) -> Result<Vec<Vec<u8>>, CoseError> {
        self.inner().signed.auth.x5chain()
    }

    /// The algorithm its header names.
    pub fn alg(&self) -> SignAlg {
        self.inner().signed.auth.alg()
    }

    /// The document, if `key` signed it, every item has its digest, and `now` lies in its dates. Who owns `key`, and whether
    /// its certificate was alive when it signed, is [`crate::trust`]'s question.
    ///
    /// # Errors
    /// The first rule it breaks: see [`Rejection`].
    pub fn verify(self, key: &PublicKey, now: Timestamp) -> Result<Mdoc, Rejection> {
        let document = self.into_inner();
        let auth = &document.signed.auth;
        if !fits(auth, key) {
            return Err(Rejection::Alg);
        }
        auth.verify(key, b"", None).map_err(|_| Rejection::Signature)?;
        if !document.signed.items.iter().all(|item| document.object.has_digest(item)) {
            return Err(Rejection::Digest);
        }
        document.object.check_dates(None, now)?;
        Ok(document)
    }
}

/// Whether the algorithm of a signed object is one of documents and of the key.
pub(crate) fn fits(auth: &Sign1, key: &PublicKey) -> bool {
    is_mdoc_alg(auth.alg()) && auth.alg().fits(key.alg())
}
