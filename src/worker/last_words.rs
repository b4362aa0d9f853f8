//! Why a program ended, in its own words: the line of standard error that says it, among those that say where.
//!
//! One rule for all languages: what a trace begins with ends the search, lines that continue, quote or advise are passed
//! over, and the last of the others is meant.

/// The most of a line that is told, in characters.
const CHARS_MAX: usize = 200;

/// What a line begins with behind which nothing but a trace follows.
const TRACES: [&str; 10] = [
    // Haskell.
    "CallStack (from",
    // Go.
    "goroutine ",
    "runtime stack:",
    // PHP.
    "Stack trace:",
    // Lua.
    "stack traceback:",
    // Rust.
    "stack backtrace:",
    // Common Lisp.
    "Backtrace for:",
    // Fortran.
    "Error termination. Backtrace",
    // D.
    "----------------",
    // Erlang.
    "Crash dump is being written",
];

/// What a line begins with that says nothing of the cause, as far as its blanks do not.
const ASIDES: [&str; 7] = [
    // Node.js.
    "Node.js v",
    "(Use `node ",
    "}",
    // Rust.
    "note: ",
    // Go.
    "[signal ",
    "exit status ",
    // Perl.
    "BEGIN failed",
];

/// The line of standard error that says what went wrong; empty where there is none.
pub(super) fn of(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let end = lines.iter().position(|line| begins(line, &TRACES)).unwrap_or(lines.len());
    let says_it = |place: &usize| {
        let next = lines.get(place + 1).copied().unwrap_or_default();
        lines.get(*place).is_some_and(|line| says_why(line) && !is_mark(next))
    };
    let found = (0..end).rev().find(says_it).and_then(|place| lines.get(place));
    let line = found.or(lines.last()).copied().unwrap_or_default();
    line.trim().chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

/// Whether a line may say why, as far as it can be told from itself: what is indented belongs to the line before, except
/// for the words of an exception of C++.
fn says_why(line: &str) -> bool {
    let is_indented = line.starts_with([' ', '\t']) && !line.trim_start().starts_with("what():");
    !is_indented && !is_mark(line) && !begins(line, &ASIDES)
}

/// Whether a line points at a place in the line above, which is then one of the source.
fn is_mark(line: &str) -> bool {
    let mark = line.trim_start();
    !mark.is_empty() && mark.chars().all(|c| matches!(c, '^' | '~'))
}

fn begins(line: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| line.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stderr: &str, expected: &str) {
        assert_eq!(of(stderr.as_bytes()), expected, "{stderr}");
    }

    #[test]
    fn the_cause_is_told_and_not_the_place() {
        check(
            "Exception in thread \"main\" java.lang.RuntimeException: wrapped\n\tat J.main(J.java:4)\nCaused by: \
             java.lang.ArrayIndexOutOfBoundsException: Index 5 out of bounds for length 2\n\t... 1 more\n",
            "Caused by: java.lang.ArrayIndexOutOfBoundsException: Index 5 out of bounds for length 2",
        );
        check(
            "/w/main.js:1\nthrow new Error(\"bad\");\n^\n\nError: bad\n    at Object.<anonymous> (/w/main.js:1:7) {\n  \
             errno: -2\n}\n\nNode.js v20.20.2\n",
            "Error: bad",
        );
        check(
            "/w/main.js:1\nthrow \"words\";\n^\nwords\n(Use `node --trace-uncaught ...` to show where the exception was \
             thrown)\n\nNode.js v20.20.2\n",
            "words",
        );
        check(
            "panic: runtime error: index out of range [2] with length 0\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\n\
             main.main()\n\t/w/main.go:4 +0x29c\nexit status 2\n",
            "panic: runtime error: index out of range [2] with length 0",
        );
        check(
            "thread 'main' panicked at 'own words', main.rs:2:70\nnote: run with `RUST_BACKTRACE=1` environment \
             variable to display a backtrace\n",
            "thread 'main' panicked at 'own words', main.rs:2:70",
        );
        check(
            "\nthread 'main' (2) panicked at main.rs:2:70:\nassertion `left == right` failed\n  left: 1\n right: 2\n\
             note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            "assertion `left == right` failed",
        );
        check(
            "\nUnhandled Exception:\nSystem.Exception: bad\n  at P.Main () [0x0000d] in <b7>:0\n[ERROR] FATAL UNHANDLED \
             EXCEPTION: System.Exception: bad\n  at P.Main () [0x0000d] in <b7>:0\n",
            "[ERROR] FATAL UNHANDLED EXCEPTION: System.Exception: bad",
        );
        check(
            "PHP Fatal error:  Uncaught Exception: bad in /w/main.php:1\nStack trace:\n#0 {main}\n  thrown in \
             /w/main.php on line 1\n",
            "PHP Fatal error:  Uncaught Exception: bad in /w/main.php:1",
        );
        check(
            "main.rb:2:in `<main>': undefined method `foo' for nil:NilClass (NoMethodError)\n\nnil.foo\n   ^^^^\n",
            "main.rb:2:in `<main>': undefined method `foo' for nil:NilClass (NoMethodError)",
        );
        check(
            "lua5.4: main.lua:1: own words\nstack traceback:\n\t[C]: in function 'error'\n\t[C]: in ?\n",
            "lua5.4: main.lua:1: own words",
        );
        check(
            "An unhandled exception occurred at $0000000000401123:\nException: bad\n  $0000000000401123\n\n",
            "Exception: bad",
        );
        check(
            "main: Map.!: given key is not an element in the map\nCallStack (from HasCallStack):\n  error, called at x\n",
            "main: Map.!: given key is not an element in the map",
        );
        check(
            "Traceback (most recent call last):\n  File \"/w/main.py\", line 3, in f\n    raise KeyError(1)\n\
             KeyError: 1\n",
            "KeyError: 1",
        );
        check(
            "terminate called after throwing an instance of 'std::out_of_range'\n  what():  vector::_M_range_check\n",
            "what():  vector::_M_range_check",
        );
        check("Fatal error: exception Failure(\"bad\")\n", "Fatal error: exception Failure(\"bad\")");
        check(
            "At line 3 of file f.f90\nFortran runtime error: End of file\n\nError termination. Backtrace:\n#0  0x7 in ?\n",
            "Fortran runtime error: End of file",
        );
    }

    #[test]
    fn something_is_told_wherever_something_was_said() {
        check("", "");
        check("\n \n", "");
        check("  only\n  indented\u{7}\n", "indented");
        check("goroutine 1 [running]:\nmain.main()\n", "main.main()");
        check(&"x".repeat(300), &"x".repeat(CHARS_MAX));
    }
}
