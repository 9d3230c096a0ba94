//! What is stored, and what one commit changes. The store converts these types by hand; nothing here knows SQL or JSON.
mod ownership; // who may write what
mod rule; // rules
mod level; // what holds on the data's clock
mod overflow; // keys beyond a rule's limit of open episodes
mod transition; // what partitions pass to the notifier
mod episode; // levels as people see them
mod intent; // messages for one destination
mod destination; // what is remembered of destinations
mod group; // messages that are gathered and sent as one
mod silence; // what people hold back
mod command; // people's commands
mod commit; // one write, and what a new owner finds

pub use command::{COMMAND_IDS_MAX, Command, CommandId, CommandLog, CommandRecord};
pub use commit::{
    BundleRef, Commit, DEAD_LETTERS_MAX, Holdings, Loss, Lost, NotifierCommit, NotifierSnapshot,
    PartitionCommit, PartitionSnapshot, StoreMeta,
};
pub use destination::{Counted, DestinationRecord, LEFT_OUT_LINES_MAX, LeftOut, Told, Trouble};
pub use episode::{
    Ending, EpisodeId, EpisodeProgress, EpisodeRecord, LastSignal, Notified, Phase, Standstill,
};
pub use group::{GroupId, GroupKey, GroupRecord, Grouping, NamedEpisode};
pub use intent::{
    Delivery, FirstReceipt, IntentId, IntentRecord, RECORDED_BODY_BYTES_MAX, RECORDED_CALLS_MAX,
    RECORDED_HEADERS_BYTES_MAX,
};
pub use level::Level;
pub use overflow::{
    CountedKey, NamedKey, OVERFLOW_COUNTED_MAX, OVERFLOW_NAMED_MAX, OVERFLOW_WAITING_BYTES_MAX,
    OVERFLOW_WAITING_MAX, Overflow,
};
pub use ownership::{Epoch, HostId, Incarnation, Nonce, Owned, PARTITIONS, PartitionId, Position, Tenure};
pub use rule::{
    Failure, GapReason, GapRecord, Later, LaterEvent, Priming, RuleRecord, RunSummary, SeenSignal,
    StateRecord,
};
pub use silence::{PauseRecord, SILENCES_MAX, SilenceId, SilenceRecord, SilenceSpec};
pub use transition::{Change, Occurrence, TransitionRecord};
