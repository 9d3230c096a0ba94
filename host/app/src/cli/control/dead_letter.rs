//! Messages that no receiver accepted in time.
use anyhow::anyhow;
use watchbell_view::Fate;

use super::args::{DeadLetter, Letters};
use super::client::Client;
use super::episodes::{ID_SHOWN, short};
use super::{give, tell};
use crate::cli::{Colour, Failure, json, note, paint, plain, print};
use crate::commands::Order;
use crate::web::api::DeadLetters;

const PATH: &str = "api/v1/dead-letters";
/// The length of a whole id, in hex.
const ID_CHARS: usize = 32;

pub(crate) fn dead_letter(command: &DeadLetter) -> Result<(), Failure> {
    match command {
        DeadLetter::List { rule, reach } => {
            let client = Client::new(reach)?;
            let rule = rule.as_deref().map(|rule| ("rule", rule));
            let found: DeadLetters = client.get(PATH, rule.as_slice())?;
            if reach.json { json(&found) } else { list(&found) }
        }
        DeadLetter::Retry(letters) => each(letters, "will be sent again", |message| Order::Retry { message }),
        DeadLetter::Drop(letters) => each(letters, "given up", |message| Order::Drop { message }),
    }
}

fn list(found: &DeadLetters) -> Result<(), Failure> {
    if found.messages.is_empty() {
        return print("there are no dead letters");
    }
    let mut text = paint(&format!("{:ID_SHOWN$}  what, and why it was given up", "id"), Colour::Bold);
    for letter in &found.messages {
        let message = &letter.message;
        text.push_str(&format!(
            "\n{:ID_SHOWN$}  {} to {}: {}",
            short(&message.id),
            plain(&letter.rule),
            plain(&message.destination),
            plain(&letter.summary),
        ));
        if let Fate::Dead { dead_at, last_error, .. } = &message.fate {
            let error = plain(last_error);
            text.push_str(&format!("\n{:1$}{dead_at}: {error}", "", ID_SHOWN + 2));
        }
    }
    print(&text)?;
    if found.more {
        note("there are more than are listed: choose a rule with `--rule`");
    }
    Ok(())
}

fn each(letters: &Letters, what: &str, order: impl Fn(String) -> Order) -> Result<(), Failure> {
    let Letters { messages, reach } = letters;
    if reach.id.is_some() && messages.len() > 1 {
        return Err(Failure::Faults(anyhow!(
            "`--id` is of one command, and {} messages are meant",
            messages.len()
        )));
    }
    let client = Client::new(reach)?;
    let ids = messages.iter().map(|id| whole(&client, id)).collect::<Result<Vec<_>, _>>()?;
    let mut done = Vec::new();
    for id in ids {
        let said = format!("{what}: {}", short(&id));
        done.push(give(&client, reach, order(id), said)?);
    }
    tell(reach, &done)
}

/// The whole id of what begins so.
fn whole(client: &Client, id: &str) -> Result<String, Failure> {
    let id = id.to_ascii_lowercase();
    if id.len() >= ID_CHARS {
        return Ok(id);
    }
    let found: DeadLetters = client.get(PATH, &[("id", &id)])?;
    match found.messages.as_slice() {
        [letter] => Ok(letter.message.id.clone()),
        [] => Err(Failure::Faults(anyhow!(
            "no dead letter has an id that begins with `{id}`\n\nhint: see `watchbell dead-letter list`"
        ))),
        several => Err(Failure::Faults(anyhow!(
            "{} dead letters have an id that begins with `{id}`\n\nhint: give more of it",
            several.len()
        ))),
    }
}
