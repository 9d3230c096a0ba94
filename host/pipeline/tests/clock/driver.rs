use std::collections::VecDeque;
use std::sync::Arc;

use watchbell_contract::{
    AlertText, Duration, Finding, Intent, Label, Receipt, Signal, SignalKind, TextFormat, Timestamp, Window,
};
use watchbell_pipeline::action::{Action, Purpose, Run};
use watchbell_pipeline::input::{Evaluation, Input, Persisted};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::{BundleRef, GapRecord, HostId, RuleRecord};
use watchbell_pipeline::spec::{AlertSpec, DestinationName, DestinationSpec, RuleSpec, Schedule, Step};
use watchbell_pipeline::{Config, Coordinator};
use watchbell_store::{Memory, Store};

type Finds = Box<dyn Fn(&Run, Timestamp) -> Vec<Signal>>;

pub(crate) struct Driver {
    coordinator: Coordinator,
    bundles: u64,
    now: Timestamp,
    bundle: Vec<RuleSpec>,
    finds: Finds,
    store: Memory,
    pub(crate) windows: Vec<Judged>,
    received: Vec<(Timestamp, Intent)>,
    pub(crate) bodies: Vec<String>,
    /// The index has no documents.
    pub(crate) is_silent: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) began: Timestamp,
    pub(crate) window: Window,
    pub(crate) grid: Duration,
    pub(crate) is_live: bool,
}

impl Driver {
    pub(crate) fn new(from: &str, rules: Vec<RuleSpec>) -> Self {
        let now = at(from);
        let mut store = Memory::new();
        let mut driver = Self {
            coordinator: take_over(&mut store, now),
            bundles: 0,
            now,
            bundle: rules.clone(),
            finds: Box::new(|_, _| Vec::new()),
            store,
            windows: Vec::new(),
            received: Vec::new(),
            bodies: Vec::new(),
            is_silent: false,
        };
        driver.bundle(rules);
        driver
    }

    pub(crate) fn finds(&mut self, finds: impl Fn(&Run, Timestamp) -> Vec<Signal> + 'static) {
        self.finds = Box::new(finds);
    }

    pub(crate) fn bundle(&mut self, rules: Vec<RuleSpec>) {
        self.bundle = rules.clone();
        self.bundles += 1;
        let bundle = BundleRef { digest: self.bundles.to_string(), generation: self.bundles };
        let rules = rules.into_iter().map(Arc::new).collect();
        self.handle(Input::Bundle {
            bundle,
            rules,
            destinations: vec![destination()],
            holds: HoldsSpec::default(),
        });
    }

    /// As a process that ends and begins again with what is stored.
    pub(crate) fn restart(&mut self) {
        self.coordinator = take_over(&mut self.store, self.now);
        self.bundle(self.bundle.clone());
    }

    pub(crate) fn until(&mut self, end: &str) {
        let end = at(end);
        self.settle();
        while let Some(wakeup) = self.coordinator.next_wakeup().filter(|wakeup| *wakeup <= end) {
            assert!(wakeup >= self.now, "time goes back");
            self.now = wakeup;
            self.handle(Input::Tick);
            self.settle();
        }
        self.now = end;
    }

    /// When each run began, and what it judged.
    pub(crate) fn runs(&self) -> Vec<String> {
        let line = |run: &Judged| {
            let Window { start, settled, end } = run.window;
            let purpose = if run.is_live { "live" } else { "priming" };
            format!(
                "{} {purpose} {}..{} settled {}",
                short(run.began),
                short(start),
                short(end),
                short(settled)
            )
        };
        self.windows.iter().map(line).collect()
    }

    /// When each message came, why, and its summary.
    pub(crate) fn sent(&self) -> Vec<String> {
        let line = |(at, intent): &(Timestamp, Intent)| {
            format!("{} {} {}", short(*at), intent.cause.as_str(), intent.summary)
        };
        self.received.iter().map(line).collect()
    }

    fn handle(&mut self, input: Input) {
        self.coordinator.handle(self.now, input);
    }

    fn settle(&mut self) {
        let mut inputs = VecDeque::new();
        loop {
            while let Some(action) = self.coordinator.poll_action() {
                match action {
                    Action::Evaluate(run) => {
                        self.windows.push(Judged {
                            began: self.now,
                            window: run.window,
                            grid: run.grid,
                            is_live: run.purpose == Purpose::Live,
                        });
                        let signals = (self.finds)(&run, self.now);
                        let finding = Finding { signals, state: vec![1] };
                        // As the host asks: of new time only.
                        let no_data = self.is_silent && run.judged < run.window.end;
                        let outcome = Ok(Evaluation { finding, no_data, ..Evaluation::default() });
                        inputs.push_back(Input::Evaluated { run: run.id, outcome });
                    }
                    Action::Persist(commit) => {
                        let lost = self.store.commit(&commit).unwrap();
                        let outcome = Persisted::Written { lost };
                        inputs.push_back(Input::Persisted { nonce: commit.nonce, outcome });
                    }
                    Action::Render { order, epoch, job } => {
                        let text = job.render().text;
                        inputs.push_back(Input::Rendered { order, epoch, outcome: Ok(text) });
                    }
                    Action::Deliver { id, epoch, intent, .. } => {
                        self.bodies.push(intent.body.clone());
                        self.received.push((self.now, *intent));
                        inputs.push_back(Input::Delivered {
                            intent: id,
                            epoch,
                            outcome: Ok(Receipt::default()),
                            recorded: Vec::new(),
                        });
                    }
                    Action::ReadTransitions(_) | Action::RetakeNotifier { .. } => {
                        panic!("one host owns everything: {action:?}")
                    }
                    Action::Note(_) => {}
                }
            }
            let Some(input) = inputs.pop_front() else { return };
            self.handle(input);
        }
    }

    pub(crate) fn rules(&self) -> Vec<&RuleRecord> {
        self.store.rules().collect()
    }

    pub(crate) fn gaps(&self) -> &[GapRecord] {
        self.store.gaps()
    }
}

fn take_over(store: &mut Memory, now: Timestamp) -> Coordinator {
    let config = config();
    let holdings = store.take_all(&config.host).unwrap();
    Coordinator::owning(config, now, holdings)
}

/// Runs every `every`, and checks as often.
pub(crate) fn rule(every: Duration) -> RuleSpec {
    let step = Step {
        after: Duration::ZERO,
        to: vec![DestinationName("chat".into())],
        unless_acknowledged: false,
        severity: None,
        when: None,
    };
    RuleSpec {
        window_max: Duration::from_hours(24),
        alert: AlertSpec { body: "{{ summary }}".into(), steps: vec![step], ..AlertSpec::default() },
        ..RuleSpec::every("rule", every)
    }
}

pub(crate) fn cron(expression: &str, timezone: &str, grid: Duration) -> RuleSpec {
    let schedule = Schedule::Cron { expression: expression.into(), timezone: timezone.into() };
    RuleSpec { schedule, grid, ..rule(Duration::from_mins(1)) }
}

pub(crate) fn event(at: Timestamp, summary: &str) -> Signal {
    Signal {
        labels: Vec::new(),
        at,
        until: None,
        kind: SignalKind::Event,
        identity: None,
        value: None,
        threshold: None,
        summary: summary.into(),
        details: "{}".into(),
        evidence: None,
    }
}

pub(crate) fn firing(at: Timestamp, until: Timestamp) -> Signal {
    let labels = vec![Label { name: "host".into(), value: Some("a".into()) }];
    Signal { labels, until: Some(until), kind: SignalKind::Firing, ..event(at, "level") }
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Without year, to the second.
fn short(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()[5..19].to_owned()
}

fn config() -> Config {
    Config { jitter_max: Duration::ZERO, commit_interval: Duration::ZERO, ..Config::new(HostId("h".into())) }
}

fn destination() -> DestinationSpec {
    DestinationSpec {
        name: DestinationName("chat".into()),
        text: AlertText { format: TextFormat::Plain, styles: true, title_max: 1_000, body_max: 100_000 },
        retry_first: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        deadline: Duration::from_hours(24),
        concurrency: 1,
        limit: None,
        fallback: None,
    }
}
