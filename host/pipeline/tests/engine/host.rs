use std::collections::BTreeMap;

use watchbell_contract::{
    AlertText, Duration, Finding, Intent, Label, Receipt, Signal, SignalKind, TextFormat, Timestamp,
};
use watchbell_pipeline::order::{Action, Evaluation, Event, Run};
use watchbell_pipeline::record::{
    Command, CommandId, CommandLog, CommandRecord, Commit, Delivery, EpisodeId, EpisodeRecord, HostId,
    IntentId, IntentRecord, Phase, RuleRecord, Snapshot,
};
use watchbell_pipeline::spec::{
    AlertSpec, CatchUp, DestinationName, DestinationSpec, RuleName, RuleSpec, Step,
};
use watchbell_pipeline::{Engine, EngineConfig};

/// On a round minute.
pub(crate) const START: Timestamp = Timestamp(1_700_000_040_000);

/// What a run finds at an instant.
type Guest = Box<dyn Fn(&Run, Timestamp) -> Vec<Signal>>;

pub(crate) struct Host {
    engine: Engine,
    pub(crate) now: Timestamp,
    guest: Guest,
    pub(crate) destinations: Vec<&'static str>,
    bundles: u32,
    rules: BTreeMap<RuleName, RuleRecord>,
    episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    intents: BTreeMap<IntentId, IntentRecord>,
    /// What people asked for, as it was written.
    pub(crate) log: Vec<CommandRecord>,
    /// Episodes written, each time one was.
    pub(crate) writes: usize,
    pub(crate) received: Vec<(DestinationName, Intent)>,
}

impl Host {
    pub(crate) fn new(guest: impl Fn(&Run, Timestamp) -> Vec<Signal> + 'static) -> Self {
        Self {
            engine: Engine::new(config(), START, Snapshot::default()),
            now: START,
            guest: Box::new(guest),
            destinations: vec!["chat", "mail", "sms"],
            bundles: 0,
            rules: BTreeMap::new(),
            episodes: BTreeMap::new(),
            intents: BTreeMap::new(),
            log: Vec::new(),
            writes: 0,
            received: Vec::new(),
        }
    }

    /// Puts `rule` in force, as SIGHUP does.
    pub(crate) fn deploy(&mut self, rule: &RuleSpec) {
        self.bundles += 1;
        let bundle = Event::Bundle {
            digest: self.bundles.to_string(),
            rules: vec![rule.clone()],
            destinations: self.destinations.iter().map(|name| destination(name)).collect(),
        };
        self.engine.handle(self.now, bundle);
        self.carry_out();
    }

    /// Ends the host and starts another one over what was committed, with `rule` in force.
    pub(crate) fn restart(&mut self, rule: &RuleSpec) {
        let open = |episode: &&EpisodeRecord| !matches!(episode.phase, Phase::Resolved { .. });
        let owed = |intent: &&IntentRecord| {
            matches!(intent.delivery, Delivery::Owed { .. } | Delivery::Claimed { .. })
        };
        let snapshot = Snapshot {
            rules: self.rules.values().cloned().collect(),
            episodes: self.episodes.values().filter(open).cloned().collect(),
            intents: self.intents.values().filter(owed).cloned().collect(),
            commands: CommandLog {
                last: self.log.len() as u64,
                recent: self.log.iter().map(|line| line.id.clone()).collect(),
            },
            ..Snapshot::default()
        };
        self.engine = Engine::new(config(), self.now, snapshot);
        self.deploy(rule);
    }

    /// Ann asks for something.
    pub(crate) fn command(&mut self, id: &str, command: Command) {
        self.engine.handle(self.now, Event::Command { id: CommandId(id.into()), by: "ann".into(), command });
        self.carry_out();
    }

    /// Lets everything happen that is due until `minutes` after the start.
    pub(crate) fn until(&mut self, minutes: u64) {
        self.until_instant(START + Duration::from_mins(minutes));
    }

    pub(crate) fn until_instant(&mut self, to: Timestamp) {
        while let Some(at) = self.engine.next_wakeup().filter(|at| *at <= to) {
            self.now = at.max(self.now);
            self.engine.handle(self.now, Event::Tick);
            self.carry_out();
        }
        self.now = to;
    }

    /// What was received since the last look: minutes after the start, destination, cause.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let of = |(to, intent): (DestinationName, Intent)| format!("{to} {}", intent.cause.as_str());
        std::mem::take(&mut self.received).into_iter().map(of).collect()
    }

    /// What the engine says of the rule, as a person reads it.
    pub(crate) fn explain(&self) -> Vec<String> {
        self.engine.explain(&RuleName("rule".into())).iter().map(ToString::to_string).collect()
    }

    pub(crate) fn open(&self) -> Vec<&EpisodeRecord> {
        self.episodes.values().filter(|episode| !matches!(episode.phase, Phase::Resolved { .. })).collect()
    }

    /// Changes a kept episode as a later version of the host might: takes effect at `restart`.
    pub(crate) fn change_kept(&mut self, change: impl Fn(&mut EpisodeRecord)) {
        self.episodes.values_mut().for_each(change);
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            let event = match action {
                Action::Evaluate(run) => {
                    let signals = (self.guest)(&run, self.now);
                    let finding = Finding { signals, state: Vec::new() };
                    Event::Evaluated {
                        run: run.id,
                        outcome: Ok(Evaluation { finding, ..Evaluation::default() }),
                    }
                }
                Action::Persist(commit) => {
                    let nonce = commit.nonce;
                    self.keep(*commit);
                    Event::Persisted { nonce, written: true }
                }
                Action::Deliver { id, destination, intent } => {
                    self.received.push((destination, *intent));
                    Event::Delivered { intent: id, outcome: Ok(Receipt::default()) }
                }
                Action::Note(_) => continue,
            };
            self.engine.handle(self.now, event);
        }
    }

    fn keep(&mut self, commit: Commit) {
        self.writes += commit.episodes.len();
        self.rules.extend(commit.rules.into_iter().map(|rule| (rule.rule.clone(), rule)));
        commit.rules_ended.iter().for_each(|name| drop(self.rules.remove(name)));
        self.episodes.extend(commit.episodes.into_iter().map(|episode| (episode.id.clone(), episode)));
        self.log.extend(commit.commands);
        self.intents.extend(commit.intents.into_iter().map(|intent| (intent.id.clone(), intent)));
    }
}

fn config() -> EngineConfig {
    EngineConfig {
        jitter_max: Duration::ZERO,
        commit_interval: Duration::ZERO,
        ..EngineConfig::new(HostId("host".into()))
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
    }
}

pub(crate) fn firing(key: &str, at: Timestamp, until: Timestamp, value: f64) -> Signal {
    Signal {
        labels: vec![Label { name: "key".into(), value: Some(key.into()) }],
        at,
        until: Some(until),
        kind: SignalKind::Firing,
        value: Some(value),
        threshold: None,
        summary: format!("{value} events"),
        details: "{}".into(),
        evidence: None,
    }
}
