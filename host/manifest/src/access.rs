//! Who may ask a host what, and who may give it commands.
use std::collections::BTreeSet;

use crate::secret::SecretRef;

/// The key `access` of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessSpec {
    /// By unique names.
    pub tokens: Vec<TokenSpec>,
    /// What answers without a token even if `listen` is not a loopback address.
    pub open: BTreeSet<OpenPath>,
    /// Something in front of `listen` terminates TLS: only then are commands taken there, unless it is loopback.
    pub trust_proxy_tls: bool,
}

/// A secret that a program or a group of people identifies itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// Shown as the one who gave a command.
    pub name: String,
    pub secret: SecretRef,
    /// Never empty.
    pub roles: BTreeSet<Role>,
    /// Only rules of this owner, and what they found.
    pub owner: Option<String>,
}

/// What a token is good for. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reading status, explanations, episodes, silences and dead letters.
    View,
    /// Commands about episodes, silences and dead letters.
    Ack,
    /// Pausing the host and ending the pause.
    Deploy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenPath {
    Livez,
    Readyz,
    Metrics,
}

impl Default for AccessSpec {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            open: BTreeSet::from([OpenPath::Livez, OpenPath::Readyz, OpenPath::Metrics]),
            trust_proxy_tls: false,
        }
    }
}

impl Role {
    /// As environments spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Ack => "ack",
            Self::Deploy => "deploy",
        }
    }
}
