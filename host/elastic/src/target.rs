use serde_json::Value;
use watchbell_confine::Scope;

/// What a rule reads: set by its manifest, the same for all of its questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Part of every error.
    pub rule: String,
    /// Names, aliases, data streams or wildcards.
    pub indices: Vec<String>,
    pub time_field: String,
    /// A Query DSL object, combined with the question's own filter by AND.
    pub filter: Option<Value>,
    /// Whether missing indices, and wildcards without a match, are an empty answer instead of an error.
    pub ignore_unavailable: bool,
    /// What its questions may reach beyond index, filter and range.
    pub scope: Scope,
}

impl Target {
    pub fn new(rule: impl Into<String>, index: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            indices: vec![index.into()],
            time_field: "@timestamp".into(),
            filter: None,
            ignore_unavailable: false,
            scope: Scope::default(),
        }
    }

    pub(crate) fn index(&self) -> String {
        self.indices.join(",")
    }
}
