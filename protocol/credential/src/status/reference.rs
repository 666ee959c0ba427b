//! A credential's place in a status list (Token Status List, 6.2).

use serde_json::{Map, Value, json};

use crate::sd_jwt::ClaimFault;

/// Bytes of a list's URI.
pub const URI_BYTES_MAX: usize = 2048;

/// `status.status_list` of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusReference {
    /// Where the list is; equal to the list's `sub`.
    pub uri: String,
    /// The credential's entry, from 0.
    pub idx: u64,
}

impl StatusReference {
    /// From the claims of a credential; none when it has no `status`.
    ///
    /// # Errors
    /// [`ClaimFault::Status`] when `status` is there and is no status list reference: a status that cannot be read
    /// is not a valid one.
    pub fn of(claims: &Map<String, Value>) -> Result<Option<Self>, ClaimFault> {
        let Some(status) = claims.get("status") else { return Ok(None) };
        let list = status.get("status_list").ok_or(ClaimFault::Status)?;
        let uri = list.get("uri").and_then(Value::as_str).filter(|uri| uri.len() <= URI_BYTES_MAX);
        let idx = list.get("idx").and_then(Value::as_u64);
        match (uri, idx) {
            (Some(uri), Some(idx)) => Ok(Some(Self { uri: uri.to_owned(), idx })),
            _ => Err(ClaimFault::Status),
        }
    }

    /// The value of the claim `status`.
    pub fn to_value(&self) -> Value {
        json!({ "status_list": { "idx": self.idx, "uri": self.uri } })
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use super::*;

    fn of(status: Value) -> Result<Option<StatusReference>, ClaimFault> {
        StatusReference::of(json!({ "status": status }).as_object().unwrap())
    }

    #[test]
    fn a_reference_survives_its_wire_form() {
        let reference = StatusReference { uri: "https://issuer.example/status/0".into(), idx: 412 };
        assert_eq!(of(reference.to_value()), Ok(Some(reference)));
        assert_eq!(StatusReference::of(&Map::new()), Ok(None));
    }

    #[test]
    fn a_status_that_cannot_be_read_is_a_fault_and_not_an_absence() {
        for status in [
            json!({}),
            json!("valid"),
            json!({"status_list": {"idx": -1, "uri": "u"}}),
            json!({"status_list": {"idx": 1}}),
            json!({"status_list": {"idx": "1", "uri": "u"}}),
            json!({"status_list": {"idx": 1, "uri": "u".repeat(URI_BYTES_MAX + 1)}}),
            json!({"other_mechanism": {}}),
        ] {
            assert_eq!(of(status.clone()), Err(ClaimFault::Status), "{status}");
        }
    }
}
