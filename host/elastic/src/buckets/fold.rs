use watchbell_contract::{Buckets, Calc, Metric};

use crate::error::ErrorKind;

/// How a metric over all groups is computed from the groups' metrics, by position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fold {
    Sum(usize),
    Minimum(usize),
    Maximum(usize),
    /// From a sum and a count.
    Average(usize, usize),
}

/// # Errors
/// Metrics in `buckets` that cannot be combined.
pub(super) fn check(buckets: &Buckets) -> Result<(), ErrorKind> {
    parts(buckets).map(|_| ())
}

/// The metrics requested of each group, the question's metric each belongs to, and how they are combined.
pub(super) fn parts(buckets: &Buckets) -> Result<(Buckets, Vec<usize>, Vec<Fold>), ErrorKind> {
    let mut asked = Buckets { metrics: vec![], ..buckets.clone() };
    let (mut sources, mut folds) = (vec![], vec![]);
    for (place, metric) in buckets.metrics.iter().enumerate() {
        let mut ask = |calc: Calc| {
            let name = asked.metrics.len();
            asked.metrics.push(Metric { name: name.to_string(), calc, ..metric.clone() });
            sources.push(place);
            name
        };
        folds.push(match &metric.calc {
            Calc::Sum => Fold::Sum(ask(Calc::Sum)),
            Calc::ValueCount => Fold::Sum(ask(Calc::ValueCount)),
            Calc::Minimum => Fold::Minimum(ask(Calc::Minimum)),
            Calc::Maximum => Fold::Maximum(ask(Calc::Maximum)),
            Calc::Average => Fold::Average(ask(Calc::Sum), ask(Calc::ValueCount)),
            Calc::Cardinality | Calc::Percentile(_) => {
                let what = match metric.calc {
                    Calc::Cardinality => "a cardinality",
                    _ => "a percentile",
                };
                let reason = format!(
                    "its indices map its fields differently, and {what} (`{}`) cannot be combined across them; choose indices whose mappings agree",
                    metric.name
                );
                return Err(ErrorKind::Question { reason });
            }
        });
    }
    Ok((asked, sources, folds))
}

impl Fold {
    pub(super) fn add(self, to: &mut [Option<f64>], from: &[Option<f64>]) {
        let mut fold = |place: usize, both: fn(f64, f64) -> f64| {
            to[place] = match (to[place], from[place]) {
                (Some(a), Some(b)) => Some(both(a, b)),
                (one, other) => one.or(other),
            };
        };
        match self {
            Self::Sum(place) => fold(place, |a, b| a + b),
            Self::Minimum(place) => fold(place, f64::min),
            Self::Maximum(place) => fold(place, f64::max),
            Self::Average(sum, count) => {
                fold(sum, |a, b| a + b);
                fold(count, |a, b| a + b);
            }
        }
    }

    pub(super) fn value(self, of: &[Option<f64>]) -> Option<f64> {
        match self {
            Self::Sum(place) | Self::Minimum(place) | Self::Maximum(place) => of[place],
            Self::Average(sum, count) => {
                let count = of[count].filter(|count| *count > 0.0)?;
                Some(of[sum]? / count)
            }
        }
    }
}
