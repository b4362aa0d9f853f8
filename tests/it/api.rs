//! The API over HTTP: the first interface, `/v1`, what is refused and how, and what holds while parts are away.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use assize::domain::ids::SubmissionId;
use assize::domain::submission::Command;
use assize::domain::verdict::Verdict;
use assize::nats_server::Role;
use assize::store::presence::{self, OfferedLanguage, WorkerStatus};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::api::{Answer, TestApi};
use crate::harness::judge::PATIENCE;
use crate::projection::Scribe;

const ADD: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/assize.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, assize::api::document()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == assize::api::document(), "openapi/assize.json is out of date: UPDATE=1 writes it");
}

#[test]
fn the_command_prints_the_document() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_assize")).arg("openapi").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap() == assize::api::document());
}

#[test]
fn the_document_avoids_what_breaks_generators() {
    let text = assize::api::document();
    for (bad, why) in [
        ("charset=utf-8", "ugly keys in clients"),
        ("multipart/form-data", "progenitor rejects the document"),
        ("\"uint", "no format of OpenAPI 3.0"),
        ("\"New", "redeclared in Go"),
    ] {
        assert!(!text.contains(bad), "{bad}: {why}");
    }
    let document: Value = serde_json::from_str(text).unwrap();
    let operations = document["paths"].as_object().unwrap().values().flat_map(|item| {
        item.as_object().unwrap().values().map(|operation| operation["operationId"].as_str().unwrap())
    });
    let ids: Vec<&str> = operations.collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let union = &document["components"]["schemas"]["RecordedEvent"];
    assert_eq!(union["discriminator"]["propertyName"], "type");
    assert_eq!(
        union["discriminator"]["mapping"]["assize.verdict_issued.v1"],
        "#/components/schemas/VerdictIssuedEvent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_needs_no_other_host() {
    let api = TestApi::start().await;
    let served = api.get("/openapi.json").await;
    assert_eq!(served.text, assize::api::document());
    assert_eq!(served.header("content-type"), "application/json");
    let page = api.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let (before, shown) = page.text.split_once("let spec = ").unwrap();
    let shown = serde_json::Deserializer::from_str(shown).into_iter::<Value>().next().unwrap().unwrap();
    assert_eq!(shown, served.json, "the page shows the document as it is committed");
    assert!(shown["components"]["schemas"]["RecordedEvent"]["oneOf"].is_array());
    for tag in ["<link", "<script src", "<img", "@import", "<iframe"] {
        assert!(!before.split("<script").next().unwrap().contains(tag), "{tag} loads something");
        assert!(!page.text.rsplit("</script>").next().unwrap().contains(tag), "{tag} loads something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_interface_word_for_word() {
    let api = TestApi::start().await;
    let worker = api.judge.worker("w1", 2).await;
    let submit =
        |code: &str, language: &str| json!({ "code": code, "language": language, "question_id": "a" });
    let cpp = "#include <iostream>\nint main() { long long a, b; std::cin >> a >> b; std::cout << a + b; }\n";
    let programs = [
        (submit(ADD, "python3"), "AC", "AC"),
        (submit(cpp, "cpp17"), "AC", "AC"),
        (submit("print(0)", "python3"), "WA", "WA"),
        (submit("1 / 0", "python3"), "RE", "RTE"),
        (submit("def broken(:", "python3"), "CE", "CE"),
    ];
    for (number, (body, _, _)) in (1..).zip(&programs) {
        let answer = api.post("/submit", body).await;
        assert_eq!((answer.status, &answer.json["id"]), (200, &json!(number)), "{}", answer.text);
    }
    for (number, (_, verdict, code)) in (1..).zip(&programs) {
        let answer = result(&api, number).await;
        assert_eq!((&answer["verdict"], &answer["code"]), (&json!(verdict), &json!(code)), "{answer:#}");
        assert_eq!((&answer["id"], &answer["question_id"]), (&json!(number), &json!("a")));
        assert_eq!(answer["diagnostics"].is_string(), *verdict == "CE", "{answer:#}");
    }
    api.get("/result/6").await.assert_problem(404, "not_found");
    worker.stop().await;
}

/// The result of a number, once it is judged.
async fn result(api: &TestApi, number: u64) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = api.get(&format!("/result/{number}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let status = answer.json["status"].as_str().unwrap();
        match status {
            "judged" | "failed" => return answer.json,
            "queued" | "judging" => assert!(answer.json.get("verdict").is_none(), "{}", answer.text),
            other => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "no verdict in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Without asking for its sequence, as clients do that follow a `Location`.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_there_at_once() {
    let api = TestApi::start().await;
    let body = json!({ "problem": "a", "language": "python3", "code": ADD });
    for _ in 0..50 {
        let accepted = api.post("/v1/submissions", &body).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        let read = api.get(accepted.header("location")).await;
        assert_eq!(read.status, 200, "{}", read.text);
    }
    assert_eq!(api.get("/v1/submissions/01a20a5c-0c37-7dbc-8c5b-ac4793034900").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_accepted_where_its_location_says() {
    let api = TestApi::start().await;
    let body = json!({ "problem": "a", "language": "py3", "user": "ann", "contest": "spring",
        "files": [{ "name": "main.py", "content": ADD }, { "name": "more.py", "content": "" }] });
    let accepted = api.post("/v1/submissions", &body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let sequence = accepted.json["sequence"].as_u64().unwrap();
    assert_eq!(accepted.header("assize-sequence"), sequence.to_string());
    let location = accepted.header("location");
    assert_eq!(location, format!("/v1/submissions/{}", accepted.json["id"].as_str().unwrap()));
    assert_eq!(accepted.json["language"], "python3");

    let read = api.get(&format!("{location}?min_seq={sequence}")).await;
    assert_eq!(read.status, 200, "{}", read.text);
    assert_eq!(read.header("assize-sequence"), read.json["sequence"].to_string());
    let submission = &read.json["submission"];
    assert_eq!((&submission["number"], &submission["state"]), (&json!(1), &json!("queued")));
    assert_eq!((&submission["user"], &submission["contest"]), (&json!("ann"), &json!("spring")));
    assert_eq!(read.json["sources"][0]["name"], "main.py");
    assert_eq!(read.json["sources"][0]["size_bytes"], ADD.len());

    // What has not changed is not sent again, until it has.
    let tag = read.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
    let again = || api.request(Method::GET, location).header("if-none-match", &tag);
    let unchanged = api.send(again()).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    let id = submission["id"].as_str().unwrap().parse().unwrap();
    Scribe::of(&api.judge).await.verdict(id, &[Verdict::Ac, Verdict::Wa]).await;
    api.caught_up().await;
    let changed = api.send(again()).await;
    assert_eq!((changed.status, &changed.json["submission"]["verdict"]), (200, &json!("WA")));
    let judging = &changed.json["judgings"][0];
    assert_eq!(judging["compilation"]["diagnostics"], "warning: unused");
    let testcases = judging["testcases"].as_array().unwrap();
    assert_eq!(testcases.len(), 2);
    assert_eq!((&testcases[1]["name"], &testcases[1]["verdict"]), (&json!("secret/02"), &json!("WA")));

    // Nobody is named: `anonymous`. Left out and null are the same.
    let body =
        json!({ "problem": "a", "language": "cpp17", "code": "int main(){}", "user": null, "files": null });
    let accepted = api.post("/v1/submissions", &body).await;
    assert_eq!((accepted.status, &accepted.json["user"]), (202, &json!("anonymous")), "{}", accepted.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_fit_are_refused_with_the_reason() {
    let api = TestApi::start().await;
    let good = || json!({ "problem": "a", "language": "python3", "code": ADD });
    let with = |field: &str, value: Value| {
        let mut body = good();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let files = |files: Value| json!({ "problem": "a", "language": "python3", "files": files });
    let refused: Vec<(Value, u16, &str, &[&str])> = vec![
        (with("language", json!("klingon")), 422, "unknown_language", &["language"]),
        (with("language", json!("")), 422, "unknown_language", &["language"]),
        (with("language", json!("output")), 422, "language_not_allowed", &["language"]),
        (with("problem", json!("nowhere")), 422, "unknown_problem", &["problem"]),
        (with("problem", json!("a.b > *")), 422, "unknown_problem", &["problem"]),
        (with("code", json!("")), 422, "empty_source", &["code"]),
        (with("code", json!("x".repeat(140_000))), 413, "too_large", &[]),
        (with("user", json!("a.b")), 422, "invalid_user", &["user"]),
        (with("user", json!("")), 422, "invalid_user", &["user"]),
        (with("contest", json!("*")), 422, "invalid_contest", &["contest"]),
        (with("code", json!(1)), 422, "invalid_body", &["code"]),
        (with("code", json!(["x"])), 422, "invalid_body", &["code"]),
        (with("language", Value::Null), 422, "invalid_body", &["language"]),
        (with("user", json!({})), 422, "invalid_body", &["user"]),
        (without("language"), 422, "invalid_body", &["language"]),
        (without("problem"), 422, "invalid_body", &["problem"]),
        (without("code"), 422, "no_source", &["code"]),
        (json!({}), 422, "invalid_body", &["problem", "language"]),
        (json!([]), 422, "invalid_body", &["body"]),
        (json!("a"), 422, "invalid_body", &["body"]),
        (Value::Null, 422, "invalid_body", &["body"]),
        (with("files", json!([{ "name": "a.py", "content": "x" }])), 422, "two_sources", &["files"]),
        (files(json!([])), 422, "empty_source", &["files"]),
        (files(json!([{ "name": "a.py", "content": "" }])), 422, "empty_source", &["files"]),
        (files(json!([{ "name": "a.py" }])), 422, "invalid_body", &["files[0].content"]),
        (
            files(json!([{ "name": 7, "content": 7 }])),
            422,
            "invalid_body",
            &["files[0].name", "files[0].content"],
        ),
        (files(json!([{ "name": "../a.py", "content": "x" }])), 422, "invalid_file_name", &["files"]),
        (files(json!([{ "name": "", "content": "x" }])), 422, "invalid_file_name", &["files"]),
        (
            files(json!([{ "name": "a.py", "content": "x" }, { "name": "a.py", "content": "y" }])),
            422,
            "repeated_file_name",
            &["files"],
        ),
        (
            files(json!(vec![json!({ "name": "a.py", "content": "x" }); 65])),
            422,
            "too_many_files",
            &["files"],
        ),
    ];
    for (body, status, code, fields) in refused {
        let answer = api.post("/v1/submissions", &body).await;
        answer.assert_problem(status, code);
        assert_eq!(answer.fields(), fields, "{}", answer.text);
    }
    // The same in the words of the first interface.
    let first = |field: &str, value: Value| {
        let mut body = json!({ "code": ADD, "language": "python3", "question_id": "a" });
        body[field] = value;
        body
    };
    for (field, value, status, code) in [
        ("question_id", json!("nowhere"), 422, "unknown_problem"),
        ("language", json!("klingon"), 422, "unknown_language"),
        ("code", json!(""), 422, "empty_source"),
        ("question_id", json!(1), 422, "invalid_body"),
        ("code", Value::Null, 422, "invalid_body"),
    ] {
        let answer = api.post("/submit", &first(field, value)).await;
        answer.assert_problem(status, code);
        assert_eq!(answer.fields(), [field], "{}", answer.text);
    }
    for path in ["/submit", "/v1/submissions"] {
        for (body, code) in [
            (&b"{\"code\": "[..], "invalid_json"),
            (b"", "invalid_json"),
            (b"code=x", "invalid_json"),
            (b"{\"code\": \"\\ud800\"}", "invalid_json"),
            (b"{\"code\": \"\xff\xfe\"}", "invalid_utf8"),
        ] {
            api.post_raw(path, body).await.assert_problem(400, code);
        }
        api.post_raw(path, "[".repeat(100_000)).await.assert_problem(400, "invalid_json");
        api.post_raw(path, vec![b' '; (2 << 20) + 1]).await.assert_problem(413, "too_large");
        api.post_raw(path, vec![b' '; 12 << 20]).await.assert_problem(413, "too_large");
        let form = api.request(Method::POST, path).header("content-type", "text/plain").body("{}");
        api.send(form).await.assert_problem(415, "unsupported_media_type");
        api.send(api.request(Method::POST, path).body("{}"))
            .await
            .assert_problem(415, "unsupported_media_type");
    }
    assert_eq!(api.get("/v1/submissions").await.json["items"], json!([]), "nothing of this was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_methods_and_parameters_that_do_not_exist_are_told() {
    let api = TestApi::start().await;
    let (id, _) = api.submit_as("ann", ADD).await;
    api.caught_up().await;
    let absent = "01890a5d-ac96-774b-bcce-b302099a8057";
    for path in [
        "/",
        "/nowhere",
        "/v1",
        "/v1/nowhere",
        "/v1/submissions/",
        "/v1/submissions/1",
        "/v1/submissions/x",
        "/v1/submissions/%00",
        "/v1/submissions/%FF",
        "/v1/submissions/a%2Fb",
        "/v1/submissions/../submissions/x",
        &format!("/v1/submissions/{absent}"),
        &format!("/v1/submissions/{absent}/events"),
        &format!("/v1/submissions/{absent}/events/stream"),
        &format!("/v1/submissions/{}", "x".repeat(5000)),
        &format!("/v1/submissions/{id}/"),
        "/v1/problems/nowhere",
        "/v1/problems/a.b",
        "/v1/problems/%2e%2e",
        "/problems/nowhere",
        "/result/0",
        "/result/2",
        "/result/-1",
        "/result/x",
        "/result/1.0",
        "/result/99999999999999999999999",
    ] {
        let answer = api.get(path).await;
        answer.assert_problem(404, "not_found");
        assert!(answer.text.len() < 1000, "{}", answer.text);
    }
    // An id may be percent-encoded like anything in a path.
    let encoded: String = id.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(api.get(&format!("/v1/submissions/{encoded}")).await.status, 200);

    for (method, path, allow) in [
        (Method::DELETE, "/v1/submissions", "POST, GET, HEAD"),
        (Method::PUT, &format!("/v1/submissions/{id}") as &str, "GET, HEAD"),
        (Method::GET, "/submit", "POST"),
        (Method::POST, "/result/1", "GET, HEAD"),
        (Method::PATCH, "/livez", "GET, HEAD"),
        (Method::POST, "/openapi.json", "GET, HEAD"),
        (Method::POST, "/docs", "GET, HEAD"),
    ] {
        let answer = api.send(api.request(method, path)).await;
        answer.assert_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
    for path in ["/v1/submissions", "/livez", "/docs", &format!("/v1/submissions/{id}")] {
        let answer = api.send(api.request(Method::HEAD, path)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }

    for (query, field, rule) in [
        ("limit=0", "limit", "`limit` must be a whole number from 1 to 200"),
        ("limit=201", "limit", "`limit` must be a whole number from 1 to 200"),
        ("limit=99999999", "limit", "`limit` must be a whole number from 1 to 200"),
        ("limit=x", "limit", "`limit` must be a whole number from 1 to 200"),
        ("limit=", "limit", "`limit` must be a whole number from 1 to 200"),
        ("limit=-1", "limit", "`limit` must be a whole number from 1 to 200"),
        ("verdict=XX", "verdict", "`verdict` must be one of AC, WA, PE"),
        ("verdict=ac", "verdict", "`verdict` must be one of AC, WA, PE"),
        ("problem=a.b", "problem", "1 to 40 of the characters"),
        ("user=*", "user", "1 to 40 of the characters"),
        ("user=", "user", "1 to 40 of the characters"),
        ("language=C%20C", "language", "1 to 32 of the characters"),
        ("since=yesterday", "since", "RFC 3339"),
        ("until=2026-01-01", "until", "RFC 3339"),
        ("since=2026-01-01T00:00:00", "since", "RFC 3339"),
        ("after=x", "after", ""),
        (&format!("after={absent}") as &str, "after", "there is no such submission"),
        ("min_seq=x", "min_seq", "`min_seq` must be a whole number from 0 to 9007199254740991"),
        (
            "min_seq=9007199254740992",
            "min_seq",
            "`min_seq` must be a whole number from 0 to 9007199254740991",
        ),
        ("min_seq=-1", "min_seq", "`min_seq` must be a whole number from 0 to 9007199254740991"),
    ] {
        let answer = api.get(&format!("/v1/submissions?{query}")).await;
        answer.assert_problem(400, "invalid_parameter");
        assert_eq!(answer.fields(), [field], "{}", answer.text);
        assert!(answer.json["detail"].as_str().unwrap().contains(rule), "{}", answer.text);
    }
    let stream = format!("/v1/submissions/{id}/events/stream");
    let request = api.request(Method::GET, &stream).header("last-event-id", "x");
    let answer = api.send(request).await;
    assert_eq!(answer.assert_problem(400, "invalid_parameter").fields(), ["Last-Event-ID"]);
    for query in ["from_seq=x", "to_seq=1.5"] {
        let answer = api.get(&format!("/v1/submissions/{id}/events?{query}")).await;
        answer.assert_problem(400, "invalid_parameter");
    }
    // Every error says where its kind is explained.
    for code in ["not_found", "invalid_parameter", "invalid_utf8", "unavailable", "idempotency_key_reused"] {
        assert_eq!(api.get(&format!("/problems/{code}")).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_a_retry_the_same_submission() {
    let api = TestApi::start().await;
    let post = |key: &[u8], code: &str| {
        let body = json!({ "problem": "a", "language": "python3", "code": code, "user": "ann" });
        let key = reqwest::header::HeaderValue::from_bytes(key).unwrap();
        api.send(api.request(Method::POST, "/v1/submissions").header("idempotency-key", key).json(&body))
    };
    let first = post(b"key-1", ADD).await;
    assert_eq!(first.status, 202);
    let retried = post(b"key-1", ADD).await;
    assert_eq!((retried.status, &retried.text), (202, &first.text));
    assert_eq!(retried.header("location"), first.header("location"));
    post(b"key-1", "print(1)").await.assert_problem(422, "idempotency_key_reused");
    let other = post(b"key-2", ADD).await;
    assert_ne!(other.json["id"], first.json["id"]);
    // All at once, as an impatient client does.
    let many = futures::future::join_all((0..8).map(|_| post(b"key-3", ADD))).await;
    let texts: BTreeSet<&str> = many.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!((many[0].status, texts.len()), (202, 1), "{texts:#?}");
    for key in [&b""[..], b"a b", b"a\tb", "schl\u{fc}ssel".as_bytes(), b"\xff", &[b'k'; 256]] {
        let answer = post(key, ADD).await;
        assert_eq!(answer.assert_problem(400, "invalid_parameter").fields(), ["Idempotency-Key"]);
    }
    assert_eq!(post(&[b'k'; 255], ADD).await.status, 202);
    let last = api.caught_up().await;
    let list = api.get(&format!("/v1/submissions?min_seq={last}")).await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_answered_by_the_rules_of_its_time() {
    let api = TestApi::start().await;
    let post = |path: &'static str, body: Value| {
        api.send(api.request(Method::POST, path).header("idempotency-key", "once").json(&body))
    };
    let body = json!({ "problem": "a", "language": "python3", "code": ADD, "user": "ann" });
    let first = post("/v1/submissions", body.clone()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    // A worker comes that offers no Python: a new submission is refused, the retry of an old one is not.
    let status = json!({
        "worker": "w1", "host": "here", "slots": 1, "busy_slots": 0, "routing_classes": ["standard"],
        "languages": [{ "language": "cpp17", "toolchain": "g++" }], "sandbox_layers": [],
        "started_at": "2026-01-01T00:00:00Z", "stopping": false,
    });
    let announcer = api.judge.nats.client(Role::Worker).await;
    announcer.publish("assize.worker.w1", status.to_string().into()).await.unwrap();
    announcer.flush().await.unwrap();
    let known = async {
        while api.state.directory.live().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.expect("the worker is known");
    api.post("/v1/submissions", &body).await.assert_problem(422, "language_not_offered");
    let retried = post("/v1/submissions", body.clone()).await;
    assert_eq!((retried.status, &retried.text), (202, &first.text));
    let mut other = body;
    other["code"] = json!("print(1)");
    post("/v1/submissions", other).await.assert_problem(422, "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_interface_takes_a_key_and_records_nothing_that_it_cannot_number() {
    let api = TestApi::start().await;
    let body = json!({ "question_id": "a", "language": "python3", "code": ADD });
    let post =
        || api.send(api.request(Method::POST, "/submit").header("idempotency-key", "once").json(&body));
    let (first, second) = tokio::join!(post(), post());
    assert_eq!((first.status, first.json["id"].as_u64()), (200, Some(1)), "{}", first.text);
    assert_eq!(first.text, second.text);
    let misused = api.request(Method::POST, "/submit").header("idempotency-key", "a b").json(&body);
    api.send(misused).await.assert_problem(400, "invalid_parameter");
    // The history is damaged, so the read model stops.
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-type", "assize.unheard_of.v9");
    let admin = api.judge.nats.jetstream(Role::Admin).await;
    let subject = "assize.event.00.p-x._.x._.problem";
    admin.publish_with_headers(subject, headers, "{}".into()).await.unwrap().await.unwrap();
    let failed = async {
        while api.state.projection.health().failure.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.expect("the projection stops");
    let before = api.judge.store.last_sequence().await.unwrap();
    api.post("/submit", &body).await.assert_problem(503, "unavailable");
    assert_eq!(api.judge.store.last_sequence().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_as_new_as_asked_for_or_says_that_it_cannot_be() {
    let api = TestApi::start().await;
    for _ in 0..20 {
        let (id, sequence) = api.submit_as("ann", ADD).await;
        for path in [
            format!("/v1/submissions/{id}?min_seq={sequence}"),
            format!("/v1/submissions?min_seq={sequence}"),
            format!("/v1/problems?min_seq={sequence}"),
            format!("/v1/problems/a?min_seq={sequence}"),
        ] {
            let answer = api.get(&path).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(answer.json["sequence"].as_u64().unwrap() >= sequence);
            assert_eq!(answer.header("assize-sequence"), answer.json["sequence"].to_string());
        }
    }
    let (early, _) = api.submit_as("ann", ADD).await;
    let next = api.caught_up().await + 1;
    let path = format!("/v1/submissions/{early}?min_seq={next}");
    let (waited, _) = tokio::join!(api.get(&path), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        api.submit_as("ann", ADD).await
    });
    assert_eq!(waited.status, 200, "{}", waited.text);
    for path in ["/v1/submissions", &format!("/v1/submissions/{early}"), "/result/1", "/v1/problems/a"] {
        let answer = api.get(&format!("{path}?min_seq=1000000")).await;
        answer.assert_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered() {
    let api = TestApi::start().await;
    api.judge.publish("brackets").await;
    let scribe = Scribe::of(&api.judge).await;
    let begin = Timestamp::now();
    let mut ids = Vec::new();
    for (problem, language, user, verdict) in [
        ("a", "python3", "ann", Some(Verdict::Ac)),
        ("a", "cpp17", "ann", Some(Verdict::Wa)),
        ("brackets", "python3", "ann", Some(Verdict::Ac)),
        ("a", "python3", "bob", Some(Verdict::Tle)),
        ("brackets", "cpp17", "bob", None),
    ] {
        // The times tell them apart.
        tokio::time::sleep(Duration::from_millis(3)).await;
        api.caught_up().await;
        let body = json!({ "problem": problem, "language": language, "user": user, "code": ADD });
        let answer = api.post("/v1/submissions", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id: SubmissionId = answer.json["id"].as_str().unwrap().parse().unwrap();
        if let Some(verdict) = verdict {
            scribe.verdict(id, &[verdict]).await;
        }
        ids.push((id, answer.json["submitted_at"].as_str().unwrap().to_owned()));
    }
    api.caught_up().await;
    let third = &ids[2].1;
    let after_third = third.replace('Z', "%2B00:00");
    for (query, expected) in [
        (String::new(), vec![4, 3, 2, 1, 0]),
        ("problem=a".to_owned(), vec![3, 1, 0]),
        ("problem=nowhere".to_owned(), vec![]),
        ("user=bob".to_owned(), vec![4, 3]),
        ("language=cpp17".to_owned(), vec![4, 1]),
        ("language=py3".to_owned(), vec![3, 2, 0]),
        ("verdict=AC".to_owned(), vec![2, 0]),
        ("verdict=CE".to_owned(), vec![]),
        ("problem=a&verdict=WA".to_owned(), vec![1]),
        ("problem=a&user=ann&language=python3&verdict=AC".to_owned(), vec![0]),
        (format!("since={third}"), vec![4, 3, 2]),
        (format!("since={after_third}"), vec![4, 3, 2]),
        (format!("until={third}"), vec![1, 0]),
        (format!("since={begin}&until={third}&user=ann&problem=a"), vec![1, 0]),
        (format!("until={begin}"), vec![]),
    ] {
        let answer = api.get(&format!("/v1/submissions?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let found: Vec<&str> = listed(&answer).collect();
        let expected: Vec<String> = expected.iter().map(|at: &usize| ids[*at].0.to_string()).collect();
        assert_eq!(found, expected, "{query}");
    }
}

fn listed(answer: &Answer) -> impl Iterator<Item = &str> {
    answer.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_miss_nor_repeat_while_more_arrive() {
    let api = TestApi::start().await;
    for number in 0..23 {
        api.submit_as(if number % 2 == 0 { "ann" } else { "bob" }, ADD).await;
    }
    api.caught_up().await;
    for (filter, total) in
        [("", 23), ("&user=ann", 12), ("&user=bob&problem=a", 11), ("&language=python3", 0)]
    {
        let whole = api.get(&format!("/v1/submissions?limit=200{filter}")).await;
        let expected: Vec<String> = listed(&whole).map(str::to_owned).collect();
        assert!(total == 0 || expected.len() >= total);
        assert!(whole.json.get("next_after").is_none());
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = api.get(&format!("/v1/submissions?limit=5{filter}{after}")).await;
            assert!(page.json["items"].as_array().unwrap().len() <= 5);
            found.extend(listed(&page).map(str::to_owned));
            // Somebody submits between two pages.
            api.submit_as("ann", ADD).await;
            api.caught_up().await;
            let Some(next) = page.json["next_after"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(found, expected, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_are_in_the_history() {
    let api = TestApi::start().await;
    let (id, created) = api.submit_as("ann", ADD).await;
    let last = Scribe::of(&api.judge).await.verdict(id, &[Verdict::Ac, Verdict::Wa]).await;
    let events = api.get(&format!("/v1/submissions/{id}/events")).await;
    assert_eq!(events.json["sequence"], last);
    let items = events.json["items"].as_array().unwrap();
    let types: Vec<&str> = items.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "assize.submission_created.v1",
            "assize.judging_started.v1",
            "assize.compile_finished.v1",
            "assize.testcase_judged.v1",
            "assize.testcase_judged.v1",
            "assize.verdict_issued.v1",
        ]
    );
    let sequences: Vec<u64> = items.iter().map(|item| item["sequence"].as_u64().unwrap()).collect();
    assert_eq!((sequences[0], sequences[5]), (created, last));
    assert_eq!(items[0]["data"]["submission"], id.to_string());
    let part = api
        .get(&format!("/v1/submissions/{id}/events?from_seq={}&to_seq={}", sequences[1], sequences[3]))
        .await;
    assert_eq!(part.json["items"].as_array().unwrap()[..], items[1..4]);
    let none = api.get(&format!("/v1/submissions/{id}/events?from_seq=9&to_seq=3")).await;
    assert_eq!(none.json["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_every_event_once_and_resumes_exactly() {
    let api = TestApi::start().await;
    let (id, _) = api.submit_as("ann", ADD).await;
    let (other, _) = api.submit_as("bob", ADD).await;
    let scribe = Scribe::of(&api.judge).await;
    let mut live = api.follow(id, None).await;
    let created = live.next().await.unwrap();
    assert_eq!(created.name, "assize.submission_created.v1");
    // Opened before anything happened; what comes is told while it comes, and nothing of the other submission.
    let (_, last) =
        tokio::join!(scribe.verdict(other, &[Verdict::Ac]), scribe.verdict(id, &[Verdict::Ac; 4]));
    let mut told = vec![created];
    told.extend(live.rest().await);
    assert_eq!(told.last().map(|event| event.id), Some(last), "the stream ends after the verdict");
    let events = api.get(&format!("/v1/submissions/{id}/events")).await;
    let items = events.json["items"].as_array().unwrap();
    assert_eq!(told.iter().map(|event| &event.data).collect::<Vec<_>>(), items.iter().collect::<Vec<_>>());
    for event in &told {
        assert_eq!(
            (json!(event.id), json!(event.name)),
            (event.data["sequence"].clone(), event.data["type"].clone())
        );
    }
    // From every place on.
    for (place, event) in told.iter().enumerate() {
        let rest = api.follow(id, Some(event.id)).await;
        if place + 1 == told.len() {
            assert_eq!(rest.response.status(), 204, "nothing more will come");
        } else {
            assert_eq!(rest.rest().await, told[place + 1..]);
        }
    }
    let stream = format!("/v1/submissions/{id}/events/stream?last_event_id={last}");
    assert_eq!(api.get(&stream).await.status, 204, "for clients that cannot set headers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_follows_a_rejudge_and_ends_when_the_api_stops() {
    let api = TestApi::start().await;
    let (id, _) = api.submit_as("ann", ADD).await;
    let scribe = Scribe::of(&api.judge).await;
    let first = scribe.verdict(id, &[Verdict::Wa]).await;
    let mut loaded = api.judge.judge.load(id).await.unwrap().unwrap();
    let package = loaded.submission.created.package;
    let rejudge =
        Command::RequestRejudge { package, reason: "new data".to_owned(), by: "jury".parse().unwrap() };
    api.judge.judge.apply(&mut loaded, rejudge, Timestamp::now()).await.unwrap();
    let mut stream = api.follow(id, Some(first)).await;
    assert_eq!(stream.next().await.unwrap().name, "assize.rejudge_requested.v1");
    api.state.stopping.cancel();
    assert_eq!(stream.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_come_with_their_samples() {
    let api = TestApi::start().await;
    api.judge.publish("brackets").await;
    api.caught_up().await;
    let list = api.get("/v1/problems").await;
    assert_eq!(listed(&list).collect::<Vec<_>>(), ["a", "brackets"]);
    let problem = api.get("/v1/problems/a").await;
    assert_eq!(problem.json["problem"], list.json["items"][0]);
    assert_eq!(problem.json["problem"]["title"], "A+B");
    let folder = crate::harness::judge::sample_package("a").join("data/sample");
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let samples = problem.json["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2);
    for (sample, number) in samples.iter().zip(1..) {
        assert_eq!(sample["name"], format!("sample/{number}"));
        assert_eq!(sample["input"], file(&format!("{number}.in")));
        assert_eq!(sample["answer"], file(&format!("{number}.ans")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn languages_and_workers_tell_who_is_here() {
    let api = TestApi::start().await;
    let languages = api.get("/v1/languages").await;
    let item = |languages: &Answer, id: &str| {
        let items = languages.json["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == id).unwrap()
    };
    assert!(languages.json["items"].as_array().unwrap().len() >= 20);
    assert_eq!(item(&languages, "c")["offered"], false);
    assert_eq!(api.get("/v1/workers").await.json["items"], json!([]));

    let status = WorkerStatus {
        worker: "w1".parse().unwrap(),
        host: "here".to_owned(),
        slots: 2,
        busy_slots: 1,
        routing_classes: vec!["standard".parse().unwrap()],
        languages: vec![OfferedLanguage {
            language: "python3".parse().unwrap(),
            toolchain: "Python 3.11.2".to_owned(),
        }],
        sandbox_layers: vec!["landlock".to_owned()],
        started_at: Timestamp::now(),
        stopping: false,
    };
    let stop = CancellationToken::new();
    let client = api.judge.nats.client(Role::Worker).await;
    tokio::spawn(presence::announce(client, move || status.clone(), stop.clone()));
    let deadline = Instant::now() + PATIENCE;
    let workers = loop {
        let workers = api.get("/v1/workers").await;
        if workers.json["items"] != json!([]) {
            break workers;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let worker = &workers.json["items"][0];
    assert_eq!((&worker["id"], &worker["busy_slots"]), (&json!("w1"), &json!(1)));
    assert_eq!(worker["languages"][0]["toolchain"], "Python 3.11.2");
    let languages = api.get("/v1/languages").await;
    assert_eq!(item(&languages, "c")["offered"], false);
    assert_eq!(item(&languages, "python3")["offered"], true);
    assert_eq!(item(&languages, "python3")["toolchains"], json!(["Python 3.11.2"]));
    // A language that no worker offers is refused, rather than left waiting.
    let body = json!({ "problem": "a", "language": "cpp17", "code": "int main(){}" });
    let refused = api.post("/v1/submissions", &body).await;
    assert_eq!(refused.assert_problem(422, "language_not_offered").fields(), ["language"]);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_reads_go_on_and_writes_are_told_to_wait() {
    let mut api = TestApi::start().await;
    let (id, sequence) = api.submit_as("ann", ADD).await;
    api.caught_up().await;
    assert_eq!(api.get("/readyz").await.json["ready"], true);
    let reads = [
        format!("/v1/submissions/{id}?min_seq={sequence}"),
        "/v1/submissions".to_owned(),
        "/v1/problems".to_owned(),
        "/v1/problems/a".to_owned(),
        "/v1/languages".to_owned(),
        "/result/1".to_owned(),
        "/livez".to_owned(),
    ];
    let mut before = Vec::new();
    for path in &reads {
        before.push(api.get(path).await.text);
    }
    api.judge.nats.kill9().await;
    let full = json!({ "problem": "a", "language": "python3", "code": ADD });
    let first = json!({ "question_id": "a", "language": "python3", "code": ADD });
    let asked = Instant::now();
    let (one, two) = tokio::join!(api.post("/v1/submissions", &full), api.post("/submit", &first));
    for answer in [one, two] {
        answer.assert_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2");
    }
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    for (path, text) in reads.iter().zip(&before) {
        let asked = Instant::now();
        let answer = api.get(path).await;
        assert_eq!((answer.status, &answer.text), (200, text), "{path}");
        assert!(asked.elapsed() < Duration::from_secs(1), "{path}");
    }
    let ready = api.get("/readyz").await;
    assert_eq!((ready.status, &ready.json["nats_connected"]), (503, &json!(false)));
    let events = api.get(&format!("/v1/submissions/{id}/events")).await;
    events.assert_problem(503, "unavailable");
    assert_eq!(events.header("retry-after"), "2");

    api.judge.nats.restart().await;
    let deadline = Instant::now() + PATIENCE;
    let accepted = loop {
        let answer = api.post("/v1/submissions", &full).await;
        if answer.status == 202 {
            break answer;
        }
        answer.assert_problem(503, "unavailable");
        assert!(Instant::now() < deadline, "it did not recover");
    };
    let location = accepted.header("location");
    let recovered = loop {
        let answer = api.get(&format!("{location}?min_seq={}", accepted.json["sequence"])).await;
        if answer.status == 200 {
            break answer;
        }
        answer.assert_problem(503, "unavailable");
        assert!(Instant::now() < deadline, "the read model did not recover");
    };
    assert_eq!(recovered.json["submission"]["state"], "queued");
    let ready = api.get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_clients_submit_three_hundred() {
    let api = TestApi::start().await;
    let clients = (0..16).map(|client| {
        let api = &api;
        async move {
            let mut ids = Vec::new();
            for number in (client..300).step_by(16) {
                let code = format!("print({number})");
                ids.push(api.submit_as(&format!("user{client}"), &code).await.0.to_string());
            }
            ids
        }
    });
    let ids: BTreeSet<String> = futures::future::join_all(clients).await.concat().into_iter().collect();
    assert_eq!(ids.len(), 300);
    api.caught_up().await;
    let mut numbers = Vec::new();
    let mut after = String::new();
    loop {
        let page = api.get(&format!("/v1/submissions?limit=200{after}")).await;
        let items = page.json["items"].as_array().unwrap();
        assert!(items.iter().all(|item| ids.contains(item["id"].as_str().unwrap())));
        numbers.extend(items.iter().map(|item| item["number"].as_u64().unwrap()));
        let Some(next) = page.json["next_after"].as_str() else { break };
        after = format!("&after={next}");
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<u64>>());
    for number in [1, 150, 300] {
        assert_eq!(api.get(&format!("/result/{number}")).await.json["id"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_read_model_gives_the_same_answers() {
    let api = TestApi::start().await;
    api.judge.publish("brackets").await;
    api.caught_up().await;
    let scribe = Scribe::of(&api.judge).await;
    let mut paths: Vec<String> = [
        "/v1/submissions",
        "/v1/submissions?limit=2",
        "/v1/submissions?verdict=AC",
        "/v1/submissions?user=ann&problem=a",
        "/v1/problems",
        "/v1/problems/a",
        "/v1/problems/brackets",
        "/v1/languages",
        "/v1/workers",
        "/readyz",
        "/livez",
        "/openapi.json",
        "/docs",
        "/problems/not_found",
        "/result/7",
    ]
    .map(str::to_owned)
    .to_vec();
    for number in 1..=6 {
        let (id, _) = api.submit_as(if number % 2 == 0 { "ann" } else { "bob" }, ADD).await;
        match number {
            1 => drop(scribe.verdict(id, &[Verdict::Ac, Verdict::Ac]).await),
            2 => drop(scribe.verdict(id, &[Verdict::Ac, Verdict::Rte]).await),
            3 => drop(scribe.failure(id, false).await),
            4 => drop(scribe.failure(id, true).await),
            5 => drop(scribe.judging(id, &[Verdict::Ac]).await),
            _ => {}
        }
        paths.push(format!("/v1/submissions/{id}"));
        paths.push(format!("/v1/submissions/{id}/events"));
        paths.push(format!("/result/{number}"));
    }
    api.caught_up().await;
    let answers = async || {
        let mut answers = Vec::new();
        for path in &paths {
            let answer = api.get(path).await;
            answers.push((path, answer.status, answer.header("etag").to_owned(), answer.text));
        }
        answers
    };
    let before = answers().await;
    api.state.projection.rebuild().await.unwrap();
    assert_eq!(answers().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_do_not_tell_of_secret_testcases() {
    let api = TestApi::start().await;
    let worker = api.judge.worker("w1", 1).await;
    // Right on the small samples, wrong on a secret testcase.
    let code = "a, b = map(int, input().split())\nprint(a + b if abs(a + b) < 10 else -1)\n";
    let (id, _) = api.submit_as("ann", code).await;
    let verdict = api.judge.verdict(id).await;
    assert_eq!(verdict.verdict, Verdict::Wa);
    let events = api.get(&format!("/v1/submissions/{id}/events")).await;
    let judged = events.json["items"].as_array().unwrap().iter().map(|event| &event["data"]);
    let judged: Vec<&Value> = judged.filter(|data| data.get("testcase").is_some()).collect();
    assert!(judged.len() > 2, "{judged:#?}");
    for data in judged {
        let is_sample = data["group"] == "sample";
        assert_eq!(data["message"] != "", is_sample, "{data:#}");
        assert_eq!(data["output_excerpt"] != "", is_sample, "{data:#}");
    }
    worker.stop().await;
}
