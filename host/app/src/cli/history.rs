//! The audit log: which commands people gave, and what became of them. From the store, whether a host runs or not.
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use watchbell_pipeline::record::CommandRecord;
use watchbell_store::{Read, Sqlite};
use watchbell_view::Time;

use super::control::socket_and_store;
use super::shared_args::Place;
use super::{Colour, Failure, json, paint, plain, print};
use crate::commands::Order;

#[derive(Debug, Args)]
pub struct History {
    /// The commands: the audit log.
    #[arg(long, required = true)]
    pub commands: bool,
    /// Only the newest.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    #[command(flatten)]
    pub place: Place,
    /// The store to read; overrides the environment.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Log {
    version: u32,
    /// Newest first.
    commands: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    number: u64,
    id: String,
    at: Time,
    by: String,
    command: Order,
    /// Why it was refused; null if it was carried out.
    refused: Option<String>,
}

pub(crate) fn history(args: &History) -> Result<(), Failure> {
    let (_, store) = socket_and_store(&args.place, args.store.as_deref())?;
    let reader = Sqlite::open_reader(&store).map_err(|error| Failure::Store(error.into()))?;
    let commands = reader.commands(args.limit).map_err(|error| Failure::Store(error.into()))?;
    if args.json {
        let commands = commands.iter().map(Entry::of).collect();
        return json(&Log { version: crate::web::api::VERSION, commands });
    }
    if commands.is_empty() {
        return print("no command was given yet");
    }
    // The newest is nearest to the prompt.
    let lines: Vec<String> = commands.iter().rev().map(line).collect();
    print(&lines.join("\n"))
}

impl Entry {
    fn of(record: &CommandRecord) -> Self {
        Self {
            number: record.number,
            id: record.id.0.clone(),
            at: Time(record.at),
            by: record.by.clone(),
            command: Order::of(&record.command),
            refused: record.refused.clone(),
        }
    }
}

fn line(record: &CommandRecord) -> String {
    let refused = record
        .refused
        .as_ref()
        .map_or_else(String::new, |why| format!("\n      {} {}", paint("refused:", Colour::Red), plain(why)));
    format!("{:5} {}  {}  {}{refused}", record.number, record.at, plain(&record.by), words(&record.command))
}

fn words(command: &watchbell_pipeline::record::Command) -> String {
    match Order::of(command) {
        Order::Acknowledge { episode } => format!("ack {}", plain(&episode)),
        Order::Unacknowledge { episode } => format!("unack {}", plain(&episode)),
        Order::Resolve { episode } => format!("resolve {}", plain(&episode)),
        Order::Note { episode, text } => format!("note {}: {}", plain(&episode), plain(&text)),
        Order::Retry { message } => format!("dead-letter retry {}", plain(&message)),
        Order::Drop { message } => format!("dead-letter drop {}", plain(&message)),
        Order::Silence(silence) => format!(
            "silence {} from {} until {}: {}",
            plain(&silence.matchers.join(" ")),
            silence.from.unwrap_or_default(),
            silence.until.unwrap_or_default(),
            plain(&silence.reason)
        ),
        Order::Unsilence { silence } => format!("unsilence {}", plain(&silence)),
        Order::Pause(pause) => {
            format!("pause until {}: {}", pause.until.unwrap_or_default(), plain(&pause.reason))
        }
        Order::Unpause {} => "unpause".into(),
    }
}
