//! One module per command.
mod shared_args; // arguments that several commands share
mod args; // the command line
mod place; // which manifests, in which environment
mod run;
mod check;
mod online; // `check --online`
mod listed; // its warnings about list values
mod shown; // fields in texts that no document has
mod render;
mod status;
mod explain;
mod test;
mod past; // evaluates a past time range of a cluster, within limits
mod backtest;
mod shadow;
mod replay;
mod upgrade_gate;
mod import;
mod plugin;
mod node;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::CommandFactory;

pub use args::{BenchPlugin, Cli, Command, NewPlugin, Plugin, PluginKind, PluginLanguage, SchemaOf};
pub use shared_args::Place;
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
        Command::Test(args) => test::test(&args),
        Command::Backtest(args) => backtest::backtest(&args),
        Command::Shadow(args) => shadow::shadow(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::UpgradeGate(args) => upgrade_gate::upgrade_gate(&args),
        Command::Import(args::Import::Elastalert(args)) => import::elastalert(&args),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Node(args) => node::node(&args),
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Rule => watchbell_manifest::schema_rule().clone(),
                SchemaOf::Environment => watchbell_manifest::schema_environment().clone(),
                SchemaOf::Test => watchbell_manifest::schema_test().clone(),
                SchemaOf::Status => watchbell_view::schema_status(),
                SchemaOf::Explain => watchbell_view::schema_explain(),
            };
            print(&format!("{schema:#}"))
        }
        Command::CompileModule { cpu_seconds, memory_bytes } => {
            return watchbell_sandbox::compile_confined(
                std::time::Duration::from_secs(cpu_seconds),
                memory_bytes,
            );
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "watchbell", &mut std::io::stdout());
            Ok(())
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
            eprintln!("{} {message}", paint("error:", RED, &std::io::stderr()));
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

pub(crate) const RED: &str = "1;31";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "33";
pub(crate) const BOLD: &str = "1";

/// `text` in color, if `stream` is a terminal and colors are not turned off.
pub(crate) fn paint(text: &str, colour: &str, stream: &impl IsTerminal) -> String {
    if stream.is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Text from a plugin, a document or a receiver, without control characters that would move a terminal's cursor or
/// change its colors.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// Writes to standard output; a closed pipe (`| head`) is not an error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_others_wrote_moves_no_cursor() {
        assert_eq!(super::plain("a\x1b[2Jb\u{9b}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
