//! A program on the host's machine.
use std::path::PathBuf;

use watchbell_contract::Duration;

use crate::secret::{SecretOr, SecretRef};

/// What is started for each message.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecEndpoint {
    /// Absolute.
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Its environment, by name.
    pub variables: Vec<(String, SecretOr<String>)>,
    /// The time that one run may take.
    pub timeout: Duration,
}

impl ExecEndpoint {
    /// Every secret that it references, with the key that references it.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let named = self.variables.iter().filter_map(|(_, value)| match value {
            SecretOr::Secret(secret) => Some(("variables", secret)),
            SecretOr::Plain(_) => None,
        });
        named.collect()
    }
}
