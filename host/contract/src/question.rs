use crate::{Duration, Range};

/// What a rule asks of the cluster. The manifest's index, filter and time field always apply as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub over: Range,
    /// ANDed: each keeps documents whose field has one of its values.
    pub only: Vec<AnyOf>,
    /// Lucene query-string syntax.
    pub filter: Option<String>,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AnyOf {
    pub field: String,
    /// `None` stands for documents without the field.
    pub values: Vec<Option<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Hits(Hits),
    Buckets(Buckets),
    Search(RawSearch),
    Cluster(ClusterView),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    pub fields: Vec<String>,
    pub filters: Vec<NamedFilter>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    pub by: Vec<String>,
    pub every: Option<Duration>,
    /// How far after a multiple of `every` the buckets begin.
    pub offset: Duration,
    pub metrics: Vec<Metric>,
    pub filters: Vec<NamedFilter>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RawSearch {
    pub body: String,
    /// Column name, JSON pointer into the answer.
    pub pick: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NamedFilter {
    pub name: String,
    pub filter: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub name: String,
    pub field: String,
    pub calc: Calc,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Calc {
    Minimum,
    Maximum,
    Average,
    Sum,
    ValueCount,
    Cardinality,
    Percentile(f64),
    Script(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterView {
    Health,
    UnassignedShards,
    PendingTasks,
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
