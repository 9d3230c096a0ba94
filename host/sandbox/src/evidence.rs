//! Adds a signal's labels to the query for its documents.
use watchbell_contract::{AnyOf, Evidence, Label, Query, Signal};
use watchbell_rows::beginning;

/// How much of a shortened value is looked for, in characters.
const BEGINNING_MAX: usize = 256;

/// Narrows the signal's evidence to its group, unless documents are named.
pub(crate) fn add_labels(signal: &mut Signal) {
    let Some(Evidence::Selection(selection)) = &mut signal.evidence else { return };
    let mut only = Vec::with_capacity(signal.labels.len() + selection.only.len());
    for Label { name, value } in &signal.labels {
        match value.as_deref().and_then(beginning) {
            // No document has the shortened value, but documents begin with it.
            Some(beginning) => {
                let beginning = beginning.chars().take(BEGINNING_MAX).collect::<String>();
                let prefix = format!("{}:{}*", escaped(name), escaped(&beginning));
                selection.filters.push(Query::Lucene(prefix));
            }
            None => only.push(AnyOf { field: name.clone(), values: vec![value.clone()] }),
        }
    }
    only.append(&mut selection.only);
    selection.only = only;
}

/// A term in Lucene query-string syntax, escaped.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| (!c.is_alphanumeric() && c != '_').then_some('\\').into_iter().chain([c]))
        .collect()
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Document, Range, Selection, SignalKind, Timestamp};
    use watchbell_rows::label;

    use super::*;

    fn signal(labels: &[(&str, Option<String>)], evidence: Evidence) -> Signal {
        let label =
            |(name, value): &(&str, Option<String>)| Label { name: (*name).into(), value: value.clone() };
        Signal {
            labels: labels.iter().map(label).collect(),
            at: Timestamp(0),
            until: None,
            kind: SignalKind::Event,
            identity: None,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            evidence: Some(evidence),
        }
    }

    #[test]
    fn a_group_is_looked_for_by_its_labels() {
        let over = Range::new(Timestamp(0), Timestamp(9));
        let only = vec![AnyOf { field: "level".into(), values: vec![Some("error".into())] }];
        let filters = vec![Query::Dsl("{}".into())];
        let selection = Evidence::Selection(Selection { over, only, filters, newest: 2 });
        let long = label("Mozilla/5.0 (\"x\") ".repeat(500));
        let labels = [("host", Some("web".into())), ("user", None), ("user_agent.original", Some(long))];
        let mut signal = signal(&labels, selection);
        add_labels(&mut signal);
        let Some(Evidence::Selection(selection)) = signal.evidence else { panic!("a selection") };
        let only: Vec<_> = selection.only.iter().map(|only| (only.field.as_str(), &only.values[0])).collect();
        let (web, error) = (Some("web".to_owned()), Some("error".to_owned()));
        assert_eq!(only, [("host", &web), ("user", &None), ("level", &error)]);
        let [Query::Dsl(_), Query::Lucene(prefix)] = &selection.filters[..] else { panic!("two filters") };
        assert!(
            prefix.starts_with(r#"user_agent\.original:Mozilla\/5\.0\ \(\"x\"\)\ "#) && prefix.ends_with('*'),
            "{prefix}"
        );
    }

    #[test]
    fn a_named_document_needs_no_labels() {
        let named = Document { at: Timestamp(0), index: None, id: "a".into() };
        let evidence = Evidence::Documents(vec![named]);
        let mut signal = signal(&[("host", None)], evidence.clone());
        add_labels(&mut signal);
        assert_eq!(signal.evidence, Some(evidence));
    }
}
