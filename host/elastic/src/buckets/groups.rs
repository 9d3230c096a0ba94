use watchbell_contract::{Buckets, Calc, Metric, Source};
use watchbell_values::Precision;

use super::fold;
use crate::{
    error::ErrorKind,
    mapping::{Class, Mapping},
    plan::{ColumnKind, kind},
    resolve::{Field, Group},
};

/// The fields of `buckets`, in groups of indices that agree on them: the group keys, then the field of each metric
/// (none for a script).
///
/// # Errors
/// Fields that cannot be a group key or a metric.
pub(crate) fn groups(buckets: &Buckets, mapping: &Mapping) -> Result<Vec<Group<Field>>, ErrorKind> {
    for name in &buckets.by {
        if let Some(root) = mapping.nested_root(name) {
            let reason = format!(
                "field `{name}` is inside the nested object `{root}`; nested fields cannot be group keys"
            );
            return Err(ErrorKind::Question { reason });
        }
        if mapping.field(name).map_or(Ok(ColumnKind::Words), |caps| kind(name, caps))? == ColumnKind::Points {
            let cannot = "cannot be a group key";
            return Err(ErrorKind::FieldType { field: name.clone(), kind: "geo_point".into(), cannot });
        }
    }
    for field in measured(buckets) {
        // Types without doc values may have metrics; words and numbers have none in common.
        if let Some(caps) = mapping.field(field)
            && let Err(conflict @ ErrorKind::MappingConflict { .. }) = kind(field, caps)
        {
            return Err(conflict);
        }
    }
    let one = |name: &str, class: Class, family: fn(&str) -> &str| {
        let field = mapping.resolve(name, class)?;
        Ok(field.map(|field| Field { kind: family(&field.kind).into(), ..field }))
    };
    let groups = mapping.groups(|class| {
        let by = buckets.by.iter().map(|name| one(name, class, keyed));
        let metrics = buckets.metrics.iter().map(|metric| {
            let family = if metric.calc == Calc::Cardinality { compared } else { added };
            measured_field(metric).map_or(Ok(None), |field| one(field, class, family))
        });
        by.chain(metrics).collect()
    })?;
    if groups.len() > 1 {
        fold::check(buckets)?;
    }
    Ok(groups)
}

/// The fields of metrics; a script names its own.
pub(crate) fn measured(buckets: &Buckets) -> impl Iterator<Item = &String> {
    buckets.metrics.iter().filter_map(measured_field)
}

pub(super) fn measured_field(metric: &Metric) -> Option<&String> {
    match &metric.source {
        Source::Field(field) => Some(field),
        Source::Script(_) => None,
    }
}

/// Types for which equal values are the same key. What a field of less precision shows as 0.1 is another number to the
/// server.
fn keyed(kind: &str) -> &str {
    if Precision::of(kind).is_some() { kind } else { compared(kind) }
}

/// Types whose values servers compare with each other.
fn compared(kind: &str) -> &str {
    match kind {
        "long" | "integer" | "short" | "byte" => "long",
        "double" | "float" | "half_float" | "scaled_float" => "double",
        "date" | "date_nanos" => "date",
        "keyword" | "constant_keyword" | "wildcard" => "keyword",
        other => other,
    }
}

/// Types whose values servers add up.
fn added(kind: &str) -> &str {
    match compared(kind) {
        "long" | "double" | "unsigned_long" => "number",
        other => other,
    }
}
