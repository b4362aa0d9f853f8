//! The languages that submissions may be written in: one TOML file each, checked when it is read. Of the toolchains
//! that a language may have, the best is chosen that this host has; finding out whether it works, and running it, is for
//! the worker.
//!
//! # The file of a language
//!
//! `cpp17.toml` beside this file is a complete example. Commands are lists of words, never shell lines. In each word
//! these placeholders are replaced:
//!
//! | placeholder | in | becomes |
//! |---|---|---|
//! | `{source}` | compile, run | name of the main source file |
//! | `{sources}` (a word of its own) | compile, run | names of all source files, the main one first, a word each |
//! | `{artifact}` | compile, run | name of the file that compiling leaves for the run |
//! | `{entry}` | compile | where the program begins: the main class, or the main source without its extension |
//! | `{memory_mib}` | run | the memory limit of the problem in MiB, without the overhead |
//! | `{home}` | compile, run, version | the folder of the toolchain: the first of `[[homes]]` that this host has |
//!
//! Compiling starts in a writable directory that holds the sources and nothing else, and must leave `artifact` there
//! with exit code 0; anything else is a compile error, told by what it printed. A language without `[compile]` runs
//! its main source, which is then the artifact. A run starts in a directory that holds the artifact and, where it is
//! itself a source, the other sources.
//!
//! `roots` are the paths of the host that the command may see, read-only. Where the host has a link, the guest gets
//! the link (so `/lib64` needs `/usr/lib64` beside it); paths that the host lacks are left out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::ids::Sha256Digest;

mod java;
pub mod sources;

/// The languages of this build. Adding one is adding its file here.
const EMBEDDED: [(&str, &str); 33] = [
    ("ada.toml", include_str!("ada.toml")),
    ("bash.toml", include_str!("bash.toml")),
    ("c.toml", include_str!("c.toml")),
    ("cobol.toml", include_str!("cobol.toml")),
    ("cpp11.toml", include_str!("cpp11.toml")),
    ("cpp14.toml", include_str!("cpp14.toml")),
    ("cpp17.toml", include_str!("cpp17.toml")),
    ("cpp20.toml", include_str!("cpp20.toml")),
    ("cpp23.toml", include_str!("cpp23.toml")),
    ("csharp.toml", include_str!("csharp.toml")),
    ("d.toml", include_str!("d.toml")),
    ("erlang.toml", include_str!("erlang.toml")),
    ("fortran.toml", include_str!("fortran.toml")),
    ("go.toml", include_str!("go.toml")),
    ("haskell.toml", include_str!("haskell.toml")),
    ("java.toml", include_str!("java.toml")),
    ("javascript.toml", include_str!("javascript.toml")),
    ("kotlin.toml", include_str!("kotlin.toml")),
    ("lisp.toml", include_str!("lisp.toml")),
    ("lua.toml", include_str!("lua.toml")),
    ("ocaml.toml", include_str!("ocaml.toml")),
    ("output.toml", include_str!("output.toml")),
    ("pascal.toml", include_str!("pascal.toml")),
    ("perl.toml", include_str!("perl.toml")),
    ("php.toml", include_str!("php.toml")),
    ("prolog.toml", include_str!("prolog.toml")),
    ("pypy3.toml", include_str!("pypy3.toml")),
    ("python3.toml", include_str!("python3.toml")),
    ("ruby.toml", include_str!("ruby.toml")),
    ("rust.toml", include_str!("rust.toml")),
    ("scala.toml", include_str!("scala.toml")),
    ("scheme.toml", include_str!("scheme.toml")),
    ("typescript.toml", include_str!("typescript.toml")),
];

/// The longest name of a file that a program keeps, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The language of submissions that are outputs themselves.
pub const OUTPUT: &str = "output";

/// All languages of an installation, found by id, alias or file name. No two answer to the same name.
#[derive(Debug, Clone, PartialEq)]
pub struct Languages {
    by_id: BTreeMap<String, Language>,
    /// Ids and aliases in lower case.
    ids_by_name: BTreeMap<String, String>,
    /// The most preferred one first.
    ids_by_extension: BTreeMap<String, Vec<String>>,
}

/// A language, as its file states it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// What the API and the history call it: `[a-z][a-z0-9]*`, like `cpp17`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Other names under which it can be asked for, without regard to case.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Extensions of file names (without the dot) that are taken for this language.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Codes of the ICPC's list of languages that packages mean it by, besides its id, its aliases, and its id without
    /// the number at its end. The first is the one that packages are told, instead of the id.
    #[serde(default)]
    pub package_codes: Vec<String>,
    /// Of the languages with the same extension, the one with the highest preference is meant.
    #[serde(default)]
    pub preference: u32,
    /// Whether programs of packages that run once per testcase, such as output validators, are taken for it.
    #[serde(default = "yes")]
    pub for_tools: bool,
    /// Extensions of sources in other languages that its compiler takes as well, where they lie beside its own.
    #[serde(default)]
    pub takes_extensions: Vec<String>,
    /// How the place where a program begins is found.
    #[serde(default)]
    pub entry: EntryRule,
    /// Name of the main source file, unless the submission says otherwise.
    pub source: String,
    /// Name of the file that compiling leaves for the run.
    pub artifact: String,
    /// Which workers are asked: those that serve this class.
    #[serde(default = "standard_class")]
    pub routing_class: String,
    /// Time limits are multiplied by this, rounded up to milliseconds.
    #[serde(default = "one")]
    pub time_factor: f64,
    /// Debian packages that provide the compiler or interpreter, for `assize doctor`.
    #[serde(default)]
    pub debian_packages: Vec<String>,
    /// Folders that its toolchain may be in, the best toolchain first; none where the commands say it all.
    #[serde(default)]
    pub homes: Vec<Home>,
    /// The first of its homes that this host has, which `{home}` stands for.
    #[serde(skip)]
    pub home: Option<String>,
    /// How sources become the artifact; absent where the source is the artifact.
    pub compile: Option<Compile>,
    /// How the artifact is run.
    pub run: Run,
    /// How the toolchain's version is found out.
    pub version: Version,
    /// A program that shows that the toolchain works.
    pub self_test: SelfTest,
}

/// A folder that a toolchain may be in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// Where it is: an absolute path.
    pub path: String,
    /// What is unpacked there by `./assize languages install`; none where a Debian package brings it.
    pub npm: Option<NpmPackage>,
}

/// A package of the npm registry that needs no other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpmPackage {
    /// Its name.
    pub package: String,
    /// The one version that is installed.
    pub version: String,
    /// The digest of that version's archive.
    pub sha256: Sha256Digest,
    /// A line for the shell that makes, in the unpacked folder, what the package does not bring; empty where nothing is
    /// missing.
    #[serde(default)]
    pub prepare: String,
}

/// How the place where a program begins is found, where nobody states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryRule {
    /// It is a file: `__main__.*` or `main.*`, else the first in order.
    #[default]
    File,
    /// It is a class with a main method: that of `Main.java`, else of the first file in order that has one. A file that
    /// is alone is named after its public class.
    JavaClass,
}

/// How a language is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compile {
    /// The command with placeholders; the first word is an absolute path.
    pub argv: Vec<String>,
    /// The whole environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Paths of the host that the command may read.
    #[serde(default)]
    pub roots: Vec<PathBuf>,
    /// What its confinement allows beyond the usual.
    #[serde(default)]
    pub needs: Needs,
    /// A header that is compiled once and handed to every compilation whose main source begins with it.
    pub precompiled: Option<Precompiled>,
    /// CPU time of all its processes together; by default a minute.
    #[serde(default = "Compile::default_cpu_ms_limit")]
    pub cpu_ms_limit: u64,
    /// Time on the wall; by default two minutes.
    #[serde(default = "Compile::default_wall_ms_limit")]
    pub wall_ms_limit: u64,
    /// Memory of all its processes together; by default 2 GiB.
    #[serde(default = "Compile::default_memory_bytes_limit")]
    pub memory_bytes_limit: u64,
    /// Bytes that it may write; by default 256 MiB.
    #[serde(default = "Compile::default_output_bytes_limit")]
    pub output_bytes_limit: u64,
    /// Processes and threads at one time; by default 32.
    #[serde(default = "Compile::default_processes_limit")]
    pub processes_limit: u32,
}

/// A header that takes long to read, and that most programs begin with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precompiled {
    /// What programs include, like `bits/stdc++.h`.
    pub header: String,
    /// The command that compiles it from the file `header.h`, which includes it, to `header.gch`. It runs as the compiler
    /// does.
    pub argv: Vec<String>,
    /// Where the compiler finds it: a file below the working directory.
    pub place: String,
    /// What the compiler's command needs besides.
    pub flag: String,
}

impl Precompiled {
    /// Whether a source begins with the header: nothing but comments and blank lines may come before, since what is
    /// defined or asked of the compiler there could mean something for the header.
    pub fn begins(&self, source: &[u8]) -> bool {
        let wanted = format!("#include<{}>", self.header);
        let text = String::from_utf8_lossy(source);
        let mut rest = text.trim_start_matches('\u{feff}').trim_start();
        loop {
            rest = match (rest.strip_prefix("//"), rest.strip_prefix("/*")) {
                (Some(line), _) => line.split_once('\n').map_or("", |(_, rest)| rest),
                (_, Some(block)) => block.split_once("*/").map_or("", |(_, rest)| rest),
                (None, None) => break,
            }
            .trim_start();
        }
        let line: String = rest.lines().next().unwrap_or_default().split_whitespace().collect();
        line.strip_prefix(&wanted).is_some_and(|after| after.is_empty() || after.starts_with("//"))
    }
}

impl Compile {
    fn default_cpu_ms_limit() -> u64 {
        60_000
    }

    fn default_wall_ms_limit() -> u64 {
        120_000
    }

    fn default_memory_bytes_limit() -> u64 {
        2 << 30
    }

    fn default_output_bytes_limit() -> u64 {
        256 << 20
    }

    fn default_processes_limit() -> u32 {
        32
    }
}

/// How an artifact is run. Time, memory and output are limited by the problem.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The command with placeholders; the first word is an absolute path, or one that starts with `./`.
    pub argv: Vec<String>,
    /// The command for a program that is a package of the language: one that begins in a file `__main__` beside an
    /// `__init__`. None where the language has no such thing.
    #[serde(default)]
    pub package_argv: Option<Vec<String>>,
    /// The whole environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Paths of the host that the command may read; none for a static executable.
    #[serde(default)]
    pub roots: Vec<PathBuf>,
    /// What its confinement allows beyond the usual.
    #[serde(default)]
    pub needs: Needs,
    /// Processes and threads at one time.
    pub processes_limit: u32,
    /// Whether the command is an interpreter that may be started once for all testcases and forked for each, where it
    /// first opens the artifact or another source. It must have no threads by then, and have drawn no random numbers.
    #[serde(default)]
    pub warm: bool,
    /// Memory that the runtime needs for itself; added to the problem's limit.
    #[serde(default)]
    pub memory_bytes_overhead: u64,
    /// What a runtime that limits memory by itself says on standard error when there is no more: a run that fails with one
    /// of these words has exceeded the memory limit.
    #[serde(default)]
    pub memory_messages: Vec<String>,
    /// What a run says on standard error that fails for what this implementation of the language lacks. A program of the
    /// jury that does not state its language is then taken for another of the same extension.
    #[serde(default)]
    pub lacking_messages: Vec<String>,
}

impl Run {
    /// Whether a run that failed did so for what this implementation of the language lacks. `said` are its last words.
    pub fn lacks(&self, said: &str) -> bool {
        self.lacking_messages.iter().any(|message| said.contains(message))
    }
}

/// What the confinement of a command allows beyond the usual, because its runtime would not start without. Whatever is
/// widened is widened for that language alone; its file says why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Runs only, since compilers have them: the system calls of the sandbox's `filters/runtimes.json`, which are
    /// descriptors to wait with (epoll, eventfd, timerfd, a connected pair of streams) and questions about the process
    /// itself.
    #[serde(default)]
    pub runtime_calls: bool,
    /// Runs only: a confinement of its own for each run, in which it may start programs of its roots and write to a
    /// file system that dies with the run. Memory is then that of all its processes.
    #[serde(default)]
    pub processes: bool,
    /// Small files that are to exist, as absolute paths outside the roots with their text, where the runtime insists on a
    /// file that there is not.
    #[serde(default)]
    pub stand_ins: BTreeMap<String, String>,
    /// Links that are to exist, with their targets, for the same reason.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

/// How the version of a toolchain is found out: the first line that a command prints.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The command, without placeholders. It runs with the environment and roots of `compile`, else of `run`.
    pub argv: Vec<String>,
    /// Where it prints.
    #[serde(default)]
    pub stream: VersionStream,
}

/// Where a version is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionStream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// A program that reads two integers and prints their sum.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The main source file.
    pub source: String,
    /// Standard input.
    pub input: String,
    /// What must be printed, up to whitespace.
    pub output: String,
    /// Whether a worker tests the language only when the first submission in it comes, rather than when it starts.
    #[serde(default)]
    pub lazy: bool,
    /// A program that does not compile.
    pub broken: Option<String>,
    /// A program that ends with an error.
    pub crashing: Option<String>,
    /// A program that never ends.
    pub endless: Option<String>,
    /// A program that takes ever more memory.
    pub greedy: Option<String>,
}

/// Why the files of languages were refused.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// A file says something impossible.
    #[error("{file}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Invalid {
        /// The file's name.
        file: String,
        /// Line counted from 1, where one line is to blame.
        line: Option<usize>,
        /// What is wrong, in one line.
        what: String,
    },
    /// The host could not read a file. This says nothing about the language.
    #[error("cannot read {}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Languages {
    /// The languages of this build.
    pub fn embedded() -> Result<Languages, LanguageError> {
        Languages::index(embedded_files()?)
    }

    /// The languages of this build, and those of the `*.toml` files in a directory. A file there replaces the language
    /// of the same id.
    pub fn load(dir: &Path) -> Result<Languages, LanguageError> {
        let read = |path: &Path| {
            let path = path.to_owned();
            move |source| LanguageError::Io { path, source }
        };
        let mut files = embedded_files()?;
        let mut overrides: BTreeMap<String, String> = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(read(dir))? {
            let path = entry.map_err(read(dir))?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let language = Language::parse(&file, &fs::read_to_string(&path).map_err(read(&path))?)?;
            if let Some(other) = overrides.insert(language.id.clone(), file.clone()) {
                let (first, second) = if other < file { (other, file) } else { (file, other) };
                let what = format!("the language {:?} is also defined in {first}", language.id);
                return Err(LanguageError::Invalid { file: second, line: None, what });
            }
            files.insert(language.id.clone(), (file, language));
        }
        Languages::index(files)
    }

    /// The language of an id or alias, without regard to case.
    pub fn get(&self, name: &str) -> Option<&Language> {
        self.by_id.get(self.ids_by_name.get(&name.to_lowercase())?)
    }

    /// The language that a file is taken for, by its extension.
    pub fn of_file(&self, path: &str) -> Option<&Language> {
        self.by_id.get(self.ids_by_extension.get(sources::extension(path)?)?.first()?)
    }

    /// These languages, where files are taken for the languages that are wanted as far as there are such.
    pub fn preferring(mut self, wanted: impl Fn(&Language) -> bool) -> Languages {
        for ids in self.ids_by_extension.values_mut() {
            // Stable: among the wanted ones, the preference decides.
            ids.sort_by_key(|id| !self.by_id.get(id).is_some_and(&wanted));
        }
        self
    }

    /// These languages, where the files of tools are taken for those that start quickly.
    pub fn for_tools(self) -> Languages {
        self.preferring(|language| language.for_tools)
    }

    /// The other languages that files of this one may be taken for, the most preferred first: for a program that does not
    /// state its language and does not work in this one.
    pub fn instead_of(&self, language: &Language) -> Vec<&Language> {
        let lists = language.extensions.iter().filter_map(|extension| self.ids_by_extension.get(extension));
        let mut others: Vec<&Language> = Vec::new();
        for other in lists.flatten().filter_map(|id| self.by_id.get(id)) {
            if other.id != language.id && !others.iter().any(|known| known.id == other.id) {
                others.push(other);
            }
        }
        others
    }

    /// All languages by id.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        self.by_id.values()
    }

    /// Makes sure that no two languages answer to the same name. The files are those that defined each id.
    fn index(files: BTreeMap<String, (String, Language)>) -> Result<Languages, LanguageError> {
        let mut languages = Languages {
            by_id: BTreeMap::new(),
            ids_by_name: BTreeMap::new(),
            ids_by_extension: BTreeMap::new(),
        };
        let mut by_preference: Vec<&(String, Language)> = files.values().collect();
        by_preference.sort_by_key(|(_, language)| std::cmp::Reverse(language.preference));
        for (file, language) in by_preference {
            let id = &language.id;
            let taken = |what: &str, name: &str, other: &str| LanguageError::Invalid {
                file: file.clone(),
                line: None,
                what: format!("{what} {name:?} already belongs to {other}"),
            };
            for name in std::iter::once(id).chain(&language.aliases) {
                match languages.ids_by_name.insert(name.to_lowercase(), id.clone()) {
                    Some(other) if other != *id => return Err(taken("the name", name, &other)),
                    _ => {}
                }
            }
            for extension in &language.extensions {
                let ids = languages.ids_by_extension.entry(extension.clone()).or_default();
                let equal = |other: &&String| files[*other].1.preference == language.preference;
                match ids.iter().find(equal) {
                    Some(other) if other != id => return Err(taken("the extension", extension, other)),
                    Some(_) => {}
                    None => ids.push(id.clone()),
                }
            }
        }
        let is_there = |path: &str| Path::new(path).exists();
        languages.by_id =
            files.into_iter().map(|(id, (_, language))| (id, language.at_home(is_there))).collect();
        Ok(languages)
    }
}

/// The languages of this build by id, with the names of their files.
fn embedded_files() -> Result<BTreeMap<String, (String, Language)>, LanguageError> {
    let mut files = BTreeMap::new();
    for (file, text) in EMBEDDED {
        let language = Language::parse(file, text)?;
        files.insert(language.id.clone(), (file.to_owned(), language));
    }
    Ok(files)
}

impl Language {
    /// Whether it is the one of submissions that are outputs and no programs.
    pub fn is_output(&self) -> bool {
        self.id == OUTPUT
    }

    /// Whether a problem may be solved in it that allows the languages of these `codes`, or any where there are none.
    pub fn is_allowed(&self, codes: Option<&[String]>) -> bool {
        match codes {
            Some(codes) => codes.iter().any(|code| self.answers_to(code)),
            None => !self.is_output(),
        }
    }

    /// The code of the ICPC's list that packages are told it by.
    pub fn package_code(&self) -> &str {
        self.package_codes.first().unwrap_or(&self.id)
    }

    /// Whether a package that names the language `code`, as a folder of included files or in a list of what is allowed,
    /// means this one among others.
    pub fn answers_to(&self, code: &str) -> bool {
        let code = code.to_lowercase();
        let numbered = self.id.trim_end_matches(|last: char| last.is_ascii_digit());
        let mut names = self.aliases.iter().chain(&self.package_codes);
        code == self.id || code == numbered || names.any(|name| name.to_lowercase() == code)
    }

    /// Reads the file of a language. `file` is its name for messages.
    pub fn parse(file: &str, text: &str) -> Result<Language, LanguageError> {
        let language: Language = toml::from_str(text).map_err(|error| LanguageError::Invalid {
            file: file.to_owned(),
            line: error.span().map(|span| 1 + text[..span.start].matches('\n').count()),
            what: error.message().lines().collect::<Vec<_>>().join(" "),
        })?;
        language.check().map_err(|what| LanguageError::Invalid {
            file: file.to_owned(),
            line: None,
            what,
        })?;
        Ok(language)
    }

    /// This language with `{home}` replaced in its commands: by the first of its homes that is there, else by the last.
    fn at_home(mut self, is_there: impl Fn(&str) -> bool) -> Language {
        self.home = self.homes.iter().map(|home| &home.path).find(|path| is_there(path)).cloned();
        let Some(home) = self.home.as_ref().or(self.homes.last().map(|home| &home.path)) else { return self };
        let compile = self.compile.iter_mut().map(|compile| &mut compile.argv);
        let run = std::iter::once(&mut self.run.argv).chain(&mut self.run.package_argv);
        for word in compile.chain(run).chain([&mut self.version.argv]).flatten() {
            *word = word.replace("{home}", home);
        }
        self
    }

    /// The package that would give it a better toolchain than the one that this host has, if it has one.
    pub fn better(&self) -> Option<&NpmPackage> {
        let best = self.homes.first()?;
        best.npm.as_ref().filter(|_| self.home.as_ref().is_some_and(|home| *home != best.path))
    }

    /// What installs its toolchain, as a command, where that is known.
    pub fn cure(&self) -> Option<String> {
        match self.homes.first() {
            Some(Home { npm: Some(_), .. }) => Some(format!("./assize languages install {}", self.id)),
            _ if self.debian_packages.is_empty() => None,
            _ => Some(format!("apt-get install {}", self.debian_packages.join(" "))),
        }
    }

    /// The command that compiles. `sources` are the names of all source files, the main one first; `entry` is where
    /// the program begins.
    pub fn compile_argv(&self, sources: &[&str], entry: &str) -> Option<Vec<String>> {
        self.compile.as_ref().map(|compile| self.fill(&compile.argv, sources, &[("{entry}", entry)]))
    }

    /// The command that runs the artifact. `memory_bytes` is the problem's limit.
    pub fn run_argv(&self, sources: &[&str], memory_bytes: u64) -> Vec<String> {
        let package_argv = self.run.package_argv.as_ref().filter(|_| sources::is_package(sources));
        let argv = package_argv.unwrap_or(&self.run.argv);
        self.fill(argv, sources, &[("{memory_mib}", &(memory_bytes >> 20).to_string())])
    }

    /// Whether a file is a source in this language, by its extension.
    pub fn owns(&self, path: &str) -> bool {
        sources::extension(path).is_some_and(|found| self.extensions.iter().any(|own| own == found))
    }

    /// Whether a program that is this file alone may be run under its name: the source itself is run, and neither a
    /// command nor a terminal would take the name amiss.
    pub fn keeps_name(&self, name: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
        self.made_artifact().is_none()
            && !self.is_output()
            && self.owns(name)
            && name.len() <= NAME_BYTES_MAX
            && name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && name.bytes().all(is_plain)
    }

    /// Whether a file is a source that its compiler takes, by its extension.
    pub fn takes(&self, path: &str) -> bool {
        let taken = |found: &str| self.takes_extensions.iter().any(|taken| taken == found);
        self.owns(path) || sources::extension(path).is_some_and(taken)
    }

    /// The time limit of a problem for programs in this language, in milliseconds.
    pub fn time_limit_ms(&self, time_limit_ms: u64) -> u64 {
        match self.time_factor {
            1.0 => time_limit_ms,
            factor => (time_limit_ms as f64 * factor).ceil() as u64,
        }
    }

    /// The environment of a run: the language's, and the variable by which judges tell programs where they run.
    /// `memory_bytes` is the problem's limit.
    pub fn run_env(&self, memory_bytes: u64) -> Vec<(String, String)> {
        let memory_mib = (memory_bytes >> 20).to_string();
        let filled =
            |(name, value): (&String, &String)| (name.clone(), value.replace("{memory_mib}", &memory_mib));
        let own = self.run.env.iter().map(filled);
        own.chain([("ONLINE_JUDGE".to_owned(), "1".to_owned())]).collect()
    }

    /// The file that the compiler makes; none where the sources themselves are run.
    pub fn made_artifact(&self) -> Option<&str> {
        (self.artifact != self.source).then_some(self.artifact.as_str())
    }

    fn fill(&self, argv: &[String], sources: &[&str], more: &[(&str, &str)]) -> Vec<String> {
        let main = sources.first().copied().unwrap_or(&self.source);
        // Where the source is the artifact, it keeps the name that the submission gave it.
        let artifact = if self.artifact == self.source { main } else { &self.artifact };
        let mut filled = Vec::with_capacity(argv.len() + sources.len());
        for word in argv {
            if word == "{sources}" {
                filled.extend(sources.iter().map(|source| (*source).to_owned()));
                continue;
            }
            let mut word = word.replace("{source}", main).replace("{artifact}", artifact);
            for (placeholder, value) in more {
                word = word.replace(placeholder, value);
            }
            filled.push(word);
        }
        filled
    }

    fn check(&self) -> Result<(), String> {
        let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if self.id.len() > 32
            || !lower(&self.id)
            || !self.id.starts_with(|first: char| first.is_ascii_lowercase())
        {
            return Err(format!("id {:?} is not a word of a-z and 0-9 that starts with a letter", self.id));
        }
        if self.name.trim().is_empty() {
            return Err("name is empty".to_owned());
        }
        let class = &self.routing_class;
        if class.is_empty()
            || class.len() > 32
            || !class.split('-').all(|part| !part.is_empty() && lower(part))
        {
            return Err(format!("routing_class {class:?} is not made of words of a-z and 0-9 joined by -"));
        }
        for (key, names) in [("aliases", &self.aliases), ("extensions", &self.extensions)] {
            if let Some(name) = names.iter().find(|name| !is_word(name)) {
                return Err(format!("{key}: {name:?} is not a name"));
            }
        }
        for (key, name) in [("source", &self.source), ("artifact", &self.artifact)] {
            if !is_word(name) || name.starts_with(['.', '-', '+']) {
                return Err(format!("{key}: {name:?} is not a file name"));
            }
        }
        if !(self.time_factor.is_finite() && (0.1..=100.0).contains(&self.time_factor)) {
            return Err(format!("time_factor: {} is not between 0.1 and 100", self.time_factor));
        }
        self.homes.iter().try_for_each(Home::check)?;
        let with_home = |placeholders: &[&'static str]| {
            let home = self.homes.first().map(|_| "{home}");
            placeholders.iter().copied().chain(home).collect::<Vec<_>>()
        };
        if let Some(compile) = &self.compile {
            let known = with_home(&["{source}", "{sources}", "{artifact}", "{entry}"]);
            check_command("compile", &compile.argv, &known, false)?;
            check_surroundings("compile", &compile.env, &compile.roots, &compile.needs)?;
            if let Some(precompiled) = &compile.precompiled {
                check_command("compile.precompiled", &precompiled.argv, &[], false)?;
            }
            for (key, limit) in [
                ("cpu_ms_limit", compile.cpu_ms_limit),
                ("wall_ms_limit", compile.wall_ms_limit),
                ("memory_bytes_limit", compile.memory_bytes_limit),
                ("output_bytes_limit", compile.output_bytes_limit),
                ("processes_limit", u64::from(compile.processes_limit)),
            ] {
                if limit == 0 {
                    return Err(format!("compile.{key} is 0"));
                }
            }
        } else if self.artifact != self.source {
            return Err("without [compile] the artifact must be the source".to_owned());
        }
        let known = with_home(&["{source}", "{sources}", "{artifact}", "{memory_mib}"]);
        for argv in [&self.run.argv].into_iter().chain(&self.run.package_argv) {
            check_command("run", argv, &known, true)?;
        }
        check_surroundings("run", &self.run.env, &self.run.roots, &self.run.needs)?;
        if self.run.processes_limit == 0 {
            return Err("run.processes_limit is 0".to_owned());
        }
        check_command("version", &self.version.argv, &with_home(&[]), false)?;
        if self.self_test.source.trim().is_empty() || self.self_test.output.trim().is_empty() {
            return Err("self_test has no source or no output".to_owned());
        }
        Ok(())
    }
}

impl Home {
    fn check(&self) -> Result<(), String> {
        if !is_plain(Path::new(&self.path)) {
            return Err(format!("homes: {:?} is not an absolute path below /", self.path));
        }
        let Some(npm) = &self.npm else { return Ok(()) };
        if let Some(name) = [&npm.package, &npm.version].into_iter().find(|name| !is_word(name)) {
            return Err(format!("homes.npm: {name:?} is not a name"));
        }
        match npm.prepare.contains(['\n', '\t']) {
            true => Err("homes.npm.prepare is more than a line, or has a tab".to_owned()),
            false => Ok(()),
        }
    }
}

impl Version {
    /// The version in what the command printed: the first line that is not blank, at most 200 bytes, printable.
    pub fn read(&self, stdout: &[u8], stderr: &[u8]) -> Option<String> {
        const LENGTH_MAX: usize = 200;
        let printed = match self.stream {
            VersionStream::Stdout => stdout,
            VersionStream::Stderr => stderr,
        };
        let text = String::from_utf8_lossy(printed);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        let mut version: String = line.chars().filter(|character| !character.is_control()).collect();
        while version.len() > LENGTH_MAX {
            version.pop();
        }
        Some(version)
    }
}

/// A name without spaces, separators or anything that a terminal, a subject or a path would take amiss.
fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'#');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

fn check_command(
    key: &str,
    argv: &[String],
    placeholders: &[&str],
    may_be_local: bool,
) -> Result<(), String> {
    let program = argv.first().ok_or_else(|| format!("{key}.argv is empty"))?;
    if !(program.starts_with('/') || may_be_local && program.starts_with("./")) {
        let or = if may_be_local { " or start with ./" } else { "" };
        return Err(format!("{key}.argv: the program {program:?} must be an absolute path{or}"));
    }
    for word in argv {
        if word.contains('\0') {
            return Err(format!("{key}.argv: {word:?} contains a NUL"));
        }
        for found in placeholders_in(word) {
            if !placeholders.contains(&found) {
                return Err(format!("{key}.argv: unknown placeholder {found} in {word:?}"));
            }
            if found == "{sources}" && word != found {
                return Err(format!("{key}.argv: {found} must be a word of its own, not a part of {word:?}"));
            }
        }
    }
    Ok(())
}

/// The parts of a word that look like placeholders: `{name}`. Other braces are themselves.
fn placeholders_in(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices('{').filter_map(|(start, _)| {
        let end = start + 1 + word[start + 1..].find('}')?;
        let name = &word[start + 1..end];
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then_some(&word[start..=end])
    })
}

fn check_surroundings(
    key: &str,
    env: &BTreeMap<String, String>,
    roots: &[PathBuf],
    needs: &Needs,
) -> Result<(), String> {
    for (name, value) in env {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || value.contains('\0') {
            return Err(format!("{key}.env: {name:?} is not an environment variable"));
        }
    }
    for root in roots {
        if !is_plain(root) {
            return Err(format!("{key}.roots: {} is not an absolute path below /", root.display()));
        }
    }
    for file in needs.stand_ins.keys().chain(needs.links.keys()) {
        if !is_plain(Path::new(file)) || roots.iter().any(|root| Path::new(file).starts_with(root)) {
            return Err(format!("{key}.needs: {file} is not an absolute path outside the roots"));
        }
    }
    Ok(())
}

/// An absolute path below the root that says no more than it must.
fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().collect::<PathBuf>() == *path
        && !path.components().any(|component| component == std::path::Component::ParentDir)
        && path.parent().is_some()
}

fn standard_class() -> String {
    "standard".to_owned()
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

#[cfg(test)]
mod tests;
