//! Polygon's TeX in the TeX of the package format: its sections with headings in the statement's language, its short
//! commands and quotation marks in forms that everybody knows.

/// The headings of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headings {
    input: &'static str,
    output: &'static str,
    interaction: &'static str,
    scoring: &'static str,
    notes: &'static str,
}

impl Headings {
    /// Those in the language of this code; in English where they are not known.
    pub(super) fn of(code: &str) -> Headings {
        match code {
            "ru" => Headings {
                input: "Входные данные",
                output: "Выходные данные",
                interaction: "Протокол взаимодействия",
                scoring: "Система оценки",
                notes: "Примечание",
            },
            _ => Headings {
                input: "Input",
                output: "Output",
                interaction: "Interaction",
                scoring: "Scoring",
                notes: "Notes",
            },
        }
    }

    /// The sections behind the legend by the names of their files, in order.
    pub(super) fn sections(self) -> [(&'static str, &'static str); 5] {
        [
            ("input", self.input),
            ("output", self.output),
            ("interaction", self.interaction),
            ("scoring", self.scoring),
            ("notes", self.notes),
        ]
    }
}

/// The document without the frame of olymp.sty, its headings as sections.
pub(super) fn without_frame(tex: &str, headings: Headings) -> String {
    let body = tex.split_once("\\begin{problem}").map_or(tex, |(_, body)| body);
    let body = body.split_once("\\end{problem}").map_or(body, |(body, _)| body);
    // Name, input, output, time and memory stand in braces.
    let mut rest = body;
    if tex.contains("\\begin{problem}") {
        for _ in 0..5 {
            rest = rest.trim_start();
            let Some(inner) = rest.strip_prefix('{') else { break };
            rest = inner.split_once('}').map_or("", |(_, rest)| rest);
        }
    }
    // Examples come from the data.
    let mut text = rest.trim().to_owned();
    while let Some((before, after)) = text.split_once("\\begin{example}") {
        let after = after.split_once("\\end{example}").map_or("", |(_, after)| after);
        text = format!("{before}{after}");
    }
    for (command, heading) in [
        ("\\InputFile", headings.input),
        ("\\OutputFile", headings.output),
        ("\\Interaction", headings.interaction),
        ("\\Scoring", headings.scoring),
        ("\\Notes", headings.notes),
        ("\\Note", headings.notes),
        ("\\Examples", ""),
        ("\\Example", ""),
    ] {
        let section = if heading.is_empty() { String::new() } else { format!("\\section*{{{heading}}}") };
        text = text.replace(command, &section);
    }
    text
}

/// Polygon's short forms of font commands, and the quotation marks of olymp.sty, as everybody writes them.
pub(super) fn standard_tex(tex: &str) -> String {
    let mut tex = with_guillemets(&tex.replace("\r\n", "\n"));
    for (short, long) in [("\\t{", "\\texttt{"), ("\\bf{", "\\textbf{"), ("\\it{", "\\textit{")] {
        tex = tex.replace(short, long);
    }
    tex
}

/// What stands as it is, by how it begins and ends: formulas, and text as programs write it.
const AS_IT_IS: [(&str, &str); 15] = [
    ("\\$", ""),
    ("\\%", ""),
    ("\\\\", ""),
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("\\begin{equation", "\\end{equation"),
    ("\\begin{align", "\\end{align"),
    ("\\begin{verbatim}", "\\end{verbatim}"),
    ("\\begin{lstlisting}", "\\end{lstlisting}"),
    ("\\t{", "}"),
    ("\\texttt{", "}"),
    ("\\url{", "}"),
    ("%", "\n"),
];

/// The text with `<<x>>` as «x». Only pairs within a paragraph are taken, and none in formulas and programs.
fn with_guillemets(tex: &str) -> String {
    let mut text = String::with_capacity(tex.len());
    // Where in `text` the marks stand that are open.
    let mut open: Vec<usize> = Vec::new();
    let mut rest = tex;
    while let Some(letter) = rest.chars().next() {
        let kept = kept_as_it_is(rest).unwrap_or(match rest {
            _ if rest.starts_with("<<") || rest.starts_with(">>") => 2,
            _ if rest.starts_with("\n\n") => 2,
            _ => letter.len_utf8(),
        });
        let (taken, after) = rest.split_at(kept);
        match taken {
            "<<" => open.push(text.len()),
            "\n\n" => open.clear(),
            _ => {}
        }
        match open.last().copied().filter(|_| taken == ">>") {
            Some(start) => {
                open.pop();
                text.replace_range(start..start + 2, "«");
                text.push('»');
            }
            None => text.push_str(taken),
        }
        rest = after;
    }
    text
}

/// How many bytes at the beginning of `rest` are not to be touched, if there are such.
fn kept_as_it_is(rest: &str) -> Option<usize> {
    if let Some(after) = rest.strip_prefix("\\verb") {
        let mark = after.trim_start_matches('*').chars().next().filter(|mark| !mark.is_alphanumeric())?;
        let start = rest.find(mark)? + mark.len_utf8();
        return Some(rest[start..].find(mark).map_or(rest.len(), |end| start + end + mark.len_utf8()));
    }
    let (begin, end) = AS_IT_IS.iter().find(|(begin, _)| rest.starts_with(begin))?;
    // What never ends is no such thing.
    let inner = &rest[begin.len()..];
    let length = if *end == "}" { braced(inner)? } else { inner.find(end)? + end.len() };
    Some(begin.len() + length)
}

/// How many bytes there are up to the brace, with it, that ends what is in braces.
fn braced(inner: &str) -> Option<usize> {
    let mut depth = 1;
    let mut is_escaped = false;
    for (at, letter) in inner.char_indices() {
        match letter {
            _ if is_escaped => {}
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        is_escaped = letter == '\\' && !is_escaped;
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_are_set_outside_of_formulas_and_programs() {
        for (tex, expected) in [
            ("<<Дерево>>, <<a <<b>> c>>.", "«Дерево», «a «b» c»."),
            ("<<\\t{YES}>> or $1 << 2 >> 3$", "«\\texttt{YES}» or $1 << 2 >> 3$"),
            ("\\t{cin >> a; {x << y}} <<a>>", "\\texttt{cin >> a; {x << y}} «a»"),
            ("\\verb|<<a>>| and \\verb*+<<b>>+ <<c>>", "\\verb|<<a>>| and \\verb*+<<b>>+ «c»"),
            (
                "\\begin{verbatim}\n<<a>>\n\\end{verbatim} <<a>>",
                "\\begin{verbatim}\n<<a>>\n\\end{verbatim} «a»",
            ),
            ("5\\$ <<a>> 6\\$ $$<<a>>$$ \\[<<b>>\\]", "5\\$ «a» 6\\$ $$<<a>>$$ \\[<<b>>\\]"),
            ("5\\% <<a>>\n% <<a>>\n<<b>>", "5\\% «a»\n% <<a>>\n«b»"),
            ("a << b", "a << b"),
            ("<<a\n\nb>> c >>", "<<a\n\nb>> c >>"),
            ("$ alone <<a>>", "$ alone «a»"),
        ] {
            assert_eq!(standard_tex(tex), expected, "{tex}");
        }
    }

    #[test]
    fn a_frame_becomes_sections_in_the_language_of_the_statement() {
        let tex = "x\\begin{problem}{A}{stdin}{stdout}{1 s}{64 MB}\nLegend.\n\\InputFile\nn\n\\OutputFile\nm\n\
                   \\Example\n\\begin{example}\\exmp{1}{2}\\end{example}\n\\Note\nSo.\\end{problem}y";
        let russian = without_frame(tex, Headings::of("ru"));
        assert_eq!(
            russian,
            "Legend.\n\\section*{Входные данные}\nn\n\\section*{Выходные данные}\nm\n\n\n\\section*{Примечание}\nSo."
        );
        assert!(without_frame(tex, Headings::of("en")).contains("\\section*{Output}"));
    }
}
