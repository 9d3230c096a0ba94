//! Aggregations that come to a number, or to a few.
use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::{Context, Entry};
use crate::errors::Answer;
use crate::value::Value;

#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub(super) calc: Calc,
    pub(super) field: String,
    pub(super) missing: Option<Json>,
}

#[derive(Clone, Debug)]
pub(super) enum Calc {
    Min,
    Max,
    Avg,
    Sum,
    ValueCount,
    Stats,
    /// Exact; Elasticsearch is exact as well up to its precision threshold.
    Cardinality,
    /// Interpolated between neighbours, as a t-digest that still holds every value does.
    Percentiles {
        percents: Vec<f64>,
        keyed: bool,
    },
}

impl Calc {
    fn name(&self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
            Self::ValueCount => "value_count",
            Self::Stats => "stats",
            Self::Cardinality => "cardinality",
            Self::Percentiles { .. } => "percentiles",
        }
    }
}

impl Metric {
    pub(super) fn run(&self, context: &Context<'_>, entries: &[Entry<'_>]) -> Answer<Json> {
        let mut column = Column::new(context, &self.field, self.missing.as_ref())?;
        if !matches!(self.calc, Calc::ValueCount | Calc::Cardinality) {
            column = column.numeric(&self.field, self.calc.name())?;
        }
        let values = || entries.iter().flat_map(|entry| column.values(entry));
        let numbers = || values().filter_map(Value::number);
        let with_string = |number: Option<f64>| {
            let mut object = Map::new();
            object.insert("value".into(), number.into());
            if let Some(text) = number.and_then(|number| column.as_string(number)) {
                object.insert("value_as_string".into(), text.into());
            }
            Json::Object(object)
        };
        Ok(match &self.calc {
            Calc::Min => with_string(numbers().min_by(f64::total_cmp)),
            Calc::Max => with_string(numbers().max_by(f64::total_cmp)),
            Calc::Sum => with_string(Some(sum(numbers()))),
            Calc::Avg => {
                let count = numbers().count();
                with_string((count > 0).then(|| sum(numbers()) / count as f64))
            }
            Calc::ValueCount => json!({"value": values().count()}),
            Calc::Cardinality => json!({"value": values().map(identity).collect::<HashSet<_>>().len()}),
            Calc::Stats => {
                let count = numbers().count();
                json!({
                    "count": count,
                    "min": numbers().min_by(f64::total_cmp),
                    "max": numbers().max_by(f64::total_cmp),
                    "avg": (count > 0).then(|| sum(numbers()) / count as f64),
                    "sum": sum(numbers()),
                })
            }
            Calc::Percentiles { percents, keyed } => {
                let mut sorted: Vec<f64> = numbers().collect();
                sorted.sort_by(f64::total_cmp);
                let all: Vec<(String, Option<f64>)> = percents
                    .iter()
                    .map(|percent| (format!("{percent:?}"), percentile(&sorted, *percent)))
                    .collect();
                if *keyed {
                    json!({"values": all.into_iter().map(|(key, value)| (key, value.into())).collect::<Map<String, Json>>()})
                } else {
                    let list = percents
                        .iter()
                        .zip(all)
                        .map(|(percent, (_, value))| json!({"key": percent, "value": value}));
                    json!({"values": list.collect::<Vec<_>>()})
                }
            }
        })
    }
}

/// Compensated, as Elasticsearch sums.
fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for number in numbers {
        let corrected = number - lost;
        let next = sum + corrected;
        lost = (next - sum) - corrected;
        sum = next;
    }
    sum
}

/// The value at a rank between neighbours, each of which stands in the middle of its own step.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let rank = percent / 100.0 * sorted.len() as f64 - 0.5;
    if rank <= 0.0 {
        return Some(first);
    }
    let below = rank.floor() as usize;
    match sorted.get(below + 1) {
        Some(above) => Some(sorted[below] + (above - sorted[below]) * rank.fract()),
        None => Some(last),
    }
}

/// Equal exactly if the values are.
fn identity(value: &Value) -> (u8, u128, &str) {
    match value {
        Value::Long(n) => (0, *n as u64 as u128, ""),
        Value::Double(n) => (1, n.to_bits().into(), ""),
        Value::Ip(ip) => (2, *ip, ""),
        Value::Str(text) => (3, 0, text),
        Value::Tokens(_) => (4, 0, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(50.5));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 100.0), Some(100.0));
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
        assert_eq!(percentile(&[], 50.0), None);
    }
}
