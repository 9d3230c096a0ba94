//! `watchbell shadow`: compares what rules find in a cluster's past with what ElastAlert alerted. Nothing is sent.
use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use watchbell_contract::{Duration, Range};
use watchbell_elastic::Cluster;
use watchbell_import::slug;
use watchbell_manifest::{BoundRule, Bundle, ModuleRef};

use super::args::Shadow;
use super::past::{named, span};
use super::place::catalog;
use super::{Colour, Failure, json, paint, plain, print};
use crate::bind::clusters;
use crate::catalog::Catalog;
use crate::clock::{self, rfc3339};
use crate::shadow::{Alert, Compared, Mute, Tolerance, compare, findings, read};
use crate::testing::trace::{TraceEvent, labels_line};

/// Differences shown per rule; JSON has all.
const SHOWN_MAX: usize = 10;

/// What rules are compared with, and over which range.
struct Court<'a> {
    args: &'a Shadow,
    bundle: &'a Bundle,
    catalog: &'a Catalog,
    clusters: &'a BTreeMap<String, Cluster>,
    alerts: &'a [Alert],
    mutes: &'a [Mute],
    over: Range,
    tolerance: Duration,
}

struct Verdict<'a> {
    rule: &'a BoundRule,
    compared: Compared,
    /// Why the rule was not evaluated to the end.
    stopped: Option<String>,
}

pub(crate) fn shadow(args: &Shadow) -> Result<(), Failure> {
    let now = clock::wall();
    let tolerance = Duration(u64::try_from(args.tolerance.as_millis()).unwrap_or(u64::MAX / 2));
    // ElastAlert may not have evaluated anything newer yet.
    let over = args.past.over(now, now - tolerance)?;
    let catalog = catalog(None)?;
    let bundle = args.place.load_to_ask(&catalog)?;
    let rules: Vec<&BoundRule> = match args.names.as_slice() {
        [] => bundle.rules.iter().collect(),
        some => some.iter().map(|name| named(&bundle, name)).collect::<anyhow::Result<_>>()?,
    };
    for rule in &rules {
        args.past.allows(rule, over).with_context(|| format!("rule `{}`", rule.spec.name))?;
    }
    let clusters = clusters(&bundle.environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let early_most = rules.iter().map(|rule| early(rule)).max().unwrap_or(Duration::ZERO);
    let beside = Range::new(over.start - tolerance - early_most, over.end + tolerance);
    let writeback = writeback(args, &clusters)?;
    let (alerts, mutes) = runtime.block_on(read(writeback, &args.writeback, beside))?;
    let court = Court {
        args,
        bundle: &bundle,
        catalog: &catalog,
        clusters: &clusters,
        alerts: &alerts,
        mutes: &mutes,
        over,
        tolerance,
    };
    let mut verdicts = Vec::new();
    for rule in rules {
        verdicts.push(runtime.block_on(court.judge(rule))?);
    }
    // If rules are named, the others do not matter.
    let strangers = if args.names.is_empty() { strangers(&bundle, &alerts, over) } else { BTreeMap::new() };
    let agrees = strangers.is_empty()
        && verdicts.iter().all(|verdict| verdict.stopped.is_none() && verdict.compared.agrees());
    if args.json {
        json(&machine(args, &verdicts, &strangers, over, agrees))?;
    } else {
        people(args, &verdicts, &strangers, over)?;
    }
    if agrees { Ok(()) } else { Err(Failure::Told) }
}

fn writeback<'a>(args: &Shadow, clusters: &'a BTreeMap<String, Cluster>) -> anyhow::Result<&'a Cluster> {
    let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
    match (&args.cluster, known.as_slice()) {
        (Some(name), _) => clusters.get(name).with_context(|| {
            format!("the environment has no cluster `{name}`\n\nhint: there are {}", known.join(", "))
        }),
        (None, [only]) => Ok(&clusters[*only]),
        (None, _) => Err(anyhow!(
            "which cluster holds `{}`?\n\nhint: name it with `--cluster`: {}",
            args.writeback,
            known.join(", ")
        )),
    }
}

impl<'a> Court<'a> {
    async fn judge(&self, rule: &'a BoundRule) -> anyhow::Result<Verdict<'a>> {
        let tolerance = Tolerance { either_way: self.tolerance, early: early(rule) };
        let beside =
            Range::new(self.over.start - self.tolerance, self.over.end + self.tolerance + tolerance.early);
        let (host, past) =
            self.args.past.play(rule, self.bundle, self.catalog, self.clusters, beside).await?;
        let signals = host.trace.0.iter().filter_map(|entry| match &entry.event {
            TraceEvent::Signal(signal) => Some(signal),
            _ => None,
        });
        let here = findings(signals, self.tolerance);
        let name = rule.spec.name.0.as_str();
        let there: Vec<&Alert> = self.alerts.iter().filter(|alert| is_named(&alert.rule, name)).collect();
        let mutes: Vec<&Mute> = self.mutes.iter().filter(|mute| mutes_rule(&mute.what, name)).collect();
        let compared = compare(&here, &there, &mutes, self.over, tolerance);
        let gap = past.gaps.first().map(|gap| format!("skipped {gap}"));
        Ok(Verdict { rule, compared, stopped: past.stopped.or(gap) })
    }
}

/// How much earlier ElastAlert's time of a match is than this rule's: ElastAlert gives a spike the time of the first
/// event in its window.
fn early(rule: &BoundRule) -> Duration {
    let spike = matches!(&rule.module, ModuleRef::Builtin(name) if name == "spike");
    let timeframe = rule.params.get("timeframe").and_then(Value::as_str).and_then(span);
    timeframe.filter(|_| spike).unwrap_or(Duration::ZERO)
}

/// Whether ElastAlert's rule `there` is the rule `here`, by the name that `import` gives it.
fn is_named(there: &str, here: &str) -> bool {
    there == here || slug(there).is_some_and(|name| name == here)
}

/// `RULE`, `RULE.KEY` or `RULE._silence`; names and keys may contain dots.
fn mutes_rule(what: &str, rule: &str) -> bool {
    let prefixes = what.match_indices('.').map(|(at, _)| &what[..at]);
    prefixes.chain([what]).any(|name| is_named(name, rule))
}

/// ElastAlert rules that alerted but were not imported, with their number of alerts.
fn strangers(bundle: &Bundle, alerts: &[Alert], over: Range) -> BTreeMap<String, usize> {
    let mut strangers = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| over.start <= alert.at && alert.at < over.end) {
        if !bundle.rules.iter().any(|rule| is_named(&alert.rule, &rule.spec.name.0)) {
            *strangers.entry(alert.rule.clone()).or_default() += 1;
        }
    }
    strangers
}

fn people(
    args: &Shadow,
    verdicts: &[Verdict<'_>],
    strangers: &BTreeMap<String, usize>,
    over: Range,
) -> Result<(), Failure> {
    print(&format!(
        "{} against `{}`, from {} to {}",
        plain(&args.place.environment),
        plain(&args.writeback),
        rfc3339(over.start),
        rfc3339(over.end)
    ))?;
    let width = verdicts.iter().map(|verdict| verdict.rule.spec.name.0.len()).max().unwrap_or(0).max(4);
    print(&format!("  {:width$}  {:>12}  {:>13}  {:>5}", "rule", "ElastAlert", "Watchbell", "muted"))?;
    for verdict in verdicts {
        let compared = &verdict.compared;
        let told = match (&verdict.stopped, compared.agrees()) {
            (Some(_), _) => paint("not evaluated to the end", Colour::Red),
            (None, true) => paint("agree", Colour::Green),
            (None, false) => paint("differ", Colour::Red),
        };
        print(&format!(
            "  {:width$}  {:>12}  {:>13}  {:>5}  {told}",
            verdict.rule.spec.name.0,
            compared.alerts + compared.only_there.len(),
            compared.findings + compared.muted + compared.only_here.len(),
            compared.muted
        ))?;
        if let Some(why) = &verdict.stopped {
            print(&format!("    {}", plain(why)))?;
        }
        for alert in compared.only_there.iter().take(SHOWN_MAX) {
            let body: String = alert.body.to_string().chars().take(200).collect();
            print(&format!("    only ElastAlert  {}  {}", rfc3339(alert.at), plain(&body)))?;
        }
        for finding in compared.only_here.iter().take(SHOWN_MAX) {
            print(&format!(
                "    only Watchbell   {}  {}",
                rfc3339(finding.first),
                plain(&labels_line(&finding.labels))
            ))?;
        }
        let more = compared.only_there.len().saturating_sub(SHOWN_MAX)
            + compared.only_here.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            print(&format!("    and {more} more (`--json` has all)"))?;
        }
    }
    for (rule, count) in strangers {
        let told = if *count == 1 { "alert" } else { "alerts" };
        print(&format!("{} {} ({count} {told})", paint("not imported:", Colour::Yellow), plain(rule)))?;
    }
    if verdicts.is_empty() {
        print(&paint("There are no rules.", Colour::Bold))?;
    }
    Ok(())
}

fn machine(
    args: &Shadow,
    verdicts: &[Verdict<'_>],
    strangers: &BTreeMap<String, usize>,
    over: Range,
    agrees: bool,
) -> Value {
    let rules = verdicts.iter().map(|verdict| {
        let compared = &verdict.compared;
        let there = compared
            .only_there
            .iter()
            .map(|alert| json!({ "rule": alert.rule, "at": rfc3339(alert.at), "match": alert.body }));
        let here = compared.only_here.iter().map(|finding| {
            let labels: serde_json::Map<_, _> =
                finding.labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect();
            json!({ "labels": labels, "first": rfc3339(finding.first), "last": rfc3339(finding.last) })
        });
        json!({
            "rule": verdict.rule.spec.name.0, "agrees": verdict.stopped.is_none() && compared.agrees(),
            "alerts": compared.alerts, "findings": compared.findings, "muted": compared.muted,
            "only_there": there.collect::<Vec<_>>(), "only_here": here.collect::<Vec<_>>(),
            "stopped": verdict.stopped,
        })
    });
    json!({
        "environment": args.place.environment, "writeback": args.writeback,
        "from": rfc3339(over.start), "to": rfc3339(over.end), "agrees": agrees,
        "rules": rules.collect::<Vec<_>>(), "not_here": strangers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_goes_by_the_name_that_import_gives_it() {
        assert!(is_named("Spike in 5xxs", "spike-in-5xxs"));
        assert!(!is_named("Spike in 5xxs", "spike-in-4xxs"));
        assert!(mutes_rule("Spike in 5xxs", "spike-in-5xxs"));
        assert!(mutes_rule("Spike in 5xxs.web.1", "spike-in-5xxs"));
        assert!(mutes_rule("spike.v2._silence", "spike.v2"));
        assert!(!mutes_rule("Spike in 4xxs.spike-in-5xxs", "spike-in-5xxs"));
    }
}
