//! The versions of the plugin contract that this host supports, each an adapter between generated types and the host's
//! types. Types never change within a version: a new version adds a folder and a line here, and the old ones stay. A
//! folder serves its version and those after it in which nothing changed, until the next folder.
mod exports; // the calls that the host makes, for any version
pub(crate) mod since_v0_2;

pub(crate) use exports::{AlerterExports, AlerterInstance, Contract, RuleExports, RuleInstance};

use crate::versions;

const CONTRACTS: &[Contract] = &[since_v0_2::CONTRACT];

/// The adapter for modules of `version` (`0.2.1`).
pub(crate) fn contract(version: &str) -> Option<&'static Contract> {
    let track = versions::track(version);
    CONTRACTS.iter().find(|contract| contract.version == track)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_on_offer_has_its_contract() {
        let versions: Vec<&str> = CONTRACTS.iter().map(|contract| contract.version).collect();
        assert_eq!(versions, versions::OFFERED);
        assert!(contract("0.2.7").is_some() && contract("0.20.0").is_none());
    }
}
