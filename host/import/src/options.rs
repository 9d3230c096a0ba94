//! The options of one rule, and what becomes of each.
use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_manifest::Place;

use crate::duration::{self, Span};
use crate::mask::lone_token;
use crate::node::{Data, Entry, Node};
use crate::report::{Fate, Fault, OptionOutcome};
use crate::yaml::Yaml;

#[derive(Clone, Debug)]
pub(crate) struct Opt {
    pub(crate) place: Place,
    pub(crate) value: Node,
    /// It comes from the configuration or an imported file, so other rules may use it too.
    pub(crate) shared: bool,
}

/// What becomes of an option. A `weak` finding counts only if no rule has another.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: OptionOutcome,
    pub(crate) weak: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) file: Arc<str>,
    by_name: BTreeMap<String, Opt>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) faults: Vec<Fault>,
}

impl Options {
    pub(crate) fn new(file: Arc<str>) -> Self {
        Self { file, by_name: BTreeMap::new(), findings: Vec::new(), faults: Vec::new() }
    }

    /// Adds an option; one of the same name is overridden, which is reported.
    pub(crate) fn lay(&mut self, entry: &Entry, shared: bool) {
        let opt = Opt { place: entry.place.clone(), value: entry.value.clone(), shared };
        if let Some(below) = self.by_name.insert(entry.key.clone(), opt) {
            let what = format!("overridden by {}:{}", entry.place.file, entry.place.line);
            self.find(below.place, &entry.key, Fate::Dropped, what, below.shared);
        }
    }

    /// Records what becomes of an option in a file that other rules may import too.
    pub(crate) fn told(&mut self, entry: &Entry, fate: Fate, what: &str) {
        self.find(entry.place.clone(), &entry.key, fate, what.into(), false);
    }

    /// A copy for one entry of `alert` that has its own options.
    pub(crate) fn with(&self, entries: &[Entry]) -> Self {
        let mut options = self.clone();
        options.findings.clear();
        options.faults.clear();
        for entry in entries {
            // The overridden value still applies to the other alerters.
            options.by_name.insert(
                entry.key.clone(),
                Opt { place: entry.place.clone(), value: entry.value.clone(), shared: false },
            );
        }
        options
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.by_name.contains_key(key)
    }

    pub(crate) fn node(&self, key: &str) -> Option<Node> {
        self.by_name.get(key).map(|opt| opt.value.clone()).filter(|node| node.data != Data::Null)
    }

    /// Whether the option is there without a value.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.by_name.get(key).is_some_and(|opt| opt.value.data == Data::Null)
    }

    /// Whether other rules may have the same option from the same place.
    pub(crate) fn is_shared(&self, key: &str) -> bool {
        self.by_name.get(key).is_some_and(|opt| opt.shared)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }

    /// The place of the option's name; the file as a whole for an absent option.
    pub(crate) fn place(&self, key: &str) -> Place {
        let whole = || Place { file: self.file.clone(), line: 0, column: 0 };
        self.by_name.get(key).map_or_else(whole, |opt| opt.place.clone())
    }

    pub(crate) fn is_settled(&self, key: &str) -> bool {
        let Some(opt) = self.by_name.get(key) else { return true };
        self.findings.iter().any(|finding| finding.outcome.place == opt.place)
    }

    pub(crate) fn carried(&mut self, key: &str, what: impl Into<String>) {
        self.say(key, Fate::Carried, what);
    }

    /// Carried, unless a fate is recorded already.
    pub(crate) fn settle(&mut self, key: &str, what: impl Into<String>) {
        if !self.is_settled(key) {
            self.carried(key, what);
        }
    }

    pub(crate) fn changed(&mut self, key: &str, what: impl Into<String>) {
        self.say(key, Fate::Changed, what);
    }

    pub(crate) fn dropped(&mut self, key: &str, why: impl Into<String>) {
        self.say(key, Fate::Dropped, why);
    }

    /// The same for several options; absent ones are skipped.
    pub(crate) fn drop_all(&mut self, keys: &[&str], why: &str) {
        keys.iter().for_each(|key| self.dropped(key, why));
    }

    pub(crate) fn failed(&mut self, key: &str, what: impl Into<String>) {
        self.say(key, Fate::Failed, what);
    }

    /// An error that keeps the rule from being carried over.
    pub(crate) fn fault(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let (message, remedy) = (message.into(), remedy.into());
        let place = self.by_name.get(key).map_or_else(|| self.place(key), |opt| opt.value.place.clone());
        self.say(key, Fate::Failed, format!("{message}; {remedy}"));
        self.fault_at(place, message, remedy);
    }

    pub(crate) fn fault_at(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let fault = Fault { place, message: message.into(), remedy: remedy.into() };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A default that is written out, because the product's here is another.
    pub(crate) fn absent(&mut self, key: &str, what: impl Into<String>) {
        self.find(self.place(key), key, Fate::Carried, what.into(), false);
    }

    fn say(&mut self, key: &str, fate: Fate, what: impl Into<String>) {
        if let Some(opt) = self.by_name.get(key) {
            self.find(opt.place.clone(), key, fate, what.into(), false);
        }
    }

    /// Options that no module handled: `explain` says why.
    pub(crate) fn rest(&mut self, explain: impl Fn(&str) -> String) {
        for (key, opt) in self.by_name.clone() {
            if !self.is_settled(&key) {
                self.find(opt.place, &key, Fate::Dropped, explain(&key), opt.shared);
            }
        }
    }

    fn find(&mut self, place: Place, option: &str, fate: Fate, what: String, weak: bool) {
        let outcome = OptionOutcome { place, option: option.to_string(), fate, what };
        self.findings.push(Finding { outcome, weak });
    }

    // The value of an option. One of the wrong type is a fault and reads as absent.

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let node = self.node(key)?;
        let text = node.text();
        if text.is_none() {
            self.fault(key, format!("`{key}` must be a string, found {}", node.kind()), "write a string");
        }
        text
    }

    /// A text with something in it: ElastAlert takes an empty one for none.
    pub(crate) fn filled(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.carried(key, "empty, so it has no effect, as in ElastAlert");
            return None;
        }
        Some(text)
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        match &node.data {
            Data::Bool(value) => Some(*value),
            Data::Text(text) if matches!(text.to_lowercase().as_str(), "true" | "false") => {
                Some(text.eq_ignore_ascii_case("true"))
            }
            _ => {
                let message = format!("`{key}` must be true or false, found {}", node.kind());
                self.fault(key, message, "write `true` or `false`");
                None
            }
        }
    }

    /// A flag that may depend on the environment.
    pub(crate) fn switch(&mut self, key: &str) -> Option<Yaml> {
        match self.node(key)?.data {
            Data::Token(text) => Some(Yaml::Token(text)),
            _ => self.flag(key).map(Yaml::Bool),
        }
    }

    /// A number, or a token that stands for one.
    pub(crate) fn number(&mut self, key: &str) -> Option<Yaml> {
        let node = self.node(key)?;
        match &node.data {
            Data::Number { written, .. } => Some(Yaml::Number(written.clone())),
            Data::Token(text) => Some(Yaml::Token(text.clone())),
            Data::Text(text) if lone_token(text).is_some() => Some(Yaml::Token(text.clone())),
            _ => {
                let message = format!("`{key}` must be a number, found {}", node.kind());
                self.fault(key, message, "write a number without quotes");
                None
            }
        }
    }

    pub(crate) fn span(&mut self, key: &str) -> Option<Span> {
        let node = self.node(key)?;
        match duration::read(&node) {
            Ok(span) => Some(span),
            Err((place, message, remedy)) => {
                self.say(key, Fate::Failed, format!("{message}; {remedy}"));
                self.fault_at(place, format!("`{key}`: {message}"), remedy);
                None
            }
        }
    }

    /// A text, or a list of them.
    pub(crate) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        let texts = match &node.data {
            Data::List(items) => items.iter().map(Node::text).collect(),
            _ => node.text().map(|text| vec![text]),
        };
        if texts.is_none() {
            let message = format!("`{key}` must be a string or a list of strings");
            self.fault(key, message, "write `[first, second]`");
        }
        texts
    }
}

/// A tree as it is, for values that are passed on without being interpreted.
pub(crate) fn as_yaml(node: &Node) -> Yaml {
    match &node.data {
        Data::Null => Yaml::Null,
        Data::Bool(value) => Yaml::Bool(*value),
        Data::Number { written, .. } => Yaml::Number(written.clone()),
        Data::Text(text) => Yaml::Text(text.clone()),
        Data::Token(text) => Yaml::Token(text.clone()),
        Data::List(items) => Yaml::List(items.iter().map(as_yaml).collect()),
        Data::Map(entries) => {
            let mut map: Vec<(String, Yaml)> = Vec::new();
            for entry in entries {
                // Of duplicate keys, Python keeps the last value in the place of the first.
                match map.iter_mut().find(|(key, _)| *key == entry.key) {
                    Some(first) => first.1 = as_yaml(&entry.value),
                    None => map.push((entry.key.clone(), as_yaml(&entry.value))),
                }
            }
            Yaml::Map(map)
        }
    }
}
