//! Type Metadata (SD-JWT VC, 4 to 6): what a type is called and which claims its credentials hold, for wallets and verifiers.
//!
//! ```text
//! CredentialType + names for people ─CredentialType::described─▶ bytes to serve at the vct, and their digest, `vct#integrity`
//! ```
//! Invariant: metadata and what is issued agree, since both come from the same rules; the digest is of the bytes as they are
//! served, so a served copy is never written anew.

use crypto::{base64, hash};
use serde_json::{Map, Value};

use crate::credential_type::{ClaimRule, CredentialType};
use crate::pointer::{Pointer, PointerError};

/// Bytes of the names and descriptions of a type: a few languages with a logo by reference.
pub const ABOUT_BYTES_MAX: usize = 16 * 1024;
/// Languages of one type or claim.
pub const LOCALES_MAX: usize = 32;

/// The digest in front of which SRI writes the name of its hash.
const SHA_256: &str = "sha256-";

/// The document of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeMetadata {
    bytes: Vec<u8>,
    integrity: String,
}

impl TypeMetadata {
    /// `about` is `{"name"?, "description"?, "display"?: [{"locale", "name", …}]}` (SD-JWT VC, 4.5); it is copied as given.
    ///
    /// # Errors
    /// The first fault with its place: a member that is not known here, of another kind, or too much of it.
    pub fn of(kind: &CredentialType, about: &Value) -> Result<Self, PointerError> {
        let members = check_about(about)?;
        let mut document = Map::new();
        document.insert("vct".into(), kind.vct().into());
        document.extend(members.clone());
        document.insert("claims".into(), kind.rules().iter().map(claim).collect());
        let bytes = serde_json::to_vec(&document).expect("a JSON value written to memory cannot fail");
        let integrity = integrity_of(&bytes);
        Ok(Self { bytes, integrity })
    }

    /// The document as it is to be served, `application/json`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `vct#integrity` of credentials of this type.
    pub fn integrity(&self) -> &str {
        &self.integrity
    }
}

/// The integrity metadata of a document (SD-JWT VC, 5; W3C SRI): its SHA-256.
pub fn integrity_of(bytes: &[u8]) -> String {
    format!("{SHA_256}{}", base64::std_encode(&hash::sha256(bytes)))
}

/// Whether a document is the one that `integrity` names. Of several digests any may be met; those of other hashes are not
/// looked at, and none that is understood does not hold.
pub fn has_integrity(bytes: &[u8], integrity: &str) -> bool {
    let own = integrity_of(bytes);
    // What follows a question mark are options, of which there are none.
    integrity.split_ascii_whitespace().any(|stated| stated.split('?').next() == Some(own.as_str()))
}

/// One claim (SD-JWT VC, 4.6).
fn claim(rule: &ClaimRule) -> Value {
    let mut claim = Map::new();
    claim.insert("path".into(), rule.path.to_value());
    if let Some(Value::Array(names)) = &rule.display {
        claim.insert("display".into(), names.iter().map(labelled).collect());
    }
    if rule.mandatory {
        claim.insert("mandatory".into(), true.into());
    }
    claim.insert("sd".into(), rule.sd.as_str().into());
    claim.into()
}

/// OpenID4VCI calls `name` what Type Metadata calls `label`; a rule has one text for both.
fn labelled(display: &Value) -> Value {
    let mut display = display.clone();
    if let Some(members) = display.as_object_mut()
        && !members.contains_key("label")
        && let Some(name) = members.remove("name")
    {
        members.insert("label".into(), name);
    }
    display
}

fn check_about(about: &Value) -> Result<&Map<String, Value>, PointerError> {
    let root = Pointer::Root;
    let members = about.as_object().ok_or_else(|| root.error("what is told of a type is an object"))?;
    if about.to_string().len() > ABOUT_BYTES_MAX {
        return Err(root.error(format!("what is told of a type has at most {ABOUT_BYTES_MAX} bytes")));
    }
    for (name, value) in members {
        let at = root.member(name);
        match name.as_str() {
            "name" | "description" if value.is_string() => {}
            "name" | "description" => return Err(at.error("text")),
            "display" => check_display(value, &at)?,
            _ => return Err(at.error("name, description and display only")),
        }
    }
    Ok(members)
}

fn check_display(value: &Value, at: &Pointer<'_>) -> Result<(), PointerError> {
    let listed = value.as_array().filter(|listed| (1..=LOCALES_MAX).contains(&listed.len()));
    let listed = listed.ok_or_else(|| at.error(format!("an array of 1 to {LOCALES_MAX} languages")))?;
    for (nth, display) in listed.iter().enumerate() {
        let at = at.index(nth);
        for member in ["locale", "name"] {
            if !display.get(member).is_some_and(Value::is_string) {
                return Err(at.member(member).error("text"));
            }
        }
        if listed[..nth].iter().any(|other| other.get("locale") == display.get("locale")) {
            return Err(at.member("locale").error("this language is there already"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crypto::jwk::Jwk;
    use crypto::key::{KeyAlg, PrivateKey};
    use serde_json::json;

    use super::*;
    use crate::sd_jwt::{self, Subject, Validity};

    fn kind() -> CredentialType {
        let rules = json!([
            {"path": ["given_name"], "type": "string", "mandatory": true, "sd": "always",
             "display": [{"locale": "en", "name": "First name"}, {"locale": "de", "label": "Vorname", "description": "x"}]},
            {"path": ["degrees", null, "type"]},
            {"path": ["country"], "sd": "never"},
        ]);
        CredentialType::parse("https://issuer.example/vct/diploma", &rules).unwrap()
    }

    #[test]
    fn a_document_says_what_its_rules_say() {
        let about =
            json!({"name": "Diploma", "display": [{"locale": "en", "name": "Diploma", "rendering": {}}]});
        let metadata = TypeMetadata::of(&kind(), &about).unwrap();
        let document: Value = serde_json::from_slice(metadata.bytes()).unwrap();
        assert_eq!(
            document,
            json!({
                "vct": "https://issuer.example/vct/diploma", "name": "Diploma",
                "display": [{"locale": "en", "name": "Diploma", "rendering": {}}],
                "claims": [
                    {"path": ["given_name"], "mandatory": true, "sd": "always",
                     "display": [{"locale": "en", "label": "First name"}, {"locale": "de", "label": "Vorname", "description": "x"}]},
                    {"path": ["degrees", null, "type"], "sd": "allowed"},
                    {"path": ["country"], "sd": "never"},
                ],
            })
        );
        assert_eq!(TypeMetadata::of(&kind(), &about).unwrap(), metadata, "the same bytes each time");
    }

    #[test]
    fn a_digest_names_one_document() {
        // The digest of the empty text, as SRI writes it.
        assert_eq!(integrity_of(b""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        let metadata = TypeMetadata::of(&kind(), &json!({})).unwrap();
        assert!(has_integrity(metadata.bytes(), metadata.integrity()));
        assert!(!has_integrity(b"{}", metadata.integrity()));
        let several = format!("sha384-abc {}?x", metadata.integrity());
        assert!(has_integrity(metadata.bytes(), &several));
        assert!(!has_integrity(metadata.bytes(), "") && !has_integrity(metadata.bytes(), "sha384-abc"));
    }

    #[test]
    fn a_credential_of_a_described_type_names_the_digest_of_its_document() {
        let holder = Jwk::from_key(&PrivateKey::generate(KeyAlg::P256).public());
        let now = "2026-11-20T17:03:09Z".parse().unwrap();
        let subject = Subject {
            issuer: "https://issuer.example",
            holder: &holder,
            status: None,
            validity: Validity::whole_days(now, 86_400, None).unwrap(),
        };
        let claims = json!({"given_name": "Ana"});
        let issued = |kind: &CredentialType| {
            let accepted = kind.accept(claims.as_object().unwrap()).unwrap();
            let draft = sd_jwt::issue(&accepted, &subject, &mut |out| out.fill(7)).unwrap();
            serde_json::from_slice::<Value>(&draft.jws.payload).unwrap()
        };
        assert_eq!(issued(&kind()).get("vct#integrity"), None);
        let described = kind().described(&json!({"name": "Diploma"})).unwrap();
        let stated = issued(&described);
        let stated = stated["vct#integrity"].as_str().unwrap();
        assert!(has_integrity(described.metadata().unwrap().bytes(), stated));
    }

    #[test]
    fn what_is_told_of_a_type_is_bounded_and_known() {
        let refused = |about: Value| TypeMetadata::of(&kind(), &about).unwrap_err().pointer;
        assert_eq!(refused(json!([])), "");
        assert_eq!(refused(json!({"name": "a".repeat(ABOUT_BYTES_MAX)})), "");
        assert_eq!(refused(json!({"name": 7})), "/name");
        assert_eq!(refused(json!({"vct": "urn:other"})), "/vct");
        assert_eq!(refused(json!({"display": []})), "/display");
        assert_eq!(refused(json!({"display": [{"locale": "en"}]})), "/display/0/name");
        let twice = json!({"display": [{"locale": "en", "name": "a"}, {"locale": "en", "name": "b"}]});
        assert_eq!(refused(twice), "/display/1/locale");
    }
}
