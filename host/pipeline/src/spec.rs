//! Rules and destinations, parsed from a manifest. The `manifest` crate makes them; nothing here knows YAML.
use watchbell_contract::{AlertText, Duration, Severity, Timestamp};
use watchbell_text::Macros;

use crate::active::Active;
use crate::limit::Limit;

/// A rule's unique name, and the key of everything stored for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(pub String);

/// The name of a configured alerter, for example `ops-chat`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationName(pub String);

/// The digest of everything that defines a rule's meaning: params, index, filter, key, time field and the module's
/// state version. As long as it is unchanged, the stored state stays valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meaning(pub String);

#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    pub name: RuleName,
    pub owner: Option<String>,
    pub enabled: bool,
    pub meaning: Meaning,
    pub state_version: u32,
    /// The cluster that it queries. Runs on the same cluster share its concurrency limit.
    pub cluster: String,
    /// The index patterns that it searches, for texts.
    pub indices: Vec<String>,
    pub schedule: Schedule,
    /// The interval between checks. Windows end on multiples of it, aligned to the epoch; with `cron`, whole steps
    /// before its instants. Never zero.
    pub grid: Duration,
    /// Whether the module checks on the grid, so that its state depends on the grid's position.
    pub checks: bool,
    /// A grid step is the calendar day, in the schedule's zone, that ends with the window.
    pub calendar: bool,
    /// How much a rule without state reads before its first window.
    pub history: Duration,
    /// A window ends at least this long before now.
    pub delay: Duration,
    /// Documents that arrive up to this late are still evaluated.
    pub lateness: Duration,
    /// Moves the first cursor back; signals found there are announced.
    pub lookback: Option<Duration>,
    /// Where a new rule begins, if that is not still to come; instead of `lookback`.
    pub begin: Option<Timestamp>,
    pub catch_up: CatchUp,
    /// The maximum length of a window.
    pub window_max: Duration,
    /// The run's wall-clock limit.
    pub deadline: Duration,
    pub key: Vec<String>,
    /// The maximum number of open episodes. The keys beyond it share one episode.
    pub episodes_max: usize,
    pub severity: Severity,
    /// In ascending order of severity.
    pub worse: Vec<Worse>,
    pub no_data: NoData,
    /// Hours in which notifications may begin; `None` means always.
    pub active: Option<Active>,
    pub alert: AlertSpec,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every(Duration),
    /// Five or six fields, already validated by `schedule::Cron::parse`; `timezone` is an IANA name.
    Cron {
        expression: String,
        timezone: String,
    },
}

/// What to do with windows missed while the host was down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// Each window separately.
    All,
    /// As few windows as cover them, each of at most `window_max`.
    #[default]
    Merge,
    /// Only the latest; the rest is recorded as a gap.
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
    /// The files of macros that they import.
    pub macros: Macros,
    /// In order of `after`. If empty, nobody is notified, but episodes are kept.
    pub steps: Vec<Step>,
    /// How long after an announcement it is repeated while it lasts: the first time, the second, and so on; the last
    /// from then on. Empty: never.
    pub repeat: Vec<Duration>,
    /// How often it is repeated at most, until it gets worse or an acknowledgement is over.
    pub repeats_max: Option<u32>,
    /// How long an acknowledgement holds; without end if `None`.
    pub ack_for: Option<Duration>,
    /// How long a level must hold, in window time, before anyone is notified.
    pub hold: Duration,
    /// An episode ends this long, in window time, after its last signal's `until`.
    pub resolve_after: Duration,
    /// How its messages are gathered, if they are.
    pub group: Option<GroupSpec>,
}

/// How messages of a rule are gathered into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Labels: messages in which all of them have the same values are gathered. Empty: all messages of the rule.
    pub by: Vec<String>,
    pub pace: Pace,
}

/// When a group's messages are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pace {
    /// `wait` after the first is gathered, and no sooner than `interval` after the group's last message. The interval is
    /// never zero.
    Interval { wait: Duration, interval: Duration },
    /// At the instants of a calendar, already validated by `schedule::Cron::parse`.
    Digest { expression: String, timezone: String },
}

/// One escalation step, `after` the commit that opened the episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub after: Duration,
    pub to: Vec<DestinationName>,
    pub unless_acknowledged: bool,
    /// Fires only from this severity on; at once when `worse` raises the severity to it.
    pub severity: Option<Severity>,
    /// Fires only within these hours; one that is due outside of them waits.
    pub when: Option<Active>,
}

/// hash(`after`, `to`, `severity`, `when`): identifies a step before and after an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u64);

/// What the outbox needs to know about a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSpec {
    pub name: DestinationName,
    pub text: AlertText,
    /// The first pause after a failure; it doubles up to `retry_max`, with jitter.
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// An intent not delivered within this time becomes a dead letter.
    pub deadline: Duration,
    /// Maximum concurrent deliveries.
    pub concurrency: usize,
    /// How many messages it is sent; `None`: any number.
    pub limit: Option<Limit>,
    /// Who gets a message that it did not take.
    pub fallback: Option<DestinationName>,
}

impl GroupSpec {
    /// The defaults of a manifest.
    pub const WAIT: Duration = Duration::from_secs(30);
    pub const INTERVAL: Duration = Duration::from_mins(5);
}

impl AlertSpec {
    /// How long after an announcement the next repeat is due, after `repeats` of them.
    pub fn repeat_after(&self, repeats: u32) -> Option<Duration> {
        if self.repeats_max.is_some_and(|most| repeats >= most) {
            return None;
        }
        let place = usize::try_from(repeats).unwrap_or(usize::MAX).min(self.repeat.len().saturating_sub(1));
        self.repeat.get(place).copied()
    }
}

impl RuleSpec {
    /// The defaults of a manifest: see the fields of these names.
    pub const DELAY: Duration = Duration::from_secs(10);
    pub const LATENESS: Duration = Duration::from_mins(2);
    pub const WINDOW_MAX: Duration = Duration::from_hours(1);
    pub const DEADLINE: Duration = Duration::from_mins(1);
    pub const EPISODES_MAX: usize = 1_000;

    /// A rule with this name that checks every `every`, with a manifest's defaults for the rest. It has no
    /// destinations.
    pub fn every(name: &str, every: Duration) -> Self {
        Self {
            name: RuleName(name.to_owned()),
            owner: None,
            enabled: true,
            meaning: Meaning("1".into()),
            state_version: 1,
            cluster: "main".into(),
            indices: Vec::new(),
            schedule: Schedule::Every(every),
            grid: every,
            checks: true,
            calendar: false,
            history: Duration::ZERO,
            delay: Self::DELAY,
            lateness: Self::LATENESS,
            lookback: None,
            begin: None,
            catch_up: CatchUp::default(),
            window_max: Self::WINDOW_MAX,
            deadline: Self::DEADLINE,
            key: Vec::new(),
            episodes_max: Self::EPISODES_MAX,
            severity: Severity::default(),
            worse: Vec::new(),
            no_data: NoData::default(),
            active: None,
            alert: AlertSpec::default(),
        }
    }
}

impl RuleSpec {
    /// A sentence about a field that no mapping has.
    pub(crate) fn unmapped(&self, field: &str) -> String {
        format!("no mapping of `{}` has the field `{field}`", self.indices.join(","))
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
