use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use watchbell_contract::{Cause, Duration, Intent, Receipt, Refusal, Timestamp};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::order::{Action, Evaluation, Event, Note, Run, RunId};
use watchbell_pipeline::record::{
    Command, CommandId, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, GapReason, GapRecord, HostId,
    IntentId, Phase,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_pipeline::{Engine, EngineConfig};

use crate::store::Store;
use crate::world::{self, Bundle, START, Switch, World};

/// Faults are drawn until here; then the world is well and everything has to come to its end.
const FAULTS_UNTIL: i64 = START + 5_400_000;
pub(crate) const END: i64 = START + 9_000_000;

/// A process with an engine, by the epoch under which it took over.
struct Host {
    epoch: Epoch,
    engine: Engine,
    running: BTreeMap<RunId, RuleName>,
    persisting: bool,
    sending: BTreeMap<IntentId, (String, DestinationName)>,
}

/// Ticks of one instant: one for each thing that may be due then, and no more.
const STILL_MAX: u32 = 20;

pub(crate) struct Sim {
    pub(crate) world: World,
    random: StdRng,
    now: i64,
    pub(crate) store: Store,
    /// The last one owns the store; those before it were taken over, and do not know it yet.
    hosts: Vec<Host>,
    /// What will happen, by when, and at which host.
    coming: BTreeMap<(i64, u64), (Epoch, Coming)>,
    order: u64,
    /// Each intent as its receiver got it, and whether that delivery was flagged.
    pub(crate) received: Vec<(Intent, DestinationName)>,
    lanes: BTreeMap<(String, DestinationName), Timestamp>,
    outage_until: i64,
    /// In force.
    bundle: Bundle,
    /// Ticks since time last went on.
    still: u32,
    /// How many different ones were asked for.
    commands: u64,
    /// When each was put in force.
    pub(crate) bundles: Vec<(i64, Bundle)>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crashes: u32,
    /// Of hosts that were alive.
    pub(crate) takeovers: u32,
    pub(crate) flagged_repeats: u32,
    pub(crate) gaps: usize,
    pub(crate) edits: u32,
    /// How often rules were switched on again, and the spans for which they were off.
    pub(crate) switched: u32,
    pub(crate) spans_off: usize,
    pub(crate) commands: usize,
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
        let host = Host::new(seed, now, &mut store);
        Self {
            world: World::new(seed),
            random: StdRng::seed_from_u64(seed),
            now,
            store,
            hosts: vec![host],
            coming: BTreeMap::new(),
            order: 0,
            received: Vec::new(),
            lanes: BTreeMap::new(),
            outage_until: 0,
            bundle: Bundle { edition: 0, switch: Switch::On },
            still: 0,
            commands: 0,
            bundles: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn run(mut self) -> Tally {
        self.reload();
        while self.now < END {
            self.step();
        }
        self.check_end();
        self.check_growth();
        self.check_hours();
        let is_worse = |(it, _): &&(Intent, DestinationName)| it.cause == Cause::Worse;
        self.tally.worse = self.received.iter().filter(is_worse).count() as u32;
        let is_summary = |(it, _): &&(Intent, DestinationName)| it.title.contains("more episodes are open");
        self.tally.summaries = self.received.iter().filter(is_summary).count() as u32;
        self.tally.commands = self.store.commands.len();
        let is_off = |gap: &&GapRecord| gap.reason == GapReason::Disabled;
        self.tally.spans_off = self.store.gaps.iter().filter(is_off).count();
        self.tally.gaps = self.store.gaps.len() - self.tally.spans_off;
        self.tally
    }

    /// Carries out everything that engines order, then lets the next thing happen. May crash in between.
    fn step(&mut self) {
        let mut index = 0;
        while index < self.hosts.len() {
            if self.faulty() && self.random.random_bool(0.001) {
                return self.crash();
            }
            match self.hosts[index].engine.poll_action() {
                Some(action) => self.carry_out(index, action),
                None => index += 1,
            }
        }
        if self.fault(0.001) {
            self.take_over();
        }
        if self.fault(0.003) {
            self.edit();
        }
        if self.fault(0.004) {
            self.command();
        }
        let is_on = self.bundle.switch == Switch::On;
        if self.fault(if is_on { 0.001 } else { 0.01 }) || !is_on && !self.faulty() {
            self.switch();
        }
        let wakeups = self.hosts.iter().enumerate();
        let wakeups = wakeups.filter_map(|(index, host)| Some((host.engine.next_wakeup()?.0, index)));
        let (wakeup, index) = wakeups.min().unwrap_or((END, self.owner()));
        let first = self.coming.keys().next().copied();
        match first {
            Some((at, _)) if at <= wakeup => {
                self.now = self.now.max(at);
                let (epoch, coming) = first.and_then(|key| self.coming.remove(&key)).expect("it was there");
                self.happen(epoch, coming);
            }
            _ => {
                // A tick that changes nothing and asks for another at once would never end.
                self.still = if wakeup > self.now { 0 } else { self.still + 1 };
                assert!(self.still < STILL_MAX, "time stands still at {}", self.now);
                self.now = self.now.max(wakeup);
                self.hosts[index].engine.handle(Timestamp(self.now), Event::Tick);
            }
        }
    }

    fn owner(&self) -> usize {
        self.hosts.len() - 1
    }

    fn carry_out(&mut self, index: usize, action: Action) {
        let is_owner = index == self.owner();
        let (epoch, host) = (self.hosts[index].epoch, &mut self.hosts[index]);
        match action {
            Action::Evaluate(run) => {
                assert!(!host.running.values().any(|rule| *rule == run.rule), "two runs of {}", run.rule);
                if is_owner {
                    self.store.check_run(&run);
                }
                assert!(run.window.start <= run.window.settled && run.window.settled <= run.window.end);
                assert!(run.window.end.0 <= self.now - 10_000, "a window that ends too late");
                assert_eq!(
                    (run.window.end.0 - run.window.start.0) % run.grid.0 as i64,
                    0,
                    "whole steps of the grid"
                );
                host.running.insert(run.id, run.rule.clone());
                let slow = run.rule.0 == "level" && self.faulty();
                let took = self.random.random_range(5..if slow { 90_000 } else { 2_000 });
                self.later(epoch, took, Coming::Evaluated(run));
            }
            Action::Persist(commit) => {
                assert!(!std::mem::replace(&mut host.persisting, true), "two writes at once");
                let (write, acknowledge) = match self.fault(0.1) {
                    true => (self.random.random_bool(0.5), false),
                    false => (true, true),
                };
                let took = self.random.random_range(0..50);
                self.later(epoch, took, Coming::Persisted { commit, write, acknowledge });
            }
            Action::Deliver { id, destination, intent } => self.deliver(index, id, destination, *intent),
            Action::Note(note) => {
                if let Note::DeadLetter { .. } = note {
                    panic!("nothing is undeliverable here: {note:?}");
                }
            }
        }
    }

    fn deliver(&mut self, index: usize, id: IntentId, destination: DestinationName, intent: Intent) {
        let is_owner = index == self.owner();
        let host = &mut self.hosts[index];
        let claim = (id.clone(), host.epoch, intent.attempt);
        assert!(self.store.claims.contains(&claim), "nothing is sent that no commit holds: {intent:?}");
        let kept = &self.store.intents[&id];
        let lane = (intent.episode.clone(), destination.clone());
        assert!(!host.sending.values().any(|other| *other == lane), "two messages of a lane at once");
        let here = host.sending.values().filter(|(_, other)| *other == destination).count();
        assert!(here < if destination.0 == "chat" { 2 } else { 1 }, "too many at {destination}");
        host.sending.insert(id.clone(), lane.clone());
        let epoch = host.epoch;
        if is_owner {
            assert!(matches!(kept.delivery, Delivery::Claimed { .. }), "sent while {:?}", kept.delivery);
            let last = self.lanes.entry(lane).or_insert(kept.created_at);
            assert!(*last <= kept.created_at, "a lane's order");
            *last = kept.created_at;
        }
        let outcome = if self.fault(0.2) {
            let retry_after = self.random.random_bool(0.3).then_some(Duration::from_secs(30));
            Err(Refusal::Unavailable { reason: "503".into(), retry_after })
        } else {
            // Who was taken over sends what it had claimed, and cannot know; whoever took over flags its own.
            let others =
                || self.received.iter().map(|(other, _)| other).filter(|other| other.id == intent.id);
            let unflagged = others().filter(|other| !other.maybe_repeated).count();
            assert!(unflagged == 0 || intent.maybe_repeated, "sent twice without a flag: {intent:?}");
            assert!(!is_owner || others().count() == 0 || intent.maybe_repeated, "repeated: {intent:?}");
            self.tally.flagged_repeats += u32::from(others().count() > 0);
            self.received.push((intent, destination));
            if self.fault(0.05) {
                // It has arrived, and nobody knows.
                Err(Refusal::Unanswered { reason: "timeout".into(), retry_after: None })
            } else {
                Ok(Receipt::default())
            }
        };
        let took = self.random.random_range(1..3_000);
        self.later(epoch, took, Coming::Delivered { id, outcome });
    }

    fn happen(&mut self, epoch: Epoch, coming: Coming) {
        let now = Timestamp(self.now);
        let Some(index) = self.hosts.iter().position(|host| host.epoch == epoch) else { return };
        let event = match coming {
            Coming::Evaluated(run) => {
                if self.now >= self.outage_until && self.fault(0.01) {
                    self.outage_until = self.now + self.random.random_range(1_000..600_000);
                }
                let outcome = match () {
                    () if self.now < self.outage_until && self.faulty() => Err(match self.outage_until % 2 {
                        0 => RunFault::new(RunFaultKind::Outside, "503"),
                        _ => RunFault::new(RunFaultKind::Slow, "no answer in time"),
                    }),
                    () if self.fault(0.01) => Err(RunFault::new(RunFaultKind::Rule, "a trap out of nowhere")),
                    () => self.world.evaluate(&run, now),
                };
                if outcome.is_ok() && self.random.random_bool(0.5) {
                    let took = self.random.random_range(0..2_000);
                    self.later(epoch, took, Coming::Fetched(run.id, outcome));
                    return self.hosts[index].engine.handle(now, Event::Judged { run: run.id });
                }
                self.hosts[index].running.remove(&run.id);
                Event::Evaluated { run: run.id, outcome }
            }
            Coming::Fetched(run, outcome) => {
                self.hosts[index].running.remove(&run);
                Event::Evaluated { run, outcome }
            }
            Coming::Persisted { commit, write, acknowledge } => {
                // Who is told that it was taken over stops; nothing of it is written.
                if write && epoch != self.store.epoch {
                    drop(self.hosts.remove(index));
                    return;
                }
                if write {
                    self.store.apply(&commit);
                }
                self.hosts[index].persisting = false;
                Event::Persisted { nonce: commit.nonce, written: acknowledge }
            }
            Coming::Delivered { id, outcome } => {
                self.hosts[index].sending.remove(&id);
                Event::Delivered { intent: id, outcome }
            }
        };
        self.hosts[index].engine.handle(now, event);
    }

    /// The process that owns the store is gone. What it was writing was written or not.
    fn crash(&mut self) {
        self.tally.crashes += 1;
        let owner = self.hosts.remove(self.owner()).epoch;
        let gone = self.coming.extract_if(.., |_, (epoch, _)| *epoch == owner);
        for (_, coming) in gone.map(|(_, coming)| coming).collect::<Vec<_>>() {
            if let Coming::Persisted { commit, write: true, .. } = coming
                && self.random.random_bool(0.5)
            {
                self.store.apply(&commit);
            }
        }
        let long = self.random.random_bool(0.1);
        self.now += self.random.random_range(100..if long { 1_800_000 } else { 5_000 });
        if self.random.random_bool(0.2) {
            self.bundle.edition = self.random.random_range(0..world::EDITIONS);
        }
        self.begin();
    }

    /// Another process takes the store over, while the one that owns it is alive.
    fn take_over(&mut self) {
        self.tally.takeovers += 1;
        self.begin();
    }

    fn begin(&mut self) {
        let seed = self.random.random();
        self.hosts.push(Host::new(seed, self.now, &mut self.store));
        self.reload();
    }

    fn reload(&mut self) {
        self.bundles.push((self.now, self.bundle));
        let bundle = Event::Bundle {
            digest: self.bundle.digest(),
            rules: self.bundle.rules(),
            destinations: world::destinations(),
        };
        self.tell_owner(bundle);
    }

    /// Somebody edits the rules and reloads them.
    fn edit(&mut self) {
        self.tally.edits += 1;
        self.bundle.edition = self.random.random_range(0..world::EDITIONS);
        self.reload();
    }

    /// Somebody asks for something about an open episode, or asks once more because nobody answered.
    fn command(&mut self) {
        // What `shift` tells is held against its hours alone.
        let open = |episode: &&EpisodeRecord| {
            episode.rule.0 != "shift" && !matches!(episode.phase, Phase::Resolved { .. })
        };
        let all: Vec<EpisodeId> = self.store.episodes.values().filter(open).map(|it| it.id.clone()).collect();
        let (false, number) = (all.is_empty(), self.commands + 1) else { return };
        let episode = all[self.random.random_range(0..all.len())].clone();
        let command = match self.random.random_range(0..5) {
            0 | 1 => Command::Acknowledge { episode },
            2 => Command::Unacknowledge { episode },
            3 => Command::Resolve { episode },
            _ => Command::Note { episode, text: "looking".into() },
        };
        let again = number > 1 && self.random.random_bool(0.2);
        let id = CommandId(if again { number - 1 } else { number }.to_string());
        self.commands += u64::from(!again);
        self.tell_owner(Event::Command { id, by: "ann".into(), command });
    }

    /// Some rules are switched off, or on again.
    fn switch(&mut self) {
        self.bundle.switch = match self.bundle.switch {
            Switch::On if self.random.random_bool(0.5) => Switch::Gone,
            Switch::On => Switch::Disabled,
            Switch::Disabled | Switch::Gone => Switch::On,
        };
        self.tally.switched += u32::from(self.bundle.switch == Switch::On);
        self.reload();
    }

    fn tell_owner(&mut self, event: Event) {
        let owner = self.owner();
        self.hosts[owner].engine.handle(Timestamp(self.now), event);
    }

    fn later(&mut self, epoch: Epoch, after: i64, coming: Coming) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), (epoch, coming));
    }

    fn faulty(&self) -> bool {
        self.now < FAULTS_UNTIL
    }

    fn fault(&mut self, chance: f64) -> bool {
        self.faulty() && self.random.random_bool(chance)
    }
}

impl Host {
    /// Takes the store over.
    fn new(seed: u64, now: i64, store: &mut Store) -> Self {
        let snapshot = store.snapshot();
        Self {
            epoch: snapshot.epoch,
            engine: Engine::new(config(seed), Timestamp(now), snapshot),
            running: BTreeMap::new(),
            persisting: false,
            sending: BTreeMap::new(),
        }
    }
}

fn config(seed: u64) -> EngineConfig {
    EngineConfig { events_max: 1_000, edited_max: 2, seed, ..EngineConfig::new(HostId("sim".into())) }
}
