//! The life of one claim: load, claim, compile, run, validate, record; with the history as the only memory.
//!
//! Not replayable, and yet a redelivery is safe: everything done is a fact in the history, the next claim starts
//! from those facts, and its `JudgingStarted` makes every later append of an older claim conflict. When that
//! happens here, the program is stopped and nothing more is said. Our own failures become `JudgingFailed`.

use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{CompileFinished, CompileOutcome, Event, JudgingFailed, TestcaseJudged};
use crate::domain::ids::{ProblemId, Sha256Digest};
use crate::domain::scoring::{GradedGroups, Score, Stated};
use crate::domain::submission::{Command, Judging, JudgingEnd, Refusal, StartJudging};
use crate::error_chain::chain;
use crate::judge::{AppliedError, Loaded};
use crate::languages::sources::{SourceFile, Sources, SourcesError};
use crate::store::StoreError;
use crate::store::claims::Claim;
use crate::store::subject::DEAD_LETTER_PREFIX;

use super::compile::{self, Compiled};
use super::launch::{LaunchError, ProgramFile, SlotHandle};
use super::offers::OfferError;
use super::packages::{JudgePackage, JudgePackageError};
use super::plan::Plan;
use super::run::{self, TestcaseResult};
use super::static_validation;
use super::text;
use super::{Offer, Worker};

/// How many testcases are recorded by one append, at most.
const RECORDED_TOGETHER: usize = 32;
/// How long a judged testcase waits for others to be recorded with it. Nobody who follows sees that, and the last
/// ones do not wait.
const RECORDED_WITHIN: Duration = Duration::from_millis(20);
/// How long a submission waits before it is tried again after a failure of ours.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long it waits when this worker lacks what it needs, for another to take it.
const ELSEWHERE_DELAY: Duration = Duration::from_secs(5);
/// How often a submission is delivered whose history cannot be read, before it is put out of the queue. Damage does
/// not mend by itself, and no event can be appended to it that would end it in the history.
const MAX_UNREADABLE_DELIVERIES: u64 = 5;

/// The most of a failure's cause that goes into its event, in bytes of JSON.
const CAUSE_JSON_BYTES: usize = 4096;

/// What is to become of the claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// The submission needs nothing more.
    Done,
    /// Another worker has it.
    Fenced,
    /// It is to come again after this time.
    HandBack(Duration),
    /// It can never be judged, and its history cannot say so.
    GiveUp,
}

/// A submission that compiles.
struct Submitted {
    program: Vec<ProgramFile>,
    /// What it was made of; none where the program was at hand and nobody asks.
    sources: Option<Arc<Sources>>,
}

/// Why an attempt did not come to its end.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Applied(#[from] AppliedError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Package(#[from] JudgePackageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the submission's files are no program")]
    Sources(#[from] SourcesError),
    #[error("the package revision {0} is not in the history")]
    NoRevision(String),
}

impl AttemptError {
    /// Whether the event store is away, so that nothing is wrong with the submission.
    fn is_outage(&self) -> bool {
        let store = match self {
            Self::Applied(AppliedError::Store(error))
            | Self::Store(error)
            | Self::Package(JudgePackageError::Store(error)) => error,
            _ => return false,
        };
        matches!(store, StoreError::Unavailable { .. })
    }
}

impl Worker {
    /// Judges the submission of a claim as far as it can be judged now, or until `hurry` is cancelled.
    pub(super) async fn judge(
        &self,
        claim: &Claim,
        slot: &SlotHandle,
        hurry: &CancellationToken,
    ) -> Disposition {
        let id = claim.submission;
        let mut loaded = match self.judge.load(id).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return self.unreadable(claim, "it has no history").await,
            Err(error @ StoreError::Unavailable { .. }) => {
                tracing::warn!(submission.id = %id, error = chain(&error), "the submission could not be loaded");
                return Disposition::HandBack(RETRY_DELAY);
            }
            Err(error) => return self.unreadable(claim, &chain(&error)).await,
        };
        if loaded.submission.open().is_none() {
            return Disposition::Done;
        }
        let language = &loaded.submission.created.language;
        let is_unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner).contains(language);
        let Some(offer) = self.offers.get(language).filter(|_| !is_unfit) else {
            tracing::warn!(
                submission.id = %id,
                language = %loaded.submission.created.language,
                "this worker does not offer the language; handed back"
            );
            return Disposition::HandBack(ELSEWHERE_DELAY);
        };
        match offer.prove(slot).await {
            Ok(()) => {}
            Err(OfferError::Launch(LaunchError::Cancelled)) => return Disposition::HandBack(Duration::ZERO),
            Err(error @ OfferError::Launch(_)) => {
                tracing::warn!(submission.id = %id, error = chain(&error), "the language could not be tested");
                return Disposition::HandBack(RETRY_DELAY);
            }
            Err(error) => {
                // Whatever it would say of a submission would be our fault.
                tracing::warn!(%language, error = chain(&error), "the language is no longer offered");
                self.unfit.lock().unwrap_or_else(PoisonError::into_inner).insert(language.clone());
                return Disposition::HandBack(ELSEWHERE_DELAY);
            }
        }
        match self.attempt(&mut loaded, offer, slot, hurry).await {
            Ok(()) => Disposition::Done,
            Err(AttemptError::Applied(AppliedError::Fenced)) => {
                tracing::info!(submission.id = %id, "another worker has taken the judging over");
                Disposition::Fenced
            }
            Err(AttemptError::Applied(AppliedError::Refused(Refusal::NothingOpen))) => Disposition::Done,
            Err(AttemptError::Launch(LaunchError::Cancelled)) => Disposition::HandBack(Duration::ZERO),
            // Stopped between two testcases.
            Err(AttemptError::Applied(AppliedError::Refused(
                Refusal::Incomplete { .. } | Refusal::Ungraded { .. },
            ))) if hurry.is_cancelled() => Disposition::HandBack(Duration::ZERO),
            Err(error) if error.is_outage() => {
                // Nothing can be recorded while the store is away, and nothing is lost: the claim comes again.
                tracing::warn!(submission.id = %id, error = chain(&error), "the event store is unavailable");
                Disposition::HandBack(RETRY_DELAY)
            }
            Err(error) => self.fail(&mut loaded, &error).await,
        }
    }

    async fn attempt(
        &self,
        loaded: &mut Loaded,
        offer: &Arc<Offer>,
        slot: &SlotHandle,
        hurry: &CancellationToken,
    ) -> Result<(), AttemptError> {
        let created = loaded.submission.created.clone();
        let Some(package_digest) = loaded.submission.open().map(|judging| judging.package) else {
            return Ok(());
        };
        let package = match self.package(&created.problem, package_digest).await {
            // An outage is no attempt: the claim comes again, and costs the submission nothing.
            Err(error) if error.is_outage() => return Err(error),
            package => package,
        };
        let testcases_total = package.as_ref().map_or(0, |package| package.package.testcases_total() as u32);
        let start = StartJudging {
            worker: self.id.clone(),
            toolchain: offer.toolchain.clone(),
            sandbox_layers: self.layers.clone(),
            testcases_total,
            now: Timestamp::now(),
        };
        let started = self.apply(loaded, Command::StartJudging(start)).await?;
        let Some(Event::JudgingStarted(started)) = started.first() else {
            self.dead_letter(&started).await;
            return Ok(());
        };
        let (judging, attempt) = (started.judging, started.attempt);
        // Only now, so that a broken package is recorded as this attempt's failure.
        let package = package?;
        if hurry.is_cancelled() {
            return Err(LaunchError::Cancelled.into());
        }
        let program = self.program(loaded, judging, attempt, offer, slot, &package).await?;
        if hurry.is_cancelled() {
            return Err(LaunchError::Cancelled.into());
        }
        let grading = package.package.grading.clone();
        let mut graded = GradedGroups::new();
        if let Some(program) = program.map(Arc::new) {
            let judged =
                self.testcases(loaded, judging, attempt, offer, slot, &program, &package, hurry).await;
            graded = match judged {
                // What is judged is a fact; the rest goes on with the package fetched again.
                Err(AttemptError::Package(error)) if error.is_damage() => {
                    tracing::warn!(submission.id = %created.submission, error = chain(&error), "fetched again");
                    self.packages.put_aside(package_digest, &package).await?;
                    let package = self.package(&created.problem, package_digest).await?;
                    self.testcases(loaded, judging, attempt, offer, slot, &program, &package, hurry).await?
                }
                judged => judged?,
            };
        }
        self.apply(loaded, Command::IssueVerdict { judging, attempt, grading, graded }).await?;
        Ok(())
    }

    /// The package that a judging is judged by.
    async fn package(
        &self,
        problem: &ProblemId,
        digest: Sha256Digest,
    ) -> Result<Arc<JudgePackage>, AttemptError> {
        let revision = self.judge.revision(problem, digest).await?;
        let revision = revision.ok_or_else(|| AttemptError::NoRevision(digest.to_string()))?;
        Ok(self.packages.get(&self.store, &revision).await?)
    }

    /// What there is to run: from the facts and the cache, or compiled now. None where it does not compile.
    async fn program(
        &self,
        loaded: &mut Loaded,
        judging: u32,
        attempt: u32,
        offer: &Arc<Offer>,
        slot: &SlotHandle,
        package: &JudgePackage,
    ) -> Result<Option<Submitted>, AttemptError> {
        let known = loaded.submission.judging(judging).and_then(|judging| judging.compile.clone());
        let mut kept = None;
        if let Some(compile) = &known {
            if compile.outcome != CompileOutcome::Succeeded {
                return Ok(None);
            }
            if let (Some(digest), Some(name)) = (compile.artifact, offer.language.made_artifact())
                && let Some(bytes) = self.artifacts.get(digest)
            {
                kept = Some(ProgramFile::new(name, &bytes, true)?);
            }
        }
        let kept = match kept {
            // What lies beside the sources of several files may be read when it runs.
            Some(made) if !package.shows_sources() && loaded.submission.created.sources.len() == 1 => {
                return Ok(Some(Submitted { program: vec![made], sources: None }));
            }
            kept => kept,
        };
        let mut files = Vec::new();
        for source in &loaded.submission.created.sources {
            let bytes = self.store.get_blob(source.blob.sha256).await?;
            files.push(SourceFile::new(&source.name, &bytes[..]));
        }
        let sources = Arc::new(package.arrange(&offer.language, files, None)??);
        if let Some(made) = kept {
            let program = compile::with_others(made, &sources)?;
            return Ok(Some(Submitted { program, sources: Some(sources) }));
        }
        let compiled = self.compile(slot, offer, sources.clone()).await?;
        let artifact = if compiled.made { self.keep_artifact(&compiled) } else { None };
        if known.is_none() {
            let finished = CompileFinished {
                submission: loaded.submission.created.submission,
                judging,
                attempt,
                outcome: compiled.outcome,
                toolchain: offer.toolchain.clone(),
                command: compiled.command,
                cpu_ms: compiled.cpu_ms,
                wall_ms: compiled.wall_ms,
                memory_bytes: compiled.memory_bytes,
                diagnostics: compiled.diagnostics,
                diagnostics_truncated: compiled.diagnostics_truncated,
                artifact,
            };
            self.apply(loaded, Command::RecordCompile(finished)).await?;
        }
        let succeeded = compiled.outcome == CompileOutcome::Succeeded;
        Ok(succeeded.then_some(Submitted { program: compiled.program, sources: Some(sources) }))
    }

    async fn compile(
        &self,
        slot: &SlotHandle,
        offer: &Arc<Offer>,
        sources: Arc<Sources>,
    ) -> Result<Compiled, LaunchError> {
        let offer = offer.clone();
        slot.call(move |confined| compile::compile(confined, &offer.language, &sources)).await
    }

    /// A program that cannot be kept is compiled again if another worker takes over: no reason to fail now.
    fn keep_artifact(&self, compiled: &Compiled) -> Option<Sha256Digest> {
        let bytes = compiled.program.first()?.content.read_all();
        match bytes.and_then(|bytes| self.artifacts.put(&bytes)) {
            Ok(digest) => Some(digest),
            Err(error) => {
                tracing::warn!(error = chain(&error), "the compiled program could not be kept");
                None
            }
        }
    }

    /// Runs what the rules of the package want and the history has not. The next testcase runs while the last one is being
    /// recorded. Gives what the package's own grader said.
    #[expect(clippy::too_many_arguments, reason = "the parts of one attempt, each used once")]
    async fn testcases(
        &self,
        loaded: &mut Loaded,
        judging: u32,
        attempt: u32,
        offer: &Arc<Offer>,
        slot: &SlotHandle,
        submitted: &Arc<Submitted>,
        package: &Arc<JudgePackage>,
        hurry: &CancellationToken,
    ) -> Result<GradedGroups, AttemptError> {
        let known = loaded.submission.judging(judging).map(Judging::cases).unwrap_or_default();
        let mode = self.mode;
        let submission = loaded.submission.created.submission;
        let (sender, results) = mpsc::channel::<(u32, TestcaseResult)>(16);
        let running = {
            let (offer, package, hurry) = (offer.clone(), package.clone(), hurry.clone());
            let submitted = submitted.clone();
            slot.call(move |confined| {
                let (language, limits) = (&offer.language, package.run_limits(&offer.language));
                let mut plan = Plan::new(&package, mode, known);
                // The receiver is gone when the claim is lost.
                let record =
                    |index, result| sender.blocking_send((index, result)).is_ok() && !hurry.is_cancelled();
                let program = &submitted.program;
                let goes_on = match &submitted.sources {
                    Some(sources) => static_validation::judge_sources(
                        confined, language, sources, program, &mut plan, record,
                    )?,
                    None => true,
                };
                if goes_on {
                    let sources = submitted.sources.as_deref();
                    run::judge_all(confined, language, program, sources, &mut plan, limits, record)?;
                }
                Ok(plan.into_graded())
            })
        };
        // Many short testcases are recorded together: one append then stands for all of them.
        let results = ReceiverStream::new(results).chunks_timeout(RECORDED_TOGETHER, RECORDED_WITHIN);
        let recording = async {
            let mut results = pin!(results);
            while let Some(results) = results.next().await {
                let judged = results.into_iter().filter_map(|(index, result)| {
                    let place = package.place(index)?;
                    let score = package.package.grading.case_score(index, &result.case());
                    let (validator_score, validator_score_multiplier) = match &result.stated {
                        Some(Stated::Score(score)) => (Some(score.to_string()), None),
                        Some(Stated::Multiplier(part)) => (None, Some(part.to_string())),
                        None => (None, None),
                    };
                    Some(TestcaseJudged {
                        submission,
                        judging,
                        attempt,
                        testcase: place.name.clone(),
                        index,
                        group: place.group.to_owned(),
                        verdict: result.verdict,
                        score: score.as_ref().map(Score::to_string),
                        validator_score,
                        validator_score_multiplier,
                        cpu_ms: result.run.cpu_ms,
                        wall_ms: result.run.wall_ms,
                        memory_bytes: result.run.memory_bytes,
                        memory_meter: result.memory_meter,
                        exit: result.run.exit,
                        message: result.message,
                        output_excerpt: result.output_excerpt,
                        output_bytes: result.output_bytes,
                        output_sha256: result.output_sha256,
                    })
                });
                let applied = self.apply(loaded, Command::RecordTestcases(judged.collect())).await;
                if let Err(error) = applied {
                    slot.cancel();
                    return Err(AttemptError::from(error));
                }
            }
            Ok(())
        };
        let (ran, recorded) = tokio::join!(running, recording);
        // A lost claim cancels the run, so it is the reason and the cancelled run its consequence.
        recorded?;
        ran.map_err(|error| match error {
            JudgePackageError::Launch(error) => AttemptError::Launch(error),
            error => AttemptError::Package(error),
        })
    }

    async fn apply(&self, loaded: &mut Loaded, command: Command) -> Result<Vec<Event>, AppliedError> {
        self.judge.apply(loaded, command, Timestamp::now()).await
    }

    /// Records that the attempt failed through our fault.
    async fn fail(&self, loaded: &mut Loaded, error: &AttemptError) -> Disposition {
        let id = loaded.submission.created.submission;
        let (cause, _) = text::for_event(&chain(error), CAUSE_JSON_BYTES);
        tracing::error!(submission.id = %id, cause, "an attempt at a judging failed");
        let Some((judging, attempt)) = loaded.submission.open().map(|open| (open.number, open.attempt))
        else {
            return Disposition::Done;
        };
        if attempt == 0 {
            return Disposition::HandBack(RETRY_DELAY);
        }
        let is_final = match error {
            AttemptError::Package(error) => error.is_final(),
            AttemptError::Applied(AppliedError::Refused(Refusal::Scores { .. })) => true,
            _ => false,
        };
        let retryable = !is_final;
        let command = Command::FailAttempt { judging, attempt, cause, retryable };
        match self.apply(loaded, command).await {
            Ok(recorded) => {
                self.dead_letter(&recorded).await;
                let ended = loaded
                    .submission
                    .judging(judging)
                    .is_some_and(|judging| matches!(judging.end, Some(JudgingEnd::Failed(_))));
                if ended { Disposition::Done } else { Disposition::HandBack(RETRY_DELAY) }
            }
            Err(AppliedError::Fenced) => Disposition::Fenced,
            Err(error) => {
                tracing::warn!(submission.id = %id, error = chain(&error), "the failure could not be recorded");
                Disposition::HandBack(RETRY_DELAY)
            }
        }
    }

    /// Has a claim come again whose history cannot be read, and at last gives it up and tells the operators.
    async fn unreadable(&self, claim: &Claim, cause: &str) -> Disposition {
        let id = claim.submission;
        tracing::error!(submission.id = %id, cause, "a claimed submission cannot be read");
        if claim.deliveries < MAX_UNREADABLE_DELIVERIES {
            return Disposition::HandBack(RETRY_DELAY);
        }
        let letter = serde_json::json!({ "submission": id, "cause": cause, "will_retry": false });
        self.send_dead_letter(&id.to_string(), letter.to_string()).await;
        Disposition::GiveUp
    }

    /// Tells the operators of a judging that ended as our fault. The history has it in any case.
    async fn dead_letter(&self, events: &[Event]) {
        for event in events {
            let Event::JudgingFailed(failed @ JudgingFailed { will_retry: false, .. }) = event else {
                continue;
            };
            let letter = serde_json::to_string(failed).unwrap_or_default();
            self.send_dead_letter(&failed.submission.to_string(), letter).await;
        }
    }

    async fn send_dead_letter(&self, submission: &str, letter: String) {
        let subject = format!("{DEAD_LETTER_PREFIX}.{submission}");
        if let Err(error) = self.store.client().publish(subject, letter.into()).await {
            tracing::warn!(error = chain(&error), "the dead letter could not be sent");
        }
    }
}
