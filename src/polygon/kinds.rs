//! What Polygon's types of sources, like `cpp.g++17` and `python.3`, are compiled with.

use super::ImportError;
use super::problem::Source;

/// The code of the language that a source is in, where its type says that better than its file's name.
pub(super) fn language_of(source: &Source) -> Option<&'static str> {
    match source.kind.as_str() {
        "python.2" | "python.pypy2" => Some("python2"),
        "python.3" => Some("python3"),
        kind => match cpp_standard(kind)? {
            "11" => Some("cpp11"),
            "14" => Some("cpp14"),
            "17" => Some("cpp17"),
            "20" => Some("cpp20"),
            _ => Some("cpp23"),
        },
    }
}

/// Whether a source is C++ by a standard that is none.
pub(super) fn is_unknown_standard(source: &Source) -> bool {
    source.kind.starts_with("cpp") && language_of(source).is_none()
}

/// How a checker, interactor or validator is compiled.
pub(super) fn compiler_of(source: &Source) -> Result<String, ImportError> {
    let kind = source.kind.as_str();
    if !kind.starts_with("cpp") && !source.path.ends_with(".cpp") {
        let what =
            format!("{} is of type {kind:?}; checkers, interactors and validators must be C++", source.path);
        return Err(ImportError::Xml { line: Some(source.line), what });
    }
    Ok(format!("g++ -std=gnu++{} -O2", cpp_standard(kind).unwrap_or("17")))
}

/// The standard of C++ that a type names: `17` of `cpp.g++17`, `23` of `cpp.gcc14-64-msys2-g++23`. The one of just `g++`
/// is older than all others.
fn cpp_standard(kind: &str) -> Option<&'static str> {
    let (_, standard) = kind.strip_prefix("cpp")?.rsplit_once("++")?;
    match standard.get(..2).unwrap_or(standard) {
        "" | "0x" | "11" => Some("11"),
        "1y" | "14" => Some("14"),
        "1z" | "17" => Some("17"),
        "2a" | "20" => Some("20"),
        "2b" | "23" => Some("23"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_name_languages_and_compilers() {
        let source = |kind: &str| Source { path: "a.cpp".to_owned(), kind: kind.to_owned(), line: 1 };
        for (kind, language, standard) in [
            ("cpp.g++", Some("cpp11"), "11"),
            ("cpp.g++11", Some("cpp11"), "11"),
            ("cpp.g++14", Some("cpp14"), "14"),
            ("cpp.g++17", Some("cpp17"), "17"),
            ("cpp.msys2-mingw64-9-g++17", Some("cpp17"), "17"),
            ("cpp.gcc13-64-winlibs-g++20", Some("cpp20"), "20"),
            ("cpp.gcc14-64-msys2-g++23", Some("cpp23"), "23"),
            ("cpp.clang++20-diagnostics", Some("cpp20"), "20"),
            ("cpp.ms2017", None, "17"),
            ("cpp.g++x", None, "17"),
            ("python.3", Some("python3"), "17"),
            ("python.2", Some("python2"), "17"),
            ("python.pypy3-64", None, "17"),
            ("", None, "17"),
        ] {
            assert_eq!(language_of(&source(kind)), language, "{kind}");
            let compiler = compiler_of(&source(kind)).expect("C++");
            assert_eq!(compiler, format!("g++ -std=gnu++{standard} -O2"), "{kind}");
        }
        let delphi = Source { path: "check.dpr".to_owned(), kind: "delphi.7".to_owned(), line: 5 };
        let error = compiler_of(&delphi).expect_err("Delphi");
        assert!(error.to_string().starts_with("problem.xml:5: check.dpr is of type \"delphi.7\""), "{error}");
    }
}
