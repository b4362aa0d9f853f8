//! Any answer and any output: a comparison ends, says the same twice, and accepts what is equal byte for byte.

#![no_main]

use assize::domain::default_validator::{Comparison, Flags, compare};
use libfuzzer_sys::fuzz_target;

const FLAGS: [&[&str]; 8] = [
    &[],
    &["case_sensitive"],
    &["space_change_sensitive"],
    &["case_sensitive", "space_change_sensitive"],
    &["float_tolerance", "1e-6"],
    &["float_absolute_tolerance", "0.5"],
    &["float_relative_tolerance", "1E-3"],
    &["float_absolute_tolerance", "1e-9", "float_relative_tolerance", "1e-9", "space_change_sensitive"],
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, texts)) = bytes.split_first() else { return };
    let words = FLAGS[usize::from(*choice) % FLAGS.len()].iter().map(|word| (*word).to_owned());
    let flags = Flags::parse(&words.collect::<Vec<_>>()).expect("flags");
    let mut texts = texts.splitn(2, |byte| *byte == 0xff);
    let (answer, output) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
    let said = compare(answer, output, &flags);
    assert_eq!(said, compare(answer, output, &flags));
    assert_eq!(compare(answer, answer, &flags), Comparison::Accepted);
});
