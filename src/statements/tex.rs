//! Statements in the TeX that problem packages are written in. No TeX is run: what is known becomes HTML, what is not
//! known stays visible as it was written.

use std::collections::HashMap;

use super::math::FORMULA_BYTES_MAX;
use super::{Parts, escape, push_escaped};

/// How deep groups, environments and macros are nested at most; what lies deeper is shown as it is written.
const DEPTH_MAX: usize = 32;
/// How much longer macros may make a text, in bytes.
const EXPANSION_BYTES_MAX: usize = 1 << 20;
/// Environments whose body is set as it stands.
const VERBATIM: [&str; 4] = ["verbatim", "verbatim*", "lstlisting", "Verbatim"];
/// Environments whose body is a formula of several lines.
const FORMULAS: [&str; 12] = [
    "equation",
    "equation*",
    "displaymath",
    "math",
    "align",
    "align*",
    "gather",
    "gather*",
    "multline",
    "multline*",
    "eqnarray",
    "eqnarray*",
];

/// The title that the statement gives itself and the rest, both as HTML that is not sanitised yet.
pub(super) fn to_html(text: &str, parts: &mut Parts<'_>) -> (Option<String>, String) {
    let text = without_comments(text);
    let text = expanded(&text);
    // A document of its own: what counts is between its begin and end.
    let body = text.split_once("\\begin{document}").map_or(text.as_str(), |(_, body)| body);
    let body = body.split_once("\\end{document}").map_or(body, |(body, _)| body);
    let mut tex = Tex { fuel: body.len() * 64 + (1 << 16), depth: 0, parts, title: None, footnotes: vec![] };
    let mut html = tex.render(body, true);
    if !tex.footnotes.is_empty() {
        html.push_str("<hr>");
        for (number, note) in (1..).zip(&tex.footnotes) {
            html.push_str(&format!(
                "<div class=\"footnote-definition\" id=\"fn{number}\"><sup class=\"footnote-definition-label\">\
                 {number}</sup> {note}</div>"
            ));
        }
    }
    (tex.title.filter(|title| !title.trim().is_empty()), html)
}

struct Tex<'p, 'a> {
    /// How much may still be looked at: bounds the cost of braces that do not match.
    fuel: usize,
    depth: usize,
    parts: &'p mut Parts<'a>,
    title: Option<String>,
    footnotes: Vec<String>,
}

/// HTML in the making, with paragraphs where they are wanted.
struct Flow {
    html: String,
    blocks: bool,
    in_paragraph: bool,
}

impl Flow {
    fn inline(&mut self, html: &str) {
        if self.blocks && !self.in_paragraph && !html.trim().is_empty() {
            self.html.push_str("<p>");
            self.in_paragraph = true;
        }
        self.html.push_str(html);
    }

    fn text(&mut self, character: char) {
        if self.blocks && !self.in_paragraph {
            if character.is_whitespace() {
                return;
            }
            self.html.push_str("<p>");
            self.in_paragraph = true;
        }
        push_escaped(character, &mut self.html);
    }

    fn end_paragraph(&mut self) {
        if std::mem::take(&mut self.in_paragraph) {
            self.html.push_str("</p>\n");
        } else if !self.blocks {
            self.html.push(' ');
        }
    }

    fn block(&mut self, html: &str) {
        if self.blocks {
            self.end_paragraph();
        }
        self.html.push_str(html);
    }
}

impl Tex<'_, '_> {
    /// An image in its place, or what there is instead.
    fn image(&mut self, name: &str) -> String {
        let instead = self.parts.instead_of_image(name, "");
        instead.unwrap_or_else(|| format!("<img src=\"{}\" alt=\"\">", escape(name)))
    }

    fn render(&mut self, text: &str, blocks: bool) -> String {
        if self.depth >= DEPTH_MAX || self.fuel < text.len() {
            return escape(text);
        }
        self.fuel -= text.len();
        self.depth += 1;
        let mut flow = Flow { html: String::with_capacity(text.len() * 2), blocks, in_paragraph: false };
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            match character {
                '\\' => rest = self.command(rest, &mut flow),
                '{' => match self.braced(rest) {
                    Some((inner, after)) => {
                        let html = self.render(inner, false);
                        flow.inline(&html);
                        rest = after;
                    }
                    None => rest = &rest[1..],
                },
                '}' => rest = &rest[1..],
                '$' => rest = self.dollars(rest, &mut flow),
                '~' => rest = put(rest, "~", '\u{a0}', &mut flow),
                '`' if rest.starts_with("``") => rest = put(rest, "``", '“', &mut flow),
                '\'' if rest.starts_with("''") => rest = put(rest, "''", '”', &mut flow),
                '`' => rest = put(rest, "`", '‘', &mut flow),
                '\'' => rest = put(rest, "'", '’', &mut flow),
                '-' if rest.starts_with("---") => rest = put(rest, "---", '—', &mut flow),
                '-' if rest.starts_with("--") => rest = put(rest, "--", '–', &mut flow),
                _ if character.is_whitespace() => {
                    let after = rest.trim_start();
                    let gap = &rest[..rest.len() - after.len()];
                    if gap.matches('\n').count() > 1 {
                        flow.end_paragraph()
                    } else {
                        flow.text(' ')
                    }
                    rest = after;
                }
                _ => {
                    flow.text(character);
                    rest = &rest[character.len_utf8()..];
                }
            }
        }
        if blocks {
            flow.end_paragraph();
        }
        self.depth -= 1;
        flow.html
    }

    /// A formula between dollars.
    fn dollars<'t>(&mut self, rest: &'t str, flow: &mut Flow) -> &'t str {
        let (mark, display) = if rest.starts_with("$$") { ("$$", true) } else { ("$", false) };
        match self.until(&rest[mark.len()..], mark) {
            Some((formula, after)) => {
                flow.inline(&self.parts.formula(formula, display));
                after
            }
            None => put(rest, "$", '$', flow),
        }
    }

    fn command<'t>(&mut self, rest: &'t str, flow: &mut Flow) -> &'t str {
        let (name, after) = name_of(rest);
        match name {
            "begin" => return self.environment(rest, after, flow),
            "(" | "[" => {
                let (end, display) = if name == "(" { ("\\)", false) } else { ("\\]", true) };
                if let Some((formula, after)) = self.until(after, end) {
                    flow.inline(&self.parts.formula(formula, display));
                    return after;
                }
            }
            "problemname" => {
                let (title, after) = self.argument(after);
                self.title = Some(self.render(title, false));
                return after;
            }
            "section" | "chapter" | "subsection" | "subsubsection" | "paragraph" => {
                let (title, after) = self.argument(after.strip_prefix('*').unwrap_or(after));
                let level = match name {
                    "section" | "chapter" => 2,
                    "subsection" => 3,
                    _ => 4,
                };
                let title = self.render(title, false);
                flow.block(&format!("<h{level}>{title}</h{level}>\n"));
                return after;
            }
            "emph" | "textit" | "textsl" => return self.wrapped(after, "em", flow),
            "textbf" => return self.wrapped(after, "strong", flow),
            "texttt" | "code" => return self.wrapped(after, "code", flow),
            "underline" => return self.wrapped(after, "u", flow),
            "textsuperscript" => return self.wrapped(after, "sup", flow),
            "textsubscript" => return self.wrapped(after, "sub", flow),
            "sout" | "st" => return self.wrapped(after, "s", flow),
            "text" | "textrm" | "textsf" | "textsc" | "textnormal" | "mbox" | "hbox" => {
                return self.wrapped(after, "span", flow);
            }
            "caption" => return self.wrapped(after.strip_prefix('*').unwrap_or(after), "small", flow),
            "it" | "em" | "itshape" | "sl" => return self.switched(after, "em", flow),
            "bf" | "bfseries" => return self.switched(after, "strong", flow),
            "tt" | "ttfamily" => return self.switched(after, "code", flow),
            "verb" | "lstinline" => {
                let after = after.strip_prefix('*').unwrap_or(after);
                if let Some(mark) = after.chars().next().filter(|mark| !mark.is_alphanumeric())
                    && let end = if mark == '{' { '}' } else { mark }
                    && let Some((code, after)) = after[mark.len_utf8()..].split_once(end)
                {
                    flow.inline(&format!("<code>{}</code>", escape(code)));
                    return after;
                }
            }
            "url" => {
                let (address, after) = self.argument(after);
                let address = escape(&unescaped(address));
                flow.inline(&format!("<a href=\"{address}\">{address}</a>"));
                return after;
            }
            "href" => {
                let (address, after) = self.argument(after);
                let (text, after) = self.argument(after);
                let text = self.render(text, false);
                flow.inline(&format!("<a href=\"{}\">{text}</a>", escape(&unescaped(address))));
                return after;
            }
            "footnote" => {
                let (note, after) = self.argument(after);
                let note = self.render(note, false);
                self.footnotes.push(note);
                let number = self.footnotes.len();
                flow.inline(&format!(
                    "<sup class=\"footnote-reference\"><a href=\"#fn{number}\">{number}</a></sup>"
                ));
                return after;
            }
            "includegraphics" => {
                let (_, after) = self.option(after.strip_prefix('*').unwrap_or(after));
                let (file, after) = self.argument(after);
                let image = self.image(file.trim());
                flow.inline(&image);
                return after;
            }
            "illustration" => {
                let (_, after) = self.argument(after);
                let (file, after) = self.argument(after);
                let (caption, after) = self.argument(after);
                let caption = self.render(caption, false);
                let image = self.image(file.trim());
                flow.block(&format!("<figure>{image}<figcaption>{caption}</figcaption></figure>\n"));
                return after;
            }
            "nextsample" => {
                let sample = self.parts.next_sample();
                flow.block(&sample);
                return after.strip_prefix("{}").unwrap_or(after);
            }
            "remainingsamples" => {
                let samples = self.parts.remaining_samples();
                flow.block(&samples);
                return after.strip_prefix("{}").unwrap_or(after);
            }
            "par" | "bigskip" | "medskip" | "smallskip" | "newpage" | "clearpage" | "pagebreak" => {
                flow.end_paragraph();
                return after.trim_start();
            }
            "\\" | "newline" | "linebreak" => {
                let after = after.strip_prefix('*').unwrap_or(after);
                flow.inline("<br>");
                return self.option(after).1;
            }
            // Nothing that shows.
            "noindent"
            | "centering"
            | "hline"
            | "hfill"
            | "vfill"
            | "toprule"
            | "midrule"
            | "bottomrule"
            | "raggedright"
            | "small"
            | "footnotesize"
            | "scriptsize"
            | "tiny"
            | "large"
            | "Large"
            | "normalsize"
            | "rm"
            | "sf"
            | "sc"
            | "rmfamily"
            | "normalfont"
            | "maketitle"
            | "protect"
            | "relax"
            | "/"
            | "-"
            | "@"
            | "indent"
            | "clearproblemsetstate"
            | "null"
            | "displaystyle"
            | "ignorespaces" => {
                return after.strip_prefix("{}").unwrap_or(after);
            }
            // Nothing that shows, with an argument.
            "label" | "vspace" | "hspace" | "vskip" | "cline" | "setlength" | "addtolength" | "pagestyle"
            | "thispagestyle" | "usepackage" | "documentclass" | "bibliographystyle" | "index"
            | "phantom" | "vphantom" | "hphantom" | "setcounter" | "rowcolor" | "cellcolor"
            | "columncolor" => {
                let (_, after) = self.option(after.strip_prefix('*').unwrap_or(after));
                let (_, after) = self.argument(after);
                if matches!(name, "setlength" | "addtolength" | "setcounter") {
                    return self.argument(after).1;
                }
                return after;
            }
            "textcolor" | "multirow" => {
                let (_, mut after) = self.argument(after);
                if name == "multirow" {
                    after = self.argument(after).1;
                }
                return self.wrapped(after, "span", flow);
            }
            _ => {
                if let Some(shown) = symbol(name) {
                    flow.inline(&escape(shown));
                    // The space after a command's letters ends its name and nothing else.
                    let after = if letters(name) { after.trim_start_matches([' ', '\t']) } else { after };
                    return after.strip_prefix("{}").unwrap_or(after);
                }
                if let Some(accent) = accent(name) {
                    let (letter, after) = self.argument(after);
                    let letter = letter.trim().trim_start_matches('\\');
                    let mut characters = letter.chars();
                    let first = characters.next().unwrap_or(' ');
                    // With an accent, the letter without its dot is the letter.
                    flow.inline(&escape(&format!("{first}{accent}{}", characters.as_str())));
                    return after;
                }
            }
        }
        // Not known: visible as it is written, and what follows is set as if it stood alone.
        for character in rest[..rest.len() - after.len()].chars() {
            flow.text(character);
        }
        after
    }

    fn environment<'t>(&mut self, rest: &'t str, after: &'t str, flow: &mut Flow) -> &'t str {
        let (name, body) = self.argument(after);
        let found = if self.fuel > body.len() { self.environment_body(name, body) } else { None };
        let Some((body, after)) = found else {
            for character in rest[..rest.len() - body.len()].chars() {
                flow.text(character);
            }
            return body;
        };
        if VERBATIM.contains(&name) {
            let body = if name == "lstlisting" { self.option(body).1 } else { body };
            let body = body.strip_prefix('\n').unwrap_or(body);
            flow.block(&format!("<pre>{}</pre>\n", escape(body.trim_end())));
            return after;
        }
        if FORMULAS.contains(&name) {
            let formula = match name {
                "eqnarray" | "eqnarray*" => format!("\\begin{{array}}{{rcl}}{body}\\end{{array}}"),
                "equation" | "equation*" | "displaymath" | "math" => body.to_owned(),
                _ => format!("\\begin{{{name}}}{body}\\end{{{name}}}"),
            };
            flow.inline(&self.parts.formula(formula.trim(), name != "math"));
            return after;
        }
        match name {
            "Input" | "Output" | "Interaction" => {
                let words = self.parts.words;
                let heading = match name {
                    "Input" => words.input,
                    "Output" => words.output,
                    _ => words.interaction,
                };
                let body = self.render(body, true);
                flow.block(&format!("<h2>{heading}</h2>\n{body}"));
            }
            "itemize" | "enumerate" | "description" | "compactitem" | "compactenum" => {
                let body = self.option(body).1;
                let html = self.list(name, body);
                flow.block(&html);
            }
            "tabular" | "tabular*" | "tabularx" | "longtable" | "array" => {
                let mut body = body;
                if matches!(name, "tabular*" | "tabularx") {
                    body = self.argument(body).1;
                }
                let (_, body) = self.option(body);
                let (columns, body) = self.argument(body);
                let html = self.table(columns, body);
                flow.block(&html);
            }
            "comment" => {}
            "center" => {
                let body = self.render(body, true);
                flow.block(&format!("<div class=\"center\">{body}</div>\n"));
            }
            "quote" | "quotation" | "verse" => {
                let body = self.render(body, true);
                flow.block(&format!("<blockquote>{body}</blockquote>\n"));
            }
            "figure" | "figure*" | "wrapfigure" | "table" | "minipage" | "floatingfigure" => {
                let mut body = self.option(body).1;
                if matches!(name, "wrapfigure" | "minipage" | "floatingfigure") {
                    body = self.argument(body).1;
                    body = self.option(body).1;
                }
                if name == "wrapfigure" {
                    body = self.argument(body).1;
                }
                let body = self.render(body, true);
                flow.block(&format!("<div class=\"center\">{body}</div>\n"));
            }
            _ => {
                let body = self.render(body, flow.blocks);
                flow.block(&body);
            }
        }
        after
    }

    fn list(&mut self, name: &str, body: &str) -> String {
        let element = match name {
            "enumerate" | "compactenum" => "ol",
            "description" => "dl",
            _ => "ul",
        };
        let mut html = format!("<{element}>\n");
        for item in self.split(body, "\\item").into_iter().skip(1) {
            let (label, item) = self.option(item);
            let label = label.map(|label| self.render(label, false));
            let item = self.render(item, true);
            // One paragraph is no paragraph.
            let item = match item.trim().strip_prefix("<p>").and_then(|item| item.strip_suffix("</p>")) {
                Some(only) if !only.contains("<p>") => only.to_owned(),
                _ => item,
            };
            html.push_str(&match (element, label) {
                ("dl", label) => format!("<dt>{}</dt><dd>{item}</dd>\n", label.unwrap_or_default()),
                (_, Some(label)) => format!("<li>{label} {item}</li>\n"),
                (_, None) => format!("<li>{item}</li>\n"),
            });
        }
        html.push_str(&format!("</{element}>\n"));
        html
    }

    fn table(&mut self, columns: &str, body: &str) -> String {
        let ruled = columns.contains('|') || body.contains("\\hline");
        let mut html = format!("<table{}>\n", if ruled { " class=\"ruled\"" } else { "" });
        for row in self.split(body, "\\\\") {
            let cells = self.split(row, "&");
            let mut rendered = String::new();
            for cell in &cells {
                let cell = cell.trim();
                let (span, cell) = match self.find_multicolumn(cell) {
                    Some((span, cell)) => (span, cell),
                    None => (1, cell),
                };
                let content = self.render(cell, false);
                let span = if span > 1 { format!(" colspan=\"{span}\"") } else { String::new() };
                rendered.push_str(&format!("<td{span}>{}</td>", content.trim()));
            }
            // What stands behind the last row break, rules and all, is no row.
            if cells.len() > 1 || rendered != "<td></td>" {
                html.push_str(&format!("<tr>{rendered}</tr>\n"));
            }
        }
        html.push_str("</table>\n");
        html
    }

    /// The width of a cell over several columns and what stands in it.
    fn find_multicolumn<'t>(&mut self, cell: &'t str) -> Option<(u32, &'t str)> {
        let mut start = cell;
        while let Some(after) = start.strip_prefix("\\hline") {
            start = after.trim_start();
        }
        let after = start.strip_prefix("\\multicolumn")?;
        let (count, after) = self.argument(after);
        let (_, after) = self.argument(after);
        let (content, _) = self.argument(after);
        Some((count.trim().parse::<u32>().ok()?.clamp(1, 100), content))
    }

    fn wrapped<'t>(&mut self, after: &'t str, element: &str, flow: &mut Flow) -> &'t str {
        let (text, after) = self.argument(after);
        let html = self.render(text, false);
        flow.inline(&format!("<{element}>{html}</{element}>"));
        after
    }

    /// A command that changes the font up to the end of its group.
    fn switched<'t>(&mut self, after: &'t str, element: &str, flow: &mut Flow) -> &'t str {
        let after = after.strip_prefix("{}").unwrap_or(after).trim_start_matches([' ', '\n']);
        // Outside of all groups that would be the rest of the statement.
        if self.depth <= 1 {
            return after;
        }
        let html = self.render(after, flow.blocks);
        if flow.blocks {
            flow.block(&html);
        } else {
            flow.inline(&format!("<{element}>{html}</{element}>"));
        }
        ""
    }

    /// The text up to the brace that matches the first one, and what comes after it.
    fn braced<'t>(&mut self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let inner = text.strip_prefix('{')?;
        let end = self.scan(inner, "}")?;
        Some((&inner[..end], &inner[end + 1..]))
    }

    /// The next argument: a group, a command or a character.
    fn argument<'t>(&mut self, text: &'t str) -> (&'t str, &'t str) {
        let text = text.trim_start();
        if let Some(inner) = text.strip_prefix('{') {
            return self.braced(text).unwrap_or((inner, ""));
        }
        if text.starts_with('\\') {
            let after = name_of(text).1;
            return text.split_at(text.len() - after.len());
        }
        text.split_at(text.chars().next().map_or(0, char::len_utf8))
    }

    /// An optional argument in brackets.
    fn option<'t>(&mut self, text: &'t str) -> (Option<&'t str>, &'t str) {
        let Some(inner) = text.trim_start_matches([' ', '\t']).strip_prefix('[') else { return (None, text) };
        match self.scan(inner, "]") {
            Some(end) => (Some(&inner[..end]), &inner[end + 1..]),
            None => (None, text),
        }
    }

    /// The text up to an end mark outside of groups, and what comes after the mark.
    fn until<'t>(&mut self, text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
        // Formulas do not reach over paragraphs; a dollar that stands alone must not take half a page.
        let mut window = text.len().min(FORMULA_BYTES_MAX);
        while !text.is_char_boundary(window) {
            window -= 1;
        }
        let bound = text[..window].find("\n\n").unwrap_or(window);
        let end = self.scan(&text[..bound], mark)?;
        Some((&text[..end], &text[end + mark.len()..]))
    }

    /// Where a mark stands first outside of groups.
    fn scan(&mut self, text: &str, mark: &str) -> Option<usize> {
        let mut depth = 0_usize;
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if self.fuel == 0 {
                return None;
            }
            self.fuel -= 1;
            if depth == 0 && bytes[at..].starts_with(mark.as_bytes()) {
                return Some(at);
            }
            match bytes[at] {
                b'\\' => at += 1,
                b'{' => depth += 1,
                b'}' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// The body of an environment and what comes after its end.
    fn environment_body<'t>(&mut self, name: &str, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (begin, end) = (format!("\\begin{{{name}}}"), format!("\\end{{{name}}}"));
        let mut depth = 1_usize;
        let mut from = 0;
        loop {
            let Some(close) = text[from..].find(&end).map(|at| from + at) else {
                self.fuel = self.fuel.saturating_sub(text.len());
                return None;
            };
            self.fuel = self.fuel.checked_sub(close - from + 1)?;
            if !VERBATIM.contains(&name) {
                depth += text[from..close].matches(&begin).count();
            }
            depth -= 1;
            from = close + end.len();
            if depth == 0 {
                return Some((&text[..close], &text[from..]));
            }
        }
    }

    /// Splits at a mark outside of groups and of nested environments.
    fn split<'t>(&mut self, text: &'t str, mark: &str) -> Vec<&'t str> {
        let mut parts = Vec::new();
        let (mut start, mut at, mut depth) = (0, 0, 0_usize);
        let bytes = text.as_bytes();
        while at < bytes.len() && self.fuel > 0 {
            self.fuel -= 1;
            let here = &bytes[at..];
            let is_whole = !letters(&mark[1..]) || !here.get(mark.len()).is_some_and(u8::is_ascii_alphabetic);
            if depth == 0 && here.starts_with(mark.as_bytes()) && is_whole {
                parts.push(&text[start..at]);
                at += mark.len();
                start = at;
                continue;
            }
            match bytes[at] {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                b'\\' if here.starts_with(b"\\begin{") => {
                    depth += 1;
                    at += b"\\begin".len();
                    continue;
                }
                b'\\' if here.starts_with(b"\\end{") => {
                    depth = depth.saturating_sub(1);
                    at += b"\\end".len();
                    continue;
                }
                b'\\' => at += 1,
                _ => {}
            }
            at += 1;
        }
        parts.push(&text[start.min(text.len())..]);
        parts
    }
}

fn put<'t>(rest: &'t str, written: &str, shown: char, flow: &mut Flow) -> &'t str {
    flow.text(shown);
    &rest[written.len()..]
}

fn letters(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The name of the command that a text begins with, and what comes after the name.
fn name_of(text: &str) -> (&str, &str) {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    match length {
        0 => text.split_at(text.chars().next().map_or(0, char::len_utf8)),
        length => text.split_at(length),
    }
}

/// An address without the escapes that TeX needs in it.
fn unescaped(address: &str) -> String {
    let mut plain = address.trim().to_owned();
    for escaped in ["\\%", "\\#", "\\_", "\\&", "\\~"] {
        plain = plain.replace(escaped, &escaped[1..]);
    }
    plain
}

/// What a command without arguments stands for.
fn symbol(name: &str) -> Option<&'static str> {
    Some(match name {
        "%" => "%",
        "$" => "$",
        "&" => "&",
        "#" => "#",
        "_" => "_",
        "{" => "{",
        "}" => "}",
        " " | "\n" | "\t" | ":" | ";" | "quad" | "qquad" | "enspace" => " ",
        "," | "thinspace" => "\u{2009}",
        "!" => "",
        "ldots" | "dots" | "textellipsis" | "cdots" => "…",
        "textbackslash" | "backslash" => "\\",
        "textasciitilde" | "sim" => "~",
        "textasciicircum" => "^",
        "textbar" => "|",
        "textless" => "<",
        "textgreater" => ">",
        "textquotedbl" => "\"",
        "textquotesingle" => "'",
        "textquoteleft" | "lq" => "‘",
        "textquoteright" | "rq" => "’",
        "textquotedblleft" => "“",
        "textquotedblright" => "”",
        "textendash" => "–",
        "textemdash" => "—",
        "textbullet" | "bullet" => "•",
        "textdegree" | "degree" => "°",
        "textmu" => "µ",
        "texttimes" | "times" => "×",
        "euro" | "texteuro" => "€",
        "pounds" | "textsterling" => "£",
        "copyright" | "textcopyright" => "©",
        "S" => "§",
        "LaTeX" => "LaTeX",
        "TeX" => "TeX",
        "ss" => "ß",
        "aa" => "å",
        "AA" => "Å",
        "ae" => "æ",
        "AE" => "Æ",
        "oe" => "œ",
        "OE" => "Œ",
        "o" => "ø",
        "O" => "Ø",
        "l" => "ł",
        "L" => "Ł",
        "i" => "ı",
        "j" => "ȷ",
        "glqq" => "„",
        "grqq" => "“",
        "flqq" => "«",
        "frqq" => "»",
        _ => return None,
    })
}

/// The combining character of an accent.
fn accent(name: &str) -> Option<char> {
    Some(match name {
        "`" => '\u{300}',
        "'" => '\u{301}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "u" => '\u{306}',
        "." => '\u{307}',
        "\"" => '\u{308}',
        "r" => '\u{30a}',
        "H" => '\u{30b}',
        "v" => '\u{30c}',
        "d" => '\u{323}',
        "c" => '\u{327}',
        "k" => '\u{328}',
        _ => return None,
    })
}

/// Finds the parts of a text that are set as they stand.
struct Verbatims {
    /// How far from the end of the text the last end of each environment stands.
    last_ends: [Option<usize>; VERBATIM.len()],
}

impl Verbatims {
    fn of(text: &str) -> Self {
        let last_ends = VERBATIM.map(|name| Some(text.len() - text.rfind(&format!("\\end{{{name}}}"))?));
        Self { last_ends }
    }

    /// Where a verbatim part that the rest of the text begins with ends.
    fn end(&self, rest: &str) -> Option<usize> {
        if let Some(after) = rest.strip_prefix("\\verb").filter(|after| !after.starts_with("atim")) {
            let after = after.strip_prefix('*').unwrap_or(after);
            let mark = after.chars().next().filter(char::is_ascii_punctuation)?;
            let line = after[1..].split('\n').next().unwrap_or_default();
            return Some(rest.len() - after.len() + 1 + line.find(mark)? + 1);
        }
        let name = rest.strip_prefix("\\begin{")?;
        let (place, name) = VERBATIM
            .iter()
            .enumerate()
            .find(|(_, known)| name.strip_prefix(**known).is_some_and(|after| after.starts_with('}')))?;
        // Looked for only where it is sure to be found.
        self.last_ends[place].filter(|last| *last <= rest.len())?;
        let end = format!("\\end{{{name}}}");
        Some(rest.find(&end)? + end.len())
    }
}

/// The text without its comments. A line that is nothing but a comment is no paragraph break.
fn without_comments(text: &str) -> String {
    let verbatims = Verbatims::of(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('%') {
            let line_end = after.find('\n').map_or("", |end| &after[end + 1..]);
            let next = line_end.trim_start_matches([' ', '\t']);
            // The end of the line is part of the comment, unless a paragraph ends there.
            if next.starts_with('\n') {
                out.push('\n');
            }
            rest = next;
            continue;
        }
        let taken =
            verbatims.end(rest).unwrap_or_else(|| 1 + rest[1..].chars().next().map_or(0, char::len_utf8));
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

/// A macro of the statement's own: how many arguments it takes, and what it stands for.
type Macros = HashMap<String, (usize, String)>;

/// The text with its own macros expanded.
fn expanded(text: &str) -> String {
    if !["\\newcommand", "\\renewcommand", "\\providecommand", "\\def", "\\DeclareMathOperator"]
        .iter()
        .any(|word| text.contains(word))
    {
        return text.to_owned();
    }
    let mut macros = Macros::new();
    let mut budget = EXPANSION_BYTES_MAX;
    expand(text, &mut macros, &mut budget, 0)
}

fn expand(text: &str, macros: &mut Macros, budget: &mut usize, depth: usize) -> String {
    let verbatims = Verbatims::of(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(end) = verbatims.end(rest) {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let (name, after) = name_of(rest);
        if depth == 0
            && let Some(after) = definition(name, after, macros)
        {
            rest = after;
            continue;
        }
        let Some((count, body)) = macros.get(name).cloned().filter(|_| letters(name)) else {
            out.push_str(&rest[..rest.len() - after.len()]);
            rest = after;
            continue;
        };
        let mut after = after;
        let mut replaced = body;
        for number in 1..=count {
            let argument;
            (argument, after) = simple_argument(after);
            replaced = replaced.replace(&format!("#{number}"), argument);
            if replaced.len() > *budget {
                break;
            }
        }
        if depth >= DEPTH_MAX || replaced.len() > *budget {
            out.push_str(&rest[..rest.len() - after.len()]);
            rest = after;
            continue;
        }
        *budget -= replaced.len();
        let replaced = expand(&replaced, macros, budget, depth + 1);
        out.push_str(&replaced);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Notes the macro that is defined here; what comes after the definition.
fn definition<'t>(name: &str, after: &'t str, macros: &mut Macros) -> Option<&'t str> {
    match name {
        "newcommand" | "renewcommand" | "providecommand" => {
            let (defined, after) = simple_argument(after.strip_prefix('*').unwrap_or(after));
            let after = after.trim_start();
            let (count, after) = match after.strip_prefix('[').and_then(|after| after.split_once(']')) {
                Some((count, after)) => {
                    (count.trim().parse::<usize>().ok().filter(|count| *count <= 9)?, after)
                }
                None => (0, after),
            };
            let (body, after) = simple_argument(after);
            let defined = defined.trim().strip_prefix('\\')?;
            macros.insert(defined.to_owned(), (count, body.to_owned()));
            Some(after)
        }
        "DeclareMathOperator" => {
            let (defined, after) = simple_argument(after.strip_prefix('*').unwrap_or(after));
            let (body, after) = simple_argument(after);
            let defined = defined.trim().strip_prefix('\\')?;
            macros.insert(defined.to_owned(), (0, format!("\\operatorname{{{body}}}")));
            Some(after)
        }
        "def" => {
            let (defined, after) = name_of(after.trim_start().strip_prefix('\\')?);
            let open = after.find('{')?;
            let count = after[..open].matches('#').count();
            let (body, after) = simple_argument(&after[open..]);
            macros.insert(defined.to_owned(), (count.min(9), body.to_owned()));
            Some(after)
        }
        _ => None,
    }
}

/// The next group, command or character.
fn simple_argument(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    if text.starts_with('\\') {
        let after = name_of(text).1;
        return text.split_at(text.len() - after.len());
    }
    if !text.starts_with('{') {
        return text.split_at(text.chars().next().map_or(0, char::len_utf8));
    }
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 1 => return (&text[1..at], &text[at + 1..]),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    (&text[1..], "")
}
