//! The default output validator: compares an output with an answer, token by token or space by space,
//! exactly as ICPC packages prescribe. Leaves to its caller the reading of files and the verdict.
//!
//! # Theory of operation
//!
//! Most outputs are right, and most right outputs are byte for byte the answer. So the comparison first skips the
//! common prefix (a block-wise memcmp), steps back to the start of the token it ended in, and only then walks
//! token by token. Nothing is allocated and no line is counted until the output is known to be wrong; then the
//! position is found by counting once from the start. Everything is linear in the two lengths.

use std::fmt::Write as _;

/// How strictly outputs are compared; parsed once from the flags that a package states.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flags {
    /// Letters must match in case too. Otherwise ASCII letters (and no others) are folded.
    case_sensitive: bool,
    /// Whitespace must match in kind and amount.
    space_change_sensitive: bool,
    float_absolute_tolerance: Option<Tolerance>,
    float_relative_tolerance: Option<Tolerance>,
}

/// What there is to set.
const FLAGS: [&str; 5] = [
    "case_sensitive",
    "space_change_sensitive",
    "float_absolute_tolerance",
    "float_relative_tolerance",
    "float_tolerance",
];

/// Why validator flags were refused. A judge must not guess what a package meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// Not one of the five flags of the default validator.
    #[error("unknown validator flag {flag:?}")]
    Unknown {
        /// The flag as written.
        flag: String,
    },
    /// A tolerance flag is the last word.
    #[error("validator flag {flag} lacks its tolerance")]
    MissingTolerance {
        /// The flag's name.
        flag: &'static str,
    },
    /// The word after a tolerance flag is not a finite number of at least zero.
    #[error("validator flag {flag}: {value:?} is not a tolerance (a decimal number of at least 0)")]
    BadTolerance {
        /// The flag's name.
        flag: &'static str,
        /// The word after it.
        value: String,
    },
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The output is as good as the answer.
    Accepted,
    /// The output is wrong at the place that `message` names.
    Wrong {
        /// One line of printable text, at most some 500 bytes. It quotes the answer: for judges, not for contestants.
        message: String,
    },
}

impl Flags {
    /// Parses the flags of the default validator, already split on whitespace. Of flags that say the same the last
    /// counts, also where `float_tolerance` stands beside an absolute or relative tolerance, as in problemtools.
    pub fn parse<S: AsRef<str>>(args: &[S]) -> Result<Flags, FlagError> {
        let mut flags = Flags::default();
        let mut args = args.iter().map(AsRef::as_ref);
        while let Some(arg) = args.next() {
            let Some(flag) = FLAGS.into_iter().find(|name| *name == arg) else {
                return Err(FlagError::Unknown { flag: arg.to_owned() });
            };
            let mut tolerance = || {
                let value = args.next().ok_or(FlagError::MissingTolerance { flag })?;
                Tolerance::parse(value)
                    .ok_or_else(|| FlagError::BadTolerance { flag, value: value.to_owned() })
            };
            match flag {
                "case_sensitive" => flags.case_sensitive = true,
                "space_change_sensitive" => flags.space_change_sensitive = true,
                "float_absolute_tolerance" => flags.float_absolute_tolerance = Some(tolerance()?),
                "float_relative_tolerance" => flags.float_relative_tolerance = Some(tolerance()?),
                _ => {
                    let both = tolerance()?;
                    flags.float_absolute_tolerance = Some(both);
                    flags.float_relative_tolerance = Some(both);
                }
            }
        }
        Ok(flags)
    }

    /// The first flag that stands twice among those that [`Flags::parse`] takes.
    pub fn repeated<S: AsRef<str>>(args: &[S]) -> Option<&'static str> {
        let mut names = args.iter().filter_map(|arg| FLAGS.into_iter().find(|name| *name == arg.as_ref()));
        let mut seen = Vec::new();
        names.find(|name| {
            let is_known = seen.contains(name);
            seen.push(*name);
            is_known
        })
    }

    fn compares_floats(&self) -> bool {
        self.float_absolute_tolerance.is_some() || self.float_relative_tolerance.is_some()
    }
}

/// Compares `output` with `answer`. Both may be any bytes of any length; time is linear, and memory constant.
pub fn compare(answer: &[u8], output: &[u8], flags: &Flags) -> Comparison {
    match first_difference(answer, output, flags) {
        None => Comparison::Accepted,
        Some(difference) => Comparison::Wrong { message: difference.describe(answer, output, flags) },
    }
}

/// Where the two texts part, and how. Offsets are in bytes.
struct Difference {
    answer_offset: usize,
    output_offset: usize,
    kind: DifferenceKind,
}

enum DifferenceKind {
    /// Two tokens that do not match.
    Token,
    /// The answer's token is a number, the output's is not.
    NotANumber,
    /// Two numbers too far apart.
    Number,
    /// The output ends before the answer does.
    OutputEnds,
    /// The output goes on after the answer has ended.
    Trailing,
    /// Whitespace differs, and matters.
    Space,
}

fn first_difference(answer: &[u8], output: &[u8], flags: &Flags) -> Option<Difference> {
    let start = start_of_last_token(answer, common_prefix_length(answer, output));
    let (mut answer_offset, mut output_offset) = (start, start);
    loop {
        let answer_token_start = skip_space(answer, answer_offset);
        let output_token_start = skip_space(output, output_offset);
        if flags.space_change_sensitive {
            let answer_space = &answer[answer_offset..answer_token_start];
            let output_space = &output[output_offset..output_token_start];
            if answer_space != output_space {
                let same = common_prefix_length(answer_space, output_space);
                return Some(Difference {
                    answer_offset: answer_offset + same,
                    output_offset: output_offset + same,
                    kind: DifferenceKind::Space,
                });
            }
        }
        answer_offset = skip_token(answer, answer_token_start);
        output_offset = skip_token(output, output_token_start);
        let answer_token = &answer[answer_token_start..answer_offset];
        let output_token = &output[output_token_start..output_offset];
        let kind = match (answer_token.is_empty(), output_token.is_empty()) {
            (true, true) => return None,
            (false, true) => DifferenceKind::OutputEnds,
            (true, false) => DifferenceKind::Trailing,
            (false, false) => match compare_tokens(answer_token, output_token, flags) {
                None => continue,
                Some(kind) => kind,
            },
        };
        return Some(Difference {
            answer_offset: answer_token_start,
            output_offset: output_token_start,
            kind,
        });
    }
}

fn compare_tokens(answer: &[u8], output: &[u8], flags: &Flags) -> Option<DifferenceKind> {
    if answer == output {
        return None;
    }
    if flags.compares_floats()
        && let Some(answer_number) = Number::parse(answer)
    {
        return match Number::parse(output) {
            None => Some(DifferenceKind::NotANumber),
            Some(output_number) if close_enough(&answer_number, &output_number, flags) => None,
            Some(_) => Some(DifferenceKind::Number),
        };
    }
    let same = !flags.case_sensitive && answer.eq_ignore_ascii_case(output);
    (!same).then_some(DifferenceKind::Token)
}

// ---------------------------------------------------------------------------------------------- scanning

/// The whitespace of the format: the six ASCII characters, and no Unicode.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_space(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| is_space(**byte)).count()
}

fn skip_token(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| !is_space(**byte)).count()
}

fn common_prefix_length(left: &[u8], right: &[u8]) -> usize {
    const BLOCK_BYTES: usize = 4096;
    let shorter = left.len().min(right.len());
    let (left, right) = (&left[..shorter], &right[..shorter]);
    let equal_blocks =
        left.chunks(BLOCK_BYTES).zip(right.chunks(BLOCK_BYTES)).take_while(|(l, r)| l == r).count();
    let from = (equal_blocks * BLOCK_BYTES).min(shorter);
    from + left[from..].iter().zip(&right[from..]).take_while(|(l, r)| l == r).count()
}

/// The start of the token, or of the run of whitespace, that contains the byte before `offset`: what comes before is
/// settled, while the token itself may go on differently on the two sides.
fn start_of_last_token(text: &[u8], offset: usize) -> usize {
    let settled = &text[..offset];
    match settled.last() {
        None => 0,
        Some(last) => {
            let in_space = is_space(*last);
            offset - settled.iter().rev().take_while(|byte| is_space(**byte) == in_space).count()
        }
    }
}

// ---------------------------------------------------------------------------------------------- numbers

/// A tolerance, as the nearest double and, where it has few enough digits, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tolerance {
    value: f64,
    exact: Option<Decimal>,
}

impl Tolerance {
    fn parse(text: &str) -> Option<Tolerance> {
        let number = Number::parse(text.as_bytes())?;
        let usable = number.value.is_finite() && !text.starts_with('-');
        usable.then(|| Tolerance { value: number.value, exact: Decimal::parse(number.text) })
    }
}

/// A token of the number grammar: `[+-]? (digits [. digits?]? | . digits) ([eE] [+-]? digits)?`.
/// No infinities, no NaN, no hexadecimal.
struct Number<'a> {
    text: &'a [u8],
    /// The nearest double; infinite where the number is beyond all doubles.
    value: f64,
}

impl<'a> Number<'a> {
    fn parse(text: &'a [u8]) -> Option<Number<'a>> {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
        let integer = digits(unsigned);
        let mut rest = &unsigned[integer..];
        let mut fraction = 0;
        if let Some(after_dot) = rest.strip_prefix(b".") {
            fraction = digits(after_dot);
            rest = &after_dot[fraction..];
        }
        if integer + fraction == 0 {
            return None;
        }
        if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
            let exponent =
                exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
            let length = digits(exponent);
            if length == 0 {
                return None;
            }
            rest = &exponent[length..];
        }
        if !rest.is_empty() {
            return None;
        }
        // What passed the grammar is ASCII and within the grammar of `f64::from_str`.
        let value = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(Number { text, value })
    }
}

/// `mantissa` times ten to the power of `exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// The exact value of a token that matches the number grammar; nothing if it has too many digits for 128 bits.
    fn parse(text: &[u8]) -> Option<Decimal> {
        let (mut mantissa, mut exponent) = (0_i128, 0_i32);
        let mut after_dot = false;
        // Zeros are held back until a digit follows them: trailing zeros must not exhaust the mantissa.
        let mut zeros_pending = 0_u32;
        for (index, byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    if after_dot {
                        exponent = exponent.checked_sub(1)?;
                    }
                    if *byte == b'0' {
                        zeros_pending += 1;
                        continue;
                    }
                    if mantissa != 0 {
                        mantissa = mantissa.checked_mul(10_i128.checked_pow(zeros_pending)?)?;
                    }
                    zeros_pending = 0;
                    mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                }
                b'.' => after_dot = true,
                b'e' | b'E' => {
                    let stated: i32 = std::str::from_utf8(&text[index + 1..]).ok()?.parse().ok()?;
                    exponent = exponent.checked_add(stated)?;
                    break;
                }
                _ => {}
            }
        }
        exponent = exponent.checked_add(i32::try_from(zeros_pending).ok()?)?;
        if text.first() == Some(&b'-') {
            mantissa = -mantissa;
        }
        Some(if mantissa == 0 { Decimal { mantissa, exponent: 0 } } else { Decimal { mantissa, exponent } })
    }

    /// The two mantissas at one common exponent.
    fn align(self, other: Decimal) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let scale = |decimal: Decimal| {
            if decimal.mantissa == 0 {
                return Some(0);
            }
            let shift = u32::try_from(i64::from(decimal.exponent) - i64::from(exponent)).ok()?;
            decimal.mantissa.checked_mul(10_i128.checked_pow(shift)?)
        };
        Some((scale(self)?, scale(other)?, exponent))
    }

    fn distance(self, other: Decimal) -> Option<Decimal> {
        let (left, right, exponent) = self.align(other)?;
        Some(Decimal { mantissa: left.checked_sub(right)?.checked_abs()?, exponent })
    }

    fn times(self, other: Decimal) -> Option<Decimal> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Decimal { mantissa, exponent: self.exponent.checked_add(other.exponent)? })
    }

    fn at_most(self, other: Decimal) -> Option<bool> {
        let (left, right, _) = self.align(other)?;
        Some(left <= right)
    }
}

fn close_enough(answer: &Number<'_>, output: &Number<'_>, flags: &Flags) -> bool {
    let absolute =
        flags.float_absolute_tolerance.is_some_and(|tolerance| within(answer, output, tolerance, false));
    absolute
        || flags.float_relative_tolerance.is_some_and(|tolerance| within(answer, output, tolerance, true))
}

/// Whether the distance is at most the tolerance (times the answer's magnitude where `relative`). Doubles decide
/// unless the two sides are so close that rounding would; then decimals of up to 38 digits decide exactly, so that
/// 1.000001 is within 1e-6 of 1, and two 19-digit integers are not equal because doubles cannot tell them apart.
fn within(answer: &Number<'_>, output: &Number<'_>, tolerance: Tolerance, relative: bool) -> bool {
    let distance = (answer.value - output.value).abs();
    let bound = if relative { tolerance.value * answer.value.abs() } else { tolerance.value };
    let rounding = 8.0 * f64::EPSILON * (answer.value.abs() + output.value.abs() + bound) + f64::MIN_POSITIVE;
    if (distance - bound).abs() > rounding {
        return distance <= bound;
    }
    let exactly = || {
        let (answer, output) = (Decimal::parse(answer.text)?, Decimal::parse(output.text)?);
        let bound = if relative {
            tolerance.exact?.times(Decimal { mantissa: answer.mantissa.checked_abs()?, ..answer })?
        } else {
            tolerance.exact?
        };
        answer.distance(output)?.at_most(bound)
    };
    // Beyond the range of doubles everything is infinitely far, and an infinite bound would let anything pass.
    exactly().unwrap_or(bound.is_finite() && distance <= bound)
}

// ---------------------------------------------------------------------------------------------- messages

impl Difference {
    fn describe(&self, answer: &[u8], output: &[u8], flags: &Flags) -> String {
        let answer_token = &answer[self.answer_offset..skip_token(answer, self.answer_offset)];
        let output_token = &output[self.output_offset..skip_token(output, self.output_offset)];
        let (output_line, answer_line) =
            (line_at(output, self.output_offset), line_at(answer, self.answer_offset));
        let token = tokens_before(answer, self.answer_offset) + 1;
        let place =
            format!("line {output_line} of the output (line {answer_line} of the answer), token {token}");
        match self.kind {
            DifferenceKind::Token => {
                let note = if answer_token.eq_ignore_ascii_case(output_token) {
                    ", which differs in case"
                } else {
                    ""
                };
                let (expected, found) = quote_both(answer_token, output_token);
                format!("{place}: expected {expected}, found {found}{note}")
            }
            DifferenceKind::NotANumber => {
                format!("{place}: expected the number {}, found {}", quote(answer_token), quote(output_token))
            }
            DifferenceKind::Number => {
                let mut message = format!(
                    "{place}: expected {}, found {}, too far apart",
                    quote(answer_token),
                    quote(output_token)
                );
                if let (Some(a), Some(o)) = (Number::parse(answer_token), Number::parse(output_token)) {
                    let _ = write!(message, " ({:e}", (a.value - o.value).abs());
                    if let Some(tolerance) = flags.float_absolute_tolerance {
                        let _ = write!(message, ", absolute tolerance {:e}", tolerance.value);
                    }
                    if let Some(tolerance) = flags.float_relative_tolerance {
                        let _ = write!(message, ", relative tolerance {:e}", tolerance.value);
                    }
                    message.push(')');
                }
                message
            }
            DifferenceKind::OutputEnds if tokens_before(output, output.len()) == 0 => {
                let how = if output.is_empty() { "is empty" } else { "is nothing but whitespace" };
                format!("the output {how}, expected {}", quote(answer_token))
            }
            DifferenceKind::OutputEnds => {
                format!("the output ends at {place}: expected {}", quote(answer_token))
            }
            DifferenceKind::Trailing => {
                format!(
                    "line {output_line} of the output, token {token}: found {} after the end of the answer",
                    quote(output_token)
                )
            }
            DifferenceKind::Space => {
                let expected = name_character(answer.get(self.answer_offset));
                let found = name_character(output.get(self.output_offset));
                format!("{place}: whitespace differs, expected {expected}, found {found}")
            }
        }
    }
}

fn line_at(text: &[u8], offset: usize) -> usize {
    1 + text[..offset].iter().filter(|byte| **byte == b'\n').count()
}

fn tokens_before(text: &[u8], offset: usize) -> usize {
    let mut previous_is_space = true;
    let mut tokens = 0;
    for byte in &text[..offset] {
        tokens += usize::from(previous_is_space && !is_space(*byte));
        previous_is_space = is_space(*byte);
    }
    tokens
}

fn name_character(byte: Option<&u8>) -> String {
    match byte {
        None => "the end".to_owned(),
        Some(b' ') => "a space".to_owned(),
        Some(b'\t') => "a tab".to_owned(),
        Some(b'\n') => "a line feed".to_owned(),
        Some(b'\r') => "a carriage return".to_owned(),
        Some(b'\x0b') => "a vertical tab".to_owned(),
        Some(b'\x0c') => "a form feed".to_owned(),
        Some(byte) => quote(&[*byte]),
    }
}

/// Tokens longer than this many bytes are cut in messages.
const QUOTE_BYTES_MAX: usize = 40;

fn quote(token: &[u8]) -> String {
    quote_window(token, 0)
}

/// Quotes two tokens around the first byte in which they differ, so that the cut never hides the difference.
fn quote_both(left: &[u8], right: &[u8]) -> (String, String) {
    let same = left.iter().zip(right).take_while(|(l, r)| l.eq_ignore_ascii_case(r)).count();
    let exact = common_prefix_length(left, right);
    let differ = if left.eq_ignore_ascii_case(right) { exact } else { same };
    let from = if differ < QUOTE_BYTES_MAX { 0 } else { differ - QUOTE_BYTES_MAX / 2 };
    (quote_window(left, from), quote_window(right, from))
}

fn quote_window(token: &[u8], from: usize) -> String {
    let from = from.min(token.len());
    let until = token.len().min(from + QUOTE_BYTES_MAX);
    let mut text = String::with_capacity(QUOTE_BYTES_MAX + 16);
    text.push_str(if from > 0 { "\"..." } else { "\"" });
    for chunk in token[from..until].utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                character if character.is_control() || is_invisible(character) => {
                    text.extend(character.escape_unicode());
                }
                character => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push_str(if until < token.len() { "...\"" } else { "\"" });
    text
}

/// Characters that would change how the rest of the line reads: bidirectional controls, zero-width characters,
/// line and paragraph separators, tags and the byte order mark.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests;
