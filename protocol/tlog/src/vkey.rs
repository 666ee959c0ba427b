//! Verifier keys (c2sp.org/signed-note, "Verifier keys"): `name+hex(id)+base64(type ‖ public key)`.

use crate::checkpoint::Checkpoint;
use crate::merkle::{Hash, SIZE_MAX};
use crypto::base64::{std_decode, std_encode};
use crypto::hash::{sha256, sha256_of};
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use std::fmt;

/// Names are written behind one length byte in the ML-DSA-44 message.
pub const NAME_BYTES_MAX: usize = 255;

/// Longest verifier key that is looked at: name, id and 1,313 bytes in base64, with some slack.
pub const VKEY_BYTES_MAX: usize = 2_048 + NAME_BYTES_MAX;

/// Length of an Ed25519 signature.
const ED25519_BYTES: usize = 64;

/// Length of an ML-DSA-44 signature (FIPS 204, table 2).
const MLDSA44_BYTES: usize = 2_420;

/// Signature types of signed-note that this house knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// `0x01`: Ed25519 over the note text.
    Ed25519,
    /// `0x04`: timestamped Ed25519 cosignature (c2sp.org/tlog-cosignature).
    CosignatureEd25519,
    /// `0x06`: timestamped ML-DSA-44 signature of a checkpoint, by its log or by a cosigner.
    MlDsa44,
}

impl KeyType {
    /// The signature type identifier byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureEd25519 => 0x04,
            Self::MlDsa44 => 0x06,
        }
    }

    /// The algorithm of the key.
    pub fn key_alg(self) -> KeyAlg {
        match self {
            Self::Ed25519 | Self::CosignatureEd25519 => KeyAlg::Ed25519,
            Self::MlDsa44 => KeyAlg::MlDsa44,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureEd25519, Self::MlDsa44].into_iter().find(|t| t.byte() == byte)
    }

    fn sign_alg(self) -> SignAlg {
        match self {
            Self::Ed25519 | Self::CosignatureEd25519 => SignAlg::EdDsa,
            Self::MlDsa44 => SignAlg::MlDsa44,
        }
    }

    fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::CosignatureEd25519 => ED25519_BYTES,
            Self::MlDsa44 => MLDSA44_BYTES,
        }
    }

    /// Whether `be64(time)` stands before the signature.
    pub(crate) fn is_timed(self) -> bool {
        self != Self::Ed25519
    }
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyFault {
    /// Not `name+id+key`, or too long.
    #[error("not a verifier key: it must read name+id+key")]
    Shape,
    /// The name is empty, longer than 255 bytes, or has a space, a `+` or a control character.
    #[error("the name of the key is not a key name")]
    Name,
    /// A signature type that this build does not verify.
    #[error("signature type {0:#04x} is not known here")]
    Type(u8),
    /// The bytes are no public key of the type.
    #[error("the key is no public key of its type")]
    Key,
    /// The id does not belong to this name and key: a typing error, or a forgery.
    #[error("the id of the key does not belong to its name and bytes")]
    Id,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The wrong number of bytes for the type.
    #[error("the signature has the wrong length")]
    Length,
    /// The time in the signature is 0 or past 2^63.
    #[error("the signature has an impossible time")]
    Time,
    /// ML-DSA-44 signs checkpoints only, and the text is none.
    #[error("the text is no checkpoint")]
    NoCheckpoint,
    /// The cryptography says no.
    #[error("the signature does not verify")]
    Bad,
}

/// A key that notes are checked with. Its id always fits its name and bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key_type: KeyType,
    key: PublicKey,
}

impl VerifierKey {
    /// A verifier key for a public key; the id is computed.
    pub fn new(name: &str, key_type: KeyType, key: PublicKey) -> Result<Self, VkeyFault> {
        if !is_key_name(name) || name.len() > NAME_BYTES_MAX {
            return Err(VkeyFault::Name);
        }
        if key.alg() != key_type.key_alg() {
            return Err(VkeyFault::Key);
        }
        let id = key_id(name, key_type, key.raw());
        Ok(Self { name: name.to_owned(), id, key_type, key })
    }

    /// Parses the one spelling of a verifier key.
    pub fn parse(text: &str) -> Result<Self, VkeyFault> {
        if text.len() > VKEY_BYTES_MAX {
            return Err(VkeyFault::Shape);
        }
        let (name, rest) = text.split_once('+').ok_or(VkeyFault::Shape)?;
        let (id, key) = rest.split_once('+').ok_or(VkeyFault::Shape)?;
        let key = std_decode(key).map_err(|_| VkeyFault::Shape)?;
        let (type_byte, key) = key.split_first().ok_or(VkeyFault::Shape)?;
        let key_type = KeyType::from_byte(*type_byte).ok_or(VkeyFault::Type(*type_byte))?;
        let key = PublicKey::from_raw(key_type.key_alg(), key).map_err(|_| VkeyFault::Key)?;
        let parsed = Self::new(name, key_type, key)?;
        if crypto::hex::encode(&parsed.id) == id { Ok(parsed) } else { Err(VkeyFault::Id) }
    }

    /// The key name; for a log it is the origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes that signature lines carry.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The signature type.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// `SHA256(vkey)`: what people compare by another way, and what `log-created` holds.
    pub fn fingerprint(&self) -> Hash {
        sha256(self.to_string().as_bytes())
    }

    /// Checks the bytes behind the key id of a signature line; gives the time that the signature states.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, SignatureFault> {
        let (time, signature) = match self.key_type.is_timed() {
            true => {
                let (time, rest) = signature.split_first_chunk::<8>().ok_or(SignatureFault::Length)?;
                (Some(u64::from_be_bytes(*time)), rest)
            }
            false => (None, signature),
        };
        if signature.len() != self.key_type.signature_bytes() {
            return Err(SignatureFault::Length);
        }
        let message = message_to_sign(text, self.key_type, &self.name, time.unwrap_or_default())?;
        let verdict = self.key.verify(self.key_type.sign_alg(), &message, signature);
        verdict.map(|()| time).map_err(|_| SignatureFault::Bad)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.key_type.byte()];
        bytes.extend_from_slice(self.key.raw());
        write!(f, "{}+{}+{}", self.name, crypto::hex::encode(&self.id), std_encode(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({}+{})", self.name, crypto::hex::encode(&self.id))
    }
}

/// What a key of this type signs for a note text. `name` is the key's name, `time_s` the second that the signature
/// will state (unused for [`KeyType::Ed25519`]; else from 1 to 2^63 − 1).
pub fn message_to_sign(
    text: &str,
    key_type: KeyType,
    name: &str,
    time_s: u64,
) -> Result<Vec<u8>, SignatureFault> {
    if key_type.is_timed() && !(1..=SIZE_MAX).contains(&time_s) {
        return Err(SignatureFault::Time);
    }
    match key_type {
        KeyType::Ed25519 => Ok(text.as_bytes().to_vec()),
        KeyType::CosignatureEd25519 => Ok(format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()),
        KeyType::MlDsa44 => {
            let checkpoint = Checkpoint::parse(text).map_err(|_| SignatureFault::NoCheckpoint)?;
            cosigned_message(&checkpoint, name, time_s).ok_or(SignatureFault::NoCheckpoint)
        }
    }
}

/// `cosigned_message` of c2sp.org/tlog-cosignature for a whole tree; `None` if a name does not fit its length byte.
fn cosigned_message(checkpoint: &Checkpoint, name: &str, time_s: u64) -> Option<Vec<u8>> {
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(u8::try_from(name.len()).ok()?);
    message.extend_from_slice(name.as_bytes());
    message.extend_from_slice(&time_s.to_be_bytes());
    message.push(u8::try_from(checkpoint.origin.len()).ok()?);
    message.extend_from_slice(checkpoint.origin.as_bytes());
    message.extend_from_slice(&0u64.to_be_bytes());
    message.extend_from_slice(&checkpoint.size.to_be_bytes());
    message.extend_from_slice(&checkpoint.root);
    Some(message)
}

fn key_id(name: &str, key_type: KeyType, key: &[u8]) -> [u8; 4] {
    let hash = sha256_of(&[name.as_bytes(), b"\n", &[key_type.byte()], key]);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Whether a text can name a key: not empty, no white space of any script, no `+`, no control character.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ')
}
