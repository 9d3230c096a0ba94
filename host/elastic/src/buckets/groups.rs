use watchbell_contract::{Buckets, Calc, Metric};
use watchbell_values::Precision;

use super::fold;
use crate::{
    error::ErrorKind,
    mapping::{Class, Mapping},
    plan::{ColumnKind, kind},
    resolve::{Field, Group},
};

/// The fields of `buckets`, in groups of indices that agree on them: the group keys, then the metrics' fields.
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
        mapping.field(name).map_or(Ok(ColumnKind::Words), |caps| kind(name, caps))?;
    }
    for metric in measured(buckets) {
        // Types without doc values may have metrics; words and numbers have none in common.
        if let Some(caps) = mapping.field(&metric.field)
            && let Err(conflict @ ErrorKind::MappingConflict { .. }) = kind(&metric.field, caps)
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
        let metrics = measured(buckets).map(|metric| {
            let family = if metric.calc == Calc::Cardinality { compared } else { added };
            one(&metric.field, class, family)
        });
        by.chain(metrics).collect()
    })?;
    if groups.len() > 1 {
        fold::check(buckets)?;
    }
    Ok(groups)
}

/// Metrics of a field; a script names its own.
pub(crate) fn measured(buckets: &Buckets) -> impl Iterator<Item = &Metric> {
    buckets.metrics.iter().filter(|metric| !matches!(metric.calc, Calc::Script(_)))
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
