//! Distinguished names: compared by their DER bytes, shown as RFC 4514 writes them.

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};

use super::der_out::{self, PRINTABLE_STRING, SET, UTF8_STRING};

const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Longest text of one attribute (RFC 5280, appendix A.1: ub-common-name, ub-organization-name).
const ATTRIBUTE_CHARS_MAX: usize = 64;

/// A subject or issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Vec<u8>,
    shown: String,
    country: Option<String>,
}

/// What our own names are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameParts {
    /// Two upper-case letters (ISO 3166-1).
    pub country: Option<String>,
    /// Organisation.
    pub organisation: Option<String>,
    /// Common name; must be there.
    pub common_name: String,
}

impl Name {
    /// A name of these parts, in the order country, organisation, common name. None when the common name is
    /// empty, a text is longer than 64 characters or holds a control character, or the country is not two
    /// upper-case letters.
    pub fn new(parts: &NameParts) -> Option<Self> {
        let sound = |text: &str| {
            (1..=ATTRIBUTE_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        let country = match parts.country.as_deref() {
            Some(code) if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                attribute(COUNTRY, PRINTABLE_STRING, code)
            }
            Some(_) => return None,
            None => Vec::new(),
        };
        let organisation = match parts.organisation.as_deref() {
            Some(text) if sound(text) => attribute(ORGANISATION, UTF8_STRING, text),
            Some(_) => return None,
            None => Vec::new(),
        };
        if !sound(&parts.common_name) {
            return None;
        }
        let common_name = attribute(COMMON_NAME, UTF8_STRING, &parts.common_name);
        Self::from_der(&der_out::sequence(&[&country, &organisation, &common_name]))
    }

    /// Reads a DER `Name`; none when it is not one.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let name = x509_cert::name::Name::from_der(der).ok()?;
        Self::from_parsed(&name).filter(|parsed| parsed.der == der)
    }

    pub(super) fn from_parsed(name: &x509_cert::name::Name) -> Option<Self> {
        let country = name.country().ok().flatten().map(|country| country.as_str().to_owned());
        Some(Self { der: name.to_der().ok()?, shown: name.to_string(), country })
    }

    /// The DER: what is compared.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The country, if the name has one.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn attribute(kind: ObjectIdentifier, tag: u8, text: &str) -> Vec<u8> {
    let pair = der_out::sequence(&[&der_out::oid(kind), &der_out::tlv(tag, &[text.as_bytes()])]);
    der_out::tlv(SET, &[&pair])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(country: Option<&str>, organisation: Option<&str>, common_name: &str) -> NameParts {
        NameParts {
            country: country.map(str::to_owned),
            organisation: organisation.map(str::to_owned),
            common_name: common_name.to_owned(),
        }
    }

    #[test]
    fn a_name_is_shown_as_rfc_4514_writes_it_and_comes_back_from_its_der() {
        let name = Name::new(&parts(Some("SE"), Some("A, B"), "Röt")).unwrap();
        assert_eq!(name.to_string(), "CN=Röt,O=A\\, B,C=SE");
        assert_eq!(name.country(), Some("SE"));
        assert_eq!(Name::from_der(name.der()), Some(name.clone()));
        assert_eq!(Name::from_der(&name.der()[1..]), None);
    }

    #[test]
    fn parts_that_no_name_may_have_are_refused() {
        for bad in [
            parts(None, None, ""),
            parts(Some("se"), None, "x"),
            parts(Some("SWE"), None, "x"),
            parts(None, Some(""), "x"),
            parts(None, None, "a\nb"),
            parts(None, None, &"x".repeat(65)),
        ] {
            assert_eq!(Name::new(&bad), None, "{bad:?}");
        }
    }
}
