use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use watchbell_contract::{Cause, Duration, Intent, Receipt, Refusal, Severity, Timestamp};
use watchbell_pipeline::order::{Action, Evaluation, Event, Note, Run, RunFault, RunId};
use watchbell_pipeline::record::{Commit, Delivery, HostId, IntentId, Phase};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_pipeline::{Engine, EngineConfig};

use crate::store::Store;
use crate::world::{self, START, World};

/// Faults are drawn until here; then the world is well and everything has to come to its end.
const FAULTS_UNTIL: i64 = START + 5_400_000;
const END: i64 = START + 9_000_000;

pub(crate) struct Sim {
    world: World,
    random: StdRng,
    now: i64,
    store: Store,
    engine: Engine,
    /// What will happen, by when.
    coming: BTreeMap<(i64, u64), Coming>,
    order: u64,
    running: BTreeMap<RunId, RuleName>,
    persisting: bool,
    sending: BTreeMap<IntentId, (String, DestinationName)>,
    /// Each intent as its receiver got it, and whether that delivery was flagged.
    received: Vec<(Intent, DestinationName)>,
    lanes: BTreeMap<(String, DestinationName), Timestamp>,
    outage_until: i64,
    /// Of the bundle in force.
    edition: usize,
    /// When each bundle was put in force.
    editions: Vec<(i64, usize)>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crashes: u32,
    pub(crate) flagged_repeats: u32,
    pub(crate) gaps: usize,
    pub(crate) edits: u32,
    /// Messages of a higher severity, and of many episodes that an edit made late.
    pub(crate) worse: u32,
    pub(crate) summaries: u32,
}

enum Coming {
    Evaluated(Run),
    /// What people are shown of it was fetched.
    Fetched(RunId, Result<Evaluation, RunFault>),
    /// Written at that instant if `write`; acknowledged if `acknowledge`.
    Persisted {
        commit: Box<Commit>,
        write: bool,
        acknowledge: bool,
    },
    Delivered {
        id: IntentId,
        outcome: Result<Receipt, Refusal>,
    },
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let mut store = Store::default();
        let now = START;
        let engine = Engine::new(config(seed), Timestamp(now), store.snapshot());
        Self {
            world: World::new(seed),
            random: StdRng::seed_from_u64(seed),
            now,
            store,
            engine,
            coming: BTreeMap::new(),
            order: 0,
            running: BTreeMap::new(),
            persisting: false,
            sending: BTreeMap::new(),
            received: Vec::new(),
            lanes: BTreeMap::new(),
            outage_until: 0,
            edition: 0,
            editions: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn run(mut self) -> Tally {
        self.bundle();
        while self.now < END {
            self.step();
        }
        self.check_end();
        self.check_growth();
        let is_worse = |(it, _): &&(Intent, DestinationName)| it.cause == Cause::Worse;
        self.tally.worse = self.received.iter().filter(is_worse).count() as u32;
        let is_summary = |(it, _): &&(Intent, DestinationName)| it.title.contains("more episodes are open");
        self.tally.summaries = self.received.iter().filter(is_summary).count() as u32;
        self.tally.gaps = self.store.gaps.len();
        self.tally
    }

    /// Carries out everything the engine orders, then lets the next thing happen. May crash in between.
    fn step(&mut self) {
        loop {
            if self.faulty() && self.random.random_bool(0.001) {
                return self.crash();
            }
            let Some(action) = self.engine.poll_action() else { break };
            self.carry_out(action);
        }
        if self.fault(0.003) {
            self.edit();
        }
        let wakeup = self.engine.next_wakeup().map_or(END, |at| at.0);
        let first = self.coming.keys().next().copied();
        match first {
            Some((at, _)) if at <= wakeup => {
                self.now = self.now.max(at);
                let coming = first.and_then(|key| self.coming.remove(&key)).expect("it was there");
                self.happen(coming);
            }
            _ => {
                // A tick that changes nothing and asks for another at once would never end.
                assert!(wakeup > self.now || first.is_some() || wakeup >= self.now, "time stands still");
                self.now = self.now.max(wakeup);
                self.engine.handle(Timestamp(self.now), Event::Tick);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Evaluate(run) => {
                assert!(!self.running.values().any(|rule| *rule == run.rule), "two runs of {}", run.rule);
                self.store.check_run(&run);
                assert!(run.window.start <= run.window.settled && run.window.settled <= run.window.end);
                assert!(run.window.end.0 <= self.now - 10_000, "a window that ends too late");
                assert_eq!(
                    (run.window.end.0 - run.window.start.0) % run.grid.0 as i64,
                    0,
                    "whole steps of the grid"
                );
                self.running.insert(run.id, run.rule.clone());
                let slow = run.rule.0 == "level" && self.faulty();
                let took = self.random.random_range(5..if slow { 90_000 } else { 2_000 });
                self.later(took, Coming::Evaluated(run));
            }
            Action::Persist(commit) => {
                assert!(!std::mem::replace(&mut self.persisting, true), "two writes at once");
                let (write, acknowledge) = match self.fault(0.1) {
                    true => (self.random.random_bool(0.5), false),
                    false => (true, true),
                };
                let took = self.random.random_range(0..50);
                self.later(took, Coming::Persisted { commit, write, acknowledge });
            }
            Action::Deliver { id, destination, intent } => self.deliver(id, destination, *intent),
            Action::Note(note) => {
                if let Note::DeadLetter { .. } = note {
                    panic!("nothing is undeliverable here: {note:?}");
                }
            }
        }
    }

    fn deliver(&mut self, id: IntentId, destination: DestinationName, intent: Intent) {
        let kept = self.store.intents.get(&id).expect("nothing is sent that no commit holds");
        match &kept.delivery {
            Delivery::Claimed { epoch, attempt, .. } => {
                assert_eq!((*epoch, *attempt), (self.store.epoch, intent.attempt), "another claim");
            }
            other => panic!("sent while {other:?}"),
        }
        let lane = (intent.episode.clone(), destination.clone());
        assert!(!self.sending.values().any(|other| *other == lane), "two messages of a lane at once");
        let last = self.lanes.entry(lane.clone()).or_insert(kept.created_at);
        assert!(*last <= kept.created_at, "a lane's order");
        *last = kept.created_at;
        let here = self.sending.values().filter(|(_, other)| *other == destination).count();
        assert!(here < if destination.0 == "chat" { 2 } else { 1 }, "too many at {destination}");
        self.sending.insert(id.clone(), lane);
        let outcome = if self.fault(0.2) {
            let retry_after = self.random.random_bool(0.3).then_some(Duration::from_secs(30));
            Err(Refusal::Unavailable { reason: "503".into(), retry_after })
        } else {
            let repeated = self.received.iter().any(|(other, _)| other.id == intent.id);
            if repeated {
                assert!(intent.maybe_repeated, "sent twice without a flag: {intent:?}");
                self.tally.flagged_repeats += 1;
            }
            self.received.push((intent, destination));
            if self.fault(0.05) {
                // It has arrived, and nobody knows.
                Err(Refusal::Unanswered { reason: "timeout".into(), retry_after: None })
            } else {
                Ok(Receipt::default())
            }
        };
        let took = self.random.random_range(1..3_000);
        self.later(took, Coming::Delivered { id, outcome });
    }

    fn happen(&mut self, coming: Coming) {
        let now = Timestamp(self.now);
        let event = match coming {
            Coming::Evaluated(run) => {
                if self.now >= self.outage_until && self.fault(0.01) {
                    self.outage_until = self.now + self.random.random_range(1_000..600_000);
                }
                let outcome = match () {
                    () if self.now < self.outage_until && self.faulty() => Err(match self.outage_until % 2 {
                        0 => RunFault::Outside("503".into()),
                        _ => RunFault::Slow("no answer in time".into()),
                    }),
                    () if self.fault(0.01) => Err(RunFault::Rule("a trap out of nowhere".into())),
                    () => self.world.evaluate(&run, now),
                };
                if outcome.is_ok() && self.random.random_bool(0.5) {
                    let took = self.random.random_range(0..2_000);
                    self.later(took, Coming::Fetched(run.id, outcome));
                    return self.engine.handle(now, Event::Judged { run: run.id });
                }
                self.running.remove(&run.id);
                Event::Evaluated { run: run.id, outcome }
            }
            Coming::Fetched(run, outcome) => {
                self.running.remove(&run);
                Event::Evaluated { run, outcome }
            }
            Coming::Persisted { commit, write, acknowledge } => {
                if write {
                    self.store.apply(&commit);
                }
                self.persisting = false;
                Event::Persisted { nonce: commit.nonce, written: acknowledge }
            }
            Coming::Delivered { id, outcome } => {
                self.sending.remove(&id);
                Event::Delivered { intent: id, outcome }
            }
        };
        self.engine.handle(now, event);
    }

    /// The process is gone. What it was writing was written or not.
    fn crash(&mut self) {
        self.tally.crashes += 1;
        for coming in std::mem::take(&mut self.coming).into_values() {
            if let Coming::Persisted { commit, write: true, .. } = coming
                && self.random.random_bool(0.5)
            {
                self.store.apply(&commit);
            }
        }
        self.running.clear();
        self.sending.clear();
        self.persisting = false;
        let long = self.random.random_bool(0.1);
        self.now += self.random.random_range(100..if long { 1_800_000 } else { 5_000 });
        if self.random.random_bool(0.2) {
            self.edition = self.random.random_range(0..world::EDITIONS);
        }
        let seed = self.random.random();
        self.engine = Engine::new(config(seed), Timestamp(self.now), self.store.snapshot());
        self.bundle();
    }

    fn bundle(&mut self) {
        self.editions.push((self.now, self.edition));
        let bundle = Event::Bundle {
            digest: self.edition.to_string(),
            rules: world::rules(self.edition),
            destinations: world::destinations(),
        };
        self.engine.handle(Timestamp(self.now), bundle);
    }

    /// Somebody edits the rules and reloads them.
    fn edit(&mut self) {
        self.tally.edits += 1;
        self.edition = self.random.random_range(0..world::EDITIONS);
        self.bundle();
    }

    fn check_end(&self) {
        let judged = |rule: &str, at: i64| {
            let name = RuleName(rule.into());
            self.store.first[&name] <= at && at < self.store.rules[&name].cursor.0
        };
        let in_gap = |rule: &str, at: i64| {
            self.store.gaps.iter().any(|gap| gap.rule.0 == rule && gap.over.contains(Timestamp(at)))
        };
        for name in world::RULES {
            let cursor = self.store.rules[&RuleName(name.into())].cursor;
            let behind = if name == "zoned" { 620_000 } else { 200_000 };
            assert!(cursor.0 > END - behind, "{name} fell behind: {cursor:?}");
        }
        for rule in world::EVENTS {
            for document in &self.world.documents {
                let summary = format!("document {}", document.id);
                let about = |intent: &&Intent| intent.rule == rule && intent.summary == summary;
                let ids: BTreeSet<&str> = self
                    .received
                    .iter()
                    .map(|(intent, _)| intent)
                    .filter(about)
                    .map(|intent| intent.id.as_str())
                    .collect();
                let place = format!("{rule}: document {} at {}", document.id, document.at - START);
                // What was told before a late document spoilt its slice stays told.
                if in_gap(rule, document.at) {
                    assert!(ids.len() <= 1, "{place} was told {} times", ids.len());
                } else {
                    assert_eq!(ids.len(), usize::from(judged(rule, document.at)), "{place}");
                }
            }
        }
        for gap in &self.store.gaps {
            let inside = || self.world.documents.iter().filter(|d| gap.over.contains(Timestamp(d.at)));
            assert!(
                inside().any(|d| d.poison) || inside().count() > world::ROWS_MAX,
                "a gap without a cause: {gap:?}"
            );
            assert_eq!(gap.over.end.since(gap.over.start), Duration::from_mins(1), "the smallest slice");
        }
        for gap in &self.store.first_gaps {
            let told = self.received.iter().any(|(intent, _)| {
                intent.at == gap.over.start && intent.summary.contains(gap.message.as_str())
            });
            assert!(told, "nobody heard of {gap:?}");
        }
        // One message for all gaps between two runs that committed, however often the host began anew in between.
        for (intent, _) in self.received.iter().filter(|(it, _)| it.summary.starts_with("it fails on")) {
            let first = self.store.first_gaps.iter().any(|gap| gap.over.start == intent.at);
            assert!(first, "told of a gap after the first: {intent:?}");
        }
        self.check_episodes();
        let owed =
            self.store.intents.values().filter(|i| !matches!(i.delivery, Delivery::Delivered { .. })).count();
        assert_eq!(owed, 0, "everything is delivered in the end");
        let (from, _) = world::read(
            &self.store.rules[&RuleName("counting".into())].state.as_ref().expect("primed").bytes,
        );
        assert!(from <= START - 45 * 60_000, "history was read before the first window");
    }

    /// Every beginning that was told has one end, told to the same people.
    fn check_episodes(&self) {
        assert!(self.store.episodes.values().all(|episode| matches!(episode.phase, Phase::Resolved { .. })));
        let told = |cause: Cause| -> BTreeSet<(&str, &DestinationName)> {
            let of = |(intent, _): &&(Intent, DestinationName)| intent.cause == cause;
            self.received.iter().filter(of).map(|(intent, to)| (intent.episode.as_str(), to)).collect()
        };
        let began: BTreeSet<_> =
            [Cause::Opened, Cause::Escalated, Cause::Worse].into_iter().flat_map(told).collect();
        assert_eq!(began, told(Cause::Resolved));
        assert!(told(Cause::Was).iter().all(|was| !began.contains(was)));
        // Each document of the level belongs to a span that somebody heard of.
        let spans: Vec<_> =
            self.store.episodes.values().filter(|episode| episode.rule.0 == "level").collect();
        let name = RuleName("level".into());
        for document in &self.world.documents {
            if self.store.first[&name] <= document.at && document.at < self.store.rules[&name].cursor.0 {
                let host = format!("h{}", document.id % 5);
                let held = spans.iter().any(|episode| {
                    episode.labels[0].value.as_deref() == Some(&host)
                        && episode.since.0 <= document.at.max(episode.since.0)
                        && document.at < episode.until.0
                });
                assert!(held, "document {} opened or extended no episode", document.id);
            }
        }
    }

    /// A level that grew says how far, in the end; it is critical if it ever was, and worse to nobody twice.
    fn check_growth(&self) {
        let mut worse: BTreeMap<(&str, &DestinationName), BTreeSet<&str>> = BTreeMap::new();
        for (intent, to) in self.received.iter().filter(|(intent, _)| intent.cause == Cause::Worse) {
            worse.entry((&intent.episode, to)).or_default().insert(&intent.id);
        }
        assert!(worse.values().all(|ids| ids.len() == 1), "worse twice: {worse:?}");
        self.check_early();
        for episode in self.store.episodes.values().filter(|episode| episode.rule.0 == "growing") {
            let host = episode.labels[0].value.as_deref().and_then(|name| name[1..].parse().ok());
            let truth = self.world.growth(host.expect("a number"), |_| true);
            let (since, last) = (episode.since.0, episode.last.at.0);
            let said = truth.iter().find(|(at, ..)| *at == last).map(|(_, _, value, _)| *value);
            assert_eq!(episode.last.value, said, "the newest value of {episode:?}");
            let peak = |from: i64| {
                let within = truth.iter().filter(|(at, ..)| from <= *at && *at <= last);
                within.map(|(_, _, value, _)| *value).fold(0.0, f64::max)
            };
            let critical = episode.severity == Severity::Critical;
            assert!(critical || peak(since) < world::CRITICAL, "it was critical: {episode:?}");
            // A late document before the first signal counts as well.
            assert!(
                !critical || peak(since - 240_000) >= world::CRITICAL,
                "it never was critical: {episode:?}"
            );
        }
    }

    /// In an edition with one step for `mail`, which asks for critical, it fires once: at its time or early.
    fn check_early(&self) {
        const EDITION: usize = 4;
        for episode in self.store.episodes.values().filter(|episode| episode.rule.0 == "growing") {
            let Phase::Resolved { at, .. } = episode.phase else { continue };
            let (before, later): (Vec<_>, Vec<_>) =
                self.editions.iter().partition(|(since, _)| *since <= episode.opened_at.0);
            let is_edited = later.iter().any(|(since, _)| *since <= at.0);
            if is_edited || before.last().is_none_or(|(_, edition)| *edition != EDITION) {
                continue;
            }
            let begins = [Cause::Opened, Cause::Escalated, Cause::Worse];
            let to_mail = self.received.iter().filter(|(intent, to)| {
                intent.episode == episode.id.0 && to.0 == "mail" && begins.contains(&intent.cause)
            });
            let ids: BTreeSet<&str> = to_mail.map(|(intent, _)| intent.id.as_str()).collect();
            assert!(ids.len() <= 1, "mail's one step fired {} times: {episode:?}", ids.len());
        }
    }

    fn later(&mut self, after: i64, coming: Coming) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), coming);
    }

    fn faulty(&self) -> bool {
        self.now < FAULTS_UNTIL
    }

    fn fault(&mut self, chance: f64) -> bool {
        self.faulty() && self.random.random_bool(chance)
    }
}

fn config(seed: u64) -> EngineConfig {
    EngineConfig { events_max: 1_000, edited_max: 2, seed, ..EngineConfig::new(HostId("sim".into())) }
}
