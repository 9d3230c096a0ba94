//! Aggregations that result in one or a few numbers.
use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::{Context, Entry};
use crate::errors::{Answer, Refusal};
use crate::mapping::FieldKind;
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
    /// How many deviations away the bounds are.
    ExtendedStats(f64),
    /// Exact, as Elasticsearch is up to its precision threshold.
    Cardinality,
    /// Interpolated between neighbours, like a t-digest that still holds every value.
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
            Self::ExtendedStats(_) => "extended_stats",
            Self::Cardinality => "cardinality",
            Self::Percentiles { .. } => "percentiles",
        }
    }
}

impl Metric {
    pub(super) fn run(&self, context: &Context<'_>, entries: &[Entry<'_>]) -> Answer<Json> {
        let mut column = Column::new(context, &self.field, self.missing.as_ref())?;
        if matches!(self.calc, Calc::Cardinality) {
            column = column.unkeyed("cardinality")?;
        }
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
                let mut shown = stats(numbers());
                for key in ["min", "max", "avg", "sum"] {
                    // Without values nothing is shown beside it.
                    let number = shown.get(key).and_then(Json::as_f64).filter(|_| numbers().next().is_some());
                    if let Some(text) = number.and_then(|number| column.beside(number)) {
                        shown.insert(format!("{key}_as_string"), text);
                    }
                }
                Json::Object(shown)
            }
            Calc::ExtendedStats(sigma) => {
                if let Some(kind) = column.field.map(|field| field.kind)
                    && (kind.is_date() || kind == FieldKind::Boolean)
                {
                    return Err(Refusal::unmodelled(format!(
                        "[extended_stats] of a field of type [{}]",
                        kind.name()
                    )));
                }
                let mut shown = stats(numbers());
                shown.extend(spread(numbers(), *sigma));
                Json::Object(shown)
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

fn stats(numbers: impl Iterator<Item = f64> + Clone) -> Map<String, Json> {
    let count = numbers.clone().count();
    let total = sum(numbers.clone());
    let mut shown = Map::new();
    shown.insert("count".into(), count.into());
    shown.insert("min".into(), numbers.clone().min_by(f64::total_cmp).into());
    shown.insert("max".into(), numbers.max_by(f64::total_cmp).into());
    shown.insert("avg".into(), (count > 0).then(|| total / count as f64).into());
    shown.insert("sum".into(), total.into());
    shown
}

/// Variances and deviations, of the population and of a sample. A sample of one value has none: `NaN`.
fn spread(numbers: impl Iterator<Item = f64> + Clone, sigma: f64) -> Map<String, Json> {
    let count = numbers.clone().count() as f64;
    let total = sum(numbers.clone());
    let squares = sum(numbers.map(|number| number * number));
    let over = |divisor: f64| ((squares - total * total / count) / divisor).max(0.0);
    let (population, sampling) = (over(count), if count > 1.0 { over(count - 1.0) } else { f64::NAN });
    let shown = |number: f64| match number {
        _ if count == 0.0 => Json::Null,
        number if number.is_nan() => "NaN".into(),
        number => number.into(),
    };
    let bound = |deviation: f64| shown(total / count + sigma * deviation);
    let mut out = Map::new();
    let deviations = [("", population), ("_population", population), ("_sampling", sampling)];
    out.insert("sum_of_squares".into(), shown(squares));
    for (name, variance) in deviations {
        out.insert(format!("variance{name}"), shown(variance));
    }
    for (name, variance) in deviations {
        out.insert(format!("std_deviation{name}"), shown(variance.sqrt()));
    }
    let mut bounds = Map::new();
    for (name, variance) in deviations {
        bounds.insert(format!("upper{name}"), bound(variance.sqrt()));
        bounds.insert(format!("lower{name}"), bound(-variance.sqrt()));
    }
    out.insert("std_deviation_bounds".into(), Json::Object(bounds));
    out
}

/// Compensated summation, as in Elasticsearch.
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

/// The value at a rank between neighbours, each of which is in the middle of its own step.
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
        Value::Tokens(_) | Value::Point(_) => (4, 0, ""),
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
