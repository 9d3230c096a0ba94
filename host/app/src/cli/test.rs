//! `watchbell test`: rules on a virtual timeline, offline.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::Context;
use serde_json::json;
use watchbell_manifest::load_tests;

use super::args::Test;
use super::place::{catalog, tell};
use super::{Colour, Failure, Terminal, json, note, paint, plain, print};
use crate::clock;
use crate::testing::outcome::Outcome;
use crate::testing::suite::{self, Lack};
use crate::testing::{bless, junit};

pub(crate) fn test(args: &Test) -> Result<(), Failure> {
    let began = clock::monotonic();
    let path = args.path.as_deref().unwrap_or(&args.rules);
    let files = load_tests(path).map_err(|report| {
        tell(&report);
        Failure::Told
    })?;
    let jobs = suite::jobs(&files, args.environment.as_deref(), args.filter.as_deref());
    if jobs.is_empty() {
        return Err(Failure::Faults(anyhow::anyhow!(
            "there is no test {}\n\nhint: put tests beside manifests, `NAME.test.yaml` beside `NAME.yaml`",
            match &args.filter {
                Some(filter) => format!("whose name contains `{filter}`"),
                None => format!("at or below `{}`", path.display()),
            }
        )));
    }
    let catalog = catalog(None)?;
    let environments: BTreeSet<&str> = jobs.iter().map(|job| job.environment).collect();
    let mut bundles = BTreeMap::new();
    for name in environments {
        let place = super::Place {
            rules: args.rules.clone(),
            environment: name.to_owned(),
            tokens: args.tokens.clone(),
        };
        let bundle = place.load_as(name, &catalog, false).map_err(|report| {
            tell(&report);
            Failure::Told
        })?;
        bundles.insert(name.to_owned(), bundle);
    }
    let progress = Progress::new(jobs.len());
    let outcomes = suite::run(&jobs, &bundles, &catalog, &|outcome| progress.done(outcome))?;
    Terminal::error().clear();
    if let Some(path) = &args.junit {
        junit::write(&outcomes, path).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    // A filter says nothing about the rules that it leaves out.
    let whole = args.filter.is_none();
    let tried = |rule: &String| args.path.is_none() || files.iter().any(|file| file.rule == *rule);
    let rules: BTreeSet<String> = bundles
        .values()
        .flat_map(|bundle| &bundle.rules)
        .map(|rule| rule.spec.name.0.clone())
        .filter(|rule| whole && tried(rule))
        .collect();
    let lacking = suite::lacking(&rules, &outcomes);
    let took = began.elapsed();
    let failed = outcomes.iter().filter(|outcome| !outcome.is_passed()).count();
    if args.json {
        let report = json!({
            "ok": failed == 0, "passed": outcomes.len() - failed, "failed": failed, "took_ms": took.as_millis() as u64,
            "tests": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
            "lacking": lacking.iter().map(|lack| {
                json!({ "rule": lack.rule, "tests": lack.tests, "fires": lack.fires, "quiet": lack.quiet })
            }).collect::<Vec<_>>(),
        });
        json(&report)?;
    } else {
        tell_outcomes(args, &outcomes)?;
        tell_warnings(&outcomes)?;
        tell_lacking(&lacking)?;
        let passed = paint(&format!("{} passed", outcomes.len() - failed), Colour::Green);
        let failures = format!("{failed} failed");
        let failures = if failed > 0 { paint(&failures, Colour::Red) } else { failures };
        print(&format!("{passed}, {failures}, in {:.1} s", took.as_secs_f64()))?;
    }
    if args.bless && failed > 0 {
        let (changed, refused) = bless::bless(&files, &outcomes)?;
        for path in &changed {
            note(&format!(
                "blessed {}: review the changes before you commit them",
                plain(&path.display().to_string())
            ));
        }
        for why in &refused {
            note(&format!("{} {}", paint("not blessed:", Colour::Yellow), plain(why)));
        }
    }
    if failed > 0 || (args.strict && !lacking.is_empty()) { Err(Failure::Told) } else { Ok(()) }
}

fn tell_outcomes(args: &Test, outcomes: &[Outcome]) -> Result<(), Failure> {
    for outcome in outcomes {
        let named = plain(&format!("{}  {} [{}]", outcome.place(), outcome.name, outcome.environment));
        if outcome.is_passed() {
            if args.verbose {
                print(&format!("{}    {named}", paint("ok", Colour::Green)))?;
                for line in &outcome.trace {
                    print(&format!("  {}", plain(line)))?;
                }
            }
            continue;
        }
        print(&format!("{}  {named}", paint("FAIL", Colour::Red)))?;
        for line in outcome.differences().lines() {
            let colour = match line.trim_start().chars().next() {
                Some('-') => Some(Colour::Red),
                Some('+') => Some(Colour::Green),
                _ => None,
            };
            print(&colour.map_or_else(|| plain(line), |colour| paint(&plain(line), colour)))?;
        }
        print("")?;
    }
    Ok(())
}

/// Each once for a rule, with one of the tests that show it.
fn tell_warnings(outcomes: &[Outcome]) -> Result<(), Failure> {
    let warned = |outcome: &Outcome| {
        let of_rule = |warning: &String| ((outcome.rule.clone(), warning.clone()), outcome.place());
        outcome.warnings.iter().map(of_rule).collect::<Vec<_>>()
    };
    let all: BTreeMap<(String, String), String> = outcomes.iter().rev().flat_map(warned).collect();
    let head = paint("warning:", Colour::Yellow);
    for ((rule, warning), place) in all {
        print(&format!("{head} rule `{}`: {} ({})", plain(&rule), plain(&warning), plain(&place)))?;
    }
    Ok(())
}

fn tell_lacking(lacking: &[Lack]) -> Result<(), Failure> {
    if lacking.is_empty() {
        return Ok(());
    }
    let widest = lacking.iter().map(|lack| plain(&lack.rule).len()).max().unwrap_or(0).max(4);
    print(&paint("Rules without both a test that fires and a test that stays quiet:", Colour::Bold))?;
    print(&format!("  {:<widest$}  tests  fires  quiet", "rule"))?;
    for lack in lacking {
        let seen = |seen: bool| if seen { "yes" } else { "no" };
        let (fires, quiet) = (seen(lack.fires), seen(lack.quiet));
        print(&format!("  {:<widest$}  {:>5}  {fires:>5}  {quiet:>5}", plain(&lack.rule), lack.tests))?;
    }
    print("")
}

/// A progress line, on a terminal only.
struct Progress {
    all: usize,
    done: Mutex<(usize, usize)>,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { all, done: Mutex::default() }
    }

    fn done(&self, outcome: &Outcome) {
        let mut done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.0 += 1;
        done.1 += usize::from(!outcome.is_passed());
        let (count, failed) = *done;
        Terminal::error().progress(&format!("{count} of {} tests, {failed} failed", self.all));
    }
}
