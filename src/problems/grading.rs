//! How a package grades: the keys of `testdata.yaml`, `test_group.yaml` and the old `grading` map of `problem.yaml`, and the
//! tree of groups that they make for `domain::scoring`.

use std::collections::BTreeMap;

use super::error::{PackageError, Place, Warning};
use super::metadata::{Metadata, Reading};
use super::package::{Group, ProblemType, StaticTestcase, Testcase};
use super::tree::Tree;
use super::yaml::{Node, Value};
use crate::domain::scoring::{
    self, Aggregation, DefaultGrader, Grader, Grading, Item, LegacyRules, Objective, PointsRules, Range,
    Rules, Score,
};

/// The most points that the secret data of a 2025-09 problem give where nothing else is stated.
const SECRET_MAX_SCORE: u64 = 100;
/// What a testcase of the static validator is called in its group.
const STATIC_TESTCASE: &str = "static_validation";

/// The rules by which groups are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `testdata.yaml`.
    Legacy,
    /// `test_group.yaml`.
    Points,
}

impl Style {
    /// The rules of a package: those of its version, unless all its groups are configured by the other kind of file.
    pub(crate) fn of(tree: &Tree, metadata: &Metadata) -> Style {
        let has = |name: &str| tree.files_below("data").any(|path| path.ends_with(&format!("/{name}")));
        if metadata.format.is_legacy() || has("testdata.yaml") && !has("test_group.yaml") {
            Style::Legacy
        } else {
            Style::Points
        }
    }
}

/// The `grading` map of `problem.yaml`.
#[derive(Debug, Clone)]
pub(crate) struct GradingKey {
    pub(crate) objective: Objective,
    /// What it states for the group that holds all.
    pub(crate) root: Settings,
}

impl Default for GradingKey {
    fn default() -> Self {
        Self { objective: Objective::Max, root: Settings::default() }
    }
}

/// What a group states and inherits about its grading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    continues_on_reject: Option<bool>,
    /// Whether a program of the package grades, and where that stands.
    custom_grader: Option<(bool, Place)>,
    grader_flags: Vec<String>,
    accept_score: Option<Score>,
    reject_score: Option<Score>,
    range: Option<Range>,
    states_range: bool,
    /// 2025-09, nothing of which is inherited: values with their lines.
    points: PointsKeys,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct PointsKeys {
    /// None within is unbounded.
    max_score: Option<(Option<Score>, u64)>,
    aggregation: Option<(Aggregation, u64)>,
    require_pass: Option<(Vec<String>, u64)>,
    static_score: Option<(StaticScore, u64)>,
    static_arguments: Option<(Vec<String>, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum StaticScore {
    PassFail,
    Points(Score),
}

impl Settings {
    /// What a group below starts from.
    pub(crate) fn inherited(&self) -> Settings {
        Settings { states_range: false, points: PointsKeys::default(), ..self.clone() }
    }

    /// Reads a key of a group's file, or says that it is about something else.
    pub(crate) fn read(
        &mut self,
        reading: &mut Reading<'_>,
        style: Style,
        key: &str,
        node: &Node,
    ) -> Result<bool, PackageError> {
        match (style, key) {
            (Style::Points, "on_reject" | "grader_flags" | "accept_score" | "reject_score" | "range") => {
                reading
                    .warn(node.line, format!("{key} does not count in this version of the format, ignored"));
            }
            (_, "on_reject") => {
                self.continues_on_reject = Some(match reading.scalar(node, key)?.as_str() {
                    "break" | "first_error" => false,
                    "continue" | "grade" | "worst_error" => true,
                    other => {
                        let what = format!("on_reject must be \"break\" or \"continue\", not {other:?}");
                        return Err(reading.invalid(node.line, what));
                    }
                });
            }
            // Drafts put a map here, which says nothing about a program.
            (_, "grading") if matches!(node.value, Value::Map(_)) => {}
            (_, "grading") => {
                let custom = match reading.scalar(node, key)?.as_str() {
                    "default" => false,
                    "custom" => true,
                    other => {
                        let what = format!("grading must be \"default\" or \"custom\", not {other:?}");
                        return Err(reading.invalid(node.line, what));
                    }
                };
                self.custom_grader = Some((custom, Place::line(reading.file, node.line)));
            }
            (_, "grader_flags") => self.grader_flags = reading.words(node, key)?,
            (_, "accept_score") => self.accept_score = Some(reading.points(node, key)?),
            (_, "reject_score") => self.reject_score = Some(reading.points(node, key)?),
            (_, "range") => {
                match reading.range(node)? {
                    Ok(range) => {
                        self.range = Some(range);
                        self.states_range = true;
                    }
                    // It decides no verdict.
                    Err(what) => reading.warn(node.line, format!("{what}, ignored")),
                }
            }
            (Style::Points, "max_score") => {
                let max = match reading.scalar(node, key)?.as_str() {
                    "unbounded" => None,
                    _ => Some(reading.whole_points(node, key, "or \"unbounded\"")?),
                };
                self.points.max_score = Some((max, node.line));
            }
            (Style::Points, "score_aggregation") => {
                let aggregation = match reading.scalar(node, key)?.as_str() {
                    "pass-fail" => Aggregation::PassFail,
                    "sum" => Aggregation::Sum,
                    "min" => Aggregation::Min,
                    other => {
                        let what = format!(
                            "score_aggregation must be \"pass-fail\", \"sum\" or \"min\", not {other:?}"
                        );
                        return Err(reading.invalid(node.line, what));
                    }
                };
                self.points.aggregation = Some((aggregation, node.line));
            }
            (Style::Points, "require_pass") => {
                self.points.require_pass = Some((reading.words(node, key)?, node.line));
            }
            (Style::Points, "static_validation_score") => {
                let score = match reading.scalar(node, key)?.as_str() {
                    "pass-fail" => StaticScore::PassFail,
                    _ => StaticScore::Points(reading.whole_points(node, key, "or \"pass-fail\"")?),
                };
                self.points.static_score = Some((score, node.line));
            }
            (Style::Points, "static_validator_args") => {
                self.points.static_arguments = Some((reading.arguments(node, key)?, node.line));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads the `grading` map of `problem.yaml`.
pub(crate) fn read_key(reading: &mut Reading<'_>, node: &Node) -> Result<GradingKey, PackageError> {
    let mut grading = GradingKey::default();
    for (key, key_line, node) in reading.map(node, "grading")? {
        match key {
            _ if node.value == Value::Null => {}
            "objective" => {
                grading.objective = match reading.scalar(node, "grading.objective")?.as_str() {
                    "max" => Objective::Max,
                    "min" => Objective::Min,
                    other => {
                        let what = format!("grading.objective must be \"min\" or \"max\", not {other:?}");
                        return Err(reading.invalid(node.line, what));
                    }
                };
            }
            // About who may see the results of groups.
            "show_test_data_groups" => {
                match reading.scalar(node, "grading.show_test_data_groups")?.as_str() {
                    "true" | "false" | "yes" | "no" | "True" | "False" => {}
                    other => {
                        let what =
                            format!("grading.show_test_data_groups must be true or false, not {other:?}");
                        return Err(reading.invalid(node.line, what));
                    }
                }
            }
            "accept_score" | "reject_score" | "range" | "on_reject" => {
                grading.root.read(reading, Style::Legacy, key, node)?;
            }
            _ => reading.warn(key_line, format!("unknown key \"grading.{key}\", ignored")),
        }
    }
    Ok(grading)
}

impl Reading<'_> {
    fn points(&self, node: &Node, name: &str) -> Result<Score, PackageError> {
        let text = self.scalar(node, name)?;
        text.parse()
            .map_err(|_| self.invalid(node.line, format!("{name}: {text:?} is not a score (a number)")))
    }

    fn whole_points(&self, node: &Node, name: &str, other: &str) -> Result<Score, PackageError> {
        let text = self.scalar(node, name)?;
        let whole = text.parse::<u32>().map(|points| Score::from(u64::from(points)));
        whole.map_err(|_| {
            let what = format!("{name} must be a whole number of points {other}, not {text:?}");
            self.invalid(node.line, what)
        })
    }

    /// Two numbers, either of which may be infinite.
    fn range(&self, node: &Node) -> Result<Result<Range, String>, PackageError> {
        let words = self.words(node, "range")?;
        let end = |word: &String| match word.trim_start_matches(['+', '-']) {
            "inf" | "Inf" | ".inf" | "infinity" => Some(None),
            _ => word.parse::<Score>().ok().map(Some),
        };
        let ends: Option<Vec<Option<Score>>> = words.iter().map(end).collect();
        if let Some([low, high]) = ends.as_deref()
            && low.as_ref().zip(high.as_ref()).is_none_or(|(low, high)| low <= high)
        {
            return Ok(Ok(Range { low: low.clone(), high: high.clone() }));
        }
        Ok(Err(format!("range: {:?} is not a range (two numbers, the lower one first)", words.join(" "))))
    }
}

/// What of a package the tree is made of.
pub(crate) struct Parts<'a> {
    pub(crate) style: Style,
    pub(crate) metadata: &'a Metadata,
    /// Parents before children; the first holds all.
    pub(crate) groups: &'a [Group],
    /// In the order of judging.
    pub(crate) testcases: &'a [Testcase],
    /// How many programs there are that grade.
    pub(crate) graders: usize,
    /// The program that judges sources, where there is one.
    pub(crate) static_validator: Option<&'a str>,
}

/// What the groups of a package make.
pub(crate) struct Built {
    pub(crate) grading: Grading,
    /// In the tree they have the places after those of the other testcases.
    pub(crate) static_testcases: Vec<StaticTestcase>,
}

/// The tree of groups with its rules.
pub(crate) fn build(parts: &Parts<'_>, warnings: &mut Vec<Warning>) -> Result<Built, PackageError> {
    let metadata = parts.metadata;
    let is_scoring = metadata.types.contains(&ProblemType::Scoring);
    let mut building = Building { parts, warnings, static_testcases: Vec::new() };
    let root = match parts.style {
        Style::Points if is_scoring => building.points_root()?,
        Style::Legacy | Style::Points => building.legacy(&parts.groups[0])?,
    };
    let static_testcases = building.static_testcases;
    if let Some(validator) = parts.static_validator.filter(|_| static_testcases.is_empty()) {
        let what = "is not used: no test group states a static_validation_score".to_owned();
        warnings.push(Warning { place: Place::file(validator), what });
    }
    let custom_score = metadata.validation.as_ref().is_some_and(|key| key.score);
    let objective = metadata.grading.objective;
    let grading = Grading { scoring: is_scoring, objective, custom_score, root };
    Ok(Built { grading, static_testcases })
}

struct Building<'a> {
    parts: &'a Parts<'a>,
    warnings: &'a mut Vec<Warning>,
    static_testcases: Vec<StaticTestcase>,
}

impl<'a> Building<'a> {
    fn legacy(&mut self, group: &'a Group) -> Result<scoring::Group, PackageError> {
        let settings = &group.grading;
        let mut rules = LegacyRules::default();
        if self.parts.style == Style::Legacy {
            rules.continues_on_reject = settings.continues_on_reject == Some(true);
            rules.grader = match &settings.custom_grader {
                Some((true, place)) => {
                    let what = match self.parts.graders {
                        0 => "grading is custom, but there is no program in graders",
                        1 => "",
                        _ => "grading is custom, and there are several programs in graders instead of one",
                    };
                    if !what.is_empty() {
                        return Err(PackageError::invalid(place.clone(), what));
                    }
                    Grader::Custom { flags: settings.grader_flags.clone() }
                }
                _ => {
                    let mut grader = DefaultGrader::parse(&settings.grader_flags);
                    // About the root alone, though all flags are inherited.
                    grader.ignore_sample &= group.path.is_empty();
                    Grader::Default(grader)
                }
            };
            let or = |score: &Option<Score>, default: Score| score.clone().unwrap_or(default);
            rules.accept_score = or(&settings.accept_score, rules.accept_score);
            rules.reject_score = or(&settings.reject_score, rules.reject_score);
            rules.range = settings.range.clone().unwrap_or_default();
            rules.states_range = settings.states_range;
        } else {
            self.warn_of_points_keys(group);
        }
        let mut items = Vec::new();
        items.extend(self.static_testcase(group, true)?.map(|(index, _)| Item::Testcase(index)));
        for child in self.children(group) {
            match child {
                Child::Testcase(index) => items.push(Item::Testcase(index)),
                Child::Group(group) => {
                    let below = self.legacy(group)?;
                    // What holds nothing has no say, as problemtools has it.
                    if !below.testcases().is_empty() {
                        items.push(Item::Group(Box::new(below)));
                    }
                }
            }
        }
        Ok(scoring::Group { name: group.path.clone(), rules: Rules::Legacy(rules), items })
    }

    fn warn_of_points_keys(&mut self, group: &Group) {
        let keys = &group.grading.points;
        let lines = [
            keys.max_score.as_ref().map(|(_, line)| ("max_score", line)),
            keys.aggregation.as_ref().map(|(_, line)| ("score_aggregation", line)),
            keys.require_pass.as_ref().map(|(_, line)| ("require_pass", line)),
        ];
        for (key, line) in lines.into_iter().flatten() {
            let what = format!("{key} only counts in a scoring problem, ignored");
            self.warnings.push(Warning { place: place(group, *line), what });
        }
    }

    fn points_root(&mut self) -> Result<scoring::Group, PackageError> {
        let mut items = Vec::new();
        let groups = self.parts.groups;
        for group in groups.iter().filter(|group| group.path == "sample") {
            let keys = &group.grading.points;
            let forbidden = [
                keys.max_score.as_ref().map(|(_, line)| ("max_score", line)),
                keys.aggregation.as_ref().map(|(_, line)| ("score_aggregation", line)),
                keys.require_pass.as_ref().map(|(_, line)| ("require_pass", line)),
            ];
            if let Some((key, line)) = forbidden.into_iter().flatten().next() {
                let what = format!("{key} is not permitted here: samples give no points");
                return Err(PackageError::invalid(place(group, *line), what));
            }
            let mut items_of = Vec::new();
            items_of.extend(self.static_testcase(group, true)?.map(|(index, _)| Item::Testcase(index)));
            items_of.extend(self.testcases_below(&group.path).map(Item::Testcase));
            let rules = Rules::Samples;
            items.push(Item::Group(Box::new(scoring::Group {
                name: group.path.clone(),
                rules,
                items: items_of,
            })));
        }
        for group in groups.iter().filter(|group| group.path == "secret") {
            let secret = self.secret(group)?;
            items.push(Item::Group(Box::new(secret)));
        }
        Ok(scoring::Group { name: String::new(), rules: Rules::Whole, items })
    }

    /// The secret data of a 2025-09 scoring problem.
    fn secret(&mut self, secret: &'a Group) -> Result<scoring::Group, PackageError> {
        let mut rules = self.points_rules(secret, Aggregation::Sum, Some(SECRET_MAX_SCORE.into()))?;
        let below: Vec<&Group> =
            self.parts.groups.iter().filter(|group| parent(&group.path) == "secret").collect();
        let nested = self.parts.groups.iter().find(|group| {
            group.settings_path.is_some()
                && parent(&group.path) != "secret"
                && group.path.starts_with("secret/")
        });
        if let Some(nested) = nested {
            let what = "groups within groups are not permitted in this version of the format";
            return Err(PackageError::invalid(place(nested, 1), what));
        }
        if below.is_empty() {
            self.require_earlier(secret, &mut rules, &BTreeMap::new())?;
            let items = self.testcases_below("secret").map(Item::Testcase).collect();
            return self.finish_points(secret, rules, items);
        }
        let loose = self.parts.testcases.iter().find(|testcase| testcase.group == "secret");
        if let Some(loose) = loose {
            let what = "is in no group, and data/secret holds either testcases or groups";
            return Err(PackageError::invalid(Place::file(&loose.input_path), what));
        }
        let mut earlier = BTreeMap::new();
        self.require_earlier(secret, &mut rules, &earlier)?;
        let mut items = Vec::new();
        let mut total = Some(Score::zero());
        for group in below {
            let mut rules_of = self.points_rules(group, Aggregation::PassFail, None)?;
            self.check_against_secret(group, &rules_of, &rules)?;
            self.require_earlier(group, &mut rules_of, &earlier)?;
            earlier.insert(group.path.clone(), rules_of.aggregation);
            total = total.zip(rules_of.max_score.clone()).map(|(sum, max)| sum + max);
            let items_of = self.testcases_below(&group.path).map(Item::Testcase).collect();
            items.push(Item::Group(Box::new(self.finish_points(group, rules_of, items_of)?)));
        }
        if let Some((StaticScore::Points(score), _)) = &secret.grading.points.static_score {
            total = total.map(|total| total + score.clone());
        }
        if let (Aggregation::Sum, Some(max), Some(total)) = (rules.aggregation, &rules.max_score, total)
            && total != *max
        {
            let line = secret.grading.points.max_score.as_ref().map_or(1, |(_, line)| *line);
            let what = format!("the groups' maximum scores add up to {total}, and max_score is {max}");
            self.warnings.push(Warning { place: place(secret, line), what });
        }
        self.finish_points(secret, rules, items)
    }

    fn points_rules(
        &mut self,
        group: &Group,
        aggregation: Aggregation,
        max_score: Option<Score>,
    ) -> Result<PointsRules, PackageError> {
        let keys = &group.grading.points;
        let aggregation = keys.aggregation.as_ref().map_or(aggregation, |(aggregation, _)| *aggregation);
        let max_score = keys.max_score.as_ref().map_or(max_score, |(max, _)| max.clone());
        if aggregation == Aggregation::PassFail && max_score.is_none() {
            let stated = [
                keys.max_score.as_ref().map(|(_, line)| *line),
                keys.aggregation.as_ref().map(|(_, line)| *line),
            ];
            let line = stated.into_iter().flatten().next().unwrap_or(1);
            let what = format!("data/{} gives all its points or none, so it needs a max_score", group.path);
            return Err(PackageError::invalid(place(group, line), what));
        }
        let require_pass = keys.require_pass.as_ref().map(|(names, _)| names.clone()).unwrap_or_default();
        Ok(PointsRules { max_score, aggregation, require_pass, static_case: None })
    }

    fn check_against_secret(
        &mut self,
        group: &Group,
        rules: &PointsRules,
        secret: &PointsRules,
    ) -> Result<(), PackageError> {
        let keys = &group.grading.points;
        if secret.aggregation == Aggregation::PassFail && rules.aggregation != Aggregation::PassFail {
            let line = keys.aggregation.as_ref().map_or(1, |(_, line)| *line);
            let what = "data/secret gives all its points or none, so its groups must be pass-fail too";
            return Err(PackageError::invalid(place(group, line), what));
        }
        if rules.max_score.is_none() && secret.max_score.is_some() {
            let line = keys.max_score.as_ref().map_or(1, |(_, line)| *line);
            let what = format!("data/{} may only be unbounded if data/secret is", group.path);
            return Err(PackageError::invalid(place(group, line), what));
        }
        Ok(())
    }

    /// What a group requires must have been judged before it, and be able to pass. Groups are named by their paths below
    /// `data`; a name without `secret/` is understood.
    fn require_earlier(
        &mut self,
        group: &Group,
        rules: &mut PointsRules,
        earlier: &BTreeMap<String, Aggregation>,
    ) -> Result<(), PackageError> {
        let line = group.grading.points.require_pass.as_ref().map_or(1, |(_, line)| *line);
        for name in rules.require_pass.iter_mut().filter(|name| *name != "sample") {
            let whole = format!("secret/{name}");
            if !earlier.contains_key(name) && earlier.contains_key(&whole) {
                let what = format!("require_pass: {name} is the group {whole}, which should be named so");
                self.warnings.push(Warning { place: place(group, line), what });
                *name = whole;
            }
            let what = match earlier.get(name) {
                Some(Aggregation::PassFail) => continue,
                Some(_) => format!("require_pass: {name} is not a pass-fail group"),
                None => format!("require_pass: there is no group {name} before this one"),
            };
            return Err(PackageError::invalid(place(group, line), what));
        }
        Ok(())
    }

    fn finish_points(
        &mut self,
        group: &Group,
        mut rules: PointsRules,
        mut items: Vec<Item>,
    ) -> Result<scoring::Group, PackageError> {
        rules.static_case = self.static_testcase(group, rules.aggregation == Aggregation::PassFail)?;
        if let Some((index, _)) = rules.static_case {
            // It costs next to nothing, and nothing is run where it refuses.
            items.insert(0, Item::Testcase(index));
        }
        Ok(scoring::Group { name: group.path.clone(), rules: Rules::Points(rules), items })
    }

    /// The testcase of the static validator that a group asks for, by its place, with the most points that it gives.
    fn static_testcase(
        &mut self,
        group: &Group,
        is_pass_fail: bool,
    ) -> Result<Option<(u32, Score)>, PackageError> {
        let keys = &group.grading.points;
        let Some((score, line)) = &keys.static_score else {
            if let Some((_, line)) = &keys.static_arguments {
                let what = "static_validator_args without a static_validation_score, ignored".to_owned();
                self.warnings.push(Warning { place: place(group, *line), what });
            }
            return Ok(None);
        };
        let is_sample = group.path == "sample";
        let fault = match score {
            _ if self.parts.metadata.types.contains(&ProblemType::SubmitAnswer) => {
                Some("static_validation_score, but submissions are outputs and no programs")
            }
            _ if self.parts.static_validator.is_none() => {
                Some("static_validation_score, but there is no program in static_validator")
            }
            StaticScore::PassFail if !is_pass_fail => {
                Some("static_validation_score is pass-fail, and the group is not")
            }
            StaticScore::Points(_) if is_pass_fail && !is_sample => Some(
                "static_validation_score must be pass-fail: nothing in this group gives points of its own",
            ),
            _ => None,
        };
        if let Some(what) = fault {
            return Err(PackageError::invalid(place(group, *line), what));
        }
        let name = format!("{}/{STATIC_TESTCASE}", group.path);
        if let Some(testcase) = self.parts.testcases.iter().find(|testcase| testcase.name == name) {
            let what = "has the name of the static validation of its group";
            return Err(PackageError::invalid(Place::file(&testcase.input_path), what));
        }
        let arguments = keys.static_arguments.as_ref().map_or_else(Vec::new, |(words, _)| words.clone());
        self.static_testcases.push(StaticTestcase { name, group: group.path.clone(), arguments });
        let place = self.parts.testcases.len() + self.static_testcases.len();
        let most = match score {
            StaticScore::Points(score) => score.clone(),
            StaticScore::PassFail => Score::zero(),
        };
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        Ok(Some((place, most)))
    }

    /// The places of the testcases in a group and below, in the order of judging.
    fn testcases_below(&self, path: &str) -> impl Iterator<Item = u32> {
        let prefix = format!("{path}/");
        let testcases = self.parts.testcases.iter().zip(1..);
        testcases.filter(move |(testcase, _)| testcase.name.starts_with(&prefix)).map(|(_, index)| index)
    }

    /// What is directly in a group, by name, which is the order of judging.
    fn children(&self, group: &'a Group) -> Vec<Child<'a>> {
        let (groups, testcases) = (self.parts.groups, self.parts.testcases);
        let holds = |path: &str| {
            let mut above = parent(path);
            while !above.is_empty() && !groups.iter().any(|group| group.path == above) {
                above = parent(above);
            }
            !path.is_empty() && above == group.path
        };
        let own = testcases.iter().zip(1..).filter(|(testcase, _)| testcase.group == group.path);
        let own = own.map(|(testcase, index)| (testcase.name.as_str(), Child::Testcase(index)));
        let below = groups.iter().filter(|below| holds(&below.path));
        let below = below.map(|below| (below.path.as_str(), Child::Group(below)));
        let mut children: Vec<(&str, Child<'a>)> = own.chain(below).collect();
        children.sort_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
        children.into_iter().map(|(_, child)| child).collect()
    }
}

enum Child<'a> {
    Testcase(u32),
    Group(&'a Group),
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A line of the file that configures a group; the group itself where it has none.
fn place(group: &Group, line: u64) -> Place {
    match &group.settings_path {
        Some(file) => Place::line(file, line),
        None => Place::file(format!("data/{}", group.path)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Scratch;
    use super::*;

    const SCORING: &str = "name: Hello\ntype: scoring\n";
    const POINTS: &str = "problem_format_version: 2025-09\nname: {en: Hello}\ntype: scoring\nlimits: {time_limit: 1}\nuuid: 5c2a1f60-1d0e-4c8a-9b7e-2f4a6c8e0b1d\n";

    fn legacy() -> Scratch {
        Scratch::new().with("problem.yaml", SCORING)
    }

    fn case(scratch: Scratch, name: &str) -> Scratch {
        scratch.with(&format!("data/{name}.in"), "").with(&format!("data/{name}.ans"), "")
    }

    /// A 2025-09 package with the groups a and b of one testcase each, and no loose testcases.
    fn points(a: &str, b: &str) -> Scratch {
        let scratch = Scratch::new()
            .with("problem.yaml", POINTS)
            .with("statement/problem.en.tex", "x")
            .without("problem_statement/problem.en.tex")
            .without("data/secret/1.in")
            .without("data/secret/1.ans")
            .with("data/secret/a/test_group.yaml", a)
            .with("data/secret/b/test_group.yaml", b);
        case(case(case(scratch, "sample/1"), "secret/a/1"), "secret/b/1")
    }

    fn group<'a>(grading: &'a Grading, name: &str) -> &'a scoring::Group {
        fn find<'a>(group: &'a scoring::Group, name: &str) -> Option<&'a scoring::Group> {
            if group.name == name { Some(group) } else { group.groups().find_map(|below| find(below, name)) }
        }
        find(&grading.root, name).expect("a group")
    }

    fn legacy_rules<'a>(grading: &'a Grading, name: &str) -> &'a LegacyRules {
        match &group(grading, name).rules {
            Rules::Legacy(rules) => rules,
            other => panic!("{other:?}"),
        }
    }

    fn points_rules<'a>(grading: &'a Grading, name: &str) -> &'a PointsRules {
        match &group(grading, name).rules {
            Rules::Points(rules) => rules,
            other => panic!("{other:?}"),
        }
    }

    fn score(text: &str) -> Score {
        text.parse().expect("a score")
    }

    #[test]
    fn keys_are_inherited_one_by_one_from_the_nearest_ancestor() {
        let scratch = legacy()
            .with("data/testdata.yaml", "on_reject: continue\ngrader_flags: ignore_sample\nrange: 0 100\n")
            .with(
                "data/secret/testdata.yaml",
                "grader_flags: first_error accept_if_any_accepted\naccept_score: 7\n",
            )
            .with(
                "data/secret/g/testdata.yaml",
                "on_reject: break\ngrader_flags: [min, whatever=3]\nreject_score: -0.5\n",
            );
        let package = case(case(scratch, "secret/g/1"), "sample/1").warns(&[]);
        let grading = &package.grading;
        assert!(grading.scoring && package.grader.is_none());
        let root = legacy_rules(grading, "");
        assert!(root.continues_on_reject && root.states_range);
        assert_eq!((&root.accept_score, &root.reject_score), (&score("1"), &score("0")));
        let secret = legacy_rules(grading, "secret");
        assert!(secret.continues_on_reject && !secret.states_range);
        assert_eq!(secret.range, Range { low: Some(score("0")), high: Some(score("100")) });
        let below = legacy_rules(grading, "secret/g");
        assert!(!below.continues_on_reject);
        assert_eq!((&below.accept_score, &below.reject_score), (&score("7"), &score("-0.5")));
        let min = DefaultGrader { score: scoring::Aggregate::Min, ..DefaultGrader::default() };
        assert_eq!(below.grader, Grader::Default(min));
        assert!(legacy_rules(grading, "sample").continues_on_reject);
        assert_eq!(grading.best_stated(), Some(score("100")));
    }

    #[test]
    fn groups_stand_among_testcases_by_name() {
        let mut scratch = legacy();
        for name in
            ["sample/1", "secret/3", "secret/2/y", "secret/2/x", "secret/4", "secret/5/z", "secret/2-b"]
        {
            scratch = case(scratch, name);
        }
        let package = scratch.load().package;
        let secret = group(&package.grading, "secret");
        let names = secret.items.iter().map(|item| match item {
            Item::Testcase(index) => package.testcases[*index as usize - 1].name.as_str(),
            Item::Group(group) => group.name.as_str(),
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["secret/1", "secret/2", "secret/2-b", "secret/3", "secret/4", "secret/5"]
        );
        assert_eq!(
            group(&package.grading, "").groups().map(|g| g.name.as_str()).collect::<Vec<_>>(),
            ["sample", "secret"]
        );
        assert_eq!(package.grading.root.testcases(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn old_keys_in_problem_yaml_are_the_roots() {
        let keys = "grading:\n  objective: min\n  show_test_data_groups: true\n  accept_score: 3\n  range: -inf +inf\n  on_reject: grade\n";
        let package = legacy().with("problem.yaml", &format!("{SCORING}{keys}")).warns(&[]);
        assert_eq!(package.grading.objective, Objective::Min);
        let secret = legacy_rules(&package.grading, "secret");
        assert!(secret.continues_on_reject);
        assert_eq!((&secret.accept_score, &secret.range), (&score("3"), &Range::default()));
        let scratch = legacy().with("problem.yaml", &format!("{SCORING}grading: {{objective: most}}\n"));
        scratch.refused("problem.yaml:3: grading.objective must be \"min\" or \"max\", not \"most\"");
        let scratch =
            legacy().with("problem.yaml", &format!("{SCORING}grading: {{show_test_data_groups: 7}}\n"));
        scratch.refused("problem.yaml:3: grading.show_test_data_groups must be true or false, not \"7\"");
        let scratch = legacy().with("problem.yaml", &format!("{SCORING}grading: {{colour: red}}\n"));
        scratch.warns(&["problem.yaml:3: unknown key \"grading.colour\", ignored"]);
    }

    #[test]
    fn groups_of_a_pass_fail_problem_have_a_say() {
        let scratch = Scratch::new().with("data/testdata.yaml", "on_reject: continue\nrange: 0 5\n");
        let package = scratch.warns(&[]);
        assert!(!package.grading.scoring && legacy_rules(&package.grading, "secret").continues_on_reject);
        assert!(!package.grading.is_plain());
        assert!(Scratch::new().load().package.grading.is_plain());
    }

    #[test]
    fn groups_without_testcases_have_none() {
        // The usual shape of points, with samples that only the statement shows.
        let package = legacy()
            .with("data/testdata.yaml", "on_reject: continue\ngrader_flags: ignore_sample\n")
            .with("data/sample/1.interaction", "> 1\n")
            .with("data/secret/empty/testdata.yaml", "accept_score: 5\n")
            .load()
            .package;
        let root = &package.grading.root;
        assert_eq!(root.groups().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["secret"]);
        assert_eq!(root.groups().next().expect("secret").groups().count(), 0);
        let ignores = |name: &str| match &legacy_rules(&package.grading, name).grader {
            Grader::Default(grader) => grader.ignore_sample,
            Grader::Custom { .. } => panic!("no custom grader"),
        };
        assert!(ignores("") && !ignores("secret"), "the flag is about the root");
    }

    #[test]
    fn a_custom_grader_is_one_program() {
        let custom = || legacy().with("data/secret/testdata.yaml", "\ngrading: custom\ngrader_flags: a b\n");
        let package = custom().with("graders/grade.py", "").warns(&[]);
        assert_eq!(package.grader.map(|grader| grader.path).as_deref(), Some("graders/grade.py"));
        let flags = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(legacy_rules(&package.grading, "secret").grader, Grader::Custom { flags });
        let package = custom().with("graders/g/a.cpp", "").with("graders/g/b.h", "").warns(&[]);
        assert_eq!(package.grader.map(|grader| grader.files.len()), Some(2));
        custom()
            .refused("data/secret/testdata.yaml:2: grading is custom, but there is no program in graders");
        custom().with("graders/a.py", "").with("graders/b.py", "").refused(
            "data/secret/testdata.yaml:2: grading is custom, and there are several programs in graders instead of one",
        );
        assert_eq!(legacy().with("graders/a.py", "").warns(&[]).grader, None);
    }

    #[test]
    fn validators_give_scores_where_the_package_says_so() {
        let yaml = format!("{SCORING}validation: custom score\n");
        let package = legacy().with("problem.yaml", &yaml).with("output_validators/v.py", "").warns(&[]);
        assert!(package.grading.custom_score);
        assert!(!legacy().warns(&[]).grading.custom_score);
    }

    #[test]
    fn wrong_values_in_legacy_groups_are_refused_by_file_and_line() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let scratch = legacy().with("data/secret/testdata.yaml", &format!("\n{line}\n"));
            scratch.refused(&format!("data/secret/testdata.yaml:2: {expected}"));
        }
        check("on_reject: explode", "on_reject must be \"break\" or \"continue\", not \"explode\"");
        check("grading: maybe", "grading must be \"default\" or \"custom\", not \"maybe\"");
        check("accept_score: many", "accept_score: \"many\" is not a score (a number)");
        check("reject_score: [1]", "reject_score must be a single value, not a list");
        check("grader_flags: {a: b}", "grader_flags must be a single value, not a map");
        for range in ["5", "5 1", "a b"] {
            let what = format!("range: {range:?} is not a range (two numbers, the lower one first), ignored");
            legacy()
                .with("data/secret/testdata.yaml", &format!("\nrange: {range}\n"))
                .warns(&[&format!("data/secret/testdata.yaml:2: {what}")]);
        }
    }

    #[test]
    fn groups_of_2025_09_are_read_with_their_defaults() {
        let package = points(
            "max_score: 40\nrequire_pass: sample\n",
            "max_score: 60\nscore_aggregation: min\nrequire_pass: [sample, secret/a]\n",
        )
        .warns(&[]);
        let grading = &package.grading;
        assert_eq!(group(grading, "").rules, Rules::Whole);
        assert_eq!(group(grading, "sample").rules, Rules::Samples);
        let secret = points_rules(grading, "secret");
        assert_eq!((&secret.max_score, secret.aggregation), (&Some(score("100")), Aggregation::Sum));
        let a = points_rules(grading, "secret/a");
        assert_eq!((&a.max_score, a.aggregation), (&Some(score("40")), Aggregation::PassFail));
        assert_eq!(a.require_pass, ["sample"]);
        let b = points_rules(grading, "secret/b");
        assert_eq!((&b.max_score, b.aggregation), (&Some(score("60")), Aggregation::Min));
        assert_eq!(b.require_pass, ["sample", "secret/a"]);
        assert_eq!(grading.best_stated(), Some(score("100")));
        assert_eq!(grading.root.testcases(), [1, 2, 3]);
        let unbounded = points("score_aggregation: sum\n", "score_aggregation: min\n")
            .with("data/secret/test_group.yaml", "max_score: unbounded\n")
            .warns(&[]);
        assert_eq!(unbounded.grading.best(), None);
    }

    #[test]
    fn secret_data_of_2025_09_without_groups_take_directories_as_they_are() {
        let scratch = Scratch::new().with("problem.yaml", POINTS).without("problem_statement/problem.en.tex");
        let package = case(scratch.with("statement/problem.en.tex", "x"), "secret/plain/1").warns(&[]);
        assert_eq!(group(&package.grading, "secret").items, [Item::Testcase(1), Item::Testcase(2)]);
    }

    #[test]
    fn wrong_groups_of_2025_09_are_refused_by_file_and_line() {
        #[track_caller]
        fn check(a: &str, b: &str, secret: &str, expected: &str) {
            points(a, b).with("data/secret/test_group.yaml", secret).refused(expected);
        }
        let fine = "max_score: 50\n";
        let b = |what: &str| format!("data/secret/b/test_group.yaml:{what}");
        let bad_score = "max_score must be a whole number of points or \"unbounded\", not";
        check(fine, "max_score: -1\n", "", &b(&format!("1: {bad_score} \"-1\"")));
        check(fine, "max_score: 2.5\n", "", &b(&format!("1: {bad_score} \"2.5\"")));
        check(
            fine,
            "max_score: 5\nscore_aggregation: avg\n",
            "",
            &b("2: score_aggregation must be \"pass-fail\", \"sum\" or \"min\", not \"avg\""),
        );
        check(
            fine,
            "full_feedback: true\n",
            "",
            &b("1: data/secret/b gives all its points or none, so it needs a max_score"),
        );
        check(
            fine,
            "max_score: unbounded\nscore_aggregation: sum\n",
            "",
            &b("1: data/secret/b may only be unbounded if data/secret is"),
        );
        check(
            fine,
            "max_score: 50\nrequire_pass: secret/c\n",
            "",
            &b("2: require_pass: there is no group secret/c before this one"),
        );
        check(
            "max_score: 50\nscore_aggregation: sum\n",
            "max_score: 50\nrequire_pass: [sample, secret/a]\n",
            "",
            &b("2: require_pass: secret/a is not a pass-fail group"),
        );
        check(
            fine,
            "max_score: 50\nscore_aggregation: sum\n",
            "score_aggregation: pass-fail\n",
            &b("2: data/secret gives all its points or none, so its groups must be pass-fail too"),
        );
        check(
            fine,
            fine,
            "require_pass: secret/a\n",
            "data/secret/test_group.yaml:1: require_pass: there is no group secret/a before this one",
        );
        points(fine, fine).with("data/sample/test_group.yaml", "max_score: 3\n").refused(
            "data/sample/test_group.yaml:1: max_score is not permitted here: samples give no points",
        );
        case(points(fine, fine), "secret/loose").refused(
            "data/secret/loose.in: is in no group, and data/secret holds either testcases or groups",
        );
        case(points(fine, fine).with("data/secret/b/c/test_group.yaml", fine), "secret/b/c/1").refused(
            "data/secret/b/c/test_group.yaml:1: groups within groups are not permitted in this version of the format",
        );
    }

    #[test]
    fn groups_may_ask_for_the_static_validator() {
        let half = "max_score: 50\n";
        let asking = "max_score: 50\nscore_aggregation: min\nstatic_validation_score: 20\nstatic_validator_args: [x, y z]\n";
        let with = |a: &str, b: &str| points(a, b).with("static_validator/check.py", "");
        let package = with(half, asking).warns(&[]);
        // Its place comes after those of sample/1, secret/a/1 and secret/b/1, and it is asked first.
        assert_eq!(group(&package.grading, "secret/b").testcases(), [4, 3]);
        assert_eq!(points_rules(&package.grading, "secret/b").static_case, Some((4, score("20"))));
        assert_eq!(package.testcases_total(), 4);
        let asked = &package.static_testcases[0];
        assert_eq!((asked.name.as_str(), asked.group.as_str()), ("secret/b/static_validation", "secret/b"));
        assert_eq!(asked.arguments, ["x", "y z"]);
        assert_eq!(package.static_validator.expect("a program").files, ["static_validator/check.py"]);

        with(half, half)
            .warns(&["static_validator: is not used: no test group states a static_validation_score"]);
        with(half, "max_score: 50\nstatic_validator_args: [x]\n").warns(&[
            "data/secret/b/test_group.yaml:2: static_validator_args without a static_validation_score, ignored",
            "static_validator: is not used: no test group states a static_validation_score",
        ]);
        let b = |what: &str| format!("data/secret/b/test_group.yaml:{what}");
        points(half, asking)
            .refused(&b("3: static_validation_score, but there is no program in static_validator"));
        with(half, "max_score: 50\nstatic_validation_score: 20\n").refused(&b(
            "2: static_validation_score must be pass-fail: nothing in this group gives points of its own",
        ));
        with(half, "max_score: 50\nscore_aggregation: sum\nstatic_validation_score: pass-fail\n")
            .refused(&b("3: static_validation_score is pass-fail, and the group is not"));
        case(with(half, asking), "secret/b/static_validation").refused(
            "data/secret/b/static_validation.in: has the name of the static validation of its group",
        );
        let yaml = POINTS.replace("scoring", "[scoring, submit-answer]");
        with(half, asking)
            .with("problem.yaml", &yaml)
            .refused(&b("3: static_validation_score, but submissions are outputs and no programs"));
        // In a pass-fail problem each group and the samples may ask for it.
        let yaml = POINTS.replace("type: scoring\n", "");
        let package = with("static_validation_score: pass-fail\n", "")
            .with("problem.yaml", &yaml)
            .with("data/sample/test_group.yaml", "static_validation_score: pass-fail\n")
            .warns(&[]);
        assert_eq!(package.grading.root.testcases(), [4, 1, 5, 2, 3]);
    }

    #[test]
    fn odd_groups_of_2025_09_are_warned_about() {
        points("max_score: 50\n", "max_score: 50\nrequire_pass: a\n").warns(&[
            "data/secret/b/test_group.yaml:2: require_pass: a is the group secret/a, which should be named so",
        ]);
        points("max_score: 50\n", "max_score: 40\n")
            .warns(&["data/secret: the groups' maximum scores add up to 90, and max_score is 100"]);
        points("max_score: 50\non_reject: continue\n", "max_score: 50\n").warns(&[
            "data/secret/a/test_group.yaml:2: on_reject does not count in this version of the format, ignored",
        ]);
        let pass_fail = POINTS.replace("type: scoring\n", "");
        let package = points("max_score: 50\n", "")
            .with("problem.yaml", &pass_fail)
            .warns(&["data/secret/a/test_group.yaml:1: max_score only counts in a scoring problem, ignored"]);
        assert!(!package.grading.scoring);
        // A new version whose groups are all configured in the old way is graded in the old way.
        let package = points("", "")
            .without("data/secret/a/test_group.yaml")
            .without("data/secret/b/test_group.yaml")
            .with("data/secret/a/testdata.yaml", "accept_score: 40\n")
            .with("data/secret/b/testdata.yaml", "accept_score: 60\n")
            .load()
            .package;
        assert_eq!(legacy_rules(&package.grading, "secret/b").accept_score, score("60"));
    }
}
