//! Facts and commands in: what the shell reports, and what people ask for.
use std::sync::Arc;

use watchbell_contract::{Duration, Finding, Receipt, Refusal};

use crate::action::RunId;
use crate::fault::RunFault;
use crate::record::{
    BundleRef, Command, CommandId, Epoch, IntentId, Lost, Nonce, NotifierSnapshot, PartitionSnapshot,
    TransitionRecord,
};
use crate::spec::{DestinationSpec, RuleSpec};

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A new bundle takes the place of the one in force, as a whole. One of an earlier generation changes nothing.
    Bundle { bundle: BundleRef, rules: Vec<Arc<RuleSpec>>, destinations: Vec<DestinationSpec> },
    /// This host owns a partition from now on.
    PartitionTaken(PartitionSnapshot),
    /// This host owns the notifier from now on.
    NotifierTaken(NotifierSnapshot),
    /// An `Action::RetakeNotifier` failed: it is tried again after a pause.
    NotifierNotTaken { seen: Epoch },
    /// An `Action::Evaluate` asks its cluster nothing more that another run should wait for.
    Judged { run: RunId },
    /// An `Action::Evaluate` has ended.
    Evaluated { run: RunId, outcome: Result<Evaluation, RunFault> },
    /// An `Action::Persist` has ended.
    Persisted { nonce: Nonce, outcome: Persisted },
    /// An `Action::ReadTransitions` has ended; with nothing, if it failed.
    Transitions(Vec<TransitionRecord>),
    /// An `Action::Deliver` has ended, which was ordered under this epoch.
    Delivered { intent: IntentId, epoch: Epoch, outcome: Result<Receipt, Refusal> },
    /// A person asks for something. It is applied once, however often it comes.
    Command { id: CommandId, by: String, command: Command },
    /// Start nothing new; `Coordinator::is_drained` tells when all that was started has ended.
    Drain,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persisted {
    /// It is written but for these parts, which another host owns now.
    Written { lost: Vec<Lost> },
    /// It is not known to be written, and is to be repeated as it was.
    Unknown,
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
