//! The way to a running `assize up` or `serve` on the same data directory: a socket in it, one line of JSON each way.
//!
//! Whoever may open the data directory may ask; nobody else can reach it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::error_chain::chain;
use crate::projection::Projection;

use super::replay::Outcome;

/// How long a question may take to arrive.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// Build the read model anew and swap it in.
    Rebuild,
    /// Compare the read model with one built anew.
    Verify,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Outcome),
    Failed(String),
}

fn path(data: &Path) -> PathBuf {
    data.join("control")
}

/// Answers questions until `stop`. A socket that cannot be made is no reason not to judge.
pub(crate) fn listen(data: &Path, projection: Projection, stop: CancellationToken) {
    let path = path(data);
    // Left by a process that was killed; the data directory is locked, so nobody answers there.
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(path = %path.display(), error = chain(&error), "`assize replay` cannot reach this process");
            return;
        }
    };
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = stream else { continue };
            let answered = tokio::select! {
                () = stop.cancelled() => break,
                answered = answer(stream, &projection) => answered,
            };
            if let Err(error) = answered {
                tracing::debug!(error = chain(error.as_ref()), "a question on the control socket broke off");
            }
        }
        let _ = std::fs::remove_file(&path);
    });
}

async fn answer(stream: UnixStream, projection: &Projection) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    tokio::time::timeout(QUESTION_TIMEOUT, stream.read_line(&mut line)).await??;
    let outcome = match serde_json::from_str(&line)? {
        Question::Rebuild => projection.rebuild().await.map(|stats| Outcome::rebuilt(&stats, None)),
        Question::Verify => projection.verify().await.map(|verification| Outcome::verified(&verification)),
    };
    let answer = match outcome {
        Ok(outcome) => Answer::Done(outcome),
        Err(error) => Answer::Failed(chain(&error)),
    };
    let text = serde_json::to_string(&answer)? + "\n";
    stream.get_mut().write_all(text.as_bytes()).await?;
    Ok(())
}

/// Asks the process that runs on this data directory.
pub(crate) async fn ask(data: &Path, question: Question) -> anyhow::Result<Outcome> {
    let mut stream = UnixStream::connect(path(data))
        .await
        .context("the process that uses the data directory does not listen to questions")?;
    stream.write_all((serde_json::to_string(&question)? + "\n").as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    match serde_json::from_str(&line).context("the process that uses the data directory has ended")? {
        Answer::Done(outcome) => Ok(outcome),
        Answer::Failed(cause) => anyhow::bail!(cause),
    }
}
