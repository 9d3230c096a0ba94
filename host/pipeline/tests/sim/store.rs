use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Range, Severity};
use watchbell_pipeline::order::Purpose;
use watchbell_pipeline::record::{
    CommandLog, CommandRecord, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, GapReason, GapRecord,
    IntentId, IntentRecord, Phase, RuleRecord, Snapshot,
};
use watchbell_pipeline::spec::RuleName;

use crate::world::{self, Bundle};

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) epoch: Epoch,
    last_nonce: Option<u64>,
    bundle: Option<String>,
    pub(crate) rules: BTreeMap<RuleName, RuleRecord>,
    pub(crate) first: BTreeMap<RuleName, i64>,
    pub(crate) episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    pub(crate) intents: BTreeMap<IntentId, IntentRecord>,
    pub(crate) gaps: Vec<GapRecord>,
    pub(crate) commands: Vec<CommandRecord>,
    /// Those that were the first since their rule last judged something: somebody has to hear of them.
    pub(crate) first_gaps: Vec<GapRecord>,
    streaks: BTreeSet<RuleName>,
    /// Each claim that was ever written: of which message, under which epoch, for which attempt.
    pub(crate) claims: BTreeSet<(IntentId, Epoch, u32)>,
}

impl Store {
    /// Takes over: what a new owner finds.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.epoch = Epoch(self.epoch.0 + 1);
        let open = |episode: &&EpisodeRecord| !matches!(episode.phase, Phase::Resolved { .. });
        let owed = |intent: &&IntentRecord| {
            matches!(intent.delivery, Delivery::Owed { .. } | Delivery::Claimed { .. })
        };
        Snapshot {
            epoch: self.epoch,
            bundle: self.bundle.clone(),
            rules: self.rules.values().cloned().collect(),
            episodes: self.episodes.values().filter(open).cloned().collect(),
            commands: CommandLog {
                last: self.commands.len() as u64,
                recent: self.commands.iter().map(|line| line.id.clone()).collect(),
            },
            // In no order that means anything.
            intents: self.intents.values().filter(owed).cloned().collect(),
            ..Snapshot::default()
        }
    }

    pub(crate) fn apply(&mut self, commit: &Commit) {
        assert_eq!(commit.epoch, self.epoch, "a commit of another epoch");
        if self.last_nonce == Some(commit.nonce) {
            return;
        }
        assert!(self.last_nonce.is_none_or(|last| commit.nonce > last), "nonces go forward");
        assert!(!commit.is_empty(), "an empty commit");
        self.last_nonce = Some(commit.nonce);
        self.bundle = commit.bundle.clone().or(self.bundle.take());
        for record in commit.rules.iter().filter(|record| record.failure.is_none()) {
            self.streaks.remove(&record.rule);
        }
        for gap in &commit.gaps {
            self.gaps.push(gap.clone());
            // A rule that was off has not failed.
            if gap.reason != GapReason::Disabled && self.streaks.insert(gap.rule.clone()) {
                self.first_gaps.push(gap.clone());
            }
        }
        for record in &commit.rules {
            self.check_cursor(record, &commit.gaps);
            self.rules.insert(record.rule.clone(), record.clone());
        }
        for line in &commit.commands {
            assert_eq!(line.number, self.commands.len() as u64 + 1, "the log of commands has no gaps");
            let is_new = self.commands.iter().all(|other| other.id != line.id);
            assert!(is_new, "applied twice: {line:?}");
            self.commands.push(line.clone());
        }
        for episode in &commit.episodes {
            self.check_worse(episode, commit.bundle.is_some());
            let before = self.episodes.insert(episode.id.clone(), episode.clone());
            let reopened = before.is_some_and(|before| matches!(before.phase, Phase::Resolved { .. }));
            assert!(!reopened, "a resolved episode changed: {episode:?}");
        }
        for intent in &commit.intents {
            if let Delivery::Claimed { epoch, attempt, .. } = &intent.delivery {
                assert_eq!(*epoch, self.epoch, "a claim of another epoch");
                self.claims.insert((intent.id.clone(), *epoch, *attempt));
            }
            let before = self.intents.insert(intent.id.clone(), intent.clone());
            if let Some(before) = before {
                let ended = matches!(before.delivery, Delivery::Delivered { .. } | Delivery::Dead { .. });
                assert!(!ended, "an intent that had ended changed: {intent:?}");
                assert_eq!(before.created_at, intent.created_at);
            }
        }
    }

    /// When an episode that was announced turns critical, the steps for critical ones fire in the same commit.
    fn check_worse(&self, now: &EpisodeRecord, is_edited: bool) {
        let Some(before) = self.episodes.get(&now.id) else { return };
        let rose = before.severity < Severity::Critical && now.severity == Severity::Critical;
        if is_edited || !rose || before.ordinal == 0 || now.phase != Phase::Active {
            return;
        }
        let edition = self.bundle.as_deref().and_then(Bundle::edition_of).expect("an edition");
        let rule = world::rules(edition).into_iter().find(|rule| rule.name == now.rule).expect("a rule");
        for step in rule.alert.steps.iter().filter(|step| step.severity == Some(Severity::Critical)) {
            for to in &step.to {
                assert!(
                    now.told.iter().any(|told| told.destination == *to),
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
    pub(crate) fn check_run(&self, run: &watchbell_pipeline::order::Run) {
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
