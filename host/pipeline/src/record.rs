//! What is kept, and what one commit changes. The store converts these by hand; nothing here knows SQL or JSON.
mod ownership; // who may write what
mod rule; // of a rule
mod level; // of what holds on the data's clock
mod transition; // of what evaluation hands to the notifier
mod episode; // of a level as people see it
mod intent; // of a message owed to one destination
mod command; // of what people ask for
mod commit; // one write, and what a new owner finds

pub use command::{COMMAND_IDS_MAX, Command, CommandId, CommandLog, CommandRecord};
pub use commit::{
    BundleRef, Commit, DEAD_LETTERS_MAX, Holdings, Loss, Lost, NotifierCommit, NotifierSnapshot,
    PartitionCommit, PartitionSnapshot, StoreMeta,
};
pub use episode::{Ending, EpisodeId, EpisodeRecord, LastSignal, Notified, Phase};
pub use intent::{Delivery, IntentId, IntentRecord};
pub use level::Level;
pub use ownership::{Epoch, HostId, Incarnation, Nonce, Owned, PARTITIONS, PartitionId, Position, Tenure};
pub use rule::{
    Failure, GapReason, GapRecord, Later, LaterEvent, Priming, RuleRecord, RunSummary, SeenSignal,
    StateRecord,
};
pub use transition::{Change, Occurrence, TransitionRecord};
