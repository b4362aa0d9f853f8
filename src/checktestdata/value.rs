//! Values of checktestdata and how they are calculated with: exactly, and within bounds of size.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};

/// Numbers of more bits are refused: no input that people make needs them.
const BITS_MAX: u64 = 1 << 16;
/// Exponents in numbers with a point are at most this: 1e1000 is no number of a contest.
const EXPONENT_MAX: i64 = 1_000;

/// What a variable or an expression is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Value {
    Integer(BigInt),
    Float(BigRational),
    Text(Vec<u8>),
}

/// An operator of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
        }
    }

    fn float(&self) -> Option<BigRational> {
        match self {
            Value::Integer(integer) => Some(BigRational::from_integer(integer.clone())),
            Value::Float(float) => Some(float.clone()),
            Value::Text(_) => None,
        }
    }

    /// A number in decimal with a point or an exponent. None where it is too long to calculate with.
    pub(super) fn parse_float(text: &str) -> Option<Value> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = i64::try_from(fraction.len()).ok()?;
        let shift = exponent.checked_sub(digits)?;
        if exponent.abs() > EXPONENT_MAX || digits > EXPONENT_MAX || whole.len() > EXPONENT_MAX as usize {
            return None;
        }
        let numerator: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let scale = BigInt::from(10).pow(u32::try_from(shift.unsigned_abs()).ok()?);
        Some(Value::Float(if shift >= 0 {
            BigRational::from_integer(numerator * scale)
        } else {
            BigRational::new(numerator, scale)
        }))
    }

    /// How two values compare. Strings compare with strings only.
    pub(super) fn compare(&self, other: &Value) -> Result<Ordering, String> {
        match (self, other) {
            (Value::Integer(one), Value::Integer(other)) => Ok(one.cmp(other)),
            (Value::Text(one), Value::Text(other)) => Ok(one.cmp(other)),
            _ => match (self.float(), other.float()) {
                (Some(one), Some(other)) => Ok(one.cmp(&other)),
                _ => Err(format!("{} is compared with {}", self.kind(), other.kind())),
            },
        }
    }

    pub(super) fn negate(&self) -> Result<Value, String> {
        match self {
            Value::Integer(integer) => Ok(Value::Integer(-integer)),
            Value::Float(float) => Ok(Value::Float(-float)),
            Value::Text(_) => Err("a string has no negative".to_owned()),
        }
    }

    /// The number as one that counts things.
    pub(super) fn count(&self) -> Result<u64, String> {
        match self {
            Value::Integer(integer) => integer
                .to_u32()
                .map(u64::from)
                .ok_or_else(|| format!("{integer} is no count (0 to 4294967295)")),
            other => Err(format!("a count must be an integer, not {}", other.kind())),
        }
    }

    pub(super) fn text(&self) -> Result<&[u8], String> {
        match self {
            Value::Text(text) => Ok(text),
            other => Err(format!("a string is needed, not {}", other.kind())),
        }
    }

    /// How much work it is to calculate with it, in words of a processor.
    pub(super) fn size(&self) -> u64 {
        match self {
            Value::Integer(integer) => integer.bits() / 64,
            Value::Float(float) => (float.numer().bits() + float.denom().bits()) / 16,
            Value::Text(text) => text.len() as u64,
        }
    }
}

/// What an operator makes of two values.
pub(super) fn calculate(operator: Operator, one: &Value, other: &Value) -> Result<Value, String> {
    let result = match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => integers(operator, one, other)?,
        _ => match (one.float(), other.float()) {
            (Some(of_one), Some(of_other)) => floats(operator, &of_one, &of_other, other)?,
            _ => return Err(format!("{} and {} cannot be calculated with", one.kind(), other.kind())),
        },
    };
    let bits = match &result {
        Value::Integer(integer) => integer.bits(),
        Value::Float(float) => float.numer().bits().max(float.denom().bits()),
        Value::Text(_) => 0,
    };
    if bits > BITS_MAX { Err(too_long()) } else { Ok(result) }
}

fn integers(operator: Operator, one: &BigInt, other: &BigInt) -> Result<Value, String> {
    Ok(Value::Integer(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide | Operator::Modulo if other.is_zero() => return Err("division by zero".to_owned()),
        // Both towards zero, as in C.
        Operator::Divide => one / other,
        Operator::Modulo => one % other,
        Operator::Power => one.pow(exponent(other, one.bits())?),
    }))
}

fn floats(operator: Operator, one: &BigRational, other: &BigRational, of: &Value) -> Result<Value, String> {
    Ok(Value::Float(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide if other.is_zero() => return Err("division by zero".to_owned()),
        Operator::Divide => one / other,
        Operator::Modulo => return Err("% is for integers".to_owned()),
        Operator::Power => {
            let Value::Integer(power) = of else { return Err("an exponent must be an integer".to_owned()) };
            let bits = one.numer().bits().max(one.denom().bits());
            let power = exponent(power, bits)?;
            BigRational::new(one.numer().pow(power), one.denom().pow(power))
        }
    }))
}

/// An exponent that leaves the result within bounds.
fn exponent(power: &BigInt, bits: u64) -> Result<u32, String> {
    if power.is_negative() {
        return Err("an exponent must not be negative".to_owned());
    }
    let small = power.to_u32().filter(|power| bits <= 1 || u64::from(*power) * bits <= 2 * BITS_MAX);
    small.ok_or_else(too_long)
}

fn too_long() -> String {
    format!("a number gets longer than {BITS_MAX} bits")
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(integer) => write!(formatter, "{integer}"),
            Value::Float(float) => match float.to_f64() {
                Some(near) => write!(formatter, "{near}"),
                None => write!(formatter, "{float}"),
            },
            Value::Text(text) => write!(formatter, "{:?}", String::from_utf8_lossy(text)),
        }
    }
}
