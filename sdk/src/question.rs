//! A rule's questions. The manifest's index and filter always apply as well.
use crate::wire::types as wire;
use crate::{Duration, Range};

/// One question of a run. The manifest's index, filter and time field apply as well.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// fn ask(over: Range) -> Vec<Question> {
///     let minute = Some(Duration::from_mins(1));
///     vec![
///         // Documents, a row each: the key fields, two columns, and what tells them apart.
///         Question::hits(over).field("user.name").field("bytes").identified(),
///         // A row per key, minute and path: `_count`, how many of them failed, and the slowest.
///         Question::buckets(over, minute)
///             .field("url.path")
///             .named_filter("failed", "status:[500 TO 599]")
///             .metric(Metric::of_field("slowest", "took", Calc::Maximum))
///             .filter("NOT url.path:\"/health\""),
///     ]
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The time range, half-open: `start` is included, `end` is not.
    pub over: Range,
    /// Combined with AND: each keeps documents whose field has one of its values.
    pub only: Vec<AnyOf>,
    /// A further condition.
    pub filter: Option<Query>,
    /// What to return.
    pub ask: Ask,
}

/// Questions that are asked together.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// At most 64.
    pub questions: Vec<Question>,
    /// Whether the rows serve only to decide what to ask next.
    pub is_scouting: bool,
}

/// A condition on documents. A text becomes one in Lucene query-string syntax.
///
/// ```
/// use watchbell_sdk::{Query, json};
///
/// let errors: Query = "status:[500 TO 599]".into();
/// let same = Query::dsl(&json!({ "range": { "status": { "gte": 500, "lte": 599 } } }));
/// assert_ne!(errors, same);
/// ```
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
    pub picks: Vec<(String, String)>,
}

/// A boolean column (hits) or a count column (buckets) called `name`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFilter {
    /// The column's name.
    pub name: String,
    /// The condition.
    pub query: Query,
}

/// A number for each bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The column's name.
    pub name: String,
    /// Where the values come from.
    pub source: Source,
    /// The aggregation.
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

/// An aggregation of many values into one.
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
    /// The value below which this percentage lies, 0 to 100.
    Percentile(f64),
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
    /// A text is in Lucene query-string syntax. Has no effect on raw searches and cluster views.
    pub fn named_filter(mut self, name: impl Into<String>, query: impl Into<Query>) -> Self {
        let filter = NamedFilter { name: name.into(), query: query.into() };
        match &mut self.ask {
            Ask::Hits(hits) => hits.filters.push(filter),
            Ask::Buckets(buckets) => buckets.filters.push(filter),
            Ask::Search(_) | Ask::Cluster(_) => {}
        }
        self
    }

    /// Adds a metric to buckets. Has no effect on other questions.
    pub fn metric(mut self, metric: Metric) -> Self {
        if let Ask::Buckets(buckets) = &mut self.ask {
            buckets.metrics.push(metric);
        }
        self
    }

    /// Keeps only documents that match; a text is in Lucene query-string syntax. Replaces an earlier filter.
    pub fn filter(mut self, query: impl Into<Query>) -> Self {
        self.filter = Some(query.into());
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
        if let Some(either) = either { self.filter(either) } else { self }
    }

    /// The named filters combined with OR.
    fn either(&self) -> Option<Query> {
        let named: &[NamedFilter] = match &self.ask {
            Ask::Hits(hits) => &hits.filters,
            Ask::Buckets(buckets) => &buckets.filters,
            Ask::Search(_) | Ask::Cluster(_) => &[],
        };
        Query::any_of(named.iter().map(|named| &named.query))
    }

    pub(crate) fn into_wire(self) -> wire::Question {
        wire::Question {
            over: self.over.into_wire(),
            only: self.only.into_iter().map(AnyOf::into_wire).collect(),
            filter: self.filter.map(Query::into_wire),
            ask: match self.ask {
                Ask::Hits(hits) => {
                    wire::Ask::Hits(wire::Hits { fields: hits.fields, filters: filters(hits.filters) })
                }
                Ask::Buckets(buckets) => wire::Ask::Buckets(wire::Buckets {
                    by: buckets.by,
                    every: buckets.every.map(Duration::millis),
                    metrics: buckets.metrics.into_iter().map(Metric::into_wire).collect(),
                    filters: filters(buckets.filters),
                }),
                Ask::Search(search) => {
                    let pick = |(name, pointer)| wire::Pick { name, pointer };
                    let picks = search.picks.into_iter().map(pick).collect();
                    wire::Ask::Search(wire::RawSearch { body: search.body, picks })
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

impl Round {
    pub(crate) fn into_wire(self) -> wire::Round {
        let questions = self.questions.into_iter().map(Question::into_wire).collect();
        wire::Round { questions, is_scouting: self.is_scouting }
    }
}

impl AnyOf {
    pub(crate) fn into_wire(self) -> wire::AnyOf {
        wire::AnyOf { field: self.field, values: self.values }
    }
}

impl Metric {
    /// A metric of a field.
    pub fn of_field(name: impl Into<String>, field: impl Into<String>, calc: Calc) -> Self {
        Self { name: name.into(), source: Source::Field(field.into()), calc, filter: None }
    }

    /// A metric of what a script returns for each document. The script is Painless source.
    pub fn of_script(name: impl Into<String>, script: impl Into<String>, calc: Calc) -> Self {
        Self { name: name.into(), source: Source::Script(script.into()), calc, filter: None }
    }

    /// Counts only documents that match; a text is in Lucene query-string syntax.
    pub fn filter(mut self, query: impl Into<Query>) -> Self {
        self.filter = Some(query.into());
        self
    }

    fn into_wire(self) -> wire::Metric {
        wire::Metric {
            name: self.name,
            source: match self.source {
                Source::Field(field) => wire::Source::Field(field),
                Source::Script(script) => wire::Source::Script(script),
            },
            calc: match self.calc {
                Calc::Minimum => wire::Calc::Minimum,
                Calc::Maximum => wire::Calc::Maximum,
                Calc::Average => wire::Calc::Average,
                Calc::Sum => wire::Calc::Sum,
                Calc::ValueCount => wire::Calc::ValueCount,
                Calc::Cardinality => wire::Calc::Cardinality,
                Calc::Percentile(percent) => wire::Calc::Percentile(percent),
            },
            filter: self.filter.map(Query::into_wire),
        }
    }
}

impl Query {
    /// A condition in Lucene query-string syntax.
    pub fn lucene(text: impl Into<String>) -> Self {
        Self::Lucene(text.into())
    }

    /// An Elasticsearch query: `json!({ "term": { "user": "ann" } })`.
    pub fn dsl(query: &serde_json::Value) -> Self {
        Self::Dsl(query.to_string())
    }

    /// Documents that match at least one of several; `None` if there are none.
    pub fn any_of<'q>(queries: impl IntoIterator<Item = &'q Self>) -> Option<Self> {
        let queries: Vec<_> = queries.into_iter().collect();
        let lucene = queries.iter().map(|query| match query {
            Self::Lucene(text) => Some(format!("({text})")),
            Self::Dsl(_) => None,
        });
        match (lucene.collect::<Option<Vec<_>>>(), &queries[..]) {
            (_, []) => None,
            (_, [one]) => Some((*one).clone()),
            (Some(texts), _) => Some(Self::Lucene(texts.join(" OR "))),
            (None, several) => {
                let should: Vec<String> = several.iter().map(|query| query.as_dsl()).collect();
                let should = should.join(",");
                Some(Self::Dsl(format!(r#"{{"bool":{{"should":[{should}],"minimum_should_match":1}}}}"#)))
            }
        }
    }

    fn as_dsl(&self) -> String {
        match self {
            Self::Lucene(text) => serde_json::json!({ "query_string": { "query": text } }).to_string(),
            Self::Dsl(text) => text.clone(),
        }
    }

    pub(crate) fn into_wire(self) -> wire::Query {
        match self {
            Self::Lucene(text) => wire::Query::Lucene(text),
            Self::Dsl(text) => wire::Query::Dsl(text),
        }
    }
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Self::Lucene(text.into())
    }
}

impl From<String> for Query {
    fn from(text: String) -> Self {
        Self::Lucene(text)
    }
}

impl From<&String> for Query {
    fn from(text: &String) -> Self {
        Self::Lucene(text.clone())
    }
}

/// What the host does for a component, for the native test harness.
#[cfg(not(target_arch = "wasm32"))]
impl Question {
    /// The question as the host asks it: the key fields come first.
    pub fn with_key(mut self, key: &[String]) -> Self {
        let fields = match &mut self.ask {
            Ask::Hits(hits) => &mut hits.fields,
            Ask::Buckets(buckets) => &mut buckets.by,
            Ask::Search(_) | Ask::Cluster(_) => return self,
        };
        watchbell_rows::Asked::with_key(key, fields);
        self
    }

    /// How its answer is turned into groups.
    pub fn asked(&self, key: &[String]) -> watchbell_rows::Asked {
        let (start, end) = (self.over.start.0, self.over.end.0);
        match &self.ask {
            Ask::Hits(hits) => watchbell_rows::Asked::new(key, &hits.fields, start, end),
            // Buckets without a time interval are at the start of the range.
            Ask::Buckets(buckets) => {
                let end = if buckets.every.is_none() { start } else { end };
                watchbell_rows::Asked::new(key, &buckets.by, start, end)
            }
            Ask::Search(_) | Ask::Cluster(_) => watchbell_rows::Asked::new::<String>(&[], &[], start, end),
        }
    }
}

impl Range {
    pub(crate) fn into_wire(self) -> wire::Range {
        wire::Range { start: self.start.0, end: self.end.0 }
    }
}

fn filters(filters: Vec<NamedFilter>) -> Vec<wire::NamedFilter> {
    let filter =
        |filter: NamedFilter| wire::NamedFilter { name: filter.name, query: filter.query.into_wire() };
    filters.into_iter().map(filter).collect()
}
