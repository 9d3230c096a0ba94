//! Silences, and the pause of everything.
use anyhow::anyhow;
use watchbell_contract::{Label, Severity};
use watchbell_pipeline::matcher::{Matcher, Subject, all_met};
use watchbell_pipeline::spec::RuleName;

use super::args::{Pause, Silence, Silences as SilencesArgs, Unpause, Unsilence};
use super::choose::UNASKED_MAX;
use super::client::Client;
use super::episodes::{ID_SHOWN, line, open, short};
use super::{confirmed, give, tell};
use crate::cli::{Colour, Failure, json, note, paint, plain, print};
use crate::commands::{self, Order};
use crate::web::api::{OpenEpisode, ShownSilence, Silences};

const PATH: &str = "api/v1/silences";
/// How many episodes a preview names.
const NAMED_MAX: usize = 10;

/// Shows what it would hold, asks if that is much, and silences it.
pub(crate) fn silence(args: &Silence) -> Result<(), Failure> {
    let matchers = args.matchers.iter().map(|text| Matcher::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let client = Client::new(&args.reach)?;
    let found = open(&client, &[])?;
    let held: Vec<&OpenEpisode> =
        found.episodes.iter().filter(|episode| is_held(episode, &matchers)).collect();
    let more = if found.more { " or more" } else { "" };
    if !args.reach.json || args.preview {
        preview(&held, more);
    }
    if args.preview {
        return Ok(());
    }
    if held.len() > UNASKED_MAX || found.more {
        confirmed(&format!("this holds {}{more} open episodes", held.len()), args.yes)?;
    }
    let order = Order::Silence(commands::Silence {
        matchers: matchers.iter().map(ToString::to_string).collect(),
        from: args.from.clone(),
        until: args.until.clone(),
        lasts: args.lasts.clone(),
        reason: args.reason.clone(),
    });
    let mut done = give(&client, &args.reach, order, String::new())?;
    // A silence has the id of the command that made it.
    let id = &done.answer.id;
    done.what = format!("silenced; `watchbell unsilence {}` ends it", short(id));
    tell(&args.reach, &[done])
}

fn preview(held: &[&OpenEpisode], more: &str) {
    let count = held.len();
    let noun = if count == 1 { "episode" } else { "episodes" };
    note(&format!("holds {count}{more} open {noun} now{}", if count == 0 { "" } else { ":" }));
    held.iter().take(NAMED_MAX).for_each(|episode| note(&format!("  {}", line(episode))));
    if count > NAMED_MAX {
        note(&format!("  and {} more", count - NAMED_MAX));
    }
}

fn is_held(open: &OpenEpisode, matchers: &[Matcher]) -> bool {
    let episode = &open.episode;
    let label =
        |(name, value): (&String, &Option<String>)| Label { name: name.clone(), value: value.clone() };
    let labels: Vec<Label> = episode.labels.iter().map(label).collect();
    let severity = match episode.severity {
        watchbell_view::Severity::Info => Severity::Info,
        watchbell_view::Severity::Warning => Severity::Warning,
        watchbell_view::Severity::Critical => Severity::Critical,
    };
    let rule = RuleName(open.rule.clone());
    all_met(matchers, &Subject { rule: &rule, owner: open.owner.as_deref(), severity, labels: &labels })
}

pub(crate) fn unsilence(args: &Unsilence) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let found: Silences = client.get(PATH, &[])?;
    let begins: Vec<&ShownSilence> =
        found.silences.iter().filter(|silence| silence.id.starts_with(&args.silence)).collect();
    let id = match begins.as_slice() {
        [silence] => silence.id.clone(),
        // The host says that there is none, or knows more than is shown.
        [] => args.silence.clone(),
        several => {
            let message = format!(
                "{} silences have an id that begins with `{}`\n\nhint: give more of it",
                several.len(),
                args.silence
            );
            return Err(Failure::Faults(anyhow!(message)));
        }
    };
    let said = format!("ended: silence {}", short(&id));
    let done = give(&client, &args.reach, Order::Unsilence { silence: id }, said)?;
    tell(&args.reach, &[done])
}

pub(crate) fn silences(args: &SilencesArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let found: Silences = client.get(PATH, &[])?;
    if args.reach.json {
        return json(&found);
    }
    let mut text = String::new();
    if let Some(pause) = &found.pause {
        let words = format!("paused until {} by {}:", pause.until, plain(&pause.by));
        text.push_str(&format!("{} {}\n", paint(&words, Colour::Red), plain(&pause.reason)));
    }
    if found.silences.is_empty() {
        text.push_str("nothing is silenced");
        return print(&text);
    }
    text.push_str(&paint(&format!("{:ID_SHOWN$}  what, how long, by whom and why", "id"), Colour::Bold));
    let indent = " ".repeat(ID_SHOWN + 2);
    for silence in &found.silences {
        let matchers: Vec<String> = silence.matchers.iter().map(|matcher| plain(matcher)).collect();
        let from = if silence.in_force { String::new() } else { format!("from {} ", silence.from) };
        text.push_str(&format!(
            "\n{:ID_SHOWN$}  {}\n{indent}{from}until {}, holds {} open, by {}: {}",
            short(&silence.id),
            matchers.join(" "),
            silence.until,
            silence.open_episodes,
            plain(&silence.by),
            plain(&silence.reason),
        ));
    }
    print(&text)
}

pub(crate) fn pause(args: &Pause) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let order = Order::Pause(commands::Pause {
        until: None,
        lasts: Some(args.lasts.clone()),
        reason: args.reason.clone(),
    });
    let said = format!(
        "paused for {}: nothing is sent until then, or until `watchbell unpause`",
        plain(&args.lasts)
    );
    let done = give(&client, &args.reach, order, said)?;
    tell(&args.reach, &[done])
}

pub(crate) fn unpause(args: &Unpause) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let done = give(&client, &args.reach, Order::Unpause {}, "messages are sent again".into())?;
    tell(&args.reach, &[done])
}
