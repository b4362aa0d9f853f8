//! Trees of groups as tables: what is run, and what it comes to; and random trees, for which running less must not matter.

use proptest::prelude::*;

use super::*;

/// A legacy group: `flags` of the grader, then `continue`, `accept=`, `reject=` and `range=low..high` for the other keys.
fn legacy(name: &str, settings: &str, items: Vec<Item>) -> Group {
    let words: Vec<String> = settings.split_whitespace().map(str::to_owned).collect();
    let mut rules =
        LegacyRules { grader: Grader::Default(DefaultGrader::parse(&words)), ..Default::default() };
    for word in &words {
        match word.split_once('=') {
            Some(("accept", score)) => rules.accept_score = score.parse().expect("a score"),
            Some(("reject", score)) => rules.reject_score = score.parse().expect("a score"),
            Some(("range", range)) => {
                let (low, high) = range.split_once("..").expect("a range");
                rules.range = Range { low: low.parse().ok(), high: high.parse().ok() };
                rules.states_range = true;
            }
            _ if word == "continue" => rules.continues_on_reject = true,
            _ if word == "custom" => rules.grader = Grader::Custom { flags: words.clone() },
            _ => {}
        }
    }
    Group { name: name.to_owned(), rules: Rules::Legacy(rules), items }
}

/// A 2025-09 group: `max=`, `sum`, `min`, `require=`, `static=index:max`.
fn points(name: &str, settings: &str, items: Vec<Item>) -> Group {
    let mut rules = PointsRules {
        max_score: None,
        aggregation: Aggregation::PassFail,
        require_pass: Vec::new(),
        static_case: None,
    };
    for word in settings.split_whitespace() {
        match word.split_once('=') {
            Some(("max", score)) => rules.max_score = Some(score.parse().expect("a score")),
            Some(("require", name)) => rules.require_pass.push(name.to_owned()),
            Some(("static", at)) => {
                let (index, max) = at.split_once(':').expect("index:max");
                rules.static_case = Some((index.parse().expect("index"), max.parse().expect("a score")));
            }
            _ if word == "sum" => rules.aggregation = Aggregation::Sum,
            _ if word == "min" => rules.aggregation = Aggregation::Min,
            _ => panic!("{word}"),
        }
    }
    Group { name: name.to_owned(), rules: Rules::Points(rules), items }
}

fn cases(from: u32, to: u32) -> Vec<Item> {
    (from..=to).map(Item::Testcase).collect()
}

fn groups(groups: Vec<Group>) -> Vec<Item> {
    groups.into_iter().map(|group| Item::Group(Box::new(group))).collect()
}

fn scoring(root: Group) -> Grading {
    Grading { scoring: true, objective: Objective::Max, custom_score: false, root }
}

fn whole(secret: Group) -> Grading {
    let sample = Group { name: "sample".to_owned(), rules: Rules::Samples, items: cases(1, 2) };
    let items = groups(vec![sample, secret]);
    scoring(Group { name: String::new(), rules: Rules::Whole, items })
}

/// What the testcases give, in order: `AC`, `AC=5` with a score.txt, `AC*0.5` with a multiplier.
fn results(text: &str) -> Cases {
    let words = text.split_whitespace().zip(1..);
    let case = |word: &str| {
        let at = word.find(['=', '*']).unwrap_or(word.len());
        let number = word.get(at + 1..).map(|number| number.parse().expect("a score"));
        let stated =
            number.map(|n| if word.contains('=') { Stated::Score(n) } else { Stated::Multiplier(n) });
        Case { verdict: word[..at].parse().expect("a verdict"), stated }
    };
    words.map(|(word, index)| (index, case(word))).collect()
}

/// Runs lazily: what is run, in order, and what is known at the end.
fn run(grading: &Grading, mode: Mode, all: &Cases, graded: &GradedGroups) -> (Vec<u32>, Cases) {
    let (mut ran, mut known) = (Vec::new(), Cases::new());
    while let Step::Run(index) = next(grading, mode, &known, graded) {
        assert!(known.insert(index, all[&index].clone()).is_none(), "{index} was run twice");
        ran.push(index);
    }
    (ran, known)
}

fn told(outcome: &Result<Outcome, Unfinished>) -> String {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return error.to_string(),
    };
    let score = |score: &Option<Score>| score.as_ref().map(|score| format!(" {score}")).unwrap_or_default();
    let groups = outcome.groups.iter().map(|g| format!(" | {} {}{}", g.name, g.verdict, score(&g.score)));
    format!("{}{}{}", outcome.verdict, score(&outcome.score), groups.collect::<String>())
}

/// What is run of the testcases with these results, and what it comes to.
#[track_caller]
fn check(grading: &Grading, all: &str, ran: &[u32], comes_to: &str) {
    let (all, none) = (results(all), GradedGroups::new());
    let (order, known) = run(grading, Mode::Lazy, &all, &none);
    let lazy = outcome(grading, &known, &none);
    assert_eq!((order.as_slice(), told(&lazy).as_str()), (ran, comes_to));
    let (order, known) = run(grading, Mode::All, &all, &none);
    assert_eq!(order.len(), all.len());
    let full = outcome(grading, &known, &none);
    match (lazy, full) {
        (Ok(lazy), Ok(full)) => {
            assert_eq!((lazy.verdict, lazy.score, lazy.best), (full.verdict, full.score, full.best));
        }
        (lazy, full) => assert_eq!(lazy, full),
    }
}

#[test]
fn a_pass_fail_problem_ends_at_the_first_failure() {
    let grading = Grading::pass_fail(4);
    check(&grading, "AC AC AC AC", &[1, 2, 3, 4], "AC");
    check(&grading, "AC TLE RTE AC", &[1, 2], "TLE");
    let of_groups = Grading {
        root: legacy(
            "",
            "",
            groups(vec![legacy("sample", "", cases(1, 1)), legacy("secret", "", cases(2, 3))]),
        ),
        ..Grading::pass_fail(0)
    };
    check(&of_groups, "AC AC AC", &[1, 2, 3], "AC | sample AC | secret AC");
    check(&of_groups, "WA AC AC", &[1], "WA | sample WA | secret SC");
    check(&of_groups, "AC WTL AC", &[1, 2], "WTL | sample AC | secret WTL");
}

#[test]
fn the_ubiquitous_shape_scores_its_subtasks() {
    let secret = legacy(
        "secret",
        "first_error accept_if_any_accepted continue range=0..100",
        groups(vec![
            legacy("secret/1", "min accept=40", cases(2, 3)),
            legacy("secret/2", "min accept=60", cases(4, 6)),
        ]),
    );
    let sample = legacy("sample", "continue", cases(1, 1));
    let grading = scoring(legacy("", "ignore_sample continue range=0..100", groups(vec![sample, secret])));
    check(
        &grading,
        "AC AC AC AC AC AC",
        &[1, 2, 3, 4, 5, 6],
        "AC 100 | sample AC 1 | secret AC 100 | secret/1 AC 40 | secret/2 AC 60",
    );
    // The sample does not count, and a failing subtask ends itself only.
    check(
        &grading,
        "WA WA AC AC AC AC",
        &[1, 2, 4, 5, 6],
        "PA 60 | sample WA 0 | secret PA 60 | secret/1 WA 0 | secret/2 AC 60",
    );
    check(
        &grading,
        "AC AC AC AC TLE AC",
        &[1, 2, 3, 4, 5],
        "PA 40 | sample AC 1 | secret PA 40 | secret/1 AC 40 | secret/2 TLE 0",
    );
    check(
        &grading,
        "AC TLE AC RTE AC AC",
        &[1, 2, 4],
        "TLE 0 | sample AC 1 | secret TLE 0 | secret/1 TLE 0 | secret/2 RTE 0",
    );
}

#[test]
fn the_default_grader_follows_each_flag() {
    let of = |flags: &str| scoring(legacy("", &format!("continue accept=10 reject=-1 {flags}"), cases(1, 3)));
    check(&of(""), "AC WA TLE", &[1, 2, 3], "TLE 8");
    check(&of("no_errors"), "OLE WA PE", &[1, 2, 3], "OLE -3");
    check(&of("worst_error"), "WTL MLE RTE", &[1, 2, 3], "RTE -3");
    check(&of("first_error"), "AC WA TLE", &[1, 2, 3], "WA 8");
    check(&of("always_accept"), "WA WA AC", &[1, 2, 3], "PA 8");
    check(&of("accept_if_any_accepted"), "WA WA AC", &[1, 2, 3], "PA 8");
    check(&of("accept_if_any_accepted"), "WA WA TLE", &[1, 2, 3], "TLE -3");
    check(&of("avg"), "AC AC WA", &[1, 2, 3], "WA 6.333333333333");
    check(&of("min"), "AC AC WA", &[1, 2, 3], "WA -1");
    check(&of("max"), "AC AC WA", &[1, 2, 3], "WA 10");
    check(&of("subtask_score=90 max min"), "AC AC WA", &[1, 2, 3], "WA -1");
    check(&of("min"), "AC AC AC", &[1, 2, 3], "AC 10");
    // Accepted, and not all points.
    check(&of("range=0..50"), "AC AC AC", &[1, 2, 3], "PA 30");
}

#[test]
fn breaking_leaves_the_rest_out_of_the_score() {
    // The empty-break trap: of what was run, the failing one has the least.
    let of = |flags: &str| scoring(legacy("", flags, cases(1, 3)));
    check(&of("min accept=40"), "AC WA AC", &[1, 2], "WA 0");
    check(&of("sum accept=40"), "AC WA AC", &[1, 2], "WA 40");
    check(&of("avg accept=40"), "AC WA AC", &[1, 2], "WA 20");
    let empty = legacy("sample", "", vec![]);
    let of_empty = scoring(legacy("", "min", groups(vec![empty, legacy("secret", "", cases(1, 1))])));
    check(&of_empty, "AC", &[1], "AC 0 | sample AC 0 | secret AC 1");
    check(&scoring(legacy("", "avg", vec![])), "", &[], "AC 0");
    // ignore_sample takes the last thing that was run, which is the sample where that ended it.
    let trap = scoring(legacy(
        "",
        "ignore_sample",
        groups(vec![legacy("sample", "", cases(1, 1)), legacy("secret", "accept=100", cases(2, 2))]),
    ));
    check(&trap, "WA AC", &[1], "WA 0 | sample WA 0 | secret SC 0");
    check(&trap, "AC AC", &[1, 2], "AC 100 | sample AC 1 | secret AC 100");
}

#[test]
fn scores_of_validators_count_for_accepted_testcases() {
    let mut grading = scoring(legacy("", "avg continue range=0..10", cases(1, 3)));
    grading.custom_score = true;
    check(&grading, "AC=1.5 AC=2.5 AC=3", &[1, 2, 3], "PA 2.333333333333");
    check(&grading, "AC=10 AC=10 AC=10", &[1, 2, 3], "AC 10");
    grading.objective = Objective::Min;
    check(&grading, "AC=0 AC=0 AC=0", &[1, 2, 3], "AC 0");
    let outside = outcome(&grading, &results("AC=30 AC=30 AC=0"), &GradedGroups::new()).expect("known");
    assert_eq!(outside.warnings, ["data: the score 20 is not in the range 0 to 10"]);
}

#[test]
fn custom_graders_are_asked_once_their_group_is_known() {
    let secret = legacy("secret", "custom continue accept=50 k=3", cases(2, 3));
    let grading = scoring(legacy(
        "",
        "ignore_sample continue",
        groups(vec![legacy("sample", "", cases(1, 1)), secret]),
    ));
    let known = results("AC AC MLE");
    let mut graded = GradedGroups::new();
    assert_eq!(next(&grading, Mode::Lazy, &results("AC AC"), &graded), Step::Run(3));
    let Step::Grade(asked) = next(&grading, Mode::Lazy, &known, &graded) else { panic!("not asked") };
    assert_eq!((asked.group.as_str(), asked.lines.as_str()), ("secret", "AC 50\nRTE 0\n"));
    assert_eq!(asked.flags, ["custom", "continue", "accept=50", "k=3"]);
    assert!(matches!(outcome(&grading, &known, &graded), Err(Unfinished::Grader(_))));
    graded.insert(asked.group, Graded::parse("RTE 12.50\n").expect("an answer"));
    assert_eq!(next(&grading, Mode::Lazy, &known, &graded), Step::Done);
    // A grader's word for memory is that of a crash.
    let told = told(&outcome(&grading, &known, &graded));
    assert_eq!(told, "MLE 12.5 | sample AC 1 | secret MLE 12.5");
}

#[test]
fn answers_of_custom_graders_are_read_strictly() {
    let score = |text: &str| text.parse::<Score>().expect("a score");
    assert_eq!(Graded::parse("AC 7.5\n"), Ok(Graded { verdict: Verdict::Ac, score: score("7.5") }));
    assert_eq!(Graded::parse("  WA\n-1"), Ok(Graded { verdict: Verdict::Wa, score: score("-1") }));
    for text in ["", "AC", "AC 1 2", "AC 1\nAC 2\n"] {
        assert_eq!(Graded::parse(text), Err(InvalidGrade::Shape), "{text:?}");
    }
    for text in ["JE 0", "ac 1", "PA 3", "SC 0", "7 AC"] {
        assert_eq!(Graded::parse(text), Err(InvalidGrade::Verdict), "{text:?}");
    }
    assert!(matches!(Graded::parse("AC nan"), Err(InvalidGrade::Score(_))));
}

#[test]
fn groups_of_2025_09_give_points() {
    let grading = whole(points(
        "secret",
        "sum max=100",
        groups(vec![
            points("secret/a", "max=20 require=sample", cases(3, 4)),
            points("secret/b", "sum max=50 require=secret/a", cases(5, 7)),
            points("secret/c", "min max=30", cases(8, 9)),
        ]),
    ));
    check(
        &grading,
        "AC AC AC AC AC AC AC AC AC",
        &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        "AC 100 | sample AC 0 | secret AC 100 | secret/a AC 20 | secret/b AC 50 | secret/c AC 30",
    );
    // All samples are run and give nothing; what requires them is not run.
    check(
        &grading,
        "WA AC AC AC AC AC AC AC AC",
        &[1, 2, 8, 9],
        "PA 30 | sample WA 0 | secret PA 30 | secret/a SC 0 | secret/b SC 0 | secret/c AC 30",
    );
    // A failed testcase ends a group of all or nothing, and one whose least is nothing; a sum goes on.
    check(
        &grading,
        "AC AC AC AC AC TLE AC RTE AC",
        &[1, 2, 3, 4, 5, 6, 7, 8],
        "PA 53.333333333333 | sample AC 0 | secret PA 53.333333333333 | secret/a AC 20 | secret/b PA 33.333333333333 \
         | secret/c RTE 0",
    );
    check(
        &grading,
        "AC AC TLE AC AC AC AC WA AC",
        &[1, 2, 3, 8],
        "TLE 0 | sample AC 0 | secret TLE 0 | secret/a TLE 0 | secret/b SC 0 | secret/c WA 0",
    );
    check(
        &grading,
        "AC AC AC AC AC*0.5 AC=1 AC AC*0 AC",
        &[1, 2, 3, 4, 5, 6, 7, 8],
        "PA 46 | sample AC 0 | secret PA 46 | secret/a AC 20 | secret/b PA 26 | secret/c PA 0",
    );
}

#[test]
fn secret_data_of_2025_09_may_have_no_groups() {
    let of = |settings: &str| whole(points("secret", settings, cases(3, 5)));
    check(&of("sum max=100"), "AC AC AC AC AC", &[1, 2, 3, 4, 5], "AC 100 | sample AC 0 | secret AC 100");
    check(
        &of("sum max=100"),
        "AC AC AC WA AC",
        &[1, 2, 3, 4, 5],
        "PA 66.666666666667 | sample AC 0 | secret PA 66.666666666667",
    );
    check(&of("max=100"), "AC WA AC AC AC", &[1, 2, 3, 4, 5], "AC 100 | sample WA 0 | secret AC 100");
    check(&of("max=100"), "AC AC AC WA AC", &[1, 2, 3, 4], "WA 0 | sample AC 0 | secret WA 0");
    check(&of("max=100 require=sample"), "AC WTL AC AC AC", &[1, 2], "WTL 0 | sample WTL 0 | secret SC 0");
    check(&of("sum"), "AC AC AC=7 AC=5.5 WA", &[1, 2, 3, 4, 5], "PA 12.5 | sample AC 0 | secret PA 12.5");
    check(&of("min"), "AC AC AC=7 AC=5.5 AC=9", &[1, 2, 3, 4, 5], "AC 5.5 | sample AC 0 | secret AC 5.5");
    // The static validator's testcase has points of its own.
    check(
        &of("sum max=100 static=3:40"),
        "AC AC WA AC AC",
        &[1, 2, 3, 4, 5],
        "PA 60 | sample AC 0 | secret PA 60",
    );
    check(
        &of("sum max=100 static=3:40"),
        "AC AC AC*0.25 AC AC*0.5",
        &[1, 2, 3, 4, 5],
        "PA 55 | sample AC 0 | secret PA 55",
    );
    let known = results("AC AC AC=60 AC=60 AC");
    let fault = outcome(&of("sum max=100"), &known, &GradedGroups::new());
    assert_eq!(told(&fault), "secret: the score 153.333333333333 is more than the maximum, 100");
}

#[test]
fn secret_data_may_take_the_least_of_its_groups_or_all_of_them() {
    let two = |settings: &str| {
        let below = |name: &str, from| points(name, "max=50", cases(from, from + 1));
        whole(points("secret", settings, groups(vec![below("secret/a", 3), below("secret/b", 5)])))
    };
    let failing = "AC AC WA AC AC AC";
    check(
        &two("min max=50"),
        failing,
        &[1, 2, 3],
        "WA 0 | sample AC 0 | secret WA 0 | secret/a WA 0 | secret/b SC 0",
    );
    check(
        &two("max=100"),
        failing,
        &[1, 2, 3],
        "WA 0 | sample AC 0 | secret WA 0 | secret/a WA 0 | secret/b SC 0",
    );
    let accepted = "AC AC AC AC AC AC";
    let all = [1, 2, 3, 4, 5, 6];
    check(
        &two("min max=50"),
        accepted,
        &all,
        "AC 50 | sample AC 0 | secret AC 50 | secret/a AC 50 | secret/b AC 50",
    );
    check(
        &two("max=100"),
        accepted,
        &all,
        "AC 100 | sample AC 0 | secret AC 100 | secret/a AC 50 | secret/b AC 50",
    );
    // What was run behind the end is told, and counts for nothing.
    let full = outcome(&two("max=100"), &results(failing), &GradedGroups::new());
    assert_eq!(told(&full), "WA 0 | sample AC 0 | secret WA 0 | secret/a WA 0 | secret/b AC 50");
}

#[test]
fn score_files_are_taken_only_where_the_rules_allow() {
    let file = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let stated = |grading: &Grading, index, accepted, score: &str, multiplier: &str| {
        grading.stated(index, accepted, &ScoreFiles { score: file(score), multiplier: file(multiplier) })
    };
    let number = |text: &str| text.parse::<Score>().expect("a score");
    let score = |text: &str| Ok(Some(Stated::Score(number(text))));

    let pass_fail = Grading::pass_fail(1);
    assert_eq!(stated(&pass_fail, 1, false, "7", ""), Ok(None));
    let plain = scoring(legacy("", "", cases(1, 1)));
    assert_eq!(stated(&plain, 1, true, "", ""), Ok(None));
    assert_eq!(stated(&plain, 1, true, "7", ""), Err(ScoreFault::NotAsked));
    let custom = Grading { custom_score: true, ..plain };
    assert_eq!(stated(&custom, 1, true, " 7.5\n", ""), score("7.5"));
    assert_eq!(stated(&custom, 1, true, "-3", ""), score("-3"));
    assert_eq!(stated(&custom, 1, true, "", ""), Err(ScoreFault::Missing));
    // Judges of the time did not look at what lies beside a refusal.
    assert_eq!(stated(&custom, 1, false, "7", ""), Ok(None));
    assert_eq!(stated(&custom, 1, false, "", ""), Ok(None));
    assert!(matches!(stated(&custom, 1, true, "seven", ""), Err(ScoreFault::Invalid(_))));

    let bounded = whole(points("secret", "sum max=100", cases(3, 4)));
    assert_eq!(stated(&bounded, 1, true, "999", "x"), Ok(None), "samples");
    assert_eq!(stated(&bounded, 3, true, "50", ""), score("50"));
    assert_eq!(stated(&bounded, 3, true, "", "0.5"), Ok(Some(Stated::Multiplier(number("0.5")))));
    assert_eq!(stated(&bounded, 3, true, "", ""), Ok(None));
    assert_eq!(stated(&bounded, 3, true, "1", "0.5"), Err(ScoreFault::Both));
    assert_eq!(stated(&bounded, 3, false, "", "0.5"), Err(ScoreFault::NotAccepted));
    for (text, multiplier) in [("50.1", ""), ("-1", ""), ("", "1.1"), ("", "-0.1")] {
        let got = stated(&bounded, 3, true, text, multiplier);
        assert!(matches!(got, Err(ScoreFault::OutOfBounds { .. })), "{text} {multiplier}");
    }
    let unbounded = whole(points("secret", "sum", cases(3, 4)));
    assert_eq!(stated(&unbounded, 3, true, "5000", ""), score("5000"));
    assert_eq!(stated(&unbounded, 3, true, "", ""), Err(ScoreFault::Missing));
    assert_eq!(stated(&unbounded, 3, true, "", "1"), Err(ScoreFault::Unbounded));
    let all_or_nothing = whole(points("secret", "max=100", cases(3, 4)));
    assert_eq!(stated(&all_or_nothing, 3, true, "1", ""), Err(ScoreFault::NotAsked));
    assert_eq!(stated(&all_or_nothing, 3, true, "", ""), Ok(None));
}

#[test]
fn a_testcase_counts_as_its_group_has_it() {
    let of = |grading: &Grading, index, word: &str| {
        grading.case_score(index, &results(word)[&1]).map(|score| score.to_string())
    };
    assert_eq!(of(&Grading::pass_fail(1), 1, "AC"), None);
    let plain = scoring(legacy("", "accept=2.50 reject=-1", cases(1, 1)));
    assert_eq!(of(&plain, 1, "AC").as_deref(), Some("2.5"));
    assert_eq!(of(&plain, 1, "WA").as_deref(), Some("-1"));
    let thirds = whole(points("secret", "sum max=100", cases(3, 5)));
    assert_eq!(of(&thirds, 1, "AC"), None);
    assert_eq!(of(&thirds, 3, "AC").as_deref(), Some("33.333333333333"));
    assert_eq!(of(&thirds, 3, "AC*0.5").as_deref(), Some("16.666666666667"));
    assert_eq!(of(&thirds, 3, "WA").as_deref(), Some("0"));
}

/// Legacy settings of a group.
fn settings() -> impl Strategy<Value = String> {
    let verdict = prop::sample::select(vec!["worst_error", "first_error", "always_accept", ""]);
    let score = prop::sample::select(vec!["sum", "avg", "min", "max"]);
    let more = prop::sample::subsequence(vec!["accept_if_any_accepted", "continue", "accept=7.25"], 0..=3);
    (verdict, score, more).prop_map(|(verdict, score, more)| format!("{verdict} {score} {}", more.join(" ")))
}

/// The shape of a tree: settings, testcases of its own, groups below.
#[derive(Debug, Clone)]
struct Shape(String, usize, Vec<Shape>);

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = (settings(), 0_usize..4).prop_map(|(settings, count)| Shape(settings, count, vec![]));
    leaf.prop_recursive(3, 24, 4, |inner| {
        (settings(), 0_usize..3, prop::collection::vec(inner, 0..4))
            .prop_map(|(settings, count, below)| Shape(settings, count, below))
    })
}

fn grown(shape: &Shape, name: &str, last: &mut u32) -> Group {
    let mut items = Vec::new();
    for _ in 0..shape.1 {
        *last += 1;
        items.push(Item::Testcase(*last));
    }
    for (below, at) in shape.2.iter().zip(1..) {
        items.push(Item::Group(Box::new(grown(below, &format!("{name}/{at}"), last))));
    }
    legacy(name, &shape.0, items)
}

/// A 2025-09 problem of three groups.
fn point_groups() -> impl Strategy<Value = Grading> {
    let way = prop::sample::select(vec!["", "sum", "min"]);
    let group = (prop::sample::select(vec!["", "sum", "min"]), 1_u32..4, any::<bool>());
    (way, prop::collection::vec(group, 1..5)).prop_map(|(way, below)| {
        let (mut last, mut required, mut made) = (2, "sample".to_owned(), Vec::new());
        for ((aggregation, count, requires), at) in below.into_iter().zip(1..) {
            let name = format!("secret/{at}");
            // All or nothing of all: then the groups are so too.
            let aggregation = if way.is_empty() { "" } else { aggregation };
            let require = if requires { format!("require={required}") } else { String::new() };
            let settings = format!("{aggregation} max=20 {require}");
            made.push(points(&name, &settings, cases(last + 1, last + count)));
            last += count;
            if aggregation.is_empty() {
                required = name;
            }
        }
        whole(points("secret", &format!("{way} max=100"), groups(made)))
    })
}

fn lazy_and_full_agree(grading: &Grading, pool: &[Case]) -> Result<(), TestCaseError> {
    let none = GradedGroups::new();
    let all: Cases = grading.root.testcases().into_iter().zip(pool.iter().cycle().cloned()).collect();
    let (ran, known) = run(grading, Mode::Lazy, &all, &none);
    prop_assert!(ran.len() <= all.len());
    let lazy = outcome(grading, &known, &none).expect("all that is wanted is known");
    let full = outcome(grading, &all, &none).expect("all is known");
    prop_assert_eq!(lazy.verdict, full.verdict);
    prop_assert_eq!(&lazy.score, &full.score);
    for (one, other) in lazy.groups.iter().zip(&full.groups) {
        prop_assert_eq!(&one.name, &other.name);
        if one.verdict != Verdict::Sc {
            prop_assert_eq!((one.verdict, &one.score), (other.verdict, &other.score));
        }
    }
    // A judging that is taken over half way goes on as it would have.
    let (taken, rest) = ran.split_at(ran.len() / 2);
    let mut known: Cases = taken.iter().map(|index| (*index, all[index].clone())).collect();
    for index in rest {
        prop_assert_eq!(next(grading, Mode::Lazy, &known, &none), Step::Run(*index));
        known.insert(*index, all[index].clone());
    }
    prop_assert_eq!(next(grading, Mode::Lazy, &known, &none), Step::Done);
    Ok(())
}

fn case() -> impl Strategy<Value = Case> {
    let verdicts = vec![Verdict::Ac, Verdict::Ac, Verdict::Ac, Verdict::Wa, Verdict::Tle, Verdict::Rte];
    let part = prop::sample::select(vec!["", "", "0", "0.25", "1"]);
    (prop::sample::select(verdicts), part).prop_map(|(verdict, part)| Case {
        verdict,
        stated: part.parse().ok().filter(|_| verdict == Verdict::Ac).map(Stated::Multiplier),
    })
}

proptest! {
    #[test]
    fn running_less_of_legacy_groups_does_not_matter(
        shape in shapes(),
        pool in prop::collection::vec(case(), 1..30),
    ) {
        let grading = scoring(grown(&shape, "", &mut 0));
        lazy_and_full_agree(&grading, &pool)?;
    }

    #[test]
    fn running_less_of_points_groups_does_not_matter(
        grading in point_groups(),
        pool in prop::collection::vec(case(), 1..30),
    ) {
        lazy_and_full_agree(&grading, &pool)?;
    }

    #[test]
    fn points_stay_between_none_and_the_maximum(
        grading in point_groups(),
        pool in prop::collection::vec(case(), 1..30),
    ) {
        let all: Cases = grading.root.testcases().into_iter().zip(pool.iter().cycle().cloned()).collect();
        let outcome = outcome(&grading, &all, &GradedGroups::new()).expect("all is known");
        for (score, best) in outcome.groups.iter().map(|group| (&group.score, &group.best)) {
            let score = score.clone().expect("a score");
            prop_assert!(!score.is_negative());
            prop_assert!(best.as_ref().is_none_or(|best| !score.exceeds(best)));
        }
        prop_assert_eq!(outcome.verdict == Verdict::Ac, outcome.score == outcome.best);
    }
}
