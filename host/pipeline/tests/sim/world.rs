use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use watchbell_contract::{
    Duration, Evidence, Finding, Label, Severity, Signal, SignalKind, Timestamp, Window,
};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::active::{Active, Outside, Written};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::input::Evaluation;
use watchbell_pipeline::spec::{
    AlertSpec, CatchUp, Comparison, DestinationName, DestinationSpec, Meaning, NoData, RuleName, RuleSpec,
    Schedule, Step, Worse,
};

/// How many partitions the rules are shared out among.
pub(crate) const PARTITIONS: u16 = 3;

/// Where the story begins: not on a round minute.
pub(crate) const START: i64 = 1_700_000_012_345;

pub(crate) struct Document {
    pub(crate) id: u32,
    pub(crate) at: i64,
    /// When a search can find it.
    pub(crate) visible: i64,
    /// Rules that judge it trap.
    pub(crate) poison: bool,
}

pub(crate) struct World {
    pub(crate) documents: Vec<Document>,
}

pub(crate) const RULES: [&str; 13] = [
    "each", "level", "poisoned", "counting", "cron", "clearing", "growing", "zoned", "switched", "daytime",
    "office", "shift", "flooding",
];

/// Those that announce each document once.
pub(crate) const EVENTS: [&str; 5] = ["each", "poisoned", "cron", "zoned", "switched"];

/// Those that are switched off and on.
pub(crate) const SWITCHED: [&str; 2] = ["switched", "clearing"];

/// What a bundle says of the rules that are switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Disabled,
    /// Their files are gone.
    Gone,
}

/// The rules in force: in one of the editions, which differ in what is announced of levels, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) edition: usize,
    pub(crate) switch: Switch,
}

impl Bundle {
    pub(crate) fn digest(self) -> String {
        format!("{} {:?}", self.edition, self.switch)
    }

    pub(crate) fn rules(self) -> Vec<Arc<RuleSpec>> {
        let mut rules = rules(self.edition);
        let is_switched = |rule: &RuleSpec| SWITCHED.contains(&rule.name.0.as_str());
        match self.switch {
            Switch::On => {}
            Switch::Disabled => {
                rules.iter_mut().filter(|rule| is_switched(rule)).for_each(|rule| rule.enabled = false);
            }
            Switch::Gone => rules.retain(|rule| !is_switched(rule)),
        }
        rules.into_iter().map(Arc::new).collect()
    }
}

/// The hours of `daytime`, `office` and `shift`: on from a quarter of an hour after the start, and off and on again. The
/// last ones go beyond the last document.
pub(crate) fn hours(outside: Outside) -> Active {
    let hours = ["22:30-22:50", "23:20-23:30", "23:50-24:00"].map(str::to_owned);
    let written = Written { hours: &hours, days: &[], holidays: &[], timezone: "UTC", outside };
    Active::parse(written).expect("hours")
}

/// From this value on, `growing` is critical.
pub(crate) const CRITICAL: f64 = 5.0;

/// How many open episodes `flooding` may have, in one half of the editions; in the other it is half of that.
pub(crate) const EPISODES_MAX: usize = 4;

/// Among how many keys the documents are divided for it.
pub(crate) const FLOODING_KEYS: u32 = 17;

/// The span over which `growing` counts, and the one for which it holds after its last document.
const COUNTED: i64 = 600_000;
const HELD: i64 = 240_000;

/// Documents are found at most this long after their instant.
pub(crate) const LATE_MAX: i64 = 115_000;

/// More rows than this in one window are too many for `poisoned`.
pub(crate) const ROWS_MAX: usize = 12;

impl World {
    /// An hour of documents before the start and one and a half after it.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0xD0C5);
        let crowded = START + random.random_range(1_200_000..4_800_000);
        let mut before = START;
        let documents = (0..280)
            .map(|id| {
                let at = match id {
                    // A minute with more rows than one run takes.
                    250.. => crowded.div_euclid(60_000) * 60_000 + random.random_range(0..60_000),
                    // Of one instant, and perhaps one of them late.
                    _ if random.random_bool(0.15) => before,
                    _ => START + random.random_range(-3_600_000..5_400_000),
                };
                before = at;
                let late = if random.random_bool(0.3) { random.random_range(0..LATE_MAX) } else { 0 };
                let poison = at > START + 600_000 && random.random_bool(0.02);
                Document { id, at, visible: at + late, poison }
            })
            .collect();
        Self { documents }
    }

    /// What a run finds at `now`: a pure function of the window, the state and what is visible.
    pub(crate) fn evaluate(&self, run: &Run, now: Timestamp) -> Result<Evaluation, RunFault> {
        let Window { start, settled, end } = run.window;
        let fragile = run.rule.0 == "poisoned";
        let visible = |document: &&Document| document.visible <= now.0;
        let within = |from: Timestamp, to: Timestamp| {
            let inside = move |document: &&Document| from.0 <= document.at && document.at < to.0;
            self.documents.iter().filter(inside).filter(visible)
        };
        let rows = within(start, end).count();
        if fragile && rows > ROWS_MAX {
            let message = format!("{rows} rows");
            let is_even = run.attempt.is_multiple_of(2);
            let kind = if is_even { RunFaultKind::TooLarge } else { RunFaultKind::Limit };
            return Err(RunFault::new(kind, message));
        }
        if fragile && let Some(document) = within(start, end).find(|document| document.poison) {
            return Err(RunFault::new(RunFaultKind::Rule, format!("trap on document {}", document.id)));
        }
        let mut signals: Vec<Signal> = match run.rule.0.as_str() {
            "each" | "poisoned" | "cron" | "zoned" | "switched" | "daytime" | "office" => {
                within(start, end).map(event).collect()
            }
            "level" | "shift" => within(start, end).map(firing).collect(),
            "flooding" => within(start, end).map(flooding).collect(),
            "clearing" => within(start, end).map(clearing).collect(),
            "growing" => (0..5)
                .flat_map(|host| self.growth(host, |document| document.at < end.0 && visible(&document)))
                .filter(|(at, ..)| start.0 <= *at && *at <= end.0)
                .map(growing)
                .collect(),
            _ => Vec::new(),
        };
        signals.sort_by_key(|signal| signal.at);
        // The state of `counting`: from where it counts, and how many there were.
        let (from, count) = run.state.as_ref().map_or((start.0, 0), |state| read(&state.bytes));
        if let Some(state) = &run.state {
            assert_eq!(state.settled, start, "{}: rows are read from the state on", run.rule);
        }
        if run.rule.0 == "counting" {
            let known =
                self.documents.iter().filter(|document| from <= document.at && document.at < start.0).count();
            assert_eq!(count, known as i64, "the state at {start:?} is the fold of all rows before it");
        }
        let state = [from, count + within(start, settled).count() as i64].map(i64::to_le_bytes).concat();
        Ok(Evaluation { finding: Finding { signals, state }, rows: rows as u64, ..Evaluation::default() })
    }
}

impl World {
    /// What `growing` says of a host: at each of its documents and at each minute after one, how many there were, and
    /// when the last of them was.
    pub(crate) fn growth(&self, host: u32, known: impl Fn(&Document) -> bool) -> Vec<(i64, u32, f64, i64)> {
        let of_host = self.documents.iter().filter(|document| document.id % 5 == host && known(document));
        let mut times: Vec<i64> = of_host.map(|document| document.at).collect();
        times.sort_unstable();
        let points = times.iter().flat_map(|at| [*at, at.div_euclid(60_000) * 60_000 + 60_000]);
        let points: std::collections::BTreeSet<i64> = points.collect();
        let said = |point: i64| {
            let counted = times.iter().filter(|at| point - COUNTED < **at && **at <= point);
            let last = times.iter().filter(|at| **at <= point).max().copied().unwrap_or(point);
            (point, host, counted.count() as f64, last)
        };
        points.into_iter().map(said).collect()
    }
}

fn growing((at, host, value, last): (i64, u32, f64, i64)) -> Signal {
    Signal {
        labels: vec![Label { name: "host".into(), value: Some(format!("h{host}")) }],
        at: Timestamp(at),
        until: Some(Timestamp(last + HELD)),
        kind: SignalKind::Firing,
        identity: None,
        value: Some(value),
        threshold: None,
        summary: format!("{value} documents"),
        details: "{}".into(),
        evidence: None,
    }
}

pub(crate) fn read(state: &[u8]) -> (i64, i64) {
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    if state.len() == 16 { (number(&state[..8]), number(&state[8..])) } else { (0, 0) }
}

pub(crate) fn rules(edition: usize) -> Vec<RuleSpec> {
    RULES.iter().map(|name| rule(name, edition)).collect()
}

/// How many editions there are.
pub(crate) const EDITIONS: usize = 6;

fn steps(edition: usize) -> Vec<Step> {
    let step = |after: u64, to: &[&str]| Step {
        after: Duration::from_mins(after),
        to: to.iter().map(|name| DestinationName((*name).into())).collect(),
        unless_acknowledged: false,
        severity: None,
        when: None,
    };
    let critical = |step| Step { severity: Some(Severity::Critical), ..step };
    match edition {
        0 => vec![step(0, &["chat"]), step(3, &["mail"])],
        1 => vec![step(0, &["chat", "mail"]), step(3, &["mail"])],
        2 => vec![step(0, &["chat"])],
        3 => vec![step(0, &["mail"]), step(1, &["chat"]), step(2, &["mail"]), step(8, &["chat"])],
        4 => vec![step(0, &["chat"]), critical(step(8, &["mail"]))],
        _ => vec![step(1, &["chat"]), step(2, &["mail"])],
    }
}

fn rule(name: &str, edition: usize) -> RuleSpec {
    let (level, growing) = (name == "level", name == "growing");
    RuleSpec {
        name: RuleName(name.into()),
        owner: None,
        enabled: true,
        meaning: Meaning("1".into()),
        state_version: 1,
        cluster: if level { "slow" } else { "main" }.into(),
        indices: vec!["logs-*".into()],
        schedule: match name {
            "cron" => Schedule::Cron { expression: "*/2 * * * *".into(), timezone: "Europe/Berlin".into() },
            // Each instant has a grid of its own.
            "zoned" => Schedule::Cron { expression: "*/7 * * * *".into(), timezone: "Asia/Kolkata".into() },
            _ => Schedule::Every(Duration::from_secs(60)),
        },
        grid: Duration::from_secs(match name {
            "each" => 20,
            "zoned" => 300,
            _ => 60,
        }),
        checks: true,
        calendar: false,
        history: Duration::from_mins(match name {
            "counting" => 45,
            "zoned" => 15,
            _ => 0,
        }),
        delay: Duration::from_secs(10),
        lateness: Duration::from_mins(2),
        lookback: match name {
            "each" => Some(Duration::from_mins(7)),
            "switched" => Some(Duration::from_mins(4)),
            _ => None,
        },
        begin: None,
        catch_up: if level { CatchUp::All } else { CatchUp::Merge },
        window_max: Duration::from_mins(10),
        deadline: Duration::from_secs(60),
        key: vec!["host".into()],
        episodes_max: match (name, edition % 2) {
            ("flooding", 0) => EPISODES_MAX,
            ("flooding", _) => EPISODES_MAX / 2,
            _ => RuleSpec::EPISODES_MAX,
        },
        severity: Severity::Warning,
        worse: match growing {
            true => vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(CRITICAL) }],
            false => Vec::new(),
        },
        active: match name {
            "office" => Some(hours(Outside::Later)),
            "daytime" | "shift" => Some(hours(Outside::Skip)),
            _ => None,
        },
        no_data: if name == "clearing" { NoData::Hold } else { NoData::Ignore },
        alert: AlertSpec {
            title: "{{ summary }}".into(),
            body: "{{ labels.host }}".into(),
            steps: if level || growing { steps(edition) } else { steps(2) },
            repeat: (edition % 3 == 1)
                .then_some(Duration::from_mins(edition as u64 * 2))
                .into_iter()
                .collect(),
            repeats_max: None,
            ack_for: None,
            macros: Default::default(),
            hold: Duration::from_secs(if name == "clearing" { 60 } else { 0 }),
            resolve_after: Duration::from_secs(if level { 60 } else { 0 }),
            group: None,
        },
    }
}

pub(crate) fn destinations() -> Vec<DestinationSpec> {
    let destination = |name: &str, concurrency| DestinationSpec {
        name: DestinationName(name.into()),
        text: watchbell_contract::AlertText {
            format: watchbell_contract::TextFormat::Plain,
            styles: true,
            title_max: 100,
            body_max: 10_000,
        },
        retry_first: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        deadline: Duration::from_hours(24),
        concurrency,
        limit: None,
        fallback: None,
    };
    vec![destination("chat", 2), destination("mail", 1)]
}

fn event(document: &Document) -> Signal {
    Signal {
        labels: vec![Label { name: "host".into(), value: Some(format!("d{}", document.id % 2)) }],
        at: Timestamp(document.at),
        until: None,
        kind: SignalKind::Event,
        identity: None,
        value: Some(1.0),
        threshold: None,
        summary: format!("document {}", document.id),
        details: "{}".into(),
        evidence: Some(named(document)),
    }
}

fn named(document: &Document) -> Evidence {
    let (at, id) = (Timestamp(document.at), document.id.to_string());
    Evidence::Documents(vec![watchbell_contract::Document { at, index: None, id }])
}

fn firing(document: &Document) -> Signal {
    Signal {
        labels: vec![Label { name: "host".into(), value: Some(format!("h{}", document.id % 5)) }],
        until: Some(Timestamp(document.at + 90_000)),
        kind: SignalKind::Firing,
        ..event(document)
    }
}

/// Has more keys at a time than there are places.
fn flooding(document: &Document) -> Signal {
    let name = Some(format!("f{}", document.id % FLOODING_KEYS));
    Signal {
        labels: vec![Label { name: "host".into(), value: name }],
        until: Some(Timestamp(document.at + 240_000)),
        ..firing(document)
    }
}

/// A third of the documents end the level of their host.
fn clearing(document: &Document) -> Signal {
    let kind = if document.id.is_multiple_of(3) { SignalKind::Clear } else { SignalKind::Firing };
    Signal { until: None, kind, ..firing(document) }
}
