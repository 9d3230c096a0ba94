//! The commands of the repository: `cargo xtask help` lists them.
mod args; // the command line
mod cache; // the folder that everything is built in
mod clock; // the one clock
mod terminal; // progress and colour
mod process_group; // a process and all that it starts
mod stage; // work with a name, a budget and a log
mod cargo; // calls of cargo
mod toolchain; // a compiler for wasm
mod java; // JDKs and Maven
mod python; // a Python package in an environment of its own
mod elastalert; // what Watchbell is compared with
mod receivers; // receivers that are not ours
mod aiosmtpd; // a mail server
mod setup; // all of these, found or installed
mod component; // a core module becomes a component
mod plugins; // plugins and guests
mod http; // whether a server answers
mod jars; // what servers run from
mod servers; // real servers, for tests and benchmarks
mod nodes; // nodes of clusters that tests start themselves
mod test_report; // what the output of tests says
mod suite; // every check there is
mod mutations; // faults that tests must notice
mod fuzz; // inputs that nobody thought of
mod programs; // the demo, the benchmarks, the servers, the installed host

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use crate::args::{Args, Command};
use crate::cache::Cache;
use crate::terminal::red;

fn main() -> ExitCode {
    let Some(command) = Args::parse().command else {
        // A closed pipe is the reader's choice.
        let _ = Args::command().print_long_help();
        return ExitCode::SUCCESS;
    };
    match dispatch(command) {
        Ok(code) => code,
        Err(error) => {
            // The chain without a backtrace: these are messages for people.
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("{} {}", red("error:"), chain.join("\n  because "));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let cache = Cache::open()?;
    match command {
        Command::Demo { arguments } => programs::run(&cache, "watchbell-demo", &arguments),
        Command::Bench { arguments } => programs::run(&cache, "watchbell-bench", &arguments),
        Command::Servers { heap, servers } => programs::servers(&cache, &heap, servers),
        Command::Record { servers } => programs::record(&cache, &servers),
        Command::Install { to } => programs::install(&cache, to),
        Command::Test { only, keep_going } => suite::run(cache, ci, &suite::Options { only, keep_going }),
        Command::Attacks => suite::attacks(cache, ci),
        Command::Fuzz { targets, minutes, json, keep } => {
            fuzz::run(&cache, &fuzz::Options { targets, minutes, json, keep })
        }
        Command::Mutations { only } => mutations::run(&cache, only),
        Command::Plugins => {
            programs::build_plugins(&cache, &programs::prepare(&cache)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Setup => {
            println!("{}", setup::report(&programs::prepare(&cache)?, &cache));
            Ok(ExitCode::SUCCESS)
        }
    }
}
