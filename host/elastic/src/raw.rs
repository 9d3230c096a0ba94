//! Searches as their author wrote them, narrowed to the rule's range and filters; picked values become one row, whose
//! time is the last instant of the range: only then is it known.
use serde_json::{Value, json};
use tokio::time::Instant;
use watchbell_contract::{Column, Range, RawSearch, Rows};

use crate::{
    cluster::Inner,
    columns::{ColumnBuilder, Misfit},
    cursor::ignoring,
    error::Cause,
    plan::Kind,
    query,
    target::Target,
    transport::index_path,
};

pub(crate) async fn ask(
    inner: &Inner,
    target: &Target,
    search: &RawSearch,
    over: Range,
    filters: Vec<Value>,
    deadline: Instant,
) -> Result<Rows, Cause> {
    let body = body(&search.body, filters)?;
    let path = format!("{}/_search{}", index_path(&target.indices), ignoring(target, '?'));
    let answer = inner.search(path, &body, deadline).await?;
    let picked = search.pick.iter().map(|(name, pointer)| column(name, [answer.pointer(pointer)]));
    Ok(Rows { times: vec![over.end.0.saturating_sub(1)], columns: picked.collect() })
}

fn body(written: &str, mut filters: Vec<Value>) -> Result<Value, Cause> {
    let mut body: Value = serde_json::from_str(written)
        .map_err(|error| Cause::Question { reason: format!("its search is not json: {error}") })?;
    if !body.is_object() {
        return Err(Cause::Question { reason: "its search is not a json object".into() });
    }
    if let Some(own) = body.get_mut("query").map(Value::take) {
        filters.push(own);
    }
    body["query"] = query::query(filters, &[]);
    Ok(body)
}

/// A column of values as they come: of one kind if they all are, else words.
pub(crate) fn column<'a, V>(name: &str, values: V) -> Column
where
    V: IntoIterator<Item = Option<&'a Value>> + Clone,
{
    let mut kinds = values.clone().into_iter().flatten().filter_map(|value| match value {
        Value::Null => None,
        Value::Bool(_) => Some(Kind::Booleans),
        Value::Number(number) if number.is_i64() => Some(Kind::Integers),
        Value::Number(_) => Some(Kind::Numbers),
        Value::String(_) | Value::Array(_) | Value::Object(_) => Some(Kind::Words),
    });
    let first = kinds.next().unwrap_or(Kind::Numbers);
    let kind = kinds.fold(first, |kind, next| match (kind, next) {
        (a, b) if a == b => a,
        (Kind::Integers | Kind::Numbers, Kind::Integers | Kind::Numbers) => Kind::Numbers,
        _ => Kind::Words,
    });
    let mut column = ColumnBuilder::new(kind);
    for value in values {
        let start = column.begin();
        // The kind was chosen to fit all of them.
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

#[cfg(test)]
mod tests {
    use watchbell_contract::Values;

    use super::*;

    #[test]
    fn the_written_query_is_narrowed_not_replaced() {
        let body = body(r#"{"size":0,"query":{"match_all":{}}}"#, vec![json!({ "range": {} })]).unwrap();
        let expected =
            json!({ "size": 0, "query": { "bool": { "filter": [{ "range": {} }, { "match_all": {} }] } } });
        assert_eq!(body, expected);
        let error = super::body("[", vec![]).unwrap_err().to_string();
        assert!(error.starts_with("the question cannot be asked: its search is not json: "), "{error}");
    }

    #[test]
    fn values_keep_their_kind_if_they_share_one() {
        let (a, b, c) = (json!(1), json!(2.5), json!("x"));
        assert_eq!(column("n", [Some(&a), Some(&b)]).values, Values::Numbers(vec![1.0, 2.5]));
        let mixed = column("n", [Some(&a), Some(&c), None]);
        let Values::Words(words) = &mixed.values else { panic!("{mixed:?}") };
        assert_eq!((words.word(0), words.word(1), mixed.has(2)), (Some("1"), Some("x"), false));
    }
}
