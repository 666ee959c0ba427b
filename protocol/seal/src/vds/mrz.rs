//! Machine readable zones inside seals: who a foreign document is about (ICAO Doc 9303-5 to -7).
//!
//! Seals leave out the end of the second line, so a zone has two lines of 36 or 44 characters of which the second may be cut. The check
//! digits of number and birth date are checked: the signature says that nobody changed them, they say that we read the right places.

use jiff::civil::Date;

use super::c40;
use super::icao::Vds;

/// What a zone says that identifies a document.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    /// The two letters before the issuing state.
    pub document_type: String,
    /// Three letters, or fewer.
    pub country: String,
    /// Family name, as transliterated.
    pub family_name: String,
    /// Given names, as transliterated.
    pub given_name: String,
    /// Number of the document.
    pub number: String,
    /// Three letters, or fewer.
    pub nationality: String,
    /// `YYMMDD`; unknown parts are spaces.
    pub birth_date: String,
}

/// It is about a person: logs show none of it.
impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zone(…)")
    }
}

/// The zone of a verified seal, if it is of a kind that has one: message and length of the first line by feature and category
/// (BSI TR-03137: visas, residence permits, supplementary sheets, arrival attestations, emergency travel documents).
pub fn of_seal(seal: &Vds) -> Option<Zone> {
    let header = seal.header();
    let (tag, line) = match (header.feature, header.category) {
        (0x5d, 0x01) if seal.message(0x01).is_some() => (0x01, 44),
        (0x5d, 0x01) | (0xfb, 0x06) | (0xfd, 0x02) | (0x5e, 0x03) => (0x02, 36),
        (0xfa, 0x06) => (0x04, 36),
        _ => return None,
    };
    Zone::parse(&c40::decode(seal.message(tag)?).ok()?, line)
}

impl Zone {
    /// The two lines, one behind the other, with `line` characters in the first; `<` or space as filling.
    pub fn parse(text: &str, line: usize) -> Option<Zone> {
        let text = text.replace('<', " ");
        if !text.is_ascii() || text.len() < line + 20 || text.len() > 2 * line + 2 {
            return None;
        }
        let (first, second) = text.split_at(line);
        let (family_name, given_name) =
            first[5..].trim_end().split_once("  ").unwrap_or((first[5..].trim_end(), ""));
        let (number, birth_date) = (&second[..9], &second[13..19]);
        if !checked(number, &second[9..10]) || !checked(birth_date, &second[19..20]) {
            return None;
        }
        Some(Zone {
            document_type: first[..2].trim_end().to_owned(),
            country: first[2..5].trim_end().to_owned(),
            family_name: family_name.trim().to_owned(),
            given_name: given_name.trim().to_owned(),
            number: number.trim_end().to_owned(),
            nationality: second[10..13].trim_end().to_owned(),
            birth_date: birth_date.to_owned(),
        })
    }

    /// The day of birth, by the century that makes the person younger than a hundred on `issued_on`; none if a part is unknown.
    pub fn birth_date_on(&self, issued_on: Date) -> Option<Date> {
        let part = |at: usize| self.birth_date.get(at..at + 2)?.parse::<i8>().ok();
        let (year, month, day) = (i16::from(part(0)?), part(2)?, part(4)?);
        let this = Date::new(2000 + year, month, day).ok().filter(|date| *date <= issued_on);
        this.or_else(|| Date::new(1900 + year, month, day).ok())
    }
}

/// The check digit of Doc 9303-3, 4.9: weights 7, 3, 1; digits as they are, letters from 10, filling 0.
fn checked(field: &str, digit: &str) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    };
    let sum: u32 =
        field.bytes().zip([7, 3, 1].into_iter().cycle()).map(|(byte, weight)| value(byte) * weight).sum();
    let digit = if digit == " " { Some(0) } else { digit.parse().ok() };
    digit == Some(sum % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ICAO Doc 9303-6, appendix B: the specimen TD2.
    const TD2: &str = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<D231458907UTO7408122F1204159<<<<<<<6";

    #[test]
    fn the_specimen_of_doc_9303_6_is_read() {
        let zone = Zone::parse(TD2, 36).unwrap();
        assert_eq!((zone.document_type.as_str(), zone.country.as_str()), ("I", "UTO"));
        assert_eq!((zone.family_name.as_str(), zone.given_name.as_str()), ("ERIKSSON", "ANNA MARIA"));
        assert_eq!((zone.number.as_str(), zone.nationality.as_str()), ("D23145890", "UTO"));
        assert_eq!(zone.birth_date_on(Date::constant(2020, 1, 1)), Some(Date::constant(1974, 8, 12)));
        assert_eq!(format!("{zone:?}"), "Zone(…)");
    }

    #[test]
    fn a_wrong_check_digit_a_cut_zone_and_strange_characters_are_refused() {
        assert_eq!(Zone::parse(&TD2.replace("D231458907", "D231458917"), 36), None);
        assert_eq!(Zone::parse(&TD2.replace("7408122F", "7408123F"), 36), None);
        assert_eq!(Zone::parse(&TD2[..55], 36), None);
        assert!(Zone::parse(&TD2[..56], 36).is_some(), "the end of the second line may be left out");
        assert_eq!(Zone::parse(&TD2.replace("ANNA", "\u{c4}NN"), 36), None);
        assert_eq!(Zone::parse("", 36), None);
    }

    #[test]
    fn a_birth_year_is_of_this_century_only_if_it_lies_before_the_issue() {
        let born = |digits: &str, issued_on| {
            let zone = Zone { birth_date: digits.to_owned(), ..Zone::parse(TD2, 36).unwrap() };
            zone.birth_date_on(issued_on)
        };
        assert_eq!(born("190102", Date::constant(2020, 1, 1)), Some(Date::constant(2019, 1, 2)));
        assert_eq!(born("210102", Date::constant(2020, 1, 1)), Some(Date::constant(1921, 1, 2)));
        assert_eq!(born("74    ", Date::constant(2020, 1, 1)), None);
    }
}
