//! From a package to a problem in the history: load, refuse what cannot be judged, verify, store, append.
//!
//! The bytes go first and the event last, so that a revision in the history always has its package. A broken
//! package changes nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempPath;
use tokio::sync::{Semaphore, mpsc};

use crate::domain::event::{ObjectLocation, ProblemLimits, ProblemPublished, Sample};
use crate::domain::ids::{InvalidId, ProblemId, Sha256Digest};
use crate::error_chain::chain;
use crate::judge::{Judge, JudgeError};
use crate::languages::{Languages, OUTPUT};
use crate::problems::{self, Glob, Mode, Opened, Package, PackageError, Place, TimeLimitSource, Warning};
use crate::store::StoreError;
use crate::store::blobs::{COMPRESSION_LEVEL, MAX_BLOB_BYTES};
use crate::store::jetstream::JetStreamStore;
use crate::verify::{self, Bench, Options, Pool, Progress, TimeLimit};
use crate::worker::launch::{LaunchError, Launcher};
use crate::worker::offers;
use crate::worker::packages::{JudgePackage, JudgePackageError};

/// The most slots that one package is verified in.
const SLOTS_MAX: usize = 4;
/// The jury submissions that must be accepted before a package is published.
const ACCEPTED: &str = "accepted";

/// Why a package was not published. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The package is broken.
    #[error(transparent)]
    Package(#[from] PackageError),
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
    /// It is to be published under a name that packages cannot have.
    #[error("`{0}` is no name for a problem that is published: a-z and 0-9 only")]
    ShortName(String),
    /// It cannot be judged by.
    #[error(transparent)]
    Unjudgeable(JudgePackageError),
    /// Jury submissions that must be accepted are not.
    #[error("jury submissions are not accepted: {}", listed(.0))]
    NotAccepted(Vec<Warning>),
    /// This host cannot run anything confined.
    #[error("the package cannot be verified, since this host cannot confine programs")]
    CannotConfine(#[source] LaunchError),
    /// A file could not be read or written.
    #[error("`{path}` could not be read or written")]
    Read {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The history did not take it.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The store did not take its bytes.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(faults: &[Warning]) -> String {
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    told.join("; ")
}

/// What was published.
#[derive(Debug)]
pub struct Published {
    /// The revision as it stands in the history.
    pub revision: ProblemPublished,
    /// The sequence of its event.
    pub sequence: u64,
    /// Whether it is new; else its content was current already.
    pub is_new: bool,
    /// What was assumed where the package deviates from its format.
    pub warnings: Vec<Warning>,
}

/// How a package is published.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whether the accepted jury submissions are run first. A package is refused where one is not accepted.
    pub verify: Verify,
    /// The revision that must be current; 0 for none.
    pub expected_revision: Option<u32>,
    /// The problem, where the package's own name does not count.
    pub problem: Option<ProblemId>,
}

/// Which packages are verified before they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// All.
    #[default]
    Always,
    /// Those that state no time limit, since that follows from the jury's submissions.
    ForTimeLimit,
    /// None: a time limit that is not stated is the default one.
    Never,
}

/// Publishes packages, one at a time: verifying takes all cores.
pub struct Publisher {
    store: JetStreamStore,
    judge: Judge,
    languages: Languages,
    one_at_a_time: Semaphore,
}

impl Publisher {
    /// A publisher that verifies with these languages. The sandbox is started when the first package is verified.
    pub fn new(store: JetStreamStore, judge: Judge, languages: Languages) -> Self {
        let languages = offers::preferring_installed(languages);
        Self { store, judge, languages, one_at_a_time: Semaphore::new(1) }
    }

    /// Publishes the package at `path`, a folder or an archive. One whose content is current already is left as it is,
    /// and not verified again.
    pub async fn publish(&self, path: &Path, wish: &Wish, now: Timestamp) -> Result<Published, PublishError> {
        let _turn = self.one_at_a_time.acquire().await;
        let mut prepared = prepare(path, wish.problem.as_ref()).await?;
        let current = self.judge.problem(&prepared.problem).await?;
        let revision = current.as_ref().map_or(0, |current| current.revision);
        if let Some(expected) = wish.expected_revision.filter(|expected| *expected != revision) {
            // Early: what is refused need not be verified.
            return Err(JudgeError::Revision { expected, current: revision }.into());
        }
        if let Some(current) = &current
            && prepared.states_no_time_limit()
            && let Some(record) = self.time_limit_record(current).await?
        {
            // It may be the same package with the limit that was derived for it.
            let with_record = digest(&prepared.opened, record).await?;
            if with_record == current.package {
                prepared.digest = with_record;
            }
        }
        let is_current = current.is_some_and(|current| current.package == prepared.digest);
        let mut verified = None;
        let verify = match wish.verify {
            Verify::Always => true,
            Verify::ForTimeLimit => prepared.states_no_time_limit(),
            Verify::Never => false,
        };
        if !is_current && verify {
            let Seen { whole, warnings, time_limit } = self.verify(&prepared).await?;
            verified = Some(whole);
            prepared.warnings.extend(warnings);
            if let Some(limit) = time_limit.filter(|limit| limit.source == verify::Source::Derived) {
                let record = limit.record().map_err(|error| PublishError::Read {
                    path: problems::RECORD.to_owned(),
                    source: error.into(),
                })?;
                prepared.record = Some(record);
                prepared.package.limits.time_limit_ms = limit.time_limit_ms;
            }
        } else if !is_current {
            verified = Some(false);
            let what = "published without verifying that the jury's accepted submissions are accepted";
            prepared.warnings.push(Warning { place: Place::file("submissions"), what: what.to_owned() });
            if prepared.states_no_time_limit() {
                let limit_ms = prepared.package.limits.time_limit_ms;
                let what = format!("states no time limit, and none was derived: assumed {limit_ms} ms");
                prepared.warnings.push(Warning { place: Place::file("problem.yaml"), what });
            }
        }
        record(&self.store, &self.judge, prepared, verified, wish.expected_revision, now).await
    }

    /// The file with the time limit that was derived for a revision, if one was.
    async fn time_limit_record(&self, revision: &ProblemPublished) -> Result<Option<Vec<u8>>, PublishError> {
        let fetched = temporary()?;
        match self.store.fetch_package(&revision.object, &fetched).await {
            Ok(()) => {}
            // An erased package is published again, and its limit is derived again.
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        blocking(move || {
            let unreadable = |source| PublishError::Read { path: fetched.display().to_string(), source };
            let file = File::open(&fetched).map_err(unreadable)?;
            let archive = zstd::stream::read::Decoder::new(file).map_err(unreadable)?;
            Ok(problems::file_in_archive(archive, problems::RECORD)?)
        })
        .await
    }

    /// Runs the accepted jury submissions.
    async fn verify(&self, prepared: &Prepared) -> Result<Seen, PublishError> {
        let finding = |place: &str, what: String| Warning { place: Place::file(place), what };
        let package = JudgePackage::new(prepared.package.clone(), prepared.opened.root())
            .map_err(PublishError::Unjudgeable)?;
        let mut languages: BTreeSet<&str> = (prepared.package.jury_submissions.iter())
            .filter(|submission| submission.directory == ACCEPTED)
            .flat_map(|submission| &submission.files)
            .filter_map(|file| self.languages.of_file(file).map(|language| language.id.as_str()))
            .collect();
        if package.takes_answers() {
            languages = BTreeSet::from([OUTPUT]);
        }
        if languages.is_empty() {
            let what = "there is none in a language that is known here, so nothing was verified".to_owned();
            let warnings = vec![finding("submissions/accepted", what)];
            return Ok(Seen { whole: false, warnings, time_limit: None });
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let starting = tokio::task::spawn_blocking(move || Launcher::start(cores.min(SLOTS_MAX)));
        let launcher = match starting.await {
            Ok(started) => started.map_err(PublishError::CannotConfine)?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let needed = languages.iter().filter_map(|id| self.languages.get(id));
        let offers = offers::find_among(needed, launcher.slots()).await;
        let bench = Bench { languages: self.languages.clone(), offers, pool: Pool::new(launcher.slots()) };
        // The data are for `assize problem verify`.
        let options =
            Options { submissions: Glob::parse(ACCEPTED).ok(), without_inputs: true, ..Options::default() };
        let (told, mut progress) = mpsc::unbounded_channel();
        verify::verify(&Arc::new(package), &bench, &options, &told).await;
        drop(told);
        let mut broken = Vec::new();
        let mut seen = Seen { whole: true, warnings: Vec::new(), time_limit: None };
        while let Some(progress) = progress.recv().await {
            match progress {
                Progress::Done(verified) => match (verified.fault, verified.ok) {
                    (false, Some(true)) => {}
                    (false, None) => {
                        let what = format!("was not verified: {}", verified.reason);
                        seen.whole = false;
                        seen.warnings.push(finding(&verified.path, what));
                    }
                    _ => broken.push(finding(&verified.path, verified.reason)),
                },
                Progress::Finding(found) => {
                    let found_at = finding(found.path.as_deref().unwrap_or("problem.yaml"), found.what);
                    if found.is_error { broken.push(found_at) } else { seen.warnings.push(found_at) }
                }
                Progress::TimeLimit(limit) => seen.time_limit = Some(limit),
                Progress::Testcase(_) => {}
            }
        }
        if broken.is_empty() { Ok(seen) } else { Err(PublishError::NotAccepted(broken)) }
    }
}

/// What was seen of the jury's accepted submissions, which are accepted.
struct Seen {
    /// Whether all were seen.
    whole: bool,
    warnings: Vec<Warning>,
    /// By which limit they were held.
    time_limit: Option<TimeLimit>,
}

/// A package that is fit to be published.
struct Prepared {
    opened: Opened,
    problem: ProblemId,
    package: Package,
    warnings: Vec<Warning>,
    /// Of its canonical content, without the record of a time limit that is derived for it now.
    digest: Sha256Digest,
    /// The record of a time limit that was derived for it now.
    record: Option<Vec<u8>>,
}

impl Prepared {
    fn states_no_time_limit(&self) -> bool {
        self.package.limits.time_limit_source == TimeLimitSource::Default
    }
}

/// The canonical content of a package.
struct Content {
    digest: Sha256Digest,
    bytes: u64,
    /// As it is stored.
    compressed: TempPath,
}

async fn prepare(path: &Path, name: Option<&ProblemId>) -> Result<Prepared, PublishError> {
    let (path, name) = (path.to_owned(), name.cloned());
    blocking(move || prepare_blocking(&path, name.as_ref())).await
}

/// The canonical content of an open package, with this record of its time limit if there is one.
async fn content(opened: &Opened, record: Option<Vec<u8>>) -> Result<Content, PublishError> {
    let root = opened.root().to_owned();
    blocking(move || content_blocking(&root, record.as_deref())).await
}

/// The digest of an open package's canonical content with this record of its time limit. Nothing is written.
async fn digest(opened: &Opened, record: Vec<u8>) -> Result<Sha256Digest, PublishError> {
    let root = opened.root().to_owned();
    blocking(move || digest_blocking(&root, Some(&record))).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn temporary() -> Result<TempPath, PublishError> {
    let unwritable = |source| PublishError::Read { path: std::env::temp_dir().display().to_string(), source };
    Ok(tempfile::NamedTempFile::new().map_err(unwritable)?.into_temp_path())
}

fn prepare_blocking(path: &Path, name: Option<&ProblemId>) -> Result<Prepared, PublishError> {
    let opened = problems::open(path)?;
    let loaded = match name {
        Some(name) => opened.load_as(name.as_str(), Mode::Lenient)?,
        None => opened.load(Mode::Lenient)?,
    };
    let package = loaded.package;
    if let Some(name) = name
        && package.short_name != name.as_str()
    {
        return Err(PublishError::ShortName(name.to_string()));
    }
    if package.limits.code_bytes > MAX_BLOB_BYTES as u64 {
        return Err(PublishError::CodeLimit { code_bytes: package.limits.code_bytes });
    }
    let problem: ProblemId = package.short_name.parse()?;
    for testcase in &package.testcases {
        testcase.name.parse::<crate::domain::ids::TestcaseName>()?;
    }
    let digest = digest_blocking(opened.root(), None)?;
    Ok(Prepared { opened, problem, package, warnings: loaded.warnings, digest, record: None })
}

fn digest_blocking(root: &Path, record: Option<&[u8]>) -> Result<Sha256Digest, PublishError> {
    let with = record.map(|record| (problems::RECORD, record));
    Ok(problems::write_canonical_archive(root, with, io::sink())?.parse()?)
}

fn content_blocking(root: &Path, record: Option<&[u8]>) -> Result<Content, PublishError> {
    let compressed = temporary()?;
    let unwritable = |source| PublishError::Read { path: compressed.display().to_string(), source };
    let file = File::create(&compressed).map_err(unwritable)?;
    let encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), COMPRESSION_LEVEL);
    let mut content = Counting { inner: encoder.map_err(unwritable)?, bytes: 0 };
    let with = record.map(|record| (problems::RECORD, record));
    let digest = problems::write_canonical_archive(root, with, &mut content)?.parse()?;
    let bytes = content.bytes;
    content.inner.finish().and_then(|mut file| file.flush()).map_err(unwritable)?;
    Ok(Content { digest, bytes, compressed })
}

async fn record(
    store: &JetStreamStore,
    judge: &Judge,
    prepared: Prepared,
    verified: Option<bool>,
    expected_revision: Option<u32>,
    now: Timestamp,
) -> Result<Published, PublishError> {
    let warnings = prepared.warnings;
    if let Some(current) = judge.problem(&prepared.problem).await?
        && prepared.record.is_none()
        && current.package == prepared.digest
    {
        let (revision, sequence) = judge.publish_after(expected_revision, current, now).await?;
        return Ok(Published { revision, sequence, is_new: false, warnings });
    }
    let content = content(&prepared.opened, prepared.record).await?;
    let samples = put_samples(store, prepared.opened.root(), &prepared.package).await?;
    let object = store.put_package_file(content.digest, &content.compressed).await?;
    let described = described(
        prepared.problem,
        content.digest,
        content.bytes,
        object,
        &prepared.package,
        samples,
        verified,
        now,
    );
    let (revision, sequence) = judge.publish_after(expected_revision, described, now).await?;
    Ok(Published { revision, sequence, is_new: true, warnings })
}

async fn put_samples(
    store: &JetStreamStore,
    folder: &Path,
    package: &Package,
) -> Result<Vec<Sample>, PublishError> {
    let mut samples = Vec::new();
    let is_shown = |testcase: &&problems::Testcase| testcase.is_sample && !package.hides_sample_files();
    for testcase in package.testcases.iter().filter(is_shown) {
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

#[expect(clippy::too_many_arguments, reason = "the parts of one event, each used once")]
fn described(
    problem: ProblemId,
    package_digest: Sha256Digest,
    package_bytes: u64,
    object: ObjectLocation,
    package: &Package,
    samples: Vec<Sample>,
    verified: Option<bool>,
    now: Timestamp,
) -> ProblemPublished {
    let statement_languages: BTreeSet<&String> =
        package.statements.iter().map(|statement| &statement.language).collect();
    let attachments =
        package.attachments.iter().map(|path| path.strip_prefix("attachments/").unwrap_or(path).to_owned());
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
        testcases_total: package.testcases_total() as u32,
        samples,
        published_at: now,
        languages_allowed: package.languages(),
        statement_languages: statement_languages.into_iter().cloned().collect(),
        attachments: attachments.collect(),
        verified,
    }
}

struct Counting {
    inner: zstd::stream::write::Encoder<'static, BufWriter<File>>,
    bytes: u64,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl PublishError {
    /// Everything that is wrong with the package, by place; none where that is not why.
    pub fn faults(&self) -> Option<Vec<Warning>> {
        let whole = |what: String| Some(vec![Warning { place: Place::file("problem.yaml"), what }]);
        match self {
            Self::Package(error) => error.faults(),
            Self::NotAccepted(faults) => Some(faults.clone()),
            Self::CodeLimit { .. } | Self::Name(_) => whole(self.to_string()),
            Self::Unjudgeable(error) if error.is_final() => whole(chain(error)),
            Self::ShortName(_)
            | Self::Unjudgeable(_)
            | Self::CannotConfine(_)
            | Self::Read { .. }
            | Self::Judge(_)
            | Self::Store(_) => None,
        }
    }
}
