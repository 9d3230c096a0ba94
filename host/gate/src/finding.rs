//! What prevents a node from being replaced, and what would help.

/// A single finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub stand: Stand,
    /// A sentence without a full stop.
    pub what: String,
    /// What would help.
    pub help: Option<String>,
}

/// The weight of a finding for the verdict, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// Worth knowing; prevents nothing.
    Note,
    /// It passes by itself.
    Wait,
    /// No verdict is possible while it lasts.
    Unknown,
    /// It stays until someone acts.
    Stop,
}

/// Stable names for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The responses contradict each other or are incomplete.
    Doubt,
    NoMaster,
    Initializing,
    Relocating,
    PendingTasks,
    Snapshot,
    Restore,
    Resize,
    AllocationDisabled,
    AllocationExcluded,
    /// A drain or restart begun by an earlier call.
    Leftover,
    VotingExclusions,
    ElectedMaster,
    LastMaster,
    Quorum,
    LastDataNode,
    NoReplicas,
    OnlyCopy,
    ClosedIndex,
    Disk,
    Setting,
    /// A replica that no node takes, for reasons that are not allowed.
    Unassigned,
    UnassignedPrimary,
    /// A shard without an explanation.
    Unexplained,
    /// An unassigned shard that the cluster is still working on.
    Allocating,
    Stranded,
}

impl Finding {
    pub(crate) fn stop(code: Code, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, stand: Stand::Stop, what: what.into(), help: Some(help.into()) }
    }

    pub(crate) fn unknown(code: Code, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, stand: Stand::Unknown, what: what.into(), help: Some(help.into()) }
    }

    /// Settings could not be written, or it is unknown whether they were.
    pub(crate) fn not_written(why: impl Into<String>) -> Self {
        Self::unknown(Code::Doubt, why, "the user needs the privilege to change the cluster's settings")
    }

    pub(crate) fn wait(code: Code, what: impl Into<String>) -> Self {
        Self { code, stand: Stand::Wait, what: what.into(), help: None }
    }

    pub(crate) fn note(code: Code, what: impl Into<String>) -> Self {
        Self { code, stand: Stand::Note, what: what.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Stand {
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Wait => "wait",
            Self::Unknown => "unknown",
            Self::Stop => "stop",
        }
    }
}

impl Code {
    pub fn word(self) -> &'static str {
        match self {
            Self::Doubt => "doubt",
            Self::NoMaster => "no-master",
            Self::Initializing => "initializing",
            Self::Relocating => "relocating",
            Self::PendingTasks => "pending-tasks",
            Self::Snapshot => "snapshot",
            Self::Restore => "restore",
            Self::Resize => "resize",
            Self::AllocationDisabled => "allocation-disabled",
            Self::AllocationExcluded => "allocation-excluded",
            Self::Leftover => "leftover",
            Self::VotingExclusions => "voting-exclusions",
            Self::ElectedMaster => "elected-master",
            Self::LastMaster => "last-master",
            Self::Quorum => "quorum",
            Self::LastDataNode => "last-data-node",
            Self::NoReplicas => "no-replicas",
            Self::OnlyCopy => "only-copy",
            Self::ClosedIndex => "closed-index",
            Self::Disk => "disk",
            Self::Setting => "setting",
            Self::Unassigned => "unassigned",
            Self::UnassignedPrimary => "unassigned-primary",
            Self::Unexplained => "unexplained",
            Self::Allocating => "allocating",
            Self::Stranded => "stranded",
        }
    }
}

/// `1 shard`, `2 shards`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// The first few of `names`, and the number of the others.
pub(crate) fn few<T: std::fmt::Display>(names: &[T]) -> String {
    const FEW: usize = 5;
    let mut text: Vec<String> = names.iter().take(FEW).map(T::to_string).collect();
    if names.len() > FEW {
        text.push(format!("{} more", names.len() - FEW));
    }
    text.join(", ")
}
