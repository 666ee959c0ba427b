//! Encrypted objects in compact form (RFC 7516): ECDH-ES on P-256 direct to AES-GCM, and nothing else.
//!
//! ```text
//!   encrypt_ecdh_es(recipient, …) ──▶ text
//!   text ── Jwe::parse ──▶ Jwe (kid, enc) ── decrypt(Ecdh) ──▶ Secret plaintext
//! ```
//!
//! The sender is not authenticated: who may answer is the business of what is inside. `zip` is refused, so a
//! small text cannot become a large one.

use serde_json::{Map, Value};

use super::{HeaderError, read_header, text, write_json};
use crate::aead;
use crate::base64;
use crate::hash;
use crate::json::Limits;
use crate::jwk::{Jwk, JwkError};
use crate::key::{Ecdh, KeyAlg, PublicKey};
use crate::random;
use crate::secret::Secret;

const ALG: &str = "ECDH-ES";

/// Content encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enc {
    /// AES-128-GCM.
    A128Gcm,
    /// AES-256-GCM.
    A256Gcm,
}

impl Enc {
    /// Both, for metadata.
    pub const ALL: [Self; 2] = [Self::A128Gcm, Self::A256Gcm];

    /// The name of RFC 7518, 5.1.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The encryption of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.name() == name)
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

/// Why a text is no JWE of the house, or does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Longer than the limit.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Not five parts of canonical base64url with an IV of 12 and a tag of 16 bytes.
    #[error("not five parts of canonical base64url")]
    Form,
    /// The header is not acceptable.
    #[error("header: {0}")]
    Header(#[from] HeaderError),
    /// `alg` is not `ECDH-ES`.
    #[error("a key management algorithm that is not accepted")]
    UnsupportedAlg,
    /// `enc` is neither `A128GCM` nor `A256GCM`.
    #[error("a content encryption that is not accepted")]
    UnsupportedEnc,
    /// Direct agreement carries no encrypted key (RFC 7516, 5.2, step 10), and one is there.
    #[error("an encrypted key where none belongs")]
    EncryptedKey,
    /// `epk` is not a public P-256 key.
    #[error("epk is not a public P-256 key")]
    EphemeralKey,
    /// The recipient's key is not on P-256.
    #[error("the recipient's key is not on P-256")]
    Recipient,
    /// Another recipient's, or changed on the way.
    #[error("the object does not open with this key")]
    Undecryptable,
}

/// Encrypts `plain` to a P-256 key with a fresh ephemeral key. `kid`, `apu` and `apv` go into the header as given.
///
/// # Errors
/// [`JweError::Recipient`] when the key is of another kind.
pub fn encrypt_ecdh_es(
    to: &PublicKey,
    kid: Option<&str>,
    enc: Enc,
    apu: Option<&[u8]>,
    apv: Option<&[u8]>,
    plain: &[u8],
) -> Result<String, JweError> {
    if to.alg() != KeyAlg::P256 {
        return Err(JweError::Recipient);
    }
    let ephemeral = Ecdh::generate();
    let mut header = Map::new();
    header.insert("alg".into(), ALG.into());
    header.insert("enc".into(), enc.name().into());
    header.extend(kid.map(|kid| ("kid".to_owned(), Value::from(kid))));
    header.insert("epk".into(), Jwk::from_key(&ephemeral.public()).to_value());
    header.extend(apu.map(|apu| ("apu".to_owned(), Value::from(base64::url_encode(apu)))));
    header.extend(apv.map(|apv| ("apv".to_owned(), Value::from(base64::url_encode(apv)))));
    let header = write_json(&header);

    let shared = ephemeral.agree(to).map_err(|_| JweError::Recipient)?;
    let key = derive(&shared, enc, apu.unwrap_or_default(), apv.unwrap_or_default());
    let iv = random::array::<{ aead::NONCE_BYTES }>();
    let sealed = key.seal(&iv, header.as_bytes(), plain);
    let (ciphertext, tag) = sealed.split_at(sealed.len() - aead::TAG_BYTES);
    let [iv, ciphertext, tag] = [&iv, ciphertext, tag].map(base64::url_encode);
    Ok(format!("{header}..{iv}.{ciphertext}.{tag}"))
}

/// An encrypted object whose form is sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwe {
    /// The header as sent: it is authenticated.
    encoded_header: String,
    header: Map<String, Value>,
    enc: Enc,
    ephemeral: PublicKey,
    apu: Vec<u8>,
    apv: Vec<u8>,
    iv: [u8; aead::NONCE_BYTES],
    sealed: Vec<u8>,
}

impl Jwe {
    /// Reads the compact form; `limits.bytes_max` bounds the whole text.
    ///
    /// # Errors
    /// Every variant of [`JweError`] but `Recipient` and `Undecryptable`.
    pub fn parse(compact: &str, limits: &Limits) -> Result<Self, JweError> {
        if compact.len() > limits.bytes_max {
            return Err(JweError::TooLong { max: limits.bytes_max });
        }
        let mut parts = compact.split('.');
        let mut part = || parts.next().ok_or(JweError::Form);
        let [encoded_header, encrypted_key, iv, ciphertext, tag] =
            [part()?, part()?, part()?, part()?, part()?];
        if parts.next().is_some() {
            return Err(JweError::Form);
        }
        let header = read_header(encoded_header, limits)?;
        if text(&header, "alg")?.ok_or(HeaderError::Member { name: "alg" })? != ALG {
            return Err(JweError::UnsupportedAlg);
        }
        let enc = text(&header, "enc")?.ok_or(HeaderError::Member { name: "enc" })?;
        let enc = Enc::from_name(enc).ok_or(JweError::UnsupportedEnc)?;
        text(&header, "kid")?;
        if !encrypted_key.is_empty() {
            return Err(JweError::EncryptedKey);
        }
        let decode = |part| base64::url_decode(part).map_err(|_| JweError::Form);
        let tag: [u8; aead::TAG_BYTES] = decode(tag)?.try_into().map_err(|_| JweError::Form)?;
        let mut sealed = decode(ciphertext)?;
        sealed.extend(tag);
        Ok(Self {
            encoded_header: encoded_header.to_owned(),
            enc,
            ephemeral: ephemeral_key(&header)?,
            apu: party(&header, "apu")?,
            apv: party(&header, "apv")?,
            iv: decode(iv)?.try_into().map_err(|_| JweError::Form)?,
            sealed,
            header,
        })
    }

    /// The protected header.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The `kid` of the header: which of our keys it says it is for.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The content encryption.
    pub fn enc(&self) -> Enc {
        self.enc
    }

    /// The sender's `apu`, empty when absent.
    pub fn apu(&self) -> &[u8] {
        &self.apu
    }

    /// The sender's `apv`, empty when absent.
    pub fn apv(&self) -> &[u8] {
        &self.apv
    }

    /// Opens the object.
    ///
    /// # Errors
    /// [`JweError::Undecryptable`] for any reason.
    pub fn decrypt(&self, key: &Ecdh) -> Result<Secret<Vec<u8>>, JweError> {
        let shared = key.agree(&self.ephemeral).map_err(|_| JweError::Undecryptable)?;
        derive(&shared, self.enc, &self.apu, &self.apv)
            .open(&self.iv, self.encoded_header.as_bytes(), &self.sealed)
            .map_err(|_| JweError::Undecryptable)
    }
}

fn ephemeral_key(header: &Map<String, Value>) -> Result<PublicKey, JweError> {
    let value = header.get("epk").ok_or(HeaderError::Member { name: "epk" })?;
    let key = Jwk::from_value(value).map_err(|_: JwkError| JweError::EphemeralKey)?;
    if key.key().alg() == KeyAlg::P256 { Ok(key.key().clone()) } else { Err(JweError::EphemeralKey) }
}

fn party(header: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JweError> {
    let encoded = text(header, name)?.unwrap_or_default();
    Ok(base64::url_decode(encoded).map_err(|_| HeaderError::Member { name })?)
}

enum ContentKey {
    Short(Secret<[u8; 16]>),
    Long(Secret<[u8; 32]>),
}

impl ContentKey {
    fn seal(&self, iv: &[u8; aead::NONCE_BYTES], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Short(key) => aead::seal_aes128gcm(key.expose(), iv, aad, plain),
            Self::Long(key) => aead::seal_aes256gcm(key.expose(), iv, aad, plain),
        }
    }

    fn open(
        &self,
        iv: &[u8; aead::NONCE_BYTES],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, aead::OpenError> {
        match self {
            Self::Short(key) => aead::open_aes128gcm(key.expose(), iv, aad, sealed),
            Self::Long(key) => aead::open_aes256gcm(key.expose(), iv, aad, sealed),
        }
    }
}

/// Concat KDF with SHA-256, one round, since no key is longer than a digest (RFC 7518, 4.6.2).
fn derive(shared: &Secret<Vec<u8>>, enc: Enc, apu: &[u8], apv: &[u8]) -> ContentKey {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("header parts are bounded").to_be_bytes();
    let id = enc.name().as_bytes();
    let bits = u32::try_from(enc.key_bytes() * 8).expect("128 or 256").to_be_bytes();
    let digest = Secret::new(hash::sha256_of(&[
        &1_u32.to_be_bytes(),
        shared.expose(),
        &length(id),
        id,
        &length(apu),
        apu,
        &length(apv),
        apv,
        &bits,
    ]));
    match enc {
        Enc::A256Gcm => ContentKey::Long(digest),
        Enc::A128Gcm => {
            let mut short = Secret::new([0; 16]);
            short.place().copy_from_slice(&digest.expose()[..16]);
            ContentKey::Short(short)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::key::PrivateKey;

    const LIMITS: Limits = Limits { bytes_max: 16 * 1024, depth_max: 8 };

    #[test]
    fn the_derived_key_is_that_of_rfc_7518_appendix_c() {
        let bob = base64::url_decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let alice = json!({"kty": "EC", "crv": "P-256", "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"});
        let shared = Ecdh::from_secret(&bob).unwrap().agree(Jwk::from_value(&alice).unwrap().key()).unwrap();
        let ContentKey::Short(key) = derive(&shared, Enc::A128Gcm, b"Alice", b"Bob") else {
            panic!("128 bits")
        };
        assert_eq!(base64::url_encode(key.expose()), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn what_is_encrypted_opens_for_its_recipient_alone() {
        let key = Ecdh::generate();
        for enc in Enc::ALL {
            let text =
                encrypt_ecdh_es(&key.public(), Some("k1"), enc, Some(b"u"), Some(b"v"), b"hello").unwrap();
            let jwe = Jwe::parse(&text, &LIMITS).unwrap();
            assert_eq!((jwe.kid(), jwe.enc(), jwe.apu(), jwe.apv()), (Some("k1"), enc, &b"u"[..], &b"v"[..]));
            assert_eq!(jwe.decrypt(&key).unwrap().expose(), b"hello");
            assert_eq!(jwe.decrypt(&Ecdh::generate()).unwrap_err(), JweError::Undecryptable);
        }
        let text = encrypt_ecdh_es(&key.public(), None, Enc::A256Gcm, None, None, b"").unwrap();
        let jwe = Jwe::parse(&text, &LIMITS).unwrap();
        assert!(jwe.kid().is_none() && jwe.decrypt(&key).unwrap().expose().is_empty());
    }

    #[test]
    fn each_encryption_has_its_own_ephemeral_key_and_iv() {
        let key = Ecdh::generate().public();
        let [one, other] =
            [(); 2].map(|()| encrypt_ecdh_es(&key, None, Enc::A128Gcm, None, None, b"m").unwrap());
        let (one, other) = (Jwe::parse(&one, &LIMITS).unwrap(), Jwe::parse(&other, &LIMITS).unwrap());
        assert!(one.ephemeral != other.ephemeral && one.iv != other.iv);
    }

    #[test]
    fn a_change_in_any_part_does_not_open() {
        let key = Ecdh::generate();
        let text = encrypt_ecdh_es(&key.public(), Some("k1"), Enc::A256Gcm, None, None, b"hello").unwrap();
        let parts: Vec<_> = text.split('.').collect();
        for part in [0, 2, 3, 4] {
            let mut bytes = base64::url_decode(parts[part]).unwrap();
            *bytes.last_mut().unwrap() ^= if part == 0 { b'}' ^ b' ' } else { 1 };
            let mut changed = parts.clone();
            let encoded = base64::url_encode(&bytes);
            changed[part] = &encoded;
            let opened = Jwe::parse(&changed.join("."), &LIMITS).and_then(|jwe| jwe.decrypt(&key));
            assert!(opened.is_err(), "part {part}");
        }
        // The header is authenticated as sent: the same JSON in other bytes does not open.
        let header = String::from_utf8(base64::url_decode(parts[0]).unwrap()).unwrap();
        let spaced = base64::url_encode(header.replace("\"kid\":", "\"kid\": ").as_bytes());
        let jwe = Jwe::parse(&text.replacen(parts[0], &spaced, 1), &LIMITS).unwrap();
        assert_eq!(jwe.decrypt(&key).unwrap_err(), JweError::Undecryptable);
    }

    fn with_header(change: impl FnOnce(&mut Map<String, Value>)) -> JweError {
        let key = Ecdh::generate();
        let text = encrypt_ecdh_es(&key.public(), None, Enc::A256Gcm, None, None, b"hello").unwrap();
        let (header, rest) = text.split_once('.').unwrap();
        let mut header = read_header(header, &LIMITS).unwrap();
        change(&mut header);
        let text = format!("{}.{rest}", write_json(&header));
        Jwe::parse(&text, &LIMITS).and_then(|jwe| jwe.decrypt(&key)).unwrap_err()
    }

    #[test]
    fn other_algorithms_compression_and_critical_members_are_refused() {
        for alg in ["ECDH-ES+A128KW", "RSA-OAEP", "RSA1_5", "dir", "A256KW", "PBES2-HS256+A128KW", "none"] {
            assert_eq!(with_header(|header| header["alg"] = alg.into()), JweError::UnsupportedAlg);
        }
        for enc in ["A128CBC-HS256", "A192GCM", "none", ""] {
            assert_eq!(with_header(|header| header["enc"] = enc.into()), JweError::UnsupportedEnc);
        }
        for name in ["zip", "crit", "b64"] {
            let error = with_header(|header| drop(header.insert(name.into(), "DEF".into())));
            assert_eq!(error, JweError::Header(HeaderError::Forbidden { name }));
        }
    }

    #[test]
    fn an_ephemeral_key_off_the_curve_of_another_kind_or_private_is_refused() {
        let p384 = Jwk::from_key(&PrivateKey::generate(KeyAlg::P384).public()).to_value();
        assert_eq!(with_header(|header| header["epk"] = p384), JweError::EphemeralKey);
        assert_eq!(with_header(|header| header["epk"]["d"] = "AA".into()), JweError::EphemeralKey);
        let off = |header: &mut Map<String, Value>| header["epk"]["y"] = header["epk"]["x"].clone();
        assert_eq!(with_header(off), JweError::EphemeralKey);
        let missing = with_header(|header| drop(header.shift_remove("epk")));
        assert_eq!(missing, JweError::Header(HeaderError::Member { name: "epk" }));
        let other = Jwk::from_key(&Ecdh::generate().public()).to_value();
        assert_eq!(with_header(|header| header["epk"] = other), JweError::Undecryptable);
    }

    #[test]
    fn an_encrypted_key_a_short_tag_or_another_number_of_parts_is_refused() {
        let key = Ecdh::generate();
        let text = encrypt_ecdh_es(&key.public(), None, Enc::A256Gcm, None, None, b"hello").unwrap();
        let filled = text.replacen("..", ".AAAA.", 1);
        assert_eq!(Jwe::parse(&filled, &LIMITS), Err(JweError::EncryptedKey));
        let (rest, tag) = text.rsplit_once('.').unwrap();
        let short = base64::url_encode(&base64::url_decode(tag).unwrap()[..12]);
        assert_eq!(Jwe::parse(&format!("{rest}.{short}"), &LIMITS), Err(JweError::Form));
        assert_eq!(Jwe::parse(rest, &LIMITS), Err(JweError::Form));
        assert_eq!(Jwe::parse(&format!("{text}.AAAA"), &LIMITS), Err(JweError::Form));
        assert_eq!(Jwe::parse(&format!("{text}="), &LIMITS), Err(JweError::Form));
        assert!(matches!(
            Jwe::parse(&text, &Limits { bytes_max: 10, depth_max: 8 }),
            Err(JweError::TooLong { max: 10 })
        ));
    }

    #[test]
    fn a_recipient_of_another_curve_is_refused() {
        let p384 = PrivateKey::generate(KeyAlg::P384).public();
        assert_eq!(encrypt_ecdh_es(&p384, None, Enc::A128Gcm, None, None, b""), Err(JweError::Recipient));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_.=-]{0,64}|.{0,32}") {
            let _ = Jwe::parse(&text, &LIMITS);
        }
    }
}
