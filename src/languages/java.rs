//! As much of Java as it takes to find the class where a program begins and the name that its file must have. The
//! compiler has the last word: what is not Java here is for it to refuse.

use super::sources::{SourceFile, SourcesError, stem};

/// What is said of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outline {
    /// The package; empty for none.
    package: String,
    /// The types at the top, in order.
    types: Vec<Type>,
}

#[derive(Debug, PartialEq, Eq)]
struct Type {
    name: String,
    is_public: bool,
    has_main: bool,
}

/// Which of the sources holds the main class, and the class with its package. Files are given the names of their public
/// classes, as the compiler wants it, and one that is alone that of its main class at least. Of several, the main class
/// is the one in `Main.java` (without regard to case), else the first that has a main method.
pub(super) fn main_class(
    sources: &mut [SourceFile],
    stated: Option<&str>,
) -> Result<(usize, String), SourcesError> {
    let outlines: Vec<Outline> =
        sources.iter().map(|file| Outline::of(&String::from_utf8_lossy(&file.bytes))).collect();
    let is_alone = sources.len() == 1;
    for (place, outline) in outlines.iter().enumerate() {
        let alone = || outline.main().or(outline.types.first()).filter(|_| is_alone);
        let Some(named) = outline.public().or_else(alone) else { continue };
        let folder = sources[place].name.rfind('/').filter(|_| !is_alone);
        let folder = folder.map_or("", |end| &sources[place].name[..=end]);
        let name = format!("{folder}{}.java", named.name);
        // Of two that claim a name the compiler refuses one.
        if sources.iter().all(|file| file.name != name) {
            sources[place].name = name;
        }
    }
    if let Some(stated) = stated {
        let class = stated.strip_suffix(".java").unwrap_or(stated);
        let simple = class.rsplit('.').next().unwrap_or(class);
        let holds = |outline: &Outline| outline.types.iter().any(|found| found.name == simple);
        let place = outlines.iter().position(holds);
        let place = place.ok_or_else(|| SourcesError::NoEntry { entry: stated.to_owned() })?;
        return Ok((place, outlines[place].full(simple)));
    }
    let is_main = |file: &SourceFile| stem(&file.name).eq_ignore_ascii_case("main");
    let called_main = sources
        .iter()
        .zip(&outlines)
        .position(|(file, outline)| is_main(file) && (outline.main().is_some() || sources.len() == 1));
    let with_main = || outlines.iter().position(|outline| outline.main().is_some());
    let place = called_main.or_else(with_main).unwrap_or(0);
    let outline = &outlines[place];
    let class = outline.main().or_else(|| outline.public()).or(outline.types.first());
    Ok((place, outline.full(class.map_or(stem(&sources[place].name), |class| class.name.as_str()))))
}

impl Outline {
    /// Reads a file: its package, and the types at the top with their main methods.
    fn of(text: &str) -> Outline {
        let mut outline = Outline::default();
        let mut depth = 0usize;
        // The words since the last `;`, `{` or `}`: what stands before a type's name or a method's.
        let mut words: Vec<&str> = Vec::new();
        let mut is_interface = false;
        for token in Tokens(text) {
            match token {
                "{" => {
                    if depth == 0 {
                        is_interface = words.contains(&"interface");
                        outline.types.extend(Type::of(&words));
                    }
                    depth += 1;
                    words.clear();
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    words.clear();
                }
                ";" => {
                    if depth == 0 && words.first() == Some(&"package") {
                        outline.package = words[1..].concat();
                    }
                    words.clear();
                }
                "(" => {
                    let method = words.ends_with(&["void", "main"]);
                    let reachable = words.contains(&"static") && (is_interface || words.contains(&"public"));
                    if let (1, true, true, Some(found)) = (depth, method, reachable, outline.types.last_mut())
                    {
                        found.has_main = true;
                    }
                    words.push(token);
                }
                _ => words.push(token),
            }
        }
        outline
    }

    fn public(&self) -> Option<&Type> {
        self.types.iter().find(|found| found.is_public)
    }

    fn main(&self) -> Option<&Type> {
        let with_main = || self.types.iter().filter(|found| found.has_main);
        with_main().find(|found| found.is_public).or_else(|| with_main().next())
    }

    fn full(&self, class: &str) -> String {
        if self.package.is_empty() { class.to_owned() } else { format!("{}.{class}", self.package) }
    }
}

impl Type {
    /// The type whose body follows these words.
    fn of(words: &[&str]) -> Option<Type> {
        const KINDS: [&str; 4] = ["class", "interface", "enum", "record"];
        let kind = words.iter().position(|word| KINDS.contains(word))?;
        let name = words.get(kind + 1)?;
        let is_public = words[..kind].contains(&"public");
        Some(Type { name: (*name).to_owned(), is_public, has_main: false })
    }
}

/// The words and signs of a text without comments, strings and characters. A dot is part of no word.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0.trim_start();
            let first = text.chars().next()?;
            let length = if text.starts_with("//") {
                text.find('\n').unwrap_or(text.len())
            } else if let Some(comment) = text.strip_prefix("/*") {
                comment.find("*/").map_or(text.len(), |end| end + 4)
            } else if let Some(block) = text.strip_prefix("\"\"\"") {
                block.find("\"\"\"").map_or(text.len(), |end| end + 6)
            } else if matches!(first, '"' | '\'') {
                quoted(text, first)
            } else {
                let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
                let word = text.find(|character| !is_word(character)).unwrap_or(text.len());
                let length = if word == 0 { first.len_utf8() } else { word };
                self.0 = &text[length..];
                return Some(&text[..length]);
            };
            self.0 = &text[length..];
        }
    }
}

/// The length of a string or character with its quotes; it ends with its line at the latest.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return place,
            _ if character == quote => return place + character.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], stated: Option<&str>, names: &[&str], found: (usize, &str)) {
        let mut sources: Vec<SourceFile> =
            files.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
        let main = main_class(&mut sources, stated).expect("a main class");
        assert_eq!(sources.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!((main.0, main.1.as_str()), found);
    }

    #[test]
    fn a_single_file_is_named_after_its_public_class() {
        let main = "public static void main(String[] args) {}";
        let one = |text: &str, name: &str, class: &str| {
            check(&[("main.java", text)], None, &[name], (0, class));
        };
        one(&format!("import java.util.*; public class Foo {{ {main} }}"), "Foo.java", "Foo");
        one(&format!("class Helper {{}} public class Foo {{ {main} }}"), "Foo.java", "Foo");
        // The main class need not be the public one.
        one(&format!("public interface A {{}} class B {{ {main} }}"), "A.java", "B");
        one(&format!("class A {{ int x; }} class B {{ {main} }}"), "B.java", "B");
        one(&format!("package a.b; public final class Foo {{ {main} }}"), "Foo.java", "a.b.Foo");
        one("class A { static public final void main(String... args) {} }", "A.java", "A");
        one("interface A { static void main(String[] args) {} }", "A.java", "A");
        one("public enum E { X; public static void main(String[] a) {} }", "E.java", "E");
        one("public record R(int x) { public static void main(String[] a) {} }", "R.java", "R");
        // No main: the run will say so.
        one("class A {} class B {}", "A.java", "A");
        one("this is not Java", "main.java", "main");
    }

    #[test]
    fn files_are_named_after_their_public_classes() {
        let driver = "public class Driver { public static void main(String[] args) { Sum.of(); } }";
        let sum = "public class Sum { static void of() {} }";
        check(
            &[("Main.java", sum), ("Driver.java", driver)],
            None,
            &["Sum.java", "Driver.java"],
            (1, "Driver"),
        );
        check(
            &[("lib/x.java", sum), ("a.java", driver)],
            None,
            &["lib/Sum.java", "Driver.java"],
            (1, "Driver"),
        );
        // No file takes the place of another.
        check(
            &[("Main.java", driver), ("Driver.java", driver)],
            None,
            &["Main.java", "Driver.java"],
            (0, "Driver"),
        );
    }

    #[test]
    fn comments_strings_and_nested_classes_do_not_count() {
        let text = r#"
            // public class Line { public static void main(String[] args) {} }
            /* public class Block { */
            @SuppressWarnings("public class Text {")
            public class Foo<T extends Comparable<T>> implements Runnable {
                static char quote = '"', brace = '{', escaped = '\'';
                String text = """
                    public class Inner { "quoted" }
                    """;
                static class Nested { public static void main(int[] args) {} }
                public void run() { String s = "}"; }
                public static void main(String[] args) throws Exception { new Foo<Integer>().run(); }
            }
        "#;
        check(&[("x.java", text)], None, &["Foo.java"], (0, "Foo"));
    }

    #[test]
    fn of_several_files_the_one_called_main_is_first() {
        let with = |name: &str| format!("public class {name} {{ public static void main(String[] a) {{}} }}");
        let (a, b, main) = (with("A"), with("B"), with("Main"));
        let helper = "class Helper {}";
        let files = [("A.java", a.as_str()), ("B.java", &b), ("Main.java", &main)];
        check(&files, None, &["A.java", "B.java", "Main.java"], (2, "Main"));
        let files = [("Helper.java", helper), ("B.java", &b), ("A.java", &a)];
        check(&files, None, &["Helper.java", "B.java", "A.java"], (1, "B"));
        check(&files, Some("A"), &["Helper.java", "B.java", "A.java"], (2, "A"));
        check(&files, Some("A.java"), &["Helper.java", "B.java", "A.java"], (2, "A"));
        let missing = main_class(&mut [SourceFile::new("a.java", helper)], Some("Nobody"));
        assert_eq!(missing, Err(SourcesError::NoEntry { entry: "Nobody".to_owned() }));
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in
            ["\"", "'", "/*", "\"\"\"", "}}}", "class", "package", "class A { void main(", "é\"é", "\\"]
        {
            let mut sources = [SourceFile::new("x.java", text)];
            main_class(&mut sources, None).expect("some class");
        }
    }
}
