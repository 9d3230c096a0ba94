//! The upgrade gate: whether a node of a cluster may be replaced now, and why. Takes a server's responses, returns a
//! verdict. Nothing in this crate waits, reads a clock or does IO.
mod node; // nodes of the cluster
mod shard; // copies of shards, and where they are
mod settings; // settings and their scopes
mod disk; // disk space and watermarks
mod facts; // the state of a cluster at one moment
mod wire; // a server's responses → facts
mod decider; // why a server allocates a shard to no node, by name
mod explain; // one allocation explanation
mod judge; // whether unassigned shards are explained
mod change; // changes to settings, and how they are undone
mod finding; // what prevents a replacement, and what would help
mod checks; // all checks besides explanations
mod news; // what changed between two looks
mod wait; // from look to look until there is a verdict
mod order; // which node is next
mod procedure; // what the shell drives
mod undoing; // undoing what was written
mod drain; // emptying a node before it leaves
mod restart; // limiting allocation while a node restarts

pub use change::{Author, Change, Leftover, Leftovers, Own, Undo};
pub use checks::check;
pub use decider::{ALLOWED_BY_DEFAULT, Allowed, UnknownDecider};
pub use disk::{Disk, Room, Watermarks};
pub use drain::Drain;
pub use explain::{CanAllocate, Explanation, NodeDecision, Objection};
pub use facts::{Facts, Health, Index, Status, Task, Voting};
pub use finding::{Code, Finding, Stand};
pub use judge::{Explained, Judged, Row, RowVerdict, Standing, judge};
pub use node::{Node, NodeId, Version};
pub use order::{Candidate, Order, order};
pub use procedure::Procedure;
pub use restart::Restart;
pub use settings::{Scope, Settings};
pub use shard::{Copy, CopyState, Group, ShardId, Unassigned};
pub use wait::{Ask, Gate, Outcome, Progress, Step, Trouble, TroubleKind, Verdict};
pub use wire::{Answers, REQUESTS, Unreadable};
