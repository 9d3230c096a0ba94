//! `watchbell backtest`: what a rule would have found and sent, over a real cluster's past.
use serde_json::json;
use watchbell_contract::Range;
use watchbell_manifest::BoundRule;

use super::args::Backtest;
use super::past::{Past, Window, named};
use super::place::catalog;
use super::{Colour, Failure, json, paint, plain, print};
use crate::bind::clusters;
use crate::clock::{self, rfc3339};
use crate::testing::trace::{TraceEvent, labels_line};
use crate::testing::virtual_host::VirtualHost;

/// The maximum number of bars; beyond that, several windows share one.
const BARS_MAX: usize = 48;
/// How long the longest bar is, in characters.
const BAR_WIDTH: usize = 40;

pub(crate) fn backtest(args: &Backtest) -> Result<(), Failure> {
    let now = clock::wall();
    let over = args.past.over(now, now)?;
    let catalog = catalog(None)?;
    let bundle = args.place.load_to_ask(&catalog)?;
    let rule = named(&bundle, &args.rule)?;
    args.past.allows(rule, over)?;
    let clusters = clusters(&bundle.environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (host, past) = runtime.block_on(args.past.play(rule, &bundle, &catalog, &clusters, over))?;
    if args.json { machine(args, rule, &host, &past, over) } else { people(args, &host, &past, over) }
}

fn people(args: &Backtest, host: &VirtualHost, past: &Past, over: Range) -> Result<(), Failure> {
    print(&format!(
        "{} in {}, from {} to {}: {} windows, {} rows",
        paint(&plain(&args.rule), Colour::Bold),
        plain(&args.place.environment),
        rfc3339(over.start),
        rfc3339(over.end),
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
        // A window with any rows gets a visible bar.
        let length = (bar.rows as usize * BAR_WIDTH).div_ceil(most as usize);
        let drawn = format!("{:<BAR_WIDTH$}", "█".repeat(length));
        let signals = match bar.signals {
            0 => String::new(),
            1 => paint("  1 signal", Colour::Red),
            many => paint(&format!("  {many} signals"), Colour::Red),
        };
        print(&format!("  {}  {drawn}  {:>9}{signals}", rfc3339(bar.start), bar.rows))?;
    }
    let mut sent = 0;
    for entry in &host.trace.0 {
        let TraceEvent::Delivery { to, intent, .. } = &entry.event else { continue };
        if sent == 0 {
            print("\nWould have been sent:")?;
        }
        sent += 1;
        print(&plain(&format!(
            "  {}  {:<16}  {:<9}  {:<8}  {} {}",
            rfc3339(entry.at),
            to.0,
            intent.cause.as_str(),
            intent.severity.as_str(),
            intent.title,
            labels_line(&intent.labels)
        )))?;
    }
    match (&past.stopped, sent) {
        (None, 0) => print("\nNothing would have been sent.")?,
        (Some(_), 0) => print("\nNothing would have been sent before it stopped.")?,
        _ => {}
    }
    for gap in &past.gaps {
        print(&format!("{} {}", paint("skipped:", Colour::Yellow), plain(gap)))?;
    }
    match &past.stopped {
        Some(why) => Err(anyhow::anyhow!("stopped at {}: {}", rfc3339(host.now()), plain(why)).into()),
        None => Ok(()),
    }
}

fn machine(
    args: &Backtest,
    rule: &BoundRule,
    host: &VirtualHost,
    past: &Past,
    over: Range,
) -> Result<(), Failure> {
    let messages = host.trace.0.iter().filter_map(|entry| match &entry.event {
        TraceEvent::Delivery { to, intent, .. } => Some(json!({
            "at": rfc3339(entry.at), "to": to.0, "cause": intent.cause.as_str(), "title": intent.title,
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
        "rule": rule.spec.name.0, "environment": args.place.environment, "from": rfc3339(over.start), "to": rfc3339(over.end),
        "rows": past.rows, "windows": windows.collect::<Vec<_>>(), "messages": messages.collect::<Vec<_>>(),
        "gaps": past.gaps, "stopped": past.stopped,
    });
    json(&report)?;
    if past.stopped.is_some() { Err(Failure::Told) } else { Ok(()) }
}
