//! Statements of both kinds: what they become, and what can never come out of them.

use super::*;

fn rendered_with(text: &str, markup: Markup, samples: &[ShownSample]) -> String {
    let image: Image = Arc::new(|name: &str| match name {
        "cave.jpg" => Some(Figure::Picture("/images/cave.jpg".to_owned())),
        "plan" | "plan.pdf" => Some(Figure::Document("/images/plan.pdf".to_owned())),
        _ => None,
    });
    let page = page(&Statement { text, markup, language: "en", title: "A <title>", samples, image });
    assert_safe(&page);
    page
}

/// What stands between the title and the end of the page.
fn body(text: &str, markup: Markup) -> String {
    let page = rendered_with(text, markup, &[]);
    let body = page.split_once("</h1>").expect("a title").1;
    body.strip_suffix("</body>\n</html>\n").expect("an end").trim().to_owned()
}

#[track_caller]
fn tex(text: &str, expected: &str) {
    assert_eq!(body(text, Markup::Tex), expected, "{text}");
}

#[track_caller]
fn markdown(text: &str, expected: &str) {
    assert_eq!(body(text, Markup::Markdown), expected, "{text}");
}

/// Asserts what holds for every page, whatever it was made from: all elements and attributes are known ones.
#[track_caller]
fn assert_safe(page: &str) {
    let (head, body) = page.split_once("<body>").expect("a body");
    assert_eq!(head.matches("<style>").count(), 1, "{head}");
    let mut rest = body;
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, after) = tag.split_once('>').expect("tags end");
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        assert!(
            ![
                "script",
                "style",
                "svg",
                "iframe",
                "input",
                "annotation-xml",
                "object",
                "form",
                "meta",
                "base"
            ]
            .contains(&name),
            "<{tag}> in {page}"
        );
        let mut attributes = tag.split_once(' ').map_or("", |(_, attributes)| attributes);
        while let Some((name, value)) = attributes.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("values end");
            attributes = after;
            let name = name.trim();
            assert!(!name.starts_with("on") && name != "style" && name != "srcset", "<{tag}> in {page}");
            match name {
                "href" => assert!(
                    value == "/images/plan.pdf"
                        || ["#", "http://", "https://", "mailto:"]
                            .iter()
                            .any(|start| value.starts_with(start)),
                    "<{tag}> in {page}"
                ),
                "src" => assert_eq!(value, "/images/cave.jpg", "{page}"),
                _ => {}
            }
        }
    }
}

#[test]
fn markdown_becomes_html() {
    markdown("## Input\n\nAn *integer* `n`.", "<h2>Input</h2>\n<p>An <em>integer</em> <code>n</code>.</p>");
    markdown(
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>1</td><td>2</td></tr>\n</tbody></table>",
    );
    let footnote = body("Echo.[^1]\n\n[^1]: See [there](https://example.org/?a=1&b=2).\n", Markup::Markdown);
    assert!(footnote.contains("<a href=\"#1\" rel=\"noopener noreferrer nofollow\">1</a>"), "{footnote}");
    assert!(
        footnote.contains("id=\"1\"") && footnote.contains("https://example.org/?a=1&amp;b=2"),
        "{footnote}"
    );
    markdown("![A cave](cave.jpg)", "<p><img src=\"/images/cave.jpg\" alt=\"A cave\"></p>");
    markdown(
        "```\nx $y$ {{nextsample}} <b>\n```",
        "<pre><code>x $y$ {{nextsample}} &lt;b&gt;\n</code></pre>",
    );
}

#[test]
fn formulas_become_mathml() {
    for (text, markup) in [
        ("$1 \\le n$", Markup::Markdown),
        ("$1 \\le n$", Markup::Tex),
        ("\\(1 \\leq n\\)", Markup::Tex),
        ("\\newcommand{\\maxn}{n}$1 \\leq \\maxn$", Markup::Tex),
    ] {
        let body = body(text, markup);
        assert!(body.starts_with("<p><math"), "{body}");
        assert!(body.contains("<mn>1</mn>") && body.contains("≤") && body.contains("<mi>n</mi>"), "{body}");
        assert!(body.ends_with("</math></p>"), "{body}");
    }
    for text in [
        "\\[x^2\\]",
        "$$x^2$$",
        "\\begin{equation*}x^2\\end{equation*}",
        "\\begin{align*}x &= x^2\\end{align*}",
    ] {
        let body = body(text, Markup::Tex);
        assert!(body.contains("display=\"block\"") && body.contains("<msup>"), "{text}: {body}");
    }
    // What cannot be set is shown as it is written.
    tex("$\\nosuch{x}$", "<p><code>\\nosuch{x}</code></p>");
    tex("costs $5", "<p>costs $5</p>");
    let shown = body("$\\mbox{if } a < b$", Markup::Tex);
    assert!(shown.contains("<mtext>if") && shown.contains("&lt;"), "{shown}");
}

#[test]
fn tex_becomes_html() {
    tex(
        "One % comment\ntwo.\n\nThree ``quoted'' -- 10--20, a---b, 5\\%.",
        "<p>One two.</p>\n<p>Three “quoted” – 10–20, a—b, 5%.</p>",
    );
    tex(
        "\\section*{Input}\nThe \\emph{first} line, {\\tt up} or \\textbf{down}.",
        "<h2>Input</h2>\n<p>The <em>first</em> line, <code>up</code> or <strong>down</strong>.</p>",
    );
    tex(
        "\\begin{Input}\nTwo.\n\\end{Input}\n\\begin{Output}One.\\end{Output}",
        "<h2>Input</h2>\n<p>Two. </p>\n<h2>Output</h2>\n<p>One.</p>",
    );
    tex(
        "\\begin{itemize}\n\\item One\n\\item Two\n\\begin{enumerate}\\item Inner\\end{enumerate}\n\\end{itemize}",
        "<ul>\n<li>One </li>\n<li><p>Two </p>\n<ol>\n<li>Inner</li>\n</ol>\n</li>\n</ul>",
    );
    tex(
        "\\begin{tabular}{|l|r|}\\hline\nGroup & Points \\\\ \\hline\n\\multicolumn{2}{c}{a \\& b} \\\\\n\\end{tabular}",
        "<table class=\"ruled\">\n<tbody><tr><td>Group</td><td>Points</td></tr>\n<tr><td colspan=\"2\">a &amp; b</td></tr>\n</tbody></table>",
    );
    tex("\\begin{verbatim}\na % $b$ \\c{<d>}\n\\end{verbatim}", "<pre>a % $b$ \\c{&lt;d&gt;}</pre>");
    tex("\\verb|a_b| and \\\"Olle \\aa{} \\'e", "<p><code>a_b</code> and O\u{308}lle å e\u{301}</p>");
    tex("\\includegraphics[width=3cm]{cave.jpg}", "<p><img src=\"/images/cave.jpg\" alt=\"\"></p>");
    tex("\\includegraphics{plan}", "<p><a href=\"/images/plan.pdf\">plan</a></p>");
    tex("\\includegraphics{no&<b>}", "<p>[no&amp;&lt;b&gt;]</p>");
    markdown("![A *plan*](plan.pdf)", "<p><a href=\"/images/plan.pdf\">A plan</a></p>");
    markdown("![](none.png) ![`x`](javascript:x)", "<p>[none.png] [x]</p>");
    tex(
        "\\illustration{0.3}{cave.jpg}{By \\href{https://example.org/a\\_b}{them}}",
        "<figure><img src=\"/images/cave.jpg\" alt=\"\"><figcaption>By <a href=\"https://example.org/a_b\" rel=\"noopener noreferrer nofollow\">them</a></figcaption></figure>",
    );
    // Not known, so visible.
    tex("\\frobnicate{the <b>thing</b>}", "<p>\\frobnicatethe &lt;b&gt;thing&lt;/b&gt;</p>");
    tex("\\newcommand{\\pair}[2]{(#1; #2)}\\pair{a}{b}", "<p>(a; b)</p>");
}

#[test]
fn titles_come_from_the_statement_or_else_from_the_package() {
    let page = rendered_with("\\problemname{Odd \\emph{Echo} $x$}\nText.", Markup::Tex, &[]);
    assert!(page.contains("<h1>Odd <em>Echo</em> <math"), "{page}");
    assert!(page.contains("<title>Odd Echo </title>"), "{page}");
    let page = rendered_with("Text.", Markup::Tex, &[]);
    assert!(
        page.contains("<h1>A &lt;title&gt;</h1>") && page.contains("<title>A &lt;title&gt;</title>"),
        "{page}"
    );
}

#[test]
fn samples_stand_where_the_statement_wants_them_and_else_at_its_end() {
    let samples = [
        ShownSample::Files { input: "1 < 2\n".to_owned(), answer: "<script>\n".to_owned() },
        ShownSample::Interaction("<read\n>written\n---\n".to_owned()),
        ShownSample::Files { input: "3".to_owned(), answer: "4".to_owned() },
    ];
    for (text, markup) in [
        ("before {{nextsample}} between\n\n{{remainingsamples}} after", Markup::Markdown),
        ("before \\nextsample{} between\n\n\\remainingsamples{} after", Markup::Tex),
        ("before\n\nbetween after", Markup::Tex),
    ] {
        let page = rendered_with(text, markup, &samples);
        let order = [
            "1 &lt; 2",
            "&lt;script&gt;",
            "Sample Interaction 2",
            "read</pre>",
            "written</pre>",
            "Sample Input 3",
        ];
        let places: Vec<usize> = order.iter().map(|word| page.find(word).expect(word)).collect();
        assert!(places.is_sorted(), "{page}");
        assert_eq!(page.matches("Sample Input 1").count(), 1, "{page}");
        if text.contains("sample") {
            assert!(
                page.find("Sample Input 3") < page.find("after")
                    && page.find("before") < page.find("Sample Input 1")
            );
        }
    }
}

#[test]
fn nothing_that_runs_comes_out() {
    let attacks = [
        "<script>\n   alert(\"Hello\");\n</script>",
        "<a href=\"#\" onclick=\"alert('XSS')\">Click me</a>",
        "<svg onload=alert('XSS')></svg>",
        "<a href=\"javascript:alert('XSS')\">Click me</a>",
        "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,x) <javascript:alert(1)>",
        "[x](&#106;avascript:alert(1)) [x](java\tscript:alert(1)) [x](vbscript:x)",
        "<input type=\"text\" value=\"<script>alert('XSS')</script>\">",
        "<svg><script>alert('XSS')</script></svg>",
        "<iframe src=\"javascript:alert('XSS')\"></iframe>",
        "<math><mtext><script>alert('XSS')</script></mtext></math>",
        "<math><annotation-xml encoding=\"text/html\"><img src=x onerror=alert(1)></annotation-xml></math>",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<math href=\"javascript:alert(1)\">x</math>",
        "<div style=\"background:url(javascript:alert('XSS'))\">",
        "![x](http:picsum.photos/400) ![y](https://example.org/a.png) ![z](../../etc/passwd) ![w](/etc/passwd)",
        "![x](cave.jpg\" onerror=\"alert(1)) <img src=cave.jpg onerror=alert(1)>",
        "<img src=\"cave.jpg\" srcset=\"http://example.org/x\" style=\"width:1px\">",
        "![$\\text{\" onerror=alert(1) x=\"}$](cave.jpg)",
        "<img alt='<var class=\"formula-0\"></var>' src=cave.jpg> $\\text{\" onerror=alert(1) x=\"}$",
        "<var class=\"formula-0\"></var> <var class=\"formula-7\"></var> <var class='formula-0'></var> $x$",
        "$\\text{<script>alert(1)</script>}$ $\\href{javascript:alert(1)}{x}$ $\\unicode{x3c}$",
        "$\\text{</mtext></math><script>alert(1)</script>}$ $</math><img src=x onerror=alert(1)>$",
        "{{nextsample}}<script>{{remainingsamples}}</script>",
        "<form action=https://example.org><button>Send</button></form><meta http-equiv=refresh content=0><base href=//x>",
        "<p id=\"x\" name=\"y\" class=\"z\"></body></html><script>alert(1)</script>",
        "<style>@import 'https://example.org'</style><link rel=stylesheet href=https://example.org>",
        "\\href{javascript:alert(1)}{x} \\url{javascript:alert(1)} \\href{\" onclick=\"alert(1)}{x}",
        "\\includegraphics{../../../etc/passwd} \\includegraphics{/etc/passwd} \\includegraphics{http://x/y.png}",
        "\\illustration{1}{cave.jpg\" onerror=\"alert(1)}{<script>alert(1)</script>}",
        "\\problemname{<script>alert(1)</script> \\href{javascript:alert(1)}{x}}",
        "\\begin{<script>}x\\end{<script>} \\<script> \\input{/etc/passwd} \\write18{id}",
        "\\begin{tabular}{\"><script>}<script>&<img src=x onerror=alert(1)>\\\\\\end{tabular}",
        "\\footnote{<svg onload=alert(1)>} \\verb|<script>| \\\"<script> \\c{<script>}",
        "\u{0}<scr\u{0}ipt>alert(1)</scr\u{0}ipt>\r<script\r>alert(1)</script\r>",
    ];
    for attack in attacks {
        for markup in [Markup::Markdown, Markup::Tex] {
            let page = rendered_with(attack, markup, &[]);
            assert!(page.ends_with("</body>\n</html>\n"), "{page}");
        }
    }
    let relative = body("[x](attachments/a.zip) [y](//example.org/z)", Markup::Markdown);
    assert!(!relative.contains("href"), "{relative}");
}

#[test]
fn no_text_takes_for_ever_or_breaks_the_stack() {
    let hostile = [
        "{".repeat(20_000),
        "\\begin{a}".repeat(8_000),
        "\\begin{itemize}\\item ".repeat(4_000),
        "$".repeat(9_999),
        "\\frac".repeat(10_000),
        format!("${}$", "{".repeat(9_000)),
        format!("${}x{}$", "\\sqrt{".repeat(2_000), "}".repeat(2_000)),
        format!("${}x$", "\\sqrt".repeat(3_000)),
        format!("$x{}$", "^".repeat(5_000)),
        format!("${}$", "\\left(".repeat(2_500)),
        format!("$x{}$", "'".repeat(5_000)),
        "\\def\\a{\\a\\a}\\a".to_owned(),
        "$\\def\\a{\\a\\a}\\a$".to_owned(),
        "\\newcommand{\\a}[1]{#1#1\\a{#1#1}}\\a{xxxxxxxx}".to_owned(),
        "> ".repeat(8_000),
        "[".repeat(20_000),
        "*a_ ".repeat(8_000),
        "%".repeat(20_000),
        "<div>".repeat(20_000),
        "\\verb".repeat(8_000),
        "x".repeat(TEXT_BYTES_MAX + 10),
    ];
    for text in hostile {
        for markup in [Markup::Markdown, Markup::Tex] {
            let page = rendered_with(&text, markup, &[]);
            assert_eq!(text.len() > TEXT_BYTES_MAX, page.contains("<p>[…]</p>"));
        }
    }
}

#[test]
fn samples_have_headings_in_the_language_of_the_statement() {
    let samples = [ShownSample::Files { input: "1".to_owned(), answer: "2".to_owned() }];
    for (language, expected) in
        [("ru", "Пример входных данных 1"), ("ru-RU", "Пример выходных данных 1"), ("fi", "Sample Input 1")]
    {
        let image: Image = Arc::new(|_| None);
        let statement =
            Statement { text: "A", markup: Markup::Markdown, language, title: "A", samples: &samples, image };
        let page = page(&statement);
        assert!(page.contains(expected), "{language}: {page}");
    }
}
