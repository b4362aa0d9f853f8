//! The measurements: each takes turns with its baseline, so that a slow moment of the host hits both.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use poem::{Route, Server, get, handler};

use crate::domain::event::{Envelope, Event, Recorded};
use crate::domain::ids::SubmissionId;
use crate::projection;
use crate::store::{Aggregate, EventStore, StoredEvent};

use super::by_hand::ByHand;
use super::load::requests_per_second;
use super::rig::{Rig, SUM_CPP, SUM_PY, TESTCASES};
use super::{Measured, median};

const ACK_ROUNDS: usize = 200;
const VERDICT_ROUNDS: usize = 12;
const QUERY_ROUNDS: usize = 4;
const QUERY_TIME: Duration = Duration::from_millis(1500);
/// How many events the submissions have that are read: some two thousand submissions.
const QUERY_EVENTS: u64 = 10_000;
const REPLAY_ROUNDS: usize = 3;
/// How many events are on their way at once while the history to replay is written.
const IN_FLIGHT: usize = 256;

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Blob and event on disk and answered over HTTP, against one bare publish with the same server and as many bytes.
pub(super) async fn ack(rig: &Rig) -> anyhow::Result<Vec<Measured>> {
    let jetstream = rig.store.context();
    let config = async_nats::jetstream::stream::Config {
        name: "BENCH".to_owned(),
        subjects: vec!["assize.bench.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config).await?;
    let (mut submits, mut publishes) = (Vec::new(), Vec::new());
    for round in 0..ACK_ROUNDS + 20 {
        // A program of its own each time, for blobs are stored once.
        let code = format!("{SUM_PY}# {round}\n");
        let started = Instant::now();
        rig.submit("one", "python3", &code).await?;
        let submit = started.elapsed();
        let started = Instant::now();
        jetstream.publish("assize.bench.publish", code.into()).await?.await?;
        let publish = started.elapsed();
        if round >= 20 {
            submits.push(ms(submit));
            publishes.push(ms(publish));
        }
    }
    let (value, baseline) = (median(submits), median(publishes));
    let ratio = value / baseline;
    Ok(vec![Measured {
        name: "ack",
        what: "submission acknowledged / bare publish".to_owned(),
        value,
        baseline,
        unit: "ms",
        ratio,
        target: "at most 2.5".to_owned(),
        met: ratio <= 2.5,
    }])
}

/// From sending a program to hearing the verdict, against compiling and running it by hand.
pub(super) async fn verdict(rig: &mut Rig) -> anyhow::Result<Vec<Measured>> {
    rig.work().await?;
    let mut measured = Vec::new();
    for (name, language, code, comment) in
        [("verdict_python3", "python3", SUM_PY, "#"), ("verdict_cpp17", "cpp17", SUM_CPP, "//")]
    {
        let description = rig.language(language)?;
        let input = rig.input(1);
        let (mut judged, mut by_hand) = (Vec::new(), Vec::new());
        for round in 0..=VERDICT_ROUNDS {
            // A program of its own each time, so that no cache answers.
            let code = format!("{code}{comment} {round}\n");
            let started = Instant::now();
            let id = rig.submit("one", language, &code).await?;
            rig.verdict(&id).await?;
            let took = started.elapsed();
            let (description, input) = (description.clone(), input.clone());
            let hand = tokio::task::spawn_blocking(move || {
                let program = ByHand::new(&description, &code)?;
                anyhow::Ok(program.compile()? + program.run(&input)?)
            });
            let hand = hand.await??;
            if round > 0 {
                judged.push(ms(took));
                by_hand.push(ms(hand));
            }
        }
        let (value, baseline) = (median(judged), median(by_hand));
        let more = value - baseline;
        measured.push(Measured {
            name,
            what: format!("{language} verdict / by hand"),
            value,
            baseline,
            unit: "ms",
            ratio: value / baseline,
            target: format!("at most 30 ms more ({more:.1})"),
            met: more <= 30.0,
        });
    }
    Ok(measured)
}

/// Testcases per second on all slots, from the compiled program to the verdict, against the same program on the
/// same files by hand, as many at once.
pub(super) async fn throughput(rig: &mut Rig) -> anyhow::Result<Vec<Measured>> {
    let slots = rig.work().await?;
    let language = rig.language("cpp17")?;
    let program = Arc::new(ByHand::new(&language, SUM_CPP)?);
    program.compile()?;
    let (mut judged, mut by_hand) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let codes: Vec<String> = (0..slots).map(|slot| format!("{SUM_CPP}// {round} {slot}\n")).collect();
        let ids = codes.iter().map(|code| rig.submit("hundred", "cpp17", code));
        let ids = futures::future::try_join_all(ids).await?;
        futures::future::try_join_all(ids.iter().map(|id| rig.verdict(id))).await?;
        let mut rate = 0.0;
        for id in &ids {
            rate += TESTCASES as f64 / judging_time(rig, id.parse()?).await?.as_secs_f64();
        }
        judged.push(rate);
        let inputs: Arc<Vec<_>> = Arc::new((1..=TESTCASES).map(|testcase| rig.input(testcase)).collect());
        let started = Instant::now();
        let runs = (0..slots).map(|_| {
            let (program, inputs) = (program.clone(), inputs.clone());
            tokio::task::spawn_blocking(move || {
                inputs.iter().try_for_each(|input| program.run(input).map(drop))
            })
        });
        for run in futures::future::join_all(runs).await {
            run??;
        }
        by_hand.push((slots * TESTCASES) as f64 / started.elapsed().as_secs_f64());
    }
    let (value, baseline) = (median(judged), median(by_hand));
    let ratio = value / baseline;
    Ok(vec![Measured {
        name: "throughput",
        what: format!("testcases judged / run by hand, {slots} at once"),
        value,
        baseline,
        unit: "/s",
        ratio,
        target: "at least 0.7".to_owned(),
        met: ratio >= 0.7,
    }])
}

/// From the end of the compilation to the verdict, by the history.
async fn judging_time(rig: &Rig, id: SubmissionId) -> anyhow::Result<Duration> {
    let history = rig.store.load(&Aggregate::Submission(id)).await?;
    let time = |wanted: fn(&Event) -> bool| {
        let found = history.iter().find(|recorded| wanted(&recorded.envelope.event));
        found.map(|recorded| recorded.envelope.time).context("the judging has not ended")
    };
    let from = time(|event| matches!(event, Event::CompileFinished(_)))?;
    let to = time(|event| matches!(event, Event::VerdictIssued(_)))?;
    Ok(Duration::try_from(to.duration_since(from))?)
}

#[handler]
fn hello() -> &'static str {
    "hello"
}

/// Reading many submissions, against poem saying hello, with the same connections. More of them than the API keeps
/// answers for, so that most are read from the read model, as they are where many people ask.
pub(super) async fn query(rig: &mut Rig) -> anyhow::Result<Vec<Measured>> {
    rig.work().await?;
    let id = rig.submit("one", "python3", SUM_PY).await?;
    rig.verdict(&id).await?;
    rig.rest_workers().await;
    let before = rig.store.last_sequence().await?;
    let (last, ids) = grow(rig, id.parse()?, before + QUERY_EVENTS).await?;
    let paths: Vec<String> = ids.iter().map(|id| format!("/v1/submissions/{id}")).collect();
    let newest = paths.last().context("no submissions to read")?;
    rig.until_read(&format!("{newest}?min_seq={last}")).await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let bare = listener.local_addr()?;
    let acceptor = poem::listener::TcpAcceptor::from_std(listener)?;
    let serving = tokio::spawn(Server::new_with_acceptor(acceptor).run(Route::new().at("/", get(hello))));
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for round in 0..=QUERY_ROUNDS {
        let our = requests_per_second(rig.address(), &paths, QUERY_TIME).await?;
        let bare = requests_per_second(bare, &["/".to_owned()], QUERY_TIME).await?;
        if round > 0 {
            ours.push(our);
            bares.push(bare);
        }
    }
    serving.abort();
    let (value, baseline) = (median(ours), median(bares));
    let ratio = value / baseline;
    Ok(vec![Measured {
        name: "query",
        what: format!("{} submissions read / poem hello", paths.len()),
        value,
        baseline,
        unit: "/s",
        ratio,
        target: "at least 0.5".to_owned(),
        met: ratio >= 0.5,
    }])
}

/// Folding a history into a read model, against reading it and dropping it.
pub(super) async fn replay(rig: &mut Rig, events: u64) -> anyhow::Result<Vec<Measured>> {
    rig.work().await?;
    let id = rig.submit("hundred", "python3", SUM_PY).await?;
    rig.verdict(&id).await?;
    rig.rest().await;
    let (last, _) = grow(rig, id.parse()?, events).await?;
    let (mut folded, mut consumed) = (Vec::new(), Vec::new());
    for round in 0..REPLAY_ROUNDS {
        let started = Instant::now();
        let mut history = rig.store.follow(1);
        let mut seen = 0;
        while seen < last {
            let batch = history.recv().await.context("the history broke off")??;
            seen = batch.last().map_or(seen, |stored| stored.recorded.sequence);
        }
        drop(history);
        consumed.push(last as f64 / started.elapsed().as_secs_f64());
        let folder = rig.scratch(&format!("replay-{round}"));
        let (model, stats) = projection::fold_all(&rig.store, &folder).await?;
        folded.push(stats.events_per_second());
        drop(model);
    }
    let (value, baseline) = (median(folded), median(consumed));
    Ok(vec![Measured {
        name: "replay",
        what: format!("events replayed / consumed, of {last}"),
        value,
        baseline,
        unit: "/s",
        ratio: value / baseline,
        target: "at least 50000 /s".to_owned(),
        met: value >= 50_000.0,
    }])
}

/// Appends copies of a submission's events, as of other submissions, until there are `events`. Returns the last
/// sequence and the submissions.
async fn grow(rig: &Rig, model: SubmissionId, events: u64) -> anyhow::Result<(u64, Vec<SubmissionId>)> {
    let history = rig.store.load(&Aggregate::Submission(model)).await?;
    let subjects = subjects(rig, model, history.len()).await?;
    let mut last = rig.store.last_sequence().await?;
    let (mut copies, mut ids) = (Vec::new(), Vec::new());
    while last + (copies.len() as u64) < events {
        let id = SubmissionId::mint(1_760_000_000_000 + copies.len() as u64, rand::random());
        for (recorded, subject) in history.iter().zip(&subjects) {
            let sequence = last + copies.len() as u64 + 1;
            copies.push(copied(recorded, subject, model, id, sequence)?);
        }
        ids.push(id);
    }
    last += copies.len() as u64;
    for chunk in copies.chunks(IN_FLIGHT) {
        rig.store.import(chunk).await?;
    }
    Ok((last, ids))
}

/// The subjects that a submission's events lie under.
async fn subjects(rig: &Rig, id: SubmissionId, count: usize) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::with_capacity(count);
    let mut history = rig.store.follow(1);
    while found.len() < count {
        let batch = history.recv().await.context("the history broke off")??;
        let of_it =
            batch.into_iter().filter(|stored| stored.recorded.envelope.event.submission() == Some(id));
        found.extend(of_it.map(|stored| stored.subject));
    }
    Ok(found)
}

fn copied(
    recorded: &Recorded,
    subject: &str,
    model: SubmissionId,
    id: SubmissionId,
    sequence: u64,
) -> anyhow::Result<StoredEvent> {
    let (old, new) = (model.to_string(), id.to_string());
    let data = serde_json::to_string(&recorded.envelope.event)?.replace(&old, &new);
    let event = Event::from_json(recorded.envelope.event.type_name(), data.as_bytes())?;
    let part = |id: &SubmissionId| format!(".{:02x}.{id}.", id.partition());
    let envelope = Envelope { id: event.id(), event, causation: None, ..recorded.envelope.clone() };
    let subject = subject.replace(&part(&model), &part(&id));
    Ok(StoredEvent { subject, recorded: Recorded { sequence, envelope } })
}
