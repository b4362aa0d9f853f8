//! `assize problem`: what the owners of problem packages run. `verify` has a file of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use crate::error_chain::chain;
use crate::judge::Judge;
use crate::languages::Languages;
use crate::nats_server::Role;
use crate::publish::{PublishError, Publisher, Verify, Wish};
use crate::store::jetstream::JetStreamStore;

use super::connection::NatsArgs;
use super::output::{self, Colour, paint};
use super::{DataArgs, Exit, Usage, import, verify};

/// How long publishing goes on trying to reach the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do with problem packages.
#[derive(Debug, Subcommand)]
pub(crate) enum ProblemCommand {
    /// Judge every jury submission of the packages and compare with what is expected of it. Needs no server.
    Verify(verify::VerifyArgs),
    /// Publish the packages: from then on new submissions are judged by them.
    Publish(PublishArgs),
    /// Turn a Polygon package into a problem package, made complete in the sandbox where it has no tests.
    Import(import::ImportArgs),
}

/// Arguments of `assize problem publish`.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Problem packages: folders, or archives (.zip, .kpp).
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Do not run the jury's accepted submissions first.
    #[arg(long)]
    no_verify: bool,
    /// Print one JSON object per package.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

pub(crate) async fn run(command: ProblemCommand) -> anyhow::Result<Exit> {
    match command {
        ProblemCommand::Verify(args) => verify::run(args).await,
        ProblemCommand::Publish(args) => publish(args).await,
        ProblemCommand::Import(args) => import::run(args).await,
    }
}

async fn publish(args: PublishArgs) -> anyhow::Result<Exit> {
    for folder in &args.packages {
        if !folder.exists() {
            return Err(Usage(format!("{} does not exist", folder.display())).into());
        }
    }
    let settings = args.nats.settings(&args.data.root()?, Role::Api)?;
    let store = JetStreamStore::connect(&settings, PATIENCE).await?;
    let judge = Judge::new(Arc::new(store.clone()), "/assize/cli");
    let publisher = Publisher::new(store, judge, Languages::embedded()?);
    let verify = if args.no_verify { Verify::Never } else { Verify::Always };
    let wish = Wish { verify, ..Wish::default() };
    let mut exit = Exit::Done;
    for folder in &args.packages {
        let shown = folder.display();
        match publisher.publish(folder, &wish, Timestamp::now()).await {
            Ok(published) => {
                for warning in &published.warnings {
                    eprintln!("{shown}/{warning}");
                }
                let revision = &published.revision;
                if args.json {
                    output::json_line(&json!({
                        "folder": shown.to_string(), "ok": true, "problem": revision.problem,
                        "revision": revision.revision, "package": revision.package,
                        "sequence": published.sequence,
                    }))?;
                } else {
                    output::line(&format!(
                        "{shown}: problem {} is at revision {} ({} testcases)",
                        revision.problem, revision.revision, revision.testcases_total
                    ))?;
                }
            }
            Err(error @ (PublishError::Store(_) | PublishError::Judge(_))) => return Err(error.into()),
            Err(error @ PublishError::CannotConfine(_)) => {
                let cure =
                    "`assize doctor` says what this host lacks; --no-verify publishes without verifying";
                return Err(anyhow::Error::new(error).context(cure));
            }
            Err(error) => {
                exit = Exit::No;
                if args.json {
                    output::json_line(
                        &json!({ "folder": shown.to_string(), "ok": false, "error": chain(&error) }),
                    )?;
                } else {
                    output::line(&format!("{shown}: {} {}", paint("refused:", Colour::Red), chain(&error)))?;
                }
            }
        }
    }
    Ok(exit)
}
