//! From a package on disk to a problem in the history: load, refuse what cannot be judged, store, append.
//!
//! The bytes go first and the event last, so that a revision in the history always has its package. A broken
//! package changes nothing.

use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::event::{ObjectLocation, ProblemLimits, ProblemPublished, Sample};
use crate::domain::ids::{InvalidId, ProblemId};
use crate::judge::{Judge, JudgeError};
use crate::problems::{self, Mode, Package, PackageError, Warning};
use crate::store::StoreError;
use crate::store::blobs::MAX_BLOB_BYTES;
use crate::store::jetstream::JetStreamStore;

/// Why a package was not published. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The package is broken.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It asks for what this judge cannot do yet, so that it would be judged wrongly.
    #[error("the package needs what this judge cannot do yet: {0}")]
    Unsupported(String),
    /// It allows sources that are larger than any that can be stored.
    #[error(
        "limits.code is {code_bytes} bytes, and no source larger than {MAX_BLOB_BYTES} bytes can be stored"
    )]
    CodeLimit {
        /// The largest source that it allows, in bytes.
        code_bytes: u64,
    },
    /// Its name or that of a testcase cannot be an identifier here.
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// A file could not be read.
    #[error("`{path}` could not be read")]
    Read {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The history did not take it.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The store did not take its bytes.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was published.
#[derive(Debug)]
pub struct Published {
    /// The revision as it stands in the history.
    pub revision: ProblemPublished,
    /// The sequence of its event.
    pub sequence: u64,
    /// What was assumed where the package deviates from its format.
    pub warnings: Vec<Warning>,
}

/// Publishes the package at `path`, a folder or an archive. One whose content is current already is left as it is.
pub async fn publish(
    store: &JetStreamStore,
    judge: &Judge,
    path: &Path,
    now: Timestamp,
) -> Result<Published, PublishError> {
    let opened = problems::open(path)?;
    let folder = opened.root();
    let loaded = opened.load(Mode::Lenient)?;
    let package = loaded.package;
    if !package.unsupported().is_empty() {
        let asked: Vec<String> = package.unsupported().iter().map(ToString::to_string).collect();
        return Err(PublishError::Unsupported(asked.join("; ")));
    }
    if package.limits.code_bytes > MAX_BLOB_BYTES as u64 {
        return Err(PublishError::CodeLimit { code_bytes: package.limits.code_bytes });
    }
    let problem: ProblemId = package.short_name.parse()?;
    let archive = problems::canonical_archive(folder)?;
    let digest = archive.digest.parse()?;
    if let Some(current) = judge.problem(&problem).await?
        && current.package == digest
    {
        let (revision, sequence) = judge.publish(current, now).await?;
        return Ok(Published { revision, sequence, warnings: loaded.warnings });
    }
    let samples = put_samples(store, folder, &package).await?;
    let object = store.put_package(digest, &archive.bytes).await?;
    let revision = described(problem, digest, archive.bytes.len() as u64, object, &package, samples, now);
    let (revision, sequence) = judge.publish(revision, now).await?;
    Ok(Published { revision, sequence, warnings: loaded.warnings })
}

async fn put_samples(
    store: &JetStreamStore,
    folder: &Path,
    package: &Package,
) -> Result<Vec<Sample>, PublishError> {
    let mut samples = Vec::new();
    for testcase in package.testcases.iter().filter(|testcase| testcase.is_sample) {
        if testcase.input_bytes.max(testcase.answer_bytes) > MAX_BLOB_BYTES as u64 {
            tracing::warn!(testcase = testcase.name, "the sample is too large to be shown");
            continue;
        }
        let mut refs = Vec::new();
        for path in [&testcase.input_path, &testcase.answer_path] {
            let bytes = std::fs::read(folder.join(path))
                .map_err(|source| PublishError::Read { path: path.clone(), source })?;
            refs.push(store.put_blob(Bytes::from(bytes)).await?);
        }
        samples.push(Sample { testcase: testcase.name.parse()?, input: refs[0], answer: refs[1] });
    }
    Ok(samples)
}

fn described(
    problem: ProblemId,
    package_digest: crate::domain::ids::Sha256Digest,
    package_bytes: u64,
    object: ObjectLocation,
    package: &Package,
    samples: Vec<Sample>,
    now: Timestamp,
) -> ProblemPublished {
    ProblemPublished {
        problem,
        // Given by the domain.
        revision: 0,
        package: package_digest,
        package_bytes,
        object,
        titles: package.titles.clone(),
        limits: ProblemLimits {
            time_limit_ms: package.limits.time_limit_ms,
            memory_limit_bytes: package.limits.memory_bytes,
            output_limit_bytes: package.limits.output_bytes,
            code_limit_bytes: package.limits.code_bytes,
        },
        testcases_total: package.testcases.len() as u32,
        samples,
        published_at: now,
    }
}
