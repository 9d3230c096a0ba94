use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchbell_contract::{Ask, Calc, ClusterView, Metric, NamedFilter, Query, Question, Source};

use super::recorder::Refused;

/// Where in its run a question was refused, and the whole question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefusedForm {
    pub(crate) round: usize,
    pub(crate) question: u32,
    pub(crate) asks: Value,
}

impl RefusedForm {
    pub(super) fn of(refused: &Refused) -> Self {
        Self { round: refused.round, question: refused.number, asks: asks(&refused.question) }
    }

    /// Whether `question` is exactly this one.
    pub(crate) fn is(&self, question: &Question) -> bool {
        self.asks == asks(question)
    }
}

fn asks(question: &Question) -> Value {
    let only: Vec<Value> = question
        .only
        .iter()
        .map(|any_of| json!({ "field": any_of.field, "values": any_of.values }))
        .collect();
    let ask = match &question.ask {
        Ask::Hits(hits) => json!({ "hits": { "fields": hits.fields, "filters": filters(&hits.filters) } }),
        Ask::Buckets(buckets) => json!({ "buckets": {
            "by": buckets.by,
            "every_ms": buckets.every.map(|every| every.millis()),
            "metrics": buckets.metrics.iter().map(metric).collect::<Vec<_>>(),
            "filters": filters(&buckets.filters),
        } }),
        Ask::Search(search) => json!({ "search": { "body": search.body, "pick": search.pick } }),
        Ask::Cluster(view) => json!({ "cluster": match view {
            ClusterView::Health => "health",
            ClusterView::UnassignedShards => "unassigned_shards",
            ClusterView::PendingTasks => "pending_tasks",
            ClusterView::Disks => "disks",
            ClusterView::Gate => "gate",
        } }),
    };
    let filter = question.filter.as_ref().map(query);
    json!({ "over": [question.over.start.0, question.over.end.0], "only": only, "filter": filter, "ask": ask })
}

fn filters(filters: &[NamedFilter]) -> Vec<Value> {
    filters.iter().map(|named| json!({ "name": named.name, "query": query(&named.query) })).collect()
}

fn metric(metric: &Metric) -> Value {
    let calc = match &metric.calc {
        Calc::Minimum => json!("minimum"),
        Calc::Maximum => json!("maximum"),
        Calc::Average => json!("average"),
        Calc::Sum => json!("sum"),
        Calc::ValueCount => json!("value_count"),
        Calc::Cardinality => json!("cardinality"),
        Calc::Percentile(percent) => json!({ "percentile": percent }),
    };
    let source = match &metric.source {
        Source::Field(field) => json!({ "field": field }),
        Source::Script(script) => json!({ "script": script }),
    };
    let filter = metric.filter.as_ref().map(query);
    json!({ "name": metric.name, "source": source, "calc": calc, "filter": filter })
}

fn query(query: &Query) -> Value {
    match query {
        Query::Lucene(text) => json!({ "lucene": text }),
        Query::Dsl(text) => json!({ "dsl": text }),
    }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Hits, Range, Timestamp};

    use super::*;

    #[test]
    fn a_question_is_known_by_every_word_of_it() {
        let over = Range::new(Timestamp(1), Timestamp(2));
        let question = |filter: &str| Question {
            over,
            only: vec![],
            filter: Some(Query::Lucene(filter.into())),
            ask: Ask::Hits(Hits { fields: vec!["user".into()], filters: vec![] }),
        };
        let refused = Refused { round: 1, number: 2, question: question("user:\"unclosed") };
        let form = RefusedForm::of(&refused);
        let text = serde_json::to_string(&form).unwrap();
        let read: RefusedForm = serde_json::from_str(&text).unwrap();
        assert_eq!((read.round, read.question), (1, 2));
        assert!(read.is(&question("user:\"unclosed")) && !read.is(&question("user:\"closed\"")));
    }
}
