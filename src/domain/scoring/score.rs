//! Scores: exact numbers. An average of three testcases or a third of a hundred points stays what it is until it is written down.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};
use std::str::FromStr;

use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{Signed as _, Zero as _};

/// The most characters of a number that is read. It keeps what a guest writes from growing in sums and products.
const LENGTH_MAX: usize = 400;
/// The largest exponent in a number that is read, either way: what programs that count in doubles can write.
const EXPONENT_MAX: i32 = 330;
/// The most digits behind the point that are written.
const PLACES: u32 = 12;

/// A score: an exact rational number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(BigRational);

/// A text that is no score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a decimal number")]
pub struct InvalidScore {
    /// The text, cut to its beginning.
    pub text: String,
}

impl Score {
    /// No points.
    pub fn zero() -> Self {
        Self(BigRational::zero())
    }

    /// Whether it is no points.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Whether it is less than no points.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Whether two scores are the same for people: within 10⁻⁶, or 10⁻⁹ of the larger one. Programs of the jury
    /// count in floating point.
    pub fn is_close_to(&self, other: &Self) -> bool {
        let part = |power: u32| BigRational::new(1.into(), BigInt::from(10).pow(power));
        let difference = (&self.0 - &other.0).abs();
        let larger = self.0.abs().max(other.0.abs());
        difference <= part(6) || difference <= larger * part(9)
    }

    /// Whether it is larger than `other` by more than rounding.
    pub fn exceeds(&self, other: &Self) -> bool {
        self > other && !self.is_close_to(other)
    }
}

impl From<u64> for Score {
    fn from(points: u64) -> Self {
        Self(BigRational::from_integer(points.into()))
    }
}

/// Reads `[+-] digits [. digits] [e [+-] digits]`, where one of the two groups of digits may be missing. No white space, no
/// infinity, nothing that is not a number.
impl FromStr for Score {
    type Err = InvalidScore;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidScore { text: text.chars().take(LENGTH_MAX).collect() };
        if text.len() > LENGTH_MAX {
            return Err(invalid());
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                // Rust's integers take a sign and digits, as the grammar does.
                (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?)
            }
            None => (text, 0),
        };
        if exponent.abs() > EXPONENT_MAX {
            return Err(invalid());
        }
        let (sign, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (Sign::Minus, rest),
            None => (Sign::Plus, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let magnitude = digits.parse::<BigInt>().map_err(|_| invalid())?;
        let signed = if sign == Sign::Minus { -magnitude } else { magnitude };
        let places = exponent - i32::try_from(fraction.len()).map_err(|_| invalid())?;
        let power = BigInt::from(10).pow(places.unsigned_abs());
        Ok(Self(if places < 0 {
            BigRational::new(signed, power)
        } else {
            BigRational::from_integer(signed * power)
        }))
    }
}

/// As a decimal number: exact where twelve digits behind the point are enough, else rounded to them.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = BigInt::from(10).pow(PLACES);
        let scaled = (&self.0 * &scale).round().to_integer();
        let digits = scaled.magnitude().to_string();
        let digits = format!("{digits:0>width$}", width = PLACES as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - PLACES as usize);
        let fraction = fraction.trim_end_matches('0');
        let sign = if scaled.sign() == Sign::Minus { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Score {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Score {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

/// A part of a score; of none where there is nothing to divide by.
impl Div<usize> for Score {
    type Output = Self;

    fn div(self, parts: usize) -> Self {
        if parts == 0 { Self::zero() } else { Self(self.0 / BigInt::from(parts)) }
    }
}

impl Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::zero(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, written: &str) {
        let score: Score = text.parse().expect("a score");
        assert_eq!(score.to_string(), written);
    }

    #[test]
    fn numbers_are_read_and_written_exactly() {
        check("0", "0");
        check("-0.0", "0");
        check("007", "7");
        check("1.", "1");
        check(".5", "0.5");
        check("+1.50", "1.5");
        check("-2.25", "-2.25");
        check("-0.5", "-0.5");
        check("1e3", "1000");
        check("1.5E-3", "0.0015");
        check("12345678901234567890.123456789012", "12345678901234567890.123456789012");
        // Written as near as twelve digits allow.
        check("0.0000000000014", "0.000000000001");
        check("1e-30", "0");
        check("-1e-30", "0");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(401);
        for text in [
            "", ".", "-", "e5", "1e", "1e999", "1e-999", "inf", "nan", "0x10", "1,5", " 1", "1 ", "1 2",
            "--1", &long,
        ] {
            assert!(text.parse::<Score>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn thirds_add_up() {
        let third = Score::from(100) / 3;
        assert_eq!(third.to_string(), "33.333333333333");
        assert_eq!([third.clone(), third.clone(), third].into_iter().sum::<Score>(), Score::from(100));
        assert_eq!(Score::from(5) / 0, Score::zero());
    }

    #[test]
    fn closeness_forgives_floating_point_and_nothing_else() {
        let of = |text: &str| text.parse::<Score>().expect("a score");
        assert!(of("99.9999999999").is_close_to(&of("100")));
        assert!(!of("99.99").is_close_to(&of("100")));
        assert!(of("1000000000.5").is_close_to(&of("1000000001")));
        assert!(!of("100.0000000001").exceeds(&of("100")));
        assert!(of("100.1").exceeds(&of("100")));
        assert!(!of("99").exceeds(&of("100")));
    }
}
