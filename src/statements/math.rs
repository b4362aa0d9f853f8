//! Formulas of TeX as MathML, sanitised one by one.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::{Parser, Storage, push_mathml};

/// The longest formula that is set, in bytes.
pub(super) const FORMULA_BYTES_MAX: usize = 20_000;
/// How deep groups are nested in one at most.
const DEPTH_MAX: usize = 40;
/// Commands that make others mean something, without bound on how much.
const DEFINING: [&str; 8] =
    ["\\def", "\\gdef", "\\edef", "\\xdef", "\\let", "\\newcommand", "\\renewcommand", "\\providecommand"];
/// Text commands by what the formula writer knows.
const RENAMED: [(&str, &str); 9] = [
    ("\\mbox{", "\\text{"),
    ("\\hbox{", "\\text{"),
    ("\\textrm{", "\\text{"),
    ("\\textit{", "\\text{"),
    ("\\textbf{", "\\text{"),
    ("\\texttt{", "\\text{"),
    ("\\textsf{", "\\text{"),
    ("\\textsc{", "\\text{"),
    ("\\emph{", "\\text{"),
];

/// The formula as MathML; none where it cannot be set.
pub(super) fn to_mathml(tex: &str, display: bool) -> Option<String> {
    if tex.len() > FORMULA_BYTES_MAX
        || depth(tex) > DEPTH_MAX
        || DEFINING.iter().any(|word| tex.contains(word))
    {
        return None;
    }
    let tex = &commas(tex);
    let display_mode = if display { DisplayMode::Block } else { DisplayMode::Inline };
    let config = RenderConfig { display_mode, ..RenderConfig::default() };
    let set = |tex: &str| {
        // A formula that the writer stumbles over is shown as text, not an error of ours.
        let set = catch_unwind(AssertUnwindSafe(|| {
            let storage = Storage::new();
            let events: Vec<_> = Parser::new(tex, &storage).collect();
            if events.iter().any(Result::is_err) {
                return None;
            }
            let mut mathml = String::new();
            push_mathml(&mut mathml, events.into_iter(), config).ok()?;
            Some(mathml)
        }));
        set.ok().flatten()
    };
    let mathml = set(tex).or_else(|| {
        let renamed = RENAMED.iter().fold(tex.to_owned(), |tex, (from, to)| tex.replace(from, to));
        (renamed != *tex).then(|| set(&renamed)).flatten()
    })?;
    let clean = CLEANER.clean(&mathml).to_string();
    (!clean.contains("<merror")).then_some(clean)
}

/// Commas between digits as TeX means them: `1,2` are two numbers, `10{,}000` is one. The writer has it the other way
/// about. Text in a formula stays as it is.
fn commas(tex: &str) -> String {
    let mut out = String::with_capacity(tex.len());
    let (mut rest, mut in_text) = (tex, 0_usize);
    while let Some(next) = rest.chars().next() {
        let after_digit = in_text == 0 && out.ends_with(|last: char| last.is_ascii_digit());
        let before_digit = |behind: &str| behind.starts_with(|next: char| next.is_ascii_digit());
        if let Some(behind) = rest.strip_prefix("{,}").filter(|behind| after_digit && before_digit(behind)) {
            out.push(',');
            rest = behind;
            continue;
        }
        if let Some(behind) = rest.strip_prefix(',').filter(|behind| after_digit && before_digit(behind)) {
            out.push_str(", ");
            rest = behind;
            continue;
        }
        in_text = match next {
            '{' if in_text > 0 => in_text + 1,
            '}' => in_text.saturating_sub(1),
            '{' if is_text(&out) => 1,
            _ => in_text,
        };
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}

/// Whether a command of text ends here, such as `\text` or `\textbf`.
fn is_text(before: &str) -> bool {
    let name_at = before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let command = before.get(name_at.saturating_sub(1)..).unwrap_or_default();
    ["\\text", "\\mbox", "\\hbox", "\\emph"].iter().any(|text| command.starts_with(text))
}

/// An upper bound of how deep the writer goes.
fn depth(tex: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    // `^^^^` and `\sqrt\sqrt\sqrt` nest without braces.
    let mut chained = 0_usize;
    for character in tex.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        chained = match character {
            '^' | '_' | '\\' | '\'' => chained + 1,
            letter if letter.is_ascii_alphabetic() || letter.is_whitespace() => chained,
            _ => 0,
        };
        deepest = deepest.max(depth).max(chained / 4);
    }
    deepest
}

/// Presentation MathML without links, styles, scripts of any kind, and without `annotation-xml`, through which HTML
/// comes back.
static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "math",
        "menclose",
        "merror",
        "mfrac",
        "mi",
        "mmultiscripts",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mprescripts",
        "mroot",
        "mrow",
        "ms",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
    ];
    let attributes = [
        "accent",
        "accentunder",
        "columnalign",
        "columnspan",
        "depth",
        "display",
        "displaystyle",
        "fence",
        "form",
        "height",
        "largeop",
        "linethickness",
        "lspace",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "rowspan",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "symmetric",
        "voffset",
        "width",
    ];
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(tags))
        .tag_attributes(HashMap::new())
        .generic_attributes(HashSet::from(attributes))
        .clean_content_tags(HashSet::from(["script", "style", "svg", "annotation", "annotation-xml"]));
    cleaner
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_between_digits_separate_numbers_unless_they_are_in_braces() {
        for (tex, expected) in [
            ("(-1,10)", "(-1, 10)"),
            ("f(1,2,3)", "f(1, 2, 3)"),
            ("10{,}000{,}000", "10,000,000"),
            ("x,1 \\, 1,y", "x,1 \\, 1,y"),
            ("\\text{1,2 {3,4}} 5,6", "\\text{1,2 {3,4}} 5, 6"),
            ("\\textbf{1{,}2}_{1,2}", "\\textbf{1{,}2}_{1, 2}"),
        ] {
            assert_eq!(commas(tex), expected);
        }
        let numbers = |tex: &str| to_mathml(tex, false).expect("it is set").matches("<mn>").count();
        assert_eq!((numbers("(-1,10)"), numbers("10{,}000")), (2, 1));
    }
}
