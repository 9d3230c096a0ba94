//! The shapes that listed parts may have.
use crate::scope::Grant;

/// What a value may be.
pub(crate) enum Form {
    /// A text, a number, a boolean or null.
    Scalar,
    /// A scalar, or a list of scalars.
    Scalars,
    /// A whole number of at least 1; 0 with the grant `whole_index`.
    Count,
    /// A way of rewriting that keeps all terms; others with the grant `whole_index`.
    Rewrite,
    /// The name of an index, which must be allowed.
    Index,
    /// A scalar, a list, or GeoJSON.
    Place,
    /// Any JSON: data that no server interprets as a part of the search.
    Data,
    /// A query.
    Query,
    /// A query, or a list of queries.
    Queries,
    /// The values of a `terms` query.
    Terms,
    /// Queries by name, or a list of queries.
    Filters,
    /// The texts that documents should be like.
    Likes,
    /// A rule of an `intervals` query.
    Interval,
    /// Aggregations, by name.
    Aggs,
    /// A sort: a field, its options, or a list of both.
    Sort,
    /// A script: its source, or a map with its source.
    Script,
    /// A map of these keys.
    Keys(&'static [Key]),
    /// A map of these keys and of those that every query has.
    Options(&'static [Key]),
    /// A map of these keys and of those that say which values an aggregation reads.
    Measure(&'static [Key]),
    /// A map from any name to this form.
    Named(&'static Form),
    /// This form, or a list of it.
    Each(&'static Form),
    /// A scalar, or this form.
    ScalarOr(&'static Form),
    /// A map of options, and of fields that have this form.
    Fields(&'static Form, &'static [Key]),
}

/// A part with a name.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// What it needs beyond being listed.
    pub(crate) needs: Option<Grant>,
}

pub(crate) const fn key(name: &'static str, form: Form) -> Key {
    Key { name, form, needs: None }
}

pub(crate) const fn granted(name: &'static str, form: Form, grant: Grant) -> Key {
    Key { name, form, needs: Some(grant) }
}

/// An option that is a scalar.
pub(crate) const fn plain(name: &'static str) -> Key {
    key(name, Form::Scalar)
}

/// A name that is never allowed, and why, as a clause after it.
pub(crate) type Never = (&'static str, &'static str);

pub(crate) const UNREADABLE: &str = "cannot be inspected";
pub(crate) const OF_A_MODEL: &str = "asks a model or a rule set of the cluster";
pub(crate) const PAST_FILTER: &str = "selects documents regardless of the rule's filter";
pub(crate) const CUTTING: &str = "would make a partial answer look complete";
