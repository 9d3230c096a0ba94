//! Many tests, on all cores.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use watchbell_manifest::{Bundle, Test, TestFile};

use super::outcome::{Claim, Outcome};
use super::runner::Runner;
use crate::catalog::Catalog;

/// One test in one environment.
pub(crate) struct Job<'a> {
    pub(crate) file: &'a TestFile,
    pub(crate) test: &'a Test,
    pub(crate) environment: &'a str,
}

/// The tests to run: of every file, in each environment it names or only in `environment`, if their name contains
/// `filter`.
pub(crate) fn jobs<'a>(
    files: &'a [TestFile],
    environment: Option<&'a str>,
    filter: Option<&str>,
) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for file in files {
        for test in file.tests.iter().filter(|test| filter.is_none_or(|part| test.name.contains(part))) {
            match environment {
                Some(environment) => jobs.push(Job { file, test, environment }),
                None => {
                    jobs.extend(test.environments.iter().map(|environment| Job { file, test, environment }))
                }
            }
        }
    }
    jobs
}

/// Runs them, with a node per worker; the outcomes are in the order of the jobs. Calls `done` for each.
///
/// # Errors
/// A node cannot be started.
pub(crate) fn run(
    jobs: &[Job<'_>],
    bundles: &BTreeMap<String, Bundle>,
    catalog: &Catalog,
    done: &(dyn Fn(&Outcome) + Sync),
) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(jobs.len().max(1));
    let work = || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let runner = Runner::open().await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(number) else { return Ok(()) };
                let bundle = bundles.get(job.environment).context("every environment was loaded")?;
                let (file, rule) = (&job.file.path, &job.file.rule);
                let outcome = runner.run(file, rule, job.test, job.environment, bundle, catalog).await;
                done(&outcome);
                outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, outcome));
            }
        })
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// What the tests of a rule do not cover: that it fires, or that it stays quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) rule: String,
    pub(crate) tests: usize,
    pub(crate) fires: bool,
    pub(crate) quiet: bool,
}

/// The rules for which no test shows that they fire, or that they stay quiet, by name.
pub(crate) fn lacking(rules: &BTreeSet<String>, outcomes: &[Outcome]) -> Vec<Lack> {
    let of = |rule: &str| outcomes.iter().filter(move |outcome| outcome.rule == rule).collect::<Vec<_>>();
    let lacks = rules.iter().map(|rule| {
        let own = of(rule);
        let seen = |claim: Claim| own.iter().any(|outcome| outcome.claim == claim && outcome.is_passed());
        Lack { rule: rule.clone(), tests: own.len(), fires: seen(Claim::Fires), quiet: seen(Claim::Quiet) }
    });
    lacks.filter(|lack| !lack.fires || !lack.quiet).collect()
}
