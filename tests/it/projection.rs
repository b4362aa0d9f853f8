//! The read model: exact across kills and restarts, the same bytes however often it is built, and honest about a
//! history that is damaged or not its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assize::domain::event::{CompileFinished, CompileOutcome, TestcaseJudged};
use assize::domain::ids::{Sha256Digest, SubmissionId};
use assize::domain::scoring::{GradedGroups, Grading};
use assize::domain::submission::{Command, StartJudging};
use assize::domain::verdict::{Exit, Verdict};
use assize::judge::Judge;
use assize::nats_server::Role;
use assize::projection::rows::JudgingState;
use assize::projection::{self, Filter, Projection, ReplayError, Until};
use assize::store::jetstream::JetStreamStore;
use jiff::Timestamp;

use crate::harness::judge::{PATIENCE, TestJudge};

/// Writes judgings into the history without judging anything.
pub(crate) struct Scribe {
    judge: Judge,
}

impl Scribe {
    pub(crate) async fn of(judge: &TestJudge) -> Scribe {
        let store = JetStreamStore::connect(&judge.nats.settings(Role::Worker), PATIENCE).await.unwrap();
        Scribe { judge: Judge::new(Arc::new(store), "/assize/worker/scribe") }
    }

    /// Claims the open judging of a submission and records what the verdicts say, without ending it.
    pub(crate) async fn judging(&self, id: SubmissionId, verdicts: &[Verdict]) -> (u32, u32) {
        let mut loaded = self.judge.load(id).await.unwrap().unwrap();
        let judging = loaded.submission.open().unwrap().number;
        let now = Timestamp::now();
        let start = StartJudging {
            worker: "scribe".parse().unwrap(),
            toolchain: "g++ 12.2.0".to_owned(),
            sandbox_layers: vec!["landlock".to_owned(), "seccomp".to_owned()],
            testcases_total: verdicts.len() as u32,
            now,
        };
        self.judge.apply(&mut loaded, Command::StartJudging(start), now).await.unwrap();
        let attempt = loaded.submission.open().unwrap().attempt;
        let compile = CompileFinished {
            submission: id,
            judging,
            attempt,
            outcome: CompileOutcome::Succeeded,
            toolchain: "g++ 12.2.0".to_owned(),
            command: vec!["/usr/bin/g++".to_owned(), "-O2".to_owned()],
            cpu_ms: 300,
            wall_ms: 310,
            memory_bytes: 90 << 20,
            diagnostics: "warning: unused".to_owned(),
            diagnostics_truncated: false,
            artifact: None,
        };
        self.judge.apply(&mut loaded, Command::RecordCompile(compile), now).await.unwrap();
        for (index, verdict) in (1..).zip(verdicts) {
            let group = if index == 1 { "sample" } else { "secret" };
            let testcase = TestcaseJudged {
                submission: id,
                judging,
                attempt,
                testcase: format!("{group}/{index:02}").parse().unwrap(),
                index,
                group: group.to_owned(),
                verdict: *verdict,
                score: None,
                validator_score: None,
                validator_score_multiplier: None,
                cpu_ms: u64::from(index),
                wall_ms: u64::from(index) + 1,
                memory_bytes: 4 << 20,
                memory_meter: "cgroup".to_owned(),
                exit: Exit::Code(0),
                message: format!("line {index}"),
                output_excerpt: "3\n".to_owned(),
                output_bytes: 2,
                output_sha256: Sha256Digest::of(b"3\n"),
            };
            self.judge.apply(&mut loaded, Command::RecordTestcases(vec![testcase]), now).await.unwrap();
        }
        (judging, attempt)
    }

    /// Judges a submission to its verdict.
    pub(crate) async fn verdict(&self, id: SubmissionId, verdicts: &[Verdict]) -> u64 {
        let (judging, attempt) = self.judging(id, verdicts).await;
        let mut loaded = self.judge.load(id).await.unwrap().unwrap();
        let grading = Arc::new(Grading::pass_fail(u32::try_from(verdicts.len()).unwrap()));
        let command = Command::IssueVerdict { judging, attempt, grading, graded: GradedGroups::new() };
        self.judge.apply(&mut loaded, command, Timestamp::now()).await.unwrap();
        loaded.tail
    }

    /// Ends the open judging of a submission as our fault.
    pub(crate) async fn failure(&self, id: SubmissionId, retryable: bool) -> u64 {
        let (judging, attempt) = self.judging(id, &[]).await;
        let mut loaded = self.judge.load(id).await.unwrap().unwrap();
        let cause = "the sandbox did not start".to_owned();
        let command = Command::FailAttempt { judging, attempt, cause, retryable };
        self.judge.apply(&mut loaded, command, Timestamp::now()).await.unwrap();
        loaded.tail
    }
}

/// A history with every kind of event, `submissions` submissions long.
async fn some_history(judge: &TestJudge, submissions: usize) -> Vec<SubmissionId> {
    judge.publish("a").await;
    let scribe = Scribe::of(judge).await;
    let mut ids = Vec::new();
    for number in 0..submissions {
        let id = judge.submit("a", if number % 2 == 0 { "cpp17" } else { "python3" }, "x").await;
        match number % 5 {
            0 => {
                scribe.verdict(id, &[Verdict::Ac, Verdict::Ac, Verdict::Ac]).await;
            }
            1 => {
                scribe.verdict(id, &[Verdict::Ac, Verdict::Wa]).await;
                let mut loaded = judge.judge.load(id).await.unwrap().unwrap();
                let by: assize::domain::ids::UserId = "jury".parse().unwrap();
                let package = loaded.submission.created.package;
                let rejudge =
                    Command::RequestRejudge { package, reason: "new data".to_owned(), by: by.clone() };
                judge.judge.apply(&mut loaded, rejudge, Timestamp::now()).await.unwrap();
                scribe.verdict(id, &[Verdict::Ac, Verdict::Ac]).await;
                let mut loaded = judge.judge.load(id).await.unwrap().unwrap();
                let decision = match number % 2 {
                    0 => Command::DiscardRejudge { judging: 2, by },
                    _ => Command::ApplyRejudge { judging: 2, by },
                };
                judge.judge.apply(&mut loaded, decision, Timestamp::now()).await.unwrap();
            }
            2 => {
                scribe.failure(id, false).await;
            }
            3 => {
                scribe.failure(id, true).await;
            }
            _ => {}
        }
        ids.push(id);
    }
    ids
}

async fn caught_up(judge: &TestJudge, data: &Path) -> Projection {
    let projection = Projection::start(judge.store.clone(), data).await.unwrap();
    let last = judge.store.last_sequence().await.unwrap();
    assert!(projection.wait_for(last, PATIENCE).await, "{:?}", projection.health());
    projection
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_tell_what_the_events_told() {
    let judge = TestJudge::start().await;
    let ids = some_history(&judge, 7).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    let states: Vec<_> = ids
        .iter()
        .map(|id| {
            let row = projection.read(|view| view.submission(*id)).unwrap().unwrap();
            assert_eq!(projection.read(|view| view.submission_of_rank(row.rank)).unwrap(), Some(*id));
            let effective = row.effective_judging().unwrap();
            (row.rank, row.effective, effective.state, row.verdict())
        })
        .collect();
    use JudgingState::{Failed, Judged, Queued};
    assert_eq!(
        states,
        [
            (1, 1, Judged, Some(Verdict::Ac)),
            (2, 2, Judged, Some(Verdict::Ac)),
            (3, 1, Failed, Some(Verdict::Je)),
            (4, 1, Queued, None),
            (5, 1, Queued, None),
            (6, 1, Judged, Some(Verdict::Ac)),
            (7, 1, Judged, Some(Verdict::Wa)),
        ]
    );
    let list = |filter: Filter| {
        let page = projection.read(|view| view.list(&filter, None, 100)).unwrap();
        page.submissions.iter().map(|row| row.rank).collect::<Vec<_>>()
    };
    assert_eq!(list(Filter::default()), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(list(Filter { verdict: Some(Verdict::Ac), ..Filter::default() }), [6, 2, 1]);
    assert_eq!(list(Filter { verdict: Some(Verdict::Wa), ..Filter::default() }), [7]);
    assert_eq!(list(Filter { language: Some("python3".parse().unwrap()), ..Filter::default() }), [6, 4, 2]);
    let third = projection.read(|view| view.submission(ids[2])).unwrap().unwrap();
    let since = Filter { since: Some(third.submitted_at.timestamp()), ..Filter::default() };
    assert_eq!(list(since), [7, 6, 5, 4, 3]);
    let until = Filter { until: Some(third.submitted_at.timestamp()), ..Filter::default() };
    assert_eq!(list(until), [2, 1]);
    projection.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gives_the_same_bytes_while_events_come() {
    let judge = TestJudge::start().await;
    some_history(&judge, 10).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    let before = projection.verify().await.unwrap();
    assert!(before.is_equal(), "{before:?}");
    let mut applied = projection.subscribe();
    let (stats, _) = tokio::join!(projection.rebuild(), async {
        for _ in 0..20 {
            judge.submit("a", "cpp17", "y").await;
        }
    });
    assert!(stats.unwrap().sequence >= before.sequence);
    let last = judge.store.last_sequence().await.unwrap();
    assert!(projection.wait_for(last, PATIENCE).await);
    // Nothing was told twice and nothing was left out, across the swap.
    for sequence in before.sequence + 1..=last {
        assert_eq!(applied.recv().await.unwrap().recorded.sequence, sequence);
    }
    let after = projection.verify().await.unwrap();
    assert!(after.is_equal(), "{after:?}");
    assert_eq!(after.digest, after.rebuilt_digest);
    assert_eq!(projection.read(|view| view.submissions_total()).unwrap(), 30);
    // One model is left, and it is the one that is opened next.
    projection.stop().await;
    let (_, digest) = projection::rebuild_offline(&judge.store, folder.path()).await.unwrap();
    assert_eq!(digest, after.digest);
    let offline = projection::verify_offline(&judge.store, folder.path()).await.unwrap();
    assert!(offline.is_equal() && offline.digest == digest, "{offline:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let judge = TestJudge::start().await;
    some_history(&judge, 5).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    let (position, first) = (projection.position(), projection.verify().await.unwrap().digest);
    projection.stop().await;
    // Nothing new: the same bytes.
    let projection = caught_up(&judge, folder.path()).await;
    assert_eq!(projection.position(), position);
    assert_eq!(projection.verify().await.unwrap().digest, first);
    projection.stop().await;
    judge.submit("a", "cpp17", "z").await;
    let projection = caught_up(&judge, folder.path()).await;
    let after = projection.verify().await.unwrap();
    assert!(after.is_equal() && after.sequence == position + 1, "{after:?}");
    projection.stop().await;
    // Without the folder: the same bytes again.
    std::fs::remove_dir_all(folder.path().join("rm")).unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    assert_eq!(projection.verify().await.unwrap().digest, after.digest);
    projection.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_used_is_built_anew() {
    let judge = TestJudge::start().await;
    some_history(&judge, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    let digest = projection.verify().await.unwrap().digest;
    projection.stop().await;
    let rm = folder.path().join("rm");
    let current = std::fs::read_to_string(rm.join("current")).unwrap();

    // Damaged: sled's file is garbage.
    let db = rm.join(&current).join("db");
    let size = std::fs::metadata(&db).unwrap().len();
    std::fs::write(&db, b"garbage ".repeat(size as usize / 8)).unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    assert_eq!(projection.verify().await.unwrap().digest, digest);
    projection.stop().await;

    // Written by other code.
    let current = std::fs::read_to_string(rm.join("current")).unwrap();
    std::fs::rename(rm.join(&current), rm.join("0123456789ab-1")).unwrap();
    std::fs::write(rm.join("current"), "0123456789ab-1").unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    assert_eq!(projection.verify().await.unwrap().digest, digest);
    assert!(rm.join("0123456789ab-1.aside").is_dir());

    // In use.
    let second = Projection::start(judge.store.clone(), folder.path()).await.err().unwrap().to_string();
    assert!(second.contains("in use"), "{second}");
    projection.stop().await;

    // Of another history, a longer one and a shorter one.
    for submissions in [1, 6] {
        let other = TestJudge::start().await;
        some_history(&other, submissions).await;
        let projection = Projection::start(other.store.clone(), folder.path()).await.unwrap();
        let last = other.store.last_sequence().await.unwrap();
        let right = async {
            while projection.position() != last || !projection.caught_up() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, right).await.unwrap();
        let verified = projection.verify().await.unwrap();
        assert!(verified.is_equal() && verified.sequence == last, "{verified:?}");
        assert_eq!(projection.read(|view| view.submissions_total()).unwrap(), submissions as u64);
        projection.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_while_it_is_used_is_built_anew() {
    let judge = TestJudge::start().await;
    let ids = some_history(&judge, 5).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    let digest = projection.verify().await.unwrap().digest;
    projection.stop().await;
    // The disk has spoilt the rows of submissions, and nobody notices at start.
    let rm = folder.path().join("rm");
    let current = rm.join(std::fs::read_to_string(rm.join("current")).unwrap());
    let opened = async {
        loop {
            match sled::open(&current) {
                // Its threads may hold the lock of one that is closed for a moment more, and tell nobody when they let go.
                Err(error) if error.to_string().contains("could not acquire lock") => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                other => break other.unwrap(),
            }
        }
    };
    let db = tokio::time::timeout(PATIENCE, opened).await.unwrap();
    let mut spoilt = 0;
    for key in db.scan_prefix(b"s").keys() {
        db.insert(key.unwrap(), b"garbage".as_slice()).unwrap();
        spoilt += 1;
    }
    assert!(spoilt > 0);
    drop(db);
    let projection = caught_up(&judge, folder.path()).await;
    assert!(projection.read(|view| view.submission(ids[4])).is_err());
    // The next event needs such a row.
    let scribe = Scribe::of(&judge).await;
    let last = scribe.verdict(ids[4], &[Verdict::Ac]).await;
    assert!(projection.wait_for(last, PATIENCE).await, "{:?}", projection.health());
    let verified = projection.verify().await.unwrap();
    assert!(verified.is_equal() && verified.digest != digest, "{verified:?}");
    assert_eq!(projection.health().failure, None);
    projection.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_ahead_of_the_history_is_told_as_another_one() {
    let (long, short) = tokio::join!(TestJudge::start(), TestJudge::start());
    some_history(&long, 4).await;
    some_history(&short, 1).await;
    let folder = tempfile::tempdir().unwrap();
    caught_up(&long, folder.path()).await.stop().await;
    let verified = projection::verify_offline(&short.store, folder.path());
    let verified = tokio::time::timeout(PATIENCE, verified).await.expect("an answer");
    assert!(matches!(verified, Err(ReplayError::OtherHistory { .. })), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_can_be_looked_at() {
    let judge = TestJudge::start().await;
    let ids = some_history(&judge, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let (now, stats) = projection::fold_all(&judge.store, &folder.path().join("now")).await.unwrap();
    assert_eq!(stats.events, judge.store.last_sequence().await.unwrap());
    let second = now.view().submission(ids[1]).unwrap().unwrap();
    let until = Until::Sequence(second.created_sequence);
    let (then, _) = projection::build_until(&judge.store, &folder.path().join("then"), until).await.unwrap();
    assert_eq!(then.sequence(), second.created_sequence);
    assert_eq!(then.view().submissions_total().unwrap(), 2);
    assert_eq!(then.view().submission(ids[1]).unwrap().unwrap().verdict(), None);
    let created = judge.judge.load(ids[1]).await.unwrap().unwrap().submission.created.submitted_at;
    let before = created - jiff::SignedDuration::from_micros(1);
    let (then, _) = projection::build_until(&judge.store, &folder.path().join("before"), Until::Time(before))
        .await
        .unwrap();
    assert_eq!(then.view().submissions_total().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_history_stops_the_projection_and_says_so() {
    let judge = TestJudge::start().await;
    some_history(&judge, 1).await;
    let admin = judge.nats.jetstream(Role::Admin).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-id", "x");
    headers.insert("ce-time", "2026-01-01T00:00:00Z");
    headers.insert("ce-source", "/test");
    headers.insert("ce-type", "assize.unheard_of.v9");
    let subject = "assize.event.00.p-x._.x._.problem";
    admin.publish_with_headers(subject, headers, "{}".into()).await.unwrap().await.unwrap();
    let last = judge.store.last_sequence().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let projection = Projection::start(judge.store.clone(), folder.path()).await.unwrap();
    let stopped = async {
        while projection.health().failure.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.unwrap();
    let health = projection.health();
    assert!(!health.caught_up && health.position < last, "{health:?}");
    let failure = health.failure.unwrap();
    assert!(failure.contains("assize.unheard_of.v9") && failure.contains(&last.to_string()), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projection_outlives_a_crash_of_the_server() {
    let mut judge = TestJudge::start().await;
    some_history(&judge, 2).await;
    let folder = tempfile::tempdir().unwrap();
    let projection = caught_up(&judge, folder.path()).await;
    judge.nats.kill9().await;
    judge.nats.restart().await;
    judge.submit("a", "cpp17", "z").await;
    let last = judge.store.last_sequence().await.unwrap();
    // A reader whose time-outs are the client library's would be silent for 15 to 30 seconds.
    assert!(projection.wait_for(last, Duration::from_secs(8)).await);
    assert!(projection.verify().await.unwrap().is_equal());
    projection.stop().await;
}
