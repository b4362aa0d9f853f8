//! All roles on a temporary data directory, with two problems made for measuring.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::up::Roles;
use crate::data_dir::DataDir;
use crate::domain::event::Event;
use crate::domain::ids::SubmissionId;
use crate::languages::{Language, Languages};
use crate::nats_server::Role;
use crate::store::jetstream::JetStreamStore;
use crate::store::{Aggregate, EventStore};

/// How long any one judging may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many testcases the larger problem has.
pub(super) const TESTCASES: usize = 100;

/// A judge to measure.
pub(super) struct Rig {
    pub(super) http: Client,
    pub(super) store: JetStreamStore,
    pub(super) languages: Languages,
    roles: Roles,
    // Dropped in this order: the lock, then the folder.
    _data: DataDir,
    folder: TempDir,
}

impl Rig {
    /// Starts the server and the API. Workers come with [`Rig::work`].
    pub(super) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("assize-bench-").tempdir()?;
        let problems = folder.path().join("problems");
        write_problem(&problems.join("one"), 1)?;
        write_problem(&problems.join("hundred"), TESTCASES)?;
        let data = DataDir::lock(folder.path().join("data"))?;
        let roles = Roles::start(&data, &problems).await?;
        let store = JetStreamStore::connect(&roles.settings(Role::Admin), PATIENCE).await?;
        let http = Client::builder().tcp_nodelay(true).build()?;
        Ok(Self { http, store, languages: Languages::embedded()?, roles, _data: data, folder })
    }

    /// A language by its code.
    pub(super) fn language(&self, name: &str) -> anyhow::Result<Language> {
        self.languages.get(name).cloned().with_context(|| format!("there is no language {name}"))
    }

    /// The API's address.
    pub(super) fn address(&self) -> SocketAddr {
        self.roles.address()
    }

    /// A folder for whatever a measurement needs.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The input of a testcase of the larger problem.
    pub(super) fn input(&self, testcase: usize) -> PathBuf {
        self.folder.path().join(format!("problems/hundred/data/secret/{testcase:03}.in"))
    }

    /// Starts the workers, unless they run, and waits until they have nothing left to do.
    pub(super) async fn work(&mut self) -> anyhow::Result<usize> {
        let slots = self.roles.work().await?;
        // What the acknowledgement's measurement left behind.
        let last = self.submit("one", "python3", SUM_PY).await?;
        self.verdict(&last).await?;
        Ok(slots)
    }

    /// Submits over HTTP; returns when it is acknowledged.
    pub(super) async fn submit(&self, problem: &str, language: &str, code: &str) -> anyhow::Result<String> {
        let url = format!("http://{}/v1/submissions", self.address());
        let body = json!({ "problem": problem, "language": language, "code": code });
        let answer = self.http.post(url).json(&body).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        answer["id"].as_str().map(str::to_owned).context("an answer without an id")
    }

    /// Follows the stream of a submission to its verdict, which must be AC.
    pub(super) async fn verdict(&self, id: &str) -> anyhow::Result<()> {
        let url = format!("http://{}/v1/submissions/{id}/events/stream", self.address());
        let deadline = Instant::now() + PATIENCE;
        let mut stream = self.http.get(&url).send().await?.error_for_status()?;
        let mut heard = String::new();
        while let Some(chunk) = tokio::time::timeout_at(deadline.into(), stream.chunk()).await?? {
            heard.push_str(&String::from_utf8_lossy(&chunk));
            if let Some((_, end)) = heard.split_once("event: assize.verdict_issued.v1") {
                if end.contains("\"verdict\":\"AC\"") {
                    return Ok(());
                }
                if end.contains("\n\n") {
                    bail!("the program was not accepted: {end}");
                }
            }
        }
        // The stream has said everything before we came.
        let id: SubmissionId = id.parse()?;
        let history = self.store.load(&Aggregate::Submission(id)).await?;
        let accepted = history.iter().any(|recorded| {
            matches!(&recorded.envelope.event, Event::VerdictIssued(issued)
                if issued.verdict == crate::domain::verdict::Verdict::Ac)
        });
        if accepted { Ok(()) } else { bail!("the stream ended without a verdict: {heard}") }
    }

    /// Asks for a path until it is answered with 200.
    pub(super) async fn until_read(&self, path: &str) -> anyhow::Result<()> {
        let url = format!("http://{}{path}", self.address());
        let deadline = Instant::now() + PATIENCE;
        // Each question waits for two seconds by itself where the read model is behind.
        while self.http.get(&url).send().await?.status() != 200 {
            ensure!(Instant::now() < deadline, "{path} is not answered");
        }
        Ok(())
    }

    /// Stops the workers; they come back with [`Rig::work`].
    pub(super) async fn rest_workers(&mut self) {
        self.roles.rest_workers().await;
    }

    /// Stops the API and the workers; the server goes on.
    pub(super) async fn rest(&mut self) {
        self.roles.rest().await;
    }

    /// Stops everything.
    pub(super) async fn stop(self) {
        // Nobody is to reconnect to what goes away.
        let _ = self.store.client().drain().await;
        self.roles.stop().await;
    }
}

pub(super) const SUM_CPP: &str = "#include <iostream>\nint main() {\n    long long a, b;\n    std::cin >> a >> b;\n    std::cout << a + b << '\\n';\n}\n";
pub(super) const SUM_PY: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

fn write_problem(folder: &Path, testcases: usize) -> anyhow::Result<()> {
    let secret = folder.join("data/secret");
    fs::create_dir_all(&secret)?;
    fs::write(folder.join("problem.yaml"), "name: Sum\nlimits:\n  memory: 256\n")?;
    fs::write(folder.join(".timelimit"), "5\n")?;
    for testcase in 1..=testcases {
        fs::write(secret.join(format!("{testcase:03}.in")), format!("{testcase} 1\n"))?;
        fs::write(secret.join(format!("{testcase:03}.ans")), format!("{}\n", testcase + 1))?;
    }
    Ok(())
}
