//! The constants of a package, and their places in its texts: `{{name}}`, or `{{name.variant}}` for another spelling
//! of the same value. Which files they are replaced in is for those who read these files.

use std::collections::BTreeMap;

use super::error::PackageError;
use super::metadata::Reading;
use super::yaml::{Node, Value};

/// The key under which a map of variants states the value itself.
const VALUE: &str = "value";

/// The constants of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constants {
    /// By `name` and by `name.variant`, as they are spelled in `problem.yaml`.
    texts: BTreeMap<String, String>,
}

impl Constants {
    /// Reads the `constants` key.
    pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Result<Constants, PackageError> {
        let mut constants = Constants::default();
        for (name, line, node) in reading.map(node, "constants")? {
            check_name(reading, name, line)?;
            let key = format!("constants.{name}");
            let Value::Map(_) = node.value else {
                constants.texts.insert(name.to_owned(), reading.scalar(node, &key)?);
                continue;
            };
            let variants = reading.map(node, &key)?;
            if !variants.iter().any(|(variant, _, _)| *variant == VALUE) {
                return Err(reading.invalid(node.line, format!("{key} has no `{VALUE}`")));
            }
            for (variant, line, node) in variants {
                check_name(reading, variant, line)?;
                let text = reading.scalar(node, &format!("{key}.{variant}"))?;
                if variant == VALUE {
                    constants.texts.insert(name.to_owned(), text.clone());
                }
                constants.texts.insert(format!("{name}.{variant}"), text);
            }
        }
        Ok(constants)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text of `name` or `name.variant`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The bytes of a file with all constants in place. What stands in braces and is no constant stays as it is, since
    /// most languages have a use for two braces.
    pub fn put_into(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.is_empty() {
            return bytes;
        }
        let mut put = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((before, name, after)) = next_sequence(rest) {
            put.extend_from_slice(before);
            match self.get(name) {
                Some(text) => put.extend_from_slice(text.as_bytes()),
                None => put.extend_from_slice(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        put.extend_from_slice(rest);
        put
    }

    /// The arguments of `\constant{name}` in TeX that name no constant, each with its line, counted from 1.
    pub(super) fn undefined_in_tex<'t>(&self, text: &'t str) -> Vec<(u64, &'t str)> {
        let mut undefined = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            for (at, command) in line.match_indices("\\constant{") {
                let argument = &line[at + command.len()..];
                let name = argument.split('}').next().unwrap_or(argument).trim();
                if self.get(name).is_none() {
                    undefined.push((number, name));
                }
            }
        }
        undefined
    }

    /// The sequences in a text that name no constant, each with its line, counted from 1.
    pub(super) fn undefined_in<'t>(&self, text: &'t str) -> Vec<(u64, &'t str)> {
        let mut undefined = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let mut rest = line.as_bytes();
            while let Some((_, name, after)) = next_sequence(rest) {
                if self.get(name).is_none() {
                    undefined.push((number, name));
                }
                rest = after;
            }
        }
        undefined
    }
}

/// The first `{{name}}` in the bytes: what stands before it, its name, and what follows.
fn next_sequence(bytes: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    for start in 0..bytes.len().saturating_sub(3) {
        let Some(inside) = bytes[start..].strip_prefix(b"{{") else { continue };
        let length = inside.iter().take_while(|byte| is_name_byte(byte)).count();
        let (name, end) = inside.split_at(length);
        if let (Some(after), Ok(name)) = (end.strip_prefix(b"}}"), std::str::from_utf8(name))
            && !name.is_empty()
        {
            return Some((&bytes[..start], name, after));
        }
    }
    None
}

fn check_name(reading: &Reading<'_>, name: &str, line: u64) -> Result<(), PackageError> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name {
        return Ok(());
    }
    Err(reading.invalid(line, format!("{name:?} is not a name for a constant ([a-zA-Z_][a-zA-Z0-9_]*)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let texts = [("n", "100"), ("n.tex", "10^2"), ("name", "x")];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let constants = Constants { texts: texts.into() };
        assert_eq!(String::from_utf8(constants.put_into(text.into())).expect("UTF-8"), expected);
    }

    #[test]
    fn constants_take_the_place_of_their_names() {
        check("int n = {{n}};", "int n = 100;");
        check("{{n}}{{n.tex}}{{name}}", "10010^2x");
        check("{{{n}}}", "{100}");
        check("{{ n }} {n} {{m}} {{}} {{n} {{n", "{{ n }} {n} {{m}} {{}} {{n} {{n");
        check("int a[2][2] = {{1,2},{3,4}};", "int a[2][2] = {{1,2},{3,4}};");
        check("{{m}}{{n}}", "{{m}}100");
        check("{{n.md}}", "{{n.md}}");
        check("", "");
    }

    #[test]
    fn what_is_undefined_is_known_by_its_line() {
        let constants = Constants { texts: [("n".to_owned(), "1".to_owned())].into() };
        let found = constants.undefined_in("{{n}}\n{{m}} {{nextsample}}\n\n{{ m }} {{n.tex}}\n");
        assert_eq!(found, [(2, "m"), (2, "nextsample"), (4, "n.tex")]);
        assert_eq!(Constants::default().put_into(b"{{n}}".to_vec()), b"{{n}}");
    }
}
