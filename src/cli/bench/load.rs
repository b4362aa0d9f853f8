//! A small load generator for HTTP/1.1: some requests over and over on some kept connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 16;

/// How many requests per second `address` answers for `paths` in turn, over `time`.
pub(super) async fn requests_per_second(
    address: SocketAddr,
    paths: &[String],
    time: Duration,
) -> anyhow::Result<f64> {
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    let requests: Arc<[String]> = paths.iter().map(request).collect();
    let started = Instant::now();
    let end = started + time;
    let connections = (0..CONNECTIONS).map(|connection| {
        // Each begins elsewhere, so that they do not warm each other's way.
        let first = connection * requests.len() / CONNECTIONS;
        tokio::spawn(one(address, requests.clone(), first, end))
    });
    let mut answered = 0;
    for connection in futures::future::join_all(connections).await {
        answered += connection??;
    }
    Ok(answered as f64 / started.elapsed().as_secs_f64())
}

async fn one(
    address: SocketAddr,
    requests: Arc<[String]>,
    first: usize,
    end: Instant,
) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut answered = 0;
    for request in requests.iter().cycle().skip(first) {
        if Instant::now() >= end {
            break;
        }
        stream.write_all(request.as_bytes()).await?;
        let whole = loop {
            if let Some(whole) = length_of_answer(&buffer)?
                && buffer.len() >= whole
            {
                break whole;
            }
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection was closed");
        };
        buffer.drain(..whole);
        answered += 1;
    }
    Ok(answered)
}

/// How long the answer at the front of the buffer is, once its head is there.
fn length_of_answer(buffer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&buffer[..head])?;
    ensure!(text.starts_with("HTTP/1.1 200"), "answered {:?}", text.lines().next());
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without a length")?;
    Ok(Some(head + 4 + length.1.trim().parse::<usize>()?))
}
