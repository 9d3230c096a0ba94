//! Aggregations that result in numbers or hits.
use serde_json::Value as Json;

use super::body::Body;
use crate::aggs::AggregationKind;
use crate::aggs::metric::{Calc, Metric};
use crate::errors::{Answer, Refusal};

pub(super) fn metric(body: &mut Body<'_>, calc: Calc) -> Answer<AggregationKind> {
    Ok(AggregationKind::Metric(Metric { calc, field: body.field()?, missing: body.take("missing") }))
}

pub(super) fn percentiles(body: &mut Body<'_>) -> Answer<AggregationKind> {
    let percents = match body.take("percents") {
        None => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
        Some(value) => {
            let numbers =
                value.as_array().and_then(|all| all.iter().map(Json::as_f64).collect::<Option<Vec<_>>>());
            let numbers =
                numbers.filter(|all| !all.is_empty() && all.iter().all(|p| (0.0..=100.0).contains(p)));
            numbers.ok_or_else(|| body.wrong("percents", &value))?
        }
    };
    let keyed = body.flag("keyed")?.unwrap_or(true);
    body.rest.shift_remove("tdigest");
    metric(body, Calc::Percentiles { percents, keyed })
}

pub(super) fn extended_stats(body: &mut Body<'_>) -> Answer<AggregationKind> {
    let sigma = body.number("sigma")?.unwrap_or(2.0);
    if sigma < 0.0 {
        return Err(Refusal::illegal("[sigma] must be greater than or equal to 0."));
    }
    metric(body, Calc::ExtendedStats(sigma))
}
