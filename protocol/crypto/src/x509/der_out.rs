//! DER, written: the few shapes that certificates and requests need.

use der::Encode as _;
use der::asn1::{GeneralizedTime, ObjectIdentifier, UtcTime};
use jiff::Timestamp;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const NULL: &[u8] = &[0x05, 0x00];
pub(super) const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// Tag, shortest length, and the parts one after the other.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let big_endian = length.to_be_bytes();
    let digits = &big_endian[big_endian.iter().position(|byte| *byte != 0).unwrap_or(big_endian.len() - 1)..];
    let mut out = vec![tag];
    if length >= 0x80 {
        out.push(0x80 | u8::try_from(digits.len()).expect("a length has at most eight digits"));
    }
    out.extend_from_slice(digits);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

/// Context tag `[number]`, constructed.
pub(super) fn explicit(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(0xa0 | number, parts)
}

/// Context tag `[number]`, primitive.
pub(super) fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, &[content])
}

pub(super) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(0x06, &[oid.as_bytes()])
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(OCTET_STRING, &[content])
}

/// A bit string of whole bytes.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], content])
}

/// A number of zero or more from its big-endian bytes.
pub(super) fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let start = big_endian.iter().position(|byte| *byte != 0).unwrap_or(big_endian.len());
    let digits = &big_endian[start..];
    let pad: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    tlv(INTEGER, &[pad, digits])
}

/// UTCTime through 2049, GeneralizedTime after (RFC 5280, 4.1.2.5), cut to the second; none before 1970 or after
/// the year 9999.
pub(super) fn time(at: Timestamp) -> Option<Vec<u8>> {
    let since = std::time::Duration::from_secs(u64::try_from(at.as_second()).ok()?);
    match UtcTime::from_unix_duration(since) {
        Ok(time) => time.to_der().ok(),
        Err(_) => GeneralizedTime::from_unix_duration(since).ok()?.to_der().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(tlv(4, &[]), [4, 0]);
        assert_eq!(tlv(4, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(tlv(4, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[&[0; 200], &[0; 100]])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn numbers_are_minimal_and_never_negative() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let at = |text: &str| time(text.parse().unwrap());
        assert_eq!(at("2049-12-31T23:59:59Z").unwrap()[2..], *b"491231235959Z");
        assert_eq!(at("2050-01-01T00:00:00.9Z").unwrap()[2..], *b"20500101000000Z");
        assert_eq!(at("1969-12-31T23:59:59Z"), None);
    }
}
