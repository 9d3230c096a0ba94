//! `cargo xtask bench`: the figures that matter, as ratios within one run, with the machine's noise beside them.
mod table; // min, median, max
mod parse; // response bytes to columns
mod rows; // rows into a rule: native, and as a component
mod subjects; // what each rule is measured at
mod rules; // every rule at as many keys as it promises
mod sandbox; // fresh sandboxes and cached modules
mod texts; // texts, natively and by the component
mod corpus; // documents for a real server
mod process; // what a process cost
mod node; // the embedded node against a real server
mod host; // the whole host on raw hits
mod elastalert; // ElastAlert2 at the same work
mod deliveries; // from a decision, and from a document, to its receiver
mod scale; // twenty thousand rules
mod tests; // a thousand tests of rules

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Runs benchmarks and prints tables of min, median and max. Compare numbers only within one run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    work: Work,
    /// Repetitions of each measurement.
    #[arg(long, default_value_t = 7, global = true)]
    runs: usize,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Response bytes to columns, against serde_json's tree and simd-json's tape.
    Parse,
    /// Rows into a rule, native against component.
    Rows,
    /// Every rule as a component with as many keys as it supports: time per row, memory, state.
    Rules,
    /// A fresh sandbox and one call; a compiled module from the cache.
    Sandbox,
    /// Texts by the component that renders them, against native.
    Texts,
    /// `watchbell test` on a thousand tests.
    Tests,
    /// The embedded node against a real server, with a thousand leading wildcards over 100,000 documents.
    Node,
    /// The whole host on raw hits of a real server, against the server's rate when nobody parses the answers.
    Host,
    /// From a decision to its receiver at 200 messages a second, and from a searchable document to its receiver; takes
    /// about eight minutes.
    Deliveries,
    /// Twenty thousand rules every minute, with and without requests to the status pages; takes about ten minutes.
    Scale {
        #[arg(long, default_value_t = 20_000)]
        rules: usize,
    },
    /// The whole host on raw hits, compared with ElastAlert2 in its own Python 3.12 environment.
    Elastalert,
}

/// The work that whole programs are measured at.
#[derive(Clone, Debug, clap::Args)]
struct Work {
    #[arg(long, default_value_t = 500_000, global = true)]
    documents: u64,
    /// A running Elasticsearch, instead of the one that `cargo xtask bench` starts.
    #[arg(long, value_name = "URL", global = true)]
    cluster: Option<String>,
}

fn main() -> ExitCode {
    match bench(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> Result<()> {
    let runs = args.runs.max(1);
    match args.what {
        Some(What::Parse) => parse::bench(runs),
        Some(What::Rows) => rows::bench(runs),
        Some(What::Rules) => rules::bench(runs),
        Some(What::Sandbox) => sandbox::bench(runs),
        Some(What::Texts) => texts::bench(runs),
        Some(What::Tests) => tests::bench(runs),
        Some(What::Node) => node::bench(runs, &node::servers(args.work.cluster.as_deref())?),
        Some(What::Host) => host::bench(&args.work).map(drop),
        Some(What::Deliveries) => deliveries::bench(runs),
        Some(What::Scale { rules }) => scale::bench(rules, runs.min(4)),
        Some(What::Elastalert) => elastalert::bench(&args.work),
        None => {
            parse::bench(runs)?;
            rows::bench(runs)?;
            rules::bench(runs)?;
            sandbox::bench(runs)?;
            texts::bench(runs)?;
            tests::bench(runs)?;
            match args.work.server() {
                Ok(_) => host::bench(&args.work).map(drop),
                Err(why) => {
                    println!("\nskipped: the whole host on a real server ({why})");
                    Ok(())
                }
            }
        }
    }
}

impl Work {
    /// The server to ask: the one named, or Elasticsearch 7.10.2 among those that were started for this.
    fn server(&self) -> Result<String> {
        if let Some(url) = &self.cluster {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let servers = std::env::var("WATCHBELL_SERVERS").unwrap_or_default();
        let url = servers.split(',').find_map(|server| server.strip_prefix("es7="));
        url.map(str::to_owned)
            .context("no Elasticsearch: run it with `cargo xtask bench`, or pass `--cluster URL`")
    }
}

/// A path that `cargo xtask bench` hands over.
fn given(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.with_context(|| format!("{variable} is not set: run it with `cargo xtask bench`"))
}
