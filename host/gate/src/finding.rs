//! What stands in the way of replacing a node, and what would help.

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub stand: Stand,
    /// A sentence without its full stop.
    pub what: String,
    /// What would help.
    pub help: Option<String>,
}

/// What a finding means for the verdict, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// Worth knowing, and in nobody's way.
    Note,
    /// It passes by itself.
    Wait,
    /// Nobody can tell, as long as it stands.
    Unknown,
    /// It stays until somebody acts.
    Stop,
}

/// Stable names, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The answers contradict each other or are not complete.
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
    /// A drain or a restart that an earlier call began.
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
    /// A shard whose explanation cannot be had.
    Unexplained,
    /// An unassigned shard that the cluster still works on.
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

    /// Settings could not be written, or nobody knows whether they were.
    pub(crate) fn not_written(why: impl Into<String>) -> Self {
        Self::unknown(Code::Doubt, why, "this user needs the privilege to change the cluster's settings")
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

/// The first few of `names`, and how many more.
pub(crate) fn few<T: std::fmt::Display>(names: &[T]) -> String {
    const FEW: usize = 5;
    let mut text: Vec<String> = names.iter().take(FEW).map(T::to_string).collect();
    if names.len() > FEW {
        text.push(format!("{} more", names.len() - FEW));
    }
    text.join(", ")
}
