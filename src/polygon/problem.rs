//! Reads `problem.xml`: what it says as plain data, or what is wrong with it by line. Files that it names are looked at
//! by others: what the sources of the checker and the interactor say is asked of `speech`.

use std::collections::BTreeMap;
use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

use super::speech::Speech;
use super::{ImportError, io};
use crate::domain::testlib_checkers;

/// A larger `problem.xml` is none. Those of thousands of tests have less than a MiB.
const XML_BYTES_MAX: u64 = 16 << 20;
/// A test that is generated costs a compilation or a run: more are a slip.
const TESTS_MAX: usize = 10_000;

/// What `problem.xml` says.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) short_name: String,
    pub(super) url: String,
    pub(super) revision: String,
    /// Titles by Polygon's name of the language.
    pub(super) names: Vec<(String, String)>,
    /// Languages with statements, with the path of a PDF where there is one.
    pub(super) statements: Vec<Statement>,
    pub(super) time_limit_ms: u64,
    pub(super) memory_limit_bytes: u64,
    /// What the set of tests is called, for the validators.
    pub(super) testset: String,
    pub(super) tests: Vec<Test>,
    pub(super) groups: Vec<Group>,
    pub(super) points_are_percent: bool,
    pub(super) input_pattern: Pattern,
    pub(super) answer_pattern: Pattern,
    pub(super) checker: Checker,
    pub(super) interactor: Option<Source>,
    pub(super) validators: Vec<Source>,
    pub(super) executables: Vec<Source>,
    pub(super) resources: Vec<Resource>,
    pub(super) attachments: Vec<String>,
    pub(super) solutions: Vec<Solution>,
    pub(super) tags: Vec<String>,
    /// What the checker and the interactor may say.
    pub(super) speech: Speech,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) language: String,
    pub(super) path: String,
    pub(super) kind: String,
}

/// A program of the package.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: String,
    /// As Polygon calls it: `cpp.g++17`.
    pub(super) kind: String,
    pub(super) line: u32,
}

#[derive(Debug)]
pub(super) struct Checker {
    /// `wcmp` where it is `std::wcmp.cpp`.
    pub(super) standard: Option<String>,
    pub(super) source: Option<Source>,
    pub(super) line: u32,
}

#[derive(Debug)]
pub(super) struct Solution {
    pub(super) tag: String,
    pub(super) source: Source,
}

/// A file that is compiled with others.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) path: String,
    /// What it is compiled with, where only with some: `cpp.*`.
    pub(super) for_types: Vec<String>,
    /// Whether it is for solutions.
    pub(super) is_for_solutions: bool,
}

#[derive(Debug)]
pub(super) struct Test {
    pub(super) line: u32,
    /// The generator's command; none where the test lies in the package.
    pub(super) command: Option<String>,
    /// Which of the files that the command leaves is the test.
    pub(super) from_file: Option<String>,
    pub(super) is_sample: bool,
    pub(super) group: Option<String>,
    pub(super) points: Option<f64>,
    pub(super) description: Option<String>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) points: Option<f64>,
    /// Whether all of its tests must pass for any points.
    pub(super) is_complete: bool,
    pub(super) dependencies: Vec<String>,
}

/// A path with one number in it, as `printf` writes it: `tests/%02d.a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    before: String,
    width: usize,
    after: String,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Option<Pattern> {
        let (before, rest) = text.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let width = match digits {
            "" => 0,
            digits => digits.strip_prefix('0')?.parse().ok().filter(|width| *width <= 20)?,
        };
        (!before.contains('%') && !after.contains('%')).then(|| Pattern {
            before: before.to_owned(),
            width,
            after: after.to_owned(),
        })
    }

    pub(super) fn of(&self, number: usize) -> String {
        format!("{}{number:0width$}{}", self.before, self.after, width = self.width)
    }
}

impl Problem {
    pub(super) fn read(root: &Path) -> Result<Problem, ImportError> {
        let path = root.join("problem.xml");
        let bytes = path.metadata().map_err(io("read", &path))?.len();
        if bytes > XML_BYTES_MAX {
            return Err(ImportError::Xml {
                line: None,
                what: format!("is larger than {XML_BYTES_MAX} bytes"),
            });
        }
        let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
        let mut problem = Problem::parse(&text)?;
        problem.speech = Speech::of(root, &problem);
        Ok(problem)
    }

    pub(super) fn parse(text: &str) -> Result<Problem, ImportError> {
        // No DTD, so no entities of the package's own, which could multiply.
        let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| ImportError::Xml {
            line: Some(error.pos().row),
            what: format!("is not XML: {error}"),
        })?;
        let reader = Reader { document: &document };
        reader.problem(document.root_element())
    }

    /// The name of the package: `[a-z0-9]+`.
    pub(super) fn package_name(&self) -> String {
        let kept: String = self
            .short_name
            .chars()
            .map(|letter| letter.to_ascii_lowercase())
            .filter(char::is_ascii_alphanumeric)
            .take(64)
            .collect();
        if kept.is_empty() { "problem".to_owned() } else { kept }
    }

    /// Whether it gives points rather than a verdict.
    pub(super) fn is_scoring(&self) -> bool {
        self.states_points() || self.is_scored_by_checker()
    }

    fn states_points(&self) -> bool {
        let some = |points: Option<f64>| points.is_some_and(|points| points != 0.0);
        self.tests.iter().any(|test| some(test.points)) || self.groups.iter().any(|group| some(group.points))
    }

    /// Whether only the checker knows how many points there are: tests have points, but none more than 0, and those that
    /// the checker gives count without a bound.
    pub(super) fn is_scored_by_checker(&self) -> bool {
        let is_whole = |name: &Option<String>| {
            self.groups.iter().any(|group| Some(&group.name) == name.as_ref() && group.is_complete)
        };
        let counts = |test: &Test| test.points.is_some() && !test.is_sample && !is_whole(&test.group);
        self.speech.points
            && !self.points_are_percent
            && !self.states_points()
            && self.tests.iter().any(counts)
    }

    /// The name of the checker where the judge knows it by itself.
    pub(super) fn standard_checker(&self) -> Option<&str> {
        let name = self.checker.standard.as_deref().filter(|_| self.interactor.is_none())?;
        testlib_checkers::Checker::parse(name).map(|_| name)
    }

    /// The main solution.
    pub(super) fn main_solution(&self) -> Option<&Source> {
        self.solutions.iter().find(|solution| solution.tag == "main").map(|solution| &solution.source)
    }
}

struct Reader<'a, 'input> {
    document: &'a Document<'input>,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn line(&self, node: Node<'_, '_>) -> u32 {
        self.document.text_pos_at(node.range().start).row
    }

    fn wrong(&self, node: Node<'_, '_>, what: impl Into<String>) -> ImportError {
        ImportError::Xml { line: Some(self.line(node)), what: what.into() }
    }

    fn child(&self, node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
        node.children().find(|child| child.has_tag_name(name))
    }

    fn children(&self, node: Node<'a, 'input>, path: &[&str]) -> Vec<Node<'a, 'input>> {
        let Some((last, above)) = path.split_last() else { return Vec::new() };
        let above = above.iter().try_fold(node, |node, name| self.child(node, name));
        above
            .map_or_else(Vec::new, |above| above.children().filter(|node| node.has_tag_name(*last)).collect())
    }

    fn attribute(&self, node: Node<'a, 'input>, name: &str) -> Result<&'a str, ImportError> {
        let tag = node.tag_name().name();
        node.attribute(name).ok_or_else(|| self.wrong(node, format!("<{tag}> has no attribute {name:?}")))
    }

    fn text(&self, node: Node<'a, 'input>) -> &'a str {
        node.text().unwrap_or_default().trim()
    }

    /// A path in the package, which it may not leave.
    fn path(&self, node: Node<'a, 'input>, name: &str) -> Result<String, ImportError> {
        // Packages made on Windows write backslashes.
        let path = self.attribute(node, name)?.replace('\\', "/");
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if path.len() < 512 && path.split('/').all(is_plain) {
            Ok(path)
        } else {
            Err(self.wrong(node, format!("{path:?} is not a path inside the package")))
        }
    }

    fn points(&self, node: Node<'a, 'input>) -> Result<Option<f64>, ImportError> {
        let Some(text) = node.attribute("points") else { return Ok(None) };
        let points = text.trim().parse().ok().filter(|points: &f64| (0.0..=1e9).contains(points));
        let wrong = || self.wrong(node, format!("points {text:?} are no number of 0 to 1e9"));
        points.map(Some).ok_or_else(wrong)
    }

    fn source(&self, node: Node<'a, 'input>) -> Result<Source, ImportError> {
        let tag = node.tag_name().name();
        let source =
            self.child(node, "source").ok_or_else(|| self.wrong(node, format!("<{tag}> has no <source>")))?;
        Ok(Source {
            path: self.path(source, "path")?,
            kind: source.attribute("type").unwrap_or_default().to_owned(),
            line: self.line(source),
        })
    }

    fn problem(&self, root: Node<'a, 'input>) -> Result<Problem, ImportError> {
        if !root.has_tag_name("problem") {
            let found = root.tag_name().name();
            return Err(self.wrong(root, format!("is of a <{found}>, not of a <problem>")));
        }
        let judging =
            self.child(root, "judging").ok_or_else(|| self.wrong(root, "<problem> has no <judging>"))?;
        for (name, standard) in [("input-file", "stdin"), ("output-file", "stdout")] {
            let file = judging.attribute(name).unwrap_or_default();
            if !file.is_empty() && file != standard {
                let what = format!("{name} is {file:?}: problems that read or write files are not judged");
                return Err(self.wrong(judging, what));
            }
        }
        if judging.attribute("run-count").is_some_and(|count| count != "1") {
            return Err(self.wrong(judging, "run-count is not 1: problems of several runs are not judged"));
        }
        let testsets = self.children(judging, &["testset"]);
        // Pretests, stresses and the like are for contests; what decides is called "tests".
        let named = testsets.iter().find(|testset| testset.attribute("name") == Some("tests"));
        let testset =
            *named.or(testsets.first()).ok_or_else(|| self.wrong(judging, "<judging> has no <testset>"))?;
        let assets =
            self.child(root, "assets").ok_or_else(|| self.wrong(root, "<problem> has no <assets>"))?;
        let (tests, groups) = self.tests(testset)?;
        let pattern = |name: &str| {
            let node = self
                .child(testset, name)
                .ok_or_else(|| self.wrong(testset, format!("<testset> has no <{name}>")))?;
            let text = self.text(node).replace('\\', "/");
            let is_inside = !text.starts_with('/') && !text.split('/').any(|part| part == "..");
            let pattern = Pattern::parse(&text).filter(|_| is_inside);
            pattern.ok_or_else(|| self.wrong(node, format!("{text:?} is no pattern like \"tests/%02d\"")))
        };
        let sources = |path: &[&str]| {
            self.children(root, path).into_iter().map(|node| self.source(node)).collect::<Result<Vec<_>, _>>()
        };
        let solutions = self.children(assets, &["solutions", "solution"]).into_iter().map(|node| {
            let tag = self.attribute(node, "tag")?.to_owned();
            Ok::<_, ImportError>(Solution { tag, source: self.source(node)? })
        });
        let files = self.children(root, &["files", "resources", "file"]).into_iter().map(|node| {
            let words = |text: &str| {
                text.split([';', ',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            let assets = self.children(node, &["assets", "asset"]);
            let is_for_solutions = assets.iter().any(|asset| {
                asset.attribute("name").is_some_and(|name| name.eq_ignore_ascii_case("solution"))
            });
            let for_types = node.attribute("for-types").map_or_else(Vec::new, words);
            Ok::<_, ImportError>(Resource { path: self.path(node, "path")?, for_types, is_for_solutions })
        });
        let attachments = self.children(root, &["files", "attachments", "file"]).into_iter();
        let statements = self.children(root, &["statements", "statement"]).into_iter().map(|node| {
            Ok::<_, ImportError>(Statement {
                language: self.attribute(node, "language")?.to_owned(),
                path: self.path(node, "path")?,
                kind: node.attribute("type").unwrap_or_default().to_owned(),
            })
        });
        let names = self.children(root, &["names", "name"]).into_iter().map(|node| {
            let (language, value) = (self.attribute(node, "language")?, self.attribute(node, "value")?);
            Ok::<_, ImportError>((language.to_owned(), value.to_owned()))
        });
        let interactor = self.child(assets, "interactor").map(|node| self.source(node)).transpose()?;
        let tags = self.children(root, &["tags", "tag"]).into_iter();
        let points_are_percent = judging
            .attribute("treat-points-from-checker-as-percent")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Problem {
            short_name: self.attribute(root, "short-name")?.to_owned(),
            url: root.attribute("url").unwrap_or_default().to_owned(),
            revision: root.attribute("revision").unwrap_or_default().to_owned(),
            names: names.collect::<Result<_, _>>()?,
            statements: statements.collect::<Result<_, _>>()?,
            time_limit_ms: self.limit(testset, "time-limit", 3_600_000)?,
            memory_limit_bytes: self.limit(testset, "memory-limit", 1 << 40)?,
            testset: testset.attribute("name").unwrap_or("tests").to_owned(),
            tests,
            groups,
            points_are_percent,
            input_pattern: pattern("input-path-pattern")?,
            answer_pattern: pattern("answer-path-pattern")?,
            checker: self.checker(assets)?,
            interactor,
            validators: sources(&["assets", "validators", "validator"])?,
            executables: sources(&["files", "executables", "executable"])?,
            resources: files.collect::<Result<_, _>>()?,
            attachments: attachments.map(|node| self.path(node, "path")).collect::<Result<_, _>>()?,
            solutions: solutions.collect::<Result<_, _>>()?,
            tags: tags.filter_map(|node| node.attribute("value").map(str::to_owned)).collect(),
            speech: Speech::default(),
        })
    }

    fn limit(&self, testset: Node<'a, 'input>, name: &str, max: u64) -> Result<u64, ImportError> {
        let node = self
            .child(testset, name)
            .ok_or_else(|| self.wrong(testset, format!("<testset> has no <{name}>")))?;
        let text = self.text(node);
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| self.wrong(node, format!("{name} {text:?} is no whole number of 1 to {max}")))
    }

    fn checker(&self, assets: Node<'a, 'input>) -> Result<Checker, ImportError> {
        let node =
            self.child(assets, "checker").ok_or_else(|| self.wrong(assets, "<assets> has no <checker>"))?;
        let kind = node.attribute("type").unwrap_or("testlib");
        if kind != "testlib" {
            return Err(self.wrong(node, format!("the checker is of type {kind:?}, not \"testlib\"")));
        }
        let standard = node.attribute("name").and_then(|name| name.strip_prefix("std::"));
        let standard = standard.map(|name| name.trim_end_matches(".cpp").to_owned());
        let source = self.child(node, "source").map(|_| self.source(node)).transpose()?;
        if standard.is_none() && source.is_none() {
            return Err(self.wrong(node, "<checker> has neither a standard name nor a <source>"));
        }
        Ok(Checker { standard, source, line: self.line(node) })
    }

    fn tests(&self, testset: Node<'a, 'input>) -> Result<(Vec<Test>, Vec<Group>), ImportError> {
        let mut groups: Vec<Group> = Vec::new();
        for node in self.children(testset, &["groups", "group"]) {
            let name = self.attribute(node, "name")?.to_owned();
            if groups.iter().any(|group| group.name == name) {
                return Err(self.wrong(node, format!("there are two groups {name:?}")));
            }
            let is_complete = match node.attribute("points-policy") {
                None | Some("complete-group") => true,
                Some("each-test") => false,
                Some(policy) => return Err(self.wrong(node, format!("unknown points-policy {policy:?}"))),
            };
            let dependencies = self.children(node, &["dependencies", "dependency"]).into_iter();
            let dependencies = dependencies.map(|node| Ok(self.attribute(node, "group")?.to_owned()));
            let dependencies: Vec<String> = dependencies.collect::<Result<_, ImportError>>()?;
            groups.push(Group {
                name,
                line: self.line(node),
                points: self.points(node)?,
                is_complete,
                dependencies,
            });
        }
        let mut tests = Vec::new();
        for node in self.children(testset, &["tests", "test"]) {
            let command = node.attribute("cmd").map(str::trim).filter(|command| !command.is_empty());
            let command = match (node.attribute("method"), command) {
                (Some("generated"), None) => return Err(self.wrong(node, "a generated test has no cmd")),
                (Some("generated") | None, command) => command,
                (Some("manual"), _) => None,
                (Some(method), _) => return Err(self.wrong(node, format!("unknown method {method:?}"))),
            };
            let verdict = node.attribute("verdict").unwrap_or("valid");
            if !verdict.eq_ignore_ascii_case("valid") {
                return Err(self.wrong(node, format!("a test of verdict {verdict:?} is none to judge by")));
            }
            tests.push(Test {
                line: self.line(node),
                command: command.map(str::to_owned),
                from_file: node.attribute("from-file").map(str::to_owned),
                is_sample: node.attribute("sample").is_some_and(|value| value == "true"),
                group: node.attribute("group").filter(|name| !name.is_empty()).map(str::to_owned),
                points: self.points(node)?,
                description: node.attribute("description").map(str::to_owned),
            });
        }
        if tests.is_empty() || tests.len() > TESTS_MAX {
            let what = format!("has {} tests, which are not 1 to {TESTS_MAX}", tests.len());
            return Err(self.wrong(testset, what));
        }
        if let Some(stated) = self.child(testset, "test-count") {
            let text = self.text(stated);
            if text.parse() != Ok(tests.len()) {
                return Err(
                    self.wrong(stated, format!("test-count is {text:?}, but {} tests follow", tests.len()))
                );
            }
        }
        self.check_groups(&tests, &mut groups)?;
        Ok((tests, groups))
    }

    /// Adds the groups that only tests name, refuses dependencies that nothing can meet, and leaves groups that have tests,
    /// each behind those that it depends on.
    fn check_groups(&self, tests: &[Test], groups: &mut Vec<Group>) -> Result<(), ImportError> {
        for test in tests {
            let Some(name) = &test.group else { continue };
            if !groups.iter().any(|group| group.name == *name) {
                groups.push(Group {
                    name: name.clone(),
                    line: test.line,
                    points: None,
                    is_complete: false,
                    dependencies: Vec::new(),
                });
            }
        }
        let wrong = |group: &Group, what: String| {
            let what = format!("group {:?} depends on {what}", group.name);
            Err(ImportError::Xml { line: Some(group.line), what })
        };
        for group in &*groups {
            let is_there = |name: &&String| groups.iter().any(|other| other.name == **name);
            if let Some(missing) = group.dependencies.iter().find(|name| !is_there(name)) {
                return wrong(group, format!("{missing:?}, which is not there"));
            }
        }
        // Otherwise in the order in which their tests come.
        let place = |name: &str| tests.iter().position(|test| test.group.as_deref() == Some(name));
        groups.sort_by_key(|group| place(&group.name).unwrap_or(0));
        let mut ordered: Vec<Group> = Vec::with_capacity(groups.len());
        while !groups.is_empty() {
            let is_placed = |name: &String| ordered.iter().any(|earlier| earlier.name == *name);
            let next = groups.iter().position(|group| group.dependencies.iter().all(is_placed));
            let Some(next) = next else {
                return wrong(&groups[0], "itself, if only through others".to_owned());
            };
            ordered.push(groups.remove(next));
        }
        *groups = without_empty(ordered, |group| place(&group.name).is_some());
        Ok(())
    }
}

/// The groups that have tests. One without is passed by whoever passes those that it depends on, and those take its place.
/// Each group stands behind those that it depends on.
fn without_empty(groups: Vec<Group>, has_tests: impl Fn(&Group) -> bool) -> Vec<Group> {
    let mut kept: Vec<Group> = Vec::with_capacity(groups.len());
    let mut empty: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut group in groups {
        let mut dependencies = Vec::new();
        for name in std::mem::take(&mut group.dependencies) {
            for name in empty.get(&name).cloned().unwrap_or_else(|| vec![name]) {
                if !dependencies.contains(&name) {
                    dependencies.push(name);
                }
            }
        }
        group.dependencies = dependencies;
        if has_tests(&group) {
            kept.push(group);
        } else {
            empty.insert(group.name, group.dependencies);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of these tests (by the name of each one's group) and of these declarations (`name: what it depends on`),
    /// written likewise, or what is wrong with them.
    fn groups(tests: &str, declared: &[&str]) -> Result<Vec<String>, String> {
        let test = |group: &str| format!("<test method=\"manual\" points=\"1\" group=\"{group}\"/>");
        let tests: String = tests.split(' ').map(|group| test(group.trim_matches('-'))).collect();
        let mut xml_groups = String::new();
        for group in declared {
            let (name, dependencies) = group.split_once(':').expect("a name");
            let dependency = |name: &str| format!("<dependency group=\"{name}\"/>");
            let dependencies: String = dependencies.split_whitespace().map(dependency).collect();
            xml_groups +=
                &format!("<group name=\"{name}\"><dependencies>{dependencies}</dependencies></group>\n");
        }
        let xml = format!(
            "<problem short-name=\"a\"><judging><testset><time-limit>1</time-limit><memory-limit>1</memory-limit>\
             <input-path-pattern>%d</input-path-pattern><answer-path-pattern>%d.a</answer-path-pattern>\
             <tests>{tests}</tests><groups>\n{xml_groups}</groups></testset></judging>\
             <assets><checker name=\"std::wcmp.cpp\"/></assets></problem>"
        );
        let problem = Problem::parse(&xml).map_err(|error| error.to_string())?;
        let shown = |group: &Group| format!("{}: {}", group.name, group.dependencies.join(" "));
        Ok(problem.groups.iter().map(|group| shown(group).trim_end().to_owned()).collect())
    }

    #[test]
    fn groups_come_behind_those_that_they_depend_on() {
        let check = |tests, declared: &[&str], expected: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|group| (*group).to_owned()).collect();
            assert_eq!(groups(tests, declared), Ok(expected), "{tests} {declared:?}");
        };
        check("a a b", &["b: a", "a:"], &["a:", "b: a"]);
        check("a b c", &["a: c", "b:", "c:"], &["b:", "c:", "a: c"]);
        check("c b a", &[], &["c:", "b:", "a:"]);
        // One without tests is passed by whoever passes what it depends on.
        check("a b", &["a:", "x: a", "y: x", "b: y a"], &["a:", "b: a"]);
        check("a", &["a: x", "x:"], &["a:"]);
        check("- a -", &["a:"], &["a:"]);
    }

    #[test]
    fn dependencies_that_nothing_can_meet_are_refused() {
        let check = |declared: &[&str], expected: &str| {
            assert_eq!(groups("a b", declared), Err(expected.to_owned()), "{declared:?}");
        };
        check(&["a: z", "b:"], "problem.xml:2: group \"a\" depends on \"z\", which is not there");
        let circle = "problem.xml:2: group \"a\" depends on itself, if only through others";
        check(&["a: b", "b: a"], circle);
        check(&["a: a", "b:"], circle);
    }
}
