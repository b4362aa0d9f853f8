//! What `problem.yaml` says about a problem that is of no consequence for judging: whose it is, where it comes from,
//! what may be done with it. All of it is read and typed, so that a slip is told by its line.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

use super::error::PackageError;
use super::metadata::Reading;
use super::package::Format;
use super::yaml::{Node, Value};

/// Whose a problem is, where it comes from, and what may be done with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Identifies the problem whatever it is called.
    pub uuid: Option<String>,
    /// Version of the package.
    pub version: Option<String>,
    /// Those who made it, by what they did: `authors`, `contributors`, `testers`, `packagers`, `acknowledgements`,
    /// and `translators/<language>`.
    pub credits: BTreeMap<String, Vec<Person>>,
    /// Where it was used first.
    pub sources: Vec<Source>,
    /// What may be done with it.
    pub license: License,
    /// Whose permission that needs.
    pub rights_owner: Option<String>,
    /// Until when it must not be public: a date, or a date and a time of day in UTC.
    pub embargo_until: Option<String>,
    /// What it is about.
    pub keywords: Vec<String>,
}

/// Somebody who takes credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The whole name.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
}

/// Where a problem comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Mostly a contest and its year.
    pub name: String,
    /// Its page.
    pub url: Option<String>,
}

/// The licenses that the format knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum License {
    /// None is stated: the problem cannot be used.
    #[default]
    Unknown,
    /// There are no rights on it.
    PublicDomain,
    /// No rights reserved.
    Cc0,
    /// With attribution.
    CcBy,
    /// With attribution, and alike.
    CcBySa,
    /// For education.
    Educational,
    /// By permission, to be asked for.
    Permission,
}

const LICENSES: [(&str, License); 7] = [
    ("unknown", License::Unknown),
    ("public domain", License::PublicDomain),
    ("cc0", License::Cc0),
    ("cc by", License::CcBy),
    ("cc by-sa", License::CcBySa),
    ("educational", License::Educational),
    ("permission", License::Permission),
];

/// Keys that only the old format has, and those that only the new one has.
const OLD_KEYS: [&str; 7] = [
    "author",
    "source_url",
    "validation",
    "validator_flags",
    "grading",
    "libraries",
    "output_validator_flags",
];
const NEW_KEYS: [&str; 4] = ["credits", "embargo_until", "constants", "allow_file_writing"];

/// Warns of a key that belongs to the other generation of the format. The drafts between them have both.
pub(super) fn check_generation(reading: &mut Reading<'_>, format: Format, key: &str, line: u64) {
    match format {
        Format::Legacy | Format::LegacyIcpc if NEW_KEYS.contains(&key) => {
            reading.warn(line, format!("{key:?} is a key of newer versions of the format"));
        }
        Format::V2025_09 if OLD_KEYS.contains(&key) => {
            reading.warn(line, format!("{key:?} is a key of older versions of the format"));
        }
        _ => {}
    }
}

impl About {
    /// Takes over what a key states, if it is one of these.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading<'_>,
        format: Format,
        key: &str,
        node: &Node,
    ) -> Result<bool, PackageError> {
        let is_new = format == Format::V2025_09;
        match key {
            "uuid" => {
                let uuid = reading.scalar(node, key)?;
                if is_new && uuid::Uuid::try_parse(&uuid).is_err() {
                    reading.warn(node.line, format!("{uuid:?} is not a UUID"));
                }
                self.uuid = Some(uuid);
            }
            "version" => self.version = Some(reading.scalar(node, key)?),
            "author" => {
                let authors = match node.value {
                    // As newer versions state them.
                    Value::List(_) | Value::Map(_) => persons(reading, node, key)?,
                    _ => {
                        let names = reading.scalar(node, key)?;
                        let names = names.split(" and ").flat_map(|names| names.split(',')).map(str::trim);
                        names.filter(|name| !name.is_empty()).map(person).collect()
                    }
                };
                self.credits.insert("authors".to_owned(), authors);
            }
            "credits" => self.read_credits(reading, node)?,
            "source" => {
                let nodes = match &node.value {
                    Value::List(nodes) => nodes.as_slice(),
                    _ => std::slice::from_ref(node),
                };
                // A `source_url` may have come before.
                let url = self.sources.pop().and_then(|unnamed| unnamed.url);
                for node in nodes {
                    self.sources.extend(read_source(reading, node)?);
                }
                if let (Some(source), Some(url)) = (self.sources.first_mut(), url) {
                    source.url.get_or_insert(url);
                }
            }
            "source_url" => {
                let url = Some(reading.scalar(node, key)?);
                match self.sources.first_mut() {
                    Some(source) => source.url = url,
                    // The name may follow.
                    None => self.sources.push(Source { name: String::new(), url }),
                }
            }
            "license" => {
                let text = reading.scalar(node, key)?;
                match LICENSES.iter().find(|(name, _)| *name == text.to_lowercase()) {
                    Some((_, license)) => self.license = *license,
                    None => {
                        let known: Vec<&str> = LICENSES.iter().map(|(name, _)| *name).collect();
                        let what = format!("unknown license {text:?}; known are {}", known.join(", "));
                        reading.warn(node.line, what);
                    }
                }
            }
            "rights_owner" => self.rights_owner = Some(reading.scalar(node, key)?),
            "embargo_until" => {
                let text = reading.scalar(node, key)?;
                let is_time = || {
                    let time = text.strip_suffix('Z').filter(|time| time.contains('T'));
                    time.is_some_and(|time| time.parse::<DateTime>().is_ok())
                };
                let is_date = text.len() == "2026-01-31".len() && text.parse::<Date>().is_ok();
                if !is_date && !is_time() {
                    let what = format!("{key}: {text:?} is no date (2026-01-31 or 2026-01-31T12:00:00Z)");
                    return Err(reading.invalid(node.line, what));
                }
                self.embargo_until = Some(text);
            }
            "keywords" => {
                if is_new && !matches!(node.value, Value::List(_)) {
                    reading.warn(node.line, "keywords must be a list, taken for words".to_owned());
                }
                self.keywords = reading.arguments(node, key)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Warns of what does not fit together.
    pub(super) fn check(&mut self, reading: &mut Reading<'_>, format: Format) {
        self.sources.retain(|source| !source.name.is_empty());
        if format != Format::V2025_09 {
            return;
        }
        if self.uuid.is_none() {
            reading.warn(1, "states no uuid".to_owned());
        }
        let is_owned = !matches!(self.license, License::Unknown | License::PublicDomain);
        let has_owner =
            self.rights_owner.is_some() || self.credits.contains_key("authors") || !self.sources.is_empty();
        if is_owned && !has_owner {
            reading.warn(1, "the license needs a rights_owner, authors or a source".to_owned());
        }
        if self.license == License::PublicDomain && self.rights_owner.is_some() {
            reading.warn(1, "what is in the public domain has no rights_owner".to_owned());
        }
    }

    fn read_credits(&mut self, reading: &mut Reading<'_>, node: &Node) -> Result<(), PackageError> {
        let Value::Map(_) = node.value else {
            let authors = persons(reading, node, "credits")?;
            self.credits.insert("authors".to_owned(), authors);
            return Ok(());
        };
        for (role, line, node) in reading.map(node, "credits")? {
            let key = format!("credits.{role}");
            match role {
                "authors" | "contributors" | "testers" | "packagers" | "acknowledgements" => {
                    let persons = persons(reading, node, &key)?;
                    self.credits.insert(role.to_owned(), persons);
                }
                "translators" => {
                    for (language, _, node) in reading.map(node, &key)? {
                        let persons = persons(reading, node, &format!("{key}.{language}"))?;
                        self.credits.insert(format!("{role}/{language}"), persons);
                    }
                }
                _ => reading.warn(line, format!("unknown key \"{key}\", ignored")),
            }
        }
        Ok(())
    }
}

/// Where the problem comes from. Forms that are not filled in leave a name out; without one it is no source.
fn read_source(reading: &mut Reading<'_>, node: &Node) -> Result<Option<Source>, PackageError> {
    let Value::Map(_) = node.value else {
        return Ok(Some(Source { name: reading.scalar(node, "source")?, url: None }));
    };
    let (mut name, mut url) = (None, None);
    for (key, line, node) in reading.map(node, "source")? {
        match key {
            _ if node.value == Value::Null => {}
            "name" => name = Some(reading.scalar(node, "source.name")?),
            "url" => url = Some(reading.scalar(node, "source.url")?),
            _ => reading.warn(line, format!("unknown key \"source.{key}\", ignored")),
        }
    }
    if name.is_none() {
        reading.warn(node.line, "source has no name, ignored".to_owned());
    }
    Ok(name.map(|name| Source { name, url }))
}

fn persons(reading: &mut Reading<'_>, node: &Node, key: &str) -> Result<Vec<Person>, PackageError> {
    let nodes = match &node.value {
        Value::Null => &[],
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut persons = Vec::new();
    for node in nodes {
        let Value::Map(_) = node.value else {
            persons.push(person(&reading.scalar(node, key)?));
            continue;
        };
        let (mut name, mut email) = (None, None);
        for (part, line, node) in reading.map(node, key)? {
            if node.value == Value::Null {
                continue;
            }
            let text = reading.scalar(node, &format!("{key}.{part}"))?;
            match part {
                "name" => name = Some(text),
                "email" => email = Some(text),
                "orcid" | "kattis" => {}
                _ => reading.warn(line, format!("unknown key \"{key}.{part}\", ignored")),
            }
        }
        match name {
            Some(name) => persons.push(Person { name, email }),
            None => reading.warn(node.line, format!("{key}: a person has no name, ignored")),
        }
    }
    Ok(persons)
}

/// Reads `Full Name <mail>`.
fn person(text: &str) -> Person {
    match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, email)) => Person { name: name.trim().to_owned(), email: Some(email.trim().to_owned()) },
        None => Person { name: text.trim().to_owned(), email: None },
    }
}
