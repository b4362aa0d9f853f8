//! A small load generator for HTTP/1.1: one request over and over on some kept connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 16;

/// How many requests per second `address` answers for `path`, over `time`.
pub(super) async fn requests_per_second(
    address: SocketAddr,
    path: &str,
    time: Duration,
) -> anyhow::Result<f64> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    let started = Instant::now();
    let end = started + time;
    let connections = (0..CONNECTIONS).map(|_| tokio::spawn(one(address, request.clone(), end)));
    let mut answered = 0;
    for connection in futures::future::join_all(connections).await {
        answered += connection??;
    }
    Ok(answered as f64 / started.elapsed().as_secs_f64())
}

async fn one(address: SocketAddr, request: String, end: Instant) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut answered = 0;
    while Instant::now() < end {
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
