//! What becomes of every option, by its path.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_manifest::Place;

use crate::node::{Data, Entry, Node};
use crate::options::Options;
use crate::report::{Fate, OptionOutcome};

pub(super) struct Account<'a> {
    root: &'a Node,
    paths: BTreeMap<Place, String>,
    outcomes: BTreeSet<OptionOutcome>,
    /// What one receiver says of an option that others have from `global` too.
    weak: BTreeSet<(Place, String)>,
}

impl<'a> Account<'a> {
    pub(super) fn of(root: &'a Node) -> Self {
        let mut paths = BTreeMap::new();
        name(root, "", &mut paths);
        Self { root, paths, outcomes: BTreeSet::new(), weak: BTreeSet::new() }
    }

    pub(super) fn told(&mut self, place: &Place, fate: Fate, what: impl Into<String>) {
        let option = self.paths.get(place).cloned().unwrap_or_else(|| "(file)".into());
        self.outcomes.insert(OptionOutcome { place: place.clone(), option, fate, what: what.into() });
    }

    /// What was decided about the options of one map.
    pub(super) fn take(&mut self, options: Options) {
        for finding in options.findings {
            let found = finding.outcome;
            if finding.weak {
                self.weak.insert((found.place, found.what));
                continue;
            }
            self.told(&found.place, found.fate, found.what);
        }
    }

    /// Every outcome; an option that nothing was said about has no counterpart.
    pub(super) fn end(mut self) -> Vec<OptionOutcome> {
        let places = |outcomes: &BTreeSet<OptionOutcome>| -> BTreeSet<Place> {
            outcomes.iter().map(|outcome| outcome.place.clone()).collect()
        };
        let told = places(&self.outcomes);
        for (place, what) in std::mem::take(&mut self.weak) {
            if !told.contains(&place) {
                self.told(&place, Fate::Dropped, what);
            }
        }
        let told = places(&self.outcomes);
        let mut left = Vec::new();
        untold(self.root, &told, &mut left);
        for place in left {
            let path = self.paths.get(&place).map(String::as_str).unwrap_or_default();
            let known = REASONS.iter().find(|(known, _)| path.strip_prefix(known).is_some_and(is_end));
            let what = known.map_or("has no counterpart here", |(_, why)| why);
            self.told(&place, Fate::Dropped, what);
        }
        self.outcomes.into_iter().collect()
    }
}

/// Why options that no module handles have no counterpart.
const REASONS: &[(&str, &str)] = &[
    ("global.resolve_timeout", "an episode ends when its rule says so"),
    ("global.http_config", "certificates are always verified, and there is no proxy"),
    ("global.smtp_hello", "the mail server is greeted by the machine's name"),
    ("global", "no receiver that was converted uses it"),
    ("templates", "texts are the rules' `alert.title` and `alert.body`: write them there"),
];

/// Whether a path ends here, or goes on with a part of its own.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

fn name(node: &Node, path: &str, paths: &mut BTreeMap<Place, String>) {
    match &node.data {
        Data::Map(entries) => {
            for entry in entries {
                let path = match path {
                    "" => entry.key.clone(),
                    path => format!("{path}.{}", entry.key),
                };
                name(&entry.value, &path, paths);
                paths.insert(entry.place.clone(), path);
            }
        }
        Data::List(items) => items.iter().for_each(|item| name(item, path, paths)),
        _ => {}
    }
}

/// Options without an outcome of their own, or of all that is in them.
fn untold(node: &Node, told: &BTreeSet<Place>, left: &mut Vec<Place>) {
    match &node.data {
        Data::Map(entries) => entries.iter().filter(|entry| !told.contains(&entry.place)).for_each(|entry| {
            match has_entries(&entry.value) {
                true => untold(&entry.value, told, left),
                false => left.push(entry.place.clone()),
            }
        }),
        Data::List(items) => items.iter().for_each(|item| untold(item, told, left)),
        _ => {}
    }
}

fn has_entries(node: &Node) -> bool {
    match &node.data {
        Data::Map(entries) => !entries.is_empty(),
        Data::List(items) => items.iter().any(has_entries),
        _ => false,
    }
}

/// The items of a list; one item alone is a list as well.
pub(super) fn items(node: Option<&Node>) -> Vec<&Node> {
    match node.map(|node| (&node.data, node)) {
        Some((Data::List(items), _)) => items.iter().collect(),
        Some((Data::Null, _)) | None => Vec::new(),
        Some((_, node)) => vec![node],
    }
}

pub(super) fn texts(node: Option<&Node>) -> Vec<String> {
    items(node).into_iter().filter_map(Node::text).collect()
}

/// The last entry of a name.
pub(super) fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.entries().iter().rev().find(|entry| entry.key == key)
}
