//! Subscribers in other languages: PyPI's nats-py reads and validates every event.

use std::path::Path;
use std::process::Stdio;

use assize::nats_server::Role;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::harness::judge::TestJudge;

#[tokio::test(flavor = "multi_thread")]
async fn a_python_subscriber_reads_and_validates_every_event() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    let has_clients = python.exists()
        && Command::new(&python).args(["-c", "import nats, jsonschema"]).status().await.unwrap().success();
    if !has_clients {
        let ci = std::env::var_os("CI").is_some();
        assert!(!ci, "CI may not skip this: .venv has no nats-py and jsonschema");
        eprintln!("SKIPPED: .venv has no nats-py and jsonschema; `./assize test` installs them");
        return;
    }
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let code = "a, b = map(int, input().split())\nprint(a + b)\n";
    let id = judge.submit("a", "python3", code).await;
    let mut subscriber = Command::new(python)
        .arg(root.join("tests/it/foreign/subscriber.py"))
        .args([judge.nats.url().as_str(), "subscriber", judge.nats.password(Role::Subscriber).reveal()])
        .arg(root.join("streams/schema"))
        .arg(id.to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(subscriber.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("subscribed"));

    let worker = judge.worker("w1", 1).await;
    let verdict = judge.verdict(id).await;
    let said = lines.next_line().await.unwrap().expect("what it saw");
    assert!(subscriber.wait().await.unwrap().success());
    let saw: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(saw["verdict"], "AC");
    let testcases = verdict.testcases_total as usize;
    assert_eq!(saw["live"].as_array().unwrap().len(), testcases + 3, "{saw}");
    assert_eq!(saw["history"]["assize.testcase_judged.v1"], testcases, "{saw}");
    assert_eq!(saw["history"]["assize.problem_published.v1"], 1, "{saw}");
    worker.stop().await;
}
