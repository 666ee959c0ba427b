//! What a wallet reads and writes at its doors before it has a session: metadata and enrolment.
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

use crate::code::response::FaceVerdict;
use crate::wire::{Members, WireError, object};

/// The version of the protocol that both sides must name.
pub const VERSION: &str = "seal/1";
/// Most bytes of the metadata: keys, a chain of key sets, a few certificates.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of the answer to what begins an enrolment.
pub const BEGIN_BYTES_MAX: usize = 4 * 1024;
/// Reply keys, steps of the chain and anchors that a wallet looks at: a provider has one of each, two while it changes.
const LIST_MAX: usize = 16;
/// Longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 128;
/// Longest text member here, in bytes; as addresses elsewhere in the house.
const TEXT_BYTES_MAX: usize = 2048;
/// Bytes of what makes a relay contact, either way: an invite has about 1,700, a hello about 1,270.
pub const RELAY_BYTES_MAX: usize = 2_048;
/// Characters of a network's id.
const NETWORK_CHARS: usize = 64;

/// What a provider says of itself at `/seal/metadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `I`.
    pub issuer: String,
    /// Keys that sign replies: id and key.
    pub reply_keys: Vec<(String, PublicKey)>,
    /// The static agreement key S, and the next one if it was announced: id and key.
    pub agreement: Vec<(String, PublicKey)>,
    /// Changes of the two sets, each a JWS by a reply key of the set before.
    pub key_chain: Vec<String>,
    /// Certificates (DER) of those who sign its seals.
    pub signers: Vec<Vec<u8>>,
    /// Certificates (DER) of the provider's own roots, which those lead to.
    pub anchors: Vec<Vec<u8>>,
    /// Whether it enrols also without a document.
    pub unanchored: bool,
    /// The relay network over which it pushes, where it does: id in hexadecimal digits.
    pub relay: Option<String>,
}

/// The content of the signed reply that turns pushes on for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOn {
    /// The hello to the device's offer.
    pub hello: Vec<u8>,
}

impl PushOn {
    /// Reads the content of a reply that was verified.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_content(content: Map<String, Value>) -> Result<PushOn, WireError> {
        let mut members = Members::new(content);
        Ok(PushOn { hello: members.bytes("relay", RELAY_BYTES_MAX)? })
    }
}

impl Metadata {
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
        let told = members.value("agreement")?;
        let mut agreement = vec![agreement_key(&told)?];
        if let Some(next) = told.get("next") {
            agreement.push(agreement_key(next)?);
        }
        let chain = members.value("key_chain")?;
        let key_chain = texts(Some(&chain), "key_chain")?;
        let relay = members.optional("relay");
        let relay = relay.as_ref().and_then(|relay| relay.get("network")?.as_str());
        let relay = relay.filter(|id| id.len() == NETWORK_CHARS).map(str::to_owned);
        Ok(Metadata {
            relay,
            issuer: members.text("issuer", TEXT_BYTES_MAX)?,
            unanchored: members.value("limits")?.get("unanchored") == Some(&Value::Bool(true)),
            reply_keys,
            agreement,
            key_chain,
            signers: der(&members.value("signers")?, "signers")?,
            anchors: own_roots(&members.value("anchors")?)?,
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
    /// Whether a face verdict is demanded.
    pub face_required: bool,
}

impl Begun {
    /// Reads it; members that a later version adds are passed over.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Begun, WireError> {
        let mut members = Members::new(object(bytes, BEGIN_BYTES_MAX)?);
        Ok(Begun {
            enrolment: members.text("enrolment", 64)?,
            challenge: members.array("challenge")?,
            expires_at: time(&members.value("expires_at")?, "expires_at")?,
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
    /// An offer of a relay contact, if it wants pushes.
    pub relay: Option<Vec<u8>>,
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
            value["relay"] = base64::url_encode(relay).into();
        }
        value
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
    /// Until when it waits, where a second device must wait first.
    pub waits_until: Option<Timestamp>,
    /// The hello to the offer of a relay contact, where one was made and taken.
    pub relay: Option<Vec<u8>>,
}

impl Enrolled {
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
            expires_at: time(&members.value("expires_at")?, "expires_at")?,
            waits_until: members
                .optional("waits_until")
                .filter(|at| !at.is_null())
                .map(|at| time(&at, "waits_until"))
                .transpose()?,
            relay: members.optional("relay").map(|hello| relay_bytes(&hello)).transpose()?,
        })
    }
}

/// A key of a JWK set, by its `kid`.
fn named_key(value: &Value, name: &'static str) -> Result<(String, PublicKey), WireError> {
    p256(value.get("kid"), value, name)
}

/// `{kid, jwk}`.
fn agreement_key(value: &Value) -> Result<(String, PublicKey), WireError> {
    p256(value.get("kid"), value.get("jwk").unwrap_or(&Value::Null), "agreement")
}

fn p256(kid: Option<&Value>, jwk: &Value, name: &'static str) -> Result<(String, PublicKey), WireError> {
    let bad = || WireError::Member(name);
    let kid = kid.and_then(Value::as_str).filter(|kid| kid.len() <= KID_BYTES_MAX).ok_or_else(bad)?;
    let key = Jwk::from_value(jwk).map_err(|_| bad())?.key().clone();
    if key.alg() != KeyAlg::P256 {
        return Err(bad());
    }
    Ok((kid.to_owned(), key))
}

/// Certificates of the anchors that the provider calls its own; the others vouch for documents of others.
fn own_roots(value: &Value) -> Result<Vec<Vec<u8>>, WireError> {
    let bad = || WireError::Member("anchors");
    let own = list(Some(value), "anchors")?.iter().filter(|anchor| anchor["own"] == true);
    let text = |anchor: &Value| anchor.get("certificate").and_then(Value::as_str).map(str::to_owned);
    own.map(|anchor| base64::url_decode(&text(anchor).ok_or_else(bad)?).map_err(|_| bad())).collect()
}

fn list<'a>(value: Option<&'a Value>, name: &'static str) -> Result<&'a [Value], WireError> {
    let items = value.and_then(Value::as_array).filter(|items| items.len() <= LIST_MAX);
    items.map(Vec::as_slice).ok_or(WireError::Member(name))
}

fn texts(value: Option<&Value>, name: &'static str) -> Result<Vec<String>, WireError> {
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or(WireError::Member(name));
    list(value, name)?.iter().map(text).collect()
}

fn der(value: &Value, name: &'static str) -> Result<Vec<Vec<u8>>, WireError> {
    let decode = |text: &String| base64::url_decode(text).map_err(|_| WireError::Member(name));
    texts(Some(value), name)?.iter().map(decode).collect()
}

fn relay_bytes(value: &Value) -> Result<Vec<u8>, WireError> {
    let text = value.as_str().filter(|text| text.len() <= RELAY_BYTES_MAX * 4 / 3);
    text.and_then(|text| base64::url_decode(text).ok()).ok_or(WireError::Member("relay"))
}

fn time(value: &Value, name: &'static str) -> Result<Timestamp, WireError> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or(WireError::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::key::PrivateKey;

    fn metadata() -> Value {
        let jwk = || Jwk::from_key(&PrivateKey::generate(KeyAlg::P256).public()).to_value();
        let mut reply = jwk();
        reply["kid"] = "r1".into();
        json!({
            "issuer": "https://idp.example/t/default/idp", "versions": ["seal/1"], "reply_jwks": {"keys": [reply]},
            "agreement": {"kid": "s1", "jwk": jwk(), "next": {"kid": "s2", "jwk": jwk()}}, "key_chain": ["a.b.c"],
            "signers": ["MAE"],
            "anchors": [
                {"kind": "vds", "context": "document-seal", "own": true, "certificate": "MAA"},
                {"kind": "vds", "context": "vds", "own": false, "certificate": "MAI"},
            ],
            "limits": {"unanchored": true},
        })
    }

    fn read(value: &Value) -> Result<Metadata, WireError> {
        Metadata::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_wallet_pins_both_agreement_keys_and_the_providers_own_root_alone() {
        let metadata = read(&metadata()).unwrap();
        assert_eq!(metadata.agreement.iter().map(|(kid, _)| kid.as_str()).collect::<Vec<_>>(), ["s1", "s2"]);
        assert_eq!(metadata.anchors, [vec![0x30, 0]]);
        assert_eq!(metadata.signers, [vec![0x30, 1]]);
        assert!(metadata.unanchored);
    }

    #[test]
    fn a_provider_of_another_version_is_refused() {
        let mut told = metadata();
        told["versions"] = json!(["seal/2"]);
        assert_eq!(read(&told), Err(WireError::Member("versions")));
    }

    #[test]
    fn a_reply_key_without_a_name_or_on_another_curve_is_refused() {
        let mut told = metadata();
        told["reply_jwks"]["keys"][0]["kid"] = 7.into();
        assert_eq!(read(&told), Err(WireError::Member("reply_jwks")));
        let mut told = metadata();
        let mut other = Jwk::from_key(&PrivateKey::generate(KeyAlg::Ed25519).public()).to_value();
        other["kid"] = "r1".into();
        told["reply_jwks"]["keys"][0] = other;
        assert_eq!(read(&told), Err(WireError::Member("reply_jwks")));
    }
}
