//! Prevents rules from ending by accident. An unmounted volume or a mistyped folder looks like a bundle with few rules
//! or none, and a rule that ends loses its state and closes its episodes. So most rules do not end unless that is
//! requested.
use std::collections::BTreeSet;

use std::sync::Arc;

use watchbell_pipeline::record::Holdings;
use watchbell_pipeline::spec::{RuleName, RuleSpec};

/// The maximum names in a message.
const NAMES_SHOWN: usize = 10;

/// More than half of the known rules would end.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} of {known} known rules would end, and with them their state: {}\n\nhint: is the folder of rules mounted, and \
     is it the right one? If these rules are to end, start with `--allow-shrink`",
    ending.len(), names(ending)
)]
pub struct Shrunk {
    /// By name.
    pub ending: Vec<RuleName>,
    pub known: usize,
}

/// The rules that ran last.
pub(crate) fn kept(holdings: &Holdings) -> BTreeSet<RuleName> {
    let records = holdings.partitions.iter().flat_map(|partition| &partition.rules);
    records.filter(|record| record.off_since.is_none()).map(|record| record.rule.clone()).collect()
}

/// The rules of a bundle that are enabled.
pub(crate) fn in_force(specs: &[Arc<RuleSpec>]) -> BTreeSet<RuleName> {
    specs.iter().filter(|spec| spec.enabled).map(|spec| spec.name.clone()).collect()
}

/// # Errors
/// More than half of `known` is missing from `next`.
pub(crate) fn check(known: &BTreeSet<RuleName>, next: &[Arc<RuleSpec>]) -> Result<(), Shrunk> {
    // A rule that is disabled in its own file was meant to be: only missing rules may be an accident.
    let named: BTreeSet<&RuleName> = next.iter().map(|spec| &spec.name).collect();
    let ending: Vec<RuleName> = known.iter().filter(|name| !named.contains(name)).cloned().collect();
    if ending.len() * 2 > known.len() { Err(Shrunk { ending, known: known.len() }) } else { Ok(()) }
}

fn names(ending: &[RuleName]) -> String {
    let shown: Vec<String> = ending.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = ending.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
