use std::collections::BTreeSet;

use serde::Deserialize;

use crate::names;

/// Something that reaches beyond a rule's index, filter or time range, and that an environment can allow on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Scripts, wherever they stand.
    Scripts,
    /// Fields that a search defines.
    RuntimeFields,
    /// Queries and aggregations of parent and child documents.
    Joins,
    /// Values, shapes and texts read from other documents.
    Lookups,
    /// What depends on the terms of the whole index.
    WholeIndex,
    /// Suggestions, which are terms of the whole index.
    Suggesters,
}

impl Grant {
    /// All grants.
    pub const ALL: [Self; 6] =
        [Self::Scripts, Self::RuntimeFields, Self::Joins, Self::Lookups, Self::WholeIndex, Self::Suggesters];

    /// Its name in an environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scripts => "scripts",
            Self::RuntimeFields => "runtime_fields",
            Self::Joins => "joins",
            Self::Lookups => "lookups",
            Self::WholeIndex => "whole_index",
            Self::Suggesters => "suggesters",
        }
    }

    /// What is allowed with it, as a clause after the name of a part.
    pub fn why(self) -> &'static str {
        match self {
            Self::Scripts => "is a script, which runs on the cluster's nodes",
            Self::RuntimeFields => "defines fields, which could redefine those of the rule's filter",
            Self::Joins => {
                "reads parent or child documents, which the rule's filter and time range do not cover"
            }
            Self::Lookups => "reads other documents, of this or of another index",
            Self::WholeIndex => {
                "depends on the whole index, which the rule's filter and time range do not narrow"
            }
            Self::Suggesters => "returns terms of the whole index",
        }
    }
}

/// What rules may reach on a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// What is allowed beyond the lists.
    pub grants: BTreeSet<Grant>,
    /// Patterns of the indices that may be read; `None`: any.
    pub indices: Option<Vec<String>>,
}

impl Scope {
    /// Everything that can be granted, of any index.
    pub fn all() -> Self {
        Self { grants: Grant::ALL.into(), indices: None }
    }

    /// Whether `grant` is given.
    pub fn grants(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Those of `names`, index expressions in their order, that can reach an index that is not allowed.
    pub fn beyond<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        self.indices.as_deref().map_or(vec![], |allowed| names::beyond(names, allowed))
    }
}
