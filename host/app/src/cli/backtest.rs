//! `watchbell backtest`: what a rule would have found and sent, over a real cluster's past.
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::{Context, bail};
use serde_json::json;
use watchbell_contract::{Duration, Timestamp};
use watchbell_manifest::BoundRule;
use watchbell_pipeline::order::Note;
use watchbell_pipeline::spec::{CatchUp, Schedule};

use super::args::Backtest;
use super::place::catalog;
use super::{BOLD, Failure, RED, YELLOW, paint, plain, print};
use crate::bind::{Bound, clusters};
use crate::clock::{self, rfc3339};
use crate::rehearsal::sighting::Sight;
use crate::rehearsal::stage::{Cast, Stage};

/// Bars that a page shows; more windows than that share one.
const BARS_MAX: usize = 48;
/// How long the longest bar is, in characters.
const BAR_WIDTH: usize = 40;
/// A cluster that fails this often in a row is left alone.
const ATTEMPTS_MAX: u32 = 3;

/// What was judged at once.
#[derive(Clone, Debug)]
struct Window {
    start: Timestamp,
    end: Timestamp,
    rows: u64,
    signals: u64,
}

/// What came of it all.
#[derive(Default)]
struct Past {
    windows: Vec<Window>,
    rows: u64,
    /// Why it ended before its time.
    stopped: Option<String>,
    gaps: Vec<String>,
}

pub(crate) fn backtest(args: &Backtest) -> Result<(), Failure> {
    let now = clock::wall();
    let (from, to) = (moment(&args.from, now)?, args.to.as_deref().map_or(Ok(now), |to| moment(to, now))?);
    if from >= to {
        return Err(
            anyhow::anyhow!("`--from` {} does not lie before `--to` {}", rfc3339(from), rfc3339(to)).into()
        );
    }
    let catalog = catalog(None)?;
    let bundle = args.place.load_or_tell(&catalog, false)?;
    let Some(rule) = bundle.rule(&args.rule) else {
        let known: Vec<&str> = bundle.rules.iter().map(|rule| rule.spec.name.0.as_str()).collect();
        return Err(anyhow::anyhow!(
            "no rule `{}` in environment `{}`\n\nhint: there are {}",
            args.rule,
            bundle.environment.name,
            known.join(", ")
        )
        .into());
    };
    let windows = windows_between(rule, from, to);
    if windows > args.windows_max {
        return Err(anyhow::anyhow!(
            "that is {windows} windows of {}, more than {}\n\nhint: choose a shorter time, or raise `--windows-max`",
            every(rule).map_or_else(|| "the cron expression".to_owned(), |every| every.to_string()),
            args.windows_max
        )
        .into());
    }
    let cluster = clusters(&bundle.environment)?
        .remove(&rule.target.cluster)
        .with_context(|| format!("the environment has no cluster `{}`", rule.target.cluster))?;
    let bound = Bound::new(rule, &bundle.environment, &catalog, cluster)?;
    let mut spec = rule.spec.clone();
    // All documents are there: none comes late, and no window needs to be read twice.
    (spec.lateness, spec.lookback, spec.catch_up) = (Duration::ZERO, None, CatchUp::All);
    let delay = spec.delay;
    let cast = Cast {
        digest: bundle.digest.clone(),
        environment: bundle.environment.name.clone(),
        rules: BTreeMap::from([(spec.name.clone(), Arc::new(bound))]),
        specs: vec![spec],
        destinations: bundle.outbox(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stage, past) = runtime.block_on(play(args, cast, from + delay, to + delay))?;
    if args.json {
        machine(args, rule, &stage, &past, from, to)
    } else {
        people(args, &stage, &past, from, to)
    }
}

async fn play(args: &Backtest, cast: Cast, from: Timestamp, to: Timestamp) -> anyhow::Result<(Stage, Past)> {
    let shown = std::io::stderr().is_terminal();
    let mut stage = Stage::open(cast, from, Arc::new(AtomicI64::new(0)))?;
    let mut past = Past::default();
    let (mut told, mut cursor) = (0, None);
    // A hundredth at a time, so that limits and progress are looked at.
    let step = Duration((to.since(from).millis() / 100).max(1));
    while stage.now() < to && past.stopped.is_none() {
        let next = to.min(stage.now() + step);
        stage.advance(next, true).await?;
        for sighting in &stage.story.0[told..] {
            match &sighting.sight {
                Sight::Note(Note::Committed { window, rows, signals, .. }) => {
                    let start = cursor.unwrap_or(window.start);
                    let signals = u64::from(*signals);
                    past.windows.push(Window { start, end: window.end, rows: *rows, signals });
                    cursor = Some(window.end);
                }
                Sight::Note(Note::RunFailed { attempt, message, .. }) if *attempt >= ATTEMPTS_MAX => {
                    past.stopped = Some(message.clone());
                }
                Sight::Note(Note::GapRecorded { start, end, reason, .. }) => {
                    past.gaps.push(format!("{} to {}: {reason}", rfc3339(*start), rfc3339(*end)));
                }
                _ => {}
            }
        }
        told = stage.story.0.len();
        past.rows = stage.rows;
        if past.rows > args.rows_max {
            past.stopped = Some(format!(
                "{} rows were read, more than {}: raise `--rows-max`, or choose a shorter time",
                past.rows, args.rows_max
            ));
        }
        if shown {
            let done = 100 * stage.now().since(from).millis() / to.since(from).millis().max(1);
            eprint!("\r\x1b[K{done} % of the time, {} rows", past.rows);
            let _ = std::io::stderr().flush();
        }
        if !args.pause.is_zero() {
            rest(args.pause).await;
        }
    }
    if shown {
        eprint!("\r\x1b[K");
    }
    Ok((stage, past))
}

#[expect(clippy::disallowed_methods, reason = "a pause for the cluster's sake, on no path of the host")]
async fn rest(pause: std::time::Duration) {
    tokio::time::sleep(pause).await;
}

fn every(rule: &BoundRule) -> Option<Duration> {
    match rule.spec.schedule {
        Schedule::Every(every) => Some(every),
        Schedule::Cron { .. } => None,
    }
}

/// About: cron has at most one a minute.
fn windows_between(rule: &BoundRule, from: Timestamp, to: Timestamp) -> u64 {
    let every = every(rule).unwrap_or(Duration::from_mins(1));
    to.since(from).millis() / every.millis().max(1)
}

fn people(
    args: &Backtest,
    stage: &Stage,
    past: &Past,
    from: Timestamp,
    to: Timestamp,
) -> Result<(), Failure> {
    let out = std::io::stdout();
    print(&format!(
        "{} in {}, from {} to {}: {} windows, {} rows",
        paint(&args.rule, BOLD, &out),
        args.place.environment,
        rfc3339(from),
        rfc3339(to),
        past.windows.len(),
        past.rows
    ))?;
    let bars: Vec<Window> = past
        .windows
        .chunks(past.windows.len().div_ceil(BARS_MAX).max(1))
        .map(|some| Window {
            start: some[0].start,
            end: some[some.len() - 1].end,
            rows: some.iter().map(|window| window.rows).sum(),
            signals: some.iter().map(|window| window.signals).sum(),
        })
        .collect();
    let most = bars.iter().map(|bar| bar.rows).max().unwrap_or(0).max(1);
    for bar in &bars {
        // Something is never drawn as nothing.
        let length = (bar.rows as usize * BAR_WIDTH).div_ceil(most as usize);
        let drawn = format!("{:<BAR_WIDTH$}", "█".repeat(length));
        let signals = match bar.signals {
            0 => String::new(),
            1 => paint("  1 signal", RED, &out),
            many => paint(&format!("  {many} signals"), RED, &out),
        };
        print(&format!("  {}  {drawn}  {:>9}{signals}", rfc3339(bar.start), bar.rows))?;
    }
    let mut sent = 0;
    for sighting in &stage.story.0 {
        let Sight::Delivery { to, intent, .. } = &sighting.sight else { continue };
        if sent == 0 {
            print("\nWould have been sent:")?;
        }
        sent += 1;
        let labels: Vec<String> = intent
            .labels
            .iter()
            .map(|label| format!("{}={}", label.name, label.value.as_deref().unwrap_or("-")))
            .collect();
        print(&plain(&format!(
            "  {}  {:<16}  {:<9}  {:<8}  {} {}",
            rfc3339(sighting.at),
            to.0,
            intent.cause.as_str(),
            intent.severity.as_str(),
            intent.title,
            labels.join(" ")
        )))?;
    }
    match (&past.stopped, sent) {
        (None, 0) => print("\nNothing would have been sent.")?,
        (Some(_), 0) => print("\nUp to where it stopped, nothing would have been sent.")?,
        _ => {}
    }
    for gap in &past.gaps {
        print(&format!("{} {}", paint("left out:", YELLOW, &out), plain(gap)))?;
    }
    match &past.stopped {
        Some(why) => Err(anyhow::anyhow!("stopped at {}: {}", rfc3339(stage.now()), plain(why)).into()),
        None => Ok(()),
    }
}

fn machine(
    args: &Backtest,
    rule: &BoundRule,
    stage: &Stage,
    past: &Past,
    from: Timestamp,
    to: Timestamp,
) -> Result<(), Failure> {
    let messages = stage.story.0.iter().filter_map(|sighting| match &sighting.sight {
        Sight::Delivery { to, intent, .. } => Some(json!({
            "at": rfc3339(sighting.at), "to": to.0, "cause": intent.cause.as_str(), "title": intent.title,
            "severity": intent.severity.as_str(), "episode": intent.episode, "value": intent.value,
            "labels": intent.labels.iter().map(|label| (label.name.clone(), json!(label.value)))
                .collect::<serde_json::Map<_, _>>(),
        })),
        _ => None,
    });
    let windows = past.windows.iter().map(|window| {
        json!({ "start": rfc3339(window.start), "end": rfc3339(window.end), "rows": window.rows, "signals": window.signals })
    });
    let report = json!({
        "rule": rule.spec.name.0, "environment": args.place.environment, "from": rfc3339(from), "to": rfc3339(to),
        "rows": past.rows, "windows": windows.collect::<Vec<_>>(), "messages": messages.collect::<Vec<_>>(),
        "gaps": past.gaps, "stopped": past.stopped,
    });
    print(&serde_json::to_string_pretty(&report)?)?;
    if past.stopped.is_some() { Err(Failure::Told) } else { Ok(()) }
}

/// A date, an instant, or a span before `now`.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(at.as_millisecond()));
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Ok(Timestamp(jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0))?.as_millisecond()));
    }
    match text.parse::<jiff::Span>().ok().map(|span| {
        let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())?;
        anyhow::Ok(now - Duration(u64::try_from(span.as_millis()).unwrap_or(0)))
    }) {
        Some(at) => at,
        None => bail!(
            "`{text}` is no time\n\nhint: write `2026-11-20`, `2026-11-20T08:00:00Z`, or how long ago: `6h`, `7d`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_an_instant_or_a_while_ago() {
        let now = Timestamp(1_700_000_000_000);
        let at = |text: &str| moment(text, now).unwrap().0;
        assert_eq!(at("2023-11-14"), 1_699_920_000_000);
        assert_eq!(at("2023-11-14T22:13:20Z"), now.0);
        assert_eq!(now.0 - at("6h"), 6 * 3_600_000);
        assert_eq!(now.0 - at("7d"), 7 * 86_400_000);
        assert!(moment("yesterday", now).unwrap_err().to_string().contains("`yesterday` is no time"));
    }
}
