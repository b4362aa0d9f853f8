//! `assize events`: a history leaves for a file, comes back elsewhere, and is the same.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::harness::cli::assize;
use crate::harness::judge::TestJudge;

const RIGHT: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// A judge with two verdicts in its history.
async fn judged() -> TestJudge {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    for code in [RIGHT, "print(0)\n"] {
        let id = judge.submit("a", "python3", code).await;
        judge.verdict(id).await;
    }
    worker.stop().await;
    judge
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_where_it_ended_and_imports_to_the_same_history() {
    let judge = judged().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, whole) = (folder.path().join("history.ndjson"), folder.path().join("whole.ndjson"));
    let here = judge.nats.root();

    assize(here, &["events", "export", text(&file), "--to", "5"]).expect_code(0);
    // A crash in the middle of a line.
    fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap()
        .write_all(b"{\"specversion\":\"1.0\",\"i")
        .unwrap();
    let third = judge.submit("a", "python3", "print(1)\n").await;
    assize(here, &["events", "export", text(&file)]).expect_code(0);
    assize(here, &["events", "export", text(&whole)]).expect_code(0);
    let exported = fs::read_to_string(&whole).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), exported);
    assert!(exported.contains(&third.to_string()));
    let said = assize(here, &["events", "export", text(&file), "--from", "3"]).expect_code(2);
    assert!(said.stderr.contains("cannot be continued from 3"), "{said:?}");
    let said = assize(here, &["events", "export", "-", "--events-only"]).expect_code(0);
    let events = said.json_lines();
    let last = judge.store.last_sequence().await.unwrap();
    assert_eq!(events.len() as u64, last);
    for (event, sequence) in events.iter().zip(1..) {
        assert_eq!(event["sequence"], sequence.to_string());
        assert_eq!(event["specversion"], "1.0");
    }

    // Elsewhere: first a part, then the rest; then the same file comes out again.
    let there = folder.path().join("there");
    let lines: Vec<&str> = exported.lines().collect();
    let part = folder.path().join("part.ndjson");
    fs::write(&part, lines[..lines.len() / 2].join("\n")).unwrap();
    assize(&there, &["events", "import", text(&part)]).expect_code(0);
    let said = assize(&there, &["events", "import", text(&whole), "--json"]).expect_code(0);
    assert_eq!(said.json_lines()[0]["last_sequence"], last, "{said:?}");
    let said = assize(&there, &["events", "import", text(&whole), "--json"]).expect_code(0);
    assert_eq!(said.json_lines()[0]["added"], 0, "{said:?}");
    let again = assize(&there, &["events", "export", "-"]).expect_code(0);
    assert_eq!(again.stdout, exported);

    // A shorter file is not what is there, and neither is another history.
    let said = assize(&there, &["events", "import", text(&part)]).expect_code(1);
    assert!(said.stderr.contains("more than the"), "{said:?}");
    let other = TestJudge::start().await;
    other.publish("brackets").await;
    let said = assize(other.nats.root(), &["events", "import", text(&whole)]).expect_code(1);
    assert!(said.stderr.contains("differ at sequence 1"), "{said:?}");
    let said = assize(other.nats.root(), &["events", "export", text(&part)]).expect_code(1);
    assert!(said.stderr.contains("more than") || said.stderr.contains("another one"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_event_is_refused_by_its_number() {
    let judge = judged().await;
    let folder = tempfile::tempdir().unwrap();
    let said = assize(judge.nats.root(), &["events", "export", "-"]).expect_code(0);
    let lines: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
    let created = lines.iter().position(|line| line.contains("submission_created")).unwrap();
    let blob = lines.iter().position(|line| line.contains("assize.export.blob.v1")).unwrap();
    let spoilt = |at: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        assert!(lines[at].contains(from), "{}", lines[at]);
        lines[at] = lines[at].replacen(from, to, 1);
        lines
    };
    let mut without = lines.clone();
    without.remove(created - 1);
    let mut doubled = lines.clone();
    doubled.insert(created, lines[created].clone());
    let cases = [
        (spoilt(created, "{", "nonsense"), created, "not a CloudEvent"),
        (spoilt(created, "submission_created.v1", "submission_created.v9"), created, "unknown event type"),
        (spoilt(created, "\"sequence\":\"2\"", "\"sequence\":\"7\""), created, "has sequence 7"),
        (spoilt(created, "assize.event.00.", "assize.event.00.>."), created, "subject"),
        (spoilt(created, "\"user\":\"ann\"", "\"user\":\"a.b\""), created, "does not fit its schema"),
        (spoilt(created, ".created\"", ".started\""), created, "should be"),
        (spoilt(blob, "data_base64\":\"", "data_base64\":\"AAAA"), blob, "digest"),
        (without, created - 1, "neither in the file nor here"),
        (doubled, created + 1, "has sequence 2 where 3 belongs"),
    ];
    for (at, (lines, line, what)) in cases.into_iter().enumerate() {
        let file = folder.path().join(format!("{at}.ndjson"));
        fs::write(&file, lines.join("\n")).unwrap();
        let said = assize(&folder.path().join(at.to_string()), &["events", "import", text(&file)]);
        let said = said.expect_code(1);
        let place = format!("line {}", line + 1);
        assert!(said.stderr.contains(&place) && said.stderr.contains(what), "{what}: {said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_what_was_asked_for() {
    let judge = judged().await;
    let tail = |args: &[&str]| {
        let all = [&["events", "tail", "--no-follow"], args].concat();
        assize(judge.nats.root(), &all).expect_code(0).json_lines()
    };
    let all = tail(&[]);
    let verdicts = tail(&["--verdicts"]);
    assert_eq!(verdicts.len(), 2, "{verdicts:#?}");
    assert_eq!(verdicts[0]["data"]["verdict"], "AC");
    let id = verdicts[1]["data"]["submission"].as_str().unwrap();
    let one = tail(&["--submission", id]);
    assert!(one.iter().all(|event| event["correlationid"] == id), "{one:#?}");
    assert_eq!(tail(&["--user", "ann"]).len(), all.len() - 1);
    assert_eq!(tail(&["--user", "bob"]).len(), 0);
    assert_eq!(tail(&["--problem", "a"]).len(), all.len());
    assert_eq!(tail(&["--from", "3"]).len(), all.len() - 2);
    let nowhere = tempfile::tempdir().unwrap();
    let said = assize(nowhere.path(), &["events", "tail"]).expect_code(3);
    assert!(said.stderr.contains("assize up"), "{said:?}");
}
