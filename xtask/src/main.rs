//! The commands of the repository: `cargo xtask help` lists them.
mod cache; // the folder that everything is built in
mod clock; // the one clock
mod terminal; // progress and colour
mod group; // a process and all that it starts
mod stage; // work with a name, a budget and a log
mod cargo; // calls of cargo
mod toolchain; // a compiler for wasm
mod java; // JDKs and Maven
mod elastalert; // what Watchbell is compared with
mod setup; // all of these, found or installed
mod component; // a core module becomes a component
mod plugins; // plugins and guests
mod http; // whether a server answers
mod jars; // what servers run from
mod servers; // real servers, for tests and benchmarks
mod nodes; // nodes of clusters that tests start themselves
mod counts; // what the output of tests says
mod suite; // every check there is
mod programs; // the demo, the benchmarks, the servers, the installed host

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::terminal::red;

const HELP: &str = "\
The commands of this repository. Each finds or installs what it needs.

  cargo xtask demo [--once] [--cluster URL]   watch a rule find a spike in a live log stream, in about 40 s
  cargo xtask install [--to DIR]              build `watchbell` with all plugins inside, into ~/.local/bin
  cargo xtask test [--only STAGE] [--keep-going]
                                              every check there is, with a time budget each:
                                              setup, fmt, plugins, clippy, tests, timelines, servers, upgrade
  cargo xtask bench [parse|rows|rules|sandbox|tests|node|host|scale|elastalert]
                                              measure all but the last two, or one of them; `scale` is twenty
                                              thousand rules and people who ask, `elastalert` is
                                              the whole host side by side with ElastAlert2
  cargo xtask servers [--heap 1g] [es7|es9|os3]…
                                              real Elasticsearch and OpenSearch on this machine, until Ctrl-C
  cargo xtask record [SERVER]…                record what servers answer the upgrade gate, into tests/cases/gate
  cargo xtask plugins                         build plugins and test guests as components
  cargo xtask setup                           find or install a wasm compiler; show what was found
  cargo xtask help                            this page

Build output is kept outside the checkout, in the first of $WATCHBELL_CACHE, $XDG_CACHE_HOME/watchbell and
~/.cache/watchbell that can be written. For quick rounds of your own use the same folders:

  export CARGO_TARGET_DIR=~/.cache/watchbell/target
  export WATCHBELL_PLUGINS=~/.cache/watchbell/plugins WATCHBELL_GUESTS=~/.cache/watchbell/guests
  cargo test -p watchbell-pipeline

A test that cannot run prints `skipped: NAME (reason)`, or `skipped: NAME on es9` for a server that is missing. 
With CI=true a skipped test is a failure, and what the real servers lack (Maven, JDKs) is installed where apt can.
`just` lists shorter names for daily use.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            // The chain without a backtrace: these are messages for people.
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("{} {}", red("error:"), chain.join("\n  because "));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match command {
        "demo" => programs::run(&Cache::open()?, "watchbell-demo", rest),
        "bench" => programs::run(&Cache::open()?, "watchbell-bench", rest),
        "servers" => programs::servers(&Cache::open()?, rest),
        "record" => programs::record(&Cache::open()?, rest),
        "install" => programs::install(&Cache::open()?, rest),
        "test" => suite::run(Cache::open()?, ci, &suite::Options::parse(rest)?),
        "plugins" => {
            let cache = Cache::open()?;
            programs::build_plugins(&cache, &programs::prepare(&cache)?)?;
            Ok(ExitCode::SUCCESS)
        }
        "setup" => {
            let cache = Cache::open()?;
            println!("{}", setup::report(&programs::prepare(&cache)?, &cache));
            Ok(ExitCode::SUCCESS)
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown command `{other}`: `cargo xtask help` lists them"),
    }
}
