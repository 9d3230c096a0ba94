use crate::facts::Facts;
use crate::finding::{Code, Finding};

pub(super) fn check(facts: &Facts, found: &mut Vec<Finding>) {
    for doubt in &facts.doubts {
        let help = "look again; if it stays, look at the node or the proxy that answers";
        found.push(Finding::unknown(Code::Doubt, doubt.clone(), help));
    }
    if facts.master.is_none() {
        found.push(Finding::wait(Code::NoMaster, "the cluster has no elected master"));
    }
}
