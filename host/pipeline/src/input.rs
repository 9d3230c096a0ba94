//! Facts and commands: what the shell reports, and what people request.
use std::sync::Arc;

use watchbell_contract::{Duration, Finding, Receipt, RecordedCall, Refusal};

use crate::action::RunId;
use crate::fault::RunFault;
use crate::maintenance::HoldsSpec;
use crate::notifier::TextOrder;
use crate::record::{
    BundleRef, Command, CommandId, Epoch, IntentId, Lost, Nonce, NotifierSnapshot, PartitionSnapshot,
    TransitionRecord,
};
use crate::spec::{DestinationSpec, RuleSpec};
use watchbell_text::Text;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A new bundle replaces the one in force as a whole. A bundle of an earlier generation is ignored.
    Bundle {
        bundle: BundleRef,
        rules: Vec<Arc<RuleSpec>>,
        destinations: Vec<DestinationSpec>,
        holds: HoldsSpec,
    },
    /// This host owns a partition from now on.
    PartitionTaken(PartitionSnapshot),
    /// This host owns the notifier from now on.
    NotifierTaken(NotifierSnapshot),
    /// An `Action::RetakeNotifier` failed; it is retried after a pause.
    NotifierNotTaken { seen: Epoch },
    /// The run of an `Action::Evaluate` has finished every query that other runs must wait for.
    Judged { run: RunId },
    /// An `Action::Evaluate` has ended.
    Evaluated { run: RunId, outcome: Result<Evaluation, RunFault> },
    /// An `Action::Persist` has ended.
    Persisted { nonce: Nonce, outcome: Persisted },
    /// An `Action::ReadTransitions` has ended; empty if it failed.
    Transitions(Vec<TransitionRecord>),
    /// An `Action::Deliver` that was ordered under this epoch has ended. `recorded` are the responses that receivers gave
    /// to requests that they accepted in it; those of earlier attempts may be among them.
    Delivered {
        intent: IntentId,
        epoch: Epoch,
        outcome: Result<Receipt, Refusal>,
        recorded: Vec<RecordedCall>,
    },
    /// An `Action::Render` that was ordered under this epoch has ended. `Err` says why there is no text: the message is
    /// sent in plain form.
    Rendered { order: TextOrder, epoch: Epoch, outcome: Result<Text, String> },
    /// A person's command. It is applied once, however often it is received.
    Command { id: CommandId, by: String, command: Command },
    /// Start nothing new; `Coordinator::is_drained` says when everything that was started has ended.
    Drain,
}

/// The outcome of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persisted {
    /// Written, except for these parts, which another host owns now.
    Written { lost: Vec<Lost> },
    /// It may not have been written; repeat it unchanged.
    Unknown,
}

/// What a run returned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    pub finding: Finding,
    pub rows: u64,
    pub took: Duration,
    /// For each signal of `finding`, a link to its documents, if one could be made.
    pub links: Vec<Option<String>>,
    /// For each signal, its documents, if the rule's texts show any.
    pub documents: Vec<Option<Documents>>,
    /// The index had no documents in the window, even without the rule's filter. Checked only where the rule uses it.
    pub no_data: bool,
    /// Fields that the rule or its texts use and no mapping of its indices has. No document can have a value of them.
    pub unmapped: Vec<String>,
}

/// How many unmapped fields of a rule are kept, in order of their names.
pub const UNMAPPED_MAX: usize = 64;

/// The documents behind a signal that its texts show, within limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// A JSON array of objects.
    pub shown: String,
    /// What was left out, as human-readable text.
    pub note: Option<String>,
}
