//! The event contract: schemas and golden samples in `streams/` against the types that write and read events.
//!
//! `UPDATE=1` rewrites the schemas and adds missing goldens. A golden that exists is never rewritten: it stands
//! for events that lie in somebody's history.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assize::domain::event::*;
use assize::domain::ids::*;
use assize::domain::verdict::{Exit, Verdict};
use assize::store::StoredEvent;
use assize::store::codec::{self, StructuredEvent};
use assize::streams;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("streams").join(name)
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let mut names = BTreeSet::new();
    for (name, text) in streams::schema_files() {
        let path = folder("schema").join(&name);
        if updating() {
            std::fs::create_dir_all(folder("schema")).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "{name} is out of date: UPDATE=1 cargo test writes it");
        names.insert(name);
    }
    let committed: BTreeSet<String> = std::fs::read_dir(folder("schema"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(committed, names, "a schema of an event type is kept for ever");
}

#[test]
fn every_golden_sample_validates_and_is_read_and_written_as_it_is() {
    if updating() {
        std::fs::create_dir_all(folder("golden")).unwrap();
        for event in samples() {
            let path = folder("golden").join(format!("{}.json", event.type_name()));
            if !path.exists() {
                let line = StructuredEvent::from(&stored(event));
                std::fs::write(path, serde_json::to_string_pretty(&line).unwrap() + "\n").unwrap();
            }
        }
    }
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(folder("golden")).unwrap() {
        let path = entry.unwrap().path();
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let type_name = golden["type"].as_str().unwrap().to_owned();

        let schema = folder("schema").join(format!("{type_name}.json"));
        let schema: Value = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
        assert_eq!(golden["dataschema"], format!("urn:assize:schema:{type_name}"), "{}", path.display());
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&golden["data"]).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());

        let line: StructuredEvent = serde_json::from_value(golden.clone()).unwrap();
        let stored = StoredEvent::try_from(line).unwrap();
        assert_eq!(serde_json::to_value(StructuredEvent::from(&stored)).unwrap(), golden);
        assert_eq!(stored.recorded.envelope.event.id(), stored.recorded.envelope.id);

        let (headers, body) = codec::encode(&stored.recorded.envelope);
        assert_eq!(codec::decode(&headers, &body).unwrap(), stored.recorded.envelope, "binary mode");
        seen.insert(type_name);
    }
    let types: BTreeSet<String> = Event::TYPES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, types, "each event type has a golden sample");
}

#[test]
fn an_unknown_type_and_a_wrong_field_are_named() {
    let error = Event::from_json("assize.verdict_issued.v9", b"{}").unwrap_err();
    assert_eq!(error.to_string(), "unknown event type `assize.verdict_issued.v9`");
    let error = Event::from_json("assize.rejudge_applied.v1", br#"{"submission":"x"}"#).unwrap_err();
    assert_eq!(error.to_string(), "the data of a `assize.rejudge_applied.v1` event does not fit its schema");
}

#[test]
fn a_field_that_a_later_version_adds_is_ignored() {
    let golden = std::fs::read(folder("golden").join("assize.rejudge_applied.v1.json")).unwrap();
    let mut golden: Value = serde_json::from_slice(&golden).unwrap();
    golden["data"]["added_later"] = Value::from(1);
    let line: StructuredEvent = serde_json::from_value(golden).unwrap();
    assert!(StoredEvent::try_from(line).is_ok());
}

fn stored(event: Event) -> StoredEvent {
    let problem = "a".parse().unwrap();
    let address = match &event {
        Event::ProblemPublished(_) => assize::store::Address::of_problem(&problem),
        _ => assize::store::Address::of_submission(&created()),
    };
    let envelope = Envelope {
        id: event.id(),
        time: "2026-11-23T12:00:00.123456Z".parse().unwrap(),
        source: "/assize/worker/w1".to_owned(),
        causation: Some(format!("{}.created", submission())),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        event,
    };
    let subject = address.subject(&envelope.event);
    StoredEvent { subject, recorded: Recorded { sequence: 42, envelope } }
}

fn submission() -> SubmissionId {
    "019a0000-0000-7000-8000-000000000000".parse().unwrap()
}

fn blob(text: &str) -> BlobRef {
    BlobRef { sha256: Sha256Digest::of(text.as_bytes()), size_bytes: text.len() as u64 }
}

fn created() -> SubmissionCreated {
    SubmissionCreated {
        submission: submission(),
        problem: "a".parse().unwrap(),
        package: Sha256Digest::of(b"package"),
        user: "ann".parse().unwrap(),
        contest: Some("finals-2026".parse().unwrap()),
        language: "cpp17".parse().unwrap(),
        routing_class: "standard".parse().unwrap(),
        sources: vec![SourceFile { name: "main.cpp".to_owned(), blob: blob("int main() {}") }],
        submitted_at: "2026-11-23T12:00:00Z".parse().unwrap(),
        idempotency_key: Some("k-1".to_owned()),
    }
}

fn samples() -> Vec<Event> {
    let by: UserId = "jury".parse().unwrap();
    vec![
        ProblemPublished {
            problem: "a".parse().unwrap(),
            revision: 1,
            package: Sha256Digest::of(b"package"),
            package_bytes: 10_240,
            object: ObjectLocation { bucket: "ASSIZE_PACKAGES".to_owned(), name: "x.tar.zst".to_owned() },
            titles: [("en".to_owned(), "A+B".to_owned())].into(),
            limits: ProblemLimits {
                time_limit_ms: 1000,
                memory_limit_bytes: 1 << 30,
                output_limit_bytes: 8 << 20,
                code_limit_bytes: 128 << 10,
            },
            testcases_total: 2,
            samples: vec![Sample {
                testcase: "sample/1".parse().unwrap(),
                input: blob("1 2\n"),
                answer: blob("3\n"),
            }],
            published_at: "2026-11-23T11:00:00Z".parse().unwrap(),
            languages_allowed: None,
            statement_languages: vec![],
            attachments: vec![],
            verified: None,
        }
        .into(),
        created().into(),
        JudgingStarted {
            submission: submission(),
            judging: 1,
            attempt: 1,
            worker: "w1".parse().unwrap(),
            toolchain: "g++ (Debian 12.2.0-14+deb12u1) 12.2.0".to_owned(),
            sandbox_layers: vec!["landlock".to_owned(), "seccomp".to_owned()],
            package: Sha256Digest::of(b"package"),
            testcases_total: 2,
            started_at: "2026-11-23T12:00:00.010Z".parse().unwrap(),
        }
        .into(),
        CompileFinished {
            submission: submission(),
            judging: 1,
            attempt: 1,
            outcome: CompileOutcome::Succeeded,
            toolchain: "g++ (Debian 12.2.0-14+deb12u1) 12.2.0".to_owned(),
            command: vec!["/usr/bin/g++".to_owned(), "-O2".to_owned()],
            cpu_ms: 400,
            wall_ms: 450,
            memory_bytes: 60 << 20,
            diagnostics: "main.cpp:1: warning: unused\n".to_owned(),
            diagnostics_truncated: false,
            artifact: Some(Sha256Digest::of(b"artifact")),
        }
        .into(),
        TestcaseJudged {
            submission: submission(),
            judging: 1,
            attempt: 1,
            testcase: "sample/1".parse().unwrap(),
            index: 1,
            group: "sample".to_owned(),
            verdict: Verdict::Rte,
            score: Some("12.5".to_owned()),
            validator_score: None,
            validator_score_multiplier: None,
            cpu_ms: 3,
            wall_ms: 4,
            memory_bytes: 3 << 20,
            memory_meter: "cgroup_peak".to_owned(),
            exit: Exit::Signal(11),
            message: "was ended by SIGSEGV".to_owned(),
            output_excerpt: "3\n".to_owned(),
            output_bytes: 2,
            output_sha256: Sha256Digest::of(b"3\n"),
        }
        .into(),
        VerdictIssued {
            submission: submission(),
            judging: 1,
            attempt: 1,
            problem: "a".parse().unwrap(),
            user: "ann".parse().unwrap(),
            language: "cpp17".parse().unwrap(),
            verdict: Verdict::Rte,
            icpc_judgement_type: "RTE".to_owned(),
            score: Some("12.5".to_owned()),
            score_best: None,
            groups: vec![GroupResult {
                group: "sample".to_owned(),
                verdict: Verdict::Rte,
                score: Some("12.5".to_owned()),
                score_best: None,
                testcases_judged: 1,
            }],
            cpu_ms_max: 3,
            memory_bytes_max: 3 << 20,
            first_failing: Some("sample/1".parse().unwrap()),
            testcases_judged: 1,
            testcases_total: 2,
            reason: "run-time error on testcase sample/1".to_owned(),
        }
        .into(),
        JudgingFailed {
            submission: submission(),
            judging: 1,
            attempt: 1,
            cause: "the sandbox failed".to_owned(),
            will_retry: false,
        }
        .into(),
        RejudgeRequested {
            submission: submission(),
            judging: 2,
            package: Sha256Digest::of(b"package"),
            reason: "wrong testdata".to_owned(),
            requested_by: by.clone(),
        }
        .into(),
        RejudgeApplied { submission: submission(), judging: 2, applied_by: by.clone() }.into(),
        RejudgeDiscarded { submission: submission(), judging: 2, discarded_by: by }.into(),
    ]
}
