//! A judge for one test: a real server with streams, published problems, submissions, and what came of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assize::domain::event::{SourceFile, SubmissionCreated, VerdictIssued};
use assize::domain::ids::{ProblemId, SubmissionId};
use assize::domain::scoring::Mode;
use assize::domain::submission::{JudgingEnd, Submission};
use assize::judge::Judge;
use assize::languages::Languages;
use assize::nats_server::Role;
use assize::package_cache::{BYTES_MAX_DEFAULT, PackageCache};
use assize::problems;
use assize::publish::{Publisher, Verify, Wish};
use assize::store::jetstream::JetStreamStore;
use assize::streams;
use assize::worker::launch::Launcher;
use assize::worker::{Worker, offers};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::nats::TestNats;

/// How long any one thing may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A server with streams and the means to submit. Workers are started by the test.
pub(crate) struct TestJudge {
    pub(crate) nats: TestNats,
    pub(crate) store: JetStreamStore,
    pub(crate) judge: Judge,
}

/// The digest and the bytes of the canonical archive of the package in a folder.
pub(crate) fn canonical_archive(folder: &Path) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let digest = problems::write_canonical_archive(folder, None, &mut bytes).unwrap();
    (digest, bytes)
}

impl TestJudge {
    /// A fresh server with streams and no problems.
    pub(crate) async fn start() -> TestJudge {
        let nats = TestNats::start().await;
        let admin = JetStreamStore::connect(&nats.settings(Role::Admin), PATIENCE).await.unwrap();
        streams::create_or_verify(&admin, 1).await.unwrap();
        let store = JetStreamStore::connect(&nats.settings(Role::Api), PATIENCE).await.unwrap();
        let judge = Judge::new(Arc::new(store.clone()), "/assize/api");
        TestJudge { nats, store, judge }
    }

    /// Publishes one of our sample packages.
    pub(crate) async fn publish(&self, problem: &str) {
        self.publish_folder(&sample_package(problem)).await;
    }

    /// Publishes the package in a folder without verifying it.
    pub(crate) async fn publish_folder(&self, folder: &Path) {
        let languages = Languages::embedded().unwrap();
        let publisher = Publisher::new(self.store.clone(), self.judge.clone(), languages);
        let wish = Wish { verify: Verify::Never, ..Wish::default() };
        publisher.publish(folder, &wish, Timestamp::now()).await.unwrap();
    }

    /// Submits a program of one file.
    pub(crate) async fn submit(&self, problem: &str, language: &str, code: &str) -> SubmissionId {
        let languages = Languages::embedded().unwrap();
        let source = languages.get(language).unwrap().source.clone();
        self.submit_files(problem, language, &[(&source, code)]).await
    }

    /// Submits a program of several files, by name.
    pub(crate) async fn submit_files(
        &self,
        problem: &str,
        language: &str,
        files: &[(&str, &str)],
    ) -> SubmissionId {
        let problem: ProblemId = problem.parse().unwrap();
        let languages = Languages::embedded().unwrap();
        let language = languages.get(language).unwrap();
        let revision = self.judge.problem(&problem).await.unwrap().expect("the problem is published");
        let mut sources = Vec::new();
        for (name, code) in files {
            let blob = self.store.put_blob(code.as_bytes().to_vec().into()).await.unwrap();
            sources.push(SourceFile { name: (*name).to_owned(), blob });
        }
        let submission = SubmissionId::mint(0, rand::random());
        let created = SubmissionCreated {
            submission,
            problem,
            package: revision.package,
            user: "ann".parse().unwrap(),
            contest: None,
            language: language.id.parse().unwrap(),
            routing_class: language.routing_class.parse().unwrap(),
            sources,
            submitted_at: Timestamp::now(),
            idempotency_key: None,
        };
        self.judge.submit(created, Timestamp::now(), None).await.unwrap();
        submission
    }

    /// Follows a submission until `enough` holds of its state.
    pub(crate) async fn wait_until(
        &self,
        id: SubmissionId,
        enough: impl Fn(&Submission) -> bool,
    ) -> Submission {
        let follow = async {
            let mut history = self.store.follow(1);
            let mut state = None;
            while let Some(batch) = history.recv().await {
                for stored in batch.unwrap() {
                    let envelope = stored.recorded.envelope;
                    if envelope.event.submission() == Some(id) {
                        state = assize::domain::submission::evolve(state, &envelope.event);
                    }
                }
                if let Some(state) = state.as_ref().filter(|state| enough(state)) {
                    return state.clone();
                }
            }
            panic!("the history ended");
        };
        tokio::time::timeout(PATIENCE, follow).await.expect("in time")
    }

    /// The verdict on a submission, once its first judging has ended.
    pub(crate) async fn verdict(&self, id: SubmissionId) -> VerdictIssued {
        let state = self.wait_until(id, |state| state.judgings[0].end.is_some()).await;
        match state.judgings[0].end.clone() {
            Some(JudgingEnd::Verdict(verdict)) => verdict,
            other => panic!("no verdict but {other:?}"),
        }
    }

    /// A worker with `slots` slots in this process.
    pub(crate) async fn worker(&self, name: &str, slots: usize) -> TestWorker {
        self.worker_in_mode(name, slots, Mode::Lazy).await
    }

    /// As [`Self::worker`], one that runs every testcase.
    pub(crate) async fn worker_that_runs_all(&self, name: &str, slots: usize) -> TestWorker {
        self.worker_in_mode(name, slots, Mode::All).await
    }

    async fn worker_in_mode(&self, name: &str, slots: usize, mode: Mode) -> TestWorker {
        let launcher = Launcher::start(slots).unwrap();
        let languages = Languages::embedded().unwrap();
        let needed = ["c", "cpp17", "python3", "output"].iter().filter_map(|id| languages.get(id));
        let offers = offers::find_among(needed, launcher.slots()).await;
        assert!(offers.absent.is_empty(), "{:?}", offers.absent);
        let store = JetStreamStore::connect(&self.nats.settings(Role::Worker), PATIENCE).await.unwrap();
        let cache = self.nats.root().join("cache");
        let packages = PackageCache::new(cache.join("packages"), BYTES_MAX_DEFAULT);
        let worker = Worker::new(name.parse().unwrap(), &store, launcher, offers, packages, &cache);
        let worker = Arc::new(worker.with_mode(mode));
        let stop = CancellationToken::new();
        let done = tokio::spawn(worker.clone().run(stop.clone()));
        TestWorker { stop, done }
    }
}

/// A running worker.
pub(crate) struct TestWorker {
    stop: CancellationToken,
    done: JoinHandle<()>,
}

impl TestWorker {
    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.done.await.unwrap();
    }
}

/// The folder of one of our sample packages.
pub(crate) fn sample_package(problem: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("problems").join(problem)
}
