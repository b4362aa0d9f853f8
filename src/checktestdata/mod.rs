//! Checktestdata: the language of DOMjudge in which a package says what its inputs look like (`input_validators/*.ctd`).
//!
//! The language is that of DOMjudge's format specification, with `FLOATP` of its newer versions. Integers are of any size,
//! and floating point numbers exact fractions. Regular expressions match as much as they can, as they did when most
//! programs were written.
//!
//! A program is untrusted: it is parsed to a bounded depth, and each check may do a bounded amount of work, so that one
//! that would run for ever is refused instead. `parse` builds the tree, `run` walks it, `value` calculates.

mod parse;
mod run;
#[cfg(test)]
mod tests;
mod value;

pub use parse::ProgramError;
pub use run::{CheckError, Rejection};

/// A program, ready to check inputs.
#[derive(Debug)]
pub struct Program {
    commands: Vec<parse::Command>,
    /// Variables are numbered; their names are for messages.
    variables: Vec<String>,
    regexes: Vec<run::Regex>,
}

impl Program {
    /// Parses a program.
    pub fn parse(text: &str) -> Result<Program, ProgramError> {
        parse::parse(text)
    }

    /// Checks an input. Which error it is tells whether the input or the program is to blame.
    pub fn check(&self, input: &[u8]) -> Result<(), CheckError> {
        run::check(self, input, run::WORK_MAX)
    }
}
