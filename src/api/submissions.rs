//! `/v1/submissions`: submitting, reading one, listing, and following its events.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::{ApiResponse, OpenApi};

use crate::domain::event::{SourceFile, SubmissionCreated};
use crate::domain::ids::{
    ContestId, LanguageId, ProblemId, RoutingClass, Sha256Digest, SubmissionId, UserId,
};
use crate::domain::submission::Refusal;
use crate::judge::JudgeError;
use crate::languages::Language;
use crate::projection::rows::{ProblemRow, SubmissionRow};
use crate::projection::{Filter, ModelError, View};

use super::State;
use super::body::JsonBody;
use super::detail_body::DetailBody;
use super::error::ApiError;
use super::events::{self, RecordedEvent, RecordedEventPage};
use super::views::{
    Judging, Source, SourceCreate, Submission, SubmissionAccepted, SubmissionCreate, SubmissionDetail,
    SubmissionPage, VerdictCode,
};

/// Who submits where nobody is named.
const ANONYMOUS: &str = "anonymous";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const IDEMPOTENCY_KEY_RULE: &str =
    "`Idempotency-Key` must be one header of 1 to 255 visible ASCII characters";
/// The most source files of one submission.
const FILES_MAX: usize = 64;

pub(super) struct Submissions;

/// The answer to a submission.
#[derive(ApiResponse)]
enum Submitted {
    /// Recorded, for ever; it will be judged.
    #[oai(status = 202)]
    Accepted(
        Json<SubmissionAccepted>,
        /// Where the submission can be read.
        #[oai(header = "Location")]
        String,
        /// The sequence of its event in the history.
        #[oai(header = "Assize-Sequence")]
        u64,
    ),
}

/// A submission with its position in the history.
#[derive(ApiResponse)]
enum SubmissionAnswer {
    /// The submission.
    #[oai(status = 200)]
    Found(
        DetailBody,
        /// The sequence of the history that this is true at.
        #[oai(header = "Assize-Sequence")]
        u64,
        /// Changes when the submission changes.
        #[oai(header = "ETag")]
        String,
    ),
    /// The submission has not changed since the answer whose ETag was given.
    #[oai(status = 304)]
    NotModified(
        /// The sequence of the history that this is true at.
        #[oai(header = "Assize-Sequence")]
        u64,
        /// The ETag that was given.
        #[oai(header = "ETag")]
        String,
    ),
}

/// A page of submissions with its position in the history.
#[derive(ApiResponse)]
enum ListAnswer {
    /// The page.
    #[oai(status = 200)]
    Page(
        Json<SubmissionPage>,
        /// The sequence of the history that this is true at.
        #[oai(header = "Assize-Sequence")]
        u64,
    ),
}

/// A stream of events, or nothing more to tell.
#[derive(ApiResponse)]
enum StreamAnswer {
    /// The events as server-sent events whose ids are stream sequences.
    #[oai(status = 200)]
    Events(EventStream<BoxStream<'static, RecordedEvent>>),
    /// Everything was told already and the judging has ended: do not reconnect.
    #[oai(status = 204)]
    Ended,
}

/// Submissions and what comes of them.
#[OpenApi(prefix_path = "/v1", tag = "super::Tag::Submissions")]
impl Submissions {
    /// Submit a program.
    ///
    /// The answer comes when the submission is on disk. With an `Idempotency-Key` a retry makes no second
    /// submission; the same key with other content is refused.
    #[oai(path = "/submissions", method = "post", operation_id = "create_submission")]
    async fn create(
        &self,
        state: Data<&Arc<State>>,
        request: &Request,
        /// Up to 255 visible characters, chosen by the client, the same for every retry.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The W3C trace context of the request; it is kept with the event.
        traceparent: Header<Option<String>>,
        body: JsonBody<SubmissionCreate>,
    ) -> Result<Submitted, ApiError> {
        let now = Timestamp::now();
        let key = checked_key(request, idempotency_key.0)?;
        let (created, sequence) =
            submit(&state, body.0, key, traceparent.0.filter(|text| is_traceparent(text)), now).await?;
        let location = format!("/v1/submissions/{}", created.submission);
        let accepted = SubmissionAccepted {
            id: created.submission.to_string(),
            problem: created.problem.to_string(),
            language: created.language.to_string(),
            user: created.user.to_string(),
            submitted_at: created.submitted_at.to_string(),
            sequence,
        };
        Ok(Submitted::Accepted(Json(accepted), location, sequence))
    }

    /// Read a submission with its judgings and testcases.
    #[oai(path = "/submissions/:id", method = "get", operation_id = "get_submission")]
    async fn get(
        &self,
        state: Data<&Arc<State>>,
        /// The submission's id.
        id: Path<String>,
        /// Wait (at most two seconds) until the answer is at least as new as this sequence.
        min_seq: Query<Option<u64>>,
        /// Answer 304 without a body where the submission has not changed since the answer with this ETag.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<SubmissionAnswer, ApiError> {
        state.at_least(min_seq.0).await?;
        let id = parse_id(&id)?;
        let known = if_none_match.0.unwrap_or_default();
        // Weak: the answer also says which sequence it is true at, and that changes all the time.
        let tag_of = |updated_sequence: u64| format!("W/\"{updated_sequence}\"");
        let answer = state.find(|view| {
            if known.is_empty()
                && let Some((updated_sequence, body)) = state.bodies.unchanged(id, view.sequence())
            {
                return Ok(Some(SubmissionAnswer::Found(body, view.sequence(), tag_of(updated_sequence))));
            }
            let Some(row) = view.submission(id)? else { return Ok(None) };
            let tag = tag_of(row.updated_sequence);
            if known.split(',').any(|known| known.trim() == tag) {
                return Ok(Some(SubmissionAnswer::NotModified(view.sequence(), tag)));
            }
            let sequence = view.sequence();
            let body = state.bodies.body(id, row.updated_sequence, sequence, || detail(view, &row))?;
            Ok(Some(SubmissionAnswer::Found(body, sequence, tag)))
        });
        answer.await?.ok_or_else(|| ApiError::not_found("submission", &id.to_string()))
    }

    /// List submissions, the newest first.
    #[oai(path = "/submissions", method = "get", operation_id = "list_submissions")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        state: Data<&Arc<State>>,
        /// Only of this problem.
        problem: Query<Option<String>>,
        /// Only of this user.
        user: Query<Option<String>>,
        /// Only in this language.
        language: Query<Option<String>>,
        /// Only with this verdict.
        verdict: Query<Option<VerdictCode>>,
        /// Only submitted at this time (RFC 3339) or later.
        since: Query<Option<String>>,
        /// Only submitted before this time (RFC 3339).
        until: Query<Option<String>>,
        /// After this submission: `next_after` of the page before.
        after: Query<Option<String>>,
        /// How many at most, 1 to 200.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<u16>,
        /// Wait (at most two seconds) until the answer is at least as new as this sequence.
        min_seq: Query<Option<u64>>,
    ) -> Result<ListAnswer, ApiError> {
        state.at_least(min_seq.0).await?;
        let filter = Filter {
            problem: parameter("problem", problem.0)?,
            user: parameter("user", user.0)?,
            language: match language.0 {
                Some(name) => Some(language_filter(&state, &name)?),
                None => None,
            },
            verdict: verdict.0.map(Into::into),
            since: time("since", since.0)?,
            until: time("until", until.0)?,
        };
        let after: Option<SubmissionId> = parameter("after", after.0)?;
        let limit = usize::from(limit.0);
        let page = state
            .projection
            .scan(move |view| {
                let after_row = match after {
                    Some(after) => match view.submission(after)? {
                        Some(row) => Some(row),
                        None => return Ok(None),
                    },
                    None => None,
                };
                let page = view.list(&filter, after_row.as_ref(), limit)?;
                Ok(Some(SubmissionPage {
                    items: page.submissions.iter().map(Into::into).collect(),
                    next_after: page.next.map(|id| id.to_string()),
                    sequence: view.sequence(),
                }))
            })
            .await?
            .ok_or_else(|| ApiError::parameter("after", "there is no such submission"))?;
        let sequence = page.sequence;
        Ok(ListAnswer::Page(Json(page), sequence))
    }

    /// Read the events of a submission, straight from the history.
    #[oai(path = "/submissions/:id/events", method = "get", operation_id = "list_submission_events")]
    async fn events(
        &self,
        state: Data<&Arc<State>>,
        /// The submission's id.
        id: Path<String>,
        /// Only from this sequence on.
        from_seq: Query<Option<u64>>,
        /// Only up to this sequence.
        to_seq: Query<Option<u64>>,
    ) -> Result<Json<RecordedEventPage>, ApiError> {
        let id = parse_id(&id)?;
        let range = from_seq.0.unwrap_or(0)..=to_seq.0.unwrap_or(u64::MAX);
        events::page(&state, id, range).await.map(Json)
    }

    /// Follow the events of a submission as server-sent events.
    ///
    /// Begins with the first event, or after `Last-Event-ID`; ends when the judging has ended. The id of each is
    /// its stream sequence. A client that reconnects after the end gets 204.
    #[oai(path = "/submissions/:id/events/stream", method = "get", operation_id = "stream_submission_events")]
    async fn stream(
        &self,
        state: Data<&Arc<State>>,
        /// The submission's id.
        id: Path<String>,
        /// The sequence of the last event that was seen.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<u64>>,
        /// The same, for clients that cannot set headers.
        #[oai(name = "last_event_id")]
        last_event_id_query: Query<Option<u64>>,
    ) -> Result<StreamAnswer, ApiError> {
        let id = parse_id(&id)?;
        let after = last_event_id.0.or(last_event_id_query.0).unwrap_or(0);
        Ok(match events::follow(Arc::clone(&state), id, after).await? {
            Some(stream) => StreamAnswer::Events(events::as_sse(stream.boxed())),
            None => StreamAnswer::Ended,
        })
    }
}

fn language_filter(state: &State, name: &str) -> Result<LanguageId, ApiError> {
    let id = state.languages.get(name).map_or(name, |language| language.id.as_str());
    id.parse()
        .map_err(|error: crate::domain::ids::InvalidId| ApiError::parameter("language", error.to_string()))
}

fn default_limit() -> u16 {
    50
}

pub(super) fn parse_id(text: &str) -> Result<SubmissionId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("submission", text))
}

/// A query parameter as the value that it stands for.
fn parameter<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &'static str,
    text: Option<String>,
) -> Result<Option<T>, ApiError> {
    text.map(|text| text.parse().map_err(|error: T::Err| ApiError::parameter(name, error.to_string())))
        .transpose()
}

fn time(name: &'static str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let message = || format!("`{name}` must be a time of RFC 3339, for example 2026-01-31T12:00:00Z");
    text.map(|text| text.parse().map_err(|_| ApiError::parameter(name, message()))).transpose()
}

fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// A submission's row with its judgings and testcases.
pub(super) fn detail(view: &View<'_>, row: &SubmissionRow) -> Result<SubmissionDetail, ModelError> {
    let judgings = row.judgings.iter().map(|judging| {
        let testcases = view.testcases(row.id, judging.number)?;
        let diagnostics = view.diagnostics(row.id, judging.number)?;
        Ok(Judging::new(judging, &testcases, diagnostics))
    });
    let sources = row.sources.iter().map(|source| Source {
        name: source.name.clone(),
        sha256: source.sha256.to_string(),
        size_bytes: source.size_bytes,
    });
    Ok(SubmissionDetail {
        submission: Submission::from(row),
        sources: sources.collect(),
        judgings: judgings.collect::<Result<_, ModelError>>()?,
        sequence: view.sequence(),
    })
}

/// The request's idempotency key. One that cannot be read must not pass for none: its retries would be submissions
/// of their own.
pub(super) fn checked_key(request: &Request, key: Option<String>) -> Result<Option<String>, ApiError> {
    let sent = request.headers().get_all(IDEMPOTENCY_KEY).iter().count();
    let fits =
        |key: &String| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if sent != usize::from(key.is_some()) || !key.as_ref().is_none_or(fits) {
        return Err(ApiError::parameter(IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_RULE));
    }
    Ok(key)
}

/// Whether a request asks for what was stored under its key before.
fn is_retry(state: &State, stored: &SubmissionCreated, body: &SubmissionCreate) -> bool {
    let language = state.languages.get(&body.language);
    let files: Vec<(Option<&str>, &str)> = match (&body.code, &body.files) {
        (Some(code), None) => vec![(language.map(|language| language.source.as_str()), code)],
        (None, Some(files)) => {
            files.iter().map(|file| (Some(file.name.as_str()), file.content.as_str())).collect()
        }
        _ => return false,
    };
    let same_file = |(stored, (name, content)): (&SourceFile, &(Option<&str>, &str))| {
        name.is_none_or(|name| name == stored.name)
            && stored.blob.sha256 == Sha256Digest::of(content.as_bytes())
    };
    stored.problem.as_str() == body.problem
        && stored.language.as_str() == language.map_or(body.language.as_str(), |language| &language.id)
        && stored.contest.as_ref().map(ContestId::as_str) == body.contest.as_deref()
        && stored.sources.len() == files.len()
        && stored.sources.iter().zip(&files).all(same_file)
}

/// Checks and records a submission; returns it as stored and the sequence of its event.
pub(super) async fn submit(
    state: &State,
    body: SubmissionCreate,
    key: Option<String>,
    traceparent: Option<String>,
    now: Timestamp,
) -> Result<(SubmissionCreated, u64), ApiError> {
    let user: UserId = body.user.as_deref().unwrap_or(ANONYMOUS).parse().map_err(
        |error: crate::domain::ids::InvalidId| ApiError::field("invalid_user", "user", error.to_string()),
    )?;
    if let Some(key) = &key
        && let Some((stored, sequence)) = state.judge.submitted(SubmissionId::from_key(&user, key)).await?
    {
        // Taken by the rules of its time: a limit or a language that has changed since must not refuse the retry.
        return match is_retry(state, &stored, &body) {
            true => Ok((stored, sequence)),
            false => Err(JudgeError::Refused(Refusal::Exists).into()),
        };
    }
    let language = language(state, &body.language)?;
    let contest: Option<ContestId> = body.contest.as_deref().map(str::parse).transpose().map_err(
        |error: crate::domain::ids::InvalidId| {
            ApiError::field("invalid_contest", "contest", error.to_string())
        },
    )?;
    let problem = problem(state, &body.problem).await?;
    check_allowed(language, &problem)?;
    let files = files(language, body.code, body.files)?;
    let size_bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if size_bytes as u64 > problem.code_limit_bytes {
        return Err(ApiError::too_large(format!(
            "the source has {size_bytes} bytes; problem {} allows {}",
            problem.problem, problem.code_limit_bytes
        )));
    }
    let internal = |error: crate::domain::ids::InvalidId| ApiError::internal(&error);
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        // Durable before the event that names it.
        let blob = state.store.put_blob(Bytes::from(file.content.into_bytes())).await?;
        sources.push(SourceFile { name: file.name, blob });
    }
    let submission = match &key {
        Some(key) => SubmissionId::from_key(&user, key),
        None => SubmissionId::mint(now.as_millisecond().max(0).cast_unsigned(), rand::random()),
    };
    let created = SubmissionCreated {
        submission,
        problem: problem.problem,
        package: problem.package,
        user,
        contest,
        language: language.id.parse().map_err(internal)?,
        routing_class: language.routing_class.parse::<RoutingClass>().map_err(internal)?,
        sources,
        submitted_at: now,
        idempotency_key: key,
    };
    let (created, sequence) = state.judge.submit(created, now, traceparent).await?;
    state.acknowledged.note(sequence);
    Ok((created, sequence))
}

/// The language of that name, unless workers are here and none of them offers it.
fn language<'a>(state: &'a State, name: &str) -> Result<&'a Language, ApiError> {
    let Some(language) = state.languages.get(name) else {
        let known: Vec<&str> = state.languages.iter().map(|language| language.id.as_str()).collect();
        let shown: String = name.chars().take(64).collect();
        return Err(ApiError::field(
            "unknown_language",
            "language",
            format!("there is no language `{shown}`; there are: {}", known.join(", ")),
        ));
    };
    let workers = state.directory.live();
    let offers = |worker: &crate::store::presence::WorkerStatus| {
        worker.languages.iter().any(|offered| offered.language.as_str() == language.id)
    };
    if !workers.is_empty() && !workers.iter().any(offers) {
        let message = format!("no worker offers the language `{}` now", language.id);
        return Err(ApiError::field("language_not_offered", "language", message));
    }
    Ok(language)
}

/// Refuses a language that the problem's package does not allow.
fn check_allowed(language: &Language, problem: &ProblemRow) -> Result<(), ApiError> {
    if language.is_allowed(problem.languages_allowed.as_deref()) {
        return Ok(());
    }
    let message = match &problem.languages_allowed {
        Some(allowed) => format!(
            "problem {} does not allow the language `{}`; it allows: {}",
            problem.problem,
            language.id,
            allowed.join(", ")
        ),
        None => format!("problem {} is solved by a program and not by its output", problem.problem),
    };
    Err(ApiError::field("language_not_allowed", "language", message))
}

async fn problem(state: &State, name: &str) -> Result<ProblemRow, ApiError> {
    let unknown = || {
        let shown: String = name.chars().take(64).collect();
        ApiError::field("unknown_problem", "problem", format!("there is no problem `{shown}`"))
    };
    let id: ProblemId = name.parse().map_err(|_| unknown())?;
    if let Some(row) = state.projection.read(|view| view.problem(&id))? {
        return Ok(row);
    }
    Err(unknown())
}

/// The files of a submission, checked.
fn files(
    language: &Language,
    code: Option<String>,
    files: Option<Vec<SourceCreate>>,
) -> Result<Vec<SourceCreate>, ApiError> {
    let field = if files.is_some() { "files" } else { "code" };
    let files = match (code, files) {
        (Some(code), None) => vec![SourceCreate { name: language.source.clone(), content: code }],
        (None, Some(files)) => files,
        (None, None) => {
            return Err(ApiError::field("no_source", "code", "neither `code` nor `files` is given"));
        }
        (Some(_), Some(_)) => {
            return Err(ApiError::field("two_sources", "files", "both `code` and `files` are given"));
        }
    };
    if files.iter().all(|file| file.content.is_empty()) {
        return Err(ApiError::field("empty_source", field, "the source is empty"));
    }
    if files.len() > FILES_MAX {
        let message = format!("there are {} files; at most {FILES_MAX} are accepted", files.len());
        return Err(ApiError::field("too_many_files", "files", message));
    }
    for (place, file) in files.iter().enumerate() {
        if !is_file_name(&file.name) {
            let shown: String = file.name.chars().take(64).collect();
            let message = format!(
                "`{shown}` is not a file name: letters, digits, `_`, `-` and `.`, at most 100, not beginning \
                 with `.` or `-`"
            );
            return Err(ApiError::field("invalid_file_name", "files", message));
        }
        if files[..place].iter().any(|earlier| earlier.name == file.name) {
            let message = format!("there are two files named `{}`", file.name);
            return Err(ApiError::field("repeated_file_name", "files", message));
        }
    }
    Ok(files)
}

fn is_file_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
