//! Actions: what the shell must carry out.
use watchbell_contract::{Duration, Intent, Timestamp, Window};
use watchbell_text::Job;

pub use crate::notifier::TextOrder;
use crate::reason::{HoldReason, SendReason};
use crate::record::{
    CommandId, Commit, EpisodeId, Epoch, IntentId, Owned, Position, SeenSignal, StateRecord,
};
use crate::spec::{DestinationName, RuleName};

/// Counts runs since the engine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Something for the shell to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Query the cluster and call the rule, once.
    Evaluate(Run),
    /// Write this commit atomically. At most one write is in progress at a time.
    Persist(Box<Commit>),
    /// Read the transitions after these positions and return them as `Input::Transitions`. At most one read is in
    /// progress.
    ReadTransitions(Vec<Position>),
    /// Take the notifier over again if it is still owned under this epoch, because a commit of this host's notifier was
    /// not written. Answer with `Input::NotifierTaken`, or `Input::NotifierNotTaken` if the store failed.
    RetakeNotifier { seen: Epoch },
    /// Render this text, within limits on time and memory, and return it as `Input::Rendered`.
    Render { order: TextOrder, epoch: Epoch, job: Box<Job> },
    /// Pass this message to the destination's alerter. Its claim is already committed.
    Deliver {
        id: IntentId,
        epoch: Epoch,
        destination: DestinationName,
        intent: Box<Intent>,
        /// The episode that whoever acknowledges the message acknowledges, if it is about one.
        acknowledges: Option<EpisodeId>,
    },
    /// Report this in the log and the counters. Nothing else depends on it.
    Note(Note),
}

/// One evaluation of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub rule: RuleName,
    pub purpose: Purpose,
    pub window: Window,
    /// The spacing of the module's checks, counted back from the window's end; zero if it does not check on a grid.
    pub grid: Duration,
    /// The last committed cursor. Signals before it have already been evaluated once.
    pub judged: Timestamp,
    pub state: Option<StateRecord>,
    /// Signals of the window that are already committed.
    pub seen: Vec<SeenSignal>,
    /// Starts at 1; higher after failures of the same window.
    pub attempt: u32,
    /// The run's wall-clock limit.
    pub deadline: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Live,
    /// Builds the state a rule needs; signals are dropped.
    Priming,
}

/// Something an operator may want to know.
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
    /// More keys fire than the rule's limit of open episodes allows: those beyond it share one.
    Overflowed {
        rule: RuleName,
        limit: usize,
        /// A sentence for people.
        message: String,
    },
    /// Messages of the rule are left out because too many of them wait for a destination, or were.
    Backlog {
        rule: RuleName,
        destination: DestinationName,
        /// A sentence for people.
        message: String,
    },
    /// A destination's limit is reached, it keeps failing, or it takes messages again.
    DestinationChanged {
        destination: DestinationName,
        /// A sentence for people.
        message: String,
        is_bad: bool,
    },
    /// No key fires beyond the rule's limit of open episodes any more.
    WithinLimit {
        rule: RuleName,
        limit: usize,
    },
    /// The rule's state is no longer usable, so it reads its history again.
    PrimesAnew {
        rule: RuleName,
        reason: String,
    },
    /// A field that the rule or its texts use is in no mapping of its indices. Said once, until a mapping has had it.
    FieldUnmapped {
        rule: RuleName,
        field: String,
        /// A sentence for people.
        message: String,
    },
    GapRecorded {
        rule: RuleName,
        start: Timestamp,
        end: Timestamp,
        reason: String,
    },
    /// This host no longer owns this, for the given reason. Everything else continues.
    Lost {
        what: Owned,
        why: String,
    },
    /// A message is sent, for this reason.
    Announced {
        rule: RuleName,
        reason: SendReason,
    },
    /// A message is held, for this reason.
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
    /// A person gave a command; `refused` says why it was not carried out.
    Commanded {
        id: CommandId,
        by: String,
        refused: Option<String>,
    },
    /// A message is sent in plain form, because its text could not be rendered.
    TextFailed {
        rule: RuleName,
        destination: DestinationName,
        intent: IntentId,
        reason: String,
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
    /// Messages that were waiting are sent as one.
    Merged {
        destination: DestinationName,
        into: IntentId,
        count: usize,
    },
}
