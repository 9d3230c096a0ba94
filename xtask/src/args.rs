//! The command line of `cargo xtask`.
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use crate::fuzz;
use crate::jars::{self, KINDS, NODES, RECORDED};
use crate::suite;

const AFTER: &str = "\
Build output is kept outside the checkout, in the first of $WATCHBELL_CACHE, $XDG_CACHE_HOME/watchbell and
~/.cache/watchbell that can be written. For quick iterations, use the same folders:

  export CARGO_TARGET_DIR=~/.cache/watchbell/target
  export WATCHBELL_PLUGINS=~/.cache/watchbell/plugins WATCHBELL_GUESTS=~/.cache/watchbell/guests
  cargo test -p watchbell-pipeline

A test that cannot run prints `skipped: NAME (reason)`, or `skipped: NAME on es9` for a server that is missing.
With CI=true, a skipped test is a failure, and what the real servers need (Maven, JDKs) is installed with apt.
`just` lists shorter commands for daily use.";

/// Commands for this repository. Each finds or installs what it needs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", after_help = AFTER)]
pub(crate) struct Args {
    /// Without a command, prints the help.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a rule find a spike in a live log stream, in about 40 s
    #[command(disable_help_flag = true)]
    Demo {
        /// `--once`, `--cluster URL`; see `--help` for the rest
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install `watchbell` with all plugins into a folder
    Install {
        /// The folder [default: ~/.local/bin]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Run every check, each with a time budget
    Test {
        /// Run only this stage; may be repeated
        #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(suite::names()))]
        only: Vec<String>,
        /// Continue after a failed stage
        #[arg(long)]
        keep_going: bool,
    },
    /// Run what hostile clusters, receivers, modules, manifests and documents can do, and what fuzzing found
    Attacks,
    /// Throw inputs at every reader of foreign bytes; installs cargo-fuzz and a nightly compiler
    Fuzz {
        /// The targets [default: all]
        #[arg(value_name = "TARGET", value_parser = PossibleValuesParser::new(fuzz::TARGETS))]
        targets: Vec<String>,
        /// For each target
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        minutes: u64,
        /// Report as JSON
        #[arg(long)]
        json: bool,
        /// Afterwards, minimise the corpus into fuzz/corpus
        #[arg(long)]
        keep: bool,
    },
    /// Plant faults in the notifier, one after the other; its tests must notice each
    Mutations {
        /// Only the mutation with this number
        #[arg(long, value_name = "N")]
        only: Option<usize>,
    },
    /// Run the benchmarks: all but `scale` and `elastalert`, or one of parse, rows, rules, sandbox, texts, tests,
    /// node, host, scale, elastalert
    #[command(disable_help_flag = true)]
    Bench {
        /// Which benchmarks, and how; see `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run real Elasticsearch and OpenSearch servers on this machine, until Ctrl-C
    Servers {
        /// Memory of each server
        #[arg(long, value_name = "SIZE", default_value = "512m")]
        heap: String,
        /// The servers [default: all]
        #[arg(value_name = "SERVER", value_parser = PossibleValuesParser::new(jars::keys(KINDS)))]
        servers: Vec<String>,
    },
    /// Record the servers' answers to the upgrade gate in tests/cases/gate
    Record {
        /// The servers [default: all]
        #[arg(value_name = "SERVER", value_parser = PossibleValuesParser::new(jars::keys(NODES.iter().chain(RECORDED))))]
        servers: Vec<String>,
    },
    /// Build plugins and test guests as components
    Plugins,
    /// Find or install a wasm compiler, and show what was found
    Setup,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let words = std::iter::once("cargo xtask").chain(line.split_whitespace());
        Args::try_parse_from(words)
            .map_err(|error| error.to_string())
            .and_then(|args| args.command.ok_or_else(String::new))
    }

    #[test]
    fn options_are_read() {
        let Ok(Command::Test { only, keep_going }) = parsed("test --only fmt --keep-going --only tests")
        else {
            panic!("not a test")
        };
        assert_eq!((only, keep_going), (vec!["fmt".into(), "tests".into()], true));
        let Ok(Command::Fuzz { targets, minutes, json, keep }) = parsed("fuzz hits --minutes 2 --json")
        else {
            panic!("not fuzz")
        };
        assert_eq!((targets, minutes, json, keep), (vec!["hits".into()], 2, true, false));
        let Ok(Command::Servers { heap, servers }) = parsed("servers --heap 1g es7 os3") else {
            panic!("not servers")
        };
        assert_eq!((heap.as_str(), servers), ("1g", vec!["es7".into(), "os3".into()]));
    }

    #[test]
    fn unknown_options_stages_and_servers_are_refused() {
        for (line, said) in [
            ("test --only", "[possible values: setup"),
            ("test --only x", "[possible values: setup"),
            ("test -v", "unexpected argument '-v'"),
            ("servers es8", "[possible values: es7"),
            ("install --to", "a value is required"),
            ("fuzz x", "[possible values: manifest"),
            ("fuzz --minutes 0", "0 is not in 1..=10000"),
            ("paint", "unrecognized subcommand 'paint'"),
        ] {
            let error = parsed(line).err().unwrap_or_default();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn a_programs_own_options_are_handed_on() {
        for line in
            ["bench rows --runs 3 --help", "bench --help", "demo --once --cluster http://127.0.0.1:9200"]
        {
            let (_, rest) = line.split_once(' ').unwrap_or_default();
            let Ok(Command::Bench { arguments } | Command::Demo { arguments }) = parsed(line) else {
                panic!("{line}")
            };
            assert_eq!(arguments.join(" "), rest);
        }
    }
}
