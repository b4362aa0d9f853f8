//! Submissions that are outputs themselves: which of their files is meant for which testcase. What they are worth is
//! for the validator, as with any output.
//!
//! A file is meant for a testcase when its name without the extension is the testcase's name (`secret/group/1`), or an
//! end of it that begins at a slash (`group/1`, `1`), or one of these with `-` for each slash. Where several files fit,
//! the longest name counts. Where there is but one testcase, the only file is meant for it whatever it is called. The
//! files may come as one zip, in folders or not.

use crate::problems;

use super::launch::{LaunchError, ProgramFile};

/// The first bytes of a zip that holds anything.
const ZIP: &[u8] = b"PK\x03\x04";
/// Extensions that a file may have besides the name of its testcase.
const EXTENSIONS: [&str; 3] = ["out", "ans", "txt"];

/// The files of such a submission.
#[derive(Debug)]
pub(super) struct Answers {
    files: Vec<ProgramFile>,
    /// Why there are none, where they came in a zip that cannot be read.
    unreadable: Option<String>,
}

impl Answers {
    /// Takes the files of a submission, out of their zip where that is what it is. They are no larger than
    /// `bytes_max` all together.
    pub(super) fn of(submitted: &[ProgramFile], bytes_max: u64) -> Result<Self, LaunchError> {
        let files = submitted.iter().map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
        let [only] = files.as_slice() else { return Ok(Self { files, unreadable: None }) };
        let unreadable = |source| LaunchError::Memory { name: only.name.clone(), source };
        if only.content.read_first(ZIP.len() as u64).map_err(unreadable)? != ZIP {
            return Ok(Self { files, unreadable: None });
        }
        let archive = only.content.read_all().map_err(unreadable)?;
        match problems::zipped_files(&archive, bytes_max) {
            Ok(zipped) => {
                let files = zipped.iter().map(|(name, bytes)| ProgramFile::new(name, bytes, false));
                Ok(Self { files: files.collect::<Result<_, _>>()?, unreadable: None })
            }
            // The contestant's archive, and so the contestant's mistake.
            Err(error) => Ok(Self { files: Vec::new(), unreadable: Some(error.to_string()) }),
        }
    }

    /// The file that is meant for a testcase, or why there is none.
    pub(super) fn file_for(&self, testcase: &str, is_only_testcase: bool) -> Result<&ProgramFile, String> {
        if let Some(why) = &self.unreadable {
            return Err(why.clone());
        }
        if let ([only], true) = (self.files.as_slice(), is_only_testcase) {
            return Ok(only);
        }
        let fitting = self.files.iter().filter_map(|file| Some((fit(&file.name, testcase)?, file)));
        let best = fitting.max_by_key(|(length, _)| *length).map(|(_, file)| file);
        best.ok_or_else(|| {
            let name = testcase.replace('/', "-");
            format!("there is no output for this testcase: no file is called {name}.out")
        })
    }
}

/// How much of the testcase's name a file is called by, if it is.
fn fit(file: &str, testcase: &str) -> Option<usize> {
    let stem =
        file.rsplit_once('.').filter(|(_, end)| EXTENSIONS.contains(end)).map_or(file, |(stem, _)| stem);
    let ends = std::iter::once(0).chain(testcase.match_indices('/').map(|(at, _)| at + 1));
    let mut ends = ends.map(|start| &testcase[start..]);
    let end = ends.find(|end| {
        let is_end_of = |name: &str| {
            stem.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        is_end_of(end) || is_end_of(&end.replace('/', "-"))
    })?;
    Some(end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], testcase: &str, expected: Option<&str>) {
        let files = files.iter().map(|name| ProgramFile::new(name, b"", false).expect("a file"));
        let answers = Answers::of(&files.collect::<Vec<_>>(), 0).expect("answers");
        let found = answers.file_for(testcase, false).ok().map(|file| file.name.as_str());
        assert_eq!(found, expected, "{testcase}");
    }

    #[test]
    fn files_are_meant_for_testcases_by_their_names() {
        check(&["1.out", "2.out"], "secret/1", Some("1.out"));
        check(&["secret-1.out", "1.out"], "secret/1", Some("secret-1.out"));
        check(&["secret-1.out", "1.out"], "sample/1", Some("1.out"));
        check(&["secret/group/1.ans", "group-1"], "secret/group/1", Some("secret/group/1.ans"));
        check(&["answers/group/1"], "secret/group/1", Some("answers/group/1"));
        check(&["x1.out", "1.zip", "11"], "secret/1", None);
        check(&["output.txt"], "secret/1", None);
        check(&["01.5.txt"], "secret/01.5", Some("01.5.txt"));
        check(&[], "secret/1", None);
        let only = [ProgramFile::new("output.txt", b"", false).expect("a file")];
        let answers = Answers::of(&only, 0).expect("answers");
        assert!(answers.file_for("secret/1", true).is_ok());
        let words = answers.file_for("secret/1", false).expect_err("no file");
        assert_eq!(words, "there is no output for this testcase: no file is called secret-1.out");
    }

    #[test]
    fn a_zip_that_cannot_be_read_is_the_contestants_mistake() {
        let only = [ProgramFile::new("output.txt", b"PK\x03\x04 and no more", false).expect("a file")];
        let answers = Answers::of(&only, 1 << 20).expect("answers");
        let words = answers.file_for("secret/1", true).expect_err("no file");
        assert!(words.contains("is not a readable zip"), "{words}");
    }
}
