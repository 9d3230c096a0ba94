use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchbell_contract::{
    AlertText, Duration, Finding, Intent, Label, Receipt, RecordedCall, Refusal, Signal, SignalKind,
    TextFormat, Timestamp,
};
use watchbell_pipeline::action::{Action, Note, Run};
use watchbell_pipeline::fault::RunFault;
use watchbell_pipeline::input::{Evaluation, Input, Persisted};
use watchbell_pipeline::limit::Limit;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::{
    BundleRef, Command, CommandId, CommandRecord, Commit, Delivery, EpisodeRecord, HostId, IntentId,
    IntentRecord, NotifierCommit, Phase, SilenceId,
};
use watchbell_pipeline::spec::{
    AlertSpec, CatchUp, DestinationName, DestinationSpec, RuleName, RuleSpec, Step,
};
use watchbell_pipeline::{Config, Coordinator, RuleStatus};
use watchbell_store::{Memory, Read as _, Store};

/// On a round minute.
pub(crate) const START: Timestamp = Timestamp(1_700_000_040_000);

/// What a run finds at an instant.
type Guest = Box<dyn Fn(&Run, Timestamp) -> Vec<Signal>>;

type Fault = Box<dyn Fn(&Run) -> Option<RunFault>>;

pub(crate) struct Host {
    coordinator: Coordinator,
    pub(crate) now: Timestamp,
    guest: Guest,
    pub(crate) destinations: Vec<&'static str>,
    pub(crate) holds: HoldsSpec,
    /// Of destinations that have one.
    pub(crate) limits: BTreeMap<&'static str, Limit>,
    pub(crate) fallbacks: BTreeMap<&'static str, &'static str>,
    /// After which a message is a dead letter.
    pub(crate) deadline: Duration,
    bundles: u64,
    store: Memory,
    accepted: u32,
    /// Episodes written, each time one was.
    pub(crate) writes: usize,
    pub(crate) inbox: Vec<(DestinationName, Intent)>,
    /// Why a run fails, if it does.
    pub(crate) fault: Fault,
    /// Why no text can be rendered, if none can.
    pub(crate) no_text: Option<String>,
    /// Fields that every run finds in no mapping.
    pub(crate) unmapped: Vec<String>,
    pub(crate) notes: Vec<Note>,
    /// Destinations that refuse whatever comes.
    pub(crate) refused: BTreeSet<&'static str>,
    /// Why they do.
    pub(crate) reason: String,
    /// Destinations that accept these requests of a message, and not the next.
    pub(crate) unavailable: BTreeMap<&'static str, Vec<RecordedCall>>,
    /// What was tried at the destinations that did not accept it.
    pub(crate) tried: Vec<(DestinationName, Intent)>,
}

impl Host {
    pub(crate) fn new(guest: impl Fn(&Run, Timestamp) -> Vec<Signal> + 'static) -> Self {
        let mut store = Memory::new();
        Self {
            coordinator: take_over(&mut store, START),
            now: START,
            guest: Box::new(guest),
            destinations: vec!["chat", "mail", "sms"],
            holds: HoldsSpec::default(),
            limits: BTreeMap::new(),
            fallbacks: BTreeMap::new(),
            deadline: Duration::from_hours(24),
            bundles: 0,
            store,
            accepted: 0,
            writes: 0,
            inbox: Vec::new(),
            fault: Box::new(|_| None),
            no_text: None,
            unmapped: Vec::new(),
            notes: Vec::new(),
            refused: BTreeSet::new(),
            reason: "no".into(),
            unavailable: BTreeMap::new(),
            tried: Vec::new(),
        }
    }

    /// Puts `rule` in force, as SIGHUP does.
    pub(crate) fn deploy(&mut self, rule: &RuleSpec) {
        self.bundles += 1;
        let bundle = Input::Bundle {
            bundle: BundleRef { digest: self.bundles.to_string(), generation: self.bundles },
            rules: vec![Arc::new(rule.clone())],
            destinations: self.destinations.iter().map(|name| self.destination(name)).collect(),
            holds: self.holds.clone(),
        };
        self.coordinator.handle(self.now, bundle);
        self.carry_out();
    }

    fn destination(&self, name: &str) -> DestinationSpec {
        DestinationSpec {
            limit: self.limits.get(name).cloned(),
            fallback: self.fallbacks.get(name).map(|to| DestinationName((*to).into())),
            deadline: self.deadline,
            ..destination(name)
        }
    }

    /// Ends the host and starts another one over what was committed, with `rule` in force.
    pub(crate) fn restart(&mut self, rule: &RuleSpec) {
        self.coordinator = take_over(&mut self.store, self.now);
        self.deploy(rule);
    }

    /// Ann asks for something.
    pub(crate) fn command(&mut self, id: &str, command: Command) {
        let id = CommandId(id.into());
        self.coordinator.handle(self.now, Input::Command { id, by: "ann".into(), command });
        self.carry_out();
    }

    /// What people asked for, as it was written.
    pub(crate) fn log(&self) -> Vec<&CommandRecord> {
        self.store.commands().collect()
    }

    /// Lets everything happen that is due until `minutes` after the start.
    pub(crate) fn until(&mut self, minutes: u64) {
        self.until_instant(START + Duration::from_mins(minutes));
    }

    pub(crate) fn until_instant(&mut self, to: Timestamp) {
        while let Some(at) = self.coordinator.next_wakeup().filter(|at| *at <= to) {
            self.now = at.max(self.now);
            self.coordinator.handle(self.now, Input::Tick);
            self.carry_out();
        }
        self.now = to;
    }

    /// What was received since the last look: minutes after the start, destination, cause.
    pub(crate) fn received(&mut self) -> Vec<String> {
        let of = |(to, intent): (DestinationName, Intent)| format!("{to} {}", intent.cause.as_str());
        std::mem::take(&mut self.inbox).into_iter().map(of).collect()
    }

    /// What is received minute by minute: the minute, the destination and the cause. With `restarts`, another host takes
    /// over after each.
    pub(crate) fn minute_by_minute(
        &mut self,
        rule: &RuleSpec,
        minutes: std::ops::Range<u64>,
        restarts: bool,
    ) -> Vec<String> {
        let mut told = Vec::new();
        for minute in minutes {
            self.until(minute);
            told.extend(self.received().into_iter().map(|line| format!("{minute} {line}")));
            if restarts {
                self.restart(rule);
            }
        }
        told
    }

    /// What it says of the rule, as a person reads it.
    pub(crate) fn explain(&self) -> Vec<String> {
        self.coordinator.explain(&RuleName("rule".into())).iter().map(ToString::to_string).collect()
    }

    pub(crate) fn status(&self) -> RuleStatus {
        self.coordinator.rule(&RuleName("rule".into())).expect("it is deployed")
    }

    pub(crate) fn open(&self) -> Vec<&EpisodeRecord> {
        self.store.episodes().filter(|episode| !matches!(episode.phase, Phase::Resolved { .. })).collect()
    }

    /// The silences in the store, first made first.
    pub(crate) fn silences(&self) -> Vec<SilenceId> {
        let mut silences = self.store.silences().expect("memory");
        silences.sort_by_key(|silence| silence.at);
        silences.into_iter().map(|silence| silence.id).collect()
    }

    /// The episodes in the store.
    pub(crate) fn all(&self) -> Vec<&EpisodeRecord> {
        self.store.episodes().collect()
    }

    /// The messages in the store.
    pub(crate) fn stored(&self) -> Vec<&IntentRecord> {
        self.store.intents()
    }

    pub(crate) fn dead_letters(&self) -> Vec<IntentId> {
        let dead = |intent: &&&IntentRecord| matches!(intent.delivery, Delivery::Dead { .. });
        self.store.intents().iter().filter(dead).map(|intent| intent.id.clone()).collect()
    }

    /// Changes the kept episodes as another version of the host might have: takes effect at `restart`.
    pub(crate) fn change_kept(&mut self, change: impl Fn(&mut EpisodeRecord)) {
        let owner = HostId("other".into());
        let tenure = self.store.take_notifier(&owner, None).expect("memory").tenure;
        let mut episodes: Vec<EpisodeRecord> = self.store.episodes().cloned().collect();
        episodes.iter_mut().for_each(change);
        let notifier = Some(NotifierCommit { tenure, episodes, ..NotifierCommit::default() });
        let lost = self.store.commit(&Commit { notifier, ..Commit::default() }).expect("memory");
        assert!(lost.is_empty());
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.coordinator.poll_action() {
            let input = match action {
                Action::Evaluate(run) => {
                    let signals = (self.guest)(&run, self.now);
                    let finding = Finding { signals, state: Vec::new() };
                    let unmapped = self.unmapped.clone();
                    let outcome = match (self.fault)(&run) {
                        Some(fault) => Err(fault),
                        None => Ok(Evaluation { finding, unmapped, ..Evaluation::default() }),
                    };
                    Input::Evaluated { run: run.id, outcome }
                }
                Action::Persist(commit) => {
                    let notifier = commit.notifier.as_ref();
                    self.writes += notifier.map_or(0, |part| part.episodes.len());
                    let lost = self.store.commit(&commit).expect("memory");
                    Input::Persisted { nonce: commit.nonce, outcome: Persisted::Written { lost } }
                }
                Action::Render { order, epoch, job } => {
                    let outcome = match &self.no_text {
                        Some(why) => Err(why.clone()),
                        None => Ok(job.render().text),
                    };
                    Input::Rendered { order, epoch, outcome }
                }
                Action::Deliver { id, epoch, destination, intent, .. } => {
                    let recorded = self.unavailable.get(destination.0.as_str()).cloned();
                    let outcome = if self.refused.contains(destination.0.as_str()) {
                        self.tried.push((destination, *intent));
                        Err(Refusal::Refused(self.reason.clone()))
                    } else if recorded.is_some() {
                        self.tried.push((destination, *intent));
                        Err(Refusal::Unavailable { reason: "503".into(), retry_after: None })
                    } else {
                        self.accepted += 1;
                        let reference = Some(format!("{destination} {}", self.accepted));
                        self.inbox.push((destination, *intent));
                        Ok(Receipt { reference })
                    };
                    let recorded = recorded.unwrap_or_default();
                    Input::Delivered { intent: id, epoch, outcome, recorded }
                }
                Action::ReadTransitions(_) | Action::RetakeNotifier { .. } => {
                    panic!("one host owns everything: {action:?}")
                }
                Action::Note(note) => {
                    self.notes.push(note);
                    continue;
                }
            };
            self.coordinator.handle(self.now, input);
        }
    }
}

fn take_over(store: &mut Memory, now: Timestamp) -> Coordinator {
    let config = config();
    let holdings = store.take_all(&config.host).expect("memory");
    Coordinator::owning(config, now, holdings)
}

fn config() -> Config {
    Config {
        jitter_max: Duration::ZERO,
        commit_interval: Duration::ZERO,
        ..Config::new(HostId("host".into()))
    }
}

fn destination(name: &str) -> DestinationSpec {
    DestinationSpec {
        name: DestinationName(name.into()),
        text: AlertText { format: TextFormat::Plain, styles: true, title_max: 100, body_max: 4_000 },
        retry_first: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        deadline: Duration::from_hours(24),
        concurrency: 8,
        limit: None,
        fallback: None,
    }
}

/// Every minute, of severity `warning`, without a delay.
pub(crate) fn rule(steps: Vec<Step>) -> RuleSpec {
    RuleSpec {
        delay: Duration::ZERO,
        catch_up: CatchUp::All,
        alert: AlertSpec {
            title: "{{ value }}".into(),
            body: "{{ summary }}".into(),
            steps,
            ..AlertSpec::default()
        },
        ..RuleSpec::every("rule", Duration::from_mins(1))
    }
}

/// A step `minutes` after the opening.
pub(crate) fn step(minutes: u64, to: &[&str]) -> Step {
    Step {
        after: Duration::from_mins(minutes),
        to: to.iter().map(|name| DestinationName((*name).into())).collect(),
        unless_acknowledged: false,
        severity: None,
        when: None,
    }
}

pub(crate) fn firing(key: &str, at: Timestamp, until: Timestamp, value: f64) -> Signal {
    Signal {
        labels: vec![Label { name: "key".into(), value: Some(key.into()) }],
        at,
        until: Some(until),
        kind: SignalKind::Firing,
        identity: None,
        value: Some(value),
        threshold: None,
        summary: format!("{value} events"),
        details: "{}".into(),
        evidence: None,
    }
}
