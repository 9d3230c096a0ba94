//! The fields that a query names.
use std::collections::BTreeSet;

use super::ast::Query;
use super::lucene::Node;

impl Query {
    /// The fields that it names; those of patterns such as `user.*` are left out.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.add_fields(&mut found);
        found.retain(|field| !field.contains('*'));
        found
    }

    fn add_fields<'q>(&'q self, into: &mut BTreeSet<&'q str>) {
        match self {
            Self::All | Self::Nothing | Self::Ids(_) => {}
            Self::Bool(of) => {
                [&of.must, &of.should, &of.must_not]
                    .into_iter()
                    .flatten()
                    .for_each(|one| one.add_fields(into));
            }
            Self::Match { field, .. }
            | Self::Term { field, .. }
            | Self::Terms { field, .. }
            | Self::Range { field, .. }
            | Self::Exists { field }
            | Self::Prefix { field, .. }
            | Self::Wildcard { field, .. }
            | Self::Regexp { field, .. }
            | Self::Fuzzy { field, .. }
            | Self::Within { field, .. } => {
                into.insert(field);
            }
            Self::MultiMatch { fields, .. } => into.extend(fields.iter().map(|field| unweighted(field))),
            Self::Text(text) => {
                into.extend(text.fields.iter().map(|field| unweighted(field)));
                if let Ok(Some(tree)) = &text.tree {
                    of_tree(tree, into);
                }
            }
            Self::Nested { query, .. } | Self::Named { query, .. } => query.add_fields(into),
        }
    }
}

/// Without the weight of `title^2`.
fn unweighted(field: &str) -> &str {
    field.split_once('^').map_or(field, |(field, _)| field)
}

fn of_tree<'q>(node: &'q Node, into: &mut BTreeSet<&'q str>) {
    match node {
        Node::All | Node::Nothing => {}
        Node::Bool(clauses) => clauses.iter().for_each(|(_, clause)| of_tree(clause, into)),
        Node::Without(inner) => of_tree(inner, into),
        // `_exists_:user` is a question about the field `user`.
        Node::Term { field: Some(field), text, .. } if field == "_exists_" => {
            into.insert(text);
        }
        Node::Term { field, .. }
        | Node::Fuzzy { field, .. }
        | Node::Wildcard { field, .. }
        | Node::Prefix { field, .. }
        | Node::Regexp { field, .. }
        | Node::Range { field, .. } => into.extend(field.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse;

    #[test]
    fn fields_are_found_wherever_they_are_named() {
        let fields = |query: serde_json::Value| {
            parse(&query).unwrap().fields().into_iter().collect::<Vec<_>>().join(" ")
        };
        let text = |text: &str| fields(json!({ "query_string": { "query": text } }));
        assert_eq!(text("a:1 AND NOT (b.c:[1 TO 2] OR d:x*) e:/y/ free"), "a b.c d e");
        assert_eq!(text("_exists_:user"), "user");
        let weighted = json!({ "query_string": { "query": "x", "fields": ["user.*", "title^2"] } });
        assert_eq!(fields(weighted), "title");
        let bool = json!({ "bool": { "filter": [{ "term": { "a": 1 } }], "must_not": { "exists": { "field": "b" } } } });
        assert_eq!(fields(bool), "a b");
        assert_eq!(fields(json!({ "match_all": {} })), "");
    }
}
