//! One disclosure: salt, name and value behind a digest (RFC 9901, 4.2).

use crypto::json::{self, Limits};
use crypto::{base64, hash};
use serde_json::Value;

use super::{DEPTH_MAX, DISCLOSURE_BYTES_MAX, is_reserved_name};

/// Bytes of a salt: 128 bits, the length RFC 9901, 4.2.1 recommends.
pub(super) const SALT_BYTES: usize = 16;

/// Why the disclosures of a credential do not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DisclosureFault {
    /// Not strict base64url, or not strict JSON inside.
    #[error("a disclosure is not base64url of strict JSON")]
    Malformed,
    /// Not an array of two or three elements.
    #[error("a disclosure is an array of two or three elements")]
    Length,
    /// The salt is not text.
    #[error("a salt is text")]
    Salt,
    /// The name is not text.
    #[error("a claim name is text")]
    Name,
    /// The name is `_sd` or `...`.
    #[error("a disclosure has a name that SD-JWT keeps for itself")]
    ReservedName,
    /// A claim that may never be disclosed, or one of its members, is a disclosure.
    #[error("a claim that must stand in plain sight is a disclosure")]
    NeverDisclosable,
    /// The object already has a member of that name.
    #[error("a disclosure names a claim that is already there")]
    AlreadyThere,
    /// Two elements where three belong, or the reverse.
    #[error("an array element's disclosure stands in an object, or the reverse")]
    WrongPlace,
    /// A digest stands twice.
    #[error("a digest stands twice")]
    DigestTwice,
    /// A disclosure was sent twice.
    #[error("a disclosure was sent twice")]
    Twice,
    /// No digest refers to a disclosure.
    #[error("a disclosure belongs to no digest")]
    Unreferenced,
    /// `_sd` is no array of texts, or `...` is no text alone in an array's object.
    #[error("the digests are malformed")]
    BadDigests,
    /// `_sd_alg` is not `sha-256`.
    #[error("_sd_alg is not {}", super::SD_ALG)]
    SdAlg,
    /// Deeper than [`DEPTH_MAX`] after unfolding.
    #[error("the claims go deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

impl DisclosureFault {
    /// The closed word of a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Length => "array-length",
            Self::Salt => "salt-not-text",
            Self::Name => "name-not-text",
            Self::ReservedName => "reserved-name",
            Self::NeverDisclosable => "never-disclosable",
            Self::AlreadyThere => "already-there",
            Self::WrongPlace => "wrong-place",
            Self::DigestTwice => "digest-twice",
            Self::Twice => "disclosure-twice",
            Self::Unreferenced => "unreferenced",
            Self::BadDigests => "bad-digests",
            Self::SdAlg => "sd-alg",
            Self::TooDeep => "too-deep",
        }
    }
}

/// What a disclosure reveals.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Member { name: String, value: Value },
    Element { value: Value },
}

/// `["salt","name",value]` in base64url; a member without a name is an array's element.
pub(super) fn encode(salt: &[u8; SALT_BYTES], name: Option<&str>, value: &Value) -> String {
    // A salt of 22 characters, a name and a short value fit without growing.
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(b"[\"");
    bytes.extend_from_slice(base64::url_encode(salt).as_bytes());
    bytes.extend_from_slice(b"\",");
    if let Some(name) = name {
        write_json(&mut bytes, &name);
        bytes.push(b',');
    }
    write_json(&mut bytes, value);
    bytes.push(b']');
    base64::url_encode(&bytes)
}

fn write_json(into: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(into, value).expect("a JSON value or text written to memory cannot fail");
}

/// The digest under which the issuer signed a disclosure: over its text as sent, not over what it decodes to.
pub(super) fn digest(encoded: &str) -> String {
    base64::url_encode(&hash::sha256(encoded.as_bytes()))
}

pub(super) fn decode(encoded: &str) -> Result<Content, DisclosureFault> {
    let bytes = base64::url_decode(encoded).map_err(|_| DisclosureFault::Malformed)?;
    let limits = Limits { bytes_max: DISCLOSURE_BYTES_MAX, depth_max: DEPTH_MAX };
    let value = json::parse(&bytes, &limits).map_err(|_| DisclosureFault::Malformed)?;
    let Value::Array(elements) = value else { return Err(DisclosureFault::Length) };
    let mut elements = elements.into_iter();
    let (Some(salt), Some(second), third, None) =
        (elements.next(), elements.next(), elements.next(), elements.next())
    else {
        return Err(DisclosureFault::Length);
    };
    if !salt.is_string() {
        return Err(DisclosureFault::Salt);
    }
    match (second, third) {
        (value, None) => Ok(Content::Element { value }),
        (Value::String(name), Some(_)) if is_reserved_name(&name) => Err(DisclosureFault::ReservedName),
        (Value::String(name), Some(value)) => Ok(Content::Member { name, value }),
        (_, Some(_)) => Err(DisclosureFault::Name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 9901, sections 4.2.1 to 4.2.3.
    #[test]
    fn the_disclosure_of_the_standard_decodes_and_digests_as_it_says() {
        let encoded = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(
            decode(encoded),
            Ok(Content::Member { name: "family_name".into(), value: json!("Möbius") })
        );
        assert_eq!(digest(encoded), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
    }

    /// RFC 9901, section 4.2.1: three more ways to write the same disclosure; each is its own text with its own digest.
    #[test]
    fn every_way_to_write_the_standards_disclosure_is_read() {
        for encoded in [
            "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNXHUwMGY2Yml1cyJd",
            "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsImZhbWlseV9uYW1lIiwiTcO2Yml1cyJd",
            "WwoiXzI2YmM0TFQtYWM2cTJLSTZjQlc1ZXMiLAoiZmFtaWx5X25hbWUiLAoiTcO2Yml1cyIKXQ",
        ] {
            assert_eq!(
                decode(encoded),
                Ok(Content::Member { name: "family_name".into(), value: json!("Möbius") })
            );
            assert_ne!(digest(encoded), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
        }
    }

    /// RFC 9901, sections 4.2.2 and 4.2.4.2.
    #[test]
    fn the_array_element_of_the_standard_decodes_and_digests_as_it_says() {
        let encoded = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0";
        assert_eq!(decode(encoded), Ok(Content::Element { value: json!("FR") }));
        assert_eq!(digest(encoded), "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs");
    }

    #[test]
    fn what_we_write_we_read() {
        let encoded = encode(&[7; SALT_BYTES], Some("na\"me"), &json!({"a": [1, "ö"]}));
        assert_eq!(
            decode(&encoded),
            Ok(Content::Member { name: "na\"me".into(), value: json!({"a": [1, "ö"]}) })
        );
        assert_eq!(
            decode(&encode(&[7; SALT_BYTES], None, &json!(null))),
            Ok(Content::Element { value: json!(null) })
        );
    }

    #[test]
    fn each_malformed_disclosure_has_its_own_fault() {
        let of = |text: &str| decode(&base64::url_encode(text.as_bytes())).unwrap_err();
        assert_eq!(of(r#"{"a":1}"#), DisclosureFault::Length);
        assert_eq!(of(r#"["s"]"#), DisclosureFault::Length);
        assert_eq!(of(r#"["s","n",1,2]"#), DisclosureFault::Length);
        assert_eq!(of(r#"[1,"n",1]"#), DisclosureFault::Salt);
        assert_eq!(of(r#"["s",1,1]"#), DisclosureFault::Name);
        assert_eq!(of(r#"["s","_sd",[]]"#), DisclosureFault::ReservedName);
        assert_eq!(of(r#"["s","...",1]"#), DisclosureFault::ReservedName);
        assert_eq!(of(r#"["s","n",{"a":1,"a":2}]"#), DisclosureFault::Malformed);
        assert_eq!(of(r#"["s","n",1] "x"#), DisclosureFault::Malformed);
        assert_eq!(decode("WyJzIiwibiIsMV0="), Err(DisclosureFault::Malformed), "padded");
        assert_eq!(decode("!"), Err(DisclosureFault::Malformed));
    }
}
