use serde_json::{Value, json};
use watchbell_contract::{Hits, NamedFilter};
use watchbell_values::Precision;

use crate::{
    error::ErrorKind,
    mapping::{Caps, Mapping},
};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Integers,
    Numbers,
    /// Numbers with less precision than a double, shown as they were sent.
    Rounded(Precision),
    Booleans,
    Words,
    Points,
}

impl ColumnKind {
    fn is_number(self) -> bool {
        matches!(self, Self::Integers | Self::Numbers | Self::Rounded(_))
    }
}

/// How each requested field is fetched and stored: made once per question, read once per hit.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPlan {
    pub(crate) columns: Vec<Planned>,
    /// Whether sort values are nanoseconds.
    pub(crate) nanos: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// The name that the question uses.
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    pub(crate) source: ValueSource,
    /// The indices that store the number with less precision than a double, if indices differ.
    pub(crate) rounded: Vec<(Precision, Vec<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueSource {
    /// Doc values: fast. Arrays come sorted; numbers keep repeated values, words do not.
    DocValues {
        date: bool,
    },
    /// The `fields` option, read from the source: slow, but as it was sent. The only way for `text`.
    Fields {
        date: bool,
    },
    /// A field inside the nested object `root`, by `fields`; the rest of its path.
    Nested {
        root: String,
        rest: String,
        date: bool,
    },
    Index,
    Id,
    /// The type of another field in the hit's index: each type with its indices.
    Type(Vec<(String, Vec<String>)>),
    /// Whether a named filter matched.
    Matched,
    /// No index maps the field.
    Absent,
    /// Requested twice; filled once.
    SameAs(usize),
}

impl Planned {
    /// Whether a mapping defines the field; what is no field of a mapping counts as defined.
    pub(crate) fn is_mapped(&self) -> bool {
        self.source != ValueSource::Absent
    }
}

impl FieldPlan {
    /// A plan without a mapping, every field from doc values; for benchmarks and tests.
    pub fn of(fields: &[(&str, ColumnKind)]) -> Self {
        let columns = fields.iter().map(|&(name, kind)| Planned {
            name: name.into(),
            kind,
            source: match name {
                "_index" => ValueSource::Index,
                "_id" => ValueSource::Id,
                _ => ValueSource::DocValues { date: false },
            },
            rounded: vec![],
        });
        Self { columns: columns.collect(), nanos: false }
    }

    pub(crate) fn new(hits: &Hits, mapping: &Mapping, time_field: &str) -> Result<Self, ErrorKind> {
        let mut columns: Vec<Planned> = Vec::with_capacity(hits.fields.len() + hits.filters.len());
        for name in &hits.fields {
            let (kind, source) = match columns.iter().position(|column| column.name == *name) {
                Some(first) => (columns[first].kind, ValueSource::SameAs(first)),
                None => source(name, mapping)?,
            };
            let rounded = mapping.field(name).filter(|_| kind == ColumnKind::Numbers).map_or(vec![], rounded);
            columns.push(Planned { name: name.clone(), kind, source, rounded });
        }
        for NamedFilter { name, .. } in &hits.filters {
            let (name, source) = (name.clone(), ValueSource::Matched);
            columns.push(Planned { name, kind: ColumnKind::Booleans, source, rounded: vec![] });
        }
        Ok(Self { columns, nanos: mapping.is_nanos(time_field) })
    }

    /// Fields for `docvalue_fields`, and for `fields`.
    pub(crate) fn asked(&self) -> (Vec<Value>, Vec<Value>) {
        let mut doc_values = vec![];
        let mut fields = vec![];
        let entry = |name: &str, date| match date {
            true => json!({ "field": name, "format": "epoch_millis" }),
            false => json!({ "field": name }),
        };
        for Planned { name, source, .. } in &self.columns {
            match source {
                ValueSource::DocValues { date } => doc_values.push(entry(name, *date)),
                ValueSource::Fields { date } | ValueSource::Nested { date, .. } => {
                    fields.push(entry(name, *date))
                }
                _ => {}
            }
        }
        (doc_values, fields)
    }
}

fn rounded(caps: &Caps) -> Vec<(Precision, Vec<String>)> {
    caps.each_type()
        .into_iter()
        .filter_map(|(kind, indices)| Some((Precision::of(&kind)?, indices)))
        .collect()
}

/// The field of a column `_type:FIELD`, which has that field's type row by row: the meaning of a listed value depends
/// on it.
pub(crate) fn type_of(name: &str) -> Option<&str> {
    name.strip_prefix("_type:")
}

fn source(name: &str, mapping: &Mapping) -> Result<(ColumnKind, ValueSource), ErrorKind> {
    match name {
        "_index" => return Ok((ColumnKind::Words, ValueSource::Index)),
        "_id" => return Ok((ColumnKind::Words, ValueSource::Id)),
        _ => {}
    }
    if let Some(field) = type_of(name) {
        let types = mapping.field(field).map(Caps::each_type);
        return Ok((ColumnKind::Words, ValueSource::Type(types.unwrap_or_default())));
    }
    let Some(caps) = mapping.field(name) else {
        // Keys below a `flattened` object are not in the mapping, but have doc values.
        let source = match mapping.below_flattened(name) {
            true => ValueSource::DocValues { date: false },
            false => ValueSource::Absent,
        };
        return Ok((ColumnKind::Words, source));
    };
    let kind = kind(name, caps)?;
    let date = caps.is("date") || caps.is("date_nanos");
    let source = match mapping.nested_root(name) {
        Some(root) => ValueSource::Nested { root: root.into(), rest: name[root.len() + 1..].into(), date },
        None if caps.has_doc_values() => ValueSource::DocValues { date },
        None => ValueSource::Fields { date },
    };
    Ok((kind, source))
}

/// The kind of column for a field. `unsigned_long` becomes numbers up to 2^53, and an error beyond that: its upper half
/// does not fit into 64 signed bits, and a column's kind must not depend on the values of a page.
pub(crate) fn kind(name: &str, caps: &Caps) -> Result<ColumnKind, ErrorKind> {
    let mut kinds = caps.types.iter().map(|kind| {
        Ok(match kind.as_str() {
            "long" | "integer" | "short" | "byte" | "date" | "date_nanos" | "token_count" => {
                ColumnKind::Integers
            }
            "double" | "unsigned_long" => ColumnKind::Numbers,
            "boolean" => ColumnKind::Booleans,
            "geo_point" => ColumnKind::Points,
            "object" | "nested" => {
                let cannot = "has no values of its own; name a field below it";
                return Err(ErrorKind::FieldType { field: name.into(), kind: kind.clone(), cannot });
            }
            "geo_shape"
            | "point"
            | "shape"
            | "histogram"
            | "dense_vector"
            | "sparse_vector"
            | "aggregate_metric_double"
            | "completion"
            | "integer_range"
            | "long_range"
            | "float_range"
            | "double_range"
            | "date_range"
            | "ip_range"
            | "binary"
            | "knn_vector"
            | "flattened" => {
                let cannot = "cannot become a column";
                return Err(ErrorKind::FieldType { field: name.into(), kind: kind.clone(), cannot });
            }
            kind => Precision::of(kind).map_or(ColumnKind::Words, ColumnKind::Rounded),
        })
    });
    let first = kinds.next().unwrap_or(Ok(ColumnKind::Words))?;
    let is_date = |kind: &String| kind.starts_with("date");
    let mixed_dates = caps.types.iter().any(is_date) && !caps.types.iter().all(is_date);
    let kind = kinds.try_fold(first, |kind, next| match (kind, next?) {
        (a, b) if a == b => Ok(a),
        (a, b) if a.is_number() && b.is_number() => Ok(ColumnKind::Numbers),
        _ => Err(caps.conflict(name)),
    })?;
    if mixed_dates { Err(caps.conflict(name)) } else { Ok(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(fields: Value) -> Mapping {
        Mapping::parse(json!({ "indices": ["x"], "fields": fields }).to_string().as_bytes()).unwrap()
    }

    fn caps(kind: &str) -> Value {
        json!({ kind: { "type": kind, "searchable": true, "aggregatable": kind != "text" } })
    }

    fn plan(fields: &[&str], mapping: &Mapping) -> Result<FieldPlan, ErrorKind> {
        let hits = Hits { fields: fields.iter().map(|&name| name.into()).collect(), filters: vec![] };
        FieldPlan::new(&hits, mapping, "@timestamp")
    }

    #[test]
    fn each_type_has_its_way() {
        let mapping = mapping(json!({
            "@timestamp": caps("date_nanos"), "host": caps("keyword"), "ip": caps("ip"), "n": caps("long"),
            "d": caps("date"), "msg": caps("text"), "x": caps("scaled_float"), "u": caps("unsigned_long"),
            "ok": caps("boolean"), "c": {"nested": {"type": "nested", "aggregatable": false}},
            "c.author": caps("keyword"), "labels": caps("flattened"),
        }));
        let names =
            ["host", "ip", "n", "d", "msg", "x", "u", "ok", "c.author", "labels.a", "gone", "_id", "host"];
        let plan = plan(&names, &mapping).unwrap();
        let kinds: Vec<_> = plan.columns.iter().map(|column| column.kind).collect();
        use ColumnKind::*;
        let expected = [
            Words,
            Words,
            Integers,
            Integers,
            Words,
            Rounded(Precision::Scaled),
            Numbers,
            Booleans,
            Words,
            Words,
            Words,
            Words,
            Words,
        ];
        assert_eq!(kinds, expected);
        let (doc_values, fields) = plan.asked();
        let names = |list: &[Value]| -> Vec<String> {
            list.iter().map(|entry| entry["field"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&doc_values), ["host", "ip", "n", "d", "x", "u", "ok", "labels.a"]);
        assert_eq!(doc_values[3]["format"], "epoch_millis");
        assert_eq!(names(&fields), ["msg", "c.author"]);
        assert_eq!(
            plan.columns[8].source,
            ValueSource::Nested { root: "c".into(), rest: "author".into(), date: false }
        );
        assert_eq!(plan.columns[10].source, ValueSource::Absent);
        let unmapped: Vec<_> = plan.columns.iter().filter(|column| !column.is_mapped()).collect();
        assert_eq!(unmapped.iter().map(|column| &column.name).collect::<Vec<_>>(), ["gone"]);
        assert_eq!(plan.columns[12].source, ValueSource::SameAs(0));
        assert!(plan.nanos);
    }

    #[test]
    fn types_are_columns_and_not_asked_of_the_server() {
        let mapping = mapping(json!({
            "ip": caps("ip"),
            "n": {"long": {"type": "long", "aggregatable": true, "indices": ["x-1"]},
                  "double": {"type": "double", "aggregatable": true, "indices": ["x-2"]}},
        }));
        let plan = plan(&["_type:ip", "_type:n", "_type:gone"], &mapping).unwrap();
        let types = |types: &[(&str, &[&str])]| {
            let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            ValueSource::Type(
                types.iter().map(|(kind, indices)| ((*kind).to_owned(), owned(indices))).collect(),
            )
        };
        assert_eq!(plan.columns[0].source, types(&[("ip", &[])]));
        assert_eq!(plan.columns[1].source, types(&[("double", &["x-2"]), ("long", &["x-1"])]));
        assert_eq!(plan.columns[2].source, types(&[]));
        assert!(plan.columns.iter().all(Planned::is_mapped));
        assert_eq!(plan.asked(), (vec![], vec![]));
    }

    #[test]
    fn each_index_shows_numbers_in_its_own_precision() {
        let mapping = mapping(json!({
            "n": {"float": {"type": "float", "aggregatable": true, "indices": ["x-1"]},
                  "double": {"type": "double", "aggregatable": true, "indices": ["x-2"]}},
            "f": caps("float"),
        }));
        let plan = plan(&["n", "f"], &mapping).unwrap();
        assert_eq!(plan.columns[0].rounded, [(Precision::Single, vec!["x-1".to_owned()])]);
        assert_eq!(
            (plan.columns[1].kind, plan.columns[1].rounded.len()),
            (ColumnKind::Rounded(Precision::Single), 0)
        );
        let hit = |index: &str, n: f64| json!({ "_index": index, "_id": n.to_string(), "sort": [5], "fields": { "n": [n, 2.5] } });
        let hits = [hit("x-1", 0.10000000149011612), hit("x-2", 0.1), hit("x-2", 0.10000000149011612)];
        let body =
            json!({ "_shards": { "total": 1, "successful": 1, "failed": 0 }, "hits": { "hits": hits } });
        let rows = crate::hits::parse_hits(body.to_string().as_bytes(), &plan).unwrap().rows;
        let shown = vec![0.1, 2.5, 0.1, 2.5, 0.10000000149011612, 2.5];
        assert_eq!(rows.columns[0].values, watchbell_contract::Values::Numbers(shown));
    }

    #[test]
    fn indices_that_disagree_are_named() {
        let mapping = mapping(json!({
            "a": {"keyword": {"type": "keyword", "aggregatable": true, "indices": ["x-1"]},
                  "long": {"type": "long", "aggregatable": true, "indices": ["x-2", "x-3"]}},
            "n": {"long": {"type": "long", "aggregatable": true, "indices": ["x-1"]},
                  "double": {"type": "double", "aggregatable": true, "indices": ["x-2"]}},
            "t": {"keyword": {"type": "keyword", "aggregatable": true, "indices": ["x-1"]},
                  "text": {"type": "text", "aggregatable": false, "indices": ["x-2"]}},
            "g": caps("geo_shape"),
        }));
        assert_eq!(
            plan(&["a"], &mapping).unwrap_err().to_string(),
            "field `a` has conflicting types: keyword in `x-1`, long in `x-2`, `x-3`; choose indices whose mappings agree"
        );
        assert_eq!(plan(&["n"], &mapping).unwrap().columns[0].kind, ColumnKind::Numbers);
        assert_eq!(plan(&["t"], &mapping).unwrap().columns[0].source, ValueSource::Fields { date: false });
        assert_eq!(
            plan(&["g"], &mapping).unwrap_err().to_string(),
            "field `g` is of type geo_shape, which cannot become a column"
        );
    }
}
