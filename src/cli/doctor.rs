//! `assize doctor`: what this host can do for judging, found by trying, with the cure for each lack.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use nix::sys::statvfs::statvfs;
use serde::Serialize;
use serde_json::json;

use crate::data_dir::{DataDir, DataDirError};
use crate::error_chain::chain;
use crate::languages::Languages;
use crate::nats_server;
use crate::worker::launch::{HostFactState, Launcher, keeper_path, probe_host};
use crate::worker::offers;

use super::output::{self, Colour, paint};
use super::{DataArgs, Exit};

/// Below this the clock has never been set.
const CLOCK_MIN: &str = "2025-01-01T00:00:00Z";
/// Below this a data directory will soon be full.
const FREE_BYTES_GOOD: u64 = 1 << 30;

/// Arguments of `assize doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    data: DataArgs,
    /// A folder of language files that add to the built-in ones or replace them.
    #[arg(long, value_name = "DIR", env = "ASSIZE_LANGUAGES")]
    languages: Option<std::path::PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How well the host does in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Good,
    /// Something weaker takes its place, or it is not needed for everything.
    Degraded,
    /// Nothing can be judged without it.
    Missing,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Check {
    /// A stable name.
    name: String,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it; empty where nothing is amiss.
    cure: String,
}

fn check(name: &str, state: State, found: impl Into<String>, cure: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state, found: found.into(), cure: cure.into() }
}

pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<Exit> {
    let languages = match &args.languages {
        Some(folder) => Languages::load(folder)?,
        None => Languages::embedded()?,
    };
    let mut checks = tokio::task::spawn_blocking(sandbox).await?;
    checks.extend(toolchains(&languages).await);
    checks.push(tokio::task::spawn_blocking(nats).await?);
    checks.push(data_dir(&args.data.root()?));
    checks.push(clock());
    let ready = checks.iter().all(|check| check.state != State::Missing);
    if args.json {
        output::json_line(
            &json!({ "ready": ready, "version": env!("CARGO_PKG_VERSION"), "checks": checks }),
        )?;
    } else {
        print(&checks, ready)?;
    }
    Ok(if ready { Exit::Done } else { Exit::No })
}

fn print(checks: &[Check], ready: bool) -> std::io::Result<()> {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let mark = match check.state {
            State::Good => paint("ok  ", Colour::Green),
            State::Degraded => paint("weak", Colour::Yellow),
            State::Missing => paint("LACK", Colour::Red),
        };
        output::line(&format!("{mark}  {:width$}  {}", check.name, check.found))?;
        if !check.cure.is_empty() {
            output::line(&format!("      {:width$}  cure: {}", "", check.cure))?;
        }
    }
    let lacking = checks.iter().filter(|check| check.state == State::Missing).count();
    output::line(&match ready {
        true => "this host can judge".to_owned(),
        false => format!("this host cannot judge: {lacking} things are missing"),
    })
}

fn sandbox() -> Vec<Check> {
    let (kernel, facts) = probe_host();
    let mut checks = vec![check("kernel", State::Good, kernel, "")];
    checks.extend(facts.into_iter().map(|fact| Check {
        name: fact.name,
        state: match fact.state {
            HostFactState::Good => State::Good,
            HostFactState::Degraded => State::Degraded,
            HostFactState::Missing => State::Missing,
        },
        found: fact.found,
        cure: fact.cure,
    }));
    checks
}

/// The sandbox's executable, and every language by compiling and running its self-test in it.
async fn toolchains(languages: &Languages) -> Vec<Check> {
    let started = tokio::task::spawn_blocking(|| Launcher::start(1)).await;
    let launcher = match started {
        Ok(Ok(launcher)) => launcher,
        Ok(Err(error)) => {
            let cure = "build everything with `cargo build --workspace`, or name the executable with \
                        ASSIZE_SANDBOX; the checks above say what the host lacks";
            return vec![check("sandbox", State::Missing, chain(&error), cure)];
        }
        Err(error) => return vec![check("sandbox", State::Missing, chain(&error), "")],
    };
    let found = offers::find(languages, launcher.slots()).await;
    let layers = match found.layers.is_empty() {
        true => keeper_path().display().to_string(),
        false => format!("{} enforces {}", keeper_path().display(), found.layers.join(", ")),
    };
    let mut checks = vec![check("sandbox", State::Good, layers, "")];
    // One language less is no reason not to judge the others.
    let lack = if found.by_language.is_empty() { State::Missing } else { State::Degraded };
    for language in languages.iter() {
        let name = format!("language {}", language.id);
        let id = language.id.parse().ok();
        if let Some(offer) = id.as_ref().and_then(|id| found.by_language.get(id)) {
            let cure = match (language.better(), language.cure()) {
                (Some(better), Some(cure)) => format!("{} {}: {cure}", better.package, better.version),
                _ => String::new(),
            };
            checks.push(check(&name, State::Good, offer.toolchain.clone(), &cure));
            continue;
        }
        let reason = id.as_ref().and_then(|id| found.absent.get(id)).cloned().unwrap_or_default();
        let cure = language.cure().unwrap_or_else(|| "install its compiler or interpreter".to_owned());
        checks.push(check(&name, lack, reason, cure));
    }
    checks
}

fn nats() -> Check {
    match nats_server::find() {
        Ok(binary) => {
            check("nats_server", State::Good, format!("{} at {}", binary.version, binary.path.display()), "")
        }
        // The error names its cures; a server elsewhere may serve as well.
        Err(error) => {
            check("nats_server", State::Degraded, chain(&error), "or use a server elsewhere: --nats URL")
        }
    }
}

fn data_dir(root: &Path) -> Check {
    let shown = root.display();
    if !root.exists() {
        return check("data", State::Good, format!("{shown} does not exist yet and will be made"), "");
    }
    let free_bytes =
        statvfs(root).map_or(0, |stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
    let free = output::bytes(free_bytes);
    let room = |found: String| match free_bytes {
        FREE_BYTES_GOOD.. => check("data", State::Good, found, ""),
        _ => check("data", State::Degraded, found, "free some space, or choose another with --data DIR"),
    };
    match DataDir::lock(root) {
        Ok(_) => room(format!("{shown}, {free} free")),
        Err(DataDirError::Held { pid, .. }) => room(format!("{shown}, in use by process {pid}, {free} free")),
        Err(error) => check("data", State::Missing, chain(&error), "choose another with --data DIR"),
    }
}

fn clock() -> Check {
    let now = Timestamp::now();
    let plausible = CLOCK_MIN.parse::<Timestamp>().is_ok_and(|least| now >= least);
    match plausible {
        true => check("time", State::Good, now.to_string(), ""),
        false => check(
            "time",
            State::Degraded,
            format!("{now}, which is in the past"),
            "set the clock, and keep it with NTP: every event bears its time",
        ),
    }
}
