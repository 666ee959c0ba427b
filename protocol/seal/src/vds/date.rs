//! Dates in seals: the decimal number MMDDYYYY in three bytes (ICAO Doc 9303-13, 2.3.1).

use jiff::civil::Date;

/// Three bytes that are no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date")]
pub struct DateError;

/// The day of three bytes.
///
/// # Errors
/// [`DateError`].
pub fn decode(bytes: [u8; 3]) -> Result<Date, DateError> {
    let number = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
    let (month, day, year) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let small = |part: u32| i8::try_from(part).map_err(|_| DateError);
    let year = i16::try_from(year).map_err(|_| DateError)?;
    Date::new(year, small(month)?, small(day)?).map_err(|_| DateError)
}

/// The three bytes of a day.
///
/// # Errors
/// [`DateError`] before the year 0; no year of four digits is too large.
pub fn encode(date: Date) -> Result<[u8; 3], DateError> {
    let part = |part: i8| u32::from(part.unsigned_abs());
    let year = u32::try_from(date.year()).map_err(|_| DateError)?;
    let number = part(date.month()) * 1_000_000 + part(date.day()) * 10_000 + year;
    let [_, a, b, c] = number.to_be_bytes();
    Ok([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_doc_9303_13_is_read_and_written() {
        // ICAO Doc 9303-13, 2.3.1: March 25, 1957 is 0x31 0x9e 0xf5 ("03251957").
        let day = Date::new(1957, 3, 25).unwrap();
        assert_eq!(encode(day), Ok([0x31, 0x9e, 0xf5]));
        assert_eq!(decode([0x31, 0x9e, 0xf5]), Ok(day));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for number in [0_u32, 13_012_026, 2_302_026, 1_002_026, 16_777_215] {
            let [_, a, b, c] = number.to_be_bytes();
            assert_eq!(decode([a, b, c]), Err(DateError), "{number}");
        }
    }
}
