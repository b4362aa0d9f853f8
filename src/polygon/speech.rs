//! What the checker and the interactor of a package may say beside right and wrong, by the words in their sources.

use std::fs;
use std::path::Path;

use super::problem::Problem;
use super::target::{self, base_name};

/// In which ways the programs that judge give parts of a test's points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Speech {
    /// `quitp`: points.
    pub(super) points: bool,
    /// `_pc`: percents.
    pub(super) percents: bool,
    /// `quitpi`: words that only a scorer of Polygon turns into points.
    pub(super) words_for_scorers: bool,
}

impl Speech {
    /// What those of the package at `root` say. Files that are not there say nothing; whoever copies them tells.
    pub(super) fn of(root: &Path, problem: &Problem) -> Speech {
        if problem.standard_checker().is_some() {
            return Speech::default();
        }
        let programs = [problem.checker.source.as_ref(), problem.interactor.as_ref()];
        let programs = programs.into_iter().flatten().map(|source| source.path.as_str());
        let own_headers = target::headers(problem).filter(|path| base_name(path) != "testlib.h");
        let Ok(root) = fs::canonicalize(root) else { return Speech::default() };
        programs
            .chain(own_headers)
            .filter_map(|path| target::read(&root, path).ok())
            .map(|bytes| Speech::in_source(&String::from_utf8_lossy(&bytes)))
            .fold(Speech::default(), Speech::or)
    }

    /// Whether a test may give a part of its points.
    pub(super) fn is_partial(self) -> bool {
        self.points || self.percents || self.words_for_scorers
    }

    fn or(self, other: Speech) -> Speech {
        Speech {
            points: self.points || other.points,
            percents: self.percents || other.percents,
            words_for_scorers: self.words_for_scorers || other.words_for_scorers,
        }
    }

    fn in_source(source: &str) -> Speech {
        let code = without_comments(source);
        let words = || code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let has = |some: &[&str]| words().any(|word| some.contains(&word));
        Speech {
            points: has(&["quitp", "_points"]),
            percents: has(&["_pc", "_partially"]),
            words_for_scorers: has(&["quitpi"]),
        }
    }
}

/// C++ without its comments. What looks like one in a string goes too, which here costs nothing.
fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        let (before, comment) = rest.split_at(start);
        code.push_str(before);
        code.push(' ');
        let end = if comment.starts_with("//") {
            comment.find('\n')
        } else {
            comment[2..].find("*/").map(|end| end + "/**/".len())
        };
        rest = end.map_or("", |end| &comment[end..]);
    }
    code + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_source_tell_what_a_checker_gives() {
        let of = |points, percents, words_for_scorers| Speech { points, percents, words_for_scorers };
        for (source, expected) in [
            ("quitf(_ok, \"points\");", of(false, false, false)),
            ("if (x) quitp(10);", of(true, false, false)),
            ("quit(_points, \"3\");", of(true, false, false)),
            ("quitf(_pc(50), \"half\");", of(false, true, false)),
            ("quitpi(\"a=1\");", of(false, false, true)),
            (
                "// quitp(10)\nquitf(_wa, \"\"); /* quitf(_pc(1)) */ int max_points, quitp2;",
                of(false, false, false),
            ),
            ("/* // */ quitp(1); /* never ends _pc(2)", of(true, false, false)),
            ("/*/ quitp(1) */", of(false, false, false)),
        ] {
            assert_eq!(Speech::in_source(source), expected, "{source}");
        }
    }
}
