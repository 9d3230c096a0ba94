//! A rule over a range of a cluster's past: what it evaluated, and where it stopped.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::{Context, bail};
use watchbell_contract::{Duration, Range, Timestamp};
use watchbell_elastic::Cluster;
use watchbell_manifest::{BoundRule, Bundle};
use watchbell_pipeline::action::Note;
use watchbell_pipeline::spec::{CatchUp, Schedule};

use super::{Terminal, args};
use crate::bind::LiveRule;
use crate::catalog::Catalog;
use crate::clock::rfc3339;
use crate::testing::trace::TraceEvent;
use crate::testing::virtual_host::{VirtualDeployment, VirtualHost};
use crate::texts::Texts;

/// Stop after this many failures in a row, to spare the cluster.
const ATTEMPTS_MAX: u32 = 3;

/// One evaluated window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) rows: u64,
    pub(crate) signals: u64,
}

/// The result.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) windows: Vec<Window>,
    pub(crate) rows: u64,
    /// Why it ended early.
    pub(crate) stopped: Option<String>,
    pub(crate) gaps: Vec<String>,
}

impl args::Past {
    /// The range, relative to `now`; it ends at `latest` unless `--to` is given.
    pub(crate) fn over(&self, now: Timestamp, latest: Timestamp) -> anyhow::Result<Range> {
        let from = moment(&self.from, now)?;
        let to = self.to.as_deref().map_or(Ok(latest), |to| moment(to, now))?;
        if from >= to {
            bail!("`--from` {} is not before `--to` {}", rfc3339(from), rfc3339(to));
        }
        Ok(Range::new(from, to))
    }

    /// Checks that `rule` has no more windows in `over` than allowed.
    pub(crate) fn allows(&self, rule: &BoundRule, over: Range) -> anyhow::Result<()> {
        let every = match rule.spec.schedule {
            Schedule::Every(every) => Some(every),
            Schedule::Cron { .. } => None,
        };
        // An estimate: cron has at most one instant a minute.
        let width = every.unwrap_or(Duration::from_mins(1));
        let windows = over.end.since(over.start).millis() / width.millis().max(1);
        if windows > self.windows_max {
            bail!(
                "this range has {windows} windows of {}, more than {}\n\nhint: choose a shorter range, or raise `--windows-max`",
                every.map_or_else(|| "the cron expression".to_owned(), |every| every.to_string()),
                self.windows_max
            );
        }
        Ok(())
    }

    /// Evaluates `rule` over `over` at its cluster; nothing is sent.
    pub(crate) async fn play(
        &self,
        rule: &BoundRule,
        bundle: &Bundle,
        catalog: &Catalog,
        clusters: &BTreeMap<String, Cluster>,
        over: Range,
    ) -> anyhow::Result<(VirtualHost, Past)> {
        let cluster = clusters
            .get(&rule.target.cluster)
            .with_context(|| format!("the environment has no cluster `{}`", rule.target.cluster))?;
        let live = LiveRule::new(rule, &bundle.environment, catalog, cluster.clone())?;
        let mut spec = rule.spec.clone();
        // All documents are there already: none arrives late, and no window needs to be read twice.
        (spec.lateness, spec.lookback, spec.catch_up) = (Duration::ZERO, None, CatchUp::All);
        let (from, to) = (over.start + spec.delay, over.end + spec.delay);
        let deployment = VirtualDeployment {
            digest: bundle.digest.clone(),
            environment: bundle.environment.name.clone(),
            rules: BTreeMap::from([(spec.name.clone(), Arc::new(live))]),
            specs: vec![Arc::new(spec)],
            destinations: bundle.outbox(),
            holds: bundle.environment.holds.clone(),
            texts: Texts::new(catalog.texts()?),
        };
        let terminal = Terminal::error();
        let mut host = VirtualHost::open(deployment, from, Arc::new(AtomicI64::new(0)))?;
        let mut past = Past::default();
        let (mut told, mut cursor) = (0, None);
        // A hundredth at a time, so that limits are checked and progress is shown.
        let step = Duration((to.since(from).millis() / 100).max(1));
        while host.now() < to && past.stopped.is_none() {
            let next = to.min(host.now() + step);
            host.advance(next, true).await?;
            for entry in &host.trace.0[told..] {
                if let TraceEvent::Note(note) = &entry.event {
                    past.note(note, &mut cursor);
                }
            }
            told = host.trace.0.len();
            past.rows = host.rows;
            if past.rows > self.rows_max {
                past.stopped = Some(format!(
                    "read {} rows, more than {}: raise `--rows-max`, or choose a shorter range",
                    past.rows, self.rows_max
                ));
            }
            if terminal.is_terminal() {
                let done = 100 * host.now().since(from).millis() / to.since(from).millis().max(1);
                terminal.progress(&format!("{}: {done} % of the time, {} rows", rule.spec.name, past.rows));
            }
            if !self.pause.is_zero() {
                rest(self.pause).await;
            }
        }
        terminal.clear();
        Ok((host, past))
    }
}

impl Past {
    fn note(&mut self, note: &Note, cursor: &mut Option<Timestamp>) {
        match note {
            Note::Committed { window, rows, signals, .. } => {
                let start = cursor.unwrap_or(window.start);
                self.windows.push(Window {
                    start,
                    end: window.end,
                    rows: *rows,
                    signals: u64::from(*signals),
                });
                *cursor = Some(window.end);
            }
            Note::RunFailed { attempt, message, .. } if *attempt >= ATTEMPTS_MAX => {
                self.stopped = Some(message.clone());
            }
            Note::GapRecorded { start, end, reason, .. } => {
                self.gaps.push(format!("{} to {}: {reason}", rfc3339(*start), rfc3339(*end)));
            }
            _ => {}
        }
    }
}

/// The rule with that name, or an error that names those that exist.
pub(crate) fn named<'a>(bundle: &'a Bundle, name: &str) -> anyhow::Result<&'a BoundRule> {
    bundle.rule(name).with_context(|| {
        let known: Vec<&str> = bundle.rules.iter().map(|rule| rule.spec.name.0.as_str()).collect();
        format!(
            "no rule `{name}` in environment `{}`\n\nhint: there are {}",
            bundle.environment.name,
            known.join(", ")
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "spares the cluster; not used by the host")]
async fn rest(pause: std::time::Duration) {
    tokio::time::sleep(pause).await;
}

/// A date, an instant, or a span before `now`.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Ok(Timestamp(jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0))?.as_millisecond()));
    }
    match span(text) {
        Some(ago) => Ok(now - ago),
        None => bail!(
            "`{text}` is not a time\n\nhint: write `2026-11-20`, `2026-11-20T08:00:00Z`, or how long ago: `6h`, `7d`"
        ),
    }
}

/// `6h` or `7d`; `None` if it is negative.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    u64::try_from(span.as_millis()).ok().map(Duration)
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
        assert!(moment("yesterday", now).unwrap_err().to_string().contains("`yesterday` is not a time"));
    }
}
