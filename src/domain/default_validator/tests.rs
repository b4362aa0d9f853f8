//! The rules of the default validator as tables, as properties, and against problemtools' own cases.

use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::path::PathBuf;

fn flags(text: &str) -> Flags {
    let words: Vec<&str> = text.split_whitespace().collect();
    Flags::parse(&words).expect("flags of a test")
}

#[track_caller]
fn accepts(flag_text: &str, answer: &str, output: &str) {
    assert_eq!(compare(answer.as_bytes(), output.as_bytes(), &flags(flag_text)), Comparison::Accepted);
}

#[track_caller]
fn rejects(flag_text: &str, answer: &str, output: &str, message: &str) {
    rejects_bytes(flag_text, answer.as_bytes(), output.as_bytes(), message);
}

#[track_caller]
fn rejects_bytes(flag_text: &str, answer: &[u8], output: &[u8], message: &str) {
    let expected = Comparison::Wrong { message: message.to_owned() };
    assert_eq!(compare(answer, output, &flags(flag_text)), expected);
}

#[test]
fn without_flags_only_tokens_count() {
    accepts("", "", "");
    accepts("", "", " \t\r\n\x0b\x0c");
    accepts("", "a b\nc\n", "a b\nc\n");
    accepts("", "a b\nc\n", "  a\r\n\r\nb\tc");
    accepts("", "YES", "yes");
    rejects(
        "",
        "1\n2\n3\n",
        "1\n2\n4\n",
        r#"line 3 of the output (line 3 of the answer), token 3: expected "3", found "4""#,
    );
    rejects(
        "",
        "ab",
        "a b",
        r#"line 1 of the output (line 1 of the answer), token 1: expected "ab", found "a""#,
    );
    rejects(
        "",
        "a b",
        "ab",
        r#"line 1 of the output (line 1 of the answer), token 1: expected "a", found "ab""#,
    );
    rejects(
        "",
        "1",
        "1.0",
        r#"line 1 of the output (line 1 of the answer), token 1: expected "1", found "1.0""#,
    );
    rejects(
        "",
        "1",
        "01",
        r#"line 1 of the output (line 1 of the answer), token 1: expected "1", found "01""#,
    );
}

#[test]
fn case_is_folded_for_ascii_only() {
    accepts("", "Straße", "sTRAßE");
    rejects("", "É", "é", r#"line 1 of the output (line 1 of the answer), token 1: expected "É", found "é""#);
    accepts("case_sensitive", "Yes", "Yes");
    rejects(
        "case_sensitive",
        "Yes",
        "yes",
        r#"line 1 of the output (line 1 of the answer), token 1: expected "Yes", found "yes", which differs in case"#,
    );
}

#[test]
fn missing_and_trailing_tokens_are_wrong() {
    rejects("", "x", "", r#"the output is empty, expected "x""#);
    rejects("", "x", " \n \n", r#"the output is nothing but whitespace, expected "x""#);
    rejects(
        "",
        "a b\n",
        "a\n",
        r#"the output ends at line 2 of the output (line 1 of the answer), token 2: expected "b""#,
    );
    rejects("", "a\n", "a\nb c\n", r#"line 2 of the output, token 2: found "b" after the end of the answer"#);
    rejects("", "", "b", r#"line 1 of the output, token 1: found "b" after the end of the answer"#);
}

#[test]
fn whitespace_counts_when_asked() {
    accepts("space_change_sensitive", "a  b\n", "A  B\n");
    accepts("space_change_sensitive", " a\n\n", " a\n\n");
    let place = "line 1 of the output (line 1 of the answer), token";
    let check = |answer, output, token, tail: &str| {
        rejects(
            "space_change_sensitive",
            answer,
            output,
            &format!("{place} {token}: whitespace differs, {tail}"),
        );
    };
    check("a b\n", "a\tb\n", 2, "expected a space, found a tab");
    check("a b\n", "a  b\n", 2, r#"expected "b", found a space"#);
    check("a  b\n", "a b\n", 2, r#"expected a space, found "b""#);
    check("a b\n", "a b", 3, "expected a line feed, found the end");
    check("a b", "a b\n", 3, "expected the end, found a line feed");
    check("a b\n", "a b\r\n", 3, "expected a line feed, found a carriage return");
    check("a b\n", " a b\n", 1, r#"expected "a", found a space"#);
    check("\x0ba", "\x0ca", 1, "expected a vertical tab, found a form feed");
}

#[test]
fn numbers_are_compared_within_a_tolerance() {
    for (flag_text, answer, output) in [
        ("float_tolerance 1e-6", "1", "1.000001"),
        ("float_tolerance 1e-6", "1", "0.999999"),
        ("float_tolerance 1E-6", "1000000", "1000001"),
        ("float_tolerance 1.001e-6", "0.1", "0.10000100"),
        ("float_tolerance 0", "1.50", "1.5"),
        ("float_tolerance 0", "100", "1e2"),
        ("float_tolerance 0", "1", "+1."),
        ("float_tolerance 0", "0.5", ".5"),
        ("float_tolerance 0", "-0", "0"),
        ("float_absolute_tolerance 0.5", "1", "1.5"),
        ("float_relative_tolerance 0.1", "-100", "-110"),
        ("float_absolute_tolerance 1 float_relative_tolerance 1e-9", "5", "6"),
        ("float_absolute_tolerance 1e-9 float_relative_tolerance 0.2", "5", "6"),
        // Words among the numbers still compare as words.
        ("float_tolerance 1e-6", "Case #1: 0.5", "case #1: 0.50000001"),
        ("float_tolerance 1e-6", "inf nan 0x10", "INF NaN 0X10"),
        // More digits than a double has, and numbers beyond all doubles.
        ("float_absolute_tolerance 0.1", "1234567890123456789", "1234567890123456789.05"),
        ("float_tolerance 1e-6", "1e400", "10e399"),
        ("float_tolerance 1e-6", "0", "1e-400"),
        ("float_tolerance 1e-6", "0.00000000000000000000000000000000000000000", "0"),
    ] {
        accepts(flag_text, answer, output);
    }
    for (flag_text, answer, output) in [
        ("float_tolerance 1e-6", "1", "1.0000011"),
        ("float_tolerance 1e-6", "1", "1.00000100000000000001"),
        ("float_absolute_tolerance 0.5", "1", "1.50000000000000000001"),
        ("float_absolute_tolerance 0.5", "1000", "1001"),
        ("float_relative_tolerance 0.5", "0", "0.1"),
        // The tolerance is relative to the answer, not to the output.
        ("float_relative_tolerance 0.1", "100", "111"),
        ("float_relative_tolerance 0.1", "111", "99"),
        ("float_absolute_tolerance 1e-6", "1234567890123456789", "1234567890123456788"),
        ("float_tolerance 1e-6", "1", "nan"),
        ("float_tolerance 1e-6", "1", "inf"),
        ("float_tolerance 1e-6", "1", "0x1"),
        ("float_tolerance 1e-6", "1", "1f"),
        ("float_tolerance 1e-6", "1", "1e"),
        ("float_tolerance 1e-6", "1", "1e+"),
        ("float_tolerance 1e-6", "1", "."),
        ("float_tolerance 1e-6", "1", "--1"),
        ("float_tolerance 1e-6", "1", "1,0"),
        ("float_tolerance 1e-6", "1", "1_0"),
        ("float_tolerance 1e-6", "inf", "1"),
        ("float_tolerance 1e-6", "inf", "infinity"),
        ("float_tolerance 1e-6", "1e400", "1e401"),
        ("float_tolerance 1e-6", "1e400", "5"),
        ("float_relative_tolerance 1e-6", "1e400", "0"),
        // Without a tolerance numbers are words.
        ("case_sensitive", "1.0", "1.00"),
    ] {
        let found = compare(answer.as_bytes(), output.as_bytes(), &flags(flag_text));
        assert_ne!(found, Comparison::Accepted, "{flag_text}: {answer:?} against {output:?}");
    }
    let place = "line 1 of the output (line 1 of the answer), token 2";
    rejects(
        "float_tolerance 1e-6",
        "x 2.5",
        "x 3",
        &format!(
            r#"{place}: expected "2.5", found "3", too far apart (5e-1, absolute tolerance 1e-6, relative tolerance 1e-6)"#
        ),
    );
    rejects(
        "float_tolerance 1e-6",
        "x 2",
        "x two",
        &format!(r#"{place}: expected the number "2", found "two""#),
    );
}

#[test]
fn flags_are_parsed_or_refused() {
    let check = |text: &str, message: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(Flags::parse(&words).expect_err(text).to_string(), message);
    };
    check("float_epsilon 1e-6", r#"unknown validator flag "float_epsilon""#);
    check("1e-6", r#"unknown validator flag "1e-6""#);
    check("case_sensitive float_tolerance", "validator flag float_tolerance lacks its tolerance");
    for bad in ["-1", "-0", "nan", "inf", "0x1", "1e400", "1e-6,", "case_sensitive"] {
        check(
            &format!("float_absolute_tolerance {bad}"),
            &format!(
                "validator flag float_absolute_tolerance: {bad:?} is not a tolerance (a decimal number of at least 0)"
            ),
        );
    }
    assert_eq!(flags(""), Flags::default());
    // Of two the last counts.
    assert_eq!(flags("case_sensitive case_sensitive"), flags("case_sensitive"));
    assert_eq!(
        flags("float_tolerance 1 case_sensitive float_tolerance 2"),
        flags("case_sensitive float_tolerance 2")
    );
    let repeated = |text: &str| Flags::repeated(&text.split_whitespace().collect::<Vec<_>>());
    assert_eq!(repeated("case_sensitive float_tolerance 1 case_sensitive"), Some("case_sensitive"));
    assert_eq!(repeated("float_tolerance 1 float_absolute_tolerance 1"), None);
    assert_eq!(
        flags("float_tolerance 1e-3 float_absolute_tolerance 0.5"),
        flags("float_relative_tolerance 1e-3 float_absolute_tolerance 0.5"),
    );
}

#[test]
fn messages_are_short_printable_and_show_the_difference() {
    let place = "line 1 of the output (line 1 of the answer), token 1";
    rejects_bytes(
        "",
        b"a",
        b"\x1b[31m\xff\x00\"\\\xe2\x80\xae",
        &format!(r#"{place}: expected "a", found "\u{{1b}}[31m\xff\u{{0}}\"\\\u{{202e}}""#),
    );
    let mut long = vec![b'a'; 1000];
    let mut other = long.clone();
    long[500] = b'x';
    other[500] = b'y';
    let a = |count| "a".repeat(count);
    rejects_bytes(
        "",
        &long,
        &other,
        &format!(r#"{place}: expected "...{}x{}...", found "...{}y{}...""#, a(20), a(19), a(20), a(19)),
    );
}

#[test]
fn large_outputs_are_linear() {
    // The worst shape for the common prefix: a difference in whitespace on the first line, then many short tokens.
    let answer = b"12 \n".repeat(1_000_000);
    let mut output = b" ".to_vec();
    output.extend_from_slice(&answer);
    assert_eq!(compare(&answer, &output, &Flags::default()), Comparison::Accepted);
    // One endless token, and one endless run of spaces.
    let token = vec![b'7'; 4_000_000];
    let mut longer = token.clone();
    longer.push(b'7');
    assert_ne!(compare(&token, &longer, &flags("float_tolerance 1e-6")), Comparison::Accepted);
    let spaces = vec![b' '; 4_000_000];
    assert_eq!(compare(b"", &spaces, &Flags::default()), Comparison::Accepted);
}

/// The definition, written as slowly and plainly as possible, for flags without tolerances.
fn plainly(answer: &[u8], output: &[u8], flags: &Flags) -> bool {
    fn runs(text: &[u8], spaces: bool) -> Vec<Vec<u8>> {
        let mut runs: Vec<Vec<u8>> =
            text.chunk_by(|l, r| is_space(*l) == is_space(*r)).map(<[u8]>::to_vec).collect();
        runs.retain(|run| spaces || !is_space(run[0]));
        runs
    }
    let fold = |mut runs: Vec<Vec<u8>>| {
        if !flags.case_sensitive {
            runs.iter_mut().for_each(|run| run.make_ascii_lowercase());
        }
        runs
    };
    fold(runs(answer, flags.space_change_sensitive)) == fold(runs(output, flags.space_change_sensitive))
}

fn any_flags() -> impl Strategy<Value = Flags> {
    (any::<bool>(), any::<bool>()).prop_map(|(case_sensitive, space_change_sensitive)| Flags {
        case_sensitive,
        space_change_sensitive,
        ..Flags::default()
    })
}

proptest! {
    #[test]
    fn agrees_with_the_definition(answer in "[aA1 \n\r]{0,12}", output in "[aA1 \n\r]{0,12}", flags in any_flags()) {
        let accepted = compare(answer.as_bytes(), output.as_bytes(), &flags) == Comparison::Accepted;
        prop_assert_eq!(accepted, plainly(answer.as_bytes(), output.as_bytes(), &flags));
    }

    #[test]
    fn agrees_with_the_definition_after_a_common_prefix(
        prefix in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'\n'), Just(b'x')], 0..9000),
        answer in "[aA \n]{0,4}", output in "[aA \n]{0,4}", flags in any_flags(),
    ) {
        let (mut left, mut right) = (prefix.clone(), prefix);
        left.extend(answer.bytes());
        right.extend(output.bytes());
        let accepted = compare(&left, &right, &flags) == Comparison::Accepted;
        prop_assert_eq!(accepted, plainly(&left, &right, &flags));
    }

    #[test]
    fn every_output_is_as_good_as_itself(text: Vec<u8>, which in 0..4_usize) {
        let flags = flags([
            "", "case_sensitive space_change_sensitive", "float_tolerance 0", "float_relative_tolerance 1e-9",
        ][which]);
        prop_assert_eq!(compare(&text, &text, &flags), Comparison::Accepted);
    }

    #[test]
    fn any_bytes_give_a_short_printable_message(answer: Vec<u8>, output: Vec<u8>, which in 0..3_usize) {
        let flags = flags(["", "case_sensitive space_change_sensitive", "float_tolerance 1e-6"][which]);
        if let Comparison::Wrong { message } = compare(&answer, &output, &flags) {
            prop_assert!(message.len() <= 800, "{}", message.len());
            prop_assert!(!message.chars().any(char::is_control), "{}", message);
        }
    }

    #[test]
    fn the_number_grammar_is_the_documented_one(token in "[-+.eE0-9a]{0,8}") {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let unsign = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
        let unsigned = unsign(&token);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa.to_owned(), Some(unsign(exponent))),
            None => (unsigned.clone(), None),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa.as_str(), ""));
        let expected = digits(integer) && digits(fraction) && !(integer.is_empty() && fraction.is_empty())
            && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(&exponent));
        prop_assert_eq!(Number::parse(token.as_bytes()).is_some(), expected);
    }

    #[test]
    fn exact_decimals_agree_with_integers(left: i32, right: i32, tolerance in 0..1000_u32, shift in 0..6_u32) {
        // Written with `shift` decimals, compared as integers: no rounding can hide a difference.
        let write = |value: i32| {
            let digits = format!("{:0>8}", i64::from(value).unsigned_abs());
            let (whole, fraction) = digits.split_at(digits.len() - shift as usize);
            format!("{}{whole}.{fraction}", if value < 0 { "-" } else { "" })
        };
        let right = if tolerance % 2 == 0 { left.saturating_add((tolerance / 2) as i32) } else { right };
        let flags = flags(&format!("float_absolute_tolerance {tolerance}e-{shift}"));
        let accepted = compare(write(left).as_bytes(), write(right).as_bytes(), &flags) == Comparison::Accepted;
        prop_assert_eq!(accepted, (i64::from(left) - i64::from(right)).unsigned_abs() <= u64::from(tolerance));
    }
}

/// The shared data live beside the project and not in it: a clone without them says so instead of passing silently.
fn shared_problems() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/problems");
    let path = std::env::var_os("ASSIZE_SHARED_PROBLEMS").map_or_else(beside, PathBuf::from);
    path.is_dir().then_some(path)
}

#[test]
fn agrees_with_the_cases_of_problemtools() {
    let Some(shared) = shared_problems() else {
        loudly(
            "SKIPPED: no shared problems (set ASSIZE_SHARED_PROBLEMS): problemtools' cases were NOT compared",
        );
        return;
    };
    let mut cases = 0;
    for entry in std::fs::read_dir(shared.join("default_validator_tests")).expect("the cases' directory") {
        let directory = entry.expect("an entry").path();
        if !directory.is_dir() {
            continue;
        }
        let read = |name: &str| std::fs::read(directory.join(name)).expect(name);
        let args = std::fs::read_to_string(directory.join("args.txt")).unwrap_or_default();
        let found = compare(&read("judge.ans"), &read("user.out"), &flags(&args));
        let exit_code = if found == Comparison::Accepted { "42" } else { "43" };
        let expected = String::from_utf8(read("expected_exit_code.txt")).expect("text");
        assert_eq!(exit_code, expected.trim(), "{}: {found:?}", directory.display());
        cases += 1;
    }
    assert!(cases >= 20, "only {cases} cases were found");
}

/// Past the capture of the test harness, which keeps `eprintln!` of passing tests to itself.
fn loudly(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
