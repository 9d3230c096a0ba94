use serde_json::{Value, json};
use watchbell_contract::Column;

use crate::{columns::ColumnBuilder, misfit::Misfit, plan::ColumnKind};

/// A column of JSON values: of one kind if all values are, else words.
pub(crate) fn column<'a, V>(name: &str, values: V) -> Column
where
    V: IntoIterator<Item = Option<&'a Value>> + Clone,
{
    let mut kinds = values.clone().into_iter().flatten().filter_map(|value| match value {
        Value::Null => None,
        Value::Bool(_) => Some(ColumnKind::Booleans),
        Value::Number(number) if number.is_i64() => Some(ColumnKind::Integers),
        Value::Number(_) => Some(ColumnKind::Numbers),
        Value::String(_) | Value::Array(_) | Value::Object(_) => Some(ColumnKind::Words),
    });
    let first = kinds.next().unwrap_or(ColumnKind::Numbers);
    let kind = kinds.fold(first, |kind, next| match (kind, next) {
        (a, b) if a == b => a,
        (ColumnKind::Integers | ColumnKind::Numbers, ColumnKind::Integers | ColumnKind::Numbers) => {
            ColumnKind::Numbers
        }
        _ => ColumnKind::Words,
    });
    let mut column = ColumnBuilder::new(kind);
    for value in values {
        let start = column.begin();
        // The kind fits all of them.
        _ = value.map_or(Ok(()), |value| push(&mut column, value));
        column.end(start);
    }
    column.finish(name.into())
}

fn push(column: &mut ColumnBuilder, value: &Value) -> Result<(), Misfit> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => column.boolean(*value),
        Value::String(value) => column.text(value),
        Value::Array(_) | Value::Object(_) => column.text(&json!(value).to_string()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => column.integer(value),
            (None, Some(value)) => column.number(value),
            (None, None) => Ok(()),
        },
    }
}
