//! The types that fields of events may have, and how each is written.

use super::Subject;
use crate::entry::PublicField;
use crypto::cbor::Value;
use crypto::key::{KeyAlg, SignAlg};

/// Which key version signed how often within the unit of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// `key_…`.
    pub key_id: String,
    /// Version of that key.
    pub version: u32,
    /// Signatures made.
    pub count: u32,
}

/// What a signature is wrapped in; the number stands in leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Container {
    /// A JWS.
    Jws = 1,
    /// A JWS by RS256.
    JwsRs256 = 2,
    /// A COSE_Sign1.
    Cose = 3,
    /// A certificate.
    X509Ca = 4,
    /// A certificate request.
    X509Csr = 5,
    /// A signed note.
    Note = 6,
    /// A key agreement.
    Ecdh = 7,
    /// A document seal.
    Vds = 8,
    /// A statement of a relay.
    Relay = 9,
}

/// The format of a credential; the number stands in leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Form {
    /// `dc+sd-jwt`.
    SdJwt = 1,
    /// `mso_mdoc`.
    Mdoc = 2,
}

/// A type that may stand in a leaf: there is no implementation for text.
pub(super) trait LeafValue {
    /// The field; `None` leaves it out.
    fn leaf(&self) -> Option<PublicField>;
}

impl LeafValue for u64 {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Uint(*self))
    }
}

impl LeafValue for bool {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Uint(u64::from(*self)))
    }
}

impl LeafValue for [u8; 32] {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Bytes(self.to_vec()))
    }
}

impl LeafValue for Vec<[u8; 32]> {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::List(self.iter().filter_map(LeafValue::leaf).collect()))
    }
}

impl LeafValue for Container {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Uint(*self as u64))
    }
}

impl LeafValue for Form {
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Uint(*self as u64))
    }
}

impl LeafValue for KeyAlg {
    fn leaf(&self) -> Option<PublicField> {
        let code = match self {
            Self::P256 => 1,
            Self::P384 => 2,
            Self::Rsa2048 => 3,
            Self::Rsa3072 => 4,
            Self::Rsa4096 => 5,
            Self::Ed25519 => 6,
            Self::Secp256k1 => 7,
            Self::MlDsa44 => 8,
        };
        Some(PublicField::Uint(code))
    }
}

impl LeafValue for SignAlg {
    /// The COSE number without its sign, since leaves have no negative numbers.
    fn leaf(&self) -> Option<PublicField> {
        Some(PublicField::Uint(self.cose_id().unsigned_abs()))
    }
}

impl<T: LeafValue> LeafValue for Option<T> {
    fn leaf(&self) -> Option<PublicField> {
        self.as_ref().and_then(T::leaf)
    }
}

/// A type that may stand in an erasable detail.
pub(super) trait DetailValue {
    /// The field; `None` leaves it out.
    fn cbor(&self) -> Option<Value>;

    /// The key uses that the field states.
    fn key_uses(&self) -> &[KeyUse] {
        &[]
    }
}

impl DetailValue for String {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Text(self.clone()))
    }
}

impl DetailValue for u64 {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Uint(*self))
    }
}

impl DetailValue for u32 {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Uint(u64::from(*self)))
    }
}

impl DetailValue for [u8; 32] {
    fn cbor(&self) -> Option<Value> {
        Some(Value::bytes(*self))
    }
}

impl DetailValue for Vec<[u8; 32]> {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(DetailValue::cbor).collect()))
    }
}

impl DetailValue for Vec<String> {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(DetailValue::cbor).collect()))
    }
}

impl DetailValue for KeyUse {
    fn cbor(&self) -> Option<Value> {
        let (version, count) = (Value::Uint(u64::from(self.version)), Value::Uint(u64::from(self.count)));
        Some(Value::Array(vec![Value::Text(self.key_id.clone()), version, count]))
    }

    fn key_uses(&self) -> &[KeyUse] {
        std::slice::from_ref(self)
    }
}

impl DetailValue for Vec<KeyUse> {
    fn cbor(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(DetailValue::cbor).collect()))
    }

    fn key_uses(&self) -> &[KeyUse] {
        self
    }
}

impl<T: DetailValue> DetailValue for Option<T> {
    fn cbor(&self) -> Option<Value> {
        self.as_ref().and_then(T::cbor)
    }

    fn key_uses(&self) -> &[KeyUse] {
        self.as_ref().map_or(&[], T::key_uses)
    }
}

/// A type that may name the subject.
pub(super) trait SubjectValue {
    /// The subject, if there is one.
    fn subject(&self, kind: &'static str) -> Option<Subject>;
}

impl SubjectValue for String {
    fn subject(&self, kind: &'static str) -> Option<Subject> {
        Some(Subject { kind, identifier: self.clone() })
    }
}

impl SubjectValue for Option<String> {
    fn subject(&self, kind: &'static str) -> Option<Subject> {
        self.as_ref().and_then(|identifier| identifier.subject(kind))
    }
}

/// Values for tests over the whole catalogue.
#[cfg(test)]
pub(crate) trait Sample {
    /// A value as wide as usual.
    fn sample() -> Self;
}

#[cfg(test)]
mod samples {
    use super::*;

    macro_rules! samples {
        ($($ty:ty = $value:expr;)*) => { $( impl Sample for $ty { fn sample() -> Self { $value } } )* };
    }

    samples! {
        u64 = 1_767_225_600;
        u32 = 4_000_000;
        bool = true;
        String = "crd_0123456789abcdefghjkmnpqrs".to_owned();
        [u8; 32] = [0x5a; 32];
        Container = Container::Jws;
        Form = Form::SdJwt;
        KeyAlg = KeyAlg::P256;
        SignAlg = SignAlg::Es256;
        KeyUse = KeyUse { key_id: String::sample(), version: 3, count: 20 };
    }

    impl<T: Sample> Sample for Option<T> {
        fn sample() -> Self {
            Some(T::sample())
        }
    }

    impl<T: Sample> Sample for Vec<T> {
        fn sample() -> Self {
            (0..crate::entry::PUBLIC_LIST_MAX).map(|_| T::sample()).collect()
        }
    }
}
