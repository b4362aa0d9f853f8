//! Walks the tree of a program along an input.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use num_bigint::BigInt;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use super::Program;
use super::parse::{Command, CommandKind, Comparison, Expression, Style, Test, Until, Variable};
use super::value::{self, Value};

/// How much work one check may be: steps of the program, and what they read and calculate with a weight. Some seconds.
pub(super) const WORK_MAX: u64 = 400_000_000;
/// How many values all variables together may hold.
const VALUES_MAX: usize = 2_000_000;
/// How long a pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 10_000;
/// Memory of the states that a pattern leads to, in bytes. They are made anew where they do not fit.
const REGEX_BYTES: usize = 2 << 20;
/// How much of the input is quoted, in characters.
const QUOTE_LENGTH: usize = 40;

/// Why an input does not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The input is not as the program says.
    #[error("{0}")]
    Rejected(Rejection),
    /// The program itself is wrong: it uses what is not set, or calculates with strings.
    #[error("line {line} of the program: {what}")]
    Program {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The program goes on for too long.
    #[error("line {line} of the program: the check takes too much work")]
    TooMuchWork {
        /// Where it was given up.
        line: usize,
    },
}

/// Where and why an input is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Line of the input, counted from 1.
    pub line: usize,
    /// Byte in that line, counted from 1.
    pub column: usize,
    /// Line of the program, counted from 1; 0 where its end was reached.
    pub program_line: usize,
    /// What was expected and found.
    pub what: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejection { line, column, program_line, what } = self;
        write!(formatter, "line {line}, column {column}: {what}")?;
        if *program_line > 0 { write!(formatter, " (line {program_line} of the program)") } else { Ok(()) }
    }
}

/// A pattern, made ready.
#[derive(Debug)]
pub(super) struct Regex {
    pattern: Vec<u8>,
    dfa: DFA,
}

impl Regex {
    pub(super) fn new(pattern: &[u8]) -> Result<Regex, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern is longer than {PATTERN_BYTES_MAX} bytes"));
        }
        let text = std::str::from_utf8(pattern).map_err(|_| "a pattern is not UTF-8".to_owned())?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(REGEX_BYTES)
            .skip_cache_capacity_check(true)
            .unicode_word_boundary(false);
        let thompson =
            regex_automata::nfa::thompson::Config::new().utf8(false).nfa_size_limit(Some(REGEX_BYTES));
        // Bytes, as the format knows no encoding.
        let syntax = syntax::Config::new().utf8(false).unicode(false);
        let dfa = DFA::builder().configure(config).thompson(thompson).syntax(syntax).build(text);
        let dfa = dfa.map_err(|error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("{text:?} is no pattern: {why}")
        })?;
        Ok(Regex { pattern: pattern.to_owned(), dfa })
    }
}

pub(super) fn check(program: &Program, input: &[u8], work_max: u64) -> Result<(), CheckError> {
    let mut run = Run {
        program,
        input,
        at: 0,
        work: 0,
        work_max,
        line: 0,
        values: 0,
        variables: program.variables.iter().map(|_| BTreeMap::new()).collect(),
        regexes: HashMap::new(),
    };
    run.commands(&program.commands)?;
    run.line = 0;
    run.eof()
}

struct Run<'p> {
    program: &'p Program,
    input: &'p [u8],
    at: usize,
    work: u64,
    work_max: u64,
    /// Of the program.
    line: usize,
    values: usize,
    /// By indices; a variable that is no array has none.
    variables: Vec<BTreeMap<Vec<BigInt>, Value>>,
    /// What patterns that are made while running, or used at all, need.
    regexes: HashMap<Vec<u8>, (Option<Regex>, Cache)>,
}

impl Run<'_> {
    fn work(&mut self, amount: u64) -> Result<(), CheckError> {
        self.work = self.work.saturating_add(amount);
        if self.work > self.work_max { Err(CheckError::TooMuchWork { line: self.line }) } else { Ok(()) }
    }

    fn wrong<T>(&self, what: impl Into<String>) -> Result<T, CheckError> {
        Err(CheckError::Program { line: self.line, what: what.into() })
    }

    fn rejected<T>(&self, what: String) -> Result<T, CheckError> {
        self.rejected_at(self.at, what)
    }

    fn rejected_at<T>(&self, at: usize, what: String) -> Result<T, CheckError> {
        let before = &self.input[..at];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Err(CheckError::Rejected(Rejection { line, column, program_line: self.line, what }))
    }

    /// What comes next in the input, for messages.
    fn next_quoted(&self) -> String {
        let rest = &self.input[self.at..];
        if rest.is_empty() {
            return "the end".to_owned();
        }
        let line = rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let shown = String::from_utf8_lossy(&line[..line.len().min(QUOTE_LENGTH)]);
        format!("{shown:?}")
    }

    fn commands(&mut self, commands: &[Command]) -> Result<(), CheckError> {
        commands.iter().try_for_each(|command| self.command(command))
    }

    fn command(&mut self, command: &Command) -> Result<(), CheckError> {
        self.line = command.line;
        self.work(1)?;
        match &command.kind {
            CommandKind::Space => self.literal(b" "),
            CommandKind::Newline => self.literal(b"\n"),
            CommandKind::Eof => self.eof(),
            CommandKind::Int { min, max, store } => {
                let (min, max) = (self.value(min)?, self.value(max)?);
                let start = self.at;
                let length = integer_length(&self.input[start..]);
                let Some(value) = length.and_then(|length| self.take_text(length)?.parse().ok()) else {
                    return self.rejected(format!("expected an integer, found {}", self.next_quoted()));
                };
                self.in_range(start, Value::Integer(value), &min, &max, store.as_ref())
            }
            CommandKind::Float { min, max, decimals, store, style } => {
                let (min, max) = (self.value(min)?, self.value(max)?);
                let decimals = match decimals {
                    Some((least, most)) => Some((self.count(least)?, self.count(most)?)),
                    None => None,
                };
                self.float(&min, &max, decimals, store.as_ref(), *style)
            }
            CommandKind::Text(text) => {
                let value = self.value(text)?;
                match value.text() {
                    Ok(text) => self.literal(text),
                    Err(what) => self.wrong(what),
                }
            }
            CommandKind::Regex { pattern, store } => {
                let pattern = self.value(pattern)?;
                let start = self.at;
                match pattern.text() {
                    Ok(pattern) => self.regex(pattern)?,
                    Err(what) => return self.wrong(what),
                }
                match store {
                    Some(store) => {
                        let matched = self.input[start..self.at].to_vec();
                        self.set(store, Value::Text(matched))
                    }
                    None => Ok(()),
                }
            }
            CommandKind::Assert(test) => {
                if self.test(test)? {
                    return Ok(());
                }
                self.line = command.line;
                self.rejected("an assertion does not hold".to_owned())
            }
            CommandKind::Set(assignments) => assignments.iter().try_for_each(|(variable, expression)| {
                let value = self.value(expression)?;
                self.set(variable, value)
            }),
            CommandKind::Unset(names) => {
                for name in names {
                    self.values -= self.variables[*name].len();
                    self.variables[*name].clear();
                }
                Ok(())
            }
            CommandKind::Repeat { counter, until, separator, body } => {
                let times = match until {
                    Until::Count(count) => Some(self.count(count)?),
                    Until::While(_) => None,
                };
                let mut done = 0_u64;
                loop {
                    self.line = command.line;
                    self.work(1)?;
                    if let Some(counter) = counter {
                        self.set(counter, Value::Integer(done.into()))?;
                    }
                    let goes_on = match until {
                        Until::Count(_) => times.is_some_and(|times| done < times),
                        Until::While(test) => self.test(test)?,
                    };
                    if !goes_on {
                        return Ok(());
                    }
                    if let Some(separator) = separator.as_ref().filter(|_| done > 0) {
                        self.command(separator)?;
                    }
                    self.commands(body)?;
                    done += 1;
                }
            }
            CommandKind::If { test, then, otherwise } => {
                let branch = if self.test(test)? { then } else { otherwise };
                self.commands(branch)
            }
        }
    }

    fn literal(&mut self, text: &[u8]) -> Result<(), CheckError> {
        self.work(1 + text.len() as u64)?;
        if self.input[self.at..].starts_with(text) {
            self.at += text.len();
            return Ok(());
        }
        let expected = match text {
            b" " => "a space".to_owned(),
            b"\n" => "a newline".to_owned(),
            text => format!("{:?}", String::from_utf8_lossy(text)),
        };
        self.rejected(format!("expected {expected}, found {}", self.next_quoted()))
    }

    fn eof(&mut self) -> Result<(), CheckError> {
        if self.at == self.input.len() {
            return Ok(());
        }
        self.rejected(format!("expected the end, found {}", self.next_quoted()))
    }

    /// The next bytes, all of them ASCII, as text; moves on.
    fn take_text(&mut self, length: usize) -> Option<&str> {
        let text = std::str::from_utf8(&self.input[self.at..self.at + length]).ok()?;
        self.at += length;
        // Numbers take time with the square of their length.
        self.work += 1 + (length as u64).saturating_mul(length as u64) / 64;
        (length <= NUMBER_BYTES_MAX).then_some(text)
    }

    fn float(
        &mut self,
        min: &Value,
        max: &Value,
        decimals: Option<(u64, u64)>,
        store: Option<&Variable>,
        style: Style,
    ) -> Result<(), CheckError> {
        let start = self.at;
        let Some(found) = float_length(&self.input[start..]) else {
            return self.rejected(format!("expected a number, found {}", self.next_quoted()));
        };
        let fits = match style {
            Style::Any => true,
            Style::Fixed => !found.has_exponent,
            Style::Scientific => found.has_exponent,
        };
        if !fits {
            let how = if style == Style::Fixed { "without" } else { "with" };
            return self
                .rejected(format!("expected a number {how} an exponent, found {}", self.next_quoted()));
        }
        if let Some((least, most)) = decimals
            && !(least..=most).contains(&found.decimals)
        {
            let found = found.decimals;
            return self.rejected(format!("expected {least} to {most} decimals, found {found}"));
        }
        let value = self.take_text(found.length).and_then(Value::parse_float);
        let Some(value) = value else {
            return self.rejected_at(start, "a number is too long to be checked".to_owned());
        };
        self.work(value.size())?;
        self.in_range(start, value, min, max, store)
    }

    fn in_range(
        &mut self,
        start: usize,
        value: Value,
        min: &Value,
        max: &Value,
        store: Option<&Variable>,
    ) -> Result<(), CheckError> {
        if self.compare(&value, min)? == Ordering::Less || self.compare(&value, max)? == Ordering::Greater {
            return self.rejected_at(start, format!("{value} is not between {min} and {max}"));
        }
        match store {
            Some(variable) => self.set(variable, value),
            None => Ok(()),
        }
    }

    fn regex(&mut self, pattern: &[u8]) -> Result<(), CheckError> {
        if !self.regexes.contains_key(pattern) {
            let known = self.program.regexes.iter().find(|known| known.pattern == pattern);
            let made = match known {
                Some(_) => None,
                None => Some(Regex::new(pattern).or_else(|what| self.wrong(what))?),
            };
            self.work(10_000 + 100 * pattern.len() as u64)?;
            let cache = known.or(made.as_ref()).map(|regex| regex.dfa.create_cache());
            let Some(cache) = cache else { return self.wrong("the pattern is gone") };
            self.regexes.insert(pattern.to_owned(), (made, cache));
        }
        let known = self.program.regexes.iter().find(|known| known.pattern == pattern);
        let Some((made, cache)) = self.regexes.get_mut(pattern) else {
            return self.wrong("the pattern is gone");
        };
        let Some(regex) = made.as_ref().or(known) else { return self.wrong("the pattern is gone") };
        // A line at a time: no pattern of a contest reaches further without saying so.
        let input = Input::new(self.input).range(self.at..).anchored(Anchored::Yes);
        let found = regex.dfa.try_search_fwd(cache, &input);
        let end = match found {
            Ok(found) => found.map(|found| found.offset()),
            Err(error) => return self.wrong(format!("the pattern cannot be matched: {error}")),
        };
        match end {
            Some(end) => {
                // What was read to find the end may be more than what was matched, but rarely is.
                self.work(10 + 4 * (end - self.at) as u64)?;
                self.at = end;
                Ok(())
            }
            None => {
                let pattern = String::from_utf8_lossy(pattern).into_owned();
                self.rejected(format!("expected what matches {pattern:?}, found {}", self.next_quoted()))
            }
        }
    }

    fn set(&mut self, variable: &Variable, value: Value) -> Result<(), CheckError> {
        let indices = self.indices(variable)?;
        self.work(1 + indices.len() as u64)?;
        let of_name = &mut self.variables[variable.number];
        let before = of_name.len();
        of_name.insert(indices, value);
        self.values += of_name.len() - before;
        if self.values > VALUES_MAX { Err(CheckError::TooMuchWork { line: self.line }) } else { Ok(()) }
    }

    fn indices(&mut self, variable: &Variable) -> Result<Vec<BigInt>, CheckError> {
        let mut indices = Vec::with_capacity(variable.indices.len());
        for index in &variable.indices {
            match self.value(index)? {
                Value::Integer(index) => indices.push(index),
                _ => return self.wrong("an index must be an integer"),
            }
        }
        Ok(indices)
    }

    fn count(&mut self, expression: &Expression) -> Result<u64, CheckError> {
        self.value(expression)?.count().or_else(|what| self.wrong(what))
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, CheckError> {
        self.work(1)?;
        match expression {
            Expression::Value(value) => {
                self.work(value.size())?;
                Ok(value.clone())
            }
            Expression::Variable(variable) => {
                let indices = self.indices(variable)?;
                match self.variables[variable.number].get(&indices) {
                    Some(value) => {
                        let value = value.clone();
                        self.work(value.size())?;
                        Ok(value)
                    }
                    None => {
                        let name = &self.program.variables[variable.number];
                        let indices: Vec<String> = indices.iter().map(ToString::to_string).collect();
                        let index = if indices.is_empty() {
                            String::new()
                        } else {
                            format!("[{}]", indices.join(","))
                        };
                        self.wrong(format!("{name}{index} is not set"))
                    }
                }
            }
            Expression::Length(text) => {
                let value = self.value(text)?;
                let length = value.text().map(<[u8]>::len).or_else(|what| self.wrong(what))?;
                Ok(Value::Integer(length.into()))
            }
            Expression::Negative(inner) => self.value(inner)?.negate().or_else(|what| self.wrong(what)),
            Expression::Calculation(operator, one, other) => {
                let (one, other) = (self.value(one)?, self.value(other)?);
                let result = value::calculate(*operator, &one, &other).or_else(|what| self.wrong(what))?;
                let size = one.size() + other.size() + result.size();
                self.work(size.saturating_mul(1 + size / 4))?;
                Ok(result)
            }
        }
    }

    fn compare(&mut self, one: &Value, other: &Value) -> Result<Ordering, CheckError> {
        self.work(1 + one.size() + other.size())?;
        one.compare(other).or_else(|what| self.wrong(what))
    }

    fn test(&mut self, test: &Test) -> Result<bool, CheckError> {
        self.work(1)?;
        match test {
            Test::Not(inner) => Ok(!self.test(inner)?),
            Test::And(one, other) => Ok(self.test(one)? && self.test(other)?),
            Test::Or(one, other) => Ok(self.test(one)? || self.test(other)?),
            Test::Compare(comparison, one, other) => {
                let (one, other) = (self.value(one)?, self.value(other)?);
                let order = self.compare(&one, &other)?;
                Ok(match comparison {
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessEqual => order != Ordering::Greater,
                    Comparison::Equal => order == Ordering::Equal,
                    Comparison::NotEqual => order != Ordering::Equal,
                    Comparison::GreaterEqual => order != Ordering::Less,
                    Comparison::Greater => order == Ordering::Greater,
                })
            }
            Test::Match(characters) => {
                let characters = self.value(characters)?;
                let characters = characters.text().or_else(|what| self.wrong(what))?;
                Ok(self.input.get(self.at).is_some_and(|next| characters.contains(next)))
            }
            Test::IsEof => Ok(self.at == self.input.len()),
            Test::Unique(names) => self.unique(names),
            Test::InArray(value, array) => {
                let value = self.value(value)?;
                let length = self.variables[*array].len() as u64;
                self.work(length.saturating_mul(1 + value.size()))?;
                Ok(self.variables[*array].values().any(|held| held.compare(&value) == Ok(Ordering::Equal)))
            }
        }
    }

    /// Whether the tuples of what these variables hold at the same indices are all different.
    fn unique(&mut self, names: &[usize]) -> Result<bool, CheckError> {
        let Some((first, others)) = names.split_first() else { return Ok(true) };
        let length = self.variables[*first].len();
        self.work((length as u64).saturating_mul(4 * names.len() as u64))?;
        for other in others {
            if !self.variables[*first].keys().eq(self.variables[*other].keys()) {
                return self.wrong("the arrays of UNIQUE do not have the same indices");
            }
        }
        let mut seen = HashSet::with_capacity(length);
        let mut iterators: Vec<_> = names.iter().map(|name| self.variables[*name].values()).collect();
        for _ in 0..length {
            let tuple: Vec<&Value> = iterators.iter_mut().filter_map(Iterator::next).collect();
            if !seen.insert(tuple) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Longer numbers are refused: no contest has them.
const NUMBER_BYTES_MAX: usize = 20_000;

/// The length of the integer at the beginning of a text: `0` or `-?[1-9][0-9]*`.
fn integer_length(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'-'));
    match text.get(sign)? {
        b'0' => (sign == 0).then_some(1),
        b'1'..=b'9' => Some(sign + digits(&text[sign..])),
        _ => None,
    }
}

/// A number as it is written.
struct Written {
    length: usize,
    decimals: u64,
    has_exponent: bool,
}

/// The number at the beginning of a text: `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn float_length(text: &[u8]) -> Option<Written> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let whole = digits(&text[sign..]);
    if whole == 0 {
        return None;
    }
    let mut length = sign + whole;
    let mut decimals = 0;
    if text.get(length) == Some(&b'.') {
        decimals = digits(&text[length + 1..]);
        length += if decimals > 0 { decimals + 1 } else { 0 };
    }
    let mut has_exponent = false;
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        let exponent = text.get(length + 1 + signed..).map_or(0, digits);
        if exponent > 0 {
            has_exponent = true;
            length += 1 + signed + exponent;
        }
    }
    Some(Written { length, decimals: decimals as u64, has_exponent })
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}
