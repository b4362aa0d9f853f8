//! The packages that a worker judges by: loaded from the package cache and kept for the next submission.
//!
//! Inputs are kept in sealed memory, which all runs share; the least recently used package goes when they grow past a
//! bound. Bytes are checked when they are read into memory and never again, so a submission to a package at hand costs
//! no hashing.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::domain::default_validator::{FlagError, Flags};
use crate::domain::event::ProblemPublished;
use crate::domain::ids::{InvalidId, Sha256Digest, TestcaseName};
use crate::domain::scoring::{Assignment, Graded, ScoreFault, ScoreFiles, Stated};
use crate::domain::verdict::RunLimits;
use crate::error_chain::chain;
use crate::languages::sources::{self, SourceFile, Sources, SourcesError};
use crate::languages::{Language, Languages, OUTPUT};
use crate::package_cache::{CacheError, CachedPackage, PackageCache};
use crate::problems::{self, Mode, Package, PackageError, ProblemType, Validation};
use crate::store::StoreError;
use crate::store::jetstream::JetStreamStore;

use super::graders::CustomGrader;
use super::launch::{Confined, Input, LaunchError, ProgramFile};
use super::static_validation::StaticValidation;
use super::validators::{ValidatorError, Validators};

impl From<ValidatorError> for JudgePackageError {
    fn from(error: ValidatorError) -> Self {
        match error {
            // Cancelled, or the sandbox: whatever it was that was being run.
            ValidatorError::Launch(error) => Self::Launch(error),
            other => Self::Validator(other),
        }
    }
}

/// How many bytes of inputs and answers are kept in memory before older packages are let go. No more than may lie on the
/// disk, since what is in memory is in use, and so is not removed there.
const MEMORY_BYTES: u64 = 1 << 30;

/// Why a package cannot be judged by: our fault or the package's, never the contestant's.
#[derive(Debug, thiserror::Error)]
pub enum JudgePackageError {
    /// It cannot be fetched.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be had from the package cache.
    #[error(transparent)]
    Cache(CacheError),
    /// It is broken.
    #[error("the package is broken")]
    Package(#[from] PackageError),
    /// A flag of its output validator is wrong.
    #[error("the output validator's flags for testcase {testcase} are wrong")]
    Flags {
        /// The testcase.
        testcase: String,
        /// What is wrong with them.
        #[source]
        source: FlagError,
    },
    /// A testcase has a name that no event could carry.
    #[error("a testcase has a name that cannot be recorded")]
    Name(#[from] InvalidId),
    /// A file could not be read or written.
    #[error("`{path}` could not be {operation}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A testcase could not be put into memory.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Its output validator gave a score where it may not, or none where it must.
    #[error("the output validator breaks the rules of scores")]
    Score(#[source] ScoreFault),
    /// A group is graded by a program, and there is none.
    #[error("there is no program in graders")]
    NoGrader,
    /// Its output validator failed.
    #[error(transparent)]
    Validator(ValidatorError),
}

impl From<CacheError> for JudgePackageError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Store(error) => Self::Store(error),
            CacheError::Package(error) => Self::Package(error),
            other => Self::Cache(other),
        }
    }
}

impl JudgePackageError {
    /// Whether what was unpacked is damaged, so that fetching it again helps.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Cache(CacheError::Damaged { .. }))
    }

    /// Whether a program of the package failed on one testcase, so that others may be judged all the same.
    pub fn is_of_testcase(&self) -> bool {
        matches!(self, Self::Score(_) | Self::Validator(ValidatorError::Fault { .. }))
    }

    /// All that is known of it, with what a program of the package said: for the package's owners and the jury.
    pub fn told(&self) -> String {
        match self {
            Self::Validator(fault) if !fault.said().is_empty() => {
                format!("{}: {}", chain(self), fault.said())
            }
            _ => chain(self),
        }
    }

    /// Whether another try cannot help: the package itself is at fault, and not this host or the store.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Package(error) => !matches!(error, PackageError::Io { .. }),
            Self::Flags { .. } | Self::Name(_) | Self::Score(_) | Self::NoGrader => true,
            Self::Validator(error) => error.is_final(),
            Self::Store(_) | Self::Cache(_) | Self::Io { .. } | Self::Launch(_) => false,
        }
    }
}

/// The folder of included files that are for every language.
pub(crate) const INCLUDED_ALWAYS: &str = "default";

/// A package ready to judge by.
#[derive(Debug)]
pub struct JudgePackage {
    /// The package.
    pub package: Package,
    /// Its testcases in the order of judging.
    pub testcases: Vec<JudgeTestcase>,
    /// Its own output validators; none where the default one decides.
    pub validators: Option<Validators>,
    /// Its own grader, where it has one.
    pub grader: Option<CustomGrader>,
    /// What judges the sources of submissions, where groups ask for it.
    pub static_validation: Option<StaticValidation>,
    /// Where its files lie.
    pub root: PathBuf,
    cached: Option<Arc<CachedPackage>>,
}

/// Something that a submission is judged on: a testcase, or the static validation of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CasePlace<'a> {
    /// Its place, from 1.
    pub index: u32,
    /// Its name.
    pub name: &'a TestcaseName,
    /// The group that it belongs to.
    pub group: &'a str,
}

/// One testcase ready to run.
#[derive(Debug)]
pub struct JudgeTestcase {
    /// Its name.
    pub name: TestcaseName,
    /// The group that it belongs to.
    pub group: String,
    /// Its place in the order of judging, from 1.
    pub index: u32,
    /// The flags of the default output validator, where that decides.
    pub flags: Flags,
    /// The arguments of the package's own output validators.
    pub validator_arguments: Vec<String>,
    /// The arguments of the submission.
    pub arguments: Vec<String>,
    input: PackageFile,
    answer: PackageFile,
    files: Vec<(String, PackageFile)>,
    bytes: u64,
    data: OnceLock<Arc<TestcaseData>>,
}

/// The bytes of a testcase.
#[derive(Debug)]
pub struct TestcaseData {
    /// What the program reads.
    pub input: Input,
    /// What the output is compared with.
    pub answer: Vec<u8>,
    /// What the program finds in its working directory, in the place of its own files of the same names.
    pub files: Vec<ProgramFile>,
    /// The same for programs to read.
    answer_file: OnceLock<Input>,
}

impl TestcaseData {
    /// A testcase of these bytes.
    pub fn new(input: Input, answer: Vec<u8>, files: Vec<ProgramFile>) -> Self {
        Self { input, answer, files, answer_file: OnceLock::new() }
    }

    /// The answer for a program to read.
    pub fn answer_file(&self) -> Result<&Input, LaunchError> {
        if let Some(file) = self.answer_file.get() {
            return Ok(file);
        }
        let file = Input::new("answer", &self.answer)?;
        Ok(self.answer_file.get_or_init(|| file))
    }
}

/// A file of a package, read when it is needed.
#[derive(Debug)]
struct PackageFile {
    root: PathBuf,
    path: String,
    /// What it is checked against.
    cached: Option<Arc<CachedPackage>>,
}

impl JudgePackage {
    /// A package that is loaded already, from its owner's folder.
    pub fn new(package: Package, root: &Path) -> Result<Self, JudgePackageError> {
        Self::over(package, root, None)
    }

    /// A package in the cache. Inputs and answers are checked when they are read; all else is checked now.
    fn load(cached: Arc<CachedPackage>, short_name: &str) -> Result<Self, JudgePackageError> {
        cached
            .check(|path| path.starts_with("data/") && (path.ends_with(".in") || path.ends_with(".ans")))?;
        let package = problems::load_as(cached.root(), short_name, Mode::Lenient)?.package;
        Self::over(package, cached.root(), Some(cached.clone()))
    }

    fn over(
        package: Package,
        root: &Path,
        cached: Option<Arc<CachedPackage>>,
    ) -> Result<Self, JudgePackageError> {
        let file =
            |path: &String| PackageFile { root: root.to_owned(), path: path.clone(), cached: cached.clone() };
        let validators = match &package.validation {
            Validation::Default => None,
            Validation::Custom { validators, .. } => Some(Validators::new(root, validators, &package)),
        };
        let testcases = package.testcases.iter().zip(1..).map(|(testcase, index)| {
            let flags: &[String] = if validators.is_none() { &testcase.validator_flags } else { &[] };
            let flags = Flags::parse(flags)
                .map_err(|source| JudgePackageError::Flags { testcase: testcase.name.clone(), source })?;
            Ok(JudgeTestcase {
                name: testcase.name.parse()?,
                group: testcase.group.clone(),
                index,
                flags,
                validator_arguments: testcase.validator_flags.clone(),
                arguments: testcase.arguments.clone(),
                files: testcase.files.iter().map(|of| (of.name.clone(), file(&of.path))).collect(),
                input: file(&testcase.input_path),
                answer: file(&testcase.answer_path),
                bytes: testcase.input_bytes + testcase.answer_bytes,
                data: OnceLock::new(),
            })
        });
        let testcases = testcases.collect::<Result<_, JudgePackageError>>()?;
        let grader = package.grader.as_ref();
        let grader = grader.map(|grader| CustomGrader::new(root, grader, &package));
        let static_validation = StaticValidation::of(&package, root)?;
        Ok(Self { package, testcases, validators, grader, static_validation, root: root.to_owned(), cached })
    }

    /// Everything that a submission can be judged on, in the order of the places that the grading knows it by: the
    /// testcases, then those of the static validator.
    pub fn places(&self) -> impl Iterator<Item = CasePlace<'_>> {
        (1..).map_while(|index| self.place(index))
    }

    /// What the grading knows by this place, from 1.
    pub fn place(&self, index: u32) -> Option<CasePlace<'_>> {
        if let Some(testcase) = self.testcase(index) {
            return Some(CasePlace { index, name: &testcase.name, group: &testcase.group });
        }
        let testcase = self.static_validation.as_ref()?.testcase(index)?;
        Some(CasePlace { index, name: &testcase.name, group: &testcase.group })
    }

    /// The limits that a run of a program in this language is judged by.
    pub fn run_limits(&self, language: &Language) -> RunLimits {
        RunLimits {
            time_limit_ms: language.time_limit_ms(self.package.limits.time_limit_ms),
            memory_limit_bytes: self.package.limits.memory_bytes + language.run.memory_bytes_overhead,
        }
    }

    /// Whether submissions are outputs instead of programs.
    pub fn takes_answers(&self) -> bool {
        self.package.types.contains(&ProblemType::SubmitAnswer)
    }

    /// Whether programs of the package see the sources of submissions.
    pub fn shows_sources(&self) -> bool {
        self.static_validation.is_some() || self.validators.as_ref().is_some_and(Validators::see_submissions)
    }

    /// The language of a program for it: the one that is stated, or that of its files.
    pub fn language_of<'a>(
        &self,
        files: &[SourceFile],
        stated: Option<&str>,
        languages: &'a Languages,
    ) -> Result<&'a Language, SourcesError> {
        let stated = if self.takes_answers() { Some(OUTPUT) } else { stated };
        sources::language_of(files, stated, languages)
    }

    /// The files of a submission as its compiler is given them, with those of the package laid over them. `entry` is
    /// where it begins, if that is stated.
    pub fn arrange(
        &self,
        language: &Language,
        mut files: Vec<SourceFile>,
        entry: Option<&str>,
    ) -> Result<Result<Sources, SourcesError>, JudgePackageError> {
        if self.takes_answers() {
            // Each file says by its name what it is for.
            return Ok(Ok(Sources { sources: files, others: Vec::new(), entry: String::new() }));
        }
        let included = self.included(language)?;
        sources::name_for_drivers(language, &mut files, &included, &self.package.short_name);
        Ok(sources::arrange(language, files, included, entry))
    }

    /// The files that are laid over a submission in this language, by their names in its directory. Those for the
    /// language itself take the place of those for all languages.
    pub fn included(&self, language: &Language) -> Result<Vec<SourceFile>, JudgePackageError> {
        let mut files = BTreeMap::new();
        let included = &self.package.included;
        let own = included.iter().filter(|(code, _)| *code != INCLUDED_ALWAYS && language.answers_to(code));
        for (code, paths) in included.get_key_value(INCLUDED_ALWAYS).into_iter().chain(own) {
            let folder = format!("include/{code}/");
            for path in paths {
                let name = path.strip_prefix(&folder).unwrap_or(path);
                files.insert(name, self.package.constants.put_into(self.read(path)?));
            }
        }
        Ok(files.into_iter().map(|(name, bytes)| SourceFile::new(name, bytes)).collect())
    }

    /// Whether files that are for this language in particular are laid over a submission in it.
    pub fn includes_code_for(&self, language: &Language) -> bool {
        let mut codes = self.package.included.keys();
        codes.any(|code| code != INCLUDED_ALWAYS && language.answers_to(code))
    }

    /// The testcase at this place in the order of judging, from 1.
    pub fn testcase(&self, index: u32) -> Option<&JudgeTestcase> {
        self.testcases.get(usize::try_from(index).ok()?.checked_sub(1)?)
    }

    /// Asks the package's own grader about a group.
    pub fn grade(
        &self,
        slot: &mut Confined<'_>,
        assignment: &Assignment,
    ) -> Result<Graded, JudgePackageError> {
        let grader = self.grader.as_ref().ok_or(JudgePackageError::NoGrader)?;
        Ok(grader.grade(slot, assignment)?)
    }

    /// What a validator's files say of a testcase.
    pub fn stated(
        &self,
        index: u32,
        accepted: bool,
        files: &ScoreFiles,
    ) -> Result<Option<Stated>, JudgePackageError> {
        self.package.grading.stated(index, accepted, files).map_err(JudgePackageError::Score)
    }

    /// The validators where the first of them talks to the submission.
    pub fn interactive(&self) -> Option<&Validators> {
        let interactive = matches!(self.package.validation, Validation::Custom { interactive: true, .. });
        self.validators.as_ref().filter(|_| interactive)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, JudgePackageError> {
        let file =
            PackageFile { root: self.root.clone(), path: path.to_owned(), cached: self.cached.clone() };
        file.read()
    }

    fn bytes(&self) -> u64 {
        self.testcases.iter().map(|testcase| testcase.bytes).sum()
    }
}

impl JudgeTestcase {
    /// Whether a program that is prepared for one of them is prepared for the other.
    pub fn is_run_as(&self, other: &Self) -> bool {
        self.arguments == other.arguments && self.files.is_empty() && other.files.is_empty()
    }

    /// The bytes of the testcase, read at the first use.
    pub fn data(&self) -> Result<Arc<TestcaseData>, JudgePackageError> {
        if let Some(data) = self.data.get() {
            return Ok(data.clone());
        }
        let input = Input::new(self.name.as_str(), &self.input.read()?)?;
        let mut files = Vec::with_capacity(self.files.len());
        for (name, file) in &self.files {
            let executable = file.host_path().metadata().is_ok_and(|metadata| metadata.mode() & 0o100 != 0);
            files.push(ProgramFile::new(name, &file.read()?, executable)?);
        }
        let data = Arc::new(TestcaseData::new(input, self.answer.read()?, files));
        Ok(self.data.get_or_init(|| data).clone())
    }
}

impl PackageFile {
    fn host_path(&self) -> PathBuf {
        self.root.join(&self.path)
    }

    fn read(&self) -> Result<Vec<u8>, JudgePackageError> {
        if let Some(cached) = &self.cached {
            return Ok(cached.read(&self.path)?);
        }
        let path = self.host_path();
        std::fs::read(&path).map_err(|source| JudgePackageError::Io { operation: "read", path, source })
    }
}

/// The packages that a worker has at hand.
#[derive(Debug)]
pub struct JudgePackages {
    cache: PackageCache,
    /// The most recently used last.
    loaded: Mutex<Vec<(Sha256Digest, Arc<JudgePackage>)>>,
    /// Only one fetch at a time: slots that start together mostly want the same package.
    fetching: tokio::sync::Mutex<()>,
}

impl JudgePackages {
    /// Those of a cache.
    pub fn new(cache: PackageCache) -> Self {
        Self { cache, loaded: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The package of this revision.
    pub async fn get(
        &self,
        store: &JetStreamStore,
        revision: &ProblemPublished,
    ) -> Result<Arc<JudgePackage>, JudgePackageError> {
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(package) = self.recall(revision.package) {
            return Ok(package);
        }
        let package = match self.load(store, revision).await {
            Err(error) if error.is_damage() => self.load(store, revision).await?,
            loaded => loaded?,
        };
        Ok(self.keep(revision.package, Arc::new(package)))
    }

    async fn load(
        &self,
        store: &JetStreamStore,
        revision: &ProblemPublished,
    ) -> Result<JudgePackage, JudgePackageError> {
        let cached = Arc::new(self.cache.get(store, revision).await?);
        let (of, short_name) = (cached.clone(), revision.problem.to_string());
        let loading = tokio::task::spawn_blocking(move || JudgePackage::load(of, &short_name));
        let loaded = match loading.await {
            Ok(loaded) => loaded,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        if let Err(error) = &loaded
            && error.is_damage()
        {
            tracing::warn!(package = %revision.package, %error, "fetched again");
            self.cache.put_aside(revision.package, &cached).await?;
        }
        loaded
    }

    /// Has a package that was found damaged while it was judged by loaded and fetched again at its next use.
    pub async fn put_aside(
        &self,
        digest: Sha256Digest,
        package: &Arc<JudgePackage>,
    ) -> Result<(), JudgePackageError> {
        self.forget(package);
        if let Some(cached) = &package.cached {
            self.cache.put_aside(digest, cached).await?;
        }
        Ok(())
    }

    fn forget(&self, package: &Arc<JudgePackage>) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|(_, kept)| !Arc::ptr_eq(kept, package));
    }

    fn recall(&self, digest: Sha256Digest) -> Option<Arc<JudgePackage>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let at = loaded.iter().position(|(of, _)| *of == digest)?;
        let entry = loaded.remove(at);
        let package = entry.1.clone();
        loaded.push(entry);
        Some(package)
    }

    fn keep(&self, digest: Sha256Digest, package: Arc<JudgePackage>) -> Arc<JudgePackage> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.push((digest, package.clone()));
        let bytes_max = MEMORY_BYTES.min(self.cache.bytes_max());
        while loaded.len() > 1 && loaded.iter().map(|(_, package)| package.bytes()).sum::<u64>() > bytes_max {
            loaded.remove(0);
        }
        package
    }
}
