//! Packages come in by HTTP, and contestants read of them what is theirs: statements, images, attachments.

use std::io::{Cursor, Write};

use assize::domain::verdict::Verdict;
use reqwest::Method;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::api::{Answer, TestApi};

const SUM: &str = "print(sum(map(int, input().split())))\n";
const STATEMENT: &str = "\\problemname{Two Numbers}\nAdd $a + b$ up to \\constant{most}.\n\\includegraphics{cave}\\includegraphics{plan.pdf}\n\
     \\href{javascript:alert(1)}{x}<script>alert(1)</script>\n\\section*{Input}\nTwo.\n";

/// The files of a small package, by path.
type Files = Vec<(&'static str, Vec<u8>)>;

fn package() -> Files {
    let text = |path, text: &str| (path, text.as_bytes().to_vec());
    vec![
        text(
            "problem.yaml",
            "name: Sum\nlimits:\n  time_limit: 2\nproblem_format_version: legacy\nconstants:\n  most: 1000\n",
        ),
        text("data/sample/1.in", "1 2\n"),
        text("data/sample/1.ans", "3\n"),
        text("data/sample/1.in.statement", "1  2 <shown>\n"),
        text("data/sample/2.interaction", ">talk\n<answer\n"),
        text("data/secret/1.in", "20 22\n"),
        text("data/secret/1.ans", "42\n"),
        text("submissions/accepted/sum.py", SUM),
        text("problem_statement/problem.tex", STATEMENT),
        ("problem_statement/cave.png", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("problem_statement/plan.pdf", b"%PDF-1.5\n".to_vec()),
        ("problem_statement/problem.sv.pdf", b"%PDF-1.4\n".to_vec()),
        text("attachments/start.py", "# begin\n"),
        text("attachments/templates/a \"b\".py", "# here\n"),
    ]
}

/// The package with one file replaced, added, or, where it is empty, left out.
fn with(path: &'static str, content: &str) -> Files {
    let mut files = package();
    files.retain(|(known, _)| *known != path);
    if !content.is_empty() {
        files.push((path, content.as_bytes().to_vec()));
    }
    files
}

fn zipped(files: &Files) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn put(api: &TestApi, query: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = api.request(Method::PUT, &format!("/v1/problems/{query}"));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/zip");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(body)).await
}

async fn put_quick(api: &TestApi, headers: &[(&str, &str)], files: &Files) -> Answer {
    put(api, "sum/package?verify=false", headers, zipped(files)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_package_is_published_once() {
    let api = TestApi::start().await;
    let answer = put(&api, "sum/package", &[], zipped(&package())).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json["revision"], 1);
    assert_eq!(answer.json["verified"], true, "{}", answer.text);
    assert_eq!(answer.header("etag"), "\"1\"");
    let last = api.caught_up().await;
    let again = put(&api, "sum/package", &[], zipped(&package())).await;
    assert_eq!((again.status, &again.json["revision"]), (200, &json!(1)), "{}", again.text);
    assert_eq!(api.caught_up().await, last, "nothing was appended");
    let detail = api.get("/v1/problems/sum").await;
    assert_eq!(detail.header("etag"), "\"1\"");
    let problem = &detail.json["problem"];
    assert_eq!(problem["statement_languages"], json!(["en", "sv"]), "{}", detail.text);
    assert_eq!(problem["attachments"], json!(["start.py", "templates/a \"b\".py"]));
    assert_eq!(problem["verified"], true);
    assert_eq!(detail.json["samples"][0]["input"], "1 2\n");
    // Its jury would not accept it any more.
    let wrong = with("data/secret/1.ans", "43\n");
    let answer = put(&api, "sum/package", &[], zipped(&wrong)).await;
    answer.assert_problem(422, "package_not_verified");
    assert_eq!(answer.fields(), ["submissions/accepted/sum.py"], "{}", answer.text);
    assert!(answer.json["errors"][0]["message"].as_str().unwrap().contains("secret/1"), "{}", answer.text);
    assert_eq!(api.caught_up().await, last, "nothing was appended");
    let unverified = put_quick(&api, &[], &wrong).await;
    assert_eq!((unverified.status, &unverified.json["revision"]), (201, &json!(2)), "{}", unverified.text);
    assert_eq!(unverified.json["verified"], false);
    assert!(unverified.text.contains("published without verifying"), "{}", unverified.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_changes_nothing_and_is_named() {
    let api = TestApi::start().await;
    assert_eq!(put_quick(&api, &[], &package()).await.status, 201);
    let last = api.caught_up().await;
    let cases: [(&str, Files, &str, Option<u64>); 5] = [
        ("invalid_package", with("problem.yaml", "name: Sum\nlimits: [\n"), "problem.yaml", Some(3)),
        ("invalid_package", with("problem.yaml", "name: Sum\nvalidation: custom\n"), "problem.yaml", Some(2)),
        ("invalid_package", with("data/secret/1.ans", ""), "data/secret/1.in", None),
        ("invalid_package", with("../outside", "x"), "", None),
        ("invalid_package", with("problem.yaml", "limits:\n  code: 100000\n"), "problem.yaml", None),
    ];
    for (code, files, file, line) in cases {
        let answer = put_quick(&api, &[], &files).await;
        answer.assert_problem(422, code);
        let fault = &answer.json["errors"][0];
        if !file.is_empty() {
            assert_eq!(fault["field"], file, "{}", answer.text);
        }
        if let (Some(wanted), Some(line)) = (line, fault["line"].as_u64()) {
            assert!(line.abs_diff(wanted) <= 1, "{}", answer.text);
        }
        assert_eq!(line.is_some(), fault["line"].is_u64(), "{}", answer.text);
    }
    // All that is broken, in one answer: first in the file that the rest is read by, then in the rest.
    let all = async |files: &Files| {
        let answer = put_quick(&api, &[], files).await;
        answer.assert_problem(422, "invalid_package");
        let at = |fault: &Value| (fault["field"].as_str().unwrap().to_owned(), fault["line"].as_u64());
        answer.json["errors"].as_array().unwrap().iter().map(at).collect::<Vec<_>>()
    };
    let yaml = "name: [1]\nlimits:\n  time_limit: soon\n  memory: lots\ngrading: 1\n";
    let mut files = with("problem.yaml", yaml);
    assert_eq!(all(&files).await, [1, 3, 4, 5].map(|line| ("problem.yaml".to_owned(), Some(line))));
    files = with("problem.yaml", "name: Sum\nvalidation: custom\n");
    files.retain(|(path, _)| !path.ends_with(".ans"));
    files.push(("data/secret/group/testdata.yaml", b"a: [\n".to_vec()));
    let told = all(&files).await;
    let places: Vec<&str> = told.iter().map(|(file, _)| file.as_str()).collect();
    let expected =
        ["problem.yaml", "data/sample/1.in", "data/secret/1.in", "data/secret/group/testdata.yaml"];
    assert_eq!(places, expected, "{told:?}");
    for body in [&b""[..], b"PK\x03\x04", b"no zip at all"] {
        put(&api, "sum/package?verify=false", &[], body.to_vec())
            .await
            .assert_problem(422, "invalid_package");
    }
    let typed = [("content-type", "application/json")];
    put(&api, "sum/package", &typed, b"{}".to_vec()).await.assert_problem(415, "unsupported_media_type");
    let body = zipped(&package());
    put(&api, "Some_Name/package?verify=false", &[], body.clone())
        .await
        .assert_problem(400, "invalid_parameter");
    put(&api, "a.b/package?verify=false", &[], body.clone()).await.assert_problem(400, "invalid_parameter");
    put(&api, "sum/package?verify=maybe", &[], body).await.assert_problem(400, "invalid_parameter");
    assert_eq!(api.caught_up().await, last, "nothing was appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_publish_after_the_same_revision_one_wins() {
    let api = TestApi::start().await;
    let first = [("if-none-match", "*")];
    assert_eq!(put_quick(&api, &first, &package()).await.status, 201);
    put_quick(&api, &first, &with("a.txt", "x")).await.assert_problem(412, "revision_mismatch");
    let after = [("if-match", "\"1\"")];
    let (one, other) = (with("a.txt", "one"), with("a.txt", "other"));
    let (one, other) = tokio::join!(put_quick(&api, &after, &one), put_quick(&api, &after, &other));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412], "{} {}", one.text, other.text);
    for bad in [("if-match", "W/x"), ("if-none-match", "\"1\"")] {
        put_quick(&api, &[bad], &package()).await.assert_problem(400, "invalid_parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_judged_by_the_revision_that_it_was_made_for() {
    let api = TestApi::start().await;
    let submit = async || {
        let body = json!({ "problem": "sum", "language": "python3", "code": SUM });
        let answer = api.post("/v1/submissions", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json["id"].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(put_quick(&api, &[], &package()).await.status, 201);
    let first = submit().await;
    assert_eq!(put_quick(&api, &[], &with("data/secret/1.ans", "43\n")).await.status, 201);
    let second = submit().await;
    let broken = put_quick(&api, &[], &with("problem.yaml", "limits: [")).await;
    assert_eq!(broken.status, 422);
    let third = submit().await;
    let worker = api.judge.worker("w1", 2).await;
    assert_eq!(api.judge.verdict(first).await.verdict, Verdict::Ac);
    assert_eq!(api.judge.verdict(second).await.verdict, Verdict::Wa);
    assert_eq!(api.judge.verdict(third).await.verdict, Verdict::Wa);
    worker.stop().await;
}

/// Whoever has the answer need not wait for the read model.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_there_at_once() {
    let api = TestApi::start().await;
    for revision in 1..=20 {
        let answer = put_quick(&api, &[], &with("data/secret/1.ans", &format!("{revision}\n"))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let detail = api.get("/v1/problems/sum").await;
        assert_eq!(detail.header("etag"), format!("\"{revision}\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_languages_that_the_package_allows_are_taken() {
    let api = TestApi::start().await;
    let files = with("problem.yaml", "name: Sum\nlanguages: cpp c\n");
    assert_eq!(put_quick(&api, &[], &files).await.status, 201);
    api.caught_up().await;
    let detail = api.get("/v1/problems/sum").await;
    assert_eq!(detail.json["problem"]["languages_allowed"], json!(["c", "cpp"]), "{}", detail.text);
    let submit = async |language: &str| {
        let body = json!({ "problem": "sum", "language": language, "code": "x" });
        api.post("/v1/submissions", &body).await
    };
    let refused = submit("python3").await;
    refused.assert_problem(422, "language_not_allowed");
    assert!(refused.json["detail"].as_str().unwrap().contains("it allows: c, cpp"), "{}", refused.text);
    for allowed in ["cpp17", "c"] {
        let answer = submit(allowed).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_validator_keeps_to_itself_in_a_dialogue_is_not_shown() {
    let api = TestApi::start().await;
    let mut files = with(
        "problem.yaml",
        "name: Sum\nvalidation: custom interactive\nlimits:\n  time_limit: 2\nconstants:\n  most: 1000\n",
    );
    files.push(("output_validators/v.py", b"raise SystemExit(42)\n".to_vec()));
    let put = put_quick(&api, &[], &files).await;
    assert_eq!(put.status, 201, "{}", put.text);
    let page = api.get("/v1/problems/sum/statement").await.text;
    assert!(page.contains("talk") && !page.contains("shown"), "{page}");
    let detail = api.get("/v1/problems/sum").await;
    assert_eq!(detail.json["samples"], json!([]), "{}", detail.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_images_and_attachments_are_served_as_what_they_are() {
    let api = TestApi::start().await;
    assert_eq!(put_quick(&api, &[], &package()).await.status, 201);
    let page = api.get("/v1/problems/sum/statement").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8"),
        "{}",
        page.text
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; img-src 'self'; style-src 'sha256-"), "{policy}");
    for shown in [
        "<h1>Two Numbers</h1>",
        "<math",
        "1  2 &lt;shown&gt;",
        "<h2>Input</h2>",
        "Sample Output 1",
        "talk",
        "up to 1000.",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    for hidden in ["javascript:", "<script"] {
        assert!(!page.text.contains(hidden), "{}", page.text);
    }
    let image = "/v1/problems/sum/statement/images/cave.png?revision=1";
    assert!(page.text.contains(&format!("<img src=\"{image}\"")), "{}", page.text);
    let image = api.get(image).await;
    assert_eq!((image.status, image.header("content-type")), (200, "image/png"));
    assert!(image.header("content-security-policy").ends_with("sandbox"));
    let plan = "/v1/problems/sum/statement/images/plan.pdf?revision=1";
    assert!(page.text.contains(&format!("<a href=\"{plan}\">plan.pdf</a>")), "{}", page.text);
    let plan = api.get(plan).await;
    assert_eq!((plan.header("content-type"), plan.text.as_str()), ("application/pdf", "%PDF-1.5\n"));
    let pdf = api.get("/v1/problems/sum/statement?lang=sv").await;
    assert_eq!(plan.header("content-security-policy"), pdf.header("content-security-policy"));
    assert_eq!((pdf.header("content-type"), pdf.text.as_str()), ("application/pdf", "%PDF-1.4\n"));
    let other = api.get("/v1/problems/sum/statement?lang=xx").await;
    assert_eq!(other.header("content-type"), "text/html; charset=utf-8");
    let file = api.get("/v1/problems/sum/attachments/start.py").await;
    assert_eq!((file.text.as_str(), file.header("content-type")), ("# begin\n", "application/octet-stream"));
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"start.py\"; filename*=UTF-8''start.py"
    );
    let file = api.get("/v1/problems/sum/attachments/templates%2Fa%20%22b%22.py").await;
    assert_eq!(file.text, "# here\n", "{}", file.text);
    let name = "attachment; filename=\"a__b_.py\"; filename*=UTF-8''a%20%22b%22.py";
    assert_eq!(file.header("content-disposition"), name);
    // Other revisions are there as well.
    let newer = with("problem_statement/problem.tex", "\\problemname{Newer}");
    assert_eq!(put_quick(&api, &[], &newer).await.status, 201);
    assert!(api.get("/v1/problems/sum/statement").await.text.contains("<h1>Newer</h1>"));
    assert!(api.get("/v1/problems/sum/statement?revision=1").await.text.contains("<h1>Two Numbers</h1>"));
    let (current, first) = (api.get("/v1/problems/sum").await, api.get("/v1/problems/sum?revision=1").await);
    let told =
        |answer: &Answer| (answer.json["problem"]["revision"].clone(), answer.header("etag").to_owned());
    assert_eq!(told(&current), (json!(2), "\"2\"".to_owned()), "{}", current.text);
    assert_eq!(told(&first), (json!(1), "\"1\"".to_owned()), "{}", first.text);
    assert_ne!(first.json["problem"]["package_sha256"], current.json["problem"]["package_sha256"]);
    assert_eq!(first.json["samples"], current.json["samples"]);
    assert_eq!(api.get("/v1/problems/sum?revision=2").await.json["problem"], current.json["problem"]);
    let missing = api.get("/v1/problems/sum?revision=9").await;
    assert_eq!(missing.json["detail"], "there is no revision `9` of the problem `sum`", "{}", missing.text);
    api.get("/v1/problems/sum?revision=one").await.assert_problem(400, "invalid_parameter");
    for nothing in [
        "/v1/problems/none?revision=1",
        "/v1/problems/sum?revision=0",
        "/v1/problems/sum/attachments/start.py?revision=9",
        "/v1/problems/none/statement",
        "/v1/problems/sum/statement?revision=9",
        "/v1/problems/sum/statement/images/problem.tex",
        "/v1/problems/sum/statement/images/..%2F..%2Fproblem.yaml",
        "/v1/problems/sum/attachments/..%2Fproblem.yaml",
        "/v1/problems/sum/attachments/..%2Fdata%2Fsecret%2F1.ans",
        "/v1/problems/sum/attachments/none",
        "/v1/problems/a/attachments/none",
    ] {
        let answer = api.get(nothing).await;
        assert_eq!((answer.status, &answer.json["code"]), (404, &Value::from("not_found")), "{nothing}");
    }
}
