//! One module per command.
mod terminal; // the one writer
mod shared_args; // arguments that several commands share
mod args; // the command line
mod place; // which manifests, in which environment
mod run;
mod check;
mod online; // `check --online`
mod listed; // its warnings about list values
mod texts; // texts that pass a limit
mod shown; // fields in texts that no document has
mod render;
mod status;
mod explain;
mod control; // commands to a running host
mod noise; // how much each rule says
mod history; // the commands that were given
mod test;
mod preview;
mod destination;
mod oncall;
mod past; // evaluates a past time range of a cluster, within limits
mod backtest;
mod shadow;
mod replay;
mod upgrade_gate;
mod import;
mod plugin;
mod node;

use std::process::ExitCode;

use clap::CommandFactory;
use serde::Serialize;

pub use args::{BenchPlugin, Cli, Command, NewPlugin, Plugin, PluginKind, PluginLanguage, SchemaOf};
pub use destination::Destination;
pub use preview::Preview;
pub use render::Render;
pub use shared_args::Place;
pub(crate) use terminal::{Colour, LogLines, Terminal, block, paint, plain};
pub use upgrade_gate::args::{Until, UpgradeGate};

/// Why a command exits with a code other than 0; `--help` lists the codes.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1, with a message.
    Faults(anyhow::Error),
    /// Exit code 1; everything has been printed.
    Told,
    /// This exit code; everything has been printed.
    Ended(u8),
    /// Exit code 2: no verdict could be reached.
    Undecided(anyhow::Error),
    /// Exit code 3.
    Store(anyhow::Error),
    /// Exit code 4.
    Superseded(String),
    /// Exit code 5.
    Abandoned(usize),
}

/// Tells what is wrong with a command line, or gives the help that it asks for.
pub fn unparsed(error: &clap::Error) -> ExitCode {
    let text = error.render();
    let asked = !error.use_stderr();
    let terminal = if asked { Terminal::out() } else { Terminal::error() };
    // The help is of our own words alone.
    let written = match asked {
        true if terminal.has_colours() => terminal.verbatim(text.ansi().to_string().as_bytes()),
        true => terminal.verbatim(text.to_string().as_bytes()),
        false => terminal.print(&text.to_string()),
    };
    match (asked, written) {
        (true, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
    }
}

pub fn main(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Run(args) => match run::run(&args) {
            // If the log is JSON, its last line must be JSON too.
            Err(failure) if crate::logs::is_json(args.json) => return failure.log(),
            outcome => outcome,
        },
        Command::Check(args) => check::check(&args),
        Command::Render(args) => render::render(&args),
        Command::Status(args) => status::status(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Episodes(args) => control::episodes(&args),
        Command::Ack(args) => control::ack(&args),
        Command::Unack(args) => control::unack(&args),
        Command::Resolve(args) => control::resolve(&args),
        Command::Note(args) => control::note_down(&args),
        Command::Silence(args) => control::silence(&args),
        Command::Unsilence(args) => control::unsilence(&args),
        Command::Silences(args) => control::silences(&args),
        Command::Pause(args) => control::pause(&args),
        Command::Unpause(args) => control::unpause(&args),
        Command::DeadLetter(args) => control::dead_letter(&args),
        Command::History(args) => history::history(&args),
        Command::Noise(args) => noise::noise(&args),
        Command::Test(args) => test::test(&args),
        Command::Preview(args) => preview::preview(&args),
        Command::Destination(command) => destination::destination(&command),
        Command::Oncall(args) => oncall::oncall(&args),
        Command::Backtest(args) => backtest::backtest(&args),
        Command::Shadow(args) => shadow::shadow(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::UpgradeGate(args) => upgrade_gate::upgrade_gate(&args),
        Command::Import(args::Import::Elastalert(args)) => import::elastalert(&args),
        Command::Import(args::Import::Alertmanager(args)) => import::alertmanager(&args),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Node(args) => node::node(&args),
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Rule => watchbell_manifest::schema_rule().clone(),
                SchemaOf::Environment => watchbell_manifest::schema_environment().clone(),
                SchemaOf::Test => watchbell_manifest::schema_test().clone(),
                SchemaOf::Status => watchbell_view::schema_status(),
                SchemaOf::Explain => watchbell_view::schema_explain(),
                SchemaOf::ExplainEpisode => watchbell_view::schema_explain_episode(),
            };
            json(&schema)
        }
        Command::CompileModule { cpu_seconds, memory_bytes } => {
            return watchbell_sandbox::compile_confined(
                std::time::Duration::from_secs(cpu_seconds),
                memory_bytes,
            );
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "watchbell", &mut script);
            Terminal::out().verbatim(&script).map_err(Failure::from)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Failure {
    fn report(self) -> ExitCode {
        let (code, message) = self.told();
        if let Some(message) = message {
            note(&format!("{} {}", paint("error:", Colour::Red), block(&message)));
        }
        ExitCode::from(code)
    }

    /// As a log line, for a command whose output is a log.
    fn log(self) -> ExitCode {
        let (code, message) = self.told();
        if let Some(message) = message {
            tracing::error!(exit_code = code, "{message}");
        }
        ExitCode::from(code)
    }

    fn told(self) -> (u8, Option<String>) {
        match self {
            Self::Told => (1, None),
            Self::Ended(code) => (code, None),
            Self::Undecided(error) => (2, Some(crate::chain(error.as_ref()))),
            Self::Faults(error) => (1, Some(crate::chain(error.as_ref()))),
            Self::Store(error) => (3, Some(crate::chain(error.as_ref()))),
            Self::Superseded(by) => (4, Some(by)),
            Self::Abandoned(count) => (5, Some(format!("abandoned {count} runs or deliveries"))),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Faults(error.into())
    }
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    Ok(Terminal::out().print(text)?)
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    Ok(Terminal::out().json(value)?)
}

/// Writes to standard error, where nothing can be done about a failure to write.
pub(crate) fn note(text: &str) {
    let _ = Terminal::error().print(text);
}
