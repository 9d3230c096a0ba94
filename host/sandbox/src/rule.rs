//! Rule modules and their runs.
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;
use wasmtime::{Engine, Store};
use watchbell_contract::{About, Fault, Finding, Plan, Question, ROUNDS_MAX, Rows, Window};

use crate::call::{self, Step};
use crate::capabilities::log::LogLine;
use crate::contract::{RuleExports, RuleInstance};
use crate::fault::{GuestFault, RunError};
use crate::finding::{check_finding, check_questions, drop_infinities};
use crate::guest::Guest;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::plan::check_plan;

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
    rounds: usize,
    asked: u32,
    window: Window,
    key: Vec<String>,
    limits: Limits,
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

    /// Checks parameters (a JSON object that the module's schema allows) against the key.
    ///
    /// # Errors
    /// The inner error is the module's verdict on the parameters, or that its plan reads back more than 400 days or
    /// checks less often than every 7 days; the outer one is a failure of the module itself.
    pub fn prepare(&self, params: &str, key: &[String]) -> Result<Result<Plan, Vec<Fault>>, RunError> {
        let mut guest = self.0.instance(&Limits::default())?;
        let outcome =
            guest.call(|rule, store| rule.prepare(store, params, key)).map_err(|fault| guest.end(fault))?;
        Ok(outcome.and_then(check_plan))
    }

    /// Begins a run in a fresh instance.
    ///
    /// # Errors
    /// The module failed, or rejected the parameters or the state.
    pub fn start(
        &self,
        params: &str,
        key: &[String],
        state: Option<&[u8]>,
        window: Window,
        limits: &Limits,
    ) -> Result<RuleRun, RunError> {
        let mut guest = self.0.instance(limits)?;
        let run = guest
            .call(|rule, store| rule.start(store, params, key, state, window))
            .and_then(|started| started.map_err(GuestFault::Problem))
            .map_err(|fault| guest.end(fault))?;
        Ok(RuleRun { guest, run, rounds: 0, asked: 0, window, key: key.to_vec(), limits: *limits })
    }
}

impl std::fmt::Debug for RuleModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RuleModule").field(&self.about().name).field(&self.digest()).finish()
    }
}

impl RuleRun {
    /// The rule's next questions; empty once it needs no more answers.
    ///
    /// # Errors
    /// The module failed, or asked in a fifth round.
    pub fn questions(&mut self) -> Result<Vec<Question>, RunError> {
        let (run, limits) = (self.run, self.limits);
        let questions = self
            .guest
            .call(|rule, store| rule.questions(store, run))
            .and_then(|questions| check_questions(&questions, &limits).map(|()| questions))
            .and_then(|questions| self.count_round(questions));
        questions.map_err(|fault| self.guest.end(fault))
    }

    fn count_round(&mut self, questions: Vec<Question>) -> Result<Vec<Question>, GuestFault> {
        if !questions.is_empty() {
            self.rounds += 1;
            self.asked = u32::try_from(questions.len()).unwrap_or(u32::MAX);
        }
        if self.rounds > ROUNDS_MAX {
            let what = format!("a fifth round of questions; the maximum is {ROUNDS_MAX}");
            return Err(GuestFault::BadOutput(what));
        }
        Ok(questions)
    }

    /// Passes a page of the answer to a question, numbered from 0 within the round. Pages must be in order of time.
    ///
    /// # Errors
    /// The module failed, or rejected the page.
    pub fn answer(&mut self, question: u32, page: Rows) -> Result<(), RunError> {
        debug_assert!(question < self.asked, "an answer to a question that was not asked");
        let run = self.run;
        self.guest
            .call(|rule, store| rule.answer(store, run, question, page))
            .and_then(|answered| answered.map_err(GuestFault::Problem))
            .map_err(|fault| self.guest.end(fault))
    }

    /// Ends the run and returns its finding, checked: signals in order and inside the window, labels that match the
    /// key, sizes within their limits, details that are a JSON object.
    ///
    /// # Errors
    /// The module failed or reported a problem, or its finding is invalid.
    pub fn finish(mut self) -> Result<(Finding, RunReport), RunError> {
        let run = self.run;
        let finding = self
            .guest
            .call(|rule, store| rule.finish(store, run))
            .and_then(|finished| finished.map_err(GuestFault::Problem))
            .and_then(|finding| {
                check_finding(&finding, self.window, &self.key, &self.limits).map(|()| finding)
            });
        let mut finding = finding.map_err(|fault| self.guest.end(fault))?;
        let dropped = drop_infinities(&mut finding);
        if dropped > 0 {
            let note = format!("{dropped} values that are not finite numbers were removed from the signals");
            self.guest.store.data_mut().logs.add(1, note);
        }
        Ok((finding, self.guest.report()))
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
