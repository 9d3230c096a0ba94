//! Metrics, named as Prometheus recommends. Gauges derived from a rule's status are set when they are requested.
mod of_rule; // the label that most metrics have
mod run_times;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use watchbell_view::Status;

use self::of_rule::OfRule;
use self::run_times::RunTimes;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRun {
    rule: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfDelivery {
    destination: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

pub struct Metrics {
    registry: Registry,
    window_age: Family<OfRule, Seconds>,
    lag: Family<OfRule, Seconds>,
    open_episodes: Family<OfRule, Gauge>,
    owed: Gauge,
    drift: Seconds,
    runs: Family<OfRun, Counter>,
    run_seconds: RunTimes,
    runs_seconds: Histogram,
    rows: Family<OfRule, Counter>,
    signals: Family<OfRule, Counter>,
    faults: Family<OfRule, Counter>,
    alerter_faults: Family<OfDestination, Counter>,
    text_faults: Family<OfRule, Counter>,
    announced: Family<OfReason, Counter>,
    held: Family<OfReason, Counter>,
    merged: Family<OfDestination, Counter>,
    deliveries: Family<OfDelivery, Counter>,
    store_seconds: Histogram,
}

impl Metrics {
    pub fn new() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let this = Self {
            registry: Registry::with_prefix("watchbell"),
            window_age: Family::default(),
            lag: Family::default(),
            open_episodes: Family::default(),
            owed: Gauge::default(),
            drift: Seconds::default(),
            runs: Family::default(),
            run_seconds: RunTimes::default(),
            runs_seconds: seconds(),
            rows: Family::default(),
            signals: Family::default(),
            faults: Family::default(),
            alerter_faults: Family::default(),
            text_faults: Family::default(),
            announced: Family::default(),
            held: Family::default(),
            merged: Family::default(),
            deliveries: Family::default(),
            store_seconds: seconds(),
        };
        this.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "window_age",
            "Time since the end of the rule's last committed window",
            Unit::Seconds,
            self.window_age.clone(),
        );
        registry.register_with_unit(
            "lag",
            "How far the rule is behind what could be evaluated by now",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register("open_episodes", "Episodes that have not ended", self.open_episodes.clone());
        registry.register("outbox_owed", "Deliveries waiting or in progress", self.owed.clone());
        registry.register_with_unit(
            "clock_drift",
            "How far the wall clock is from the engine's time",
            Unit::Seconds,
            self.drift.clone(),
        );
        registry.register("runs", "Runs by outcome", self.runs.clone());
        registry.register_with_unit(
            "run_duration",
            "How long runs took, queries included, for the thousand rules that took longest in total",
            Unit::Seconds,
            self.run_seconds.clone(),
        );
        registry.register_with_unit(
            "runs_duration",
            "How long the runs of all rules took, queries included",
            Unit::Seconds,
            self.runs_seconds.clone(),
        );
        registry.register("rows", "Rows handed to rules", self.rows.clone());
        registry.register("signals", "Signals that rules emitted", self.signals.clone());
        registry.register(
            "sandbox_faults",
            "Runs that failed because of their rule: stopped by the sandbox, failed by the rule, or invalid questions",
            self.faults.clone(),
        );
        registry.register("alerter_faults", "Deliveries stopped by the sandbox", self.alerter_faults.clone());
        registry.register("text_faults", "Messages sent in plain form", self.text_faults.clone());
        registry.register(
            "announced",
            "Decisions to send a message about an episode or event, by reason",
            self.announced.clone(),
        );
        registry.register("held", "Decisions to hold back a message, by reason", self.held.clone());
        registry.register(
            "merged",
            "Messages that were not sent by themselves, because another says what they would have said",
            self.merged.clone(),
        );
        registry.register("deliveries", "Delivery attempts by outcome", self.deliveries.clone());
        registry.register_with_unit(
            "store_commit",
            "How long commits took",
            Unit::Seconds,
            self.store_seconds.clone(),
        );
        self
    }

    pub fn run_ended(&self, rule: &str, outcome: &'static str, took: std::time::Duration) {
        self.runs.get_or_create(&OfRun { rule: rule.into(), outcome }).inc();
        self.run_seconds.observe(rule, took);
        self.runs_seconds.observe(took.as_secs_f64());
    }

    pub fn evaluated(&self, rule: &str, rows: u64, signals: u64) {
        self.rows.get_or_create(&OfRule { rule: rule.into() }).inc_by(rows);
        self.signals.get_or_create(&OfRule { rule: rule.into() }).inc_by(signals);
    }

    pub fn announced(&self, reason: &'static str) {
        self.announced.get_or_create(&OfReason { reason }).inc();
    }

    pub fn held(&self, reason: &'static str) {
        self.held.get_or_create(&OfReason { reason }).inc();
    }

    pub fn sandbox_fault(&self, rule: &str) {
        self.faults.get_or_create(&OfRule { rule: rule.into() }).inc();
    }

    pub fn alerter_fault(&self, destination: &str) {
        self.alerter_faults.get_or_create(&OfDestination { destination: destination.into() }).inc();
    }

    pub fn merged(&self, destination: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.merged.get_or_create(&OfDestination { destination: destination.into() }).inc_by(count);
    }

    pub fn text_failed(&self, rule: &str) {
        self.text_faults.get_or_create(&OfRule { rule: rule.into() }).inc();
    }

    pub fn delivery_ended(&self, destination: &str, outcome: &'static str) {
        self.deliveries.get_or_create(&OfDelivery { destination: destination.into(), outcome }).inc();
    }

    pub fn committed(&self, took: std::time::Duration) {
        self.store_seconds.observe(took.as_secs_f64());
    }

    /// All metrics, in the Prometheus text format.
    pub fn render(&self, status: &Status) -> String {
        // Rules come and go with bundles: the gauge of a removed rule must not keep its last value forever.
        self.window_age.clear();
        self.lag.clear();
        self.open_episodes.clear();
        for rule in status.rules.iter().filter(|rule| rule.enabled) {
            let of = OfRule { rule: rule.name.clone() };
            if let Some(age) = rule.window_age_seconds {
                self.window_age.get_or_create(&of).set(age);
            }
            if let Some(lag) = rule.lag_seconds {
                self.lag.get_or_create(&of).set(lag);
            }
            self.open_episodes.get_or_create(&of).set(i64::try_from(rule.open_episodes).unwrap_or(i64::MAX));
        }
        let known: HashSet<&str> = status.rules.iter().map(|rule| rule.name.as_str()).collect();
        self.run_seconds.keep(|rule| known.contains(rule));
        self.owed.set(i64::try_from(status.owed).unwrap_or(i64::MAX));
        self.drift.set(status.clock_drift_seconds);
        let mut text = String::new();
        // Writing into a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
