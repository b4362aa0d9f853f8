//! Whether a jury submission keeps what is demanded of it, at the time limit and with the margin around it.

use crate::domain::scoring::Objective;
use crate::domain::verdict::Verdict;
use crate::problems::{Demand, JuryVerdict, JuryVerdicts, OverallVerdict};

use super::VerifiedTestcase;
use super::score::{SeenScore, tolerance};

/// By which limit a run is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// By the time limit, as a contestant's would be.
    AtLimit,
    /// By the time limit times the margin.
    WithMargin,
}

/// What is seen of a submission that is held to its demands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// What ran, in the order of judging.
    pub(super) testcases: &'a [VerifiedTestcase],
    /// The verdict on the whole, by view.
    pub(super) at_limit: Verdict,
    pub(super) with_margin: Verdict,
    /// The score, in a scoring problem.
    pub(super) score: Option<SeenScore>,
    /// The scores of the test groups, by their paths below `data/`.
    pub(super) groups: &'a [(String, f64)],
    /// Whether the rules of groups say what is run. A judging error on one testcase is then on one that is not, since any
    /// other would be one of the whole.
    pub(super) by_groups: bool,
}

/// What came of holding a submission to its demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// It keeps all of them.
    Kept,
    /// It keeps them by one of the two limits only: the host's speed decides. Says what the other one breaks.
    Sensitive(String),
    /// It breaks one, by either limit. Says which and how.
    Broken(String),
}

/// Holds a submission to its demands.
pub(super) fn hold(demands: &[Demand], seen: &Seen<'_>) -> Held {
    let broken = |view| demands.iter().find_map(|demand| broken(demand, seen, view));
    match (broken(View::AtLimit), broken(View::WithMargin)) {
        (None, None) => Held::Kept,
        (Some(why), None) => Held::Sensitive(format!("by the limit itself, {why}")),
        (None, Some(why)) => Held::Sensitive(format!("by the limit with its margin, {why}")),
        (Some(why), Some(_)) => Held::Broken(why),
    }
}

/// Whether no further testcase is needed: a demand is broken for certain, or all that they require has been seen and
/// the verdict on the whole is known.
pub(super) fn is_decided(demands: &[Demand], testcases: &[VerifiedTestcase]) -> bool {
    // What is about the whole, or about some testcases only, is known at the end.
    let needs_all = |demand: &Demand| {
        demand.testcases.is_some() || demand.message.is_some() || demand.score.is_some() || demand.is_partial
    };
    if demands.iter().any(needs_all) {
        return false;
    }
    let both = [View::AtLimit, View::WithMargin];
    let forbidden = |demand: &Demand, view| {
        testcases.iter().any(|testcase| !is_among(testcase.seen_by(view), demand.permitted))
    };
    if demands.iter().any(|demand| both.iter().all(|view| forbidden(demand, *view))) {
        return true;
    }
    let seen = |demand: &Demand, view| {
        testcases.iter().any(|testcase| is_among(testcase.seen_by(view), demand.required))
    };
    let has_failed = |view| testcases.iter().any(|testcase| testcase.seen_by(view) != Verdict::Ac);
    // Where only right answers are permitted, each testcase counts.
    let only_accepted = JuryVerdicts::of(&[JuryVerdict::Accepted]);
    both.iter().all(|view| has_failed(*view) && demands.iter().all(|demand| seen(demand, *view)))
        && !demands.iter().any(|demand| demand.permitted == only_accepted)
}

/// Why a demand is not kept by this view, if it is not.
fn broken(demand: &Demand, seen: &Seen<'_>, view: View) -> Option<String> {
    let by = &demand.origin;
    let about: Vec<&VerifiedTestcase> = seen
        .testcases
        .iter()
        .filter(|testcase| demand.testcases.as_ref().is_none_or(|glob| glob.matches(&testcase.testcase)))
        .filter(|testcase| !(seen.by_groups && testcase.verdict == Verdict::Je))
        .collect();
    let whole = match view {
        View::AtLimit => seen.at_limit,
        View::WithMargin => seen.with_margin,
    };
    // No testcase ran: it does not compile.
    if matches!(whole, Verdict::Ce | Verdict::Ctl) {
        let expects_it = |overall: &OverallVerdict| {
            matches!(overall, OverallVerdict::CompilerError | OverallVerdict::Manual)
        };
        let is_expected = demand.overall.as_ref().is_some_and(|overall| overall.iter().any(expects_it));
        return (!is_expected && !is_nothing(demand)).then(|| "it does not compile".to_owned());
    }
    let forbidden = about.iter().find(|testcase| !is_among(testcase.seen_by(view), demand.permitted));
    if let Some(testcase) = forbidden {
        let verdict = testcase.seen_by(view);
        return Some(format!(
            "{}: {verdict}, where {by} permits {}: {}",
            testcase.testcase,
            demand.permitted,
            testcase.message_by(view)
        ));
    }
    if demand.required != JuryVerdicts::all()
        && !about.iter().any(|testcase| is_among(testcase.seen_by(view), demand.required))
    {
        let about_some = demand.testcases.as_ref().map(|glob| format!(" of {glob}")).unwrap_or_default();
        let mut why = format!("no testcase{about_some} gave {}, which {by} requires", demand.required);
        let slowest = about.iter().max_by_key(|testcase| testcase.cpu_ms);
        let too_slow = JuryVerdicts::of(&[JuryVerdict::TimeLimitExceeded]);
        if let Some(slowest) = slowest.filter(|_| demand.required == too_slow) {
            why.push_str(&format!("; the slowest was {} with {} ms", slowest.testcase, slowest.cpu_ms));
        }
        return Some(why);
    }
    if let Some(overall) = &demand.overall
        && !overall.iter().any(|expected| is_overall(whole, *expected))
    {
        let codes: Vec<&str> = overall.iter().map(|verdict| verdict.code()).collect();
        let why = about.iter().find(|testcase| testcase.seen_by(view) == whole && whole != Verdict::Ac);
        let why = why.map(|testcase| format!(": {}: {}", testcase.testcase, testcase.message_by(view)));
        return Some(format!(
            "it got {whole}, where {by} expects {}{}",
            codes.join(" or "),
            why.unwrap_or_default()
        ));
    }
    if let Some(message) = &demand.message
        && !about.iter().any(|testcase| testcase.message.contains(message.as_str()))
    {
        return Some(format!("no output validator said {message:?}, which {by} requires"));
    }
    score_broken(demand, seen)
}

/// Why a demand on the score is not kept, if it is not.
fn score_broken(demand: &Demand, seen: &Seen<'_>) -> Option<String> {
    let seen_score = seen.score?;
    let score = seen_score.value;
    let is_out =
        |score: f64, low: f64, high: f64| score < low - tolerance(score) || score > high + tolerance(score);
    let by = &demand.origin;
    match (demand.score, &demand.testcases) {
        (Some((low, high)), None) if is_out(score, low, high) => {
            return Some(format!("its score is {score}, where {by} expects {low} to {high}"));
        }
        (Some((low, high)), Some(glob)) => {
            let mut groups = seen.groups.iter().filter(|(name, _)| glob.matches_whole(name)).peekable();
            if groups.peek().is_none() {
                return Some(format!("there is no test group {glob}, for which {by} expects a score"));
            }
            if let Some((name, score)) = groups.find(|(_, score)| is_out(*score, low, high)) {
                return Some(format!("its score in {name} is {score}, where {by} expects {low} to {high}"));
            }
        }
        _ => {}
    }
    if demand.is_partial && seen_score.is_best() {
        let other = if seen_score.objective == Objective::Max { "less" } else { "more" };
        return Some(format!("its score is {score}, which is the best, where {by} expects {other}"));
    }
    None
}

fn is_nothing(demand: &Demand) -> bool {
    demand.permitted == JuryVerdicts::all()
        && demand.required == JuryVerdicts::all()
        && demand.overall.is_none()
        && demand.score.is_none()
        && demand.message.is_none()
}

/// Whether a testcase's verdict counts as one of these. Too much memory is a crash, as in the format. Too much output
/// has no place of its own there: judges differ in what they end it with, so that it is any failure.
fn is_among(verdict: Verdict, verdicts: JuryVerdicts) -> bool {
    use JuryVerdict::{Accepted, RunTimeError, TimeLimitExceeded, WrongAnswer};
    let counts_as: &[JuryVerdict] = match verdict {
        Verdict::Ac | Verdict::Pa | Verdict::Sc => &[Accepted],
        Verdict::Wa | Verdict::Pe => &[WrongAnswer],
        Verdict::Ole => &[WrongAnswer, RunTimeError, TimeLimitExceeded],
        Verdict::Tle | Verdict::Wtl | Verdict::Ile => &[TimeLimitExceeded],
        Verdict::Mle | Verdict::Rte | Verdict::Sv => &[RunTimeError],
        // Our fault is nothing that a jury could expect.
        Verdict::Ce | Verdict::Ctl | Verdict::Je => &[],
    };
    counts_as.iter().any(|verdict| verdicts.contains(*verdict))
}

/// Whether the verdict on a whole submission is what was expected.
fn is_overall(verdict: Verdict, expected: OverallVerdict) -> bool {
    match expected {
        OverallVerdict::Accepted => matches!(verdict, Verdict::Ac | Verdict::Pa),
        OverallVerdict::WrongAnswer => is_among(verdict, JuryVerdicts::of(&[JuryVerdict::WrongAnswer])),
        OverallVerdict::TimeLimitExceeded => {
            is_among(verdict, JuryVerdicts::of(&[JuryVerdict::TimeLimitExceeded]))
        }
        OverallVerdict::RunTimeError => is_among(verdict, JuryVerdicts::of(&[JuryVerdict::RunTimeError])),
        OverallVerdict::OutputLimit => verdict == Verdict::Ole,
        OverallVerdict::CompilerError => matches!(verdict, Verdict::Ce | Verdict::Ctl),
        OverallVerdict::Manual => verdict != Verdict::Je,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Glob;

    use Verdict::{Ac, Mle, Ole, Rte, Tle, Wa, Wtl};

    fn testcase(name: &str, at_limit: Verdict, with_margin: Verdict) -> VerifiedTestcase {
        VerifiedTestcase {
            testcase: name.to_owned(),
            verdict: at_limit,
            message_with_margin: (with_margin != at_limit).then(|| "why".to_owned()),
            verdict_with_margin: (with_margin != at_limit).then_some(with_margin),
            cpu_ms: 1,
            wall_ms: 1,
            memory_bytes: 1,
            message: "said".to_owned(),
        }
    }

    fn first_failing(testcases: &[VerifiedTestcase], view: View) -> Verdict {
        testcases.iter().map(|testcase| testcase.seen_by(view)).find(|verdict| *verdict != Ac).unwrap_or(Ac)
    }

    fn seen(testcases: &[VerifiedTestcase]) -> Seen<'_> {
        let (at_limit, with_margin) =
            (first_failing(testcases, View::AtLimit), first_failing(testcases, View::WithMargin));
        Seen { testcases, at_limit, with_margin, score: None, groups: &[], by_groups: false }
    }

    fn seen_score(value: f64, objective: Objective) -> SeenScore {
        SeenScore { value, best: Some(100.0), objective }
    }

    fn demands(directory: &str, version: &str) -> Vec<Demand> {
        crate::problems::demands_of(directory, version)
    }

    #[track_caller]
    fn check(directory: &str, version: &str, verdicts: &[Verdict], kept: bool, decided_after: usize) {
        let demands = demands(directory, version);
        let testcases: Vec<VerifiedTestcase> =
            verdicts.iter().map(|&verdict| testcase("secret/1", verdict, verdict)).collect();
        let held = hold(&demands, &seen(&testcases));
        assert_eq!(held == Held::Kept, kept, "{held:?}");
        let ran = (1..=testcases.len()).find(|&count| is_decided(&demands, &testcases[..count]));
        assert_eq!(ran.unwrap_or(testcases.len()), decided_after);
    }

    #[test]
    fn promises_are_kept_or_broken_as_the_format_says() {
        let (old, new) = ("legacy", "2025-09");
        check("accepted", old, &[Ac, Ac, Ac], true, 3);
        check("accepted", old, &[Ac, Wa, Ac], false, 2);
        check("wrong_answer", old, &[Ac, Wa, Ac], true, 2);
        check("wrong_answer", old, &[Ac, Ac], false, 2);
        // Only running everything finds this one.
        check("wrong_answer", old, &[Wa, Tle], false, 1);
        check("wrong_answer", old, &[Tle, Wa], false, 1);
        check("wrong_answer", old, &[Ole], true, 1);
        check("time_limit_exceeded", old, &[Wa, Tle, Ac], true, 2);
        check("time_limit_exceeded", new, &[Wa, Tle, Ac], false, 1);
        check("time_limit_exceeded", old, &[Tle, Rte], false, 1);
        check("time_limit_exceeded", old, &[Ac, Wtl], true, 2);
        check("run_time_error", old, &[Wa, Tle, Rte, Ac], true, 3);
        check("run_time_error", new, &[Ac, Mle, Ac], true, 2);
        check("run_time_error", new, &[Wa, Rte], false, 1);
        check("runtime_error", old, &[Ac, Rte], true, 2);
        check("rejected", new, &[Ac, Ac], false, 2);
        check("rejected", new, &[Ac, Rte], true, 2);
        check("brute_force", old, &[Ac, Ac], true, 2);
        check("brute_force", new, &[Ac, Ac], false, 2);
        check("brute_force", new, &[Ac, Wa], false, 2);
        check("slow_accepted", old, &[Ac, Tle, Ac], true, 2);
        check("slow_accepted", old, &[Ac, Wa], false, 2);
        check("other_ac", old, &[Ac, Wa], false, 2);
        check("output_limit", old, &[Ac, Ole], true, 2);
        check("output_limit", old, &[Ac, Wa], false, 2);
        check("mixed", old, &[Ac, Rte, Ac], true, 2);
        // Our fault satisfies nobody.
        for directory in ["accepted", "wrong_answer", "time_limit_exceeded", "run_time_error", "rejected"] {
            check(directory, new, &[Verdict::Je], false, 1);
        }
    }

    #[test]
    fn what_only_the_margin_decides_is_sensitive() {
        let held = |directory: &str, testcases: &[VerifiedTestcase]| {
            hold(&demands(directory, "legacy"), &seen(testcases))
        };
        let slow = [testcase("secret/1", Ac, Ac), testcase("secret/2", Tle, Ac)];
        let Held::Sensitive(why) = held("accepted", &slow) else { panic!() };
        assert!(why.starts_with("by the limit itself, secret/2: TLE, where accepted/ permits AC"), "{why}");
        let Held::Sensitive(why) = held("time_limit_exceeded", &slow) else { panic!() };
        assert!(why.starts_with("by the limit with its margin, no testcase gave TLE"), "{why}");
        assert!(!is_decided(&demands("time_limit_exceeded", "legacy"), &slow));
        assert!(!is_decided(&demands("accepted", "legacy"), &slow));
        // Wrong in any case.
        let Held::Broken(why) = held("accepted", &[testcase("secret/1", Tle, Wa)]) else { panic!() };
        assert!(why.contains("TLE"), "{why}");
        assert_eq!(held("accepted", &[testcase("secret/1", Ac, Ac)]), Held::Kept);
    }

    #[test]
    fn a_judging_error_where_groups_say_that_nothing_is_run_breaks_no_promise() {
        let testcases = [testcase("secret/a/1", Wa, Wa), testcase("secret/b/1", Verdict::Je, Verdict::Je)];
        let held =
            |by_groups| hold(&demands("wrong_answer", "2025-09"), &Seen { by_groups, ..seen(&testcases) });
        assert_eq!(held(true), Held::Kept);
        let Held::Broken(why) = held(false) else { panic!() };
        assert!(why.starts_with("secret/b/1: JE, where wrong_answer/ permits AC or WA"), "{why}");
    }

    #[test]
    fn what_does_not_compile_is_only_what_was_expected_if_that_was_expected() {
        let of = |directory: &str| {
            let seen = Seen {
                testcases: &[],
                at_limit: Verdict::Ce,
                with_margin: Verdict::Ce,
                score: None,
                groups: &[],
                by_groups: false,
            };
            hold(&demands(directory, "2025-09"), &seen)
        };
        assert_eq!(of("compiler_error"), Held::Kept);
        assert_eq!(of("mixed"), Held::Kept);
        for directory in ["accepted", "wrong_answer", "rejected", "run_time_error", "output_limit"] {
            assert_eq!(of(directory), Held::Broken("it does not compile".to_owned()), "{directory}");
        }
    }

    #[test]
    fn scores_are_compared_up_to_the_tolerance() {
        let of = |demand: Demand, score: f64| {
            let testcases = [testcase("secret/1", Ac, Ac)];
            let groups = [("secret".to_owned(), score), ("secret/a".to_owned(), 30.0)];
            let (score, groups) = (Some(seen_score(score, Objective::Max)), groups.as_slice());
            let (at_limit, with_margin, by_groups) = (Ac, Ac, true);
            hold(&[demand], &Seen { testcases: &testcases, at_limit, with_margin, score, groups, by_groups })
        };
        let any = || Demand::anything("x".to_owned());
        let range = |low, high| Demand { score: Some((low, high)), ..any() };
        assert_eq!(of(range(10.0, 20.0), 20.000_000_000_1), Held::Kept);
        assert_eq!(of(range(0.3, 0.3), 0.1 + 0.2), Held::Kept);
        assert!(matches!(of(range(10.0, 20.0), 21.0), Held::Broken(_)));
        let of_group = |glob: &str, low, high| Demand {
            testcases: Some(Glob::parse(glob).unwrap()),
            ..range(low, high)
        };
        assert_eq!(of(of_group("secret/a", 30.0, 30.0), 50.0), Held::Kept);
        assert_eq!(of(of_group("secret", 50.0, 50.0), 50.0), Held::Kept);
        assert_eq!(of(of_group("secret/*", 0.0, 31.0), 50.0), Held::Kept);
        assert!(matches!(of(of_group("secret/a", 31.0, 40.0), 50.0), Held::Broken(_)));
        let Held::Broken(why) = of(of_group("secret/b", 0.0, 40.0), 50.0) else { panic!() };
        assert!(why.contains("no test group secret/b"), "{why}");
        let partial = Demand { is_partial: true, ..any() };
        assert_eq!(of(partial.clone(), 99.0), Held::Kept);
        assert!(matches!(of(partial, 100.0), Held::Broken(_)));
        // Where low scores are good, the end of the range that nobody may reach is the other one.
        let is_best = |score, best, objective| SeenScore { best, ..seen_score(score, objective) }.is_best();
        assert!(!is_best(100.0, Some(0.0), Objective::Min) && is_best(0.0, Some(0.0), Objective::Min));
        assert!(is_best(0.1 + 0.2, Some(0.3), Objective::Min) && is_best(-1.0, Some(0.0), Objective::Min));
        assert!(!is_best(0.0, None, Objective::Min) && !is_best(1e300, None, Objective::Max));
    }
}
