//! The machine that moves the others: facts in, orders out.
mod config; // what it needs to know of its host
mod rule; // one rule, its kept record and what it is doing
mod rules; // all of them, and which have changed
mod bundle; // the rules in force change
mod runs; // windows are evaluated
mod later; // events wait for their hours
mod commit; // what changed is written, one write at a time
mod status; // what it tells of its rules

pub use config::EngineConfig;
pub use status::{PrimingProgress, RuleStatus, Running};

use std::collections::{BTreeMap, VecDeque};

use watchbell_contract::Timestamp;

use crate::ledger::Ledger;
use crate::level::{Level, Open};
use crate::notifier::{Context, Notifier};
use crate::order::{Action, Event, RunId};
use crate::queue::Queue;
use crate::record::{RuleRecord, Snapshot};
use crate::spec::RuleName;
use crate::transition::{Change, Transition};
use rules::Rules;
use runs::Underway;

/// Evaluates, escalates and delivers, without waiting and without a clock.
///
/// After each `handle`, ask `poll_action` until it has nothing more, then come back with the next event, or with a
/// tick at `next_wakeup`. Nothing it orders depends on anything but these.
pub struct Engine {
    config: EngineConfig,
    now: Timestamp,
    actions: VecDeque<Action>,
    rules: Rules,
    /// What the store holds of rules, until the first bundle says which of them are still there.
    found: BTreeMap<RuleName, (Option<RuleRecord>, Open)>,
    /// Rules that were disabled or whose files are gone, should they come back.
    off: BTreeMap<RuleName, RuleRecord>,
    queue: Queue,
    /// How many of them the rules in force ask.
    clusters: usize,
    underway: BTreeMap<RunId, Underway>,
    runs: u64,
    notifier: Notifier,
    ledger: Ledger,
    bundle: Option<String>,
    draining: bool,
}

impl Engine {
    /// Begins from what the store holds. Nothing runs before the first `Event::Bundle`.
    pub fn new(config: EngineConfig, now: Timestamp, snapshot: Snapshot) -> Self {
        let mut found: BTreeMap<RuleName, (Option<RuleRecord>, Open)> = BTreeMap::new();
        let mut off = BTreeMap::new();
        for record in snapshot.rules {
            let name = record.rule.clone();
            match record.off_since {
                Some(_) => drop(off.insert(name, record)),
                None => found.entry(name).or_default().0 = Some(record),
            }
        }
        for episode in &snapshot.episodes {
            let open = &mut found.entry(episode.rule.clone()).or_default().1;
            open.insert(episode.labels.clone(), Level::of(episode));
        }
        let (notifier, notes) = Notifier::new(snapshot.episodes, snapshot.intents, snapshot.commands, now);
        Self {
            ledger: Ledger::new(snapshot.partition, snapshot.epoch),
            config,
            now,
            actions: notes.into_iter().map(Action::Note).collect(),
            rules: Rules::default(),
            found,
            off,
            queue: Queue::default(),
            clusters: 1,
            underway: BTreeMap::new(),
            runs: 0,
            notifier,
            bundle: snapshot.bundle,
            draining: false,
        }
    }

    /// Takes in a fact. A `now` before an earlier one counts as that one.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Tick => {}
            Event::Bundle { digest, rules, destinations } => self.take_bundle(digest, rules, destinations),
            Event::Judged { run } => self.judged(run),
            Event::Evaluated { run, outcome } => self.evaluated(run, outcome),
            Event::Persisted { nonce, written } => self.persisted(nonce, written),
            Event::Delivered { intent, outcome } => {
                self.notify(|notifier, context| notifier.delivered(&intent, outcome, context));
            }
            Event::Command { id, by, command } => {
                self.notify(|notifier, context| notifier.command(id, by, command, context));
            }
            Event::Drain => self.draining = true,
        }
        if !self.draining {
            self.notify(|notifier, context| notifier.ring_timers(context));
            self.start_runs();
        }
        self.commit();
    }

    /// Gives the next order. Ask until `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to come back with a tick if nothing else happens first.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let commit = self.commit_at();
        if self.draining {
            return commit;
        }
        let run = self.queue.wakeup(|line| self.config.room(line, self.clusters));
        [commit, run, self.notifier.next_timer()].into_iter().flatten().min()
    }

    /// After `Event::Drain`: whether all that was started has ended and been committed.
    pub fn is_drained(&self) -> bool {
        self.draining
            && self.underway.is_empty()
            && !self.notifier.is_busy()
            && !self.ledger.is_busy()
            && !self.ledger.is_owed()
    }

    /// Whether a commit is owed or under way.
    pub fn is_committing(&self) -> bool {
        self.ledger.is_busy() || self.ledger.is_owed()
    }

    /// Intents that are owed or being delivered.
    pub fn outbox_depth(&self) -> usize {
        self.notifier.depth()
    }

    /// Lets the notifier decide something.
    fn notify<T>(&mut self, decide: impl FnOnce(&mut Notifier, &mut Context<'_>) -> T) -> T {
        let Self { now, config, ledger, actions, notifier, .. } = self;
        decide(notifier, &mut Context { now: *now, config, ledger, actions })
    }

    /// Hands over what has changed of a rule, in its order.
    fn pass(&mut self, name: &RuleName, changes: impl IntoIterator<Item = Change>) {
        // A rule whose record is gone is judged no further.
        let judged = self.rules.get(name).map_or(self.now, |rule| rule.record.cursor);
        self.notify(|notifier, context| {
            for change in changes {
                notifier.apply(Transition { rule: name.clone(), judged, change }, context);
            }
        });
    }
}
