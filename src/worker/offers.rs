//! What a worker can judge: the languages whose toolchain is there and whose self-test passes in the sandbox.
//!
//! A language that is absent or broken on a host is left out with a warning, and its submissions wait for a
//! worker that has it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::CompileOutcome;
use crate::domain::ids::LanguageId;
use crate::domain::verdict::{Exit, Stop};
use crate::error_chain::chain;
use crate::languages::sources::Sources;
use crate::languages::{Language, Languages};

use super::compile;
use super::launch::{Command, Confined, Input, LaunchError, LaunchLimits, SlotHandle};
use super::run;

/// The most memory that a version probe or a self-test may use, in bytes.
const SELF_TEST_MEMORY_BYTES: u64 = 1 << 30;

/// A language that works on this host.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The language.
    pub language: Language,
    /// What its version probe printed.
    pub toolchain: String,
    /// Whether its self-test has passed since.
    proven: Arc<AtomicBool>,
}

impl Offer {
    /// An offer of a language whose self-test has passed, or has not been made yet.
    pub fn new(language: Language, toolchain: String, proven: bool) -> Self {
        Self { language, toolchain, proven: Arc::new(proven.into()) }
    }

    /// Makes sure that the language works before anybody's program is judged in it.
    pub async fn prove(&self, slot: &SlotHandle) -> Result<(), OfferError> {
        if self.proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        let tested = self.language.clone();
        slot.call(move |confined| self_test(confined, &tested)).await?;
        self.proven.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Everything that a worker offers.
#[derive(Debug, Default)]
pub struct Offers {
    /// The languages that work.
    pub by_language: BTreeMap<LanguageId, Arc<Offer>>,
    /// The languages that do not, with the reason.
    pub absent: BTreeMap<LanguageId, String>,
    /// The confinement layers that held the self-tests.
    pub layers: Vec<String>,
}

/// Why a language is not offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// Its programs are not there.
    #[error("`{program}` is not installed")]
    NotInstalled {
        /// The first that is missing.
        program: String,
    },
    /// The sandbox failed, or the toolchain is not on this host.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The version probe failed.
    #[error("the version probe `{command}` failed: {output}")]
    Probe {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// The self-test does not compile.
    #[error("the self-test does not compile: {diagnostics}")]
    Compile {
        /// What the compiler said.
        diagnostics: String,
    },
    /// The self-test does not print what it should.
    #[error("the self-test printed {printed:?} instead of {expected:?} ({ended})")]
    Run {
        /// What it printed.
        printed: String,
        /// What it should have printed.
        expected: String,
        /// How it ended.
        ended: String,
    },
}

/// A program of the language's commands, or a folder of its toolchain, that this host does not have; none where all are
/// there.
pub fn missing_program(language: &Language) -> Option<&str> {
    let compile = language.compile.as_ref().and_then(|compile| compile.argv.first());
    let programs = [compile, language.run.argv.first(), language.version.argv.first()];
    let missing = |program: &&String| program.starts_with('/') && !Path::new(program).exists();
    let home = language.homes.last().map(|home| &home.path).filter(|_| language.home.is_none());
    programs.into_iter().flatten().find(missing).or(home).map(String::as_str)
}

/// Whether this host has the programs of a language. Whether they work is found out by [`self_test`].
pub fn is_installed(language: &Language) -> bool {
    missing_program(language).is_none()
}

/// These languages, where files are taken for those that are installed here as far as there are such.
pub fn preferring_installed(languages: Languages) -> Languages {
    languages.preferring(is_installed)
}

/// Probes every language and self-tests those that are not to be tested at their first use, spread over the slots.
pub async fn find(languages: &Languages, slots: &[SlotHandle]) -> Offers {
    find_with(languages.iter(), slots, |language| !language.self_test.lazy).await
}

/// Probes and self-tests some languages, spread over the slots.
pub async fn find_among(languages: impl Iterator<Item = &Language>, slots: &[SlotHandle]) -> Offers {
    find_with(languages, slots, |_| true).await
}

async fn find_with(
    languages: impl Iterator<Item = &Language>,
    slots: &[SlotHandle],
    is_tested: impl Fn(&Language) -> bool,
) -> Offers {
    let mut offers = Offers::default();
    let is_tested = &is_tested;
    let tests = languages.zip(slots.iter().cycle()).map(|(language, slot)| async move {
        let (tested, now) = (language.clone(), is_tested(language));
        let found = slot.call(move |confined| match now {
            true => self_test(confined, &tested),
            false => probe(confined, &tested).map(|toolchain| (toolchain, Vec::new())),
        });
        (language, found.await)
    });
    for (language, result) in futures::future::join_all(tests).await {
        let Ok(id) = language.id.parse::<LanguageId>() else {
            tracing::warn!(language = %language.id, "the language has an id that cannot be recorded");
            continue;
        };
        match result {
            Ok((toolchain, layers)) => {
                let proven = !layers.is_empty();
                if proven {
                    offers.layers = layers;
                }
                let offer = Offer::new(language.clone(), toolchain, proven);
                offers.by_language.insert(id, Arc::new(offer));
            }
            Err(error) => {
                let reason = chain(&error);
                match error {
                    // Nothing is wrong: hardly any host has all of them. `assize doctor` tells.
                    OfferError::NotInstalled { .. } => {
                        tracing::debug!(language = %language.id, reason, "the language is not offered");
                    }
                    _ => tracing::warn!(language = %language.id, reason, "the language is not offered"),
                }
                offers.absent.insert(id, reason);
            }
        }
    }
    offers
}

/// The version of a language's toolchain and the layers that held its self-test, if it passes.
pub fn self_test(slot: &mut Confined<'_>, language: &Language) -> Result<(String, Vec<String>), OfferError> {
    let toolchain = probe(slot, language)?;
    let test = &language.self_test;
    let compiled = compile::compile_anew(slot, language, &Sources::single(language, &test.source))?;
    if compiled.outcome != CompileOutcome::Succeeded {
        return Err(OfferError::Compile { diagnostics: compiled.diagnostics });
    }
    let limits = LaunchLimits {
        cpu_ms: 10_000,
        wall_ms: None,
        idle_ms: None,
        memory_bytes: SELF_TEST_MEMORY_BYTES,
        output_bytes: 1 << 16,
        processes: language.run.processes_limit,
    };
    let command = run::run_command(language, &compiled.program, SELF_TEST_MEMORY_BYTES);
    let mut program = slot.prepare(&command, &compiled.program, false)?;
    let ran = program.run(&Input::new("self-test", test.input.as_bytes())?, limits)?;
    let printed = ran.stdout.read_all().unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed);
    let ended = ran.observation.stop == Stop::None && ran.observation.exit == Exit::Code(0);
    if !ended || printed.trim() != test.output.trim() {
        return Err(OfferError::Run {
            printed: printed.into_owned(),
            expected: test.output.clone(),
            ended: format!("{:?}: {}", ran.observation, String::from_utf8_lossy(&ran.stderr)),
        });
    }
    Ok((toolchain, ran.layers))
}

/// The version of the language's toolchain, as its probe prints it.
fn probe(slot: &mut Confined<'_>, language: &Language) -> Result<String, OfferError> {
    if let Some(program) = missing_program(language) {
        return Err(OfferError::NotInstalled { program: program.to_owned() });
    }
    let run = &language.run;
    let (env, roots, needs) = match &language.compile {
        Some(compile) => (&compile.env, &compile.roots, &compile.needs),
        None => (&run.env, &run.roots, &run.needs),
    };
    let env = env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let argv = language.version.argv.clone();
    let command =
        Command { argv, env, roots: roots.clone(), needs: needs.clone(), memory_messages: Vec::new() };
    let limits = LaunchLimits {
        cpu_ms: 10_000,
        wall_ms: None,
        idle_ms: None,
        memory_bytes: SELF_TEST_MEMORY_BYTES,
        output_bytes: 1 << 16,
        processes: 16,
    };
    let ran = slot.build(&command, &[], limits, None)?.ran;
    let stdout = ran.stdout.read_all().unwrap_or_default();
    match (ran.observation.exit, language.version.read(&stdout, &ran.stderr)) {
        (Exit::Code(0), Some(version)) => Ok(version),
        _ => Err(OfferError::Probe {
            command: language.version.argv.join(" "),
            output: String::from_utf8_lossy(&[stdout, ran.stderr].concat()).trim().to_owned(),
        }),
    }
}
