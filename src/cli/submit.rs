//! `assize submit`: sends a program over HTTP and follows its judging, testcase by testcase.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::verdict::Verdict;
use crate::languages::Languages;

use super::output::{self, Colour, paint};
use super::{Exit, Forbidden, Unreachable, Usage};

/// How long the server may take to answer; a stream may be silent for longer than that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a broken stream is taken up again before the server counts as gone.
const RESUME_TRIES: u32 = 30;
const RESUME_DELAY: Duration = Duration::from_secs(1);

/// Arguments of `assize submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The problem.
    problem: String,
    /// The program.
    file: PathBuf,
    /// Its language, by code or alias; by default told from the file's extension.
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// In whose name.
    #[arg(long, value_name = "USER", env = "ASSIZE_USER")]
    user: Option<String>,
    /// Where the API is.
    #[arg(long, value_name = "URL", env = "ASSIZE_SERVER", default_value = "http://127.0.0.1:4000")]
    server: String,
    /// Print the id and end, without waiting for the verdict.
    #[arg(long)]
    no_wait: bool,
    /// Print each event as a line of JSON, and the result as the last.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: SubmitArgs) -> anyhow::Result<Exit> {
    let name = args.file.display();
    let bytes = std::fs::read(&args.file).map_err(|error| Usage(format!("cannot read {name}: {error}")))?;
    let code = String::from_utf8(bytes).map_err(|_| Usage(format!("{name} is not UTF-8")))?;
    let language = match &args.language {
        Some(language) => language.clone(),
        // What every worker has comes before what starts slowly and may be absent.
        None => Languages::embedded()?
            .for_tools()
            .of_file(&args.file.to_string_lossy())
            .map(|language| language.id.clone())
            .ok_or_else(|| Usage(format!("the language of {name} cannot be told; say --language")))?,
    };
    let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?;
    let server = args.server.trim_end_matches('/');
    let mut body = json!({ "problem": args.problem, "language": language, "code": code });
    if let Some(user) = &args.user {
        body["user"] = json!(user);
    }
    let request = client
        .post(format!("{server}/v1/submissions"))
        // A proxy that sends the request twice makes no second submission.
        .header("Idempotency-Key", Uuid::now_v7().to_string())
        .json(&body);
    let answer = accepted(request.send().await, server).await?;
    let submission: Value = answer.json().await.context("the server's answer is not JSON")?;
    let id = submission["id"].as_str().context("the server's answer has no id")?.to_owned();
    if args.no_wait {
        match args.json {
            true => output::json_line(&submission)?,
            false => output::line(&id)?,
        }
        return Ok(Exit::Done);
    }
    if !args.json {
        eprintln!("submission {id}");
    }
    let mut follower = Follower::new(args.json);
    follower.follow(&client, server, &id).await?;
    follower.conclude(&id)
}

/// The answer, if it is a good one; otherwise what the server says against it.
async fn accepted(sent: reqwest::Result<Response>, server: &str) -> anyhow::Result<Response> {
    let answer = sent.map_err(|error| unreachable(&error, server))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or_default();
    let title = problem["title"].as_str().or(status.canonical_reason()).unwrap_or("refused");
    let mut words = match problem["detail"].as_str() {
        Some(detail) => format!("{title}: {detail}"),
        None => format!("{title} ({status})"),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let what = error["detail"].as_str().or(error["message"].as_str()).map(str::to_owned);
        let what = what.unwrap_or_else(|| error.to_string());
        if !words.contains(&what) {
            words.push_str(&format!("\n  {what}"));
        }
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Forbidden(words).into()),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            Err(Unreachable(words).into())
        }
        status if status.is_client_error() => Err(Usage(words).into()),
        _ => bail!(words),
    }
}

fn unreachable(error: &reqwest::Error, server: &str) -> anyhow::Error {
    if error.is_builder() {
        return Usage(format!("{server} is not the address of a server")).into();
    }
    Unreachable(format!("cannot reach {server}: {}", crate::error_chain::chain(error))).into()
}

/// What has been heard of a submission.
struct Follower {
    json: bool,
    bar: ProgressBar,
    last_id: Option<String>,
    diagnostics: String,
    failing: Option<Value>,
    end: Option<Value>,
}

impl Follower {
    fn new(json: bool) -> Self {
        let bar = output::progress(0, "{spinner} {pos}/{len} testcases [{bar:24}] {elapsed} {msg}", json);
        bar.set_message("waiting for a worker");
        Self { json, bar, last_id: None, diagnostics: String::new(), failing: None, end: None }
    }

    /// Follows to the end of the judging; takes the stream up again where it broke off.
    async fn follow(&mut self, client: &Client, server: &str, id: &str) -> anyhow::Result<()> {
        let mut tries = 0;
        while self.end.is_none() {
            let mut request = client
                .get(format!("{server}/v1/submissions/{id}/events/stream"))
                .header("Accept", "text/event-stream");
            if let Some(last) = &self.last_id {
                request = request.header("Last-Event-ID", last);
            }
            let before = self.last_id.clone();
            let broken = match accepted(request.send().await, server).await {
                Ok(answer) => self.read(answer, server).await,
                Err(error) => Err(error),
            };
            match broken {
                Err(error) if !error.is::<Unreachable>() || tries >= RESUME_TRIES => return Err(error),
                _ if self.last_id != before => tries = 0,
                _ if tries >= RESUME_TRIES => bail!("the stream of the submission ends without a verdict"),
                _ => {}
            }
            if self.end.is_none() {
                tries += 1;
                tokio::time::sleep(RESUME_DELAY).await;
            }
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    async fn read(&mut self, mut answer: Response, server: &str) -> anyhow::Result<()> {
        let mut pending: Vec<u8> = Vec::new();
        while self.end.is_none() {
            let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error, server))? else {
                return Ok(());
            };
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = pending.drain(..end + 2).collect();
                self.take_in(&String::from_utf8_lossy(&message))?;
            }
        }
        Ok(())
    }

    /// One server-sent event.
    fn take_in(&mut self, message: &str) -> anyhow::Result<()> {
        let mut data = String::new();
        for line in message.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.last_id = Some(value.to_owned()),
                "data" => data.push_str(value),
                _ => {}
            }
        }
        if data.is_empty() {
            return Ok(());
        }
        let event: Value =
            serde_json::from_str(&data).context("the server sent an event that is not JSON")?;
        if self.json {
            output::json_line(&event)?;
        }
        let data = &event["data"];
        match event["type"].as_str().unwrap_or_default() {
            "assize.judging_started.v1" => {
                self.bar.set_length(data["testcases_total"].as_u64().unwrap_or(0));
                self.bar.set_message("compiling");
            }
            "assize.compile_finished.v1" => {
                self.diagnostics = data["diagnostics"].as_str().unwrap_or_default().to_owned();
            }
            "assize.testcase_judged.v1" => {
                self.bar.set_position(data["index"].as_u64().unwrap_or(0));
                let verdict = data["verdict"].as_str().unwrap_or_default().to_owned();
                let testcase = data["testcase"].as_str().unwrap_or_default();
                self.bar.set_message(format!("{testcase} {verdict} in {} ms", data["cpu_ms"]));
                if verdict != Verdict::Ac.code() && self.failing.is_none() {
                    self.failing = Some(data.clone());
                }
            }
            "assize.verdict_issued.v1" => self.end = Some(event),
            "assize.judging_failed.v1" if data["will_retry"] == json!(false) => self.end = Some(event),
            _ => {}
        }
        Ok(())
    }

    /// Says the verdict, and ends with its exit code.
    fn conclude(&self, id: &str) -> anyhow::Result<Exit> {
        let Some(end) = &self.end else { return Ok(Exit::Fault) };
        let data = &end["data"];
        let verdict = data["verdict"].as_str().and_then(|code| code.parse().ok()).unwrap_or(Verdict::Je);
        let exit = match verdict {
            Verdict::Ac => Exit::Done,
            Verdict::Je => Exit::Fault,
            _ => Exit::No,
        };
        if self.json {
            output::json_line(&json!({ "id": id, "verdict": verdict, "end": data }))?;
            return Ok(exit);
        }
        let colour = match verdict {
            Verdict::Ac => Colour::Green,
            Verdict::Pa => Colour::Yellow,
            _ => Colour::Red,
        };
        let mut text = format!("{} {}", paint(verdict.code(), colour), verdict.title());
        if let Some(score) = points(data) {
            text.push_str(&format!(" with {score} points"));
        }
        match (verdict, &self.failing) {
            (Verdict::Je, _) => text.push_str(&format!(": {}", data["cause"].as_str().unwrap_or("unknown"))),
            (Verdict::Ce | Verdict::Ctl, _) => text.push_str(&format!("\n{}", self.diagnostics.trim_end())),
            (_, Some(failing)) => text.push_str(&format!(
                " on {}: {}",
                failing["testcase"].as_str().unwrap_or_default(),
                failing["message"].as_str().unwrap_or_default()
            )),
            _ => text.push_str(&format!(
                ": {} testcases, at most {} ms and {}",
                data["testcases_judged"],
                data["cpu_ms_max"],
                output::bytes(data["memory_bytes_max"].as_u64().unwrap_or(0))
            )),
        }
        for group in data["groups"].as_array().into_iter().flatten() {
            if let Some(score) = points(group) {
                let name = group["group"].as_str().unwrap_or_default();
                let verdict = group["verdict"].as_str().unwrap_or_default();
                text.push_str(&format!("\n  {name}: {verdict}, {score} points"));
            }
        }
        output::line(&text)?;
        Ok(exit)
    }
}

/// The score of a verdict or of a group, with the best one where that is known.
fn points(result: &Value) -> Option<String> {
    let score = result["score"].as_str()?;
    let best = result["score_best"].as_str().map(|best| format!(" of {best}"));
    Some(format!("{score}{}", best.unwrap_or_default()))
}
