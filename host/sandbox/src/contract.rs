//! The versions of the plugin contract that this host supports, each an adapter between generated types and the host's
//! types. Types never change within a version: a new version adds a folder and a line here, and the old ones stay.
mod exports; // the calls that the host makes, for any version
pub(crate) mod v0_1;

pub(crate) use exports::{AlerterExports, AlerterInstance, Contract, RuleExports, RuleInstance};

use crate::versions;

const CONTRACTS: &[Contract] = &[v0_1::CONTRACT];

/// The adapter for modules of `version` (`0.1.2`).
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
        assert!(contract("0.1.7").is_some() && contract("0.10.0").is_none());
    }
}
