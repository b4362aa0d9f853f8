//! The door to `streams/`: creates the streams and consumers that its files define, or verifies that they are so.
//!
//! A definition is the server's own JSON. What exists is compared key by key with what the file says; a
//! difference is refused with both values, never overwritten: it may be somebody's history. So is a setting that the
//! file does not have.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::event::Event;
use crate::store::StoreError;
use crate::store::jetstream::JetStreamStore;

/// The definitions, by file name. A stream's file is named after it, a consumer's `<stream>.<consumer>.json`.
const STREAMS: [(&str, &str); 3] = [
    ("streams/ASSIZE_00.json", include_str!("../streams/ASSIZE_00.json")),
    ("streams/ASSIZE_BLOB.json", include_str!("../streams/ASSIZE_BLOB.json")),
    ("streams/OBJ_ASSIZE_PACKAGES.json", include_str!("../streams/OBJ_ASSIZE_PACKAGES.json")),
];
const CONSUMERS: [(&str, &str, &str); 2] = [
    (
        "ASSIZE_00",
        "streams/ASSIZE_00.judge-standard-live.json",
        include_str!("../streams/ASSIZE_00.judge-standard-live.json"),
    ),
    (
        "ASSIZE_00",
        "streams/ASSIZE_00.judge-standard-rejudge.json",
        include_str!("../streams/ASSIZE_00.judge-standard-rejudge.json"),
    ),
];

/// Keys that a deployment may set otherwise without endangering anything.
const FREE_KEYS: [&str; 3] = ["max_bytes", "description", "placement"];
/// Keys that the server adds of itself: a consumer's `durable_name` again; its version; and for a stream that says
/// nothing of them, a window on which nothing of ours rests there, and how its files are packed.
const SERVER_KEYS: [&str; 4] = ["name", "metadata", "duplicate_window", "compression"];
/// The number of copies: a bound, where all other keys are values.
const REPLICAS: &str = "num_replicas";
/// How long the server is given to create something. One that has just told that it is missing answers at once,
/// unless the request never reached it.
const CREATE_PATIENCE: Duration = Duration::from_secs(3);

/// JetStream: the stream does not exist.
const STREAM_NOT_FOUND: u64 = 10059;
/// JetStream: the consumer does not exist.
const CONSUMER_NOT_FOUND: u64 = 10014;

/// Why the streams are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// What exists differs from its definition.
    #[error(
        "{what} differs from {file}: {differences}. Repair it with the nats tools, or use another NATS account"
    )]
    Drift {
        /// The stream or consumer.
        what: String,
        /// The file that defines it.
        file: &'static str,
        /// Each key with what is and what should be.
        differences: Differences,
    },
    /// The server refused to create or to show it.
    #[error("the server refused {what}: {description} (code {code})")]
    Refused {
        /// The stream or consumer.
        what: String,
        /// JetStream's error code.
        code: u64,
        /// JetStream's description.
        description: String,
    },
    /// It is missing, and who asks may not create it.
    #[error(
        "{what} does not exist, and this NATS user is not permitted to create it: have one that is (`admin` in \
         nats.conf) run `assize streams create` once, with the same --nats and --replicas"
    )]
    NotPermitted {
        /// The stream or consumer.
        what: String,
    },
    /// A definition in this build is not JSON with a name: a fault of the build.
    #[error("{file} is not a definition")]
    Definition {
        /// The file.
        file: &'static str,
    },
    /// The server did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keys with the value that is there and the value that should be, null where there should be none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Differences(BTreeMap<String, (Value, Value)>);

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (key, (found, wanted))) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            match wanted {
                Value::Null => write!(f, "{separator}{key} is {found} and should not be set")?,
                _ if key == REPLICAS => {
                    write!(f, "{separator}{key} is {found} and should be at least {wanted}")?;
                }
                _ => write!(f, "{separator}{key} is {found} and should be {wanted}")?,
            }
        }
        Ok(())
    }
}

/// Creates what is missing, with `replicas` copies, and verifies what is there, with at least as many.
pub async fn create_or_verify(store: &JetStreamStore, replicas: u8) -> Result<(), StreamsError> {
    for (file, text) in STREAMS {
        let (mut definition, name) = parse(file, text, "name")?;
        definition[REPLICAS] = json!(replicas);
        let info = format!("STREAM.INFO.{name}");
        let create = format!("STREAM.CREATE.{name}");
        ensure(store, file, &format!("stream {name}"), &definition, &info, &create, definition.clone())
            .await?;
    }
    for (stream, file, text) in CONSUMERS {
        let (definition, name) = parse(file, text, "durable_name")?;
        let info = format!("CONSUMER.INFO.{stream}.{name}");
        let create = format!("CONSUMER.DURABLE.CREATE.{stream}.{name}");
        let request = json!({ "stream_name": stream, "config": definition });
        ensure(store, file, &format!("consumer {name}"), &definition, &info, &create, request).await?;
    }
    Ok(())
}

/// Verifies that everything is there and as defined; creates nothing.
pub async fn verify(store: &JetStreamStore) -> Result<(), StreamsError> {
    for (file, text) in STREAMS {
        let (definition, name) = parse(file, text, "name")?;
        let answer = api(store, &format!("STREAM.INFO.{name}"), &json!({})).await?;
        check(file, &format!("stream {name}"), &definition, &answer)?;
    }
    for (stream, file, text) in CONSUMERS {
        let (definition, name) = parse(file, text, "durable_name")?;
        let answer = api(store, &format!("CONSUMER.INFO.{stream}.{name}"), &json!({})).await?;
        check(file, &format!("consumer {name}"), &definition, &answer)?;
    }
    Ok(())
}

/// The durable consumers that carry a routing class, the most urgent first.
pub fn consumers_of(class: &str) -> [String; 2] {
    [format!("judge-{class}-live"), format!("judge-{class}-rejudge")]
}

/// The JSON Schemas of the event types as files: a name below `streams/schema/` and the text.
pub fn schema_files() -> Vec<(String, String)> {
    let file = |(type_name, schema): (&'static str, schemars::Schema)| {
        // No `$id`: validators that resolve `#/$defs/…` against a URN fail (Python's jsonschema up to 4.17).
        (format!("{type_name}.json"), format!("{:#}\n", schema.to_value()))
    };
    Event::schemas().into_iter().map(file).collect()
}

fn parse(file: &'static str, text: &str, name_key: &str) -> Result<(Value, String), StreamsError> {
    let definition: Value = serde_json::from_str(text).map_err(|_| StreamsError::Definition { file })?;
    let name = definition[name_key].as_str().map(str::to_owned);
    name.map(|name| (definition, name)).ok_or(StreamsError::Definition { file })
}

async fn ensure(
    store: &JetStreamStore,
    file: &'static str,
    what: &str,
    definition: &Value,
    info: &str,
    create: &str,
    request: Value,
) -> Result<(), StreamsError> {
    let answer = api(store, info, &json!({})).await?;
    let missing = matches!(answer["error"]["err_code"].as_u64(), Some(STREAM_NOT_FOUND | CONSUMER_NOT_FOUND));
    if !missing {
        return check(file, what, definition, &answer);
    }
    tracing::info!(what, "creating");
    match api(&store.with_patience(CREATE_PATIENCE), create, &request).await {
        Ok(answer) => check(file, what, definition, &answer),
        // The server drops what a user may not ask, and answers nothing. So does one that is away.
        Err(error @ StoreError::Unavailable { .. }) => {
            match api(store, info, &json!({})).await?.get("error") {
                Some(_) => Err(StreamsError::NotPermitted { what: what.to_owned() }),
                None => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn api(store: &JetStreamStore, subject: &str, request: &Value) -> Result<Value, StoreError> {
    store.api(subject, request).await
}

fn check(file: &'static str, what: &str, definition: &Value, answer: &Value) -> Result<(), StreamsError> {
    if let Some(error) = answer.get("error") {
        return Err(StreamsError::Refused {
            what: what.to_owned(),
            code: error["err_code"].as_u64().unwrap_or(0),
            description: error["description"].as_str().unwrap_or_default().to_owned(),
        });
    }
    let differences = differences(definition, &answer["config"]);
    if differences.0.is_empty() {
        Ok(())
    } else {
        Err(StreamsError::Drift { what: what.to_owned(), file, differences })
    }
}

/// The keys whose value differs, and those that the definition does not know at all: what they do to a history is
/// not for us to guess. A key that the server leaves out has its zero value.
fn differences(definition: &Value, found: &Value) -> Differences {
    let wanted = definition.as_object().into_iter().flatten();
    let differing =
        wanted.filter(|(key, _)| !FREE_KEYS.contains(&key.as_str())).filter_map(|(key, wanted)| {
            let found = &found[key];
            let same = match (key.as_str(), wanted) {
                // The server adds metadata of its own.
                ("metadata", Value::Object(wanted)) => wanted.iter().all(|(key, value)| found[key] == *value),
                // More copies than asked for do no harm.
                (REPLICAS, wanted) => found.as_u64() >= wanted.as_u64(),
                _ => found == wanted || (is_zero(found) && is_zero(wanted)),
            };
            (!same).then(|| (key.clone(), (found.clone(), wanted.clone())))
        });
    let known = |key: &str| {
        definition.get(key).is_some()
            || FREE_KEYS.contains(&key)
            || key == REPLICAS
            || SERVER_KEYS.contains(&key)
    };
    let found = found.as_object().into_iter().flatten();
    let unknown = found
        .filter(|(key, value)| !known(key) && !is_zero(value))
        .map(|(key, value)| (key.clone(), (value.clone(), Value::Null)));
    Differences(differing.chain(unknown).collect())
}

/// Whether a value says no more than a missing key: nothing, and -1 for a bound that is none.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => matches!(number.as_i64(), Some(0 | -1)),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_has_a_name_that_its_file_bears() {
        for (file, text) in STREAMS {
            let (_, name) = parse(file, text, "name").expect(file);
            assert_eq!(file, format!("streams/{name}.json"));
        }
        for (stream, file, text) in CONSUMERS {
            let (_, name) = parse(file, text, "durable_name").expect(file);
            assert_eq!(file, format!("streams/{stream}.{name}.json"));
            assert!(consumers_of("standard").contains(&name), "{name}");
        }
    }

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let wanted = json!({ "deny_purge": true, "max_age": 0, "num_replicas": 1, "metadata": { "a": "1" } });
        let found =
            json!({ "deny_purge": false, "num_replicas": 3, "metadata": { "a": "1", "_nats.ver": "2" } });
        let differences = differences(&wanted, &found);
        assert_eq!(differences.to_string(), "deny_purge is false and should be true");
    }

    #[test]
    fn what_the_definition_does_not_know_may_only_be_nothing() {
        let wanted = json!({ "name": "S", "max_age": 0 });
        let found = json!({ "name": "S", "max_age": 0, "sealed": false, "max_consumers": -1, "sources": [] });
        assert_eq!(differences(&wanted, &found), Differences::default());
        let found = json!({ "name": "S", "no_ack": true, "backoff": [1], "description": "ours" });
        let told = "backoff is [1] and should not be set, no_ack is true and should not be set";
        assert_eq!(differences(&wanted, &found).to_string(), told);
    }

    #[test]
    fn fewer_copies_than_asked_for_are_refused() {
        let wanted = json!({ "num_replicas": 3 });
        assert_eq!(differences(&wanted, &json!({ "num_replicas": 5 })), Differences::default());
        let told = "num_replicas is 1 and should be at least 3";
        assert_eq!(differences(&wanted, &json!({ "num_replicas": 1 })).to_string(), told);
    }
}
