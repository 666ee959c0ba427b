//! Decimal fractions as people type them (`0.1`, `1e-6`), kept exact.

use super::Ratio;
use std::fmt;
use std::str::FromStr;

/// The longest text: every fraction within the digit bounds fits in it.
const TEXT_BYTES_MAX: usize = 32;

/// The most digits before rounding would begin: with 18, numerator, denominator and their products by two fit 64 bits.
const DIGITS_MAX: usize = 18;

/// A non-negative decimal fraction, `num / 10^scale`, in lowest terms of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    num: u64,
    scale: u32,
}

/// Why a text is not a decimal fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `digits [. digits] [e [+|-] digits]`.
    #[error("not a decimal fraction such as 0.1 or 1e-6")]
    Form,
    /// More than 18 digits, written out.
    #[error("more than {DIGITS_MAX} digits when written out")]
    Digits,
}

impl Decimal {
    /// A whole number.
    pub fn whole(number: u32) -> Self {
        Self { num: u64::from(number), scale: 0 }.lowest()
    }

    /// The exact value.
    pub fn ratio(&self) -> Ratio {
        Ratio { num: self.num, den: 10_u64.pow(self.scale) }
    }

    /// The exact value divided by `by`, in lowest terms.
    pub fn divided(&self, by: u32) -> Ratio {
        let Ratio { num, den } = self.ratio();
        let (num, den) = (u128::from(num), u128::from(den) * u128::from(by.max(1)));
        let common = gcd(num, den);
        // den ≤ 10¹⁸·by: by is 1 or 2 wherever a mechanism is made.
        let term = |wide: u128| u64::try_from(wide / common).unwrap_or(u64::MAX);
        Ratio { num: term(num), den: term(den) }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.num == 0
    }

    /// Whether it is below `num / den`.
    pub fn is_below(&self, num: u64, den: u64) -> bool {
        let own = self.ratio();
        u128::from(own.num) * u128::from(den) < u128::from(num) * u128::from(own.den)
    }

    fn lowest(mut self) -> Self {
        while self.scale > 0 && self.num.is_multiple_of(10) {
            self.num /= 10;
            self.scale -= 1;
        }
        self
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// `digits [. digits] [e [+|-] digits]`, of at most 32 bytes: no sign, no blanks, no infinity.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(DecimalError::Form);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        if !digits(whole) || !digits(part) {
            return Err(DecimalError::Form);
        }
        let part = part.trim_end_matches('0');
        let all = format!("{whole}{part}");
        let all = all.trim_start_matches('0');
        if all.is_empty() {
            return Ok(Self { num: 0, scale: 0 });
        }
        let places = i64::try_from(part.len()).map_err(|_| DecimalError::Digits)? - exponent;
        let raised = usize::try_from(-places).unwrap_or(0);
        let scale = u32::try_from(places).unwrap_or(0);
        if all.len() + raised > DIGITS_MAX || scale as usize > DIGITS_MAX {
            return Err(DecimalError::Digits);
        }
        let num: u64 = all.parse().map_err(|_| DecimalError::Digits)?;
        Ok(Self { num: num * 10_u64.pow(raised as u32), scale }.lowest())
    }
}

impl fmt::Display for Decimal {
    /// As people write it: `0.1`, `12`, and `1e-6` where the zeros would be many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.num.to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return f.write_str(&digits);
        }
        if digits.len() > scale {
            let (whole, part) = digits.split_at(digits.len() - scale);
            return write!(f, "{whole}.{part}");
        }
        let zeros = scale - digits.len();
        if zeros < 3 {
            return write!(f, "0.{}{digits}", "0".repeat(zeros));
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{first}{point}{rest}e-{}", zeros + 1)
    }
}

fn exponent_of(text: &str) -> Result<i64, DecimalError> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits(number) {
        return Err(DecimalError::Form);
    }
    Ok(sign * number.parse::<i64>().map_err(|_| DecimalError::Digits)?.min(1_000))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
