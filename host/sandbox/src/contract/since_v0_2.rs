//! The contract since 0.2.
pub(crate) mod bindings; // generated from the WIT
mod convert; // between the generated types and the host's types
mod rule; // a rule's exports
mod alerter; // an alerter's exports

use super::exports::Contract;

pub(super) const CONTRACT: Contract =
    Contract { version: "0.2", rule: rule::exports, alerter: alerter::exports };
