//! One evaluation of one window: the rule's questions, the cluster's answers, the rule's finding.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::time::Instant;
use watchbell_contract::{Ask, Duration, Question, ROUNDS_MAX, Range, Rows};
use watchbell_elastic::{AskError, Class};
use watchbell_pipeline::order::{Evaluation, Purpose, Run, RunFault};
use watchbell_pipeline::spec::NoData;
use watchbell_sandbox::{RuleRun, RunError};

use crate::bind::Bound;
use crate::chain;
use crate::recording::Tape;
use crate::{clock, notes};

/// How often a run begins anew, at most, because its fields changed while it asked for them.
const OUTDATED_MAX: usize = 3;

/// Runs `rule` over `run.window`.
///
/// - `rows`: counts what the cluster handed out, also when the run fails.
/// - `guests`: how many rules may compute at once; waiting for a cluster does not count.
/// - `tape`: keeps what the rule was given.
/// - Errors: `RunFault`, its message naming rule, index, cluster and cause.
pub(crate) async fn evaluate(
    run: &Run,
    rule: &Arc<Bound>,
    guests: &Arc<Semaphore>,
    rows: &AtomicU64,
    tape: &mut Tape,
) -> Result<Evaluation, RunFault> {
    let began = clock::monotonic();
    let deadline = Instant::from_std(began + run.deadline.std());
    let work = answer_all(run, rule, guests, rows, tape, deadline);
    let (finding, fresh_rows) = tokio::time::timeout_at(deadline, work).await.map_err(|_| {
        RunFault::Slow(format!(
            "rule `{}`: the run took longer than {}; the window is halved",
            run.rule, run.deadline
        ))
    })??;
    let rows = rows.load(Ordering::Relaxed);
    let mut evaluation = Evaluation { finding, rows, ..Evaluation::default() };
    // Priming tells nobody of silence.
    if run.purpose == Purpose::Live {
        evaluation.no_data =
            rule.no_data != NoData::Ignore && fresh_rows == 0 && is_silent(run, rule, deadline).await?;
    }
    evaluation.took = began.elapsed().into();
    Ok(evaluation)
}

/// Why a run has no finding.
enum Interrupted {
    Fault(RunFault),
    /// What it was told so far was asked for under field types that were no longer true.
    Outdated(AskError),
}

impl From<RunFault> for Interrupted {
    fn from(fault: RunFault) -> Self {
        Self::Fault(fault)
    }
}

/// The finding, and how many rows were new: what lies before `run.judged` was judged once and is no sign of life.
async fn answer_all(
    run: &Run,
    rule: &Arc<Bound>,
    guests: &Arc<Semaphore>,
    rows: &AtomicU64,
    tape: &mut Tape,
    deadline: Instant,
) -> Result<(watchbell_contract::Finding, u64), RunFault> {
    let mut outdated = 0;
    loop {
        match answer_once(run, rule, guests, rows, tape, deadline).await {
            Ok(answered) => return Ok(answered),
            Err(Interrupted::Fault(fault)) => return Err(fault),
            Err(Interrupted::Outdated(error)) if outdated == OUTDATED_MAX => return Err(asked(error)),
            Err(Interrupted::Outdated(error)) => {
                outdated += 1;
                tracing::debug!(rule = %rule.name, error = chain(&error), "the run begins anew");
                rows.store(0, Ordering::Relaxed);
                *tape = Tape::default();
            }
        }
    }
}

async fn answer_once(
    run: &Run,
    rule: &Arc<Bound>,
    guests: &Arc<Semaphore>,
    rows: &AtomicU64,
    tape: &mut Tape,
    deadline: Instant,
) -> Result<(watchbell_contract::Finding, u64), Interrupted> {
    let mut fresh = 0;
    let (bound, window) = (Arc::clone(rule), run.window);
    let state = run.state.as_ref().map(|state| state.bytes.clone());
    let params = rule.params(run).into_owned();
    let mut guest = on_thread(guests, run, move || {
        bound.module.start(&params, &bound.key, state.as_deref(), window, &bound.limits)
    })
    .await?;
    for round in 0..=ROUNDS_MAX {
        let (returned, questions) = step(guests, run, guest, RuleRun::questions).await?;
        guest = returned;
        if questions.is_empty() {
            let (finding, report) = on_thread(guests, run, move || guest.finish()).await?;
            notes::guest_lines(&format!("rule `{}`", run.rule), &report.logs, report.logs_dropped);
            return Ok((finding, fresh));
        }
        if round == ROUNDS_MAX {
            break;
        }
        for (number, mut question) in (0u32..).zip(questions) {
            align(&mut question, run);
            let failed = |error: AskError, tape: &mut Tape| {
                if error.is_outdated() {
                    return Interrupted::Outdated(error);
                }
                let fault = asked(error);
                if matches!(fault, RunFault::Rule(_)) {
                    tape.refused(round, number, &question);
                }
                Interrupted::Fault(fault)
            };
            let asking = rule.cluster.ask(&rule.target, &question, deadline).await;
            let mut pages = asking.map_err(|error| failed(error, tape))?;
            while let Some(page) = pages.next().await.map_err(|error| failed(error, tape))? {
                rows.fetch_add(page.len() as u64, Ordering::Relaxed);
                fresh += page.times.iter().filter(|at| **at >= run.judged.0).count() as u64;
                tape.keep(round, number, &page);
                guest = answer(guests, run, guest, number, page).await?;
            }
            pages.close().await;
        }
    }
    let message = format!("rule `{}` asked questions in more than {ROUNDS_MAX} rounds", run.rule);
    Err(RunFault::Rule(message).into())
}

/// Buckets begin where the module checks, which with `cron` is where its window ends.
fn align(question: &mut Question, run: &Run) {
    if let Ask::Buckets(buckets) = &mut question.ask
        && let Some(every) = buckets.every.filter(|every| !every.is_zero() && !run.grid.is_zero())
    {
        let end = run.window.end;
        let after = end.since(end.floor(run.grid));
        buckets.offset = Duration(after.millis() % every.millis());
    }
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
    notes::guest_lines(&format!("rule `{}`", run.rule), &error.logs, error.logs_dropped);
    match error {
        error if error.is_state() => RunFault::State(message),
        error if error.is_size() => RunFault::Limit(message),
        error if error.is_host() => RunFault::Outside(message),
        _ => RunFault::Rule(message),
    }
}

/// Whose fault it is that a question has no answer: what cannot be asked is the rule's, as a trap is.
fn asked(error: AskError) -> RunFault {
    let message = chain(&error);
    match error.class() {
        Class::TooLarge => RunFault::TooLarge(message),
        Class::Slow => RunFault::Slow(message),
        Class::Outside => RunFault::Outside(message),
        Class::Rule => RunFault::Rule(message),
    }
}

/// Whether the index, without the rule's filter, has no document in what is new of the window.
async fn is_silent(run: &Run, rule: &Bound, deadline: Instant) -> Result<bool, RunFault> {
    let over = Range::new(run.judged.max(run.window.start), run.window.end);
    // Nothing new was looked at: nothing can be said of it.
    if over.is_empty() {
        return Ok(false);
    }
    Ok(rule.cluster.count_without_filter(&rule.target, over, deadline).await.map_err(asked)? == 0)
}
