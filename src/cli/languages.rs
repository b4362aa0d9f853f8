//! `assize languages`: which languages there are, which work here, and what to install for the others.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::error_chain::chain;
use crate::languages::{Language, Languages, NpmPackage};
use crate::worker::launch::{LaunchError, Launcher, SlotHandle};
use crate::worker::{offers, trials};

use super::output::{self, Colour, paint};
use super::{Exit, Usage};

/// What of a program's last words is shown, in characters.
const SAID_CHARACTERS: usize = 300;

/// `assize languages …`.
#[derive(Debug, Subcommand)]
pub(crate) enum LanguagesCommand {
    /// List the languages, their names and extensions, and whether their compilers are installed.
    List(LanguagesArgs),
    /// Print the Debian packages of the languages, a line each.
    Packages(PackagesArgs),
    /// Judge the small programs of each language: accepted, not compiling, crashing, endless, greedy.
    Test(TestArgs),
}

/// Which languages.
#[derive(Debug, Args)]
pub(crate) struct LanguagesArgs {
    /// Codes or aliases; all languages where none is named.
    names: Vec<String>,
    /// A folder of language files that add to the built-in ones or replace them.
    #[arg(long, value_name = "DIR", env = "ASSIZE_LANGUAGES")]
    languages: Option<PathBuf>,
    /// Print one JSON object per language.
    #[arg(long)]
    json: bool,
}

/// Arguments of `assize languages packages`.
#[derive(Debug, Args)]
pub(crate) struct PackagesArgs {
    #[command(flatten)]
    which: LanguagesArgs,
    /// Print what is installed from the npm registry instead: package, version, SHA-256 of its archive, folder that it is
    /// unpacked to, and the shell's line that completes it there, with tabs between them.
    #[arg(long)]
    npm: bool,
}

/// Arguments of `assize languages test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    which: LanguagesArgs,
    /// How many languages are tried at once; by default one per core.
    #[arg(long, value_name = "N")]
    slots: Option<NonZeroUsize>,
    /// A language that is not installed is a failure too.
    #[arg(long)]
    all: bool,
}

impl LanguagesArgs {
    fn load(&self) -> anyhow::Result<Vec<Language>> {
        let languages = match &self.languages {
            Some(folder) => Languages::load(folder)?,
            None => Languages::embedded()?,
        };
        if self.names.is_empty() {
            return Ok(languages.iter().cloned().collect());
        }
        let find = |name: &String| {
            let found = languages.get(name).cloned();
            found.ok_or_else(|| Usage(format!("there is no language `{name}`")).into())
        };
        self.names.iter().map(find).collect()
    }
}

pub(crate) async fn run(command: LanguagesCommand) -> anyhow::Result<Exit> {
    match command {
        LanguagesCommand::List(args) => list(&args),
        LanguagesCommand::Packages(args) => packages(&args),
        LanguagesCommand::Test(args) => test(args).await,
    }
}

fn list(args: &LanguagesArgs) -> anyhow::Result<Exit> {
    for language in args.load()? {
        let missing = offers::missing_program(&language);
        if args.json {
            output::json_line(&json!({
                "id": language.id,
                "name": language.name,
                "aliases": language.aliases,
                "extensions": language.extensions,
                "installed": missing.is_none(),
                "debian_packages": language.debian_packages,
                "home": language.home,
                "better": language.better().map(said),
            }))?;
            continue;
        }
        let state = match (missing, language.better()) {
            (None, None) => paint("installed", Colour::Green),
            (None, Some(better)) => {
                let cure = language.cure().unwrap_or_default();
                format!("{}, {} with {cure}", paint("installed", Colour::Green), said(better))
            }
            (Some(_), _) => language.cure().unwrap_or_default(),
        };
        let extensions = language.extensions.join(" .");
        output::line(&format!("{:12} {:24} .{extensions:24} {state}", language.id, language.name))?;
    }
    Ok(Exit::Done)
}

/// A package of the npm registry as people write it.
fn said(npm: &NpmPackage) -> String {
    format!("{} {}", npm.package, npm.version)
}

fn packages(args: &PackagesArgs) -> anyhow::Result<Exit> {
    let languages = args.which.load()?;
    if args.npm {
        for home in languages.iter().flat_map(|language| &language.homes) {
            if let Some(NpmPackage { package, version, sha256, prepare }) = &home.npm {
                output::line(&format!("{package}\t{version}\t{sha256}\t{}\t{prepare}", home.path))?;
            }
        }
        return Ok(Exit::Done);
    }
    let packages: BTreeSet<&String> =
        languages.iter().flat_map(|language| &language.debian_packages).collect();
    for package in packages {
        output::line(package)?;
    }
    Ok(Exit::Done)
}

async fn test(args: TestArgs) -> anyhow::Result<Exit> {
    let languages = args.which.load()?;
    let cores = std::thread::available_parallelism();
    let slots = args.slots.or(cores.ok()).map_or(1, NonZeroUsize::get).min(languages.len().max(1));
    let launcher = tokio::task::spawn_blocking(move || Launcher::start(slots)).await??;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let (next, languages) = (&next, &languages);
    let (json, all) = (args.which.json, args.all);
    let tests = launcher.slots().iter().map(|slot| async move {
        let mut exit = Exit::Done;
        while let Some(language) = languages.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            exit = worse(exit, test_one(language, slot, json, all).await?);
        }
        anyhow::Ok(exit)
    });
    let exits = futures::future::try_join_all(tests).await?;
    Ok(exits.into_iter().fold(Exit::Done, worse))
}

fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Fault, _) | (_, Exit::Fault) => Exit::Fault,
        (Exit::Done, other) => other,
        (one, _) => one,
    }
}

async fn test_one(language: &Language, slot: &SlotHandle, json: bool, all: bool) -> anyhow::Result<Exit> {
    let id = &language.id;
    if let Some(missing) = offers::missing_program(language) {
        let cure = language.cure().unwrap_or_default();
        match json {
            true => {
                output::json_line(&json!({ "id": id, "installed": false, "missing": missing, "cure": cure }))?
            }
            false => output::line(&format!(
                "{}  {id:12} SKIPPED: `{missing}` is not installed: {cure}",
                paint("----", Colour::Yellow)
            ))?,
        }
        return Ok(if all { Exit::No } else { Exit::Done });
    }
    let tried = language.clone();
    let trials = slot.call(move |confined| {
        let toolchain = offers::self_test(confined, &tried).map(|(toolchain, _)| toolchain);
        let trials = trials::try_out(confined, &tried)?;
        Ok::<_, LaunchError>((toolchain, trials))
    });
    let (toolchain, trials) = match trials.await {
        Ok(found) => found,
        Err(error) => {
            match json {
                true => output::json_line(
                    &json!({ "id": id, "installed": true, "ok": false, "fault": chain(&error) }),
                )?,
                false => output::line(&format!("{}  {id:12} {}", paint("FAIL", Colour::Red), chain(&error)))?,
            }
            return Ok(Exit::Fault);
        }
    };
    let ok = toolchain.is_ok() && trials.iter().all(|trial| trial.got == trial.expected);
    let shown = toolchain.as_ref().map_or_else(chain_of, Clone::clone);
    if json {
        let trials: Vec<_> = trials
            .iter()
            .map(|trial| {
                json!({
                    "program": trial.program,
                    "expected": trial.expected.code(),
                    "got": trial.got.code(),
                    "compile_cpu_ms": trial.compile_cpu_ms,
                    "cpu_ms": trial.cpu_ms,
                    "memory_bytes": trial.memory_bytes,
                    "said": trial.said,
                })
            })
            .collect();
        output::json_line(
            &json!({ "id": id, "installed": true, "ok": ok, "toolchain": shown, "trials": trials }),
        )?;
    } else {
        let mark = if ok { paint("ok  ", Colour::Green) } else { paint("FAIL", Colour::Red) };
        let verdicts: Vec<&str> = trials.iter().map(|trial| trial.got.code()).collect();
        output::line(&format!("{mark}  {id:12} {:20} {shown}", verdicts.join(" ")))?;
        for trial in trials.iter().filter(|trial| trial.got != trial.expected) {
            let said: String = trial.said.trim().chars().take(SAID_CHARACTERS).collect();
            output::line(&format!(
                "      {id}: {}: {} instead of {}: {said}",
                trial.program, trial.got, trial.expected
            ))?;
        }
    }
    Ok(if ok { Exit::Done } else { Exit::No })
}

fn chain_of(error: &offers::OfferError) -> String {
    chain(error)
}
