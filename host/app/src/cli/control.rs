//! Commands to a running host: what people do about episodes, silences, pauses and dead letters.
pub(super) mod args; // the command line
mod client; // the host's API over its socket or the network
mod choose; // which episode is meant
mod episodes; // what is open
mod silence; // silences and pauses
mod dead_letter; // messages that were given up

use std::io::{BufRead, IsTerminal, Read};

use self::args::{Ack, Note, Reach, Resolve, Unack};
use self::client::Client;
use super::{Colour, Failure, Terminal, json, note, paint, plain, print};
use crate::commands::{Answer, Body, Order, Outcome};

pub(crate) use client::socket_and_store;
pub(crate) use dead_letter::dead_letter;
pub(crate) use episodes::episodes;
pub(crate) use silence::{pause, silence, silences, unpause, unsilence};

/// The exit code for what is not committed yet, or was not taken.
const UNCONFIRMED: u8 = 3;
/// Bytes of a typed answer.
const ANSWER_BYTES_MAX: u64 = 100;

pub(crate) fn ack(args: &Ack) -> Result<(), Failure> {
    let order = |episode| Order::Acknowledge { episode };
    choose::each(&args.which, &args.reach, "acknowledged", order)
}

pub(crate) fn unack(args: &Unack) -> Result<(), Failure> {
    let order = |episode| Order::Unacknowledge { episode };
    choose::each(&args.which, &args.reach, "no longer acknowledged", order)
}

pub(crate) fn resolve(args: &Resolve) -> Result<(), Failure> {
    let order = |episode| Order::Resolve { episode };
    choose::each(&args.which, &args.reach, "resolved", order)
}

pub(crate) fn note_down(args: &Note) -> Result<(), Failure> {
    let order = |episode| Order::Note { episode, text: args.text.clone() };
    choose::each(&args.which, &args.reach, "noted", order)
}

/// A command's answer, and in words what was done by it.
struct Done {
    answer: Answer,
    what: String,
}

/// Sends a command under `--id`, or under an id of its own.
fn give(client: &Client, reach: &Reach, order: Order, what: String) -> Result<Done, Failure> {
    let id = reach.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let body = Body { id, command: order, called: reach.called() };
    Ok(Done { answer: client.post(&body)?, what })
}

/// Tells what became of commands. The exit code is that of the worst.
fn tell(reach: &Reach, done: &[Done]) -> Result<(), Failure> {
    if reach.json {
        let answers: Vec<&Answer> = done.iter().map(|done| &done.answer).collect();
        match answers.as_slice() {
            [answer] => json(answer)?,
            answers => json(&answers)?,
        }
    } else {
        done.iter().try_for_each(Done::tell)?;
    }
    let has = |outcome: Outcome| done.iter().any(|done| done.answer.outcome == outcome);
    if has(Outcome::Refused) {
        Err(Failure::Told)
    } else if has(Outcome::Recorded) || has(Outcome::NotTaken) {
        Err(Failure::Ended(UNCONFIRMED))
    } else {
        Ok(())
    }
}

impl Done {
    fn tell(&self) -> Result<(), Failure> {
        let Answer { id, outcome, reason } = &self.answer;
        let reason = plain(reason.as_deref().unwrap_or("the host does not say why"));
        let (word, colour) = match outcome {
            Outcome::Applied => return print(&self.what),
            Outcome::Refused => ("refused:", Colour::Red),
            Outcome::Recorded => ("not confirmed:", Colour::Yellow),
            Outcome::NotTaken => ("not taken:", Colour::Red),
        };
        note(&format!("{} {reason}", paint(word, colour)));
        if *outcome == Outcome::Recorded {
            note(&format!("\nhint: give the same command again with `--id {id}`: it is applied once"));
        }
        Ok(())
    }
}

/// Asks before something that reaches far. Without a terminal nobody can answer, so `--yes` is needed.
fn confirmed(question: &str, is_agreed: bool) -> Result<(), Failure> {
    if is_agreed {
        return Ok(());
    }
    if !Terminal::error().is_terminal() || !std::io::stdin().is_terminal() {
        let message = format!("{question}\n\nhint: pass `--yes` to go ahead");
        return Err(Failure::Faults(anyhow::anyhow!(message)));
    }
    note(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Faults(anyhow::anyhow!("nothing was changed"))),
    }
}
