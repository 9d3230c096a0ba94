//! Rule modules and their runs.
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;
use wasmtime::{Engine, Store};
use watchbell_contract::{
    About, Ask, Call, Context, Fault, Finding, Plan, Question, ROUNDS_MAX, Round, Rows, Signal, Timestamp,
    Window,
};
use watchbell_rows::{Asked, Feed, FeedFault, ROW_GROUPS_MAX, Step as FeedStep};

use crate::call::{self, Step};
use crate::capabilities::log::LogLine;
use crate::contract::{RuleExports, RuleInstance};
use crate::evidence::add_labels;
use crate::fault::{GuestFault, RunError};
use crate::finding::{check_questions, check_signals, cut_evidence, drop_infinities};
use crate::guest::Guest;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::plan::check_plan;
use crate::state;

/// A rule, compiled and linked. Cheap to clone; its runs share only code.
#[derive(Clone)]
pub struct RuleModule(pub(crate) Arc<Compiled>);

pub(crate) struct Compiled {
    pub(crate) engine: Engine,
    pub(crate) exports: Box<dyn RuleExports>,
    pub(crate) tick: Duration,
    pub(crate) about: About,
    pub(crate) inspection: Inspection,
}

/// One run of a rule over one window, in its own instance. Calls are synchronous and compute, so make them on a thread
/// that may block. After an error the run is over; drop it.
pub struct RuleRun {
    guest: Instance,
    run: ResourceAny,
    module: RuleModule,
    feed: Feed,
    state: Option<Vec<u8>>,
    rounds: usize,
    asked: u32,
    window: Window,
    key: Vec<String>,
    limits: Limits,
    /// Whether a document had more groups than are passed on.
    is_crowded: bool,
}

/// The cost of a run, and its log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    pub logs: Vec<LogLine>,
    /// The number of log lines beyond the limit.
    pub logs_dropped: u64,
    /// The module's own CPU time over all calls.
    pub guest_time: Duration,
    /// The module's peak memory in bytes.
    pub memory_bytes: usize,
}

impl Compiled {
    fn instance(&self, limits: &Limits) -> Result<Instance, RunError> {
        Instance::new(&self.engine, &*self.exports, self.tick, limits)
    }
}

impl RuleModule {
    pub fn about(&self) -> &About {
        &self.0.about
    }

    /// SHA-256 of the module's bytes, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0.inspection.digest
    }

    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// Checks parameters (a JSON object that the module's schema allows) against the context.
    ///
    /// # Errors
    /// The inner error is the module's verdict on the parameters, or that its plan exceeds a limit: a history of more
    /// than 400 days, checks less often than every 7 days or more often than every millisecond; the outer one is a
    /// failure of the module itself.
    pub fn prepare(&self, params: &str, context: &Context) -> Result<Result<Plan, Vec<Fault>>, RunError> {
        let mut guest = self.0.instance(&Limits::default())?;
        let outcome = guest
            .call(|rule, store| rule.prepare(store, params, context))
            .map_err(|fault| guest.end(fault))?;
        Ok(outcome.and_then(check_plan))
    }

    /// Begins a run in a fresh instance. `call.state` is what an earlier run of this rule returned; empty: the rule
    /// starts without a past.
    ///
    /// # Errors
    /// The module failed, or rejected the parameters or the state; or the state has another layout than the module's.
    pub fn start(&self, call: &Call<'_>, limits: &Limits) -> Result<RuleRun, RunError> {
        let mut guest = self.0.instance(limits)?;
        // No bytes at all: the host gave up on the rule's history, so it starts from nothing.
        let kept = call.state.filter(|kept| !kept.is_empty());
        let state = kept.map(|kept| state::unwrap(self.about(), kept)).transpose();
        let run = state
            .and_then(|state| guest.call(|rule, store| rule.start(store, &Call { state, ..*call })))
            .and_then(|started| started.map_err(GuestFault::Problem))
            .map_err(|fault| guest.end(fault))?;
        let Window { start, settled, end } = call.window;
        Ok(RuleRun {
            guest,
            run,
            module: self.clone(),
            feed: Feed::new(start.0, settled.0, end.0, limits.memory_bytes_max),
            state: None,
            rounds: 0,
            asked: 0,
            window: call.window,
            key: call.context.key.clone(),
            limits: *limits,
            is_crowded: false,
        })
    }
}

impl std::fmt::Debug for RuleModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RuleModule").field(&self.about().name).field(&self.digest()).finish()
    }
}

impl RuleRun {
    /// The rule's next questions, the key fields first in each; empty once it needs no more answers. All pages of the
    /// round before must have been passed.
    ///
    /// # Errors
    /// The module failed, or asked in a fifth round; or rows of the round before were out of place.
    pub fn questions(&mut self) -> Result<Vec<Question>, RunError> {
        let run = self.run;
        let questions = self.end_round().and_then(|()| {
            let asked = self.guest.call(|rule, store| rule.questions(store, run))?;
            let round = asked.map_err(GuestFault::Problem)?.unwrap_or_default();
            check_questions(&round.questions, self.window, &self.limits)?;
            self.begin(round)
        });
        questions.map_err(|fault| self.guest.end(fault))
    }

    fn begin(&mut self, round: Round) -> Result<Vec<Question>, GuestFault> {
        if round.questions.is_empty() {
            return Ok(round.questions);
        }
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            let what = format!("a fifth round of questions; the maximum is {ROUNDS_MAX}");
            return Err(GuestFault::BadOutput(what));
        }
        self.asked = u32::try_from(round.questions.len()).unwrap_or(u32::MAX);
        let key = &self.key;
        self.feed
            .begin(round.questions.iter().map(|question| asked(question, key)).collect(), round.is_scouting);
        Ok(round.questions.into_iter().map(|question| with_key(question, key)).collect())
    }

    /// Passes a page of the answer to a question, numbered from 0 within the round; its first columns are the key
    /// fields. Pages must be in order of time.
    ///
    /// # Errors
    /// The module failed, or rejected the page; or the page is malformed or out of place.
    pub fn answer(&mut self, question: u32, page: Rows) -> Result<(), RunError> {
        debug_assert!(question < self.asked, "an answer to a question that was not asked");
        let mut steps = Vec::new();
        let passed = self.feed.page(question, page, &mut steps).map_err(|fault| self.misplaced(fault));
        passed.and_then(|()| self.take(steps)).map_err(|fault| self.guest.end(fault))
    }

    fn end_round(&mut self) -> Result<(), GuestFault> {
        let mut steps = Vec::new();
        self.feed.end_round(&mut steps).map_err(|fault| self.misplaced(fault))?;
        self.take(steps)
    }

    fn take(&mut self, steps: Vec<FeedStep>) -> Result<(), GuestFault> {
        let run = self.run;
        for step in steps {
            match step {
                FeedStep::Answer(question, page) => {
                    self.is_crowded |= page.is_crowded;
                    let answered = self.guest.call(|rule, store| rule.answer(store, run, question, page))?;
                    answered.map_err(GuestFault::Problem)?;
                }
                FeedStep::Snapshot => self.snapshot()?,
            }
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), GuestFault> {
        let run = self.run;
        let taken = self.guest.call(|rule, store| rule.snapshot(store, run))?;
        let bytes = taken.map_err(GuestFault::Problem)?;
        let limit = self.limits.state_bytes_max;
        if bytes.len() > limit {
            return Err(GuestFault::StateTooLarge { bytes: bytes.len(), limit });
        }
        self.state = Some(state::wrap(self.module.about(), &bytes));
        Ok(())
    }

    fn misplaced(&self, fault: FeedFault) -> GuestFault {
        let (start, end) = (self.window.start, self.window.end);
        GuestFault::Problem(watchbell_contract::Problem::Rows(match fault {
            FeedFault::Page(message) => message,
            FeedFault::Order { time, newest } => {
                format!("a row of {} came after one of {}", Timestamp(time), Timestamp(newest))
            }
            FeedFault::Outside { time } => {
                format!("a row of {} is outside the window {start}..{end}", Timestamp(time))
            }
            FeedFault::TooMuch { limit } => return GuestFault::AnswersTooLarge { limit },
        }))
    }

    /// Ends the run and returns its finding, checked: signals in order and inside the window, a label for each key
    /// field, sizes within their limits, details that are a JSON object.
    ///
    /// # Errors
    /// The module failed or reported a problem, or its finding is invalid.
    pub fn finish(mut self) -> Result<(Finding, RunReport), RunError> {
        let finding = self.end().map_err(|fault| self.guest.end(fault))?;
        Ok((finding, self.guest.report()))
    }

    fn end(&mut self) -> Result<Finding, GuestFault> {
        self.end_round()?;
        if self.feed.finish() {
            self.snapshot()?;
        }
        let (run, key) = (self.run, &self.key);
        let finished = self.guest.call(|rule, store| rule.finish(store, run, key))?;
        let mut signals = finished.map_err(GuestFault::Problem)?;
        check_signals(&signals, self.window, &self.key, &self.limits)?;
        signals.sort_by_key(|signal| signal.at);
        signals.iter_mut().for_each(add_labels);
        self.note(&mut signals);
        Ok(Finding { signals, state: self.state.take().unwrap_or_default() })
    }

    /// Logs what was left out.
    fn note(&mut self, signals: &mut [Signal]) {
        const WARN: u8 = 1;
        let dropped = drop_infinities(signals);
        let cut = cut_evidence(signals, self.window, &self.limits);
        let logs = &mut self.guest.store.data_mut().logs;
        if dropped > 0 {
            let note = format!("{dropped} values that are not finite numbers were removed from the signals");
            logs.add(WARN, note);
        }
        if cut > 0 {
            let reach = self.limits.reach;
            let note = format!(
                "the evidence of {cut} signals was cut to the time that the rule may ask about: its window and {reach} before it"
            );
            logs.add(WARN, note);
        }
        if self.is_crowded {
            let note = format!(
                "a document has more than {ROW_GROUPS_MAX} combinations of key values: the others are ignored"
            );
            logs.add(WARN, note);
        }
    }
}

/// A question as it is asked: the key fields come first.
fn with_key(mut question: Question, key: &[String]) -> Question {
    let fields = match &mut question.ask {
        Ask::Hits(hits) => &mut hits.fields,
        Ask::Buckets(buckets) => &mut buckets.by,
        Ask::Search(_) | Ask::Cluster(_) => return question,
    };
    Asked::with_key(key, fields);
    question
}

/// How the answer to a question is turned into groups.
fn asked(question: &Question, key: &[String]) -> Asked {
    let (start, end) = (question.over.start.0, question.over.end.0);
    match &question.ask {
        Ask::Hits(hits) => Asked::new(key, &hits.fields, start, end),
        // Buckets without a time interval are at the start of the range.
        Ask::Buckets(buckets) => {
            Asked::new(key, &buckets.by, start, if buckets.every.is_none() { start } else { end })
        }
        Ask::Search(_) | Ask::Cluster(_) => Asked::new::<String>(&[], &[], start, end),
    }
}

impl std::fmt::Debug for RuleRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleRun")
            .field("window", &self.window)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

/// A store and the one instance in it.
pub(crate) struct Instance {
    store: Store<Guest>,
    rule: Box<dyn RuleInstance>,
    tick: Duration,
}

impl Instance {
    pub(crate) fn new(
        engine: &Engine,
        exports: &dyn RuleExports,
        tick: Duration,
        limits: &Limits,
    ) -> Result<Self, RunError> {
        let mut store = call::store(engine, tick, limits, Guest::new(limits, None));
        call::enter(&mut store, tick);
        let rule = exports.instantiate(&mut store);
        match call::leave(&mut store, rule, Step::Start) {
            Ok(rule) => Ok(Self { store, rule, tick }),
            Err(fault) => Err(call::end(&mut store, fault)),
        }
    }

    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&dyn RuleInstance, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFault> {
        call::enter(&mut self.store, self.tick);
        let outcome = call(&*self.rule, &mut self.store);
        call::leave(&mut self.store, outcome, Step::Call)
    }

    pub(crate) fn end(&mut self, fault: GuestFault) -> RunError {
        call::end(&mut self.store, fault)
    }

    fn report(&mut self) -> RunReport {
        let guest = self.store.data_mut();
        let logs = guest.logs.take();
        RunReport {
            logs: logs.lines,
            logs_dropped: logs.dropped,
            guest_time: guest.clock.used(),
            memory_bytes: guest.memory.bytes,
        }
    }
}
