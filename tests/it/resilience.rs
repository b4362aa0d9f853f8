//! Parts die at the worst moment: nothing is lost, nothing is judged twice, and every judging ends.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use assize::domain::event::{
    BlobRef, CompileFinished, CompileOutcome, Event, ObjectLocation, ProblemLimits, ProblemPublished,
    Recorded, SourceFile, SubmissionCreated, TestcaseJudged,
};
use assize::domain::ids::{Sha256Digest, SubmissionId};
use assize::domain::scoring::{GradedGroups, Grading};
use assize::domain::submission::{Command, JudgingEnd, StartJudging};
use assize::domain::verdict::{Exit, Verdict};
use assize::judge::{AppliedError, Judge};
use assize::nats_server::Role;
use assize::projection;
use assize::store::claims::Claims;
use assize::store::export::{self, ExportError, FileState};
use assize::store::jetstream::JetStreamStore;
use assize::store::{Aggregate, EventStore, StoreError};
use assize::streams;
use futures::StreamExt;
use jiff::Timestamp;

use crate::harness::judge::{PATIENCE, TestJudge, canonical_archive, sample_package};
use crate::harness::process::{Process, descendants, is_alive};

const ADD: &str = "a, b = map(int, input().split())\nprint(a + b)\n";
/// Slow enough on each testcase that a worker can be killed in the middle.
const ADD_SLOWLY: &str = "import time\na, b = map(int, input().split())\ntime.sleep(0.3)\nprint(a + b)\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_loses_nothing_and_its_testcases_are_not_repeated() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let first = Process::start(judge.nats.root(), &["worker", "--slots", "1", "--worker", "first"]);
    let id = judge.submit("a", "python3", ADD_SLOWLY).await;
    judge.wait_until(id, |state| state.judgings[0].testcases.len() >= 3).await;
    let children = descendants(first.pid());
    assert!(!children.is_empty());
    first.kill9();
    let deadline = Instant::now() + Duration::from_secs(10);
    while children.iter().any(|child| is_alive(*child)) {
        assert!(Instant::now() < deadline, "the sandbox outlived its worker");
        tokio::task::yield_now().await;
    }
    let facts = judge.store.load(&Aggregate::Submission(id)).await.unwrap();

    let second = Process::start(judge.nats.root(), &["worker", "--slots", "1", "--worker", "second"]);
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    assert_eq!(history[..facts.len()], facts, "what was a fact stays a fact");
    assert_each_event_once(&history);
    assert_eq!(count(&history, |event| matches!(event, Event::JudgingStarted(_))), 2);
    assert_eq!(count(&history, |event| matches!(event, Event::CompileFinished(_))), 1);
    assert_eq!(second.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_compiled_of_several_files_is_not_compiled_again() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    // It reads a file beside it, so that this must be there as well where it is not compiled again.
    let main = "#include \"add.h\"\nint main(void) { long long a, b; if (!fopen(\"add.h\", \"r\")) return 1;\n\
                usleep(300000); scanf(\"%lld %lld\", &a, &b); printf(\"%lld\", add(a, b)); }\n";
    let header = "#include <stdio.h>\n#include <unistd.h>\nstatic long long add(long long a, long long b) { return a + b; }\n";
    let first = Process::start(judge.nats.root(), &["worker", "--slots", "1", "--worker", "first"]);
    let id = judge.submit_files("a", "c", &[("main.c", main), ("add.h", header)]).await;
    judge.wait_until(id, |state| state.judgings[0].testcases.len() >= 3).await;
    first.kill9();
    let cache = judge.nats.root().join("cache");
    fs::remove_dir_all(cache.join("builds")).unwrap();
    let inodes = || {
        let kept = fs::read_dir(cache.join("artifacts")).unwrap();
        kept.map(|entry| entry.unwrap().metadata().unwrap().ino()).collect::<Vec<_>>()
    };
    let kept = inodes();
    assert_eq!(kept.len(), 1);

    let second = Process::start(judge.nats.root(), &["worker", "--slots", "1", "--worker", "second"]);
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    assert_eq!(count(&history, |event| matches!(event, Event::JudgingStarted(_))), 2);
    assert_eq!(inodes(), kept, "it was compiled again");
    assert_eq!(second.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_it_acknowledged() {
    let mut judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 2).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(judge.submit("a", "python3", ADD).await);
    }
    judge.wait_until(ids[0], |state| !state.judgings[0].testcases.is_empty()).await;
    let before = judge.store.last_sequence().await.unwrap();
    judge.nats.kill9().await;
    judge.nats.restart().await;
    assert!(judge.store.last_sequence().await.unwrap() >= before);
    for id in ids {
        assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
        assert_each_event_once(&judge.store.load(&Aggregate::Submission(id)).await.unwrap());
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_chaos_come_one_verdict_each_and_one_read_model() {
    let mut judge = TestJudge::start().await;
    judge.publish("a").await;
    let root = judge.nats.root().to_owned();
    let worker =
        |number: usize| Process::start(&root, &["worker", "--slots", "1", "--worker", &format!("w{number}")]);
    let mut workers = vec![worker(0), worker(1)];
    let mut ids = Vec::new();
    for number in 0..20 {
        let (code, verdict) = if number % 4 == 3 { ("print(0)", Verdict::Wa) } else { (ADD, Verdict::Ac) };
        ids.push((judge.submit("a", "python3", code).await, verdict));
    }
    // Again and again, once some more have ended, a worker dies in the middle of another, and twice the server.
    for round in 0..4 {
        let (id, _) = ids[round * 5];
        judge.wait_until(id, |state| state.judgings[0].end.is_some()).await;
        workers.remove(0).kill9();
        if round % 2 == 1 {
            judge.nats.kill9().await;
            judge.nats.restart().await;
        }
        workers.push(worker(round + 2));
    }
    for (id, expected) in &ids {
        assert_eq!(judge.verdict(*id).await.verdict, *expected);
        assert_each_event_once(&judge.store.load(&Aggregate::Submission(*id)).await.unwrap());
    }
    for worker in workers {
        assert_eq!(worker.terminate(), Some(0));
    }
    // Nothing is missing in the history, nothing is in it twice, and it always says the same.
    let last = judge.store.last_sequence().await.unwrap();
    let (mut history, mut sequences, mut event_ids) = (judge.store.follow(1), Vec::new(), BTreeSet::new());
    while sequences.len() < last as usize {
        for stored in history.recv().await.expect("there is more").unwrap() {
            sequences.push(stored.recorded.sequence);
            assert!(event_ids.insert(stored.recorded.envelope.id.clone()), "{:#?}", stored.recorded);
        }
    }
    assert_eq!(sequences, (1..=last).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = projection::fold_all(&judge.store, &folder.path().join("one")).await.unwrap();
    let (other, _) = projection::fold_all(&judge.store, &folder.path().join("other")).await.unwrap();
    assert_eq!(one.digest().unwrap(), other.digest().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_waits_longer_than_a_claim_lasts_is_delivered_once() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    // Each takes some three seconds; the last waits for longer than an unacknowledged claim would live.
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(judge.submit("a", "python3", "import time; time.sleep(1000)").await);
    }
    for id in ids {
        judge.verdict(id).await;
        let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
        assert_eq!(count(&history, |event| matches!(event, Event::JudgingStarted(_))), 1, "{history:#?}");
    }
    let stream = judge.store.context().get_stream_no_info("ASSIZE_00").await.unwrap();
    let delivered = stream.consumer_info("judge-standard-live").await.unwrap().delivered;
    assert_eq!(delivered.consumer_sequence, 5, "something was delivered again");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_after_the_verdict_changes_nothing() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let id = judge.submit("a", "python3", ADD).await;
    // A worker that judged everything and died before it could acknowledge.
    let dying = JetStreamStore::connect(&judge.nats.settings(Role::Worker), PATIENCE).await.unwrap();
    let claims = Claims::open(&dying, "judge-standard-live").await.unwrap();
    let claim = claims.next(PATIENCE).await.unwrap().expect("a claim");
    assert_eq!(claim.submission, id);
    judge_by_hand(&dying, id).await;
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    claim.hand_back(Duration::ZERO).await;

    let worker = judge.worker("w1", 1).await;
    settled(&judge).await;
    assert_eq!(judge.store.load(&Aggregate::Submission(id)).await.unwrap(), history);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_claim_was_taken_over_can_say_nothing_more() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let id = judge.submit("a", "python3", ADD).await;
    let zombie_store = JetStreamStore::connect(&judge.nats.settings(Role::Worker), PATIENCE).await.unwrap();
    let claims = Claims::open(&zombie_store, "judge-standard-live").await.unwrap();
    let claim = claims.next(PATIENCE).await.unwrap().expect("a claim");
    let zombie = Judge::new(std::sync::Arc::new(zombie_store.clone()), "/assize/worker/zombie");
    let mut loaded = zombie.load(id).await.unwrap().expect("the submission");
    zombie.apply(&mut loaded, start("zombie"), Timestamp::now()).await.unwrap();
    claim.hand_back(Duration::ZERO).await;

    let worker = judge.worker("w1", 1).await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    let late = Command::RecordTestcases(vec![testcase(id, 1, Verdict::Wa)]);
    let refused = zombie.apply(&mut loaded, late, Timestamp::now()).await;
    assert!(matches!(refused, Err(AppliedError::Fenced)), "{refused:?}");
    assert_eq!(judge.store.load(&Aggregate::Submission(id)).await.unwrap(), history);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_judged_ends_as_our_fault_and_is_told() {
    let judge = TestJudge::start().await;
    let package = Sha256Digest::of(b"nowhere");
    let object = ObjectLocation { bucket: "ASSIZE_PACKAGES".to_owned(), name: "nowhere.tar.zst".to_owned() };
    let limits = ProblemLimits {
        time_limit_ms: 1000,
        memory_limit_bytes: 1 << 28,
        output_limit_bytes: 1 << 20,
        code_limit_bytes: 1 << 17,
    };
    let lost = ProblemPublished {
        problem: "lost".parse().unwrap(),
        revision: 1,
        package,
        package_bytes: 1,
        object,
        titles: [].into(),
        limits,
        testcases_total: 1,
        samples: vec![],
        published_at: Timestamp::now(),
        languages_allowed: None,
        statement_languages: vec![],
        attachments: vec![],
        verified: None,
    };
    judge.judge.publish(lost, Timestamp::now()).await.unwrap();
    let mut letters = judge.nats.client(Role::Api).await.subscribe("assize.deadletter.>").await.unwrap();
    let worker = judge.worker("w1", 1).await;
    let id = judge.submit("lost", "python3", ADD).await;
    let state = judge.wait_until(id, |state| state.judgings[0].end.is_some()).await;
    let Some(JudgingEnd::Failed(failed)) = &state.judgings[0].end else { panic!("{state:#?}") };
    assert!(failed.cause.contains("nowhere.tar.zst does not exist"), "{failed:#?}");
    assert_eq!(failed.attempt, 5);
    let letter = tokio::time::timeout(PATIENCE, letters.next()).await.expect("in time").expect("a letter");
    assert_eq!(letter.subject.as_str(), format!("assize.deadletter.{id}"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judging_by_a_revision_that_never_was_ends_as_our_fault() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let id = SubmissionId::mint(0, rand::random());
    let created = SubmissionCreated {
        submission: id,
        package: Sha256Digest::of(b"never published"),
        ..created_by_ann(judge.judge.problem(&"a".parse().unwrap()).await.unwrap().unwrap().package, b"x")
    };
    judge.judge.submit(created, Timestamp::now(), None).await.unwrap();
    let worker = judge.worker("w1", 1).await;
    let state = judge.wait_until(id, |state| state.judgings[0].end.is_some()).await;
    let Some(JudgingEnd::Failed(failed)) = &state.judgings[0].end else { panic!("{state:#?}") };
    assert!(failed.cause.contains("is not in the history"), "{failed:#?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_whose_history_cannot_be_read_is_given_up_and_told() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let id = judge.submit("a", "python3", ADD).await;
    let admin = judge.nats.jetstream(Role::Admin).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-id", "x");
    headers.insert("ce-time", "2026-01-01T00:00:00Z");
    headers.insert("ce-source", "/test");
    headers.insert("ce-type", "assize.unheard_of.v9");
    let subject = format!("assize.event.{:02x}.{id}._.a.ann.run", id.partition());
    admin.publish_with_headers(subject, headers, "{}".into()).await.unwrap().await.unwrap();
    let mut letters = judge.nats.client(Role::Api).await.subscribe("assize.deadletter.>").await.unwrap();

    let worker = judge.worker("w1", 1).await;
    let letter = tokio::time::timeout(PATIENCE, letters.next()).await.expect("in time").expect("a letter");
    assert_eq!(letter.subject.as_str(), format!("assize.deadletter.{id}"));
    let letter: serde_json::Value = serde_json::from_slice(&letter.payload).unwrap();
    assert_eq!(letter["submission"], id.to_string());
    assert!(letter["cause"].as_str().unwrap().contains("assize.unheard_of.v9"), "{letter}");
    settled(&judge).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_packages_costs_no_attempt() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    let admin = JetStreamStore::connect(&judge.nats.settings(Role::Admin), PATIENCE).await.unwrap();
    admin.context().delete_stream("OBJ_ASSIZE_PACKAGES").await.unwrap();
    let client = judge.nats.client(Role::Api).await;
    let mut asked = client.subscribe("$JS.EVENT.ADVISORY.API").await.unwrap();
    client.flush().await.unwrap();
    let id = judge.submit("a", "python3", ADD).await;
    // The server tells of every request: the worker has looked for its packages, and looks again.
    let looked_twice = async {
        let mut looked = 0;
        while looked < 2 {
            let advisory = asked.next().await.expect("the server goes on");
            let text = String::from_utf8_lossy(&advisory.payload).into_owned();
            looked += usize::from(text.contains("STREAM.INFO.OBJ_ASSIZE_PACKAGES"));
        }
    };
    tokio::time::timeout(PATIENCE, looked_twice).await.expect("the worker looks for the package");
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    assert_eq!(history.len(), 1, "{history:#?}");
    streams::create_or_verify(&admin, 1).await.unwrap();
    let (digest, content) = canonical_archive(&sample_package("a"));
    judge.store.put_package(digest.parse().unwrap(), &content).await.unwrap();
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_now_is_not_taken_for_erased() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let absent = judge.store.get_blob(Sha256Digest::of(b"absent")).await;
    assert!(matches!(absent, Err(StoreError::Missing { .. })), "{absent:?}");
    let admin = judge.nats.jetstream(Role::Admin).await;
    admin.delete_stream("ASSIZE_BLOB").await.unwrap();
    let hasty = judge.store.with_patience(Duration::from_millis(200));
    let away = hasty.get_blob(Sha256Digest::of(b"absent")).await;
    assert!(matches!(away, Err(StoreError::Unavailable { .. })), "{away:?}");
    let mut exported = Vec::new();
    let last = hasty.last_sequence().await.unwrap();
    let refused =
        export::export(&hasty, &mut FileState::default(), (1, last), false, &mut exported, |_| {}).await;
    assert!(matches!(refused, Err(ExportError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    assert!(!String::from_utf8(exported).unwrap().contains("erased"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_claims_from_the_same_tail_exactly_one_wins() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    for _ in 0..20 {
        let id = judge.submit("a", "python3", ADD).await;
        let claim = async |name: &str| {
            let store = JetStreamStore::connect(&judge.nats.settings(Role::Worker), PATIENCE).await.unwrap();
            let judge = Judge::new(std::sync::Arc::new(store), format!("/assize/worker/{name}"));
            let loaded = judge.load(id).await.unwrap().expect("the submission");
            (judge, loaded)
        };
        let ((one, mut seen_by_one), (two, mut seen_by_two)) = tokio::join!(claim("one"), claim("two"));
        assert_eq!(seen_by_one.tail, seen_by_two.tail);
        let (first, second) = tokio::join!(
            one.apply(&mut seen_by_one, start("one"), Timestamp::now()),
            two.apply(&mut seen_by_two, start("two"), Timestamp::now()),
        );
        let lost = [&first, &second]
            .into_iter()
            .filter(|applied| matches!(applied, Err(AppliedError::Fenced)))
            .count();
        assert_eq!((first.is_ok() || second.is_ok(), lost), (true, 1), "{first:?} {second:?}");
        let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
        assert_eq!(count(&history, |event| matches!(event, Event::JudgingStarted(_))), 1, "{history:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_is_started_again() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = Process::start(judge.nats.root(), &["worker", "--slots", "2"]);
    let id = judge.submit("a", "python3", ADD_SLOWLY).await;
    judge.wait_until(id, |state| !state.judgings[0].testcases.is_empty()).await;
    let command =
        |pid: &nix::unistd::Pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let sandbox: Vec<_> =
        descendants(worker.pid()).into_iter().filter(|pid| command(pid).contains("keeper")).collect();
    assert!(!sandbox.is_empty());
    for pid in sandbox {
        // Children may have gone with their parent.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    for _ in 0..4 {
        let id = judge.submit("a", "python3", ADD).await;
        assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    }
    assert_eq!(worker.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_hands_back_what_it_cannot_finish() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let first = Process::start(judge.nats.root(), &["worker", "--slots", "1", "--worker", "first"]);
    let slow = ADD_SLOWLY.replace("0.3", "1.2");
    let id = judge.submit("a", "python3", &slow).await;
    judge.wait_until(id, |state| !state.judgings[0].testcases.is_empty()).await;
    assert_eq!(first.terminate(), Some(0));
    let worker = judge.worker("second", 1).await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    assert_each_event_once(&judge.store.load(&Aggregate::Submission(id)).await.unwrap());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_sent_again_is_one_submission() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let revision = judge.judge.problem(&"a".parse().unwrap()).await.unwrap().expect("published");
    let created = |code: &[u8]| created_by_ann(revision.package, code);
    let first = judge.judge.submit(created(b"x"), Timestamp::now(), None).await.unwrap();
    let second = judge.judge.submit(created(b"x"), Timestamp::now(), None).await.unwrap();
    assert_eq!(first, second);
    let other = judge.judge.submit(created(b"y"), Timestamp::now(), None).await;
    assert_eq!(other.unwrap_err().to_string(), "the submission exists already with other content");
}

/// A submission that ann makes again and again with the same key.
fn created_by_ann(package: Sha256Digest, code: &[u8]) -> SubmissionCreated {
    let user = "ann".parse().unwrap();
    SubmissionCreated {
        submission: SubmissionId::from_key(&user, "key"),
        problem: "a".parse().unwrap(),
        package,
        user,
        contest: None,
        language: "python3".parse().unwrap(),
        routing_class: "standard".parse().unwrap(),
        sources: vec![SourceFile {
            name: "main.py".to_owned(),
            blob: BlobRef { sha256: Sha256Digest::of(code), size_bytes: code.len() as u64 },
        }],
        submitted_at: Timestamp::now(),
        idempotency_key: Some("key".to_owned()),
    }
}

/// Waits until nothing waits to be judged and nothing is being judged.
async fn settled(judge: &TestJudge) {
    let stream = judge.store.context().get_stream_no_info("ASSIZE_00").await.unwrap();
    let settled = async {
        loop {
            let info = stream.consumer_info("judge-standard-live").await.unwrap();
            if info.num_pending == 0 && info.num_ack_pending == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("every delivery is settled");
}

fn count(history: &[Recorded], wanted: impl Fn(&Event) -> bool) -> usize {
    history.iter().filter(|recorded| wanted(&recorded.envelope.event)).count()
}

fn assert_each_event_once(history: &[Recorded]) {
    let ids: BTreeSet<&str> = history.iter().map(|recorded| recorded.envelope.id.as_str()).collect();
    assert_eq!(ids.len(), history.len(), "{history:#?}");
    assert_eq!(count(history, |event| matches!(event, Event::VerdictIssued(_))), 1, "{history:#?}");
}

fn start(worker: &str) -> Command {
    Command::StartJudging(StartJudging {
        worker: worker.parse().unwrap(),
        toolchain: "by hand".to_owned(),
        sandbox_layers: vec![],
        testcases_total: 1,
        now: Timestamp::now(),
    })
}

fn testcase(submission: SubmissionId, index: u32, verdict: Verdict) -> TestcaseJudged {
    TestcaseJudged {
        submission,
        judging: 1,
        attempt: 1,
        testcase: format!("by-hand/{index}").parse().unwrap(),
        index,
        group: "by-hand".to_owned(),
        verdict,
        score: None,
        validator_score: None,
        validator_score_multiplier: None,
        cpu_ms: 1,
        wall_ms: 1,
        memory_bytes: 1,
        memory_meter: "max_rss".to_owned(),
        exit: Exit::Code(0),
        message: String::new(),
        output_excerpt: String::new(),
        output_bytes: 0,
        output_sha256: Sha256Digest::of(b""),
    }
}

async fn judge_by_hand(store: &JetStreamStore, id: SubmissionId) {
    let judge = Judge::new(std::sync::Arc::new(store.clone()), "/assize/worker/hand");
    let mut loaded = judge.load(id).await.unwrap().expect("the submission");
    let compiled = CompileFinished {
        submission: id,
        judging: 1,
        attempt: 1,
        outcome: CompileOutcome::Succeeded,
        toolchain: "by hand".to_owned(),
        command: vec![],
        cpu_ms: 1,
        wall_ms: 1,
        memory_bytes: 1,
        diagnostics: String::new(),
        diagnostics_truncated: false,
        artifact: None,
    };
    let commands = [
        start("hand"),
        Command::RecordCompile(compiled),
        Command::RecordTestcases(vec![testcase(id, 1, Verdict::Ac)]),
        Command::IssueVerdict {
            judging: 1,
            attempt: 1,
            grading: std::sync::Arc::new(Grading::pass_fail(1)),
            graded: GradedGroups::new(),
        },
    ];
    for command in commands {
        judge.apply(&mut loaded, command, Timestamp::now()).await.unwrap();
    }
}
