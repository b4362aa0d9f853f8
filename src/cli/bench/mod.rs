//! `assize bench`: what the judge costs, as ratios to the bare thing measured in turns with it in the same run.
//!
//! `rig` starts all roles on a data directory of its own, `by_hand` and `load` are the baselines' tools, `sections`
//! are the measurements.

mod builds;
mod by_hand;
mod load;
mod rig;
mod sections;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::worker::launch;

use super::Exit;
use super::output::{self, Colour, paint};

use rig::Rig;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Section {
    /// Submitting until it is acknowledged, against a bare JetStream publish.
    Ack,
    /// Submitting until the verdict, against compiling and running by hand.
    Verdict,
    /// Testcases per second, against running the program by hand.
    Throughput,
    /// Requests per second, against a bare poem hello.
    Query,
    /// Replayed events per second, against consuming the stream.
    Replay,
    /// Compiling C++, against the same compiler by hand.
    Compile,
    /// A confined run of a small program, against a bare spawn and against bwrap and firejail where they are
    /// installed.
    Sandbox,
}

/// Arguments of `assize bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure; everything by default.
    sections: Vec<Section>,
    /// How many events are replayed.
    #[arg(long, value_name = "N", default_value_t = 30_000)]
    events: u64,
    /// How often the sandbox runs each program.
    #[arg(long, value_name = "N", default_value_t = 300)]
    rounds: usize,
    /// Print one JSON object per measurement; those of the sandbox are one object, the last.
    #[arg(long)]
    json: bool,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    /// What is measured, in words.
    what: String,
    value: f64,
    baseline: f64,
    unit: &'static str,
    /// `value` by `baseline`.
    ratio: f64,
    /// What is aimed at, in words.
    target: String,
    met: bool,
}

pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<Exit> {
    let mut sections = args.sections.clone();
    if sections.is_empty() {
        sections = Section::value_variants().to_vec();
    }
    sections.sort_unstable();
    sections.dedup();
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the numbers say little");
    }
    let of_sandbox = sections.pop_if(|last| *last == Section::Sandbox).is_some();
    if !sections.is_empty() {
        let mut rig = Rig::start().await?;
        let measured = measure(&mut rig, &sections, &args).await;
        rig.stop().await;
        measured?;
    }
    // Last and alone, so that nothing else is running.
    if of_sandbox {
        sandbox(args.rounds, args.json).await?;
    }
    Ok(Exit::Done)
}

async fn sandbox(rounds: usize, json: bool) -> anyhow::Result<()> {
    if !json {
        output::line(
            "a confined run over a bare spawn; aimed at: reuse +0.15 ms, fresh +0.5 ms, 0.85 of its rate",
        )?;
    }
    let tell = move |row: String| if json { Ok(()) } else { output::line(&row) };
    let all = tokio::task::spawn_blocking(move || launch::bench_sandbox(rounds, tell)).await?;
    let all = all.map_err(anyhow::Error::from_boxed)?;
    if json {
        output::json_line(&all)?;
    }
    Ok(())
}

async fn measure(rig: &mut Rig, sections: &[Section], args: &BenchArgs) -> anyhow::Result<()> {
    if !args.json {
        output::line(&format!("{:44} {:>14} {:>14} {:>7}  target", "", "assize", "baseline", "ratio"))?;
    }
    for section in sections {
        let measured = match section {
            // Before there are workers, so that nothing else writes.
            Section::Ack => sections::ack(rig).await?,
            Section::Verdict => sections::verdict(rig).await?,
            Section::Throughput => sections::throughput(rig).await?,
            Section::Query => sections::query(rig).await?,
            Section::Compile => builds::compile().await?,
            // Last, for it takes the roles down.
            Section::Replay => sections::replay(rig, args.events).await?,
            Section::Sandbox => Vec::new(),
        };
        for measured in measured {
            print(&measured, args.json)?;
        }
    }
    Ok(())
}

fn print(measured: &Measured, json: bool) -> std::io::Result<()> {
    if json {
        return output::json_line(measured);
    }
    let Measured { what, value, baseline, unit, ratio, target, met, .. } = measured;
    let mark = if *met { paint("met", Colour::Green) } else { paint("MISSED", Colour::Red) };
    output::line(&format!(
        "{what:44} {:>14} {:>14} {ratio:>7.2}  {target}: {mark}",
        number(*value, unit),
        number(*baseline, unit)
    ))
}

fn number(value: f64, unit: &str) -> String {
    if value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.2} {unit}") }
}

/// The middle of some values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
