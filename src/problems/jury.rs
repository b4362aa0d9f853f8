//! Finds the jury's own submissions and what they are filed under. Judging them is for `verify`.

use super::error::{Place, Warning};
use super::package::{Expectation, JurySubmission};
use super::tree::{self, Tree};

/// The submissions by path in byte order.
pub(super) fn find(tree: &Tree, warnings: &mut Vec<Warning>) -> Vec<JurySubmission> {
    let mut submissions = Vec::new();
    for (directory, is_directory) in tree.entries("submissions") {
        if !is_directory {
            continue;
        }
        let expectation = Expectation::of_directory(directory);
        let directory = tree::join("submissions", directory);
        if let Expectation::Unlisted(name) = &expectation {
            let what = format!(
                "the format knows no directory {name:?}: its submissions are not held to an expectation"
            );
            warnings.push(Warning { place: Place::file(&directory), what });
        }
        for (name, is_directory) in tree.entries(&directory) {
            let path = tree::join(&directory, name);
            let files: Vec<String> = if is_directory {
                tree.files_below(&path).map(str::to_owned).collect()
            } else {
                vec![path.clone()]
            };
            if !files.is_empty() {
                submissions.push(JurySubmission { expectation: expectation.clone(), path, files });
            }
        }
    }
    submissions.sort_by(|one, other| one.path.cmp(&other.path));
    submissions
}
