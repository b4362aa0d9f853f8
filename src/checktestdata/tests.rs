//! Programs with inputs that pass and inputs that do not, and what no program and no input may do.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn passes(program: &str, input: &str) {
    let program = Program::parse(program).expect("a program");
    assert_eq!(program.check(input.as_bytes()), Ok(()), "{input:?}");
}

/// The input does not pass, and the message begins so.
#[track_caller]
fn rejects(program: &str, input: &str, message: &str) {
    let program = Program::parse(program).expect("a program");
    match program.check(input.as_bytes()) {
        Err(CheckError::Rejected(rejection)) => {
            assert!(rejection.to_string().starts_with(message), "{rejection}");
        }
        other => panic!("{input:?}: {other:?}"),
    }
}

#[track_caller]
fn is_wrong(program: &str, input: &str, message: &str) {
    let program = Program::parse(program).expect("a program");
    let error = program.check(input.as_bytes()).expect_err("a program that is wrong");
    assert!(!matches!(error, CheckError::Rejected(_)) && error.to_string().contains(message), "{error}");
}

#[track_caller]
fn is_no_program(text: &str, message: &str) {
    let error = Program::parse(text).expect_err("no program");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn numbers_are_read_as_they_must_be_written() {
    let program = "INT(-5, 10^100) NEWLINE";
    for good in ["0", "-5", "7", "12345678901234567890123456789012345678901234567890"] {
        passes(program, &format!("{good}\n"));
    }
    for bad in ["", "-0", "+1", "x", "-", " 1"] {
        rejects(program, &format!("{bad}\n"), "line 1, column 1: expected an integer, found");
    }
    rejects(program, "007\n", "line 1, column 2: expected a newline, found \"07\\n\"");
    rejects(program, "-6\n", "line 1, column 1: -6 is not between -5 and 1000000");
    rejects(program, "1", "line 1, column 2: expected a newline, found the end");
    let program = "FLOAT(-1.5, 1e3) NEWLINE";
    for good in ["0", "-1.5", "1000", "1.0e+3", "00.5", "1E-2"] {
        passes(program, &format!("{good}\n"));
    }
    for bad in ["-1.50000000000000000000000001", "1000.00000000000000000000000001", ".5", "1.", "nan", "1e"] {
        rejects(program, &format!("{bad}\n"), "line 1, column ");
    }
    passes("FLOAT(0, 1, x, FIXED)", "0.5");
    rejects("FLOAT(0, 1, x, FIXED)", "5e-1", "line 1, column 1: expected a number without an exponent");
    passes("FLOAT(0, 1, x, SCIENTIFIC)", "5e-1");
    passes("FLOAT(0, 1, SCIENTIFIC)", "5e-1");
    rejects("FLOAT(0, 1, x, SCIENTIFIC)", "0.5", "line 1, column 1: expected a number with an exponent");
    passes("FLOATP(0, 1, 1, 3, x)", "0.125");
    rejects("FLOATP(0, 1, 1, 3)", "0.1255", "line 1, column 1: expected 1 to 3 decimals, found 4");
    rejects("FLOATP(0, 1, 1, 3)", "1", "line 1, column 1: expected 1 to 3 decimals, found 0");
}

#[test]
fn expressions_are_calculated_exactly() {
    for (test, holds) in [
        ("1 + 2 * 3 == 7", true),
        ("(1 + 2) * 3 == 9", true),
        ("10 - 4 - 3 == 3", true),
        ("2 ^ 3 ^ 2 == 512", true),
        ("-2 ^ 2 == -4", true),
        ("7 / 2 == 3 && -7 / 2 == -3", true),
        ("-7 % 3 == -1", true),
        ("2 ^ 200 / 2 ^ 199 == 2", true),
        ("0.1 + 0.2 == 0.3", true),
        ("1.0 / 3 * 3 == 1", true),
        ("1.5 ^ 2 == 2.25", true),
        ("1 < 2 || 1 / 0 == 1", true),
        ("1 > 2 && 1 / 0 == 1", false),
        ("!(1 < 2)", false),
        ("!(1 < 2) || (2 <= 2)", true),
        ("1 == 2 || 3 == 3 && 4 == 4", true),
        ("((1)) == (1)", true),
        ("\"abc\" < \"abd\"", true),
        ("\"a\" == \"a\"", true),
        ("STRLEN(\"abc\") == 3", true),
        ("STRLEN(\"a\\n\\\"\\101\\x\") == 6", true),
        ("1 != 2 && 2 >= 2 && 1.0 == 1", true),
    ] {
        let program = format!("ASSERT({test})");
        if holds {
            passes(&program, "");
        } else {
            rejects(&program, "", "line 1, column 1: an assertion does not hold");
        }
    }
    for (program, message) in [
        ("ASSERT(1 / 0 == 1)", "division by zero"),
        ("ASSERT(1.0 / 0 == 1)", "division by zero"),
        ("ASSERT(1 % 0 == 1)", "division by zero"),
        ("ASSERT(1.5 % 2 == 1)", "% is for integers"),
        ("ASSERT(2 ^ -1 == 1)", "must not be negative"),
        ("ASSERT(2 ^ 0.5 == 1)", "an exponent must be an integer"),
        ("ASSERT(10 ^ 10 ^ 10 == 1)", "a number gets longer than"),
        ("SET(a = 9^9999) SET(a = a * a) SET(a = a * a) SET(a = a * a)", "a number gets longer than"),
        ("ASSERT(\"a\" == 1)", "a string is compared with an integer"),
        ("ASSERT(\"a\" + 1 == 1)", "a string and an integer cannot be calculated with"),
        ("ASSERT(-\"a\" == 1)", "a string has no negative"),
        ("ASSERT(a == 1)", "line 1 of the program: a is not set"),
        ("SET(a[1] = 1)\nASSERT(a[2] == 1)", "line 2 of the program: a[2] is not set"),
        ("SET(a[\"x\"] = 1)", "an index must be an integer"),
        ("STRING(1)", "a string is needed, not an integer"),
        ("ASSERT(STRLEN(1) == 1)", "a string is needed, not an integer"),
        ("REP(1.5) END", "a count must be an integer, not a float"),
        ("REP(-1) END", "-1 is no count"),
        ("REP(2^32) END", "4294967296 is no count"),
    ] {
        is_wrong(program, "", message);
    }
}

#[test]
fn loops_have_separators_and_counters() {
    let program = "INT(1, 10, n) NEWLINE REPI(i, n, SPACE) INT(0, 100, a[i]) END NEWLINE ASSERT(i == n)";
    passes(program, "3\n1 2 3\n");
    passes(program, "1\n7\n");
    rejects(program, "3\n1 2\n", "line 2, column 4: expected a space, found \"\\n\"");
    rejects(program, "2\n1 2 3\n", "line 2, column 4: expected a newline, found \" 3\\n\"");
    rejects(program, "2\n1  2\n", "line 2, column 3: expected an integer");
    let program = "WHILE(!ISEOF, NEWLINE) STRING(\"a\") END";
    passes(program, "a\na\na");
    passes(program, "");
    rejects(program, "a\n", "line 2, column 1: expected \"a\", found the end");
    let program = "WHILEI(i, MATCH(\"ab\")) REGEX(\"[ab]\") END ASSERT(i <= 3) NEWLINE";
    passes(program, "aba\n");
    rejects(program, "abab\n", "line 1, column 5: an assertion does not hold");
    passes("REP(0, SPACE) INT(1, 1) END", "");
    passes("REP(2, REP(2, SPACE) STRING(\"-\") END) STRING(\"x\") END", "x- -x");
}

#[test]
fn conditions_choose() {
    let program = "INT(1, 2, t) SPACE IF(t == 1) INT(0, 9) ELSE IF(t == 2) STRING(\"two\") END END NEWLINE";
    passes(program, "1 5\n");
    passes(program, "2 two\n");
    rejects(program, "2 5\n", "line 1, column 3: expected \"two\", found \"5\\n\"");
    passes("IF(1 == 2) EOF EOF STRING(\"x\") END", "");
}

#[test]
fn arrays_are_compared_as_wholes() {
    let program = "REPI(i, 3) INT(0, 9, x[i]) SPACE INT(0, 9, y[i]) NEWLINE END ASSERT(UNIQUE(x, y))";
    passes(program, "1 2\n1 3\n2 2\n");
    rejects(program, "1 2\n1 3\n1 2\n", "line 4, column 1: an assertion does not hold");
    is_wrong("SET(x[0] = 1) SET(y[1] = 1) ASSERT(UNIQUE(x, y))", "", "do not have the same indices");
    passes(
        "SET(x[0, 0] = 1, x[0, 1] = 2) ASSERT(INARRAY(2, x) && !INARRAY(3, x)) UNSET(x) ASSERT(UNIQUE(x))",
        "",
    );
    passes("SET(x[0] = \"a\") ASSERT(INARRAY(\"a\", x) && !INARRAY(1, x))", "");
}

#[test]
fn patterns_match_as_much_as_they_can() {
    let program = "REGEX(\"[a-z]+\", word) NEWLINE ASSERT(STRLEN(word) <= 3 && word != \"bad\")";
    passes(program, "abc\n");
    rejects(program, "abcd\n", "line 2, column 1: an assertion does not hold");
    rejects(program, "Abc\n", "line 1, column 1: expected what matches \"[a-z]+\", found \"Abc\\n\"");
    passes("REGEX(\"p|ps\") EOF", "ps");
    passes("REGEX(\"a{2,3}\") STRING(\"a\")", "aaaa");
    passes("REGEX(\"[[:digit:]]+\\\\.[0-9]\")", "12.5");
    rejects("REGEX(\".*\")", "a\nb", "line 1, column 2: expected the end");
    passes("REGEX(\"[^x]*\") STRING(\"x\")", "a\n\u{e9}x");
    passes("SET(p = \"ab?\") REGEX(p) NEWLINE REGEX(p)", "a\nab");
    is_wrong("SET(p = \"(\") REGEX(p)", "", "is no pattern");
    is_no_program("REGEX(\"[\")", "line 1: \"[\" is no pattern");
    is_no_program("\nREGEX(\"(a{1000}){1000}{1000}\")", "line 2");
}

#[test]
fn programs_that_are_none_are_refused_by_line() {
    for (text, message) in [
        ("FOO", "line 1: there is no command FOO"),
        ("\nINT(1, 2", "line 2: expected `)`"),
        ("INT(1)", "line 1: expected `,`"),
        ("INT(1, 2, 3)", "line 1: expected a variable"),
        ("REP(2)\nSPACE", "line 2: END is missing"),
        ("END", "line 1: there is no command END"),
        ("IF(1 == 1) ELSE ELSE END", "there is no command ELSE"),
        ("STRING(\"abc)", "line 1: a string does not end"),
        ("STRING(\"a\\", "line 1: a string does not end"),
        ("INT(1, $)", "line 1: '$' is not part of the language"),
        ("ASSERT(1)", "expected a comparison"),
        ("ASSERT(FOO(1))", "there is no test FOO"),
        ("ASSERT(1 < 2", "expected `)`"),
        ("SET(a == 1)", "expected `=`"),
        ("1", "expected a command"),
        ("FLOAT(1, 2, a, b)", "expected FIXED or SCIENTIFIC"),
        ("FLOAT(1, 1e100000)", "a number is too long"),
    ] {
        is_no_program(text, message);
    }
    let deep = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(1_000), close.repeat(1_000))
    };
    is_no_program(&deep("REP(1) ", "", " END"), "nested more than");
    is_no_program(&format!("ASSERT({} == 1)", deep("(", "1", ")")), "nested more than");
    is_no_program(&format!("ASSERT({}1 == 1)", "-".repeat(10_000)), "nested more than");
    is_no_program(&format!("ASSERT({}1 == 1)", "!".repeat(10_000)), "nested more than");
    is_no_program(&format!("ASSERT({}1 == 1)", "1+".repeat(10_000)), "too long");
    is_no_program(&" ".repeat(2 << 20), "is longer than");
    passes(&format!("ASSERT({}1 == 1)", "1 == 1 && ".repeat(5_000)), "");
    passes("# Nothing but a comment.", "");
    passes("STRING(\"a # b\") # and a comment\nNEWLINE", "a # b\n");
    passes("STRING(\"a\\\nb\")", "ab");
}

#[test]
fn a_check_ends() {
    for program in [
        "WHILE(1 == 1) END",
        "REP(4000000000) REP(4000000000) END END",
        "WHILEI(i, 1 == 1) SET(a[i] = i) END",
        "REPI(i, 3000) SET(a[i] = i) END REP(4000000000) ASSERT(UNIQUE(a)) END",
        "SET(a = 3^20000) REP(4000000000) SET(b = a * a) END",
    ] {
        let program = Program::parse(program).expect("a program");
        let error = run::check(&program, b"", 1_000_000).expect_err("too much work");
        assert!(matches!(error, CheckError::TooMuchWork { .. }), "{error}");
    }
    let long = "9".repeat(100_000);
    rejects("INT(0, 1)", &long, "line 1, column");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_text_and_no_input_is_too_much(text in "\\PC{0,80}", input in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(program) = Program::parse(&text) {
            let _ = run::check(&program, &input, 100_000);
        }
    }

    #[test]
    fn nothing_made_of_its_words_is_too_much(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "INT(0, 9, a)", "INT(", "FLOAT(0, 1)", "SPACE", "NEWLINE", "EOF", "REP(3)", "REPI(i, 2, SPACE)",
                "WHILE(!ISEOF)", "WHILE(MATCH(\"1\"))", "IF(a == 1)", "ELSE", "END", "ASSERT(UNIQUE(a))",
                "ASSERT(INARRAY(1, a))", "SET(a = a + 1)", "SET(a[i] = i)", "UNSET(a)", "REGEX(\"1*\")", "STRING(\"1\")",
                "(", ")", ",", "a", "1", "\"", "^", "- ",
            ]),
            0..12,
        ),
        input in "[0-9 \\n]{0,20}",
    ) {
        if let Ok(program) = Program::parse(&words.join(" ")) {
            let _ = run::check(&program, input.as_bytes(), 100_000);
        }
    }

    #[test]
    fn what_a_list_says_of_itself_is_checked(numbers in proptest::collection::vec(-50_i64..50, 0..20), limit in 0_i64..60) {
        let program = format!(
            "INT(0, 100, n) NEWLINE REPI(i, n, SPACE) INT(-{limit}, {limit}, a[i]) END NEWLINE ASSERT(UNIQUE(a))"
        );
        let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let input = format!("{}\n{}\n", numbers.len(), shown.join(" "));
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let is_right = distinct.len() == numbers.len() && numbers.iter().all(|number| number.abs() <= limit);
        let program = Program::parse(&program).expect("a program");
        prop_assert_eq!(program.check(input.as_bytes()).is_ok(), is_right);
    }
}
