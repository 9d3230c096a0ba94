//! Messages for a program on this machine: one that the operator names, with its arguments, in the environment.
//!
//! It is started for each attempt, without a shell, and gets the message as JSON on its standard input. How it ends says
//! what became of the message. It and all that it has started are killed once it has ended or its time is up.
mod message; // the message as JSON
mod process; // one run
mod verdict; // what its end means

pub use message::json;

use std::path::PathBuf;
use std::time::Duration;

use watchbell_contract::{Intent, Receipt, Refusal};
use watchbell_secret::Secret;

/// A program that takes messages.
#[derive(Clone, Debug)]
pub struct Program {
    /// Absolute.
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// Its environment, besides `PATH` and `LANG`. Nothing of the host's own is passed on, since secrets are there.
    pub variables: Vec<(String, String)>,
    /// More of its environment: values that are removed from what it writes.
    pub secrets: Vec<(String, Secret)>,
    /// How long a run may take.
    pub timeout: Duration,
}

impl Program {
    /// Delivers one message, by one run of the program. Dropping the future kills the program.
    ///
    /// # Errors
    /// What the program's end means: statuses 64, 65 and 78 refuse the message, all others ask for another attempt.
    /// A program that was killed because of its timeout may have done its work.
    pub async fn deliver(&self, intent: &Intent) -> Result<Receipt, Refusal> {
        verdict::of(self, process::run(self, json(intent).into_bytes()).await)
    }
}
