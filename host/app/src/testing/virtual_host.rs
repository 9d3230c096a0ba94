//! A host in virtual time: the real coordinator, evaluator and outbox, a store in memory, and a trace instead of
//! receivers. Actions take no time; time only moves when `advance` is called.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::Semaphore;
use watchbell_contract::{Duration, Receipt, Refusal, Timestamp};
use watchbell_pipeline::action::{Action, Note, Purpose, Run};
use watchbell_pipeline::input::{Input, Persisted};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::{BundleRef, EpisodeRecord, HostId, Phase};
use watchbell_pipeline::spec::{DestinationName, DestinationSpec, RuleName, RuleSpec};
use watchbell_pipeline::{Config, Coordinator};
use watchbell_store::{Memory, Store};

use super::trace::{Trace, TraceEntry, TraceEvent};
use crate::bind::LiveRule;
use crate::evaluate::evaluate;
use crate::evidence;
use crate::recording::Recorder;
use crate::texts::Texts;

/// No coordinator takes this many actions at one instant: time would not advance.
const STEPS_MAX: u32 = 1_000_000;

/// The rules in force, and the destinations that would be notified.
pub(crate) struct VirtualDeployment {
    pub(crate) digest: String,
    pub(crate) environment: String,
    pub(crate) specs: Vec<Arc<RuleSpec>>,
    pub(crate) destinations: Vec<DestinationSpec>,
    pub(crate) holds: HoldsSpec,
    pub(crate) rules: BTreeMap<RuleName, Arc<LiveRule>>,
    pub(crate) texts: Texts,
}

pub(crate) struct VirtualHost {
    deployment: VirtualDeployment,
    coordinator: Coordinator,
    store: Memory,
    now: Timestamp,
    /// The embedded node's current time.
    clock: Arc<AtomicI64>,
    guests: Arc<Semaphore>,
    down: BTreeSet<DestinationName>,
    /// How many equal signals were reported: several documents of the same instant may each cause one.
    seen: HashMap<(RuleName, SignalIdentity), u32>,
    pub(crate) trace: Trace,
    /// Rows that the cluster returned so far.
    pub(crate) rows: u64,
}

/// What distinguishes a signal from others of its rule.
type SignalIdentity = (Timestamp, &'static str, Vec<Option<String>>, String);

/// The host cannot continue; a bug in Watchbell, reported instead of looping forever.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VirtualHostFault {
    #[error("the in-memory store failed: {0}")]
    Store(String),
    #[error("time does not advance past {0}")]
    Stuck(String),
}

impl VirtualHost {
    /// A host that starts at `now` with an empty store.
    pub(crate) fn open(
        deployment: VirtualDeployment,
        now: Timestamp,
        clock: Arc<AtomicI64>,
    ) -> Result<Self, VirtualHostFault> {
        clock.store(now.0, Ordering::Relaxed);
        let mut store = Memory::new();
        let coordinator = coordinator(&deployment, &mut store, now)?;
        let mut host = Self {
            deployment,
            coordinator,
            store,
            now,
            clock,
            guests: Arc::new(Semaphore::new(1)),
            down: BTreeSet::new(),
            seen: HashMap::new(),
            trace: Trace::default(),
            rows: 0,
        };
        host.put_in_force();
        Ok(host)
    }

    /// Runs everything that is due before `to`, or at it if `within`, and then sets the time to `to`.
    pub(crate) async fn advance(&mut self, to: Timestamp, within: bool) -> Result<(), VirtualHostFault> {
        let mut steps = 0;
        loop {
            self.carry_out().await?;
            match self.coordinator.next_wakeup() {
                Some(at) if at < to || (within && at <= to) => {
                    steps = if at > self.now { 0 } else { steps + 1 };
                    if steps > STEPS_MAX {
                        return Err(VirtualHostFault::Stuck(crate::clock::rfc3339(self.now)));
                    }
                    self.pass(at.max(self.now));
                    self.coordinator.handle(self.now, Input::Tick);
                }
                _ => break,
            }
        }
        self.pass(to.max(self.now));
        Ok(())
    }

    /// Kills the host and restarts it with only what was committed.
    pub(crate) fn restart(&mut self) -> Result<(), VirtualHostFault> {
        self.record(TraceEvent::Restarted);
        self.coordinator = coordinator(&self.deployment, &mut self.store, self.now)?;
        self.put_in_force();
        Ok(())
    }

    pub(crate) fn set_down(&mut self, name: &str, down: bool) {
        let name = DestinationName(name.to_owned());
        if down {
            self.down.insert(name);
        } else {
            self.down.remove(&name);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The open episodes, by rule and labels.
    /// What is doubtful about the rules at the end: fields that no mapping has.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.coordinator.rules().flat_map(|rule| rule.warnings).collect()
    }

    pub(crate) fn open_episodes(&self) -> Vec<&EpisodeRecord> {
        let mut open: Vec<_> = self
            .store
            .episodes()
            .filter(|episode| !matches!(episode.phase, Phase::Resolved { .. }))
            .collect();
        open.sort_by(|a, b| (&a.rule, values(a)).cmp(&(&b.rule, values(b))));
        open
    }

    pub(crate) fn gaps(&self) -> usize {
        self.store.gaps().len()
    }

    fn put_in_force(&mut self) {
        let deployment = &self.deployment;
        let bundle = Input::Bundle {
            bundle: BundleRef::after(None, deployment.digest.clone()),
            rules: deployment.specs.clone(),
            destinations: deployment.destinations.clone(),
            holds: deployment.holds.clone(),
        };
        self.coordinator.handle(self.now, bundle);
    }

    fn pass(&mut self, to: Timestamp) {
        self.now = to;
        self.clock.store(to.0, Ordering::Relaxed);
    }

    fn record(&mut self, event: TraceEvent) {
        self.trace.0.push(TraceEntry { at: self.now, event });
    }

    async fn carry_out(&mut self) -> Result<(), VirtualHostFault> {
        while let Some(action) = self.coordinator.poll_action() {
            let input = match action {
                Action::Evaluate(run) => self.run(run).await,
                Action::Persist(commit) => {
                    let lost = self.store.commit(&commit);
                    let lost = lost.map_err(|error| VirtualHostFault::Store(error.to_string()))?;
                    Input::Persisted { nonce: commit.nonce, outcome: Persisted::Written { lost } }
                }
                Action::ReadTransitions(_) | Action::RetakeNotifier { .. } => {
                    unreachable!("one host owns everything, and loses nothing")
                }
                Action::Render { order, epoch, job } => {
                    let outcome = self.deployment.texts.render(*job).await;
                    Input::Rendered { order, epoch, outcome }
                }
                Action::Deliver { id, epoch, destination, intent, .. } => {
                    let outcome = if self.down.contains(&destination) {
                        Err(Refusal::Unavailable { reason: "it is down".into(), retry_after: None })
                    } else {
                        Ok(Receipt::default())
                    };
                    let (delivered, recorded) = (outcome.is_ok(), intent.recorded.clone());
                    self.record(TraceEvent::Delivery { to: destination, intent, delivered });
                    Input::Delivered { intent: id, epoch, outcome, recorded }
                }
                Action::Note(note) => {
                    self.note(note);
                    continue;
                }
            };
            self.coordinator.handle(self.now, input);
        }
        Ok(())
    }

    async fn run(&mut self, run: Run) -> Input {
        let rows = AtomicU64::new(0);
        let outcome = match self.deployment.rules.get(&run.rule).cloned() {
            Some(rule) => {
                let mut recorder = Recorder::default();
                let mut outcome = evaluate(&run, &rule, &self.guests, &rows, &mut recorder).await;
                for line in recorder.take_said() {
                    self.record(TraceEvent::Logged(line));
                }
                if let Ok(evaluation) = &mut outcome {
                    evidence::gather(&run, &rule, evaluation).await;
                }
                outcome
            }
            None => unreachable!("only what is in force is run"),
        };
        self.rows += rows.load(Ordering::Relaxed);
        if run.purpose == Purpose::Live
            && let Ok(evaluation) = &outcome
        {
            let mut found: HashMap<SignalIdentity, u32> = HashMap::new();
            for signal in &evaluation.finding.signals {
                let labels: Vec<_> = signal.labels.iter().map(|label| label.value.clone()).collect();
                let (kind, said) = super::trace::identity(signal);
                let identity = (signal.at, kind, labels, said);
                let nth = found.entry(identity.clone()).or_default();
                *nth += 1;
                let seen = self.seen.entry((run.rule.clone(), identity)).or_default();
                if *seen < *nth {
                    *seen = *nth;
                    self.record(TraceEvent::Signal(signal.clone()));
                }
            }
        }
        Input::Evaluated { run: run.id, outcome }
    }

    fn note(&mut self, note: Note) {
        self.record(TraceEvent::Note(note));
    }
}

fn values(episode: &EpisodeRecord) -> Vec<&Option<String>> {
    episode.labels.iter().map(|label| &label.value).collect()
}

fn coordinator(
    deployment: &VirtualDeployment,
    store: &mut Memory,
    now: Timestamp,
) -> Result<Coordinator, VirtualHostFault> {
    let host = HostId("testing".into());
    let holdings = store.take_all(&host).map_err(|error| VirtualHostFault::Store(error.to_string()))?;
    let config = Config {
        environment: deployment.environment.clone(),
        // Things happen exactly when they are due, so that a test's times are round.
        jitter_max: Duration::ZERO,
        commit_interval: Duration::ZERO,
        ..Config::new(host)
    };
    Ok(Coordinator::owning(config, now, holdings))
}
