use crate::{Duration, Range};

/// The maximum number of rounds of questions in one run.
pub const ROUNDS_MAX: usize = 4;

/// A rule's question to the cluster. The manifest's index, filter and time field always apply as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The time range: `start` is included, `end` is not.
    pub over: Range,
    /// Combined with AND: each keeps documents whose field has one of its values.
    pub only: Vec<AnyOf>,
    /// A further condition.
    pub filter: Option<Query>,
    /// What to return.
    pub ask: Ask,
}

/// Questions that are asked together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// At most 64.
    pub questions: Vec<Question>,
    /// Whether the rows serve only to decide what to ask next.
    pub is_scouting: bool,
}

/// A condition on documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Lucene query-string syntax.
    Lucene(String),
    /// An Elasticsearch query, as JSON text.
    Dsl(String),
}

/// Selects documents whose field has one of the values.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOf {
    /// The field's name.
    pub field: String,
    /// `None` stands for documents without the field.
    pub values: Vec<Option<String>>,
}

/// What to return.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Documents, one row each.
    Hits(Hits),
    /// Counts and metrics, one row per bucket.
    Buckets(Buckets),
    /// A search as its author wrote it.
    Search(RawSearch),
    /// The cluster's own state.
    Cluster(ClusterView),
}

/// Documents, reduced to the requested fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// Fields to read, one column each; may include `_index` and `_id`.
    pub fields: Vec<String>,
    /// Each becomes a column of booleans.
    pub filters: Vec<NamedFilter>,
}

/// Counts and metrics per combination of values and per interval, read to the last bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Fields to group by, one column each.
    pub by: Vec<String>,
    /// The duration of a bucket; `None`: one bucket for the whole range.
    pub every: Option<Duration>,
    /// The offset of the buckets from multiples of `every`.
    pub offset: Duration,
    /// Each becomes a column of numbers.
    pub metrics: Vec<Metric>,
    /// Each becomes a column of counts.
    pub filters: Vec<NamedFilter>,
}

/// A search as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSearch {
    /// The body of the search: JSON, in which the host fills in range and filter.
    pub body: String,
    /// Columns: a name, and a JSON pointer into the response.
    pub pick: Vec<(String, String)>,
}

/// A filter whose result becomes a column.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFilter {
    /// The column's name.
    pub name: String,
    /// The condition.
    pub query: Query,
}

/// A metric of a bucket's documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The column's name.
    pub name: String,
    /// Where the values come from.
    pub source: Source,
    /// The calculation.
    pub calc: Calc,
    /// Which of the bucket's documents count; `None`: all.
    pub filter: Option<Query>,
}

/// Where a metric's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field.
    Field(String),
    /// Painless source that returns a number for each document.
    Script(String),
}

/// How to calculate one number from many values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calc {
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// The mean.
    Average,
    /// The sum.
    Sum,
    /// The number of values.
    ValueCount,
    /// The approximate number of distinct values.
    Cardinality,
    /// The value below which this percentage of values lies, 0 to 100.
    Percentile(f64),
}

/// A view of the cluster's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterView {
    /// `_cluster/health`.
    Health,
    /// Unassigned shards.
    UnassignedShards,
    /// The master's pending tasks.
    PendingTasks,
    /// The nodes' disk usage.
    Disks,
    /// What prevents replacing a node.
    Gate,
}

/// What a rule needs, as returned by `prepare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How much history a rule must read before its first window to evaluate it correctly; at most 400 days.
    pub history: Duration,
    /// The interval between checks by time, 1 ms to 7 days; `None`: no checks, and windows follow the manifest.
    pub grid: Option<Duration>,
}
