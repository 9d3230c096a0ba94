//! The decisions: transitions, time and commands go in, messages come out. It knows rules by name and manifest, and
//! nothing about how they are evaluated.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use watchbell_contract::{AlertText, Cause, Duration, Label, Timestamp};

use crate::action::{Action, Note};
use crate::config::Config;
use crate::digest;
use crate::maintenance::HoldsSpec;
use crate::matcher::Subject;
use crate::message::{Message, Wording};
use crate::reason::{HoldReason, Reason};
use crate::record::{
    Change, CommandLog, DestinationRecord, EpisodeId, EpisodeRecord, Epoch, FirstReceipt, GroupRecord,
    Incarnation, IntentId, IntentRecord, Phase, TransitionRecord,
};
use crate::signals;
use crate::spec::{DestinationName, DestinationSpec, RuleName, RuleSpec};
use watchbell_text::{Job, Text};

use super::backlog::{self, Backlog};
use super::draft::Draft;
use super::escalation::{Clock, Verdict};
use super::groups::Groups;
use super::hold::{self, Event, Of, What};
use super::outbox::{self, Outbox, Queued, TextOrder, Wanted};
use super::standing::Standing;
use super::templates::Templates;

/// A rule's open episodes.
type Episodes = BTreeMap<Vec<Label>, EpisodeRecord>;

/// Reasons kept per rule, for `explain`.
const RECENT_MAX: usize = 16;

/// Episodes and messages of a rule that are explained. A picture of every rule is made each second.
const EXPLAINED_MAX: usize = 100;

/// How long the manifest of a removed rule is kept: long enough for every host to get the bundle that lacks it.
const GONE_KEPT: Duration = Duration::from_mins(10);

#[derive(Default)]
pub(super) struct Decider {
    pub(super) rules: BTreeMap<RuleName, Known>,
    /// Episodes from the store whose rules no bundle has named yet.
    pub(super) found: BTreeMap<RuleName, Episodes>,
    /// When episodes next have something to send.
    pub(super) timers: BTreeSet<(Timestamp, RuleName, Vec<Label>)>,
    pub(super) outbox: Outbox,
    pub(super) groups: Groups,
    pub(super) backlog: Backlog,
    pub(super) templates: Templates,
    pub(super) standing: Standing,
    /// What mutes others has changed: episodes are judged anew once whatever is under way has ended.
    pub(super) is_stale: bool,
    pub(super) log: CommandLog,
}

/// What it knows about a rule.
pub(super) struct Known {
    pub(super) spec: Arc<RuleSpec>,
    /// Since when the rule is absent from the bundle in force. What a partition finds under an earlier bundle is still
    /// announced.
    gone_since: Option<Timestamp>,
    /// Up to where its windows are evaluated, according to its transitions.
    pub(super) judged: Timestamp,
    pub(super) open: Episodes,
    pub(super) timers: BTreeMap<Vec<Label>, Timestamp>,
    /// Its last decisions, oldest first.
    recent: VecDeque<Reason>,
}

/// What the store holds of messages.
pub(super) struct Messages {
    pub(super) queued: Vec<IntentRecord>,
    pub(super) dead_letters: Vec<IntentRecord>,
    pub(super) receipts: Vec<FirstReceipt>,
    pub(super) destinations: Vec<(DestinationName, DestinationRecord)>,
    pub(super) groups: Vec<GroupRecord>,
}

/// What a decision may read, and where its outcome goes.
pub(super) struct Context<'a> {
    pub(super) now: Timestamp,
    pub(super) config: &'a Config,
    pub(super) incarnation: &'a Incarnation,
    pub(super) draft: &'a mut Draft,
    pub(super) actions: &'a mut VecDeque<Action>,
}

impl Known {
    fn new(spec: Arc<RuleSpec>, open: Episodes) -> Self {
        let (timers, recent) = (BTreeMap::new(), VecDeque::new());
        Self { spec, gone_since: None, judged: Timestamp::MIN, open, timers, recent }
    }

    /// No partition evaluates the rule any more.
    fn is_over(&self, now: Timestamp) -> bool {
        self.gone_since.is_some_and(|since| now.since(since) > GONE_KEPT) && self.open.is_empty()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone_since.is_some()
    }

    pub(super) fn clock<'a>(&self, standing: &'a Standing, now: Timestamp) -> Clock<'a> {
        Clock { judged: self.judged, now, standing }
    }

    pub(super) fn of<'a>(
        &'a self,
        episode: &'a EpisodeRecord,
        standing: &'a Standing,
        now: Timestamp,
    ) -> Of<'a> {
        Of { spec: &self.spec, episode, clock: self.clock(standing, now) }
    }
}

impl Decider {
    /// Starts from the open episodes and undelivered messages in the store.
    pub(super) fn new(
        episodes: Vec<EpisodeRecord>,
        messages: Messages,
        standing: Standing,
        log: CommandLog,
        now: Timestamp,
    ) -> (Self, Vec<Note>) {
        let mut decider = Self { standing, log, ..Self::default() };
        let notified = episodes.iter().flat_map(|episode| {
            episode.notified.iter().map(|notified| (episode.id.0.clone(), notified.destination.clone()))
        });
        let Messages { queued, dead_letters, receipts, groups, destinations } = messages;
        let (groups, queued) = Groups::recover(groups, queued);
        let notified: Vec<_> = notified.chain(groups.told()).collect();
        let goes_on = |episode: &&EpisodeRecord| !matches!(episode.phase, Phase::ResolvedByHand { .. });
        let going_on = episodes.iter().filter(goes_on).map(|episode| episode.id.clone());
        let going_on: BTreeSet<EpisodeId> =
            going_on.chain(groups.told().map(|(episode, _)| EpisodeId(episode))).collect();
        for episode in episodes {
            let open = decider.found.entry(episode.rule.clone()).or_default();
            open.insert(episode.labels.clone(), episode);
        }
        decider.groups = groups;
        decider.outbox.remember(destinations);
        let notes = decider.outbox.recover(queued, notified.into_iter(), now);
        dead_letters.into_iter().for_each(|record| decider.outbox.keep_dead_letter(record));
        decider.outbox.recover_threads(receipts, |episode| going_on.contains(episode));
        (decider, notes)
    }

    /// Puts another bundle in force: its texts apply to messages claimed from now on, its steps to open episodes. A
    /// rule that it does not name continues until its partition has ended its levels.
    pub(super) fn take_bundle(
        &mut self,
        rules: &[Arc<RuleSpec>],
        destinations: Vec<DestinationSpec>,
        holds: HoldsSpec,
        context: &mut Context<'_>,
    ) {
        self.standing.set_fallbacks(fallbacks(&destinations));
        self.outbox.configure(destinations);
        self.standing.configure(holds);
        self.end_troubles_of_gone(context);
        self.follow_limits(context);
        let staying: BTreeSet<&RuleName> =
            rules.iter().filter(|spec| spec.enabled).map(|spec| &spec.name).collect();
        for (name, known) in &mut self.rules {
            if !staying.contains(name) {
                known.gone_since.get_or_insert(context.now);
            }
        }
        let is_over = |known: &Known| known.is_over(context.now);
        let over: Vec<RuleName> =
            self.rules.iter().filter(|(_, known)| is_over(known)).map(|(name, _)| name.clone()).collect();
        over.iter().for_each(|name| self.forget_rule(name));
        let owing =
            self.rules.keys().chain(self.groups.rules()).cloned().chain(self.outbox.rules()).collect();
        self.outbox.take_texts_back();
        self.templates.put_in_force(rules.iter().map(Arc::as_ref), &owing);
        // What mutes others is known before anything is decided.
        for spec in rules.iter().filter(|spec| spec.enabled) {
            self.note_sources(spec);
        }
        for spec in rules.iter().filter(|spec| spec.enabled) {
            self.take_rule(spec, context);
        }
        self.follow_standing(context);
        self.follow_groups(context);
    }

    /// Which of a rule's open episodes mute others.
    fn note_sources(&mut self, spec: &RuleSpec) {
        let open = match self.rules.get(&spec.name) {
            Some(known) => Some(&known.open),
            None => self.found.get(&spec.name),
        };
        for episode in open.into_iter().flat_map(BTreeMap::values) {
            note_source(&mut self.standing, spec, episode);
        }
    }

    /// A new or edited rule is in force: its open episodes follow it.
    fn take_rule(&mut self, spec: &Arc<RuleSpec>, context: &mut Context<'_>) {
        let (name, spec) = (spec.name.clone(), Arc::clone(spec));
        let found = self.found.remove(&name);
        let known = match self.rules.remove(&name) {
            Some(known) => Known { spec, gone_since: None, ..known },
            None => Known::new(spec, found.unwrap_or_default()),
        };
        let labels: Vec<_> = known.open.keys().cloned().collect();
        self.rules.insert(name.clone(), known);
        self.follow_rule(&name, context);
        for labels in labels {
            self.set_timer(&name, &labels, context.now);
        }
    }

    /// The rule is no longer in force, and its levels have ended.
    fn forget_rule(&mut self, name: &RuleName) {
        if let Some(known) = self.rules.remove(name) {
            for (labels, at) in known.timers {
                self.timers.remove(&(at, name.clone(), labels));
            }
        }
    }

    /// Applies what changed in a window of a rule.
    pub(super) fn apply(&mut self, transition: &TransitionRecord, context: &mut Context<'_>) {
        let name = &transition.rule;
        let spec = self.rules.get_mut(name).map(|known| {
            known.judged = transition.judged;
            Arc::clone(&known.spec)
        });
        match (&transition.change, &spec) {
            (Change::Level { level, worse }, Some(spec)) => self.level(spec, level, *worse, context),
            (Change::Renewed { level }, _) => {
                self.update(name, level);
            }
            (Change::Suspended { level }, _) => {
                if let Some(episode) = self.update(name, level) {
                    context.draft.episode(episode);
                }
            }
            (Change::Ended { level, why }, spec) => {
                self.ended(name, spec.as_deref(), level, *why, context);
            }
            (Change::Events { events, window_end }, Some(spec)) => {
                self.announce_events(spec, events, *window_end, context);
            }
            (Change::Withheld { at }, Some(spec)) => {
                let clock = Clock { judged: transition.judged, now: context.now, standing: &self.standing };
                let event = Event { spec, labels: &[], severity: spec.severity, at: *at, clock };
                if let Some(reason) = hold::first(&What::Event(event)) {
                    self.remember(name, &Verdict::Hold(reason), context);
                }
            }
            (Change::Later { events, more }, Some(spec)) => {
                self.announce_later(spec, events, *more, context);
            }
            (Change::Gap { over, message }, Some(spec)) => self.announce_gap(spec, *over, message, context),
            // Its destinations are no longer known.
            (
                Change::Level { .. }
                | Change::Events { .. }
                | Change::Withheld { .. }
                | Change::Later { .. }
                | Change::Gap { .. },
                None,
            ) => self.remember(name, &Verdict::Hold(HoldReason::RuleGone), context),
        }
    }

    /// When an episode next has something to send, or what stands next begins or ends, or a limit's span is over.
    pub(super) fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        let episode = self.timers.first().map(|(at, _, _)| *at);
        // What is gathered stays so during a pause.
        let group = self.groups.next_at().filter(|_| self.standing.pause(now).is_none());
        [episode, self.standing.next_change(), group, self.next_limit()].into_iter().flatten().min()
    }

    /// When the next message can be picked, if that depends on time alone.
    pub(super) fn next_pick(&self, now: Timestamp) -> Option<Timestamp> {
        if self.standing.pause(now).is_some() { None } else { self.outbox.next_pick(now) }
    }

    /// Whether the next commit has anything to claim.
    pub(super) fn has_claims(&self, now: Timestamp) -> bool {
        self.standing.pause(now).is_none() && self.outbox.has_claims()
    }

    /// Messages that are queued or being delivered.
    pub(super) fn depth(&self) -> usize {
        self.outbox.depth()
    }

    /// Whether a message is claimed or being sent.
    pub(super) fn is_busy(&self) -> bool {
        self.outbox.busy() > 0
    }

    /// Picks the messages whose turn it is, and orders their texts, from the templates in force.
    pub(super) fn pick(&mut self, epoch: Epoch, context: &mut Context<'_>) {
        if self.standing.pause(context.now).is_some() {
            return;
        }
        let picked = self.outbox.pick(context.now, &plain);
        context.actions.extend(picked.notes.into_iter().map(Action::Note));
        for Wanted { order, message, wants } in picked.texts {
            let template = self.templates.of(&message);
            let job = Job::new(&template.title, &template.body, &message.subject(), wants);
            let job = Box::new(job.with_macros(template.macros));
            context.actions.push_back(Action::Render { order, epoch, job });
        }
        for settled in picked.dead {
            self.settled(settled, context);
        }
    }

    /// A text was rendered, or could not be.
    pub(super) fn rendered(
        &mut self,
        order: TextOrder,
        outcome: Result<Text, String>,
        context: &mut Context<'_>,
    ) {
        let note = self.outbox.rendered(order, outcome, context.now, &plain);
        context.actions.extend(note.map(Action::Note));
    }

    /// Claims what was picked for the commit in the making.
    pub(super) fn claim(&mut self, epoch: Epoch, context: &mut Context<'_>) -> Vec<IntentId> {
        if self.standing.pause(context.now).is_some() {
            return Vec::new();
        }
        let (claims, reached) = self.outbox.claim(&context.config.host, epoch, context.now);
        self.counted(&claims, reached, context);
        let ids = claims.iter().map(|record| record.id.clone()).collect();
        claims.into_iter().for_each(|record| context.draft.intent(record));
        ids
    }

    /// The claims of `ids` are written: the messages are sent as soon as slots are free.
    pub(super) fn claimed(&mut self, ids: &[IntentId], context: &mut Context<'_>) {
        ids.iter().for_each(|id| self.outbox.claimed(id));
        self.start(context);
    }

    /// Sends what is claimed and has a slot, and gives claims back that are not needed soon.
    pub(super) fn start(&mut self, context: &mut Context<'_>) {
        if self.standing.pause(context.now).is_some() {
            return self.release(&[], context);
        }
        let released = self.outbox.release(false, context.now);
        self.give_back(released, context);
        context.actions.extend(self.outbox.start(context.now));
    }

    /// The host starts nothing new.
    pub(super) fn release(&mut self, ids: &[IntentId], context: &mut Context<'_>) {
        ids.iter().for_each(|id| self.outbox.claimed(id));
        let released = self.outbox.release(true, context.now);
        self.give_back(released, context);
    }

    /// Why the rule's first episodes and messages are in their current state, at most `EXPLAINED_MAX` of each, followed
    /// by its last decisions, oldest first.
    pub(super) fn explain(&self, rule: &RuleName, now: Timestamp) -> Vec<Reason> {
        let episodes = self.explain_episodes(rule, now).take(EXPLAINED_MAX);
        let mut reasons: Vec<Reason> = episodes.map(Reason::Hold).collect();
        reasons.extend(self.groups.explain(rule).take(EXPLAINED_MAX).map(Reason::Delivery));
        reasons.extend(self.outbox.explain(rule, EXPLAINED_MAX, now).map(Reason::Delivery));
        let recent = self.rules.get(rule).map(|known| known.recent.iter().cloned());
        reasons.extend(recent.into_iter().flatten());
        reasons
    }

    /// Queues `message` for each destination in `to`, and gives back those for which there was room. `ordinal`
    /// distinguishes it from other messages of the same episode and cause.
    pub(super) fn send(
        &mut self,
        message: &Message,
        ordinal: u32,
        to: &[DestinationName],
        context: &mut Context<'_>,
    ) -> Vec<DestinationName> {
        let mut message = message.clone();
        if message.route.to.is_empty() {
            message.route.to = to.to_vec();
        }
        let mut queued = Vec::new();
        for destination in to {
            if self.fits(&message, destination, context) {
                self.queue(&message, ordinal, destination, context);
                queued.push(destination.clone());
            }
        }
        queued
    }

    /// A message is delivered or dead: if there is room again, says how many were left out.
    pub(super) fn make_room(&mut self, record: &IntentRecord, context: &mut Context<'_>) {
        let (rule, destination) = (&record.message.rule, &record.destination);
        let queued = self.waiting(rule, destination);
        if let Some(left_out) = self.backlog.regain(rule, destination, queued, self.episodes_max(rule)) {
            self.tell_backlog(rule, destination, Some(left_out), context);
        }
    }

    pub(super) fn tell_backlog(
        &mut self,
        rule: &RuleName,
        to: &DestinationName,
        left_out: Option<u64>,
        context: &mut Context<'_>,
    ) {
        let Some(spec) = self.rules.get(rule).map(|known| Arc::clone(&known.spec)) else { return };
        let environment = context.config.environment.clone();
        let when = (context.incarnation, context.now);
        let message = backlog::notice(when, &spec, to, environment, left_out);
        self.queue(&message, 0, to, context);
        context.draft.note(Note::Backlog {
            rule: rule.clone(),
            destination: to.clone(),
            message: message.last.summary,
        });
    }

    pub(super) fn queue(
        &mut self,
        message: &Message,
        ordinal: u32,
        destination: &DestinationName,
        context: &mut Context<'_>,
    ) {
        let id = digest::intent_id(&message.episode, message.cause.as_str(), ordinal, destination);
        let mut message = message.clone();
        let begins = matches!(message.cause, Cause::Opened | Cause::Was | Cause::Event | Cause::Summary);
        let is_older = context.config.store_made_at.is_some_and(|made_at| message.last.at < made_at);
        if begins && is_older && message.wording == Wording::Rule {
            message.wording = Wording::BeforeStore;
        }
        if backlog::is_long(self.waiting(&message.rule, destination)) {
            signals::shorten(&mut message.last);
        }
        let owed = outbox::owed(id, destination.clone(), message, context.now);
        let Some(owed) = self.gather(owed, context) else { return };
        if let Some(record) = self.outbox.push(owed) {
            context.draft.intent(record);
        }
    }

    /// The messages of a rule for a destination, queued or gathered.
    pub(super) fn waiting(&self, rule: &RuleName, destination: &DestinationName) -> Queued {
        self.outbox.queued(rule, destination).and(self.groups.waiting(rule, destination))
    }

    pub(super) fn episodes_max(&self, rule: &RuleName) -> usize {
        self.rules.get(rule).map_or(RuleSpec::EPISODES_MAX, |known| known.spec.episodes_max)
    }

    /// Keeps the reason of a decision for `explain`, and reports it to the log and the counters.
    pub(super) fn remember(&mut self, name: &RuleName, verdict: &Verdict, context: &mut Context<'_>) {
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

fn fallbacks(destinations: &[DestinationSpec]) -> BTreeMap<DestinationName, DestinationName> {
    let fallback = |spec: &DestinationSpec| Some((spec.name.clone(), spec.fallback.clone()?));
    destinations.iter().filter_map(fallback).collect()
}

/// Notes whether an episode mutes others: from when it may be announced to its end.
pub(super) fn note_source(standing: &mut Standing, spec: &RuleSpec, episode: &EpisodeRecord) -> bool {
    let is_open = matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. });
    let (severity, labels) = (episode.severity, episode.labels.as_slice());
    let subject = Subject { rule: &spec.name, owner: spec.owner.as_deref(), severity, labels };
    standing.note(&episode.id, &subject, is_open)
}

/// What is sent if the text of `message` could not be rendered.
fn plain(message: &Message, wants: AlertText, why: &str) -> Text {
    Job::new("", "", &message.subject(), wants).plain(why)
}
