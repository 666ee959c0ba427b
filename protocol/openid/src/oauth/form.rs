//! `application/x-www-form-urlencoded`, read strictly: a parameter that comes twice, a bad escape or a foreign byte is refused.

use super::error::OauthError;
use std::fmt;

/// Most bytes of a form at a token door: an assertion, a code and some texts fit many times.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// Most parameters of a form; the largest request of these protocols has fewer than twenty.
pub const FORM_FIELDS_MAX: usize = 32;

/// Most bytes of a parameter's name.
pub const FORM_NAME_BYTES_MAX: usize = 128;

/// A parsed form: parameters in the order they came, each name once. `Debug` shows names only, as values hold secrets.
pub struct Form {
    fields: Vec<(String, String)>,
}

/// Why a form was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// More bytes than the door allows.
    #[error("the form is too large")]
    TooLarge,
    /// More than [`FORM_FIELDS_MAX`] parameters.
    #[error("the form has more than {FORM_FIELDS_MAX} parameters")]
    TooManyFields,
    /// A bad escape, a byte that must be escaped, no UTF-8, or an empty or overlong name.
    #[error("the form is not application/x-www-form-urlencoded")]
    Encoding,
    /// A name came twice (RFC 6749, 3.2).
    #[error("a parameter came twice")]
    Duplicate,
}

impl From<FormError> for OauthError {
    fn from(fault: FormError) -> OauthError {
        OauthError::invalid_request(match fault {
            FormError::TooLarge => "the form is too large",
            FormError::TooManyFields => "the form has too many parameters",
            FormError::Encoding => "the form is not application/x-www-form-urlencoded",
            FormError::Duplicate => "a parameter came twice",
        })
    }
}

impl Form {
    /// Parses a body of at most `bytes_max` bytes. An empty body is an empty form.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn parse(body: &[u8], bytes_max: usize) -> Result<Form, FormError> {
        if body.len() > bytes_max {
            return Err(FormError::TooLarge);
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        if body.is_empty() {
            return Ok(Form { fields });
        }
        for pair in body.split(|byte| *byte == b'&') {
            if fields.len() == FORM_FIELDS_MAX {
                return Err(FormError::TooManyFields);
            }
            let cut = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..cut])?;
            let value = decode(pair.get(cut + 1..).unwrap_or_default())?;
            if name.is_empty() || name.len() > FORM_NAME_BYTES_MAX {
                return Err(FormError::Encoding);
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Duplicate);
            }
            fields.push((name, value));
        }
        Ok(Form { fields })
    }

    /// The value of a parameter; one sent without a value counts as not sent (RFC 6749, 3.2).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The names that came with a value, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }
}

/// Encodes parameters as a form body or a query.
#[must_use]
pub fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

/// Undoes `+` and `%XX`; anything else must be printable ASCII, and the result UTF-8.
pub(crate) fn decode(encoded: &[u8]) -> Result<String, FormError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => nibble(bytes.next())? << 4 | nibble(bytes.next())?,
            0x21..=0x7e => byte,
            _ => return Err(FormError::Encoding),
        });
    }
    String::from_utf8(decoded).map_err(|_| FormError::Encoding)
}

fn nibble(byte: Option<u8>) -> Result<u8, FormError> {
    match byte.ok_or(FormError::Encoding)? {
        digit @ b'0'..=b'9' => Ok(digit - b'0'),
        letter @ b'a'..=b'f' => Ok(letter - b'a' + 10),
        letter @ b'A'..=b'F' => Ok(letter - b'A' + 10),
        _ => Err(FormError::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(body: &str) -> Result<Form, FormError> {
        Form::parse(body.as_bytes(), FORM_BYTES_MAX)
    }

    #[test]
    fn plus_and_escapes_are_undone() {
        let form = parse("a=1+2&b%3D=%C3%A9&c").unwrap();
        assert_eq!(form.get("a"), Some("1 2"));
        assert_eq!(form.get("b="), Some("é"));
        assert_eq!(form.get("c"), None);
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused_even_when_escaped() {
        assert_eq!(parse("code=1&c%6Fde=2").unwrap_err(), FormError::Duplicate);
    }

    #[test]
    fn bad_escapes_foreign_bytes_and_nameless_parameters_are_refused() {
        for body in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=\u{e9}", "a=b c", "=x", "a=1&", "&a=1", "a=1&&b=2"] {
            assert_eq!(parse(body).unwrap_err(), FormError::Encoding, "{body}");
        }
    }

    #[test]
    fn size_and_count_are_bounded() {
        let many = (0..=FORM_FIELDS_MAX).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(parse(&many).unwrap_err(), FormError::TooManyFields);
        assert_eq!(Form::parse(&[b'a'; 9], 8).unwrap_err(), FormError::TooLarge);
    }

    #[test]
    fn debug_output_holds_names_and_no_values() {
        let shown = format!("{:?}", parse("client_secret=canary").unwrap());
        assert!(shown.contains("client_secret") && !shown.contains("canary"));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Form::parse(&body, FORM_BYTES_MAX);
        }

        #[test]
        fn what_is_encoded_is_read_back(name in "[a-z_]{1,20}", value in ".{1,80}") {
            let body = encode(&[(&name, &value)]);
            let form = parse(&body).unwrap();
            prop_assert_eq!(form.get(&name), Some(value.as_str()));
        }
    }
}
