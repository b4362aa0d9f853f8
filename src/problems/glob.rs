//! The globs of `submissions.yaml`: `*` within a name and `{a,b}`, over paths with `/`.

use std::fmt;

/// How many patterns the braces of one glob may stand for.
const ALTERNATIVES_MAX: usize = 1_000;

/// A glob. It matches a path where it matches all of it, or all of a directory that the path lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    /// Without braces.
    patterns: Vec<String>,
}

impl Glob {
    /// The glob of a text, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Glob, String> {
        if text.contains("**") {
            return Err(format!("{text:?}: `**` is not supported"));
        }
        if text.contains(['[', ']', '?']) {
            return Err(format!("{text:?}: only `*` and `{{a,b}}` are supported"));
        }
        let patterns = expand(text).map_err(|what| format!("{text:?}: {what}"))?;
        let patterns = patterns.into_iter().map(|pattern| pattern.trim_matches('/').to_owned()).collect();
        Ok(Glob { text: text.to_owned(), patterns })
    }

    /// Whether it matches a path, or a directory that holds it.
    pub fn matches(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.map(|end| &path[..end])
            .any(|prefix| self.patterns.iter().any(|pattern| is_match(pattern, prefix)))
    }

    /// Whether it matches a path itself, whatever lies above.
    pub fn matches_whole(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| is_match(pattern, path))
    }

    /// Whether it is this path without any wildcard.
    pub fn is(&self, path: &str) -> bool {
        self.text.trim_matches('/') == path
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The patterns that a text with braces stands for; braces may lie in braces.
fn expand(text: &str) -> Result<Vec<String>, String> {
    let mut waiting = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(text) = waiting.pop() {
        // The innermost first: from the last opening brace to the next closing one.
        let Some(open) = text.rfind('{') else {
            if text.contains('}') {
                return Err("a `}` without its `{`".to_owned());
            }
            done.push(text);
            continue;
        };
        let Some(length) = text[open..].find('}') else {
            return Err("a `{` without its `}`".to_owned());
        };
        let (before, after) = (&text[..open], &text[open + length + 1..]);
        // As BAPCtools has it, blanks beside commas are there for the eye.
        for alternative in text[open + 1..open + length].split(',').map(str::trim).rev() {
            waiting.push(format!("{before}{alternative}{after}"));
        }
        if waiting.len() + done.len() > ALTERNATIVES_MAX {
            return Err(format!("stands for more than {ALTERNATIVES_MAX} patterns"));
        }
    }
    Ok(done)
}

/// Whether a pattern with `*` matches all of a path. In time of at most their lengths' product.
fn is_match(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    let (mut at_pattern, mut at_path) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_path < path.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_path));
                at_pattern += 1;
            }
            Some(byte) if *byte == path[at_path] => {
                at_pattern += 1;
                at_path += 1;
            }
            _ => match last_star {
                // A star takes one more, but never a `/`.
                Some((star, taken)) if path[taken] != b'/' => {
                    last_star = Some((star, taken + 1));
                    (at_pattern, at_path) = (star + 1, taken + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(glob: &str, matches: &[&str], others: &[&str]) {
        let glob = Glob::parse(glob).expect("a glob");
        for path in matches {
            assert!(glob.matches(path), "{glob} does not match {path}");
        }
        for path in others {
            assert!(!glob.matches(path), "{glob} matches {path}");
        }
    }

    #[test]
    fn globs_match_whole_names_and_what_lies_below() {
        check("accepted", &["accepted", "accepted/a.py", "accepted/a/b.py"], &["accepted2", "x/accepted"]);
        check("accepted/*", &["accepted/a.py", "accepted/a/b.py"], &["accepted", "x/accepted/a.py"]);
        check("*/a*.py", &["accepted/a.py", "wrong/abc.py"], &["accepted/b.py", "a.py", "accepted/b/a.py"]);
        check("*.{py,cpp}", &["a.py", "a.cpp"], &["a.java", "x/a.py"]);
        check("{a,b{1,2}}/c", &["a/c", "b1/c", "b2/c/d"], &["b/c", "b3/c"]);
        check("{ a , b }/c", &["a/c", "b/c"], &[" a /c"]);
        check(
            "secret/*-easy",
            &["secret/1-easy", "secret/group-easy/3"],
            &["secret/a/1-easy", "secret/1-easy2"],
        );
        check("*a*b*", &["ab", "xaxbx", "aab"], &["ba", "a/b", ""]);
        check("a,b", &["a,b"], &["a", "b"]);
        for broken in ["**/a", "[ab].py", "a?.py", "{a,b", "a}"] {
            assert!(Glob::parse(broken).is_err(), "{broken}");
        }
        let many = "{a,b}".repeat(20);
        assert!(Glob::parse(&many).expect_err("too many").contains("more than 1000"));
    }

    proptest! {
        #[test]
        fn stars_match_as_by_trying_everything(pattern in "[ab/*]{0,8}", path in "[ab/]{0,8}") {
            fn slow(pattern: &[u8], path: &[u8]) -> bool {
                match pattern.split_first() {
                    None => path.is_empty(),
                    Some((b'*', rest)) => {
                        slow(rest, path) || path.first().is_some_and(|b| *b != b'/') && slow(pattern, &path[1..])
                    }
                    Some((byte, rest)) => path.first() == Some(byte) && slow(rest, &path[1..]),
                }
            }
            prop_assert_eq!(is_match(&pattern, &path), slow(pattern.as_bytes(), path.as_bytes()));
        }

        #[test]
        fn no_text_is_too_much(text in ".{0,60}", path in ".{0,60}") {
            if let Ok(glob) = Glob::parse(&text) {
                glob.matches(&path);
            }
        }
    }
}
