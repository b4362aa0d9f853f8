//! Problem statements as safe HTML: Markdown (`markdown`) and the TeX of problem packages (`tex`), formulas as MathML
//! (`math`), samples put in their places.
//!
//! A statement is written by whoever makes packages and read by everybody, so nothing in it is trusted. What the
//! two writers make is sanitised whole, by an allowlist that knows neither scripts nor styles nor foreign elements.
//! Formulas stand in it as empty elements until then, are sanitised one by one with an allowlist of their own, and
//! are put in last: the sanitiser escapes what an element is written with wherever text or an attribute imitates it.
//! Images become what the caller knows for their names, or vanish; links lead to http, https or mail.

mod markdown;
mod math;
mod tex;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

/// The longest statement that is rendered, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// How the style sheet of a page is named in its Content-Security-Policy: the SHA-256 of what stands in `<style>`.
pub static STYLE_DIGEST: LazyLock<String> = LazyLock::new(|| {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE))
});

const STYLE: &str = "body{font:1rem/1.5 serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
pre,code{font-family:monospace}pre{margin:0;white-space:pre-wrap}img{max-width:100%}\
table{border-collapse:collapse}td,th{padding:.2rem .6rem;vertical-align:top;text-align:left}\
table.ruled td,table.sample td,table.sample th{border:1px solid #999}table.sample{width:100%;margin:1rem 0}\
td.write{padding-left:4rem}.center,figure{text-align:center;margin:1rem 0}.footnote-definition p{display:inline}";

/// How a statement is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// CommonMark with tables, footnotes and math.
    Markdown,
    /// TeX with the macros of the package formats.
    Tex,
}

/// A sample as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownSample {
    /// An input and its answer.
    Files {
        /// The input.
        input: String,
        /// The answer.
        answer: String,
    },
    /// A talk between judge and submission, in the lines of a `.interaction` file: `<` for what the submission reads,
    /// `>` for what it writes, `---` between passes.
    Interaction(String),
}

/// What a statement is rendered from.
pub struct Statement<'a> {
    /// The text.
    pub text: &'a str,
    /// How it is written.
    pub markup: Markup,
    /// Its language (`en`, `sv`).
    pub language: &'a str,
    /// The title, unless the statement has one itself.
    pub title: &'a str,
    /// The samples in order.
    pub samples: &'a [ShownSample],
    /// Finds the images that the statement names.
    pub image: Image,
}

/// What there is of an image, by the name that a statement has for it.
pub type Image = Arc<dyn Fn(&str) -> Option<Figure> + Send + Sync>;

/// An image of a statement, at its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// Browsers show it in its place.
    Picture(String),
    /// Browsers show it by itself: TeX takes PDFs for images.
    Document(String),
}

/// Renders a statement as a page of HTML. Text beyond [`TEXT_BYTES_MAX`] is left out, and said to be.
pub fn page(statement: &Statement<'_>) -> String {
    let mut parts = Parts {
        ready: Vec::new(),
        image: statement.image.clone(),
        samples: statement.samples,
        shown: 0,
        words: Words::of(statement.language),
    };
    let text = bounded(statement.text);
    let (title, mut html) = match statement.markup {
        Markup::Markdown => (None, markdown::to_html(&text, &mut parts)),
        Markup::Tex => tex::to_html(&text, &mut parts),
    };
    if text.len() < statement.text.len() {
        html.push_str("<p>[…]</p>");
    }
    let rest = parts.remaining_samples();
    html.push_str(&rest);
    let title = title.unwrap_or_else(|| escape(statement.title));
    let clean = |html: &str| parts.put_ready(&sanitise(html, statement.image.clone()));
    let plain_title = escape(&plain(&title));
    let (title, body) = (clean(&title), clean(&html));
    let language = escape(statement.language);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n<title>{plain_title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}

/// Text of bounded length without the characters that no document may contain.
fn bounded(text: &str) -> Cow<'_, str> {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if text.contains(['\0', '\r']) {
        Cow::Owned(text.replace("\r\n", "\n").replace(['\0', '\r'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

/// What statements of both kinds consist of beside text.
struct Parts<'a> {
    /// HTML that is safe as it is: MathML, and links to documents of the package.
    ready: Vec<String>,
    image: Image,
    samples: &'a [ShownSample],
    /// How many samples are in their places.
    shown: usize,
    words: &'static Words,
}

impl Parts<'_> {
    /// What stands for a formula until everything else is sanitised. A formula that cannot be set is shown as text.
    fn formula(&mut self, tex: &str, display: bool) -> String {
        match math::to_mathml(tex, display) {
            Some(mathml) => self.keep(mathml),
            None if display => format!("<pre>{}</pre>", escape(tex)),
            None => format!("<code>{}</code>", escape(tex)),
        }
    }

    /// Whether an image is one that browsers show in its place.
    fn shows(&self, name: &str) -> bool {
        matches!((self.image)(name), Some(Figure::Picture(_)))
    }

    /// An image that no browser shows in its place: a link to it, or its name where there is none. Nothing where there
    /// is one that they show.
    fn instead_of_image(&mut self, name: &str, words: &str) -> Option<String> {
        let words = escape(if words.trim().is_empty() { name } else { words });
        match (self.image)(name) {
            Some(Figure::Picture(_)) => None,
            Some(Figure::Document(address)) => {
                Some(self.keep(format!("<a href=\"{}\">{words}</a>", escape(&address))))
            }
            None => Some(format!("[{words}]")),
        }
    }

    /// What stands for this until everything else is sanitised.
    fn keep(&mut self, html: String) -> String {
        self.ready.push(html);
        placeholder(self.ready.len() - 1)
    }

    /// Puts what is ready where it stands in sanitised HTML.
    fn put_ready(&self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some((before, after)) = rest.split_once(PLACEHOLDER.0) {
            out.push_str(before);
            let ready = after
                .split_once(PLACEHOLDER.1)
                .and_then(|(number, after)| Some((self.ready.get(number.parse::<usize>().ok()?)?, after)));
            match ready {
                Some((ready, after)) => {
                    out.push_str(ready);
                    rest = after;
                }
                // Somebody imitates one.
                None => rest = after,
            }
        }
        out.push_str(rest);
        out
    }

    fn next_sample(&mut self) -> String {
        let Some(sample) = self.samples.get(self.shown) else { return String::new() };
        self.shown += 1;
        let (words, number) = (self.words, self.shown);
        match sample {
            ShownSample::Files { input, answer } => format!(
                "<table class=\"sample\"><thead><tr><th>{} {number}</th><th>{} {number}</th></tr></thead><tbody><tr>\
                 <td><pre>{}</pre></td><td><pre>{}</pre></td></tr></tbody></table>",
                words.sample_input,
                words.sample_output,
                escape(input),
                escape(answer)
            ),
            ShownSample::Interaction(lines) => {
                let mut rows = String::new();
                for line in lines.lines() {
                    let (class, text) = match line.split_at_checked(1) {
                        Some(("<", text)) => ("read", text),
                        Some((">", text)) => ("write", text),
                        _ => ("pass", line),
                    };
                    rows.push_str(&format!(
                        "<tr><td class=\"{class}\"><pre>{}</pre></td></tr>",
                        escape(text)
                    ));
                }
                format!(
                    "<table class=\"sample\"><thead><tr><th>{} {number} ({} / {})</th></tr></thead><tbody>{rows}\
                     </tbody></table>",
                    words.sample_interaction, words.read, words.write
                )
            }
        }
    }

    fn remaining_samples(&mut self) -> String {
        let mut html = String::new();
        while self.shown < self.samples.len() {
            html.push_str(&self.next_sample());
        }
        html
    }
}

/// What a formula's number stands between. The sanitiser writes quotes in attributes and angle brackets in text as
/// references, so that only an element can look like this.
const PLACEHOLDER: (&str, &str) = ("<var class=\"formula-", "\"></var>");

fn placeholder(number: usize) -> String {
    format!("{}{number}{}", PLACEHOLDER.0, PLACEHOLDER.1)
}

/// Words that a page says itself.
struct Words {
    input: &'static str,
    output: &'static str,
    interaction: &'static str,
    sample_input: &'static str,
    sample_output: &'static str,
    sample_interaction: &'static str,
    read: &'static str,
    write: &'static str,
}

impl Words {
    /// Those of a language, else English ones.
    fn of(language: &str) -> &'static Words {
        match language.split(['-', '_']).next().unwrap_or_default() {
            "sv" => &Words {
                input: "Indata",
                output: "Utdata",
                interaction: "Interaktion",
                sample_input: "Exempelindata",
                sample_output: "Exempelutdata",
                sample_interaction: "Exempelinteraktion",
                read: "läs",
                write: "skriv",
            },
            "de" => &Words {
                input: "Eingabe",
                output: "Ausgabe",
                interaction: "Interaktion",
                sample_input: "Beispieleingabe",
                sample_output: "Beispielausgabe",
                sample_interaction: "Beispielinteraktion",
                read: "lesen",
                write: "schreiben",
            },
            "ru" => &Words {
                input: "Входные данные",
                output: "Выходные данные",
                interaction: "Взаимодействие",
                sample_input: "Пример входных данных",
                sample_output: "Пример выходных данных",
                sample_interaction: "Пример взаимодействия",
                read: "чтение",
                write: "запись",
            },
            _ => &Words {
                input: "Input",
                output: "Output",
                interaction: "Interaction",
                sample_input: "Sample Input",
                sample_output: "Sample Output",
                sample_interaction: "Sample Interaction",
                read: "read",
                write: "write",
            },
        }
    }
}

/// Removes all that is not on the allowlist.
fn sanitise(html: &str, image: Image) -> String {
    let tags = [
        "a",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ];
    let attributes = HashMap::from([
        ("a", HashSet::from(["href"])),
        ("div", HashSet::from(["id"])),
        ("img", HashSet::from(["src", "alt"])),
        ("ol", HashSet::from(["start"])),
        ("td", HashSet::from(["colspan"])),
        ("th", HashSet::from(["colspan"])),
        ("var", HashSet::from(["class"])),
    ]);
    let classes = HashMap::from([
        ("div", HashSet::from(["center", "footnote-definition"])),
        ("sup", HashSet::from(["footnote-reference", "footnote-definition-label"])),
        ("table", HashSet::from(["sample", "ruled"])),
        ("td", HashSet::from(["read", "write", "pass"])),
    ]);
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(tags))
        .clean_content_tags(HashSet::from(["script", "style", "svg", "math", "template", "title"]))
        .tag_attributes(attributes)
        .allowed_classes(classes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::PassThrough)
        .link_rel(Some("noopener noreferrer nofollow"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => match image(value) {
                Some(Figure::Picture(address)) => Some(Cow::Owned(address)),
                _ => None,
            },
            // Where a page lies is not the statement's business: links lead within it or away.
            ("a", "href") if value.starts_with('#') || value.contains(':') => Some(value.into()),
            ("a", "href") => None,
            _ => Some(value.into()),
        });
    cleaner.clean(html).to_string()
}

/// The text of HTML.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Text as HTML, for elements and for attributes.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(character, &mut html);
    }
    html
}

fn push_escaped(character: char, html: &mut String) {
    match character {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        other => html.push(other),
    }
}

#[cfg(test)]
mod tests;
