//! What can be wrong with a package: errors that refuse it and warnings that do not, both naming file and line.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A place in a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the file relative to the package's root, with `/`.
    pub file: String,
    /// Line in that file, counted from 1, where one line is to blame.
    pub line: Option<u64>,
}

/// A deviation that a lenient load survives. It says what is odd and what was assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What, in one line.
    pub what: String,
}

/// Why a package was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The package is broken, or would be dangerous to use.
    #[error("{place}: {what}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, in one line.
        what: String,
    },
    /// Several things are broken.
    #[error("{}", list_deviations(.faults))]
    Broken {
        /// At least two.
        faults: Vec<Warning>,
    },
    /// A strict load found deviations; a lenient one would have called them warnings.
    #[error("{}", list_deviations(.warnings))]
    Deviations {
        /// At least one.
        warnings: Vec<Warning>,
    },
    /// The host could not read or write a file. This says nothing about the package.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which path of the host.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Place {
    /// A whole file or directory.
    pub fn file(file: impl Into<String>) -> Place {
        Place { file: file.into(), line: None }
    }

    /// A line of a file, counted from 1.
    pub fn line(file: impl Into<String>, line: u64) -> Place {
        Place { file: file.into(), line: Some(line) }
    }
}

/// What is broken in a package as far as it is read: a broken part does not keep the others from being looked at.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Warning>);

impl Faults {
    /// What reading a part came to; none where the part is broken. What the host could not do ends it all.
    pub(crate) fn look<T>(&mut self, part: Result<T, PackageError>) -> Result<Option<T>, PackageError> {
        match part {
            Ok(read) => Ok(Some(read)),
            Err(PackageError::Invalid { place, what }) => {
                self.0.push(Warning { place, what });
                Ok(None)
            }
            Err(PackageError::Broken { faults }) => {
                self.0.extend(faults);
                Ok(None)
            }
            Err(error @ (PackageError::Deviations { .. } | PackageError::Io { .. })) => Err(error),
        }
    }

    /// Refuses the package if anything is broken.
    pub(crate) fn refuse(self) -> Result<(), PackageError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// Why the package is refused, where something is broken.
    pub(crate) fn into_error(self) -> PackageError {
        match <[Warning; 1]>::try_from(self.0) {
            Ok([Warning { place, what }]) => PackageError::Invalid { place, what },
            Err(faults) => PackageError::Broken { faults },
        }
    }
}

impl PackageError {
    /// Everything that is wrong with the package, by place; none where the host is to blame.
    pub fn faults(&self) -> Option<Vec<Warning>> {
        match self {
            PackageError::Invalid { place, what } => {
                Some(vec![Warning { place: place.clone(), what: what.clone() }])
            }
            PackageError::Broken { faults } => Some(faults.clone()),
            PackageError::Deviations { warnings } => Some(warnings.clone()),
            PackageError::Io { .. } => None,
        }
    }

    pub(crate) fn invalid(place: Place, what: impl Into<String>) -> PackageError {
        PackageError::Invalid { place, what: what.into() }
    }

    pub(crate) fn io(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> PackageError {
        PackageError::Io { operation, path: path.into(), source }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(formatter, ":{line}"))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

fn list_deviations(warnings: &[Warning]) -> String {
    let lines: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    lines.join("\n")
}
