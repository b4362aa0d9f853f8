//! What a compiler found first, in a line, out of all that it printed.

/// The first error that a compiler names, else the first line: one with the place of an error, one that speaks of an
/// error, or one with a place. Where the cause stands in the line below, with that.
pub(super) fn of(diagnostics: &str) -> String {
    let lines: Vec<&str> = diagnostics.lines().collect();
    let speaks = |line: &str| {
        let line = line.to_lowercase();
        line.contains("error") || line.contains("fatal")
    };
    let found = (lines.iter().position(|line| has_place(line) && speaks(line)))
        .or_else(|| lines.iter().position(|line| line.to_lowercase().contains("error")))
        .or_else(|| lines.iter().position(|line| has_place(line)))
        .unwrap_or(0);
    let Some(first) = lines.get(found).map(|line| line.trim()) else {
        return "nothing more was said".to_owned();
    };
    let cause = lines.get(found + 1).map(|line| line.trim().trim_start_matches("• "));
    match cause.filter(|cause| first.ends_with(':') && !cause.is_empty()) {
        Some(cause) => format!("{first} {cause}"),
        None => first.to_owned(),
    }
}

/// Whether a line begins with a place in a source: `main.go:2:8` or `main.pas(1,15)`.
fn has_place(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    let is_number = |after: &str| after.starts_with(|first: char| first.is_ascii_digit());
    word.match_indices([':', '(']).any(|(at, _)| at > 0 && is_number(&word[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(diagnostics: &str, expected: &str) {
        assert_eq!(of(diagnostics), expected, "{diagnostics}");
    }

    #[test]
    fn the_first_error_is_found() {
        check(
            "\nmain.hs:4:12: error:\n    • Couldn't match type ‘Int’ with ‘[Char]’\n      Expected: String\n",
            "main.hs:4:12: error: Couldn't match type ‘Int’ with ‘[Char]’",
        );
        check(
            "# command-line-arguments\n./main.go:2:8: imported and not used: \"os\"\n",
            "./main.go:2:8: imported and not used: \"os\"",
        );
        check(
            "Error: /usr/bin/ppcx64 returned an error exitcode\nCompiling main.pas\n\
             main.pas(1,15) Error: Identifier not found \"x\"\nmain.pas(1,21) Fatal: There were 1 errors\n",
            "main.pas(1,15) Error: Identifier not found \"x\"",
        );
        check(
            "Error: /usr/bin/ppcx64 returned an error exitcode\nmain.pas(1,17) Fatal: Syntax error, \")\" expected\n",
            "main.pas(1,17) Fatal: Syntax error, \")\" expected",
        );
        check(
            "main.cpp: In function 'int main()':\nmain.cpp:2:36: error: 'x' was not declared in this scope\n",
            "main.cpp:2:36: error: 'x' was not declared in this scope",
        );
        check("error[E0308]: mismatched types\n --> main.rs:1:1\n", "error[E0308]: mismatched types");
        check(
            "  File \"main.py\", line 1\n    x = (1\n        ^\nSyntaxError: never closed\n",
            "SyntaxError: never closed",
        );
        check("it failed\nsomehow\n", "it failed");
        check("", "nothing more was said");
    }
}
