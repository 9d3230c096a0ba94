//! A rule's questions. The manifest's index and filter always apply as well.
use crate::wire::types as wire;
use crate::{Duration, Range, Timestamp};

/// One question of a run. The manifest's index, filter and time field apply as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The time range, half-open: `start` is included, `end` is not.
    pub over: Range,
    /// Combined with AND: each keeps documents whose field has one of its values.
    pub only: Vec<AnyOf>,
    /// Lucene query-string syntax.
    pub filter: Option<String>,
    /// What to return.
    pub ask: Ask,
}

/// Selects documents whose field has one of the values.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOf {
    /// The field's name.
    pub field: String,
    /// `None` matches documents without the field.
    pub values: Vec<Option<String>>,
}

/// What a question returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Documents, one row each.
    Hits(Hits),
    /// Counts and metrics, one row per bucket.
    Buckets(Buckets),
    /// A raw search, as written by its author.
    Search(RawSearch),
    /// The cluster's own state.
    Cluster(ClusterView),
}

/// Documents, reduced to these fields. The SDK puts the key fields first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// Fields to read, one column each; may include `_index` and `_id`.
    pub fields: Vec<String>,
    /// Each becomes a column of booleans.
    pub filters: Vec<NamedFilter>,
}

/// Counts and metrics per key and per `every`, one row per bucket. A bucket's number of documents is in the column
/// `_count`. There are no empty buckets, except the only one if there is nothing to divide by. The SDK puts the key
/// fields before `by`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Fields to group by, one column each.
    pub by: Vec<String>,
    /// The duration of a bucket; `None`: one bucket for the whole range.
    pub every: Option<Duration>,
    /// Each becomes a column of numbers.
    pub metrics: Vec<Metric>,
    /// Each becomes a column of counts.
    pub filters: Vec<NamedFilter>,
}

/// A raw search, as written by its author. Its answer is one row, in the last millisecond of the question's range.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSearch {
    /// The body of the search: JSON, in which the host fills in range and filter.
    pub body: String,
    /// Columns: a name, and a JSON pointer into the response.
    pub pick: Vec<(String, String)>,
}

/// A boolean column (hits) or a count column (buckets) called `name`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFilter {
    /// The column's name.
    pub name: String,
    /// Lucene query-string syntax.
    pub filter: String,
}

/// A metric of a bucket's documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The column's name.
    pub name: String,
    /// The field to aggregate; ignored for a script.
    pub field: String,
    /// The aggregation.
    pub calc: Calc,
}

/// An aggregation of many values into one.
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
    /// The number of values.
    ValueCount,
    /// The approximate number of distinct values.
    Cardinality,
    /// The value below which this percentage lies, 0 to 100.
    Percentile(f64),
    /// The mean of what a script returns for each document. The script is Painless source.
    Script(String),
}

/// A view of the cluster's own state. Its rows are at the last millisecond of the question's range and have no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterView {
    /// `_cluster/health`: one row with `status`, `number_of_nodes`, `number_of_data_nodes`, `active_primary_shards`,
    /// `active_shards`, `relocating_shards`, `initializing_shards`, `unassigned_shards`, `number_of_pending_tasks`,
    /// `task_max_waiting_in_queue_millis` and `active_shards_percent_as_number`.
    Health,
    /// A row for each copy of a shard that no node holds: `index`, `shard`, `prirep`, `unassigned.reason`.
    UnassignedShards,
    /// A row for each pending task of the master: `insert_order`, `priority`, `source`, `time_in_queue_millis`.
    PendingTasks,
    /// A row for each data node: `node`, `shards`, `disk.percent`, and `disk.used`, `disk.avail` and `disk.total` in
    /// bytes.
    Disks,
    /// What prevents the replacement of a node. A row for each node and decider of each unassigned shard: `index`,
    /// `shard`, `prirep`, `unassigned.reason`, `node`, `decider`, `verdict` and the shard's `standing`. A row for each
    /// other finding: `code`, `standing`, `what`. A `standing` is `accepted`, `waiting`, `refused` or `unknown`.
    Gate,
}

/// The column with the mapped type of `field` in each row's index.
pub(crate) fn type_column(field: &str) -> String {
    format!("_type:{field}")
}

impl Question {
    /// Every document of `over`, with only its key fields.
    pub fn hits(over: Range) -> Self {
        Self { over, only: vec![], filter: None, ask: Ask::Hits(Hits::default()) }
    }

    /// A count per key and per `every`; if that is `None`, one bucket per key for the whole range.
    pub fn buckets(over: Range, every: Option<Duration>) -> Self {
        Self { over, only: vec![], filter: None, ask: Ask::Buckets(Buckets { every, ..Buckets::default() }) }
    }

    /// Adds a field: a column for documents, or a group per value for buckets. Has no effect on other questions.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        match &mut self.ask {
            Ask::Hits(hits) => hits.fields.push(field.into()),
            Ask::Buckets(buckets) => buckets.by.push(field.into()),
            Ask::Search(_) | Ask::Cluster(_) => {}
        }
        self
    }

    /// Adds the mapped type of `field` in each document's index ([`Row::type_of`]). For hits only: a bucket does not
    /// belong to a single index.
    ///
    /// [`Row::type_of`]: crate::Row::type_of
    pub fn type_of(self, field: &str) -> Self {
        self.field(type_column(field))
    }

    /// Adds each document's `_index` and `_id`, which a rule about single documents passes on to the host
    /// ([`Row::evidence`]). Do so even if the alert's texts show no documents: the host uses them to recognize the
    /// documents that it has already reported.
    ///
    /// [`Row::evidence`]: crate::Row::evidence
    pub fn identified(self) -> Self {
        self.field("_index").field("_id")
    }

    /// Adds a column called `name`: whether a document matches `filter`, or how many of a bucket's documents do.
    /// `filter` is in Lucene query-string syntax. Has no effect on raw searches and cluster views.
    pub fn named_filter(mut self, name: impl Into<String>, filter: impl Into<String>) -> Self {
        let filter = NamedFilter { name: name.into(), filter: filter.into() };
        match &mut self.ask {
            Ask::Hits(hits) => hits.filters.push(filter),
            Ask::Buckets(buckets) => buckets.filters.push(filter),
            Ask::Search(_) | Ask::Cluster(_) => {}
        }
        self
    }

    /// Keeps only documents that match a Lucene query string. Replaces an earlier filter.
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Keeps only documents whose `field` has one of `values`; `None` matches documents without the field. Several
    /// calls are combined with AND.
    pub fn only(mut self, field: impl Into<String>, values: Vec<Option<String>>) -> Self {
        self.only.push(AnyOf { field: field.into(), values });
        self
    }

    /// Keeps only documents that match at least one of the named filters added so far. Replaces an earlier
    /// [`filter`](Self::filter).
    pub fn named_only(self) -> Self {
        let either = self.either();
        if either.is_empty() { self } else { self.filter(either) }
    }

    /// The named filters combined: `(a) OR (b)`.
    pub(crate) fn either(&self) -> String {
        let named: &[NamedFilter] = match &self.ask {
            Ask::Hits(hits) => &hits.filters,
            Ask::Buckets(buckets) => &buckets.filters,
            Ask::Search(_) | Ask::Cluster(_) => &[],
        };
        named.iter().map(|named| format!("({})", named.filter)).collect::<Vec<_>>().join(" OR ")
    }

    /// The latest instant that a row of the answer can have.
    pub(crate) fn last_row_until(&self) -> Timestamp {
        match &self.ask {
            // Buckets without a time interval are at the start of the range.
            Ask::Buckets(Buckets { every: None, .. }) => self.over.start,
            _ => self.over.end,
        }
    }

    /// Puts the key fields first, without duplicates.
    pub(crate) fn with_key(mut self, key: &[String]) -> Self {
        let fields = match &mut self.ask {
            Ask::Hits(hits) => &mut hits.fields,
            Ask::Buckets(buckets) => &mut buckets.by,
            Ask::Search(_) | Ask::Cluster(_) => return self,
        };
        fields.retain(|field| !key.contains(field));
        fields.splice(0..0, key.iter().cloned());
        self
    }

    pub(crate) fn into_wire(self) -> wire::Question {
        wire::Question {
            over: self.over.into_wire(),
            only: self.only.into_iter().map(AnyOf::into_wire).collect(),
            filter: self.filter,
            ask: match self.ask {
                Ask::Hits(hits) => {
                    wire::Ask::Hits(wire::Hits { fields: hits.fields, filters: filters(hits.filters) })
                }
                Ask::Buckets(buckets) => wire::Ask::Buckets(wire::Buckets {
                    by: buckets.by,
                    every: buckets.every.map(Duration::millis),
                    metrics: buckets
                        .metrics
                        .into_iter()
                        .map(|m| wire::Metric { name: m.name, field: m.field, calc: m.calc.into_wire() })
                        .collect(),
                    filters: filters(buckets.filters),
                }),
                Ask::Search(search) => {
                    wire::Ask::Search(wire::RawSearch { body: search.body, pick: search.pick })
                }
                Ask::Cluster(view) => wire::Ask::Cluster(match view {
                    ClusterView::Health => wire::ClusterView::Health,
                    ClusterView::UnassignedShards => wire::ClusterView::UnassignedShards,
                    ClusterView::PendingTasks => wire::ClusterView::PendingTasks,
                    ClusterView::Disks => wire::ClusterView::Disks,
                    ClusterView::Gate => wire::ClusterView::Gate,
                }),
            },
        }
    }
}

impl AnyOf {
    pub(crate) fn into_wire(self) -> wire::AnyOf {
        wire::AnyOf { field: self.field, values: self.values }
    }
}

impl Calc {
    fn into_wire(self) -> wire::Calc {
        match self {
            Self::Minimum => wire::Calc::Minimum,
            Self::Maximum => wire::Calc::Maximum,
            Self::Average => wire::Calc::Average,
            Self::Sum => wire::Calc::Sum,
            Self::ValueCount => wire::Calc::ValueCount,
            Self::Cardinality => wire::Calc::Cardinality,
            Self::Percentile(percent) => wire::Calc::Percentile(percent),
            Self::Script(source) => wire::Calc::Script(source),
        }
    }
}

impl Range {
    pub(crate) fn into_wire(self) -> wire::Range {
        wire::Range { start: self.start.0, end: self.end.0 }
    }
}

fn filters(filters: Vec<NamedFilter>) -> Vec<wire::NamedFilter> {
    filters.into_iter().map(|f| wire::NamedFilter { name: f.name, filter: f.filter }).collect()
}
