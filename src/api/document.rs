//! The OpenAPI document, made fit for generators, and the page that shows it.
//!
//! poem-openapi's own document is correct and yet breaks generators in known ways; the cures are here, each with
//! its reason. The schemas of events come from the event types themselves, as the JSON Schemas do.

use std::sync::LazyLock;

use poem_openapi::{OpenApi, OpenApiService};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::domain::event::*;
use crate::for_each_event_type;

use super::{catalogue, first, health, packages, submissions};

/// What names of problems, users and contests are made of.
const NAME_PATTERN: &str = "^[A-Za-z0-9_-]{1,40}$";
/// A program that is accepted for `a`.
const EXAMPLE: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// The service whose document this is.
pub(super) fn service() -> OpenApiService<impl OpenApi, ()> {
    let parts = (
        submissions::Submissions,
        catalogue::Catalogue::default(),
        packages::Packages::default(),
        first::First,
        health::Health,
    );
    OpenApiService::new(parts, "Assize", env!("CARGO_PKG_VERSION"))
        .description(
            "A judge for competitive programming in which every change is an immutable event. Answers name the \
             sequence of the history that they are true at; errors are RFC 9457 problem details.",
        )
        .license("Apache-2.0")
}

/// The document as it is committed, served and given to generators.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", *DOCUMENT));
    &TEXT
}

/// Made once: it takes as long as hundreds of requests.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(&service().spec()).unwrap_or_default();
    replace_event_schemas(&mut document);
    cure(&mut document);
    cure_operations(&mut document);
    if let Value::Object(root) = &mut document {
        // Nothing is protected yet, and linters want that said.
        root.insert("security".to_owned(), json!([]));
    }
    document
});

/// The page that shows the document: Swagger UI with this document in the place of poem's own.
pub(super) fn page(html: &str) -> String {
    const BEFORE: &str = "let spec = ";
    const AFTER: &str = ";\n    let oauth2RedirectUrl;";
    let end = html.rfind(AFTER).unwrap_or(html.len());
    let begin = html[..end].rfind(BEFORE).map_or(end, |begin| begin + BEFORE.len());
    // A `</script>` in a description would end the script that the document stands in.
    let document = document().trim_end().replace("</", "<\\/");
    let title = html[..begin].replacen("<title>Swagger UI</title>", "<title>Assize</title>", 1);
    format!("<!doctype html>{title}{document}{}", &html[end..])
}

/// The methods that a path knows.
pub(super) fn methods_of(path: &str) -> Vec<String> {
    let segments: Vec<&str> = path.split('/').collect();
    let matches = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == segments.len()
            && template.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    let found = operations().filter(|(template, _, _)| matches(template));
    let mut methods: Vec<String> = found.map(|(_, method, _)| method.to_uppercase()).collect();
    if methods.is_empty() {
        // What is served beside the document, and the document itself.
        methods.push("GET".to_owned());
    }
    if methods.iter().any(|method| method == "GET") {
        methods.push("HEAD".to_owned());
    }
    methods
}

/// What a parameter may be, in words, as its schema says.
pub(super) fn rule_of(parameter: &str) -> String {
    let parameters =
        operations().filter_map(|(_, _, operation)| operation["parameters"].as_array()).flatten();
    let schema = parameters.filter(|found| found["name"] == parameter).map(|found| &found["schema"]).next();
    let schema = schema.unwrap_or(&Value::Null);
    let target = schema["$ref"].as_str().and_then(|reference| DOCUMENT.pointer(reference.strip_prefix('#')?));
    let schema = target.unwrap_or(schema);
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return format!("`{parameter}` must be one of {}", values.join(", "));
    }
    match (schema["type"].as_str(), schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some("integer"), Some(minimum), Some(maximum)) => {
            format!("`{parameter}` must be a whole number from {minimum} to {maximum}")
        }
        (Some("integer"), _, _) => format!("`{parameter}` must be a whole number"),
        _ => format!("`{parameter}` cannot be read"),
    }
}

/// Every operation with its path and its method.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let operations = item.as_object().into_iter().flatten();
        operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// Puts the union of all event types in the place of the empty `RecordedEvent`.
fn replace_event_schemas(document: &mut Value) {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let mut variants = Vec::new();
    let mut mapping = Map::new();
    let mut schemas = Map::new();
    macro_rules! register {
        ($($variant:ident => $type_name:literal,)*) => {$(
            let name = concat!(stringify!($variant), "Event");
            let data = generator.subschema_for::<$variant>();
            let reference = format!("#/components/schemas/{name}");
            schemas.insert(name.to_owned(), event_schema($type_name, &data.to_value()));
            variants.push(json!({ "$ref": reference }));
            mapping.insert($type_name.to_owned(), Value::from(reference));
        )*};
    }
    for_each_event_type!(register);
    let union = json!({
        "description": "A fact of the history, by its type.",
        "oneOf": variants,
        "discriminator": { "propertyName": "type", "mapping": mapping },
    });
    schemas.insert("RecordedEvent".to_owned(), union);
    schemas.extend(generator.take_definitions(true));
    if let Some(Value::Object(all)) = document.pointer_mut("/components/schemas") {
        for (name, schema) in schemas {
            let known = all.contains_key(&name);
            debug_assert!(!known || name == "RecordedEvent", "two types would be called {name}");
            all.insert(name, schema);
        }
        all.sort_keys();
    }
}

fn event_schema(type_name: &str, data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["id", "type", "sequence", "time", "source", "data"],
        "properties": {
            "id": { "type": "string", "description": "The event's id: the same fact has the same id." },
            "type": { "type": "string", "enum": [type_name] },
            "sequence": {
                "type": "integer", "format": "int64", "minimum": 1, "maximum": 9_007_199_254_740_991_u64,
                "description": "Its sequence in the history.",
            },
            "time": { "type": "string", "format": "date-time", "description": "When it was recorded." },
            "source": { "type": "string", "description": "Which part recorded it." },
            "data": data,
        },
    })
}

/// What the document can say of an operation and poem cannot.
fn cure_operations(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let rule = parameter["name"].as_str().and_then(rule_beyond_type);
                if let (Some(Value::Object(rule)), Value::Object(schema)) = (rule, &mut parameter["schema"]) {
                    schema.extend(rule);
                }
            }
            let Value::Object(responses) = &mut operation["responses"] else { continue };
            let impossible: &[&str] = match (method.as_str(), path.contains('{')) {
                ("get", true) => &["412", "413", "415", "422"],
                ("get", false) => &["404", "412", "413", "415", "422"],
                ("put", _) => &["404"],
                _ => &["404", "412"],
            };
            responses.retain(|status, _| !impossible.contains(&status.as_str()));
            for response in responses.values_mut() {
                // poem writes the names of headers in capitals.
                if let Some(Value::Object(headers)) = response.get_mut("headers") {
                    *headers = std::mem::take(headers)
                        .into_iter()
                        .map(|(name, header)| (header_name(&name), header))
                        .collect();
                }
            }
        }
    }
    // A client may say `null` for what it leaves out; no answer does.
    for (name, example) in [
        ("SubmissionCreate", json!({ "problem": "a", "language": "python3", "code": EXAMPLE })),
        ("SubmitRequest", json!({ "code": EXAMPLE, "language": "python3", "question_id": "a" })),
    ] {
        let schema = &mut document["components"]["schemas"][name];
        schema["example"] = example;
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (field, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            if !required.contains(&Value::from(field.as_str())) {
                property["nullable"] = Value::Bool(true);
            }
            match field.as_str() {
                "problem" | "question_id" | "user" | "contest" => {
                    property["pattern"] = Value::from(NAME_PATTERN);
                }
                "language" | "code" | "files" => {
                    let bound = if field == "files" { "minItems" } else { "minLength" };
                    property[bound] = Value::from(1);
                }
                _ => {}
            }
        }
    }
}

/// What the value of a parameter must be beyond its type: checked by the types that it is parsed into.
fn rule_beyond_type(parameter: &str) -> Option<Value> {
    Some(match parameter {
        "problem" | "user" => json!({ "pattern": NAME_PATTERN }),
        "language" => json!({ "pattern": "^[a-z0-9_+-]{1,32}$" }),
        "since" | "until" => json!({ "format": "date-time" }),
        "after" => json!({ "format": "uuid" }),
        "Idempotency-Key" => json!({ "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
        _ => return None,
    })
}

fn header_name(capitals: &str) -> String {
    if capitals == "ETAG" {
        return "ETag".to_owned();
    }
    let words = capitals.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{}{}", first.to_uppercase(), rest.to_lowercase()),
        None => String::new(),
    });
    words.collect::<Vec<_>>().join("-")
}

/// Walks the whole document and cures what breaks generators.
fn cure(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(cure),
        Value::Object(object) => {
            cure_object(object);
            object.values_mut().for_each(cure);
        }
        _ => {}
    }
}

fn cure_object(object: &mut Map<String, Value>) {
    // What is left out is never null, whatever the schemas of optional fields allow.
    object.remove("nullable");
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    // `{description, allOf: [{$ref}, {description}]}`: openapi-python-client drops every type that uses it.
    if let Some(Value::Array(parts)) = object.get_mut("allOf") {
        parts.retain(|part| part.as_object().is_none_or(|part| part.keys().any(|key| key != "description")));
        if parts.len() == 1
            && let Some(only) = parts.pop()
            && object.keys().all(|key| key == "allOf" || key == "description")
            && let Value::Object(only) = only
        {
            *object = only;
            return;
        } else if let Some(Value::Array(parts)) = object.get("allOf")
            && parts.is_empty()
        {
            object.remove("allOf");
        }
    }
    // `anyOf: [{$ref}, {enum: [null]}]`: what is optional and never null is just the first.
    if let Some(Value::Array(parts)) = object.get_mut("anyOf") {
        parts.retain(|part| part["enum"] != json!([null]));
        if parts.len() == 1
            && let Some(Value::Object(only)) = parts.pop()
        {
            *object = only;
            return;
        }
    }
    // Media types with a charset make ugly keys and enum names in clients.
    if let Some(content) = object.remove("application/json; charset=utf-8") {
        object.insert("application/json".to_owned(), content);
    }
    // A stream of events is no JSON array, whatever clients try to parse.
    if let Some(Value::Object(media)) = object.get_mut("text/event-stream") {
        let schema = json!({ "type": "string" });
        media.insert("schema".to_owned(), schema);
        media.insert("x-event-schema".to_owned(), json!({ "$ref": "#/components/schemas/RecordedEvent" }));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, schema) in properties {
            if let (true, Value::Object(schema)) = (name.ends_with("_at"), schema)
                && schema.get("type").is_some_and(|kind| kind == "string")
            {
                schema.insert("format".to_owned(), Value::from("date-time"));
            }
        }
    }
    for bound in ["minimum", "maximum"] {
        // poem writes bounds of integers as 1.0.
        if let Some(number) = object.get(bound).and_then(Value::as_f64).filter(|number| number.fract() == 0.0)
        {
            object.insert(bound.to_owned(), json!(number as i64));
        }
    }
    // JavaScript loses integers beyond 2^53, and `uint64` is no format of OpenAPI 3.0.
    match object.get("format").and_then(Value::as_str) {
        Some("uint64") => {
            object.insert("format".to_owned(), Value::from("int64"));
            object.entry("minimum").or_insert(json!(0));
            object.entry("maximum").or_insert(json!(9_007_199_254_740_991_u64));
        }
        Some("uint32" | "uint16" | "uint8") => {
            object.insert("format".to_owned(), Value::from("int32"));
            object.entry("minimum").or_insert(json!(0));
        }
        _ => {}
    }
}
