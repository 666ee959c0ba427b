//! What a page posts: the same members as JSON or as a form.

use crypto::webauthn::{
    AUTHENTICATOR_DATA_BYTES_MAX, AssertionParts, CLIENT_DATA_BYTES_MAX, CREDENTIAL_ID_BYTES_MAX,
    SIGNATURE_BYTES_MAX,
};
use openid::oauth::Form;
use serde_json::{Map, Value};

/// Bytes of a body; the door has the same bound.
const POSTED_BYTES_MAX: usize = edge::door::SMALL_BODY_BYTES_MAX;
/// Bytes of R, decoded.
const R_BYTES_MAX: usize = 4 << 10;

/// Members by name.
pub(super) struct Posted(Map<String, Value>);

/// An assertion with bytes of its own.
pub(super) struct OwnedAssertion {
    id: Vec<u8>,
    client_data_json: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
    user_handle: Vec<u8>,
}

impl Posted {
    pub(super) fn read(media: &str, bytes: &[u8]) -> Option<Posted> {
        if media == "application/json" {
            return match openid::wire::json(bytes, POSTED_BYTES_MAX).ok()? {
                Value::Object(members) => Some(Posted(members)),
                _ => None,
            };
        }
        let form = Form::parse(bytes, POSTED_BYTES_MAX).ok()?;
        let member = |name: &str| (name.to_owned(), Value::from(form.get(name).unwrap_or_default()));
        Some(Posted(form.names().map(member).collect()))
    }

    pub(super) fn text(&self, name: &str, chars_max: usize) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| text.len() <= chars_max)
    }

    pub(super) fn nested(&self, name: &str) -> Option<Posted> {
        self.0.get(name)?.as_object().cloned().map(Posted)
    }

    /// R.
    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.decoded(name, R_BYTES_MAX)
    }

    pub(super) fn assertion(&self) -> Option<OwnedAssertion> {
        Some(OwnedAssertion {
            id: self.decoded("id", CREDENTIAL_ID_BYTES_MAX)?,
            client_data_json: self.decoded("clientDataJSON", CLIENT_DATA_BYTES_MAX)?,
            authenticator_data: self.decoded("authenticatorData", AUTHENTICATOR_DATA_BYTES_MAX)?,
            signature: self.decoded("signature", SIGNATURE_BYTES_MAX)?,
            user_handle: match self.0.get("userHandle") {
                None | Some(Value::Null) => Vec::new(),
                // 64 bytes are the most that a user handle may have (WebAuthn Level 3, 5.4.3).
                Some(_) => self.decoded("userHandle", 64)?,
            },
        })
    }

    fn decoded(&self, name: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let text = self.text(name, bytes_max.div_ceil(3) * 4)?;
        crypto::base64::url_decode(text).ok().filter(|bytes| bytes.len() <= bytes_max)
    }
}

impl OwnedAssertion {
    pub(super) fn parts(&self) -> AssertionParts<'_> {
        AssertionParts {
            id: &self.id,
            client_data_json: &self.client_data_json,
            authenticator_data: &self.authenticator_data,
            signature: &self.signature,
            user_handle: &self.user_handle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_the_same_as_json_and_as_a_form() {
        for (media, body) in [
            ("application/json", r#"{"form_token":"t","handle":"K7QF"}"#),
            ("application/x-www-form-urlencoded", "form_token=t&handle=K7QF"),
        ] {
            let posted = Posted::read(media, body.as_bytes()).unwrap();
            assert_eq!((posted.text("form_token", 8), posted.text("handle", 8)), (Some("t"), Some("K7QF")));
            assert_eq!(posted.text("handle", 3), None);
        }
        assert!(Posted::read("application/json", b"[]").is_none());
    }

    #[test]
    fn an_assertion_lacks_nothing_but_its_user_handle() {
        let read = |body: &str| Posted::read("application/json", body.as_bytes()).unwrap().assertion();
        let whole = r#"{"id":"AQ","clientDataJSON":"AQ","authenticatorData":"AQ","signature":"AQ"}"#;
        assert!(read(whole).unwrap().user_handle.is_empty());
        assert!(read(&whole.replace("\"id\":\"AQ\",", "")).is_none());
        assert!(read(&whole.replace("\"id\":\"AQ\"", "\"id\":\"A=\"")).is_none());
    }
}
