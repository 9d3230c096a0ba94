use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use watchbell_contract::{Cause, Duration, Intent, Receipt, RecordedCall, Refusal, Timestamp};
use watchbell_pipeline::action::{Action, Note, Run, RunId, TextOrder};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::input::{Evaluation, Input, Persisted};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::{
    BundleRef, Command, CommandId, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, GapReason, GapRecord,
    HostId, IntentId, Nonce, Owned, PartitionId, Phase, Position, StoreMeta,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_pipeline::{Config, Coordinator};
use watchbell_text::Text;

use crate::store::{Store, Under};
use crate::world::{self, Bundle, START, Switch, World};

/// Faults are drawn until here; then the world is well and everything has to come to its end.
const FAULTS_UNTIL: i64 = START + 5_400_000;
pub(crate) const END: i64 = START + 9_000_000;

/// Hosts that are alive at any time.
const HOSTS: usize = 2;

/// A process.
struct Host {
    /// Of all processes there ever were.
    process: u64,
    coordinator: Coordinator,
    /// Under which it took over what it owns, or believes to own.
    epochs: BTreeMap<Owned, Epoch>,
    running: BTreeMap<RunId, (RuleName, Epoch)>,
    persisting: bool,
    /// The last one that it made.
    commit: Option<(Nonce, Under)>,
    sending: BTreeMap<(IntentId, Epoch), Sending>,
    /// Until when receivers asked the notifier of an epoch for a pause.
    pauses: BTreeMap<(Epoch, DestinationName), i64>,
    bundle: Bundle,
    generation: u64,
    /// The generation that the store knew when it took the notifier over: it waits until it has that.
    waits_for: u64,
    /// Since then, it has had the switched rules on.
    knows_switched: bool,
    /// At some time since its last commit, it did not.
    was_ignorant: bool,
    /// Since its last commit.
    is_edited: bool,
}

impl Host {
    /// What it has in force for its next commit.
    fn under(&mut self) -> Under {
        Under {
            edition: self.bundle.edition,
            generation: self.generation,
            is_edited: std::mem::take(&mut self.is_edited),
            knows_switched: !std::mem::replace(&mut self.was_ignorant, !self.knows_switched),
        }
    }
}

struct Sending {
    lane: (String, DestinationName),
    since: i64,
}

/// Ticks of one instant: one for each thing that may be due then, and no more.
const STILL_MAX: u32 = 20;

pub(crate) struct Sim {
    pub(crate) world: World,
    random: StdRng,
    now: i64,
    pub(crate) store: Store,
    hosts: Vec<Host>,
    processes: u64,
    /// Which process owns what, according to the store; a previous owner may not know yet.
    owners: BTreeMap<Owned, u64>,
    /// What will happen, by when, and in which process.
    coming: BTreeMap<(i64, u64), (u64, Coming)>,
    order: u64,
    /// Each intent as its receiver got it, and whether that delivery was flagged.
    pub(crate) received: Vec<(Intent, DestinationName)>,
    lanes: BTreeMap<(String, DestinationName), Timestamp>,
    outage_until: i64,
    /// As it is deployed, and how many were before it; hosts learn of it one after the other.
    bundle: Bundle,
    generation: u64,
    /// Ticks since time last went on.
    still: u32,
    /// How many different ones were asked for.
    commands: u64,
    /// When each came into force at the notifier.
    pub(crate) bundles: Vec<(i64, Bundle)>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crashes: u32,
    /// From hosts that were alive: of partitions, and of the notifier.
    pub(crate) takeovers: u32,
    pub(crate) notifiers_taken: u32,
    /// Transitions that the notifier read from the store, and how often it started over because a partition was lost.
    pub(crate) read: u32,
    pub(crate) retaken: u32,
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
    /// Messages that refer to the first of their episode, and attempts that were given what earlier ones recorded.
    pub(crate) threaded: u32,
    pub(crate) recorded: u32,
    /// Messages that showed whether a pause was over.
    pub(crate) probes: u32,
    /// How often more keys fired than there were places.
    pub(crate) overflows: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.takeovers += other.takeovers;
        self.notifiers_taken += other.notifiers_taken;
        self.read += other.read;
        self.retaken += other.retaken;
        self.flagged_repeats += other.flagged_repeats;
        self.gaps += other.gaps;
        self.edits += other.edits;
        self.switched += other.switched;
        self.spans_off += other.spans_off;
        self.commands += other.commands;
        self.worse += other.worse;
        self.summaries += other.summaries;
        self.threaded += other.threaded;
        self.recorded += other.recorded;
        self.probes += other.probes;
        self.overflows += other.overflows;
    }

    /// A simulator in which nothing goes wrong proves nothing.
    pub(crate) fn check(&self) {
        assert!(self.crashes > 100 && self.flagged_repeats > 10 && self.gaps > 10, "{self:?}");
        assert!(self.takeovers > 100 && self.notifiers_taken > 50, "{self:?}");
        assert!(self.read > 1_000 && self.retaken > 10, "{self:?}");
        assert!(self.edits > 100 && self.worse > 10 && self.summaries > 10, "{self:?}");
        let spans_max = 2 * self.switched as usize;
        assert!(self.switched > 50 && self.spans_off > 10 && self.spans_off < spans_max, "{self:?}");
        assert!(self.commands > 100, "{self:?}");
        assert!(self.overflows > 100, "{self:?}");
        assert!(self.threaded > 1_000 && self.recorded > 1_000, "{self:?}");
        assert!(self.probes > 1_000, "{self:?}");
    }
}

enum Coming {
    Evaluated(Run),
    /// What people are shown of it was fetched.
    Fetched(RunId, Result<Evaluation, RunFault>),
    /// Written at that instant if `write`; acknowledged if `acknowledge`.
    Persisted {
        commit: Box<Commit>,
        under: Under,
        write: bool,
        acknowledge: bool,
    },
    /// The bundle of that generation reaches the host.
    Bundle(u64, Bundle),
    Read(Vec<Position>),
    Retake(Epoch),
    Rendered(TextOrder, Epoch, Result<Text, String>),
    Delivered {
        id: IntentId,
        epoch: Epoch,
        outcome: Result<Receipt, Refusal>,
        recorded: Vec<RecordedCall>,
    },
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let mut sim = Self {
            world: World::new(seed),
            random: StdRng::seed_from_u64(seed),
            now: START,
            store: Store::default(),
            hosts: Vec::new(),
            processes: 0,
            owners: BTreeMap::new(),
            coming: BTreeMap::new(),
            order: 0,
            received: Vec::new(),
            lanes: BTreeMap::new(),
            outage_until: 0,
            bundle: Bundle { edition: 0, switch: Switch::On },
            generation: 1,
            still: 0,
            commands: 0,
            bundles: Vec::new(),
            tally: Tally::default(),
        };
        (0..HOSTS).for_each(|_| sim.begin());
        everything().for_each(|what| sim.give_anybody(what));
        sim
    }

    pub(crate) fn run(mut self) -> Tally {
        while self.now < END {
            self.step();
        }
        self.check_end();
        self.check_growth();
        self.check_hours();
        self.check_flood();
        self.tally.overflows = self.store.overflows;
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

    /// Carries out everything that is ordered, then lets the next thing happen. May crash in between.
    fn step(&mut self) {
        let mut index = 0;
        while index < self.hosts.len() {
            if self.faulty() && self.random.random_bool(0.001) {
                return self.crash();
            }
            match self.hosts[index].coordinator.poll_action() {
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
        let wakeups = wakeups.filter_map(|(index, host)| Some((host.coordinator.next_wakeup()?.0, index)));
        let (wakeup, index) = wakeups.min().unwrap_or((END, 0));
        let first = self.coming.keys().next().copied();
        match first {
            Some((at, _)) if at <= wakeup => {
                self.now = self.now.max(at);
                let (process, coming) = first.and_then(|key| self.coming.remove(&key)).expect("it was there");
                self.happen(process, coming);
            }
            _ => {
                // A tick that changes nothing and asks for another at once would never end.
                self.still = if wakeup > self.now { 0 } else { self.still + 1 };
                assert!(self.still < STILL_MAX, "time stands still at {}", self.now);
                self.now = self.now.max(wakeup);
                self.hosts[index].coordinator.handle(Timestamp(self.now), Input::Tick);
            }
        }
    }

    fn owns(&self, index: usize, what: Owned) -> bool {
        self.owners.get(&what) == Some(&self.hosts[index].process)
    }

    fn carry_out(&mut self, index: usize, action: Action) {
        let process = self.hosts[index].process;
        match action {
            Action::Evaluate(run) => self.start_run(index, run),
            Action::Persist(commit) => {
                let host = &mut self.hosts[index];
                assert!(!std::mem::replace(&mut host.persisting, true), "two writes at once");
                // A commit that is repeated is what it was.
                let under = match host.commit {
                    Some((nonce, under)) if nonce == commit.nonce => under,
                    _ => host.under(),
                };
                host.commit = Some((commit.nonce, under));
                let (write, acknowledge) = match self.fault(0.1) {
                    true => (self.random.random_bool(0.5), false),
                    false => (true, true),
                };
                let took = self.random.random_range(0..50);
                self.later(process, took, Coming::Persisted { commit, under, write, acknowledge });
            }
            Action::ReadTransitions(after) => {
                let took = self.random.random_range(0..100);
                self.later(process, took, Coming::Read(after));
            }
            Action::RetakeNotifier { seen } => {
                let took = self.random.random_range(0..100);
                self.later(process, took, Coming::Retake(seen));
            }
            Action::Render { order, epoch, job } => {
                let outcome = match self.fault(0.05) {
                    true => Err("it took too long".to_owned()),
                    false => Ok(job.render().text),
                };
                let took = self.random.random_range(0..if self.faulty() { 500 } else { 5 });
                self.later(process, took, Coming::Rendered(order, epoch, outcome));
            }
            Action::Deliver { id, epoch, destination, intent, .. } => {
                self.deliver(index, (id, epoch), destination, *intent);
            }
            Action::Note(note) => {
                if let Note::DeadLetter { .. } = note {
                    panic!("nothing is undeliverable here: {note:?}");
                }
            }
        }
    }

    fn start_run(&mut self, index: usize, run: Run) {
        let partition = Owned::Partition(PartitionId::of(&run.rule, world::PARTITIONS));
        if self.owns(index, partition) {
            self.store.check_run(&run);
        }
        let host = &mut self.hosts[index];
        let (process, epoch) = (host.process, host.epochs[&partition]);
        let is_same = |(rule, of): &(RuleName, Epoch)| *rule == run.rule && *of == epoch;
        assert!(!host.running.values().any(is_same), "two runs of {}", run.rule);
        assert!(run.window.start <= run.window.settled && run.window.settled <= run.window.end);
        assert!(run.window.end.0 <= self.now - 10_000, "a window that ends too late");
        let length = run.window.end.0 - run.window.start.0;
        assert_eq!(length % run.grid.0 as i64, 0, "whole steps of the grid");
        host.running.insert(run.id, (run.rule.clone(), epoch));
        let slow = run.rule.0 == "level" && self.faulty();
        let took = self.random.random_range(5..if slow { 90_000 } else { 2_000 });
        self.later(process, took, Coming::Evaluated(run));
    }

    fn deliver(
        &mut self,
        index: usize,
        (id, epoch): (IntentId, Epoch),
        destination: DestinationName,
        intent: Intent,
    ) {
        let is_owner = self.owns(index, Owned::Notifier);
        let host = &mut self.hosts[index];
        let process = host.process;
        let claim = (id.clone(), epoch, intent.attempt);
        assert!(self.store.claims.contains(&claim), "nothing is sent that no commit holds: {intent:?}");
        let kept = &self.store.intents[&id];
        let lane = (intent.episode.clone(), destination.clone());
        let sending = || host.sending.iter().filter(|((_, of), _)| *of == epoch).map(|(_, it)| &it.lane);
        assert!(!sending().any(|other| *other == lane), "two messages of a lane at once");
        let here = sending().filter(|(_, other)| *other == destination).count();
        assert!(here < if destination.0 == "chat" { 2 } else { 1 }, "too many at {destination}");
        if let Some(until) = host.pauses.get(&(epoch, destination.clone())) {
            assert!(*until <= self.now && here == 0, "{destination} asked for a pause until {until}");
            self.tally.probes += 1;
        }
        host.sending.insert((id.clone(), epoch), Sending { lane: lane.clone(), since: self.now });
        if is_owner {
            assert!(matches!(kept.delivery, Delivery::Claimed { .. }), "sent while {:?}", kept.delivery);
            let last = self.lanes.entry(lane).or_insert(kept.created_at);
            assert!(*last <= kept.created_at, "a lane's order");
            *last = kept.created_at;
            let previous = intent.previous.as_ref().map(|receipt| receipt.reference.as_deref());
            assert_eq!(previous, self.store.first_reference(kept), "the first receipt: {intent:?}");
            assert_eq!(intent.recorded, kept.recorded, "what the claim holds: {intent:?}");
            self.tally.threaded += u32::from(previous.is_some());
            self.tally.recorded += u32::from(!intent.recorded.is_empty());
        }
        let (attempt, mut recorded) = (intent.attempt, Vec::new());
        let outcome = if self.fault(0.2) {
            let retry_after = self.random.random_bool(0.3).then_some(Duration::from_secs(30));
            // One request more is accepted in each attempt.
            recorded.push(RecordedCall { number: attempt - 1, status: 200, headers: vec![], body: vec![] });
            Err(Refusal::Unavailable { reason: "503".into(), retry_after })
        } else {
            // The old owner sends what it had claimed, unaware of the takeover; the new owner flags its own.
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
                self.order += 1;
                Ok(Receipt { reference: Some(self.order.to_string()) })
            }
        };
        let took = self.random.random_range(1..3_000);
        self.later(process, took, Coming::Delivered { id, epoch, outcome, recorded });
    }

    fn happen(&mut self, process: u64, coming: Coming) {
        let now = Timestamp(self.now);
        let Some(index) = self.hosts.iter().position(|host| host.process == process) else { return };
        let input = match coming {
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
                    self.later(process, took, Coming::Fetched(run.id, outcome));
                    return self.hosts[index].coordinator.handle(now, Input::Judged { run: run.id });
                }
                self.hosts[index].running.remove(&run.id);
                Input::Evaluated { run: run.id, outcome }
            }
            Coming::Fetched(run, outcome) => {
                self.hosts[index].running.remove(&run);
                Input::Evaluated { run, outcome }
            }
            Coming::Persisted { commit, under, write, acknowledge } => {
                let lost = if write { self.store.apply(&commit, under) } else { Vec::new() };
                self.hosts[index].persisting = false;
                let outcome = if acknowledge { Persisted::Written { lost } } else { Persisted::Unknown };
                Input::Persisted { nonce: commit.nonce, outcome }
            }
            Coming::Bundle(generation, bundle) => return self.put_in_force(index, generation, bundle),
            Coming::Read(after) => {
                let found = if self.fault(0.1) { Vec::new() } else { self.store.read(&after, 3) };
                self.tally.read += found.len() as u32;
                Input::Transitions(found)
            }
            Coming::Rendered(order, epoch, outcome) => Input::Rendered { order, epoch, outcome },
            Coming::Retake(seen) => {
                let snapshot = self.store.take_notifier(&name(process), Some(seen));
                // Somebody else was faster.
                let Some(snapshot) = snapshot else { return };
                self.tally.retaken += 1;
                self.hosts[index].epochs.insert(Owned::Notifier, snapshot.tenure.epoch);
                self.hosts[index].waits_for = snapshot.generation;
                self.hosts[index].knows_switched = false;
                self.note_bundle(index);
                Input::NotifierTaken(snapshot)
            }
            Coming::Delivered { id, epoch, outcome, recorded } => {
                let host = &mut self.hosts[index];
                if let Some(Sending { lane, since }) = host.sending.remove(&(id.clone(), epoch)) {
                    let of = (epoch, lane.1);
                    match &outcome {
                        Err(Refusal::Unavailable { retry_after: Some(pause), .. }) => {
                            let until = host.pauses.entry(of).or_insert(i64::MIN);
                            *until = (*until).max((now + *pause).0);
                        }
                        Ok(_) if host.pauses.get(&of).is_some_and(|until| since >= *until) => {
                            host.pauses.remove(&of);
                        }
                        _ => {}
                    }
                }
                Input::Delivered { intent: id, epoch, outcome, recorded }
            }
        };
        self.hosts[index].coordinator.handle(now, input);
    }

    /// A process is gone. What it was writing was written or not; what it owned is taken over by anybody.
    fn crash(&mut self) {
        self.tally.crashes += 1;
        let index = self.random.random_range(0..HOSTS);
        let process = self.hosts.remove(index).process;
        let gone = self.coming.extract_if(.., |_, (of, _)| *of == process);
        for (_, coming) in gone.map(|(_, coming)| coming).collect::<Vec<_>>() {
            if let Coming::Persisted { commit, under, write: true, .. } = coming
                && self.random.random_bool(0.5)
            {
                self.store.apply(&commit, under);
            }
        }
        // At times, both are gone for a while.
        if self.random.random_bool(0.1) {
            let other = self.hosts.remove(0).process;
            self.coming.retain(|_, (of, _)| *of != other);
            self.now += self.random.random_range(100..1_800_000);
            self.begin();
        } else {
            self.now += self.random.random_range(100..5_000);
        }
        if self.random.random_bool(0.2) {
            self.bundle.edition = self.random.random_range(0..world::EDITIONS);
            self.generation += 1;
            self.deploy(5_000);
        }
        self.begin();
        let alive: Vec<u64> = self.hosts.iter().map(|host| host.process).collect();
        for what in everything().filter(|what| !alive.contains(&self.owners[what])).collect::<Vec<_>>() {
            self.give_anybody(what);
        }
    }

    /// A process takes something over, while the one that owns it is alive and works on.
    fn take_over(&mut self) {
        let all: Vec<Owned> = everything().collect();
        let what = all[self.random.random_range(0..all.len())];
        self.tally.takeovers += u32::from(what != Owned::Notifier);
        self.tally.notifiers_taken += u32::from(what == Owned::Notifier);
        let other = self.hosts.iter().position(|host| self.owners.get(&what) != Some(&host.process));
        self.give(what, other.expect("two hosts"));
    }

    fn give_anybody(&mut self, what: Owned) {
        let index = self.random.random_range(0..HOSTS);
        self.give(what, index);
    }

    fn give(&mut self, what: Owned, index: usize) {
        // What it ordered as the owner of before, it ordered under that epoch.
        while let Some(action) = self.hosts[index].coordinator.poll_action() {
            self.carry_out(index, action);
        }
        let process = self.hosts[index].process;
        let owner = name(process);
        let (epoch, generation, input) = match what {
            Owned::Partition(id) => {
                let snapshot = self.store.take_partition(id, &owner);
                (snapshot.tenure.epoch, snapshot.generation, Input::PartitionTaken(snapshot))
            }
            Owned::Notifier => {
                let snapshot = self.store.take_notifier(&owner, None).expect("no condition");
                (snapshot.tenure.epoch, snapshot.generation, Input::NotifierTaken(snapshot))
            }
        };
        self.owners.insert(what, process);
        self.hosts[index].epochs.insert(what, epoch);
        if what == Owned::Notifier {
            self.hosts[index].waits_for = generation;
            self.hosts[index].knows_switched = false;
            self.note_bundle(index);
        }
        self.hosts[index].coordinator.handle(Timestamp(self.now), input);
    }

    /// A process starts with the bundle that is deployed, and owns nothing.
    fn begin(&mut self) {
        self.processes += 1;
        let (process, now) = (self.processes, Timestamp(self.now));
        let config = Config {
            events_max: 1_000,
            edited_max: 2,
            partitions: world::PARTITIONS,
            seed: self.random.random(),
            ..Config::new(name(process))
        };
        self.hosts.push(Host {
            process,
            coordinator: Coordinator::new(config, now, StoreMeta::default()),
            epochs: BTreeMap::new(),
            running: BTreeMap::new(),
            persisting: false,
            commit: None,
            sending: BTreeMap::new(),
            pauses: BTreeMap::new(),
            bundle: self.bundle,
            generation: 0,
            waits_for: 0,
            knows_switched: false,
            was_ignorant: true,
            is_edited: false,
        });
        self.put_in_force(self.hosts.len() - 1, self.generation, self.bundle);
    }

    /// The bundle reaches every host within `span`.
    fn deploy(&mut self, span: i64) {
        let processes: Vec<u64> = self.hosts.iter().map(|host| host.process).collect();
        for process in processes {
            let after = self.random.random_range(0..span);
            self.later(process, after, Coming::Bundle(self.generation, self.bundle));
        }
    }

    fn put_in_force(&mut self, index: usize, generation: u64, bundle: Bundle) {
        let host = &mut self.hosts[index];
        if generation < host.generation {
            return;
        }
        (host.generation, host.bundle, host.is_edited) = (generation, bundle, true);
        self.note_bundle(index);
        let input = Input::Bundle {
            bundle: BundleRef { digest: bundle.digest(), generation },
            rules: bundle.rules(),
            destinations: world::destinations(),
            holds: HoldsSpec::default(),
        };
        self.hosts[index].coordinator.handle(Timestamp(self.now), input);
    }

    /// Which bundle the notifier decides by from now on.
    fn note_bundle(&mut self, index: usize) {
        if self.owns(index, Owned::Notifier) {
            let host = &mut self.hosts[index];
            if host.generation < host.waits_for {
                return;
            }
            self.bundles.push((self.now, host.bundle));
            host.is_edited = true;
            host.knows_switched |= host.bundle.switch == Switch::On;
            host.was_ignorant |= !host.knows_switched;
        }
    }

    /// Somebody edits the rules and deploys them.
    fn edit(&mut self) {
        self.tally.edits += 1;
        self.bundle.edition = self.random.random_range(0..world::EDITIONS);
        self.generation += 1;
        self.deploy(5_000);
    }

    /// Somebody asks for something about an open episode, or asks once more because nobody answered.
    fn command(&mut self) {
        // What `shift` announces is held against its hours alone.
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
        let now = Timestamp(self.now);
        let index = (0..HOSTS).find(|index| self.owns(*index, Owned::Notifier)).expect("an owner");
        self.hosts[index].coordinator.handle(now, Input::Command { id, by: "ann".into(), command });
    }

    /// Some rules are switched off, or on again.
    fn switch(&mut self) {
        self.bundle.switch = match self.bundle.switch {
            Switch::On if self.random.random_bool(0.5) => Switch::Gone,
            Switch::On => Switch::Disabled,
            Switch::Disabled | Switch::Gone => Switch::On,
        };
        self.tally.switched += u32::from(self.bundle.switch == Switch::On);
        self.generation += 1;
        self.deploy(5_000);
    }

    fn later(&mut self, process: u64, after: i64, coming: Coming) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), (process, coming));
    }

    fn faulty(&self) -> bool {
        self.now < FAULTS_UNTIL
    }

    fn fault(&mut self, chance: f64) -> bool {
        self.faulty() && self.random.random_bool(chance)
    }
}

/// What there is to own.
fn everything() -> impl Iterator<Item = Owned> {
    let partitions = (0..world::PARTITIONS).map(|id| Owned::Partition(PartitionId(id)));
    partitions.chain([Owned::Notifier])
}

fn name(process: u64) -> HostId {
    HostId(format!("process {process}"))
}
