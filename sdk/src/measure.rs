//! A metric of many documents, computed by the cluster per bucket.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Calc, Fault, Metric, Question, Row};

/// How the number is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a doc would become a part of every schema that lists them")]
pub enum MetricKind {
    Min,
    Max,
    Avg,
    Sum,
    /// The number of values.
    ValueCount,
    /// The number of distinct values; above a few thousand, Elasticsearch estimates it.
    Cardinality,
    /// Elasticsearch estimates it.
    Percentile,
}

/// A metric, borrowed from a rule's parameters.
///
/// ```
/// use watchbell_sdk::prelude::*;
/// use watchbell_sdk::{Measure, MetricKind};
///
/// struct Latency {
///     field: String,
/// }
///
/// impl Latency {
///     fn measure(&self) -> Measure<'_> {
///         Measure { kind: MetricKind::Avg, field: Some(&self.field), script: None, percentile: None }
///     }
///
///     fn ask(&self, over: Range) -> Vec<Question> {
///         vec![self.measure().ask(Question::buckets(over, Some(Duration::from_mins(1))))]
///     }
///
///     /// The average of the bucket's documents.
///     fn row(&self, row: &Row<'_>) -> Option<f64> {
///         self.measure().value(self.measure().read(row))
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure<'a> {
    /// The aggregation of the values.
    pub kind: MetricKind,
    /// The field to measure.
    pub field: Option<&'a str>,
    /// A Painless script that returns a number per document; for `avg`, instead of a field.
    pub script: Option<&'a str>,
    /// For the kind `percentile`: 0 to 100.
    pub percentile: Option<f64>,
}

/// The result of a bucket, or of several combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The number of documents.
    pub documents: u32,
    /// The weight of the amount when it is merged with others; 0: there was nothing to measure.
    weight: u32,
    /// The value; for an average, the sum.
    amount: f64,
}

/// The columns' names, chosen so that they collide with no field.
const VALUE: &str = "_value";
const SUM: &str = "_sum";
const VALUES: &str = "_values";

impl<'a> Measure<'a> {
    /// Checks the parameters `metric`, `field`, `script` and `percentile`.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        match (self.field, self.script) {
            (None, None) => faults.push(Fault::new("/field", "is missing: the field to measure")),
            (Some(_), Some(_)) => {
                faults.push(Fault::new("/script", "cannot be combined with `field`: set one of them"))
            }
            (Some(""), None) => faults.push(Fault::new("/field", "must not be empty")),
            (None, Some(_)) if self.kind != MetricKind::Avg => {
                let message = "requires `metric: avg`: Elasticsearch averages its result over the documents";
                faults.push(Fault::new("/script", message));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        match (self.kind, self.percentile) {
            (MetricKind::Percentile, None) => {
                faults.push(Fault::new("/percentile", "is missing: set it, for example, to 95"));
            }
            (MetricKind::Percentile, Some(percent)) if !(0.0..=100.0).contains(&percent) => {
                faults.push(Fault::new("/percentile", "must be from 0 to 100"));
            }
            (MetricKind::Percentile, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                faults.push(Fault::new("/percentile", "requires `metric: percentile`"));
            }
        }
        faults
    }

    /// Whether several buckets can be merged into exactly what one bucket of all their documents would give.
    pub fn is_mergeable(&self) -> bool {
        self.script.is_none() && !matches!(self.kind, MetricKind::Cardinality | MetricKind::Percentile)
    }

    /// Adds this measure to a question.
    pub fn ask(&self, question: Question) -> Question {
        let field = self.field.unwrap_or_default();
        let metric = |name: &str, calc| Metric::of_field(name, field, calc);
        let metrics = match (self.kind, self.script) {
            (_, Some(script)) => vec![Metric::of_script(VALUE, script, Calc::Average)],
            // Averages cannot be merged, but sums and counts can.
            (MetricKind::Avg, None) => vec![metric(SUM, Calc::Sum), metric(VALUES, Calc::ValueCount)],
            (MetricKind::Min, None) => vec![metric(VALUE, Calc::Minimum)],
            (MetricKind::Max, None) => vec![metric(VALUE, Calc::Maximum)],
            (MetricKind::Sum, None) => vec![metric(VALUE, Calc::Sum)],
            (MetricKind::ValueCount, None) => vec![metric(VALUE, Calc::ValueCount)],
            (MetricKind::Cardinality, None) => vec![metric(VALUE, Calc::Cardinality)],
            (MetricKind::Percentile, None) => {
                vec![metric(VALUE, Calc::Percentile(self.percentile.unwrap_or_default()))]
            }
        };
        metrics.into_iter().fold(question, Question::metric)
    }

    /// The result of a bucket that was queried with [`ask`](Self::ask).
    pub fn read(&self, row: &Row<'_>) -> Reading {
        let documents = row.integer("_count").map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX));
        let (amount, weight) = match (self.kind, self.script) {
            // A value for each document.
            (_, Some(_)) => (row.number(VALUE).map(|mean| mean * f64::from(documents)), documents),
            (MetricKind::Avg, None) => (row.number(SUM), row.number(VALUES).unwrap_or_default() as u32),
            (_, None) => (row.number(VALUE), 1),
        };
        match amount.filter(|amount| amount.is_finite() && weight > 0) {
            Some(amount) => Reading { documents, weight, amount },
            None => Reading { documents, ..Reading::default() },
        }
    }

    /// Merges several buckets: the minimum, the maximum, the mean of all values, or the sum. If the measure
    /// [is not mergeable](Self::is_mergeable), the sum adds the separate results of the buckets.
    pub fn merge(&self, readings: impl IntoIterator<Item = Reading>) -> Reading {
        readings.into_iter().fold(Reading::default(), |all, next| {
            let documents = all.documents.saturating_add(next.documents);
            let amount = match (all.weight, next.weight, self.kind) {
                (_, 0, _) => all.amount,
                (0, _, _) => next.amount,
                (_, _, MetricKind::Min) => all.amount.min(next.amount),
                (_, _, MetricKind::Max) => all.amount.max(next.amount),
                _ => all.amount + next.amount,
            };
            Reading { documents, weight: all.weight.saturating_add(next.weight), amount }
        })
    }

    /// The measure's value. Without documents, sums and counts are 0, and the others have none.
    pub fn value(&self, reading: Reading) -> Option<f64> {
        match (reading.weight, self.kind) {
            (0, MetricKind::Sum | MetricKind::ValueCount | MetricKind::Cardinality) => Some(0.0),
            (0, _) => None,
            (weight, MetricKind::Avg) => Some(reading.amount / f64::from(weight)),
            _ => Some(reading.amount),
        }
    }

    /// For a summary: `avg of cpu`, `percentile 95 of bytes`.
    pub fn words(&self) -> String {
        let of = self.field.unwrap_or("a script");
        match (self.kind, self.percentile) {
            (MetricKind::Percentile, Some(percent)) => format!("percentile {percent} of {of}"),
            _ => format!("{} of {of}", self.kind.word()),
        }
    }
}

impl MetricKind {
    /// As it is written in parameters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
            Self::ValueCount => "value_count",
            Self::Cardinality => "cardinality",
            Self::Percentile => "percentile",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: MetricKind) -> Measure<'static> {
        Measure { kind, field: Some("cpu"), script: None, percentile: None }
    }

    fn reading(documents: u32, weight: u32, amount: f64) -> Reading {
        Reading { documents, weight, amount }
    }

    #[test]
    fn buckets_merge_as_if_they_were_one() {
        let two = [reading(3, 2, 10.0), reading(1, 0, 0.0), reading(1, 1, -4.0)];
        for (kind, value) in [
            (MetricKind::Min, -4.0),
            (MetricKind::Max, 10.0),
            (MetricKind::Avg, 2.0),
            (MetricKind::Sum, 6.0),
            (MetricKind::ValueCount, 6.0),
        ] {
            let merged = of(kind).merge(two);
            assert_eq!((merged.documents, of(kind).value(merged)), (5, Some(value)), "{kind:?}");
        }
    }

    #[test]
    fn nothing_is_zero_only_where_it_is_counted() {
        for (kind, value) in [
            (MetricKind::Sum, Some(0.0)),
            (MetricKind::ValueCount, Some(0.0)),
            (MetricKind::Cardinality, Some(0.0)),
            (MetricKind::Avg, None),
            (MetricKind::Min, None),
            (MetricKind::Percentile, None),
        ] {
            assert_eq!(of(kind).value(of(kind).merge([])), value, "{kind:?}");
        }
    }

    #[test]
    fn parameters_that_do_not_go_together_are_told() {
        let measure = |kind, field, script, percentile| {
            let faults = Measure { kind, field, script, percentile }.faults();
            faults
                .into_iter()
                .map(|fault| format!("{} {}", fault.path, fault.message))
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert_eq!(measure(MetricKind::Avg, Some("a"), None, None), "");
        assert_eq!(measure(MetricKind::Avg, None, Some("s"), None), "");
        assert_eq!(measure(MetricKind::Percentile, Some("a"), None, Some(99.9)), "");
        for (told, says) in [
            (measure(MetricKind::Avg, None, None, None), "/field is missing"),
            (measure(MetricKind::Avg, Some("a"), Some("s"), None), "set one of them"),
            (measure(MetricKind::Max, None, Some("s"), None), "/script requires `metric: avg`"),
            (measure(MetricKind::Percentile, Some("a"), None, None), "/percentile is missing"),
            (measure(MetricKind::Percentile, Some("a"), None, Some(101.0)), "from 0 to 100"),
            (measure(MetricKind::Sum, Some("a"), None, Some(95.0)), "requires `metric: percentile`"),
        ] {
            assert!(told.contains(says), "{told}");
        }
    }
}
