//! From the files of a program to what its compiler is given: which language it is, which files are its sources, the
//! main one first, and under what names. One set of rules for contestants' submissions, the jury's, and the programs
//! that packages bring. Reading the files is for the caller.

use std::collections::{BTreeMap, BTreeSet};

use super::java;
use super::{EntryRule, Language, Languages};

/// Extensions of files that sources include. They say nothing about the language and are never compiled by themselves.
const HEADER_EXTENSIONS: [&str; 4] = ["h", "hh", "hpp", "hxx"];
/// Names without extension of files where interpreted programs begin, in the order of preference: the first two are
/// those of the format (a Python program that has both runs as a folder does), the others what validators are called.
const MAIN_STEMS: [&str; 5] = [PACKAGE_MAIN_STEM, "main", "validate", "validator", "output_validator"];
/// How many of them, from the first on, are those of the format.
const ENTRY_STEMS: usize = 2;
/// Names without extension of the files that make a folder a package of Python: the one that is there in any, and the
/// one that is there where the package is a program.
const PACKAGE_STEM: &str = "__init__";
const PACKAGE_MAIN_STEM: &str = "__main__";
/// Which language a program is taken for that has as many files of one as of another, as in problemtools; the others
/// follow by their ids.
const FIRST_OF_EQUALS: [&str; 5] = ["cpp", "c", "python3", "java", "csharp"];
/// What the only file of a submission is called where its own name is that of an included file.
const ALONE: &str = "solution";
/// How much of a file is read to see what runs it.
const SHEBANG_BYTES: usize = 128;

/// A file of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path in the program's directory, with `/`.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl SourceFile {
    /// A file of this name with these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// A program ready for its compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The files of its language, the main one first. At least one.
    pub sources: Vec<SourceFile>,
    /// Headers and whatever else lies beside them.
    pub others: Vec<SourceFile>,
    /// Where it begins: the name of a class where the language wants one, else the name of the main source without its
    /// extension.
    pub entry: String,
}

impl Sources {
    /// The program of one source file, under the name that the language gives it.
    pub fn single(language: &Language, text: &str) -> Self {
        let source = SourceFile::new(&language.source, text);
        let mut sources = vec![source];
        let entry = match language.entry {
            EntryRule::JavaClass => java::main_class(&mut sources, None)
                .map_or_else(|_| stem(&language.source).to_owned(), |(_, class)| class),
            EntryRule::File => stem(&language.source).to_owned(),
        };
        Self { sources, others: Vec::new(), entry }
    }
}

/// Why files are no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourcesError {
    /// There are none.
    #[error("it has no files")]
    NoFiles,
    /// No extension says anything.
    #[error("no language is known for {file}")]
    NoLanguage {
        /// One of its files.
        file: String,
    },
    /// It asks for Python 2.
    #[error("{file} is written for Python 2, which is not among the languages")]
    Python2 {
        /// Which file says so.
        file: String,
    },
    /// The language that it states does not exist.
    #[error("there is no language `{language}`")]
    UnknownLanguage {
        /// What was stated.
        language: String,
    },
    /// The file where it is to begin does not exist.
    #[error("the entry point `{entry}` is not among its files")]
    NoEntry {
        /// What was stated.
        entry: String,
    },
}

/// The language of a program: the one that is stated, or the one that most of its files are of. Headers and files of no
/// language have no say. A language that takes the files of another (C++ those of C) counts them as its own. As many
/// files of one language as of another are settled by an order of languages, that of problemtools.
pub fn language_of<'a>(
    files: &[SourceFile],
    stated: Option<&str>,
    languages: &'a Languages,
) -> Result<&'a Language, SourcesError> {
    if let Some(stated) = stated {
        let unknown = || SourcesError::UnknownLanguage { language: stated.to_owned() };
        return languages.get(stated).ok_or_else(unknown);
    }
    let first = files.first().ok_or(SourcesError::NoFiles)?;
    let no_language = || SourcesError::NoLanguage { file: first.name.clone() };
    languages_of_most(files, languages)?.first().copied().ok_or_else(no_language)
}

/// What to say of a program that states no language and has as many files of one as of another; none where it is clear.
pub fn tie_of(files: &[SourceFile], languages: &Languages) -> Option<String> {
    let best = languages_of_most(files, languages).ok()?;
    let names: Vec<&str> = best.iter().map(|language| language.name.as_str()).collect();
    let [first, _, ..] = names[..] else { return None };
    Some(format!("its files are of several languages: {}; taken for {first}", names.join(", ")))
}

/// The languages that most of the files are of, the one that they are taken for first.
fn languages_of_most<'a>(
    files: &[SourceFile],
    languages: &'a Languages,
) -> Result<Vec<&'a Language>, SourcesError> {
    let mut of_files: Vec<(&SourceFile, &Language)> = Vec::new();
    for file in files {
        let language = if is_python_2(file) {
            let python_2 = languages.get("python2");
            Some(python_2.ok_or_else(|| SourcesError::Python2 { file: file.name.clone() })?)
        } else {
            languages.of_file(&file.name)
        };
        of_files.extend(language.map(|language| (file, language)));
    }
    let taker = |name: &str| {
        let takes = |language: &Language| language.takes(name) && !language.owns(name);
        of_files.iter().map(|(_, language)| *language).find(|language| takes(language))
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, language) in &of_files {
        *counts.entry(&taker(&file.name).unwrap_or(language).id).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let best = counts.iter().filter(|(_, count)| **count == most);
    let mut best: Vec<&Language> = best.filter_map(|(id, _)| languages.get(id)).collect();
    best.sort_by_key(|language| {
        let place = FIRST_OF_EQUALS.iter().position(|code| language.answers_to(code));
        place.unwrap_or(FIRST_OF_EQUALS.len())
    });
    Ok(best)
}

/// Gives a source that nobody has named the name of its problem, if a driver wants a program of that name: it stands in a
/// line that loads something, and the name that the source has now stands in none.
pub fn name_for_drivers(
    language: &Language,
    files: &mut [SourceFile],
    included: &[SourceFile],
    problem: &str,
) {
    let [only] = files else { return };
    let wanted = |name: &str| included.iter().any(|file| loads(file, name));
    if only.name == language.source && wanted(problem) && !wanted(stem(&language.source)) {
        only.name =
            extension(&only.name).map_or_else(|| problem.to_owned(), |end| format!("{problem}.{end}"));
    }
}

/// Whether a line of a file loads what goes by this name, in whatever language.
fn loads(file: &SourceFile, name: &str) -> bool {
    const LOADING: [&str; 13] = [
        "import",
        "from",
        "require",
        "require_relative",
        "require_once",
        "mod",
        "use",
        "include",
        "include_once",
        "load",
        "do",
        "dofile",
        "consult",
    ];
    const COMMENTS: [&str; 5] = ["# ", "//", "/*", "*", "--"];
    let text = String::from_utf8_lossy(&file.bytes);
    let is_code = |line: &&str| !COMMENTS.iter().any(|comment| line.trim_start().starts_with(comment));
    text.lines().filter(is_code).any(|line| {
        let is_part = |part: char| part.is_alphanumeric() || part == '_';
        let words: Vec<&str> = line.split(|part| !is_part(part)).collect();
        words.contains(&name) && words.iter().any(|word| LOADING.contains(word))
    })
}

/// Puts the files of a program of `language` in order. `included` are files of the package that lie beside them, in the
/// place of files of the same name. `entry` is where it begins, if that is stated: a file, with or without its
/// extension, or a class.
///
/// A source that is alone gets the name that the language gives it, whatever it was called.
pub fn arrange(
    language: &Language,
    mut files: Vec<SourceFile>,
    included: Vec<SourceFile>,
    entry: Option<&str>,
) -> Result<Sources, SourcesError> {
    // A file that is all there is makes way for a driver of its name, or nothing would be left of the submission.
    if let [only] = files.as_mut_slice()
        && included.iter().any(|file| file.name == only.name)
    {
        only.name = extension(&only.name).map_or_else(|| ALONE.to_owned(), |end| format!("{ALONE}.{end}"));
    }
    // One where programs of the format begin is a driver, whatever else the submission brings.
    let driver = MAIN_STEMS[..ENTRY_STEMS].iter().find_map(|main| {
        let begins = |file: &&SourceFile| stem(&file.name) == *main && !file.name.contains('/');
        included.iter().filter(|file| language.takes(&file.name)).find(begins)
    });
    let driver = driver.map(|file| file.name.clone());
    let entry = entry.or(driver.as_deref().filter(|_| language.entry == EntryRule::File));
    let replaced: BTreeSet<&str> = included.iter().map(|file| file.name.as_str()).collect();
    files.retain(|file| !replaced.contains(file.name.as_str()));
    if !included.is_empty() {
        // A driver whose name says nothing is found as problemtools finds it, which is the first by name of all files. But a
        // driver loads the submission, and what does not, or is loaded by it, is a library.
        let is_loaded = |one: &SourceFile, by: &SourceFile| loads(by, stem(&one.name));
        let is_driver = |file: &SourceFile| {
            files.iter().any(|own| is_loaded(own, file)) && !files.iter().any(|own| is_loaded(file, own))
        };
        let (drivers, libraries): (Vec<_>, Vec<_>) = included.into_iter().partition(is_driver);
        files.extend(drivers);
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.extend(libraries);
    }
    if files.is_empty() {
        return Err(SourcesError::NoFiles);
    }
    let is_own = |file: &SourceFile| language.takes(&file.name);
    let (mut sources, mut others): (Vec<_>, Vec<_>) = if files.iter().any(is_own) {
        files.into_iter().partition(is_own)
    } else {
        // Whoever states the language may call the files what they like.
        files.into_iter().partition(|file| !is_header(&file.name))
    };
    if sources.is_empty() {
        sources = std::mem::take(&mut others);
    }
    let (main, entry) = match language.entry {
        EntryRule::File => main_file(&sources, entry)?,
        EntryRule::JavaClass => java::main_class(&mut sources, entry)?,
    };
    let main = sources.remove(main);
    sources.insert(0, main);
    let alone = sources.len() == 1 && others.is_empty();
    if let (true, EntryRule::File, Some(source)) = (alone, language.entry, sources.first_mut()) {
        source.name.clone_from(&language.source);
        let entry = stem(&source.name).to_owned();
        return Ok(Sources { sources, others, entry });
    }
    Ok(Sources { sources, others, entry })
}

/// Which of the sources is the main one, and its name without extension.
fn main_file(sources: &[SourceFile], stated: Option<&str>) -> Result<(usize, String), SourcesError> {
    let found = match stated {
        Some(stated) => {
            // Kotlin's classes are named after their files.
            let without = stated.strip_suffix("Kt").unwrap_or(stated);
            let names = [stated, without];
            let is_it = |file: &SourceFile| {
                names.contains(&file.name.as_str()) || names.iter().any(|name| stem(&file.name) == *name)
            };
            let place = sources.iter().position(is_it);
            place.ok_or_else(|| SourcesError::NoEntry { entry: stated.to_owned() })?
        }
        None => {
            // What makes a folder a package is never where a program begins, and what is deeper belongs to a library.
            let rank = |file: &SourceFile| {
                let stem = stem(&file.name).to_ascii_lowercase();
                let place = MAIN_STEMS.iter().position(|main| *main == stem).unwrap_or(MAIN_STEMS.len());
                (place + usize::from(stem == PACKAGE_STEM), file.name.matches('/').count())
            };
            // The first of those that are equal.
            sources.iter().enumerate().min_by_key(|(_, file)| rank(file)).map_or(0, |(place, _)| place)
        }
    };
    let entry = sources.get(found).map_or("", |file| stem(&file.name));
    Ok((found, entry.to_owned()))
}

/// Whether a program of these files, the main one first, is a package of Python. Only what lies beside the main one says
/// so.
pub(super) fn is_package(names: &[&str]) -> bool {
    let folder = |name: &str| name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    names.first().is_some_and(|main| {
        let is_beside = |name: &&str| folder(name) == folder(main) && stem(name) == PACKAGE_STEM;
        stem(main) == PACKAGE_MAIN_STEM && names.iter().any(is_beside)
    })
}

/// The extension of a file name, unless the name is nothing else.
pub(super) fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty()).then_some(extension)
}

/// The name of a file without its folder and its extension.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn is_header(name: &str) -> bool {
    extension(name).is_some_and(|extension| HEADER_EXTENSIONS.contains(&extension))
}

/// Whether a file says that it is for Python 2: by its extension, or by the first line of a Python file.
fn is_python_2(file: &SourceFile) -> bool {
    match extension(&file.name) {
        Some("py2") => true,
        Some("py") => {
            let beginning = &file.bytes[..file.bytes.len().min(SHEBANG_BYTES)];
            let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let asks = |word: &[u8]| word.starts_with(b"python2");
            line.starts_with(b"#!") && line.windows(b"python2".len()).any(asks)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<SourceFile> {
        names.iter().map(|name| SourceFile::new(*name, *b"")).collect()
    }

    fn languages() -> Languages {
        Languages::embedded().expect("the languages of this build")
    }

    #[track_caller]
    fn language(names: &[&str], expected: Result<&str, &str>) {
        let languages = languages();
        let found = language_of(&files(names), None, &languages);
        let found = found.map(|language| language.id.clone()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{names:?}");
    }

    #[test]
    fn most_files_say_the_language() {
        let cpp = languages().of_file("a.cpp").expect("C++").id.clone();
        language(&["a.c"], Ok("c"));
        language(&["a.cpp", "b.c", "c.c", "d.h"], Ok(&cpp));
        language(&["a.cc", "b.c"], Ok(&cpp));
        language(&["solve.py", "data.txt", "x.h"], Ok("pypy3"));
        language(&["a.py", "b.py", "tool.c"], Ok("pypy3"));
        language(&["a.py", "b.c"], Ok("c"));
        language(&["gen.py", "sol.cpp"], Ok(&cpp));
        language(&["a.cs", "b.rs", "Main.java"], Ok("java"));
        language(&["a.rs", "b.go"], Ok("go"));
        language(&["a.h"], Err("no language is known for a.h"));
        language(&["README", "Makefile"], Err("no language is known for README"));
        language(&[], Err("it has no files"));
        language(&["a.py2"], Err("a.py2 is written for Python 2, which is not among the languages"));
    }

    #[test]
    fn a_tie_is_told() {
        let tie = |names: &[&str]| tie_of(&files(names), &languages());
        let said = "its files are of several languages: C17 (GCC), Python 3 (PyPy); taken for C17 (GCC)";
        assert_eq!(tie(&["a.py", "b.c", "x.txt"]).as_deref(), Some(said));
        for clear in [&["a.py"][..], &["a.py", "b.py", "c.c"], &["README"], &[]] {
            assert_eq!(tie(clear), None, "{clear:?}");
        }
    }

    #[test]
    fn python_2_is_known_by_its_first_line() {
        let languages = languages();
        for (line, is) in [
            ("#!/usr/bin/env python2\n", true),
            ("#!/usr/bin/python2.7", true),
            ("#!/usr/bin/env python\n", false),
            ("#!/usr/bin/python3\n", false),
            ("# python2\n", false),
            ("#!/bin/sh\n# python2\n", false),
        ] {
            let file = [SourceFile::new("a.py", line)];
            let found = language_of(&file, None, &languages);
            assert_eq!(found.is_err(), is, "{line:?}");
            assert!(language_of(&file, Some("Python3"), &languages).is_ok(), "what is stated counts");
        }
        let found = language_of(&files(&["a.py"]), Some("algol"), &languages);
        assert_eq!(found, Err(SourcesError::UnknownLanguage { language: "algol".to_owned() }));
    }

    #[track_caller]
    fn arranged(id: &str, names: &[&str], entry: Option<&str>, sources: &[&str], others: &[&str], at: &str) {
        let languages = languages();
        let language = languages.get(id).expect("a language");
        let found = arrange(language, files(names), Vec::new(), entry).expect("a program");
        let names = |files: &[SourceFile]| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&found.sources), names(&found.others), found.entry.as_str()), {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            (owned(sources), owned(others), at)
        });
    }

    #[test]
    fn the_main_source_comes_first() {
        arranged("python3", &["anything.py"], None, &["main.py"], &[], "main");
        arranged("python3", &["b.py", "a.py"], None, &["b.py", "a.py"], &[], "b");
        arranged("python3", &["a.py", "Main.py"], None, &["Main.py", "a.py"], &[], "Main");
        arranged("python3", &["main.py", "__main__.py"], None, &["__main__.py", "main.py"], &[], "__main__");
        arranged("python3", &["a.py", "__main__.py"], None, &["__main__.py", "a.py"], &[], "__main__");
        arranged("python3", &["a.py", "validate.py"], None, &["validate.py", "a.py"], &[], "validate");
        arranged("python3", &["__init__.py", "a.py"], None, &["a.py", "__init__.py"], &[], "a");
        let library = ["lib/__init__.py", "lib/a.py", "solve.py"];
        arranged("python3", &library, None, &["solve.py", library[0], library[1]], &[], "solve");
        arranged("python3", &["main.py", "a.py"], Some("a"), &["a.py", "main.py"], &[], "a");
        arranged("python3", &["main.py", "a.py"], Some("a.py"), &["a.py", "main.py"], &[], "a");
        arranged("python3", &["a.py", "b.txt"], None, &["a.py"], &["b.txt"], "a");
        arranged("cpp17", &["a.c", "a.h", "b.cc"], None, &["a.c", "b.cc"], &["a.h"], "a");
        // Whoever states the language may call the file anything, even a header.
        arranged("c", &["solution"], None, &["main.c"], &[], "main");
        arranged("c", &["solution.h"], None, &["main.c"], &[], "main");
        let languages = languages();
        let python = languages.get("python3").expect("Python");
        let missing = arrange(python, files(&["a.py"]), Vec::new(), Some("b"));
        assert_eq!(missing, Err(SourcesError::NoEntry { entry: "b".to_owned() }));
        assert_eq!(
            arrange(python, Vec::new(), Vec::new(), None),
            Err(SourcesError::NoFiles),
            "nothing is no program"
        );
    }

    #[test]
    fn included_files_take_the_place_of_those_of_their_name() {
        let languages = languages();
        let c = languages.get("c").expect("C");
        let given = vec![SourceFile::new("a.c", "own"), SourceFile::new("grader.c", "forged")];
        let included = vec![SourceFile::new("grader.c", "real"), SourceFile::new("grader.h", "header")];
        let found = arrange(c, given, included, None).expect("a program");
        assert_eq!(
            found.sources,
            [SourceFile::new("a.c", "own"), SourceFile::new("grader.c", "real")],
            "the package's file and not the submission's"
        );
        assert_eq!(found.others, [SourceFile::new("grader.h", "header")]);
        // Who begins follows from who knows whom.
        let python = languages.get("python3").expect("Python");
        for (own, (name, text), main) in [
            ("def solve(): pass", ("grader.py", "import solution"), "grader.py"),
            ("import bounds", ("bounds.py", "# for every solution"), "solution.py"),
            ("print(1)", ("bounds.py", "MOST = 7"), "solution.py"),
            ("print(1)", ("alib.py", "# import solution, or not\ndef of_solution(): pass"), "solution.py"),
            ("def solve(): pass", ("__main__.py", "from solution import solve"), "__main__.py"),
        ] {
            let given = vec![SourceFile::new("solution.py", own)];
            let included = vec![SourceFile::new(name, text)];
            let found = arrange(python, given, included, None).expect("a program");
            assert_eq!(found.sources[0].name, main, "{own}");
        }
        // Nobody gets around a driver that has the name where programs begin.
        let given = vec![SourceFile::new("main.py", "print(1)"), SourceFile::new("solution.py", "")];
        let included = vec![SourceFile::new("__main__.py", "import solution")];
        let found = arrange(python, given, included, None).expect("a program");
        assert_eq!((found.sources[0].name.as_str(), found.entry.as_str()), ("__main__.py", "__main__"));
        // And a driver knows by which name it wants it.
        for (name, text, expected) in [
            ("main.py", "import sum\nprint(sum.solve())", "sum.py"),
            ("main.py", "from sum import solve", "sum.py"),
            ("main.py", "from main import sum", "main.py"),
            ("main.py", "sum = 1\nimport os", "main.py"),
            ("own.py", "import sum", "own.py"),
        ] {
            let mut given = vec![SourceFile::new(name, "def solve(): pass")];
            name_for_drivers(python, &mut given, &[SourceFile::new("grader.py", text)], "sum");
            assert_eq!(given[0].name, expected, "{text}");
        }
        let found = arrange(
            c,
            vec![SourceFile::new("main.c", "own")],
            vec![SourceFile::new("main.c", "driver")],
            None,
        )
        .expect("a program");
        assert_eq!(
            found.sources,
            [SourceFile::new("main.c", "driver"), SourceFile::new("solution.c", "own")],
            "the only file makes way for the driver"
        );
    }
}
