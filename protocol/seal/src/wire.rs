//! From strict JSON to typed members, and back to the one text that is hashed.

use crypto::base64;
use crypto::json::{self, CanonicalError, Limits};
use serde_json::{Map, Value};
use unicode_normalization::is_nfc;

/// No message of Seal/1 nests deeper than four; the rest is room for extensions.
const DEPTH_MAX: usize = 8;

/// Why a message could not be read. It names members, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not strict JSON, too long or too deep.
    #[error("not strict JSON within its bounds")]
    Json,
    /// Not in the one form that is hashed (RFC 8785 with texts in NFC).
    #[error("not in canonical form")]
    NotCanonical,
    /// A member is missing, strange, or holds something else than it must.
    #[error("member {0} is missing, strange or malformed")]
    Member(&'static str),
}

/// The bytes of RFC 8785; texts must be in NFC, or two that look alike would hash apart.
///
/// # Errors
/// [`WireError::NotCanonical`].
pub(crate) fn jcs(value: &Value) -> Result<Vec<u8>, WireError> {
    if !in_nfc(value) {
        return Err(WireError::NotCanonical);
    }
    json::canonical(value).map_err(|_: CanonicalError| WireError::NotCanonical)
}

fn in_nfc(value: &Value) -> bool {
    match value {
        Value::String(text) => is_nfc(text),
        Value::Array(items) => items.iter().all(in_nfc),
        // Names outside ASCII have no canonical form anyway.
        Value::Object(members) => members.values().all(in_nfc),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Reads strict JSON that must be an object.
pub(crate) fn object(bytes: &[u8], bytes_max: usize) -> Result<Map<String, Value>, WireError> {
    match json::parse(bytes, &Limits { bytes_max, depth_max: DEPTH_MAX }) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(WireError::Json),
    }
}

/// Takes members out one by one, so that [`Members::done`] can refuse what nobody asked for.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    pub(crate) fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// The members of `value`, which must be an object.
    pub(crate) fn of(value: &Value, name: &'static str) -> Result<Self, WireError> {
        value.as_object().cloned().map(Self).ok_or(WireError::Member(name))
    }

    pub(crate) fn value(&mut self, name: &'static str) -> Result<Value, WireError> {
        self.0.shift_remove(name).ok_or(WireError::Member(name))
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    pub(crate) fn text(&mut self, name: &'static str, bytes_max: usize) -> Result<String, WireError> {
        match self.value(name)? {
            Value::String(text) if text.len() <= bytes_max => Ok(text),
            _ => Err(WireError::Member(name)),
        }
    }

    pub(crate) fn exactly(&mut self, name: &'static str, wanted: &str) -> Result<(), WireError> {
        if self.value(name)? == wanted { Ok(()) } else { Err(WireError::Member(name)) }
    }

    pub(crate) fn bytes(&mut self, name: &'static str, bytes_max: usize) -> Result<Vec<u8>, WireError> {
        // Four characters carry three bytes.
        let text = self.text(name, bytes_max.saturating_mul(4).div_ceil(3))?;
        base64::url_decode(&text).map_err(|_| WireError::Member(name))
    }

    pub(crate) fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], WireError> {
        self.bytes(name, N)?.try_into().map_err(|_| WireError::Member(name))
    }

    pub(crate) fn seconds(&mut self, name: &'static str) -> Result<i64, WireError> {
        let seconds = self.value(name)?.as_i64().filter(|seconds| (0..1 << 53).contains(seconds));
        seconds.ok_or(WireError::Member(name))
    }

    pub(crate) fn done(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Member("(unknown)")) }
    }
}
