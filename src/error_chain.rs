//! An error with all its causes as one line, for whoever handles it last: logs, events, people.

use std::error::Error;

/// The error and what caused it, joined by colons. Errors here never repeat their cause in their own words.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
