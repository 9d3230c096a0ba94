use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Range, Severity};
use watchbell_pipeline::action::{Purpose, Run};
use watchbell_pipeline::record::{
    Change, CommandRecord, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, GapReason, GapRecord, HostId,
    IntentId, IntentRecord, Level, Lost, Nonce, NotifierCommit, NotifierSnapshot, Owned, PartitionCommit,
    PartitionId, PartitionSnapshot, Phase, Position, RECORDED_CALLS_MAX, RuleRecord, TransitionRecord,
};
use watchbell_pipeline::spec::RuleName;
use watchbell_pipeline::{CANNOT_RUN_LABEL, OVERFLOW_LABEL};
use watchbell_store::{Memory, Store as _};

use crate::world;

/// Looks at everything that is written, beside the store that both hosts use.
#[derive(Default)]
pub(crate) struct Store {
    memory: Memory,
    epochs: BTreeMap<Owned, Epoch>,
    /// Which parts of which commits are written.
    parts: BTreeSet<(Owned, Nonce)>,
    pub(crate) rules: BTreeMap<RuleName, RuleRecord>,
    pub(crate) first: BTreeMap<RuleName, i64>,
    /// Events of rules that were off when a notifier that never knew them came upon these: what they say.
    pub(crate) of_nobody: BTreeSet<String>,
    /// Every transition that was ever written.
    pub(crate) transitions: BTreeMap<(PartitionId, u64), TransitionRecord>,
    /// Up to where the notifier has decided.
    pub(crate) positions: BTreeMap<PartitionId, u64>,
    pub(crate) episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    pub(crate) intents: BTreeMap<IntentId, IntentRecord>,
    pub(crate) gaps: Vec<GapRecord>,
    /// The levels that hold of the rule that has more keys than places, and how often they were too many.
    flood: BTreeMap<EpisodeId, Level>,
    pub(crate) overflows: usize,
    pub(crate) commands: Vec<CommandRecord>,
    /// Those that were the first since their rule last evaluated something: somebody must be notified of them.
    pub(crate) first_gaps: Vec<GapRecord>,
    streaks: BTreeSet<RuleName>,
    /// Each claim that was ever written: of which message, under which epoch, for which attempt.
    pub(crate) claims: BTreeSet<(IntentId, Epoch, u32)>,
}

/// What the notifier's host had in force when it made a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Under {
    pub(crate) edition: usize,
    pub(crate) generation: u64,
    /// Since the commit before.
    pub(crate) is_edited: bool,
    /// Since it took the notifier over, it has had a bundle in which the switched rules are on.
    pub(crate) knows_switched: bool,
}

impl Store {
    pub(crate) fn take_partition(&mut self, id: PartitionId, owner: &HostId) -> PartitionSnapshot {
        let mut snapshot = self.memory.take_partition(id, owner, None).expect("memory");
        self.took(Owned::Partition(id), snapshot.tenure.epoch);
        snapshot.rules.reverse();
        snapshot
    }

    /// `None`: somebody else has taken it since.
    pub(crate) fn take_notifier(&mut self, owner: &HostId, seen: Option<Epoch>) -> Option<NotifierSnapshot> {
        let mut snapshot = self.memory.take_notifier(owner, seen).ok()?;
        self.took(Owned::Notifier, snapshot.tenure.epoch);
        // In no order that means anything.
        snapshot.intents.sort_by(|a, b| a.id.cmp(&b.id));
        Some(snapshot)
    }

    pub(crate) fn read(&mut self, after: &[Position], rows_max: u32) -> Vec<TransitionRecord> {
        self.memory.transitions(after, rows_max).expect("memory")
    }

    pub(crate) fn apply(&mut self, commit: &Commit, under: Under) -> Vec<Lost> {
        assert!(commit.parts().next().is_some(), "an empty commit");
        let lost = self.memory.commit(commit).expect("memory");
        let is_lost = |what| lost.iter().any(|lost| lost.what == what);
        for part in &commit.partitions {
            let what = Owned::Partition(part.partition);
            if !is_lost(what) && self.parts.insert((what, commit.nonce)) {
                self.is_the_owners(what, part.tenure.epoch);
                self.wrote_partition(part);
            }
        }
        if let Some(part) = &commit.notifier
            && !is_lost(Owned::Notifier)
            && self.parts.insert((Owned::Notifier, commit.nonce))
        {
            self.is_the_owners(Owned::Notifier, part.tenure.epoch);
            self.wrote_notifier(part, under);
        }
        lost
    }

    fn took(&mut self, what: Owned, epoch: Epoch) {
        let before = self.epochs.insert(what, epoch);
        assert!(before.is_none_or(|before| before < epoch), "{what}: epochs only rise");
    }

    fn is_the_owners(&self, what: Owned, epoch: Epoch) {
        assert_eq!(self.epochs.get(&what), Some(&epoch), "{what}: a commit of another epoch");
    }

    fn wrote_partition(&mut self, part: &PartitionCommit) {
        let partition = part.partition;
        for transition in &part.transitions {
            let last = self.transitions.range(..=(partition, u64::MAX)).next_back();
            let last = last.filter(|((of, _), _)| *of == partition).map_or(0, |((_, number), _)| *number);
            assert_eq!(transition.number, last + 1, "transitions are numbered without gaps");
            assert_eq!(transition.partition, partition);
            let before = self.transitions.get(&(partition, last)).map_or(0, |last| last.generation);
            assert!(transition.generation >= before, "an earlier bundle came back: {transition:?}");
            self.transitions.insert((partition, transition.number), transition.clone());
        }
        for record in part.rules.iter().filter(|record| record.failure.is_none()) {
            self.streaks.remove(&record.rule);
        }
        for gap in &part.gaps {
            self.gaps.push(gap.clone());
            // A rule that was off has not failed.
            if gap.reason != GapReason::Disabled && self.streaks.insert(gap.rule.clone()) {
                self.first_gaps.push(gap.clone());
            }
        }
        self.check_flood(part);
        for record in &part.rules {
            let own = PartitionId::of(&record.rule, world::PARTITIONS);
            assert_eq!(own, partition, "{} is not of this partition", record.rule);
            self.check_cursor(record, &part.gaps);
            self.rules.insert(record.rule.clone(), record.clone());
        }
    }

    /// Never more open levels than there are places in any edition, and one that stands for all others while there are
    /// others.
    fn check_flood(&mut self, part: &PartitionCommit) {
        let is_flood = |rule: &RuleName| rule.0 == "flooding";
        for id in &part.levels_ended {
            self.flood.remove(id);
        }
        for (_, level) in part.levels.iter().filter(|(rule, _)| is_flood(rule)) {
            let is_new = self.flood.insert(level.id.clone(), level.clone()).is_none();
            self.overflows += usize::from(is_new && level.labels[0].name == OVERFLOW_LABEL);
        }
        let overflows = self.flood.values().filter(|level| level.labels[0].name == OVERFLOW_LABEL).count();
        let hosts =
            |level: &&Level| [OVERFLOW_LABEL, CANNOT_RUN_LABEL].contains(&level.labels[0].name.as_str());
        let own = self.flood.len() - self.flood.values().filter(hosts).count();
        assert!(own <= world::EPISODES_MAX && overflows <= 1, "{:?}", self.flood);
        let labels: BTreeSet<_> = self.flood.values().map(|level| &level.labels).collect();
        assert_eq!(labels.len(), self.flood.len(), "two levels of a key: {:?}", self.flood);
        if let Some(record) = part.rules.iter().find(|record| is_flood(&record.rule)) {
            assert_eq!(overflows == 1, !record.overflow.is_over(), "{:?}", record.overflow);
            assert!(record.overflow.counted.is_empty() && record.overflow.is_exact());
        }
    }

    fn wrote_notifier(&mut self, part: &NotifierCommit, under: Under) {
        for position in &part.positions {
            let Position { partition, number } = *position;
            let before = self.positions.insert(partition, number).unwrap_or(0);
            assert!(number > before, "a position went back: {position:?} from {before}");
            let found = self.transitions.contains_key(&(partition, number));
            assert!(found, "decided what nobody found: {position:?}");
            let decided = self.transitions.range((partition, before + 1)..=(partition, number));
            let unknown = decided.map(|(_, transition)| transition).filter(|transition| {
                let is_earlier = transition.generation < under.generation;
                is_earlier && !under.knows_switched && world::SWITCHED.contains(&transition.rule.0.as_str())
            });
            for transition in unknown {
                if let Change::Events { events, .. } = &transition.change {
                    self.of_nobody.extend(events.iter().map(|event| event.last.summary.clone()));
                }
            }
        }
        for line in &part.commands {
            assert_eq!(line.number, self.commands.len() as u64 + 1, "the log of commands has no gaps");
            let is_new = self.commands.iter().all(|other| other.id != line.id);
            assert!(is_new, "applied twice: {line:?}");
            self.commands.push(line.clone());
        }
        for episode in &part.episodes {
            self.check_worse(episode, under);
            let before = self.episodes.insert(episode.id.clone(), episode.clone());
            let reopened = before.is_some_and(|before| matches!(before.phase, Phase::Resolved { .. }));
            assert!(!reopened, "a resolved episode changed: {episode:?}");
        }
        for intent in &part.intents {
            if let Delivery::Claimed { epoch, attempt, .. } = &intent.delivery {
                self.is_the_owners(Owned::Notifier, *epoch);
                self.claims.insert((intent.id.clone(), *epoch, *attempt));
            }
            let before = self.intents.insert(intent.id.clone(), intent.clone());
            if let Some(before) = before {
                let ended = matches!(
                    before.delivery,
                    Delivery::Delivered { .. } | Delivery::Dead { .. } | Delivery::Merged { .. }
                );
                assert!(!ended, "an intent that had ended changed: {intent:?}");
                assert_eq!(before.created_at, intent.created_at);
                check_recorded(&before, intent);
            }
        }
    }

    /// What the destination of a message returned for the first one of its episode.
    pub(crate) fn first_reference(&self, of: &IntentRecord) -> Option<Option<&str>> {
        let is_of =
            |it: &&IntentRecord| it.message.episode == of.message.episode && it.destination == of.destination;
        let delivered = self.intents.values().filter(is_of).filter_map(|intent| match &intent.delivery {
            Delivery::Delivered { at, reference, .. } => Some((at, reference.as_deref())),
            _ => None,
        });
        delivered.min_by_key(|(at, _)| **at).map(|(_, reference)| reference)
    }

    /// When an episode that was announced turns critical, the steps for critical ones fire in the same commit.
    fn check_worse(&self, now: &EpisodeRecord, under: Under) {
        let Some(before) = self.episodes.get(&now.id) else { return };
        let rose = before.severity < Severity::Critical && now.severity == Severity::Critical;
        if under.is_edited || !rose || before.ordinal == 0 || now.phase != Phase::Active {
            return;
        }
        let rule =
            world::rules(under.edition).into_iter().find(|rule| rule.name == now.rule).expect("a rule");
        for step in rule.alert.steps.iter().filter(|step| step.severity == Some(Severity::Critical)) {
            for to in &step.to {
                assert!(
                    now.notified.iter().any(|notified| notified.destination == *to),
                    "{to} waits, though critical: {now:?}"
                );
            }
        }
    }

    /// A cursor moves over windows that were judged or over gaps that were recorded, and over nothing else.
    fn check_cursor(&mut self, record: &RuleRecord, gaps: &[GapRecord]) {
        self.first.entry(record.rule.clone()).or_insert(record.cursor.0);
        let Some(before) = self.rules.get(&record.rule) else { return };
        assert!(record.cursor >= before.cursor, "{}: the cursor went back", record.rule);
        if let (Some(old), Some(new)) = (&before.state, &record.state) {
            assert!(
                new.settled >= old.settled || record.priming.is_some() || record.rule.0 == "zoned",
                "{}: the state went back",
                record.rule
            );
        }
        if record.cursor == before.cursor {
            return;
        }
        // One write may hold a run, the rule's switching off, and the span for which it was off.
        let run = record.last_run.as_ref().map(|run| run.window);
        let gaps = gaps.iter().filter(|gap| gap.rule == record.rule).map(|gap| gap.over);
        let spans: Vec<Range> = run.into_iter().chain(gaps).collect();
        let mut reached = before.cursor;
        while let Some(span) = spans.iter().find(|span| span.start <= reached && reached < span.end) {
            reached = span.end;
        }
        assert_eq!(
            reached, record.cursor,
            "{}: from {:?} by {:?}, {spans:?}",
            record.rule, before.cursor, record.last_run
        );
    }

    /// Whether the state of a run is the one that is committed.
    pub(crate) fn check_run(&self, run: &Run) {
        let Some(record) = self.rules.get(&run.rule) else { return };
        if run.purpose == Purpose::Live {
            assert_eq!(
                run.judged, record.cursor,
                "{}: a run that does not start where the last commit ended",
                run.rule
            );
        }
    }
}

/// What an attempt recorded is written with its outcome, and stays until the message is delivered.
fn check_recorded(before: &IntentRecord, now: &IntentRecord) {
    let numbers =
        |intent: &IntentRecord| -> Vec<u32> { intent.recorded.iter().map(|call| call.number).collect() };
    if let Delivery::Delivered { .. } = now.delivery {
        assert!(now.recorded.is_empty(), "kept for nobody: {now:?}");
        return;
    }
    assert!(numbers(before).iter().all(|number| numbers(now).contains(number)), "forgotten: {now:?}");
    if let Delivery::Owed { attempt, last: Some(last), .. } = &now.delivery
        && last == "503"
        && (*attempt as usize) <= RECORDED_CALLS_MAX
    {
        assert!(numbers(now).contains(&(attempt - 1)), "not written with its outcome: {now:?}");
    }
}
