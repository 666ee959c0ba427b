//! Base45 (RFC 9285): bytes in the characters that a QR code packs best.

const DIGITS: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Not the one Base45 text of any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not Base45")]
pub struct Base45Error;

/// Three characters for two bytes, two for one left over.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from(DIGITS[(value % 45) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for chunk in bytes.chunks(2) {
        let value = chunk.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
        text.push(digit(value));
        text.push(digit(value / 45));
        if chunk.len() == 2 {
            text.push(digit(value / 2025));
        }
    }
    text
}

/// Reads what [`encode`] writes.
///
/// # Errors
/// [`Base45Error`] for another character, a length of 3n+1, or a group that stands for no bytes.
pub fn decode(text: &str) -> Result<Vec<u8>, Base45Error> {
    let value =
        |byte: &u8| DIGITS.iter().position(|digit| digit == byte).and_then(|at| u32::try_from(at).ok());
    let values: Vec<u32> = text.as_bytes().iter().map(value).collect::<Option<_>>().ok_or(Base45Error)?;
    let mut bytes = Vec::with_capacity(values.len() / 3 * 2 + 1);
    for group in values.chunks(3) {
        match *group {
            [a, b, c] => {
                let pair = u16::try_from(a + 45 * b + 2025 * c).map_err(|_| Base45Error)?;
                bytes.extend(pair.to_be_bytes());
            }
            [a, b] => bytes.push(u8::try_from(a + 45 * b).map_err(|_| Base45Error)?),
            _ => return Err(Base45Error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_9285_are_written_and_read() {
        // RFC 9285, 4.3 and 4.4.
        for (bytes, text) in
            [("AB", "BB8"), ("Hello!!", "%69 VD92EX0"), ("base-45", "UJCLQE7W581"), ("ietf!", "QED8WEX0")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes.as_bytes()));
        }
    }

    #[test]
    fn what_stands_for_no_bytes_is_refused() {
        for text in ["A", "BB8A", "GGW", ":::", "::", "bb8", "B\u{e9}"] {
            assert_eq!(decode(text), Err(Base45Error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_that_is_read_is_the_one_that_would_be_written(text in "[0-9A-Z $%*+./:-]{0,12}", bytes: Vec<u8>) {
            if let Ok(read) = decode(&text) {
                prop_assert_eq!(encode(&read), text);
            }
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
