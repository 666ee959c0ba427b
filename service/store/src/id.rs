//! Ids: a prefix, `_`, and 26 Crockford base32 characters of 128 random bits, with no time inside.

use std::fmt;

use crate::ctx::Ctx;

/// Crockford's alphabet in lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of 128 bits: 26 × 5 = 130, so the first character is at most `7`.
const CHARS: usize = 26;

/// A new id such as `off_0c4f…`, 128 bits of `ctx`'s entropy.
pub fn new(ctx: &Ctx, prefix: &'static str) -> String {
    from_bits(prefix, &ctx.random())
}

/// Whether `text` is an id with this prefix, in its one canonical spelling.
pub fn is(prefix: &str, text: &str) -> bool {
    bits_of(prefix, text).is_some()
}

/// The id of these 128 bits.
pub fn from_bits(prefix: &str, bits: &[u8; 16]) -> String {
    let mut rest = u128::from_be_bytes(*bits);
    let mut chars = [0_u8; CHARS];
    for place in chars.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    let mut text = String::with_capacity(prefix.len() + 1 + CHARS);
    text.push_str(prefix);
    text.push('_');
    text.extend(chars.iter().map(|byte| char::from(*byte)));
    text
}

/// The 128 bits of an id with this prefix; `None` for anything that [`from_bits`] cannot have made.
pub fn bits_of(prefix: &str, text: &str) -> Option<[u8; 16]> {
    let chars = text.strip_prefix(prefix)?.strip_prefix('_')?.as_bytes();
    if chars.len() != CHARS || chars[0] > b'7' {
        return None;
    }
    let mut bits = 0_u128;
    for char in chars {
        let value = ALPHABET.iter().position(|known| known == char)?;
        bits = (bits << 5) | value as u128;
    }
    Some(bits.to_be_bytes())
}

/// The id of an event: 16 random bytes, unique in its log, shown as `evt_…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Reads `evt_` and 26 characters.
    pub fn parse(text: &str) -> Option<EventId> {
        bits_of("evt", text).map(EventId)
    }

    /// The 16 bytes as they stand in the leaf.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&from_bits("evt", &self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_ids_have_their_known_spelling() {
        assert_eq!(from_bits("ten", &[0; 16]), "ten_00000000000000000000000000");
        assert_eq!(from_bits("ten", &[0xff; 16]), "ten_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn other_spellings_are_no_ids() {
        for text in [
            "",
            "ten",
            "ten_",
            "off_00000000000000000000000000",
            "ten_0000000000000000000000000",
            "ten_000000000000000000000000000",
            "ten_80000000000000000000000000",
            "ten_0000000000000000000000000O",
            "ten_0000000000000000000000000Z",
            "ten_0000000000000000000000000é",
            "ten-00000000000000000000000000",
        ] {
            assert!(!is("ten", text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_reads_back_as_its_bits(bits: [u8; 16]) {
            let text = from_bits("evt", &bits);
            prop_assert_eq!(bits_of("evt", &text), Some(bits));
            prop_assert_eq!(EventId::parse(&text), Some(EventId(bits)));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = is("ten", &text);
        }
    }
}
