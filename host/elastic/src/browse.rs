//! Documents as trees of JSON, for people who look at few: no rule's rows come this way.
use serde_json::{Value, json};
use tokio::time::Instant;
use watchbell_contract::Range;

use crate::{
    error::ErrorKind,
    mapping_cache::MappingCache,
    query::{self, Narrow},
    session::{Session, total},
    target::Target,
};

/// Documents in `over`, oldest first: `size` of them after the first `from`; and how many there are in all.
pub(crate) async fn documents(
    mappings: &MappingCache,
    target: &Target,
    over: Range,
    from: u32,
    size: u32,
    deadline: Instant,
) -> Result<(Vec<Value>, u64), ErrorKind> {
    let time = target.time_field.as_str();
    let Some(mapping) = mappings.mapping_of_data(target, &[time], deadline).await? else {
        return Ok((Vec::new(), 0));
    };
    let narrow = Narrow { over, only: &[], filters: &[] };
    let order = json!({ "order": "asc", "unmapped_type": "date", "numeric_type": "date" });
    let body = json!({
        "from": from, "size": size, "track_total_hits": true, "sort": [{ time: order }],
        "query": query::query(query::filters(target, &narrow, &mapping)?, &[]),
    });
    let mut answer = mappings.session.search(target, &body, deadline).await?;
    let total = total(&answer)?;
    let hits = answer.pointer_mut("/hits/hits").and_then(Value::as_array_mut).map(std::mem::take);
    let documents = hits.into_iter().flatten().map(|mut hit| hit["_source"].take()).collect();
    Ok((documents, total))
}

/// How many documents the indices have in `over`, whatever the target's filter says: 0 means no data.
pub(crate) async fn count_without_filter(
    session: &Session,
    target: &Target,
    over: Range,
    deadline: Instant,
) -> Result<u64, ErrorKind> {
    let body = json!({
        "size": 0,
        "track_total_hits": true,
        "query": query::query(vec![query::range(&target.time_field, over)], &[]),
    });
    let answer = session.search(target, &body, deadline).await.map_err(ErrorKind::of_the_host)?;
    if answer.pointer("/_shards/total").and_then(Value::as_u64) == Some(0) && !target.ignore_unavailable {
        return Err(ErrorKind::NoIndex { reason: String::new() });
    }
    total(&answer)
}
