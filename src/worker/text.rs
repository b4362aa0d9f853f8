//! What guests wrote, as it may go into an event: text that a terminal can show, bounded as the event counts it.

/// Text without control characters other than line ends and tabs, at most `json_bytes_max` long as JSON writes it;
/// and whether it was cut. A control character is six bytes in JSON, so that a bound on the text alone would let a
/// hostile program make an event that is too large to be stored.
pub(super) fn for_event(text: &str, json_bytes_max: usize) -> (String, bool) {
    let mut clean = String::with_capacity(text.len().min(json_bytes_max));
    let mut json_bytes = 0;
    for c in text.chars() {
        let c = if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
        json_bytes += json_len(c);
        if json_bytes > json_bytes_max {
            return (clean, true);
        }
        clean.push(c);
    }
    (clean, false)
}

/// How many bytes a character takes in a JSON string.
fn json_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\t' => 2,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, json_bytes_max: usize, expected: &str, cut: bool) {
        assert_eq!(for_event(text, json_bytes_max), (expected.to_owned(), cut));
    }

    #[test]
    fn only_what_can_be_shown_is_left() {
        check(
            "a\tb\nc\r\u{1b}[31m\0\u{7f}\u{85}ü",
            100,
            "a\tb\nc\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}ü",
            false,
        );
    }

    #[test]
    fn the_bound_counts_what_json_makes_of_it() {
        check("abc", 3, "abc", false);
        check("abcd", 3, "abc", true);
        check("\"\"", 3, "\"", true);
        check("aü", 2, "a", true);
        for text in ["\u{1}", "\"", "\\", "\n", "ü", "\u{1}x\u{2028}"] {
            let (kept, _) = for_event(&text.repeat(1000), 500);
            let json = serde_json::to_string(&kept).unwrap().len() - 2;
            assert!((490..=500).contains(&json), "{text:?} {json}");
        }
    }
}
