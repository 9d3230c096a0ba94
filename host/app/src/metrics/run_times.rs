use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::of_rule::OfRule;

/// The maximum rules with a histogram of their own. A histogram is eleven lines, too many to read for twenty thousand
/// rules.
const RULES_MAX: usize = 1_000;
/// Upper bounds in seconds, each four times the previous one; the last bucket is unbounded.
const BOUNDS: [f64; 9] = [0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384, 65.536];

/// How long the runs of each rule took. Counted for all rules, shown for those whose runs took longest in total.
#[derive(Clone, Debug, Default)]
pub(super) struct RunTimes {
    rules: Arc<Mutex<HashMap<String, Times>>>,
}

#[derive(Clone, Debug, Default)]
struct Times {
    seconds: f64,
    /// The last one counts everything above the largest bound.
    counts: [u64; BOUNDS.len() + 1],
}

impl RunTimes {
    pub(super) fn observe(&self, rule: &str, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if !rules.contains_key(rule) {
            rules.insert(rule.to_owned(), Times::default());
        }
        if let Some(times) = rules.get_mut(rule) {
            times.seconds += seconds;
            times.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        }
    }

    /// Forgets rules that are no longer in the bundle.
    pub(super) fn keep(&self, is_known: impl Fn(&str) -> bool) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).retain(|rule, _| is_known(rule));
    }

    fn dearest(&self) -> Vec<(String, Times)> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&String, &Times)> = rules.iter().collect();
        let by_cost = |a: &(&String, &Times), b: &(&String, &Times)| {
            Reverse(a.1.seconds.to_bits()).cmp(&Reverse(b.1.seconds.to_bits())).then(a.0.cmp(b.0))
        };
        if all.len() > RULES_MAX {
            all.select_nth_unstable_by(RULES_MAX, by_cost);
            all.truncate(RULES_MAX);
        }
        all.into_iter().map(|(rule, times)| (rule.clone(), times.clone())).collect()
    }
}

impl EncodeMetric for RunTimes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        for (rule, times) in self.dearest() {
            let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(times.counts).collect();
            let count = times.counts.iter().sum();
            encoder.encode_family(&OfRule { rule })?.encode_histogram::<NoLabelSet>(
                times.seconds,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    fn told(times: &RunTimes) -> String {
        let mut registry = Registry::default();
        registry.register("run", "r", times.clone());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn buckets_add_up() {
        let times = RunTimes::default();
        for millis in [1, 2, 300, 100_000] {
            times.observe("a", Duration::from_millis(millis));
        }
        let text = told(&times);
        for line in [
            "run_sum{rule=\"a\"} 100.303",
            "run_count{rule=\"a\"} 4",
            "run_bucket{le=\"0.001\",rule=\"a\"} 1",
            "run_bucket{le=\"0.256\",rule=\"a\"} 2",
            "run_bucket{le=\"1.024\",rule=\"a\"} 3",
            "run_bucket{le=\"+Inf\",rule=\"a\"} 4",
        ] {
            assert!(text.contains(line), "`{line}` is missing in:\n{text}");
        }
    }

    #[test]
    fn the_dearest_thousand_are_told() {
        let times = RunTimes::default();
        for rule in 0..1_500 {
            times.observe(&format!("r{rule}"), Duration::from_millis(rule));
        }
        let text = told(&times);
        assert_eq!(text.matches("run_count").count(), 1_000);
        assert!(text.contains("\"r500\"") && !text.contains("\"r499\""));
        times.keep(|rule| rule == "r1");
        assert_eq!(told(&times).matches("run_count").count(), 1);
    }
}
