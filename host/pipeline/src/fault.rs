//! Why a run failed.

/// What went wrong: the kind decides what happens next, the message is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFault {
    pub kind: RunFaultKind,
    /// Human-readable, with its causes.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunFaultKind {
    /// An outside cause (cluster down, request refused, partial shards): retry the same window with backoff.
    Outside,
    /// No answer in time: halve the window. A single grid step is retried with backoff for as long as it takes.
    Slow,
    /// The cluster says that this is too much for one answer: halve the window.
    TooLarge,
    /// The module exceeded one of its limits (time, memory, output, state): halve the window, and record a gap where
    /// that does not help.
    Limit,
    /// The module failed on these rows and will fail again (a trap, a returned problem), or asked an invalid question:
    /// bisect after a few attempts.
    Rule,
    /// The module cannot read its state: prime it again.
    State,
}

impl RunFault {
    pub fn new(kind: RunFaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl RunFaultKind {
    /// The name in metrics.
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

    /// Whether the rule is to blame rather than the cluster that it queries.
    pub fn is_the_rules_own(self) -> bool {
        match self {
            Self::Limit | Self::Rule | Self::State => true,
            Self::Outside | Self::Slow | Self::TooLarge => false,
        }
    }

    /// Whether the same rows will cause the same fault again.
    pub(crate) fn is_certain(self) -> bool {
        match self {
            Self::TooLarge | Self::Limit | Self::Rule => true,
            Self::Outside | Self::Slow | Self::State => false,
        }
    }
}
