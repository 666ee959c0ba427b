//! C40 as ICAO Doc 9303-13 uses it: three characters of A–Z, 0–9 and space in two bytes.

/// Most bytes that are read at once: longer than any field of a seal.
const C40_BYTES_MAX: usize = 4096;
/// Latches to ASCII for one last character.
const UNLATCH: u8 = 0xfe;

/// Not C40, or not of the characters that documents use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not C40")]
pub struct C40Error;

/// Bytes that `characters` characters take.
pub const fn bytes_of(characters: usize) -> usize {
    characters.div_ceil(3) * 2
}

/// The characters of C40 bytes; the filling `<` of a machine readable zone is a space here.
///
/// # Errors
/// [`C40Error`] for an odd length, a shifted character, or a value past 39.
pub fn decode(bytes: &[u8]) -> Result<String, C40Error> {
    if bytes.len() > C40_BYTES_MAX || !bytes.len().is_multiple_of(2) {
        return Err(C40Error);
    }
    let mut text = String::with_capacity(bytes.len() / 2 * 3);
    let count = bytes.len() / 2;
    for (nth, pair) in bytes.chunks_exact(2).enumerate() {
        let last = nth + 1 == count;
        if pair[0] == UNLATCH {
            // One character was left over: it stands as ASCII + 1.
            let single = pair[1].checked_sub(1).filter(|byte| last && value_of(char::from(*byte)).is_some());
            text.push(char::from(single.ok_or(C40Error)?));
            continue;
        }
        let number = (u32::from(pair[0]) << 8 | u32::from(pair[1])).checked_sub(1).ok_or(C40Error)?;
        let values = [number / 1600, number / 40 % 40, number % 40];
        for (place, value) in values.into_iter().enumerate() {
            match character_of(value) {
                Some(character) => text.push(character),
                // Two characters were left over: the third is filled with shift 1.
                None if last && place == 2 && value == 0 => {}
                None => return Err(C40Error),
            }
        }
    }
    Ok(text)
}

/// C40 bytes of A–Z, 0–9, space, and `<` as space.
///
/// # Errors
/// [`C40Error`] for any other character.
pub fn encode(text: &str) -> Result<Vec<u8>, C40Error> {
    let values: Vec<u32> = text.chars().map(value_of).collect::<Option<_>>().ok_or(C40Error)?;
    let mut bytes = Vec::with_capacity(bytes_of(values.len()));
    for triple in values.chunks(3) {
        match *triple {
            [a, b, c] => bytes.extend(packed(a, b, c)),
            [a, b] => bytes.extend(packed(a, b, 0)),
            [a] => {
                let character = character_of(a).ok_or(C40Error)?;
                bytes.extend([UNLATCH, character as u8 + 1]);
            }
            _ => {}
        }
    }
    Ok(bytes)
}

fn packed(a: u32, b: u32, c: u32) -> [u8; 2] {
    let number = 1600 * a + 40 * b + c + 1;
    [(number >> 8) as u8, number as u8]
}

fn value_of(character: char) -> Option<u32> {
    match character {
        ' ' | '<' => Some(3),
        '0'..='9' => Some(4 + u32::from(character) - u32::from('0')),
        'A'..='Z' => Some(14 + u32::from(character) - u32::from('A')),
        _ => None,
    }
}

fn character_of(value: u32) -> Option<char> {
    match value {
        3 => Some(' '),
        4..=13 => char::from_u32(u32::from('0') + value - 4),
        14..=39 => char::from_u32(u32::from('A') + value - 14),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_codings_of_doc_9303_13_are_read_and_written() {
        // ICAO Doc 9303-13, 2.6.1 and its examples: country, and one or two characters left over.
        for (text, bytes) in [
            ("UTO", &[0xd9, 0xc5][..]),
            ("XK CD", &[0xeb, 0x04, 0x66, 0xa9]),
            ("UTTS02", &[0xd9, 0xca, 0xc8, 0xa7]),
            ("5B", &[0x3a, 0x99]),
            ("A", &[0xfe, 0x42]),
            ("", &[]),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text), "{text}");
            assert_eq!(encode(text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn odd_lengths_shifts_and_small_letters_are_refused() {
        for bytes in
            [&[0xd9][..], &[0, 0], &[0xff, 0xff], &[0xfe, 0], &[0xfe, 0x42, 0xd9, 0xc5], &[0xfe, 0x62]]
        {
            assert_eq!(decode(bytes), Err(C40Error), "{bytes:02x?}");
        }
        assert_eq!(encode("a"), Err(C40Error));
        assert_eq!(encode("Ä"), Err(C40Error));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[A-Z0-9 ]{0,40}") {
            let bytes = encode(&text).unwrap();
            prop_assert_eq!(bytes.len(), bytes_of(text.len()));
            prop_assert_eq!(decode(&bytes).unwrap(), text);
        }

        #[test]
        fn what_is_read_is_the_one_text_of_its_bytes(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(text) = decode(&bytes) {
                prop_assert_eq!(encode(&text).unwrap(), bytes);
            }
        }
    }
}
