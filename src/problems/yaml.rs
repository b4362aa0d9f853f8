//! YAML as a tree in which every node knows its line and every scalar its spelling, so that a deviation can be
//! named by file and line and `1.10` stays `1.10`. What the keys mean is for the modules that read the tree.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Counted from 1.
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A string, a number or a boolean, as it is spelled in the file (without quotes and escapes).
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file; keys may repeat.
    Map(Vec<(Key, Node)>),
}

/// The key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Counted from 1.
    pub(crate) line: u64,
    pub(crate) text: String,
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    /// Counted from 1, where known.
    pub(crate) line: Option<u64>,
    /// One line.
    pub(crate) what: String,
}

impl Node {
    /// Parses a document. An empty one is `Null`.
    pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_depth: 16,
                max_nodes: 100_000,
                max_aliases: 1_000,
            },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(root) => Ok(Raw::place(root, text)),
            Err(error) => {
                let message = error.without_snippet().to_string();
                let message = message.lines().next().unwrap_or_default();
                // The place is told apart from the words.
                let what = message.rsplit_once(" at line ").map_or(message, |(words, _)| words).to_owned();
                Err(YamlError { line: error.location().map(|at| at.line()).filter(|line| *line > 0), what })
            }
        }
    }

    /// The kind of value, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The text of a scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// A node as the deserializer delivers it, before scalars are given back their spelling.
enum Raw {
    Null,
    Text(String),
    /// A number or a boolean: the deserializer's interpretation, to be replaced by the source's spelling.
    Interpreted(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl Raw {
    fn place(raw: Spanned<Raw>, source: &str) -> Node {
        let line = raw.referenced.line();
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Text(text) => Value::Scalar(text),
            Raw::Interpreted(text) => {
                // Where an anchor is used, the spelling stands where the anchor was defined.
                let spelled = raw.defined.span().byte_offset().zip(raw.defined.span().byte_len());
                let spelled = spelled.and_then(|(offset, length)| {
                    let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
                    source.get(offset..offset.checked_add(length)?)
                });
                Value::Scalar(
                    spelled.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(&text).to_owned(),
                )
            }
            Raw::List(items) => Value::List(items.into_iter().map(|item| Raw::place(item, source)).collect()),
            Raw::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let key = Key { line: key.referenced.line(), text: key.value };
                        (key, Raw::place(value, source))
                    })
                    .collect(),
            ),
        };
        Node { line, value }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Interpreted(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Text(String::from_utf8_lossy(value).into_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        let line = node.line;
        match &node.value {
            Value::Null => format!("{line}:null"),
            Value::Scalar(text) => format!("{line}:{text:?}"),
            Value::List(items) => {
                format!("{line}:[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
            }
            Value::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}:{} = {}", key.line, key.text, show(value)));
                format!("{line}:{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(show(&Node::parse(text).expect("YAML")), expected);
    }

    #[test]
    fn lines_and_spellings_are_kept() {
        check("", "1:null");
        check("# only a comment\n", "2:null");
        check(
            "a: 1.10\nb: 007\nc: 1e-6 # why\nd: No\ne: ~\n",
            r#"1:{1:a = 1:"1.10", 2:b = 2:"007", 3:c = 3:"1e-6", 4:d = 4:"No", 5:e = 5:null}"#,
        );
        check(
            "name: 'Zażółć'\nlimits:\n    memory: 512\n",
            r#"1:{1:name = 1:"Zażółć", 2:limits = 3:{3:memory = 3:"512"}}"#,
        );
        check("name:\n  en: A\n  sv: \"B\"\n", r#"1:{1:name = 2:{2:en = 2:"A", 3:sv = 3:"B"}}"#);
        check(
            "a: [1, x]\nb:\n- 2\n- y: 3\n",
            r#"1:{1:a = 1:[1:"1", 1:"x"], 2:b = 3:[3:"2", 4:{4:y = 4:"3"}]}"#,
        );
        check("é: ż\nb: 2.50\n", r#"1:{1:é = 1:"ż", 2:b = 2:"2.50"}"#);
        check("a: &x 1.0\nb: *x\n", r#"1:{1:a = 1:"1.0", 2:b = 2:"1.0"}"#);
        check("a: 1\na: 2\n", r#"1:{1:a = 1:"1", 2:a = 2:"2"}"#);
        check("1: x\n", r#"1:{1:1 = 1:"x"}"#);
    }

    #[test]
    fn what_is_not_yaml_has_a_line() {
        let error = Node::parse("name: x\nlimits: [1, 2\nb: 3\n").expect_err("not YAML");
        assert!(error.line.is_some(), "{error:?}");
        let error = Node::parse("name: a: b\n").expect_err("not YAML");
        assert_eq!(error.line, Some(1), "{error:?}");
        let bomb = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(Node::parse(&bomb).is_err());
    }
}
