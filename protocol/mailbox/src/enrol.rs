//! How an invite becomes a contact: hello, two confirms, and a code that two people compare.
//!
//! ```text
//! inviter                                    accepter
//!   invite ───────── by hand ──────────────►   greet: ct, ss
//!   receive ◄──────── hello, 3 cells ───────   (commits to n_B)
//!   n_A, HMAC "A" ──────────────────────────►  check
//!   check, commit ◄────────── n_B, HMAC "B" ─
//!   code of (T, n_A, n_B)        =             code of (T, n_A, n_B)
//! ```
//! n_B is committed before n_A is sent, so nobody can search for equal codes. Whoever stole the invite could be the peer: only the
//! comparison shows it.

use crate::bytes::{Malformed, Reader, Writer};
use crate::cell::Direction;
use crate::invite::{Invite, NAME_BYTES_MAX, is_name};
use crate::label::{expand, extract, label};
use crypto::secret::Secret;
use crypto::xwing::{self, SecretKey, XwingError};
use crypto::{aead, hash};

/// Bytes of the longest hello: three cells have room for it.
pub const HELLO_BYTES_MAX: usize = HELLO_FIXED_BYTES + NAME_BYTES_MAX;
/// Bytes of a confirm.
pub const CONFIRM_BYTES: usize = NONCE_BYTES + 32;
/// Bytes of what each side adds to the code.
pub const NONCE_BYTES: usize = 16;

const HELLO_FIXED_BYTES: usize = xwing::CIPHERTEXT_BYTES + CARD_BYTES + aead::TAG_BYTES;
const CARD_BYTES: usize = 4 + 32 + 32 + 32;
/// Codes have nine digits.
const CODE_MODULUS: u64 = 1_000_000_000;
/// The key of a hello seals once.
const NONCE: [u8; aead::NONCE_BYTES] = [0; aead::NONCE_BYTES];

/// What the accepter tells of himself.
pub struct Card {
    /// The epoch in which the hello was made: where the contact's roots begin.
    pub epoch: u32,
    /// Where the accepter reads.
    pub bucket_seed: Secret<[u8; 32]>,
    /// The accepter's key for this contact; zeros for one who signs nothing.
    pub sign_pk: [u8; 32],
    /// What the accepter calls himself; nobody vouches for it.
    pub name: String,
}

/// What both sides have after a hello.
pub struct Keys {
    /// K: the root in the hello's epoch.
    pub root: Secret<[u8; 32]>,
    /// T: everything that was said so far.
    pub transcript: [u8; 32],
    /// The key of both confirms.
    pub confirm: Secret<[u8; 32]>,
}

/// A hello that opened.
pub struct Greeted {
    /// Who says it.
    pub card: Card,
    /// The accepter's word on the nonce to come.
    pub commitment: [u8; 32],
    /// What both sides have now.
    pub keys: Keys,
}

/// Nine digits that two people compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(u32);

/// Why an enrolment goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolFault {
    /// The key in the invite, or the ciphertext for it, is none.
    #[error(transparent)]
    Key(#[from] XwingError),
    /// Another length, or a name that cannot be shown.
    #[error("the hello is malformed")]
    Hello,
    /// Not sealed by one who holds this invite, or changed.
    #[error("the hello does not open")]
    Sealed,
    /// The confirm is not of the peer that shares this transcript.
    #[error("the confirm does not hold")]
    Confirm,
    /// The accepter's nonce is not the one that he committed to.
    #[error("the nonce is not the committed one")]
    Commitment,
}

impl From<Malformed> for EnrolFault {
    fn from(_: Malformed) -> Self {
        Self::Hello
    }
}

/// Accepts an invite: the hello to send in three cells, and the keys.
///
/// # Errors
/// [`EnrolFault::Key`] where the invite's key is none.
pub fn greet(invite: &Invite, card: &Card, nonce: &[u8; NONCE_BYTES]) -> Result<(Vec<u8>, Keys), EnrolFault> {
    let (ciphertext, shared) = xwing::encapsulate(&invite.xwing_pk)?;
    Ok(greet_with(invite, card, nonce, &ciphertext, &shared))
}

/// [`greet`], after encapsulation: for vectors.
pub fn greet_with(
    invite: &Invite,
    card: &Card,
    nonce: &[u8; NONCE_BYTES],
    ciphertext: &[u8; xwing::CIPHERTEXT_BYTES],
    shared: &Secret<[u8; 32]>,
) -> (Vec<u8>, Keys) {
    let invite_bytes = invite.encode();
    let digest = hash::sha256(invite_bytes.expose());
    let hello_root = hello_root(&digest, shared, &invite.secret);
    let mut writer = Writer::new();
    writer.u32(card.epoch).raw(card.bucket_seed.expose()).raw(&card.sign_pk);
    writer.raw(&commitment(nonce, &digest)).raw(card.name.as_bytes());
    let plain = Secret::new(writer.into_bytes());
    let key = expand::<32>(&hello_root, &[b"hello"]);
    let sealed = aead::seal_aes256gcm(key.expose(), &NONCE, &digest, plain.expose());
    let hello = [&ciphertext[..], &sealed].concat();
    let keys = keys(invite_bytes.expose(), &hello, &hello_root);
    (hello, keys)
}

/// Opens a hello. `invite` is its bytes, `secret` its own secret.
///
/// # Errors
/// [`EnrolFault`].
pub fn receive(invite: &Invite, key: &SecretKey, hello: &[u8]) -> Result<Greeted, EnrolFault> {
    let ciphertext: &[u8; xwing::CIPHERTEXT_BYTES] = hello.first_chunk().ok_or(EnrolFault::Hello)?;
    let shared = key.decapsulate(ciphertext)?;
    receive_with(invite, &shared, hello)
}

/// [`receive`], after decapsulation: for vectors.
///
/// # Errors
/// [`EnrolFault`].
pub fn receive_with(invite: &Invite, shared: &Secret<[u8; 32]>, hello: &[u8]) -> Result<Greeted, EnrolFault> {
    if !(HELLO_FIXED_BYTES..=HELLO_BYTES_MAX).contains(&hello.len()) {
        return Err(EnrolFault::Hello);
    }
    let invite_bytes = invite.encode();
    let digest = hash::sha256(invite_bytes.expose());
    let hello_root = hello_root(&digest, shared, &invite.secret);
    let key = expand::<32>(&hello_root, &[b"hello"]);
    let plain = aead::open_aes256gcm(key.expose(), &NONCE, &digest, &hello[xwing::CIPHERTEXT_BYTES..])
        .map_err(|_| EnrolFault::Sealed)?;
    let mut reader = Reader::new(plain.expose());
    let (epoch, bucket_seed) = (reader.u32()?, Secret::new(reader.array()?));
    let (sign_pk, commitment) = (reader.array()?, reader.array()?);
    let name = std::str::from_utf8(reader.rest()).map_err(|_| EnrolFault::Hello)?.to_owned();
    if !is_name(&name) {
        return Err(EnrolFault::Hello);
    }
    let card = Card { epoch, bucket_seed, sign_pk, name };
    Ok(Greeted { card, commitment, keys: keys(invite_bytes.expose(), hello, &hello_root) })
}

/// `n ‖ HMAC(X(K, "confirm"), side ‖ T)`.
pub fn confirm(
    key: &Secret<[u8; 32]>,
    transcript: &[u8; 32],
    side: Direction,
    nonce: &[u8; NONCE_BYTES],
) -> Vec<u8> {
    [&nonce[..], &mac(key, transcript, side)].concat()
}

/// The peer's nonce, if the confirm is of one who has the same keys and transcript.
///
/// # Errors
/// [`EnrolFault::Confirm`].
pub fn check_confirm(
    key: &Secret<[u8; 32]>,
    transcript: &[u8; 32],
    side: Direction,
    confirm: &[u8],
) -> Result<[u8; NONCE_BYTES], EnrolFault> {
    let (nonce, theirs) = confirm.split_first_chunk().ok_or(EnrolFault::Confirm)?;
    if hash::equal(theirs, &mac(key, transcript, side)) { Ok(*nonce) } else { Err(EnrolFault::Confirm) }
}

/// Whether the accepter's nonce is the one that he committed to.
///
/// # Errors
/// [`EnrolFault::Commitment`].
pub fn check_commitment(
    nonce: &[u8; NONCE_BYTES],
    invite_digest: &[u8; 32],
    committed: &[u8; 32],
) -> Result<(), EnrolFault> {
    let same = hash::equal(&commitment(nonce, invite_digest), committed);
    if same { Ok(()) } else { Err(EnrolFault::Commitment) }
}

/// SHA-256(L("sas") ‖ n_B ‖ SHA-256(invite)).
fn commitment(nonce: &[u8; NONCE_BYTES], invite_digest: &[u8; 32]) -> [u8; 32] {
    hash::sha256(&label(&[b"sas", nonce, invite_digest]))
}

/// `Kh = HKDF-Extract(salt SHA-256(invite), ss ‖ secret)`.
fn hello_root(digest: &[u8; 32], shared: &Secret<[u8; 32]>, secret: &Secret<[u8; 32]>) -> Secret<[u8; 32]> {
    extract(digest, &[shared.expose(), secret.expose()])
}

/// T = SHA-256(L("transcript") ‖ len u32 ‖ invite ‖ len u32 ‖ hello); K = HKDF-Extract(salt T, Kh).
fn keys(invite: &[u8], hello: &[u8], hello_root: &Secret<[u8; 32]>) -> Keys {
    let mut framed = Writer::new();
    framed.raw(&label(&[b"transcript"])).long(invite).long(hello);
    let transcript = hash::sha256(Secret::new(framed.into_bytes()).expose());
    let root = extract(&transcript, &[hello_root.expose()]);
    let confirm = expand(&root, &[b"confirm"]);
    Keys { root, transcript, confirm }
}

fn mac(key: &Secret<[u8; 32]>, transcript: &[u8; 32], side: Direction) -> [u8; 32] {
    let side = match side {
        Direction::Inviter => b"A",
        Direction::Accepter => b"B",
    };
    hash::hmac_sha256(key.expose(), &[side, transcript])
}

impl Code {
    /// SHA-256(L("sas-code") ‖ T ‖ n_A ‖ n_B) mod 10⁹, the hash taken as one number.
    pub fn of(transcript: &[u8; 32], inviter: &[u8; NONCE_BYTES], accepter: &[u8; NONCE_BYTES]) -> Self {
        let digest = hash::sha256(&label(&[b"sas-code", transcript, inviter, accepter]));
        let value = digest.iter().fold(0, |value: u64, byte| (value << 8 | u64::from(*byte)) % CODE_MODULUS);
        Self(u32::try_from(value).expect("it is below 10⁹"))
    }

    /// Reads what somebody typed: nine digits, in groups or not.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let plain = digits.len() == 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten().map(Self)
    }

    /// As a number below 10⁹.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The code of a number that [`Code::number`] gave.
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        (u64::from(number) < CODE_MODULUS).then_some(Self(number))
    }
}

/// Three groups of three digits.
impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03}-{:03}-{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000, self.0 % 1_000)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl std::fmt::Debug for Greeted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Greeted(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        invite: Invite,
        key: SecretKey,
    }

    fn pair() -> Pair {
        let (key, xwing_pk) = SecretKey::generate();
        let invite = Invite {
            network_id: [1; 32],
            expires_s: 9,
            secret: Secret::new([2; 32]),
            bucket_seed: Secret::new([3; 32]),
            xwing_pk,
            sign_pk: [0; 32],
            url: "http://127.0.0.1:8100".to_owned(),
            name: "Ana".to_owned(),
        };
        Pair { invite, key }
    }

    fn card(name: &str) -> Card {
        Card { epoch: 4, bucket_seed: Secret::new([6; 32]), sign_pk: [7; 32], name: name.to_owned() }
    }

    #[test]
    fn both_sides_end_with_the_same_keys_and_the_same_code() {
        let pair = pair();
        let (hello, theirs) = greet(&pair.invite, &card("Bo"), &[8; 16]).unwrap();
        assert!(hello.len() <= 3 * crate::body::PAYLOAD_BYTES_MAX);
        let greeted = receive(&pair.invite, &pair.key, &hello).unwrap();
        assert_eq!((greeted.card.epoch, greeted.card.name.as_str()), (4, "Bo"));
        let ours = &greeted.keys;
        assert_eq!(ours.root.expose(), theirs.root.expose());
        let from_a = confirm(&ours.confirm, &ours.transcript, Direction::Inviter, &[9; 16]);
        let n_a = check_confirm(&theirs.confirm, &theirs.transcript, Direction::Inviter, &from_a).unwrap();
        let from_b = confirm(&theirs.confirm, &theirs.transcript, Direction::Accepter, &[8; 16]);
        let n_b = check_confirm(&ours.confirm, &ours.transcript, Direction::Accepter, &from_b).unwrap();
        check_commitment(&n_b, &pair.invite.digest(), &greeted.commitment).unwrap();
        assert_eq!(Code::of(&ours.transcript, &[9; 16], &n_b), Code::of(&theirs.transcript, &n_a, &[8; 16]));
    }

    #[test]
    fn a_confirm_of_the_other_side_or_another_nonce_fails() {
        let pair = pair();
        let (_, keys) = greet(&pair.invite, &card("Bo"), &[8; 16]).unwrap();
        let from_b = confirm(&keys.confirm, &keys.transcript, Direction::Accepter, &[8; 16]);
        let check =
            |side, bytes: &[u8]| check_confirm(&keys.confirm, &keys.transcript, side, bytes).unwrap_err();
        assert_eq!(check(Direction::Inviter, &from_b), EnrolFault::Confirm);
        assert_eq!(check(Direction::Accepter, &from_b[..47]), EnrolFault::Confirm);
        assert_eq!(check(Direction::Accepter, &[]), EnrolFault::Confirm);
        let committed = commitment(&[8; 16], &pair.invite.digest());
        assert_eq!(
            check_commitment(&[9; 16], &pair.invite.digest(), &committed),
            Err(EnrolFault::Commitment)
        );
    }

    #[test]
    fn a_byte_changed_anywhere_in_a_hello_fails() {
        let pair = pair();
        let (hello, _) = greet(&pair.invite, &card(""), &[8; 16]).unwrap();
        for at in (0..hello.len()).step_by(17) {
            let mut changed = hello.clone();
            changed[at] ^= 1;
            assert!(receive(&pair.invite, &pair.key, &changed).is_err(), "{at}");
        }
        assert_eq!(
            receive(&pair.invite, &pair.key, &hello[..hello.len() - 1]).unwrap_err(),
            EnrolFault::Hello
        );
    }

    #[test]
    fn a_byte_moved_between_invite_and_hello_gives_another_transcript() {
        let root = Secret::new([1; 32]);
        let whole = keys(b"invitehello", b"", &root).transcript;
        for at in 0..11 {
            let (invite, hello) = b"invitehello".split_at(at);
            assert_ne!(keys(invite, hello, &root).transcript, whole);
        }
    }

    #[test]
    fn codes_are_shown_in_three_groups_and_read_in_any() {
        let code = Code(1_002_003);
        assert_eq!(code.to_string(), "001-002-003");
        for typed in ["001-002-003", "001002003", "001 002 003"] {
            assert_eq!(Code::parse(typed), Some(code));
        }
        for typed in ["1002003", "001-002-00x", "", "0010020034"] {
            assert_eq!(Code::parse(typed), None);
        }
    }
}
