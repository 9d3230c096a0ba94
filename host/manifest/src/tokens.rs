//! `@@KEY@@`: values of the environment inside manifests.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::report::{Diagnostic, Place, may_hint, nearest, suggest};
use crate::source::{Piece, is_name};
use crate::tree::{Data, Entry, Node, plain_value};

/// The tokens of an environment.
#[derive(Default)]
pub(crate) struct Tokens {
    values: BTreeMap<String, Token>,
    /// Names that occur in any file, overridden or not.
    mentioned: BTreeSet<String>,
    /// Where tokens are defined, for hints.
    home: Option<Arc<str>>,
}

struct Token {
    place: Place,
    value: Value,
    /// How the value appears in a string.
    text: String,
}

impl Tokens {
    /// Adds a file's `tokens:`; a later file's value wins.
    pub(crate) fn define(&mut self, entry: &Entry, faults: &mut Vec<Diagnostic>) {
        let mut found = BTreeMap::new();
        match &entry.value.data {
            Data::Map(_) => flatten("", &entry.value, &mut found, faults),
            Data::Scalar(Value::Null) | Data::Bad => {}
            _ => faults
                .push(Diagnostic::error(&entry.value.place, "`tokens` must be a map of names to values")),
        }
        self.home = Some(entry.place.file.clone());
        self.values.extend(found);
    }

    /// Adds values given on the command line.
    pub(crate) fn override_with(&mut self, given: &[(String, String)], faults: &mut Vec<Diagnostic>) {
        for (name, text) in given {
            let place = Place::file("--token");
            let Some(token) = self.values.get_mut(name) else {
                let known: Vec<&str> = self.values.keys().map(String::as_str).collect();
                faults.push(
                    Diagnostic::error(&place, format!("there is no token `{name}`"))
                        .maybe_hint(suggest(name, &known)),
                );
                continue;
            };
            // Anything that is not a number or a YAML keyword is a string.
            token.value = match plain_value(text) {
                Ok(value) if !value.is_null() => value,
                _ => Value::String(text.clone()),
            };
            token.text = text.clone();
        }
    }

    /// Records every token in `node`.
    pub(crate) fn mention(&mut self, node: &Node) {
        match &node.data {
            Data::Scalar(_) | Data::Bad => {}
            Data::Template(template) => {
                for piece in &template.pieces {
                    if let Piece::Token { name, .. } = piece {
                        self.mentioned.insert(name.clone());
                    }
                }
            }
            Data::List(items) => items.iter().for_each(|item| self.mention(item)),
            Data::Map(entries) => entries.iter().for_each(|entry| self.mention(&entry.value)),
        }
    }

    /// Replaces tokens with values. The shape of `node` does not change.
    pub(crate) fn apply(&self, node: &mut Node, faults: &mut Vec<Diagnostic>) {
        match &mut node.data {
            Data::Scalar(_) | Data::Bad => {}
            Data::List(items) => items.iter_mut().for_each(|item| self.apply(item, faults)),
            Data::Map(entries) => entries.iter_mut().for_each(|entry| self.apply(&mut entry.value, faults)),
            Data::Template(template) => {
                let mut text = String::new();
                let mut alone = None;
                let mut bad = false;
                for piece in &template.pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Token { name, place } => {
                            alone = self.token(name, place, faults);
                            match alone {
                                Some(token) => text.push_str(&token.text),
                                None => bad = true,
                            }
                        }
                        // Reported when it was read.
                        Piece::Stray(_) => {}
                    }
                }
                node.data = match alone {
                    _ if bad => Data::Bad,
                    Some(token) if template.typed => Data::Scalar(token.value.clone()),
                    _ => Data::Scalar(Value::String(text)),
                };
            }
        }
    }

    /// Unused tokens.
    pub(crate) fn unused(&self, faults: &mut Vec<Diagnostic>) {
        let known: Vec<&str> = self.mentioned.iter().map(String::as_str).collect();
        for (name, token) in &self.values {
            if !self.mentioned.contains(name) {
                let near = may_hint(faults).then(|| nearest(name, known.iter().copied())).flatten();
                let hint = match near {
                    Some(near) => format!("remove it; manifests mention `@@{near}@@`"),
                    None => "remove it, or use it in a manifest".to_string(),
                };
                faults.push(
                    Diagnostic::error(&token.place, format!("the token `{name}` is not used")).hint(hint),
                );
            }
        }
    }

    fn token(&self, name: &str, place: &Place, faults: &mut Vec<Diagnostic>) -> Option<&Token> {
        match self.values.get(name) {
            Some(token) if token.value.is_null() => {
                faults.push(
                    Diagnostic::error(place, format!("the token `{name}` has no value"))
                        .note(format!("it is defined without one at {}", token.place.short()))
                        .hint(format!("give it a value there, or `--token {name}=VALUE`")),
                );
                None
            }
            Some(token) => Some(token),
            None => {
                let known = || self.values.keys().map(String::as_str);
                let near = may_hint(faults).then(|| nearest(name, known())).flatten();
                let hint = match (near, &self.home) {
                    (Some(near), _) => format!("did you mean `@@{near}@@`?"),
                    (None, Some(home)) => format!("define `{name}` under `tokens:` in {home}"),
                    (None, None) => format!("define `{name}` under `tokens:` of the environment"),
                };
                faults.push(Diagnostic::error(place, format!("unknown token `{name}`")).hint(hint));
                None
            }
        }
    }
}

fn flatten(prefix: &str, node: &Node, into: &mut BTreeMap<String, Token>, faults: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        let name = format!("{prefix}{}", entry.key);
        if !is_name(&entry.key) {
            faults.push(
                Diagnostic::error(&entry.place, format!("`{}` is not a valid token name", entry.key))
                    .hint("use letters, digits, `_`, `.` and `-`"),
            );
            continue;
        }
        let value = match &entry.value.data {
            Data::Map(_) => {
                flatten(&format!("{name}."), &entry.value, into, faults);
                continue;
            }
            Data::Scalar(value) => value.clone(),
            Data::Bad => continue,
            Data::List(_) => {
                faults.push(
                    Diagnostic::error(&entry.value.place, format!("the token `{name}` cannot be a list"))
                        .hint("a token is a string, a number or a boolean; override the rule's key under `rules:`"),
                );
                continue;
            }
            Data::Template(_) => {
                faults.push(Diagnostic::error(
                    &entry.value.place,
                    format!("the token `{name}` cannot contain another token"),
                ));
                continue;
            }
        };
        let text = entry.value.written.clone().unwrap_or_else(|| as_text(&value));
        let token = Token { place: entry.place.clone(), value, text };
        if let Some(first) = into.insert(name.clone(), token) {
            faults.push(
                Diagnostic::error(&entry.place, format!("the token `{name}` is defined twice"))
                    .note(format!("first defined at {}", first.place.short())),
            );
        }
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
