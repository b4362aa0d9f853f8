//! The custom grader of a legacy package: a program that makes one verdict and one score of those in a group.
//!
//! It is the jury's program and a guest like their validators. Whatever it does but to print `VERDICT score` and to end with
//! exit code 0 is our fault.

use std::path::Path;

use crate::domain::scoring::{Assignment, Graded};
use crate::domain::verdict::{Exit, Stop};
use crate::problems::{Package, ValidatorSource};

use super::launch::{Confined, Input, LaunchError};
use super::validators::{ValidatorError, Validators};

/// The most of its output that is read, in bytes.
const OUTPUT_BYTES_MAX: u64 = 4096;

/// A custom grader, built when it is first needed.
#[derive(Debug)]
pub struct CustomGrader {
    path: String,
    program: Validators,
}

impl CustomGrader {
    /// The grader `source` of the package at `root`. It is held to the limits of validators.
    pub fn new(root: &Path, source: &ValidatorSource, package: &Package) -> Self {
        let program = Validators::new(root, std::slice::from_ref(source), package);
        Self { path: source.path.clone(), program }
    }

    /// Asks it about a group.
    pub fn grade(&self, slot: &mut Confined<'_>, assignment: &Assignment) -> Result<Graded, ValidatorError> {
        let lines = Input::new("results", assignment.lines.as_bytes())?;
        let tool = self.program.run_only(slot, &assignment.flags, Vec::new(), Some(lines.as_output()))?;
        let said = String::from_utf8_lossy(&tool.ran.stderr);
        let said = said.trim_end().lines().next_back().unwrap_or_default().to_owned();
        let fault = |what: String| ValidatorError::Fault { validator: self.path.clone(), what, said };
        match (tool.ran.observation.stop, tool.ran.observation.exit) {
            (Stop::None, Exit::Code(0)) => {}
            (Stop::None, Exit::Code(code)) => {
                return Err(fault(format!("exited with code {code} instead of 0")));
            }
            (Stop::None, Exit::Signal(signal)) => return Err(fault(format!("was ended by signal {signal}"))),
            (stop, _) => return Err(fault(format!("passed a limit ({stop:?})"))),
        }
        let output = tool.ran.stdout.read_first(OUTPUT_BYTES_MAX);
        let output = output.map_err(|source| LaunchError::Memory { name: self.path.clone(), source })?;
        Graded::parse(&String::from_utf8_lossy(&output)).map_err(|error| fault(error.to_string()))
    }
}
