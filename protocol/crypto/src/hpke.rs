//! HPKE (RFC 9180), base mode, one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, and the exporter.
//!
//! ```text
//! seal(public, info, aad, plain) ─▶ enc 32, ciphertext + 16 ─▶ open(private, enc, info, aad, ciphertext) ─▶ plain
//!                    └─ exporter ────────────────────────────────────────┘
//! ```
//!
//! One suite and no sequence numbers: a key of it seals exactly once, so the nonce is the base nonce. The info is hashed once
//! ([`Info`]), since a relay opens a whole round under one.

use std::fmt;

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};

use crate::aead;
use crate::hash::hmac_sha256;
use crate::kdf;
use crate::random;
use crate::secret::Secret;

/// Bytes of a key, and of the encapsulated key before a ciphertext.
pub const ENC_BYTES: usize = 32;
/// Bytes that sealing adds to a plaintext, beside [`ENC_BYTES`].
pub const TAG_BYTES: usize = aead::TAG_BYTES;

const KEM_SUITE: [u8; 5] = [b'K', b'E', b'M', 0x00, 0x20];
const AES_256_GCM: u16 = 0x0002;
const VERSION: &[u8] = b"HPKE-v1";

/// What does not open, or a public key that no secret can be agreed with. Which, is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub struct HpkeError;

/// A private X25519 key of a receiver. Wiped when dropped.
pub struct HpkePrivateKey {
    key: agreement::PrivateKey,
    public: [u8; 32],
}

impl HpkePrivateKey {
    /// A fresh key from the provider's own generator.
    ///
    /// # Panics
    /// When the provider has no entropy.
    pub fn generate() -> Self {
        Self::from_secret(&Secret::new(random::array()))
    }

    /// The key of 32 secret bytes (RFC 7748: any 32 bytes are one).
    ///
    /// # Panics
    /// Never: the length is that of the type.
    pub fn from_secret(secret: &Secret<[u8; 32]>) -> Self {
        let key = agreement::PrivateKey::from_private_key(&X25519, secret.expose())
            .expect("any 32 bytes are an X25519 key");
        let public = key.compute_public_key().expect("a private key has a public one");
        Self { public: public.as_ref().try_into().expect("X25519 keys have 32 bytes"), key }
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    fn agree(&self, peer: &[u8; 32]) -> Result<Secret<[u8; 32]>, HpkeError> {
        // The provider refuses points of small order, whose secret would be zeros.
        agreement::agree(&self.key, UnparsedPublicKey::new(&X25519, peer), HpkeError, |shared| {
            shared.try_into().map(Secret::new).map_err(|_| HpkeError)
        })
    }
}

impl fmt::Debug for HpkePrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HpkePrivateKey(x25519)")
    }
}

/// The application's info, as the key schedule takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info([u8; 65]);

impl Info {
    /// Hashes the info: the `key_schedule_context` of base mode.
    pub fn new(info: &[u8]) -> Self {
        Self(schedule_context(AES_256_GCM, info))
    }
}

/// What sealing gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The ephemeral public key.
    pub enc: [u8; ENC_BYTES],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

/// The exporter of one message (RFC 9180, 5.3).
pub struct Exporter(Secret<[u8; 32]>);

impl Exporter {
    /// 32 bytes that only the two ends can make.
    pub fn export(&self, context: &[u8]) -> Secret<[u8; 32]> {
        labeled_expand(&self.0, &suite(AES_256_GCM), b"sec", context)
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter(…)")
    }
}

/// Seals one message to `public`. `ephemeral` is 32 fresh random bytes: two messages under one are read by whoever has both.
///
/// # Errors
/// [`HpkeError`] where the public key is of small order.
pub fn seal(
    public: &[u8; 32],
    info: &Info,
    aad: &[u8],
    plain: &[u8],
    ephemeral: &Secret<[u8; 32]>,
) -> Result<Sealed, HpkeError> {
    seal_exporting(public, info, aad, plain, ephemeral).map(|(sealed, _)| sealed)
}

/// As [`seal`], with the exporter of the message.
///
/// # Errors
/// [`HpkeError`].
pub fn seal_exporting(
    public: &[u8; 32],
    info: &Info,
    aad: &[u8],
    plain: &[u8],
    ephemeral: &Secret<[u8; 32]>,
) -> Result<(Sealed, Exporter), HpkeError> {
    let ephemeral = HpkePrivateKey::from_secret(ephemeral);
    let enc = ephemeral.public();
    let shared = shared_secret(&ephemeral.agree(public)?, &enc, public);
    let keys = schedule::<32>(AES_256_GCM, &shared, &info.0);
    let ciphertext = aead::seal_aes256gcm(keys.key.expose(), &keys.nonce, aad, plain);
    Ok((Sealed { enc, ciphertext }, Exporter(keys.exporter())))
}

/// Opens one message.
///
/// # Errors
/// [`HpkeError`].
pub fn open(
    private: &HpkePrivateKey,
    enc: &[u8; ENC_BYTES],
    info: &Info,
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Secret<Vec<u8>>, HpkeError> {
    let shared = shared_secret(&private.agree(enc)?, enc, &private.public);
    let keys = schedule::<32>(AES_256_GCM, &shared, &info.0);
    aead::open_aes256gcm(keys.key.expose(), &keys.nonce, aad, ciphertext).map_err(|_| HpkeError)
}

/// As [`open`], with the exporter of the message.
///
/// # Errors
/// [`HpkeError`].
pub fn open_exporting(
    private: &HpkePrivateKey,
    enc: &[u8; ENC_BYTES],
    info: &Info,
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<(Secret<Vec<u8>>, Exporter), HpkeError> {
    let shared = shared_secret(&private.agree(enc)?, enc, &private.public);
    let keys = schedule::<32>(AES_256_GCM, &shared, &info.0);
    let plain =
        aead::open_aes256gcm(keys.key.expose(), &keys.nonce, aad, ciphertext).map_err(|_| HpkeError)?;
    Ok((plain, Exporter(keys.exporter())))
}

/// DHKEM's ExtractAndExpand (RFC 9180, 4.1).
fn shared_secret(agreed: &Secret<[u8; 32]>, enc: &[u8; 32], public: &[u8; 32]) -> Secret<[u8; 32]> {
    let prk = labeled_extract(&[], &KEM_SUITE, b"eae_prk", agreed.expose());
    labeled_expand(&prk, &KEM_SUITE, b"shared_secret", &[&enc[..], public].concat())
}

struct Keys<const NK: usize> {
    key: Secret<[u8; NK]>,
    nonce: [u8; aead::NONCE_BYTES],
    secret: Secret<[u8; 32]>,
    aead_id: u16,
    context: [u8; 65],
}

impl<const NK: usize> Keys<NK> {
    /// Made on demand: few messages need it.
    fn exporter(&self) -> Secret<[u8; 32]> {
        labeled_expand(&self.secret, &suite(self.aead_id), b"exp", &self.context)
    }
}

/// KeySchedule (RFC 9180, 5.1) of base mode.
fn schedule<const NK: usize>(aead_id: u16, shared: &Secret<[u8; 32]>, context: &[u8; 65]) -> Keys<NK> {
    let suite = suite(aead_id);
    let secret = labeled_extract(shared.expose(), &suite, b"secret", &[]);
    let nonce: Secret<[u8; aead::NONCE_BYTES]> = labeled_expand(&secret, &suite, b"base_nonce", context);
    let key = labeled_expand(&secret, &suite, b"key", context);
    Keys { key, nonce: *nonce.expose(), secret, aead_id, context: *context }
}

fn schedule_context(aead_id: u16, info: &[u8]) -> [u8; 65] {
    const BASE: u8 = 0;
    let suite = suite(aead_id);
    let mut context = [BASE; 65];
    context[1..33].copy_from_slice(labeled_extract(&[], &suite, b"psk_id_hash", &[]).expose());
    context[33..].copy_from_slice(labeled_extract(&[], &suite, b"info_hash", info).expose());
    context
}

fn suite(aead_id: u16) -> [u8; 10] {
    let [high, low] = aead_id.to_be_bytes();
    [b'H', b'P', b'K', b'E', 0x00, 0x20, 0x00, 0x01, high, low]
}

fn labeled_extract(salt: &[u8], suite: &[u8], label: &[u8], ikm: &[u8]) -> Secret<[u8; 32]> {
    Secret::new(hmac_sha256(salt, &[VERSION, suite, label, ikm]))
}

fn labeled_expand<const N: usize>(
    prk: &Secret<[u8; 32]>,
    suite: &[u8],
    label: &[u8],
    info: &[u8],
) -> Secret<[u8; N]> {
    let length = u16::try_from(N).expect("a key has fewer than 65,536 bytes");
    kdf::expand_sha256(prk, &[&length.to_be_bytes(), VERSION, suite, label, info])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 9180, appendix A.1.1: the KEM and the key schedule are those of our suite but for the number of the AEAD.
    #[test]
    fn the_kem_and_the_schedule_are_those_of_rfc_9180_a_1_1() {
        let receiver = HpkePrivateKey::from_secret(&Secret::new(bytes(
            "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
        )));
        let ephemeral = HpkePrivateKey::from_secret(&Secret::new(bytes(
            "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
        )));
        let (public, enc) = (receiver.public(), ephemeral.public());
        assert_eq!(hex::encode(&public), "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        assert_eq!(hex::encode(&enc), "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        let shared = shared_secret(&ephemeral.agree(&public).unwrap(), &enc, &public);
        assert_eq!(
            hex::encode(shared.expose()),
            "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
        );
        let context =
            schedule_context(0x0001, &hex::decode("4f6465206f6e2061204772656369616e2055726e").unwrap());
        let keys = schedule::<16>(0x0001, &shared, &context);
        assert_eq!(hex::encode(keys.key.expose()), "4531685d41d65f03dc48f6b8302c05b0");
        assert_eq!(hex::encode(&keys.nonce), "56d890e5accaaf011cff4b7d");
        assert_eq!(
            hex::encode(keys.exporter().expose()),
            "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8"
        );
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_info_and_aad_alone() {
        let receiver = HpkePrivateKey::generate();
        let info = Info::new(b"info");
        let (sealed, ours) =
            seal_exporting(&receiver.public(), &info, b"aad", b"plain", &Secret::new([7; 32])).unwrap();
        let (plain, theirs) =
            open_exporting(&receiver, &sealed.enc, &info, b"aad", &sealed.ciphertext).unwrap();
        assert_eq!(plain.expose(), b"plain");
        assert_eq!(ours.export(b"answer").expose(), theirs.export(b"answer").expose());
        assert_ne!(ours.export(b"answer").expose(), theirs.export(b"other").expose());
        let opens = |info: &[u8], aad: &[u8], enc: &[u8; 32], key: &HpkePrivateKey| {
            open(key, enc, &Info::new(info), aad, &sealed.ciphertext).is_ok()
        };
        assert!(opens(b"info", b"aad", &sealed.enc, &receiver));
        assert!(!opens(b"inf", b"aad", &sealed.enc, &receiver));
        assert!(!opens(b"info", b"aa", &sealed.enc, &receiver));
        assert!(!opens(b"info", b"aad", &sealed.enc, &HpkePrivateKey::generate()));
    }

    #[test]
    fn a_changed_enc_never_opens_not_even_the_same_point_written_otherwise() {
        let receiver = HpkePrivateKey::generate();
        let info = Info::new(b"");
        let sealed = seal(&receiver.public(), &info, b"", b"plain", &Secret::new([7; 32])).unwrap();
        for bit in 0..256 {
            // Bit 255 is ignored by X25519, but stands in the KEM's context.
            let mut enc = sealed.enc;
            enc[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&receiver, &enc, &info, b"", &sealed.ciphertext).unwrap_err(),
                HpkeError,
                "{bit}"
            );
        }
    }

    #[test]
    fn points_of_small_order_are_refused_on_both_sides() {
        let receiver = HpkePrivateKey::generate();
        let info = Info::new(b"");
        for point in [[0; 32], bytes("0100000000000000000000000000000000000000000000000000000000000000")] {
            assert_eq!(seal(&point, &info, b"", b"", &Secret::new([7; 32])).unwrap_err(), HpkeError);
            assert_eq!(open(&receiver, &point, &info, b"", &[0; 16]).unwrap_err(), HpkeError);
        }
    }
}
