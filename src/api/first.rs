//! The first interface, word for word as its users know it: `POST /submit` and `GET /result/{id}`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::State;
use super::body::JsonBody;
use super::error::ApiError;
use super::submissions::{checked_key, submit};
use super::views::{SubmissionCreate, SubmissionState, VerdictCode};

/// How long a submission may take to appear in the read model, which knows its number.
const NUMBER_DEADLINE: Duration = Duration::from_secs(5);

pub(super) struct First;

/// A program to judge, as the first interface takes it.
#[derive(Debug, Clone, Object)]
struct SubmitRequest {
    /// The program.
    code: String,
    /// The language, for example `cpp17` or `python3`.
    language: String,
    /// The problem, for example `a`.
    question_id: String,
}

/// The number that a submission got.
#[derive(Debug, Clone, Object)]
struct SubmitAnswer {
    /// The number to ask for the result with: 1 for the first submission.
    id: u64,
    /// The submission's id in the full API.
    submission_id: String,
}

/// The result of a submission.
#[derive(Debug, Clone, Object)]
struct ResultAnswer {
    /// The number of the submission.
    id: u64,
    /// The submission's id in the full API.
    submission_id: String,
    status: SubmissionState,
    /// Once judged: `AC`, `WA`, `TLE` or `RE`; `CE` where it does not compile, `JE` where we failed.
    #[oai(skip_serializing_if_is_none)]
    verdict: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    code: Option<VerdictCode>,
    /// Why, in words.
    #[oai(skip_serializing_if_is_none)]
    reason: Option<String>,
    /// The problem.
    question_id: String,
    /// The language's code.
    language: String,
    /// How many testcases are judged.
    testcases_judged: u32,
    /// How many there are, once a worker has claimed it.
    testcases_total: u32,
    /// The largest CPU time over the testcases so far, in milliseconds.
    cpu_ms_max: u64,
    /// The largest peak memory over the testcases so far, in bytes.
    memory_bytes_max: u64,
    /// What the compiler said, where the program does not compile.
    #[oai(skip_serializing_if_is_none)]
    diagnostics: Option<String>,
}

/// The first interface.
#[OpenApi(tag = "super::Tag::First")]
impl First {
    /// Submit a program and get its number.
    ///
    /// With an `Idempotency-Key` a retry makes no second submission and gets the same number.
    #[oai(path = "/submit", method = "post", operation_id = "submit")]
    async fn submit(
        &self,
        state: Data<&Arc<State>>,
        request: &Request,
        /// Up to 255 visible characters, chosen by the client, the same for every retry.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: JsonBody<SubmitRequest>,
    ) -> Result<Json<SubmitAnswer>, ApiError> {
        let key = checked_key(request, idempotency_key.0)?;
        // Only the read model knows numbers. One that has failed is no reason to record what is then not answered.
        if state.projection.health().failure.is_some() {
            return Err(ApiError::unavailable("submissions get no numbers now; nothing was recorded"));
        }
        let create = SubmissionCreate {
            problem: body.0.question_id,
            language: body.0.language,
            code: Some(body.0.code),
            files: None,
            user: None,
            contest: None,
        };
        let (created, sequence) =
            submit(&state, create, key, None, Timestamp::now()).await.map_err(ApiError::in_first_words)?;
        let late = || ApiError::number_unknown(&created.submission.to_string());
        if !state.projection.wait_for(sequence, NUMBER_DEADLINE).await {
            return Err(late());
        }
        let row = state.projection.read(|view| view.submission(created.submission))?;
        let id = row.ok_or_else(late)?.rank;
        Ok(Json(SubmitAnswer { id, submission_id: created.submission.to_string() }))
    }

    /// Read the result of a submission.
    #[oai(path = "/result/:id", method = "get", operation_id = "get_result")]
    async fn result(
        &self,
        state: Data<&Arc<State>>,
        /// The number that `submit` answered.
        id: Path<String>,
        /// Wait (at most two seconds) until the answer is at least as new as this sequence.
        min_seq: Query<Option<u64>>,
    ) -> Result<Json<ResultAnswer>, ApiError> {
        state.at_least(min_seq.0).await?;
        let unknown = || ApiError::not_found("submission", &id.0);
        let number: u64 = id.0.parse().map_err(|_| unknown())?;
        let found = state.projection.read(|view| {
            let Some(id) = view.submission_of_rank(number)? else { return Ok(None) };
            let Some(row) = view.submission(id)? else { return Ok(None) };
            let diagnostics = view.diagnostics(id, row.effective)?;
            Ok(Some((row, diagnostics)))
        })?;
        let (row, diagnostics) = found.ok_or_else(unknown)?;
        let verdict = row.verdict();
        let full = super::views::Submission::from(&row);
        let refused = verdict.is_some_and(|verdict| verdict.first_interface() == "CE");
        Ok(Json(ResultAnswer {
            id: row.rank,
            submission_id: full.id,
            status: full.state,
            verdict: verdict.map(|verdict| verdict.first_interface().to_owned()),
            code: verdict.map(Into::into),
            reason: full.reason,
            question_id: full.problem,
            language: full.language,
            testcases_judged: full.testcases_judged,
            testcases_total: full.testcases_total,
            cpu_ms_max: full.cpu_ms_max,
            memory_bytes_max: full.memory_bytes_max,
            diagnostics: diagnostics.filter(|_| refused),
        }))
    }
}
