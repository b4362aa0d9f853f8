//! Request bodies: JSON that fits, or an answer that names every field that does not.

use std::path::PathBuf;

use futures::StreamExt;
use poem::{Body, Request, RequestBody};
use poem_openapi::error::ContentTypeError;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::error::{ApiError, FieldError};

/// How many fields are named at most.
const FIELDS_MAX: usize = 20;

/// A JSON body. poem's own says neither which field does not fit nor whether the text is JSON at all.
pub(super) struct JsonBody<T>(pub(super) T);

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(content_type) if Json::<T>::check_content_type(content_type) => {
                Ok(Self(parse(&body.take()?.into_bytes().await?)?))
            }
            Some(content_type) => {
                Err(ContentTypeError::NotSupported { content_type: content_type.to_owned() }.into())
            }
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}

/// The largest package that is taken, in bytes of its zip.
pub(super) const PACKAGE_BYTES_MAX: u64 = 512 << 20;

/// A zip that was read into a file, which goes with this.
pub(super) struct ZipBody {
    pub(super) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl<'a> ApiExtractor<'a> for ZipBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema {
            format: Some("binary"),
            ..MetaSchema::new("string")
        }));
        let content = vec![MetaMediaType { content_type: ZIP, schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let kind = request.content_type().and_then(|kind| kind.split(';').next());
        if !matches!(kind, Some(ZIP | "application/x-zip-compressed" | "application/octet-stream")) {
            return Err(ApiError::content_type(ZIP).into());
        }
        // The loader knows archives by their names, and this one is named like its problem.
        let problem =
            request.uri().path().trim_end_matches("/package").rsplit('/').next().unwrap_or_default();
        let is_plain = !problem.is_empty() && problem.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let problem = if is_plain && problem.len() <= 64 { problem } else { "package" };
        Ok(receive(body.take()?, problem).await?)
    }
}

const ZIP: &str = "application/zip";

async fn receive(body: Body, name: &str) -> Result<ZipBody, ApiError> {
    let disk = |error: std::io::Error| ApiError::internal(&error);
    let folder = tempfile::Builder::new().prefix("assize-upload-").tempdir().map_err(disk)?;
    let path = folder.path().join(format!("{name}.zip"));
    let mut file = tokio::fs::File::create(&path).await.map_err(disk)?;
    let mut chunks = body.into_bytes_stream();
    let mut bytes = 0_u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| ApiError::unreadable("unreadable_body", error.to_string()))?;
        bytes += chunk.len() as u64;
        if bytes > PACKAGE_BYTES_MAX {
            let message =
                format!("the package is larger than {PACKAGE_BYTES_MAX} bytes, which no zip may be");
            return Err(ApiError::too_large(message));
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(ZipBody { path, _folder: folder })
}

fn parse<T: ParseFromJSON>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::unreadable("invalid_json", "the body is empty and should be JSON"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        ApiError::unreadable("invalid_utf8", format!("the body is not UTF-8: byte {place} cannot be read"))
    })?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ApiError::unreadable("invalid_json", format!("the body is not JSON: {error}")))?;
    if let Some(fields) = misfits::<T>(&value) {
        return Err(ApiError::misfit(fields));
    }
    T::parse_from_json(Some(value)).map_err(|error| {
        let message = error.into_message();
        ApiError::misfit(vec![FieldError::new("body", message)])
    })
}

/// The fields that do not fit the type's schema; none where all do.
fn misfits<T: Type>(value: &Value) -> Option<Vec<FieldError>> {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let mut found = Vec::new();
    walk(&registry, &T::schema_ref(), value, "", &mut found);
    found.truncate(FIELDS_MAX);
    Some(found).filter(|found| !found.is_empty())
}

fn walk(registry: &Registry, schema: &MetaSchemaRef, value: &Value, at: &str, found: &mut Vec<FieldError>) {
    let schema: &MetaSchema = match schema {
        MetaSchemaRef::Inline(schema) => schema,
        MetaSchemaRef::Reference(name) => match registry.schemas.get(name) {
            Some(schema) => schema,
            None => return,
        },
    };
    let (fits, expected) = match schema.ty {
        "object" => (value.is_object(), "an object"),
        "array" => (value.is_array(), "an array"),
        "string" => (value.is_string(), "a string"),
        "integer" => (value.is_i64() || value.is_u64(), "a whole number"),
        "number" => (value.is_number(), "a number"),
        "boolean" => (value.is_boolean(), "true or false"),
        _ => (true, ""),
    };
    if !fits {
        let field = if at.is_empty() { "body" } else { at };
        found.push(FieldError::new(field, format!("must be {expected}, not {}", kind(value))));
        return;
    }
    match value {
        Value::Object(object) => {
            let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            for (name, schema_of_field) in &schema.properties {
                let required = schema.required.contains(name);
                match object.get(*name) {
                    Some(Value::Null) if !required => {}
                    Some(value) => walk(registry, schema_of_field, value, &path(name), found),
                    None if required => found.push(FieldError::new(path(name), "is missing")),
                    None => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for (place, item) in items.iter().enumerate() {
                    walk(registry, schema, item, &format!("{at}[{place}]"), found);
                }
            }
        }
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
