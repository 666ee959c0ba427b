//! Lower-case hexadecimal.

/// The text is not an even number of hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not hexadecimal: an odd length or a strange character at {at}")]
pub struct HexError {
    /// Place of the first character that does not fit, counted in bytes.
    pub at: usize,
}

/// Two lower-case digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// Reads digits of either case.
///
/// # Errors
/// [`HexError`] at the first character that is no digit, or at the end of an odd length.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(2) {
        return Err(HexError { at: text.len() });
    }
    let digit = |at: usize| match text[at] {
        c @ b'0'..=b'9' => Ok(c - b'0'),
        c @ b'a'..=b'f' => Ok(c - b'a' + 10),
        c @ b'A'..=b'F' => Ok(c - b'A' + 10),
        _ => Err(HexError { at }),
    };
    (0..text.len()).step_by(2).map(|at| Ok(digit(at)? << 4 | digit(at + 1)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        assert_eq!(decode("00FFaB").unwrap(), [0, 255, 0xab]);
    }

    #[test]
    fn odd_lengths_and_other_characters_are_refused() {
        assert_eq!(decode("abc"), Err(HexError { at: 3 }));
        assert_eq!(decode("0g"), Err(HexError { at: 1 }));
        assert_eq!(decode("é"), Err(HexError { at: 0 }));
    }
}
