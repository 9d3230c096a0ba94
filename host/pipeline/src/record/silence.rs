use watchbell_contract::Timestamp;

use crate::matcher::Matcher;

/// The id of the command that made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceId(pub String);

/// What a person asks to hold back, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceSpec {
    /// All of them are met by what is held back. Never empty.
    pub matchers: Vec<Matcher>,
    /// Wall time; half-open.
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: String,
}

/// A silence that is in force or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceRecord {
    pub id: SilenceId,
    pub spec: SilenceSpec,
    pub by: String,
    /// When it was made.
    pub at: Timestamp,
}

/// Nothing is sent until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseRecord {
    pub since: Timestamp,
    pub until: Timestamp,
    pub reason: String,
    pub by: String,
}

/// How many silences may be in force or to come.
pub const SILENCES_MAX: usize = 1_000;
