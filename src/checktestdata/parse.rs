//! From the text of a program to its tree.

use super::Program;
use super::run::Regex;
use super::value::{Operator, Value};

/// How deep commands and expressions may be nested.
const DEPTH_MAX: usize = 64;
/// How long a program may be, in bytes.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

/// Why a text is no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ProgramError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, in one line.
    pub what: String,
}

/// A command and the line where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) kind: CommandKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum CommandKind {
    Space,
    Newline,
    Eof,
    Int {
        min: Expression,
        max: Expression,
        store: Option<Variable>,
    },
    Float {
        min: Expression,
        max: Expression,
        decimals: Option<(Expression, Expression)>,
        store: Option<Variable>,
        style: Style,
    },
    Text(Expression),
    Regex {
        pattern: Expression,
        store: Option<Variable>,
    },
    Assert(Test),
    Set(Vec<(Variable, Expression)>),
    Unset(Vec<usize>),
    Repeat {
        counter: Option<Variable>,
        until: Until,
        separator: Option<Box<Command>>,
        body: Vec<Command>,
    },
    If {
        test: Test,
        then: Vec<Command>,
        otherwise: Vec<Command>,
    },
}

/// How often a loop is run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Until {
    Count(Expression),
    While(Test),
}

/// How a number with a point is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Any,
    Fixed,
    Scientific,
}

/// A variable with its indices; none for one that is no array.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variable {
    pub(super) number: usize,
    pub(super) indices: Vec<Expression>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Value(Value),
    Variable(Variable),
    Length(Box<Expression>),
    Negative(Box<Expression>),
    Calculation(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Compare(Comparison, Expression, Expression),
    Match(Expression),
    IsEof,
    Unique(Vec<usize>),
    InArray(Expression, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A command or another word in upper case.
    Word(String),
    Name(String),
    Value(Value),
    Symbol(&'static str),
}

/// Longer ones before those that they begin with.
const SYMBOLS: [&str; 22] = [
    "<=", ">=", "==", "!=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ",", "=", "+", "-", "*", "/", "%",
    "^", ";",
];

pub(super) fn parse(text: &str) -> Result<Program, ProgramError> {
    if text.len() > PROGRAM_BYTES_MAX {
        return Err(ProgramError { line: 1, what: format!("is longer than {PROGRAM_BYTES_MAX} bytes") });
    }
    let mut parser =
        Parser { tokens: tokens(text)?, next: 0, depth: 0, variables: Vec::new(), regexes: Vec::new() };
    let commands = parser.commands(&[])?;
    let Parser { variables, regexes, .. } = parser;
    Ok(Program { commands, variables, regexes })
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ProgramError> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let error = |what: String| Err(ProgramError { line, what });
        let taken = |matches: fn(char) -> bool| rest.find(|c| !matches(c)).unwrap_or(rest.len());
        let length = match first {
            '\n' => {
                line += 1;
                1
            }
            c if c.is_whitespace() => c.len_utf8(),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            'A'..='Z' => {
                let length = taken(|c| c.is_ascii_uppercase() || c == '_');
                tokens.push((line, Token::Word(rest[..length].to_owned())));
                length
            }
            'a'..='z' => {
                let length = taken(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                tokens.push((line, Token::Name(rest[..length].to_owned())));
                length
            }
            '0'..='9' => {
                let (length, value) = number(rest).map_err(|what| ProgramError { line, what })?;
                tokens.push((line, Token::Value(value)));
                length
            }
            '"' => {
                let Some((length, text)) = string(rest) else {
                    return error("a string does not end".to_owned());
                };
                tokens.push((line, Token::Value(Value::Text(text))));
                line += rest[..length].matches('\n').count();
                length
            }
            c => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    tokens.push((line, Token::Symbol(symbol)));
                    symbol.len()
                }
                None => return error(format!("{c:?} is not part of the language")),
            },
        };
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// The number at the beginning of a text, and its length.
fn number(text: &str) -> Result<(usize, Value), String> {
    let digits = |from: usize| {
        text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |length| from + length)
    };
    let whole = digits(0);
    let mut end = whole;
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    let spelled = &text[..end];
    let value = if end == whole {
        spelled.parse().ok().filter(|_| spelled.len() <= 10_000).map(Value::Integer)
    } else {
        Value::parse_float(spelled)
    };
    value.map(|value| (end, value)).ok_or_else(|| "a number is too long".to_owned())
}

/// The string at the beginning of a text, without its quotes and escapes, and the length of what it was.
fn string(text: &str) -> Option<(usize, Vec<u8>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, found)),
            b'\\' => {
                at += 1;
                match *bytes.get(at)? {
                    b'n' => found.push(b'\n'),
                    b't' => found.push(b'\t'),
                    b'r' => found.push(b'\r'),
                    b'b' => found.push(8),
                    b'"' => found.push(b'"'),
                    b'\\' => found.push(b'\\'),
                    b'\n' => {}
                    b'0'..=b'7' => {
                        let mut code = 0_u32;
                        let mut digits = 0;
                        while digits < 3 && matches!(bytes.get(at), Some(b'0'..=b'7')) {
                            code = code * 8 + u32::from(bytes[at] - b'0');
                            digits += 1;
                            at += 1;
                        }
                        found.push(code.to_le_bytes()[0]);
                        at -= 1;
                    }
                    // Before anything else it is a backslash itself.
                    other => found.extend([b'\\', other]),
                }
                at += 1;
            }
            byte => {
                found.push(byte);
                at += 1;
            }
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    variables: Vec<String>,
    regexes: Vec<Regex>,
}

impl Parser {
    fn line(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |(line, _)| *line)
    }

    fn error<T>(&self, what: impl Into<String>) -> Result<T, ProgramError> {
        Err(ProgramError { line: self.line(), what: what.into() })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Whether this symbol comes next; takes it.
    fn takes(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.next += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if next == word);
        self.next += usize::from(found);
        found
    }

    fn needs(&mut self, symbol: &str) -> Result<(), ProgramError> {
        if self.takes(symbol) { Ok(()) } else { self.error(format!("expected `{symbol}`")) }
    }

    /// Goes one level deeper for what `inner` parses.
    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ProgramError>,
    ) -> Result<T, ProgramError> {
        if self.depth >= DEPTH_MAX {
            return self.error(format!("is nested more than {DEPTH_MAX} deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Commands up to one of these words, or to the end of the program where there are none.
    fn commands(&mut self, ends: &[&str]) -> Result<Vec<Command>, ProgramError> {
        let mut commands = Vec::new();
        loop {
            match self.peek() {
                None if ends.is_empty() => return Ok(commands),
                None => return self.error("END is missing"),
                Some(Token::Word(word)) if ends.contains(&word.as_str()) => return Ok(commands),
                Some(_) => commands.push(self.deeper(Parser::command)?),
            }
        }
    }

    fn command(&mut self) -> Result<Command, ProgramError> {
        let line = self.line();
        let Some(Token::Word(word)) = self.peek().cloned() else { return self.error("expected a command") };
        self.next += 1;
        let kind = match word.as_str() {
            "SPACE" => CommandKind::Space,
            "NEWLINE" => CommandKind::Newline,
            "EOF" => CommandKind::Eof,
            "INT" => {
                self.needs("(")?;
                let min = self.expression()?;
                self.needs(",")?;
                let max = self.expression()?;
                let store = if self.takes(",") { Some(self.variable()?) } else { None };
                self.needs(")")?;
                CommandKind::Int { min, max, store }
            }
            "FLOAT" | "FLOATP" => {
                self.needs("(")?;
                let min = self.expression()?;
                self.needs(",")?;
                let max = self.expression()?;
                let mut decimals = None;
                if word == "FLOATP" {
                    self.needs(",")?;
                    let least = self.expression()?;
                    self.needs(",")?;
                    decimals = Some((least, self.expression()?));
                }
                let (mut store, mut style) = (None, Style::Any);
                while self.takes(",") {
                    if self.takes_word("FIXED") {
                        style = Style::Fixed;
                    } else if self.takes_word("SCIENTIFIC") {
                        style = Style::Scientific;
                    } else if store.is_none() && style == Style::Any {
                        store = Some(self.variable()?);
                    } else {
                        return self.error("expected FIXED or SCIENTIFIC");
                    }
                }
                self.needs(")")?;
                CommandKind::Float { min, max, decimals, store, style }
            }
            "STRING" => {
                self.needs("(")?;
                let text = self.expression()?;
                self.needs(")")?;
                CommandKind::Text(text)
            }
            "REGEX" => {
                self.needs("(")?;
                let pattern = self.expression()?;
                if let Expression::Value(Value::Text(text)) = &pattern {
                    let regex = Regex::new(text).map_err(|what| ProgramError { line, what })?;
                    self.regexes.push(regex);
                }
                let store = if self.takes(",") { Some(self.variable()?) } else { None };
                self.needs(")")?;
                CommandKind::Regex { pattern, store }
            }
            "ASSERT" => {
                self.needs("(")?;
                let test = self.test()?;
                self.needs(")")?;
                CommandKind::Assert(test)
            }
            "SET" => {
                self.needs("(")?;
                let mut assignments = Vec::new();
                loop {
                    let variable = self.variable()?;
                    self.needs("=")?;
                    assignments.push((variable, self.expression()?));
                    if !self.takes(",") {
                        break;
                    }
                }
                self.needs(")")?;
                CommandKind::Set(assignments)
            }
            "UNSET" => CommandKind::Unset(self.names()?),
            "REP" | "REPI" | "WHILE" | "WHILEI" => {
                self.needs("(")?;
                let mut counter = None;
                if word.ends_with('I') {
                    counter = Some(self.variable()?);
                    self.needs(",")?;
                }
                let until = if word.starts_with("REP") {
                    Until::Count(self.expression()?)
                } else {
                    Until::While(self.test()?)
                };
                let separator =
                    if self.takes(",") { Some(Box::new(self.deeper(Parser::command)?)) } else { None };
                self.needs(")")?;
                let body = self.commands(&["END"])?;
                self.next += 1;
                CommandKind::Repeat { counter, until, separator, body }
            }
            "IF" => {
                self.needs("(")?;
                let test = self.test()?;
                self.needs(")")?;
                let then = self.commands(&["ELSE", "END"])?;
                let otherwise = if self.takes_word("ELSE") { self.commands(&["END"])? } else { Vec::new() };
                self.next += 1;
                CommandKind::If { test, then, otherwise }
            }
            _ => {
                self.next -= 1;
                return self.error(format!("there is no command {word}"));
            }
        };
        Ok(Command { line, kind })
    }

    fn name(&mut self) -> Result<usize, ProgramError> {
        let Some(Token::Name(name)) = self.peek().cloned() else { return self.error("expected a variable") };
        self.next += 1;
        Ok(self.variables.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.variables.push(name);
            self.variables.len() - 1
        }))
    }

    /// Names of variables in parentheses.
    fn names(&mut self) -> Result<Vec<usize>, ProgramError> {
        self.needs("(")?;
        let mut names = vec![self.name()?];
        while self.takes(",") {
            names.push(self.name()?);
        }
        self.needs(")")?;
        Ok(names)
    }

    fn variable(&mut self) -> Result<Variable, ProgramError> {
        let number = self.name()?;
        let mut indices = Vec::new();
        if self.takes("[") {
            indices.push(self.expression()?);
            while self.takes(",") {
                indices.push(self.expression()?);
            }
            self.needs("]")?;
        }
        Ok(Variable { number, indices })
    }

    fn expression(&mut self) -> Result<Expression, ProgramError> {
        self.deeper(|parser| {
            let mut left = parser.term()?;
            loop {
                let operator = if parser.takes("+") {
                    Operator::Add
                } else if parser.takes("-") {
                    Operator::Subtract
                } else {
                    return Ok(left);
                };
                left = parser.calculation(operator, left, Parser::term)?;
            }
        })
    }

    fn term(&mut self) -> Result<Expression, ProgramError> {
        let mut left = self.factor()?;
        loop {
            let operator = if self.takes("*") {
                Operator::Multiply
            } else if self.takes("/") {
                Operator::Divide
            } else if self.takes("%") {
                Operator::Modulo
            } else {
                return Ok(left);
            };
            left = self.calculation(operator, left, Parser::factor)?;
        }
    }

    fn factor(&mut self) -> Result<Expression, ProgramError> {
        self.deeper(|parser| {
            if parser.takes("-") {
                return Ok(Expression::Negative(Box::new(parser.factor()?)));
            }
            let base = parser.value()?;
            if parser.takes("^") {
                parser.calculation(Operator::Power, base, Parser::factor)
            } else {
                Ok(base)
            }
        })
    }

    /// Left of an operator stands what is parsed already. Long chains make deep trees, which are bounded too.
    fn calculation(
        &mut self,
        operator: Operator,
        left: Expression,
        right: fn(&mut Self) -> Result<Expression, ProgramError>,
    ) -> Result<Expression, ProgramError> {
        let right = right(self)?;
        if depth(&left) > DEPTH_MAX * 4 {
            return self.error("an expression is too long");
        }
        Ok(Expression::Calculation(operator, Box::new(left), Box::new(right)))
    }

    fn value(&mut self) -> Result<Expression, ProgramError> {
        match self.peek().cloned() {
            Some(Token::Value(value)) => {
                self.next += 1;
                Ok(Expression::Value(value))
            }
            Some(Token::Name(_)) => Ok(Expression::Variable(self.variable()?)),
            Some(Token::Word(word)) if word == "STRLEN" => {
                self.next += 1;
                self.needs("(")?;
                let inner = self.expression()?;
                self.needs(")")?;
                Ok(Expression::Length(Box::new(inner)))
            }
            Some(Token::Symbol("(")) => {
                self.next += 1;
                let inner = self.expression()?;
                self.needs(")")?;
                Ok(inner)
            }
            _ => self.error("expected a value"),
        }
    }

    fn test(&mut self) -> Result<Test, ProgramError> {
        self.deeper(|parser| {
            let mut tests = vec![parser.all_of()?];
            while parser.takes("||") {
                tests.push(parser.all_of()?);
            }
            Ok(join(tests, Test::Or))
        })
    }

    fn all_of(&mut self) -> Result<Test, ProgramError> {
        let mut tests = vec![self.single_test()?];
        while self.takes("&&") {
            tests.push(self.single_test()?);
        }
        Ok(join(tests, Test::And))
    }

    fn single_test(&mut self) -> Result<Test, ProgramError> {
        self.deeper(|parser| {
            if parser.takes("!") {
                return Ok(Test::Not(Box::new(parser.single_test()?)));
            }
            if let Some(Token::Word(word)) = parser.peek().cloned()
                && word != "STRLEN"
            {
                parser.next += 1;
                return parser.test_command(&word);
            }
            // A parenthesis begins a test or an expression, which only what comes behind tells.
            if matches!(parser.peek(), Some(Token::Symbol("("))) {
                let start = (parser.next, parser.depth);
                parser.next += 1;
                let inner = parser.test();
                if let Ok(inner) = inner
                    && parser.takes(")")
                {
                    return Ok(inner);
                }
                (parser.next, parser.depth) = start;
            }
            let left = parser.expression()?;
            let comparison = [
                ("<=", Comparison::LessEqual),
                (">=", Comparison::GreaterEqual),
                ("==", Comparison::Equal),
                ("!=", Comparison::NotEqual),
                ("<", Comparison::Less),
                (">", Comparison::Greater),
            ];
            let comparison = comparison.into_iter().find(|(symbol, _)| parser.takes(symbol));
            let Some((_, comparison)) = comparison else { return parser.error("expected a comparison") };
            Ok(Test::Compare(comparison, left, parser.expression()?))
        })
    }

    fn test_command(&mut self, word: &str) -> Result<Test, ProgramError> {
        match word {
            "ISEOF" => Ok(Test::IsEof),
            "UNIQUE" => Ok(Test::Unique(self.names()?)),
            "MATCH" => {
                self.needs("(")?;
                let characters = self.expression()?;
                self.needs(")")?;
                Ok(Test::Match(characters))
            }
            "INARRAY" => {
                self.needs("(")?;
                let value = self.expression()?;
                self.needs(",")?;
                let array = self.name()?;
                self.needs(")")?;
                Ok(Test::InArray(value, array))
            }
            _ => {
                self.next -= 1;
                self.error(format!("there is no test {word}"))
            }
        }
    }
}

/// The depth of the left side, which grows with each operator of a chain.
fn depth(expression: &Expression) -> usize {
    let mut depth = 0;
    let mut at = expression;
    while let Expression::Calculation(_, left, _) = at {
        depth += 1;
        at = left;
    }
    depth
}

/// Joins tests in a balanced way, so that long chains make no deep trees.
fn join(mut tests: Vec<Test>, with: fn(Box<Test>, Box<Test>) -> Test) -> Test {
    while tests.len() > 1 {
        let mut joined = Vec::with_capacity(tests.len().div_ceil(2));
        let mut pairs = tests.into_iter();
        while let Some(one) = pairs.next() {
            joined.push(match pairs.next() {
                Some(other) => with(Box::new(one), Box::new(other)),
                None => one,
            });
        }
        tests = joined;
    }
    tests.pop().unwrap_or(Test::IsEof)
}
