//! Base64 and base64url (RFC 4648), read strictly: one text for each byte string, so that nothing signed can
//! be written in two ways.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The text is not the one encoding of any byte string: a strange character, padding where none belongs (or the
/// reverse), an impossible length, or trailing bits that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64")]
pub struct Base64Error;

/// base64url without padding (RFC 7515, 2).
pub fn url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding.
///
/// # Errors
/// [`Base64Error`] for padding, white space, `+` or `/`, a length of 4n+1, and trailing bits that are not zero.
pub fn url_decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

/// Standard base64 with padding, as `x5c` has it.
pub fn std_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64 with padding.
///
/// # Errors
/// [`Base64Error`] for missing padding, white space, `-` or `_`, and trailing bits that are not zero.
pub fn std_decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_rfc_4648() {
        assert_eq!(std_encode(b"fo"), "Zm8=");
        assert_eq!(url_encode(b"fo"), "Zm8");
        assert_eq!(url_encode(&[0xfb, 0xff]), "-_8");
        assert_eq!(std_decode("Zm9vYg==").unwrap(), b"foob");
        assert_eq!(url_decode("").unwrap(), b"");
    }

    #[test]
    fn a_second_way_to_write_the_same_bytes_is_refused() {
        for loose in ["Zm8=", "Zm9", "Z", "Zm8 ", "Zm\n8", "Zm8.", "+_8", "Zh"] {
            assert_eq!(url_decode(loose), Err(Base64Error), "{loose}");
        }
        for loose in ["Zm8", "Zm9=", "Zm8==", " Zm8=", "-_8=", "Zh=="] {
            assert_eq!(std_decode(loose), Err(Base64Error), "{loose}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_that_is_read_is_the_one_that_would_be_written(text in "[A-Za-z0-9_=/+-]{0,12}") {
            if let Ok(bytes) = url_decode(&text) {
                proptest::prop_assert_eq!(url_encode(&bytes), text.clone());
            }
            if let Ok(bytes) = std_decode(&text) {
                proptest::prop_assert_eq!(std_encode(&bytes), text);
            }
        }

        #[test]
        fn every_byte_string_survives_both_encodings(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(url_decode(&url_encode(&bytes)).unwrap(), bytes.as_slice());
            proptest::prop_assert_eq!(std_decode(&std_encode(&bytes)).unwrap(), bytes);
        }
    }
}
