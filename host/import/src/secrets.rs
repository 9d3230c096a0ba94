//! Credentials: referred to by name, never written.
use std::collections::{BTreeMap, BTreeSet};

use crate::mask::lone_token;
use crate::node::Node;
use crate::report::SecretNeeded;
use crate::yaml::Yaml;

/// The variables that replace the secrets of all files. Values are kept only to recognize equal ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    names: BTreeMap<(String, String), String>,
    needed: BTreeMap<String, String>,
    /// Environment variables that the files name themselves.
    pub(crate) variables: BTreeSet<String>,
}

impl Secrets {
    pub(crate) fn new(variables: BTreeSet<String>) -> Self {
        Self { variables, ..Self::default() }
    }

    /// A reference to what `node` holds. `how`: what to set the variable to, with `{}` for the value, where that is not
    /// the value itself; for example the scheme of an `Authorization` header before it.
    pub(crate) fn reference(&mut self, wanted: &str, option: &str, node: &Node, how: Option<&str>) -> Yaml {
        let value = node.text().unwrap_or_default();
        let origin = format!("`{option}` ({}:{})", node.place.file, node.place.line);
        let (name, what) = match (lone_token(&value), how) {
            (Some(token), None) if self.variables.contains(token) => {
                (token.to_string(), format!("the same as for ElastAlert: {origin} names it"))
            }
            (Some(token), None) => (snake(token), format!("the value of `@@{token}@@` in {origin}")),
            (_, None) => (self.named(wanted, &value), format!("the value of {origin}")),
            (_, Some(how)) => {
                (self.named(wanted, &value), format!("{}, from {origin}", how.replace("{}", "VALUE")))
            }
        };
        self.needed.entry(name.clone()).or_insert(what);
        Yaml::map([("env", Yaml::Text(name))])
    }

    /// A variable for something that is in no file.
    pub(crate) fn new_reference(&mut self, wanted: &str, what: &str) -> Yaml {
        self.needed.entry(wanted.to_string()).or_insert_with(|| what.to_string());
        Yaml::map([("env", Yaml::text(wanted))])
    }

    /// A variable for what the file `of` holds, which is not read; and its name.
    pub(crate) fn of_file(&mut self, wanted: &str, of: &str, what: &str) -> (String, Yaml) {
        let name = self.named(wanted, of);
        self.needed.entry(name.clone()).or_insert_with(|| what.to_string());
        (name.clone(), Yaml::map([("env", Yaml::Text(name))]))
    }

    /// The variables that `written` refers to.
    pub(crate) fn needed(&self, written: &Yaml) -> Vec<SecretNeeded> {
        let mut used = BTreeSet::new();
        references(written, &mut used);
        let of = |(variable, value): (&String, &String)| SecretNeeded {
            variable: variable.clone(),
            value: value.clone(),
        };
        self.needed.iter().filter(|(name, _)| used.contains(name.as_str())).map(of).collect()
    }

    fn named(&mut self, wanted: &str, value: &str) -> String {
        let key = (wanted.to_string(), value.to_string());
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let free = |name: &String| !self.needed.contains_key(name);
        let mut candidates =
            std::iter::once(wanted.to_string()).chain((2..).map(|n| format!("{wanted}_{n}")));
        let name = candidates.find(free).unwrap_or_else(|| wanted.to_string());
        self.names.insert(key, name.clone());
        name
    }
}

fn references<'a>(written: &'a Yaml, used: &mut BTreeSet<&'a str>) {
    match written {
        Yaml::Map(entries) => {
            for (key, value) in entries {
                match value {
                    Yaml::Text(name) if key == "env" => {
                        used.insert(name);
                    }
                    value => references(value, used),
                }
            }
        }
        Yaml::List(items) => items.iter().for_each(|item| references(item, used)),
        _ => {}
    }
}

/// A name for an environment variable: `hipchat.token-1` becomes HIPCHAT_TOKEN_1.
pub(crate) fn snake(name: &str) -> String {
    let upper: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if upper.starts_with(|c: char| c.is_ascii_digit()) { format!("_{upper}") } else { upper }
}
