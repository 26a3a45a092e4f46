//! The binary: arguments in, an exit code out.

use std::process::ExitCode;

use clap::Parser;
use priorauth::cli::{Arguments, run};

fn main() -> ExitCode {
    run(Arguments::parse())
}
