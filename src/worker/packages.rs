//! The packages that a worker judges by: fetched by digest, checked, unpacked once, kept for the next submission.
//!
//! What lies in the cache came from the history and can be thrown away at any time. Inputs are kept in sealed
//! memory, which all runs share; the least recently used package goes when they grow past a bound.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::domain::default_validator::{FlagError, Flags};
use crate::domain::event::ProblemPublished;
use crate::domain::ids::{InvalidId, Sha256Digest, TestcaseName};
use crate::domain::verdict::RunLimits;
use crate::languages::Language;
use crate::languages::sources::SourceFile;
use crate::problems::{self, Mode, Package, PackageError, Validation};
use crate::store::StoreError;
use crate::store::jetstream::JetStreamStore;

use super::launch::{Input, LaunchError, ProgramFile};
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

/// How many bytes of inputs and answers are kept in memory before older packages are let go.
const MEMORY_BYTES: u64 = 1 << 30;

/// Why a package cannot be judged by: our fault or the package's, never the contestant's.
#[derive(Debug, thiserror::Error)]
pub enum JudgePackageError {
    /// It cannot be fetched.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// Its output validator failed.
    #[error(transparent)]
    Validator(ValidatorError),
}

impl JudgePackageError {
    /// Whether another try cannot help: the package itself is at fault, and not this host or the store.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Package(error) => !matches!(error, PackageError::Io { .. }),
            Self::Flags { .. } | Self::Name(_) => true,
            Self::Validator(error) => error.is_final(),
            Self::Store(_) | Self::Io { .. } | Self::Launch(_) => false,
        }
    }
}

/// The folder of included files that are for every language.
const INCLUDED_ALWAYS: &str = "default";

/// A package ready to judge by.
#[derive(Debug)]
pub struct JudgePackage {
    /// The package.
    pub package: Package,
    /// Its testcases in the order of judging.
    pub testcases: Vec<JudgeTestcase>,
    /// Its own output validators; none where the default one decides.
    pub validators: Option<Validators>,
    /// Where its files lie.
    pub root: PathBuf,
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
    input_path: PathBuf,
    answer_path: PathBuf,
    files: Vec<(String, PathBuf)>,
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

impl JudgePackage {
    /// A package from its folder.
    pub fn load(root: &Path, short_name: &str) -> Result<Self, JudgePackageError> {
        let package = problems::load_as(root, short_name, Mode::Lenient)?.package;
        Self::new(package, root)
    }

    /// A package that is loaded already.
    pub fn new(package: Package, root: &Path) -> Result<Self, JudgePackageError> {
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
                files: testcase.files.iter().map(|file| (file.name.clone(), root.join(&file.path))).collect(),
                input_path: root.join(&testcase.input_path),
                answer_path: root.join(&testcase.answer_path),
                bytes: testcase.input_bytes + testcase.answer_bytes,
                data: OnceLock::new(),
            })
        });
        let testcases = testcases.collect::<Result<_, JudgePackageError>>()?;
        Ok(Self { package, testcases, validators, root: root.to_owned() })
    }

    /// The limits that a run of a program in this language is judged by.
    pub fn run_limits(&self, language: &Language) -> RunLimits {
        RunLimits {
            time_limit_ms: language.time_limit_ms(self.package.limits.time_limit_ms),
            memory_limit_bytes: self.package.limits.memory_bytes + language.run.memory_bytes_overhead,
        }
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
                files.insert(name, self.package.constants.put_into(read(&self.root.join(path))?));
            }
        }
        Ok(files.into_iter().map(|(name, bytes)| SourceFile::new(name, bytes)).collect())
    }

    /// The validators where the first of them talks to the submission.
    pub fn interactive(&self) -> Option<&Validators> {
        let interactive = matches!(self.package.validation, Validation::Custom { interactive: true, .. });
        self.validators.as_ref().filter(|_| interactive)
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
        let input = Input::new(self.name.as_str(), &read(&self.input_path)?)?;
        let mut files = Vec::with_capacity(self.files.len());
        for (name, path) in &self.files {
            let executable = path.metadata().is_ok_and(|metadata| metadata.mode() & 0o100 != 0);
            files.push(ProgramFile::new(name, &read(path)?, executable)?);
        }
        let data = Arc::new(TestcaseData::new(input, read(&self.answer_path)?, files));
        Ok(self.data.get_or_init(|| data).clone())
    }
}

/// The packages that a worker has at hand.
#[derive(Debug)]
pub struct PackageCache {
    folder: PathBuf,
    /// The most recently used last.
    loaded: Mutex<Vec<(Sha256Digest, Arc<JudgePackage>)>>,
    /// Only one fetch at a time: slots that start together mostly want the same package.
    fetching: tokio::sync::Mutex<()>,
}

impl PackageCache {
    /// A cache in this folder, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, loaded: Mutex::default(), fetching: tokio::sync::Mutex::default() }
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
        let root = self.folder.join(revision.package.to_string());
        let unpacked =
            Unpacked { folder: self.folder.clone(), root, short_name: revision.problem.to_string() };
        let package = match blocking(unpacked.clone(), |unpacked| Ok(unpacked.load_whole())).await? {
            Some(package) => package,
            None => {
                let content =
                    store.get_package(&revision.object, revision.package, revision.package_bytes).await?;
                blocking(unpacked, move |unpacked| unpacked.fill(&content)).await?
            }
        };
        Ok(self.keep(revision.package, Arc::new(package)))
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
        while loaded.len() > 1
            && loaded.iter().map(|(_, package)| package.bytes()).sum::<u64>() > MEMORY_BYTES
        {
            loaded.remove(0);
        }
        package
    }
}

/// The place of one package in the cache. What it does blocks: reading, hashing, writing.
#[derive(Clone)]
struct Unpacked {
    folder: PathBuf,
    root: PathBuf,
    short_name: String,
}

impl Unpacked {
    /// The package, if it is here and whole.
    fn load_whole(&self) -> Option<JudgePackage> {
        let complete = self.root.join(COMPLETE).exists();
        complete.then(|| JudgePackage::load(&self.root, &self.short_name).ok()).flatten()
    }

    /// The package from its content. Workers that share the cache take turns, and one that comes second finds what the
    /// first one filled.
    fn fill(&self, content: &[u8]) -> Result<JudgePackage, JudgePackageError> {
        std::fs::create_dir_all(&self.folder).map_err(io("created", &self.folder))?;
        let lock = self.folder.join(LOCK);
        let turn = std::fs::File::create(&lock).map_err(io("created", &lock))?;
        turn.lock().map_err(io("locked", &lock))?;
        if let Some(package) = self.load_whole() {
            return Ok(package);
        }
        self.unpack(content)?;
        JudgePackage::load(&self.root, &self.short_name)
    }

    /// Unpacks beside the final place and moves it there, so that a half-unpacked package is never taken for one.
    fn unpack(&self, content: &[u8]) -> Result<(), JudgePackageError> {
        let root = &self.root;
        let beside = tempfile::tempdir_in(&self.folder).map_err(io("created", &self.folder))?;
        let unpacked = beside.path().join("package");
        problems::unpack(content, &unpacked)?;
        std::fs::write(unpacked.join(COMPLETE), "").map_err(io("written", &unpacked))?;
        if root.exists() {
            // Moved away whole, to be removed with the rest: nobody shall read it while it vanishes.
            std::fs::rename(root, beside.path().join("damaged")).map_err(io("moved away", root))?;
        }
        std::fs::rename(&unpacked, root).map_err(io("moved into place", root))
    }
}

/// Runs what blocks where it holds up no other slot.
async fn blocking<T: Send + 'static>(
    unpacked: Unpacked,
    work: impl FnOnce(&Unpacked) -> Result<T, JudgePackageError> + Send + 'static,
) -> Result<T, JudgePackageError> {
    match tokio::task::spawn_blocking(move || work(&unpacked)).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What is locked while a package is put into the cache.
const LOCK: &str = ".lock";

/// Marks a package in the cache as wholly unpacked. The loader ignores names that begin with a dot.
const COMPLETE: &str = ".complete";

fn read(path: &Path) -> Result<Vec<u8>, JudgePackageError> {
    std::fs::read(path).map_err(io("read", path))
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JudgePackageError {
    let path = path.to_owned();
    move |source| JudgePackageError::Io { operation, path, source }
}
