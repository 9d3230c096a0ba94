//! `inhibit_rules` as `inhibit:`.
use std::collections::BTreeSet;

use super::account::{Account, entry, items, texts};
use super::matchers::{conditions, matchers};
use crate::names::{free, slug};
use crate::node::Node;
use crate::report::Fate;
use crate::yaml::Yaml;

const SOURCE: [&str; 3] = ["source_matchers", "source_match", "source_match_re"];
const TARGET: [&str; 3] = ["target_matchers", "target_match", "target_match_re"];

pub(super) fn inhibitions(root: &Node, account: &mut Account<'_>) -> Vec<(String, Yaml)> {
    let Some(rules) = entry(root, "inhibit_rules") else { return Vec::new() };
    let (mut made, mut taken) = (Vec::new(), BTreeSet::new());
    for rule in items(Some(&rules.value)) {
        match inhibition(rule) {
            Ok(several) => {
                let mut names = Vec::new();
                let wanted = several.first().map_or_else(String::new, |(name, _)| name.clone());
                for (_, value) in several {
                    let name = free(&wanted, &mut taken);
                    names.push(format!("`inhibit.{name}`"));
                    made.push((name, value));
                }
                let what = format!("{}, of episodes: `wait` is 15 s", names.join(", "));
                told(rule, account, Fate::Changed, &what);
            }
            Err(why) => told(rule, account, Fate::Dropped, &why),
        }
    }
    made
}

fn told(rule: &Node, account: &mut Account<'_>, fate: Fate, what: &str) {
    rule.entries().iter().for_each(|entry| account.told(&entry.place, fate, what));
}

/// One inhibition for each pair of alternatives, each with the name to give it.
fn inhibition(rule: &Node) -> Result<Vec<(String, Yaml)>, String> {
    let sources = conditions(&matchers(rule, SOURCE)?)?;
    let targets = conditions(&matchers(rule, TARGET)?)?;
    let equal = texts(rule.get("equal"));
    if equal.iter().any(|label| label == "alertname") {
        let why = "`equal` names `alertname`: an episode of a rule has one severity, which `worse:` raises, so nothing is left to mute";
        return Err(why.into());
    }
    if equal.iter().any(|label| label == "severity") {
        return Err("`equal` names `severity`, which is not a label of an episode".into());
    }
    if sources.iter().chain(&targets).any(Vec::is_empty) {
        return Err("it has no matcher for its source or its target".into());
    }
    if equal.len() > 16 || equal.iter().any(String::is_empty) {
        return Err("`equal` has more than 16 labels, or an empty one".into());
    }
    if sources.len() * targets.len() > 20 {
        return Err("more than 20 alternatives".into());
    }
    let name = rule.get("name").and_then(Node::text).or_else(|| sources.first()?.first().cloned());
    let name = name.as_deref().and_then(slug).unwrap_or_else(|| "inhibit".into());
    let mut made = Vec::new();
    for source in &sources {
        for target in &targets {
            let mut entries = vec![
                ("source".to_string(), Yaml::texts(source.clone())),
                ("target".to_string(), Yaml::texts(target.clone())),
            ];
            if !equal.is_empty() {
                entries.push(("equal".to_string(), Yaml::texts(equal.clone())));
            }
            made.push((name.clone(), Yaml::Map(entries)));
        }
    }
    Ok(made)
}
