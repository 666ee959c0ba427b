//! Base45 (RFC 9285): bytes in the characters that a QR code packs best.

/// The alphabet of the RFC, and of a QR code's alphanumeric mode.
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// The text is not the one encoding of any byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base45")]
pub struct Base45Error;

/// Three characters for two bytes, two for a last one.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    let digit = |value: u32| char::from(ALPHABET[value as usize % 45]);
    for pair in bytes.chunks(2) {
        match pair {
            [high, low] => {
                let value = u32::from(*high) << 8 | u32::from(*low);
                text.extend([digit(value), digit(value / 45), digit(value / 45 / 45)]);
            }
            _ => {
                let value = u32::from(pair[0]);
                text.extend([digit(value), digit(value / 45)]);
            }
        }
    }
    text
}

/// Reads it back.
///
/// # Errors
/// [`Base45Error`] for another character, an impossible length, or a group over what its bytes can hold.
pub fn decode(text: &str) -> Result<Vec<u8>, Base45Error> {
    let digits: Option<Vec<u32>> = text
        .bytes()
        .map(|byte| ALPHABET.iter().position(|known| *known == byte).and_then(|at| u32::try_from(at).ok()))
        .collect();
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in digits.ok_or(Base45Error)?.chunks(3) {
        match group {
            [a, b, c] => {
                let value = u16::try_from(a + b * 45 + c * 45 * 45).map_err(|_| Base45Error)?;
                bytes.extend(value.to_be_bytes());
            }
            [a, b] => bytes.push(u8::try_from(a + b * 45).map_err(|_| Base45Error)?),
            _ => return Err(Base45Error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_rfc_9285() {
        for (bytes, text) in [
            (&b"AB"[..], "BB8"),
            (b"Hello!!", "%69 VD92EX0"),
            (b"base-45", "UJCLQE7W581"),
            (b"ietf!", "QED8WEX0"),
            (b"", ""),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes);
        }
    }

    #[test]
    fn what_no_bytes_give_is_refused() {
        for text in ["GGW", "::", "A", "BB8A", "bb8", "BB_", "é"] {
            assert_eq!(decode(text), Err(Base45Error), "{text}");
        }
    }
}
