//! One evaluation of one window: the rule's questions, the cluster's answers, the rule's finding.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::time::Instant;
use watchbell_contract::{Ask, Call, Duration, Finding, Question, ROUNDS_MAX, Range};
use watchbell_elastic::{AskError, Class};
use watchbell_pipeline::action::{Purpose, Run};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::input::Evaluation;
use watchbell_pipeline::spec::NoData;
use watchbell_sandbox::{RuleRun, RunError};

use crate::bind::LiveRule;
use crate::chain;
use crate::recording::Recorder;
use crate::{clock, event_log};

/// The maximum restarts of a run because its fields changed during its queries.
const OUTDATED_MAX: usize = 3;

/// Runs `rule` over `run.window`.
///
/// - `rows`: counts the rows that the cluster returned, even if the run fails.
/// - `guests`: limits how many rules may compute at once; waiting for a cluster does not count.
/// - `recorder`: keeps the rule's input.
/// - Errors: `RunFault`, with a message that names rule, index, cluster and cause.
pub(crate) async fn evaluate(
    run: &Run,
    rule: &Arc<LiveRule>,
    guests: &Arc<Semaphore>,
    rows: &AtomicU64,
    recorder: &mut Recorder,
) -> Result<Evaluation, RunFault> {
    let began = clock::monotonic();
    let deadline = Instant::from_std(began + run.deadline.std());
    let unmapped = BTreeSet::new();
    let mut turn = Turn { unmapped, run, rule, guests, rows, recorder, deadline };
    let (finding, fresh_rows) =
        tokio::time::timeout_at(deadline, turn.answer_all()).await.map_err(|_| {
            let (rule, most) = (&run.rule, run.deadline);
            let message = format!("rule `{rule}`: the run took longer than {most}; the window is halved");
            RunFault::new(RunFaultKind::Slow, message)
        })??;
    let unmapped = turn.unmapped.into_iter().collect();
    let rows = rows.load(Ordering::Relaxed);
    let mut evaluation = Evaluation { finding, rows, unmapped, ..Evaluation::default() };
    // Priming does not report missing data.
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
    /// The answers so far were requested under field types that are no longer valid.
    Outdated(AskError),
}

impl From<RunFault> for Interrupted {
    fn from(fault: RunFault) -> Self {
        Self::Fault(fault)
    }
}

/// A run in progress, and the cluster that it queries.
struct Turn<'a> {
    /// The fields that a question reads and no mapping defines.
    unmapped: BTreeSet<String>,
    run: &'a Run,
    rule: &'a Arc<LiveRule>,
    guests: &'a Arc<Semaphore>,
    rows: &'a AtomicU64,
    recorder: &'a mut Recorder,
    deadline: Instant,
}

impl Turn<'_> {
    /// The finding, and how many rows were new. Rows before `run.judged` were evaluated before and do not count as
    /// data.
    async fn answer_all(&mut self) -> Result<(Finding, u64), RunFault> {
        let mut outdated = 0;
        loop {
            match self.answer_once().await {
                Ok(answered) => return Ok(answered),
                Err(Interrupted::Fault(fault)) => return Err(fault),
                Err(Interrupted::Outdated(error)) if outdated == OUTDATED_MAX => return Err(asked(error)),
                Err(Interrupted::Outdated(error)) => {
                    outdated += 1;
                    tracing::debug!(rule = %self.rule.name, error = chain(&error), "restarting the run");
                    self.rows.store(0, Ordering::Relaxed);
                    self.unmapped.clear();
                    *self.recorder = Recorder::default();
                }
            }
        }
    }

    async fn answer_once(&mut self) -> Result<(Finding, u64), Interrupted> {
        let (run, rule) = (self.run, self.rule);
        let mut fresh = 0;
        let (live, window) = (Arc::clone(rule), run.window);
        let state = run.state.as_ref().map(|state| state.bytes.clone());
        let params = rule.params(run).into_owned();
        let start = move || {
            let call = Call { params: &params, context: &live.context, state: state.as_deref(), window };
            live.module.start(&call, &live.limits)
        };
        let mut guest = self.on_thread(start).await?;
        for round in 0..=ROUNDS_MAX {
            let (returned, questions) = self.step(guest, RuleRun::questions).await?;
            guest = returned;
            if questions.is_empty() {
                let (finding, report) = self.on_thread(move || guest.finish()).await?;
                event_log::guest_lines(&format!("rule `{}`", run.rule), &report.logs, report.logs_dropped);
                self.recorder.say(&report.logs);
                return Ok((finding, fresh));
            }
            if round == ROUNDS_MAX {
                break;
            }
            for (number, mut question) in (0u32..).zip(questions) {
                align(&mut question, run);
                let asking = rule.cluster.ask(&rule.target, &question, self.deadline).await;
                let mut pages = asking.map_err(|error| self.failed(error, round, number, &question))?;
                self.unmapped.extend(pages.unmapped().iter().cloned());
                loop {
                    let page = pages.next().await;
                    let page = page.map_err(|error| self.failed(error, round, number, &question))?;
                    let Some(page) = page else { break };
                    self.rows.fetch_add(page.len() as u64, Ordering::Relaxed);
                    // A raw search answers with one row whether or not there are documents.
                    if !matches!(question.ask, Ask::Search(_)) {
                        fresh += page.times.iter().filter(|at| **at >= run.judged.0).count() as u64;
                    }
                    self.recorder.keep(round, number, &page);
                    guest = self.step(guest, move |guest| guest.answer(number, page)).await?.0;
                }
                pages.close().await;
            }
        }
        let message = format!("rule `{}` asked questions in more than {ROUNDS_MAX} rounds", run.rule);
        Err(RunFault::new(RunFaultKind::Rule, message).into())
    }

    /// Why `question` has no answer. A question that cannot be asked is kept for replay.
    fn failed(&mut self, error: AskError, round: usize, number: u32, question: &Question) -> Interrupted {
        if error.is_outdated() {
            return Interrupted::Outdated(error);
        }
        let fault = asked(error);
        if fault.kind == RunFaultKind::Rule {
            self.recorder.refused(round, number, question);
        }
        Interrupted::Fault(fault)
    }

    /// Lends the guest to a blocking thread for one call into it.
    async fn step<T: Send + 'static>(
        &self,
        mut guest: RuleRun,
        call: impl FnOnce(&mut RuleRun) -> Result<T, RunError> + Send + 'static,
    ) -> Result<(RuleRun, T), RunFault> {
        self.on_thread(move || call(&mut guest).map(|value| (guest, value))).await
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, RunError> + Send + 'static,
    ) -> Result<T, RunFault> {
        let place = Arc::clone(self.guests).acquire_owned().await;
        let outcome = tokio::task::spawn_blocking(move || {
            let _place = place;
            call()
        })
        .await;
        match outcome {
            Ok(outcome) => outcome.map_err(|error| {
                self.recorder.say(&error.logs);
                faulted(self.run, &error)
            }),
            Err(lost) => {
                let rule = &self.run.rule;
                let message = format!("rule `{rule}`: the host failed while calling the rule: {lost}");
                Err(RunFault::new(RunFaultKind::Rule, message))
            }
        }
    }
}

/// Buckets start where the module checks; with `cron` that depends on the window's end.
fn align(question: &mut Question, run: &Run) {
    if let Ask::Buckets(buckets) = &mut question.ask
        && let Some(every) = buckets.every.filter(|every| !every.is_zero() && !run.grid.is_zero())
    {
        let end = run.window.end;
        let after = end.since(end.floor(run.grid));
        buckets.offset = Duration(after.millis() % every.millis());
    }
}

fn faulted(run: &Run, error: &RunError) -> RunFault {
    let message = format!("rule `{}`: {}", run.rule, chain(error));
    event_log::guest_lines(&format!("rule `{}`", run.rule), &error.logs, error.logs_dropped);
    let kind = match error {
        error if error.is_state() => RunFaultKind::State,
        error if error.is_size() => RunFaultKind::Limit,
        error if error.is_host() => RunFaultKind::Outside,
        _ => RunFaultKind::Rule,
    };
    RunFault::new(kind, message)
}

/// Who is to blame for a question without an answer: an invalid question is the rule's fault, like a trap.
fn asked(error: AskError) -> RunFault {
    let kind = match error.class() {
        Class::TooLarge => RunFaultKind::TooLarge,
        Class::Slow => RunFaultKind::Slow,
        Class::Outside => RunFaultKind::Outside,
        Class::Rule => RunFaultKind::Rule,
    };
    RunFault::new(kind, chain(&error))
}

/// Whether the index has no documents in the new part of the window, even without the rule's filter.
async fn is_silent(run: &Run, rule: &LiveRule, deadline: Instant) -> Result<bool, RunFault> {
    let over = Range::new(run.judged.max(run.window.start), run.window.end);
    // Nothing new was queried, so nothing is known.
    if over.is_empty() {
        return Ok(false);
    }
    Ok(rule.cluster.count_without_filter(&rule.target, over, deadline).await.map_err(asked)? == 0)
}
