//! Decides who is notified of what, under one epoch: it reads the partitions' transitions by position, decides, and
//! queues messages. Nothing else makes these decisions.
mod decider; // transitions, time and commands become messages
pub(crate) mod escalation; // who is notified of an episode, and when
pub(crate) mod hold; // what holds it back
pub(crate) mod standing; // silences, pauses, maintenance and what mutes others
mod episodes; // levels as people see them: start, steps, end
mod events; // what is announced once
mod limits; // what a destination's limit leaves out
mod gaps; // slices of time that could not be evaluated
mod follow; // open episodes follow changes of the rules
pub(crate) mod templates; // the templates of messages
mod backlog; // how many messages of a rule may wait for a destination
pub(crate) mod outbox; // queued messages and the outcome of their deliveries
mod groups; // messages that are gathered and sent as one
mod outcomes; // how outcomes affect the episode
mod fallback; // what one destination did not take goes to another
mod failing; // a destination that keeps failing
mod host_messages; // what the host tells of itself
mod commands; // people's commands
pub mod outlook; // what comes next of an episode
mod draft; // what changed since the last commit

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watchbell_contract::{Receipt, RecordedCall, Refusal, Timestamp};

use crate::action::{Action, Note};
use crate::config::Config;
use crate::health::HealthCause;
use crate::maintenance::HoldsSpec;
use crate::reason::Reason;
use crate::record::{
    Command, CommandId, Epoch, Incarnation, IntentId, NotifierCommit, NotifierSnapshot, PartitionId,
    Position, Tenure, TransitionRecord,
};
use crate::spec::{DestinationSpec, RuleName, RuleSpec};
use decider::{Decider, Messages};
use draft::Draft;
pub use outbox::TextOrder;
use standing::Standing;
use watchbell_text::Text;

pub(crate) struct Notifier {
    incarnation: Incarnation,
    /// The tenure under which its next commit is written.
    tenure: Tenure,
    /// The generation of the bundle in force, or of the one it waits for. Transitions evaluated under a later bundle
    /// wait for that one.
    generation: u64,
    /// Whether a bundle is in force.
    is_configured: bool,
    /// Commands received before the first bundle.
    waiting: Vec<(CommandId, String, Command)>,
    positions: BTreeMap<PartitionId, u64>,
    decider: Decider,
    draft: Draft,
}

/// What a decision may read, and where its outcome goes.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a Config,
    pub(crate) actions: &'a mut VecDeque<Action>,
}

/// What to write, and what happens once it is written.
pub(crate) struct Taken {
    pub(crate) commit: NotifierCommit,
    /// Messages to send.
    pub(crate) claims: Vec<IntentId>,
    pub(crate) notes: Vec<Note>,
}

impl Notifier {
    /// Starts from what the store holds. Nothing is decided before the first bundle.
    pub(crate) fn new(
        incarnation: Incarnation,
        snapshot: NotifierSnapshot,
        now: Timestamp,
    ) -> (Self, Vec<Note>) {
        let NotifierSnapshot { tenure, generation, positions, episodes, .. } = snapshot;
        let messages = Messages {
            queued: snapshot.intents,
            dead_letters: snapshot.dead_letters,
            receipts: snapshot.receipts,
            destinations: snapshot.destinations,
            groups: snapshot.groups,
        };
        let standing = Standing::new(snapshot.silences, snapshot.pause, now);
        let (decider, notes) = Decider::new(episodes, messages, standing, snapshot.commands, now);
        let positions = positions.into_iter().map(|at| (at.partition, at.number)).collect();
        let notifier = Self {
            incarnation,
            tenure,
            generation,
            is_configured: false,
            waiting: Vec::new(),
            positions,
            decider,
            draft: Draft::default(),
        };
        (notifier, notes)
    }

    pub(crate) fn take_bundle(
        &mut self,
        generation: u64,
        rules: &[Arc<RuleSpec>],
        destinations: Vec<DestinationSpec>,
        holds: HoldsSpec,
        context: Context<'_>,
    ) {
        (self.generation, self.is_configured) = (generation, true);
        let waiting = std::mem::take(&mut self.waiting);
        self.decide(context, |decider, context| {
            decider.take_bundle(rules, destinations, holds, context);
            for (id, by, command) in waiting {
                decider.command(id, by, command, context);
            }
        });
    }

    /// Processes those of `transitions` that come next, each once. `is_written` says whether the store already has
    /// them. If not, they are this host's, and the decisions on them are written together with them or not at all.
    pub(crate) fn take_in(
        &mut self,
        transitions: &[TransitionRecord],
        is_written: bool,
        context: Context<'_>,
    ) {
        if !self.is_configured {
            return;
        }
        let mut next = Vec::new();
        for transition in transitions {
            let position = self.positions.entry(transition.partition).or_default();
            if transition.number == *position + 1 && transition.generation <= self.generation {
                *position = transition.number;
                next.push(transition);
            }
        }
        self.decide(context, |decider, context| {
            for transition in next {
                decider.apply(transition, context);
                let TransitionRecord { partition, number, .. } = *transition;
                context.draft.position(Position { partition, number }, is_written);
            }
        });
    }

    pub(crate) fn command(&mut self, id: CommandId, by: String, command: Command, context: Context<'_>) {
        if !self.is_configured {
            return self.waiting.push((id, by, command));
        }
        self.decide(context, |decider, context| decider.command(id, by, command, context));
    }

    /// Processes the outcome of a delivery attempt. An outcome from an earlier epoch does not concern the current
    /// attempt: it was flagged as lost when this epoch began.
    pub(crate) fn delivered(
        &mut self,
        id: &IntentId,
        epoch: Epoch,
        (outcome, recorded): (Result<Receipt, Refusal>, Vec<RecordedCall>),
        context: Context<'_>,
    ) {
        if epoch != self.tenure.epoch {
            return;
        }
        self.decide(context, |decider, context| decider.delivered(id, outcome, recorded, context));
    }

    pub(crate) fn ring_timers(&mut self, context: Context<'_>) {
        self.decide(context, Decider::ring_timers);
    }

    /// Picks the messages whose turn it is, and orders their texts.
    pub(crate) fn pick(&mut self, context: Context<'_>) {
        let epoch = self.tenure.epoch;
        self.decide(context, |decider, context| decider.pick(epoch, context));
    }

    /// Processes the text of a message. One that was ordered in an earlier epoch is of no interest any more.
    pub(crate) fn rendered(
        &mut self,
        (order, epoch): (TextOrder, Epoch),
        outcome: Result<Text, String>,
        context: Context<'_>,
    ) {
        if epoch == self.tenure.epoch {
            self.decide(context, |decider, context| decider.rendered(order, outcome, context));
        }
    }

    /// Takes what is to be written. Unless the host is draining, messages whose texts are known are claimed with it.
    pub(crate) fn take_commit(&mut self, draining: bool, context: Context<'_>) -> Option<Taken> {
        let epoch = self.tenure.epoch;
        let claims = match draining {
            true => Vec::new(),
            false => self.decide(context, |decider, context| decider.claim(epoch, context)),
        };
        if self.draft.is_empty() {
            return None;
        }
        let (commit, notes) = self.draft.take(self.tenure);
        self.tenure.number += 1;
        Some(Taken { commit, claims, notes })
    }

    /// The claims of `ids` are written: send the messages, unless the host starts nothing new.
    pub(crate) fn claimed(&mut self, ids: &[IntentId], draining: bool, context: Context<'_>) {
        self.decide(context, |decider, context| {
            if draining { decider.release(ids, context) } else { decider.claimed(ids, context) }
        });
    }

    /// The host starts nothing new from now on.
    pub(crate) fn drain(&mut self, context: Context<'_>) {
        self.decide(context, |decider, context| decider.release(&[], context));
    }

    /// The generation of the bundle in force here. It is never replaced by an earlier one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Up to where a partition's transitions have been processed.
    pub(crate) fn position(&self, partition: PartitionId) -> Position {
        Position { partition, number: self.positions.get(&partition).copied().unwrap_or(0) }
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// When an episode next has something to send.
    pub(crate) fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        self.decider.next_timer(now)
    }

    /// When the next message can be picked, if that depends on time alone.
    pub(crate) fn next_pick(&self, now: Timestamp) -> Option<Timestamp> {
        self.decider.next_pick(now)
    }

    /// Whether the next commit has anything to claim.
    pub(crate) fn has_claims(&self, now: Timestamp) -> bool {
        self.decider.has_claims(now)
    }

    /// Messages that are queued or being delivered.
    pub(crate) fn depth(&self) -> usize {
        self.decider.depth()
    }

    /// Destinations that fail, and those whose limits are reached.
    pub(crate) fn destination_warnings(&self, now: Timestamp) -> Vec<HealthCause> {
        self.decider.outbox.warnings(now)
    }

    /// Whether a message is claimed or being sent.
    pub(crate) fn is_busy(&self) -> bool {
        self.decider.is_busy()
    }

    pub(crate) fn is_owed(&self) -> bool {
        !self.draft.is_empty()
    }

    /// Why the rule's episodes and messages are in their current state, followed by its last decisions, oldest first.
    pub(crate) fn explain(&self, rule: &RuleName, now: Timestamp) -> Vec<Reason> {
        self.decider.explain(rule, now)
    }

    fn decide<T>(
        &mut self,
        context: Context<'_>,
        decide: impl FnOnce(&mut Decider, &mut decider::Context<'_>) -> T,
    ) -> T {
        let Self { incarnation, decider, draft, .. } = self;
        let Context { now, config, actions } = context;
        let mut context = decider::Context { now, config, incarnation, draft, actions };
        let done = decide(decider, &mut context);
        while std::mem::take(&mut decider.is_stale) {
            decider.judge_anew(&mut context);
        }
        done
    }
}
