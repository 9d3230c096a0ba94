//! What is open, as a list.
use watchbell_contract::Duration;
use watchbell_view::Phase;

use super::args::Episodes;
use super::client::Client;
use crate::cli::{Colour, Failure, json, note, paint, plain, print};
use crate::web::api::{OpenEpisode, OpenEpisodes};

/// Characters of an id in a list; the whole one is in `--json`.
pub(super) const ID_SHOWN: usize = 12;

pub(crate) fn episodes(args: &Episodes) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let rule = args.rule.as_deref().map(|rule| ("rule", rule));
    let found = open(&client, rule.as_slice())?;
    if args.reach.json {
        return json(&found);
    }
    if found.episodes.is_empty() {
        return print("nothing is open");
    }
    let head = format!(
        "{:ID_SHOWN$}  {:8}  {:12}  {:>8}  what, who and what next",
        "id", "severity", "phase", "for"
    );
    let mut text = paint(&head, Colour::Bold);
    for episode in &found.episodes {
        let it = &episode.episode;
        let severity = format!("{:8}", severity(episode));
        let colour = match it.severity {
            watchbell_view::Severity::Critical => Colour::Red,
            watchbell_view::Severity::Warning => Colour::Yellow,
            watchbell_view::Severity::Info => Colour::Green,
        };
        let age = Duration::from_secs(found.at.0.since(it.opened_at.0).millis() / 1_000);
        text.push_str(&format!(
            "\n{:ID_SHOWN$}  {}  {:12}  {:>8}  {} {}",
            short(&it.id),
            paint(&severity, colour),
            phase(&it.phase),
            age.to_string(),
            named(episode),
            plain(&it.summary),
        ));
        for more in [who(&it.phase), next(episode)].into_iter().flatten() {
            text.push_str(&format!("\n{:1$}{more}", "", ID_SHOWN + 2));
        }
    }
    print(&text)?;
    if found.more {
        note("there are more than are listed: choose a rule with `--rule`");
    }
    Ok(())
}

pub(super) fn open(client: &Client, query: &[(&str, &str)]) -> Result<OpenEpisodes, Failure> {
    client.get("api/v1/episodes", query)
}

/// An episode on one line.
pub(super) fn line(episode: &OpenEpisode) -> String {
    format!("{} {} ({})", short(&episode.episode.id), named(episode), severity(episode))
}

pub(super) fn short(id: &str) -> String {
    plain(id).chars().take(ID_SHOWN).collect()
}

fn named(episode: &OpenEpisode) -> String {
    let mut text = plain(&episode.rule);
    for (name, value) in &episode.episode.labels {
        text.push_str(&format!(" {}={}", plain(name), plain(value.as_deref().unwrap_or("(none)"))));
    }
    text
}

fn severity(episode: &OpenEpisode) -> &'static str {
    match episode.episode.severity {
        watchbell_view::Severity::Info => "info",
        watchbell_view::Severity::Warning => "warning",
        watchbell_view::Severity::Critical => "critical",
    }
}

fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Active => "active",
        Phase::Acknowledged { .. } => "acknowledged",
        Phase::ResolvedByHand { .. } => "by hand",
        Phase::Resolved { .. } => "resolved",
    }
}

fn who(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Acknowledged { acknowledged_at, acknowledged_by } => {
            Some(format!("acknowledged by {} at {acknowledged_at}", plain(acknowledged_by)))
        }
        Phase::ResolvedByHand { resolved_at, resolved_by } => {
            Some(format!("resolved by {} at {resolved_at}: quiet until it has ended", plain(resolved_by)))
        }
        Phase::Pending | Phase::Active | Phase::Resolved { .. } => None,
    }
}

fn next(episode: &OpenEpisode) -> Option<String> {
    let next = episode.next.as_ref()?;
    let to: Vec<String> = next.to.iter().map(|name| plain(name)).collect();
    let at = next.at.map_or_else(|| "when it is no longer held".into(), |at| format!("at {at}"));
    Some(format!("next: step {} to {} {at}", next.step, to.join(", ")))
}
