//! `watchbell destination`: which destinations there are, and whether a message arrives.
use clap::{Args, Subcommand};
use serde_json::Value;

use super::place::catalog;
use super::{Colour, Failure, Place, json, paint, plain, print};
use crate::destinations::{self, Listed, Tried, told};

#[derive(Debug, Subcommand)]
pub enum Destination {
    /// List the destinations of an environment: product, address, how the host authenticates, and for which rules.
    List(List),
    /// Send one message to a destination, with its real credentials, and say what the receiver answered.
    ///
    /// The message says that it is a test. It is sent once, past the outbox: nothing is stored, retried or counted. The
    /// exit code is 0 if the receiver accepted it.
    Test(Test),
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub place: Place,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Test {
    /// The destination's name.
    pub name: String,
    #[command(flatten)]
    pub place: Place,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn destination(command: &Destination) -> Result<(), Failure> {
    match command {
        Destination::List(args) => list(args),
        Destination::Test(args) => test(args),
    }
}

fn list(args: &List) -> Result<(), Failure> {
    let bundle = args.place.load_to_ask(&catalog(None)?)?;
    let listed = destinations::list(&bundle);
    if args.json {
        return json(&listed.iter().map(Listed::json).collect::<Vec<Value>>());
    }
    print(&table(&listed))
}

fn table(listed: &[Listed]) -> String {
    let head = ["destination", "product", "address", "auth", "rules"].map(str::to_owned);
    let row = |one: &Listed| {
        let auth = one.auth.as_deref().unwrap_or("-");
        let rules = one.rules.len().to_string();
        [plain(&one.name), plain(&one.alerter.to_string()), plain(&one.address), plain(auth), rules]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(listed.iter().map(row)).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = [0, 1, 2, 3].map(widest);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  "));
        cells.chain([row[4].clone()]).collect::<String>()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn test(args: &Test) -> Result<(), Failure> {
    let catalog = catalog(None)?;
    // Secrets of other destinations and of clusters are not needed.
    let bundle = args.place.load_to_ask(&catalog)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tried = runtime.block_on(destinations::test(&bundle, &args.name, &catalog))?;
    if args.json {
        json(&tried.json(&args.name))?;
    } else {
        print(&sentence(&args.name, &tried))?;
    }
    if tried.is_delivered() { Ok(()) } else { Err(Failure::Told) }
}

fn sentence(name: &str, tried: &Tried) -> String {
    let (name, took) = (plain(name), tried.took);
    match &tried.outcome {
        Ok(receipt) => {
            let reference = receipt.reference.as_deref().map(plain);
            let reference = reference.map(|it| format!("; the receiver calls it `{it}`")).unwrap_or_default();
            format!("{} `{name}` accepted the message in {took}{reference}", paint("ok:", Colour::Green))
        }
        Err(refusal) => {
            let (outcome, reason, retry_after) = told(refusal);
            let later = retry_after.map(|after| format!("; again in {after}")).unwrap_or_default();
            let head = paint(&format!("{outcome}:"), Colour::Red);
            format!("{head} `{name}` after {took}: {}{later}", plain(reason))
        }
    }
}
