//! A rule's `filter:`: as Lucene syntax where that means exactly the same, otherwise as Query DSL.
use watchbell_manifest::Place;

use crate::node::{Data, Node};
use crate::options::{Options, as_yaml};
use crate::yaml::Yaml;

/// What the filter becomes. Several files may each have one; all must match.
pub(crate) fn filter(options: &mut Options, more: &[Node]) -> Option<Yaml> {
    let mut clauses: Vec<Node> = Vec::new();
    let own = options.node("filter");
    for node in more.iter().chain(own.as_ref()) {
        match &node.data {
            Data::List(items) => clauses.extend(items.iter().cloned()),
            Data::Map(_) => clauses.push(node.clone()),
            Data::Null => {}
            _ => {
                let message = format!("`filter` must be a list of queries, found {}", node.kind());
                options.fault_at(
                    node.place.clone(),
                    message,
                    "write `filter: [{ query_string: { query: \"…\" } }]`",
                );
            }
        }
    }
    if options.is_null("filter") {
        let remedy = "write the queries that are missing, or `filter: []` for every document";
        options.fault("filter", "`filter` is empty, which ElastAlert refuses", remedy);
    }
    let mut read = Reader { changes: Vec::new(), faults: Vec::new(), lucene: 0, dsl: 0 };
    let mut parts: Vec<Yaml> = clauses.iter().filter_map(|clause| read.clause(clause)).collect();
    let Reader { changes, faults, lucene, dsl } = read;
    if !faults.is_empty() {
        options.failed("filter", "a query that cannot be carried over");
    }
    for (place, message, remedy) in faults {
        options.fault_at(place, message, remedy);
    }
    if options.is_settled("filter") && !options.faults.is_empty() {
        return None;
    }
    let form = match (lucene, dsl) {
        (_, 0) => "`filter`, in Lucene syntax",
        (0, _) => "`filter`, as Query DSL",
        _ => "`filter`: Lucene syntax and Query DSL, all of which must match",
    };
    match changes.as_slice() {
        _ if parts.is_empty() && changes.is_empty() => {
            options.carried("filter", "no filter: matches every document")
        }
        [] => options.carried("filter", form),
        changes => options.changed("filter", format!("{form}; {}", changes.join("; "))),
    }
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(Yaml::List(parts)),
    }
}

struct Reader {
    changes: Vec<String>,
    faults: Vec<(Place, String, String)>,
    lucene: usize,
    dsl: usize,
}

impl Reader {
    /// One entry of the list.
    fn clause(&mut self, clause: &Node) -> Option<Yaml> {
        let clause = unwrapped(clause);
        if let Some(text) = lone_query_string(clause) {
            self.lucene += 1;
            return Some(Yaml::Text(text));
        }
        let query = self.query(clause)?;
        self.dsl += 1;
        Some(query)
    }

    /// A Query DSL query, with syntax for older servers rewritten for current ones.
    fn query(&mut self, node: &Node) -> Option<Yaml> {
        let node = unwrapped(node);
        let entries = node.entries();
        let [entry] = entries else {
            let found =
                if entries.is_empty() { node.kind().to_string() } else { format!("{} keys", entries.len()) };
            let hint = "write each as a list entry, for example `- term: { status: 500 }`";
            return self.fault(
                &node.place,
                format!("a filter must be a map with one query, found {found}"),
                hint,
            );
        };
        let inner = &entry.value;
        match entry.key.as_str() {
            "eql" | "esql" => {
                let message = format!("a filter in {} cannot be carried over", entry.key.to_uppercase());
                self.fault(&entry.place, message, "write it in Lucene syntax or as Query DSL")
            }
            "type" => {
                self.changes.push("left out `type`: Elasticsearch no longer has mapping types".into());
                None
            }
            "not" => Some(boolean("must_not", self.queries(inner)?)),
            "and" => Some(boolean("filter", self.queries(inner)?)),
            "or" => Some(boolean("should", self.queries(inner)?)),
            "missing" => {
                let exists = Yaml::map([("exists", as_yaml(inner))]);
                Some(boolean("must_not", exists))
            }
            "bool" => {
                let mut clauses = Vec::new();
                for clause in inner.entries() {
                    let held = match clause.key.as_str() {
                        "must" | "filter" | "should" | "must_not" => self.queries(&clause.value)?,
                        "minimum_should_match" | "boost" | "_name" => as_yaml(&clause.value),
                        name => {
                            let hint = "use must, filter, should or must_not";
                            return self.fault(&clause.place, format!("`bool` has no clause `{name}`"), hint);
                        }
                    };
                    clauses.push((clause.key.clone(), held));
                }
                Some(Yaml::map([("bool", Yaml::Map(clauses))]))
            }
            _ if !matches!(inner.data, Data::Map(_)) => {
                let message = format!("`{}` must be a map, found {}", entry.key, inner.kind());
                self.fault(&inner.place, message, format!("write `{}: {{ FIELD: VALUE }}`", entry.key))
            }
            _ => Some(as_yaml(node)),
        }
    }

    /// One query, or a list of them.
    fn queries(&mut self, node: &Node) -> Option<Yaml> {
        // `and` of the oldest servers: `{ filters: […] }`.
        let node = node.get("filters").unwrap_or(node);
        match &node.data {
            Data::List(items) => {
                let queries: Vec<Yaml> = items.iter().filter_map(|item| self.query(item)).collect();
                Some(Yaml::List(queries))
            }
            _ => self.query(node),
        }
    }

    fn fault(&mut self, place: &Place, message: String, remedy: impl Into<String>) -> Option<Yaml> {
        self.faults.push((place.clone(), message, remedy.into()));
        None
    }
}

fn boolean(clause: &str, held: Yaml) -> Yaml {
    Yaml::map([("bool", Yaml::map([(clause, held)]))])
}

/// Without the `query:` wrapper, which ElastAlert removes too.
fn unwrapped(mut node: &Node) -> &Node {
    while let [entry] = node.entries()
        && entry.key == "query"
    {
        node = &entry.value;
    }
    node
}

fn lone_query_string(node: &Node) -> Option<String> {
    let [entry] = node.entries() else { return None };
    let [only] = entry.value.entries() else { return None };
    (entry.key == "query_string" && only.key == "query").then(|| only.value.text())?
}
