//! The documents behind a signal, as a Discover link.
use watchbell_contract::{AnyOf, Duration, Evidence, Query, Range, Selection};
use watchbell_elastic::Target;
use watchbell_pipeline::discover::Discover;

/// A link to Discover with the evidence's span, index and filters.
pub(crate) fn link(kibana: &str, target: &Target, evidence: &Evidence) -> String {
    let selection = selection(evidence);
    let discover = Discover {
        program: kibana.trim_end_matches('/').to_owned(),
        from: selection.over.start,
        to: selection.over.end,
        index: target.indices.join(","),
        clauses: clauses(target, &selection),
    };
    discover.link()
}

/// Named documents as a query, because a link holds nothing else.
fn selection(evidence: &Evidence) -> Selection {
    let documents = match evidence {
        Evidence::Selection(selection) => return selection.clone(),
        Evidence::Documents(documents) => documents,
    };
    let times = || documents.iter().map(|document| document.at);
    let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    let values = |field: &str, values: Vec<Option<String>>| AnyOf { field: field.into(), values };
    let indices: Option<Vec<_>> = documents.iter().map(|document| document.index.clone()).collect();
    let indices = indices.map(|indices| values("_index", indices.into_iter().map(Some).collect()));
    let ids = values("_id", documents.iter().map(|document| Some(document.id.clone())).collect());
    Selection {
        over: Range::new(first, last + Duration(1)),
        only: indices.into_iter().chain([ids]).collect(),
        filters: Vec::new(),
        newest: 0,
    }
}

/// Raw DSL has no Lucene form and is left out.
fn clauses(target: &Target, evidence: &Selection) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(filter) = &target.filter {
        collect_query_strings(filter, &mut parts);
    }
    parts.extend(evidence.filters.iter().filter_map(|filter| match filter {
        Query::Lucene(text) => Some(format!("({text})")),
        Query::Dsl(_) => None,
    }));
    for any in &evidence.only {
        let values: Vec<String> = any
            .values
            .iter()
            .map(|value| match value {
                Some(value) => {
                    format!("{}:\"{}\"", any.field, value.replace('\\', "\\\\").replace('"', "\\\""))
                }
                None => format!("NOT _exists_:{}", any.field),
            })
            .collect();
        parts.push(format!("({})", values.join(" OR ")));
    }
    parts
}

/// A manifest's filter is one query string, or several under `bool.filter`. Raw DSL has no Lucene form and is left out.
fn collect_query_strings(filter: &serde_json::Value, parts: &mut Vec<String>) {
    if let Some(text) = filter.pointer("/query_string/query").and_then(|text| text.as_str()) {
        parts.push(format!("({text})"));
    }
    let clauses = filter.pointer("/bool/filter").or_else(|| filter.pointer("/bool/must"));
    for clause in clauses.and_then(|clauses| clauses.as_array()).into_iter().flatten() {
        collect_query_strings(clause, parts);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;
    use watchbell_contract::{Document, Timestamp};

    use super::*;

    #[test]
    fn a_link_says_span_index_and_filter() {
        let target = Target {
            rule: "r".into(),
            indices: vec!["logstash-*".into()],
            time_field: "@timestamp".into(),
            filter: Some(json!({"query_string": {"query": "Status: [500 TO 599]"}})),
            ignore_unavailable: false,
            scope: watchbell_elastic::Scope::default(),
        };
        let evidence = Evidence::Selection(Selection {
            over: Range::new(Timestamp(0), Timestamp(60_000)),
            only: vec![AnyOf { field: "host.name".into(), values: vec![Some("it's!".into()), None] }],
            filters: vec![Query::Dsl("{}".into())],
            newest: 3,
        });
        let link = link("http://kibana:5601/", &target, &evidence);
        let url = Url::parse(&link.replace("#/", "")).unwrap();
        let pairs: Vec<String> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
        assert_eq!(pairs[0], "(time:(from:'1970-01-01T00:00:00Z',to:'1970-01-01T00:01:00Z'))");
        assert_eq!(
            pairs[1],
            "(index:'logstash-*',query:(language:lucene,query:'(Status: [500 TO 599]) AND \
             (host.name:\"it!'s!!\" OR NOT _exists_:host.name)'))"
        );
    }
    #[test]
    fn documents_are_linked_by_their_names() {
        let named = |at, index: Option<&str>, id: &str| Document {
            at: Timestamp(at),
            index: index.map(str::to_owned),
            id: id.to_owned(),
        };
        let one = selection(&Evidence::Documents(vec![named(5, Some("logs"), "a")]));
        let fields: Vec<_> = one.only.iter().map(|only| only.field.as_str()).collect();
        assert_eq!((fields, one.over), (vec!["_index", "_id"], Range::new(Timestamp(5), Timestamp(6))));
        let two = selection(&Evidence::Documents(vec![named(5, Some("logs"), "a"), named(2, None, "b")]));
        assert_eq!((two.only.len(), two.over), (1, Range::new(Timestamp(2), Timestamp(6))));
        assert_eq!(two.only[0].values, [Some("a".into()), Some("b".into())]);
    }
}
