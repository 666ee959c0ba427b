//! From T0 and four public keys to the codes and keys of a session, on both sides.
//!
//! ```text
//!   server:  ECDH(e, D) ── tail ─▶ (keeper: HKDF-Extract(T0, ECDH(s, D) ‖ tail)) ── from_prk ──┐
//!   wallet:  ECDH(d, S) ‖ ECDH(d, E) ── wallet ────────────────────────────────────────────────┴▶ KeySchedule
//! ```

use std::fmt;

use crypto::key::{AgreeError, Ecdh, KeyAlg, PublicKey};
use crypto::secret::Secret;
use crypto::{hash, kdf};

use super::frame;
use super::{Sid, T0};

/// The public keys of a session.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The server's static agreement key.
    pub s: &'a PublicKey,
    /// Its key of this session.
    pub e: &'a PublicKey,
    /// The wallet's agreement key.
    pub d: &'a PublicKey,
    /// The wallet's DeviceKey.
    pub dk: &'a PublicKey,
}

impl Parties<'_> {
    /// `KC`: every key is bound to all four parties, so that nobody unknown shares one.
    fn commitment(&self) -> [u8; 32] {
        let parts = [self.s.raw(), self.e.raw(), self.d.raw(), self.dk.raw()];
        hash::sha256(&frame("seal/1 keys", &parts))
    }
}

/// The keys of one session. Wiped when dropped.
pub struct KeySchedule {
    prk: Secret<[u8; 32]>,
    commitment: [u8; 32],
}

impl KeySchedule {
    /// The server's second half of the input, `ECDH(E, D)`: what its keeper appends to `ECDH(S, D)` before it extracts with
    /// salt T0.
    ///
    /// # Errors
    /// [`AgreeError`] when `d` is not on P-256.
    pub fn tail(e: &Ecdh, d: &PublicKey) -> Result<Secret<Vec<u8>>, AgreeError> {
        e.agree(d)
    }

    /// The schedule of a pseudorandom key that a keeper extracted: `HKDF-Extract(T0, ECDH(S, D) ‖ tail)`.
    pub fn from_prk(prk: Secret<[u8; 32]>, parties: &Parties<'_>) -> KeySchedule {
        KeySchedule { prk, commitment: parties.commitment() }
    }

    /// The server's schedule where it holds both of its keys itself.
    ///
    /// # Errors
    /// [`AgreeError`] when `parties.d` is not on P-256.
    pub fn server(t0: &T0, parties: &Parties<'_>, s: &Ecdh, e: &Ecdh) -> Result<KeySchedule, AgreeError> {
        let (long, short) = (s.agree(parties.d)?, e.agree(parties.d)?);
        Ok(Self::from_prk(kdf::extract_sha256(t0.as_bytes(), &[long.expose(), short.expose()]), parties))
    }

    /// The wallet's schedule.
    ///
    /// # Errors
    /// [`AgreeError`] when S or E is not on P-256.
    pub fn wallet(t0: &T0, parties: &Parties<'_>, d: &Ecdh) -> Result<KeySchedule, AgreeError> {
        let (long, short) = (d.agree(parties.s)?, d.agree(parties.e)?);
        Ok(Self::from_prk(kdf::extract_sha256(t0.as_bytes(), &[long.expose(), short.expose()]), parties))
    }

    /// The code that the browser shows and the person gives to the wallet.
    pub fn service_code(&self) -> OneTimeCode {
        OneTimeCode::of(&self.expand("seal/1 svc-otp"))
    }

    /// The code that the wallet's answer carries.
    pub fn user_code(&self) -> OneTimeCode {
        OneTimeCode::of(&self.expand("seal/1 usr-otp"))
    }

    /// The tag of an answer: `HMAC-SHA256(K_mac, JCS(R))`.
    pub fn response_tag(&self, response: &[u8]) -> [u8; 32] {
        hash::hmac_sha256(self.expand::<32>("seal/1 resp-mac").expose(), &[response])
    }

    pub(super) fn document_key(&self) -> Secret<[u8; 32]> {
        self.expand("seal/1 doc-aead")
    }

    fn expand<const N: usize>(&self, label: &str) -> Secret<[u8; N]> {
        kdf::expand_sha256(&self.prk, &[&frame(label, &[&self.commitment])])
    }
}

impl fmt::Debug for KeySchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySchedule(…)")
    }
}

/// Six digits that two parties derive. `Debug` shows none of them.
pub struct OneTimeCode(Secret<String>);

impl OneTimeCode {
    /// `dec6(x) = u64be(x) mod 10^6`, zero padded.
    fn of(bytes: &Secret<[u8; 8]>) -> Self {
        Self(Secret::new(format!("{:06}", u64::from_be_bytes(*bytes.expose()) % 1_000_000)))
    }

    /// The six digits, to be shown or signed.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether `text` is this code, in time that depends on its length alone. White space that people type is not taken off here.
    pub fn matches(&self, text: &str) -> bool {
        hash::equal(self.0.expose().as_bytes(), text.as_bytes())
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

/// A point of a message: SEC 1, uncompressed, on P-256.
///
/// # Errors
/// [`AgreeError`].
pub fn read_point(bytes: &[u8]) -> Result<PublicKey, AgreeError> {
    PublicKey::from_raw(KeyAlg::P256, bytes).map_err(|_| AgreeError)
}

/// What proves, at enrolment, that the wallet holds the private half of D:
/// `HMAC(HKDF(ECDH(S, D), salt challenge, info frame("seal/1 enrol", H(DK))), challenge)`. `prk` is
/// `HKDF-Extract(challenge, ECDH(S, D))`, from the keeper on one side and [`enrolment_prk`] on the other.
pub fn enrolment_proof(prk: &Secret<[u8; 32]>, dk: &PublicKey, challenge: &[u8; 32]) -> [u8; 32] {
    let info = frame("seal/1 enrol", &[&hash::sha256(dk.raw())]);
    let key = kdf::expand_sha256::<32>(prk, &[&info]);
    hash::hmac_sha256(key.expose(), &[challenge])
}

/// The wallet's side of [`enrolment_proof`].
///
/// # Errors
/// [`AgreeError`] when S is not on P-256.
pub fn enrolment_prk(d: &Ecdh, s: &PublicKey, challenge: &[u8; 32]) -> Result<Secret<[u8; 32]>, AgreeError> {
    Ok(kdf::extract_sha256(challenge, &[d.agree(s)?.expose()]))
}

/// The code with which the Relying Party fetches its tokens: base64url of `HMAC(k_code, frame("seal/1 code", sid, T0))`.
pub fn authorization_code(k_code: &Secret<[u8; 32]>, sid: &Sid, t0: &T0) -> Secret<String> {
    let mac = hash::hmac_sha256(k_code.expose(), &[&frame("seal/1 code", &[sid.as_bytes(), t0.as_bytes()])]);
    Secret::new(crypto::base64::url_encode(&mac))
}
