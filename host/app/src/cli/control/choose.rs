//! Which episode is meant: by its id, by how that begins, or by rule and labels.
use anyhow::{anyhow, bail};
use watchbell_view::Phase;

use super::args::{Reach, Which};
use super::client::Client;
use super::episodes::{line, open};
use super::{Done, confirmed, give, tell};
use crate::cli::shared_args::key_value;
use crate::cli::{Failure, plain};
use crate::commands::Order;
use crate::web::api::OpenEpisode;

/// The length of a whole id, in hex.
const ID_CHARS: usize = 32;
/// Beyond this many, people are asked.
pub(super) const UNASKED_MAX: usize = 10;
/// How many are named in an error.
const NAMED_MAX: usize = 10;

/// Gives a command about each episode that is meant.
pub(super) fn each(
    which: &Which,
    reach: &Reach,
    what: &str,
    order: impl Fn(String) -> Order,
) -> Result<(), Failure> {
    let client = Client::new(reach)?;
    let chosen = chosen(&client, which)?;
    if reach.id.is_some() && chosen.len() > 1 {
        return Err(Failure::Faults(anyhow!(
            "`--id` is of one command, and {} episodes are meant",
            chosen.len()
        )));
    }
    if chosen.len() > UNASKED_MAX {
        confirmed(&format!("{} episodes are meant", chosen.len()), which.yes)?;
    }
    let mut done: Vec<Done> = Vec::new();
    for (id, known) in chosen {
        let said = match &known {
            Some(known) => format!("{what}: {}{}", line(known), already(known, what)),
            None => format!("{what}: {}", plain(&id)),
        };
        done.push(give(&client, reach, order(id), said)?);
    }
    tell(reach, &done)
}

/// The first to acknowledge an episode keeps it, and the second should know.
fn already(episode: &OpenEpisode, what: &str) -> String {
    match &episode.episode.phase {
        Phase::Acknowledged { acknowledged_by, .. } if what == "acknowledged" => {
            format!(" (by {} already, which stays)", plain(acknowledged_by))
        }
        _ => String::new(),
    }
}

/// Ids, with the episodes where they were looked up.
fn chosen(client: &Client, which: &Which) -> Result<Vec<(String, Option<OpenEpisode>)>, Failure> {
    let known = |episode: OpenEpisode| (episode.episode.id.clone(), Some(episode));
    if let Some(rule) = &which.rule {
        let labels = which.words.iter().map(|word| key_value(word).map_err(|why| anyhow!("`{word}`: {why}")));
        let labels: Vec<(String, String)> = labels.collect::<Result<_, _>>()?;
        let mut found = open(client, &[("rule", rule)])?.episodes;
        found.retain(|episode| has(episode, &labels));
        return Ok(match found.len() {
            0 => return Err(Failure::Faults(anyhow!("nothing open of the rule `{rule}` has these labels"))),
            1 => found,
            _ if which.all => found,
            _ => {
                return Err(Failure::Faults(several(
                    &found,
                    "add labels, name one by its id, or pass `--all`",
                )));
            }
        }
        .into_iter()
        .map(known)
        .collect());
    }
    let [id] = which.words.as_slice() else {
        return Err(Failure::Faults(anyhow!("name one episode, or several by `--rule RULE --all`")));
    };
    let id = id.to_ascii_lowercase();
    if id.len() >= ID_CHARS {
        return Ok(vec![(id, None)]);
    }
    let found = open(client, &[("id", &id)])?.episodes;
    Ok(vec![known(only(found, &id)?)])
}

fn only(mut found: Vec<OpenEpisode>, id: &str) -> anyhow::Result<OpenEpisode> {
    match (found.pop(), found.is_empty()) {
        (Some(episode), true) => Ok(episode),
        (None, _) => {
            bail!("no open episode has an id that begins with `{id}`\n\nhint: see `watchbell episodes`")
        }
        (Some(last), false) => {
            found.push(last);
            Err(several(&found, "give more of the id"))
        }
    }
}

fn several(found: &[OpenEpisode], hint: &str) -> anyhow::Error {
    let lines: Vec<String> = found.iter().take(NAMED_MAX).map(|it| format!("\n  {}", line(it))).collect();
    let rest = found.len().saturating_sub(NAMED_MAX);
    let rest = if rest > 0 { format!("\n  and {rest} more") } else { String::new() };
    anyhow!("{} open episodes are meant:{}{rest}\n\nhint: {hint}", found.len(), lines.concat())
}

fn has(episode: &OpenEpisode, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(name, value)| {
        let found = episode.episode.labels.get(name);
        found.is_some_and(|found| found.as_deref().unwrap_or_default() == value)
    })
}
