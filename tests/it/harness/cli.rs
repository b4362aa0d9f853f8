//! Our own executable as a person runs it: arguments in, exit code and words out.

use std::path::Path;
use std::process::{Command, Stdio};

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The lines of standard output as JSON.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The same, where the command ended with this exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Said {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// Runs `assize` to its end on a data directory.
pub(crate) fn assize(data: &Path, args: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_assize"))
        .args(args)
        .env("ASSIZE_DATA", data)
        .env("ASSIZE_LOG", "warn")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
