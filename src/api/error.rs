//! Every error as RFC 9457 problem details: one match from refusal to status.
//!
//! `code` is for programs and never changes; `detail` is for people; `errors` names the fields of a body that
//! does not fit. Internal causes are logged here and not shown.

use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

use crate::error_chain::chain;
use crate::judge::JudgeError;
use crate::package_cache::CacheError;
use crate::problems::{Place, Warning};
use crate::publish::PublishError;
use crate::store::StoreError;

use super::document;

/// What is said when the event store is away: a write may have been stored before its acknowledgement was lost.
const OUTCOME_UNKNOWN: &str = "the event store does not answer; what was sent may have been recorded or not: with an \
     Idempotency-Key it is safe to send it again";
/// After how many seconds a client should try again when the event store is away.
const RETRY_AFTER_SECONDS: u32 = 2;

/// What went wrong, as RFC 9457 problem details.
#[derive(Debug, Clone, Object)]
pub(super) struct Problem {
    /// A URI that names the kind of problem: `/problems/` and the code.
    r#type: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// A stable word for programs, for example `unknown_language`.
    code: String,
    /// The fields that do not fit, where fields do not fit.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<Vec<FieldError>>,
}

/// A field that does not fit.
#[derive(Debug, Clone, Object)]
pub(super) struct FieldError {
    /// The field, for example `language`.
    field: String,
    /// What is wrong with it.
    message: String,
    /// The line, where the field is a file of a package and one line is to blame.
    #[oai(skip_serializing_if_is_none)]
    line: Option<u64>,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), line: None }
    }

    fn at(fault: &Warning) -> Self {
        let Place { file, line } = fault.place.clone();
        Self { field: file, message: fault.what.clone(), line }
    }
}

/// An answer that is an error.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    fields: Vec<FieldError>,
    retry_after_seconds: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), fields: vec![], retry_after_seconds: None }
    }

    /// There is no such thing.
    pub(super) fn not_found(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(64).collect();
        let detail = format!("there is no {what} `{id}`");
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// The problem has no such revision.
    pub(super) fn no_revision(revision: u32, problem: &str) -> Self {
        let detail = format!("there is no revision `{revision}` of the problem `{problem}`");
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// A field of the body does not fit.
    pub(super) fn field(code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            fields: vec![FieldError::new(field, message.clone())],
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The request does not fit", message)
        }
    }

    /// Fields of the body are missing or of the wrong type.
    pub(super) fn misfit(fields: Vec<FieldError>) -> Self {
        let told: Vec<String> =
            fields.iter().map(|error| format!("`{}` {}", error.field, error.message)).collect();
        let title = "The request does not fit";
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", title, told.join("; ")) }
    }

    /// The body is not what it claims to be.
    pub(super) fn unreadable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The body cannot be read", detail)
    }

    /// A query or header parameter does not fit.
    pub(super) fn parameter(name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            fields: vec![FieldError::new(name, message.clone())],
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", "A parameter does not fit", message)
        }
    }

    /// The source is larger than the problem allows.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large", detail)
    }

    /// A package is refused for what is wrong with it.
    fn package(code: &'static str, detail: String, faults: &[Warning]) -> Self {
        let fields = faults.iter().map(FieldError::at).collect();
        let title = "The package is refused";
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, detail) }
    }

    /// The content type is not the one that is read here.
    pub(super) fn content_type(wanted: &str) -> Self {
        let detail = format!("send {wanted}");
        let title = "Unsupported media type";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", title, detail)
    }

    /// Cannot be answered now; trying again helps.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(RETRY_AFTER_SECONDS),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now", detail)
        }
    }

    /// A submission is recorded and will be judged, but cannot be answered as it should. Not one of the errors that
    /// ask for another try: that would be another submission.
    pub(super) fn number_unknown(id: &str) -> Self {
        let detail = format!(
            "the submission is recorded and will be judged, but its number is not known yet: do not send it \
             again, read /v1/submissions/{id}"
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "number_unknown", "The number is not known", detail)
    }

    /// Our fault. The cause is in the log and not in the answer.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = chain(error), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Our fault", "something failed on our side")
    }

    /// The same in the words of the first interface, where fields have other names.
    pub(super) fn in_first_words(mut self) -> Self {
        for error in self.fields.iter_mut().filter(|error| error.field == "problem") {
            error.field = "question_id".to_owned();
        }
        self
    }

    fn problem(&self) -> Problem {
        Problem {
            r#type: format!("/problems/{}", self.code),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            errors: Some(self.fields.clone()).filter(|fields| !fields.is_empty()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.problem().to_json_string();
        let mut response = Response::builder()
            .status(self.status)
            .content_type(ProblemJson::CONTENT_TYPE)
            .body(Body::from(body));
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ApiError> for poem::Error {
    fn from(error: ApiError) -> Self {
        poem::Error::from_response(error.into_response())
    }
}

/// The media type of problem details, for the document.
struct ProblemJson;

impl ProblemJson {
    const CONTENT_TYPE: &str = "application/problem+json";
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: ProblemJson::CONTENT_TYPE,
                schema: <Problem as Type>::schema_ref(),
            }],
            headers: if status == 503 { vec![retry_after()] } else { vec![] },
        };
        MetaResponses {
            responses: vec![
                response(400, "The request cannot be read"),
                response(404, "There is no such thing"),
                response(405, "The method is not allowed here"),
                response(412, "Another revision is current than the one that was to be"),
                response(413, "Too large"),
                response(415, "The content type is not supported"),
                response(422, "The request does not fit"),
                response(500, "Our fault"),
                response(503, "Not available now; Retry-After says when to try again"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

fn retry_after() -> MetaHeader {
    MetaHeader {
        name: "Retry-After".to_owned(),
        description: Some("After how many seconds to try again.".to_owned()),
        required: false,
        deprecated: false,
        schema: <u32 as Type>::schema_ref(),
    }
}

impl From<JudgeError> for ApiError {
    fn from(error: JudgeError) -> Self {
        match error {
            JudgeError::Refused(refusal) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The request does not fit",
                refusal.to_string(),
            ),
            JudgeError::Revision { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "revision_mismatch",
                "Another revision is current",
                error.to_string(),
            ),
            JudgeError::Contended => Self::unavailable(error.to_string()),
            JudgeError::Store(error) => error.into(),
        }
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        if let Some(faults) = error.faults() {
            let code = match error {
                PublishError::NotAccepted(_) => "package_not_verified",
                _ => "invalid_package",
            };
            return Self::package(code, chain(&error), &faults);
        }
        match error {
            PublishError::Judge(error) => error.into(),
            PublishError::Store(error) => error.into(),
            PublishError::ShortName(_) => Self::parameter("id", error.to_string()),
            PublishError::CannotConfine(_) => {
                tracing::error!(error = chain(&error), "a package could not be verified");
                let detail = format!(
                    "{}; `assize doctor` says what the host lacks, and ?verify=false publishes without verifying",
                    chain(&error)
                );
                let title = "The package cannot be verified here";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "cannot_verify", title, detail)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Store(error) => error.into(),
            CacheError::NoFile { path } => Self::not_found("file", &path),
            error => Self::internal(&error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => {
                tracing::warn!(error = chain(&error), "the event store is unavailable");
                Self::unavailable(OUTCOME_UNKNOWN)
            }
            StoreError::TooLarge { .. } => {
                tracing::warn!(error = chain(&error), "too large for the event store");
                Self::too_large("this is larger than what can be stored")
            }
            StoreError::Refused { .. } => {
                tracing::error!(error = chain(&error), "the event store refused");
                Self::unavailable("the event store does not accept anything now; try again later")
            }
            StoreError::Damaged { .. }
            | StoreError::Gap { .. }
            | StoreError::Missing { .. }
            | StoreError::Disk { .. }
            | StoreError::Corrupt { .. } => Self::internal(&error),
        }
    }
}

/// What poem itself refuses, as problem details: unknown paths and methods, bodies and parameters.
pub(super) async fn catch_all(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    describe(&error).into_response()
}

fn describe(error: &poem::Error) -> ApiError {
    // A path whose escapes are not UTF-8 names nothing.
    if error.is::<NotFoundError>() || error.is::<poem::error::ParsePathError>() {
        return ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "Not found",
            "there is nothing at this path",
        );
    }
    if error.is::<MethodNotAllowedError>() {
        let detail = "this path does not know the method";
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            detail,
        );
    }
    if let Some(error) = error.downcast_ref::<ContentTypeError>() {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return ApiError::new(
            status,
            "unsupported_media_type",
            "Unsupported media type",
            format!("{error}; send application/json"),
        );
    }
    if let Some(error) = error.downcast_ref::<ParseParamError>() {
        return ApiError::parameter(error.name, document::rule_of(error.name));
    }
    if let Some(error) = error.downcast_ref::<ParsePathError>() {
        return ApiError::not_found("such thing", &error.to_string());
    }
    match error.status() {
        status if status.is_client_error() => {
            ApiError::new(status, "bad_request", "The request cannot be read", shorten(&error.to_string()))
        }
        _ => ApiError::internal(error),
    }
}

/// What poem says may quote the whole body.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What an error code means, for the page that the `type` of an error points to.
pub(super) fn explanation(code: &str) -> Option<&'static str> {
    Some(match code {
        "not_found" => "There is no such path, submission, problem or number.",
        "method_not_allowed" => {
            "The path exists and does not know the method; the Allow header says which it knows."
        }
        "invalid_json" => "The body is not JSON.",
        "invalid_utf8" => "The body is not UTF-8.",
        "invalid_body" => "The body is JSON, but a field is missing or has the wrong type.",
        "unsupported_media_type" => {
            "Bodies are JSON: send `Content-Type: application/json`. Packages are zips: `application/zip`."
        }
        "invalid_package" => {
            "The package is broken; `errors` names each file with its line and what is wrong."
        }
        "package_not_verified" => {
            "Jury submissions that must be accepted are not; `errors` names them. Nothing was published."
        }
        "cannot_verify" => {
            "The host cannot run programs confined, so nothing can be verified; ?verify=false publishes all the same."
        }
        "revision_mismatch" => {
            "Somebody else has published meanwhile: the revision that If-Match or If-None-Match names is not current."
        }
        "language_not_allowed" => "The problem allows only the languages that `languages_allowed` names.",
        "too_large" => "The source is larger than the problem allows, or the body larger than any may be.",
        "invalid_parameter" => "A query or header parameter cannot be read; `errors` names it.",
        "unknown_language" => "There is no language of that code or alias; see /v1/languages.",
        "language_not_offered" => "Workers are here, and none of them has the toolchain of the language.",
        "unknown_problem" => "There is no problem of that name; see /v1/problems.",
        "invalid_user" | "invalid_contest" => "Names are 1 to 40 of the characters A-Z, a-z, 0-9, _ and -.",
        "no_source" | "two_sources" | "empty_source" => {
            "A submission has either `code` or `files`, and some content."
        }
        "too_many_files" | "invalid_file_name" | "repeated_file_name" => {
            "The files cannot be compiled as named."
        }
        "idempotency_key_reused" => {
            "The Idempotency-Key was used before for a submission with other content."
        }
        "unavailable" => {
            "It cannot be done right now; Retry-After says when to try again. A submission whose answer this was may \
             have been recorded: sent again with the same Idempotency-Key, it is recorded once."
        }
        "number_unknown" => {
            "The submission is recorded and will be judged; `detail` says where it can be read. Do not send it again."
        }
        "internal" => "Our fault. The log of the server says more.",
        "bad_request" | "unreadable_body" => "The request cannot be read as HTTP.",
        _ => return None,
    })
}
