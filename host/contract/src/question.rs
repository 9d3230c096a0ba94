use crate::{Duration, Range};

/// How often a rule may ask further questions after an answer, in one run.
pub const ROUNDS_MAX: usize = 4;

/// What a rule asks of the cluster. The manifest's index, filter and time field always apply as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The time it is about: `start` is in, `end` is not.
    pub over: Range,
    /// ANDed: each keeps documents whose field has one of its values.
    pub only: Vec<AnyOf>,
    /// Lucene query-string syntax.
    pub filter: Option<String>,
    /// What is to come back.
    pub ask: Ask,
}

/// Documents whose field has one of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOf {
    /// The field's name.
    pub field: String,
    /// `None` stands for documents without the field.
    pub values: Vec<Option<String>>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Documents, a row each.
    Hits(Hits),
    /// Counts and metrics, a row for each bucket.
    Buckets(Buckets),
    /// A search as its author wrote it.
    Search(RawSearch),
    /// The cluster's own state.
    Cluster(ClusterView),
}

/// Documents, reduced to the fields asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// A column each; `_index` and `_id` may be among them.
    pub fields: Vec<String>,
    /// Each becomes a column of booleans.
    pub filters: Vec<NamedFilter>,
}

/// Counts and metrics per combination of values and per span of time, read to the last bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Fields whose values divide the buckets; a column each.
    pub by: Vec<String>,
    /// The length of a bucket in time; `None`: one for the whole range.
    pub every: Option<Duration>,
    /// How far after a multiple of `every` the buckets begin.
    pub offset: Duration,
    /// Each becomes a column of numbers.
    pub metrics: Vec<Metric>,
    /// Each becomes a column of counts.
    pub filters: Vec<NamedFilter>,
}

/// A search as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSearch {
    /// The body: JSON, in which range and filter are filled in.
    pub body: String,
    /// Column name, JSON pointer into the answer.
    pub pick: Vec<(String, String)>,
}

/// A filter whose outcome becomes a column.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFilter {
    /// The column's name.
    pub name: String,
    /// Lucene query-string syntax.
    pub filter: String,
}

/// One number made of a bucket's documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The column's name.
    pub name: String,
    /// The field that it is made of; not read where a script says.
    pub field: String,
    /// How it is made.
    pub calc: Calc,
}

/// How a number is made of many values.
#[derive(Clone, Debug, PartialEq)]
pub enum Calc {
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// The mean.
    Average,
    /// The sum.
    Sum,
    /// How many values there are.
    ValueCount,
    /// How many different values there are, about.
    Cardinality,
    /// The value below which this share lies, 0 to 100.
    Percentile(f64),
    /// An aggregation of the author's own, as JSON.
    Script(String),
}

/// A view of the cluster's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterView {
    /// `_cluster/health`.
    Health,
    /// Shards that no node holds.
    UnassignedShards,
    /// What the master has yet to do.
    PendingTasks,
    /// How full the nodes' disks are.
    Disks,
    /// What is in the way of replacing a node.
    Gate,
}

/// What `prepare` says a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How much time before its first window a rule must read to judge it rightly.
    pub history: Duration,
    /// How far apart time-driven checks are; zero: the rule's own `every`.
    pub grid: Duration,
}
