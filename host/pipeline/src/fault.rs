//! Why a run failed.

/// What went wrong, in two parts: the kind decides what comes next, the message is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFault {
    pub kind: RunFaultKind,
    /// As a person reads it, causes included.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunFaultKind {
    /// Outside cause (cluster down, refused, partial shards): the same window again, with backoff.
    Outside,
    /// No answer in time: half the window; one step of the grid is tried again with backoff, for as long as it takes.
    Slow,
    /// The cluster says that this is too much for one answer: half the window.
    TooLarge,
    /// The module exceeded a limit of its own (time, memory, output, state): half the window, and a gap where that
    /// does not help.
    Limit,
    /// The module failed on these rows and will again (trap, returned problem), or asked what cannot be asked: bisected
    /// after a few attempts.
    Rule,
    /// The module cannot read its state: prime again.
    State,
}

impl RunFault {
    pub fn new(kind: RunFaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl RunFaultKind {
    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Slow => "slow",
            Self::TooLarge => "too_large",
            Self::Limit => "limit",
            Self::Rule => "rule",
            Self::State => "state",
        }
    }

    /// Whether the rule is to blame, and not the cluster that it asks.
    pub fn is_the_rules_own(self) -> bool {
        match self {
            Self::Limit | Self::Rule | Self::State => true,
            Self::Outside | Self::Slow | Self::TooLarge => false,
        }
    }

    /// Whether the same rows will bring it again.
    pub(crate) fn is_certain(self) -> bool {
        match self {
            Self::TooLarge | Self::Limit | Self::Rule => true,
            Self::Outside | Self::Slow | Self::State => false,
        }
    }
}
