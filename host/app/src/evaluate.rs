//! One evaluation of one window: the rule's questions, the cluster's answers, the rule's finding.
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use watchbell_contract::{Range, Rows, Signal};
use watchbell_elastic::{AskError, Class, EvidenceDocs};
use watchbell_pipeline::order::{Evaluation, Run, RunFault};
use watchbell_pipeline::spec::NoData;
use watchbell_sandbox::{RuleRun, RunError};

use crate::bind::Bound;
use crate::chain;
use crate::clock;

/// How often a rule may ask further questions after an answer.
const ROUNDS_MAX: usize = 4;
/// What evidence may cost, per run.
const EVIDENCE_MAX: std::time::Duration = std::time::Duration::from_secs(2);
/// Of how many signals of a run evidence is fetched.
const EVIDENCE_SIGNALS_MAX: usize = 5;

/// Runs `rule` over `run.window`.
///
/// - `guests`: how many rules may compute at once; waiting for a cluster does not count.
/// - Errors: `RunFault`, its message naming rule, index, cluster and cause.
pub(crate) async fn evaluate(
    run: &Run,
    rule: &Arc<Bound>,
    guests: &Arc<Semaphore>,
) -> Result<Evaluation, RunFault> {
    let began = clock::monotonic();
    let deadline = Instant::from_std(began + run.deadline.std());
    let work = answer_all(run, rule, guests, deadline);
    let (finding, rows) = tokio::time::timeout_at(deadline, work).await.map_err(|_| {
        RunFault::Slow(format!(
            "rule `{}`: the run took longer than {}; the window is halved",
            run.rule, run.deadline
        ))
    })??;
    let mut evaluation = Evaluation { finding, rows, ..Evaluation::default() };
    evaluation.no_data =
        rule.no_data != NoData::Ignore && rows == 0 && is_silent(run, rule, deadline).await?;
    gather_evidence(rule, &mut evaluation).await;
    evaluation.took = began.elapsed().into();
    Ok(evaluation)
}

async fn answer_all(
    run: &Run,
    rule: &Arc<Bound>,
    guests: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<(watchbell_contract::Finding, u64), RunFault> {
    let mut rows_seen = 0;
    let (bound, window) = (Arc::clone(rule), run.window);
    let state = run.state.as_ref().map(|state| state.bytes.clone());
    let mut guest = on_thread(guests, run, move || {
        bound.module.start(&bound.params, &bound.key, state.as_deref(), window, &bound.limits)
    })
    .await?;
    for _ in 0..=ROUNDS_MAX {
        let (returned, questions) = step(guests, run, guest, RuleRun::questions).await?;
        guest = returned;
        if questions.is_empty() {
            let (finding, report) = on_thread(guests, run, move || guest.finish()).await?;
            for line in &report.logs {
                tracing::info!(rule = %run.rule, level = line.level, "{}", line.message);
            }
            return Ok((finding, rows_seen));
        }
        for (number, question) in (0u32..).zip(&questions) {
            let mut pages = rule.cluster.ask(&rule.target, question, deadline).await.map_err(asked)?;
            while let Some(page) = pages.next().await.map_err(asked)? {
                rows_seen += page.len() as u64;
                guest = answer(guests, run, guest, number, page).await?;
            }
            pages.close().await;
        }
    }
    Err(RunFault::Rule(format!("rule `{}` asked questions in more than {ROUNDS_MAX} rounds", run.rule)))
}

async fn answer(
    guests: &Arc<Semaphore>,
    run: &Run,
    guest: RuleRun,
    number: u32,
    page: Rows,
) -> Result<RuleRun, RunFault> {
    step(guests, run, guest, move |guest| guest.answer(number, page)).await.map(|(guest, ())| guest)
}

/// Lends the run to a blocking thread for one call into the guest.
async fn step<T: Send + 'static>(
    guests: &Arc<Semaphore>,
    run: &Run,
    mut guest: RuleRun,
    call: impl FnOnce(&mut RuleRun) -> Result<T, RunError> + Send + 'static,
) -> Result<(RuleRun, T), RunFault> {
    on_thread(guests, run, move || call(&mut guest).map(|value| (guest, value))).await
}

async fn on_thread<T: Send + 'static>(
    guests: &Arc<Semaphore>,
    run: &Run,
    call: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunFault> {
    let place = Arc::clone(guests).acquire_owned().await;
    let outcome = tokio::task::spawn_blocking(move || {
        let _place = place;
        call()
    })
    .await;
    match outcome {
        Ok(outcome) => outcome.map_err(|error| faulted(run, &error)),
        Err(lost) => Err(RunFault::Rule(format!(
            "rule `{}`: the host failed while it called the rule: {lost}",
            run.rule
        ))),
    }
}

fn faulted(run: &Run, error: &RunError) -> RunFault {
    let message = format!("rule `{}`: {}", run.rule, chain(error));
    for line in &error.logs {
        tracing::warn!(rule = %run.rule, level = line.level, "{}", line.message);
    }
    match error {
        error if error.is_state() => RunFault::State(message),
        error if error.is_size() => RunFault::Limit(message),
        error if error.is_host() => RunFault::Outside(message),
        _ => RunFault::Rule(message),
    }
}

fn asked(error: AskError) -> RunFault {
    let message = chain(&error);
    match error.class() {
        Class::TooLarge => RunFault::TooLarge(message),
        Class::Slow => RunFault::Slow(message),
        Class::Outside => RunFault::Outside(message),
    }
}

/// Whether the index, without the rule's filter, has no document in the window.
async fn is_silent(run: &Run, rule: &Bound, deadline: Instant) -> Result<bool, RunFault> {
    let over = Range::new(run.judged.max(run.window.start), run.window.end);
    Ok(rule.cluster.count_without_filter(&rule.target, over, deadline).await.map_err(asked)? == 0)
}

/// Adds the newest documents behind each signal to its details, and a link to them. Best effort: what cannot be had in
/// time is left out, for a message without its documents is better than none.
async fn gather_evidence(rule: &Bound, evaluation: &mut Evaluation) {
    let deadline = Instant::from_std(clock::monotonic() + EVIDENCE_MAX);
    let signals = &mut evaluation.finding.signals;
    evaluation.links = signals.iter().map(|signal| rule.link(signal)).collect();
    for signal in signals.iter_mut().take(EVIDENCE_SIGNALS_MAX) {
        let Some(evidence) = signal.evidence.as_ref().filter(|evidence| evidence.newest > 0) else {
            continue;
        };
        match rule.cluster.evidence(&rule.target, evidence, deadline).await {
            Ok(found) => add_documents(signal, &found),
            Err(error) => tracing::debug!(rule = %rule.name, error = chain(&error), "no evidence"),
        }
    }
}

fn add_documents(signal: &mut Signal, found: &EvidenceDocs) {
    // A source that is no JSON would have failed the search.
    let documents = found.docs.iter().filter_map(|doc| serde_json::from_str(&doc.source).ok()).collect();
    let mut details: Map<String, Value> = serde_json::from_str(&signal.details).unwrap_or_default();
    details.insert("documents".into(), Value::Array(documents));
    signal.details = Value::Object(details).to_string();
}
