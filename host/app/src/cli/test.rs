//! `watchbell test`: rules on a virtual timeline, offline.
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use anyhow::Context;
use serde_json::json;
use watchbell_manifest::load_tests;

use super::args::Test;
use super::place::{catalog, tell};
use super::{BOLD, Failure, GREEN, RED, YELLOW, paint, print};
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
    progress.clear();
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
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        tell_outcomes(args, &outcomes)?;
        tell_warnings(&outcomes)?;
        tell_lacking(&lacking)?;
        let out = std::io::stdout();
        let passed = paint(&format!("{} passed", outcomes.len() - failed), GREEN, &out);
        let failures = format!("{failed} failed");
        let failures = if failed > 0 { paint(&failures, RED, &out) } else { failures };
        print(&format!("{passed}, {failures}, in {:.1} s", took.as_secs_f64()))?;
    }
    if args.bless && failed > 0 {
        let (changed, refused) = bless::bless(&files, &outcomes)?;
        for path in &changed {
            eprintln!("blessed {}: review the changes before you commit them", path.display());
        }
        for why in &refused {
            eprintln!("{} {why}", paint("not blessed:", YELLOW, &std::io::stderr()));
        }
    }
    if failed > 0 || (args.strict && !lacking.is_empty()) { Err(Failure::Told) } else { Ok(()) }
}

fn tell_outcomes(args: &Test, outcomes: &[Outcome]) -> Result<(), Failure> {
    let out = std::io::stdout();
    for outcome in outcomes {
        let named = format!("{}  {} [{}]", outcome.place(), outcome.name, outcome.environment);
        if outcome.is_passed() {
            if args.verbose {
                print(&format!("{}    {named}", paint("ok", GREEN, &out)))?;
                for line in &outcome.trace {
                    print(&format!("  {line}"))?;
                }
            }
            continue;
        }
        print(&format!("{}  {named}", paint("FAIL", RED, &out)))?;
        for line in outcome.differences().lines() {
            let colour = match line.trim_start().chars().next() {
                Some('-') => Some(RED),
                Some('+') => Some(GREEN),
                _ => None,
            };
            print(
                &colour.map_or_else(|| super::plain(line), |colour| paint(&super::plain(line), colour, &out)),
            )?;
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
    let head = paint("warning:", YELLOW, &std::io::stdout());
    for ((rule, warning), place) in all {
        print(&format!("{head} rule `{rule}`: {} ({place})", super::plain(&warning)))?;
    }
    Ok(())
}

fn tell_lacking(lacking: &[Lack]) -> Result<(), Failure> {
    if lacking.is_empty() {
        return Ok(());
    }
    let widest = lacking.iter().map(|lack| lack.rule.len()).max().unwrap_or(0).max(4);
    let out = std::io::stdout();
    print(&paint("Rules without both a test that fires and a test that stays quiet:", BOLD, &out))?;
    print(&format!("  {:<widest$}  tests  fires  quiet", "rule"))?;
    for lack in lacking {
        let seen = |seen: bool| if seen { "yes" } else { "no" };
        let (fires, quiet) = (seen(lack.fires), seen(lack.quiet));
        print(&format!("  {:<widest$}  {:>5}  {fires:>5}  {quiet:>5}", lack.rule, lack.tests))?;
    }
    print("")
}

/// A progress line, on a terminal only.
struct Progress {
    all: usize,
    shown: bool,
    done: Mutex<(usize, usize)>,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { all, shown: std::io::stderr().is_terminal(), done: Mutex::default() }
    }

    fn done(&self, outcome: &Outcome) {
        let mut done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.0 += 1;
        done.1 += usize::from(!outcome.is_passed());
        if self.shown {
            let (count, failed) = *done;
            eprint!("\r\x1b[K{count} of {} tests, {failed} failed", self.all);
            let _ = std::io::stderr().flush();
        }
    }

    fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
