//! The documents behind a signal, as a Discover link.
use watchbell_contract::Evidence;
use watchbell_elastic::Target;
use watchbell_pipeline::discover::Discover;

/// A link to Discover with the evidence's span, index and filters.
pub(crate) fn link(kibana: &str, target: &Target, evidence: &Evidence) -> String {
    let discover = Discover {
        program: kibana.trim_end_matches('/').to_owned(),
        from: evidence.over.start,
        to: evidence.over.end,
        index: target.indices.join(","),
        clauses: clauses(target, evidence),
    };
    discover.link()
}

fn clauses(target: &Target, evidence: &Evidence) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(filter) = &target.filter {
        collect_query_strings(filter, &mut parts);
    }
    parts.extend(evidence.filter.iter().map(|filter| format!("({filter})")));
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
    use watchbell_contract::{AnyOf, Range, Timestamp};

    use super::*;

    #[test]
    fn a_link_says_span_index_and_filter() {
        let target = Target {
            rule: "r".into(),
            indices: vec!["logstash-*".into()],
            time_field: "@timestamp".into(),
            filter: Some(json!({"query_string": {"query": "Status: [500 TO 599]"}})),
            ignore_unavailable: false,
        };
        let evidence = Evidence {
            over: Range::new(Timestamp(0), Timestamp(60_000)),
            only: vec![AnyOf { field: "host.name".into(), values: vec![Some("it's!".into()), None] }],
            filter: None,
            newest: 3,
        };
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
}
