//! The executable: parses the command line and hands over to the command.

use std::process::ExitCode;

use assize::cli;

fn main() -> ExitCode {
    cli::main()
}
