//! What people read and type: handles of enrolments and the mark of a device, in Crockford's base 32.

use std::fmt;

use crypto::hash;
use crypto::key::PublicKey;

/// Crockford's digits: no I, L, O or U, which people mistake.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of a handle: 40 bits.
const HANDLE_DIGITS: usize = 8;

/// By which a browser can ask for a person's wallets: `K7QF-3M2P`. It is no secret and opens nothing; an unknown one looks like a
/// known one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Handle([u8; HANDLE_DIGITS]);

impl Handle {
    /// Of 40 bits that were drawn for it.
    pub fn from_entropy(bits: [u8; 5]) -> Handle {
        let number = bits.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Handle(digits(number))
    }

    /// As a person types it: any case, with or without the hyphen, with `o` for 0 and `i` or `l` for 1.
    pub fn parse(text: &str) -> Option<Handle> {
        let mut found = [0; HANDLE_DIGITS];
        let mut count = 0;
        for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            let digit = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                digit => digit,
            };
            if count == HANDLE_DIGITS || !DIGITS.contains(&digit) {
                return None;
            }
            found[count] = digit;
            count += 1;
        }
        (count == HANDLE_DIGITS && text.len() <= 2 * HANDLE_DIGITS).then_some(Handle(found))
    }

    /// SHA-256 of its digits under a label: by this it is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        hash::sha256(&crate::code::frame("seal/1 handle", &[&self.0]))
    }
}

/// Two groups of four.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, digit) in self.0.iter().enumerate() {
            if nth == HANDLE_DIGITS / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*digit))?;
        }
        Ok(())
    }
}

/// A handle is about a person: logs do not show it.
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(…)")
    }
}

/// The mark by which page and wallet name a device to its person: the first 20 bits of `H(DK)`, as in `7F3K`.
pub fn device_mark(device_key: &PublicKey) -> String {
    let hash = hash::sha256(device_key.raw());
    let bits = u64::from(hash[0]) << 12 | u64::from(hash[1]) << 4 | u64::from(hash[2]) >> 4;
    digits::<4>(bits).iter().map(|digit| char::from(*digit)).collect()
}

/// The lowest `5 N` bits, most significant digit first.
fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut out = [0; N];
    for (nth, digit) in out.iter_mut().rev().enumerate() {
        *digit = DIGITS[(number >> (5 * nth) & 31) as usize];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_people_type_it() {
        let handle = Handle::from_entropy([0x99, 0xee, 0xf1, 0xd0, 0x56]);
        assert_eq!(handle.to_string(), "K7QF-3M2P");
        for typed in ["K7QF-3M2P", "k7qf3m2p", "k7qf 3m2p", " K7QF-3M2P"] {
            assert_eq!(Handle::parse(typed).as_ref(), Some(&handle), "{typed}");
        }
        assert_eq!(Handle::parse("OIl0-0000"), Some(Handle::from_entropy([0, 0x42, 0, 0, 0])));
        for wrong in
            ["", "K7QF-3M2", "K7QF-3M2PP", "K7QF-3M2U", "K7QF_3M2P", "--------K7QF-3M2P-", "Ｋ7QF-3M2P"]
        {
            assert_eq!(Handle::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn different_handles_have_different_hashes() {
        let hash = |last| Handle::from_entropy([0, 0, 0, 0, last]).hash();
        assert_ne!(hash(1), hash(2));
        assert_eq!(hash(1), Handle::parse("0000-0001").unwrap().hash());
    }

    #[test]
    fn a_device_has_a_mark_of_four_digits() {
        let key = crypto::key::PrivateKey::generate(crypto::key::KeyAlg::P256).public();
        let mark = device_mark(&key);
        assert_eq!(mark.len(), 4);
        let first = crypto::hash::sha256(key.raw())[0];
        assert_eq!(mark.as_bytes()[0], DIGITS[usize::from(first >> 3)]);
    }
}
