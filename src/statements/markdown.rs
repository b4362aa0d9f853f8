//! Statements in Markdown: CommonMark with tables, footnotes, math and the places of samples. Raw HTML passes here and
//! is left to the sanitiser.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream, html};

use super::Parts;

const NEXT_SAMPLE: &str = "{{nextsample}}";
const REMAINING_SAMPLES: &str = "{{remainingsamples}}";

/// How deep quotes and lists are nested at most; deeper ones are set as if they were not.
const DEPTH_MAX: usize = 32;
/// How many pieces of raw HTML are taken for such; more are shown as text.
const RAW_MAX: usize = 5_000;

pub(super) fn to_html(text: &str, parts: &mut Parts<'_>) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_STRIKETHROUGH;
    let mut events = Vec::new();
    // What an image or a code block holds is text and nothing else.
    let mut verbatim = 0_usize;
    let (mut depth, mut raw) = (0_usize, 0_usize);
    // An image that is not shown in its place, by name and words.
    let mut unshown: Option<(String, String)> = None;
    for event in TextMergeStream::new(Parser::new_ext(text, options)) {
        match (&mut unshown, &event) {
            (Some((name, words)), Event::End(TagEnd::Image)) => {
                if let Some(instead) = parts.instead_of_image(name, words) {
                    events.push(Event::InlineHtml(instead.into()));
                }
                unshown = None;
                continue;
            }
            (Some((_, words)), event) => {
                if let Event::Text(text) | Event::Code(text) = event {
                    words.push_str(text);
                }
                continue;
            }
            (None, Event::Start(Tag::Image { dest_url, .. })) if !parts.shows(dest_url) => {
                unshown = Some((dest_url.to_string(), String::new()));
                continue;
            }
            _ => {}
        }
        match event {
            Event::Start(Tag::Image { .. } | Tag::CodeBlock(_)) => verbatim += 1,
            Event::End(TagEnd::Image | TagEnd::CodeBlock) => verbatim = verbatim.saturating_sub(1),
            _ => {}
        }
        match &event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    continue;
                }
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => {
                depth -= 1;
                if depth >= DEPTH_MAX {
                    continue;
                }
            }
            Event::Html(_) | Event::InlineHtml(_) => raw += 1,
            _ => {}
        }
        match event {
            Event::Html(html) | Event::InlineHtml(html) if raw > RAW_MAX => events.push(Event::Text(html)),
            Event::InlineMath(tex) if verbatim == 0 => {
                events.push(Event::InlineHtml(parts.formula(&tex, false).into()));
            }
            Event::DisplayMath(tex) if verbatim == 0 => {
                events.push(Event::InlineHtml(parts.formula(&tex, true).into()));
            }
            Event::Text(text) if verbatim == 0 && text.contains("{{") => samples(&text, parts, &mut events),
            event => events.push(event),
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events.into_iter());
    out
}

/// Text with samples in the places that it names.
fn samples(text: &str, parts: &mut Parts<'_>, events: &mut Vec<Event<'_>>) {
    let mut rest = text;
    loop {
        let next = rest.find(NEXT_SAMPLE).map(|at| (at, NEXT_SAMPLE));
        let remaining = rest.find(REMAINING_SAMPLES).map(|at| (at, REMAINING_SAMPLES));
        let Some((at, word)) = next.into_iter().chain(remaining).min() else { break };
        events.push(Event::Text(rest[..at].to_owned().into()));
        let sample = if word == NEXT_SAMPLE { parts.next_sample() } else { parts.remaining_samples() };
        events.push(Event::InlineHtml(sample.into()));
        rest = &rest[at + word.len()..];
    }
    events.push(Event::Text(rest.to_owned().into()));
}
