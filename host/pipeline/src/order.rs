//! Facts in, orders out: the two languages of the engine. The shell carries out orders and reports facts.
use watchbell_contract::{Duration, Finding, Intent, Receipt, Refusal, Timestamp, Window};

use crate::fault::RunFault;
use crate::reason::{HoldReason, SendReason};
use crate::record::{Command, CommandId, Commit, IntentId, StateRecord, Told};
use crate::spec::{DestinationName, DestinationSpec, RuleName, RuleSpec};

/// Counts runs since the engine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A new bundle takes the place of the one in force, as a whole.
    Bundle { digest: String, rules: Vec<RuleSpec>, destinations: Vec<DestinationSpec> },
    /// An `Action::Evaluate` asks its cluster nothing more that another run should wait for.
    Judged { run: RunId },
    /// An `Action::Evaluate` has ended.
    Evaluated { run: RunId, outcome: Result<Evaluation, RunFault> },
    /// An `Action::Persist` has ended. `false`: it is not known to be written, and is to be repeated as it was.
    Persisted { nonce: u64, written: bool },
    /// An `Action::Deliver` has ended.
    Delivered { intent: IntentId, outcome: Result<Receipt, Refusal> },
    /// A person asks for something. It is applied once, however often it comes.
    Command { id: CommandId, by: String, command: Command },
    /// Start nothing new; `Engine::is_drained` tells when all that was started has ended.
    Drain,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Ask the cluster and call the rule, once.
    Evaluate(Run),
    /// Write this, all or nothing. At most one is under way.
    Persist(Box<Commit>),
    /// Hand this to the destination's alerter. Its claim is committed.
    Deliver { id: IntentId, destination: DestinationName, intent: Box<Intent> },
    /// Tell a person through the log (and the counters): nothing else depends on it.
    Note(Note),
}

/// One evaluation of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub rule: RuleName,
    pub purpose: Purpose,
    pub window: Window,
    /// How far apart the module checks, counted back from the window's end; zero if it does not.
    pub grid: Duration,
    /// The last committed cursor: signals before it were judged once already.
    pub judged: Timestamp,
    pub state: Option<StateRecord>,
    /// What was told of the window before.
    pub told: Vec<Told>,
    /// From 1; more after failures of the same window.
    pub attempt: u32,
    /// The run's wall-clock budget.
    pub deadline: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Live,
    /// Builds the state a rule needs; firings are dropped.
    Priming,
}

/// What a run brought back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    pub finding: Finding,
    pub rows: u64,
    pub took: Duration,
    /// Per signal of `finding`, a link to its documents, if one could be made.
    pub links: Vec<Option<String>>,
    /// Per signal, the documents behind it, where its texts show any.
    pub documents: Vec<Option<Documents>>,
    /// The index without the rule's filter had no document in the window. Looked at only where the rule cares.
    pub no_data: bool,
}

/// The documents behind a signal, as far as bounds let through what its texts show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// A JSON array of objects.
    pub shown: String,
    /// What was left out, as a person reads it.
    pub note: Option<String>,
}

/// What a person may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    RunFailed {
        rule: RuleName,
        window: Window,
        attempt: u32,
        message: String,
        next: Timestamp,
    },
    Committed {
        rule: RuleName,
        window: Window,
        rows: u64,
        signals: u32,
        took: Duration,
    },
    Primed {
        rule: RuleName,
        until: Timestamp,
    },
    /// Its kept state is of no use any more, and what it has to read of its past is read again.
    PrimesAnew {
        rule: RuleName,
        reason: String,
    },
    GapRecorded {
        rule: RuleName,
        start: Timestamp,
        end: Timestamp,
        reason: String,
    },
    /// Somebody is told something, for this reason.
    Announced {
        rule: RuleName,
        reason: SendReason,
    },
    /// Nobody is told now, for this reason.
    Held {
        rule: RuleName,
        reason: HoldReason,
    },
    EpisodeOpened {
        rule: RuleName,
        episode: String,
        summary: String,
    },
    EpisodeResolved {
        rule: RuleName,
        episode: String,
        why: String,
    },
    /// A person asked for something; `refused` says why it was not done.
    Commanded {
        id: CommandId,
        by: String,
        refused: Option<String>,
    },
    DeliveryPostponed {
        destination: DestinationName,
        intent: IntentId,
        reason: String,
        due: Timestamp,
        attempt: u32,
    },
    Delivered {
        destination: DestinationName,
        intent: IntentId,
        attempt: u32,
        maybe_repeated: bool,
    },
    DeadLetter {
        destination: DestinationName,
        intent: IntentId,
        reason: String,
    },
    ClaimRecovered {
        destination: DestinationName,
        intent: IntentId,
    },
}
