//! The command lines, with examples: they are read at night.
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::cli::shared_args::Place;

const EXIT_CODES: &str = "\
Exit codes:
  0  applied
  1  refused, or no host could be asked; the reason is printed
  2  invalid command line
  3  not confirmed within 2 s (or not taken): give it again with the printed `--id`, it is applied once";

const WHICH: &str = "\
Examples:
  watchbell episodes                                    what is open, with ids
  watchbell ack 3f2a91                                  an id may be shortened
  watchbell ack --rule failed-logins host.name=web-1    by rule and labels
  watchbell ack --rule failed-logins --all              everything open of a rule
  watchbell ack 3f2a91 --host https://bell.example.com --token-file ~/.bell-token

`unack`, `resolve` and `note` choose their episode in the same way.

Exit codes:
  0  applied
  1  refused, or no host could be asked; the reason is printed
  2  invalid command line
  3  not confirmed within 2 s (or not taken): give it again with the printed `--id`, it is applied once";

const SILENCE: &str = "\
Examples:
  watchbell silence host.name=db-7 --for 2h --reason 'replacing its disk'
  watchbell silence rule=disk-* severity!=critical --for 1d --reason 'migration, see OPS-12'
  watchbell silence owner=web-team --from 2026-11-20T22:00:00Z --for 4h --reason 'planned work'

A condition is NAME=VALUE or NAME!=VALUE; all must be met. NAME is a label, or `rule`, `owner` or `severity`; `*` in VALUE
stands for any characters. What is silenced is kept and shown, and announced when the silence ends and it still holds.
First the number of open episodes that it would hold is shown; above ten you are asked.

Exit codes:
  0  applied
  1  refused, or no host could be asked; the reason is printed
  2  invalid command line
  3  not confirmed within 2 s (or not taken): give it again with the printed `--id`, it is applied once";

/// How to reach the host. By default over the Unix socket beside its store.
#[derive(Debug, Args)]
pub struct Reach {
    #[command(flatten)]
    pub place: Place,
    /// The host's socket; by default as the environment says, or the store's file with `.sock` after it.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_SOCKET", conflicts_with = "host")]
    pub socket: Option<PathBuf>,
    /// The store beside which the socket is; overrides the environment.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_STORE")]
    pub store: Option<PathBuf>,
    /// Ask over the network: the URL of the host, or of the proxy in front of it. Needs `--token-file`.
    #[arg(long, value_name = "URL", env = "WATCHBELL_HOST", requires = "token_file")]
    pub host: Option<String>,
    /// A file that holds a token of the environment's `access.tokens`.
    #[arg(long, value_name = "FILE", env = "WATCHBELL_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Your name, to be shown beside the user or token that the host knows. By default the one who called sudo.
    #[arg(long = "as", value_name = "NAME")]
    pub called: Option<String>,
    /// The id of the command: with the id of an earlier one, it is not applied a second time.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl Reach {
    pub(super) fn called(&self) -> Option<String> {
        let sudo = || std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
        self.called.clone().or_else(sudo)
    }
}

/// Which episode is meant.
#[derive(Debug, Args)]
pub struct Which {
    /// The episode's id, or how it begins. With `--rule`: labels that it has, as LABEL=VALUE.
    #[arg(value_name = "EPISODE", required_unless_present = "rule")]
    pub words: Vec<String>,
    /// The open episode of this rule.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// All that are chosen, if there is more than one.
    #[arg(long, requires = "rule")]
    pub all: bool,
    /// Do not ask when there are more than ten.
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = WHICH)]
pub struct Ack {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Unack {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Resolve {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Note {
    #[command(flatten)]
    pub which: Which,
    /// What to write down.
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub text: String,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct Episodes {
    /// Only those of this rule.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = SILENCE)]
pub struct Silence {
    /// Conditions: NAME=VALUE or NAME!=VALUE.
    #[arg(value_name = "MATCHER", required = true)]
    pub matchers: Vec<String>,
    /// How long it lasts: `30m`, `2h`, `7d`.
    #[arg(long = "for", value_name = "TIME", required_unless_present = "until", conflicts_with = "until")]
    pub lasts: Option<String>,
    /// When it ends: `2026-11-20T08:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// When it begins; now by default.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Why, for those who wonder.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do not ask when it holds more than ten open episodes.
    #[arg(short, long)]
    pub yes: bool,
    /// Only show what it would hold.
    #[arg(long)]
    pub preview: bool,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Unsilence {
    /// The silence's id, or how it begins: see `watchbell silences`.
    pub silence: String,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct Silences {
    #[command(flatten)]
    pub reach: Reach,
}

const PAUSE: &str = "\
Example:
  watchbell pause --for 30m --reason 'the deploy at 02:50 makes everything fire'

Rules go on being evaluated, and what they find is kept; nothing is sent. When the pause ends, by itself or by
`watchbell unpause`, what still holds is announced.

Exit codes:
  0  applied
  1  refused, or no host could be asked; the reason is printed
  2  invalid command line
  3  not confirmed within 2 s (or not taken): give it again with the printed `--id`, it is applied once";

#[derive(Debug, Args)]
#[command(after_help = PAUSE)]
pub struct Pause {
    /// How long: `30m`, at most `24h`.
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: String,
    /// Why, for those who wonder where their alerts are.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Unpause {
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Subcommand)]
pub enum DeadLetter {
    /// List the messages that no receiver accepted in time, and why.
    List {
        /// Only those of this rule.
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Send messages once more, each with a deadline that begins now.
    #[command(after_help = EXIT_CODES)]
    Retry(Letters),
    /// Give messages up: nobody will send them.
    #[command(after_help = EXIT_CODES)]
    Drop(Letters),
}

#[derive(Debug, Args)]
pub struct Letters {
    /// The messages' ids, or how they begin.
    #[arg(value_name = "MESSAGE", required = true, action = ArgAction::Append)]
    pub messages: Vec<String>,
    #[command(flatten)]
    pub reach: Reach,
}
