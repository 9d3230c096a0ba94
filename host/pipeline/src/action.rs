//! Orders out: what the shell carries out.
use watchbell_contract::{Duration, Intent, Timestamp, Window};

use crate::reason::{HoldReason, SendReason};
use crate::record::{CommandId, Commit, Epoch, IntentId, Owned, Position, SeenSignal, StateRecord};
use crate::spec::{DestinationName, RuleName};

/// Counts runs since the engine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Ask the cluster and call the rule, once.
    Evaluate(Run),
    /// Write this, all or nothing. At most one is under way.
    Persist(Box<Commit>),
    /// Read the transitions that come after these, and bring them as `Input::Transitions`. At most one is under way.
    ReadTransitions(Vec<Position>),
    /// Take the notifier over again if it is still owned under this epoch, and bring `Input::NotifierTaken`, or
    /// `Input::NotifierNotTaken` if the store failed: what this host's had decided was not written.
    RetakeNotifier { seen: Epoch },
    /// Hand this to the destination's alerter. Its claim is committed.
    Deliver { id: IntentId, epoch: Epoch, destination: DestinationName, intent: Box<Intent> },
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
    /// Signals of the window that were committed before.
    pub seen: Vec<SeenSignal>,
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
    /// This host owns it no more, for this reason. The rest goes on.
    Lost {
        what: Owned,
        why: String,
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
