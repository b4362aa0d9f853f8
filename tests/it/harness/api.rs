//! The API for one test, in this process on a real server. Every answer that it gives is held to the document.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use assize::api::{self, Acknowledged, DetailBodies, State};
use assize::domain::ids::SubmissionId;
use assize::judge::Judge;
use assize::languages::Languages;
use assize::nats_server::Role;
use assize::package_cache::{BYTES_MAX_DEFAULT, PackageCache};
use assize::projection::Projection;
use assize::publish::Publisher;
use assize::store::jetstream::JetStreamStore;
use assize::store::presence::Directory;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::judge::{PATIENCE, TestJudge};

/// How long the API waits for the event store, as `assize up` has it.
const API_PATIENCE: Duration = Duration::from_secs(5);

/// A judge with problem `a` and its API.
pub(crate) struct TestApi {
    pub(crate) judge: TestJudge,
    pub(crate) state: Arc<State>,
    pub(crate) http: Client,
    base: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null where it is not JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that it is an error with this status and code, told as problem details.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, &self.json["code"]), (status, &Value::from(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["type"], format!("/problems/{code}"));
        for leaked in ["occurred while parsing", "optional_", "integer(", "VerdictCode", "SubmissionCreate"] {
            assert!(!self.text.contains(leaked), "{}", self.text);
        }
        self
    }

    /// The fields that an error names.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().into_iter().flatten();
        errors.map(|error| error["field"].as_str().unwrap()).collect()
    }
}

impl TestApi {
    /// Starts everything but workers.
    pub(crate) async fn start() -> TestApi {
        let judge = TestJudge::start().await;
        judge.publish("a").await;
        let store = JetStreamStore::connect(&judge.nats.settings(Role::Api), API_PATIENCE).await.unwrap();
        let projection = Projection::start(store.clone(), judge.nats.root()).await.unwrap();
        let last = store.last_sequence().await.unwrap();
        assert!(projection.wait_for(last, PATIENCE).await);
        let api_judge = Judge::new(Arc::new(store.clone()), "/assize/api");
        let languages = Languages::embedded().unwrap();
        let state = Arc::new(State {
            publisher: Publisher::new(store.clone(), api_judge.clone(), languages.clone()),
            packages: PackageCache::new(judge.nats.root().join("cache/packages"), BYTES_MAX_DEFAULT),
            judge: api_judge,
            projection,
            languages,
            directory: Directory::start(store.client()).await.unwrap(),
            bodies: DetailBodies::default(),
            stopping: CancellationToken::new(),
            acknowledged: Acknowledged::default(),
            store,
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, _) = api::serve(listener, state.clone()).unwrap();
        let http = Client::builder().timeout(PATIENCE).build().unwrap();
        TestApi { judge, state, http, base: format!("http://{address}") }
    }

    /// A request, to be completed and given to `send`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request and holds the answer to the document.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let method = request.method().clone();
        let path = request.url().path().to_owned();
        let answer = read(self.http.execute(request).await.unwrap()).await;
        if method != Method::HEAD && !answer.json.is_null() {
            assert_no_null(&answer.json, &answer.text);
            assert_documented(&method, &path, &answer);
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts a body as it is.
    pub(crate) async fn post_raw(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(body.into())).await
    }

    /// Submits to `a` in Python as `user`; returns the id and the sequence.
    pub(crate) async fn submit_as(&self, user: &str, code: &str) -> (SubmissionId, u64) {
        let body = json!({ "problem": "a", "language": "python3", "code": code, "user": user });
        let answer = self.post("/v1/submissions", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json["id"].as_str().unwrap().parse().unwrap();
        (id, answer.json["sequence"].as_u64().unwrap())
    }

    /// Waits until the read model has all of the history.
    pub(crate) async fn caught_up(&self) -> u64 {
        let last = self.judge.store.last_sequence().await.unwrap();
        assert!(self.state.projection.wait_for(last, PATIENCE).await);
        last
    }

    /// Opens the stream of a submission's events.
    pub(crate) async fn follow(&self, id: SubmissionId, last_event_id: Option<u64>) -> Sse {
        let mut request = self.request(Method::GET, &format!("/v1/submissions/{id}/events/stream"));
        if let Some(sequence) = last_event_id {
            request = request.header("last-event-id", sequence.to_string());
        }
        let response = request.send().await.unwrap();
        if response.status() == 200 {
            assert_eq!(response.headers()["content-type"], "text/event-stream");
        }
        Sse { response, buffer: String::new() }
    }
}

impl Drop for TestApi {
    fn drop(&mut self) {
        self.state.stopping.cancel();
    }
}

/// A stream of server-sent events.
pub(crate) struct Sse {
    pub(crate) response: Response,
    buffer: String,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SseEvent {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Sse {
    /// The next event; none at the end.
    pub(crate) async fn next(&mut self) -> Option<SseEvent> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let event = parse_event(block);
                self.buffer = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("in time").unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// All events until the end.
    pub(crate) async fn rest(mut self) -> Vec<SseEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse_event(block: &str) -> Option<SseEvent> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data: Value = serde_json::from_str(field("data")?).unwrap();
    assert_schema("#/components/schemas/RecordedEvent", &data);
    Some(SseEvent { id: field("id")?.parse().unwrap(), name: field("event")?.to_owned(), data })
}

async fn read(response: Response) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    let is_json = headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap().contains("json"));
    let json = if is_json && !text.is_empty() { serde_json::from_str(&text).unwrap() } else { Value::Null };
    Answer { status, headers, text, json }
}

fn assert_no_null(value: &Value, text: &str) {
    match value {
        Value::Null => panic!("null in {text}"),
        Value::Array(items) => items.iter().for_each(|item| assert_no_null(item, text)),
        Value::Object(object) => object.values().for_each(|value| assert_no_null(value, text)),
        _ => {}
    }
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(api::document()).unwrap());

/// Asserts that the document knows the operation, the status and the shape of what was answered.
fn assert_documented(method: &Method, path: &str, answer: &Answer) {
    let segments: Vec<&str> = path.split('/').collect();
    let matches = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == segments.len()
            && template.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    let item = DOCUMENT["paths"].as_object().unwrap().iter().find(|(template, _)| matches(template));
    let operation = item.map(|(_, item)| &item[method.as_str().to_lowercase()]);
    let Some(operation) = operation.filter(|operation| !operation.is_null()) else {
        assert!(matches!(answer.status, 404 | 405) || path == "/openapi.json", "{method} {path}");
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    let media = if answer.header("content-type") == "application/problem+json" {
        "application/problem+json"
    } else {
        "application/json"
    };
    let schema = &response["content"][media]["schema"]["$ref"];
    let schema =
        schema.as_str().unwrap_or_else(|| panic!("{method} {path}: {} is not documented", answer.status));
    assert_schema(schema, &answer.json);
}

fn assert_schema(reference: &str, value: &Value) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> =
        LazyLock::new(Mutex::default);
    let known = VALIDATORS.lock().unwrap().get(reference).cloned();
    let validator = known.unwrap_or_else(|| {
        let schema = json!({ "$ref": reference, "components": DOCUMENT["components"] });
        let validator = Arc::new(jsonschema::validator_for(&schema).unwrap());
        VALIDATORS.lock().unwrap().insert(reference.to_owned(), validator.clone());
        validator
    });
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{reference}: {errors:#?}\n{value:#}");
}
