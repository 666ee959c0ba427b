//! What the vault's records hold: versioned JSON, sealed as a whole.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The one version there is.
pub(crate) const VERSION: u8 = 1;

/// A held credential, as it came and from whom. Its key stands in a record of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct CredentialRecord {
    v: u8,
    /// `jwt~d1~d2~`.
    pub(crate) text: String,
    /// Identifier of the issuer it came from.
    pub(crate) issuer: String,
    /// The issuer's name, as its metadata had it.
    pub(crate) issuer_name: Option<String>,
    /// Id of the configuration.
    pub(crate) configuration_id: String,
    /// The credential's name, as the metadata had it.
    pub(crate) name: Option<String>,
    /// Subjects of the certificates that vouched for it when it came, signer first, anchor last.
    pub(crate) trust_path: Vec<String>,
    /// When it came.
    pub(crate) received_at_ms: i64,
}

/// One line of history: what was asked, and what became of it. Claims are named, never written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    v: u8,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// Client identifier of who asked.
    pub client_id: String,
    /// Subjects of their certificates, signer first.
    pub verifier: Vec<String>,
    /// Host that the answer went to.
    pub answered_to: String,
    /// What became of it.
    pub outcome: Delivery,
    /// What was shown; empty when nothing was.
    pub shown: Vec<ShownCredential>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// On its way: if it stays so, nobody knows whether it arrived.
    Sent,
    /// The verifier took it.
    Delivered,
    /// The verifier answered with a refusal; it has seen what was shown all the same.
    Refused,
    /// The holder said no; nothing was shown.
    Declined,
    /// Nothing fitted; nothing was shown, and the verifier was told no more than by a no.
    NoMatch,
}

/// A credential that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCredential {
    /// Its id in this wallet.
    pub credential: String,
    /// Its type.
    pub vct: String,
    /// The claims that were seen, by path.
    pub claims: Vec<String>,
}

/// This device at an identity provider: its two keys and what it pinned. Bytes in base64url.
#[derive(Serialize, Deserialize)]
pub(crate) struct EnrolmentRecord {
    pub(crate) v: u8,
    /// `I`.
    pub(crate) issuer: String,
    /// The tenant's base, under which the wallet's doors are.
    pub(crate) base: String,
    /// Id of the enrolment.
    pub(crate) binding: String,
    /// For pages that cannot be scanned.
    pub(crate) handle: String,
    /// Four characters that name the device.
    pub(crate) device: String,
    /// The DeviceKey.
    pub(crate) dk: String,
    /// The agreement key.
    pub(crate) d: String,
    /// Keys that sign the provider's answers.
    pub(crate) reply_keys: Vec<String>,
    /// Number of the newest signed set of keys that was believed; 0 in records of before.
    #[serde(default)]
    pub(crate) key_set: u64,
    /// The provider's agreement keys, by name.
    pub(crate) agreement: Vec<(String, String)>,
    /// Certificates of those who sign its seals.
    pub(crate) signers: Vec<String>,
    /// The roots that those lead to.
    pub(crate) anchors: Vec<String>,
    /// The document that it was enrolled with.
    pub(crate) document: Option<String>,
    /// End.
    pub(crate) expires_at_ms: i64,
    /// Id of the relay contact by which its sign-ins come, hexadecimal; none where the wallet asks.
    #[serde(default)]
    pub(crate) push: Option<String>,
}

/// One sign-in: who asked and what was decided. Claims are named by their scopes, never written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigninRecord {
    pub(crate) v: u8,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// The identity provider.
    pub issuer: String,
    /// The service's name, as its seal has it.
    pub service: String,
    /// Its origin.
    pub origin: String,
    /// `approve`, or why not.
    pub decision: String,
    /// Scopes that were granted.
    pub granted: Vec<String>,
    /// `sent`, or what the provider made of it.
    pub outcome: String,
}

impl SigninRecord {
    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The relay network that this wallet is a member of.
#[derive(Serialize, Deserialize)]
pub(crate) struct MembershipRecord {
    v: u8,
    /// Id of the network, hexadecimal.
    pub(crate) network: String,
    /// The manifest with its signatures, as the relays serve it.
    pub(crate) manifest: String,
    /// The relay that is dialled.
    pub(crate) url: String,
    /// What the member calls himself.
    pub(crate) name: String,
    /// The member's id, where one was given.
    pub(crate) member: Option<String>,
    /// Seed of the member key, base64url.
    seed: String,
}

/// A letter that came over the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterRecord {
    v: u8,
    /// Id of the contact.
    pub contact: String,
    /// The contact's name when the letter came.
    pub name: String,
    /// How far the contact was believed then.
    pub state: String,
    /// What it says; other bytes than text are shown as such.
    pub text: String,
    /// When it came, in Unix milliseconds.
    pub at_ms: i64,
    /// Its place among those that came at once.
    pub order: u32,
    /// Somebody has read it.
    pub is_read: bool,
}

/// A letter that waits for the process that is online.
#[derive(Serialize, Deserialize)]
pub(crate) struct OutgoingRecord {
    v: u8,
    /// Id of the contact, hexadecimal.
    pub(crate) contact: String,
    /// What it says, base64url.
    text: String,
    /// When it was written, in Unix milliseconds.
    at_ms: u64,
}

/// A sign-in that was pushed; nothing of it is signed yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct PushRecord {
    v: u8,
    /// What is claimed.
    pub(crate) claim_uri: String,
    /// When it ends, Unix seconds.
    pub(crate) expires_at_s: i64,
}

impl PushRecord {
    /// A push that came just now.
    pub(crate) fn of(claim_uri: &str, expires_at_s: i64) -> Self {
        Self { v: VERSION, claim_uri: claim_uri.to_owned(), expires_at_s }
    }
}

impl MembershipRecord {
    /// A membership that begins.
    pub(crate) fn of(
        manifest: &mailbox::network::VerifiedManifest,
        url: &str,
        name: &str,
        member: Option<String>,
        seed: &crypto::secret::Secret<[u8; 64]>,
    ) -> Self {
        Self {
            v: VERSION,
            network: manifest.network().to_string(),
            manifest: manifest.signed().encode(),
            url: url.to_owned(),
            name: name.to_owned(),
            member,
            seed: crypto::base64::url_encode(seed.expose()),
        }
    }
}

impl LetterRecord {
    /// A letter that came just now.
    pub(crate) fn of(contact: &str, name: &str, state: &str, bytes: &[u8], at_ms: i64, order: u32) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (contact, name, state) = (contact.to_owned(), name.to_owned(), state.to_owned());
        Self { v: VERSION, contact, name, state, text, at_ms, order, is_read: false }
    }

    /// The same, read.
    pub(crate) fn read(&self) -> Self {
        Self { is_read: true, ..self.clone() }
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl OutgoingRecord {
    /// A letter that is left.
    pub(crate) fn of(contact: &str, text: &[u8], at_ms: u64) -> Self {
        Self { v: VERSION, contact: contact.to_owned(), text: crypto::base64::url_encode(text), at_ms }
    }

    /// What it says.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        crypto::base64::url_decode(&self.text).ok()
    }
}

impl CredentialRecord {
    /// The one maker; fills in the version.
    pub(crate) fn of(received: &openid::vci::wallet::ReceivedCredential, at: Timestamp) -> Self {
        Self {
            v: VERSION,
            text: received.credential.text().to_owned(),
            issuer: received.issuer.clone(),
            issuer_name: None,
            configuration_id: received.configuration_id.clone(),
            name: None,
            trust_path: Vec::new(),
            received_at_ms: at.as_millisecond(),
        }
    }
}

impl HistoryEntry {
    /// A line that names who asked; nothing shown yet.
    pub(crate) fn new(
        request: &openid::vp::wallet::CheckedRequest,
        outcome: Delivery,
        at: Timestamp,
    ) -> Self {
        Self {
            v: VERSION,
            at_ms: at.as_millisecond(),
            client_id: request.client_id().to_owned(),
            verifier: request.certificates().iter().map(|it| it.subject.clone()).collect(),
            answered_to: crate::http::host_of(request.response_uri()),
            outcome,
            shown: Vec::new(),
        }
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The bytes of a record.
pub(crate) fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("texts, numbers and lists serialise")
}

/// A record of this version; none where the bytes are anything else.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    if value.get("v")?.as_u64()? != u64::from(VERSION) {
        return None;
    }
    serde_json::from_value(value).ok()
}
