//! What a rule and a destination are, once a manifest has been understood. `manifest` makes them; nothing here knows YAML.
use watchbell_contract::{AlertText, Duration, Severity};

use crate::active::Active;

/// A rule's unique name; the key of all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(pub String);

/// The name of a configured alerter, for example `ops-chat`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationName(pub String);

/// The digest of what gives a rule its meaning: params, index, filter, key, time field and the module's state
/// version. While it stays the same, the kept state stays valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meaning(pub String);

#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    pub name: RuleName,
    pub owner: Option<String>,
    pub enabled: bool,
    pub meaning: Meaning,
    pub state_version: u32,
    /// Which cluster it asks: runs of one cluster share its concurrency.
    pub cluster: String,
    pub schedule: Schedule,
    /// How far apart checks are. Windows end on multiples of it, aligned to the epoch; with `cron`, whole steps before
    /// its instants. Never zero.
    pub grid: Duration,
    /// Whether the module checks on the grid, so that its state belongs to where that lies.
    pub checks: bool,
    /// A step of the grid is the day that ends with the window, by the calendar of the schedule's zone.
    pub calendar: bool,
    /// How much a rule without state reads before its first window.
    pub history: Duration,
    /// A window ends at least this long before now.
    pub delay: Duration,
    /// Documents that arrive this late are still judged.
    pub lateness: Duration,
    /// Moves the first cursor back; signals found there count.
    pub lookback: Option<Duration>,
    pub catch_up: CatchUp,
    /// No window is longer.
    pub window_max: Duration,
    /// A run's wall-clock budget.
    pub deadline: Duration,
    pub key: Vec<String>,
    pub severity: Severity,
    /// In rising order of severity.
    pub worse: Vec<Worse>,
    pub no_data: NoData,
    /// Hours in which something may begin to be told; `None`: always.
    pub active: Option<Active>,
    pub alert: AlertSpec,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every(Duration),
    /// Five or six fields, already checked by `schedule::Cron::parse`; `timezone` is an IANA name.
    Cron {
        expression: String,
        timezone: String,
    },
}

/// What to do with windows missed while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// Each window of its own.
    All,
    /// As few windows of at most `window_max` as cover them.
    #[default]
    Merge,
    /// Only the latest; the rest is a recorded gap.
    Latest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoData {
    #[default]
    Ignore,
    /// Episodes neither end nor open while the index is silent.
    Hold,
    /// An episode of its own.
    Alert,
}

/// `worse: { critical: ">= 5" }`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worse {
    pub severity: Severity,
    pub when: Comparison,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    AtLeast(f64),
    Above(f64),
    AtMost(f64),
    Below(f64),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertSpec {
    /// minijinja source; Markdown.
    pub title: String,
    /// minijinja source; Markdown, with the few inline HTML tags that alerts use (`a`, `b`, `i`, `code`, `br`).
    pub body: String,
    /// In order of `after`. Empty: the rule tells nobody, but keeps its episodes.
    pub steps: Vec<Step>,
    pub repeat: Option<Duration>,
    /// A level must hold this long, in window time, before anybody is told.
    pub hold: Duration,
    /// An episode ends this long, in window time, after its last signal's `until`.
    pub resolve_after: Duration,
}

/// One step of an escalation, `after` from the commit that opened the episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub after: Duration,
    pub to: Vec<DestinationName>,
    pub unless_acknowledged: bool,
    /// Only from this severity on; at once when `worse` raises the severity to it.
    pub severity: Option<Severity>,
}

/// hash(`after`, `to`, `severity`): what makes a step the same before and after an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u64);

/// What the outbox needs to know of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSpec {
    pub name: DestinationName,
    pub text: AlertText,
    /// The first pause after a failure; doubled each time up to `retry_max`, with jitter.
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// After this long an undelivered intent is a dead letter.
    pub deadline: Duration,
    /// Deliveries under way at once.
    pub concurrency: usize,
}

impl RuleSpec {
    /// What a manifest means where it is silent: see the fields of these names.
    pub const DELAY: Duration = Duration::from_secs(10);
    pub const LATENESS: Duration = Duration::from_mins(2);
    pub const WINDOW_MAX: Duration = Duration::from_hours(1);
    pub const DEADLINE: Duration = Duration::from_mins(1);

    /// A rule of that name that checks every `every`, and else is what a manifest is where it is silent. It tells nobody.
    pub fn every(name: &str, every: Duration) -> Self {
        Self {
            name: RuleName(name.to_owned()),
            owner: None,
            enabled: true,
            meaning: Meaning("1".into()),
            state_version: 1,
            cluster: "main".into(),
            schedule: Schedule::Every(every),
            grid: every,
            checks: true,
            calendar: false,
            history: Duration::ZERO,
            delay: Self::DELAY,
            lateness: Self::LATENESS,
            lookback: None,
            catch_up: CatchUp::default(),
            window_max: Self::WINDOW_MAX,
            deadline: Self::DEADLINE,
            key: Vec::new(),
            severity: Severity::default(),
            worse: Vec::new(),
            no_data: NoData::default(),
            active: None,
            alert: AlertSpec::default(),
        }
    }
}

impl Comparison {
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::Above(bound) => value > bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for DestinationName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
