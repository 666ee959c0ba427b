//! What is said at the doors of a wallet before it has a session: metadata and enrolment, both sides of each message.
//!
//! ```text
//!   GET  /seal/metadata          Metadata
//!   POST /seal/enrolments        Begin ──▶ Begun { enrolment, challenge }
//!   PUT  /seal/enrolments/{id}   Enrolling (with a Seal-Proof by DK) ──▶ signed reply: Enrolled
//! ```
//! Bytes are base64url, points SEC 1 uncompressed, times RFC 3339.

use crypto::base64;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PublicKey};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::code::keys::read_point;
use crate::code::response::FaceVerdict;
use crate::wire::{Members, WireError, object};

/// The version of the protocol that both sides must name.
pub const VERSION: &str = "seal/1";
/// Most bytes of the metadata: keys, a chain of key sets, a few certificates.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of the body that begins an enrolment.
pub const BEGIN_BYTES_MAX: usize = 4 * 1024;
/// Most bytes of the body that ends one: a document of 32 KiB and an attestation.
pub const ENROLLING_BYTES_MAX: usize = 64 * 1024;
/// Longest anchor document, in bytes.
pub const ANCHOR_BYTES_MAX: usize = 32 * 1024;
/// Longest attestation object, in bytes.
pub const ATTESTATION_BYTES_MAX: usize = 8 * 1024;
/// Reply keys, steps of the chain and anchors that a wallet looks at: a provider has one of each, two while it changes.
const LIST_MAX: usize = 16;
/// Longest text member here, in bytes; as addresses elsewhere in the house.
const TEXT_BYTES_MAX: usize = 2048;

/// What a provider says of itself at `/seal/metadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `I`.
    pub issuer: String,
    /// Keys that sign replies: id and key.
    pub reply_keys: Vec<(String, PublicKey)>,
    /// The static agreement key S: id and key.
    pub agreement: (String, PublicKey),
    /// Changes of the two sets, each a JWS by a reply key of the set before.
    pub key_chain: Vec<String>,
    /// Certificates (DER) of those who sign its seals.
    pub signers: Vec<Vec<u8>>,
    /// Certificates (DER) of the roots that those lead to.
    pub anchors: Vec<Vec<u8>>,
}

impl Metadata {
    /// The document.
    pub fn to_value(&self) -> Value {
        let keys: Vec<Value> = self.reply_keys.iter().map(|(kid, key)| jwk(kid, key)).collect();
        json!({
            "issuer": self.issuer, "versions": [VERSION], "reply_jwks": {"keys": keys},
            "agreement": {"kid": self.agreement.0, "jwk": jwk(&self.agreement.0, &self.agreement.1)},
            "key_chain": self.key_chain,
            "signers": certificates(&self.signers), "anchors": certificates(&self.anchors),
        })
    }

    /// Reads it; members that a later version adds are passed over.
    ///
    /// # Errors
    /// [`WireError`]; also when the provider does not speak [`VERSION`].
    pub fn parse(bytes: &[u8]) -> Result<Metadata, WireError> {
        let mut members = Members::new(object(bytes, METADATA_BYTES_MAX)?);
        let versions = members.value("versions")?;
        if !versions.as_array().is_some_and(|all| all.iter().any(|one| one == VERSION)) {
            return Err(WireError::Member("versions"));
        }
        let keys = members.value("reply_jwks")?;
        let keys = list(keys.get("keys"), "reply_jwks")?;
        let reply_keys = keys.iter().map(|key| named_key(key, "reply_jwks")).collect::<Result<_, _>>()?;
        let agreement = members.value("agreement")?;
        let agreement = named_key(agreement.get("jwk").unwrap_or(&Value::Null), "agreement")?;
        let chain = members.value("key_chain")?;
        let key_chain = texts(Some(&chain), "key_chain")?;
        Ok(Metadata {
            issuer: members.text("issuer", TEXT_BYTES_MAX)?,
            reply_keys,
            agreement,
            key_chain,
            signers: der(&members.value("signers")?, "signers")?,
            anchors: der(&members.value("anchors")?, "anchors")?,
        })
    }
}

/// The body that begins an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Begin {
    /// The secret of an invite, where enrolment is by invitation.
    pub invite: Option<String>,
    /// What the wallet calls itself, for the operator.
    pub wallet: String,
}

impl Begin {
    /// The body.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        if let Some(invite) = &self.invite {
            members.insert("invite".to_owned(), invite.as_str().into());
        }
        members.insert("wallet".to_owned(), self.wallet.as_str().into());
        Value::Object(members)
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Begin, WireError> {
        let mut members = Members::new(object(bytes, BEGIN_BYTES_MAX)?);
        let invite = match members.optional("invite") {
            None => None,
            Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Some(text),
            Some(_) => return Err(WireError::Member("invite")),
        };
        let begin = Begin { invite, wallet: members.text("wallet", 128)? };
        members.done()?;
        Ok(begin)
    }
}

/// What the provider answers: a challenge to enrol by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Id of the enrolment, `enr_…`.
    pub enrolment: String,
    /// 32 bytes, good once.
    pub challenge: [u8; 32],
    /// End of the challenge.
    pub expires_at: Timestamp,
    /// Kinds of anchor that are taken, `none` among them where an enrolment may be unanchored.
    pub anchors_accepted: Vec<String>,
    /// Whether a face verdict is demanded.
    pub face_required: bool,
}

impl Begun {
    /// The answer.
    pub fn to_value(&self) -> Value {
        json!({
            "enrolment": self.enrolment, "challenge": base64::url_encode(&self.challenge),
            "expires_at": self.expires_at.to_string(), "anchors_accepted": self.anchors_accepted,
            "face_required": self.face_required,
        })
    }

    /// Reads it; members that a later version adds are passed over.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Begun, WireError> {
        let mut members = Members::new(object(bytes, BEGIN_BYTES_MAX)?);
        let accepted = members.value("anchors_accepted")?;
        Ok(Begun {
            enrolment: members.text("enrolment", 64)?,
            challenge: members.array("challenge")?,
            expires_at: time(members.value("expires_at")?, "expires_at")?,
            anchors_accepted: texts(Some(&accepted), "anchors_accepted")?,
            face_required: members
                .value("face_required")?
                .as_bool()
                .ok_or(WireError::Member("face_required"))?,
        })
    }
}

/// The body that ends an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolling {
    /// The DeviceKey; the key of the Seal-Proof.
    pub dk: PublicKey,
    /// The agreement key D.
    pub d: PublicKey,
    /// Format of the attestation: `none`, `packed`, `tpm`.
    pub attestation_format: String,
    /// The attestation; empty for `none`.
    pub attestation: Vec<u8>,
    /// Kind of the anchor: a kind of document, or `none`.
    pub anchor_kind: String,
    /// The anchor; empty for `none`.
    pub anchor: Vec<u8>,
    /// What the wallet's models say of a face.
    pub face: FaceVerdict,
    /// Proof that the wallet has the private half of D.
    pub d_proof: [u8; 32],
    /// An invite to the wallet's Relay contact, if it wants pushes.
    pub relay: Option<String>,
}

impl Enrolling {
    /// The body.
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "dk": base64::url_encode(self.dk.raw()), "d": base64::url_encode(self.d.raw()),
            "attestation": {"format": self.attestation_format, "data": base64::url_encode(&self.attestation)},
            "anchor": {"kind": self.anchor_kind, "data": base64::url_encode(&self.anchor)},
            "face": self.face.to_value(), "d_proof": base64::url_encode(&self.d_proof),
        });
        if let Some(relay) = &self.relay {
            value["relay"] = relay.as_str().into();
        }
        value
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Enrolling, WireError> {
        let mut members = Members::new(object(bytes, ENROLLING_BYTES_MAX)?);
        let point = |bytes: [u8; 65], name| read_point(&bytes).map_err(|_| WireError::Member(name));
        let dk = point(members.array("dk")?, "dk")?;
        let d = point(members.array("d")?, "d")?;
        let mut attestation = Members::of(&members.value("attestation")?, "attestation")?;
        let mut anchor = Members::of(&members.value("anchor")?, "anchor")?;
        let enrolling = Enrolling {
            dk,
            d,
            attestation_format: attestation.text("format", 32)?,
            attestation: attestation.bytes("data", ATTESTATION_BYTES_MAX)?,
            anchor_kind: anchor.text("kind", 32)?,
            anchor: anchor.bytes("data", ANCHOR_BYTES_MAX)?,
            face: FaceVerdict::from_value(&members.value("face")?)?,
            d_proof: members.array("d_proof")?,
            relay: match members.optional("relay") {
                None => None,
                Some(Value::String(text)) if text.len() <= ENROLLING_BYTES_MAX => Some(text),
                Some(_) => return Err(WireError::Member("relay")),
            },
        };
        attestation.done()?;
        anchor.done()?;
        members.done()?;
        Ok(enrolling)
    }
}

/// The content of the signed reply that ends an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The enrolment: what R calls its binding.
    pub binding: String,
    /// What the person types into a page that cannot be scanned.
    pub handle: String,
    /// Four characters that name this device to its person.
    pub device: String,
    /// Level of assurance.
    pub assurance: Value,
    /// End of the enrolment.
    pub expires_at: Timestamp,
    /// When it may be used, where a second device must wait first.
    pub usable_at: Option<Timestamp>,
}

impl Enrolled {
    /// The content.
    pub fn to_content(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("binding", self.binding.as_str().into());
        put("handle", self.handle.as_str().into());
        put("device", self.device.as_str().into());
        put("assurance", self.assurance.clone());
        put("expires_at", self.expires_at.to_string().into());
        if let Some(at) = self.usable_at {
            put("usable_at", at.to_string().into());
        }
        members
    }

    /// Reads the content of a reply that was verified.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_content(content: Map<String, Value>) -> Result<Enrolled, WireError> {
        let mut members = Members::new(content);
        Ok(Enrolled {
            binding: members.text("binding", 64)?,
            handle: members.text("handle", 16)?,
            device: members.text("device", 16)?,
            assurance: members.value("assurance")?,
            expires_at: time(members.value("expires_at")?, "expires_at")?,
            usable_at: members.optional("usable_at").map(|at| time(at, "usable_at")).transpose()?,
        })
    }
}

fn jwk(kid: &str, key: &PublicKey) -> Value {
    let mut value = Jwk::from_key(key).to_value();
    value["kid"] = kid.into();
    value
}

fn named_key(value: &Value, name: &'static str) -> Result<(String, PublicKey), WireError> {
    let bad = || WireError::Member(name);
    let kid = value.get("kid").and_then(Value::as_str).filter(|kid| kid.len() <= 128).ok_or_else(bad)?;
    let key = Jwk::from_value(value).map_err(|_| bad())?.key().clone();
    if key.alg() != KeyAlg::P256 {
        return Err(bad());
    }
    Ok((kid.to_owned(), key))
}

fn list<'a>(value: Option<&'a Value>, name: &'static str) -> Result<&'a [Value], WireError> {
    let items = value.and_then(Value::as_array).filter(|items| items.len() <= LIST_MAX);
    items.map(Vec::as_slice).ok_or(WireError::Member(name))
}

fn texts(value: Option<&Value>, name: &'static str) -> Result<Vec<String>, WireError> {
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or(WireError::Member(name));
    list(value, name)?.iter().map(text).collect()
}

fn certificates(all: &[Vec<u8>]) -> Vec<String> {
    all.iter().map(|der| base64::url_encode(der)).collect()
}

fn der(value: &Value, name: &'static str) -> Result<Vec<Vec<u8>>, WireError> {
    let decode = |text: &String| base64::url_decode(text).map_err(|_| WireError::Member(name));
    texts(Some(value), name)?.iter().map(decode).collect()
}

fn time(value: Value, name: &'static str) -> Result<Timestamp, WireError> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or(WireError::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::key::PrivateKey;

    fn key() -> PublicKey {
        PrivateKey::generate(KeyAlg::P256).public()
    }

    fn enrolling() -> Enrolling {
        Enrolling {
            dk: key(),
            d: key(),
            attestation_format: "none".to_owned(),
            attestation: Vec::new(),
            anchor_kind: "vds".to_owned(),
            anchor: b"seal".to_vec(),
            face: FaceVerdict::none(),
            d_proof: [7; 32],
            relay: None,
        }
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let metadata = Metadata {
            issuer: "https://idp.example/t/default/idp".to_owned(),
            reply_keys: vec![("r1".to_owned(), key())],
            agreement: ("s1".to_owned(), key()),
            key_chain: vec!["a.b.c".to_owned()],
            signers: vec![vec![0x30, 1]],
            anchors: vec![vec![0x30, 0]],
        };
        assert_eq!(Metadata::parse(metadata.to_value().to_string().as_bytes()), Ok(metadata));
        let begin = Begin { invite: Some("inv".to_owned()), wallet: "terminal".to_owned() };
        assert_eq!(Begin::parse(begin.to_value().to_string().as_bytes()), Ok(begin));
        let begun = Begun {
            enrolment: "enr_1".to_owned(),
            challenge: [9; 32],
            expires_at: Timestamp::from_second(1_800_000_000).unwrap(),
            anchors_accepted: vec!["vds".to_owned()],
            face_required: false,
        };
        assert_eq!(Begun::parse(begun.to_value().to_string().as_bytes()), Ok(begun));
        let enrolling = enrolling();
        assert_eq!(Enrolling::parse(enrolling.to_value().to_string().as_bytes()), Ok(enrolling));
    }

    #[test]
    fn a_member_that_nobody_asked_for_is_refused_at_the_provider() {
        let mut value = enrolling().to_value();
        value["admin"] = true.into();
        assert_eq!(Enrolling::parse(value.to_string().as_bytes()), Err(WireError::Member("(unknown)")));
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut value = enrolling().to_value();
        value["d"] = base64::url_encode(&[4; 65]).into();
        assert_eq!(Enrolling::parse(value.to_string().as_bytes()), Err(WireError::Member("d")));
    }

    #[test]
    fn a_provider_of_another_version_is_refused() {
        let text = r#"{"issuer":"https://i.example","versions":["seal/2"]}"#;
        assert_eq!(Metadata::parse(text.as_bytes()), Err(WireError::Member("versions")));
    }
}
