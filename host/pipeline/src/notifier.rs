//! Who hears of what: the one place in which that is decided. Transitions go in, messages come out; it knows rules by
//! their names and their manifests, and nothing of how they are evaluated.
pub(crate) mod escalation; // who is told of an episode, and when
pub(crate) mod hold; // what holds it back
mod episodes; // levels as people see them: their beginning, their steps, their end
mod events; // what is announced once
mod gaps; // a slice of time that could not be judged
mod follow; // open episodes follow the rules in force
pub(crate) mod templates; // in whose words
pub(crate) mod outbox; // what is owed to whom, and what became of it
mod outcomes; // what that means for its episode
mod commands; // what people ask for

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use watchbell_contract::{Label, Timestamp};

use crate::digest;
use crate::engine::EngineConfig;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::order::{Action, Note};
use crate::reason::Reason;
use crate::record::{CommandLog, EpisodeRecord, IntentId, IntentRecord};
use crate::spec::{DestinationName, DestinationSpec, RuleName, RuleSpec};
use crate::transition::{Change, Transition};
use escalation::{Clock, Verdict};
use hold::Of;
use outbox::{Claim, Outbox};
use templates::Templates;

/// A rule's open episodes.
type Episodes = BTreeMap<Vec<Label>, EpisodeRecord>;

/// Reasons kept per rule, for `explain`.
const RECENT_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Notifier {
    rules: BTreeMap<RuleName, Known>,
    /// What the store holds of rules that no bundle has named yet.
    found: BTreeMap<RuleName, Episodes>,
    /// When an episode has something to say again.
    timers: BTreeSet<(Timestamp, RuleName, Vec<Label>)>,
    outbox: Outbox,
    templates: Templates,
    log: CommandLog,
}

/// What it knows of a rule in force.
struct Known {
    spec: Arc<RuleSpec>,
    /// Up to where its windows are judged, as far as transitions have said.
    judged: Timestamp,
    open: Episodes,
    timers: BTreeMap<Vec<Label>, Timestamp>,
    /// Its last decisions, oldest first.
    recent: VecDeque<Reason>,
}

/// What a decision may look at, and where its outcome goes.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a EngineConfig,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) actions: &'a mut VecDeque<Action>,
}

impl Known {
    fn new(spec: Arc<RuleSpec>, judged: Timestamp, open: Episodes) -> Self {
        Self { spec, judged, open, timers: BTreeMap::new(), recent: VecDeque::new() }
    }

    fn clock(&self, now: Timestamp) -> Clock {
        Clock { judged: self.judged, now }
    }

    fn of<'a>(&'a self, episode: &'a EpisodeRecord) -> Of<'a> {
        Of { spec: &self.spec, episode, judged: self.judged }
    }
}

impl Notifier {
    /// Begins from what the store holds of open episodes and of messages not yet delivered.
    pub(crate) fn new(
        episodes: Vec<EpisodeRecord>,
        intents: Vec<IntentRecord>,
        log: CommandLog,
        now: Timestamp,
    ) -> (Self, Vec<Note>) {
        let mut notifier = Self { log, ..Self::default() };
        let told = episodes.iter().flat_map(|episode| {
            episode.told.iter().map(|told| (episode.id.0.clone(), told.destination.clone()))
        });
        let told: Vec<_> = told.collect();
        for episode in episodes {
            let open = notifier.found.entry(episode.rule.clone()).or_default();
            open.insert(episode.labels.clone(), episode);
        }
        let notes = notifier.outbox.recover(intents, told.into_iter(), now);
        (notifier, notes)
    }

    pub(crate) fn configure(&mut self, destinations: Vec<DestinationSpec>) {
        self.outbox.configure(destinations);
    }

    /// The texts of `rules` are in force, for what is claimed from now on.
    pub(crate) fn put_texts_in_force<'a>(&mut self, rules: impl Iterator<Item = &'a RuleSpec>) {
        self.templates.put_in_force(rules, &self.outbox.rules());
    }

    /// A rule is in force, new or edited: its open episodes follow it.
    pub(crate) fn take_rule(&mut self, spec: Arc<RuleSpec>, judged: Timestamp, context: &mut Context<'_>) {
        let name = spec.name.clone();
        let found = self.found.remove(&name);
        let known = match self.rules.remove(&name) {
            Some(known) => Known { spec, judged, ..known },
            None => Known::new(spec, judged, found.unwrap_or_default()),
        };
        let labels: Vec<_> = known.open.keys().cloned().collect();
        self.rules.insert(name.clone(), known);
        self.follow_rule(&name, context);
        for labels in labels {
            self.set_timer(&name, &labels);
        }
    }

    /// A rule is in force no more, and its levels have ended.
    pub(crate) fn forget_rule(&mut self, name: &RuleName) {
        self.found.remove(name);
        if let Some(known) = self.rules.remove(name) {
            for (labels, at) in known.timers {
                self.timers.remove(&(at, name.clone(), labels));
            }
        }
    }

    /// Takes in what a rule's window changed.
    pub(crate) fn apply(&mut self, transition: Transition, context: &mut Context<'_>) {
        let Transition { rule: name, judged, change } = transition;
        let spec = self.rules.get_mut(&name).map(|known| {
            known.judged = judged;
            Arc::clone(&known.spec)
        });
        match (change, spec) {
            (Change::Level { level, worse }, Some(spec)) => self.level(&spec, level, worse, context),
            (Change::Renewed { level }, _) => {
                self.update(&name, &level);
            }
            (Change::Suspended { level }, _) => {
                if let Some(episode) = self.update(&name, &level) {
                    context.ledger.episode(episode);
                }
            }
            (Change::Ended { level, why }, spec) => self.ended(&name, spec.as_deref(), level, why, context),
            (Change::Events { events, window_end }, Some(spec)) => {
                self.announce_events(&spec, &events, window_end, context);
            }
            (Change::Withheld { reason }, _) => self.remember(&name, &Verdict::Hold(reason), context),
            (Change::Later { events, more }, Some(spec)) => {
                self.announce_later(&spec, &events, more, context)
            }
            (Change::Gap { over, message }, Some(spec)) => self.announce_gap(&spec, over, &message, context),
            // Of a rule that is not in force nothing begins.
            (
                Change::Level { .. } | Change::Events { .. } | Change::Later { .. } | Change::Gap { .. },
                None,
            ) => {}
        }
    }

    /// When an episode has something to say again.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _, _)| *at)
    }

    /// When the next message may be claimed for which its destination has room now.
    pub(crate) fn next_claim(&self) -> Option<Timestamp> {
        self.outbox.next_due()
    }

    /// Messages that are owed or being delivered.
    pub(crate) fn depth(&self) -> usize {
        self.outbox.depth()
    }

    /// Whether a message is claimed or being sent.
    pub(crate) fn is_busy(&self) -> bool {
        self.outbox.busy() > 0
    }

    /// Claims what is due, for the commit that is being made: its text is rendered here, in the words in force.
    pub(crate) fn claim(&mut self, context: &mut Context<'_>) -> Vec<IntentId> {
        let templates = &self.templates;
        let render = |message: &Message, wants| templates.render(message, wants);
        let (config, epoch) = (context.config, context.ledger.epoch);
        let mut claims = Vec::new();
        for claim in self.outbox.claim(context.now, &config.host, epoch, render) {
            match claim {
                Claim::Sent(record) => {
                    claims.push(record.id.clone());
                    context.ledger.intent(record);
                }
                Claim::Dead(settled) => self.settled(settled, context),
            }
        }
        claims
    }

    /// The claim of `id` is written: it goes out.
    pub(crate) fn start(&mut self, id: &IntentId, context: &mut Context<'_>) {
        context.actions.extend(self.outbox.start(id));
    }

    /// The claim of `id` is written, but nothing new is to be started.
    pub(crate) fn release(&mut self, id: &IntentId, context: &mut Context<'_>) {
        if let Some(record) = self.outbox.release(id, context.now) {
            context.ledger.intent(record);
        }
    }

    /// Why the rule's episodes and messages are where they are, then its last decisions, oldest first.
    pub(crate) fn explain(&self, rule: &RuleName) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.explain_episodes(rule).into_iter().map(Reason::Hold).collect();
        reasons.extend(self.outbox.explain(rule).map(Reason::Delivery));
        let recent = self.rules.get(rule).map(|known| known.recent.iter().cloned());
        reasons.extend(recent.into_iter().flatten());
        reasons
    }

    /// Owes `message` to each of `to`. `ordinal` tells it from the other messages of its episode and cause.
    fn send(&mut self, message: &Message, ordinal: u32, to: &[DestinationName], context: &mut Context<'_>) {
        for destination in to {
            let id = digest::intent_id(&message.episode, message.cause.as_str(), ordinal, destination);
            let owed = outbox::owed(id, destination.clone(), message.clone(), context.now);
            if let Some(record) = self.outbox.push(owed) {
                context.ledger.intent(record);
            }
        }
    }

    /// Keeps the reason of a decision for `explain`, and tells it to the log and the counters.
    fn remember(&mut self, name: &RuleName, verdict: &Verdict, context: &mut Context<'_>) {
        let (reason, note) = match verdict {
            Verdict::Send { reason, .. } => {
                let note = Note::Announced { rule: name.clone(), reason: reason.clone() };
                (Reason::Send(reason.clone()), note)
            }
            Verdict::Hold(reason) => {
                let note = Note::Held { rule: name.clone(), reason: reason.clone() };
                (Reason::Hold(reason.clone()), note)
            }
        };
        context.actions.push_back(Action::Note(note));
        if let Some(known) = self.rules.get_mut(name)
            && known.recent.back() != Some(&reason)
        {
            if known.recent.len() == RECENT_MAX {
                known.recent.pop_front();
            }
            known.recent.push_back(reason);
        }
    }
}
