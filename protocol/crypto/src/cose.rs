//! Signed CBOR objects with one signer: COSE_Sign1 (RFC 9052, 4.2), and keys as COSE writes them.
//!
//! ```text
//!   Sign1Draft ── to_be_signed ──▶ (signed elsewhere) ── assemble ──▶ bytes
//!   bytes ── Sign1::parse ──▶ Sign1 ── verify(key, aad, detached payload) ──▶ trust payload() from here on
//! ```
//!
//! Invariants: the algorithm stands in the protected header and nowhere else; no label stands in both headers;
//! `crit` is refused; signatures run over the protected bytes as received.
//!
//! Start at [`Sign1::parse`]; [`key`] has `COSE_Key`.

pub mod key;

use std::fmt;

use crate::cbor::{self, CborError, CborLimits, Value, Writer};
use crate::key::{BadSignature, PublicKey, SignAlg};

/// Label of the algorithm.
pub const ALG: Label = Label::Int(1);
/// Label of the list of critical labels: refused.
pub const CRIT: Label = Label::Int(2);
/// Label of the content type.
pub const CONTENT_TYPE: Label = Label::Int(3);
/// Label of the key id.
pub const KID: Label = Label::Int(4);
/// Label of the type of the whole object (RFC 9596).
pub const TYPE: Label = Label::Int(16);
/// Label of the certificate chain (RFC 9360).
pub const X5CHAIN: Label = Label::Int(33);

/// Most certificates in an `x5chain` header, as in [`crate::jose::jws::X5C_MAX`].
pub const X5CHAIN_MAX: usize = 5;

/// Tag of a COSE_Sign1.
const TAG: u64 = 18;
const CONTEXT: &str = "Signature1";
/// Deepest nesting inside a protected header: lists of certificates and CWT claims are shallower.
const HEADER_DEPTH_MAX: usize = 8;

/// The name of a header parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// Of the registry, or private.
    Int(i64),
    /// Text.
    Text(String),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl From<i64> for Label {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A header: parameters in the order they stand.
pub type Header = Vec<(Label, Value)>;

/// A signed object before it is signed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sign1Draft {
    /// What the signature covers. Whoever signs adds the algorithm.
    pub protected: Header,
    /// What it does not cover.
    pub unprotected: Header,
    /// The payload.
    pub payload: Vec<u8>,
    /// Bytes that both sides know and the object does not carry.
    pub external_aad: Vec<u8>,
    /// The object carries `nil` in place of the payload.
    pub detached: bool,
    /// The object begins with tag 18.
    pub tagged: bool,
}

impl Sign1Draft {
    /// An untagged draft with empty headers that carries its payload.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into(), ..Self::default() }
    }

    /// The same with the algorithm in the protected header; one that was there is replaced.
    #[must_use]
    pub fn with_alg(mut self, alg: SignAlg) -> Self {
        self.protected.retain(|(label, _)| *label != ALG);
        self.protected.insert(0, (ALG, Value::int(alg.cose_id())));
        self
    }

    /// The same with the certificates that vouch for the signer, leaf first, in the unprotected header (RFC 9360, 2): they
    /// are checked by their own signatures.
    #[must_use]
    pub fn with_x5chain(mut self, chain: &[impl AsRef<[u8]>]) -> Self {
        self.unprotected.retain(|(label, _)| *label != X5CHAIN);
        self.unprotected.push((X5CHAIN, x5chain_value(chain)));
        self
    }

    /// The `Sig_structure` (RFC 9052, 4.4): the bytes to be signed.
    pub fn to_be_signed(&self) -> Vec<u8> {
        sig_structure(&protected_bytes(&self.protected), &self.external_aad, &self.payload)
    }

    /// The object with its signature.
    pub fn assemble(&self, signature: &[u8]) -> Vec<u8> {
        cbor::encode(&self.assemble_value(signature))
    }

    /// The object with its signature, for putting into another.
    pub fn assemble_value(&self, signature: &[u8]) -> Value {
        let payload = if self.detached { Value::Null } else { Value::bytes(self.payload.clone()) };
        let object = Value::Array(vec![
            Value::Bytes(protected_bytes(&self.protected)),
            header_value(&self.unprotected),
            payload,
            Value::bytes(signature),
        ]);
        if self.tagged { Value::Tag(TAG, Box::new(object)) } else { object }
    }
}

/// Why bytes are no COSE_Sign1 of the house.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Not the CBOR that is read.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not four elements of the right types, or another tag.
    #[error("not a COSE_Sign1")]
    Form,
    /// The protected header is not a map in its own byte string, or a label is neither number nor text.
    #[error("a header is malformed")]
    Header,
    /// A parameter stands in both headers.
    #[error("parameter {label} stands in both headers")]
    Duplicate {
        /// Its label.
        label: Label,
    },
    /// `crit` is there: nothing critical is understood.
    #[error("critical parameters are not understood")]
    Critical,
    /// No algorithm in the protected header, one in the unprotected header, or one that is not accepted.
    #[error("an algorithm that is not accepted")]
    UnsupportedAlg,
    /// `x5chain` is not one to five certificates.
    #[error("x5chain is not one to {X5CHAIN_MAX} certificates")]
    X5chain,
}

/// A signed object whose form is sound. Nothing in it may be believed before [`Sign1::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sign1 {
    /// As received: the signature runs over these bytes.
    protected_bytes: Vec<u8>,
    protected: Header,
    unprotected: Header,
    alg: SignAlg,
    payload: Option<Vec<u8>>,
    signature: Vec<u8>,
}

impl Sign1 {
    /// Reads an object, tagged 18 or untagged. Map keys may stand in any order, all other CBOR is deterministic.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn parse(bytes: &[u8], limits: &CborLimits) -> Result<Self, CoseError> {
        Self::from_value(&cbor::decode_any_order(bytes, limits)?)
    }

    /// Reads an object that stands inside another.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn from_value(value: &Value) -> Result<Self, CoseError> {
        let object = match value {
            Value::Tag(TAG, inner) => inner,
            untagged => untagged,
        };
        let Some([Value::Bytes(protected_bytes), unprotected, payload, Value::Bytes(signature)]) =
            object.as_array()
        else {
            return Err(CoseError::Form);
        };
        let payload = match payload {
            Value::Null => None,
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => return Err(CoseError::Form),
        };
        let protected = read_protected(protected_bytes)?;
        let unprotected = read_header(unprotected)?;
        if let Some((label, _)) = protected.iter().find(|(label, _)| find(&unprotected, label).is_some()) {
            return Err(CoseError::Duplicate { label: label.clone() });
        }
        if find(&protected, &CRIT).or(find(&unprotected, &CRIT)).is_some() {
            return Err(CoseError::Critical);
        }
        let alg = find(&protected, &ALG).and_then(Value::as_int).ok_or(CoseError::UnsupportedAlg)?;
        let alg = SignAlg::from_cose_id(alg).map_err(|_| CoseError::UnsupportedAlg)?;
        Ok(Self {
            protected_bytes: protected_bytes.clone(),
            protected,
            unprotected,
            alg,
            payload,
            signature: signature.clone(),
        })
    }

    /// The algorithm of the protected header.
    pub fn alg(&self) -> SignAlg {
        self.alg
    }

    /// A parameter of the protected header.
    pub fn protected(&self, label: &Label) -> Option<&Value> {
        find(&self.protected, label)
    }

    /// A parameter of the unprotected header: anybody may have put it there.
    pub fn unprotected(&self, label: &Label) -> Option<&Value> {
        find(&self.unprotected, label)
    }

    /// How many parameters the protected header has; some profiles allow the algorithm alone.
    pub fn protected_len(&self) -> usize {
        self.protected.len()
    }

    /// The payload; none when it is detached.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The signature bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks the signature under a key that the caller trusts. A detached payload is given exactly when the object
    /// carries none.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        key: &PublicKey,
        external_aad: &[u8],
        detached: Option<&[u8]>,
    ) -> Result<(), BadSignature> {
        let payload = match (self.payload(), detached) {
            (Some(payload), None) | (None, Some(payload)) => payload,
            (Some(_), Some(_)) | (None, None) => return Err(BadSignature),
        };
        let signed = sig_structure(&self.protected_bytes, external_aad, payload);
        key.verify(self.alg, &signed, &self.signature)
    }

    /// The certificates of either header, leaf first, as DER; no path is checked here.
    ///
    /// # Errors
    /// [`CoseError::X5chain`] when there is none, or not one byte string or a list of one to five.
    pub fn x5chain(&self) -> Result<Vec<Vec<u8>>, CoseError> {
        let value = self.protected(&X5CHAIN).or(self.unprotected(&X5CHAIN)).ok_or(CoseError::X5chain)?;
        let items = value.as_array().unwrap_or(std::slice::from_ref(value));
        if items.is_empty() || items.len() > X5CHAIN_MAX {
            return Err(CoseError::X5chain);
        }
        let der = |item: &Value| item.as_bytes().filter(|der| !der.is_empty()).map(<[u8]>::to_vec);
        items.iter().map(der).collect::<Option<_>>().ok_or(CoseError::X5chain)
    }
}

/// The `x5chain` value of a chain, leaf first: a byte string for one certificate, a list for more (RFC 9360, 2).
pub fn x5chain_value(chain: &[impl AsRef<[u8]>]) -> Value {
    match chain {
        [one] => Value::bytes(one.as_ref()),
        more => Value::Array(more.iter().map(|der| Value::bytes(der.as_ref())).collect()),
    }
}

fn sig_structure(protected: &[u8], external_aad: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out =
        Writer::with_capacity(CONTEXT.len() + protected.len() + external_aad.len() + payload.len() + 32);
    out.array(4).text(CONTEXT).bytes(protected).bytes(external_aad).bytes(payload);
    out.finish()
}

/// The map in its byte string; an empty map is an empty string (RFC 9052, 3).
fn protected_bytes(header: &Header) -> Vec<u8> {
    if header.is_empty() { Vec::new() } else { cbor::encode(&header_value(header)) }
}

fn header_value(header: &Header) -> Value {
    let label = |label: &Label| match label {
        Label::Int(number) => Value::int(*number),
        Label::Text(text) => Value::text(text.clone()),
    };
    Value::Map(header.iter().map(|(name, value)| (label(name), value.clone())).collect())
}

fn read_protected(bytes: &[u8]) -> Result<Header, CoseError> {
    if bytes.is_empty() {
        return Ok(Header::new());
    }
    let limits = CborLimits { bytes_max: bytes.len(), depth_max: HEADER_DEPTH_MAX };
    read_header(&cbor::decode_any_order(bytes, &limits)?)
}

fn read_header(value: &Value) -> Result<Header, CoseError> {
    let pairs = value.as_map().ok_or(CoseError::Header)?;
    let label = |key: &Value| match key {
        Value::Text(text) => Some(Label::Text(text.clone())),
        number => number.as_int().map(Label::Int),
    };
    let parameter = |(key, value): &(Value, Value)| Some((label(key)?, value.clone()));
    pairs.iter().map(parameter).collect::<Option<_>>().ok_or(CoseError::Header)
}

fn find<'a>(header: &'a Header, label: &Label) -> Option<&'a Value> {
    header.iter().find(|(name, _)| name == label).map(|(_, value)| value)
}

#[cfg(test)]
mod tests;
