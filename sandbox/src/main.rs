//! The executable: keeper, command-line tool, and tie; see [`assize_sandbox::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    assize_sandbox::cli::main()
}
