//! JSON Object Signing and Encryption: compact serialisation only.
//!
//! [`jws`] reads and builds signed objects, [`jwe`] encrypted ones. Both refuse what would let a sender choose
//! how much checking is done: `none`, MACs, `crit`, `zip`, unencoded payloads, loose base64url, members that
//! stand twice, JSON serialisation.

pub mod jwe;
pub mod jws;

use serde_json::{Map, Value};

use crate::base64;
use crate::json::{self, JsonError, Limits};

/// Deepest nesting of a header: `jwk` and `epk` are objects in it, and nothing used is deeper.
const HEADER_DEPTH_MAX: usize = 8;

/// Members that change how the rest is read; none of them is used here, so none may be there (RFC 7515, 4.1.11;
/// RFC 7516, 4.1.3; RFC 7797).
const FORBIDDEN_MEMBERS: [&str; 3] = ["crit", "b64", "zip"];

/// What is wrong with a protected header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not canonical base64url.
    #[error("not canonical base64url")]
    Base64,
    /// Not strict JSON.
    #[error(transparent)]
    Json(JsonError),
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member that must not be there: `crit`, `b64`, `zip`.
    #[error("member {name} is not allowed")]
    Forbidden {
        /// Its name.
        name: &'static str,
    },
    /// A member is missing or of the wrong type.
    #[error("member {name} is missing or malformed")]
    Member {
        /// Its name.
        name: &'static str,
    },
}

fn read_header(encoded: &str, limits: &Limits) -> Result<Map<String, Value>, HeaderError> {
    let bytes = base64::url_decode(encoded).map_err(|_| HeaderError::Base64)?;
    let limits = Limits { bytes_max: limits.bytes_max, depth_max: limits.depth_max.min(HEADER_DEPTH_MAX) };
    let Value::Object(header) = json::parse(&bytes, &limits).map_err(HeaderError::Json)? else {
        return Err(HeaderError::NotAnObject);
    };
    match FORBIDDEN_MEMBERS.into_iter().find(|name| header.contains_key(*name)) {
        Some(name) => Err(HeaderError::Forbidden { name }),
        None => Ok(header),
    }
}

fn text<'a>(header: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, HeaderError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(HeaderError::Member { name }),
    }
}

fn write_json(header: &Map<String, Value>) -> String {
    let json = serde_json::to_vec(header).expect("a JSON object of text keys can be written");
    base64::url_encode(&json)
}
