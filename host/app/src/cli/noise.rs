//! `watchbell noise`: which rules say most, and what people make of it. From the store, whether a host runs or not.
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use watchbell_contract::{Duration, Severity, Timestamp};
use watchbell_manifest::Bundle;
use watchbell_pipeline::matcher::{Matcher, Subject, all_met};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_store::Sqlite;
use watchbell_view::Time;

use super::place::catalog;
use super::{Colour, Failure, Place, json, paint, plain, print};
use crate::clock;
use crate::commands::span;
use crate::noise::{Past, Period, Question, RuleNoise};
use crate::store_writer::HISTORY;

const HELP: &str = "\
Examples:
  watchbell noise                                  the last 30 days, by month
  watchbell noise --month 2026-11
  watchbell noise --since 7d --rule 'disk-*' --owner web-team
  watchbell noise --month 2026-11 --timezone Europe/Berlin --json

An episode counts in the month of its first message. `short` are those that ended by themselves within 5 minutes of it: a rule
with many of them wants a longer `for:` or another threshold. A rule that nobody acknowledges may not need to be sent at all.
A store keeps 30 days: before that, nothing is known.";

/// A destination that the environment does not have any more.
const REMOVED: &str = "removed";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Noise {
    /// One month: `2026-11`.
    #[arg(long, value_name = "MONTH", conflicts_with = "since")]
    pub month: Option<String>,
    /// How far back: `30d`, `12h`.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    pub since: String,
    /// Only rules of this name; `*` stands for any characters.
    #[arg(long, value_name = "GLOB")]
    pub rule: Option<String>,
    /// Only rules with this owner in their manifest.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// The time zone of the months.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub timezone: String,
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
struct Answer {
    version: u32,
    from: Time,
    until: Time,
    timezone: String,
    /// Before this, history may be gone.
    kept_since: Time,
    /// The oldest record; null if there is none.
    oldest: Option<Time>,
    /// Whether the store still holds all of the period.
    complete: bool,
    rules: Vec<RuleNoise>,
}

pub(crate) fn noise(args: &Noise) -> Result<(), Failure> {
    let zone = TimeZone::get(&args.timezone).map_err(|_| {
        anyhow!("unknown time zone `{}`\n\nhint: write an IANA name such as `Europe/Berlin`", args.timezone)
    })?;
    let now = clock::wall();
    let period = period(args, &zone, now)?;
    let bundle = args.place.load_to_ask(&catalog(None)?)?;
    let store = args.store.as_ref().unwrap_or(&bundle.environment.store.sqlite);
    let reader = Sqlite::open_reader(store).map_err(|error| Failure::Store(error.into()))?;
    let past = Past::read(&reader).map_err(|error| Failure::Store(error.into()))?;
    let wanted = wanted(args)?;
    let rules = past.count(&Question {
        period,
        zone: &zone,
        is_wanted: &|rule| is_wanted(&wanted, &bundle, rule),
        kind: &|name| kind(&bundle, name),
    });
    let kept_since = now - HISTORY;
    let answer = Answer {
        version: crate::web::api::VERSION,
        from: Time(period.from),
        until: Time(period.until),
        timezone: args.timezone.clone(),
        kept_since: Time(kept_since),
        oldest: past.oldest().map(Time),
        complete: kept_since <= period.from && past.oldest().is_some_and(|oldest| oldest <= period.from),
        rules,
    };
    if args.json { json(&answer) } else { print(&text(&answer)) }
}

fn period(args: &Noise, zone: &TimeZone, now: Timestamp) -> anyhow::Result<Period> {
    let Some(month) = &args.month else {
        let span = span(&args.since).filter(|span| *span > Duration::ZERO);
        let span = span
            .ok_or_else(|| anyhow!("`{}` is not a span of time\n\nhint: write `30d` or `12h`", args.since))?;
        return Ok(Period { from: now - span, until: now });
    };
    let wrong = || anyhow!("`{month}` is not a month\n\nhint: write `2026-11`");
    let is_month = month.len() == 7 && month.as_bytes()[4] == b'-';
    let first: Date = format!("{month}-01").parse().ok().filter(|_| is_month).ok_or_else(wrong)?;
    let begin = |day: Date| -> Option<Timestamp> {
        Some(Timestamp(zone.to_timestamp(day.at(0, 0, 0, 0)).ok()?.as_millisecond()))
    };
    let next = first.last_of_month().tomorrow().map_err(|_| wrong())?;
    let (Some(from), Some(until)) = (begin(first), begin(next)) else { return Err(wrong()) };
    if from > now {
        bail!("{month} is yet to come");
    }
    Ok(Period { from, until })
}

fn wanted(args: &Noise) -> anyhow::Result<Vec<Matcher>> {
    let conditions = [("rule", &args.rule), ("owner", &args.owner)];
    let conditions = conditions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    // A name is meant as it is; a rule's may have wildcards.
    let written = |(name, value): (&str, &String)| match name {
        "owner" => format!("{name}={}", value.replace('\\', "\\\\").replace('*', "\\*")),
        _ => format!("{name}={value}"),
    };
    Ok(conditions.map(|condition| Matcher::parse(&written(condition))).collect::<Result<_, _>>()?)
}

fn is_wanted(wanted: &[Matcher], bundle: &Bundle, rule: &RuleName) -> bool {
    let owner = bundle.rule(&rule.0).and_then(|rule| rule.spec.owner.as_deref());
    wanted.is_empty() || all_met(wanted, &Subject { rule, owner, severity: Severity::Info, labels: &[] })
}

fn kind(bundle: &Bundle, name: &DestinationName) -> String {
    let known = bundle.environment.destinations.get(&name.0);
    known.map_or_else(|| REMOVED.to_owned(), |destination| destination.alerter.product.clone())
}

fn text(answer: &Answer) -> String {
    let (from, until) = (day(answer.from, answer), day(answer.until, answer));
    let mut text = format!("from {from} until {until} ({})\n", answer.timezone);
    if !answer.complete {
        let oldest = answer.oldest.map_or_else(
            || "it has no record".to_owned(),
            |oldest| format!("its oldest record is of {}", day(oldest, answer)),
        );
        text.push_str(&format!(
            "{} the store keeps 30 days, since {}, and {oldest}: what was before is not counted\n",
            paint("incomplete:", Colour::Yellow),
            day(answer.kept_since, answer),
        ));
    }
    if answer.rules.is_empty() {
        text.push_str("\nnothing was sent\n");
    }
    let mut month = "";
    for rule in &answer.rules {
        if rule.month != month {
            month = &rule.month;
            text.push_str(&format!("\n{}\n", paint(month, Colour::Bold)));
            text.push_str(&head(answer));
        }
        text.push_str(&line(rule, answer));
    }
    text
}

fn width(answer: &Answer) -> usize {
    answer.rules.iter().map(|rule| plain(&rule.rule).chars().count()).max().unwrap_or(4).max(4)
}

fn head(answer: &Answer) -> String {
    format!(
        "{:width$}  {:>8}  {:>5}  {:>5}  {:>5}  {:>4}  {:>9}  {:>5}  messages by kind\n",
        "rule",
        "messages",
        "told",
        "acked",
        "never",
        "open",
        "median",
        "short",
        width = width(answer),
    )
}

fn line(rule: &RuleNoise, answer: &Answer) -> String {
    let median = rule
        .median_seconds_to_acknowledge
        .map_or_else(|| "-".to_owned(), |seconds| Duration::from_secs(seconds.round() as u64).to_string());
    let kinds: Vec<String> =
        rule.messages_by_kind.iter().map(|(kind, count)| format!("{} {count}", plain(kind))).collect();
    format!(
        "{:width$}  {:>8}  {:>5}  {:>5}  {:>5}  {:>4}  {median:>9}  {:>5}  {}\n",
        plain(&rule.rule),
        rule.messages,
        rule.told,
        rule.acknowledged,
        rule.never_acknowledged,
        rule.open,
        rule.short,
        kinds.join(", "),
        width = width(answer),
    )
}

/// To the minute, in the zone that was asked for.
fn day(at: Time, answer: &Answer) -> String {
    let zone = TimeZone::get(&answer.timezone).unwrap_or(TimeZone::UTC);
    match jiff::Timestamp::from_millisecond(at.0.0) {
        Ok(instant) => zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => at.to_string(),
    }
}
