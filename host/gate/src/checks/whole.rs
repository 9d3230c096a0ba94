use crate::facts::Facts;
use crate::finding::{Code, Finding};

pub(super) fn check(facts: &Facts, found: &mut Vec<Finding>) {
    for doubt in &facts.doubts {
        let help = "try again; if it persists, check the node or proxy that responds";
        found.push(Finding::unknown(Code::Doubt, doubt.clone(), help));
    }
    if facts.master.is_none() {
        found.push(Finding::wait(Code::NoMaster, "the cluster has no elected master"));
    }
}
