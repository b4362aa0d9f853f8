//! `assize problem import`: Polygon packages become packages of ours.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::error_chain::chain;
use crate::polygon::{self, ImportError};
use crate::problems;

use super::output::{self, Colour, paint};
use super::{Exit, Usage};

/// Arguments of `assize problem import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A Polygon package: a folder with a `problem.xml`, or an archive of one (.zip).
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// Where the new package goes; by default a folder of the problem's name, here. It must not exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<Exit> {
    let shown = args.package.display();
    if !args.package.exists() {
        return Err(Usage(format!("{shown} does not exist")).into());
    }
    let refused = |error: String| {
        if args.json {
            output::json_line(&json!({ "package": shown.to_string(), "ok": false, "error": error }))?;
        } else {
            output::line(&format!("{shown}: {} {error}", paint("refused:", Colour::Red)))?;
        }
        anyhow::Ok(Exit::No)
    };
    let opened = match problems::open(&args.package) {
        Ok(opened) => opened,
        Err(error) => return refused(chain(&error)),
    };
    let imported = match polygon::import(opened.root(), args.out.as_deref()).await {
        Ok(imported) => imported,
        Err(error @ (ImportError::Launch(_) | ImportError::Languages(_))) => {
            return Err(error).with_context(|| shown.to_string());
        }
        Err(error) => return refused(chain(&error)),
    };
    let folder = imported.folder.display();
    let warnings: Vec<String> = imported.warnings.iter().map(ToString::to_string).collect();
    if args.json {
        output::json_line(&json!({
            "package": shown.to_string(), "ok": true, "problem": imported.short_name,
            "folder": folder.to_string(), "tests_made": imported.completed,
            "notes": imported.notes, "warnings": warnings,
        }))?;
        return Ok(Exit::Done);
    }
    let made = match imported.completed {
        0 => String::new(),
        count => format!(", {count} tests were made"),
    };
    output::line(&format!("{shown}: problem {} lies in {folder}{made}", imported.short_name))?;
    for text in imported.notes.iter().chain(&warnings) {
        output::line(&format!("  {} {text}", paint("warning:", Colour::Yellow)))?;
    }
    output::line(&format!("  see whether it is right: assize problem verify {folder}"))?;
    Ok(Exit::Done)
}
