use crate::change::{Leftovers, Own};
use crate::facts::Facts;
use crate::finding::{Code, Finding, few};
use crate::node::Node;

const ENABLE: &str = "cluster.routing.allocation.enable";
const EXCLUDE: &str = "cluster.routing.allocation.exclude.";

pub(super) fn check(facts: &Facts, node: Option<&Node>, own: Own, found: &mut Vec<Finding>) {
    let leftovers = Leftovers::of(&facts.settings);
    for leftover in leftovers.iter().filter(|leftover| !leftover.is_of(own)) {
        let help = "`watchbell upgrade-gate --put-back` with the same cluster undoes it";
        found.push(Finding::stop(Code::Leftover, leftover.told(facts), help));
    }
    let enabled = facts.settings.get(ENABLE).unwrap_or("all");
    if enabled != "all" && !own.restart && leftovers.restart().is_none() {
        let what = format!("allocation is limited to `{enabled}` ({ENABLE})");
        let help = format!("if an earlier run left it: PUT _cluster/settings with `{ENABLE}: null`");
        found.push(Finding::stop(Code::AllocationDisabled, what, help));
    }
    let ours = leftovers.drain().map(|drain| drain.node_id.as_str());
    for (by, value) in facts.settings.below(EXCLUDE) {
        let named = crate::settings::items(value);
        let others: Vec<String> =
            named.into_iter().filter(|one| by != "_id" || Some(one.as_str()) != ours).collect();
        // The node to be replaced may have been drained by hand.
        let others: Vec<String> =
            others.into_iter().filter(|one| !node.is_some_and(|node| matches(node, by, one))).collect();
        if !others.is_empty() {
            let gone = facts.nodes.values().all(|node| !others.iter().any(|one| matches(node, by, one)));
            let who = if gone { "no node of the cluster" } else { "nodes of the cluster" };
            let what = format!("allocation excludes {} ({EXCLUDE}{by}), which matches {who}", few(&others));
            let help = format!("if an earlier run left it, remove it from `{EXCLUDE}{by}`");
            found.push(Finding::stop(Code::AllocationExcluded, what, help));
        }
    }
}

/// Whether an exclusion's item matches `node`; items may contain `*`.
fn matches(node: &Node, by: &str, item: &str) -> bool {
    let value = match by {
        "_name" => Some(node.name.as_str()),
        "_id" => Some(node.id.0.as_str()),
        "_host" => Some(node.host.as_str()),
        "_ip" | "_publish_ip" | "_host_ip" => Some(node.ip.as_str()),
        attribute => node.attributes.get(attribute).map(String::as_str),
    };
    value.is_some_and(|value| is_like(item, value))
}

/// Whether `text` matches `pattern`, where `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_match_as_the_servers_match_them() {
        for (pattern, text, is) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXc", false),
            ("*", "", true),
            ("10.0.0.*", "10.0.1.7", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(is_like(pattern, text), is, "{pattern} {text}");
        }
    }
}
