use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    watchbell::cli::main(watchbell::cli::Cli::parse())
}
