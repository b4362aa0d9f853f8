//! `/v1/problems`, `/v1/languages` and `/v1/workers`: what there is to submit to, in and on.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::domain::ids::{ProblemId, Sha256Digest};
use crate::projection::rows::ProblemRow;

use super::error::ApiError;
use super::views::{
    LanguageInfo, LanguageList, ProblemDetail, ProblemList, ProblemSummary, SampleCase, WorkerInfo,
    WorkerLanguage, WorkerList,
};
use super::{State, packages};

/// How many samples are kept at hand.
const SAMPLES_MAX: usize = 1024;

/// Samples are kept at hand: they never change, and are then there while the event store is not.
#[derive(Default)]
pub(super) struct Catalogue {
    samples: Mutex<HashMap<Sha256Digest, Arc<str>>>,
}

impl Catalogue {
    async fn sample(&self, state: &State, digest: Sha256Digest) -> Result<String, ApiError> {
        let known = self.samples.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(text) = known {
            return Ok(text.as_ref().to_owned());
        }
        let bytes = state.store.get_blob(digest).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MAX {
            samples.clear();
        }
        samples.insert(digest, text.as_str().into());
        Ok(text)
    }
}

/// All problems with their position in the history.
#[derive(ApiResponse)]
enum ProblemsAnswer {
    /// The problems.
    #[oai(status = 200)]
    List(
        Json<ProblemList>,
        /// The sequence of the history that this is true at.
        #[oai(header = "Assize-Sequence")]
        u64,
    ),
}

/// A problem with its position in the history.
#[derive(ApiResponse)]
enum ProblemAnswer {
    /// The problem.
    #[oai(status = 200)]
    Found(
        Json<ProblemDetail>,
        /// The sequence of the history that this is true at.
        #[oai(header = "Assize-Sequence")]
        u64,
        /// Names the revision, for `If-Match` of the next one.
        #[oai(header = "ETag")]
        String,
    ),
}

/// Problems, languages and workers.
#[OpenApi(prefix_path = "/v1", tag = "super::Tag::Catalogue")]
impl Catalogue {
    /// List the problems.
    #[oai(path = "/problems", method = "get", operation_id = "list_problems")]
    async fn problems(
        &self,
        state: Data<&Arc<State>>,
        /// Wait (at most two seconds) until the answer is at least as new as this sequence.
        min_seq: Query<Option<u64>>,
    ) -> Result<ProblemsAnswer, ApiError> {
        state.at_least(min_seq.0).await?;
        let list = state
            .projection
            .scan(|view| {
                let items = view.problems()?.iter().map(ProblemSummary::from).collect();
                Ok(ProblemList { items, sequence: view.sequence() })
            })
            .await?;
        let sequence = list.sequence;
        Ok(ProblemsAnswer::List(Json(list), sequence))
    }

    /// Read a problem with its samples.
    #[oai(path = "/problems/:id", method = "get", operation_id = "get_problem")]
    async fn problem(
        &self,
        state: Data<&Arc<State>>,
        /// The problem's short name.
        id: Path<String>,
        /// Wait (at most two seconds) until the answer is at least as new as this sequence.
        min_seq: Query<Option<u64>>,
        /// The revision; the current one by default.
        revision: Query<Option<u32>>,
    ) -> Result<ProblemAnswer, ApiError> {
        state.at_least(min_seq.0).await?;
        let unknown = || ApiError::not_found("problem", &id.0);
        let problem: ProblemId = id.0.parse().map_err(|_| unknown())?;
        let (row, sequence) = state.projection.read(|view| Ok((view.problem(&problem)?, view.sequence())))?;
        let is_wanted = |row: &ProblemRow| revision.0.is_none_or(|wanted| wanted == row.revision);
        let row = match (row.filter(is_wanted), revision.0) {
            (Some(row), _) => row,
            (None, None) => return Err(unknown()),
            // Of revisions that are no longer current, only the history knows.
            (None, wanted) => ProblemRow::of(&packages::find(&state, &id.0, wanted).await?, sequence),
        };
        let mut samples = Vec::with_capacity(row.samples.len());
        for sample in &row.samples {
            samples.push(SampleCase {
                name: sample.testcase.to_string(),
                input: self.sample(&state, sample.input).await?,
                answer: self.sample(&state, sample.answer).await?,
            });
        }
        let detail = ProblemDetail { problem: ProblemSummary::from(&row), samples, sequence };
        Ok(ProblemAnswer::Found(Json(detail), sequence, packages::tag_of(row.revision)))
    }

    /// List the languages with the toolchains of the workers that are here now.
    #[oai(path = "/languages", method = "get", operation_id = "list_languages")]
    async fn languages(&self, state: Data<&Arc<State>>) -> Json<LanguageList> {
        let workers = state.directory.live();
        let items = state.languages.iter().map(|language| {
            let offers = workers.iter().flat_map(|worker| &worker.languages);
            let toolchains: BTreeSet<String> = offers
                .filter(|offered| offered.language.as_str() == language.id)
                .map(|offered| offered.toolchain.clone())
                .collect();
            LanguageInfo {
                id: language.id.clone(),
                name: language.name.clone(),
                aliases: language.aliases.clone(),
                extensions: language.extensions.clone(),
                source_name: language.source.clone(),
                offered: !toolchains.is_empty(),
                toolchains: toolchains.into_iter().collect(),
            }
        });
        Json(LanguageList { items: items.collect() })
    }

    /// List the workers that are here now.
    #[oai(path = "/workers", method = "get", operation_id = "list_workers")]
    async fn workers(&self, state: Data<&Arc<State>>) -> Json<WorkerList> {
        let items = state.directory.live().into_iter().map(|worker| WorkerInfo {
            id: worker.worker.to_string(),
            host: worker.host,
            slots: worker.slots,
            busy_slots: worker.busy_slots,
            languages: worker
                .languages
                .into_iter()
                .map(|offered| WorkerLanguage {
                    language: offered.language.to_string(),
                    toolchain: offered.toolchain,
                })
                .collect(),
            sandbox_layers: worker.sandbox_layers,
            started_at: worker.started_at.to_string(),
            stopping: worker.stopping,
        });
        Json(WorkerList { items: items.collect() })
    }
}
