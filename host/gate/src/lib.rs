//! The upgrade gate: whether a node of a cluster may be replaced now, and why. Facts come in as a server's answers, a
//! verdict goes out. Nothing in this crate waits, reads a clock or does IO.
mod node; // who is in the cluster
mod shard; // the copies of shards, and where they are
mod settings; // what is set, and in which scope
mod disk; // bytes, and the watermarks over them
mod facts; // one picture of a cluster
mod wire; // a server's answers → facts
mod decider; // why a server puts a shard on no node, by name
mod explain; // one allocation explanation
mod judge; // whether unassigned shards are explained
mod change; // what is written to a cluster's settings, and how it is undone
mod finding; // what stands in the way, and what would help
mod checks; // everything that is looked at besides explanations
mod news; // what changed between two pictures
mod wait; // from picture to picture until there is a verdict
mod order; // which node is next
mod procedure; // what the shell drives
mod undoing; // taking back what was written
mod drain; // emptying a node before it goes
mod restart; // holding allocation back while a node restarts

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
