//! `assize up`, `serve` and `worker` as processes: they start, stop, die and come back without losing anything.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use assize::domain::event::Event;
use assize::nats_server::Role;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::judge::{PATIENCE, TestJudge, sample_package};
use crate::harness::nats::TestNats;
use crate::harness::process::{Process, descendants, is_alive};

const ADD: &str = "a, b = map(int, input().split())\nprint(a + b)\n";
const ADD_SLOWLY: &str = "import time\na, b = map(int, input().split())\ntime.sleep(0.2)\nprint(a + b)\n";

/// `assize up` on a free port with our sample packages.
fn up(data: &Path) -> Process {
    let problems = sample_package("");
    Process::start(data, &["up", "--listen", "127.0.0.1:0", "--problems", problems.to_str().unwrap()])
}

fn address(process: &Process) -> String {
    process.ready.trim().rsplit(' ').next().unwrap().to_owned()
}

async fn submit(address: &str, language: &str, code: &str) -> u64 {
    let body = json!({ "code": code, "language": language, "question_id": "a" });
    let answer = reqwest::Client::new().post(format!("{address}/submit")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["id"].as_u64().unwrap()
}

async fn text(url: String) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// The result once it is there.
async fn result(address: &str, number: u64) -> Value {
    let wait = async {
        loop {
            let answer: Value =
                serde_json::from_str(&text(format!("{address}/result/{number}")).await).unwrap();
            if answer["status"] == "judged" || answer["status"] == "failed" {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("a result in time")
}

/// Runs a command that is to end by itself.
fn run(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assize")).args(args).env("ASSIZE_DATA", data).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_interface_works_and_data_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let judge = up(&data);
    let at = address(&judge);
    assert_eq!(submit(&at, "python3", ADD).await, 1);
    assert_eq!(submit(&at, "cpp17", "int main(){}").await, 2);
    assert_eq!(result(&at, 1).await["verdict"], "AC");
    assert_eq!(result(&at, 2).await["verdict"], "WA");
    let before = text(format!("{at}/v1/submissions")).await;
    assert_eq!(judge.terminate(), Some(0));

    let judge = up(&data);
    let at = address(&judge);
    assert_eq!(text(format!("{at}/v1/submissions")).await, before);
    assert_eq!(submit(&at, "python3", "print(").await, 3);
    assert_eq!(result(&at, 3).await["verdict"], "CE");
    assert_eq!(judge.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_judge_comes_back_with_everything_it_had_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let judge = up(&data);
    let at = address(&judge);
    for _ in 0..4 {
        submit(&at, "python3", ADD_SLOWLY).await;
    }
    let children = descendants(judge.pid());
    assert!(children.len() >= 3, "nats-server, keeper and slots");
    judge.kill9();
    let gone = async {
        while children.iter().any(|child| is_alive(*child)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the children die with it");

    let judge = up(&data);
    let at = address(&judge);
    for number in 1..=4 {
        assert_eq!(result(&at, number).await["verdict"], "AC");
    }
    assert_eq!(submit(&at, "python3", ADD).await, 5);
    assert_eq!(judge.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_private_server_is_started_again_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let judge = up(&data);
    let at = address(&judge);
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(submit(&at, "python3", ADD_SLOWLY).await);
    }
    let name =
        |pid: &nix::unistd::Pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let server = descendants(judge.pid()).into_iter().find(|pid| name(pid).trim() == "nats-server").unwrap();
    nix::sys::signal::kill(server, Signal::SIGKILL).unwrap();
    for number in numbers {
        assert_eq!(result(&at, number).await["verdict"], "AC");
    }
    assert_eq!(submit(&at, "python3", ADD).await, 4);
    assert_eq!(result(&at, 4).await["verdict"], "AC");
    assert_eq!(judge.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_history_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let file = folder.path().join("history.ndjson");
    let file = file.to_str().unwrap();
    let paths = ["/v1/submissions", "/v1/problems", "/v1/problems/a", "/result/1", "/result/2", "/result/3"];
    let answers = async |at: &str| {
        let mut answers = Vec::new();
        for path in paths {
            answers.push(text(format!("{at}{path}")).await);
        }
        answers
    };
    let judge = up(&data);
    let at = address(&judge);
    for code in [ADD, "print(0)", "print("] {
        let number = submit(&at, "python3", code).await;
        result(&at, number).await;
    }
    let original = answers(&at).await;
    assert_eq!(judge.terminate(), Some(0));
    let exported = run(&data, &["events", "export", file]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let imported = run(&copy, &["events", "import", file]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let judge = up(&copy);
    let at = address(&judge);
    assert_eq!(answers(&at).await, original);
    // And it judges on: the sources and packages came along.
    assert_eq!(submit(&at, "python3", ADD).await, 4);
    assert_eq!(result(&at, 4).await["verdict"], "AC");
    assert_eq!(judge.terminate(), Some(0));
    let verified = run(&copy, &["replay", "--verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let judge = up(&data);
    let second = run(&data, &["up", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success());
    assert!(said.contains(&format!("is in use by process {}", judge.pid())), "{said}");
    assert_eq!(judge.terminate(), Some(0));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap().to_string();
    let refused = run(&data, &["up", "--listen", &taken_at]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&format!("{taken_at} is in use by another program")), "{said}");

    let open = run(&data, &["up", "--listen", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(said.contains("can be reached by others"), "{said}");

    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let unwritable = run(&file.join("data"), &["up", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&unwritable.stderr).into_owned();
    assert!(said.contains("cannot write to data directory"), "{said}");

    let nowhere = run(&data, &["worker", "--nats", "nats://127.0.0.1:9"]);
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(said.contains("cannot connect to NATS at 127.0.0.1:9"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_run_apart_and_a_killed_api_continues_exactly() {
    let nats = TestJudge::start().await;
    nats.publish("a").await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("api");
    let password = nats.nats.password(Role::Api);
    let url = nats.nats.url().replace("nats://", &format!("nats://api:{}@", password.reveal()));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--nats", &url];
    let api = Process::start(&data, &serve);
    let at = address(&api);
    let worker = Process::start(nats.nats.root(), &["worker", "--slots", "1"]);
    for _ in 0..3 {
        submit(&at, "python3", ADD_SLOWLY).await;
    }
    api.kill9();
    let api = Process::start(&data, &serve);
    let at = address(&api);
    for number in 1..=3 {
        assert_eq!(result(&at, number).await["verdict"], "AC");
    }
    let survived = text(format!("{at}/v1/submissions")).await;
    assert_eq!(api.terminate(), Some(0));
    // The same from nothing.
    let api = Process::start(&folder.path().join("fresh"), &serve);
    assert_eq!(text(format!("{}/v1/submissions", address(&api))).await, survived);
    assert_eq!(api.terminate(), Some(0));
    assert_eq!(worker.terminate(), Some(0));
}

/// A folder of problems: a package that states no time limit, and a zip of another.
fn unlimited_problems(folder: &Path) -> std::path::PathBuf {
    let problems = folder.join("problems");
    for (path, text) in [
        ("quick/problem.yaml", "name: Quick\n"),
        ("quick/data/secret/1.in", "1 2\n"),
        ("quick/data/secret/1.ans", "3\n"),
        ("quick/submissions/accepted/add.py", ADD),
    ] {
        std::fs::create_dir_all(problems.join(path).parent().unwrap()).unwrap();
        std::fs::write(problems.join(path), text).unwrap();
    }
    let mut zip = zip::ZipWriter::new(std::fs::File::create(problems.join("zipped.zip")).unwrap());
    for (path, text) in [
        ("problem.yaml", "name: Zipped\nlimits: {time_limit: 3}\n"),
        ("data/secret/1.in", "1 2\n"),
        ("data/secret/1.ans", "3\n"),
        ("submissions/accepted/add.py", ADD),
    ] {
        zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    problems
}

async fn problem(address: &str, id: &str) -> Value {
    serde_json::from_str(&text(format!("{address}/v1/problems/{id}")).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_that_is_not_stated_is_derived_once() {
    let folder = tempfile::tempdir().unwrap();
    let (problems, data) = (unlimited_problems(folder.path()), folder.path().join("data"));
    let arguments = ["up", "--listen", "127.0.0.1:0", "--problems", problems.to_str().unwrap()];
    let up = Process::start(&data, &arguments);
    let at = address(&up);
    let quick = problem(&at, "quick").await;
    assert_eq!(quick["problem"]["verified"], true, "{quick:#}");
    assert_eq!(quick["problem"]["time_limit_ms"], 1000, "{quick:#}");
    assert_eq!(problem(&at, "zipped").await["problem"]["time_limit_ms"], 3000);
    assert_eq!(up.terminate(), Some(0));
    // The next start finds what it has published.
    let up = Process::start(&data, &arguments);
    assert_eq!(problem(&address(&up), "quick").await["problem"]["revision"], 1);
    assert_eq!(up.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_on_a_host_that_cannot_confine_says_so_and_serves() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (problems, data) = (unlimited_problems(folder.path()), folder.path().join("data"));
    let url = url_of(&judge.nats, Role::Api);
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--nats", &url, "--problems", problems.to_str().unwrap()];
    let api = Process::begin_with(&data, &arguments, &[("ASSIZE_SANDBOX", "/nowhere")]).until_ready();
    let at = address(&api);
    // Published all the same, by the default limit.
    let quick = problem(&at, "quick").await;
    assert_eq!(quick["problem"]["verified"], false, "{quick:#}");
    assert_eq!(quick["problem"]["time_limit_ms"], 2000, "{quick:#}");
    let put = async |query: &str| {
        let body = std::fs::read(problems.join("zipped.zip")).unwrap();
        let request = reqwest::Client::new().put(format!("{at}/v1/problems/new/package{query}"));
        let answer = request.header("content-type", "application/zip").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, refused) = put("").await;
    assert_eq!((status, &refused["code"]), (503, &json!("cannot_verify")), "{refused:#}");
    assert!(refused["detail"].as_str().unwrap().contains("?verify=false"), "{refused:#}");
    assert_eq!(reqwest::get(format!("{at}/v1/problems/new")).await.unwrap().status(), 404);
    assert_eq!(put("?verify=false").await.0, 201);
    assert_eq!(api.terminate(), Some(0));
}

/// Starts a role while its server is down, and returns when it has looked for it. Nobody else may be looking.
fn begin_without_server(nats: &TestNats, data: &Path, args: &[&str]) -> Process {
    let port: u16 = nats.url().rsplit(':').next().unwrap().parse().unwrap();
    let in_its_place = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let process = Process::begin(data, args);
    drop(in_its_place.accept().unwrap());
    process
}

/// The server's address with a role's user and password.
fn url_of(nats: &TestNats, role: Role) -> String {
    let user = format!("nats://{role}:{}@", nats.password(role).reveal());
    nats.url().replace("nats://", &user)
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_wait_for_a_server_that_comes_after_them() {
    let mut nats = TestNats::start().await;
    let folder = tempfile::tempdir().unwrap();
    let created = run(folder.path(), &["streams", "create", "--nats", &url_of(&nats, Role::Admin)]);
    assert!(created.status.success(), "{created:?}");
    let url = url_of(&nats, Role::Api);
    let serve = &["serve", "--listen", "127.0.0.1:0", "--nats", &url][..];
    for (data, args) in
        [(folder.path(), serve), (nats.root().to_owned().as_path(), &["worker", "--slots", "1"])]
    {
        nats.kill9().await;
        let process = begin_without_server(&nats, data, args);
        nats.restart().await;
        assert_eq!(process.until_ready().terminate(), Some(0), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_the_start_ends_it() {
    let mut nats = TestNats::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = url_of(&nats, Role::Api);
    nats.kill9().await;
    let serve = &["serve", "--listen", "127.0.0.1:0", "--nats", &url][..];
    for (data, args) in [(folder.path(), serve), (nats.root(), &["worker", "--slots", "1"])] {
        let process = begin_without_server(&nats, data, args);
        assert_eq!(process.terminate(), Some(0), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_is_immediate() {
    let nats = TestJudge::start().await;
    nats.publish("a").await;
    let worker = Process::start(nats.nats.root(), &["worker", "--slots", "1"]);
    let id = nats.submit("a", "python3", &ADD_SLOWLY.replace("0.2", "1.2")).await;
    nats.wait_until(id, |state| !state.judgings[0].testcases.is_empty()).await;
    let asked = Instant::now();
    worker.signal(Signal::SIGTERM);
    worker.signal(Signal::SIGINT);
    assert_eq!(worker.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_api_stops_without_waiting_for_itself() {
    let nats = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let password = nats.nats.password(Role::Api);
    let url = nats.nats.url().replace("nats://", &format!("nats://api:{}@", password.reveal()));
    let api = Process::start(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--nats", &url]);
    let asked = Instant::now();
    assert_eq!(api.terminate(), Some(0));
    assert!(asked.elapsed() < Duration::from_millis(1800), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_created_by_those_who_may() {
    let nats = TestNats::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = |role| url_of(&nats, role);
    let refused = run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--nats", &url(Role::Api)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("not permitted to create") && said.contains("assize streams create"), "{said}");
    let missing = run(folder.path(), &["streams", "verify", "--nats", &url(Role::Admin)]);
    assert_eq!(missing.status.code(), Some(5), "{missing:?}");
    for _ in 0..2 {
        let created = run(folder.path(), &["streams", "create", "--nats", &url(Role::Admin)]);
        assert_eq!(created.status.code(), Some(0), "{created:?}");
    }
    let verified = run(folder.path(), &["streams", "verify", "--nats", &url(Role::Admin)]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let copies = run(folder.path(), &["streams", "create", "--replicas", "3", "--nats", &url(Role::Admin)]);
    let said = String::from_utf8_lossy(&copies.stderr).into_owned();
    assert!(said.contains("num_replicas is 1 and should be at least 3"), "{said}");
    let api = Process::start(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--nats", &url(Role::Api)]);
    assert_eq!(api.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_clients_post_loses_and_doubles_nothing() {
    let mut nats = TestJudge::start().await;
    nats.publish("a").await;
    let folder = tempfile::tempdir().unwrap();
    let password = nats.nats.password(Role::Api);
    let url = nats.nats.url().replace("nats://", &format!("nats://api:{}@", password.reveal()));
    let api = Process::start(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--nats", &url]);
    let at = address(&api);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients = (0..8).map(|client| {
        let (at, acknowledged) = (at.clone(), acknowledged.clone());
        tokio::spawn(async move {
            let http = reqwest::Client::new();
            let mut ids = Vec::new();
            for turn in 0..25 {
                let key = format!("{client}-{turn}");
                let body = json!({ "code": format!("print({turn})"), "language": "python3", "problem": "a" });
                // As a client that heeds what it is told: the same again until it is acknowledged.
                let id = loop {
                    let sent = http.post(format!("{at}/v1/submissions")).header("idempotency-key", &key);
                    let answer = sent.json(&body).send().await.unwrap();
                    match answer.status().as_u16() {
                        202 => {
                            break answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
                        }
                        status => assert_eq!(status, 503),
                    }
                };
                ids.push(id);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            ids
        })
    });
    let clients: Vec<_> = clients.collect();
    for (kill, enough) in [40, 80, 120].into_iter().enumerate() {
        while acknowledged.load(Ordering::Relaxed) < enough {
            tokio::task::yield_now().await;
        }
        assert!(acknowledged.load(Ordering::Relaxed) < 200, "kill {kill} comes while clients post");
        nats.nats.kill9().await;
        nats.nats.restart().await;
    }
    let mut ids = BTreeSet::new();
    for client in clients {
        ids.extend(client.await.unwrap());
    }
    assert_eq!(ids.len(), 200);
    let last = nats.store.last_sequence().await.unwrap();
    let mut stored = Vec::new();
    let mut history = nats.store.follow(1);
    let mut seen = 0;
    while seen < last {
        for event in history.recv().await.unwrap().unwrap() {
            seen = event.recorded.sequence;
            if let Event::SubmissionCreated(created) = event.recorded.envelope.event {
                stored.push(created.submission.to_string());
            }
        }
    }
    assert_eq!(stored.len(), 200, "each once");
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), ids);
    assert_eq!(api.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_submissions_of_sixteen_clients_all_get_their_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let judge = up(&folder.path().join("data"));
    let at = address(&judge);
    let clients = (0..16).map(|client| {
        let at = at.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for turn in (client..300).step_by(16) {
                let code = if turn % 3 == 0 { "print(0)" } else { ADD };
                numbers.push((submit(&at, "python3", code).await, if turn % 3 == 0 { "WA" } else { "AC" }));
            }
            numbers
        })
    });
    let mut all = Vec::new();
    for client in futures::future::join_all(clients).await {
        all.extend(client.unwrap());
    }
    let mut numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<u64>>());
    for (number, expected) in all {
        assert_eq!(result(&at, number).await["verdict"], expected);
    }
    assert_eq!(judge.terminate(), Some(0));
}
