//! The cluster's settings in force.
use std::collections::BTreeMap;

use serde_json::Value;

/// Flat names without their scope: `cluster.routing.allocation.enable`. Items of a list are joined by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub persistent: BTreeMap<String, String>,
    pub transient: BTreeMap<String, String>,
    /// Applies if neither scope sets a value: the nodes' configuration and the server's defaults.
    pub defaults: BTreeMap<String, String>,
}

/// The scope of a setting. Transient settings override persistent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Transient,
    Persistent,
}

impl Settings {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.explicit(name).map(|(_, value)| value).or_else(|| self.defaults.get(name).map(String::as_str))
    }

    /// A value that was written to the cluster, and its scope.
    pub fn explicit(&self, name: &str) -> Option<(Scope, &str)> {
        [Scope::Transient, Scope::Persistent]
            .into_iter()
            .find_map(|scope| Some((scope, self.scope(scope).get(name)?.as_str())))
    }

    pub fn scope(&self, scope: Scope) -> &BTreeMap<String, String> {
        match scope {
            Scope::Transient => &self.transient,
            Scope::Persistent => &self.persistent,
        }
    }

    /// The settings in force below `prefix`, without the prefix and without empty values.
    pub fn below<'a>(&'a self, prefix: &str) -> BTreeMap<&'a str, &'a str> {
        let mut found = BTreeMap::new();
        for held in [&self.defaults, &self.persistent, &self.transient] {
            for (name, value) in held {
                if let Some(rest) = name.strip_prefix(prefix) {
                    found.insert(rest, value.as_str());
                }
            }
        }
        found.retain(|_, value| !value.trim().is_empty());
        found
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        items(self.get(name).unwrap_or_default())
    }
}

impl Scope {
    pub fn word(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Persistent => "persistent",
        }
    }
}

/// A list's items as servers read them: comma-separated, ignoring spaces around them.
pub(crate) fn items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Flattens nested objects and dotted names.
pub(crate) fn flatten(value: &Value) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    walk(String::new(), value, &mut flat);
    flat
}

fn walk(name: String, value: &Value, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                walk(name, member, flat);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            flat.insert(name, items.join(","));
        }
        Value::Null => {}
        other => {
            flat.insert(name, text(other));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_and_flat_settings_read_alike() {
        let nested = json!({ "cluster": { "routing": { "allocation": { "awareness": { "attributes": ["zone", "rack"] } } } } });
        let flat = json!({ "cluster.routing.allocation.awareness.attributes": "zone,rack" });
        assert_eq!(flatten(&nested), flatten(&flat));
    }

    #[test]
    fn what_is_transient_outweighs_what_is_persistent_and_that_the_defaults() {
        let set = |value: &str| BTreeMap::from([("a".to_owned(), value.to_owned())]);
        let mut settings = Settings { defaults: set("d"), ..Settings::default() };
        assert_eq!((settings.get("a"), settings.explicit("a")), (Some("d"), None));
        settings.persistent = set("p");
        assert_eq!(settings.explicit("a"), Some((Scope::Persistent, "p")));
        settings.transient = set("t");
        assert_eq!(settings.explicit("a"), Some((Scope::Transient, "t")));
        settings.transient = set(" ");
        assert!(settings.below("").is_empty(), "an empty list excludes nothing");
    }
}
