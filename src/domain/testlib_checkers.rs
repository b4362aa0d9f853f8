//! The standard checkers of testlib, by name: what `std::wcmp.cpp` and its siblings say of an output, without running
//! them. Leaves to its caller the reading of files and what a verdict is made of.
//!
//! Each follows the program of that name in <https://github.com/MikeMirzayanov/testlib>, in the order in which that
//! reads, since the first thing that it trips over decides: a misread of the output is a wrong format, one of the
//! answer a fault of the jury. Numbers are read as testlib reads them: integers without a plus sign, leading zeros or
//! "-0", doubles by the grammar of `scanf`, which takes "1e" for 1 and an overflow for an infinity.

/// What some editors begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A standard checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// Two doubles, absolute error 1e-6.
    Acmp,
    /// `Case 1: n` line by line, an integer each.
    Caseicmp,
    /// `Case 1: a b …`, integers.
    Casencmp,
    /// `Case 1: a b …`, tokens.
    Casewcmp,
    /// Two doubles, absolute or relative error 1e-6.
    Dcmp,
    /// Lines, byte for byte.
    Fcmp,
    /// Two integers of any size.
    Hcmp,
    /// Two 32-bit integers.
    Icmp,
    /// Lines of tokens.
    Lcmp,
    /// Sequences of 64-bit integers.
    Ncmp,
    /// Sequences of yes and no.
    Nyesno,
    /// Two doubles, absolute error 1.5e-6.
    Rcmp,
    /// Sequences of doubles, absolute or relative error 1e-4.
    Rcmp4,
    /// Sequences of doubles, absolute or relative error 1e-6.
    Rcmp6,
    /// Sequences of doubles, absolute or relative error 1e-9.
    Rcmp9,
    /// Sequences of doubles, absolute error 1.5e-5.
    Rncmp,
    /// Integers in any order.
    Uncmp,
    /// Sequences of tokens.
    Wcmp,
    /// Yes or no.
    Yesno,
}

/// What a checker says. The message is testlib's, as far as it says something of these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// Right.
    Ok(String),
    /// Wrong.
    Wrong(String),
    /// Not of the form that an output has: testlib's presentation error.
    Format(String),
    /// The answer itself is wrong: the jury's fault.
    Fail(String),
}

impl Checker {
    /// All of them, by name.
    pub const ALL: [Self; 19] = [
        Self::Acmp,
        Self::Caseicmp,
        Self::Casencmp,
        Self::Casewcmp,
        Self::Dcmp,
        Self::Fcmp,
        Self::Hcmp,
        Self::Icmp,
        Self::Lcmp,
        Self::Ncmp,
        Self::Nyesno,
        Self::Rcmp,
        Self::Rcmp4,
        Self::Rcmp6,
        Self::Rcmp9,
        Self::Rncmp,
        Self::Uncmp,
        Self::Wcmp,
        Self::Yesno,
    ];

    /// Its name: that of its program without the extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acmp => "acmp",
            Self::Caseicmp => "caseicmp",
            Self::Casencmp => "casencmp",
            Self::Casewcmp => "casewcmp",
            Self::Dcmp => "dcmp",
            Self::Fcmp => "fcmp",
            Self::Hcmp => "hcmp",
            Self::Icmp => "icmp",
            Self::Lcmp => "lcmp",
            Self::Ncmp => "ncmp",
            Self::Nyesno => "nyesno",
            Self::Rcmp => "rcmp",
            Self::Rcmp4 => "rcmp4",
            Self::Rcmp6 => "rcmp6",
            Self::Rcmp9 => "rcmp9",
            Self::Rncmp => "rncmp",
            Self::Uncmp => "uncmp",
            Self::Wcmp => "wcmp",
            Self::Yesno => "yesno",
        }
    }

    /// The checker of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|checker| checker.name() == name)
    }

    /// What it says of an output.
    pub fn check(self, output: &[u8], answer: &[u8]) -> Checked {
        // Only of the output, and only at its very beginning.
        let output = output.strip_prefix(BYTE_ORDER_MARK).unwrap_or(output);
        let mut ouf = Stream { bytes: output, at: 0, misread: Checked::Format };
        let mut ans = Stream { bytes: answer, at: 0, misread: Checked::Fail };
        let checked = match self {
            Self::Acmp => one_double(&mut ouf, &mut ans, |expected, found| is_within(expected, found, 1e-6)),
            Self::Rcmp => {
                one_double(&mut ouf, &mut ans, |expected, found| is_within(expected, found, 1.5e-6 + 1e-15))
            }
            Self::Dcmp => one_double(&mut ouf, &mut ans, |expected, found| is_close(expected, found, 1e-6)),
            Self::Rcmp4 => doubles(&mut ouf, &mut ans, |expected, found| is_close(expected, found, 1e-4)),
            Self::Rcmp6 => doubles(&mut ouf, &mut ans, |expected, found| is_close(expected, found, 1e-6)),
            Self::Rcmp9 => doubles(&mut ouf, &mut ans, |expected, found| is_close(expected, found, 1e-9)),
            Self::Rncmp => {
                doubles(&mut ouf, &mut ans, |expected, found| is_within(expected, found, 1.5e-5 + 1e-15))
            }
            Self::Fcmp => lines(&mut ouf, &mut ans, |expected, found| expected == found),
            Self::Lcmp => lines(&mut ouf, &mut ans, |expected, found| words(expected).eq(words(found))),
            Self::Hcmp => huge(&mut ouf, &mut ans),
            Self::Icmp => one_integer(&mut ouf, &mut ans),
            Self::Ncmp => integers(&mut ouf, &mut ans),
            Self::Uncmp => unordered(&mut ouf, &mut ans),
            Self::Wcmp => tokens(&mut ouf, &mut ans),
            Self::Yesno => yes_or_no(&mut ouf, &mut ans),
            Self::Nyesno => yes_and_no(&mut ouf, &mut ans),
            Self::Caseicmp => integer_cases(&mut ouf, &mut ans),
            Self::Casencmp => cases(&mut ouf, &mut ans, |stream, token| {
                stream.to_integer(token).map(|integer| integer.to_string())
            }),
            Self::Casewcmp => cases(&mut ouf, &mut ans, |_, token| Ok(part(token))),
        };
        match checked {
            Ok(_) if !ouf.is_at_end() => Checked::Format("Extra information in the output file".to_owned()),
            Ok(message) => Checked::Ok(message),
            Err(checked) => checked,
        }
    }
}

/// The message of an accepted output, or what else is to be said.
type Verdict = Result<String, Checked>;

fn wrong(message: String) -> Checked {
    Checked::Wrong(message)
}

fn one_double(ouf: &mut Stream<'_>, ans: &mut Stream<'_>, is_right: impl Fn(f64, f64) -> bool) -> Verdict {
    let (expected, found) = (ans.double()?, ouf.double()?);
    if is_right(expected, found) {
        Ok(format!("answer is {expected:.10}"))
    } else {
        Err(wrong(format!("expected {expected:.10}, found {found:.10}")))
    }
}

fn doubles(ouf: &mut Stream<'_>, ans: &mut Stream<'_>, is_right: impl Fn(f64, f64) -> bool) -> Verdict {
    let mut count = 0;
    while !ans.is_at_end() {
        count += 1;
        let (expected, found) = (ans.double()?, ouf.double()?);
        if !is_right(expected, found) {
            let place = nth(count);
            return Err(wrong(format!(
                "{place} numbers differ - expected: '{expected:.10}', found: '{found:.10}', error = '{:.10}'",
                error(expected, found)
            )));
        }
    }
    Ok(format!("{count} numbers"))
}

fn lines(ouf: &mut Stream<'_>, ans: &mut Stream<'_>, is_same: impl Fn(&[u8], &[u8]) -> bool) -> Verdict {
    let mut count = 0;
    while !ans.is_empty() {
        let expected = ans.line();
        if expected.is_empty() && ans.is_empty() {
            break;
        }
        // Where the output has ended, a line is empty.
        let found = ouf.line();
        count += 1;
        if !is_same(&expected, &found) {
            let (expected, found) = (part(&expected), part(&found));
            return Err(wrong(format!(
                "{} lines differ - expected: '{expected}', found: '{found}'",
                nth(count)
            )));
        }
    }
    Ok(format!("{count} lines"))
}

fn huge(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let (expected, found) = (ans.word()?, ouf.word()?);
    if !is_canonical(expected) {
        return Err(Checked::Fail(format!("{} is not valid integer", part(expected))));
    }
    if !ans.is_at_end() {
        return Err(Checked::Fail("expected exactly one token in the answer file".to_owned()));
    }
    if !is_canonical(found) {
        return Err(Checked::Format(format!("{} is not valid integer", part(found))));
    }
    if expected != found {
        return Err(wrong(format!("expected {}, found {}", part(expected), part(found))));
    }
    Ok(format!("answer is {}", part(expected)))
}

fn one_integer(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let (expected, found) = (ans.int32()?, ouf.int32()?);
    if expected == found {
        Ok(format!("answer is {expected}"))
    } else {
        Err(wrong(format!("expected {expected}, found {found}")))
    }
}

fn integers(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let mut count = 0;
    while !ans.is_at_end() && !ouf.is_at_end() {
        count += 1;
        let (expected, found) = (ans.integer()?, ouf.integer()?);
        if expected != found {
            return Err(wrong(format!(
                "{} numbers differ - expected: '{expected}', found: '{found}'",
                nth(count)
            )));
        }
    }
    let rest = |stream: &mut Stream<'_>| {
        let mut count: usize = 0;
        while !stream.is_at_end() {
            stream.integer()?;
            count += 1;
        }
        Ok(count)
    };
    same_length(count, rest(ans)?, rest(ouf)?)?;
    Ok(format!("{count} number(s)"))
}

fn same_length(count: usize, more_expected: usize, more_found: usize) -> Result<(), Checked> {
    if more_expected > 0 {
        let length = count + more_expected;
        return Err(wrong(format!(
            "Answer contains longer sequence [length = {length}], but output contains {count} elements"
        )));
    }
    if more_found > 0 {
        let length = count + more_found;
        return Err(wrong(format!(
            "Output contains longer sequence [length = {length}], but answer contains {count} elements"
        )));
    }
    Ok(())
}

fn unordered(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    // The original reads 64 bits and keeps 32 of them.
    #[expect(clippy::cast_possible_truncation, reason = "so does the original")]
    let all = |stream: &mut Stream<'_>| {
        let mut integers = Vec::new();
        while !stream.is_at_end() {
            integers.push(stream.integer()? as i32);
        }
        integers.sort_unstable();
        Ok(integers)
    };
    let (expected, found) = (all(ans)?, all(ouf)?);
    if expected.len() != found.len() {
        return Err(wrong(format!("Expected {} elements, but {} found", expected.len(), found.len())));
    }
    if expected != found {
        let size = expected.len();
        return Err(wrong(format!(
            "Expected sequence and output are different (as unordered sequences) [size={size}]"
        )));
    }
    Ok(format!("{} numbers", expected.len()))
}

fn tokens(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let mut count = 0;
    while !ans.is_at_end() && !ouf.is_at_end() {
        count += 1;
        let (expected, found) = (ans.word()?, ouf.word()?);
        if expected != found {
            let (expected, found) = (part(expected), part(found));
            return Err(wrong(format!(
                "{} words differ - expected: '{expected}', found: '{found}'",
                nth(count)
            )));
        }
    }
    match (ans.is_at_end(), ouf.is_at_end()) {
        (true, true) => Ok(format!("{count} words")),
        (true, false) => Err(wrong("Participant output contains extra tokens".to_owned())),
        (false, _) => Err(wrong("Unexpected EOF in the participants output".to_owned())),
    }
}

const YES: &[u8] = b"YES";
const NO: &[u8] = b"NO";

fn yes_or_no(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let (expected, found) = (ans.word()?.to_ascii_uppercase(), ouf.word()?.to_ascii_uppercase());
    if expected != YES && expected != NO {
        return Err(Checked::Fail(format!("YES or NO expected in answer, but {} found", part(&expected))));
    }
    if found != YES && found != NO {
        return Err(Checked::Format(format!("YES or NO expected, but {} found", part(&found))));
    }
    if expected != found {
        return Err(wrong(format!("expected {}, found {}", part(&expected), part(&found))));
    }
    Ok(format!("answer is {}", part(&expected)))
}

fn yes_and_no(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let mut count = 0;
    while !ans.is_at_end() && !ouf.is_at_end() {
        count += 1;
        let (expected, found) = (ans.word()?.to_ascii_uppercase(), ouf.word()?.to_ascii_uppercase());
        let place = nth(count);
        if expected != YES && expected != NO {
            let what = part(&expected);
            return Err(Checked::Fail(format!(
                "YES or NO expected in answer, but {what} found [{place} token]"
            )));
        }
        if found != YES && found != NO {
            let what = part(&found);
            return Err(Checked::Format(format!("YES or NO expected, but {what} found [{place} token]")));
        }
        if expected != found {
            let (expected, found) = (part(&expected), part(&found));
            return Err(wrong(format!("expected {expected}, found {found} [{place} token]")));
        }
    }
    let rest = |stream: &mut Stream<'_>| {
        let mut count: usize = 0;
        while !stream.is_at_end() {
            stream.word()?;
            count += 1;
        }
        Ok(count)
    };
    same_length(count, rest(ans)?, rest(ouf)?)?;
    Ok(format!("{count} token(s)"))
}

fn integer_cases(ouf: &mut Stream<'_>, ans: &mut Stream<'_>) -> Verdict {
    let all = |stream: &mut Stream<'_>| {
        let mut integers = Vec::new();
        while !stream.is_at_end() {
            let case = integers.len() + 1;
            let word = stream.word()?;
            if word != b"Case" {
                let what = part(word);
                return Err((stream.misread)(format!(
                    "Expected 'Case' but found '{what}' [test case {case}]"
                )));
            }
            stream.number_of_case(case)?;
            integers.push(stream.integer()?);
        }
        Ok(integers)
    };
    let (expected, found) = (all(ans)?, all(ouf)?);
    if let Some(at) = expected.iter().zip(&found).position(|(expected, found)| expected != found) {
        let (expected, found) = (expected[at], found[at]);
        return Err(wrong(format!("Expected {expected} found {found} [test case {}]", at + 1)));
    }
    if expected.len() != found.len() {
        let (expected, found) = (expected.len(), found.len());
        return Err(Checked::Format(format!("Expected {expected} test case(s) but found {found}")));
    }
    Ok(format!("{} case(s)", expected.len()))
}

fn cases(
    ouf: &mut Stream<'_>,
    ans: &mut Stream<'_>,
    read: impl Fn(&Stream<'_>, &[u8]) -> Result<String, Checked>,
) -> Verdict {
    // Whether the word "Case" was met at the end of the case before. It is never forgotten, as in the original.
    let (mut ouf_met, mut ans_met) = (false, false);
    let mut count = 0;
    while !ans.is_at_end() {
        count += 1;
        let (expected, found) =
            (case(ans, &mut ans_met, count, &read)?, case(ouf, &mut ouf_met, count, &read)?);
        // By bytes: integers have one spelling each.
        if !expected.iter().map(|(_, word)| word).eq(found.iter().map(|(_, word)| word)) {
            let shown = |elements: &[(String, &[u8])]| {
                let first: Vec<&str> = elements.iter().take(5).map(|(shown, _)| shown.as_str()).collect();
                format!("\"{}\" [size={}]", first.join(" "), elements.len())
            };
            let (expected, found) = (shown(&expected), shown(&found));
            return Err(wrong(format!(
                "Sequences differ: jury has {expected}, but participant has {found} [test case {count}]"
            )));
        }
    }
    Ok(format!("{count} test cases(s)"))
}

/// The elements of a test case: as they are shown, and as they are.
type Elements<'a> = Vec<(String, &'a [u8])>;

fn case<'a>(
    stream: &mut Stream<'a>,
    met: &mut bool,
    number: usize,
    read: impl Fn(&Stream<'_>, &[u8]) -> Result<String, Checked>,
) -> Result<Elements<'a>, Checked> {
    if !*met {
        let word = stream.word()?;
        if word != b"Case" {
            let what = part(word);
            return Err((stream.misread)(format!("Expected 'Case' but found '{what}' [test case {number}]")));
        }
    }
    stream.number_of_case(number)?;
    let mut elements = Vec::new();
    while !stream.is_at_end() {
        let word = stream.word()?;
        if word == b"Case" {
            *met = true;
            break;
        }
        elements.push((read(stream, word)?, word));
    }
    Ok(elements)
}

/// What testlib reads from.
struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What it means when it is not what was expected.
    misread: fn(String) -> Checked,
}

impl<'a> Stream<'a> {
    /// Whether nothing is left at all: `eof`.
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Whether nothing but blanks is left, which are skipped: `seekEof`.
    fn is_at_end(&mut self) -> bool {
        while self.bytes.get(self.at).is_some_and(|byte| is_blank(*byte)) {
            self.at += 1;
        }
        self.is_empty()
    }

    fn word(&mut self) -> Result<&'a [u8], Checked> {
        if self.is_at_end() {
            return Err((self.misread)("Unexpected end of file - token expected".to_owned()));
        }
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        self.at += length;
        Ok(&rest[..length])
    }

    /// A line without its end, LF or CR LF. As in the original a lone CR vanishes, what follows it stands even if it is
    /// another CR, and the end of the file after one leaves a byte.
    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'\n' {
                self.at += 1;
                break;
            }
            if byte != b'\r' {
                line.push(byte);
                self.at += 1;
                continue;
            }
            if self.bytes.get(self.at + 1) == Some(&b'\n') {
                self.at += 2;
                break;
            }
            line.push(self.bytes.get(self.at + 1).copied().unwrap_or(0xff));
            self.at += 2;
        }
        line
    }

    fn integer(&mut self) -> Result<i64, Checked> {
        if self.is_at_end() {
            return Err((self.misread)("Unexpected end of file - int64 expected".to_owned()));
        }
        let word = self.word()?;
        self.to_integer(word)
    }

    fn to_integer(&self, word: &[u8]) -> Result<i64, Checked> {
        let text = std::str::from_utf8(word).ok().filter(|_| is_canonical(word));
        match text.map(str::parse) {
            Some(Ok(integer)) => Ok(integer),
            Some(Err(_)) => Err((self.misread)(format!("Expected int64, but \"{}\" found", part(word)))),
            None => Err((self.misread)(format!("Expected integer, but \"{}\" found", part(word)))),
        }
    }

    fn int32(&mut self) -> Result<i32, Checked> {
        if self.is_at_end() {
            return Err((self.misread)("Unexpected end of file - int32 expected".to_owned()));
        }
        let word = self.word()?;
        let integer = self.to_integer(word)?;
        let misread = |_| (self.misread)(format!("Expected int32, but \"{}\" found", part(word)));
        i32::try_from(integer).map_err(misread)
    }

    fn double(&mut self) -> Result<f64, Checked> {
        if self.is_at_end() {
            return Err((self.misread)("Unexpected end of file - double expected".to_owned()));
        }
        let word = self.word()?;
        let found = || (self.misread)(format!("Expected double, but \"{}\" found", part(word)));
        scan_double(word).ok_or_else(found)
    }

    /// The word `case:`.
    fn number_of_case(&mut self, case: usize) -> Result<(), Checked> {
        let (expected, word) = (format!("{case}:"), self.word()?);
        if word == expected.as_bytes() {
            return Ok(());
        }
        let what = part(word);
        Err((self.misread)(format!("Expected '{expected}' but found '{what}' [test case {case}]")))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Words as a C++ stream reads them.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_space = |byte: &u8| is_blank(*byte) || matches!(byte, 0x0b | 0x0c);
    line.split(is_space).filter(|word| !word.is_empty())
}

/// `0|-?[1-9][0-9]*`.
fn is_canonical(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    word == b"0"
        || digits.first().is_some_and(|first| (b'1'..=b'9').contains(first))
            && digits.iter().all(u8::is_ascii_digit)
}

/// What `%lf` makes of a whole word of nothing but digits, signs, points and exponents.
fn scan_double(word: &[u8]) -> Option<f64> {
    let mut at = usize::from(matches!(word.first(), Some(b'+' | b'-')));
    let (mut digits, mut has_point) = (0, false);
    while let Some(byte) = word.get(at) {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' if !has_point => has_point = true,
            _ => break,
        }
        at += 1;
    }
    if digits == 0 {
        return None;
    }
    // An exponent without digits counts for nothing, and is read all the same.
    let mut end = at;
    if matches!(word.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(word.get(at), Some(b'+' | b'-')));
        let exponent = at;
        while word.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        end = if at > exponent { at } else { end };
    }
    if at < word.len() {
        return None;
    }
    std::str::from_utf8(&word[..end]).ok()?.parse().ok()
}

/// Whether two doubles are as close as testlib's `doubleCompare` demands.
fn is_close(expected: f64, found: f64, error_max: f64) -> bool {
    let error_max = error_max + 1e-15;
    let is_infinite = |double: f64| double.abs() > 1e300;
    if is_infinite(expected) {
        return is_infinite(found) && (found > 0.0) == (expected > 0.0);
    }
    if is_infinite(found) {
        return false;
    }
    if (found - expected).abs() <= error_max {
        return true;
    }
    let (one, other) = (expected * (1.0 - error_max), expected * (1.0 + error_max));
    found >= one.min(other) && found <= one.max(other)
}

/// Whether the difference is not larger. That of two infinities is no number, and so is not.
fn is_within(expected: f64, found: f64, error_max: f64) -> bool {
    let error = (expected - found).abs();
    error.is_nan() || error <= error_max
}

/// The smaller of the absolute and the relative error.
fn error(expected: f64, found: f64) -> f64 {
    let absolute = (found - expected).abs();
    if expected.abs() > 1e-9 { absolute.min((absolute / expected).abs()) } else { absolute }
}

/// A word for a message, without its middle if it is long.
fn part(word: &[u8]) -> String {
    if word.len() <= 64 {
        return String::from_utf8_lossy(word).into_owned();
    }
    let (start, end) = (&word[..30], &word[word.len() - 31..]);
    format!("{}...{}", String::from_utf8_lossy(start), String::from_utf8_lossy(end))
}

fn nth(count: usize) -> String {
    let ending = match (count % 100 / 10, count % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{count}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exit code that the program of that name ends with: 0 right, 1 wrong, 2 wrong format, 3 the jury's fault.
    #[track_caller]
    fn check(name: &str, cases: &[(&str, &str, u8)]) {
        let checker = Checker::parse(name).expect("it is a standard checker");
        for (output, answer, expected) in cases {
            let checked = checker.check(output.as_bytes(), answer.as_bytes());
            let code = match &checked {
                Checked::Ok(_) => 0,
                Checked::Wrong(_) => 1,
                Checked::Format(_) => 2,
                Checked::Fail(_) => 3,
            };
            assert_eq!(code, *expected, "{name}: {output:?} for {answer:?} gives {checked:?}");
        }
    }

    #[test]
    fn names_lead_to_checkers_and_back() {
        for checker in Checker::ALL {
            assert_eq!(Checker::parse(checker.name()), Some(checker));
        }
        assert_eq!(Checker::parse("WCMP"), None);
        assert_eq!(Checker::parse("pointscmp"), None);
    }

    #[test]
    fn tokens_and_lines() {
        check(
            "wcmp",
            &[
                ("a b\n", " a\r\n\tb", 0),
                ("", "", 0),
                ("", " \n", 0),
                ("A", "a", 1),
                ("a b c", "a b", 1),
                ("a", "a b", 1),
                ("", "a", 1),
                // Only four bytes separate tokens: a form feed is part of one.
                ("a\u{c}b", "a b", 1),
            ],
        );
        check(
            "lcmp",
            &[
                ("a  b \nc\n", "a b\nc", 0),
                ("a b\r\nc", "a b\nc\n", 0),
                ("a\nb", "a b", 1),
                ("a", "a\n\n\n", 0),
                ("a\n\n\n", "a", 0),
                ("a\nb", "a", 2),
                ("", "a", 1),
                ("", "", 0),
                ("x", "", 2),
                ("a\u{b}b", "a b", 0),
            ],
        );
        check(
            "fcmp",
            &[
                ("a b\n", "a b", 0),
                ("a b\r\n", "a b\n", 0),
                ("a  b", "a b", 1),
                ("a ", "a", 1),
                ("a\n\n", "a\n", 0),
                ("a\nb\n", "a\n", 2),
                ("a", "a\n\nb", 1),
                ("a\n", "a\n\n", 0),
                // A lone carriage return vanishes, unless it is the last byte.
                ("a\rb", "ab", 0),
                ("a\r", "a", 1),
            ],
        );
    }

    #[test]
    fn integers_have_one_spelling() {
        check(
            "ncmp",
            &[
                ("1 2 3", "1\n2\n3\n", 0),
                ("-9223372036854775808", "-9223372036854775808", 0),
                ("9223372036854775808", "9223372036854775807", 2),
                ("1 2", "1 3", 1),
                ("1", "1 2", 1),
                ("1 2", "1", 1),
                ("", "1", 1),
                ("", "", 0),
                ("01", "1", 2),
                ("-0", "0", 2),
                ("+1", "1", 2),
                ("1.0", "1", 2),
                ("-", "1", 2),
                ("1", "01", 3),
                // What comes first decides: the answer is read first, and the rest is read, too.
                ("x", "y", 3),
                ("1 x", "1", 2),
                ("2 x", "1", 1),
                ("1", "1 x", 3),
            ],
        );
        check(
            "icmp",
            &[
                ("5", " 5 ", 0),
                ("4", "5", 1),
                ("5 5", "5", 2),
                ("5", "5 5", 0),
                ("2147483648", "5", 2),
                ("5", "2147483648", 3),
                ("", "5", 2),
            ],
        );
        check(
            "hcmp",
            &[
                ("123456789012345678901234567890", "123456789012345678901234567890", 0),
                ("-1", "1", 1),
                ("01", "1", 2),
                ("-0", "0", 2),
                ("1", "x", 3),
                ("1", "1 2", 3),
                ("1 2", "1", 2),
                // The output is read before the answer is looked at.
                ("", "x", 2),
            ],
        );
        check(
            "uncmp",
            &[
                ("3 1 2", "1 2 3", 0),
                ("1 1 2", "1 2 2", 1),
                ("1 2", "1 2 3", 1),
                ("x", "1", 2),
                ("1", "x", 3),
                ("", "", 0),
                // Kept in 32 bits.
                ("4294967297", "1", 0),
            ],
        );
    }

    #[test]
    fn doubles_are_close_enough() {
        check(
            "rcmp6",
            &[
                ("1.000001", "1", 0),
                ("\u{feff}1", "1", 0),
                ("1", "\u{feff}1", 3),
                // Both count as infinite.
                ("2e300", "9e305", 0),
                ("-2e300", "9e305", 1),
                ("1e300", "2e300", 1),
                ("1.0000011", "1", 1),
                ("1000001", "1000000", 0),
                ("1000001.1", "1000000", 1),
                ("-1000001", "-1000000", 0),
                ("0.000001", "0", 0),
                ("1 2", "1", 2),
                ("1", "1 2", 2),
                ("", "", 0),
                ("abc", "1", 2),
                ("nan", "1", 2),
                ("inf", "1", 2),
                ("0x1", "1", 2),
                ("1", "nan", 3),
                ("+1", "1", 0),
                ("1.", "1", 0),
                (".5", "0.5", 0),
                ("1e0", "1", 0),
                ("1E+0", "1", 0),
                ("1e", "1", 0),
                ("1e+", "1", 0),
                ("1e5.", "1", 2),
                (".e5", "1", 2),
                ("1-2", "1", 2),
                ("1,5", "1.5", 2),
                ("00001", "1", 0),
                // An overflow is an infinity, which only another one matches.
                ("1e400", "1", 1),
                ("1e400", "2e400", 0),
                ("-1e400", "1e400", 1),
                ("1", "1e400", 1),
            ],
        );
        check("rcmp4", &[("1.0001", "1", 0), ("1.00011", "1", 1), ("10001", "10000", 0)]);
        check("rcmp9", &[("1.000000001", "1", 0), ("1.0000000011", "1", 1)]);
        check(
            "rcmp",
            &[
                ("1.0000015", "1", 0),
                ("1.0000016", "1", 1),
                // Absolute only, and one number only.
                ("1000001", "1000000", 1),
                ("1 1", "1", 2),
                ("1", "1 1", 0),
                ("", "1", 2),
                // The difference of two infinities is larger than nothing.
                ("1e400", "1e400", 0),
            ],
        );
        check("acmp", &[("0.0000009", "0", 0), ("0.0000011", "0", 1), ("1000001", "1000000", 1)]);
        check("dcmp", &[("1000001", "1000000", 0), ("1 1", "1", 2), ("x", "1", 2)]);
        check(
            "rncmp",
            &[("1.000015 2", "1 2", 0), ("1.000016 2", "1 2", 1), ("1", "1 2", 2), ("1 2", "1", 2)],
        );
    }

    #[test]
    fn yes_and_no_in_any_case() {
        check(
            "yesno",
            &[
                ("Yes", "YES", 0),
                ("no", "No", 0),
                ("yes", "no", 1),
                ("Y", "YES", 2),
                ("YES", "y", 3),
                ("yes yes", "yes", 2),
                ("", "yes", 2),
                ("", "maybe", 2),
                ("maybe", "maybe", 3),
            ],
        );
        check(
            "nyesno",
            &[
                ("yes NO", "YES\nno", 0),
                ("yes yes", "yes no", 1),
                ("yes", "yes no", 1),
                ("yes no", "yes", 1),
                ("yes maybe", "yes no", 2),
                ("yes no", "yes maybe", 3),
                ("", "", 0),
            ],
        );
    }

    #[test]
    fn cases_are_numbered() {
        check(
            "caseicmp",
            &[
                ("Case 1: 5\nCase 2: 6\n", "Case 1: 5 Case 2: 6", 0),
                ("Case 1: 5", "Case 1: 6", 1),
                ("Case 1: 5", "Case 1: 5\nCase 2: 6", 2),
                ("Case 2: 5", "Case 1: 5", 2),
                ("case 1: 5", "Case 1: 5", 2),
                ("Case 1: x", "Case 1: 5", 2),
                ("Case 1: 5", "Case 1: x", 3),
                ("", "", 0),
            ],
        );
        check(
            "casencmp",
            &[
                ("Case 1: 1 2\nCase 2: 3", "Case 1: 1 2 Case 2: 3", 0),
                ("Case 1:\nCase 2: 3", "Case 1: Case 2: 3", 0),
                ("Case 1: 1", "Case 1: 1 2", 1),
                ("Case 1: 1", "Case 1: 1 Case 2: 2", 2),
                ("Case 1: 1 Case 2: 2", "Case 1: 1", 2),
                // The word that announces another case was read with the case before it.
                ("Case 1: 1 Case", "Case 1: 1", 0),
                ("Case 1: 01", "Case 1: 1", 2),
                ("Case 1: 1", "Case 1: x", 3),
            ],
        );
        check(
            "casewcmp",
            &[
                ("Case 1: a b", "Case 1: a b", 0),
                ("Case 1: a c", "Case 1: a b", 1),
                ("Case #1: a b", "Case 1: a b", 2),
            ],
        );
    }

    #[test]
    fn what_is_said_names_the_place() {
        let said = |name: &str, output: &str, answer: &str| {
            let checker = Checker::parse(name).expect("it is a standard checker");
            match checker.check(output.as_bytes(), answer.as_bytes()) {
                Checked::Ok(said) | Checked::Wrong(said) | Checked::Format(said) | Checked::Fail(said) => {
                    said
                }
            }
        };
        let eleven = "x ".repeat(10);
        assert_eq!(
            said("wcmp", &format!("{eleven}a"), &format!("{eleven}b")),
            "11th words differ - expected: 'b', found: 'a'"
        );
        assert_eq!(said("ncmp", "1 3", "1 2"), "2nd numbers differ - expected: '2', found: '3'");
        assert_eq!(said("lcmp", "x", "x\ny"), "2nd lines differ - expected: 'y', found: ''");
        let long = "l".repeat(200);
        assert!(said("wcmp", &long, "s").len() < 150);
        assert_eq!(said("icmp", "5 5", "5"), "Extra information in the output file");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(output: Vec<u8>, answer: Vec<u8>) {
            for checker in Checker::ALL {
                checker.check(&output, &answer);
            }
        }
    }
}
