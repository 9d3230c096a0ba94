//! What a host decides for everything it owns: which rule runs next, what is written when, and what happens when
//! ownership is lost. It routes facts to the partitions and the notifier, and passes transitions from partitions to the
//! notifier.
mod writer; // one write at a time
mod bundle; // changes of the rules in force and of what is owned
mod commit; // turns changes into one write
mod status; // the status of its rules
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};

use crate::action::{Action, RunId};
use crate::config::Config;
use crate::fault::RunFault;
use crate::input::{Evaluation, Input};
use crate::maintenance::HoldsSpec;
use crate::notifier::{self, Notifier};
use crate::partition::{self, Partition};
use crate::queue::{Line, Queue, Slot};
use crate::record::{BundleRef, Epoch, Holdings, Owned, PartitionId, Position, StoreMeta, TransitionRecord};
use crate::spec::{DestinationSpec, RuleName, RuleSpec};
use writer::Writer;

/// Pause after a failed attempt to take the notifier over again.
const RETAKE_PAUSE: Duration = Duration::from_secs(1);

/// Evaluates, escalates and delivers for everything its host owns, without waiting and without a clock.
///
/// After each `handle`, call `poll_action` until it returns `None`, then come back with the next input, or with a tick
/// at `next_wakeup`. Its actions depend on nothing else.
pub struct Coordinator {
    config: Config,
    now: Timestamp,
    meta: StoreMeta,
    actions: VecDeque<Action>,
    /// Set once the first bundle has arrived.
    deployment: Option<Deployment>,
    partitions: BTreeMap<PartitionId, Partition>,
    notifier: Option<Notifier>,
    queue: Queue,
    running: BTreeMap<RunId, Running>,
    runs: u64,
    writer: Writer,
    reading: Reading,
    /// When to try to take the notifier over again, and the epoch under which it was owned.
    retake: Option<(Timestamp, Epoch)>,
    /// Rules whose partition was lost, for observers of those rules.
    gone: BTreeSet<RuleName>,
    draining: bool,
}

/// The bundle in force.
struct Deployment {
    bundle: BundleRef,
    rules: Vec<Arc<RuleSpec>>,
    by_partition: BTreeMap<PartitionId, Vec<Arc<RuleSpec>>>,
    destinations: Vec<DestinationSpec>,
    holds: HoldsSpec,
    /// How many clusters its rules query.
    clusters: usize,
}

/// A run that has not ended, and the capacity it uses.
struct Running {
    partition: PartitionId,
    /// Held until the run has finished querying its cluster.
    slot: Option<Slot>,
}

/// Reading transitions from the store, because another host owns their partition or the notifier was taken over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Read no earlier than this.
    Idle(Timestamp),
    UnderWay,
}

impl Coordinator {
    /// Owns nothing yet, and runs nothing before its first `Input::Bundle`.
    pub fn new(config: Config, now: Timestamp, meta: StoreMeta) -> Self {
        Self {
            config,
            now,
            meta,
            actions: VecDeque::new(),
            deployment: None,
            partitions: BTreeMap::new(),
            notifier: None,
            queue: Queue::default(),
            running: BTreeMap::new(),
            runs: 0,
            writer: Writer::default(),
            reading: Reading::Idle(Timestamp::MIN),
            retake: None,
            gone: BTreeSet::new(),
            draining: false,
        }
    }

    /// Owns everything from the start.
    pub fn owning(config: Config, now: Timestamp, holdings: Holdings) -> Self {
        let Holdings { meta, partitions, notifier } = holdings;
        let mut coordinator = Self::new(config, now, meta);
        for partition in partitions {
            coordinator.handle(now, Input::PartitionTaken(partition));
        }
        coordinator.handle(now, Input::NotifierTaken(notifier));
        coordinator
    }

    /// Processes an input. A `now` earlier than a previous one counts as the previous one.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Tick => {}
            Input::Bundle { bundle, rules, destinations, holds } => {
                self.take_bundle(bundle, rules, destinations, holds);
            }
            Input::PartitionTaken(snapshot) => self.take_partition(snapshot),
            Input::NotifierTaken(snapshot) => self.take_notifier(snapshot),
            Input::NotifierNotTaken { seen } => self.retake = Some((self.now + RETAKE_PAUSE, seen)),
            Input::Judged { run } => self.judged(run),
            Input::Evaluated { run, outcome } => self.evaluated(run, outcome),
            Input::Persisted { nonce, outcome } => self.persisted(nonce, outcome),
            Input::Transitions(transitions) => self.read(&transitions),
            Input::Delivered { intent, epoch, outcome, recorded } => {
                self.notify(|notifier, context| {
                    notifier.delivered(&intent, epoch, (outcome, recorded), context)
                });
            }
            Input::Rendered { order, epoch, outcome } => {
                self.notify(|notifier, context| notifier.rendered((order, epoch), outcome, context));
            }
            Input::Command { id, by, command } => {
                self.notify(|notifier, context| notifier.command(id, by, command, context));
            }
            Input::Drain => {
                self.draining = true;
                self.notify(Notifier::drain);
            }
        }
        self.hand_over();
        if !self.draining {
            self.notify(Notifier::ring_timers);
            self.start_runs();
            self.hand_over();
            self.notify(Notifier::pick);
        }
        self.start_reading();
        self.retake_notifier();
        self.commit();
    }

    /// Returns the next action. Call until `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to come back with a tick if nothing else happens first.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let commit = self.commit_at();
        if self.draining {
            return commit;
        }
        let run = self.queue.wakeup(|line| self.config.room(line, self.clusters()));
        let timer = self.notifier.as_ref().and_then(|notifier| notifier.next_timer(self.now));
        let pick = self.notifier.as_ref().and_then(|notifier| notifier.next_pick(self.now));
        let retake = self.retake.map(|(at, _)| at);
        [commit, run, timer, pick, self.read_at(), retake].into_iter().flatten().min()
    }

    /// After `Input::Drain`: whether everything that was started has ended and been committed.
    pub fn is_drained(&self) -> bool {
        self.draining
            && self.running.is_empty()
            && self.notifier.as_ref().is_none_or(|notifier| !notifier.is_busy())
            && !self.writer.is_busy()
            && !self.is_owed()
    }

    /// What it owns.
    pub fn owned(&self) -> impl Iterator<Item = Owned> + '_ {
        let notifier = self.notifier.as_ref().map(|_| Owned::Notifier);
        self.partitions.keys().copied().map(Owned::Partition).chain(notifier)
    }

    fn clusters(&self) -> usize {
        self.deployment.as_ref().map_or(1, |deployment| deployment.clusters)
    }

    fn partition_of(&self, rule: &RuleName) -> PartitionId {
        PartitionId::of(rule, self.config.partitions)
    }

    fn start_runs(&mut self) {
        let clusters = self.clusters();
        loop {
            let room = |line: &Line| self.config.room(line, clusters);
            let Some((name, slot)) = self.queue.next(self.now, room) else { return };
            let partition = self.partition_of(&name);
            let id = RunId(self.runs + 1);
            let run = self.with(partition, |owned, context| owned.start(&name, id, context)).flatten();
            match run {
                Some(run) => {
                    self.runs = id.0;
                    self.running.insert(id, Running { partition, slot: Some(slot) });
                    self.actions.push_back(Action::Evaluate(run));
                }
                None => self.queue.ended(&slot),
            }
        }
    }

    /// The evaluation is done. What the run still fetches for messages does not keep other runs from the cluster.
    fn judged(&mut self, id: RunId) {
        let Some(running) = self.running.get_mut(&id) else { return };
        if let Some(slot) = running.slot.take() {
            self.queue.ended(&slot);
        }
        let (partition, now) = (running.partition, self.now);
        self.with(partition, |owned, _| owned.judged(id, now));
    }

    fn evaluated(&mut self, id: RunId, outcome: Result<Evaluation, RunFault>) {
        self.judged(id);
        if let Some(running) = self.running.remove(&id) {
            self.with(running.partition, |owned, context| owned.evaluated(id, outcome, context));
        }
    }

    /// Passes the partitions' transitions to the notifier, if this host owns both.
    fn hand_over(&mut self) {
        let Self { now, config, actions, partitions, notifier, .. } = self;
        for partition in partitions.values_mut() {
            let transitions = partition.hand_out();
            if let Some(notifier) = notifier.as_mut().filter(|_| !transitions.is_empty()) {
                notifier.take_in(transitions, false, notifier::Context { now: *now, config, actions });
            }
        }
    }

    /// Processes transitions read from the store.
    fn read(&mut self, transitions: &[TransitionRecord]) {
        self.reading = Reading::Idle(self.now + self.config.read_interval);
        self.notify(|notifier, context| notifier.take_in(transitions, true, context));
    }

    fn start_reading(&mut self) {
        if self.read_at().is_none_or(|at| at > self.now) {
            return;
        }
        self.reading = Reading::UnderWay;
        self.actions.push_back(Action::ReadTransitions(self.unread()));
    }

    /// When to read transitions from the store next; `None` if all come from this host and have been passed on.
    fn read_at(&self) -> Option<Timestamp> {
        match self.reading {
            Reading::Idle(at) if self.deployment.is_some() && !self.unread().is_empty() => Some(at),
            Reading::Idle(_) | Reading::UnderWay => None,
        }
    }

    /// The notifier's positions in partitions for which the store may hold transitions it has not processed.
    fn unread(&self) -> Vec<Position> {
        let Some(notifier) = self.notifier.as_ref().filter(|_| !self.draining) else { return Vec::new() };
        let positions = (0..self.config.partitions).map(|id| notifier.position(PartitionId(id)));
        let may_have_more = |position: &Position| {
            let own = self.partitions.get(&position.partition);
            own.is_none_or(|own| own.committed() > position.number)
        };
        positions.filter(may_have_more).collect()
    }

    /// Lets one of its partitions act.
    fn with<T>(
        &mut self,
        partition: PartitionId,
        act: impl FnOnce(&mut Partition, &mut partition::Context<'_>) -> T,
    ) -> Option<T> {
        let Self { now, config, actions, partitions, queue, draining, .. } = self;
        let mut notes = Vec::new();
        let (now, draining) = (*now, *draining);
        let mut context = partition::Context { now, config, queue, notes: &mut notes, draining };
        let done = partitions.get_mut(&partition).map(|owned| act(owned, &mut context));
        actions.extend(notes.into_iter().map(Action::Note));
        done
    }

    /// Lets the notifier decide, if this host owns it.
    fn notify(&mut self, decide: impl FnOnce(&mut Notifier, notifier::Context<'_>)) {
        let Self { now, config, actions, notifier, .. } = self;
        if let Some(notifier) = notifier {
            decide(notifier, notifier::Context { now: *now, config, actions });
        }
    }
}
