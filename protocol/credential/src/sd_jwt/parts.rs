//! The outer shape: `jwt~disclosure~…~` or with a key binding at the end.

use super::{DISCLOSURE_BYTES_MAX, DISCLOSURES_MAX, SD_JWT_BYTES_MAX};

/// Why a text is no compact SD-JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Larger than [`SD_JWT_BYTES_MAX`].
    #[error("an SD-JWT has at most {SD_JWT_BYTES_MAX} bytes")]
    TooLarge,
    /// The JSON serialisation (RFC 9901, 8), which SD-JWT VC leaves optional and we do not read.
    #[error("the JSON serialisation is not read")]
    JsonSerialisation,
    /// No tilde, or nothing before the first.
    #[error("an SD-JWT is a JWT followed by a tilde")]
    NoTilde,
    /// An empty disclosure between two tildes.
    #[error("a disclosure is empty")]
    EmptyDisclosure,
    /// More than [`DISCLOSURES_MAX`].
    #[error("an SD-JWT has at most {DISCLOSURES_MAX} disclosures")]
    TooManyDisclosures,
    /// One larger than [`DISCLOSURE_BYTES_MAX`].
    #[error("a disclosure has at most {DISCLOSURE_BYTES_MAX} bytes")]
    DisclosureTooLarge,
}

impl ShapeError {
    /// The closed word of a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::JsonSerialisation => "json-serialisation",
            Self::NoTilde => "no-tilde",
            Self::EmptyDisclosure => "empty-disclosure",
            Self::TooManyDisclosures => "too-many-disclosures",
            Self::DisclosureTooLarge => "disclosure-too-large",
        }
    }
}

/// The parts of one text; nothing is decoded yet.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    /// The issuer-signed JWT.
    pub(crate) jwt: &'a str,
    /// The disclosures in the order sent.
    pub(crate) disclosures: Vec<&'a str>,
    /// The key binding JWT, if one is there.
    pub(crate) key_binding: Option<&'a str>,
    /// Everything a key binding covers: the text up to and with the last tilde.
    pub(crate) bound: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(text: &'a str) -> Result<Self, ShapeError> {
        if text.len() > SD_JWT_BYTES_MAX {
            return Err(ShapeError::TooLarge);
        }
        if text.trim_start().starts_with('{') {
            return Err(ShapeError::JsonSerialisation);
        }
        let last_tilde = text.rfind('~').ok_or(ShapeError::NoTilde)?;
        let (bound, key_binding) = text.split_at(last_tilde + 1);
        let mut pieces = bound[..last_tilde].split('~');
        let jwt = pieces.next().filter(|jwt| !jwt.is_empty()).ok_or(ShapeError::NoTilde)?;
        let mut disclosures = Vec::new();
        for piece in pieces {
            match piece.len() {
                0 => return Err(ShapeError::EmptyDisclosure),
                bytes if bytes > DISCLOSURE_BYTES_MAX => return Err(ShapeError::DisclosureTooLarge),
                _ if disclosures.len() == DISCLOSURES_MAX => return Err(ShapeError::TooManyDisclosures),
                _ => disclosures.push(piece),
            }
        }
        let key_binding = Some(key_binding).filter(|text| !text.is_empty());
        Ok(Self { jwt, disclosures, key_binding, bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_at_its_tildes() {
        let parts = Parts::split("jwt~d1~d2~kb").unwrap();
        assert_eq!((parts.jwt, parts.disclosures, parts.bound), ("jwt", vec!["d1", "d2"], "jwt~d1~d2~"));
        assert_eq!(parts.key_binding, Some("kb"));
        let bare = Parts::split("jwt~").unwrap();
        assert!(bare.disclosures.is_empty() && bare.key_binding.is_none());
    }

    #[test]
    fn a_text_of_another_shape_is_refused() {
        assert_eq!(Parts::split("jwt").unwrap_err(), ShapeError::NoTilde);
        assert_eq!(Parts::split("").unwrap_err(), ShapeError::NoTilde);
        assert_eq!(Parts::split("~d1~").unwrap_err(), ShapeError::NoTilde);
        assert_eq!(Parts::split("jwt~~d1~").unwrap_err(), ShapeError::EmptyDisclosure);
        assert_eq!(Parts::split(r#"{"payload":""}"#).unwrap_err(), ShapeError::JsonSerialisation);
        assert_eq!(Parts::split(&"~".repeat(SD_JWT_BYTES_MAX + 1)).unwrap_err(), ShapeError::TooLarge);
        let many = format!("jwt~{}", "d~".repeat(DISCLOSURES_MAX + 1));
        assert_eq!(Parts::split(&many).unwrap_err(), ShapeError::TooManyDisclosures);
        let large = format!("jwt~{}~", "d".repeat(DISCLOSURE_BYTES_MAX + 1));
        assert_eq!(Parts::split(&large).unwrap_err(), ShapeError::DisclosureTooLarge);
    }
}
