use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match watchbell::cli::Cli::try_parse() {
        Ok(cli) => watchbell::cli::main(cli),
        Err(error) => watchbell::cli::unparsed(&error),
    }
}
