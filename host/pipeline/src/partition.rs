//! A share of the rules under one epoch: their windows, states and levels. Its results leave as numbered transitions;
//! who is notified is decided elsewhere.
mod rule; // one rule: its stored record and current activity
mod rules; // all rules, and which have changed
mod bundle; // changes of the rules in force
mod plan; // which window comes next
mod run; // a window is evaluated
mod failed; // a window failed
mod cannot_run; // windows have failed for too long
mod later; // events wait for their hours
mod draft; // what changed since the last commit
mod status; // the status of its rules

pub(crate) use status::Waiting;
pub use status::{OverflowStatus, PrimingProgress, RuleStatus, Running};

use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Timestamp, Window};

use crate::action::{Note, Purpose, Run, RunId};
use crate::config::Config;
use crate::fault::RunFault;
use crate::input::Evaluation;
use crate::level::Open;
use crate::queue::Queue;
use crate::record::{Incarnation, PartitionCommit, PartitionSnapshot, RuleRecord, Tenure, TransitionRecord};
use crate::spec::RuleName;
use draft::Draft;
use plan::Plan;
use rule::{Activity, Scope};
use rules::Rules;

pub(crate) struct Partition {
    incarnation: Incarnation,
    /// The tenure under which its next commit is written.
    tenure: Tenure,
    rules: Rules,
    /// Rules from the store, until the first bundle says which of them still exist.
    found: BTreeMap<RuleName, (Option<RuleRecord>, Open)>,
    /// Rules that were disabled or whose files were removed, in case they come back.
    off: BTreeMap<RuleName, RuleRecord>,
    underway: BTreeMap<RunId, Underway>,
    draft: Draft,
    /// Rules whose record is in the commit in progress.
    in_flight: BTreeSet<RuleName>,
    /// The number of the last transition known to be written.
    committed: u64,
}

/// A run that has not ended.
#[derive(Clone, Debug)]
struct Underway {
    rule: RuleName,
    /// When it finished querying its cluster.
    judged_at: Option<Timestamp>,
    purpose: Purpose,
    window: Window,
    since: Timestamp,
    attempt: u32,
    /// Its rule has ended or changed its meaning: the result is dropped.
    abandoned: bool,
}

/// What a partition shares with its host while it processes an input.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a Config,
    pub(crate) queue: &'a mut Queue,
    /// Logged at once.
    pub(crate) notes: &'a mut Vec<Note>,
    pub(crate) draining: bool,
}

impl Partition {
    /// Starts from what the store holds. Nothing runs before the first bundle.
    pub(crate) fn new(incarnation: Incarnation, snapshot: PartitionSnapshot) -> Self {
        let mut found: BTreeMap<RuleName, (Option<RuleRecord>, Open)> = BTreeMap::new();
        let mut off = BTreeMap::new();
        for record in snapshot.rules {
            let name = record.rule.clone();
            match record.off_since {
                Some(_) => drop(off.insert(name, record)),
                None => found.entry(name).or_default().0 = Some(record),
            }
        }
        for (rule, level) in snapshot.levels {
            found.entry(rule).or_default().1.insert(level.labels.clone(), level);
        }
        Self {
            incarnation,
            tenure: snapshot.tenure,
            rules: Rules::default(),
            found,
            off,
            underway: BTreeMap::new(),
            draft: Draft::new(snapshot.partition, snapshot.generation, snapshot.transitions),
            in_flight: BTreeSet::new(),
            committed: snapshot.transitions,
        }
    }

    /// Starts run `id` of the rule whose turn it is; `None` if the rule has nothing to run now.
    pub(crate) fn start(&mut self, name: &RuleName, id: RunId, context: &mut Context<'_>) -> Option<Run> {
        let (rule, mut scope) = self.at(name, context)?;
        match rule.plan(scope.now, scope.config.jitter_max) {
            Plan::Run { window, purpose } => {
                let run = rule.begin(id, window, purpose);
                let underway = Underway {
                    rule: name.clone(),
                    judged_at: None,
                    purpose: run.purpose,
                    window: run.window,
                    since: context.now,
                    attempt: run.attempt,
                    abandoned: false,
                };
                self.underway.insert(id, underway);
                return Some(run);
            }
            Plan::SkipToLatest(skip) => rule.skip_to_latest(skip, &mut scope),
            Plan::PrimeAnew => {
                rule.forget_state();
                self.enqueue(name, context);
            }
            Plan::Nothing => self.enqueue(name, context),
        }
        None
    }

    /// The evaluation is done: what the run still fetches for messages does not count towards its time.
    pub(crate) fn judged(&mut self, id: RunId, now: Timestamp) {
        if let Some(underway) = self.underway.get_mut(&id) {
            underway.judged_at.get_or_insert(now);
        }
    }

    pub(crate) fn evaluated(
        &mut self,
        id: RunId,
        outcome: Result<Evaluation, RunFault>,
        context: &mut Context<'_>,
    ) {
        let Some(underway) = self.underway.remove(&id) else { return };
        let name = underway.rule.clone();
        // An abandoned run may end while its rule's record is still being written to the store.
        let is_written = !underway.abandoned || !self.is_writing(&name);
        let Some((rule, mut scope)) = self.at(&name, context) else { return };
        if rule.activity != Activity::Running(id) {
            return;
        }
        rule.ended(&underway, is_written, &scope);
        if !underway.abandoned {
            match outcome {
                Ok(evaluation) => rule.succeeded(&underway, evaluation, &mut scope),
                Err(fault) => rule.failed(&underway, fault, &mut scope),
            }
        }
        self.enqueue(&name, context);
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// The generation of the bundle in force here. It is never replaced by an earlier one.
    pub(crate) fn generation(&self) -> u64 {
        self.draft.generation
    }

    /// Transitions made since the last call.
    pub(crate) fn hand_out(&mut self) -> &[TransitionRecord] {
        self.draft.hand_out()
    }

    /// The number of the last transition known to be written.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    pub(crate) fn is_owed(&self) -> bool {
        !self.draft.is_empty()
    }

    /// Takes what is to be written, and what is logged once it is written.
    pub(crate) fn take_commit(&mut self) -> Option<(PartitionCommit, Vec<Note>)> {
        if self.draft.is_empty() {
            return None;
        }
        let taken = self.draft.take(self.tenure);
        self.tenure.number += 1;
        self.in_flight = taken.0.rules.iter().map(|record| record.rule.clone()).collect();
        Some(taken)
    }

    /// `commit`, which was taken from here, is written.
    pub(crate) fn written(&mut self, commit: PartitionCommit, context: &mut Context<'_>) {
        self.in_flight.clear();
        self.committed = commit.transitions.last().map_or(self.committed, |last| last.number);
        for record in commit.rules {
            // The draft may hold a later result of the same rule: then that result is not written yet.
            let is_newest = !self.draft.rules.contains_key(&record.rule);
            let Some(rule) = self.rules.get_mut(&record.rule) else { continue };
            rule.committed = record.cursor;
            if rule.activity == Activity::Committing && is_newest {
                rule.activity = Activity::Idle;
                self.enqueue(&record.rule, context);
            }
        }
    }

    /// Queues a rule for its next run.
    fn enqueue(&mut self, name: &RuleName, context: &mut Context<'_>) {
        let place = self.rules.get(name).and_then(|rule| rule.place(context.config.jitter_max));
        match place.filter(|_| !context.draining) {
            Some((line, pace, ready)) => context.queue.put(name, line, pace, ready),
            None => context.queue.remove(name),
        }
    }

    /// Whether the rule's current record may not be written yet.
    fn is_writing(&self, name: &RuleName) -> bool {
        self.draft.rules.contains_key(name) || self.in_flight.contains(name)
    }

    /// One rule, with what it may read and write while it changes.
    fn at<'a>(
        &'a mut self,
        name: &RuleName,
        context: &'a mut Context<'_>,
    ) -> Option<(&'a mut rule::Rule, Scope<'a>)> {
        let scope = Scope {
            now: context.now,
            config: context.config,
            incarnation: &self.incarnation,
            draft: &mut self.draft,
            notes: context.notes,
        };
        Some((self.rules.get_mut(name)?, scope))
    }
}
